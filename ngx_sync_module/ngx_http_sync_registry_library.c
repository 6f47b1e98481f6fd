
/*
 * Files of the library: templates, maps and key sets, each once, whoever
 * names them.
 */


#include "ngx_http_sync_registry_parts.h"


typedef struct {
    sync_map_loader_t           loader;
    ngx_http_sync_registry_t   *reg;
    ngx_http_sync_file_t       *file;
    ngx_log_t                  *log;
} ngx_http_sync_map_loader_t;


static sync_rc_t ngx_http_sync_map_base(sync_map_loader_t *loader,
    sync_str_t name, sync_arena_t *arena, sync_str_t *text, sync_error_t *err);


#define NGX_HTTP_SYNC_SCRATCH  4096


ngx_http_sync_file_t *
ngx_http_sync_file(ngx_http_sync_registry_t *reg, sync_str_t path,
    ngx_log_t *log)
{
    ngx_str_t              key;
    ngx_http_sync_file_t  *f;
    ngx_http_sync_node_t  *n;

    key.len = path.len;
    key.data = path.data;

    n = ngx_http_sync_table_find(&reg->files, &key);

    if (n != NULL) {
        return n->value;
    }

    f = ngx_calloc(sizeof(ngx_http_sync_file_t) + path.len + 1, log);
    if (f == NULL) {
        return NULL;
    }

    f->node.key.len = path.len;
    f->node.key.data = (u_char *) f + sizeof(ngx_http_sync_file_t);
    ngx_memcpy(f->node.key.data, path.data, path.len);
    f->node.value = f;
    f->version = 1;

    ngx_http_sync_table_insert(&reg->files, &f->node, log);
    ngx_http_sync_file_look(reg, f, log);

    return f;
}


void
ngx_http_sync_file_look(ngx_http_sync_registry_t *reg,
    ngx_http_sync_file_t *f, ngx_log_t *log)
{
    char                   *path, *error;
    u_char                  digest[SYNC_SHA256_LEN];
    ngx_str_t               text;
    ngx_uint_t              there;
    ngx_http_sync_stamp_t   stamp;

    path = ngx_http_sync_path(&reg->library, &f->node.key);
    if (path == NULL) {
        return;
    }

    (void) ngx_http_sync_stamp(path, &stamp);
    free(path);

    if (f->there && ngx_memcmp(&stamp, &f->stamp, sizeof(stamp)) == 0) {
        return;
    }

    if (!f->there && stamp.inode == 0) {
        return;
    }

    ngx_memzero(digest, sizeof(digest));
    there = 0;

    if (ngx_http_sync_file_text(reg, f, &text, &f->stamp, &error) == NGX_OK) {
        sync_sha256(text.data, text.len, digest);
        sync_wipe(text.data, text.len);
        free(text.data);
        there = 1;

    } else {
        free(error);
    }

    if (there == f->there
        && ngx_memcmp(digest, f->digest, sizeof(digest)) == 0)
    {
        return;
    }

    ngx_log_error(NGX_LOG_DEBUG, log, 0, "registry: library file \"%V\" %s",
                  &f->node.key, there ? "has changed" : "cannot be read");

    ngx_memcpy(f->digest, digest, sizeof(digest));
    f->there = there;
    f->version++;
}


ngx_int_t
ngx_http_sync_file_map(ngx_http_sync_registry_t *reg, ngx_http_sync_file_t *f,
    ngx_log_t *log)
{
    sync_rc_t                    rc;
    ngx_str_t                    text;
    sync_map_t                  *map;
    sync_error_t                 err;
    sync_arena_t                *arena;
    ngx_http_sync_mapping_t     *m;
    ngx_http_sync_map_loader_t   l;

    if (f->map_version == f->version
        && !ngx_http_sync_deps_changed(&f->bases))
    {
        return f->map != NULL ? NGX_OK : NGX_DECLINED;
    }

    ngx_http_sync_mapping_drop(f->map);
    f->map = NULL;

    free(f->map_error);
    f->map_error = NULL;

    ngx_http_sync_deps_clear(&f->bases);

    f->map_version = f->version;

    if (ngx_http_sync_file_text(reg, f, &text, NULL, &f->map_error) != NGX_OK) {
        return f->map_error != NULL ? NGX_DECLINED : NGX_ERROR;
    }

    arena = sync_arena_create(NGX_HTTP_SYNC_SCRATCH);
    m = ngx_calloc(sizeof(ngx_http_sync_mapping_t), log);

    rc = SYNC_FAULT;

    if (arena != NULL && m != NULL) {
        l.loader.load = ngx_http_sync_map_base;
        l.loader.data = NULL;
        l.reg = reg;
        l.file = f;
        l.log = log;

        ngx_memzero(&err, sizeof(err));

        rc = sync_map_compile(&map, arena,
                              (sync_str_t) { text.len, text.data },
                              &l.loader, &err);
    }

    free(text.data);

    if (rc == SYNC_OK) {
        m->refs = 1;
        m->arena = arena;
        m->map = map;
        f->map = m;
        return NGX_OK;
    }

    if (rc == SYNC_NO) {
        f->map_error = ngx_http_sync_text("map \"%.*s\", at \"%.*s\": %s (%s)",
                                          (int) f->node.key.len,
                                          f->node.key.data,
                                          (int) err.pointer.len,
                                          err.pointer.data ? err.pointer.data
                                                           : (u_char *) "",
                                          err.text, err.what);
    }

    sync_arena_destroy(arena);
    free(m);

    if (f->map_error == NULL) {
        f->map_version = 0;
        return NGX_ERROR;
    }

    return NGX_DECLINED;
}


