
/*
 * Dates in forms of one's own, and as numbers since 1970.
 */


#include "sync_date.h"


typedef enum {
    SYNC_DATE_YEAR = 0,
    SYNC_DATE_MONTH,
    SYNC_DATE_MONTH_NAME,
    SYNC_DATE_DAY,
    SYNC_DATE_HOUR,
    SYNC_DATE_MINUTE,
    SYNC_DATE_SECOND,
    SYNC_DATE_MS,
    SYNC_DATE_ZONE,
    SYNC_DATE_LITERAL,
    SYNC_DATE_END,
    SYNC_DATE_UNKNOWN
} sync_date_field_e;


typedef struct {
    const unsigned char  *pos;
    const unsigned char  *end;
    unsigned char         literal;
    uint8_t               quoted;
} sync_date_walk_t;


static sync_date_field_e sync_date_next(sync_date_walk_t *w);
static const unsigned char *sync_date_zone(const unsigned char *p,
    const unsigned char *last, unsigned char *zone, size_t *len);


/* In the order of sync_date_field_e; where each stands in ISO 8601. */

static const struct {
    const char  *word;
    uint8_t      len;
    uint8_t      at;
    uint8_t      width;
} sync_date_fields[] = {
    { "YYYY", 4, 0, 4 },
    { "MM", 2, 5, 2 },
    { "MMM", 3, 5, 3 },
    { "DD", 2, 8, 2 },
    { "hh", 2, 11, 2 },
    { "mm", 2, 14, 2 },
    { "ss", 2, 17, 2 },
    { "SSS", 3, 20, 3 },
    { "Z", 1, 23, 0 }
};


static const char  sync_date_months[] =
    "JanFebMarAprMayJunJulAugSepOctNovDec";


sync_rc_t
sync_date_pattern(sync_str_t pattern, const char **text)
{
    unsigned           seen, month, bit;
    sync_date_walk_t   w;
    sync_date_field_e  field;

    if (pattern.len > SYNC_DATE_PATTERN) {
        *text = "the form of a date has at most 64 bytes";
        return SYNC_NO;
    }

    w = (sync_date_walk_t) { pattern.data, pattern.data + pattern.len, 0, 0 };
    seen = 0;

    while ((field = sync_date_next(&w)) != SYNC_DATE_END) {

        if (field == SYNC_DATE_UNKNOWN) {
            *text = "the form of a date has YYYY, MM or MMM, DD, hh, mm, ss, "
                    "SSS and Z; other letters stand between single quotes";
            return SYNC_NO;
        }

        bit = 1u << field;

        if (field != SYNC_DATE_LITERAL && seen & bit) {
            *text = "the form of a date has each part once";
            return SYNC_NO;
        }

        seen |= bit;
    }

    month = seen & (1u << SYNC_DATE_MONTH | 1u << SYNC_DATE_MONTH_NAME);

    if (!(seen & 1u << SYNC_DATE_YEAR) || !(seen & 1u << SYNC_DATE_DAY)
        || month == 0 || (month & (month - 1)))
    {
        *text = "the form of a date has a year (YYYY), a month (MM or MMM) "
                "and a day (DD)";
        return SYNC_NO;
    }

    if (!(seen & 1u << SYNC_DATE_HOUR)
        && seen & (1u << SYNC_DATE_MINUTE | 1u << SYNC_DATE_SECOND
                   | 1u << SYNC_DATE_MS | 1u << SYNC_DATE_ZONE))
    {
        *text = "the form of a date has hh where it has what is finer";
        return SYNC_NO;
    }

    return SYNC_OK;
}


int
sync_date_zoned(sync_str_t pattern)
{
    sync_date_walk_t   w;
    sync_date_field_e  field;

    w = (sync_date_walk_t) { pattern.data, pattern.data + pattern.len, 0, 0 };

    do {
        field = sync_date_next(&w);
    } while (field != SYNC_DATE_ZONE && field != SYNC_DATE_END);

    return field == SYNC_DATE_ZONE;
}


sync_rc_t
sync_date_read(sync_str_t pattern, sync_str_t text, sync_date_t *date)
{
    int                   i, clock;
    size_t                zone;
    sync_str_t            iso;
    unsigned char         buf[sizeof("2026-11-21T10:00:00.000+00:00")];
    sync_date_walk_t      w;
    sync_date_field_e     field;
    const unsigned char  *p, *last;

    w = (sync_date_walk_t) { pattern.data, pattern.data + pattern.len, 0, 0 };
    memcpy(buf, "0000-00-00T00:00:00.000", 23);
    clock = 0;
    zone = 0;

    p = text.data;
    last = p + text.len;

    while ((field = sync_date_next(&w)) != SYNC_DATE_END) {

        if (field == SYNC_DATE_LITERAL) {
            if (p == last || *p++ != w.literal) {
                return SYNC_NO;
            }

            continue;
        }

        if (field == SYNC_DATE_ZONE) {
            p = sync_date_zone(p, last, buf + 23, &zone);
            if (p == NULL) {
                return SYNC_NO;
            }

            continue;
        }

        if (last - p < sync_date_fields[field].width) {
            return SYNC_NO;
        }

        if (field == SYNC_DATE_MONTH_NAME) {
            for (i = 0; i < 12; i++) {
                if (memcmp(p, sync_date_months + 3 * i, 3) == 0) {
                    break;
                }
            }

            if (i == 12) {
                return SYNC_NO;
            }

            buf[5] = (unsigned char) ('0' + (i + 1) / 10);
            buf[6] = (unsigned char) ('0' + (i + 1) % 10);

        } else {
            memcpy(buf + sync_date_fields[field].at, p,
                   sync_date_fields[field].width);
            clock |= field >= SYNC_DATE_HOUR;
        }

        p += sync_date_fields[field].width;
    }

    /* what is no digit where one is due the reader of ISO 8601 finds */

    iso.data = buf;
    iso.len = clock ? 23 + zone : 10;

    return p == last ? sync_date_parse(iso, date) : SYNC_NO;
}


