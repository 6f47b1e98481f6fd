
/*
 * JSONPath (RFC 9535): the evaluation over a tape.
 */


#include "sync_decimal.h"
#include "sync_path_impl.h"




typedef struct {
    const sync_json_t    *json;
    uint32_t              root;      /* "$" */
    sync_arena_t         *arena;
    uint64_t             *work;
    sync_error_t         *err;
    sync_rc_t             rc;        /* what stopped the evaluation */
} sync_path_run_t;


/* Where found nodes go. */

typedef struct {
    sync_path_nodes_t     found;
    uint32_t              room;
    uint32_t              limit;     /* stop after so many; 0: none */
    unsigned              keep:1;    /* the nodes, not only their number */
    uint32_t              first;
} sync_path_sink_t;


/* A value: a node of the payload's tape, of a literal, or a number. */

typedef struct {
    const sync_json_t    *json;
    uint32_t              node;      /* SYNC_JSON_NONE: Nothing (2.4.1) */
    sync_json_t           tape;
    sync_json_node_t      number;
    unsigned char         digits[SYNC_DIGITS];
} sync_path_value_t;


/* The walk goes on (0) or stops (1): enough was found, or run->rc tells. */

static int sync_path_walk(sync_path_run_t *run, sync_path_sink_t *sink,
    const sync_path_segment_t *segment, uint32_t node);
static int sync_path_apply(sync_path_run_t *run, sync_path_sink_t *sink,
    const sync_path_segment_t *segment, uint32_t node);
static int sync_path_each(sync_path_run_t *run, sync_path_sink_t *sink,
    const sync_path_segment_t *segment, const sync_path_selector_t *s,
    uint32_t node);
static int sync_path_cut(sync_path_run_t *run, sync_path_sink_t *sink,
    const sync_path_segment_t *segment, const sync_path_selector_t *s,
    uint32_t node);
static uint32_t sync_path_child(const sync_json_t *json,
    const sync_path_selector_t *s, uint32_t node, uint64_t *work);
static int sync_path_found(sync_path_run_t *run, sync_path_sink_t *sink,
    uint32_t node);
static uint32_t sync_path_chain(const sync_path_t *path,
    const sync_json_t *json, uint32_t node, uint64_t *work);
static int sync_path_test(sync_path_run_t *run, const sync_path_expr_t *e,
    uint32_t current);
static int sync_path_matches(sync_path_run_t *run, const sync_path_expr_t *e,
    uint32_t current);
static void sync_path_evaluate(sync_path_run_t *run,
    const sync_path_expr_t *e, uint32_t current, sync_path_value_t *v);
static void sync_path_count(sync_path_value_t *v, size_t n);
static int sync_path_equal(sync_path_run_t *run, const sync_json_t *a,
    uint32_t n, const sync_json_t *b, uint32_t m);
static int sync_path_less(sync_path_run_t *run, const sync_path_value_t *a,
    const sync_path_value_t *b);
static int sync_path_charge(sync_path_run_t *run, uint64_t n);


uint32_t
sync_path_single(const sync_path_t *path, const sync_json_t *json,
    uint32_t node, uint64_t *work)
{
    uint64_t  plenty;

    plenty = UINT64_MAX;

    if (!path->singular) {
        return SYNC_JSON_NONE;
    }

    return sync_path_chain(path, json, node, work ? work : &plenty);
}


sync_rc_t
sync_path_select(const sync_path_t *path, const sync_json_t *json,
    uint32_t node, sync_arena_t *arena, uint64_t *work,
    sync_path_nodes_t *found, sync_error_t *err)
{
    sync_path_run_t   run;
    sync_path_sink_t  sink;

    run.json = json;
    run.root = node;
    run.arena = arena;
    run.work = work;
    run.err = err;
    run.rc = SYNC_OK;

    memset(&sink, 0, sizeof(sync_path_sink_t));
    sink.keep = 1;

    (void) sync_path_walk(&run, &sink, path->segments, node);

    if (run.rc == SYNC_OK) {
        *found = sink.found;
    }

    return run.rc;
}


