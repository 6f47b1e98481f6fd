
/*
 * A master that sentinels name.
 *
 * All of them are asked before each connect, and what a majority of them says
 * counts.  Where there is none, the newest counts, but nothing older than what
 * is known already: a sentinel that was cut off from the others goes on naming
 * the old master.  The server so named must say itself that it is a master.
 * While all is well one sentinel is asked every now and then, each in its
 * turn, so that a failover is followed from a master that is still alive.
 */


#include "ngx_sync_redis_topology.h"


#define NGX_SYNC_REDIS_INQUIRY   500     /* ms to answer */
#define NGX_SYNC_REDIS_POLL      500     /* ms, and up to as much again */


typedef struct {
    ngx_int_t                      epoch;
    in_port_t                      port;
    size_t                         len;      /* 0: nothing was said */
    u_char                         host[NGX_SYNC_REDIS_HOST_MAX];
} ngx_sync_redis_said_t;

#define ngx_sync_redis_same(a, b)                                             \
    ((a)->port == (b)->port && (a)->len == (b)->len                           \
     && ngx_memcmp((a)->host, (b)->host, (a)->len) == 0)


typedef struct ngx_sync_redis_sentinels_s  ngx_sync_redis_sentinels_t;

typedef struct {
    ngx_sync_redis_target_t        target;
    ngx_sync_redis_conn_t         *conn;
    ngx_sync_redis_sentinels_t    *all;
    ngx_sync_redis_said_t          said;     /* in this inquiry */
    unsigned                       told:1;   /* that it knows no such master */
} ngx_sync_redis_sentinel_t;


struct ngx_sync_redis_sentinels_s {
    ngx_sync_redis_t              *redis;
    ngx_sync_redis_target_t        master;
    ngx_sync_redis_conn_t         *conn;

    ngx_sync_redis_sentinel_t     *sentinels;
    ngx_uint_t                     n;

    ngx_uint_t                     inquiry;  /* number of it, 0: none is on */
    ngx_uint_t                     last;     /* number given last */
    ngx_uint_t                     asked;    /* and not yet answered */
    ngx_sync_redis_said_t          known;    /* what is followed */

    ngx_event_t                    poll;
    ngx_uint_t                     turn;     /* whose it is */
};


static ngx_int_t ngx_sync_redis_sentinel_init(ngx_sync_redis_t *redis,
    ngx_cycle_t *cycle);
static void ngx_sync_redis_sentinel_exit(ngx_sync_redis_t *redis);
static ngx_int_t ngx_sync_redis_sentinel_send(ngx_sync_redis_t *redis,
    ngx_str_t *tag, ngx_sync_redis_cmd_t *cmd);
static void ngx_sync_redis_sentinel_resolve(ngx_sync_redis_conn_t *conn);
static ngx_uint_t ngx_sync_redis_sentinel_inquire(
    ngx_sync_redis_sentinels_t *ss);
static ngx_int_t ngx_sync_redis_sentinel_ask(ngx_sync_redis_sentinel_t *s,
    ngx_uint_t inquiry);
static void ngx_sync_redis_sentinel_answer(ngx_sync_redis_cmd_t *cmd,
    ngx_sync_redis_reply_t *reply);
static ngx_int_t ngx_sync_redis_sentinel_read(ngx_sync_redis_reply_t *reply,
    ngx_sync_redis_said_t *said);
static ngx_sync_redis_said_t *ngx_sync_redis_sentinel_count(
    ngx_sync_redis_sentinels_t *ss, ngx_uint_t *votes);
static void ngx_sync_redis_sentinel_decide(ngx_sync_redis_sentinels_t *ss,
    ngx_sync_redis_said_t *said, ngx_uint_t majority);
static void ngx_sync_redis_sentinel_ready(ngx_sync_redis_conn_t *conn);
static void ngx_sync_redis_sentinel_poll(ngx_event_t *ev);


const ngx_sync_redis_topology_t  ngx_sync_redis_sentinel = {
    ngx_string("sentinel"),
    ngx_sync_redis_sentinel_init,
    ngx_sync_redis_sentinel_exit,
    ngx_sync_redis_sentinel_send
};


static const ngx_sync_redis_hooks_t  ngx_sync_redis_sentinel_master_hooks = {
    ngx_sync_redis_sentinel_resolve,
    ngx_sync_redis_greet,
    ngx_sync_redis_sentinel_ready,
    NULL,
    ngx_sync_redis_refused,
    ngx_sync_redis_wait_replied,
    NULL
};


