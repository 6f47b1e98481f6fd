
/*
 * Keywords of schemas on members and items.
 */


#include "sync_schema_run.h"
#include "sync_value.h"


static int sync_schema_cleared(sync_schema_run_t *run,
    const sync_schema_frame_t *f, const sync_schema_op_t *op);
static int sync_schema_member(sync_schema_run_t *run,
    const sync_schema_frame_t *f, const sync_schema_op_t *op, uint32_t key,
    int *known);


/*
 * By a table of hashes under a key of the process: equal items meet in it, and
 * nobody outside can make others meet.
 */

int
sync_schema_distinct(sync_schema_run_t *run, const sync_schema_frame_t *f,
    const sync_schema_op_t *op)
{
    int                  equal;
    uint32_t             i, n, size, slot, *slots;
    uint64_t             hash, *hashes;
    sync_rc_t            rc;
    const sync_json_t   *json;

    json = run->json;
    n = json->nodes[f->at].len;

    if (sync_schema_charge(run, json->nodes[f->at].next - f->at
                           + sync_json_raw(json, f->at).len / 8))
    {
        return 0;
    }

    for (size = 4; size < n * 2; size *= 2) { /* void */ }

    slots = sync_calloc(run->arena, size * sizeof(uint32_t));
    hashes = sync_alloc(run->arena, size * sizeof(uint64_t));

    if (slots == NULL || hashes == NULL) {
        return sync_schema_stop(run, SYNC_FAULT);
    }

    for (i = f->at + 1; i < json->nodes[f->at].next;
         i = json->nodes[i].next)
    {
        rc = sync_json_hash_value(json, i, run->arena, &hash);
        if (rc != SYNC_OK) {
            return sync_schema_stop(run, rc);
        }

        for (slot = (uint32_t) hash & (size - 1); slots[slot];
             slot = (slot + 1) & (size - 1))
        {
            if (hashes[slot] != hash) {
                continue;
            }

            equal = sync_json_equal(json, i, json, slots[slot], run->work);

            if (sync_schema_charge(run, 0)) {
                return 0;
            }

            if (equal) {
                return sync_schema_fault(run, f, op, i);
            }
        }

        slots[slot] = i;
        hashes[slot] = hash;
    }

    return 1;
}


/* "prefixItems" and "items" */

int
sync_schema_each(sync_schema_run_t *run, const sync_schema_frame_t *f,
    const sync_schema_op_t *op)
{
    int                        good, listed;
    unsigned                   update;
    uint32_t                   i, place;
    const sync_schema_node_t  *node;
    const sync_json_node_t    *nodes;

    nodes = run->json->nodes;
    good = 1;

    update = run->update;
    run->update = 0;

    for (i = f->at + 1, place = 0; i < nodes[f->at].next;
         i = nodes[i].next, place++)
    {
        listed = place < op->u.list.count;
        node = listed ? op->u.list.list[place] : op->u.list.rest;

        if (node == NULL) {
            break;
        }

        sync_schema_mark(run, f->seen, place);

        if (!sync_schema_eval(run, node, i, f,
                              listed ? op->keyword : "items",
                              SYNC_SCHEMA_UNSEEN))
        {
            good = 0;

            if (!sync_schema_listing(run) || run->rc != SYNC_OK) {
                break;
            }
        }
    }

    run->update = update;

    return good;
}


/* "contains", between "minContains" and "maxContains" */

int
sync_schema_some(sync_schema_run_t *run, const sync_schema_frame_t *f,
    const sync_schema_op_t *op)
{
    uint32_t                 i, place;
    uint64_t                 n;
    sync_schema_op_t         bound;
    const sync_json_node_t  *nodes;

    nodes = run->json->nodes;
    n = 0;

    for (i = f->at + 1, place = 0; i < nodes[f->at].next;
         i = nodes[i].next, place++)
    {
        if (sync_schema_whole(run, op->u.contains.node, i, f, op->keyword,
                              SYNC_SCHEMA_UNSEEN))
        {
            n++;

            if (op->u.contains.marks) {
                sync_schema_mark(run, f->seen, place);
            }
        }

        if (run->rc != SYNC_OK) {
            return 0;
        }
    }

    if (n >= op->u.contains.min && n <= op->u.contains.max) {
        return 1;
    }

    bound = *op;

    if (n > op->u.contains.max) {
        bound.keyword = "maxContains";
        bound.at = op->u.contains.max_at;

    } else if (op->u.contains.min_at != SYNC_JSON_NONE) {
        bound.keyword = "minContains";
        bound.at = op->u.contains.min_at;
    }

    return sync_schema_fault(run, f, &bound, f->at);
}


