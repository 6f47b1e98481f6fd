
/*
 * JSONPath (RFC 9535): compiled once, evaluated over a tape.  Member names
 * and strings are compared unescaped, numbers exactly by their decimal value,
 * never as doubles.
 */


#ifndef SYNC_PATH_H_INCLUDED_
#define SYNC_PATH_H_INCLUDED_


#include "sync_json.h"


typedef struct sync_path_s  sync_path_t;


/* What a query found: value nodes of the tape in the order of RFC 9535. */

typedef struct {
    uint32_t  *nodes;
    uint32_t   count;
} sync_path_nodes_t;


/*
 * Compiles a query: "$.items[0].sku".  The path and all it needs, compiled
 * regular expressions included, lie in the arena; text need not outlive the
 * call.  A path is read-only afterwards and may be used by any number of
 * evaluations.
 *
 * OK: *path is it.  NO: not well-formed or not valid (RFC 9535, 2.1), longer
 * than 4,096 bytes or 128 segments, or nested deeper than 32; or a literal
 * pattern of match() or search() is no I-Regexp, which RFC 9535 takes and
 * never matches.  err->what is "path", err->offset the place in text.
 * FAULT: no memory.
 */
sync_rc_t sync_path_compile(sync_path_t **path, sync_arena_t *arena,
    sync_str_t text, sync_error_t *err);


/* Whether it is a singular query (RFC 9535, 2.3.5.1): names, indexes only. */
int sync_path_is_singular(const sync_path_t *path);


/*
 * The node that a singular query finds, node being "$"; SYNC_JSON_NONE where
 * there is none or the query is not singular.  Takes no memory.
 *
 * *work (work may be NULL) is charged one for each member or element passed;
 * when it runs out the answer is SYNC_JSON_NONE and *work is 0.
 */
uint32_t sync_path_single(const sync_path_t *path, const sync_json_t *json,
    uint32_t node, uint64_t *work);


/*
 * All nodes that a query finds, node being "$"; the list is in the arena and
 * may be empty.
 *
 * *work is charged for every node visited or compared, for bytes compared and
 * for regular expressions.  When it runs out: NO, err->what "too-much-work",
 * *work 0.  FAULT: no memory.
 */
sync_rc_t sync_path_select(const sync_path_t *path, const sync_json_t *json,
    uint32_t node, sync_arena_t *arena, uint64_t *work,
    sync_path_nodes_t *found, sync_error_t *err);


/*
 * A logical expression as it stands behind "?" in a filter (RFC 9535, 2.3.5):
 * "@.type == 'B' && @.total > 100".  Codes as of sync_path_compile().
 */
sync_rc_t sync_path_compile_test(sync_path_t **test, sync_arena_t *arena,
    sync_str_t text, sync_error_t *err);

/*
 * Whether such an expression holds, node being "@" and "$".  OK: it does; NO:
 * it does not, or there is no work left: then *work is 0; FAULT: no memory.
 */
sync_rc_t sync_path_holds(const sync_path_t *test, const sync_json_t *json,
    uint32_t node, sync_arena_t *arena, uint64_t *work);


#endif /* SYNC_PATH_H_INCLUDED_ */
