
/*
 * What goes over a connection: commands leave in the order they came, replies
 * are matched by it.
 *
 *     pending   until the connection is ready
 *     unsent    for the next write, which leaves when that before it is
 *               answered: what is asked meanwhile goes together
 *     waiting   for their replies
 *     lost      for the posted event that tells them of no answer
 *
 * A command whose time is up is told at once and keeps its place, so that the
 * replies stay in step.
 */


#include "ngx_sync_redis_conn.h"


#define NGX_SYNC_REDIS_BUFS        64        /* commands in one write */
#define NGX_SYNC_REDIS_READ        65536

/*
 * So many writes may be unanswered.  Under load it is their number that costs,
 * here and there; what is asked meanwhile waits half a round trip, and can
 * still be withdrawn.
 */
#define NGX_SYNC_REDIS_WRITES      1

/*
 * A worker that quits waits so long for those who take back, and sees that it
 * quits within so much.  That they have left is not enough: a Redis that cannot
 * answer reads no more, and what it had read before it has done.
 */
#define NGX_SYNC_REDIS_UNDO_LEAVE  10000     /* ms */
#define NGX_SYNC_REDIS_UNDO_LOOK   500

/* A connection that says nothing for so many timeouts is given up. */
#define NGX_SYNC_REDIS_SILENT      3


static ngx_int_t ngx_sync_redis_conn_accept(ngx_sync_redis_conn_t *conn,
    ngx_sync_redis_cmd_t *cmd);
static ngx_int_t ngx_sync_redis_conn_asking(ngx_sync_redis_conn_t *conn);
static void ngx_sync_redis_conn_enter(ngx_sync_redis_conn_t *conn,
    ngx_sync_redis_cmd_t *cmd);
static void ngx_sync_redis_conn_forget(ngx_sync_redis_conn_t *conn,
    ngx_sync_redis_cmd_t *cmd);
static void ngx_sync_redis_conn_unlive(ngx_sync_redis_conn_t *conn,
    ngx_sync_redis_cmd_t *cmd);
static void ngx_sync_redis_conn_stay(ngx_sync_redis_conn_t *conn);
static ngx_queue_t *ngx_sync_redis_conn_place(ngx_sync_redis_conn_t *conn,
    ngx_sync_redis_cmd_t *cmd);
static ngx_uint_t ngx_sync_redis_conn_holds(ngx_sync_redis_conn_t *conn,
    ngx_sync_redis_cmd_t *cmd);
static void ngx_sync_redis_conn_reply(ngx_sync_redis_conn_t *conn,
    ngx_sync_redis_reply_t *reply);
static void ngx_sync_redis_conn_welcome(ngx_sync_redis_conn_t *conn,
    ngx_sync_redis_cmd_t *cmd, ngx_sync_redis_reply_t *reply);
static void ngx_sync_redis_conn_unasked(ngx_sync_redis_conn_t *conn,
    ngx_sync_redis_reply_t *reply);
static void ngx_sync_redis_conn_watch(ngx_sync_redis_conn_t *conn,
    ngx_msec_t at);
static ngx_uint_t ngx_sync_redis_conn_overdue(ngx_sync_redis_conn_t *conn,
    ngx_queue_t *queue, ngx_sync_redis_cmd_t ***last, ngx_msec_t *next,
    ngx_uint_t any);


static u_char  ngx_sync_redis_buffer[NGX_SYNC_REDIS_READ];


ngx_int_t
ngx_sync_redis_conn_send(ngx_sync_redis_conn_t *conn,
    ngx_sync_redis_cmd_t *cmd)
{
    if (ngx_sync_redis_conn_accept(conn, cmd) != NGX_OK) {
        ngx_sync_redis_free(cmd);
        return NGX_ERROR;
    }

    return NGX_OK;
}


void
ngx_sync_redis_conn_pass(ngx_sync_redis_conn_t *conn,
    ngx_sync_redis_cmd_t *cmd)
{
    if (ngx_sync_redis_conn_accept(conn, cmd) != NGX_OK) {
        ngx_sync_redis_conn_enter(conn, cmd);
        ngx_sync_redis_conn_lose(conn, cmd);
    }
}


