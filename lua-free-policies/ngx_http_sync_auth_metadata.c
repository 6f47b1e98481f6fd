
/*
 * sync_metadata: what clients may know of this resource before they have a
 * token (RFC 9728): who issues tokens for it, and how they are shown.
 */


#include "ngx_http_sync_auth.h"
#include "ngx_http_sync_edge.h"
#include "sync_dpop.h"


#define NGX_HTTP_SYNC_METADATA  (64 * 1024)      /* bytes at most */


static ngx_int_t ngx_http_sync_metadata_resource(ngx_http_request_t *r,
    ngx_str_t *path, ngx_str_t *url);
static ngx_int_t ngx_http_sync_metadata_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_sync_metadata_text(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, ngx_str_t *resource, ngx_str_t *text);
static void ngx_http_sync_metadata_issuers(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, sync_json_out_t *out);
static void ngx_http_sync_metadata_dpop(sync_json_out_t *out,
    ngx_http_sync_auth_loc_conf_t *alcf);
static ngx_int_t ngx_http_sync_metadata_check(ngx_conf_t *cf,
    ngx_http_conf_ctx_t *ctx);


static ngx_str_t  ngx_http_sync_metadata_path =
    ngx_string("/.well-known/oauth-protected-resource");


/*
 * RFC 9728, 5.1: where the metadata of what was asked for stands, or empty.
 * By section 3.1 the well-known path stands between the host of the resource
 * and its path, of which a proxy in front may have taken away a part.
 */

