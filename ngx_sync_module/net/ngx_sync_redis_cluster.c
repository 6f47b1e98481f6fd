
/*
 * A cluster: which node has a slot.
 *
 * The map comes from CLUSTER SLOTS of any node that answers, at first of those
 * that nginx.conf names.  A command that a node refuses because the slot is
 * elsewhere was not executed there: it is sent on, with ASKING where the slot
 * is being moved.  What no node can take at the moment waits in a connection
 * that leads nowhere, for the next map, until its deadline.
 */


#include "ngx_sync_redis_topology.h"


#define NGX_SYNC_REDIS_SLOTS       16384
#define NGX_SYNC_REDIS_NODES_MAX   1000
#define NGX_SYNC_REDIS_HOPS        16
#define NGX_SYNC_REDIS_MAP_TIMEOUT 500   /* ms for an answer */
#define NGX_SYNC_REDIS_MAP_PAUSE   50    /* ms between two maps */
#define NGX_SYNC_REDIS_MAP_NONE    1000  /* ms where a node has none */
#define NGX_SYNC_REDIS_MAP_AGE     30000 /* ms, and up to as much again */


typedef struct ngx_sync_redis_node_s  ngx_sync_redis_node_t;

struct ngx_sync_redis_node_s {
    ngx_sync_redis_target_t      target; /* first */
    ngx_sync_redis_conn_t       *conn;
    ngx_sync_redis_node_t       *next;   /* of those that are gone */
    ngx_uint_t                   seen;   /* in the map of this number */
    unsigned                     seed:1; /* stands in nginx.conf */
};


typedef struct {
    ngx_sync_redis_t            *redis;
    ngx_log_t                   *log;

    /* the last one has nobody: of commands without a slot */
    ngx_sync_redis_node_t       *slots[NGX_SYNC_REDIS_SLOTS + 1];
    ngx_sync_redis_node_t       *nodes[NGX_SYNC_REDIS_NODES_MAX];
    ngx_uint_t                   n;
    ngx_sync_redis_node_t       *gone;   /* to be freed with the next map */

    ngx_sync_redis_target_t      nowhere;
    ngx_sync_redis_conn_t       *limbo;  /* who waits for a map */

    ngx_event_t                  refresh;
    ngx_uint_t                   turn;   /* which node is asked next */
    ngx_uint_t                   maps;   /* number of the last */
    unsigned                     asking:1;
} ngx_sync_redis_nodes_t;


static ngx_int_t ngx_sync_redis_cluster_init(ngx_sync_redis_t *redis,
    ngx_cycle_t *cycle);
static void ngx_sync_redis_cluster_exit(ngx_sync_redis_t *redis);
static ngx_int_t ngx_sync_redis_cluster_send(ngx_sync_redis_t *redis,
    ngx_str_t *tag, ngx_sync_redis_cmd_t *cmd);
static ngx_uint_t ngx_sync_redis_slot(ngx_str_t *tag);

static ngx_sync_redis_node_t *ngx_sync_redis_cluster_node(
    ngx_sync_redis_nodes_t *ns, ngx_str_t *host, in_port_t port);
static void ngx_sync_redis_cluster_forget(ngx_sync_redis_nodes_t *ns);
static void ngx_sync_redis_cluster_bury(ngx_sync_redis_nodes_t *ns);

static void ngx_sync_redis_cluster_later(ngx_sync_redis_nodes_t *ns,
    ngx_msec_t after);
static void ngx_sync_redis_cluster_refresh(ngx_event_t *ev);
static void ngx_sync_redis_cluster_mapped(ngx_sync_redis_cmd_t *cmd,
    ngx_sync_redis_reply_t *reply);
static ngx_int_t ngx_sync_redis_cluster_map(ngx_sync_redis_nodes_t *ns,
    ngx_sync_redis_node_t *from, ngx_sync_redis_reply_t *reply);
