
/*
 * Validation of a tape by a compiled schema.
 *
 * A subschema is applied to one value.  Where some "unevaluated..." keyword
 * above wants to know, what was evaluated of the value's members or items is a
 * bit for each, by its place among them; a subschema that may fail without
 * failing what is around it marks bits of its own first.
 */


#include "sync_schema_run.h"


static sync_rc_t sync_schema_start(const sync_schema_t *schema,
    const sync_json_t *json, uint32_t node, sync_arena_t *arena,
    uint64_t *work, unsigned update, sync_faults_t *faults,
    sync_error_t *err);
static int sync_schema_op(sync_schema_run_t *run,
    const sync_schema_frame_t *f, const sync_schema_op_t *op);
static int sync_schema_dynamic(sync_schema_run_t *run,
    const sync_schema_frame_t *f, const sync_schema_op_t *op);
static int sync_schema_is_type(const sync_json_node_t *node, sync_str_t slice,
    unsigned types);
static int sync_schema_is_const(sync_schema_run_t *run,
    const sync_schema_frame_t *f, uint32_t value);
static int sync_schema_is_listed(sync_schema_run_t *run,
    const sync_schema_frame_t *f, const sync_schema_op_t *op);
static int sync_schema_is_within(sync_schema_run_t *run, sync_str_t number,
    const sync_schema_op_t *op);
static int sync_schema_text(sync_schema_run_t *run, uint32_t at,
    const sync_schema_op_t *op);
static int sync_schema_choice(sync_schema_run_t *run,
    const sync_schema_frame_t *f, const sync_schema_op_t *op);
static int sync_schema_cases(sync_schema_run_t *run,
    const sync_schema_frame_t *f, const sync_schema_op_t *op);
static size_t sync_schema_push(sync_schema_run_t *run, uint32_t at);
static void sync_schema_pop(sync_schema_run_t *run, size_t from, size_t into,
    int merge);
static void sync_schema_way(sync_schema_run_t *run,
    const sync_schema_frame_t *f, uint32_t rule, sync_fault_t *fault);
static sync_str_t sync_schema_step(sync_schema_run_t *run,
    const sync_schema_doc_t *doc, uint32_t from, uint32_t to);


#define SYNC_SCHEMA_STEPS  256           /* of the way to a rule */

#define sync_schema_words(n)  (((size_t) (n) + 63) / 64)


sync_rc_t
sync_schema_validate(const sync_schema_t *schema, const sync_json_t *json,
    uint32_t node, sync_arena_t *arena, uint64_t *work,
    sync_faults_t *faults, sync_error_t *err)
{
    return sync_schema_start(schema, json, node, arena, work, 0, faults, err);
}


sync_rc_t
sync_schema_validate_update(const sync_schema_t *schema,
    const sync_json_t *json, uint32_t node, sync_arena_t *arena,
    uint64_t *work, sync_faults_t *faults, sync_error_t *err)
{
    return sync_schema_start(schema, json, node, arena, work, 1, faults, err);
}


static sync_rc_t
sync_schema_start(const sync_schema_t *schema, const sync_json_t *json,
    uint32_t node, sync_arena_t *arena, uint64_t *work, unsigned update,
    sync_faults_t *faults, sync_error_t *err)
{
    int                valid;
    sync_schema_run_t  run;

    memset(&run, 0, sizeof(sync_schema_run_t));

    run.json = json;
    run.arena = arena;
    run.work = work;
    run.faults = faults;
    run.err = err;
    run.update = update;

    valid = sync_schema_eval(&run, schema->root, node, NULL, "",
                             SYNC_SCHEMA_UNSEEN);

    if (run.rc != SYNC_OK) {
        return run.rc;
    }

    if (faults && faults->nomem) {
        return SYNC_FAULT;
    }

    return valid ? SYNC_OK
                 : sync_refuse(err, "invalid", json->nodes[node].off,
                               "a value does not meet its schema");
}


