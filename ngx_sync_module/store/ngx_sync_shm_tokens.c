
#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_sync_shm.h"


#define NGX_SYNC_CACHE_TOUCH  1000     /* ms between moves to the front */


typedef struct {
    int64_t   until;
    int64_t   touched;
} ngx_sync_shm_cache_t;


static ngx_uint_t ngx_sync_shm_tokens_room(ngx_sync_blocks_t *b, int64_t ms,
    uint32_t n);


/* Only what was seen is in the wheel; the cache goes by use. */

void
ngx_sync_shm_tokens_due(ngx_sync_blocks_t *b, ngx_sync_block_t *block,
    int64_t now, void *data)
{
    ngx_sync_blocks_drop(b, block);
}


/* A cached value that is not whole is not there. */

void
ngx_sync_shm_tokens_torn(ngx_sync_blocks_t *b, ngx_sync_block_t *block)
{
    if (block->kind == NGX_SYNC_SHM_CACHE) {
        block->kind = 0;
    }
}


ngx_int_t
ngx_sync_shm_seen(ngx_sync_store_t *st, ngx_sync_op_t *op, ngx_sync_seen_t *s)
{
    int64_t                 ms;
    ngx_sync_block_t       *block;
    ngx_sync_blocks_t      *b;
    ngx_sync_result_e       result;
    ngx_sync_blocks_key_t   key;

    b = ngx_sync_shm_zone(st, NGX_SYNC_ZONE_TOKENS);

    if (b == NULL) {
        return ngx_sync_shm_answer(op, NGX_SYNC_STORE_DOWN);
    }

    ngx_sync_blocks_key(b, NGX_SYNC_SHM_SEEN, &s->key, &key);

    ngx_sync_blocks_lock(b, op->log);

    ms = ngx_sync_blocks_clock() / 1000;

    block = ngx_sync_blocks_find(b, NGX_SYNC_SHM_SEEN, &key);

    if (block) {
        result = NGX_SYNC_STORE_NO;

        if (block->due <= ms) {
            ngx_sync_blocks_due(b, block, ms + (int64_t) s->ttl);
            result = NGX_SYNC_STORE_OK;
        }

    } else if (!ngx_sync_shm_tokens_room(b, ms, 1)) {
        result = NGX_SYNC_STORE_FULL;

    } else {
        block = ngx_sync_blocks_new(b, &key);
        ngx_sync_blocks_link(b, block, NGX_SYNC_SHM_SEEN,
                             ms + (int64_t) s->ttl);
        result = NGX_SYNC_STORE_OK;
    }

    ngx_sync_blocks_unlock(b);

    return ngx_sync_shm_answer(op, result);
}


ngx_int_t
ngx_sync_shm_cache_get(ngx_sync_store_t *st, ngx_sync_op_t *op,
    ngx_sync_cache_t *c)
{
    int64_t                 ms;
    ngx_int_t               rc;
    ngx_uint_t              found;
    ngx_sync_block_t       *block;
    ngx_sync_blocks_t      *b;
    ngx_sync_shm_out_t      out;
    ngx_sync_shm_cache_t   *cache;
    ngx_sync_blocks_key_t   key;

    b = ngx_sync_shm_zone(st, NGX_SYNC_ZONE_TOKENS);

    if (b == NULL) {
        return ngx_sync_shm_answer(op, NGX_SYNC_STORE_DOWN);
    }

    ngx_sync_blocks_key(b, NGX_SYNC_SHM_CACHE, &c->key, &key);
    ngx_sync_shm_out_init(&out);

    do {
        found = 0;

        ngx_sync_blocks_lock(b, op->log);

        ms = ngx_sync_blocks_clock() / 1000;

        block = ngx_sync_blocks_find(b, NGX_SYNC_SHM_CACHE, &key);

        if (block) {
            cache = ngx_sync_block_data(b, block);

            if (cache->until <= ms) {
                ngx_sync_blocks_drop(b, block);

            } else {
                found = 1;
                out.need = block->len;

                if (out.need <= out.size) {
                    c->value.data = out.data;
                    c->value.len = block->len;

                    (void) ngx_sync_blocks_read(b, block, out.data);
                }

                /* not at each use: that would write to three heads */

                if (ms - cache->touched > NGX_SYNC_CACHE_TOUCH) {
                    cache->touched = ms;
                    ngx_sync_blocks_touch(b, block);
                }
            }
        }

        ngx_sync_blocks_unlock(b);

        if (!found) {
            return ngx_sync_shm_answer(op, NGX_SYNC_STORE_NO);
        }

        rc = ngx_sync_shm_out_again(&out, op->pool);

    } while (rc == NGX_AGAIN);

    if (rc != NGX_OK
        || ngx_sync_shm_out_keep(&out, op->pool, &c->value) != NGX_OK)
    {
        return ngx_sync_shm_answer(op, NGX_SYNC_STORE_DOWN);
    }

    return ngx_sync_shm_answer(op, NGX_SYNC_STORE_OK);
}


