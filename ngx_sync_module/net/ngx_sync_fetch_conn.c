
/*
 * Connections of fetches: made, verified, written to, read from, kept.
 */


#include "ngx_sync_fetch_impl.h"
#include "ngx_sync_tls.h"


#define NGX_SYNC_FETCH_IDLE      32      /* connections of a worker */
#define NGX_SYNC_FETCH_IDLE_MS   15000   /* that serve nobody so long go, */
#define NGX_SYNC_FETCH_AGE_MS    120000  /* and those that are so old */
#define NGX_SYNC_FETCH_RECORD    16384   /* bytes of a write: what fails is one
                                            TLS record, and is not read */


static void ngx_sync_fetch_connected(ngx_event_t *wev);
static void ngx_sync_fetch_handshaked(ngx_connection_t *c);
static void ngx_sync_fetch_info(const SSL *ssl, int where, int ret);
static void ngx_sync_fetch_send(ngx_sync_fetch_conn_t *conn);
static void ngx_sync_fetch_write(ngx_event_t *wev);
static void ngx_sync_fetch_read(ngx_event_t *rev);
static void ngx_sync_fetch_dummy(ngx_event_t *ev);
static void ngx_sync_fetch_lost(ngx_sync_fetch_run_t *run,
    ngx_sync_fetch_result_e result, const char *error);
static void ngx_sync_fetch_answered(ngx_sync_fetch_run_t *run);
static void ngx_sync_fetch_keep(ngx_sync_fetch_conn_t *conn);
static void ngx_sync_fetch_idle(ngx_event_t *rev);


/* Of this worker, the oldest last; next NULL: none was kept yet. */
static ngx_queue_t  ngx_sync_fetch_idles;
static ngx_uint_t   ngx_sync_fetch_nidles;


ngx_int_t
ngx_sync_fetch_reuse(ngx_sync_fetch_run_t *run)
{
    ngx_queue_t            *q;
    ngx_connection_t       *c;
    ngx_sync_fetch_conn_t  *conn;

    if (ngx_sync_fetch_idles.next == NULL) {
        return NGX_DECLINED;
    }

    for (q = ngx_queue_head(&ngx_sync_fetch_idles);
         q != ngx_queue_sentinel(&ngx_sync_fetch_idles);
         q = ngx_queue_next(q))
    {
        conn = ngx_queue_data(q, ngx_sync_fetch_conn_t, queue);

        /* who may name any host must not get where only the owner may go */

        if (ngx_memcmp(conn->key, run->key, SYNC_SHA256_LEN) != 0
            || !ngx_sync_fetch_allowed(run, &conn->addr.sockaddr))
        {
            continue;
        }

        ngx_queue_remove(q);
        ngx_sync_fetch_nidles--;

        c = conn->peer.connection;

        c->idle = 0;
        ngx_reusable_connection(c, 0);

        if (c->read->timer_set) {
            ngx_del_timer(c->read);
        }

        conn->run = run;
        conn->kept = 1;
        run->conn = conn;

        ngx_sync_fetch_send(conn);

        return NGX_OK;
    }

    return NGX_DECLINED;
}


ngx_int_t
ngx_sync_fetch_connect(ngx_sync_fetch_run_t *run, ngx_sockaddr_t *addr,
    socklen_t socklen)
{
    ngx_int_t               rc;
    ngx_connection_t       *c;
    ngx_sync_fetch_conn_t  *conn;

    conn = ngx_calloc(sizeof(ngx_sync_fetch_conn_t), ngx_cycle->log);
    if (conn == NULL) {
        return NGX_DECLINED;
    }

    conn->run = run;
    conn->born = ngx_current_msec;
    conn->addr = *addr;
    conn->socklen = socklen;

    ngx_memcpy(conn->key, run->key, SYNC_SHA256_LEN);

    conn->name.data = conn->text;
    conn->name.len = ngx_sock_ntop(&conn->addr.sockaddr, socklen, conn->text,
                                   NGX_SOCKADDR_STRLEN, 1);

    conn->peer.sockaddr = &conn->addr.sockaddr;
    conn->peer.socklen = socklen;
    conn->peer.name = &conn->name;
    conn->peer.get = ngx_event_get_peer;
    conn->peer.log = ngx_cycle->log;
    conn->peer.log_error = NGX_ERROR_INFO;

    rc = ngx_event_connect_peer(&conn->peer);

    run->conn = conn;
    c = conn->peer.connection;

    if (rc == NGX_ERROR || rc == NGX_BUSY || rc == NGX_DECLINED) {
        ngx_sync_fetch_close(conn);
        return NGX_DECLINED;
    }

    c->data = conn;
    c->read->handler = ngx_sync_fetch_dummy;
    c->write->handler = ngx_sync_fetch_connected;

    c->read->cancelable = !run->fetch.vital;
    c->write->cancelable = !run->fetch.vital;

    c->pool = ngx_create_pool(512, ngx_cycle->log);
    if (c->pool == NULL) {
        ngx_sync_fetch_close(conn);
        return NGX_DECLINED;
    }

    ngx_add_timer(c->write, run->fetch.connect_timeout);

    if (rc == NGX_OK) {
        ngx_post_event(c->write, &ngx_posted_events);
    }

    return NGX_OK;
}


