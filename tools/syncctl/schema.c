
/*
 * syncctl schema, syncctl schema-stream: whether documents meet a JSON Schema,
 * by the validator of the gateway.
 */


#include "syncctl.h"
#include "sync_schema.h"

#include <dirent.h>
#include <stdlib.h>
#include <sys/stat.h>


#define SYNCCTL_SCHEMA_FILES  4096   /* of a folder, looked into for "$id" */
#define SYNCCTL_SCHEMA_DEPTH  16     /* folders in one another */


typedef struct {
    sync_schema_options_t   options;
    const char             *dir;
    const char             *schema;
    char                  **files;   /* the arguments that are no options */
    int                     nfiles;
    unsigned                basic;   /* --output=basic */
    unsigned                left;    /* files that may still be looked into */
} syncctl_schema_t;


static int syncctl_schema_run(sync_arena_t *arena, int argc, char **argv);
static int syncctl_schema_stream_run(sync_arena_t *arena, int argc,
    char **argv);
static int syncctl_schema_options(syncctl_schema_t *c, int argc,
    char **argv);
static const char *syncctl_schema_value(int argc, char **argv, int *i,
    const char *name);
static int syncctl_schema_load(syncctl_schema_t *c, sync_arena_t *arena,
    sync_schema_t **schema);
static sync_rc_t syncctl_schema_resolve(void *data, sync_str_t uri,
    sync_arena_t *arena, sync_str_t *text, sync_error_t *err);
static sync_rc_t syncctl_schema_search(syncctl_schema_t *c, const char *dir,
    unsigned depth, sync_str_t uri, sync_arena_t *arena, sync_str_t *text);
static int syncctl_schema_has_id(sync_arena_t *arena, sync_str_t text,
    sync_str_t uri);
static const char *syncctl_schema_join(sync_arena_t *arena, const char *dir,
    const char *name);
static int syncctl_schema_file(const syncctl_schema_t *c,
    const sync_schema_t *schema, const char *path);
static int syncctl_schema_text(const syncctl_schema_t *c,
    const sync_schema_t *schema, sync_arena_t *arena, sync_str_t text,
    const char *path);
static int syncctl_schema_basic(sync_arena_t *arena,
    const sync_faults_t *faults, int valid);


const syncctl_command_t  syncctl_schema = {
    "schema",
    "[--draft 2020-12|7] [--ref-dir DIR] [--format-assertion] "
    "[--unknown-keywords] [--output=basic] SCHEMA FILE...",
    "Says of each file whether it meets a JSON Schema, and where it does not.",
    syncctl_schema_run
};

const syncctl_command_t  syncctl_schema_stream = {
    "schema-stream",
    "[--draft 2020-12|7] [--ref-dir DIR] [--format-assertion] "
    "[--unknown-keywords] SCHEMA",
    "Reads a JSON document per line, prints \"valid\" or \"invalid\" for each.",
    syncctl_schema_stream_run
};


static int
syncctl_schema_run(sync_arena_t *arena, int argc, char **argv)
{
    int               rc, i, one;
    sync_schema_t    *schema;
    syncctl_schema_t  c;

    rc = syncctl_schema_options(&c, argc, argv);

    if (rc != SYNCCTL_YES) {
        return rc;
    }

    if (c.nfiles == 0) {
        return syncctl_misused("a schema and files are asked for");
    }

    rc = syncctl_schema_load(&c, arena, &schema);

    for (i = 0; rc != SYNCCTL_WRONG && i < c.nfiles; i++) {

        one = syncctl_schema_file(&c, schema, c.files[i]);
        rc = one > rc ? one : rc;
    }

    return rc;
}


/* Memory of one line is given back before the next is read. */

