
/*
 * Compact JWS: RFC 7515, with the choice of keys that RFC 8725 asks for.
 */


#include "sync_jose_key.h"
#include "sync_crypto.h"


static sync_rc_t sync_jws_header(sync_jws_t *jws, sync_arena_t *arena,
    sync_str_t text, sync_error_t *err);
static sync_rc_t sync_jws_members(sync_jws_t *jws, sync_arena_t *arena,
    const sync_value_t *header, sync_error_t *err);
static sync_rc_t sync_jws_member(sync_str_t *dst, sync_arena_t *arena,
    const sync_value_t *header, const char *name, sync_error_t *err);
static sync_rc_t sync_jws_decode(sync_str_t *dst, sync_arena_t *arena,
    sync_str_t part, const char *name, sync_error_t *err);
static int sync_jws_named(const sync_jws_t *jws, const sync_jwk_t *key);


sync_rc_t
sync_jws_parse(sync_jws_t *jws, sync_arena_t *arena, sync_str_t token,
    sync_error_t *err)
{
    size_t      i, n, dots[4];
    sync_rc_t   rc;
    sync_str_t  part, text;

    memset(jws, 0, sizeof(sync_jws_t));

    if (token.len > SYNC_JWS_SIZE) {
        return sync_refuse(err, "too-large", SYNC_NOWHERE, "a token has at "
                           "most %d bytes", SYNC_JWS_SIZE);
    }

    if (sync_str_starts(token, "{")) {
        return sync_refuse(err, "malformed", SYNC_NOWHERE, "the token is in "
                           "the JSON serialisation; only the compact one is "
                           "taken");
    }

    for (i = 0, n = 0; i < token.len && n < 4; i++) {
        if (token.data[i] == '.') {
            dots[n++] = i;
        }
    }

    if (n == 4) {
        return sync_refuse(err, "encrypted", SYNC_NOWHERE, "the token has "
                           "five parts, so it is encrypted (JWE); a signed "
                           "one has three");
    }

    if (n != 2) {
        return sync_refuse(err, "malformed", SYNC_NOWHERE, "a signed token "
                           "has three parts, separated by dots");
    }

    part.data = token.data;
    part.len = dots[0];

    rc = sync_jws_decode(&text, arena, part, "header", err);

    if (rc != SYNC_OK) {
        return rc;
    }

    rc = sync_jws_header(jws, arena, text, err);

    if (rc != SYNC_OK) {
        return rc;
    }

    part.data = token.data + dots[0] + 1;
    part.len = dots[1] - dots[0] - 1;

    rc = sync_jws_decode(&jws->payload, arena, part, "payload", err);

    if (rc != SYNC_OK) {
        return rc;
    }

    part.data = token.data + dots[1] + 1;
    part.len = token.len - dots[1] - 1;

    rc = sync_jws_decode(&jws->signature, arena, part, "signature", err);

    if (rc != SYNC_OK) {
        return rc;
    }

    jws->input.data = token.data;
    jws->input.len = dots[1];

    return SYNC_OK;
}


static sync_rc_t
sync_jws_header(sync_jws_t *jws, sync_arena_t *arena, sync_str_t text,
    sync_error_t *err)
{
    sync_rc_t      rc;
    sync_value_t  *header;

    rc = sync_value_parse(&header, arena, text, SYNC_VALUE_DOUBLES, NULL);

    if (rc == SYNC_FAULT) {
        return SYNC_FAULT;
    }

    if (rc == SYNC_NO) {
        return sync_refuse(err, "malformed", SYNC_NOWHERE, "the header is "
                           "not JSON, or has a member twice");
    }

    rc = sync_jws_members(jws, arena, header, err);

    sync_value_free(header);

    return rc;
}


