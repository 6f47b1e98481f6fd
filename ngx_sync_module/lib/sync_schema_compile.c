
/*
 * A subschema into its operations: each keyword's value is checked, its texts
 * and tables are made.
 */


#include "sync_schema_impl.h"

#include <stdarg.h>
#include <stdio.h>


#define SYNC_SCHEMA_NAMES  4096          /* that one keyword lists */


typedef struct {
    sync_schema_load_t      *load;
    sync_schema_node_t      *node;
    const sync_json_t       *json;
    sync_schema_resource_t  *resource;
} sync_schema_here_t;


typedef sync_rc_t (*sync_schema_handler_pt)(sync_schema_here_t *h,
    sync_schema_op_t *op, uint32_t value);


typedef struct {
    const char              *name;
    uint8_t                  kind;
    sync_schema_handler_pt   handler;
} sync_schema_rule_t;


static sync_rc_t sync_schema_keywords(sync_schema_here_t *h);
static void sync_schema_sort(sync_schema_node_t *node);
static uint32_t sync_schema_value(sync_schema_here_t *h, const char *name);
static sync_rc_t sync_schema_ref(sync_schema_here_t *h, sync_schema_op_t *op,
    uint32_t value);
static sync_rc_t sync_schema_type(sync_schema_here_t *h,
    sync_schema_op_t *op, uint32_t value);
static int sync_schema_type_name(sync_schema_here_t *h, uint32_t value,
    unsigned *types);
static sync_rc_t sync_schema_const(sync_schema_here_t *h,
    sync_schema_op_t *op, uint32_t value);
static sync_rc_t sync_schema_enum(sync_schema_here_t *h,
    sync_schema_op_t *op, uint32_t value);
static sync_rc_t sync_schema_number(sync_schema_here_t *h,
    sync_schema_op_t *op, uint32_t value);
static sync_rc_t sync_schema_multiple(sync_schema_here_t *h,
    sync_schema_op_t *op, uint32_t value);
static sync_rc_t sync_schema_natural(sync_schema_here_t *h, uint32_t value,
    uint64_t *n);
static sync_rc_t sync_schema_bound(sync_schema_here_t *h,
    sync_schema_op_t *op, uint32_t value);
static sync_rc_t sync_schema_unique(sync_schema_here_t *h,
    sync_schema_op_t *op, uint32_t value);
static sync_rc_t sync_schema_pattern(sync_schema_here_t *h,
    sync_schema_op_t *op, uint32_t value);
static sync_rc_t sync_schema_expression(sync_schema_here_t *h, uint32_t at,
    sync_iregexp_t **re);
static sync_rc_t sync_schema_asserted(sync_schema_here_t *h,
    sync_schema_op_t *op, uint32_t value);
static sync_rc_t sync_schema_one(sync_schema_here_t *h, sync_schema_op_t *op,
    uint32_t value);
static sync_rc_t sync_schema_list(sync_schema_here_t *h,
    sync_schema_op_t *op, uint32_t value);
static sync_rc_t sync_schema_branch(sync_schema_here_t *h,
    sync_schema_op_t *op, uint32_t value);
static sync_rc_t sync_schema_contains(sync_schema_here_t *h,
    sync_schema_op_t *op, uint32_t value);
static sync_rc_t sync_schema_items(sync_schema_here_t *h,
    sync_schema_op_t *op, uint32_t value);
static sync_rc_t sync_schema_members(sync_schema_here_t *h,
    sync_schema_op_t *op, uint32_t value);
static sync_rc_t sync_schema_required(sync_schema_here_t *h,
    sync_schema_op_t *op, uint32_t value);
static sync_rc_t sync_schema_dependent(sync_schema_here_t *h,
    sync_schema_op_t *op, uint32_t value);
static sync_rc_t sync_schema_strings(sync_schema_here_t *h, uint32_t value,
    sync_str_t **list, uint32_t *count);
static sync_rc_t sync_schema_names(sync_schema_here_t *h,
    sync_schema_names_t *names, uint32_t value);
