
/*
 * syncctl: what a platform team runs before a document, a map or a schema
 * reaches production, on the library that the module itself is made of.
 *
 * Each family of commands is a file of its own; the table in syncctl.c names
 * them all.
 */


#ifndef SYNCCTL_H_INCLUDED_
#define SYNCCTL_H_INCLUDED_


#include "sync_doc.h"
#include "sync_map.h"
#include "sync_schema.h"

#include <stdio.h>


/* Exit codes of every command. */

#define SYNCCTL_YES    0
#define SYNCCTL_NO     1                 /* the answer is no */
#define SYNCCTL_WRONG  2                 /* it could not be asked: usage, a
                                            file, a selector, a schema */


/*
 * run() gets what follows the command's name, argv[argc] is NULL; the arena is
 * freed behind it.  It returns an exit code.
 */

typedef struct {
    const char  *name;
    const char  *usage;                  /* the arguments */
    const char  *says;                   /* in a line */
    int        (*run)(sync_arena_t *arena, int argc, char **argv);
} syncctl_command_t;

extern const syncctl_command_t  syncctl_json;
extern const syncctl_command_t  syncctl_path;
extern const syncctl_command_t  syncctl_map;
extern const syncctl_command_t  syncctl_format;
extern const syncctl_command_t  syncctl_schema;
extern const syncctl_command_t  syncctl_schema_stream;
extern const syncctl_command_t  syncctl_sfv;
extern const syncctl_command_t  syncctl_jws;
extern const syncctl_command_t  syncctl_tenants;
extern const syncctl_command_t  syncctl_try;
extern const syncctl_command_t  syncctl_push;
extern const syncctl_command_t  syncctl_key;
extern const syncctl_command_t  syncctl_store;


/*
 * Says what is wrong with the arguments, how they are right, and returns
 * SYNCCTL_WRONG: `return syncctl_misused("unknown option \"%s\"", ...)`.
 */
int syncctl_misused(const char *fmt, ...)
    __attribute__((format(printf, 1, 2)));

/* Says that there is no memory; returns SYNCCTL_WRONG. */
int syncctl_no_memory(void);

/*
 * The whole of a file, in the arena, a NUL behind it; "-" is the standard
 * input.  SYNCCTL_YES, or SYNCCTL_WRONG and it has been said why.
 */
int syncctl_read(sync_arena_t *arena, const char *path, sync_str_t *text);

/* A file read and parsed, as the policies would.  SYNCCTL_NO: not JSON. */
int syncctl_read_json(sync_arena_t *arena, const char *path,
    sync_json_t *json);

/*
 * "WHAT: at byte 12, at /items/0: the reason", to out; what there is no place
 * for is left out.
 */
void syncctl_tell(FILE *out, const char *what, const sync_error_t *err);

/* An argument as a string of the library; no copy. */
sync_str_t syncctl_str(const char *s);

/* A string and a newline to the standard output. */
void syncctl_print(sync_str_t s);


/* ---- library.c: files that name each other ---- */

#define SYNCCTL_PATH  4096

typedef struct {
    const char  *dir;                    /* what sync_library names */
} syncctl_library_t;


/* Whether there is such a file; its path. */
int syncctl_library_path(const syncctl_library_t *library, sync_str_t name,
    char path[SYNCCTL_PATH]);

/*
 * A map compiled, with those below the library that it extends.  SYNCCTL_NO:
 * it is broken, which is told to out.
 */
int syncctl_compile_map(sync_arena_t *arena, const char *name,
    sync_str_t text, syncctl_library_t *library, FILE *out, sync_map_t **map);

/*
 * A schema of the library, with those below schemas/ that it refers to, formats
 * asserted as the gateway does.  SYNCCTL_NO: told to out.
 */
int syncctl_library_schema(sync_arena_t *arena, syncctl_library_t *library,
    sync_str_t name, FILE *out, sync_schema_t **schema);

/* The canonical one of an entity, by the document; NULL: there is none. */
int syncctl_canonical_schema(sync_arena_t *arena, syncctl_library_t *library,
    const sync_doc_t *doc, sync_entity_e entity, FILE *out,
    sync_schema_t **schema);

/* A payload by a schema; SYNCCTL_NO: told, each place, under a name. */
int syncctl_judge(sync_arena_t *arena, const sync_schema_t *schema,
    const sync_json_t *json, int update, const char *name);

/* The same of a file of the library, which is told by its name there. */
int syncctl_library_map(sync_arena_t *arena, syncctl_library_t *library,
    sync_str_t name, FILE *out, sync_map_t **map);

/* SYNCCTL_NO: it has faults, which are told as of name. */
int syncctl_run_map(sync_arena_t *arena, const sync_map_t *map,
    sync_map_section_e section, const sync_json_t *json, sync_map_run_t *run,
    const char *name, sync_str_t *out);

/* One fault a line, to the standard error output. */
void syncctl_tell_faults(const char *name, const sync_faults_t *faults);


/* ---- tenants.c: a folder of documents ---- */

typedef struct {
    const char        *file;             /* "acme.json" */
    const sync_doc_t  *doc;              /* NULL: broken */
} syncctl_tenant_t;

typedef struct {
    const char        *dir;
    syncctl_library_t  library;          /* DIR/library */
    syncctl_tenant_t  *list;             /* DIR/tenants, by name */
    size_t             n;
} syncctl_tenants_t;


/*
 * Reads all documents; what is wrong with one is told to out.  SYNCCTL_NO: one
 * is broken.
 */
int syncctl_tenants_read(sync_arena_t *arena, const char *dir,
    syncctl_tenants_t *tenants, FILE *out);


#endif /* SYNCCTL_H_INCLUDED_ */
