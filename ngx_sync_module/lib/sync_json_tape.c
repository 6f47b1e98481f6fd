
/*
 * Reading a tape: slices, names, pointers, unescaping.
 */


#include "sync_json.h"


/* Walks the unescaped bytes of a slice that the parser has taken. */

typedef struct {
    const unsigned char  *pos;
    const unsigned char  *end;
    unsigned char         bytes[4];
    uint8_t               have;
    uint8_t               used;
} sync_json_walk_t;


static sync_json_walk_t sync_json_walk(const sync_json_t *json, uint32_t n);
static int sync_json_step(sync_json_walk_t *w);
static void sync_json_escape(sync_json_walk_t *w);
static uint32_t sync_json_hex4(const unsigned char *p);
static uint32_t sync_json_child(const sync_json_t *json, uint32_t n,
    sync_str_t token);
static int sync_json_token_is(const sync_json_t *json, uint32_t n,
    sync_str_t token);
static size_t sync_json_token(const sync_json_t *json, uint32_t n,
    unsigned char *p);
static size_t sync_json_index(uint32_t index, unsigned char *p);


sync_str_t
sync_json_raw_container(const sync_json_t *json, uint32_t n)
{
    uint32_t                 open;
    sync_str_t               raw;
    const unsigned char     *p;
    const sync_json_node_t  *node, *last;

    node = &json->nodes[n];
    raw = sync_json_slice(json, n);

    /*
     * The closing bracket is not on the tape.  Behind the last node inside
     * stand only white space and the brackets of what closes there.
     */

    last = &json->nodes[node->next - 1];
    p = json->text.data + last->off;
    open = (uint32_t) last->depth - node->depth;

    switch (last->type) {

    case SYNC_JSON_ARRAY:
    case SYNC_JSON_OBJECT:
        p++;
        open++;
        break;

    case SYNC_JSON_STRING:
        p += last->len + 1;
        break;

    default:
        p += last->len;
    }

    while (open) {
        if (*p == ']' || *p == '}') {
            open--;
        }

        p++;
    }

    raw.len = (size_t) (p - raw.data);

    return raw;
}


uint32_t
sync_json_member(const sync_json_t *json, uint32_t n, sync_str_t name)
{
    uint32_t                 i;
    const sync_json_node_t  *nodes;

    nodes = json->nodes;

    if (nodes[n].type != SYNC_JSON_OBJECT) {
        return SYNC_JSON_NONE;
    }

    for (i = n + 1; i < nodes[n].next; i = nodes[i].next) {
        if ((nodes[i].len == name.len || (nodes[i].flags & SYNC_JSON_ESCAPED))
            && sync_json_equals(json, i, name))
        {
            return i + 1;
        }
    }

    return SYNC_JSON_NONE;
}


uint32_t
sync_json_at(const sync_json_t *json, uint32_t n, sync_str_t pointer)
{
    sync_str_t            token;
    const unsigned char  *end;

    end = pointer.data + pointer.len;
    token.data = pointer.data;

    while (token.data < end) {

        if (*token.data++ != '/') {
            return SYNC_JSON_NONE;
        }

        token.len = 0;

        while (token.data + token.len < end && token.data[token.len] != '/') {
            token.len++;
        }

        n = sync_json_child(json, n, token);
        if (n == SYNC_JSON_NONE) {
            return SYNC_JSON_NONE;
        }

        token.data += token.len;
    }

    return n;
}


