
/*
 * The steps of sync_limit.  Each directive is one group, or two where its plan
 * counts in two units.  The groups of a request are taken in the order of the
 * configuration, each by one operation; where one refuses, those taken before
 * it in the same stage are given back.
 *
 * An internal redirect asks the limits of where it leads, but none twice: what
 * was counted is counted, and a page for 429 is not refused by the limit that
 * led to it.
 */


#include "ngx_http_sync_limit.h"


typedef enum {
    NGX_HTTP_SYNC_LIMIT_PENALTY = 0,
    NGX_HTTP_SYNC_LIMIT_NEXT,
    NGX_HTTP_SYNC_LIMIT_TAKE,
    NGX_HTTP_SYNC_LIMIT_TAKING,
    NGX_HTTP_SYNC_LIMIT_PLACE,
    NGX_HTTP_SYNC_LIMIT_PLACING,
    NGX_HTTP_SYNC_LIMIT_REFUND,
    NGX_HTTP_SYNC_LIMIT_REFUNDING
} ngx_http_sync_limit_state_e;


/* The slot of a stage. */

typedef struct {
    ngx_http_sync_limit_state_e   state;
    ngx_uint_t                    next;      /* limit to look at */
    ngx_uint_t                    bytes;     /* and the part of it */
    ngx_int_t                     status;    /* once refused */
    ngx_http_sync_limit_group_t  *group;     /* being taken */
    ngx_http_sync_limit_group_t  *taken;     /* the last one taken */
    ngx_http_sync_limit_group_t  *asked;     /* the last one asked, also in
                                                locations before */
    ngx_http_sync_limit_mark_t   *marks;     /* what the answer may count for */
    ngx_http_sync_limit_slot_t   *slots;     /* held, the last one first */
    ngx_http_sync_limit_waiter_t  waiter;    /* for a lease */
    ngx_sync_store_t             *store;     /* that op waits for */
    ngx_sync_op_t                 op;
} ngx_http_sync_limit_ctx_t;


static ngx_uint_t ngx_http_sync_limit_edge_enabled(ngx_http_request_t *r);
static ngx_uint_t ngx_http_sync_limit_client_enabled(ngx_http_request_t *r);
static ngx_int_t ngx_http_sync_limit_edge(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);
static ngx_int_t ngx_http_sync_limit_client(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);
static void ngx_http_sync_limit_edge_cancel(ngx_http_sync_ctx_t *ctx);
static void ngx_http_sync_limit_client_cancel(ngx_http_sync_ctx_t *ctx);
static void ngx_http_sync_limit_cancel(ngx_http_sync_limit_ctx_t *lctx);
static void ngx_http_sync_limit_release(ngx_http_sync_limit_ctx_t *lctx);
static void ngx_http_sync_limit_edge_leave(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);
static void ngx_http_sync_limit_client_leave(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);
static void ngx_http_sync_limit_edge_log(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);
static void ngx_http_sync_limit_client_log(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);
static void ngx_http_sync_limit_leave(ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_step_e step);
static ngx_uint_t ngx_http_sync_limit_was_asked(
    ngx_http_sync_limit_ctx_t *lctx, ngx_http_sync_limit_group_t *g);
static ngx_int_t ngx_http_sync_limit_run(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, ngx_http_sync_step_e step);
static ngx_int_t ngx_http_sync_limit_next(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, ngx_http_sync_limit_ctx_t *lctx,
    ngx_uint_t client);
static ngx_int_t ngx_http_sync_limit_take(ngx_http_sync_limit_ctx_t *lctx);
static ngx_int_t ngx_http_sync_limit_taken(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, ngx_http_sync_limit_ctx_t *lctx);
static ngx_int_t ngx_http_sync_limit_place(ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_limit_ctx_t *lctx);
static ngx_int_t ngx_http_sync_limit_placed(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, ngx_http_sync_limit_ctx_t *lctx);
static ngx_int_t ngx_http_sync_limit_refund(ngx_http_sync_limit_ctx_t *lctx);
static ngx_int_t ngx_http_sync_limit_lost(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, ngx_http_sync_limit_ctx_t *lctx,
    ngx_sync_result_e result, ngx_uint_t take);


