
/*
 * What stands between the client and us: the URL by which it knows us, and
 * the certificate that it has shown, to us or to a proxy that we trust.
 */


#ifndef NGX_HTTP_SYNC_EDGE_H_INCLUDED_
#define NGX_HTTP_SYNC_EDGE_H_INCLUDED_


#include "ngx_http_sync.h"
#include "sync_cert.h"


/*
 * sync_public_url with a path behind it, or with that of the request as it
 * came where path is NULL: in the normal form of sync_uri.h, from the
 * request's pool.  NGX_OK; NGX_DECLINED: none is configured, or it gives no
 * URL here, which was logged; NGX_ERROR.
 */
ngx_int_t ngx_http_sync_public_url(ngx_http_request_t *r,
    const ngx_str_t *path, ngx_str_t *url);

/* Whether there is one in the location of a check, at load. */
ngx_uint_t ngx_http_sync_public_url_at(ngx_http_conf_ctx_t *ctx);

/*
 * The thumbprint of the certificate that the client has shown, by
 * sync_client_certificate.  NGX_OK; NGX_DECLINED: it has shown none;
 * NGX_ABORT: what a trusted proxy says is none, or more than one, which was
 * logged; NGX_ERROR.
 */
ngx_int_t ngx_http_sync_client_certificate(ngx_http_request_t *r,
    u_char print[SYNC_CERT_PRINT_LEN]);

/*
 * What else names that certificate, by sync_cert.h, where its chain was
 * verified: by this connection's TLS, or by the proxy as far as the
 * configuration trusts it there.  *n is 0 where it was not.  As above; they
 * live as long as the request.
 */
ngx_int_t ngx_http_sync_client_names(ngx_http_request_t *r,
    const sync_str_t **names, ngx_uint_t *n);

/* Whether one can be shown in the location of a check, at load. */
ngx_uint_t ngx_http_sync_client_certificate_at(ngx_http_conf_ctx_t *ctx);

/* Whether one is looked at here. */
ngx_uint_t ngx_http_sync_client_certificate_taken(ngx_http_request_t *r);

/* Removes the headers of proxies where they do not come from one of them. */
ngx_int_t ngx_http_sync_edge_strip(ngx_http_request_t *r);


#endif /* NGX_HTTP_SYNC_EDGE_H_INCLUDED_ */
