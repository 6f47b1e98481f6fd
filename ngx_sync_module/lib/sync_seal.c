
/*
 * What a store keeps is sealed; see the header for the keys and what binds.
 */


#include "sync_seal.h"


#define SYNC_SEAL_LABEL   "sync-seal/1"
#define SYNC_SEAL_PIECES  6


typedef struct {
    unsigned char  lens[8];      /* of tenant and head, 4 bytes each */
    sync_str_t     pieces[SYNC_SEAL_PIECES];
} sync_seal_aad_t;


static void sync_seal_bind(sync_seal_aad_t *aad,
    const sync_seal_place_t *place, unsigned generation, sync_str_t head);
static void sync_seal_nonce(unsigned part,
    unsigned char nonce[SYNC_AEAD_NONCE_LEN]);
static sync_rc_t sync_seal_derive(const sync_hmac_t *secret, sync_str_t tenant,
    sync_seal_key_t *key);


void
sync_seal_add(sync_seal_t *seal, const unsigned char secret[SYNC_SHA256_LEN])
{
    sync_hmac_t    ctx;
    unsigned char  mac[SYNC_SHA256_LEN];

    sync_hmac_key(&seal->keys[seal->n], secret, SYNC_SHA256_LEN);

    /* no tenant is named so: a tenant's text ends with the byte 1 */

    sync_hmac_init(&ctx, &seal->keys[seal->n]);
    sync_hmac_update(&ctx, "id", sizeof("id"));
    sync_hmac_final(&ctx, mac);

    seal->ids[seal->n++] = mac[0];
}


sync_rc_t
sync_seal_key(const sync_seal_t *seal, sync_str_t tenant, sync_seal_key_t *key)
{
    if (sync_random(key->salt, SYNC_SEAL_SALT) != SYNC_OK) {
        return SYNC_FAULT;
    }

    return sync_seal_derive(&seal->keys[0], tenant, key);
}


sync_rc_t
sync_seal_close(const sync_seal_key_t *key, const sync_seal_place_t *place,
    unsigned part, sync_str_t head, unsigned char *buf, size_t len)
{
    unsigned char    nonce[SYNC_AEAD_NONCE_LEN];
    sync_seal_aad_t  aad;

    memcpy(buf, key->salt, SYNC_SEAL_SALT);

    sync_seal_nonce(part, nonce);
    sync_seal_bind(&aad, place, 0, head);

    return sync_aead_seal(key->key, nonce, aad.pieces, SYNC_SEAL_PIECES,
                          buf + SYNC_SEAL_SALT, len);
}


sync_rc_t
sync_seal_open(const sync_seal_t *seal, const sync_seal_place_t *place,
    unsigned id, unsigned part, sync_str_t head, sync_str_t in,
    unsigned char *out)
{
    unsigned         i;
    sync_rc_t        rc;
    sync_str_t       text;
    unsigned char    nonce[SYNC_AEAD_NONCE_LEN];
    sync_seal_key_t  key;
    sync_seal_aad_t  aad;

    if (in.len < SYNC_SEAL_ROOM) {
        return SYNC_NO;
    }

    text.data = in.data + SYNC_SEAL_SALT;
    text.len = in.len - SYNC_SEAL_SALT;

    memcpy(key.salt, in.data, SYNC_SEAL_SALT);
    sync_seal_nonce(part, nonce);

    rc = SYNC_NO;

    for (i = 0; i < seal->n && rc == SYNC_NO; i++) {

        if (seal->ids[i] != id || place->names[i] == NULL) {
            continue;
        }

        if (sync_seal_derive(&seal->keys[i], place->tenant, &key) != SYNC_OK) {
            return SYNC_FAULT;
        }

        sync_seal_bind(&aad, place, i, head);

        rc = sync_aead_open(key.key, nonce, aad.pieces, SYNC_SEAL_PIECES,
                            text, out);
    }

    sync_wipe(&key, sizeof(key));

    return rc;
}


static void
sync_seal_bind(sync_seal_aad_t *aad, const sync_seal_place_t *place,
    unsigned generation, sync_str_t head)
{
    sync_put32(aad->lens, (uint32_t) place->tenant.len);
    sync_put32(aad->lens + 4, (uint32_t) head.len);

    aad->pieces[0] = (sync_str_t) { sizeof(SYNC_SEAL_LABEL) - 1,
                                    (unsigned char *) SYNC_SEAL_LABEL };
    aad->pieces[1] = (sync_str_t) { sizeof(aad->lens), aad->lens };
    aad->pieces[2] = place->tenant;
    aad->pieces[3] = (sync_str_t) { SYNC_SHA256_LEN, (unsigned char *)
                                    place->names[generation] };
    aad->pieces[4] = (sync_str_t) { SYNC_SHA256_LEN, (unsigned char *)
                                    place->print };
    aad->pieces[5] = head;
}


static void
sync_seal_nonce(unsigned part, unsigned char nonce[SYNC_AEAD_NONCE_LEN])
{
    memset(nonce, 0, SYNC_AEAD_NONCE_LEN);
    nonce[SYNC_AEAD_NONCE_LEN - 1] = (unsigned char) part;
}


static sync_rc_t
sync_seal_derive(const sync_hmac_t *secret, sync_str_t tenant,
    sync_seal_key_t *key)
{
    sync_rc_t      rc;
    sync_hmac_t    ctx;
    unsigned char  mac[SYNC_SHA256_LEN];

    /* HKDF-Expand for one block, RFC 5869, section 2.3 */

    sync_hmac_init(&ctx, secret);
    sync_hmac_update(&ctx, tenant.data, tenant.len);
    sync_hmac_update(&ctx, "\1", 1);
    sync_hmac_final(&ctx, mac);

    rc = sync_hkdf((sync_str_t) { sizeof(mac), mac },
                   (sync_str_t) { SYNC_SEAL_SALT, key->salt },
                   (sync_str_t) { sizeof(SYNC_SEAL_LABEL) - 1,
                                  (unsigned char *) SYNC_SEAL_LABEL },
                   key->key, SYNC_AEAD_KEY_LEN);

    sync_wipe(mac, sizeof(mac));

    return rc;
}
