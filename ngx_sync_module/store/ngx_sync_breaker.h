
/*
 * A breaker in front of a store that may not answer: after the first few
 * deadlines that it has missed, nobody waits for it any more.
 *
 * It wraps the table of operations, whatever the store is.  Open, it answers
 * DOWN at once, in all workers; every now and then one of them asks the store a
 * question of its own, on which no request waits, and an answer closes it.
 *
 * Only what was waited for counts: a store that says DOWN at once (nobody
 * listens, the connection is not there) costs nothing.
 */


#ifndef NGX_SYNC_BREAKER_H_INCLUDED_
#define NGX_SYNC_BREAKER_H_INCLUDED_


#include "ngx_sync_store.h"


typedef struct ngx_sync_breaker_s  ngx_sync_breaker_t;


/*
 * The store to be used instead of inner, which keeps label and timeout.  all:
 * array of ngx_sync_breaker_t *, the breakers of this configuration; called
 * once for each kind that inner was asked for.  NULL: failed, and logged.
 */
ngx_sync_store_t *ngx_sync_breaker_wrap(ngx_conf_t *cf, ngx_array_t *all,
    ngx_sync_store_t *inner, ngx_sync_zone_e kind);

/* A worker begins: it looks after those that stand open. */
void ngx_sync_breaker_init_process(ngx_cycle_t *cycle, ngx_array_t *all);

/* A worker ends, and its stores after this. */
void ngx_sync_breaker_exit_process(ngx_array_t *all);

void ngx_sync_breaker_state(ngx_sync_breaker_t *b,
    ngx_sync_breaker_state_t *state);


#endif /* NGX_SYNC_BREAKER_H_INCLUDED_ */
