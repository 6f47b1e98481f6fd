
/*
 * The bucket: exact at both ends of the range, steady when the clock is not.
 */


#include "tap.h"
#include "sync_gcra.h"


#define SECOND  INT64_C(1000000)
#define DAY     (24 * 3600 * SECOND)
#define MONTH   (30 * DAY)
#define NOW     INT64_C(1700000000000000)


static void test_bounds(void);
static void test_bucket(void);
static void test_exact(uint32_t count, int64_t per, uint32_t burst,
    int64_t step, const char *name);
static void test_refund(void);
static void test_clock(void);
static void test_extremes(void);
static void test_count(void);


int
main(void)
{
    test_bounds();
    test_bucket();
    test_exact(3, SECOND, 2, 1000, "3/s");
    test_exact(7, 60 * SECOND, 5, 100003, "7/m");
    test_exact(3000000, SECOND, 1000, 100, "3000000/s");
    test_exact(2999999, SECOND, 1000, 100, "2999999/s");
    test_exact(1, MONTH, 3, 3600 * SECOND, "1/month");
    test_exact(1000003, MONTH, 1000003, SECOND / 2, "1000003/month");
    test_refund();
    test_clock();
    test_extremes();
    test_count();

    return done_testing();
}


static void
test_bounds(void)
{
    sync_gcra_t   g;
    sync_error_t  err;

    is_int(sync_gcra_init(&g, 0, SECOND, 1, &err), SYNC_NO, "no rate");
    ok(strcmp(err.what, "bad-limit") == 0, "bad-limit");
    is_int(sync_gcra_init(&g, 1, 0, 1, &err), SYNC_NO, "no period");
    is_int(sync_gcra_init(&g, 1, -SECOND, 1, &err), SYNC_NO, "past period");
    is_int(sync_gcra_init(&g, 1, SECOND, 0, NULL), SYNC_NO, "no burst");
    is_int(sync_gcra_init(&g, 3000000, SECOND, 1, &err), SYNC_OK,
           "the fastest");
    is_int(sync_gcra_init(&g, 3000001, SECOND, 1, &err), SYNC_NO, "too fast");
    ok(strstr(err.text, "3000000") != NULL, "and the bound is named");
    is_int(sync_gcra_init(&g, 4000000000, DAY, 1, &err), SYNC_OK,
           "4,000,000,000 a day");
    is_int(sync_gcra_init(&g, 1, 366 * DAY, 10, &err), SYNC_OK,
           "the slowest");
    is_int(sync_gcra_init(&g, 1, 366 * DAY + 1, 1, &err), SYNC_NO,
           "too slow");
    is_int(sync_gcra_init(&g, 1, 366 * DAY, 11, &err), SYNC_NO,
           "over ten years to fill");
    is_int(sync_gcra_init(&g, 4294967291u, MONTH, 4294967295u, &err),
           SYNC_NO, "a product that overflows");
    is_int(sync_gcra_init(&g, 1000000, MONTH, 1000000, &err), SYNC_OK,
           "1000000/month in one go");
    is_int(g.count, 1, "lowest terms: count");
    is_int(g.per, MONTH / 1000000, "lowest terms: per");
}


static void
test_bucket(void)
{
    int                 i, good;
    sync_gcra_t         g;
    sync_gcra_state_t   s = { 0, 0 };
    sync_gcra_answer_t  a;

    sync_gcra_init(&g, 10, SECOND, 5, NULL);

    ok(sync_gcra_idle(&s, NOW), "a new state is full");

    is_int(sync_gcra_take(&g, &s, NOW, 0, &a), SYNC_OK, "a look");
    is_int(a.remaining, 5, "all are there");
    is_int(a.reset, 0, "full now");

    for (i = 0, good = 1; i < 5; i++) {
        good &= (sync_gcra_take(&g, &s, NOW, 1, &a) == SYNC_OK
                 && a.remaining == 4u - i && a.retry == 0
                 && a.reset == (i + 1) * 100000);
    }

    ok(good, "the burst, one by one");
    is_int(sync_gcra_take(&g, &s, NOW, 1, &a), SYNC_NO, "the sixth");
    is_int(a.retry, 100000, "in 100 ms again");
    is_int(a.reset, 500000, "full in 500 ms");
    is_int(a.remaining, 0, "nothing left");
    is_int(sync_gcra_take(&g, &s, NOW, 3, &a), SYNC_NO, "three");
    is_int(a.retry, 300000, "in 300 ms");
    is_int(sync_gcra_take(&g, &s, NOW + 99999, 1, &a), SYNC_NO, "too early");
    is_int(a.retry, 1, "by a microsecond");
    is_int(sync_gcra_take(&g, &s, NOW + 100000, 1, &a), SYNC_OK, "in time");
    is_int(sync_gcra_take(&g, &s, NOW + 100000, 6, &a), SYNC_NO,
           "over the burst");
    is_int(a.retry, -1, "never");
    is_int(sync_gcra_take(&g, &s, NOW + 10 * SECOND, 5, &a), SYNC_OK,
           "all five after a rest");
    ok(!sync_gcra_idle(&s, NOW + 10 * SECOND), "not full");
    ok(sync_gcra_idle(&s, NOW + 10 * SECOND + 500000), "full again");
}


