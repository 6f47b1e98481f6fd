
/*
 * Idempotency: at most once for each Idempotency-Key
 * (draft-ietf-httpapi-idempotency-key-header).
 *
 * The claim step reads the body, prints the request and claims its key; the
 * send step leaves a note of how to resolve the key should nobody ever learn
 * how the exchange ended.  What came of it is settled by the response steps.
 */


#include "ngx_http_sync_idempotency.h"
#include "ngx_http_sync_claim.h"


#define NGX_HTTP_SYNC_LEASE_MARGIN          15000
#define NGX_HTTP_SYNC_RETENTION             (24 * 3600 * 1000)
#define NGX_HTTP_SYNC_RETENTION_WEBHOOK     (96 * 3600 * 1000)
#define NGX_HTTP_SYNC_WEBHOOK_RETRY         30       /* seconds */
#define NGX_HTTP_SYNC_WAITERS               256      /* per worker */
#define NGX_HTTP_SYNC_POLL                  50       /* ms */


typedef enum {
    NGX_HTTP_SYNC_IDEM_START = 0,
    NGX_HTTP_SYNC_IDEM_BODY,
    NGX_HTTP_SYNC_IDEM_CLAIM,
    NGX_HTTP_SYNC_IDEM_CLAIMING,
    NGX_HTTP_SYNC_IDEM_WAITING,
    NGX_HTTP_SYNC_IDEM_RESOLVING,
    NGX_HTTP_SYNC_IDEM_FREEING
} ngx_http_sync_idem_state_e;


typedef struct {
    ngx_http_sync_idem_state_e  state;
    ngx_sync_store_t           *store;   /* where this tenant's keys are */
    ngx_sync_op_t               op;
    ngx_sync_claim_t            claim;
    ngx_event_t                 poll;
    ngx_msec_t                  wait_until;
    ngx_sync_op_t               note_op;
    ngx_sync_hold_t             note_hold;
    ngx_uint_t                  found;   /* what the store last said of it */
    unsigned                    waiter:1;
    unsigned                    freed:1;
    unsigned                    asked:1;     /* op, and not looked at yet */
} ngx_http_sync_idem_slot_t;


static ngx_uint_t ngx_http_sync_idempotency_enabled(ngx_http_request_t *r);
static ngx_int_t ngx_http_sync_idempotency_run(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);
static void ngx_http_sync_idempotency_cancel(ngx_http_sync_ctx_t *ctx);
static void ngx_http_sync_idempotency_leave(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);
static ngx_int_t ngx_http_sync_send_run(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);
static void ngx_http_sync_send_cancel(ngx_http_sync_ctx_t *ctx);
static void ngx_http_sync_note_handler(ngx_sync_op_t *op);

static ngx_int_t ngx_http_sync_idem_place(ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_idempotency_main_conf_t *imcf,
    ngx_http_sync_idem_slot_t *slot);
static ngx_int_t ngx_http_sync_idem_prepare(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, ngx_http_sync_idempotency_loc_conf_t *ilcf,
    ngx_http_sync_idem_slot_t *slot);
static ngx_int_t ngx_http_sync_idem_claimed(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, ngx_http_sync_idempotency_loc_conf_t *ilcf,
    ngx_http_sync_idem_slot_t *slot);
static ngx_int_t ngx_http_sync_idem_granted(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, ngx_http_sync_idempotency_loc_conf_t *ilcf,
    ngx_http_sync_idem_slot_t *slot, uint64_t epoch);
static ngx_int_t ngx_http_sync_idem_busy(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, ngx_http_sync_idempotency_loc_conf_t *ilcf,
    ngx_http_sync_idem_slot_t *slot);
static ngx_uint_t ngx_http_sync_idem_conflict(ngx_http_sync_ctx_t *ctx);
static ngx_int_t ngx_http_sync_idem_refuse_busy(ngx_http_sync_ctx_t *ctx,
    ngx_uint_t retry_after);
static ngx_int_t ngx_http_sync_idem_unknown(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, ngx_http_sync_idem_slot_t *slot);
static ngx_int_t ngx_http_sync_idem_refuse_unknown(ngx_http_sync_ctx_t *ctx);
static ngx_int_t ngx_http_sync_idem_resolved(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, ngx_http_sync_idempotency_loc_conf_t *ilcf,
    ngx_http_sync_idem_slot_t *slot);
