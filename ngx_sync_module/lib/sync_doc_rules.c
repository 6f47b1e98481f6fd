
/*
 * What a tenant's payloads must look like, whose their attributes are, and
 * what of an answer is hidden.
 */


#include "sync_doc_grammar.h"

#include <stdio.h>


#define SYNC_DOC_OWNERS     256          /* rules of a document, at most */
#define SYNC_DOC_MASKS      128
#define SYNC_DOC_SCHEMA_VERSION  999


static sync_rc_t sync_doc_schema_item(sync_doc_compile_t *c, sync_str_t name,
    const sync_value_t *v, uint32_t i, void *data);
static sync_rc_t sync_doc_owned_entity(sync_doc_compile_t *c,
    sync_str_t name, const sync_value_t *v, uint32_t i, void *data);
static sync_rc_t sync_doc_owner_item(sync_doc_compile_t *c, sync_str_t name,
    const sync_value_t *v, uint32_t i, void *data);
static sync_rc_t sync_doc_mask_item(sync_doc_compile_t *c, sync_str_t name,
    const sync_value_t *v, uint32_t i, void *data);
static sync_rc_t sync_doc_set_pattern(sync_doc_compile_t *c,
    const sync_value_t *v, const sync_doc_member_t *m, void *rec);
static sync_rc_t sync_doc_set_of_source(sync_doc_compile_t *c,
    const sync_value_t *v, const sync_doc_member_t *m, void *rec);


typedef struct {
    uint32_t                   entity;
    uint32_t                   n;        /* rules written */
    uint32_t                   off;
} sync_doc_owned_fill_t;


static const sync_doc_list_of_t  sync_doc_source_list = {
    sync_doc_set_of_source, NULL, 1, 16
};

static const sync_doc_word_t  sync_doc_mask_words[] = {
    { "stars",          SYNC_MASK_STARS, 0 },
    { "last4",          SYNC_MASK_LAST4, 0 },
    { "null",           SYNC_MASK_NULL, 0 },
    { "remove",         SYNC_MASK_REMOVE, 0 },
    { NULL,             0, 0 }
};

static const sync_doc_words_t  sync_doc_mask_as = {
    "way to hide", sync_doc_mask_words
};

static const sync_doc_member_t  sync_doc_mask_table[] = {

    { "path", SYNC_DOC_STRING, SYNC_DOC_REQUIRED, sync_doc_set_pattern,
      offsetof(sync_doc_mask_rec_t, pattern), NULL },

    { "unless_scope", SYNC_DOC_STRING, 0, sync_doc_set_text,
      offsetof(sync_doc_mask_rec_t, scope), NULL },

    { "as", SYNC_DOC_STRING, 0, sync_doc_set_word,
      offsetof(sync_doc_mask_rec_t, as), &sync_doc_mask_as },

    { "source", SYNC_DOC_STRING, 0, sync_doc_set_of_source,
      offsetof(sync_doc_mask_rec_t, source), NULL },

    { "entity", SYNC_DOC_STRING, 0, sync_doc_set_word,
      offsetof(sync_doc_mask_rec_t, entity), &sync_doc_entities },

    sync_doc_last
};


/* "schemas": { "sales_order": 2 }, the file schemas/sales_order/2.json */

sync_rc_t
sync_doc_set_schemas(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec)
{
    (void) m;

    return sync_doc_each(c, v, sync_doc_schema_item, rec);
}


static sync_rc_t
sync_doc_schema_item(sync_doc_compile_t *c, sync_str_t name,
    const sync_value_t *v, uint32_t i, void *data)
{
    int          len;
    char         path[64];
    int64_t      version;
    uint32_t     entity;
    sync_rc_t    rc;
    sync_str_t   file;
    sync_doc_t  *head = data;

    (void) i;

    rc = sync_doc_word(c, &sync_doc_entities, name, 1, &entity);
    if (rc != SYNC_OK) {
        return rc;
    }

    if (sync_value_int(v, &version) != SYNC_OK || version < 1
        || version > SYNC_DOC_SCHEMA_VERSION)
    {
        return sync_doc_refuse(c, "value", "is not a version: 1 to %d",
                               SYNC_DOC_SCHEMA_VERSION);
    }

    head->schemas[entity] = (uint32_t) version;

    len = snprintf(path, sizeof(path), "schemas/%.*s/%u.json",
                   (int) name.len, (char *) name.data, (unsigned) version);

    file.data = (unsigned char *) path;
    file.len = (size_t) len;

    if (c->options->library) {

        rc = c->options->library(c->options->data, file);

        if (rc == SYNC_NO) {
            return sync_doc_refuse(c, "reference", "there is no file \"%s\" "
                                   "below the library", path);
        }
    }

    return rc;
}


/* A path for all entities of the source, or one for each. */

sync_rc_t
sync_doc_set_source_schema(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec)
{
    uint32_t                e;
    sync_rc_t               rc;
    sync_doc_member_t       whole;
    sync_doc_source_rec_t  *source = rec;

    (void) m;

    if (sync_value_type(v) == SYNC_VALUE_OBJECT) {
        return sync_doc_each(c, v, sync_doc_entity_path, source->schemas);
    }

    rc = sync_doc_kind(c, v, SYNC_DOC_STRING);

    if (rc == SYNC_OK) {
        memset(&whole, 0, sizeof(whole));
        rc = sync_doc_set_library(c, v, &whole, &source->schemas[0]);
    }

    for (e = 1; rc == SYNC_OK && e < SYNC_ENTITIES; e++) {
        source->schemas[e] = source->schemas[0];
    }

    return rc;
}