static ngx_int_t
ngx_sync_redis_conn_accept(ngx_sync_redis_conn_t *conn,
    ngx_sync_redis_cmd_t *cmd)
{
    if (conn->closed) {
        return NGX_ERROR;
    }

    /* AUTH and the look at the data go first, whatever waits; there are no
       more that take back than commands in one write */

    if (!cmd->greeting
        && !cmd->undo
        && (conn->nbytes + cmd->len > NGX_SYNC_REDIS_BYTES
            || conn->nwaiting + conn->npending >= NGX_SYNC_REDIS_QUEUED))
    {
        return NGX_ERROR;
    }

    if (conn->state == NGX_SYNC_REDIS_READY || cmd->greeting) {

        if (conn->peer.connection == NULL
            || (cmd->asking && ngx_sync_redis_conn_asking(conn) != NGX_OK))
        {
            return NGX_ERROR;
        }

        if (cmd->greeting) {
            conn->ngreeting++;
        }

        ngx_sync_redis_conn_enter(conn, cmd);
        ngx_sync_redis_conn_queue(conn, cmd);

        return NGX_OK;
    }

    if ((conn->npending >= NGX_SYNC_REDIS_PENDED && !cmd->undo)
        || (conn->attempts >= NGX_SYNC_REDIS_DOWN && !cmd->patient))
    {
        /* a worker that quits does not connect for ever: who asks again finds
           whether it is back */

        ngx_sync_redis_conn_open(conn);

        return NGX_ERROR;
    }

    ngx_sync_redis_conn_enter(conn, cmd);

    cmd->where = NGX_SYNC_REDIS_PENDING;
    ngx_queue_insert_tail(&conn->pending, &cmd->queue);
    conn->npending++;

    ngx_sync_redis_conn_open(conn);

    return NGX_OK;
}


static ngx_int_t
ngx_sync_redis_conn_asking(ngx_sync_redis_conn_t *conn)
{
    ngx_str_t              arg;
    ngx_sync_redis_cmd_t  *cmd;

    ngx_str_set(&arg, "ASKING");

    cmd = ngx_sync_redis_command(conn->redis, &arg, 1, 0);
    if (cmd == NULL) {
        return NGX_ERROR;
    }

    cmd->here = 1;

    return ngx_sync_redis_conn_send(conn, cmd);
}


/* It is this connection's from here to leave(). */

static void
ngx_sync_redis_conn_enter(ngx_sync_redis_conn_t *conn,
    ngx_sync_redis_cmd_t *cmd)
{
    cmd->conn = conn;
    cmd->sent = 0;
    cmd->last = 0;
    conn->nbytes += cmd->len;

    /* a worker that quits waits for requests, not for the patient */

    if (!cmd->patient) {
        conn->nlive++;

    } else if (cmd->undo) {
        conn->nundo++;
        ngx_sync_redis_conn_watch(conn, ngx_current_msec
                                        + NGX_SYNC_REDIS_UNDO_LOOK);
    }

    ngx_sync_redis_conn_stay(conn);
    ngx_sync_redis_conn_watch(conn, cmd->deadline);
}


void
ngx_sync_redis_conn_leave(ngx_sync_redis_conn_t *conn,
    ngx_sync_redis_cmd_t *cmd)
{
    if (!cmd->left) {
        ngx_sync_redis_conn_unlive(conn, cmd);
    }

    cmd->conn = NULL;
    cmd->where = NGX_SYNC_REDIS_NOWHERE;
    conn->nbytes -= cmd->len;
}


/* Nobody waits for it any more. */

static void
ngx_sync_redis_conn_forget(ngx_sync_redis_conn_t *conn,
    ngx_sync_redis_cmd_t *cmd)
{
    if (!cmd->left) {
        ngx_sync_redis_conn_unlive(conn, cmd);
        cmd->left = 1;
    }
}


static void
ngx_sync_redis_conn_unlive(ngx_sync_redis_conn_t *conn,
    ngx_sync_redis_cmd_t *cmd)
{
    if (!cmd->patient) {
        conn->nlive--;

    } else if (cmd->undo) {
        conn->nundo--;
    }

    ngx_sync_redis_conn_stay(conn);
}


