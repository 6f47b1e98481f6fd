
/*
 * TLS of the Redis client, by NGINX' own.  Who the server is, is verified
 * before a password is sent.
 */


#include "ngx_sync_redis.h"
#include "ngx_sync_tls.h"


static ngx_int_t ngx_sync_redis_tls_expect(ngx_sync_redis_conn_t *conn,
    ngx_connection_t *c);
static void ngx_sync_redis_tls_done(ngx_connection_t *c);


void
ngx_sync_redis_tls_handshake(ngx_sync_redis_conn_t *conn)
{
    ngx_connection_t  *c;

    c = conn->peer.connection;

    if (ngx_ssl_create_connection(conn->server->ssl, c,
                                  NGX_SSL_BUFFER|NGX_SSL_CLIENT)
        != NGX_OK
        || ngx_sync_redis_tls_expect(conn, c) != NGX_OK)
    {
        ngx_sync_redis_conn_fail(conn, "TLS could not be set up");
        return;
    }

    c->ssl->handler = ngx_sync_redis_tls_done;

    if (ngx_ssl_handshake(c) == NGX_AGAIN) {
        return;
    }

    ngx_sync_redis_tls_done(c);
}


static ngx_int_t
ngx_sync_redis_tls_expect(ngx_sync_redis_conn_t *conn, ngx_connection_t *c)
{
    if (conn->server->ssl_name.len == 0 && conn->server->no_verify) {
        return NGX_OK;
    }

    return ngx_sync_tls_expect(c, &conn->server->ssl_name);
}


static void
ngx_sync_redis_tls_done(ngx_connection_t *c)
{
    long                    number;
    u_char                  why[512];
    const char             *error;
    ngx_sync_redis_conn_t  *conn;

    conn = c->data;

    if (!c->ssl->handshaked) {
        ngx_sync_redis_conn_fail(conn, "the TLS handshake failed");
        return;
    }

    error = ngx_sync_tls_verify(c, &number);

    if (error && !conn->server->no_verify) {
        ngx_snprintf(why, sizeof(why), "has a certificate that is not to be "
                     "trusted for \"%V\": (%l: %s)%Z",
                     &conn->server->ssl_name, number, error);
        why[sizeof(why) - 1] = '\0';

        ngx_sync_redis_conn_fail(conn, (char *) why);
        return;
    }

    ngx_sync_redis_conn_greet(conn);
}
