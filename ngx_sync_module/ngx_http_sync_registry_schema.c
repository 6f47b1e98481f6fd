
/*
 * Schemas of the library: those that sources name, and the canonical ones by
 * entity and version, schemas/ENTITY/VERSION.json.  Each file is compiled
 * once, whoever names it; what it refers to lies below schemas/ too.
 */


#include "ngx_http_sync_registry_parts.h"


typedef struct {
    ngx_http_sync_registry_t   *reg;
    ngx_http_sync_file_t       *file;
    ngx_log_t                  *log;
} ngx_http_sync_schema_loader_t;


static ngx_int_t ngx_http_sync_schemas_source(ngx_http_sync_registry_t *reg,
    ngx_http_sync_tenant_t *t, sync_str_t path, ngx_http_sync_deps_t *deps,
    ngx_log_t *log, char **error);
static ngx_int_t ngx_http_sync_schemas_canonical(
    ngx_http_sync_registry_t *reg, ngx_http_sync_tenant_t *t,
    sync_entity_e entity, ngx_http_sync_deps_t *deps, ngx_log_t *log,
    char **error);
static unsigned ngx_http_sync_schemas_spoken(const sync_doc_t *doc);
static ngx_int_t ngx_http_sync_schemas_file(ngx_http_sync_registry_t *reg,
    ngx_http_sync_file_t *f, ngx_http_sync_deps_t *deps, ngx_log_t *log,
    char **error);
static ngx_int_t ngx_http_sync_file_schema(ngx_http_sync_registry_t *reg,
    ngx_http_sync_file_t *f, ngx_log_t *log);
static sync_rc_t ngx_http_sync_schema_compile(
    ngx_http_sync_schema_loader_t *l, ngx_str_t *text,
    ngx_http_sync_schema_t *s, sync_error_t *err);
static sync_rc_t ngx_http_sync_schema_resolve(void *data, sync_str_t uri,
    sync_arena_t *arena, sync_str_t *text, sync_error_t *err);


#define NGX_HTTP_SYNC_SCHEMA_BLOCK  16384
#define NGX_HTTP_SYNC_SCHEMA_PATH   64