int
sync_schema_eval(sync_schema_run_t *run, const sync_schema_node_t *node,
    uint32_t at, const sync_schema_frame_t *up, const char *via, size_t seen)
{
    int                      valid;
    uint32_t                 i;
    const sync_schema_op_t  *op;
    sync_schema_frame_t      f;

    if (sync_schema_charge(run, 1)) {
        return 0;
    }

    if (node->constant == 1) {
        return 1;
    }

    f.up = up;
    f.node = node;
    f.via = via;
    f.at = at;

    if (node->constant == 0) {
        if (sync_schema_listing(run)) {
            sync_schema_list_fault(run, &f, at, sync_str_null, via,
                                   "is not allowed here", node->at);
        }

        return 0;
    }

    if (run->depth == SYNC_SCHEMA_DEPTH) {
        run->rc = sync_refuse(run->err, "too-deep", SYNC_NOWHERE,
                              "subschemas are in one another more than %d "
                              "deep", SYNC_SCHEMA_DEPTH);
        return 0;
    }

    f.seen = node->collects ? sync_schema_push(run, at) : seen;

    valid = 1;
    run->depth++;

    for (i = 0; i < node->nops; i++) {
        op = &node->ops[i];

        if (!valid && (op->kind >= SYNC_SCHEMA_UNEVALUATED_ITEMS
                       || !sync_schema_listing(run)))
        {
            /* who failed has evaluated nothing */

            break;
        }

        if (!sync_schema_op(run, &f, op)) {
            valid = 0;
        }

        if (run->rc != SYNC_OK) {
            valid = 0;
            break;
        }
    }

    run->depth--;

    if (node->collects) {
        sync_schema_pop(run, f.seen, seen, valid);
    }

    return valid;
}


int
sync_schema_quietly(sync_schema_run_t *run, const sync_schema_node_t *node,
    uint32_t at, const sync_schema_frame_t *up, const char *via, size_t seen)
{
    int  valid;

    run->quiet++;
    valid = sync_schema_eval(run, node, at, up, via, seen);
    run->quiet--;

    return valid;
}


/* As quietly, of what is there: nothing is left open. */

int
sync_schema_whole(sync_schema_run_t *run, const sync_schema_node_t *node,
    uint32_t at, const sync_schema_frame_t *up, const char *via, size_t seen)
{
    int       valid;
    unsigned  update;

    update = run->update;

    run->update = 0;
    valid = sync_schema_quietly(run, node, at, up, via, seen);
    run->update = update;

    return valid;
}


