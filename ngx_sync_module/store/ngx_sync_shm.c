
#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_sync_shm.h"


#define NGX_SYNC_SWEEP_EVERY   200       /* ms, and as much again at most */
#define NGX_SYNC_SWEEP_LEASE   2000      /* ms a worker is the sweeper for */


/* Laid out as ngx_connection_t begins: a debug log reads ident as its fd. */

typedef struct {
    ngx_event_t       *event;
    void              *unused;
    ngx_sync_shm_t    *shm;
    ngx_socket_t       ident;
} ngx_sync_shm_sweeper_t;


typedef struct {
    ngx_str_t    name;
    uint32_t     block_size;
    uint32_t     key_size;
    void       (*due)(ngx_sync_blocks_t *b, ngx_sync_block_t *block,
                    int64_t now, void *data);
    void       (*rebuilt)(ngx_sync_blocks_t *b);
    void       (*torn)(ngx_sync_blocks_t *b, ngx_sync_block_t *block);
} ngx_sync_shm_zone_t;


static char *ngx_sync_shm_create(ngx_conf_t *cf, ngx_str_t *args,
    ngx_uint_t nargs, ngx_sync_store_t *st);
static ngx_int_t ngx_sync_shm_use(ngx_conf_t *cf, ngx_sync_store_t *st,
    ngx_sync_zone_e kind);
static void ngx_sync_shm_resized(ngx_conf_t *cf, ngx_str_t *name,
    size_t size);
static void ngx_sync_shm_sweep(ngx_event_t *ev);
static ngx_uint_t ngx_sync_shm_sweep_zone(ngx_sync_blocks_t *b,
    ngx_log_t *log);
static void ngx_sync_shm_cancel(ngx_sync_store_t *st, ngx_sync_op_t *op);


const ngx_sync_store_ops_t  ngx_sync_shm_ops = {
    ngx_string("shm"),

    ngx_sync_shm_limit_take,
    ngx_sync_shm_limit_refund,
    ngx_sync_shm_lease_take,
    ngx_sync_shm_lease_return,
    ngx_sync_shm_slot_acquire,
    ngx_sync_shm_slot_release,

    ngx_sync_shm_claim,
    ngx_sync_shm_extend,
    ngx_sync_shm_settle,
    ngx_sync_shm_release,
    ngx_sync_shm_resolve_begin,
    ngx_sync_shm_resolve_end,
    ngx_sync_shm_look,
    ngx_sync_shm_due,

    ngx_sync_shm_seen,
    ngx_sync_shm_cache_get,
    ngx_sync_shm_cache_put,

    ngx_sync_shm_cancel
};


const ngx_sync_store_type_t  ngx_sync_shm_type = {
    ngx_string("shm"),
    ngx_sync_shm_create,
    ngx_sync_shm_use,
    NULL,
    NULL,
    NULL
};


/* By ngx_sync_zone_e.  Block sizes are part of the layout. */

static const ngx_sync_shm_zone_t  ngx_sync_shm_zones[NGX_SYNC_SHM_ZONES] = {

    { ngx_string("sync_limits"), 192, 128,
      ngx_sync_shm_limits_due, ngx_sync_shm_limits_rebuilt, NULL },

    { ngx_string("sync_records"), 1024, 32,
      ngx_sync_shm_records_due, ngx_sync_shm_records_rebuilt,
      ngx_sync_shm_records_torn },

    { ngx_string("sync_tokens"), 128, 64,
      ngx_sync_shm_tokens_due, NULL, ngx_sync_shm_tokens_torn }
};


static char *
ngx_sync_shm_create(ngx_conf_t *cf, ngx_str_t *args, ngx_uint_t nargs,
    ngx_sync_store_t *st)
{
    if (args[0].len != ngx_sync_shm_type.scheme.len) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "store \"%V\" has no address, it is \"shm\"; "
                           "sizes are set by \"sync_zone\"", &args[0]);
        return NGX_CONF_ERROR;
    }

    if (nargs > 1) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "store \"shm\" does not know parameter \"%V\"",
                           &args[1]);
        return NGX_CONF_ERROR;
    }

    st->ops = &ngx_sync_shm_ops;
    st->data = ngx_sync_shm_conf(cf);

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_sync_shm_use(ngx_conf_t *cf, ngx_sync_store_t *st, ngx_sync_zone_e kind)
{
    size_t                      size;
    ngx_sync_shm_t             *shm;
    ngx_sync_blocks_t          *b;
    const ngx_sync_shm_zone_t  *zone;

    shm = st->data;

    if (shm->zones[kind]) {
        return NGX_OK;
    }

    zone = &ngx_sync_shm_zones[kind];
    size = ngx_sync_zone_size(cf, kind);

    b = ngx_pcalloc(cf->pool, sizeof(ngx_sync_blocks_t));
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->name = zone->name;
    b->block_size = zone->block_size;
    b->key_size = zone->key_size;
    b->due = zone->due;
    b->rebuilt = zone->rebuilt;
    b->torn = zone->torn;

    ngx_sync_shm_resized(cf, &b->name, size);

    if (ngx_sync_blocks_add_zone(cf, b, size, &ngx_http_sync_store_module)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    shm->zones[kind] = b;

    return NGX_OK;
}


/* NGINX makes a resized zone anew; nobody should be surprised by that. */

static void
ngx_sync_shm_resized(ngx_conf_t *cf, ngx_str_t *name, size_t size)
{
    ngx_uint_t        i;
    ngx_shm_zone_t   *zone;
    ngx_list_part_t  *part;

    if (cf->cycle->old_cycle == NULL) {
        return;
    }

    part = &cf->cycle->old_cycle->shared_memory.part;

    for ( /* void */ ; part; part = part->next) {
        zone = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (zone[i].shm.name.len == name->len
                && ngx_strncmp(zone[i].shm.name.data, name->data, name->len)
                   == 0
                && zone[i].shm.size != size)
            {
                ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                                   "zone \"%V\" changes its size: what is in "
                                   "it will be forgotten", name);
            }
        }
    }
}