const ngx_http_sync_step_t  ngx_http_sync_limit_edge_step = {
    "limit-edge",
    NGX_HTTP_SYNC_STAGE_PREACCESS,
    NGX_HTTP_SYNC_STEP_LIMIT_EDGE,
    ngx_http_sync_limit_edge_enabled,
    0,
    ngx_http_sync_limit_edge,
    ngx_http_sync_limit_edge_cancel,
    ngx_http_sync_limit_edge_leave,
    ngx_http_sync_limit_edge_log
};


const ngx_http_sync_step_t  ngx_http_sync_limit_step = {
    "limit",
    NGX_HTTP_SYNC_STAGE_PRECONTENT,
    NGX_HTTP_SYNC_STEP_LIMIT,
    ngx_http_sync_limit_client_enabled,
    0,
    ngx_http_sync_limit_client,
    ngx_http_sync_limit_client_cancel,
    ngx_http_sync_limit_client_leave,
    ngx_http_sync_limit_client_log
};


static ngx_uint_t
ngx_http_sync_limit_edge_enabled(ngx_http_request_t *r)
{
    ngx_http_sync_limit_loc_conf_t  *llcf;

    llcf = ngx_http_get_module_loc_conf(r, ngx_http_sync_limit_module);

    return llcf->edge;
}


static ngx_uint_t
ngx_http_sync_limit_client_enabled(ngx_http_request_t *r)
{
    ngx_http_sync_limit_loc_conf_t  *llcf;

    llcf = ngx_http_get_module_loc_conf(r, ngx_http_sync_limit_module);

    return llcf->client;
}


static ngx_int_t
ngx_http_sync_limit_edge(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx)
{
    return ngx_http_sync_limit_run(r, ctx, NGX_HTTP_SYNC_STEP_LIMIT_EDGE);
}


static ngx_int_t
ngx_http_sync_limit_client(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx)
{
    return ngx_http_sync_limit_run(r, ctx, NGX_HTTP_SYNC_STEP_LIMIT);
}


static void
ngx_http_sync_limit_edge_cancel(ngx_http_sync_ctx_t *ctx)
{
    ngx_http_sync_limit_cancel(ctx->slots[NGX_HTTP_SYNC_STEP_LIMIT_EDGE]);
}


static void
ngx_http_sync_limit_client_cancel(ngx_http_sync_ctx_t *ctx)
{
    ngx_http_sync_limit_cancel(ctx->slots[NGX_HTTP_SYNC_STEP_LIMIT]);
}


static void
ngx_http_sync_limit_cancel(ngx_http_sync_limit_ctx_t *lctx)
{
    if (lctx != NULL) {
        ngx_sync_store_cancel(lctx->store, &lctx->op);
        ngx_http_sync_limit_lease_cancel(&lctx->waiter);
        ngx_http_sync_limit_release(lctx);
    }
}


/* Gives all places back. */

static void
ngx_http_sync_limit_release(ngx_http_sync_limit_ctx_t *lctx)
{
    ngx_http_sync_limit_slot_t  *slot;

    while (lctx->slots != NULL) {
        slot = lctx->slots;
        lctx->slots = slot->next;

        ngx_http_sync_limit_slot_leave(slot);
    }
}


static void
ngx_http_sync_limit_edge_leave(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx)
{
    ngx_http_sync_limit_leave(ctx, NGX_HTTP_SYNC_STEP_LIMIT_EDGE);
}


static void
ngx_http_sync_limit_client_leave(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx)
{
    ngx_http_sync_limit_leave(ctx, NGX_HTTP_SYNC_STEP_LIMIT);
}


static void
ngx_http_sync_limit_edge_log(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx)
{
    ngx_http_sync_limit_ctx_t  *lctx;

    lctx = ctx->slots[NGX_HTTP_SYNC_STEP_LIMIT_EDGE];

    if (lctx != NULL) {
        ngx_http_sync_limit_marks(r, lctx->marks);
    }
}


static void
ngx_http_sync_limit_client_log(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx)
{
    ngx_http_sync_limit_ctx_t  *lctx;

    lctx = ctx->slots[NGX_HTTP_SYNC_STEP_LIMIT];

    if (lctx != NULL) {
        ngx_http_sync_limit_marks(r, lctx->marks);
    }
}


/* The places that are held stay held: the request lives on. */

