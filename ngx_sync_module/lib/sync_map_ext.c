
/*
 * Members that no rule names: into "x-ext" and out of it.
 */


#include "sync_map_run.h"


static int sync_map_spread_before(sync_map_ctx_t *ctx,
    const sync_map_ext_t *ext, uint32_t i, uint32_t key);


int
sync_map_collect(sync_map_ctx_t *ctx, const sync_map_source_t *source,
    uint32_t node)
{
    int                       wrote;
    size_t                    mark;
    uint8_t                   comma;
    uint32_t                  i, k, end;
    const sync_json_node_t   *nodes;
    const sync_map_source_t  *child;

    nodes = ctx->json->nodes;
    end = nodes[node].next;
    wrote = 0;

    sync_map_charge(ctx, nodes[node].len);

    for (i = node + 1; i < end && !ctx->spent; i = nodes[i].next) {

        k = sync_map_index_node(&source->index, ctx->json, i);
        child = k == SYNC_MAP_NO_SLOT ? NULL : source->children[k];

        if (child != NULL && child->taken) {
            continue;
        }

        mark = sync_map_mark(ctx, &comma);

        sync_json_copy(&ctx->out, ctx->json, i);
        ctx->out.comma = 0;
        sync_json_value(&ctx->out, sync_str_lit(":"));
        ctx->out.comma = 0;

        if (child == NULL || nodes[i + 1].type != SYNC_JSON_OBJECT) {
            sync_json_copy(&ctx->out, ctx->json, i + 1);
            wrote = 1;
            continue;
        }

        sync_json_open(&ctx->out, '{');

        if (sync_map_collect(ctx, child, i + 1)) {
            sync_json_close(&ctx->out, '}');
            wrote = 1;

        } else {
            sync_map_back(ctx, mark, comma);
        }
    }

    return wrote;
}


void
sync_map_ext(sync_map_ctx_t *ctx, const sync_map_frame_t *frame,
    sync_map_ext_t *ext)
{
    uint32_t                 i, n, node;
    const sync_json_t       *json;
    const sync_map_scope_t  *scope;

    json = ctx->json;
    scope = frame->scope;
    node = frame->slots[scope->spread_slot];

    if (json->nodes[node].type != SYNC_JSON_OBJECT) {
        return;
    }

    sync_map_charge(ctx, json->nodes[node].len);

    if (scope->spread_all) {
        for (i = sync_json_first(json, node);
             i != SYNC_JSON_NONE && ext->count < SYNC_MAP_SPREAD_MAX;
             i = sync_json_after(json, node, i))
        {
            if (json->nodes[i + 1].type == SYNC_JSON_OBJECT) {
                ext->nodes[ext->count++] = i + 1;
            }
        }

        return;
    }

    for (i = 0; i < scope->nspread; i++) {
        n = sync_json_member(json, node, scope->spread[i]);

        if (n != SYNC_JSON_NONE && json->nodes[n].type == SYNC_JSON_OBJECT) {
            ext->nodes[ext->count++] = n;
        }
    }
}


int
sync_map_spread(sync_map_ctx_t *ctx, const sync_map_target_t *target,
    const sync_map_ext_t *ext)
{
    int                 wrote;
    uint32_t            i, k, node;
    const sync_json_t  *json;

    json = ctx->json;
    wrote = 0;

    for (i = 0; i < ext->count; i++) {
        node = ext->nodes[i];

        sync_map_charge(ctx, json->nodes[node].len);

        for (k = sync_json_first(json, node);
             k != SYNC_JSON_NONE && !ctx->spent;
             k = sync_json_after(json, node, k))
        {
            if (sync_map_index_node(&target->index, json, k)
                    != SYNC_MAP_NO_SLOT
                || (i && sync_map_spread_before(ctx, ext, i, k)))
            {
                continue;
            }

            sync_json_copy(&ctx->out, json, k);
            ctx->out.comma = 0;
            sync_json_value(&ctx->out, sync_str_lit(":"));
            ctx->out.comma = 0;
            sync_json_copy(&ctx->out, json, k + 1);

            wrote = 1;
        }
    }

    return wrote;
}


static int
sync_map_spread_before(sync_map_ctx_t *ctx, const sync_map_ext_t *ext,
    uint32_t i, uint32_t key)
{
    uint32_t    k;
    sync_str_t  name;

    name = sync_json_unescape(ctx->json, key, ctx->arena);

    if (name.data == NULL) {
        ctx->nomem = 1;
        return 1;
    }

    for (k = 0; k < i; k++) {
        sync_map_charge(ctx, ctx->json->nodes[ext->nodes[k]].len);

        if (sync_json_member(ctx->json, ext->nodes[k], name)
            != SYNC_JSON_NONE)
        {
            return 1;
        }
    }

    return 0;
}
