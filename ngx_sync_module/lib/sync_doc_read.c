
/*
 * Reading compiled documents: views and plain structures, no memory.
 */


#include "sync_doc_block.h"
#include "sync_template.h"


static const void *sync_doc_record(const sync_doc_t *doc, sync_doc_ref_t list,
    uint32_t i, size_t size);
static sync_doc_list_t sync_doc_list(sync_doc_ref_t ref);
static int sync_doc_sorted(const sync_doc_t *doc, sync_doc_ref_t list,
    sync_str_t s);
static const sync_doc_entity_rec_t *sync_doc_entity(const sync_doc_t *doc,
    uint32_t connector, sync_entity_e entity);
static int sync_doc_route_holds(const sync_doc_t *doc,
    const sync_doc_route_rec_t *route, const sync_json_t *payload,
    uint32_t node);
static int sync_doc_condition_holds(const sync_doc_t *doc,
    const sync_doc_pair_t *pair, const sync_json_t *payload, uint32_t node);


#define sync_doc_at(doc, list, i, type)                                       \
    ((const type *) sync_doc_record((doc), (list), (i), sizeof(type)))


const sync_doc_t *
sync_doc_open(sync_str_t block)
{
    const sync_doc_t  *doc;

    if (block.data == NULL || block.len < sizeof(sync_doc_t)
        || (uintptr_t) block.data % 8 != 0)
    {
        return NULL;
    }

    doc = (const sync_doc_t *) (const void *) block.data;

    if (doc->magic != SYNC_DOC_MAGIC || doc->version != SYNC_DOC_VERSION
        || doc->size > block.len || doc->size < sizeof(sync_doc_t))
    {
        return NULL;
    }

    return doc;
}


size_t
sync_doc_size(const sync_doc_t *doc)
{
    return doc->size;
}


sync_str_t
sync_doc_item(const sync_doc_t *doc, sync_doc_list_t list, uint32_t i)
{
    sync_doc_ref_t         all;
    const sync_doc_ref_t  *ref;

    all = (sync_doc_ref_t) { list.off, list.n };
    ref = sync_doc_at(doc, all, i, sync_doc_ref_t);

    return ref ? sync_doc_view(doc, *ref) : sync_str_lit("");
}


int
sync_doc_has(const sync_doc_t *doc, sync_doc_list_t list, sync_str_t s)
{
    uint32_t  i;

    for (i = 0; i < list.n; i++) {
        if (sync_str_eq(sync_doc_item(doc, list, i), s)) {
            return 1;
        }
    }

    return 0;
}


sync_str_t
sync_doc_name(const sync_doc_t *doc)
{
    return sync_doc_view(doc, doc->name);
}


sync_str_t
sync_doc_id(const sync_doc_t *doc)
{
    return sync_doc_view(doc, doc->id);
}


sync_str_t
sync_doc_residency(const sync_doc_t *doc)
{
    return sync_doc_view(doc, doc->residency);
}


int
sync_doc_ids_prefixed(const sync_doc_t *doc)
{
    return doc->ids_prefixed != 0;
}


uint32_t
sync_doc_weight(const sync_doc_t *doc)
{
    return doc->weight ? doc->weight : 1;
}


uint64_t
sync_doc_retention(const sync_doc_t *doc)
{
    return doc->retention;
}


uint64_t
sync_doc_webhooks(const sync_doc_t *doc)
{
    return doc->webhooks;
}


sync_doc_list_t
sync_doc_hosts(const sync_doc_t *doc)
{
    return sync_doc_list(doc->hosts);
}


sync_str_t
sync_doc_account(const sync_doc_t *doc, sync_str_t system)
{
    uint32_t                       i;
    const sync_doc_account_rec_t  *rec;

    for (i = 0; i < doc->accounts.n; i++) {
        rec = sync_doc_at(doc, doc->accounts, i, sync_doc_account_rec_t);

        if (sync_str_eq(sync_doc_view(doc, rec->pair.name), system)) {
            return sync_doc_view(doc, rec->pair.value);
        }
    }

    return sync_str_lit("");
}


uint32_t
sync_doc_accounts(const sync_doc_t *doc)
{
    return doc->accounts.n;
}


sync_str_t
sync_doc_account_at(const sync_doc_t *doc, uint32_t i)
{
    const sync_doc_account_rec_t  *rec;

    rec = sync_doc_at(doc, doc->accounts, i, sync_doc_account_rec_t);

    return rec ? sync_doc_view(doc, rec->both) : sync_str_lit("");
}


