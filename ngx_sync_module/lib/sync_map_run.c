
/*
 * Running a map: one walk over the source fills the slots, one walk over the
 * targets writes them.
 */


#include "sync_map_run.h"


#define SYNC_MAP_SLOTS  64           /* that need no memory */


static int sync_map_scope_run(sync_map_ctx_t *ctx,
    const sync_map_scope_t *scope, uint32_t node, uint32_t *slots);
static void sync_map_walk(sync_map_ctx_t *ctx, sync_map_frame_t *frame,
    const sync_map_source_t *source, uint32_t node);
static void sync_map_clear(sync_map_frame_t *frame,
    const sync_map_source_t *source, uint32_t node);
static int sync_map_object(sync_map_ctx_t *ctx, sync_map_frame_t *frame,
    const sync_map_target_t *target, const sync_map_ext_t *ext, int root);
static int sync_map_child(sync_map_ctx_t *ctx, sync_map_frame_t *frame,
    const sync_map_target_t *target, const sync_map_ext_t *ext);
static int sync_map_apply(sync_map_ctx_t *ctx, sync_map_frame_t *frame,
    const sync_map_target_t *target);
static int sync_map_write(sync_map_ctx_t *ctx, sync_map_frame_t *frame,
    const sync_map_rule_t *rule, sync_str_t key);
static uint32_t sync_map_find(sync_map_ctx_t *ctx, sync_map_frame_t *frame,
    const sync_map_from_t *from, uint32_t nfrom,
    const sync_map_from_t **found, sync_path_nodes_t *nodes);
static int sync_map_values(sync_map_ctx_t *ctx, const sync_map_rule_t *rule,
    sync_str_t key, const sync_path_nodes_t *nodes, uint32_t array);
static const sync_map_rule_t *sync_map_choose(sync_map_ctx_t *ctx,
    sync_map_frame_t *frame, const sync_map_target_t *target);
static void sync_map_element(sync_map_ctx_t *ctx, const sync_map_rule_t *rule,
    uint32_t n, uint32_t **slots);
static int sync_map_value(sync_map_ctx_t *ctx, const sync_map_rule_t *rule,
    uint32_t n, uint32_t **slots);
static int sync_map_changed(sync_map_ctx_t *ctx, const sync_map_rule_t *rule,
    uint32_t n);
static int sync_map_scalar(sync_map_ctx_t *ctx, const sync_map_rule_t *rule,
    const sync_json_t *json, uint32_t m, uint32_t n);
static int sync_map_concat(sync_map_ctx_t *ctx, sync_map_frame_t *frame,
    const sync_map_rule_t *rule, sync_str_t key);
static int sync_map_absent(sync_map_ctx_t *ctx, sync_map_frame_t *frame,
    const sync_map_rule_t *rule, sync_str_t key, uint32_t node);
static void sync_map_fault(sync_map_ctx_t *ctx, uint32_t n, sync_str_t below,
    const char *what, const char *text);