static int
syncctl_schema_stream_run(sync_arena_t *arena, int argc, char **argv)
{
    int                rc;
    char              *line;
    size_t             size;
    ssize_t            n;
    sync_arena_t      *a;
    sync_schema_t     *schema;
    syncctl_schema_t   c;

    rc = syncctl_schema_options(&c, argc, argv);

    if (rc != SYNCCTL_YES) {
        return rc;
    }

    if (c.nfiles != 0 || c.basic) {
        return syncctl_misused("one schema is asked for, the documents are "
                               "read from the standard input");
    }

    rc = syncctl_schema_load(&c, arena, &schema);

    if (rc != SYNCCTL_YES) {
        return rc;
    }

    line = NULL;
    size = 0;

    while ((n = getline(&line, &size, stdin)) != -1) {

        a = sync_arena_create(16384);

        if (a == NULL) {
            rc = syncctl_no_memory();
            break;
        }

        rc = syncctl_schema_text(&c, schema, a,
                 (sync_str_t) { (size_t) n, (unsigned char *) line }, NULL);

        sync_arena_destroy(a);

        if (rc == SYNCCTL_WRONG) {
            break;
        }

        puts(rc == SYNCCTL_YES ? "valid" : "invalid");
        fflush(stdout);
    }

    free(line);

    return rc == SYNCCTL_WRONG ? rc : SYNCCTL_YES;
}


static int
syncctl_schema_options(syncctl_schema_t *c, int argc, char **argv)
{
    int          i;
    const char  *value;

    memset(c, 0, sizeof(syncctl_schema_t));

    c->options.resolve = syncctl_schema_resolve;
    c->options.data = c;
    c->files = argv;

    for (i = 0; i < argc; i++) {

        if (argv[i][0] != '-' || strcmp(argv[i], "-") == 0) {

            if (c->schema == NULL) {
                c->schema = argv[i];

            } else {
                c->files[c->nfiles++] = argv[i];
            }

        } else if (strcmp(argv[i], "--format-assertion") == 0) {
            c->options.formats = 1;

        } else if (strcmp(argv[i], "--unknown-keywords") == 0) {
            c->options.unknown = 1;

        } else if ((value = syncctl_schema_value(argc, argv, &i,
                                                 "--draft")) != NULL)
        {
            if (strcmp(value, "7") == 0 || strcmp(value, "07") == 0
                || strcmp(value, "draft-07") == 0)
            {
                c->options.draft = SYNC_SCHEMA_DRAFT_07;

            } else if (strcmp(value, "2020-12") == 0) {
                c->options.draft = SYNC_SCHEMA_2020_12;

            } else {
                return syncctl_misused("unknown draft \"%s\", known are "
                                       "2020-12 and 7", value);
            }

        } else if ((value = syncctl_schema_value(argc, argv, &i,
                                                 "--ref-dir")) != NULL)
        {
            c->dir = value;

        } else if ((value = syncctl_schema_value(argc, argv, &i,
                                                 "--output")) != NULL)
        {
            if (strcmp(value, "basic") != 0) {
                return syncctl_misused("unknown output \"%s\", known is "
                                       "basic", value);
            }

            c->basic = 1;

        } else {
            return syncctl_misused("unknown option \"%s\"", argv[i]);
        }
    }

    return c->schema ? SYNCCTL_YES : syncctl_misused("no schema is given");
}


/* What follows an option: "--name value" or "--name=value"; NULL: not it. */

static const char *
syncctl_schema_value(int argc, char **argv, int *i, const char *name)
{
    size_t  len;

    len = strlen(name);

    if (strncmp(argv[*i], name, len) != 0) {
        return NULL;
    }

    if (argv[*i][len] == '=') {
        return argv[*i] + len + 1;
    }

    return argv[*i][len] == '\0' && *i + 1 < argc ? argv[++*i] : NULL;
}


static int
syncctl_schema_load(syncctl_schema_t *c, sync_arena_t *arena,
    sync_schema_t **schema)
{
    char          *dir, *slash;
    sync_rc_t      rc;
    sync_str_t     text;
    sync_error_t   err;

    if (syncctl_read(arena, c->schema, &text) != SYNCCTL_YES) {
        return SYNCCTL_WRONG;
    }

    if (c->dir == NULL) {

        /* what a schema refers to stands beside it */

        dir = (char *) sync_strdup(arena, syncctl_str(c->schema)).data;
        slash = dir ? strrchr(dir, '/') : NULL;

        if (slash) {
            slash[slash == dir] = '\0';
        }

        c->dir = slash ? dir : ".";
    }

    rc = sync_schema_compile(schema, arena, text, &c->options, &err);

    if (rc == SYNC_FAULT) {
        return syncctl_no_memory();
    }

    if (rc == SYNC_NO) {
        syncctl_tell(stderr, c->schema, &err);
        return SYNCCTL_WRONG;
    }

    return SYNCCTL_YES;
}