static uint32_t sync_schema_hash(sync_str_t s);
static sync_rc_t sync_schema_says(sync_schema_here_t *h,
    sync_schema_op_t *op, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#define sync_schema_wrong(h, at, ...)                                         \
    sync_schema_refuse((h)->load, (h)->resource->doc, (at), "schema",         \
                       __VA_ARGS__)


static const sync_schema_rule_t  sync_schema_rules[] = {
    { "$ref", SYNC_SCHEMA_REF, sync_schema_ref },
    { "$dynamicRef", SYNC_SCHEMA_DYNAMIC_REF, sync_schema_ref },
    { "type", SYNC_SCHEMA_TYPE, sync_schema_type },
    { "const", SYNC_SCHEMA_CONST, sync_schema_const },
    { "enum", SYNC_SCHEMA_ENUM, sync_schema_enum },
    { "multipleOf", SYNC_SCHEMA_MULTIPLE_OF, sync_schema_multiple },
    { "maximum", SYNC_SCHEMA_MAXIMUM, sync_schema_number },
    { "exclusiveMaximum", SYNC_SCHEMA_EXCLUSIVE_MAXIMUM,
      sync_schema_number },
    { "minimum", SYNC_SCHEMA_MINIMUM, sync_schema_number },
    { "exclusiveMinimum", SYNC_SCHEMA_EXCLUSIVE_MINIMUM,
      sync_schema_number },
    { "maxLength", SYNC_SCHEMA_MAX_LENGTH, sync_schema_bound },
    { "minLength", SYNC_SCHEMA_MIN_LENGTH, sync_schema_bound },
    { "pattern", SYNC_SCHEMA_PATTERN, sync_schema_pattern },
    { "format", SYNC_SCHEMA_FORMAT, sync_schema_asserted },
    { "maxItems", SYNC_SCHEMA_MAX_ITEMS, sync_schema_bound },
    { "minItems", SYNC_SCHEMA_MIN_ITEMS, sync_schema_bound },
    { "uniqueItems", SYNC_SCHEMA_UNIQUE_ITEMS, sync_schema_unique },
    { "prefixItems", SYNC_SCHEMA_ITEMS, sync_schema_items },
    { "items", SYNC_SCHEMA_ITEMS, sync_schema_items },
    { "contains", SYNC_SCHEMA_CONTAINS, sync_schema_contains },
    { "maxProperties", SYNC_SCHEMA_MAX_PROPERTIES, sync_schema_bound },
    { "minProperties", SYNC_SCHEMA_MIN_PROPERTIES, sync_schema_bound },
    { "required", SYNC_SCHEMA_REQUIRED, sync_schema_required },
    { "properties", SYNC_SCHEMA_MEMBERS, sync_schema_members },
    { "patternProperties", SYNC_SCHEMA_MEMBERS, sync_schema_members },
    { "additionalProperties", SYNC_SCHEMA_MEMBERS, sync_schema_members },
    { "propertyNames", SYNC_SCHEMA_PROPERTY_NAMES, sync_schema_one },
    { "dependencies", SYNC_SCHEMA_DEPENDENT, sync_schema_dependent },
    { "dependentSchemas", SYNC_SCHEMA_DEPENDENT, sync_schema_dependent },
    { "dependentRequired", SYNC_SCHEMA_DEPENDENT, sync_schema_dependent },
    { "allOf", SYNC_SCHEMA_ALL_OF, sync_schema_list },
    { "anyOf", SYNC_SCHEMA_ANY_OF, sync_schema_list },
    { "oneOf", SYNC_SCHEMA_ONE_OF, sync_schema_list },
    { "not", SYNC_SCHEMA_NOT, sync_schema_one },
    { "if", SYNC_SCHEMA_IF, sync_schema_branch },
    { "unevaluatedItems", SYNC_SCHEMA_UNEVALUATED_ITEMS, sync_schema_one },
    { "unevaluatedProperties", SYNC_SCHEMA_UNEVALUATED_PROPERTIES,
      sync_schema_one }
};

#define SYNC_SCHEMA_RULES                                                     \
    (sizeof(sync_schema_rules) / sizeof(sync_schema_rules[0]))


sync_rc_t
sync_schema_ops(sync_schema_load_t *load, sync_schema_node_t *node)
{
    sync_schema_here_t  h;

    h.load = load;
    h.node = node;
    h.resource = node->resource;
    h.json = &node->resource->doc->json;

    switch (h.json->nodes[node->at].type) {

    case SYNC_JSON_TRUE:
        node->constant = 1;
        return SYNC_OK;

    case SYNC_JSON_FALSE:
        node->constant = 0;
        return SYNC_OK;
    }

    node->constant = -1;

    node->ops = sync_calloc(load->arena, h.json->nodes[node->at].len
                                         * sizeof(sync_schema_op_t));
    if (node->ops == NULL) {
        return SYNC_FAULT;
    }

    return sync_schema_keywords(&h);
}


static sync_rc_t
sync_schema_keywords(sync_schema_here_t *h)
{
    size_t                     i;
    uint32_t                   value;
    sync_rc_t                  rc;
    sync_schema_op_t          *op;
    sync_schema_node_t        *node;
    const sync_schema_rule_t  *rule;

    node = h->node;

    for (i = 0; i < SYNC_SCHEMA_RULES; i++) {
        rule = &sync_schema_rules[i];

        value = sync_schema_value(h, rule->name);
        if (value == SYNC_JSON_NONE) {
            continue;
        }

        /* keywords that work together are one operation */

        if ((rule->kind == SYNC_SCHEMA_MEMBERS
             || rule->kind == SYNC_SCHEMA_ITEMS)
            && node->nops > 0
            && node->ops[node->nops - 1].kind == rule->kind)
        {
            continue;
        }

        op = &node->ops[node->nops];
        op->kind = rule->kind;
        op->keyword = rule->name;
        op->at = value - 1;

        rc = rule->handler(h, op, value);

        if (rc == SYNC_PENDING) {

            /* it says nothing */

            memset(op, 0, sizeof(sync_schema_op_t));
            continue;
        }

        if (rc != SYNC_OK) {
            return rc;
        }

        node->nops++;

        if (op->kind >= SYNC_SCHEMA_UNEVALUATED_ITEMS) {
            node->collects = 1;
        }

        if (op->kind == SYNC_SCHEMA_REF
            && h->resource->dialect.draft == SYNC_SCHEMA_DRAFT_07)
        {
            return SYNC_OK;
        }
    }

    sync_schema_sort(node);

    return SYNC_OK;
}


/* What is cheap comes first, what looks at the others last; stable. */

static void
sync_schema_sort(sync_schema_node_t *node)
{
    uint32_t          i, k;
    sync_schema_op_t  op;

    for (i = 1; i < node->nops; i++) {
        op = node->ops[i];

        for (k = i; k > 0 && node->ops[k - 1].kind > op.kind; k--) {
            node->ops[k] = node->ops[k - 1];
        }

        node->ops[k] = op;
    }
}


/* The value of a keyword that the dialect has, or SYNC_JSON_NONE. */

static uint32_t
sync_schema_value(sync_schema_here_t *h, const char *name)
{
    sync_str_t  s;

    s.data = (unsigned char *) (uintptr_t) name;
    s.len = strlen(name);

    return sync_schema_keyword(&h->resource->dialect, s)
           ? sync_json_member(h->json, h->node->at, s) : SYNC_JSON_NONE;
}


static sync_rc_t
sync_schema_ref(sync_schema_here_t *h, sync_schema_op_t *op, uint32_t value)
{
    return sync_schema_find(h->load, h->resource, value, &op->u.ref.node,
                            &op->u.ref.anchor);
}


static sync_rc_t
sync_schema_type(sync_schema_here_t *h, sync_schema_op_t *op, uint32_t value)
{
    int                      known;
    size_t                   i, len;
    char                     names[80];
    uint32_t                 k, end;
    const sync_json_node_t  *nodes;

    static const struct {
        unsigned     bit;
        const char  *name;
    } types[] = {
        { SYNC_SCHEMA_INTEGER, "integer" },
        { 1 << SYNC_JSON_NUMBER, "number" },
        { 1 << SYNC_JSON_STRING, "string" },
        { 1 << SYNC_JSON_TRUE, "boolean" },
        { 1 << SYNC_JSON_OBJECT, "object" },
        { 1 << SYNC_JSON_ARRAY, "array" },
        { 1 << SYNC_JSON_NULL, "null" }
    };

    nodes = h->json->nodes;

    /* one name, or an array of them */

    k = value;
    end = value + 1;
    known = 1;

    if (nodes[value].type == SYNC_JSON_ARRAY) {
        known = nodes[value].len > 0;
        k++;
        end = nodes[value].next;
    }

    for ( /* void */ ; known && k < end; k = nodes[k].next) {
        known = sync_schema_type_name(h, k, &op->u.types);
    }

    if (!known) {
        return sync_schema_wrong(h, value, "\"type\" is one or several of "
                                 "null, boolean, integer, number, string, "
                                 "array, object");
    }

    for (i = 0, len = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (op->u.types & types[i].bit) {
            len += (size_t) snprintf(names + len, sizeof(names) - len,
                                     "%s%s", len ? " or " : "",
                                     types[i].name);
        }
    }

    return sync_schema_says(h, op, "is not of type %s", names);
}


static int
sync_schema_type_name(sync_schema_here_t *h, uint32_t value, unsigned *types)
{
    size_t  i;

    static const struct {
        const char  *name;
        unsigned     bits;
    } names[] = {
        { "null", 1 << SYNC_JSON_NULL },
        { "boolean", 1 << SYNC_JSON_FALSE | 1 << SYNC_JSON_TRUE },
        { "integer", SYNC_SCHEMA_INTEGER },
        { "number", 1 << SYNC_JSON_NUMBER },
        { "string", 1 << SYNC_JSON_STRING },
        { "array", 1 << SYNC_JSON_ARRAY },
        { "object", 1 << SYNC_JSON_OBJECT }
    };

    if (h->json->nodes[value].type != SYNC_JSON_STRING) {
        return 0;
    }

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (sync_json_equals(h->json, value, (sync_str_t) {
                             strlen(names[i].name),
                             (unsigned char *) (uintptr_t) names[i].name }))
        {
            *types |= names[i].bits;
            return 1;
        }
    }

    return 0;
}