static void
ngx_sync_redis_conn_stay(ngx_sync_redis_conn_t *conn)
{
    conn->deadline.cancelable = conn->nlive == 0
                                && (conn->nundo == 0 || conn->over);
}


void
ngx_sync_redis_conn_queue(ngx_sync_redis_conn_t *conn,
    ngx_sync_redis_cmd_t *cmd)
{
    ngx_queue_t  *before;

    if (conn->nwaiting == 0) {
        conn->heard = ngx_current_msec;
    }

    cmd->where = NGX_SYNC_REDIS_UNSENT;
    before = ngx_sync_redis_conn_place(conn, cmd);
    ngx_queue_insert_tail(before, &cmd->queue);
    conn->nwaiting++;

    /* one write for all that is asked in this turn of the loop */

    ngx_post_event(conn->peer.connection->write, &ngx_posted_events);
}


/* Before whom it stands; nothing comes between ASKING and its command. */

static ngx_queue_t *
ngx_sync_redis_conn_place(ngx_sync_redis_conn_t *conn,
    ngx_sync_redis_cmd_t *cmd)
{
    ngx_queue_t           *q;
    ngx_sync_redis_cmd_t  *other;

    if (!cmd->undo || cmd->asking) {
        return ngx_queue_sentinel(&conn->unsent);
    }

    for (q = ngx_queue_head(&conn->unsent);
         q != ngx_queue_sentinel(&conn->unsent);
         q = ngx_queue_next(q))
    {
        other = ngx_queue_data(q, ngx_sync_redis_cmd_t, queue);

        if (!other->sent && !other->undo && !other->here && !other->asking) {
            break;
        }
    }

    return q;
}


ngx_int_t
ngx_sync_redis_cancel(ngx_sync_redis_cmd_t *cmd)
{
    ngx_int_t               rc;
    ngx_sync_redis_conn_t  *conn;

    conn = cmd->conn;

    cmd->handler = NULL;
    cmd->data = NULL;

    rc = cmd->tried ? NGX_DECLINED : NGX_OK;

    switch (cmd->where) {

    case NGX_SYNC_REDIS_PENDING:
        conn->npending--;
        break;

    case NGX_SYNC_REDIS_UNSENT:

        if (cmd->sent || cmd->asking) {
            ngx_sync_redis_conn_forget(conn, cmd);
            return NGX_DECLINED;
        }

        conn->nwaiting--;
        break;

    case NGX_SYNC_REDIS_LOST:
    case NGX_SYNC_REDIS_WAITING:
        ngx_sync_redis_conn_forget(conn, cmd);
        return rc;

    default: /* a topology keeps it, and asks left before it sends */
        cmd->left = 1;
        return rc;
    }

    ngx_queue_remove(&cmd->queue);
    ngx_sync_redis_conn_leave(conn, cmd);
    ngx_sync_redis_free(cmd);

    return rc;
}


void
ngx_sync_redis_conn_take(ngx_sync_redis_conn_t *conn, ngx_queue_t *cmds)
{
    ngx_queue_t           *q;
    ngx_sync_redis_cmd_t  *cmd;

    while (!ngx_queue_empty(&conn->pending)) {
        q = ngx_queue_head(&conn->pending);
        ngx_queue_remove(q);
        conn->npending--;

        cmd = ngx_queue_data(q, ngx_sync_redis_cmd_t, queue);

        ngx_sync_redis_conn_leave(conn, cmd);
        ngx_queue_insert_tail(cmds, q);
    }
}


