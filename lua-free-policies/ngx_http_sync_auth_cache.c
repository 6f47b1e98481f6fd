
/*
 * Tokens that were verified before.  Each worker has a table of its own, in
 * which a token is found by some of its bytes and compared whole, with its
 * claims ready for use; behind it is the shared memory of the node, where a
 * digest finds what another worker has verified.  What stands there is sealed
 * under another digest of the token: who reads the zone and has not the token
 * reads no claims.
 *
 * Only verified tokens get in, and a signature is not of the client's
 * choosing: nobody can fill a set of slots at will.
 */


#include "ngx_http_sync_auth.h"


#define NGX_HTTP_SYNC_TOKEN_SETS   512
#define NGX_HTTP_SYNC_TOKEN_WAYS   4     /* slots probed */
#define NGX_HTTP_SYNC_TOKEN_TAIL   32    /* bytes that are hashed */
#define NGX_HTTP_SYNC_TOKEN_BLOCK  8192  /* largest block kept */
#define NGX_HTTP_SYNC_TOKEN_BYTES  (8 * 1024 * 1024)     /* of a worker */
#define NGX_HTTP_SYNC_TOKEN_ROOM   (SYNC_AEAD_NONCE_LEN + SYNC_AEAD_TAG_LEN)


/* A slot owns one block: list of audiences, packed claims, tenant, token. */

typedef struct {
    uint64_t                     hash;
    u_char                      *block;  /* NULL: free */
    size_t                       size;
    uint64_t                     used;   /* tick of the last use */
    ngx_http_sync_token_key_t    key;    /* strings in the block */
    ngx_http_sync_proven_t       proven;
} ngx_http_sync_token_slot_t;


typedef struct {
    uint32_t                     issuer;
    uint32_t                     client;
    uint64_t                     keys;
    int64_t                      until;
} ngx_http_sync_token_head_t;


/* An arena over the block: unpacking takes the list of audiences from it. */

typedef struct {
    sync_arena_t                 arena;
    u_char                      *pos;
    u_char                      *end;
} ngx_http_sync_token_arena_t;


static ngx_http_sync_token_slot_t *ngx_http_sync_token_set(
    ngx_http_sync_token_key_t *key, uint64_t *hash);
static ngx_http_sync_token_slot_t *ngx_http_sync_token_probe(
    ngx_http_sync_token_key_t *key);
static void ngx_http_sync_token_insert(ngx_http_sync_token_key_t *key,
    ngx_http_sync_proven_t *proven, ngx_log_t *log);
static void *ngx_http_sync_token_alloc(sync_arena_t *arena, size_t size);
static void ngx_http_sync_token_free(ngx_http_sync_token_slot_t *slot);
static void ngx_http_sync_token_digest(ngx_http_sync_token_key_t *key,
    const char *use, u_char digest[SYNC_SHA256_LEN]);
static void ngx_http_sync_token_op(ngx_http_request_t *r, ngx_sync_op_t *op);
static void ngx_http_sync_token_op_handler(ngx_sync_op_t *op);


static ngx_http_sync_token_slot_t  *ngx_http_sync_token_slots;
static uint64_t                     ngx_http_sync_token_seed[2];
static uint64_t                     ngx_http_sync_token_tick;
static size_t                       ngx_http_sync_token_bytes;


