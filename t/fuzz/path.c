
/* A query in the first line, a document behind it. */


#include "fuzz.h"
#include "sync_path.h"


int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    uint32_t            i, single;
    uint64_t            work;
    sync_rc_t           rc;
    sync_str_t          text, selector;
    sync_json_t         json;
    sync_path_t        *path;
    sync_error_t        err;
    sync_arena_t        arena;
    sync_path_nodes_t   found;

    fuzz_begin(&arena);

    text = (sync_str_t) { size, (unsigned char *) (uintptr_t) data };
    selector = fuzz_line(&arena, &text);

    rc = sync_path_compile(&path, &arena, selector, &err);

    if (rc == SYNC_NO) {
        fuzz_check(err.offset <= selector.len);
        goto done;
    }

    fuzz_check(rc == SYNC_OK);

    if (sync_json_parse(&json, &arena, text, NULL, &err) != SYNC_OK) {
        goto done;
    }

    work = FUZZ_WORK;
    rc = sync_path_select(path, &json, 0, &arena, &work, &found, &err);

    if (rc == SYNC_NO) {
        fuzz_check(work == 0);
        goto done;
    }

    fuzz_check(rc == SYNC_OK);

    for (i = 0; i < found.count; i++) {
        fuzz_check(found.nodes[i] < json.count);
        fuzz_check(json.nodes[found.nodes[i]].type != SYNC_JSON_KEY);
    }

    if (sync_path_is_singular(path)) {
        single = sync_path_single(path, &json, 0, NULL);

        fuzz_check(found.count <= 1);
        fuzz_check(single == (found.count ? found.nodes[0] : SYNC_JSON_NONE));
    }

done:

    fuzz_end(&arena);

    return 0;
}