/* One pass over the members; what is missing is looked for only then. */

int
sync_schema_required(sync_schema_run_t *run, const sync_schema_frame_t *f,
    const sync_schema_op_t *op)
{
    uint32_t             i, found;
    sync_str_t           name;
    const sync_json_t   *json;

    json = run->json;
    found = 0;

    if (sync_schema_charge(run, json->nodes[f->at].len)) {
        return 0;
    }

    for (i = f->at + 1; i < json->nodes[f->at].next; i = json->nodes[i].next)
    {
        if (sync_schema_name(&op->u.names, json, i)) {
            found++;
        }
    }

    if (run->update) {
        return sync_schema_cleared(run, f, op);
    }

    if (found >= op->u.names.count) {
        return 1;
    }

    if (!sync_schema_listing(run)) {
        return 0;
    }

    for (i = 0; i < op->u.names.count; i++) {

        if (sync_schema_charge(run, json->nodes[f->at].len)) {
            return 0;
        }

        if (sync_json_member(json, f->at, op->u.names.list[i].name)
            != SYNC_JSON_NONE)
        {
            continue;
        }

        name = sync_pointer_member(run->arena, sync_str_null,
                                   op->u.names.list[i].name);
        if (name.data == NULL) {
            return sync_schema_stop(run, SYNC_FAULT);
        }

        sync_schema_list_fault(run, f, f->at, name, op->keyword, op->text,
                               op->at + 1);
    }

    return 0;
}


/* Of an update: what is required may be absent, and not null. */

static int
sync_schema_cleared(sync_schema_run_t *run, const sync_schema_frame_t *f,
    const sync_schema_op_t *op)
{
    int                 good;
    uint32_t            i;
    const sync_json_t  *json;

    json = run->json;
    good = 1;

    for (i = f->at + 1; i < json->nodes[f->at].next; i = json->nodes[i].next)
    {
        if (json->nodes[i + 1].type == SYNC_JSON_NULL
            && sync_schema_name(&op->u.names, json, i))
        {
            good = 0;

            if (!sync_schema_listing(run)) {
                break;
            }

            sync_schema_list_fault(run, f, i + 1, sync_str_null, op->keyword,
                                   "cannot be cleared", op->at + 1);
        }
    }

    return good;
}


int
sync_schema_object(sync_schema_run_t *run, const sync_schema_frame_t *f,
    const sync_schema_op_t *op)
{
    int                        good, known;
    uint32_t                   i, place;
    const sync_json_node_t    *nodes;
    const sync_schema_node_t  *others;

    nodes = run->json->nodes;
    others = op->u.members->others;
    good = 1;

    for (i = f->at + 1, place = 0; i < nodes[f->at].next;
         i = nodes[i].next, place++)
    {
        known = 0;

        if (!sync_schema_member(run, f, op, i, &known)) {
            good = 0;

        } else if (!known && others) {
            known = 1;

            if (!sync_schema_eval(run, others, i + 1, f,
                                  "additionalProperties",
                                  SYNC_SCHEMA_UNSEEN))
            {
                good = 0;
            }
        }

        if (known) {
            sync_schema_mark(run, f->seen, place);
        }

        if (run->rc != SYNC_OK || (!good && !sync_schema_listing(run))) {
            return 0;
        }
    }

    return good;
}


/* "properties" and "patternProperties" of one member. */

static int
sync_schema_member(sync_schema_run_t *run, const sync_schema_frame_t *f,
    const sync_schema_op_t *op, uint32_t key, int *known)
{
    int                           good;
    uint32_t                      i;
    const sync_schema_name_t     *name;
    const sync_schema_members_t  *m;

    m = op->u.members;
    good = 1;

    if (sync_schema_charge(run, 1)) {
        return 0;
    }

    name = sync_schema_name(&m->names, run->json, key);

    if (run->update && run->json->nodes[key + 1].type == SYNC_JSON_NULL) {

        /* it clears the member, if there may be such a one */

        *known = name != NULL || m->others == NULL
                 || m->others->constant != 0;
        return 1;
    }

    if (name) {
        *known = 1;
        good = sync_schema_eval(run, name->node, key + 1, f, "properties",
                                SYNC_SCHEMA_UNSEEN);
    }

    for (i = 0; i < m->npatterns && run->rc == SYNC_OK; i++) {

        if (!sync_schema_matches(run, key, m->patterns[i].regexp)) {
            continue;
        }

        *known = 1;

        if (!sync_schema_eval(run, m->patterns[i].node, key + 1, f,
                              "patternProperties", SYNC_SCHEMA_UNSEEN))
        {
            good = 0;
        }
    }

    return good && run->rc == SYNC_OK;
}


