
/*
 * Debug: whoever holds the key may ask, for one hour at most, what the steps
 * did with a request (X-Sync-Trace), or what would be sent without sending it.
 *
 *     X-Sync-Debug: exp=1795255200; mode=trace; sig=BASE64URL
 *
 * sig is the HMAC-SHA-256, by the key in the file, of what stands before
 * "; sig=".  The header says how a request is watched, never what it may.
 */


#include "ngx_http_sync.h"
#include "ngx_http_sync_words.h"
#include "sync_crypto.h"


#define NGX_HTTP_SYNC_DEBUG_KEY_MIN  16
#define NGX_HTTP_SYNC_DEBUG_KEY_MAX  4096
#define NGX_HTTP_SYNC_DEBUG_AHEAD    3600        /* seconds */


typedef struct {
    sync_hmac_t  *key;                   /* NULL: off */
} ngx_http_sync_debug_loc_conf_t;


static ngx_uint_t ngx_http_sync_debug_enabled(ngx_http_request_t *r);
static ngx_int_t ngx_http_sync_debug_run(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);
static ngx_int_t ngx_http_sync_debug_verify(sync_hmac_t *key, ngx_str_t *value,
    ngx_uint_t *dry_run, const char **what);
static ngx_uint_t ngx_http_sync_dry_run_enabled(ngx_http_request_t *r);
static ngx_int_t ngx_http_sync_dry_run_run(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);
static void ngx_http_sync_dry_run_request(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, sync_json_out_t *out);
static void ngx_http_sync_dry_run_headers(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, sync_json_out_t *out);
static void ngx_http_sync_dry_run_credential(ngx_http_sync_ctx_t *ctx,
    sync_str_t *name);
static ngx_uint_t ngx_http_sync_dry_run_shown(ngx_http_sync_ctx_t *ctx,
    ngx_table_elt_t *h);

