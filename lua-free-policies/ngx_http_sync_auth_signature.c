
/*
 * sync_auth signature=PROFILE: who has signed the body.  The headers are judged
 * before the body is read, and then the body as it came.
 *
 * The secrets stand in the document of the tenant, with its clients; or, where
 * one secret signs for all tenants, in nginx.conf.  Whatever is wrong, missing,
 * late or forged, the answer is one and the same.
 */


#include "ngx_http_sync_auth.h"
#include "ngx_http_sync_auth_signature.h"
#include "ngx_http_sync_edge.h"


typedef struct {
    sync_signature_t             signature;
    sync_signature_request_t     request;
} ngx_http_sync_signed_t;


static ngx_int_t ngx_http_sync_signature_headers(ngx_http_request_t *r,
    ngx_http_sync_signature_conf_t *scf, ngx_http_sync_signed_t *sg,
    const char **why);
static sync_str_t ngx_http_sync_signature_header(ngx_http_request_t *r,
    sync_str_t name, ngx_uint_t *twice);
static void ngx_http_sync_signature_method(ngx_http_request_t *r,
    sync_str_t *method);
static ngx_int_t ngx_http_sync_signature_base(ngx_http_request_t *r,
    ngx_str_t *base);
static ngx_int_t ngx_http_sync_signature_url(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, ngx_http_sync_signature_conf_t *scf,
    sync_str_t *url);
static ngx_int_t ngx_http_sync_signature_platform(ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_signature_conf_t *scf, ngx_http_sync_signed_t *sg);
static ngx_int_t ngx_http_sync_signature_client(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, ngx_http_sync_signature_conf_t *scf,
    ngx_http_sync_signed_t *sg);
static sync_rc_t ngx_http_sync_signature_secret(ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_signed_t *sg, sync_str_t name);
static ngx_int_t ngx_http_sync_signature_refuse(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, const char *why);


ngx_uint_t
ngx_http_sync_signature_given(ngx_http_request_t *r,
    ngx_http_sync_signature_conf_t *scf)
{
    ngx_str_t  name;

    name.len = scf->scheme.header.len;
    name.data = scf->scheme.header.data;

    return ngx_http_sync_header_in(r, &name, NULL) != NULL;
}


/* Entered again when the body is there. */

ngx_int_t
ngx_http_sync_auth_signature(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_signature_conf_t *scf)
{
    ngx_int_t                rc;
    const char              *why;
    ngx_http_sync_signed_t   sg;

    if (ngx_http_sync_signature_headers(r, scf, &sg, &why) != NGX_OK) {
        return ngx_http_sync_signature_refuse(r, ctx, why);
    }

    rc = ngx_http_sync_read_body(r, ctx);
    if (rc != NGX_OK) {
        return rc;
    }

    ngx_http_sync_signature_method(r, &sg.request.method);

    sg.request.body.len = ctx->payload.raw.len;
    sg.request.body.data = ctx->payload.raw.data;

    rc = ngx_http_sync_signature_url(r, ctx, scf, &sg.request.url);

    if (rc == NGX_DECLINED) {
        return ngx_http_sync_signature_refuse(r, ctx, "no-url");
    }

    if (rc != NGX_OK) {
        return rc;
    }

    if (scf->secrets.nelts) {
        rc = ngx_http_sync_signature_platform(ctx, scf, &sg);

    } else {
        rc = ngx_http_sync_signature_client(r, ctx, scf, &sg);
    }

    if (rc == NGX_DECLINED) {
        return ngx_http_sync_signature_refuse(r, ctx, "wrong");
    }

    return rc;
}


static ngx_int_t
ngx_http_sync_signature_headers(ngx_http_request_t *r,
    ngx_http_sync_signature_conf_t *scf, ngx_http_sync_signed_t *sg,
    const char **why)
{
    ngx_uint_t                 twice;
    ngx_time_t                *tp;
    sync_error_t               err;
    sync_signature_headers_t   headers;

    twice = 0;

    headers.signature = ngx_http_sync_signature_header(r, scf->scheme.header,
                                                       &twice);
    headers.timestamp = ngx_http_sync_signature_header(r,
                                                       scf->scheme.timestamp,
                                                       &twice);
    headers.id = ngx_http_sync_signature_header(r, scf->scheme.id, &twice);

    if (twice) {
        *why = "twice";
        return NGX_DECLINED;
    }

    tp = ngx_timeofday();

    if (sync_signature_read(&sg->signature, &scf->scheme, &headers,
                            (int64_t) tp->sec * 1000 + tp->msec, &err)
        != SYNC_OK)
    {
        *why = err.what;
        return NGX_DECLINED;
    }

    return NGX_OK;
}


