
/*
 * Who may have the next place, where several share what a system can take.
 *
 * Each has a share of the places by its weight, among those who want any.  What
 * nobody wants is anybody's: who is over its share still gets what is free,
 * less what those under theirs have lately wanted.
 */


#ifndef SYNC_SHARE_H_INCLUDED_
#define SYNC_SHARE_H_INCLUDED_


#include "sync_core.h"


#define SYNC_SHARE_WEIGHT    1000        /* at most */
#define SYNC_SHARE_CAPACITY  60000       /* places at most */


typedef struct {
    uint32_t  weight;                    /* 1 and up */
    uint32_t  held;                      /* places */
    uint32_t  wanted;                    /* the most at a time lately; 0: it
                                            is not there */
} sync_share_t;

typedef enum {
    SYNC_SHARE_YES = 0,
    SYNC_SHARE_OVER,                     /* over its share, others want theirs,
                                            or nothing is free */
    SYNC_SHARE_BUSY                      /* it is due one, but none is free */
} sync_share_e;


/*
 * May shares[self] have one more of so many places?  Its wanted is at least
 * held + 1.
 */
sync_share_e sync_share_ask(const sync_share_t *shares, size_t n, size_t self,
    uint32_t capacity);


#endif /* SYNC_SHARE_H_INCLUDED_ */
