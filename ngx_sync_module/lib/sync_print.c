
/*
 * The print: canonical bytes, streamed through a small buffer into SHA-256.
 */


#include "sync_print.h"


/* Objects of more members are sorted by a heap: no input makes it slow. */
#define SYNC_PRINT_SMALL  32
#define SYNC_PRINT_STACK  128


typedef struct {
    sync_str_t                name;
    uint64_t                  head;  /* its first bytes, as they sort */
    uint32_t                  value;
} sync_print_member_t;


/*
 * Members of all open objects, one behind the other: their sum is no more
 * than the keys of the tape.
 */

typedef struct {
    sync_print_t             *print;
    const sync_json_t        *json;
    sync_arena_t             *arena;
    sync_print_member_t      *members;
    uint32_t                  used;
} sync_print_tape_t;


static void sync_print_put(sync_print_t *p, const void *data, size_t len);
static void sync_print_length(sync_print_t *p, uint64_t n);
static void sync_print_field(sync_print_t *p, sync_str_t s);
static void sync_print_text(sync_print_t *p, unsigned char tag, sync_str_t s);
static void sync_print_lower(sync_print_t *p, sync_str_t s);
static sync_str_t sync_print_string(sync_print_tape_t *t, uint32_t n);
static sync_rc_t sync_print_value(sync_print_tape_t *t, uint32_t n);
static sync_rc_t sync_print_object(sync_print_tape_t *t, uint32_t n);
static void sync_print_sort(sync_print_member_t *m, uint32_t n);
static void sync_print_sift(sync_print_member_t *m, uint32_t root,
    uint32_t n);
static uint64_t sync_print_head(sync_str_t name);
static int sync_print_before(const sync_print_member_t *a,
    const sync_print_member_t *b);
static unsigned char sync_print_rank(unsigned char byte);
static sync_str_t sync_print_trim(const unsigned char *p,
    const unsigned char *end);
static int sync_print_is(sync_str_t s, const char *lower);


#define sync_print_low(c)                                                     \
    ((unsigned char) ((c) >= 'A' && (c) <= 'Z' ? (c) | 0x20 : (c)))


sync_rc_t
sync_print_begin(sync_print_t *p, const sync_print_request_t *r,
    sync_arena_t *arena)
{
    uint32_t    i;
    sync_str_t  type;

    type = sync_print_media_type(r->media_type, arena);

    if (type.data == NULL) {
        return SYNC_FAULT;
    }

    sync_sha256_init(&p->sha);
    p->bytes = 0;
    p->used = 0;
    p->skip = sync_str_null;

    sync_print_put(p, "sync-print", 10);
    sync_print_length(p, SYNC_PRINT_VERSION);
    sync_print_field(p, r->path);
    sync_print_field(p, r->query);
    sync_print_field(p, type);
    sync_print_length(p, r->nheaders);

    for (i = 0; i < r->nheaders; i++) {
        sync_print_lower(p, r->headers[i].name);
        sync_print_field(p, r->headers[i].value);
    }

    return SYNC_OK;
}


sync_rc_t
sync_print_json(sync_print_t *p, const sync_json_t *json,
    sync_arena_t *arena)
{
    uint32_t             i, keys;
    sync_print_tape_t    t;
    sync_print_member_t  stack[SYNC_PRINT_STACK];

    keys = 0;

    for (i = 0; i < json->count; i++) {
        keys += json->nodes[i].type == SYNC_JSON_KEY;

        if (json->nodes[i].depth > SYNC_PRINT_DEPTH) {
            sync_print_bytes(p, json->text);
            return SYNC_OK;
        }
    }

    t.print = p;
    t.json = json;
    t.arena = arena;
    t.members = stack;
    t.used = 0;

    if (keys > SYNC_PRINT_STACK) {
        t.members = sync_alloc(arena, keys * sizeof(sync_print_member_t));
        if (t.members == NULL) {
            return SYNC_FAULT;
        }
    }

    sync_print_put(p, "j", 1);

    return sync_print_value(&t, 0);
}


void
sync_print_bytes(sync_print_t *p, sync_str_t piece)
{
    if (piece.len == 0) {
        return;
    }

    if (p->bytes == 0) {
        sync_print_put(p, "b", 1);
    }

    p->bytes += piece.len;

    sync_print_put(p, piece.data, piece.len);
}


void
sync_print_end(sync_print_t *p, unsigned char print[SYNC_PRINT_LEN])
{
    /* the length of a payload that came in pieces stands behind it */

    sync_print_length(p, p->bytes);

    sync_sha256_update(&p->sha, p->buf, p->used);
    sync_sha256_final(&p->sha, print);
}


static inline void
sync_print_put(sync_print_t *p, const void *data, size_t len)
{
    if (len > sizeof(p->buf) - p->used) {
        sync_sha256_update(&p->sha, p->buf, p->used);
        p->used = 0;

        if (len > sizeof(p->buf)) {
            sync_sha256_update(&p->sha, data, len);
            return;
        }
    }

    if (len) {
        memcpy(p->buf + p->used, data, len);
        p->used += len;
    }
}


