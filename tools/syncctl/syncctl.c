
/*
 * The commands by name, and what all of them need.
 */


#include "syncctl.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>


#define SYNCCTL_BLOCK  65536
#define SYNCCTL_FILE   (64 * 1024 * 1024)    /* bytes of a file at most */


static int syncctl_help(int argc, char **argv);
static const syncctl_command_t *syncctl_find(const char *name);


static const syncctl_command_t  *const syncctl_commands[] = {
    &syncctl_json,
    &syncctl_path,
    &syncctl_map,
    &syncctl_format,
    &syncctl_schema,
    &syncctl_schema_stream,
    &syncctl_sfv,
    &syncctl_jws,
    &syncctl_tenants,
    &syncctl_try,
    &syncctl_push,
    &syncctl_key,
    &syncctl_store,
    NULL
};

static const syncctl_command_t  *syncctl_running;


int
main(int argc, char **argv)
{
    int            rc;
    sync_arena_t  *arena;

    if (argc < 2 || strcmp(argv[1], "help") == 0
        || strcmp(argv[1], "--help") == 0)
    {
        return syncctl_help(argc, argv);
    }

    syncctl_running = syncctl_find(argv[1]);

    if (syncctl_running == NULL) {
        fprintf(stderr, "syncctl: unknown command \"%s\"; \"syncctl help\" "
                "lists them\n", argv[1]);
        return SYNCCTL_WRONG;
    }

    arena = sync_arena_create(SYNCCTL_BLOCK);

    if (arena == NULL) {
        return syncctl_no_memory();
    }

    rc = syncctl_running->run(arena, argc - 2, argv + 2);

    sync_arena_destroy(arena);

    /* what was said must have arrived: a full disk is no verdict */

    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "syncctl: standard output: %s\n", strerror(errno));
        return SYNCCTL_WRONG;
    }

    return rc;
}


static int
syncctl_help(int argc, char **argv)
{
    size_t                    i;
    const syncctl_command_t  *command;

    if (argc == 3) {
        command = syncctl_find(argv[2]);

        if (command == NULL) {
            fprintf(stderr, "syncctl: unknown command \"%s\"\n", argv[2]);
            return SYNCCTL_WRONG;
        }

        printf("usage: syncctl %s %s\n\n%s\n", command->name, command->usage,
               command->says);

        return SYNCCTL_YES;
    }

    if (argc < 3) {
        printf("usage: syncctl COMMAND ...\n\n");

        for (i = 0; syncctl_commands[i] != NULL; i++) {
            command = syncctl_commands[i];
            printf("  %s %s\n      %s\n", command->name, command->usage,
                   command->says);
        }

        printf("\nA file \"-\" is the standard input.  Exit codes: 0 yes, "
               "1 no, 2 it could not be asked.\n");

        return SYNCCTL_YES;
    }

    fputs("usage: syncctl help [COMMAND]\n", stderr);

    return SYNCCTL_WRONG;
}


static const syncctl_command_t *
syncctl_find(const char *name)
{
    size_t  i;

    for (i = 0; syncctl_commands[i] != NULL; i++) {
        if (strcmp(syncctl_commands[i]->name, name) == 0) {
            return syncctl_commands[i];
        }
    }

    return NULL;
}


int
syncctl_misused(const char *fmt, ...)
{
    va_list  args;

    fprintf(stderr, "syncctl %s: ", syncctl_running->name);

    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);

    fprintf(stderr, "\nusage: syncctl %s %s\n", syncctl_running->name,
            syncctl_running->usage);

    return SYNCCTL_WRONG;
}


int
syncctl_no_memory(void)
{
    fputs("syncctl: out of memory\n", stderr);

    return SYNCCTL_WRONG;
}


int
syncctl_read(sync_arena_t *arena, const char *path, sync_str_t *text)
{
    FILE           *f;
    size_t          size, n;
    unsigned char  *data, *more;

    f = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");

    if (f == NULL) {
        fprintf(stderr, "syncctl: %s: %s\n", path, strerror(errno));
        return SYNCCTL_WRONG;
    }

    size = SYNCCTL_BLOCK;
    data = malloc(size);
    n = 0;

    while (data != NULL) {
        n += fread(data + n, 1, size - n, f);

        if (n < size || size > SYNCCTL_FILE) {
            break;
        }

        size *= 2;
        more = realloc(data, size);

        if (more == NULL) {
            free(data);
        }

        data = more;
    }

    if (data != NULL && (ferror(f) || n > SYNCCTL_FILE)) {
        fprintf(stderr, "syncctl: %s: %s\n", path,
                ferror(f) ? strerror(errno) : "more than 64 MiB");

        if (f != stdin) {
            fclose(f);
        }

        free(data);

        return SYNCCTL_WRONG;
    }

    if (f != stdin) {
        fclose(f);
    }

    text->len = n;
    text->data = NULL;

    if (data != NULL) {
        *text = sync_strdup(arena, (sync_str_t) { n, data });
        free(data);
    }

    return text->data != NULL ? SYNCCTL_YES : syncctl_no_memory();
}


int
syncctl_read_json(sync_arena_t *arena, const char *path, sync_json_t *json)
{
    sync_rc_t           rc;
    sync_str_t          text;
    sync_error_t        err;
    sync_json_limits_t  limits = { .size = SYNCCTL_FILE };

    if (syncctl_read(arena, path, &text) != SYNCCTL_YES) {
        return SYNCCTL_WRONG;
    }

    rc = sync_json_parse(json, arena, text, &limits, &err);

    if (rc == SYNC_OK) {
        return SYNCCTL_YES;
    }

    if (rc == SYNC_FAULT) {
        return syncctl_no_memory();
    }

    syncctl_tell(stderr, path, &err);

    return SYNCCTL_NO;
}


void
syncctl_tell(FILE *out, const char *what, const sync_error_t *err)
{
    fprintf(out, "%s: ", what);

    if (err->offset != SYNC_NOWHERE) {
        fprintf(out, "at byte %zu", err->offset);
        fputs(err->pointer.len ? ", " : ": ", out);
    }

    if (err->pointer.len) {
        fprintf(out, "at %.*s: ", (int) err->pointer.len,
                (char *) err->pointer.data);
    }

    fprintf(out, "%s\n", err->text);
}


sync_str_t
syncctl_str(const char *s)
{
    return (sync_str_t) { strlen(s), (unsigned char *) (uintptr_t) s };
}


void
syncctl_print(sync_str_t s)
{
    fwrite(s.data, 1, s.len, stdout);
    putchar('\n');
}