sync_rc_t
sync_doc_entity_path(sync_doc_compile_t *c, sync_str_t name,
    const sync_value_t *v, uint32_t i, void *data)
{
    uint32_t            entity;
    sync_rc_t           rc;
    sync_doc_ref_t     *paths = data;
    sync_doc_member_t   m;

    (void) i;

    rc = sync_doc_word(c, &sync_doc_entities, name, 1, &entity);

    if (rc == SYNC_OK) {
        rc = sync_doc_kind(c, v, SYNC_DOC_STRING);
    }

    if (rc != SYNC_OK) {
        return rc;
    }

    memset(&m, 0, sizeof(m));

    return sync_doc_set_library(c, v, &m, &paths[entity]);
}


/* "ownership": { "sales_order": { "/total": "sap" } } */

sync_rc_t
sync_doc_set_ownership(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec)
{
    size_t                  n;
    sync_rc_t               rc;
    sync_doc_t             *head = rec;
    sync_value_iter_t       it = { 0 };
    sync_doc_owned_fill_t   fill;

    (void) m;

    for (n = 0; sync_value_next(v, &it); /* void */ ) {
        n += sync_value_count(it.value);
    }

    if (n > SYNC_DOC_OWNERS) {
        return sync_doc_refuse(c, "value", "has more than %d rules",
                               SYNC_DOC_OWNERS);
    }

    memset(&fill, 0, sizeof(fill));

    rc = sync_doc_room(c, n, sizeof(sync_doc_owner_rec_t), &fill.off);

    if (rc == SYNC_OK) {
        rc = sync_doc_each(c, v, sync_doc_owned_entity, &fill);
    }

    head->owners.off = fill.off;
    head->owners.n = fill.n;

    return rc;
}


static sync_rc_t
sync_doc_owned_entity(sync_doc_compile_t *c, sync_str_t name,
    const sync_value_t *v, uint32_t i, void *data)
{
    sync_rc_t               rc;
    sync_doc_owned_fill_t  *fill = data;

    (void) i;

    rc = sync_doc_word(c, &sync_doc_entities, name, 1, &fill->entity);

    if (rc == SYNC_OK) {
        rc = sync_doc_kind(c, v, SYNC_DOC_OBJECT);
    }

    return rc == SYNC_OK ? sync_doc_each(c, v, sync_doc_owner_item, fill)
                         : rc;
}


static sync_rc_t
sync_doc_owner_item(sync_doc_compile_t *c, sync_str_t name,
    const sync_value_t *v, uint32_t i, void *data)
{
    sync_rc_t               rc;
    sync_doc_member_t       m;
    sync_doc_owner_rec_t    rec;
    sync_doc_owned_fill_t  *fill = data;

    (void) i;

    memset(&rec, 0, sizeof(rec));
    rec.entity = fill->entity;

    if (!sync_doc_pointer_ok(name)) {
        return sync_doc_refuse(c, "value", "is not the path of an attribute: "
                               "a JSON Pointer, \"*\" for every item");
    }

    rc = sync_doc_string(c, name, &rec.pattern);
    if (rc != SYNC_OK) {
        return rc;
    }

    memset(&m, 0, sizeof(m));
    m.data = &sync_doc_source_list;

    rc = sync_doc_set_list(c, v, &m, &rec.owners);
    if (rc != SYNC_OK) {
        return rc;
    }

    sync_doc_write(c, fill->off, fill->n++, &rec, sizeof(rec));

    return SYNC_OK;
}


sync_rc_t
sync_doc_set_masks(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec)
{
    sync_doc_t *head = rec;

    (void) m;

    if (sync_value_count(v) > SYNC_DOC_MASKS) {
        return sync_doc_refuse(c, "value", "has more than %d rules",
                               SYNC_DOC_MASKS);
    }

    return sync_doc_records(c, v, &head->masks, sizeof(sync_doc_mask_rec_t),
                            sync_doc_mask_item, head);
}


static sync_rc_t
sync_doc_mask_item(sync_doc_compile_t *c, sync_str_t name,
    const sync_value_t *v, uint32_t i, void *data)
{
    sync_rc_t             rc;
    sync_doc_t           *head = data;
    sync_doc_mask_rec_t   rec;

    (void) name;

    memset(&rec, 0, sizeof(rec));
    rec.entity = SYNC_ENTITIES;

    rc = sync_doc_kind(c, v, SYNC_DOC_OBJECT);

    if (rc == SYNC_OK) {
        rc = sync_doc_walk(c, v, sync_doc_mask_table, &rec);
    }

    if (rc == SYNC_OK) {
        sync_doc_write(c, head->masks.off, i, &rec, sizeof(rec));
    }

    return rc;
}


static sync_rc_t
sync_doc_set_pattern(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec)
{
    if (!sync_doc_pointer_ok(sync_value_str(v))) {
        return sync_doc_refuse(c, "value", "is not the path of an attribute: "
                               "a JSON Pointer, \"*\" for every item");
    }

    return sync_doc_set_text(c, v, m, rec);
}


static sync_rc_t
sync_doc_set_of_source(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec)
{
    uint32_t  index;

    if (sync_doc_find(c, c->head.sources, sizeof(sync_doc_source_rec_t),
                      sync_value_str(v), &index)
        != SYNC_OK)
    {
        return sync_doc_no_such(c, "source", c->head.sources,
                                sizeof(sync_doc_source_rec_t),
                                sync_value_str(v));
    }

    return sync_doc_set_name(c, v, m, rec);
}