void
ngx_sync_redis_conn_write(ngx_event_t *wev)
{
    ngx_buf_t               bufs[NGX_SYNC_REDIS_BUFS];
    ngx_uint_t              i, n, held;
    ngx_queue_t            *q;
    ngx_chain_t             chain[NGX_SYNC_REDIS_BUFS], *rest;
    ngx_connection_t       *c;
    ngx_sync_redis_cmd_t   *cmd, *last;
    ngx_sync_redis_conn_t  *conn;

    c = wev->data;
    conn = c->data;

    if (wev->timedout) {
        ngx_sync_redis_conn_fail(conn, "does not answer");
        return;
    }

    if (conn->state == NGX_SYNC_REDIS_CONNECTING) {
        ngx_sync_redis_conn_connected(conn);
        return;
    }

    while (wev->ready) {
        q = ngx_queue_head(&conn->unsent);
        cmd = NULL;
        held = 1;

        if (q != ngx_queue_sentinel(&conn->unsent)) {
            cmd = ngx_queue_data(q, ngx_sync_redis_cmd_t, queue);
            held = ngx_sync_redis_conn_holds(conn, cmd);
        }

        if (held && !c->buffered && (cmd == NULL || !cmd->undo)) {
            break;
        }

        n = 0;
        last = NULL;

        for (q = ngx_queue_head(&conn->unsent);
             q != ngx_queue_sentinel(&conn->unsent)
             && n < NGX_SYNC_REDIS_BUFS;
             q = ngx_queue_next(q))
        {
            cmd = ngx_queue_data(q, ngx_sync_redis_cmd_t, queue);

            if (held && !cmd->undo) {
                break;
            }

            ngx_memzero(&bufs[n], sizeof(ngx_buf_t));
            bufs[n].memory = 1;
            bufs[n].pos = cmd->bytes + cmd->sent;
            bufs[n].last = cmd->bytes + cmd->len;

            chain[n].buf = &bufs[n];
            chain[n].next = NULL;

            if (n) {
                chain[n - 1].next = &chain[n];
            }

            n++;
        }

        if (n) {
            bufs[n - 1].flush = 1;
        }

        rest = c->send_chain(c, n ? chain : NULL, 0);

        if (rest == NGX_CHAIN_ERROR) {
            ngx_sync_redis_conn_fail(conn, "is lost");
            return;
        }

        for (i = 0; i < n; i++) {
            q = ngx_queue_head(&conn->unsent);
            cmd = ngx_queue_data(q, ngx_sync_redis_cmd_t, queue);

            cmd->sent = bufs[i].pos - cmd->bytes;

            if (cmd->sent < cmd->len) {
                break;
            }

            cmd->tried = 1;
            cmd->where = NGX_SYNC_REDIS_WAITING;
            last = cmd;

            ngx_queue_remove(q);
            ngx_queue_insert_tail(&conn->waiting, q);
        }

        if (last != NULL) {
            last->last = 1;
            conn->nwrites++;
        }
    }

    if (ngx_handle_write_event(wev, 0) != NGX_OK) {
        ngx_sync_redis_conn_fail(conn, "is lost");
    }
}


/* What has begun to leave goes on, and a greeting waits for nothing. */

static ngx_uint_t
ngx_sync_redis_conn_holds(ngx_sync_redis_conn_t *conn,
    ngx_sync_redis_cmd_t *cmd)
{
    return conn->nwrites >= NGX_SYNC_REDIS_WRITES
           && cmd->sent == 0
           && conn->state == NGX_SYNC_REDIS_READY;
}


void
ngx_sync_redis_conn_read(ngx_event_t *rev)
{
    void                    *reader;
    ssize_t                  n;
    ngx_int_t                rc;
    ngx_connection_t        *c;
    ngx_sync_redis_conn_t   *conn;
    ngx_sync_redis_reply_t  *reply;

    c = rev->data;
    conn = c->data;

    if (conn->state == NGX_SYNC_REDIS_CONNECTING) {

        /* the write event tells how it went */

        return;
    }

    reader = conn->reader;

    for ( ;; ) {
        n = c->recv(c, ngx_sync_redis_buffer, NGX_SYNC_REDIS_READ);

        if (n == NGX_AGAIN) {
            break;
        }

        if (n == NGX_ERROR || n == 0) {
            ngx_sync_redis_conn_fail(conn, "closed the connection");
            return;
        }

        conn->heard = ngx_current_msec;

        if (ngx_sync_redis_reader_feed(reader, ngx_sync_redis_buffer, n)
            != NGX_OK)
        {
            ngx_sync_redis_conn_fail(conn, "says too much");
            return;
        }

        for ( ;; ) {
            rc = ngx_sync_redis_reader_next(reader, &reply);

            if (rc == NGX_AGAIN) {
                break;
            }

            if (rc == NGX_ERROR) {
                ngx_sync_redis_conn_fail(conn, "does not speak as Redis does");
                return;
            }

            conn->reading = reader;
            ngx_sync_redis_conn_reply(conn, reply);
            conn->reading = NULL;

            if (conn->peer.connection != c) {
                ngx_sync_redis_reader_free(reader);
                return;
            }
        }
    }

    if (ngx_handle_read_event(rev, 0) != NGX_OK) {
        ngx_sync_redis_conn_fail(conn, "is lost");
    }
}


