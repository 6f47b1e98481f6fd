
/*
 * Keywords of one's own on the attributes of a schema.
 */


#include "sync_schema_impl.h"
#include "sync_value.h"


#define SYNC_MARK_VISITS  65536      /* of subschemas */


typedef struct sync_mark_way_s  sync_mark_way_t;

/* The subschemas around one: where they come round, the walk ends. */

struct sync_mark_way_s {
    const sync_mark_way_t     *up;
    const sync_schema_node_t  *node;
};

typedef struct {
    uint32_t             visits;
    sync_str_t           keyword;
    sync_arena_t        *arena;
    sync_schema_mark_t  *list;
    uint32_t             count;
} sync_marks_t;


static sync_rc_t sync_marks_node(sync_marks_t *m,
    const sync_schema_node_t *node, sync_str_t pattern,
    const sync_mark_way_t *up);
static sync_rc_t sync_marks_op(sync_marks_t *m, const sync_schema_op_t *op,
    sync_str_t pattern, const sync_mark_way_t *up);
static sync_rc_t sync_marks_add(sync_marks_t *m,
    const sync_schema_node_t *node, sync_str_t pattern);


sync_rc_t
sync_schema_marks(const sync_schema_t *schema, sync_str_t keyword,
    sync_arena_t *arena, sync_schema_mark_t **list, uint32_t *count)
{
    sync_rc_t     rc;
    sync_marks_t  m;

    m.keyword = keyword;
    m.arena = arena;
    m.count = 0;
    m.visits = 0;

    m.list = sync_alloc(arena, SYNC_SCHEMA_MARKS * sizeof(sync_schema_mark_t));
    if (m.list == NULL) {
        return SYNC_FAULT;
    }

    rc = sync_marks_node(&m, schema->root, sync_str_lit(""), NULL);

    *list = m.list;
    *count = m.count;

    return rc;
}


static sync_rc_t
sync_marks_node(sync_marks_t *m, const sync_schema_node_t *node,
    sync_str_t pattern, const sync_mark_way_t *up)
{
    uint32_t                i;
    sync_rc_t               rc;
    sync_mark_way_t         way;
    const sync_mark_way_t  *w;

    if (node->constant != -1) {
        return SYNC_OK;
    }

    for (w = up; w; w = w->up) {
        if (w->node == node) {
            return SYNC_OK;
        }
    }

    if (m->visits++ == SYNC_MARK_VISITS) {
        return SYNC_NO;
    }

    way.up = up;
    way.node = node;

    rc = pattern.len ? sync_marks_add(m, node, pattern) : SYNC_OK;

    for (i = 0; rc == SYNC_OK && i < node->nops; i++) {
        rc = sync_marks_op(m, &node->ops[i], pattern, &way);
    }

    return rc;
}


static sync_rc_t
sync_marks_op(sync_marks_t *m, const sync_schema_op_t *op, sync_str_t pattern,
    const sync_mark_way_t *up)
{
    uint32_t                     i;
    sync_rc_t                    rc;
    sync_str_t                   below;
    const sync_schema_names_t   *names;

    rc = SYNC_OK;

    switch (op->kind) {

    case SYNC_SCHEMA_REF:
        return sync_marks_node(m, op->u.ref.node, pattern, up);

    case SYNC_SCHEMA_ALL_OF:
        for (i = 0; rc == SYNC_OK && i < op->u.list.count; i++) {
            rc = sync_marks_node(m, op->u.list.list[i], pattern, up);
        }

        return rc;

    case SYNC_SCHEMA_ITEMS:
        if (op->u.list.rest == NULL) {
            return SYNC_OK;
        }

        below = sync_pointer_member(m->arena, pattern, sync_str_lit("*"));

        return below.data ? sync_marks_node(m, op->u.list.rest, below, up)
                          : SYNC_FAULT;

    case SYNC_SCHEMA_MEMBERS:
        names = &op->u.members->names;

        for (i = 0; rc == SYNC_OK && i < names->count; i++) {

            below = sync_pointer_member(m->arena, pattern,
                                        names->list[i].name);

            rc = below.data ? sync_marks_node(m, names->list[i].node, below,
                                              up)
                            : SYNC_FAULT;
        }

        return rc;
    }

    return SYNC_OK;
}


static sync_rc_t
sync_marks_add(sync_marks_t *m, const sync_schema_node_t *node,
    sync_str_t pattern)
{
    uint32_t             value;
    const sync_json_t   *json;
    sync_schema_mark_t  *mark;

    json = &node->resource->doc->json;
    value = sync_json_member(json, node->at, m->keyword);

    if (value == SYNC_JSON_NONE) {
        return SYNC_OK;
    }

    if (m->count == SYNC_SCHEMA_MARKS) {
        return SYNC_NO;
    }

    mark = &m->list[m->count++];
    mark->pattern = pattern;
    mark->json = json;
    mark->value = value;

    return SYNC_OK;
}
