
/*
 * DPoP proofs: RFC 9449, section 4.
 */


#include "sync_dpop.h"
#include "sync_crypto.h"
#include "sync_uri.h"


#define SYNC_DPOP_LATEST  INT64_C(253402300799)      /* the year 9999 */


static sync_rc_t sync_dpop_claims(sync_dpop_t *dpop, sync_arena_t *arena,
    const sync_value_t *claims, const sync_dpop_policy_t *policy,
    sync_error_t *err);
static sync_rc_t sync_dpop_times(sync_dpop_t *dpop,
    const sync_value_t *claims, const sync_dpop_policy_t *policy,
    sync_error_t *err);
static sync_rc_t sync_dpop_target(sync_arena_t *arena,
    const sync_value_t *claims, const sync_dpop_policy_t *policy,
    sync_error_t *err);
static sync_rc_t sync_dpop_hash(const sync_value_t *claims,
    const sync_dpop_policy_t *policy, sync_error_t *err);
static sync_rc_t sync_dpop_string(sync_str_t *s, sync_arena_t *arena,
    const sync_value_t *claims, const char *name, unsigned needed,
    sync_error_t *err);
static sync_rc_t sync_dpop_key(sync_dpop_t *dpop, sync_arena_t *arena,
    const sync_jws_t *jws, sync_str_t proof, sync_error_t *err);
static sync_rc_t sync_dpop_jwk(sync_dpop_t *dpop, sync_arena_t *arena,
    const sync_jws_t *jws, const sync_value_t *jwk, sync_error_t *err);


sync_rc_t
sync_dpop_verify(sync_dpop_t *dpop, sync_arena_t *arena, sync_str_t proof,
    const sync_dpop_policy_t *policy, sync_error_t *err)
{
    sync_rc_t      rc;
    sync_jws_t     jws;
    sync_value_t  *claims;

    memset(dpop, 0, sizeof(sync_dpop_t));

    if (proof.len > SYNC_DPOP_SIZE) {
        return sync_refuse(err, "too-large", SYNC_NOWHERE, "a proof has at "
                           "most %d bytes", SYNC_DPOP_SIZE);
    }

    rc = sync_jws_parse(&jws, arena, proof, err);

    if (rc != SYNC_OK) {
        return rc;
    }

    /* so that no other token is taken for a proof, and none for a token */

    if (!sync_str_is(jws.typ, "dpop+jwt")) {
        return sync_refuse(err, "typ", SYNC_NOWHERE, "the \"typ\" of a proof "
                           "is dpop+jwt");
    }

    rc = sync_value_parse(&claims, arena, jws.payload, SYNC_VALUE_DOUBLES,
                          err);

    if (rc != SYNC_OK) {
        return rc;
    }

    /* the signature last: all else costs less */

    rc = sync_dpop_claims(dpop, arena, claims, policy, err);

    sync_value_free(claims);

    if (rc != SYNC_OK) {
        return rc;
    }

    return sync_dpop_key(dpop, arena, &jws, proof, err);
}


static sync_rc_t
sync_dpop_claims(sync_dpop_t *dpop, sync_arena_t *arena,
    const sync_value_t *claims, const sync_dpop_policy_t *policy,
    sync_error_t *err)
{
    sync_rc_t  rc;

    rc = sync_dpop_string(&dpop->jti, arena, claims, "jti", 1, err);

    if (rc == SYNC_OK) {
        rc = sync_dpop_string(&dpop->nonce, arena, claims, "nonce", 0, err);
    }

    if (rc == SYNC_OK) {
        rc = sync_dpop_target(arena, claims, policy, err);
    }

    if (rc == SYNC_OK) {
        rc = sync_dpop_times(dpop, claims, policy, err);
    }

    if (rc == SYNC_OK) {
        rc = sync_dpop_hash(claims, policy, err);
    }

    return rc;
}


static sync_rc_t
sync_dpop_target(sync_arena_t *arena, const sync_value_t *claims,
    const sync_dpop_policy_t *policy, sync_error_t *err)
{
    sync_rc_t     rc;
    sync_str_t    s, url;
    sync_error_t  e;

    s = sync_value_str(sync_value_get(claims, "htm"));

    if (s.len == 0 || !sync_str_eq(s, policy->method)) {
        return sync_refuse(err, "htm", SYNC_NOWHERE, "the proof is for "
                           "another method");
    }

    s = sync_value_str(sync_value_get(claims, "htu"));
    rc = sync_uri_normal(&url, arena, s, &e);

    if (rc == SYNC_FAULT) {
        return SYNC_FAULT;
    }

    if (rc != SYNC_OK || !sync_str_eq(url, policy->url)) {
        return sync_refuse(err, "htu", SYNC_NOWHERE, "the proof is for "
                           "another URL");
    }

    return SYNC_OK;
}


