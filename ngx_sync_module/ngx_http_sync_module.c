
/*
 * The core's own directives and configuration.
 */


#include "ngx_http_sync_core.h"

#include <malloc.h>


static ngx_int_t ngx_http_sync_init_seal(ngx_http_sync_main_conf_t *smcf);
static void *ngx_http_sync_create_main_conf(ngx_conf_t *cf);
static char *ngx_http_sync_init_main_conf(ngx_conf_t *cf, void *conf);
static void *ngx_http_sync_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_sync_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);
static ngx_int_t ngx_http_sync_preconfiguration(ngx_conf_t *cf);
static ngx_int_t ngx_http_sync_postconfiguration(ngx_conf_t *cf);
static ngx_int_t ngx_http_sync_init_process(ngx_cycle_t *cycle);

static char *ngx_http_sync_secret(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_sync_deadline(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


#define NGX_HTTP_SYNC_SECRET_MIN    16
#define NGX_HTTP_SYNC_SECRET_MAX    4096
#define NGX_HTTP_SYNC_DEADLINE      60000
#define NGX_HTTP_SYNC_BUFFERS       (64 * 1024 * 1024)
#define NGX_HTTP_SYNC_BUFFERS_MIN   (256 * 1024)

#define NGX_HTTP_SYNC_HEAP_KEPT     (32 * 1024 * 1024)
#define NGX_HTTP_SYNC_HEAP_LARGE    (4 * 1024 * 1024)


static ngx_command_t  ngx_http_sync_commands[] = {

    { ngx_string("sync_secret"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_sync_secret,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("sync_buffers"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_size_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_sync_main_conf_t, buffers),
      NULL },

    { ngx_string("sync_deadline"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE12,
      ngx_http_sync_deadline,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("sync_status"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_sync_status,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_sync_module_ctx = {
    ngx_http_sync_preconfiguration,        /* preconfiguration */
    ngx_http_sync_postconfiguration,       /* postconfiguration */

    ngx_http_sync_create_main_conf,        /* create main configuration */
    ngx_http_sync_init_main_conf,          /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_sync_create_loc_conf,         /* create location configuration */
    ngx_http_sync_merge_loc_conf           /* merge location configuration */
};


ngx_module_t  ngx_http_sync_module = {
    NGX_MODULE_V1,
    &ngx_http_sync_module_ctx,             /* module context */
    ngx_http_sync_commands,                /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    ngx_http_sync_init_process,            /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


ngx_int_t
ngx_http_sync_use(ngx_conf_t *cf, const ngx_http_sync_step_t *step)
{
    uint32_t                    bit;
    ngx_http_sync_main_conf_t  *smcf;

    smcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_sync_module);

    bit = 1u << step->order;

    smcf->steps[step->order] = step;
    smcf->used |= bit;

    /* the step may stand in the place of another one */

    smcf->asked = (smcf->asked & ~bit) | (step->per_request ? bit : 0);
    smcf->cancels = (smcf->cancels & ~bit) | (step->cancel ? bit : 0);
    smcf->logs = (smcf->logs & ~bit) | (step->log ? bit : 0);

    return NGX_OK;
}


uint32_t
ngx_http_sync_judge(ngx_http_request_t *r, ngx_http_sync_loc_conf_t *slcf)
{
    ngx_uint_t                   i;
    ngx_http_sync_main_conf_t   *smcf;
    const ngx_http_sync_step_t  *step;

    smcf = ngx_http_get_module_main_conf(r, ngx_http_sync_module);

    for (i = 0; i < NGX_HTTP_SYNC_STEPS; i++) {
        step = smcf->steps[i];

        if (step != NULL && (step->per_request || step->enabled(r))) {
            slcf->steps |= 1u << i;
        }
    }

    slcf->judged = 1;

    return slcf->steps;
}


ngx_uint_t
ngx_http_sync_enabled(ngx_http_request_t *r, ngx_http_sync_step_e step)
{
    uint32_t                     bit;
    ngx_http_sync_loc_conf_t    *slcf;
    ngx_http_sync_main_conf_t   *smcf;
    const ngx_http_sync_step_t  *found;

    slcf = ngx_http_get_module_loc_conf(r, ngx_http_sync_module);
    smcf = ngx_http_get_module_main_conf(r, ngx_http_sync_module);

    bit = 1u << step;

    if (slcf->judged && !(smcf->asked & bit)) {
        return (slcf->steps & bit) != 0;
    }

    /* not judged yet: a step may be asking while it is judged itself */

    found = smcf->steps[step];

    return found != NULL && found->enabled(r);
}


void
ngx_http_sync_tell_configured(ngx_conf_t *cf, ngx_http_sync_step_e step,
    ngx_http_sync_configured_pt configured)
{
    ngx_http_sync_main_conf_t  *smcf;

    smcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_sync_module);

    smcf->configured[step] = configured;
}


ngx_uint_t
ngx_http_sync_configured(ngx_http_conf_ctx_t *ctx, ngx_http_sync_step_e step)
{
    ngx_http_sync_main_conf_t  *smcf;

    smcf = ctx->main_conf[ngx_http_sync_module.ctx_index];

    return smcf->configured[step] != NULL && smcf->configured[step](ctx);
}


ngx_int_t
ngx_http_sync_add_check(ngx_conf_t *cf, ngx_http_sync_check_pt check)
{
    ngx_uint_t                  i;
    ngx_http_conf_ctx_t        *ctx;
    ngx_http_sync_check_t      *c;
    ngx_http_sync_main_conf_t  *smcf;

    ctx = cf->ctx;
    smcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_sync_module);

    c = smcf->checks.elts;

    for (i = 0; i < smcf->checks.nelts; i++) {
        if (c[i].check == check && c[i].ctx.loc_conf == ctx->loc_conf) {
            return NGX_OK;
        }
    }

    c = ngx_array_push(&smcf->checks);
    if (c == NULL) {
        return NGX_ERROR;
    }

    c->check = check;
    c->ctx = *ctx;

    return NGX_OK;
}


ngx_uint_t
ngx_http_sync_enabled_at(ngx_http_conf_ctx_t *ctx, ngx_http_sync_step_e order)
{
    ngx_http_request_t           r;
    ngx_http_sync_main_conf_t   *smcf;
    const ngx_http_sync_step_t  *step;

    smcf = ctx->main_conf[ngx_http_sync_module.ctx_index];
    step = smcf->steps[order];

    if (step == NULL) {
        return 0;
    }

    /* enabled() looks at configuration alone */

    ngx_memzero(&r, sizeof(ngx_http_request_t));

    r.main_conf = ctx->main_conf;
    r.srv_conf = ctx->srv_conf;
    r.loc_conf = ctx->loc_conf;
    r.main = &r;

    return step->enabled(&r);
}


void
ngx_http_sync_refuse(ngx_conf_t *cf, ngx_http_conf_ctx_t *ctx,
    const char *fmt, ...)
{
    u_char                    *p, text[NGX_MAX_CONF_ERRSTR];
    va_list                    args;
    ngx_http_core_loc_conf_t  *clcf;
    ngx_http_sync_loc_conf_t  *slcf;

    clcf = ctx->loc_conf[ngx_http_core_module.ctx_index];
    slcf = ctx->loc_conf[ngx_http_sync_module.ctx_index];

    va_start(args, fmt);
    p = ngx_vslprintf(text, text + sizeof(text), fmt, args);
    va_end(args);

    if (clcf->name.len) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "%*s, in location \"%V\", %V:%ui",
                      p - text, text, &clcf->name, &slcf->file, slcf->line);

    } else {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "%*s, in server, %V:%ui",
                      p - text, text, &slcf->file, slcf->line);
    }
}


ngx_int_t
ngx_http_sync_derive(ngx_http_sync_main_conf_t *smcf, ngx_uint_t generation,
    const char *label, u_char *out, size_t len)
{
    ngx_str_t  *secret;

    if (smcf->secrets == NULL || generation >= smcf->secrets->nelts) {
        return NGX_DECLINED;
    }

    secret = smcf->secrets->elts;
    secret += generation;

    if (sync_hkdf((sync_str_t) { secret->len, secret->data }, sync_str_null,
                  (sync_str_t) { ngx_strlen(label), (u_char *) label },
                  out, len)
        != SYNC_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_sync_init_seal(ngx_http_sync_main_conf_t *smcf)
{
    u_char      secret[SYNC_SHA256_LEN];
    ngx_int_t   rc;
    ngx_uint_t  i;

    for (i = 0; i < SYNC_SEAL_GENERATIONS; i++) {
        rc = ngx_http_sync_derive(smcf, i, "seal", secret, sizeof(secret));

        if (rc == NGX_DECLINED) {
            break;
        }

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        sync_seal_add(&smcf->seal, secret);
        sync_wipe(secret, sizeof(secret));
    }

    return NGX_OK;
}


static void *
ngx_http_sync_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_sync_main_conf_t  *smcf;

    smcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_sync_main_conf_t));
    if (smcf == NULL) {
        return NULL;
    }

    smcf->buffers = NGX_CONF_UNSET_SIZE;

    if (ngx_array_init(&smcf->checks, cf->pool, 16,
                       sizeof(ngx_http_sync_check_t))
        != NGX_OK
        || ngx_array_init(&smcf->shown, cf->pool, 2,
                          sizeof(ngx_http_sync_status_pt))
           != NGX_OK)
    {
        return NULL;
    }

    return smcf;
}


static char *
ngx_http_sync_init_main_conf(ngx_conf_t *cf, void *conf)
{
    ngx_http_sync_main_conf_t  *smcf = conf;

    ngx_conf_init_size_value(smcf->buffers, NGX_HTTP_SYNC_BUFFERS);

    if (smcf->buffers < NGX_HTTP_SYNC_BUFFERS_MIN) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"sync_buffers\" is too small, at least 256k are "
                      "needed for one request");
        return NGX_CONF_ERROR;
    }

    smcf->proxy = ngx_http_sync_find_module(cf, "ngx_http_proxy_module");

    if (ngx_http_sync_peers_init(cf, smcf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return ngx_http_sync_wrap_peers(cf);
}


static void *
ngx_http_sync_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_sync_loc_conf_t  *slcf;

    slcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_sync_loc_conf_t));
    if (slcf == NULL) {
        return NULL;
    }

    slcf->deadline = NGX_CONF_UNSET_MSEC;

    if (cf->conf_file != NULL) {
        slcf->file = cf->conf_file->file.name;
        slcf->line = cf->conf_file->line;
    }

    return slcf;
}


