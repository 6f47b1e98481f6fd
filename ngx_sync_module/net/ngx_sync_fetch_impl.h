
/*
 * What the two halves of a fetch ask of each other.
 */


#ifndef NGX_SYNC_FETCH_IMPL_H_INCLUDED_
#define NGX_SYNC_FETCH_IMPL_H_INCLUDED_


#include "ngx_sync_fetch.h"
#include "sync_crypto.h"
#include "sync_http.h"


#define NGX_SYNC_FETCH_ADDRS  8          /* of a name, tried in turn */


typedef struct ngx_sync_fetch_conn_s  ngx_sync_fetch_conn_t;
typedef struct ngx_sync_fetch_run_s   ngx_sync_fetch_run_t;


/* Belongs to a fetch, or is idle: then in the queue of idle ones. */

struct ngx_sync_fetch_conn_s {
    ngx_peer_connection_t    peer;
    ngx_sync_fetch_run_t    *run;            /* NULL: idle */
    ngx_queue_t              queue;

    ngx_sockaddr_t           addr;           /* where it leads */
    socklen_t                socklen;
    ngx_str_t                name;           /* of the address, for logs */
    u_char                   text[NGX_SOCKADDR_STRLEN];

    u_char                   key[SYNC_SHA256_LEN];   /* host, port, our
                                                        certificate */
    ngx_msec_t               born;
    unsigned                 kept:1;         /* has served before */
    unsigned                 ended:1;        /* TLS close_notify came */
};


struct ngx_sync_fetch_run_s {
    ngx_sync_fetch_t         fetch;          /* first: what others see of it */

    sync_arena_t             arena;          /* fetch.pool */
    sync_url_t               url;
    ngx_str_t                host;
    u_char                   key[SYNC_SHA256_LEN];

    ngx_queue_t              queue;          /* of all that were started */
    ngx_event_t              event;          /* to begin, to tell */
    ngx_event_t              deadline;

    ngx_resolver_ctx_t      *resolving;
    ngx_sockaddr_t           addrs[NGX_SYNC_FETCH_ADDRS];
    socklen_t                socklens[NGX_SYNC_FETCH_ADDRS];
    ngx_uint_t               naddrs;
    ngx_uint_t               next;

    ngx_sync_fetch_conn_t   *conn;
    ngx_str_t                out;            /* the request */
    size_t                   written;
    sync_http_t              http;

    unsigned                 started:1;
    unsigned                 done:1;
    unsigned                 again:1;        /* a stale connection was left */
    unsigned                 bad:1;          /* a header that cannot be */
};


/* ngx_sync_fetch.c */

/* It has ended; the handler is told later.  The connection is gone by then. */
void ngx_sync_fetch_done(ngx_sync_fetch_run_t *run,
    ngx_sync_fetch_result_e result, const char *error);

/* May a fetch go to this address? */
ngx_uint_t ngx_sync_fetch_allowed(ngx_sync_fetch_run_t *run,
    struct sockaddr *sockaddr);

/*
 * A connection ended before a byte of the request was sent, or (stale) before
 * one of the answer came over one that was kept: the next address, or done.
 */
void ngx_sync_fetch_missed(ngx_sync_fetch_run_t *run,
    ngx_sync_fetch_result_e result, const char *error);
void ngx_sync_fetch_stale(ngx_sync_fetch_run_t *run);


/* ngx_sync_fetch_conn.c */

/* Goes over an idle connection: NGX_OK; there is none: NGX_DECLINED. */
ngx_int_t ngx_sync_fetch_reuse(ngx_sync_fetch_run_t *run);

/* NGX_OK: under way; NGX_DECLINED: it failed at once. */
ngx_int_t ngx_sync_fetch_connect(ngx_sync_fetch_run_t *run,
    ngx_sockaddr_t *addr, socklen_t socklen);

void ngx_sync_fetch_close(ngx_sync_fetch_conn_t *conn);
void ngx_sync_fetch_close_idle(void);


#endif /* NGX_SYNC_FETCH_IMPL_H_INCLUDED_ */