ngx_int_t
ngx_http_sync_token_find(ngx_http_request_t *r, ngx_sync_store_t *store,
    ngx_http_sync_token_key_t *key, ngx_http_sync_proven_t *proven)
{
    u_char                       digest[SYNC_SHA256_LEN], *p;
    u_char                       secret[SYNC_SHA256_LEN];
    sync_rc_t                    rc;
    sync_str_t                   packed, sealed;
    sync_arena_t                *arena;
    ngx_sync_op_t                op;
    ngx_sync_cache_t             cache;
    ngx_http_sync_ctx_t         *ctx;
    ngx_http_sync_token_head_t   head;
    ngx_http_sync_token_slot_t  *slot;

    slot = ngx_http_sync_token_probe(key);

    if (slot != NULL) {
        slot->used = ++ngx_http_sync_token_tick;
        *proven = slot->proven;
        return NGX_OK;
    }

    ngx_http_sync_token_digest(key, "name", digest);

    cache.key.len = SYNC_SHA256_LEN;
    cache.key.data = digest;
    ngx_str_null(&cache.value);
    cache.ttl = 0;

    ngx_http_sync_token_op(r, &op);

    if (store->ops->cache_get(store, &op, &cache) != NGX_OK) {

        /* a cache that is slower than the work it saves is none */

        ngx_sync_store_cancel(store, &op);
        return NGX_DECLINED;
    }

    if (op.result != NGX_SYNC_STORE_OK
        || cache.value.len < sizeof(head) + NGX_HTTP_SYNC_TOKEN_ROOM)
    {
        return NGX_DECLINED;
    }

    p = ngx_pnalloc(r->pool, cache.value.len);
    if (p == NULL) {
        return NGX_DECLINED;
    }

    sealed.data = cache.value.data + SYNC_AEAD_NONCE_LEN;
    sealed.len = cache.value.len - SYNC_AEAD_NONCE_LEN;

    ngx_http_sync_token_digest(key, "seal", secret);

    rc = sync_aead_open(secret, cache.value.data, NULL, 0, sealed, p);

    sync_wipe(secret, sizeof(secret));

    if (rc != SYNC_OK) {
        return NGX_DECLINED;
    }

    ngx_memcpy(&head, p, sizeof(head));

    packed.data = p + sizeof(head);
    packed.len = cache.value.len - sizeof(head) - NGX_HTTP_SYNC_TOKEN_ROOM;

    ctx = ngx_http_sync_get_ctx(r);
    arena = &ctx->arena;

    if (sync_jwt_unpack(&proven->jwt, arena, packed) != SYNC_OK) {
        return NGX_DECLINED;
    }

    proven->issuer = head.issuer;
    proven->client = head.client;
    proven->keys = head.keys;
    proven->until = head.until;

    ngx_http_sync_token_insert(key, proven, r->connection->log);

    return NGX_OK;
}


void
ngx_http_sync_token_keep(ngx_http_request_t *r, ngx_sync_store_t *store,
    ngx_http_sync_token_key_t *key, ngx_http_sync_proven_t *proven,
    ngx_msec_t ttl)
{
    u_char                      *p, *text, digest[SYNC_SHA256_LEN];
    u_char                       secret[SYNC_SHA256_LEN];
    size_t                       size;
    sync_rc_t                    rc;
    ngx_sync_op_t                op;
    ngx_sync_cache_t             cache;
    ngx_http_sync_token_head_t   head;

    ngx_http_sync_token_insert(key, proven, r->connection->log);

    size = sync_jwt_pack(&proven->jwt, NULL, 0);

    p = ngx_pnalloc(r->pool, sizeof(head) + size + NGX_HTTP_SYNC_TOKEN_ROOM);
    if (p == NULL || sync_random(p, SYNC_AEAD_NONCE_LEN) != SYNC_OK) {
        return;
    }

    text = p + SYNC_AEAD_NONCE_LEN;

    head.issuer = proven->issuer;
    head.client = proven->client;
    head.keys = proven->keys;
    head.until = proven->until;

    ngx_memcpy(text, &head, sizeof(head));
    (void) sync_jwt_pack(&proven->jwt, text + sizeof(head), size);

    ngx_http_sync_token_digest(key, "seal", secret);

    rc = sync_aead_seal(secret, p, NULL, 0, text, sizeof(head) + size);

    sync_wipe(secret, sizeof(secret));

    if (rc != SYNC_OK) {
        return;
    }

    ngx_http_sync_token_digest(key, "name", digest);

    cache.key.len = SYNC_SHA256_LEN;
    cache.key.data = digest;
    cache.value.len = sizeof(head) + size + NGX_HTTP_SYNC_TOKEN_ROOM;
    cache.value.data = p;
    cache.ttl = ttl;

    ngx_http_sync_token_op(r, &op);

    if (store->ops->cache_put(store, &op, &cache) != NGX_OK) {
        ngx_sync_store_cancel(store, &op);
    }
}