static ngx_int_t ngx_http_sync_idem_replay(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, ngx_str_t *record);
static ngx_int_t ngx_http_sync_idem_down(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, ngx_http_sync_idempotency_loc_conf_t *ilcf,
    ngx_http_sync_idem_slot_t *slot);
static void ngx_http_sync_idem_poll(ngx_event_t *ev);
static void ngx_http_sync_idem_stop_waiting(ngx_http_sync_idem_slot_t *slot);
static void ngx_http_sync_idem_let_go(ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_idem_slot_t *slot);
static void ngx_http_sync_idem_unresolve(ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_idem_slot_t *slot, ngx_uint_t told);


const ngx_http_sync_step_t  ngx_http_sync_idempotency_step = {
    "idempotency",
    NGX_HTTP_SYNC_STAGE_PRECONTENT,
    NGX_HTTP_SYNC_STEP_IDEMPOTENCY,
    ngx_http_sync_idempotency_enabled,
    1,
    ngx_http_sync_idempotency_run,
    ngx_http_sync_idempotency_cancel,
    ngx_http_sync_idempotency_leave,
    NULL
};


const ngx_http_sync_step_t  ngx_http_sync_send_step = {
    "send",
    NGX_HTTP_SYNC_STAGE_PRECONTENT,
    NGX_HTTP_SYNC_STEP_SEND,
    ngx_http_sync_idempotency_enabled,
    1,
    ngx_http_sync_send_run,
    ngx_http_sync_send_cancel,
    NULL,
    NULL
};


static ngx_uint_t  ngx_http_sync_waiters;


static ngx_uint_t
ngx_http_sync_idempotency_enabled(ngx_http_request_t *r)
{
    ngx_http_sync_idempotency_loc_conf_t  *ilcf;

    ilcf = ngx_http_get_module_loc_conf(r, ngx_http_sync_idempotency_module);

    return ilcf->mode != NGX_HTTP_SYNC_IDEMPOTENCY_OFF
           && (r->method & ilcf->methods);
}


static ngx_int_t
ngx_http_sync_idempotency_run(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx)
{
    ngx_int_t                               rc;
    ngx_http_sync_idem_slot_t              *slot;
    ngx_http_sync_idempotency_loc_conf_t   *ilcf;
    ngx_http_sync_idempotency_main_conf_t  *imcf;

    ilcf = ngx_http_get_module_loc_conf(r, ngx_http_sync_idempotency_module);
    imcf = ngx_http_get_module_main_conf(r, ngx_http_sync_idempotency_module);

    if (ctx->dry_run) {

        /* nothing is sent, so nothing is claimed */

        return NGX_DECLINED;
    }

    slot = ctx->slots[NGX_HTTP_SYNC_STEP_IDEMPOTENCY];

    if (slot == NULL) {
        slot = ngx_pcalloc(r->pool, sizeof(ngx_http_sync_idem_slot_t));
        if (slot == NULL) {
            return NGX_ERROR;
        }

        ctx->slots[NGX_HTTP_SYNC_STEP_IDEMPOTENCY] = slot;
    }

    for ( ;; ) {

        switch (slot->state) {

        case NGX_HTTP_SYNC_IDEM_START:

            rc = ngx_http_sync_idem_key(r, ctx, ilcf);
            if (rc != NGX_OK) {
                return rc;
            }

            slot->state = NGX_HTTP_SYNC_IDEM_BODY;

            /* fall through */

        case NGX_HTTP_SYNC_IDEM_BODY:

            rc = ngx_http_sync_read_body(r, ctx);
            if (rc != NGX_OK) {
                return rc;
            }

            rc = ngx_http_sync_idem_place(ctx, imcf, slot);
            if (rc != NGX_OK) {
                return rc;
            }

            rc = ngx_http_sync_idem_prepare(r, ctx, ilcf, slot);
            if (rc != NGX_OK) {
                return rc;
            }

            slot->state = NGX_HTTP_SYNC_IDEM_CLAIM;

            /* fall through */

        case NGX_HTTP_SYNC_IDEM_CLAIM:

            ngx_http_sync_op_init(ctx, &slot->op);
            slot->asked = 1;
            slot->state = NGX_HTTP_SYNC_IDEM_CLAIMING;
            ctx->claim.lease_end = ngx_current_msec + slot->claim.lease;

            rc = slot->store->ops->claim(slot->store, &slot->op, &slot->claim);
            if (rc == NGX_AGAIN) {
                return NGX_AGAIN;
            }

            /* fall through */

        case NGX_HTTP_SYNC_IDEM_CLAIMING:

            rc = ngx_http_sync_idem_claimed(r, ctx, ilcf, slot);
            break;

        case NGX_HTTP_SYNC_IDEM_WAITING:

            slot->state = NGX_HTTP_SYNC_IDEM_CLAIM;
            continue;

        case NGX_HTTP_SYNC_IDEM_RESOLVING:
        default: /* NGX_HTTP_SYNC_IDEM_FREEING */

            rc = ngx_http_sync_idem_resolved(r, ctx, ilcf, slot);
            break;
        }

        if (rc != NGX_BUSY) {
            return rc;
        }

        /* the state has moved on, and what it waits for is there */
    }
}


