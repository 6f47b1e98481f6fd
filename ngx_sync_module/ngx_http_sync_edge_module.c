
/*
 * sync_public_url, sync_client_certificate: what stands between the client and
 * us.
 *
 * A header that names a certificate is worth what he is worth who has sent it:
 * it counts from the addresses of our own proxies alone, and from them the
 * certificate of the connection is their own.
 */


#include "ngx_http_sync_edge.h"
#include "sync_uri.h"


typedef struct {
    ngx_http_complex_value_t  *url;          /* NULL: none */
    ngx_uint_t                 certificate;  /* sync_client_certificate */
    ngx_uint_t                 tls;          /* of the connection */
    ngx_uint_t                 verified;     /* by the proxies, all of them */
    ngx_str_t                  header;       /* of a proxy, lower case */
    ngx_str_t                  verdict;      /* another: was it verified? */
    ngx_array_t                from;         /* of ngx_cidr_t: the proxies */
} ngx_http_sync_edge_loc_conf_t;


/* The certificate of a request, by the configuration of one location. */

typedef struct {
    ngx_http_sync_edge_loc_conf_t  *conf;
    ngx_int_t                       rc;
    ngx_uint_t                      proxy;   /* has shown it */
    sync_str_t                      der;
    u_char                          print[SYNC_CERT_PRINT_LEN];
    ngx_int_t                       named;   /* NGX_CONF_UNSET: not yet */
    sync_str_t                     *names;
    size_t                          n;
} ngx_http_sync_edge_shown_t;


static ngx_http_sync_edge_shown_t *ngx_http_sync_edge_shown(
    ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx);
static ngx_int_t ngx_http_sync_edge_read(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, ngx_http_sync_edge_shown_t *shown);
static ngx_int_t ngx_http_sync_edge_names(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, ngx_http_sync_edge_shown_t *shown);
static ngx_int_t ngx_http_sync_edge_verified(ngx_http_request_t *r,
    ngx_http_sync_edge_shown_t *shown);
static ngx_int_t ngx_http_sync_edge_proxy(ngx_http_request_t *r,
    ngx_http_sync_edge_loc_conf_t *elcf);
static ngx_int_t ngx_http_sync_edge_tls(ngx_http_request_t *r,
    ngx_str_t *name, ngx_str_t *value);
