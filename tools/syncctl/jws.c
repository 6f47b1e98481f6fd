
/*
 * syncctl jws: is it signed by this key?  Asked of the functions that the
 * module asks.
 */


#include "syncctl.h"
#include "sync_jose.h"


static int syncctl_jws_run(sync_arena_t *arena, int argc, char **argv);
static int syncctl_jws_keys(sync_arena_t *arena, const char *path,
    sync_jwks_t **set);
static int syncctl_jws_verify(sync_arena_t *arena, sync_jwks_t *set,
    const char *path);


const syncctl_command_t  syncctl_jws = {
    "jws",
    "JWK FILE",
    "Says whether the compact JWS in FILE is signed by a key of JWK, a key or "
    "a key set.",
    syncctl_jws_run
};


static int
syncctl_jws_run(sync_arena_t *arena, int argc, char **argv)
{
    int           rc;
    sync_jwks_t  *set;

    if (argc != 2) {
        return syncctl_misused("a key and a file are asked for");
    }

    rc = syncctl_jws_keys(arena, argv[0], &set);

    if (rc != SYNCCTL_YES) {
        return rc;
    }

    rc = syncctl_jws_verify(arena, set, argv[1]);

    sync_jwks_free(set);

    return rc;
}


/* A key alone becomes a set of one.  The file is local: oct keys are taken. */

static int
syncctl_jws_keys(sync_arena_t *arena, const char *path, sync_jwks_t **set)
{
    sync_rc_t        rc;
    sync_str_t       text;
    sync_json_t      json;
    sync_error_t     err;
    sync_json_out_t  out;

    if (syncctl_read_json(arena, path, &json) != SYNCCTL_YES) {
        return SYNCCTL_WRONG;
    }

    text = json.text;

    if (sync_json_member(&json, 0, sync_str_lit("keys")) == SYNC_JSON_NONE) {

        sync_json_begin(&out, arena, text.len + 16, 0);
        sync_json_open(&out, '{');
        sync_json_key(&out, sync_str_lit("keys"));
        sync_json_open(&out, '[');
        sync_json_copy(&out, &json, 0);
        sync_json_close(&out, ']');
        sync_json_close(&out, '}');

        if (sync_json_end(&out, &text) != SYNC_OK) {
            return syncctl_no_memory();
        }
    }

    rc = sync_jwks_parse(set, arena, text, SYNC_JWKS_OCT, &err);

    if (rc == SYNC_FAULT) {
        return syncctl_no_memory();
    }

    if (rc == SYNC_NO) {
        err.offset = SYNC_NOWHERE;
        syncctl_tell(stderr, path, &err);
        return SYNCCTL_WRONG;
    }

    return SYNCCTL_YES;
}


static int
syncctl_jws_verify(sync_arena_t *arena, sync_jwks_t *set, const char *path)
{
    sync_rc_t     rc;
    sync_str_t    token;
    sync_jws_t    jws;
    sync_error_t  err;

    if (syncctl_read(arena, path, &token) != SYNCCTL_YES) {
        return SYNCCTL_WRONG;
    }

    while (token.len && strchr(" \t\r\n", token.data[token.len - 1]) != NULL) {
        token.len--;
    }

    rc = sync_jws_parse(&jws, arena, token, &err);

    if (rc == SYNC_OK) {
        rc = sync_jws_verify(&jws, set, &err);
    }

    if (rc == SYNC_FAULT) {
        return syncctl_no_memory();
    }

    if (rc == SYNC_NO) {
        err.offset = SYNC_NOWHERE;
        err.pointer.len = 0;
        printf("%s: ", path);
        syncctl_tell(stdout, "invalid", &err);
        return SYNCCTL_NO;
    }

    printf("%s: valid, %s\n", path, sync_alg_name(jws.alg));

    return SYNCCTL_YES;
}
