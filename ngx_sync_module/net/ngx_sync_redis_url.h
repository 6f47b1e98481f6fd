
/*
 * Where a Redis is and how it is spoken to: what sync_store says, read once
 * at load.  Reading opens no socket and resolves no name.
 *
 *     redis://[USER@]HOST[:PORT][/DB]             rediss:// by TLS
 *     redis+unix:/PATH
 *     redis+sentinel://HOST[:PORT],.../MASTER[/DB]    rediss+sentinel://
 *     redis+cluster://HOST[:PORT],...                 rediss+cluster://
 *
 * and the parameters user= password= sentinel_user= sentinel_password= db=
 * ca= cert= key= tls_name= verify= eviction= after_loss= quarantine= wait=.
 */


#ifndef NGX_SYNC_REDIS_URL_H_INCLUDED_
#define NGX_SYNC_REDIS_URL_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>


#define NGX_SYNC_REDIS_PORT           6379
#define NGX_SYNC_REDIS_SENTINEL_PORT  26379
#define NGX_SYNC_REDIS_PLACES_MAX     64
#define NGX_SYNC_REDIS_SECRET_MAX     4096
#define NGX_SYNC_REDIS_QUARANTINE     (10 * 60 * 1000)   /* ms */


typedef enum {
    NGX_SYNC_REDIS_SINGLE = 0,
    NGX_SYNC_REDIS_SENTINEL,
    NGX_SYNC_REDIS_CLUSTER
} ngx_sync_redis_kind_e;


/* After a loss of data, for the quarantine: what an absent key means. */

typedef enum {
    NGX_SYNC_REDIS_LOSS_REFUSE = 0,
    NGX_SYNC_REDIS_LOSS_PROBE,
    NGX_SYNC_REDIS_LOSS_EXECUTE
} ngx_sync_redis_loss_e;


/*
 * One address as written.  addr is set where it needs no resolver (a literal,
 * a socket of this machine); otherwise host is a name, resolved at each
 * connect.
 */

typedef struct {
    ngx_str_t                host;       /* no brackets; a path for unix */
    ngx_str_t                text;       /* for the log */
    in_port_t                port;
    ngx_addr_t              *addr;
} ngx_sync_redis_place_t;


/* A secret and where it came from, so that it can be read again. */

typedef struct {
    ngx_str_t                text;       /* len 0: none */
    ngx_str_t                file;       /* len 0: from the environment */
} ngx_sync_redis_secret_t;


typedef struct {
    ngx_sync_redis_kind_e    kind;
    ngx_array_t              places;     /* ngx_sync_redis_place_t: servers,
                                            sentinels or seeds of a cluster */
    ngx_str_t                master;     /* Sentinel's name of it */
    ngx_uint_t               db;

    ngx_str_t                user;       /* len 0: default */
    ngx_sync_redis_secret_t  password;
    ngx_str_t                sentinel_user;
    ngx_sync_redis_secret_t  sentinel_password;

    ngx_ssl_t               *ssl;        /* NULL: no TLS */
    ngx_str_t                tls_name;   /* len 0: the host as written */

    ngx_uint_t               wait;       /* replicas; 0: none waited for */
    ngx_msec_t               wait_time;

    ngx_sync_redis_loss_e    after_loss;
    ngx_msec_t               quarantine;

    unsigned                 unix_socket:1;
    unsigned                 named:1;    /* a place needs the resolver */
    unsigned                 no_verify:1;
    unsigned                 refuse_eviction:1;

    u_char                  *conf_file;  /* where sync_store stands */
    ngx_uint_t               conf_line;
} ngx_sync_redis_url_t;


/*
 * args[0] is the address, the others its parameters.  The result lives in
 * cf->pool; so do its secrets, and the TLS context, which is freed with it.
 * NGX_CONF_OK; NGX_CONF_ERROR after having logged what is wrong, where, and
 * what would be right.  What may be a password is never logged.
 */
char *ngx_sync_redis_url_read(ngx_conf_t *cf, ngx_str_t *args,
    ngx_uint_t nargs, ngx_sync_redis_url_t *url);

/*
 * Once the whole configuration is known: names need a resolver.  NGX_OK, or
 * NGX_ERROR after having logged.
 */
ngx_int_t ngx_sync_redis_url_check(ngx_conf_t *cf, ngx_sync_redis_url_t *url,
    ngx_resolver_t *resolver);

/*
 * HOST:PORT, [HOST]:PORT or a name; fills place from pool.  NGX_DECLINED: not
 * an address.  Also for what a server names as another (Sentinel, Cluster).
 */
ngx_int_t ngx_sync_redis_place(ngx_pool_t *pool, ngx_str_t *host,
    in_port_t port, ngx_sync_redis_place_t *place);

/*
 * Reads the secret's file (again): secrets are rotated under a server that
 * runs.  NGX_DECLINED: empty or too long; NGX_ERROR: see ngx_errno.  What was
 * there stays unless NGX_OK.
 */
ngx_int_t ngx_sync_redis_secret_read(ngx_pool_t *pool,
    ngx_sync_redis_secret_t *secret);


#endif /* NGX_SYNC_REDIS_URL_H_INCLUDED_ */
