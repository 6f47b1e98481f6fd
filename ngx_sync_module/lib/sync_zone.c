
/*
 * Time zones.
 */


#include "sync_zone.h"

#include <stdio.h>


#define SYNC_ZONE_DIR     "/usr/share/zoneinfo/"
#define SYNC_ZONE_FILE    65536      /* bytes at most */
#define SYNC_ZONE_HEADER  44
#define SYNC_ZONE_DAYS    INT64_C(86400)


/* When a rule of the footer begins: the TZ string of POSIX. */

typedef enum {
    SYNC_ZONE_JULIAN = 0,            /* Jn: 29 February is not counted */
    SYNC_ZONE_YEAR_DAY,              /* n */
    SYNC_ZONE_WEEK_DAY               /* Mm.w.d */
} sync_zone_when_e;

typedef struct {
    sync_zone_when_e  when;
    int               day;
    int               week;
    int               month;
    int32_t           time;          /* seconds from midnight */
} sync_zone_date_t;

struct sync_zone_s {
    uint32_t          n;             /* transitions */
    uint32_t          types;
    const uint8_t    *times;         /* big endian, 8 bytes each */
    const uint8_t    *type;
    const uint8_t    *offsets;       /* 6 bytes each */

    /* beyond the last transition */
    unsigned          rule:1;
    unsigned          dst:1;
    int32_t           standard;      /* seconds east */
    int32_t           daylight;
    sync_zone_date_t  begin;
    sync_zone_date_t  end;
};


static int sync_zone_name_ok(sync_str_t name);
static sync_rc_t sync_zone_bad(sync_error_t *err);
static int64_t sync_zone_number(const uint8_t *p, int n);
static int sync_zone_footer(sync_zone_t *z, const uint8_t *p,
    const uint8_t *last);
static const uint8_t *sync_zone_abbreviation(const uint8_t *p,
    const uint8_t *last);
static const uint8_t *sync_zone_time(const uint8_t *p, const uint8_t *last,
    int32_t *seconds);
static const uint8_t *sync_zone_date(const uint8_t *p, const uint8_t *last,
    sync_zone_date_t *date);
static const uint8_t *sync_zone_int(const uint8_t *p, const uint8_t *last,
    int *n);
static int32_t sync_zone_rule(const sync_zone_t *z, int64_t t);
static int64_t sync_zone_starts(const sync_zone_date_t *date, int64_t year);
static int64_t sync_zone_midnight(const sync_zone_t *z, int64_t t,
    int64_t local);
static int64_t sync_zone_days(int64_t year, int month, int day);
static void sync_zone_civil(int64_t days, int64_t *year, int *month,
    int *day);


sync_rc_t
sync_zone_load(sync_arena_t *arena, sync_str_t name, const sync_zone_t **zone,
    sync_error_t *err)
{
    FILE           *f;
    char            path[sizeof(SYNC_ZONE_DIR) + SYNC_ZONE_NAME];
    sync_str_t      bytes;
    unsigned char  *buf;

    *zone = NULL;

    if (sync_str_is(name, "UTC")) {
        return SYNC_OK;
    }

    if (!sync_zone_name_ok(name)) {
        return sync_zone_bad(err);
    }

    snprintf(path, sizeof(path), SYNC_ZONE_DIR "%.*s", (int) name.len,
             (const char *) name.data);

    f = fopen(path, "rb");

    if (f == NULL) {
        return sync_zone_bad(err);
    }

    buf = sync_alloc(arena, SYNC_ZONE_FILE);

    if (buf == NULL) {
        fclose(f);
        return SYNC_FAULT;
    }

    bytes.data = buf;
    bytes.len = fread(buf, 1, SYNC_ZONE_FILE, f);
    fclose(f);

    return sync_zone_parse(arena, bytes, zone, err);
}


/* Letters, digits, "_+-/", no part that is empty or begins otherwise. */

static int
sync_zone_name_ok(sync_str_t name)
{
    int     first;
    size_t  i;

    if (name.len == 0 || name.len > SYNC_ZONE_NAME) {
        return 0;
    }

    first = 1;

    for (i = 0; i < name.len; i++) {
        unsigned char  c = name.data[i];

        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) {
            first = 0;

        } else if (first) {
            return 0;

        } else if (c == '/') {
            first = 1;

        } else if ((c < '0' || c > '9') && c != '_' && c != '+' && c != '-') {
            return 0;
        }
    }

    return !first;
}


