
/*
 * The registry of tenants: directives, lookups, and what a tenant has.
 */


#include "ngx_http_sync_registry_parts.h"


static ngx_int_t ngx_http_sync_registry_found(ngx_http_sync_node_t *n,
    ngx_http_sync_tenant_t **t);
static void ngx_http_sync_tenant_cleanup(void *data);
static ngx_http_sync_keys_t *ngx_http_sync_tenant_keys(
    ngx_http_sync_tenant_t *t, uint32_t i, ngx_log_t *log);
static ngx_http_sync_secret_file_t *ngx_http_sync_secret_read(
    ngx_http_sync_tenant_t *t, ngx_str_t *name, ngx_log_t *log);
static ngx_int_t ngx_http_sync_secret_text(ngx_http_sync_tenant_t *t,
    ngx_http_sync_secret_file_t *s, const char **why);

static void *ngx_http_sync_registry_create_main_conf(ngx_conf_t *cf);
static ngx_int_t ngx_http_sync_registry_postconfiguration(ngx_conf_t *cf);
static ngx_int_t ngx_http_sync_registry_init_module(ngx_cycle_t *cycle);
static ngx_int_t ngx_http_sync_registry_init_process(ngx_cycle_t *cycle);
static void ngx_http_sync_registry_cleanup(void *data);