uint32_t
sync_doc_issuers(const sync_doc_t *doc)
{
    return doc->issuers.n;
}


sync_rc_t
sync_doc_issuer_at(const sync_doc_t *doc, uint32_t i,
    sync_doc_issuer_t *issuer)
{
    const sync_doc_issuer_rec_t  *rec;

    rec = sync_doc_at(doc, doc->issuers, i, sync_doc_issuer_rec_t);

    if (rec == NULL) {
        return SYNC_NO;
    }

    issuer->issuer = sync_doc_view(doc, rec->issuer);
    issuer->kind = (sync_doc_jwks_e) rec->kind;
    issuer->jwks = sync_doc_view(doc, rec->jwks);
    issuer->audience = sync_doc_list(rec->audience);
    issuer->client_claim = sync_doc_view(doc, rec->client_claim);
    issuer->tenant_claim = sync_doc_view(doc, rec->tenant_claim);
    issuer->scope_claim = sync_doc_view(doc, rec->scope_claim);
    issuer->plan_claim = sync_doc_view(doc, rec->plan_claim);
    issuer->introspect_url = sync_doc_view(doc, rec->introspect_url);
    issuer->introspect_id = sync_doc_view(doc, rec->introspect_id);
    issuer->introspect_secret = sync_doc_view(doc, rec->introspect_secret);
    issuer->introspect_cache = rec->introspect_cache;

    return SYNC_OK;
}


sync_rc_t
sync_doc_issuer(const sync_doc_t *doc, sync_str_t iss,
    sync_doc_issuer_t *issuer)
{
    uint32_t                      i;
    const sync_doc_issuer_rec_t  *rec;

    for (i = 0; i < doc->issuers.n; i++) {
        rec = sync_doc_at(doc, doc->issuers, i, sync_doc_issuer_rec_t);

        if (sync_str_eq(sync_doc_view(doc, rec->issuer), iss)) {
            return sync_doc_issuer_at(doc, i, issuer);
        }
    }

    return SYNC_NO;
}


int
sync_doc_revoked_id(const sync_doc_t *doc, sync_str_t id)
{
    return sync_doc_sorted(doc, doc->revoked_ids, id);
}


int
sync_doc_revoked_client(const sync_doc_t *doc, sync_str_t client)
{
    return sync_doc_sorted(doc, doc->revoked_clients, client);
}


static int
sync_doc_sorted(const sync_doc_t *doc, sync_doc_ref_t list, sync_str_t s)
{
    int                    cmp;
    uint32_t               low, high, middle;
    const sync_doc_ref_t  *ref;

    low = 0;
    high = s.len ? list.n : 0;

    while (low < high) {
        middle = low + (high - low) / 2;
        ref = sync_doc_at(doc, list, middle, sync_doc_ref_t);
        cmp = sync_doc_compare(s, sync_doc_view(doc, *ref));

        if (cmp == 0) {
            return 1;
        }

        if (cmp < 0) {
            high = middle;

        } else {
            low = middle + 1;
        }
    }

    return 0;
}


uint32_t
sync_doc_clients(const sync_doc_t *doc)
{
    return doc->clients.n;
}


sync_rc_t
sync_doc_client_at(const sync_doc_t *doc, uint32_t i,
    sync_doc_client_t *client)
{
    const sync_doc_client_rec_t  *rec;

    rec = sync_doc_at(doc, doc->clients, i, sync_doc_client_rec_t);

    if (rec == NULL) {
        return SYNC_NO;
    }

    client->id = sync_doc_view(doc, rec->id);
    client->source = rec->source;
    client->plan = rec->plan;
    client->api_keys = sync_doc_list(rec->api_keys);
    client->signature = rec->signature;
    client->secrets = sync_doc_list(rec->secrets);

    memcpy(client->operations, rec->operations, sizeof(rec->operations));

    return SYNC_OK;
}


sync_rc_t
sync_doc_client(const sync_doc_t *doc, sync_str_t id,
    sync_doc_client_t *client)
{
    int                           cmp;
    uint32_t                      low, high, middle;
    const sync_doc_client_rec_t  *rec;

    low = 0;
    high = doc->clients.n;

    while (low < high) {
        middle = low + (high - low) / 2;

        rec = sync_doc_at(doc, doc->clients, middle, sync_doc_client_rec_t);
        cmp = sync_doc_compare(id, sync_doc_view(doc, rec->id));

        if (cmp == 0) {
            return sync_doc_client_at(doc, middle, client);
        }

        if (cmp < 0) {
            high = middle;

        } else {
            low = middle + 1;
        }
    }

    return SYNC_NO;
}


