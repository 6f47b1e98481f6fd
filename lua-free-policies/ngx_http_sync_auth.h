
/*
 * What the files of sync_auth share: the steps (ngx_http_sync_auth_module.c),
 * its configuration (.._conf.c), sync_issuer (.._issuer.c), tokens
 * (.._token.c), who vouches for them (.._trust.c), the tokens that were
 * verified before (.._cache.c), the proofs of what they are bound to
 * (.._dpop.c), API keys (.._key.c), signatures (.._signature.c) and what those
 * are told who are not let in (.._answer.c).
 */


#ifndef NGX_HTTP_SYNC_AUTH_H_INCLUDED_
#define NGX_HTTP_SYNC_AUTH_H_INCLUDED_


#include "ngx_http_sync.h"
#include "ngx_http_sync_registry.h"
#include "ngx_http_sync_auth_signature.h"
#include "sync_crypto.h"
#include "ngx_http_sync_flight.h"
#include "ngx_http_sync_egress.h"
#include "sync_jose.h"


#define NGX_HTTP_SYNC_AUTH_TOKEN     0x01
#define NGX_HTTP_SYNC_AUTH_API_KEY   0x02
#define NGX_HTTP_SYNC_AUTH_OPTIONAL  0x04
#define NGX_HTTP_SYNC_AUTH_SIGNATURE 0x08
#define NGX_HTTP_SYNC_AUTH_CERTIFICATE 0x10

#define NGX_HTTP_SYNC_DPOP_OFF       0
#define NGX_HTTP_SYNC_DPOP_ON        1       /* beside Bearer */
#define NGX_HTTP_SYNC_DPOP_REQUIRED  2

#define NGX_HTTP_SYNC_AUTH_AUDIENCES 16  /* of one issuer, at most */
#define NGX_HTTP_SYNC_AUTH_LEEWAY    30  /* seconds between two clocks */


typedef struct ngx_http_sync_revoked_s     ngx_http_sync_revoked_t;
typedef struct ngx_http_sync_introspect_s  ngx_http_sync_introspect_t;


/* A sync_issuer: trusted by the platform, for many tenants. */

typedef struct {
    sync_str_t                   issuer;
    ngx_array_t                  audience;   /* of sync_str_t */
    sync_jwt_names_t             names;      /* tenant: never empty */
    sync_jwks_t                 *keys;       /* NULL: they are fetched */
    sync_str_t                   url;        /* from there; empty: discover */
    ngx_http_sync_introspect_t  *introspect; /* NULL: it is not asked */
    unsigned                     at_jwt:1;
    unsigned                     keyless:1;  /* it is asked about each token */
} ngx_http_sync_issuer_t;


typedef struct {
    ngx_array_t                  issuers;    /* of ngx_http_sync_issuer_t */
    ngx_array_t                  metadata;   /* of ngx_http_sync_metadata_t */
    uint64_t                     generation; /* digest of all of them */
    ngx_sync_store_t            *store;      /* NULL: no tokens anywhere */
    ngx_sync_fetch_conf_t       *fetch;      /* NULL: nothing is fetched */
    ngx_http_sync_revoked_t     *revoked;    /* sync_revoked; or NULL */
    ngx_sync_store_t            *seen;       /* of proofs; NULL: none asked */
} ngx_http_sync_auth_main_conf_t;


typedef struct {
    ngx_uint_t                   proofs;     /* bits; 0: off */
    ngx_str_t                    header;     /* of the API key, lower case */
    ngx_uint_t                   at_jwt;     /* typ=at+jwt */
    ngx_http_sync_signature_conf_t  *signature;  /* NULL: none */
    ngx_uint_t                   public_url; /* there is one here */
    ngx_uint_t                   dpop;       /* NGX_HTTP_SYNC_DPOP_... */
    time_t                       dpop_age;   /* s that a proof may be old */
    time_t                       dpop_nonce; /* s of a nonce; 0: none */
    ngx_array_t                 *scopes;     /* ngx_str_t: of sync_metadata */
} ngx_http_sync_auth_loc_conf_t;


/* A token that was verified, and what its verification is worth. */

typedef struct {
    sync_jwt_t                   jwt;
    uint32_t                     issuer;     /* index in the document, or in
                                                sync_issuer by the bit below */
    uint32_t                     client;     /* index, or SYNC_DOC_NONE */
    uint64_t                     keys;       /* version of those that did it;
                                                0: they are not fetched */
    int64_t                      until;      /* Unix s for which the issuer's
                                                answer serves; 0: it was not
                                                asked, but has signed */
} ngx_http_sync_proven_t;

#define NGX_HTTP_SYNC_AUTH_PLATFORM  0x80000000


/*
 * What a request waits for, in the slot of the auth step.  A member is NULL
 * where nothing is waited for, and withdrawn in ngx_http_sync_auth_cancel().
 */

