
/*
 * The life of a connection: made, greeted, lost, made again.  What goes over
 * it: ngx_sync_redis_queue.c.
 */


#include "ngx_sync_redis_conn.h"


#define NGX_SYNC_REDIS_RETRY       20        /* ms, the first pause at most */
#define NGX_SYNC_REDIS_RETRY_MAX   2000      /* and the last */
#define NGX_SYNC_REDIS_RETRY_LOG   64        /* attempts between two lines */


static void ngx_sync_redis_conn_start(ngx_sync_redis_conn_t *conn);
static ngx_int_t ngx_sync_redis_conn_test(ngx_connection_t *c);
static void ngx_sync_redis_conn_ask(ngx_sync_redis_conn_t *conn,
    ngx_str_t *args, ngx_uint_t n);
static void ngx_sync_redis_conn_greeted(ngx_sync_redis_cmd_t *cmd,
    ngx_sync_redis_reply_t *reply);
static void ngx_sync_redis_conn_retry(ngx_event_t *ev);
static void ngx_sync_redis_conn_drop(ngx_sync_redis_conn_t *conn,
    ngx_uint_t keep);
static void ngx_sync_redis_conn_close(ngx_sync_redis_conn_t *conn);
static void ngx_sync_redis_conn_tell(ngx_event_t *ev);


ngx_sync_redis_conn_t *
ngx_sync_redis_conn_create(ngx_sync_redis_t *redis,
    ngx_sync_redis_server_t *server, const ngx_sync_redis_hooks_t *hooks,
    void *data)
{
    ngx_log_t              *log;
    ngx_sync_redis_conn_t  *conn;

    log = ngx_cycle->log;

    conn = ngx_calloc(sizeof(ngx_sync_redis_conn_t), log);
    if (conn == NULL) {
        return NULL;
    }

    conn->redis = redis;
    conn->server = server;
    conn->hooks = hooks;
    conn->data = data;
    conn->log = log;

    ngx_queue_init(&conn->waiting);
    ngx_queue_init(&conn->unsent);
    ngx_queue_init(&conn->pending);
    ngx_queue_init(&conn->lost);

    /* a worker that quits waits for those who wait, see watch() */

    conn->deadline.handler = ngx_sync_redis_conn_deadline;
    conn->deadline.data = conn;
    conn->deadline.log = log;

    conn->retry.handler = ngx_sync_redis_conn_retry;
    conn->retry.data = conn;
    conn->retry.log = log;
    conn->retry.cancelable = 1;

    conn->tell.handler = ngx_sync_redis_conn_tell;
    conn->tell.data = conn;
    conn->tell.log = log;

    return conn;
}


void
ngx_sync_redis_conn_open(ngx_sync_redis_conn_t *conn)
{
    if (conn->state == NGX_SYNC_REDIS_IDLE && !conn->closed) {
        ngx_sync_redis_conn_start(conn);
    }
}


static void
ngx_sync_redis_conn_start(ngx_sync_redis_conn_t *conn)
{
    conn->state = NGX_SYNC_REDIS_RESOLVING;

    if (conn->hooks && conn->hooks->resolve) {
        conn->hooks->resolve(conn);
        return;
    }

    ngx_sync_redis_conn_connect(conn);
}


void
ngx_sync_redis_conn_connect(ngx_sync_redis_conn_t *conn)
{
    ngx_int_t          rc;
    ngx_connection_t  *c;

    if (conn->state != NGX_SYNC_REDIS_RESOLVING) {
        return;
    }

    conn->state = NGX_SYNC_REDIS_CONNECTING;

    conn->reader = ngx_sync_redis_reader_create(conn->log);
    if (conn->reader == NULL) {
        ngx_sync_redis_conn_fail(conn, "no memory");
        return;
    }

    ngx_memzero(&conn->peer, sizeof(ngx_peer_connection_t));

    conn->peer.sockaddr = conn->server->sockaddr;
    conn->peer.socklen = conn->server->socklen;
    conn->peer.name = &conn->server->name;
    conn->peer.get = ngx_event_get_peer;
    conn->peer.log = conn->log;
    conn->peer.log_error = NGX_ERROR_INFO;

    rc = ngx_event_connect_peer(&conn->peer);

    if (rc == NGX_ERROR || rc == NGX_BUSY || rc == NGX_DECLINED) {
        ngx_sync_redis_conn_fail(conn, "could not be connected to");
        return;
    }

    c = conn->peer.connection;

    c->data = conn;
    c->read->handler = ngx_sync_redis_conn_read;
    c->write->handler = ngx_sync_redis_conn_write;

    c->pool = ngx_create_pool(128, conn->log);
    if (c->pool == NULL) {
        ngx_sync_redis_conn_fail(conn, "no memory");
        return;
    }

    /* until it is ready: who waits has a deadline of its own */

    c->write->cancelable = 1;
    ngx_add_timer(c->write, ngx_max(conn->redis->timeout,
                                    NGX_SYNC_REDIS_SILENT_MIN));

    if (rc == NGX_OK) {
        ngx_sync_redis_conn_connected(conn);
    }
}


