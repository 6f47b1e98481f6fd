
/*
 * What is fetched from elsewhere and shared by all workers of the node: key
 * sets, answers of introspection, tokens of connectors.  One worker fetches,
 * all others wait for what it gets; a value that is due is refreshed in the
 * background while it still serves; a failure is remembered for a while; what
 * was fetched may serve beyond its time while its source fails, up to a limit.
 * Budgets bound what a flood of misses can cause.  In the zone "keys".
 *
 * A value goes through
 *
 *     fetched .. due (75 to 90 % of fresh)   serves
 *     due .. fresh                           serves, one caller refreshes it
 *     fresh .. stale, the last fetch failed  the same
 *     fresh .. stale, no fetch has failed    callers wait for a new one
 *     stale                                  is wiped
 *
 * so that nothing older than fresh serves unless its source was asked and
 * failed.  That we did not ask (a budget is spent, a place is not allowed) or
 * could not keep what it said is no failure of its.
 */


#ifndef NGX_HTTP_SYNC_FLIGHT_H_INCLUDED_
#define NGX_HTTP_SYNC_FLIGHT_H_INCLUDED_


#include "ngx_http_sync.h"


typedef enum {
    NGX_HTTP_SYNC_FLIGHT_VALUE = 0,  /* it serves, perhaps stale */
    NGX_HTTP_SYNC_FLIGHT_LEAD,       /* nobody fetches: you do, then land() or
                                        crash() */
    NGX_HTTP_SYNC_FLIGHT_WAIT,       /* somebody fetches: ask again when woken */
    NGX_HTTP_SYNC_FLIGHT_FAILED,     /* too early for another fetch; see retry */
    NGX_HTTP_SYNC_FLIGHT_FULL        /* no room in the zone, or no memory */
} ngx_http_sync_flight_e;


typedef struct {
    u_char       key[32];            /* SHA-256 of what it is */
    ngx_msec_t   lead;               /* ms after which a silent leader is dead;
                                        0: looks on and never leads */

    /* set by look() and force() */

    uint64_t     version;            /* of the value: a digest of it, the same
                                        in all workers; 0: there is none */
    int64_t      fetched;            /* Unix ms, when it last landed; 0: never */
    uint64_t     ticket;             /* of a leader */
    ngx_msec_t   retry;              /* FAILED: ms until another try */
    unsigned     refresh:1;          /* VALUE, and you lead its refresh: land()
                                        or crash() later */
    unsigned     failing:1;          /* the last fetch has failed, or was
                                        refused just now */
} ngx_http_sync_flight_t;


/*
 * pool: where the value is copied to.  have: a version that the caller has
 * already (0: none), which is not copied again: value->data is NULL then, as it
 * is with all but VALUE.
 */
ngx_http_sync_flight_e ngx_http_sync_flight_look(ngx_http_sync_flight_t *f,
    uint64_t have, ngx_pool_t *pool, ngx_str_t *value);

/*
 * Asks for a fetch although a value is there, because the version that the
 * caller has is found wanting (an unknown kid; a token that was refused).
 * VALUE: there is another by now, look() gives it.  LEAD, WAIT: as above.
 * FAILED: too early, min_interval ms have not passed since a value landed (not
 * failing) or a failure or a refusal is remembered (failing).
 */
ngx_http_sync_flight_e ngx_http_sync_flight_force(ngx_http_sync_flight_t *f,
    uint64_t have, ngx_msec_t min_interval);

/*
 * The leader's ends; each wakes who waits.  fresh, stale: ms as above, stale is
 * at least fresh.  NGX_OK; NGX_DECLINED: another leads by now, what came too
 * late is not kept; NGX_ERROR: no room, which is remembered for 10 s; a value
 * that is there serves until its fresh is over, for it is known to be the last
 * but one.
 */
ngx_int_t ngx_http_sync_flight_land(ngx_http_sync_flight_t *f,
    ngx_str_t *value, ngx_msec_t fresh, ngx_msec_t stale);

/* Its source has failed.  negative: ms during which nobody tries again; 0:
   nothing is remembered.  A value that is there goes on serving. */
void ngx_http_sync_flight_crash(ngx_http_sync_flight_t *f,
    ngx_msec_t negative);

/* Its source was not asked, by our own will or fault.  A value that is there
   serves as long as it would have. */
void ngx_http_sync_flight_refuse(ngx_http_sync_flight_t *f,
    ngx_msec_t negative);

/* Forgets a value of that version, wiped. */
void ngx_http_sync_flight_drop(ngx_http_sync_flight_t *f, uint64_t version);

/*
 * A budget of fetches by name (an issuer, a host): a token bucket in the zone.
 * NGX_OK: taken; NGX_DECLINED: spent.
 */
ngx_int_t ngx_http_sync_flight_budget(u_char key[32], ngx_uint_t per_minute,
    ngx_uint_t burst);


/*
 * Wakes ctx when the flight of this key has ended: at once if it ended in this
 * worker, within 10 to 20 ms if in another, and when its leader is dead.  The
 * step is then entered again and looks again.  *wait is NULL from then on; a
 * step withdraws what still waits in its cancel().  NGX_OK or NGX_ERROR.
 */

typedef struct ngx_http_sync_flight_wait_s  ngx_http_sync_flight_wait_t;

ngx_int_t ngx_http_sync_flight_wait(ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_flight_t *f, ngx_http_sync_flight_wait_t **wait);
void ngx_http_sync_flight_unwait(ngx_http_sync_flight_wait_t *wait);


/* At load, from a merge handler or postconfiguration: the zone is wanted. */
ngx_int_t ngx_http_sync_flight_use(ngx_conf_t *cf);

#endif /* NGX_HTTP_SYNC_FLIGHT_H_INCLUDED_ */