ngx_int_t
ngx_http_sync_metadata_url(ngx_http_request_t *r, ngx_str_t *url)
{
    u_char                          *p, *path, *last;
    ngx_int_t                        rc;
    ngx_str_t                       *of, resource;
    ngx_uint_t                       i;
    ngx_http_sync_metadata_t        *m, *best;
    ngx_http_core_srv_conf_t        *cscf;
    ngx_http_sync_auth_main_conf_t  *amcf;

    ngx_str_null(url);

    amcf = ngx_http_get_module_main_conf(r, ngx_http_sync_auth_module);
    cscf = ngx_http_get_module_srv_conf(r, ngx_http_core_module);

    m = amcf->metadata.elts;
    best = NULL;

    for (i = 0; i < amcf->metadata.nelts; i++) {

        of = &m[i].resource;

        if (m[i].cscf != cscf || r->uri.len < of->len
            || ngx_memcmp(r->uri.data, of->data, of->len) != 0
            || (of->len && of->data[of->len - 1] != '/'
                && r->uri.len > of->len && r->uri.data[of->len] != '/'))
        {
            continue;
        }

        if (best == NULL || of->len > best->resource.len) {
            best = &m[i];
        }
    }

    if (best == NULL) {
        return NGX_OK;
    }

    rc = ngx_http_sync_metadata_resource(r, &best->resource, &resource);

    if (rc != NGX_OK) {
        return rc == NGX_ERROR ? NGX_ERROR : NGX_OK;
    }

    last = resource.data + resource.len;

    /* of a variable: no URL has them, and they would end a quoted string */

    if (ngx_strlchr(resource.data, last, '"') != NULL
        || ngx_strlchr(resource.data, last, '\\') != NULL)
    {
        return NGX_OK;
    }

    path = ngx_strlchr(resource.data, last, ':') + sizeof("://") - 1;
    path = ngx_strlchr(path, last, '/');

    if (path == NULL) {
        path = last;
    }

    p = ngx_pnalloc(r->pool, resource.len + ngx_http_sync_metadata_path.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    url->data = p;

    p = ngx_cpymem(p, resource.data, path - resource.data);
    p = ngx_cpymem(p, ngx_http_sync_metadata_path.data,
                   ngx_http_sync_metadata_path.len);
    p = ngx_cpymem(p, path, last - path);

    url->len = p - url->data;

    return NGX_OK;
}


/* The URL of a resource as clients know it; a host alone has no slash. */

static ngx_int_t
ngx_http_sync_metadata_resource(ngx_http_request_t *r, ngx_str_t *path,
    ngx_str_t *url)
{
    ngx_int_t  rc;

    rc = ngx_http_sync_public_url(r, path, url);

    if (rc == NGX_OK && path->len == 0 && url->data[url->len - 1] == '/') {
        url->len--;
    }

    return rc;
}


static ngx_int_t
ngx_http_sync_metadata_handler(ngx_http_request_t *r)
{
    ngx_int_t                  rc;
    ngx_str_t                  path, resource, text;
    ngx_http_sync_ctx_t       *ctx;
    ngx_http_complex_value_t   cv;
    ngx_http_core_loc_conf_t  *clcf;

    static ngx_str_t  type = ngx_string("application/json");

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return NGX_HTTP_NOT_ALLOWED;
    }

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (r->uri.len != clcf->name.len) {
        return NGX_HTTP_NOT_FOUND;
    }

    ctx = ngx_http_sync_get_ctx(r);

    if (ctx == NULL) {
        ctx = ngx_http_sync_create_ctx(r);
        if (ctx == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    if (ngx_http_sync_tenant_resolve != NULL) {
        rc = ngx_http_sync_tenant_resolve(r, ctx);

        if (rc != NGX_OK && rc != NGX_DECLINED) {
            return rc == NGX_ERROR ? NGX_HTTP_INTERNAL_SERVER_ERROR : rc;
        }
    }

    path.data = clcf->name.data + ngx_http_sync_metadata_path.len;
    path.len = clcf->name.len - ngx_http_sync_metadata_path.len;

    rc = ngx_http_sync_metadata_resource(r, &path, &resource);

    if (rc == NGX_DECLINED) {
        return NGX_HTTP_NOT_FOUND;
    }

    if (rc != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ngx_http_sync_metadata_text(r, ctx, &resource, &text) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_memzero(&cv, sizeof(ngx_http_complex_value_t));
    cv.value = text;

    return ngx_http_send_response(r, NGX_HTTP_OK, &type, &cv);
}


static ngx_int_t
ngx_http_sync_metadata_text(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    ngx_str_t *resource, ngx_str_t *text)
{
    ngx_str_t                      *scope;
    ngx_uint_t                      i;
    sync_str_t                      s;
    sync_json_out_t                 out;
    ngx_http_sync_auth_loc_conf_t  *alcf;

    alcf = ngx_http_get_module_loc_conf(r, ngx_http_sync_auth_module);

    sync_json_begin(&out, &ctx->arena, 1024, NGX_HTTP_SYNC_METADATA);
    sync_json_open(&out, '{');

    s.len = resource->len;
    s.data = resource->data;

    sync_json_key(&out, sync_str_lit("resource"));
    sync_json_string(&out, s);

    ngx_http_sync_metadata_issuers(r, ctx, &out);

    if (alcf->scopes != NULL) {
        sync_json_key(&out, sync_str_lit("scopes_supported"));
        sync_json_open(&out, '[');

        scope = alcf->scopes->elts;

        for (i = 0; i < alcf->scopes->nelts; i++) {
            s.len = scope[i].len;
            s.data = scope[i].data;
            sync_json_string(&out, s);
        }

        sync_json_close(&out, ']');
    }

    sync_json_key(&out, sync_str_lit("bearer_methods_supported"));
    sync_json_open(&out, '[');
    sync_json_string(&out, sync_str_lit("header"));
    sync_json_close(&out, ']');

    ngx_http_sync_metadata_dpop(&out, alcf);

    if (ngx_http_sync_client_certificate_taken(r)) {
        sync_json_key(&out, sync_str_lit("tls_client_certificate_bound_"
                                         "access_tokens"));
        sync_json_value(&out, sync_str_lit("true"));
    }

    sync_json_close(&out, '}');

    if (sync_json_end(&out, &s) != SYNC_OK) {
        return NGX_ERROR;
    }

    text->len = s.len;
    text->data = s.data;

    return NGX_OK;
}


/* Those of the tenant by its host, then those of the platform. */

static void
ngx_http_sync_metadata_issuers(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, sync_json_out_t *out)
{
    uint32_t                         i, n;
    sync_doc_issuer_t                di;
    ngx_http_sync_issuer_t          *platform;
    ngx_http_sync_auth_main_conf_t  *amcf;

    amcf = ngx_http_get_module_main_conf(r, ngx_http_sync_auth_module);

    sync_json_key(out, sync_str_lit("authorization_servers"));
    sync_json_open(out, '[');

    n = ctx->tenant.doc != NULL ? sync_doc_issuers(ctx->tenant.doc) : 0;

    for (i = 0; i < n; i++) {
        if (sync_doc_issuer_at(ctx->tenant.doc, i, &di) == SYNC_OK) {
            sync_json_string(out, di.issuer);
        }
    }

    platform = amcf->issuers.elts;

    for (i = 0; i < amcf->issuers.nelts; i++) {
        sync_json_string(out, platform[i].issuer);
    }

    sync_json_close(out, ']');
}


static void
ngx_http_sync_metadata_dpop(sync_json_out_t *out,
    ngx_http_sync_auth_loc_conf_t *alcf)
{
    u_char      *p, *last, *end;
    sync_str_t   s;

    static sync_str_t  algs = sync_string(SYNC_DPOP_ALGS);

    if (alcf->dpop == NGX_HTTP_SYNC_DPOP_OFF) {
        return;
    }

    sync_json_key(out, sync_str_lit("dpop_signing_alg_values_supported"));
    sync_json_open(out, '[');

    p = algs.data;
    last = p + algs.len;

    while (p < last) {
        end = ngx_strlchr(p, last, ' ');

        if (end == NULL) {
            end = last;
        }

        s.data = p;
        s.len = end - p;
        sync_json_string(out, s);

        p = end + 1;
    }

    sync_json_close(out, ']');

    if (alcf->dpop == NGX_HTTP_SYNC_DPOP_REQUIRED) {
        sync_json_key(out, sync_str_lit("dpop_bound_access_tokens_required"));
        sync_json_value(out, sync_str_lit("true"));
    }
}


static ngx_int_t
ngx_http_sync_metadata_check(ngx_conf_t *cf, ngx_http_conf_ctx_t *ctx)
{
    if (!ngx_http_sync_public_url_at(ctx)) {
        ngx_http_sync_refuse(cf, ctx, "sync_metadata needs sync_public_url, "
                             "which names the resource");
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* sync_metadata [scope=NAME...] */

char *
ngx_http_sync_metadata(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_sync_auth_loc_conf_t  *alcf = conf;

    ngx_str_t                       *value, *scope, *name;
    ngx_uint_t                       i;
    ngx_http_sync_metadata_t        *m;
    ngx_http_sync_loc_conf_t        *slcf;
    ngx_http_core_loc_conf_t        *clcf;
    ngx_http_sync_main_conf_t       *smcf;
    ngx_http_sync_auth_main_conf_t  *amcf;

    slcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_sync_module);
    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    smcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_sync_module);
    amcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_sync_auth_module);

    if (slcf->status) {
        return "is duplicate";
    }

    name = &clcf->name;

    if (!clcf->exact_match) {
        return "needs an exact location, as \"location = "
               "/.well-known/oauth-protected-resource\"";
    }

    if (name->len < ngx_http_sync_metadata_path.len
        || ngx_memcmp(name->data, ngx_http_sync_metadata_path.data,
                      ngx_http_sync_metadata_path.len) != 0
        || (name->len > ngx_http_sync_metadata_path.len
            && name->data[ngx_http_sync_metadata_path.len] != '/'))
    {
        return "needs a location \"= /.well-known/oauth-protected-resource\", "
               "with the path of the resource behind it";
    }

    /* the resource "https://host/" is "https://host", RFC 9728, 3.1 */

    if (name->len == ngx_http_sync_metadata_path.len + 1) {
        return "needs a location without the slash at its end: the path of a "
               "host is none";
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "scope=", 6) != 0
            || value[i].len == 6)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid \"%V\" of \"sync_metadata\", "
                               "\"scope=NAME\" is known", &value[i]);
            return NGX_CONF_ERROR;
        }

        if (alcf->scopes == NULL) {
            alcf->scopes = ngx_array_create(cf->pool, 4, sizeof(ngx_str_t));
            if (alcf->scopes == NULL) {
                return NGX_CONF_ERROR;
            }
        }

        scope = ngx_array_push(alcf->scopes);
        if (scope == NULL) {
            return NGX_CONF_ERROR;
        }

        scope->data = value[i].data + 6;
        scope->len = value[i].len - 6;
    }

    m = ngx_array_push(&amcf->metadata);
    if (m == NULL) {
        return NGX_CONF_ERROR;
    }

    m->cscf = ngx_http_conf_get_module_srv_conf(cf, ngx_http_core_module);
    m->resource.data = name->data + ngx_http_sync_metadata_path.len;
    m->resource.len = name->len - ngx_http_sync_metadata_path.len;

    clcf->handler = ngx_http_sync_metadata_handler;

    /* whoever asks has no proof yet: no step acts here */

    slcf->status = 1;
    smcf->status = 1;

    return ngx_http_sync_add_check(cf, ngx_http_sync_metadata_check) == NGX_OK
           ? NGX_CONF_OK : NGX_CONF_ERROR;
}
