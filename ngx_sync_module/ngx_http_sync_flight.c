
/*
 * The zone of what is fetched.  Heads and bodies are those of the stores'
 * shared memory (ngx_sync_shm_blocks.h), which can be rebuilt when a worker
 * has died inside the lock; what a body block held is wiped when it is freed.
 *
 * What nobody has used for longest gives way to what is new, first of all
 * what is only the memory of a failure; never what is in flight.
 */


#include "ngx_http_sync_flight.h"
#include "ngx_http_sync_core.h"
#include "ngx_sync_shm_blocks.h"


#define NGX_HTTP_SYNC_FLIGHT_BLOCK   192
#define NGX_HTTP_SYNC_FLIGHT_KEY     32
#define NGX_HTTP_SYNC_FLIGHT_TOUCH   1000    /* ms between moves to the front */
#define NGX_HTTP_SYNC_FLIGHT_PROBES  64      /* entries looked at for room */
#define NGX_HTTP_SYNC_FLIGHT_NO_ROOM 10000   /* ms until it is tried again */


enum {
    NGX_HTTP_SYNC_FLIGHT_ENTRY = 1,
    NGX_HTTP_SYNC_FLIGHT_BUDGET
};


/* Behind the key.  Times are ms of the blocks' clock, 0: never. */

typedef struct {
    uint64_t             version;        /* 0: no value */
    int64_t              fetched;        /* Unix ms */
    int64_t              landed;
    int64_t              due;
    int64_t              fresh;
    int64_t              stale;
    int64_t              lead;           /* a leader has until then */
    uint64_t             ticket;
    int64_t              negative;       /* no fetch until then */
    int64_t              touched;
    uint64_t             failing;
} ngx_http_sync_flight_head_t;


typedef struct {
    int64_t              full;           /* us, when the bucket is full again */
    int64_t              touched;
} ngx_http_sync_flight_budget_t;


static ngx_http_sync_flight_e ngx_http_sync_flight_ask(
    ngx_http_sync_flight_t *f, uint64_t have, ngx_int_t min_interval,
    size_t *room, u_char *dst);
static ngx_http_sync_flight_e ngx_http_sync_flight_judge(
    ngx_http_sync_flight_t *f, ngx_http_sync_flight_head_t *h, int64_t now,
    uint64_t have, ngx_int_t min_interval);
static void ngx_http_sync_flight_begin(ngx_http_sync_flight_t *f,
    ngx_sync_block_t *block, int64_t now);
static void ngx_http_sync_flight_give_up(ngx_http_sync_flight_t *f,
    ngx_msec_t negative, ngx_uint_t failed);
static void ngx_http_sync_flight_end(ngx_sync_block_t *block, int64_t now,
    ngx_msec_t negative, ngx_uint_t failing);
static ngx_sync_block_t *ngx_http_sync_flight_find(u_char key[32],
    ngx_uint_t kind, ngx_sync_blocks_key_t *k);
static ngx_uint_t ngx_http_sync_flight_room(uint32_t n, int64_t now,
    ngx_sync_block_t *spare);
static ngx_sync_block_t *ngx_http_sync_flight_victim(int64_t now,
    ngx_sync_block_t *spare);
static void ngx_http_sync_flight_forget(ngx_sync_block_t *block);
static void ngx_http_sync_flight_wipe(uint32_t first);
static void ngx_http_sync_flight_rebuilt(ngx_sync_blocks_t *b);
static void ngx_http_sync_flight_torn(ngx_sync_blocks_t *b,
    ngx_sync_block_t *block);


static ngx_sync_blocks_t  *ngx_http_sync_flight_zone;    /* of this process */


#define ngx_http_sync_flight_head(block)                                      \
    ((ngx_http_sync_flight_head_t *)                                          \
     ngx_sync_block_data(ngx_http_sync_flight_zone, block))


