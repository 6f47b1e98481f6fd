
/*
 * Making keys and tokens.
 */


#include "sync_jose_sign.h"
#include "sync_crypto.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>


#define SYNC_SIGN_RSA_BITS  2048
#define SYNC_SIGN_MAX       1024         /* bytes of a signature or number */


typedef struct {
    sync_alg_e      alg;
    const char     *type;                /* OpenSSL's name of the key */
    const char     *curve;
    size_t          part;                /* EC: bytes of a coordinate */
    unsigned        pss:1;
    const EVP_MD  *(*md)(void);
} sync_sign_t;


static const sync_sign_t *sync_sign_find(sync_alg_e alg);
static EVP_PKEY *sync_sign_new_key(const sync_sign_t *how);
static sync_rc_t sync_sign_pem(EVP_PKEY *pkey, sync_arena_t *arena,
    sync_str_t *pem);
static sync_rc_t sync_sign_jwks(EVP_PKEY *pkey, const sync_sign_t *how,
    sync_str_t kid, sync_arena_t *arena, sync_str_t *jwks);
static sync_rc_t sync_sign_members(EVP_PKEY *pkey, const sync_sign_t *how,
    sync_json_out_t *out);
static sync_rc_t sync_sign_number(EVP_PKEY *pkey, const char *param,
    size_t part, const char *name, sync_json_out_t *out);
static void sync_sign_bytes(sync_json_out_t *out, const char *name,
    const unsigned char *bytes, size_t len);
static void sync_sign_member(sync_json_out_t *out, const char *name,
    const char *value);
static EVP_PKEY *sync_sign_private(sync_str_t pem);
static X509 *sync_sign_certificate(sync_str_t pem);
static int sync_sign_no_password(char *buf, int size, int rwflag, void *u);
static sync_rc_t sync_sign_thumbprint(sync_str_t pem, unsigned char *text,
    size_t *len);
static sync_rc_t sync_sign_input(const sync_sign_t *how, sync_str_t kid,
    sync_str_t typ, sync_str_t x5t, sync_str_t payload, sync_arena_t *arena,
    sync_str_t *input);
static sync_rc_t sync_sign_digest(EVP_PKEY *pkey, const sync_sign_t *how,
    sync_str_t input, unsigned char *sig, size_t *len);
static sync_rc_t sync_sign_raw(unsigned char *sig, size_t *len, size_t part);
static sync_str_t sync_sign_text(const char *s);


static const sync_sign_t  sync_signs[] = {
    { SYNC_ALG_RS256, "RSA",     NULL,      0,  0, EVP_sha256 },
    { SYNC_ALG_RS384, "RSA",     NULL,      0,  0, EVP_sha384 },
    { SYNC_ALG_RS512, "RSA",     NULL,      0,  0, EVP_sha512 },
    { SYNC_ALG_PS256, "RSA",     NULL,      0,  1, EVP_sha256 },
    { SYNC_ALG_PS384, "RSA",     NULL,      0,  1, EVP_sha384 },
    { SYNC_ALG_PS512, "RSA",     NULL,      0,  1, EVP_sha512 },
    { SYNC_ALG_ES256, "EC",      "P-256",   32, 0, EVP_sha256 },
    { SYNC_ALG_ES384, "EC",      "P-384",   48, 0, EVP_sha384 },
    { SYNC_ALG_ES512, "EC",      "P-521",   66, 0, EVP_sha512 },
    { SYNC_ALG_EDDSA, "ED25519", "Ed25519", 32, 0, NULL },
    { SYNC_ALG_NONE,  NULL,      NULL,      0,  0, NULL }
};


sync_rc_t
sync_jose_generate(sync_alg_e alg, sync_str_t kid, sync_arena_t *arena,
    sync_str_t *pem, sync_str_t *jwks, sync_error_t *err)
{
    EVP_PKEY           *pkey;
    sync_rc_t           rc;
    const sync_sign_t  *how;

    how = sync_sign_find(alg);

    if (how == NULL) {
        return sync_refuse(err, "alg-not-allowed", SYNC_NOWHERE, "%s has no "
                           "key pairs", sync_alg_name(alg));
    }

    pkey = sync_sign_new_key(how);

    if (pkey == NULL) {
        ERR_clear_error();
        return SYNC_FAULT;
    }

    rc = sync_sign_pem(pkey, arena, pem);

    if (rc == SYNC_OK) {
        rc = sync_sign_jwks(pkey, how, kid, arena, jwks);
    }

    EVP_PKEY_free(pkey);

    return rc;
}


static const sync_sign_t *
sync_sign_find(sync_alg_e alg)
{
    const sync_sign_t  *how;

    for (how = sync_signs; how->alg != SYNC_ALG_NONE; how++) {
        if (how->alg == alg) {
            return how;
        }
    }

    return NULL;
}


