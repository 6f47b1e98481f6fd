
/*
 * Files that nginx.conf names and that are read live: secrets, lists.  Each
 * worker looks by itself, when it needs one, at most once in a second; a file
 * is replaced by a rename, or by a link that is moved (Kubernetes).
 */


#ifndef NGX_HTTP_SYNC_LIVE_H_INCLUDED_
#define NGX_HTTP_SYNC_LIVE_H_INCLUDED_


#include "ngx_http_sync.h"


#define NGX_HTTP_SYNC_LIVE_INTERVAL  1000    /* ms between two looks */


typedef struct {
    const char  *what;                   /* for logs: "sync_revoked"; static */
    ngx_str_t    path;                   /* absolute, a NUL behind */
    size_t       max;                    /* bytes */

    int64_t      stamp[5];
    ngx_msec_t   looked;
    unsigned     known:1;                /* was looked at */
    unsigned     lost:1;                 /* that was logged */
} ngx_http_sync_live_t;


/*
 * At load: what, path (as nginx.conf has it) and max.  NGX_ERROR: the workers
 * will not be able to read it (logged).
 */
ngx_int_t ngx_http_sync_live_init(ngx_conf_t *cf, ngx_http_sync_live_t *live,
    const char *what, ngx_str_t *path, size_t max);

/*
 * NGX_OK: *text is new, and the caller's; NGX_DECLINED: nothing new, or not
 * looked at; NGX_ERROR: it cannot be read (logged once): what was read before
 * goes on.  Never blocks for longer than a local file takes.
 */
ngx_int_t ngx_http_sync_live_look(ngx_http_sync_live_t *live,
    ngx_str_t *text, ngx_uint_t level, ngx_log_t *log);

/* Wipes what look() gave, and frees it. */
void ngx_http_sync_live_free(ngx_str_t *text);


#endif /* NGX_HTTP_SYNC_LIVE_H_INCLUDED_ */
