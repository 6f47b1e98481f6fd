
/* What a reader has made of a text, its writer writes as it was. */


#ifndef FUZZ_FORMAT_H_INCLUDED_
#define FUZZ_FORMAT_H_INCLUDED_


#include "fuzz.h"
#include "sync_format.h"


typedef sync_rc_t (*fuzz_read_pt)(sync_arena_t *arena, sync_str_t text,
    const sync_format_limits_t *limits, sync_str_t *json, sync_error_t *err);
typedef sync_rc_t (*fuzz_write_pt)(const sync_json_t *json, uint32_t n,
    sync_arena_t *arena, size_t max, sync_str_t *text, sync_error_t *err);


static inline void
fuzz_format(sync_arena_t *arena, sync_str_t text, fuzz_read_pt read,
    fuzz_write_pt write)
{
    uint64_t              work;
    sync_rc_t             rc;
    sync_str_t            json, written, again;
    sync_json_t           tape;
    sync_error_t          err;
    sync_format_limits_t  limits;

    work = FUZZ_WORK;

    memset(&limits, 0, sizeof(limits));
    limits.work = &work;

    rc = read(arena, text, &limits, &json, &err);
    fuzz_check(rc != SYNC_FAULT);

    if (rc == SYNC_NO) {
        fuzz_check(err.offset == SYNC_NOWHERE || err.offset <= text.len);
        return;
    }

    fuzz_check(sync_json_parse(&tape, arena, json, NULL, &err) == SYNC_OK);

    if (sync_json_first(&tape, 0) == SYNC_JSON_NONE) {

        /* a header row alone: no row is left that could name its fields */

        return;
    }

    rc = write(&tape, 0, arena, 0, &written, &err);
    fuzz_check(rc == SYNC_OK);

    limits.work = NULL;

    fuzz_check(read(arena, written, &limits, &again, &err) == SYNC_OK);
    fuzz_check(sync_str_eq(json, again));
}


#endif /* FUZZ_FORMAT_H_INCLUDED_ */
