
/*
 * The payload reader (RFC 8259): one pass, no recursion, no copies.
 */


#include "sync_json.h"

#include <unistd.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif


#define SYNC_JSON_SIZE    (16 * 1024 * 1024)
#define SYNC_JSON_NODES   1000000
#define SYNC_JSON_DEPTH   128

/* Names of larger objects go through a hash table when the object closes. */
#define SYNC_JSON_SMALL   24


typedef struct {
    uint32_t              node;      /* the open container */
    uint32_t              members;   /* begun so far */
    uint64_t              seen;      /* a bit for each hash of a name */
} sync_json_frame_t;


typedef struct {
    sync_json_t           json;
    const unsigned char  *end;
    uint32_t              room;      /* nodes allocated */
    uint32_t              max_nodes;
    uint32_t              max_depth;
    uint32_t              depth;     /* open containers */
    sync_json_frame_t    *frames;
    uint32_t             *table;     /* of names, for one object at a time */
    uint32_t              slots;
    uint8_t               duplicates;
    sync_arena_t         *arena;
    sync_error_t         *err;
} sync_json_reader_t;


static sync_rc_t sync_json_read(sync_json_reader_t *r);
static const unsigned char *sync_json_scan(const unsigned char *p,
    const unsigned char *end);
static sync_rc_t sync_json_read_string(sync_json_reader_t *r,
    const unsigned char **pos, uint8_t *flags);
static sync_rc_t sync_json_read_escape(sync_json_reader_t *r,
    const unsigned char **pos);
static sync_rc_t sync_json_read_number(sync_json_reader_t *r,
    const unsigned char **pos, uint8_t *flags);
static sync_rc_t sync_json_grow(sync_json_reader_t *r,
    const unsigned char *p);
static sync_rc_t sync_json_small_names(sync_json_reader_t *r,
    sync_json_frame_t *f, uint32_t key);
static sync_rc_t sync_json_large_names(sync_json_reader_t *r, uint32_t node);
static sync_rc_t sync_json_duplicate(sync_json_reader_t *r, uint32_t key);
static sync_rc_t sync_json_syntax(sync_json_reader_t *r,
    const unsigned char *p, const char *fault);
static void sync_json_place(sync_json_reader_t *r, uint32_t key);


static uint64_t  sync_json_seed[2];


#define sync_json_skip(p, end)                                                \
    while ((p) < (end) && *(p) <= ' '                                         \
           && (*(p) == ' ' || *(p) == '\n' || *(p) == '\r' || *(p) == '\t'))  \
    {                                                                         \
        (p)++;                                                                \
    }

#define sync_json_digit(p, end)                                               \
    ((p) < (end) && *(p) >= '0' && *(p) <= '9')

#define sync_json_rotl(x, n)  (((x) << (n)) | ((x) >> (64 - (n))))