static void
ngx_sync_fetch_connected(ngx_event_t *wev)
{
    int                     err;
    socklen_t               len;
    ngx_connection_t       *c;
    ngx_sync_fetch_t       *f;
    ngx_sync_fetch_run_t   *run;
    ngx_sync_fetch_conn_t  *conn;

    c = wev->data;
    conn = c->data;
    run = conn->run;
    f = &run->fetch;

    if (wev->timedout) {
        ngx_sync_fetch_missed(run, NGX_SYNC_FETCH_TIMEOUT,
                              "it is not connected in time");
        return;
    }

    err = 0;
    len = sizeof(int);

    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, (void *) &err, &len) == -1) {
        err = ngx_socket_errno;
    }

    if (err) {
        ngx_log_error(NGX_LOG_INFO, c->log, err, "sync fetch: connect() to %V",
                      &conn->name);
        ngx_sync_fetch_missed(run, NGX_SYNC_FETCH_CONNECT,
                              "it could not be connected to");
        return;
    }

    if (ngx_tcp_nodelay(c) != NGX_OK
        || ngx_ssl_create_connection(f->conf->ssl, c, NGX_SSL_CLIENT) != NGX_OK
        || ngx_sync_tls_expect(c, &run->host) != NGX_OK)
    {
        ngx_sync_fetch_done(run, NGX_SYNC_FETCH_TLS, "TLS cannot be set up");
        return;
    }

    if (f->certificate.len
        && ngx_sync_tls_show(c, &f->certificate, &f->certificate_key)
           != NGX_OK)
    {
        ngx_sync_fetch_done(run, NGX_SYNC_FETCH_TLS,
                            "our own certificate or its key cannot be used");
        return;
    }

    SSL_set_info_callback(c->ssl->connection, ngx_sync_fetch_info);

    c->ssl->handler = ngx_sync_fetch_handshaked;

    if (ngx_ssl_handshake(c) == NGX_AGAIN) {
        return;
    }

    ngx_sync_fetch_handshaked(c);
}


static void
ngx_sync_fetch_handshaked(ngx_connection_t *c)
{
    long                    number;
    const char             *error;
    ngx_sync_fetch_run_t   *run;
    ngx_sync_fetch_conn_t  *conn;

    conn = c->data;
    run = conn->run;

    if (!c->ssl->handshaked) {

        /* nothing is known of its owner yet, as where nobody answers */

        if (c->write->timedout || c->read->timedout) {
            ngx_sync_fetch_missed(run, NGX_SYNC_FETCH_TIMEOUT,
                                  "TLS does not stand in time");
            return;
        }

        ngx_sync_fetch_done(run, NGX_SYNC_FETCH_TLS,
                            "the TLS handshake failed");
        return;
    }

    error = ngx_sync_tls_verify(c, &number);

    if (error) {
        ngx_log_error(NGX_LOG_WARN, c->log, 0,
                      "sync fetch: %V has a certificate that is not to be "
                      "trusted for \"%V\": (%l: %s)",
                      &conn->name, &run->host, number, error);

        ngx_sync_fetch_done(run, NGX_SYNC_FETCH_TLS, error);
        return;
    }

    if (c->write->timer_set) {
        ngx_del_timer(c->write);
    }

    ngx_sync_fetch_send(conn);
}


/*
 * NGINX takes the end of TCP for an end of TLS, and an answer without a length
 * that was cut would be whole: so the alert itself is looked for.
 */

static void
ngx_sync_fetch_info(const SSL *ssl, int where, int ret)
{
    ngx_connection_t       *c;
    ngx_sync_fetch_conn_t  *conn;

    if ((where & SSL_CB_READ_ALERT) != SSL_CB_READ_ALERT
        || (ret & 0xff) != SSL_AD_CLOSE_NOTIFY)
    {
        return;
    }

    c = ngx_ssl_get_connection((SSL *) ssl);
    conn = c->data;

    conn->ended = 1;
}


