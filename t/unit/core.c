
/*
 * Numbers as text and as bytes.
 */


#include "tap.h"
#include "sync_core.h"

#include <inttypes.h>
#include <stdio.h>


static void test_digits(void);
static void test_signed(void);
static void test_put32(void);


int
main(void)
{
    test_digits();
    test_signed();
    test_put32();

    return done_testing();
}


/* Each length at its first and last number: nothing but those bytes. */

static void
test_digits(void)
{
    int            good, first, second;
    char           want[32];
    size_t         len, i;
    uint64_t       n[2], power;
    unsigned char  got[SYNC_DIGITS + 1], *end;

    power = 1;

    for (len = 1; len <= SYNC_DIGITS; len++) {
        n[0] = len == 1 ? 0 : power;
        n[1] = len == SYNC_DIGITS ? UINT64_MAX : power * 10 - 1;
        good = 0;

        for (i = 0; i < 2; i++) {
            memset(got, '#', sizeof(got));
            end = sync_digits(got, n[i]);

            snprintf(want, sizeof(want), "%" PRIu64, n[i]);

            first = (size_t) (end - got) == len && strlen(want) == len;
            second = memcmp(got, want, len) == 0 && *end == '#';
            good += first && second;
        }

        ok(good == 2, "%zu digits", len);

        power *= 10;
    }
}


static void
test_signed(void)
{
    char           want[32];
    size_t         i;
    unsigned char  got[SYNC_DIGITS + 1], *end;

    static const int64_t  numbers[] = {
        0, 9, 10, 99, 100, INT64_MAX, -1, -9, -10, -99, -100, -INT64_MAX,
        INT64_MIN
    };

    for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        memset(got, '#', sizeof(got));
        end = sync_digits_signed(got, numbers[i]);

        snprintf(want, sizeof(want), "%" PRId64, numbers[i]);

        ok((size_t) (end - got) == strlen(want)
           && memcmp(got, want, strlen(want)) == 0 && *end == '#',
           "%s", want);
    }
}


static void
test_put32(void)
{
    unsigned char  got[] = "#####";

    sync_put32(got, 0x01fe80a5);

    ok(memcmp(got, "\x01\xfe\x80\xa5#", 5) == 0, "four bytes, highest first");
}
