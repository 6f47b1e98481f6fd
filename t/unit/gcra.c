
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
static void test_unspent(void);
static void test_leases(void);


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
    test_unspent();
    test_leases();

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


static void
test_unspent(void)
{
    sync_gcra_t       g;
    sync_error_t      err;
    sync_gcra_rest_t  r;

    is_int(sync_gcra_init(&g, 10, SECOND, 20, &err), SYNC_OK, "10/s");

    memset(&r, 0, sizeof(r));
    is_int(sync_gcra_unspent(&g, &r, 8, NOW, NOW), 8, "all of it at once");
    is_int(sync_gcra_unspent(&g, &r, 8, NOW, NOW + 1), 7,
           "what has begun to come is kept back");
    is_int(sync_gcra_unspent(&g, &r, 8, NOW, NOW + 2), 8,
           "but once: there is a rest");
    is_int(sync_gcra_unspent(&g, &r, 8, NOW + SECOND, NOW + SECOND + 1), 7,
           "which time uses up");

    memset(&r, 0, sizeof(r));
    is_int(sync_gcra_unspent(&g, &r, 8, NOW, NOW + SECOND / 2), 3,
           "half a second later");
    is_int(sync_gcra_unspent(&g, &r, 8, NOW, NOW + SECOND), 0,
           "nothing is left of it");
    is_int(sync_gcra_unspent(&g, &r, 8, NOW, NOW + 1000 * DAY), 0, "nor ever");

    is_int(sync_gcra_strict(&g, SECOND), SYNC_OK, "strict");
    is_int(g.burst, 10, "takes a second's worth off the burst");
    is_int(g.span / g.count, SECOND, "and off the span");
    is_int(sync_gcra_strict(&g, SECOND), SYNC_NO, "nothing would be left");
    is_int(g.burst, 10, "and nothing is changed");

    is_int(sync_gcra_init(&g, 1, DAY, 20, &err), SYNC_OK, "1/d");
    memset(&r, 0, sizeof(r));
    is_int(sync_gcra_unspent(&g, &r, 8, NOW, NOW + SECOND), 7, "a slow one");
    is_int(sync_gcra_unspent(&g, &r, 8, NOW + SECOND, NOW + 2 * SECOND), 8,
           "keeps back one");
    is_int(sync_gcra_unspent(&g, &r, 8, NOW, NOW + SECOND * 3600), 8,
           "for the rest of the day");

    is_int(sync_gcra_count(&g, DAY, 20, &err), SYNC_OK, "a count");
    is_int(sync_gcra_unspent(&g, &r, 8, NOW, NOW + DAY), 8,
           "of it nothing comes back");
    is_int(sync_gcra_strict(&g, SECOND), SYNC_OK, "so it is strict");
    is_int(g.burst, 20, "as it is");
}


/*
 * Workers that lease, against the bound: in any D at most burst + rate *
 * (D + lease) are spent, whatever they do; strict, burst + rate * D.
 */

#define LEASE   SECOND
#define WORKERS 4
#define CHUNKS  256
#define SPENDS  2000

typedef struct {
    sync_gcra_t        gcra;
    sync_gcra_state_t  state;
    int64_t            now;
    int                decay;        /* as the limiter gives back */
    sync_gcra_rest_t   rest[WORKERS];
    int                n;            /* chunks that are held */
    int                worker[CHUNKS];
    uint64_t           left[CHUNKS];
    int64_t            start[CHUNKS];
    int                spends;
    int64_t            when[SPENDS];
    uint64_t           spent[SPENDS];
} workers_t;


static void
begin(workers_t *w, int strict, int decay)
{
    memset(w, 0, sizeof(workers_t));

    (void) sync_gcra_init(&w->gcra, 10, SECOND, 25, NULL);

    if (strict) {
        (void) sync_gcra_strict(&w->gcra, LEASE);
    }

    w->now = NOW;
    w->decay = decay;
}


static void
lease_take(workers_t *w, uint64_t wanted)
{
    sync_gcra_answer_t  a;

    (void) sync_gcra_take(&w->gcra, &w->state, w->now, 0, &a);

    if (a.remaining == 0 || w->n == CHUNKS) {
        return;
    }

    w->left[w->n] = a.remaining < wanted ? a.remaining : wanted;
    w->start[w->n] = w->now;
    w->worker[w->n] = w->n % WORKERS;

    (void) sync_gcra_take(&w->gcra, &w->state, w->now,
                          (uint32_t) w->left[w->n], &a);
    w->n++;
}


