
/*
 * Lists page by page.
 *
 * A connector's next link is a request of its own making, which a client must
 * neither see nor change: it would choose what is asked for.  The word that a
 * client gets is the connector's name and the link, sealed for this tenant,
 * client and entity.
 */


#include "ngx_http_sync_pages.h"
#include "sync_crypto.h"


#define NGX_HTTP_SYNC_PAGE_URI    2048   /* bytes of a request target */
#define NGX_HTTP_SYNC_PAGE_TOKEN  4096   /* of the word, at most */
#define NGX_HTTP_SYNC_PAGE_AAD    6


static ngx_int_t ngx_http_sync_page_target(ngx_http_sync_ctx_t *ctx,
    sync_str_t next, ngx_str_t *uri);
static ngx_uint_t ngx_http_sync_page_below(ngx_http_sync_ctx_t *ctx,
    ngx_str_t *uri);
static ngx_int_t ngx_http_sync_page_key(ngx_http_sync_ctx_t *ctx,
    ngx_uint_t generation, u_char *key);
static void ngx_http_sync_page_aad(ngx_http_sync_ctx_t *ctx, sync_str_t *aad);


ngx_int_t
ngx_http_sync_page_seal(ngx_http_sync_ctx_t *ctx, sync_str_t next,
    ngx_str_t *token)
{
    u_char       key[SYNC_AEAD_KEY_LEN], *sealed, *text, *p;
    size_t       len;
    ngx_int_t    rc;
    sync_rc_t    said;
    ngx_str_t    uri;
    sync_str_t   aad[NGX_HTTP_SYNC_PAGE_AAD];

    rc = ngx_http_sync_page_target(ctx, next, &uri);

    if (rc != NGX_OK) {

        if (rc == NGX_DECLINED) {
            ngx_log_error(NGX_LOG_WARN, ctx->request->connection->log, 0,
                          "map_back: the next page of a list is not below "
                          "the path of its connector");
        }

        return rc;
    }

    rc = ngx_http_sync_page_key(ctx, 0, key);

    if (rc != NGX_OK) {

        if (rc == NGX_DECLINED) {
            ngx_log_error(NGX_LOG_WARN, ctx->request->connection->log, 0,
                          "map_back: a list goes on, and the link to its next "
                          "page needs sync_secret");
        }

        return rc;
    }

    /* nonce, and sealed: the connector's name, "~", the target */

    len = ctx->route.c.name.len + 1 + uri.len;

    sealed = ngx_pnalloc(ctx->request->pool, SYNC_AEAD_NONCE_LEN + len
                                             + SYNC_AEAD_TAG_LEN);
    if (sealed == NULL) {
        return NGX_ERROR;
    }

    text = sealed + SYNC_AEAD_NONCE_LEN;

    p = ngx_cpymem(text, ctx->route.c.name.data, ctx->route.c.name.len);
    *p++ = '~';
    ngx_memcpy(p, uri.data, uri.len);

    ngx_http_sync_page_aad(ctx, aad);

    said = sync_random(sealed, SYNC_AEAD_NONCE_LEN);

    if (said == SYNC_OK) {
        said = sync_aead_seal(key, sealed, aad, NGX_HTTP_SYNC_PAGE_AAD, text,
                              len);
    }

    sync_wipe(key, sizeof(key));

    len += SYNC_AEAD_NONCE_LEN + SYNC_AEAD_TAG_LEN;

    token->data = ngx_pnalloc(ctx->request->pool, sync_base64_room(len));

    if (said != SYNC_OK || token->data == NULL) {
        return NGX_ERROR;
    }

    token->len = sync_base64url_encode(token->data, sealed, len);

    return NGX_OK;
}


/*
 * RFC 3986, section 5, as far as it is met: a URL, of which the path counts;
 * a path; a name beside the last request's; a query.
 */

