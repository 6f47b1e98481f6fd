
/*
 * The envelope of JSON-RPC 2.0.
 */


#include "sync_format.h"


static sync_rc_t sync_rpc_value(sync_json_out_t *out, sync_arena_t *arena,
    const sync_json_t *json, uint32_t n);
static int sync_rpc_positions(const sync_json_t *json, uint32_t n);
static uint32_t sync_rpc_get(const sync_json_t *json, const char *name);


sync_rc_t
sync_rpc_request(sync_arena_t *arena, sync_str_t method,
    const sync_json_t *params, sync_str_t id, size_t max, sync_str_t *text)
{
    sync_rc_t        rc;
    sync_json_out_t  out;

    sync_json_begin(&out, arena,
                    params->text.len + method.len + id.len + 64, max);
    sync_json_open(&out, '{');
    sync_json_key(&out, sync_str_lit("jsonrpc"));
    sync_json_string(&out, sync_str_lit("2.0"));
    sync_json_key(&out, sync_str_lit("method"));
    sync_json_string(&out, method);
    sync_json_key(&out, sync_str_lit("params"));

    rc = sync_rpc_value(&out, arena, params, 0);
    if (rc != SYNC_OK) {
        return rc;
    }

    sync_json_key(&out, sync_str_lit("id"));
    sync_json_string(&out, id);
    sync_json_close(&out, '}');

    return sync_json_end(&out, text);
}


/* As it stands, but for objects that are positions: they become lists. */

static sync_rc_t
sync_rpc_value(sync_json_out_t *out, sync_arena_t *arena,
    const sync_json_t *json, uint32_t n)
{
    int         list, object;
    uint32_t    i;
    sync_rc_t   rc;
    sync_str_t  name;

    object = json->nodes[n].type == SYNC_JSON_OBJECT;

    if (!object && json->nodes[n].type != SYNC_JSON_ARRAY) {
        sync_json_copy(out, json, n);
        return SYNC_OK;
    }

    list = !object || sync_rpc_positions(json, n);

    sync_json_open(out, list ? '[' : '{');

    for (i = sync_json_first(json, n); i != SYNC_JSON_NONE;
         i = sync_json_after(json, n, i))
    {
        if (!list) {
            name = sync_json_unescape(json, i, arena);
            if (name.data == NULL) {
                return SYNC_FAULT;
            }

            sync_json_key(out, name);
        }

        rc = sync_rpc_value(out, arena, json, object ? i + 1 : i);
        if (rc != SYNC_OK) {
            return rc;
        }
    }

    sync_json_close(out, list ? ']' : '}');

    return SYNC_OK;
}


/* {"#0": ..., "#1": ...}, all of them and in order */

static int
sync_rpc_positions(const sync_json_t *json, uint32_t n)
{
    uint32_t    i, position;
    sync_str_t  key;

    if (json->nodes[n].len == 0 || json->nodes[n].len > 10) {
        return 0;
    }

    position = 0;

    for (i = sync_json_first(json, n); i != SYNC_JSON_NONE;
         i = sync_json_after(json, n, i))
    {
        key = sync_json_slice(json, i);

        if (key.len != 2 || key.data[0] != '#'
            || key.data[1] != '0' + position++)
        {
            return 0;
        }
    }

    return 1;
}


sync_rc_t
sync_rpc_result(sync_arena_t *arena, sync_str_t result, sync_str_t id,
    size_t max, sync_str_t *text)
{
    sync_json_out_t  out;

    sync_json_begin(&out, arena, result.len + id.len + 64, max);
    sync_json_open(&out, '{');
    sync_json_key(&out, sync_str_lit("jsonrpc"));
    sync_json_string(&out, sync_str_lit("2.0"));
    sync_json_key(&out, sync_str_lit("result"));
    sync_json_value(&out, result.len ? result : sync_str_lit("null"));
    sync_json_key(&out, sync_str_lit("id"));
    sync_json_value(&out, id);
    sync_json_close(&out, '}');

    return sync_json_end(&out, text);
}


/* Section 4; a notification has no id, and nobody would hear its outcome. */

sync_rc_t
sync_rpc_parse(const sync_json_t *json, uint32_t *params, uint32_t *id,
    sync_error_t *err)
{
    uint32_t  version, method;

    version = sync_rpc_get(json, "jsonrpc");
    method = sync_rpc_get(json, "method");

    *params = sync_rpc_get(json, "params");
    *id = sync_rpc_get(json, "id");

    if (json->nodes[0].type != SYNC_JSON_OBJECT) {
        return sync_refuse(err, "envelope", SYNC_NOWHERE,
                           "a call is an object; batches are not taken");
    }

    if (version == SYNC_JSON_NONE
        || json->nodes[version].type != SYNC_JSON_STRING
        || !sync_json_equals(json, version, sync_str_lit("2.0"))
        || method == SYNC_JSON_NONE
        || json->nodes[method].type != SYNC_JSON_STRING)
    {
        return sync_refuse(err, "envelope", SYNC_NOWHERE,
                           "it is no call of JSON-RPC 2.0: \"jsonrpc\" is "
                           "\"2.0\" and \"method\" a string");
    }

    if (*id == SYNC_JSON_NONE
        || (json->nodes[*id].type != SYNC_JSON_STRING
            && json->nodes[*id].type != SYNC_JSON_NUMBER))
    {
        return sync_refuse(err, "envelope", SYNC_NOWHERE,
                           "\"id\" is a string or a number");
    }

    return SYNC_OK;
}


static uint32_t
sync_rpc_get(const sync_json_t *json, const char *name)
{
    if (json->nodes[0].type != SYNC_JSON_OBJECT) {
        return SYNC_JSON_NONE;
    }

    return sync_json_member(json, 0, (sync_str_t) { strlen(name),
                                                    (unsigned char *)
                                                    (uintptr_t) name });
}
