
/*
 * Files and tables of the registry.
 */


#include "ngx_http_sync_registry_parts.h"

#include <grp.h>
#include <stdarg.h>
#include <stdio.h>


#define NGX_HTTP_SYNC_TABLE   64         /* buckets at first */
#define NGX_HTTP_SYNC_GROUPS  256        /* of the workers' user */


static void ngx_http_sync_table_grow(ngx_http_sync_table_t *t,
    ngx_log_t *log);
static void ngx_http_sync_table_link(ngx_http_sync_node_t **at,
    ngx_http_sync_node_t *node);
static ngx_uint_t ngx_http_sync_allowed(struct stat *st, ngx_uint_t bits,
    uid_t uid, gid_t *groups, int ngroups);


ngx_int_t
ngx_http_sync_stamp(const char *path, ngx_http_sync_stamp_t *stamp)
{
    struct stat  st;

    ngx_memzero(stamp, sizeof(ngx_http_sync_stamp_t));

    if (stat(path, &st) == -1) {
        return NGX_DECLINED;
    }

    stamp->sec = st.st_mtim.tv_sec;
    stamp->nsec = st.st_mtim.tv_nsec;
    stamp->size = st.st_size;
    stamp->inode = st.st_ino;
    stamp->device = st.st_dev;

    return NGX_OK;
}


ngx_int_t
ngx_http_sync_read(const char *path, const char *below, size_t max,
    ngx_str_t *text, ngx_http_sync_stamp_t *stamp, const char **why)
{
    int          fd;
    size_t       len;
    ssize_t      n;
    struct stat  st;
    char         real[PATH_MAX], root[PATH_MAX];

    (void) ngx_http_sync_stamp(path, stamp);

    if (below != NULL) {
        if (realpath(below, root) == NULL || realpath(path, real) == NULL) {
            *why = strerror(errno);
            return NGX_DECLINED;
        }

        len = strlen(root);

        if (strncmp(real, root, len) != 0 || real[len] != '/') {
            *why = "a link leads out of its folder";
            return NGX_DECLINED;
        }

        path = real;
    }

    /* O_NONBLOCK: a FIFO in the folder must not stop the worker */

    fd = open(path, O_RDONLY|O_NONBLOCK|O_CLOEXEC);

    if (fd == -1) {
        *why = strerror(errno);
        return NGX_DECLINED;
    }

    text->data = NULL;

    if (fstat(fd, &st) == -1) {
        *why = strerror(errno);
        goto failed;
    }

    if (!S_ISREG(st.st_mode)) {
        *why = "it is not a regular file";
        goto failed;
    }

    if (st.st_size < 0 || (uint64_t) st.st_size > max) {
        *why = "it is too large";
        goto failed;
    }

    text->data = malloc(st.st_size + 1);
    if (text->data == NULL) {
        *why = "no memory";
        goto failed;
    }

    text->len = 0;

    while (text->len < (size_t) st.st_size) {
        n = read(fd, text->data + text->len, st.st_size - text->len);

        if (n == -1 && errno == EINTR) {
            continue;
        }

        if (n == -1) {
            *why = strerror(errno);
            goto failed;
        }

        if (n == 0) {
            break;
        }

        text->len += n;
    }

    text->data[text->len] = '\0';
    close(fd);

    return NGX_OK;

failed:

    if (text->data != NULL) {
        sync_wipe(text->data, st.st_size);
        free(text->data);
        text->data = NULL;
    }

    close(fd);

    return NGX_DECLINED;
}


char *
ngx_http_sync_path(ngx_str_t *folder, ngx_str_t *name)
{
    char  *path;

    path = malloc(folder->len + name->len + 2);
    if (path == NULL) {
        return NULL;
    }

    ngx_memcpy(path, folder->data, folder->len);
    path[folder->len] = '/';
    ngx_memcpy(path + folder->len + 1, name->data, name->len);
    path[folder->len + 1 + name->len] = '\0';

    return path;
}


char *
ngx_http_sync_text(const char *fmt, ...)
{
    char     *text;
    int       n;
    va_list   args;

    va_start(args, fmt);
    n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);

    if (n < 0) {
        return NULL;
    }

    text = malloc(n + 1);
    if (text == NULL) {
        return NULL;
    }

    va_start(args, fmt);
    (void) vsnprintf(text, n + 1, fmt, args);
    va_end(args);

    return text;
}


