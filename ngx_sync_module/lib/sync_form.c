
/*
 * application/x-www-form-urlencoded (WHATWG URL standard, section 5), as one
 * object of strings and back.
 *
 * Stricter than the standard where it guesses: bytes that are no UTF-8 once
 * decoded, a "%" without two digits and a name that comes twice are refused.
 * A name that is one of the lists may come often and is always an array.
 */


#include "sync_format.h"
#include "sync_text.h"

#include <stdlib.h>


/* A name and its value, decoded. */

typedef struct sync_form_pair_s  sync_form_pair_t;

struct sync_form_pair_s {
    sync_str_t         name;
    sync_str_t         value;
    size_t             offset;           /* of the name in the text */
    sync_form_pair_t  *next;             /* of the same name */
    unsigned           again:1;          /* not the first of its name */
};


static size_t sync_form_count(sync_str_t text);
static sync_rc_t sync_form_pairs(sync_str_t text, sync_arena_t *arena,
    sync_format_limits_t *limits, sync_form_pair_t *pairs, sync_error_t *err);
static sync_rc_t sync_form_decode(sync_str_t text, size_t from, size_t to,
    sync_arena_t *arena, sync_str_t *s, sync_error_t *err);
static int sync_form_digit(unsigned char ch);
static sync_rc_t sync_form_same(sync_form_pair_t *pairs, size_t n,
    sync_arena_t *arena, const sync_format_limits_t *limits,
    sync_error_t *err);
static int sync_form_order(const void *a, const void *b);
static sync_rc_t sync_form_member(const sync_json_t *json, uint32_t key,
    uint32_t value, sync_arena_t *arena, sync_text_t *out, sync_error_t *err);
static void sync_form_encode(sync_text_t *out, sync_str_t s);


sync_rc_t
sync_form_read(sync_arena_t *arena, sync_str_t text,
    const sync_format_limits_t *given, sync_str_t *json, sync_error_t *err)
{
    size_t                 i, n;
    sync_rc_t              rc;
    sync_json_out_t        out;
    sync_form_pair_t      *pairs, *pair;
    sync_format_limits_t   limits;

    rc = sync_format_begin(&limits, given, text, err);
    if (rc != SYNC_OK) {
        return rc;
    }

    n = sync_form_count(text);

    if (n > limits.nodes) {
        return sync_refuse(err, "too-many-nodes", SYNC_NOWHERE,
                           "there are too many names");
    }

    pairs = sync_alloc(arena, (n + 1) * sizeof(sync_form_pair_t));
    if (pairs == NULL) {
        return SYNC_FAULT;
    }

    rc = sync_form_pairs(text, arena, &limits, pairs, err);

    if (rc == SYNC_OK) {
        rc = sync_form_same(pairs, n, arena, &limits, err);
    }

    if (rc != SYNC_OK) {
        return rc;
    }

    sync_json_begin(&out, arena, text.len + 8 * n + 2, limits.max);
    sync_json_open(&out, '{');

    for (i = 0; i < n; i++) {

        if (pairs[i].again) {
            continue;
        }

        sync_json_key(&out, pairs[i].name);

        if (!sync_format_listed(&limits, pairs[i].name)) {
            sync_json_string(&out, pairs[i].value);
            continue;
        }

        sync_json_open(&out, '[');

        for (pair = &pairs[i]; pair; pair = pair->next) {
            sync_json_string(&out, pair->value);
        }

        sync_json_close(&out, ']');
    }

    sync_json_close(&out, '}');

    return sync_format_json(&out, json, err);
}


/* How many sequences between "&" are not empty. */

static size_t
sync_form_count(sync_str_t text)
{
    size_t  i, n;

    n = 0;

    for (i = 0; i < text.len; i++) {
        n += text.data[i] != '&' && (i == 0 || text.data[i - 1] == '&');
    }

    return n;
}


