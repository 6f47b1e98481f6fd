
/*
 * The steps of sync_limit.  Each directive is one group.  The groups of a
 * request are taken in the order of the configuration; where one refuses,
 * those taken before it in the same stage are given back.
 *
 * An internal redirect asks the limits of where it leads, but none twice: what
 * was counted is counted, and a page for 429 is not refused by the limit that
 * led to it.
 */


#include "ngx_http_sync_limit.h"
#include "sync_crypto.h"


#define NGX_HTTP_SYNC_LIMIT_VALUE    64  /* longer values are digested */
#define NGX_HTTP_SYNC_LIMIT_WINDOWS  16  /* of one plan */
#define NGX_HTTP_SYNC_LIMIT_PK       9   /* bytes of a digest, 12 in base64 */


/* A group of a request: one directive with its key, or a plan's windows. */

typedef struct ngx_http_sync_limit_group_s  ngx_http_sync_limit_group_t;

struct ngx_http_sync_limit_group_s {
    const ngx_http_sync_limit_t  *limit;
    ngx_str_t                     name;      /* the limit's or the plan's */
    ngx_sync_limit_t              take;
    ngx_http_sync_limit_group_t  *taken;     /* the one taken before */
    ngx_http_sync_limit_group_t  *asked;     /* the one asked before */
};


typedef enum {
    NGX_HTTP_SYNC_LIMIT_TAKE = 0,
    NGX_HTTP_SYNC_LIMIT_TAKING,
    NGX_HTTP_SYNC_LIMIT_REFUND,
    NGX_HTTP_SYNC_LIMIT_REFUNDING
} ngx_http_sync_limit_state_e;


/* The slot of a stage. */