static char *
ngx_http_sync_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_sync_loc_conf_t  *prev = parent;
    ngx_http_sync_loc_conf_t  *conf = child;

    if (conf->deadline == NGX_CONF_UNSET_MSEC) {
        conf->deadline_header = prev->deadline_header;
        conf->deadline_set = prev->deadline_set;
    }

    ngx_conf_merge_msec_value(conf->deadline, prev->deadline,
                              NGX_HTTP_SYNC_DEADLINE);

    if (ngx_http_sync_add_check(cf, ngx_http_sync_check_settings) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_sync_preconfiguration(ngx_conf_t *cf)
{
    return ngx_http_sync_add_variables(cf);
}


static ngx_int_t
ngx_http_sync_postconfiguration(ngx_conf_t *cf)
{
    ngx_int_t                   rc;
    ngx_uint_t                  i;
    ngx_http_sync_check_t      *c;
    ngx_http_sync_main_conf_t  *smcf;

    smcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_sync_module);

    rc = NGX_OK;
    c = smcf->checks.elts;

    /* all faults at once: nginx -t is run once per fault otherwise */

    for (i = 0; i < smcf->checks.nelts; i++) {
        if (c[i].check(cf, &c[i].ctx) != NGX_OK) {
            rc = NGX_ERROR;
        }
    }

    if (rc != NGX_OK) {
        return rc;
    }

    if (smcf->used == 0 && !smcf->status) {
        return NGX_OK;
    }

    if (ngx_http_sync_init_metrics(cf) != NGX_OK) {
        return NGX_ERROR;
    }

    if (smcf->used == 0) {
        return NGX_OK;
    }

    if (ngx_http_sync_init_seal(smcf) != NGX_OK) {
        return NGX_ERROR;
    }

    (void) ngx_http_sync_use(cf, &ngx_http_sync_correlation_step);

    ngx_http_sync_init_answer(cf);

    return ngx_http_sync_init_runner(cf);
}