sync_rc_t
sync_path_holds(const sync_path_t *test, const sync_json_t *json,
    uint32_t node, sync_arena_t *arena, uint64_t *work)
{
    int              holds;
    sync_path_run_t  run;

    run.json = json;
    run.root = node;
    run.arena = arena;
    run.work = work;
    run.err = NULL;
    run.rc = SYNC_OK;

    holds = sync_path_test(&run, test->segments->selectors->filter, node);

    if (run.rc != SYNC_OK) {
        return run.rc;
    }

    return holds ? SYNC_OK : SYNC_NO;
}


/*
 * Depth first: a segment's nodes go through the rest one by one, which gives
 * the order of RFC 9535.  Recursion is bounded by the number of segments.
 */

static int
sync_path_walk(sync_path_run_t *run, sync_path_sink_t *sink,
    const sync_path_segment_t *segment, uint32_t node)
{
    uint32_t  i;

    if (segment == NULL) {
        return sync_path_found(run, sink, node);
    }

    if (!segment->descendant) {
        return sync_path_apply(run, sink, segment, node);
    }

    /* the tape has a node and its descendants in the order wanted */

    for (i = node; i < run->json->nodes[node].next; i++) {

        if (sync_path_charge(run, 1)) {
            return 1;
        }

        if (run->json->nodes[i].type != SYNC_JSON_KEY
            && sync_path_apply(run, sink, segment, i))
        {
            return 1;
        }
    }

    return 0;
}


static int
sync_path_apply(sync_path_run_t *run, sync_path_sink_t *sink,
    const sync_path_segment_t *segment, uint32_t node)
{
    int                          stop;
    uint32_t                     child;
    const sync_path_selector_t  *s;

    if (run->json->nodes[node].type != SYNC_JSON_OBJECT
        && run->json->nodes[node].type != SYNC_JSON_ARRAY)
    {
        return 0;
    }

    for (s = segment->selectors; s != NULL; s = s->next) {

        if (sync_path_charge(run, 1)) {
            return 1;
        }

        switch (s->type) {

        case SYNC_PATH_NAME:
        case SYNC_PATH_INDEX:
            stop = 0;
            child = sync_path_child(run->json, s, node, run->work);

            if (child != SYNC_JSON_NONE) {
                stop = sync_path_walk(run, sink, segment->next, child);

            } else if (*run->work == 0) {
                stop = sync_path_charge(run, 1);
            }

            break;

        case SYNC_PATH_SLICE:
            stop = sync_path_cut(run, sink, segment, s, node);
            break;

        default:
            stop = sync_path_each(run, sink, segment, s, node);
        }

        if (stop) {
            return 1;
        }
    }

    return 0;
}


/* A wildcard, or a filter: all children, or those that pass. */

static int
sync_path_each(sync_path_run_t *run, sync_path_sink_t *sink,
    const sync_path_segment_t *segment, const sync_path_selector_t *s,
    uint32_t node)
{
    int                      pass;
    uint32_t                 i, child;
    const sync_json_node_t  *nodes;

    nodes = run->json->nodes;

    for (i = node + 1; i < nodes[node].next; i = nodes[i].next) {

        if (sync_path_charge(run, 1)) {
            return 1;
        }

        child = nodes[i].type == SYNC_JSON_KEY ? i + 1 : i;
        pass = 1;

        if (s->type == SYNC_PATH_FILTER) {
            pass = sync_path_test(run, s->filter, child);

            if (run->rc != SYNC_OK) {
                return 1;
            }
        }

        if (pass && sync_path_walk(run, sink, segment->next, child)) {
            return 1;
        }
    }

    return 0;
}


/* RFC 9535, 2.3.4.2.2; all bounds are exact in 64 bits. */

