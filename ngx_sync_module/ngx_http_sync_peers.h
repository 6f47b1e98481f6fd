
/*
 * Peers by URL: what the files of the group with sync_peers share among
 * themselves.  All of it belongs to one worker.
 */


#ifndef NGX_HTTP_SYNC_PEERS_H_INCLUDED_
#define NGX_HTTP_SYNC_PEERS_H_INCLUDED_


#include "ngx_http_sync_core.h"
#include "ngx_http_sync_egress.h"


#define NGX_HTTP_SYNC_PEERS_ADDRS   16   /* of a name, that are used */


/* Of sync_peers; one group for all. */

typedef struct {
    ngx_uint_t              keepalive;   /* idle connections of a place */
    ngx_uint_t              total;       /* and of a worker */
    ngx_uint_t              requests;    /* of a connection */
    ngx_msec_t              timeout;     /* idle */
    ngx_msec_t              time;        /* of a connection, at most */
    ngx_uint_t              max_fails;   /* 0: none are counted */
    ngx_msec_t              fail_timeout;
    time_t                  stale;       /* s, beyond the time of an answer */

    ngx_sync_fetch_conf_t  *fetch;       /* what may be called */
    ngx_uint_t              turn;        /* of the worker */
} ngx_http_sync_peers_conf_t;


/* An address of a name.  Known in more than one answer, it is the same one. */

typedef struct {
    ngx_uint_t              refs;        /* sets that have it */
    ngx_uint_t              active;      /* requests that are there now */
    ngx_uint_t              fails;       /* in a row */
    ngx_msec_t              failed;      /* the last */
    ngx_sockaddr_t          sockaddr;    /* with the port */
    socklen_t               socklen;
    ngx_str_t               name;
    u_char                  text[NGX_SOCKADDR_STRLEN];
} ngx_http_sync_peers_addr_t;


/* The addresses of an answer that may be connected to, at least one. */

typedef struct {
    ngx_uint_t                   refs;   /* the name, and requests */
    ngx_uint_t                   n;
    ngx_http_sync_peers_addr_t  *addrs[NGX_HTTP_SYNC_PEERS_ADDRS];
} ngx_http_sync_peers_set_t;


/* Would NGINX verify a certificate where r is? */
ngx_uint_t ngx_http_sync_peers_verified(ngx_http_request_t *r);
/* Logs why not; the status. */
ngx_int_t ngx_http_sync_peers_unverified(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, const char *why);


/* resolve */

/*
 * The addresses of the request's connector, which the step has got; NULL: it
 * has not run here.
 */
ngx_http_sync_peers_set_t *ngx_http_sync_peers_set(ngx_http_sync_ctx_t *ctx);

void ngx_http_sync_peers_resolve_exit(void);


/* pool */

/*
 * A place to connect to: connections are shared within one, and so is a
 * session of TLS.
 */
typedef struct ngx_http_sync_peers_place_s  ngx_http_sync_peers_place_t;

#define NGX_HTTP_SYNC_PEERS_KEY  32

/* Finds or makes the place; gives a reference.  NULL: no memory. */
ngx_http_sync_peers_place_t *ngx_http_sync_peers_place(
    u_char key[NGX_HTTP_SYNC_PEERS_KEY]);
void ngx_http_sync_peers_leave(ngx_http_sync_peers_place_t *place);

/* Is a connection to that address idle? */
ngx_uint_t ngx_http_sync_peers_idle(ngx_http_sync_peers_place_t *place,
    ngx_http_sync_peers_addr_t *addr);
/* Takes one; NULL: none. */
ngx_connection_t *ngx_http_sync_peers_take(ngx_http_sync_peers_place_t *place,
    ngx_http_sync_peers_addr_t *addr, ngx_log_t *log);
/* Keeps c, which is then no more the caller's.  NGX_OK or NGX_DECLINED. */
ngx_int_t ngx_http_sync_peers_keep(ngx_http_sync_peers_place_t *place,
    ngx_http_sync_peers_conf_t *conf, ngx_http_sync_peers_addr_t *addr,
    ngx_connection_t *c);

#if (NGX_HTTP_SSL)

ngx_int_t ngx_http_sync_peers_set_session(ngx_http_sync_peers_place_t *place,
    ngx_connection_t *c);
void ngx_http_sync_peers_save_session(ngx_http_sync_peers_place_t *place,
    ngx_connection_t *c);
void ngx_http_sync_peers_drop_session(ngx_http_sync_peers_place_t *place);

#endif

void ngx_http_sync_peers_pool_exit(void);


extern ngx_module_t  ngx_http_sync_peers_module;
extern const ngx_http_sync_step_t  ngx_http_sync_resolve_step;


#endif /* NGX_HTTP_SYNC_PEERS_H_INCLUDED_ */
