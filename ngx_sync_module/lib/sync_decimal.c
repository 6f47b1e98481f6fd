
/*
 * Decimals: compared and divided as text.
 */


#include "sync_decimal.h"


#define SYNC_DECIMAL_EXPONENT  1000000000000000


static uint64_t sync_decimal_times(uint64_t a, uint64_t b, uint64_t modulus);


int
sync_decimal_compare(sync_str_t a, sync_str_t b)
{
    int             x, y;
    sync_decimal_t  d, e;

    d = sync_decimal(a);
    e = sync_decimal(b);

    if (d.sign != e.sign) {
        return d.sign < e.sign ? -1 : 1;
    }

    if (d.sign == 0) {
        return 0;
    }

    if (d.top != e.top) {
        return d.top < e.top ? -d.sign : d.sign;
    }

    while (d.pos < d.end || e.pos < e.end) {

        if (d.pos < d.end && *d.pos == '.') {
            d.pos++;
            continue;
        }

        if (e.pos < e.end && *e.pos == '.') {
            e.pos++;
            continue;
        }

        x = d.pos < d.end ? *d.pos++ : '0';
        y = e.pos < e.end ? *e.pos++ : '0';

        if (x != y) {
            return x < y ? -d.sign : d.sign;
        }
    }

    return 0;
}


sync_decimal_t
sync_decimal(sync_str_t s)
{
    int                   minus;
    int64_t               exponent;
    sync_decimal_t        d;
    const unsigned char  *p, *end, *point;

    p = s.data;
    end = s.data + s.len;

    memset(&d, 0, sizeof(sync_decimal_t));

    minus = *p == '-';
    p += minus;
    point = NULL;

    for ( /* void */ ; p < end && (*p | 0x20) != 'e'; p++) {

        if (*p == '.') {
            point = p;

        } else if (*p != '0') {
            d.pos = d.pos ? d.pos : p;
            d.end = p + 1;
        }
    }

    if (d.pos == NULL) {
        return d;
    }

    if (point == NULL) {
        point = p;
    }

    d.sign = minus ? -1 : 1;
    exponent = 0;

    if (p < end) {
        p++;
        minus = *p == '-';
        p += *p == '-' || *p == '+';

        for ( /* void */ ; p < end; p++) {
            exponent = exponent * 10 + (*p - '0');

            if (exponent > SYNC_DECIMAL_EXPONENT) {
                exponent = SYNC_DECIMAL_EXPONENT;
            }
        }

        exponent = minus ? -exponent : exponent;
    }

    d.top = exponent + (d.pos < point ? point - d.pos - 1 : point - d.pos);
    d.low = exponent + (d.end <= point ? point - d.end : point - d.end + 1);

    return d;
}


int
sync_decimal_is_integer(sync_str_t number)
{
    sync_decimal_t  d;

    d = sync_decimal(number);

    return d.sign == 0 || d.low >= 0;
}


sync_rc_t
sync_decimal_natural(sync_str_t number, uint64_t *value)
{
    int64_t         power;
    uint64_t        n;
    unsigned        digit;
    sync_decimal_t  d;

    d = sync_decimal(number);
    n = 0;

    if (d.sign < 0 || (d.sign > 0 && (d.low < 0 || d.top > 19))) {
        return SYNC_NO;
    }

    if (d.sign > 0) {

        for (power = d.top; power >= 0; /* void */ ) {

            if (d.pos < d.end && *d.pos == '.') {
                d.pos++;
                continue;
            }

            digit = d.pos < d.end ? (unsigned) (*d.pos++ - '0') : 0;

            if (n > (UINT64_MAX - digit) / 10) {
                return SYNC_NO;
            }

            n = n * 10 + digit;
            power--;
        }
    }

    *value = n;

    return SYNC_OK;
}


sync_rc_t
sync_decimal_divisor(sync_str_t number, sync_decimal_divisor_t *divisor)
{
    sync_decimal_t  d;

    d = sync_decimal(number);

    if (d.sign <= 0 || d.top - d.low >= SYNC_DECIMAL_DIVISOR) {
        return SYNC_NO;
    }

    divisor->digits = 0;
    divisor->low = d.low;

    for ( /* void */ ; d.pos < d.end; d.pos++) {
        if (*d.pos != '.') {
            divisor->digits = divisor->digits * 10
                              + (unsigned) (*d.pos - '0');
        }
    }

    return SYNC_OK;
}


int
sync_decimal_divides(const sync_decimal_divisor_t *divisor, sync_str_t number)
{
    int64_t         power;
    uint64_t        rest, ten;
    sync_decimal_t  d;

    d = sync_decimal(number);

    if (d.sign == 0) {
        return 1;
    }

    power = d.low - divisor->low;

    if (power < 0) {

        /* the last digit is not 0: no ten goes into the number's digits */

        return 0;
    }

    for (rest = 0; d.pos < d.end; d.pos++) {
        if (*d.pos != '.') {
            rest = (rest * 10 + (unsigned) (*d.pos - '0')) % divisor->digits;
        }
    }

    /* times 10^power, by squaring */

    for (ten = 10 % divisor->digits; power && rest; power >>= 1) {

        if (power & 1) {
            rest = sync_decimal_times(rest, ten, divisor->digits);
        }

        ten = sync_decimal_times(ten, ten, divisor->digits);
    }

    return rest == 0;
}


static uint64_t
sync_decimal_times(uint64_t a, uint64_t b, uint64_t modulus)
{
    return (uint64_t) ((unsigned __int128) a * b % modulus);
}