ngx_http_sync_flight_e
ngx_http_sync_flight_look(ngx_http_sync_flight_t *f, uint64_t have,
    ngx_pool_t *pool, ngx_str_t *value)
{
    size_t                  room;
    ngx_http_sync_flight_e  rc;

    ngx_str_null(value);
    room = 0;

    for ( ;; ) {
        value->len = room;
        rc = ngx_http_sync_flight_ask(f, have, -1, &room, value->data);

        if (rc != NGX_HTTP_SYNC_FLIGHT_VALUE || room == 0) {
            ngx_str_null(value);
            return rc;
        }

        if (room <= value->len) {
            value->len = room;
            return rc;
        }

        /* memory is taken outside of the lock, then it is asked again */

        value->data = ngx_pnalloc(pool, room);
        if (value->data == NULL) {
            ngx_str_null(value);
            return NGX_HTTP_SYNC_FLIGHT_FULL;
        }
    }
}


ngx_http_sync_flight_e
ngx_http_sync_flight_force(ngx_http_sync_flight_t *f, uint64_t have,
    ngx_msec_t min_interval)
{
    size_t  room;

    room = 0;

    return ngx_http_sync_flight_ask(f, have, min_interval, &room, NULL);
}


/*
 * min_interval -1: a look.  room: what dst holds, and then what the value
 * needs; 0: nothing was to be copied.  Where it does not fit, nothing has
 * changed.
 */

static ngx_http_sync_flight_e
ngx_http_sync_flight_ask(ngx_http_sync_flight_t *f, uint64_t have,
    ngx_int_t min_interval, size_t *room, u_char *dst)
{
    size_t                        size;
    int64_t                       now;
    ngx_sync_block_t             *block;
    ngx_sync_blocks_t            *b;
    ngx_sync_blocks_key_t         key;
    ngx_http_sync_flight_e        rc;
    ngx_http_sync_flight_head_t  *h;

    b = ngx_http_sync_flight_zone;

    f->version = 0;
    f->fetched = 0;
    f->ticket = 0;
    f->retry = 0;
    f->refresh = 0;
    f->failing = 0;

    size = *room;
    *room = 0;

    if (b == NULL) {
        return NGX_HTTP_SYNC_FLIGHT_FULL;
    }

    ngx_sync_blocks_lock(b, ngx_cycle->log);

    now = ngx_sync_blocks_clock() / 1000;

    block = ngx_http_sync_flight_find(f->key, NGX_HTTP_SYNC_FLIGHT_ENTRY,
                                      &key);

    if (block == NULL && f->lead == 0) {
        ngx_sync_blocks_unlock(b);
        return NGX_HTTP_SYNC_FLIGHT_FAILED;
    }

    if (block == NULL) {

        if (!ngx_http_sync_flight_room(1, now, NULL)) {
            ngx_sync_blocks_unlock(b);
            return NGX_HTTP_SYNC_FLIGHT_FULL;
        }

        block = ngx_sync_blocks_new(b, &key);
        ngx_sync_blocks_link(b, block, NGX_HTTP_SYNC_FLIGHT_ENTRY,
                             NGX_SYNC_DUE_BY_USE);
    }

    h = ngx_http_sync_flight_head(block);

    if (h->version && h->stale <= now) {
        ngx_http_sync_flight_forget(block);
    }

    rc = ngx_http_sync_flight_judge(f, h, now, have, min_interval);

    if (rc == NGX_HTTP_SYNC_FLIGHT_VALUE && min_interval == -1
        && h->version != have)
    {
        *room = block->len;

        if (*room > size) {
            ngx_sync_blocks_unlock(b);
            return rc;
        }

        (void) ngx_sync_blocks_read(b, block, dst);
    }

    f->version = h->version;
    f->fetched = h->fetched;
    f->failing = h->failing || now < h->negative;

    if (rc == NGX_HTTP_SYNC_FLIGHT_LEAD || f->refresh) {
        ngx_http_sync_flight_begin(f, block, now);
    }

    if (now - h->touched > NGX_HTTP_SYNC_FLIGHT_TOUCH) {
        h->touched = now;
        ngx_sync_blocks_touch(b, block);
    }

    ngx_sync_blocks_unlock(b);

    return rc;
}