/* By the path of the URI, else by the "$id" of some file. */

static sync_rc_t
syncctl_schema_resolve(void *data, sync_str_t uri, sync_arena_t *arena,
    sync_str_t *text, sync_error_t *err)
{
    sync_rc_t          rc;
    const char        *path;
    sync_str_t         name;
    struct stat        st;
    syncctl_schema_t  *c;

    c = data;
    rc = sync_schema_file(uri, arena, &name);

    if (rc == SYNC_OK) {
        path = syncctl_schema_join(arena, c->dir, (char *) name.data);

        if (path == NULL) {
            return SYNC_FAULT;
        }

        if (stat(path, &st) == 0 && S_ISREG(st.st_mode)) {
            return syncctl_read(arena, path, text) == SYNCCTL_YES
                   ? SYNC_OK
                   : sync_refuse(err, "reference", SYNC_NOWHERE,
                                 "it cannot be read");
        }
    }

    c->left = SYNCCTL_SCHEMA_FILES;

    return rc == SYNC_FAULT ? rc
           : syncctl_schema_search(c, c->dir, 0, uri, arena, text);
}


static sync_rc_t
syncctl_schema_search(syncctl_schema_t *c, const char *dir, unsigned depth,
    sync_str_t uri, sync_arena_t *arena, sync_str_t *text)
{
    DIR            *d;
    size_t          len;
    sync_rc_t       rc;
    const char     *path;
    struct stat     st;
    struct dirent  *e;

    d = opendir(dir);

    if (d == NULL) {
        return SYNC_NO;
    }

    rc = SYNC_NO;

    while (rc == SYNC_NO && (e = readdir(d)) != NULL) {

        if (e->d_name[0] == '.') {
            continue;
        }

        path = syncctl_schema_join(arena, dir, e->d_name);

        if (path == NULL) {
            rc = SYNC_FAULT;
            break;
        }

        len = strlen(path);

        if (stat(path, &st) != 0) {
            continue;
        }

        if (S_ISDIR(st.st_mode)) {
            rc = depth < SYNCCTL_SCHEMA_DEPTH
                 ? syncctl_schema_search(c, path, depth + 1, uri, arena, text)
                 : SYNC_NO;
            continue;
        }

        if (len < 5 || strcmp(path + len - 5, ".json") != 0 || c->left == 0
            || syncctl_read(arena, path, text) != SYNCCTL_YES)
        {
            continue;
        }

        c->left--;
        rc = syncctl_schema_has_id(arena, *text, uri) ? SYNC_OK : SYNC_NO;
    }

    closedir(d);

    return rc;
}


static int
syncctl_schema_has_id(sync_arena_t *arena, sync_str_t text, sync_str_t uri)
{
    uint32_t     id;
    sync_str_t   s;
    sync_json_t  json;

    if (sync_json_parse(&json, arena, text, NULL, NULL) != SYNC_OK) {
        return 0;
    }

    id = sync_json_member(&json, 0, sync_str_lit("$id"));

    if (id == SYNC_JSON_NONE || json.nodes[id].type != SYNC_JSON_STRING) {
        return 0;
    }

    s = sync_json_slice(&json, id);
    s.len -= s.len && s.data[s.len - 1] == '#';

    return sync_str_eq(s, uri);
}


static const char *
syncctl_schema_join(sync_arena_t *arena, const char *dir, const char *name)
{
    char    *path;
    size_t   len;

    len = strlen(dir) + 1 + strlen(name) + 1;
    path = sync_alloc(arena, len);

    if (path) {
        snprintf(path, len, "%s/%s", dir, name);
    }

    return path;
}


