
/*
 * Bodies of connectors' requests.
 */


#include "sync_body.h"


#define SYNC_BODY_DIGITS  18             /* of an id that is a number */


typedef struct {
    const sync_json_t         *json;
    const sync_body_values_t  *values;
    sync_arena_t              *arena;
    sync_json_out_t            out;
    sync_error_t              *err;
} sync_body_t;


static sync_rc_t sync_body_known(sync_str_t s, unsigned *uses);
static int sync_body_word(sync_str_t s);
static sync_rc_t sync_body_value(sync_body_t *body, uint32_t n);
static sync_rc_t sync_body_string(sync_body_t *body, uint32_t n);
static sync_rc_t sync_body_number(sync_body_t *body);
static sync_rc_t sync_body_at(sync_body_t *body, sync_str_t pointer);
static sync_rc_t sync_body_secret(sync_body_t *body, sync_str_t name);


sync_rc_t
sync_body_check(const sync_json_t *body, sync_arena_t *arena, unsigned *uses,
    sync_error_t *err)
{
    uint32_t    i;
    sync_str_t  s;

    *uses = 0;

    for (i = 0; i < body->count; i++) {

        if (body->nodes[i].type != SYNC_JSON_STRING) {
            continue;
        }

        s = sync_json_unescape(body, i, arena);
        if (s.data == NULL) {
            return SYNC_FAULT;
        }

        if (sync_body_known(s, uses) == SYNC_OK) {
            continue;
        }

        (void) sync_refuse(err, "template", SYNC_NOWHERE,
                           "is no placeholder: \"{payload}\", \"{id}\", "
                           "\"{id:number}\", \"{idempotency_key}\", "
                           "\"{/pointer}\" and \"secret:NAME\" are");

        err->pointer = sync_json_pointer(body, i, arena);

        return err->pointer.data != NULL ? SYNC_NO : SYNC_FAULT;
    }

    return SYNC_OK;
}


static sync_rc_t
sync_body_known(sync_str_t s, unsigned *uses)
{
    if (sync_str_is(s, "{payload}")) {
        *uses |= SYNC_BODY_MAPPED;

    } else if (sync_str_is(s, "{id}") || sync_str_is(s, "{id:number}")) {
        *uses |= SYNC_BODY_ID;

    } else if (sync_str_is(s, "{idempotency_key}")) {
        *uses |= SYNC_BODY_KEY;

    } else if (sync_str_starts(s, "{/") && s.data[s.len - 1] == '}') {
        *uses |= SYNC_BODY_PAYLOAD;

    } else if (sync_str_starts(s, "secret:")) {
        *uses |= SYNC_BODY_SECRET;

    } else if (sync_body_word(s)) {
        return SYNC_NO;
    }

    return SYNC_OK;
}


/* "{like_this}" was meant to be one. */

static int
sync_body_word(sync_str_t s)
{
    size_t  i;

    if (s.len < 3 || s.data[0] != '{' || s.data[s.len - 1] != '}') {
        return 0;
    }

    for (i = 1; i < s.len - 1; i++) {
        if (!((s.data[i] >= 'a' && s.data[i] <= 'z') || s.data[i] == '_'
              || s.data[i] == ':'))
        {
            return 0;
        }
    }

    return 1;
}


sync_rc_t
sync_body_render(const sync_json_t *json, const sync_body_values_t *values,
    sync_arena_t *arena, size_t max, sync_str_t *text, sync_error_t *err)
{
    sync_rc_t    rc;
    sync_body_t  body;

    memset(&body, 0, sizeof(sync_body_t));

    body.json = json;
    body.values = values;
    body.arena = arena;
    body.err = err;

    sync_json_begin(&body.out, arena, json->text.len + values->mapped.len,
                    max);

    rc = sync_body_value(&body, 0);

    if (rc == SYNC_OK) {
        rc = sync_json_end(&body.out, text);

        if (rc == SYNC_NO) {
            return sync_refuse(err, "too-large", SYNC_NOWHERE,
                               "the body is too long");
        }
    }

    return rc;
}