ngx_int_t
ngx_http_sync_tenant_schemas(ngx_http_sync_registry_t *reg,
    ngx_http_sync_tenant_t *t, ngx_http_sync_deps_t *deps, ngx_log_t *log,
    char **error)
{
    uint32_t            i;
    unsigned            spoken;
    sync_entity_e       e;
    sync_doc_source_t   source;

    for (i = 0; i < sync_doc_sources(t->doc); i++) {

        if (sync_doc_source_at(t->doc, i, &source) != SYNC_OK) {
            continue;
        }

        for (e = 0; e < SYNC_ENTITIES; e++) {
            if (ngx_http_sync_schemas_source(reg, t, source.schemas[e], deps,
                                             log, error)
                != NGX_OK)
            {
                return NGX_DECLINED;
            }
        }
    }

    if (reg->library.len == 0) {
        return NGX_OK;
    }

    spoken = ngx_http_sync_schemas_spoken(t->doc);

    for (e = 0; e < SYNC_ENTITIES; e++) {
        if ((spoken & 1u << e)
            && ngx_http_sync_schemas_canonical(reg, t, e, deps, log, error)
               != NGX_OK)
        {
            return NGX_DECLINED;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_sync_schemas_source(ngx_http_sync_registry_t *reg,
    ngx_http_sync_tenant_t *t, sync_str_t path, ngx_http_sync_deps_t *deps,
    ngx_log_t *log, char **error)
{
    ngx_uint_t                     i;
    ngx_http_sync_file_t          *f;
    ngx_http_sync_named_schema_t  *list;

    if (path.len == 0) {
        return NGX_OK;
    }

    for (i = 0; i < t->nschemas; i++) {
        if (sync_str_eq(t->schemas[i].path, path)) {
            return NGX_OK;
        }
    }

    f = ngx_http_sync_file(reg, path, log);

    if (f == NULL
        || ngx_http_sync_schemas_file(reg, f, deps, log, error) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    list = realloc(t->schemas, (t->nschemas + 1) * sizeof(*list));
    if (list == NULL) {
        return NGX_DECLINED;
    }

    t->schemas = list;
    list[t->nschemas].path = path;
    list[t->nschemas].schema = f->schema;
    t->nschemas++;

    f->schema->refs++;

    return NGX_OK;
}


/*
 * The version that the document names, else the first, if the library has it:
 * the tenant is looked at again when it appears.
 */

static ngx_int_t
ngx_http_sync_schemas_canonical(ngx_http_sync_registry_t *reg,
    ngx_http_sync_tenant_t *t, sync_entity_e entity,
    ngx_http_sync_deps_t *deps, ngx_log_t *log, char **error)
{
    u_char                 text[NGX_HTTP_SYNC_SCHEMA_PATH];
    uint32_t               version;
    sync_str_t             path, name;
    ngx_http_sync_file_t  *f;

    version = sync_doc_schema_version(t->doc, entity);
    name = sync_entity_name(entity);

    path.data = text;
    path.len = ngx_snprintf(text, sizeof(text), "schemas/%*s/%uD.json",
                            name.len, name.data, version ? version : 1)
               - text;

    f = ngx_http_sync_file(reg, path, log);

    if (f == NULL || ngx_http_sync_deps_add(deps, f) != NGX_OK) {
        return NGX_DECLINED;
    }

    if (version == 0 && !f->there) {
        return NGX_OK;
    }

    if (ngx_http_sync_schemas_file(reg, f, deps, log, error) != NGX_OK) {
        return NGX_DECLINED;
    }

    t->canonical[entity] = f->schema;
    f->schema->refs++;

    return NGX_OK;
}


/* Entities that some client or connector has to do with, a bit each. */

static unsigned
ngx_http_sync_schemas_spoken(const sync_doc_t *doc)
{
    uint32_t           i;
    unsigned           spoken, operations;
    sync_str_t         map;
    sync_entity_e      e;
    sync_doc_client_t  client;

    spoken = 0;

    for (e = 0; e < SYNC_ENTITIES; e++) {

        if (sync_doc_schema_version(doc, e)) {
            spoken |= 1u << e;
        }

        for (i = 0; i < sync_doc_connectors(doc); i++) {
            if (sync_doc_connector_entity(doc, i, e, &map, &operations)
                == SYNC_OK)
            {
                spoken |= 1u << e;
            }
        }
    }

    for (i = 0; i < sync_doc_clients(doc); i++) {

        if (sync_doc_client_at(doc, i, &client) != SYNC_OK) {
            continue;
        }

        for (e = 0; e < SYNC_ENTITIES; e++) {
            if (client.operations[e]) {
                spoken |= 1u << e;
            }
        }
    }

    return spoken;
}


static ngx_int_t
ngx_http_sync_schemas_file(ngx_http_sync_registry_t *reg,
    ngx_http_sync_file_t *f, ngx_http_sync_deps_t *deps, ngx_log_t *log,
    char **error)
{
    ngx_int_t   rc;
    ngx_uint_t  i;

    rc = ngx_http_sync_file_schema(reg, f, log);

    for (i = 0; i < f->schemas.nelts; i++) {
        if (ngx_http_sync_deps_add(deps, f->schemas.elts[i].file) != NGX_OK) {
            return NGX_DECLINED;
        }
    }

    if (rc == NGX_DECLINED) {
        *error = ngx_http_sync_text("%s", f->schema_error);
    }

    return rc == NGX_OK ? NGX_OK : NGX_DECLINED;
}


/* NGX_OK; NGX_DECLINED, and the error is in f; NGX_ERROR: no memory. */

static ngx_int_t
ngx_http_sync_file_schema(ngx_http_sync_registry_t *reg,
    ngx_http_sync_file_t *f, ngx_log_t *log)
{
    sync_rc_t                       rc;
    ngx_str_t                       text;
    sync_error_t                    err;
    ngx_http_sync_schema_t         *s;
    ngx_http_sync_schema_loader_t   l;

    if (f->schema_version == f->version
        && !ngx_http_sync_deps_changed(&f->schemas))
    {
        return f->schema != NULL ? NGX_OK : NGX_DECLINED;
    }

    ngx_http_sync_schema_drop(f->schema);
    f->schema = NULL;

    free(f->schema_error);
    f->schema_error = NULL;

    ngx_http_sync_deps_clear(&f->schemas);

    f->schema_version = f->version;

    if (ngx_http_sync_file_text(reg, f, &text, NULL, &f->schema_error)
        != NGX_OK)
    {
        return f->schema_error != NULL ? NGX_DECLINED : NGX_ERROR;
    }

    s = ngx_calloc(sizeof(ngx_http_sync_schema_t), log);

    rc = SYNC_FAULT;

    if (s != NULL) {
        s->refs = 1;
        s->arena = sync_arena_create(NGX_HTTP_SYNC_SCHEMA_BLOCK);

        if (s->arena != NULL) {
            l.reg = reg;
            l.file = f;
            l.log = log;

            ngx_memzero(&err, sizeof(err));

            rc = ngx_http_sync_schema_compile(&l, &text, s, &err);
        }
    }

    free(text.data);

    if (rc == SYNC_OK) {
        f->schema = s;
        return NGX_OK;
    }

    if (rc == SYNC_NO) {
        f->schema_error = ngx_http_sync_text(
                              "schema \"%.*s\", at \"%.*s\": %s (%s)",
                              (int) f->node.key.len, f->node.key.data,
                              (int) err.pointer.len,
                              err.pointer.data ? err.pointer.data
                                               : (u_char *) "",
                              err.text, err.what);
    }

    ngx_http_sync_schema_drop(s);

    if (f->schema_error == NULL) {
        f->schema_version = 0;
        return NGX_ERROR;
    }

    return NGX_DECLINED;
}


static sync_rc_t
ngx_http_sync_schema_compile(ngx_http_sync_schema_loader_t *l,
    ngx_str_t *text, ngx_http_sync_schema_t *s, sync_error_t *err)
{
    sync_rc_t              rc;
    sync_schema_options_t  options;

    ngx_memzero(&options, sizeof(sync_schema_options_t));

    /* who asks for a date wants one */

    options.formats = 1;
    options.base.len = l->file->node.key.len;
    options.base.data = l->file->node.key.data;
    options.resolve = ngx_http_sync_schema_resolve;
    options.data = l;

    rc = sync_schema_compile(&s->schema, s->arena,
                             (sync_str_t) { text->len, text->data },
                             &options, err);
    if (rc != SYNC_OK) {
        return rc;
    }

    rc = sync_schema_marks(s->schema, sync_str_lit("x-owner"), s->arena,
                           &s->owners, &s->nowners);

    return rc == SYNC_NO
           ? sync_refuse(err, "schema", SYNC_NOWHERE, "it has more than %d "
                         "\"x-owner\"s", SYNC_SCHEMA_MARKS)
           : rc;
}


/* By the path of the URI, which is one of the library. */

static sync_rc_t
ngx_http_sync_schema_resolve(void *data, sync_str_t uri, sync_arena_t *arena,
    sync_str_t *text, sync_error_t *err)
{
    ngx_http_sync_schema_loader_t  *l = data;

    char                  *error;
    sync_rc_t              rc;
    ngx_str_t              t;
    sync_str_t             path;
    ngx_http_sync_file_t  *f;

    rc = sync_schema_file(uri, arena, &path);

    if (rc == SYNC_FAULT) {
        return rc;
    }

    if (rc == SYNC_NO || !sync_str_starts(path, "schemas/")
        || !sync_doc_path_ok(path))
    {
        return sync_refuse(err, "reference", SYNC_NOWHERE,
                           "its path is not below \"schemas/\" of the "
                           "library");
    }

    f = ngx_http_sync_file(l->reg, path, l->log);

    if (f == NULL || ngx_http_sync_deps_add(&l->file->schemas, f) != NGX_OK) {
        return SYNC_FAULT;
    }

    if (ngx_http_sync_file_text(l->reg, f, &t, NULL, &error) != NGX_OK) {

        if (error == NULL) {
            return SYNC_FAULT;
        }

        (void) sync_refuse(err, "reference", SYNC_NOWHERE, "%s", error);
        free(error);

        return SYNC_NO;
    }

    *text = sync_strdup(arena, (sync_str_t) { t.len, t.data });
    free(t.data);

    return text->data != NULL ? SYNC_OK : SYNC_FAULT;
}


ngx_int_t
ngx_http_sync_schemas_inherit(ngx_http_sync_tenant_t *t,
    ngx_http_sync_tenant_t *from, ngx_log_t *log)
{
    u_char         *p;
    ngx_uint_t      i;
    sync_entity_e   e;

    for (e = 0; e < SYNC_ENTITIES; e++) {
        t->canonical[e] = from->canonical[e];

        if (t->canonical[e] != NULL) {
            t->canonical[e]->refs++;
        }
    }

    if (from->nschemas == 0) {
        return NGX_OK;
    }

    t->schemas = ngx_alloc(from->nschemas
                           * sizeof(ngx_http_sync_named_schema_t), log);
    if (t->schemas == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < from->nschemas; i++) {
        p = from->schemas[i].path.data;

        t->schemas[i].path.len = from->schemas[i].path.len;
        t->schemas[i].path.data = (u_char *) t->doc
                                  + (p - (u_char *) from->doc);
        t->schemas[i].schema = from->schemas[i].schema;
        t->schemas[i].schema->refs++;
        t->nschemas++;
    }

    return NGX_OK;
}


void
ngx_http_sync_schemas_drop(ngx_http_sync_tenant_t *t)
{
    ngx_uint_t     i;
    sync_entity_e  e;

    for (i = 0; i < t->nschemas; i++) {
        ngx_http_sync_schema_drop(t->schemas[i].schema);
    }

    free(t->schemas);

    for (e = 0; e < SYNC_ENTITIES; e++) {
        ngx_http_sync_schema_drop(t->canonical[e]);
    }
}


void
ngx_http_sync_schema_drop(ngx_http_sync_schema_t *s)
{
    if (s == NULL || --s->refs) {
        return;
    }

    sync_arena_destroy(s->arena);
    free(s);
}


const sync_schema_t *
ngx_http_sync_tenant_schema(ngx_http_sync_tenant_t *t, sync_str_t path)
{
    ngx_uint_t  i;

    for (i = 0; i < t->nschemas; i++) {
        if (sync_str_eq(t->schemas[i].path, path)) {
            return t->schemas[i].schema->schema;
        }
    }

    return NULL;
}


const sync_schema_t *
ngx_http_sync_tenant_canonical(ngx_http_sync_tenant_t *t,
    sync_entity_e entity)
{
    return entity < SYNC_ENTITIES && t->canonical[entity] != NULL
           ? t->canonical[entity]->schema : NULL;
}


uint32_t
ngx_http_sync_tenant_owners(ngx_http_sync_tenant_t *t, sync_entity_e entity,
    const sync_schema_mark_t **owners)
{
    if (entity >= SYNC_ENTITIES || t->canonical[entity] == NULL) {
        return 0;
    }

    *owners = t->canonical[entity]->owners;

    return t->canonical[entity]->nowners;
}