static int
sync_path_cut(sync_path_run_t *run, sync_path_sink_t *sink,
    const sync_path_segment_t *segment, const sync_path_selector_t *s,
    uint32_t node)
{
    int64_t                  len, lower, upper, at, start, end;
    uint32_t                *elements, i;
    const sync_json_node_t  *nodes;

    nodes = run->json->nodes;
    len = nodes[node].len;

    if (nodes[node].type != SYNC_JSON_ARRAY || s->step == 0 || len == 0) {
        return 0;
    }

    start = s->has_start ? s->start : s->step > 0 ? 0 : len - 1;
    end = s->has_end ? s->end : s->step > 0 ? len : -len - 1;
    start = start < 0 ? len + start : start;
    end = end < 0 ? len + end : end;

#define sync_path_clamp(n, low, high)                                         \
    ((n) < (low) ? (low) : (n) > (high) ? (high) : (n))

    if (s->step > 0) {
        lower = sync_path_clamp(start, 0, len);
        upper = sync_path_clamp(end, 0, len);

    } else {
        upper = sync_path_clamp(start, -1, len - 1);
        lower = sync_path_clamp(end, -1, len - 1);
    }

#undef sync_path_clamp

    if (lower >= upper) {
        return 0;
    }

    /* elements are found by walking: once, for any step */

    if (sync_path_charge(run, (uint64_t) len)) {
        return 1;
    }

    elements = sync_alloc(run->arena, (size_t) len * sizeof(uint32_t));

    if (elements == NULL) {
        run->rc = SYNC_FAULT;
        return 1;
    }

    for (at = 0, i = node + 1; at < len; at++, i = nodes[i].next) {
        elements[at] = i;
    }

    at = s->step > 0 ? lower : upper;

    while (s->step > 0 ? at < upper : at > lower) {

        if (sync_path_charge(run, 1)
            || sync_path_walk(run, sink, segment->next, elements[at]))
        {
            return 1;
        }

        at += s->step;
    }

    return 0;
}


/* A member or element; *work 0: it ran out. */

static uint32_t
sync_path_child(const sync_json_t *json, const sync_path_selector_t *s,
    uint32_t node, uint64_t *work)
{
    int64_t                  index;
    uint32_t                 i;
    const sync_json_node_t  *nodes;

    nodes = json->nodes;

    if (s->type == SYNC_PATH_NAME) {

        if (nodes[node].type != SYNC_JSON_OBJECT) {
            return SYNC_JSON_NONE;
        }

        for (i = node + 1; i < nodes[node].next; i = nodes[i].next) {

            if (*work == 0) {
                return SYNC_JSON_NONE;
            }

            --*work;

            if (sync_json_equals(json, i, s->name)) {
                return i + 1;
            }
        }

        return SYNC_JSON_NONE;
    }

    index = s->start < 0 ? s->start + nodes[node].len : s->start;

    if (nodes[node].type != SYNC_JSON_ARRAY || index < 0
        || index >= nodes[node].len)
    {
        return SYNC_JSON_NONE;
    }

    if ((uint64_t) index >= *work) {
        *work = 0;
        return SYNC_JSON_NONE;
    }

    *work -= (uint64_t) index;

    for (i = node + 1; index; index--) {
        i = nodes[i].next;
    }

    return i;
}


static int
sync_path_found(sync_path_run_t *run, sync_path_sink_t *sink, uint32_t node)
{
    uint32_t   room, *nodes;

    if (sink->found.count == 0) {
        sink->first = node;
    }

    if (sink->keep && sink->found.count == sink->room) {
        room = sink->room ? sink->room * 2 : 16;

        nodes = sync_alloc(run->arena, (size_t) room * sizeof(uint32_t));

        if (nodes == NULL) {
            run->rc = SYNC_FAULT;
            return 1;
        }

        if (sink->found.count) {
            memcpy(nodes, sink->found.nodes,
                   sink->found.count * sizeof(uint32_t));
        }

        sink->found.nodes = nodes;
        sink->room = room;
    }

    if (sink->keep) {
        sink->found.nodes[sink->found.count] = node;
    }

    /* nodes found cost work: their number stays below any overflow */

    sink->found.count++;

    return sync_path_charge(run, 1) || sink->found.count == sink->limit;
}


static uint32_t
sync_path_chain(const sync_path_t *path, const sync_json_t *json,
    uint32_t node, uint64_t *work)
{
    const sync_path_segment_t  *segment;

    for (segment = path->segments;
         segment != NULL && node != SYNC_JSON_NONE;
         segment = segment->next)
    {
        node = sync_path_child(json, segment->selectors, node, work);
    }

    return node;
}


