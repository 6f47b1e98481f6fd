
/*
 * Texts of the tests of formats.  Included once, as tap.h is.
 */


#ifndef SYNC_UNIT_TEXT_H_INCLUDED_
#define SYNC_UNIT_TEXT_H_INCLUDED_


#include "sync_json.h"
#include "tap.h"


static inline sync_str_t
plain(const char *s)
{
    return (sync_str_t) { strlen(s), (unsigned char *) (uintptr_t) s };
}


/* A copy, with a NUL behind it, in which "'" is a double quote. */

static inline sync_str_t
quoted(sync_arena_t *arena, const char *s)
{
    size_t      i;
    sync_str_t  copy;

    copy = sync_strdup(arena, plain(s));

    for (i = 0; i < copy.len; i++) {
        if (copy.data[i] == '\'') {
            copy.data[i] = '"';
        }
    }

    return copy;
}


static inline sync_rc_t
tape(sync_json_t *json, sync_arena_t *arena, sync_str_t text)
{
    sync_error_t        err;
    sync_json_limits_t  limits;

    memset(&limits, 0, sizeof(limits));

    return sync_json_parse(json, arena, text, &limits, &err);
}


#endif /* SYNC_UNIT_TEXT_H_INCLUDED_ */
