
/*
 * Rates, durations, sizes.
 */


#include "sync_rate.h"


#define SYNC_RATE_SECOND   INT64_C(1000000)
#define SYNC_RATE_DAY      (24 * 3600 * SYNC_RATE_SECOND)
#define SYNC_DURATION_MAX  (INT64_C(3660) * 24 * 3600 * 1000)
#define SYNC_SIZE_MAX      (UINT64_C(1) << 40)

#define SYNC_RATE_FORM                                                        \
    "a rate is a number, a slash and s, m, h, d, w or month, like 50/s"
#define SYNC_RATE_BYTES_FORM                                                  \
    "a rate of bytes is a size, a slash and s, m, h, d, w or month, like 512k/s"
#define SYNC_DURATION_FORM                                                    \
    "a duration is a number and ms, s, m, h, d or w, like 90s"
#define SYNC_SIZE_FORM                                                        \
    "a size is a number of bytes, or one with k, m or g, like 256k"


typedef struct {
    const char  *name;
    uint64_t     value;
} sync_unit_t;

typedef struct {
    const char  *name;
    sync_per_e   unit;
    int64_t      per;
} sync_rate_unit_t;


static sync_rc_t sync_rate_per(sync_rate_t *rate, sync_str_t name);
static sync_rc_t sync_rate_number(sync_str_t s, size_t *at, uint64_t *n);
static sync_str_t sync_rate_rest(sync_str_t s, size_t at);
static const sync_unit_t *sync_rate_unit(const sync_unit_t *units,
    sync_str_t name);


static const sync_rate_unit_t  sync_rate_units[] = {
    { "s",      SYNC_PER_SECOND, SYNC_RATE_SECOND },
    { "second", SYNC_PER_SECOND, SYNC_RATE_SECOND },
    { "m",      SYNC_PER_MINUTE, 60 * SYNC_RATE_SECOND },
    { "minute", SYNC_PER_MINUTE, 60 * SYNC_RATE_SECOND },
    { "h",      SYNC_PER_HOUR,   3600 * SYNC_RATE_SECOND },
    { "hour",   SYNC_PER_HOUR,   3600 * SYNC_RATE_SECOND },
    { "d",      SYNC_PER_DAY,    SYNC_RATE_DAY },
    { "day",    SYNC_PER_DAY,    SYNC_RATE_DAY },
    { "w",      SYNC_PER_WEEK,   7 * SYNC_RATE_DAY },
    { "week",   SYNC_PER_WEEK,   7 * SYNC_RATE_DAY },
    { "month",  SYNC_PER_MONTH,  30 * SYNC_RATE_DAY },
    { NULL,     SYNC_PER_SECOND, 0 }
};

static const sync_unit_t  sync_duration_units[] = {
    { "ms", 1 },
    { "s",  1000 },
    { "m",  60 * 1000 },
    { "h",  3600 * 1000 },
    { "d",  24 * 3600 * 1000 },
    { "w",  7 * 24 * 3600 * 1000 },
    { NULL, 0 }
};

static const sync_unit_t  sync_size_units[] = {
    { "",   1 },
    { "k",  1024 },
    { "K",  1024 },
    { "m",  1024 * 1024 },
    { "M",  1024 * 1024 },
    { "g",  1024 * 1024 * 1024 },
    { "G",  1024 * 1024 * 1024 },
    { NULL, 0 }
};


sync_rc_t
sync_rate_parse(sync_rate_t *rate, sync_str_t s, sync_error_t *err)
{
    size_t    at;
    uint64_t  n;

    if (sync_rate_number(s, &at, &n) != SYNC_OK) {
        return sync_refuse(err, "bad-rate", at, SYNC_RATE_FORM);
    }

    if (at == s.len || s.data[at] != '/') {
        return sync_refuse(err, "bad-rate", at, SYNC_RATE_FORM);
    }

    if (sync_rate_per(rate, sync_rate_rest(s, at + 1)) != SYNC_OK) {
        return sync_refuse(err, "bad-rate", at + 1, SYNC_RATE_FORM);
    }

    if (n == 0 || n > UINT32_MAX) {
        return sync_refuse(err, "bad-rate", 0, "the number of a rate is from "
                           "1 to %lu", (unsigned long) UINT32_MAX);
    }

    rate->count = (uint32_t) n;

    return SYNC_OK;
}


