
/*
 * Digests, authenticated encryption, and text forms.
 *
 * SHA-256 goes through the SHA256_*() functions, which OpenSSL 3 deprecates
 * but keeps: they need no memory, their state is copied by assignment, and on
 * short inputs the EVP way costs several times the digest itself.
 */


#define OPENSSL_SUPPRESS_DEPRECATED

#include "sync_crypto.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include <pthread.h>
#include <stdalign.h>


#define SYNC_HMAC_BLOCK  64

#define sync_sha256_ctx(ctx)  ((SHA256_CTX *) (void *) (ctx)->opaque)

_Static_assert(sizeof(SHA256_CTX) <= sizeof(sync_sha256_t)
               && alignof(SHA256_CTX) <= alignof(sync_sha256_t),
               "a SHA256_CTX fits into a sync_sha256_t");


#define SYNC_AEAD_BOUND  256          /* bytes of what is bound, at once */


static EVP_CIPHER_CTX *sync_aead_begin(const unsigned char *key,
    const unsigned char *nonce, int encrypt, const sync_str_t *aad,
    size_t naad);
static sync_rc_t sync_random_fill(void *buf, size_t len);
static void sync_random_forked(void);
static size_t sync_base64_write(unsigned char *dst, const void *src,
    size_t len, const char *alphabet, unsigned padded);
static sync_rc_t sync_base64_read(unsigned char *dst, size_t *len,
    sync_str_t src, unsigned char plus, unsigned char slash);
static int sync_base64_digit(unsigned char c, unsigned char plus,
    unsigned char slash);
static int sync_hex_digit(unsigned char c);


static EVP_CIPHER    *sync_aead_cipher;

static unsigned char  sync_random_stock[2048];
static size_t         sync_random_left;
static int            sync_random_watched;


void
sync_sha256_init(sync_sha256_t *ctx)
{
    SHA256_Init(sync_sha256_ctx(ctx));
}


void
sync_sha256_update(sync_sha256_t *ctx, const void *data, size_t len)
{
    SHA256_Update(sync_sha256_ctx(ctx), data, len);
}


void
sync_sha256_final(sync_sha256_t *ctx, unsigned char digest[SYNC_SHA256_LEN])
{
    SHA256_Final(digest, sync_sha256_ctx(ctx));
}


void
sync_sha256(const void *data, size_t len,
    unsigned char digest[SYNC_SHA256_LEN])
{
    sync_sha256_t  ctx;

    sync_sha256_init(&ctx);
    sync_sha256_update(&ctx, data, len);
    sync_sha256_final(&ctx, digest);
}


void
sync_hmac_key(sync_hmac_t *key, const void *secret, size_t len)
{
    size_t         i;
    unsigned char  pad[SYNC_HMAC_BLOCK];

    memset(pad, 0, sizeof(pad));

    if (len > SYNC_HMAC_BLOCK) {
        sync_sha256(secret, len, pad);

    } else if (len) {
        memcpy(pad, secret, len);
    }

    for (i = 0; i < SYNC_HMAC_BLOCK; i++) {
        pad[i] ^= 0x36;
    }

    sync_sha256_init(&key->inner);
    sync_sha256_update(&key->inner, pad, SYNC_HMAC_BLOCK);

    for (i = 0; i < SYNC_HMAC_BLOCK; i++) {
        pad[i] ^= 0x36 ^ 0x5c;
    }

    sync_sha256_init(&key->outer);
    sync_sha256_update(&key->outer, pad, SYNC_HMAC_BLOCK);

    OPENSSL_cleanse(pad, sizeof(pad));
}


void
sync_hmac_init(sync_hmac_t *ctx, const sync_hmac_t *key)
{
    *ctx = *key;
}


void
sync_hmac_update(sync_hmac_t *ctx, const void *data, size_t len)
{
    sync_sha256_update(&ctx->inner, data, len);
}


void
sync_hmac_final(sync_hmac_t *ctx, unsigned char mac[SYNC_SHA256_LEN])
{
    unsigned char  digest[SYNC_SHA256_LEN];

    sync_sha256_final(&ctx->inner, digest);
    sync_sha256_update(&ctx->outer, digest, sizeof(digest));
    sync_sha256_final(&ctx->outer, mac);

    OPENSSL_cleanse(ctx, sizeof(sync_hmac_t));
}


