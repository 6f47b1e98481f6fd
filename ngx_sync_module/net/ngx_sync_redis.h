
/*
 * A Redis client on the events of NGINX.
 *
 *     store  --  ngx_sync_redis_send(redis, tag, cmd)
 *                    |
 *     topology       which server has this tag: one, sentinels, a cluster
 *                    |
 *     connection     pipelined, first in first out, reconnects for ever
 *
 * hiredis reads the protocol and does nothing else; NGINX owns the socket, its
 * timers and its TLS.  Everything here belongs to one worker.
 *
 * A command is a heap-allocated cell that holds its own bytes.  Who makes one
 * gives it away by sending it; from then on it belongs to the topology or to
 * the connection it waits in, and is freed after its handler has returned, or,
 * where its time was up before, when its reply has come.  Handlers are called
 * from the event loop, never from within send().
 */


#ifndef NGX_SYNC_REDIS_H_INCLUDED_
#define NGX_SYNC_REDIS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_event_connect.h>


/* "$7", "EVALSHA", "$40", a SHA-1, each with its CRLF */
#define NGX_SYNC_REDIS_CALL_LEN  (4 + 9 + 5 + 40 + 2)

/* Commands that wait for a connection, and those that wait in one: what is
   beyond is refused at once. */
#define NGX_SYNC_REDIS_PENDED    4096
#define NGX_SYNC_REDIS_QUEUED    65536
#define NGX_SYNC_REDIS_BYTES     (64 * 1024 * 1024)


typedef struct ngx_sync_redis_s         ngx_sync_redis_t;
typedef struct ngx_sync_redis_conn_s    ngx_sync_redis_conn_t;
typedef struct ngx_sync_redis_cmd_s     ngx_sync_redis_cmd_t;
typedef struct ngx_sync_redis_reply_s   ngx_sync_redis_reply_t;
typedef struct ngx_sync_redis_server_s  ngx_sync_redis_server_t;


/* ---- replies ---- */

typedef enum {
    NGX_SYNC_REDIS_NIL = 0,      /* and what this version does not know */
    NGX_SYNC_REDIS_STRING,
    NGX_SYNC_REDIS_STATUS,
    NGX_SYNC_REDIS_ERROR,        /* str: "WRONGTYPE Operation against ..." */
    NGX_SYNC_REDIS_INTEGER,
    NGX_SYNC_REDIS_ARRAY
} ngx_sync_redis_reply_e;


/* Lives until the handler returns. */

struct ngx_sync_redis_reply_s {
    ngx_sync_redis_reply_e       type;
    int64_t                      integer;
    ngx_str_t                    str;
    ngx_uint_t                   n;
    ngx_sync_redis_reply_t      *elts;
};

/* The error begins with this word (a literal). */
#define ngx_sync_redis_is_error(reply, word)                                  \
    ((reply)->type == NGX_SYNC_REDIS_ERROR                                    \
     && (reply)->str.len >= sizeof(word) - 1                                  \
     && ngx_strncmp((reply)->str.data, word, sizeof(word) - 1) == 0)


/* ---- commands ---- */

/* reply NULL: no answer; whether the command ran is not known. */
typedef void (*ngx_sync_redis_handler_pt)(ngx_sync_redis_cmd_t *cmd,
    ngx_sync_redis_reply_t *reply);


/* A script goes by its SHA-1, and whole where the server does not have it. */

typedef struct {
    ngx_str_t                    name;       /* for logs */
    ngx_str_t                    source;
    u_char                       call[NGX_SYNC_REDIS_CALL_LEN];
} ngx_sync_redis_script_t;


typedef enum {
    NGX_SYNC_REDIS_NOWHERE = 0,  /* its maker's, or a topology's */
    NGX_SYNC_REDIS_PENDING,      /* the connection is not ready */
    NGX_SYNC_REDIS_UNSENT,       /* not sent to its end */
    NGX_SYNC_REDIS_WAITING,      /* for its reply */
    NGX_SYNC_REDIS_LOST          /* to be told that there is none */
} ngx_sync_redis_where_e;


struct ngx_sync_redis_cmd_s {
    ngx_queue_t                  queue;      /* where it waits */
    ngx_sync_redis_where_e       where;
    ngx_sync_redis_cmd_t        *next;       /* of those whose time is up */

    ngx_sync_redis_handler_pt    handler;    /* NULL: nobody wants to know */
    void                        *data;       /* the caller's */

    ngx_sync_redis_t            *redis;
    ngx_sync_redis_conn_t       *conn;       /* where it waits, or NULL */
    ngx_sync_redis_script_t     *script;     /* NULL: a plain command */