static ngx_int_t
ngx_http_sync_page_target(ngx_http_sync_ctx_t *ctx, sync_str_t next,
    ngx_str_t *uri)
{
    u_char     *p, *last;
    size_t      i, base;
    ngx_str_t  *at;

    p = next.data;
    last = p + next.len;

    if (sync_str_starts(next, "https://")
        || sync_str_starts(next, "http://"))
    {
        p = ngx_strlchr(p + sizeof("https://") - 1, last, '/');

        if (p == NULL) {
            return NGX_DECLINED;
        }
    }

    base = 0;
    at = &ctx->route.uri;

    if (p < last && *p != '/') {

        /* beside what was asked for */

        for (i = 0; i < at->len && at->data[i] != '?'; i++) {
            if (at->data[i] == '/' || *p == '?') {
                base = i + 1;
            }
        }
    }

    uri->len = base + (last - p);

    if (p == last || uri->len > NGX_HTTP_SYNC_PAGE_URI) {
        return NGX_DECLINED;
    }

    uri->data = ngx_pnalloc(ctx->request->pool, uri->len);
    if (uri->data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(ngx_cpymem(uri->data, at->data, base), p, last - p);

    return ngx_http_sync_page_below(ctx, uri) ? NGX_OK : NGX_DECLINED;
}


static ngx_uint_t
ngx_http_sync_page_below(ngx_http_sync_ctx_t *ctx, ngx_str_t *uri)
{
    size_t       i, path;
    sync_str_t  *base;

    base = &ctx->route.c.path;

    if (uri->len <= base->len || uri->data[base->len] != '/'
        || ngx_memcmp(uri->data, base->data, base->len) != 0)
    {
        return 0;
    }

    path = uri->len;

    for (i = 0; i < uri->len; i++) {

        /* what no request target has; and no way up */

        if (uri->data[i] <= 0x20 || uri->data[i] >= 0x7f
            || uri->data[i] == '#' || uri->data[i] == '\\')
        {
            return 0;
        }

        if (uri->data[i] == '?' && path == uri->len) {
            path = i;
        }

        if (i < path && uri->data[i] == '/' && i + 1 < uri->len
            && (uri->data[i + 1] == '.' || uri->data[i + 1] == '/'
                || uri->data[i + 1] == '%'))
        {
            return 0;
        }
    }

    return 1;
}


static ngx_int_t
ngx_http_sync_page_key(ngx_http_sync_ctx_t *ctx, ngx_uint_t generation,
    u_char *key)
{
    ngx_http_sync_main_conf_t  *smcf;

    smcf = ngx_http_get_module_main_conf(ctx->request, ngx_http_sync_module);

    return ngx_http_sync_derive(smcf, generation, "list-page", key,
                                SYNC_AEAD_KEY_LEN);
}


/* No name of these has a NUL, so each keeps its border. */

static void
ngx_http_sync_page_aad(ngx_http_sync_ctx_t *ctx, sync_str_t *aad)
{
    aad[0].data = ctx->tenant.id.data;
    aad[0].len = ctx->tenant.id.len;
    aad[1] = sync_str_lit("\0");
    aad[2].data = ctx->principal.client.data;
    aad[2].len = ctx->principal.client.len;
    aad[3] = sync_str_lit("\0");
    aad[4] = sync_entity_name(ctx->payload.entity);
    aad[5] = sync_str_lit("\0");
}


ngx_int_t
ngx_http_sync_page_open(ngx_http_sync_ctx_t *ctx, ngx_str_t *token,
    ngx_str_t *connector, ngx_str_t *uri)
{
    u_char       key[SYNC_AEAD_KEY_LEN], *sealed, *text, *tilde;
    size_t       len;
    ngx_int_t    rc;
    sync_rc_t    said;
    ngx_uint_t   i;
    sync_str_t   s, aad[NGX_HTTP_SYNC_PAGE_AAD];

    if (token->len > NGX_HTTP_SYNC_PAGE_TOKEN) {
        return NGX_DECLINED;
    }

    len = sync_base64url_bytes(token->len);

    sealed = ngx_pnalloc(ctx->request->pool, len);
    text = ngx_pnalloc(ctx->request->pool, len);

    if (sealed == NULL || text == NULL) {
        return NGX_ERROR;
    }

    s.data = token->data;
    s.len = token->len;

    if (sync_base64url_decode(sealed, &len, s) != SYNC_OK
        || len <= SYNC_AEAD_NONCE_LEN + SYNC_AEAD_TAG_LEN)
    {
        return NGX_DECLINED;
    }

    s.data = sealed + SYNC_AEAD_NONCE_LEN;
    s.len = len - SYNC_AEAD_NONCE_LEN;

    ngx_http_sync_page_aad(ctx, aad);

    said = SYNC_NO;

    for (i = 0; i < NGX_HTTP_SYNC_SECRETS && said == SYNC_NO; i++) {

        rc = ngx_http_sync_page_key(ctx, i, key);

        if (rc != NGX_OK) {
            return rc;
        }

        said = sync_aead_open(key, sealed, aad, NGX_HTTP_SYNC_PAGE_AAD, s,
                              text);
        sync_wipe(key, sizeof(key));
    }

    if (said != SYNC_OK) {
        return said == SYNC_NO ? NGX_DECLINED : NGX_ERROR;
    }

    len = s.len - SYNC_AEAD_TAG_LEN;
    tilde = ngx_strlchr(text, text + len, '~');

    if (tilde == NULL) {
        return NGX_DECLINED;
    }

    connector->data = text;
    connector->len = tilde - text;
    uri->data = tilde + 1;
    uri->len = text + len - uri->data;

    return NGX_OK;
}
