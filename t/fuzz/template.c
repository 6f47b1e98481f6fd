
/* A template, an id, a key, each in a line, and a payload behind them. */


#include "fuzz.h"
#include "sync_template.h"


int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    size_t                  i;
    sync_rc_t               rc;
    sync_str_t              text, line, code, target;
    sync_json_t             json;
    sync_error_t            err;
    sync_arena_t            arena;
    sync_template_values_t  values;

    static const char  uri[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                               "abcdefghijklmnopqrstuvwxyz0123456789"
                               "-._~:/?#[]@!$&'()*+,;=%";

    fuzz_begin(&arena);
    memset(&values, 0, sizeof(values));

    text = (sync_str_t) { size, (unsigned char *) (uintptr_t) data };
    line = fuzz_line(&arena, &text);
    values.id = fuzz_line(&arena, &text);
    values.idempotency_key = fuzz_line(&arena, &text);

    if (sync_json_parse(&json, &arena, text, NULL, &err) == SYNC_OK) {
        values.payload = &json;
    }

    rc = sync_template_compile(&arena, line, &code, &err);
    fuzz_check(rc != SYNC_FAULT);

    if (rc == SYNC_OK) {
        (void) sync_template_method(code);
        (void) sync_template_uses(code);

        rc = sync_template_render(code, &values, &arena, &target, &err);
        fuzz_check(rc != SYNC_FAULT);

        if (rc == SYNC_OK) {
            fuzz_check(target.len && target.data[0] == '/');

            for (i = 0; i < target.len; i++) {
                fuzz_check(target.data[i] != '\0'
                           && strchr(uri, target.data[i]) != NULL);
            }
        }
    }

    fuzz_end(&arena);

    return 0;
}