static sync_rc_t
sync_schema_const(sync_schema_here_t *h, sync_schema_op_t *op,
    uint32_t value)
{
    op->u.value = value;
    op->text = "is not the value that the schema wants";

    return SYNC_OK;
}


static sync_rc_t
sync_schema_enum(sync_schema_here_t *h, sync_schema_op_t *op, uint32_t value)
{
    uint32_t                 i, n;
    sync_rc_t                rc;
    const sync_json_node_t  *nodes;

    nodes = h->json->nodes;

    if (nodes[value].type != SYNC_JSON_ARRAY) {
        return sync_schema_wrong(h, value, "\"enum\" is an array");
    }

    n = nodes[value].len;

    op->u.one_of.values = sync_alloc(h->load->arena, n * sizeof(uint32_t));
    op->u.one_of.hashes = sync_alloc(h->load->arena, n * sizeof(uint64_t));

    if (op->u.one_of.values == NULL || op->u.one_of.hashes == NULL) {
        return SYNC_FAULT;
    }

    for (i = value + 1, n = 0; i < nodes[value].next; i = nodes[i].next) {

        op->u.one_of.values[n] = i;
        rc = sync_json_hash_value(h->json, i, h->load->arena,
                                  &op->u.one_of.hashes[n]);

        if (rc != SYNC_OK) {
            return rc;
        }

        n++;
    }

    op->u.one_of.count = n;
    op->text = "is not one of the values that the schema lists";

    return SYNC_OK;
}