static ngx_http_sync_flight_e
ngx_http_sync_flight_judge(ngx_http_sync_flight_t *f,
    ngx_http_sync_flight_head_t *h, int64_t now, uint64_t have,
    ngx_int_t min_interval)
{
    int64_t     until;
    ngx_uint_t  flying;

    flying = h->lead > now;

    if (h->version && min_interval != -1 && h->version != have) {
        return NGX_HTTP_SYNC_FLIGHT_VALUE;
    }

    if (h->version && min_interval == -1
        && (now < h->fresh || h->failing))
    {
        f->refresh = (now >= h->due && !flying && now >= h->negative
                      && f->lead);

        return NGX_HTTP_SYNC_FLIGHT_VALUE;
    }

    if (flying) {
        return NGX_HTTP_SYNC_FLIGHT_WAIT;
    }

    until = h->negative;

    if (h->version && min_interval != -1 && !h->failing) {
        until = ngx_max(until, h->landed + min_interval);
    }

    if (now < until) {
        f->retry = until - now;
        return NGX_HTTP_SYNC_FLIGHT_FAILED;
    }

    if (f->lead == 0) {
        return NGX_HTTP_SYNC_FLIGHT_FAILED;
    }

    return NGX_HTTP_SYNC_FLIGHT_LEAD;
}


static void
ngx_http_sync_flight_begin(ngx_http_sync_flight_t *f, ngx_sync_block_t *block,
    int64_t now)
{
    ngx_sync_blocks_t            *b;
    ngx_http_sync_flight_head_t  *h;

    b = ngx_http_sync_flight_zone;
    h = ngx_http_sync_flight_head(block);

    f->ticket = ++b->sh->epoch;

    ngx_sync_blocks_change(b, block);
    h->ticket = f->ticket;
    h->lead = now + (int64_t) f->lead;
    ngx_sync_blocks_done(b);
}


ngx_int_t
ngx_http_sync_flight_land(ngx_http_sync_flight_t *f, ngx_str_t *value,
    ngx_msec_t fresh, ngx_msec_t stale)
{
    u_char                        digest[SYNC_SHA256_LEN];
    int64_t                       now;
    uint32_t                      body, old;
    uint64_t                      version;
    ngx_int_t                     rc;
    ngx_time_t                   *tp;
    sync_sha256_t                 sha;
    ngx_sync_block_t             *block;
    ngx_sync_blocks_t            *b;
    ngx_sync_blocks_key_t         key;
    ngx_http_sync_flight_head_t  *h;

    b = ngx_http_sync_flight_zone;

    sync_sha256_init(&sha);
    sync_sha256_update(&sha, f->key, sizeof(f->key));
    sync_sha256_update(&sha, value->data, value->len);
    sync_sha256_final(&sha, digest);

    ngx_memcpy(&version, digest, sizeof(version));
    version |= 1;

    ngx_sync_blocks_lock(b, ngx_cycle->log);

    tp = ngx_timeofday();
    now = ngx_sync_blocks_clock() / 1000;
    rc = NGX_DECLINED;

    block = ngx_http_sync_flight_find(f->key, NGX_HTTP_SYNC_FLIGHT_ENTRY,
                                      &key);

    if (block == NULL) {
        goto done;
    }

    h = ngx_http_sync_flight_head(block);

    if (h->ticket != f->ticket || h->lead == 0) {
        goto done;
    }

    body = block->body;
    old = NGX_SYNC_NO_BLOCK;

    if (h->version != version) {

        if (value->len > b->sh->size / 16
            || !ngx_http_sync_flight_room(
                                   ngx_sync_blocks_need(b, value->len), now,
                                   block))
        {
            ngx_http_sync_flight_end(block, now,
                                     NGX_HTTP_SYNC_FLIGHT_NO_ROOM, 0);
            rc = NGX_ERROR;
            goto done;
        }

        old = body;
        body = ngx_sync_blocks_write(b, value);
    }

    ngx_sync_blocks_change(b, block);

    block->body = body;
    block->len = value->len;

    h->version = version;
    h->fetched = (int64_t) tp->sec * 1000 + tp->msec;
    h->landed = now;
    h->due = now + (int64_t) (fresh / 1000.0 * (750 + ngx_random() % 150));
    h->fresh = now + (int64_t) fresh;
    h->stale = now + (int64_t) ngx_max(stale, fresh);
    h->lead = 0;
    h->negative = 0;
    h->failing = 0;

    ngx_sync_blocks_done(b);

    ngx_http_sync_flight_wipe(old);
    ngx_sync_blocks_free(b, old);
    ngx_sync_blocks_touch(b, block);

    f->version = version;
    rc = NGX_OK;

done:

    ngx_sync_blocks_unlock(b);

    ngx_http_sync_flight_wake(f->key);

    return rc;
}