static EVP_PKEY *
sync_sign_new_key(const sync_sign_t *how)
{
    if (strcmp(how->type, "RSA") == 0) {
        return EVP_PKEY_Q_keygen(NULL, NULL, "RSA",
                                 (size_t) SYNC_SIGN_RSA_BITS);
    }

    if (strcmp(how->type, "EC") == 0) {
        return EVP_PKEY_Q_keygen(NULL, NULL, "EC", how->curve);
    }

    return EVP_PKEY_Q_keygen(NULL, NULL, how->type);
}


static sync_rc_t
sync_sign_pem(EVP_PKEY *pkey, sync_arena_t *arena, sync_str_t *pem)
{
    BIO        *bio;
    char       *data;
    long        len;
    sync_rc_t   rc;

    rc = SYNC_FAULT;
    bio = BIO_new(BIO_s_mem());

    if (bio != NULL
        && PEM_write_bio_PKCS8PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL)
           == 1)
    {
        len = BIO_get_mem_data(bio, &data);
        *pem = sync_strdup(arena, (sync_str_t) { (size_t) len,
                                                 (unsigned char *) data });
        rc = pem->data == NULL ? SYNC_FAULT : SYNC_OK;
    }

    BIO_free(bio);
    ERR_clear_error();

    return rc;
}


static sync_rc_t
sync_sign_jwks(EVP_PKEY *pkey, const sync_sign_t *how, sync_str_t kid,
    sync_arena_t *arena, sync_str_t *jwks)
{
    sync_json_out_t  out;

    sync_json_begin(&out, arena, 1024, 0);
    sync_json_open(&out, '{');
    sync_json_key(&out, sync_str_lit("keys"));
    sync_json_open(&out, '[');
    sync_json_open(&out, '{');

    if (kid.len) {
        sync_json_key(&out, sync_str_lit("kid"));
        sync_json_string(&out, kid);
    }

    sync_sign_member(&out, "use", "sig");
    sync_sign_member(&out, "alg", sync_alg_name(how->alg));

    if (sync_sign_members(pkey, how, &out) != SYNC_OK) {
        ERR_clear_error();
        return SYNC_FAULT;
    }

    sync_json_close(&out, '}');
    sync_json_close(&out, ']');
    sync_json_close(&out, '}');

    return sync_json_end(&out, jwks);
}


static sync_rc_t
sync_sign_members(EVP_PKEY *pkey, const sync_sign_t *how,
    sync_json_out_t *out)
{
    size_t         len;
    sync_rc_t      rc;
    unsigned char  x[SYNC_SIGN_MAX];

    if (strcmp(how->type, "RSA") == 0) {
        sync_sign_member(out, "kty", "RSA");
        rc = sync_sign_number(pkey, OSSL_PKEY_PARAM_RSA_N, 0, "n", out);

        return rc != SYNC_OK ? rc
                             : sync_sign_number(pkey, OSSL_PKEY_PARAM_RSA_E,
                                                0, "e", out);
    }

    if (strcmp(how->type, "EC") == 0) {
        sync_sign_member(out, "kty", "EC");
        sync_sign_member(out, "crv", how->curve);
        rc = sync_sign_number(pkey, OSSL_PKEY_PARAM_EC_PUB_X, how->part, "x",
                              out);

        return rc != SYNC_OK ? rc
                             : sync_sign_number(pkey,
                                                OSSL_PKEY_PARAM_EC_PUB_Y,
                                                how->part, "y", out);
    }

    len = sizeof(x);

    if (EVP_PKEY_get_raw_public_key(pkey, x, &len) != 1) {
        return SYNC_FAULT;
    }

    sync_sign_member(out, "kty", "OKP");
    sync_sign_member(out, "crv", how->curve);
    sync_sign_bytes(out, "x", x, len);

    return SYNC_OK;
}


/* part 0: as many bytes as the number has */

static sync_rc_t
sync_sign_number(EVP_PKEY *pkey, const char *param, size_t part,
    const char *name, sync_json_out_t *out)
{
    int             len;
    BIGNUM         *n;
    unsigned char   bytes[SYNC_SIGN_MAX];

    n = NULL;

    if (EVP_PKEY_get_bn_param(pkey, param, &n) != 1) {
        return SYNC_FAULT;
    }

    len = part ? (int) part : BN_num_bytes(n);

    if (len > SYNC_SIGN_MAX || BN_bn2binpad(n, bytes, len) != len) {
        BN_free(n);
        return SYNC_FAULT;
    }

    sync_sign_bytes(out, name, bytes, (size_t) len);
    BN_free(n);

    return SYNC_OK;
}


