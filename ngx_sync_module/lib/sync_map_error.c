
/*
 * The "error" section of a map: what a connector's answer says is wrong, in
 * which words, and whose fault it is.
 */


#include "sync_map_rules.h"
#include "sync_format.h"


#define SYNC_MAP_ERROR_CODE  64      /* bytes that are told on */
#define SYNC_MAP_ERROR_TEXT  1000


struct sync_map_failure_s {
    sync_path_t         *when;       /* NULL: the status alone says so */
    sync_path_t        **code;
    uint32_t             ncode;
    sync_path_t        **message;
    uint32_t             nmessage;
    sync_map_index_t     classes;    /* codes to sync_map_class_e */
    uint8_t              otherwise;  /* of an error that hides in a success */
};


static sync_rc_t sync_map_error_paths(sync_map_compile_t *c,
    const sync_map_place_t *place, const char *name, sync_path_t ***paths,
    uint32_t *count);
static sync_rc_t sync_map_error_path(sync_map_compile_t *c, uint32_t doc,
    uint32_t node, sync_path_t **path);
static sync_rc_t sync_map_error_class(sync_map_compile_t *c,
    const sync_map_place_t *place, sync_map_class_e class,
    sync_map_failure_t *failure);
static sync_rc_t sync_map_error_text(sync_path_t *const *paths,
    uint32_t count, const sync_json_t *json, sync_arena_t *arena,
    uint64_t *work, size_t max, sync_str_t *text);


/* in the order of sync_map_class_e */

static const char *const  sync_map_classes[] = {
    "", "business", "technical", "transient", NULL
};

static const char *const  sync_map_error_names[] = {
    "when", "code", "message", "business", "technical", "transient",
    "otherwise", "note", NULL
};


sync_rc_t
sync_map_failure(sync_map_compile_t *c, const sync_map_place_t *place,
    sync_map_failure_t **result)
{
    uint32_t             i, doc, node, found;
    sync_rc_t            rc;
    sync_map_failure_t  *failure;

    for (found = 0, i = 0; i < c->ndocs; i++) {
        if (place->at[i] == SYNC_JSON_NONE) {
            continue;
        }

        found = 1;

        rc = sync_map_members(c, i, place->at[i], sync_map_error_names,
                              "the section \"error\"");
        if (rc != SYNC_OK) {
            return rc;
        }
    }

    if (!found) {
        return SYNC_OK;
    }

    failure = sync_calloc(c->arena, sizeof(sync_map_failure_t));
    if (failure == NULL) {
        return SYNC_FAULT;
    }

    *result = failure;
    failure->otherwise = SYNC_MAP_TECHNICAL;

    rc = sync_map_condition(c, place, &failure->when);

    if (rc == SYNC_OK) {
        rc = sync_map_error_paths(c, place, "code", &failure->code,
                                  &failure->ncode);
    }

    if (rc == SYNC_OK) {
        rc = sync_map_error_paths(c, place, "message", &failure->message,
                                  &failure->nmessage);
    }

    for (i = SYNC_MAP_BUSINESS; i <= SYNC_MAP_TRANSIENT && rc == SYNC_OK; i++)
    {
        rc = sync_map_error_class(c, place, i, failure);
    }

    if (rc != SYNC_OK) {
        return rc;
    }

    sync_map_member(c, place, "otherwise", &doc, &node);

    if (node == SYNC_JSON_NONE) {
        return SYNC_OK;
    }

    if (failure->when == NULL) {
        return sync_map_refuse(c, doc, node, "conflict", "\"otherwise\" is "
                               "for errors that hide in a success: add "
                               "\"when\"");
    }

    return sync_map_named(c, doc, node, sync_map_classes, "a class of errors",
                          &failure->otherwise);
}


static sync_rc_t
sync_map_error_paths(sync_map_compile_t *c, const sync_map_place_t *place,
    const char *name, sync_path_t ***paths, uint32_t *count)
{
    uint32_t            i, doc, node;
    sync_rc_t           rc;
    const sync_json_t  *json;

    sync_map_member(c, place, name, &doc, &node);

    if (node == SYNC_JSON_NONE) {
        return SYNC_OK;
    }

    json = &c->docs[doc].json;

    *paths = sync_calloc(c->arena, (json->nodes[node].len + 1)
                                   * sizeof(sync_path_t *));
    if (*paths == NULL) {
        return SYNC_FAULT;
    }

    if (json->nodes[node].type != SYNC_JSON_ARRAY) {
        *count = 1;
        return sync_map_error_path(c, doc, node, *paths);
    }

    for (i = sync_json_first(json, node); i != SYNC_JSON_NONE;
         i = sync_json_after(json, node, i))
    {
        rc = sync_map_error_path(c, doc, i, &(*paths)[(*count)++]);
        if (rc != SYNC_OK) {
            return rc;
        }
    }

    return SYNC_OK;
}


