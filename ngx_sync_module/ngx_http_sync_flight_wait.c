
/*
 * Requests of this worker that wait for a flight.  They stand in queues by
 * key: a flight that ends here wakes its queue, one that ends in another
 * worker is noticed by a poll, which runs only while somebody waits.
 */


#include "ngx_http_sync_flight.h"
#include "ngx_http_sync_core.h"


#define NGX_HTTP_SYNC_FLIGHT_QUEUES  256     /* by the first byte of the key */
#define NGX_HTTP_SYNC_FLIGHT_POLL    10      /* ms, and as much again at most */
#define NGX_HTTP_SYNC_FLIGHT_BATCH   32      /* keys looked at in one lock */


typedef struct {
    ngx_queue_t                    queue;
    ngx_queue_t                    waiters;
    u_char                         key[32];
} ngx_http_sync_flight_watch_t;


struct ngx_http_sync_flight_wait_s {
    ngx_queue_t                    queue;
    ngx_http_sync_flight_watch_t  *watch;
    ngx_http_sync_ctx_t           *ctx;
    ngx_http_sync_flight_wait_t  **self;     /* where the step keeps it */
};


static ngx_http_sync_flight_watch_t *ngx_http_sync_flight_watch(
    u_char key[32]);
static void ngx_http_sync_flight_leave(ngx_http_sync_flight_wait_t *w);
static void ngx_http_sync_flight_poll(ngx_event_t *ev);
static void ngx_http_sync_flight_poll_batch(
    ngx_http_sync_flight_watch_t **batch, ngx_uint_t n);


static ngx_queue_t  ngx_http_sync_flight_queues[NGX_HTTP_SYNC_FLIGHT_QUEUES];
static ngx_uint_t   ngx_http_sync_flight_waiting;    /* requests */
static ngx_event_t  ngx_http_sync_flight_timer;

/* Laid out as ngx_connection_t begins: a debug log reads its fd. */

static struct {
    void          *unused[3];
    ngx_socket_t   fd;
} ngx_http_sync_flight_ident = { { NULL, NULL, NULL }, (ngx_socket_t) -1 };


ngx_int_t
ngx_http_sync_flight_wait(ngx_http_sync_ctx_t *ctx, ngx_http_sync_flight_t *f,
    ngx_http_sync_flight_wait_t **wait)
{
    ngx_event_t                   *ev;
    ngx_http_sync_flight_wait_t   *w;
    ngx_http_sync_flight_watch_t  *watch;

    w = ngx_palloc(ctx->request->pool, sizeof(ngx_http_sync_flight_wait_t));
    if (w == NULL) {
        return NGX_ERROR;
    }

    watch = ngx_http_sync_flight_watch(f->key);

    if (watch == NULL) {
        return NGX_ERROR;
    }

    w->watch = watch;
    w->ctx = ctx;
    w->self = wait;

    ngx_queue_insert_tail(&watch->waiters, &w->queue);
    ngx_http_sync_flight_waiting++;

    *wait = w;

    ev = &ngx_http_sync_flight_timer;

    if (!ev->timer_set) {
        ev->handler = ngx_http_sync_flight_poll;
        ev->data = &ngx_http_sync_flight_ident;
        ev->log = ngx_cycle->log;

        /* not cancelable: a worker that quits ends its requests first */

        ngx_add_timer(ev, NGX_HTTP_SYNC_FLIGHT_POLL
                          + ngx_random() % NGX_HTTP_SYNC_FLIGHT_POLL);
    }

    return NGX_OK;
}


void
ngx_http_sync_flight_unwait(ngx_http_sync_flight_wait_t *wait)
{
    if (wait != NULL) {
        ngx_http_sync_flight_leave(wait);
    }
}


void
ngx_http_sync_flight_wake(u_char key[32])
{
    ngx_queue_t                   *q, *queue;
    ngx_http_sync_ctx_t           *ctx;
    ngx_http_sync_flight_wait_t   *w;
    ngx_http_sync_flight_watch_t  *watch;

    if (ngx_http_sync_flight_waiting == 0) {
        return;
    }

    queue = &ngx_http_sync_flight_queues[key[0]];

    if (queue->next == NULL) {
        return;
    }

    for (q = ngx_queue_head(queue);
         q != ngx_queue_sentinel(queue);
         q = ngx_queue_next(q))
    {
        watch = ngx_queue_data(q, ngx_http_sync_flight_watch_t, queue);

        if (ngx_memcmp(watch->key, key, sizeof(watch->key)) == 0) {
            break;
        }
    }

    if (q == ngx_queue_sentinel(queue)) {
        return;
    }

    while (!ngx_queue_empty(&watch->waiters)) {

        q = ngx_queue_head(&watch->waiters);
        w = ngx_queue_data(q, ngx_http_sync_flight_wait_t, queue);
        ctx = w->ctx;

        /* the last one takes the watch with it */

        if (ngx_queue_next(q) == ngx_queue_sentinel(&watch->waiters)) {
            ngx_http_sync_flight_leave(w);
            ngx_http_sync_wake(ctx);
            return;
        }

        ngx_http_sync_flight_leave(w);
        ngx_http_sync_wake(ctx);
    }
}