static void *ngx_http_sync_edge_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_sync_edge_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);
static char *ngx_http_sync_edge_url(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static ngx_int_t ngx_http_sync_edge_url_check(ngx_conf_t *cf,
    ngx_str_t *text);
static char *ngx_http_sync_edge_certificate(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
static ngx_int_t ngx_http_sync_edge_header(ngx_str_t *header,
    ngx_str_t *value, size_t skip);
static ngx_int_t ngx_http_sync_edge_from(ngx_conf_t *cf, ngx_array_t *from,
    ngx_str_t *value);


static ngx_command_t  ngx_http_sync_edge_commands[] = {

    { ngx_string("sync_public_url"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_sync_edge_url,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("sync_client_certificate"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_sync_edge_certificate,
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


ngx_int_t
ngx_http_sync_client_certificate(ngx_http_request_t *r,
    u_char print[SYNC_CERT_PRINT_LEN])
{
    ngx_http_sync_ctx_t            *ctx;
    ngx_http_sync_edge_shown_t     *shown;
    ngx_http_sync_edge_loc_conf_t  *elcf;

    elcf = ngx_http_get_module_loc_conf(r, ngx_http_sync_edge_module);
    ctx = ngx_http_sync_get_ctx(r);

    if (elcf->certificate != 1 || ctx == NULL) {
        return NGX_DECLINED;
    }

    shown = ngx_http_sync_edge_shown(r, ctx);

    if (shown == NULL) {
        return NGX_ERROR;
    }

    if (shown->rc == NGX_OK) {
        ngx_memcpy(print, shown->print, SYNC_CERT_PRINT_LEN);
    }

    return shown->rc;
}


ngx_int_t
ngx_http_sync_client_names(ngx_http_request_t *r, const sync_str_t **names,
    ngx_uint_t *n)
{
    ngx_http_sync_ctx_t            *ctx;
    ngx_http_sync_edge_shown_t     *shown;
    ngx_http_sync_edge_loc_conf_t  *elcf;

    elcf = ngx_http_get_module_loc_conf(r, ngx_http_sync_edge_module);
    ctx = ngx_http_sync_get_ctx(r);

    if (elcf->certificate != 1 || ctx == NULL) {
        return NGX_DECLINED;
    }

    shown = ngx_http_sync_edge_shown(r, ctx);

    if (shown == NULL) {
        return NGX_ERROR;
    }

    if (shown->rc == NGX_OK && shown->named == NGX_CONF_UNSET) {
        shown->named = ngx_http_sync_edge_names(r, ctx, shown);
    }

    if (shown->rc == NGX_OK && shown->named != NGX_OK) {
        return NGX_ERROR;
    }

    *names = shown->names;
    *n = shown->n;

    return shown->rc;
}


/* Read once for all who ask; another location may read it from elsewhere. */

static ngx_http_sync_edge_shown_t *
ngx_http_sync_edge_shown(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx)
{
    ngx_http_sync_edge_shown_t     *shown;
    ngx_http_sync_edge_loc_conf_t  *elcf;

    elcf = ngx_http_get_module_loc_conf(r, ngx_http_sync_edge_module);
    shown = ctx->certificate;

    if (shown != NULL && shown->conf == elcf) {
        return shown;
    }

    if (shown == NULL) {
        shown = ngx_palloc(ctx->request->pool,
                           sizeof(ngx_http_sync_edge_shown_t));
        if (shown == NULL) {
            return NULL;
        }

        ctx->certificate = shown;
    }

    ngx_memzero(shown, sizeof(ngx_http_sync_edge_shown_t));

    shown->conf = elcf;
    shown->named = NGX_CONF_UNSET;
    shown->rc = ngx_http_sync_edge_read(r, ctx, shown);

    return shown;
}


static ngx_int_t
ngx_http_sync_edge_read(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_edge_shown_t *shown)
{
    sync_rc_t                       rc;
    ngx_int_t                       trusted;
    ngx_str_t                       text;
    ngx_uint_t                      lines;
    sync_str_t                      s;
    sync_error_t                    err;
    ngx_table_elt_t                *h;
    ngx_http_sync_edge_loc_conf_t  *elcf;

    static ngx_str_t  name = ngx_string("ssl_client_raw_cert");

    elcf = shown->conf;

    trusted = ngx_http_sync_edge_proxy(r, elcf);

    if (trusted == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (trusted == NGX_OK) {
        h = ngx_http_sync_header_in(r, &elcf->header, &lines);

        if (h == NULL) {
            return NGX_DECLINED;
        }

        if (lines != 1) {
            ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                          "edge: more than one certificate in \"%V\"",
                          &elcf->header);
            return NGX_ABORT;
        }

        text = h->value;
        shown->proxy = 1;

    } else if (!elcf->tls || ngx_http_sync_edge_tls(r, &name, &text) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    if (text.len == 0) {
        return NGX_DECLINED;
    }

    s.len = text.len;
    s.data = text.data;

    rc = sync_cert_der(s, &ctx->arena, &shown->der, &err);

    if (rc == SYNC_FAULT) {
        return NGX_ERROR;
    }

    if (rc != SYNC_OK) {
        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                      "edge: a certificate that is none, %s", err.text);
        return NGX_ABORT;
    }

    sync_cert_print(shown->der, shown->print);

    return NGX_OK;
}


/*
 * Who has issued himself a certificate calls himself what he likes: unless its
 * chain was verified, it has no names.
 */

static ngx_int_t
ngx_http_sync_edge_names(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_edge_shown_t *shown)
{
    sync_rc_t     rc;
    ngx_int_t     verified;
    sync_str_t    names[SYNC_CERT_NAMES];
    sync_error_t  err;

    verified = ngx_http_sync_edge_verified(r, shown);

    if (verified != NGX_OK) {

        if (verified == NGX_DECLINED) {
            ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                          "edge: a certificate that was not verified counts "
                          "by its SHA-256 alone");
        }

        return verified == NGX_DECLINED ? NGX_OK : verified;
    }

    rc = sync_cert_names(shown->der, &ctx->arena, names, &shown->n, &err);

    if (rc == SYNC_NO) {
        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                      "edge: a certificate without names, %s", err.text);
        shown->n = 0;
    }

    if (rc == SYNC_FAULT) {
        return NGX_ERROR;
    }

    if (shown->n == 0) {
        return NGX_OK;
    }

    shown->names = ngx_palloc(ctx->request->pool,
                              shown->n * sizeof(sync_str_t));
    if (shown->names == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(shown->names, names, shown->n * sizeof(sync_str_t));

    return NGX_OK;
}


/* NGX_OK, NGX_DECLINED, NGX_ERROR. */

static ngx_int_t
ngx_http_sync_edge_verified(ngx_http_request_t *r,
    ngx_http_sync_edge_shown_t *shown)
{
    ngx_str_t                       text;
    ngx_uint_t                      lines;
    ngx_table_elt_t                *h;
    ngx_http_sync_edge_loc_conf_t  *elcf;

    static ngx_str_t  name = ngx_string("ssl_client_verify");

    elcf = shown->conf;

    if (!shown->proxy) {

        if (ngx_http_sync_edge_tls(r, &name, &text) != NGX_OK) {
            return NGX_DECLINED;
        }

    } else if (elcf->verified) {
        return NGX_OK;

    } else if (elcf->verdict.len) {
        h = ngx_http_sync_header_in(r, &elcf->verdict, &lines);

        if (h == NULL || lines != 1) {
            return NGX_DECLINED;
        }

        text = h->value;

    } else {
        return NGX_DECLINED;
    }

    return text.len == 7 && ngx_memcmp(text.data, "SUCCESS", 7) == 0
           ? NGX_OK : NGX_DECLINED;
}


ngx_uint_t
ngx_http_sync_client_certificate_at(ngx_http_conf_ctx_t *ctx)
{
    ngx_http_sync_edge_loc_conf_t  *elcf;

    elcf = ctx->loc_conf[ngx_http_sync_edge_module.ctx_index];

    return elcf->certificate == 1;
}


ngx_uint_t
ngx_http_sync_client_certificate_taken(ngx_http_request_t *r)
{
    ngx_http_sync_edge_loc_conf_t  *elcf;

    elcf = ngx_http_get_module_loc_conf(r, ngx_http_sync_edge_module);

    return elcf->certificate == 1;
}


ngx_int_t
ngx_http_sync_edge_strip(ngx_http_request_t *r)
{
    ngx_int_t                       rc;
    ngx_http_sync_edge_loc_conf_t  *elcf;

    elcf = ngx_http_get_module_loc_conf(r, ngx_http_sync_edge_module);

    if (elcf->certificate != 1 || elcf->header.len == 0) {
        return NGX_OK;
    }

    rc = ngx_http_sync_edge_proxy(r, elcf);

    if (rc != NGX_DECLINED) {
        return rc;
    }

    rc = ngx_http_sync_set_header_in(r, &elcf->header, NULL);

    if (rc == NGX_OK && elcf->verdict.len) {
        rc = ngx_http_sync_set_header_in(r, &elcf->verdict, NULL);
    }

    return rc;
}


/*
 * Who is at the other end of the connection, whatever ngx_http_realip_module
 * makes of the address.  NGX_OK: one of our proxies; NGX_DECLINED.
 */

static ngx_int_t
ngx_http_sync_edge_proxy(ngx_http_request_t *r,
    ngx_http_sync_edge_loc_conf_t *elcf)
{
    ngx_int_t                   rc;
    ngx_str_t                   name;
    ngx_addr_t                  addr;
    ngx_uint_t                  key;
    ngx_http_variable_value_t  *v;

    static ngx_str_t  realip = ngx_string("realip_remote_addr");

    if (elcf->header.len == 0) {
        return NGX_DECLINED;
    }

    key = ngx_hash_key(realip.data, realip.len);
    v = ngx_http_get_variable(r, &realip, key);

    if (v == NULL) {
        return NGX_ERROR;
    }

    if (v->not_found || v->len == 0) {
        return ngx_cidr_match(r->connection->sockaddr, &elcf->from);
    }

    if (v->len == 5 && ngx_strncmp(v->data, "unix:", 5) == 0) {
        return r->connection->sockaddr->sa_family == AF_UNIX
               ? ngx_cidr_match(r->connection->sockaddr, &elcf->from)
               : NGX_DECLINED;
    }

    name.len = v->len;
    name.data = v->data;

    rc = ngx_parse_addr(r->pool, &addr, name.data, name.len);

    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_cidr_match(addr.sockaddr, &elcf->from);
}


/* By a variable that is there where NGINX has TLS. */

static ngx_int_t
ngx_http_sync_edge_tls(ngx_http_request_t *r, ngx_str_t *name,
    ngx_str_t *value)
{
    ngx_uint_t                  key;
    ngx_http_variable_value_t  *v;

    key = ngx_hash_key(name->data, name->len);
    v = ngx_http_get_variable(r, name, key);

    if (v == NULL || v->not_found) {
        return NGX_DECLINED;
    }

    value->len = v->len;
    value->data = v->data;

    return NGX_OK;
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
    elcf->certificate = NGX_CONF_UNSET_UINT;

    return elcf;
}


static char *
ngx_http_sync_edge_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_sync_edge_loc_conf_t  *prev = parent;
    ngx_http_sync_edge_loc_conf_t  *conf = child;

    ngx_conf_merge_ptr_value(conf->url, prev->url, NULL);

    if (conf->certificate == NGX_CONF_UNSET_UINT) {
        conf->tls = prev->tls;
        conf->header = prev->header;
        conf->verdict = prev->verdict;
        conf->verified = prev->verified;
        conf->from = prev->from;
    }

    ngx_conf_merge_uint_value(conf->certificate, prev->certificate, 0);

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


/*
 * sync_client_certificate off
 *     | [tls] [header=NAME from=ADDRESS... [verified[=NAME]]]
 */

static char *
ngx_http_sync_edge_certificate(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_sync_edge_loc_conf_t  *elcf = conf;

    ngx_str_t   *value;
    ngx_uint_t   i;

    if (elcf->certificate != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0) {
        elcf->certificate = 0;
        return NGX_CONF_OK;
    }

    elcf->certificate = 1;

    if (ngx_array_init(&elcf->from, cf->pool, 4, sizeof(ngx_cidr_t))
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_strcmp(value[i].data, "tls") == 0 && !elcf->tls) {
            elcf->tls = 1;

        } else if (ngx_strncmp(value[i].data, "header=", 7) == 0) {

            if (ngx_http_sync_edge_header(&elcf->header, &value[i], 7)
                != NGX_OK)
            {
                goto invalid;
            }

        } else if (ngx_strcmp(value[i].data, "verified") == 0
                   && !elcf->verified && elcf->verdict.len == 0)
        {
            elcf->verified = 1;

        } else if (ngx_strncmp(value[i].data, "verified=", 9) == 0
                   && !elcf->verified)
        {
            if (ngx_http_sync_edge_header(&elcf->verdict, &value[i], 9)
                != NGX_OK)
            {
                goto invalid;
            }

        } else if (ngx_strncmp(value[i].data, "from=", 5) == 0) {

            if (ngx_http_sync_edge_from(cf, &elcf->from, &value[i])
                != NGX_OK)
            {
                return NGX_CONF_ERROR;
            }

        } else {
            goto invalid;
        }
    }

    if ((elcf->header.len != 0) != (elcf->from.nelts != 0)) {
        return "needs both \"header=\" and \"from=\": a header is worth "
               "what he is worth who has sent it";
    }

    if ((elcf->verified || elcf->verdict.len) && elcf->header.len == 0) {
        return "needs \"header=\" with \"verified\", which says what the "
               "proxies do; of a connection NGINX knows it";
    }

    return NGX_CONF_OK;

invalid:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid \"%V\" of \"sync_client_certificate\", "
                       "known are off, tls, header=NAME, from=ADDRESS, "
                       "verified and verified=NAME, each name once",
                       &value[i]);
    return NGX_CONF_ERROR;
}


/* Once; in lower case. */

static ngx_int_t
ngx_http_sync_edge_header(ngx_str_t *header, ngx_str_t *value, size_t skip)
{
    u_char  *p;

    if (header->len || value->len == skip) {
        return NGX_ERROR;
    }

    header->data = value->data + skip;
    header->len = value->len - skip;

    ngx_strlow(header->data, header->data, header->len);

    for (p = header->data; *p; p++) {
        if (!((*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9')
              || *p == '-'))
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_sync_edge_from(ngx_conf_t *cf, ngx_array_t *from, ngx_str_t *value)
{
    ngx_int_t    rc;
    ngx_str_t    text;
    ngx_cidr_t  *cidr;

    text.data = value->data + 5;
    text.len = value->len - 5;

    cidr = ngx_array_push(from);
    if (cidr == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(cidr, sizeof(ngx_cidr_t));

    if (text.len == 5 && ngx_strncmp(text.data, "unix:", 5) == 0) {
        cidr->family = AF_UNIX;
        return NGX_OK;
    }

    rc = ngx_ptocidr(&text, cidr);

    if (rc == NGX_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid \"%V\" of \"sync_client_certificate\", "
                           "an address, a network or \"unix:\" is needed",
                           value);
        return NGX_ERROR;
    }

    if (rc == NGX_DONE) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "low address bits of \"%V\" are meaningless",
                           value);
    }

    return NGX_OK;
}
