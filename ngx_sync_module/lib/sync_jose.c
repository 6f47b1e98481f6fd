
/*
 * Compact JWS: RFC 7515, with the choice of keys that RFC 8725 asks for.
 */


#include "sync_jose_key.h"
#include "sync_crypto.h"
#include "sync_text.h"


static sync_rc_t sync_jws_header(sync_jws_t *jws, sync_arena_t *arena,
    sync_str_t text, sync_error_t *err);
static sync_rc_t sync_jws_member(sync_str_t *dst, sync_arena_t *arena,
    const sync_json_t *header, sync_str_t name, sync_error_t *err);
static sync_rc_t sync_jws_decode(sync_str_t *dst, sync_arena_t *arena,
    sync_str_t part, const char *name, sync_error_t *err);
static int sync_jwk_plain(sync_str_t s);
static int sync_jws_named(const sync_jws_t *jws, const sync_jwk_t *key);


sync_rc_t
sync_jws_parse(sync_jws_t *jws, sync_arena_t *arena, sync_str_t token,
    sync_error_t *err)
{
    size_t                n, dots[4];
    sync_rc_t             rc;
    sync_str_t            part, text;
    const unsigned char  *p;

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

    for (n = 0, p = token.data; n < 4; p++) {
        p = memchr(p, '.', (size_t) (token.data + token.len - p));

        if (p == NULL) {
            break;
        }

        dots[n++] = (size_t) (p - token.data);
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
    sync_rc_t    rc;
    sync_str_t   alg;
    sync_json_t  header;

    rc = sync_json_parse(&header, arena, text, NULL, NULL);

    if (rc == SYNC_FAULT) {
        return SYNC_FAULT;
    }

    if (rc == SYNC_NO) {
        return sync_refuse(err, "malformed", SYNC_NOWHERE, "the header is "
                           "not JSON, or has a member twice");
    }

    if (header.nodes[0].type != SYNC_JSON_OBJECT) {
        return sync_refuse(err, "malformed", SYNC_NOWHERE, "the header is "
                           "not an object");
    }

    /*
     * RFC 7515, 4.1.11.  b64 (RFC 7797) changes what is signed; it must be
     * named in crit, and without that it is somebody's mistake or trick.
     */

    if (sync_json_member(&header, 0, sync_str_lit("crit")) != SYNC_JSON_NONE
        || sync_json_member(&header, 0, sync_str_lit("b64"))
           != SYNC_JSON_NONE)
    {
        return sync_refuse(err, "crit", SYNC_NOWHERE, "the header asks for "
                           "an extension (crit, b64), and none is known");
    }

    rc = sync_jws_member(&alg, arena, &header, sync_str_lit("alg"),
                         err);

    if (rc != SYNC_OK) {
        return rc;
    }

    if (alg.data == NULL) {
        return sync_refuse(err, "malformed", SYNC_NOWHERE, "the header has "
                           "no \"alg\"");
    }

    jws->alg = sync_alg_find(alg);

    if (jws->alg == SYNC_ALG_NONE) {
        return sync_refuse(err, "alg-not-allowed", SYNC_NOWHERE, "the "
                           "\"alg\" is none, or not known");
    }

    rc = sync_jws_member(&jws->kid, arena, &header, sync_str_lit("kid"), err);

    if (rc != SYNC_OK) {
        return rc;
    }

    return sync_jws_member(&jws->typ, arena, &header, sync_str_lit("typ"), err);
}


static sync_rc_t
sync_jws_member(sync_str_t *dst, sync_arena_t *arena,
    const sync_json_t *header, sync_str_t name, sync_error_t *err)
{
    uint32_t   n;
    sync_rc_t  rc;

    *dst = sync_str_null;

    n = sync_json_member(header, 0, name);

    if (n == SYNC_JSON_NONE) {
        return SYNC_OK;
    }

    rc = sync_json_text(dst, arena, header, n);

    if (rc == SYNC_NO) {
        return sync_refuse(err, "malformed", SYNC_NOWHERE, "\"%.*s\" in "
                           "the header is not a string", (int) name.len,
                           name.data);
    }

    return rc;
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


sync_rc_t
sync_jws_verify_by(const sync_jws_t *jws, const sync_value_t *jwk,
    sync_arena_t *arena, sync_error_t *err)
{
    sync_rc_t   rc;
    sync_jwk_t  key;

    rc = sync_jwk_open(&key, jwk, arena, err);

    if (rc == SYNC_OK && !sync_jwk_fits(&key, jws->alg)) {
        rc = sync_refuse(err, "alg-not-allowed", SYNC_NOWHERE, "the key is "
                         "not one for %s", sync_alg_name(jws->alg));
    }

    if (rc == SYNC_OK) {
        rc = sync_jwk_verify(&key, jws->alg, jws->input, jws->signature);

        if (rc == SYNC_NO) {
            (void) sync_refuse(err, "bad-signature", SYNC_NOWHERE, "not "
                               "signed by this key");
        }
    }

    sync_jwk_clear(&key);

    return rc;
}


/* The members that count, in the order of their names, as they are written. */

sync_rc_t
sync_jwk_thumbprint(const sync_value_t *jwk, sync_arena_t *arena,
    unsigned char text[SYNC_THUMBPRINT_LEN])
{
    size_t             i, n;
    sync_str_t         kty, s;
    sync_rc_t          rc;
    sync_text_t        json;
    unsigned char      digest[SYNC_SHA256_LEN];

    static const struct {
        const char    *kty;
        const char    *names[4];
    } types[] = {
        { "EC",  { "crv", "kty", "x", "y" } },
        { "OKP", { "crv", "kty", "x", NULL } },
        { "RSA", { "e", "kty", "n", NULL } }
    };

    kty = sync_value_str(sync_value_get(jwk, "kty"));

    for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (sync_str_is(kty, types[i].kty)) {
            break;
        }
    }

    if (i == sizeof(types) / sizeof(types[0])) {
        return SYNC_NO;
    }

    sync_text_begin(&json, arena, 256, SYNC_JWS_SIZE);

    for (n = 0; n < 4 && types[i].names[n] != NULL; n++) {

        s = sync_value_str(sync_value_get(jwk, types[i].names[n]));

        /* nothing in a key needs to be escaped, so what does is none */

        if (s.len == 0 || !sync_jwk_plain(s)) {
            return SYNC_NO;
        }

        sync_text_add(&json, n == 0 ? sync_str_lit("{\"")
                                    : sync_str_lit(",\""));
        sync_text_add(&json, (sync_str_t) {
                          strlen(types[i].names[n]),
                          (unsigned char *) (uintptr_t) types[i].names[n] });
        sync_text_lit(&json, "\":\"");
        sync_text_add(&json, s);
        sync_text_lit(&json, "\"");
    }

    sync_text_lit(&json, "}");

    rc = sync_text_end(&json, &s);

    if (rc != SYNC_OK) {
        return rc;
    }

    sync_sha256(s.data, s.len, digest);
    (void) sync_base64url_encode(text, digest, sizeof(digest));

    return SYNC_OK;
}


static int
sync_jwk_plain(sync_str_t s)
{
    size_t         i;
    unsigned char  c;

    for (i = 0; i < s.len; i++) {
        c = s.data[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
              || (c >= '0' && c <= '9') || c == '-' || c == '_'))
        {
            return 0;
        }
    }

    return 1;
}


static int
sync_jws_named(const sync_jws_t *jws, const sync_jwk_t *key)
{
    return jws->kid.data != NULL && key->kid.data != NULL
           && sync_str_eq(jws->kid, key->kid);
}
