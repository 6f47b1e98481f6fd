
/*
 * JSONPath (RFC 9535): the compiler.
 */


#include "sync_path_impl.h"


#define SYNC_PATH_LEN       4096
#define SYNC_PATH_DEPTH     32       /* of parentheses, filters, functions */
#define SYNC_PATH_SEGMENTS  128


static sync_rc_t sync_path_query(sync_path_reader_t *r, sync_path_t **path);
static sync_rc_t sync_path_segment(sync_path_reader_t *r,
    sync_path_segment_t **out);
static sync_rc_t sync_path_bracketed(sync_path_reader_t *r,
    sync_path_selector_t **out);
static sync_rc_t sync_path_selector(sync_path_reader_t *r,
    sync_path_selector_t *s);
static sync_rc_t sync_path_slice(sync_path_reader_t *r,
    sync_path_selector_t *s);
static sync_rc_t sync_path_shorthand(sync_path_reader_t *r, sync_str_t *name);
static sync_rc_t sync_path_or(sync_path_reader_t *r, sync_path_expr_t **out);
static sync_rc_t sync_path_and(sync_path_reader_t *r, sync_path_expr_t **out);
static sync_rc_t sync_path_basic(sync_path_reader_t *r,
    sync_path_expr_t **out);
static sync_rc_t sync_path_paren(sync_path_reader_t *r,
    sync_path_expr_t **out);
static sync_rc_t sync_path_operator(sync_path_reader_t *r,
    sync_path_expr_e *op);
static sync_rc_t sync_path_operand(sync_path_reader_t *r,
    sync_path_expr_t **out);
static sync_rc_t sync_path_function(sync_path_reader_t *r,
    sync_path_expr_t **out);
static sync_rc_t sync_path_arguments(sync_path_reader_t *r,
    sync_path_expr_t *e);
static sync_rc_t sync_path_literal(sync_path_reader_t *r,
    sync_path_expr_t **out);
static int sync_path_is_value(const sync_path_expr_t *e);
static int sync_path_is_test(const sync_path_expr_t *e);
static sync_rc_t sync_path_expr(sync_path_reader_t *r, sync_path_expr_e type,
    sync_path_expr_t **out);
static sync_rc_t sync_path_deeper(sync_path_reader_t *r);


/* RFC 9535, 2.4; in the order of sync_path_expr_e from SYNC_PATH_LENGTH on */

static const struct {
    const char  *name;
    unsigned     arguments;
    unsigned     nodes:1;            /* the argument is a nodelist */
    unsigned     logical:1;          /* the result is a logical value */
} sync_path_functions[] = {
    { "length", 1, 0, 0 },
    { "count", 1, 1, 0 },
    { "value", 1, 1, 0 },
    { "match", 2, 0, 1 },
    { "search", 2, 0, 1 }
};

#define SYNC_PATH_FUNCTIONS                                                   \
    (sizeof(sync_path_functions) / sizeof(sync_path_functions[0]))


#define sync_path_name_first(ch)                                              \
    (sync_path_lower((ch) | 0x20) || (ch) == '_' || (ch) >= 0x80)


sync_rc_t
sync_path_compile(sync_path_t **path, sync_arena_t *arena, sync_str_t text,
    sync_error_t *err)
{
    size_t              len;
    sync_rc_t           rc;
    sync_path_reader_t  r;

    if (text.len > SYNC_PATH_LEN) {
        return sync_refuse(err, "path", 0, "a path has more than %d bytes",
                           SYNC_PATH_LEN);
    }

    r.arena = arena;
    r.start = text.data;
    r.pos = text.data;
    r.end = text.data + text.len;
    r.depth = 0;
    r.err = err;

    for ( /* void */ ; r.pos < r.end; r.pos += len) {
        len = sync_json_utf8(r.pos, r.end);

        if (len == 0) {
            return sync_path_refuse(&r, "it is not UTF-8");
        }
    }

    r.pos = text.data;

    if (!sync_path_at(&r, '$')) {
        return sync_path_refuse(&r, "it begins with \"$\"");
    }

    rc = sync_path_query(&r, path);

    if (rc != SYNC_OK) {
        return rc;
    }

    if (r.pos != r.end) {
        return sync_path_refuse(&r, "it goes on behind its end");
    }

    return SYNC_OK;
}


/* The expression is the one filter of a query, and there is nothing else. */

