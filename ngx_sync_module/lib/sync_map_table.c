
/*
 * Compiling the tables of a map: the words of an "enum", which are read in both
 * directions and are all that may come, and those of a "lookup", which give any
 * value and are read from left to right.
 */


#include "sync_map_rules.h"


static sync_rc_t sync_map_otherwise(sync_map_compile_t *c,
    const sync_map_place_t *place, sync_map_rule_t *rule);
static sync_rc_t sync_map_enum(sync_map_compile_t *c, uint32_t doc,
    uint32_t node, sync_map_rule_t *rule);
static sync_rc_t sync_map_table(sync_map_compile_t *c, uint32_t doc,
    uint32_t node, sync_map_rule_t *rule);
static sync_rc_t sync_map_table_add(sync_map_compile_t *c, uint32_t doc,
    uint32_t left, uint32_t right, sync_map_rule_t *rule, uint32_t *count);
static sync_rc_t sync_map_table_room(sync_map_compile_t *c, uint32_t doc,
    uint32_t node, sync_map_table_t **table);
static sync_rc_t sync_map_lookup(sync_map_compile_t *c, uint32_t doc,
    uint32_t node, sync_map_rule_t *rule);
static sync_rc_t sync_map_lookup_file(sync_map_compile_t *c, uint32_t doc,
    uint32_t node, sync_map_table_t **table);
static sync_rc_t sync_map_lookup_table(sync_map_compile_t *c, uint32_t doc,
    uint32_t node, sync_map_table_t **table);


sync_rc_t
sync_map_tables(sync_map_compile_t *c, const sync_map_place_t *place,
    sync_map_rule_t *rule)
{
    uint32_t   doc, node, at;
    sync_rc_t  rc;

    sync_map_member(c, place, "enum", &doc, &node);

    if (node != SYNC_JSON_NONE) {
        rc = sync_map_enum(c, doc, node, rule);
        if (rc != SYNC_OK) {
            return rc;
        }
    }

    sync_map_member(c, place, "lookup", &doc, &at);

    if (at != SYNC_JSON_NONE) {
        if (node != SYNC_JSON_NONE) {
            return sync_map_refuse(c, doc, at, "conflict", "a rule has "
                                   "\"enum\" or \"lookup\"");
        }

        rc = sync_map_lookup(c, doc, at, rule);
        if (rc != SYNC_OK) {
            return rc;
        }
    }

    return sync_map_otherwise(c, place, rule);
}


static sync_rc_t
sync_map_otherwise(sync_map_compile_t *c, const sync_map_place_t *place,
    sync_map_rule_t *rule)
{
    uint32_t  doc, node;

    sync_map_member(c, place, "otherwise", &doc, &node);

    if (node == SYNC_JSON_NONE) {
        return SYNC_OK;
    }

    if (rule->table == NULL) {
        return sync_map_refuse(c, doc, node, "conflict", "\"otherwise\" is "
                               "for words that an \"enum\" or a \"lookup\" "
                               "does not know");
    }

    rule->otherwise = sync_map_raw(c, doc, node);

    return rule->otherwise.data == NULL ? SYNC_FAULT : SYNC_OK;
}


/* "enum": a table, or the name of one. */

static sync_rc_t
sync_map_enum(sync_map_compile_t *c, uint32_t doc, uint32_t node,
    sync_map_rule_t *rule)
{
    uint32_t    i, enums, table;
    sync_str_t  name;

    if (c->docs[doc].json.nodes[node].type != SYNC_JSON_STRING) {
        return sync_map_table(c, doc, node, rule);
    }

    name = sync_map_text(c, doc, node);
    if (name.data == NULL) {
        return SYNC_FAULT;
    }

    for (i = c->ndocs; i-- > 0; ) {
        enums = sync_json_member(&c->docs[i].json, 0, sync_str_lit("enums"));

        if (enums == SYNC_JSON_NONE) {
            continue;
        }

        table = sync_json_member(&c->docs[i].json, enums, name);

        if (table != SYNC_JSON_NONE) {
            return sync_map_table(c, i, table, rule);
        }
    }

    return sync_map_refuse(c, doc, node, "missing",
                           "no table \"%.*s\" stands in \"enums\"",
                           (int) (name.len < 64 ? name.len : 64), name.data);
}


