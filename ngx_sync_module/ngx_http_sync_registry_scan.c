
/*
 * Scans of the folder: once at load, then by each worker for itself, a few
 * files in a slice, so that no request waits for 50,000 documents.
 */


#include "ngx_http_sync_registry_parts.h"


static ngx_int_t ngx_http_sync_scan_names(ngx_conf_t *cf,
    ngx_http_sync_registry_t *reg, ngx_array_t *names);
static int ngx_libc_cdecl ngx_http_sync_scan_cmp(const void *one,
    const void *two);
static void ngx_http_sync_scan_handler(ngx_event_t *ev);
static ngx_int_t ngx_http_sync_scan_library(ngx_http_sync_registry_t *reg,
    ngx_int_t budget, ngx_log_t *log);
static ngx_int_t ngx_http_sync_scan_folder(ngx_http_sync_registry_t *reg,
    ngx_int_t budget, ngx_log_t *log);
static ngx_int_t ngx_http_sync_scan_awake(ngx_http_sync_registry_t *reg,
    ngx_int_t budget, ngx_log_t *log);
static ngx_int_t ngx_http_sync_scan_gone(ngx_http_sync_registry_t *reg,
    ngx_int_t budget, ngx_log_t *log);
static void ngx_http_sync_scan_stale(ngx_http_sync_registry_t *reg,
    const char *what, ngx_log_t *log);
static ngx_uint_t ngx_http_sync_scan_secrets(ngx_http_sync_registry_t *reg,
    ngx_cycle_t *cycle, const sync_doc_t *doc, ngx_uint_t told);
static ngx_uint_t ngx_http_sync_scan_secret(ngx_http_sync_registry_t *reg,
    ngx_cycle_t *cycle, const sync_doc_t *doc, sync_str_t name,
    ngx_uint_t told);


/* A stat counts one; so many fit into a slice of half a millisecond. */

#define NGX_HTTP_SYNC_SCAN_BUDGET  256
#define NGX_HTTP_SYNC_SCAN_LOAD    16    /* what reading a document counts */
#define NGX_HTTP_SYNC_SCAN_SEEN    16    /* documents in memory count one */
#define NGX_HTTP_SYNC_SCAN_PAUSE   2     /* ms between slices */
#define NGX_HTTP_SYNC_SCAN_SHARE   20    /* from one look at all documents to
                                            the next at least so many times
                                            what it takes */
#define NGX_HTTP_SYNC_SCAN_TOLD    10    /* secrets that are not there */


ngx_int_t
ngx_http_sync_scan_load(ngx_conf_t *cf, ngx_http_sync_registry_t *reg)
{
    ngx_int_t              rc;
    ngx_uint_t             i;
    ngx_str_t             *name;
    ngx_array_t            names;
    ngx_http_sync_slot_t  *slot;

    if (ngx_array_init(&names, cf->temp_pool, 64, sizeof(ngx_str_t))
        != NGX_OK
        || ngx_http_sync_scan_names(cf, reg, &names) != NGX_OK)
    {
        return NGX_ERROR;
    }

    name = names.elts;
    ngx_qsort(name, names.nelts, sizeof(ngx_str_t), ngx_http_sync_scan_cmp);

    rc = NGX_OK;

    for (i = 0; i < names.nelts; i++) {
        slot = ngx_http_sync_slot_create(reg, &name[i], cf->log);
        if (slot == NULL) {
            return NGX_ERROR;
        }

        switch (ngx_http_sync_slot_load(reg, slot, cf->log)) {

        case NGX_OK:
            break;

        case NGX_DECLINED:
            if (reg->strict) {
                rc = NGX_ERROR;
            }
            break;

        default:
            return NGX_ERROR;
        }
    }

    return rc;
}


