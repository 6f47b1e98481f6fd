
/* A schema in the first line, a document behind it. */


#include "fuzz.h"
#include "sync_schema.h"


static sync_rc_t fuzz_judge(sync_arena_t *arena, const sync_schema_t *schema,
    const sync_json_t *json, sync_faults_t *faults, int *over);


int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    int                    over;
    sync_rc_t              rc, listed;
    sync_str_t             text, line;
    sync_json_t            json;
    sync_error_t           err;
    sync_arena_t           arena;
    sync_faults_t          faults;
    sync_schema_t         *schema;
    sync_schema_options_t  options;

    fuzz_begin(&arena);

    text = (sync_str_t) { size, (unsigned char *) (uintptr_t) data };
    line = fuzz_line(&arena, &text);

    memset(&options, 0, sizeof(options));
    options.formats = 1;

    if (size & 1) {
        options.draft = SYNC_SCHEMA_DRAFT_07;
        options.unknown = 1;
    }

    rc = sync_schema_compile(&schema, &arena, line, &options, &err);
    fuzz_check(rc != SYNC_FAULT);

    if (rc == SYNC_OK
        && sync_json_parse(&json, &arena, text, NULL, &err) == SYNC_OK)
    {
        over = 0;
        rc = fuzz_judge(&arena, schema, &json, NULL, &over);

        sync_faults_init(&faults, &arena);
        listed = fuzz_judge(&arena, schema, &json, &faults, &over);

        fuzz_check(over || rc == listed);
        fuzz_check(over || (listed == SYNC_NO) == (faults.count != 0));
    }

    fuzz_end(&arena);

    return 0;
}


/* *over: nobody knows, it would be too much. */

static sync_rc_t
fuzz_judge(sync_arena_t *arena, const sync_schema_t *schema,
    const sync_json_t *json, sync_faults_t *faults, int *over)
{
    uint64_t      work;
    sync_rc_t     rc;
    sync_error_t  err;

    work = FUZZ_WORK;

    rc = sync_schema_validate(schema, json, 0, arena, &work, faults, &err);

    fuzz_check(rc != SYNC_FAULT);

    if (rc == SYNC_NO && strcmp(err.what, "invalid") != 0) {
        *over = 1;
    }

    return rc;
}
