
/*
 * The ground of lib/: strings, arenas, result codes and errors.
 *
 * lib/ is plain C11.  It knows nothing of NGINX, of sockets or of the time of
 * day; what needs the time is given it.  Nothing here suspends or blocks.
 */


#ifndef SYNC_CORE_H_INCLUDED_
#define SYNC_CORE_H_INCLUDED_


#include <stddef.h>
#include <stdint.h>
#include <string.h>


/*
 * A counted string; layout of ngx_str_t, so that a pointer to one is a
 * pointer to the other.  Not terminated.
 */

typedef struct {
    size_t          len;
    unsigned char  *data;
} sync_str_t;


#define sync_string(lit)  { sizeof(lit) - 1, (unsigned char *) (lit) }
#define sync_str_lit(lit)                                                     \
    ((sync_str_t) { sizeof(lit) - 1, (unsigned char *) (lit) })
#define sync_str_null     ((sync_str_t) { 0, NULL })


/*
 * Three-valued results, and a fourth for work that goes on later.  A refusal
 * (NO: the input is wrong, the answer is no) is never mixed with a fault (out
 * of memory, a broken library: nobody knows).
 */

typedef enum {
    SYNC_OK      =  0,
    SYNC_NO      =  1,
    SYNC_FAULT   = -1,
    SYNC_PENDING = -2
} sync_rc_t;


/*
 * An arena gives memory that is freed all at once by its owner.  ngx_pool_t
 * and the malloc arena below both satisfy it.  alloc() returns memory aligned
 * for any type, not zeroed, or NULL.
 */

typedef struct sync_arena_s  sync_arena_t;

struct sync_arena_s {
    void         *(*alloc)(sync_arena_t *arena, size_t size);
    void           *data;
};


#define sync_alloc(arena, size)  ((arena)->alloc((arena), (size)))

void *sync_calloc(sync_arena_t *arena, size_t size);

/* Copies, one NUL behind the copy that len does not count; data NULL: fault. */
sync_str_t sync_strdup(sync_arena_t *arena, sync_str_t s);

/* The malloc arena: tests, tools, fuzzers, and the building of documents. */
sync_arena_t *sync_arena_create(size_t block);
void sync_arena_destroy(sync_arena_t *arena);


/*
 * Whether two pieces of one length are the same.  Names are short: two words
 * that may overlap are compared faster than a library is called.
 */

static inline int
sync_bytes_eq(const void *a, const void *b, size_t len)
{
    uint64_t              x[2], y[2];
    const unsigned char  *p = a, *q = b;

    if (len > 16) {
        return memcmp(a, b, len) == 0;
    }

    if (len >= 8) {
        memcpy(&x[0], p, 8);
        memcpy(&y[0], q, 8);
        memcpy(&x[1], p + len - 8, 8);
        memcpy(&y[1], q + len - 8, 8);

        return ((x[0] ^ y[0]) | (x[1] ^ y[1])) == 0;
    }

    if (len >= 4) {
        uint32_t  v[2], w[2];

        memcpy(&v[0], p, 4);
        memcpy(&w[0], q, 4);
        memcpy(&v[1], p + len - 4, 4);
        memcpy(&w[1], q + len - 4, 4);

        return ((v[0] ^ w[0]) | (v[1] ^ w[1])) == 0;
    }

    return len == 0
           || (p[0] == q[0] && p[len / 2] == q[len / 2]
               && p[len - 1] == q[len - 1]);
}


static inline int
sync_str_eq(sync_str_t a, sync_str_t b)
{
    return a.len == b.len && sync_bytes_eq(a.data, b.data, a.len);
}


static inline int
sync_str_is(sync_str_t s, const char *lit)
{
    size_t  len = strlen(lit);

    return s.len == len && sync_bytes_eq(s.data, lit, len);
}


static inline int
sync_str_starts(sync_str_t s, const char *lit)
{
    size_t  len = strlen(lit);

    return s.len >= len && memcmp(s.data, lit, len) == 0;
}


/* n in decimal digits, SYNC_DIGITS bytes at most with a sign; returns their
   end. */

#define SYNC_DIGITS  20

unsigned char *sync_digits(unsigned char *dst, uint64_t n);
unsigned char *sync_digits_signed(unsigned char *dst, int64_t n);


/* The 4 bytes of n in network order. */

static inline void
sync_put32(unsigned char *dst, uint32_t n)
{
    dst[0] = (unsigned char) (n >> 24);
    dst[1] = (unsigned char) (n >> 16);
    dst[2] = (unsigned char) (n >> 8);
    dst[3] = (unsigned char) n;
}


/*
 * What is wrong with an input, and where.  Filled by whoever answers NO.
 *
 *   what     static keyword in kebab case ("duplicate-member"): for problem
 *            details, tests and counters;
 *   offset   byte offset into the text that was read, SYNC_NOWHERE if none;
 *   pointer  RFC 6901 pointer to the place, in the arena; empty: the root;
 *   text     a sentence for a person: what is wrong and what would be right.
 *            Never a value of the payload.
 */

#define SYNC_NOWHERE     ((size_t) -1)
#define SYNC_ERROR_TEXT  256

typedef struct {
    const char  *what;
    size_t       offset;
    sync_str_t   pointer;
    char         text[SYNC_ERROR_TEXT];
} sync_error_t;

/* Fills err (which may be NULL) and returns SYNC_NO. */
sync_rc_t sync_refuse(sync_error_t *err, const char *what, size_t offset,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));


/* Overwrites secrets; not optimised away. */
void sync_wipe(void *p, size_t len);


#endif /* SYNC_CORE_H_INCLUDED_ */
