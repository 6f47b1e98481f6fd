
/*
 * Rounding of decimals, digit by digit.
 */


#include "sync_decimal.h"


static int sync_decimal_adds(sync_round_e mode, int sign, int odd, int digit,
    int more);


sync_rc_t
sync_decimal_round(sync_str_t number, unsigned scale, sync_round_e mode,
    sync_arena_t *arena, sync_str_t *out, const char **text)
{
    int              digit, more, odd;
    size_t           i, kept, whole;
    unsigned char   *p, *digits;
    sync_decimal_t   d;

    d = sync_decimal(number);

    if (d.sign == 0) {
        d.top = 0;
        d.pos = d.end;
    }

    if (d.top > SYNC_DECIMAL_POWER || d.top < -SYNC_DECIMAL_POWER) {
        *text = "the exponent of the number is out of bounds";
        return SYNC_NO;
    }

    if (d.end - d.pos > SYNC_DECIMAL_DIGITS + 1
        || d.top + 1 + (int64_t) scale > SYNC_DECIMAL_DIGITS)
    {
        *text = "the number has more digits than can be rounded";
        return SYNC_NO;
    }

    /* digits before the point, one at least, and digits that stay of d */

    whole = d.top > 0 ? (size_t) d.top + 1 : 1;
    kept = d.top + 1 + (int64_t) scale > 0 ? (size_t) (d.top + 1 + scale) : 0;

    /* sign, a carry, the digits, the point */

    p = sync_alloc(arena, whole + scale + 3);
    if (p == NULL) {
        return SYNC_FAULT;
    }

    digits = p + 2;
    memset(digits, '0', whole + scale);

    /* what is dropped: the first digit, and whether any other is not 0 */

    digit = 0;
    more = 0;

    for (i = whole + scale - kept; d.pos < d.end; d.pos++) {

        if (*d.pos == '.') {
            continue;
        }

        if (i < whole + scale) {
            digits[i++] = *d.pos;
            continue;
        }

        /* 0.004 to one digit: what follows the point is not the 4 */

        if (i == whole + scale && d.top + 1 + (int64_t) scale >= 0) {
            digit = *d.pos - '0';
            i++;
            continue;
        }

        more = 1;
        break;
    }

    odd = (digits[whole + scale - 1] - '0') & 1;
    i = whole + scale;

    if (digit || more) {

        if (mode == SYNC_ROUND_EXACT) {
            *text = "the number has more digits behind the point than its "
                    "scale";
            return SYNC_NO;
        }

        if (sync_decimal_adds(mode, d.sign, odd, digit, more)) {
            while (i && digits[i - 1] == '9') {
                digits[--i] = '0';
            }

            if (i) {
                digits[i - 1]++;

            } else {
                *--digits = '1';
                whole++;
            }
        }
    }

    for (i = 0; d.sign < 0 && i < whole + scale; i++) {
        if (digits[i] != '0') {
            *--digits = '-';
            whole++;
            break;
        }
    }

    if (scale) {
        memmove(digits + whole + 1, digits + whole, scale);
        digits[whole] = '.';
        whole++;
    }

    out->data = digits;
    out->len = whole + scale;

    return SYNC_OK;
}


/* Whether what stays becomes one greater, its sign aside. */

static int
sync_decimal_adds(sync_round_e mode, int sign, int odd, int digit, int more)
{
    switch (mode) {

    case SYNC_ROUND_HALF_UP:
        return digit >= 5;

    case SYNC_ROUND_HALF_EVEN:
        return digit > 5 || (digit == 5 && (more || odd));

    case SYNC_ROUND_HALF_DOWN:
        return digit > 5 || (digit == 5 && more);

    case SYNC_ROUND_UP:
        return 1;

    case SYNC_ROUND_CEILING:
        return sign > 0;

    case SYNC_ROUND_FLOOR:
        return sign < 0;

    default:
        return 0;
    }
}
