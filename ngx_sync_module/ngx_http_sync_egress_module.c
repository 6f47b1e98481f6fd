
/*
 * Where the gateway itself may go: names and networks, whom it trusts, and
 * what all its fetches share.
 */


#include "ngx_http_sync_egress.h"


#define NGX_HTTP_SYNC_EGRESS_CAS  "/etc/ssl/certs/ca-certificates.crt"
#define NGX_HTTP_SYNC_EGRESS_RESOLVER  30000  /* ms; NGINX' own default */


typedef struct {
    ngx_sync_fetch_conf_t   fetch;
    sync_arena_t            arena;           /* cf->pool */
    ngx_str_t               trusted;         /* file */
    ngx_str_t               needs;           /* a name that must be resolved */
    u_char                 *file;            /* and where it stands */
    ngx_uint_t              line;
    unsigned                used:1;
    unsigned                complete:1;      /* http is read, resolver known */
} ngx_http_sync_egress_conf_t;


static void *ngx_http_sync_egress_alloc(sync_arena_t *arena, size_t size);
static ngx_int_t ngx_http_sync_egress_complete(ngx_conf_t *cf,
    ngx_http_sync_egress_conf_t *ecf);
static void ngx_http_sync_egress_needs(ngx_conf_t *cf,
    ngx_http_sync_egress_conf_t *ecf, ngx_str_t *name);
static ngx_int_t ngx_http_sync_egress_check(ngx_conf_t *cf,
    ngx_http_sync_egress_conf_t *ecf);
