
/*
 * The payload reader: one pass over a JSON text (RFC 8259) into a flat tape of
 * typed slices.  Strings and numbers stay the sender's bytes; nothing is ever
 * turned into a double.  The text must outlive the tape and is not written to.
 *
 * A node is 16 bytes.  A container is followed by its content and knows the
 * index behind it (next), so a walk needs no stack.  In an object each member
 * is a KEY node followed by its value.
 */


#ifndef SYNC_JSON_H_INCLUDED_
#define SYNC_JSON_H_INCLUDED_


#include "sync_core.h"


typedef enum {
    SYNC_JSON_NULL = 0,
    SYNC_JSON_FALSE,
    SYNC_JSON_TRUE,
    SYNC_JSON_NUMBER,
    SYNC_JSON_STRING,
    SYNC_JSON_ARRAY,
    SYNC_JSON_OBJECT,
    SYNC_JSON_KEY
} sync_json_type_e;


#define SYNC_JSON_ESCAPED  0x01      /* the slice has a backslash */
#define SYNC_JSON_INTEGER  0x02      /* a number of the form -?digits */

#define SYNC_JSON_NONE     ((uint32_t) -1)       /* no such node */


typedef struct {
    uint32_t  off;           /* of the slice; strings and keys: inside the
                                quotes; containers: of the bracket */
    uint32_t  len;           /* of the slice; containers: number of members */
    uint32_t  next;          /* index of the node behind this value; of a key:
                                behind its value */
    uint8_t   type;
    uint8_t   flags;
    uint16_t  depth;         /* containers around it; of a key as its value */
} sync_json_node_t;


typedef struct {
    sync_str_t         text;
    sync_json_node_t  *nodes;            /* nodes[0] is the root */
    uint32_t           count;
} sync_json_t;


/* Bounds; a zero takes the default. */

typedef struct {
    size_t    size;          /* bytes of text; 16 MiB, at most 4 GiB - 1 */
    uint32_t  nodes;         /* 1,000,000 */
    uint32_t  depth;         /* 128 */
    unsigned  duplicates:1;  /* take duplicate members (syncctl json alone) */
} sync_json_limits_t;


/*
 * OK: *json is filled, its tape in the arena.  NO: not JSON or out of bounds;
 * err has the offset of the fault and the pointer to the duplicate member, or
 * to the member or container that was being read; err->what is one of
 * "syntax", "utf8", "duplicate-member", "too-deep", "too-large",
 * "too-many-nodes".  FAULT: no memory, no random numbers.
 */
sync_rc_t sync_json_parse(sync_json_t *json, sync_arena_t *arena,
    sync_str_t text, const sync_json_limits_t *limits, sync_error_t *err);


static inline sync_str_t
sync_json_slice(const sync_json_t *json, uint32_t n)
{
    return (sync_str_t) { json->nodes[n].len,
                          json->text.data + json->nodes[n].off };
}

/* The whole value as it stands in the text: quotes and brackets included. */
sync_str_t sync_json_raw_container(const sync_json_t *json, uint32_t n);

static inline sync_str_t
sync_json_raw(const sync_json_t *json, uint32_t n)
{
    size_t                   quote;
    const sync_json_node_t  *node;

    node = &json->nodes[n];

    if (node->type == SYNC_JSON_ARRAY || node->type == SYNC_JSON_OBJECT) {
        return sync_json_raw_container(json, n);
    }

    quote = node->type == SYNC_JSON_STRING || node->type == SYNC_JSON_KEY;

    return (sync_str_t) { node->len + 2 * quote,
                          json->text.data + node->off - quote };
}

/*
 * Iteration, over an array's elements:
 *     for (i = sync_json_first(json, n); i != SYNC_JSON_NONE;
 *          i = sync_json_after(json, n, i))
 * Over an object's members i is the KEY, its value i + 1.
 */
static inline uint32_t
sync_json_first(const sync_json_t *json, uint32_t n)
{
    return json->nodes[n].next == n + 1 ? SYNC_JSON_NONE : n + 1;
}

static inline uint32_t
sync_json_after(const sync_json_t *json, uint32_t n, uint32_t i)
{
    return json->nodes[i].next == json->nodes[n].next ? SYNC_JSON_NONE
                                                      : json->nodes[i].next;
}

/* The value of a member, by its unescaped name, or SYNC_JSON_NONE. */
uint32_t sync_json_member(const sync_json_t *json, uint32_t n,
    sync_str_t name);

/* Resolves an RFC 6901 pointer from node n, or SYNC_JSON_NONE. */
uint32_t sync_json_at(const sync_json_t *json, uint32_t n,
    sync_str_t pointer);

/* The RFC 6901 pointer to a node, in the arena; data NULL: no memory. */
sync_str_t sync_json_pointer(const sync_json_t *json, uint32_t n,
    sync_arena_t *arena);