static ngx_int_t
ngx_http_sync_init_process(ngx_cycle_t *cycle)
{
#if defined(M_TRIM_THRESHOLD) && defined(M_MMAP_THRESHOLD)
    ngx_http_sync_main_conf_t  *smcf;
#endif

    if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

#if defined(M_TRIM_THRESHOLD) && defined(M_MMAP_THRESHOLD)

    /*
     * A turn of the event loop takes the memory of its requests and gives it
     * back.  At 128K glibc returns the top of the heap to the kernel and takes
     * it again in the next turn: two to three page faults a request.
     */

    smcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_sync_module);

    if (smcf != NULL && smcf->used) {
        (void) mallopt(M_TRIM_THRESHOLD, NGX_HTTP_SYNC_HEAP_KEPT);
        (void) mallopt(M_MMAP_THRESHOLD, NGX_HTTP_SYNC_HEAP_LARGE);
    }

#endif

    if (ngx_http_sync_flight_init_process(cycle) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_sync_metrics_init_process(cycle);
}


/* sync_secret file:PATH | env:NAME; a second one is the previous secret. */

static char *
ngx_http_sync_secret(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_sync_main_conf_t  *smcf = conf;

    char       *env;
    u_char      buf[NGX_HTTP_SYNC_SECRET_MAX + 1];
    ssize_t     n;
    ngx_fd_t    fd;
    ngx_str_t  *value, *secret, name;

    value = cf->args->elts;

    if (smcf->secrets == NULL) {
        smcf->secrets = ngx_array_create(cf->pool, NGX_HTTP_SYNC_SECRETS,
                                         sizeof(ngx_str_t));
        if (smcf->secrets == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    if (smcf->secrets->nelts == NGX_HTTP_SYNC_SECRETS) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "a third \"sync_secret\": there are the current "
                           "and the previous one, no more");
        return NGX_CONF_ERROR;
    }

    if (ngx_strncmp(value[1].data, "file:", 5) == 0) {
        name.data = value[1].data + 5;
        name.len = value[1].len - 5;

        if (ngx_conf_full_name(cf->cycle, &name, 1) != NGX_OK) {
            return NGX_CONF_ERROR;
        }

        fd = ngx_open_file(name.data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);
        if (fd == NGX_INVALID_FILE) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                               "\"sync_secret\": " ngx_open_file_n
                               " \"%V\" failed", &name);
            return NGX_CONF_ERROR;
        }

        n = ngx_read_fd(fd, buf, sizeof(buf));
        ngx_close_file(fd);

        if (n == -1) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                               "\"sync_secret\": reading \"%V\" failed",
                               &name);
            return NGX_CONF_ERROR;
        }

        while (n && (buf[n - 1] == '\n' || buf[n - 1] == '\r')) {
            n--;
        }

    } else if (ngx_strncmp(value[1].data, "env:", 4) == 0) {
        env = getenv((char *) value[1].data + 4);

        if (env == NULL) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"sync_secret\": no variable \"%s\" in the "
                               "environment", value[1].data + 4);
            return NGX_CONF_ERROR;
        }

        n = ngx_min(ngx_strlen(env), sizeof(buf));
        ngx_memcpy(buf, env, n);

    } else {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"sync_secret\" takes \"file:PATH\" or "
                           "\"env:NAME\", never the secret itself");
        return NGX_CONF_ERROR;
    }

    if (n < NGX_HTTP_SYNC_SECRET_MIN || n > NGX_HTTP_SYNC_SECRET_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"sync_secret\": a secret of %d to %d bytes is "
                           "needed, this one has %z%s; try \"openssl rand "
                           "-base64 32\"", NGX_HTTP_SYNC_SECRET_MIN,
                           NGX_HTTP_SYNC_SECRET_MAX, n,
                           n > NGX_HTTP_SYNC_SECRET_MAX ? " or more" : "");
        sync_wipe(buf, sizeof(buf));
        return NGX_CONF_ERROR;
    }

    secret = ngx_array_push(smcf->secrets);
    if (secret == NULL) {
        return NGX_CONF_ERROR;
    }

    secret->len = n;
    secret->data = ngx_pnalloc(cf->pool, n);
    if (secret->data == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memcpy(secret->data, buf, n);
    sync_wipe(buf, sizeof(buf));

    return NGX_CONF_OK;
}


