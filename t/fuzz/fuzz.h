
/*
 * What the fuzzers share.  Each allocation of an arena is one of malloc(), so
 * that the sanitizer sees a byte too many, which inside a block it would not.
 */


#ifndef FUZZ_H_INCLUDED_
#define FUZZ_H_INCLUDED_


#include "sync_json.h"

#include <stdio.h>
#include <stdlib.h>


#define FUZZ_WORK  200000            /* of the work counter */


typedef struct fuzz_chunk_s  fuzz_chunk_t;

struct fuzz_chunk_s {
    fuzz_chunk_t  *next;
    max_align_t    memory[];
};


int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);


static inline void *
fuzz_alloc(sync_arena_t *arena, size_t size)
{
    fuzz_chunk_t  *chunk;

    chunk = malloc(sizeof(fuzz_chunk_t) + size);

    if (chunk == NULL) {
        return NULL;
    }

    chunk->next = arena->data;
    arena->data = chunk;

    return chunk->memory;
}


static inline void
fuzz_begin(sync_arena_t *arena)
{
    arena->alloc = fuzz_alloc;
    arena->data = NULL;
}


static inline void
fuzz_end(sync_arena_t *arena)
{
    fuzz_chunk_t  *chunk, *next;

    for (chunk = arena->data; chunk != NULL; chunk = next) {
        next = chunk->next;
        free(chunk);
    }

    arena->data = NULL;
}


/* A promise of the library was broken. */

#define fuzz_check(what)                                                      \
    do {                                                                      \
        if (!(what)) {                                                        \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #what);        \
            abort();                                                          \
        }                                                                     \
    } while (0)


/* Up to the next newline, in memory of its own; the rest stays in text. */

static inline sync_str_t
fuzz_line(sync_arena_t *arena, sync_str_t *text)
{
    sync_str_t      line;
    unsigned char  *p;

    p = text->len ? memchr(text->data, '\n', text->len) : NULL;

    line.len = p != NULL ? (size_t) (p - text->data) : text->len;
    line.data = fuzz_alloc(arena, line.len);

    if (line.len) {
        memcpy(line.data, text->data, line.len);
    }

    text->data += line.len + (p != NULL);
    text->len -= line.len + (p != NULL);

    return line;
}


/* What is left, in memory of its own. */

static inline sync_str_t
fuzz_rest(sync_arena_t *arena, sync_str_t text)
{
    sync_str_t  rest;

    rest.len = text.len;
    rest.data = fuzz_alloc(arena, text.len);

    if (text.len) {
        memcpy(rest.data, text.data, text.len);
    }

    return rest;
}


/* What was written must be what a reader takes. */

static inline void
fuzz_is_json(sync_arena_t *arena, sync_str_t text)
{
    sync_json_t   json;
    sync_error_t  err;

    fuzz_check(sync_json_parse(&json, arena, text, NULL, &err) == SYNC_OK);
}


#endif /* FUZZ_H_INCLUDED_ */