uint32_t
sync_doc_certificate(const sync_doc_t *doc, sync_str_t name)
{
    int                                cmp;
    uint32_t                           low, high, middle;
    const sync_doc_certificate_rec_t  *rec;

    low = 0;
    high = doc->certificates.n;

    while (low < high) {
        middle = low + (high - low) / 2;

        rec = sync_doc_at(doc, doc->certificates, middle,
                          sync_doc_certificate_rec_t);
        cmp = sync_doc_compare(name, sync_doc_view(doc, rec->name));

        if (cmp == 0) {
            return rec->client;
        }

        if (cmp < 0) {
            high = middle;

        } else {
            low = middle + 1;
        }
    }

    return SYNC_DOC_NONE;
}


uint32_t
sync_doc_certificates(const sync_doc_t *doc)
{
    return doc->certificates.n;
}


sync_rc_t
sync_doc_certificate_at(const sync_doc_t *doc, uint32_t i,
    sync_doc_certificate_t *certificate)
{
    const sync_doc_certificate_rec_t  *rec;

    rec = sync_doc_at(doc, doc->certificates, i, sync_doc_certificate_rec_t);

    if (rec == NULL) {
        return SYNC_NO;
    }

    certificate->name = sync_doc_view(doc, rec->name);
    certificate->client = rec->client;
    certificate->item = rec->item;

    return SYNC_OK;
}


int
sync_doc_match_certificates(const sync_doc_t *doc)
{
    return doc->match_certificates != 0;
}


uint32_t
sync_doc_plans(const sync_doc_t *doc)
{
    return doc->plans.n;
}


sync_str_t
sync_doc_plan_name(const sync_doc_t *doc, uint32_t plan)
{
    const sync_doc_plan_rec_t  *rec;

    rec = sync_doc_at(doc, doc->plans, plan, sync_doc_plan_rec_t);

    return rec ? sync_doc_view(doc, rec->name) : sync_str_lit("");
}


uint32_t
sync_doc_plan(const sync_doc_t *doc, sync_str_t name)
{
    uint32_t  i;

    for (i = 0; i < doc->plans.n; i++) {
        if (sync_str_eq(sync_doc_plan_name(doc, i), name)) {
            return i;
        }
    }

    return SYNC_DOC_NONE;
}


sync_rc_t
sync_doc_plan_penalty(const sync_doc_t *doc, uint32_t plan,
    sync_doc_penalty_t *penalty)
{
    const sync_doc_plan_rec_t  *rec;

    rec = sync_doc_at(doc, doc->plans, plan, sync_doc_plan_rec_t);

    if (rec == NULL || rec->penalty.after == 0) {
        return SYNC_NO;
    }

    *penalty = rec->penalty;

    return SYNC_OK;
}


sync_str_t
sync_doc_plan_zone(const sync_doc_t *doc, uint32_t plan)
{
    const sync_doc_plan_rec_t  *rec;

    rec = sync_doc_at(doc, doc->plans, plan, sync_doc_plan_rec_t);

    return rec ? sync_doc_view(doc, rec->zone) : sync_str_null;
}


uint32_t
sync_doc_limits(const sync_doc_t *doc, uint32_t plan)
{
    const sync_doc_plan_rec_t  *rec;

    rec = sync_doc_at(doc, doc->plans, plan, sync_doc_plan_rec_t);

    return rec ? rec->limits.n : 0;
}


sync_rc_t
sync_doc_limit_at(const sync_doc_t *doc, uint32_t plan, uint32_t i,
    sync_doc_limit_t *limit)
{
    const sync_doc_limit_t     *rec;
    const sync_doc_plan_rec_t  *owner;

    owner = sync_doc_at(doc, doc->plans, plan, sync_doc_plan_rec_t);
    rec = owner ? sync_doc_at(doc, owner->limits, i, sync_doc_limit_t) : NULL;

    if (rec == NULL) {
        return SYNC_NO;
    }

    *limit = *rec;

    return SYNC_OK;
}


uint32_t
sync_doc_sources(const sync_doc_t *doc)
{
    return doc->sources.n;
}


