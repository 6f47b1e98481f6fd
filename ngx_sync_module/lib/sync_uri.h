
/*
 * URLs of http and https in one form, so that two that mean the same resource
 * are the same text.
 */


#ifndef SYNC_URI_H_INCLUDED_
#define SYNC_URI_H_INCLUDED_


#include "sync_core.h"


/*
 * RFC 3986, 6.2.2 and 6.2.3: scheme and host in lower case, no default port,
 * no dot segments, a path, escapes in capitals and only where they are needed.
 * Query and fragment are left out.  In the arena.
 *
 * OK; NO: not an absolute URL of http or https, or one with a user in it, with
 * err->what "uri" and a text; FAULT: no memory.
 */
sync_rc_t sync_uri_normal(sync_str_t *normal, sync_arena_t *arena,
    sync_str_t uri, sync_error_t *err);


#endif /* SYNC_URI_H_INCLUDED_ */
