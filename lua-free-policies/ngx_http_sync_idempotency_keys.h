
/*
 * sync_keys: what its three files share.
 */


#ifndef NGX_HTTP_SYNC_IDEMPOTENCY_KEYS_H_INCLUDED_
#define NGX_HTTP_SYNC_IDEMPOTENCY_KEYS_H_INCLUDED_


#include "ngx_http_sync_idempotency.h"


#define NGX_HTTP_SYNC_KEYS_SHOWN   16
#define NGX_HTTP_SYNC_KEYS_LEASE   10000     /* ms, to free one */
#define NGX_HTTP_SYNC_PLACES       16        /* of a tenant, in a store */


typedef enum {
    NGX_HTTP_SYNC_KEYS_LOOK = 0,
    NGX_HTTP_SYNC_KEYS_BEGIN,                /* takes the key over, */
    NGX_HTTP_SYNC_KEYS_END,                  /* and lets go of it */
    NGX_HTTP_SYNC_KEYS_CHECK
} ngx_http_sync_keys_state_e;


typedef struct ngx_http_sync_keys_ctx_s  ngx_http_sync_keys_ctx_t;


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


/* A key of nobody's, with which a check tries one place of a store. */

typedef struct {
    ngx_sync_op_t                op;
    ngx_http_sync_keys_ctx_t    *ctx;
    ngx_sync_claim_t             claim;
    ngx_sync_hold_t              hold;
    ngx_sync_look_t              look;
    uint64_t                     begun;      /* us */
    uint64_t                     took;       /* us, the last step */
    unsigned                     failed:1;
} ngx_http_sync_keys_trial_t;


typedef struct {
    ngx_sync_store_t            *store;
    ngx_http_sync_keys_trial_t   trials[NGX_HTTP_SYNC_PLACES];
    ngx_uint_t                   failed;     /* of them */

    ngx_uint_t                   steps;      /* that were taken; of each: */
    uint64_t                     took[NGX_HTTP_SYNC_CHECKS];   /* longest */
    ngx_sync_result_e            result[NGX_HTTP_SYNC_CHECKS]; /* worst */
} ngx_http_sync_keys_check_t;


struct ngx_http_sync_keys_ctx_s {
    ngx_http_request_t          *request;
    ngx_sync_store_t            *store;      /* the tenant's */
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

    ngx_http_sync_keys_check_t  *checks;     /* of each store */
    ngx_uint_t                   nchecks;
    ngx_uint_t                   step;       /* they are at */
    unsigned                     begun:1;
};


/* An operation was answered; the last one that is awaited goes on. */
void ngx_http_sync_keys_answered(ngx_http_sync_keys_ctx_t *ctx);


/*
 * ngx_http_sync_idempotency_check.c: all stores, the first of which is given,
 * are tried.  init: NGX_OK, NGX_ERROR; check: NGX_OK, it is over, or NGX_AGAIN.
 */

ngx_int_t ngx_http_sync_keys_check_init(ngx_http_request_t *r,
    ngx_http_sync_keys_ctx_t *ctx, ngx_sync_store_t *first);
ngx_int_t ngx_http_sync_keys_check(ngx_http_sync_keys_ctx_t *ctx);
void ngx_http_sync_keys_check_cancel(ngx_http_sync_keys_ctx_t *ctx);


/* The answers, in ngx_http_sync_idempotency_show.c. */

ngx_int_t ngx_http_sync_keys_show(ngx_http_request_t *r,
    ngx_http_sync_keys_ctx_t *ctx, ngx_uint_t released);
ngx_int_t ngx_http_sync_keys_show_check(ngx_http_request_t *r,
    ngx_http_sync_keys_ctx_t *ctx);
ngx_int_t ngx_http_sync_keys_refuse(ngx_http_request_t *r, ngx_uint_t status,
    const char *what);


#endif /* NGX_HTTP_SYNC_IDEMPOTENCY_KEYS_H_INCLUDED_ */