sync_rc_t
sync_map_run(const sync_map_t *map, sync_map_section_e section,
    const sync_json_t *json, uint32_t node, const sync_map_run_t *run,
    sync_arena_t *arena, sync_str_t *out, sync_faults_t *faults)
{
    uint32_t                   i, n, depth, many;
    sync_rc_t                  rc;
    uint32_t                   slots[SYNC_MAP_SLOTS], *work;
    sync_map_ctx_t             ctx;
    const sync_map_section_t  *s;

    memset(&ctx, 0, sizeof(sync_map_ctx_t));

    ctx.json = json;
    ctx.run = run;
    ctx.arena = arena;
    ctx.faults = faults;
    ctx.update = run->update;
    ctx.work = run->work != NULL ? *run->work : UINT64_MAX;

    s = map->sections[section];

    if (s == NULL) {
        sync_map_fault(&ctx, node, sync_str_null, "not-supported",
                       "the map has no section for this direction");
        return sync_faults_result(faults);
    }

    work = slots;

    if (s->scope.nslots > SYNC_MAP_SLOTS) {
        work = sync_alloc(arena, s->scope.nslots * sizeof(uint32_t));
        if (work == NULL) {
            return SYNC_FAULT;
        }
    }

    n = SYNC_JSON_NONE;
    many = 0;

    if (s->in.many.data != NULL && !run->bare) {
        n = sync_json_at(json, node, s->in.many);
        many = n != SYNC_JSON_NONE && json->nodes[n].type == SYNC_JSON_ARRAY;
    }

    if (!many) {
        n = run->bare ? node : sync_json_at(json, node, s->in.one);
    }

    if (n == SYNC_JSON_NONE) {
        sync_map_fault(&ctx, node, s->in.one, "envelope",
                       "the envelope that the map declares is missing");
        return sync_faults_result(faults);
    }

    sync_json_begin(&ctx.out, arena, sync_json_raw(json, n).len * 5 / 4 + 512,
                    run->max);

    if (many) {
        sync_map_key(&ctx, s->out.many_open);
        sync_json_open(&ctx.out, '[');

        for (i = sync_json_first(json, n); i != SYNC_JSON_NONE && !ctx.spent;
             i = sync_json_after(json, n, i))
        {
            sync_map_scope_run(&ctx, &s->scope, i, work);
        }

        sync_json_close(&ctx.out, ']');
        depth = s->out.many_depth;

    } else if (run->bare) {
        sync_map_scope_run(&ctx, &s->scope, n, work);
        depth = 0;

    } else {
        sync_map_key(&ctx, s->out.one_open);
        sync_map_scope_run(&ctx, &s->scope, n, work);
        depth = s->out.one_depth;
    }

    while (depth--) {
        sync_json_close(&ctx.out, '}');
    }

    if (!ctx.spent && ctx.out.start != NULL) {
        sync_map_charge(&ctx, (uint64_t) (ctx.out.pos - ctx.out.start) / 64);
    }

    if (run->work != NULL) {
        *run->work = ctx.work;
    }

    if (ctx.nomem) {
        return SYNC_FAULT;
    }

    if (ctx.spent) {
        sync_map_fault(&ctx, node, sync_str_null, "too-much-work",
                       "the payload needs more work than one request has");
    }

    rc = sync_json_end(&ctx.out, out);

    if (rc == SYNC_NO) {
        sync_map_fault(&ctx, node, sync_str_null, "too-large",
                       "the mapped payload is larger than is allowed");
    }

    return rc == SYNC_FAULT ? rc : sync_faults_result(faults);
}


/* Writes the object (or, with a target of "", the value) of one scope. */

static int
sync_map_scope_run(sync_map_ctx_t *ctx, const sync_map_scope_t *scope,
    uint32_t node, uint32_t *slots)
{
    sync_map_ext_t     ext;
    sync_map_frame_t   frame;

    frame.scope = scope;
    frame.node = node;
    frame.slots = slots;
    frame.unmapped = 0;

    memset(slots, 0xff, scope->nslots * sizeof(uint32_t));

    if (scope->source.slot != SYNC_MAP_NO_SLOT) {
        slots[scope->source.slot] = node;
    }

    if (ctx->json->nodes[node].type == SYNC_JSON_OBJECT) {
        sync_map_walk(ctx, &frame, &scope->source, node);

    } else if (!scope->any) {
        sync_map_fault(ctx, node, sync_str_null, "type",
                       "an object is expected");
        return 0;
    }

    if (ctx->spent) {
        return 0;
    }

    if (scope->target.rule != NULL) {
        if (!sync_map_apply(ctx, &frame, &scope->target)) {
            sync_json_value(&ctx->out, sync_str_lit("null"));
        }

        return 1;
    }

    ext.count = 0;

    if (scope->spread_slot != SYNC_MAP_NO_SLOT
        && slots[scope->spread_slot] != SYNC_JSON_NONE)
    {
        sync_map_ext(ctx, &frame, &ext);
    }

    return sync_map_object(ctx, &frame, &scope->target, &ext, 1);
}


static void
sync_map_walk(sync_map_ctx_t *ctx, sync_map_frame_t *frame,
    const sync_map_source_t *source, uint32_t node)
{
    uint32_t                  i, k, end;
    const sync_json_node_t   *nodes;
    const sync_map_source_t  *child;

    nodes = ctx->json->nodes;
    end = nodes[node].next;

    sync_map_charge(ctx, nodes[node].len + 1);

    for (i = node + 1; i < end && !ctx->spent; i = nodes[i].next) {

        k = sync_map_index_node(&source->index, ctx->json, i);

        if (k == SYNC_MAP_NO_SLOT) {
            frame->unmapped = 1;
            continue;
        }

        child = source->children[k];

        if (child->slot != SYNC_MAP_NO_SLOT) {
            frame->slots[child->slot] = i + 1;
        }

        if (child->count == 0) {
            continue;
        }

        if (nodes[i + 1].type == SYNC_JSON_OBJECT) {
            sync_map_walk(ctx, frame, child, i + 1);
            continue;
        }

        if (nodes[i + 1].type == SYNC_JSON_NULL && ctx->update) {
            sync_map_clear(frame, child, i + 1);
        }

        if (!child->taken) {
            frame->unmapped = 1;
        }
    }
}


