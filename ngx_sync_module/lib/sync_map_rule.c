
/*
 * Compiling one rule of a map: where its values come from, what is done to
 * them.
 */


#include "sync_map_rules.h"


static sync_rc_t sync_map_from(sync_map_compile_t *c, uint32_t doc,
    uint32_t node, sync_map_scope_t *scope, sync_map_from_t *from);
static int sync_map_chain(sync_str_t text, sync_str_t *names, uint32_t *count,
    int *elements);
static sync_rc_t sync_map_source(sync_map_compile_t *c,
    sync_map_scope_t *scope, const sync_str_t *names, uint32_t count,
    sync_map_source_t **source);
static sync_rc_t sync_map_source_add(sync_map_compile_t *c,
    sync_map_source_t *source, sync_str_t name, sync_map_source_t **child);
static sync_rc_t sync_map_chain_pointer(sync_map_compile_t *c,
    const sync_str_t *names, uint32_t count, sync_str_t *pointer);
static sync_rc_t sync_map_froms(sync_map_compile_t *c, uint32_t doc,
    uint32_t node, sync_map_scope_t *scope, sync_map_rule_t *rule);
static sync_rc_t sync_map_parts(sync_map_compile_t *c, uint32_t doc,
    uint32_t node, sync_map_scope_t *scope, sync_map_rule_t *rule);
static sync_rc_t sync_map_fits(sync_map_compile_t *c,
    const sync_map_place_t *place, const sync_map_rule_t *rule);


/* in the order of sync_map_env_e */

static const char *const  sync_map_envs[] = {
    "tenant", "client", "source", "connector", "entity", "operation",
    "object_id", "correlation_id", "downstream_key", "now", NULL
};

/* in the order of sync_map_kind_e; "each" goes with "from" */

static const char *const  sync_map_kinds[] = {
    "from", "each", "concat", "constant", "env", NULL
};

static const char *const  sync_map_part_names[] = { "text", "env", NULL };

/* which members mean something, by kind */

static const struct {
    const char  *name;
    uint8_t      kinds;
} sync_map_fitting[] = {
    { "required", 1 << SYNC_MAP_FROM | 1 << SYNC_MAP_EACH
                  | 1 << SYNC_MAP_CONCAT | 1 << SYNC_MAP_ENV },
    { "default",  1 << SYNC_MAP_FROM | 1 << SYNC_MAP_EACH
                  | 1 << SYNC_MAP_CONCAT | 1 << SYNC_MAP_ENV },
    { "enum",     1 << SYNC_MAP_FROM },
    { "lookup",   1 << SYNC_MAP_FROM },
    { "type",     1 << SYNC_MAP_FROM },
    { "format",   1 << SYNC_MAP_FROM },
    { "trim",     1 << SYNC_MAP_FROM },
    { "case",     1 << SYNC_MAP_FROM },
    { "split",    1 << SYNC_MAP_FROM },
    { "join",     1 << SYNC_MAP_CONCAT }
};


