
/*
 * Schemas by their texts: read once, each subschema with a URI or an anchor
 * of its own noted, references found.  What they say is compiled in
 * sync_schema_compile.c.
 */


#include "sync_schema_impl.h"

#include <stdarg.h>
#include <stdio.h>


#define SYNC_SCHEMA_META_DEPTH  8        /* meta-schemas of meta-schemas */


static sync_rc_t sync_schema_document(sync_schema_load_t *load,
    sync_str_t uri, sync_str_t text, sync_schema_doc_t **doc);
static sync_rc_t sync_schema_index(sync_schema_load_t *load,
    sync_schema_resource_t *parent, uint32_t at);
static sync_rc_t sync_schema_identify(sync_schema_load_t *load,
    sync_schema_resource_t **resource, uint32_t at);
static sync_rc_t sync_schema_begin(sync_schema_load_t *load,
    sync_schema_doc_t *doc, uint32_t at, sync_str_t uri,
    const sync_schema_dialect_t *dialect, sync_schema_resource_t **resource);
static sync_rc_t sync_schema_anchors(sync_schema_load_t *load,
    sync_schema_resource_t *resource, uint32_t at);
static sync_rc_t sync_schema_anchor(sync_schema_load_t *load,
    sync_schema_resource_t *resource, uint32_t at, uint32_t value,
    sync_str_t name, int dynamic);
static sync_rc_t sync_schema_below(sync_schema_load_t *load,
    sync_schema_resource_t *resource, const sync_keyword_t *keyword,
    uint32_t at);
static sync_rc_t sync_schema_place(sync_schema_load_t *load,
    sync_schema_resource_t *resource, uint32_t at, sync_str_t pointer,
    uint32_t *found);


static const sync_schema_options_t  sync_schema_defaults;


sync_rc_t
sync_schema_compile(sync_schema_t **schema, sync_arena_t *arena,
    sync_str_t text, const sync_schema_options_t *options, sync_error_t *err)
{
    sync_rc_t            rc;
    sync_schema_doc_t   *doc;
    sync_schema_load_t   load;
    sync_schema_node_t  *node;

    memset(&load, 0, sizeof(sync_schema_load_t));

    load.arena = arena;
    load.options = options ? options : &sync_schema_defaults;
    load.err = err;

    load.schema = sync_calloc(arena, sizeof(sync_schema_t));
    if (load.schema == NULL) {
        return SYNC_FAULT;
    }

    rc = sync_schema_document(&load, load.options->base, text, &doc);

    if (rc == SYNC_OK) {
        rc = sync_schema_node(&load, doc->resources[0], 0,
                              &load.schema->root);
    }

    while (rc == SYNC_OK && load.queue) {
        node = load.queue;
        load.queue = node->next;

        rc = sync_schema_ops(&load, node);
    }

    *schema = load.schema;

    return rc;
}


static sync_rc_t
sync_schema_document(sync_schema_load_t *load, sync_str_t uri,
    sync_str_t text, sync_schema_doc_t **document)
{
    char                     reason[140];
    sync_rc_t                rc;
    sync_schema_doc_t       *doc;
    sync_schema_dialect_t    dialect;
    sync_schema_resource_t  *root;

    if (load->ndocs++ == SYNC_SCHEMA_DOCUMENTS) {
        return sync_refuse(load->err, "schema", SYNC_NOWHERE, "a schema "
                           "reaches more than %d others",
                           SYNC_SCHEMA_DOCUMENTS);
    }

    if (load->depth == SYNC_SCHEMA_META_DEPTH) {
        return sync_refuse(load->err, "schema", SYNC_NOWHERE, "the "
                           "meta-schemas of \"$schema\" go round");
    }

    doc = sync_calloc(load->arena, sizeof(sync_schema_doc_t));
    if (doc == NULL) {
        return SYNC_FAULT;
    }

    text = sync_strdup(load->arena, text);
    doc->uri = sync_strdup(load->arena, uri);

    if (text.data == NULL || doc->uri.data == NULL) {
        return SYNC_FAULT;
    }

    rc = sync_json_parse(&doc->json, load->arena, text, NULL, load->err);

    if (rc != SYNC_OK) {
        if (rc == SYNC_NO && load->err) {
            load->err->what = "json";

            if (load->docs) {
                snprintf(reason, sizeof(reason), "%.139s",
                         load->err->text);
                snprintf(load->err->text, sizeof(load->err->text),
                         "%.*s: %s", (int) (uri.len < 100 ? uri.len : 100),
                         (char *) uri.data, reason);
            }
        }

        return rc;
    }

    doc->resources = sync_calloc(load->arena, doc->json.count
                                              * sizeof(void *));
    doc->nodes = sync_calloc(load->arena, doc->json.count * sizeof(void *));

    if (doc->resources == NULL || doc->nodes == NULL) {
        return SYNC_FAULT;
    }

    doc->next = load->docs;
    load->docs = doc;

    dialect.draft = load->options->draft;
    dialect.vocab = SYNC_VOCAB_ALL;

    load->depth++;

    rc = sync_schema_begin(load, doc, 0, doc->uri, &dialect, &root);

    if (rc == SYNC_OK) {
        rc = sync_schema_index(load, root, 0);
    }

    load->depth--;

    *document = doc;

    return rc;
}


