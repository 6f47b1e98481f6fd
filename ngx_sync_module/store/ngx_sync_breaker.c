
/*
 * The breaker of a store; see the header for what it does.
 *
 * Its state stands in shared memory and is written without a lock: each word
 * tells something by itself, and a count that is one off changes nothing.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_sync_breaker.h"


#define NGX_SYNC_BREAKER_MISSES   5       /* deadlines missed in a row */
#define NGX_SYNC_BREAKER_RATE     20      /* or more than half of a window, */
#define NGX_SYNC_BREAKER_WINDOW   10000   /* ms, and at least so many */
#define NGX_SYNC_BREAKER_FIRST    100     /* ms until it is asked again, */
#define NGX_SYNC_BREAKER_LAST     2000    /* doubled up to this */
#define NGX_SYNC_BREAKER_CALM     10000   /* ms after which it is doubled from
                                             the beginning */
#define NGX_SYNC_BREAKER_GRAIN    8       /* ms, of the last answer's time */


/* name, type of its arguments */

#define NGX_SYNC_BREAKER_OPS(op)                                              \
    op(limit_take, ngx_sync_limit_t)                                          \
    op(limit_refund, ngx_sync_limit_t)                                        \
    op(lease_take, ngx_sync_lease_t)                                          \
    op(lease_return, ngx_sync_lease_t)                                        \
    op(slot_acquire, ngx_sync_slot_t)                                         \
    op(slot_release, ngx_sync_slot_t)                                         \
    op(claim, ngx_sync_claim_t)                                               \
    op(extend, ngx_sync_hold_t)                                               \
    op(settle, ngx_sync_hold_t)                                               \
    op(release, ngx_sync_hold_t)                                              \
    op(resolve_begin, ngx_sync_hold_t)                                        \
    op(resolve_end, ngx_sync_hold_t)                                          \
    op(look, ngx_sync_look_t)                                                 \
    op(due, ngx_sync_due_t)                                                   \
    op(seen, ngx_sync_seen_t)                                                 \
    op(cache_get, ngx_sync_cache_t)                                           \
    op(cache_put, ngx_sync_cache_t)


/* Times are ngx_current_msec, which is the same for all workers. */

typedef struct {
    ngx_atomic_t               open;
    ngx_atomic_t               answered;     /* when it last answered */
    ngx_atomic_t               row;          /* misses since then */

    ngx_atomic_t               window;       /* its number */
    ngx_atomic_t               calls;        /* within it */
    ngx_atomic_t               misses;

    ngx_atomic_t               next;         /* when it may be asked again */
    ngx_atomic_t               backoff;
    ngx_atomic_t               closed;       /* when */

    ngx_atomic_t               opened;       /* ever */
    ngx_atomic_t               refused;
    ngx_atomic_t               missed;
} ngx_sync_breaker_sh_t;


struct ngx_sync_breaker_s {
    ngx_sync_store_t           store;        /* what others see */
    ngx_sync_store_t          *inner;
    ngx_uint_t                 kinds;        /* of zones, a bit each */
    ngx_sync_breaker_sh_t     *sh;

    ngx_event_t                event;        /* until the next question */
    ngx_pool_t                *pool;         /* of the question; NULL: none */
    ngx_sync_op_t              op;
    u_char                     name[NGX_SYNC_NAME_LEN];      /* it asks for */

    union {
        ngx_sync_look_t        look;
        ngx_sync_slot_t        slot;
        ngx_sync_cache_t       cache;
    } u;
};


/* Stands between the store and the caller while an operation is under way. */

typedef struct {
    ngx_sync_op_handler_pt     handler;
    void                      *data;
    ngx_sync_breaker_t        *breaker;
    ngx_msec_t                 started;
} ngx_sync_breaker_call_t;


static ngx_sync_breaker_call_t *ngx_sync_breaker_begin(ngx_sync_breaker_t *b,
    ngx_sync_op_t *op);
static ngx_int_t ngx_sync_breaker_end(ngx_sync_breaker_call_t *call,
    ngx_sync_op_t *op, ngx_int_t rc);
