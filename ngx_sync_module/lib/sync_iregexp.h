
/*
 * I-Regexp (RFC 9485) by PCRE2, for match() and search() of JSONPath.
 *
 * Where the RFC's grammar makes "^" and "$" plain characters, its own mapping
 * to ECMAScript and the compliance suite of JSONPath make them anchors; they
 * are anchors here.
 */


#ifndef SYNC_IREGEXP_H_INCLUDED_
#define SYNC_IREGEXP_H_INCLUDED_


#include "sync_core.h"


#define SYNC_IREGEXP_LEN    1024     /* longer patterns are refused */
#define SYNC_IREGEXP_DEPTH  32       /* of parentheses */


typedef struct sync_iregexp_s  sync_iregexp_t;


/*
 * Compiles a pattern.  whole: match() wants the whole string, else search()
 * wants any part of it.  With an arena all memory is the arena's; with NULL
 * it is malloc's and the caller calls sync_iregexp_free().
 *
 * OK; NO: no I-Regexp, err->what "regexp", err->offset in pattern; FAULT.
 */
sync_rc_t sync_iregexp_compile(sync_iregexp_t **re, sync_arena_t *arena,
    sync_str_t pattern, int whole, sync_error_t *err);

/*
 * The same of a pattern that was checked and is PCRE2's by now; options are
 * PCRE2's too.  For what translates other dialects (sync_schema_regexp.c).
 */
sync_rc_t sync_iregexp_build(sync_iregexp_t **re, sync_arena_t *arena,
    sync_str_t text, uint32_t options, sync_error_t *err);

void sync_iregexp_free(sync_iregexp_t *re);


/*
 * Matches a subject of valid UTF-8; *matched is 0 or 1.  *work is charged by
 * what the match costs.  NO: it ran out (*work is 0), or the match wanted too
 * much memory; err->what "too-much-work".  FAULT: no memory.
 */
sync_rc_t sync_iregexp_match(const sync_iregexp_t *re, sync_str_t subject,
    uint64_t *work, int *matched, sync_error_t *err);


#endif /* SYNC_IREGEXP_H_INCLUDED_ */