/* Recursion is bounded by the length of the path. */

static int
sync_path_test(sync_path_run_t *run, const sync_path_expr_t *e,
    uint32_t current)
{
    sync_path_sink_t   sink;
    sync_path_value_t  a, b;

    if (sync_path_charge(run, 1)) {
        return 0;
    }

    switch (e->type) {

    case SYNC_PATH_OR:
        return sync_path_test(run, e->left, current)
               || (run->rc == SYNC_OK
                   && sync_path_test(run, e->right, current));

    case SYNC_PATH_AND:
        return sync_path_test(run, e->left, current)
               && sync_path_test(run, e->right, current);

    case SYNC_PATH_NOT:
        return !sync_path_test(run, e->left, current);

    case SYNC_PATH_QUERY:
        memset(&sink, 0, sizeof(sync_path_sink_t));
        sink.limit = 1;

        (void) sync_path_walk(run, &sink, e->query->segments,
                              e->query->current ? current : run->root);

        return sink.found.count != 0;

    case SYNC_PATH_MATCH:
    case SYNC_PATH_SEARCH:
        return sync_path_matches(run, e, current);

    default:
        break;
    }

    sync_path_evaluate(run, e->left, current, &a);
    sync_path_evaluate(run, e->right, current, &b);

    if (run->rc != SYNC_OK) {
        return 0;
    }

    switch (e->type) {

    case SYNC_PATH_LT:
        return sync_path_less(run, &a, &b);

    case SYNC_PATH_GT:
        return sync_path_less(run, &b, &a);

    case SYNC_PATH_LE:
        if (sync_path_less(run, &a, &b)) {
            return 1;
        }

        break;

    case SYNC_PATH_GE:
        if (sync_path_less(run, &b, &a)) {
            return 1;
        }

        break;

    default:
        break;
    }

    if (a.node == SYNC_JSON_NONE || b.node == SYNC_JSON_NONE) {
        return (a.node == b.node) == (e->type != SYNC_PATH_NE);
    }

    return sync_path_equal(run, a.json, a.node, b.json, b.node)
           == (e->type != SYNC_PATH_NE);
}


static int
sync_path_matches(sync_path_run_t *run, const sync_path_expr_t *e,
    uint32_t current)
{
    int                matched;
    sync_str_t         subject, pattern;
    sync_iregexp_t    *re;
    sync_path_value_t  a, b;

    sync_path_evaluate(run, e->left, current, &a);
    sync_path_evaluate(run, e->right, current, &b);

    if (run->rc != SYNC_OK
        || a.node == SYNC_JSON_NONE || b.node == SYNC_JSON_NONE
        || a.json->nodes[a.node].type != SYNC_JSON_STRING
        || b.json->nodes[b.node].type != SYNC_JSON_STRING)
    {
        return 0;
    }

    /* an unescaped copy is memory and is paid as such */

    if (sync_path_charge(run, a.json->nodes[a.node].len)) {
        return 0;
    }

    subject = sync_json_unescape(a.json, a.node, run->arena);

    if (subject.data == NULL) {
        run->rc = SYNC_FAULT;
        return 0;
    }

    if (e->regexp != NULL) {
        run->rc = sync_iregexp_match(e->regexp, subject, run->work, &matched,
                                     run->err);
        return run->rc == SYNC_OK && matched;
    }

    /* a pattern of the payload: compiling it costs far more than a node */

    if (sync_path_charge(run, 1000 + 10 * (uint64_t)
                                     b.json->nodes[b.node].len))
    {
        return 0;
    }

    pattern = sync_json_unescape(b.json, b.node, run->arena);

    if (pattern.data == NULL) {
        run->rc = SYNC_FAULT;
        return 0;
    }

    run->rc = sync_iregexp_compile(&re, NULL, pattern,
                                   e->type == SYNC_PATH_MATCH, NULL);

    if (run->rc != SYNC_OK) {

        if (run->rc == SYNC_NO) {
            /* RFC 9535, 2.4.6: what is no I-Regexp matches nothing */
            run->rc = SYNC_OK;
        }

        return 0;
    }

    run->rc = sync_iregexp_match(re, subject, run->work, &matched, run->err);

    sync_iregexp_free(re);

    return run->rc == SYNC_OK && matched;
}


