
#include <ngx_config.h>
#include <ngx_core.h>

#include "sync_crypto.h"
#include "ngx_sync_shm_blocks.h"


#define NGX_SYNC_BLOCKS_MAGIC    0x306b6c42636e7973ULL    /* "syncBlk0" */
#define NGX_SYNC_BLOCKS_VERSION  1

#define NGX_SYNC_SLOT_FIRST      NGX_SYNC_WHEEL_SLOTS         /* by use */
#define NGX_SYNC_SLOT_LAST       (NGX_SYNC_WHEEL_SLOTS + 1)


static ngx_int_t ngx_sync_blocks_init_zone(ngx_shm_zone_t *shm_zone,
    void *data);
static ngx_int_t ngx_sync_blocks_same(ngx_sync_blocks_t *b, size_t size,
    ngx_log_t *log);
static size_t ngx_sync_blocks_map(ngx_sync_blocks_t *b, uint32_t nblocks,
    uint32_t nbuckets);
static void ngx_sync_blocks_empty(ngx_sync_blocks_t *b);
static void ngx_sync_blocks_rebuild(ngx_sync_blocks_t *b);
static ngx_uint_t ngx_sync_blocks_mark_body(ngx_sync_blocks_t *b,
    ngx_sync_block_t *block);
static void ngx_sync_blocks_index(ngx_sync_blocks_t *b,
    ngx_sync_block_t *block);
static uint32_t ngx_sync_blocks_take(ngx_sync_blocks_t *b);
static void ngx_sync_blocks_give(ngx_sync_blocks_t *b, uint32_t i);
static void ngx_sync_blocks_insert(ngx_sync_blocks_t *b,
    ngx_sync_block_t *block);
static void ngx_sync_blocks_remove(ngx_sync_blocks_t *b,
    ngx_sync_block_t *block);
static uint64_t ngx_sync_blocks_hash(const uint64_t *seed, uint64_t kind,
    const u_char *p, size_t len);


#define ngx_sync_blocks_is_used(b, i)  ((b)->used[(i) / 8] & (1 << (i) % 8))
#define ngx_sync_blocks_set_used(b, i)  (b)->used[(i) / 8] |= 1 << (i) % 8
#define ngx_sync_blocks_clear_used(b, i)                                      \
    (b)->used[(i) / 8] &= ~(1 << (i) % 8)

#define ngx_sync_align(n)  (((n) + 63) & ~(size_t) 63)


int64_t
ngx_sync_blocks_clock(void)
{
    struct timespec  ts;

    /* a lease goes on while the machine sleeps: the other side does not */

#ifdef CLOCK_BOOTTIME
    (void) clock_gettime(CLOCK_BOOTTIME, &ts);
#else
    (void) clock_gettime(CLOCK_MONOTONIC, &ts);
#endif

    return (int64_t) ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}


ngx_int_t
ngx_sync_blocks_add_zone(ngx_conf_t *cf, ngx_sync_blocks_t *b, size_t size,
    void *tag)
{
    ngx_shm_zone_t  *shm_zone;

    shm_zone = ngx_shared_memory_add(cf, &b->name, size, tag);
    if (shm_zone == NULL) {
        return NGX_ERROR;
    }

    if (shm_zone->data) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "zone \"%V\" is already in use", &b->name);
        return NGX_ERROR;
    }

    shm_zone->init = ngx_sync_blocks_init_zone;
    shm_zone->data = b;

    return NGX_OK;
}