size_t
sync_date_write(sync_str_t pattern, const sync_date_t *date,
    unsigned char *buf)
{
    int                offset;
    size_t             len;
    unsigned char      iso[SYNC_DATE_LEN], *p;
    sync_date_walk_t   w;
    sync_date_field_e  field;

    w = (sync_date_walk_t) { pattern.data, pattern.data + pattern.len, 0, 0 };
    p = buf;

    /* milliseconds that are 0 are not written */

    memset(iso, '0', sizeof(iso));
    len = sync_date_format(date, SYNC_DATE_LOCAL, iso);

    if (len < 23) {
        memcpy(iso + 19, ".000", 4);
    }

    while ((field = sync_date_next(&w)) != SYNC_DATE_END) {

        switch (field) {

        case SYNC_DATE_LITERAL:
            *p++ = w.literal;
            break;

        case SYNC_DATE_MONTH_NAME:
            memcpy(p, sync_date_months
                      + 3 * ((iso[5] - '0') * 10 + iso[6] - '1'), 3);
            p += 3;
            break;

        case SYNC_DATE_ZONE:
            if (date->offset == 0) {
                *p++ = 'Z';
                break;
            }

            offset = date->offset < 0 ? -date->offset : date->offset;

            *p++ = date->offset < 0 ? '-' : '+';
            *p++ = (unsigned char) ('0' + offset / 600);
            *p++ = (unsigned char) ('0' + offset / 60 % 10);
            *p++ = ':';
            *p++ = (unsigned char) ('0' + offset % 60 / 10);
            *p++ = (unsigned char) ('0' + offset % 10);
            break;

        default:
            memcpy(p, iso + sync_date_fields[field].at,
                   sync_date_fields[field].width);
            p += sync_date_fields[field].width;
        }
    }

    return p - buf;
}


sync_rc_t
sync_date_epoch(sync_str_t text, int milliseconds, sync_date_t *date)
{
    int                   n, minus, scale;
    int64_t               value;
    sync_date_t           first, last;
    const unsigned char  *p, *end;

    p = text.data;
    end = p + text.len;
    minus = p < end && *p == '-';
    p += minus;
    value = 0;

    for (n = 0; p < end && *p >= '0' && *p <= '9'; n++, p++) {
        if (n == 15) {
            return SYNC_NO;
        }

        value = value * 10 + (*p - '0');
    }

    if (n == 0) {
        return SYNC_NO;
    }

    if (!milliseconds) {
        if (n > 12) {
            return SYNC_NO;
        }

        value *= 1000;
    }

    if (p < end && *p == '.') {
        p++;

        if (p == end) {
            return SYNC_NO;
        }

        for (scale = milliseconds ? 0 : 100; p < end; p++) {
            if (*p < '0' || *p > '9') {
                return SYNC_NO;
            }

            value += (*p - '0') * scale;
            scale /= 10;
        }
    }

    (void) sync_date_parse(sync_str_lit("0001-01-01T00:00:00Z"), &first);
    (void) sync_date_parse(sync_str_lit("9999-12-31T23:59:59Z"), &last);

    date->form = SYNC_DATE_TIME;
    date->ms = minus ? -value : value;
    date->offset = 0;

    return p != end || date->ms < first.ms || date->ms > last.ms ? SYNC_NO
                                                                 : SYNC_OK;
}


static sync_date_field_e
sync_date_next(sync_date_walk_t *w)
{
    size_t             len, best;
    unsigned           i;
    sync_date_field_e  field;

    for ( ;; ) {

        if (w->pos == w->end) {
            return w->quoted ? SYNC_DATE_UNKNOWN : SYNC_DATE_END;
        }

        if (*w->pos != '\'') {
            break;
        }

        w->quoted = !w->quoted;
        w->pos++;
    }

    field = SYNC_DATE_UNKNOWN;
    best = 0;

    for (i = 0; !w->quoted && i < SYNC_DATE_LITERAL; i++) {
        len = sync_date_fields[i].len;

        if (len > best && (size_t) (w->end - w->pos) >= len
            && memcmp(w->pos, sync_date_fields[i].word, len) == 0)
        {
            best = len;
            field = (sync_date_field_e) i;
        }
    }

    if (best) {
        w->pos += best;
        return field;
    }

    w->literal = *w->pos;

    if (!w->quoted && *w->pos != 'T'
        && (*w->pos | 0x20) >= 'a' && (*w->pos | 0x20) <= 'z')
    {
        return SYNC_DATE_UNKNOWN;
    }

    w->pos++;

    return SYNC_DATE_LITERAL;
}


/* An offset as ISO 8601 has it, copied to zone; where it ends, or NULL. */

static const unsigned char *
sync_date_zone(const unsigned char *p, const unsigned char *last,
    unsigned char *zone, size_t *len)
{
    if (p < last && *p == 'Z') {
        *len = 1;

    } else if (last - p >= 6 && p[3] == ':') {
        *len = 6;

    } else if (last - p >= 5) {
        *len = 5;

    } else {
        return NULL;
    }

    memcpy(zone, p, *len);

    return p + *len;
}