static ngx_http_sync_flight_watch_t *
ngx_http_sync_flight_watch(u_char key[32])
{
    ngx_queue_t                   *q, *queue;
    ngx_http_sync_flight_watch_t  *watch;

    queue = &ngx_http_sync_flight_queues[key[0]];

    if (queue->next == NULL) {
        ngx_queue_init(queue);
    }

    for (q = ngx_queue_head(queue);
         q != ngx_queue_sentinel(queue);
         q = ngx_queue_next(q))
    {
        watch = ngx_queue_data(q, ngx_http_sync_flight_watch_t, queue);

        if (ngx_memcmp(watch->key, key, sizeof(watch->key)) == 0) {
            return watch;
        }
    }

    watch = ngx_alloc(sizeof(ngx_http_sync_flight_watch_t), ngx_cycle->log);
    if (watch == NULL) {
        return NULL;
    }

    ngx_memcpy(watch->key, key, sizeof(watch->key));
    ngx_queue_init(&watch->waiters);
    ngx_queue_insert_tail(queue, &watch->queue);

    return watch;
}


static void
ngx_http_sync_flight_leave(ngx_http_sync_flight_wait_t *w)
{
    ngx_http_sync_flight_watch_t  *watch;

    watch = w->watch;
    *w->self = NULL;

    ngx_queue_remove(&w->queue);
    ngx_http_sync_flight_waiting--;

    if (ngx_queue_empty(&watch->waiters)) {
        ngx_queue_remove(&watch->queue);
        ngx_free(watch);
    }

    if (ngx_http_sync_flight_waiting == 0
        && ngx_http_sync_flight_timer.timer_set)
    {
        ngx_del_timer(&ngx_http_sync_flight_timer);
    }
}


static void
ngx_http_sync_flight_poll(ngx_event_t *ev)
{
    ngx_uint_t                     i, n;
    ngx_queue_t                   *q, *queue, *next;
    ngx_http_sync_flight_watch_t  *batch[NGX_HTTP_SYNC_FLIGHT_BATCH];

    n = 0;

    for (i = 0; i < NGX_HTTP_SYNC_FLIGHT_QUEUES; i++) {
        queue = &ngx_http_sync_flight_queues[i];

        if (queue->next == NULL) {
            continue;
        }

        for (q = ngx_queue_head(queue);
             q != ngx_queue_sentinel(queue);
             q = next)
        {
            next = ngx_queue_next(q);

            batch[n++] = ngx_queue_data(q, ngx_http_sync_flight_watch_t,
                                        queue);

            if (n == NGX_HTTP_SYNC_FLIGHT_BATCH) {
                ngx_http_sync_flight_poll_batch(batch, n);
                n = 0;
            }
        }
    }

    ngx_http_sync_flight_poll_batch(batch, n);

    if (ngx_http_sync_flight_waiting && !ev->timer_set) {
        ngx_add_timer(ev, NGX_HTTP_SYNC_FLIGHT_POLL
                          + ngx_random() % NGX_HTTP_SYNC_FLIGHT_POLL);
    }
}


/* A watch whose waiters are woken is gone: nobody else has left meanwhile. */

static void
ngx_http_sync_flight_poll_batch(ngx_http_sync_flight_watch_t **batch,
    ngx_uint_t n)
{
    u_char      keys[NGX_HTTP_SYNC_FLIGHT_BATCH][32];
    ngx_uint_t  i, ended;

    if (n == 0) {
        return;
    }

    for (i = 0; i < n; i++) {
        ngx_memcpy(keys[i], batch[i]->key, sizeof(keys[i]));
    }

    ended = ngx_http_sync_flight_ended(keys, n);

    for (i = 0; i < n; i++) {
        if (ended >> i & 1) {
            ngx_http_sync_flight_wake(keys[i]);
        }
    }
}