static void
sync_path_evaluate(sync_path_run_t *run, const sync_path_expr_t *e,
    uint32_t current, sync_path_value_t *v)
{
    uint32_t                 from;
    sync_path_sink_t         sink;
    const sync_json_node_t  *node;

    v->node = SYNC_JSON_NONE;

    switch (e->type) {

    case SYNC_PATH_LITERAL:
        v->json = &e->literal;
        v->node = 0;
        return;

    case SYNC_PATH_QUERY:
        from = e->query->current ? current : run->root;
        v->json = run->json;
        v->node = sync_path_chain(e->query, run->json, from, run->work);

        if (*run->work == 0) {
            (void) sync_path_charge(run, 1);
        }

        return;

    case SYNC_PATH_LENGTH:
        sync_path_evaluate(run, e->left, current, v);

        if (v->node == SYNC_JSON_NONE) {
            return;
        }

        node = &v->json->nodes[v->node];

        switch (node->type) {

        case SYNC_JSON_STRING:

            if (sync_path_charge(run, node->len)) {
                return;
            }

            sync_path_count(v, sync_json_chars(v->json, v->node));
            return;

        case SYNC_JSON_ARRAY:
        case SYNC_JSON_OBJECT:
            sync_path_count(v, node->len);
            return;
        }

        v->node = SYNC_JSON_NONE;
        return;

    default:

        /* COUNT and VALUE: the argument is a query */

        memset(&sink, 0, sizeof(sync_path_sink_t));
        sink.limit = e->type == SYNC_PATH_VALUE ? 2 : 0;
        from = e->left->query->current ? current : run->root;

        (void) sync_path_walk(run, &sink, e->left->query->segments, from);

        if (e->type == SYNC_PATH_COUNT) {
            sync_path_count(v, sink.found.count);

        } else if (sink.found.count == 1) {
            v->json = run->json;
            v->node = sink.first;
        }
    }
}


/* Makes v a number of its own. */

static void
sync_path_count(sync_path_value_t *v, size_t n)
{
    uint32_t  len;

    len = (uint32_t) (sync_digits(v->digits, n) - v->digits);

    v->number = (sync_json_node_t) {
        0, len, 1, SYNC_JSON_NUMBER, SYNC_JSON_INTEGER, 0
    };

    v->tape.text.data = v->digits;
    v->tape.text.len = len;
    v->tape.nodes = &v->number;
    v->tape.count = 1;
    v->json = &v->tape;
    v->node = 0;
}


/* RFC 9535, 2.3.5.2.2 */

static int
sync_path_equal(sync_path_run_t *run, const sync_json_t *a, uint32_t n,
    const sync_json_t *b, uint32_t m)
{
    int  equal;

    equal = run->rc == SYNC_OK && sync_json_equal(a, n, b, m, run->work);

    (void) sync_path_charge(run, 0);

    return equal;
}


static int
sync_path_less(sync_path_run_t *run, const sync_path_value_t *a,
    const sync_path_value_t *b)
{
    const sync_json_node_t  *x, *y;

    if (a->node == SYNC_JSON_NONE || b->node == SYNC_JSON_NONE) {
        return 0;
    }

    x = &a->json->nodes[a->node];
    y = &b->json->nodes[b->node];

    if (x->type != y->type
        || (x->type != SYNC_JSON_NUMBER && x->type != SYNC_JSON_STRING)
        || sync_path_charge(run, (uint64_t) x->len + y->len))
    {
        return 0;
    }

    if (x->type == SYNC_JSON_STRING) {
        return sync_json_compare(a->json, a->node, b->json, b->node) < 0;
    }

    return sync_decimal_compare(sync_json_slice(a->json, a->node),
                             sync_json_slice(b->json, b->node)) < 0;
}


/* 1 and the reason in the run: there is no more. */

static inline int
sync_path_charge(sync_path_run_t *run, uint64_t n)
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
                          "a path takes more work than is allowed");

    return 1;
}
