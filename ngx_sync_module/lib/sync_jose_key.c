
/*
 * Keys and key sets: RFC 7517, 7518 section 6, 8037.
 *
 * Nothing is left in OpenSSL's error queue: NGINX would report it as somebody
 * else's.
 */


#include "sync_jose_key.h"
#include "sync_crypto.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>

#include <stdlib.h>


#define SYNC_JWK_RSA_MIN    2048
#define SYNC_JWK_RSA_MAX    8192
#define SYNC_JWK_E_MAX      32           /* bits of a public exponent */
#define SYNC_JWK_OCT_MIN    32
#define SYNC_JWK_BYTES      1040         /* of a member, decoded */
#define SYNC_ED25519_KEY    32


typedef struct {
    const char  *name;               /* RFC 7518's and OpenSSL's */
    sync_alg_e   alg;
    size_t       part;               /* bytes of a coordinate */
} sync_curve_t;

struct sync_jwks_s {
    size_t            count;
    size_t            skipped;
    sync_jwk_t        keys[SYNC_JWKS_KEYS];
};


/* Where a key is read from, and what is said of it. */

typedef struct {
    const sync_value_t  *value;
    sync_arena_t        *arena;
    sync_str_t           pointer;    /* of the key */
    unsigned             flags;
    sync_error_t        *err;
} sync_jwk_source_t;


static sync_rc_t sync_jwk_read(sync_jwk_t *key, sync_jwk_source_t *src,
    unsigned *ours);
static sync_rc_t sync_jwk_read_use(sync_jwk_t *key, sync_jwk_source_t *src,
    unsigned *ours);
static sync_rc_t sync_jwk_read_alg(sync_jwk_t *key, sync_jwk_source_t *src);
static sync_rc_t sync_jwk_read_kid(sync_jwk_t *key, sync_jwk_source_t *src);
static sync_rc_t sync_jwk_read_rsa(sync_jwk_t *key, sync_jwk_source_t *src);
static sync_rc_t sync_jwk_read_ec(sync_jwk_t *key, sync_jwk_source_t *src);
static sync_rc_t sync_jwk_read_okp(sync_jwk_t *key, sync_jwk_source_t *src);
static sync_rc_t sync_jwk_read_oct(sync_jwk_t *key, sync_jwk_source_t *src);
static sync_rc_t sync_jwk_bytes(sync_jwk_source_t *src, const char *name,
    unsigned char *dst, size_t *len);
static sync_rc_t sync_jwk_refuse(sync_jwk_source_t *src, const char *name,
    const char *text);
static sync_rc_t sync_jwk_make(sync_jwk_t *key, const char *type,
    OSSL_PARAM_BLD *build, sync_jwk_source_t *src, const char *name);


static const sync_curve_t  sync_curves[] = {
    { "P-256", SYNC_ALG_ES256, 32 },
    { "P-384", SYNC_ALG_ES384, 48 },
    { "P-521", SYNC_ALG_ES512, 66 },
    { NULL,    SYNC_ALG_NONE,  0 }
};


sync_rc_t
sync_jwks_parse(sync_jwks_t **set, sync_arena_t *arena, sync_str_t text,
    unsigned flags, sync_error_t *err)
{
    sync_rc_t      rc;
    sync_value_t  *value;

    *set = NULL;

    rc = sync_value_parse(&value, arena, text, 0, err);

    if (rc != SYNC_OK) {
        return rc;
    }

    rc = sync_jwks_read(set, arena, value, flags, err);

    sync_value_free(value);

    return rc;
}


