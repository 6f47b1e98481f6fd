
/*
 * The small notations of directives and documents: rates, durations, sizes.
 * Decimal digits and a unit, no sign, no white space, no fraction.  All
 * answer NO with err->what "bad-rate", "bad-duration" or "bad-size", the
 * offset within s, and a text that says what would be right.
 */


#ifndef SYNC_RATE_H_INCLUDED_
#define SYNC_RATE_H_INCLUDED_


#include "sync_core.h"


typedef enum {
    SYNC_PER_SECOND = 0,
    SYNC_PER_MINUTE,
    SYNC_PER_HOUR,
    SYNC_PER_DAY,
    SYNC_PER_WEEK,
    SYNC_PER_MONTH
} sync_per_e;


typedef struct {
    uint32_t    count;           /* 1 and up */
    sync_per_e  unit;
    int64_t     per;             /* the unit in microseconds; a month: 30 days,
                                    for who does not go by the calendar */
} sync_rate_t;


/* "50/s", "100/m", "10/h", "1/day", "1000000/month"; s second, m minute,
   h hour, d day, w week, month. */
sync_rc_t sync_rate_parse(sync_rate_t *rate, sync_str_t s, sync_error_t *err);

/* The same of bytes, "512k/s", "20m/h", "50g/month": count is in KiB, rounded
   up. */
sync_rc_t sync_rate_parse_bytes(sync_rate_t *rate, sync_str_t s,
    sync_error_t *err);

/* "500ms", "90s", "15m", "24h", "7d", "2w", in milliseconds; up to ten
   years. */
sync_rc_t sync_duration_parse(int64_t *ms, sync_str_t s, sync_error_t *err);

/* "4096", "256k", "16m", "1g" (or upper case), in bytes; up to 1 TiB. */
sync_rc_t sync_size_parse(uint64_t *bytes, sync_str_t s, sync_error_t *err);


#endif /* SYNC_RATE_H_INCLUDED_ */
