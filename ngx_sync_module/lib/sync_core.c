
/*
 * The ground of lib/: arenas, copies, errors.
 */


#include "sync_core.h"

#include <stdarg.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>


#define SYNC_ARENA_ALIGN  alignof(max_align_t)


typedef struct sync_block_s  sync_block_t;

struct sync_block_s {
    sync_block_t  *next;
    size_t         used;
    size_t         size;
};

typedef struct {
    sync_arena_t   arena;
    sync_block_t  *blocks;
    size_t         block;
} sync_malloc_arena_t;


static void *sync_arena_alloc(sync_arena_t *arena, size_t size);


#define sync_round(n)                                                         \
    (((n) + SYNC_ARENA_ALIGN - 1) & ~((size_t) SYNC_ARENA_ALIGN - 1))


sync_arena_t *
sync_arena_create(size_t block)
{
    sync_malloc_arena_t  *m;

    m = calloc(1, sizeof(sync_malloc_arena_t));
    if (m == NULL) {
        return NULL;
    }

    m->arena.alloc = sync_arena_alloc;
    m->arena.data = m;
    m->block = block < 1024 ? 1024 : block;

    return &m->arena;
}


void
sync_arena_destroy(sync_arena_t *arena)
{
    sync_block_t         *b, *next;
    sync_malloc_arena_t  *m;

    if (arena == NULL) {
        return;
    }

    m = arena->data;

    for (b = m->blocks; b != NULL; b = next) {
        next = b->next;
        free(b);
    }

    free(m);
}


static void *
sync_arena_alloc(sync_arena_t *arena, size_t size)
{
    void                 *p;
    size_t                header, room;
    sync_block_t         *b;
    sync_malloc_arena_t  *m;

    m = arena->data;
    header = sync_round(sizeof(sync_block_t));

    if (size > SIZE_MAX / 2) {
        return NULL;
    }

    size = size ? sync_round(size) : SYNC_ARENA_ALIGN;
    b = m->blocks;

    if (b == NULL || b->size - b->used < size) {
        room = size > m->block ? size : m->block;

        b = malloc(header + room);
        if (b == NULL) {
            return NULL;
        }

        b->used = 0;
        b->size = room;

        if (size > m->block && m->blocks != NULL) {
            /* one large piece: keep filling the current block */
            b->next = m->blocks->next;
            m->blocks->next = b;

        } else {
            b->next = m->blocks;
            m->blocks = b;
        }
    }

    p = (unsigned char *) b + header + b->used;
    b->used += size;

    return p;
}


void *
sync_calloc(sync_arena_t *arena, size_t size)
{
    void  *p;

    p = sync_alloc(arena, size);
    if (p != NULL) {
        memset(p, 0, size);
    }

    return p;
}


sync_str_t
sync_strdup(sync_arena_t *arena, sync_str_t s)
{
    sync_str_t  copy;

    copy.len = s.len;
    copy.data = sync_alloc(arena, s.len + 1);

    if (copy.data == NULL) {
        return sync_str_null;
    }

    if (s.len) {
        memcpy(copy.data, s.data, s.len);
    }

    copy.data[s.len] = '\0';

    return copy;
}


unsigned char *
sync_digits(unsigned char *dst, uint64_t n)
{
    size_t         len;
    unsigned char  digits[SYNC_DIGITS], *p;

    /* a length or a small count, as most are */

    if (n < 100) {
        if (n >= 10) {
            *dst++ = (unsigned char) ('0' + n / 10);
        }

        *dst++ = (unsigned char) ('0' + n % 10);

        return dst;
    }

    p = digits + SYNC_DIGITS;

    do {
        *--p = (unsigned char) ('0' + n % 10);
        n /= 10;
    } while (n);

    len = (size_t) (digits + SYNC_DIGITS - p);
    memcpy(dst, p, len);

    return dst + len;
}


unsigned char *
sync_digits_signed(unsigned char *dst, int64_t n)
{
    if (n >= 0) {
        return sync_digits(dst, (uint64_t) n);
    }

    *dst++ = '-';

    return sync_digits(dst, 0 - (uint64_t) n);
}


sync_rc_t
sync_refuse(sync_error_t *err, const char *what, size_t offset,
    const char *fmt, ...)
{
    va_list  args;

    if (err == NULL) {
        return SYNC_NO;
    }

    err->what = what;
    err->offset = offset;
    err->pointer = sync_str_null;

    va_start(args, fmt);
    vsnprintf(err->text, sizeof(err->text), fmt, args);
    va_end(args);

    return SYNC_NO;
}


void
sync_wipe(void *p, size_t len)
{
    volatile unsigned char  *v = p;

    while (len--) {
        *v++ = 0;
    }
}
