
/*
 * wait=N/TIMEOUT: commands that change what was promised go over connections
 * of their own, and their answers are kept back until N replicas have what
 * they wrote.
 *
 * WAIT speaks of all that its connection wrote before, so one WAIT serves all
 * commands that were answered since the last; and it holds up what comes
 * behind it, which is why nothing else goes this way.
 */


#include "ngx_sync_redis_topology.h"


typedef struct {
    ngx_sync_redis_t           plain;
    ngx_sync_redis_t           durable;
} ngx_sync_redis_both_t;


/* An answer that is kept back. */

typedef struct {
    ngx_queue_t                queue;
    ngx_pool_t                *pool;     /* this is of it */
    ngx_sync_redis_cmd_t      *cmd;
    ngx_sync_redis_reply_t     reply;
} ngx_sync_redis_kept_t;


static ngx_int_t ngx_sync_redis_both_init(ngx_sync_redis_t *redis,
    ngx_cycle_t *cycle);
static void ngx_sync_redis_both_exit(ngx_sync_redis_t *redis);
static ngx_int_t ngx_sync_redis_both_send(ngx_sync_redis_t *redis,
    ngx_str_t *tag, ngx_sync_redis_cmd_t *cmd);
static ngx_int_t ngx_sync_redis_copy(ngx_pool_t *pool,
    ngx_sync_redis_reply_t *to, ngx_sync_redis_reply_t *from);
static void ngx_sync_redis_wait_ask(ngx_event_t *ev);
static void ngx_sync_redis_wait_answer(ngx_sync_redis_cmd_t *cmd,
    ngx_sync_redis_reply_t *reply);
static void ngx_sync_redis_wait_tell(ngx_queue_t *kept, ngx_uint_t there);


static const ngx_sync_redis_topology_t  ngx_sync_redis_both = {
    ngx_string("wait"),
    ngx_sync_redis_both_init,
    ngx_sync_redis_both_exit,
    ngx_sync_redis_both_send
};


char *
ngx_sync_redis_wait_conf(ngx_conf_t *cf, ngx_sync_redis_t *redis)
{
    ngx_sync_redis_both_t  *both;
    ngx_sync_redis_topo_t  *topo, *second;

    topo = ngx_sync_redis_topo(redis);

    if (topo->url.wait_time >= redis->timeout) {
        return "waits for replicas as long as its \"timeout=\", or longer: "
               "no answer would come in time; make \"wait=N/TIME\" shorter";
    }

    both = ngx_pcalloc(cf->pool, sizeof(ngx_sync_redis_both_t));
    second = ngx_palloc(cf->pool, sizeof(ngx_sync_redis_topo_t));

    if (both == NULL || second == NULL) {
        return NGX_CONF_ERROR;
    }

    *second = *topo;
    second->durable = 1;

    both->plain = *redis;
    both->durable = *redis;
    both->durable.data = second;

    redis->topology = &ngx_sync_redis_both;
    redis->data = both;

    return NGX_CONF_OK;
}


ngx_sync_redis_topo_t *
ngx_sync_redis_topo_of(ngx_sync_redis_t *redis, ngx_uint_t i)
{
    ngx_sync_redis_both_t  *both;

    if (redis->topology != &ngx_sync_redis_both) {
        return i == 0 ? redis->data : NULL;
    }

    both = redis->data;

    switch (i) {

    case 0:
        return both->plain.data;

    case 1:
        return both->durable.data;

    default:
        return NULL;
    }
}


static ngx_int_t
ngx_sync_redis_both_init(ngx_sync_redis_t *redis, ngx_cycle_t *cycle)
{
    ngx_sync_redis_both_t  *both;

    both = redis->data;

    both->plain.look = both->durable.look = redis->look;
    both->plain.marks = both->durable.marks = redis->marks;
    both->plain.owner = both->durable.owner = redis->owner;

    if (both->plain.topology->init_process(&both->plain, cycle) != NGX_OK) {
        return NGX_ERROR;
    }

    return both->durable.topology->init_process(&both->durable, cycle);
}


