
/*
 * The JSON writer: bytes go out as they came in.
 */


#include "sync_json.h"


#define SYNC_JSON_OUT_MAX   (16 * 1024 * 1024)
#define SYNC_JSON_OUT_HINT  256


static int sync_json_room(sync_json_out_t *out, size_t need);
static void sync_json_comma(sync_json_out_t *out);
static void sync_json_quoted(sync_json_out_t *out, sync_str_t s);
static size_t sync_json_special(const unsigned char *p,
    const unsigned char *end, unsigned char *as, size_t *len);


void
sync_json_begin(sync_json_out_t *out, sync_arena_t *arena, size_t hint,
    size_t max)
{
    memset(out, 0, sizeof(sync_json_out_t));

    out->arena = arena;
    out->max = max ? max : SYNC_JSON_OUT_MAX;

    hint = hint ? hint : SYNC_JSON_OUT_HINT;
    hint = hint < out->max ? hint : out->max;

    out->start = sync_alloc(arena, hint);

    if (out->start == NULL) {
        out->fault = 1;
        return;
    }

    out->pos = out->start;
    out->end = out->start + hint;
}


sync_rc_t
sync_json_end(sync_json_out_t *out, sync_str_t *text)
{
    if (out->fault) {
        return SYNC_FAULT;
    }

    if (out->full) {
        return SYNC_NO;
    }

    text->data = out->start;
    text->len = (size_t) (out->pos - out->start);

    return SYNC_OK;
}


void
sync_json_open(sync_json_out_t *out, char bracket)
{
    sync_json_comma(out);

    if (sync_json_room(out, 1)) {
        *out->pos++ = (unsigned char) bracket;
    }

    out->comma = 0;
}


void
sync_json_close(sync_json_out_t *out, char bracket)
{
    if (sync_json_room(out, 1)) {
        *out->pos++ = (unsigned char) bracket;
    }

    out->comma = 1;
}


void
sync_json_key(sync_json_out_t *out, sync_str_t name)
{
    sync_json_comma(out);
    sync_json_quoted(out, name);

    if (sync_json_room(out, 1)) {
        *out->pos++ = ':';
    }

    out->comma = 0;
}


void
sync_json_string(sync_json_out_t *out, sync_str_t s)
{
    sync_json_comma(out);
    sync_json_quoted(out, s);
}


void
sync_json_quote(sync_json_out_t *out, sync_str_t escaped)
{
    sync_json_comma(out);

    if (sync_json_room(out, escaped.len + 2)) {
        *out->pos++ = '"';

        if (escaped.len) {
            memcpy(out->pos, escaped.data, escaped.len);
            out->pos += escaped.len;
        }

        *out->pos++ = '"';
    }
}


void
sync_json_value_slow(sync_json_out_t *out, sync_str_t raw)
{
    sync_json_comma(out);

    if (raw.len && sync_json_room(out, raw.len)) {
        memcpy(out->pos, raw.data, raw.len);
        out->pos += raw.len;
    }
}


void
sync_json_integer(sync_json_out_t *out, int64_t value)
{
    unsigned char  digits[SYNC_DIGITS];

    sync_json_value(out, (sync_str_t) {
        (size_t) (sync_digits_signed(digits, value) - digits), digits
    });
}


static inline void
sync_json_comma(sync_json_out_t *out)
{
    if (out->comma && sync_json_room(out, 1)) {
        *out->pos++ = ',';
    }

    out->comma = 1;
}


/* Makes room; no when the writer is over its bound or out of memory. */

static inline int
sync_json_room(sync_json_out_t *out, size_t need)
{
    size_t          used, size;
    unsigned char  *start;

    if (out->fault || out->full) {
        return 0;
    }

    if ((size_t) (out->end - out->pos) >= need) {
        return 1;
    }

    used = (size_t) (out->pos - out->start);

    if (need > out->max - used) {
        out->full = 1;
        return 0;
    }

    size = 2 * (size_t) (out->end - out->start);
    size = size < used + need ? used + need : size;
    size = size < out->max ? size : out->max;

    start = sync_alloc(out->arena, size);

    if (start == NULL) {
        out->fault = 1;
        return 0;
    }

    memcpy(start, out->start, used);

    out->start = start;
    out->pos = start + used;
    out->end = start + size;

    return 1;
}


static void
sync_json_quoted(sync_json_out_t *out, sync_str_t s)
{
    size_t                taken, len;
    unsigned char         as[8];
    const unsigned char  *p, *q, *end;

    if (!sync_json_room(out, s.len + 2)) {
        return;
    }

    *out->pos++ = '"';

    p = s.data;
    end = p + s.len;

    while (p < end) {

        for (q = p; q < end && *q >= ' ' && *q < 0x80 && *q != '"'
                    && *q != '\\'; q++)
        {
            /* void */
        }

        if (q > p) {

            if (!sync_json_room(out, (size_t) (q - p))) {
                return;
            }

            memcpy(out->pos, p, (size_t) (q - p));
            out->pos += q - p;
            p = q;
            continue;
        }

        taken = sync_json_special(p, end, as, &len);

        if (!sync_json_room(out, len)) {
            return;
        }

        memcpy(out->pos, as, len);
        out->pos += len;
        p += taken;
    }

    if (sync_json_room(out, 1)) {
        *out->pos++ = '"';
    }
}


/* How one character that is not plain is written; how many bytes it took. */

static size_t
sync_json_special(const unsigned char *p, const unsigned char *end,
    unsigned char *as, size_t *len)
{
    size_t                n;
    static const char     from[] = "\b\f\n\r\t\"\\";
    static const char     to[] = "bfnrt\"\\";
    static const char     hex[] = "0123456789abcdef";
    const char           *found;

    if (*p >= 0x80) {
        n = sync_json_utf8(p, end);

        if (n == 0) {
            memcpy(as, "\xef\xbf\xbd", 3);
            *len = 3;
            return 1;
        }

        memcpy(as, p, n);
        *len = n;

        return n;
    }

    found = *p ? strchr(from, *p) : NULL;

    if (found != NULL) {
        as[0] = '\\';
        as[1] = (unsigned char) to[found - from];
        *len = 2;

    } else {
        memcpy(as, "\\u00", 4);
        as[4] = (unsigned char) hex[*p >> 4];
        as[5] = (unsigned char) hex[*p & 0xf];
        *len = 6;
    }

    return 1;
}
