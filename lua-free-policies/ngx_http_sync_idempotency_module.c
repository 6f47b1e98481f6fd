
/*
 * The directive of idempotency.
 */


#include "ngx_http_sync_idempotency.h"


#define NGX_HTTP_SYNC_RETENTION_MIN         1000
#define NGX_HTTP_SYNC_ANSWER_MAX            (256 * 1024)


static void *ngx_http_sync_idempotency_create_main_conf(ngx_conf_t *cf);
static void *ngx_http_sync_idempotency_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_sync_idempotency_merge_loc_conf(ngx_conf_t *cf,
    void *parent, void *child);
static ngx_uint_t ngx_http_sync_idempotency_configured(
    ngx_http_conf_ctx_t *ctx);
static ngx_int_t ngx_http_sync_idempotency_init(ngx_conf_t *cf);
static ngx_int_t ngx_http_sync_idempotency_check(ngx_conf_t *cf,
    ngx_http_conf_ctx_t *ctx);
static ngx_int_t ngx_http_sync_idempotency_place(ngx_conf_t *cf,
    ngx_http_conf_ctx_t *ctx);
static char *ngx_http_sync_idempotency(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_sync_idempotency_param(ngx_conf_t *cf,
    ngx_http_sync_idempotency_loc_conf_t *ilcf, ngx_str_t *name,
    ngx_str_t *value);
static char *ngx_http_sync_idempotency_list(ngx_conf_t *cf,
    ngx_http_sync_idempotency_loc_conf_t *ilcf, ngx_str_t *name,
    ngx_str_t *value);


static ngx_command_t  ngx_http_sync_idempotency_commands[] = {

    { ngx_string("sync_idempotency"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_sync_idempotency,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("sync_keys"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_sync_keys,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_sync_idempotency_module_ctx = {
    NULL,                                  /* preconfiguration */
    ngx_http_sync_idempotency_init,        /* postconfiguration */

    ngx_http_sync_idempotency_create_main_conf,
                                           /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_sync_idempotency_create_loc_conf,
                                           /* create location configuration */
    ngx_http_sync_idempotency_merge_loc_conf
                                           /* merge location configuration */
};


ngx_module_t  ngx_http_sync_idempotency_module = {
    NGX_MODULE_V1,
    &ngx_http_sync_idempotency_module_ctx, /* module context */
    ngx_http_sync_idempotency_commands,    /* module directives */
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


static void *
ngx_http_sync_idempotency_create_main_conf(ngx_conf_t *cf)
{
    return ngx_pcalloc(cf->pool,
                       sizeof(ngx_http_sync_idempotency_main_conf_t));
}


static void *
ngx_http_sync_idempotency_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_sync_idempotency_loc_conf_t  *ilcf;

    ilcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_sync_idempotency_loc_conf_t));
    if (ilcf == NULL) {
        return NULL;
    }

    ilcf->mode = NGX_CONF_UNSET_UINT;

    return ilcf;
}


static char *
ngx_http_sync_idempotency_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child)
{
    ngx_http_sync_idempotency_loc_conf_t  *prev = parent;
    ngx_http_sync_idempotency_loc_conf_t  *conf = child;

    ngx_http_sync_idempotency_main_conf_t  *imcf;

    if (conf->mode == NGX_CONF_UNSET_UINT) {

        if (prev->mode == NGX_CONF_UNSET_UINT) {
            conf->mode = NGX_HTTP_SYNC_IDEMPOTENCY_OFF;

        } else {
            *conf = *prev;
        }
    }

    if (conf->mode == NGX_HTTP_SYNC_IDEMPOTENCY_OFF) {
        return NGX_CONF_OK;
    }

    imcf = ngx_http_conf_get_module_main_conf(cf,
                                             ngx_http_sync_idempotency_module);

    ngx_http_sync_tell_configured(cf, NGX_HTTP_SYNC_STEP_IDEMPOTENCY,
                                  ngx_http_sync_idempotency_configured);

    imcf->store = ngx_sync_store_get(cf, NGX_SYNC_ZONE_RECORDS);
    if (imcf->store == NULL) {
        return NGX_CONF_ERROR;
    }

    if (ngx_http_sync_use(cf, &ngx_http_sync_idempotency_step) != NGX_OK
        || ngx_http_sync_use(cf, &ngx_http_sync_send_step) != NGX_OK
        || ngx_http_sync_use(cf, &ngx_http_sync_classify_step) != NGX_OK
        || ngx_http_sync_use(cf, &ngx_http_sync_settle_step) != NGX_OK
        || ngx_http_sync_add_check(cf, ngx_http_sync_idempotency_check)
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static ngx_uint_t
ngx_http_sync_idempotency_configured(ngx_http_conf_ctx_t *ctx)
{
    ngx_http_sync_idempotency_loc_conf_t  *ilcf;

    ilcf = ctx->loc_conf[ngx_http_sync_idempotency_module.ctx_index];

    return ilcf->mode != NGX_HTTP_SYNC_IDEMPOTENCY_OFF;
}


static ngx_int_t
ngx_http_sync_idempotency_init(ngx_conf_t *cf)
{
    u_char                                  secret[SYNC_SHA256_LEN];
    ngx_int_t                               rc;
    ngx_http_sync_main_conf_t              *smcf;
    ngx_http_sync_idempotency_main_conf_t  *imcf;

    smcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_sync_module);
    imcf = ngx_http_conf_get_module_main_conf(cf,
                                             ngx_http_sync_idempotency_module);

    if (imcf->asked && imcf->store == NULL) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"sync_keys\" has nothing to show: no location has "
                      "\"sync_idempotency\"");
        return NGX_ERROR;
    }

    for (imcf->nkeys = 0; imcf->nkeys < NGX_HTTP_SYNC_SECRETS; imcf->nkeys++) {

        rc = ngx_http_sync_derive(smcf, imcf->nkeys, "idempotency-key", secret,
                                  sizeof(secret));
        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (rc == NGX_DECLINED) {
            break;
        }

        sync_hmac_key(&imcf->keys[imcf->nkeys], secret, sizeof(secret));
        sync_wipe(secret, sizeof(secret));
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_sync_idempotency_check(ngx_conf_t *cf, ngx_http_conf_ctx_t *ctx)
{
    ngx_sync_store_t                       *st;
    ngx_http_core_loc_conf_t               *clcf;
    ngx_http_sync_loc_conf_t               *slcf;
    ngx_http_sync_main_conf_t              *smcf;
    ngx_http_sync_idempotency_loc_conf_t   *ilcf;
    ngx_http_sync_idempotency_main_conf_t  *imcf;

    imcf = ctx->main_conf[ngx_http_sync_idempotency_module.ctx_index];
    smcf = ctx->main_conf[ngx_http_sync_module.ctx_index];
    slcf = ctx->loc_conf[ngx_http_sync_module.ctx_index];
    clcf = ctx->loc_conf[ngx_http_core_module.ctx_index];
    ilcf = ctx->loc_conf[ngx_http_sync_idempotency_module.ctx_index];

    if (smcf->secrets == NULL) {
        ngx_http_sync_refuse(cf, ctx, "sync_idempotency needs sync_secret, "
                             "as in \"sync_secret file:/etc/nginx/sync/"
                             "master.key;\"");
        return NGX_ERROR;
    }

    /* the proof scopes a key; where there is none, the configuration must */

    if (ilcf->scope == NULL && !ilcf->scope_none
        && !ngx_http_sync_configured(ctx, NGX_HTTP_SYNC_STEP_AUTH))
    {
        ngx_http_sync_refuse(cf, ctx, "sync_idempotency needs sync_auth, or "
                             "\"scope=$remote_user\" or another variable that "
                             "tells clients apart, or \"scope=none\"");
        return NGX_ERROR;
    }

    if (ilcf->lease && ilcf->lease <= slcf->deadline) {
        ngx_http_sync_refuse(cf, ctx, "the lease of sync_idempotency, %M ms, "
                             "must be longer than sync_deadline, %M ms",
                             ilcf->lease, slcf->deadline);
        return NGX_ERROR;
    }

    for (st = imcf->store; st; st = st->next) {

        if (st->timeout < clcf->send_timeout) {
            continue;
        }

        ngx_http_sync_refuse(cf, ctx, "the timeout of sync_store, %M ms, must "
                             "be shorter than send_timeout, %M ms: an answer "
                             "is held while it is settled",
                             st->timeout, clcf->send_timeout);
        return NGX_ERROR;
    }

#if (NGX_PCRE)

    if (clcf->regex != NULL && ilcf->name.len == 0) {
        ngx_http_sync_refuse(cf, ctx, "sync_idempotency in a location by "
                             "regular expression needs \"name=\", which "
                             "stays when the expression changes");
        return NGX_ERROR;
    }

#endif

    return ngx_http_sync_idempotency_place(cf, ctx);
}


/* For operators, who know a key and not from where it came. */

static ngx_int_t
ngx_http_sync_idempotency_place(ngx_conf_t *cf, ngx_http_conf_ctx_t *ctx)
{
    ngx_str_t                              *name;
    ngx_uint_t                              i;
    ngx_http_core_loc_conf_t               *clcf;
    ngx_http_core_srv_conf_t               *cscf;
    ngx_http_sync_idem_place_t             *place, p;
    ngx_http_sync_idempotency_loc_conf_t   *ilcf;
    ngx_http_sync_idempotency_main_conf_t  *imcf;

    imcf = ctx->main_conf[ngx_http_sync_idempotency_module.ctx_index];
    clcf = ctx->loc_conf[ngx_http_core_module.ctx_index];
    ilcf = ctx->loc_conf[ngx_http_sync_idempotency_module.ctx_index];

    if (imcf->places == NULL) {
        imcf->places = ngx_array_create(cf->pool, 4,
                                        sizeof(ngx_http_sync_idem_place_t));
        if (imcf->places == NULL) {
            return NGX_ERROR;
        }
    }

    name = ilcf->name.len ? &ilcf->name : &clcf->name;

    ngx_memzero(&p, sizeof(p));

    ngx_str_set(&p.server, "");
    p.name = *name;

    if (ilcf->name.len == 0
        && !ngx_http_sync_configured(ctx, NGX_HTTP_SYNC_STEP_TENANT))
    {
        cscf = ctx->srv_conf[ngx_http_core_module.ctx_index];
        p.server = cscf->server_name;
    }

    p.methods = ilcf->methods;
    p.scope = ilcf->scope != NULL;
    p.auth = ngx_http_sync_configured(ctx, NGX_HTTP_SYNC_STEP_AUTH);

    place = imcf->places->elts;

    for (i = 0; i < imcf->places->nelts; i++) {
        if (place[i].name.len == name->len
            && ngx_memcmp(place[i].name.data, name->data, name->len) == 0
            && place[i].server.len == p.server.len
            && ngx_memcmp(place[i].server.data, p.server.data, p.server.len)
               == 0
            && place[i].methods == p.methods && place[i].scope == p.scope
            && place[i].auth == p.auth)
        {
            return NGX_OK;
        }
    }

    place = ngx_array_push(imcf->places);
    if (place == NULL) {
        return NGX_ERROR;
    }

    *place = p;

    return NGX_OK;
}


static char *
ngx_http_sync_idempotency(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_sync_idempotency_loc_conf_t  *ilcf = conf;

    char        *rv;
    u_char      *p;
    ngx_str_t   *value, name, arg;
    ngx_uint_t   i;

    if (ilcf->mode != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0) {
        ilcf->mode = NGX_HTTP_SYNC_IDEMPOTENCY_OFF;

        return cf->args->nelts == 2 ? NGX_CONF_OK
                                    : "takes no parameters with \"off\"";

    } else if (ngx_strcmp(value[1].data, "on") == 0) {
        ilcf->mode = NGX_HTTP_SYNC_IDEMPOTENCY_ON;

    } else if (ngx_strcmp(value[1].data, "required") == 0) {
        ilcf->mode = NGX_HTTP_SYNC_IDEMPOTENCY_REQUIRED;

    } else {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"sync_idempotency\": \"%V\" is not one of "
                           "\"off\", \"on\" and \"required\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    ilcf->methods = NGX_HTTP_POST|NGX_HTTP_PATCH;
    ilcf->syntax = SYNC_SFV_COMPAT;
    ilcf->cap = NGX_HTTP_SYNC_ANSWER_MAX;
    ilcf->on_unknown = SYNC_UNKNOWN_HOLD;

    for (i = 2; i < cf->args->nelts; i++) {

        p = (u_char *) ngx_strchr(value[i].data, '=');

        if (p == NULL) {
            name = value[i];
            ngx_str_null(&arg);

        } else {
            name.data = value[i].data;
            name.len = p - value[i].data;
            arg.data = p + 1;
            arg.len = value[i].data + value[i].len - arg.data;
        }

        rv = ngx_http_sync_idempotency_param(cf, ilcf, &name, &arg);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    return NGX_CONF_OK;
}


#define ngx_http_sync_named(s, lit)                                           \
    ((s)->len == sizeof(lit) - 1                                              \
     && ngx_strncmp((s)->data, lit, sizeof(lit) - 1) == 0)


static char *
ngx_http_sync_idempotency_param(ngx_conf_t *cf,
    ngx_http_sync_idempotency_loc_conf_t *ilcf, ngx_str_t *name,
    ngx_str_t *value)
{
    ngx_int_t                          n;
    ssize_t                            size;
    ngx_http_compile_complex_value_t   ccv;

    if (value->len == 0) {
        goto invalid;
    }

    if (ngx_http_sync_named(name, "methods")
        || ngx_http_sync_named(name, "keep"))
    {
        return ngx_http_sync_idempotency_list(cf, ilcf, name, value);
    }

    if (ngx_http_sync_named(name, "scope")) {

        if (ngx_http_sync_named(value, "none")) {
            ilcf->scope_none = 1;
            return NGX_CONF_OK;
        }

        ilcf->scope = ngx_palloc(cf->pool, sizeof(ngx_http_complex_value_t));
        if (ilcf->scope == NULL) {
            return NGX_CONF_ERROR;
        }

        ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

        ccv.cf = cf;
        ccv.value = value;
        ccv.complex_value = ilcf->scope;

        if (ngx_http_compile_complex_value(&ccv) != NGX_OK) {
            return NGX_CONF_ERROR;
        }

        if (ilcf->scope->lengths == NULL) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"sync_idempotency\": scope=\"%V\" has no "
                               "variable, it would be the same for all "
                               "clients; say scope=none if that is meant",
                               value);
            return NGX_CONF_ERROR;
        }

        return NGX_CONF_OK;
    }

    if (ngx_http_sync_named(name, "lease")
        || ngx_http_sync_named(name, "retention")
        || ngx_http_sync_named(name, "wait"))
    {
        n = ngx_parse_time(value, 0);

        if (n == NGX_ERROR || n == 0) {
            goto invalid;
        }

        if (name->data[0] == 'l') {
            ilcf->lease = n;

        } else if (name->data[0] == 'w') {
            ilcf->wait = n;

        } else {
            if (n < NGX_HTTP_SYNC_RETENTION_MIN) {
                goto invalid;
            }

            ilcf->retention = n;
        }

        return NGX_CONF_OK;
    }

    if (ngx_http_sync_named(name, "syntax")) {

        if (ngx_http_sync_named(value, "strict")) {
            ilcf->syntax = SYNC_SFV_STRICT;
            return NGX_CONF_OK;
        }

        if (ngx_http_sync_named(value, "compat")) {
            ilcf->syntax = SYNC_SFV_COMPAT;
            return NGX_CONF_OK;
        }

        goto invalid;
    }

    if (ngx_http_sync_named(name, "fail")) {

        if (ngx_http_sync_named(value, "closed")) {
            ilcf->fail = NGX_HTTP_SYNC_FAIL_CLOSED;
            return NGX_CONF_OK;
        }

        if (ngx_http_sync_named(value, "open")) {
            ilcf->fail = NGX_HTTP_SYNC_FAIL_OPEN;
            return NGX_CONF_OK;
        }

        goto invalid;
    }

    if (ngx_http_sync_named(name, "on_unknown")) {

        if (ngx_http_sync_named(value, "hold")) {
            ilcf->on_unknown = SYNC_UNKNOWN_HOLD;

        } else if (ngx_http_sync_named(value, "resend")) {
            ilcf->on_unknown = SYNC_UNKNOWN_RESEND;

        } else if (ngx_http_sync_named(value, "release")) {
            ilcf->on_unknown = SYNC_UNKNOWN_RELEASE;

        } else if (ngx_http_sync_named(value, "probe")) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"sync_idempotency\": on_unknown=probe is not "
                               "supported by this version; \"hold\", "
                               "\"resend\" and \"release\" are");
            return NGX_CONF_ERROR;

        } else {
            goto invalid;
        }

        return NGX_CONF_OK;
    }

    if (ngx_http_sync_named(name, "name")) {
        ilcf->name = *value;
        return NGX_CONF_OK;
    }

    if (ngx_http_sync_named(name, "cap")
        || ngx_http_sync_named(name, "max_bytes"))
    {
        size = ngx_parse_size(value);

        if (size == NGX_ERROR || size == 0) {
            goto invalid;
        }

        if (name->data[0] == 'c') {
            ilcf->cap = size;

        } else {
            ilcf->max_bytes = size;
        }

        return NGX_CONF_OK;
    }

    if (ngx_http_sync_named(name, "max_keys")) {
        n = ngx_atoi(value->data, value->len);

        if (n == NGX_ERROR || n == 0) {
            goto invalid;
        }

        ilcf->max_keys = n;
        return NGX_CONF_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"sync_idempotency\": unknown parameter \"%V\"; known "
                       "are methods, scope, lease, retention, wait, syntax, "
                       "fail, on_unknown, name, keep, cap, max_keys and "
                       "max_bytes", name);
    return NGX_CONF_ERROR;

invalid:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"sync_idempotency\": \"%V\" is not a value of "
                       "\"%V\"", value, name);
    return NGX_CONF_ERROR;
}