void
ngx_http_sync_token_forget(void)
{
    ngx_uint_t  i;

    if (ngx_http_sync_token_slots == NULL) {
        return;
    }

    for (i = 0; i < NGX_HTTP_SYNC_TOKEN_SETS * NGX_HTTP_SYNC_TOKEN_WAYS; i++) {
        ngx_http_sync_token_free(&ngx_http_sync_token_slots[i]);
    }

    ngx_free(ngx_http_sync_token_slots);
    ngx_http_sync_token_slots = NULL;
}


/* The slots in which that token may be, NULL: there is no table. */

static ngx_http_sync_token_slot_t *
ngx_http_sync_token_set(ngx_http_sync_token_key_t *key, uint64_t *hash)
{
    size_t    i, n;
    uint64_t  h, word;

    *hash = 0;

    if (ngx_http_sync_token_slots == NULL) {
        return NULL;
    }

    h = ngx_http_sync_token_seed[0] ^ key->generation ^ key->token.len;
    n = ngx_min(key->token.len, NGX_HTTP_SYNC_TOKEN_TAIL);

    for (i = n / sizeof(word); i; i--) {
        ngx_memcpy(&word, key->token.data + key->token.len
                          - i * sizeof(word), sizeof(word));
        h = (h ^ word) * (ngx_http_sync_token_seed[1] | 1);
        h ^= h >> 32;
    }

    *hash = h;

    return &ngx_http_sync_token_slots[(h % NGX_HTTP_SYNC_TOKEN_SETS)
                                      * NGX_HTTP_SYNC_TOKEN_WAYS];
}


static ngx_http_sync_token_slot_t *
ngx_http_sync_token_probe(ngx_http_sync_token_key_t *key)
{
    uint64_t                     hash;
    ngx_uint_t                   i;
    ngx_http_sync_token_slot_t  *slot;

    slot = ngx_http_sync_token_set(key, &hash);

    if (slot == NULL) {
        return NULL;
    }

    for (i = 0; i < NGX_HTTP_SYNC_TOKEN_WAYS; i++, slot++) {

        if (slot->block != NULL
            && slot->hash == hash
            && slot->key.generation == key->generation
            && slot->key.platform == key->platform
            && slot->key.tenant.len == key->tenant.len
            && slot->key.token.len == key->token.len
            && ngx_memcmp(slot->key.tenant.data, key->tenant.data,
                          key->tenant.len) == 0
            && ngx_memcmp(slot->key.token.data, key->token.data,
                          key->token.len) == 0)
        {
            return slot;
        }
    }

    return NULL;
}


