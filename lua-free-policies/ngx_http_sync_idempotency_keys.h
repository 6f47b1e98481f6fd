
/*
 * sync_keys: what its two files share.
 */


#ifndef NGX_HTTP_SYNC_IDEMPOTENCY_KEYS_H_INCLUDED_
#define NGX_HTTP_SYNC_IDEMPOTENCY_KEYS_H_INCLUDED_


#include "ngx_http_sync_idempotency.h"


#define NGX_HTTP_SYNC_KEYS_SHOWN   16


typedef enum {
    NGX_HTTP_SYNC_KEYS_LOOK = 0,
    NGX_HTTP_SYNC_KEYS_BEGIN,                /* takes the key over, */
    NGX_HTTP_SYNC_KEYS_END,                  /* and lets go of it */
    NGX_HTTP_SYNC_KEYS_CHECK
} ngx_http_sync_keys_state_e;


/* What a check does, in that order; the last one leaves nothing behind. */

typedef enum {
    NGX_HTTP_SYNC_CHECK_CLAIM = 0,
    NGX_HTTP_SYNC_CHECK_EXTEND,
    NGX_HTTP_SYNC_CHECK_SETTLE,
    NGX_HTTP_SYNC_CHECK_LOOK,
    NGX_HTTP_SYNC_CHECK_RESOLVE,
    NGX_HTTP_SYNC_CHECK_FREE,
    NGX_HTTP_SYNC_CHECKS
} ngx_http_sync_keys_check_e;


typedef struct {
    ngx_sync_op_t                op;
    ngx_sync_look_t              look;
    ngx_http_sync_idem_parts_t   parts;
} ngx_http_sync_keys_name_t;


typedef struct {
    ngx_http_request_t          *request;
    ngx_sync_store_t            *store;
    ngx_http_sync_keys_state_e   state;
    ngx_uint_t                   pending;

    ngx_array_t                  names;
    ngx_uint_t                   next;
    ngx_http_sync_keys_name_t   *found[NGX_HTTP_SYNC_KEYS_SHOWN];
    ngx_uint_t                   nfound;
    ngx_uint_t                   down;       /* looks that had no answer */

    ngx_http_sync_idem_parts_t   given;      /* by the query */
    ngx_str_t                    record;

    ngx_sync_op_t                op;
    ngx_sync_hold_t              hold;
    ngx_sync_claim_t             claim;
    ngx_sync_look_t              look;
    ngx_uint_t                   check;
    uint64_t                     begun;      /* us */
    uint64_t                     took[NGX_HTTP_SYNC_CHECKS];
    ngx_sync_result_e            result[NGX_HTTP_SYNC_CHECKS];
} ngx_http_sync_keys_ctx_t;


/* The answers, in ngx_http_sync_idempotency_show.c. */

ngx_int_t ngx_http_sync_keys_show(ngx_http_request_t *r,
    ngx_http_sync_keys_ctx_t *ctx, ngx_uint_t released);
ngx_int_t ngx_http_sync_keys_show_check(ngx_http_request_t *r,
    ngx_http_sync_keys_ctx_t *ctx);
ngx_int_t ngx_http_sync_keys_refuse(ngx_http_request_t *r, ngx_uint_t status,
    const char *what);


#endif /* NGX_HTTP_SYNC_IDEMPOTENCY_KEYS_H_INCLUDED_ */
