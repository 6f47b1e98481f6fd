
#include <ngx_config.h>
#include <ngx_core.h>

#include "sync_crypto.h"
#include "ngx_sync_shm.h"


#define NGX_SYNC_HOLDER_LEN  (NGX_SYNC_OWNER_LEN + SYNC_SHA256_LEN)


typedef struct {
    uint64_t   tokens;
    int64_t    until;
} ngx_sync_shm_grant_t;


typedef struct {
    uint32_t   n;
} ngx_sync_shm_count_t;


typedef struct {
    uint32_t   count;                /* the block that counts it */
} ngx_sync_shm_holder_t;


static void ngx_sync_shm_limit_refuse(ngx_sync_blocks_t *b,
    ngx_sync_limit_t *l, ngx_sync_block_t **blocks, int64_t now);
static ngx_uint_t ngx_sync_shm_limits_room(ngx_sync_blocks_t *b, int64_t ms,
    uint32_t n);
static ngx_uint_t ngx_sync_shm_slots_taken(ngx_sync_blocks_t *b,
    ngx_sync_slot_t *s, ngx_sync_blocks_key_t *key);
static int64_t ngx_sync_shm_bucket_due(sync_gcra_state_t *state);
static void ngx_sync_shm_holder_key(ngx_sync_blocks_t *b, ngx_sync_slot_t *s,
    ngx_sync_blocks_key_t *key, u_char *buf);
static void ngx_sync_shm_holder_drop(ngx_sync_blocks_t *b,
    ngx_sync_block_t *block);


void
ngx_sync_shm_limits_due(ngx_sync_blocks_t *b, ngx_sync_block_t *block,
    int64_t now, void *data)
{
    sync_gcra_state_t  *state;

    if (block->kind == NGX_SYNC_SHM_HOLDER) {
        ngx_sync_shm_holder_drop(b, block);
        return;
    }

    if (block->kind == NGX_SYNC_SHM_BUCKET) {
        state = ngx_sync_block_data(b, block);

        /* taking moves the time on, the wheel only learns of it here */

        if (!sync_gcra_idle(state, now * 1000)) {
            ngx_sync_blocks_due(b, block, ngx_sync_shm_bucket_due(state));
            return;
        }
    }

    ngx_sync_blocks_drop(b, block);
}


void
ngx_sync_shm_limits_rebuilt(ngx_sync_blocks_t *b)
{
    uint32_t                i;
    ngx_sync_block_t       *block, *counter;
    ngx_sync_shm_count_t   *count;
    ngx_sync_shm_holder_t  *holder;

    for (i = 0; i < b->sh->fresh; i++) {
        block = ngx_sync_block(b, i);

        if (block->kind == NGX_SYNC_SHM_COUNT) {
            count = ngx_sync_block_data(b, block);
            count->n = 0;
        }
    }

    for (i = 0; i < b->sh->fresh; i++) {
        block = ngx_sync_block(b, i);

        if (block->kind == NGX_SYNC_SHM_HOLDER) {
            holder = ngx_sync_block_data(b, block);
            counter = ngx_sync_block(b, holder->count);

            count = ngx_sync_block_data(b, counter);
            count->n++;
        }
    }

    for (i = 0; i < b->sh->fresh; i++) {
        block = ngx_sync_block(b, i);

        if (block->kind == NGX_SYNC_SHM_COUNT) {
            count = ngx_sync_block_data(b, block);

            if (count->n == 0) {
                ngx_sync_blocks_drop(b, block);
            }
        }
    }
}