/*
 * Notes what has a name in the subschema at a place and below it, as far as
 * keywords are known to hold subschemas: elsewhere "$id" is only data.
 */

static sync_rc_t
sync_schema_index(sync_schema_load_t *load, sync_schema_resource_t *resource,
    uint32_t at)
{
    uint32_t               k;
    sync_rc_t              rc;
    sync_str_t             name;
    sync_json_t           *json;
    const sync_keyword_t  *keyword;

    json = &resource->doc->json;

    switch (json->nodes[at].type) {

    case SYNC_JSON_TRUE:
    case SYNC_JSON_FALSE:
        resource->doc->resources[at] = resource;
        return SYNC_OK;

    case SYNC_JSON_OBJECT:
        break;

    default:
        return sync_schema_refuse(load, resource->doc, at, "schema",
                                  "a schema is an object, true or false");
    }

    rc = sync_schema_identify(load, &resource, at);

    if (rc == SYNC_OK) {
        resource->doc->resources[at] = resource;
        rc = sync_schema_anchors(load, resource, at);
    }

    for (k = at + 1; rc == SYNC_OK && k < json->nodes[at].next;
         k = json->nodes[k].next)
    {
        name = sync_json_unescape(json, k, load->arena);
        if (name.data == NULL) {
            return SYNC_FAULT;
        }

        keyword = sync_schema_keyword(&resource->dialect, name);

        rc = keyword ? sync_schema_below(load, resource, keyword, k + 1)
                     : sync_schema_known(load, resource, k);
    }

    return rc;
}


/* "$id" and "$schema": a resource of its own begins. */

static sync_rc_t
sync_schema_identify(sync_schema_load_t *load,
    sync_schema_resource_t **resource, uint32_t at)
{
    uint32_t                id, schema;
    sync_rc_t               rc;
    sync_str_t              uri, fragment;
    sync_json_t            *json;
    sync_schema_doc_t      *doc;
    sync_schema_dialect_t   dialect;

    doc = (*resource)->doc;
    json = &doc->json;
    dialect = (*resource)->dialect;

    id = sync_json_member(json, at, sync_str_lit("$id"));
    schema = sync_json_member(json, at, sync_str_lit("$schema"));

    if (schema != SYNC_JSON_NONE && (at == 0 || id != SYNC_JSON_NONE)) {
        rc = sync_schema_dialect(load, *resource, schema, &dialect);
        if (rc != SYNC_OK) {
            return rc;
        }
    }

    if (id != SYNC_JSON_NONE && dialect.draft == SYNC_SCHEMA_DRAFT_07
        && sync_json_member(json, at, sync_str_lit("$ref"))
           != SYNC_JSON_NONE)
    {
        /* nothing beside a "$ref" counts */

        id = SYNC_JSON_NONE;
    }

    if (id == SYNC_JSON_NONE) {

        if (at == 0) {
            (*resource)->dialect = dialect;
        }

        return SYNC_OK;
    }

    if (json->nodes[id].type != SYNC_JSON_STRING) {
        return sync_schema_refuse(load, doc, id, "schema",
                                  "\"$id\" is a URI reference");
    }

    uri = sync_json_unescape(json, id, load->arena);
    if (uri.data == NULL) {
        return SYNC_FAULT;
    }

    uri = sync_schema_unfragment(uri, &fragment);

    if (fragment.len) {

        if (dialect.draft != SYNC_SCHEMA_DRAFT_07) {
            return sync_schema_refuse(load, doc, id, "schema", "\"$id\" has "
                                      "no fragment; write \"$anchor\"");
        }

        if (uri.len == 0) {
            return sync_schema_anchor(load, *resource, at, id, fragment, 0);
        }
    }

    uri = sync_schema_uri(load->arena, (*resource)->uri, uri);
    if (uri.data == NULL) {
        return SYNC_FAULT;
    }

    if (at == 0) {

        /* the URI it was got by still leads to it: doc->uri */

        (*resource)->uri = uri;
        (*resource)->dialect = dialect;

    } else {
        rc = sync_schema_begin(load, doc, at, uri, &dialect, resource);
        if (rc != SYNC_OK) {
            return rc;
        }
    }

    return fragment.len ? sync_schema_anchor(load, *resource, at, id,
                                             fragment, 0)
                        : SYNC_OK;
}