static sync_str_t
ngx_http_sync_signature_header(ngx_http_request_t *r, sync_str_t name,
    ngx_uint_t *twice)
{
    ngx_str_t         s;
    ngx_uint_t        lines;
    ngx_table_elt_t  *h;

    if (name.len == 0) {
        return sync_str_null;
    }

    s.len = name.len;
    s.data = name.data;

    h = ngx_http_sync_header_in(r, &s, &lines);

    if (h == NULL) {
        return sync_str_null;
    }

    if (lines != 1) {
        *twice = 1;
    }

    return (sync_str_t) { h->value.len, h->value.data };
}


/* As the sender has said it: an error_page makes a GET of it. */

static void
ngx_http_sync_signature_method(ngx_http_request_t *r, sync_str_t *method)
{
    u_char  *p, *last;

    p = r->request_line.data;
    last = p + r->request_line.len;

    method->data = p;

    while (p < last && *p != ' ') {
        p++;
    }

    method->len = p - method->data;
}


/* The URL as the sender has called it: not one byte of its path changes. */

static ngx_int_t
ngx_http_sync_signature_url(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_signature_conf_t *scf, sync_str_t *url)
{
    u_char     *p;
    ngx_int_t   rc;
    ngx_str_t   base;

    *url = sync_str_null;

    if (!sync_signature_signs(&scf->scheme, SYNC_SIGNED_URL)) {
        return NGX_OK;
    }

    rc = ngx_http_sync_signature_base(r, &base);
    if (rc != NGX_OK) {
        return rc;
    }

    p = ngx_pnalloc(r->pool, base.len + r->unparsed_uri.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    url->data = p;

    p = ngx_cpymem(p, base.data, base.len);
    p = ngx_cpymem(p, r->unparsed_uri.data, r->unparsed_uri.len);

    url->len = p - url->data;

    *url = sync_signature_url(&scf->scheme, *url, &ctx->arena);

    return url->data != NULL ? NGX_OK : NGX_ERROR;
}


/*
 * sync_public_url; where there is none, the scheme and host of the request.
 * NGX_DECLINED: its variables give no URL.
 */

static ngx_int_t
ngx_http_sync_signature_base(ngx_http_request_t *r, ngx_str_t *base)
{
    u_char                         *p;
    ngx_int_t                       rc;
    ngx_str_t                       scheme, *host;
    ngx_http_sync_auth_loc_conf_t  *alcf;

    static ngx_str_t  root = ngx_string("/");

    alcf = ngx_http_get_module_loc_conf(r, ngx_http_sync_auth_module);

    if (alcf->public_url) {
        rc = ngx_http_sync_public_url(r, &root, base);

        /* the path of the request brings its slash */

        if (rc == NGX_OK && base->len && base->data[base->len - 1] == '/') {
            base->len--;
        }

        return rc;
    }

    ngx_str_set(&scheme, "http://");

#if (NGX_HTTP_SSL)

    if (r->connection->ssl) {
        ngx_str_set(&scheme, "https://");
    }

#endif

    host = r->headers_in.host ? &r->headers_in.host->value
                              : &r->headers_in.server;

    p = ngx_pnalloc(r->pool, scheme.len + host->len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    base->data = p;

    p = ngx_cpymem(p, scheme.data, scheme.len);
    p = ngx_cpymem(p, host->data, host->len);

    base->len = p - base->data;

    return NGX_OK;
}


/*
 * A secret of nginx.conf says that the sender is who it says, and not for whom
 * it speaks: the client is found where the tenant is known, when it is
 * admitted.
 */

static ngx_int_t
ngx_http_sync_signature_platform(ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_signature_conf_t *scf, ngx_http_sync_signed_t *sg)
{
    sync_rc_t              rc;
    ngx_uint_t             i, found;
    sync_signature_key_t  *key;

    key = scf->secrets.elts;
    found = 0;

    for (i = 0; i < scf->secrets.nelts; i++) {
        rc = sync_signature_verify(&sg->signature, &sg->request, &key[i],
                                   &ctx->arena);
        if (rc == SYNC_FAULT) {
            return NGX_ERROR;
        }

        found |= (rc == SYNC_OK);
    }

    if (!found) {
        return NGX_DECLINED;
    }

    ctx->principal.proof = NGX_HTTP_SYNC_PROOF_SIGNATURE;
    ctx->principal.profile = scf->profile;
    ctx->principal.client = scf->profile;
    ctx->principal.platform = 1;

    return NGX_OK;
}


/* All of them, so that it takes the same time whoever it is. */

static ngx_int_t
ngx_http_sync_signature_client(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, ngx_http_sync_signature_conf_t *scf,
    ngx_http_sync_signed_t *sg)
{
    uint32_t            i, k, found;
    sync_rc_t           rc;
    ngx_uint_t          contested;
    const sync_doc_t   *doc;
    sync_doc_client_t   client;

    doc = ctx->tenant.doc;

    if (doc == NULL) {
        return NGX_DECLINED;
    }

    found = SYNC_DOC_NONE;
    contested = 0;

    for (i = 0; i < sync_doc_clients(doc); i++) {

        if (sync_doc_client_at(doc, i, &client) != SYNC_OK
            || client.signature != (uint32_t) scf->scheme.profile)
        {
            continue;
        }

        for (k = 0; k < client.secrets.n; k++) {
            rc = ngx_http_sync_signature_secret(ctx, sg,
                                                sync_doc_item(doc,
                                                              client.secrets,
                                                              k));
            if (rc == SYNC_FAULT) {
                return NGX_ERROR;
            }

            if (rc != SYNC_OK) {
                continue;
            }

            contested |= (found != SYNC_DOC_NONE && found != i);
            found = i;
        }
    }

    if (contested) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "auth: two clients have the same secret for signatures "
                      "and neither may use it, tenant \"%V\"",
                      &ctx->tenant.id);
        return NGX_DECLINED;
    }

    if (found == SYNC_DOC_NONE) {
        return NGX_DECLINED;
    }

    if (sync_doc_client_at(doc, found, &client) != SYNC_OK) {
        return NGX_ERROR;
    }

    ctx->principal.proof = NGX_HTTP_SYNC_PROOF_SIGNATURE;
    ctx->principal.profile = scf->profile;
    ctx->principal.index = found;
    ctx->principal.client.len = client.id.len;
    ctx->principal.client.data = client.id.data;
    ctx->principal.tenant = ctx->tenant.id;

    return NGX_OK;
}


