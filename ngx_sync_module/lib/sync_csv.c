
/*
 * text/csv with a header row (RFC 4180), as an array of objects of strings and
 * back.
 *
 * Lines end by CRLF or LF.  Every line has as many fields as the header; a
 * quote stands around a whole field or not at all.  An empty field is an empty
 * string, quoted or not.
 */


#include "sync_format.h"
#include "sync_text.h"

#include <stdlib.h>


#define SYNC_CSV_COLUMNS  1024           /* that are written, at most */


typedef struct {
    sync_str_t             text;
    size_t                 pos;
    size_t                 line;         /* from 1 */
    sync_arena_t          *arena;
    sync_format_limits_t   limits;
    sync_error_t          *err;
} sync_csv_t;

/* What follows a field. */

typedef enum {
    SYNC_CSV_COMMA = 0,
    SYNC_CSV_LINE,
    SYNC_CSV_END
} sync_csv_after_e;


static sync_rc_t sync_csv_header(sync_csv_t *csv, sync_str_t **names,
    uint32_t *n, sync_csv_after_e *after);
static sync_rc_t sync_csv_names(sync_csv_t *csv, sync_str_t *names,
    uint32_t n);
static int sync_csv_order(const void *a, const void *b);
static sync_rc_t sync_csv_record(sync_csv_t *csv, sync_str_t *names,
    uint32_t n, sync_json_out_t *out, sync_csv_after_e *after);
static sync_rc_t sync_csv_field(sync_csv_t *csv, sync_str_t *field,
    sync_csv_after_e *after);
static sync_rc_t sync_csv_quoted(sync_csv_t *csv, sync_str_t *field);
static sync_rc_t sync_csv_after(sync_csv_t *csv, sync_csv_after_e *after);

static sync_rc_t sync_csv_row(const sync_json_t *json, uint32_t header,
    uint32_t n, sync_arena_t *arena, sync_text_t *out, sync_error_t *err);
static void sync_csv_put(sync_text_t *out, sync_str_t s, int alone);


sync_rc_t
sync_csv_read(sync_arena_t *arena, sync_str_t text,
    const sync_format_limits_t *limits, sync_str_t *json, sync_error_t *err)
{
    uint32_t          n;
    sync_rc_t         rc;
    sync_csv_t        csv;
    sync_str_t       *names;
    sync_json_out_t   out;
    sync_csv_after_e  after;

    memset(&csv, 0, sizeof(sync_csv_t));

    csv.text = text;
    csv.line = 1;
    csv.arena = arena;
    csv.err = err;

    rc = sync_format_begin(&csv.limits, limits, text, err);
    if (rc != SYNC_OK) {
        return rc;
    }

    if (sync_str_starts(text, "\xef\xbb\xbf")) {
        csv.pos = 3;
    }

    if (csv.pos == text.len) {
        return sync_refuse(err, "syntax", 0,
                           "there is no header: the first line has the names");
    }

    rc = sync_csv_header(&csv, &names, &n, &after);
    if (rc != SYNC_OK) {
        return rc;
    }

    sync_json_begin(&out, arena, text.len + 2, csv.limits.max);
    sync_json_open(&out, '[');

    while (after == SYNC_CSV_LINE && csv.pos < text.len) {
        rc = sync_csv_record(&csv, names, n, &out, &after);
        if (rc != SYNC_OK) {
            return rc;
        }

        if (out.full || out.fault) {
            break;
        }
    }

    sync_json_close(&out, ']');

    return sync_format_json(&out, json, err);
}


static sync_rc_t
sync_csv_header(sync_csv_t *csv, sync_str_t **names, uint32_t *n,
    sync_csv_after_e *after)
{
    uint32_t     room;
    sync_rc_t    rc;
    sync_str_t  *more;

    room = 16;
    *n = 0;
    *names = sync_alloc(csv->arena, room * sizeof(sync_str_t));

    if (*names == NULL) {
        return SYNC_FAULT;
    }

    do {
        if (*n == room) {
            more = sync_alloc(csv->arena, 2 * room * sizeof(sync_str_t));
            if (more == NULL) {
                return SYNC_FAULT;
            }

            memcpy(more, *names, room * sizeof(sync_str_t));
            *names = more;
            room *= 2;
        }

        rc = sync_csv_field(csv, &(*names)[*n], after);
        if (rc != SYNC_OK) {
            return rc;
        }

        *n += 1;

    } while (*after == SYNC_CSV_COMMA);

    return sync_csv_names(csv, *names, *n);
}


