
/*
 * syncctl tenants: the verdict on a folder of tenant documents, as
 * "sync_tenants DIR strict" would give it, with all that they name.
 */


#include "syncctl.h"
#include "sync_jose.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>


static int syncctl_tenants_run(sync_arena_t *arena, int argc, char **argv);
static int syncctl_tenants_judge(sync_arena_t *arena,
    syncctl_tenants_t *tenants);
static int syncctl_tenants_owner(sync_arena_t *arena,
    syncctl_tenants_t *tenants, size_t i);
static int syncctl_tenants_certificates(sync_arena_t *arena,
    syncctl_tenant_t *t, syncctl_tenant_t *other);
static int syncctl_tenants_maps(sync_arena_t *arena,
    syncctl_tenants_t *tenants, syncctl_tenant_t *tenant);
static int syncctl_tenants_map(sync_arena_t *arena,
    syncctl_tenants_t *tenants, syncctl_tenant_t *tenant, sync_str_t path);
static int syncctl_tenants_schemas(sync_arena_t *arena,
    syncctl_tenants_t *tenants, syncctl_tenant_t *t);
static int syncctl_tenants_keys(sync_arena_t *arena,
    syncctl_tenants_t *tenants, syncctl_tenant_t *tenant);
static int syncctl_tenants_load(sync_arena_t *arena,
    syncctl_tenants_t *tenants, const char *file, FILE *out);
static int syncctl_tenants_by_name(const void *one, const void *two);
static sync_rc_t syncctl_tenants_has(void *data, sync_str_t path);
static sync_rc_t syncctl_tenants_template(void *data, sync_arena_t *arena,
    sync_str_t path, sync_str_t *text);


const syncctl_command_t  syncctl_tenants = {
    "tenants",
    "DIR",
    "Says of each document in DIR/tenants whether the gateway would take it, "
    "with the maps, schemas, templates and key sets below DIR/library.",
    syncctl_tenants_run
};


static int
syncctl_tenants_run(sync_arena_t *arena, int argc, char **argv)
{
    int                rc;
    syncctl_tenants_t  tenants;

    if (argc == 1 && argv[0][0] == '-') {
        return syncctl_misused("unknown option \"%s\"", argv[0]);
    }

    if (argc != 1) {
        return syncctl_misused("a folder is asked for");
    }

    rc = syncctl_tenants_read(arena, argv[0], &tenants, stdout);

    if (rc == SYNCCTL_WRONG) {
        return rc;
    }

    return syncctl_tenants_judge(arena, &tenants);
}


/* One line for each, in the order of their names. */

static int
syncctl_tenants_judge(sync_arena_t *arena, syncctl_tenants_t *tenants)
{
    int                rc, verdict;
    size_t             i;
    syncctl_tenant_t  *t;

    verdict = SYNCCTL_YES;

    for (i = 0; i < tenants->n; i++) {
        t = &tenants->list[i];
        rc = t->doc == NULL ? SYNCCTL_NO : SYNCCTL_YES;

        if (rc == SYNCCTL_YES) {
            rc = syncctl_tenants_owner(arena, tenants, i);
        }

        if (rc == SYNCCTL_YES) {
            rc = syncctl_tenants_maps(arena, tenants, t);
        }

        if (rc == SYNCCTL_YES) {
            rc = syncctl_tenants_schemas(arena, tenants, t);
        }

        if (rc == SYNCCTL_YES) {
            rc = syncctl_tenants_keys(arena, tenants, t);
        }

        if (rc == SYNCCTL_WRONG) {
            return rc;
        }

        if (rc == SYNCCTL_NO) {
            verdict = rc;
            continue;
        }

        printf("%s: valid, id \"%.*s\", clients %u, connectors %u, routes %u\n",
               t->file, (int) sync_doc_id(t->doc).len,
               (char *) sync_doc_id(t->doc).data,
               (unsigned) sync_doc_clients(t->doc),
               (unsigned) sync_doc_connectors(t->doc),
               (unsigned) sync_doc_routes(t->doc));
    }

    if (tenants->n == 0) {
        fprintf(stderr, "syncctl: %s/tenants: there is no document\n",
                tenants->dir);
        return SYNCCTL_WRONG;
    }

    return verdict;
}


/*
 * A host, an account, a certificate that a tenant is found by and an id have
 * one owner, by the order of the files.
 */

