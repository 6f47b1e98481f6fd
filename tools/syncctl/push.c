
/*
 * syncctl push: the tenant documents of a fleet, signed, as the commands that
 * put them into Redis.  What has not changed since the last time is not
 * signed again.
 */


#include "syncctl.h"
#include "sync_crypto.h"
#include "sync_jose_sign.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>


#define SYNCCTL_HEX  (2 * SYNC_SHA256_LEN)


typedef struct {
    sync_arena_t  *arena;
    const char    *dir;
    const char    *fleet;
    const char    *state;                /* NULL: everything is new */
    sync_str_t     pem;
    sync_str_t     kid;
    sync_alg_e     alg;
    sync_str_t     known;                /* text of the state, or empty */
    sync_str_t     rest;                 /* of it: a folder and its state are
                                            in the same order, so that what is
                                            looked for mostly comes next */
    uint64_t       serial;               /* of the last that was signed */
    FILE          *next;
    size_t         changed;
    size_t         gone;
} syncctl_push_t;


static int syncctl_push_run(sync_arena_t *arena, int argc, char **argv);
static int syncctl_push_options(syncctl_push_t *push, int argc, char **argv);
static int syncctl_push_state(syncctl_push_t *push);
static int syncctl_push_one(syncctl_push_t *push, const char *file);
static int syncctl_push_gone(syncctl_push_t *push,
    const syncctl_tenants_t *tenants);
static int syncctl_push_sign(syncctl_push_t *push, sync_str_t name,
    const char *digest, sync_str_t text);
static int syncctl_push_find(syncctl_push_t *push, sync_str_t name,
    sync_str_t *digest);
static int syncctl_push_line(sync_str_t *text, sync_str_t *name,
    sync_str_t *digest);
static void syncctl_push_bulk(const void *data, size_t len);


const syncctl_command_t  syncctl_push = {
    "push",
    "DIR --key PEM --kid KID [--alg ALG] [--fleet NAME] [--state FILE]",
    "Signs the documents of DIR/tenants that have changed, for sync_fleet, and "
    "writes the commands for \"redis-cli --pipe\".",
    syncctl_push_run
};


static int
syncctl_push_run(sync_arena_t *arena, int argc, char **argv)
{
    int                rc;
    char               path[SYNCCTL_PATH];
    size_t             i;
    syncctl_push_t     push;
    syncctl_tenants_t  tenants;

    memset(&push, 0, sizeof(push));
    push.arena = arena;

    rc = syncctl_push_options(&push, argc, argv);
    if (rc != SYNCCTL_YES) {
        return rc;
    }

    /* what a gateway would refuse is not sent to any */

    rc = syncctl_tenants_read(arena, push.dir, &tenants, stderr);

    if (rc == SYNCCTL_YES) {
        rc = syncctl_push_state(&push);
    }

    if (rc != SYNCCTL_YES) {
        return rc;
    }

    if (push.state != NULL) {
        snprintf(path, sizeof(path), "%s.new", push.state);
        push.next = fopen(path, "wb");

        if (push.next == NULL) {
            fprintf(stderr, "syncctl: %s: %s\n", path, strerror(errno));
            return SYNCCTL_WRONG;
        }
    }

    for (i = 0; i < tenants.n && rc == SYNCCTL_YES; i++) {
        rc = syncctl_push_one(&push, tenants.list[i].file);
    }

    if (rc == SYNCCTL_YES) {
        rc = syncctl_push_gone(&push, &tenants);
    }

    if (push.next != NULL) {
        fprintf(push.next, "- %llu\n", (unsigned long long) push.serial);

        if (fclose(push.next) != 0) {
            fprintf(stderr, "syncctl: %s: %s\n", path, strerror(errno));
            return SYNCCTL_WRONG;
        }
    }

    fprintf(stderr, "%zu signed, %zu gone, %zu as they were\n", push.changed,
            push.gone, tenants.n - push.changed);

    return rc;
}


