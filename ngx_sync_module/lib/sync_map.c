
/*
 * Compiling a map: its documents, its sections, its envelopes.
 */


#include "sync_map_rules.h"


#define SYNC_MAP_SCRATCH  16384


static sync_rc_t sync_map_documents(sync_map_compile_t *c, sync_str_t text,
    sync_map_loader_t *loader);
static sync_rc_t sync_map_document(sync_map_compile_t *c, uint32_t doc,
    sync_str_t text);
static sync_rc_t sync_map_extends(sync_map_compile_t *c, uint32_t doc,
    uint32_t node, sync_map_loader_t *loader, sync_str_t *name,
    sync_str_t *text);
static sync_rc_t sync_map_sections(sync_map_compile_t *c, sync_map_t *map);
static sync_rc_t sync_map_section(sync_map_compile_t *c,
    const sync_map_place_t *place, sync_map_section_t *section);
static sync_rc_t sync_map_in(sync_map_compile_t *c,
    const sync_map_place_t *place, const char *side, const char *member,
    sync_str_t *pointer);
static sync_rc_t sync_map_out(sync_map_compile_t *c,
    const sync_map_place_t *place, const char *side, const char *member,
    sync_str_t *open, uint32_t *depth);


static const char *const  sync_map_names[] = {
    "version", "note", "extends", "enums", "lookups", "write", "read", "error",
    NULL
};

static const char *const  sync_map_section_names[] = {
    "in", "out", "rules", "x-ext", "ignore", "without", "note", NULL
};

static const char *const  sync_map_envelope_names[] = {
    "one", "many", NULL
};


sync_rc_t
sync_map_compile(sync_map_t **map, sync_arena_t *arena, sync_str_t text,
    sync_map_loader_t *loader, sync_error_t *err)
{
    uint32_t            doc, version;
    sync_rc_t           rc;
    sync_map_compile_t  c;

    memset(&c, 0, sizeof(sync_map_compile_t));

    c.arena = arena;
    c.err = err;
    c.loader = loader;
    c.scratch = sync_arena_create(SYNC_MAP_SCRATCH);

    if (c.scratch == NULL) {
        return SYNC_FAULT;
    }

    *map = sync_calloc(arena, sizeof(sync_map_t));

    rc = *map == NULL ? SYNC_FAULT : sync_map_documents(&c, text, loader);

    if (rc == SYNC_OK) {
        doc = c.ndocs - 1;

        version = sync_json_member(&c.docs[doc].json, 0,
                                   sync_str_lit("version"));

        if (version == SYNC_JSON_NONE) {
            (*map)->version = sync_str_lit("");

        } else if (c.docs[doc].json.nodes[version].type != SYNC_JSON_STRING) {
            rc = sync_map_refuse(&c, doc, version, "type",
                                 "\"version\" is a string");

        } else {
            (*map)->version = sync_map_text(&c, doc, version);
            rc = (*map)->version.data == NULL ? SYNC_FAULT : SYNC_OK;
        }
    }

    if (rc == SYNC_OK) {
        rc = sync_map_sections(&c, *map);
    }

    sync_arena_destroy(c.scratch);

    return rc;
}


int
sync_map_has(const sync_map_t *map, sync_map_section_e section)
{
    return map->sections[section] != NULL;
}


uint32_t
sync_map_env(const sync_map_t *map, sync_map_section_e section)
{
    return map->sections[section] != NULL ? map->sections[section]->env : 0;
}


sync_str_t
sync_map_version(const sync_map_t *map)
{
    return map->version;
}


/* Reads the map and those it extends; docs[0] is the outermost. */

static sync_rc_t
sync_map_documents(sync_map_compile_t *c, sync_str_t text,
    sync_map_loader_t *loader)
{
    uint32_t        i, doc, extends;
    sync_rc_t       rc;
    sync_str_t      name;
    sync_map_doc_t  swap;

    name = sync_str_lit("");

    for (doc = 0; ; doc++) {

        c->docs[doc].name = name;
        c->ndocs = doc + 1;

        rc = sync_map_document(c, doc, text);
        if (rc != SYNC_OK) {
            return rc;
        }

        extends = sync_json_member(&c->docs[doc].json, 0,
                                   sync_str_lit("extends"));

        if (extends == SYNC_JSON_NONE) {
            break;
        }

        rc = sync_map_extends(c, doc, extends, loader, &name, &text);
        if (rc != SYNC_OK) {
            return rc;
        }
    }

    for (i = 0; i < doc; i++, doc--) {
        swap = c->docs[i];
        c->docs[i] = c->docs[doc];
        c->docs[doc] = swap;
    }

    return SYNC_OK;
}