static char *
ngx_http_sync_deadline(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_sync_loc_conf_t  *slcf = conf;

    ngx_str_t  *value;
    ngx_int_t   time;

    if (slcf->deadline != NGX_CONF_UNSET_MSEC) {
        return "is duplicate";
    }

    value = cf->args->elts;
    time = ngx_parse_time(&value[1], 0);

    if (time == NGX_ERROR || time <= 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"sync_deadline\": \"%V\" is not a time above 0, "
                           "as \"60s\" or \"1500ms\" is", &value[1]);
        return NGX_CONF_ERROR;
    }

    slcf->deadline = time;
    slcf->deadline_set = 1;

    /* it needs no policy beside it: the runner is there for it alone */

    if (ngx_http_sync_use(cf, &ngx_http_sync_correlation_step) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (cf->args->nelts == 3) {
        if (ngx_strncmp(value[2].data, "header=", 7) != 0
            || value[2].len == 7)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"sync_deadline\": unknown parameter \"%V\", "
                               "\"header=NAME\" is known", &value[2]);
            return NGX_CONF_ERROR;
        }

        slcf->deadline_header.data = value[2].data + 7;
        slcf->deadline_header.len = value[2].len - 7;
        ngx_strlow(slcf->deadline_header.data, slcf->deadline_header.data,
                   slcf->deadline_header.len);
    }

    return NGX_CONF_OK;
}
