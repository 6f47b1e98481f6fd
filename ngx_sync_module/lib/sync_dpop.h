
/*
 * The proof that a client makes of its own key, for one request (RFC 9449).
 * What it proves is worth something only where the access token names the
 * same key: compare sync_dpop_t.jkt with that of the token.
 */


#ifndef SYNC_DPOP_H_INCLUDED_
#define SYNC_DPOP_H_INCLUDED_


#include "sync_jose.h"


#define SYNC_DPOP_SIZE  8192         /* bytes of a proof at most */
#define SYNC_DPOP_JTI   256          /* of its id, and of its nonce */

/* The algs taken, as WWW-Authenticate and metadata name them. */
#define SYNC_DPOP_ALGS                                                        \
    "RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA"


/* What it must be a proof of. */

typedef struct {
    sync_str_t     method;
    sync_str_t     url;              /* normal, see sync_uri.h */
    sync_str_t     token;            /* the access token, as it came */
    int64_t        now;              /* seconds since 1970 */
    int64_t        age;              /* seconds a proof may be old */
    int64_t        leeway;           /* seconds, for clocks that differ */
} sync_dpop_policy_t;


typedef struct {
    unsigned char  jkt[SYNC_THUMBPRINT_LEN];     /* of the key that signed */
    sync_str_t     jti;
    sync_str_t     nonce;            /* data NULL: none */
    int64_t        issued;           /* seconds since 1970 */
} sync_dpop_t;


/*
 * All checks of RFC 9449, 4.3, but for the nonce, the token's key and whether
 * it was seen before, which are the caller's.  Strings are in the arena.
 *
 * OK.  NO: err->what is that of sync_jws_parse(), sync_value_parse() or
 * sync_jws_verify_by(), or one of "typ", "bad-claim" (missing, of the wrong
 * type or too long), "htm", "htu", "iat", "ath".  FAULT: nobody knows.
 */
sync_rc_t sync_dpop_verify(sync_dpop_t *dpop, sync_arena_t *arena,
    sync_str_t proof, const sync_dpop_policy_t *policy, sync_error_t *err);


#endif /* SYNC_DPOP_H_INCLUDED_ */
