
/*
 * GCRA in integers.
 *
 * Distances between a TAT and now are counted in count-ths of a microsecond
 * ("parts").  sync_gcra_init() keeps span below SYNC_GCRA_SPAN, and no TAT is
 * ever further than a span from now, so that nothing here overflows.
 */


#include "sync_gcra.h"


#define SYNC_GCRA_SPAN   (INT64_MAX / 2)
#define SYNC_GCRA_DAY    (INT64_C(24) * 3600 * 1000000)
#define SYNC_GCRA_PER    (INT64_C(366) * 24 * 3600 * 1000000)
#define SYNC_GCRA_FILL   (INT64_C(10) * SYNC_GCRA_PER)
#define SYNC_GCRA_NEVER  -1


static sync_rc_t sync_gcra_take_count(const sync_gcra_t *gcra,
    sync_gcra_state_t *state, int64_t now, uint32_t cost,
    sync_gcra_answer_t *answer);
static int64_t sync_gcra_come(const sync_gcra_t *gcra, int64_t us);
static void sync_gcra_add(const sync_gcra_t *gcra, sync_gcra_state_t *state,
    int64_t parts);
static int64_t sync_gcra_us(const sync_gcra_t *gcra, int64_t parts);


sync_rc_t
sync_gcra_init(sync_gcra_t *gcra, uint32_t count, int64_t per,
    uint32_t burst, sync_error_t *err)
{
    int64_t  a, b, rest;

    if (count == 0 || per <= 0 || burst == 0) {
        return sync_refuse(err, "bad-limit", SYNC_NOWHERE,
                           "a limit needs a rate and a burst of 1 or more");
    }

    if (per > SYNC_GCRA_PER) {
        return sync_refuse(err, "bad-limit", SYNC_NOWHERE,
                           "the period of a rate is at most 366 days");
    }

    if (count > SYNC_GCRA_RATE / 1000000 * per) {
        return sync_refuse(err, "bad-limit", SYNC_NOWHERE,
                           "a rate is at most %d a second", SYNC_GCRA_RATE);
    }

    a = count;
    b = per;

    while (b != 0) {
        rest = a % b;
        a = b;
        b = rest;
    }

    gcra->count = (uint32_t) (count / a);
    gcra->per = per / a;
    gcra->burst = burst;
    gcra->window = 0;

    if (burst > SYNC_GCRA_SPAN / gcra->per) {
        return sync_refuse(err, "bad-limit", SYNC_NOWHERE, "the burst is too "
                           "large for so slow a rate");
    }

    gcra->span = burst * gcra->per;

    if (gcra->span / gcra->count > SYNC_GCRA_FILL) {
        return sync_refuse(err, "bad-limit", SYNC_NOWHERE, "the burst would "
                           "take over ten years to come back");
    }

    return SYNC_OK;
}


sync_rc_t
sync_gcra_count(sync_gcra_t *gcra, int64_t window, uint32_t burst,
    sync_error_t *err)
{
    if (burst == 0 || window <= 0) {
        return sync_refuse(err, "bad-limit", SYNC_NOWHERE,
                           "a quota needs a number of 1 or more");
    }

    if (window > SYNC_GCRA_PER) {
        return sync_refuse(err, "bad-limit", SYNC_NOWHERE,
                           "a window is at most 366 days");
    }

    /* who tells what it is worth a second finds numbers that make sense */

    gcra->count = 1;
    gcra->per = (window - 1) / burst + 1;
    gcra->burst = burst;
    gcra->span = burst * gcra->per;
    gcra->window = window;

    return SYNC_OK;
}


sync_rc_t
sync_gcra_take(const sync_gcra_t *gcra, sync_gcra_state_t *state,
    int64_t now, uint32_t cost, sync_gcra_answer_t *answer)
{
    int64_t    ahead, want;
    sync_rc_t  rc;

    if (gcra->window) {
        return sync_gcra_take_count(gcra, state, now, cost, answer);
    }

    if (sync_gcra_idle(state, now)) {
        state->tat = now;
        state->part = 0;

    } else if (state->tat - now > gcra->span / gcra->count) {

        /*
         * Over a span ahead, or within the last microsecond of it: the clock
         * was set back, or the burst made smaller.
         */

        state->tat = now;
        state->part = 0;
        sync_gcra_add(gcra, state, gcra->span);
    }

    ahead = (state->tat - now) * gcra->count + state->part;
    rc = SYNC_OK;
    answer->retry = 0;

    if (cost > gcra->burst) {
        rc = SYNC_NO;
        answer->retry = SYNC_GCRA_NEVER;

    } else {
        want = cost * gcra->per;

        if (want > gcra->span - ahead) {
            rc = SYNC_NO;
            answer->retry = sync_gcra_us(gcra, ahead - (gcra->span - want));

        } else {
            sync_gcra_add(gcra, state, want);
            ahead += want;
        }
    }

    answer->remaining = ahead < gcra->span
                        ? (uint32_t) ((gcra->span - ahead) / gcra->per) : 0;
    answer->reset = sync_gcra_us(gcra, ahead);

    return rc;
}