static void ngx_http_sync_egress_ended(ngx_sync_fetch_result_e result);
static void *ngx_http_sync_egress_create_conf(ngx_conf_t *cf);
static char *ngx_http_sync_egress(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static ngx_int_t ngx_http_sync_egress_postconfiguration(ngx_conf_t *cf);
static void ngx_http_sync_egress_exit_process(ngx_cycle_t *cycle);


static ngx_command_t  ngx_http_sync_egress_commands[] = {

    { ngx_string("sync_egress"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,
      ngx_http_sync_egress,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("sync_trusted_certificate"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_sync_egress_conf_t, trusted),
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_sync_egress_module_ctx = {
    NULL,                                  /* preconfiguration */
    ngx_http_sync_egress_postconfiguration, /* postconfiguration */

    ngx_http_sync_egress_create_conf,      /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    NULL,                                  /* create location configuration */
    NULL                                   /* merge location configuration */
};


ngx_module_t  ngx_http_sync_egress_module = {
    NGX_MODULE_V1,
    &ngx_http_sync_egress_module_ctx,      /* module context */
    ngx_http_sync_egress_commands,         /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_http_sync_egress_exit_process,     /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


ngx_sync_fetch_conf_t *
ngx_http_sync_fetch_conf(ngx_conf_t *cf)
{
    ngx_http_sync_egress_conf_t  *ecf;

    ecf = ngx_http_conf_get_module_main_conf(cf, ngx_http_sync_egress_module);

    if (!ecf->used) {
        ecf->used = 1;

        if (ecf->complete && ngx_http_sync_egress_complete(cf, ecf) != NGX_OK) {
            return NULL;
        }
    }

    return &ecf->fetch;
}


ngx_uint_t
ngx_http_sync_egress_listed(ngx_conf_t *cf)
{
    return ngx_http_sync_egress_conf(cf)->egress != NULL;
}


ngx_sync_fetch_conf_t *
ngx_http_sync_egress_conf(ngx_conf_t *cf)
{
    ngx_http_sync_egress_conf_t  *ecf;

    ecf = ngx_http_conf_get_module_main_conf(cf, ngx_http_sync_egress_module);

    return &ecf->fetch;
}


char *
ngx_http_sync_fetch_url(ngx_conf_t *cf, ngx_str_t *text)
{
    u_char                       *p;
    ngx_str_t                     host;
    sync_url_t                    url;
    sync_error_t                  err;
    ngx_http_sync_egress_conf_t  *ecf;

    ecf = ngx_http_conf_get_module_main_conf(cf, ngx_http_sync_egress_module);

    if (sync_url_parse(&url, (sync_str_t) { text->len, text->data }, &err)
        != SYNC_OK)
    {
        p = ngx_pnalloc(cf->pool, text->len + SYNC_ERROR_TEXT + 64);
        if (p == NULL) {
            return NGX_CONF_ERROR;
        }

        ngx_sprintf(p, "has the URL \"%V\": %s%Z", text, err.text);

        return (char *) p;
    }

    if (ngx_http_sync_fetch_conf(cf) == NULL) {
        return NGX_CONF_ERROR;
    }

    if (!url.literal) {
        host.len = url.host.len;
        host.data = url.host.data;

        ngx_http_sync_egress_needs(cf, ecf, &host);

        if (ecf->complete && ngx_http_sync_egress_check(cf, ecf) != NGX_OK) {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


static void
ngx_http_sync_egress_needs(ngx_conf_t *cf, ngx_http_sync_egress_conf_t *ecf,
    ngx_str_t *name)
{
    if (ecf->needs.len) {
        return;
    }

    ecf->needs = *name;

    if (cf->conf_file) {
        ecf->file = cf->conf_file->file.name.data;
        ecf->line = cf->conf_file->line;
    }
}


/* Where http has no resolver, its dummy has no connections. */

static ngx_int_t
ngx_http_sync_egress_check(ngx_conf_t *cf, ngx_http_sync_egress_conf_t *ecf)
{
    if (ecf->needs.len == 0 || ecf->fetch.resolver) {
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                  "the name \"%V\" needs a resolver; add \"resolver "
                  "ADDRESS;\" to http, in %s:%ui",
                  &ecf->needs, ecf->file, ecf->line);

    return NGX_ERROR;
}


static ngx_int_t
ngx_http_sync_egress_complete(ngx_conf_t *cf, ngx_http_sync_egress_conf_t *ecf)
{
    ngx_ssl_t  *ssl;
    ngx_str_t   file;

    ssl = ngx_sync_tls_create(cf);
    if (ssl == NULL) {
        return NGX_ERROR;
    }

    file = ecf->trusted;

    if (file.len == 0) {
        ngx_str_set(&file, NGX_HTTP_SYNC_EGRESS_CAS);
    }

    if (ngx_ssl_trusted_certificate(cf, ssl, &file, NGX_SYNC_TLS_DEPTH)
        != NGX_OK)
    {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "whom to trust is not known; \"sync_trusted_certificate "
                      "FILE;\" in http names a file of certificates in PEM");
        return NGX_ERROR;
    }

    ecf->fetch.ssl = ssl;

    return NGX_OK;
}


static void *
ngx_http_sync_egress_create_conf(ngx_conf_t *cf)
{
    ngx_http_sync_egress_conf_t  *ecf;

    ecf = ngx_pcalloc(cf->pool, sizeof(ngx_http_sync_egress_conf_t));
    if (ecf == NULL) {
        return NULL;
    }

    ecf->arena.alloc = ngx_http_sync_egress_alloc;
    ecf->arena.data = cf->pool;

    ecf->fetch.ended = ngx_http_sync_egress_ended;

    return ecf;
}


static void *
ngx_http_sync_egress_alloc(sync_arena_t *arena, size_t size)
{
    return ngx_palloc(arena->data, size);
}


static void
ngx_http_sync_egress_ended(ngx_sync_fetch_result_e result)
{
    ngx_http_sync_event(NGX_HTTP_SYNC_EVENT_FETCH + result);
}


/* sync_egress NAME[:PORT] | *.NAME[:PORT] | NETWORK ... */

static char *
ngx_http_sync_egress(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_sync_egress_conf_t *ecf = conf;

    ngx_str_t     *value;
    ngx_uint_t     i;
    sync_rc_t      rc;
    sync_error_t   err;

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        rc = sync_egress_add(&ecf->fetch.egress, &ecf->arena,
                             (sync_str_t) { value[i].len, value[i].data },
                             &err);

        if (rc == SYNC_NO) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"sync_egress\" cannot list \"%V\": %s",
                               &value[i], err.text);
            return NGX_CONF_ERROR;
        }

        if (rc != SYNC_OK) {
            return NGX_CONF_ERROR;
        }

        if (sync_egress_named(ecf->fetch.egress)) {
            ngx_http_sync_egress_needs(cf, ecf, &value[i]);
        }
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_sync_egress_postconfiguration(ngx_conf_t *cf)
{
    ngx_http_core_loc_conf_t     *clcf;
    ngx_http_sync_egress_conf_t  *ecf;

    ecf = ngx_http_conf_get_module_main_conf(cf, ngx_http_sync_egress_module);
    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->resolver && clcf->resolver->connections.nelts) {
        ecf->fetch.resolver = clcf->resolver;
    }

    /* merged into servers, not into http itself */

    ecf->fetch.resolver_timeout =
        clcf->resolver_timeout == NGX_CONF_UNSET_MSEC
        ? NGX_HTTP_SYNC_EGRESS_RESOLVER : clcf->resolver_timeout;

    ecf->complete = 1;

    if (ngx_http_sync_egress_check(cf, ecf) != NGX_OK) {
        return NGX_ERROR;
    }

    /* a file that cannot be read is found where it is written */

    if (!ecf->used && ecf->trusted.len == 0) {
        return NGX_OK;
    }

    ecf->used = 1;

    return ngx_http_sync_egress_complete(cf, ecf);
}


static void
ngx_http_sync_egress_exit_process(ngx_cycle_t *cycle)
{
    ngx_sync_fetch_exit();
}
