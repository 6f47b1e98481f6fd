
/*
 * Key sets (RFC 7517, 7518, 8037), signed tokens (RFC 7515) and their claims
 * (RFC 7519, 9068), with the care that RFC 8725 asks for.
 *
 * The way of a token:
 *
 *     sync_jws_parse()     its parts; nothing is proven yet
 *     sync_jwt_issuer()    still unproven: iss says whose keys
 *     sync_jws_verify()    the signature, against the keys of that issuer
 *     sync_jwt_read()      its claims
 *     sync_jwt_check()     issuer, audience, times, typ, confirmation
 *
 * Nothing a token says of its own key (jwk, jku, x5u, x5c) is ever used.  The
 * proof that a client makes of its own key (RFC 9449) is no token: see
 * sync_dpop.h.
 * Errors never quote a token or a key.
 */


#ifndef SYNC_JOSE_H_INCLUDED_
#define SYNC_JOSE_H_INCLUDED_


#include "sync_core.h"
#include "sync_json.h"
#include "sync_value.h"


#define SYNC_JWS_SIZE    16384       /* bytes of a token at most */
#define SYNC_JWS_TRIES   8           /* keys tried for one token at most */
#define SYNC_JWKS_KEYS   64          /* keys read of a set at most */


typedef enum {
    SYNC_ALG_NONE = 0,               /* unknown, or "none": never verifies */
    SYNC_ALG_RS256,
    SYNC_ALG_RS384,
    SYNC_ALG_RS512,
    SYNC_ALG_PS256,
    SYNC_ALG_PS384,
    SYNC_ALG_PS512,
    SYNC_ALG_ES256,
    SYNC_ALG_ES384,
    SYNC_ALG_ES512,
    SYNC_ALG_EDDSA,                  /* Ed25519 */
    SYNC_ALG_HS256,
    SYNC_ALG_HS384,
    SYNC_ALG_HS512,
    SYNC_ALG_COUNT
} sync_alg_e;

/* By its registered name, case and all; SYNC_ALG_NONE for any other. */
sync_alg_e sync_alg_find(sync_str_t name);
const char *sync_alg_name(sync_alg_e alg);


/*
 * A key set, in memory of its own (malloc and OpenSSL's).  Verifying uses
 * scratch space inside it: one thread at a time.
 */

typedef struct sync_jwks_s  sync_jwks_t;

#define SYNC_JWKS_OCT     0x01   /* take oct keys: the set is a local file's */
#define SYNC_JWKS_STRICT  0x02   /* an unusable key refuses the whole set */

/*
 * Takes the keys that can verify: RSA of 2048 to 8192 bits, EC on P-256,
 * P-384 and P-521, OKP Ed25519, and oct of 32 bytes or more where allowed.
 * Keys for encryption (use, key_ops, alg) are passed over in silence.  What
 * cannot be used (unknown kty, too short, not on its curve, a private key
 * where a public one belongs) is passed over and counted, as RFC 7517 5 asks,
 * or, STRICT, refuses the set.
 *
 * OK: *set is the caller's.  NO: err->what is that of sync_value_parse(), or
 * "not-a-key-set", "bad-key", "too-many-keys", "no-keys" (none is left; text
 * is that of the first refused); err->pointer is in the arena.  FAULT: no
 * memory.
 */
sync_rc_t sync_jwks_parse(sync_jwks_t **set, sync_arena_t *arena,
    sync_str_t text, unsigned flags, sync_error_t *err);
sync_rc_t sync_jwks_read(sync_jwks_t **set, sync_arena_t *arena,
    const sync_value_t *value, unsigned flags, sync_error_t *err);
void sync_jwks_free(sync_jwks_t *set);

/* Keys taken; keys passed over as unusable. */
size_t sync_jwks_count(const sync_jwks_t *set);
size_t sync_jwks_skipped(const sync_jwks_t *set);


/*
 * The thumbprint of a key (RFC 7638, 8037) as base64url.  OK; NO: not a key of
 * type RSA, EC or OKP with its members; FAULT: no memory.
 */

#define SYNC_THUMBPRINT_LEN  43

sync_rc_t sync_jwk_thumbprint(const sync_value_t *jwk, sync_arena_t *arena,
    unsigned char text[SYNC_THUMBPRINT_LEN]);


/* A compact serialisation, taken apart. */

typedef struct {
    sync_alg_e   alg;
    sync_str_t   kid;                /* data NULL: none */
    sync_str_t   typ;                /* data NULL: none */
    sync_str_t   payload;            /* worth nothing before it is verified */
    sync_str_t   signature;
    sync_str_t   input;              /* what was signed; inside the token */
    sync_json_t  *claims;            /* NULL: not read yet */
} sync_jws_t;

/*
 * Strings are in the arena but for input, for which the token must live on.
 * NO: err->what is "too-large", "malformed" (parts, base64url, JSON header,
 * members of the wrong type, detached or JSON serialisation), "encrypted"
 * (five parts), "alg-not-allowed" (none, unknown) or "crit" (an extension
 * that must be understood: we understand none).  FAULT: no memory.
 */
sync_rc_t sync_jws_parse(sync_jws_t *jws, sync_arena_t *arena,
    sync_str_t token, sync_error_t *err);

/*
 * Tries the keys of that kid; where no key has it, or the token names none,
 * the keys without kid or all keys, but never one of another type, curve or
 * alg, and never more than SYNC_JWS_TRIES.  OK: signed by a key of the set.
 * NO: err->what is
 *
 *   "unknown-key"      no key of that kid (the set may be outdated);
 *   "alg-not-allowed"  there is one, of another type or pinned to another
 *                      alg, or too short for the alg;
 *   "bad-signature"    the key is there and did not sign this.  Issuers do
 *                      rotate keys under the same kid.
 *
 * FAULT: memory or library; nobody knows.
 */