/* The text of a file that the map at hand extends or looks up in. */

static sync_rc_t
ngx_http_sync_map_base(sync_map_loader_t *loader, sync_str_t name,
    sync_arena_t *arena, sync_str_t *text, sync_error_t *err)
{
    ngx_http_sync_map_loader_t  *l = (ngx_http_sync_map_loader_t *) loader;

    char                  *error;
    ngx_str_t              t;
    ngx_http_sync_file_t  *f;

    if (!sync_doc_path_ok(name)) {
        return sync_refuse(err, "extends", SYNC_NOWHERE,
                           "a file is named by its path below the library, "
                           "without \"..\"");
    }

    f = ngx_http_sync_file(l->reg, name, l->log);

    if (f == NULL || ngx_http_sync_deps_add(&l->file->bases, f) != NGX_OK) {
        return SYNC_FAULT;
    }

    if (ngx_http_sync_file_text(l->reg, f, &t, NULL, &error) != NGX_OK) {
        if (error == NULL) {
            return SYNC_FAULT;
        }

        (void) sync_refuse(err, "extends", SYNC_NOWHERE, "%s", error);
        free(error);

        return SYNC_NO;
    }

    *text = sync_strdup(arena, (sync_str_t) { t.len, t.data });
    free(t.data);

    return text->data != NULL ? SYNC_OK : SYNC_FAULT;
}


ngx_int_t
ngx_http_sync_file_keys(ngx_http_sync_registry_t *reg, ngx_http_sync_file_t *f,
    ngx_log_t *log)
{
    sync_rc_t              rc;
    ngx_str_t              text;
    sync_jwks_t           *set;
    sync_error_t           err;
    sync_arena_t          *arena;
    ngx_http_sync_keys_t  *k;

    if (f->keys_version == f->version) {
        return f->keys != NULL ? NGX_OK : NGX_DECLINED;
    }

    ngx_http_sync_keys_drop(f->keys);
    f->keys = NULL;

    free(f->keys_error);
    f->keys_error = NULL;

    f->keys_version = f->version;

    if (ngx_http_sync_file_text(reg, f, &text, NULL, &f->keys_error) != NGX_OK) {
        return f->keys_error != NULL ? NGX_DECLINED : NGX_ERROR;
    }

    arena = sync_arena_create(NGX_HTTP_SYNC_SCRATCH);
    k = ngx_calloc(sizeof(ngx_http_sync_keys_t), log);

    rc = SYNC_FAULT;

    if (arena != NULL && k != NULL) {
        ngx_memzero(&err, sizeof(err));

        rc = sync_jwks_parse(&set, arena,
                             (sync_str_t) { text.len, text.data },
                             SYNC_JWKS_OCT, &err);
    }

    sync_wipe(text.data, text.len);
    free(text.data);

    if (rc == SYNC_OK) {
        k->refs = 1;
        k->set = set;
        f->keys = k;

    } else {
        free(k);

        if (rc == SYNC_NO) {
            f->keys_error = ngx_http_sync_text("key set \"%.*s\": %s (%s)",
                                               (int) f->node.key.len,
                                               f->node.key.data,
                                               err.text, err.what);
        }
    }

    sync_arena_destroy(arena);

    if (f->keys == NULL && f->keys_error == NULL) {
        f->keys_version = 0;
        return NGX_ERROR;
    }

    return f->keys != NULL ? NGX_OK : NGX_DECLINED;
}