void
ngx_sync_redis_conn_connected(ngx_sync_redis_conn_t *conn)
{
    ngx_connection_t  *c;

    c = conn->peer.connection;

    if (ngx_sync_redis_conn_test(c) != NGX_OK) {
        ngx_sync_redis_conn_fail(conn, "could not be connected to");
        return;
    }

    if (conn->server->sockaddr->sa_family != AF_UNIX
        && ngx_tcp_nodelay(c) != NGX_OK)
    {
        ngx_sync_redis_conn_fail(conn, "could not be connected to");
        return;
    }

    if (conn->server->ssl) {
        ngx_sync_redis_tls_handshake(conn);
        return;
    }

    ngx_sync_redis_conn_greet(conn);
}


static ngx_int_t
ngx_sync_redis_conn_test(ngx_connection_t *c)
{
    int        err;
    socklen_t  len;

    err = 0;
    len = sizeof(int);

    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, (void *) &err, &len) == -1) {
        err = ngx_socket_errno;
    }

    if (err) {
        ngx_log_error(NGX_LOG_INFO, c->log, err, "sync store: connect()");
        return NGX_ERROR;
    }

    return NGX_OK;
}


void
ngx_sync_redis_conn_greet(ngx_sync_redis_conn_t *conn)
{
    u_char                    buf[NGX_INT_T_LEN];
    ngx_str_t                 args[3];
    ngx_uint_t                n;
    ngx_connection_t         *c;
    ngx_sync_redis_server_t  *server;

    c = conn->peer.connection;
    server = conn->server;

    /* what shook hands had handlers of its own */

    c->read->handler = ngx_sync_redis_conn_read;
    c->write->handler = ngx_sync_redis_conn_write;

    conn->state = NGX_SYNC_REDIS_GREETING;
    conn->ngreeting = 0;

    if (server->password.len) {
        ngx_str_set(&args[0], "AUTH");
        n = 1;

        if (server->user.len) {
            args[n++] = server->user;
        }

        args[n++] = server->password;

        ngx_sync_redis_conn_ask(conn, args, n);
    }

    if (server->db) {
        ngx_str_set(&args[0], "SELECT");
        args[1].data = buf;
        args[1].len = ngx_sprintf(buf, "%ui", server->db) - buf;

        ngx_sync_redis_conn_ask(conn, args, 2);
    }

    if (conn->hooks && conn->hooks->greet) {
        conn->hooks->greet(conn);
    }

    if (conn->state == NGX_SYNC_REDIS_GREETING && conn->ngreeting == 0) {
        ngx_sync_redis_conn_ready(conn);
    }
}


static void
ngx_sync_redis_conn_ask(ngx_sync_redis_conn_t *conn, ngx_str_t *args,
    ngx_uint_t n)
{
    ngx_sync_redis_cmd_t  *cmd;

    if (conn->state != NGX_SYNC_REDIS_GREETING) {
        return;
    }

    cmd = ngx_sync_redis_command(conn->redis, args, n, 0);

    if (cmd == NULL) {
        ngx_sync_redis_conn_fail(conn, "no memory");
        return;
    }

    cmd->handler = ngx_sync_redis_conn_greeted;
    cmd->data = conn;
    cmd->greeting = 1;

    (void) ngx_sync_redis_conn_send(conn, cmd);
}


