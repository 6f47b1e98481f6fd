
/*
 * What is wrong with a payload: a bounded list of places.  Shared by all that
 * judges payloads (maps, field lists), so that one problem document can show
 * everything at once.  Never holds a value of the payload.
 */


#ifndef SYNC_FAULTS_H_INCLUDED_
#define SYNC_FAULTS_H_INCLUDED_


#include "sync_json.h"


#define SYNC_FAULTS_MAX  32


/*
 *   pointer  RFC 6901, into the payload that was given; for a missing member
 *            the pointer it would have; in the arena of the list;
 *   what     static keyword in kebab case ("required");
 *   text     sentence that outlives the list: what is wrong or would be
 *            right;
 *   rule     where the rule stands that was broken, a URI with a pointer for
 *            its fragment; empty where only one thing can be meant.
 */

typedef struct {
    sync_str_t     pointer;
    const char    *what;
    const char    *text;
    sync_str_t     rule;
    sync_str_t     way;
} sync_fault_t;


typedef struct {
    sync_arena_t  *arena;
    uint32_t       count;            /* of list */
    uint32_t       more;             /* faults that the list did not take */
    uint8_t        nomem;            /* a pointer could not be built */
    sync_fault_t   list[SYNC_FAULTS_MAX];
} sync_faults_t;


void sync_faults_init(sync_faults_t *faults, sync_arena_t *arena);

/*
 * Adds a fault at node n of a tape, or, where below is not empty, at the
 * pointer below (RFC 6901, relative) that starts at n.
 */
void sync_faults_add(sync_faults_t *faults, const sync_json_t *json,
    uint32_t n, sync_str_t below, const char *what, const char *text);

/* OK: no fault; NO: at least one; FAULT: no memory while one was added. */
sync_rc_t sync_faults_result(const sync_faults_t *faults);


#endif /* SYNC_FAULTS_H_INCLUDED_ */
