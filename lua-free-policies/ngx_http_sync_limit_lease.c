
/*
 * Leased limits.  Each worker keeps chunks of tokens, debited in the store
 * before they are spent, and spends them without asking anybody.  A chunk is
 * as large as what was lately spent in a part of a lease; the next one is
 * asked for before this one is used up.
 *
 * What makes the bound (docs/limits.md): no token is spent later than a lease
 * after its debit, and of what is not spent no more is given back than has not
 * come back by itself with time.
 *
 * The state is the worker's own: it takes no lock, and what it may hoard is
 * bounded by the lease, however many workers there are.
 */


#include "ngx_http_sync_limit.h"
#include "sync_crypto.h"


#define NGX_HTTP_SYNC_LEASES       10000     /* buckets of a worker */
#define NGX_HTTP_SYNC_LEASE_SHARE  8         /* of a burst, in one chunk */
#define NGX_HTTP_SYNC_LEASE_AHEAD  4         /* smallest chunk with a next */
#define NGX_HTTP_SYNC_LEASE_LOST   500       /* ms until a store that is away
                                                is asked again */
#define NGX_HTTP_SYNC_LEASE_LOOK   1000      /* ms between looks at the end */
#define NGX_HTTP_SYNC_LEASE_TRIES  8         /* refills that a request awaits */


/* The clock of a worker stands still while it handles events. */
#define ngx_http_sync_lease_margin(lease)  ((lease) / 16)

#define ngx_http_sync_lease_over(until)                                       \
    ((ngx_msec_int_t) ((until) - ngx_current_msec) <= 0)


typedef struct {
    uint64_t                 left;           /* tokens */
    ngx_msec_t               start;          /* before it was asked for */
    ngx_msec_t               until;          /* not spent from here on */
    u_char                   nonce[NGX_SYNC_OWNER_LEN];
} ngx_http_sync_lease_chunk_t;


/* A bucket that this worker spends from. */

typedef struct {
    ngx_rbtree_node_t            node;       /* by hash of the key */
    ngx_queue_t                  queue;      /* by use */
    ngx_pool_t                  *pool;
    ngx_pool_t                  *calls;      /* of op, emptied before each */
    ngx_str_t                    key;
    ngx_str_t                    group;
    sync_gcra_t                  gcra;
    ngx_sync_store_t            *store;
    ngx_msec_t                   lease;

    ngx_http_sync_lease_chunk_t  chunks[2];  /* the first is spent first */
    uint64_t                     size;       /* of the next one */
    uint64_t                     spent;      /* since the last one came */
    ngx_msec_t                   refilled;   /* when that was */

    sync_gcra_rest_t             rest;       /* of what was given back */

    ngx_msec_t                   dry;        /* until then there are fewer */
    uint64_t                     dry_cost;   /* than these, */
    ngx_msec_t                   lost;       /* and nobody to ask */
    ngx_sync_result_e            why;        /* FULL or DOWN */

    ngx_queue_t                  waiters;
    ngx_event_t                  timer;      /* gives back what is left */

    ngx_sync_op_t                op;
    ngx_sync_lease_t             take;

    unsigned                     busy:1;     /* a refill is under way */
    unsigned                     is_dry:1;
    unsigned                     is_lost:1;
} ngx_http_sync_lease_t;


/* What goes back lives until the store has answered. */

typedef struct {
    ngx_pool_t                  *pool;
    ngx_sync_op_t                op;
    ngx_sync_lease_t             lease;
    sync_gcra_t                  gcra;
    ngx_event_t                  end;
} ngx_http_sync_lease_return_t;


static ngx_http_sync_lease_t *ngx_http_sync_lease_find(
    ngx_http_sync_limit_group_t *g, ngx_uint_t i, uint32_t *hash);
static ngx_http_sync_lease_t *ngx_http_sync_lease_get(
    ngx_http_sync_limit_group_t *g, ngx_uint_t i);
static ngx_int_t ngx_http_sync_lease_room(void);
static uint64_t ngx_http_sync_lease_has(ngx_http_sync_lease_t *l);
static void ngx_http_sync_lease_spend(ngx_http_sync_lease_t *l,
    uint64_t cost);
