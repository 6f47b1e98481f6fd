
/*
 * The other side of sync_jose: making keys and tokens, for tools and demos.
 * A gateway never signs a token, so the module does not link this.
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


#endif /* SYNC_JOSE_SIGN_H_INCLUDED_ */