static sync_rc_t
sync_schema_number(sync_schema_here_t *h, sync_schema_op_t *op,
    uint32_t value)
{
    const char  *how;

    if (h->json->nodes[value].type != SYNC_JSON_NUMBER) {
        return sync_schema_wrong(h, value, "\"%s\" is a number",
                                 op->keyword);
    }

    op->u.number = sync_json_slice(h->json, value);

    how = op->kind == SYNC_SCHEMA_MAXIMUM ? "above"
          : op->kind == SYNC_SCHEMA_MINIMUM ? "below"
          : op->kind == SYNC_SCHEMA_EXCLUSIVE_MAXIMUM ? "not below"
                                                      : "not above";

    return sync_schema_says(h, op, "is %s %.*s", how,
                            (int) (op->u.number.len < 40
                                   ? op->u.number.len : 40),
                            (char *) op->u.number.data);
}


static sync_rc_t
sync_schema_multiple(sync_schema_here_t *h, sync_schema_op_t *op,
    uint32_t value)
{
    sync_str_t  number;

    number = sync_json_slice(h->json, value);

    if (h->json->nodes[value].type != SYNC_JSON_NUMBER
        || sync_decimal_divisor(number, &op->u.divisor) != SYNC_OK)
    {
        return sync_schema_wrong(h, value, "\"multipleOf\" is a number above "
                                 "0 of at most %d digits",
                                 SYNC_DECIMAL_DIVISOR);
    }

    return sync_schema_says(h, op, "is not a multiple of %.*s",
                            (int) (number.len < 40 ? number.len : 40),
                            (char *) number.data);
}


