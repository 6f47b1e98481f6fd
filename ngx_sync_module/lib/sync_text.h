
/*
 * A text that grows in an arena up to a bound.  Faults stick: check once at
 * the end.  What writes JSON uses the writer of sync_json.h.
 */


#ifndef SYNC_TEXT_H_INCLUDED_
#define SYNC_TEXT_H_INCLUDED_


#include "sync_core.h"


typedef struct {
    sync_arena_t   *arena;
    unsigned char  *start;
    unsigned char  *pos;
    unsigned char  *end;
    size_t          max;
    unsigned        full:1;          /* over max: sync_text_end says NO */
    unsigned        fault:1;         /* no memory */
} sync_text_t;


/* hint: bytes expected; max: bytes allowed, 0 for 16 MiB. */
void sync_text_begin(sync_text_t *text, sync_arena_t *arena, size_t hint,
    size_t max);
/* OK and the text, or NO (over max) or FAULT. */
sync_rc_t sync_text_end(sync_text_t *text, sync_str_t *s);

void sync_text_add(sync_text_t *text, sync_str_t s);
void sync_text_byte(sync_text_t *text, unsigned char ch);

#define sync_text_lit(text, lit)  sync_text_add((text), sync_str_lit(lit))


#endif /* SYNC_TEXT_H_INCLUDED_ */
