
/*
 * Who owns a host, an account, a certificate or an id: decided once for all workers.
 *
 * A table of digests in shared memory, open addressing.  An entry becomes
 * valid, or free, by a store of its last byte: a process that dies inside
 * leaves a table that reads as before or as after.
 */


#include "ngx_http_sync_registry_parts.h"


typedef enum {
    NGX_HTTP_SYNC_OWNER_EMPTY = 0,
    NGX_HTTP_SYNC_OWNER_FREE,            /* was used: a search goes on */
    NGX_HTTP_SYNC_OWNER_USED
} ngx_http_sync_owner_e;


static ngx_int_t ngx_http_sync_owners_init(ngx_shm_zone_t *zone, void *data);
static void ngx_http_sync_owners_sweep(ngx_http_sync_registry_t *reg);
static ngx_int_t ngx_http_sync_owners_claim_all(ngx_http_sync_registry_t *reg,
    ngx_log_t *log);
static void ngx_http_sync_owners_mark_locked(ngx_http_sync_registry_t *reg,
    ngx_http_sync_slot_t *slot, u_char *owned);
static void ngx_http_sync_owners_mark_name_locked(
    ngx_http_sync_registry_t *reg, char kind, ngx_str_t *s, u_char *owner,
    u_char *owned);
static ngx_http_sync_owner_t *ngx_http_sync_owner_find_locked(
    ngx_http_sync_registry_t *reg, u_char *name,
    ngx_http_sync_owner_t **room);
static void ngx_http_sync_owner_digest(char kind, ngx_str_t *s, u_char *out,
    size_t len);
static int ngx_libc_cdecl ngx_http_sync_owners_cmp(const void *one,
    const void *two);


static ngx_str_t  ngx_http_sync_owners_name = ngx_string("sync_names");


ngx_int_t
ngx_http_sync_owners_add(ngx_conf_t *cf, ngx_http_sync_registry_t *reg)
{
    reg->zone = ngx_shared_memory_add(cf, &ngx_http_sync_owners_name,
                                      reg->zone_size,
                                      &ngx_http_sync_registry_module);
    if (reg->zone == NULL) {
        return NGX_ERROR;
    }

    reg->zone->init = ngx_http_sync_owners_init;
    reg->zone->data = reg;

    return NGX_OK;
}


/*
 * The zone is there, and the whole configuration is read: names are claimed,
 * and what the workers' user cannot read is known.  An error here keeps the
 * old configuration.
 */

static ngx_int_t
ngx_http_sync_owners_init(ngx_shm_zone_t *zone, void *data)
{
    ngx_http_sync_registry_t  *old = data;
    ngx_http_sync_registry_t  *reg = zone->data;

    size_t                   size;
    ngx_uint_t               n;
    ngx_slab_pool_t         *shpool;
    ngx_http_sync_owners_t  *owners;

    shpool = (ngx_slab_pool_t *) zone->shm.addr;

    if (old != NULL) {
        reg->shpool = old->shpool;
        reg->owners = old->owners;
        ngx_http_sync_owners_sweep(reg);

    } else {
        n = zone->shm.size / sizeof(ngx_http_sync_owner_t) / 8 * 7;
        owners = NULL;

        while (owners == NULL && n > 64) {
            size = sizeof(ngx_http_sync_owners_t)
                   + n * sizeof(ngx_http_sync_owner_t);
            shpool->log_nomem = 0;
            owners = ngx_slab_calloc(shpool, size);

            if (owners == NULL) {
                n -= n / 8;
            }
        }

        if (owners == NULL) {
            ngx_log_error(NGX_LOG_EMERG, zone->shm.log, 0,
                          "\"zone=\" of \"sync_tenants\" is too small");
            return NGX_ERROR;
        }

        owners->size = n;
        shpool->data = owners;

        reg->shpool = shpool;
        reg->owners = owners;
    }

    if (ngx_http_sync_owners_claim_all(reg, zone->shm.log) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_http_sync_scan_readable(reg, reg->cycle) && reg->strict) {
        return NGX_ERROR;
    }

    reg->loading = 0;

    return NGX_OK;
}


/*
 * After a reload: names whose owner has gone, or no longer lists them, are
 * free.  Those of a document that is broken now stay its own.
 */

