
/*
 * Field lists: what a canonical payload must look like.  A list names every
 * member of an entity with its type; unknown members are refused, except
 * "x-ext", which carries what a source sends beyond the entity.
 *
 * Known: sales_order/1.  For an entity without a list only the root is judged:
 * it must be an object.
 */


#ifndef SYNC_FIELDS_H_INCLUDED_
#define SYNC_FIELDS_H_INCLUDED_


#include "sync_faults.h"


typedef struct sync_fields_s  sync_fields_t;


/* By "sales_order" (the newest) or "sales_order/1"; NULL: no such list. */
const sync_fields_t *sync_fields_find(sync_str_t entity);

/* "sales_order/1" */
sync_str_t sync_fields_name(const sync_fields_t *fields);

/* The business key, as a pointer: "/order_number". */
sync_str_t sync_fields_key(const sync_fields_t *fields);


/*
 * Judges the payload at node; fields may be NULL (see above).  With update,
 * required members may be absent and null clears an optional one.
 *
 * work: what is left of the request's work, charged one for each member, or
 * NULL.  OK; NO: faults (initialised by the caller) has the places, keywords
 * "required", "type", "unknown-member", "decimal", "date", "country",
 * "currency", "enum", "empty", "too-long", "too-much-work"; FAULT: no memory.
 */
sync_rc_t sync_fields_check(const sync_fields_t *fields,
    const sync_json_t *json, uint32_t node, int update, uint64_t *work,
    sync_faults_t *faults);


#endif /* SYNC_FIELDS_H_INCLUDED_ */