static ngx_int_t
ngx_sync_blocks_init_zone(ngx_shm_zone_t *shm_zone, void *data)
{
    size_t                 room;
    uint32_t               n, nbuckets;
    ngx_sync_blocks_t     *b;
    ngx_sync_blocks_sh_t  *sh;

    b = shm_zone->data;

    b->shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;

    if (data || shm_zone->shm.exists) {
        b->sh = b->shpool->data;

        if (ngx_sync_blocks_same(b, shm_zone->shm.size, shm_zone->shm.log)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        (void) ngx_sync_blocks_map(b, b->sh->nblocks, b->sh->nbuckets);
        return NGX_OK;
    }

    b->shpool->log_nomem = 0;
    nbuckets = 0;

    /* one piece, as large as it gets: whole pages, aligned */

    room = b->shpool->pfree * ngx_pagesize;

    sh = ngx_slab_alloc(b->shpool, room);
    if (sh == NULL) {
        return NGX_ERROR;
    }

    b->sh = sh;

    for (n = room / b->block_size; n; n--) {

        for (nbuckets = 64; nbuckets < n; nbuckets <<= 1) { /* void */ }

        if (ngx_sync_blocks_map(b, n, nbuckets) <= room) {
            break;
        }

        n -= n / 256;
    }

    if (n < NGX_SYNC_BLOCKS_MIN) {
        ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                      "zone \"%V\" is too small", &b->name);
        return NGX_ERROR;
    }

    ngx_memzero(sh, sizeof(ngx_sync_blocks_sh_t));

    sh->version = NGX_SYNC_BLOCKS_VERSION;
    sh->size = shm_zone->shm.size;
    sh->block_size = b->block_size;
    sh->key_size = b->key_size;
    sh->nblocks = n;
    sh->nbuckets = nbuckets;

    if (sync_random(sh->seed, sizeof(sh->seed)) != SYNC_OK) {
        ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                      "no random bytes for zone \"%V\"", &b->name);
        return NGX_ERROR;
    }

    ngx_sync_blocks_empty(b);

    b->shpool->data = sh;
    sh->magic = NGX_SYNC_BLOCKS_MAGIC;

    return NGX_OK;
}


static ngx_int_t
ngx_sync_blocks_same(ngx_sync_blocks_t *b, size_t size, ngx_log_t *log)
{
    ngx_sync_blocks_sh_t  *sh;

    sh = b->sh;

    if (sh && sh->magic == NGX_SYNC_BLOCKS_MAGIC
        && sh->version == NGX_SYNC_BLOCKS_VERSION
        && sh->size == size
        && sh->block_size == b->block_size
        && sh->key_size == b->key_size)
    {
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_EMERG, log, 0,
                  "zone \"%V\" was made by another version of the module; "
                  "a restart makes it anew and forgets what is in it",
                  &b->name);

    return NGX_ERROR;
}


/* Lays the parts out and returns the bytes they take. */

static size_t
ngx_sync_blocks_map(ngx_sync_blocks_t *b, uint32_t nblocks, uint32_t nbuckets)
{
    u_char  *p;

    p = (u_char *) b->sh + ngx_sync_align(sizeof(ngx_sync_blocks_sh_t));

    b->undo = p;
    p += b->block_size;

    b->slots = (uint32_t *) p;
    p += ngx_sync_align(NGX_SYNC_BLOCKS_LAST * sizeof(uint32_t));

    b->buckets = (uint32_t *) p;
    p += nbuckets * sizeof(uint32_t);

    b->used = p;
    p += ngx_sync_align((nblocks + 7) / 8);

    b->blocks = p;
    p += (size_t) nblocks * b->block_size;

    b->mask = nbuckets - 1;

    return p - (u_char *) b->sh;
}


static void
ngx_sync_blocks_empty(ngx_sync_blocks_t *b)
{
    ngx_sync_blocks_sh_t  *sh;

    sh = b->sh;

    ngx_memset(b->slots, 0xff, NGX_SYNC_BLOCKS_LAST * sizeof(uint32_t));
    ngx_memset(b->buckets, 0xff, sh->nbuckets * sizeof(uint32_t));

    sh->free = NGX_SYNC_NO_BLOCK;
    sh->nfree = sh->nblocks - sh->fresh;
    sh->entries = 0;
    sh->cursor = ngx_sync_blocks_clock() / 1000 / NGX_SYNC_WHEEL_TICK;
}


