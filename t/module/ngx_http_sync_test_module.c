
#include "ngx_http_sync_test.h"
#include "ngx_http_sync_flight.h"


static char *ngx_http_sync_test_store(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_sync_test_fault(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_sync_test_crash(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_sync_test_flight(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_sync_test_fetch(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static ngx_int_t ngx_http_sync_test_preconfiguration(ngx_conf_t *cf);
static void *ngx_http_sync_test_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_sync_test_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);


static ngx_command_t  ngx_http_sync_test_commands[] = {

    { ngx_string("sync_test_store"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS|NGX_CONF_TAKE1,
      ngx_http_sync_test_store,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("sync_test_fault"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_sync_test_fault,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("sync_test_crash"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_sync_test_crash,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("sync_test_again"),
      NGX_HTTP_LOC_CONF|NGX_CONF_2MORE,
      ngx_http_sync_test_again,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("sync_test_flight"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_sync_test_flight,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("sync_test_fetch"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS|NGX_CONF_TAKE1,
      ngx_http_sync_test_fetch,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_sync_test_module_ctx = {
    ngx_http_sync_test_preconfiguration,   /* preconfiguration */
    NULL,                                  /* postconfiguration */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_sync_test_create_loc_conf,    /* create location configuration */
    ngx_http_sync_test_merge_loc_conf      /* merge location configuration */
};


ngx_module_t  ngx_http_sync_test_module = {
    NGX_MODULE_V1,
    &ngx_http_sync_test_module_ctx,        /* module context */
    ngx_http_sync_test_commands,           /* module directives */
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


ngx_str_t
ngx_http_sync_test_arg(ngx_http_request_t *r, const char *name)
{
    ngx_str_t  value;

    if (ngx_http_arg(r, (u_char *) name, ngx_strlen(name), &value) != NGX_OK) {
        ngx_str_null(&value);
    }

    return value;
}


ngx_int_t
ngx_http_sync_test_int(ngx_http_request_t *r, const char *name,
    ngx_int_t otherwise)
{
    ngx_str_t  value;

    value = ngx_http_sync_test_arg(r, name);

    return value.len ? ngx_atoi(value.data, value.len) : otherwise;
}


ngx_int_t
ngx_http_sync_test_send(ngx_http_request_t *r, ngx_buf_t *b)
{
    ngx_int_t    rc;
    ngx_chain_t  out;

    ngx_str_set(&r->headers_out.content_type, "application/json");
    r->headers_out.content_type_len = r->headers_out.content_type.len;

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = b->last - b->pos;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    b->last_buf = 1;

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}


static char *
ngx_http_sync_test_store(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_sync_test_loc_conf_t  *tlcf = conf;

    ngx_str_t                 *value;
    ngx_http_core_loc_conf_t  *clcf;

    value = cf->args->elts;

    if (cf->args->nelts == 2) {
        if (ngx_strcmp(value[1].data, "local") != 0) {
            return "takes \"local\" or nothing";
        }

        tlcf->local = 1;
    }

    tlcf->run = 1;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_http_sync_test_op_handler;

    return NGX_CONF_OK;
}


static char *
ngx_http_sync_test_fault(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_http_sync_test_fault_handler;

    return NGX_CONF_OK;
}


static char *
ngx_http_sync_test_crash(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_http_sync_test_crash_handler;

    return NGX_CONF_OK;
}


static char *
ngx_http_sync_test_flight(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_sync_test_loc_conf_t  *tlcf = conf;

    ngx_http_core_loc_conf_t  *clcf;

    tlcf->flight = 1;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_http_sync_test_flight_handler;

    return NGX_CONF_OK;
}


/* sync_test_fetch [URL]: of the configuration, checked at load */

static char *
ngx_http_sync_test_fetch(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_sync_test_loc_conf_t  *tlcf = conf;

    ngx_str_t                 *value;
    ngx_http_core_loc_conf_t  *clcf;

    value = cf->args->elts;

    tlcf->fetch = ngx_http_sync_fetch_conf(cf);
    if (tlcf->fetch == NULL) {
        return NGX_CONF_ERROR;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_http_sync_test_fetch_handler;

    return cf->args->nelts == 2 ? ngx_http_sync_fetch_url(cf, &value[1])
                                : NGX_CONF_OK;
}


static ngx_int_t
ngx_http_sync_test_preconfiguration(ngx_conf_t *cf)
{
    if (ngx_http_sync_test_fault_init(cf) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_sync_store_register_type(cf, &ngx_http_sync_test_type);
}


static void *
ngx_http_sync_test_create_loc_conf(ngx_conf_t *cf)
{
    return ngx_pcalloc(cf->pool, sizeof(ngx_http_sync_test_loc_conf_t));
}


static char *
ngx_http_sync_test_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_sync_test_loc_conf_t  *tlcf = child;

    ngx_uint_t  kind;

    tlcf->shm = ngx_sync_shm_conf(cf);

    if (tlcf->flight && ngx_http_sync_flight_use(cf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (!tlcf->run) {
        return NGX_CONF_OK;
    }

    for (kind = 0; kind < NGX_SYNC_SHM_ZONES; kind++) {
        tlcf->stores[kind] = tlcf->local ? ngx_sync_store_local(cf, kind)
                                         : ngx_sync_store_get(cf, kind);
        if (tlcf->stores[kind] == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}
