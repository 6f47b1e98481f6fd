
/*
 * JSONPath (RFC 9535): strings, numbers, words and white space of the text.
 */


#include "sync_path_impl.h"


#define SYNC_PATH_EXACT  9007199254740991      /* 2^53 - 1, RFC 7493 */


static sync_rc_t sync_path_escape(sync_path_reader_t *r, unsigned char quote,
    unsigned char **out);
static sync_rc_t sync_path_hex4(sync_path_reader_t *r, uint32_t *ch);


/* (int / "-0") [frac] [exp] */

sync_rc_t
sync_path_number(sync_path_reader_t *r, sync_str_t *text)
{
    sync_str_t            slice;
    const unsigned char  *p;

    p = r->pos;
    p += sync_path_at(r, '-');

#define sync_path_digits()                                                    \
    if (p == r->end || !sync_path_digit(*p)) {                                \
        return sync_path_refuse(r, "this is no value, query or function");    \
    }                                                                         \
                                                                              \
    while (p < r->end && sync_path_digit(*p)) {                               \
        p++;                                                                  \
    }

    if (p < r->end && *p == '0') {
        p++;

        if (p < r->end && sync_path_digit(*p)) {
            return sync_path_refuse(r, "a number has a leading zero");
        }

    } else {
        sync_path_digits();
    }

    if (p < r->end && *p == '.') {
        p++;
        sync_path_digits();
    }

    if (p < r->end && (*p | 0x20) == 'e') {
        p++;
        p += p < r->end && (*p == '+' || *p == '-');
        sync_path_digits();
    }

#undef sync_path_digits

    slice.data = (unsigned char *) r->pos;
    slice.len = (size_t) (p - r->pos);

    *text = sync_strdup(r->arena, slice);
    r->pos = p;

    return text->data ? SYNC_OK : SYNC_FAULT;
}


sync_rc_t
sync_path_string(sync_path_reader_t *r, sync_str_t *out)
{
    sync_rc_t       rc;
    unsigned char  *d, quote;

    quote = *r->pos++;

    /* no escape is shorter than what it stands for */

    d = sync_alloc(r->arena, (size_t) (r->end - r->pos) + 1);
    if (d == NULL) {
        return SYNC_FAULT;
    }

    out->data = d;

    while (r->pos < r->end && *r->pos != quote) {

        if (*r->pos < ' ') {
            return sync_path_refuse(r, "a control character stands in a "
                                    "string: escape it");
        }

        if (*r->pos != '\\') {
            *d++ = *r->pos++;
            continue;
        }

        rc = sync_path_escape(r, quote, &d);
        if (rc != SYNC_OK) {
            return rc;
        }
    }

    if (r->pos == r->end) {
        return sync_path_refuse(r, "a string is not closed");
    }

    r->pos++;
    out->len = (size_t) (d - out->data);

    return SYNC_OK;
}


static sync_rc_t
sync_path_escape(sync_path_reader_t *r, unsigned char quote,
    unsigned char **out)
{
    uint32_t              ch, low;
    sync_rc_t             rc;
    const char           *found;
    unsigned char        *d;

    static const char     from[] = "bfnrt/\\";
    static const char     to[] = "\b\f\n\r\t/\\";

    d = *out;
    r->pos++;

    if (r->pos == r->end) {
        return sync_path_refuse(r, "a string is not closed");
    }

    ch = *r->pos++;
    found = ch ? strchr(from, (int) ch) : NULL;

    if (found != NULL) {
        ch = (unsigned char) to[found - from];

    } else if (ch == 'u') {

        rc = sync_path_hex4(r, &ch);
        if (rc != SYNC_OK) {
            return rc;
        }

        if (ch >= 0xd800 && ch <= 0xdfff) {

            if (ch > 0xdbff || !sync_path_word(r, "\\u")
                || sync_path_hex4(r, &low) != SYNC_OK
                || low < 0xdc00 || low > 0xdfff)
            {
                return sync_path_refuse(r, "a surrogate stands without its "
                                        "pair");
            }

            ch = 0x10000 + ((ch - 0xd800) << 10) + (low - 0xdc00);
        }

    } else if (ch != quote) {
        r->pos--;
        return sync_path_refuse(r, "there is no such escape");
    }

    if (ch < 0x80) {
        *d++ = (unsigned char) ch;

    } else if (ch < 0x800) {
        *d++ = (unsigned char) (0xc0 | ch >> 6);
        *d++ = (unsigned char) (0x80 | (ch & 0x3f));

    } else if (ch < 0x10000) {
        *d++ = (unsigned char) (0xe0 | ch >> 12);
        *d++ = (unsigned char) (0x80 | (ch >> 6 & 0x3f));
        *d++ = (unsigned char) (0x80 | (ch & 0x3f));

    } else {
        *d++ = (unsigned char) (0xf0 | ch >> 18);
        *d++ = (unsigned char) (0x80 | (ch >> 12 & 0x3f));
        *d++ = (unsigned char) (0x80 | (ch >> 6 & 0x3f));
        *d++ = (unsigned char) (0x80 | (ch & 0x3f));
    }

    *out = d;

    return SYNC_OK;
}


static sync_rc_t
sync_path_hex4(sync_path_reader_t *r, uint32_t *ch)
{
    int            i;
    unsigned char  c;

    for (*ch = 0, i = 0; i < 4; i++, r->pos++) {
        c = r->pos < r->end ? *r->pos : 0;

        if (sync_path_digit(c)) {
            *ch = *ch << 4 | (uint32_t) (c - '0');

        } else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f') {
            *ch = *ch << 4 | (uint32_t) ((c | 0x20) - 'a' + 10);

        } else {
            return sync_path_refuse(r, "\\u needs four hexadecimal digits");
        }
    }

    return SYNC_OK;
}


/* "0" / (["-"] DIGIT1 *DIGIT), and no more than a double holds */

sync_rc_t
sync_path_int(sync_path_reader_t *r, int64_t *n)
{
    int                   minus;
    const unsigned char  *p;

    minus = sync_path_at(r, '-');
    r->pos += minus;
    p = r->pos;
    *n = 0;

    while (r->pos < r->end && sync_path_digit(*r->pos)) {
        *n = *n * 10 + (*r->pos++ - '0');

        if (*n > SYNC_PATH_EXACT) {
            return sync_path_refuse(r, "an index is too large");
        }
    }

    if (r->pos == p) {
        return sync_path_refuse(r, "a selector is a name in quotes, an "
                                "index, a slice, \"*\" or a filter");
    }

    if (*p == '0' && (r->pos - p > 1 || minus)) {
        return sync_path_refuse(r, "an index has no leading zero and there "
                                "is no -0");
    }

    *n = minus ? -*n : *n;

    return SYNC_OK;
}


int
sync_path_word(sync_path_reader_t *r, const char *word)
{
    size_t  len;

    len = strlen(word);

    if ((size_t) (r->end - r->pos) < len || memcmp(r->pos, word, len) != 0) {
        return 0;
    }

    r->pos += len;

    return 1;
}


void
sync_path_blank(sync_path_reader_t *r)
{
    while (sync_path_at(r, ' ') || sync_path_at(r, '\t')
           || sync_path_at(r, '\n') || sync_path_at(r, '\r'))
    {
        r->pos++;
    }
}


sync_rc_t
sync_path_refuse(sync_path_reader_t *r, const char *fault)
{
    return sync_refuse(r->err, "path", (size_t) (r->pos - r->start),
                       "this is no JSONPath (RFC 9535): %s", fault);
}