void
ngx_sync_blocks_lock(ngx_sync_blocks_t *b, ngx_log_t *log)
{
    ngx_shmtx_lock(&b->shpool->mutex);

    if (b->sh->dirty) {
        ngx_sync_blocks_rebuild(b);

        ngx_log_error(NGX_LOG_WARN, log, 0,
                      "store: a worker died inside zone \"%V\", "
                      "%uD entries were put in order again",
                      &b->name, b->sh->entries);
    }

    b->sh->dirty = 1;
    ngx_sync_blocks_fence();
}


void
ngx_sync_blocks_unlock(ngx_sync_blocks_t *b)
{
    ngx_sync_blocks_fence();
    b->sh->dirty = 0;

    ngx_shmtx_unlock(&b->shpool->mutex);
}


/*
 * Nothing is trusted but heads and the bodies they name.  May itself be
 * interrupted at any point and done again: the mark still stands.
 */

static void
ngx_sync_blocks_rebuild(ngx_sync_blocks_t *b)
{
    uint32_t               i;
    ngx_sync_block_t      *block;
    ngx_sync_blocks_sh_t  *sh;

    sh = b->sh;

    if (sh->undo_valid) {
        if (sh->undo_block < sh->nblocks) {
            ngx_memcpy(ngx_sync_block(b, sh->undo_block), b->undo,
                       b->block_size);
        }

        ngx_sync_blocks_fence();
        sh->undo_valid = 0;
    }

    ngx_sync_blocks_empty(b);
    ngx_memzero(b->used, (sh->nblocks + 7) / 8);

    for (i = 0; i < sh->fresh; i++) {
        block = ngx_sync_block(b, i);

        if (block->kind) {
            ngx_sync_blocks_set_used(b, i);
        }
    }

    for (i = 0; i < sh->fresh; i++) {
        block = ngx_sync_block(b, i);

        if (block->kind && !ngx_sync_blocks_mark_body(b, block)) {
            block->body = NGX_SYNC_NO_BLOCK;
            block->len = 0;

            if (b->torn) {
                b->torn(b, block);
            }

            if (block->kind == 0) {
                ngx_sync_blocks_clear_used(b, i);
            }
        }
    }

    for (i = 0; i < sh->fresh; i++) {
        block = ngx_sync_block(b, i);

        if (block->kind) {
            ngx_sync_blocks_index(b, block);

        } else if (!ngx_sync_blocks_is_used(b, i)) {
            ngx_sync_blocks_give(b, i);
        }
    }

    if (b->rebuilt) {
        b->rebuilt(b);
    }

    sh->rebuilt++;
}


static ngx_uint_t
ngx_sync_blocks_mark_body(ngx_sync_blocks_t *b, ngx_sync_block_t *block)
{
    uint32_t           i, n, need;
    ngx_sync_block_t  *part;

    need = ngx_sync_blocks_need(b, (size_t) block->len);

    for (i = block->body, n = 0; i != NGX_SYNC_NO_BLOCK; i = part->next) {

        if (i >= b->sh->fresh || ngx_sync_blocks_is_used(b, i)) {
            break;
        }

        part = ngx_sync_block(b, i);
        ngx_sync_blocks_set_used(b, i);
        n++;
    }

    if (i == NGX_SYNC_NO_BLOCK && n == need) {
        return 1;
    }

    for (i = block->body; n; n--) {
        part = ngx_sync_block(b, i);
        ngx_sync_blocks_clear_used(b, i);
        i = part->next;
    }

    return 0;
}


void
ngx_sync_blocks_key(ngx_sync_blocks_t *b, ngx_uint_t kind, ngx_str_t *name,
    ngx_sync_blocks_key_t *key)
{
    key->data = name->data;
    key->len = name->len;

    if (name->len > b->key_size) {
        sync_sha256(name->data, name->len, key->digest);

        key->data = key->digest;
        key->len = sizeof(key->digest);
    }

    key->hash = (uint32_t) ngx_sync_blocks_hash(b->sh->seed, kind, key->data,
                                                key->len);
}