sync_rc_t
sync_jwks_read(sync_jwks_t **set, sync_arena_t *arena,
    const sync_value_t *value, unsigned flags, sync_error_t *err)
{
    size_t               i, n;
    unsigned             ours;
    sync_rc_t            rc;
    sync_jwk_t          *key;
    sync_error_t         first, e;
    sync_jwks_t         *s;
    sync_jwk_source_t    src;
    const sync_value_t  *keys;

    *set = NULL;

    keys = sync_value_get(value, "keys");

    if (sync_value_type(keys) != SYNC_VALUE_ARRAY) {
        return sync_refuse(err, "not-a-key-set", SYNC_NOWHERE,
                           "a key set is an object with an array \"keys\"");
    }

    n = sync_value_count(keys);

    if (n > SYNC_JWKS_KEYS) {
        return sync_refuse(err, "too-many-keys", SYNC_NOWHERE,
                           "a key set has at most %d keys", SYNC_JWKS_KEYS);
    }

    s = calloc(1, sizeof(sync_jwks_t));
    if (s == NULL) {
        return SYNC_FAULT;
    }

    sync_refuse(&first, "no-keys", SYNC_NOWHERE, "the set has no key for "
                "signatures");

    src.arena = arena;
    src.flags = flags;
    src.err = &e;

    for (i = 0; i < n; i++) {
        src.value = sync_value_at(keys, i);
        src.pointer = sync_pointer_index(arena, sync_str_lit("/keys"), i);

        if (src.pointer.data == NULL) {
            rc = SYNC_FAULT;
            goto failed;
        }

        key = &s->keys[s->count];
        ours = 1;

        rc = sync_jwk_read(key, &src, &ours);

        if (rc == SYNC_OK && ours) {
            s->count++;
            continue;
        }

        sync_jwk_clear(key);

        if (rc == SYNC_OK) {
            continue;
        }

        if (rc == SYNC_FAULT) {
            goto failed;
        }

        if (flags & SYNC_JWKS_STRICT) {
            if (err) {
                *err = e;
            }

            goto failed;
        }

        if (s->skipped++ == 0) {
            first = e;
        }
    }

    if (s->count == 0) {
        rc = SYNC_NO;

        if (err) {
            *err = first;
            err->what = "no-keys";
        }

        goto failed;
    }

    *set = s;

    return SYNC_OK;

failed:

    sync_jwks_free(s);

    return rc;
}


void
sync_jwks_free(sync_jwks_t *set)
{
    size_t  i;

    if (set == NULL) {
        return;
    }

    for (i = 0; i < set->count; i++) {
        sync_jwk_clear(&set->keys[i]);
    }

    free(set);
}


size_t
sync_jwks_count(const sync_jwks_t *set)
{
    return set->count;
}


size_t
sync_jwks_skipped(const sync_jwks_t *set)
{
    return set->skipped;
}


sync_jwk_t *
sync_jwks_key(sync_jwks_t *set, size_t i)
{
    return i < set->count ? &set->keys[i] : NULL;
}


sync_rc_t
sync_jwk_open(sync_jwk_t *key, const sync_value_t *jwk, sync_arena_t *arena,
    sync_error_t *err)
{
    unsigned           ours;
    sync_rc_t          rc;
    sync_error_t       e;
    sync_jwk_source_t  src;

    memset(key, 0, sizeof(sync_jwk_t));

    src.value = jwk;
    src.arena = arena;
    src.pointer = sync_str_null;
    src.flags = 0;
    src.err = err != NULL ? err : &e;

    ours = 1;
    rc = sync_jwk_read(key, &src, &ours);

    if (rc == SYNC_OK && !ours) {
        return sync_jwk_refuse(&src, "use", "a key that is not for "
                               "signatures");
    }

    return rc;
}


/* *ours is cleared for a key that is well and not for signatures. */

static sync_rc_t
sync_jwk_read(sync_jwk_t *key, sync_jwk_source_t *src, unsigned *ours)
{
    sync_rc_t   rc;
    sync_str_t  kty;

    kty = sync_value_str(sync_value_get(src->value, "kty"));

    if (kty.data == NULL) {
        return sync_jwk_refuse(src, "kty", "a key is an object with \"kty\"");
    }

    rc = sync_jwk_read_use(key, src, ours);

    if (rc != SYNC_OK || !*ours) {
        return rc;
    }

    if (sync_str_is(kty, "RSA")) {
        rc = sync_jwk_read_rsa(key, src);

    } else if (sync_str_is(kty, "EC")) {
        rc = sync_jwk_read_ec(key, src);

    } else if (sync_str_is(kty, "OKP")) {
        rc = sync_jwk_read_okp(key, src);

    } else if (sync_str_is(kty, "oct")) {
        rc = sync_jwk_read_oct(key, src);

    } else {
        rc = sync_jwk_refuse(src, "kty", "a key is of type RSA, EC, OKP or "
                             "oct");
    }

    if (rc == SYNC_OK) {
        rc = sync_jwk_read_alg(key, src);
    }

    if (rc == SYNC_OK) {
        rc = sync_jwk_read_kid(key, src);
    }

    return rc;
}