static sync_rc_t
sync_map_document(sync_map_compile_t *c, uint32_t doc, sync_str_t text)
{
    uint32_t             enums;
    sync_rc_t            rc;
    sync_json_t         *json;
    sync_error_t         err;

    json = &c->docs[doc].json;

    rc = sync_json_parse(json, c->scratch, text, NULL, &err);

    if (rc == SYNC_NO) {
        sync_map_refuse(c, doc, SYNC_JSON_NONE, err.what, "%s", err.text);

        if (c->err != NULL) {
            c->err->offset = err.offset;

            if (err.pointer.len) {
                c->err->pointer = sync_strdup(c->arena, err.pointer);
            }
        }

        return rc;
    }

    if (rc != SYNC_OK) {
        return rc;
    }

    rc = sync_map_members(c, doc, 0, sync_map_names, "a map");
    if (rc != SYNC_OK) {
        return rc;
    }

    enums = sync_json_member(json, 0, sync_str_lit("enums"));

    if (enums != SYNC_JSON_NONE
        && json->nodes[enums].type != SYNC_JSON_OBJECT)
    {
        return sync_map_refuse(c, doc, enums, "type",
                               "\"enums\" is an object of tables");
    }

    enums = sync_json_member(json, 0, sync_str_lit("lookups"));

    if (enums != SYNC_JSON_NONE
        && json->nodes[enums].type != SYNC_JSON_OBJECT)
    {
        return sync_map_refuse(c, doc, enums, "type", "\"lookups\" is an "
                               "object of tables, and of files below the "
                               "library that hold one");
    }

    return SYNC_OK;
}


static sync_rc_t
sync_map_extends(sync_map_compile_t *c, uint32_t doc, uint32_t node,
    sync_map_loader_t *loader, sync_str_t *name, sync_str_t *text)
{
    uint32_t      i;
    sync_rc_t     rc;
    sync_error_t  err;

    if (c->docs[doc].json.nodes[node].type != SYNC_JSON_STRING) {
        return sync_map_refuse(c, doc, node, "type", "\"extends\" names one "
                               "map, as \"maps/base.json\"");
    }

    if (loader == NULL) {
        return sync_map_refuse(c, doc, node, "extends",
                               "no other map can be read here");
    }

    *name = sync_map_text(c, doc, node);
    if (name->data == NULL) {
        return SYNC_FAULT;
    }

    for (i = 1; i <= doc; i++) {
        if (sync_str_eq(c->docs[i].name, *name)) {
            break;
        }
    }

    if (i <= doc || doc + 1 == SYNC_MAP_CHAIN_MAX) {
        return sync_map_refuse(c, doc, node, "extends", i <= doc
                               ? "the map extends itself"
                               : "at most 8 maps extend each other");
    }

    memset(&err, 0, sizeof(sync_error_t));

    rc = loader->load(loader, *name, c->scratch, text, &err);

    if (rc == SYNC_NO) {
        return sync_map_refuse(c, doc, node, "extends", "%s", err.text);
    }

    return rc == SYNC_OK ? SYNC_OK : SYNC_FAULT;
}


static sync_rc_t
sync_map_sections(sync_map_compile_t *c, sync_map_t *map)
{
    uint32_t          i, s, found;
    sync_rc_t         rc;
    sync_map_place_t  root, place;

    static const char *const  names[] = { "write", "read" };

    for (i = 0; i < c->ndocs; i++) {
        root.at[i] = 0;
    }

    for (s = 0; s < SYNC_MAP_SECTIONS; s++) {
        sync_map_below(c, &root, names[s], &place);

        for (found = 0, i = 0; i < c->ndocs; i++) {
            if (place.at[i] == SYNC_JSON_NONE) {
                continue;
            }

            found = 1;

            rc = sync_map_members(c, i, place.at[i], sync_map_section_names,
                                  "a section");
            if (rc != SYNC_OK) {
                return rc;
            }
        }

        if (!found) {
            continue;
        }

        map->sections[s] = sync_calloc(c->arena, sizeof(sync_map_section_t));
        if (map->sections[s] == NULL) {
            return SYNC_FAULT;
        }

        c->section = s;
        c->env = 0;

        rc = sync_map_section(c, &place, map->sections[s]);
        if (rc != SYNC_OK) {
            return rc;
        }

        map->sections[s]->env = c->env;
    }

    sync_map_below(c, &root, "error", &place);

    rc = sync_map_failure(c, &place, &map->failure);
    if (rc != SYNC_OK) {
        return rc;
    }

    if (map->sections[SYNC_MAP_WRITE] == NULL
        && map->sections[SYNC_MAP_READ] == NULL)
    {
        return sync_map_refuse(c, c->ndocs - 1, 0, "missing", "the map does "
                               "nothing: add \"write\" or \"read\"");
    }

    return SYNC_OK;
}


