
/*
 * Shares: what each gets, what nobody wants, and that no place stays empty
 * which somebody wants.
 */


#include <stdlib.h>

#include "sync_share.h"
#include "tap.h"


#define CAPACITY  12
#define TENANTS   4
#define RUN       40000


static void test_rule(void);
static void test_long(const uint32_t *weights, const uint32_t *demand,
    double *got, double *used);


int
main(void)
{
    double  got[TENANTS], used;

    static const uint32_t  even[] = { 1, 1, 1, 1 };
    static const uint32_t  three[] = { 3, 1, 1, 1 };

    static const uint32_t  all[] = { 50, 50, 50, 50 };
    static const uint32_t  one[] = { 50, 0, 0, 0 };
    static const uint32_t  flood[] = { 50, 2, 1, 0 };
    static const uint32_t  two[] = { 50, 50, 0, 0 };

    test_rule();

    test_long(even, one, got, &used);
    ok(used > 0.99, "one alone has all of it: %.2f", used);

    test_long(even, all, got, &used);
    ok(used > 0.99, "all want more than there is: none is empty, %.2f", used);
    ok(got[0] > 2.5 && got[0] < 3.5 && got[3] > 2.5 && got[3] < 3.5,
       "each has a quarter: %.1f %.1f %.1f %.1f", got[0], got[1], got[2],
       got[3]);

    test_long(three, two, got, &used);
    ok(got[0] > 8.3 && got[0] < 9.6 && got[1] > 2.4 && got[1] < 3.7,
       "three to one: %.1f %.1f", got[0], got[1]);
    ok(used > 0.99, "and none is empty: %.2f", used);

    test_long(even, flood, got, &used);
    ok(got[1] > 1.8 && got[2] > 0.85, "who wants less than its share has it: "
       "%.2f of 2, %.2f of 1", got[1], got[2]);
    ok(got[0] > 8, "and the rest is for who floods: %.1f", got[0]);
    ok(used > 0.95, "nearly all of it: %.2f", used);

    return done_testing();
}


static void
test_rule(void)
{
    sync_share_t  s[] = { { 1, 0, 1 }, { 1, 0, 0 } };

    is_int(sync_share_ask(s, 2, 0, 4), SYNC_SHARE_YES, "the first");

    s[0].held = 3;
    is_int(sync_share_ask(s, 2, 0, 4), SYNC_SHARE_YES, "the last, alone");
    s[0].held = 4;
    is_int(sync_share_ask(s, 2, 0, 4), SYNC_SHARE_OVER, "no more, alone");

    s[1].wanted = 1;
    is_int(sync_share_ask(s, 2, 0, 4), SYNC_SHARE_OVER, "over its share");
    is_int(sync_share_ask(s, 2, 1, 4), SYNC_SHARE_BUSY,
           "the other is due one");

    s[0].held = 3;
    is_int(sync_share_ask(s, 2, 0, 4), SYNC_SHARE_OVER,
           "which is not for who is over");
    is_int(sync_share_ask(s, 2, 1, 4), SYNC_SHARE_YES, "but for who is under");

    s[1].held = 1;
    s[0].held = 2;
    is_int(sync_share_ask(s, 2, 0, 4), SYNC_SHARE_YES,
           "what the other does not want");

    s[1].wanted = 2;
    is_int(sync_share_ask(s, 2, 0, 4), SYNC_SHARE_OVER, "until it wants it");

    is_int(sync_share_ask(s, 2, 1, 1), SYNC_SHARE_OVER,
           "a capacity that was made smaller");
}


/* Each wants so many at a time; a place is held for some steps. */

static void
test_long(const uint32_t *weights, const uint32_t *demand, double *got,
    double *used)
{
    int           t;
    size_t        i, k;
    double        sum;
    uint32_t      left[TENANTS][CAPACITY], held;
    sync_share_t  s[TENANTS];

    memset(s, 0, sizeof(s));
    memset(left, 0, sizeof(left));

    for (i = 0; i < TENANTS; i++) {
        s[i].weight = weights[i];
        got[i] = 0;
    }

    srand(7);

    for (t = 0; t < RUN; t++) {

        for (i = 0; i < TENANTS; i++) {
            for (k = 0; k < CAPACITY; k++) {
                if (left[i][k] && --left[i][k] == 0) {
                    s[i].held--;
                }
            }
        }

        /* several ask in a step, who floods more often */

        for (k = 0; k < 40; k++) {
            held = 0;
            i = (size_t) rand() % 8;
            i = i < TENANTS ? i : 0;

            if (s[i].held >= demand[i]) {
                continue;
            }

            s[i].wanted = demand[i];

            if (sync_share_ask(s, TENANTS, i, CAPACITY) != SYNC_SHARE_YES) {
                continue;
            }

            while (left[i][held]) {
                held++;
            }

            left[i][held] = 3 + (uint32_t) rand() % 8;
            s[i].held++;
        }

        for (i = 0; i < TENANTS; i++) {
            got[i] += s[i].held;
        }
    }

    sum = 0;

    for (i = 0; i < TENANTS; i++) {
        got[i] /= RUN;
        sum += got[i];
    }

    *used = sum / CAPACITY;
}
