
/*
 * sync_keys: do the stores do what claims need?
 *
 * All that a claim needs is done with keys of nobody's, in each store, and in
 * each of the places over which a store spreads the keys of a tenant: in a
 * cluster they are on several servers.  All of them take a step, then the next
 * one; where a step has failed none follows.
 */


#include "ngx_http_sync_idempotency_keys.h"


static ngx_uint_t ngx_http_sync_keys_check_begin(
    ngx_http_sync_keys_ctx_t *ctx);
static ngx_uint_t ngx_http_sync_keys_check_end(ngx_http_sync_keys_ctx_t *ctx);
static ngx_int_t ngx_http_sync_keys_check_ask(ngx_sync_store_t *st,
    ngx_http_sync_keys_trial_t *trial, ngx_uint_t step);
static void ngx_http_sync_keys_check_done(ngx_sync_op_t *op);
static uint64_t ngx_http_sync_keys_clock(void);


ngx_int_t
ngx_http_sync_keys_check_init(ngx_http_request_t *r,
    ngx_http_sync_keys_ctx_t *ctx, ngx_sync_store_t *first)
{
    ngx_uint_t                   i, k, n;
    ngx_sync_claim_t            *claim;
    ngx_sync_store_t            *st;
    ngx_http_sync_keys_check_t  *check;

    n = 0;

    for (st = first; st; st = st->next) {
        n++;
    }

    check = ngx_pcalloc(r->pool, n * sizeof(ngx_http_sync_keys_check_t));
    if (check == NULL) {
        return NGX_ERROR;
    }

    for (st = first, i = 0; st; st = st->next, i++) {
        check[i].store = st;

        for (k = 0; k < NGX_HTTP_SYNC_PLACES; k++) {
            check[i].trials[k].ctx = ctx;

            claim = &check[i].trials[k].claim;

            if (sync_random(claim->owner, NGX_SYNC_OWNER_LEN) != SYNC_OK
                || sync_random(claim->key.name, NGX_SYNC_NAME_LEN) != SYNC_OK)
            {
                return NGX_ERROR;
            }

            claim->key.bucket = k;
            claim->lease = NGX_HTTP_SYNC_KEYS_LEASE;
            claim->retention = NGX_HTTP_SYNC_KEYS_LEASE;
        }
    }

    ctx->checks = check;
    ctx->nchecks = n;

    return NGX_OK;
}


ngx_int_t
ngx_http_sync_keys_check(ngx_http_sync_keys_ctx_t *ctx)
{
    for ( ;; ) {

        if (ctx->begun) {
            ctx->begun = 0;

            if (!ngx_http_sync_keys_check_end(ctx)) {
                return NGX_OK;
            }
        }

        ctx->begun = 1;

        if (ngx_http_sync_keys_check_begin(ctx)) {
            return NGX_AGAIN;
        }
    }
}


/* How many answers are awaited. */

static ngx_uint_t
ngx_http_sync_keys_check_begin(ngx_http_sync_keys_ctx_t *ctx)
{
    ngx_uint_t                   i, k;
    ngx_http_sync_keys_check_t  *check;
    ngx_http_sync_keys_trial_t  *trial;

    for (i = 0; i < ctx->nchecks; i++) {
        check = &ctx->checks[i];

        for (k = 0; k < NGX_HTTP_SYNC_PLACES; k++) {
            trial = &check->trials[k];

            if (trial->failed) {
                continue;
            }

            ngx_memzero(&trial->op, sizeof(ngx_sync_op_t));

            trial->op.handler = ngx_http_sync_keys_check_done;
            trial->op.data = trial;
            trial->op.log = ctx->request->connection->log;
            trial->op.pool = ctx->request->pool;

            trial->begun = ngx_http_sync_keys_clock();

            if (ngx_http_sync_keys_check_ask(check->store, trial, ctx->step)
                == NGX_AGAIN)
            {
                ctx->pending++;
                continue;
            }

            trial->took = ngx_http_sync_keys_clock() - trial->begun;
        }
    }

    return ctx->pending;
}