void
sync_hmac(const void *secret, size_t secret_len, const void *data,
    size_t len, unsigned char mac[SYNC_SHA256_LEN])
{
    sync_hmac_t  ctx;

    sync_hmac_key(&ctx, secret, secret_len);
    sync_hmac_update(&ctx, data, len);
    sync_hmac_final(&ctx, mac);
}


void
sync_sha1(const sync_str_t *parts, size_t n,
    unsigned char digest[SYNC_SHA1_LEN])
{
    size_t   i;
    SHA_CTX  ctx;

    SHA1_Init(&ctx);

    for (i = 0; i < n; i++) {
        SHA1_Update(&ctx, parts[i].data, parts[i].len);
    }

    SHA1_Final(digest, &ctx);
    OPENSSL_cleanse(&ctx, sizeof(ctx));
}


size_t
sync_digest_len(sync_digest_e digest)
{
    static const size_t  lens[] = {
        SYNC_SHA256_LEN, SHA512_DIGEST_LENGTH, SHA_DIGEST_LENGTH
    };

    return lens[digest];
}


sync_rc_t
sync_mac(sync_digest_e digest, sync_str_t secret, const sync_str_t *pieces,
    size_t n, unsigned char mac[SYNC_MAC_MAX], size_t *len)
{
    int           good;
    size_t        i;
    unsigned      bytes;
    HMAC_CTX     *ctx;
    sync_hmac_t   hmac;

    *len = sync_digest_len(digest);

    if (digest == SYNC_DIGEST_SHA256) {
        sync_hmac_key(&hmac, secret.data, secret.len);

        for (i = 0; i < n; i++) {
            sync_hmac_update(&hmac, pieces[i].data, pieces[i].len);
        }

        sync_hmac_final(&hmac, mac);

        return SYNC_OK;
    }

    if (secret.len > INT32_MAX) {
        return SYNC_FAULT;
    }

    ctx = HMAC_CTX_new();

    /* of an empty key OpenSSL wants a place all the same */

    good = ctx != NULL
           && HMAC_Init_ex(ctx, secret.len ? (const void *) secret.data : "",
                           (int) secret.len,
                           digest == SYNC_DIGEST_SHA512 ? EVP_sha512()
                                                        : EVP_sha1(),
                           NULL);

    for (i = 0; i < n && good; i++) {
        good = HMAC_Update(ctx, pieces[i].data, pieces[i].len);
    }

    good = good && HMAC_Final(ctx, mac, &bytes) && bytes == *len;

    HMAC_CTX_free(ctx);

    if (!good) {
        ERR_clear_error();
        return SYNC_FAULT;
    }

    return SYNC_OK;
}


sync_rc_t
sync_ed25519_verify(const unsigned char key[SYNC_ED25519_KEY_LEN],
    const unsigned char signature[SYNC_ED25519_SIG_LEN], sync_str_t message)
{
    sync_rc_t    rc;
    EVP_PKEY    *pkey;
    EVP_MD_CTX  *ctx;

    ctx = EVP_MD_CTX_new();
    pkey = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key,
                                       SYNC_ED25519_KEY_LEN);

    if (ctx == NULL || pkey == NULL
        || EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, pkey) != 1)
    {
        rc = SYNC_FAULT;

    } else {
        rc = EVP_DigestVerify(ctx, signature, SYNC_ED25519_SIG_LEN,
                              message.data, message.len)
             == 1 ? SYNC_OK : SYNC_NO;
    }

    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(pkey);

    if (rc != SYNC_OK) {
        ERR_clear_error();
    }

    return rc;
}