static void
ngx_sync_redis_both_exit(ngx_sync_redis_t *redis)
{
    ngx_sync_redis_both_t  *both;

    both = redis->data;

    both->plain.topology->exit_process(&both->plain);
    both->durable.topology->exit_process(&both->durable);
}


static ngx_int_t
ngx_sync_redis_both_send(ngx_sync_redis_t *redis, ngx_str_t *tag,
    ngx_sync_redis_cmd_t *cmd)
{
    ngx_sync_redis_t       *way;
    ngx_sync_redis_both_t  *both;

    both = redis->data;
    way = cmd->durable ? &both->durable : &both->plain;

    return way->topology->send(way, tag, cmd);
}


ngx_int_t
ngx_sync_redis_wait_replied(ngx_sync_redis_conn_t *conn,
    ngx_sync_redis_cmd_t *cmd, ngx_sync_redis_reply_t *reply)
{
    ngx_pool_t               *pool;
    ngx_sync_redis_kept_t    *kept;
    ngx_sync_redis_target_t  *target;

    target = (ngx_sync_redis_target_t *) conn->server;

    if (!target->topo->durable || !cmd->durable
        || reply->type == NGX_SYNC_REDIS_ERROR)
    {
        return NGX_DECLINED;
    }

    pool = ngx_create_pool(1024, conn->log);

    kept = pool ? ngx_palloc(pool, sizeof(ngx_sync_redis_kept_t)) : NULL;

    if (kept == NULL
        || ngx_sync_redis_copy(pool, &kept->reply, reply) != NGX_OK)
    {
        if (pool) {
            ngx_destroy_pool(pool);
        }

        /* what cannot be kept back has no answer */

        if (cmd->handler) {
            cmd->handler(cmd, NULL);
        }

        ngx_sync_redis_free(cmd);

        return NGX_OK;
    }

    kept->pool = pool;
    kept->cmd = cmd;

    ngx_queue_insert_tail(&target->answered, &kept->queue);

    if (!target->waiting) {
        target->ask.handler = ngx_sync_redis_wait_ask;
        target->ask.data = conn;
        target->ask.log = conn->log;

        ngx_post_event(&target->ask, &ngx_posted_events);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_sync_redis_copy(ngx_pool_t *pool, ngx_sync_redis_reply_t *to,
    ngx_sync_redis_reply_t *from)
{
    ngx_uint_t  i;

    *to = *from;

    if (from->str.len) {
        to->str.data = ngx_pstrdup(pool, &from->str);
        if (to->str.data == NULL) {
            return NGX_ERROR;
        }
    }

    if (from->n == 0) {
        return NGX_OK;
    }

    to->elts = ngx_palloc(pool, from->n * sizeof(ngx_sync_redis_reply_t));
    if (to->elts == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < from->n; i++) {
        if (ngx_sync_redis_copy(pool, &to->elts[i], &from->elts[i])
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* One WAIT at a time, for all that were answered before it is sent. */

static void
ngx_sync_redis_wait_ask(ngx_event_t *ev)
{
    u_char                    n[NGX_INT_T_LEN], ms[NGX_INT_T_LEN];
    ngx_str_t                 args[3];
    ngx_msec_t                deadline;
    ngx_queue_t              *q;
    ngx_sync_redis_url_t     *url;
    ngx_sync_redis_cmd_t     *cmd;
    ngx_sync_redis_kept_t    *kept;
    ngx_sync_redis_conn_t    *conn;
    ngx_sync_redis_target_t  *target;

    conn = ev->data;
    target = (ngx_sync_redis_target_t *) conn->server;
    url = &target->topo->url;

    if (target->waiting || ngx_queue_empty(&target->answered)) {
        return;
    }

    ngx_str_set(&args[0], "WAIT");
    args[1].data = n;
    args[1].len = ngx_sprintf(n, "%ui", url->wait) - n;
    args[2].data = ms;
    args[2].len = ngx_sprintf(ms, "%M", url->wait_time) - ms;

    cmd = NULL;

    /* on another connection it would say nothing of what was written */

    if (conn->state == NGX_SYNC_REDIS_READY) {
        cmd = ngx_sync_redis_command(conn->redis, args, 3, 0);
    }

    if (cmd == NULL) {
        ngx_sync_redis_wait_tell(&target->answered, 0);
        return;
    }

    deadline = ngx_current_msec + conn->redis->timeout;

    for (q = ngx_queue_head(&target->answered);
         q != ngx_queue_sentinel(&target->answered);
         q = ngx_queue_next(q))
    {
        kept = ngx_queue_data(q, ngx_sync_redis_kept_t, queue);

        if ((ngx_msec_int_t) (kept->cmd->deadline - deadline) < 0) {
            deadline = kept->cmd->deadline;
        }
    }

    ngx_queue_add(&target->awaited, &target->answered);
    ngx_queue_init(&target->answered);

    cmd->handler = ngx_sync_redis_wait_answer;
    cmd->data = conn;
    cmd->deadline = deadline;
    cmd->here = 1;

    target->waiting = 1;

    if (ngx_sync_redis_conn_send(conn, cmd) != NGX_OK) {
        target->waiting = 0;
        ngx_sync_redis_wait_tell(&target->awaited, 0);
    }
}


static void
ngx_sync_redis_wait_answer(ngx_sync_redis_cmd_t *cmd,
    ngx_sync_redis_reply_t *reply)
{
    ngx_uint_t                there;
    ngx_sync_redis_conn_t    *conn;
    ngx_sync_redis_target_t  *target;

    conn = cmd->data;
    target = (ngx_sync_redis_target_t *) conn->server;

    there = reply && reply->type == NGX_SYNC_REDIS_INTEGER
            && reply->integer >= (int64_t) target->topo->url.wait;

    if (!there) {
        ngx_log_error(NGX_LOG_WARN, conn->log, 0,
                      "sync store \"%V\": what %V was told is not known to "
                      "%ui replica%s in time", &conn->redis->label,
                      &conn->server->name, target->topo->url.wait,
                      target->topo->url.wait == 1 ? "" : "s");
    }

    target->waiting = 0;

    ngx_sync_redis_wait_tell(&target->awaited, there);

    if (!ngx_queue_empty(&target->answered)) {
        ngx_post_event(&target->ask, &ngx_posted_events);
    }
}


static void
ngx_sync_redis_wait_tell(ngx_queue_t *queue, ngx_uint_t there)
{
    ngx_queue_t             all, *q;
    ngx_sync_redis_cmd_t   *cmd;
    ngx_sync_redis_kept_t  *kept;

    ngx_queue_init(&all);
    ngx_queue_add(&all, queue);
    ngx_queue_init(queue);

    while (!ngx_queue_empty(&all)) {
        q = ngx_queue_head(&all);
        ngx_queue_remove(q);

        kept = ngx_queue_data(q, ngx_sync_redis_kept_t, queue);
        cmd = kept->cmd;

        if (cmd->handler) {
            cmd->handler(cmd, there ? &kept->reply : NULL);
        }

        ngx_sync_redis_free(cmd);
        ngx_destroy_pool(kept->pool);
    }
}


void
ngx_sync_redis_wait_cancel(ngx_sync_redis_target_t *target)
{
    ngx_queue_t            *q;
    ngx_sync_redis_kept_t  *kept;

    if (target->ask.posted) {
        ngx_delete_posted_event(&target->ask);
    }

    ngx_queue_add(&target->awaited, &target->answered);
    ngx_queue_init(&target->answered);

    while (!ngx_queue_empty(&target->awaited)) {
        q = ngx_queue_head(&target->awaited);
        ngx_queue_remove(q);

        kept = ngx_queue_data(q, ngx_sync_redis_kept_t, queue);

        ngx_sync_redis_free(kept->cmd);
        ngx_destroy_pool(kept->pool);
    }
}