static int
sync_schema_op(sync_schema_run_t *run, const sync_schema_frame_t *f,
    const sync_schema_op_t *op)
{
    int                      good;
    uint32_t                 i, at;
    const sync_json_node_t  *v;

    at = f->at;
    v = &run->json->nodes[at];

    switch (op->kind) {

    case SYNC_SCHEMA_REF:
        return sync_schema_eval(run, op->u.ref.node, at, f, op->keyword,
                                f->seen);

    case SYNC_SCHEMA_DYNAMIC_REF:
        return sync_schema_dynamic(run, f, op);

    case SYNC_SCHEMA_ALL_OF:
        for (good = 1, i = 0; i < op->u.list.count; i++) {

            if (!sync_schema_eval(run, op->u.list.list[i], at, f,
                                  op->keyword, f->seen))
            {
                good = 0;

                if (!sync_schema_listing(run) || run->rc != SYNC_OK) {
                    break;
                }
            }
        }

        return good;

    case SYNC_SCHEMA_ANY_OF:
    case SYNC_SCHEMA_ONE_OF:
        return sync_schema_choice(run, f, op);

    case SYNC_SCHEMA_IF:
        return sync_schema_cases(run, f, op);

    case SYNC_SCHEMA_NOT:
        good = !sync_schema_whole(run, op->u.node, at, f, op->keyword,
                                  SYNC_SCHEMA_UNSEEN);
        break;

    case SYNC_SCHEMA_TYPE:
        good = sync_schema_is_type(v, sync_json_slice(run->json, at),
                                   op->u.types);
        break;

    case SYNC_SCHEMA_CONST:
        good = sync_schema_is_const(run, f, op->u.value);
        break;

    case SYNC_SCHEMA_ENUM:
        good = sync_schema_is_listed(run, f, op);
        break;

    case SYNC_SCHEMA_MULTIPLE_OF:
    case SYNC_SCHEMA_MAXIMUM:
    case SYNC_SCHEMA_EXCLUSIVE_MAXIMUM:
    case SYNC_SCHEMA_MINIMUM:
    case SYNC_SCHEMA_EXCLUSIVE_MINIMUM:
        good = v->type != SYNC_JSON_NUMBER
               || sync_schema_is_within(run, sync_json_slice(run->json, at),
                                        op);
        break;

    case SYNC_SCHEMA_MAX_LENGTH:
    case SYNC_SCHEMA_MIN_LENGTH:
    case SYNC_SCHEMA_PATTERN:
    case SYNC_SCHEMA_FORMAT:
        good = v->type != SYNC_JSON_STRING || sync_schema_text(run, at, op);
        break;

    case SYNC_SCHEMA_MAX_ITEMS:
        good = v->type != SYNC_JSON_ARRAY || v->len <= op->u.n;
        break;

    case SYNC_SCHEMA_MIN_ITEMS:
        good = v->type != SYNC_JSON_ARRAY || v->len >= op->u.n;
        break;

    case SYNC_SCHEMA_MAX_PROPERTIES:
        good = v->type != SYNC_JSON_OBJECT || v->len <= op->u.n;
        break;

    case SYNC_SCHEMA_MIN_PROPERTIES:
        good = v->type != SYNC_JSON_OBJECT || v->len >= op->u.n
               || run->update;
        break;

    case SYNC_SCHEMA_UNIQUE_ITEMS:
        return v->type != SYNC_JSON_ARRAY || v->len < 2
               || sync_schema_distinct(run, f, op);

    case SYNC_SCHEMA_ITEMS:
        return v->type != SYNC_JSON_ARRAY || sync_schema_each(run, f, op);

    case SYNC_SCHEMA_CONTAINS:
        return v->type != SYNC_JSON_ARRAY || sync_schema_some(run, f, op);

    case SYNC_SCHEMA_UNEVALUATED_ITEMS:
        return v->type != SYNC_JSON_ARRAY || sync_schema_rest(run, f, op);

    case SYNC_SCHEMA_UNEVALUATED_PROPERTIES:
        return v->type != SYNC_JSON_OBJECT || sync_schema_rest(run, f, op);

    default:
        if (v->type != SYNC_JSON_OBJECT) {
            return 1;
        }

        return op->kind == SYNC_SCHEMA_REQUIRED
               ? sync_schema_required(run, f, op)
               : op->kind == SYNC_SCHEMA_MEMBERS
               ? sync_schema_object(run, f, op)
               : op->kind == SYNC_SCHEMA_PROPERTY_NAMES
               ? sync_schema_key_names(run, f, op)
               : sync_schema_dependents(run, f, op);
    }

    return good || sync_schema_fault(run, f, op, at);
}


/*
 * The outermost resource of the dynamic scope that has the anchor as a dynamic
 * one decides; where the reference led to none, it is an ordinary one.
 */

static int
sync_schema_dynamic(sync_schema_run_t *run, const sync_schema_frame_t *f,
    const sync_schema_op_t *op)
{
    const sync_schema_node_t      *node;
    const sync_schema_frame_t     *g;
    const sync_schema_anchor_t    *a;
    const sync_schema_resource_t  *last;

    node = op->u.ref.node;
    last = NULL;

    for (g = f; op->u.ref.anchor.data && g; g = g->up) {

        if (g->node->resource == last) {
            continue;
        }

        last = g->node->resource;

        if (sync_schema_charge(run, 1)) {
            return 0;
        }

        for (a = last->anchors; a; a = a->next) {
            if (a->dynamic && sync_str_eq(a->name, op->u.ref.anchor)) {
                node = a->node;
            }
        }
    }

    return sync_schema_eval(run, node, f->at, f, op->keyword, f->seen);
}