sync_rc_t
sync_path_compile_test(sync_path_t **test, sync_arena_t *arena,
    sync_str_t text, sync_error_t *err)
{
    sync_rc_t                   rc;
    sync_str_t                  query;
    const sync_path_selector_t *s;

    if (text.len > SYNC_PATH_LEN) {
        return sync_refuse(err, "path", 0, "a condition has more than %d "
                           "bytes", SYNC_PATH_LEN);
    }

    query.len = text.len + sizeof("$[?]") - 1;
    query.data = sync_alloc(arena, query.len);

    if (query.data == NULL) {
        return SYNC_FAULT;
    }

    memcpy(query.data, "$[?", 3);

    if (text.len) {
        memcpy(query.data + 3, text.data, text.len);
    }

    query.data[query.len - 1] = ']';

    rc = sync_path_compile(test, arena, query, err);

    if (rc == SYNC_NO && err != NULL && err->offset != SYNC_NOWHERE) {
        err->offset = err->offset < 3 ? 0 : err->offset - 3;
    }

    if (rc != SYNC_OK) {
        return rc;
    }

    s = (*test)->segments->selectors;

    if ((*test)->segments->next != NULL || s->next != NULL) {
        return sync_refuse(err, "path", 0, "a condition is one logical "
                           "expression");
    }

    return SYNC_OK;
}


int
sync_path_is_singular(const sync_path_t *path)
{
    return path->singular;
}


/* ("$" / "@") *(S segment); the identifier is there */

static sync_rc_t
sync_path_query(sync_path_reader_t *r, sync_path_t **path)
{
    unsigned               segments;
    sync_rc_t              rc;
    sync_path_t           *p;
    sync_path_segment_t  **last;
    const unsigned char   *before;

    p = sync_calloc(r->arena, sizeof(sync_path_t));
    if (p == NULL) {
        return SYNC_FAULT;
    }

    p->current = *r->pos++ == '@';
    p->singular = 1;
    last = &p->segments;

    for (segments = 0; /* void */ ; segments++) {
        before = r->pos;
        sync_path_blank(r);

        if (!sync_path_at(r, '.') && !sync_path_at(r, '[')) {
            r->pos = before;
            break;
        }

        if (segments == SYNC_PATH_SEGMENTS) {
            return sync_path_refuse(r, "it has too many segments");
        }

        rc = sync_path_segment(r, last);
        if (rc != SYNC_OK) {
            return rc;
        }

        if ((*last)->descendant || (*last)->selectors->next != NULL
            || ((*last)->selectors->type != SYNC_PATH_NAME
                && (*last)->selectors->type != SYNC_PATH_INDEX))
        {
            p->singular = 0;
        }

        last = &(*last)->next;
    }

    *path = p;

    return SYNC_OK;
}


static sync_rc_t
sync_path_segment(sync_path_reader_t *r, sync_path_segment_t **out)
{
    sync_path_segment_t   *segment;
    sync_path_selector_t  *s;

    segment = sync_calloc(r->arena, sizeof(sync_path_segment_t));
    if (segment == NULL) {
        return SYNC_FAULT;
    }

    *out = segment;

    if (sync_path_at(r, '[')) {
        return sync_path_bracketed(r, &segment->selectors);
    }

    r->pos++;

    if (sync_path_at(r, '.')) {
        r->pos++;
        segment->descendant = 1;

        if (sync_path_at(r, '[')) {
            return sync_path_bracketed(r, &segment->selectors);
        }
    }

    s = sync_calloc(r->arena, sizeof(sync_path_selector_t));
    if (s == NULL) {
        return SYNC_FAULT;
    }

    segment->selectors = s;

    if (sync_path_at(r, '*')) {
        r->pos++;
        s->type = SYNC_PATH_WILDCARD;
        return SYNC_OK;
    }

    s->type = SYNC_PATH_NAME;

    return sync_path_shorthand(r, &s->name);
}


static sync_rc_t
sync_path_shorthand(sync_path_reader_t *r, sync_str_t *name)
{
    sync_str_t  slice;

    if (r->pos == r->end || !sync_path_name_first(*r->pos)) {
        return sync_path_refuse(r, "a name is missing; one with other than "
                                "letters, digits and \"_\" goes in [' ']");
    }

    slice.data = (unsigned char *) r->pos;

    while (r->pos < r->end
           && (sync_path_name_first(*r->pos) || sync_path_digit(*r->pos)))
    {
        r->pos++;
    }

    slice.len = (size_t) (r->pos - slice.data);

    *name = sync_strdup(r->arena, slice);

    return name->data ? SYNC_OK : SYNC_FAULT;
}


/* "[" S selector *(S "," S selector) S "]" */