ngx_int_t
ngx_sync_shm_init_process(ngx_cycle_t *cycle, ngx_sync_shm_t *shm)
{
    ngx_uint_t               i;
    ngx_event_t             *ev;
    ngx_sync_shm_sweeper_t  *sweeper;

    for (i = 0; i < NGX_SYNC_SHM_ZONES; i++) {
        if (shm->zones[i]) {
            break;
        }
    }

    if (i == NGX_SYNC_SHM_ZONES) {
        return NGX_OK;
    }

    ev = ngx_pcalloc(cycle->pool, sizeof(ngx_event_t));
    sweeper = ngx_pcalloc(cycle->pool, sizeof(ngx_sync_shm_sweeper_t));

    if (ev == NULL || sweeper == NULL) {
        return NGX_ERROR;
    }

    sweeper->event = ev;
    sweeper->shm = shm;
    sweeper->ident = (ngx_socket_t) -1;

    ev->handler = ngx_sync_shm_sweep;
    ev->data = sweeper;
    ev->log = cycle->log;
    ev->cancelable = 1;

    ngx_add_timer(ev, ngx_random() % NGX_SYNC_SWEEP_EVERY + 1);

    return NGX_OK;
}


static void
ngx_sync_shm_sweep(ngx_event_t *ev)
{
    ngx_uint_t               i, more;
    ngx_msec_t               next;
    ngx_sync_shm_t          *shm;
    ngx_sync_shm_sweeper_t  *sweeper;

    if (ngx_exiting || ngx_quit || ngx_terminate) {
        return;
    }

    sweeper = ev->data;
    shm = sweeper->shm;
    more = 0;

    for (i = 0; i < NGX_SYNC_SHM_ZONES; i++) {
        if (shm->zones[i]) {
            more |= ngx_sync_shm_sweep_zone(shm->zones[i], ev->log);
        }
    }

    /* requests come first: what is left waits for the next turn */

    next = more ? 1 : NGX_SYNC_SWEEP_EVERY
                      + ngx_random() % NGX_SYNC_SWEEP_EVERY;

    ngx_add_timer(ev, next);
}


/* One worker sweeps; another takes over when it is no longer heard of. */

static ngx_uint_t
ngx_sync_shm_sweep_zone(ngx_sync_blocks_t *b, ngx_log_t *log)
{
    int64_t     now;
    ngx_uint_t  more;

    more = 0;

    ngx_sync_blocks_lock(b, log);

    now = ngx_sync_blocks_clock() / 1000;

    if (b->sh->sweeper == ngx_pid || b->sh->sweep_until <= now) {
        b->sh->sweeper = ngx_pid;
        b->sh->sweep_until = now + NGX_SYNC_SWEEP_LEASE;

        more = ngx_sync_blocks_sweep(b, now, NGX_SYNC_SHM_SLICE, NULL);
    }

    ngx_sync_blocks_unlock(b);

    return more;
}


void
ngx_sync_shm_state(ngx_sync_shm_t *shm, ngx_sync_zone_e kind,
    ngx_sync_zone_state_t *state)
{
    ngx_sync_blocks_t  *b;

    b = shm->zones[kind];

    state->name = b->name;
    state->size = b->sh->size;
    state->free = (size_t) b->sh->nfree * b->block_size;
    state->entries = b->sh->entries;
    state->refused = b->sh->refused;
    state->rebuilt = b->sh->rebuilt;
}


ngx_int_t
ngx_sync_shm_out_again(ngx_sync_shm_out_t *out, ngx_pool_t *pool)
{
    if (out->need <= out->size) {
        return NGX_OK;
    }

    out->data = ngx_pnalloc(pool, out->need);
    if (out->data == NULL) {
        return NGX_ERROR;
    }

    out->size = out->need;
    out->need = 0;

    return NGX_AGAIN;
}


ngx_int_t
ngx_sync_shm_out_keep(ngx_sync_shm_out_t *out, ngx_pool_t *pool, ngx_str_t *s)
{
    u_char  *p;

    if (out->data != out->small) {
        return NGX_OK;
    }

    if (s->len == 0) {
        s->data = NULL;
        return NGX_OK;
    }

    p = ngx_pnalloc(pool, s->len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(p, s->data, s->len);
    s->data = p;

    return NGX_OK;
}


static void
ngx_sync_shm_cancel(ngx_sync_store_t *st, ngx_sync_op_t *op)
{
    /* nothing ever waits */

    op->cell = NULL;
}