/*
 * A hungry client that asks every step gets exactly burst + elapsed * rate:
 * counted against arithmetic that does not know TATs.  The bucket holds two
 * tokens or more, so that none runs over between two steps.
 */

static void
test_exact(uint32_t count, int64_t per, uint32_t burst, int64_t step,
    const char *name)
{
    int                 good;
    int64_t             i, now, due, got;
    sync_gcra_t         g;
    sync_gcra_state_t   s = { 0, 0 };
    sync_gcra_answer_t  a;

    is_int(sync_gcra_init(&g, count, per, burst, NULL), SYNC_OK, "%s", name);

    got = 0;
    good = 1;

    for (i = 0; i < 20000; i++) {
        now = NOW + i * step;

        while (sync_gcra_take(&g, &s, now, 1, &a) == SYNC_OK) {
            got++;
        }

        due = burst + (int64_t) ((__int128) i * step * count / per);

        if (got != due) {
            diag("step %lld: got %lld, due %lld", (long long) i,
                 (long long) got, (long long) due);
            good = 0;
            break;
        }

        /* the promise of retry, both sides of it */

        if (i % 1000 == 0) {
            sync_gcra_state_t   t = s, u = s;
            sync_gcra_answer_t  b;

            good &= (sync_gcra_take(&g, &t, now + a.retry - 1, 1, &b)
                     == SYNC_NO);
            good &= (sync_gcra_take(&g, &u, now + a.retry, 1, &b)
                     == SYNC_OK);
        }
    }

    ok(good, "%s: burst and rate to the token over 20,000 steps", name);
}


static void
test_refund(void)
{
    int                 i, good;
    sync_gcra_t         g;
    sync_gcra_state_t   s = { 0, 0 }, was;
    sync_gcra_answer_t  a;

    sync_gcra_init(&g, 2999999, SECOND, 1000, NULL);

    good = 1;
    sync_gcra_take(&g, &s, NOW, 500, &a);

    for (i = 1; i <= 500; i++) {
        was = s;
        sync_gcra_take(&g, &s, NOW, i, &a);
        sync_gcra_refund(&g, &s, i);
        good &= (s.tat == was.tat && s.part == was.part);
    }

    ok(good, "take and refund leave the state as it was");

    sync_gcra_refund(&g, &s, 1000);
    sync_gcra_refund(&g, &s, 4000000000u);
    sync_gcra_take(&g, &s, NOW, 0, &a);
    is_int(a.remaining, 1000, "never more than full");

    memset(&s, 0, sizeof(s));
    sync_gcra_refund(&g, &s, 1000);
    is_int(sync_gcra_take(&g, &s, NOW, 1000, &a), SYNC_OK,
           "refund of a state that was dropped");
    is_int(sync_gcra_take(&g, &s, NOW, 1, &a), SYNC_NO, "gives no more");
}


static void
test_clock(void)
{
    sync_gcra_t         g, h;
    sync_gcra_state_t   s = { 0, 0 };
    sync_gcra_answer_t  a;

    sync_gcra_init(&g, 1, SECOND, 10, NULL);

    sync_gcra_take(&g, &s, NOW, 4, &a);
    is_int(sync_gcra_take(&g, &s, NOW - 2 * SECOND, 1, &a), SYNC_OK,
           "two seconds back");
    is_int(a.remaining, 3, "cost two tokens more");

    is_int(sync_gcra_take(&g, &s, NOW - 365 * DAY, 1, &a), SYNC_NO,
           "a year back: empty");
    is_int(a.retry, SECOND, "but filling at its rate");
    is_int(sync_gcra_take(&g, &s, NOW - 365 * DAY + 10 * SECOND, 10, &a),
           SYNC_OK, "and full in time");
    is_int(sync_gcra_take(&g, &s, NOW, 10, &a), SYNC_OK, "a year ahead");

    sync_gcra_init(&h, 1, SECOND, 2, NULL);
    is_int(sync_gcra_take(&h, &s, NOW, 1, &a), SYNC_NO,
           "a smaller burst than the state was left by");
    is_int(a.retry, SECOND, "waits by the new one");
    is_int(a.reset, 2 * SECOND, "and no longer");
}


