
/*
 * TLS of the Redis client, by NGINX' own.  Who the server is, is verified
 * before a password is sent.
 */


#include "ngx_sync_redis.h"

#include <openssl/x509v3.h>


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


/* OpenSSL compares name or address while it verifies the chain. */

static ngx_int_t
ngx_sync_redis_tls_expect(ngx_sync_redis_conn_t *conn, ngx_connection_t *c)
{
    u_char              name[256];
    ngx_str_t          *s;
    X509_VERIFY_PARAM  *param;

    s = &conn->server->ssl_name;

    if (s->len == 0 || s->len >= sizeof(name)) {
        return conn->server->no_verify ? NGX_OK : NGX_ERROR;
    }

    ngx_cpystrn(name, s->data, s->len + 1);

    param = SSL_get0_param(c->ssl->connection);

    if (X509_VERIFY_PARAM_set1_ip_asc(param, (char *) name) == 1) {
        return NGX_OK;                   /* RFC 6066, 3: no SNI */
    }

    ERR_clear_error();

    X509_VERIFY_PARAM_set_hostflags(param,
                                    X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);

    if (X509_VERIFY_PARAM_set1_host(param, (char *) name, s->len) != 1
        || SSL_set_tlsext_host_name(c->ssl->connection, (char *) name) != 1)
    {
        ngx_ssl_error(NGX_LOG_ERR, c->log, 0,
                      "sync store: TLS name of \"%V\" cannot be set",
                      &conn->server->name);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
ngx_sync_redis_tls_done(ngx_connection_t *c)
{
    long                    rc;
    u_char                  why[512];
    ngx_sync_redis_conn_t  *conn;

    conn = c->data;

    if (!c->ssl->handshaked) {
        ngx_sync_redis_conn_fail(conn, "the TLS handshake failed");
        return;
    }

    rc = SSL_get_verify_result(c->ssl->connection);

    if (rc != X509_V_OK && !conn->server->no_verify) {
        ngx_snprintf(why, sizeof(why), "has a certificate that is not to be "
                     "trusted for \"%V\": (%l: %s)%Z",
                     &conn->server->ssl_name, rc,
                     X509_verify_cert_error_string(rc));
        why[sizeof(why) - 1] = '\0';

        ngx_sync_redis_conn_fail(conn, (char *) why);
        return;
    }

    ngx_sync_redis_conn_greet(conn);
}
