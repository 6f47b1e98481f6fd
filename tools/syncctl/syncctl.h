
/*
 * syncctl: what a platform team runs before a document, a map or a schema
 * reaches production, on the library that the module itself is made of.
 *
 * Each family of commands is a file of its own; the table in syncctl.c names
 * them all.
 */


#ifndef SYNCCTL_H_INCLUDED_
#define SYNCCTL_H_INCLUDED_


#include "sync_json.h"

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
extern const syncctl_command_t  syncctl_sfv;
extern const syncctl_command_t  syncctl_jws;


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


#endif /* SYNCCTL_H_INCLUDED_ */
