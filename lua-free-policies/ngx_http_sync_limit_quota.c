
/*
 * Quotas: so many in a day or a month of the calendar, of which nothing comes
 * back before the next one begins.
 *
 * Which day it is this node's clock says; the count of a day lives in the
 * store until the day is over, so that a clock that is set back for a while
 * finds what was counted.
 */


#include "ngx_http_sync_limit.h"


typedef struct {
    ngx_queue_t                  queue;
    sync_str_t                   name;
    const sync_zone_t           *zone;
} ngx_http_sync_limit_zone_t;


static void *ngx_http_sync_limit_zone_alloc(sync_arena_t *arena, size_t size);


static ngx_pool_t   *ngx_http_sync_limit_zone_pool;
static ngx_queue_t   ngx_http_sync_limit_zones;      /* last used first */


ngx_int_t
ngx_http_sync_limit_quota_init(ngx_cycle_t *cycle)
{
    ngx_http_sync_limit_zone_pool = cycle->pool;
    ngx_queue_init(&ngx_http_sync_limit_zones);

    return NGX_OK;
}


void
ngx_http_sync_limit_quota(uint32_t quota, sync_zone_unit_e unit,
    const sync_zone_t *zone, sync_gcra_t *gcra, uint32_t *label,
    ngx_uint_t *window)
{
    int64_t              left;
    ngx_time_t          *tp;
    sync_zone_window_t   w;

    tp = ngx_timeofday();

    sync_zone_window(zone, tp->sec, unit, &w);

    left = (w.end - tp->sec) * 1000000 - (int64_t) tp->msec * 1000;

    (void) sync_gcra_count(gcra, ngx_max(left, 1), quota, NULL);

    *label = w.label;
    *window = w.length;
}


const sync_zone_t *
ngx_http_sync_limit_zone(ngx_log_t *log, sync_str_t name)
{
    ngx_queue_t                 *q;
    sync_error_t                 err;
    sync_arena_t                 arena;
    ngx_http_sync_limit_zone_t  *z;

    if (name.len == 0) {
        return NULL;
    }

    for (q = ngx_queue_head(&ngx_http_sync_limit_zones);
         q != ngx_queue_sentinel(&ngx_http_sync_limit_zones);
         q = ngx_queue_next(q))
    {
        z = ngx_queue_data(q, ngx_http_sync_limit_zone_t, queue);

        if (sync_str_eq(z->name, name)) {
            ngx_queue_remove(q);
            ngx_queue_insert_head(&ngx_http_sync_limit_zones, q);

            return z->zone;
        }
    }

    /* there are a few hundred zones: none is ever forgotten */

    arena.alloc = ngx_http_sync_limit_zone_alloc;
    arena.data = ngx_http_sync_limit_zone_pool;

    z = ngx_palloc(ngx_http_sync_limit_zone_pool,
                   sizeof(ngx_http_sync_limit_zone_t));
    if (z == NULL) {
        return NULL;
    }

    z->name = sync_strdup(&arena, name);
    if (z->name.data == NULL) {
        return NULL;
    }

    if (sync_zone_load(&arena, name, &z->zone, &err) != SYNC_OK) {

        /* it was there when the document was read */

        ngx_log_error(NGX_LOG_ERR, log, 0, "limit: \"%*s\" %s; its quotas go "
                      "by UTC", name.len, name.data, err.text);

        z->zone = NULL;
    }

    ngx_queue_insert_head(&ngx_http_sync_limit_zones, &z->queue);

    return z->zone;
}


static void *
ngx_http_sync_limit_zone_alloc(sync_arena_t *arena, size_t size)
{
    return ngx_palloc(arena->data, size);
}
