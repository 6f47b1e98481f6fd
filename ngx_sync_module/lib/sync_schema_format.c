
/*
 * What "format" names: dates, addresses, pointers, identifiers.  Of a string
 * that is UTF-8, unescaped.
 */


#include "sync_schema_impl.h"


static int sync_format_date_time(sync_str_t s);
static int sync_format_date(sync_str_t s);
static int sync_format_time(sync_str_t s);
static int sync_format_duration(sync_str_t s);
static int sync_format_units(sync_str_t *s, const char *units);
static int sync_format_email(sync_str_t s);
static int sync_format_idn_email(sync_str_t s);
static int sync_format_mailbox(sync_str_t s, int idn);
static int sync_format_local(sync_str_t s, int idn);
static int sync_format_uuid(sync_str_t s);
static int sync_format_pointer(sync_str_t s);
static int sync_format_relative_pointer(sync_str_t s);
static int sync_format_regex(sync_str_t s);
static int sync_format_two(sync_str_t s, size_t i);
static sync_str_t sync_format_from(sync_str_t s, size_t i);


/* A pattern or a class of characters is compiled for some. */

#define SYNC_FORMAT_COMPILES  2000


static const sync_schema_format_t  sync_formats[] = {
    { "date-time", sync_format_date_time, 0 },
    { "date", sync_format_date, 0 },
    { "time", sync_format_time, 0 },
    { "duration", sync_format_duration, 0 },
    { "email", sync_format_email, 0 },
    { "idn-email", sync_format_idn_email, SYNC_FORMAT_COMPILES },
    { "hostname", sync_format_hostname, 0 },
    { "idn-hostname", sync_format_idn_hostname, SYNC_FORMAT_COMPILES },
    { "ipv4", sync_format_ipv4, 0 },
    { "ipv6", sync_format_ipv6, 0 },
    { "uri", sync_format_uri, 0 },
    { "uri-reference", sync_format_uri_reference, 0 },
    { "iri", sync_format_iri, 0 },
    { "iri-reference", sync_format_iri_reference, 0 },
    { "uri-template", sync_format_uri_template, 0 },
    { "uuid", sync_format_uuid, 0 },
    { "json-pointer", sync_format_pointer, 0 },
    { "relative-json-pointer", sync_format_relative_pointer, 0 },
    { "regex", sync_format_regex, SYNC_FORMAT_COMPILES }
};


const sync_schema_format_t *
sync_schema_format(sync_str_t name)
{
    size_t  i;

    for (i = 0; i < sizeof(sync_formats) / sizeof(sync_formats[0]); i++) {
        if (sync_str_is(name, sync_formats[i].name)) {
            return &sync_formats[i];
        }
    }

    return NULL;
}


/* RFC 3339, 5.6 */

static int
sync_format_date_time(sync_str_t s)
{
    return s.len > 11 && (s.data[10] | 0x20) == 't'
           && sync_format_date((sync_str_t) { 10, s.data })
           && sync_format_time(sync_format_from(s, 11));
}


static int
sync_format_date(sync_str_t s)
{
    int  year, month, day, last;

    static const int  days[] = {
        31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31
    };

    if (s.len != 10 || s.data[4] != '-' || s.data[7] != '-'
        || sync_format_two(s, 0) < 0 || sync_format_two(s, 2) < 0)
    {
        return 0;
    }

    year = sync_format_two(s, 0) * 100 + sync_format_two(s, 2);
    month = sync_format_two(s, 5);
    day = sync_format_two(s, 8);

    if (month < 1 || month > 12) {
        return 0;
    }

    last = days[month - 1];

    if (month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)) {
        last++;
    }

    return day >= 1 && day <= last;
}


/* With an offset; a leap second ends a day in UTC. */