static void ngx_sync_breaker_done(ngx_sync_op_t *op);
static void ngx_sync_breaker_cancel(ngx_sync_store_t *st, ngx_sync_op_t *op);

static void ngx_sync_breaker_answer(ngx_sync_breaker_t *b);
static void ngx_sync_breaker_miss(ngx_sync_breaker_t *b, ngx_msec_t timeout);
static void ngx_sync_breaker_turn(ngx_sync_breaker_sh_t *sh);
static void ngx_sync_breaker_open(ngx_sync_breaker_t *b);

static void ngx_sync_breaker_watch(ngx_sync_breaker_t *b);
static void ngx_sync_breaker_event(ngx_event_t *ev);
static void ngx_sync_breaker_ask(ngx_sync_breaker_t *b);
static void ngx_sync_breaker_asked(ngx_sync_op_t *op);

static ngx_int_t ngx_sync_breaker_init_zone(ngx_shm_zone_t *shm_zone,
    void *data);
static void ngx_sync_breaker_cleanup(void *data);


extern ngx_module_t  ngx_http_sync_store_module;


#define ngx_sync_breaker_op_function(name, type)                              \
                                                                              \
static ngx_int_t                                                              \
ngx_sync_breaker_##name(ngx_sync_store_t *st, ngx_sync_op_t *op, type *args)  \
{                                                                             \
    ngx_sync_breaker_t       *b = st->data;                                   \
    ngx_sync_breaker_call_t  *call;                                           \
                                                                              \
    call = ngx_sync_breaker_begin(b, op);                                     \
    if (call == NULL) {                                                       \
        return NGX_OK;                                                        \
    }                                                                         \
                                                                              \
    return ngx_sync_breaker_end(call, op,                                     \
                                b->inner->ops->name(b->inner, op, args));     \
}

NGX_SYNC_BREAKER_OPS(ngx_sync_breaker_op_function)


#define ngx_sync_breaker_op_slot(name, type)  .name = ngx_sync_breaker_##name,

static const ngx_sync_store_ops_t  ngx_sync_breaker_ops = {
    .name = ngx_string("breaker"),
    NGX_SYNC_BREAKER_OPS(ngx_sync_breaker_op_slot)
    .cancel = ngx_sync_breaker_cancel
};


ngx_sync_store_t *
ngx_sync_breaker_wrap(ngx_conf_t *cf, ngx_array_t *all,
    ngx_sync_store_t *inner, ngx_sync_zone_e kind)
{
    u_char               *p;
    ngx_str_t             name;
    ngx_uint_t            i;
    ngx_shm_zone_t       *shm_zone;
    ngx_sync_breaker_t   *b, **list;
    ngx_pool_cleanup_t   *cln;

    list = all->elts;

    for (i = 0; i < all->nelts; i++) {
        if (list[i]->inner == inner) {
            list[i]->kinds |= 1 << kind;
            return &list[i]->store;
        }
    }

    b = ngx_pcalloc(cf->pool, sizeof(ngx_sync_breaker_t));
    if (b == NULL) {
        return NULL;
    }

    b->store.ops = &ngx_sync_breaker_ops;
    b->store.data = b;
    b->store.label = inner->label;
    b->store.timeout = inner->timeout;
    b->inner = inner;
    b->kinds = 1 << kind;

    b->event.handler = ngx_sync_breaker_event;
    b->event.data = b;
    b->event.cancelable = 1;

    name.len = sizeof("sync_breaker_") - 1 + inner->label.len;
    name.data = ngx_pnalloc(cf->pool, name.len);
    if (name.data == NULL) {
        return NULL;
    }

    p = ngx_cpymem(name.data, "sync_breaker_", sizeof("sync_breaker_") - 1);
    ngx_memcpy(p, inner->label.data, inner->label.len);

    shm_zone = ngx_shared_memory_add(cf, &name, 8 * ngx_pagesize,
                                     &ngx_http_sync_store_module);
    if (shm_zone == NULL) {
        return NULL;
    }

    shm_zone->init = ngx_sync_breaker_init_zone;
    shm_zone->data = b;

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        return NULL;
    }

    cln->handler = ngx_sync_breaker_cleanup;
    cln->data = b;

    list = ngx_array_push(all);
    if (list == NULL) {
        return NULL;
    }

    *list = b;

    return &b->store;
}


