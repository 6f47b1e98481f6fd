
/*
 * What signs and proves on the way out: assertions (RFC 7523), requests to a
 * token endpoint and its answers (RFC 6749), OAuth 1.0a (RFC 5849), and the
 * UsernameToken of WS-Security (OASIS, 1.1).
 *
 * All that is made holds a secret or a proof: the caller wipes it.
 */


#ifndef SYNC_CREDENTIALS_H_INCLUDED_
#define SYNC_CREDENTIALS_H_INCLUDED_


#include "sync_core.h"
#include "sync_text.h"


/*
 * Adds s with all but the unreserved characters of RFC 3986 as %XX, upper
 * case: RFC 5849 3.6, and what a form may be written in, too.
 */
void sync_percent_add(sync_text_t *text, sync_str_t s);

/* Adds "&name=value", without the "&" where the text is empty. */
void sync_percent_member(sync_text_t *text, const char *name,
    sync_str_t value);


/* ---- assertions ---- */

#define SYNC_ASSERTION_LIFETIME  240     /* seconds; RFC 7523 wants it short */

typedef struct {
    sync_str_t   issuer;             /* where claims does not say */
    sync_str_t   subject;            /* empty: the issuer that claims says */
    sync_str_t   audience;
    sync_str_t   claims;             /* a JSON object, or empty */
    sync_str_t   id;                 /* jti */
    int64_t      now;                /* seconds since 1970 */
} sync_assertion_t;

/*
 * The claims of an assertion as JSON.  OK; NO: err->what is that of
 * sync_json_parse() or "not-an-object"; FAULT.
 */
sync_rc_t sync_assertion(const sync_assertion_t *a, sync_arena_t *arena,
    sync_str_t *payload, sync_error_t *err);


/* ---- answers of a token endpoint, RFC 6749 5.1 ---- */

#define SYNC_TOKEN_SIZE      8192        /* bytes of a token, at most */
#define SYNC_TOKEN_LONGEST   (24 * 3600 * INT64_C(1000))     /* ms */
#define SYNC_TOKEN_SHORTEST  1000        /* ms: those who wait for it use it */
#define SYNC_TOKEN_UNSAID    (300 * INT64_C(1000))

typedef struct {
    sync_str_t   token;              /* in the arena */
    int64_t      lifetime;           /* ms, between the two bounds */
} sync_token_answer_t;

/*
 * unsaid: lifetime, in ms, of a token that does not say (a positive whole
 * number, as a number or as a string, does).  OK; NO: err->what is "syntax"
 * or another of sync_value_parse(), "not-an-object", "no-token" (missing, or
 * nothing that a header may have), "token-type" (not Bearer), "too-large";
 * FAULT.
 */
sync_rc_t sync_token_answer(sync_str_t text, int64_t unsaid,
    sync_arena_t *arena, sync_token_answer_t *answer, sync_error_t *err);

/*
 * The "error" of a refusal (RFC 6749 5.2), where it is one of letters, digits
 * and "_-."; else empty.  For logs.
 */
sync_str_t sync_token_error(sync_str_t text, sync_arena_t *arena);


/* ---- OAuth 1.0a ---- */

typedef struct {
    sync_str_t   method;             /* upper case */
    sync_str_t   scheme;             /* "https" */
    sync_str_t   authority;          /* what Host says */
    sync_str_t   target;             /* path and query, as sent */
    sync_str_t   form;               /* the body of a form, or empty */
    sync_str_t   consumer_key;
    sync_str_t   consumer_secret;
    sync_str_t   token;              /* empty: none */
    sync_str_t   token_secret;
    sync_str_t   realm;              /* empty: none */
    sync_str_t   nonce;
    int64_t      now;                /* seconds since 1970 */
    unsigned     sha1:1;             /* HMAC-SHA1, else HMAC-SHA256 */
    unsigned     version:1;          /* oauth_version goes along */
} sync_oauth1_t;

#define SYNC_OAUTH1_MEMBERS  512     /* of query and form together */

/*
 * The signature base string (3.4.1), and the value of Authorization (3.5.1).
 * NO: more members than the bound; FAULT.
 */
sync_rc_t sync_oauth1_base(const sync_oauth1_t *o, sync_arena_t *arena,
    sync_str_t *base);
sync_rc_t sync_oauth1(const sync_oauth1_t *o, sync_arena_t *arena,
    sync_str_t *authorization);


/* ---- WS-Security ---- */

#define SYNC_WSSE_NONCE  16              /* bytes */

typedef struct {
    sync_str_t           user;
    sync_str_t           password;
    const unsigned char *nonce;          /* SYNC_WSSE_NONCE */
    int64_t              now;            /* seconds since 1970 */
    unsigned             text:1;         /* PasswordText, else a digest */
    unsigned             soap12:1;
} sync_wsse_t;

/*
 * base64 of SHA-1(nonce, created, password): PasswordDigest.  dst has room for
 * 28 bytes.
 */
void sync_wsse_digest(sync_str_t nonce, sync_str_t created,
    sync_str_t password, unsigned char dst[28]);

/*
 * An envelope as sync_soap_write() makes it, with a wsse:Security among its
 * headers.  OK; NO: not such an envelope, or a user that XML cannot say;
 * FAULT.
 */
sync_rc_t sync_wsse(const sync_wsse_t *w, sync_str_t envelope,
    sync_arena_t *arena, sync_str_t *text);


/* ---- a secret inside a JSON body ---- */

/*
 * The text with value, a string, at pointer: in place of what is there, or as
 * a new member of the object that is its parent, or (index as long as it) at
 * the end of an array.  OK; NO: there is no such place; FAULT.
 */
sync_rc_t sync_body_put(sync_str_t text, sync_str_t pointer, sync_str_t value,
    sync_arena_t *arena, sync_str_t *out);


#endif /* SYNC_CREDENTIALS_H_INCLUDED_ */