static sync_rc_t
sync_csv_names(sync_csv_t *csv, sync_str_t *names, uint32_t n)
{
    uint32_t     i;
    sync_str_t  *sorted;

    sorted = sync_alloc(csv->arena, n * sizeof(sync_str_t));
    if (sorted == NULL) {
        return SYNC_FAULT;
    }

    memcpy(sorted, names, n * sizeof(sync_str_t));
    qsort(sorted, n, sizeof(sync_str_t), sync_csv_order);

    for (i = 0; i < n; i++) {

        if (sorted[i].len == 0) {
            return sync_refuse(csv->err, "syntax", 0,
                               "line 1: a name of the header is empty");
        }

        if (i && sync_str_eq(sorted[i - 1], sorted[i])) {
            return sync_refuse(csv->err, "duplicate-member", 0,
                               "line 1: a name of the header comes twice");
        }
    }

    return SYNC_OK;
}


static int
sync_csv_order(const void *a, const void *b)
{
    int                cmp;
    size_t             len;
    const sync_str_t  *x = a;
    const sync_str_t  *y = b;

    len = x->len < y->len ? x->len : y->len;
    cmp = len ? memcmp(x->data, y->data, len) : 0;

    return cmp ? cmp : (x->len > y->len) - (x->len < y->len);
}


static sync_rc_t
sync_csv_record(sync_csv_t *csv, sync_str_t *names, uint32_t n,
    sync_json_out_t *out, sync_csv_after_e *after)
{
    size_t      line, start;
    uint32_t    i;
    sync_rc_t   rc;
    sync_str_t  field;

    line = csv->line;
    start = csv->pos;

    sync_json_open(out, '{');

    for (i = 0; i < n; i++) {

        rc = sync_csv_field(csv, &field, after);
        if (rc != SYNC_OK) {
            return rc;
        }

        sync_json_key(out, names[i]);
        sync_json_string(out, field);

        if (*after != SYNC_CSV_COMMA) {
            i++;
            break;
        }
    }

    if (i != n || *after == SYNC_CSV_COMMA) {
        return sync_refuse(csv->err, "fields", start,
                           "line %zu has %s than the %u fields of the header",
                           line, i != n ? "fewer" : "more", (unsigned) n);
    }

    sync_json_close(out, '}');

    return SYNC_OK;
}


static sync_rc_t
sync_csv_field(sync_csv_t *csv, sync_str_t *field, sync_csv_after_e *after)
{
    size_t          i;
    sync_rc_t       rc;
    unsigned char  *p;

    rc = sync_format_node(&csv->limits, csv->pos, csv->err);
    if (rc != SYNC_OK) {
        return rc;
    }

    p = csv->text.data;

    if (csv->pos < csv->text.len && p[csv->pos] == '"') {
        rc = sync_csv_quoted(csv, field);
        return rc == SYNC_OK ? sync_csv_after(csv, after) : rc;
    }

    for (i = csv->pos; i < csv->text.len; i++) {
        if (p[i] == ',' || p[i] == '\n' || p[i] == '\r' || p[i] == '"') {
            break;
        }
    }

    field->data = p + csv->pos;
    field->len = i - csv->pos;
    csv->pos = i;

    return sync_csv_after(csv, after);
}


static sync_rc_t
sync_csv_quoted(sync_csv_t *csv, sync_str_t *field)
{
    size_t          i, start, line, quotes;
    unsigned char  *p, *dst;

    p = csv->text.data;
    start = csv->pos + 1;
    line = csv->line;
    quotes = 0;

    for (i = start; i < csv->text.len; i++) {

        if (p[i] == '\n') {
            csv->line++;
        }

        if (p[i] != '"') {
            continue;
        }

        if (i + 1 == csv->text.len || p[i + 1] != '"') {
            break;
        }

        quotes++;
        i++;
    }

    if (i >= csv->text.len) {
        return sync_refuse(csv->err, "syntax", csv->pos,
                           "line %zu: a quoted field has no end", line);
    }

    csv->pos = i + 1;

    field->data = p + start;
    field->len = i - start;

    if (quotes == 0) {
        return SYNC_OK;
    }

    dst = sync_alloc(csv->arena, field->len - quotes);
    if (dst == NULL) {
        return SYNC_FAULT;
    }

    field->data = dst;
    field->len -= quotes;

    while (start < i) {
        start += p[start] == '"';
        *dst++ = p[start++];
    }

    return SYNC_OK;
}


static sync_rc_t
sync_csv_after(sync_csv_t *csv, sync_csv_after_e *after)
{
    unsigned char  *p;

    p = csv->text.data + csv->pos;

    if (csv->pos == csv->text.len) {
        *after = SYNC_CSV_END;
        return SYNC_OK;
    }

    if (*p == ',') {
        *after = SYNC_CSV_COMMA;
        csv->pos++;
        return SYNC_OK;
    }

    *after = SYNC_CSV_LINE;
    csv->line++;

    if (*p == '\n') {
        csv->pos++;
        return SYNC_OK;
    }

    if (*p == '\r' && csv->pos + 1 < csv->text.len && p[1] == '\n') {
        csv->pos += 2;
        return SYNC_OK;
    }

    return sync_refuse(csv->err, "syntax", csv->pos,
                       "line %zu: %s", csv->line - 1,
                       *p == '\r' ? "a carriage return stands alone"
                                  : "a quote stands around a whole field, and "
                                    "inside it is doubled");
}


