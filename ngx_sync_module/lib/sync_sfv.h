
/*
 * Structured field values (RFC 9651): Items, and the Idempotency-Key that is
 * one of them (draft-ietf-httpapi-idempotency-key-header).
 */


#ifndef SYNC_SFV_H_INCLUDED_
#define SYNC_SFV_H_INCLUDED_


#include "sync_core.h"


typedef enum {
    SYNC_SFV_INTEGER = 0,
    SYNC_SFV_DECIMAL,
    SYNC_SFV_STRING,
    SYNC_SFV_TOKEN,
    SYNC_SFV_BYTES,
    SYNC_SFV_BOOLEAN,
    SYNC_SFV_DATE,
    SYNC_SFV_DISPLAY
} sync_sfv_type_e;


typedef struct {
    sync_sfv_type_e  type;
    int64_t          number;         /* an integer; a decimal in thousandths;
                                        a date in seconds; a boolean 0 or 1 */
    sync_str_t       text;           /* of a string, token, byte sequence or
                                        display string, decoded */
} sync_sfv_value_t;


typedef struct {
    sync_str_t        key;
    sync_sfv_value_t  value;
} sync_sfv_param_t;


typedef struct {
    sync_sfv_value_t   value;
    sync_sfv_param_t  *params;       /* keys are unique, the last one counts */
    uint32_t           nparams;
} sync_sfv_item_t;


#define SYNC_SFV_PARAMS  64          /* more are refused */


/*
 * Parses the value of a header field as an Item (RFC 9651, 4.2).  Texts are
 * slices of in or lie in the arena.
 *
 * OK; NO, err->what is "structured-field" and err->offset the place; FAULT.
 */
sync_rc_t sync_sfv_item(sync_str_t in, sync_arena_t *arena,
    sync_sfv_item_t *item, sync_error_t *err);


/* The same where only a String will do; parameters are parsed and ignored. */
sync_rc_t sync_sfv_string(sync_str_t in, sync_arena_t *arena,
    sync_str_t *string, sync_error_t *err);


#define SYNC_SFV_KEY_LEN  255

typedef enum {
    SYNC_SFV_STRICT = 0,             /* a String alone */
    SYNC_SFV_COMPAT                  /* or the bare key that clients send:
                                        visible ASCII but " , ; and \ */
} sync_sfv_syntax_e;


/*
 * The client's key out of an Idempotency-Key field: 1 to 255 characters,
 * unquoted, so that abc and "abc" are one key.  A slice of in or in the arena.
 * One field line: the caller refuses two.
 *
 * OK; NO, err->what is "idempotency-key"; FAULT: no memory.
 */
sync_rc_t sync_sfv_idempotency_key(sync_str_t in, sync_sfv_syntax_e syntax,
    sync_arena_t *arena, sync_str_t *key, sync_error_t *err);


#endif /* SYNC_SFV_H_INCLUDED_ */
