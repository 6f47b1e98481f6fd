
/*
 * What the ways to find a server share: addresses that may need a resolver,
 * and what is asked of a server before it is trusted.  For net/ alone.
 */


#ifndef NGX_SYNC_REDIS_TOPOLOGY_H_INCLUDED_
#define NGX_SYNC_REDIS_TOPOLOGY_H_INCLUDED_


#include "ngx_sync_redis.h"
#include "ngx_sync_redis_url.h"


#define NGX_SYNC_REDIS_ADDRS_MAX  16     /* of one name */
#define NGX_SYNC_REDIS_HOST_MAX   253
#define NGX_SYNC_REDIS_RUN_ID     40


/* redis->data: what stands in nginx.conf, and what a worker makes of it. */

typedef struct {
    ngx_sync_redis_url_t     url;
    ngx_resolver_t          *resolver;
    ngx_msec_t               resolver_timeout;
    void                    *state;      /* of the topology, in a worker */
    unsigned                 durable:1;  /* its connections WAIT */
} ngx_sync_redis_topo_t;

#define ngx_sync_redis_topo(redis)  ((ngx_sync_redis_topo_t *) (redis)->data)


/*
 * A server that a connection goes to.  Its name may have several addresses:
 * they are tried in turn, and the name is asked for again when all have been.
 */

typedef struct {
    ngx_sync_redis_server_t  server;     /* first: conn->server is this */
    ngx_sync_redis_topo_t   *topo;
    ngx_sync_redis_conn_t   *conn;       /* while it is being resolved */
    ngx_sync_redis_secret_t *secret;     /* behind server.password */
    ngx_resolver_ctx_t      *ctx;

    ngx_sockaddr_t           addrs[NGX_SYNC_REDIS_ADDRS_MAX];
    socklen_t                socklens[NGX_SYNC_REDIS_ADDRS_MAX];
    ngx_uint_t               naddrs;
    ngx_uint_t               next;       /* of them, to be tried */

    unsigned                 literal:1;  /* the host is an address */
    unsigned                 told:1;     /* that it does not let us ask */

    u_char                   run_id[NGX_SYNC_REDIS_RUN_ID];  /* seen last */

    /* of a durable way: answers that are kept back */
    ngx_queue_t              answered;   /* since the WAIT that is under way */
    ngx_queue_t              awaited;    /* before it */
    ngx_event_t              ask;        /* posted: the next WAIT */
    unsigned                 waiting:1;  /* one is under way */

    u_char                   host[NGX_SYNC_REDIS_HOST_MAX + 1];
    u_char                   text[NGX_SYNC_REDIS_HOST_MAX
                                  + sizeof("[]:65535")];
} ngx_sync_redis_target_t;


/*
 * Sets host and port, forgets the addresses of what was there.  NGX_DECLINED:
 * not a host.  as: whose user, password and database, data or sentinel.
 */

typedef enum {
    NGX_SYNC_REDIS_AS_CLIENT = 0,
    NGX_SYNC_REDIS_AS_WATCHER
} ngx_sync_redis_as_e;

void ngx_sync_redis_target_init(ngx_sync_redis_target_t *target,
    ngx_sync_redis_topo_t *topo, ngx_sync_redis_as_e as);
ngx_int_t ngx_sync_redis_target_set(ngx_sync_redis_target_t *target,
    ngx_str_t *host, in_port_t port);
ngx_int_t ngx_sync_redis_target_place(ngx_sync_redis_target_t *target,
    ngx_sync_redis_place_t *place);

/* hooks->resolve of a connection whose server is a target. */
void ngx_sync_redis_target_resolve(ngx_sync_redis_conn_t *conn);

/* The address in use has served: a lost connection begins with the name. */
void ngx_sync_redis_target_good(ngx_sync_redis_target_t *target);

/* hooks->ready: that, and nothing else. */
void ngx_sync_redis_target_ready(ngx_sync_redis_conn_t *conn);

/* Before the target goes. */
void ngx_sync_redis_target_cancel(ngx_sync_redis_target_t *target);


/* INFO, and what it says refuses the server or warns; a look at a mark. */
void ngx_sync_redis_probe(ngx_sync_redis_conn_t *conn);
void ngx_sync_redis_greet_mark(ngx_sync_redis_conn_t *conn, ngx_uint_t i);

/* hooks->greet: both, for a server that has all. */
void ngx_sync_redis_greet(ngx_sync_redis_conn_t *conn);

/* A replica was asked to write, and nothing was written. */
ngx_uint_t ngx_sync_redis_is_readonly(ngx_sync_redis_reply_t *reply);

/*
 * hooks->refused where there is one master: errors that say that nothing was
 * executed and that this is not, or not yet, the server that would.  The
 * command waits for the next connection.
 */
ngx_int_t ngx_sync_redis_refused(ngx_sync_redis_conn_t *conn,
    ngx_sync_redis_cmd_t *cmd, ngx_sync_redis_reply_t *reply);


/*
 * wait=: redis becomes two ways of the same kind, one for commands that are
 * durable.  As ngx_sync_redis_conf().  topo_of: of the first way and the
 * second; NULL: there is none.
 */
char *ngx_sync_redis_wait_conf(ngx_conf_t *cf, ngx_sync_redis_t *redis);
ngx_sync_redis_topo_t *ngx_sync_redis_topo_of(ngx_sync_redis_t *redis,
    ngx_uint_t i);

/* hooks->replied; and before a target goes: those it keeps are freed. */
ngx_int_t ngx_sync_redis_wait_replied(ngx_sync_redis_conn_t *conn,
    ngx_sync_redis_cmd_t *cmd, ngx_sync_redis_reply_t *reply);
void ngx_sync_redis_wait_cancel(ngx_sync_redis_target_t *target);


extern const ngx_sync_redis_topology_t  ngx_sync_redis_sentinel;
extern const ngx_sync_redis_topology_t  ngx_sync_redis_cluster;


#endif /* NGX_SYNC_REDIS_TOPOLOGY_H_INCLUDED_ */