static sync_rc_t
sync_gcra_take_count(const sync_gcra_t *gcra, sync_gcra_state_t *state,
    int64_t now, uint32_t cost, sync_gcra_answer_t *answer)
{
    sync_rc_t  rc;

    if (state->tat <= now) {
        state->tat = now + gcra->window;
        state->part = 0;

    } else if (state->tat - now > gcra->window) {

        /* the clock was set back: no window is longer */

        state->tat = now + gcra->window;
    }

    if (state->part > gcra->burst) {

        /* the count was made smaller */

        state->part = gcra->burst;
    }

    rc = SYNC_OK;
    answer->retry = 0;
    answer->reset = state->tat - now;

    if (cost > gcra->burst) {
        rc = SYNC_NO;
        answer->retry = SYNC_GCRA_NEVER;

    } else if (cost > gcra->burst - state->part) {
        rc = SYNC_NO;
        answer->retry = answer->reset;

    } else {
        state->part += cost;
    }

    answer->remaining = gcra->burst - state->part;

    if (state->part == 0) {

        /* nothing was taken: the window has not begun */

        state->tat = 0;
    }

    return rc;
}


void
sync_gcra_refund(const sync_gcra_t *gcra, sync_gcra_state_t *state,
    uint32_t cost)
{
    int64_t  parts;

    if (gcra->window) {
        state->part -= cost < state->part ? cost : state->part;
        return;
    }

    /* a TAT that has passed is full anyway: no need to look at the clock */

    parts = (cost > gcra->burst ? gcra->burst : cost) * gcra->per;

    state->tat -= parts / gcra->count;
    parts %= gcra->count;

    if (parts > state->part) {
        state->tat--;
        state->part += gcra->count;
    }

    state->part -= (uint32_t) parts;
}


uint64_t
sync_gcra_unspent(const sync_gcra_t *gcra, sync_gcra_rest_t *rest,
    uint64_t left, int64_t start, int64_t now)
{
    int64_t   owed;
    uint64_t  kept;

    if (gcra->window) {
        return left;
    }

    /* what was kept back too much has come back since, too */

    rest->parts -= sync_gcra_come(gcra, now - rest->at);
    rest->at = now;

    if (rest->parts < 0) {
        rest->parts = 0;
    }

    owed = sync_gcra_come(gcra, now - start) - rest->parts;

    if (owed <= 0) {
        rest->parts = -owed;
        return left;
    }

    kept = (uint64_t) ((owed - 1) / gcra->per + 1);

    if (kept > left) {
        rest->parts = 0;
        return 0;
    }

    rest->parts = (int64_t) kept * gcra->per - owed;

    return left - kept;
}


sync_rc_t
sync_gcra_strict(sync_gcra_t *gcra, int64_t lease)
{
    int64_t  come;

    if (gcra->window) {
        return SYNC_OK;
    }

    come = (sync_gcra_come(gcra, lease) + gcra->per - 1) / gcra->per;

    if (gcra->burst <= come) {
        return SYNC_NO;
    }

    gcra->burst -= (uint32_t) come;
    gcra->span = gcra->burst * gcra->per;

    return SYNC_OK;
}


/* What comes in so long, in parts; at most that of a day, which is enough. */

static int64_t
sync_gcra_come(const sync_gcra_t *gcra, int64_t us)
{
    return (us < SYNC_GCRA_DAY ? us : SYNC_GCRA_DAY) * gcra->count;
}


static void
sync_gcra_add(const sync_gcra_t *gcra, sync_gcra_state_t *state,
    int64_t parts)
{
    parts += state->part;
    state->tat += parts / gcra->count;
    state->part = (uint32_t) (parts % gcra->count);
}


/* Rounded up: who waits that long has waited long enough. */

static int64_t
sync_gcra_us(const sync_gcra_t *gcra, int64_t parts)
{
    return (parts + gcra->count - 1) / gcra->count;
}
