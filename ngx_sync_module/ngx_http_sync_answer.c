
/*
 * The answer collector: one header and one body filter.  Where a response step
 * applies, header and body are held within a bound, the steps run once all of
 * it is here, and then it goes out; where none applies, the answer streams as
 * NGINX does it.
 *
 * An answer over the bound is given to the steps before its first byte leaves
 * (answer.over), and streams from then on.
 *
 * An answer for which the request is sent again is dismissed: not a byte of it
 * leaves (ngx_http_sync_again.c).
 */


#include "ngx_http_sync_core.h"


static ngx_int_t ngx_http_sync_header_filter(ngx_http_request_t *r);
static ngx_int_t ngx_http_sync_body_filter(ngx_http_request_t *r,
    ngx_chain_t *in);
static ngx_http_sync_ctx_t *ngx_http_sync_refused_early(
    ngx_http_request_t *r);
static ngx_int_t ngx_http_sync_collect(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, ngx_chain_t *in);
static ngx_int_t ngx_http_sync_grow(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, size_t size);
static ngx_int_t ngx_http_sync_keep(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, ngx_chain_t *in);
static void ngx_http_sync_consume(ngx_chain_t *in);
static ngx_int_t ngx_http_sync_respond(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);
static ngx_int_t ngx_http_sync_dismiss(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);
static void ngx_http_sync_left_by_client(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);
static ngx_int_t ngx_http_sync_wait(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);
static void ngx_http_sync_go_on(ngx_http_request_t *r);
static void ngx_http_sync_own_problem(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);
static ngx_int_t ngx_http_sync_emit(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);
static ngx_int_t ngx_http_sync_problem_headers(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);


#define NGX_HTTP_SYNC_ANSWER_CAP    (256 * 1024)
#define NGX_HTTP_SYNC_ANSWER_START  4096


/* What the collector keeps besides what the steps see. */

typedef struct {
    u_char       *end;                   /* of the buffer behind answer.body */
    ngx_chain_t  *rest;                  /* behind the cap, not consumed */

    ngx_http_event_handler_pt  handler;  /* of the request, before go_on() */
} ngx_http_sync_collector_t;


static ngx_http_output_header_filter_pt  ngx_http_next_header_filter;
static ngx_http_output_body_filter_pt    ngx_http_next_body_filter;


void
ngx_http_sync_init_answer(ngx_conf_t *cf)
{
    ngx_http_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_http_sync_header_filter;

    ngx_http_next_body_filter = ngx_http_top_body_filter;
    ngx_http_top_body_filter = ngx_http_sync_body_filter;
}


static ngx_int_t
ngx_http_sync_header_filter(ngx_http_request_t *r)
{
    ngx_http_sync_ctx_t  *ctx;

    if (r != r->main) {
        return ngx_http_next_header_filter(r);
    }

    ctx = ngx_http_sync_get_ctx(r);

    if (ctx == NULL) {
        ctx = ngx_http_sync_refused_early(r);
    }

    if (ctx == NULL || ctx->answer.emitted) {
        return ngx_http_next_header_filter(r);
    }

    /* an internal redirect that was answered before PREACCESS, by "return" */

    ngx_http_sync_enter(r, ctx);

    if (ctx->answer.held) {

        /*
         * a second header: what was held has been given up by a filter or by
         * upstream, and NGINX answers in its place
         */

        ctx->answer.body.len = 0;
        ctx->answer.complete = 0;
        ctx->answer.truncated = 0;
    }

    ctx->answer.own = (r->err_status != 0 && (!r->error_page || ctx->again));

    if (!ctx->answer.own && r->err_status != 0) {

        /* the words of the user's own error_page */

        ctx->problem.status = 0;
    }

    /* what upstream said */

    if (r->upstream != NULL && !ctx->answer.own) {
        ctx->answer.received = r->upstream->headers_in.status_n;
    }

    if (ctx->answer.direct
        || (!ctx->answer.own
            && ctx->claim.state != NGX_HTTP_SYNC_CLAIM_HELD
            && !ngx_http_sync_stage_enabled(r,
                                            NGX_HTTP_SYNC_STAGE_RESPONSE)))
    {
        ctx->answer.emitted = 1;

        ngx_http_sync_left_by_client(r, ctx);

        if (ngx_http_sync_answer_headers(r, ctx) != NGX_OK) {
            return NGX_ERROR;
        }

        return ngx_http_next_header_filter(r);
    }

    ctx->sent = ngx_http_sync_was_sent(r, ctx);

    ctx->answer.held = 1;
    ctx->answer.status = r->headers_out.status;

    if (r->err_status) {
        ctx->answer.status = r->err_status;
    }

    if (ctx->answer.cap == 0) {
        ctx->answer.cap = NGX_HTTP_SYNC_ANSWER_CAP;
    }

    r->filter_need_in_memory = 1;

    if (r->header_only) {
        ctx->answer.complete = 1;
        return ngx_http_sync_respond(r, ctx) == NGX_ERROR ? NGX_ERROR : NGX_OK;
    }

    return NGX_OK;
}


