
/*
 * From what sync_store says to a way to a server; and the simplest of them,
 * one server at one address or name.
 */


#include "ngx_sync_redis_topology.h"


#define NGX_SYNC_REDIS_RESOLVER  30000   /* ms; NGINX' own default */


typedef struct {
    ngx_sync_redis_target_t    target;
    ngx_sync_redis_conn_t     *conn;
} ngx_sync_redis_one_t;


static ngx_int_t ngx_sync_redis_one_init(ngx_sync_redis_t *redis,
    ngx_cycle_t *cycle);
static void ngx_sync_redis_one_exit(ngx_sync_redis_t *redis);
static ngx_int_t ngx_sync_redis_one_send(ngx_sync_redis_t *redis,
    ngx_str_t *tag, ngx_sync_redis_cmd_t *cmd);


static const ngx_sync_redis_topology_t  ngx_sync_redis_one = {
    ngx_string("single"),
    ngx_sync_redis_one_init,
    ngx_sync_redis_one_exit,
    ngx_sync_redis_one_send
};


static const ngx_sync_redis_hooks_t  ngx_sync_redis_one_hooks = {
    ngx_sync_redis_target_resolve,
    ngx_sync_redis_greet,
    ngx_sync_redis_target_ready,
    NULL,
    ngx_sync_redis_refused,
    ngx_sync_redis_wait_replied,
    NULL
};


char *
ngx_sync_redis_conf(ngx_conf_t *cf, ngx_str_t *args, ngx_uint_t n,
    ngx_sync_redis_t *redis)
{
    char                   *rc;
    ngx_sync_redis_topo_t  *topo;

    topo = ngx_pcalloc(cf->pool, sizeof(ngx_sync_redis_topo_t));
    if (topo == NULL) {
        return NGX_CONF_ERROR;
    }

    rc = ngx_sync_redis_url_read(cf, args, n, &topo->url);
    if (rc != NGX_CONF_OK) {
        return rc;
    }

    redis->data = topo;
    redis->refuse_lost = topo->url.after_loss == NGX_SYNC_REDIS_LOSS_REFUSE;
    redis->quarantine = topo->url.quarantine ? topo->url.quarantine
                                             : NGX_SYNC_REDIS_QUARANTINE;

    switch (topo->url.kind) {

    case NGX_SYNC_REDIS_SENTINEL:
        redis->topology = &ngx_sync_redis_sentinel;
        break;

    case NGX_SYNC_REDIS_CLUSTER:
        redis->topology = &ngx_sync_redis_cluster;
        redis->cluster = 1;
        break;

    default: /* NGX_SYNC_REDIS_SINGLE */
        redis->topology = &ngx_sync_redis_one;
    }

    if (topo->url.wait) {
        return ngx_sync_redis_wait_conf(cf, redis);
    }

    return NGX_CONF_OK;
}


ngx_int_t
ngx_sync_redis_conf_done(ngx_conf_t *cf, ngx_sync_redis_t *redis,
    ngx_resolver_t *resolver, ngx_msec_t resolver_timeout)
{
    ngx_uint_t              i;
    ngx_sync_redis_topo_t  *topo;

    for (i = 0; (topo = ngx_sync_redis_topo_of(redis, i)) != NULL; i++) {
        topo->resolver = resolver;

        /* merged into servers, not into http itself */

        topo->resolver_timeout = resolver_timeout == NGX_CONF_UNSET_MSEC
                                 ? NGX_SYNC_REDIS_RESOLVER : resolver_timeout;
    }

    return ngx_sync_redis_url_check(cf, &ngx_sync_redis_topo_of(redis, 0)->url,
                                    resolver);
}