static sync_rc_t
sync_dpop_times(sync_dpop_t *dpop, const sync_value_t *claims,
    const sync_dpop_policy_t *policy, sync_error_t *err)
{
    double  seconds;

    if (sync_value_real(sync_value_get(claims, "iat"), &seconds) != SYNC_OK
        || seconds < 0 || seconds > (double) SYNC_DPOP_LATEST)
    {
        return sync_refuse(err, "bad-claim", SYNC_NOWHERE, "\"iat\" is a "
                           "number of seconds since 1970");
    }

    dpop->issued = (int64_t) seconds;

    if (dpop->issued > policy->now + policy->leeway
        || dpop->issued < policy->now - policy->age - policy->leeway)
    {
        return sync_refuse(err, "iat", SYNC_NOWHERE, "the proof is too old, "
                           "or from the future");
    }

    return SYNC_OK;
}


static sync_rc_t
sync_dpop_hash(const sync_value_t *claims, const sync_dpop_policy_t *policy,
    sync_error_t *err)
{
    sync_str_t     s;
    unsigned char  digest[SYNC_SHA256_LEN], text[SYNC_THUMBPRINT_LEN];

    s = sync_value_str(sync_value_get(claims, "ath"));

    sync_sha256(policy->token.data, policy->token.len, digest);
    (void) sync_base64url_encode(text, digest, sizeof(digest));

    if (!sync_str_eq(s, (sync_str_t) { sizeof(text), text })) {
        return sync_refuse(err, "ath", SYNC_NOWHERE, "the proof is for "
                           "another token");
    }

    return SYNC_OK;
}


static sync_rc_t
sync_dpop_string(sync_str_t *dst, sync_arena_t *arena,
    const sync_value_t *claims, const char *name, unsigned needed,
    sync_error_t *err)
{
    sync_str_t           s;
    const sync_value_t  *value;

    value = sync_value_get(claims, name);

    if (value == NULL && !needed) {
        return SYNC_OK;
    }

    s = sync_value_str(value);

    if (s.len == 0 || s.len > SYNC_DPOP_JTI) {
        return sync_refuse(err, "bad-claim", SYNC_NOWHERE, "\"%s\" is a "
                           "string of 1 to %d bytes", name, SYNC_DPOP_JTI);
    }

    *dst = sync_strdup(arena, s);

    return dst->data == NULL ? SYNC_FAULT : SYNC_OK;
}


/* The header was read before; here it is the key in it that counts. */

static sync_rc_t
sync_dpop_key(sync_dpop_t *dpop, sync_arena_t *arena, const sync_jws_t *jws,
    sync_str_t proof, sync_error_t *err)
{
    size_t          len;
    sync_rc_t       rc;
    sync_str_t      part, text;
    sync_value_t   *header;
    unsigned char  *dot;

    if (jws->alg >= SYNC_ALG_HS256) {
        return sync_refuse(err, "alg-not-allowed", SYNC_NOWHERE, "a proof is "
                           "signed by a private key");
    }

    dot = memchr(proof.data, '.', proof.len);

    part.data = proof.data;
    part.len = dot == NULL ? 0 : (size_t) (dot - proof.data);

    text.data = sync_alloc(arena, sync_base64url_bytes(part.len));

    if (text.data == NULL) {
        return SYNC_FAULT;
    }

    if (sync_base64url_decode(text.data, &len, part) != SYNC_OK) {
        return sync_refuse(err, "malformed", SYNC_NOWHERE, "the header of "
                           "the proof is not base64url without padding");
    }

    text.len = len;

    rc = sync_value_parse(&header, arena, text, SYNC_VALUE_DOUBLES, err);

    if (rc != SYNC_OK) {
        return rc;
    }

    rc = sync_dpop_jwk(dpop, arena, jws, sync_value_get(header, "jwk"), err);

    sync_value_free(header);

    return rc;
}


static sync_rc_t
sync_dpop_jwk(sync_dpop_t *dpop, sync_arena_t *arena, const sync_jws_t *jws,
    const sync_value_t *jwk, sync_error_t *err)
{
    size_t     i;
    sync_rc_t  rc;

    static const char *const  private[] = {
        "d", "p", "q", "dp", "dq", "qi", "oth", "k"
    };

    for (i = 0; i < sizeof(private) / sizeof(private[0]); i++) {
        if (sync_value_get(jwk, private[i]) != NULL) {
            return sync_refuse(err, "bad-key", SYNC_NOWHERE, "the proof "
                               "gives a private key away");
        }
    }

    rc = sync_jwk_thumbprint(jwk, arena, dpop->jkt);

    if (rc == SYNC_NO) {
        return sync_refuse(err, "bad-key", SYNC_NOWHERE, "\"jwk\" is a "
                           "public key of type RSA, EC or OKP");
    }

    if (rc != SYNC_OK) {
        return rc;
    }

    return sync_jws_verify_by(jws, jwk, arena, err);
}