/* RFC 7517, 4.2 and 4.3, and algs that are not for signatures */

static sync_rc_t
sync_jwk_read_use(sync_jwk_t *key, sync_jwk_source_t *src, unsigned *ours)
{
    size_t               i;
    sync_str_t           use;
    const sync_value_t  *value;

    value = sync_value_get(src->value, "use");

    if (value != NULL) {
        use = sync_value_str(value);

        if (use.data == NULL) {
            return sync_jwk_refuse(src, "use", "\"use\" is a string");
        }

        if (!sync_str_is(use, "sig")) {
            *ours = 0;
            return SYNC_OK;
        }
    }

    value = sync_value_get(src->value, "key_ops");

    if (value != NULL) {
        if (sync_value_type(value) != SYNC_VALUE_ARRAY) {
            return sync_jwk_refuse(src, "key_ops", "\"key_ops\" is an array");
        }

        *ours = 0;

        for (i = 0; i < sync_value_count(value); i++) {
            use = sync_value_str(sync_value_at(value, i));

            if (sync_str_is(use, "verify")) {
                *ours = 1;
            }
        }

        if (!*ours) {
            return SYNC_OK;
        }
    }

    value = sync_value_get(src->value, "alg");

    if (value != NULL) {
        use = sync_value_str(value);

        if (use.data == NULL) {
            return sync_jwk_refuse(src, "alg", "\"alg\" is a string");
        }

        key->pinned = sync_alg_find(use);

        if (key->pinned == SYNC_ALG_NONE) {
            *ours = 0;
        }
    }

    return SYNC_OK;
}


/* The alg that the key names must be one that its type can do. */

static sync_rc_t
sync_jwk_read_alg(sync_jwk_t *key, sync_jwk_source_t *src)
{
    sync_alg_e  named;

    named = sync_alg_find(sync_value_str(sync_value_get(src->value, "alg")));

    if (named == SYNC_ALG_NONE) {
        return SYNC_OK;
    }

    if (!sync_jwk_fits(key, named)) {
        return sync_jwk_refuse(src, "alg", "the key cannot do the \"alg\" "
                               "that it names: another type or curve, or too "
                               "short");
    }

    return SYNC_OK;
}


static sync_rc_t
sync_jwk_read_kid(sync_jwk_t *key, sync_jwk_source_t *src)
{
    sync_str_t           kid;
    const sync_value_t  *value;

    value = sync_value_get(src->value, "kid");

    if (value == NULL) {
        return SYNC_OK;
    }

    kid = sync_value_str(value);

    if (kid.data == NULL) {
        return sync_jwk_refuse(src, "kid", "\"kid\" is a string");
    }

    key->kid.data = malloc(kid.len + 1);
    if (key->kid.data == NULL) {
        return SYNC_FAULT;
    }

    memcpy(key->kid.data, kid.data, kid.len + 1);
    key->kid.len = kid.len;

    return SYNC_OK;
}


static sync_rc_t
sync_jwk_read_rsa(sync_jwk_t *key, sync_jwk_source_t *src)
{
    int              bits;
    size_t           len;
    BIGNUM          *n, *e;
    sync_rc_t        rc;
    unsigned char    bytes[SYNC_JWK_BYTES];
    OSSL_PARAM_BLD  *build;

    key->type = SYNC_JWK_RSA;

    if (sync_value_get(src->value, "d") != NULL) {
        return sync_jwk_refuse(src, "d", "a private key; publish its public "
                               "half, \"n\" and \"e\", alone");
    }

    n = NULL;
    e = NULL;
    build = NULL;

    rc = sync_jwk_bytes(src, "n", bytes, &len);

    if (rc != SYNC_OK) {
        goto done;
    }

    n = BN_bin2bn(bytes, (int) len, NULL);

    rc = sync_jwk_bytes(src, "e", bytes, &len);

    if (rc != SYNC_OK) {
        goto done;
    }

    e = BN_bin2bn(bytes, (int) len, NULL);

    if (n == NULL || e == NULL) {
        rc = SYNC_FAULT;
        goto done;
    }

    bits = BN_num_bits(n);

    if (bits < SYNC_JWK_RSA_MIN || bits > SYNC_JWK_RSA_MAX || !BN_is_odd(n)) {
        rc = sync_jwk_refuse(src, "n", "an RSA key has 2048 to 8192 bits");
        goto done;
    }

    if (BN_num_bits(e) > SYNC_JWK_E_MAX || !BN_is_odd(e) || BN_is_one(e)) {
        rc = sync_jwk_refuse(src, "e", "a public exponent is an odd number "
                             "from 3 to 32 bits long, like AQAB");
        goto done;
    }

    build = OSSL_PARAM_BLD_new();

    if (build == NULL
        || OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n) != 1
        || OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e) != 1)
    {
        rc = SYNC_FAULT;
        goto done;
    }

    rc = sync_jwk_make(key, "RSA", build, src, "n");