static void
test_extremes(void)
{
    sync_gcra_t         g;
    sync_gcra_state_t   s = { 0, 0 };
    sync_gcra_answer_t  a;

    sync_gcra_init(&g, 1, 366 * DAY, 10, NULL);

    is_int(sync_gcra_take(&g, &s, NOW, 10, &a), SYNC_OK, "ten years at once");
    is_int(a.reset, 3660 * DAY, "come back in ten years");
    is_int(sync_gcra_take(&g, &s, NOW, 1, &a), SYNC_NO, "one more");
    is_int(a.retry, 366 * DAY, "next year");

    memset(&s, 0, sizeof(s));
    is_int(sync_gcra_take(&g, &s, 0, 10, &a), SYNC_OK,
           "a clock that begins at zero");

    is_int(sync_gcra_init(&g, 4294967291u, MONTH, 1770000, NULL), SYNC_OK,
           "the largest product");
    memset(&s, 0, sizeof(s));
    is_int(sync_gcra_take(&g, &s, NOW, 1770000, &a), SYNC_OK, "taken");
    is_int(sync_gcra_take(&g, &s, NOW, 1770000, &a), SYNC_NO, "and empty");
    is_int(sync_gcra_take(&g, &s, NOW + a.retry, 1770000, &a), SYNC_OK,
           "and back");
}


static void
test_count(void)
{
    sync_gcra_t         g;
    sync_error_t        err;
    sync_gcra_state_t   s;
    sync_gcra_answer_t  a;

    is_int(sync_gcra_count(&g, 0, 1, &err), SYNC_NO, "a window of nothing");
    is_int(sync_gcra_count(&g, DAY, 0, &err), SYNC_NO, "a count of nothing");
    is_int(sync_gcra_count(&g, 367 * DAY, 1, &err), SYNC_NO, "too long");
    is_int(sync_gcra_count(&g, 366 * DAY, UINT32_MAX, &err), SYNC_OK,
           "the largest");
    is_int(sync_gcra_count(&g, DAY, 3, &err), SYNC_OK, "three a day");

    memset(&s, 0, sizeof(s));

    is_int(sync_gcra_take(&g, &s, NOW, 0, &a), SYNC_OK, "a look");
    is_int(a.remaining, 3, "all is left");
    is_int(a.reset, DAY, "for a day");
    ok(sync_gcra_idle(&s, NOW), "nothing need be kept");

    is_int(sync_gcra_take(&g, &s, NOW, 2, &a), SYNC_OK, "two");
    is_int(a.remaining, 1, "one is left");
    is_int(sync_gcra_take(&g, &s, NOW + DAY / 2, 2, &a), SYNC_NO, "not two");
    is_int(a.retry, DAY / 2, "until the window is over");
    is_int(a.remaining, 1, "nothing was taken");
    is_int(sync_gcra_take(&g, &s, NOW + DAY / 2, 4, &a), SYNC_NO, "four");
    is_int(a.retry, -1, "never");
    is_int(sync_gcra_take(&g, &s, NOW + DAY - 1, 1, &a), SYNC_OK,
           "the last one in the last microsecond");
    is_int(sync_gcra_take(&g, &s, NOW + DAY - 1, 1, &a), SYNC_NO, "no more");
    is_int(sync_gcra_take(&g, &s, NOW + DAY, 3, &a), SYNC_OK,
           "all of it in the next");
    is_int(a.reset, DAY, "which begins with it");

    sync_gcra_refund(&g, &s, 2);
    is_int(sync_gcra_take(&g, &s, NOW + DAY, 2, &a), SYNC_OK, "given back");
    is_int(sync_gcra_take(&g, &s, NOW + DAY, 1, &a), SYNC_NO, "and no more");
    sync_gcra_refund(&g, &s, 100);
    is_int(sync_gcra_take(&g, &s, NOW + DAY, 0, &a), SYNC_OK, "a look");
    is_int(a.remaining, 3, "never more than there were");

    is_int(sync_gcra_take(&g, &s, NOW + 2 * DAY, 3, &a), SYNC_OK, "used up");
    is_int(sync_gcra_take(&g, &s, NOW - 5 * DAY, 1, &a), SYNC_NO,
           "a clock set back");
    is_int(a.retry, DAY, "makes no window longer");

    is_int(sync_gcra_count(&g, DAY, 2, &err), SYNC_OK, "made smaller");
    is_int(sync_gcra_take(&g, &s, NOW - 5 * DAY, 1, &a), SYNC_NO, "refused");
    is_int(a.remaining, 0, "nothing is left");
    is_int(sync_gcra_count(&g, DAY, 4, &err), SYNC_OK, "made larger");
    is_int(sync_gcra_take(&g, &s, NOW - 5 * DAY, 2, &a), SYNC_OK,
           "there is more");
}