static ngx_int_t
ngx_http_sync_scan_names(ngx_conf_t *cf, ngx_http_sync_registry_t *reg,
    ngx_array_t *names)
{
    DIR            *dir;
    ngx_str_t      *name, n;
    struct dirent  *de;

    dir = opendir((char *) reg->tenants.data);

    if (dir == NULL) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, ngx_errno,
                      "\"sync_tenants\": the folder \"%V\" cannot be read",
                      &reg->tenants);
        return NGX_ERROR;
    }

    for ( ;; ) {
        de = readdir(dir);

        if (de == NULL) {
            break;
        }

        if (ngx_http_sync_scan_is_document(de->d_name, &n) != NGX_OK) {
            continue;
        }

        name = ngx_array_push(names);

        if (name != NULL) {
            name->len = n.len;
            name->data = ngx_pstrdup(cf->temp_pool, &n);
        }

        if (name == NULL || name->data == NULL) {
            closedir(dir);
            return NGX_ERROR;
        }
    }

    closedir(dir);

    return NGX_OK;
}


static int ngx_libc_cdecl
ngx_http_sync_scan_cmp(const void *one, const void *two)
{
    ngx_str_t  *a = (ngx_str_t *) one;
    ngx_str_t  *b = (ngx_str_t *) two;

    return ngx_memn2cmp(a->data, b->data, a->len, b->len);
}


ngx_int_t
ngx_http_sync_scan_is_document(const char *file, ngx_str_t *name)
{
    size_t  len;

    len = ngx_strlen(file);

    if (len < 6 || file[0] == '.'
        || ngx_strcmp(file + len - 5, ".json") != 0)
    {
        return NGX_DECLINED;
    }

    name->len = len - 5;
    name->data = (u_char *) file;

    return NGX_OK;
}


void
ngx_http_sync_scan_start(ngx_http_sync_registry_t *reg, ngx_cycle_t *cycle)
{
    ngx_event_t  *ev;

    ev = &reg->scan.event;

    ev->handler = ngx_http_sync_scan_handler;
    ev->data = reg;
    ev->log = cycle->log;
    ev->cancelable = 1;

    reg->scan.full = 1;
    ngx_http_sync_watch_start(reg, cycle->log);

    /* workers do not all look at the same moment */

    ngx_add_timer(ev, reg->interval / 2 + ngx_random() % (reg->interval / 2
                                                          + 1));
}


void
ngx_http_sync_scan_stop(ngx_http_sync_registry_t *reg)
{
    if (reg->scan.event.timer_set) {
        ngx_del_timer(&reg->scan.event);
    }

    if (reg->scan.dir != NULL) {
        closedir(reg->scan.dir);
        reg->scan.dir = NULL;
    }

    ngx_http_sync_watch_stop(reg);
}


static void
ngx_http_sync_scan_handler(ngx_event_t *ev)
{
    ngx_http_sync_registry_t *reg = ev->data;

    ngx_int_t              budget;
    ngx_msec_t             rest;
    ngx_http_sync_scan_t  *scan;

    scan = &reg->scan;

    if (ngx_exiting || ngx_quit || ngx_terminate) {
        /* the workers of the next configuration look themselves */
        ngx_http_sync_scan_stop(reg);
        return;
    }

    if (scan->phase == NGX_HTTP_SYNC_SCAN_REST) {
        scan->phase = NGX_HTTP_SYNC_SCAN_LIBRARY;
        scan->turn++;
        scan->place = 0;
        scan->begun = ngx_current_msec;

        if ((ngx_msec_int_t) (scan->due - ngx_current_msec) <= 0) {
            scan->full = 1;
        }
    }

    budget = NGX_HTTP_SYNC_SCAN_BUDGET;

    if (scan->phase == NGX_HTTP_SYNC_SCAN_LIBRARY) {
        budget = ngx_http_sync_scan_library(reg, budget, ev->log);
    }

    if (budget > 0 && scan->phase >= NGX_HTTP_SYNC_SCAN_WATCH) {
        budget = ngx_http_sync_watch_read(reg, budget, ev->log);

        if (budget > 0 && scan->phase == NGX_HTTP_SYNC_SCAN_WATCH) {
            scan->phase = NGX_HTTP_SYNC_SCAN_AWAKE;
        }
    }

    if (budget > 0 && scan->phase == NGX_HTTP_SYNC_SCAN_AWAKE) {
        budget = ngx_http_sync_scan_awake(reg, budget, ev->log);
    }

    if (budget > 0 && scan->phase == NGX_HTTP_SYNC_SCAN_FOLDER) {
        budget = ngx_http_sync_scan_folder(reg, budget, ev->log);
    }

    if (budget > 0 && scan->phase == NGX_HTTP_SYNC_SCAN_GONE) {
        (void) ngx_http_sync_scan_gone(reg, budget, ev->log);
    }

    rest = NGX_HTTP_SYNC_SCAN_PAUSE;

    if (scan->phase == NGX_HTTP_SYNC_SCAN_REST) {
        rest = reg->interval;

        if (scan->looking) {
            scan->looking = 0;
            scan->due = ngx_current_msec + (ngx_current_msec - scan->begun)
                                           * NGX_HTTP_SYNC_SCAN_SHARE;
            reg->scans++;

        } else {
            rest = ngx_max(rest, (ngx_current_msec - scan->begun)
                                 * NGX_HTTP_SYNC_SCAN_SHARE);
        }
    }

    ngx_add_timer(ev, rest);
}


