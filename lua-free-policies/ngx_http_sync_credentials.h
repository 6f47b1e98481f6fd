
/*
 * Between the files of the credentials policy; for nobody else.
 */


#ifndef NGX_HTTP_SYNC_CREDENTIALS_H_INCLUDED_
#define NGX_HTTP_SYNC_CREDENTIALS_H_INCLUDED_


#include "ngx_http_sync.h"
#include "ngx_http_sync_registry.h"
#include "sync_credentials.h"
#include "sync_crypto.h"


typedef struct {
    ngx_str_t    body;                   /* before a secret came into it */
    unsigned     replaced:1;
} ngx_http_sync_credentials_slot_t;


/*
 * A secret of the connector's tenant by the name in the document.  NGX_OK, or
 * NGX_DECLINED: it cannot be read (logged), or is not there where name is.
 */
ngx_int_t ngx_http_sync_credentials_secret(ngx_http_sync_ctx_t *ctx,
    sync_str_t name, sync_str_t *secret);

/* 503: a secret cannot be used. */
ngx_int_t ngx_http_sync_credentials_refuse(ngx_http_sync_ctx_t *ctx);

/* Wipes s when the request goes.  NGX_OK or NGX_ERROR. */
ngx_int_t ngx_http_sync_credentials_wiped(ngx_http_request_t *r,
    ngx_str_t *s);

/* Authorization: SCHEME " " value, wiped at the end.  NGX_OK or NGX_ERROR. */
ngx_int_t ngx_http_sync_credentials_set(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, const char *scheme, sync_str_t value);

/* May these bytes stand in a header? */
ngx_uint_t ngx_http_sync_credentials_clean(sync_str_t value);


/* What signs each request anew, in _sign.c; they answer as a step does. */

ngx_int_t ngx_http_sync_credentials_oauth1(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, const sync_doc_credential_t *c);
ngx_int_t ngx_http_sync_credentials_body(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, const sync_doc_credential_t *c);
ngx_int_t ngx_http_sync_credentials_wsse(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, const sync_doc_credential_t *c);


#endif /* NGX_HTTP_SYNC_CREDENTIALS_H_INCLUDED_ */
