
/*
 * Algorithms and signatures: RFC 7518 section 3, 8037.
 *
 * Setting up a verification costs OpenSSL 3 more than a small digest, so each
 * key keeps a context per alg, made when first needed.  Nothing is left in
 * OpenSSL's error queue: NGINX would report it as somebody else's.
 */


#include "sync_jose_key.h"
#include "sync_crypto.h"

#include <openssl/err.h>
#include <openssl/hmac.h>
#include <openssl/rsa.h>


#define SYNC_JWK_DER      160            /* an ECDSA signature on P-521 */
#define SYNC_ED25519_SIG  64


typedef struct {
    const char       *name;
    sync_jwk_type_e   type;
    unsigned          pss:1;
    size_t            part;          /* EC: bytes of r and of s */
    size_t            secret;        /* HS: bytes of a key at least */
    const EVP_MD     *(*md)(void);
} sync_alg_t;


static EVP_PKEY_CTX *sync_jwk_context(sync_jwk_t *key, sync_alg_e alg);
static sync_rc_t sync_jwk_verify_digest(sync_jwk_t *key, sync_alg_e alg,
    sync_str_t input, sync_str_t signature);
static sync_rc_t sync_jwk_verify_ed25519(sync_jwk_t *key, sync_str_t input,
    sync_str_t signature);
static sync_rc_t sync_jwk_verify_hmac(sync_jwk_t *key, sync_alg_e alg,
    sync_str_t input, sync_str_t signature);
static size_t sync_jwk_der(unsigned char *der, sync_str_t raw);
static unsigned char *sync_jwk_der_integer(unsigned char *der,
    const unsigned char *n, size_t len);
static sync_rc_t sync_jwk_result(int rc);


static const sync_alg_t  sync_algs[SYNC_ALG_COUNT] = {
    { "none",  SYNC_JWK_RSA, 0, 0,  0,  NULL },
    { "RS256", SYNC_JWK_RSA, 0, 0,  0,  EVP_sha256 },
    { "RS384", SYNC_JWK_RSA, 0, 0,  0,  EVP_sha384 },
    { "RS512", SYNC_JWK_RSA, 0, 0,  0,  EVP_sha512 },
    { "PS256", SYNC_JWK_RSA, 1, 0,  0,  EVP_sha256 },
    { "PS384", SYNC_JWK_RSA, 1, 0,  0,  EVP_sha384 },
    { "PS512", SYNC_JWK_RSA, 1, 0,  0,  EVP_sha512 },
    { "ES256", SYNC_JWK_EC,  0, 32, 0,  EVP_sha256 },
    { "ES384", SYNC_JWK_EC,  0, 48, 0,  EVP_sha384 },
    { "ES512", SYNC_JWK_EC,  0, 66, 0,  EVP_sha512 },
    { "EdDSA", SYNC_JWK_OKP, 0, 0,  0,  NULL },
    { "HS256", SYNC_JWK_OCT, 0, 0,  32, EVP_sha256 },
    { "HS384", SYNC_JWK_OCT, 0, 0,  48, EVP_sha384 },
    { "HS512", SYNC_JWK_OCT, 0, 0,  64, EVP_sha512 }
};


sync_alg_e
sync_alg_find(sync_str_t name)
{
    int  alg;

    for (alg = SYNC_ALG_NONE + 1; alg < SYNC_ALG_COUNT; alg++) {
        if (sync_str_is(name, sync_algs[alg].name)) {
            return (sync_alg_e) alg;
        }
    }

    return SYNC_ALG_NONE;
}


const char *
sync_alg_name(sync_alg_e alg)
{
    return sync_algs[alg].name;
}


int
sync_jwk_fits(const sync_jwk_t *key, sync_alg_e alg)
{
    return alg != SYNC_ALG_NONE
           && key->type == sync_algs[alg].type
           && (key->pinned == SYNC_ALG_NONE || key->pinned == alg)
           && key->secret.len >= sync_algs[alg].secret;
}


sync_rc_t
sync_jwk_verify(sync_jwk_t *key, sync_alg_e alg, sync_str_t input,
    sync_str_t signature)
{
    switch (key->type) {

    case SYNC_JWK_OCT:
        return sync_jwk_verify_hmac(key, alg, input, signature);

    case SYNC_JWK_OKP:
        return sync_jwk_verify_ed25519(key, input, signature);

    default:
        return sync_jwk_verify_digest(key, alg, input, signature);
    }
}


/* RSA and ECDSA */

