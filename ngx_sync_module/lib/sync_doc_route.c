
/*
 * Routes: which connector has an entity.
 */


#include "sync_doc_grammar.h"


static sync_rc_t sync_doc_route_item(sync_doc_compile_t *c, sync_str_t name,
    const sync_value_t *v, uint32_t i, void *data);
static sync_rc_t sync_doc_route_known(sync_doc_compile_t *c,
    const sync_doc_route_rec_t *route);
static sync_rc_t sync_doc_route_reached(sync_doc_compile_t *c,
    const sync_doc_route_rec_t *route, uint32_t i);
static sync_rc_t sync_doc_set_to(sync_doc_compile_t *c,
    const sync_value_t *v, const sync_doc_member_t *m, void *rec);
static sync_rc_t sync_doc_set_when(sync_doc_compile_t *c,
    const sync_value_t *v, const sync_doc_member_t *m, void *rec);
static sync_rc_t sync_doc_when_item(sync_doc_compile_t *c, sync_str_t name,
    const sync_value_t *v, uint32_t i, void *data);


static const sync_doc_list_of_t  sync_doc_value_list = {
    sync_doc_set_text, NULL, 1, 0
};


static const sync_doc_member_t  sync_doc_route_table[] = {

    { "entity", SYNC_DOC_STRING, SYNC_DOC_REQUIRED, sync_doc_set_word,
      offsetof(sync_doc_route_rec_t, entity), &sync_doc_entities },

    { "when", SYNC_DOC_OBJECT, 0, sync_doc_set_when,
      offsetof(sync_doc_route_rec_t, conditions), NULL },

    { "to", SYNC_DOC_STRING, SYNC_DOC_REQUIRED, sync_doc_set_to,
      offsetof(sync_doc_route_rec_t, connector), NULL },

    sync_doc_last
};


sync_rc_t
sync_doc_set_routes(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec)
{
    sync_doc_t *head = rec;

    (void) m;

    return sync_doc_records(c, v, &head->routes, sizeof(sync_doc_route_rec_t),
                            sync_doc_route_item, head);
}


static sync_rc_t
sync_doc_route_item(sync_doc_compile_t *c, sync_str_t name,
    const sync_value_t *v, uint32_t i, void *data)
{
    sync_rc_t              rc;
    sync_doc_t            *head = data;
    sync_doc_route_rec_t   rec;

    (void) name;

    memset(&rec, 0, sizeof(rec));

    rc = sync_doc_kind(c, v, SYNC_DOC_OBJECT);

    if (rc == SYNC_OK) {
        rc = sync_doc_walk(c, v, sync_doc_route_table, &rec);
    }

    if (rc == SYNC_OK) {
        rc = sync_doc_route_known(c, &rec);
    }

    if (rc == SYNC_OK) {
        rc = sync_doc_route_reached(c, &rec, i);
    }

    if (rc == SYNC_OK) {
        sync_doc_write(c, head->routes.off, i, &rec, sizeof(rec));
    }

    return rc;
}


/* Does the connector know the entity? */

static sync_rc_t
sync_doc_route_known(sync_doc_compile_t *c, const sync_doc_route_rec_t *route)
{
    uint32_t                  i;
    sync_str_t                name;
    sync_doc_shown_t          shown;
    sync_doc_entity_rec_t     entity;
    sync_doc_connector_rec_t  connector;

    memcpy(&connector, c->block + c->head.connectors.off
                       + route->connector * sizeof(connector),
           sizeof(connector));

    for (i = 0; i < connector.entities.n; i++) {
        memcpy(&entity, c->block + connector.entities.off
                        + i * sizeof(entity), sizeof(entity));

        if (entity.entity == route->entity) {
            return SYNC_OK;
        }
    }

    name = sync_entity_name((sync_entity_e) route->entity);

    return sync_doc_refuse_at(c, "to", "reference", "connector \"%s\" has no "
                              "entity \"%.*s\"",
                              sync_doc_show(&shown,
                                            sync_doc_now(c, connector.name)),
                              (int) name.len, name.data);
}


/* A route behind one that takes all of its entity is a mistake. */

static sync_rc_t
sync_doc_route_reached(sync_doc_compile_t *c, const sync_doc_route_rec_t *route,
    uint32_t i)
{
    uint32_t              k;
    sync_str_t            name;
    sync_doc_route_rec_t  before;

    for (k = 0; k < i; k++) {
        memcpy(&before, c->block + c->head.routes.off + k * sizeof(before),
               sizeof(before));

        if (before.entity == route->entity && before.conditions.n == 0) {
            name = sync_entity_name((sync_entity_e) route->entity);

            return sync_doc_refuse(c, "value", "is never reached: /routes/%u "
                                   "has no \"when\" and takes every %.*s", k,
                                   (int) name.len, name.data);
        }
    }

    return SYNC_OK;
}


static sync_rc_t
sync_doc_set_to(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec)
{
    sync_str_t             s;
    sync_doc_route_rec_t  *route = rec;

    (void) m;

    s = sync_value_str(v);

    if (sync_doc_find(c, c->head.connectors, sizeof(sync_doc_connector_rec_t),
                      s, &route->connector)
        != SYNC_OK)
    {
        return sync_doc_no_such(c, "connector", c->head.connectors,
                                sizeof(sync_doc_connector_rec_t), s);
    }

    return SYNC_OK;
}


static sync_rc_t
sync_doc_set_when(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec)
{
    sync_doc_route_rec_t *route = rec;

    (void) m;

    if (sync_value_count(v) == 0) {
        return sync_doc_refuse(c, "value", "is empty; leave it out for a route "
                               "that takes all");
    }

    return sync_doc_records(c, v, &route->conditions, sizeof(sync_doc_pair_t),
                            sync_doc_when_item, route);
}


static sync_rc_t
sync_doc_when_item(sync_doc_compile_t *c, sync_str_t name,
    const sync_value_t *v, uint32_t i, void *data)
{
    sync_rc_t              rc;
    sync_doc_pair_t        pair;
    sync_doc_member_t      m;
    sync_doc_route_rec_t  *route = data;

    if (!sync_doc_pointer_ok(name)) {
        return sync_doc_refuse(c, "value", "is not a JSON Pointer (RFC 6901) "
                               "into the canonical payload, like "
                               "\"/ship_to/region\"");
    }

    if (sync_value_type(v) != SYNC_VALUE_STRING
        && sync_value_type(v) != SYNC_VALUE_ARRAY)
    {
        return sync_doc_refuse(c, "type", "should be a string or a list of "
                               "strings");
    }

    rc = sync_doc_string(c, name, &pair.name);

    if (rc == SYNC_OK) {
        memset(&m, 0, sizeof(m));
        m.offset = offsetof(sync_doc_pair_t, value);
        m.data = &sync_doc_value_list;

        rc = sync_doc_set_list(c, v, &m, &pair);
    }

    if (rc == SYNC_OK) {
        sync_doc_write(c, route->conditions.off, i, &pair, sizeof(pair));
    }

    return rc;
}