/* Seven bits a byte, the lowest first: most lengths of an order take one. */

static inline void
sync_print_length(sync_print_t *p, uint64_t n)
{
    size_t         used;
    unsigned char  bytes[10];

    for (used = 0; n >= 0x80; n >>= 7) {
        bytes[used++] = (unsigned char) (0x80 | (n & 0x7f));
    }

    bytes[used++] = (unsigned char) n;

    sync_print_put(p, bytes, used);
}


static inline void
sync_print_field(sync_print_t *p, sync_str_t s)
{
    sync_print_length(p, s.len);
    sync_print_put(p, s.data, s.len);
}


/* A tag and a field: at once where it is short, as nearly all of them are. */

static inline void
sync_print_text(sync_print_t *p, unsigned char tag, sync_str_t s)
{
    unsigned char  *d;

    if (s.len < 0x80 && sizeof(p->buf) - p->used >= s.len + 2) {
        d = p->buf + p->used;
        d[0] = tag;
        d[1] = (unsigned char) s.len;
        memcpy(d + 2, s.data, s.len);
        p->used += s.len + 2;
        return;
    }

    sync_print_put(p, &tag, 1);
    sync_print_field(p, s);
}


static void
sync_print_lower(sync_print_t *p, sync_str_t s)
{
    size_t         i;
    unsigned char  ch;

    sync_print_length(p, s.len);

    for (i = 0; i < s.len; i++) {
        ch = sync_print_low(s.data[i]);
        sync_print_put(p, &ch, 1);
    }
}


/* The content of a string or key; few have an escape. */

static inline sync_str_t
sync_print_string(sync_print_tape_t *t, uint32_t n)
{
    return t->json->nodes[n].flags & SYNC_JSON_ESCAPED
           ? sync_json_unescape(t->json, n, t->arena)
           : sync_json_slice(t->json, n);
}


/* Recursion is bounded by SYNC_PRINT_DEPTH. */

static sync_rc_t
sync_print_value(sync_print_tape_t *t, uint32_t n)
{
    uint32_t                 i;
    sync_str_t               s;
    unsigned char            tag;
    const sync_json_node_t  *node;

    node = &t->json->nodes[n];
    tag = (unsigned char) ('0' + node->type);

    switch (node->type) {

    case SYNC_JSON_STRING:
        s = sync_print_string(t, n);

        if (s.data == NULL) {
            return SYNC_FAULT;
        }

        sync_print_text(t->print, tag, s);
        return SYNC_OK;

    case SYNC_JSON_NUMBER:
        sync_print_text(t->print, tag, sync_json_slice(t->json, n));
        return SYNC_OK;
    }

    sync_print_put(t->print, &tag, 1);

    switch (node->type) {

    case SYNC_JSON_ARRAY:
        sync_print_length(t->print, node->len);

        for (i = n + 1; i < node->next; i = t->json->nodes[i].next) {
            if (sync_print_value(t, i) != SYNC_OK) {
                return SYNC_FAULT;
            }
        }

        break;

    case SYNC_JSON_OBJECT:
        return sync_print_object(t, n);
    }

    return SYNC_OK;
}


static sync_rc_t
sync_print_object(sync_print_tape_t *t, uint32_t n)
{
    int                      skip;
    uint32_t                 i, count;
    sync_print_member_t     *m;
    const sync_json_node_t  *nodes;

    nodes = t->json->nodes;
    m = t->members + t->used;
    count = 0;

    skip = t->print->skip.len
           && nodes[n].depth == (nodes[0].type == SYNC_JSON_ARRAY);

    for (i = n + 1; i < nodes[n].next; i = nodes[i].next) {
        m[count].name = sync_print_string(t, i);
        m[count].value = i + 1;

        if (m[count].name.data == NULL) {
            return SYNC_FAULT;
        }

        if (skip && sync_str_eq(m[count].name, t->print->skip)) {
            continue;
        }

        m[count].head = sync_print_head(m[count].name);
        count++;
    }

    sync_print_sort(m, count);
    sync_print_length(t->print, count);

    t->used += count;

    for (i = 0; i < count; i++) {
        sync_print_text(t->print, 'k', m[i].name);

        if (sync_print_value(t, m[i].value) != SYNC_OK) {
            return SYNC_FAULT;
        }
    }

    t->used -= count;

    return SYNC_OK;
}


static void
sync_print_sort(sync_print_member_t *m, uint32_t n)
{
    uint32_t             i, k;
    sync_print_member_t  one;

    if (n <= SYNC_PRINT_SMALL) {

        for (i = 1; i < n; i++) {
            one = m[i];

            for (k = i; k && sync_print_before(&one, &m[k - 1]); k--) {
                m[k] = m[k - 1];
            }

            m[k] = one;
        }

        return;
    }

    for (i = n / 2; i; i--) {
        sync_print_sift(m, i - 1, n);
    }

    for (i = n - 1; i; i--) {
        one = m[0];
        m[0] = m[i];
        m[i] = one;

        sync_print_sift(m, 0, i);
    }
}


