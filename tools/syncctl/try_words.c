
/*
 * syncctl try: the payload on its way, by the same formats, maps and templates
 * as in the gateway.
 */


#include "try.h"
#include "sync_body.h"
#include "sync_fields.h"
#include "sync_template.h"

#include <stdarg.h>


#define SYNCCTL_UUID      "00000000-0000-8000-8000-000000000000"
#define SYNCCTL_UUID_HEX  "00000000000080008000000000000000"


static int syncctl_try_schema(sync_arena_t *arena,
    syncctl_tenants_t *tenants, syncctl_try_t *t, const sync_json_t *source);
static int syncctl_try_source(sync_arena_t *arena, syncctl_try_t *t,
    sync_json_t *source);
static int syncctl_try_connector(syncctl_try_t *t, uint32_t *connector);
static int syncctl_try_body(sync_arena_t *arena, syncctl_try_t *t);
static sync_rc_t syncctl_try_secret(void *data, sync_str_t name,
    sync_str_t *value);
static int syncctl_try_format(sync_arena_t *arena, syncctl_try_t *t);
static int syncctl_try_map(sync_arena_t *arena, syncctl_tenants_t *tenants,
    syncctl_try_t *t, sync_str_t path, const sync_json_t *json,
    sync_str_t *text);
static int syncctl_try_said(sync_rc_t rc, const char *what,
    sync_error_t *err);
static int syncctl_try_writes(const syncctl_try_t *t);


int
syncctl_try_canonical(sync_arena_t *arena, syncctl_tenants_t *tenants,
    syncctl_try_t *t)
{
    int             rc;
    sync_rc_t       done;
    sync_json_t     source;
    sync_error_t    err;
    sync_faults_t   faults;
    sync_schema_t  *schema;

    if (!syncctl_try_writes(t)) {
        return SYNCCTL_YES;
    }

    rc = syncctl_try_source(arena, t, &source);

    if (rc != SYNCCTL_YES) {
        return rc;
    }

    rc = syncctl_try_schema(arena, tenants, t, &source);

    if (rc != SYNCCTL_YES) {
        return rc;
    }

    t->canonical = source.text;

    if (t->source.maps[t->entity].len) {
        rc = syncctl_try_map(arena, tenants, t, t->source.maps[t->entity],
                             &source, &t->canonical);

        if (rc != SYNCCTL_YES) {
            return rc;
        }
    }

    done = sync_json_parse(&t->payload, arena, t->canonical, NULL, &err);

    if (done != SYNC_OK) {
        return syncctl_try_said(done, "422 canonical", &err);
    }

    rc = syncctl_canonical_schema(arena, &tenants->library, t->doc,
                                  t->entity, stderr, &schema);

    if (rc != SYNCCTL_YES) {
        return rc;
    }

    if (schema) {
        return syncctl_judge(arena, schema, &t->payload,
                             t->op == SYNC_OP_UPDATE, "422 canonical");
    }

    sync_faults_init(&faults, arena);

    done = sync_fields_check(sync_fields_find(sync_entity_name(t->entity)),
                             &t->payload, 0, t->op == SYNC_OP_UPDATE, NULL,
                             &faults);

    if (done == SYNC_NO) {
        syncctl_tell_faults("422 canonical", &faults);
        return SYNCCTL_NO;
    }

    return syncctl_try_said(done, NULL, NULL);
}


/* The schema of the source, where it has one. */

static int
syncctl_try_schema(sync_arena_t *arena, syncctl_tenants_t *tenants,
    syncctl_try_t *t, const sync_json_t *source)
{
    int             rc;
    sync_schema_t  *schema;

    if (t->source.schemas[t->entity].len == 0) {
        return SYNCCTL_YES;
    }

    rc = syncctl_library_schema(arena, &tenants->library,
                                t->source.schemas[t->entity], stderr,
                                &schema);

    return rc == SYNCCTL_YES
           ? syncctl_judge(arena, schema, source, t->op == SYNC_OP_UPDATE,
                           "422 source")
           : rc;
}


/* What came, in the format of the client's source. */

static int
syncctl_try_source(sync_arena_t *arena, syncctl_try_t *t, sync_json_t *source)
{
    uint32_t              i, params, id;
    sync_rc_t             rc;
    sync_str_t            text, names[SYNC_DOC_NAMES];
    sync_error_t          err;
    sync_format_limits_t  limits;

    memset(&limits, 0, sizeof(limits));

    for (i = 0; i < t->source.lists.n && i < SYNC_DOC_NAMES; i++) {
        names[i] = sync_doc_item(t->doc, t->source.lists, i);
    }

    limits.lists = names;
    limits.nlists = i;

    text = t->body;

    if (sync_format_is_json(t->source.format)) {
        rc = SYNC_OK;

    } else {
        rc = sync_format_read(t->source.format, arena, t->body, &limits, &text,
                              &err);
    }

    if (rc == SYNC_OK) {
        rc = sync_json_parse(source, arena, text, NULL, &err);
    }

    if (rc == SYNC_OK && t->source.format == SYNC_FORMAT_JSON_RPC) {
        rc = sync_rpc_parse(source, &params, &id, &err);

        if (rc == SYNC_OK && params == SYNC_JSON_NONE) {
            rc = sync_refuse(&err, "envelope", SYNC_NOWHERE,
                             "the call has no \"params\"");
        }

        if (rc == SYNC_OK) {
            text = sync_json_raw(source, params);
            rc = sync_json_parse(source, arena, text, NULL, &err);
        }
    }

    return syncctl_try_said(rc, "400 the body", &err);
}


