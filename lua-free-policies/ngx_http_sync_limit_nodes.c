
/*
 * How many nodes share the store: each counts itself once in each window of
 * the wall clock, one of its workers for all, and all workers look at the
 * windows before, in which every node has been counted.
 *
 * Every node, if the store was well when it came by.  A worker sees that of
 * the rounds of its own alone, so fewer nodes than before are believed only
 * after rounds that were all well, and of two windows the larger one: a store
 * that is away between them may cost one of them what other nodes count.
 */


#include "ngx_http_sync_limit.h"


#define NGX_HTTP_SYNC_LIMIT_NODES_WINDOW  10     /* seconds */
#define NGX_HTTP_SYNC_LIMIT_NODES_KEEP    60     /* is it counted for */
#define NGX_HTTP_SYNC_LIMIT_NODES_BACK    2      /* windows looked at */


typedef struct {
    ngx_event_t                  event;
    ngx_sync_store_t            *local;
    ngx_sync_store_t            *store;
    ngx_pool_t                  *pool;       /* of a round */
    ngx_uint_t                   back;       /* 0: counts; windows ago */
    ngx_sync_op_t                op;
    ngx_sync_limit_t             take;
    ngx_sync_limit_item_t        item;
    sync_gcra_answer_t           answer;
    sync_gcra_t                  gcra;
    u_char                       key[sizeof("sync nodes ") + NGX_INT64_LEN];
    uint64_t                     window;
    ngx_uint_t                   well;       /* rounds, one for each window */
    ngx_uint_t                   most;       /* in a window, this round */
    ngx_uint_t                   least;
    ngx_uint_t                   seen;       /* what is believed */
} ngx_http_sync_limit_nodes_t;


static void ngx_http_sync_limit_nodes_event(ngx_event_t *ev);
static void ngx_http_sync_limit_nodes_round(ngx_http_sync_limit_nodes_t *n);
static void ngx_http_sync_limit_nodes_prepare(ngx_http_sync_limit_nodes_t *n,
    const char *what, uint64_t window, uint32_t burst, uint64_t cost);
static ngx_uint_t ngx_http_sync_limit_nodes_first(
    ngx_http_sync_limit_nodes_t *n);
static void ngx_http_sync_limit_nodes_answered(ngx_sync_op_t *op);
static void ngx_http_sync_limit_nodes_judge(ngx_http_sync_limit_nodes_t *n);


static ngx_http_sync_limit_nodes_t  *ngx_http_sync_limit_seen;


ngx_uint_t
ngx_http_sync_limit_nodes(const ngx_http_sync_limit_t *limit)
{
    ngx_uint_t  seen;

    seen = ngx_http_sync_limit_seen ? ngx_http_sync_limit_seen->seen : 0;

    return ngx_max(limit->nodes, seen);
}


ngx_int_t
ngx_http_sync_limit_nodes_init(ngx_cycle_t *cycle)
{
    ngx_http_sync_limit_nodes_t      *n;
    ngx_http_sync_limit_main_conf_t  *lmcf;

    ngx_http_sync_limit_seen = NULL;

    if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    lmcf = ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_http_sync_limit_module);

    if (lmcf == NULL || lmcf->store == NULL
        || lmcf->store->data == lmcf->local->data)
    {
        return NGX_OK;
    }

    n = ngx_pcalloc(cycle->pool, sizeof(ngx_http_sync_limit_nodes_t));
    if (n == NULL) {
        return NGX_ERROR;
    }

    n->local = lmcf->local;
    n->store = lmcf->store;

    n->event.handler = ngx_http_sync_limit_nodes_event;
    n->event.data = n;
    n->event.log = cycle->log;
    n->event.cancelable = 1;

    ngx_add_timer(&n->event, 1);

    ngx_http_sync_limit_seen = n;

    return NGX_OK;
}