static ngx_int_t
ngx_http_sync_idem_prepare(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_idempotency_loc_conf_t *ilcf,
    ngx_http_sync_idem_slot_t *slot)
{
    ngx_int_t                  rc;
    ngx_sync_claim_t          *claim;
    ngx_http_sync_loc_conf_t  *slcf;

    slcf = ngx_http_get_module_loc_conf(r, ngx_http_sync_module);
    claim = &slot->claim;

    rc = ngx_http_sync_idem_name(r, ctx, ilcf, &claim->key);
    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_http_sync_idem_print(r, ctx, ilcf, claim->print);
    if (rc != NGX_OK) {
        return rc;
    }

    if (sync_random(claim->owner, NGX_SYNC_OWNER_LEN) != SYNC_OK) {
        return NGX_ERROR;
    }

    claim->lease = ilcf->lease ? ilcf->lease
                               : slcf->deadline + NGX_HTTP_SYNC_LEASE_MARGIN;

    claim->retention = NGX_HTTP_SYNC_RETENTION;

    if (ilcf->retention) {
        claim->retention = ilcf->retention;

    } else if (ctx->claim.webhook) {
        claim->retention = NGX_HTTP_SYNC_RETENTION_WEBHOOK;

        if (ctx->tenant.doc != NULL
            && sync_doc_webhooks(ctx->tenant.doc) != 0)
        {
            claim->retention = sync_doc_webhooks(ctx->tenant.doc);
        }

    } else if (ctx->tenant.doc != NULL
               && sync_doc_retention(ctx->tenant.doc) != 0)
    {
        claim->retention = sync_doc_retention(ctx->tenant.doc);
    }

    if (claim->retention < claim->lease) {
        claim->retention = claim->lease;
    }

    claim->max_keys = ilcf->max_keys;
    claim->max_bytes = ilcf->max_bytes;

    /* what a kept answer is bound to */

    ctx->claim.hold.key = claim->key;
    ngx_memcpy(ctx->claim.print, claim->print, NGX_SYNC_PRINT_LEN);

    slot->wait_until = ngx_current_msec + ilcf->wait;

    return NGX_OK;
}


static ngx_int_t
ngx_http_sync_idem_place(ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_idempotency_main_conf_t *imcf,
    ngx_http_sync_idem_slot_t *slot)
{
    sync_str_t  residency;

    slot->store = ngx_http_sync_idem_store(imcf, ctx->tenant.doc);

    if (slot->store == NULL) {
        residency = sync_doc_residency(ctx->tenant.doc);

        ngx_log_error(NGX_LOG_ERR, ctx->request->connection->log, 0,
                      "idempotency: tenant \"%V\" lives in \"%*s\", but no "
                      "sync_store has that name", &ctx->tenant.name,
                      residency.len, residency.data);

        return ngx_http_sync_problem(ctx, NGX_HTTP_SERVICE_UNAVAILABLE,
                                     "tenant-misconfigured",
                                     "The tenant is not set up right",
                                     NGX_HTTP_SYNC_TECHNICAL,
                                     "there is no store where its data is to "
                                     "be kept");
    }

    return NGX_OK;
}


/*
 * What the store says of the key.  NGX_BUSY: enter the machine again.
 */