static ngx_int_t
ngx_sync_breaker_init_zone(ngx_shm_zone_t *shm_zone, void *data)
{
    ngx_slab_pool_t     *shpool;
    ngx_sync_breaker_t  *b;

    b = shm_zone->data;
    shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;

    if (data != NULL || shm_zone->shm.exists) {
        b->sh = shpool->data;
        return NGX_OK;
    }

    b->sh = ngx_slab_calloc(shpool, sizeof(ngx_sync_breaker_sh_t));
    if (b->sh == NULL) {
        return NGX_ERROR;
    }

    shpool->data = b->sh;

    return NGX_OK;
}


/* Where one process serves several configurations, one after the other. */

static void
ngx_sync_breaker_cleanup(void *data)
{
    ngx_sync_breaker_t  *b = data;

    if (b->event.timer_set) {
        ngx_del_timer(&b->event);
    }

    if (b->pool != NULL) {
        ngx_sync_store_cancel(b->inner, &b->op);
        ngx_destroy_pool(b->pool);
        b->pool = NULL;
    }
}


void
ngx_sync_breaker_init_process(ngx_cycle_t *cycle, ngx_array_t *all)
{
    ngx_uint_t            i;
    ngx_sync_breaker_t  **b;

    b = all->elts;

    for (i = 0; i < all->nelts; i++) {
        b[i]->event.log = cycle->log;

        if (b[i]->sh->open) {
            ngx_sync_breaker_watch(b[i]);
        }
    }
}


/* The pool of the cycle goes later than what the question waits in. */

void
ngx_sync_breaker_exit_process(ngx_array_t *all)
{
    ngx_uint_t            i;
    ngx_sync_breaker_t  **b;

    b = all->elts;

    for (i = 0; i < all->nelts; i++) {
        ngx_sync_breaker_cleanup(b[i]);
    }
}


void
ngx_sync_breaker_state(ngx_sync_breaker_t *b, ngx_sync_breaker_state_t *state)
{
    state->label = b->store.label;
    state->open = b->sh->open != 0;
    state->opened = b->sh->opened;
    state->refused = b->sh->refused;
    state->missed = b->sh->missed;
}


/* NULL: answered. */

static ngx_sync_breaker_call_t *
ngx_sync_breaker_begin(ngx_sync_breaker_t *b, ngx_sync_op_t *op)
{
    ngx_sync_breaker_call_t  *call;

    if (b->sh->open) {
        (void) ngx_atomic_fetch_add(&b->sh->refused, 1);

        ngx_sync_breaker_watch(b);
        goto down;
    }

    call = ngx_palloc(op->pool, sizeof(ngx_sync_breaker_call_t));
    if (call == NULL) {
        goto down;
    }

    call->handler = op->handler;
    call->data = op->data;
    call->breaker = b;
    call->started = ngx_current_msec;

    op->handler = ngx_sync_breaker_done;
    op->data = call;

    return call;

down:

    op->cell = NULL;
    op->result = NGX_SYNC_STORE_DOWN;

    return NULL;
}