static void
ngx_http_sync_owners_sweep(ngx_http_sync_registry_t *reg)
{
    u_char                 *owned;
    ngx_uint_t              i;
    ngx_http_sync_node_t   *n;
    ngx_http_sync_owner_t  *o;

    owned = ngx_calloc(reg->owners->size, ngx_cycle->log);
    if (owned == NULL) {
        return;
    }

    ngx_shmtx_lock(&reg->shpool->mutex);

    for (i = 0; i < reg->slots.size; i++) {
        for (n = reg->slots.buckets[i]; n != NULL; n = n->next) {
            ngx_http_sync_owners_mark_locked(reg, n->value, owned);
        }
    }

    for (i = 0; i < reg->owners->size; i++) {
        o = &reg->owners->owners[i];

        if (o->state == NGX_HTTP_SYNC_OWNER_USED && !owned[i]) {
            o->state = NGX_HTTP_SYNC_OWNER_FREE;
            reg->owners->used--;
        }
    }

    ngx_shmtx_unlock(&reg->shpool->mutex);

    ngx_free(owned);
}


static void
ngx_http_sync_owners_mark_locked(ngx_http_sync_registry_t *reg,
    ngx_http_sync_slot_t *slot, u_char *owned)
{
    u_char                  owner[NGX_HTTP_SYNC_OWNER_BYTES];
    ngx_uint_t              i;
    ngx_http_sync_owner_t  *o;

    ngx_http_sync_owner_digest('o', &slot->node.key, owner, sizeof(owner));

    if (slot->tenant != NULL) {
        ngx_http_sync_owners_mark_name_locked(reg, 'i', &slot->id.key, owner,
                                              owned);

        for (i = 0; i < slot->nhosts; i++) {
            ngx_http_sync_owners_mark_name_locked(reg, 'h',
                                                  &slot->hosts[i].key, owner,
                                                  owned);
        }

        return;
    }

    for (i = 0; i < reg->owners->size; i++) {
        o = &reg->owners->owners[i];

        if (ngx_memcmp(o->owner, owner, sizeof(owner)) == 0) {
            owned[i] = 1;
        }
    }
}


static void
ngx_http_sync_owners_mark_name_locked(ngx_http_sync_registry_t *reg,
    char kind, ngx_str_t *s, u_char *owner, u_char *owned)
{
    u_char                  name[NGX_HTTP_SYNC_OWNER_NAME];
    ngx_http_sync_owner_t  *o;

    ngx_http_sync_owner_digest(kind, s, name, sizeof(name));

    o = ngx_http_sync_owner_find_locked(reg, name, NULL);

    if (o != NULL
        && ngx_memcmp(o->owner, owner, NGX_HTTP_SYNC_OWNER_BYTES) == 0)
    {
        owned[o - reg->owners->owners] = 1;
    }
}


/* In the order of the file names, so that the first one wins everywhere. */

static ngx_int_t
ngx_http_sync_owners_claim_all(ngx_http_sync_registry_t *reg, ngx_log_t *log)
{
    ngx_int_t               rc;
    ngx_uint_t              i, n, count;
    ngx_http_sync_node_t   *node;
    ngx_http_sync_slot_t  **slots;

    count = reg->slots.count;

    slots = ngx_alloc((count + 1) * sizeof(ngx_http_sync_slot_t *), log);
    if (slots == NULL) {
        return NGX_ERROR;
    }

    n = 0;

    for (i = 0; i < reg->slots.size; i++) {
        for (node = reg->slots.buckets[i]; node; node = node->next) {
            slots[n++] = node->value;
        }
    }

    ngx_qsort(slots, n, sizeof(ngx_http_sync_slot_t *),
              ngx_http_sync_owners_cmp);

    rc = NGX_OK;

    for (i = 0; i < n; i++) {
        switch (ngx_http_sync_slot_claim(reg, slots[i], log)) {

        case NGX_OK:
            break;

        case NGX_DECLINED:
            if (reg->strict) {
                rc = NGX_ERROR;
            }
            break;

        default:
            rc = NGX_ERROR;
        }
    }

    ngx_free(slots);

    return rc;
}


static int ngx_libc_cdecl
ngx_http_sync_owners_cmp(const void *one, const void *two)
{
    ngx_http_sync_slot_t  *a = *(ngx_http_sync_slot_t **) one;
    ngx_http_sync_slot_t  *b = *(ngx_http_sync_slot_t **) two;

    return ngx_memn2cmp(a->node.key.data, b->node.key.data, a->node.key.len,
                        b->node.key.len);
}