typedef struct {
    ngx_http_sync_limit_state_e   state;
    ngx_uint_t                    next;      /* limit to look at */
    ngx_int_t                     status;    /* once refused */
    ngx_http_sync_limit_group_t  *group;     /* being taken */
    ngx_http_sync_limit_group_t  *taken;     /* the last one taken */
    ngx_http_sync_limit_group_t  *asked;     /* the last one asked, also in
                                                locations before */
    ngx_sync_store_t             *store;
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
static void ngx_http_sync_limit_edge_leave(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);
static void ngx_http_sync_limit_client_leave(ngx_http_request_t *r,
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
static ngx_int_t ngx_http_sync_limit_variable(ngx_http_request_t *r,
    ngx_http_sync_limit_group_t *g);
static ngx_int_t ngx_http_sync_limit_plan(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, ngx_http_sync_limit_group_t *g);
static ngx_int_t ngx_http_sync_limit_cost(ngx_http_request_t *r,
    const ngx_http_sync_limit_t *limit, uint64_t *cost);
static void ngx_http_sync_limit_address(ngx_http_request_t *r,
    ngx_str_t *value);
static ngx_int_t ngx_http_sync_limit_judge(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, ngx_http_sync_limit_ctx_t *lctx);
static ngx_int_t ngx_http_sync_limit_refuse(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, ngx_http_sync_limit_group_t *g);
static ngx_int_t ngx_http_sync_limit_shadow(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, ngx_http_sync_limit_group_t *g,
    ngx_str_t *name);
static ngx_int_t ngx_http_sync_limit_lost(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, ngx_http_sync_limit_ctx_t *lctx);
static ngx_int_t ngx_http_sync_limit_field(ngx_http_request_t *r,
    ngx_http_sync_limit_group_t *g, ngx_uint_t i, int64_t wait);
static ngx_int_t ngx_http_sync_limit_policy_field(ngx_http_request_t *r,
    ngx_http_sync_limit_group_t *g);
static void ngx_http_sync_limit_item_name(ngx_http_sync_limit_group_t *g,
    ngx_uint_t i, u_char *buf, ngx_str_t *name);
static size_t ngx_http_sync_limit_pk(ngx_http_sync_limit_group_t *g,
    u_char *dst);
static ngx_uint_t ngx_http_sync_limit_seconds(int64_t us);


const ngx_http_sync_step_t  ngx_http_sync_limit_edge_step = {
    "limit-edge",
    NGX_HTTP_SYNC_STAGE_PREACCESS,
    NGX_HTTP_SYNC_STEP_LIMIT_EDGE,
    ngx_http_sync_limit_edge_enabled,
    ngx_http_sync_limit_edge,
    ngx_http_sync_limit_edge_cancel,
    ngx_http_sync_limit_edge_leave,
    NULL
};


const ngx_http_sync_step_t  ngx_http_sync_limit_step = {
    "limit",
    NGX_HTTP_SYNC_STAGE_PRECONTENT,
    NGX_HTTP_SYNC_STEP_LIMIT,
    ngx_http_sync_limit_client_enabled,
    ngx_http_sync_limit_client,
    ngx_http_sync_limit_client_cancel,
    ngx_http_sync_limit_client_leave,
    NULL
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
ngx_http_sync_limit_leave(ngx_http_sync_ctx_t *ctx, ngx_http_sync_step_e step)
{
    ngx_http_sync_limit_ctx_t  *lctx;

    lctx = ctx->slots[step];

    if (lctx != NULL) {
        ctx->done &= ~(1u << step);

        lctx->state = NGX_HTTP_SYNC_LIMIT_TAKE;
        lctx->next = 0;
        lctx->status = NGX_OK;
        lctx->taken = NULL;
    }
}


static ngx_int_t
ngx_http_sync_limit_run(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_step_e step)
{
    ngx_int_t                         rc;
    ngx_http_sync_limit_ctx_t        *lctx;
    ngx_http_sync_limit_main_conf_t  *lmcf;

    lctx = ctx->slots[step];

    if (lctx == NULL) {
        lctx = ngx_pcalloc(r->pool, sizeof(ngx_http_sync_limit_ctx_t));
        if (lctx == NULL) {
            return NGX_ERROR;
        }

        lmcf = ngx_http_get_module_main_conf(r, ngx_http_sync_limit_module);

        lctx->store = lmcf->store;
        lctx->status = NGX_OK;
        ctx->slots[step] = lctx;

        ngx_http_sync_op_init(ctx, &lctx->op);
    }

    for ( ;; ) {

        switch (lctx->state) {

        case NGX_HTTP_SYNC_LIMIT_TAKE:

            rc = ngx_http_sync_limit_next(r, ctx, lctx,
                                      step == NGX_HTTP_SYNC_STEP_LIMIT);
            if (rc == NGX_DONE) {
                return NGX_OK;
            }

            if (rc != NGX_OK) {
                return rc;
            }

            lctx->state = NGX_HTTP_SYNC_LIMIT_TAKING;

            if (lctx->store->ops->limit_take(lctx->store, &lctx->op,
                                             &lctx->group->take)
                == NGX_AGAIN)
            {
                return NGX_AGAIN;
            }

            break;

        case NGX_HTTP_SYNC_LIMIT_TAKING:

            rc = ngx_http_sync_limit_judge(r, ctx, lctx);

            if (rc == NGX_OK) {
                lctx->state = NGX_HTTP_SYNC_LIMIT_TAKE;
                break;
            }

            if (rc == NGX_ERROR) {
                return NGX_ERROR;
            }

            lctx->status = rc;
            lctx->state = NGX_HTTP_SYNC_LIMIT_REFUND;
            break;

        case NGX_HTTP_SYNC_LIMIT_REFUND:

            if (lctx->taken == NULL) {
                return lctx->status;
            }

            lctx->group = lctx->taken;
            lctx->taken = lctx->group->taken;
            lctx->state = NGX_HTTP_SYNC_LIMIT_REFUNDING;

            if (lctx->store->ops->limit_refund(lctx->store, &lctx->op,
                                               &lctx->group->take)
                == NGX_AGAIN)
            {
                return NGX_AGAIN;
            }

            break;

        case NGX_HTTP_SYNC_LIMIT_REFUNDING:

            /* what could not be given back comes back with time */

            lctx->state = NGX_HTTP_SYNC_LIMIT_REFUND;
            break;
        }
    }
}


/* Prepares the next group.  NGX_OK; NGX_DONE: none is left; NGX_ERROR. */

static ngx_int_t
ngx_http_sync_limit_next(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_limit_ctx_t *lctx, ngx_uint_t client)
{
    ngx_int_t                        rc;
    ngx_http_sync_limit_t           *limit;
    ngx_http_sync_limit_group_t     *g;
    ngx_http_sync_limit_loc_conf_t  *llcf;

    llcf = ngx_http_get_module_loc_conf(r, ngx_http_sync_limit_module);

    /* an internal redirect may have come in between */

    if (llcf->limits == NULL) {
        return NGX_DONE;
    }

    limit = llcf->limits->elts;

    while (lctx->next < llcf->limits->nelts) {

        limit = (ngx_http_sync_limit_t *) llcf->limits->elts + lctx->next++;

        if (limit->client != client) {
            continue;
        }

        g = ngx_pcalloc(r->pool, sizeof(ngx_http_sync_limit_group_t));
        if (g == NULL) {
            return NGX_ERROR;
        }

        g->limit = limit;

        rc = limit->key != NULL ? ngx_http_sync_limit_variable(r, g)
                                : ngx_http_sync_limit_plan(r, ctx, g);

        if (rc == NGX_DECLINED
            || (rc == NGX_OK && ngx_http_sync_limit_was_asked(lctx, g)))
        {
            continue;
        }

        if (rc != NGX_OK
            || ngx_http_sync_limit_cost(r, limit, &g->take.cost) != NGX_OK)
        {
            return NGX_ERROR;
        }

        g->asked = lctx->asked;
        lctx->asked = g;
        lctx->group = g;

        return NGX_OK;
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

        } else if (a->take.group.len == g->take.group.len
                   && ngx_memcmp(a->take.group.data, g->take.group.data,
                                 g->take.group.len)
                      == 0)
        {
            return 1;
        }
    }

    return 0;
}


/* NGX_DECLINED: the key is empty, there is nothing to count by. */

static ngx_int_t
ngx_http_sync_limit_variable(ngx_http_request_t *r,
    ngx_http_sync_limit_group_t *g)
{
    u_char                       *p;
    ngx_str_t                     value;
    const ngx_http_sync_limit_t  *limit;

    limit = g->limit;

    if (limit->address) {
        ngx_http_sync_limit_address(r, &value);

    } else if (ngx_http_complex_value(r, limit->key, &value) != NGX_OK) {
        return NGX_ERROR;
    }

    if (value.len == 0) {
        return NGX_DECLINED;
    }

    g->take.items = ngx_palloc(r->pool, sizeof(ngx_sync_limit_item_t)
                                        + sizeof(sync_gcra_answer_t));
    p = ngx_pnalloc(r->pool, NGX_HTTP_SYNC_LIMIT_ID + 1
                             + NGX_HTTP_SYNC_LIMIT_VALUE);

    if (g->take.items == NULL || p == NULL) {
        return NGX_ERROR;
    }

    g->name = limit->name;
    g->take.n = 1;
    g->take.answers = (sync_gcra_answer_t *) &g->take.items[1];
    g->take.items[0].gcra = &limit->gcra;
    g->take.items[0].key.data = p;

    p = ngx_cpymem(p, limit->id, NGX_HTTP_SYNC_LIMIT_ID);

    if (value.len <= NGX_HTTP_SYNC_LIMIT_VALUE) {
        *p++ = 'v';
        p = ngx_cpymem(p, value.data, value.len);

    } else {
        *p++ = 'h';
        sync_sha256(value.data, value.len, p);
        p += SYNC_SHA256_LEN;
    }

    g->take.items[0].key.len = p - g->take.items[0].key.data;
    g->take.group = g->take.items[0].key;

    return NGX_OK;
}


/*
 * All windows of the client's plan.  Buckets belong to tenant and client, not
 * to the location; a window whose rate is changed by the document begins anew,
 * the others stay as they are.  NGX_DECLINED: no plan.
 */

static ngx_int_t
ngx_http_sync_limit_plan(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_limit_group_t *g)
{
    u_char             *p, digest[SYNC_SHA256_LEN];
    size_t              len;
    uint32_t            i, n;
    sync_gcra_t        *gcra;
    sync_error_t        err;
    sync_sha256_t       sha;
    const sync_doc_t   *doc;
    sync_doc_limit_t    window;
    sync_doc_client_t   client;

    doc = ctx->tenant.doc;

    if (doc == NULL
        || sync_doc_client_at(doc, ctx->principal.index, &client) != SYNC_OK
        || client.plan == SYNC_DOC_NONE)
    {
        return NGX_DECLINED;
    }

    n = sync_doc_limits(doc, client.plan);

    if (n == 0) {
        return NGX_DECLINED;
    }

    n = ngx_min(n, NGX_HTTP_SYNC_LIMIT_WINDOWS);

    sync_sha256_init(&sha);
    sync_sha256_update(&sha, ctx->tenant.id.data, ctx->tenant.id.len);
    sync_sha256_update(&sha, "", 1);
    sync_sha256_update(&sha, client.id.data, client.id.len);
    sync_sha256_final(&sha, digest);

    len = 1 + SYNC_SHA256_LEN + 2 * sizeof(uint64_t);

    g->take.items = ngx_palloc(r->pool, n * (sizeof(ngx_sync_limit_item_t)
                                             + sizeof(sync_gcra_answer_t)
                                             + sizeof(sync_gcra_t)));
    p = ngx_pnalloc(r->pool, n * len);

    if (g->take.items == NULL || p == NULL) {
        return NGX_ERROR;
    }

    g->take.n = n;
    g->take.answers = (sync_gcra_answer_t *) &g->take.items[n];
    gcra = (sync_gcra_t *) &g->take.answers[n];

    for (i = 0; i < n; i++) {

        if (sync_doc_limit_at(doc, client.plan, i, &window) != SYNC_OK
            || window.count > UINT32_MAX || window.burst > UINT32_MAX
            || sync_gcra_init(&gcra[i], window.count, window.per_us,
                              window.burst, &err)
               != SYNC_OK)
        {
            ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                          "limit: window %uD of a plan is out of bounds, "
                          "tenant \"%V\"", i, &ctx->tenant.name);
            return NGX_ERROR;
        }

        g->take.items[i].gcra = &gcra[i];
        g->take.items[i].key.len = len;
        g->take.items[i].key.data = p;

        *p++ = 'p';
        p = ngx_cpymem(p, digest, SYNC_SHA256_LEN);
        p = ngx_cpymem(p, &window.count, sizeof(uint64_t));
        p = ngx_cpymem(p, &window.per_us, sizeof(uint64_t));
    }

    g->take.group.len = 1 + SYNC_SHA256_LEN;
    g->take.group.data = g->take.items[0].key.data;

    if (g->limit->named) {
        g->name = g->limit->name;

    } else {
        sync_str_t  name = sync_doc_plan_name(doc, client.plan);

        g->name.len = name.len;
        g->name.data = name.data;
    }

    return NGX_OK;
}


/*
 * A cost below one, or one that is no number (an absent Content-Length), is
 * one; a cost of many digits is over any burst.
 */

static ngx_int_t
ngx_http_sync_limit_cost(ngx_http_request_t *r,
    const ngx_http_sync_limit_t *limit, uint64_t *cost)
{
    size_t     i;
    uint64_t   n;
    ngx_str_t  value;

    *cost = limit->units;

    if (limit->cost == NULL) {
        return NGX_OK;
    }

    if (ngx_http_complex_value(r, limit->cost, &value) != NGX_OK) {
        return NGX_ERROR;
    }

    n = 0;

    for (i = 0; i < value.len; i++) {

        if (value.data[i] < '0' || value.data[i] > '9') {
            n = 0;
            break;
        }

        if (n <= UINT32_MAX) {
            n = n * 10 + (value.data[i] - '0');
        }
    }

    *cost = ngx_max(n, 1);

    return NGX_OK;
}


/* Of IPv6 the network that one subscriber is given, /64. */

static void
ngx_http_sync_limit_address(ngx_http_request_t *r, ngx_str_t *value)
{
    struct sockaddr_in   *sin;
#if (NGX_HAVE_INET6)
    struct sockaddr_in6  *sin6;
#endif

    switch (r->connection->sockaddr->sa_family) {

#if (NGX_HAVE_INET6)
    case AF_INET6:
        sin6 = (struct sockaddr_in6 *) r->connection->sockaddr;

        if (IN6_IS_ADDR_V4MAPPED(&sin6->sin6_addr)) {
            value->len = 4;
            value->data = &sin6->sin6_addr.s6_addr[12];

        } else {
            value->len = 8;
            value->data = sin6->sin6_addr.s6_addr;
        }

        break;
#endif

    case AF_INET:
        sin = (struct sockaddr_in *) r->connection->sockaddr;
        value->len = 4;
        value->data = (u_char *) &sin->sin_addr;
        break;

    default: /* AF_UNIX: all of them are one */
        ngx_str_set(value, "unix:");
        break;
    }
}


/* NGX_OK: go on with the next group; a status: refused; NGX_ERROR. */

static ngx_int_t
ngx_http_sync_limit_judge(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_limit_ctx_t *lctx)
{
    ngx_http_sync_limit_group_t     *g;
    ngx_http_sync_limit_loc_conf_t  *llcf;

    g = lctx->group;

    switch (lctx->op.result) {

    case NGX_SYNC_STORE_OK:

        g->taken = lctx->taken;
        lctx->taken = g;

        ngx_http_sync_trace(ctx, "limit", "%V: %uD left", &g->name,
                            g->take.answers[0].remaining);

        llcf = ngx_http_get_module_loc_conf(r, ngx_http_sync_limit_module);

        if (llcf->limits->nelts == 1 && g->take.n == 1 && !g->limit->shadow) {
            return ngx_http_sync_limit_field(r, g, 0,
                                             g->take.answers[0].reset);
        }

        return NGX_OK;

    case NGX_SYNC_STORE_NO:
        return ngx_http_sync_limit_refuse(r, ctx, g);

    default: /* FULL, DOWN */
        return ngx_http_sync_limit_lost(r, ctx, lctx);
    }
}


static ngx_int_t
ngx_http_sync_limit_refuse(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_limit_group_t *g)
{
    u_char               buf[NGX_HTTP_SYNC_LIMIT_NAME + NGX_INT32_LEN + 1];
    ngx_int_t            rc;
    ngx_str_t            name;
    ngx_uint_t           i, wait;
    sync_gcra_answer_t  *answer;

    i = g->take.refused;
    answer = &g->take.answers[i];

    ngx_http_sync_limit_item_name(g, i, buf, &name);

    name.data = ngx_pstrdup(r->pool, &name);
    if (name.data == NULL) {
        return NGX_ERROR;
    }

    if (g->limit->shadow) {
        return ngx_http_sync_limit_shadow(r, ctx, g, &name);
    }

    ctx->limit = name;

    if (answer->retry < 0) {
        return ngx_http_sync_problem(ctx,
                                     NGX_HTTP_REQUEST_ENTITY_TOO_LARGE,
                                     "cost-over-burst",
                                     "The request costs more than the limit "
                                     "ever allows",
                                     NGX_HTTP_SYNC_TECHNICAL,
                                     "limit \"%V\" allows at most %uD at once",
                                     &name, g->take.items[i].gcra->burst);
    }

    if (ngx_http_sync_limit_policy_field(r, g) != NGX_OK
        || ngx_http_sync_limit_field(r, g, i, answer->retry) != NGX_OK)
    {
        return NGX_ERROR;
    }

    wait = ngx_http_sync_limit_seconds(answer->retry);

    rc = ngx_http_sync_problem(ctx, NGX_HTTP_TOO_MANY_REQUESTS,
                               "limit-exceeded", "Too many requests",
                               NGX_HTTP_SYNC_TECHNICAL,
                               "limit \"%V\" is used up, the next request is "
                               "due in %ui s", &name, wait);

    ctx->problem.retry_after = wait;

    return rc;
}


static ngx_int_t
ngx_http_sync_limit_shadow(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_limit_group_t *g, ngx_str_t *name)
{
    u_char  *p;

    ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                  "limit: would refuse, \"%V\"", name);

    ngx_http_sync_trace(ctx, "limit", "%V: would refuse", name);

    p = ngx_pnalloc(r->pool, name->len + sizeof("shadow:") - 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ctx->limit.data = p;
    ctx->limit.len = ngx_sprintf(p, "shadow:%V", name) - p;

    return NGX_OK;
}


/* The store has no room for another bucket, or no answer. */

static ngx_int_t
ngx_http_sync_limit_lost(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_limit_ctx_t *lctx)
{
    static time_t  told;

    ngx_int_t                     rc;
    const ngx_http_sync_limit_t  *limit;

    limit = lctx->group->limit;

    if (told != ngx_time()) {
        told = ngx_time();

        ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                      "limit: %s, \"%V\" %s",
                      lctx->op.result == NGX_SYNC_STORE_FULL
                      ? "zone \"limits\" is full" : "the store is down",
                      &lctx->group->name,
                      limit->fail == NGX_HTTP_SYNC_LIMIT_CLOSED
                      && !limit->shadow ? "refuses" : "is not enforced");
    }

    if (limit->fail != NGX_HTTP_SYNC_LIMIT_CLOSED || limit->shadow) {
        return NGX_OK;
    }

    ctx->limit = lctx->group->name;

    rc = ngx_http_sync_problem(ctx, NGX_HTTP_SERVICE_UNAVAILABLE,
                               "limit-unavailable",
                               "The limit cannot be checked",
                               NGX_HTTP_SYNC_TECHNICAL,
                               "limit \"%V\" cannot be checked now",
                               &lctx->group->name);

    ctx->problem.retry_after = 1;

    return rc;
}