done:

    OSSL_PARAM_BLD_free(build);
    BN_free(n);
    BN_free(e);

    return rc;
}


static sync_rc_t
sync_jwk_read_ec(sync_jwk_t *key, sync_jwk_source_t *src)
{
    size_t               x, y;
    sync_rc_t            rc;
    sync_str_t           crv;
    unsigned char        point[1 + 2 * SYNC_JWK_BYTES];
    OSSL_PARAM_BLD      *build;
    const sync_curve_t  *curve;

    key->type = SYNC_JWK_EC;

    if (sync_value_get(src->value, "d") != NULL) {
        return sync_jwk_refuse(src, "d", "a private key; publish its public "
                               "half, \"x\" and \"y\", alone");
    }

    crv = sync_value_str(sync_value_get(src->value, "crv"));

    for (curve = sync_curves; curve->name != NULL; curve++) {
        if (sync_str_is(crv, curve->name)) {
            break;
        }
    }

    if (curve->name == NULL) {
        return sync_jwk_refuse(src, "crv", "a curve is P-256, P-384 or "
                               "P-521");
    }

    if (key->pinned != SYNC_ALG_NONE && key->pinned != curve->alg) {
        return sync_jwk_refuse(src, "alg", "the \"alg\" belongs to another "
                               "type or curve");
    }

    key->pinned = curve->alg;

    point[0] = 0x04;                                  /* not compressed */

    rc = sync_jwk_bytes(src, "x", point + 1, &x);

    if (rc != SYNC_OK) {
        return rc;
    }

    if (x != curve->part) {
        return sync_jwk_refuse(src, "x", "a coordinate has the length of its "
                               "curve, leading zeros included");
    }

    rc = sync_jwk_bytes(src, "y", point + 1 + x, &y);

    if (rc != SYNC_OK) {
        return rc;
    }

    if (y != curve->part) {
        return sync_jwk_refuse(src, "y", "a coordinate has the length of its "
                               "curve, leading zeros included");
    }

    build = OSSL_PARAM_BLD_new();

    if (build == NULL
        || OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME,
                                           curve->name, 0)
           != 1
        || OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY,
                                            point, 1 + x + y)
           != 1)
    {
        OSSL_PARAM_BLD_free(build);
        return SYNC_FAULT;
    }

    /* takes no point that is not on the curve */

    rc = sync_jwk_make(key, "EC", build, src, "x");

    OSSL_PARAM_BLD_free(build);

    return rc;
}


static sync_rc_t
sync_jwk_read_okp(sync_jwk_t *key, sync_jwk_source_t *src)
{
    size_t         len;
    sync_rc_t      rc;
    sync_str_t     crv;
    unsigned char  x[SYNC_JWK_BYTES];

    key->type = SYNC_JWK_OKP;

    if (sync_value_get(src->value, "d") != NULL) {
        return sync_jwk_refuse(src, "d", "a private key; publish its public "
                               "half, \"x\", alone");
    }

    crv = sync_value_str(sync_value_get(src->value, "crv"));

    if (!sync_str_is(crv, "Ed25519")) {
        return sync_jwk_refuse(src, "crv", "the curve of an OKP key is "
                               "Ed25519");
    }

    rc = sync_jwk_bytes(src, "x", x, &len);

    if (rc != SYNC_OK) {
        return rc;
    }

    if (len != SYNC_ED25519_KEY) {
        return sync_jwk_refuse(src, "x", "an Ed25519 key has 32 bytes");
    }

    key->pkey = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, x, len);

    if (key->pkey == NULL) {
        ERR_clear_error();
        return SYNC_FAULT;
    }

    return SYNC_OK;
}


