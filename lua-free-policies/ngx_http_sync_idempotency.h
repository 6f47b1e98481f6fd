
/*
 * Idempotency: what its directive says, for the steps that act on it.
 */


#ifndef NGX_HTTP_SYNC_IDEMPOTENCY_H_INCLUDED_
#define NGX_HTTP_SYNC_IDEMPOTENCY_H_INCLUDED_


#include "ngx_http_sync.h"
#include "sync_crypto.h"
#include "sync_sfv.h"


#define NGX_HTTP_SYNC_IDEMPOTENCY_OFF       0
#define NGX_HTTP_SYNC_IDEMPOTENCY_ON        1
#define NGX_HTTP_SYNC_IDEMPOTENCY_REQUIRED  2

#define NGX_HTTP_SYNC_FAIL_CLOSED           0
#define NGX_HTTP_SYNC_FAIL_OPEN             1


typedef struct {
    ngx_sync_store_t           *store;
    sync_hmac_t                 keys[NGX_HTTP_SYNC_SECRETS];
    ngx_uint_t                  nkeys;
    ngx_array_t                *places;      /* of ngx_http_sync_idem_place_t:
                                                where keys are claimed */
    unsigned                    asked:1;     /* sync_keys stands somewhere */
} ngx_http_sync_idempotency_main_conf_t;


typedef struct {
    ngx_str_t                   server;
    ngx_str_t                   name;
    ngx_uint_t                  methods;
    unsigned                    scope:1;     /* by a variable */
    unsigned                    auth:1;
} ngx_http_sync_idem_place_t;


typedef struct {
    ngx_uint_t                  mode;
    ngx_uint_t                  methods;
    ngx_http_complex_value_t   *scope;       /* NULL: none was given */
    ngx_uint_t                  scope_none;
    ngx_msec_t                  lease;       /* 0: from the deadline */
    ngx_msec_t                  retention;   /* 0: not said */
    ngx_msec_t                  wait;
    ngx_uint_t                  syntax;
    ngx_uint_t                  fail;
    ngx_uint_t                  on_unknown;
    ngx_str_t                   name;
    size_t                      cap;
    ngx_array_t                *keep;
    ngx_uint_t                  max_keys;
    size_t                      max_bytes;
} ngx_http_sync_idempotency_loc_conf_t;


/* What a key is named by. */

typedef struct {
    ngx_str_t                   tenant;      /* its id */
    ngx_str_t                   issuer;
    ngx_str_t                   client;
    ngx_str_t                   subject;
    ngx_str_t                   scope;
    ngx_str_t                   method;
    ngx_str_t                   server;      /* empty where a tenant or name=
                                                tells locations apart */
    ngx_str_t                   name;        /* of the location */
    ngx_str_t                   key;         /* the client's */
} ngx_http_sync_idem_parts_t;

void ngx_http_sync_idem_digest(ngx_http_sync_idempotency_main_conf_t *imcf,
    ngx_http_sync_idem_parts_t *parts, ngx_sync_key_t *key);

/* Where the keys of this tenant are; doc may be NULL.  NULL: no sync_store has
   the name of its residency. */
ngx_sync_store_t *ngx_http_sync_idem_store(
    ngx_http_sync_idempotency_main_conf_t *imcf, const sync_doc_t *doc);


/* ngx_http_sync_idempotency_key.c */

/*
 * The key of the request, in ctx->claim.key.  NGX_OK; NGX_DECLINED: there is
 * none, and none is needed; NGX_AGAIN: the body comes; a status with its
 * problem; NGX_ERROR.
 */
ngx_int_t ngx_http_sync_idem_key(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, ngx_http_sync_idempotency_loc_conf_t *ilcf);

/* The name of its record.  NGX_OK, NGX_ERROR or 400. */
ngx_int_t ngx_http_sync_idem_name(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, ngx_http_sync_idempotency_loc_conf_t *ilcf,
    ngx_sync_key_t *key);

/* What makes two requests the same one.  NGX_OK or NGX_ERROR. */
ngx_int_t ngx_http_sync_idem_print(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, ngx_http_sync_idempotency_loc_conf_t *ilcf,
    u_char *print);


/* sync_keys, for operators. */
char *ngx_http_sync_keys(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);


extern ngx_module_t  ngx_http_sync_idempotency_module;

extern const ngx_http_sync_step_t  ngx_http_sync_idempotency_step;
extern const ngx_http_sync_step_t  ngx_http_sync_send_step;


#endif /* NGX_HTTP_SYNC_IDEMPOTENCY_H_INCLUDED_ */