static int
syncctl_tenants_owner(sync_arena_t *arena, syncctl_tenants_t *tenants,
    size_t i)
{
    size_t             k;
    uint32_t           h, a;
    sync_str_t         host, account;
    sync_doc_list_t    hosts;
    syncctl_tenant_t  *t, *other;

    t = &tenants->list[i];
    hosts = sync_doc_hosts(t->doc);

    for (k = 0; k < i; k++) {
        other = &tenants->list[k];

        if (other->doc == NULL) {
            continue;
        }

        if (sync_str_eq(sync_doc_id(other->doc), sync_doc_id(t->doc))) {
            printf("%s: invalid: at /id: it is the id of %s\n", t->file,
                   other->file);
            return SYNCCTL_NO;
        }

        for (h = 0; h < hosts.n; h++) {
            host = sync_doc_item(t->doc, hosts, h);

            if (sync_doc_has(other->doc, sync_doc_hosts(other->doc), host)) {
                printf("%s: invalid: at /match/hosts/%u: the host \"%.*s\" is "
                       "of %s\n", t->file, (unsigned) h, (int) host.len,
                       (char *) host.data, other->file);
                return SYNCCTL_NO;
            }
        }

        for (h = 0; h < sync_doc_accounts(t->doc); h++) {
            account = sync_doc_account_at(t->doc, h);

            for (a = 0; a < sync_doc_accounts(other->doc); a++) {

                if (sync_str_eq(sync_doc_account_at(other->doc, a), account)) {
                    printf("%s: invalid: at /match/accounts: the account "
                           "\"%.*s\" is of %s\n", t->file,
                           (int) account.len, (char *) account.data,
                           other->file);
                    return SYNCCTL_NO;
                }
            }
        }

        if (syncctl_tenants_certificates(arena, t, other) != SYNCCTL_YES) {
            return SYNCCTL_NO;
        }
    }

    return SYNCCTL_YES;
}


static int
syncctl_tenants_certificates(sync_arena_t *arena, syncctl_tenant_t *t,
    syncctl_tenant_t *other)
{
    uint32_t                i;
    sync_str_t              pointer;
    sync_doc_client_t       client;
    sync_doc_certificate_t  c;

    if (!sync_doc_match_certificates(t->doc)
        || !sync_doc_match_certificates(other->doc))
    {
        return SYNCCTL_YES;
    }

    for (i = 0; sync_doc_certificate_at(t->doc, i, &c) == SYNC_OK; i++) {

        if (sync_doc_certificate(other->doc, c.name) != SYNC_DOC_NONE
            && sync_doc_client_at(t->doc, c.client, &client) == SYNC_OK)
        {
            pointer = sync_pointer_member(arena, sync_str_lit("/clients"),
                                          client.id);

            printf("%s: invalid: at %.*s/certificates/%u: the certificate "
                   "\"%.*s\" is of %s\n", t->file, (int) pointer.len,
                   (char *) pointer.data, (unsigned) c.item,
                   (int) c.name.len, (char *) c.name.data, other->file);
            return SYNCCTL_NO;
        }
    }

    return SYNCCTL_YES;
}


static int
syncctl_tenants_maps(sync_arena_t *arena, syncctl_tenants_t *tenants,
    syncctl_tenant_t *t)
{
    int                rc;
    unsigned           operations;
    uint32_t           i, e;
    sync_str_t         path;
    sync_doc_source_t  source;

    for (i = 0; i < sync_doc_sources(t->doc); i++) {
        if (sync_doc_source_at(t->doc, i, &source) != SYNC_OK) {
            continue;
        }

        for (e = 0; e < SYNC_ENTITIES; e++) {
            rc = syncctl_tenants_map(arena, tenants, t, source.maps[e]);

            if (rc != SYNCCTL_YES) {
                return rc;
            }
        }
    }

    for (i = 0; i < sync_doc_connectors(t->doc); i++) {
        for (e = 0; e < SYNC_ENTITIES; e++) {
            if (sync_doc_connector_entity(t->doc, i, (sync_entity_e) e, &path,
                                          &operations)
                != SYNC_OK)
            {
                continue;
            }

            rc = syncctl_tenants_map(arena, tenants, t, path);

            if (rc != SYNCCTL_YES) {
                return rc;
            }
        }
    }

    return SYNCCTL_YES;
}


