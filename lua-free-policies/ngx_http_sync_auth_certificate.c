
/*
 * Clients that are known by a certificate.  TLS has proven that they have its
 * key; which certificate is whose, the tenant's document says: by the SHA-256
 * of it, or by what a verified one calls its holder.
 */


#include "ngx_http_sync_auth.h"
#include "ngx_http_sync_edge.h"


static ngx_int_t ngx_http_sync_auth_certificate_of(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, u_char *print, uint32_t *index);
static ngx_int_t ngx_http_sync_auth_certificate_refuse(
    ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx);


ngx_int_t
ngx_http_sync_auth_certificate(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx)
{
    u_char                      print[SYNC_CERT_PRINT_LEN];
    uint32_t                    index;
    ngx_int_t                   rc;
    sync_doc_client_t           client;
    ngx_http_sync_principal_t  *pr;

    rc = ngx_http_sync_client_certificate(r, print);

    if (rc == NGX_ABORT) {
        return ngx_http_sync_auth_certificate_refuse(r, ctx);
    }

    if (rc != NGX_OK) {
        return rc;
    }

    if (ctx->tenant.doc == NULL) {
        return ngx_http_sync_auth_certificate_refuse(r, ctx);
    }

    rc = ngx_http_sync_auth_certificate_of(r, ctx, print, &index);

    if (rc == NGX_ERROR) {
        return rc;
    }

    if (rc != NGX_OK
        || sync_doc_client_at(ctx->tenant.doc, index, &client) != SYNC_OK)
    {
        return ngx_http_sync_auth_certificate_refuse(r, ctx);
    }

    pr = &ctx->principal;

    pr->proof = NGX_HTTP_SYNC_PROOF_CERTIFICATE;
    pr->index = index;
    pr->client.len = client.id.len;
    pr->client.data = client.id.data;
    pr->tenant = ctx->tenant.id;

    return NGX_OK;
}


/*
 * The digest says most, and goes before names.  What names two clients is
 * nobody's: which one, the order would say.
 */

static ngx_int_t
ngx_http_sync_auth_certificate_of(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, u_char *print, uint32_t *index)
{
    uint32_t           client;
    ngx_int_t          rc;
    ngx_uint_t         i, n;
    sync_str_t         name;
    const sync_str_t  *names;

    *index = SYNC_DOC_NONE;

    if (sync_doc_certificates(ctx->tenant.doc) == 0) {
        return NGX_DECLINED;
    }

    name = sync_cert_print_name(print, &ctx->arena);

    if (name.data == NULL) {
        return NGX_ERROR;
    }

    *index = sync_doc_certificate(ctx->tenant.doc, name);

    if (*index != SYNC_DOC_NONE) {
        return NGX_OK;
    }

    rc = ngx_http_sync_client_names(r, &names, &n);

    if (rc != NGX_OK) {
        return rc;
    }

    for (i = 0; i < n; i++) {
        client = sync_doc_certificate(ctx->tenant.doc, names[i]);

        if (client == SYNC_DOC_NONE || client == *index) {
            continue;
        }

        if (*index != SYNC_DOC_NONE) {
            ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                          "auth: a certificate names two clients and neither "
                          "may use it, tenant \"%V\"", &ctx->tenant.name);
            return NGX_DECLINED;
        }

        *index = client;
    }

    return *index != SYNC_DOC_NONE ? NGX_OK : NGX_DECLINED;
}


static ngx_int_t
ngx_http_sync_auth_certificate_refuse(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx)
{
    ngx_http_sync_refusal_t  refusal;

    ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                  "auth: certificate refused, tenant \"%V\"",
                  &ctx->tenant.name);

    refusal.scheme = NGX_HTTP_SYNC_SCHEME_NONE;
    refusal.error = NULL;
    refusal.text = "the certificate is nobody's here";
    refusal.problem = "invalid-certificate";
    refusal.title = "The certificate is not valid";

    return ngx_http_sync_auth_refuse(r, ctx, &refusal);
}