static sync_rc_t
sync_body_value(sync_body_t *body, uint32_t n)
{
    int                       object;
    uint32_t                  i;
    sync_rc_t                 rc;
    sync_str_t                name;
    const sync_json_node_t   *node;

    node = &body->json->nodes[n];

    if (node->type == SYNC_JSON_STRING) {
        return sync_body_string(body, n);
    }

    if (node->type != SYNC_JSON_ARRAY && node->type != SYNC_JSON_OBJECT) {
        sync_json_copy(&body->out, body->json, n);
        return SYNC_OK;
    }

    object = node->type == SYNC_JSON_OBJECT;

    sync_json_open(&body->out, object ? '{' : '[');

    for (i = sync_json_first(body->json, n); i != SYNC_JSON_NONE;
         i = sync_json_after(body->json, n, i))
    {
        if (object) {
            name = sync_json_unescape(body->json, i, body->arena);
            if (name.data == NULL) {
                return SYNC_FAULT;
            }

            sync_json_key(&body->out, name);
        }

        rc = sync_body_value(body, object ? i + 1 : i);
        if (rc != SYNC_OK) {
            return rc;
        }
    }

    sync_json_close(&body->out, object ? '}' : ']');

    return SYNC_OK;
}


static sync_rc_t
sync_body_string(sync_body_t *body, uint32_t n)
{
    sync_str_t                 s;
    const sync_body_values_t  *values;

    values = body->values;

    s = sync_json_unescape(body->json, n, body->arena);
    if (s.data == NULL) {
        return SYNC_FAULT;
    }

    if (sync_str_is(s, "{id}")) {
        sync_json_string(&body->out, values->id);
        return SYNC_OK;
    }

    if (sync_str_is(s, "{id:number}")) {
        return sync_body_number(body);
    }

    if (sync_str_is(s, "{idempotency_key}")) {
        sync_json_string(&body->out, values->idempotency_key);
        return SYNC_OK;
    }

    if (sync_str_is(s, "{payload}")) {

        if (values->mapped.data == NULL) {
            return sync_refuse(body->err, "no-value", SYNC_NOWHERE,
                               "there is no payload");
        }

        sync_json_value(&body->out, values->mapped);
        return SYNC_OK;
    }

    if (sync_str_starts(s, "{/") && s.data[s.len - 1] == '}') {
        return sync_body_at(body, (sync_str_t) { s.len - 2, s.data + 1 });
    }

    if (sync_str_starts(s, "secret:")) {
        s.data += sizeof("secret:") - 1;
        s.len -= sizeof("secret:") - 1;

        return sync_body_secret(body, s);
    }

    sync_json_copy(&body->out, body->json, n);

    return SYNC_OK;
}


/* Digits, as a number: no more than fit into 64 bits anywhere. */

static sync_rc_t
sync_body_number(sync_body_t *body)
{
    size_t      i;
    sync_str_t  id;

    id = body->values->id;

    for (i = 0; i < id.len; i++) {
        if (id.data[i] < '0' || id.data[i] > '9') {
            break;
        }
    }

    if (id.len == 0 || i < id.len || id.len > SYNC_BODY_DIGITS
        || (id.data[0] == '0' && id.len > 1))
    {
        return sync_refuse(body->err, "bad-value", SYNC_NOWHERE,
                           "the id is not a number");
    }

    sync_json_value(&body->out, id);

    return SYNC_OK;
}


static sync_rc_t
sync_body_at(sync_body_t *body, sync_str_t pointer)
{
    uint32_t                   n;
    const sync_body_values_t  *values;

    values = body->values;

    n = values->payload == NULL ? SYNC_JSON_NONE
                                : sync_json_at(values->payload, 0, pointer);

    if (n == SYNC_JSON_NONE) {
        (void) sync_refuse(body->err, "no-value", SYNC_NOWHERE,
                           "the payload has no value that the connector "
                           "needs");
        body->err->pointer = pointer;

        return SYNC_NO;
    }

    sync_json_copy(&body->out, values->payload, n);

    return SYNC_OK;
}


static sync_rc_t
sync_body_secret(sync_body_t *body, sync_str_t name)
{
    sync_rc_t   rc;
    sync_str_t  value;

    rc = body->values->secret(body->values->data, name, &value);

    if (rc == SYNC_NO) {
        return sync_refuse(body->err, "no-secret", SYNC_NOWHERE,
                           "a secret of the tenant is not there");
    }

    if (rc == SYNC_OK) {
        sync_json_string(&body->out, value);
    }

    return rc;
}