ngx_int_t
ngx_http_sync_owner_claim(ngx_http_sync_registry_t *reg, char kind,
    ngx_str_t *s, ngx_str_t *owner)
{
    u_char                  name[NGX_HTTP_SYNC_OWNER_NAME];
    u_char                  mine[NGX_HTTP_SYNC_OWNER_BYTES];
    ngx_int_t               rc;
    ngx_http_sync_owner_t  *o, *room;

    ngx_http_sync_owner_digest(kind, s, name, sizeof(name));
    ngx_http_sync_owner_digest('o', owner, mine, sizeof(mine));

    ngx_shmtx_lock(&reg->shpool->mutex);

    o = ngx_http_sync_owner_find_locked(reg, name, &room);

    if (o != NULL) {
        rc = ngx_memcmp(o->owner, mine, sizeof(mine)) == 0 ? NGX_OK
                                                           : NGX_DECLINED;

    } else if (room == NULL
               || reg->owners->used >= reg->owners->size / 8 * 7)
    {
        rc = NGX_ERROR;

    } else {
        room->generation = 0;
        ngx_memcpy(room->name, name, sizeof(name));
        ngx_memcpy(room->owner, mine, sizeof(mine));
        ngx_memory_barrier();
        room->state = NGX_HTTP_SYNC_OWNER_USED;
        reg->owners->used++;
        rc = NGX_OK;
    }

    ngx_shmtx_unlock(&reg->shpool->mutex);

    return rc;
}


void
ngx_http_sync_owner_release(ngx_http_sync_registry_t *reg, char kind,
    ngx_str_t *s, ngx_str_t *owner)
{
    u_char                  name[NGX_HTTP_SYNC_OWNER_NAME];
    u_char                  mine[NGX_HTTP_SYNC_OWNER_BYTES];
    ngx_http_sync_owner_t  *o;

    ngx_http_sync_owner_digest(kind, s, name, sizeof(name));
    ngx_http_sync_owner_digest('o', owner, mine, sizeof(mine));

    ngx_shmtx_lock(&reg->shpool->mutex);

    o = ngx_http_sync_owner_find_locked(reg, name, NULL);

    if (o != NULL && ngx_memcmp(o->owner, mine, sizeof(mine)) == 0) {
        o->state = NGX_HTTP_SYNC_OWNER_FREE;
        reg->owners->used--;
    }

    ngx_shmtx_unlock(&reg->shpool->mutex);
}


void
ngx_http_sync_owner_note(ngx_http_sync_registry_t *reg, ngx_str_t *id,
    uint64_t generation)
{
    u_char                  name[NGX_HTTP_SYNC_OWNER_NAME];
    ngx_http_sync_owner_t  *o;

    ngx_http_sync_owner_digest('i', id, name, sizeof(name));

    ngx_shmtx_lock(&reg->shpool->mutex);

    o = ngx_http_sync_owner_find_locked(reg, name, NULL);

    if (o != NULL) {
        o->generation = generation;
    }

    ngx_shmtx_unlock(&reg->shpool->mutex);
}


uint64_t
ngx_http_sync_owner_noted(ngx_http_sync_registry_t *reg, ngx_str_t *id)
{
    u_char                  name[NGX_HTTP_SYNC_OWNER_NAME];
    uint64_t                generation;
    ngx_http_sync_owner_t  *o;

    ngx_http_sync_owner_digest('i', id, name, sizeof(name));

    ngx_shmtx_lock(&reg->shpool->mutex);

    o = ngx_http_sync_owner_find_locked(reg, name, NULL);
    generation = o != NULL ? o->generation : 0;

    ngx_shmtx_unlock(&reg->shpool->mutex);

    return generation;
}


/* room: where the name would go, NULL where there is none. */

static ngx_http_sync_owner_t *
ngx_http_sync_owner_find_locked(ngx_http_sync_registry_t *reg, u_char *name,
    ngx_http_sync_owner_t **room)
{
    uint64_t                n;
    ngx_uint_t              i;
    ngx_http_sync_owner_t  *o, *first;

    ngx_memcpy(&n, name, sizeof(n));

    n %= reg->owners->size;
    first = NULL;
    o = NULL;

    for (i = 0; i < reg->owners->size; i++) {
        o = &reg->owners->owners[n];

        if (o->state != NGX_HTTP_SYNC_OWNER_USED && first == NULL) {
            first = o;
        }

        if (o->state == NGX_HTTP_SYNC_OWNER_EMPTY) {
            o = NULL;
            break;
        }

        if (o->state == NGX_HTTP_SYNC_OWNER_USED
            && ngx_memcmp(o->name, name, NGX_HTTP_SYNC_OWNER_NAME) == 0)
        {
            break;
        }

        o = NULL;
        n = n + 1 == reg->owners->size ? 0 : n + 1;
    }

    if (room != NULL) {
        *room = first;
    }

    return o;
}


static void
ngx_http_sync_owner_digest(char kind, ngx_str_t *s, u_char *out, size_t len)
{
    u_char         digest[SYNC_SHA256_LEN];
    sync_sha256_t  sha;

    sync_sha256_init(&sha);
    sync_sha256_update(&sha, &kind, 1);
    sync_sha256_update(&sha, s->data, s->len);
    sync_sha256_final(&sha, digest);

    ngx_memcpy(out, digest, len);
}
