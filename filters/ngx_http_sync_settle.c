
/*
 * Settle: the outcome of a claimed request is recorded before its first byte
 * reaches the client.  The claim ends on every way out.
 */


#include "ngx_http_sync.h"
#include "ngx_http_sync_claim.h"


typedef struct {
    ngx_sync_op_t    op;
    ngx_sync_hold_t  hold;
    unsigned         started:1;
} ngx_http_sync_settle_slot_t;


static ngx_uint_t ngx_http_sync_settle_enabled(ngx_http_request_t *r);
static ngx_int_t ngx_http_sync_settle_run(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);
static void ngx_http_sync_settle_cancel(ngx_http_sync_ctx_t *ctx);
static ngx_int_t ngx_http_sync_settle_outcome(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, ngx_sync_hold_t *hold);
static ngx_int_t ngx_http_sync_settle_done(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, ngx_http_sync_settle_slot_t *slot);
static ngx_int_t ngx_http_sync_settle_fenced(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, ngx_sync_entry_t *entry);


const ngx_http_sync_step_t  ngx_http_sync_settle_step = {
    "settle",
    NGX_HTTP_SYNC_STAGE_RESPONSE,
    NGX_HTTP_SYNC_STEP_SETTLE,
    ngx_http_sync_settle_enabled,
    1,
    ngx_http_sync_settle_run,
    ngx_http_sync_settle_cancel,
    NULL,
    NULL
};


static ngx_uint_t
ngx_http_sync_settle_enabled(ngx_http_request_t *r)
{
    ngx_http_sync_ctx_t  *ctx;

    ctx = ngx_http_sync_get_ctx(r);

    return ctx != NULL && ctx->claim.state == NGX_HTTP_SYNC_CLAIM_HELD;
}


