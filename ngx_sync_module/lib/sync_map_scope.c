
/*
 * Compiling a scope of a map: the rules of one object, those of the maps it
 * extends merged in.
 */


#include "sync_map_rules.h"


/* A rule on its way from the documents into the tree of targets. */

typedef struct {
    sync_str_t         to;
    sync_map_place_t   place;
    uint32_t           doc;          /* the innermost that has it */
    uint8_t            dropped;
} sync_map_gather_t;


static sync_rc_t sync_map_gather(sync_map_compile_t *c,
    const sync_map_place_t *place, sync_map_gather_t **list, uint32_t *count);
static sync_rc_t sync_map_gather_rule(sync_map_compile_t *c, uint32_t doc,
    uint32_t node, sync_map_gather_t *list, uint32_t *count);
static sync_rc_t sync_map_without(sync_map_compile_t *c, uint32_t doc,
    uint32_t node, sync_map_gather_t *list, uint32_t count);
static int sync_map_has_each(sync_map_compile_t *c, uint32_t doc,
    uint32_t node);
static sync_rc_t sync_map_target(sync_map_compile_t *c, uint32_t doc,
    uint32_t to, sync_map_scope_t *scope, sync_map_rule_t *rule);
static sync_rc_t sync_map_target_add(sync_map_compile_t *c,
    sync_map_target_t *target, sync_str_t name, sync_map_target_t **child);
static sync_rc_t sync_map_x_ext(sync_map_compile_t *c,
    const sync_map_place_t *place, const sync_map_scope_t *parent,
    sync_map_scope_t *scope);
static sync_rc_t sync_map_x_ext_spread(sync_map_compile_t *c, uint32_t doc,
    uint32_t node, sync_map_scope_t *scope);


static const char *const  sync_map_rule_names[] = {
    "from", "to", "required", "default", "enum", "otherwise", "lookup", "type",
    "format", "parse", "offset", "at", "scale", "round", "trim", "case", "split",
    "take", "concat", "join", "each", "constant", "env", "when", "update",
    "note", NULL
};

static const char *const  sync_map_x_ext_names[] = {
    "collect", "spread", NULL
};


sync_rc_t
sync_map_scope(sync_map_compile_t *c, const sync_map_place_t *place,
    const sync_map_scope_t *parent, uint32_t depth, sync_map_scope_t *scope)
{
    uint32_t            i, k, to, doc, node, count;
    sync_rc_t           rc;
    sync_map_rule_t    *rule;
    sync_map_place_t    ignore;
    sync_map_gather_t  *list;
    const sync_json_t  *json;

    scope->source.slot = SYNC_MAP_NO_SLOT;
    scope->spread_slot = SYNC_MAP_NO_SLOT;

    rc = sync_map_x_ext(c, place, parent, scope);
    if (rc != SYNC_OK) {
        return rc;
    }

    list = NULL;
    count = 0;

    rc = sync_map_gather(c, place, &list, &count);
    if (rc != SYNC_OK) {
        return rc;
    }

    for (i = 0; i < count; i++) {
        if (list[i].dropped) {
            continue;
        }

        rc = sync_map_rule(c, &list[i].place, scope, depth, &rule);
        if (rc != SYNC_OK) {
            return rc;
        }

        sync_map_member(c, &list[i].place, "to", &doc, &to);

        rule->to = sync_map_text(c, doc, to);
        rule->place = sync_map_where(c, doc, list[i].place.at[doc]);

        if (rule->to.data == NULL || rule->place.data == NULL) {
            return SYNC_FAULT;
        }

        rc = sync_map_target(c, doc, to, scope, rule);
        if (rc != SYNC_OK) {
            return rc;
        }
    }

    sync_map_below(c, place, "ignore", &ignore);

    for (doc = 0; doc < c->ndocs; doc++) {
        node = ignore.at[doc];
        json = &c->docs[doc].json;

        if (node == SYNC_JSON_NONE) {
            continue;
        }

        if (json->nodes[node].type != SYNC_JSON_ARRAY) {
            return sync_map_refuse(c, doc, node, "type", "\"ignore\" is a "
                                   "list of paths of names");
        }

        for (k = sync_json_first(json, node); k != SYNC_JSON_NONE;
             k = sync_json_after(json, node, k))
        {
            rc = sync_map_ignore(c, doc, k, scope);
            if (rc != SYNC_OK) {
                return rc;
            }
        }
    }

    return SYNC_OK;
}


/*
 * The rules of a place, the maps that are extended first.  Of two rules with
 * the same target the inner one stands in the outer one's position.
 */