ngx_sync_block_t *
ngx_sync_blocks_find(ngx_sync_blocks_t *b, ngx_uint_t kind,
    ngx_sync_blocks_key_t *key)
{
    uint32_t           i;
    ngx_sync_block_t  *block;

    for (i = b->buckets[key->hash & b->mask];
         i != NGX_SYNC_NO_BLOCK;
         i = block->next)
    {
        block = ngx_sync_block(b, i);

        if (block->hash == key->hash
            && block->kind == kind
            && block->key_len == key->len
            && ngx_memcmp(ngx_sync_block_key(block), key->data, key->len) == 0)
        {
            return block;
        }
    }

    return NULL;
}


ngx_sync_block_t *
ngx_sync_blocks_new(ngx_sync_blocks_t *b, ngx_sync_blocks_key_t *key)
{
    uint32_t           i;
    ngx_sync_block_t  *block;

    i = ngx_sync_blocks_take(b);
    if (i == NGX_SYNC_NO_BLOCK) {
        return NULL;
    }

    block = ngx_sync_block(b, i);

    ngx_memzero(block, b->block_size);

    block->hash = key->hash;
    block->body = NGX_SYNC_NO_BLOCK;
    block->key_len = key->len;
    ngx_memcpy(ngx_sync_block_key(block), key->data, key->len);

    return block;
}


void
ngx_sync_blocks_link(ngx_sync_blocks_t *b, ngx_sync_block_t *block,
    ngx_uint_t kind, int64_t due)
{
    block->due = due;

    ngx_sync_blocks_fence();
    block->kind = kind;
    ngx_sync_blocks_fence();

    ngx_sync_blocks_index(b, block);
}


void
ngx_sync_blocks_drop(ngx_sync_blocks_t *b, ngx_sync_block_t *block)
{
    uint32_t   i, *link;

    block->kind = 0;
    ngx_sync_blocks_fence();

    i = ngx_sync_block_index(b, block);

    for (link = &b->buckets[block->hash & b->mask];
         *link != i;
         link = &ngx_sync_block(b, *link)->next)
    {
        /* void */
    }

    *link = block->next;

    ngx_sync_blocks_remove(b, block);
    ngx_sync_blocks_free(b, block->body);
    ngx_sync_blocks_give(b, i);

    b->sh->entries--;
}


void
ngx_sync_blocks_change(ngx_sync_blocks_t *b, ngx_sync_block_t *block)
{
    ngx_memcpy(b->undo, block, b->block_size);
    b->sh->undo_block = ngx_sync_block_index(b, block);

    ngx_sync_blocks_fence();
    b->sh->undo_valid = 1;
    ngx_sync_blocks_fence();
}


void
ngx_sync_blocks_done(ngx_sync_blocks_t *b)
{
    ngx_sync_blocks_fence();
    b->sh->undo_valid = 0;
    ngx_sync_blocks_fence();
}


void
ngx_sync_blocks_due(ngx_sync_blocks_t *b, ngx_sync_block_t *block, int64_t due)
{
    ngx_sync_blocks_remove(b, block);
    block->due = due;
    ngx_sync_blocks_insert(b, block);
}


void
ngx_sync_blocks_touch(ngx_sync_blocks_t *b, ngx_sync_block_t *block)
{
    if (b->slots[NGX_SYNC_SLOT_FIRST] != ngx_sync_block_index(b, block)) {
        ngx_sync_blocks_remove(b, block);
        ngx_sync_blocks_insert(b, block);
    }
}


ngx_sync_block_t *
ngx_sync_blocks_oldest(ngx_sync_blocks_t *b)
{
    uint32_t  i;

    i = b->slots[NGX_SYNC_SLOT_LAST];

    return i == NGX_SYNC_NO_BLOCK ? NULL : ngx_sync_block(b, i);
}