static const ngx_sync_redis_hooks_t  ngx_sync_redis_sentinel_hooks = {
    ngx_sync_redis_target_resolve,
    NULL,
    ngx_sync_redis_target_ready,
    NULL,
    NULL,
    NULL,
    NULL
};


static ngx_int_t
ngx_sync_redis_sentinel_init(ngx_sync_redis_t *redis, ngx_cycle_t *cycle)
{
    ngx_uint_t                   i;
    ngx_sync_redis_topo_t       *topo;
    ngx_sync_redis_place_t      *place;
    ngx_sync_redis_sentinel_t   *s;
    ngx_sync_redis_sentinels_t  *ss;

    topo = ngx_sync_redis_topo(redis);

    ss = ngx_pcalloc(cycle->pool, sizeof(ngx_sync_redis_sentinels_t));
    if (ss == NULL) {
        return NGX_ERROR;
    }

    ss->redis = redis;
    ss->n = topo->url.places.nelts;

    ss->sentinels = ngx_pcalloc(cycle->pool,
                                ss->n * sizeof(ngx_sync_redis_sentinel_t));
    if (ss->sentinels == NULL) {
        return NGX_ERROR;
    }

    place = topo->url.places.elts;

    for (i = 0; i < ss->n; i++) {
        s = &ss->sentinels[i];
        s->all = ss;

        ngx_sync_redis_target_init(&s->target, topo,
                                   NGX_SYNC_REDIS_AS_WATCHER);

        if (ngx_sync_redis_target_place(&s->target, &place[i]) != NGX_OK) {
            return NGX_ERROR;
        }

        s->conn = ngx_sync_redis_conn_create(redis, &s->target.server,
                                             &ngx_sync_redis_sentinel_hooks,
                                             s);
        if (s->conn == NULL) {
            return NGX_ERROR;
        }
    }

    ngx_sync_redis_target_init(&ss->master, topo, NGX_SYNC_REDIS_AS_CLIENT);
    ss->master.server.name = topo->url.master;

    ss->conn = ngx_sync_redis_conn_create(redis, &ss->master.server,
                                        &ngx_sync_redis_sentinel_master_hooks,
                                        ss);
    if (ss->conn == NULL) {
        return NGX_ERROR;
    }

    ss->poll.handler = ngx_sync_redis_sentinel_poll;
    ss->poll.data = ss;
    ss->poll.log = cycle->log;
    ss->poll.cancelable = 1;

    /* not all workers begin with the same */

    ss->turn = ngx_random() % ss->n;

    topo->state = ss;

    ngx_sync_redis_conn_open(ss->conn);

    return NGX_OK;
}


static void
ngx_sync_redis_sentinel_exit(ngx_sync_redis_t *redis)
{
    ngx_uint_t                   i;
    ngx_sync_redis_sentinels_t  *ss;

    ss = ngx_sync_redis_topo(redis)->state;

    if (ss == NULL) {
        return;
    }

    if (ss->poll.timer_set) {
        ngx_del_timer(&ss->poll);
    }

    ngx_sync_redis_wait_cancel(&ss->master);
    ngx_sync_redis_conn_exit(ss->conn);
    ngx_sync_redis_target_cancel(&ss->master);

    for (i = 0; i < ss->n; i++) {
        ngx_sync_redis_conn_exit(ss->sentinels[i].conn);
        ngx_sync_redis_target_cancel(&ss->sentinels[i].target);
    }
}


static ngx_int_t
ngx_sync_redis_sentinel_send(ngx_sync_redis_t *redis, ngx_str_t *tag,
    ngx_sync_redis_cmd_t *cmd)
{
    ngx_sync_redis_sentinels_t  *ss;

    ss = ngx_sync_redis_topo(redis)->state;

    return ngx_sync_redis_conn_send(ss->conn, cmd);
}


static void
ngx_sync_redis_sentinel_resolve(ngx_sync_redis_conn_t *conn)
{
    ngx_sync_redis_sentinels_t  *ss;

    ss = conn->data;

    /* its name may have addresses that were not tried */

    if (!ss->master.literal && ss->master.next < ss->master.naddrs) {
        ngx_sync_redis_target_resolve(conn);
        return;
    }

    if (ss->inquiry == 0 && ngx_sync_redis_sentinel_inquire(ss) == 0) {
        ngx_sync_redis_conn_fail(conn, "is not known: no sentinel answers");
    }
}