static int
syncctl_schema_file(const syncctl_schema_t *c, const sync_schema_t *schema,
    const char *path)
{
    int            rc;
    sync_str_t     text;
    sync_arena_t  *arena;

    arena = sync_arena_create(65536);

    if (arena == NULL) {
        return syncctl_no_memory();
    }

    rc = syncctl_read(arena, path, &text);

    if (rc == SYNCCTL_YES) {
        rc = syncctl_schema_text(c, schema, arena, text, path);
    }

    sync_arena_destroy(arena);

    return rc;
}


/* A verdict; said only where there is a path. */

static int
syncctl_schema_text(const syncctl_schema_t *c, const sync_schema_t *schema,
    sync_arena_t *arena, sync_str_t text, const char *path)
{
    uint32_t              i;
    uint64_t              work;
    sync_rc_t             rc;
    sync_json_t           json;
    sync_error_t          err;
    sync_faults_t         faults;
    sync_json_limits_t    limits = { .size = text.len + 1 };

    rc = sync_json_parse(&json, arena, text, &limits, &err);

    if (rc == SYNC_NO) {

        if (path) {
            syncctl_tell(stdout, path, &err);
        }

        return SYNCCTL_NO;
    }

    sync_faults_init(&faults, arena);

    if (rc == SYNC_OK) {

        /* nobody waits behind this one */

        work = UINT64_MAX;
        rc = sync_schema_validate(schema, &json, 0, arena, &work,
                                  path ? &faults : NULL, &err);
    }

    if (rc == SYNC_FAULT) {
        return syncctl_no_memory();
    }

    if (rc == SYNC_NO && strcmp(err.what, "invalid") != 0) {
        fprintf(stderr, "syncctl: %s: %s\n", path ? path : "a line",
                err.text);
        return SYNCCTL_WRONG;
    }

    if (path == NULL) {
        return rc == SYNC_OK ? SYNCCTL_YES : SYNCCTL_NO;
    }

    if (c->basic) {
        return syncctl_schema_basic(arena, &faults, rc == SYNC_OK);
    }

    printf("%s: %s\n", path, rc == SYNC_OK ? "valid" : "invalid");

    for (i = 0; i < faults.count; i++) {
        printf("  %.*s: %s: %s\n", (int) faults.list[i].pointer.len,
               (char *) faults.list[i].pointer.data, faults.list[i].what,
               faults.list[i].text);
    }

    if (faults.more) {
        printf("  and %u more\n", (unsigned) faults.more);
    }

    return rc == SYNC_OK ? SYNCCTL_YES : SYNCCTL_NO;
}


/* The output format "basic" of the specification, a line for each file. */

static int
syncctl_schema_basic(sync_arena_t *arena, const sync_faults_t *faults,
    int valid)
{
    uint32_t             i;
    sync_str_t           text;
    sync_json_out_t      out;
    const sync_fault_t  *f;

    sync_json_begin(&out, arena, 4096, (size_t) 1 << 30);
    sync_json_open(&out, '{');
    sync_json_key(&out, sync_str_lit("valid"));
    sync_json_value(&out, valid ? sync_str_lit("true")
                                : sync_str_lit("false"));

    if (!valid) {
        sync_json_key(&out, sync_str_lit("errors"));
        sync_json_open(&out, '[');

        for (i = 0; i < faults->count; i++) {
            f = &faults->list[i];

            sync_json_open(&out, '{');
            sync_json_key(&out, sync_str_lit("keywordLocation"));
            sync_json_string(&out, f->way);
            sync_json_key(&out, sync_str_lit("absoluteKeywordLocation"));
            sync_json_string(&out, f->rule);
            sync_json_key(&out, sync_str_lit("instanceLocation"));
            sync_json_string(&out, f->pointer);
            sync_json_key(&out, sync_str_lit("error"));
            sync_json_string(&out, syncctl_str(f->text));
            sync_json_close(&out, '}');
        }

        sync_json_close(&out, ']');
    }

    sync_json_close(&out, '}');

    if (sync_json_end(&out, &text) != SYNC_OK) {
        return syncctl_no_memory();
    }

    syncctl_print(text);

    return valid ? SYNCCTL_YES : SYNCCTL_NO;
}
