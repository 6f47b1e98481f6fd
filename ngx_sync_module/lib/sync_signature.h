
/*
 * Signatures of webhooks: who has sent these bytes, by a secret that only the
 * two of us know (or by a public key).
 *
 * A scheme says which headers carry what and what is signed.  The profiles are
 * schemes that are written here, by their vendors' documents; "generic" is one
 * that an operator writes.
 *
 *     sync_signature_read()    the headers, before the body is there
 *     sync_signature_key()     a secret as the scheme takes it
 *     sync_signature_verify()  both, against what came
 *
 * Nothing here remembers a message: that one comes twice is for idempotency to
 * see.  Errors never quote a header or a secret.
 */


#ifndef SYNC_SIGNATURE_H_INCLUDED_
#define SYNC_SIGNATURE_H_INCLUDED_


#include "sync_crypto.h"


#define SYNC_SIGNATURE_HEADER  2048      /* bytes of a signature's header */
#define SYNC_SIGNATURE_ID      256       /* of a message's id */
#define SYNC_SIGNATURE_LIST    8         /* signatures of one message */
#define SYNC_SIGNATURE_SECRET  1024      /* bytes of a secret */
#define SYNC_SIGNATURE_PARTS   12        /* of what is signed */
#define SYNC_SIGNATURE_WINDOW  (5 * 60 * 1000)       /* ms */


typedef enum {
    SYNC_SIGNATURE_NONE = 0,
    SYNC_SIGNATURE_STANDARD,             /* Standard Webhooks 1.0.0 */
    SYNC_SIGNATURE_STRIPE,
    SYNC_SIGNATURE_GITHUB,
    SYNC_SIGNATURE_SHOPIFY,
    SYNC_SIGNATURE_HUBSPOT,              /* version 3 */
    SYNC_SIGNATURE_GENERIC,
    SYNC_SIGNATURES
} sync_signature_e;

/* "shopify"; NONE where there is no such profile. */
sync_signature_e sync_signature_by_name(sync_str_t name);
const char *sync_signature_name(sync_signature_e profile);


typedef enum {
    SYNC_SIGNED_TEXT = 0,
    SYNC_SIGNED_BODY,
    SYNC_SIGNED_TIMESTAMP,               /* as its header has it */
    SYNC_SIGNED_ID,
    SYNC_SIGNED_METHOD,
    SYNC_SIGNED_URL
} sync_signed_e;

typedef struct {
    sync_signed_e   kind;
    sync_str_t      text;
} sync_signed_part_t;

typedef enum {
    SYNC_SIGNATURE_HEX = 0,
    SYNC_SIGNATURE_BASE64
} sync_signature_encoding_e;

typedef struct {
    sync_signature_e            profile;
    sync_str_t                  header;      /* of the signature, lower case */
    sync_str_t                  timestamp;   /* header; empty: none, or within
                                                the signature's */
    sync_str_t                  id;          /* header; empty: none */
    sync_str_t                  prefix;      /* of the signature */
    sync_digest_e               digest;
    sync_signature_encoding_e   encoding;
    int64_t                     window;      /* ms, into the past and future */
    sync_signed_part_t          parts[SYNC_SIGNATURE_PARTS];
    size_t                      nparts;
} sync_signature_scheme_t;

/*
 * The scheme of a profile.  Generic: the body alone, by HMAC-SHA-256 in hex,
 * and no header yet.
 */
void sync_signature_scheme(sync_signature_scheme_t *scheme,
    sync_signature_e profile);

/*
 * What is signed: "{timestamp}.{body}", of {body}, {timestamp}, {id}, {method}
 * and {url}.  Strings stay inside text.  NO: err->text; the body must be among
 * them, once.
 */
sync_rc_t sync_signature_template(sync_signature_scheme_t *scheme,
    sync_str_t text, sync_error_t *err);

/* Is that one part of what is signed? */
int sync_signature_signs(const sync_signature_scheme_t *scheme,
    sync_signed_e kind);


/* What a request says of its signature; data NULL: there is no such header. */

typedef struct {
    sync_str_t   signature;
    sync_str_t   timestamp;
    sync_str_t   id;
} sync_signature_headers_t;

typedef struct {
    unsigned char   bytes[SYNC_MAC_MAX];
    size_t          len;
    unsigned        asymmetric:1;
} sync_signature_one_t;

typedef struct {
    const sync_signature_scheme_t  *scheme;
    sync_str_t                      timestamp;   /* inside the headers */
    sync_str_t                      id;
    sync_signature_one_t            list[SYNC_SIGNATURE_LIST];
    size_t                          n;
} sync_signature_t;

/*
 * now in ms since 1970.  NO: err->what is "missing", "malformed", "too-large"
 * or "late" (too early, too).  Those of a list that are unknown or bent are
 * passed over, unless none is left.
 */
sync_rc_t sync_signature_read(sync_signature_t *s,
    const sync_signature_scheme_t *scheme,
    const sync_signature_headers_t *headers, int64_t now, sync_error_t *err);


/* A secret as it verifies: wiped by the caller. */

typedef struct {
    unsigned char   bytes[SYNC_SIGNATURE_SECRET];
    size_t          len;
    unsigned        asymmetric:1;
} sync_signature_key_t;

/*
 * Standard Webhooks: "whsec_" and base64 (or base64 alone) is the key of an
 * HMAC, "whpk_" and base64 a public key.  All others take a secret by its
 * bytes.  NO: it is none; err->text says why, and nothing of it.
 */
sync_rc_t sync_signature_key(sync_signature_key_t *key,
    sync_signature_e profile, sync_str_t secret, sync_error_t *err);


typedef struct {
    sync_str_t   method;
    sync_str_t   url;                    /* by sync_signature_url() */
    sync_str_t   body;                   /* as it came, byte for byte */
} sync_signature_request_t;

/*
 * OK: one of the signatures is by this key; NO; FAULT.  The arena takes a copy
 * of the message where the key is a public one.
 */
sync_rc_t sync_signature_verify(const sync_signature_t *s,
    const sync_signature_request_t *request, const sync_signature_key_t *key,
    sync_arena_t *arena);

/*
 * The URL as it is signed: HubSpot takes twelve characters out of their
 * percent-encoding, and leaves all others in it.  data NULL: no memory.
 */
sync_str_t sync_signature_url(const sync_signature_scheme_t *scheme,
    sync_str_t url, sync_arena_t *arena);


#endif /* SYNC_SIGNATURE_H_INCLUDED_ */