static void ngx_http_sync_lease_answers(ngx_http_sync_limit_group_t *g,
    ngx_http_sync_lease_t **leases);
static void ngx_http_sync_lease_refill(ngx_http_sync_lease_t *l,
    uint64_t cost);
static void ngx_http_sync_lease_grow(ngx_http_sync_lease_t *l);
static void ngx_http_sync_lease_answered(ngx_sync_op_t *op);
static void ngx_http_sync_lease_dry(ngx_http_sync_lease_t *l);
static void ngx_http_sync_lease_judge(ngx_http_sync_lease_t *l);
static void ngx_http_sync_lease_arm(ngx_http_sync_lease_t *l);
static void ngx_http_sync_lease_timer(ngx_event_t *ev);
static void ngx_http_sync_lease_give_back(ngx_http_sync_lease_t *l,
    ngx_http_sync_lease_chunk_t *chunk);
static void ngx_http_sync_lease_returned(ngx_sync_op_t *op);
static void ngx_http_sync_lease_end(ngx_event_t *ev);


static ngx_rbtree_t       ngx_http_sync_lease_tree;
static ngx_rbtree_node_t  ngx_http_sync_lease_sentinel;
static ngx_queue_t        ngx_http_sync_lease_queue;     /* last used first */
static ngx_uint_t         ngx_http_sync_lease_count;


void
ngx_http_sync_limit_lease_init(void)
{
    ngx_rbtree_init(&ngx_http_sync_lease_tree, &ngx_http_sync_lease_sentinel,
                    ngx_rbtree_insert_value);
    ngx_queue_init(&ngx_http_sync_lease_queue);
    ngx_http_sync_lease_count = 0;
}


ngx_int_t
ngx_http_sync_limit_lease_take(ngx_http_sync_limit_group_t *g,
    ngx_http_sync_limit_waiter_t *w, ngx_sync_result_e *result)
{
    ngx_uint_t              i, lacks;
    ngx_http_sync_lease_t  *l, *leases[NGX_SYNC_LIMITS_MAX];

again:

    lacks = g->take.n;

    for (i = 0; i < g->take.n; i++) {

        l = ngx_http_sync_lease_get(g, i);
        if (l == NULL) {
            ngx_http_sync_event(NGX_HTTP_SYNC_EVENT_LEASE_EXACT);
            return NGX_DECLINED;
        }

        leases[i] = l;

        if (lacks == g->take.n && ngx_http_sync_lease_has(l) < g->take.cost) {
            lacks = i;
        }
    }

    if (lacks == g->take.n) {

        for (i = 0; i < g->take.n; i++) {
            ngx_http_sync_lease_spend(leases[i], g->take.cost);
        }

        ngx_http_sync_lease_answers(g, leases);

        *result = NGX_SYNC_STORE_OK;
        return NGX_OK;
    }

    l = leases[lacks];

    if (l->is_lost && !ngx_http_sync_lease_over(l->lost)) {
        *result = l->why;
        return NGX_OK;
    }

    if (g->take.cost > l->gcra.burst
        || (l->is_dry && !ngx_http_sync_lease_over(l->dry)
            && g->take.cost >= l->dry_cost)
        || w->tries == NGX_HTTP_SYNC_LEASE_TRIES)
    {
        ngx_http_sync_lease_answers(g, leases);

        if (w->tries) {

            /* asked for in vain: others may ask for less */

            ngx_http_sync_lease_give_back(l, &l->chunks[0]);
            ngx_http_sync_lease_give_back(l, &l->chunks[1]);

            l->dry_cost = g->take.cost;
        }

        g->take.refused = lacks;

        *result = NGX_SYNC_STORE_NO;
        return NGX_OK;
    }

    w->tries++;

    if (!l->busy) {
        ngx_http_sync_lease_refill(l, g->take.cost);

        if (!l->busy) {
            goto again;
        }
    }

    ngx_http_sync_event(NGX_HTTP_SYNC_EVENT_LEASE_WAIT);

    ngx_queue_insert_tail(&l->waiters, &w->queue);
    w->waiting = 1;

    return NGX_AGAIN;
}