static ngx_int_t
ngx_http_sync_idem_claimed(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_idempotency_loc_conf_t *ilcf,
    ngx_http_sync_idem_slot_t *slot)
{
    ngx_sync_claim_t  *claim;

    claim = &slot->claim;
    slot->asked = 0;

    if (slot->op.result != NGX_SYNC_STORE_DOWN) {
        slot->found = slot->op.result;
    }

    switch (slot->op.result) {

    case NGX_SYNC_STORE_OK:
        ngx_http_sync_idem_stop_waiting(slot);
        return ngx_http_sync_idem_granted(r, ctx, ilcf, slot,
                                          claim->entry.epoch);

    case NGX_SYNC_STORE_DONE:
        ngx_http_sync_idem_stop_waiting(slot);
        return ngx_http_sync_idem_replay(r, ctx, &claim->entry.record);

    case NGX_SYNC_STORE_BUSY:
        return ngx_http_sync_idem_busy(r, ctx, ilcf, slot);

    case NGX_SYNC_STORE_UNKNOWN:
        ngx_http_sync_idem_stop_waiting(slot);
        return ngx_http_sync_idem_unknown(r, ctx, slot);

    case NGX_SYNC_STORE_MISMATCH:
        ctx->claim.state = NGX_HTTP_SYNC_CLAIM_REFUSED;
        ngx_str_set(&ctx->claim.status, "mismatch");

        return ngx_http_sync_problem(ctx, 422, "idempotency-key-reused",
                                     "The key was used for another request",
                                     NGX_HTTP_SYNC_BUSINESS,
                                     "a retry repeats path, query, media type, "
                                     "If-Match and body; another request needs "
                                     "a key of its own");

    case NGX_SYNC_STORE_FULL:
        ctx->problem.retry_after = 1;
        ctx->claim.state = NGX_HTTP_SYNC_CLAIM_REFUSED;
        ngx_str_set(&ctx->claim.status, "refused");

        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "idempotency: no room for a key, tenant \"%V\"",
                      &ctx->tenant.id);

        return ngx_http_sync_problem(ctx, NGX_HTTP_SERVICE_UNAVAILABLE,
                                     "store-full", "No room for this key",
                                     NGX_HTTP_SYNC_TECHNICAL,
                                     "the zone is full or the tenant has "
                                     "reached its cap; nothing was sent");

    case NGX_SYNC_STORE_QUEUED:
        ctx->claim.state = NGX_HTTP_SYNC_CLAIM_REFUSED;
        ngx_str_set(&ctx->claim.status, "queued");

        return ngx_http_sync_problem(ctx, NGX_HTTP_CONFLICT, "queued",
                                     "The request is queued",
                                     NGX_HTTP_SYNC_BUSINESS,
                                     "it was accepted and waits for delivery");

    default: /* NGX_SYNC_STORE_DOWN */
        ngx_http_sync_idem_stop_waiting(slot);
        return ngx_http_sync_idem_down(r, ctx, ilcf, slot);
    }
}


static ngx_int_t
ngx_http_sync_idem_granted(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_idempotency_loc_conf_t *ilcf,
    ngx_http_sync_idem_slot_t *slot, uint64_t epoch)
{
    ngx_sync_hold_t                        *hold;

    hold = &ctx->claim.hold;

    hold->epoch = epoch;
    hold->lease = slot->claim.lease;
    hold->retention = slot->claim.retention;
    ngx_memcpy(hold->owner, slot->claim.owner, NGX_SYNC_OWNER_LEN);

    ctx->claim.state = NGX_HTTP_SYNC_CLAIM_HELD;
    ctx->claim.store = slot->store;
    ctx->claim.on_unknown = ilcf->on_unknown;
    ctx->claim.cap = ilcf->cap;
    ctx->claim.keep = ilcf->keep;
    ctx->answer.cap = ilcf->cap;

    ngx_str_set(&ctx->claim.status, "executed");

    ngx_http_sync_trace(ctx, "idempotency", "claimed, epoch %uL", epoch);

    return NGX_OK;
}