typedef struct {
    ngx_http_sync_flight_wait_t  *keys;
    ngx_uint_t                    waits;     /* for keys, so far */
    int64_t                       asked;     /* Unix ms, when keys were found
                                                wanting; 0: not yet */
    ngx_http_sync_flight_wait_t  *answer;    /* about the token */
    ngx_event_t                   timer;     /* of either wait */
    ngx_uint_t                    retry;     /* seconds, of a 503 */
    unsigned                      late:1;    /* the deadline is over */
} ngx_http_sync_auth_slot_t;

/* NULL: no memory. */
ngx_http_sync_auth_slot_t *ngx_http_sync_auth_slot(ngx_http_sync_ctx_t *ctx);

/*
 * Waits for the flight, in a member of the slot, until the deadline of the
 * request: NGX_AGAIN; NGX_DECLINED: that is over; NGX_ERROR.
 */
ngx_int_t ngx_http_sync_auth_wait(ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_flight_t *f, ngx_http_sync_flight_wait_t **wait);


/* Whom a token is checked against. */

typedef struct {
    uint32_t                     index;      /* as of ngx_http_sync_proven_t */
    ngx_http_sync_tenant_t      *tenant;     /* whose document it is in */
    uint64_t                     generation; /* of that, or of sync_issuers */
    sync_str_t                   issuer;
    sync_str_t                   url;        /* of its keys; empty: discover */
    sync_jwt_names_t             names;
    sync_str_t                   audience[NGX_HTTP_SYNC_AUTH_AUDIENCES];
    size_t                       naudience;
    unsigned                     at_jwt:1;
    unsigned                     fetched:1;  /* its keys come from elsewhere */
    unsigned                     keyless:1;  /* it is asked about each token */
    unsigned                     foreign:1;  /* another tenant's */
    unsigned                     told:1;     /* it was asked: what it says is
                                                of an access token */
} ngx_http_sync_trust_t;


/*
 * Under which a token is known.  A generation changes with the document and
 * all key sets, so that nothing verified by a withdrawn key is found again.
 */

typedef struct {
    ngx_str_t                    tenant;     /* id, or empty */
    uint64_t                     generation; /* of the tenant, or 0 */
    uint64_t                     platform;   /* of the sync_issuers */
    ngx_str_t                    token;

    u_char                       hash[SYNC_SHA256_LEN];  /* of the token, by */
    unsigned                     hashed:1;   /* the cache; 0 at first */
} ngx_http_sync_token_key_t;


/*
 * Proves the token and fills ctx->principal.  NGX_OK; a status with its
 * problem; NGX_ERROR.
 */
ngx_int_t ngx_http_sync_auth_token(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, ngx_str_t *token);

/*
 * Who vouches: the tenant's own issuer of that name (t NULL: no tenant), else
 * the platform's.  NGX_OK, or NGX_DECLINED: neither trusts it.
 */
ngx_int_t ngx_http_sync_auth_trust(ngx_http_request_t *r,
    ngx_http_sync_tenant_t *t, sync_str_t issuer,
    ngx_http_sync_trust_t *trust);
ngx_int_t ngx_http_sync_auth_trust_at(ngx_http_request_t *r,
    ngx_http_sync_tenant_t *t, uint32_t index, ngx_http_sync_trust_t *trust);

/*
 * Its keys, and their version, 0 where they are not fetched.  NGX_OK; NGX_AGAIN:
 * they are fetched, ctx waits; NGX_DECLINED: they are not at hand.  slot NULL:
 * none is fetched for this.
 */
ngx_int_t ngx_http_sync_auth_keys(ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_trust_t *trust, ngx_http_sync_auth_slot_t *slot,
    sync_jwks_t **keys, uint64_t *version);

/*
 * Asks the issuers what the token is worth: one of them (only: its index), or
 * all that may be asked.  NGX_OK: active, by trust, with its claims in proven,
 * which are to be checked; NGX_AGAIN: ctx waits; NGX_DECLINED: there is nobody
 * to ask; a status with its problem; NGX_ERROR.
 */
ngx_int_t ngx_http_sync_auth_introspect(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, ngx_http_sync_token_key_t *key, uint32_t only,
    ngx_http_sync_trust_t *trust, ngx_http_sync_proven_t *proven);

/*
 * A parameter of sync_issuer: NGX_CONF_OK, NGX_CONF_ERROR, what is wrong, or
 * NGX_HTTP_SYNC_INTROSPECT_OTHER: it is none of introspection.  done() comes
 * after the last.
 */
#define NGX_HTTP_SYNC_INTROSPECT_OTHER  ((char *) 1)

char *ngx_http_sync_introspect_param(ngx_conf_t *cf,
    ngx_http_sync_issuer_t *issuer, ngx_str_t *param);
