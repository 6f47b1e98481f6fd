
/*
 * Digests, keyed digests, key derivation, authenticated encryption, random
 * bytes and their text forms.
 * OpenSSL stands behind it.  Contexts are plain memory: copied by assignment,
 * nothing to free, wiped by the caller where they hold a secret.
 */


#ifndef SYNC_CRYPTO_H_INCLUDED_
#define SYNC_CRYPTO_H_INCLUDED_


#include "sync_core.h"


#define SYNC_SHA256_LEN  32


/* SHA-256, FIPS 180-4.  A context may be copied half-way and go on twice. */

typedef struct {
    uint64_t  opaque[14];
} sync_sha256_t;

void sync_sha256_init(sync_sha256_t *ctx);
void sync_sha256_update(sync_sha256_t *ctx, const void *data, size_t len);
void sync_sha256_final(sync_sha256_t *ctx,
    unsigned char digest[SYNC_SHA256_LEN]);
void sync_sha256(const void *data, size_t len,
    unsigned char digest[SYNC_SHA256_LEN]);


/*
 * HMAC-SHA-256, RFC 2104.  A key is set once and holds both pads digested;
 * each message starts from a copy of it:
 *
 *     sync_hmac_init(&ctx, &key);
 *     sync_hmac_update(&ctx, data, len);
 *     sync_hmac_final(&ctx, mac);
 */

typedef struct {
    sync_sha256_t  inner;
    sync_sha256_t  outer;
} sync_hmac_t;

void sync_hmac_key(sync_hmac_t *key, const void *secret, size_t len);
void sync_hmac_init(sync_hmac_t *ctx, const sync_hmac_t *key);
void sync_hmac_update(sync_hmac_t *ctx, const void *data, size_t len);
void sync_hmac_final(sync_hmac_t *ctx, unsigned char mac[SYNC_SHA256_LEN]);
void sync_hmac(const void *secret, size_t secret_len, const void *data,
    size_t len, unsigned char mac[SYNC_SHA256_LEN]);


/*
 * SHA-1, for protocols of others that know nothing better.  The parts are
 * digested as one text.
 */

#define SYNC_SHA1_LEN  20

void sync_sha1(const sync_str_t *parts, size_t n,
    unsigned char digest[SYNC_SHA1_LEN]);


/*
 * HMAC of a message in pieces, by one of several digests.  mac has room for
 * SYNC_MAC_MAX; OK and *len, or FAULT.
 */

typedef enum {
    SYNC_DIGEST_SHA256 = 0,
    SYNC_DIGEST_SHA512,
    SYNC_DIGEST_SHA1
} sync_digest_e;

#define SYNC_MAC_MAX  64

sync_rc_t sync_mac(sync_digest_e digest, sync_str_t secret,
    const sync_str_t *pieces, size_t n, unsigned char mac[SYNC_MAC_MAX],
    size_t *len);

/* Bytes of a digest, and so of its HMAC. */
size_t sync_digest_len(sync_digest_e digest);


/*
 * Ed25519, RFC 8032.  OK: signed by the owner of the key; NO; FAULT: memory or
 * library, nobody knows.
 */

#define SYNC_ED25519_KEY_LEN  32
#define SYNC_ED25519_SIG_LEN  64

sync_rc_t sync_ed25519_verify(const unsigned char key[SYNC_ED25519_KEY_LEN],
    const unsigned char signature[SYNC_ED25519_SIG_LEN], sync_str_t message);


/*
 * HKDF-SHA-256, RFC 5869, extract and expand.  An empty salt is allowed.
 * NO: len is over 255 * 32 (nothing is written).
 */
sync_rc_t sync_hkdf(sync_str_t secret, sync_str_t salt, sync_str_t info,
    unsigned char *out, size_t len);


/*
 * AES-256-GCM, NIST SP 800-38D.  What is authenticated but not encrypted comes
 * in pieces that are taken as one text: who needs their borders puts lengths
 * into them.  A key and a nonce together encrypt one text, ever.
 */

