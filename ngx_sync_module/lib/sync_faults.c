
/*
 * The list of faults of a payload.
 */


#include "sync_faults.h"


void
sync_faults_init(sync_faults_t *faults, sync_arena_t *arena)
{
    faults->arena = arena;
    faults->count = 0;
    faults->more = 0;
    faults->nomem = 0;
}


void
sync_faults_add(sync_faults_t *faults, const sync_json_t *json, uint32_t n,
    sync_str_t below, const char *what, const char *text)
{
    sync_str_t     base, whole;
    sync_fault_t  *fault;

    if (faults->count == SYNC_FAULTS_MAX) {
        faults->more++;
        return;
    }

    base = sync_json_pointer(json, n, faults->arena);
    if (base.data == NULL) {
        faults->nomem = 1;
        return;
    }

    if (below.len) {
        whole.len = base.len + below.len;
        whole.data = sync_alloc(faults->arena, whole.len);

        if (whole.data == NULL) {
            faults->nomem = 1;
            return;
        }

        memcpy(whole.data, base.data, base.len);
        memcpy(whole.data + base.len, below.data, below.len);
        base = whole;
    }

    fault = &faults->list[faults->count++];
    fault->pointer = base;
    fault->what = what;
    fault->text = text;
    fault->rule = sync_str_null;
    fault->way = sync_str_null;
}


sync_rc_t
sync_faults_result(const sync_faults_t *faults)
{
    if (faults->nomem) {
        return SYNC_FAULT;
    }

    return faults->count ? SYNC_NO : SYNC_OK;
}
