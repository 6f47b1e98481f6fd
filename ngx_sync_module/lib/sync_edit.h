
/*
 * Values of a tape that are left out or hidden when it is written again; all
 * else goes out as it came in.
 *
 * A pattern is an RFC 6901 pointer in which a token "*" stands for every item
 * of an array and every member of an object.
 */


#ifndef SYNC_EDIT_H_INCLUDED_
#define SYNC_EDIT_H_INCLUDED_


#include "sync_json.h"


#define SYNC_EDIT_MAX  4096          /* places in one payload */


typedef enum {
    SYNC_EDIT_REMOVE = 0,            /* the member, the item */
    SYNC_EDIT_NULL,
    SYNC_EDIT_STARS,                 /* "***" */
    SYNC_EDIT_LAST4                  /* "***" and the last four characters of
                                        a string or number of eight or more */
} sync_edit_e;


typedef struct {
    uint32_t      node;
    uint32_t      number;            /* of the rule's place among them */
    sync_edit_e   how;
} sync_edit_place_t;


typedef struct {
    const sync_json_t  *json;
    sync_arena_t       *arena;
    sync_edit_place_t  *places;
    uint32_t            count;
    uint32_t            room;
} sync_edit_t;


void sync_edit_init(sync_edit_t *edit, const sync_json_t *json,
    sync_arena_t *arena);

/*
 * Adds the places that a pattern has below node.  *work is charged one for
 * each member or item passed.  OK, whether or not there are any; NO: work ran
 * out (*work is 0) or there are too many; FAULT: no memory.
 */
sync_rc_t sync_edit_add(sync_edit_t *edit, uint32_t node, sync_str_t pattern,
    sync_edit_e how, uint64_t *work);

/* The places in the order of the tape; of one named twice the first stays. */
void sync_edit_sort(sync_edit_t *edit);

/*
 * The text of node with all edits, sorted by it; one inside another is of no
 * account.  OK, FAULT, or NO: it would be longer than max.
 */
sync_rc_t sync_edit_write(sync_edit_t *edit, uint32_t node, size_t max,
    sync_str_t *text);


#endif /* SYNC_EDIT_H_INCLUDED_ */