/* In an update a null in place of an object clears all that is below. */

static void
sync_map_clear(sync_map_frame_t *frame, const sync_map_source_t *source,
    uint32_t node)
{
    uint32_t                  i;
    const sync_map_source_t  *child;

    for (i = 0; i < source->count; i++) {
        child = source->children[i];

        if (child->slot != SYNC_MAP_NO_SLOT) {
            frame->slots[child->slot] = node;
        }

        sync_map_clear(frame, child, node);
    }
}


static int
sync_map_object(sync_map_ctx_t *ctx, sync_map_frame_t *frame,
    const sync_map_target_t *target, const sync_map_ext_t *ext, int root)
{
    int                      wrote;
    size_t                   mark, inner;
    uint8_t                  comma, none;
    uint32_t                 i;
    const sync_map_scope_t  *scope;
    const sync_map_target_t  *child;

    scope = frame->scope;
    mark = sync_map_mark(ctx, &comma);
    wrote = 0;

    sync_map_key(ctx, target->key);
    sync_json_open(&ctx->out, '{');

    for (i = 0; i < target->count && !ctx->spent; i++) {
        child = target->children[i];

        if (child->quiet != SYNC_MAP_NO_SLOT
            && frame->slots[child->quiet] == SYNC_JSON_NONE)
        {
            continue;
        }

        wrote |= sync_map_child(ctx, frame, child, ext);
    }

    if (ext->count && !ctx->spent) {
        wrote |= sync_map_spread(ctx, target, ext);
    }

    if (root && scope->collect.data != NULL && frame->unmapped) {
        inner = sync_map_mark(ctx, &none);

        sync_map_key(ctx, sync_str_lit("\"x-ext\":"));
        sync_json_open(&ctx->out, '{');
        sync_map_key(ctx, scope->collect);
        sync_json_open(&ctx->out, '{');

        if (sync_map_collect(ctx, &scope->source, frame->node)) {
            sync_json_close(&ctx->out, '}');
            sync_json_close(&ctx->out, '}');

        } else {
            sync_map_back(ctx, inner, none);
        }
    }

    if (!wrote && !root) {
        sync_map_back(ctx, mark, comma);
        return 0;
    }

    sync_json_close(&ctx->out, '}');

    return 1;
}


static int
sync_map_child(sync_map_ctx_t *ctx, sync_map_frame_t *frame,
    const sync_map_target_t *target, const sync_map_ext_t *ext)
{
    uint32_t         i, n;
    sync_map_ext_t   below;

    if (target->rule != NULL) {
        return sync_map_apply(ctx, frame, target);
    }

    below.count = 0;

    for (i = 0; i < ext->count; i++) {
        sync_map_charge(ctx, ctx->json->nodes[ext->nodes[i]].len);

        n = sync_json_member(ctx->json, ext->nodes[i], target->name);

        if (n != SYNC_JSON_NONE
            && ctx->json->nodes[n].type == SYNC_JSON_OBJECT)
        {
            below.nodes[below.count++] = n;
        }
    }

    return sync_map_object(ctx, frame, target, &below, 0);
}


/* The rule of a place; whether it wrote it. */

static int
sync_map_apply(sync_map_ctx_t *ctx, sync_map_frame_t *frame,
    const sync_map_target_t *target)
{
    const sync_map_rule_t  *rule;

    rule = target->rule;

    if (rule->when != NULL) {
        rule = sync_map_choose(ctx, frame, target);
    }

    if (rule == NULL || (ctx->update && !rule->update)
        || !sync_map_write(ctx, frame, rule, target->key))
    {
        return 0;
    }

    if (ctx->run->trace != NULL) {
        ctx->run->trace->wrote(ctx->run->trace, rule->place, rule->to,
                               ctx->json, frame->node);
    }

    return 1;
}