static void
ngx_sync_redis_conn_greeted(ngx_sync_redis_cmd_t *cmd,
    ngx_sync_redis_reply_t *reply)
{
    ngx_uint_t              level;
    ngx_sync_redis_conn_t  *conn;

    conn = cmd->data;

    /* the words of an error name a user at most, never a password */

    if (reply && reply->type == NGX_SYNC_REDIS_ERROR) {
        level = conn->attempts ? NGX_LOG_INFO : NGX_LOG_ERR;

        ngx_log_error(level, conn->log, 0,
                      "sync store \"%V\": %V does not let us in: %V",
                      &conn->redis->label, &conn->server->name, &reply->str);

        ngx_sync_redis_conn_fail(conn, "refused AUTH or SELECT");
    }
}


void
ngx_sync_redis_conn_ready(ngx_sync_redis_conn_t *conn)
{
    ngx_queue_t           *q;
    ngx_sync_redis_cmd_t  *cmd;

    if (conn->attempts) {
        ngx_log_error(NGX_LOG_NOTICE, conn->log, 0,
                      "sync store \"%V\": %V is back",
                      &conn->redis->label, &conn->server->name);
    }

    conn->state = NGX_SYNC_REDIS_READY;
    conn->attempts = 0;

    if (conn->peer.connection->write->timer_set) {
        ngx_del_timer(conn->peer.connection->write);
    }

    if (conn->hooks && conn->hooks->ready) {
        conn->hooks->ready(conn);
    }

    while (conn->state == NGX_SYNC_REDIS_READY
           && !ngx_queue_empty(&conn->pending))
    {
        q = ngx_queue_head(&conn->pending);
        ngx_queue_remove(q);
        conn->npending--;

        cmd = ngx_queue_data(q, ngx_sync_redis_cmd_t, queue);
        ngx_sync_redis_conn_queue(conn, cmd);
    }
}


void
ngx_sync_redis_conn_fail(ngx_sync_redis_conn_t *conn, const char *why)
{
    ngx_msec_t  wait;
    ngx_uint_t  level;

    if (conn->closed
        || conn->state == NGX_SYNC_REDIS_IDLE
        || conn->state == NGX_SYNC_REDIS_BACKOFF)
    {
        return;
    }

    /* an idle connection may be closed at any time, that is no fault */

    level = NGX_LOG_INFO;

    if (conn->attempts % NGX_SYNC_REDIS_RETRY_LOG == 1
        || (conn->state == NGX_SYNC_REDIS_READY && conn->nwaiting))
    {
        level = NGX_LOG_ERR;
    }

    ngx_log_error(level, conn->log, 0, "sync store \"%V\": %V %s",
                  &conn->redis->label, &conn->server->name, why);

    conn->state = NGX_SYNC_REDIS_BACKOFF;
    conn->attempts++;

    wait = NGX_SYNC_REDIS_RETRY_MAX;

    if (conn->attempts < 8) {
        wait = ngx_min(wait, (ngx_msec_t) NGX_SYNC_REDIS_RETRY
                             << (conn->attempts - 1));
    }

    ngx_add_timer(&conn->retry, wait / 2 + ngx_random() % (wait / 2) + 1);

    ngx_sync_redis_conn_drop(conn, 1);

    if (conn->hooks && conn->hooks->lost) {
        conn->hooks->lost(conn);
    }
}


static void
ngx_sync_redis_conn_retry(ngx_event_t *ev)
{
    ngx_sync_redis_conn_t  *conn;

    conn = ev->data;

    /* a worker that quits connects only for those who wait, or will */

    if (ngx_exiting && ngx_queue_empty(&conn->pending)) {
        conn->state = NGX_SYNC_REDIS_IDLE;
        return;
    }

    if (conn->state == NGX_SYNC_REDIS_BACKOFF) {
        ngx_sync_redis_conn_start(conn);
    }
}


void
ngx_sync_redis_conn_destroy(ngx_sync_redis_conn_t *conn)
{
    if (conn->closed) {
        return;
    }

    conn->closed = 1;

    ngx_sync_redis_conn_drop(conn, 0);

    if (conn->retry.timer_set) {
        ngx_del_timer(&conn->retry);
    }

    if (conn->deadline.timer_set) {
        ngx_del_timer(&conn->deadline);
    }

    ngx_post_event(&conn->tell, &ngx_posted_events);
}