/* What is left of the budget. */

static ngx_int_t
ngx_http_sync_scan_library(ngx_http_sync_registry_t *reg, ngx_int_t budget,
    ngx_log_t *log)
{
    uint64_t               version;
    ngx_http_sync_scan_t  *scan;
    ngx_http_sync_node_t  *n, *next;
    ngx_http_sync_file_t  *f;

    scan = &reg->scan;

    while (scan->place < reg->files.size && budget > 0) {

        for (n = reg->files.buckets[scan->place]; n != NULL; n = next) {
            next = n->next;
            f = n->value;

            if (f->refs == 0) {
                ngx_http_sync_file_free(reg, f);

            } else {
                version = f->version;
                ngx_http_sync_file_look(reg, f, log);

                if (f->version != version) {

                    /* who uses it is seen by looking at all */

                    scan->full = 1;
                }
            }

            budget--;
        }

        scan->place++;
    }

    if (scan->place >= reg->files.size) {
        scan->phase = NGX_HTTP_SYNC_SCAN_WATCH;
    }

    return budget;
}


/* Of many tenants few are awake: those whose secrets somebody has asked for. */

static ngx_int_t
ngx_http_sync_scan_awake(ngx_http_sync_registry_t *reg, ngx_int_t budget,
    ngx_log_t *log)
{
    ngx_str_t                key;
    sync_str_t               id;
    ngx_queue_t             *q;
    ngx_http_sync_node_t    *n;
    ngx_http_sync_slot_t    *slot;
    ngx_http_sync_scan_t    *scan;
    ngx_http_sync_tenant_t  *t;

    scan = &reg->scan;

    while (budget > 0 && !ngx_queue_empty(&reg->awake)) {
        q = ngx_queue_head(&reg->awake);
        t = ngx_queue_data(q, ngx_http_sync_tenant_t, awake);

        if (t->looked == scan->turn) {
            break;
        }

        t->looked = scan->turn;
        ngx_queue_remove(q);
        ngx_queue_insert_tail(&reg->awake, q);

        id = sync_doc_id(t->doc);
        key.len = id.len;
        key.data = id.data;

        n = ngx_http_sync_table_find(&reg->ids, &key);
        slot = n != NULL ? n->value : NULL;

        budget--;

        /* an older version goes with its last request */

        if (slot != NULL && slot->tenant == t
            && ngx_http_sync_slot_changed(reg, slot))
        {
            (void) ngx_http_sync_slot_load(reg, slot, log);
            budget -= NGX_HTTP_SYNC_SCAN_LOAD;
        }
    }

    if (budget > 0) {
        if (!scan->full) {
            scan->phase = NGX_HTTP_SYNC_SCAN_REST;

        } else {
            scan->phase = NGX_HTTP_SYNC_SCAN_FOLDER;
            scan->full = 0;
            scan->looking = 1;
            scan->serial++;
            scan->place = 0;
            scan->found = 0;

            if (scan->watch == -1) {
                ngx_http_sync_watch_start(reg, log);
            }
        }
    }

    return budget;
}