/* A name is validated as a string: a tape of one node. */

int
sync_schema_key_names(sync_schema_run_t *run, const sync_schema_frame_t *f,
    const sync_schema_op_t *op)
{
    int                 good, valid;
    uint32_t            i;
    sync_json_t         one;
    const sync_json_t  *json;
    sync_json_node_t    node;

    json = run->json;
    good = 1;

    for (i = f->at + 1; i < json->nodes[f->at].next; i = json->nodes[i].next)
    {
        node = json->nodes[i];
        node.type = SYNC_JSON_STRING;
        node.next = 1;

        one.text = json->text;
        one.nodes = &node;
        one.count = 1;

        run->json = &one;
        valid = sync_schema_quietly(run, op->u.node, 0, f, op->keyword,
                                    SYNC_SCHEMA_UNSEEN);
        run->json = json;

        if (!valid) {
            good = sync_schema_fault(run, f, op, i + 1);

            if (!sync_schema_listing(run) || run->rc != SYNC_OK) {
                break;
            }
        }
    }

    return good;
}


int
sync_schema_dependents(sync_schema_run_t *run, const sync_schema_frame_t *f,
    const sync_schema_op_t *op)
{
    int                        good;
    uint32_t                   i, k;
    sync_str_t                 below;
    const sync_json_t         *json;
    const sync_schema_name_t  *name;

    json = run->json;
    good = 1;

    for (i = f->at + 1; i < json->nodes[f->at].next; i = json->nodes[i].next)
    {
        name = sync_schema_name(&op->u.names, json, i);

        if (sync_schema_charge(run, 1)) {
            return 0;
        }

        if (name == NULL) {
            continue;
        }

        if (name->node
            && !sync_schema_eval(run, name->node, f->at, f, op->keyword,
                                 f->seen))
        {
            good = 0;
        }

        for (k = 0; k < name->count && !run->update; k++) {

            if (sync_schema_charge(run, json->nodes[f->at].len)) {
                return 0;
            }

            if (sync_json_member(json, f->at, name->names[k])
                != SYNC_JSON_NONE)
            {
                continue;
            }

            good = 0;

            if (sync_schema_listing(run)) {

                below = sync_pointer_member(run->arena, sync_str_null,
                                            name->names[k]);
                if (below.data == NULL) {
                    return sync_schema_stop(run, SYNC_FAULT);
                }

                sync_schema_list_fault(run, f, f->at, below, op->keyword,
                                       op->text, name->at + 1);
            }
        }

        if (run->rc != SYNC_OK || (!good && !sync_schema_listing(run))) {
            return 0;
        }
    }

    return good;
}


/* "unevaluatedItems" and "unevaluatedProperties" */

int
sync_schema_rest(sync_schema_run_t *run, const sync_schema_frame_t *f,
    const sync_schema_op_t *op)
{
    int                      good, members;
    unsigned                 update;
    uint32_t                 i, place;
    const sync_json_node_t  *nodes;

    nodes = run->json->nodes;
    members = nodes[f->at].type == SYNC_JSON_OBJECT;
    good = 1;

    update = run->update;
    run->update = update && members;

    for (i = f->at + 1, place = 0; i < nodes[f->at].next;
         i = nodes[i].next, place++)
    {
        if (sync_schema_charge(run, 1)) {
            good = 0;
            break;
        }

        if (run->bits[f->seen + place / 64] >> place % 64 & 1) {
            continue;
        }

        sync_schema_mark(run, f->seen, place);

        if (!sync_schema_eval(run, op->u.node, members ? i + 1 : i, f,
                              op->keyword, SYNC_SCHEMA_UNSEEN))
        {
            good = 0;

            if (!sync_schema_listing(run) || run->rc != SYNC_OK) {
                break;
            }
        }
    }

    run->update = update;

    return good;
}