sync_rc_t
sync_hkdf(sync_str_t secret, sync_str_t salt, sync_str_t info,
    unsigned char *out, size_t len)
{
    size_t         n;
    sync_hmac_t    key, ctx;
    unsigned char  i, t[SYNC_SHA256_LEN];

    if (len > 255 * SYNC_SHA256_LEN) {
        return SYNC_NO;
    }

    /* no salt is a salt of zeros, which is what an empty HMAC key is */

    sync_hmac(salt.data, salt.len, secret.data, secret.len, t);
    sync_hmac_key(&key, t, sizeof(t));

    for (i = 1; len != 0; i++) {
        sync_hmac_init(&ctx, &key);

        if (i > 1) {
            sync_hmac_update(&ctx, t, sizeof(t));
        }

        sync_hmac_update(&ctx, info.data, info.len);
        sync_hmac_update(&ctx, &i, 1);
        sync_hmac_final(&ctx, t);

        n = len < sizeof(t) ? len : sizeof(t);
        memcpy(out, t, n);
        out += n;
        len -= n;
    }

    OPENSSL_cleanse(&key, sizeof(key));
    OPENSSL_cleanse(t, sizeof(t));

    return SYNC_OK;
}


sync_rc_t
sync_aead_seal(const unsigned char key[SYNC_AEAD_KEY_LEN],
    const unsigned char nonce[SYNC_AEAD_NONCE_LEN], const sync_str_t *aad,
    size_t naad, unsigned char *text, size_t len)
{
    int              n, done;
    EVP_CIPHER_CTX  *ctx;

    if (len > INT32_MAX) {
        return SYNC_FAULT;
    }

    ctx = sync_aead_begin(key, nonce, 1, aad, naad);

    done = ctx != NULL
           && (len == 0 || EVP_EncryptUpdate(ctx, text, &n, text, (int) len))
           && EVP_EncryptFinal_ex(ctx, text + len, &n)
           && EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG,
                                  SYNC_AEAD_TAG_LEN, text + len);

    EVP_CIPHER_CTX_free(ctx);

    if (!done) {
        ERR_clear_error();
        return SYNC_FAULT;
    }

    return SYNC_OK;
}


sync_rc_t
sync_aead_open(const unsigned char key[SYNC_AEAD_KEY_LEN],
    const unsigned char nonce[SYNC_AEAD_NONCE_LEN], const sync_str_t *aad,
    size_t naad, sync_str_t in, unsigned char *out)
{
    int              n;
    size_t           len;
    sync_rc_t        rc;
    unsigned char    tag[SYNC_AEAD_TAG_LEN], none[1];
    EVP_CIPHER_CTX  *ctx;

    if (in.len < SYNC_AEAD_TAG_LEN || in.len > INT32_MAX) {
        return SYNC_NO;
    }

    len = in.len - SYNC_AEAD_TAG_LEN;
    memcpy(tag, in.data + len, SYNC_AEAD_TAG_LEN);

    ctx = sync_aead_begin(key, nonce, 0, aad, naad);

    if (ctx == NULL
        || (len && !EVP_DecryptUpdate(ctx, out, &n, in.data, (int) len))
        || !EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG,
                                SYNC_AEAD_TAG_LEN, tag))
    {
        rc = SYNC_FAULT;

    } else {
        rc = EVP_DecryptFinal_ex(ctx, none, &n) == 1 ? SYNC_OK : SYNC_NO;
    }

    EVP_CIPHER_CTX_free(ctx);

    if (rc != SYNC_OK) {

        /* decrypted, but by nobody vouched for */

        OPENSSL_cleanse(out, len);
        ERR_clear_error();
    }

    return rc;
}


/*
 * The cipher is looked up once: OpenSSL takes as long for that as for a short
 * text.  A context of its own for each text is cheap, and wiped when freed.
 */