static void
ngx_sync_fetch_send(ngx_sync_fetch_conn_t *conn)
{
    ngx_connection_t      *c;
    ngx_sync_fetch_t      *f;
    ngx_sync_fetch_run_t  *run;

    c = conn->peer.connection;
    run = conn->run;
    f = &run->fetch;

    run->written = 0;

    sync_http_begin(&run->http, &run->arena, f->max,
                    f->method.len == 4
                    && ngx_memcmp(f->method.data, "HEAD", 4) == 0);

    c->read->handler = ngx_sync_fetch_read;
    c->write->handler = ngx_sync_fetch_write;

    c->read->cancelable = !f->vital;
    c->write->cancelable = !f->vital;

    ngx_add_timer(c->read, f->read_timeout);

    ngx_sync_fetch_write(c->write);
}


static void
ngx_sync_fetch_write(ngx_event_t *wev)
{
    size_t                  len;
    ssize_t                 n;
    ngx_connection_t       *c;
    ngx_sync_fetch_run_t   *run;
    ngx_sync_fetch_conn_t  *conn;

    c = wev->data;
    conn = c->data;
    run = conn->run;

    while (run->written < run->out.len) {

        len = ngx_min(run->out.len - run->written, NGX_SYNC_FETCH_RECORD);

        n = c->send(c, run->out.data + run->written, len);

        if (n == NGX_AGAIN) {
            break;
        }

        if (n <= 0) {
            ngx_sync_fetch_lost(run, run->fetch.sent ? NGX_SYNC_FETCH_BROKEN
                                                     : NGX_SYNC_FETCH_CONNECT,
                                "it was closed while it was written to");
            return;
        }

        run->fetch.sent = 1;
        run->written += n;

        ngx_add_timer(c->read, run->fetch.read_timeout);
    }

    if (run->written == run->out.len) {
        wev->handler = ngx_sync_fetch_dummy;
    }

    if (ngx_handle_write_event(wev, 0) != NGX_OK) {
        ngx_sync_fetch_done(run, NGX_SYNC_FETCH_BROKEN, "an event failed");
        return;
    }

    /* what came with the last record of the handshake makes no event */

    ngx_sync_fetch_read(c->read);
}


static void
ngx_sync_fetch_read(ngx_event_t *rev)
{
    u_char                  buf[16384];
    ssize_t                 n, most;
    sync_rc_t               rc;
    ngx_connection_t       *c;
    ngx_sync_fetch_run_t   *run;
    ngx_sync_fetch_conn_t  *conn;

    c = rev->data;
    conn = c->data;
    run = conn->run;

    if (rev->timedout) {
        ngx_sync_fetch_done(run, NGX_SYNC_FETCH_TIMEOUT,
                            "it does not answer in time");
        return;
    }

    rc = SYNC_PENDING;
    most = 0;

    while (rc == SYNC_PENDING) {

        n = c->recv(c, buf, sizeof(buf));

        if (n == NGX_AGAIN) {
            break;
        }

        if (n > 0) {
            most = ngx_max(most, n);
            rc = sync_http_feed(&run->http, buf, n);
            ngx_add_timer(rev, run->fetch.read_timeout);
            continue;
        }

        rc = sync_http_end(&run->http, n == 0 && conn->ended);
    }

    /* a token, perhaps */
    sync_wipe(buf, most);

    switch (rc) {

    case SYNC_OK:
        ngx_sync_fetch_answered(run);
        return;

    case SYNC_NO:
        if (run->http.large) {
            ngx_sync_fetch_done(run, NGX_SYNC_FETCH_TOO_LARGE,
                                run->http.error);
            return;
        }

        ngx_sync_fetch_lost(run, NGX_SYNC_FETCH_BROKEN, run->http.error);
        return;

    case SYNC_PENDING:
        if (ngx_handle_read_event(rev, 0) == NGX_OK) {
            return;
        }

        /* fall through */

    default:
        ngx_sync_fetch_done(run, NGX_SYNC_FETCH_BROKEN, "no memory");
        return;
    }
}


static void
ngx_sync_fetch_dummy(ngx_event_t *ev)
{
    return;
}


/* The connection has ended without an answer. */

static void
ngx_sync_fetch_lost(ngx_sync_fetch_run_t *run, ngx_sync_fetch_result_e result,
    const char *error)
{
    ngx_str_t         *method;
    ngx_sync_fetch_t  *f;

    f = &run->fetch;
    method = &f->method;

    /* it was closed while it was idle, or so it looks: once more, where that
       does no harm */

    if (run->conn->kept
        && !run->again
        && !run->http.started
        && (!f->sent
            || f->repeat
            || (method->len == 3 && ngx_memcmp(method->data, "GET", 3) == 0)
            || (method->len == 4 && ngx_memcmp(method->data, "HEAD", 4) == 0)))
    {
        f->sent = 0;
        ngx_sync_fetch_stale(run);
        return;
    }

    if (!f->sent) {
        ngx_sync_fetch_missed(run, NGX_SYNC_FETCH_CONNECT, error);
        return;
    }

    ngx_sync_fetch_done(run, result, error);
}