/*
 * NGINX refuses a body that is said to be too large, and what is wrong in a
 * request's head, before any phase of ours: such a refusal has its problem and
 * its correlation all the same.  NULL: no policy acts there.
 */

static ngx_http_sync_ctx_t *
ngx_http_sync_refused_early(ngx_http_request_t *r)
{
    ngx_http_sync_ctx_t  *ctx;

    if (r->err_status == 0 || r->error_page
        || r->headers_in.headers.pool == NULL
        || !ngx_http_sync_stage_enabled(r, NGX_HTTP_SYNC_STAGE_PREACCESS))
    {
        return NULL;
    }

    ctx = ngx_http_sync_create_ctx(r);

    if (ctx == NULL || ngx_http_sync_correlation_step.run(r, ctx) != NGX_OK) {
        return NULL;
    }

    ctx->done |= 1u << NGX_HTTP_SYNC_STEP_CORRELATION;
    ctx->verdict = "refused";

    return ctx;
}


static ngx_int_t
ngx_http_sync_body_filter(ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_int_t             rc;
    ngx_http_sync_ctx_t  *ctx;

    if (r != r->main) {
        return ngx_http_next_body_filter(r, in);
    }

    ctx = ngx_http_sync_get_ctx(r);

    if (ctx != NULL && ctx->answer.dropped) {

        /* our own words are out; upstream's are taken and forgotten */

        ngx_http_sync_consume(in);

        if (r->out == NULL && !r->connection->buffered) {
            return NGX_OK;
        }

        return ngx_http_next_body_filter(r, NULL);
    }

    if (ctx != NULL && ctx->answer.dismissed) {
        ngx_http_sync_consume(in);
        return NGX_AGAIN;
    }

    if (ctx == NULL || !ctx->answer.held || ctx->answer.emitted) {
        return ngx_http_next_body_filter(r, in);
    }

    if (in != NULL) {
        rc = ngx_http_sync_collect(r, ctx, in);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    if (!ctx->answer.complete && !ctx->answer.over) {
        return NGX_OK;
    }

    return ngx_http_sync_respond(r, ctx);
}


static ngx_int_t
ngx_http_sync_collect(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    ngx_chain_t *in)
{
    size_t        size;
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    if (ctx->answer.complete) {
        return NGX_OK;
    }

    for (cl = in; cl; cl = cl->next) {
        b = cl->buf;

        if (ctx->answer.over) {
            return ngx_http_sync_keep(r, ctx, cl);
        }

        size = ngx_buf_in_memory(b) ? b->last - b->pos : 0;

        if (size && !ctx->answer.own) {

            if (size > ctx->answer.cap - ctx->answer.body.len) {
                ctx->answer.over = 1;
                return ngx_http_sync_keep(r, ctx, cl);
            }

            if (ngx_http_sync_grow(r, ctx, size) != NGX_OK) {

                /* sync_buffers are in use: as if it were over the cap */

                ctx->answer.over = 1;
                return ngx_http_sync_keep(r, ctx, cl);
            }

            ngx_memcpy(ctx->answer.body.data + ctx->answer.body.len, b->pos,
                       size);
            ctx->answer.body.len += size;
        }

        b->pos = b->last;

        if (b->in_file) {
            b->file_pos = b->file_last;
        }

        if (b->last_buf) {
            ctx->answer.complete = 1;
            return NGX_OK;
        }

        if (b->flush && r->upstream != NULL && r->upstream->cleanup == NULL) {

            /* upstream has finalized, and this was not the end */

            ctx->answer.truncated = 1;
            ctx->answer.complete = 1;
            return NGX_OK;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_sync_grow(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    size_t size)
{
    size_t                      need, room;
    u_char                     *p;
    ngx_http_sync_collector_t  *col;

    col = ctx->collector;

    if (col == NULL) {
        col = ngx_pcalloc(r->pool, sizeof(ngx_http_sync_collector_t));
        if (col == NULL) {
            return NGX_ERROR;
        }

        ctx->collector = col;
    }

    need = ctx->answer.body.len + size;

    if (ctx->answer.body.data != NULL
        && need <= (size_t) (col->end - ctx->answer.body.data))
    {
        return NGX_OK;
    }

    room = NGX_HTTP_SYNC_ANSWER_START;

    if (r->headers_out.content_length_n > 0
        && (size_t) r->headers_out.content_length_n <= ctx->answer.cap)
    {
        room = r->headers_out.content_length_n;
    }

    while (room < need) {
        room *= 2;
    }

    if (ngx_http_sync_charge(ctx, room) != NGX_OK) {
        return NGX_DECLINED;
    }

    p = ngx_pnalloc(r->pool, room);
    if (p == NULL) {
        return NGX_ERROR;
    }

    if (ctx->answer.body.len) {
        ngx_memcpy(p, ctx->answer.body.data, ctx->answer.body.len);
    }

    ctx->answer.body.data = p;
    col->end = p + room;

    return NGX_OK;
}


/* Links buffers without consuming them, so that upstream waits for us. */

static ngx_int_t
ngx_http_sync_keep(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    ngx_chain_t *in)
{
    ngx_http_sync_collector_t  *col;

    col = ctx->collector;

    if (col == NULL) {
        col = ngx_pcalloc(r->pool, sizeof(ngx_http_sync_collector_t));
        if (col == NULL) {
            return NGX_ERROR;
        }

        ctx->collector = col;
    }

    return ngx_chain_add_copy(r->pool, &col->rest, in);
}


static void
ngx_http_sync_consume(ngx_chain_t *in)
{
    ngx_buf_t  *b;

    for ( /* void */ ; in; in = in->next) {
        b = in->buf;
        b->pos = b->last;

        if (b->in_file) {
            b->file_pos = b->file_last;
        }
    }
}


static ngx_int_t
ngx_http_sync_respond(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx)
{
    ngx_int_t  rc;

    if (ctx->waiting) {
        return NGX_AGAIN;
    }

    ngx_http_sync_own_problem(r, ctx);

    rc = ngx_http_sync_run_stage(r, ctx, NGX_HTTP_SYNC_STAGE_RESPONSE);

    if (rc == NGX_AGAIN) {
        return ngx_http_sync_wait(r, ctx);
    }

    if (rc == NGX_HTTP_SYNC_SEND_AGAIN || rc == NGX_HTTP_SYNC_SEND_NOW) {
        return ngx_http_sync_dismiss(r, ctx);
    }

    r->buffered &= ~NGX_HTTP_SYNC_BUFFERED;

    ngx_http_sync_aside_over(r, ctx);

    if (rc != NGX_OK) {

        /* a step refuses the answer: the steps after it see the problem */

        ctx->answer.own = 1;
        ctx->answer.status = ctx->problem.status;

        rc = ngx_http_sync_run_stage(r, ctx, NGX_HTTP_SYNC_STAGE_RESPONSE);

        if (rc == NGX_AGAIN) {
            return ngx_http_sync_wait(r, ctx);
        }
    }

    return ngx_http_sync_emit(r, ctx);
}


/*
 * As if upstream had said nothing.  Its buffers are given back; the one that
 * we collect in serves for the next answer: no step before classify has put
 * another one in its place.
 */

static ngx_int_t
ngx_http_sync_dismiss(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx)
{
    size_t                      cap;
    u_char                     *data;
    ngx_connection_t           *c;
    ngx_http_sync_collector_t  *col;

    c = r->connection;
    col = ctx->collector;

    if (col != NULL) {
        ngx_http_sync_consume(col->rest);
        col->rest = NULL;
    }

    cap = ctx->answer.cap;
    data = ctx->answer.body.data;

    ngx_memzero(&ctx->answer, sizeof(ngx_http_sync_answer_t));

    ctx->answer.cap = cap;
    ctx->answer.body.data = data;
    ctx->answer.dismissed = 1;

    if (ngx_http_sync_send_again(r, ctx) != NGX_OK) {
        return NGX_ERROR;
    }

    r->buffered |= NGX_HTTP_SYNC_BUFFERED;

    if (c->error) {

        /*
         * A client of HTTP/2 that has left: NGINX would end the request here,
         * although what clients abort is ignored
         */

        ctx->gone = 1;
        c->error = 0;
    }

    return NGX_AGAIN;
}


static void
ngx_http_sync_left_by_client(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx)
{
    if (ctx->gone) {
        r->connection->error = 1;
    }
}


static ngx_int_t
ngx_http_sync_wait(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx)
{
    ngx_http_sync_collector_t  *col;

    r->buffered |= NGX_HTTP_SYNC_BUFFERED;

    col = ctx->collector;

    if (ctx->answer.over
        && col != NULL
        && r->write_event_handler != ngx_http_sync_go_on)
    {
        /*
         * More is to come, and upstream's own handler would not call the
         * filters before it has.
         */

        col->handler = r->write_event_handler;
        r->write_event_handler = ngx_http_sync_go_on;
    }

    return NGX_AGAIN;
}


static void
ngx_http_sync_go_on(ngx_http_request_t *r)
{
    ngx_http_sync_ctx_t        *ctx;
    ngx_http_sync_collector_t  *col;

    ctx = ngx_http_sync_get_ctx(r);
    col = ctx->collector;

    if (ctx->waiting) {
        col->handler(r);
        return;
    }

    r->write_event_handler = col->handler;

    /* where this fails the handler finds out by itself */

    (void) ngx_http_output_filter(r, NULL);

    r->write_event_handler(r);
}


/* NGINX' own error: say it in our words, if nobody has described it. */

static void
ngx_http_sync_own_problem(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx)
{
    ngx_uint_t  status;

    status = ctx->answer.status;

    if (!ctx->answer.own || status < NGX_HTTP_BAD_REQUEST
        || ctx->problem.status == status)
    {
        return;
    }

    if (ctx->expired && status >= NGX_HTTP_INTERNAL_SERVER_ERROR) {
        ctx->answer.status = NGX_HTTP_GATEWAY_TIME_OUT;
        (void) ngx_http_sync_problem(ctx, NGX_HTTP_GATEWAY_TIME_OUT,
                                     "deadline-exceeded",
                                     "The deadline is over",
                                     NGX_HTTP_SYNC_TECHNICAL,
                                     "the exchange was cut after %M ms",
                                     ctx->budget);

    } else if (r->upstream != NULL && status == NGX_HTTP_BAD_GATEWAY) {
        (void) ngx_http_sync_problem(ctx, status, "upstream-failed", NULL,
                                     NGX_HTTP_SYNC_TECHNICAL, "");

    } else if (r->upstream != NULL && status == NGX_HTTP_GATEWAY_TIME_OUT) {
        (void) ngx_http_sync_problem(ctx, status, "upstream-timeout", NULL,
                                     NGX_HTTP_SYNC_TECHNICAL, "");

    } else {
        (void) ngx_http_sync_problem(ctx, status, "http", NULL,
                                     NGX_HTTP_SYNC_TECHNICAL, "");
    }
}


static ngx_int_t
ngx_http_sync_emit(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx)
{
    ngx_int_t                   rc;
    ngx_buf_t                  *b;
    ngx_str_t                   text;
    ngx_chain_t                *out, body;
    ngx_http_sync_collector_t  *col;

    ctx->answer.emitted = 1;

    ngx_http_sync_left_by_client(r, ctx);

    if (ctx->answer.own && ctx->problem.status
        && ctx->problem.status == ctx->answer.status)
    {
        text = ngx_http_sync_problem_text(r, ctx);

        ctx->answer.body = text;
        ctx->answer.replaced = 1;
        ctx->answer.over = 0;

        if (ngx_http_sync_problem_headers(r, ctx) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (r->headers_out.status != ctx->answer.status) {
        r->headers_out.status = ctx->answer.status;
        r->headers_out.status_line.len = 0;
    }

    if (r->err_status) {
        r->err_status = ctx->answer.status;
    }

    if (ctx->answer.bodiless) {
        ctx->answer.body.len = 0;
        ctx->answer.replaced = 1;
    }

    if (ctx->answer.replaced) {
        ngx_http_clear_content_length(r);
        ngx_http_clear_accept_ranges(r);
        ngx_http_clear_last_modified(r);

        if (ctx->answer.own) {
            ngx_http_clear_etag(r);
        }

        r->headers_out.content_length_n = ctx->answer.body.len;
    }

    if (ngx_http_sync_answer_headers(r, ctx) != NGX_OK) {
        return NGX_ERROR;
    }

    /* its filter of the body stands before ours and has seen nothing */

    r->allow_ranges = 0;

    rc = ngx_http_next_header_filter(r);

    if (rc == NGX_ERROR || rc > NGX_OK) {
        return rc;
    }

    if (r->header_only) {
        return rc;
    }

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_ERROR;
    }

    if (ctx->answer.body.len) {
        b->start = ctx->answer.body.data;
        b->pos = b->start;
        b->last = b->start + ctx->answer.body.len;
        b->end = b->last;
        b->memory = 1;

    } else {
        b->sync = ctx->answer.over;
    }

    b->last_buf = !ctx->answer.over;
    b->last_in_chain = 1;

    body.buf = b;
    body.next = NULL;
    out = &body;

    col = ctx->collector;

    if (col != NULL && col->rest != NULL) {

        if (ctx->answer.over) {
            b->last_in_chain = 0;
            body.next = col->rest;

        } else {
            ngx_http_sync_consume(col->rest);
            ctx->answer.dropped = 1;
        }
    }

    return ngx_http_next_body_filter(r, out);
}


static ngx_int_t
ngx_http_sync_problem_headers(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx)
{
    u_char     *p;
    ngx_str_t   value;

    static ngx_str_t  retry_after = ngx_string("Retry-After");
    static ngx_str_t  content_encoding = ngx_string("Content-Encoding");

    /* what described the words of an upstream */

    ngx_http_sync_remove_header(r, &content_encoding);
    r->headers_out.content_encoding = NULL;

    ngx_str_set(&r->headers_out.content_type, "application/problem+json");
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = NULL;
    ngx_str_null(&r->headers_out.charset);

    if (ctx->problem.retry_after == 0) {
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, NGX_INT_T_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    value.data = p;
    value.len = ngx_sprintf(p, "%ui", ctx->problem.retry_after) - p;

    return ngx_http_sync_add_header(r, &retry_after, &value);
}


ngx_int_t
ngx_http_sync_send_kept(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    ngx_uint_t status, ngx_str_t *type, ngx_str_t *body)
{
    ngx_int_t                    rc;
    ngx_http_sync_main_conf_t   *smcf;
    const ngx_http_sync_step_t  *mask;

    smcf = ngx_http_get_module_main_conf(r, ngx_http_sync_module);
    mask = smcf->steps[NGX_HTTP_SYNC_STEP_MASK];

    if (mask == NULL || !mask->enabled(r)) {
        return ngx_http_sync_send(r, status, type, body);
    }

    ctx->answer.status = status;
    ctx->answer.body = *body;
    ctx->answer.complete = 1;

    r->headers_out.content_type = *type;
    r->headers_out.content_type_len = type->len;
    r->headers_out.content_type_lowcase = NULL;

    rc = mask->run(r, ctx);

    if (rc != NGX_OK && rc != NGX_DECLINED) {
        ctx->answer.complete = 0;
        ctx->answer.body.len = 0;
        ngx_str_null(&r->headers_out.content_type);
        return rc;
    }

    return ngx_http_sync_send(r, status, type, &ctx->answer.body);
}


ngx_int_t
ngx_http_sync_send(ngx_http_request_t *r, ngx_uint_t status, ngx_str_t *type,
    ngx_str_t *body)
{
    ngx_int_t             rc;
    ngx_buf_t            *b;
    ngx_chain_t           out;
    ngx_http_sync_ctx_t  *ctx;

    ctx = ngx_http_sync_get_ctx(r);

    if (ctx != NULL) {
        ctx->answer.direct = 1;
    }

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        ngx_http_finalize_request(r, rc);
        return NGX_DONE;
    }

    r->headers_out.status = status;
    r->headers_out.content_length_n = body->len;
    r->disable_not_modified = 1;

    if (type->len) {
        r->headers_out.content_type = *type;
        r->headers_out.content_type_len = type->len;
        r->headers_out.content_type_lowcase = NULL;
    }

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        ngx_http_finalize_request(r, rc);
        return NGX_DONE;
    }

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        ngx_http_finalize_request(r, NGX_ERROR);
        return NGX_DONE;
    }

    if (body->len) {
        b->start = body->data;
        b->pos = b->start;
        b->last = b->start + body->len;
        b->end = b->last;
        b->memory = 1;
    }

    b->last_buf = 1;
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    ngx_http_finalize_request(r, ngx_http_output_filter(r, &out));

    return NGX_DONE;
}