void
ngx_http_sync_limit_lease_cancel(ngx_http_sync_limit_waiter_t *w)
{
    if (w->waiting) {
        ngx_queue_remove(&w->queue);
        w->waiting = 0;
    }
}


/* What the group took goes back where it came from, if that is still there. */

void
ngx_http_sync_limit_lease_refund(ngx_http_sync_limit_group_t *g)
{
    uint32_t                hash;
    ngx_uint_t              i;
    ngx_http_sync_lease_t  *l;

    for (i = 0; i < g->take.n; i++) {
        l = ngx_http_sync_lease_find(g, i, &hash);

        if (l != NULL && l->chunks[0].until
            && !ngx_http_sync_lease_over(l->chunks[0].until))
        {
            l->chunks[0].left += g->take.cost;
        }
    }
}


static ngx_http_sync_lease_t *
ngx_http_sync_lease_find(ngx_http_sync_limit_group_t *g, ngx_uint_t i,
    uint32_t *hash)
{
    ngx_str_t              *key;
    ngx_rbtree_node_t      *node, *sentinel;
    ngx_http_sync_lease_t  *l;

    key = &g->take.items[i].key;
    *hash = ngx_crc32_long(key->data, key->len);

    node = ngx_http_sync_lease_tree.root;
    sentinel = ngx_http_sync_lease_tree.sentinel;

    while (node != sentinel) {

        if (*hash != node->key) {
            node = *hash < node->key ? node->left : node->right;
            continue;
        }

        l = (ngx_http_sync_lease_t *) node;

        if (l->key.len == key->len
            && ngx_memcmp(l->key.data, key->data, key->len) == 0)
        {
            return l;
        }

        /* equal hashes are put to the right */

        node = node->right;
    }

    return NULL;
}


static ngx_http_sync_lease_t *
ngx_http_sync_lease_get(ngx_http_sync_limit_group_t *g, ngx_uint_t i)
{
    uint32_t                hash;
    ngx_pool_t             *pool;
    ngx_http_sync_lease_t  *l;

    l = ngx_http_sync_lease_find(g, i, &hash);

    if (l != NULL) {
        ngx_queue_remove(&l->queue);
        goto found;
    }

    if (ngx_http_sync_lease_room() != NGX_OK) {
        return NULL;
    }

    pool = ngx_create_pool(1024, ngx_cycle->log);
    if (pool == NULL) {
        return NULL;
    }

    l = ngx_pcalloc(pool, sizeof(ngx_http_sync_lease_t));
    if (l == NULL) {
        goto failed;
    }

    l->pool = pool;

    l->calls = ngx_create_pool(512, ngx_cycle->log);
    if (l->calls == NULL) {
        goto failed;
    }

    l->store = g->store;
    l->size = 1;
    l->refilled = ngx_current_msec - g->limit->lease / 4;

    l->key.len = g->take.items[i].key.len;
    l->key.data = ngx_pstrdup(pool, &g->take.items[i].key);
    if (l->key.data == NULL) {
        goto failed;
    }

    l->group.len = g->take.group.len;
    l->group.data = ngx_pstrdup(pool, &g->take.group);
    if (l->group.data == NULL) {
        goto failed;
    }

    l->timer.handler = ngx_http_sync_lease_timer;
    l->timer.data = l;
    l->timer.log = ngx_cycle->log;

    ngx_queue_init(&l->waiters);

    l->node.key = hash;
    ngx_rbtree_insert(&ngx_http_sync_lease_tree, &l->node);
    ngx_http_sync_lease_count++;

found:

    /* a document may have changed it */

    l->gcra = *g->take.items[i].gcra;
    l->lease = g->limit->lease;

    ngx_queue_insert_head(&ngx_http_sync_lease_queue, &l->queue);

    return l;

failed:

    if (l != NULL && l->calls != NULL) {
        ngx_destroy_pool(l->calls);
    }

    ngx_destroy_pool(pool);

    return NULL;
}


/* The one that was not used for longest leaves; NGX_DECLINED: it may not. */

