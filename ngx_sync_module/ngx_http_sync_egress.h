
/*
 * For who fetches: what all fetches of the process share.
 */


#ifndef NGX_HTTP_SYNC_EGRESS_H_INCLUDED_
#define NGX_HTTP_SYNC_EGRESS_H_INCLUDED_


#include "ngx_http_sync.h"
#include "ngx_sync_fetch.h"
#include "ngx_sync_tls.h"


/*
 * At load: that somebody fetches.  Filled when http is read; at run time it is
 * whole.  NULL: it is logged why.
 */
ngx_sync_fetch_conf_t *ngx_http_sync_fetch_conf(ngx_conf_t *cf);

/* While directives are read, of those so far: does sync_egress list anything? */
ngx_uint_t ngx_http_sync_egress_listed(ngx_conf_t *cf);

/*
 * What all fetches share, for who only asks what sync_egress lists: nobody
 * fetches by that.  Never NULL.
 */
ngx_sync_fetch_conf_t *ngx_http_sync_egress_conf(ngx_conf_t *cf);

/*
 * At load, for a URL of nginx.conf: that it can be called, and a resolver is
 * there if it needs one.  NGX_CONF_OK, NGX_CONF_ERROR (it is logged), or
 * what is wrong, as the handler of a directive returns it.
 */
char *ngx_http_sync_fetch_url(ngx_conf_t *cf, ngx_str_t *url);


#endif /* NGX_HTTP_SYNC_EGRESS_H_INCLUDED_ */