static void ngx_sync_redis_cluster_again(ngx_sync_redis_nodes_t *ns);
static void ngx_sync_redis_cluster_pass(ngx_sync_redis_nodes_t *ns,
    ngx_sync_redis_cmd_t *cmd);

static void ngx_sync_redis_cluster_wait(ngx_sync_redis_conn_t *conn);
static void ngx_sync_redis_cluster_greet(ngx_sync_redis_conn_t *conn);
static void ngx_sync_redis_cluster_lost(ngx_sync_redis_conn_t *conn);
static ngx_int_t ngx_sync_redis_cluster_refused(ngx_sync_redis_conn_t *conn,
    ngx_sync_redis_cmd_t *cmd, ngx_sync_redis_reply_t *reply);
static ngx_sync_redis_node_t *ngx_sync_redis_cluster_named(
    ngx_sync_redis_nodes_t *ns, ngx_sync_redis_conn_t *conn,
    ngx_str_t *error);


const ngx_sync_redis_topology_t  ngx_sync_redis_cluster = {
    ngx_string("cluster"),
    ngx_sync_redis_cluster_init,
    ngx_sync_redis_cluster_exit,
    ngx_sync_redis_cluster_send
};


static const ngx_sync_redis_hooks_t  ngx_sync_redis_cluster_hooks = {
    ngx_sync_redis_target_resolve,
    ngx_sync_redis_cluster_greet,
    ngx_sync_redis_target_ready,
    ngx_sync_redis_cluster_lost,
    ngx_sync_redis_cluster_refused,
    ngx_sync_redis_wait_replied,
    NULL
};


static const ngx_sync_redis_hooks_t  ngx_sync_redis_limbo_hooks = {
    ngx_sync_redis_cluster_wait,
    NULL,
    NULL,
    NULL,
    NULL,
    NULL,
    NULL
};


static ngx_int_t
ngx_sync_redis_cluster_init(ngx_sync_redis_t *redis, ngx_cycle_t *cycle)
{
    ngx_uint_t               i;
    ngx_sync_redis_node_t   *node;
    ngx_sync_redis_topo_t   *topo;
    ngx_sync_redis_nodes_t  *ns;
    ngx_sync_redis_place_t  *place;

    topo = ngx_sync_redis_topo(redis);

    ns = ngx_pcalloc(cycle->pool, sizeof(ngx_sync_redis_nodes_t));
    if (ns == NULL) {
        return NGX_ERROR;
    }

    ns->redis = redis;
    ns->log = cycle->log;

    ngx_sync_redis_target_init(&ns->nowhere, topo, NGX_SYNC_REDIS_AS_CLIENT);
    ngx_str_set(&ns->nowhere.server.name, "cluster");

    ns->limbo = ngx_sync_redis_conn_create(redis, &ns->nowhere.server,
                                           &ngx_sync_redis_limbo_hooks, ns);
    if (ns->limbo == NULL) {
        return NGX_ERROR;
    }

    place = topo->url.places.elts;

    for (i = 0; i < topo->url.places.nelts; i++) {
        node = ngx_sync_redis_cluster_node(ns, &place[i].host, place[i].port);
        if (node == NULL) {
            return NGX_ERROR;
        }

        node->seed = 1;
    }

    ns->refresh.handler = ngx_sync_redis_cluster_refresh;
    ns->refresh.data = ns;
    ns->refresh.log = cycle->log;
    ns->refresh.cancelable = 1;

    ns->turn = ngx_random();

    topo->state = ns;

    ngx_sync_redis_conn_open(ns->limbo);
    ngx_sync_redis_cluster_later(ns, 1);

    return NGX_OK;
}