ngx_int_t
ngx_sync_shm_limit_take(ngx_sync_store_t *st, ngx_sync_op_t *op,
    ngx_sync_limit_t *l)
{
    int64_t                 now;
    uint32_t                cost, missing;
    sync_rc_t               rc;
    ngx_uint_t              i, refused;
    ngx_sync_block_t       *blocks[NGX_SYNC_LIMITS_MAX];
    ngx_sync_blocks_t      *b;
    sync_gcra_state_t      *state, states[NGX_SYNC_LIMITS_MAX];
    ngx_sync_blocks_key_t   keys[NGX_SYNC_LIMITS_MAX];

    b = ngx_sync_shm_zone(st, NGX_SYNC_ZONE_LIMITS);

    if (b == NULL || l->n > NGX_SYNC_LIMITS_MAX) {
        return ngx_sync_shm_answer(op, NGX_SYNC_STORE_DOWN);
    }

    for (i = 0; i < l->n; i++) {
        ngx_sync_blocks_key(b, NGX_SYNC_SHM_BUCKET, &l->items[i].key,
                            &keys[i]);
    }

    cost = ngx_min(l->cost, (uint64_t) UINT32_MAX);
    refused = 0;
    missing = 0;

    ngx_sync_blocks_lock(b, op->log);

    now = ngx_sync_blocks_clock();

    for (i = 0; i < l->n; i++) {
        blocks[i] = ngx_sync_blocks_find(b, NGX_SYNC_SHM_BUCKET, &keys[i]);

        if (blocks[i]) {
            state = ngx_sync_block_data(b, blocks[i]);
            states[i] = *state;

        } else {
            ngx_memzero(&states[i], sizeof(sync_gcra_state_t));
            missing++;
        }

        rc = sync_gcra_take(l->items[i].gcra, &states[i], now, cost,
                            &l->answers[i]);
        if (rc != SYNC_OK) {
            refused = 1;
        }
    }

    if (refused) {
        ngx_sync_shm_limit_refuse(b, l, blocks, now);
        ngx_sync_blocks_unlock(b);

        return ngx_sync_shm_answer(op, NGX_SYNC_STORE_NO);
    }

    if (missing && !ngx_sync_shm_limits_room(b, now / 1000, missing)) {
        ngx_sync_blocks_unlock(b);

        return ngx_sync_shm_answer(op, NGX_SYNC_STORE_FULL);
    }

    for (i = 0; i < l->n; i++) {

        /* making room may have freed it, another item may have made it */

        blocks[i] = ngx_sync_blocks_find(b, NGX_SYNC_SHM_BUCKET, &keys[i]);

        if (blocks[i] == NULL) {

            if (sync_gcra_idle(&states[i], now)) {
                continue;
            }

            blocks[i] = ngx_sync_blocks_new(b, &keys[i]);

            if (blocks[i] == NULL) {
                continue;
            }

            state = ngx_sync_block_data(b, blocks[i]);
            *state = states[i];

            ngx_sync_blocks_link(b, blocks[i], NGX_SYNC_SHM_BUCKET,
                                 ngx_sync_shm_bucket_due(&states[i]));
            continue;
        }

        state = ngx_sync_block_data(b, blocks[i]);
        *state = states[i];
    }

    ngx_sync_blocks_unlock(b);

    return ngx_sync_shm_answer(op, NGX_SYNC_STORE_OK);
}


/* Nothing is charged: the items that allow tell what they have. */

static void
ngx_sync_shm_limit_refuse(ngx_sync_blocks_t *b, ngx_sync_limit_t *l,
    ngx_sync_block_t **blocks, int64_t now)
{
    int64_t             retry, longest;
    ngx_uint_t          i;
    sync_gcra_state_t  *state, idle;

    longest = 0;

    for (i = 0; i < l->n; i++) {
        retry = l->answers[i].retry;

        if (retry == 0) {
            ngx_memzero(&idle, sizeof(sync_gcra_state_t));
            state = &idle;

            if (blocks[i]) {
                state = ngx_sync_block_data(b, blocks[i]);
            }

            (void) sync_gcra_take(l->items[i].gcra, state, now, 0,
                                  &l->answers[i]);
            continue;
        }

        if (retry < 0) {

            /* never: no wait is longer */

            retry = INT64_MAX;
        }

        if (retry > longest) {
            longest = retry;
            l->refused = i;
        }
    }
}