static sync_rc_t
sync_path_bracketed(sync_path_reader_t *r, sync_path_selector_t **out)
{
    sync_rc_t              rc;
    sync_path_selector_t  *s;

    do {
        r->pos++;
        sync_path_blank(r);

        s = sync_calloc(r->arena, sizeof(sync_path_selector_t));
        if (s == NULL) {
            return SYNC_FAULT;
        }

        *out = s;
        out = &s->next;

        rc = sync_path_selector(r, s);
        if (rc != SYNC_OK) {
            return rc;
        }

        sync_path_blank(r);
    } while (sync_path_at(r, ','));

    if (!sync_path_at(r, ']')) {
        return sync_path_refuse(r, "\"]\" is missing");
    }

    r->pos++;

    return SYNC_OK;
}


static sync_rc_t
sync_path_selector(sync_path_reader_t *r, sync_path_selector_t *s)
{
    sync_rc_t  rc;

    if (r->pos == r->end) {
        return sync_path_refuse(r, "a selector is missing");
    }

    switch (*r->pos) {

    case '\'':
    case '"':
        s->type = SYNC_PATH_NAME;
        return sync_path_string(r, &s->name);

    case '*':
        r->pos++;
        s->type = SYNC_PATH_WILDCARD;
        return SYNC_OK;

    case '?':
        r->pos++;
        s->type = SYNC_PATH_FILTER;

        rc = sync_path_deeper(r);
        if (rc != SYNC_OK) {
            return rc;
        }

        sync_path_blank(r);
        rc = sync_path_or(r, &s->filter);
        r->depth--;

        return rc;

    case ':':
        return sync_path_slice(r, s);
    }

    rc = sync_path_int(r, &s->start);
    if (rc != SYNC_OK) {
        return rc;
    }

    s->has_start = 1;

    return sync_path_slice(r, s);
}


/* [start S] ":" S [end S] [":" [S step]], or the index alone */

static sync_rc_t
sync_path_slice(sync_path_reader_t *r, sync_path_selector_t *s)
{
    sync_rc_t             rc;
    const unsigned char  *before;

    before = r->pos;
    sync_path_blank(r);

    if (!sync_path_at(r, ':')) {
        r->pos = before;
        s->type = SYNC_PATH_INDEX;
        return SYNC_OK;
    }

    r->pos++;
    s->type = SYNC_PATH_SLICE;
    s->step = 1;

    sync_path_blank(r);

    if (r->pos < r->end && (*r->pos == '-' || sync_path_digit(*r->pos))) {

        rc = sync_path_int(r, &s->end);
        if (rc != SYNC_OK) {
            return rc;
        }

        s->has_end = 1;
        sync_path_blank(r);
    }

    if (!sync_path_at(r, ':')) {
        return SYNC_OK;
    }

    r->pos++;
    sync_path_blank(r);

    if (r->pos < r->end && (*r->pos == '-' || sync_path_digit(*r->pos))) {
        return sync_path_int(r, &s->step);
    }

    return SYNC_OK;
}


static sync_rc_t
sync_path_or(sync_path_reader_t *r, sync_path_expr_t **out)
{
    sync_rc_t          rc;
    sync_path_expr_t  *e, *left;

    rc = sync_path_and(r, &left);

    while (rc == SYNC_OK) {
        sync_path_blank(r);

        if (!sync_path_word(r, "||")) {
            *out = left;
            return SYNC_OK;
        }

        rc = sync_path_expr(r, SYNC_PATH_OR, &e);
        if (rc != SYNC_OK) {
            return rc;
        }

        sync_path_blank(r);

        e->left = left;
        left = e;

        rc = sync_path_and(r, &e->right);
    }

    return rc;
}


static sync_rc_t
sync_path_and(sync_path_reader_t *r, sync_path_expr_t **out)
{
    sync_rc_t          rc;
    sync_path_expr_t  *e, *left;

    rc = sync_path_basic(r, &left);

    while (rc == SYNC_OK) {
        sync_path_blank(r);

        if (!sync_path_word(r, "&&")) {
            *out = left;
            return SYNC_OK;
        }

        rc = sync_path_expr(r, SYNC_PATH_AND, &e);
        if (rc != SYNC_OK) {
            return rc;
        }

        sync_path_blank(r);

        e->left = left;
        left = e;

        rc = sync_path_basic(r, &e->right);
    }

    return rc;
}


/* A parenthesis, a comparison, or a test. */

