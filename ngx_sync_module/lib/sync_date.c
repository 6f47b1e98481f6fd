
/*
 * Dates as text: ISO 8601 and OData v2.  Days are counted as Howard Hinnant's
 * "chrono-compatible low-level date algorithms" describe it: years begin in
 * March, so that the leap day is the last.
 */


#include "sync_date.h"


#define SYNC_DAY_MS         86400000LL
#define SYNC_OFFSET_MAX     (14 * 60)

/* 0001-01-01T00:00:00Z and the last millisecond of 9999 */
#define SYNC_DATE_MIN       (-62135596800000LL)
#define SYNC_DATE_MAX       253402300799999LL


static sync_rc_t sync_date_parse_iso(const unsigned char *p,
    const unsigned char *last, sync_date_t *date);
static sync_rc_t sync_date_parse_odata(const unsigned char *p,
    const unsigned char *last, sync_date_t *date);
static const unsigned char *sync_date_offset(const unsigned char *p,
    const unsigned char *last, int16_t *offset);
static int sync_date_digits(const unsigned char *p,
    const unsigned char *last, int n);
static int64_t sync_date_days(int year, int month, int day);
static unsigned char *sync_date_put(unsigned char *p, int64_t value,
    int width);


sync_rc_t
sync_date_parse(sync_str_t text, sync_date_t *date)
{
    const unsigned char  *p, *last;

    p = text.data;
    last = p + text.len;

    if (text.len && (*p == '/' || *p == '\\')) {
        return sync_date_parse_odata(p, last, date);
    }

    return sync_date_parse_iso(p, last, date);
}


static sync_rc_t
sync_date_parse_iso(const unsigned char *p, const unsigned char *last,
    sync_date_t *date)
{
    int      year, month, day, hour, minute, second, ms, scale, max;
    int64_t  value;

    static const int8_t  days[] = { 31, 28, 31, 30, 31, 30,
                                    31, 31, 30, 31, 30, 31 };

    if (last - p < 10 || p[4] != '-' || p[7] != '-') {
        return SYNC_NO;
    }

    year = sync_date_digits(p, last, 4);
    month = sync_date_digits(p + 5, last, 2);
    day = sync_date_digits(p + 8, last, 2);

    if (year < 1 || month < 1 || month > 12 || day < 1) {
        return SYNC_NO;
    }

    max = days[month - 1];

    if (month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)) {
        max = 29;
    }

    if (day > max) {
        return SYNC_NO;
    }

    value = sync_date_days(year, month, day) * SYNC_DAY_MS;
    p += 10;

    date->form = SYNC_DATE;
    date->ms = value;
    date->offset = 0;

    if (p == last) {
        return SYNC_OK;
    }

    if ((*p != 'T' && *p != 't') || last - p < 9 || p[3] != ':' || p[6] != ':')
    {
        return SYNC_NO;
    }

    hour = sync_date_digits(p + 1, last, 2);
    minute = sync_date_digits(p + 4, last, 2);
    second = sync_date_digits(p + 7, last, 2);

    if (hour < 0 || hour > 23 || minute < 0 || minute > 59
        || second < 0 || second > 60)
    {
        return SYNC_NO;
    }

    p += 9;
    ms = 0;

    if (p < last && *p == '.') {
        p++;

        if (p == last || *p < '0' || *p > '9') {
            return SYNC_NO;
        }

        for (scale = 100; p < last && *p >= '0' && *p <= '9'; p++) {
            ms += (*p - '0') * scale;
            scale /= 10;
        }
    }

    date->form = SYNC_DATE_LOCAL;
    date->ms = value + ((hour * 60 + minute) * 60 + second) * 1000LL + ms;

    if (p != last) {
        date->form = SYNC_DATE_TIME;

        if (*p == 'Z' || *p == 'z') {
            p++;

        } else {
            p = sync_date_offset(p, last, &date->offset);
        }

        if (p != last) {
            return SYNC_NO;
        }

        date->ms -= date->offset * 60000LL;
    }

    return date->ms < SYNC_DATE_MIN || date->ms > SYNC_DATE_MAX ? SYNC_NO
                                                               : SYNC_OK;
}


/* [+-]hh:mm, and [+-]hhmm as Salesforce writes it; NULL: neither */

static const unsigned char *
sync_date_offset(const unsigned char *p, const unsigned char *last,
    int16_t *offset)
{
    int                   hours, minutes;
    const unsigned char  *m;

    if (last - p < 5 || (*p != '+' && *p != '-')) {
        return NULL;
    }

    m = p + (p[3] == ':' ? 4 : 3);

    hours = sync_date_digits(p + 1, last, 2);
    minutes = sync_date_digits(m, last, 2);

    if (hours < 0 || minutes < 0 || minutes > 59
        || hours * 60 + minutes > SYNC_OFFSET_MAX)
    {
        return NULL;
    }

    *offset = (int16_t) (hours * 60 + minutes);

    if (*p == '-') {
        *offset = (int16_t) -*offset;
    }

    return m + 2;
}