static sync_rc_t
sync_zone_bad(sync_error_t *err)
{
    return sync_refuse(err, "bad-zone", SYNC_NOWHERE, "is no time zone that "
                       SYNC_ZONE_DIR " has, like \"Europe/Berlin\" or \"UTC\"");
}


sync_rc_t
sync_zone_parse(sync_arena_t *arena, sync_str_t bytes,
    const sync_zone_t **zone, sync_error_t *err)
{
    int             pass;
    size_t          size, left;
    uint32_t        i, n[6];
    sync_zone_t    *z;
    const uint8_t  *p;

    p = bytes.data;
    left = bytes.len;
    *zone = NULL;

    /* the first block has times of 4 bytes, for who can read no other */

    for (pass = 0; pass < 2; pass++) {

        if (left < SYNC_ZONE_HEADER || memcmp(p, "TZif", 4) != 0
            || p[4] < '2')
        {
            return sync_zone_bad(err);
        }

        for (i = 0; i < 6; i++) {
            n[i] = (uint32_t) sync_zone_number(p + 20 + 4 * i, 4);

            if (n[i] > SYNC_ZONE_FILE) {
                return sync_zone_bad(err);
            }
        }

        p += SYNC_ZONE_HEADER;
        left -= SYNC_ZONE_HEADER;

        /* n: UTC flags, standard flags, leap seconds, times, types, names */

        size = (size_t) n[3] * (pass ? 9 : 5) + (size_t) n[4] * 6 + n[5]
               + (size_t) n[2] * (pass ? 12 : 8) + n[1] + n[0];

        if (size > left) {
            return sync_zone_bad(err);
        }

        if (pass == 0) {
            p += size;
            left -= size;
        }
    }

    z = sync_calloc(arena, sizeof(sync_zone_t));

    if (z == NULL) {
        return SYNC_FAULT;
    }

    z->n = n[3];
    z->types = n[4];
    z->times = p;
    z->type = p + 8 * (size_t) n[3];
    z->offsets = z->type + n[3];

    if (z->types == 0) {
        return sync_zone_bad(err);
    }

    for (i = 0; i < z->n; i++) {
        if (z->type[i] >= z->types) {
            return sync_zone_bad(err);
        }
    }

    if (!sync_zone_footer(z, p + size, p + left)) {
        return sync_zone_bad(err);
    }

    *zone = z;

    return SYNC_OK;
}


static int64_t
sync_zone_number(const uint8_t *p, int n)
{
    int       i;
    uint64_t  v;

    v = (n == 4 && p[0] & 0x80) ? UINT64_MAX : 0;

    for (i = 0; i < n; i++) {
        v = v << 8 | p[i];
    }

    return (int64_t) v;
}


/* "\nCET-1CEST,M3.5.0,M10.5.0/3\n", or nothing between the line feeds. */

static int
sync_zone_footer(sync_zone_t *z, const uint8_t *p, const uint8_t *last)
{
    if (p == last || *p++ != '\n') {
        return 0;
    }

    if (p < last && *p == '\n') {
        return 1;
    }

    z->rule = 1;

    p = sync_zone_abbreviation(p, last);
    p = p ? sync_zone_time(p, last, &z->standard) : NULL;

    if (p == NULL || p == last) {
        return 0;
    }

    /* POSIX counts west of Greenwich */

    z->standard = -z->standard;

    if (*p == '\n') {
        return 1;
    }

    z->dst = 1;

    p = sync_zone_abbreviation(p, last);

    if (p == NULL || p == last) {
        return 0;
    }

    if (*p == ',') {
        z->daylight = z->standard + 3600;

    } else {
        p = sync_zone_time(p, last, &z->daylight);
        z->daylight = -z->daylight;
    }

    p = p ? sync_zone_date(p, last, &z->begin) : NULL;
    p = p ? sync_zone_date(p, last, &z->end) : NULL;

    return p != NULL && p < last && *p == '\n';
}