ngx_int_t
ngx_sync_shm_limit_refund(ngx_sync_store_t *st, ngx_sync_op_t *op,
    ngx_sync_limit_t *l)
{
    uint32_t                cost;
    ngx_uint_t              i;
    ngx_sync_block_t       *block;
    ngx_sync_blocks_t      *b;
    ngx_sync_blocks_key_t   keys[NGX_SYNC_LIMITS_MAX];

    b = ngx_sync_shm_zone(st, NGX_SYNC_ZONE_LIMITS);

    if (b == NULL || l->n > NGX_SYNC_LIMITS_MAX) {
        return ngx_sync_shm_answer(op, NGX_SYNC_STORE_DOWN);
    }

    for (i = 0; i < l->n; i++) {
        ngx_sync_blocks_key(b, NGX_SYNC_SHM_BUCKET, &l->items[i].key,
                            &keys[i]);
    }

    cost = ngx_min(l->cost, (uint64_t) UINT32_MAX);

    ngx_sync_blocks_lock(b, op->log);

    for (i = 0; i < l->n; i++) {
        block = ngx_sync_blocks_find(b, NGX_SYNC_SHM_BUCKET, &keys[i]);

        if (block) {
            sync_gcra_refund(l->items[i].gcra, ngx_sync_block_data(b, block),
                             cost);
        }
    }

    ngx_sync_blocks_unlock(b);

    return ngx_sync_shm_answer(op, NGX_SYNC_STORE_OK);
}


ngx_int_t
ngx_sync_shm_lease_take(ngx_sync_store_t *st, ngx_sync_op_t *op,
    ngx_sync_lease_t *l)
{
    int64_t                 now, ms;
    uint32_t                cost;
    ngx_str_t               nonce;
    ngx_msec_t              start;
    sync_gcra_state_t      *state, idle;
    ngx_sync_block_t       *block, *leased;
    ngx_sync_blocks_t      *b;
    sync_gcra_answer_t      answer;
    ngx_sync_result_e       result;
    ngx_sync_shm_grant_t   *grant;
    ngx_sync_blocks_key_t   key, nkey;

    b = ngx_sync_shm_zone(st, NGX_SYNC_ZONE_LIMITS);

    if (b == NULL) {
        return ngx_sync_shm_answer(op, NGX_SYNC_STORE_DOWN);
    }

    nonce.data = l->nonce;
    nonce.len = NGX_SYNC_OWNER_LEN;

    ngx_sync_blocks_key(b, NGX_SYNC_SHM_BUCKET, &l->key, &key);
    ngx_sync_blocks_key(b, NGX_SYNC_SHM_GRANT, &nonce, &nkey);

    start = ngx_current_msec;
    l->tokens = 0;

    ngx_sync_blocks_lock(b, op->log);

    now = ngx_sync_blocks_clock();
    ms = now / 1000;

    leased = ngx_sync_blocks_find(b, NGX_SYNC_SHM_GRANT, &nkey);

    if (leased) {

        /* asked again: the same answer */

        grant = ngx_sync_block_data(b, leased);

        if (grant->until > ms) {
            l->tokens = grant->tokens;
            l->until = start + (ngx_msec_t) (grant->until - ms);
            result = NGX_SYNC_STORE_OK;

        } else {
            result = NGX_SYNC_STORE_NO;
        }

        goto done;
    }

    if (!ngx_sync_shm_limits_room(b, ms, 2)) {
        result = NGX_SYNC_STORE_FULL;
        goto done;
    }

    block = ngx_sync_blocks_find(b, NGX_SYNC_SHM_BUCKET, &key);

    if (block) {
        state = ngx_sync_block_data(b, block);

    } else {
        ngx_memzero(&idle, sizeof(sync_gcra_state_t));
        state = &idle;
    }

    (void) sync_gcra_take(l->gcra, state, now, 0, &answer);

    cost = ngx_min(l->wanted, (uint64_t) answer.remaining);

    if (cost == 0
        || sync_gcra_take(l->gcra, state, now, cost, &answer) != SYNC_OK)
    {
        result = NGX_SYNC_STORE_NO;
        goto done;
    }

    if (block == NULL) {
        block = ngx_sync_blocks_new(b, &key);
        ngx_memcpy(ngx_sync_block_data(b, block), state,
                   sizeof(sync_gcra_state_t));

        ngx_sync_blocks_link(b, block, NGX_SYNC_SHM_BUCKET,
                             ngx_sync_shm_bucket_due(state));
    }

    leased = ngx_sync_blocks_new(b, &nkey);

    grant = ngx_sync_block_data(b, leased);
    grant->tokens = cost;
    grant->until = ms + (int64_t) l->lease;

    ngx_sync_blocks_link(b, leased, NGX_SYNC_SHM_GRANT, grant->until);

    l->tokens = cost;
    l->until = start + l->lease;
    result = NGX_SYNC_STORE_OK;

done:

    ngx_sync_blocks_unlock(b);

    return ngx_sync_shm_answer(op, result);
}