sync_rc_t
sync_rate_parse_bytes(sync_rate_t *rate, sync_str_t s, sync_error_t *err)
{
    size_t    at;
    uint64_t  bytes;

    for (at = 0; at < s.len && s.data[at] != '/'; at++) { /* void */ }

    if (at == s.len
        || sync_size_parse(&bytes, (sync_str_t) { at, s.data }, NULL)
           != SYNC_OK)
    {
        return sync_refuse(err, "bad-rate", 0, SYNC_RATE_BYTES_FORM);
    }

    if (sync_rate_per(rate, sync_rate_rest(s, at + 1)) != SYNC_OK) {
        return sync_refuse(err, "bad-rate", at + 1, SYNC_RATE_BYTES_FORM);
    }

    if (bytes == 0) {
        return sync_refuse(err, "bad-rate", 0, "a rate of bytes is at least "
                           "1 byte");
    }

    rate->count = (uint32_t) ((bytes - 1) / 1024 + 1);

    return SYNC_OK;
}


static sync_rc_t
sync_rate_per(sync_rate_t *rate, sync_str_t name)
{
    const sync_rate_unit_t  *u;

    for (u = sync_rate_units; u->name != NULL; u++) {
        if (sync_str_is(name, u->name)) {
            rate->unit = u->unit;
            rate->per = u->per;

            return SYNC_OK;
        }
    }

    return SYNC_NO;
}


sync_rc_t
sync_duration_parse(int64_t *ms, sync_str_t s, sync_error_t *err)
{
    size_t              at;
    uint64_t            n;
    const sync_unit_t  *u;

    if (sync_rate_number(s, &at, &n) != SYNC_OK) {
        return sync_refuse(err, "bad-duration", at, SYNC_DURATION_FORM);
    }

    if (at == s.len) {
        return sync_refuse(err, "bad-duration", at, "the unit is missing: "
                           SYNC_DURATION_FORM);
    }

    u = sync_rate_unit(sync_duration_units, sync_rate_rest(s, at));

    if (u == NULL) {
        return sync_refuse(err, "bad-duration", at, SYNC_DURATION_FORM);
    }

    if (n > SYNC_DURATION_MAX / u->value) {
        return sync_refuse(err, "bad-duration", 0, "a duration is at most "
                           "3660d");
    }

    *ms = (int64_t) (n * u->value);

    return SYNC_OK;
}


sync_rc_t
sync_size_parse(uint64_t *bytes, sync_str_t s, sync_error_t *err)
{
    size_t              at;
    uint64_t            n;
    const sync_unit_t  *u;

    if (sync_rate_number(s, &at, &n) != SYNC_OK) {
        return sync_refuse(err, "bad-size", at, SYNC_SIZE_FORM);
    }

    u = sync_rate_unit(sync_size_units, sync_rate_rest(s, at));

    if (u == NULL) {
        return sync_refuse(err, "bad-size", at, SYNC_SIZE_FORM);
    }

    if (n > SYNC_SIZE_MAX / u->value) {
        return sync_refuse(err, "bad-size", 0, "a size is at most 1024g");
    }

    *bytes = n * u->value;

    return SYNC_OK;
}


/* Up to 14 digits, so that nothing overflows; *at is behind them. */

static sync_rc_t
sync_rate_number(sync_str_t s, size_t *at, uint64_t *n)
{
    size_t  i;

    *n = 0;

    for (i = 0; i < s.len && s.data[i] >= '0' && s.data[i] <= '9'; i++) {
        if (i == 15) {
            break;
        }

        *n = *n * 10 + (s.data[i] - '0');
    }

    *at = i;

    return (i == 0 || i == 15) ? SYNC_NO : SYNC_OK;
}


static sync_str_t
sync_rate_rest(sync_str_t s, size_t at)
{
    return (sync_str_t) { s.len - at, s.data + at };
}


static const sync_unit_t *
sync_rate_unit(const sync_unit_t *units, sync_str_t name)
{
    const sync_unit_t  *u;

    for (u = units; u->name != NULL; u++) {
        if (sync_str_is(name, u->name)) {
            return u;
        }
    }

    return NULL;
}
