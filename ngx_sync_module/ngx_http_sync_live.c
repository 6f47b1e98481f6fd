
/*
 * Files that nginx.conf names and that are read live.
 */


#include "ngx_http_sync_live.h"
#include "ngx_http_sync_registry_parts.h"


ngx_int_t
ngx_http_sync_live_init(ngx_conf_t *cf, ngx_http_sync_live_t *live,
    const char *what, ngx_str_t *path, size_t max)
{
    ngx_memzero(live, sizeof(ngx_http_sync_live_t));

    live->what = what;
    live->path = *path;
    live->max = max;

    if (ngx_conf_full_name(cf->cycle, &live->path, 1) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_http_sync_readable(cf->cycle, (char *) live->path.data, 0)
        != NGX_OK)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "%s: \"%V\" is read live, and the workers' user "
                           "cannot read it", what, &live->path);
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_sync_live_look(ngx_http_sync_live_t *live, ngx_str_t *text,
    ngx_uint_t level, ngx_log_t *log)
{
    int64_t                 stamp[5];
    const char             *why;
    ngx_http_sync_stamp_t   st;

    if (live->known
        && ngx_current_msec - live->looked < NGX_HTTP_SYNC_LIVE_INTERVAL)
    {
        return NGX_DECLINED;
    }

    live->known = 1;
    live->looked = ngx_current_msec;

    why = "there is no such file";

    if (ngx_http_sync_stamp((char *) live->path.data, &st) == NGX_OK) {

        stamp[0] = st.sec;
        stamp[1] = st.nsec;
        stamp[2] = st.size;
        stamp[3] = (int64_t) st.inode;
        stamp[4] = (int64_t) st.device;

        if (ngx_memcmp(stamp, live->stamp, sizeof(stamp)) == 0) {
            return NGX_DECLINED;
        }

        if (ngx_http_sync_read((char *) live->path.data, NULL, live->max,
                               text, &st, &why)
            == NGX_OK)
        {
            /* that of before the reading: a change since then is seen */

            ngx_memcpy(live->stamp, stamp, sizeof(stamp));
            live->lost = 0;

            return NGX_OK;
        }
    }

    if (!live->lost) {
        live->lost = 1;

        ngx_log_error(level, log, 0, "%s: \"%V\" cannot be read: %s",
                      live->what, &live->path, why);
    }

    return NGX_ERROR;
}


void
ngx_http_sync_live_free(ngx_str_t *text)
{
    if (text->data != NULL) {
        sync_wipe(text->data, text->len);
        free(text->data);
        ngx_str_null(text);
    }
}