static sync_rc_t
sync_date_parse_odata(const unsigned char *p, const unsigned char *last,
    sync_date_t *date)
{
    int      n, sign, offset;
    int64_t  ms;

    if (*p == '\\') {
        p++;
    }

    if (last - p < 8 || memcmp(p, "/Date(", 6) != 0) {
        return SYNC_NO;
    }

    p += 6;
    sign = 1;

    if (*p == '-') {
        sign = -1;
        p++;
    }

    ms = 0;

    for (n = 0; p < last && *p >= '0' && *p <= '9'; n++, p++) {
        if (n == 15) {
            return SYNC_NO;
        }

        ms = ms * 10 + (*p - '0');
    }

    if (n == 0 || p == last) {
        return SYNC_NO;
    }

    date->form = SYNC_DATE_ODATA;
    date->ms = sign * ms;
    date->offset = 0;

    if (*p == '+' || *p == '-') {
        sign = *p++ == '-' ? -1 : 1;
        offset = 0;

        for (n = 0; p < last && *p >= '0' && *p <= '9'; n++, p++) {
            if (n == 4) {
                return SYNC_NO;
            }

            offset = offset * 10 + (*p - '0');
        }

        if (n == 0 || offset > SYNC_OFFSET_MAX) {
            return SYNC_NO;
        }

        date->form = SYNC_DATE_ODATA_OFFSET;
        date->offset = (int16_t) (sign * offset);
    }

    if (p == last || *p++ != ')') {
        return SYNC_NO;
    }

    if (p < last && *p == '\\') {
        p++;
    }

    if (last - p != 1 || *p != '/') {
        return SYNC_NO;
    }

    return date->ms < SYNC_DATE_MIN || date->ms > SYNC_DATE_MAX ? SYNC_NO
                                                               : SYNC_OK;
}


size_t
sync_date_format(const sync_date_t *date, sync_date_form_e form,
    unsigned char *buf)
{
    int             offset;
    int64_t         ms, days, era, rest, year, yday, month, day;
    unsigned char  *p;

    p = buf;

    if (form == SYNC_DATE_ODATA || form == SYNC_DATE_ODATA_OFFSET) {
        memcpy(p, "/Date(", 6);
        p += 6;

        ms = date->ms;

        if (ms < 0) {
            *p++ = '-';
            ms = -ms;
        }

        p = sync_date_put(p, ms, 1);

        if (form == SYNC_DATE_ODATA_OFFSET) {
            *p++ = date->offset < 0 ? '-' : '+';
            p = sync_date_put(p, date->offset < 0 ? -date->offset
                                                  : date->offset, 4);
        }

        *p++ = ')';
        *p++ = '/';

        return p - buf;
    }

    ms = date->ms + date->offset * 60000LL;

    days = ms / SYNC_DAY_MS;
    ms -= days * SYNC_DAY_MS;

    if (ms < 0) {
        ms += SYNC_DAY_MS;
        days--;
    }

    /* days since 0000-03-01; the year 1 and later, so never negative */

    days += 719468;
    era = days / 146097;
    rest = days - era * 146097;
    year = (rest - rest / 1460 + rest / 36524 - rest / 146096) / 365;
    yday = rest - (365 * year + year / 4 - year / 100);
    month = (5 * yday + 2) / 153;
    day = yday - (153 * month + 2) / 5 + 1;
    month = month < 10 ? month + 3 : month - 9;
    year += era * 400 + (month <= 2);

    p = sync_date_put(p, year, 4);
    *p++ = '-';
    p = sync_date_put(p, month, 2);
    *p++ = '-';
    p = sync_date_put(p, day, 2);

    if (form == SYNC_DATE) {
        return p - buf;
    }

    *p++ = 'T';
    p = sync_date_put(p, ms / 3600000, 2);
    *p++ = ':';
    p = sync_date_put(p, ms / 60000 % 60, 2);
    *p++ = ':';
    p = sync_date_put(p, ms / 1000 % 60, 2);

    if (ms % 1000) {
        *p++ = '.';
        p = sync_date_put(p, ms % 1000, 3);
    }

    if (form == SYNC_DATE_LOCAL) {
        return p - buf;
    }

    if (date->offset == 0) {
        *p++ = 'Z';
        return p - buf;
    }

    offset = date->offset < 0 ? -date->offset : date->offset;

    *p++ = date->offset < 0 ? '-' : '+';
    p = sync_date_put(p, offset / 60, 2);
    *p++ = ':';
    p = sync_date_put(p, offset % 60, 2);

    return p - buf;
}


static int64_t
sync_date_days(int year, int month, int day)
{
    int64_t  era, y, yday;

    y = month <= 2 ? year - 1 : year;
    era = y / 400;
    y -= era * 400;
    yday = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

    return era * 146097 + y * 365 + y / 4 - y / 100 + yday - 719468;
}


/* exactly n digits, or -1 */

static int
sync_date_digits(const unsigned char *p, const unsigned char *last, int n)
{
    int  value;

    if (last - p < n) {
        return -1;
    }

    for (value = 0; n > 0; n--, p++) {
        if (*p < '0' || *p > '9') {
            return -1;
        }

        value = value * 10 + (*p - '0');
    }

    return value;
}


static unsigned char *
sync_date_put(unsigned char *p, int64_t value, int width)
{
    int            n;
    unsigned char  digits[20];

    for (n = 0; value > 0 || n < width; n++) {
        digits[n] = (unsigned char) ('0' + value % 10);
        value /= 10;
    }

    while (n > 0) {
        *p++ = digits[--n];
    }

    return p;
}
