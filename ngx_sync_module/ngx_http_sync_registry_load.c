
/*
 * Documents: from a file to a tenant that answers.
 */


#include "ngx_http_sync_core.h"
#include "ngx_http_sync_registry_parts.h"


typedef struct {
    ngx_http_sync_registry_t  *reg;
    ngx_http_sync_deps_t       deps;
    ngx_log_t                 *log;
} ngx_http_sync_load_t;


static ngx_int_t ngx_http_sync_slot_compile(ngx_http_sync_registry_t *reg,
    ngx_http_sync_slot_t *slot, ngx_str_t *text, ngx_http_sync_load_t *load,
    ngx_http_sync_tenant_t **t, char **error);
static void ngx_http_sync_slot_inherit(ngx_http_sync_registry_t *reg,
    ngx_http_sync_slot_t *slot, ngx_log_t *log);
static ngx_int_t ngx_http_sync_slot_place(ngx_http_sync_registry_t *reg,
    ngx_http_sync_slot_t *slot, ngx_log_t *log);
static ngx_http_sync_tenant_t *ngx_http_sync_tenant_create(
    ngx_http_sync_registry_t *reg, u_char *block, size_t len,
    ngx_log_t *log);
static sync_rc_t ngx_http_sync_load_upstream(void *data, sync_str_t name);
static sync_rc_t ngx_http_sync_load_url(void *data, const sync_url_t *url,
    sync_error_t *err);
static sync_rc_t ngx_http_sync_load_egress(void *data, const sync_url_t *url,
    sync_error_t *err);
static sync_rc_t ngx_http_sync_load_library(void *data, sync_str_t path);
static sync_rc_t ngx_http_sync_load_template(void *data, sync_arena_t *arena,
    sync_str_t path, sync_str_t *text);
static const sync_value_t *ngx_http_sync_load_kept(void *data,
    sync_str_t path);
static void ngx_http_sync_load_keep(void *data, sync_str_t path,
    const sync_value_t *value);
static ngx_int_t ngx_http_sync_load_maps(ngx_http_sync_load_t *load,
    ngx_http_sync_tenant_t *t, char **error);
static ngx_int_t ngx_http_sync_load_map(ngx_http_sync_load_t *load,
    ngx_http_sync_tenant_t *t, sync_str_t path, char **error);
static ngx_int_t ngx_http_sync_load_keys(ngx_http_sync_load_t *load,
    ngx_http_sync_tenant_t *t, sync_arena_t *arena, char **error);
static sync_rc_t ngx_http_sync_load_within(ngx_http_sync_load_t *load,
    sync_str_t text, sync_error_t *err);
static uint64_t ngx_http_sync_load_generation(ngx_str_t *text,
    ngx_http_sync_deps_t *deps);


#define NGX_HTTP_SYNC_LOAD_BLOCK  16384


