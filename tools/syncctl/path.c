
/*
 * syncctl path: what a JSONPath query (RFC 9535) finds in a document.
 */


#include "syncctl.h"
#include "sync_path.h"


static int syncctl_path_run(sync_arena_t *arena, int argc, char **argv);


const syncctl_command_t  syncctl_path = {
    "path",
    "SELECTOR FILE",
    "Prints what a JSONPath query (RFC 9535) finds, as an array of the values "
    "as they stand.",
    syncctl_path_run
};


static int
syncctl_path_run(sync_arena_t *arena, int argc, char **argv)
{
    int                 rc;
    uint32_t            i;
    uint64_t            work;
    sync_rc_t           done;
    sync_str_t          text;
    sync_json_t         json;
    sync_path_t        *path;
    sync_error_t        err;
    sync_json_out_t     out;
    sync_path_nodes_t   found;

    if (argc != 2) {
        return syncctl_misused("a selector and a file are asked for");
    }

    done = sync_path_compile(&path, arena, syncctl_str(argv[0]), &err);

    if (done == SYNC_FAULT) {
        return syncctl_no_memory();
    }

    if (done == SYNC_NO) {
        syncctl_tell(stderr, "the selector", &err);
        return SYNCCTL_WRONG;
    }

    rc = syncctl_read_json(arena, argv[1], &json);

    if (rc != SYNCCTL_YES) {
        return rc;
    }

    /* nobody waits behind this one */

    work = UINT64_MAX;

    if (sync_path_select(path, &json, 0, arena, &work, &found, &err)
        != SYNC_OK)
    {
        return syncctl_no_memory();
    }

    /* a node may be found many times over: the text can be the longer one */

    sync_json_begin(&out, arena, 4096, (size_t) 1 << 30);
    sync_json_open(&out, '[');

    for (i = 0; i < found.count; i++) {
        sync_json_copy(&out, &json, found.nodes[i]);
    }

    sync_json_close(&out, ']');

    if (sync_json_end(&out, &text) != SYNC_OK) {
        return syncctl_no_memory();
    }

    syncctl_print(text);

    return SYNCCTL_YES;
}