static ngx_int_t
ngx_sync_breaker_end(ngx_sync_breaker_call_t *call, ngx_sync_op_t *op,
    ngx_int_t rc)
{
    if (rc == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    op->handler = call->handler;
    op->data = call->data;

    if (op->result != NGX_SYNC_STORE_DOWN) {
        ngx_sync_breaker_answer(call->breaker);
    }

    return NGX_OK;
}


static void
ngx_sync_breaker_done(ngx_sync_op_t *op)
{
    ngx_msec_t                timeout;
    ngx_sync_breaker_t       *b;
    ngx_sync_breaker_call_t  *call;

    call = op->data;
    b = call->breaker;

    op->handler = call->handler;
    op->data = call->data;

    timeout = op->timeout ? op->timeout : b->inner->timeout;

    if (op->result != NGX_SYNC_STORE_DOWN) {
        ngx_sync_breaker_answer(b);

    } else if (ngx_current_msec - call->started >= timeout / 4) {
        ngx_sync_breaker_miss(b, timeout);
    }

    op->handler(op);
}


static void
ngx_sync_breaker_cancel(ngx_sync_store_t *st, ngx_sync_op_t *op)
{
    ngx_sync_breaker_t *b = st->data;

    ngx_msec_t                timeout;
    ngx_sync_breaker_call_t  *call;

    call = op->data;

    op->handler = call->handler;
    op->data = call->data;

    timeout = op->timeout ? op->timeout : b->inner->timeout;

    /* who left had not waited long enough to blame the store for it, or had */

    if (ngx_current_msec - call->started >= timeout / 2) {
        ngx_sync_breaker_miss(b, timeout);
    }

    b->inner->ops->cancel(b->inner, op);
}


static void
ngx_sync_breaker_answer(ngx_sync_breaker_t *b)
{
    ngx_sync_breaker_sh_t  *sh;

    sh = b->sh;

    ngx_sync_breaker_turn(sh);

    (void) ngx_atomic_fetch_add(&sh->calls, 1);

    /* written as seldom as will do: all workers read it */

    if (ngx_current_msec - sh->answered >= NGX_SYNC_BREAKER_GRAIN) {
        sh->answered = ngx_current_msec;
    }

    if (sh->row) {
        sh->row = 0;
    }
}


/*
 * Opens when a few deadlines were missed and nothing was answered meanwhile.
 * One part of a cluster that does not answer is no reason for that: the other
 * parts do.  Where some answers come in time, more than half must be missing.
 */

static void
ngx_sync_breaker_miss(ngx_sync_breaker_t *b, ngx_msec_t timeout)
{
    ngx_atomic_uint_t       row, misses;
    ngx_sync_breaker_sh_t  *sh;

    sh = b->sh;

    ngx_sync_breaker_turn(sh);

    (void) ngx_atomic_fetch_add(&sh->missed, 1);
    (void) ngx_atomic_fetch_add(&sh->calls, 1);

    row = ngx_atomic_fetch_add(&sh->row, 1) + 1;
    misses = ngx_atomic_fetch_add(&sh->misses, 1) + 1;

    if ((row >= NGX_SYNC_BREAKER_MISSES
         && ngx_current_msec - sh->answered >= timeout / 2)
        || (misses >= NGX_SYNC_BREAKER_RATE && misses > sh->calls / 2))
    {
        ngx_sync_breaker_open(b);
    }
}


static void
ngx_sync_breaker_turn(ngx_sync_breaker_sh_t *sh)
{
    ngx_atomic_uint_t  was, now;

    was = sh->window;
    now = ngx_current_msec / NGX_SYNC_BREAKER_WINDOW;

    if (was != now && ngx_atomic_cmp_set(&sh->window, was, now)) {
        sh->calls = 0;
        sh->misses = 0;
    }
}


static void
ngx_sync_breaker_open(ngx_sync_breaker_t *b)
{
    ngx_sync_breaker_sh_t  *sh;

    sh = b->sh;

    if (sh->open) {
        return;
    }

    /* one that opens again at once was not well when it answered */

    if (sh->backoff == 0
        || ngx_current_msec - sh->closed >= NGX_SYNC_BREAKER_CALM)
    {
        sh->backoff = NGX_SYNC_BREAKER_FIRST;

    } else {
        sh->backoff = ngx_min(sh->backoff * 2, NGX_SYNC_BREAKER_LAST);
    }

    sh->next = ngx_current_msec + sh->backoff;

    if (!ngx_atomic_cmp_set(&sh->open, 0, 1)) {
        return;
    }

    (void) ngx_atomic_fetch_add(&sh->opened, 1);

    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                  "store: \"%V\" misses its deadlines of %M ms, nobody waits "
                  "for it until it answers", &b->store.label,
                  b->store.timeout);

    ngx_sync_breaker_watch(b);
}


