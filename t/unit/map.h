
/*
 * How maps are tested: rules with what they make of a payload, and maps that
 * are refused.  Included once, as tap.h is.
 */


#ifndef SYNC_UNIT_MAP_H_INCLUDED_
#define SYNC_UNIT_MAP_H_INCLUDED_


#include "sync_map.h"
#include "tap.h"


/* What a rule, alone in "write", makes of a payload; want NULL: a fault. */

typedef struct {
    const char  *rule;
    const char  *in;
    const char  *want;
    const char  *what;
    const char  *pointer;
    int          update;
} map_row_t;


/* Maps that are refused. */

typedef struct {
    const char  *map;
    const char  *what;
    const char  *pointer;
    const char  *says;               /* part of the sentence */
} map_bad_t;


/* What "extends" and lookups find; set by the test. */

typedef struct {
    const char  *name;
    const char  *text;
} map_file_t;


static const map_file_t  *library;
static size_t             library_size;
static sync_arena_t  *arena;


/* Test texts have ' for " so that they can be read; \' stays an apostrophe. */

static sync_str_t
quoted(const char *text)
{
    size_t      i, k;
    sync_str_t  s;

    s.len = strlen(text);
    s.data = sync_alloc(arena, s.len + 1);

    for (i = 0, k = 0; i < s.len; i++) {

        if (text[i] == '\\' && text[i + 1] == '\'') {
            s.data[k++] = '\'';
            i++;

        } else {
            s.data[k++] = text[i] == '\'' ? '"' : text[i];
        }
    }

    s.len = k;
    s.data[k] = '\0';

    return s;
}


static sync_rc_t
load(sync_map_loader_t *loader, sync_str_t name, sync_arena_t *a,
    sync_str_t *text, sync_error_t *err)
{
    size_t  i;

    (void) loader;
    (void) a;

    for (i = 0; i < library_size; i++) {
        if (sync_str_is(name, library[i].name)) {
            *text = quoted(library[i].text);
            return SYNC_OK;
        }
    }

    return sync_refuse(err, "missing", SYNC_NOWHERE, "no such map");
}


static sync_map_loader_t  loader = { load, NULL };


static sync_map_t *
compile(sync_str_t text)
{
    sync_map_t    *map;
    sync_error_t   err;

    memset(&err, 0, sizeof(sync_error_t));

    if (sync_map_compile(&map, arena, text, &loader, &err) != SYNC_OK) {
        diag("%s at %.*s: %s", err.what, (int) err.pointer.len,
             err.pointer.len ? (char *) err.pointer.data : "", err.text);
        return NULL;
    }

    return map;
}


static sync_rc_t
run(sync_map_t *map, sync_map_section_e section, sync_str_t in, int update,
    sync_str_t *out, sync_faults_t *faults)
{
    sync_str_t      env[SYNC_MAP_ENV_N];
    sync_json_t     json;
    sync_map_run_t  how;

    memset(env, 0, sizeof(env));
    env[SYNC_MAP_ENV_SOURCE] = sync_str_lit("sf\"1");

    memset(&how, 0, sizeof(sync_map_run_t));
    how.env = env;
    how.update = update ? 1 : 0;

    *out = sync_str_null;
    sync_faults_init(faults, arena);

    if (map == NULL
        || sync_json_parse(&json, arena, in, NULL, NULL) != SYNC_OK)
    {
        return SYNC_FAULT;
    }

    return sync_map_run(map, section, &json, 0, &how, arena, out, faults);
}


static sync_str_t
one_rule(const char *rule)
{
    char        text[4096];

    snprintf(text, sizeof(text), "{'write':{'rules':[%s]}}", rule);

    return quoted(text);
}


static void
test_rows(const map_row_t *rows, size_t n)
{
    size_t            i;
    sync_rc_t         rc;
    sync_str_t        out;
    sync_map_t       *map;
    sync_error_t      err;
    sync_faults_t     faults;
    const map_row_t  *row;

    for (i = 0; i < n; i++) {
        row = &rows[i];

        if (row->what != NULL && strcmp(row->what, "compile") == 0) {
            is_int(sync_map_compile(&map, arena, one_rule(row->rule), NULL,
                                    &err), SYNC_NO, "refused: %s", row->rule);
            continue;
        }

        map = compile(one_rule(row->rule));
        rc = run(map, SYNC_MAP_WRITE, quoted(row->in), row->update, &out,
                 &faults);

        if (row->want != NULL) {
            is_str(out, (char *) quoted(row->want).data, "%s of %s%s",
                   row->rule, row->in, row->update ? ", update" : "");
            continue;
        }

        if (!ok(rc == SYNC_NO && faults.count == 1
                && strcmp(faults.list[0].what, row->what) == 0
                && sync_str_is(faults.list[0].pointer, row->pointer),
                "%s of %s: %s at %s", row->rule, row->in, row->what,
                row->pointer)
            && faults.count)
        {
            diag("%s at %.*s", faults.list[0].what,
                 (int) faults.list[0].pointer.len,
                 (char *) faults.list[0].pointer.data);
        }
    }
}


static void
test_bad(const map_bad_t *bad, size_t n)
{
    size_t            i;
    sync_rc_t         rc;
    sync_map_t       *map;
    sync_error_t      err;
    const map_bad_t  *row;

    for (i = 0; i < n; i++) {
        row = &bad[i];

        memset(&err, 0, sizeof(sync_error_t));
        err.what = "";

        rc = sync_map_compile(&map, arena, quoted(row->map), &loader, &err);

        if (!ok(rc == SYNC_NO && strcmp(err.what, row->what) == 0
                && (row->pointer == NULL
                    || sync_str_is(err.pointer, row->pointer))
                && (row->says == NULL || strstr(err.text, row->says) != NULL),
                "refused with %s: %s", row->what, row->map))
        {
            diag("%d %s at %.*s: %s", rc, err.what, (int) err.pointer.len,
                 err.pointer.len ? (char *) err.pointer.data : "", err.text);
        }
    }
}


static void
gives(const char *map, sync_map_section_e section, const char *in, int update,
    const char *want, const char *name)
{
    sync_str_t     out;
    sync_faults_t  faults;

    run(compile(quoted(map)), section, quoted(in), update, &out, &faults);
    is_str(out, (char *) quoted(want).data, "%s", name);
}


#endif /* SYNC_UNIT_MAP_H_INCLUDED_ */