ngx_int_t
ngx_sync_shm_cache_put(ngx_sync_store_t *st, ngx_sync_op_t *op,
    ngx_sync_cache_t *c)
{
    int64_t                 ms;
    uint32_t                need;
    ngx_sync_block_t       *block;
    ngx_sync_blocks_t      *b;
    ngx_sync_result_e       result;
    ngx_sync_shm_cache_t   *cache;
    ngx_sync_blocks_key_t   key;

    b = ngx_sync_shm_zone(st, NGX_SYNC_ZONE_TOKENS);

    if (b == NULL) {
        return ngx_sync_shm_answer(op, NGX_SYNC_STORE_DOWN);
    }

    ngx_sync_blocks_key(b, NGX_SYNC_SHM_CACHE, &c->key, &key);

    /* one value is a small part of the zone */

    if (c->value.len > b->sh->size / 16) {
        return ngx_sync_shm_answer(op, NGX_SYNC_STORE_FULL);
    }

    need = 1 + ngx_sync_blocks_need(b, c->value.len);

    ngx_sync_blocks_lock(b, op->log);

    ms = ngx_sync_blocks_clock() / 1000;

    block = ngx_sync_blocks_find(b, NGX_SYNC_SHM_CACHE, &key);

    if (block) {
        ngx_sync_blocks_drop(b, block);
    }

    if (!ngx_sync_shm_tokens_room(b, ms, need)) {
        result = NGX_SYNC_STORE_FULL;

    } else {
        block = ngx_sync_blocks_new(b, &key);
        block->body = ngx_sync_blocks_write(b, &c->value);
        block->len = c->value.len;

        cache = ngx_sync_block_data(b, block);
        cache->until = ms + (int64_t) c->ttl;
        cache->touched = ms;

        ngx_sync_blocks_link(b, block, NGX_SYNC_SHM_CACHE,
                             NGX_SYNC_DUE_BY_USE);
        result = NGX_SYNC_STORE_OK;
    }

    ngx_sync_blocks_unlock(b);

    return ngx_sync_shm_answer(op, result);
}


/* What was seen and is over goes first, then the cache from its end. */

static ngx_uint_t
ngx_sync_shm_tokens_room(ngx_sync_blocks_t *b, int64_t ms, uint32_t n)
{
    ngx_sync_block_t  *block;

    (void) ngx_sync_blocks_sweep(b, ms, 2, NULL);

    if (b->sh->nfree < n) {
        (void) ngx_sync_blocks_sweep(b, ms, NGX_SYNC_SHM_SLICE, NULL);
    }

    while (b->sh->nfree < n) {
        block = ngx_sync_blocks_oldest(b);

        if (block == NULL) {
            b->sh->refused++;
            return 0;
        }

        ngx_sync_blocks_drop(b, block);
    }

    return 1;
}