static ngx_int_t
ngx_http_sync_scan_folder(ngx_http_sync_registry_t *reg, ngx_int_t budget,
    ngx_log_t *log)
{
    int                    err;
    ngx_str_t              name;
    struct dirent         *de;
    ngx_http_sync_scan_t  *scan;

    scan = &reg->scan;
    err = 0;

    if (scan->dir == NULL) {
        scan->dir = opendir((char *) reg->tenants.data);

        if (scan->dir == NULL) {
            ngx_http_sync_scan_stale(reg, "cannot be read", log);
            scan->phase = NGX_HTTP_SYNC_SCAN_REST;
            return budget;
        }
    }

    while (budget > 0) {
        errno = 0;
        de = readdir(scan->dir);

        if (de == NULL) {
            err = errno;
            break;
        }

        if (ngx_http_sync_scan_is_document(de->d_name, &name) == NGX_OK) {
            scan->found++;
            budget -= ngx_http_sync_scan_document(reg, &name, log);
        }
    }

    if (budget <= 0) {
        return budget;
    }

    closedir(scan->dir);
    scan->dir = NULL;

    scan->place = 0;

    if (err != 0) {
        ngx_http_sync_scan_stale(reg, "cannot be read", log);
        scan->phase = NGX_HTTP_SYNC_SCAN_REST;

    } else if (scan->found == 0 && reg->slots.count != 0) {
        ngx_http_sync_scan_stale(reg, "is empty", log);
        scan->phase = NGX_HTTP_SYNC_SCAN_REST;

    } else {
        if (reg->stale) {
            reg->stale = 0;
            ngx_log_error(NGX_LOG_NOTICE, log, 0,
                          "registry: the folder of tenants \"%V\" is there "
                          "again", &reg->tenants);
        }

        scan->phase = NGX_HTTP_SYNC_SCAN_GONE;
    }

    return budget;
}


ngx_int_t
ngx_http_sync_scan_document(ngx_http_sync_registry_t *reg, ngx_str_t *name,
    ngx_log_t *log)
{
    char                   *path;
    ngx_str_t               file;
    ngx_http_sync_node_t   *n;
    ngx_http_sync_slot_t   *slot;
    ngx_http_sync_stamp_t   stamp;

    n = ngx_http_sync_table_find(&reg->slots, name);

    if (n == NULL) {
        slot = ngx_http_sync_slot_create(reg, name, log);
        if (slot == NULL) {
            return 1;
        }

    } else {
        slot = n->value;

        file.len = slot->node.key.len + 5;
        file.data = slot->node.key.data;

        path = ngx_http_sync_path(&reg->tenants, &file);
        if (path == NULL) {
            return 1;
        }

        (void) ngx_http_sync_stamp(path, &stamp);
        free(path);

        if (ngx_memcmp(&stamp, &slot->stamp, sizeof(stamp)) == 0
            && !slot->contested
            && !ngx_http_sync_slot_changed(reg, slot))
        {
            reg->seen[slot->place] = reg->scan.serial;
            return 1;
        }
    }

    reg->seen[slot->place] = reg->scan.serial;

    (void) ngx_http_sync_slot_load(reg, slot, log);

    return NGX_HTTP_SYNC_SCAN_LOAD;
}


