
/*
 * Schemas of a tenant, as the gateway finds them below the library.
 */


#include "syncctl.h"
#include "sync_schema.h"


static sync_rc_t syncctl_schemas_resolve(void *data, sync_str_t uri,
    sync_arena_t *arena, sync_str_t *text, sync_error_t *err);


int
syncctl_library_schema(sync_arena_t *arena, syncctl_library_t *library,
    sync_str_t name, FILE *out, sync_schema_t **schema)
{
    char                   path[SYNCCTL_PATH];
    sync_rc_t              rc;
    sync_str_t             text;
    sync_error_t           err;
    sync_schema_options_t  options;

    if (!syncctl_library_path(library, name, path)) {
        fprintf(out, "%s: there is no such file\n", path);
        return SYNCCTL_NO;
    }

    if (syncctl_read(arena, path, &text) != SYNCCTL_YES) {
        return SYNCCTL_WRONG;
    }

    memset(&options, 0, sizeof(sync_schema_options_t));

    options.formats = 1;
    options.base = name;
    options.resolve = syncctl_schemas_resolve;
    options.data = library;

    rc = sync_schema_compile(schema, arena, text, &options, &err);

    if (rc == SYNC_FAULT) {
        return syncctl_no_memory();
    }

    if (rc == SYNC_NO) {

        /* told by the name that documents use */

        snprintf(path, sizeof(path), "%.*s", (int) name.len,
                 (char *) name.data);
        syncctl_tell(out, path, &err);

        return SYNCCTL_NO;
    }

    return SYNCCTL_YES;
}


static sync_rc_t
syncctl_schemas_resolve(void *data, sync_str_t uri, sync_arena_t *arena,
    sync_str_t *text, sync_error_t *err)
{
    char        path[SYNCCTL_PATH];
    sync_rc_t   rc;
    sync_str_t  name;

    rc = sync_schema_file(uri, arena, &name);

    if (rc == SYNC_FAULT) {
        return rc;
    }

    if (rc == SYNC_NO || !sync_str_starts(name, "schemas/")
        || !sync_doc_path_ok(name))
    {
        return sync_refuse(err, "reference", SYNC_NOWHERE, "its path is not "
                           "below \"schemas/\" of the library");
    }

    if (!syncctl_library_path(data, name, path)) {
        return SYNC_NO;
    }

    return syncctl_read(arena, path, text) == SYNCCTL_YES ? SYNC_OK
                                                          : SYNC_FAULT;
}


int
syncctl_canonical_schema(sync_arena_t *arena, syncctl_library_t *library,
    const sync_doc_t *doc, sync_entity_e entity, FILE *out,
    sync_schema_t **schema)
{
    char        name[64], path[SYNCCTL_PATH];
    uint32_t    version;
    sync_str_t  word;

    version = sync_doc_schema_version(doc, entity);
    word = sync_entity_name(entity);
    *schema = NULL;

    snprintf(name, sizeof(name), "schemas/%.*s/%u.json", (int) word.len,
             (char *) word.data, version ? (unsigned) version : 1);

    if (version == 0
        && !syncctl_library_path(library, syncctl_str(name), path))
    {
        return SYNCCTL_YES;
    }

    return syncctl_library_schema(arena, library, syncctl_str(name), out,
                                  schema);
}


int
syncctl_judge(sync_arena_t *arena, const sync_schema_t *schema,
    const sync_json_t *json, int update, const char *name)
{
    uint64_t       work;
    sync_rc_t      rc;
    sync_error_t   err;
    sync_faults_t  faults;

    work = UINT64_MAX;
    sync_faults_init(&faults, arena);

    rc = update ? sync_schema_validate_update(schema, json, 0, arena, &work,
                                              &faults, &err)
                : sync_schema_validate(schema, json, 0, arena, &work, &faults,
                                       &err);

    if (rc == SYNC_OK) {
        return SYNCCTL_YES;
    }

    if (rc == SYNC_FAULT) {
        return syncctl_no_memory();
    }

    if (strcmp(err.what, "invalid") != 0) {
        syncctl_tell(stderr, name, &err);

    } else {
        syncctl_tell_faults(name, &faults);
    }

    return SYNCCTL_NO;
}