static sync_rc_t
sync_map_table(sync_map_compile_t *c, uint32_t doc, uint32_t node,
    sync_map_rule_t *rule)
{
    uint32_t            i, count, type;
    sync_rc_t           rc;
    const sync_json_t  *json;

    json = &c->docs[doc].json;
    type = json->nodes[node].type;

    if ((type != SYNC_JSON_OBJECT && type != SYNC_JSON_ARRAY)
        || json->nodes[node].len == 0)
    {
        return sync_map_refuse(c, doc, node, "type", "a table is an object "
                               "{\"left\": \"right\"}, or a list of pairs");
    }

    if (sync_map_table_room(c, doc, node, &rule->table) != SYNC_OK) {
        return SYNC_FAULT;
    }

    count = 0;

    for (i = sync_json_first(json, node); i != SYNC_JSON_NONE;
         i = sync_json_after(json, node, i))
    {
        if (type == SYNC_JSON_OBJECT) {
            rc = sync_map_table_add(c, doc, i, i + 1, rule, &count);

        } else if (json->nodes[i].type != SYNC_JSON_ARRAY
                   || json->nodes[i].len != 2
                   || json->nodes[i + 1].next != i + 2)
        {
            rc = sync_map_refuse(c, doc, i, "type", "a pair of a table is "
                                 "[left, right], both single values");

        } else {
            rc = sync_map_table_add(c, doc, i + 1, i + 2, rule, &count);
        }

        if (rc != SYNC_OK) {
            return rc;
        }
    }

    return SYNC_OK;
}


/*
 * "write" reads a table from left to right and "read" from right to left.
 * Where several left words mean the same right one, "read" gives the first.
 */

static sync_rc_t
sync_map_table_add(sync_map_compile_t *c, uint32_t doc, uint32_t left,
    uint32_t right, sync_map_rule_t *rule, uint32_t *count)
{
    uint32_t            swap, type;
    sync_rc_t           rc;
    sync_str_t          word, to;
    const sync_json_t  *json;

    json = &c->docs[doc].json;

    if (json->nodes[right].type == SYNC_JSON_ARRAY
        || json->nodes[right].type == SYNC_JSON_OBJECT)
    {
        return sync_map_refuse(c, doc, right, "type",
                               "the words of a table are single values");
    }

    if (c->section == SYNC_MAP_READ) {
        swap = left;
        left = right;
        right = swap;
    }

    type = json->nodes[left].type;

    if (type == SYNC_JSON_NULL) {
        return SYNC_OK;
    }

    word = type == SYNC_JSON_STRING || type == SYNC_JSON_KEY
               ? sync_map_text(c, doc, left) : sync_map_raw(c, doc, left);

    to = sync_map_raw(c, doc, right);

    if (word.data == NULL || to.data == NULL) {
        return SYNC_FAULT;
    }

    rc = sync_map_index_add(&rule->table->index, c->arena, word, *count);

    if (rc == SYNC_NO) {
        return c->section == SYNC_MAP_READ ? SYNC_OK
                   : sync_map_refuse(c, doc, left, "conflict",
                                     "the word stands twice on the left");
    }

    if (rc == SYNC_OK) {
        rule->table->to[(*count)++] = to;
    }

    return rc;
}


/* An empty table for what stands at a node. */

static sync_rc_t
sync_map_table_room(sync_map_compile_t *c, uint32_t doc, uint32_t node,
    sync_map_table_t **table)
{
    *table = sync_calloc(c->arena, sizeof(sync_map_table_t));
    if (*table == NULL) {
        return SYNC_FAULT;
    }

    (*table)->to = sync_alloc(c->arena, (c->docs[doc].json.nodes[node].len + 1)
                                        * sizeof(sync_str_t));

    return (*table)->to == NULL ? SYNC_FAULT : SYNC_OK;
}


/* "lookup": a table, or the name of one, which may be a file. */