static sync_rc_t
sync_schema_natural(sync_schema_here_t *h, uint32_t value, uint64_t *n)
{
    if (h->json->nodes[value].type != SYNC_JSON_NUMBER
        || sync_decimal_natural(sync_json_slice(h->json, value), n)
           != SYNC_OK)
    {
        return sync_schema_wrong(h, value, "a length or a count is an "
                                 "integer from 0 on");
    }

    return SYNC_OK;
}


static sync_rc_t
sync_schema_bound(sync_schema_here_t *h, sync_schema_op_t *op,
    uint32_t value)
{
    sync_rc_t    rc;
    const char  *what;

    rc = sync_schema_natural(h, value, &op->u.n);
    if (rc != SYNC_OK) {
        return rc;
    }

    what = op->kind <= SYNC_SCHEMA_MIN_LENGTH ? "characters"
           : op->kind <= SYNC_SCHEMA_MIN_ITEMS ? "items" : "members";

    return sync_schema_says(h, op, "has %s than %llu %s",
                            op->keyword[1] == 'a' ? "more" : "fewer",
                            (unsigned long long) op->u.n, what);
}


static sync_rc_t
sync_schema_unique(sync_schema_here_t *h, sync_schema_op_t *op,
    uint32_t value)
{
    switch (h->json->nodes[value].type) {

    case SYNC_JSON_TRUE:
        op->text = "is equal to an item before it";
        return SYNC_OK;

    case SYNC_JSON_FALSE:
        return SYNC_PENDING;
    }

    return sync_schema_wrong(h, value, "\"uniqueItems\" is true or false");
}


static sync_rc_t
sync_schema_pattern(sync_schema_here_t *h, sync_schema_op_t *op,
    uint32_t value)
{
    if (h->json->nodes[value].type != SYNC_JSON_STRING) {
        return sync_schema_wrong(h, value, "\"pattern\" is a string");
    }

    op->text = "does not match the pattern of the schema";

    return sync_schema_expression(h, value, &op->u.regexp);
}


static sync_rc_t
sync_schema_expression(sync_schema_here_t *h, uint32_t at,
    sync_iregexp_t **re)
{
    sync_rc_t     rc;
    sync_str_t    pattern;
    sync_error_t  e;

    pattern = sync_json_unescape(h->json, at, h->load->arena);
    if (pattern.data == NULL) {
        return SYNC_FAULT;
    }

    rc = sync_schema_regexp(re, h->load->arena, pattern, &e);

    return rc == SYNC_NO ? sync_schema_wrong(h, at, "%s", e.text) : rc;
}


static sync_rc_t
sync_schema_asserted(sync_schema_here_t *h, sync_schema_op_t *op,
    uint32_t value)
{
    int         vocabulary;
    sync_str_t  name;

    if (h->json->nodes[value].type != SYNC_JSON_STRING) {
        return sync_schema_wrong(h, value, "\"format\" is a string");
    }

    vocabulary = (h->resource->dialect.vocab & SYNC_VOCAB_ASSERT) != 0;

    if (!vocabulary && !h->load->options->formats) {
        return SYNC_PENDING;
    }

    name = sync_json_unescape(h->json, value, h->load->arena);
    if (name.data == NULL) {
        return SYNC_FAULT;
    }

    op->u.format = sync_schema_format(name);

    if (op->u.format == NULL) {

        /* the vocabulary has no room for what is not known, a choice has */

        return vocabulary ? sync_schema_wrong(h, value, "there is no such "
                                              "format")
                          : SYNC_PENDING;
    }

    return sync_schema_says(h, op, "is not of the format %.*s",
                            (int) name.len, (char *) name.data);
}