/* methods=POST,PATCH and keep=X-Order-Id,X-Warehouse */

static char *
ngx_http_sync_idempotency_list(ngx_conf_t *cf,
    ngx_http_sync_idempotency_loc_conf_t *ilcf, ngx_str_t *name,
    ngx_str_t *value)
{
    u_char      *p, *last, *comma;
    ngx_str_t    item, *s;
    ngx_uint_t   i;

    static const struct {
        ngx_str_t   name;
        ngx_uint_t  bit;
    } methods[] = {
        { ngx_string("POST"), NGX_HTTP_POST },
        { ngx_string("PATCH"), NGX_HTTP_PATCH },
        { ngx_string("PUT"), NGX_HTTP_PUT },
        { ngx_string("DELETE"), NGX_HTTP_DELETE }
    };

    if (name->data[0] == 'm') {
        ilcf->methods = 0;
    }

    last = value->data + value->len;

    for (p = value->data; p <= last; p = comma + 1) {

        comma = ngx_strlchr(p, last, ',');
        if (comma == NULL) {
            comma = last;
        }

        item.data = p;
        item.len = comma - p;

        if (name->data[0] == 'm') {

            for (i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
                if (item.len == methods[i].name.len
                    && ngx_memcmp(item.data, methods[i].name.data, item.len)
                       == 0)
                {
                    ilcf->methods |= methods[i].bit;
                    break;
                }
            }

            if (i == sizeof(methods) / sizeof(methods[0])) {
                ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                                   "\"sync_idempotency\": \"%V\" is not one "
                                   "of POST, PATCH, PUT and DELETE", &item);
                return NGX_CONF_ERROR;
            }

            continue;
        }

        if (item.len == 0
            || (item.len == sizeof("set-cookie") - 1
                && ngx_strncasecmp(item.data, (u_char *) "set-cookie",
                                   item.len)
                   == 0))
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"sync_idempotency\": keep=\"%V\" is not a "
                               "header that may be kept", &item);
            return NGX_CONF_ERROR;
        }

        if (ilcf->keep == NULL) {
            ilcf->keep = ngx_array_create(cf->pool, 2, sizeof(ngx_str_t));
            if (ilcf->keep == NULL) {
                return NGX_CONF_ERROR;
            }
        }

        s = ngx_array_push(ilcf->keep);
        if (s == NULL) {
            return NGX_CONF_ERROR;
        }

        *s = item;
    }

    return NGX_CONF_OK;
}