static sync_rc_t
sync_map_gather(sync_map_compile_t *c, const sync_map_place_t *place,
    sync_map_gather_t **list, uint32_t *count)
{
    uint32_t            i, doc, node, total;
    sync_rc_t           rc;
    sync_map_place_t    rules, without;
    const sync_json_t  *json;

    sync_map_below(c, place, "rules", &rules);
    sync_map_below(c, place, "without", &without);

    for (total = 0, doc = 0; doc < c->ndocs; doc++) {
        node = place->at[doc];
        json = &c->docs[doc].json;

        /* "each" may be the list itself */

        if (node != SYNC_JSON_NONE && json->nodes[node].type == SYNC_JSON_ARRAY)
        {
            rules.at[doc] = node;
        }

        node = rules.at[doc];

        if (node == SYNC_JSON_NONE) {
            continue;
        }

        if (json->nodes[node].type != SYNC_JSON_ARRAY) {
            return sync_map_refuse(c, doc, node, "type",
                                   "rules are a list of objects");
        }

        total += json->nodes[node].len;
    }

    *count = 0;
    *list = sync_alloc(c->scratch, (total + 1) * sizeof(sync_map_gather_t));

    if (*list == NULL) {
        return SYNC_FAULT;
    }

    for (doc = 0; doc < c->ndocs; doc++) {
        json = &c->docs[doc].json;
        node = without.at[doc];

        if (node != SYNC_JSON_NONE) {
            rc = sync_map_without(c, doc, node, *list, *count);
            if (rc != SYNC_OK) {
                return rc;
            }
        }

        node = rules.at[doc];

        if (node == SYNC_JSON_NONE) {
            continue;
        }

        for (i = sync_json_first(json, node); i != SYNC_JSON_NONE;
             i = sync_json_after(json, node, i))
        {
            rc = sync_map_gather_rule(c, doc, i, *list, count);
            if (rc != SYNC_OK) {
                return rc;
            }
        }
    }

    return SYNC_OK;
}


static sync_rc_t
sync_map_gather_rule(sync_map_compile_t *c, uint32_t doc, uint32_t node,
    sync_map_gather_t *list, uint32_t *count)
{
    uint32_t            i, k, to, replaced;
    sync_rc_t           rc;
    sync_str_t          s;
    const sync_json_t  *json;
    sync_map_gather_t  *rule;

    json = &c->docs[doc].json;

    rc = sync_map_members(c, doc, node, sync_map_rule_names, "a rule");
    if (rc != SYNC_OK) {
        return rc;
    }

    to = sync_json_member(json, node, sync_str_lit("to"));

    if (to == SYNC_JSON_NONE) {
        return sync_map_refuse(c, doc, node, "missing", "the rule writes "
                               "nothing: add \"to\", a JSON Pointer");
    }

    s = sync_json_unescape(json, to, c->scratch);
    if (s.data == NULL) {
        return SYNC_FAULT;
    }

    replaced = 0;

    for (i = 0; i < *count; i++) {
        rule = &list[i];

        if (rule->dropped || !sync_str_eq(rule->to, s)) {
            continue;
        }

        if (rule->doc == doc && !replaced) {

            /* one after another, each but the last with a condition */

            if (sync_json_member(json, rule->place.at[doc],
                                 sync_str_lit("when"))
                == SYNC_JSON_NONE)
            {
                return sync_map_refuse(c, doc, to, "conflict", "two rules "
                                       "write the same place; several "
                                       "sources of one are a list in "
                                       "\"from\", and alternatives but the "
                                       "last have \"when\"");
            }

            continue;
        }

        if (replaced) {
            rule->dropped = 1;
            continue;
        }

        /* two of "each" are merged, any other rule is replaced */

        if (!sync_map_has_each(c, doc, node)
            || !sync_map_has_each(c, rule->doc, rule->place.at[rule->doc]))
        {
            for (k = 0; k < c->ndocs; k++) {
                rule->place.at[k] = SYNC_JSON_NONE;
            }
        }

        rule->place.at[doc] = node;
        rule->doc = doc;
        replaced = 1;
    }

    if (replaced) {
        return SYNC_OK;
    }

    rule = &list[(*count)++];
    rule->to = s;
    rule->doc = doc;
    rule->dropped = 0;

    for (k = 0; k < c->ndocs; k++) {
        rule->place.at[k] = k == doc ? node : SYNC_JSON_NONE;
    }

    return SYNC_OK;
}