static int
sync_format_time(sync_str_t s)
{
    int     hour, minute, second, h, m, utc;
    size_t  i;

    if (s.len < 9 || s.data[2] != ':' || s.data[5] != ':') {
        return 0;
    }

    hour = sync_format_two(s, 0);
    minute = sync_format_two(s, 3);
    second = sync_format_two(s, 6);

    if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0
        || second > 60)
    {
        return 0;
    }

    i = 8;

    if (s.data[i] == '.') {

        for (i++; i < s.len && sync_is_digit(s.data[i]); i++) { /* void */ }

        if (i == 9) {
            return 0;
        }
    }

    utc = hour * 60 + minute;

    if (s.len - i == 1 && (s.data[i] | 0x20) == 'z') {
        return second < 60 || utc == 23 * 60 + 59;
    }

    if (s.len - i != 6 || (s.data[i] != '+' && s.data[i] != '-')
        || s.data[i + 3] != ':')
    {
        return 0;
    }

    h = sync_format_two(s, i + 1);
    m = sync_format_two(s, i + 4);

    if (h < 0 || h > 23 || m < 0 || m > 59) {
        return 0;
    }

    utc += (s.data[i] == '+' ? -1 : 1) * (h * 60 + m);
    utc = (utc + 24 * 60) % (24 * 60);

    return second < 60 || utc == 23 * 60 + 59;
}


/* RFC 3339, appendix A */

static int
sync_format_duration(sync_str_t s)
{
    int  n;

    if (s.len < 2 || s.data[0] != 'P') {
        return 0;
    }

    s = sync_format_from(s, 1);

    if (s.data[0] != 'T') {

        n = sync_format_units(&s, "W");

        if (n == 0) {
            n = sync_format_units(&s, "YMD");

        } else if (s.len) {
            return 0;
        }

        if (n == 0 || s.len == 0) {
            return n > 0;
        }
    }

    if (s.data[0] != 'T') {
        return 0;
    }

    s = sync_format_from(s, 1);

    return sync_format_units(&s, "HMS") > 0 && s.len == 0;
}


/* Numbers with units, from one unit on in their order without a gap. */

static int
sync_format_units(sync_str_t *s, const char *units)
{
    int          n;
    size_t       i;
    const char  *next;

    for (n = 0; *units; n++) {

        for (i = 0; i < s->len && sync_is_digit(s->data[i]); i++) {
            /* void */
        }

        if (i == 0 || i == s->len) {
            break;
        }

        next = n == 0 ? strchr(units, s->data[i])
                      : *units == (char) s->data[i] ? units : NULL;

        if (next == NULL) {
            break;
        }

        units = next + 1;
        *s = sync_format_from(*s, i + 1);
    }

    return n;
}


/* RFC 5321, 4.1.2, and RFC 6531 */

static int
sync_format_email(sync_str_t s)
{
    return sync_format_mailbox(s, 0);
}


static int
sync_format_idn_email(sync_str_t s)
{
    return sync_format_mailbox(s, 1);
}


static int
sync_format_mailbox(sync_str_t s, int idn)
{
    size_t      at;
    sync_str_t  domain;

    for (at = s.len; at > 0 && s.data[at - 1] != '@'; at--) { /* void */ }

    if (at == 0
        || !sync_format_local((sync_str_t) { at - 1, s.data }, idn))
    {
        return 0;
    }

    domain = sync_format_from(s, at);

    if (domain.len > 2 && domain.data[0] == '['
        && domain.data[domain.len - 1] == ']')
    {
        domain.data++;
        domain.len -= 2;

        if (sync_str_starts(domain, "IPv6:")) {
            return sync_format_ipv6(sync_format_from(domain, 5));
        }

        return sync_format_ipv4(domain);
    }

    return idn ? sync_format_idn_hostname(domain)
               : sync_format_hostname(domain);
}


static int
sync_format_local(sync_str_t s, int idn)
{
    size_t         i;
    unsigned char  ch, last;

    if (s.len == 0 || s.len > 64) {
        return 0;
    }

    if (s.data[0] == '"') {

        if (s.len < 2 || s.data[s.len - 1] != '"') {
            return 0;
        }

        for (i = 1; i < s.len - 1; i++) {
            ch = s.data[i];

            if (ch == '\\' && ++i == s.len - 1) {
                return 0;
            }

            if (ch == '"' || ch < 0x20 || ch == 0x7f
                || (ch > 0x7f && !idn))
            {
                return 0;
            }
        }

        return 1;
    }

    for (i = 0, last = '.'; i < s.len; last = ch, i++) {
        ch = s.data[i];

        if (ch == '.' && last != '.') {
            continue;
        }

        if (!sync_is_digit(ch) && !sync_is_alpha(ch) && !(ch > 0x7f && idn)
            && (ch == 0 || strchr("!#$%&'*+-/=?^_`{|}~", ch) == NULL))
        {
            return 0;
        }
    }

    return last != '.';
}