static void
ngx_http_sync_limit_leave(ngx_http_sync_ctx_t *ctx, ngx_http_sync_step_e step)
{
    ngx_http_sync_limit_ctx_t  *lctx;

    lctx = ctx->slots[step];

    if (lctx != NULL) {
        ctx->done &= ~(1u << step);

        lctx->state = NGX_HTTP_SYNC_LIMIT_NEXT;
        lctx->next = 0;
        lctx->bytes = 0;
        lctx->status = NGX_OK;
        lctx->taken = NULL;
    }
}


static ngx_int_t
ngx_http_sync_limit_run(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_step_e step)
{
    ngx_int_t                   rc;
    ngx_http_sync_limit_ctx_t  *lctx;

    lctx = ctx->slots[step];

    if (lctx == NULL) {
        lctx = ngx_pcalloc(r->pool, sizeof(ngx_http_sync_limit_ctx_t));
        if (lctx == NULL) {
            return NGX_ERROR;
        }

        lctx->status = NGX_OK;
        lctx->waiter.ctx = ctx;
        ctx->slots[step] = lctx;

        ngx_http_sync_op_init(ctx, &lctx->op);
    }

    for ( ;; ) {

        switch (lctx->state) {

        case NGX_HTTP_SYNC_LIMIT_PENALTY:

            lctx->state = NGX_HTTP_SYNC_LIMIT_NEXT;
            rc = ngx_http_sync_limit_penalties(r, ctx,
                                        step == NGX_HTTP_SYNC_STEP_LIMIT,
                                        &lctx->marks);
            break;

        case NGX_HTTP_SYNC_LIMIT_NEXT:

            rc = ngx_http_sync_limit_next(r, ctx, lctx,
                                      step == NGX_HTTP_SYNC_STEP_LIMIT);
            if (rc == NGX_DONE) {
                return NGX_OK;
            }

            lctx->state = NGX_HTTP_SYNC_LIMIT_TAKE;
            break;

        case NGX_HTTP_SYNC_LIMIT_TAKE:

            lctx->state = NGX_HTTP_SYNC_LIMIT_TAKING;
            rc = ngx_http_sync_limit_take(lctx);
            break;

        case NGX_HTTP_SYNC_LIMIT_TAKING:

            rc = ngx_http_sync_limit_taken(r, ctx, lctx);
            break;

        case NGX_HTTP_SYNC_LIMIT_PLACE:

            lctx->state = NGX_HTTP_SYNC_LIMIT_PLACING;
            rc = ngx_http_sync_limit_place(ctx, lctx);
            break;

        case NGX_HTTP_SYNC_LIMIT_PLACING:

            rc = ngx_http_sync_limit_placed(r, ctx, lctx);
            break;

        case NGX_HTTP_SYNC_LIMIT_REFUND:

            if (lctx->taken == NULL) {
                return lctx->status;
            }

            lctx->state = NGX_HTTP_SYNC_LIMIT_REFUNDING;
            rc = ngx_http_sync_limit_refund(lctx);
            break;

        default: /* NGX_HTTP_SYNC_LIMIT_REFUNDING */

            /* what could not be given back comes back with time */

            lctx->state = NGX_HTTP_SYNC_LIMIT_REFUND;
            rc = NGX_OK;
            break;
        }

        if (rc == NGX_OK) {
            continue;
        }

        if (rc == NGX_AGAIN || rc == NGX_ERROR) {
            return rc;
        }

        /* refused */

        ngx_http_sync_limit_release(lctx);

        lctx->status = rc;
        lctx->state = NGX_HTTP_SYNC_LIMIT_REFUND;
    }
}


/* Prepares the next group.  NGX_OK; NGX_DONE: none is left; as group(). */

static ngx_int_t
ngx_http_sync_limit_next(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_limit_ctx_t *lctx, ngx_uint_t client)
{
    ngx_int_t                        rc;
    ngx_uint_t                       bytes;
    ngx_http_sync_limit_t           *limit;
    ngx_http_sync_limit_group_t     *g;
    ngx_http_sync_limit_loc_conf_t  *llcf;

    llcf = ngx_http_get_module_loc_conf(r, ngx_http_sync_limit_module);

    /* an internal redirect may have come in between */

    if (llcf->limits == NULL) {
        return NGX_DONE;
    }

    while (lctx->next < llcf->limits->nelts) {

        limit = (ngx_http_sync_limit_t *) llcf->limits->elts + lctx->next;
        bytes = lctx->bytes;

        lctx->next += bytes;
        lctx->bytes = !bytes;

        if (limit->client != client) {
            continue;
        }

        g = ngx_pcalloc(r->pool, sizeof(ngx_http_sync_limit_group_t));
        if (g == NULL) {
            return NGX_ERROR;
        }

        g->limit = limit;

        rc = ngx_http_sync_limit_group(r, ctx, g, bytes, &lctx->marks);

        if (rc == NGX_DECLINED
            || (rc == NGX_OK && ngx_http_sync_limit_was_asked(lctx, g)))
        {
            continue;
        }

        g->asked = lctx->asked;
        lctx->asked = g;
        lctx->group = g;
        lctx->waiter.tries = 0;

        return rc;
    }

    return NGX_DONE;
}


