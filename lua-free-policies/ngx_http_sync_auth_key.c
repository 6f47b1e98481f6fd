
/*
 * API keys.  For each version of a tenant the worker has an index of the HMACs
 * of all keys, under a random secret of its own: neither a look at the index
 * nor the time of a search tells anything of a key.
 */


#include "ngx_http_sync_auth.h"
#include "sync_crypto.h"


#define NGX_HTTP_SYNC_KEY_TENANTS  256   /* indexes of a worker */
#define NGX_HTTP_SYNC_KEY_LEN      1024  /* bytes of a key at most */


typedef struct {
    u_char                       mac[SYNC_SHA256_LEN];
    uint32_t                     client; /* SYNC_DOC_NONE: two clients' */
} ngx_http_sync_key_entry_t;


/* An index holds its tenant, so that the pointer names one version. */

typedef struct {
    ngx_http_sync_tenant_t      *tenant;
    ngx_pool_t                  *pool;   /* NULL: no index */
    ngx_http_sync_key_entry_t   *entries;    /* sorted by mac */
    ngx_uint_t                   n;
} ngx_http_sync_key_index_t;


static ngx_http_sync_key_index_t *ngx_http_sync_key_index(
    ngx_http_sync_tenant_t *t, ngx_log_t *log);
static ngx_int_t ngx_http_sync_key_build(ngx_http_sync_key_index_t *index,
    ngx_http_sync_tenant_t *t, ngx_log_t *log);
static void ngx_http_sync_key_contested(ngx_http_sync_key_entry_t *entry,
    ngx_uint_t n, ngx_str_t *id, ngx_log_t *log);
static void ngx_http_sync_key_mac(void *data, size_t len,
    u_char mac[SYNC_SHA256_LEN]);
static int ngx_libc_cdecl ngx_http_sync_key_compare(const void *one,
    const void *two);


static ngx_http_sync_key_index_t  ngx_http_sync_keys[NGX_HTTP_SYNC_KEY_TENANTS];
static sync_hmac_t                ngx_http_sync_key_secret;
static ngx_uint_t                 ngx_http_sync_key_ready;


ngx_int_t
ngx_http_sync_api_key_find(ngx_http_sync_tenant_t *t, ngx_str_t *key,
    uint32_t *client, ngx_log_t *log)
{
    u_char                      mac[SYNC_SHA256_LEN];
    ngx_uint_t                  low, high, middle;
    ngx_http_sync_key_index_t  *index;

    if (key->len == 0 || key->len > NGX_HTTP_SYNC_KEY_LEN) {
        return NGX_DECLINED;
    }

    index = ngx_http_sync_key_index(t, log);

    if (index == NULL) {
        return NGX_ERROR;
    }

    ngx_http_sync_key_mac(key->data, key->len, mac);

    /* the order of MACs is unknown outside: only the last compare counts */

    low = 0;
    high = index->n;

    while (low < high) {
        middle = low + (high - low) / 2;

        if (ngx_memcmp(index->entries[middle].mac, mac, sizeof(mac)) < 0) {
            low = middle + 1;

        } else {
            high = middle;
        }
    }

    if (low == index->n
        || !sync_secret_eq((sync_str_t) { sizeof(mac), mac },
                           (sync_str_t) { sizeof(mac),
                                          index->entries[low].mac })
        || index->entries[low].client == SYNC_DOC_NONE)
    {
        return NGX_DECLINED;
    }

    *client = index->entries[low].client;

    return NGX_OK;
}


/* A tenant has one place in the table: a new version takes the old one's. */