static void
ngx_sync_redis_cluster_exit(ngx_sync_redis_t *redis)
{
    ngx_uint_t               i;
    ngx_sync_redis_nodes_t  *ns;

    ns = ngx_sync_redis_topo(redis)->state;

    if (ns == NULL) {
        return;
    }

    if (ns->refresh.timer_set) {
        ngx_del_timer(&ns->refresh);
    }

    ngx_sync_redis_conn_exit(ns->limbo);

    for (i = 0; i < ns->n; i++) {
        ngx_sync_redis_wait_cancel(&ns->nodes[i]->target);
        ngx_sync_redis_conn_exit(ns->nodes[i]->conn);
        ngx_sync_redis_target_cancel(&ns->nodes[i]->target);
        ngx_free(ns->nodes[i]);
    }

    ns->n = 0;

    ngx_sync_redis_cluster_bury(ns);
}


static ngx_int_t
ngx_sync_redis_cluster_send(ngx_sync_redis_t *redis, ngx_str_t *tag,
    ngx_sync_redis_cmd_t *cmd)
{
    ngx_sync_redis_node_t   *node;
    ngx_sync_redis_nodes_t  *ns;

    ns = ngx_sync_redis_topo(redis)->state;

    cmd->slot = (uint16_t) ngx_sync_redis_slot(tag);
    node = ns->slots[cmd->slot];

    if (node == NULL) {
        ngx_sync_redis_cluster_later(ns, NGX_SYNC_REDIS_MAP_PAUSE);
        return ngx_sync_redis_conn_send(ns->limbo, cmd);
    }

    return ngx_sync_redis_conn_send(node->conn, cmd);
}


/* CRC16 of XMODEM, as the specification of Redis Cluster has it. */

static ngx_uint_t
ngx_sync_redis_slot(ngx_str_t *tag)
{
    uint16_t    crc;
    ngx_uint_t  i, bit;

    crc = 0;

    for (i = 0; i < tag->len; i++) {
        crc ^= (uint16_t) (tag->data[i] << 8);

        for (bit = 0; bit < 8; bit++) {
            crc = (uint16_t) (crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1);
        }
    }

    return crc % NGX_SYNC_REDIS_SLOTS;
}


/* The node at an address, a new one where there is none.  NULL: not an
   address, or no memory. */

static ngx_sync_redis_node_t *
ngx_sync_redis_cluster_node(ngx_sync_redis_nodes_t *ns, ngx_str_t *host,
    in_port_t port)
{
    ngx_uint_t                i;
    ngx_sync_redis_node_t    *node;
    ngx_sync_redis_server_t  *server;

    for (i = 0; i < ns->n; i++) {
        server = &ns->nodes[i]->target.server;

        if (server->port == port && server->host.len == host->len
            && ngx_strncmp(server->host.data, host->data, host->len) == 0)
        {
            return ns->nodes[i];
        }
    }

    if (ns->n == NGX_SYNC_REDIS_NODES_MAX) {
        return NULL;
    }

    node = ngx_calloc(sizeof(ngx_sync_redis_node_t), ns->log);
    if (node == NULL) {
        return NULL;
    }

    ngx_sync_redis_target_init(&node->target, ngx_sync_redis_topo(ns->redis),
                               NGX_SYNC_REDIS_AS_CLIENT);

    if (ngx_sync_redis_target_set(&node->target, host, port) != NGX_OK) {
        ngx_free(node);
        return NULL;
    }

    node->conn = ngx_sync_redis_conn_create(ns->redis, &node->target.server,
                                            &ngx_sync_redis_cluster_hooks,
                                            ns);
    if (node->conn == NULL) {
        ngx_free(node);
        return NULL;
    }

    node->seen = ns->maps;
    ns->nodes[ns->n++] = node;

    return node;
}


/* Nodes that the last map does not name have nothing any more. */

static void
ngx_sync_redis_cluster_forget(ngx_sync_redis_nodes_t *ns)
{
    ngx_uint_t              i, k;
    ngx_sync_redis_node_t  *node;

    for (i = 0, k = 0; i < ns->n; i++) {
        node = ns->nodes[i];

        if (node->seen == ns->maps || node->seed
            || node->conn->nwaiting || node->conn->npending
            || !ngx_queue_empty(&node->target.answered))
        {
            ns->nodes[k++] = node;
            continue;
        }

        /* this may be the one that is just being read from */

        ngx_sync_redis_conn_destroy(node->conn);
        ngx_sync_redis_target_cancel(&node->target);

        node->next = ns->gone;
        ns->gone = node;
    }

    ns->n = k;
}


