/*
 * The canary of the sanitizer build: each location below does on purpose what
 * the suite must never see, so that t/asan/canary.t proves that a report would
 * reach the harness.  Part of no other build.
 *
 *     sync_canary after_free;   a pool's memory, read after the pool
 *     sync_canary beyond;       one byte past what was asked for
 *     sync_canary overflow;     a signed integer
 *     sync_canary leak;         memory nobody points to
 */

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


typedef struct {
    ngx_uint_t  kind;
} ngx_http_sync_canary_loc_conf_t;


enum {
    CANARY_AFTER_FREE = 0,
    CANARY_BEYOND,
    CANARY_OVERFLOW,
    CANARY_LEAK
};


static ngx_int_t ngx_http_sync_canary_handler(ngx_http_request_t *r);
static void *ngx_http_sync_canary_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_sync_canary(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


static ngx_conf_enum_t  ngx_http_sync_canary_kinds[] = {
    { ngx_string("after_free"), CANARY_AFTER_FREE },
    { ngx_string("beyond"), CANARY_BEYOND },
    { ngx_string("overflow"), CANARY_OVERFLOW },
    { ngx_string("leak"), CANARY_LEAK },
    { ngx_null_string, 0 }
};


static ngx_command_t  ngx_http_sync_canary_commands[] = {

    { ngx_string("sync_canary"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_sync_canary,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_sync_canary_loc_conf_t, kind),
      ngx_http_sync_canary_kinds },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_sync_canary_module_ctx = {
    NULL,                                  /* preconfiguration */
    NULL,                                  /* postconfiguration */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_sync_canary_create_loc_conf,  /* create location configuration */
    NULL                                   /* merge location configuration */
};


ngx_module_t  ngx_http_sync_canary_module = {
    NGX_MODULE_V1,
    &ngx_http_sync_canary_module_ctx,      /* module context */
    ngx_http_sync_canary_commands,         /* module directives */
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


static ngx_int_t
ngx_http_sync_canary_handler(ngx_http_request_t *r)
{
    u_char                           *p;
    volatile int                      n;
    volatile u_char                   c;
    ngx_pool_t                       *pool;
    ngx_http_sync_canary_loc_conf_t  *clcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_sync_canary_module);

    n = 0;

    switch (clcf->kind) {

    case CANARY_AFTER_FREE:

        pool = ngx_create_pool(NGX_DEFAULT_POOL_SIZE, r->connection->log);
        if (pool == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        p = ngx_pcalloc(pool, 64);
        if (p == NULL) {
            ngx_destroy_pool(pool);
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        ngx_destroy_pool(pool);

        c = p[8];
        n = c;
        break;

    case CANARY_BEYOND:

        p = ngx_pcalloc(r->pool, 64);
        if (p == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        c = p[64];
        n = c;
        break;

    case CANARY_OVERFLOW:

        n = INT_MAX;
        n = n + 1;
        break;

    default: /* CANARY_LEAK */

        p = ngx_alloc(4321, r->connection->log);
        if (p == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        c = p == NULL;
        n = c;
        break;
    }

    return n == 1 ? NGX_HTTP_NOT_FOUND : NGX_HTTP_FORBIDDEN;
}


static void *
ngx_http_sync_canary_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_sync_canary_loc_conf_t  *conf;

    conf = ngx_palloc(cf->pool, sizeof(ngx_http_sync_canary_loc_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    conf->kind = NGX_CONF_UNSET_UINT;

    return conf;
}


static char *
ngx_http_sync_canary(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_http_sync_canary_handler;

    return ngx_conf_set_enum_slot(cf, cmd, conf);
}
