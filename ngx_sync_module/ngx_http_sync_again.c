
/*
 * Sending again: upstream has refused a request without executing it, and the
 * same request enters the content phase once more.  Its handler is still that
 * of the location, so URL, headers and peer are evaluated afresh.
 *
 * The collector has dismissed the answer.  NGINX believes that it is being
 * sent, since r->buffered says so, and waits for the client: an event of our
 * own goes on from there, outside of all that is on the stack now.
 */


#include "ngx_http_sync_core.h"


static void ngx_http_sync_again_handler(ngx_event_t *ev);
static void ngx_http_sync_again_forget(ngx_http_request_t *r);
static void ngx_http_sync_again_run(ngx_http_request_t *r);


/* What runs once more: the steps before the bytes, and all of the answer. */

#define NGX_HTTP_SYNC_ANEW                                                    \
    (1u << NGX_HTTP_SYNC_STEP_CREDENTIALS | 1u << NGX_HTTP_SYNC_STEP_SESSION  \
     | 1u << NGX_HTTP_SYNC_STEP_SEND                                          \
     | 1u << NGX_HTTP_SYNC_STEP_CREDENTIALS_EXPIRED                           \
     | 1u << NGX_HTTP_SYNC_STEP_SESSION_EXPIRED)


ngx_uint_t
ngx_http_sync_may_send_again(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_step_e step)
{
    /* a second bit: it was for two steps already */

    if (r != r->main || ctx->answer.own || ctx->answer.received < NGX_HTTP_OK
        || ctx->resent & 1u << step || ctx->resent & (ctx->resent - 1)
        || ctx->expired || r->content_handler == NULL)
    {
        return 0;
    }

#if (NGX_HTTP_CACHE)

    if (r->cached) {
        return 0;
    }

#endif

    if (r->request_body_no_buffering) {

        /* it went upstream as it came, and is nowhere any more */

        return 0;
    }

    r->preserve_body = 1;

    return 1;
}


ngx_int_t
ngx_http_sync_send_again(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx)
{
    if (ctx->resend == NULL) {
        ctx->resend = ngx_pcalloc(r->pool, sizeof(ngx_event_t));
        if (ctx->resend == NULL) {
            return NGX_ERROR;
        }

        ctx->resend->handler = ngx_http_sync_again_handler;
        ctx->resend->data = ctx;
        ctx->resend->log = r->connection->log;
    }

    /* whoever ends the request before the event: nothing was executed */

    ctx->sent = 0;
    ctx->done &= ~NGX_HTTP_SYNC_ANEW;

    ngx_post_event(ctx->resend, &ngx_posted_events);

    return NGX_OK;
}


static void
ngx_http_sync_again_handler(ngx_event_t *ev)
{
    ngx_connection_t     *c;
    ngx_http_request_t   *r;
    ngx_http_sync_ctx_t  *ctx;

    ctx = ev->data;
    r = ctx->request;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    if (r->upstream->cleanup != NULL) {

        /*
         * The refusal is larger than what we hold: its rest is not waited for,
         * as ngx_http_upstream_create() would not
         */

        r->main->count++;
        (*r->upstream->cleanup)(r);
    }

    ngx_http_sync_aside_over(r, ctx);
    ngx_http_sync_aside_forget(r, ctx);

    ngx_http_sync_again_forget(r);

    if (r->upstream_states != NULL) {
        ctx->tried = r->upstream_states->nelts;
    }

    ctx->sent = 0;
    ctx->resending = 1;
    ctx->answer.dismissed = 0;

    ngx_log_debug0(NGX_LOG_DEBUG_HTTP, c->log, 0,
                   "runner: the request enters the content phase again");

    ngx_http_sync_again_run(r);

    ngx_http_run_posted_requests(c);
}


/* What the first answer has left in the request. */

static void
ngx_http_sync_again_forget(ngx_http_request_t *r)
{
    ngx_connection_t     *c;
    ngx_http_upstream_t  *u;

    c = r->connection;
    u = r->upstream;

    /* send_timeout, for an answer that is not sent */

    if (c->write->timer_set) {
        ngx_del_timer(c->write);
    }

    if (u->headers_in.x_accel_limit_rate != NULL || !u->buffering) {
        r->limit_rate = 0;
        r->limit_rate_set = 0;
    }

    r->upstream = NULL;

    ngx_http_clean_header(r);

    r->allow_ranges = 0;
    r->single_range = 0;
    r->expect_trailers = 0;

    r->buffered &= ~NGX_HTTP_SYNC_BUFFERED;
}


/* The steps that a request passes before it leaves, then the content phase. */

static void
ngx_http_sync_again_run(ngx_http_request_t *r)
{
    ngx_int_t             rc;
    ngx_http_sync_ctx_t  *ctx;

    ctx = ngx_http_sync_get_ctx(r);

    if (ctx->waiting) {

        /* a stray write event: what is waited for has not come yet */

        return;
    }

    r->read_event_handler = ngx_http_block_reading;

    rc = ngx_http_sync_run_stage(r, ctx, NGX_HTTP_SYNC_STAGE_PRECONTENT);

    if (rc == NGX_DONE) {

        /* a step has answered, and r may be gone */

        return;
    }

    if (rc == NGX_AGAIN) {
        r->read_event_handler = ngx_http_test_reading;
        r->write_event_handler = ngx_http_sync_again_run;

        return;
    }

    ctx->resending = 0;

    if (rc == NGX_OK) {
        rc = ngx_http_sync_depart(r, ctx);
    }

    if (rc != NGX_OK) {
        ngx_http_finalize_request(r, rc);
        return;
    }

    r->write_event_handler = ngx_http_core_run_phases;
    ngx_http_core_run_phases(r);
}