int
syncctl_try_route(sync_arena_t *arena, syncctl_try_t *t)
{
    int                     rc;
    uint32_t                connector;
    sync_rc_t               done;
    sync_str_t              target;
    sync_error_t            err;
    sync_template_values_t  values;

    rc = syncctl_try_connector(t, &connector);

    if (rc != SYNCCTL_YES) {
        return rc;
    }

    if (connector == SYNC_DOC_NONE
        || sync_doc_connector_at(t->doc, connector, &t->connector) != SYNC_OK)
    {
        return syncctl_try_refused("422 no-route: no route of the tenant "
                                   "matches this payload");
    }

    if (sync_doc_operation(t->doc, connector, t->entity, t->op, &t->operation)
        != SYNC_OK)
    {
        return syncctl_try_refused("422 no-operation: connector \"%.*s\" has "
                                   "no such operation",
                                   (int) t->connector.name.len,
                                   (char *) t->connector.name.data);
    }

    /* the gateway derives it from the record of the key */

    if (t->connector.as == SYNC_AS_VERBATIM && t->key.len) {
        t->downstream = t->key;

    } else if (t->connector.as == SYNC_AS_UUID_HEX) {
        t->downstream = sync_str_lit(SYNCCTL_UUID_HEX);

    } else {
        t->downstream = sync_str_lit(SYNCCTL_UUID);
    }

    memset(&values, 0, sizeof(values));
    values.id = t->id;
    values.idempotency_key = t->downstream;
    values.payload = t->payload.nodes != NULL ? &t->payload : NULL;

    done = sync_template_render(t->operation.code, &values, arena, &target,
                                &err);

    if (done != SYNC_OK) {
        err.offset = SYNC_NOWHERE;
        return syncctl_try_said(done, "bad-value", &err);
    }

    t->uri.len = t->connector.path.len + target.len;
    t->uri.data = sync_alloc(arena, t->uri.len);

    if (t->uri.data == NULL) {
        return syncctl_no_memory();
    }

    if (t->connector.path.len) {
        memcpy(t->uri.data, t->connector.path.data, t->connector.path.len);
    }

    memcpy(t->uri.data + t->connector.path.len, target.data, target.len);

    return SYNCCTL_YES;
}


/* By the prefix of the id where the tenant has them, else by its routes. */

static int
syncctl_try_connector(syncctl_try_t *t, uint32_t *connector)
{
    sync_str_t      name;
    unsigned char  *p;

    *connector = SYNC_DOC_NONE;

    if (t->id.len == 0 || !sync_doc_ids_prefixed(t->doc)) {
        *connector = sync_doc_route(t->doc, t->entity,
                                    t->payload.nodes != NULL ? &t->payload
                                                             : NULL, 0);
        return SYNCCTL_YES;
    }

    p = memchr(t->id.data, '~', t->id.len);

    if (p != NULL) {
        name.data = t->id.data;
        name.len = (size_t) (p - name.data);

        if (sync_doc_connector(t->doc, name, &t->connector) == SYNC_OK) {
            *connector = t->connector.index;
            t->id.len -= name.len + 1;
            t->id.data = p + 1;
            return SYNCCTL_YES;
        }
    }

    return syncctl_try_refused("404 unknown-object: ids of this tenant begin "
                               "with the name of a connector and \"~\"");
}


int
syncctl_try_target(sync_arena_t *arena, syncctl_tenants_t *tenants,
    syncctl_try_t *t)
{
    int         rc;
    unsigned    operations;
    sync_str_t  path;

    if (t->payload.nodes != NULL) {
        t->target = t->canonical;

        if (sync_doc_connector_entity(t->doc, t->connector.index, t->entity,
                                      &path, &operations)
            == SYNC_OK && path.len)
        {
            rc = syncctl_try_map(arena, tenants, t, path, &t->payload,
                                 &t->target);

            if (rc != SYNCCTL_YES) {
                return rc;
            }
        }
    }

    if (t->operation.body.len) {
        rc = syncctl_try_body(arena, t);

        if (rc != SYNCCTL_YES) {
            return rc;
        }
    }

    return t->target.data != NULL ? syncctl_try_format(arena, t)
                                  : SYNCCTL_YES;
}


/* The body that the document says, around what the map has made. */