static ngx_int_t
ngx_http_sync_idem_busy(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_idempotency_loc_conf_t *ilcf,
    ngx_http_sync_idem_slot_t *slot)
{
    int64_t     left;
    ngx_msec_t  wait;
    ngx_time_t  *tp;

    wait = 0;

    if ((ngx_msec_int_t) (slot->wait_until - ngx_current_msec) > 0) {
        wait = slot->wait_until - ngx_current_msec;
    }

    if (wait && !slot->waiter && ngx_http_sync_waiters < NGX_HTTP_SYNC_WAITERS)
    {
        slot->waiter = 1;
        ngx_http_sync_waiters++;
    }

    if (wait && slot->waiter) {
        slot->state = NGX_HTTP_SYNC_IDEM_WAITING;

        slot->poll.handler = ngx_http_sync_idem_poll;
        slot->poll.data = ctx;
        slot->poll.log = r->connection->log;

        ngx_add_timer(&slot->poll, ngx_min(wait, NGX_HTTP_SYNC_POLL));

        return NGX_AGAIN;
    }

    ngx_http_sync_idem_stop_waiting(slot);

    tp = ngx_timeofday();
    left = slot->claim.entry.until - ((int64_t) tp->sec * 1000 + tp->msec);

    return ngx_http_sync_idem_refuse_busy(ctx, left > 2000 ? 2 : 1);
}


/* Senders of webhooks give up at a 4xx, and come again after a 503. */

static ngx_uint_t
ngx_http_sync_idem_conflict(ngx_http_sync_ctx_t *ctx)
{
    return ctx->claim.webhook ? NGX_HTTP_SERVICE_UNAVAILABLE
                              : NGX_HTTP_CONFLICT;
}


static ngx_int_t
ngx_http_sync_idem_refuse_busy(ngx_http_sync_ctx_t *ctx,
    ngx_uint_t retry_after)
{
    ctx->claim.state = NGX_HTTP_SYNC_CLAIM_REFUSED;
    ngx_str_set(&ctx->claim.status, "in-progress");
    ctx->verdict = "in-progress";
    ctx->problem.retry_after = retry_after;

    return ngx_http_sync_problem(ctx, ngx_http_sync_idem_conflict(ctx),
                                 "idempotency-in-progress",
                                 "The same request is in progress",
                                 NGX_HTTP_SYNC_TECHNICAL,
                                 "its answer will be given to a retry with "
                                 "the same key");
}


static void
ngx_http_sync_idem_poll(ngx_event_t *ev)
{
    ngx_http_sync_wake(ev->data);
}


static void
ngx_http_sync_idem_stop_waiting(ngx_http_sync_idem_slot_t *slot)
{
    if (slot->waiter) {
        slot->waiter = 0;
        ngx_http_sync_waiters--;
    }

    if (slot->poll.timer_set) {
        ngx_del_timer(&slot->poll);
    }
}


/*
 * Nobody knows how the first try ended.  The note says what may be done.
 */

static ngx_int_t
ngx_http_sync_idem_unknown(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_idem_slot_t *slot)
{
    ngx_int_t                               rc;
    ngx_uint_t                              rule;
    ngx_sync_hold_t                        *hold;

    if (ngx_http_sync_note_read(&slot->claim.entry.note, &rule,
                                &ctx->claim.connector)
        != NGX_OK)
    {
        rule = SYNC_UNKNOWN_HOLD;
    }

    if (rule == SYNC_UNKNOWN_HOLD) {
        return ngx_http_sync_idem_refuse_unknown(ctx);
    }

    hold = &ctx->claim.hold;

    hold->lease = slot->claim.lease;
    hold->retention = slot->claim.retention;
    ngx_memcpy(hold->owner, slot->claim.owner, NGX_SYNC_OWNER_LEN);

    ctx->claim.on_unknown = rule;
    ctx->claim.lease_end = ngx_current_msec + hold->lease;
    slot->state = NGX_HTTP_SYNC_IDEM_RESOLVING;

    ngx_http_sync_op_init(ctx, &slot->op);
    slot->asked = 1;

    rc = slot->store->ops->resolve_begin(slot->store, &slot->op, hold);

    return rc == NGX_AGAIN ? NGX_AGAIN : NGX_BUSY;
}


static ngx_int_t
ngx_http_sync_idem_refuse_unknown(ngx_http_sync_ctx_t *ctx)
{
    ctx->claim.state = NGX_HTTP_SYNC_CLAIM_REFUSED;
    ngx_str_set(&ctx->claim.status, "outcome-unknown");
    ctx->verdict = "outcome-unknown";

    if (ctx->claim.webhook && ctx->problem.retry_after == 0) {
        ctx->problem.retry_after = NGX_HTTP_SYNC_WEBHOOK_RETRY;
    }

    return ngx_http_sync_problem(ctx, ngx_http_sync_idem_conflict(ctx),
                                 "outcome-unknown",
                                 "Nobody knows how this request ended",
                                 NGX_HTTP_SYNC_TECHNICAL,
                                 "it was sent and no answer came; it is not "
                                 "sent again until its outcome is known");
}