sync_rc_t
sync_map_rule(sync_map_compile_t *c, const sync_map_place_t *place,
    sync_map_scope_t *scope, uint32_t depth, sync_map_rule_t **result)
{
    int                value;
    uint32_t           i, doc, node, from, kinds, at, atdoc;
    sync_rc_t          rc;
    sync_str_t         text;
    sync_map_rule_t   *rule;
    sync_map_place_t   each;

    rule = sync_calloc(c->arena, sizeof(sync_map_rule_t));
    if (rule == NULL) {
        return SYNC_FAULT;
    }

    *result = rule;
    kinds = 0;
    at = SYNC_JSON_NONE;
    atdoc = 0;

    for (i = 0; sync_map_kinds[i] != NULL; i++) {
        sync_map_member(c, place, sync_map_kinds[i], &doc, &node);

        if (node == SYNC_JSON_NONE) {
            continue;
        }

        if (!(i == SYNC_MAP_EACH && rule->kind == SYNC_MAP_FROM && kinds)) {
            kinds++;
        }

        rule->kind = (uint8_t) i;
        at = node;
        atdoc = doc;
    }

    sync_map_member(c, place, "to", &doc, &node);

    if (kinds == 0) {
        return sync_map_refuse(c, doc, node, "missing",
                               "the rule takes no value: add \"from\", "
                               "\"concat\", \"constant\" or \"env\"");
    }

    sync_map_member(c, place, "from", &i, &from);

    if (kinds > 1 || (rule->kind == SYNC_MAP_EACH && from == SYNC_JSON_NONE)) {
        return sync_map_refuse(c, atdoc, at, "conflict",
                               "a rule has one of \"from\", \"concat\", "
                               "\"constant\" and \"env\", and \"each\" needs "
                               "\"from\"");
    }

    rc = sync_map_fits(c, place, rule);
    if (rc != SYNC_OK) {
        return rc;
    }

    switch (rule->kind) {

    case SYNC_MAP_EACH:
    case SYNC_MAP_FROM:
        rc = sync_map_froms(c, i, from, scope, rule);
        break;

    case SYNC_MAP_CONCAT:
        rc = sync_map_parts(c, atdoc, at, scope, rule);
        break;

    case SYNC_MAP_CONSTANT:
        rule->constant = sync_map_raw(c, atdoc, at);
        rc = rule->constant.data == NULL ? SYNC_FAULT : SYNC_OK;
        break;

    default:
        rc = sync_map_named(c, atdoc, at, sync_map_envs, "an env", &rule->env);
        c->env |= 1u << rule->env;
    }

    if (rc != SYNC_OK) {
        return rc;
    }

    sync_map_member(c, place, "join", &doc, &node);

    if (node != SYNC_JSON_NONE) {
        if (c->docs[doc].json.nodes[node].type != SYNC_JSON_STRING) {
            return sync_map_refuse(c, doc, node, "type",
                                   "\"join\" is a string");
        }

        text = sync_map_text(c, doc, node);
        if (text.data == NULL) {
            return SYNC_FAULT;
        }

        rule->join = sync_map_escaped(c, text);
        if (rule->join.data == NULL) {
            return SYNC_FAULT;
        }
    }

    sync_map_member(c, place, "default", &doc, &node);

    if (node != SYNC_JSON_NONE) {
        rule->missing = sync_map_raw(c, doc, node);
        if (rule->missing.data == NULL) {
            return SYNC_FAULT;
        }
    }

    rc = sync_map_tables(c, place, rule);

    if (rc == SYNC_OK) {
        rc = sync_map_steps(c, place, rule);
    }

    if (rc != SYNC_OK) {
        return rc;
    }

    value = 0;

    rc = sync_map_flag(c, place, "required", &value);
    if (rc != SYNC_OK) {
        return rc;
    }

    rule->required = value;

    value = rule->kind != SYNC_MAP_CONSTANT && rule->kind != SYNC_MAP_ENV;

    rc = sync_map_flag(c, place, "update", &value);
    if (rc != SYNC_OK) {
        return rc;
    }

    rule->update = value;

    if (rule->kind != SYNC_MAP_EACH) {
        return SYNC_OK;
    }

    if (depth == SYNC_MAP_EACH_MAX) {
        sync_map_member(c, place, "each", &atdoc, &at);

        return sync_map_refuse(c, atdoc, at, "value", "\"each\" stands in "
                               "\"each\" at most %d deep",
                               SYNC_MAP_EACH_MAX);
    }

    rule->each = sync_calloc(c->arena, sizeof(sync_map_scope_t));
    if (rule->each == NULL) {
        return SYNC_FAULT;
    }

    sync_map_below(c, place, "each", &each);

    return sync_map_scope(c, &each, scope, depth + 1, rule->each);
}


/* Refuses members that would silently do nothing. */

static sync_rc_t
sync_map_fits(sync_map_compile_t *c, const sync_map_place_t *place,
    const sync_map_rule_t *rule)
{
    size_t    i;
    uint32_t  doc, node;

    for (i = 0; i < sizeof(sync_map_fitting) / sizeof(sync_map_fitting[0]);
         i++)
    {
        sync_map_member(c, place, sync_map_fitting[i].name, &doc, &node);

        if (node != SYNC_JSON_NONE
            && !(sync_map_fitting[i].kinds & 1 << rule->kind))
        {
            return sync_map_refuse(c, doc, node, "conflict",
                                   "\"%s\" does nothing beside \"%s\"",
                                   sync_map_fitting[i].name,
                                   sync_map_kinds[rule->kind]);
        }
    }

    return SYNC_OK;
}


sync_rc_t
sync_map_flag(sync_map_compile_t *c, const sync_map_place_t *place,
    const char *name, int *value)
{
    uint32_t  doc, node, type;

    sync_map_member(c, place, name, &doc, &node);

    if (node == SYNC_JSON_NONE) {
        return SYNC_OK;
    }

    type = c->docs[doc].json.nodes[node].type;

    if (type != SYNC_JSON_TRUE && type != SYNC_JSON_FALSE) {
        return sync_map_refuse(c, doc, node, "type",
                               "\"%s\" is true or false", name);
    }

    *value = type == SYNC_JSON_TRUE;

    return SYNC_OK;
}