ngx_int_t
ngx_http_sync_file_keys_judge(ngx_http_sync_registry_t *reg,
    ngx_http_sync_file_t *f, ngx_log_t *log)
{
    ngx_int_t  rc;

    if (f->version != 0 && f->keys_good == f->version) {
        return NGX_OK;
    }

    rc = ngx_http_sync_file_keys(reg, f, log);

    if (rc != NGX_OK) {
        return rc;
    }

    f->keys_good = f->version;

    if (f->keys->refs == 1) {
        ngx_http_sync_keys_drop(f->keys);
        f->keys = NULL;
        f->keys_version = 0;
    }

    return NGX_OK;
}


const sync_value_t *
ngx_http_sync_file_template(ngx_http_sync_file_t *f)
{
    return f->template_version == f->version ? f->template : NULL;
}


void
ngx_http_sync_file_keep(ngx_http_sync_file_t *f, const sync_value_t *template)
{
    sync_value_free(f->template);

    f->template = sync_value_share(template);
    f->template_version = f->version;
}


ngx_int_t
ngx_http_sync_file_text(ngx_http_sync_registry_t *reg,
    ngx_http_sync_file_t *f, ngx_str_t *text, ngx_http_sync_stamp_t *stamp,
    char **error)
{
    char                   *path;
    ngx_int_t               rc;
    const char             *why;
    ngx_http_sync_stamp_t   ignored;

    *error = NULL;

    if (reg->library.len == 0) {
        *error = ngx_http_sync_text("\"%.*s\" is below \"sync_library\", "
                                    "which nginx.conf does not have",
                                    (int) f->node.key.len, f->node.key.data);
        return NGX_DECLINED;
    }

    path = ngx_http_sync_path(&reg->library, &f->node.key);
    if (path == NULL) {
        return NGX_DECLINED;
    }

    rc = ngx_http_sync_read(path, (char *) reg->library.data,
                            NGX_HTTP_SYNC_LIBRARY_MAX, text,
                            stamp != NULL ? stamp : &ignored, &why);

    if (rc != NGX_OK) {
        *error = ngx_http_sync_text("\"%s\" cannot be read: %s", path, why);

        if (stamp == NULL) {

            /* as if it had gone: who wanted it is told when it can be read */

            ngx_memzero(f->digest, sizeof(f->digest));
            f->there = 0;
        }
    }

    free(path);

    return rc;
}


void
ngx_http_sync_file_free(ngx_http_sync_registry_t *reg, ngx_http_sync_file_t *f)
{
    ngx_http_sync_table_remove(&reg->files, &f->node);

    ngx_http_sync_deps_clear(&f->bases);
    free(f->bases.elts);

    ngx_http_sync_deps_clear(&f->schemas);
    free(f->schemas.elts);

    ngx_http_sync_mapping_drop(f->map);
    ngx_http_sync_schema_drop(f->schema);
    ngx_http_sync_keys_drop(f->keys);
    sync_value_free(f->template);

    free(f->map_error);
    free(f->schema_error);
    free(f->keys_error);
    free(f);
}


ngx_int_t
ngx_http_sync_deps_add(ngx_http_sync_deps_t *deps, ngx_http_sync_file_t *f)
{
    ngx_uint_t            i, n;
    ngx_http_sync_dep_t  *elts;

    for (i = 0; i < deps->nelts; i++) {
        if (deps->elts[i].file == f) {
            return NGX_OK;
        }
    }

    if (deps->nelts == deps->nalloc) {
        n = deps->nalloc ? deps->nalloc * 2 : 4;

        elts = realloc(deps->elts, n * sizeof(ngx_http_sync_dep_t));
        if (elts == NULL) {
            return NGX_ERROR;
        }

        deps->elts = elts;
        deps->nalloc = n;
    }

    deps->elts[deps->nelts].file = f;
    deps->elts[deps->nelts].version = f->version;
    deps->nelts++;

    f->refs++;

    return NGX_OK;
}


void
ngx_http_sync_deps_clear(ngx_http_sync_deps_t *deps)
{
    ngx_uint_t  i;

    for (i = 0; i < deps->nelts; i++) {
        deps->elts[i].file->refs--;
    }

    deps->nelts = 0;
}


ngx_uint_t
ngx_http_sync_deps_changed(ngx_http_sync_deps_t *deps)
{
    ngx_uint_t  i;

    for (i = 0; i < deps->nelts; i++) {
        if (deps->elts[i].version != deps->elts[i].file->version) {
            return 1;
        }
    }

    return 0;
}


void
ngx_http_sync_mapping_drop(ngx_http_sync_mapping_t *m)
{
    if (m == NULL || --m->refs) {
        return;
    }

    sync_arena_destroy(m->arena);
    free(m);
}


void
ngx_http_sync_keys_drop(ngx_http_sync_keys_t *k)
{
    if (k == NULL || --k->refs) {
        return;
    }

    sync_jwks_free(k->set);
    free(k);
}