static int
sync_map_has_each(sync_map_compile_t *c, uint32_t doc, uint32_t node)
{
    return sync_json_member(&c->docs[doc].json, node, sync_str_lit("each"))
           != SYNC_JSON_NONE;
}


static sync_rc_t
sync_map_without(sync_map_compile_t *c, uint32_t doc, uint32_t node,
    sync_map_gather_t *list, uint32_t count)
{
    uint32_t            i, k;
    sync_str_t          to;
    const sync_json_t  *json;

    json = &c->docs[doc].json;

    if (json->nodes[node].type != SYNC_JSON_ARRAY) {
        return sync_map_refuse(c, doc, node, "type", "\"without\" is a list of "
                               "targets of the map that is extended");
    }

    for (k = sync_json_first(json, node); k != SYNC_JSON_NONE;
         k = sync_json_after(json, node, k))
    {
        to = sync_str_null;

        if (json->nodes[k].type == SYNC_JSON_STRING) {
            to = sync_json_unescape(json, k, c->scratch);
            if (to.data == NULL) {
                return SYNC_FAULT;
            }
        }

        for (i = 0; i < count; i++) {
            if (!list[i].dropped && to.data != NULL
                && sync_str_eq(list[i].to, to))
            {
                list[i].dropped = 1;
                break;
            }
        }

        if (i == count) {
            return sync_map_refuse(c, doc, k, "missing", "no rule of the map "
                                   "that is extended writes this place");
        }
    }

    return SYNC_OK;
}


/* Puts a rule into the tree of targets. */

static sync_rc_t
sync_map_target(sync_map_compile_t *c, uint32_t doc, uint32_t to,
    sync_map_scope_t *scope, sync_map_rule_t *rule)
{
    uint32_t            i, k, n, count;
    sync_rc_t           rc;
    sync_str_t          names[SYNC_MAP_TREE_MAX];
    sync_map_rule_t   **last;
    sync_map_target_t  *target;

    rc = sync_map_pointer(c, doc, to, names, &count);
    if (rc != SYNC_OK) {
        return rc;
    }

    target = &scope->target;

    if (count == 0 && (scope->collect.data != NULL
                       || scope->spread_slot != SYNC_MAP_NO_SLOT))
    {
        return sync_map_refuse(c, doc, to, "conflict", "a rule that writes the "
                               "whole value leaves no place for \"x-ext\"; "
                               "say \"x-ext\": {} here");
    }

    for (i = 0; i < count; i++) {

        if (target->rule != NULL) {
            break;
        }

        for (k = 0; k < names[i].len; k++) {
            if (names[i].data[k] < '0' || names[i].data[k] > '9') {
                break;
            }
        }

        if (names[i].len && k == names[i].len) {
            return sync_map_refuse(c, doc, to, "pointer", "positions of an "
                                   "array are written by \"each\", not by "
                                   "\"to\"");
        }

        if (i == 0 && scope->collect.data != NULL
            && sync_str_is(names[i], "x-ext"))
        {
            return sync_map_refuse(c, doc, to, "conflict", "\"x-ext\" is "
                                   "written by \"collect\" here");
        }

        n = sync_map_index_find(&target->index, names[i]);

        if (n != SYNC_MAP_NO_SLOT) {
            target = target->children[n];
            continue;
        }

        if (sync_map_target_add(c, target, names[i], &target) != SYNC_OK) {
            return SYNC_FAULT;
        }
    }

    if (target->count || (target->rule != NULL && i < count)) {
        return sync_map_refuse(c, doc, to, "conflict", "another rule writes "
                               "the same object as a whole or a part of it");
    }

    for (last = &target->rule; *last != NULL; last = &(*last)->next) {
        /* alternatives */
    }

    *last = rule;
    target->quiet = SYNC_MAP_NO_SLOT;

    if (last == &target->rule && rule->nfrom == 1
        && rule->from[0].path == NULL && !rule->required
        && rule->missing.data == NULL && rule->kind != SYNC_MAP_CONCAT)
    {
        target->quiet = rule->from[0].slot;
    }

    return SYNC_OK;
}


