
/*
 * Seals what a store keeps: AES-256-GCM, and for each record a key of its own,
 *
 *     tenant key = HKDF-Expand(secret, tenant id)
 *     key        = HKDF(tenant key, salt = 16 random bytes)
 *     nonce      = number of the part
 *
 * Two forms of one record may share a key, as two parts.
 *
 * A text is bound to where it was put: tenant id, name of the key, print, and
 * the head that stands in front of it in the clear.  Moved to another place it
 * does not open.  What a store changes in the life of a record (state, epoch,
 * times) is not bound.
 *
 * There are two generations of the secret, the current and the previous one.
 * New texts are sealed under the current one.  An id of a secret, one byte, is
 * kept with each text: it saves trying, and two secrets may well share it.
 */


#ifndef SYNC_SEAL_H_INCLUDED_
#define SYNC_SEAL_H_INCLUDED_


#include "sync_crypto.h"


#define SYNC_SEAL_GENERATIONS  2
#define SYNC_SEAL_SALT         16
#define SYNC_SEAL_ROOM         (SYNC_SEAL_SALT + SYNC_AEAD_TAG_LEN)


typedef struct {
    sync_hmac_t           keys[SYNC_SEAL_GENERATIONS];
    unsigned char         ids[SYNC_SEAL_GENERATIONS];
    unsigned              n;
} sync_seal_t;


/*
 * Where a text belongs.  The name of a key is derived from the secret, so it
 * has one for each generation; NULL: none for that one.
 */

typedef struct {
    sync_str_t            tenant;
    const unsigned char  *names[SYNC_SEAL_GENERATIONS];
    const unsigned char  *print;
} sync_seal_place_t;


typedef struct {
    unsigned char         salt[SYNC_SEAL_SALT];
    unsigned char         key[SYNC_AEAD_KEY_LEN];
} sync_seal_key_t;


/* Adds a secret: the current one first.  At most SYNC_SEAL_GENERATIONS. */
void sync_seal_add(sync_seal_t *seal,
    const unsigned char secret[SYNC_SHA256_LEN]);

/* Of the current secret. */
#define sync_seal_id(seal)  ((seal)->ids[0])

/* A fresh key under the current secret; wiped by the caller.  OK or FAULT. */
sync_rc_t sync_seal_key(const sync_seal_t *seal, sync_str_t tenant,
    sync_seal_key_t *key);

/*
 * Seals in place, each part of a key once: the text begins at buf +
 * SYNC_SEAL_SALT and is len long, buf has SYNC_SEAL_ROOM more bytes than that.
 * OK or FAULT.
 */
sync_rc_t sync_seal_close(const sync_seal_key_t *key,
    const sync_seal_place_t *place, unsigned part, sync_str_t head,
    unsigned char *buf, size_t len);

/*
 * Opens what sync_seal_close() made; out has room for SYNC_SEAL_ROOM bytes
 * less.  NO: not sealed for this place by a secret we have, or changed since;
 * out holds nothing then.  FAULT: no memory.
 */
sync_rc_t sync_seal_open(const sync_seal_t *seal,
    const sync_seal_place_t *place, unsigned id, unsigned part,
    sync_str_t head, sync_str_t in, unsigned char *out);


#endif /* SYNC_SEAL_H_INCLUDED_ */