static sync_rc_t
sync_map_error_path(sync_map_compile_t *c, uint32_t doc, uint32_t node,
    sync_path_t **path)
{
    sync_rc_t     rc;
    sync_str_t    text;
    sync_error_t  err;

    if (c->docs[doc].json.nodes[node].type != SYNC_JSON_STRING) {
        return sync_map_refuse(c, doc, node, "type", "a JSONPath is a string "
                               "that begins with \"$\"");
    }

    text = sync_map_text(c, doc, node);
    if (text.data == NULL) {
        return SYNC_FAULT;
    }

    rc = sync_path_compile(path, c->arena, text, &err);

    return rc != SYNC_NO ? rc
           : sync_map_refuse(c, doc, node, "path", "not a JSONPath at "
                             "character %zu: %s", err.offset + 1, err.text);
}


/* Codes of a class: a list of strings, and of numbers by their text. */

static sync_rc_t
sync_map_error_class(sync_map_compile_t *c, const sync_map_place_t *place,
    sync_map_class_e class, sync_map_failure_t *failure)
{
    uint32_t            i, doc, node;
    sync_rc_t           rc;
    sync_str_t          code;
    const sync_json_t  *json;

    sync_map_member(c, place, sync_map_classes[class], &doc, &node);

    if (node == SYNC_JSON_NONE) {
        return SYNC_OK;
    }

    json = &c->docs[doc].json;

    if (json->nodes[node].type != SYNC_JSON_ARRAY) {
        return sync_map_refuse(c, doc, node, "type", "\"%s\" is a list of the "
                               "target's codes", sync_map_classes[class]);
    }

    if (failure->ncode == 0) {
        return sync_map_refuse(c, doc, node, "missing", "\"%s\" needs "
                               "\"code\", where the codes are found",
                               sync_map_classes[class]);
    }

    for (i = sync_json_first(json, node); i != SYNC_JSON_NONE;
         i = sync_json_after(json, node, i))
    {
        if (json->nodes[i].type != SYNC_JSON_STRING
            && json->nodes[i].type != SYNC_JSON_NUMBER)
        {
            return sync_map_refuse(c, doc, i, "type", "a code is a string or "
                                   "a number");
        }

        code = json->nodes[i].type == SYNC_JSON_STRING
               ? sync_map_text(c, doc, i) : sync_map_raw(c, doc, i);

        if (code.data == NULL) {
            return SYNC_FAULT;
        }

        rc = sync_map_index_add(&failure->classes, c->arena, code, class);

        if (rc == SYNC_NO) {
            return sync_map_refuse(c, doc, i, "conflict",
                                   "the code stands twice");
        }

        if (rc != SYNC_OK) {
            return rc;
        }
    }

    return SYNC_OK;
}


int
sync_map_has_error(const sync_map_t *map)
{
    return map->failure != NULL;
}


sync_rc_t
sync_map_error(const sync_map_t *map, const sync_json_t *json, int failed,
    sync_arena_t *arena, uint64_t *work, sync_map_error_t *error)
{
    uint32_t             class;
    sync_rc_t            rc;
    sync_map_failure_t  *failure;

    failure = map->failure;

    if (!failed) {
        if (failure->when == NULL) {
            return SYNC_NO;
        }

        rc = sync_path_holds(failure->when, json, 0, arena, work);
        if (rc != SYNC_OK) {
            return rc;
        }
    }

    rc = sync_map_error_text(failure->code, failure->ncode, json, arena, work,
                             SYNC_MAP_ERROR_CODE, &error->code);

    if (rc == SYNC_OK) {
        rc = sync_map_error_text(failure->message, failure->nmessage, json,
                                 arena, work, SYNC_MAP_ERROR_TEXT,
                                 &error->message);
    }

    if (rc != SYNC_OK) {
        return rc;
    }

    class = sync_map_index_find(&failure->classes, error->code);

    if (class == SYNC_MAP_NO_SLOT) {
        class = failed ? SYNC_MAP_UNCLASSED : failure->otherwise;
    }

    error->class = (sync_map_class_e) class;

    return SYNC_OK;
}


/* The first single value that is found and not empty, cut at a character. */

static sync_rc_t
sync_map_error_text(sync_path_t *const *paths, uint32_t count,
    const sync_json_t *json, sync_arena_t *arena, uint64_t *work, size_t max,
    sync_str_t *text)
{
    uint32_t           i, k;
    sync_rc_t          rc;
    sync_path_nodes_t  nodes;

    *text = sync_str_lit("");

    for (i = 0; i < count; i++) {
        rc = sync_path_select(paths[i], json, 0, arena, work, &nodes, NULL);

        if (rc == SYNC_FAULT) {
            return rc;
        }

        for (k = 0; rc == SYNC_OK && k < nodes.count; k++) {
            rc = sync_format_scalar(json, nodes.nodes[k], arena, text);

            if (rc == SYNC_FAULT) {
                return rc;
            }

            if (rc == SYNC_OK && text->len) {

                if (text->len > max) {
                    text->len = max;

                    while (text->len && (text->data[text->len] & 0xc0) == 0x80)
                    {
                        text->len--;
                    }
                }

                return SYNC_OK;
            }

            rc = SYNC_OK;
            *text = sync_str_lit("");
        }
    }

    return SYNC_OK;
}