static void *ngx_http_sync_debug_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_sync_debug_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);
static char *ngx_http_sync_debug(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static ngx_int_t ngx_http_sync_debug_read(ngx_conf_t *cf, ngx_str_t *name,
    sync_hmac_t *key);


static const ngx_http_sync_step_t  ngx_http_sync_debug_step = {
    "debug",
    NGX_HTTP_SYNC_STAGE_PREACCESS,
    NGX_HTTP_SYNC_STEP_DEBUG,
    ngx_http_sync_debug_enabled,
    0,
    ngx_http_sync_debug_run,
    NULL,
    NULL,
    NULL
};


static const ngx_http_sync_step_t  ngx_http_sync_dry_run_step = {
    "dry_run",
    NGX_HTTP_SYNC_STAGE_PRECONTENT,
    NGX_HTTP_SYNC_STEP_DRY_RUN,
    ngx_http_sync_dry_run_enabled,
    1,
    ngx_http_sync_dry_run_run,
    NULL,
    NULL,
    NULL
};


static ngx_command_t  ngx_http_sync_debug_commands[] = {

    { ngx_string("sync_debug"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_sync_debug,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_sync_debug_module_ctx = {
    NULL,                                  /* preconfiguration */
    NULL,                                  /* postconfiguration */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_sync_debug_create_loc_conf,   /* create location configuration */
    ngx_http_sync_debug_merge_loc_conf     /* merge location configuration */
};


ngx_module_t  ngx_http_sync_debug_module = {
    NGX_MODULE_V1,
    &ngx_http_sync_debug_module_ctx,       /* module context */
    ngx_http_sync_debug_commands,          /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_str_t  ngx_http_sync_x_sync_debug = ngx_string("x-sync-debug");


/* Request headers whose values a dry run shows; of others only the names. */

static ngx_str_t  ngx_http_sync_debug_shown[] = {
    ngx_string("accept"),
    ngx_string("accept-language"),
    ngx_string("content-language"),
    ngx_string("content-length"),
    ngx_string("content-type"),
    ngx_string("if-match"),
    ngx_string("if-none-match"),
    ngx_string("traceparent"),
    ngx_string("x-correlation-id"),
    ngx_null_string
};


static ngx_uint_t
ngx_http_sync_debug_enabled(ngx_http_request_t *r)
{
    ngx_http_sync_debug_loc_conf_t  *dlcf;

    dlcf = ngx_http_get_module_loc_conf(r, ngx_http_sync_debug_module);

    return dlcf->key != NULL;
}


static ngx_int_t
ngx_http_sync_debug_run(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx)
{
    const char                      *what;
    ngx_uint_t                       lines, dry_run;
    ngx_table_elt_t                 *h;
    ngx_http_sync_debug_loc_conf_t  *dlcf;

    h = ngx_http_sync_header_in(r, &ngx_http_sync_x_sync_debug, &lines);

    if (h == NULL) {
        return NGX_DECLINED;
    }

    dlcf = ngx_http_get_module_loc_conf(r, ngx_http_sync_debug_module);

    what = "several headers";

    if (lines > 1
        || ngx_http_sync_debug_verify(dlcf->key, &h->value, &dry_run, &what)
           != NGX_OK)
    {
        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                      "debug: X-Sync-Debug is ignored, %s", what);
        return NGX_DECLINED;
    }

    ctx->trace = ngx_array_create(r->pool, 16, sizeof(ngx_str_t));
    if (ctx->trace == NULL) {
        return NGX_ERROR;
    }

    ctx->dry_run = dry_run;

    return NGX_OK;
}


static ngx_int_t
ngx_http_sync_debug_verify(sync_hmac_t *key, ngx_str_t *value,
    ngx_uint_t *dry_run, const char **what)
{
    u_char       *p, *last, *sig, mac[SYNC_SHA256_LEN];
    u_char        given[sync_base64url_bytes(64)];
    size_t        len;
    time_t        exp;
    sync_hmac_t   hmac;

    *what = "it is malformed";

    p = value->data;
    last = p + value->len;

    if (value->len < sizeof("exp=") - 1
        || ngx_strncmp(p, "exp=", sizeof("exp=") - 1) != 0)
    {
        return NGX_DECLINED;
    }

    p += sizeof("exp=") - 1;

    sig = ngx_strlchr(p, last, ';');
    if (sig == NULL) {
        return NGX_DECLINED;
    }

    exp = ngx_atotm(p, sig - p);
    if (exp == (time_t) NGX_ERROR) {
        return NGX_DECLINED;
    }

    p = sig;

    if ((size_t) (last - p) > sizeof("; mode=trace; sig=") - 1
        && ngx_strncmp(p, "; mode=trace; sig=",
                       sizeof("; mode=trace; sig=") - 1)
           == 0)
    {
        *dry_run = 0;
        p += sizeof("; mode=trace; sig=") - 1;

    } else if ((size_t) (last - p) > sizeof("; mode=dry-run; sig=") - 1
               && ngx_strncmp(p, "; mode=dry-run; sig=",
                              sizeof("; mode=dry-run; sig=") - 1)
                  == 0)
    {
        *dry_run = 1;
        p += sizeof("; mode=dry-run; sig=") - 1;

    } else {
        return NGX_DECLINED;
    }

    if (last - p > 64
        || sync_base64url_decode(given, &len,
                                 (sync_str_t) { last - p, p })
           != SYNC_OK)
    {
        return NGX_DECLINED;
    }

    sync_hmac_init(&hmac, key);
    sync_hmac_update(&hmac, value->data,
                     p - (sizeof("; sig=") - 1) - value->data);
    sync_hmac_final(&hmac, mac);

    if (!sync_secret_eq((sync_str_t) { SYNC_SHA256_LEN, mac },
                        (sync_str_t) { len, given }))
    {
        *what = "its signature is wrong";
        return NGX_DECLINED;
    }

    if (exp <= ngx_time()) {
        *what = "it has expired";
        return NGX_DECLINED;
    }

    if (exp > ngx_time() + NGX_HTTP_SYNC_DEBUG_AHEAD) {
        *what = "it expires in more than an hour";
        return NGX_DECLINED;
    }

    return NGX_OK;
}


/*
 * Not by configuration alone: a dry run stays one wherever an internal
 * redirect leads, for no key was claimed for it.
 */

static ngx_uint_t
ngx_http_sync_dry_run_enabled(ngx_http_request_t *r)
{
    ngx_http_sync_ctx_t  *ctx;

    ctx = ngx_http_sync_get_ctx(r);

    return ctx != NULL && ctx->dry_run;
}


#define ngx_http_sync_put(out, key, str)                                      \
    sync_json_key((out), sync_str_lit(key));                                  \
    sync_json_string((out), (str))


static ngx_int_t
ngx_http_sync_dry_run_run(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx)
{
    ngx_str_t         body, *entry;
    ngx_uint_t        i;
    sync_rc_t         rc;
    sync_str_t        s;
    sync_json_out_t   out;

    static ngx_str_t  type = ngx_string("application/json");

    sync_json_begin(&out, &ctx->arena, 4096, 0);
    sync_json_open(&out, '{');

    ngx_http_sync_put(&out, "tenant",
                      ((sync_str_t) { ctx->tenant.id.len,
                                      ctx->tenant.id.data }));

    if (ctx->payload.entity != SYNC_ENTITIES) {
        ngx_http_sync_put(&out, "entity",
                          sync_entity_name(ctx->payload.entity));
    }

    if (ctx->payload.operation != SYNC_OPS) {
        ngx_http_sync_put(&out, "operation",
                          sync_op_name(ctx->payload.operation));
    }

    ngx_http_sync_put(&out, "source", ngx_http_sync_source_name(ctx));

    if (ctx->payload.canonical.nodes != NULL) {
        sync_json_key(&out, sync_str_lit("canonical"));
        sync_json_copy(&out, &ctx->payload.canonical, 0);
    }

    if (ctx->route.connector != SYNC_DOC_NONE) {
        ngx_http_sync_put(&out, "connector", ctx->route.c.name);
    }

    sync_json_key(&out, sync_str_lit("request"));
    ngx_http_sync_dry_run_request(r, ctx, &out);

    sync_json_key(&out, sync_str_lit("trace"));
    sync_json_open(&out, '[');

    entry = ctx->trace->elts;

    for (i = 0; i < ctx->trace->nelts; i++) {
        sync_json_value(&out, (sync_str_t) { entry[i].len, entry[i].data });
    }

    sync_json_close(&out, ']');
    sync_json_close(&out, '}');

    rc = sync_json_end(&out, &s);

    if (rc != SYNC_OK) {
        return NGX_ERROR;
    }

    ctx->verdict = "dry-run";

    body.data = s.data;
    body.len = s.len;

    return ngx_http_sync_send(r, NGX_HTTP_OK, &type, &body);
}


static void
ngx_http_sync_dry_run_request(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    sync_json_out_t *out)
{
    ngx_str_t   *method, *uri;
    sync_str_t   body;

    if (ctx->route.connector != SYNC_DOC_NONE) {
        method = &ctx->route.method;
        uri = &ctx->route.uri;

    } else {
        method = &r->method_name;
        uri = &r->unparsed_uri;
    }

    sync_json_open(out, '{');

    ngx_http_sync_put(out, "method",
                      ((sync_str_t) { method->len, method->data }));
    ngx_http_sync_put(out, "uri", ((sync_str_t) { uri->len, uri->data }));

    sync_json_key(out, sync_str_lit("headers"));
    ngx_http_sync_dry_run_headers(r, ctx, out);

    if (ctx->payload.target.data != NULL) {
        body.data = ctx->payload.target.data;
        body.len = ctx->payload.target.len;

        sync_json_key(out, sync_str_lit("body"));

        /* a target is what its connector's format says */

        if (ctx->route.connector == SYNC_DOC_NONE
            || ctx->route.c.format == SYNC_FORMAT_JSON_RPC
            || sync_format_is_json(ctx->route.c.format))
        {
            sync_json_value(out, body);

        } else {
            sync_json_string(out, body);
        }

    } else if (ctx->payload.source.nodes != NULL) {
        sync_json_key(out, sync_str_lit("body"));
        sync_json_copy(out, &ctx->payload.source, 0);
    }

    sync_json_close(out, '}');
}


/* Of what may be a credential only the name is told: null. */

static void
ngx_http_sync_dry_run_headers(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    sync_json_out_t *out)
{
    ngx_uint_t        i;
    sync_str_t        name;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    sync_json_open(out, '{');

    ngx_http_sync_dry_run_credential(ctx, &name);

    if (name.len) {
        sync_json_key(out, name);
        sync_json_value(out, sync_str_lit("null"));
    }

    part = &r->headers_in.headers.part;
    h = part->elts;

    for (i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {
            if (part->next == NULL) {
                break;
            }

            part = part->next;
            h = part->elts;
            i = 0;
        }

        if (h[i].hash == 0
            || (h[i].key.len == sizeof("authorization") - 1
                && ngx_strncasecmp(h[i].key.data, (u_char *) "authorization",
                                   h[i].key.len)
                   == 0)
            || (h[i].key.len == name.len
                && ngx_strncasecmp(h[i].key.data, name.data, name.len) == 0))
        {
            continue;
        }

        sync_json_key(out, (sync_str_t) { h[i].key.len,
                                          h[i].lowcase_key != NULL
                                          ? h[i].lowcase_key
                                          : h[i].key.data });

        if (ngx_http_sync_dry_run_shown(ctx, &h[i])) {
            sync_json_string(out, (sync_str_t) { h[i].value.len,
                                                 h[i].value.data });

        } else {
            sync_json_value(out, sync_str_lit("null"));
        }
    }

    sync_json_close(out, '}');
}


/* The header that a credential will stand in, whatever else it means. */

static void
ngx_http_sync_dry_run_credential(ngx_http_sync_ctx_t *ctx, sync_str_t *name)
{
    sync_doc_credential_t  c;

    *name = sync_str_null;

    if (ctx->route.connector == SYNC_DOC_NONE
        || sync_doc_credential(ctx->tenant.doc, ctx->route.connector, &c)
           != SYNC_OK)
    {
        return;
    }

    switch (c.kind) {

    case SYNC_CREDENTIALS_API_KEY:
        *name = c.header;
        break;

    case SYNC_CREDENTIALS_BODY:
    case SYNC_CREDENTIALS_WSSE:
    case SYNC_CREDENTIALS_CERTIFICATE:
        break;

    default:
        *name = sync_str_lit("authorization");
    }
}


static ngx_uint_t
ngx_http_sync_dry_run_shown(ngx_http_sync_ctx_t *ctx, ngx_table_elt_t *h)
{
    ngx_str_t  *name;

    for (name = ngx_http_sync_debug_shown; name->len; name++) {
        if (h->key.len == name->len
            && ngx_strncasecmp(h->key.data, name->data, name->len) == 0)
        {
            return 1;
        }
    }

    return ctx->route.connector != SYNC_DOC_NONE
           && ctx->route.c.send == SYNC_SEND_HEADER
           && h->key.len == ctx->route.c.send_header.len
           && ngx_strncasecmp(h->key.data, ctx->route.c.send_header.data,
                              h->key.len)
              == 0;
}


static void *
ngx_http_sync_debug_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_sync_debug_loc_conf_t  *dlcf;

    dlcf = ngx_palloc(cf->pool, sizeof(ngx_http_sync_debug_loc_conf_t));
    if (dlcf == NULL) {
        return NULL;
    }

    dlcf->key = NGX_CONF_UNSET_PTR;

    return dlcf;
}


static char *
ngx_http_sync_debug_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_sync_debug_loc_conf_t  *prev = parent;
    ngx_http_sync_debug_loc_conf_t  *conf = child;

    ngx_conf_merge_ptr_value(conf->key, prev->key, NULL);

    if (conf->key == NULL) {
        return NGX_CONF_OK;
    }

    if (ngx_http_sync_use(cf, &ngx_http_sync_debug_step) != NGX_OK
        || ngx_http_sync_use(cf, &ngx_http_sync_dry_run_step) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* sync_debug off | file:KEY */

static char *
ngx_http_sync_debug(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_sync_debug_loc_conf_t  *dlcf = conf;

    ngx_str_t  *value, name;

    if (dlcf->key != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0) {
        dlcf->key = NULL;
        return NGX_CONF_OK;
    }

    if (ngx_strncmp(value[1].data, "file:", 5) != 0 || value[1].len == 5) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"sync_debug\" takes \"off\" or \"file:PATH\", "
                           "never the key itself");
        return NGX_CONF_ERROR;
    }

    name.data = value[1].data + 5;
    name.len = value[1].len - 5;

    if (ngx_conf_full_name(cf->cycle, &name, 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    dlcf->key = ngx_palloc(cf->pool, sizeof(sync_hmac_t));
    if (dlcf->key == NULL) {
        return NGX_CONF_ERROR;
    }

    return ngx_http_sync_debug_read(cf, &name, dlcf->key) == NGX_OK
           ? NGX_CONF_OK : NGX_CONF_ERROR;
}


static ngx_int_t
ngx_http_sync_debug_read(ngx_conf_t *cf, ngx_str_t *name, sync_hmac_t *key)
{
    u_char    buf[NGX_HTTP_SYNC_DEBUG_KEY_MAX + 1];
    ssize_t   n;
    ngx_fd_t  fd;

    fd = ngx_open_file(name->data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "\"sync_debug\": " ngx_open_file_n
                           " \"%V\" failed", name);
        return NGX_ERROR;
    }

    n = ngx_read_fd(fd, buf, sizeof(buf));

    if (n == -1) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "\"sync_debug\": reading \"%V\" failed", name);
    }

    ngx_close_file(fd);

    if (n == -1) {
        return NGX_ERROR;
    }

    while (n && (buf[n - 1] == '\n' || buf[n - 1] == '\r')) {
        n--;
    }

    if (n < NGX_HTTP_SYNC_DEBUG_KEY_MIN || n > NGX_HTTP_SYNC_DEBUG_KEY_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"sync_debug\": a key of %d to %d bytes is needed, "
                           "\"%V\" has %z%s; try \"openssl rand -base64 32\"",
                           NGX_HTTP_SYNC_DEBUG_KEY_MIN,
                           NGX_HTTP_SYNC_DEBUG_KEY_MAX, name, n,
                           n > NGX_HTTP_SYNC_DEBUG_KEY_MAX ? " or more" : "");
        sync_wipe(buf, sizeof(buf));
        return NGX_ERROR;
    }

    sync_hmac_key(key, buf, n);
    sync_wipe(buf, sizeof(buf));

    return NGX_OK;
}