static void
ngx_http_sync_token_insert(ngx_http_sync_token_key_t *key,
    ngx_http_sync_proven_t *proven, ngx_log_t *log)
{
    u_char                       *p;
    size_t                        list, packed, size;
    uint64_t                      hash;
    ngx_uint_t                    i;
    ngx_http_sync_token_slot_t   *slot, *set;
    ngx_http_sync_token_arena_t   ta;

    if (ngx_http_sync_token_slots == NULL) {

        if (sync_random(ngx_http_sync_token_seed,
                        sizeof(ngx_http_sync_token_seed))
            != SYNC_OK)
        {
            return;
        }

        ngx_http_sync_token_slots = ngx_calloc(
                     NGX_HTTP_SYNC_TOKEN_SETS * NGX_HTTP_SYNC_TOKEN_WAYS
                     * sizeof(ngx_http_sync_token_slot_t), log);

        if (ngx_http_sync_token_slots == NULL) {
            return;
        }
    }

    list = proven->jwt.naudience * sizeof(sync_str_t);
    packed = sync_jwt_pack(&proven->jwt, NULL, 0);
    size = list + packed + key->tenant.len + key->token.len;

    if (size > NGX_HTTP_SYNC_TOKEN_BLOCK) {
        return;
    }

    set = ngx_http_sync_token_set(key, &hash);

    /* verified again, by other keys: it takes its own place */

    slot = ngx_http_sync_token_probe(key);

    if (slot == NULL) {
        slot = set;

        for (i = 0; i < NGX_HTTP_SYNC_TOKEN_WAYS; i++) {

            if (set[i].block == NULL) {
                slot = &set[i];
                break;
            }

            if (set[i].used < slot->used) {
                slot = &set[i];
            }
        }
    }

    ngx_http_sync_token_free(slot);

    if (ngx_http_sync_token_bytes + size > NGX_HTTP_SYNC_TOKEN_BYTES) {
        return;
    }

    p = ngx_alloc(size, log);
    if (p == NULL) {
        return;
    }

    slot->block = p;
    slot->size = size;
    ngx_http_sync_token_bytes += size;

    ta.arena.alloc = ngx_http_sync_token_alloc;
    ta.arena.data = &ta;
    ta.pos = p;
    ta.end = p + list;

    p += list;
    (void) sync_jwt_pack(&proven->jwt, p, packed);

    if (sync_jwt_unpack(&slot->proven.jwt, &ta.arena,
                        (sync_str_t) { packed, p })
        != SYNC_OK)
    {
        ngx_http_sync_token_free(slot);
        return;
    }

    p += packed;

    slot->hash = hash;
    slot->used = ++ngx_http_sync_token_tick;
    slot->proven.issuer = proven->issuer;
    slot->proven.client = proven->client;
    slot->proven.keys = proven->keys;
    slot->proven.until = proven->until;

    slot->key = *key;
    slot->key.tenant.data = p;
    p = ngx_cpymem(p, key->tenant.data, key->tenant.len);
    slot->key.token.data = p;
    ngx_memcpy(p, key->token.data, key->token.len);
}


static void *
ngx_http_sync_token_alloc(sync_arena_t *arena, size_t size)
{
    u_char                       *p;
    ngx_http_sync_token_arena_t  *ta;

    ta = arena->data;

    if (size > (size_t) (ta->end - ta->pos)) {
        return NULL;
    }

    p = ta->pos;
    ta->pos += size;

    return p;
}


static void
ngx_http_sync_token_free(ngx_http_sync_token_slot_t *slot)
{
    if (slot->block == NULL) {
        return;
    }

    sync_wipe(slot->block, slot->size);
    ngx_free(slot->block);

    ngx_http_sync_token_bytes -= slot->size;
    slot->block = NULL;
}


/*
 * The token is hashed once for all uses; what else names it, each time, since
 * it may have changed while keys were fetched.
 */

static void
ngx_http_sync_token_digest(ngx_http_sync_token_key_t *key, const char *use,
    u_char digest[SYNC_SHA256_LEN])
{
    uint64_t       len;
    sync_sha256_t  sha;

    if (!key->hashed) {
        sync_sha256(key->token.data, key->token.len, key->hash);
        key->hashed = 1;
    }

    len = key->tenant.len;

    sync_sha256_init(&sha);
    sync_sha256_update(&sha, use, ngx_strlen(use) + 1);
    sync_sha256_update(&sha, &len, sizeof(len));
    sync_sha256_update(&sha, key->tenant.data, key->tenant.len);
    sync_sha256_update(&sha, &key->generation, sizeof(key->generation));
    sync_sha256_update(&sha, &key->platform, sizeof(key->platform));
    sync_sha256_update(&sha, key->hash, SYNC_SHA256_LEN);
    sync_sha256_final(&sha, digest);
}


/* The store is this node's shared memory: it answers at once. */

static void
ngx_http_sync_token_op(ngx_http_request_t *r, ngx_sync_op_t *op)
{
    ngx_memzero(op, sizeof(ngx_sync_op_t));

    op->handler = ngx_http_sync_token_op_handler;
    op->log = r->connection->log;
    op->pool = r->pool;
}


static void
ngx_http_sync_token_op_handler(ngx_sync_op_t *op)
{
    ngx_log_error(NGX_LOG_ALERT, op->log, 0,
                  "auth: the local store answered late");
}