sync_rc_t sync_jws_verify(const sync_jws_t *jws, sync_jwks_t *set,
    sync_error_t *err);

/*
 * By one key, which is the caller's reason to trust: public, RSA, EC or OKP
 * as in a key set.  OK; NO: "bad-key" (err->pointer the member, in the
 * arena), "alg-not-allowed" or "bad-signature"; FAULT.
 */
sync_rc_t sync_jws_verify_by(const sync_jws_t *jws, const sync_value_t *jwk,
    sync_arena_t *arena, sync_error_t *err);


/*
 * The claims we act upon.  Absent strings have data NULL, absent times are
 * SYNC_JWT_NO_TIME.  Times are seconds since 1970 (NumericDate, a fraction
 * is cut off).
 */

#define SYNC_JWT_NO_TIME    INT64_MIN
#define SYNC_JWT_AUDIENCES  32           /* of one token at most */

typedef struct {
    sync_str_t   issuer;             /* iss */
    sync_str_t   subject;            /* sub */
    sync_str_t   client;             /* the client claim; see below */
    sync_str_t   tenant;             /* the tenant claim, if one is named */
    sync_str_t   id;                 /* jti */
    sync_str_t   scope;              /* scope or scp, separated by a space */
    sync_str_t   plan;               /* the plan claim, if one is named */
    sync_str_t   typ;                /* of the header */
    sync_str_t   payload;            /* all claims, as JSON */
    sync_str_t  *audience;           /* aud */
    size_t       naudience;
    int64_t      expires;            /* exp */
    int64_t      not_before;         /* nbf */
    int64_t      issued;             /* iat */
    sync_str_t   jkt;                /* cnf: thumbprint of a key, RFC 9449 */
    sync_str_t   x5t;                /* cnf: of a certificate, RFC 8705 */
    unsigned     bound:1;            /* has cnf (RFC 7800), of any kind; with
                                        neither of both it never passes */
} sync_jwt_t;

/*
 * Where the issuer has what has no registered name: a member of the claims,
 * or, with a slash first, an RFC 6901 pointer into them.
 */

typedef struct {
    sync_str_t   client;             /* empty: client_id (RFC 9068), else azp */
    sync_str_t   tenant;             /* empty: none */
    sync_str_t   scope;              /* a string or a list; empty: scope, else
                                        scp */
    sync_str_t   plan;               /* empty: none */
} sync_jwt_names_t;

/*
 * names NULL: all empty.  Strings are in the arena, jws->claims stays.  NO: err->what is
 * "malformed" (not a JSON object, duplicate members) or "bad-claim" (a claim
 * of ours has the wrong type or range), err->pointer the claim.  FAULT: no
 * memory.
 */
sync_rc_t sync_jwt_read(sync_jwt_t *jwt, sync_arena_t *arena,
    sync_jws_t *jws, const sync_jwt_names_t *names, sync_error_t *err);

/* Who says to have issued it; data NULL: it does not say.  As with read(). */
sync_rc_t sync_jwt_issuer(sync_str_t *issuer, sync_arena_t *arena,
    sync_jws_t *jws, sync_error_t *err);

/*
 * What an authorisation server says of a token that is its own to read: the
 * answer of RFC 7662, 2.2, read as claims are.  OK: "active" is true.  NO:
 * err->what is
 *
 *   "inactive"                 it is not: a verdict on the token;
 *   "typ"                      active, but a refresh or an ID token, by what
 *                              servers add: token_use, typ; a verdict, too;
 *   "malformed", "bad-claim"   no such answer: a fault of the server, and
 *                              nobody knows what the token is worth.
 *
 * Whether it counts here (issuer, audience, times) says sync_jwt_check().
 * Where there is no "exp" but an "expires_in", that counts from now, seconds
 * since 1970.  FAULT: no memory.
 */
sync_rc_t sync_jwt_active(sync_jwt_t *jwt, sync_arena_t *arena,
    sync_str_t answer, const sync_jwt_names_t *names, int64_t now,
    sync_error_t *err);


typedef struct {
    sync_str_t         issuer;       /* must be exactly this */
    const sync_str_t  *audience;     /* one of these must be in aud; */
    size_t             naudience;    /* 0: not checked */
    int64_t            now;          /* seconds since 1970 */
    int64_t            leeway;       /* seconds, for clocks that differ */
    unsigned           at_jwt:1;     /* typ must be at+jwt, RFC 9068 4 */
    unsigned           proven:1;     /* the caller looks after cnf */
} sync_jwt_policy_t;

/*
 * OK, or NO with err->what one of "missing-claim" (iss, exp; aud where it is
 * checked), "wrong-issuer", "wrong-audience", "expired", "not-yet-valid"
 * (nbf or iat is in the future), "typ" or "unproven" (bound, and no proof).
 * Needs no memory, so every hit of a cache can run it.
 */
sync_rc_t sync_jwt_check(const sync_jwt_t *jwt,
    const sync_jwt_policy_t *policy, sync_error_t *err);

/* Whether the scope has this name in it. */
int sync_jwt_has_scope(const sync_jwt_t *jwt, sync_str_t name);

/*
 * A flat form for caches in shared memory.  pack returns the bytes needed and
 * writes them where room is enough.  unpack leaves strings inside the bytes
 * and takes the audience list from the arena; NO: not a packed token.
 */
size_t sync_jwt_pack(const sync_jwt_t *jwt, unsigned char *dst, size_t room);
sync_rc_t sync_jwt_unpack(sync_jwt_t *jwt, sync_arena_t *arena,
    sync_str_t packed);


#endif /* SYNC_JOSE_H_INCLUDED_ */