ngx_int_t
ngx_http_sync_slot_load(ngx_http_sync_registry_t *reg,
    ngx_http_sync_slot_t *slot, ngx_log_t *log)
{
    char                    *path, *error;
    u_char                   digest[SYNC_SHA256_LEN];
    ngx_int_t                rc;
    ngx_str_t                text, file;
    const char              *why;
    ngx_http_sync_load_t     load;
    ngx_http_sync_tenant_t  *t;

    file.len = slot->node.key.len + 5;
    file.data = slot->node.key.data;                 /* ".json" is behind */

    path = ngx_http_sync_path(&reg->tenants, &file);
    if (path == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_http_sync_read(path, NULL, NGX_HTTP_SYNC_DOCUMENT_MAX, &text,
                            &slot->stamp, &why);
    free(path);

    if (rc != NGX_OK) {
        error = ngx_http_sync_text("it cannot be read: %s", why);
        if (error == NULL) {
            return NGX_ERROR;
        }

        ngx_http_sync_slot_inherit(reg, slot, log);
        ngx_http_sync_slot_refuse(reg, slot, error, log);

        /* no stamp tells when it can be: try again at the next scan */

        ngx_memzero(&slot->stamp, sizeof(ngx_http_sync_stamp_t));

        return NGX_DECLINED;
    }

    sync_sha256(text.data, text.len, digest);

    if (slot->tenant != NULL && slot->error == NULL
        && ngx_memcmp(digest, slot->digest, sizeof(digest)) == 0
        && !ngx_http_sync_slot_changed(reg, slot))
    {
        /* touched, and nothing else */
        free(text.data);
        return NGX_OK;
    }

    ngx_memzero(&load, sizeof(ngx_http_sync_load_t));
    load.reg = reg;
    load.log = log;

    t = NULL;
    error = NULL;

    rc = ngx_http_sync_slot_compile(reg, slot, &text, &load, &t, &error);

    /* also a broken document is looked at again when a file of it changes */

    ngx_http_sync_deps_clear(&slot->deps);
    free(slot->deps.elts);
    slot->deps = load.deps;

    ngx_memcpy(slot->digest, digest, sizeof(digest));
    slot->contested = 0;

    if (rc == NGX_OK) {
        rc = ngx_http_sync_slot_take(reg, slot, t, log, &error);
    }

    if (rc != NGX_OK) {
        ngx_http_sync_slot_inherit(reg, slot, log);

        if (slot->tenant == NULL) {
            ngx_http_sync_slot_down(reg, slot, &text, log);
        }
    }

    sync_wipe(text.data, text.len);
    free(text.data);

    if (rc == NGX_OK) {
        if (slot->error != NULL) {
            ngx_log_error(NGX_LOG_NOTICE, log, 0,
                          "registry: tenant document \"%V/%V.json\" is good "
                          "again", &reg->tenants, &slot->node.key);
            free(slot->error);
            slot->error = NULL;
        }

        reg->loads++;

        return NGX_OK;
    }

    ngx_http_sync_tenant_drop(t);

    if (error == NULL) {
        /* no memory: try again at the next scan */
        slot->stamp.inode = 0;
        return NGX_ERROR;
    }

    ngx_http_sync_slot_refuse(reg, slot, error, log);

    return NGX_DECLINED;
}


/*
 * A reload finds a broken document: the copy that the master has of it from
 * before stays, if no worker has taken a newer one since.
 */

static void
ngx_http_sync_slot_inherit(ngx_http_sync_registry_t *reg,
    ngx_http_sync_slot_t *slot, ngx_log_t *log)
{
    char                      *error;
    size_t                     size;
    u_char                    *p;
    ngx_uint_t                 i;
    ngx_http_sync_node_t      *n;
    ngx_http_sync_slot_t      *last;
    ngx_http_sync_tenant_t    *t, *from;
    ngx_http_sync_registry_t  *live;

    live = ngx_http_sync_registry_live;

    if (!reg->loading || slot->tenant != NULL || live == NULL
        || live->owners == NULL
        || live->tenants.len != reg->tenants.len
        || ngx_memcmp(live->tenants.data, reg->tenants.data, reg->tenants.len)
           != 0)
    {
        return;
    }

    n = ngx_http_sync_table_find(&live->slots, &slot->node.key);
    if (n == NULL) {
        return;
    }

    last = n->value;
    from = last->tenant;

    if (from == NULL
        || ngx_http_sync_owner_noted(live, &last->id.key) != from->generation)
    {
        return;
    }

    size = sync_doc_size(from->doc);
    t = ngx_http_sync_tenant_create(reg, (u_char *) from->doc, size, log);

    if (t == NULL) {
        return;
    }

    t->generation = from->generation;

    if (from->nmaps) {
        t->maps = ngx_alloc(from->nmaps * sizeof(ngx_http_sync_named_map_t),
                            log);
        if (t->maps == NULL) {
            ngx_http_sync_tenant_drop(t);
            return;
        }
    }

    for (i = 0; i < from->nmaps; i++) {
        p = from->maps[i].path.data;

        t->maps[i].path.len = from->maps[i].path.len;
        t->maps[i].path.data = (u_char *) t->doc + (p - (u_char *) from->doc);
        t->maps[i].mapping = from->maps[i].mapping;
        t->maps[i].mapping->refs++;
        t->nmaps++;
    }

    if (ngx_http_sync_schemas_inherit(t, from, log) != NGX_OK) {
        ngx_http_sync_tenant_drop(t);
        return;
    }

    error = NULL;

    if (ngx_http_sync_slot_take(reg, slot, t, log, &error) != NGX_OK) {
        ngx_http_sync_tenant_drop(t);
        free(error);
    }
}


ngx_uint_t
ngx_http_sync_slot_changed(ngx_http_sync_registry_t *reg,
    ngx_http_sync_slot_t *slot)
{
    char                         *path, *folder;
    ngx_str_t                     dir, id;
    ngx_uint_t                    changed;
    ngx_http_sync_stamp_t         stamp;
    ngx_http_sync_secret_file_t  *s;

    if (ngx_http_sync_deps_changed(&slot->deps)) {
        return 1;
    }

    if (slot->tenant == NULL || slot->tenant->secrets == NULL) {
        return 0;
    }

    id.len = slot->id.key.len;
    id.data = slot->id.key.data;

    folder = ngx_http_sync_path(&reg->secrets, &id);
    if (folder == NULL) {
        return 0;
    }

    dir.data = (u_char *) folder;
    dir.len = strlen(folder);
    changed = 0;

    for (s = slot->tenant->secrets; s != NULL && !changed; s = s->next) {
        path = ngx_http_sync_path(&dir, &s->name);

        if (path != NULL) {
            (void) ngx_http_sync_stamp(path, &stamp);
            free(path);

            changed = ngx_memcmp(&stamp, &s->stamp, sizeof(stamp)) != 0
                      || (s->value.data == NULL && stamp.inode != 0
                          && ngx_http_sync_secret_readable(slot->tenant, s));
        }
    }

    free(folder);

    return changed;
}


/* NGX_OK: *t has one reference; NGX_DECLINED: *error, NULL: no memory. */

static ngx_int_t
ngx_http_sync_slot_compile(ngx_http_sync_registry_t *reg,
    ngx_http_sync_slot_t *slot, ngx_str_t *text, ngx_http_sync_load_t *load,
    ngx_http_sync_tenant_t **tp, char **error)
{
    ngx_int_t                rc;
    sync_rc_t                src;
    sync_str_t               name, block;
    sync_error_t             err;
    sync_arena_t            *arena;
    sync_doc_options_t       options;
    ngx_http_sync_tenant_t  *t;

    arena = sync_arena_create(NGX_HTTP_SYNC_LOAD_BLOCK);
    if (arena == NULL) {
        return NGX_DECLINED;
    }

    ngx_memzero(&options, sizeof(sync_doc_options_t));
    options.upstream = ngx_http_sync_load_upstream;
    options.url = ngx_http_sync_load_url;
    options.egress = ngx_http_sync_load_egress;
    options.library = ngx_http_sync_load_library;
    options.load = ngx_http_sync_load_template;
    options.kept = ngx_http_sync_load_kept;
    options.keep = ngx_http_sync_load_keep;
    options.data = load;

    ngx_memzero(&err, sizeof(sync_error_t));

    name.len = slot->node.key.len;
    name.data = slot->node.key.data;

    src = sync_doc_load(arena, name,
                        (sync_str_t) { text->len, text->data }, &options,
                        &block, &err);

    if (src != SYNC_OK) {
        if (src == SYNC_NO) {
            *error = ngx_http_sync_text("at \"%.*s\": %s (%s)",
                                        (int) err.pointer.len,
                                        err.pointer.data ? err.pointer.data
                                                         : (u_char *) "",
                                        err.text, err.what);
        }

        sync_arena_destroy(arena);
        return NGX_DECLINED;
    }

    rc = NGX_DECLINED;

    t = ngx_http_sync_tenant_create(reg, block.data, block.len, load->log);
    if (t == NULL) {
        goto done;
    }

    *tp = t;

    if (ngx_http_sync_load_maps(load, t, error) != NGX_OK
        || ngx_http_sync_tenant_schemas(reg, t, &load->deps, load->log,
                                        error)
           != NGX_OK
        || ngx_http_sync_load_keys(load, t, arena, error) != NGX_OK)
    {
        goto done;
    }

    t->generation = ngx_http_sync_load_generation(text, &load->deps);

    rc = NGX_OK;

done:

    sync_arena_destroy(arena);

    return rc;
}


/* The tenant and a copy of its document, in one piece. */

static ngx_http_sync_tenant_t *
ngx_http_sync_tenant_create(ngx_http_sync_registry_t *reg, u_char *block,
    size_t len, ngx_log_t *log)
{
    size_t                   size;
    u_char                  *p;
    uint32_t                 issuers;
    ngx_http_sync_tenant_t  *t;

    size = ngx_align(sizeof(ngx_http_sync_tenant_t), 16);

    t = ngx_calloc(size + len, log);
    if (t == NULL) {
        return NULL;
    }

    p = (u_char *) t + size;
    ngx_memcpy(p, block, len);

    t->refs = 1;
    t->reg = reg;
    t->doc = sync_doc_open((sync_str_t) { len, p });

    if (t->doc == NULL) {
        free(t);
        return NULL;
    }

    issuers = sync_doc_issuers(t->doc);

    if (issuers) {
        t->keys = ngx_calloc(issuers * sizeof(ngx_http_sync_keys_t *), log);
        if (t->keys == NULL) {
            free(t);
            return NULL;
        }
    }

    return t;
}


static sync_rc_t
ngx_http_sync_load_upstream(void *data, sync_str_t name)
{
    ngx_http_sync_load_t  *load = data;

    ngx_uint_t                       i;
    ngx_http_upstream_srv_conf_t   **uscf;

    uscf = load->reg->upstreams->upstreams.elts;

    for (i = 0; i < load->reg->upstreams->upstreams.nelts; i++) {
        if ((uscf[i]->flags & NGX_HTTP_UPSTREAM_CREATE)
            && uscf[i]->host.len == name.len
            && ngx_strncasecmp(uscf[i]->host.data, name.data, name.len) == 0)
        {
            return SYNC_OK;
        }
    }

    return SYNC_NO;
}


/* What the name is resolved to is judged when it is called. */

static sync_rc_t
ngx_http_sync_load_url(void *data, const sync_url_t *url, sync_error_t *err)
{
    ngx_http_sync_load_t  *load = data;

    ngx_http_sync_main_conf_t  *smcf;

    smcf = ngx_http_cycle_get_module_main_conf(load->reg->cycle,
                                               ngx_http_sync_module);

    if (smcf->peers == NULL) {
        return sync_refuse(err, "value", SYNC_NOWHERE, "needs a group of "
                           "nginx.conf for all connectors by URL, as "
                           "\"upstream sync_connectors { sync_peers; }\"");
    }

    return ngx_http_sync_load_egress(data, url, err);
}


/* May documents lead there? */

static sync_rc_t
ngx_http_sync_load_egress(void *data, const sync_url_t *url, sync_error_t *err)
{
    ngx_http_sync_load_t  *load = data;

    sync_egress_t  *egress;

    egress = load->reg->fetch->egress;

    if (sync_egress_name(egress, url) != SYNC_OK
        || (url->literal
            && sync_egress_address(egress, url->ip, url->iplen) != SYNC_OK))
    {
        return sync_refuse(err, "value", SYNC_NOWHERE, "is not within "
                           "\"sync_egress\" of nginx.conf, which lists what "
                           "may be called (a port other than 443 with its "
                           "name)");
    }

    return SYNC_OK;
}


static sync_rc_t
ngx_http_sync_load_library(void *data, sync_str_t path)
{
    ngx_http_sync_load_t  *load = data;

    ngx_http_sync_file_t  *f;

    f = ngx_http_sync_file(load->reg, path, load->log);

    if (f == NULL || ngx_http_sync_deps_add(&load->deps, f) != NGX_OK) {
        return SYNC_FAULT;
    }

    return f->there ? SYNC_OK : SYNC_NO;
}


static sync_rc_t
ngx_http_sync_load_template(void *data, sync_arena_t *arena, sync_str_t path,
    sync_str_t *text)
{
    ngx_http_sync_load_t  *load = data;

    char                  *error;
    sync_rc_t              rc;
    ngx_str_t              t;
    ngx_http_sync_file_t  *f;

    rc = ngx_http_sync_load_library(data, path);

    if (rc != SYNC_OK) {
        return rc;
    }

    f = ngx_http_sync_file(load->reg, path, load->log);

    if (f == NULL) {
        return SYNC_FAULT;
    }

    if (ngx_http_sync_file_text(load->reg, f, &t, NULL, &error) != NGX_OK) {

        if (error == NULL) {
            return SYNC_FAULT;
        }

        free(error);
        return SYNC_NO;
    }

    *text = sync_strdup(arena, (sync_str_t) { t.len, t.data });
    free(t.data);

    return text->data != NULL ? SYNC_OK : SYNC_FAULT;
}


static const sync_value_t *
ngx_http_sync_load_kept(void *data, sync_str_t path)
{
    ngx_http_sync_load_t  *load = data;

    if (ngx_http_sync_load_library(data, path) != SYNC_OK) {
        return NULL;
    }

    return ngx_http_sync_file_template(
                          ngx_http_sync_file(load->reg, path, load->log));
}


static void
ngx_http_sync_load_keep(void *data, sync_str_t path, const sync_value_t *value)
{
    ngx_http_sync_load_t  *load = data;

    ngx_http_sync_file_t  *f;

    f = ngx_http_sync_file(load->reg, path, load->log);

    if (f != NULL) {
        ngx_http_sync_file_keep(f, value);
    }
}


/* All maps that sources and connectors name. */

static ngx_int_t
ngx_http_sync_load_maps(ngx_http_sync_load_t *load, ngx_http_sync_tenant_t *t,
    char **error)
{
    uint32_t           i, n;
    unsigned           operations;
    sync_str_t         path;
    sync_entity_e      e;
    sync_doc_source_t  source;

    n = sync_doc_sources(t->doc);

    for (i = 0; i < n; i++) {
        if (sync_doc_source_at(t->doc, i, &source) != SYNC_OK) {
            continue;
        }

        for (e = 0; e < SYNC_ENTITIES; e++) {
            if (ngx_http_sync_load_map(load, t, source.maps[e], error)
                != NGX_OK)
            {
                return NGX_DECLINED;
            }
        }
    }

    n = sync_doc_connectors(t->doc);

    for (i = 0; i < n; i++) {
        for (e = 0; e < SYNC_ENTITIES; e++) {
            if (sync_doc_connector_entity(t->doc, i, e, &path, &operations)
                != SYNC_OK)
            {
                continue;
            }

            if (ngx_http_sync_load_map(load, t, path, error) != NGX_OK) {
                return NGX_DECLINED;
            }
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_sync_load_map(ngx_http_sync_load_t *load, ngx_http_sync_tenant_t *t,
    sync_str_t path, char **error)
{
    ngx_int_t                   rc;
    ngx_uint_t                  i;
    ngx_http_sync_file_t       *f;
    ngx_http_sync_named_map_t  *maps;

    if (path.len == 0) {
        return NGX_OK;
    }

    for (i = 0; i < t->nmaps; i++) {
        if (sync_str_eq(t->maps[i].path, path)) {
            return NGX_OK;
        }
    }

    f = ngx_http_sync_file(load->reg, path, load->log);
    if (f == NULL) {
        return NGX_DECLINED;
    }

    rc = ngx_http_sync_file_map(load->reg, f, load->log);

    for (i = 0; i < f->bases.nelts; i++) {
        if (ngx_http_sync_deps_add(&load->deps, f->bases.elts[i].file)
            != NGX_OK)
        {
            return NGX_DECLINED;
        }
    }

    if (rc != NGX_OK) {
        if (rc == NGX_DECLINED) {
            *error = ngx_http_sync_text("%s", f->map_error);
        }

        return NGX_DECLINED;
    }

    maps = realloc(t->maps, (t->nmaps + 1) * sizeof(*maps));
    if (maps == NULL) {
        return NGX_DECLINED;
    }

    t->maps = maps;
    maps[t->nmaps].path = path;
    maps[t->nmaps].mapping = f->map;
    t->nmaps++;

    f->map->refs++;

    return NGX_OK;
}


/*
 * Key sets are judged here and let go: of many tenants few are awake, and
 * keys are the largest part of one.
 */

static ngx_int_t
ngx_http_sync_load_keys(ngx_http_sync_load_t *load, ngx_http_sync_tenant_t *t,
    sync_arena_t *arena, char **error)
{
    uint32_t               i, n;
    ngx_int_t              rc;
    sync_rc_t              src;
    sync_jwks_t           *set;
    sync_error_t           err;
    sync_str_t             url;
    sync_doc_issuer_t      issuer;
    ngx_http_sync_file_t  *f;

    n = sync_doc_issuers(t->doc);

    for (i = 0; i < n; i++) {
        if (sync_doc_issuer_at(t->doc, i, &issuer) != SYNC_OK) {
            continue;
        }

        if (issuer.introspect_url.len
            && ngx_http_sync_load_within(load, issuer.introspect_url, &err)
               != SYNC_OK)
        {
            *error = ngx_http_sync_text("at \"/issuers/%u/introspect/url\": "
                                        "%s", i, err.text);
            return NGX_DECLINED;
        }

        if (issuer.kind == SYNC_JWKS_NONE) {
            continue;
        }

        if (issuer.kind == SYNC_JWKS_INLINE) {
            ngx_memzero(&err, sizeof(err));

            src = sync_jwks_parse(&set, arena, issuer.jwks, 0, &err);

            if (src == SYNC_OK) {
                sync_jwks_free(set);
                continue;
            }

            if (src == SYNC_NO) {
                *error = ngx_http_sync_text("at \"/issuers/%u/jwks%.*s\": "
                                            "%s (%s)", i,
                                            (int) err.pointer.len,
                                            err.pointer.data
                                                ? err.pointer.data
                                                : (u_char *) "",
                                            err.text, err.what);
            }

            return NGX_DECLINED;
        }

        if (issuer.kind != SYNC_JWKS_LIBRARY) {
            url = issuer.kind == SYNC_JWKS_URL ? issuer.jwks : issuer.issuer;

            if (ngx_http_sync_load_within(load, url, &err) == SYNC_OK) {
                continue;
            }

            *error = ngx_http_sync_text("at \"/issuers/%u/jwks\": %s", i,
                                        err.text);
            return NGX_DECLINED;
        }

        f = ngx_http_sync_file(load->reg, issuer.jwks, load->log);
        if (f == NULL) {
            return NGX_DECLINED;
        }

        rc = ngx_http_sync_file_keys_judge(load->reg, f, load->log);

        if (rc == NGX_OK) {
            continue;
        }

        if (rc == NGX_DECLINED) {
            *error = ngx_http_sync_text("at \"/issuers/%u/jwks\": %s", i,
                                        f->keys_error);
        }

        return NGX_DECLINED;
    }

    return NGX_OK;
}


/* The same of a URL that was looked at before. */

static sync_rc_t
ngx_http_sync_load_within(ngx_http_sync_load_t *load, sync_str_t text,
    sync_error_t *err)
{
    sync_url_t  url;

    if (sync_url_parse(&url, text, err) != SYNC_OK) {
        return SYNC_NO;
    }

    return ngx_http_sync_load_egress(load, &url, err);
}


static uint64_t
ngx_http_sync_load_generation(ngx_str_t *text, ngx_http_sync_deps_t *deps)
{
    u_char                 digest[SYNC_SHA256_LEN];
    uint64_t               generation;
    ngx_uint_t             i;
    sync_sha256_t          sha;
    ngx_http_sync_file_t  *f;

    sync_sha256_init(&sha);
    sync_sha256_update(&sha, &text->len, sizeof(text->len));
    sync_sha256_update(&sha, text->data, text->len);

    for (i = 0; i < deps->nelts; i++) {
        f = deps->elts[i].file;
        sync_sha256_update(&sha, f->node.key.data, f->node.key.len);
        sync_sha256_update(&sha, f->digest, sizeof(f->digest));
    }

    sync_sha256_final(&sha, digest);
    ngx_memcpy(&generation, digest, sizeof(generation));

    return generation;
}


void
ngx_http_sync_slot_refuse(ngx_http_sync_registry_t *reg,
    ngx_http_sync_slot_t *slot, char *error, ngx_log_t *log)
{
    const char  *what;
    ngx_uint_t   level;

    if (slot->error != NULL && strcmp(slot->error, error) == 0) {
        free(error);
        return;
    }

    free(slot->error);
    slot->error = error;

    level = (reg->loading && reg->strict) ? NGX_LOG_EMERG : NGX_LOG_ERR;

    what = slot->tenant != NULL ? "the last good copy stays"
                                : "the tenant is answered 503";

    if (level == NGX_LOG_EMERG) {
        what = "\"strict\" refuses to go on";
    }

    ngx_log_error(level, log, 0,
                  "tenant document \"%V/%V.json\" is refused: %s; %s",
                  &reg->tenants, &slot->node.key, error, what);
}


ngx_http_sync_slot_t *
ngx_http_sync_slot_create(ngx_http_sync_registry_t *reg, ngx_str_t *name,
    ngx_log_t *log)
{
    u_char                *p;
    ngx_http_sync_slot_t  *slot;

    slot = ngx_calloc(sizeof(ngx_http_sync_slot_t) + name->len + 6, log);
    if (slot == NULL) {
        return NULL;
    }

    p = (u_char *) slot + sizeof(ngx_http_sync_slot_t);

    slot->node.key.len = name->len;
    slot->node.key.data = p;
    slot->node.value = slot;

    p = ngx_cpymem(p, name->data, name->len);
    ngx_memcpy(p, ".json", 6);

    if (ngx_http_sync_slot_place(reg, slot, log) != NGX_OK) {
        free(slot);
        return NULL;
    }

    ngx_http_sync_table_insert(&reg->slots, &slot->node, log);

    return slot;
}


static ngx_int_t
ngx_http_sync_slot_place(ngx_http_sync_registry_t *reg,
    ngx_http_sync_slot_t *slot, ngx_log_t *log)
{
    uint32_t   n;
    uint32_t  *seen;

    if (reg->vacant) {
        slot->place = reg->vacant - 1;
        reg->vacant = reg->seen[slot->place];
        reg->seen[slot->place] = 0;

        return NGX_OK;
    }

    if (reg->nplaces == reg->nseen) {
        n = reg->nseen ? reg->nseen * 2 : 64;

        seen = ngx_calloc(n * sizeof(uint32_t), log);
        if (seen == NULL) {
            return NGX_ERROR;
        }

        if (reg->nseen) {
            ngx_memcpy(seen, reg->seen, reg->nseen * sizeof(uint32_t));
        }

        free(reg->seen);
        reg->seen = seen;
        reg->nseen = n;
    }

    slot->place = reg->nplaces++;

    return NGX_OK;
}


void
ngx_http_sync_slot_free(ngx_http_sync_registry_t *reg,
    ngx_http_sync_slot_t *slot)
{
    ngx_http_sync_tenant_t  *t;

    t = slot->tenant;

    if (t != NULL) {
        ngx_http_sync_slot_release(reg, slot, t->doc, NULL);
    }

    ngx_http_sync_slot_forget(reg, slot);
    ngx_http_sync_tenant_drop(t);

    ngx_http_sync_table_remove(&reg->slots, &slot->node);

    reg->seen[slot->place] = reg->vacant;
    reg->vacant = slot->place + 1;

    ngx_http_sync_deps_clear(&slot->deps);
    free(slot->deps.elts);
    free(slot->error);
    free(slot);
}


void
ngx_http_sync_tenant_drop(ngx_http_sync_tenant_t *t)
{
    uint32_t                      issuers;
    ngx_uint_t                    i;
    ngx_http_sync_secret_file_t  *s, *next;

    if (t == NULL || --t->refs) {
        return;
    }

    for (i = 0; i < t->nmaps; i++) {
        ngx_http_sync_mapping_drop(t->maps[i].mapping);
    }

    ngx_http_sync_schemas_drop(t);

    if (t->keys != NULL) {
        issuers = sync_doc_issuers(t->doc);

        for (i = 0; i < issuers; i++) {
            ngx_http_sync_keys_drop(t->keys[i]);
        }
    }

    if (t->secrets != NULL) {
        ngx_queue_remove(&t->awake);
    }

    for (s = t->secrets; s != NULL; s = next) {
        next = s->next;

        if (s->value.data != NULL) {
            sync_wipe(s->value.data, s->value.len);
            free(s->value.data);
        }

        free(s);
    }

    free(t->keys);
    free(t->maps);
    free(t);
}