static sync_rc_t
sync_path_basic(sync_path_reader_t *r, sync_path_expr_t **out)
{
    sync_rc_t             rc;
    sync_path_expr_t     *e, *left;
    sync_path_expr_e      op;
    const unsigned char  *before;

    if (sync_path_at(r, '!')) {
        r->pos++;
        sync_path_blank(r);

        rc = sync_path_expr(r, SYNC_PATH_NOT, out);
        if (rc != SYNC_OK) {
            return rc;
        }

        if (sync_path_at(r, '(')) {
            return sync_path_paren(r, &(*out)->left);
        }

        rc = sync_path_operand(r, &(*out)->left);

        if (rc == SYNC_OK && !sync_path_is_test((*out)->left)) {
            rc = sync_path_refuse(r, "\"!\" wants a query, match() or "
                                  "search()");
        }

        return rc;
    }

    if (sync_path_at(r, '(')) {
        return sync_path_paren(r, out);
    }

    rc = sync_path_operand(r, &left);
    if (rc != SYNC_OK) {
        return rc;
    }

    before = r->pos;
    sync_path_blank(r);

    rc = sync_path_operator(r, &op);

    if (rc == SYNC_NO) {
        r->pos = before;

        if (!sync_path_is_test(left)) {
            return sync_path_refuse(r, "a value must be compared");
        }

        *out = left;

        return SYNC_OK;
    }

    if (!sync_path_is_value(left)) {
        return sync_path_refuse(r, "only values and singular queries can be "
                                "compared");
    }

    rc = sync_path_expr(r, op, &e);
    if (rc != SYNC_OK) {
        return rc;
    }

    sync_path_blank(r);

    e->left = left;
    *out = e;

    rc = sync_path_operand(r, &e->right);

    if (rc == SYNC_OK && !sync_path_is_value(e->right)) {
        return sync_path_refuse(r, "only values and singular queries can be "
                                "compared");
    }

    return rc;
}


static sync_rc_t
sync_path_paren(sync_path_reader_t *r, sync_path_expr_t **out)
{
    sync_rc_t  rc;

    r->pos++;

    rc = sync_path_deeper(r);
    if (rc != SYNC_OK) {
        return rc;
    }

    sync_path_blank(r);

    rc = sync_path_or(r, out);
    if (rc != SYNC_OK) {
        return rc;
    }

    r->depth--;
    sync_path_blank(r);

    if (!sync_path_at(r, ')')) {
        return sync_path_refuse(r, "\")\" is missing");
    }

    r->pos++;

    return SYNC_OK;
}


/* NO: there is none; nothing is wrong. */

static sync_rc_t
sync_path_operator(sync_path_reader_t *r, sync_path_expr_e *op)
{
    size_t  i;

    static const struct {
        const char        *text;
        sync_path_expr_e   op;
    } operators[] = {
        { "==", SYNC_PATH_EQ },
        { "!=", SYNC_PATH_NE },
        { "<=", SYNC_PATH_LE },
        { ">=", SYNC_PATH_GE },
        { "<", SYNC_PATH_LT },
        { ">", SYNC_PATH_GT }
    };

    for (i = 0; i < sizeof(operators) / sizeof(operators[0]); i++) {
        if (sync_path_word(r, operators[i].text)) {
            *op = operators[i].op;
            return SYNC_OK;
        }
    }

    return SYNC_NO;
}


/* A literal, a query or a function. */

static sync_rc_t
sync_path_operand(sync_path_reader_t *r, sync_path_expr_t **out)
{
    sync_rc_t  rc;

    if (r->pos == r->end) {
        return sync_path_refuse(r, "an expression is missing");
    }

    if (*r->pos == '$' || *r->pos == '@') {
        rc = sync_path_expr(r, SYNC_PATH_QUERY, out);

        return rc == SYNC_OK ? sync_path_query(r, &(*out)->query) : rc;
    }

    if (sync_path_lower(*r->pos)) {
        return sync_path_function(r, out);
    }

    return sync_path_literal(r, out);
}


/* A function, or one of the words true, false and null. */

static sync_rc_t
sync_path_function(sync_path_reader_t *r, sync_path_expr_t **out)
{
    size_t                i;
    sync_rc_t             rc;
    sync_str_t            name;
    const unsigned char  *p;

    for (p = r->pos; p < r->end && (sync_path_lower(*p) || *p == '_'
                                    || sync_path_digit(*p)); p++)
    {
        /* void */
    }

    name.data = (unsigned char *) r->pos;
    name.len = (size_t) (p - r->pos);

    if (p == r->end || *p != '(') {
        return sync_path_literal(r, out);
    }

    for (i = 0; i < SYNC_PATH_FUNCTIONS; i++) {
        if (sync_str_is(name, sync_path_functions[i].name)) {
            break;
        }
    }

    if (i == SYNC_PATH_FUNCTIONS) {
        return sync_path_refuse(r, "there is no such function");
    }

    r->pos = p + 1;

    rc = sync_path_deeper(r);

    if (rc == SYNC_OK) {
        rc = sync_path_expr(r, (sync_path_expr_e) (SYNC_PATH_LENGTH + i), out);
    }

    if (rc == SYNC_OK) {
        rc = sync_path_arguments(r, *out);
    }

    r->depth--;

    return rc;
}


