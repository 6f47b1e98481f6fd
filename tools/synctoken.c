
/*
 * synctoken: makes keys and tokens to try the gateway with.
 *
 *     synctoken keygen ES256 KID private.pem jwks.json
 *     synctoken mint private.pem KID ES256 '{"iss":"...","exp":"+3600"}' [TYP]
 *
 * In the claims a string "+N" or "-N" under exp, nbf or iat is N seconds from
 * now.  The private key is written for its owner alone.
 */


#include "sync_jose_sign.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>


#define PEM_SIZE  65536


static int keygen(sync_arena_t *arena, char **argv);
static int mint(sync_arena_t *arena, char **argv);
static int claims(sync_arena_t *arena, sync_str_t text, sync_str_t *payload);
static int is_time(sync_str_t name, sync_str_t value);
static int save(const char *path, sync_str_t text, mode_t mode);
static int load(sync_arena_t *arena, const char *path, sync_str_t *text);
static int complain(const char *of, sync_rc_t rc, const sync_error_t *err);
static int usage(void);
static sync_str_t str(const char *s);


int
main(int argc, char **argv)
{
    int            rc;
    sync_arena_t  *arena;

    arena = sync_arena_create(16384);

    if (arena == NULL) {
        return complain("synctoken", SYNC_FAULT, NULL);
    }

    if (argc == 6 && strcmp(argv[1], "keygen") == 0) {
        rc = keygen(arena, argv);

    } else if ((argc == 6 || argc == 7) && strcmp(argv[1], "mint") == 0) {
        rc = mint(arena, argv);

    } else {
        rc = usage();
    }

    sync_arena_destroy(arena);

    return rc;
}


static int
keygen(sync_arena_t *arena, char **argv)
{
    sync_rc_t     rc;
    sync_str_t    pem, jwks;
    sync_error_t  err;

    rc = sync_jose_generate(sync_alg_find(str(argv[2])), str(argv[3]), arena,
                            &pem, &jwks, &err);

    if (rc != SYNC_OK) {
        return complain(argv[2], rc, &err);
    }

    if (save(argv[4], pem, 0600) != 0) {
        return 1;
    }

    return save(argv[5], jwks, 0644);
}


static int
mint(sync_arena_t *arena, char **argv)
{
    sync_rc_t     rc;
    sync_str_t    pem, payload, token;
    sync_error_t  err;

    if (load(arena, argv[2], &pem) != 0
        || claims(arena, str(argv[5]), &payload) != 0)
    {
        return 1;
    }

    rc = sync_jose_sign(pem, sync_alg_find(str(argv[4])), str(argv[3]),
                        str(argv[6] ? argv[6] : "at+jwt"), payload, arena,
                        &token, &err);

    if (rc != SYNC_OK) {
        return complain(argv[2], rc, &err);
    }

    printf("%.*s\n", (int) token.len, (char *) token.data);

    return 0;
}


/* The claims as given, with the relative times made absolute. */

static int
claims(sync_arena_t *arena, sync_str_t text, sync_str_t *payload)
{
    sync_rc_t          rc;
    sync_str_t         s;
    sync_value_t      *value;
    sync_error_t       err;
    sync_json_out_t    out;
    sync_value_iter_t  it = { 0 };

    rc = sync_value_parse(&value, arena, text, 0, &err);

    if (rc != SYNC_OK) {
        return complain("claims", rc, &err);
    }

    if (sync_value_type(value) != SYNC_VALUE_OBJECT) {
        sync_value_free(value);
        sync_refuse(&err, "syntax", 0, "claims are a JSON object");
        return complain("claims", SYNC_NO, &err);
    }

    sync_json_begin(&out, arena, 512, 0);
    sync_json_open(&out, '{');

    while (sync_value_next(value, &it)) {
        sync_json_key(&out, it.name);
        s = sync_value_str(it.value);

        if (is_time(it.name, s)) {
            sync_json_integer(&out, (int64_t) time(NULL)
                              + strtoll((char *) s.data, NULL, 10));

        } else {
            sync_value_write(&out, it.value);
        }
    }

    sync_json_close(&out, '}');
    sync_value_free(value);

    rc = sync_json_end(&out, payload);

    return rc == SYNC_OK ? 0 : complain("claims", SYNC_FAULT, NULL);
}


static int
is_time(sync_str_t name, sync_str_t value)
{
    return value.len > 1 && (value.data[0] == '+' || value.data[0] == '-')
           && (sync_str_is(name, "exp") || sync_str_is(name, "nbf")
               || sync_str_is(name, "iat"));
}


static int
save(const char *path, sync_str_t text, mode_t mode)
{
    int    fd;
    FILE  *f;

    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, mode);
    f = fd == -1 ? NULL : fdopen(fd, "w");

    if (f == NULL) {
        perror(path);
        return 1;
    }

    /* the mode of open() holds for new files alone */

    if (fchmod(fd, mode) != 0
        || fwrite(text.data, 1, text.len, f) != text.len
        || (text.data[text.len - 1] != '\n' && fputc('\n', f) == EOF))
    {
        perror(path);
        fclose(f);
        return 1;
    }

    if (fclose(f) != 0) {
        perror(path);
        return 1;
    }

    return 0;
}


static int
load(sync_arena_t *arena, const char *path, sync_str_t *text)
{
    FILE  *f;

    f = fopen(path, "r");

    if (f == NULL) {
        perror(path);
        return 1;
    }

    text->data = sync_alloc(arena, PEM_SIZE);
    text->len = text->data ? fread(text->data, 1, PEM_SIZE, f) : 0;
    fclose(f);

    return text->data ? 0 : complain(path, SYNC_FAULT, NULL);
}


static int
complain(const char *of, sync_rc_t rc, const sync_error_t *err)
{
    fprintf(stderr, "synctoken: %s: %s\n", of,
            rc == SYNC_NO ? err->text : "out of memory");

    return 1;
}


static int
usage(void)
{
    fputs("usage: synctoken keygen ALG KID private.pem jwks.json\n"
          "       synctoken mint private.pem KID ALG CLAIMS [TYP]\n"
          "ALG is RS256..512, PS256..512, ES256..512 or EdDSA; TYP is at+jwt "
          "where none is given\n", stderr);

    return 2;
}


static sync_str_t
str(const char *s)
{
    return (sync_str_t) { strlen(s), (unsigned char *) (uintptr_t) s };
}
