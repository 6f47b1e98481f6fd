
/*
 * TLS of the clients.  Who a server is, is verified before a secret is sent.
 */


#include "ngx_sync_tls.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>


ngx_ssl_t *
ngx_sync_tls_create(ngx_conf_t *cf)
{
    ngx_ssl_t           *ssl;
    ngx_pool_cleanup_t  *cln;

    ssl = ngx_pcalloc(cf->pool, sizeof(ngx_ssl_t));
    if (ssl == NULL) {
        return NULL;
    }

    ssl->log = cf->log;

    if (ngx_ssl_create(ssl, NGX_SSL_TLSv1_2|NGX_SSL_TLSv1_3, NULL)
        != NGX_OK)
    {
        return NULL;
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        ngx_ssl_cleanup_ctx(ssl);
        return NULL;
    }

    cln->handler = ngx_ssl_cleanup_ctx;
    cln->data = ssl;

    return ssl;
}


ngx_int_t
ngx_sync_tls_expect(ngx_connection_t *c, ngx_str_t *s)
{
    u_char              name[256];
    X509_VERIFY_PARAM  *param;

    if (s->len == 0 || s->len >= sizeof(name)) {
        return NGX_ERROR;
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
                      "sync: TLS name \"%V\" cannot be set", s);
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_sync_tls_show(ngx_connection_t *c, ngx_str_t *chain, ngx_str_t *key)
{
    BIO        *bio;
    SSL        *ssl;
    X509       *x509;
    EVP_PKEY   *pkey;
    ngx_int_t   rc;

    ssl = c->ssl->connection;
    rc = NGX_DECLINED;
    x509 = NULL;
    pkey = NULL;

    bio = BIO_new_mem_buf(chain->data, chain->len);
    if (bio == NULL) {
        goto done;
    }

    /* no password is asked for at a terminal: the empty one is given */

    x509 = PEM_read_bio_X509_AUX(bio, NULL, NULL, (void *) "");

    if (x509 == NULL || SSL_use_certificate(ssl, x509) != 1) {
        goto done;
    }

    for ( ;; ) {
        X509_free(x509);

        x509 = PEM_read_bio_X509(bio, NULL, NULL, (void *) "");
        if (x509 == NULL) {
            break;
        }

        if (SSL_add1_chain_cert(ssl, x509) != 1) {
            goto done;
        }
    }

    BIO_free(bio);

    bio = BIO_new_mem_buf(key->data, key->len);
    if (bio == NULL) {
        goto done;
    }

    pkey = PEM_read_bio_PrivateKey(bio, NULL, NULL, (void *) "");

    if (pkey != NULL && SSL_use_PrivateKey(ssl, pkey) == 1) {
        rc = NGX_OK;
    }

done:

    X509_free(x509);
    EVP_PKEY_free(pkey);
    BIO_free(bio);

    /* the end of a chain is an error of its reader */
    ERR_clear_error();

    return rc;
}


const char *
ngx_sync_tls_verify(ngx_connection_t *c, long *number)
{
    X509  *x509;

    *number = SSL_get_verify_result(c->ssl->connection);

    if (*number != X509_V_OK) {
        return X509_verify_cert_error_string(*number);
    }

    /* without a certificate nothing was verified, and all is well */

    x509 = SSL_get_peer_certificate(c->ssl->connection);

    if (x509 == NULL) {
        return "it shows no certificate";
    }

    X509_free(x509);

    return NULL;
}