static sync_rc_t
sync_jwk_read_oct(sync_jwk_t *key, sync_jwk_source_t *src)
{
    size_t         len;
    sync_rc_t      rc;
    unsigned char  k[SYNC_JWK_BYTES];

    key->type = SYNC_JWK_OCT;

    if (!(src->flags & SYNC_JWKS_OCT)) {
        return sync_jwk_refuse(src, "kty", "a shared secret (oct) is taken "
                               "from a local file only");
    }

    rc = sync_jwk_bytes(src, "k", k, &len);

    if (rc != SYNC_OK) {
        return rc;
    }

    if (len < SYNC_JWK_OCT_MIN) {
        rc = sync_jwk_refuse(src, "k", "a shared secret has 32 bytes or "
                             "more: as many as its hash");
        goto done;
    }

    key->secret.data = malloc(len);

    if (key->secret.data == NULL) {
        rc = SYNC_FAULT;
        goto done;
    }

    memcpy(key->secret.data, k, len);
    key->secret.len = len;

done:

    sync_wipe(k, sizeof(k));

    return rc;
}


/* A base64url member into SYNC_JWK_BYTES; empty ones are refused. */

static sync_rc_t
sync_jwk_bytes(sync_jwk_source_t *src, const char *name, unsigned char *dst,
    size_t *len)
{
    sync_str_t  s;

    s = sync_value_str(sync_value_get(src->value, name));

    if (s.len == 0) {
        return sync_jwk_refuse(src, name, "the member is missing or not a "
                               "string");
    }

    if (s.len * 3 / 4 > SYNC_JWK_BYTES) {
        return sync_jwk_refuse(src, name, "the member is too long");
    }

    if (sync_base64url_decode(dst, len, s) != SYNC_OK) {
        return sync_jwk_refuse(src, name, "the member is not base64url "
                               "without padding");
    }

    return SYNC_OK;
}


static sync_rc_t
sync_jwk_refuse(sync_jwk_source_t *src, const char *name, const char *text)
{
    sync_str_t  member;

    sync_refuse(src->err, "bad-key", SYNC_NOWHERE, "%s", text);

    member.data = (unsigned char *) (uintptr_t) name;
    member.len = strlen(name);

    src->err->pointer = sync_pointer_member(src->arena, src->pointer, member);

    return src->err->pointer.data == NULL ? SYNC_FAULT : SYNC_NO;
}


static sync_rc_t
sync_jwk_make(sync_jwk_t *key, const char *type, OSSL_PARAM_BLD *build,
    sync_jwk_source_t *src, const char *name)
{
    sync_rc_t      rc;
    OSSL_PARAM    *params;
    EVP_PKEY_CTX  *ctx;

    rc = SYNC_FAULT;
    ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    params = OSSL_PARAM_BLD_to_param(build);

    if (ctx != NULL && params != NULL && EVP_PKEY_fromdata_init(ctx) == 1) {
        rc = SYNC_OK;

        if (EVP_PKEY_fromdata(ctx, &key->pkey, EVP_PKEY_PUBLIC_KEY, params)
            != 1)
        {
            key->pkey = NULL;
            rc = sync_jwk_refuse(src, name, "not a public key of its type "
                                 "and curve");
        }
    }

    if (rc != SYNC_OK) {
        ERR_clear_error();
    }

    OSSL_PARAM_free(params);
    EVP_PKEY_CTX_free(ctx);

    return rc;
}


void
sync_jwk_clear(sync_jwk_t *key)
{
    int  alg;

    for (alg = 0; alg < SYNC_ALG_COUNT; alg++) {
        EVP_PKEY_CTX_free(key->ctx[alg]);
    }

    EVP_PKEY_free(key->pkey);
    free(key->kid.data);

    if (key->secret.data != NULL) {
        sync_wipe(key->secret.data, key->secret.len);
        free(key->secret.data);
    }

    memset(key, 0, sizeof(sync_jwk_t));
}
