
/*
 * The generic cell rate algorithm (ITU-T I.371) in integers: a bucket of
 * burst tokens that fills at count tokens per period, kept as one time, the
 * theoretical arrival time (TAT), at which the bucket is full again.
 *
 * A token is worth per / count microseconds, which seldom is a whole number;
 * the TAT therefore carries the fraction of a microsecond in count-ths, and
 * no rate drifts.  Any clock will do, as long as it counts microseconds from
 * some time past and all that share a state share it.
 */


#ifndef SYNC_GCRA_H_INCLUDED_
#define SYNC_GCRA_H_INCLUDED_


#include "sync_core.h"


#define SYNC_GCRA_RATE  3000000      /* tokens per second at most */


typedef struct {
    uint32_t  count;                 /* in lowest terms with per */
    uint32_t  burst;                 /* tokens */
    int64_t   per;                   /* microseconds */
    int64_t   span;                  /* burst * per, in count-ths of a us */
    int64_t   window;                /* 0, or a count: see below */
} sync_gcra_t;


/* All zero: a full bucket.  Plain data, for shared memory. */

typedef struct {
    int64_t   tat;                   /* microseconds */
    uint32_t  part;                  /* and count-ths of one */
} sync_gcra_state_t;


/*
 * A count is the other kind, for what goes by the calendar: burst tokens in
 * all, until the window is over that begins with the first of them and is so
 * many microseconds long.  Who takes names each window by a key of its own
 * where windows begin at fixed times.  Of its state tat is the end of the
 * window and part what was taken; all functions take both kinds.
 */


typedef struct {
    uint32_t  remaining;             /* whole tokens left */
    int64_t   reset;                 /* microseconds until it is full */
    int64_t   retry;                 /* microseconds until this cost would be
                                        allowed; 0 where it was */
} sync_gcra_answer_t;


/*
 * count tokens per `per` microseconds, a bucket of burst.  NO, with a text
 * that names the bound: count, per or burst is 0; over SYNC_GCRA_RATE; slower
 * than one in 366 days; the bucket takes over ten years to fill.
 */
sync_rc_t sync_gcra_init(sync_gcra_t *gcra, uint32_t count, int64_t per,
    uint32_t burst, sync_error_t *err);

/* A count of burst tokens in a window of so many microseconds.  NO: a bound,
   as above; the longest window is 366 days. */
sync_rc_t sync_gcra_count(sync_gcra_t *gcra, int64_t window, uint32_t burst,
    sync_error_t *err);

/*
 * OK: cost tokens were taken.  NO: there are not as many; nothing is taken.
 * A cost over the burst is NO with retry -1: never.  Cost 0 looks and takes
 * nothing.  Where the clock was set back the bucket counts as empty at most.
 */
sync_rc_t sync_gcra_take(const sync_gcra_t *gcra, sync_gcra_state_t *state,
    int64_t now, uint32_t cost, sync_gcra_answer_t *answer);

/* Gives back what was taken.  A bucket is never more than full. */
void sync_gcra_refund(const sync_gcra_t *gcra, sync_gcra_state_t *state,
    uint32_t cost);

/*
 * Of tokens that were taken at start and are not spent: how many may be given
 * back, so that what was spent, counted at the time it was taken, still keeps
 * to the bucket.  Not those that have come back by themselves meanwhile; of a
 * count, none have.  Whole tokens are kept back; what that is too much stands
 * in rest, zeroed at first, and is taken into account the next time.
 */

typedef struct {
    int64_t   parts;
    int64_t   at;                    /* microseconds */
} sync_gcra_rest_t;

uint64_t sync_gcra_unspent(const sync_gcra_t *gcra, sync_gcra_rest_t *rest,
    uint64_t left, int64_t start, int64_t now);

/*
 * Shrinks the burst by what comes in so many microseconds, so that tokens that
 * are spent so much later than they were taken keep to the bucket as it was.
 * NO: nothing would be left of it.  A count needs none of this.
 */
sync_rc_t sync_gcra_strict(sync_gcra_t *gcra, int64_t lease);

/* The bucket is full, so the state need not be kept. */
static inline int
sync_gcra_idle(const sync_gcra_state_t *state, int64_t now)
{
    return state->tat < now || (state->tat == now && state->part == 0);
}


#endif /* SYNC_GCRA_H_INCLUDED_ */