/*
 * RateLimit and RateLimit-Policy, draft-ietf-httpapi-ratelimit-headers-11.
 * The quota is the burst and its window the time in which an empty bucket
 * fills, so that what remains is never more than the quota.
 */

static ngx_int_t
ngx_http_sync_limit_field(ngx_http_request_t *r,
    ngx_http_sync_limit_group_t *g, ngx_uint_t i, int64_t wait)
{
    static ngx_str_t  header = ngx_string("RateLimit");

    u_char     *p, buf[NGX_HTTP_SYNC_LIMIT_NAME + NGX_INT32_LEN + 1];
    ngx_str_t   name, value;

    ngx_http_sync_limit_item_name(g, i, buf, &name);

    value.data = ngx_pnalloc(r->pool,
                             name.len + 2 * NGX_INT_T_LEN
                             + sizeof("\"\";r=;t=;pk=::")
                             + sync_base64_room(NGX_HTTP_SYNC_LIMIT_PK));
    if (value.data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_sprintf(value.data, "\"%V\";r=%uD;t=%ui;pk=:", &name,
                    g->take.answers[i].remaining,
                    ngx_http_sync_limit_seconds(wait));
    p += ngx_http_sync_limit_pk(g, p);
    *p++ = ':';

    value.len = p - value.data;

    return ngx_http_sync_add_header(r, &header, &value);
}


static ngx_int_t
ngx_http_sync_limit_policy_field(ngx_http_request_t *r,
    ngx_http_sync_limit_group_t *g)
{
    static ngx_str_t  header = ngx_string("RateLimit-Policy");

    u_char             *p, buf[NGX_HTTP_SYNC_LIMIT_NAME + NGX_INT32_LEN + 1];
    ngx_str_t           name, value;
    ngx_uint_t          i;
    const sync_gcra_t  *gcra;

    value.data = ngx_pnalloc(r->pool,
                             g->take.n * (sizeof(buf) + 2 * NGX_INT_T_LEN
                             + sizeof("\"\";q=;w=;pk=::, ")
                             + sync_base64_room(NGX_HTTP_SYNC_LIMIT_PK)));
    if (value.data == NULL) {
        return NGX_ERROR;
    }

    p = value.data;

    for (i = 0; i < g->take.n; i++) {

        gcra = g->take.items[i].gcra;

        ngx_http_sync_limit_item_name(g, i, buf, &name);

        p = ngx_sprintf(p, "%s\"%V\";q=%uD;w=%ui;pk=:", i ? ", " : "", &name,
                        gcra->burst,
                        ngx_http_sync_limit_seconds(gcra->span
                                                    / gcra->count));
        p += ngx_http_sync_limit_pk(g, p);
        *p++ = ':';
    }

    value.len = p - value.data;

    return ngx_http_sync_add_header(r, &header, &value);
}


/* The windows of a plan are numbered: "gold", or "gold.1", "gold.2". */

static void
ngx_http_sync_limit_item_name(ngx_http_sync_limit_group_t *g, ngx_uint_t i,
    u_char *buf, ngx_str_t *name)
{
    u_char     *p;
    size_t      n;
    ngx_str_t   s;

    /* a plan's name may hold what a structured field's string may not */

    s.len = ngx_min(g->name.len, NGX_HTTP_SYNC_LIMIT_NAME);
    p = buf;

    for (n = 0; n < s.len; n++) {
        if (g->name.data[n] < 0x20 || g->name.data[n] >= 0x7f
            || g->name.data[n] == '"' || g->name.data[n] == '\\')
        {
            *p++ = '?';

        } else {
            *p++ = g->name.data[n];
        }
    }

    if (g->take.n > 1) {
        p = ngx_sprintf(p, ".%ui", i + 1);
    }

    name->data = buf;
    name->len = p - buf;
}


/* Tells a client which of its buckets an answer speaks of, not by what. */

static size_t
ngx_http_sync_limit_pk(ngx_http_sync_limit_group_t *g, u_char *dst)
{
    u_char  digest[SYNC_SHA256_LEN];

    sync_sha256(g->take.group.data, g->take.group.len, digest);

    return sync_base64_encode(dst, digest, NGX_HTTP_SYNC_LIMIT_PK);
}


static ngx_uint_t
ngx_http_sync_limit_seconds(int64_t us)
{
    return us <= 0 ? 0 : (us - 1) / 1000000 + 1;
}