sync_rc_t
sync_json_parse(sync_json_t *json, sync_arena_t *arena, sync_str_t text,
    const sync_json_limits_t *limits, sync_error_t *err)
{
    size_t              size, room;
    sync_rc_t           rc;
    sync_json_frame_t   frames[SYNC_JSON_DEPTH];
    sync_json_reader_t  r;

    size = limits && limits->size ? limits->size : SYNC_JSON_SIZE;

    if (text.len > size || text.len >= UINT32_MAX) {
        return sync_refuse(err, "too-large", SYNC_NOWHERE,
                           "the text has %zu bytes, %zu are allowed",
                           text.len, size);
    }

    if (text.len >= 3 && memcmp(text.data, "\xef\xbb\xbf", 3) == 0) {
        return sync_refuse(err, "syntax", 0,
                           "the text begins with a byte order mark, which "
                           "JSON has not (RFC 8259, 8.1): send it without");
    }

    memset(&r, 0, sizeof(sync_json_reader_t));

    r.json.text = text;
    r.end = text.data + text.len;
    r.frames = frames;
    r.arena = arena;
    r.err = err;
    r.max_nodes = limits && limits->nodes ? limits->nodes : SYNC_JSON_NODES;
    r.max_depth = limits && limits->depth ? limits->depth : SYNC_JSON_DEPTH;
    r.duplicates = limits && limits->duplicates;

    if (r.max_depth > UINT16_MAX) {
        r.max_depth = UINT16_MAX;
    }

    if (r.max_depth > SYNC_JSON_DEPTH) {
        r.frames = sync_alloc(arena, r.max_depth * sizeof(sync_json_frame_t));
        if (r.frames == NULL) {
            return SYNC_FAULT;
        }
    }

    /*
     * Orders have a node in 8 to 20 bytes.  An estimate too low costs a copy,
     * one too high address space.
     */

    room = text.len / 8 + 16;
    r.room = room < r.max_nodes ? (uint32_t) room : r.max_nodes;

    r.json.nodes = sync_alloc(arena, r.room * sizeof(sync_json_node_t));
    if (r.json.nodes == NULL) {
        return SYNC_FAULT;
    }

    rc = sync_json_read(&r);

    if (rc == SYNC_OK) {
        *json = r.json;
    }

    return rc;
}


