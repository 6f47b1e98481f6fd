
/*
 * What operators and identity providers write: tenant documents, maps,
 * schemas, key sets, token headers and claims.  A tree of values behind an
 * opaque handle; jansson stands behind it and is named in sync_value.c alone.
 * What tenants and ERPs send goes through sync_json instead.
 *
 * Reading is strict: RFC 8259, UTF-8, duplicate members refused, at most
 * SYNC_VALUE_DEPTH deep, so that whoever walks a tree may recurse.  Integers
 * are int64_t, and those out of its range are refused; other numbers are
 * doubles ("0.10" becomes 0.1: a decimal that must stay as written is a
 * string).
 *
 * Ownership: a sync_value_t * that is not const is owned and given back by
 * sync_value_free(); what is reached from it is const, borrowed, and lives as
 * long as the root.  Trees are never changed after they were made.
 */


#ifndef SYNC_VALUE_H_INCLUDED_
#define SYNC_VALUE_H_INCLUDED_


#include "sync_core.h"
#include "sync_json.h"


#define SYNC_VALUE_DEPTH  128


typedef struct sync_value_s  sync_value_t;


typedef enum {
    SYNC_VALUE_NONE = 0,     /* no value at all: the handle is NULL */
    SYNC_VALUE_NULL,
    SYNC_VALUE_FALSE,
    SYNC_VALUE_TRUE,
    SYNC_VALUE_INTEGER,
    SYNC_VALUE_REAL,
    SYNC_VALUE_STRING,
    SYNC_VALUE_ARRAY,
    SYNC_VALUE_OBJECT
} sync_value_type_e;


/* Flags of sync_value_parse(). */

#define SYNC_VALUE_NUL      0x01     /* strings (not names) may hold U+0000 */
#define SYNC_VALUE_DOUBLES  0x02     /* integers are read as reals, so that
                                        none is out of range */


/*
 * OK: *value is the caller's.  NO: err has the offset, the pointer (in the
 * arena) to the innermost place that was begun, and a text with line and
 * column but no bytes of the input, which may be a key; err->what is
 * "syntax", "utf8", "duplicate-member", "too-deep" or "number-range".
 * FAULT: no memory.  The text is not needed afterwards.
 */
sync_rc_t sync_value_parse(sync_value_t **value, sync_arena_t *arena,
    sync_str_t text, unsigned flags, sync_error_t *err);

/* Of an owned value; NULL is allowed. */
void sync_value_free(sync_value_t *value);

/* One more owner of the same value, in the same thread. */
sync_value_t *sync_value_share(const sync_value_t *value);

/* A deep copy, owned by the caller; NULL: no memory. */
sync_value_t *sync_value_copy(const sync_value_t *value);

/*
 * RFC 7396: what comes of target when patch is applied to it.  The result is
 * owned by the caller; parts that are the same it shares with the two, which
 * may go before it.  A NULL target is an
 * empty one.  Members keep the target's order, new ones follow in the
 * patch's.  NULL: no memory.
 */
sync_value_t *sync_value_merge(const sync_value_t *target,
    const sync_value_t *patch);


/* All readers take a NULL handle and a value of another type. */

sync_value_type_e sync_value_type(const sync_value_t *value);

/* "null", "boolean", "integer", "number", "string", "array", "object",
   "nothing": for messages. */
const char *sync_value_type_name(const sync_value_t *value);

/* Elements of an array, members of an object; else 0. */
size_t sync_value_count(const sync_value_t *value);

/* A member of an object by name, an element of an array; or NULL. */
const sync_value_t *sync_value_get(const sync_value_t *value,
    const char *name);
const sync_value_t *sync_value_member(const sync_value_t *value,
    sync_str_t name);
const sync_value_t *sync_value_at(const sync_value_t *value, size_t i);

/*
 * The content of a string, viewed in place, with a NUL behind it; of anything
 * else data is NULL (of an empty string it is not).
 */
sync_str_t sync_value_str(const sync_value_t *value);

/* OK, or NO where the value is not an integer. */
sync_rc_t sync_value_int(const sync_value_t *value, int64_t *n);

/* OK for integers and reals, else NO. */
sync_rc_t sync_value_real(const sync_value_t *value, double *n);

/* OK for true and false, else NO. */
sync_rc_t sync_value_bool(const sync_value_t *value, unsigned *b);


/*
 * The members of an object in the order they were written:
 *
 *     sync_value_iter_t  it = { 0 };
 *
 *     while (sync_value_next(object, &it)) { it.name, it.value }
 */

typedef struct {
    sync_str_t           name;
    const sync_value_t  *value;
    void                *place;
} sync_value_iter_t;

int sync_value_next(const sync_value_t *object, sync_value_iter_t *it);


/* RFC 6901, from value; NULL: no such place, or not a pointer. */
const sync_value_t *sync_value_resolve(const sync_value_t *value,
    sync_str_t pointer);

/*
 * base with one more reference token, name escaped ("~1", "~0"); for errors.
 * In the arena; data NULL: no memory.
 */
sync_str_t sync_pointer_member(sync_arena_t *arena, sync_str_t base,
    sync_str_t name);
sync_str_t sync_pointer_index(sync_arena_t *arena, sync_str_t base,
    size_t i);


/*
 * Writes the value as JSON, without white space, members in their order;
 * reals as the shortest text that reads back as the same double.
 */
void sync_value_write(sync_json_out_t *out, const sync_value_t *value);

/*
 * The same text in the arena, with members sorted by the bytes of their
 * names: equal values have equal dumps.  data NULL: no memory.
 */
sync_str_t sync_value_dump(const sync_value_t *value, sync_arena_t *arena);


#endif /* SYNC_VALUE_H_INCLUDED_ */
