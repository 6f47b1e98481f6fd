
/*
 * TAP for the C unit tests.  A test is one file with one main() that ends
 * with "return done_testing();", or begins with plan(n).  Included once.
 */


#ifndef SYNC_TAP_H_INCLUDED_
#define SYNC_TAP_H_INCLUDED_


#include "sync_core.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>


static int  tap_run;
static int  tap_failed;
static int  tap_planned;


static inline void
plan(int n)
{
    tap_planned = n;
    printf("1..%d\n", n);
}


/* The exit code of main(): 0 when all went well. */
static inline int
done_testing(void)
{
    if (!tap_planned) {
        printf("1..%d\n", tap_run);

    } else if (tap_planned != tap_run) {
        printf("# planned %d tests and ran %d\n", tap_planned, tap_run);
        return 1;
    }

    if (tap_failed) {
        printf("# %d of %d tests failed\n", tap_failed, tap_run);
    }

    fflush(stdout);

    return tap_failed ? 1 : 0;
}


static inline __attribute__((format(printf, 1, 2))) void
diag(const char *fmt, ...)
{
    va_list  args;

    printf("# ");

    va_start(args, fmt);
    vprintf(fmt, args);
    va_end(args);

    printf("\n");
}


static inline int
tap_name(int good, const char *directive, const char *fmt, va_list args)
{
    char    name[512], *p;

    vsnprintf(name, sizeof(name), fmt, args);

    /* "#" would begin a directive, a line feed the next line */

    for (p = name; *p; p++) {
        if (*p == '#' || (unsigned char) *p < 0x20) {
            *p = '?';
        }
    }

    printf("%sok %d - %s%s\n", good ? "" : "not ", ++tap_run, name, directive);

    if (!good) {
        tap_failed++;
    }

    return good;
}


static inline __attribute__((format(printf, 2, 3))) int
tap_result(int good, const char *fmt, ...)
{
    va_list  args;

    va_start(args, fmt);
    tap_name(good, "", fmt, args);
    va_end(args);

    return good;
}


/* One skipped test: what is absent and therefore was not tested. */
static inline __attribute__((format(printf, 1, 2))) void
skip(const char *fmt, ...)
{
    va_list  args;

    va_start(args, fmt);
    tap_name(1, " # SKIP", fmt, args);
    va_end(args);
}


static inline void
tap_show(const char *label, sync_str_t s)
{
    size_t  i;

    printf("# %9s: \"", label);

    for (i = 0; i < s.len && i < 400; i++) {
        if (s.data[i] < 0x20 || s.data[i] > 0x7e) {
            printf("\\x%02x", s.data[i]);

        } else {
            putchar(s.data[i]);
        }
    }

    printf("\"%s\n", i < s.len ? "..." : "");
}


#define ok(cond, ...)                                                         \
    tap_ok((cond) ? 1 : 0, __FILE__, __LINE__, __VA_ARGS__)

#define tap_ok(good, file, line, ...)                                         \
    (tap_result((good), __VA_ARGS__)                                          \
     || (printf("#   at %s line %d\n", (file), (line)), 0))

#define is_str(got, want, ...)                                                \
    tap_is_str((got), (want), __FILE__, __LINE__, __VA_ARGS__)

#define is_int(got, want, ...)                                                \
    tap_is_int((long long) (got), (long long) (want), __FILE__, __LINE__,     \
               __VA_ARGS__)


static inline __attribute__((format(printf, 5, 6))) int
tap_is_str(sync_str_t got, const char *want, const char *file, int line,
    const char *fmt, ...)
{
    int      good;
    va_list  args;

    good = got.data != NULL && sync_str_is(got, want);

    va_start(args, fmt);
    tap_name(good, "", fmt, args);
    va_end(args);

    if (!good) {
        printf("#   at %s line %d\n", file, line);
        tap_show("got", got);
        tap_show("expected", (sync_str_t) { strlen(want),
                                            (unsigned char *) want });
    }

    return good;
}


static inline __attribute__((format(printf, 5, 6))) int
tap_is_int(long long got, long long want, const char *file, int line,
    const char *fmt, ...)
{
    va_list  args;

    va_start(args, fmt);
    tap_name(got == want, "", fmt, args);
    va_end(args);

    if (got != want) {
        printf("#   at %s line %d\n", file, line);
        printf("#       got: %lld\n#  expected: %lld\n", got, want);
    }

    return got == want;
}


/*
 * Where a conformance suite lies: below $SYNC_SUITES or ../shared/data.  A
 * path that is too long is empty, and so the suite is absent.
 */

static inline void
suite_path(char *path, size_t size, const char *name)
{
    const char  *dir;

    dir = getenv("SYNC_SUITES");

    if (snprintf(path, size, "%s/%s", dir ? dir : "../shared/data", name)
        >= (int) size)
    {
        path[0] = '\0';
    }
}


/* A file of a suite, in the arena.  data NULL: absent, and the test skips. */

static inline sync_str_t
suite_file(sync_arena_t *arena, const char *name)
{
    FILE       *f;
    long        size;
    char        path[4096];
    sync_str_t  s;

    suite_path(path, sizeof(path), name);

    f = fopen(path, "rb");
    if (f == NULL) {
        return sync_str_null;
    }

    s = sync_str_null;

    if (fseek(f, 0, SEEK_END) == 0 && (size = ftell(f)) >= 0) {
        rewind(f);

        s.data = sync_alloc(arena, (size_t) size + 1);

        if (s.data != NULL) {
            s.len = fread(s.data, 1, (size_t) size, f);
            s.data[s.len] = '\0';
        }
    }

    fclose(f);

    return s;
}


#endif /* SYNC_TAP_H_INCLUDED_ */