static int
syncctl_try_body(sync_arena_t *arena, syncctl_try_t *t)
{
    sync_rc_t           rc;
    sync_json_t         body;
    sync_error_t        err;
    sync_body_values_t  values;

    memset(&values, 0, sizeof(values));

    values.id = t->id;
    values.idempotency_key = t->downstream;
    values.mapped = t->target;
    values.payload = t->payload.nodes != NULL ? &t->payload : NULL;
    values.secret = syncctl_try_secret;
    values.data = arena;

    rc = sync_json_parse(&body, arena, t->operation.body, NULL, &err);

    if (rc == SYNC_OK) {
        rc = sync_body_render(&body, &values, arena, 0, &t->target, &err);
    }

    return syncctl_try_said(rc, "bad-value", &err);
}


/* No secret is read here: its reference stands for it. */

static sync_rc_t
syncctl_try_secret(void *data, sync_str_t name, sync_str_t *value)
{
    value->len = sizeof("secret:") - 1 + name.len;
    value->data = sync_alloc((sync_arena_t *) data, value->len);

    if (value->data == NULL) {
        return SYNC_FAULT;
    }

    memcpy(value->data, "secret:", sizeof("secret:") - 1);
    memcpy(value->data + sizeof("secret:") - 1, name.data, name.len);

    return SYNC_OK;
}


static int
syncctl_try_format(sync_arena_t *arena, syncctl_try_t *t)
{
    sync_rc_t      rc;
    sync_json_t    json;
    sync_error_t   err;
    sync_format_e  format;

    format = t->connector.format;
    t->type = sync_format_media(format);

    if (format != SYNC_FORMAT_JSON_RPC && sync_format_is_json(format)) {
        return SYNCCTL_YES;
    }

    rc = sync_json_parse(&json, arena, t->target, NULL, &err);

    if (rc == SYNC_OK && format == SYNC_FORMAT_JSON_RPC) {
        rc = sync_rpc_request(arena, t->operation.action, &json,
                              sync_str_lit("syncctl"), 0, &t->target);

        return rc == SYNC_OK ? SYNCCTL_YES : syncctl_no_memory();
    }

    if (rc == SYNC_OK) {
        rc = sync_format_write(format, &json, 0, arena, 0, &t->target, &err);
    }

    return syncctl_try_said(rc, "422 the connector's format", &err);
}


static int
syncctl_try_map(sync_arena_t *arena, syncctl_tenants_t *tenants,
    syncctl_try_t *t, sync_str_t path, const sync_json_t *json,
    sync_str_t *text)
{
    int             rc;
    char            name[SYNCCTL_PATH];
    sync_map_t     *map;
    sync_str_t      env[SYNC_MAP_ENV_N];
    sync_map_run_t  run;

    rc = syncctl_library_map(arena, &tenants->library, path, stderr, &map);

    if (rc != SYNCCTL_YES) {
        return rc;
    }

    memset(env, 0, sizeof(env));
    memset(&run, 0, sizeof(run));

    env[SYNC_MAP_ENV_TENANT] = sync_doc_id(t->doc);
    env[SYNC_MAP_ENV_CLIENT] = t->client.id;
    env[SYNC_MAP_ENV_SOURCE] = t->source.name;
    env[SYNC_MAP_ENV_ENTITY] = sync_entity_name(t->entity);
    env[SYNC_MAP_ENV_OPERATION] = sync_op_name(t->op);
    env[SYNC_MAP_ENV_CORRELATION_ID] = sync_str_lit("syncctl");
    env[SYNC_MAP_ENV_NOW] = sync_str_lit("1970-01-01T00:00:00Z");

    if (t->connector.name.len) {
        env[SYNC_MAP_ENV_CONNECTOR] = t->connector.name;
        env[SYNC_MAP_ENV_DOWNSTREAM_KEY] = t->downstream;
    }

    if (t->id.len) {
        env[SYNC_MAP_ENV_OBJECT_ID] = t->id;
    }

    run.env = env;
    run.update = t->op == SYNC_OP_UPDATE;

    snprintf(name, sizeof(name), "422 %.*s", (int) path.len,
             (char *) path.data);

    return syncctl_run_map(arena, map, SYNC_MAP_WRITE, json, &run, name, text);
}


/* A result of the library as an exit code; a refusal is told. */

static int
syncctl_try_said(sync_rc_t rc, const char *what, sync_error_t *err)
{
    if (rc == SYNC_OK) {
        return SYNCCTL_YES;
    }

    if (rc == SYNC_NO) {
        syncctl_tell(stderr, what, err);
        return SYNCCTL_NO;
    }

    return syncctl_no_memory();
}


static int
syncctl_try_writes(const syncctl_try_t *t)
{
    return t->op == SYNC_OP_CREATE || t->op == SYNC_OP_REPLACE
           || t->op == SYNC_OP_UPDATE;
}


int
syncctl_try_refused(const char *fmt, ...)
{
    va_list  args;

    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);

    fputc('\n', stderr);

    return SYNCCTL_NO;
}