static void
ngx_sync_redis_conn_reply(ngx_sync_redis_conn_t *conn,
    ngx_sync_redis_reply_t *reply)
{
    ngx_queue_t           *q;
    ngx_sync_redis_cmd_t  *cmd;

    if (ngx_queue_empty(&conn->waiting)) {
        ngx_sync_redis_conn_unasked(conn, reply);
        return;
    }

    q = ngx_queue_head(&conn->waiting);
    ngx_queue_remove(q);
    conn->nwaiting--;

    cmd = ngx_queue_data(q, ngx_sync_redis_cmd_t, queue);

    if (cmd->last) {
        cmd->last = 0;
        conn->nwrites--;

        if (!ngx_queue_empty(&conn->unsent)) {
            ngx_post_event(conn->peer.connection->write, &ngx_posted_events);
        }
    }

    ngx_sync_redis_conn_leave(conn, cmd);

    if (cmd->left) {
        ngx_sync_redis_free(cmd);
        return;
    }

    if (cmd->greeting) {
        ngx_sync_redis_conn_welcome(conn, cmd, reply);
        return;
    }

    if (reply->type == NGX_SYNC_REDIS_ERROR) {

        if (cmd->script
            && ngx_sync_redis_is_error(reply, "NOSCRIPT")
            && ngx_sync_redis_whole(cmd) == NGX_OK)
        {
            ngx_sync_redis_conn_pass(conn, cmd);
            return;
        }

        if (conn->hooks
            && conn->hooks->refused
            && conn->hooks->refused(conn, cmd, reply) == NGX_OK)
        {
            return;
        }
    }

    if (conn->hooks
        && conn->hooks->replied
        && conn->hooks->replied(conn, cmd, reply) == NGX_OK)
    {
        return;
    }

    if (cmd->handler) {
        cmd->handler(cmd, reply);
    }

    ngx_sync_redis_free(cmd);
}


static void
ngx_sync_redis_conn_welcome(ngx_sync_redis_conn_t *conn,
    ngx_sync_redis_cmd_t *cmd, ngx_sync_redis_reply_t *reply)
{
    conn->ngreeting--;

    if (cmd->handler) {
        cmd->handler(cmd, reply);
    }

    ngx_sync_redis_free(cmd);

    if (conn->state == NGX_SYNC_REDIS_GREETING && conn->ngreeting == 0) {
        ngx_sync_redis_conn_ready(conn);
    }
}


static void
ngx_sync_redis_conn_unasked(ngx_sync_redis_conn_t *conn,
    ngx_sync_redis_reply_t *reply)
{
    if (conn->hooks && conn->hooks->push) {
        conn->hooks->push(conn, reply);
        return;
    }

    if (reply->type == NGX_SYNC_REDIS_ERROR) {
        ngx_log_error(NGX_LOG_INFO, conn->log, 0, "sync store \"%V\": %V: %V",
                      &conn->redis->label, &conn->server->name, &reply->str);
    }

    ngx_sync_redis_conn_fail(conn, "answers what nobody asked");
}


/* One timer for all deadlines, which seldom has to move: it is not deleted
   with the command it was set for. */

static void
ngx_sync_redis_conn_watch(ngx_sync_redis_conn_t *conn, ngx_msec_t at)
{
    ngx_event_t     *ev;
    ngx_msec_int_t   wait;

    ev = &conn->deadline;

    if (ev->timer_set) {

        if ((ngx_msec_int_t) (at - ev->timer.key) >= 0) {
            return;
        }

        ngx_del_timer(ev);
    }

    wait = (ngx_msec_int_t) (at - ngx_current_msec);

    ngx_add_timer(ev, wait > 0 ? wait : 1);
}


