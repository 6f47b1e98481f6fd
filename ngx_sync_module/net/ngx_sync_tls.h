
/*
 * TLS of the clients, by NGINX' own: who the other side must be, what it is
 * shown of us.
 */


#ifndef NGX_SYNC_TLS_H_INCLUDED_
#define NGX_SYNC_TLS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>


/* Certificates between a server's and one that is trusted, at most. */
#define NGX_SYNC_TLS_DEPTH  5


/*
 * TLS 1.2 and 1.3 of a client, freed with cf->pool; trusts nobody yet.  NULL:
 * it is logged why.
 */
ngx_ssl_t *ngx_sync_tls_create(ngx_conf_t *cf);

/*
 * Between ngx_ssl_create_connection() and the handshake: the server must be
 * name, a host or an address, which OpenSSL compares while it verifies the
 * chain; a host is told in SNI, too.  NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_sync_tls_expect(ngx_connection_t *c, ngx_str_t *name);

/* A chain and its key in PEM, shown if asked.  NGX_OK, or NGX_DECLINED. */
ngx_int_t ngx_sync_tls_show(ngx_connection_t *c, ngx_str_t *chain,
    ngx_str_t *key);

/*
 * After the handshake.  NULL: the server is who it must be; else why not, as
 * a static text, and its number in OpenSSL.
 */
const char *ngx_sync_tls_verify(ngx_connection_t *c, long *number);


#endif /* NGX_SYNC_TLS_H_INCLUDED_ */