/* Asks all of them; what is asked of one that is down fails by itself. */

static ngx_uint_t
ngx_sync_redis_sentinel_inquire(ngx_sync_redis_sentinels_t *ss)
{
    ngx_uint_t  i;

    ss->inquiry = ++ss->last;
    ss->asked = 0;

    for (i = 0; i < ss->n; i++) {
        ss->sentinels[i].said.len = 0;

        if (ngx_sync_redis_sentinel_ask(&ss->sentinels[i], ss->inquiry)
            == NGX_OK)
        {
            ss->asked++;
        }
    }

    if (ss->asked == 0) {
        ss->inquiry = 0;
    }

    return ss->asked;
}


static ngx_int_t
ngx_sync_redis_sentinel_ask(ngx_sync_redis_sentinel_t *s, ngx_uint_t inquiry)
{
    ngx_str_t              args[3];
    ngx_msec_t             deadline;
    ngx_sync_redis_t      *redis;
    ngx_sync_redis_cmd_t  *cmd;

    redis = s->all->redis;

    ngx_str_set(&args[0], "SENTINEL");
    ngx_str_set(&args[1], "MASTER");
    args[2] = ngx_sync_redis_topo(redis)->url.master;

    cmd = ngx_sync_redis_command(redis, args, 3, sizeof(ngx_uint_t));
    if (cmd == NULL) {
        return NGX_ERROR;
    }

    *(ngx_uint_t *) cmd->extra = inquiry;

    deadline = ngx_current_msec + NGX_SYNC_REDIS_INQUIRY;

    cmd->handler = ngx_sync_redis_sentinel_answer;
    cmd->data = s;
    cmd->again = 1;
    cmd->deadline = deadline;

    return ngx_sync_redis_conn_send(s->conn, cmd);
}


static void
ngx_sync_redis_sentinel_answer(ngx_sync_redis_cmd_t *cmd,
    ngx_sync_redis_reply_t *reply)
{
    ngx_uint_t                   inquiry, votes, majority;
    ngx_sync_redis_said_t        said, *best;
    ngx_sync_redis_sentinel_t   *s;
    ngx_sync_redis_sentinels_t  *ss;

    s = cmd->data;
    ss = s->all;
    inquiry = *(ngx_uint_t *) cmd->extra;

    said.len = 0;

    if (reply && ngx_sync_redis_sentinel_read(reply, &said) != NGX_OK) {
        said.len = 0;

        if (!s->told) {
            s->told = 1;

            ngx_log_error(NGX_LOG_ERR, s->conn->log, 0,
                          "sync store \"%V\": sentinel %V names no master "
                          "\"%V\": %V", &ss->redis->label,
                          &s->target.server.name,
                          &ngx_sync_redis_topo(ss->redis)->url.master,
                          &reply->str);
        }
    }

    if (said.len) {
        s->told = 0;
    }

    if (inquiry == 0) {

        /* by the way: if this one says something new, what say the others? */

        if (said.len && ss->inquiry == 0 && said.epoch >= ss->known.epoch
            && !ngx_sync_redis_same(&said, &ss->known))
        {
            (void) ngx_sync_redis_sentinel_inquire(ss);
        }

        return;
    }

    if (inquiry != ss->inquiry) {
        return;
    }

    s->said = said;
    ss->asked--;

    best = ngx_sync_redis_sentinel_count(ss, &votes);
    majority = votes > ss->n / 2;

    if (majority || ss->asked == 0) {
        ss->inquiry = 0;
        ngx_sync_redis_sentinel_decide(ss, best, majority);
    }
}


/* What most of them say, and of that which as many say, the newest. */

static ngx_sync_redis_said_t *
ngx_sync_redis_sentinel_count(ngx_sync_redis_sentinels_t *ss,
    ngx_uint_t *votes)
{
    ngx_uint_t              i, k, n;
    ngx_sync_redis_said_t  *said, *best;

    best = NULL;
    *votes = 0;

    for (i = 0; i < ss->n; i++) {
        said = &ss->sentinels[i].said;
        n = 0;

        for (k = 0; said->len && k < ss->n; k++) {
            n += ngx_sync_redis_same(said, &ss->sentinels[k].said);
        }

        if (n == 0) {
            continue;
        }

        if (best == NULL
            || (n > ss->n / 2 && *votes <= ss->n / 2)
            || ((n > ss->n / 2) == (*votes > ss->n / 2)
                && said->epoch > best->epoch))
        {
            best = said;
            *votes = n;
        }
    }

    return best;
}


