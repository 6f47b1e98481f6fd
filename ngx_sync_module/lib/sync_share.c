
/*
 * Weighted shares of places.
 */


#include "sync_share.h"


static uint32_t sync_share_of(const sync_share_t *share, uint32_t capacity,
    uint64_t weights);


sync_share_e
sync_share_ask(const sync_share_t *shares, size_t n, size_t self,
    uint32_t capacity)
{
    size_t    i;
    uint32_t  due, want;
    uint64_t  weights, held, reserved;

    weights = 0;
    held = 0;

    for (i = 0; i < n; i++) {
        held += shares[i].held;

        if (shares[i].wanted || i == self) {
            weights += shares[i].weight;
        }
    }

    if (shares[self].held < sync_share_of(&shares[self], capacity, weights)) {
        return held < capacity ? SYNC_SHARE_YES : SYNC_SHARE_BUSY;
    }

    reserved = 0;

    for (i = 0; i < n; i++) {

        if (i == self || shares[i].wanted == 0) {
            continue;
        }

        due = sync_share_of(&shares[i], capacity, weights);
        want = shares[i].wanted < due ? shares[i].wanted : due;

        if (want > shares[i].held) {
            reserved += want - shares[i].held;
        }
    }

    return held + reserved < capacity ? SYNC_SHARE_YES : SYNC_SHARE_OVER;
}


/* Rounded up, so that everyone has at least one. */

static uint32_t
sync_share_of(const sync_share_t *share, uint32_t capacity, uint64_t weights)
{
    return (uint32_t) (((uint64_t) capacity * share->weight + weights - 1)
                       / weights);
}