static char *ngx_http_sync_registry_tenants(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
static char *ngx_http_sync_registry_folder(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
static ngx_int_t ngx_http_sync_registry_path(ngx_conf_t *cf, ngx_str_t *value,
    ngx_str_t *path);


#define NGX_HTTP_SYNC_REGISTRY_INTERVAL  2000                   /* ms */
#define NGX_HTTP_SYNC_REGISTRY_LEAST     10
#define NGX_HTTP_SYNC_REGISTRY_CHAIN     16  /* bits, of a bucket */
#define NGX_HTTP_SYNC_REGISTRY_ZONE      (4 * 1024 * 1024)


static ngx_command_t  ngx_http_sync_registry_commands[] = {

    { ngx_string("sync_tenants"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,
      ngx_http_sync_registry_tenants,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("sync_library"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_sync_registry_folder,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_sync_registry_t, library),
      NULL },

    { ngx_string("sync_secrets"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_sync_registry_folder,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_sync_registry_t, secrets),
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_sync_registry_module_ctx = {
    NULL,                                  /* preconfiguration */
    ngx_http_sync_registry_postconfiguration,
                                           /* postconfiguration */

    ngx_http_sync_registry_create_main_conf,
                                           /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    NULL,                                  /* create location configuration */
    NULL                                   /* merge location configuration */
};


ngx_module_t  ngx_http_sync_registry_module = {
    NGX_MODULE_V1,
    &ngx_http_sync_registry_module_ctx,    /* module context */
    ngx_http_sync_registry_commands,       /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    ngx_http_sync_registry_init_module,    /* init module */
    ngx_http_sync_registry_init_process,   /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


/* The policy's own; the core and the policies share no other floor. */

ngx_http_sync_tenant_resolve_pt  ngx_http_sync_tenant_resolve;

ngx_http_sync_registry_t  *ngx_http_sync_registry_live;


ngx_uint_t
ngx_http_sync_registry_used(ngx_conf_t *cf)
{
    ngx_http_sync_registry_t  *reg;

    reg = ngx_http_conf_get_module_main_conf(cf,
                                             ngx_http_sync_registry_module);

    return reg->tenants.len != 0;
}


ngx_int_t
ngx_http_sync_registry_dir(ngx_conf_t *cf, ngx_str_t *dir)
{
    ngx_http_sync_registry_t  *reg;

    reg = ngx_http_conf_get_module_main_conf(cf,
                                             ngx_http_sync_registry_module);

    *dir = reg->tenants;

    return dir->len ? NGX_OK : NGX_DECLINED;
}


ngx_int_t
ngx_http_sync_tenant_by_host(ngx_http_request_t *r, ngx_str_t *host,
    ngx_http_sync_tenant_t **t)
{
    ngx_http_sync_registry_t  *reg;

    reg = ngx_http_get_module_main_conf(r, ngx_http_sync_registry_module);

    if (reg->tenants.len == 0) {
        return NGX_DECLINED;
    }

    return ngx_http_sync_registry_found(
                           ngx_http_sync_table_find(&reg->hosts, host), t);
}


ngx_int_t
ngx_http_sync_tenant_by_account(ngx_http_request_t *r, ngx_str_t *account,
    ngx_http_sync_tenant_t **t)
{
    return ngx_http_sync_tenant_by_host(r, account, t);
}


ngx_int_t
ngx_http_sync_tenant_by_certificate(ngx_http_request_t *r, ngx_str_t *name,
    ngx_http_sync_tenant_t **t)
{
    return ngx_http_sync_tenant_by_host(r, name, t);
}


ngx_int_t
ngx_http_sync_tenant_by_name(ngx_http_request_t *r, ngx_str_t *name,
    ngx_http_sync_tenant_t **t)
{
    ngx_http_sync_registry_t  *reg;

    reg = ngx_http_get_module_main_conf(r, ngx_http_sync_registry_module);

    if (reg->tenants.len == 0) {
        return NGX_DECLINED;
    }

    return ngx_http_sync_registry_found(
                           ngx_http_sync_table_find(&reg->slots, name), t);
}


ngx_int_t
ngx_http_sync_tenant_by_id(ngx_http_request_t *r, ngx_str_t *id,
    ngx_http_sync_tenant_t **t)
{
    ngx_http_sync_registry_t  *reg;

    reg = ngx_http_get_module_main_conf(r, ngx_http_sync_registry_module);

    if (reg->tenants.len == 0) {
        return NGX_DECLINED;
    }

    return ngx_http_sync_registry_found(
                           ngx_http_sync_table_find(&reg->ids, id), t);
}


static ngx_int_t
ngx_http_sync_registry_found(ngx_http_sync_node_t *n,
    ngx_http_sync_tenant_t **t)
{
    ngx_http_sync_slot_t  *slot;

    if (n == NULL) {
        return NGX_DECLINED;
    }

    slot = n->value;

    if (slot->tenant == NULL) {
        return NGX_ABORT;
    }

    *t = slot->tenant;

    return NGX_OK;
}


ngx_int_t
ngx_http_sync_tenant_by_issuer(ngx_http_request_t *r, ngx_str_t *issuer,
    ngx_uint_t i, ngx_http_sync_tenant_t **t)
{
    ngx_http_sync_node_t      *n;
    ngx_http_sync_slot_t      *slot;
    ngx_http_sync_registry_t  *reg;

    reg = ngx_http_get_module_main_conf(r, ngx_http_sync_registry_module);

    if (reg->tenants.len == 0) {
        return NGX_DECLINED;
    }

    for (n = ngx_http_sync_table_find(&reg->issuers, issuer);
         n != NULL;
         n = n->next)
    {
        slot = n->value;

        /* others share the bucket */

        if (slot->tenant == NULL
            || n->key.len != issuer->len
            || ngx_memcmp(n->key.data, issuer->data, issuer->len) != 0)
        {
            continue;
        }

        if (i-- == 0) {
            *t = slot->tenant;
            return NGX_OK;
        }
    }

    return NGX_DECLINED;
}


ngx_int_t
ngx_http_sync_tenant_hold(ngx_pool_t *pool, ngx_http_sync_tenant_t *t)
{
    ngx_pool_cleanup_t  *cln;

    cln = ngx_pool_cleanup_add(pool, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    cln->handler = ngx_http_sync_tenant_cleanup;
    cln->data = t;

    t->refs++;

    return NGX_OK;
}


static void
ngx_http_sync_tenant_cleanup(void *data)
{
    ngx_http_sync_tenant_drop(data);
}


const sync_doc_t *
ngx_http_sync_tenant_doc(ngx_http_sync_tenant_t *t)
{
    return t->doc;
}


uint64_t
ngx_http_sync_tenant_generation(ngx_http_sync_tenant_t *t)
{
    return t->generation;
}


const sync_map_t *
ngx_http_sync_tenant_map(ngx_http_sync_tenant_t *t, sync_str_t path)
{
    ngx_uint_t  i;

    for (i = 0; i < t->nmaps; i++) {
        if (sync_str_eq(t->maps[i].path, path)) {
            return t->maps[i].mapping->map;
        }
    }

    return NULL;
}


sync_jwks_t *
ngx_http_sync_tenant_keyset(ngx_http_sync_tenant_t *t, uint32_t i,
    ngx_log_t *log)
{
    if (i >= sync_doc_issuers(t->doc)) {
        return NULL;
    }

    if (t->keys[i] == NULL) {
        t->keys[i] = ngx_http_sync_tenant_keys(t, i, log);
    }

    return t->keys[i] != NULL ? t->keys[i]->set : NULL;
}


static ngx_http_sync_keys_t *
ngx_http_sync_tenant_keys(ngx_http_sync_tenant_t *t, uint32_t i,
    ngx_log_t *log)
{
    ngx_str_t              name;
    sync_str_t             s;
    sync_error_t           err;
    sync_arena_t          *arena;
    sync_doc_issuer_t      issuer;
    ngx_http_sync_keys_t  *k;
    ngx_http_sync_file_t  *f;

    s = sync_doc_name(t->doc);
    name.len = s.len;
    name.data = s.data;

    if (sync_doc_issuer_at(t->doc, i, &issuer) != SYNC_OK) {
        return NULL;
    }

    if (issuer.kind == SYNC_JWKS_LIBRARY) {
        f = ngx_http_sync_file(t->reg, issuer.jwks, log);

        if (f == NULL
            || ngx_http_sync_file_keys(t->reg, f, log) != NGX_OK)
        {
            ngx_log_error(NGX_LOG_ERR, log, 0,
                          "registry: the keys of issuer %uD of tenant \"%V\" "
                          "cannot be used: %s", i, &name,
                          f != NULL && f->keys_error ? f->keys_error
                                                     : "no memory");
            return NULL;
        }

        f->keys->refs++;

        return f->keys;
    }

    arena = sync_arena_create(0);
    k = ngx_calloc(sizeof(ngx_http_sync_keys_t), log);

    if (arena == NULL || k == NULL
        || sync_jwks_parse(&k->set, arena, issuer.jwks, 0, &err) != SYNC_OK)
    {
        /* the set was good when the document was loaded */
        ngx_log_error(NGX_LOG_ERR, log, 0,
                      "registry: the keys of issuer %uD of tenant \"%V\" "
                      "cannot be used: no memory", i, &name);
        free(k);
        k = NULL;

    } else {
        k->refs = 1;
    }

    sync_arena_destroy(arena);

    return k;
}


ngx_str_t *
ngx_http_sync_tenant_secret(ngx_http_sync_tenant_t *t, ngx_str_t *name,
    ngx_log_t *log)
{
    ngx_http_sync_secret_file_t  *s;

    for (s = t->secrets; s != NULL; s = s->next) {
        if (s->name.len == name->len
            && ngx_memcmp(s->name.data, name->data, name->len) == 0)
        {
            break;
        }
    }

    if (s == NULL) {
        s = ngx_http_sync_secret_read(t, name, log);
    }

    return (s != NULL && s->value.data != NULL) ? &s->value : NULL;
}


sync_rc_t
ngx_http_sync_secret(void *data, sync_str_t name, sync_str_t *value)
{
    ngx_http_sync_ctx_t *ctx = data;

    ngx_str_t  *secret, s;

    s.data = name.data;
    s.len = name.len;

    secret = ngx_http_sync_tenant_secret(ctx->tenant.entry, &s,
                                         ctx->request->connection->log);
    if (secret == NULL) {
        return SYNC_NO;
    }

    value->data = secret->data;
    value->len = secret->len;

    return SYNC_OK;
}


static ngx_http_sync_secret_file_t *
ngx_http_sync_secret_read(ngx_http_sync_tenant_t *t, ngx_str_t *name,
    ngx_log_t *log)
{
    ngx_str_t                     tenant;
    sync_str_t                    s;
    const char                   *why;
    ngx_http_sync_secret_file_t  *file;

    file = ngx_calloc(sizeof(ngx_http_sync_secret_file_t) + name->len, log);
    if (file == NULL) {
        return NULL;
    }

    file->name.len = name->len;
    file->name.data = (u_char *) file + sizeof(ngx_http_sync_secret_file_t);
    ngx_memcpy(file->name.data, name->data, name->len);

    if (ngx_http_sync_secret_text(t, file, &why) != NGX_OK) {
        s = sync_doc_name(t->doc);
        tenant.len = s.len;
        tenant.data = s.data;

        ngx_log_error(NGX_LOG_ERR, log, 0,
                      "registry: secret \"%V\" of tenant \"%V\" cannot be "
                      "read: %s", name, &tenant, why);
    }

    /* also one that is not there is looked for at the next scan */

    if (t->secrets == NULL) {
        t->looked = t->reg->scan.turn;
        ngx_queue_insert_tail(&t->reg->awake, &t->awake);
    }

    file->next = t->secrets;
    t->secrets = file;

    return file;
}


size_t
ngx_http_sync_secret_len(const u_char *p, size_t len)
{
    if (len && p[len - 1] == LF) {
        len--;

        if (len && p[len - 1] == CR) {
            len--;
        }
    }

    return len;
}


/* No stamp tells of rights that were given, or of files that were too many. */

ngx_uint_t
ngx_http_sync_secret_readable(ngx_http_sync_tenant_t *t,
    ngx_http_sync_secret_file_t *s)
{
    const char                   *why;
    ngx_http_sync_secret_file_t   again;

    again = *s;

    if (ngx_http_sync_secret_text(t, &again, &why) != NGX_OK) {
        return 0;
    }

    sync_wipe(again.value.data, again.value.len);
    free(again.value.data);

    return 1;
}


static ngx_int_t
ngx_http_sync_secret_text(ngx_http_sync_tenant_t *t,
    ngx_http_sync_secret_file_t *s, const char **why)
{
    char         *folder, *path;
    ngx_int_t     rc;
    ngx_str_t     dir;
    sync_str_t    id;
    struct stat   st;

    if (t->reg->secrets.len == 0) {
        *why = "nginx.conf has no \"sync_secrets\"";
        return NGX_DECLINED;
    }

    if (!sync_doc_path_ok((sync_str_t) { s->name.len, s->name.data })) {
        *why = "a name is relative and has no \"..\"";
        return NGX_DECLINED;
    }

    id = sync_doc_id(t->doc);
    dir.len = id.len;
    dir.data = id.data;

    *why = "no memory";

    folder = ngx_http_sync_path(&t->reg->secrets, &dir);
    if (folder == NULL) {
        return NGX_DECLINED;
    }

    dir.len = ngx_strlen(folder);
    dir.data = (u_char *) folder;

    rc = NGX_DECLINED;

    path = ngx_http_sync_path(&dir, &s->name);
    if (path == NULL) {
        goto done;
    }

    (void) ngx_http_sync_stamp(path, &s->stamp);

    /* a link for a folder would show one tenant what another one has */

    if (lstat(folder, &st) == -1) {
        *why = strerror(errno);
        goto done;
    }

    if (!S_ISDIR(st.st_mode)) {
        *why = "the tenant's folder is not a folder";
        goto done;
    }

    rc = ngx_http_sync_read(path, folder, NGX_HTTP_SYNC_SECRET_FILE,
                            &s->value, &s->stamp, why);
    if (rc != NGX_OK) {
        s->value.data = NULL;
        goto done;
    }

    s->value.len = ngx_http_sync_secret_len(s->value.data, s->value.len);

    if (s->value.len == 0) {
        free(s->value.data);
        s->value.data = NULL;
        *why = "it is empty";
        rc = NGX_DECLINED;
    }

done:

    free(path);
    free(folder);

    return rc;
}


ngx_int_t
ngx_http_sync_registry_state(ngx_http_request_t *r,
    ngx_http_sync_registry_state_t *state)
{
    ngx_uint_t                 i;
    ngx_http_sync_node_t      *n;
    ngx_http_sync_slot_t      *slot;
    ngx_http_sync_registry_t  *reg;

    reg = ngx_http_get_module_main_conf(r, ngx_http_sync_registry_module);

    if (reg->tenants.len == 0) {
        return NGX_DECLINED;
    }

    ngx_memzero(state, sizeof(ngx_http_sync_registry_state_t));

    state->loads = reg->loads;
    state->scans = reg->scans;
    state->stale = reg->stale;

    for (i = 0; i < reg->slots.size; i++) {
        for (n = reg->slots.buckets[i]; n != NULL; n = n->next) {
            slot = n->value;

            state->tenants += slot->tenant != NULL;
            state->broken += slot->error != NULL;
            state->down += slot->tenant == NULL;
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_sync_registry_broken(ngx_http_request_t *r, ngx_uint_t *i,
    ngx_str_t *file, ngx_str_t *error)
{
    ngx_uint_t                 b, place;
    ngx_http_sync_node_t      *n;
    ngx_http_sync_slot_t      *slot;
    ngx_http_sync_registry_t  *reg;

    reg = ngx_http_get_module_main_conf(r, ngx_http_sync_registry_module);

    if (reg->tenants.len == 0) {
        return NGX_DECLINED;
    }

    /* a bucket, and a place in its chain: nobody begins from the first */

    for (b = *i >> NGX_HTTP_SYNC_REGISTRY_CHAIN; b < reg->slots.size; b++) {

        place = 0;

        for (n = reg->slots.buckets[b]; n != NULL; n = n->next) {
            slot = n->value;

            if (((b << NGX_HTTP_SYNC_REGISTRY_CHAIN) | place++) < *i
                || slot->error == NULL)
            {
                continue;
            }

            file->len = slot->node.key.len + 5;
            file->data = slot->node.key.data;
            error->len = ngx_strlen(slot->error);
            error->data = (u_char *) slot->error;

            *i = (b << NGX_HTTP_SYNC_REGISTRY_CHAIN) | place;

            return NGX_OK;
        }
    }

    return NGX_DECLINED;
}


static void *
ngx_http_sync_registry_create_main_conf(ngx_conf_t *cf)
{
    ngx_pool_cleanup_t        *cln;
    ngx_http_sync_registry_t  *reg;

    reg = ngx_pcalloc(cf->pool, sizeof(ngx_http_sync_registry_t));
    if (reg == NULL) {
        return NULL;
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        return NULL;
    }

    cln->handler = ngx_http_sync_registry_cleanup;
    cln->data = reg;

    reg->cycle = cf->cycle;
    reg->interval = NGX_HTTP_SYNC_REGISTRY_INTERVAL;
    reg->zone_size = NGX_HTTP_SYNC_REGISTRY_ZONE;
    reg->loading = 1;
    reg->scan.watch = -1;
    ngx_queue_init(&reg->awake);

    return reg;
}


/* Upstreams are known by now, wherever they stand in nginx.conf. */

static ngx_int_t
ngx_http_sync_registry_postconfiguration(ngx_conf_t *cf)
{
    ngx_http_sync_registry_t  *reg;

    reg = ngx_http_conf_get_module_main_conf(cf,
                                             ngx_http_sync_registry_module);

    if (reg->tenants.len == 0) {
        if (reg->library.len || reg->secrets.len) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "\"%s\" does nothing without \"sync_tenants\"",
                          reg->library.len ? "sync_library" : "sync_secrets");
            return NGX_ERROR;
        }

        return NGX_OK;
    }

    reg->fetch = ngx_http_sync_egress_conf(cf);
    reg->upstreams = ngx_http_conf_get_module_main_conf(cf,
                                                     ngx_http_upstream_module);

    if (ngx_http_sync_table_init(&reg->slots, cf->log) != NGX_OK
        || ngx_http_sync_table_init(&reg->ids, cf->log) != NGX_OK
        || ngx_http_sync_table_init(&reg->hosts, cf->log) != NGX_OK
        || ngx_http_sync_table_init(&reg->issuers, cf->log) != NGX_OK
        || ngx_http_sync_table_init(&reg->files, cf->log) != NGX_OK
        || ngx_http_sync_owners_add(cf, reg) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_sync_scan_load(cf, reg);
}


static ngx_int_t
ngx_http_sync_registry_init_module(ngx_cycle_t *cycle)
{
    ngx_http_sync_registry_t  *reg;

    reg = ngx_http_cycle_get_module_main_conf(cycle,
                                              ngx_http_sync_registry_module);

    ngx_http_sync_registry_live = (reg != NULL && reg->tenants.len) ? reg
                                                                    : NULL;

    return NGX_OK;
}


static ngx_int_t
ngx_http_sync_registry_init_process(ngx_cycle_t *cycle)
{
    ngx_http_sync_registry_t  *reg;

    if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    reg = ngx_http_cycle_get_module_main_conf(cycle,
                                              ngx_http_sync_registry_module);

    if (reg != NULL && reg->tenants.len) {
        ngx_http_sync_scan_start(reg, cycle);
    }

    return NGX_OK;
}


static void
ngx_http_sync_registry_cleanup(void *data)
{
    ngx_http_sync_registry_t *reg = data;

    ngx_uint_t              i;
    ngx_http_sync_file_t   *f;
    ngx_http_sync_node_t   *n;
    ngx_http_sync_table_t  *t;

    if (ngx_http_sync_registry_live == reg) {
        ngx_http_sync_registry_live = NULL;
    }

    if (reg->slots.buckets == NULL || reg->files.buckets == NULL) {
        return;
    }

    ngx_http_sync_scan_stop(reg);

    /* only this copy goes: the names stay owned */
    reg->owners = NULL;

    t = &reg->slots;

    for (i = 0; i < t->size; i++) {
        while (t->buckets[i] != NULL) {
            ngx_http_sync_slot_free(reg, t->buckets[i]->value);
        }
    }

    /* files name each other: all names go before the first file */

    t = &reg->files;

    for (i = 0; i < t->size; i++) {
        for (n = t->buckets[i]; n != NULL; n = n->next) {
            f = n->value;
            ngx_http_sync_deps_clear(&f->bases);
            ngx_http_sync_deps_clear(&f->schemas);
        }
    }

    for (i = 0; i < t->size; i++) {
        while (t->buckets[i] != NULL) {
            ngx_http_sync_file_free(reg, t->buckets[i]->value);
        }
    }

    ngx_http_sync_table_done(&reg->slots);
    ngx_http_sync_table_done(&reg->ids);
    ngx_http_sync_table_done(&reg->hosts);
    ngx_http_sync_table_done(&reg->issuers);
    ngx_http_sync_table_done(&reg->files);
    free(reg->seen);
}


/* sync_tenants DIR [strict] [interval=TIME] [zone=SIZE] */

static char *
ngx_http_sync_registry_tenants(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_sync_registry_t *reg = conf;

    ssize_t      size;
    ngx_int_t    time;
    ngx_str_t   *value, s;
    ngx_uint_t   i;

    if (reg->tenants.len) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_http_sync_registry_path(cf, &value[1], &reg->tenants) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_strcmp(value[i].data, "strict") == 0) {
            reg->strict = 1;
            continue;
        }

        if (ngx_strncmp(value[i].data, "interval=", 9) == 0) {
            s.len = value[i].len - 9;
            s.data = value[i].data + 9;

            time = ngx_parse_time(&s, 0);

            if (time == NGX_ERROR || time < NGX_HTTP_SYNC_REGISTRY_LEAST) {
                ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                                   "\"sync_tenants\": \"%V\" is not a time "
                                   "of 10ms or more, as \"interval=2s\" is",
                                   &value[i]);
                return NGX_CONF_ERROR;
            }

            reg->interval = time;
            continue;
        }

        if (ngx_strncmp(value[i].data, "zone=", 5) == 0) {
            s.len = value[i].len - 5;
            s.data = value[i].data + 5;

            size = ngx_parse_size(&s);

            if (size == NGX_ERROR || size < (ssize_t) (8 * ngx_pagesize)) {
                ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                                   "\"sync_tenants\": \"%V\" is not a size "
                                   "of %uzk or more, as \"zone=4m\" is",
                                   &value[i], 8 * ngx_pagesize / 1024);
                return NGX_CONF_ERROR;
            }

            reg->zone_size = size;
            continue;
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"sync_tenants\": unknown parameter \"%V\", "
                           "\"strict\", \"interval=TIME\" and \"zone=SIZE\" "
                           "are known", &value[i]);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* sync_library DIR; sync_secrets DIR */

static char *
ngx_http_sync_registry_folder(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char  *p = conf;

    ngx_str_t        *path, *value;
    ngx_file_info_t   fi;

    path = (ngx_str_t *) (p + cmd->offset);

    if (path->len) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_http_sync_registry_path(cf, &value[1], path) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (ngx_file_info(path->data, &fi) == NGX_FILE_ERROR || !ngx_is_dir(&fi)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\": there is no folder \"%V\"", &cmd->name,
                           path);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_sync_registry_path(ngx_conf_t *cf, ngx_str_t *value, ngx_str_t *path)
{
    ngx_str_t  name;

    name = *value;

    while (name.len > 1 && name.data[name.len - 1] == '/') {
        name.len--;
        name.data[name.len] = '\0';
    }

    if (ngx_conf_full_name(cf->cycle, &name, 1) != NGX_OK) {
        return NGX_ERROR;
    }

    *path = name;

    return NGX_OK;
}