char *ngx_http_sync_introspect_done(ngx_conf_t *cf,
    ngx_http_sync_issuer_t *issuer);

/* The document's client of that id, or SYNC_DOC_NONE. */
uint32_t ngx_http_sync_auth_client(const sync_doc_t *doc, sync_str_t id);

/*
 * What the token in ctx->principal is bound to, if anything, must be proven.
 * NGX_OK: it is, or need not; NGX_AGAIN: the store is asked; a status with its
 * problem; NGX_ERROR.
 */
ngx_int_t ngx_http_sync_auth_bound(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, ngx_str_t *token);
void ngx_http_sync_auth_bound_cancel(ngx_http_sync_ctx_t *ctx);

/*
 * The certificate that was shown, where nothing else was.  NGX_OK: the
 * principal is its client; NGX_DECLINED: none was shown; 401; NGX_ERROR.
 */
ngx_int_t ngx_http_sync_auth_certificate(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);


/* Why a request is not let in, as the challenge and the problem say it. */

#define NGX_HTTP_SYNC_SCHEME_NONE    0   /* nothing was shown */
#define NGX_HTTP_SYNC_SCHEME_BEARER  1
#define NGX_HTTP_SYNC_SCHEME_DPOP    2
#define NGX_HTTP_SYNC_SCHEME_API_KEY 3
#define NGX_HTTP_SYNC_SCHEME_SIGNATURE 4

typedef struct {
    ngx_uint_t                   scheme;
    const char                  *error;      /* of RFC 6750, 3.1; or NULL */
    const char                  *text;       /* what a client may know */
    const char                  *problem;
    const char                  *title;
} ngx_http_sync_refusal_t;

/* 401 with both, or NGX_ERROR. */
ngx_int_t ngx_http_sync_auth_refuse(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, ngx_http_sync_refusal_t *refusal);

/* 401: nothing was shown; a token that sync_jwt_check() calls so. */
ngx_int_t ngx_http_sync_auth_missing(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);
ngx_int_t ngx_http_sync_auth_reject(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, const char *what);

/*
 * 400; what: what is wrong, one word or some; token: one came, so there is a
 * challenge.
 */
ngx_int_t ngx_http_sync_auth_malformed(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, const char *what, ngx_uint_t token);

/*
 * The worker's table first, then shared memory.  NGX_OK: the strings of
 * proven->jwt are borrowed until the event loop turns; NGX_DECLINED.  Times,
 * audience and all else is the caller's to check.
 */
ngx_int_t ngx_http_sync_token_find(ngx_http_request_t *r,
    ngx_sync_store_t *store, ngx_http_sync_token_key_t *key,
    ngx_http_sync_proven_t *proven);

/* Keeps a token that was just verified.  What does not fit is not kept. */
void ngx_http_sync_token_keep(ngx_http_request_t *r, ngx_sync_store_t *store,
    ngx_http_sync_token_key_t *key, ngx_http_sync_proven_t *proven,
    ngx_msec_t ttl);

/* Forgets the worker's tokens, wiped.  At its exit. */
void ngx_http_sync_token_forget(void);

/*
 * The client of the tenant whose API key this is.  NGX_OK: its index in
 * *client; NGX_DECLINED: nobody's; NGX_ERROR.
 */
ngx_int_t ngx_http_sync_api_key_find(ngx_http_sync_tenant_t *t,
    ngx_str_t *key, uint32_t *client, ngx_log_t *log);


/* A location in which sync_metadata answers. */

typedef struct {
    ngx_http_core_srv_conf_t    *cscf;
    ngx_str_t                    resource;   /* the path of what it is of, as
                                                it comes here */
} ngx_http_sync_metadata_t;

/* Where the metadata of what was asked for stands; empty: nowhere. */
ngx_int_t ngx_http_sync_metadata_url(ngx_http_request_t *r, ngx_str_t *url);


/* Setters of sync_auth and sync_issuer, and the configuration behind them. */
char *ngx_http_sync_metadata(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_sync_auth(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_sync_issuer(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
void *ngx_http_sync_auth_create_main_conf(ngx_conf_t *cf);
void *ngx_http_sync_auth_create_loc_conf(ngx_conf_t *cf);
char *ngx_http_sync_auth_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);


extern const ngx_http_sync_step_t  ngx_http_sync_auth_step;
extern const ngx_http_sync_step_t  ngx_http_sync_admit_step;

/* Is this token, or its client, on a list of what no longer counts? */
ngx_uint_t ngx_http_sync_auth_revoked(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, ngx_http_sync_proven_t *proven);
char *ngx_http_sync_revoked(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);


extern ngx_module_t  ngx_http_sync_auth_module;


#endif /* NGX_HTTP_SYNC_AUTH_H_INCLUDED_ */
