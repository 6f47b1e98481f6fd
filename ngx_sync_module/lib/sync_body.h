
/*
 * Bodies of connectors' requests as a document says them: JSON, in which a
 * string that is a placeholder and nothing else stands for a value.
 *
 *   {payload}           what the map has made, or what is canonical
 *   {id}  {id:number}   the object's id, as a string or as a number
 *   {idempotency_key}   the downstream key
 *   {/json/pointer}     a value of the canonical payload, as it stands there
 *   secret:NAME         a secret of the tenant
 *
 * A value takes the place of the whole string: it cannot say more than itself.
 */


#ifndef SYNC_BODY_H_INCLUDED_
#define SYNC_BODY_H_INCLUDED_


#include "sync_json.h"


#define SYNC_BODY_ID       0x01
#define SYNC_BODY_KEY      0x02
#define SYNC_BODY_PAYLOAD  0x04          /* by pointer */
#define SYNC_BODY_MAPPED   0x08          /* {payload} */
#define SYNC_BODY_SECRET   0x10


typedef struct {
    sync_str_t          id;
    sync_str_t          idempotency_key;
    sync_str_t          mapped;          /* JSON text; data NULL: none */
    const sync_json_t  *payload;         /* canonical; NULL: there is none */

    /* The secret of that name: OK; NO: there is none; FAULT. */
    sync_rc_t         (*secret)(void *data, sync_str_t name,
                                sync_str_t *value);
    void               *data;
} sync_body_values_t;


/*
 * Looks at a body: OK and *uses, bits of SYNC_BODY_*; NO: err->pointer says
 * where a placeholder is not known; FAULT: no memory.
 */
sync_rc_t sync_body_check(const sync_json_t *body, sync_arena_t *arena,
    unsigned *uses, sync_error_t *err);

/*
 * Writes it.  OK: *text, in the arena; NO: err->what is "bad-value" (an id
 * that is no number), "no-value" (the payload has none at err->pointer),
 * "no-secret" or "too-large"; FAULT: no memory.
 */
sync_rc_t sync_body_render(const sync_json_t *body,
    const sync_body_values_t *values, sync_arena_t *arena, size_t max,
    sync_str_t *text, sync_error_t *err);


#endif /* SYNC_BODY_H_INCLUDED_ */