static ngx_int_t
ngx_http_sync_idem_resolved(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_idempotency_loc_conf_t *ilcf,
    ngx_http_sync_idem_slot_t *slot)
{
    ngx_int_t                               rc;
    ngx_uint_t                              rule;
    ngx_sync_hold_t                        *hold;

    hold = &ctx->claim.hold;
    slot->asked = 0;

    if (slot->state == NGX_HTTP_SYNC_IDEM_FREEING) {

        if (slot->op.result == NGX_SYNC_STORE_DOWN) {
            ngx_http_sync_idem_unresolve(ctx, slot, 0);
            return ngx_http_sync_idem_down(r, ctx, ilcf, slot);
        }

        /* free again, or somebody was faster: claim as if it were new */

        if (slot->op.result == NGX_SYNC_STORE_OK) {
            slot->found = NGX_SYNC_STORE_OK;
        }

        ngx_str_null(&ctx->claim.connector);
        slot->state = NGX_HTTP_SYNC_IDEM_CLAIM;

        return NGX_BUSY;
    }

    switch (slot->op.result) {

    case NGX_SYNC_STORE_OK:
        break;

    case NGX_SYNC_STORE_DONE:
        return ngx_http_sync_idem_replay(r, ctx, &hold->entry.record);

    case NGX_SYNC_STORE_BUSY:
        slot->claim.entry.until = hold->entry.until;
        return ngx_http_sync_idem_busy(r, ctx, ilcf, slot);

    case NGX_SYNC_STORE_DOWN:
        ngx_http_sync_idem_unresolve(ctx, slot, 0);
        return ngx_http_sync_idem_down(r, ctx, ilcf, slot);

    default:
        if (slot->freed) {
            return NGX_ERROR;
        }

        slot->freed = 1;
        slot->state = NGX_HTTP_SYNC_IDEM_CLAIM;

        return NGX_BUSY;
    }

    rule = ctx->claim.on_unknown;

    if (rule == SYNC_UNKNOWN_RELEASE) {
        hold->epoch = hold->entry.epoch;
        hold->outcome = NGX_SYNC_STATE_NONE;
        slot->state = NGX_HTTP_SYNC_IDEM_FREEING;

        ngx_http_sync_op_init(ctx, &slot->op);
        slot->asked = 1;

        rc = slot->store->ops->resolve_end(slot->store, &slot->op, hold);

        return rc == NGX_AGAIN ? NGX_AGAIN : NGX_BUSY;
    }

    rc = ngx_http_sync_idem_granted(r, ctx, ilcf, slot, hold->entry.epoch);

    ctx->claim.resolving = 1;
    ctx->claim.on_unknown = rule;

    ngx_http_sync_trace(ctx, "idempotency", "outcome unknown, sent again");

    return rc;
}


static ngx_int_t
ngx_http_sync_idem_replay(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    ngx_str_t *record)
{
    ngx_int_t   rc;
    ngx_str_t   type, body;
    ngx_uint_t  status;

    static ngx_str_t  replayed = ngx_string("Idempotent-Replayed");
    static ngx_str_t  yes = ngx_string("true");

    rc = ngx_http_sync_record_read(r, ctx, record, &status, &type, &body);

    if (rc == NGX_DECLINED) {

        /*
         * It was executed, and what it answered is gone, bent, or somebody
         * else's.  Not sent again and nothing shown; a 5xx, so that a client
         * stays with its key.
         */

        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "idempotency: a kept answer cannot be opened: it was "
                      "changed, moved, or sealed under another sync_secret, "
                      "tenant \"%V\", %uz bytes", &ctx->tenant.id, record->len);

        ctx->claim.state = NGX_HTTP_SYNC_CLAIM_REFUSED;
        ctx->verdict = "unreadable";
        ngx_str_set(&ctx->claim.status, "unreadable");

        return ngx_http_sync_problem(ctx, NGX_HTTP_SERVICE_UNAVAILABLE,
                                     "record-unreadable",
                                     "The kept answer cannot be read",
                                     NGX_HTTP_SYNC_TECHNICAL,
                                     "the request was executed before and is "
                                     "not sent again");
    }

    if (rc == NGX_OK) {
        rc = ngx_http_sync_add_header(r, &replayed, &yes);
    }

    if (rc != NGX_OK) {
        return NGX_ERROR;
    }

    ctx->claim.state = NGX_HTTP_SYNC_CLAIM_REPLAYED;
    ctx->verdict = "replayed";
    ngx_str_set(&ctx->claim.status, "replayed");

    return ngx_http_sync_send_kept(r, ctx, status, &type, &body);
}