static int
sync_map_write(sync_map_ctx_t *ctx, sync_map_frame_t *frame,
    const sync_map_rule_t *rule, sync_str_t key)
{
    size_t                  mark;
    uint8_t                 comma;
    uint32_t                n, *slots;
    sync_str_t              value;
    sync_path_nodes_t       nodes;
    const sync_map_from_t  *found;

    switch (rule->kind) {

    case SYNC_MAP_CONSTANT:
        sync_map_key(ctx, key);
        sync_json_value(&ctx->out, rule->constant);
        return 1;

    case SYNC_MAP_ENV:
        value = ctx->run->env != NULL ? ctx->run->env[rule->env]
                                      : sync_str_null;

        if (value.data == NULL) {
            return sync_map_absent(ctx, frame, rule, key,
                                   SYNC_JSON_NONE);
        }

        sync_map_key(ctx, key);
        sync_json_string(&ctx->out, value);
        return 1;

    case SYNC_MAP_CONCAT:
        return sync_map_concat(ctx, frame, rule, key);
    }

    n = sync_map_find(ctx, frame, rule->from, rule->nfrom, &found, &nodes);

    if (n != SYNC_JSON_NONE && found->many) {
        return sync_map_values(ctx, rule, key, &nodes,
                               SYNC_JSON_NONE);
    }

    if (n == SYNC_JSON_NONE || ctx->json->nodes[n].type == SYNC_JSON_NULL) {
        return sync_map_absent(ctx, frame, rule, key, n);
    }

    if (found->elements) {
        if (ctx->json->nodes[n].type != SYNC_JSON_ARRAY) {
            sync_map_fault(ctx, n, sync_str_null, "type",
                           "an array is expected");
            return 0;
        }

        return sync_map_values(ctx, rule, key, NULL, n);
    }

    slots = NULL;
    mark = sync_map_mark(ctx, &comma);

    sync_map_key(ctx, key);

    if (sync_map_value(ctx, rule, n, &slots)) {
        return 1;
    }

    sync_map_back(ctx, mark, comma);

    return sync_map_absent(ctx, frame, rule, key, SYNC_JSON_NONE);
}


/* Of several rules for one place the first whose condition holds, or NULL. */

static const sync_map_rule_t *
sync_map_choose(sync_map_ctx_t *ctx, sync_map_frame_t *frame,
    const sync_map_target_t *target)
{
    sync_rc_t               rc;
    const sync_map_rule_t  *rule;

    for (rule = target->rule; rule != NULL; rule = rule->next) {

        if (rule->when == NULL) {
            return rule;
        }

        rc = sync_path_holds(rule->when, ctx->json, frame->node, ctx->arena,
                             &ctx->work);

        if (rc == SYNC_OK) {
            return rule;
        }

        if (rc == SYNC_FAULT || ctx->work == 0) {
            ctx->nomem |= rc == SYNC_FAULT;
            ctx->spent = 1;
            return NULL;
        }
    }

    return NULL;
}


/*
 * The first place that has a value, a null only where none has another.  A
 * query that finds several answers with the first of nodes.
 */

static uint32_t
sync_map_find(sync_map_ctx_t *ctx, sync_map_frame_t *frame,
    const sync_map_from_t *from, uint32_t nfrom,
    const sync_map_from_t **found, sync_path_nodes_t *nodes)
{
    uint32_t                i, n, null;
    sync_rc_t               rc;
    const sync_map_from_t  *of_null;

    null = SYNC_JSON_NONE;
    of_null = from;

    for (i = 0; i < nfrom; i++) {
        *found = &from[i];

        if (from[i].path == NULL) {
            n = frame->slots[from[i].slot];

        } else if (!from[i].many) {
            n = sync_path_single(from[i].path, ctx->json, frame->node,
                                 &ctx->work);

            if (n == SYNC_JSON_NONE && ctx->work == 0) {
                ctx->spent = 1;
            }

        } else {
            rc = sync_path_select(from[i].path, ctx->json, frame->node,
                                  ctx->arena, &ctx->work, nodes, NULL);

            if (rc != SYNC_OK) {
                ctx->nomem |= rc == SYNC_FAULT;
                ctx->spent = 1;
                return SYNC_JSON_NONE;
            }

            if (nodes->count) {
                return nodes->nodes[0];
            }

            n = SYNC_JSON_NONE;
        }

        if (n == SYNC_JSON_NONE) {
            continue;
        }

        if (ctx->json->nodes[n].type != SYNC_JSON_NULL) {
            return n;
        }

        null = n;
        of_null = &from[i];
    }

    *found = of_null;

    return null;
}