static sync_rc_t
sync_json_read(sync_json_reader_t *r)
{
    uint8_t               type, flags;
    uint32_t              n;
    sync_rc_t             rc;
    sync_json_node_t     *node;
    sync_json_frame_t    *f;
    const unsigned char  *p, *end, *start, *text;

    f = NULL;
    text = r->json.text.data;
    p = text;
    end = r->end;

value:

    sync_json_skip(p, end);

    if (p == end) {
        return sync_json_syntax(r, p, "a value is missing");
    }

    if (r->json.count == r->room) {
        rc = sync_json_grow(r, p);
        if (rc != SYNC_OK) {
            return rc;
        }
    }

    start = p;
    flags = 0;

    switch (*p) {

    case '"':
        start = ++p;
        p = sync_json_scan(p, end);

        if (p == end || *p != '"') {
            rc = sync_json_read_string(r, &p, &flags);
            if (rc != SYNC_OK) {
                return rc;
            }
        }

        type = SYNC_JSON_STRING;
        break;

    case '{':
        type = SYNC_JSON_OBJECT;
        goto open;

    case '[':
        type = SYNC_JSON_ARRAY;
        goto open;

    case 't':
        type = SYNC_JSON_TRUE;

        if (end - p < 4 || memcmp(p, "true", 4) != 0) {
            return sync_json_syntax(r, p, "this is no value");
        }

        p += 4;
        break;

    case 'f':
        type = SYNC_JSON_FALSE;

        if (end - p < 5 || memcmp(p, "false", 5) != 0) {
            return sync_json_syntax(r, p, "this is no value");
        }

        p += 5;
        break;

    case 'n':
        type = SYNC_JSON_NULL;

        if (end - p < 4 || memcmp(p, "null", 4) != 0) {
            return sync_json_syntax(r, p, "this is no value");
        }

        p += 4;
        break;

    default:
        type = SYNC_JSON_NUMBER;

        rc = sync_json_read_number(r, &p, &flags);
        if (rc != SYNC_OK) {
            return rc;
        }
    }

    n = r->json.count++;
    r->json.nodes[n] = (sync_json_node_t) {
        (uint32_t) (start - text), (uint32_t) (p - start), n + 1,
        type, flags, (uint16_t) r->depth
    };

    if (type == SYNC_JSON_STRING) {
        p++;
    }

after:

    sync_json_skip(p, end);

    if (f == NULL) {

        if (p != end) {
            return sync_json_syntax(r, p, "the text goes on behind its value");
        }

        return SYNC_OK;
    }

    if (r->json.nodes[f->node].type == SYNC_JSON_ARRAY) {

        if (p < end && *p == ',') {
            p++;
            f->members++;
            goto value;
        }

        if (p < end && *p == ']') {
            goto close;
        }

        return sync_json_syntax(r, p, "\",\" or \"]\" is missing");
    }

    if (p < end && *p == ',') {
        p++;
        sync_json_skip(p, end);
        goto member;
    }

    if (p < end && *p == '}') {
        goto close;
    }

    return sync_json_syntax(r, p, "\",\" or \"}\" is missing");

open:

    if (r->depth == r->max_depth) {
        sync_refuse(r->err, "too-deep", p - text,
                    "containers are nested deeper than %u",
                    (unsigned) r->max_depth);
        sync_json_place(r, SYNC_JSON_NONE);
        return SYNC_NO;
    }

    n = r->json.count++;
    r->json.nodes[n] = (sync_json_node_t) {
        (uint32_t) (p - text), 0, n + 1, type, 0, (uint16_t) r->depth
    };

    f = &r->frames[r->depth++];
    *f = (sync_json_frame_t) { n, 0, 0 };

    p++;
    sync_json_skip(p, end);

    if (type == SYNC_JSON_ARRAY) {

        if (p < end && *p == ']') {
            goto close;
        }

        f->members = 1;
        goto value;
    }

    if (p < end && *p == '}') {
        goto close;
    }

member:

    if (p == end || *p != '"') {
        return sync_json_syntax(r, p, "a name in quotes is missing");
    }

    if (r->json.count == r->room) {
        rc = sync_json_grow(r, p);
        if (rc != SYNC_OK) {
            return rc;
        }
    }

    start = ++p;
    flags = 0;
    p = sync_json_scan(p, end);

    if (p == end || *p != '"') {
        rc = sync_json_read_string(r, &p, &flags);
        if (rc != SYNC_OK) {
            return rc;
        }
    }

    /* the value has one node; a container puts that right when it closes */

    n = r->json.count++;
    r->json.nodes[n] = (sync_json_node_t) {
        (uint32_t) (start - text), (uint32_t) (p - start), n + 2,
        SYNC_JSON_KEY, flags, (uint16_t) r->depth
    };

    if (f->members++ < SYNC_JSON_SMALL && !r->duplicates) {
        rc = sync_json_small_names(r, f, n);
        if (rc != SYNC_OK) {
            return rc;
        }
    }

    p++;
    sync_json_skip(p, end);

    if (p == end || *p != ':') {
        return sync_json_syntax(r, p, "\":\" is missing");
    }

    p++;
    goto value;

close:

    p++;
    n = f->node;
    node = &r->json.nodes[n];
    node->len = f->members;
    node->next = r->json.count;

    if (node->type == SYNC_JSON_OBJECT && f->members > SYNC_JSON_SMALL
        && !r->duplicates)
    {
        rc = sync_json_large_names(r, n);
        if (rc != SYNC_OK) {
            return rc;
        }
    }

    r->depth--;

    if (r->depth == 0) {
        f = NULL;
        goto after;
    }

    f--;

    if (r->json.nodes[f->node].type == SYNC_JSON_OBJECT) {
        node[-1].next = node->next;
    }

    goto after;
}


/* The first byte that is not plain ASCII inside a string, or the end. */