static EVP_CIPHER_CTX *
sync_aead_begin(const unsigned char *key, const unsigned char *nonce,
    int encrypt, const sync_str_t *aad, size_t naad)
{
    int              n, good;
    size_t           i, len;
    unsigned char    bytes[SYNC_AEAD_BOUND];
    EVP_CIPHER_CTX  *ctx;

    if (sync_aead_cipher == NULL) {
        sync_aead_cipher = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
        if (sync_aead_cipher == NULL) {
            return NULL;
        }
    }

    ctx = EVP_CIPHER_CTX_new();
    if (ctx == NULL) {
        return NULL;
    }

    good = EVP_CipherInit_ex2(ctx, sync_aead_cipher, key, nonce, encrypt,
                              NULL);

    /* small pieces in one go: each call costs more than their bytes */

    for (i = 0, len = 0; i < naad && good; i++) {

        if (aad[i].len <= sizeof(bytes) - len) {

            if (aad[i].len) {
                memcpy(bytes + len, aad[i].data, aad[i].len);
                len += aad[i].len;
            }

            continue;
        }

        good = aad[i].len <= INT32_MAX
               && (len == 0
                   || EVP_CipherUpdate(ctx, NULL, &n, bytes, (int) len))
               && EVP_CipherUpdate(ctx, NULL, &n, aad[i].data,
                                   (int) aad[i].len);
        len = 0;
    }

    if (good && len) {
        good = EVP_CipherUpdate(ctx, NULL, &n, bytes, (int) len);
    }

    if (!good) {
        EVP_CIPHER_CTX_free(ctx);
        return NULL;
    }

    return ctx;
}


/*
 * A call into OpenSSL costs a microsecond and a system call, whatever its
 * length: short requests are served from a stock, and each byte only once.  A
 * child must not have the stock of its parent.
 */

sync_rc_t
sync_random(void *buf, size_t len)
{
    if (len > sizeof(sync_random_stock)) {
        return sync_random_fill(buf, len);
    }

    if (!sync_random_watched) {

        if (pthread_atfork(NULL, NULL, sync_random_forked) != 0) {
            return sync_random_fill(buf, len);
        }

        sync_random_watched = 1;
    }

    if (len > sync_random_left) {

        if (sync_random_fill(sync_random_stock, sizeof(sync_random_stock))
            != SYNC_OK)
        {
            return SYNC_FAULT;
        }

        sync_random_left = sizeof(sync_random_stock);
    }

    sync_random_left -= len;

    memcpy(buf, sync_random_stock + sync_random_left, len);
    memset(sync_random_stock + sync_random_left, 0, len);

    return SYNC_OK;
}


static sync_rc_t
sync_random_fill(void *buf, size_t len)
{
    if (len > INT32_MAX || RAND_bytes(buf, (int) len) != 1) {

        /* NGINX would report what we leave behind */

        ERR_clear_error();
        return SYNC_FAULT;
    }

    return SYNC_OK;
}


static void
sync_random_forked(void)
{
    sync_random_left = 0;
    sync_wipe(sync_random_stock, sizeof(sync_random_stock));
}


int
sync_secret_eq(sync_str_t a, sync_str_t b)
{
    return a.len == b.len
           && (a.len == 0 || CRYPTO_memcmp(a.data, b.data, a.len) == 0);
}