static sync_rc_t
sync_schema_begin(sync_schema_load_t *load, sync_schema_doc_t *doc,
    uint32_t at, sync_str_t uri, const sync_schema_dialect_t *dialect,
    sync_schema_resource_t **resource)
{
    sync_schema_resource_t  *r;

    for (r = load->resources; r; r = r->next) {
        if (r->doc == doc && sync_str_eq(r->uri, uri)) {
            return sync_schema_refuse(load, doc, at, "schema", "another "
                                      "schema has the same \"$id\"");
        }
    }

    r = sync_calloc(load->arena, sizeof(sync_schema_resource_t));
    if (r == NULL) {
        return SYNC_FAULT;
    }

    r->uri = uri;
    r->doc = doc;
    r->at = at;
    r->dialect = *dialect;
    r->next = load->resources;
    load->resources = r;

    *resource = r;

    return SYNC_OK;
}


static sync_rc_t
sync_schema_anchors(sync_schema_load_t *load,
    sync_schema_resource_t *resource, uint32_t at)
{
    int           dynamic;
    uint32_t      value;
    sync_rc_t     rc;
    sync_str_t    name;
    sync_json_t  *json;

    json = &resource->doc->json;

    if (resource->dialect.draft == SYNC_SCHEMA_DRAFT_07) {
        return SYNC_OK;
    }

    for (dynamic = 0; dynamic < 2; dynamic++) {

        value = sync_json_member(json, at, dynamic
                                           ? sync_str_lit("$dynamicAnchor")
                                           : sync_str_lit("$anchor"));

        if (value == SYNC_JSON_NONE) {
            continue;
        }

        if (json->nodes[value].type != SYNC_JSON_STRING) {
            return sync_schema_refuse(load, resource->doc, value, "schema",
                                      "an anchor is a string");
        }

        name = sync_json_unescape(json, value, load->arena);
        if (name.data == NULL) {
            return SYNC_FAULT;
        }

        rc = sync_schema_anchor(load, resource, at, value, name, dynamic);
        if (rc != SYNC_OK) {
            return rc;
        }
    }

    return SYNC_OK;
}


static sync_rc_t
sync_schema_anchor(sync_schema_load_t *load, sync_schema_resource_t *resource,
    uint32_t at, uint32_t value, sync_str_t name, int dynamic)
{
    size_t                 i;
    unsigned char          ch;
    sync_schema_anchor_t  *a;

    for (i = 0; i < name.len; i++) {
        ch = name.data[i];

        if ((ch | 0x20) >= 'a' && (ch | 0x20) <= 'z') {
            continue;
        }

        if (ch == '_' || (i && ((ch >= '0' && ch <= '9') || ch == '-'
                                || ch == '.' || ch == ':')))
        {
            continue;
        }

        break;
    }

    if (name.len == 0 || i < name.len) {
        return sync_schema_refuse(load, resource->doc, value, "schema",
                       "an anchor is a letter or \"_\", then letters, "
                       "digits, \"_\", \"-\" and \".\"");
    }

    for (a = resource->anchors; a; a = a->next) {
        if (sync_str_eq(a->name, name) && a->at != at) {
            return sync_schema_refuse(load, resource->doc, value, "schema",
                                      "another schema has the same anchor");
        }
    }

    a = sync_calloc(load->arena, sizeof(sync_schema_anchor_t));
    if (a == NULL) {
        return SYNC_FAULT;
    }

    a->name = name;
    a->at = at;
    a->dynamic = dynamic != 0;
    a->next = resource->anchors;
    resource->anchors = a;

    return dynamic ? sync_schema_node(load, resource, at, &a->node)
                   : SYNC_OK;
}


/* The subschemas in a keyword's value, indexed. */