uint32_t
ngx_sync_blocks_write(ngx_sync_blocks_t *b, ngx_str_t *data)
{
    u_char            *p;
    size_t             left, n, room;
    uint32_t           i, first, *link;
    ngx_sync_block_t  *part;

    first = NGX_SYNC_NO_BLOCK;
    room = b->block_size - NGX_SYNC_LINK_LEN;

    if (ngx_sync_blocks_need(b, data->len) > b->sh->nfree) {
        return first;
    }

    link = &first;
    p = data->data;

    for (left = data->len; left; left -= n) {
        n = ngx_min(left, room);

        i = ngx_sync_blocks_take(b);
        part = ngx_sync_block(b, i);

        ngx_memcpy((u_char *) part + NGX_SYNC_LINK_LEN, p, n);
        p += n;

        *link = i;
        link = &part->next;
    }

    *link = NGX_SYNC_NO_BLOCK;

    return first;
}


u_char *
ngx_sync_blocks_read(ngx_sync_blocks_t *b, ngx_sync_block_t *block,
    u_char *dst)
{
    size_t             left, n, room;
    uint32_t           i;
    ngx_sync_block_t  *part;

    room = b->block_size - NGX_SYNC_LINK_LEN;
    i = block->body;

    for (left = block->len; left; left -= n) {
        n = ngx_min(left, room);

        part = ngx_sync_block(b, i);
        dst = ngx_cpymem(dst, (u_char *) part + NGX_SYNC_LINK_LEN, n);
        i = part->next;
    }

    return dst;
}


void
ngx_sync_blocks_free(ngx_sync_blocks_t *b, uint32_t first)
{
    uint32_t  i, next;

    for (i = first; i != NGX_SYNC_NO_BLOCK; i = next) {
        next = ngx_sync_block(b, i)->next;
        ngx_sync_blocks_give(b, i);
    }
}


ngx_uint_t
ngx_sync_blocks_sweep(ngx_sync_blocks_t *b, int64_t now, ngx_uint_t n,
    void *data)
{
    int64_t                tick;
    uint32_t               i;
    ngx_sync_block_t      *block;
    ngx_sync_blocks_sh_t  *sh;

    sh = b->sh;
    tick = now / NGX_SYNC_WHEEL_TICK;

    if (tick - sh->cursor > NGX_SYNC_WHEEL_SLOTS) {
        sh->cursor = tick - NGX_SYNC_WHEEL_SLOTS;
    }

    /* a slot is swept when its whole tick is over */

    for ( /* void */ ; sh->cursor < tick; sh->cursor++) {

        i = b->slots[sh->cursor % NGX_SYNC_WHEEL_SLOTS];

        while (i != NGX_SYNC_NO_BLOCK) {
            block = ngx_sync_block(b, i);
            i = block->right;

            if (block->due / NGX_SYNC_WHEEL_TICK > sh->cursor) {
                /* of a later turn of the wheel */
                continue;
            }

            if (n-- == 0) {
                return 1;
            }

            b->due(b, block, now, data);
        }
    }

    return 0;
}


static void
ngx_sync_blocks_index(ngx_sync_blocks_t *b, ngx_sync_block_t *block)
{
    uint32_t  *bucket;

    bucket = &b->buckets[block->hash & b->mask];

    block->next = *bucket;
    *bucket = ngx_sync_block_index(b, block);

    ngx_sync_blocks_insert(b, block);

    b->sh->entries++;
}


static uint32_t
ngx_sync_blocks_take(ngx_sync_blocks_t *b)
{
    uint32_t               i;
    ngx_sync_block_t      *block;
    ngx_sync_blocks_sh_t  *sh;

    sh = b->sh;
    i = sh->free;

    if (i != NGX_SYNC_NO_BLOCK) {
        sh->free = ngx_sync_block(b, i)->next;
        sh->nfree--;

        return i;
    }

    if (sh->fresh == sh->nblocks) {
        return NGX_SYNC_NO_BLOCK;
    }

    block = ngx_sync_block(b, sh->fresh);
    block->kind = 0;
    ngx_sync_blocks_fence();

    sh->nfree--;

    return sh->fresh++;
}


static void
ngx_sync_blocks_give(ngx_sync_blocks_t *b, uint32_t i)
{
    ngx_sync_block(b, i)->next = b->sh->free;

    b->sh->free = i;
    b->sh->nfree++;
}


/* Into the slot of the wheel, or to the front of the list by use. */