static int
syncctl_push_options(syncctl_push_t *push, int argc, char **argv)
{
    int          i;
    const char  *key, *kid, *alg, **value;

    key = kid = NULL;
    alg = "EdDSA";
    push->fleet = "default";

    for (i = 0; i < argc; i++) {

        if (strncmp(argv[i], "--", 2) != 0) {
            if (push->dir != NULL) {
                return syncctl_misused("one folder at a time");
            }

            push->dir = argv[i];
            continue;
        }

        value = strcmp(argv[i], "--key") == 0 ? &key
                : strcmp(argv[i], "--kid") == 0 ? &kid
                : strcmp(argv[i], "--alg") == 0 ? &alg
                : strcmp(argv[i], "--fleet") == 0 ? &push->fleet
                : strcmp(argv[i], "--state") == 0 ? &push->state : NULL;

        if (value == NULL || i + 1 == argc) {
            return syncctl_misused("\"%s\" is unknown, or needs a value",
                                   argv[i]);
        }

        *value = argv[++i];
    }

    if (push->dir == NULL || key == NULL || kid == NULL) {
        return syncctl_misused("a folder, --key and --kid are needed");
    }

    push->kid = syncctl_str(kid);
    push->alg = sync_alg_find(syncctl_str(alg));

    if (push->alg == SYNC_ALG_NONE) {
        return syncctl_misused("unknown algorithm \"%s\"", alg);
    }

    return syncctl_read(push->arena, key, &push->pem);
}


static int
syncctl_push_state(syncctl_push_t *push)
{
    FILE            *f;
    uint64_t         now;
    sync_str_t       text, name, value;
    struct timespec  ts;

    (void) clock_gettime(CLOCK_REALTIME, &ts);
    now = (uint64_t) ts.tv_sec * 1000 + (uint64_t) ts.tv_nsec / 1000000;

    push->serial = now;

    if (push->state == NULL) {
        return SYNCCTL_YES;
    }

    f = fopen(push->state, "rb");

    if (f == NULL && errno == ENOENT) {
        return SYNCCTL_YES;
    }

    if (f != NULL) {
        fclose(f);
    }

    if (syncctl_read(push->arena, push->state, &push->known) != SYNCCTL_YES) {
        return SYNCCTL_WRONG;
    }

    /* serials rise, whatever the clock does */

    text = push->known;

    while (syncctl_push_line(&text, &name, &value)) {
        if (sync_str_is(name, "-")) {
            now = strtoull((char *) value.data, NULL, 10);

            if (push->serial < now) {
                push->serial = now;
            }
        }
    }

    return SYNCCTL_YES;
}


static int
syncctl_push_one(syncctl_push_t *push, const char *file)
{
    char           path[SYNCCTL_PATH], hex[SYNCCTL_HEX + 1];
    sync_str_t     text, name, was, digest;
    unsigned char  sha[SYNC_SHA256_LEN];

    snprintf(path, sizeof(path), "%s/tenants/%s", push->dir, file);

    if (syncctl_read(push->arena, path, &text) != SYNCCTL_YES) {
        return SYNCCTL_WRONG;
    }

    sync_sha256(text.data, text.len, sha);
    (void) sync_hex_encode((unsigned char *) hex, sha, sizeof(sha));
    hex[SYNCCTL_HEX] = '\0';

    digest = syncctl_str(hex);
    name = syncctl_str(file);
    name.len -= sizeof(".json") - 1;

    if (push->next != NULL) {
        fprintf(push->next, "%.*s %s\n", (int) name.len, name.data, hex);
    }

    if (syncctl_push_find(push, name, &was) && sync_str_eq(was, digest)) {
        return SYNCCTL_YES;
    }

    push->changed++;

    return syncctl_push_sign(push, name, hex, text);
}


/* Those that the state has, and the folder has not. */

