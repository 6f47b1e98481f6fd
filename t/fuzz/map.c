
/* A map in the first line, a payload behind it. */


#include "fuzz.h"
#include "sync_map.h"


static void fuzz_map(sync_arena_t *arena, const sync_map_t *map,
    const sync_json_t *json, sync_map_section_e section, unsigned update);


int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    unsigned           section;
    uint64_t           work;
    sync_rc_t          rc;
    sync_str_t         text, line;
    sync_map_t        *map;
    sync_json_t        json;
    sync_error_t       err;
    sync_arena_t       arena;
    sync_map_error_t   error;

    fuzz_begin(&arena);

    text = (sync_str_t) { size, (unsigned char *) (uintptr_t) data };
    line = fuzz_line(&arena, &text);

    rc = sync_map_compile(&map, &arena, line, NULL, &err);
    fuzz_check(rc != SYNC_FAULT);

    if (rc == SYNC_OK
        && sync_json_parse(&json, &arena, text, NULL, &err) == SYNC_OK)
    {
        for (section = 0; section < SYNC_MAP_SECTIONS; section++) {
            fuzz_map(&arena, map, &json, (sync_map_section_e) section, 0);
            fuzz_map(&arena, map, &json, (sync_map_section_e) section, 1);
        }

        if (sync_map_has_error(map)) {
            work = FUZZ_WORK;

            fuzz_check(sync_map_error(map, &json, (int) (size & 1), &arena,
                                      &work, &error)
                       != SYNC_FAULT);
        }
    }

    fuzz_end(&arena);

    return 0;
}


static void
fuzz_map(sync_arena_t *arena, const sync_map_t *map, const sync_json_t *json,
    sync_map_section_e section, unsigned update)
{
    unsigned        i;
    uint64_t        work;
    sync_rc_t       rc;
    sync_str_t      out, env[SYNC_MAP_ENV_N];
    sync_faults_t   faults;
    sync_map_run_t  run;

    for (i = 0; i < SYNC_MAP_ENV_N; i++) {
        env[i] = i & 1 ? sync_str_lit("a\"b\\\x01") : sync_str_null;
    }

    work = FUZZ_WORK;

    memset(&run, 0, sizeof(run));
    run.env = env;
    run.work = &work;
    run.max = 65536;
    run.update = update;

    sync_faults_init(&faults, arena);

    rc = sync_map_run(map, section, json, 0, &run, arena, &out, &faults);

    fuzz_check(rc != SYNC_FAULT);
    fuzz_check((rc == SYNC_NO) == (faults.count != 0));

    if (rc == SYNC_OK) {
        fuzz_check(out.len <= 65536);
        fuzz_is_json(arena, out);
    }
}