/*
 * A limit is the same one wherever it is inherited or named again, also where
 * its key reads a path that is another one now; a plan is the client's.
 */

static ngx_uint_t
ngx_http_sync_limit_was_asked(ngx_http_sync_limit_ctx_t *lctx,
    ngx_http_sync_limit_group_t *g)
{
    ngx_http_sync_limit_group_t  *a;

    for (a = lctx->asked; a != NULL; a = a->asked) {

        if ((a->limit->key == NULL) != (g->limit->key == NULL)) {
            continue;
        }

        if (g->limit->key != NULL) {
            if (ngx_memcmp(a->limit->id, g->limit->id, NGX_HTTP_SYNC_LIMIT_ID)
                == 0)
            {
                return 1;
            }

        } else if (a->bytes == g->bytes
                   && a->take.group.len == g->take.group.len
                   && ngx_memcmp(a->take.group.data, g->take.group.data,
                                 g->take.group.len)
                      == 0)
        {
            return 1;
        }
    }

    return 0;
}


static ngx_int_t
ngx_http_sync_limit_take(ngx_http_sync_limit_ctx_t *lctx)
{
    ngx_int_t                     rc;
    ngx_http_sync_limit_group_t  *g;

    g = lctx->group;

    if (g->take.n == 0) {
        lctx->op.result = NGX_SYNC_STORE_OK;
        return NGX_OK;
    }

    if (g->leased) {
        rc = ngx_http_sync_limit_lease_take(g, &lctx->waiter,
                                            &lctx->op.result);
        if (rc == NGX_AGAIN) {
            lctx->state = NGX_HTTP_SYNC_LIMIT_TAKE;
        }

        if (rc != NGX_DECLINED) {
            return rc;
        }

        g->leased = 0;
    }

    lctx->store = g->store;

    return g->store->ops->limit_take(g->store, &lctx->op, &g->take);
}


static ngx_int_t
ngx_http_sync_limit_taken(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_limit_ctx_t *lctx)
{
    ngx_http_sync_limit_group_t     *g;
    ngx_http_sync_limit_verdict_t    v;
    ngx_http_sync_limit_loc_conf_t  *llcf;

    g = lctx->group;

    switch (lctx->op.result) {

    case NGX_SYNC_STORE_OK:

        g->taken = lctx->taken;
        lctx->taken = g;
        lctx->state = NGX_HTTP_SYNC_LIMIT_PLACE;

        if (g->take.n == 0) {
            return NGX_OK;
        }

        ngx_http_sync_trace(ctx, "limit", "%V: %uD left", &g->name,
                            g->take.answers[0].remaining);

        llcf = ngx_http_get_module_loc_conf(r, ngx_http_sync_limit_module);

        if (llcf->limits->nelts == 1 && g->only && !g->limit->shadow) {
            ngx_http_sync_limit_verdict(g, 0, &v);

            return ngx_http_sync_limit_field(r, g, &v, v.answer.reset);
        }

        return NGX_OK;

    case NGX_SYNC_STORE_NO:

        lctx->state = NGX_HTTP_SYNC_LIMIT_NEXT;

        ngx_http_sync_limit_verdict(g, g->take.refused, &v);

        return ngx_http_sync_limit_refuse(r, ctx, g, &v);

    default: /* FULL, DOWN */
        return ngx_http_sync_limit_lost(r, ctx, lctx, lctx->op.result, 1);
    }
}


