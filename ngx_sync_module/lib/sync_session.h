
/*
 * Sessions at a connector: the headers that are made of what a login gave, and
 * the cookies that it set.
 */


#ifndef SYNC_SESSION_H_INCLUDED_
#define SYNC_SESSION_H_INCLUDED_


#include "sync_core.h"


#define SYNC_SESSION_COOKIES  32         /* of a session, at most */
#define SYNC_SESSION_TEXT     8192       /* bytes of a header, at most */


/*
 * Asks for a value: what was taken under that name, or a secret of the tenant.
 * OK; NO: there is none; FAULT.
 */
typedef sync_rc_t (*sync_session_value_pt)(void *data, int secret,
    sync_str_t name, sync_str_t *value);


/*
 * The text of a header with its placeholders replaced:
 *
 *   {token}            what was taken
 *   {secret:NAME}      a secret of the tenant
 *   base64(...)        of what is between the brackets
 *
 * as in "Session base64({secret:user}:{id}:{key})".
 *
 * OK: *out, in the arena; it may hold secrets.  NO: err->what is "template"
 * (the text is wrong, err->offset says where), "no-value" or "bad-value" (a
 * value has a byte that no header can have, or is too long).  FAULT.
 */
sync_rc_t sync_session_text(sync_str_t text, sync_session_value_pt value,
    void *data, sync_arena_t *arena, sync_str_t *out, sync_error_t *err);


/*
 * Cookies, RFC 6265.  All go back to the target that has set them: domain,
 * path and flags are not looked at.  Strings are those of the caller.
 */

typedef struct {
    struct {
        sync_str_t   name;
        sync_str_t   value;
    }                list[SYNC_SESSION_COOKIES];
    uint32_t         n;
} sync_session_cookies_t;

/*
 * The value of one Set-Cookie: replaces a cookie of that name, or takes it
 * away (Max-Age of 0 and less, Expires in 1970).  What is no cookie and what
 * is too many is ignored.
 */
void sync_session_set_cookie(sync_session_cookies_t *cookies, sync_str_t text);

/* "a=b; c=d", in the arena; empty: there is none.  OK or FAULT. */
sync_rc_t sync_session_cookie(const sync_session_cookies_t *cookies,
    sync_arena_t *arena, sync_str_t *out);


#endif /* SYNC_SESSION_H_INCLUDED_ */