static void
sync_print_sift(sync_print_member_t *m, uint32_t root, uint32_t n)
{
    uint32_t             child;
    sync_print_member_t  one;

    one = m[root];

    while ((child = 2 * root + 1) < n) {

        if (child + 1 < n && sync_print_before(&m[child], &m[child + 1])) {
            child++;
        }

        if (!sync_print_before(&one, &m[child])) {
            break;
        }

        m[root] = m[child];
        root = child;
    }

    m[root] = one;
}


/* Eight bytes as a number: of most names more need not be compared. */

static inline uint64_t
sync_print_head(sync_str_t name)
{
    size_t    i;
    uint64_t  head;

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    if (name.len >= 8) {
        memcpy(&head, name.data, 8);

        if ((head & 0x8080808080808080) == 0) {
            return __builtin_bswap64(head);
        }
    }
#endif

    head = 0;

    for (i = 0; i < 8; i++) {
        head <<= 8;
        head |= i < name.len ? sync_print_rank(name.data[i]) : 0;
    }

    return head;
}


static inline int
sync_print_before(const sync_print_member_t *a, const sync_print_member_t *b)
{
    size_t  i, len;

    if (a->head != b->head) {
        return a->head < b->head;
    }

    len = a->name.len < b->name.len ? a->name.len : b->name.len;

    for (i = 8; i < len; i++) {

        if (a->name.data[i] != b->name.data[i]) {
            return sync_print_rank(a->name.data[i])
                   < sync_print_rank(b->name.data[i]);
        }
    }

    return a->name.len < b->name.len;
}


/*
 * By UTF-16 code units.  UTF-8 sorts the same way but for one thing: the
 * characters above U+FFFF (first byte 0xf0 to 0xf4) are surrogates there and
 * come before U+E000 to U+FFFF (first byte 0xee or 0xef).
 */

static inline unsigned char
sync_print_rank(unsigned char byte)
{
    if (byte < 0xee) {
        return byte;
    }

    return byte >= 0xf0 ? byte - 2 : byte + 5;
}


sync_str_t
sync_print_media_type(sync_str_t type, sync_arena_t *arena)
{
    sync_str_t            out, name, value;
    unsigned char        *d;
    const unsigned char  *p, *q, *end;

    out.data = sync_alloc(arena, type.len + 1);
    if (out.data == NULL) {
        return sync_str_null;
    }

    if (type.len == 0) {
        out.len = 0;
        return out;
    }

    d = out.data;
    p = type.data;
    end = p + type.len;

    for (q = p; q < end && *q != ';'; q++) {
        /* void */
    }

    name = sync_print_trim(p, q);

    for (p = name.data; p < name.data + name.len; p++) {
        *d++ = sync_print_low(*p);
    }

    while (q < end) {

        /* q is at the ";" before a parameter */

        for (p = ++q; q < end && *q != ';' && *q != '='; q++) {
            /* void */
        }

        name = sync_print_trim(p, q);
        value = sync_str_null;

        if (q < end && *q == '=') {

            for (p = ++q; q < end && *q != ';'; q++) {

                if (*q != '"') {
                    continue;
                }

                for (q++; q < end && *q != '"'; q++) {
                    q += *q == '\\' && q + 1 < end;
                }

                if (q == end) {
                    break;
                }
            }

            value = sync_print_trim(p, q);
        }

        if (name.len == 0 && value.len == 0) {
            continue;
        }

        if (sync_print_is(name, "charset")) {

            if (value.len >= 2 && value.data[0] == '"'
                && value.data[value.len - 1] == '"')
            {
                value.data++;
                value.len -= 2;
            }

            if (sync_print_is(value, "utf-8")) {
                continue;
            }
        }

        *d++ = ';';

        for (p = name.data; p < name.data + name.len; p++) {
            *d++ = sync_print_low(*p);
        }

        if (value.data == NULL) {
            continue;
        }

        *d++ = '=';

        for (p = value.data; p < value.data + value.len; p++) {
            *d++ = sync_print_is(name, "charset") ? sync_print_low(*p) : *p;
        }
    }

    *d = '\0';
    out.len = (size_t) (d - out.data);

    return out;
}


static sync_str_t
sync_print_trim(const unsigned char *p, const unsigned char *end)
{
    while (p < end && (*p == ' ' || *p == '\t')) {
        p++;
    }

    while (end > p && (end[-1] == ' ' || end[-1] == '\t')) {
        end--;
    }

    return (sync_str_t) { (size_t) (end - p), (unsigned char *) p };
}


static int
sync_print_is(sync_str_t s, const char *lower)
{
    size_t  i;

    if (s.len != strlen(lower)) {
        return 0;
    }

    for (i = 0; i < s.len; i++) {
        if (sync_print_low(s.data[i]) != (unsigned char) lower[i]) {
            return 0;
        }
    }

    return 1;
}