static sync_rc_t
ngx_http_sync_signature_secret(ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_signed_t *sg, sync_str_t item)
{
    uint64_t               generation;
    sync_rc_t              rc;
    ngx_log_t             *log;
    ngx_str_t              name, *secret;
    sync_error_t           err;
    sync_signature_key_t   key;

    static uint64_t  told;

    log = ctx->request->connection->log;

    name.len = item.len;
    name.data = item.data;

    /* what cannot be read, or is empty, was logged */

    secret = ngx_http_sync_tenant_secret(ctx->tenant.entry, &name, log);

    if (secret == NULL) {
        return SYNC_NO;
    }

    rc = sync_signature_key(&key, sg->signature.scheme->profile,
                            (sync_str_t) { secret->len, secret->data }, &err);

    if (rc != SYNC_OK) {

        /* once for a version of the tenant, not for each request */

        generation = ngx_http_sync_tenant_generation(ctx->tenant.entry);

        if (told != generation) {
            told = generation;

            ngx_log_error(NGX_LOG_ERR, log, 0,
                          "auth: secret \"%V\" of tenant \"%V\" is not used: "
                          "%s", &name, &ctx->tenant.id, err.text);
        }

        return SYNC_NO;
    }

    rc = sync_signature_verify(&sg->signature, &sg->request, &key,
                               &ctx->arena);

    sync_wipe(&key, sizeof(key));

    return rc;
}


/*
 * The platform's sender, and the one client of this tenant that is known by
 * its signature and has no secret of its own.
 */

ngx_int_t
ngx_http_sync_signature_admit(ngx_http_sync_ctx_t *ctx)
{
    uint32_t            i, found;
    const sync_doc_t   *doc;
    sync_doc_client_t   client;

    doc = ctx->tenant.doc;
    found = SYNC_DOC_NONE;

    for (i = 0; i < sync_doc_clients(doc); i++) {

        if (sync_doc_client_at(doc, i, &client) != SYNC_OK
            || client.secrets.n != 0
            || client.signature
               != (uint32_t) sync_signature_by_name((sync_str_t)
                                            { ctx->principal.profile.len,
                                              ctx->principal.profile.data })
            || client.signature == SYNC_SIGNATURE_NONE)
        {
            continue;
        }

        if (found != SYNC_DOC_NONE) {
            ngx_log_error(NGX_LOG_ERR, ctx->request->connection->log, 0,
                          "auth: two clients without \"secrets\" are \"%V\", "
                          "tenant \"%V\"", &ctx->principal.profile,
                          &ctx->tenant.id);
            return NGX_DECLINED;
        }

        found = i;
    }

    if (found == SYNC_DOC_NONE
        || sync_doc_client_at(doc, found, &client) != SYNC_OK)
    {
        return NGX_DECLINED;
    }

    ctx->principal.index = found;
    ctx->principal.client.len = client.id.len;
    ctx->principal.client.data = client.id.data;
    ctx->principal.tenant = ctx->tenant.id;

    return NGX_OK;
}


static ngx_int_t
ngx_http_sync_signature_refuse(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, const char *why)
{
    ngx_http_sync_refusal_t  refusal;

    ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                  "auth: signature refused, %s, tenant \"%V\"", why,
                  &ctx->tenant.name);

    refusal.scheme = NGX_HTTP_SYNC_SCHEME_SIGNATURE;
    refusal.error = NULL;
    refusal.text = "this request is not signed, in time, by one who may send "
                   "it here";
    refusal.problem = "invalid-signature";
    refusal.title = "The signature is not valid";

    return ngx_http_sync_auth_refuse(r, ctx, &refusal);
}