/* A list of names and values. */

static ngx_int_t
ngx_sync_redis_sentinel_read(ngx_sync_redis_reply_t *reply,
    ngx_sync_redis_said_t *said)
{
    ngx_int_t   port, epoch;
    ngx_str_t  *name, *value;
    ngx_uint_t  i;

    if (reply->type != NGX_SYNC_REDIS_ARRAY) {
        return NGX_ERROR;
    }

    said->len = 0;
    port = 0;
    epoch = 0;

    for (i = 0; i + 1 < reply->n; i += 2) {
        name = &reply->elts[i].str;
        value = &reply->elts[i + 1].str;

        if (name->len == 2 && ngx_strncmp(name->data, "ip", 2) == 0) {

            if (value->len > NGX_SYNC_REDIS_HOST_MAX) {
                return NGX_ERROR;
            }

            ngx_memcpy(said->host, value->data, value->len);
            said->len = value->len;

        } else if (name->len == 4 && ngx_strncmp(name->data, "port", 4) == 0) {
            port = ngx_atoi(value->data, value->len);

        } else if (name->len == 12
                   && ngx_strncmp(name->data, "config-epoch", 12) == 0)
        {
            epoch = ngx_atoi(value->data, value->len);
        }
    }

    if (said->len == 0 || port < 1 || port > 65535 || epoch == NGX_ERROR) {
        return NGX_ERROR;
    }

    said->port = (in_port_t) port;
    said->epoch = epoch;

    return NGX_OK;
}


static void
ngx_sync_redis_sentinel_decide(ngx_sync_redis_sentinels_t *ss,
    ngx_sync_redis_said_t *said, ngx_uint_t majority)
{
    ngx_str_t   host;
    ngx_uint_t  resolving;

    resolving = ss->conn->state == NGX_SYNC_REDIS_RESOLVING;

    if (said == NULL) {
        if (resolving) {
            ngx_sync_redis_conn_fail(ss->conn,
                                     "is not known: no sentinel answers");
        }

        return;
    }

    /* a majority is right even where it says less: it was set up anew */

    if (!majority && said->epoch < ss->known.epoch) {
        if (resolving) {
            ngx_sync_redis_conn_fail(ss->conn,
                                     "is not known: the sentinels that "
                                     "answer are behind");
        }

        return;
    }

    if (!resolving) {

        if (ngx_sync_redis_same(said, &ss->known)) {
            ss->known.epoch = said->epoch;

        } else if (ss->conn->state != NGX_SYNC_REDIS_BACKOFF) {
            ngx_sync_redis_conn_fail(ss->conn, "is no longer the master");
        }

        return;
    }

    ss->known = *said;

    host.data = ss->known.host;
    host.len = ss->known.len;

    if (ngx_sync_redis_target_set(&ss->master, &host, ss->known.port)
        != NGX_OK)
    {
        ngx_sync_redis_conn_fail(ss->conn, "has no address");
        return;
    }

    ngx_sync_redis_target_resolve(ss->conn);
}


static void
ngx_sync_redis_sentinel_ready(ngx_sync_redis_conn_t *conn)
{
    ngx_sync_redis_sentinels_t  *ss;

    ss = conn->data;

    ngx_sync_redis_target_good(&ss->master);

    if (!ss->poll.timer_set) {
        ngx_add_timer(&ss->poll, NGX_SYNC_REDIS_POLL);
    }
}


static void
ngx_sync_redis_sentinel_poll(ngx_event_t *ev)
{
    ngx_sync_redis_sentinels_t  *ss;

    ss = ev->data;

    if (ngx_exiting) {
        return;
    }

    ngx_add_timer(&ss->poll, NGX_SYNC_REDIS_POLL
                             + ngx_random() % NGX_SYNC_REDIS_POLL);

    if (ss->conn->state != NGX_SYNC_REDIS_READY) {
        return;
    }

    ss->turn = (ss->turn + 1) % ss->n;

    (void) ngx_sync_redis_sentinel_ask(&ss->sentinels[ss->turn], 0);
}
