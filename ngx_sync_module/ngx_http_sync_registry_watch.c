
/*
 * What the kernel tells of the folder of documents: names of files that were
 * written, so that one change among 50,000 costs one look.  Each worker asks at
 * its interval.  It is a hint and no more: links, other machines and lost
 * events are found by the looks at all files, which are rarer the longer they
 * take.
 */


#include "ngx_http_sync_registry_parts.h"

#include <sys/inotify.h>


#define NGX_HTTP_SYNC_WATCH_MASK                                              \
    (IN_CLOSE_WRITE|IN_MOVED_TO|IN_MOVED_FROM|IN_CREATE|IN_DELETE             \
     |IN_ATTRIB|IN_DELETE_SELF|IN_MOVE_SELF|IN_ONLYDIR)

#define NGX_HTTP_SYNC_WATCH_BUFFER  1024


static ngx_uint_t ngx_http_sync_watch_linked(ngx_http_sync_registry_t *reg,
    const char *file);


void
ngx_http_sync_watch_start(ngx_http_sync_registry_t *reg, ngx_log_t *log)
{
    reg->scan.watch = inotify_init1(IN_NONBLOCK|IN_CLOEXEC);

    if (reg->scan.watch == -1) {
        ngx_log_error(NGX_LOG_NOTICE, log, ngx_errno,
                      "registry: no inotify, changes of many documents are "
                      "found later");
        return;
    }

    if (inotify_add_watch(reg->scan.watch, (char *) reg->tenants.data,
                          NGX_HTTP_SYNC_WATCH_MASK)
        == -1)
    {
        ngx_http_sync_watch_stop(reg);
    }
}


void
ngx_http_sync_watch_stop(ngx_http_sync_registry_t *reg)
{
    if (reg->scan.watch != -1) {
        close(reg->scan.watch);
        reg->scan.watch = -1;
    }
}


ngx_int_t
ngx_http_sync_watch_read(ngx_http_sync_registry_t *reg, ngx_int_t budget,
    ngx_log_t *log)
{
    u_char                *p;
    ssize_t                n;
    ngx_str_t              name;
    struct inotify_event  *ev;

    union {
        struct inotify_event  event;
        u_char                bytes[NGX_HTTP_SYNC_WATCH_BUFFER];
    } buf;

    while (reg->scan.watch != -1 && budget > 0) {

        n = read(reg->scan.watch, buf.bytes, sizeof(buf.bytes));

        if (n <= 0) {
            return budget;
        }

        for (p = buf.bytes; p < buf.bytes + n; p += sizeof(*ev) + ev->len) {
            ev = (struct inotify_event *) p;

            if (ev->mask & (IN_DELETE_SELF|IN_MOVE_SELF|IN_IGNORED)) {

                /* what stands at that path now is another folder */

                ngx_http_sync_watch_stop(reg);
                reg->scan.full = 1;
                continue;
            }

            if (ev->mask & IN_Q_OVERFLOW) {
                reg->scan.full = 1;
                continue;
            }

            if (ev->len == 0) {
                continue;
            }

            /* folders are also filled by moving a link called "..data" */

            if (ngx_http_sync_scan_is_document(ev->name, &name) != NGX_OK) {
                if (ev->name[0] == '.' && ev->name[1] == '.') {
                    reg->scan.full = 1;
                }

                continue;
            }

            /* that a folder was not emptied as a whole a full look knows */

            if (ev->mask & (IN_DELETE|IN_MOVED_FROM)) {
                reg->scan.full = 1;
                continue;
            }

            /* one that is still being written is told again when it is whole */

            if ((ev->mask & IN_CREATE)
                && !ngx_http_sync_watch_linked(reg, ev->name))
            {
                continue;
            }

            budget -= ngx_http_sync_scan_document(reg, &name, log);
        }
    }

    return budget;
}


/* A link to a file is whole when it appears. */

static ngx_uint_t
ngx_http_sync_watch_linked(ngx_http_sync_registry_t *reg, const char *file)
{
    char         *path;
    ngx_str_t     name;
    ngx_uint_t    linked;
    struct stat   st;

    name.len = ngx_strlen(file);
    name.data = (u_char *) file;

    path = ngx_http_sync_path(&reg->tenants, &name);
    if (path == NULL) {
        return 0;
    }

    linked = lstat(path, &st) == 0 && (S_ISLNK(st.st_mode) || st.st_nlink > 1);

    free(path);

    return linked;
}