    ngx_msec_t                   deadline;   /* of ngx_current_msec */
    void                        *extra;      /* the caller's, aligned */

    uint16_t                     slot;       /* the topology's: of its tag, */
    uint16_t                     hops;       /* redirections so far */

    unsigned                     again:1;    /* may run twice: is sent again
                                                when its connection is lost */
    unsigned                     patient:1;  /* waits for a server that is
                                                down, until its deadline */
    unsigned                     undo:1;     /* takes back what may be done
                                                late: leaves right behind what
                                                has left, and for a while a
                                                worker that quits waits for
                                                its answer; is patient, too */
    unsigned                     durable:1;  /* answered when replicas have
                                                it, where wait= says so */
    unsigned                     asking:1;   /* ASKING goes before it */
    unsigned                     greeting:1; /* before the others: AUTH */
    unsigned                     here:1;     /* of this connection alone: is
                                                lost with it */
    unsigned                     left:1;     /* nobody waits for it */
    unsigned                     tried:1;    /* was sent to its end once */
    unsigned                     own:1;      /* bytes are not in the cell */
    unsigned                     last:1;     /* of what one write has sent */

    ngx_uint_t                   nargs;      /* script: keys and arguments, */
    size_t                       rest;       /* which begin here */
    size_t                       len;
    size_t                       sent;
    u_char                      *bytes;
};


/*
 * A command of n arguments, copied; extra bytes are zeroed.  The caller sets
 * handler, data, again and patient; the deadline is set to redis->timeout from
 * now.  NULL: no memory.
 */
ngx_sync_redis_cmd_t *ngx_sync_redis_command(ngx_sync_redis_t *redis,
    ngx_str_t *args, ngx_uint_t n, size_t extra);

/* A call of a script: args are nkeys keys, and then its arguments. */
ngx_sync_redis_cmd_t *ngx_sync_redis_call(ngx_sync_redis_t *redis,
    ngx_sync_redis_script_t *script, ngx_str_t *args, ngx_uint_t nkeys,
    ngx_uint_t n, size_t extra);

/* Fills call from source. */
void ngx_sync_redis_script_init(ngx_sync_redis_script_t *script);

/* A call goes by its source from now on; NGX_ERROR: it does already. */
ngx_int_t ngx_sync_redis_whole(ngx_sync_redis_cmd_t *cmd);

void ngx_sync_redis_free(ngx_sync_redis_cmd_t *cmd);

/*
 * Sends to the server of this tag; a tag is what stands between { and } in
 * each key of the command.  NGX_OK: the handler is called later, exactly once.
 * NGX_ERROR: there is no server, or too much waits; cmd is freed, the handler
 * is not called.
 */
ngx_int_t ngx_sync_redis_send(ngx_sync_redis_t *redis, ngx_str_t *tag,
    ngx_sync_redis_cmd_t *cmd);

/* The handler is not called any more.  NGX_OK: it never left; NGX_DECLINED: it
   may have run, or will. */
ngx_int_t ngx_sync_redis_cancel(ngx_sync_redis_cmd_t *cmd);


/* ---- topology ---- */

/*
 * Where to connect to and as whom.  sockaddr may be set as late as in
 * hooks->resolve.
 */

struct ngx_sync_redis_server_s {
    struct sockaddr             *sockaddr;
    socklen_t                    socklen;
    ngx_str_t                    name;       /* for logs: "10.0.0.1:6379" */

    ngx_str_t                    host;       /* as written, to be resolved */
    in_port_t                    port;

    ngx_str_t                    user;       /* empty: AUTH password */
    ngx_str_t                    password;   /* empty: no AUTH */
    ngx_uint_t                   db;         /* 0: no SELECT */

    ngx_ssl_t                   *ssl;        /* NULL: plain */
    ngx_str_t                    ssl_name;   /* SNI, and to be verified */
    unsigned                     no_verify:1;
};


typedef struct {
    ngx_str_t                    name;       /* "single", "sentinel", ... */

    /* in a worker: opens what it wants to; and closes all */
    ngx_int_t                  (*init_process)(ngx_sync_redis_t *redis,
                                     ngx_cycle_t *cycle);
    void                       (*exit_process)(ngx_sync_redis_t *redis);

    /* as ngx_sync_redis_send() */
    ngx_int_t                  (*send)(ngx_sync_redis_t *redis,
                                     ngx_str_t *tag,
                                     ngx_sync_redis_cmd_t *cmd);
} ngx_sync_redis_topology_t;


