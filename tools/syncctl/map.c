
/*
 * syncctl map: what a map makes of a payload.
 */


#include "syncctl.h"
#include "sync_map.h"


typedef struct {
    const char          *map;
    const char          *file;
    sync_map_section_e   section;
    unsigned             error:1;        /* --section error */
    unsigned             failed:1;
    unsigned             update:1;
    unsigned             trace:1;
    sync_str_t           env[SYNC_MAP_ENV_N];
    syncctl_library_t    library;
} syncctl_map_t;


static int syncctl_map_run(sync_arena_t *arena, int argc, char **argv);
static int syncctl_map_options(syncctl_map_t *m, char **argv);
static int syncctl_map_env(syncctl_map_t *m, const char *text);
static int syncctl_map_error(sync_arena_t *arena, const sync_map_t *map,
    syncctl_map_t *m, const sync_json_t *json);
static void syncctl_map_wrote(sync_map_trace_t *trace, sync_str_t rule,
    sync_str_t to, const sync_json_t *json, uint32_t node);


const syncctl_command_t  syncctl_map = {
    "map",
    "MAP FILE [--section write|read|error] [--update] [--failed] "
    "[--env NAME=VALUE]... [--library DIR] [--trace]",
    "Prints what a map makes of a payload; --trace tells which rule set which "
    "member.",
    syncctl_map_run
};


static const char  *const syncctl_map_envs[SYNC_MAP_ENV_N] = {
    "tenant", "client", "source", "connector", "entity", "operation",
    "object_id", "correlation_id", "downstream_key", "now"
};


static int
syncctl_map_run(sync_arena_t *arena, int argc, char **argv)
{
    int               rc;
    sync_str_t        text;
    sync_map_t       *map;
    sync_json_t       json;
    syncctl_map_t     m;
    sync_map_run_t    run;
    sync_map_trace_t  trace;

    memset(&m, 0, sizeof(m));
    m.library.dir = ".";

    rc = syncctl_map_options(&m, argv);

    if (rc != SYNCCTL_YES) {
        return rc;
    }

    if (syncctl_read(arena, m.map, &text) != SYNCCTL_YES
        || syncctl_compile_map(arena, m.map, text, &m.library, stderr, &map)
           != SYNCCTL_YES)
    {
        return SYNCCTL_WRONG;
    }

    rc = syncctl_read_json(arena, m.file, &json);

    if (rc != SYNCCTL_YES) {
        return rc;
    }

    if (m.error) {
        return syncctl_map_error(arena, map, &m, &json);
    }

    memset(&run, 0, sizeof(run));
    run.env = m.env;
    run.update = m.update;

    trace.wrote = syncctl_map_wrote;
    trace.data = arena;

    if (m.trace) {
        run.trace = &trace;
    }

    rc = syncctl_run_map(arena, map, m.section, &json, &run, m.file, &text);

    if (rc == SYNCCTL_YES) {
        syncctl_print(text);
    }

    return rc;
}


static int
syncctl_map_options(syncctl_map_t *m, char **argv)
{
    for ( /* void */ ; *argv != NULL; argv++) {

        if (strcmp(*argv, "--update") == 0) {
            m->update = 1;

        } else if (strcmp(*argv, "--trace") == 0) {
            m->trace = 1;

        } else if (strcmp(*argv, "--failed") == 0) {
            m->failed = 1;

        } else if (strcmp(*argv, "--section") == 0 && argv[1] != NULL) {
            argv++;

            if (strcmp(*argv, "read") == 0) {
                m->section = SYNC_MAP_READ;

            } else if (strcmp(*argv, "write") == 0) {
                m->section = SYNC_MAP_WRITE;

            } else if (strcmp(*argv, "error") == 0) {
                m->error = 1;

            } else {
                return syncctl_misused("\"%s\" is no section", *argv);
            }

        } else if (strcmp(*argv, "--env") == 0 && argv[1] != NULL) {
            if (syncctl_map_env(m, *++argv) != SYNCCTL_YES) {
                return SYNCCTL_WRONG;
            }

        } else if (strcmp(*argv, "--library") == 0 && argv[1] != NULL) {
            m->library.dir = *++argv;

        } else if (strncmp(*argv, "--", 2) == 0) {
            return syncctl_misused("unknown option \"%s\", or its value is "
                                   "missing", *argv);

        } else if (m->map == NULL) {
            m->map = *argv;

        } else if (m->file == NULL) {
            m->file = *argv;

        } else {
            return syncctl_misused("\"%s\" is one argument too many", *argv);
        }
    }

    if (m->file == NULL) {
        return syncctl_misused("a map and a file are asked for");
    }

    return SYNCCTL_YES;
}


static int
syncctl_map_env(syncctl_map_t *m, const char *text)
{
    size_t       i, len;
    const char  *value;

    value = strchr(text, '=');
    len = value != NULL ? (size_t) (value - text) : 0;

    for (i = 0; value != NULL && i < SYNC_MAP_ENV_N; i++) {
        if (strlen(syncctl_map_envs[i]) == len
            && strncmp(syncctl_map_envs[i], text, len) == 0)
        {
            m->env[i] = syncctl_str(value + 1);
            return SYNCCTL_YES;
        }
    }

    return syncctl_misused("\"%s\" is not NAME=VALUE of an \"env\" that maps "
                           "know", text);
}


/* What an answer says is wrong; SYNCCTL_NO: nothing is. */

static int
syncctl_map_error(sync_arena_t *arena, const sync_map_t *map,
    syncctl_map_t *m, const sync_json_t *json)
{
    uint64_t           work;
    sync_rc_t          rc;
    sync_str_t         text;
    sync_json_out_t    out;
    sync_map_error_t   error;

    static const char  *const classes[] = {
        "by the status", "business", "technical", "transient"
    };

    if (!sync_map_has_error(map)) {
        fprintf(stderr, "%s: the map has no section \"error\"\n", m->map);
        return SYNCCTL_WRONG;
    }

    work = UINT64_MAX;

    rc = sync_map_error(map, json, m->failed, arena, &work, &error);

    if (rc == SYNC_FAULT) {
        return syncctl_no_memory();
    }

    if (rc == SYNC_NO) {
        fprintf(stderr, "%s: this is no error\n", m->file);
        return SYNCCTL_NO;
    }

    sync_json_begin(&out, arena, 256, 0);
    sync_json_open(&out, '{');
    sync_json_key(&out, sync_str_lit("class"));
    sync_json_string(&out, syncctl_str(classes[error.class]));
    sync_json_key(&out, sync_str_lit("code"));
    sync_json_string(&out, error.code);
    sync_json_key(&out, sync_str_lit("message"));
    sync_json_string(&out, error.message);
    sync_json_close(&out, '}');

    if (sync_json_end(&out, &text) != SYNC_OK) {
        return syncctl_no_memory();
    }

    syncctl_print(text);

    return SYNCCTL_YES;
}


/* To the standard error output: the result goes where it goes without. */

static void
syncctl_map_wrote(sync_map_trace_t *trace, sync_str_t rule, sync_str_t to,
    const sync_json_t *json, uint32_t node)
{
    sync_str_t  at;

    at = sync_json_pointer(json, node, trace->data);

    fprintf(stderr, "%.*s set \"%.*s\"", (int) rule.len, (char *) rule.data,
            (int) to.len, (char *) to.data);

    if (at.len) {
        fprintf(stderr, " of %.*s", (int) at.len, (char *) at.data);
    }

    fputc('\n', stderr);
}