sync_rc_t
sync_doc_source_at(const sync_doc_t *doc, uint32_t i,
    sync_doc_source_t *source)
{
    unsigned                      k;
    const sync_doc_source_rec_t  *rec;

    rec = sync_doc_at(doc, doc->sources, i, sync_doc_source_rec_t);

    if (rec == NULL) {
        return SYNC_NO;
    }

    source->name = sync_doc_view(doc, rec->name);
    source->format = (sync_format_e) rec->format;
    source->media_types = sync_doc_list(rec->media_types);
    source->lists = sync_doc_list(rec->lists);
    source->key_header = sync_doc_view(doc, rec->key_header);
    source->key_path = sync_doc_view(doc, rec->key_path);

    for (k = 0; k < SYNC_ENTITIES; k++) {
        source->maps[k] = sync_doc_view(doc, rec->maps[k]);
        source->schemas[k] = sync_doc_view(doc, rec->schemas[k]);
    }

    return SYNC_OK;
}


uint32_t
sync_doc_schema_version(const sync_doc_t *doc, sync_entity_e entity)
{
    return entity < SYNC_ENTITIES ? doc->schemas[entity] : 0;
}


uint32_t
sync_doc_owners(const sync_doc_t *doc)
{
    return doc->owners.n;
}


sync_rc_t
sync_doc_owner_at(const sync_doc_t *doc, uint32_t i, sync_doc_owner_t *owner)
{
    const sync_doc_owner_rec_t  *rec;

    rec = sync_doc_at(doc, doc->owners, i, sync_doc_owner_rec_t);

    if (rec == NULL) {
        return SYNC_NO;
    }

    owner->entity = (sync_entity_e) rec->entity;
    owner->pattern = sync_doc_view(doc, rec->pattern);
    owner->owners = sync_doc_list(rec->owners);

    return SYNC_OK;
}


uint32_t
sync_doc_masks(const sync_doc_t *doc)
{
    return doc->masks.n;
}


sync_rc_t
sync_doc_mask_at(const sync_doc_t *doc, uint32_t i, sync_doc_mask_t *mask)
{
    const sync_doc_mask_rec_t  *rec;

    rec = sync_doc_at(doc, doc->masks, i, sync_doc_mask_rec_t);

    if (rec == NULL) {
        return SYNC_NO;
    }

    mask->pattern = sync_doc_view(doc, rec->pattern);
    mask->scope = sync_doc_view(doc, rec->scope);
    mask->source = sync_doc_view(doc, rec->source);
    mask->entity = (sync_entity_e) rec->entity;
    mask->as = (sync_doc_mask_e) rec->as;

    return SYNC_OK;
}


uint32_t
sync_doc_connectors(const sync_doc_t *doc)
{
    return doc->connectors.n;
}


sync_rc_t
sync_doc_connector_at(const sync_doc_t *doc, uint32_t i,
    sync_doc_connector_t *connector)
{
    const sync_doc_connector_rec_t  *rec;

    rec = sync_doc_at(doc, doc->connectors, i, sync_doc_connector_rec_t);

    if (rec == NULL) {
        return SYNC_NO;
    }

    connector->name = sync_doc_view(doc, rec->name);
    connector->upstream = sync_doc_view(doc, rec->upstream);
    connector->host = sync_doc_view(doc, rec->host);
    connector->path = sync_doc_view(doc, rec->path);
    connector->tls_name = sync_doc_view(doc, rec->tls_name);
    connector->address = sync_doc_view(doc, rec->address);
    connector->port = rec->port;
    connector->format = (sync_format_e) rec->format;
    connector->lists = sync_doc_list(rec->lists);
    connector->request_headers = sync_doc_list(rec->request_headers);
    connector->response_headers = sync_doc_list(rec->response_headers);
    connector->credentials = (sync_doc_credentials_e) rec->credentials;
    connector->send = (sync_doc_send_e) rec->send;
    connector->send_header = sync_doc_view(doc, rec->send_header);
    connector->as = (sync_doc_as_e) rec->as;
    connector->on_unknown = (sync_doc_unknown_e) rec->on_unknown;
    connector->max_run_ms = rec->max_run;
    connector->capacity = rec->capacity;
    connector->rolls_back = rec->rolls_back != 0;
    connector->session = rec->session.n != 0;
    connector->index = i;

    return SYNC_OK;
}