/* What comes back after its lease, or twice, is spent: NO. */

ngx_int_t
ngx_sync_shm_lease_return(ngx_sync_store_t *st, ngx_sync_op_t *op,
    ngx_sync_lease_t *l)
{
    int64_t                 ms;
    uint32_t                cost;
    ngx_str_t               nonce;
    ngx_sync_block_t       *block, *leased;
    ngx_sync_blocks_t      *b;
    ngx_sync_result_e       result;
    ngx_sync_shm_grant_t   *grant;
    ngx_sync_blocks_key_t   key, nkey;

    b = ngx_sync_shm_zone(st, NGX_SYNC_ZONE_LIMITS);

    if (b == NULL) {
        return ngx_sync_shm_answer(op, NGX_SYNC_STORE_DOWN);
    }

    nonce.data = l->nonce;
    nonce.len = NGX_SYNC_OWNER_LEN;

    ngx_sync_blocks_key(b, NGX_SYNC_SHM_BUCKET, &l->key, &key);
    ngx_sync_blocks_key(b, NGX_SYNC_SHM_GRANT, &nonce, &nkey);

    result = NGX_SYNC_STORE_NO;

    ngx_sync_blocks_lock(b, op->log);

    ms = ngx_sync_blocks_clock() / 1000;

    leased = ngx_sync_blocks_find(b, NGX_SYNC_SHM_GRANT, &nkey);

    if (leased) {
        grant = ngx_sync_block_data(b, leased);

        cost = ngx_min(l->tokens, grant->tokens);

        if (grant->until > ms) {
            block = ngx_sync_blocks_find(b, NGX_SYNC_SHM_BUCKET, &key);

            if (block) {
                sync_gcra_refund(l->gcra, ngx_sync_block_data(b, block), cost);
            }

            result = NGX_SYNC_STORE_OK;
        }

        ngx_sync_blocks_drop(b, leased);
    }

    ngx_sync_blocks_unlock(b);

    return ngx_sync_shm_answer(op, result);
}


ngx_int_t
ngx_sync_shm_slot_acquire(ngx_sync_store_t *st, ngx_sync_op_t *op,
    ngx_sync_slot_t *s)
{
    u_char                  buf[NGX_SYNC_HOLDER_LEN];
    int64_t                 ms;
    ngx_sync_block_t       *counter, *block;
    ngx_sync_blocks_t      *b;
    ngx_sync_result_e       result;
    ngx_sync_shm_count_t   *count;
    ngx_sync_shm_holder_t  *holder;
    ngx_sync_blocks_key_t   key, hkey;

    b = ngx_sync_shm_zone(st, NGX_SYNC_ZONE_LIMITS);

    if (b == NULL) {
        return ngx_sync_shm_answer(op, NGX_SYNC_STORE_DOWN);
    }

    ngx_sync_blocks_key(b, NGX_SYNC_SHM_COUNT, &s->key, &key);
    ngx_sync_shm_holder_key(b, s, &hkey, buf);

    ngx_sync_blocks_lock(b, op->log);

    ms = ngx_sync_blocks_clock() / 1000;

    block = ngx_sync_blocks_find(b, NGX_SYNC_SHM_HOLDER, &hkey);

    if (block) {
        ngx_sync_blocks_due(b, block, ms + (int64_t) s->lease);
        result = NGX_SYNC_STORE_OK;
        goto done;
    }

    if (ngx_sync_shm_slots_taken(b, s, &key)) {

        /* some may have left without a word */

        (void) ngx_sync_blocks_sweep(b, ms, NGX_SYNC_SHM_SLICE * 4, NULL);

        if (ngx_sync_shm_slots_taken(b, s, &key)) {
            result = NGX_SYNC_STORE_NO;
            goto done;
        }
    }

    if (!ngx_sync_shm_limits_room(b, ms, 2)) {
        result = NGX_SYNC_STORE_FULL;
        goto done;
    }

    counter = ngx_sync_blocks_find(b, NGX_SYNC_SHM_COUNT, &key);

    if (counter == NULL) {
        counter = ngx_sync_blocks_new(b, &key);
        ngx_sync_blocks_link(b, counter, NGX_SYNC_SHM_COUNT,
                             NGX_SYNC_DUE_NEVER);
    }

    count = ngx_sync_block_data(b, counter);

    block = ngx_sync_blocks_new(b, &hkey);

    holder = ngx_sync_block_data(b, block);
    holder->count = ngx_sync_block_index(b, counter);

    ngx_sync_blocks_link(b, block, NGX_SYNC_SHM_HOLDER,
                         ms + (int64_t) s->lease);
    count->n++;

    result = NGX_SYNC_STORE_OK;

done:

    ngx_sync_blocks_unlock(b);

    return ngx_sync_shm_answer(op, result);
}