/*
 * The unescaped content of a string or key: the slice itself where there is
 * no escape, else a copy in the arena (data NULL: no memory).  Lone surrogates
 * were refused by the parser.
 */
sync_str_t sync_json_unescape(const sync_json_t *json, uint32_t n,
    sync_arena_t *arena);

/*
 * The text of node n.  NO: it is no string, or has a zero byte, at which
 * whoever reads a name as C does would see its end; FAULT: no memory; both
 * with data NULL.
 */
sync_rc_t sync_json_text(sync_str_t *dst, sync_arena_t *arena,
    const sync_json_t *json, uint32_t n);

/*
 * Compare the unescaped content of a string or key with s, or with another
 * string or key, of the same tape or not; no memory.  compare() orders by
 * bytes, which in UTF-8 is by character: below, at or above 0.
 */
int sync_json_equals(const sync_json_t *json, uint32_t n, sync_str_t s);
int sync_json_same(const sync_json_t *a, uint32_t n, const sync_json_t *b,
    uint32_t m);
int sync_json_compare(const sync_json_t *a, uint32_t n, const sync_json_t *b,
    uint32_t m);

/*
 * Whether two values are equal: numbers by their decimal value, members in
 * any order.  *work pays for what is compared; when it runs out the answer is
 * 0 and *work is 0.
 */
int sync_json_equal(const sync_json_t *a, uint32_t n, const sync_json_t *b,
    uint32_t m, uint64_t *work);

/*
 * SipHash-1-3 under a key of the process: who could foresee the slots of a
 * table could turn it into a list.  OK, or FAULT: no random numbers.
 */
sync_rc_t sync_json_hash(sync_str_t bytes, uint64_t *hash);

/*
 * The same for a value: equal ones have the same hash.  OK, or FAULT (no
 * memory too: escaped strings are unescaped in the arena).
 */
sync_rc_t sync_json_hash_value(const sync_json_t *json, uint32_t n,
    sync_arena_t *arena, uint64_t *hash);

/* The unescaped length of a string or key in characters (code points). */
size_t sync_json_chars(const sync_json_t *json, uint32_t n);

/* An INTEGER number that fits; else NO. */
sync_rc_t sync_json_int(const sync_json_t *json, uint32_t n, int64_t *value);

/*
 * The length of the UTF-8 character at p, which is before end (RFC 3629: no
 * overlong form, no surrogate, nothing above U+10FFFF); 0: it is none.
 */
size_t sync_json_utf8(const unsigned char *p, const unsigned char *end);


/*
 * The writer.  Grows in its arena up to max bytes; commas are its own.  Faults
 * stick: check once at the end.  Values are copied verbatim.  Of names and
 * strings what is not UTF-8 becomes U+FFFD: what is written is always JSON.
 */

typedef struct {
    sync_arena_t   *arena;
    unsigned char  *start;
    unsigned char  *pos;
    unsigned char  *end;
    size_t          max;
    uint32_t        comma;           /* the next value needs a comma first */
    uint32_t        full;            /* over max: sync_json_end says NO */
    uint32_t        fault;           /* no memory */
} sync_json_out_t;

/* hint: bytes expected; max: bytes allowed, 0 for 16 MiB. */
void sync_json_begin(sync_json_out_t *out, sync_arena_t *arena, size_t hint,
    size_t max);
/* OK and the text, or NO (over max) or FAULT. */
sync_rc_t sync_json_end(sync_json_out_t *out, sync_str_t *text);

void sync_json_open(sync_json_out_t *out, char bracket);     /* '{' or '[' */
void sync_json_close(sync_json_out_t *out, char bracket);    /* '}' or ']' */
/* A member's name, unescaped; it is escaped and quoted, a colon follows. */
void sync_json_key(sync_json_out_t *out, sync_str_t name);
/* A string, unescaped; escaped and quoted. */
void sync_json_string(sync_json_out_t *out, sync_str_t s);
/* A string whose escapes stand in it already; quoted. */
void sync_json_quote(sync_json_out_t *out, sync_str_t escaped);
/* A whole value as raw JSON text, copied verbatim. */
void sync_json_value_slow(sync_json_out_t *out, sync_str_t raw);

static inline void
sync_json_value(sync_json_out_t *out, sync_str_t raw)
{
    /* room for a comma as well */

    if ((size_t) (out->end - out->pos) <= raw.len) {
        sync_json_value_slow(out, raw);
        return;
    }

    if (out->comma) {
        *out->pos++ = ',';
    }

    out->comma = 1;

    if (raw.len) {
        memcpy(out->pos, raw.data, raw.len);
        out->pos += raw.len;
    }
}

void sync_json_integer(sync_json_out_t *out, int64_t value);

/* A value of a tape, verbatim. */
static inline void
sync_json_copy(sync_json_out_t *out, const sync_json_t *json, uint32_t n)
{
    sync_json_value(out, sync_json_raw(json, n));
}


#endif /* SYNC_JSON_H_INCLUDED_ */