static uint32_t
sync_json_child(const sync_json_t *json, uint32_t n, sync_str_t token)
{
    size_t    i;
    uint32_t  index, child;

    if (json->nodes[n].type == SYNC_JSON_OBJECT) {

        for (child = sync_json_first(json, n);
             child != SYNC_JSON_NONE;
             child = sync_json_after(json, n, child))
        {
            if (sync_json_token_is(json, child, token)) {
                return child + 1;
            }
        }

        return SYNC_JSON_NONE;
    }

    if (json->nodes[n].type != SYNC_JSON_ARRAY || token.len == 0
        || token.len > 9 || (token.data[0] == '0' && token.len > 1))
    {
        return SYNC_JSON_NONE;
    }

    for (index = 0, i = 0; i < token.len; i++) {

        if (token.data[i] < '0' || token.data[i] > '9') {
            return SYNC_JSON_NONE;
        }

        index = index * 10 + (token.data[i] - '0');
    }

    if (index >= json->nodes[n].len) {
        return SYNC_JSON_NONE;
    }

    for (child = n + 1; index; index--) {
        child = json->nodes[child].next;
    }

    return child;
}


/* Whether a key is what a reference token with its ~0 and ~1 stands for. */

static int
sync_json_token_is(const sync_json_t *json, uint32_t n, sync_str_t token)
{
    int               ch;
    size_t            i;
    sync_json_walk_t  w;

    w = sync_json_walk(json, n);

    for (i = 0; i < token.len; i++) {
        ch = token.data[i];

        if (ch == '~') {

            if (++i == token.len || (token.data[i] | 1) != '1') {
                return 0;
            }

            ch = token.data[i] == '0' ? '~' : '/';
        }

        if (sync_json_step(&w) != ch) {
            return 0;
        }
    }

    return sync_json_step(&w) == -1;
}


sync_str_t
sync_json_pointer(const sync_json_t *json, uint32_t n, sync_arena_t *arena)
{
    size_t          len;
    uint32_t        at, child, index;
    sync_str_t      pointer;
    unsigned char  *p;

    /* the way down is walked twice: for the length, for the text */

    pointer = sync_str_null;
    p = NULL;

    for ( ;; ) {
        len = 0;
        at = 0;

        while (at != n) {
            index = 0;

            for (child = at + 1;
                 json->nodes[child].next <= n;
                 child = json->nodes[child].next)
            {
                index++;
            }

            if (json->nodes[at].type == SYNC_JSON_OBJECT) {
                len += sync_json_token(json, child, p ? p + len : NULL);
                at = child == n ? n : child + 1;

            } else {
                len += sync_json_index(index, p ? p + len : NULL);
                at = child;
            }
        }

        if (p != NULL) {
            return pointer;
        }

        p = sync_alloc(arena, len + 1);
        if (p == NULL) {
            return sync_str_null;
        }

        p[len] = '\0';
        pointer.len = len;
        pointer.data = p;
    }
}


/* The length of "/name", which is written where p is given. */

static size_t
sync_json_token(const sync_json_t *json, uint32_t n, unsigned char *p)
{
    int               ch, escape;
    size_t            len;
    sync_json_walk_t  w;

    w = sync_json_walk(json, n);

    if (p != NULL) {
        *p++ = '/';
    }

    for (len = 1; (ch = sync_json_step(&w)) != -1; len++) {
        escape = ch == '~' || ch == '/';
        len += escape;

        if (p != NULL) {

            if (escape) {
                *p++ = '~';
                ch = ch == '~' ? '0' : '1';
            }

            *p++ = (unsigned char) ch;
        }
    }

    return len;
}


static size_t
sync_json_index(uint32_t index, unsigned char *p)
{
    size_t         len;
    unsigned char  digits[SYNC_DIGITS];

    len = (size_t) (sync_digits(digits, index) - digits);

    if (p != NULL) {
        *p++ = '/';
        memcpy(p, digits, len);
    }

    return len + 1;
}


sync_str_t
sync_json_unescape(const sync_json_t *json, uint32_t n, sync_arena_t *arena)
{
    int               ch;
    sync_str_t        s;
    unsigned char    *p;
    sync_json_walk_t  w;

    s = sync_json_slice(json, n);

    if (!(json->nodes[n].flags & SYNC_JSON_ESCAPED)) {
        return s;
    }

    /* no escape is shorter than what it stands for */

    p = sync_alloc(arena, s.len + 1);
    if (p == NULL) {
        return sync_str_null;
    }

    s.data = p;
    w = sync_json_walk(json, n);

    while ((ch = sync_json_step(&w)) != -1) {
        *p++ = (unsigned char) ch;
    }

    *p = '\0';
    s.len = (size_t) (p - s.data);

    return s;
}