static ngx_int_t
ngx_http_sync_idem_down(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_idempotency_loc_conf_t *ilcf,
    ngx_http_sync_idem_slot_t *slot)
{
    /*
     * fail=open takes the risk that the key may have been used; that it is in
     * use was told before the store went
     */

    if (slot->found == NGX_SYNC_STORE_UNKNOWN) {
        ctx->problem.retry_after = 1;
        return ngx_http_sync_idem_refuse_unknown(ctx);
    }

    if (slot->found == NGX_SYNC_STORE_BUSY) {
        return ngx_http_sync_idem_refuse_busy(ctx, 1);
    }

    if (ilcf->fail == NGX_HTTP_SYNC_FAIL_OPEN) {
        ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                      "idempotency: the store does not answer, bypassed");

        ctx->claim.state = NGX_HTTP_SYNC_CLAIM_BYPASSED;
        ctx->verdict = "bypassed";
        ngx_str_set(&ctx->claim.status, "bypassed");

        return NGX_OK;
    }

    ctx->claim.state = NGX_HTTP_SYNC_CLAIM_REFUSED;
    ngx_str_set(&ctx->claim.status, "refused");
    ctx->problem.retry_after = 1;

    return ngx_http_sync_problem(ctx, NGX_HTTP_SERVICE_UNAVAILABLE,
                                 "store-unavailable",
                                 "The store does not answer",
                                 NGX_HTTP_SYNC_TECHNICAL,
                                 "nothing was sent; retry with the same key");
}


static void
ngx_http_sync_idempotency_cancel(ngx_http_sync_ctx_t *ctx)
{
    ngx_http_sync_idem_slot_t              *slot;

    slot = ctx->slots[NGX_HTTP_SYNC_STEP_IDEMPOTENCY];

    if (slot == NULL) {
        return;
    }

    ngx_http_sync_idem_stop_waiting(slot);
    ngx_http_sync_idem_let_go(ctx, slot);
    ngx_http_sync_claim_drop(ctx);
}


/*
 * The request goes while the store is asked, or has answered what nobody came
 * to look at: what it has granted is not left to its lease.
 */

static void
ngx_http_sync_idem_let_go(ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_idem_slot_t *slot)
{
    ngx_str_t         none;
    ngx_uint_t        pending;
    ngx_sync_hold_t  *hold;

    if (!slot->asked) {
        return;
    }

    slot->asked = 0;
    pending = slot->op.cell != NULL;

    ngx_sync_store_cancel(slot->store, &slot->op);

    if (!pending && slot->op.result != NGX_SYNC_STORE_OK) {
        return;
    }

    ngx_str_null(&none);

    hold = &ctx->claim.hold;
    ctx->claim.store = slot->store;

    if (slot->state == NGX_HTTP_SYNC_IDEM_CLAIMING) {

        if (pending) {

            /* the store releases it by itself */

            return;
        }

        hold->epoch = slot->claim.entry.epoch;
        hold->retention = slot->claim.retention;
        ngx_memcpy(hold->owner, slot->claim.owner, NGX_SYNC_OWNER_LEN);

        ngx_http_sync_claim_detach(ctx, NGX_SYNC_STATE_NONE, &none, &none);
        return;
    }

    ngx_http_sync_idem_unresolve(ctx, slot, !pending);
}


/* A resolver ends before it has sent anything; told: the store has said yes. */