/* Whether there is another step to take. */

static ngx_uint_t
ngx_http_sync_keys_check_end(ngx_http_sync_keys_ctx_t *ctx)
{
    ngx_uint_t                   i, k, more;
    ngx_http_sync_keys_check_t  *check;
    ngx_http_sync_keys_trial_t  *trial;

    more = 0;

    for (i = 0; i < ctx->nchecks; i++) {
        check = &ctx->checks[i];

        if (check->failed == NGX_HTTP_SYNC_PLACES) {
            continue;
        }

        for (k = 0; k < NGX_HTTP_SYNC_PLACES; k++) {
            trial = &check->trials[k];

            if (trial->failed) {
                continue;
            }

            check->took[ctx->step] = ngx_max(check->took[ctx->step],
                                             trial->took);

            if (trial->op.result != NGX_SYNC_STORE_OK) {
                check->result[ctx->step] = ngx_max(check->result[ctx->step],
                                                   trial->op.result);
                check->failed++;
                trial->failed = 1;
            }
        }

        check->steps++;

        if (check->failed < NGX_HTTP_SYNC_PLACES) {
            more = 1;
        }
    }

    return ++ctx->step < NGX_HTTP_SYNC_CHECKS && more;
}


static ngx_int_t
ngx_http_sync_keys_check_ask(ngx_sync_store_t *st,
    ngx_http_sync_keys_trial_t *trial, ngx_uint_t step)
{
    ngx_sync_hold_t   *hold;
    ngx_sync_claim_t  *claim;

    claim = &trial->claim;
    hold = &trial->hold;

    switch (step) {

    case NGX_HTTP_SYNC_CHECK_CLAIM:

        return st->ops->claim(st, &trial->op, claim);

    case NGX_HTTP_SYNC_CHECK_EXTEND:

        hold->key = claim->key;
        hold->epoch = claim->entry.epoch;
        hold->lease = claim->lease;
        hold->retention = claim->retention;
        ngx_memcpy(hold->owner, claim->owner, NGX_SYNC_OWNER_LEN);
        ngx_str_set(&hold->note, "check");

        return st->ops->extend(st, &trial->op, hold);

    case NGX_HTTP_SYNC_CHECK_SETTLE:

        ngx_str_null(&hold->note);
        hold->outcome = NGX_SYNC_STATE_UNKNOWN;

        return st->ops->settle(st, &trial->op, hold);

    case NGX_HTTP_SYNC_CHECK_LOOK:

        trial->look.key = claim->key;

        return st->ops->look(st, &trial->op, &trial->look);

    case NGX_HTTP_SYNC_CHECK_RESOLVE:

        return st->ops->resolve_begin(st, &trial->op, hold);

    default: /* NGX_HTTP_SYNC_CHECK_FREE */

        hold->epoch = hold->entry.epoch;
        hold->outcome = NGX_SYNC_STATE_NONE;

        return st->ops->resolve_end(st, &trial->op, hold);
    }
}


static void
ngx_http_sync_keys_check_done(ngx_sync_op_t *op)
{
    ngx_http_sync_keys_trial_t  *trial;

    trial = op->data;
    trial->took = ngx_http_sync_keys_clock() - trial->begun;

    ngx_http_sync_keys_answered(trial->ctx);
}


void
ngx_http_sync_keys_check_cancel(ngx_http_sync_keys_ctx_t *ctx)
{
    ngx_uint_t                   i, k;
    ngx_http_sync_keys_check_t  *check;

    for (i = 0; i < ctx->nchecks; i++) {
        check = &ctx->checks[i];

        for (k = 0; k < NGX_HTTP_SYNC_PLACES; k++) {
            ngx_sync_store_cancel(check->store, &check->trials[k].op);
        }
    }
}


static uint64_t
ngx_http_sync_keys_clock(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}