static void
ngx_sync_blocks_insert(ngx_sync_blocks_t *b, ngx_sync_block_t *block)
{
    int64_t    tick;
    uint32_t   i, *first;

    block->slot = NGX_SYNC_NO_BLOCK;

    if (block->due == NGX_SYNC_DUE_NEVER) {
        return;
    }

    if (block->due == NGX_SYNC_DUE_BY_USE) {
        block->slot = NGX_SYNC_SLOT_FIRST;

    } else {

        /* never into a slot that is being swept or is done for this turn */

        tick = block->due / NGX_SYNC_WHEEL_TICK;
        tick = ngx_max(tick, b->sh->cursor + 1);

        block->slot = tick % NGX_SYNC_WHEEL_SLOTS;
    }

    i = ngx_sync_block_index(b, block);
    first = &b->slots[block->slot];

    block->left = NGX_SYNC_NO_BLOCK;
    block->right = *first;

    if (*first != NGX_SYNC_NO_BLOCK) {
        ngx_sync_block(b, *first)->left = i;

    } else if (block->slot == NGX_SYNC_SLOT_FIRST) {
        b->slots[NGX_SYNC_SLOT_LAST] = i;
    }

    *first = i;
}


static void
ngx_sync_blocks_remove(ngx_sync_blocks_t *b, ngx_sync_block_t *block)
{
    if (block->slot == NGX_SYNC_NO_BLOCK) {
        return;
    }

    if (block->right != NGX_SYNC_NO_BLOCK) {
        ngx_sync_block(b, block->right)->left = block->left;

    } else if (block->slot == NGX_SYNC_SLOT_FIRST) {
        b->slots[NGX_SYNC_SLOT_LAST] = block->left;
    }

    if (block->left != NGX_SYNC_NO_BLOCK) {
        ngx_sync_block(b, block->left)->right = block->right;

    } else {
        b->slots[block->slot] = block->right;
    }
}


/*
 * SipHash-1-3 (Aumasson, Bernstein): keys may be what a client sends, and
 * nobody shall find ones that meet in a bucket.
 */

#define ngx_sync_rotl(x, n)  (((x) << (n)) | ((x) >> (64 - (n))))

#define ngx_sync_sip_round(v)                                                 \
    do {                                                                      \
        v[0] += v[1]; v[1] = ngx_sync_rotl(v[1], 13); v[1] ^= v[0];           \
        v[0] = ngx_sync_rotl(v[0], 32);                                       \
        v[2] += v[3]; v[3] = ngx_sync_rotl(v[3], 16); v[3] ^= v[2];           \
        v[0] += v[3]; v[3] = ngx_sync_rotl(v[3], 21); v[3] ^= v[0];           \
        v[2] += v[1]; v[1] = ngx_sync_rotl(v[1], 17); v[1] ^= v[2];           \
        v[2] = ngx_sync_rotl(v[2], 32);                                       \
    } while (0)


static uint64_t
ngx_sync_blocks_hash(const uint64_t *seed, uint64_t kind, const u_char *p,
    size_t len)
{
    size_t     n;
    uint64_t   m, v[4];

    v[0] = seed[0] ^ 0x736f6d6570736575ULL;
    v[1] = seed[1] ^ 0x646f72616e646f6dULL ^ kind;
    v[2] = seed[0] ^ 0x6c7967656e657261ULL;
    v[3] = seed[1] ^ 0x7465646279746573ULL;

    for (n = len; n >= 8; n -= 8, p += 8) {
        ngx_memcpy(&m, p, 8);

        v[3] ^= m;
        ngx_sync_sip_round(v);
        v[0] ^= m;
    }

    m = 0;
    ngx_memcpy(&m, p, n);
    m |= (uint64_t) len << 56;

    v[3] ^= m;
    ngx_sync_sip_round(v);
    v[0] ^= m;

    v[2] ^= 0xff;
    ngx_sync_sip_round(v);
    ngx_sync_sip_round(v);
    ngx_sync_sip_round(v);

    return v[0] ^ v[1] ^ v[2] ^ v[3];
}