static void
sync_sign_bytes(sync_json_out_t *out, const char *name,
    const unsigned char *bytes, size_t len)
{
    sync_str_t     s;
    unsigned char  text[sync_base64_room(SYNC_SIGN_MAX)];

    s.data = text;
    s.len = sync_base64url_encode(text, bytes, len);

    sync_json_key(out, sync_sign_text(name));
    sync_json_string(out, s);
}


static void
sync_sign_member(sync_json_out_t *out, const char *name, const char *value)
{
    sync_json_key(out, sync_sign_text(name));
    sync_json_string(out, sync_sign_text(value));
}


sync_rc_t
sync_jose_sign(sync_str_t pem, sync_alg_e alg, sync_str_t kid, sync_str_t typ,
    sync_str_t payload, sync_arena_t *arena, sync_str_t *token,
    sync_error_t *err)
{
    return sync_jose_sign_as(pem, sync_str_null, alg, kid, typ, payload, arena,
                             token, err);
}


sync_rc_t
sync_jose_sign_as(sync_str_t pem, sync_str_t certificate, sync_alg_e alg,
    sync_str_t kid, sync_str_t typ, sync_str_t payload, sync_arena_t *arena,
    sync_str_t *token, sync_error_t *err)
{
    size_t              len;
    EVP_PKEY           *pkey;
    sync_rc_t           rc;
    sync_str_t          input, x5t;
    unsigned char       sig[SYNC_SIGN_MAX], *p;
    unsigned char       print[sync_base64_room(SYNC_SHA256_LEN)];
    const sync_sign_t  *how;

    how = sync_sign_find(alg);

    if (how == NULL) {
        return sync_refuse(err, "alg-not-allowed", SYNC_NOWHERE, "%s does "
                           "not sign with a private key", sync_alg_name(alg));
    }

    pkey = sync_sign_private(pem);

    if (pkey == NULL || EVP_PKEY_is_a(pkey, how->type) != 1) {
        EVP_PKEY_free(pkey);
        ERR_clear_error();

        return sync_refuse(err, "bad-key", SYNC_NOWHERE, "not a private key "
                           "for %s, as PEM", sync_alg_name(alg));
    }

    x5t.data = print;
    x5t.len = 0;

    if (certificate.len
        && sync_sign_thumbprint(certificate, print, &x5t.len) != SYNC_OK)
    {
        EVP_PKEY_free(pkey);

        return sync_refuse(err, "bad-certificate", SYNC_NOWHERE, "not a "
                           "certificate, as PEM");
    }

    rc = sync_sign_input(how, kid, typ, x5t, payload, arena, &input);

    if (rc == SYNC_OK) {
        len = sizeof(sig);
        rc = sync_sign_digest(pkey, how, input, sig, &len);
    }

    EVP_PKEY_free(pkey);
    ERR_clear_error();

    if (rc == SYNC_NO) {
        return sync_refuse(err, "bad-key", SYNC_NOWHERE, "the key is not on "
                           "the curve of %s", sync_alg_name(alg));
    }

    if (rc != SYNC_OK) {
        return rc;
    }

    token->data = sync_alloc(arena, input.len + 2 + sync_base64_room(len));

    if (token->data == NULL) {
        return SYNC_FAULT;
    }

    memcpy(token->data, input.data, input.len);
    p = token->data + input.len;
    *p++ = '.';
    p += sync_base64url_encode(p, sig, len);
    *p = '\0';
    token->len = (size_t) (p - token->data);

    return SYNC_OK;
}


/* A key that is locked is none: OpenSSL would ask at the terminal. */

static int
sync_sign_no_password(char *buf, int size, int rwflag, void *u)
{
    (void) buf;
    (void) size;
    (void) rwflag;
    (void) u;

    return -1;
}


static EVP_PKEY *
sync_sign_private(sync_str_t pem)
{
    BIO       *bio;
    EVP_PKEY  *pkey;

    bio = BIO_new_mem_buf(pem.data, (int) pem.len);
    pkey = bio ? PEM_read_bio_PrivateKey(bio, NULL, sync_sign_no_password,
                                         NULL)
               : NULL;
    BIO_free(bio);

    return pkey;
}


static X509 *
sync_sign_certificate(sync_str_t pem)
{
    BIO   *bio;
    X509  *x509;

    bio = BIO_new_mem_buf(pem.data, (int) pem.len);
    x509 = bio ? PEM_read_bio_X509(bio, NULL, sync_sign_no_password, NULL)
               : NULL;
    BIO_free(bio);

    return x509;
}