static const uint8_t *
sync_zone_abbreviation(const uint8_t *p, const uint8_t *last)
{
    const uint8_t  *from = p;

    if (p < last && *p == '<') {

        while (p < last && *p != '>') {
            p++;
        }

        return p < last ? p + 1 : NULL;
    }

    while (p < last && ((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z')))
    {
        p++;
    }

    return p > from ? p : NULL;
}


/* [+-]hh[:mm[:ss]] */

static const uint8_t *
sync_zone_time(const uint8_t *p, const uint8_t *last, int32_t *seconds)
{
    int  minus, n, unit;

    minus = p < last && *p == '-';

    if (p < last && (*p == '-' || *p == '+')) {
        p++;
    }

    *seconds = 0;

    for (unit = 3600; unit > 0; unit /= 60) {

        p = sync_zone_int(p, last, &n);

        if (p == NULL) {
            return NULL;
        }

        *seconds += n * unit;

        if (p == last || *p != ':') {
            break;
        }

        p++;
    }

    if (minus) {
        *seconds = -*seconds;
    }

    return p;
}


static const uint8_t *
sync_zone_date(const uint8_t *p, const uint8_t *last, sync_zone_date_t *date)
{
    if (p == last || *p++ != ',' || p == last) {
        return NULL;
    }

    date->when = SYNC_ZONE_YEAR_DAY;
    date->time = 2 * 3600;

    if (*p == 'M') {
        date->when = SYNC_ZONE_WEEK_DAY;

        p = sync_zone_int(p + 1, last, &date->month);
        p = (p && p < last && *p == '.')
            ? sync_zone_int(p + 1, last, &date->week) : NULL;
        p = (p && p < last && *p == '.')
            ? sync_zone_int(p + 1, last, &date->day) : NULL;

        if (p == NULL || date->month < 1 || date->month > 12 || date->week < 1
            || date->week > 5 || date->day > 6)
        {
            return NULL;
        }

    } else {

        if (*p == 'J') {
            date->when = SYNC_ZONE_JULIAN;
            p++;
        }

        p = sync_zone_int(p, last, &date->day);

        if (p == NULL || date->day > 365) {
            return NULL;
        }
    }

    if (p < last && *p == '/') {
        p = sync_zone_time(p + 1, last, &date->time);
    }

    return p;
}


static const uint8_t *
sync_zone_int(const uint8_t *p, const uint8_t *last, int *n)
{
    const uint8_t  *from = p;

    for (*n = 0; p < last && *p >= '0' && *p <= '9' && p - from < 3; p++) {
        *n = *n * 10 + (*p - '0');
    }

    return p > from ? p : NULL;
}


int32_t
sync_zone_offset(const sync_zone_t *z, int64_t t)
{
    uint32_t  low, high, mid, type;

    if (z == NULL) {
        return 0;
    }

    if (z->n == 0 || t >= sync_zone_number(z->times + 8 * (z->n - 1), 8)) {

        if (z->rule) {
            return sync_zone_rule(z, t);
        }

        type = z->n ? z->type[z->n - 1] : 0;

        return (int32_t) sync_zone_number(z->offsets + 6 * type, 4);
    }

    /* the last transition that is not after t */

    low = 0;
    high = z->n;

    while (low < high) {
        mid = (low + high) / 2;

        if (sync_zone_number(z->times + 8 * mid, 8) <= t) {
            low = mid + 1;

        } else {
            high = mid;
        }
    }

    type = low ? z->type[low - 1] : 0;

    return (int32_t) sync_zone_number(z->offsets + 6 * type, 4);
}


static int32_t
sync_zone_rule(const sync_zone_t *z, int64_t t)
{
    int      month, day, in;
    int64_t  year, local, begin, end, days;

    if (!z->dst) {
        return z->standard;
    }

    local = t + z->standard;
    days = local / SYNC_ZONE_DAYS - (local % SYNC_ZONE_DAYS < 0);

    sync_zone_civil(days, &year, &month, &day);

    begin = sync_zone_starts(&z->begin, year) - z->standard;
    end = sync_zone_starts(&z->end, year) - z->daylight;

    in = begin < end ? t >= begin && t < end : t >= begin || t < end;

    return in ? z->daylight : z->standard;
}


/* Local seconds of that date in a year. */

static int64_t
sync_zone_starts(const sync_zone_date_t *date, int64_t year)
{
    int      leap, weekday;
    int64_t  day, next;

    leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    switch (date->when) {

    case SYNC_ZONE_JULIAN:
        day = sync_zone_days(year, 1, 1) + date->day - 1
              + (leap && date->day >= 60);
        break;

    case SYNC_ZONE_YEAR_DAY:
        day = sync_zone_days(year, 1, 1) + date->day;
        break;

    default: /* SYNC_ZONE_WEEK_DAY */
        day = sync_zone_days(year, date->month, 1);
        next = date->month == 12 ? sync_zone_days(year + 1, 1, 1)
                                 : sync_zone_days(year, date->month + 1, 1);

        /* 1970-01-01 was a Thursday */

        weekday = (int) (((day + 4) % 7 + 7) % 7);
        day += (date->day - weekday + 7) % 7 + 7 * (date->week - 1);

        while (day >= next) {
            day -= 7;
        }

        break;
    }

    return day * SYNC_ZONE_DAYS + date->time;
}


void
sync_zone_window(const sync_zone_t *z, int64_t t, sync_zone_unit_e unit,
    sync_zone_window_t *window)
{
    int      month, day;
    int64_t  year, local, days, next, first;

    local = t + sync_zone_offset(z, t);
    days = local / SYNC_ZONE_DAYS - (local % SYNC_ZONE_DAYS < 0);

    sync_zone_civil(days, &year, &month, &day);

    if (unit == SYNC_ZONE_DAY) {
        window->label = (uint32_t) (year * 10000 + month * 100 + day);
        first = days;
        next = days + 1;

    } else {
        window->label = (uint32_t) (year * 100 + month);
        first = sync_zone_days(year, month, 1);
        next = month == 12 ? sync_zone_days(year + 1, 1, 1)
                           : sync_zone_days(year, month + 1, 1);
    }

    window->length = (next - first) * SYNC_ZONE_DAYS;

    window->end = sync_zone_midnight(z, t, next * SYNC_ZONE_DAYS);
}


/*
 * When local time gets there, first after t.  There may be no such time, where
 * clocks are put forward over midnight: then it is when they are; or two,
 * where they are put back.
 */

static int64_t
sync_zone_midnight(const sync_zone_t *z, int64_t t, int64_t local)
{
    int      i;
    int64_t  guess, at, found, low, high, mid;

    guess = local - sync_zone_offset(z, t);
    found = 0;
    low = guess;
    high = guess;

    for (i = -1; i <= 1; i++) {
        at = local - sync_zone_offset(z, guess + i * SYNC_ZONE_DAYS / 4);

        low = at < low ? at : low;
        high = at > high ? at : high;

        if (at > t && at + sync_zone_offset(z, at) == local
            && (found == 0 || at < found))
        {
            found = at;
        }
    }

    if (found) {
        return found;
    }

    while (low + 1 < high) {
        mid = low + (high - low) / 2;

        if (mid <= t || mid + sync_zone_offset(z, mid) < local) {
            low = mid;

        } else {
            high = mid;
        }
    }

    return high;
}


/* Days since 1970-01-01 of the proleptic Gregorian calendar, and back. */

static int64_t
sync_zone_days(int64_t year, int month, int day)
{
    int64_t  era, of_era, of_year;

    year -= month <= 2;
    era = (year >= 0 ? year : year - 399) / 400;
    of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    of_era = (year - era * 400) * 365 + (year - era * 400) / 4
             - (year - era * 400) / 100 + of_year;

    return era * 146097 + of_era - 719468;
}


static void
sync_zone_civil(int64_t days, int64_t *year, int *month, int *day)
{
    int64_t  era, of_era, of_year, y, m;

    days += 719468;
    era = (days >= 0 ? days : days - 146096) / 146097;
    of_era = days - era * 146097;
    y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    of_year = of_era - (365 * y + y / 4 - y / 100);
    m = (5 * of_year + 2) / 153;

    *day = (int) (of_year - (153 * m + 2) / 5 + 1);
    *month = (int) (m < 10 ? m + 3 : m - 9);
    *year = y + era * 400 + (*month <= 2);
}