size_t
sync_base64_encode(unsigned char *dst, const void *src, size_t len)
{
    return sync_base64_write(dst, src, len,
                             "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                             "abcdefghijklmnopqrstuvwxyz0123456789+/", 1);
}


size_t
sync_base64url_encode(unsigned char *dst, const void *src, size_t len)
{
    return sync_base64_write(dst, src, len,
                             "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                             "abcdefghijklmnopqrstuvwxyz0123456789-_", 0);
}


static size_t
sync_base64_write(unsigned char *dst, const void *src, size_t len,
    const char *alphabet, unsigned padded)
{
    uint32_t              bits;
    const unsigned char  *s;
    unsigned char        *d;

    s = src;
    d = dst;

    for ( /* void */ ; len >= 3; len -= 3, s += 3) {
        bits = (uint32_t) s[0] << 16 | (uint32_t) s[1] << 8 | s[2];

        *d++ = alphabet[bits >> 18];
        *d++ = alphabet[(bits >> 12) & 0x3f];
        *d++ = alphabet[(bits >> 6) & 0x3f];
        *d++ = alphabet[bits & 0x3f];
    }

    if (len == 0) {
        return (size_t) (d - dst);
    }

    bits = (uint32_t) s[0] << 16 | (len == 2 ? (uint32_t) s[1] << 8 : 0);

    *d++ = alphabet[bits >> 18];
    *d++ = alphabet[(bits >> 12) & 0x3f];

    if (len == 2) {
        *d++ = alphabet[(bits >> 6) & 0x3f];

    } else if (padded) {
        *d++ = '=';
    }

    if (padded) {
        *d++ = '=';
    }

    return (size_t) (d - dst);
}


sync_rc_t
sync_base64_decode(unsigned char *dst, size_t *len, sync_str_t src)
{
    unsigned  pad;

    if (src.len % 4) {
        return SYNC_NO;
    }

    for (pad = 0; pad < 2 && src.len && src.data[src.len - 1] == '='; pad++) {
        src.len--;
    }

    return sync_base64_read(dst, len, src, '+', '/');
}


sync_rc_t
sync_base64url_decode(unsigned char *dst, size_t *len, sync_str_t src)
{
    return sync_base64_read(dst, len, src, '-', '_');
}


static sync_rc_t
sync_base64_read(unsigned char *dst, size_t *len, sync_str_t src,
    unsigned char plus, unsigned char slash)
{
    int             digit;
    size_t          i;
    uint32_t        bits;
    unsigned        have;
    unsigned char  *d;

    d = dst;
    bits = 0;
    have = 0;

    /* four digits are three bytes; what is none of the digits is below */

    for (i = 0; src.len - i >= 4; i += 4) {

        for (have = 0; have < 4; have++) {
            digit = sync_base64_digit(src.data[i + have], plus, slash);
            if (digit < 0) {
                return SYNC_NO;
            }
            bits = bits << 6 | (uint32_t) digit;
        }

        *d++ = (unsigned char) (bits >> 16);
        *d++ = (unsigned char) (bits >> 8);
        *d++ = (unsigned char) bits;
    }

    bits = 0;
    have = 0;

    for ( /* void */ ; i < src.len; i++) {
        digit = sync_base64_digit(src.data[i], plus, slash);

        if (digit < 0) {
            return SYNC_NO;
        }

        bits = bits << 6 | (uint32_t) digit;
        have += 6;

        if (have >= 8) {
            have -= 8;
            *d++ = (unsigned char) (bits >> have);
            bits &= (1u << have) - 1;
        }
    }

    /* a lone last digit has no byte; bits left over must be zero */

    if (have == 6 || bits != 0) {
        return SYNC_NO;
    }

    *len = (size_t) (d - dst);

    return SYNC_OK;
}


/* What both alphabets share, by a table; the two others by their names. */

static int
sync_base64_digit(unsigned char c, unsigned char plus, unsigned char slash)
{
    static const signed char  digits[128] = {
        -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
        -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
        -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
        52, 53, 54, 55, 56, 57, 58, 59, 60, 61, -1, -1, -1, -1, -1, -1,
        -1,  0,  1,  2,  3,  4,  5,  6,  7,  8,  9, 10, 11, 12, 13, 14,
        15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, -1, -1, -1, -1, -1,
        -1, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40,
        41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, -1, -1, -1, -1, -1
    };

    if (c < 128 && digits[c] >= 0) {
        return digits[c];
    }

    return c == plus ? 62 : c == slash ? 63 : -1;
}


size_t
sync_hex_encode(unsigned char *dst, const void *src, size_t len)
{
    size_t                i;
    unsigned char        *restrict p;
    const unsigned char  *restrict s;

    p = dst;
    s = src;

    /* without a table, so that the compiler takes many at once */

    for (i = 0; i < len; i++) {
        p[2 * i] = (s[i] >> 4) + ((s[i] >> 4) > 9 ? 'a' - 10 : '0');
        p[2 * i + 1] = (s[i] & 0x0f) + ((s[i] & 0x0f) > 9 ? 'a' - 10 : '0');
    }

    return 2 * len;
}


sync_rc_t
sync_hex_decode(unsigned char *dst, sync_str_t src)
{
    int     high, low;
    size_t  i;

    if (src.len % 2) {
        return SYNC_NO;
    }

    for (i = 0; i < src.len; i += 2) {
        high = sync_hex_digit(src.data[i]);
        low = sync_hex_digit(src.data[i + 1]);

        if (high < 0 || low < 0) {
            return SYNC_NO;
        }

        *dst++ = (unsigned char) (high << 4 | low);
    }

    return SYNC_OK;
}


static int
sync_hex_digit(unsigned char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }

    c |= 0x20;

    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}