/* An array of values: of nodes, or of the elements of an array. */

static int
sync_map_values(sync_map_ctx_t *ctx, const sync_map_rule_t *rule,
    sync_str_t key, const sync_path_nodes_t *nodes, uint32_t array)
{
    uint32_t            i, *slots;
    const sync_json_t  *json;

    json = ctx->json;
    slots = NULL;

    sync_map_key(ctx, key);
    sync_json_open(&ctx->out, '[');

    if (nodes != NULL) {
        for (i = 0; i < nodes->count && !ctx->spent; i++) {
            sync_map_element(ctx, rule, nodes->nodes[i], &slots);
        }

    } else {
        for (i = sync_json_first(json, array);
             i != SYNC_JSON_NONE && !ctx->spent;
             i = sync_json_after(json, array, i))
        {
            sync_map_element(ctx, rule, i, &slots);
        }
    }

    sync_json_close(&ctx->out, ']');

    return 1;
}


/* An element that has no value after all is left out, or has the default. */

static void
sync_map_element(sync_map_ctx_t *ctx, const sync_map_rule_t *rule, uint32_t n,
    uint32_t **slots)
{
    size_t   mark;
    uint8_t  comma;

    mark = sync_map_mark(ctx, &comma);

    if (sync_map_value(ctx, rule, n, slots)) {
        return;
    }

    sync_map_back(ctx, mark, comma);

    if (rule->missing.data != NULL) {
        sync_json_value(&ctx->out, rule->missing);

    } else if (rule->required) {
        sync_map_fault(ctx, n, sync_str_null, "required",
                       "the value is required");
    }
}


/* One value, through its steps or an "each"; whether there is one. */

static int
sync_map_value(sync_map_ctx_t *ctx, const sync_map_rule_t *rule, uint32_t n,
    uint32_t **slots)
{
    uint32_t  count;

    sync_map_charge(ctx, 1);

    if (rule->kind == SYNC_MAP_EACH) {
        if (*slots == NULL) {
            count = rule->each->nslots;

            *slots = sync_alloc(ctx->arena, (count + 1) * sizeof(uint32_t));

            if (*slots == NULL) {
                ctx->nomem = 1;
                ctx->spent = 1;
                return 1;
            }
        }

        sync_map_scope_run(ctx, rule->each, n, *slots);
        return 1;
    }

    if (rule->string != NULL && ctx->json->nodes[n].type != SYNC_JSON_NULL) {
        return sync_map_changed(ctx, rule, n);
    }

    return sync_map_scalar(ctx, rule, ctx->json, n, n);
}


/* A value that is changed as a text before its other steps. */

static int
sync_map_changed(sync_map_ctx_t *ctx, const sync_map_rule_t *rule, uint32_t n)
{
    int           wrote;
    uint32_t      i, count;
    sync_rc_t     rc;
    sync_json_t  *tapes;

    sync_map_charge(ctx, ctx->json->nodes[n].len / 16);

    rc = sync_map_strings(rule->string, ctx->json, n, ctx->arena, &tapes,
                          &count);

    if (rc == SYNC_NO) {
        sync_map_fault(ctx, n, sync_str_null, "type", "a single value is "
                       "expected, not an array or an object");
        return 1;
    }

    if (rc != SYNC_OK) {
        ctx->nomem = 1;
        ctx->spent = 1;
        return 1;
    }

    if (rule->string->split.len == 0
        || rule->string->take != SYNC_MAP_TAKE_ALL)
    {
        return count ? sync_map_scalar(ctx, rule, &tapes[0], 0, n) : 0;
    }

    sync_map_charge(ctx, count);
    sync_json_open(&ctx->out, '[');

    for (wrote = 1, i = 0; i < count && wrote; i++) {
        wrote = sync_map_scalar(ctx, rule, &tapes[i], 0, n);
    }

    sync_json_close(&ctx->out, ']');

    return wrote;
}


/* Node m of a tape, as what came at node n. */