static sync_rc_t
sync_jwk_verify_digest(sync_jwk_t *key, sync_alg_e alg, sync_str_t input,
    sync_str_t signature)
{
    unsigned           len;
    unsigned char      digest[EVP_MAX_MD_SIZE], der[SYNC_JWK_DER];
    EVP_PKEY_CTX      *ctx;
    const sync_alg_t  *a;

    a = &sync_algs[alg];

    if (a->type == SYNC_JWK_EC) {
        if (signature.len != 2 * a->part) {
            return SYNC_NO;
        }

        signature.len = sync_jwk_der(der, signature);
        signature.data = der;
    }

    ctx = sync_jwk_context(key, alg);
    if (ctx == NULL) {
        return SYNC_FAULT;
    }

    if (a->md == EVP_sha256) {
        len = SYNC_SHA256_LEN;
        sync_sha256(input.data, input.len, digest);

    } else if (EVP_Digest(input.data, input.len, digest, &len, a->md(), NULL)
               != 1)
    {
        ERR_clear_error();
        return SYNC_FAULT;
    }

    return sync_jwk_result(EVP_PKEY_verify(ctx, signature.data, signature.len,
                                           digest, len));
}


/* NULL: no memory, or the library cannot do it. */

static EVP_PKEY_CTX *
sync_jwk_context(sync_jwk_t *key, sync_alg_e alg)
{
    EVP_PKEY_CTX      *ctx;
    const sync_alg_t  *a;

    if (key->ctx[alg] != NULL) {
        return key->ctx[alg];
    }

    a = &sync_algs[alg];
    ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key->pkey, NULL);

    if (ctx == NULL || EVP_PKEY_verify_init(ctx) != 1) {
        goto failed;
    }

    if (a->type == SYNC_JWK_RSA
        && EVP_PKEY_CTX_set_rsa_padding(ctx, a->pss ? RSA_PKCS1_PSS_PADDING
                                                    : RSA_PKCS1_PADDING)
           != 1)
    {
        goto failed;
    }

    if (EVP_PKEY_CTX_set_signature_md(ctx, a->md()) != 1) {
        goto failed;
    }

    /* RFC 7518, 3.5: the salt is as long as the digest, MGF1 has the same */

    if (a->pss
        && (EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) != 1
            || EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, a->md()) != 1))
    {
        goto failed;
    }

    key->ctx[alg] = ctx;

    return ctx;

failed:

    EVP_PKEY_CTX_free(ctx);
    ERR_clear_error();

    return NULL;
}


static sync_rc_t
sync_jwk_verify_ed25519(sync_jwk_t *key, sync_str_t input,
    sync_str_t signature)
{
    sync_rc_t    rc;
    EVP_MD_CTX  *ctx;

    if (signature.len != SYNC_ED25519_SIG) {
        return SYNC_NO;
    }

    ctx = EVP_MD_CTX_new();

    if (ctx == NULL
        || EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key->pkey) != 1)
    {
        ERR_clear_error();
        rc = SYNC_FAULT;

    } else {
        rc = sync_jwk_result(EVP_DigestVerify(ctx, signature.data,
                                              signature.len, input.data,
                                              input.len));
    }

    EVP_MD_CTX_free(ctx);

    return rc;
}


static sync_rc_t
sync_jwk_verify_hmac(sync_jwk_t *key, sync_alg_e alg, sync_str_t input,
    sync_str_t signature)
{
    unsigned       len;
    sync_str_t     mac;
    unsigned char  buf[EVP_MAX_MD_SIZE];

    if (HMAC(sync_algs[alg].md(), key->secret.data, (int) key->secret.len,
             input.data, input.len, buf, &len)
        == NULL)
    {
        ERR_clear_error();
        return SYNC_FAULT;
    }

    mac.data = buf;
    mac.len = len;

    return sync_secret_eq(mac, signature) ? SYNC_OK : SYNC_NO;
}


/*
 * OpenSSL wants SEQUENCE { INTEGER r, INTEGER s } where RFC 7518, 3.4, has
 * both numbers one behind the other.
 */

static size_t
sync_jwk_der(unsigned char *der, sync_str_t raw)
{
    size_t          part, len;
    unsigned char  *p, body[SYNC_JWK_DER];

    part = raw.len / 2;

    p = sync_jwk_der_integer(body, raw.data, part);
    p = sync_jwk_der_integer(p, raw.data + part, part);
    len = (size_t) (p - body);

    p = der;
    *p++ = 0x30;

    if (len >= 0x80) {
        *p++ = 0x81;
    }

    *p++ = (unsigned char) len;
    memcpy(p, body, len);

    return (size_t) (p - der) + len;
}


static unsigned char *
sync_jwk_der_integer(unsigned char *der, const unsigned char *n, size_t len)
{
    unsigned  sign;

    while (len > 1 && *n == 0) {
        n++;
        len--;
    }

    sign = *n >> 7;

    *der++ = 0x02;
    *der++ = (unsigned char) (len + sign);

    if (sign) {
        *der++ = 0;
    }

    memcpy(der, n, len);

    return der + len;
}


/* What OpenSSL says of a signature: out of memory is no verdict. */

static sync_rc_t
sync_jwk_result(int rc)
{
    unsigned long  e;

    if (rc == 1) {
        return SYNC_OK;
    }

    e = ERR_peek_last_error();
    ERR_clear_error();

    return ERR_GET_REASON(e) == ERR_R_MALLOC_FAILURE ? SYNC_FAULT : SYNC_NO;
}