#define SYNC_AEAD_KEY_LEN    32
#define SYNC_AEAD_NONCE_LEN  12
#define SYNC_AEAD_TAG_LEN    16

/* In place; the tag goes behind the text, where it has room.  OK or FAULT. */
sync_rc_t sync_aead_seal(const unsigned char key[SYNC_AEAD_KEY_LEN],
    const unsigned char nonce[SYNC_AEAD_NONCE_LEN], const sync_str_t *aad,
    size_t naad, unsigned char *text, size_t len);

/*
 * in ends with its tag; out has room for the rest of it.  NO: not what was
 * sealed (out is wiped).  FAULT: out is wiped, too.
 */
sync_rc_t sync_aead_open(const unsigned char key[SYNC_AEAD_KEY_LEN],
    const unsigned char nonce[SYNC_AEAD_NONCE_LEN], const sync_str_t *aad,
    size_t naad, sync_str_t in, unsigned char *out);


/*
 * Unpredictable bytes.  OK, or FAULT: the bytes must not be used.  For one
 * thread of a process; a forked child begins anew.
 */
sync_rc_t sync_random(void *buf, size_t len);

/* Equal contents, in time that depends on the lengths alone. */
int sync_secret_eq(sync_str_t a, sync_str_t b);


/*
 * Text forms, RFC 4648.  Encoders write no NUL and return the bytes written;
 * room is what they need at most.
 */

#define sync_base64_room(len)          (((len) + 2) / 3 * 4)
#define sync_base64_bytes(len)         ((len) / 4 * 3)
#define sync_base64url_bytes(len)      ((len) / 4 * 3 + 2)

/* Section 4, padded: for Authorization: Basic. */
size_t sync_base64_encode(unsigned char *dst, const void *src, size_t len);

/*
 * Strict: padded to a multiple of four, no white space, no other character,
 * unused bits zero.  dst has room for sync_base64_bytes(src.len); OK and *len,
 * or NO.
 */
sync_rc_t sync_base64_decode(unsigned char *dst, size_t *len, sync_str_t src);

/* Section 5, not padded, as RFC 7515 has it. */
size_t sync_base64url_encode(unsigned char *dst, const void *src, size_t len);

/*
 * Strict: no padding, no white space, no other character, unused bits zero.
 * dst has room for sync_base64url_bytes(src.len); OK and *len, or NO.
 */
sync_rc_t sync_base64url_decode(unsigned char *dst, size_t *len,
    sync_str_t src);

/* Lower case; room for 2 * len. */
size_t sync_hex_encode(unsigned char *dst, const void *src, size_t len);

/* Either case; dst has room for src.len / 2.  OK or NO. */
sync_rc_t sync_hex_decode(unsigned char *dst, sync_str_t src);


/*
 * What a certificate (RFC 5280) says of its holder, in sync_crypto_x509.c.
 * Nothing of it is verified here.
 */

typedef enum {
    SYNC_X509_DNS = 0,
    SYNC_X509_URI,
    SYNC_X509_EMAIL,
    SYNC_X509_IP                         /* 4 or 16 bytes */
} sync_x509_san_e;

typedef struct {
    sync_x509_san_e  kind;
    sync_str_t       value;              /* as it came, whatever is in it */
} sync_x509_san_t;

typedef struct {
    sync_str_t        subject;           /* RFC 2253; empty: it has none */
    sync_x509_san_t  *sans;
    size_t            nsans;
} sync_x509_t;

/*
 * Of the DER, into the arena.  Alternative names of other kinds are left out;
 * all are, where the extension is there twice or broken.  OK; NO: this is no
 * certificate; FAULT: no memory.
 */
sync_rc_t sync_x509_read(sync_x509_t *x509, sync_arena_t *arena,
    sync_str_t der);


#endif /* SYNC_CRYPTO_H_INCLUDED_ */