static ngx_int_t
ngx_http_sync_scan_gone(ngx_http_sync_registry_t *reg, ngx_int_t budget,
    ngx_log_t *log)
{
    ngx_http_sync_scan_t  *scan;
    ngx_http_sync_node_t  *n, *next;
    ngx_http_sync_slot_t  *slot;

    scan = &reg->scan;

    while (scan->place < reg->slots.size && budget > 0) {

        for (n = reg->slots.buckets[scan->place]; n != NULL; n = next) {
            next = n->next;
            slot = n->value;

            if (reg->seen[slot->place] != scan->serial) {
                ngx_log_error(NGX_LOG_NOTICE, log, 0,
                              "registry: tenant document \"%V/%V.json\" is "
                              "gone, and so is its tenant", &reg->tenants,
                              &slot->node.key);
                ngx_http_sync_slot_free(reg, slot);
                budget--;
            }
        }

        if (++scan->place % NGX_HTTP_SYNC_SCAN_SEEN == 0) {
            budget--;
        }
    }

    if (scan->place >= reg->slots.size) {
        scan->phase = NGX_HTTP_SYNC_SCAN_REST;
    }

    return budget;
}


/* A folder that goes as a whole is an accident: its tenants stay. */

static void
ngx_http_sync_scan_stale(ngx_http_sync_registry_t *reg, const char *what,
    ngx_log_t *log)
{
    if (reg->stale) {
        return;
    }

    reg->stale = 1;

    ngx_log_error(NGX_LOG_ERR, log, 0,
                  "registry: the folder of tenants \"%V\" %s; the last "
                  "documents stay", &reg->tenants, what);
}


ngx_uint_t
ngx_http_sync_scan_readable(ngx_http_sync_registry_t *reg, ngx_cycle_t *cycle)
{
    char                  *path;
    ngx_log_t             *log;
    ngx_str_t              file, *folder;
    ngx_uint_t             i, bad, kind, told, level;
    ngx_http_sync_node_t  *n;
    ngx_http_sync_file_t  *f;
    ngx_http_sync_slot_t  *slot;
    ngx_http_sync_table_t *tables[2];

    /* nginx -t speaks to who has called it, whatever error_log is to keep */

    log = ngx_test_config ? cycle->old_cycle->log : cycle->log;
    level = reg->strict ? NGX_LOG_EMERG : NGX_LOG_WARN;
    bad = 0;

    for (i = 0; i < 3; i++) {
        folder = i == 0 ? &reg->tenants : i == 1 ? &reg->library
                                                 : &reg->secrets;

        if (folder->len
            && ngx_http_sync_readable(cycle, (char *) folder->data, i < 2)
               != NGX_OK)
        {
            ngx_log_error(level, log, 0,
                          "registry: the folder \"%V\" cannot be read by the "
                          "user of the workers, who read it live", folder);
            bad++;
        }
    }

    if (bad) {
        /* one line says it for all files below */
        return bad;
    }

    tables[0] = &reg->slots;
    tables[1] = &reg->files;

    for (kind = 0; kind < 2; kind++) {
        folder = kind == 0 ? &reg->tenants : &reg->library;

        for (i = 0; i < tables[kind]->size; i++) {
            for (n = tables[kind]->buckets[i]; n != NULL; n = n->next) {
                file = n->key;

                if (kind == 0) {
                    slot = n->value;
                    file.len = slot->node.key.len + 5;

                } else {
                    f = n->value;

                    if (!f->there) {
                        continue;
                    }
                }

                path = ngx_http_sync_path(folder, &file);
                if (path == NULL) {
                    return bad;
                }

                if (ngx_http_sync_readable(cycle, path, 0) != NGX_OK) {
                    ngx_log_error(level, log, 0,
                                  "registry: \"%s\" cannot be read by the "
                                  "user of the workers, who read it live",
                                  path);
                    bad++;
                }

                free(path);
            }
        }
    }

    if (!ngx_test_config) {
        return bad;
    }

    /* secrets may come later, and elsewhere: said by nginx -t, never fatal */

    told = 0;

    for (i = 0; i < reg->slots.size; i++) {
        for (n = reg->slots.buckets[i]; n != NULL; n = n->next) {
            slot = n->value;

            if (slot->tenant != NULL) {
                told = ngx_http_sync_scan_secrets(reg, cycle,
                                                  slot->tenant->doc, told);
            }
        }
    }

    if (told > NGX_HTTP_SYNC_SCAN_TOLD) {
        ngx_log_error(NGX_LOG_WARN, log, 0,
                      "registry: %ui more secrets are not there",
                      told - NGX_HTTP_SYNC_SCAN_TOLD);
    }

    return bad;
}