static sync_rc_t
sync_jws_members(sync_jws_t *jws, sync_arena_t *arena,
    const sync_value_t *header, sync_error_t *err)
{
    sync_rc_t   rc;
    sync_str_t  alg;

    if (sync_value_type(header) != SYNC_VALUE_OBJECT) {
        return sync_refuse(err, "malformed", SYNC_NOWHERE, "the header is "
                           "not an object");
    }

    /*
     * RFC 7515, 4.1.11.  b64 (RFC 7797) changes what is signed; it must be
     * named in crit, and without that it is somebody's mistake or trick.
     */

    if (sync_value_get(header, "crit") != NULL
        || sync_value_get(header, "b64") != NULL)
    {
        return sync_refuse(err, "crit", SYNC_NOWHERE, "the header asks for "
                           "an extension (crit, b64), and none is known");
    }

    alg = sync_value_str(sync_value_get(header, "alg"));

    if (alg.data == NULL) {
        return sync_refuse(err, "malformed", SYNC_NOWHERE, "the header has "
                           "no \"alg\"");
    }

    jws->alg = sync_alg_find(alg);

    if (jws->alg == SYNC_ALG_NONE) {
        return sync_refuse(err, "alg-not-allowed", SYNC_NOWHERE, "the "
                           "\"alg\" is none, or not known");
    }

    rc = sync_jws_member(&jws->kid, arena, header, "kid", err);

    if (rc != SYNC_OK) {
        return rc;
    }

    return sync_jws_member(&jws->typ, arena, header, "typ", err);
}


static sync_rc_t
sync_jws_member(sync_str_t *dst, sync_arena_t *arena,
    const sync_value_t *header, const char *name, sync_error_t *err)
{
    sync_str_t           s;
    const sync_value_t  *value;

    value = sync_value_get(header, name);

    if (value == NULL) {
        return SYNC_OK;
    }

    s = sync_value_str(value);

    if (s.data == NULL) {
        return sync_refuse(err, "malformed", SYNC_NOWHERE, "\"%s\" in the "
                           "header is not a string", name);
    }

    *dst = sync_strdup(arena, s);

    return dst->data == NULL ? SYNC_FAULT : SYNC_OK;
}


static sync_rc_t
sync_jws_decode(sync_str_t *dst, sync_arena_t *arena, sync_str_t part,
    const char *name, sync_error_t *err)
{
    if (part.len == 0) {
        return sync_refuse(err, "malformed", SYNC_NOWHERE, "the %s of the "
                           "token is empty", name);
    }

    dst->data = sync_alloc(arena, sync_base64url_bytes(part.len));

    if (dst->data == NULL) {
        return SYNC_FAULT;
    }

    if (sync_base64url_decode(dst->data, &dst->len, part) != SYNC_OK) {
        return sync_refuse(err, "malformed", SYNC_NOWHERE, "the %s of the "
                           "token is not base64url without padding", name);
    }

    return SYNC_OK;
}


sync_rc_t
sync_jws_verify(const sync_jws_t *jws, sync_jwks_t *set, sync_error_t *err)
{
    int          known;
    size_t       i, tries;
    unsigned     misfit;
    sync_rc_t    rc;
    sync_jwk_t  *key;

    /* whether a key of the set bears the name that the token gives */

    for (i = 0, known = 0; (key = sync_jwks_key(set, i)) != NULL; i++) {
        if (sync_jws_named(jws, key)) {
            known = 1;
            break;
        }
    }

    tries = 0;
    misfit = 0;

    for (i = 0; (key = sync_jwks_key(set, i)) != NULL; i++) {

        if (known ? !sync_jws_named(jws, key)
                  : (jws->kid.data != NULL && key->kid.data != NULL))
        {
            continue;
        }

        if (!sync_jwk_fits(key, jws->alg)) {
            misfit = 1;
            continue;
        }

        if (tries++ == SYNC_JWS_TRIES) {
            break;
        }

        rc = sync_jwk_verify(key, jws->alg, jws->input, jws->signature);

        if (rc != SYNC_NO) {
            return rc;
        }
    }

    if (jws->kid.data != NULL && !known) {
        return sync_refuse(err, "unknown-key", SYNC_NOWHERE, "no key of the "
                           "issuer has the \"kid\" of the token");
    }

    if (tries == 0 && misfit) {
        return sync_refuse(err, "alg-not-allowed", SYNC_NOWHERE, "the key "
                           "of the issuer is not one for %s",
                           sync_alg_name(jws->alg));
    }

    return sync_refuse(err, "bad-signature", SYNC_NOWHERE, "the token was "
                       "not signed by a key of the issuer");
}


static int
sync_jws_named(const sync_jws_t *jws, const sync_jwk_t *key)
{
    return jws->kid.data != NULL && key->kid.data != NULL
           && sync_str_eq(jws->kid, key->kid);
}