static sync_rc_t
sync_path_arguments(sync_path_reader_t *r, sync_path_expr_t *e)
{
    size_t              n;
    unsigned            i;
    sync_rc_t           rc;
    sync_str_t          pattern;
    sync_path_expr_t  **argument;

    n = e->type - SYNC_PATH_LENGTH;

    for (i = 0; i < sync_path_functions[n].arguments; i++) {
        argument = i ? &e->right : &e->left;

        sync_path_blank(r);

        if (i) {
            if (!sync_path_at(r, ',')) {
                return sync_path_refuse(r, "the function takes two "
                                        "arguments");
            }

            r->pos++;
            sync_path_blank(r);
        }

        rc = sync_path_operand(r, argument);
        if (rc != SYNC_OK) {
            return rc;
        }

        if (sync_path_functions[n].nodes
            ? (*argument)->type != SYNC_PATH_QUERY
            : !sync_path_is_value(*argument))
        {
            return sync_path_refuse(r, "the function takes no such argument");
        }
    }

    sync_path_blank(r);

    if (!sync_path_at(r, ')')) {
        return sync_path_refuse(r, "\")\" is missing");
    }

    if (sync_path_functions[n].logical
        && e->right->type == SYNC_PATH_LITERAL
        && e->right->node.type == SYNC_JSON_STRING)
    {
        pattern = e->right->literal.text;

        rc = sync_iregexp_compile(&e->regexp, r->arena, pattern,
                                  e->type == SYNC_PATH_MATCH, r->err);

        if (rc == SYNC_NO && r->err != NULL) {
            r->err->what = "path";
            r->err->offset = (size_t) (r->pos - r->start);
        }

        if (rc != SYNC_OK) {
            return rc;
        }
    }

    r->pos++;

    return SYNC_OK;
}


static sync_rc_t
sync_path_literal(sync_path_reader_t *r, sync_path_expr_t **out)
{
    sync_rc_t          rc;
    sync_str_t         text;
    sync_path_expr_t  *e;

    rc = sync_path_expr(r, SYNC_PATH_LITERAL, &e);
    if (rc != SYNC_OK) {
        return rc;
    }

    text = sync_str_lit("");

    if (sync_path_at(r, '"') || sync_path_at(r, '\'')) {
        e->node.type = SYNC_JSON_STRING;
        rc = sync_path_string(r, &text);

    } else if (sync_path_word(r, "true")) {
        e->node.type = SYNC_JSON_TRUE;

    } else if (sync_path_word(r, "false")) {
        e->node.type = SYNC_JSON_FALSE;

    } else if (sync_path_word(r, "null")) {
        e->node.type = SYNC_JSON_NULL;

    } else {
        e->node.type = SYNC_JSON_NUMBER;
        rc = sync_path_number(r, &text);
    }

    e->node.len = (uint32_t) text.len;
    e->node.next = 1;
    e->literal.text = text;
    e->literal.nodes = &e->node;
    e->literal.count = 1;
    *out = e;

    return rc;
}


static int
sync_path_is_value(const sync_path_expr_t *e)
{
    switch (e->type) {

    case SYNC_PATH_LITERAL:
    case SYNC_PATH_LENGTH:
    case SYNC_PATH_COUNT:
    case SYNC_PATH_VALUE:
        return 1;

    case SYNC_PATH_QUERY:
        return e->query->singular;

    default:
        return 0;
    }
}


static int
sync_path_is_test(const sync_path_expr_t *e)
{
    return e->type == SYNC_PATH_QUERY || e->type == SYNC_PATH_MATCH
           || e->type == SYNC_PATH_SEARCH;
}


static sync_rc_t
sync_path_expr(sync_path_reader_t *r, sync_path_expr_e type,
    sync_path_expr_t **out)
{
    *out = sync_calloc(r->arena, sizeof(sync_path_expr_t));

    if (*out == NULL) {
        return SYNC_FAULT;
    }

    (*out)->type = type;

    return SYNC_OK;
}


static sync_rc_t
sync_path_deeper(sync_path_reader_t *r)
{
    if (r->depth++ == SYNC_PATH_DEPTH) {
        return sync_path_refuse(r, "it is nested too deep");
    }

    return SYNC_OK;
}
