
/*
 * Concurrency.  A place is held under an owner of its own, by a lease that is
 * renewed as long as the request lives: what a worker that was killed has
 * held is free a lease later.
 *
 * A slot outlives its request, because the answer to what it has asked, and
 * the word that it leaves, may take longer.
 */


#include "ngx_http_sync_limit.h"
#include "sync_crypto.h"


static void ngx_http_sync_limit_slot_acquired(ngx_sync_op_t *op);
static void ngx_http_sync_limit_slot_arm(ngx_http_sync_limit_slot_t *slot);
static void ngx_http_sync_limit_slot_renew(ngx_event_t *ev);
static void ngx_http_sync_limit_slot_renewed(ngx_sync_op_t *op);
static void ngx_http_sync_limit_slot_release(ngx_http_sync_limit_slot_t *slot);
static void ngx_http_sync_limit_slot_released(ngx_sync_op_t *op);
static void ngx_http_sync_limit_slot_end(ngx_event_t *ev);
static void ngx_http_sync_limit_slot_destroy(ngx_http_sync_limit_slot_t *slot);


ngx_http_sync_limit_slot_t *
ngx_http_sync_limit_slot_acquire(ngx_http_sync_ctx_t *ctx,
    ngx_sync_store_t *store, ngx_http_sync_limit_place_t *place)
{
    ngx_pool_t                  *pool;
    ngx_http_sync_limit_slot_t  *slot;

    pool = ngx_create_pool(1024, ngx_cycle->log);
    if (pool == NULL) {
        return NULL;
    }

    slot = ngx_pcalloc(pool, sizeof(ngx_http_sync_limit_slot_t));
    if (slot == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    slot->pool = pool;

    slot->calls = ngx_create_pool(512, ngx_cycle->log);
    if (slot->calls == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    slot->store = store;
    slot->ctx = ctx;

    slot->op.handler = ngx_http_sync_limit_slot_acquired;
    slot->op.data = slot;
    slot->op.log = ngx_cycle->log;
    slot->op.pool = slot->calls;

    slot->release.handler = ngx_http_sync_limit_slot_released;
    slot->release.data = slot;
    slot->release.log = ngx_cycle->log;
    slot->release.pool = pool;

    slot->slot.key.len = place->key.len;
    slot->slot.key.data = ngx_pstrdup(pool, &place->key);
    slot->slot.limit = place->limit;
    slot->slot.lease = place->lease;

    if (slot->slot.key.data == NULL
        || sync_random(slot->slot.owner, NGX_SYNC_OWNER_LEN) != SYNC_OK)
    {
        ngx_http_sync_limit_slot_destroy(slot);
        return NULL;
    }

    slot->event.handler = ngx_http_sync_limit_slot_renew;
    slot->event.data = slot;
    slot->event.log = ngx_cycle->log;
    slot->event.cancelable = 1;

    if (store->ops->slot_acquire(store, &slot->op, &slot->slot) == NGX_AGAIN) {
        slot->busy = 1;

    } else {
        slot->result = slot->op.result;
        ngx_http_sync_limit_slot_arm(slot);
    }

    return slot;
}


static void
ngx_http_sync_limit_slot_acquired(ngx_sync_op_t *op)
{
    ngx_http_sync_limit_slot_t  *slot;

    slot = op->data;

    slot->busy = 0;
    slot->result = op->result;

    if (slot->gone) {
        ngx_http_sync_limit_slot_leave(slot);
        return;
    }

    ngx_http_sync_limit_slot_arm(slot);
    ngx_http_sync_wake(slot->ctx);
}


static void
ngx_http_sync_limit_slot_arm(ngx_http_sync_limit_slot_t *slot)
{
    if (slot->result == NGX_SYNC_STORE_OK) {
        ngx_add_timer(&slot->event, slot->slot.lease / 3);
    }
}


/* Its owner asks again: the lease begins anew. */

static void
ngx_http_sync_limit_slot_renew(ngx_event_t *ev)
{
    ngx_http_sync_limit_slot_t  *slot;

    slot = ev->data;

    /* the answer before this one has long been read */

    ngx_reset_pool(slot->calls);

    slot->op.handler = ngx_http_sync_limit_slot_renewed;

    if (slot->store->ops->slot_acquire(slot->store, &slot->op, &slot->slot)
        == NGX_AGAIN)
    {
        slot->busy = 1;
        return;
    }

    ngx_add_timer(&slot->event, slot->slot.lease / 3);
}


/* What could not be renewed is tried again: there is nobody to be told. */

static void
ngx_http_sync_limit_slot_renewed(ngx_sync_op_t *op)
{
    ngx_http_sync_limit_slot_t  *slot;

    slot = op->data;

    slot->busy = 0;

    if (slot->gone) {
        ngx_http_sync_limit_slot_leave(slot);
        return;
    }

    ngx_add_timer(&slot->event, slot->slot.lease / 3);
}


void
ngx_http_sync_limit_slot_leave(ngx_http_sync_limit_slot_t *slot)
{
    slot->ctx = NULL;

    if (slot->event.timer_set) {
        ngx_del_timer(&slot->event);
    }

    if (slot->busy) {
        slot->gone = 1;
        return;
    }

    /* what was not answered may have been granted */

    if (slot->result == NGX_SYNC_STORE_OK
        || slot->result == NGX_SYNC_STORE_DOWN)
    {
        ngx_http_sync_limit_slot_release(slot);
        return;
    }

    /* perhaps within its own answer: not yet */

    slot->event.handler = ngx_http_sync_limit_slot_end;
    ngx_post_event(&slot->event, &ngx_posted_events);
}


static void
ngx_http_sync_limit_slot_release(ngx_http_sync_limit_slot_t *slot)
{
    if (slot->store->ops->slot_release(slot->store, &slot->release,
                                       &slot->slot)
        == NGX_OK)
    {
        ngx_http_sync_limit_slot_released(&slot->release);
    }
}


static void
ngx_http_sync_limit_slot_released(ngx_sync_op_t *op)
{
    ngx_http_sync_limit_slot_t  *slot;

    slot = op->data;

    slot->event.handler = ngx_http_sync_limit_slot_end;
    ngx_post_event(&slot->event, &ngx_posted_events);
}


static void
ngx_http_sync_limit_slot_end(ngx_event_t *ev)
{
    ngx_http_sync_limit_slot_destroy(ev->data);
}


static void
ngx_http_sync_limit_slot_destroy(ngx_http_sync_limit_slot_t *slot)
{
    ngx_destroy_pool(slot->calls);
    ngx_destroy_pool(slot->pool);
}