static int
sync_schema_is_type(const sync_json_node_t *node, sync_str_t slice,
    unsigned types)
{
    return (types & 1u << node->type)
           || ((types & SYNC_SCHEMA_INTEGER)
               && node->type == SYNC_JSON_NUMBER
               && ((node->flags & SYNC_JSON_INTEGER)
                   || sync_decimal_is_integer(slice)));
}


static int
sync_schema_is_const(sync_schema_run_t *run, const sync_schema_frame_t *f,
    uint32_t value)
{
    int  equal;

    equal = sync_json_equal(run->json, f->at, &f->node->resource->doc->json,
                            value, run->work);

    return !sync_schema_charge(run, 0) && equal;
}


static int
sync_schema_is_listed(sync_schema_run_t *run, const sync_schema_frame_t *f,
    const sync_schema_op_t *op)
{
    uint32_t            i;
    uint64_t            hash;
    sync_rc_t           rc;
    const sync_json_t  *json;

    json = run->json;

    if (sync_schema_charge(run, op->u.one_of.count / 8
                           + sync_json_raw(json, f->at).len / 8 + 1))
    {
        return 0;
    }

    rc = sync_json_hash_value(json, f->at, run->arena, &hash);
    if (rc != SYNC_OK) {
        return sync_schema_stop(run, rc);
    }

    for (i = 0; i < op->u.one_of.count; i++) {
        if (op->u.one_of.hashes[i] == hash
            && sync_schema_is_const(run, f, op->u.one_of.values[i]))
        {
            return 1;
        }
    }

    return 0;
}


static int
sync_schema_is_within(sync_schema_run_t *run, sync_str_t number,
    const sync_schema_op_t *op)
{
    int  order;

    if (sync_schema_charge(run, number.len)) {
        return 0;
    }

    if (op->kind == SYNC_SCHEMA_MULTIPLE_OF) {
        return sync_decimal_divides(&op->u.divisor, number);
    }

    order = sync_decimal_compare(number, op->u.number);

    switch (op->kind) {

    case SYNC_SCHEMA_MAXIMUM:
        return order <= 0;

    case SYNC_SCHEMA_EXCLUSIVE_MAXIMUM:
        return order < 0;

    case SYNC_SCHEMA_MINIMUM:
        return order >= 0;
    }

    return order > 0;
}


static int
sync_schema_text(sync_schema_run_t *run, uint32_t at,
    const sync_schema_op_t *op)
{
    sync_str_t  s;

    if (op->kind == SYNC_SCHEMA_PATTERN) {
        return sync_schema_matches(run, at, op->u.regexp);
    }

    if (sync_schema_charge(run, 1 + run->json->nodes[at].len / 8)) {
        return 0;
    }

    if (op->kind == SYNC_SCHEMA_MAX_LENGTH) {
        return run->json->nodes[at].len <= op->u.n
               || sync_json_chars(run->json, at) <= op->u.n;
    }

    if (op->kind == SYNC_SCHEMA_MIN_LENGTH) {
        return sync_json_chars(run->json, at) >= op->u.n;
    }

    s = sync_json_unescape(run->json, at, run->arena);

    if (s.data == NULL) {
        return sync_schema_stop(run, SYNC_FAULT);
    }

    return !sync_schema_charge(run, s.len + op->u.format->cost)
           && op->u.format->check(s);
}


int
sync_schema_matches(sync_schema_run_t *run, uint32_t at,
    const sync_iregexp_t *re)
{
    int         matched;
    sync_rc_t   rc;
    sync_str_t  s;

    s = sync_json_unescape(run->json, at, run->arena);
    if (s.data == NULL) {
        return sync_schema_stop(run, SYNC_FAULT);
    }

    rc = sync_iregexp_match(re, s, run->work, &matched, run->err);

    if (rc != SYNC_OK) {
        *run->work = 0;
        return sync_schema_stop(run, rc);
    }

    return matched;
}


/* "anyOf" and "oneOf" */