sync_rc_t
sync_json_text(sync_str_t *dst, sync_arena_t *arena, const sync_json_t *json,
    uint32_t n)
{
    *dst = sync_str_null;

    if (n == SYNC_JSON_NONE || json->nodes[n].type != SYNC_JSON_STRING) {
        return SYNC_NO;
    }

    *dst = sync_json_unescape(json, n, arena);

    if (dst->data == NULL) {
        return SYNC_FAULT;
    }

    if (memchr(dst->data, '\0', dst->len) != NULL) {
        *dst = sync_str_null;
        return SYNC_NO;
    }

    return SYNC_OK;
}


int
sync_json_equals(const sync_json_t *json, uint32_t n, sync_str_t s)
{
    size_t                   i;
    sync_json_walk_t         w;
    const sync_json_node_t  *node;

    node = &json->nodes[n];

    if (!(node->flags & SYNC_JSON_ESCAPED)) {
        return node->len == s.len
               && sync_bytes_eq(json->text.data + node->off, s.data, s.len);
    }

    w = sync_json_walk(json, n);

    for (i = 0; i < s.len; i++) {
        if (sync_json_step(&w) != s.data[i]) {
            return 0;
        }
    }

    return sync_json_step(&w) == -1;
}


int
sync_json_same(const sync_json_t *a, uint32_t n, const sync_json_t *b,
    uint32_t m)
{
    if (!(b->nodes[m].flags & SYNC_JSON_ESCAPED)) {
        return sync_json_equals(a, n, sync_json_slice(b, m));
    }

    return sync_json_compare(a, n, b, m) == 0;
}


int
sync_json_compare(const sync_json_t *a, uint32_t n, const sync_json_t *b,
    uint32_t m)
{
    int               x, y;
    sync_json_walk_t  v, w;

    v = sync_json_walk(a, n);
    w = sync_json_walk(b, m);

    do {
        x = sync_json_step(&v);
        y = sync_json_step(&w);
    } while (x == y && x != -1);

    return x - y;
}


size_t
sync_json_chars(const sync_json_t *json, uint32_t n)
{
    int               ch;
    size_t            chars;
    sync_json_walk_t  w;

    chars = 0;
    w = sync_json_walk(json, n);

    while ((ch = sync_json_step(&w)) != -1) {
        chars += (ch & 0xc0) != 0x80;
    }

    return chars;
}


sync_rc_t
sync_json_int(const sync_json_t *json, uint32_t n, int64_t *value)
{
    int         minus;
    size_t      i;
    int64_t     v;
    sync_str_t  s;

    if (json->nodes[n].type != SYNC_JSON_NUMBER
        || !(json->nodes[n].flags & SYNC_JSON_INTEGER))
    {
        return SYNC_NO;
    }

    s = sync_json_slice(json, n);
    minus = s.data[0] == '-';
    v = 0;

    /* downwards, where there is room for one more */

    for (i = (size_t) minus; i < s.len; i++) {
        if (__builtin_mul_overflow(v, 10, &v)
            || __builtin_sub_overflow(v, s.data[i] - '0', &v))
        {
            return SYNC_NO;
        }
    }

    if (!minus && __builtin_sub_overflow(0, v, &v)) {
        return SYNC_NO;
    }

    *value = v;

    return SYNC_OK;
}


static sync_json_walk_t
sync_json_walk(const sync_json_t *json, uint32_t n)
{
    sync_str_t        s;
    sync_json_walk_t  w;

    s = sync_json_slice(json, n);

    w.pos = s.data;
    w.end = s.data + s.len;
    w.have = 0;
    w.used = 0;

    return w;
}