static sync_rc_t
sync_map_target_add(sync_map_compile_t *c, sync_map_target_t *target,
    sync_str_t name, sync_map_target_t **result)
{
    sync_map_target_t  *child, **grown;

    child = sync_calloc(c->arena, sizeof(sync_map_target_t));
    if (child == NULL) {
        return SYNC_FAULT;
    }

    child->quiet = SYNC_MAP_NO_SLOT;
    child->name = name;
    child->key = sync_map_quoted_key(c, name);

    if (child->key.data == NULL) {
        return SYNC_FAULT;
    }

    /* grows at powers of two */

    if ((target->count & (target->count - 1)) == 0) {
        grown = sync_alloc(c->arena, 2 * (target->count + 1)
                                     * sizeof(sync_map_target_t *));
        if (grown == NULL) {
            return SYNC_FAULT;
        }

        if (target->count) {
            memcpy(grown, target->children,
                   target->count * sizeof(sync_map_target_t *));
        }

        target->children = grown;
    }

    if (sync_map_index_add(&target->index, c->arena, name, target->count)
        != SYNC_OK)
    {
        return SYNC_FAULT;
    }

    target->children[target->count++] = child;
    *result = child;

    return SYNC_OK;
}


/* What becomes of members that no rule names; elements do as their parent. */

static sync_rc_t
sync_map_x_ext(sync_map_compile_t *c, const sync_map_place_t *place,
    const sync_map_scope_t *parent, sync_map_scope_t *scope)
{
    uint32_t            doc, node, collect, spread;
    sync_rc_t           rc;
    sync_str_t          name;
    const sync_json_t  *json;

    sync_map_member(c, place, "x-ext", &doc, &node);

    if (node == SYNC_JSON_NONE) {
        if (parent != NULL) {
            scope->collect = parent->collect;
            scope->spread = parent->spread;
            scope->nspread = parent->nspread;
            scope->spread_all = parent->spread_all;
        }

    } else {
        json = &c->docs[doc].json;

        rc = sync_map_members(c, doc, node, sync_map_x_ext_names, "x-ext");
        if (rc != SYNC_OK) {
            return rc;
        }

        collect = sync_json_member(json, node, sync_str_lit("collect"));
        spread = sync_json_member(json, node, sync_str_lit("spread"));

        if (collect != SYNC_JSON_NONE && spread != SYNC_JSON_NONE) {
            return sync_map_refuse(c, doc, spread, "conflict", "\"collect\" is "
                                   "for maps into the canonical entity, "
                                   "\"spread\" for maps out of it");
        }

        if (collect != SYNC_JSON_NONE) {
            if (json->nodes[collect].type != SYNC_JSON_STRING
                || json->nodes[collect].len == 0)
            {
                return sync_map_refuse(c, doc, collect, "type", "\"collect\" "
                                       "is the name of the source");
            }

            name = sync_map_text(c, doc, collect);
            if (name.data == NULL) {
                return SYNC_FAULT;
            }

            scope->collect = sync_map_quoted_key(c, name);
            if (scope->collect.data == NULL) {
                return SYNC_FAULT;
            }
        }

        if (spread != SYNC_JSON_NONE) {
            rc = sync_map_x_ext_spread(c, doc, spread, scope);
            if (rc != SYNC_OK) {
                return rc;
            }
        }
    }

    if (scope->spread_all || scope->nspread) {
        return sync_map_take(c, scope, sync_str_lit("x-ext"),
                             &scope->spread_slot);
    }

    return SYNC_OK;
}


static sync_rc_t
sync_map_x_ext_spread(sync_map_compile_t *c, uint32_t doc, uint32_t node,
    sync_map_scope_t *scope)
{
    uint32_t            i, list;
    sync_str_t          name;
    const sync_json_t  *json;

    json = &c->docs[doc].json;
    list = json->nodes[node].type == SYNC_JSON_ARRAY;

    scope->spread = sync_alloc(c->arena, SYNC_MAP_SPREAD_MAX
                                         * sizeof(sync_str_t));
    if (scope->spread == NULL) {
        return SYNC_FAULT;
    }

    for (i = list ? sync_json_first(json, node) : node; i != SYNC_JSON_NONE;
         i = list ? sync_json_after(json, node, i) : SYNC_JSON_NONE)
    {
        if (json->nodes[i].type != SYNC_JSON_STRING
            || scope->nspread == SYNC_MAP_SPREAD_MAX)
        {
            return sync_map_refuse(c, doc, i, "type", "\"spread\" is the name "
                                   "of a source, a list of at most %d, or "
                                   "\"*\"", SYNC_MAP_SPREAD_MAX);
        }

        name = sync_map_text(c, doc, i);
        if (name.data == NULL) {
            return SYNC_FAULT;
        }

        if (sync_str_is(name, "*") && !list) {
            scope->spread_all = 1;
            return SYNC_OK;
        }

        scope->spread[scope->nspread++] = name;
    }

    return SYNC_OK;
}