static void
ngx_sync_redis_cluster_bury(ngx_sync_redis_nodes_t *ns)
{
    ngx_sync_redis_node_t  *node;

    while (ns->gone) {
        node = ns->gone;
        ns->gone = node->next;
        ngx_free(node);
    }
}


/* A new map, but not more often than is of use. */

static void
ngx_sync_redis_cluster_later(ngx_sync_redis_nodes_t *ns, ngx_msec_t after)
{
    if (ns->asking) {
        return;
    }

    if (ns->refresh.timer_set
        && (ngx_msec_int_t) (ns->refresh.timer.key - ngx_current_msec)
           <= (ngx_msec_int_t) after)
    {
        return;
    }

    ngx_add_timer(&ns->refresh, after);
}


/* Asks the next node that is well, or else the next one. */

static void
ngx_sync_redis_cluster_refresh(ngx_event_t *ev)
{
    ngx_str_t                args[2];
    ngx_uint_t               i, pass;
    ngx_sync_redis_cmd_t    *cmd;
    ngx_sync_redis_node_t   *node;
    ngx_sync_redis_nodes_t  *ns;

    ns = ev->data;

    if (ns->asking) {
        return;
    }

    for (pass = 0; pass < 2; pass++) {

        for (i = 0; i < ns->n; i++) {
            ns->turn++;
            node = ns->nodes[ns->turn % ns->n];

            if (pass == 0 && node->conn->state != NGX_SYNC_REDIS_READY) {
                continue;
            }

            ngx_str_set(&args[0], "CLUSTER");
            ngx_str_set(&args[1], "SLOTS");

            cmd = ngx_sync_redis_command(ns->redis, args, 2,
                                         sizeof(ngx_sync_redis_node_t *));
            if (cmd == NULL) {
                break;
            }

            *(ngx_sync_redis_node_t **) cmd->extra = node;

            cmd->handler = ngx_sync_redis_cluster_mapped;
            cmd->data = ns;
            cmd->again = 1;
            cmd->slot = NGX_SYNC_REDIS_SLOTS;
            cmd->deadline = ngx_current_msec + NGX_SYNC_REDIS_MAP_TIMEOUT;

            if (ngx_sync_redis_conn_send(node->conn, cmd) == NGX_OK) {
                ns->asking = 1;
                return;
            }
        }
    }

    ngx_sync_redis_cluster_later(ns, NGX_SYNC_REDIS_MAP_PAUSE);
}


static void
ngx_sync_redis_cluster_mapped(ngx_sync_redis_cmd_t *cmd,
    ngx_sync_redis_reply_t *reply)
{
    ngx_sync_redis_node_t   *from;
    ngx_sync_redis_nodes_t  *ns;

    ns = cmd->data;
    ns->asking = 0;

    ngx_sync_redis_cluster_bury(ns);

    if (reply == NULL) {
        ngx_sync_redis_cluster_later(ns, NGX_SYNC_REDIS_MAP_PAUSE);
        return;
    }

    /* it has just answered, so it is still there */

    from = *(ngx_sync_redis_node_t **) cmd->extra;

    if (ngx_sync_redis_cluster_map(ns, from, reply) != NGX_OK) {
        ngx_log_error(NGX_LOG_ERR, ns->log, 0,
                      "sync store \"%V\": %V has no map of a cluster%s%V",
                      &ns->redis->label, &from->target.server.name,
                      reply->str.len ? ": " : "", &reply->str);

        ngx_sync_redis_cluster_later(ns, NGX_SYNC_REDIS_MAP_NONE);
        return;
    }

    ngx_sync_redis_cluster_forget(ns);
    ngx_sync_redis_cluster_again(ns);

    ngx_sync_redis_cluster_later(ns, NGX_SYNC_REDIS_MAP_AGE
                                 + ngx_random() % NGX_SYNC_REDIS_MAP_AGE);
}