/* The next byte, or -1. */

static inline int
sync_json_step(sync_json_walk_t *w)
{
    if (w->used < w->have) {
        return w->bytes[w->used++];
    }

    if (w->pos == w->end) {
        return -1;
    }

    if (*w->pos != '\\') {
        return *w->pos++;
    }

    sync_json_escape(w);

    return w->bytes[w->used++];
}


static void
sync_json_escape(sync_json_walk_t *w)
{
    uint32_t        ch;
    unsigned char  *b;

    b = w->bytes;
    w->used = 0;
    w->have = 1;
    w->pos += 2;

    switch (w->pos[-1]) {

    case 'b':
        b[0] = '\b';
        return;

    case 'f':
        b[0] = '\f';
        return;

    case 'n':
        b[0] = '\n';
        return;

    case 'r':
        b[0] = '\r';
        return;

    case 't':
        b[0] = '\t';
        return;

    case 'u':
        break;

    default:
        b[0] = w->pos[-1];
        return;
    }

    ch = sync_json_hex4(w->pos);
    w->pos += 4;

    if (ch >= 0xd800 && ch <= 0xdbff) {
        ch = 0x10000 + ((ch - 0xd800) << 10)
             + (sync_json_hex4(w->pos + 2) - 0xdc00);
        w->pos += 6;
    }

    if (ch < 0x80) {
        b[0] = (unsigned char) ch;

    } else if (ch < 0x800) {
        b[0] = (unsigned char) (0xc0 | ch >> 6);
        b[1] = (unsigned char) (0x80 | (ch & 0x3f));
        w->have = 2;

    } else if (ch < 0x10000) {
        b[0] = (unsigned char) (0xe0 | ch >> 12);
        b[1] = (unsigned char) (0x80 | (ch >> 6 & 0x3f));
        b[2] = (unsigned char) (0x80 | (ch & 0x3f));
        w->have = 3;

    } else {
        b[0] = (unsigned char) (0xf0 | ch >> 18);
        b[1] = (unsigned char) (0x80 | (ch >> 12 & 0x3f));
        b[2] = (unsigned char) (0x80 | (ch >> 6 & 0x3f));
        b[3] = (unsigned char) (0x80 | (ch & 0x3f));
        w->have = 4;
    }
}


/* Four hexadecimal digits, which the parser has checked. */

static uint32_t
sync_json_hex4(const unsigned char *p)
{
    int       i;
    uint32_t  ch;

    for (ch = 0, i = 0; i < 4; i++) {
        ch = ch << 4 | (uint32_t) (p[i] <= '9' ? p[i] - '0'
                                               : (p[i] | 0x20) - 'a' + 10);
    }

    return ch;
}


size_t
sync_json_utf8(const unsigned char *p, const unsigned char *end)
{
    size_t  left;

    left = (size_t) (end - p);

#define sync_json_tail(c)  (((c) & 0xc0) == 0x80)

    if (p[0] < 0x80) {
        return 1;
    }

    if (p[0] >= 0xc2 && p[0] <= 0xdf) {
        return left >= 2 && sync_json_tail(p[1]) ? 2 : 0;
    }

    if (p[0] >= 0xe0 && p[0] <= 0xef) {
        return left >= 3 && sync_json_tail(p[1]) && sync_json_tail(p[2])
               && (p[0] != 0xe0 || p[1] >= 0xa0)
               && (p[0] != 0xed || p[1] < 0xa0) ? 3 : 0;
    }

    if (p[0] >= 0xf0 && p[0] <= 0xf4) {
        return left >= 4 && sync_json_tail(p[1]) && sync_json_tail(p[2])
               && sync_json_tail(p[3])
               && (p[0] != 0xf0 || p[1] >= 0x90)
               && (p[0] != 0xf4 || p[1] < 0x90) ? 4 : 0;
    }

#undef sync_json_tail

    return 0;
}