static sync_rc_t
sync_schema_one(sync_schema_here_t *h, sync_schema_op_t *op, uint32_t value)
{
    op->text = op->kind == SYNC_SCHEMA_NOT
               ? "is what the schema excludes"
               : "has a name that the schema does not allow";

    return sync_schema_node(h->load, h->resource, value, &op->u.node);
}


static sync_rc_t
sync_schema_list(sync_schema_here_t *h, sync_schema_op_t *op, uint32_t value)
{
    uint32_t                 i, n;
    sync_rc_t                rc;
    const sync_json_node_t  *nodes;

    nodes = h->json->nodes;

    op->u.list.list = sync_alloc(h->load->arena,
                                 nodes[value].len * sizeof(void *));
    if (op->u.list.list == NULL) {
        return SYNC_FAULT;
    }

    for (i = value + 1, n = 0; i < nodes[value].next; i = nodes[i].next) {

        rc = sync_schema_node(h->load, h->resource, i,
                              &op->u.list.list[n++]);
        if (rc != SYNC_OK) {
            return rc;
        }
    }

    op->u.list.count = n;
    op->text = op->kind == SYNC_SCHEMA_ANY_OF
               ? "is none of the alternatives of the schema"
               : "is not exactly one of the alternatives of the schema";

    return SYNC_OK;
}


static sync_rc_t
sync_schema_branch(sync_schema_here_t *h, sync_schema_op_t *op,
    uint32_t value)
{
    uint32_t   then, other;
    sync_rc_t  rc;

    then = sync_schema_value(h, "then");
    other = sync_schema_value(h, "else");

    rc = sync_schema_node(h->load, h->resource, value, &op->u.branch.test);

    if (rc == SYNC_OK && then != SYNC_JSON_NONE) {
        rc = sync_schema_node(h->load, h->resource, then,
                              &op->u.branch.then);
    }

    if (rc == SYNC_OK && other != SYNC_JSON_NONE) {
        rc = sync_schema_node(h->load, h->resource, other,
                              &op->u.branch.other);
    }

    return rc;
}


static sync_rc_t
sync_schema_contains(sync_schema_here_t *h, sync_schema_op_t *op,
    uint32_t value)
{
    uint32_t   at;
    sync_rc_t  rc;

    op->u.contains.min = 1;
    op->u.contains.max = UINT64_MAX;
    op->u.contains.min_at = SYNC_JSON_NONE;
    op->u.contains.max_at = SYNC_JSON_NONE;
    op->u.contains.marks = h->resource->dialect.draft == SYNC_SCHEMA_2020_12;
    op->text = "has not as many items of a kind as the schema wants";

    at = sync_schema_value(h, "minContains");

    if (at != SYNC_JSON_NONE) {
        rc = sync_schema_natural(h, at, &op->u.contains.min);
        if (rc != SYNC_OK) {
            return rc;
        }

        op->u.contains.min_at = at - 1;
    }

    at = sync_schema_value(h, "maxContains");

    if (at != SYNC_JSON_NONE) {
        rc = sync_schema_natural(h, at, &op->u.contains.max);
        if (rc != SYNC_OK) {
            return rc;
        }

        op->u.contains.max_at = at - 1;
    }

    return sync_schema_node(h->load, h->resource, value,
                            &op->u.contains.node);
}


/* "prefixItems" and "items", or "items" and "additionalItems". */

static sync_rc_t
sync_schema_items(sync_schema_here_t *h, sync_schema_op_t *op,
    uint32_t value)
{
    uint32_t   list, rest;
    sync_rc_t  rc;

    list = sync_schema_value(h, "prefixItems");
    rest = sync_schema_value(h, "items");

    if (rest != SYNC_JSON_NONE
        && h->json->nodes[rest].type == SYNC_JSON_ARRAY)
    {
        list = rest;
        rest = sync_schema_value(h, "additionalItems");
    }

    if (list != SYNC_JSON_NONE) {
        rc = sync_schema_list(h, op, list);
        if (rc != SYNC_OK) {
            return rc;
        }
    }

    return rest == SYNC_JSON_NONE
           ? SYNC_OK : sync_schema_node(h->load, h->resource, rest,
                                        &op->u.list.rest);
}