/* The names are those of the first object; no other has one more. */

sync_rc_t
sync_csv_write(const sync_json_t *json, uint32_t n, sync_arena_t *arena,
    size_t max, sync_str_t *text, sync_error_t *err)
{
    uint32_t     i, first;
    sync_rc_t    rc;
    sync_str_t   name;
    sync_text_t  out;

    first = n;

    if (json->nodes[n].type == SYNC_JSON_ARRAY) {
        first = sync_json_first(json, n);

        if (first == SYNC_JSON_NONE) {
            *text = sync_str_lit("");
            return SYNC_OK;
        }
    }

    if (json->nodes[first].type != SYNC_JSON_OBJECT
        || json->nodes[first].len == 0)
    {
        return sync_format_refuse(json, first, arena, err,
                                  "a line of CSV is an object with members");
    }

    if (json->nodes[first].len > SYNC_CSV_COLUMNS) {
        return sync_format_refuse(json, first, arena, err,
                                  "there are too many columns");
    }

    sync_text_begin(&out, arena, 0, max);

    for (i = sync_json_first(json, first); i != SYNC_JSON_NONE;
         i = sync_json_after(json, first, i))
    {
        name = sync_json_unescape(json, i, arena);
        if (name.data == NULL) {
            return SYNC_FAULT;
        }

        if (name.len == 0) {
            return sync_format_refuse(json, i + 1, arena, err,
                                      "a name of the header is empty");
        }

        if (i != sync_json_first(json, first)) {
            sync_text_byte(&out, ',');
        }

        sync_csv_put(&out, name, 0);
    }

    sync_text_lit(&out, "\r\n");

    for (i = first; i != SYNC_JSON_NONE;
         i = i == n ? SYNC_JSON_NONE : sync_json_after(json, n, i))
    {
        rc = sync_csv_row(json, first, i, arena, &out, err);
        if (rc != SYNC_OK) {
            return rc;
        }
    }

    rc = sync_text_end(&out, text);

    return rc == SYNC_NO ? sync_refuse(err, "too-large", SYNC_NOWHERE,
                                       "the table is too long")
                         : rc;
}


static sync_rc_t
sync_csv_row(const sync_json_t *json, uint32_t header, uint32_t n,
    sync_arena_t *arena, sync_text_t *out, sync_error_t *err)
{
    uint32_t    i, value, found;
    sync_rc_t   rc;
    sync_str_t  s, name;

    if (json->nodes[n].type != SYNC_JSON_OBJECT) {
        return sync_format_refuse(json, n, arena, err,
                                  "a line of CSV is an object");
    }

    found = 0;

    for (i = sync_json_first(json, header); i != SYNC_JSON_NONE;
         i = sync_json_after(json, header, i))
    {
        value = i + 1;

        if (n != header) {
            name = sync_json_unescape(json, i, arena);
            if (name.data == NULL) {
                return SYNC_FAULT;
            }

            value = sync_json_member(json, n, name);
        }

        s = sync_str_lit("");

        if (value != SYNC_JSON_NONE) {
            found++;

            rc = sync_format_scalar(json, value, arena, &s);

            if (rc == SYNC_NO) {
                return sync_format_refuse(json, value, arena, err,
                                          "a field of CSV is a string, a "
                                          "number or a boolean");
            }

            if (rc != SYNC_OK) {
                return rc;
            }
        }

        if (i != sync_json_first(json, header)) {
            sync_text_byte(out, ',');
        }

        sync_csv_put(out, s, json->nodes[header].len == 1);
    }

    if (found != json->nodes[n].len) {
        return sync_format_refuse(json, n, arena, err,
                                  "it has a member that the first object, "
                                  "which makes the header, has not");
    }

    sync_text_lit(out, "\r\n");

    return SYNC_OK;
}


/*
 * alone: an empty field would leave an empty line, and is quoted; so is what
 * would be a byte order mark where it stands first.
 */

static void
sync_csv_put(sync_text_t *out, sync_str_t s, int alone)
{
    size_t  i;

    if (s.len == 0 && !alone) {
        return;
    }

    for (i = 0; i < s.len; i++) {
        if (s.data[i] == ',' || s.data[i] == '"' || s.data[i] == '\r'
            || s.data[i] == '\n')
        {
            break;
        }
    }

    if (i == s.len && s.len && s.data[0] != ' ' && s.data[s.len - 1] != ' '
        && !sync_str_starts(s, "\xef\xbb\xbf"))
    {
        sync_text_add(out, s);
        return;
    }

    sync_text_byte(out, '"');

    for (i = 0; i < s.len; i++) {
        if (s.data[i] == '"') {
            sync_text_byte(out, '"');
        }

        sync_text_byte(out, s.data[i]);
    }

    sync_text_byte(out, '"');
}