static int
syncctl_tenants_map(sync_arena_t *arena, syncctl_tenants_t *tenants,
    syncctl_tenant_t *t, sync_str_t path)
{
    int           rc;
    sync_map_t   *map;

    if (path.len == 0) {
        return SYNCCTL_YES;
    }

    rc = syncctl_library_map(arena, &tenants->library, path, stdout, &map);

    if (rc == SYNCCTL_NO) {
        printf("%s: invalid: it needs the map \"%.*s\"\n", t->file,
               (int) path.len, (char *) path.data);
    }

    return rc;
}


/* Those of sources, and the canonical one of each entity. */

static int
syncctl_tenants_schemas(sync_arena_t *arena, syncctl_tenants_t *tenants,
    syncctl_tenant_t *t)
{
    int                rc;
    uint32_t           i, e;
    sync_str_t         path;
    sync_schema_t     *schema;
    sync_doc_source_t  source;

    for (e = 0; e < SYNC_ENTITIES; e++) {

        rc = syncctl_canonical_schema(arena, &tenants->library, t->doc,
                                      (sync_entity_e) e, stdout, &schema);

        for (i = 0; rc == SYNCCTL_YES && i < sync_doc_sources(t->doc); i++) {

            if (sync_doc_source_at(t->doc, i, &source) != SYNC_OK) {
                continue;
            }

            path = source.schemas[e];

            if (path.len) {
                rc = syncctl_library_schema(arena, &tenants->library, path,
                                            stdout, &schema);
            }
        }

        if (rc == SYNCCTL_NO) {
            path = sync_entity_name((sync_entity_e) e);
            printf("%s: invalid: it needs that schema for \"%.*s\"\n",
                   t->file, (int) path.len, (char *) path.data);
        }

        if (rc != SYNCCTL_YES) {
            return rc;
        }
    }

    return SYNCCTL_YES;
}


static int
syncctl_tenants_keys(sync_arena_t *arena, syncctl_tenants_t *tenants,
    syncctl_tenant_t *t)
{
    char               path[SYNCCTL_PATH];
    uint32_t           i;
    unsigned           flags;
    sync_rc_t          rc;
    sync_str_t         text;
    sync_jwks_t       *set;
    sync_error_t       err;
    sync_doc_issuer_t  issuer;

    for (i = 0; i < sync_doc_issuers(t->doc); i++) {
        if (sync_doc_issuer_at(t->doc, i, &issuer) != SYNC_OK) {
            continue;
        }

        text = issuer.jwks;
        flags = 0;

        if (issuer.kind == SYNC_JWKS_LIBRARY) {
            if (!syncctl_library_path(&tenants->library, issuer.jwks, path)) {
                printf("%s: invalid: at /issuers/%u/jwks: there is no file "
                       "\"%.*s\" in the library\n", t->file, (unsigned) i,
                       (int) issuer.jwks.len, (char *) issuer.jwks.data);
                return SYNCCTL_NO;
            }

            if (syncctl_read(arena, path, &text) != SYNCCTL_YES) {
                return SYNCCTL_WRONG;
            }

            flags = SYNC_JWKS_OCT;

        } else if (issuer.kind != SYNC_JWKS_INLINE) {

            /* elsewhere, and nothing is asked here */

            continue;
        }

        rc = sync_jwks_parse(&set, arena, text, flags, &err);

        if (rc == SYNC_FAULT) {
            return syncctl_no_memory();
        }

        if (rc == SYNC_NO) {
            printf("%s: invalid: at /issuers/%u/jwks: %s\n", t->file,
                   (unsigned) i, err.text);
            return SYNCCTL_NO;
        }

        sync_jwks_free(set);
    }

    return SYNCCTL_YES;
}


