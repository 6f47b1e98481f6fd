
/*
 * Numbers of a JSON text by their decimal value: exact, however long, never a
 * double, and no exponent is ever expanded.  What is given is a number as RFC
 * 8259 has it; its form is not checked again.
 *
 * An exponent beyond 10^15 counts as that one.
 */


#ifndef SYNC_DECIMAL_H_INCLUDED_
#define SYNC_DECIMAL_H_INCLUDED_


#include "sync_core.h"


/* A decimal by its parts; its digits may have a point among them. */

typedef struct {
    const unsigned char  *pos;       /* the first digit that is not 0 */
    const unsigned char  *end;       /* behind the last that is not 0 */
    int64_t               top;       /* the power of ten of the first */
    int64_t               low;       /* the power of ten of the last */
    int                   sign;      /* -1, 0, 1 */
} sync_decimal_t;


sync_decimal_t sync_decimal(sync_str_t number);

/* Below, at or above 0. */
int sync_decimal_compare(sync_str_t a, sync_str_t b);

/* Whether there is no fraction: 1, 1.0 and 10e-1. */
int sync_decimal_is_integer(sync_str_t number);

/* OK: not negative, no fraction, not above UINT64_MAX; else NO. */
sync_rc_t sync_decimal_natural(sync_str_t number, uint64_t *value);

/*
 * What "multipleOf" divides by: digits * 10^low.  OK; NO: it is not above 0,
 * or has more than SYNC_DECIMAL_DIVISOR significant digits.
 */

#define SYNC_DECIMAL_DIVISOR  18

typedef struct {
    uint64_t  digits;
    int64_t   low;
} sync_decimal_divisor_t;

sync_rc_t sync_decimal_divisor(sync_str_t number, sync_decimal_divisor_t *d);

/* In time that depends on the text's length alone. */
int sync_decimal_divides(const sync_decimal_divisor_t *d, sync_str_t number);


/*
 * How to drop digits.  EXACT: not at all, other than zeros; UP and DOWN: away
 * from zero and towards it; CEILING and FLOOR: to the greater and the smaller
 * number; HALF_EVEN is what banks do.
 */

typedef enum {
    SYNC_ROUND_EXACT = 0,
    SYNC_ROUND_HALF_UP,
    SYNC_ROUND_HALF_EVEN,
    SYNC_ROUND_HALF_DOWN,
    SYNC_ROUND_UP,
    SYNC_ROUND_DOWN,
    SYNC_ROUND_CEILING,
    SYNC_ROUND_FLOOR
} sync_round_e;

#define SYNC_DECIMAL_DIGITS  1000    /* of what is rounded, and of the result */
#define SYNC_DECIMAL_POWER   6144

/*
 * The number with exactly scale digits behind the point and no exponent, in
 * the arena; scale is at most SYNC_DECIMAL_DIGITS.  OK; NO with *text, a
 * sentence: EXACT would lose a digit, or there are more than
 * SYNC_DECIMAL_DIGITS, or the exponent is beyond SYNC_DECIMAL_POWER; FAULT.
 */
sync_rc_t sync_decimal_round(sync_str_t number, unsigned scale,
    sync_round_e mode, sync_arena_t *arena, sync_str_t *out,
    const char **text);


#endif /* SYNC_DECIMAL_H_INCLUDED_ */