static sync_rc_t
sync_form_pairs(sync_str_t text, sync_arena_t *arena,
    sync_format_limits_t *limits, sync_form_pair_t *pairs, sync_error_t *err)
{
    size_t     at, eq, end;
    sync_rc_t  rc;

    for (at = 0; at < text.len; at = end + 1) {

        eq = SYNC_NOWHERE;

        for (end = at; end < text.len && text.data[end] != '&'; end++) {
            if (text.data[end] == '=' && eq == SYNC_NOWHERE) {
                eq = end;
            }
        }

        if (end == at) {
            continue;
        }

        memset(pairs, 0, sizeof(sync_form_pair_t));
        pairs->offset = at;

        rc = sync_format_node(limits, at, err);

        if (rc == SYNC_OK) {
            rc = sync_form_decode(text, at, eq < end ? eq : end, arena,
                                  &pairs->name, err);
        }

        if (rc == SYNC_OK) {
            rc = sync_form_decode(text, eq < end ? eq + 1 : end, end, arena,
                                  &pairs->value, err);
        }

        if (rc != SYNC_OK) {
            return rc;
        }

        pairs++;
    }

    return SYNC_OK;
}


static sync_rc_t
sync_form_decode(sync_str_t text, size_t from, size_t to, sync_arena_t *arena,
    sync_str_t *s, sync_error_t *err)
{
    int             hi, lo;
    size_t          i;
    unsigned char  *p;

    s->len = to - from;
    s->data = text.data + from;

    for (i = from; i < to; i++) {
        if (text.data[i] == '%' || text.data[i] == '+') {
            break;
        }
    }

    if (i == to) {
        return SYNC_OK;
    }

    p = sync_alloc(arena, s->len);
    if (p == NULL) {
        return SYNC_FAULT;
    }

    s->data = p;

    for (i = from; i < to; i++) {

        if (text.data[i] == '+') {
            *p++ = ' ';
            continue;
        }

        if (text.data[i] != '%') {
            *p++ = text.data[i];
            continue;
        }

        hi = to - i > 2 ? sync_form_digit(text.data[i + 1]) : -1;
        lo = to - i > 2 ? sync_form_digit(text.data[i + 2]) : -1;

        if (hi < 0 || lo < 0) {
            return sync_refuse(err, "syntax", i,
                               "a \"%%\" is followed by two hexadecimal "
                               "digits; \"%%25\" is the character itself");
        }

        *p++ = (unsigned char) (hi << 4 | lo);
        i += 2;
    }

    s->len = (size_t) (p - s->data);

    if (sync_format_utf8(*s) != SYNC_NOWHERE) {
        return sync_refuse(err, "utf8", from, "a name or value is not UTF-8");
    }

    return SYNC_OK;
}


static int
sync_form_digit(unsigned char ch)
{
    if (ch >= '0' && ch <= '9') {
        return ch - '0';
    }

    ch |= 0x20;

    return ch >= 'a' && ch <= 'f' ? ch - 'a' + 10 : -1;
}


/* Those of one name are found by sorting: no order of names is slow. */

static sync_rc_t
sync_form_same(sync_form_pair_t *pairs, size_t n, sync_arena_t *arena,
    const sync_format_limits_t *limits, sync_error_t *err)
{
    size_t              i;
    sync_form_pair_t  **sorted;

    if (n < 2) {
        return SYNC_OK;
    }

    sorted = sync_alloc(arena, n * sizeof(sync_form_pair_t *));
    if (sorted == NULL) {
        return SYNC_FAULT;
    }

    for (i = 0; i < n; i++) {
        sorted[i] = &pairs[i];
    }

    qsort(sorted, n, sizeof(sync_form_pair_t *), sync_form_order);

    for (i = 1; i < n; i++) {

        if (!sync_str_eq(sorted[i - 1]->name, sorted[i]->name)) {
            continue;
        }

        if (!sync_format_listed(limits, sorted[i]->name)) {
            return sync_refuse(err, "duplicate-member", sorted[i]->offset,
                               "a name comes twice; \"lists\" names those "
                               "that may");
        }

        sorted[i - 1]->next = sorted[i];
        sorted[i]->again = 1;
    }

    return SYNC_OK;
}


