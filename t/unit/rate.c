
/*
 * Rates, durations, sizes.
 */


#include "tap.h"
#include "sync_rate.h"


typedef struct {
    const char  *text;
    long long    value;          /* -1: refused */
    long long    more;           /* rates: the period; refused: the offset */
} row_t;


static const row_t  rates[] = {
    { "50/s", 50, 1000000 },
    { "50/second", 50, 1000000 },
    { "100/m", 100, 60000000 },
    { "100/minute", 100, 60000000 },
    { "10/h", 10, 3600000000 },
    { "1/hour", 1, 3600000000 },
    { "1/d", 1, 86400000000 },
    { "1/day", 1, 86400000000 },
    { "3/w", 3, 604800000000 },
    { "3/week", 3, 604800000000 },
    { "1000000/month", 1000000, 2592000000000 },
    { "4294967295/month", 4294967295, 2592000000000 },
    { "007/s", 7, 1000000 },
    { "", -1, 0 },
    { "/s", -1, 0 },
    { "50", -1, 2 },
    { "50/", -1, 3 },
    { "50/S", -1, 3 },
    { "50/sec", -1, 3 },
    { "50/s ", -1, 3 },
    { " 50/s", -1, 0 },
    { "-1/s", -1, 0 },
    { "+1/s", -1, 0 },
    { "1.5/s", -1, 1 },
    { "1e3/s", -1, 1 },
    { "50r/s", -1, 2 },
    { "0/s", -1, 0 },
    { "4294967296/s", -1, 0 },
    { "99999999999999999999/s", -1, 15 },
    { "50/month/s", -1, 3 }
};

static const row_t  bytes_rates[] = {
    { "512k/s", 512, 1000000 },
    { "1/s", 1, 1000000 },
    { "1025/m", 2, 60000000 },
    { "1024g/month", 1073741824, 2592000000000 },
    { "20m/hour", 20480, 3600000000 },
    { "", -1, 0 },
    { "512k", -1, 0 },
    { "/s", -1, 0 },
    { "x/s", -1, 0 },
    { "0/s", -1, 0 },
    { "1025g/s", -1, 0 },
    { "512k/", -1, 5 },
    { "512k/y", -1, 5 }
};

static const row_t  durations[] = {
    { "500ms", 500, 0 },
    { "0s", 0, 0 },
    { "90s", 90000, 0 },
    { "15m", 900000, 0 },
    { "24h", 86400000, 0 },
    { "7d", 604800000, 0 },
    { "2w", 1209600000, 0 },
    { "3660d", 316224000000, 0 },
    { "", -1, 0 },
    { "90", -1, 2 },
    { "s", -1, 0 },
    { "90 s", -1, 2 },
    { "90S", -1, 2 },
    { "1h30m", -1, 1 },
    { "-5s", -1, 0 },
    { "0.5s", -1, 1 },
    { "1month", -1, 1 },
    { "3661d", -1, 0 },
    { "99999999999999w", -1, 0 },
    { "999999999999999999999ms", -1, 15 }
};

static const row_t  sizes[] = {
    { "0", 0, 0 },
    { "4096", 4096, 0 },
    { "256k", 262144, 0 },
    { "256K", 262144, 0 },
    { "16m", 16777216, 0 },
    { "1M", 1048576, 0 },
    { "2g", 2147483648, 0 },
    { "1024G", 1099511627776, 0 },
    { "", -1, 0 },
    { "k", -1, 0 },
    { "256kb", -1, 3 },
    { "1.5m", -1, 1 },
    { "-1", -1, 0 },
    { "1025g", -1, 0 },
    { "1099511627777", -1, 0 },
    { "99999999999999g", -1, 0 }
};


int
main(void)
{
    size_t        i;
    int64_t       ms;
    uint64_t      bytes;
    sync_str_t    s;
    const row_t  *row;
    sync_rate_t   rate;
    sync_error_t  err;

    for (i = 0; i < sizeof(rates) / sizeof(row_t); i++) {
        row = &rates[i];
        s.data = (unsigned char *) row->text;
        s.len = strlen(row->text);

        if (row->value >= 0) {
            ok(sync_rate_parse(&rate, s, &err) == SYNC_OK
               && rate.count == row->value && rate.per == row->more,
               "rate \"%s\"", row->text);

        } else {
            ok(sync_rate_parse(&rate, s, &err) == SYNC_NO
               && strcmp(err.what, "bad-rate") == 0
               && (long long) err.offset == row->more && err.text[0],
               "no rate \"%s\": %s", row->text, err.text);
        }
    }

    for (i = 0; i < sizeof(bytes_rates) / sizeof(row_t); i++) {
        row = &bytes_rates[i];
        s.data = (unsigned char *) row->text;
        s.len = strlen(row->text);

        if (row->value >= 0) {
            ok(sync_rate_parse_bytes(&rate, s, &err) == SYNC_OK
               && rate.count == row->value && rate.per == row->more,
               "rate of bytes \"%s\"", row->text);

        } else {
            ok(sync_rate_parse_bytes(&rate, s, &err) == SYNC_NO
               && strcmp(err.what, "bad-rate") == 0
               && (long long) err.offset == row->more && err.text[0],
               "no rate of bytes \"%s\": %s", row->text, err.text);
        }
    }

    sync_rate_parse(&rate, sync_str_lit("5/month"), &err);
    is_int(rate.unit, SYNC_PER_MONTH, "the unit is kept for calendars");

    for (i = 0; i < sizeof(durations) / sizeof(row_t); i++) {
        row = &durations[i];
        s.data = (unsigned char *) row->text;
        s.len = strlen(row->text);

        if (row->value >= 0) {
            ok(sync_duration_parse(&ms, s, &err) == SYNC_OK
               && ms == row->value, "duration \"%s\"", row->text);

        } else {
            ok(sync_duration_parse(&ms, s, &err) == SYNC_NO
               && strcmp(err.what, "bad-duration") == 0
               && (long long) err.offset == row->more && err.text[0],
               "no duration \"%s\": %s", row->text, err.text);
        }
    }

    for (i = 0; i < sizeof(sizes) / sizeof(row_t); i++) {
        row = &sizes[i];
        s.data = (unsigned char *) row->text;
        s.len = strlen(row->text);

        if (row->value >= 0) {
            ok(sync_size_parse(&bytes, s, &err) == SYNC_OK
               && bytes == (uint64_t) row->value, "size \"%s\"", row->text);

        } else {
            ok(sync_size_parse(&bytes, s, &err) == SYNC_NO
               && strcmp(err.what, "bad-size") == 0
               && (long long) err.offset == row->more && err.text[0],
               "no size \"%s\": %s", row->text, err.text);
        }
    }

    return done_testing();
}