/* RFC 2673, 3.2, without leading zeros */

int
sync_format_ipv4(sync_str_t s)
{
    size_t    i;
    unsigned  n, digits, dots;

    for (i = 0, n = 0, digits = 0, dots = 0; i < s.len; i++) {

        if (s.data[i] == '.') {

            if (digits == 0 || dots++ == 3) {
                return 0;
            }

            n = 0;
            digits = 0;
            continue;
        }

        if (!sync_is_digit(s.data[i]) || (digits && n == 0)) {
            return 0;
        }

        n = n * 10 + (unsigned) (s.data[i] - '0');
        digits++;

        if (n > 255) {
            return 0;
        }
    }

    return dots == 3 && digits > 0;
}


/* RFC 4291, 2.2 */

int
sync_format_ipv6(sync_str_t s)
{
    int       gap;
    size_t    i, first;
    unsigned  groups;

    gap = 0;
    groups = 0;
    i = 0;

    if (sync_str_starts(s, "::")) {
        gap = 1;
        i = 2;
    }

    while (i < s.len) {

        for (first = i; i < s.len && sync_is_hex(s.data[i]); i++) {
            /* void */
        }

        if (i < s.len && s.data[i] == '.') {
            groups += 2;

            return sync_format_ipv4(sync_format_from(s, first))
                   && (gap ? groups < 8 : groups == 8);
        }

        if (i == first || i - first > 4 || ++groups > 8) {
            return 0;
        }

        if (i == s.len) {
            break;
        }

        if (s.data[i] != ':' || i + 1 == s.len) {
            return 0;
        }

        if (s.data[++i] == ':') {

            if (gap++) {
                return 0;
            }

            i++;
        }
    }

    return gap ? groups < 8 : groups == 8;
}


/* RFC 9562 */

static int
sync_format_uuid(sync_str_t s)
{
    size_t  i;

    if (s.len != 36) {
        return 0;
    }

    for (i = 0; i < 36; i++) {

        if (i == 8 || i == 13 || i == 18 || i == 23) {
            if (s.data[i] != '-') {
                return 0;
            }

        } else if (!sync_is_hex(s.data[i])) {
            return 0;
        }
    }

    return 1;
}


/* RFC 6901 */

static int
sync_format_pointer(sync_str_t s)
{
    size_t  i;

    if (s.len && s.data[0] != '/') {
        return 0;
    }

    for (i = 0; i < s.len; i++) {
        if (s.data[i] == '~'
            && (++i == s.len || (s.data[i] != '0' && s.data[i] != '1')))
        {
            return 0;
        }
    }

    return 1;
}


static int
sync_format_relative_pointer(sync_str_t s)
{
    size_t  i;

    for (i = 0; i < s.len && sync_is_digit(s.data[i]); i++) { /* void */ }

    if (i == 0 || (i > 1 && s.data[0] == '0')) {
        return 0;
    }

    s = sync_format_from(s, i);

    return sync_str_is(s, "#") || sync_format_pointer(s);
}


static int
sync_format_regex(sync_str_t s)
{
    int              good;
    sync_arena_t    *arena;
    sync_iregexp_t  *re;

    arena = sync_arena_create(4096);
    if (arena == NULL) {
        return 0;
    }

    good = sync_schema_regexp(&re, arena, s, NULL) == SYNC_OK;

    sync_arena_destroy(arena);

    return good;
}


/* Two digits, or -1. */

static int
sync_format_two(sync_str_t s, size_t i)
{
    if (!sync_is_digit(s.data[i]) || !sync_is_digit(s.data[i + 1])) {
        return -1;
    }

    return (s.data[i] - '0') * 10 + (s.data[i + 1] - '0');
}


static sync_str_t
sync_format_from(sync_str_t s, size_t i)
{
    return (sync_str_t) { s.len - i, s.data + i };
}
