
/*
 * Clients that are known by a certificate.  TLS has proven that they have its
 * key; which certificate is whose, the tenant's document says.
 */


#include "ngx_http_sync_auth.h"
#include "ngx_http_sync_edge.h"


static ngx_int_t ngx_http_sync_auth_certificate_of(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, sync_str_t print, sync_doc_client_t *client,
    uint32_t *index);
static ngx_int_t ngx_http_sync_auth_certificate_refuse(
    ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx);


ngx_int_t
ngx_http_sync_auth_certificate(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx)
{
    u_char                      print[SYNC_CERT_PRINT_LEN];
    uint32_t                    index;
    ngx_int_t                   rc;
    sync_str_t                  s;
    sync_doc_client_t           client;
    ngx_http_sync_principal_t  *pr;

    rc = ngx_http_sync_client_certificate(r, print);

    if (rc == NGX_ABORT) {
        return ngx_http_sync_auth_certificate_refuse(r, ctx);
    }

    if (rc != NGX_OK) {
        return rc;
    }

    s.len = sizeof(print);
    s.data = print;

    if (ngx_http_sync_auth_certificate_of(r, ctx, s, &client, &index)
        != NGX_OK)
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


/* A certificate of two clients is nobody's: which one, the order would say. */

static ngx_int_t
ngx_http_sync_auth_certificate_of(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, sync_str_t print, sync_doc_client_t *client,
    uint32_t *index)
{
    uint32_t           i, k, n;
    sync_doc_client_t  c;

    *index = SYNC_DOC_NONE;
    n = ctx->tenant.doc != NULL ? sync_doc_clients(ctx->tenant.doc) : 0;

    for (i = 0; i < n; i++) {

        if (sync_doc_client_at(ctx->tenant.doc, i, &c) != SYNC_OK) {
            break;
        }

        for (k = 0; k < c.certificates.n; k++) {

            if (!sync_str_eq(sync_doc_item(ctx->tenant.doc, c.certificates,
                                           k), print))
            {
                continue;
            }

            if (*index != SYNC_DOC_NONE) {
                ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                              "auth: two clients have the same certificate "
                              "and neither may use it, tenant \"%V\"",
                              &ctx->tenant.name);
                return NGX_DECLINED;
            }

            *index = i;
            *client = c;
            break;
        }
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