sync_rc_t
sync_pem_pair(sync_str_t certificate, sync_str_t key)
{
    int        good;
    X509      *x509;
    EVP_PKEY  *pkey;

    x509 = sync_sign_certificate(certificate);
    pkey = sync_sign_private(key);

    good = x509 != NULL && pkey != NULL
           && X509_check_private_key(x509, pkey) == 1;

    X509_free(x509);
    EVP_PKEY_free(pkey);
    ERR_clear_error();

    return good ? SYNC_OK : SYNC_NO;
}


/* Of the first certificate: base64url of the digest of its DER. */

static sync_rc_t
sync_sign_thumbprint(sync_str_t pem, unsigned char *text, size_t *len)
{
    X509           *x509;
    unsigned        n;
    unsigned char   digest[EVP_MAX_MD_SIZE];

    x509 = sync_sign_certificate(pem);

    n = 0;

    if (x509 != NULL && X509_digest(x509, EVP_sha256(), digest, &n) == 1) {
        *len = sync_base64url_encode(text, digest, n);
    }

    X509_free(x509);
    ERR_clear_error();

    return n ? SYNC_OK : SYNC_NO;
}


static sync_rc_t
sync_sign_input(const sync_sign_t *how, sync_str_t kid, sync_str_t typ,
    sync_str_t x5t, sync_str_t payload, sync_arena_t *arena,
    sync_str_t *input)
{
    sync_rc_t        rc;
    sync_str_t       header;
    unsigned char   *p;
    sync_json_out_t  out;

    sync_json_begin(&out, arena, 256, 0);
    sync_json_open(&out, '{');
    sync_sign_member(&out, "alg", sync_alg_name(how->alg));

    if (kid.len) {
        sync_json_key(&out, sync_str_lit("kid"));
        sync_json_string(&out, kid);
    }

    if (typ.len) {
        sync_json_key(&out, sync_str_lit("typ"));
        sync_json_string(&out, typ);
    }

    if (x5t.len) {
        sync_json_key(&out, sync_str_lit("x5t#S256"));
        sync_json_string(&out, x5t);
    }

    sync_json_close(&out, '}');
    rc = sync_json_end(&out, &header);

    if (rc != SYNC_OK) {
        return rc;
    }

    input->data = sync_alloc(arena, sync_base64_room(header.len) + 1
                                    + sync_base64_room(payload.len));

    if (input->data == NULL) {
        return SYNC_FAULT;
    }

    p = input->data;
    p += sync_base64url_encode(p, header.data, header.len);
    *p++ = '.';
    p += sync_base64url_encode(p, payload.data, payload.len);
    input->len = (size_t) (p - input->data);

    return SYNC_OK;
}


/* NO: an EC key of another curve. */

static sync_rc_t
sync_sign_digest(EVP_PKEY *pkey, const sync_sign_t *how, sync_str_t input,
    unsigned char *sig, size_t *len)
{
    int            rc;
    EVP_MD_CTX    *ctx;
    EVP_PKEY_CTX  *pctx;

    if (strcmp(how->type, "EC") == 0
        && ((size_t) EVP_PKEY_get_bits(pkey) + 7) / 8 != how->part)
    {
        return SYNC_NO;
    }

    ctx = EVP_MD_CTX_new();

    rc = ctx != NULL
         && EVP_DigestSignInit(ctx, &pctx, how->md ? how->md() : NULL, NULL,
                               pkey)
            == 1;

    if (rc && how->pss) {
        rc = EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING) == 1
             && EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, RSA_PSS_SALTLEN_DIGEST)
                == 1;
    }

    rc = rc && EVP_DigestSign(ctx, sig, len, input.data, input.len) == 1;

    EVP_MD_CTX_free(ctx);

    if (!rc) {
        return SYNC_FAULT;
    }

    return strcmp(how->type, "EC") == 0 ? sync_sign_raw(sig, len, how->part)
                                        : SYNC_OK;
}


/* From ASN.1 to r and s, one behind the other: RFC 7518, 3.4. */

static sync_rc_t
sync_sign_raw(unsigned char *sig, size_t *len, size_t part)
{
    int                   rc;
    ECDSA_SIG            *rs;
    const BIGNUM         *r, *s;
    const unsigned char  *p;

    p = sig;
    rs = d2i_ECDSA_SIG(NULL, &p, (long) *len);

    if (rs == NULL) {
        return SYNC_FAULT;
    }

    ECDSA_SIG_get0(rs, &r, &s);

    rc = BN_bn2binpad(r, sig, (int) part) == (int) part
         && BN_bn2binpad(s, sig + part, (int) part) == (int) part;

    *len = 2 * part;
    ECDSA_SIG_free(rs);

    return rc ? SYNC_OK : SYNC_FAULT;
}


static sync_str_t
sync_sign_text(const char *s)
{
    return (sync_str_t) { strlen(s), (unsigned char *) (uintptr_t) s };
}
