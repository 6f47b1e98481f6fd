
/*
 * sync_public_url: what stands between the client and us.
 */


#include "ngx_http_sync_edge.h"
#include "sync_uri.h"


typedef struct {
    ngx_http_complex_value_t  *url;          /* NULL: none */
} ngx_http_sync_edge_loc_conf_t;


static void *ngx_http_sync_edge_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_sync_edge_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);
static char *ngx_http_sync_edge_url(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static ngx_int_t ngx_http_sync_edge_url_check(ngx_conf_t *cf,
    ngx_str_t *text);


static ngx_command_t  ngx_http_sync_edge_commands[] = {

    { ngx_string("sync_public_url"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_sync_edge_url,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_sync_edge_module_ctx = {
    NULL,                                  /* preconfiguration */
    NULL,                                  /* postconfiguration */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_sync_edge_create_loc_conf,    /* create location configuration */
    ngx_http_sync_edge_merge_loc_conf      /* merge location configuration */
};


ngx_module_t  ngx_http_sync_edge_module = {
    NGX_MODULE_V1,
    &ngx_http_sync_edge_module_ctx,        /* module context */
    ngx_http_sync_edge_commands,           /* module directives */
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


ngx_int_t
ngx_http_sync_public_url(ngx_http_request_t *r, const ngx_str_t *path,
    ngx_str_t *url)
{
    u_char                         *p;
    sync_rc_t                       rc;
    ngx_str_t                       base, uri;
    sync_str_t                      text, normal;
    sync_error_t                    err;
    ngx_http_sync_ctx_t            *ctx;
    ngx_http_sync_edge_loc_conf_t  *elcf;

    elcf = ngx_http_get_module_loc_conf(r, ngx_http_sync_edge_module);

    if (elcf->url == NULL) {
        return NGX_DECLINED;
    }

    ctx = ngx_http_sync_get_ctx(r);

    if (ctx == NULL) {
        ctx = ngx_http_sync_create_ctx(r);
    }

    if (ctx == NULL || ngx_http_complex_value(r, elcf->url, &base) != NGX_OK) {
        return NGX_ERROR;
    }

    uri = path != NULL ? *path : r->unparsed_uri;

    if (base.len && base.data[base.len - 1] == '/') {
        base.len--;
    }

    text.data = ngx_pnalloc(r->pool, base.len + uri.len);
    if (text.data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(text.data, base.data, base.len);
    p = ngx_cpymem(p, uri.data, uri.len);
    text.len = p - text.data;

    rc = sync_uri_normal(&normal, &ctx->arena, text, &err);

    if (rc == SYNC_FAULT) {
        return NGX_ERROR;
    }

    if (rc != SYNC_OK) {
        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                      "edge: sync_public_url gives no URL here, %s", err.text);
        return NGX_DECLINED;
    }

    url->len = normal.len;
    url->data = normal.data;

    return NGX_OK;
}


ngx_uint_t
ngx_http_sync_public_url_at(ngx_http_conf_ctx_t *ctx)
{
    ngx_http_sync_edge_loc_conf_t  *elcf;

    elcf = ctx->loc_conf[ngx_http_sync_edge_module.ctx_index];

    return elcf->url != NULL;
}


static void *
ngx_http_sync_edge_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_sync_edge_loc_conf_t  *elcf;

    elcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_sync_edge_loc_conf_t));
    if (elcf == NULL) {
        return NULL;
    }

    elcf->url = NGX_CONF_UNSET_PTR;

    return elcf;
}


static char *
ngx_http_sync_edge_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_sync_edge_loc_conf_t  *prev = parent;
    ngx_http_sync_edge_loc_conf_t  *conf = child;

    ngx_conf_merge_ptr_value(conf->url, prev->url, NULL);

    return NGX_CONF_OK;
}


/* sync_public_url off | URL */

static char *
ngx_http_sync_edge_url(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_sync_edge_loc_conf_t  *elcf = conf;

    ngx_str_t                         *value;
    ngx_http_compile_complex_value_t   ccv;

    if (elcf->url != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0) {
        elcf->url = NULL;
        return NGX_CONF_OK;
    }

    if (ngx_http_script_variables_count(&value[1]) == 0
        && ngx_http_sync_edge_url_check(cf, &value[1]) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    elcf->url = ngx_palloc(cf->pool, sizeof(ngx_http_complex_value_t));
    if (elcf->url == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = &value[1];
    ccv.complex_value = elcf->url;

    if (ngx_http_compile_complex_value(&ccv) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_sync_edge_url_check(ngx_conf_t *cf, ngx_str_t *text)
{
    sync_rc_t      rc;
    sync_str_t     url, normal;
    sync_error_t   err;
    sync_arena_t  *arena;

    arena = sync_arena_create(4096);
    if (arena == NULL) {
        return NGX_ERROR;
    }

    url.len = text->len;
    url.data = text->data;

    rc = sync_uri_normal(&normal, arena, url, &err);

    if (rc == SYNC_OK
        && ngx_strlchr(text->data, text->data + text->len, '?') != NULL)
    {
        rc = sync_refuse(&err, "uri", SYNC_NOWHERE, "it has no query");
    }

    sync_arena_destroy(arena);

    if (rc == SYNC_NO) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid \"sync_public_url %V\": %s; "
                           "\"https://api.example\" is a URL", text, err.text);
    }

    return rc == SYNC_OK ? NGX_OK : NGX_ERROR;
}