static ngx_uint_t
ngx_sync_shm_slots_taken(ngx_sync_blocks_t *b, ngx_sync_slot_t *s,
    ngx_sync_blocks_key_t *key)
{
    ngx_sync_block_t      *counter;
    ngx_sync_shm_count_t  *count;

    counter = ngx_sync_blocks_find(b, NGX_SYNC_SHM_COUNT, key);

    if (counter == NULL) {
        return s->limit == 0;
    }

    count = ngx_sync_block_data(b, counter);

    return count->n >= s->limit;
}


ngx_int_t
ngx_sync_shm_slot_release(ngx_sync_store_t *st, ngx_sync_op_t *op,
    ngx_sync_slot_t *s)
{
    u_char                  buf[NGX_SYNC_HOLDER_LEN];
    ngx_sync_block_t       *block;
    ngx_sync_blocks_t      *b;
    ngx_sync_blocks_key_t   hkey;

    b = ngx_sync_shm_zone(st, NGX_SYNC_ZONE_LIMITS);

    if (b == NULL) {
        return ngx_sync_shm_answer(op, NGX_SYNC_STORE_DOWN);
    }

    ngx_sync_shm_holder_key(b, s, &hkey, buf);

    ngx_sync_blocks_lock(b, op->log);

    block = ngx_sync_blocks_find(b, NGX_SYNC_SHM_HOLDER, &hkey);

    if (block) {
        ngx_sync_shm_holder_drop(b, block);
    }

    ngx_sync_blocks_unlock(b);

    return ngx_sync_shm_answer(op, block ? NGX_SYNC_STORE_OK
                                         : NGX_SYNC_STORE_NO);
}


/* Room for n heads; what is over makes room, nothing that lives does. */

static ngx_uint_t
ngx_sync_shm_limits_room(ngx_sync_blocks_t *b, int64_t ms, uint32_t n)
{
    /* each new one sweeps a little, so that the zone need not fill first */

    (void) ngx_sync_blocks_sweep(b, ms, 2 * n, NULL);

    if (b->sh->nfree < n) {
        (void) ngx_sync_blocks_sweep(b, ms, NGX_SYNC_SHM_SLICE, NULL);
    }

    if (b->sh->nfree < n) {
        b->sh->refused++;
        return 0;
    }

    return 1;
}


static int64_t
ngx_sync_shm_bucket_due(sync_gcra_state_t *state)
{
    return state->tat / 1000 + 1;
}


/* The owner, and the digest of what is held. */

static void
ngx_sync_shm_holder_key(ngx_sync_blocks_t *b, ngx_sync_slot_t *s,
    ngx_sync_blocks_key_t *key, u_char *buf)
{
    ngx_str_t  name;

    ngx_memcpy(buf, s->owner, NGX_SYNC_OWNER_LEN);
    sync_sha256(s->key.data, s->key.len, buf + NGX_SYNC_OWNER_LEN);

    name.data = buf;
    name.len = NGX_SYNC_HOLDER_LEN;

    ngx_sync_blocks_key(b, NGX_SYNC_SHM_HOLDER, &name, key);
}


static void
ngx_sync_shm_holder_drop(ngx_sync_blocks_t *b, ngx_sync_block_t *block)
{
    ngx_sync_block_t       *counter;
    ngx_sync_shm_count_t   *count;
    ngx_sync_shm_holder_t  *holder;

    holder = ngx_sync_block_data(b, block);
    counter = ngx_sync_block(b, holder->count);
    count = ngx_sync_block_data(b, counter);

    ngx_sync_blocks_drop(b, block);

    if (--count->n == 0) {
        ngx_sync_blocks_drop(b, counter);
    }
}
