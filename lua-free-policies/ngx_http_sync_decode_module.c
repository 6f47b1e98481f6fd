
/*
 * Decode: a request's body that comes compressed, bounded in what comes out
 * of it.  From here on it is as if it had come plain: for the print of a key,
 * for maps, and for upstream.
 */


#include "ngx_http_sync.h"
#include "sync_inflate.h"


#define NGX_HTTP_SYNC_DECODE_MAX    (16 * 1024 * 1024)   /* bytes */
#define NGX_HTTP_SYNC_DECODE_RATIO  100
#define NGX_HTTP_SYNC_DECODE_MOST   1032     /* no deflate stream has more */


typedef struct {
    ngx_uint_t  on;
    size_t      max;
    ngx_uint_t  ratio;
} ngx_http_sync_decode_loc_conf_t;


static ngx_uint_t ngx_http_sync_decode_enabled(ngx_http_request_t *r);
static ngx_int_t ngx_http_sync_decode_run(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);
static ngx_int_t ngx_http_sync_decode_body(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, ngx_http_sync_decode_loc_conf_t *dlcf);
static ngx_uint_t ngx_http_sync_decode_is(ngx_str_t *value, const char *name);
static ngx_int_t ngx_http_sync_decode_refuse(ngx_http_sync_ctx_t *ctx,
    sync_error_t *err);

static void *ngx_http_sync_decode_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_sync_decode_merge_loc_conf(ngx_conf_t *cf,
    void *parent, void *child);