void
ngx_http_sync_flight_crash(ngx_http_sync_flight_t *f, ngx_msec_t negative)
{
    ngx_http_sync_flight_give_up(f, negative, 1);
}


void
ngx_http_sync_flight_refuse(ngx_http_sync_flight_t *f, ngx_msec_t negative)
{
    ngx_http_sync_flight_give_up(f, negative, 0);
}


static void
ngx_http_sync_flight_give_up(ngx_http_sync_flight_t *f, ngx_msec_t negative,
    ngx_uint_t failed)
{
    ngx_sync_block_t             *block;
    ngx_sync_blocks_t            *b;
    ngx_sync_blocks_key_t         key;
    ngx_http_sync_flight_head_t  *h;

    b = ngx_http_sync_flight_zone;

    ngx_sync_blocks_lock(b, ngx_cycle->log);

    block = ngx_http_sync_flight_find(f->key, NGX_HTTP_SYNC_FLIGHT_ENTRY,
                                      &key);

    if (block != NULL) {
        h = ngx_http_sync_flight_head(block);

        if (h->ticket == f->ticket && h->lead) {
            ngx_http_sync_flight_end(block, ngx_sync_blocks_clock() / 1000,
                                     negative, failed || h->failing);
        }
    }

    ngx_sync_blocks_unlock(b);

    ngx_http_sync_flight_wake(f->key);
}


static void
ngx_http_sync_flight_end(ngx_sync_block_t *block, int64_t now,
    ngx_msec_t negative, ngx_uint_t failing)
{
    ngx_sync_blocks_t            *b;
    ngx_http_sync_flight_head_t  *h;

    b = ngx_http_sync_flight_zone;
    h = ngx_http_sync_flight_head(block);

    if (h->version == 0 && negative == 0) {
        ngx_sync_blocks_drop(b, block);
        return;
    }

    ngx_sync_blocks_change(b, block);

    h->lead = 0;

    if (negative) {
        h->failing = failing;
        h->negative = now + (int64_t) negative;
    }

    ngx_sync_blocks_done(b);
}


void
ngx_http_sync_flight_drop(ngx_http_sync_flight_t *f, uint64_t version)
{
    ngx_sync_block_t       *block;
    ngx_sync_blocks_t      *b;
    ngx_sync_blocks_key_t   key;

    b = ngx_http_sync_flight_zone;

    if (b == NULL || version == 0) {
        return;
    }

    ngx_sync_blocks_lock(b, ngx_cycle->log);

    block = ngx_http_sync_flight_find(f->key, NGX_HTTP_SYNC_FLIGHT_ENTRY,
                                      &key);

    if (block != NULL && ngx_http_sync_flight_head(block)->version == version) {
        ngx_http_sync_flight_forget(block);
    }

    ngx_sync_blocks_unlock(b);
}


/* GCRA: `full` is when the bucket would be full again if nobody took more. */

ngx_int_t
ngx_http_sync_flight_budget(u_char key[32], ngx_uint_t per_minute,
    ngx_uint_t burst)
{
    int64_t                         us, interval, full;
    ngx_int_t                       rc;
    ngx_sync_block_t               *block;
    ngx_sync_blocks_t              *b;
    ngx_sync_blocks_key_t           k;
    ngx_http_sync_flight_budget_t  *budget;

    b = ngx_http_sync_flight_zone;

    if (b == NULL) {
        return NGX_DECLINED;
    }

    interval = 60000000 / (int64_t) per_minute;

    ngx_sync_blocks_lock(b, ngx_cycle->log);

    us = ngx_sync_blocks_clock();
    rc = NGX_DECLINED;

    block = ngx_http_sync_flight_find(key, NGX_HTTP_SYNC_FLIGHT_BUDGET, &k);

    if (block == NULL && ngx_http_sync_flight_room(1, us / 1000, NULL)) {
        block = ngx_sync_blocks_new(b, &k);
        ngx_sync_blocks_link(b, block, NGX_HTTP_SYNC_FLIGHT_BUDGET,
                             NGX_SYNC_DUE_BY_USE);
    }

    if (block != NULL) {
        budget = ngx_sync_block_data(b, block);
        full = ngx_max(budget->full, us) + interval;

        if (full - us <= interval * (int64_t) burst) {
            budget->full = full;
            rc = NGX_OK;
        }

        if (us / 1000 - budget->touched > NGX_HTTP_SYNC_FLIGHT_TOUCH) {
            budget->touched = us / 1000;
            ngx_sync_blocks_touch(b, block);
        }
    }

    ngx_sync_blocks_unlock(b);

    return rc;
}


