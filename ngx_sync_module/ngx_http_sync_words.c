
/*
 * The maps of a request, and runs of them within its bounds.
 */


#include "ngx_http_sync_core.h"
#include "ngx_http_sync_registry.h"
#include "ngx_http_sync_words.h"
#include "sync_path.h"


static ngx_int_t ngx_http_sync_find_map(ngx_http_sync_ctx_t *ctx,
    sync_str_t path, const sync_map_t **map);
static ngx_int_t ngx_http_sync_map_env(ngx_http_sync_ctx_t *ctx,
    uint32_t used, sync_str_t *env);
static ngx_int_t ngx_http_sync_map_env_now(ngx_http_sync_ctx_t *ctx,
    sync_str_t *now);


ngx_int_t
ngx_http_sync_source_map(ngx_http_sync_ctx_t *ctx, const sync_map_t **map)
{
    sync_doc_source_t  source;

    if (ctx->payload.entity == SYNC_ENTITIES) {
        return NGX_DECLINED;
    }

    if (ngx_http_sync_source(ctx, &source) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_sync_find_map(ctx, source.maps[ctx->payload.entity], map);
}


ngx_int_t
ngx_http_sync_connector_map(ngx_http_sync_ctx_t *ctx, const sync_map_t **map)
{
    unsigned    operations;
    sync_str_t  path;

    if (ctx->route.connector == SYNC_DOC_NONE
        || sync_doc_connector_entity(ctx->tenant.doc, ctx->route.connector,
                                     ctx->payload.entity, &path, &operations)
           != SYNC_OK)
    {
        return NGX_DECLINED;
    }

    return ngx_http_sync_find_map(ctx, path, map);
}


static ngx_int_t
ngx_http_sync_find_map(ngx_http_sync_ctx_t *ctx, sync_str_t path,
    const sync_map_t **map)
{
    if (path.len == 0) {
        return NGX_DECLINED;
    }

    *map = ngx_http_sync_tenant_map(ctx->tenant.entry, path);

    return *map != NULL ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_http_sync_source(ngx_http_sync_ctx_t *ctx, sync_doc_source_t *source)
{
    sync_doc_client_t  client;

    if (ctx->tenant.doc == NULL || ctx->principal.index == SYNC_DOC_NONE
        || sync_doc_client_at(ctx->tenant.doc, ctx->principal.index, &client)
           != SYNC_OK)
    {
        ngx_memzero(source, sizeof(sync_doc_source_t));
        source->name = sync_str_lit("canonical");

        return NGX_OK;
    }

    return sync_doc_source_at(ctx->tenant.doc, client.source, source)
           == SYNC_OK ? NGX_OK : NGX_ERROR;
}


sync_str_t
ngx_http_sync_source_name(ngx_http_sync_ctx_t *ctx)
{
    sync_doc_source_t  source;

    return ngx_http_sync_source(ctx, &source) == NGX_OK
           ? source.name : sync_str_lit("canonical");
}


ngx_int_t
ngx_http_sync_map_words(ngx_http_sync_ctx_t *ctx, const sync_map_t *map,
    sync_map_section_e section, const sync_json_t *json, ngx_uint_t update,
    sync_str_t *text, sync_faults_t *faults)
{
    uint32_t        used;
    sync_rc_t       rc;
    sync_str_t      env[SYNC_MAP_ENV_N];
    sync_map_run_t  run;

    ngx_memzero(&run, sizeof(sync_map_run_t));

    used = sync_map_env(map, section);

    if (used) {
        if (ngx_http_sync_map_env(ctx, used, env) != NGX_OK) {
            return NGX_ERROR;
        }

        run.env = env;
    }

    run.work = &ctx->payload.work;
    run.update = update;

    rc = sync_map_run(map, section, json, 0, &run, &ctx->arena, text, faults);

    if (rc == SYNC_NO) {
        return NGX_DECLINED;
    }

    if (rc != SYNC_OK) {
        return NGX_ERROR;
    }

    return ngx_http_sync_charge(ctx, text->len) == NGX_OK ? NGX_OK : NGX_BUSY;
}


ngx_int_t
ngx_http_sync_map_items(ngx_http_sync_ctx_t *ctx, const sync_map_t *map,
    const sync_json_t *json, sync_str_t items, sync_str_t *text,
    sync_faults_t *faults)
{
    uint32_t            i;
    sync_rc_t           rc;
    sync_str_t          env[SYNC_MAP_ENV_N], item;
    sync_path_t        *path;
    sync_error_t        err;
    sync_map_run_t      run;
    sync_json_out_t     out;
    sync_path_nodes_t   found;

    ngx_memzero(&run, sizeof(sync_map_run_t));

    run.work = &ctx->payload.work;
    run.env = env;
    run.bare = 1;

    if (map != NULL
        && ngx_http_sync_map_env(ctx, sync_map_env(map, SYNC_MAP_READ), env)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    rc = sync_path_compile(&path, &ctx->arena, items, &err);

    if (rc == SYNC_OK) {
        rc = sync_path_select(path, json, 0, &ctx->arena, run.work, &found,
                              &err);
    }

    if (rc == SYNC_NO) {
        sync_faults_add(faults, json, 0, sync_str_null, err.what,
                        "the items of the list cannot be found");
        return NGX_DECLINED;
    }

    if (rc != SYNC_OK) {
        return NGX_ERROR;
    }

    sync_json_begin(&out, &ctx->arena, json->text.len, 0);
    sync_json_open(&out, '{');
    sync_json_key(&out, sync_str_lit("records"));
    sync_json_open(&out, '[');

    for (i = 0; i < found.count; i++) {

        if (map == NULL) {
            sync_json_copy(&out, json, found.nodes[i]);
            continue;
        }

        rc = sync_map_run(map, SYNC_MAP_READ, json, found.nodes[i], &run,
                          &ctx->arena, &item, faults);
        if (rc != SYNC_OK) {
            return rc == SYNC_NO ? NGX_DECLINED : NGX_ERROR;
        }

        sync_json_value(&out, item);
    }

    sync_json_close(&out, ']');
    sync_json_close(&out, '}');

    rc = sync_json_end(&out, text);

    if (rc != SYNC_OK) {
        return rc == SYNC_NO ? NGX_BUSY : NGX_ERROR;
    }

    return ngx_http_sync_charge(ctx, text->len) == NGX_OK ? NGX_OK : NGX_BUSY;
}


/* Some cost more than others: those that the map does not use stay out. */

static ngx_int_t
ngx_http_sync_map_env(ngx_http_sync_ctx_t *ctx, uint32_t used, sync_str_t *env)
{
    ngx_memzero(env, SYNC_MAP_ENV_N * sizeof(sync_str_t));

#define ngx_http_sync_env(n, s)                                               \
    if ((s).len) {                                                            \
        env[n].data = (s).data;                                               \
        env[n].len = (s).len;                                                 \
    }

    ngx_http_sync_env(SYNC_MAP_ENV_TENANT, ctx->tenant.id);
    ngx_http_sync_env(SYNC_MAP_ENV_CLIENT, ctx->principal.client);
    ngx_http_sync_env(SYNC_MAP_ENV_OBJECT_ID, ctx->payload.id);
    ngx_http_sync_env(SYNC_MAP_ENV_CORRELATION_ID, ctx->correlation);

    if (ctx->route.connector != SYNC_DOC_NONE) {
        ngx_http_sync_env(SYNC_MAP_ENV_CONNECTOR, ctx->route.c.name);
    }

#undef ngx_http_sync_env

    env[SYNC_MAP_ENV_SOURCE] = ngx_http_sync_source_name(ctx);

    if (ctx->payload.entity != SYNC_ENTITIES) {
        env[SYNC_MAP_ENV_ENTITY] = sync_entity_name(ctx->payload.entity);
    }

    if (ctx->payload.operation != SYNC_OPS) {
        env[SYNC_MAP_ENV_OPERATION] = sync_op_name(ctx->payload.operation);
    }

    if (used & 1 << SYNC_MAP_ENV_NOW
        && ngx_http_sync_map_env_now(ctx, &env[SYNC_MAP_ENV_NOW]) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (used & 1 << SYNC_MAP_ENV_DOWNSTREAM_KEY) {
        return ngx_http_sync_words_key(ctx,
                                       &env[SYNC_MAP_ENV_DOWNSTREAM_KEY]);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_sync_map_env_now(ngx_http_sync_ctx_t *ctx, sync_str_t *now)
{
    u_char    *p;
    ngx_tm_t   tm;

    p = ngx_pnalloc(ctx->request->pool, sizeof("2026-11-21T10:00:00Z"));
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_gmtime(ngx_time(), &tm);

    now->data = p;
    now->len = ngx_sprintf(p, "%4d-%02d-%02dT%02d:%02d:%02dZ",
                           tm.ngx_tm_year, tm.ngx_tm_mon, tm.ngx_tm_mday,
                           tm.ngx_tm_hour, tm.ngx_tm_min, tm.ngx_tm_sec)
               - p;

    return NGX_OK;
}


ngx_int_t
ngx_http_sync_words_key(ngx_http_sync_ctx_t *ctx, sync_str_t *key)
{
    u_char      *p;
    ngx_uint_t   i;

    if (ctx->route.connector == SYNC_DOC_NONE) {
        return NGX_OK;
    }

    if (ctx->route.c.as == SYNC_AS_VERBATIM) {

        if (ctx->claim.key.len) {
            key->data = ctx->claim.key.data;
            key->len = ctx->claim.key.len;
        }

        return NGX_OK;
    }

    p = ngx_pnalloc(ctx->request->pool, NGX_HTTP_SYNC_UUID_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_http_sync_downstream_uuid(ctx, p);

    key->data = p;
    key->len = NGX_HTTP_SYNC_UUID_LEN;

    if (ctx->route.c.as == SYNC_AS_UUID_HEX) {
        key->len = 0;

        for (i = 0; i < NGX_HTTP_SYNC_UUID_LEN; i++) {
            if (p[i] != '-') {
                p[key->len++] = p[i];
            }
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_sync_words_parse(ngx_http_sync_ctx_t *ctx, sync_str_t text,
    sync_json_t *json, sync_faults_t *faults)
{
    sync_rc_t           rc;
    sync_error_t        err;
    sync_json_limits_t  limits;

    if (ngx_http_sync_charge(ctx, text.len) != NGX_OK) {
        return NGX_BUSY;
    }

    ngx_memzero(&limits, sizeof(sync_json_limits_t));

    rc = sync_json_parse(json, &ctx->arena, text, &limits, &err);

    if (rc == SYNC_OK) {
        return NGX_OK;
    }

    json->nodes = NULL;

    if (rc != SYNC_NO) {
        return NGX_ERROR;
    }

    faults->count = 1;
    faults->list[0].pointer = err.pointer;
    faults->list[0].what = err.what;
    faults->list[0].text = "the text is not JSON within our bounds";

    return NGX_DECLINED;
}


void
ngx_http_sync_log_faults(ngx_http_sync_ctx_t *ctx, ngx_uint_t level,
    const char *step, const char *what, sync_faults_t *faults)
{
    ngx_str_t  pointer;

    ngx_str_null(&pointer);

    if (faults->count) {
        pointer.data = faults->list[0].pointer.data;
        pointer.len = ngx_min(faults->list[0].pointer.len, 128);
    }

    ngx_log_error(level, ctx->request->connection->log, 0,
                  "%s: %s, %ui faults, the first \"%V\": %s",
                  step, what, (ngx_uint_t) faults->count + faults->more,
                  &pointer, faults->count ? faults->list[0].what : "none");
}