static int
sync_schema_choice(sync_schema_run_t *run, const sync_schema_frame_t *f,
    const sync_schema_op_t *op)
{
    int       valid;
    size_t    own;
    uint32_t  i, n;

    for (i = 0, n = 0; i < op->u.list.count; i++) {

        own = f->seen == SYNC_SCHEMA_UNSEEN ? f->seen
                                            : sync_schema_push(run, f->at);

        valid = sync_schema_quietly(run, op->u.list.list[i], f->at, f,
                                    op->keyword, own);

        if (own != SYNC_SCHEMA_UNSEEN) {
            sync_schema_pop(run, own, f->seen, valid);
        }

        if (run->rc != SYNC_OK) {
            return 0;
        }

        n += (uint32_t) valid;

        if (op->kind == SYNC_SCHEMA_ONE_OF ? n > 1 && !run->update
            : n > 0 && f->seen == SYNC_SCHEMA_UNSEEN)
        {
            break;
        }
    }

    if (op->kind == SYNC_SCHEMA_ONE_OF && !run->update ? n == 1 : n > 0) {
        return 1;
    }

    return sync_schema_fault(run, f, op, f->at);
}


/* "if", "then" and "else" */

static int
sync_schema_cases(sync_schema_run_t *run, const sync_schema_frame_t *f,
    const sync_schema_op_t *op)
{
    int                        valid;
    size_t                     own;
    const sync_schema_node_t  *node;

    own = f->seen == SYNC_SCHEMA_UNSEEN ? f->seen
                                        : sync_schema_push(run, f->at);

    valid = sync_schema_whole(run, op->u.branch.test, f->at, f, op->keyword,
                              own);

    if (own != SYNC_SCHEMA_UNSEEN) {
        sync_schema_pop(run, own, f->seen, valid);
    }

    if (run->rc != SYNC_OK) {
        return 0;
    }

    node = valid ? op->u.branch.then : op->u.branch.other;

    return node == NULL
           || sync_schema_eval(run, node, f->at, f, valid ? "then" : "else",
                               f->seen);
}


/*
 * A bit for each member or item, none set; popped in the reverse order.  When
 * there is no memory the run is over and nothing is marked.
 */

static size_t
sync_schema_push(sync_schema_run_t *run, uint32_t at)
{
    size_t            n, room, from;
    uint64_t         *bits;
    sync_json_node_t  v;

    v = run->json->nodes[at];

    n = v.type == SYNC_JSON_OBJECT || v.type == SYNC_JSON_ARRAY
        ? sync_schema_words(v.len) : 0;

    if (sync_schema_charge(run, n)) {
        return SYNC_SCHEMA_UNSEEN;
    }

    if (run->room - run->used < n) {

        for (room = run->room ? run->room * 2 : 64; room < run->used + n;
             room *= 2)
        {
            /* void */
        }

        bits = sync_alloc(run->arena, room * sizeof(uint64_t));

        if (bits == NULL) {
            (void) sync_schema_stop(run, SYNC_FAULT);
            return SYNC_SCHEMA_UNSEEN;
        }

        if (run->used) {
            memcpy(bits, run->bits, run->used * sizeof(uint64_t));
        }

        run->bits = bits;
        run->room = room;
    }

    from = run->used;
    run->used += n;

    if (n) {
        memset(run->bits + from, 0, n * sizeof(uint64_t));
    }

    return from;
}


static void
sync_schema_pop(sync_schema_run_t *run, size_t from, size_t into, int merge)
{
    size_t  i;

    if (from == SYNC_SCHEMA_UNSEEN) {
        return;
    }

    if (merge && into != SYNC_SCHEMA_UNSEEN) {
        for (i = 0; from + i < run->used; i++) {
            run->bits[into + i] |= run->bits[from + i];
        }
    }

    run->used = from;
}


void
sync_schema_mark(sync_schema_run_t *run, size_t seen, uint32_t place)
{
    if (seen != SYNC_SCHEMA_UNSEEN) {
        run->bits[seen + place / 64] |= (uint64_t) 1 << place % 64;
    }
}


int
sync_schema_fault(sync_schema_run_t *run, const sync_schema_frame_t *f,
    const sync_schema_op_t *op, uint32_t at)
{
    if (run->rc == SYNC_OK && sync_schema_listing(run)) {
        sync_schema_list_fault(run, f, at, sync_str_null, op->keyword,
                               op->text, op->at + 1);
    }

    return 0;
}