static ngx_int_t
ngx_http_sync_lease_room(void)
{
    ngx_queue_t            *q;
    ngx_http_sync_lease_t  *l;

    if (ngx_http_sync_lease_count < NGX_HTTP_SYNC_LEASES) {
        return NGX_OK;
    }

    q = ngx_queue_last(&ngx_http_sync_lease_queue);
    l = ngx_queue_data(q, ngx_http_sync_lease_t, queue);

    if (l->busy || !ngx_queue_empty(&l->waiters)) {
        return NGX_DECLINED;
    }

    ngx_http_sync_lease_give_back(l, &l->chunks[0]);
    ngx_http_sync_lease_give_back(l, &l->chunks[1]);

    if (l->timer.timer_set) {
        ngx_del_timer(&l->timer);
    }

    ngx_queue_remove(&l->queue);
    ngx_rbtree_delete(&ngx_http_sync_lease_tree, &l->node);
    ngx_http_sync_lease_count--;

    ngx_destroy_pool(l->calls);
    ngx_destroy_pool(l->pool);

    return NGX_OK;
}


static uint64_t
ngx_http_sync_lease_has(ngx_http_sync_lease_t *l)
{
    ngx_uint_t                    i;
    ngx_http_sync_lease_chunk_t  *chunk;

    for (i = 0; i < 2; i++) {
        chunk = &l->chunks[i];

        if (chunk->left && ngx_http_sync_lease_over(chunk->until)) {
            chunk->left = 0;
        }
    }

    if (l->chunks[0].left == 0) {
        l->chunks[0] = l->chunks[1];
        l->chunks[1].left = 0;
    }

    return l->chunks[0].left + l->chunks[1].left;
}


/* There is as much. */

static void
ngx_http_sync_lease_spend(ngx_http_sync_lease_t *l, uint64_t cost)
{
    uint64_t  first;

    l->spent += cost;

    first = ngx_min(l->chunks[0].left, cost);

    l->chunks[0].left -= first;
    l->chunks[1].left -= cost - first;

    /* the next one, while there is something left to wait on */

    if (l->size >= NGX_HTTP_SYNC_LEASE_AHEAD && !l->busy
        && l->chunks[1].left == 0 && l->chunks[0].left < l->size / 2
        && !(l->is_dry && !ngx_http_sync_lease_over(l->dry))
        && !(l->is_lost && !ngx_http_sync_lease_over(l->lost)))
    {
        ngx_http_sync_lease_refill(l, 0);
    }
}


/*
 * Of what remains in all only the store knows: said is what is at hand here,
 * and of a refusal how long so many tokens take to come.
 */

static void
ngx_http_sync_lease_answers(ngx_http_sync_limit_group_t *g,
    ngx_http_sync_lease_t **leases)
{
    uint64_t                has;
    ngx_uint_t              i;
    sync_gcra_answer_t     *answer;
    ngx_http_sync_lease_t  *l;

    for (i = 0; i < g->take.n; i++) {
        l = leases[i];
        answer = &g->take.answers[i];

        has = l->chunks[0].left + l->chunks[1].left;

        answer->remaining = ngx_min(has, l->gcra.burst);
        answer->reset = l->gcra.window ? l->gcra.window
                                       : l->gcra.span / l->gcra.count;
        answer->retry = 0;

        if (g->take.cost > l->gcra.burst) {
            answer->retry = -1;

        } else if (has < g->take.cost) {
            answer->retry = l->gcra.window
                            ? l->gcra.window
                            : ((int64_t) (g->take.cost - has) * l->gcra.per
                               + l->gcra.count - 1) / l->gcra.count;
        }
    }
}