static int
syncctl_push_gone(syncctl_push_t *push, const syncctl_tenants_t *tenants)
{
    int         rc;
    size_t      i, k;
    sync_str_t  known, name, file, digest;

    known = push->known;
    k = 0;

    while (syncctl_push_line(&known, &name, &digest)) {

        if (sync_str_is(name, "-")) {
            continue;
        }

        for (i = 0; i < tenants->n; i++, k++) {
            file = syncctl_str(tenants->list[k % tenants->n].file);
            file.len -= sizeof(".json") - 1;

            if (sync_str_eq(file, name)) {
                break;
            }
        }

        if (i < tenants->n) {
            continue;
        }

        push->gone++;

        rc = syncctl_push_sign(push, name, "-", sync_str_null);
        if (rc != SYNCCTL_YES) {
            return rc;
        }
    }

    return SYNCCTL_YES;
}


static int
syncctl_push_sign(syncctl_push_t *push, sync_str_t name, const char *digest,
    sync_str_t text)
{
    int            n;
    char           log[256], docs[256], serial[32];
    char           payload[SYNCCTL_HEX + 256];
    sync_str_t     token, both;
    sync_error_t   err;

    push->serial++;

    snprintf(serial, sizeof(serial), "%llu",
             (unsigned long long) push->serial);
    snprintf(log, sizeof(log), "sync:{fleet:%s}log", push->fleet);
    snprintf(docs, sizeof(docs), "sync:{fleet:%s}docs", push->fleet);

    n = snprintf(payload, sizeof(payload), "%s %.*s %s", serial,
                 (int) name.len, name.data, digest);

    if (n >= (int) sizeof(payload)
        || sync_jose_sign(push->pem, push->alg, push->kid, sync_str_null,
                          syncctl_str(payload), push->arena, &token, &err)
           != SYNC_OK)
    {
        fprintf(stderr, "syncctl: --key: it cannot sign by %s\n",
                sync_alg_name(push->alg));
        return SYNCCTL_WRONG;
    }

    both.len = token.len + 1 + text.len;
    both.data = sync_alloc(push->arena, both.len);

    if (both.data == NULL) {
        return syncctl_no_memory();
    }

    memcpy(both.data, token.data, token.len);
    both.data[token.len] = '\n';

    if (text.len) {
        memcpy(both.data + token.len + 1, text.data, text.len);
    }

    /* the document first: who reads the log asks for it */

    fputs("*4\r\n", stdout);
    syncctl_push_bulk("HSET", 4);
    syncctl_push_bulk(docs, strlen(docs));
    syncctl_push_bulk(name.data, name.len);
    syncctl_push_bulk(both.data, both.len);

    fputs("*4\r\n", stdout);
    syncctl_push_bulk("ZADD", 4);
    syncctl_push_bulk(log, strlen(log));
    syncctl_push_bulk(serial, strlen(serial));
    syncctl_push_bulk(name.data, name.len);

    return SYNCCTL_YES;
}


/* What the state says of it; 0: nothing. */

static int
syncctl_push_find(syncctl_push_t *push, sync_str_t name, sync_str_t *digest)
{
    int         from;
    sync_str_t  rest, tenant;

    for (from = 0; from < 2; from++) {
        rest = from == 0 ? push->rest : push->known;

        while (syncctl_push_line(&rest, &tenant, digest)) {
            if (sync_str_eq(tenant, name)) {
                push->rest = rest;
                return 1;
            }
        }
    }

    return 0;
}


/* "NAME VALUE", a line of the state; 0: no more. */

static int
syncctl_push_line(sync_str_t *text, sync_str_t *name, sync_str_t *value)
{
    unsigned char  *end, *space;

    end = text->len ? memchr(text->data, '\n', text->len) : NULL;
    space = end ? memchr(text->data, ' ', (size_t) (end - text->data)) : NULL;

    if (space == NULL) {
        return 0;
    }

    name->data = text->data;
    name->len = (size_t) (space - text->data);
    value->data = space + 1;
    value->len = (size_t) (end - space - 1);

    text->len -= (size_t) (end + 1 - text->data);
    text->data = end + 1;

    return 1;
}


static void
syncctl_push_bulk(const void *data, size_t len)
{
    printf("$%zu\r\n", len);
    fwrite(data, 1, len, stdout);
    fputs("\r\n", stdout);
}