static ngx_int_t
ngx_sync_redis_one_init(ngx_sync_redis_t *redis, ngx_cycle_t *cycle)
{
    ngx_sync_redis_one_t   *one;
    ngx_sync_redis_topo_t  *topo;

    topo = ngx_sync_redis_topo(redis);

    one = ngx_pcalloc(cycle->pool, sizeof(ngx_sync_redis_one_t));
    if (one == NULL) {
        return NGX_ERROR;
    }

    ngx_sync_redis_target_init(&one->target, topo, NGX_SYNC_REDIS_AS_CLIENT);

    if (ngx_sync_redis_target_place(&one->target, topo->url.places.elts)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    one->conn = ngx_sync_redis_conn_create(redis, &one->target.server,
                                           &ngx_sync_redis_one_hooks, NULL);
    if (one->conn == NULL) {
        return NGX_ERROR;
    }

    topo->state = one;

    ngx_sync_redis_conn_open(one->conn);

    return NGX_OK;
}


static void
ngx_sync_redis_one_exit(ngx_sync_redis_t *redis)
{
    ngx_sync_redis_one_t  *one;

    one = ngx_sync_redis_topo(redis)->state;

    if (one) {
        ngx_sync_redis_wait_cancel(&one->target);
        ngx_sync_redis_conn_exit(one->conn);
        ngx_sync_redis_target_cancel(&one->target);
    }
}


static ngx_int_t
ngx_sync_redis_one_send(ngx_sync_redis_t *redis, ngx_str_t *tag,
    ngx_sync_redis_cmd_t *cmd)
{
    ngx_sync_redis_one_t  *one;

    one = ngx_sync_redis_topo(redis)->state;

    return ngx_sync_redis_conn_send(one->conn, cmd);
}


void
ngx_sync_redis_greet(ngx_sync_redis_conn_t *conn)
{
    ngx_sync_redis_probe(conn);
    ngx_sync_redis_greet_mark(conn, 0);
}


void
ngx_sync_redis_greet_mark(ngx_sync_redis_conn_t *conn, ngx_uint_t i)
{
    ngx_sync_redis_t      *redis;
    ngx_sync_redis_cmd_t  *cmd;

    redis = conn->redis;

    if (redis->look == NULL || conn->state != NGX_SYNC_REDIS_GREETING) {
        return;
    }

    cmd = redis->look(redis, conn, i);

    if (cmd == NULL || ngx_sync_redis_whole(cmd) != NGX_OK) {
        ngx_sync_redis_conn_fail(conn, "could not be asked: no memory");

        if (cmd) {
            ngx_sync_redis_free(cmd);
        }

        return;
    }

    cmd->greeting = 1;

    (void) ngx_sync_redis_conn_send(conn, cmd);
}


void
ngx_sync_redis_conn_disappoint(ngx_sync_redis_conn_t *conn)
{
    ngx_queue_t            cmds, *q;
    ngx_sync_redis_cmd_t  *cmd;

    ngx_queue_init(&cmds);
    ngx_sync_redis_conn_take(conn, &cmds);

    while (!ngx_queue_empty(&cmds)) {
        q = ngx_queue_head(&cmds);
        ngx_queue_remove(q);

        cmd = ngx_queue_data(q, ngx_sync_redis_cmd_t, queue);

        if (cmd->patient) {
            ngx_sync_redis_conn_pass(conn, cmd);
            continue;
        }

        if (cmd->handler) {
            cmd->handler(cmd, NULL);
        }

        ngx_sync_redis_free(cmd);
    }
}


ngx_uint_t
ngx_sync_redis_is_readonly(ngx_sync_redis_reply_t *reply)
{
    /* of a script 6.2 has it in the middle of its words */

    return ngx_sync_redis_is_error(reply, "READONLY")
           || (ngx_sync_redis_is_error(reply, "ERR Error running script")
               && ngx_strstr(reply->str.data, ": -READONLY ") != NULL);
}


ngx_int_t
ngx_sync_redis_refused(ngx_sync_redis_conn_t *conn, ngx_sync_redis_cmd_t *cmd,
    ngx_sync_redis_reply_t *reply)
{
    if (ngx_sync_redis_is_readonly(reply)) {
        ngx_sync_redis_conn_fail(conn, "has become a replica");

    } else if (ngx_sync_redis_is_error(reply, "LOADING")) {
        ngx_sync_redis_conn_fail(conn, "is loading its data");

    } else if (ngx_sync_redis_is_error(reply, "MASTERDOWN")) {
        ngx_sync_redis_conn_fail(conn, "has lost its master");

    } else {
        return NGX_DECLINED;
    }

    ngx_sync_redis_conn_pass(conn, cmd);

    return NGX_OK;
}