static void
drop(workers_t *w, int i)
{
    w->n--;
    w->left[i] = w->left[w->n];
    w->start[i] = w->start[w->n];
    w->worker[i] = w->worker[w->n];
}


static void
lease_return(workers_t *w, int i)
{
    uint64_t  back;

    back = w->left[i];

    if (w->decay) {
        back = sync_gcra_unspent(&w->gcra, &w->rest[w->worker[i]], back,
                                 w->start[i], w->now);
    }

    sync_gcra_refund(&w->gcra, &w->state, (uint32_t) back);
    drop(w, i);
}


static void
spend(workers_t *w, int i, uint64_t n)
{
    if (w->spends < SPENDS) {
        w->when[w->spends] = w->now;
        w->spent[w->spends++] = n;
        w->left[i] -= n;
    }
}


/* The most that any interval is over burst + rate * (D + more), in tokens
   that have begun; below 0: the nearest it came. */

static int64_t
over(const workers_t *w, uint32_t burst, int64_t more)
{
    int      i, k;
    int64_t  sum, parts, most;

    most = INT64_MIN;

    for (i = 0; i < w->spends; i++) {
        sum = 0;

        for (k = i; k < w->spends; k++) {
            sum += (int64_t) w->spent[k];

            parts = (sum - burst) * w->gcra.per
                    - (w->when[k] - w->when[i] + more) * w->gcra.count;
            most = parts > most ? parts : most;
        }
    }

    return most > 0 ? (most - 1) / w->gcra.per + 1 : most / w->gcra.per;
}


/*
 * Workers take all there is; some of them, as long as there are rounds, give
 * it back shortly before its lease is over and take it anew, so that it never
 * grows old; then all is spent at once.
 */

static void
hoard(workers_t *w, int rounds)
{
    int  i, round;

    for (round = 0; round < rounds; round++, w->now += LEASE - 1) {

        lease_take(w, UINT32_MAX);

        for (i = w->n - 1; i-- > 0; /* void */ ) {
            lease_return(w, i);
            lease_take(w, UINT32_MAX);
        }
    }

    lease_take(w, UINT32_MAX);

    for (i = 0; i < w->n; i++) {
        if (w->now - w->start[i] < LEASE) {
            spend(w, i, w->left[i]);
        }
    }
}


static void
roam(workers_t *w, unsigned seed)
{
    int  i;

    srand(seed);

    while (w->spends < SPENDS / 2) {

        w->now += rand() % (LEASE / 6);

        for (i = w->n; i-- > 0; /* void */ ) {
            if (w->now - w->start[i] >= LEASE || w->left[i] == 0) {
                drop(w, i);
            }
        }

        lease_take(w, 1 + rand() % 12);

        if (w->n == 0) {
            continue;
        }

        i = rand() % w->n;

        if (rand() % 3 == 0) {
            lease_return(w, i);

        } else if (rand() % 4 == 0) {

            for (i = 0; i < w->n; i++) {
                spend(w, i, w->left[i]);
            }

        } else {
            spend(w, i, 1 + rand() % w->left[i]);
        }
    }
}


static void
test_leases(void)
{
    int64_t           o, worst;
    unsigned          seed;
    static workers_t  w;

    begin(&w, 0, 1);
    hoard(&w, 1);
    o = over(&w, 25, LEASE);
    ok(o <= 0 && o > -2, "hoarded, then spent: up to the bound (%lld)",
       (long long) o);
    ok(over(&w, 25, 0) > 0, "which is over the limit itself");

    begin(&w, 1, 1);
    hoard(&w, 1);
    o = over(&w, 25, 0);
    ok(o <= 0 && o > -2, "strict: up to the limit (%lld)", (long long) o);

    begin(&w, 0, 1);
    hoard(&w, 6);
    ok(over(&w, 25, LEASE) <= 0, "given back and taken anew: within it");

    begin(&w, 0, 0);
    hoard(&w, 6);
    o = over(&w, 25, LEASE);
    ok(o > 0, "but whole, at any age: over it by %lld", (long long) o);

    worst = INT64_MIN;

    for (seed = 1; seed <= 20; seed++) {
        begin(&w, 0, 1);
        roam(&w, seed);
        o = over(&w, 25, LEASE);
        worst = o > worst ? o : worst;
    }

    ok(worst <= 0, "whatever the workers do: within it (%lld)",
       (long long) worst);
}