sync_rc_t
sync_map_named(sync_map_compile_t *c, uint32_t doc, uint32_t node,
    const char *const *names, const char *of, uint8_t *value)
{
    uint32_t    i;
    sync_str_t  s;

    if (c->docs[doc].json.nodes[node].type != SYNC_JSON_STRING) {
        return sync_map_refuse(c, doc, node, "type",
                               "%s is named by a string", of);
    }

    s = sync_map_text(c, doc, node);
    if (s.data == NULL) {
        return SYNC_FAULT;
    }

    for (i = 0; names[i] != NULL; i++) {
        if (*names[i] && sync_str_is(s, names[i])) {
            *value = (uint8_t) i;
            return SYNC_OK;
        }
    }

    return sync_map_unknown(c, doc, node, s, "value", names, of);
}


/* "from": one query, or several of which the first with a value counts. */

static sync_rc_t
sync_map_froms(sync_map_compile_t *c, uint32_t doc, uint32_t node,
    sync_map_scope_t *scope, sync_map_rule_t *rule)
{
    uint32_t            i, n;
    sync_rc_t           rc;
    const sync_json_t  *json;

    json = &c->docs[doc].json;

    n = json->nodes[node].type == SYNC_JSON_ARRAY ? json->nodes[node].len : 1;

    if (n == 0) {
        return sync_map_refuse(c, doc, node, "missing",
                               "\"from\" is a JSONPath, or a list with at "
                               "least one");
    }

    rule->from = sync_calloc(c->arena, n * sizeof(sync_map_from_t));
    if (rule->from == NULL) {
        return SYNC_FAULT;
    }

    rule->nfrom = n;

    if (json->nodes[node].type != SYNC_JSON_ARRAY) {
        rc = sync_map_from(c, doc, node, scope, &rule->from[0]);

    } else {
        for (n = 0, i = sync_json_first(json, node), rc = SYNC_OK;
             i != SYNC_JSON_NONE && rc == SYNC_OK;
             i = sync_json_after(json, node, i))
        {
            rc = sync_map_from(c, doc, i, scope, &rule->from[n++]);
        }
    }

    /* "each" takes the elements of the array that a singular query finds */

    for (i = 0; rc == SYNC_OK && rule->kind == SYNC_MAP_EACH && i < n; i++) {
        rule->from[i].elements = !rule->from[i].many;
    }

    return rc;
}


static sync_rc_t
sync_map_from(sync_map_compile_t *c, uint32_t doc, uint32_t node,
    sync_map_scope_t *scope, sync_map_from_t *from)
{
    int                 chain, elements;
    uint32_t            count;
    sync_rc_t           rc;
    sync_str_t          text, names[SYNC_MAP_TREE_MAX];
    sync_error_t        err;
    sync_map_source_t  *source;

    if (c->docs[doc].json.nodes[node].type != SYNC_JSON_STRING) {
        return sync_map_refuse(c, doc, node, "type",
                               "\"from\" is a JSONPath: a string that begins "
                               "with \"$\"");
    }

    text = sync_map_text(c, doc, node);
    if (text.data == NULL) {
        return SYNC_FAULT;
    }

    chain = sync_map_chain(text, names, &count, &elements);

    rc = sync_path_compile(&from->path, chain ? c->scratch : c->arena, text,
                           &err);

    if (rc != SYNC_OK) {
        return rc == SYNC_FAULT ? rc
                   : sync_map_refuse(c, doc, node, "path",
                                     "not a JSONPath at character %zu: %s",
                                     err.offset + 1, err.text);
    }

    if (sync_map_chain_pointer(c, names, count, &from->pointer) != SYNC_OK) {
        return SYNC_FAULT;
    }

    if (!chain) {
        from->many = !sync_path_is_singular(from->path);

        if (count == 0) {
            scope->any = 1;
            return SYNC_OK;
        }
    }

    rc = sync_map_source(c, scope, names, count, &source);
    if (rc != SYNC_OK) {
        return rc;
    }

    source->taken = 1;

    if (!chain) {
        return SYNC_OK;
    }

    if (source->slot == SYNC_MAP_NO_SLOT) {
        source->slot = scope->nslots++;
    }

    from->path = NULL;
    from->slot = source->slot;
    from->elements = (uint8_t) elements;

    if (count == 0) {
        scope->any = 1;
    }

    return SYNC_OK;
}