static void
ngx_http_sync_lease_refill(ngx_http_sync_lease_t *l, uint64_t cost)
{
    ngx_http_sync_event(NGX_HTTP_SYNC_EVENT_LEASE_REFILL);

    ngx_http_sync_lease_grow(l);

    ngx_reset_pool(l->calls);
    ngx_memzero(&l->op, sizeof(ngx_sync_op_t));

    l->op.handler = ngx_http_sync_lease_answered;
    l->op.data = l;
    l->op.log = ngx_cycle->log;
    l->op.pool = l->calls;

    l->take.group = l->group;
    l->take.key = l->key;
    l->take.gcra = &l->gcra;
    l->take.wanted = ngx_max(l->size, cost);
    l->take.lease = l->lease;
    l->take.tokens = 0;
    l->take.until = ngx_current_msec;

    l->is_dry = 0;
    l->is_lost = 0;

    if (sync_random(l->take.nonce, NGX_SYNC_OWNER_LEN) != SYNC_OK) {
        l->op.result = NGX_SYNC_STORE_DOWN;

    } else if (l->store->ops->lease_take(l->store, &l->op, &l->take)
               == NGX_AGAIN)
    {
        l->busy = 1;
        return;
    }

    ngx_http_sync_lease_judge(l);
}


/*
 * A chunk should last for a quarter of a lease or so: less often the store is
 * not asked for much, and no worker sits on what others wait for.
 */

static void
ngx_http_sync_lease_grow(ngx_http_sync_lease_t *l)
{
    uint64_t    most;
    ngx_msec_t  lasted;

    lasted = ngx_current_msec - l->refilled;

    if (lasted > l->lease / 2) {
        l->size = ngx_max(l->spent, 1);

    } else if (lasted < l->lease / 8) {
        l->size *= 2;
    }

    most = ngx_max(l->gcra.burst / NGX_HTTP_SYNC_LEASE_SHARE, 1);
    l->size = ngx_min(l->size, most);

    l->spent = 0;
    l->refilled = ngx_current_msec;
}


static void
ngx_http_sync_lease_answered(ngx_sync_op_t *op)
{
    ngx_queue_t                   *q;
    ngx_http_sync_lease_t         *l;
    ngx_http_sync_limit_waiter_t  *w;

    l = op->data;

    l->busy = 0;

    ngx_http_sync_lease_judge(l);

    while (!ngx_queue_empty(&l->waiters)) {
        q = ngx_queue_head(&l->waiters);
        ngx_queue_remove(q);

        w = ngx_queue_data(q, ngx_http_sync_limit_waiter_t, queue);
        w->waiting = 0;

        ngx_http_sync_wake(w->ctx);
    }
}


/* Until a token has come, or another worker may have given some back. */

static void
ngx_http_sync_lease_dry(ngx_http_sync_lease_t *l)
{
    int64_t  ms;

    ms = l->gcra.per / l->gcra.count / 1000;
    ms = ngx_min(ms, (int64_t) l->lease / 4);

    ngx_http_sync_event(NGX_HTTP_SYNC_EVENT_LEASE_DRY);

    l->is_dry = 1;
    l->dry = ngx_current_msec + ngx_max(ms, 1);
    l->dry_cost = 1;
}


static void
ngx_http_sync_lease_judge(ngx_http_sync_lease_t *l)
{
    ngx_http_sync_lease_chunk_t  *chunk;

    switch (l->op.result) {

    case NGX_SYNC_STORE_OK:

        (void) ngx_http_sync_lease_has(l);

        if (l->take.tokens < l->take.wanted) {
            ngx_http_sync_lease_dry(l);
        }

        if (l->chunks[1].left) {

            /* more than that one were wanted: these are as old as those */

            l->chunks[1].left += l->take.tokens;
            break;
        }

        chunk = &l->chunks[l->chunks[0].left != 0];

        chunk->left = l->take.tokens;
        chunk->start = l->refilled;
        chunk->until = l->refilled + l->lease
                       - ngx_http_sync_lease_margin(l->lease);
        ngx_memcpy(chunk->nonce, l->take.nonce, NGX_SYNC_OWNER_LEN);

        ngx_http_sync_lease_arm(l);
        break;

    case NGX_SYNC_STORE_NO:
        ngx_http_sync_lease_dry(l);
        break;

    default: /* FULL, DOWN: what was debited is lost until it comes back */

        ngx_http_sync_event(NGX_HTTP_SYNC_EVENT_LEASE_LOST);

        l->is_lost = 1;
        l->lost = ngx_current_msec + NGX_HTTP_SYNC_LEASE_LOST;
        l->why = l->op.result;
        break;
    }
}


/*
 * Only where something could be given back.  A worker that is told to quit
 * waits for this timer, as it does for a request.
 */