static int
sync_map_scalar(sync_map_ctx_t *ctx, const sync_map_rule_t *rule,
    const sync_json_t *json, uint32_t m, uint32_t n)
{
    sync_rc_t    rc;
    const char  *what, *text;

    rc = sync_map_step(rule, json, m, ctx->arena, &ctx->out, &what, &text);

    if (rc == SYNC_OK) {
        return 1;
    }

    if (rc != SYNC_NO) {
        ctx->nomem = 1;
        ctx->spent = 1;
        return 1;
    }

    if (what == NULL) {
        return 0;
    }

    sync_map_fault(ctx, n, sync_str_null, what, text);

    return 1;
}


static int
sync_map_concat(sync_map_ctx_t *ctx, sync_map_frame_t *frame,
    const sync_map_rule_t *rule, sync_str_t key)
{
    size_t                  mark, start;
    uint8_t                 comma;
    uint32_t                i, n, paths, there, pieces;
    sync_str_t              s;
    sync_json_out_t        *out;
    const sync_map_part_t  *part;
    const sync_map_from_t  *found;
    const sync_json_node_t *node;

    out = &ctx->out;
    paths = 0;
    there = 0;
    pieces = 0;

    mark = sync_map_mark(ctx, &comma);

    sync_map_key(ctx, key);
    sync_json_value(out, sync_str_lit("\""));

    for (i = 0; i < rule->nparts; i++) {
        part = &rule->parts[i];

        if (part->text.data != NULL) {
            s = part->text;

        } else if (part->env >= 0) {
            s = ctx->run->env != NULL ? ctx->run->env[part->env]
                                      : sync_str_null;
            if (s.data == NULL) {
                continue;
            }

        } else {
            paths++;

            n = sync_map_find(ctx, frame, &part->from, 1, &found, NULL);

            if (n == SYNC_JSON_NONE) {
                continue;
            }

            there++;
            node = &ctx->json->nodes[n];

            if (node->type == SYNC_JSON_NULL) {
                continue;
            }

            if (node->type == SYNC_JSON_ARRAY
                || node->type == SYNC_JSON_OBJECT)
            {
                sync_map_fault(ctx, n, sync_str_null, "type",
                               "a single value is expected, not an array "
                               "or an object");
                continue;
            }

            s = node->type == SYNC_JSON_STRING ? sync_json_slice(ctx->json, n)
                                               : sync_json_raw(ctx->json, n);
        }

        if (pieces++ && rule->join.len) {
            out->comma = 0;
            sync_json_value(out, rule->join);
        }

        out->comma = 0;

        if (part->text.data == NULL && part->env >= 0) {
            /* unescaped: written as a string, its quotes taken off */

            start = (size_t) (out->pos - out->start);
            sync_json_string(out, s);

            if (!out->full && !out->fault) {
                s.len = (size_t) (out->pos - out->start) - start - 2;
                memmove(out->start + start, out->start + start + 1, s.len);
                out->pos -= 2;
            }

            continue;
        }

        sync_json_value(out, s);
    }

    if (paths && (there == 0 || (ctx->update && there < paths))) {
        sync_map_back(ctx, mark, comma);

        if (there) {
            sync_map_fault(ctx, frame->node, rule->from[0].pointer,
                           "incomplete", "in an update all the members of a "
                           "joined value are to be sent, or none");
            return 0;
        }

        return sync_map_absent(ctx, frame, rule, key, SYNC_JSON_NONE);
    }

    out->comma = 0;
    sync_json_value(out, sync_str_lit("\""));

    return 1;
}


/* What a rule does without a value: node is a null, or none at all. */

static int
sync_map_absent(sync_map_ctx_t *ctx, sync_map_frame_t *frame,
    const sync_map_rule_t *rule, sync_str_t key, uint32_t node)
{
    if (!ctx->update) {

        if (rule->missing.data != NULL) {
            sync_map_key(ctx, key);
            sync_json_value(&ctx->out, rule->missing);
            return 1;
        }

        if (rule->required) {
            sync_map_fault(ctx, node == SYNC_JSON_NONE ? frame->node : node,
                           node == SYNC_JSON_NONE && rule->nfrom
                               ? rule->from[0].pointer : sync_str_null,
                           "required", "the value is required");
            return 0;
        }
    }

    if (node == SYNC_JSON_NONE) {
        return 0;
    }

    sync_map_key(ctx, key);
    sync_json_value(&ctx->out, sync_str_lit("null"));

    return 1;
}


static void
sync_map_fault(sync_map_ctx_t *ctx, uint32_t n, sync_str_t below,
    const char *what, const char *text)
{
    sync_faults_add(ctx->faults, ctx->json, n, below, what, text);
}
