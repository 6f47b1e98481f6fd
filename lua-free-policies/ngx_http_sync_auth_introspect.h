
/*
 * Introspection (RFC 7662): issuers that are asked what a token is worth, by
 * parameters of sync_issuer and by "introspect" of a document
 * (.._introspect_conf.c), and the asking (.._introspect.c).
 */


#ifndef NGX_HTTP_SYNC_AUTH_INTROSPECT_H_INCLUDED_
#define NGX_HTTP_SYNC_AUTH_INTROSPECT_H_INCLUDED_


#include "ngx_http_sync_auth.h"


#define NGX_HTTP_SYNC_INTROSPECT_ASKED  4    /* issuers for one token, at most */


/* How an issuer is asked.  Strings are borrowed until the event loop turns. */

typedef struct {
    ngx_str_t    url;
    ngx_str_t    id;                     /* data NULL: it cannot be read */
    ngx_str_t    secret;                 /* likewise; both were logged */
    ngx_int_t    cache;                  /* seconds for which an answer serves */
    unsigned     trusted:1;              /* the URL stands in nginx.conf */
} ngx_http_sync_introspect_way_t;


/*
 * Issuers that are asked about tokens that do not say whose they are: the
 * tenant's (t NULL: none), then the platform's, in their order.  The number.
 */
ngx_uint_t ngx_http_sync_introspect_issuers(ngx_http_request_t *r,
    ngx_http_sync_tenant_t *t,
    uint32_t index[NGX_HTTP_SYNC_INTROSPECT_ASKED]);

/* NGX_OK, or NGX_DECLINED: it is not asked. */
ngx_int_t ngx_http_sync_introspect_way(ngx_http_request_t *r,
    ngx_http_sync_tenant_t *t, uint32_t index,
    ngx_http_sync_introspect_way_t *way);


#endif /* NGX_HTTP_SYNC_AUTH_INTROSPECT_H_INCLUDED_ */
