
/*
 * Calls of JSON-RPC, what answers say in the words of each format, and bodies
 * that a document says: a body in the first line, a payload behind it.
 */


#include "fuzz.h"
#include "sync_body.h"
#include "sync_format.h"


static void fuzz_body(sync_arena_t *arena, sync_str_t line,
    const sync_json_t *json);
static sync_rc_t fuzz_secret(void *data, sync_str_t name, sync_str_t *value);


int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    unsigned             format;
    uint32_t             root, params, id;
    sync_rc_t            rc;
    sync_str_t           text, line, call;
    sync_json_t          json;
    sync_error_t         err;
    sync_arena_t         arena;
    sync_answer_error_t  error;

    fuzz_begin(&arena);

    text = (sync_str_t) { size, (unsigned char *) (uintptr_t) data };
    line = fuzz_line(&arena, &text);

    if (sync_json_parse(&json, &arena, text, NULL, &err) == SYNC_OK) {

        for (format = 0; format < SYNC_FORMATS; format++) {
            rc = sync_format_answer((sync_format_e) format, &json, &arena,
                                    &root, &error);

            fuzz_check(rc != SYNC_FAULT);
            fuzz_check(rc != SYNC_OK || root < json.count);
        }

        rc = sync_rpc_parse(&json, &params, &id, &err);

        if (rc == SYNC_OK) {
            fuzz_check(params == SYNC_JSON_NONE || params < json.count);
            fuzz_check(id < json.count);
        }

        fuzz_check(sync_rpc_request(&arena, line, &json, line, 0, &call)
                   == SYNC_OK);
        fuzz_is_json(&arena, call);

        fuzz_body(&arena, line, &json);
    }

    fuzz_end(&arena);

    return 0;
}


static void
fuzz_body(sync_arena_t *arena, sync_str_t line, const sync_json_t *json)
{
    unsigned            uses;
    sync_rc_t           rc;
    sync_str_t          text;
    sync_json_t         body;
    sync_error_t        err;
    sync_body_values_t  values;

    if (sync_json_parse(&body, arena, line, NULL, &err) != SYNC_OK
        || sync_body_check(&body, arena, &uses, &err) != SYNC_OK)
    {
        return;
    }

    memset(&values, 0, sizeof(values));

    values.id = sync_str_lit("47\"11");
    values.idempotency_key = sync_str_lit("k\\");
    values.mapped = sync_json_raw(json, 0);
    values.payload = json;
    values.secret = fuzz_secret;

    rc = sync_body_render(&body, &values, arena, 65536, &text, &err);

    fuzz_check(rc != SYNC_FAULT);

    if (rc == SYNC_OK) {
        fuzz_is_json(arena, text);
    }
}


static sync_rc_t
fuzz_secret(void *data, sync_str_t name, sync_str_t *value)
{
    (void) data;

    *value = name;

    return name.len & 1 ? SYNC_OK : SYNC_NO;
}