/* What sync_store names.  In cf->pool; what changes belongs to a worker. */

struct ngx_sync_redis_s {
    ngx_str_t                         label;     /* name= of the store */
    ngx_msec_t                        timeout;   /* of a command */
    const ngx_sync_redis_topology_t  *topology;
    void                             *data;      /* the topology's */
    unsigned                          cluster:1; /* keys of a command must
                                                    share a slot */
    unsigned                          refuse_lost:1;  /* after_loss= */
    ngx_msec_t                        quarantine;

    /*
     * The store's, or NULL: a command that looks at mark i of the data; it goes
     * before all others over a new connection to who has its slot.
     */
    ngx_sync_redis_cmd_t           *(*look)(ngx_sync_redis_t *redis,
                                          ngx_sync_redis_conn_t *conn,
                                          ngx_uint_t i);
    ngx_uint_t                        marks;
    void                             *owner;     /* of look() */
};


/* The tag of mark i: "m:0" and so on. */

#define NGX_SYNC_REDIS_MARKS      16
#define NGX_SYNC_REDIS_MARK_TAG   (sizeof("m:") + NGX_INT_T_LEN)

#define ngx_sync_redis_mark_tag(p, i)  ngx_sprintf(p, "m:%ui", i)


/*
 * Reads the address, args[0], and its parameters; sets topology, data and
 * cluster of redis, whose label and timeout are set.  NGX_CONF_ERROR after
 * having logged, or what is wrong.
 */
char *ngx_sync_redis_conf(ngx_conf_t *cf, ngx_str_t *args, ngx_uint_t n,
    ngx_sync_redis_t *redis);

/* Once the whole configuration is known: names need a resolver.  NGX_OK, or
   NGX_ERROR after having logged. */
ngx_int_t ngx_sync_redis_conf_done(ngx_conf_t *cf, ngx_sync_redis_t *redis,
    ngx_resolver_t *resolver, ngx_msec_t resolver_timeout);


/* ---- connections ---- */

typedef enum {
    NGX_SYNC_REDIS_IDLE = 0,         /* nobody has asked for it yet */
    NGX_SYNC_REDIS_RESOLVING,        /* hooks->resolve is at it */
    NGX_SYNC_REDIS_CONNECTING,       /* TCP, TLS */
    NGX_SYNC_REDIS_GREETING,         /* AUTH, SELECT, hooks->greet */
    NGX_SYNC_REDIS_READY,
    NGX_SYNC_REDIS_BACKOFF           /* lost, until the timer of retry */
} ngx_sync_redis_state_e;


/* What a topology has to say about its connections; each may be NULL. */

typedef struct {

    /* Before each connect: sets conn->server->sockaddr and then calls
       ngx_sync_redis_conn_connect(), at once or later, or conn_fail(). */
    void                       (*resolve)(ngx_sync_redis_conn_t *conn);

    /* After AUTH and SELECT were sent: sends more commands with greeting set,
       which must all be answered before the connection is ready.  A reply
       that it does not like is ngx_sync_redis_conn_fail(). */
    void                       (*greet)(ngx_sync_redis_conn_t *conn);

    /* All was answered, what was pending is about to leave. */
    void                       (*ready)(ngx_sync_redis_conn_t *conn);

    /* Lost; before those who wait are told.  A retry is scheduled. */
    void                       (*lost)(ngx_sync_redis_conn_t *conn);

    /* An error for a command: NGX_OK, it was taken over (sent elsewhere,
       kept); NGX_DECLINED, its handler gets it. */
    ngx_int_t                  (*refused)(ngx_sync_redis_conn_t *conn,
                                     ngx_sync_redis_cmd_t *cmd,
                                     ngx_sync_redis_reply_t *reply);

    /* A reply that is not such an error: NGX_OK, the command was taken over,
       and its handler is called later with a copy of the reply. */
    ngx_int_t                  (*replied)(ngx_sync_redis_conn_t *conn,
                                     ngx_sync_redis_cmd_t *cmd,
                                     ngx_sync_redis_reply_t *reply);

    /* A reply that no command waits for: a subscription. */
    void                       (*push)(ngx_sync_redis_conn_t *conn,
                                     ngx_sync_redis_reply_t *reply);
} ngx_sync_redis_hooks_t;


struct ngx_sync_redis_conn_s {
    ngx_sync_redis_t                *redis;
    ngx_sync_redis_server_t         *server;
    const ngx_sync_redis_hooks_t    *hooks;
    void                            *data;       /* the topology's */