static ngx_http_sync_key_index_t *
ngx_http_sync_key_index(ngx_http_sync_tenant_t *t, ngx_log_t *log)
{
    u_char                      secret[SYNC_SHA256_LEN];
    sync_str_t                  id;
    ngx_http_sync_key_index_t  *index;

    if (!ngx_http_sync_key_ready) {

        if (sync_random(secret, sizeof(secret)) != SYNC_OK) {
            return NULL;
        }

        sync_hmac_key(&ngx_http_sync_key_secret, secret, sizeof(secret));
        sync_wipe(secret, sizeof(secret));
        ngx_http_sync_key_ready = 1;
    }

    id = sync_doc_id(ngx_http_sync_tenant_doc(t));

    index = &ngx_http_sync_keys[ngx_crc32_short(id.data, id.len)
                                % NGX_HTTP_SYNC_KEY_TENANTS];

    if (index->pool != NULL && index->tenant == t) {
        return index;
    }

    if (index->pool != NULL) {
        ngx_destroy_pool(index->pool);
        index->pool = NULL;
    }

    index->pool = ngx_create_pool(1024, ngx_cycle->log);
    if (index->pool == NULL) {
        return NULL;
    }

    if (ngx_http_sync_tenant_hold(index->pool, t) != NGX_OK
        || ngx_http_sync_key_build(index, t, log) != NGX_OK)
    {
        ngx_destroy_pool(index->pool);
        index->pool = NULL;
        return NULL;
    }

    index->tenant = t;

    return index;
}


static ngx_int_t
ngx_http_sync_key_build(ngx_http_sync_key_index_t *index,
    ngx_http_sync_tenant_t *t, ngx_log_t *log)
{
    uint32_t                    i, k, nclients;
    ngx_str_t                   name, id, *secret;
    ngx_uint_t                  n, total;
    sync_str_t                  item;
    const sync_doc_t           *doc;
    sync_doc_client_t           client;
    ngx_http_sync_key_entry_t  *entry;

    doc = ngx_http_sync_tenant_doc(t);
    nclients = sync_doc_clients(doc);
    total = 0;

    for (i = 0; i < nclients; i++) {
        if (sync_doc_client_at(doc, i, &client) == SYNC_OK) {
            total += client.api_keys.n;
        }
    }

    entry = ngx_palloc(index->pool,
                       (total + 1) * sizeof(ngx_http_sync_key_entry_t));
    if (entry == NULL) {
        return NGX_ERROR;
    }

    item = sync_doc_id(doc);
    id.len = item.len;
    id.data = item.data;
    n = 0;

    for (i = 0; i < nclients; i++) {

        if (sync_doc_client_at(doc, i, &client) != SYNC_OK) {
            continue;
        }

        for (k = 0; k < client.api_keys.n && n < total; k++) {

            item = sync_doc_item(doc, client.api_keys, k);
            name.len = item.len;
            name.data = item.data;

            /* what cannot be read, or is empty, was logged */

            secret = ngx_http_sync_tenant_secret(t, &name, log);

            if (secret == NULL) {
                continue;
            }

            ngx_http_sync_key_mac(secret->data, secret->len, entry[n].mac);
            entry[n++].client = i;
        }
    }

    ngx_qsort(entry, n, sizeof(ngx_http_sync_key_entry_t),
              ngx_http_sync_key_compare);

    ngx_http_sync_key_contested(entry, n, &id, log);

    index->entries = entry;
    index->n = n;

    return NGX_OK;
}


/* A key of two clients is nobody's: which one, the order would decide. */

static void
ngx_http_sync_key_contested(ngx_http_sync_key_entry_t *entry, ngx_uint_t n,
    ngx_str_t *id, ngx_log_t *log)
{
    ngx_uint_t  i, k, contested;

    for (i = 0; i < n; i = k) {

        contested = 0;

        for (k = i + 1; k < n; k++) {

            if (ngx_memcmp(entry[i].mac, entry[k].mac, SYNC_SHA256_LEN) != 0) {
                break;
            }

            contested |= entry[i].client != entry[k].client;
        }

        if (!contested) {
            continue;
        }

        ngx_log_error(NGX_LOG_ERR, log, 0,
                      "auth: two clients have the same API key and neither "
                      "may use it, tenant \"%V\"", id);

        while (i < k) {
            entry[i++].client = SYNC_DOC_NONE;
        }
    }
}


static void
ngx_http_sync_key_mac(void *data, size_t len, u_char mac[SYNC_SHA256_LEN])
{
    sync_hmac_t  hmac;

    sync_hmac_init(&hmac, &ngx_http_sync_key_secret);
    sync_hmac_update(&hmac, data, len);
    sync_hmac_final(&hmac, mac);
}


static int ngx_libc_cdecl
ngx_http_sync_key_compare(const void *one, const void *two)
{
    const ngx_http_sync_key_entry_t  *a = one, *b = two;

    return ngx_memcmp(a->mac, b->mac, SYNC_SHA256_LEN);
}