/*
 * Reads "$.a['b'].c", perhaps with [*] at its end.  No: the query is of
 * another shape, and names are those that it begins with.
 */

static int
sync_map_chain(sync_str_t text, sync_str_t *names, uint32_t *count,
    int *elements)
{
    unsigned char   quote, *p, *last, *start;

    *count = 0;
    *elements = 0;

    if (text.len == 0 || text.data[0] != '$') {
        return 0;
    }

    p = text.data + 1;
    last = text.data + text.len;

    while (p < last) {

        if (last - p == 3 && memcmp(p, "[*]", 3) == 0) {
            *elements = 1;
            return 1;
        }

        if (*count == SYNC_MAP_TREE_MAX) {
            return 0;
        }

        if (*p == '.') {
            start = ++p;

            while (p < last && ((*p >= 'a' && *p <= 'z')
                                || (*p >= 'A' && *p <= 'Z') || *p == '_'
                                || *p >= 0x80
                                || (p > start && *p >= '0' && *p <= '9')))
            {
                p++;
            }

            if (p == start || (p < last && *p != '.' && *p != '[')) {
                return 0;
            }

            names[*count].data = start;
            names[*count].len = p - start;
            (*count)++;

            continue;
        }

        if (last - p < 4 || *p != '[' || (p[1] != '\'' && p[1] != '"')) {
            return 0;
        }

        quote = p[1];
        start = p + 2;

        for (p = start; p < last && *p != quote; p++) {
            if (*p == '\\') {
                return 0;
            }
        }

        if (last - p < 2 || p[1] != ']') {
            return 0;
        }

        names[*count].data = start;
        names[*count].len = p - start;
        (*count)++;

        p += 2;
    }

    return 1;
}


static sync_rc_t
sync_map_chain_pointer(sync_map_compile_t *c, const sync_str_t *names,
    uint32_t count, sync_str_t *pointer)
{
    size_t          k, size;
    uint32_t        i;
    unsigned char  *p;

    for (size = 0, i = 0; i < count; i++) {
        size += 1 + 2 * names[i].len;
    }

    p = sync_alloc(c->arena, size + 1);
    if (p == NULL) {
        return SYNC_FAULT;
    }

    pointer->data = p;

    for (i = 0; i < count; i++) {
        *p++ = '/';

        for (k = 0; k < names[i].len; k++) {
            if (names[i].data[k] == '~' || names[i].data[k] == '/') {
                *p++ = '~';
                *p++ = names[i].data[k] == '~' ? '0' : '1';

            } else {
                *p++ = names[i].data[k];
            }
        }
    }

    pointer->len = p - pointer->data;

    return SYNC_OK;
}


/* The place of a chain of names in the trie of a scope, made if need be. */

static sync_rc_t
sync_map_source(sync_map_compile_t *c, sync_map_scope_t *scope,
    const sync_str_t *names, uint32_t count, sync_map_source_t **result)
{
    uint32_t            i, k;
    sync_map_source_t  *source;

    source = &scope->source;

    for (i = 0; i < count; i++) {
        k = sync_map_index_find(&source->index, names[i]);

        if (k != SYNC_MAP_NO_SLOT) {
            source = source->children[k];
            continue;
        }

        if (sync_map_source_add(c, source, names[i], &source) != SYNC_OK) {
            return SYNC_FAULT;
        }
    }

    *result = source;

    return SYNC_OK;
}


static sync_rc_t
sync_map_source_add(sync_map_compile_t *c, sync_map_source_t *source,
    sync_str_t name, sync_map_source_t **result)
{
    sync_map_source_t  *child, **grown;

    child = sync_calloc(c->arena, sizeof(sync_map_source_t));
    if (child == NULL) {
        return SYNC_FAULT;
    }

    child->slot = SYNC_MAP_NO_SLOT;
    child->name = name;

    /* grows at powers of two */

    if ((source->count & (source->count - 1)) == 0) {
        grown = sync_alloc(c->arena, 2 * (source->count + 1)
                                     * sizeof(sync_map_source_t *));
        if (grown == NULL) {
            return SYNC_FAULT;
        }

        if (source->count) {
            memcpy(grown, source->children,
                   source->count * sizeof(sync_map_source_t *));
        }

        source->children = grown;
    }

    if (sync_map_index_add(&source->index, c->arena, name, source->count)
        != SYNC_OK)
    {
        return SYNC_FAULT;
    }

    source->children[source->count++] = child;
    *result = child;

    return SYNC_OK;
}


