
#include "ngx_http_sync_test.h"


static ngx_sync_block_t *ngx_http_sync_test_crash_head(ngx_sync_blocks_t *b,
    uint32_t kind);


/*
 * zone=limits|records|tokens, point=
 *
 *   locked   nothing was done yet
 *   index    index, wheel and free blocks are half written
 *   new      a head was taken and filled, not yet linked
 *   body     a body was written, no head names it
 *   change   a head is half changed; its keys and state are rubbish
 *   drop     a head no longer counts, all else still knows it
 *   torn     a body that the rules do not allow: it runs in a circle
 *
 * For the last three it is the first head that serves.
 */

ngx_int_t
ngx_http_sync_test_crash_handler(ngx_http_request_t *r)
{
    uint32_t                        kind;
    ngx_str_t                       zone, point, junk;
    ngx_sync_block_t               *block;
    ngx_sync_blocks_t              *b;
    ngx_sync_blocks_key_t           key;
    ngx_http_sync_test_loc_conf_t  *tlcf;

    static u_char                   rubbish[8192];

    tlcf = ngx_http_get_module_loc_conf(r, ngx_http_sync_test_module);

    zone = ngx_http_sync_test_arg(r, "zone");
    point = ngx_http_sync_test_arg(r, "point");

#define is(s, lit)                                                            \
    ((s).len == sizeof(lit) - 1                                               \
     && ngx_strncmp((s).data, lit, sizeof(lit) - 1) == 0)

    if (is(zone, "limits")) {
        b = tlcf->shm->zones[NGX_SYNC_ZONE_LIMITS];
        kind = NGX_SYNC_SHM_BUCKET;

    } else if (is(zone, "records")) {
        b = tlcf->shm->zones[NGX_SYNC_ZONE_RECORDS];
        kind = NGX_SYNC_SHM_RECORD;

    } else {
        b = tlcf->shm->zones[NGX_SYNC_ZONE_TOKENS];
        kind = NGX_SYNC_SHM_CACHE;
    }

    if (b == NULL) {
        return NGX_HTTP_NOT_FOUND;
    }

    junk.data = rubbish;
    junk.len = sizeof(rubbish);
    ngx_memset(rubbish, 0xa5, sizeof(rubbish));

    ngx_sync_blocks_key(b, kind, &r->args, &key);

    ngx_sync_blocks_lock(b, r->connection->log);

    if (is(point, "index")) {
        ngx_memset(b->buckets, 0xa5, b->sh->nbuckets * sizeof(uint32_t) / 2);
        ngx_memset(b->slots, 0xa5, NGX_SYNC_WHEEL_SLOTS * sizeof(uint32_t));

        b->sh->free = 0xa5a5a5a5;
        b->sh->nfree = 0;
        b->sh->entries = 0xa5a5a5a5;

    } else if (is(point, "new")) {
        block = ngx_sync_blocks_new(b, &key);
        ngx_memset(ngx_sync_block_data(b, block), 0xa5, 16);

    } else if (is(point, "body")) {
        (void) ngx_sync_blocks_write(b, &junk);

    } else {
        block = ngx_http_sync_test_crash_head(b, kind);

        if (block && is(point, "change")) {
            ngx_sync_blocks_change(b, block);
            ngx_memset(&block->next, 0xa5,
                       b->block_size - offsetof(ngx_sync_block_t, next));

        } else if (block && is(point, "drop")) {
            block->kind = 0;

        } else if (block && is(point, "torn")) {
            block->body = ngx_sync_blocks_write(b, &junk);
            block->len = junk.len;
            ngx_sync_block(b, block->body)->next = block->body;
        }
    }

#undef is

    (void) kill(ngx_pid, SIGKILL);

    return NGX_HTTP_INTERNAL_SERVER_ERROR;
}


static ngx_sync_block_t *
ngx_http_sync_test_crash_head(ngx_sync_blocks_t *b, uint32_t kind)
{
    uint32_t           i;
    ngx_sync_block_t  *block;

    for (i = 0; i < b->sh->fresh; i++) {
        block = ngx_sync_block(b, i);

        if (block->kind == kind) {
            return block;
        }
    }

    return NULL;
}