static void
ngx_sync_fetch_answered(ngx_sync_fetch_run_t *run)
{
    size_t                    i;
    ngx_sync_fetch_t         *f;
    ngx_sync_fetch_conn_t    *conn;
    ngx_sync_fetch_header_t  *h;

    f = &run->fetch;
    conn = run->conn;

    for (i = 0; i < run->http.nheaders; i++) {
        h = ngx_array_push(&f->received);

        if (h == NULL) {
            ngx_sync_fetch_done(run, NGX_SYNC_FETCH_BROKEN, "no memory");
            return;
        }

        h->name.len = run->http.headers[i].name.len;
        h->name.data = run->http.headers[i].name.data;
        h->value.len = run->http.headers[i].value.len;
        h->value.data = run->http.headers[i].value.data;
    }

    f->status = run->http.status;
    f->answer.len = run->http.body.len;
    f->answer.data = run->http.body.data;

    if (run->http.keep
        && run->written == run->out.len
        && !conn->ended
        && !ngx_exiting
        && !ngx_terminate
        && ngx_current_msec - conn->born < NGX_SYNC_FETCH_AGE_MS)
    {
        run->conn = NULL;
        ngx_sync_fetch_keep(conn);
    }

    ngx_sync_fetch_done(run, NGX_SYNC_FETCH_OK, NULL);
}


static void
ngx_sync_fetch_keep(ngx_sync_fetch_conn_t *conn)
{
    ngx_queue_t            *q;
    ngx_connection_t       *c;
    ngx_sync_fetch_conn_t  *last;

    c = conn->peer.connection;

    if (ngx_sync_fetch_idles.next == NULL) {
        ngx_queue_init(&ngx_sync_fetch_idles);
    }

    if (ngx_sync_fetch_nidles == NGX_SYNC_FETCH_IDLE) {
        q = ngx_queue_last(&ngx_sync_fetch_idles);
        last = ngx_queue_data(q, ngx_sync_fetch_conn_t, queue);
        ngx_sync_fetch_close(last);
    }

    conn->run = NULL;

    ngx_queue_insert_head(&ngx_sync_fetch_idles, &conn->queue);
    ngx_sync_fetch_nidles++;

    if (c->write->timer_set) {
        ngx_del_timer(c->write);
    }

    c->read->handler = ngx_sync_fetch_idle;
    c->write->handler = ngx_sync_fetch_dummy;

    c->read->cancelable = 1;
    ngx_add_timer(c->read, NGX_SYNC_FETCH_IDLE_MS);

    c->idle = 1;
    ngx_reusable_connection(c, 1);

    if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
        ngx_sync_fetch_close(conn);
        return;
    }

    if (c->read->ready) {
        ngx_sync_fetch_idle(c->read);
    }
}


/* Its end, a byte that nobody asked for, or the worker wants it back. */

static void
ngx_sync_fetch_idle(ngx_event_t *rev)
{
    int                n;
    char               buf[1];
    ngx_connection_t  *c;

    c = rev->data;

    if (!c->close && !rev->timedout) {

        n = recv(c->fd, buf, 1, MSG_PEEK);

        if (n == -1 && ngx_socket_errno == NGX_EAGAIN) {
            rev->ready = 0;

            if (ngx_handle_read_event(rev, 0) == NGX_OK) {
                return;
            }
        }
    }

    ngx_sync_fetch_close(c->data);
}


void
ngx_sync_fetch_close(ngx_sync_fetch_conn_t *conn)
{
    ngx_connection_t  *c;

    if (conn->run) {
        conn->run->conn = NULL;

    } else {
        ngx_queue_remove(&conn->queue);
        ngx_sync_fetch_nidles--;
    }

    c = conn->peer.connection;

    if (c) {

        if (c->ssl) {
            c->ssl->no_wait_shutdown = 1;
            c->ssl->no_send_shutdown = 1;
            (void) ngx_ssl_shutdown(c);
        }

        if (c->pool) {
            ngx_destroy_pool(c->pool);
            c->pool = NULL;
        }

        ngx_close_connection(c);
    }

    ngx_free(conn);
}


void
ngx_sync_fetch_close_idle(void)
{
    ngx_queue_t            *q;
    ngx_sync_fetch_conn_t  *conn;

    if (ngx_sync_fetch_idles.next == NULL) {
        return;
    }

    while (!ngx_queue_empty(&ngx_sync_fetch_idles)) {
        q = ngx_queue_head(&ngx_sync_fetch_idles);
        conn = ngx_queue_data(q, ngx_sync_fetch_conn_t, queue);
        ngx_sync_fetch_close(conn);
    }
}