/* Ranges of first slot, last slot, master, replicas.  What is not named has
   nobody for now. */

static ngx_int_t
ngx_sync_redis_cluster_map(ngx_sync_redis_nodes_t *ns,
    ngx_sync_redis_node_t *from, ngx_sync_redis_reply_t *reply)
{
    int64_t                  first, last, port;
    ngx_str_t               *host;
    ngx_uint_t               i;
    ngx_sync_redis_node_t   *node;
    ngx_sync_redis_reply_t  *range, *master;

    if (reply->type != NGX_SYNC_REDIS_ARRAY || reply->n == 0) {
        return NGX_DECLINED;
    }

    for (i = 0; i < reply->n; i++) {
        range = &reply->elts[i];

        if (range->type != NGX_SYNC_REDIS_ARRAY || range->n < 3
            || range->elts[2].type != NGX_SYNC_REDIS_ARRAY
            || range->elts[2].n < 2
            || range->elts[0].integer < 0
            || range->elts[1].integer >= NGX_SYNC_REDIS_SLOTS)
        {
            return NGX_DECLINED;
        }
    }

    ns->maps++;
    ngx_memzero(ns->slots, sizeof(ns->slots));

    for (i = 0; i < reply->n; i++) {
        range = &reply->elts[i];
        master = &range->elts[2];

        /* no host: the one that was asked */

        host = master->elts[0].str.len ? &master->elts[0].str
                                       : &from->target.server.host;
        port = master->elts[1].integer;

        if (port < 1 || port > 65535
            || (host->len == 1 && host->data[0] == '?'))
        {
            continue;
        }

        node = ngx_sync_redis_cluster_node(ns, host, (in_port_t) port);
        if (node == NULL) {
            continue;
        }

        node->seen = ns->maps;

        last = range->elts[1].integer;

        for (first = range->elts[0].integer; first <= last; first++) {
            ns->slots[first] = node;
        }
    }

    return NGX_OK;
}


/* What waited for this map, or for a node that is not to be reached. */

static void
ngx_sync_redis_cluster_again(ngx_sync_redis_nodes_t *ns)
{
    ngx_uint_t              i;
    ngx_queue_t             cmds, *q;
    ngx_sync_redis_cmd_t   *cmd;
    ngx_sync_redis_node_t  *node;

    ngx_queue_init(&cmds);

    ngx_sync_redis_conn_take(ns->limbo, &cmds);

    for (i = 0; i < ns->n; i++) {
        node = ns->nodes[i];

        if (node->conn->state != NGX_SYNC_REDIS_READY) {
            ngx_sync_redis_conn_take(node->conn, &cmds);
        }
    }

    while (!ngx_queue_empty(&cmds)) {
        q = ngx_queue_head(&cmds);
        ngx_queue_remove(q);

        cmd = ngx_queue_data(q, ngx_sync_redis_cmd_t, queue);

        ngx_sync_redis_cluster_pass(ns, cmd);
    }
}


/* A command that has a handler to be told. */

static void
ngx_sync_redis_cluster_pass(ngx_sync_redis_nodes_t *ns,
    ngx_sync_redis_cmd_t *cmd)
{
    ngx_sync_redis_node_t  *node;

    cmd->asking = 0;
    node = ns->slots[cmd->slot];

    if (node == NULL) {
        ngx_sync_redis_cluster_later(ns, NGX_SYNC_REDIS_MAP_PAUSE);
    }

    ngx_sync_redis_conn_pass(node ? node->conn : ns->limbo, cmd);
}


/* hooks->resolve of who waits for a map: there is nothing to connect to */

static void
ngx_sync_redis_cluster_wait(ngx_sync_redis_conn_t *conn)
{
    ngx_sync_redis_cluster_later(conn->data, NGX_SYNC_REDIS_MAP_PAUSE);
}