sync_rc_t
sync_doc_connector(const sync_doc_t *doc, sync_str_t name,
    sync_doc_connector_t *connector)
{
    uint32_t                         i;
    const sync_doc_connector_rec_t  *rec;

    for (i = 0; i < doc->connectors.n; i++) {
        rec = sync_doc_at(doc, doc->connectors, i, sync_doc_connector_rec_t);

        if (sync_str_eq(sync_doc_view(doc, rec->name), name)) {
            return sync_doc_connector_at(doc, i, connector);
        }
    }

    return SYNC_NO;
}


sync_rc_t
sync_doc_credential(const sync_doc_t *doc, uint32_t connector,
    sync_doc_credential_t *credential)
{
    const sync_doc_connector_rec_t   *owner;
    const sync_doc_credential_rec_t  *rec;

    owner = sync_doc_at(doc, doc->connectors, connector,
                        sync_doc_connector_rec_t);

    if (owner == NULL || owner->credentials == SYNC_CREDENTIALS_NONE) {
        return SYNC_NO;
    }

    rec = sync_doc_at(doc, owner->credential, 0, sync_doc_credential_rec_t);

    credential->kind = (sync_doc_credentials_e) owner->credentials;
    credential->id = sync_doc_view(doc, rec->id);
    credential->secret = sync_doc_view(doc, rec->secret);
    credential->token = sync_doc_view(doc, rec->token);
    credential->token_secret = sync_doc_view(doc, rec->token_secret);
    credential->key = sync_doc_view(doc, rec->key);
    credential->key_certificate = sync_doc_view(doc, rec->key_certificate);
    credential->alg = sync_doc_view(doc, rec->alg);
    credential->kid = sync_doc_view(doc, rec->kid);
    credential->claims = sync_doc_view(doc, rec->claims);
    credential->url = sync_doc_view(doc, rec->url);
    credential->scope = sync_doc_view(doc, rec->scope);
    credential->audience = sync_doc_view(doc, rec->audience);
    credential->resource = sync_doc_view(doc, rec->resource);
    credential->realm = sync_doc_view(doc, rec->realm);
    credential->header = sync_doc_view(doc, rec->header);
    credential->pointer = sync_doc_view(doc, rec->pointer);
    credential->certificate = sync_doc_view(doc, rec->certificate);
    credential->certificate_key = sync_doc_view(doc, rec->certificate_key);
    credential->auth = (sync_doc_client_auth_e) rec->auth;
    credential->lifetime_ms = rec->lifetime;
    credential->sha1 = credential->kind == SYNC_CREDENTIALS_OAUTH1
                       && rec->method != 0;
    credential->text = credential->kind == SYNC_CREDENTIALS_WSSE
                       && rec->method != 0;

    return SYNC_OK;
}


int
sync_doc_transient(const sync_doc_t *doc, uint32_t connector, unsigned status)
{
    const sync_doc_connector_rec_t  *rec;

    rec = sync_doc_at(doc, doc->connectors, connector,
                      sync_doc_connector_rec_t);

    if (rec == NULL || status < SYNC_DOC_STATUS_FIRST
        || status > SYNC_DOC_STATUS_LAST)
    {
        return 0;
    }

    status -= SYNC_DOC_STATUS_FIRST;

    return (rec->transient[status / 32] >> (status % 32)) & 1;
}


sync_rc_t
sync_doc_connector_entity(const sync_doc_t *doc, uint32_t connector,
    sync_entity_e entity, sync_str_t *map, unsigned *operations)
{
    unsigned                      op;
    const sync_doc_entity_rec_t  *rec;

    rec = sync_doc_entity(doc, connector, entity);

    if (rec == NULL) {
        return SYNC_NO;
    }

    *map = sync_doc_view(doc, rec->map);
    *operations = 0;

    for (op = 0; op < SYNC_OPS; op++) {
        if (rec->ops[op].code.n) {
            *operations |= sync_op_bit(op);
        }
    }

    return SYNC_OK;
}


sync_rc_t
sync_doc_operation(const sync_doc_t *doc, uint32_t connector,
    sync_entity_e entity, sync_op_e op, sync_doc_operation_t *operation)
{
    const sync_doc_entity_rec_t  *rec;

    rec = sync_doc_entity(doc, connector, entity);

    if (rec == NULL || (unsigned) op >= SYNC_OPS || rec->ops[op].code.n == 0) {
        return SYNC_NO;
    }

    operation->code = sync_doc_view(doc, rec->ops[op].code);
    operation->method = sync_template_method(operation->code);
    operation->action = sync_doc_view(doc, rec->ops[op].action);
    operation->body = sync_doc_view(doc, rec->ops[op].body);
    operation->items = sync_doc_view(doc, rec->ops[op].items);
    operation->next = sync_doc_view(doc, rec->ops[op].next);
    operation->if_match = rec->ops[op].if_match != 0;

    return SYNC_OK;
}