static int
sync_form_order(const void *a, const void *b)
{
    int                      cmp;
    size_t                   len;
    const sync_form_pair_t  *x = *(sync_form_pair_t *const *) a;
    const sync_form_pair_t  *y = *(sync_form_pair_t *const *) b;

    len = x->name.len < y->name.len ? x->name.len : y->name.len;
    cmp = len ? memcmp(x->name.data, y->name.data, len) : 0;

    if (cmp == 0) {
        cmp = (x->name.len > y->name.len) - (x->name.len < y->name.len);
    }

    return cmp ? cmp : (x->offset > y->offset) - (x->offset < y->offset);
}


sync_rc_t
sync_form_write(const sync_json_t *json, uint32_t n, sync_arena_t *arena,
    size_t max, sync_str_t *text, sync_error_t *err)
{
    uint32_t     i, k, value;
    sync_rc_t    rc;
    sync_text_t  out;

    if (json->nodes[n].type != SYNC_JSON_OBJECT) {
        return sync_format_refuse(json, n, arena, err,
                                  "a form is one object");
    }

    sync_text_begin(&out, arena, 0, max);

    for (i = sync_json_first(json, n); i != SYNC_JSON_NONE;
         i = sync_json_after(json, n, i))
    {
        value = i + 1;

        if (json->nodes[value].type != SYNC_JSON_ARRAY) {
            rc = sync_form_member(json, i, value, arena, &out, err);
            if (rc != SYNC_OK) {
                return rc;
            }

            continue;
        }

        for (k = sync_json_first(json, value); k != SYNC_JSON_NONE;
             k = sync_json_after(json, value, k))
        {
            rc = sync_form_member(json, i, k, arena, &out, err);
            if (rc != SYNC_OK) {
                return rc;
            }
        }
    }

    rc = sync_text_end(&out, text);

    return rc == SYNC_NO ? sync_refuse(err, "too-large", SYNC_NOWHERE,
                                       "the form is too long")
                         : rc;
}


static sync_rc_t
sync_form_member(const sync_json_t *json, uint32_t key, uint32_t value,
    sync_arena_t *arena, sync_text_t *out, sync_error_t *err)
{
    sync_rc_t   rc;
    sync_str_t  name, s;

    name = sync_json_unescape(json, key, arena);
    if (name.data == NULL) {
        return SYNC_FAULT;
    }

    rc = sync_format_scalar(json, value, arena, &s);

    if (rc == SYNC_NO) {
        return sync_format_refuse(json, value, arena, err,
                                  "a form has no objects inside it and no "
                                  "lists of lists");
    }

    if (rc != SYNC_OK) {
        return rc;
    }

    if (out->pos > out->start) {
        sync_text_byte(out, '&');
    }

    sync_form_encode(out, name);
    sync_text_byte(out, '=');
    sync_form_encode(out, s);

    return SYNC_OK;
}


static void
sync_form_encode(sync_text_t *out, sync_str_t s)
{
    size_t             i;
    unsigned char      ch;
    static const char  hex[] = "0123456789ABCDEF";

    for (i = 0; i < s.len; i++) {
        ch = s.data[i];

        if ((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z')
            || (ch >= '0' && ch <= '9') || ch == '*' || ch == '-'
            || ch == '.' || ch == '_')
        {
            sync_text_byte(out, ch);

        } else if (ch == ' ') {
            sync_text_byte(out, '+');

        } else {
            sync_text_byte(out, '%');
            sync_text_byte(out, (unsigned char) hex[ch >> 4]);
            sync_text_byte(out, (unsigned char) hex[ch & 0xf]);
        }
    }
}
