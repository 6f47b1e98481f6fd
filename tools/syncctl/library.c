
/*
 * Files below a library folder, and what is made of them: maps with those
 * that they extend.
 */


#include "syncctl.h"

#include <sys/stat.h>


static sync_rc_t syncctl_map_base(sync_map_loader_t *loader, sync_str_t name,
    sync_arena_t *arena, sync_str_t *text, sync_error_t *err);


int
syncctl_library_path(const syncctl_library_t *library, sync_str_t name,
    char path[SYNCCTL_PATH])
{
    int          n;
    struct stat  st;

    n = snprintf(path, SYNCCTL_PATH, "%s/%.*s", library->dir, (int) name.len,
                 (char *) name.data);

    return n < SYNCCTL_PATH && stat(path, &st) == 0 && S_ISREG(st.st_mode);
}


int
syncctl_compile_map(sync_arena_t *arena, const char *name, sync_str_t text,
    syncctl_library_t *library, FILE *out, sync_map_t **map)
{
    sync_rc_t          rc;
    sync_error_t       err;
    sync_map_loader_t  loader;

    loader.load = syncctl_map_base;
    loader.data = library;

    rc = sync_map_compile(map, arena, text, &loader, &err);

    if (rc == SYNC_FAULT) {
        return syncctl_no_memory();
    }

    if (rc == SYNC_NO) {
        syncctl_tell(out, name, &err);
        return SYNCCTL_NO;
    }

    return SYNCCTL_YES;
}


int
syncctl_library_map(sync_arena_t *arena, syncctl_library_t *library,
    sync_str_t name, FILE *out, sync_map_t **map)
{
    char        path[SYNCCTL_PATH];
    sync_str_t  text;

    if (!syncctl_library_path(library, name, path)) {
        fprintf(out, "%s: there is no such file\n", path);
        return SYNCCTL_NO;
    }

    if (syncctl_read(arena, path, &text) != SYNCCTL_YES) {
        return SYNCCTL_WRONG;
    }

    /* told by the name that documents use */

    snprintf(path, sizeof(path), "%.*s", (int) name.len, (char *) name.data);

    return syncctl_compile_map(arena, path, text, library, out, map);
}


static sync_rc_t
syncctl_map_base(sync_map_loader_t *loader, sync_str_t name,
    sync_arena_t *arena, sync_str_t *text, sync_error_t *err)
{
    char  path[SYNCCTL_PATH];

    if (!sync_doc_path_ok(name)) {
        return sync_refuse(err, "extends", SYNC_NOWHERE,
                           "\"extends\" is a path below the library, without "
                           "\"..\"");
    }

    if (!syncctl_library_path(loader->data, name, path)) {
        return sync_refuse(err, "extends", SYNC_NOWHERE,
                           "there is no file \"%.*s\" in the library",
                           (int) name.len, (char *) name.data);
    }

    return syncctl_read(arena, path, text) == SYNCCTL_YES ? SYNC_OK
                                                          : SYNC_FAULT;
}


int
syncctl_run_map(sync_arena_t *arena, const sync_map_t *map,
    sync_map_section_e section, const sync_json_t *json, sync_map_run_t *run,
    const char *name, sync_str_t *out)
{
    sync_rc_t      rc;
    sync_faults_t  faults;

    sync_faults_init(&faults, arena);

    rc = sync_map_run(map, section, json, 0, run, arena, out, &faults);

    if (rc == SYNC_OK) {
        return SYNCCTL_YES;
    }

    if (rc == SYNC_FAULT) {
        return syncctl_no_memory();
    }

    syncctl_tell_faults(name, &faults);

    return SYNCCTL_NO;
}


void
syncctl_tell_faults(const char *name, const sync_faults_t *faults)
{
    uint32_t  i;

    for (i = 0; i < faults->count; i++) {
        fprintf(stderr, "%s: at \"%.*s\": %s (%s)\n", name,
                (int) faults->list[i].pointer.len,
                (char *) faults->list[i].pointer.data, faults->list[i].text,
                faults->list[i].what);
    }

    if (faults->more) {
        fprintf(stderr, "%s: and %u more\n", name, (unsigned) faults->more);
    }
}