void
ngx_sync_redis_conn_exit(ngx_sync_redis_conn_t *conn)
{
    ngx_queue_t           *q;
    ngx_sync_redis_cmd_t  *cmd;

    ngx_sync_redis_conn_destroy(conn);

    while (!ngx_queue_empty(&conn->lost)) {
        q = ngx_queue_head(&conn->lost);
        ngx_queue_remove(q);

        cmd = ngx_queue_data(q, ngx_sync_redis_cmd_t, queue);
        ngx_sync_redis_free(cmd);
    }

    if (conn->tell.posted) {
        ngx_delete_posted_event(&conn->tell);
    }

    ngx_free(conn);
}


/*
 * The connection ends.  Redis runs no command that did not arrive whole, so
 * what was not sent to its end may be sent again elsewhere, and what may run
 * twice as well.
 */

static void
ngx_sync_redis_conn_drop(ngx_sync_redis_conn_t *conn, ngx_uint_t keep)
{
    ngx_uint_t             down;
    ngx_queue_t            all, *q, *next;
    ngx_sync_redis_cmd_t  *cmd;

    ngx_sync_redis_conn_close(conn);

    ngx_queue_init(&all);

    ngx_queue_add(&all, &conn->waiting);
    ngx_queue_init(&conn->waiting);

    ngx_queue_add(&all, &conn->unsent);
    ngx_queue_init(&conn->unsent);

    ngx_queue_add(&all, &conn->pending);
    ngx_queue_init(&conn->pending);

    conn->nwaiting = 0;
    conn->npending = 0;
    conn->ngreeting = 0;
    conn->nwrites = 0;

    down = conn->attempts >= NGX_SYNC_REDIS_DOWN;

    for (q = ngx_queue_head(&all); q != ngx_queue_sentinel(&all); q = next) {
        next = ngx_queue_next(q);
        cmd = ngx_queue_data(q, ngx_sync_redis_cmd_t, queue);

        ngx_queue_remove(q);

        if (keep
            && !cmd->left
            && !cmd->greeting
            && !cmd->here
            && (cmd->patient || !down)
            && (cmd->again || cmd->where != NGX_SYNC_REDIS_WAITING))
        {
            cmd->sent = 0;
            cmd->last = 0;
            cmd->where = NGX_SYNC_REDIS_PENDING;
            ngx_queue_insert_tail(&conn->pending, q);
            conn->npending++;
            continue;
        }

        ngx_sync_redis_conn_lose(conn, cmd);
    }
}


/* It will be told, later. */

void
ngx_sync_redis_conn_lose(ngx_sync_redis_conn_t *conn,
    ngx_sync_redis_cmd_t *cmd)
{
    cmd->where = NGX_SYNC_REDIS_LOST;
    ngx_queue_insert_tail(&conn->lost, &cmd->queue);

    ngx_post_event(&conn->tell, &ngx_posted_events);
}


static void
ngx_sync_redis_conn_close(ngx_sync_redis_conn_t *conn)
{
    ngx_connection_t  *c;

    c = conn->peer.connection;

    if (c) {
        conn->peer.connection = NULL;

#if (NGX_SSL)
        if (c->ssl) {
            c->ssl->no_wait_shutdown = 1;
            c->ssl->no_send_shutdown = 1;
            (void) ngx_ssl_shutdown(c);
        }
#endif

        if (c->pool) {
            ngx_destroy_pool(c->pool);
            c->pool = NULL;
        }

        ngx_close_connection(c);
    }

    /* who is handed a reply may end the connection, and still reads it */

    if (conn->reader && conn->reader != conn->reading) {
        ngx_sync_redis_reader_free(conn->reader);
    }

    conn->reader = NULL;
}


static void
ngx_sync_redis_conn_tell(ngx_event_t *ev)
{
    ngx_queue_t            *q;
    ngx_sync_redis_cmd_t   *cmd;
    ngx_sync_redis_conn_t  *conn;

    conn = ev->data;

    while (!ngx_queue_empty(&conn->lost)) {
        q = ngx_queue_head(&conn->lost);
        ngx_queue_remove(q);

        cmd = ngx_queue_data(q, ngx_sync_redis_cmd_t, queue);

        ngx_sync_redis_conn_leave(conn, cmd);

        if (cmd->handler) {
            cmd->handler(cmd, NULL);
        }

        ngx_sync_redis_free(cmd);
    }

    if (conn->closed) {

        /* one that was passed to it when it was closed already */

        if (conn->deadline.timer_set) {
            ngx_del_timer(&conn->deadline);
        }

        ngx_free(conn);
    }
}
