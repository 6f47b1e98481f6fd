
/*
 * The print: a versioned SHA-256 over what makes two requests the same one.
 * Two requests under one idempotency key must have one print.
 *
 * Of JSON the source's tape is taken: members sorted as RFC 8785, 3.2.3 sorts
 * them (UTF-16 code units of the unescaped names), strings unescaped, numbers
 * as their text: RFC 8785 itself would round them, and 1.0 is not 1.  Other
 * formats, and what does not parse, are taken by their bytes.  Each field
 * carries its length, so no two requests run into each other.
 */


#ifndef SYNC_PRINT_H_INCLUDED_
#define SYNC_PRINT_H_INCLUDED_


#include "sync_crypto.h"
#include "sync_json.h"


#define SYNC_PRINT_VERSION  1
#define SYNC_PRINT_LEN      32
#define SYNC_PRINT_DEPTH    128      /* JSON nested deeper is taken by bytes */


typedef struct {
    sync_str_t  name;                /* in any case */
    sync_str_t  value;
} sync_print_header_t;


/* What stands before the payload. */

typedef struct {
    sync_str_t                  path;       /* raw, behind the location's
                                               literal prefix */
    sync_str_t                  query;      /* as sent, without "?" */
    sync_str_t                  media_type; /* Content-Type as sent; empty */
    const sync_print_header_t  *headers;    /* semantic ones, in a fixed
                                               order; absent ones left out */
    uint32_t                    nheaders;
} sync_print_request_t;


typedef struct {
    sync_sha256_t  sha;
    uint64_t       bytes;            /* of the payload so far */
    size_t         used;             /* of buf */
    sync_str_t     skip;             /* see below */
    unsigned char  buf[2048];
} sync_print_t;


/*
 * A print is begun, fed with the payload (sync_print_json() once, or
 * sync_print_bytes() any number of times, never both; with neither there was
 * no payload) and ended.  A member that is named in skip, once it is begun, is
 * no part of JSON: of the object, or of each in an array.
 */

/* OK or FAULT (no memory).  The arena is for the normal form of media_type. */
sync_rc_t sync_print_begin(sync_print_t *p, const sync_print_request_t *r,
    sync_arena_t *arena);
/* OK or FAULT (no memory).  The arena holds sorted and unescaped names. */
sync_rc_t sync_print_json(sync_print_t *p, const sync_json_t *json,
    sync_arena_t *arena);
void sync_print_bytes(sync_print_t *p, sync_str_t piece);
void sync_print_end(sync_print_t *p, unsigned char print[SYNC_PRINT_LEN]);


/*
 * The normal form of a Content-Type (RFC 9110, 8.3.1): type, subtype, names
 * of parameters and the charset in lower case, no optional white space; a
 * charset of utf-8 is dropped.  In the arena; data NULL: no memory.
 */
sync_str_t sync_print_media_type(sync_str_t type, sync_arena_t *arena);


#endif /* SYNC_PRINT_H_INCLUDED_ */