static sync_rc_t
sync_schema_members(sync_schema_here_t *h, sync_schema_op_t *op,
    uint32_t value)
{
    uint32_t                 names, patterns, others, i, n;
    sync_rc_t                rc;
    sync_schema_members_t   *m;
    const sync_json_node_t  *nodes;

    nodes = h->json->nodes;

    m = sync_calloc(h->load->arena, sizeof(sync_schema_members_t));
    if (m == NULL) {
        return SYNC_FAULT;
    }

    op->u.members = m;

    names = sync_schema_value(h, "properties");
    patterns = sync_schema_value(h, "patternProperties");
    others = sync_schema_value(h, "additionalProperties");

    if (names != SYNC_JSON_NONE) {

        rc = sync_schema_names(h, &m->names, names);

        for (i = 0; rc == SYNC_OK && i < m->names.count; i++) {
            rc = sync_schema_node(h->load, h->resource,
                                  m->names.list[i].at + 1,
                                  &m->names.list[i].node);
        }

        if (rc != SYNC_OK) {
            return rc;
        }
    }

    if (patterns != SYNC_JSON_NONE) {

        m->npatterns = nodes[patterns].len;
        m->patterns = sync_alloc(h->load->arena, m->npatterns
                                          * sizeof(sync_schema_pattern_t));
        if (m->patterns == NULL) {
            return SYNC_FAULT;
        }

        for (i = patterns + 1, n = 0; n < m->npatterns;
             i = nodes[i].next, n++)
        {
            rc = sync_schema_expression(h, i, &m->patterns[n].regexp);

            if (rc == SYNC_OK) {
                rc = sync_schema_node(h->load, h->resource, i + 1,
                                      &m->patterns[n].node);
            }

            if (rc != SYNC_OK) {
                return rc;
            }
        }
    }

    return others == SYNC_JSON_NONE
           ? SYNC_OK : sync_schema_node(h->load, h->resource, others,
                                        &m->others);
}


static sync_rc_t
sync_schema_required(sync_schema_here_t *h, sync_schema_op_t *op,
    uint32_t value)
{
    op->text = "is missing";

    return sync_schema_names(h, &op->u.names, value);
}


/* By name, what must hold where a member of that name is there. */

static sync_rc_t
sync_schema_dependent(sync_schema_here_t *h, sync_schema_op_t *op,
    uint32_t value)
{
    uint32_t             i;
    sync_rc_t            rc;
    sync_schema_name_t  *n;

    if (h->json->nodes[value].type != SYNC_JSON_OBJECT) {
        return sync_schema_wrong(h, value, "\"%s\" is an object",
                                 op->keyword);
    }

    op->text = "is missing beside another member";

    rc = sync_schema_names(h, &op->u.names, value);

    for (i = 0; rc == SYNC_OK && i < op->u.names.count; i++) {
        n = &op->u.names.list[i];

        if (h->json->nodes[n->at + 1].type == SYNC_JSON_ARRAY) {
            rc = sync_schema_strings(h, n->at + 1, &n->names, &n->count);

        } else if (strcmp(op->keyword, "dependentRequired") == 0) {
            rc = sync_schema_wrong(h, n->at + 1, "the members that another "
                                   "one needs are an array of names");

        } else {
            rc = sync_schema_node(h->load, h->resource, n->at + 1, &n->node);
        }
    }

    return rc;
}


