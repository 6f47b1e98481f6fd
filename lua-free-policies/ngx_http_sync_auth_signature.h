
/*
 * sync_auth signature=PROFILE, for the files of sync_auth alone.
 */


#ifndef NGX_HTTP_SYNC_AUTH_SIGNATURE_H_INCLUDED_
#define NGX_HTTP_SYNC_AUTH_SIGNATURE_H_INCLUDED_


#include "ngx_http_sync.h"
#include "sync_signature.h"


typedef struct ngx_http_sync_signature_conf_s  ngx_http_sync_signature_conf_t;

struct ngx_http_sync_signature_conf_s {
    sync_signature_scheme_t      scheme;
    ngx_str_t                    profile;    /* its name */
    ngx_array_t                  secrets;    /* of sync_signature_key_t, the
                                                platform's; none: those of the
                                                tenant's document */
    unsigned                     window:1;   /* was said */
};


/* Is there a header of a signature? */
ngx_uint_t ngx_http_sync_signature_given(ngx_http_request_t *r,
    ngx_http_sync_signature_conf_t *scf);

/*
 * Reads the body, verifies, fills ctx->principal.  NGX_OK; NGX_AGAIN (the body
 * comes); a status with its problem, which is the same for all that is wrong;
 * NGX_ERROR.
 */
ngx_int_t ngx_http_sync_auth_signature(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, ngx_http_sync_signature_conf_t *scf);

/*
 * The client of this tenant for whom a sender speaks whom the platform has
 * proven.  NGX_OK: ctx->principal is whole; NGX_DECLINED: there is none.
 */
ngx_int_t ngx_http_sync_signature_admit(ngx_http_sync_ctx_t *ctx);


/* configuration: ngx_http_sync_auth_signature_conf.c */

/*
 * A parameter of sync_auth.  NGX_OK: it was one of a signature; NGX_DECLINED;
 * NGX_ERROR: it is, and wrong, and that is logged.
 */
ngx_int_t ngx_http_sync_signature_param(ngx_conf_t *cf,
    ngx_http_sync_signature_conf_t **scf, ngx_str_t *value);

/* When all are read.  NGX_CONF_OK, or what is missing. */
char *ngx_http_sync_signature_complete(ngx_http_sync_signature_conf_t *scf);


#endif /* NGX_HTTP_SYNC_AUTH_SIGNATURE_H_INCLUDED_ */
