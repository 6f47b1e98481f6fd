
/*
 * The other side of sync_jose: making keys and tokens, for tools and demos, and
 * assertions that say who we are to a target.
 */


#ifndef SYNC_JOSE_SIGN_H_INCLUDED_
#define SYNC_JOSE_SIGN_H_INCLUDED_


#include "sync_jose.h"


/*
 * A new private key for alg (RS, PS: RSA 2048; ES: its curve; EdDSA: Ed25519)
 * as PKCS #8 PEM, and its public half as a key set of one with that kid.
 * Both in the arena.  NO: not an alg that has key pairs.
 */
sync_rc_t sync_jose_generate(sync_alg_e alg, sync_str_t kid,
    sync_arena_t *arena, sync_str_t *pem, sync_str_t *jwks,
    sync_error_t *err);

/*
 * A compact serialisation of payload in the arena; typ may be empty.  NO: the
 * PEM is not a private key that fits the alg.
 */
sync_rc_t sync_jose_sign(sync_str_t pem, sync_alg_e alg, sync_str_t kid,
    sync_str_t typ, sync_str_t payload, sync_arena_t *arena,
    sync_str_t *token, sync_error_t *err);

/*
 * The same with "x5t#S256", the thumbprint of a certificate (RFC 7515 4.1.8),
 * in the header: certificate is PEM, or empty.  NO, too: it is none.
 */
sync_rc_t sync_jose_sign_as(sync_str_t pem, sync_str_t certificate,
    sync_alg_e alg, sync_str_t kid, sync_str_t typ, sync_str_t payload,
    sync_arena_t *arena, sync_str_t *token, sync_error_t *err);

/*
 * Is certificate a certificate as PEM, perhaps with its chain, and key the
 * private key of it, as PEM and not locked?  OK or NO.
 */
sync_rc_t sync_pem_pair(sync_str_t certificate, sync_str_t key);


#endif /* SYNC_JOSE_SIGN_H_INCLUDED_ */