static ngx_int_t
ngx_http_sync_limit_place(ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_limit_ctx_t *lctx)
{
    ngx_http_sync_limit_slot_t   *slot;
    ngx_http_sync_limit_group_t  *g;

    g = lctx->group;

    if (g->place == g->nplaces) {
        lctx->state = NGX_HTTP_SYNC_LIMIT_NEXT;
        return NGX_OK;
    }

    slot = ngx_http_sync_limit_slot_acquire(ctx, g->place_store,
                                            &g->places[g->place]);
    if (slot == NULL) {
        return NGX_ERROR;
    }

    slot->next = lctx->slots;
    lctx->slots = slot;

    return slot->busy ? NGX_AGAIN : NGX_OK;
}


static ngx_int_t
ngx_http_sync_limit_placed(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_limit_ctx_t *lctx)
{
    ngx_sync_result_e               result;
    ngx_http_sync_limit_slot_t     *slot;
    ngx_http_sync_limit_group_t    *g;
    ngx_http_sync_limit_verdict_t   v;

    g = lctx->group;
    slot = lctx->slots;
    result = slot->result;

    lctx->state = NGX_HTTP_SYNC_LIMIT_PLACE;

    if (result == NGX_SYNC_STORE_OK) {
        g->place++;
        return NGX_OK;
    }

    lctx->slots = slot->next;
    ngx_http_sync_limit_slot_leave(slot);

    if (result != NGX_SYNC_STORE_NO) {
        return ngx_http_sync_limit_lost(r, ctx, lctx, result, 0);
    }

    /* nobody knows when a place is free: soon */

    v.line = g->places[g->place].line;
    v.quota = g->places[g->place].limit;
    v.answer.remaining = 0;
    v.answer.reset = 1000000;
    v.answer.retry = 1000000;

    g->place++;

    return ngx_http_sync_limit_refuse(r, ctx, g, &v);
}


static ngx_int_t
ngx_http_sync_limit_refund(ngx_http_sync_limit_ctx_t *lctx)
{
    ngx_http_sync_limit_group_t  *g;

    g = lctx->taken;
    lctx->taken = g->taken;

    if (g->take.n == 0) {
        return NGX_OK;
    }

    if (g->leased) {
        ngx_http_sync_limit_lease_refund(g);
        return NGX_OK;
    }

    lctx->store = g->store;

    return g->store->ops->limit_refund(g->store, &lctx->op, &g->take);
}


/*
 * The store has no answer, or no room for another bucket.  Where this node may
 * stand in, the group (take: its items, else its places) becomes its part of
 * all nodes and is taken here.
 */

static ngx_int_t
ngx_http_sync_limit_lost(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_limit_ctx_t *lctx, ngx_sync_result_e result,
    ngx_uint_t take)
{
    static time_t  told;

    ngx_uint_t                        nodes, closed, local;
    const ngx_http_sync_limit_t      *limit;
    ngx_http_sync_limit_group_t      *g;
    ngx_http_sync_limit_main_conf_t  *lmcf;

    g = lctx->group;
    limit = g->limit;
    lmcf = ngx_http_get_module_main_conf(r, ngx_http_sync_limit_module);

    local = (take ? g->store : g->place_store)->data == lmcf->local->data;
    nodes = 0;
    closed = limit->fail == NGX_HTTP_SYNC_LIMIT_CLOSED;

    if (limit->fail == NGX_HTTP_SYNC_LIMIT_LOCAL && !local) {
        nodes = ngx_http_sync_limit_nodes(limit);
        closed = nodes == 0;
    }

    if (limit->shadow) {
        closed = 0;
    }

    if (told != ngx_time()) {
        told = ngx_time();

        ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                      "limit: %s, \"%V\" %s",
                      result == NGX_SYNC_STORE_DOWN ? "the store is down"
                      : local ? "zone \"limits\" is full"
                      : "the store is full", &g->name,
                      closed ? "refuses"
                      : nodes ? "is divided by the nodes"
                      : "is not enforced");
    }

    if (closed) {
        return ngx_http_sync_limit_unavailable(ctx, &g->name);
    }

    if (nodes) {
        lctx->state = take ? NGX_HTTP_SYNC_LIMIT_TAKE
                           : NGX_HTTP_SYNC_LIMIT_PLACE;

        return ngx_http_sync_limit_divide(r, g, nodes, take);
    }

    if (take) {
        lctx->state = NGX_HTTP_SYNC_LIMIT_NEXT;

    } else {
        g->place++;
        lctx->state = NGX_HTTP_SYNC_LIMIT_PLACE;
    }

    return NGX_OK;
}