static sync_rc_t
sync_schema_strings(sync_schema_here_t *h, uint32_t value, sync_str_t **list,
    uint32_t *count)
{
    uint32_t                 i, k, n;
    const sync_json_node_t  *nodes;

    nodes = h->json->nodes;

    if (nodes[value].type != SYNC_JSON_ARRAY
        || nodes[value].len > SYNC_SCHEMA_NAMES)
    {
        return sync_schema_wrong(h, value, "names of members are an array "
                                 "of up to %d strings", SYNC_SCHEMA_NAMES);
    }

    *list = sync_alloc(h->load->arena,
                       nodes[value].len * sizeof(sync_str_t));
    if (*list == NULL) {
        return SYNC_FAULT;
    }

    for (i = value + 1, n = 0; i < nodes[value].next; i = nodes[i].next) {

        if (nodes[i].type != SYNC_JSON_STRING) {
            return sync_schema_wrong(h, i, "names of members are an array of "
                                     "strings");
        }

        (*list)[n] = sync_json_unescape(h->json, i, h->load->arena);
        if ((*list)[n].data == NULL) {
            return SYNC_FAULT;
        }

        for (k = 0; k < n; k++) {
            if (sync_str_eq((*list)[k], (*list)[n])) {
                return sync_schema_wrong(h, i, "a name stands there twice");
            }
        }

        n++;
    }

    *count = n;

    return SYNC_OK;
}


/* A table of an object's names, or of an array's strings. */

static sync_rc_t
sync_schema_names(sync_schema_here_t *h, sync_schema_names_t *names,
    uint32_t value)
{
    uint32_t                 i, k, n, slot;
    sync_rc_t                rc;
    sync_str_t              *strings;
    const sync_json_node_t  *nodes;

    nodes = h->json->nodes;
    strings = NULL;

    if (nodes[value].type == SYNC_JSON_OBJECT) {
        n = nodes[value].len;

    } else {
        rc = sync_schema_strings(h, value, &strings, &n);
        if (rc != SYNC_OK) {
            return rc;
        }
    }

    for (i = 4; i < n * 2; i *= 2) { /* void */ }

    names->mask = i - 1;
    names->count = n;
    names->list = sync_calloc(h->load->arena,
                              n * sizeof(sync_schema_name_t));
    names->slots = sync_calloc(h->load->arena, i * sizeof(uint32_t));

    if (names->list == NULL || names->slots == NULL) {
        return SYNC_FAULT;
    }

    for (i = value + 1, k = 0; k < n; i = nodes[i].next, k++) {

        names->list[k].at = i;
        names->list[k].name = strings ? strings[k]
                              : sync_json_unescape(h->json, i,
                                                   h->load->arena);

        if (names->list[k].name.data == NULL) {
            return SYNC_FAULT;
        }

        for (slot = sync_schema_hash(names->list[k].name) & names->mask;
             names->slots[slot];
             slot = (slot + 1) & names->mask)
        {
            /* void */
        }

        names->slots[slot] = k + 1;
    }

    return SYNC_OK;
}


/*
 * Found without memory: a name with escapes, which nobody writes, is compared
 * with each.  The schema alone decides how long a row of slots gets.
 */

sync_schema_name_t *
sync_schema_name(const sync_schema_names_t *names, const sync_json_t *json,
    uint32_t key)
{
    uint32_t    i, slot;
    sync_str_t  name;

    if (json->nodes[key].flags & SYNC_JSON_ESCAPED) {

        for (i = 0; i < names->count; i++) {
            if (sync_json_equals(json, key, names->list[i].name)) {
                return &names->list[i];
            }
        }

        return NULL;
    }

    name = sync_json_slice(json, key);

    for (slot = sync_schema_hash(name) & names->mask;
         names->slots && names->slots[slot];
         slot = (slot + 1) & names->mask)
    {
        i = names->slots[slot] - 1;

        if (sync_str_eq(names->list[i].name, name)) {
            return &names->list[i];
        }
    }

    return NULL;
}


static uint32_t
sync_schema_hash(sync_str_t s)
{
    size_t    i;
    uint32_t  h;

    h = 2166136261u;

    for (i = 0; i < s.len; i++) {
        h = (h ^ s.data[i]) * 16777619u;
    }

    return h ^ h >> 15;
}


static sync_rc_t
sync_schema_says(sync_schema_here_t *h, sync_schema_op_t *op,
    const char *fmt, ...)
{
    char        text[160];
    va_list     args;
    sync_str_t  s;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);

    s.data = (unsigned char *) text;
    s.len = strlen(text);
    s = sync_strdup(h->load->arena, s);

    op->text = (const char *) s.data;

    return s.data ? SYNC_OK : SYNC_FAULT;
}
