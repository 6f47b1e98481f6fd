
/*
 * syncctl format: how a text of another format looks as JSON, which is what
 * maps see, and how JSON is written in that format.
 */


#include "syncctl.h"
#include "sync_format.h"


#define SYNCCTL_LISTS  64


typedef struct {
    const char            *name;
    const char            *file;
    unsigned               write:1;
    sync_str_t             lists[SYNCCTL_LISTS];
    sync_format_limits_t   limits;
} syncctl_format_t;


static int syncctl_format_run(sync_arena_t *arena, int argc, char **argv);
static int syncctl_format_options(syncctl_format_t *f, char **argv);


const syncctl_command_t  syncctl_format = {
    "format",
    "FORMAT FILE [--write] [--list NAME]...",
    "Prints a text of a format as JSON, or with --write JSON as such a text.",
    syncctl_format_run
};


static int
syncctl_format_run(sync_arena_t *arena, int argc, char **argv)
{
    int               rc;
    sync_rc_t         said;
    sync_str_t        text;
    sync_json_t       json;
    sync_error_t      err;
    sync_format_e     format;
    syncctl_format_t  f;

    memset(&f, 0, sizeof(f));
    f.limits.lists = f.lists;

    rc = syncctl_format_options(&f, argv);

    if (rc != SYNCCTL_YES) {
        return rc;
    }

    format = sync_format_by_name(syncctl_str(f.name));

    if (format == SYNC_FORMATS) {
        return syncctl_misused("\"%s\" is no format", f.name);
    }

    if (f.write) {
        rc = syncctl_read_json(arena, f.file, &json);

        if (rc != SYNCCTL_YES) {
            return rc;
        }

        said = sync_format_write(format, &json, 0, arena, 0, &text, &err);

    } else {

        if (syncctl_read(arena, f.file, &text) != SYNCCTL_YES) {
            return SYNCCTL_WRONG;
        }

        said = sync_format_read(format, arena, text, &f.limits, &text, &err);
    }

    if (said == SYNC_FAULT) {
        return syncctl_no_memory();
    }

    if (said == SYNC_NO) {
        syncctl_tell(stderr, f.file, &err);
        return SYNCCTL_NO;
    }

    syncctl_print(text);

    return SYNCCTL_YES;
}


static int
syncctl_format_options(syncctl_format_t *f, char **argv)
{
    for ( /* void */ ; *argv != NULL; argv++) {

        if (strcmp(*argv, "--write") == 0) {
            f->write = 1;

        } else if (strcmp(*argv, "--list") == 0 && argv[1] != NULL
                   && f->limits.nlists < SYNCCTL_LISTS)
        {
            f->lists[f->limits.nlists++] = syncctl_str(*++argv);

        } else if (strncmp(*argv, "--", 2) == 0) {
            return syncctl_misused("unknown option \"%s\", or its value is "
                                   "missing", *argv);

        } else if (f->name == NULL) {
            f->name = *argv;

        } else if (f->file == NULL) {
            f->file = *argv;

        } else {
            return syncctl_misused("more than a format and a file");
        }
    }

    if (f->file == NULL) {
        return syncctl_misused("a format and a file are asked for");
    }

    return SYNCCTL_YES;
}