static void
ngx_http_sync_lease_arm(ngx_http_sync_lease_t *l)
{
    ngx_msec_t                    wait, left;
    ngx_uint_t                    i, any;
    ngx_http_sync_lease_chunk_t  *chunk;

    wait = NGX_HTTP_SYNC_LEASE_LOOK;
    any = 0;

    for (i = 0; i < 2; i++) {
        chunk = &l->chunks[i];

        /* what comes back by itself before */

        if (chunk->left == 0
            || (l->gcra.window == 0
                && (int64_t) chunk->left * l->gcra.per
                   <= (int64_t) l->lease * 1000 * l->gcra.count))
        {
            continue;
        }

        any = 1;

        left = ngx_http_sync_lease_over(chunk->until)
               ? 0 : chunk->until - ngx_current_msec;
        left -= ngx_min(left, ngx_http_sync_lease_margin(l->lease));

        wait = ngx_min(wait, left);
    }

    if (any && !l->timer.timer_set) {
        ngx_add_timer(&l->timer, wait + 1);
    }
}


static void
ngx_http_sync_lease_timer(ngx_event_t *ev)
{
    ngx_uint_t                    i;
    ngx_http_sync_lease_t        *l;
    ngx_http_sync_lease_chunk_t  *chunk;

    l = ev->data;

    for (i = 0; i < 2; i++) {
        chunk = &l->chunks[i];

        if (chunk->left
            && (ngx_exiting
                || ngx_http_sync_lease_over(chunk->until
                                   - ngx_http_sync_lease_margin(l->lease))))
        {
            ngx_http_sync_lease_give_back(l, chunk);
        }
    }

    ngx_http_sync_lease_arm(l);
}


static void
ngx_http_sync_lease_give_back(ngx_http_sync_lease_t *l,
    ngx_http_sync_lease_chunk_t *chunk)
{
    uint64_t                       tokens;
    ngx_pool_t                    *pool;
    ngx_http_sync_lease_return_t  *back;

    if (chunk->left == 0) {
        return;
    }

    /* times that only differ from each other */

    tokens = sync_gcra_unspent(&l->gcra, &l->rest, chunk->left,
                               (int64_t) chunk->start * 1000,
                               (int64_t) ngx_current_msec * 1000);
    chunk->left = 0;

    if (tokens == 0) {
        return;
    }

    pool = ngx_create_pool(1024, ngx_cycle->log);
    if (pool == NULL) {
        return;
    }

    back = ngx_pcalloc(pool, sizeof(ngx_http_sync_lease_return_t));
    if (back == NULL) {
        ngx_destroy_pool(pool);
        return;
    }

    back->pool = pool;
    back->gcra = l->gcra;

    back->op.handler = ngx_http_sync_lease_returned;
    back->op.data = back;
    back->op.log = ngx_cycle->log;
    back->op.pool = pool;

    back->lease.key.len = l->key.len;
    back->lease.key.data = ngx_pstrdup(pool, &l->key);
    back->lease.group.len = l->group.len;
    back->lease.group.data = ngx_pstrdup(pool, &l->group);
    back->lease.gcra = &back->gcra;
    back->lease.tokens = tokens;
    ngx_memcpy(back->lease.nonce, chunk->nonce, NGX_SYNC_OWNER_LEN);

    if (back->lease.key.data == NULL || back->lease.group.data == NULL
        || l->store->ops->lease_return(l->store, &back->op, &back->lease)
           == NGX_OK)
    {
        ngx_destroy_pool(pool);
    }
}


static void
ngx_http_sync_lease_returned(ngx_sync_op_t *op)
{
    ngx_http_sync_lease_return_t  *back;

    back = op->data;

    /* not within its own answer */

    back->end.handler = ngx_http_sync_lease_end;
    back->end.data = back;
    back->end.log = ngx_cycle->log;

    ngx_post_event(&back->end, &ngx_posted_events);
}


static void
ngx_http_sync_lease_end(ngx_event_t *ev)
{
    ngx_http_sync_lease_return_t  *back;

    back = ev->data;

    ngx_destroy_pool(back->pool);
}