/* How many have been missed so far. */

static ngx_uint_t
ngx_http_sync_scan_secrets(ngx_http_sync_registry_t *reg, ngx_cycle_t *cycle,
    const sync_doc_t *doc, ngx_uint_t told)
{
    uint32_t               i, k;
    sync_str_t             names[8];
    sync_doc_client_t      client;
    sync_doc_session_t     session;
    sync_doc_credential_t  c;

    for (i = 0; i < sync_doc_clients(doc); i++) {
        if (sync_doc_client_at(doc, i, &client) != SYNC_OK) {
            continue;
        }

        for (k = 0; k < client.api_keys.n; k++) {
            told = ngx_http_sync_scan_secret(reg, cycle, doc,
                                             sync_doc_item(doc,
                                                           client.api_keys,
                                                           k),
                                             told);
        }

        for (k = 0; k < client.secrets.n; k++) {
            told = ngx_http_sync_scan_secret(reg, cycle, doc,
                                             sync_doc_item(doc,
                                                           client.secrets, k),
                                             told);
        }
    }

    for (i = 0; i < sync_doc_connectors(doc); i++) {
        if (sync_doc_credential(doc, i, &c) != SYNC_OK) {
            continue;
        }

        names[0] = c.id;
        names[1] = c.secret;
        names[2] = c.token;
        names[3] = c.token_secret;
        names[4] = c.key;
        names[5] = c.key_certificate;
        names[6] = c.certificate;
        names[7] = c.certificate_key;

        for (k = 0; k < sizeof(names) / sizeof(names[0]); k++) {
            told = ngx_http_sync_scan_secret(reg, cycle, doc, names[k], told);
        }
    }

    for (i = 0; i < sync_doc_connectors(doc); i++) {
        if (sync_doc_session(doc, i, &session) != SYNC_OK) {
            continue;
        }

        for (k = 0; k < session.secrets.n; k++) {
            told = ngx_http_sync_scan_secret(reg, cycle, doc,
                                             sync_doc_item(doc,
                                                           session.secrets,
                                                           k),
                                             told);
        }
    }

    return told;
}


static ngx_uint_t
ngx_http_sync_scan_secret(ngx_http_sync_registry_t *reg, ngx_cycle_t *cycle,
    const sync_doc_t *doc, sync_str_t name, ngx_uint_t told)
{
    char        *path;
    ngx_str_t    tenant, secret;
    sync_str_t   id, s;

    if (name.len == 0) {
        return told;
    }

    id = sync_doc_id(doc);
    s = sync_doc_name(doc);

    tenant.len = s.len;
    tenant.data = s.data;
    secret.len = name.len;
    secret.data = name.data;

    path = ngx_http_sync_text("%s/%.*s/%.*s",
                              reg->secrets.len ? (char *) reg->secrets.data
                                               : "",
                              (int) id.len, id.data, (int) name.len,
                              name.data);
    if (path == NULL) {
        return told;
    }

    if (reg->secrets.len == 0
        || ngx_http_sync_readable(cycle, path, 0) != NGX_OK)
    {
        if (told++ < NGX_HTTP_SYNC_SCAN_TOLD) {
            ngx_log_error(NGX_LOG_WARN, cycle->old_cycle->log, 0,
                          "registry: secret \"%V\" of tenant \"%V\" is not "
                          "there, or cannot be read by the user of the "
                          "workers", &secret, &tenant);
        }
    }

    free(path);

    return told;
}
