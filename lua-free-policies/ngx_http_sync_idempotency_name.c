
/*
 * The name of a key: who asks for what under which key.  Nothing of it comes
 * from the payload.  And the store that has it: the tenant's.
 */


#include "ngx_http_sync_idempotency.h"


static void ngx_http_sync_idem_feed(sync_hmac_t *mac, ngx_str_t *s);


void
ngx_http_sync_idem_digest(ngx_http_sync_idempotency_main_conf_t *imcf,
    ngx_http_sync_idem_parts_t *parts, ngx_sync_key_t *key)
{
    u_char       digest[SYNC_SHA256_LEN];
    ngx_uint_t   i;
    sync_hmac_t  mac;

    for (i = 0; i < imcf->nkeys; i++) {
        sync_hmac_init(&mac, &imcf->keys[i]);

        ngx_http_sync_idem_feed(&mac, &parts->tenant);
        ngx_http_sync_idem_feed(&mac, &parts->issuer);
        ngx_http_sync_idem_feed(&mac, &parts->client);
        ngx_http_sync_idem_feed(&mac, &parts->subject);
        ngx_http_sync_idem_feed(&mac, &parts->scope);
        ngx_http_sync_idem_feed(&mac, &parts->method);

        if (parts->server.len) {
            ngx_http_sync_idem_feed(&mac, &parts->server);
        }

        ngx_http_sync_idem_feed(&mac, &parts->name);
        ngx_http_sync_idem_feed(&mac, &parts->key);

        sync_hmac_final(&mac, i == 0 ? key->name : key->previous);
    }

    key->has_previous = imcf->nkeys > 1;
    key->tenant = parts->tenant;

    sync_sha256(parts->key.data, parts->key.len, digest);
    key->bucket = digest[0] & 15;
}


ngx_sync_store_t *
ngx_http_sync_idem_store(ngx_http_sync_idempotency_main_conf_t *imcf,
    const sync_doc_t *doc)
{
    sync_str_t  residency;

    ngx_memzero(&residency, sizeof(sync_str_t));

    if (doc != NULL) {
        residency = sync_doc_residency(doc);
    }

    return ngx_sync_store_at(imcf->store, (u_char *) residency.data,
                             residency.len);
}


static void
ngx_http_sync_idem_feed(sync_hmac_t *mac, ngx_str_t *s)
{
    u_char  len[4];

    sync_put32(len, (uint32_t) s->len);

    sync_hmac_update(mac, len, sizeof(len));
    sync_hmac_update(mac, s->data, s->len);
}