/* The marks whose slots it has, as far as is known. */

static void
ngx_sync_redis_cluster_greet(ngx_sync_redis_conn_t *conn)
{
    u_char                   text[NGX_SYNC_REDIS_MARK_TAG];
    ngx_str_t                tag;
    ngx_uint_t               i;
    ngx_sync_redis_node_t   *node;
    ngx_sync_redis_nodes_t  *ns;

    ns = conn->data;
    node = (ngx_sync_redis_node_t *) conn->server;

    ngx_sync_redis_probe(conn);

    for (i = 0; i < conn->redis->marks; i++) {
        tag.data = text;
        tag.len = ngx_sync_redis_mark_tag(text, i) - text;

        if (ns->slots[ngx_sync_redis_slot(&tag)] == node) {
            ngx_sync_redis_greet_mark(conn, i);
        }
    }
}


static void
ngx_sync_redis_cluster_lost(ngx_sync_redis_conn_t *conn)
{
    ngx_sync_redis_cluster_later(conn->data, NGX_SYNC_REDIS_MAP_PAUSE);
}


/* Nothing was executed where one of these is said. */

static ngx_int_t
ngx_sync_redis_cluster_refused(ngx_sync_redis_conn_t *conn,
    ngx_sync_redis_cmd_t *cmd, ngx_sync_redis_reply_t *reply)
{
    ngx_uint_t               moved;
    ngx_sync_redis_node_t   *node;
    ngx_sync_redis_nodes_t  *ns;

    ns = conn->data;

    if (cmd->slot >= NGX_SYNC_REDIS_SLOTS) {
        return NGX_DECLINED;
    }

    moved = ngx_sync_redis_is_error(reply, "MOVED ");

    if (moved || ngx_sync_redis_is_error(reply, "ASK ")) {

        node = ngx_sync_redis_cluster_named(ns, conn, &reply->str);

        if (moved) {
            ngx_sync_redis_cluster_later(ns, NGX_SYNC_REDIS_MAP_PAUSE);
        }

        if (node && cmd->hops++ < NGX_SYNC_REDIS_HOPS) {

            if (moved) {
                ns->slots[cmd->slot] = node;
            }

            cmd->asking = !moved;
            ngx_sync_redis_conn_pass(node->conn, cmd);
            return NGX_OK;
        }

    } else if (!ngx_sync_redis_is_error(reply, "TRYAGAIN")
               && !ngx_sync_redis_is_error(reply, "CLUSTERDOWN")
               && !ngx_sync_redis_is_error(reply, "LOADING")
               && !ngx_sync_redis_is_error(reply, "MASTERDOWN")
               && !ngx_sync_redis_is_readonly(reply))
    {
        return NGX_DECLINED;
    }

    cmd->asking = 0;

    ngx_sync_redis_cluster_later(ns, NGX_SYNC_REDIS_MAP_PAUSE);
    ngx_sync_redis_conn_pass(ns->limbo, cmd);

    return NGX_OK;
}


/* "MOVED 3999 127.0.0.1:6381"; no host: the one that says it */

static ngx_sync_redis_node_t *
ngx_sync_redis_cluster_named(ngx_sync_redis_nodes_t *ns,
    ngx_sync_redis_conn_t *conn, ngx_str_t *error)
{
    u_char     *p, *end, *colon;
    ngx_int_t   port;
    ngx_str_t   host;

    end = error->data + error->len;

    for (p = end; p > error->data && p[-1] != ' '; p--) { /* void */ }
    for (colon = end; colon > p && colon[-1] != ':'; colon--) { /* void */ }

    if (colon == p) {
        return NULL;
    }

    port = ngx_atoi(colon, end - colon);

    if (port < 1 || port > 65535) {
        return NULL;
    }

    host.data = p;
    host.len = colon - 1 - p;

    if (host.len == 0) {
        host = conn->server->host;
    }

    return ngx_sync_redis_cluster_node(ns, &host, (in_port_t) port);
}