static sync_rc_t
sync_map_section(sync_map_compile_t *c, const sync_map_place_t *place,
    sync_map_section_t *section)
{
    uint32_t   doc, node;
    sync_rc_t  rc;

    section->in.one = sync_str_lit("");

    rc = sync_map_in(c, place, "in", "one", &section->in.one);

    if (rc == SYNC_OK) {
        rc = sync_map_in(c, place, "in", "many", &section->in.many);
    }

    if (rc == SYNC_OK) {
        rc = sync_map_out(c, place, "out", "one", &section->out.one_open,
                          &section->out.one_depth);
    }

    if (rc == SYNC_OK) {
        rc = sync_map_out(c, place, "out", "many", &section->out.many_open,
                          &section->out.many_depth);
    }

    if (rc == SYNC_OK) {
        rc = sync_map_scope(c, place, NULL, 0, &section->scope);
    }

    if (rc != SYNC_OK) {
        return rc;
    }

    sync_map_member(c, place, "rules", &doc, &node);

    if (node == SYNC_JSON_NONE) {
        for (doc = c->ndocs - 1; place->at[doc] == SYNC_JSON_NONE; doc--) {
            /* void */
        }

        return sync_map_refuse(c, doc, place->at[doc], "missing",
                               "the section has no \"rules\"");
    }

    return SYNC_OK;
}


/* A pointer of "in"; where there is none *pointer is left as it is. */

static sync_rc_t
sync_map_in(sync_map_compile_t *c, const sync_map_place_t *place,
    const char *side, const char *member, sync_str_t *pointer)
{
    uint32_t          doc, node, count;
    sync_rc_t         rc;
    sync_str_t        names[SYNC_MAP_TREE_MAX];
    sync_map_place_t  below;

    sync_map_below(c, place, side, &below);

    for (doc = 0; doc < c->ndocs; doc++) {
        if (below.at[doc] == SYNC_JSON_NONE) {
            continue;
        }

        rc = sync_map_members(c, doc, below.at[doc], sync_map_envelope_names,
                              "an envelope");
        if (rc != SYNC_OK) {
            return rc;
        }
    }

    sync_map_member(c, &below, member, &doc, &node);

    if (node == SYNC_JSON_NONE) {
        return SYNC_OK;
    }

    rc = sync_map_pointer(c, doc, node, names, &count);
    if (rc != SYNC_OK) {
        return rc;
    }

    *pointer = sync_map_text(c, doc, node);

    return pointer->data == NULL ? SYNC_FAULT : SYNC_OK;
}


/* The text that opens the objects of a pointer: {"d":{"results": */

static sync_rc_t
sync_map_out(sync_map_compile_t *c, const sync_map_place_t *place,
    const char *side, const char *member, sync_str_t *open, uint32_t *depth)
{
    uint32_t          i, doc, node;
    sync_rc_t         rc;
    sync_str_t        names[SYNC_MAP_TREE_MAX], pointer, text;
    sync_json_out_t   out;
    sync_map_place_t  below;

    *open = sync_str_lit("");
    *depth = 0;

    pointer = sync_str_null;

    rc = sync_map_in(c, place, side, member, &pointer);
    if (rc != SYNC_OK || pointer.data == NULL) {
        return rc;
    }

    sync_map_below(c, place, side, &below);
    sync_map_member(c, &below, member, &doc, &node);

    rc = sync_map_pointer(c, doc, node, names, depth);
    if (rc != SYNC_OK) {
        return rc;
    }

    sync_json_begin(&out, c->scratch, 0, 0);

    for (i = 0; i < *depth; i++) {
        sync_json_open(&out, '{');
        sync_json_key(&out, names[i]);
    }

    rc = sync_json_end(&out, &text);
    if (rc != SYNC_OK) {
        return rc;
    }

    *open = sync_strdup(c->arena, text);

    return open->data == NULL ? SYNC_FAULT : SYNC_OK;
}