/* A worker that has met an open breaker sees to it that the store is asked. */

static void
ngx_sync_breaker_watch(ngx_sync_breaker_t *b)
{
    ngx_msec_int_t  wait;

    if (b->event.timer_set || b->pool != NULL || ngx_exiting) {
        return;
    }

    wait = (ngx_msec_int_t) (b->sh->next - ngx_current_msec);

    ngx_add_timer(&b->event, wait > 0 ? (ngx_msec_t) wait : 1);
}


static void
ngx_sync_breaker_event(ngx_event_t *ev)
{
    ngx_atomic_uint_t       next;
    ngx_sync_breaker_t     *b;
    ngx_sync_breaker_sh_t  *sh;

    b = ev->data;
    sh = b->sh;

    if (!sh->open) {
        return;
    }

    next = sh->next;

    /* one worker asks; should it die of it, another one does so later */

    if ((ngx_msec_int_t) (next - ngx_current_msec) <= 0
        && ngx_atomic_cmp_set(&sh->next, next,
                              ngx_current_msec + b->store.timeout
                              + sh->backoff))
    {
        ngx_sync_breaker_ask(b);
        return;
    }

    ngx_sync_breaker_watch(b);
}


/*
 * Something that finds and changes nothing, of a kind the store is used for;
 * elsewhere each time: one part of a cluster that is gone must not speak for
 * those that serve.
 */

static void
ngx_sync_breaker_ask(ngx_sync_breaker_t *b)
{
    ngx_int_t                    rc;
    ngx_uint_t                   i;
    const ngx_sync_store_ops_t  *ops;

    b->pool = ngx_create_pool(1024, ngx_cycle->log);
    if (b->pool == NULL) {
        ngx_sync_breaker_watch(b);
        return;
    }

    ngx_memzero(&b->op, sizeof(ngx_sync_op_t));
    ngx_memzero(&b->u, sizeof(b->u));

    b->op.handler = ngx_sync_breaker_asked;
    b->op.data = b;
    b->op.log = ngx_cycle->log;
    b->op.pool = b->pool;

    ops = b->inner->ops;

    for (i = 0; i < NGX_SYNC_NAME_LEN; i++) {
        b->name[i] = ngx_random() & 0xff;
    }

    if (b->kinds & (1 << NGX_SYNC_ZONE_RECORDS)) {
        b->u.look.key.bucket = ngx_random();
        rc = ops->look(b->inner, &b->op, &b->u.look);

    } else if (b->kinds & (1 << NGX_SYNC_ZONE_TOKENS)) {
        b->u.cache.key.len = sizeof(b->name);
        b->u.cache.key.data = b->name;
        rc = ops->cache_get(b->inner, &b->op, &b->u.cache);

    } else {
        b->u.slot.key.len = sizeof(b->name);
        b->u.slot.key.data = b->name;
        rc = ops->slot_release(b->inner, &b->op, &b->u.slot);
    }

    if (rc == NGX_OK) {
        ngx_sync_breaker_asked(&b->op);
    }
}


static void
ngx_sync_breaker_asked(ngx_sync_op_t *op)
{
    ngx_sync_breaker_t     *b;
    ngx_sync_breaker_sh_t  *sh;

    b = op->data;
    sh = b->sh;

    ngx_destroy_pool(b->pool);
    b->pool = NULL;

    if (op->result == NGX_SYNC_STORE_DOWN) {
        sh->backoff = ngx_min(sh->backoff * 2, NGX_SYNC_BREAKER_LAST);
        sh->next = ngx_current_msec + sh->backoff;

        ngx_sync_breaker_watch(b);
        return;
    }

    sh->answered = ngx_current_msec;
    sh->closed = ngx_current_msec;
    sh->row = 0;
    sh->misses = 0;
    sh->calls = 0;

    if (ngx_atomic_cmp_set(&sh->open, 1, 0)) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "store: \"%V\" answers again", &b->store.label);
    }
}
