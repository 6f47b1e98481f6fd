
/*
 * A text that grows up to a bound.
 */


#include "sync_text.h"


#define SYNC_TEXT_MAX   (16 * 1024 * 1024)
#define SYNC_TEXT_HINT  256


static int sync_text_room(sync_text_t *text, size_t need);


void
sync_text_begin(sync_text_t *text, sync_arena_t *arena, size_t hint,
    size_t max)
{
    memset(text, 0, sizeof(sync_text_t));

    text->arena = arena;
    text->max = max ? max : SYNC_TEXT_MAX;

    hint = hint ? hint : SYNC_TEXT_HINT;
    hint = hint < text->max ? hint : text->max;

    text->start = sync_alloc(arena, hint);

    if (text->start == NULL) {
        text->fault = 1;
        return;
    }

    text->pos = text->start;
    text->end = text->start + hint;
}


sync_rc_t
sync_text_end(sync_text_t *text, sync_str_t *s)
{
    if (text->fault) {
        return SYNC_FAULT;
    }

    if (text->full) {
        return SYNC_NO;
    }

    s->data = text->start;
    s->len = (size_t) (text->pos - text->start);

    return SYNC_OK;
}


void
sync_text_add(sync_text_t *text, sync_str_t s)
{
    if (s.len && sync_text_room(text, s.len)) {
        memcpy(text->pos, s.data, s.len);
        text->pos += s.len;
    }
}


void
sync_text_byte(sync_text_t *text, unsigned char ch)
{
    if (sync_text_room(text, 1)) {
        *text->pos++ = ch;
    }
}


/* Makes room; no when the text is over its bound or memory is out. */

static int
sync_text_room(sync_text_t *text, size_t need)
{
    size_t          used, size;
    unsigned char  *start;

    if (text->fault || text->full) {
        return 0;
    }

    if ((size_t) (text->end - text->pos) >= need) {
        return 1;
    }

    used = (size_t) (text->pos - text->start);

    if (need > text->max - used) {
        text->full = 1;
        return 0;
    }

    size = 2 * (size_t) (text->end - text->start);
    size = size < used + need ? used + need : size;
    size = size < text->max ? size : text->max;

    start = sync_alloc(text->arena, size);

    if (start == NULL) {
        text->fault = 1;
        return 0;
    }

    memcpy(start, text->start, used);

    text->start = start;
    text->pos = start + used;
    text->end = start + size;

    return 1;
}