    ngx_sync_redis_state_e           state;
    ngx_log_t                       *log;

    ngx_peer_connection_t            peer;
    void                            *reader;
    void                            *reading;    /* its reply is handed on */

    ngx_queue_t                      waiting;    /* sent, in order */
    ngx_queue_t                      unsent;     /* to be sent, in order */
    ngx_queue_t                      pending;    /* until it is ready */
    ngx_queue_t                      lost;       /* to be told: no answer */

    ngx_uint_t                       nwaiting;   /* waiting and unsent */
    ngx_uint_t                       npending;
    ngx_uint_t                       nlive;      /* a request waits for them */
    ngx_uint_t                       nundo;      /* those that take back */
    ngx_uint_t                       ngreeting;
    ngx_uint_t                       nwrites;    /* without a reply to their
                                                    last command */
    size_t                           nbytes;     /* of all of them */

    ngx_event_t                      deadline;   /* the next of all of them */
    ngx_event_t                      retry;
    ngx_event_t                      tell;       /* posted: who is in lost */
    ngx_uint_t                       attempts;   /* failed in a row */
    ngx_msec_t                       heard;      /* it last spoke, or was
                                                    asked after a pause */
    ngx_msec_t                       leave;      /* when a worker that quits
                                                    waits no longer for those
                                                    who take back */

    unsigned                         leaving:1;  /* leave is set */
    unsigned                         over:1;     /* and past */
    unsigned                         closed:1;   /* for good */
};


/*
 * server, hooks and data live as long as the connection.  It connects with the
 * first command, or with ngx_sync_redis_conn_open(), and then for ever.
 */
ngx_sync_redis_conn_t *ngx_sync_redis_conn_create(ngx_sync_redis_t *redis,
    ngx_sync_redis_server_t *server, const ngx_sync_redis_hooks_t *hooks,
    void *data);
void ngx_sync_redis_conn_open(ngx_sync_redis_conn_t *conn);

/* As ngx_sync_redis_send(). */
ngx_int_t ngx_sync_redis_conn_send(ngx_sync_redis_conn_t *conn,
    ngx_sync_redis_cmd_t *cmd);

/* The same for a command that was sent before: where it is not taken its
   handler is called with no answer, but not within this call. */
void ngx_sync_redis_conn_pass(ngx_sync_redis_conn_t *conn,
    ngx_sync_redis_cmd_t *cmd);

/* From resolve: the address is known. */
void ngx_sync_redis_conn_connect(ngx_sync_redis_conn_t *conn);

/* Closes, tries again later; who waits is told, but not within this call. */
void ngx_sync_redis_conn_fail(ngx_sync_redis_conn_t *conn, const char *why);

/* Who waits for it to become ready, and could fail, is told no answer. */
void ngx_sync_redis_conn_disappoint(ngx_sync_redis_conn_t *conn);

/* Closes and frees; who waits is told, but not within this call. */
void ngx_sync_redis_conn_destroy(ngx_sync_redis_conn_t *conn);

/* In exit_process: closes and frees, tells nobody. */
void ngx_sync_redis_conn_exit(ngx_sync_redis_conn_t *conn);

/* Takes out of the connection what is pending and never was sent, in order:
   for a topology that knows a better place. */
void ngx_sync_redis_conn_take(ngx_sync_redis_conn_t *conn,
    ngx_queue_t *cmds);


/* ---- reading: ngx_sync_redis_reader.c, where hiredis is ---- */

void *ngx_sync_redis_reader_create(ngx_log_t *log);
void ngx_sync_redis_reader_free(void *reader);

/* NGX_OK, or NGX_ERROR: no memory, or more in one reply than ever should. */
ngx_int_t ngx_sync_redis_reader_feed(void *reader, u_char *data, size_t len);

/* NGX_OK: *reply, until the next call; NGX_AGAIN: not all is there;
   NGX_ERROR: not the protocol. */
ngx_int_t ngx_sync_redis_reader_next(void *reader,
    ngx_sync_redis_reply_t **reply);


/* ---- TLS: ngx_sync_redis_tls.c ---- */

/*
 * TCP stands: shakes hands as server->ssl says and calls
 * ngx_sync_redis_conn_greet(), or ngx_sync_redis_conn_fail().
 */
void ngx_sync_redis_tls_handshake(ngx_sync_redis_conn_t *conn);

/* The way is open: AUTH, SELECT, hooks->greet. */
void ngx_sync_redis_conn_greet(ngx_sync_redis_conn_t *conn);


#endif /* NGX_SYNC_REDIS_H_INCLUDED_ */
