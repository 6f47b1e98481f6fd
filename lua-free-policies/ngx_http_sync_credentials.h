
/*
 * Between the files of the credentials policy; for nobody else.
 */


#ifndef NGX_HTTP_SYNC_CREDENTIALS_H_INCLUDED_
#define NGX_HTTP_SYNC_CREDENTIALS_H_INCLUDED_


#include "ngx_http_sync_egress.h"
#include "ngx_http_sync_flight.h"
#include "ngx_http_sync_registry.h"
#include "sync_credentials.h"
#include "sync_crypto.h"


typedef struct {
    ngx_sync_fetch_conf_t  *fetch;       /* NULL: nobody may be asked */
} ngx_http_sync_credentials_main_conf_t;


/* Of the step; the one for tokens that were refused uses it, too. */

typedef struct {
    ngx_str_t                      body;     /* before a secret came into it */

    ngx_http_sync_flight_t         flight;   /* of the token */
    ngx_http_sync_flight_wait_t   *wait;
    ngx_http_sync_ctx_t           *ctx;
    ngx_event_t                    timer;    /* of a wait */
    uint64_t                       version;  /* that was sent; 0: none */

    unsigned                       replaced:1;
    unsigned                       late:1;   /* the deadline is over */
    unsigned                       renewing:1;
    unsigned                       led:1;    /* to a token, which was not there
                                                when it was looked for */
} ngx_http_sync_credentials_slot_t;


/* What a token is asked for with; secrets are the tenant's, or wiped. */

typedef struct {
    const sync_doc_credential_t  *c;
    sync_str_t                    id;
    sync_str_t                    secret;
    sync_str_t                    key;
    sync_str_t                    key_certificate;
    sync_str_t                    certificate;
    sync_str_t                    certificate_key;
    sync_str_t                    claims;    /* rendered */
    u_char                        seal[SYNC_AEAD_KEY_LEN];
} ngx_http_sync_token_t;


/*
 * A secret of the connector's tenant by the name in the document.  NGX_OK, or
 * NGX_DECLINED: it cannot be read (logged), or is not there where name is.
 */
ngx_int_t ngx_http_sync_credentials_secret(ngx_http_sync_ctx_t *ctx,
    sync_str_t name, sync_str_t *secret);

/* The slot of the request.  NULL: no memory. */
ngx_http_sync_credentials_slot_t *ngx_http_sync_credentials_slot(
    ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx);

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


/* A token that is fetched, in _token.c; answers as a step does. */

ngx_int_t ngx_http_sync_credentials_token(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, const sync_doc_credential_t *c);
void ngx_http_sync_credentials_token_cancel(ngx_http_sync_ctx_t *ctx);

extern const ngx_http_sync_step_t  ngx_http_sync_credentials_expired_step;


/*
 * Asks for a token on behalf of a flight that the caller leads, in _fetch.c;
 * the flight lands or crashes in any case.  vital: a request waits for it.
 * NGX_OK; NGX_DECLINED: it has crashed already.
 */
ngx_int_t ngx_http_sync_token_fetch(ngx_http_sync_ctx_t *ctx,
    ngx_sync_fetch_conf_t *conf, const ngx_http_sync_token_t *token,
    const ngx_http_sync_flight_t *flight, ngx_uint_t vital);

/*
 * The token of a flight's value, in the pool, wiped with it.  NGX_OK,
 * NGX_DECLINED (not sealed for this), NGX_ERROR.
 */
ngx_int_t ngx_http_sync_token_open(ngx_http_request_t *r,
    const ngx_http_sync_token_t *token, const ngx_http_sync_flight_t *flight,
    ngx_str_t *value, sync_str_t *bearer);


extern ngx_module_t  ngx_http_sync_credentials_module;


#endif /* NGX_HTTP_SYNC_CREDENTIALS_H_INCLUDED_ */
