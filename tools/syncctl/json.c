
/*
 * syncctl json: is it JSON?  By RFC 8259, which lets an object name a member
 * twice; with --strict as the policies take it, which do not.
 */


#include "syncctl.h"


static int syncctl_json_run(sync_arena_t *arena, int argc, char **argv);


const syncctl_command_t  syncctl_json = {
    "json",
    "[--strict] FILE...",
    "Says of each file whether it is JSON (RFC 8259), and where it is not; "
    "--strict: as the policies read it.",
    syncctl_json_run
};


static int
syncctl_json_run(sync_arena_t *arena, int argc, char **argv)
{
    int                 i, rc;
    sync_rc_t           parsed;
    sync_str_t          text;
    sync_json_t         json;
    sync_error_t        err;
    sync_arena_t       *own;
    sync_json_limits_t  limits = { .duplicates = 1 };

    if (argc > 0 && strcmp(argv[0], "--strict") == 0) {
        limits.duplicates = 0;
        argv++;
        argc--;
    }

    if (argc == 0) {
        return syncctl_misused("a file is missing");
    }

    if (argv[0][0] == '-' && argv[0][1] != '\0') {
        return syncctl_misused("unknown option \"%s\"", argv[0]);
    }

    rc = SYNCCTL_YES;

    for (i = 0; i < argc; i++) {

        own = sync_arena_create(65536);

        if (own == NULL) {
            return syncctl_no_memory();
        }

        if (syncctl_read(own, argv[i], &text) != SYNCCTL_YES) {
            sync_arena_destroy(own);
            return SYNCCTL_WRONG;
        }

        parsed = sync_json_parse(&json, own, text, &limits, &err);

        if (parsed == SYNC_OK) {
            printf("%s: valid\n", argv[i]);

        } else if (parsed == SYNC_NO) {
            printf("%s: ", argv[i]);
            syncctl_tell(stdout, "invalid", &err);
            rc = SYNCCTL_NO;
        }

        sync_arena_destroy(own);

        if (parsed == SYNC_FAULT) {
            return syncctl_no_memory();
        }
    }

    return rc;
}