static sync_rc_t
sync_map_lookup(sync_map_compile_t *c, uint32_t doc, uint32_t node,
    sync_map_rule_t *rule)
{
    uint32_t            i, lookups, at;
    sync_rc_t           rc;
    sync_str_t          name;
    const sync_json_t  *json;

    rule->lookup = 1;

    if (c->docs[doc].json.nodes[node].type != SYNC_JSON_STRING) {
        return sync_map_lookup_table(c, doc, node, &rule->table);
    }

    name = sync_map_text(c, doc, node);
    if (name.data == NULL) {
        return SYNC_FAULT;
    }

    for (rule->table = c->lookups; rule->table != NULL;
         rule->table = rule->table->next)
    {
        if (sync_str_eq(rule->table->name, name)) {
            return SYNC_OK;
        }
    }

    for (i = c->ndocs; i-- > 0; ) {
        json = &c->docs[i].json;
        lookups = sync_json_member(json, 0, sync_str_lit("lookups"));

        if (lookups == SYNC_JSON_NONE) {
            continue;
        }

        at = sync_json_member(json, lookups, name);

        if (at == SYNC_JSON_NONE) {
            continue;
        }

        rc = json->nodes[at].type == SYNC_JSON_STRING
                 ? sync_map_lookup_file(c, i, at, &rule->table)
                 : sync_map_lookup_table(c, i, at, &rule->table);

        if (rc == SYNC_OK) {
            rule->table->name = name;
            rule->table->next = c->lookups;
            c->lookups = rule->table;
        }

        return rc;
    }

    return sync_map_refuse(c, doc, node, "missing",
                           "no table \"%.*s\" stands in \"lookups\"",
                           (int) (name.len < 64 ? name.len : 64), name.data);
}


/* The file takes the place behind the documents, for refusals to name it. */

static sync_rc_t
sync_map_lookup_file(sync_map_compile_t *c, uint32_t doc, uint32_t node,
    sync_map_table_t **table)
{
    sync_rc_t        rc;
    sync_str_t       name, text;
    sync_error_t     err;
    sync_map_doc_t  *file;

    if (c->loader == NULL) {
        return sync_map_refuse(c, doc, node, "lookup",
                               "no other file can be read here");
    }

    name = sync_map_text(c, doc, node);
    if (name.data == NULL) {
        return SYNC_FAULT;
    }

    memset(&err, 0, sizeof(sync_error_t));

    rc = c->loader->load(c->loader, name, c->scratch, &text, &err);

    if (rc == SYNC_NO) {
        return sync_map_refuse(c, doc, node, "lookup", "%s", err.text);
    }

    if (rc != SYNC_OK) {
        return SYNC_FAULT;
    }

    file = &c->docs[SYNC_MAP_CHAIN_MAX];
    file->name = name;

    rc = sync_json_parse(&file->json, c->scratch, text, NULL, &err);

    if (rc == SYNC_NO) {
        return sync_map_refuse(c, doc, node, "lookup", "at byte %zu of the "
                               "file: %s", err.offset, err.text);
    }

    return rc == SYNC_OK
           ? sync_map_lookup_table(c, SYNC_MAP_CHAIN_MAX, 0, table) : rc;
}


static sync_rc_t
sync_map_lookup_table(sync_map_compile_t *c, uint32_t doc, uint32_t node,
    sync_map_table_t **table)
{
    uint32_t            i, count;
    sync_str_t          word;
    const sync_json_t  *json;

    json = &c->docs[doc].json;

    if (json->nodes[node].type != SYNC_JSON_OBJECT
        || json->nodes[node].len == 0)
    {
        return sync_map_refuse(c, doc, node, "type", "a lookup is an object: "
                               "a word, and the value that it gives");
    }

    if (sync_map_table_room(c, doc, node, table) != SYNC_OK) {
        return SYNC_FAULT;
    }

    count = 0;

    for (i = sync_json_first(json, node); i != SYNC_JSON_NONE;
         i = sync_json_after(json, node, i))
    {
        word = sync_map_text(c, doc, i);
        (*table)->to[count] = sync_map_raw(c, doc, i + 1);

        if (word.data == NULL || (*table)->to[count].data == NULL
            || sync_map_index_add(&(*table)->index, c->arena, word, count++)
               != SYNC_OK)
        {
            return SYNC_FAULT;
        }
    }

    return SYNC_OK;
}
