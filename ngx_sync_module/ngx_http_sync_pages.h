
/*
 * Lists page by page: where a connector says that its list goes on, a client
 * gets a link with a sealed word, and comes back with it.
 */


#ifndef NGX_HTTP_SYNC_PAGES_H_INCLUDED_
#define NGX_HTTP_SYNC_PAGES_H_INCLUDED_


#include "ngx_http_sync.h"


/*
 * Seals where the list goes on: a URL or a path as the connector said it.
 * NGX_OK and *token; NGX_DECLINED: it is no place below the connector's path,
 * or there is no sync_secret (logged); NGX_ERROR.
 */
ngx_int_t ngx_http_sync_page_seal(ngx_http_sync_ctx_t *ctx, sync_str_t next,
    ngx_str_t *token);

/*
 * Opens what a client brings back.  NGX_OK: the connector's name and the
 * request target; NGX_DECLINED: it was not made for this client, tenant and
 * entity; NGX_ERROR.
 */
ngx_int_t ngx_http_sync_page_open(ngx_http_sync_ctx_t *ctx, ngx_str_t *token,
    ngx_str_t *connector, ngx_str_t *uri);


#endif /* NGX_HTTP_SYNC_PAGES_H_INCLUDED_ */