static ngx_int_t
ngx_http_sync_settle_run(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx)
{
    ngx_int_t                     rc;
    ngx_sync_hold_t              *hold;
    ngx_http_sync_settle_slot_t  *slot;
    const ngx_sync_store_ops_t   *ops;

    slot = ctx->slots[NGX_HTTP_SYNC_STEP_SETTLE];

    if (slot != NULL) {
        return ngx_http_sync_settle_done(r, ctx, slot);
    }

    slot = ngx_pcalloc(r->pool, sizeof(ngx_http_sync_settle_slot_t));
    if (slot == NULL) {
        return NGX_ERROR;
    }

    ctx->slots[NGX_HTTP_SYNC_STEP_SETTLE] = slot;

    hold = &slot->hold;
    *hold = ctx->claim.hold;

    if (ngx_http_sync_settle_outcome(r, ctx, hold) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_http_sync_op_init(ctx, &slot->op);

    ops = ctx->claim.store->ops;

    if (ctx->claim.resolving) {
        rc = ops->resolve_end(ctx->claim.store, &slot->op, hold);

    } else if (hold->outcome == NGX_SYNC_STATE_NONE) {
        rc = ops->release(ctx->claim.store, &slot->op, hold);

    } else {
        rc = ops->settle(ctx->claim.store, &slot->op, hold);
    }

    if (rc == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    return ngx_http_sync_settle_done(r, ctx, slot);
}


static ngx_int_t
ngx_http_sync_settle_outcome(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    ngx_sync_hold_t *hold)
{
    ngx_http_sync_answer_t  *a;

    a = &ctx->answer;

    ngx_str_null(&hold->record);
    ngx_str_null(&hold->trimmed);

    switch (a->outcome) {

    case NGX_HTTP_SYNC_OUTCOME_SUCCESS:
    case NGX_HTTP_SYNC_OUTCOME_REFUSED:

        hold->outcome = NGX_SYNC_STATE_TRIMMED;
        ngx_str_set(&ctx->claim.status, "executed");

        if (a->over || a->truncated || a->own
            || a->body.len > ctx->claim.cap)
        {
            if (ngx_http_sync_record_write(r, ctx, &hold->trimmed, NULL)
                != NGX_OK)
            {
                return NGX_ERROR;
            }

            hold->record = hold->trimmed;
            return NGX_OK;
        }

        hold->outcome = NGX_SYNC_STATE_COMPLETE;

        return ngx_http_sync_record_write(r, ctx, &hold->trimmed,
                                          &hold->record);

    case NGX_HTTP_SYNC_OUTCOME_NOT_SENT:

        /* what an earlier try did is as unknown as it was */

        hold->outcome = ctx->claim.resolving ? NGX_SYNC_STATE_UNKNOWN
                                             : NGX_SYNC_STATE_NONE;

        if (r->upstream != NULL) {
            ngx_str_set(&ctx->claim.status, "not-sent");

        } else {
            ngx_str_set(&ctx->claim.status, "released");
        }

        return NGX_OK;

    case NGX_HTTP_SYNC_OUTCOME_TRANSIENT:

        if (ctx->claim.resolving) {

            /* this try was refused, not the one before it */

            hold->outcome = NGX_SYNC_STATE_UNKNOWN;
            ctx->verdict = "outcome-unknown";
            ngx_str_set(&ctx->claim.status, "outcome-unknown");

            return NGX_OK;
        }

        hold->outcome = NGX_SYNC_STATE_NONE;
        ngx_str_set(&ctx->claim.status, "released");

        return NGX_OK;

    default: /* NGX_HTTP_SYNC_OUTCOME_UNKNOWN, or nobody has looked */

        hold->outcome = NGX_SYNC_STATE_UNKNOWN;
        ngx_str_set(&ctx->claim.status, "outcome-unknown");

        return NGX_OK;
    }
}


static ngx_int_t
ngx_http_sync_settle_done(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_settle_slot_t *slot)
{
    ngx_sync_hold_t  *hold;

    hold = &slot->hold;

    switch (slot->op.result) {

    case NGX_SYNC_STORE_FENCED:
        ctx->claim.state = NGX_HTTP_SYNC_CLAIM_SETTLED;

        if (hold->outcome == NGX_SYNC_STATE_NONE) {
            return NGX_OK;
        }

        return ngx_http_sync_settle_fenced(r, ctx, &hold->entry);

    case NGX_SYNC_STORE_DOWN:

        /*
         * the answer is true, whether or not it is recorded: it goes out, and
         * the outcome is told to the store as long as the lease lasts
         */

        if (hold->outcome == NGX_SYNC_STATE_COMPLETE
            || hold->outcome == NGX_SYNC_STATE_TRIMMED)
        {
            ctx->verdict = "executed-unrecorded";
            ngx_str_set(&ctx->claim.status, "executed-unrecorded");
        }

        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "idempotency: the store does not answer, an outcome "
                      "is not recorded yet");

        ngx_http_sync_claim_detach(ctx, hold->outcome, &hold->record,
                                   &hold->trimmed);
        return NGX_OK;

    default: /* NGX_SYNC_STORE_OK */
        break;
    }

    ctx->claim.state = hold->outcome == NGX_SYNC_STATE_NONE
                       ? NGX_HTTP_SYNC_CLAIM_RELEASED
                       : NGX_HTTP_SYNC_CLAIM_SETTLED;

    ngx_http_sync_trace(ctx, "settle", "%V", &ctx->claim.status);

    return NGX_OK;
}


/* Somebody else has resolved the key: what stands there is the answer. */

static ngx_int_t
ngx_http_sync_settle_fenced(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    ngx_sync_entry_t *entry)
{
    ngx_str_t         type, body;
    ngx_uint_t        i, status;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                  "idempotency: the claim was taken over while the upstream "
                  "worked");

    if (entry->state == NGX_SYNC_STATE_COMPLETE
        || entry->state == NGX_SYNC_STATE_TRIMMED)
    {
        part = &r->headers_out.headers.part;
        h = part->elts;

        for (i = 0; /* void */ ; i++) {

            if (i >= part->nelts) {
                if (part->next == NULL) {
                    break;
                }

                part = part->next;
                h = part->elts;
                i = 0;
            }

            h[i].hash = 0;
        }

        r->headers_out.location = NULL;
        r->headers_out.content_encoding = NULL;
        r->headers_out.etag = NULL;

        if (ngx_http_sync_record_read(r, ctx, &entry->record, &status, &type,
                                      &body)
            == NGX_OK)
        {
            r->headers_out.content_type = type;
            r->headers_out.content_type_len = type.len;
            r->headers_out.content_type_lowcase = NULL;

            ctx->answer.status = status;
            ctx->answer.body = body;
            ctx->answer.replaced = 1;
            ctx->answer.own = 0;
            ctx->answer.over = 0;
            ctx->verdict = "replayed";
            ngx_str_set(&ctx->claim.status, "replayed");

            return NGX_OK;
        }
    }

    ngx_str_set(&ctx->claim.status, "outcome-unknown");
    ctx->verdict = "outcome-unknown";

    return ngx_http_sync_problem(ctx, NGX_HTTP_GATEWAY_TIME_OUT,
                                 "outcome-unknown",
                                 "Nobody knows how this request ended",
                                 NGX_HTTP_SYNC_TECHNICAL,
                                 "the claim was taken over by another request "
                                 "with the same key");
}


static void
ngx_http_sync_settle_cancel(ngx_http_sync_ctx_t *ctx)
{
    ngx_http_sync_settle_slot_t  *slot;

    slot = ctx->slots[NGX_HTTP_SYNC_STEP_SETTLE];

    if (slot == NULL || slot->op.cell == NULL) {
        return;
    }

    /* the request goes while the store works: the outcome goes on alone */

    ngx_sync_store_cancel(ctx->claim.store, &slot->op);

    ngx_http_sync_claim_detach(ctx, slot->hold.outcome, &slot->hold.record,
                               &slot->hold.trimmed);
}