static char *ngx_http_sync_decode(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


static const ngx_http_sync_step_t  ngx_http_sync_decode_step = {
    "decode",
    NGX_HTTP_SYNC_STAGE_PRECONTENT,
    NGX_HTTP_SYNC_STEP_DECODE,
    ngx_http_sync_decode_enabled,
    0,
    ngx_http_sync_decode_run,
    NULL,
    NULL,
    NULL
};


static ngx_str_t  ngx_http_sync_decode_header =
                                           ngx_string("content-encoding");


static ngx_command_t  ngx_http_sync_decode_commands[] = {

    { ngx_string("sync_decode"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE123,
      ngx_http_sync_decode,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_sync_decode_module_ctx = {
    NULL,                                  /* preconfiguration */
    NULL,                                  /* postconfiguration */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_sync_decode_create_loc_conf,  /* create location configuration */
    ngx_http_sync_decode_merge_loc_conf    /* merge location configuration */
};


ngx_module_t  ngx_http_sync_decode_module = {
    NGX_MODULE_V1,
    &ngx_http_sync_decode_module_ctx,      /* module context */
    ngx_http_sync_decode_commands,         /* module directives */
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


static ngx_uint_t
ngx_http_sync_decode_enabled(ngx_http_request_t *r)
{
    ngx_http_sync_decode_loc_conf_t  *dlcf;

    dlcf = ngx_http_get_module_loc_conf(r, ngx_http_sync_decode_module);

    return dlcf->on;
}


static ngx_int_t
ngx_http_sync_decode_run(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx)
{
    ngx_int_t                         rc;
    ngx_uint_t                        lines;
    ngx_table_elt_t                  *h;
    ngx_http_sync_decode_loc_conf_t  *dlcf;

    static ngx_str_t  accept = ngx_string("Accept-Encoding");
    static ngx_str_t  gzip = ngx_string("gzip");

    h = ngx_http_sync_header_in(r, &ngx_http_sync_decode_header, &lines);

    if (h == NULL
        || (lines == 1 && ngx_http_sync_decode_is(&h->value, "identity")))
    {
        return NGX_DECLINED;
    }

    if (lines > 1
        || !(ngx_http_sync_decode_is(&h->value, "gzip")
             || ngx_http_sync_decode_is(&h->value, "x-gzip")))
    {
        /* RFC 9110, section 12.5.3: what would be taken */

        if (ngx_http_sync_add_header(r, &accept, &gzip) != NGX_OK) {
            return NGX_ERROR;
        }

        return ngx_http_sync_problem(ctx, NGX_HTTP_UNSUPPORTED_MEDIA_TYPE,
                                     "unsupported-media-type", NULL,
                                     NGX_HTTP_SYNC_BUSINESS,
                                     "Content-Encoding \"%V\" is not "
                                     "supported, one gzip is", &h->value);
    }

    rc = ngx_http_sync_read_body(r, ctx);
    if (rc != NGX_OK) {
        return rc;
    }

    if (ctx->payload.body.len == 0) {
        return NGX_DECLINED;
    }

    dlcf = ngx_http_get_module_loc_conf(r, ngx_http_sync_decode_module);

    return ngx_http_sync_decode_body(r, ctx, dlcf);
}


static ngx_int_t
ngx_http_sync_decode_body(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_decode_loc_conf_t *dlcf)
{
    u_char        *p;
    size_t         size;
    sync_rc_t      rc;
    ngx_str_t      body;
    sync_str_t     text;
    sync_error_t   err;

    text.data = ctx->payload.body.data;
    text.len = ctx->payload.body.len;

    rc = sync_gunzip_size(text, dlcf->max, dlcf->ratio, &size, &err);

    if (rc == SYNC_NO) {
        return ngx_http_sync_decode_refuse(ctx, &err);
    }

    if (rc != SYNC_OK) {
        return NGX_ERROR;
    }

    /* twice: the body and its tape, as of one that came plain */

    if (ngx_http_sync_charge(ctx, 2 * size) != NGX_OK) {
        return ngx_http_sync_problem(ctx, NGX_HTTP_SERVICE_UNAVAILABLE,
                                     "buffers-exhausted",
                                     "No memory for the body now",
                                     NGX_HTTP_SYNC_TECHNICAL,
                                     "sync_buffers of this worker are in use");
    }

    p = ngx_pnalloc(r->pool, size + 1);
    if (p == NULL || sync_gunzip(text, p, size) != SYNC_OK) {
        return NGX_ERROR;
    }

    body.data = p;
    body.len = size;

    ctx->payload.body = body;

    ngx_http_sync_trace(ctx, "decode", "%uz bytes from %uz", size, text.len);

    if (ngx_http_sync_set_header_in(r, &ngx_http_sync_decode_header, NULL)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_sync_replace_body(r, &body, NULL);
}


static ngx_uint_t
ngx_http_sync_decode_is(ngx_str_t *value, const char *name)
{
    return value->len == ngx_strlen(name)
           && ngx_strncasecmp(value->data, (u_char *) name, value->len) == 0;
}


static ngx_int_t
ngx_http_sync_decode_refuse(ngx_http_sync_ctx_t *ctx, sync_error_t *err)
{
    if (ngx_strcmp(err->what, "syntax") == 0) {
        return ngx_http_sync_problem(ctx, NGX_HTTP_BAD_REQUEST,
                                     "invalid-encoding",
                                     "The body cannot be decoded",
                                     NGX_HTTP_SYNC_BUSINESS,
                                     "at byte %uz: %s", err->offset,
                                     err->text);
    }

    return ngx_http_sync_problem(ctx, NGX_HTTP_REQUEST_ENTITY_TOO_LARGE,
                                 "decoded-too-large",
                                 "The decoded body is too large",
                                 NGX_HTTP_SYNC_BUSINESS,
                                 "at byte %uz: %s", err->offset, err->text);
}


static void *
ngx_http_sync_decode_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_sync_decode_loc_conf_t  *dlcf;

    dlcf = ngx_palloc(cf->pool, sizeof(ngx_http_sync_decode_loc_conf_t));
    if (dlcf == NULL) {
        return NULL;
    }

    dlcf->on = NGX_CONF_UNSET_UINT;
    dlcf->max = NGX_HTTP_SYNC_DECODE_MAX;
    dlcf->ratio = NGX_HTTP_SYNC_DECODE_RATIO;

    return dlcf;
}


static char *
ngx_http_sync_decode_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_sync_decode_loc_conf_t  *prev = parent;
    ngx_http_sync_decode_loc_conf_t  *conf = child;

    if (conf->on == NGX_CONF_UNSET_UINT) {
        *conf = *prev;
    }

    if (conf->on == NGX_CONF_UNSET_UINT) {
        conf->on = 0;
    }

    if (conf->on && ngx_http_sync_use(cf, &ngx_http_sync_decode_step) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* sync_decode off | gzip [max=SIZE] [ratio=N] */

static char *
ngx_http_sync_decode(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_sync_decode_loc_conf_t  *dlcf = conf;

    ssize_t      size;
    ngx_int_t    n;
    ngx_str_t   *value, s;
    ngx_uint_t   i, max, ratio;

    if (dlcf->on != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0) {

        if (cf->args->nelts > 2) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"sync_decode off\" takes no parameters");
            return NGX_CONF_ERROR;
        }

        dlcf->on = 0;

        return NGX_CONF_OK;
    }

    if (ngx_strcmp(value[1].data, "gzip") != 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"sync_decode\": \"%V\" is not one of \"off\" and "
                           "\"gzip\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    dlcf->on = 1;
    max = 0;
    ratio = 0;

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "max=", 4) == 0) {
            s.len = value[i].len - 4;
            s.data = value[i].data + 4;
            size = ngx_parse_size(&s);

            if (max++ || size < 1) {
                ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                                   "\"sync_decode\": \"%V\" is not one size "
                                   "like \"max=16m\"", &value[i]);
                return NGX_CONF_ERROR;
            }

            dlcf->max = size;
            continue;
        }

        if (ngx_strncmp(value[i].data, "ratio=", 6) == 0) {
            n = ngx_atoi(value[i].data + 6, value[i].len - 6);

            if (ratio++ || n < 1 || n > NGX_HTTP_SYNC_DECODE_MOST) {
                ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                                   "\"sync_decode\": \"%V\" is not one ratio "
                                   "from 1 to %d, like \"ratio=100\"",
                                   &value[i], NGX_HTTP_SYNC_DECODE_MOST);
                return NGX_CONF_ERROR;
            }

            dlcf->ratio = n;
            continue;
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"sync_decode\": unknown parameter \"%V\"; "
                           "\"max=SIZE\" and \"ratio=N\" are known", &value[i]);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}