ngx_uint_t
ngx_http_sync_flight_ended(u_char (*keys)[32], ngx_uint_t n)
{
    int64_t                 now;
    ngx_uint_t              i;
    ngx_uint_t              ended;
    ngx_sync_block_t       *block;
    ngx_sync_blocks_key_t   key;

    ended = 0;

    ngx_sync_blocks_lock(ngx_http_sync_flight_zone, ngx_cycle->log);

    now = ngx_sync_blocks_clock() / 1000;

    for (i = 0; i < n; i++) {
        block = ngx_http_sync_flight_find(keys[i], NGX_HTTP_SYNC_FLIGHT_ENTRY,
                                          &key);

        if (block == NULL || ngx_http_sync_flight_head(block)->lead <= now) {
            ended |= (ngx_uint_t) 1 << i;
        }
    }

    ngx_sync_blocks_unlock(ngx_http_sync_flight_zone);

    return ended;
}


static ngx_sync_block_t *
ngx_http_sync_flight_find(u_char key[32], ngx_uint_t kind,
    ngx_sync_blocks_key_t *k)
{
    ngx_str_t  name;

    name.data = key;
    name.len = NGX_HTTP_SYNC_FLIGHT_KEY;

    ngx_sync_blocks_key(ngx_http_sync_flight_zone, kind, &name, k);

    return ngx_sync_blocks_find(ngx_http_sync_flight_zone, kind, k);
}


/* n free blocks, at the cost of others but spare. */

static ngx_uint_t
ngx_http_sync_flight_room(uint32_t n, int64_t now, ngx_sync_block_t *spare)
{
    ngx_sync_block_t   *block;
    ngx_sync_blocks_t  *b;

    b = ngx_http_sync_flight_zone;

    while (b->sh->nfree < n) {
        block = ngx_http_sync_flight_victim(now, spare);

        if (block == NULL) {
            b->sh->refused++;
            return 0;
        }

        if (block->body != NGX_SYNC_NO_BLOCK) {
            ngx_http_sync_flight_forget(block);
        }

        ngx_sync_blocks_drop(b, block);
    }

    return 1;
}


/*
 * Of those that nobody has used for longest: one without a value, else the
 * very last.  A budget that is not full goes when there is no value any more:
 * forgetting it would grant what it has refused, just when values that had to
 * give way are fetched again.  It is moved to where the next one does not pass.
 */

static ngx_sync_block_t *
ngx_http_sync_flight_victim(int64_t now, ngx_sync_block_t *spare)
{
    uint32_t                        left;
    ngx_uint_t                      i;
    ngx_sync_block_t               *block, *last, *spent;
    ngx_sync_blocks_t              *b;
    ngx_http_sync_flight_head_t    *h;
    ngx_http_sync_flight_budget_t  *budget;

    b = ngx_http_sync_flight_zone;
    block = ngx_sync_blocks_oldest(b);
    last = NULL;
    spent = NULL;

    for (i = 0; block != NULL; i++) {

        if (i >= NGX_HTTP_SYNC_FLIGHT_PROBES && last != NULL) {
            break;
        }

        left = block->left;

        if (block == spare) {
            /* void */

        } else if (block->kind == NGX_HTTP_SYNC_FLIGHT_BUDGET) {
            budget = ngx_sync_block_data(b, block);

            if (budget->full <= now * 1000) {
                return block;
            }

            spent = spent != NULL ? spent : block;

            if (i < NGX_HTTP_SYNC_FLIGHT_PROBES) {
                ngx_sync_blocks_touch(b, block);
            }

        } else {
            h = ngx_http_sync_flight_head(block);

            if (h->lead <= now) {

                if (h->version == 0 || h->stale <= now) {
                    return block;
                }

                last = last != NULL ? last : block;
            }
        }

        block = left == NGX_SYNC_NO_BLOCK ? NULL : ngx_sync_block(b, left);
    }

    return last != NULL ? last : spent;
}