void
sync_schema_list_fault(sync_schema_run_t *run, const sync_schema_frame_t *f,
    uint32_t at, sync_str_t below, const char *keyword, const char *text,
    uint32_t rule)
{
    size_t                         n;
    sync_str_t                     s;
    sync_fault_t                  *fault;
    const sync_schema_resource_t  *resource;

    n = run->faults->count;

    sync_faults_add(run->faults, run->json, at, below, keyword, text);

    if (run->faults->count == n) {
        return;
    }

    fault = &run->faults->list[n];
    resource = f->node->resource;

    /* the URI of the resource, and the pointer from its root */

    s = sync_schema_step(run, resource->doc, resource->at, rule);

    fault->rule.len = resource->uri.len + 1 + s.len;
    fault->rule.data = sync_alloc(run->faults->arena, fault->rule.len);

    if (s.data == NULL || fault->rule.data == NULL) {
        run->faults->nomem = 1;
        return;
    }

    memcpy(fault->rule.data, resource->uri.data, resource->uri.len);
    fault->rule.data[resource->uri.len] = '#';
    memcpy(fault->rule.data + resource->uri.len + 1, s.data, s.len);

    sync_schema_way(run, f, rule, fault);
}


/* Each subschema below the one before it, or behind its reference. */

static void
sync_schema_way(sync_schema_run_t *run, const sync_schema_frame_t *f,
    uint32_t rule, sync_fault_t *fault)
{
    size_t                      i, n, len;
    sync_str_t                  steps[SYNC_SCHEMA_STEPS];
    const sync_schema_frame_t  *g;

    n = 0;
    steps[n++] = sync_schema_step(run, f->node->resource->doc, f->node->at,
                                  rule);

    /* nobody follows much further */

    for (g = f; g->up && n < SYNC_SCHEMA_STEPS - 1; g = g->up) {

        if (g->via[0] == '$') {
            steps[n].data = (unsigned char *) (uintptr_t) g->via;
            steps[n++].len = strlen(g->via);
            steps[n++] = sync_str_lit("/");

        } else {
            steps[n++] = sync_schema_step(run, g->up->node->resource->doc,
                                          g->up->node->at, g->node->at);
        }
    }

    for (i = 0, len = 0; i < n; i++) {

        if (steps[i].data == NULL) {
            run->faults->nomem = 1;
            return;
        }

        len += steps[i].len;
    }

    fault->way.data = sync_alloc(run->faults->arena, len + 1);

    if (fault->way.data == NULL) {
        run->faults->nomem = 1;
        return;
    }

    for (i = n; i-- > 0; /* void */ ) {
        memcpy(fault->way.data + fault->way.len, steps[i].data,
               steps[i].len);
        fault->way.len += steps[i].len;
    }
}


/* The pointer from one node of a schema's text to one below it. */

static sync_str_t
sync_schema_step(sync_schema_run_t *run, const sync_schema_doc_t *doc,
    uint32_t from, uint32_t to)
{
    sync_str_t  a, b;

    a = sync_json_pointer(&doc->json, from, run->faults->arena);
    b = sync_json_pointer(&doc->json, to, run->faults->arena);

    if (a.data == NULL || b.data == NULL) {
        return sync_str_null;
    }

    b.data += a.len;
    b.len -= a.len;

    return b;
}


int
sync_schema_stop(sync_schema_run_t *run, sync_rc_t rc)
{
    if (run->rc == SYNC_OK) {
        run->rc = rc;
    }

    return 0;
}


int
sync_schema_charge(sync_schema_run_t *run, uint64_t n)
{
    if (run->rc != SYNC_OK) {
        return 1;
    }

    if (*run->work > n) {
        *run->work -= n;
        return 0;
    }

    *run->work = 0;
    run->rc = sync_refuse(run->err, "too-much-work", SYNC_NOWHERE,
                          "a schema takes more work than is allowed");

    return 1;
}