sync_rc_t
sync_map_take(sync_map_compile_t *c, sync_map_scope_t *scope,
    sync_str_t name, uint32_t *slot)
{
    sync_rc_t           rc;
    sync_map_source_t  *source;

    rc = sync_map_source(c, scope, &name, 1, &source);
    if (rc != SYNC_OK) {
        return rc;
    }

    if (source->slot == SYNC_MAP_NO_SLOT) {
        source->slot = scope->nslots++;
    }

    source->taken = 1;
    *slot = source->slot;

    return SYNC_OK;
}


sync_rc_t
sync_map_ignore(sync_map_compile_t *c, uint32_t doc, uint32_t node,
    sync_map_scope_t *scope)
{
    int                 elements;
    uint32_t            count;
    sync_rc_t           rc;
    sync_str_t          text, names[SYNC_MAP_TREE_MAX];
    sync_map_source_t  *source;

    text = sync_str_null;

    if (c->docs[doc].json.nodes[node].type == SYNC_JSON_STRING) {
        text = sync_map_text(c, doc, node);
        if (text.data == NULL) {
            return SYNC_FAULT;
        }
    }

    if (!sync_map_chain(text, names, &count, &elements) || count == 0) {
        return sync_map_refuse(c, doc, node, "path", "\"ignore\" takes paths "
                               "of names, as \"$.attributes\"");
    }

    rc = sync_map_source(c, scope, names, count, &source);
    if (rc == SYNC_OK) {
        source->taken = 1;
    }

    return rc;
}


static sync_rc_t
sync_map_parts(sync_map_compile_t *c, uint32_t doc, uint32_t node,
    sync_map_scope_t *scope, sync_map_rule_t *rule)
{
    uint8_t             env;
    uint32_t            i, at;
    sync_rc_t           rc;
    sync_str_t          s;
    const char         *shape;
    sync_map_part_t    *part;
    const sync_json_t  *json;

    json = &c->docs[doc].json;
    shape = "\"concat\" is a list of JSONPaths (\"$.name\"), words, "
            "{\"text\": ...} and {\"env\": ...}";

    if (json->nodes[node].type != SYNC_JSON_ARRAY || json->nodes[node].len == 0)
    {
        return sync_map_refuse(c, doc, node, "type", "%s", shape);
    }

    rule->parts = sync_calloc(c->arena, json->nodes[node].len
                                        * sizeof(sync_map_part_t));
    if (rule->parts == NULL) {
        return SYNC_FAULT;
    }

    for (i = sync_json_first(json, node); i != SYNC_JSON_NONE;
         i = sync_json_after(json, node, i))
    {
        part = &rule->parts[rule->nparts++];
        part->env = -1;
        at = i;

        if (json->nodes[i].type == SYNC_JSON_OBJECT) {
            rc = sync_map_members(c, doc, i, sync_map_part_names,
                                  "a part of a concat");
            if (rc != SYNC_OK) {
                return rc;
            }

            if (json->nodes[i].len != 1) {
                return sync_map_refuse(c, doc, i, "type", "%s", shape);
            }

            at = i + 2;

            if (sync_json_equals(json, i + 1, sync_str_lit("env"))) {
                rc = sync_map_named(c, doc, at, sync_map_envs, "an env", &env);
                if (rc != SYNC_OK) {
                    return rc;
                }

                part->env = env;
                c->env |= 1u << env;
                continue;
            }
        }

        if (json->nodes[at].type != SYNC_JSON_STRING) {
            return sync_map_refuse(c, doc, at, "type", "%s", shape);
        }

        s = sync_map_text(c, doc, at);
        if (s.data == NULL) {
            return SYNC_FAULT;
        }

        if (at != i || s.len == 0 || s.data[0] != '$') {
            part->text = sync_map_escaped(c, s);
            if (part->text.data == NULL) {
                return SYNC_FAULT;
            }

            continue;
        }

        rc = sync_map_from(c, doc, at, scope, &part->from);
        if (rc != SYNC_OK) {
            return rc;
        }

        if (part->from.many || part->from.elements) {
            return sync_map_refuse(c, doc, at, "path", "a part of a concat is "
                                   "a single value: use a path of names and "
                                   "indexes");
        }

        if (rule->nfrom == 0) {
            /* names the place in faults */
            rule->from = &part->from;
            rule->nfrom = 1;
        }
    }

    return SYNC_OK;
}