ngx_int_t
ngx_http_sync_readable(ngx_cycle_t *cycle, const char *path, ngx_uint_t folder)
{
    int               ngroups;
    char              real[PATH_MAX], *p;
    gid_t             groups[NGX_HTTP_SYNC_GROUPS];
    ngx_uint_t        bits;
    struct stat       st;
    ngx_core_conf_t  *ccf;

    ccf = (ngx_core_conf_t *) ngx_get_conf(cycle->conf_ctx, ngx_core_module);

    if (geteuid() != 0 || ccf->user == 0) {
        /* the workers are who we are */
        return access(path, folder ? R_OK|X_OK : R_OK) == 0 ? NGX_OK
                                                            : NGX_DECLINED;
    }

    ngroups = NGX_HTTP_SYNC_GROUPS;

    if (ccf->username == NULL
        || getgrouplist(ccf->username, ccf->group, groups, &ngroups) == -1)
    {
        groups[0] = ccf->group;
        ngroups = 1;
    }

    if (realpath(path, real) == NULL) {
        return NGX_DECLINED;
    }

    /* every folder on the way must let pass */

    for (p = real; p != NULL; p = strchr(p + 1, '/')) {
        if (p == real) {
            if (stat("/", &st) == -1) {
                return NGX_DECLINED;
            }

        } else {
            *p = '\0';

            if (stat(real, &st) == -1) {
                return NGX_DECLINED;
            }

            *p = '/';
        }

        if (!ngx_http_sync_allowed(&st, 01, ccf->user, groups, ngroups)) {
            return NGX_DECLINED;
        }
    }

    if (stat(real, &st) == -1) {
        return NGX_DECLINED;
    }

    bits = folder ? 05 : 04;

    return ngx_http_sync_allowed(&st, bits, ccf->user, groups, ngroups)
           ? NGX_OK : NGX_DECLINED;
}


static ngx_uint_t
ngx_http_sync_allowed(struct stat *st, ngx_uint_t bits, uid_t uid,
    gid_t *groups, int ngroups)
{
    int  i;

    if (st->st_uid == uid) {
        return ((st->st_mode >> 6) & bits) == bits;
    }

    for (i = 0; i < ngroups; i++) {
        if (st->st_gid == groups[i]) {
            return ((st->st_mode >> 3) & bits) == bits;
        }
    }

    return (st->st_mode & bits) == bits;
}


ngx_int_t
ngx_http_sync_table_init(ngx_http_sync_table_t *t, ngx_log_t *log)
{
    t->buckets = ngx_calloc(NGX_HTTP_SYNC_TABLE
                            * sizeof(ngx_http_sync_node_t *), log);
    if (t->buckets == NULL) {
        return NGX_ERROR;
    }

    t->size = NGX_HTTP_SYNC_TABLE;
    t->count = 0;

    return NGX_OK;
}


void
ngx_http_sync_table_done(ngx_http_sync_table_t *t)
{
    free(t->buckets);
    t->buckets = NULL;
}


ngx_http_sync_node_t *
ngx_http_sync_table_find(ngx_http_sync_table_t *t, ngx_str_t *key)
{
    uint32_t               hash;
    ngx_http_sync_node_t  *n;

    hash = ngx_crc32_long(key->data, key->len);

    for (n = t->buckets[hash & (t->size - 1)]; n != NULL; n = n->next) {
        if (n->hash == hash
            && n->key.len == key->len
            && ngx_memcmp(n->key.data, key->data, key->len) == 0)
        {
            return n;
        }
    }

    return NULL;
}


void
ngx_http_sync_table_insert(ngx_http_sync_table_t *t,
    ngx_http_sync_node_t *node, ngx_log_t *log)
{
    node->hash = ngx_crc32_long(node->key.data, node->key.len);

    if (t->count >= t->size) {
        ngx_http_sync_table_grow(t, log);
    }

    ngx_http_sync_table_link(&t->buckets[node->hash & (t->size - 1)], node);
    t->count++;
}


/* Each bucket parts in two; the order of equal keys stays. */

static void
ngx_http_sync_table_grow(ngx_http_sync_table_t *t, ngx_log_t *log)
{
    ngx_uint_t              i;
    ngx_http_sync_node_t   *n, *next, **buckets, **low, **high;

    buckets = ngx_calloc(t->size * 2 * sizeof(ngx_http_sync_node_t *), log);
    if (buckets == NULL) {
        return;
    }

    for (i = 0; i < t->size; i++) {
        low = &buckets[i];
        high = &buckets[i + t->size];

        for (n = t->buckets[i]; n != NULL; n = next) {
            next = n->next;

            if (n->hash & t->size) {
                ngx_http_sync_table_link(high, n);
                high = &n->next;

            } else {
                ngx_http_sync_table_link(low, n);
                low = &n->next;
            }
        }
    }

    free(t->buckets);
    t->buckets = buckets;
    t->size *= 2;
}


static void
ngx_http_sync_table_link(ngx_http_sync_node_t **at, ngx_http_sync_node_t *node)
{
    node->next = *at;
    node->prev = at;

    if (node->next != NULL) {
        node->next->prev = &node->next;
    }

    *at = node;
}


void
ngx_http_sync_table_remove(ngx_http_sync_table_t *t,
    ngx_http_sync_node_t *node)
{
    if (node->prev == NULL) {
        return;
    }

    *node->prev = node->next;

    if (node->next != NULL) {
        node->next->prev = node->prev;
    }

    node->prev = NULL;
    t->count--;
}