static const sync_doc_entity_rec_t *
sync_doc_entity(const sync_doc_t *doc, uint32_t connector,
    sync_entity_e entity)
{
    uint32_t                         i;
    const sync_doc_entity_rec_t     *rec;
    const sync_doc_connector_rec_t  *owner;

    owner = sync_doc_at(doc, doc->connectors, connector,
                        sync_doc_connector_rec_t);

    if (owner == NULL) {
        return NULL;
    }

    for (i = 0; i < owner->entities.n; i++) {
        rec = sync_doc_at(doc, owner->entities, i, sync_doc_entity_rec_t);

        if (rec->entity == (uint32_t) entity) {
            return rec;
        }
    }

    return NULL;
}


uint32_t
sync_doc_route(const sync_doc_t *doc, sync_entity_e entity,
    const sync_json_t *payload, uint32_t node)
{
    uint32_t                     i;
    const sync_doc_route_rec_t  *route;

    for (i = 0; i < doc->routes.n; i++) {
        route = sync_doc_at(doc, doc->routes, i, sync_doc_route_rec_t);

        if (route->entity == (uint32_t) entity
            && sync_doc_route_holds(doc, route, payload, node))
        {
            return route->connector;
        }
    }

    return SYNC_DOC_NONE;
}


static int
sync_doc_route_holds(const sync_doc_t *doc, const sync_doc_route_rec_t *route,
    const sync_json_t *payload, uint32_t node)
{
    uint32_t                i;
    const sync_doc_pair_t  *pair;

    for (i = 0; i < route->conditions.n; i++) {
        pair = sync_doc_at(doc, route->conditions, i, sync_doc_pair_t);

        if (payload == NULL
            || !sync_doc_condition_holds(doc, pair, payload, node))
        {
            return 0;
        }
    }

    return 1;
}


static int
sync_doc_condition_holds(const sync_doc_t *doc, const sync_doc_pair_t *pair,
    const sync_json_t *payload, uint32_t node)
{
    uint32_t         i, found;
    sync_doc_list_t  values;

    found = sync_json_at(payload, node, sync_doc_view(doc, pair->name));

    if (found == SYNC_JSON_NONE
        || payload->nodes[found].type != SYNC_JSON_STRING)
    {
        return 0;
    }

    values = sync_doc_list(pair->value);

    for (i = 0; i < values.n; i++) {
        if (sync_json_equals(payload, found, sync_doc_item(doc, values, i))) {
            return 1;
        }
    }

    return 0;
}


uint32_t
sync_doc_routes(const sync_doc_t *doc)
{
    return doc->routes.n;
}


sync_rc_t
sync_doc_route_at(const sync_doc_t *doc, uint32_t i, sync_doc_route_t *route)
{
    const sync_doc_route_rec_t  *rec;

    rec = sync_doc_at(doc, doc->routes, i, sync_doc_route_rec_t);

    if (rec == NULL) {
        return SYNC_NO;
    }

    route->entity = (sync_entity_e) rec->entity;
    route->connector = rec->connector;
    route->conditions = rec->conditions.n;

    return SYNC_OK;
}


sync_rc_t
sync_doc_condition_at(const sync_doc_t *doc, uint32_t route, uint32_t i,
    sync_str_t *pointer, sync_doc_list_t *values)
{
    const sync_doc_pair_t       *pair;
    const sync_doc_route_rec_t  *rec;

    rec = sync_doc_at(doc, doc->routes, route, sync_doc_route_rec_t);
    pair = rec ? sync_doc_at(doc, rec->conditions, i, sync_doc_pair_t) : NULL;

    if (pair == NULL) {
        return SYNC_NO;
    }

    *pointer = sync_doc_view(doc, pair->name);
    *values = sync_doc_list(pair->value);

    return SYNC_OK;
}


static const void *
sync_doc_record(const sync_doc_t *doc, sync_doc_ref_t list, uint32_t i,
    size_t size)
{
    return i < list.n ? (const unsigned char *) sync_doc_ptr(doc, list.off)
                        + i * size
                      : NULL;
}


static sync_doc_list_t
sync_doc_list(sync_doc_ref_t ref)
{
    return (sync_doc_list_t) { ref.off, ref.n };
}
