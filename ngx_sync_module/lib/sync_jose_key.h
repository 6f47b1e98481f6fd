
/*
 * Between the files of sync_jose; for nobody else.
 */


#ifndef SYNC_JOSE_KEY_H_INCLUDED_
#define SYNC_JOSE_KEY_H_INCLUDED_


#include "sync_jose.h"

#include <openssl/evp.h>


typedef enum {
    SYNC_JWK_RSA = 0,
    SYNC_JWK_EC,
    SYNC_JWK_OKP,
    SYNC_JWK_OCT
} sync_jwk_type_e;


/* Zeroed memory is a key that holds nothing. */

typedef struct {
    sync_str_t        kid;               /* data NULL: it has none */
    sync_jwk_type_e   type;
    sync_alg_e        pinned;            /* by alg or curve, or NONE: any */
    EVP_PKEY         *pkey;
    EVP_PKEY_CTX     *ctx[SYNC_ALG_COUNT];
    sync_str_t        secret;            /* oct */
} sync_jwk_t;


/* NULL behind the last. */
sync_jwk_t *sync_jwks_key(sync_jwks_t *set, size_t i);

/*
 * One key by itself, cleared by the caller whatever the answer.  OK; NO:
 * "bad-key"; FAULT.
 */
sync_rc_t sync_jwk_open(sync_jwk_t *key, const sync_value_t *jwk,
    sync_arena_t *arena, sync_error_t *err);
void sync_jwk_clear(sync_jwk_t *key);

/* Type, curve, length and pinned alg of the key all allow this alg. */
int sync_jwk_fits(const sync_jwk_t *key, sync_alg_e alg);

/* Of a key that fits.  OK: signed by it; NO: not; FAULT: nobody knows. */
sync_rc_t sync_jwk_verify(sync_jwk_t *key, sync_alg_e alg, sync_str_t input,
    sync_str_t signature);


#endif /* SYNC_JOSE_KEY_H_INCLUDED_ */