static sync_rc_t
sync_schema_below(sync_schema_load_t *load, sync_schema_resource_t *resource,
    const sync_keyword_t *keyword, uint32_t at)
{
    uint32_t            i, end;
    uint8_t             type;
    sync_rc_t           rc;
    sync_json_node_t   *nodes;

    nodes = resource->doc->json.nodes;
    type = nodes[at].type;
    end = nodes[at].next;

    switch (keyword->holds) {

    case SYNC_KEYWORD_PLAIN:
        return SYNC_OK;

    case SYNC_KEYWORD_SCHEMA:
        return sync_schema_index(load, resource, at);

    case SYNC_KEYWORD_ITEMS:
        if (type != SYNC_JSON_ARRAY) {
            return sync_schema_index(load, resource, at);
        }

        if (resource->dialect.draft != SYNC_SCHEMA_DRAFT_07) {
            return sync_schema_refuse(load, resource->doc, at, "schema",
                           "\"items\" is one schema for all items; an array "
                           "of them is \"prefixItems\"");
        }

        break;

    case SYNC_KEYWORD_LIST:
        if (type != SYNC_JSON_ARRAY || nodes[at].len == 0) {
            return sync_schema_refuse(load, resource->doc, at, "schema",
                           "\"%s\" is an array of at least one schema",
                           keyword->name);
        }

        break;

    default:
        if (type != SYNC_JSON_OBJECT) {
            return sync_schema_refuse(load, resource->doc, at, "schema",
                                      "\"%s\" is an object",
                                      keyword->name);
        }
    }

    for (i = at + 1; i < end; i = nodes[i].next) {

        if (type == SYNC_JSON_ARRAY) {
            rc = sync_schema_index(load, resource, i);

        } else if (keyword->holds == SYNC_KEYWORD_DEPENDENCIES
                   && nodes[i + 1].type == SYNC_JSON_ARRAY)
        {
            rc = SYNC_OK;

        } else {
            rc = sync_schema_index(load, resource, i + 1);
        }

        if (rc != SYNC_OK) {
            return rc;
        }
    }

    return SYNC_OK;
}


sync_rc_t
sync_schema_node(sync_schema_load_t *load, sync_schema_resource_t *resource,
    uint32_t at, sync_schema_node_t **node)
{
    sync_schema_doc_t   *doc;
    sync_schema_node_t  *n;

    doc = resource->doc;

    if (doc->nodes[at]) {
        *node = doc->nodes[at];
        return SYNC_OK;
    }

    if (load->nnodes++ == SYNC_SCHEMA_NODES) {
        return sync_refuse(load->err, "schema", SYNC_NOWHERE, "a schema has "
                           "more than %d subschemas", SYNC_SCHEMA_NODES);
    }

    n = sync_calloc(load->arena, sizeof(sync_schema_node_t));
    if (n == NULL) {
        return SYNC_FAULT;
    }

    /* a subschema with an "$id" stands in the resource that it begins */

    n->resource = doc->resources[at] ? doc->resources[at] : resource;
    n->at = at;
    n->next = load->queue;
    load->queue = n;

    doc->nodes[at] = n;
    *node = n;

    return SYNC_OK;
}


sync_rc_t
sync_schema_find(sync_schema_load_t *load, sync_schema_resource_t *from,
    uint32_t at, sync_schema_node_t **node, sync_str_t *anchor)
{
    uint32_t                 found;
    sync_rc_t                rc;
    sync_str_t               uri, fragment;
    sync_schema_doc_t       *doc;
    sync_schema_anchor_t    *a;
    sync_schema_resource_t  *resource;

    doc = from->doc;
    *anchor = sync_str_null;

    if (doc->json.nodes[at].type != SYNC_JSON_STRING) {
        return sync_schema_refuse(load, doc, at, "schema",
                                  "a reference is a URI reference");
    }

    uri = sync_json_unescape(&doc->json, at, load->arena);
    if (uri.data == NULL) {
        return SYNC_FAULT;
    }

    uri = sync_schema_unfragment(uri, &fragment);

    rc = sync_schema_resource(load, from, at, uri, &resource);
    if (rc != SYNC_OK) {
        return rc;
    }

    if (fragment.len == 0) {
        return sync_schema_node(load, resource, resource->at, node);
    }

    fragment = sync_schema_unpercent(load->arena, fragment);
    if (fragment.data == NULL) {
        return sync_schema_refuse(load, doc, at, "reference",
                                  "a \"%%\" is not followed by two "
                                  "hexadecimal digits");
    }

    if (fragment.data[0] == '/') {
        rc = sync_schema_place(load, resource, at, fragment, &found);

        if (rc != SYNC_OK) {
            return rc;
        }

        if (found == SYNC_JSON_NONE) {
            return sync_schema_refuse(load, doc, at, "reference",
                                      "the reference leads nowhere");
        }

        return sync_schema_node(load, resource, found, node);
    }

    for (a = resource->anchors; a; a = a->next) {

        if (!sync_str_eq(a->name, fragment)) {
            continue;
        }

        if (a->dynamic) {
            *anchor = a->name;
        }

        return sync_schema_node(load, resource, a->at, node);
    }

    return sync_schema_refuse(load, doc, at, "reference",
                              "the reference names an anchor that is not "
                              "there");
}