static void
ngx_http_sync_limit_nodes_event(ngx_event_t *ev)
{
    uint64_t                      window;
    ngx_http_sync_limit_nodes_t  *n;

    n = ev->data;

    if (ngx_exiting) {
        return;
    }

    /* shortly after the next window has begun */

    ngx_add_timer(ev, (NGX_HTTP_SYNC_LIMIT_NODES_WINDOW
                       - ngx_time() % NGX_HTTP_SYNC_LIMIT_NODES_WINDOW)
                      * 1000 + ngx_random() % 1000);

    if (n->pool != NULL) {

        /* the last round still waits */

        n->well = 0;
        return;
    }

    n->pool = ngx_create_pool(1024, ev->log);
    if (n->pool == NULL) {
        return;
    }

    ngx_memzero(&n->op, sizeof(ngx_sync_op_t));

    n->op.handler = ngx_http_sync_limit_nodes_answered;
    n->op.data = n;
    n->op.log = ev->log;
    n->op.pool = n->pool;

    window = ngx_time() / NGX_HTTP_SYNC_LIMIT_NODES_WINDOW;

    if (window != n->window + 1) {

        /* the clock was set: nobody counted in between */

        n->well = 0;
    }

    n->window = window;
    n->most = 0;
    n->least = NGX_HTTP_SYNC_LIMIT_NODES;
    n->back = 0;

    ngx_http_sync_limit_nodes_round(n);
}


/*
 * Counts this node in this window, or looks at it; looks at those before.  Is
 * at its end when it has looked at all of them, or the store does not answer.
 */

static void
ngx_http_sync_limit_nodes_round(ngx_http_sync_limit_nodes_t *n)
{
    uint64_t  cost;

    while (n->back <= NGX_HTTP_SYNC_LIMIT_NODES_BACK) {

        cost = n->back == 0 ? ngx_http_sync_limit_nodes_first(n) : 0;

        ngx_http_sync_limit_nodes_prepare(n, "nodes", n->window - n->back,
                                          NGX_HTTP_SYNC_LIMIT_NODES, cost);

        if (n->store->ops->limit_take(n->store, &n->op, &n->take)
            == NGX_AGAIN)
        {
            return;
        }

        ngx_http_sync_limit_nodes_judge(n);
    }

    /* nobody in a window in which this node was: the store has forgotten */

    if (n->most > n->seen
        || (n->least && n->well > NGX_HTTP_SYNC_LIMIT_NODES_BACK))
    {
        n->seen = n->most;
    }

    ngx_destroy_pool(n->pool);
    n->pool = NULL;
}


static void
ngx_http_sync_limit_nodes_prepare(ngx_http_sync_limit_nodes_t *n,
    const char *what, uint64_t window, uint32_t burst, uint64_t cost)
{
    (void) sync_gcra_count(&n->gcra, NGX_HTTP_SYNC_LIMIT_NODES_KEEP * 1000000,
                           burst, NULL);

    n->item.gcra = &n->gcra;
    n->item.key.data = n->key;
    n->item.key.len = ngx_sprintf(n->key, "sync %s %uL", what, window) - n->key;

    n->take.group = n->item.key;
    n->take.items = &n->item;
    n->take.n = 1;
    n->take.answers = &n->answer;
    n->take.cost = cost;
}


/* The first worker of this node to come by in this window counts it. */

static ngx_uint_t
ngx_http_sync_limit_nodes_first(ngx_http_sync_limit_nodes_t *n)
{
    ngx_sync_op_t  op;

    ngx_memzero(&op, sizeof(ngx_sync_op_t));

    op.log = n->event.log;
    op.pool = n->pool;

    ngx_http_sync_limit_nodes_prepare(n, "node", n->window, 1, 1);

    return n->local->ops->limit_take(n->local, &op, &n->take) == NGX_OK
           && op.result == NGX_SYNC_STORE_OK;
}


static void
ngx_http_sync_limit_nodes_answered(ngx_sync_op_t *op)
{
    ngx_http_sync_limit_nodes_t  *n;

    n = op->data;

    ngx_http_sync_limit_nodes_judge(n);
    ngx_http_sync_limit_nodes_round(n);
}


static void
ngx_http_sync_limit_nodes_judge(ngx_http_sync_limit_nodes_t *n)
{
    ngx_uint_t  seen;

    if (n->op.result != NGX_SYNC_STORE_OK
        && n->op.result != NGX_SYNC_STORE_NO)
    {
        /* what was seen before stands */

        n->well = 0;
        n->back = NGX_HTTP_SYNC_LIMIT_NODES_BACK + 1;
        return;
    }

    seen = NGX_HTTP_SYNC_LIMIT_NODES - n->answer.remaining;

    n->most = ngx_max(n->most, seen);
    n->least = ngx_min(n->least, seen);

    if (n->back++ == NGX_HTTP_SYNC_LIMIT_NODES_BACK) {
        n->well++;
    }
}