static void
ngx_http_sync_idem_unresolve(ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_idem_slot_t *slot, ngx_uint_t told)
{
    ngx_str_t         none;
    ngx_sync_hold_t  *hold;

    if (slot->state == NGX_HTTP_SYNC_IDEM_FREEING && told) {
        return;
    }

    ngx_str_null(&none);

    hold = &ctx->claim.hold;

    ctx->claim.store = slot->store;
    ctx->claim.resolving = 1;

    if (slot->state == NGX_HTTP_SYNC_IDEM_FREEING) {
        ngx_http_sync_claim_detach(ctx, NGX_SYNC_STATE_NONE, &none, &none);

    } else { /* NGX_HTTP_SYNC_IDEM_RESOLVING: as unknown as it was */
        hold->epoch = told ? hold->entry.epoch : 0;
        ngx_http_sync_claim_detach(ctx, NGX_SYNC_STATE_UNKNOWN, &none, &none);
    }

    ctx->claim.resolving = 0;
}


/*
 * An internal redirect away from the location of the claim: whatever the new
 * one answers is not the answer to this key.  Where it wants a key, too, it
 * claims one of its own.
 */

static void
ngx_http_sync_idempotency_leave(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx)
{
    ngx_http_sync_idem_slot_t  *slot;

    slot = ctx->slots[NGX_HTTP_SYNC_STEP_IDEMPOTENCY];

    if (slot == NULL) {
        return;
    }

    ngx_http_sync_idem_stop_waiting(slot);
    ngx_http_sync_idem_let_go(ctx, slot);
    ngx_http_sync_claim_drop(ctx);

    if (ctx->claim.store != NULL) {
        ngx_sync_store_cancel(ctx->claim.store, &slot->note_op);
    }

    ngx_memzero(slot, sizeof(ngx_http_sync_idem_slot_t));
    ngx_str_null(&ctx->claim.connector);
    ctx->claim.resolving = 0;

    ctx->done &= ~(1u << NGX_HTTP_SYNC_STEP_IDEMPOTENCY
                   | 1u << NGX_HTTP_SYNC_STEP_SEND);
}


/*
 * The note leaves before the first byte goes upstream and is not awaited: a
 * record without a note is held when unknown, so nothing is lost but comfort.
 */

static ngx_int_t
ngx_http_sync_send_run(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx)
{
    ngx_http_sync_idem_slot_t  *slot;

    if (ctx->claim.state != NGX_HTTP_SYNC_CLAIM_HELD) {
        return NGX_DECLINED;
    }

    if (ctx->route.connector != SYNC_DOC_NONE) {
        ctx->claim.on_unknown = ctx->route.c.on_unknown;
    }

    slot = ctx->slots[NGX_HTTP_SYNC_STEP_IDEMPOTENCY];

    /* sent again: the first note may still be under way */

    ngx_sync_store_cancel(ctx->claim.store, &slot->note_op);

    slot->note_hold = ctx->claim.hold;

    if (ngx_http_sync_note_write(ctx, &slot->note_hold.note) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_http_sync_op_init(ctx, &slot->note_op);
    slot->note_op.handler = ngx_http_sync_note_handler;

    if (ctx->claim.store->ops->extend(ctx->claim.store, &slot->note_op,
                                      &slot->note_hold)
        == NGX_OK
        && slot->note_op.result == NGX_SYNC_STORE_FENCED)
    {
        /* the way here took longer than the lease: another one has the key */

        ctx->claim.state = NGX_HTTP_SYNC_CLAIM_REFUSED;
        ngx_str_set(&ctx->claim.status, "in-progress");
        ctx->problem.retry_after = 1;

        return ngx_http_sync_problem(ctx, ngx_http_sync_idem_conflict(ctx),
                                     "idempotency-in-progress",
                                     "The same request is in progress",
                                     NGX_HTTP_SYNC_TECHNICAL,
                                     "the claim was taken over before "
                                     "anything was sent");
    }

    ctx->claim.lease_end = ngx_current_msec + slot->note_hold.lease;

    return NGX_OK;
}


static void
ngx_http_sync_note_handler(ngx_sync_op_t *op)
{
    /* what matters is that it left */
}


static void
ngx_http_sync_send_cancel(ngx_http_sync_ctx_t *ctx)
{
    ngx_http_sync_idem_slot_t  *slot;

    slot = ctx->slots[NGX_HTTP_SYNC_STEP_IDEMPOTENCY];

    if (slot != NULL && ctx->claim.store != NULL) {
        ngx_sync_store_cancel(ctx->claim.store, &slot->note_op);
    }
}