static inline const unsigned char *
sync_json_scan(const unsigned char *p, const unsigned char *end)
{
#if defined(__SSE2__)
    int      mask;
    __m128i  bytes;

    while (end - p >= 16) {
        bytes = _mm_loadu_si128((const __m128i *) (const void *) p);

        /* signed: bytes above 0x7f are below the space, too */

        mask = _mm_movemask_epi8(
                   _mm_or_si128(
                       _mm_cmplt_epi8(bytes, _mm_set1_epi8(' ')),
                       _mm_or_si128(
                           _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')),
                           _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\')))));

        if (mask) {
            return p + __builtin_ctz((unsigned) mask);
        }

        p += 16;
    }
#endif

    while (p < end && *p >= ' ' && *p < 0x80 && *p != '"' && *p != '\\') {
        p++;
    }

    return p;
}


/* The rest of a string from its first remarkable byte to the quote. */

static sync_rc_t
sync_json_read_string(sync_json_reader_t *r, const unsigned char **pos,
    uint8_t *flags)
{
    size_t                len;
    sync_rc_t             rc;
    const unsigned char  *p;

    for (p = *pos; /* void */ ; p = sync_json_scan(p, r->end)) {

        if (p == r->end) {
            return sync_json_syntax(r, p, "a string is not closed");
        }

        if (*p == '"') {
            *pos = p;
            return SYNC_OK;
        }

        if (*p < ' ') {
            return sync_json_syntax(r, p, "a control character stands in a "
                                    "string: escape it");
        }

        if (*p == '\\') {
            *flags |= SYNC_JSON_ESCAPED;

            rc = sync_json_read_escape(r, &p);
            if (rc != SYNC_OK) {
                return rc;
            }

            continue;
        }

        len = sync_json_utf8(p, r->end);

        if (len == 0) {
            sync_refuse(r->err, "utf8", p - r->json.text.data,
                        "a string has bytes that are not UTF-8");
            sync_json_place(r, SYNC_JSON_NONE);
            return SYNC_NO;
        }

        p += len;
    }
}


static inline uint32_t
sync_json_hex4(const unsigned char *p, const unsigned char *end)
{
    int       i;
    uint32_t  ch;

    if (end - p < 4) {
        return UINT32_MAX;
    }

    for (ch = 0, i = 0; i < 4; i++) {

        if (p[i] >= '0' && p[i] <= '9') {
            ch = ch << 4 | (uint32_t) (p[i] - '0');

        } else if ((p[i] | 0x20) >= 'a' && (p[i] | 0x20) <= 'f') {
            ch = ch << 4 | (uint32_t) ((p[i] | 0x20) - 'a' + 10);

        } else {
            return UINT32_MAX;
        }
    }

    return ch;
}


static sync_rc_t
sync_json_read_escape(sync_json_reader_t *r, const unsigned char **pos)
{
    uint32_t              ch, low;
    const unsigned char  *p;

    p = *pos;

    if (r->end - p < 2) {
        return sync_json_syntax(r, p, "a string is not closed");
    }

    switch (p[1]) {

    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
        *pos = p + 2;
        return SYNC_OK;

    case 'u':
        break;

    default:
        return sync_json_syntax(r, p, "there is no such escape");
    }

    ch = sync_json_hex4(p + 2, r->end);

    if (ch == UINT32_MAX) {
        return sync_json_syntax(r, p, "\\u needs four hexadecimal digits");
    }

    if (ch < 0xd800 || ch > 0xdfff) {
        *pos = p + 6;
        return SYNC_OK;
    }

    /*
     * RFC 8259 leaves lone surrogates to the receiver (8.2); there is no
     * UTF-8 for one, so no target could be sent it.
     */

    low = UINT32_MAX;

    if (ch < 0xdc00 && r->end - p >= 12 && p[6] == '\\' && p[7] == 'u') {
        low = sync_json_hex4(p + 8, r->end);
    }

    if (low < 0xdc00 || low > 0xdfff) {
        return sync_json_syntax(r, p, "a surrogate stands without its pair");
    }

    *pos = p + 12;

    return SYNC_OK;
}


static sync_rc_t
sync_json_read_number(sync_json_reader_t *r, const unsigned char **pos,
    uint8_t *flags)
{
    const unsigned char  *p, *end;

    p = *pos;
    end = r->end;
    *flags = SYNC_JSON_INTEGER;

    if (*p == '-') {
        p++;

        if (!sync_json_digit(p, end)) {
            return sync_json_syntax(r, p, "a digit is missing");
        }
    }

    if (!sync_json_digit(p, end)) {
        return sync_json_syntax(r, p, "this is no value");
    }

    if (*p++ == '0') {

        if (sync_json_digit(p, end)) {
            return sync_json_syntax(r, p, "a number has a leading zero");
        }

    } else {

        while (sync_json_digit(p, end)) {
            p++;
        }
    }

    if (p < end && *p == '.') {
        *flags = 0;
        p++;

        if (!sync_json_digit(p, end)) {
            return sync_json_syntax(r, p, "a digit is missing");
        }

        while (sync_json_digit(p, end)) {
            p++;
        }
    }

    if (p < end && (*p == 'e' || *p == 'E')) {
        *flags = 0;
        p++;

        if (p < end && (*p == '+' || *p == '-')) {
            p++;
        }

        if (!sync_json_digit(p, end)) {
            return sync_json_syntax(r, p, "a digit is missing");
        }

        while (sync_json_digit(p, end)) {
            p++;
        }
    }

    *pos = p;

    return SYNC_OK;
}


static sync_rc_t
sync_json_grow(sync_json_reader_t *r, const unsigned char *p)
{
    uint32_t           room;
    sync_json_node_t  *nodes;

    if (r->room == r->max_nodes) {
        sync_refuse(r->err, "too-many-nodes", p - r->json.text.data,
                    "the text has more than %u values and names",
                    (unsigned) r->max_nodes);
        sync_json_place(r, SYNC_JSON_NONE);
        return SYNC_NO;
    }

    room = r->room < r->max_nodes / 2 ? r->room * 2 : r->max_nodes;

    nodes = sync_alloc(r->arena, (size_t) room * sizeof(sync_json_node_t));
    if (nodes == NULL) {
        return SYNC_FAULT;
    }

    memcpy(nodes, r->json.nodes, r->json.count * sizeof(sync_json_node_t));

    r->json.nodes = nodes;
    r->room = room;

    return SYNC_OK;
}


/*
 * A name is compared with those before it only where a bit of a cheap hash
 * was set before: most names of an order never are.
 */

static inline sync_rc_t
sync_json_small_names(sync_json_reader_t *r, sync_json_frame_t *f,
    uint32_t key)
{
    size_t                len;
    uint32_t              i;
    uint64_t              bit;
    sync_json_node_t     *node;
    const unsigned char  *name;

    node = &r->json.nodes[key];
    name = r->json.text.data + node->off;
    len = node->len;

    if (node->flags & SYNC_JSON_ESCAPED) {
        /* its bytes say nothing: from here on compare them all */
        bit = ~(uint64_t) 0;

    } else {
        bit = len ? len + name[0] * 5u + name[len / 2] * 11u
                    + name[len - 1] * 3u
                  : 0;
        bit = (uint64_t) 1 << (bit & 63);
    }

    if (f->seen & bit) {
        for (i = f->node + 1; i < key; i = r->json.nodes[i].next) {
            if (sync_json_same(&r->json, i, &r->json, key)) {
                return sync_json_duplicate(r, key);
            }
        }
    }

    f->seen |= bit;

    return SYNC_OK;
}


/* Open addressing, at most half full; the table serves all objects. */

static sync_rc_t
sync_json_large_names(sync_json_reader_t *r, uint32_t object)
{
    uint32_t           i, slots, slot;
    uint64_t           hash;
    sync_str_t         name;
    sync_json_node_t  *nodes;

    nodes = r->json.nodes;

    for (slots = 64; slots / 2 < nodes[object].len; slots *= 2) {
        /* void */
    }

    if (slots > r->slots) {
        r->table = sync_alloc(r->arena, slots * sizeof(uint32_t));
        if (r->table == NULL) {
            return SYNC_FAULT;
        }

        r->slots = slots;
    }

    /* 0 is the root, which is no name */

    memset(r->table, 0, slots * sizeof(uint32_t));

    for (i = object + 1; i < nodes[object].next; i = nodes[i].next) {

        name = sync_json_unescape(&r->json, i, r->arena);

        if (name.data == NULL || sync_json_hash(name, &hash) != SYNC_OK) {
            return SYNC_FAULT;
        }

        for (slot = (uint32_t) hash & (slots - 1);
             r->table[slot];
             slot = (slot + 1) & (slots - 1))
        {
            if (sync_json_same(&r->json, r->table[slot], &r->json, i)) {
                return sync_json_duplicate(r, i);
            }
        }

        r->table[slot] = i;
    }

    return SYNC_OK;
}


sync_rc_t
sync_json_hash(sync_str_t name, uint64_t *hash)
{
    int                   i;
    size_t                left;
    uint64_t              v0, v1, v2, v3, word;
    const unsigned char  *p;

    if (sync_json_seed[0] == 0
        && getentropy(sync_json_seed, sizeof(sync_json_seed)) != 0)
    {
        return SYNC_FAULT;
    }

#define sync_json_round()                                                     \
    v0 += v1; v1 = sync_json_rotl(v1, 13); v1 ^= v0;                          \
    v0 = sync_json_rotl(v0, 32);                                              \
    v2 += v3; v3 = sync_json_rotl(v3, 16); v3 ^= v2;                          \
    v0 += v3; v3 = sync_json_rotl(v3, 21); v3 ^= v0;                          \
    v2 += v1; v1 = sync_json_rotl(v1, 17); v1 ^= v2;                          \
    v2 = sync_json_rotl(v2, 32)

    v0 = sync_json_seed[0] ^ 0x736f6d6570736575;
    v1 = sync_json_seed[1] ^ 0x646f72616e646f6d;
    v2 = sync_json_seed[0] ^ 0x6c7967656e657261;
    v3 = sync_json_seed[1] ^ 0x7465646279746573;

    p = name.data;

    for (left = name.len; left >= 8; left -= 8) {
        memcpy(&word, p, 8);
        p += 8;

        v3 ^= word;
        sync_json_round();
        v0 ^= word;
    }

    word = 0;
    memcpy(&word, p, left);
    word ^= (uint64_t) name.len << 56;

    v3 ^= word;
    sync_json_round();
    v0 ^= word;

    v2 ^= 0xff;

    for (i = 0; i < 3; i++) {
        sync_json_round();
    }

#undef sync_json_round

    *hash = v0 ^ v1 ^ v2 ^ v3;

    return SYNC_OK;
}


static sync_rc_t
sync_json_duplicate(sync_json_reader_t *r, uint32_t key)
{
    /* the offset of the quote before the name */

    sync_refuse(r->err, "duplicate-member", r->json.nodes[key].off - 1,
                "an object has two members of this name: send one");
    sync_json_place(r, key);

    return SYNC_NO;
}


static sync_rc_t
sync_json_syntax(sync_json_reader_t *r, const unsigned char *p,
    const char *fault)
{
    sync_refuse(r->err, "syntax", p - r->json.text.data,
                "this is not JSON (RFC 8259): %s", fault);
    sync_json_place(r, SYNC_JSON_NONE);

    return SYNC_NO;
}


/*
 * Points at the named member, at the one whose value is being read, or at the
 * innermost open container.  Closes what is open first, so that the tape can
 * be walked.
 */

static void
sync_json_place(sync_json_reader_t *r, uint32_t key)
{
    uint32_t           i, n;
    sync_json_node_t  *nodes;

    if (r->err == NULL || r->depth == 0) {
        return;
    }

    nodes = r->json.nodes;
    n = 0;

    for (i = 0; i < r->depth; i++) {
        n = r->frames[i].node;
        nodes[n].next = r->json.count;

        if (n && nodes[n - 1].type == SYNC_JSON_KEY) {
            nodes[n - 1].next = r->json.count;
        }
    }

    if (key == SYNC_JSON_NONE) {
        key = nodes[r->json.count - 1].type == SYNC_JSON_KEY
              ? r->json.count - 1 : n;
    }

    r->err->pointer = sync_json_pointer(&r->json, key, r->arena);
}
