
/*
 * Dates as text: ISO 8601 as RFC 3339 profiles it, and what OData v2 JSON
 * makes of Edm.DateTime and Edm.DateTimeOffset.  The proleptic Gregorian
 * calendar, years 0001 to 9999.
 */


#ifndef SYNC_DATE_H_INCLUDED_
#define SYNC_DATE_H_INCLUDED_


#include "sync_core.h"


typedef enum {
    SYNC_DATE = 0,           /* 2026-11-21 */
    SYNC_DATE_LOCAL,         /* 2026-11-21T10:00:00, no offset: a local time */
    SYNC_DATE_TIME,          /* 2026-11-21T10:00:00.5Z, +02:00, +0200 */
    SYNC_DATE_ODATA,         /* /Date(1795219200000)/, and \/Date(...)\/ */
    SYNC_DATE_ODATA_OFFSET   /* /Date(1795219200000+0120)/, minutes */
} sync_date_form_e;


typedef struct {
    sync_date_form_e  form;
    int64_t           ms;            /* since 1970-01-01T00:00:00Z; of a DATE
                                        its midnight, of a LOCAL as if UTC */
    int16_t           offset;        /* minutes east of UTC */
} sync_date_t;


#define SYNC_DATE_LEN  48            /* enough for every form, no NUL */


/*
 * Reads any of the forms; text is the unescaped content of a string, or raw
 * (an escaped solidus is understood).  Fractions beyond the millisecond are
 * cut.  A leap second is taken as the second after.  OK or NO.
 */
sync_rc_t sync_date_parse(sync_str_t text, sync_date_t *date);

/*
 * Writes a date in a form, at most SYNC_DATE_LEN bytes, and returns its
 * length:
 *
 *   DATE          the calendar day, at the date's own offset
 *   LOCAL         the time at its own offset, without the offset
 *   DATE_TIME     at its own offset, "Z" where that is 0; milliseconds only
 *                 where they are not 0
 *   ODATA         the milliseconds
 *   ODATA_OFFSET  the milliseconds and the offset in four digits of minutes
 */
size_t sync_date_format(const sync_date_t *date, sync_date_form_e form,
    unsigned char *buf);


/*
 * Forms of one's own: YYYY MM DD hh mm ss, SSS for milliseconds, MMM for the
 * month's name ("Jan"), Z for the offset ("Z", +hh:mm; +hhmm is read, too).
 * Other letters stand in '...'; all else, and T, stands for itself.
 */

#define SYNC_DATE_PATTERN  64        /* bytes of a pattern, and of its text */

/*
 * OK; NO with *text, a sentence: an unknown letter, or no day: YYYY, a month
 * and DD are needed, and hh for what is finer.
 */
sync_rc_t sync_date_pattern(sync_str_t pattern, const char **text);

/* Whether the pattern has Z: a local time cannot be written by it. */
int sync_date_zoned(sync_str_t pattern);

/* Reads a text of the pattern, byte by byte.  OK or NO. */
sync_rc_t sync_date_read(sync_str_t pattern, sync_str_t text,
    sync_date_t *date);

/* Writes at most 2 * SYNC_DATE_PATTERN bytes; returns the length. */
size_t sync_date_write(sync_str_t pattern, const sync_date_t *date,
    unsigned char *buf);


/*
 * Seconds or milliseconds since 1970, as a number or a string that holds one.
 * Of seconds the fraction counts, cut at the millisecond; an exponent is
 * refused.  OK or NO.
 */
sync_rc_t sync_date_epoch(sync_str_t text, int milliseconds,
    sync_date_t *date);


#endif /* SYNC_DATE_H_INCLUDED_ */