/* The value goes; a leader and the memory of a failure stay. */

static void
ngx_http_sync_flight_forget(ngx_sync_block_t *block)
{
    uint32_t                      old;
    ngx_sync_blocks_t            *b;
    ngx_http_sync_flight_head_t  *h;

    b = ngx_http_sync_flight_zone;
    h = ngx_http_sync_flight_head(block);
    old = block->body;

    ngx_sync_blocks_change(b, block);
    block->body = NGX_SYNC_NO_BLOCK;
    block->len = 0;
    h->version = 0;
    h->fetched = 0;
    ngx_sync_blocks_done(b);

    ngx_http_sync_flight_wipe(old);
    ngx_sync_blocks_free(b, old);
}


static void
ngx_http_sync_flight_wipe(uint32_t first)
{
    uint32_t            i;
    ngx_sync_block_t   *part;
    ngx_sync_blocks_t  *b;

    b = ngx_http_sync_flight_zone;

    for (i = first; i != NGX_SYNC_NO_BLOCK; i = part->next) {
        part = ngx_sync_block(b, i);

        sync_wipe((u_char *) part + NGX_SYNC_LINK_LEN,
                  b->block_size - NGX_SYNC_LINK_LEN);
    }
}


/* What a worker that died had written or was about to wipe. */

static void
ngx_http_sync_flight_rebuilt(ngx_sync_blocks_t *b)
{
    uint32_t  i;

    for (i = 0; i < b->sh->fresh; i++) {

        if (!(b->used[i / 8] & 1 << i % 8)) {
            sync_wipe((u_char *) ngx_sync_block(b, i) + NGX_SYNC_LINK_LEN,
                      b->block_size - NGX_SYNC_LINK_LEN);
        }
    }
}


static void
ngx_http_sync_flight_torn(ngx_sync_blocks_t *b, ngx_sync_block_t *block)
{
    block->kind = 0;
}


ngx_int_t
ngx_http_sync_flight_use(ngx_conf_t *cf)
{
    ngx_sync_blocks_t          *b;
    ngx_http_sync_main_conf_t  *smcf;

    smcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_sync_module);

    if (smcf->flight != NULL) {
        return NGX_OK;
    }

    b = ngx_pcalloc(cf->pool, sizeof(ngx_sync_blocks_t));
    if (b == NULL) {
        return NGX_ERROR;
    }

    ngx_str_set(&b->name, "sync_keys");

    b->block_size = NGX_HTTP_SYNC_FLIGHT_BLOCK;
    b->key_size = NGX_HTTP_SYNC_FLIGHT_KEY;
    b->rebuilt = ngx_http_sync_flight_rebuilt;
    b->torn = ngx_http_sync_flight_torn;

    smcf->flight = b;

    return ngx_sync_blocks_add_zone(cf, b,
                                    ngx_sync_zone_size(cf, NGX_SYNC_ZONE_KEYS),
                                    &ngx_http_sync_module);
}


ngx_int_t
ngx_http_sync_flight_init_process(ngx_cycle_t *cycle)
{
    ngx_http_sync_main_conf_t  *smcf;

    smcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_sync_module);

    ngx_http_sync_flight_zone = smcf != NULL ? smcf->flight : NULL;

    return NGX_OK;
}


ngx_int_t
ngx_http_sync_flight_state(ngx_sync_zone_state_t *state)
{
    ngx_sync_blocks_t  *b;

    b = ngx_http_sync_flight_zone;

    if (b == NULL) {
        return NGX_DECLINED;
    }

    state->name = b->name;
    state->size = b->sh->size;
    state->free = (size_t) b->sh->nfree * b->block_size;
    state->entries = b->sh->entries;
    state->refused = b->sh->refused;
    state->rebuilt = b->sh->rebuilt;

    return NGX_OK;
}
