
/*
 * Key sets that are fetched: by URL, or by discovery (OpenID Connect Discovery
 * 1.0; RFC 8414).  Their text stands in the flights of the node, where one
 * worker fetches for all; each worker parses it once per version.
 *
 *   - a set is asked for again before its time is over (its Cache-Control,
 *     within 1 min and 1 h; 10 min without), while it serves;
 *   - when a token comes whose key it does not have, or whose signature its
 *     key did not make (issuers rotate under the same kid), within a budget;
 *   - while its issuer fails it serves for up to 24 h after it came.
 */


#ifndef NGX_HTTP_SYNC_AUTH_JWKS_H_INCLUDED_
#define NGX_HTTP_SYNC_AUTH_JWKS_H_INCLUDED_


#include "ngx_http_sync_auth.h"


#define NGX_HTTP_SYNC_JWKS_SIZE     (256 * 1024)     /* bytes of a key set */

#define NGX_HTTP_SYNC_JWKS_FRESH    (600 * 1000)     /* ms */
#define NGX_HTTP_SYNC_JWKS_FRESHEST (60 * 1000)
#define NGX_HTTP_SYNC_JWKS_STALEST  (3600 * 1000)
#define NGX_HTTP_SYNC_JWKS_STALE    (24 * 3600 * 1000)

#define NGX_HTTP_SYNC_JWKS_LEAD     (16 * 1000)      /* three fetches */
#define NGX_HTTP_SYNC_JWKS_AGAIN    (5 * 1000)       /* after a failure */
#define NGX_HTTP_SYNC_JWKS_APART    1000             /* forced fetches */
#define NGX_HTTP_SYNC_JWKS_UNKNOWN  (10 * 1000)      /* a set knows that a kid
                                                        is none of it */

/* Fetches per minute, and at once. */
#define NGX_HTTP_SYNC_JWKS_ISSUER_RATE   6           /* forced by tokens */
#define NGX_HTTP_SYNC_JWKS_ISSUER_BURST  4
#define NGX_HTTP_SYNC_JWKS_HOST_RATE     120         /* each of the kinds
                                                        that share one */
#define NGX_HTTP_SYNC_JWKS_HOST_BURST    30


/*
 * The keys of trust, which is fetched.  slot NULL: those at hand or none.
 * NGX_OK; NGX_AGAIN: ctx waits for them; NGX_DECLINED: they are not at hand,
 * slot->retry says when they may be.
 */
ngx_int_t ngx_http_sync_jwks_get(ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_trust_t *trust, ngx_http_sync_auth_slot_t *slot,
    sync_jwks_t **keys, uint64_t *version);

/* Is this version of its keys today's?  No lock and no copy but once a
   second. */
ngx_uint_t ngx_http_sync_jwks_same(ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_trust_t *trust, uint64_t version);

/*
 * The keys that get() gave do not verify a token of that kid (empty: it has
 * one of theirs, or none).  NGX_OK: there are others, get() them; NGX_AGAIN:
 * ctx waits for others; NGX_DECLINED: they are of now, the token is worth
 * nothing; NGX_BUSY: nobody can tell, see slot->retry.
 */
ngx_int_t ngx_http_sync_jwks_wanting(ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_trust_t *trust, ngx_http_sync_auth_slot_t *slot,
    sync_str_t kid);

/* The ages of the keys of sync_issuers, for sync_status. */
u_char *ngx_http_sync_jwks_show(ngx_http_request_t *r, u_char *p,
    u_char *last);

/* At exit of a worker: what it parsed, and what it still fetches. */
void ngx_http_sync_jwks_exit(void);


/* ngx_http_sync_auth_jwks_fetch.c */

typedef struct {
    ngx_sync_fetch_conf_t  *conf;
    ngx_str_t               issuer;
    ngx_str_t               url;         /* empty: is discovered */
    unsigned                trusted:1;   /* stands in nginx.conf */
    unsigned                known:1;     /* has answered within a day */
    unsigned                vital:1;     /* a request waits for it */
} ngx_http_sync_jwks_place_t;

/*
 * Whoever leads the flight fetches; it lands or crashes later, never before
 * this returns NGX_OK.  Strings are copied.  NGX_DECLINED: it has crashed.
 */
ngx_int_t ngx_http_sync_jwks_fetch(ngx_http_sync_flight_t *flight,
    ngx_http_sync_jwks_place_t *place);

void ngx_http_sync_jwks_fetch_exit(void);


#endif /* NGX_HTTP_SYNC_AUTH_JWKS_H_INCLUDED_ */
