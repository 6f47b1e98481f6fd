
/*
 * Formats of RFC 3986, 3987 and 6570.
 */


#include "sync_schema_impl.h"


static int sync_format_any_uri(sync_str_t s, int absolute, int iri);
static int sync_format_authority(sync_str_t s, int iri);
static int sync_format_future(sync_str_t s);
static int sync_format_chars(sync_str_t s, const char *more, int iri);
static int sync_format_percent(sync_str_t s, size_t i);
static int sync_format_expression(sync_str_t s);
static size_t sync_format_find(sync_str_t s, const char *stops);


int
sync_format_uri(sync_str_t s)
{
    return sync_format_any_uri(s, 1, 0);
}


int
sync_format_uri_reference(sync_str_t s)
{
    return sync_format_any_uri(s, 0, 0);
}


int
sync_format_iri(sync_str_t s)
{
    return sync_format_any_uri(s, 1, 1);
}


int
sync_format_iri_reference(sync_str_t s)
{
    return sync_format_any_uri(s, 0, 1);
}


static int
sync_format_any_uri(sync_str_t s, int absolute, int iri)
{
    size_t      i, n;
    sync_str_t  part;

    /* a scheme ends with the first ":", before any "/", "?" or "#" */

    n = sync_format_find(s, ":/?#");

    if (n < s.len && s.data[n] == ':') {

        if (n == 0 || !sync_is_alpha(s.data[0])) {
            return 0;
        }

        for (i = 1; i < n; i++) {
            if (!sync_is_alpha(s.data[i]) && !sync_is_digit(s.data[i])
                && s.data[i] != '+' && s.data[i] != '-' && s.data[i] != '.')
            {
                return 0;
            }
        }

        s.data += n + 1;
        s.len -= n + 1;

    } else if (absolute) {
        return 0;
    }

    n = sync_format_find(s, "#");

    if (n < s.len) {
        part = (sync_str_t) { s.len - n - 1, s.data + n + 1 };

        if (!sync_format_chars(part, ":@/?", iri)) {
            return 0;
        }

        s.len = n;
    }

    n = sync_format_find(s, "?");

    if (n < s.len) {
        part = (sync_str_t) { s.len - n - 1, s.data + n + 1 };

        if (!sync_format_chars(part, ":@/?", iri)) {
            return 0;
        }

        s.len = n;
    }

    if (sync_str_starts(s, "//")) {
        s.data += 2;
        s.len -= 2;

        n = sync_format_find(s, "/");

        if (!sync_format_authority((sync_str_t) { n, s.data }, iri)) {
            return 0;
        }

        s.data += n;
        s.len -= n;
    }

    return sync_format_chars(s, ":@/", iri);
}


static int
sync_format_authority(sync_str_t s, int iri)
{
    size_t      n;
    sync_str_t  literal;

    n = sync_format_find(s, "@");

    if (n < s.len) {

        if (!sync_format_chars((sync_str_t) { n, s.data }, ":", iri)) {
            return 0;
        }

        s.data += n + 1;
        s.len -= n + 1;
    }

    if (s.len && s.data[0] == '[') {

        n = sync_format_find(s, "]");

        if (n == s.len) {
            return 0;
        }

        literal = (sync_str_t) { n - 1, s.data + 1 };

        if (!sync_format_ipv6(literal) && !sync_format_future(literal)) {
            return 0;
        }

        n++;

    } else {
        n = sync_format_find(s, ":");

        if (!sync_format_chars((sync_str_t) { n, s.data }, "", iri)) {
            return 0;
        }
    }

    if (n == s.len) {
        return 1;
    }

    if (s.data[n] != ':') {
        return 0;
    }

    for (n++; n < s.len; n++) {
        if (!sync_is_digit(s.data[n])) {
            return 0;
        }
    }

    return 1;
}


/* "v" 1*HEXDIG "." 1*( unreserved / sub-delims / ":" ) */

static int
sync_format_future(sync_str_t s)
{
    size_t  i;

    if (s.len < 4 || (s.data[0] | 0x20) != 'v') {
        return 0;
    }

    for (i = 1; i < s.len && sync_is_hex(s.data[i]); i++) { /* void */ }

    if (i == 1 || i + 1 >= s.len || s.data[i] != '.') {
        return 0;
    }

    for (i++; i < s.len; i++) {
        if (s.data[i] == '%') {
            return 0;
        }
    }

    return sync_format_chars(s, ":", 0);
}


/* unreserved / pct-encoded / sub-delims, and more */

static int
sync_format_chars(sync_str_t s, const char *more, int iri)
{
    size_t         i;
    unsigned char  ch;

    for (i = 0; i < s.len; i++) {
        ch = s.data[i];

        if (sync_is_alpha(ch) || sync_is_digit(ch) || (ch > 0x7f && iri)) {
            continue;
        }

        if (ch == '%') {

            if (!sync_format_percent(s, i)) {
                return 0;
            }

            i += 2;
            continue;
        }

        if (ch == 0 || (strchr("-._~!$&'()*+,;=", ch) == NULL
                        && strchr(more, ch) == NULL))
        {
            return 0;
        }
    }

    return 1;
}


static int
sync_format_percent(sync_str_t s, size_t i)
{
    return s.len - i > 2 && sync_is_hex(s.data[i + 1])
           && sync_is_hex(s.data[i + 2]);
}


int
sync_format_uri_template(sync_str_t s)
{
    size_t         i, n;
    unsigned char  ch;

    for (i = 0; i < s.len; i++) {
        ch = s.data[i];

        if (ch == '{') {
            s.data += i + 1;
            s.len -= i + 1;
            n = sync_format_find(s, "}");

            if (n == s.len
                || !sync_format_expression((sync_str_t) { n, s.data }))
            {
                return 0;
            }

            i = n;
            continue;
        }

        if (ch == '%') {

            if (!sync_format_percent(s, i)) {
                return 0;
            }

            i += 2;
            continue;
        }

        if (ch <= 0x20 || ch == 0x7f || strchr("\"<>\\^`|}", ch)) {
            return 0;
        }
    }

    return 1;
}


/* [ operator ] varspec *( "," varspec ) */

static int
sync_format_expression(sync_str_t s)
{
    size_t         i, name;
    unsigned char  ch;

    i = s.len && s.data[0] && strchr("+#./;?&=,!@|", s.data[0]) ? 1 : 0;

    for ( ;; ) {

        for (name = i; i < s.len; i++) {
            ch = s.data[i];

            if (ch == '%' && sync_format_percent(s, i)) {
                i += 2;

            } else if (ch == '.') {

                if (i == name || s.data[i - 1] == '.') {
                    return 0;
                }

            } else if (!sync_is_alpha(ch) && !sync_is_digit(ch)
                       && ch != '_')
            {
                break;
            }
        }

        if (i == name || s.data[i - 1] == '.') {
            return 0;
        }

        if (i < s.len && s.data[i] == '*') {
            i++;

        } else if (i < s.len && s.data[i] == ':') {

            name = ++i;

            while (i < s.len && sync_is_digit(s.data[i])) {
                i++;
            }

            if (i == name || i - name > 4 || s.data[name] == '0') {
                return 0;
            }
        }

        if (i == s.len) {
            return 1;
        }

        if (s.data[i++] != ',') {
            return 0;
        }
    }
}


/* The first of some characters, or the length. */

static size_t
sync_format_find(sync_str_t s, const char *stops)
{
    size_t  i;

    for (i = 0; i < s.len; i++) {
        if (s.data[i] && strchr(stops, s.data[i])) {
            break;
        }
    }

    return i;
}