int
syncctl_tenants_read(sync_arena_t *arena, const char *dir,
    syncctl_tenants_t *tenants, FILE *out)
{
    int             rc, verdict;
    DIR            *d;
    char            path[SYNCCTL_PATH];
    size_t          i, len, n, room;
    const char    **files, **more;
    sync_str_t      name;
    struct dirent  *entry;

    memset(tenants, 0, sizeof(syncctl_tenants_t));
    tenants->dir = dir;

    if (snprintf(path, sizeof(path), "%s/library", dir) >= SYNCCTL_PATH) {
        fprintf(stderr, "syncctl: %s: the path is too long\n", dir);
        return SYNCCTL_WRONG;
    }

    name = sync_strdup(arena, syncctl_str(path));
    tenants->library.dir = (char *) name.data;

    snprintf(path, sizeof(path), "%s/tenants", dir);
    d = opendir(path);

    if (d == NULL) {
        fprintf(stderr, "syncctl: %s: %s\n", path, strerror(errno));
        return SYNCCTL_WRONG;
    }

    files = NULL;
    n = 0;
    room = 0;
    rc = SYNCCTL_YES;

    while (rc == SYNCCTL_YES && (entry = readdir(d)) != NULL) {
        len = strlen(entry->d_name);

        if (entry->d_name[0] == '.' || len < 6
            || strcmp(entry->d_name + len - 5, ".json") != 0)
        {
            continue;
        }

        if (n == room) {
            room = room ? room * 2 : 16;
            more = realloc(files, room * sizeof(char *));

            if (more == NULL) {
                rc = syncctl_no_memory();
                break;
            }

            files = more;
        }

        name = sync_strdup(arena, syncctl_str(entry->d_name));
        files[n++] = (char *) name.data;

        if (name.data == NULL) {
            rc = syncctl_no_memory();
        }
    }

    closedir(d);

    if (rc == SYNCCTL_YES && n) {
        qsort(files, n, sizeof(char *), syncctl_tenants_by_name);

        tenants->list = sync_calloc(arena, n * sizeof(syncctl_tenant_t));
        rc = tenants->list == NULL ? syncctl_no_memory() : SYNCCTL_YES;
    }

    verdict = SYNCCTL_YES;

    for (i = 0; rc != SYNCCTL_WRONG && i < n; i++) {
        rc = syncctl_tenants_load(arena, tenants, files[i], out);
        verdict = rc == SYNCCTL_NO ? rc : verdict;
    }

    free(files);

    return rc == SYNCCTL_WRONG ? rc : verdict;
}


static int
syncctl_tenants_by_name(const void *one, const void *two)
{
    return strcmp(*(const char *const *) one, *(const char *const *) two);
}


static int
syncctl_tenants_load(sync_arena_t *arena, syncctl_tenants_t *tenants,
    const char *file, FILE *out)
{
    char                path[SYNCCTL_PATH];
    sync_rc_t           rc;
    sync_str_t          text, name, block;
    sync_error_t        err;
    syncctl_tenant_t   *t;
    sync_doc_options_t  options;

    if (snprintf(path, sizeof(path), "%s/tenants/%s", tenants->dir, file)
        >= SYNCCTL_PATH)
    {
        fprintf(stderr, "syncctl: %s: the path is too long\n", file);
        return SYNCCTL_WRONG;
    }

    if (syncctl_read(arena, path, &text) != SYNCCTL_YES) {
        return SYNCCTL_WRONG;
    }

    t = &tenants->list[tenants->n++];
    t->file = file;

    memset(&options, 0, sizeof(options));
    options.library = syncctl_tenants_has;
    options.load = syncctl_tenants_template;
    options.data = &tenants->library;

    name = syncctl_str(file);
    name.len -= 5;

    rc = sync_doc_load(arena, name, text, &options, &block, &err);

    if (rc == SYNC_FAULT) {
        return syncctl_no_memory();
    }

    if (rc == SYNC_NO) {
        fprintf(out, "%s: ", file);
        syncctl_tell(out, "invalid", &err);
        return SYNCCTL_NO;
    }

    t->doc = sync_doc_open(block);

    return SYNCCTL_YES;
}


static sync_rc_t
syncctl_tenants_has(void *data, sync_str_t path)
{
    char  ignored[SYNCCTL_PATH];

    return syncctl_library_path(data, path, ignored) ? SYNC_OK : SYNC_NO;
}


static sync_rc_t
syncctl_tenants_template(void *data, sync_arena_t *arena, sync_str_t path,
    sync_str_t *text)
{
    char  name[SYNCCTL_PATH];

    if (!syncctl_library_path(data, path, name)) {
        return SYNC_NO;
    }

    return syncctl_read(arena, name, text) == SYNCCTL_YES ? SYNC_OK
                                                          : SYNC_FAULT;
}