void
ngx_sync_redis_conn_deadline(ngx_event_t *ev)
{
    ngx_msec_t              now, next, silent;
    ngx_uint_t              any;
    ngx_sync_redis_cmd_t   *due, **last, *cmd;
    ngx_sync_redis_conn_t  *conn;

    conn = ev->data;

    now = ngx_current_msec;
    any = 0;
    due = NULL;
    last = &due;

    any |= ngx_sync_redis_conn_overdue(conn, &conn->waiting, &last, &next,
                                       any);
    any |= ngx_sync_redis_conn_overdue(conn, &conn->unsent, &last, &next, any);
    any |= ngx_sync_redis_conn_overdue(conn, &conn->pending, &last, &next,
                                       any);
    *last = NULL;

    if (conn->nwaiting) {
        silent = conn->heard
                 + ngx_max(conn->redis->timeout * NGX_SYNC_REDIS_SILENT,
                           NGX_SYNC_REDIS_SILENT_MIN);

        if ((ngx_msec_int_t) (silent - now) <= 0) {
            ngx_sync_redis_conn_fail(conn, "has fallen silent");

        } else if (!any || (ngx_msec_int_t) (silent - next) < 0) {
            next = silent;
            any = 1;
        }
    }

    if (conn->nundo && !conn->over) {

        if (ngx_exiting && !conn->leaving) {
            conn->leave = now + NGX_SYNC_REDIS_UNDO_LEAVE;
            conn->leaving = 1;
        }

        if (conn->leaving && (ngx_msec_int_t) (conn->leave - now) <= 0) {
            ngx_log_error(NGX_LOG_ERR, conn->log, 0,
                          "sync store \"%V\": %V did not say before a "
                          "worker left that %ui claim%s released",
                          &conn->redis->label, &conn->server->name,
                          conn->nundo, conn->nundo == 1 ? " is" : "s are");

            conn->over = 1;
            ngx_sync_redis_conn_stay(conn);

        } else {
            ngx_sync_redis_conn_watch(conn, now + NGX_SYNC_REDIS_UNDO_LOOK);
        }
    }

    if (any) {
        ngx_sync_redis_conn_watch(conn, next);
    }

    /* no cell is freed before the loop turns, whatever they do */

    while (due) {
        cmd = due;
        due = cmd->next;

        if (cmd->handler) {
            cmd->handler(cmd, NULL);
            cmd->handler = NULL;
        }
    }
}


/*
 * Collects whose time is up.  What has left keeps its place; what has not will
 * not leave any more.  Returns whether there are others, *next is the earliest
 * of their deadlines.
 */

static ngx_uint_t
ngx_sync_redis_conn_overdue(ngx_sync_redis_conn_t *conn, ngx_queue_t *queue,
    ngx_sync_redis_cmd_t ***last, ngx_msec_t *next, ngx_uint_t any)
{
    ngx_queue_t           *q, *following;
    ngx_sync_redis_cmd_t  *cmd;

    for (q = ngx_queue_head(queue);
         q != ngx_queue_sentinel(queue);
         q = following)
    {
        following = ngx_queue_next(q);
        cmd = ngx_queue_data(q, ngx_sync_redis_cmd_t, queue);

        if (cmd->left) {
            continue;
        }

        if ((ngx_msec_int_t) (cmd->deadline - ngx_current_msec) > 0) {

            if (!any || (ngx_msec_int_t) (cmd->deadline - *next) < 0) {
                *next = cmd->deadline;
                any = 1;
            }

            continue;
        }

        if (cmd->sent == 0) {

            if (cmd->where == NGX_SYNC_REDIS_PENDING) {
                conn->npending--;

            } else {
                conn->nwaiting--;
            }

            ngx_queue_remove(q);
            ngx_sync_redis_conn_lose(conn, cmd);
            continue;
        }

        ngx_sync_redis_conn_forget(conn, cmd);

        **last = cmd;
        *last = &cmd->next;
    }

    return any;
}