sync_rc_t
sync_schema_resource(sync_schema_load_t *load, sync_schema_resource_t *from,
    uint32_t at, sync_str_t uri, sync_schema_resource_t **resource)
{
    sync_rc_t                rc;
    sync_str_t               text;
    sync_schema_doc_t       *doc;
    sync_schema_resource_t  *r;

    uri = sync_schema_uri(load->arena, from->uri, uri);
    if (uri.data == NULL) {
        return SYNC_FAULT;
    }

    for (r = load->resources; r; r = r->next) {
        if (sync_str_eq(r->uri, uri)) {
            *resource = r;
            return SYNC_OK;
        }
    }

    for (doc = load->docs; doc; doc = doc->next) {
        if (sync_str_eq(doc->uri, uri)) {
            *resource = doc->resources[0];
            return SYNC_OK;
        }
    }

    text = sync_schema_meta(uri);

    if (text.data == NULL) {

        rc = SYNC_NO;

        if (load->err) {
            load->err->text[0] = '\0';
        }

        if (load->options->resolve) {
            rc = load->options->resolve(load->options->data, uri, load->arena,
                                        &text, load->err);
        }

        if (rc == SYNC_NO) {
            return sync_schema_refuse(load, from->doc, at, "reference",
                           load->err && load->err->text[0]
                           ? "the schema \"%.*s\" that is referred to: %s"
                           : "the schema \"%.*s\" that is referred to is not "
                             "there%s",
                           (int) (uri.len < 100 ? uri.len : 100),
                           (char *) uri.data,
                           load->err ? load->err->text : "");
        }

        if (rc != SYNC_OK) {
            return rc;
        }
    }

    rc = sync_schema_document(load, uri, text, &doc);
    if (rc != SYNC_OK) {
        return rc;
    }

    *resource = doc->resources[0];

    return SYNC_OK;
}


/*
 * The subschema that a pointer leads to, or SYNC_JSON_NONE.  What no keyword
 * holds becomes one by being referred to.
 */

static sync_rc_t
sync_schema_place(sync_schema_load_t *load, sync_schema_resource_t *resource,
    uint32_t at, sync_str_t pointer, uint32_t *found)
{
    uint32_t            i, n;
    sync_schema_doc_t  *doc;

    doc = resource->doc;

    n = sync_json_at(&doc->json, resource->at, pointer);
    *found = n;

    if (n == SYNC_JSON_NONE || doc->resources[n]) {
        return SYNC_OK;
    }

    for (i = n; i-- > resource->at; /* void */ ) {
        if (doc->resources[i] && doc->json.nodes[i].next > n) {
            resource = doc->resources[i];
            break;
        }
    }

    return sync_schema_index(load, resource, n);
}


sync_rc_t
sync_schema_refuse(sync_schema_load_t *load, const sync_schema_doc_t *doc,
    uint32_t at, const char *what, const char *fmt, ...)
{
    char        text[SYNC_ERROR_TEXT];
    va_list     args;
    sync_str_t  pointer;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);

    pointer = sync_json_pointer(&doc->json, at, load->arena);
    if (pointer.data == NULL) {
        return SYNC_FAULT;
    }

    if (doc->uri.len && doc->next) {

        /* not in the text that was given: name it */

        sync_refuse(load->err, what, doc->json.nodes[at].off,
                    "%.*s: %.150s", (int) (doc->uri.len < 100
                                           ? doc->uri.len : 100),
                    (char *) doc->uri.data, text);

    } else {
        sync_refuse(load->err, what, doc->json.nodes[at].off, "%s", text);
    }

    if (load->err) {
        load->err->pointer = pointer;
    }

    return SYNC_NO;
}
