
/*
 * Visits what is due, so that P becomes U though nobody asks.
 *
 * A worker that leaves a note tells Redis in which place, and when the lease
 * ends, in its next turn, which is soon.  Workers of all nodes take turns:
 * each takes some of the places where something is due, under a lease, visits
 * them, and gives them back with the time of what is due there next.  So it
 * does not matter whether who left the note is still alive.
 */


#include "ngx_sync_redis_store.h"


#define NGX_SYNC_REDIS_SWEEP_EVERY  1000     /* ms, up to twice as long */
#define NGX_SYNC_REDIS_SWEEP_SOON   100
#define NGX_SYNC_REDIS_SWEEP_DOWN   5000
#define NGX_SYNC_REDIS_SWEEP_LEASE  10000
#define NGX_SYNC_REDIS_SWEEP_N      64       /* records of a place at once */

#define NGX_SYNC_REDIS_PLACES       1024
#define NGX_SYNC_REDIS_DUE_MAX      1000


static void ngx_sync_redis_sweep_turn(ngx_event_t *ev);
static void ngx_sync_redis_sweep_tell(ngx_sync_redis_sweep_t *sweep,
    ngx_sync_redis_args_t *a);
static void ngx_sync_redis_sweep_taken(ngx_sync_op_t *op);
static ngx_sync_result_e ngx_sync_redis_sweep_parse(ngx_sync_op_t *op,
    ngx_sync_redis_waiter_t *w, ngx_sync_redis_reply_t *reply);
static void ngx_sync_redis_sweep_visit(ngx_sync_redis_sweep_t *sweep);
static void ngx_sync_redis_sweep_visited(ngx_sync_op_t *op);
static ngx_sync_result_e ngx_sync_redis_sweep_visit_parse(ngx_sync_op_t *op,
    ngx_sync_redis_waiter_t *w, ngx_sync_redis_reply_t *reply);
static void ngx_sync_redis_sweep_failed(ngx_sync_redis_sweep_t *sweep);

static ngx_int_t ngx_sync_redis_due_at(ngx_sync_store_t *st,
    ngx_sync_op_t *op, ngx_str_t *place, ngx_uint_t n, void *params,
    ngx_sync_redis_parse_pt parse);
static ngx_sync_result_e ngx_sync_redis_due_parse(ngx_sync_op_t *op,
    ngx_sync_redis_waiter_t *w, ngx_sync_redis_reply_t *reply);


void
ngx_sync_redis_sweep_init(ngx_cycle_t *cycle, ngx_sync_store_t *st)
{
    ngx_sync_redis_sweep_t  *sweep;

    sweep = &ngx_sync_redis_store(st)->sweep;

    if (!sweep->used) {
        return;
    }

    sweep->st = st;
    sweep->op.data = sweep;
    sweep->op.log = cycle->log;

    sweep->event.handler = ngx_sync_redis_sweep_turn;
    sweep->event.data = sweep;
    sweep->event.log = cycle->log;
    sweep->event.cancelable = 1;

    ngx_add_timer(&sweep->event,
                  ngx_random() % NGX_SYNC_REDIS_SWEEP_EVERY + 1);
}


void
ngx_sync_redis_sweep_exit(ngx_sync_store_t *st)
{
    ngx_sync_redis_sweep_t  *sweep;

    sweep = &ngx_sync_redis_store(st)->sweep;

    if (sweep->event.timer_set) {
        ngx_del_timer(&sweep->event);
    }

    ngx_sync_store_cancel(st, &sweep->op);

    if (sweep->places) {
        ngx_free(sweep->places);
        sweep->places = NULL;
    }
}


/* The last place of each hash is kept: one that was not told of before it is
   written over is found with the next note that is left there. */

void
ngx_sync_redis_noted(ngx_sync_store_t *st, ngx_sync_redis_args_t *a,
    ngx_msec_t lease, ngx_log_t *log)
{
    size_t                   len;
    u_char                  *name;
    ngx_msec_t               until;
    ngx_sync_redis_place_t  *place;
    ngx_sync_redis_sweep_t  *sweep;

    sweep = &ngx_sync_redis_store(st)->sweep;

    if (sweep->places == NULL) {
        sweep->places = ngx_calloc(NGX_SYNC_REDIS_PLACES
                                   * sizeof(ngx_sync_redis_place_t), log);
        if (sweep->places == NULL) {
            return;
        }
    }

    /* what stands between the braces of sync:{}due */

    name = a->args[1].data + sizeof("sync:{") - 1;
    len = a->args[1].len - (sizeof("sync:{}due") - 1);

    place = &sweep->places[ngx_crc32_short(name, len)
                           % NGX_SYNC_REDIS_PLACES];
    until = ngx_current_msec + lease;

    if (place->len == len && ngx_memcmp(place->name, name, len) == 0) {

        if (place->untold && (ngx_msec_int_t) (until - place->until) >= 0) {
            return;
        }

    } else {
        ngx_memcpy(place->name, name, len);
        place->len = len;
    }

    place->until = until;
    place->untold = 1;

    /* who dies in the middle of a request has told of it */

    if (!sweep->down && sweep->event.timer_set
        && (ngx_msec_int_t) (sweep->event.timer.key - ngx_current_msec)
           > NGX_SYNC_REDIS_SWEEP_SOON)
    {
        ngx_del_timer(&sweep->event);
        ngx_add_timer(&sweep->event, NGX_SYNC_REDIS_SWEEP_SOON);
    }
}


/* One that drains tells, and takes nothing any more. */

static void
ngx_sync_redis_sweep_turn(ngx_event_t *ev)
{
    u_char                  *p;
    ngx_int_t                rc;
    ngx_str_t                tag;
    ngx_uint_t               i;
    ngx_sync_redis_args_t    a;
    ngx_sync_redis_sweep_t  *sweep;

    sweep = ev->data;

    ngx_sync_redis_args_init(&a);

    ngx_sync_redis_add_literal(&a, "sync:{w}places");
    ngx_sync_redis_add_number(&a, ngx_exiting ? 0 : NGX_SYNC_REDIS_TAKEN);
    ngx_sync_redis_add_number(&a, NGX_SYNC_REDIS_SWEEP_LEASE);

    for (i = 0; i < sweep->nvisited; i++) {
        p = sweep->taken[i].place.data;

        ngx_sync_redis_add(&a, p, sweep->taken[i].place.len);
        ngx_sync_redis_add_number(&a, sweep->taken[i].next);
        ngx_sync_redis_add_number(&a, sweep->until);
    }

    sweep->nvisited = 0;
    sweep->ntaken = 0;

    ngx_sync_redis_sweep_tell(sweep, &a);

    ngx_str_set(&tag, "w");

    sweep->op.handler = ngx_sync_redis_sweep_taken;

    rc = ngx_sync_redis_run(sweep->st, &sweep->op,
                            &ngx_sync_redis_scripts[NGX_SYNC_REDIS_SWEEP],
                            &tag, &a, 1, sweep, ngx_sync_redis_sweep_parse, 1);

    if (rc == NGX_OK) {
        ngx_sync_redis_sweep_taken(&sweep->op);
    }
}


static void
ngx_sync_redis_sweep_tell(ngx_sync_redis_sweep_t *sweep,
    ngx_sync_redis_args_t *a)
{
    ngx_uint_t               i;
    ngx_msec_int_t           in;
    ngx_sync_redis_place_t  *place;

    sweep->ntold = 0;
    sweep->more = 0;

    for (i = 0; sweep->places && i < NGX_SYNC_REDIS_PLACES; i++) {
        place = &sweep->places[i];

        if (!place->untold) {
            continue;
        }

        if (sweep->ntold == NGX_SYNC_REDIS_TOLD) {
            sweep->more = 1;
            break;
        }

        place->untold = 0;
        sweep->told[sweep->ntold++] = i;

        in = (ngx_msec_int_t) (place->until - ngx_current_msec);

        ngx_sync_redis_add(a, place->name, place->len);
        ngx_sync_redis_add_number(a, ngx_max(in, 0));
        ngx_sync_redis_add_number(a, 0);
    }
}


static void
ngx_sync_redis_sweep_taken(ngx_sync_op_t *op)
{
    ngx_uint_t               i;
    ngx_sync_redis_sweep_t  *sweep;

    sweep = op->data;

    if (op->result != NGX_SYNC_STORE_OK) {

        for (i = 0; i < sweep->ntold; i++) {
            sweep->places[sweep->told[i]].untold = 1;
        }

        ngx_sync_redis_sweep_failed(sweep);
        return;
    }

    sweep->down = 0;

    if (sweep->ntaken) {
        ngx_sync_redis_sweep_visit(sweep);
        return;
    }

    ngx_add_timer(&sweep->event,
                  sweep->more ? 1 : NGX_SYNC_REDIS_SWEEP_EVERY
                                    + ngx_random()
                                      % NGX_SYNC_REDIS_SWEEP_EVERY);
}


static ngx_sync_result_e
ngx_sync_redis_sweep_parse(ngx_sync_op_t *op, ngx_sync_redis_waiter_t *w,
    ngx_sync_redis_reply_t *reply)
{
    ngx_str_t               *s;
    ngx_uint_t               i;
    ngx_sync_redis_reply_t  *places;
    ngx_sync_redis_sweep_t  *sweep;

    sweep = w->params;

    if (reply->type != NGX_SYNC_REDIS_ARRAY || reply->n != 2
        || reply->elts[1].type != NGX_SYNC_REDIS_ARRAY)
    {
        return NGX_SYNC_STORE_DOWN;
    }

    sweep->until = reply->elts[0].integer;
    places = &reply->elts[1];

    for (i = 0; i < places->n && i < NGX_SYNC_REDIS_TAKEN; i++) {
        s = &sweep->taken[i].place;

        s->data = sweep->taken[i].name;
        s->len = ngx_min(places->elts[i].str.len, NGX_SYNC_REDIS_PLACE_MAX);

        ngx_memcpy(s->data, places->elts[i].str.data, s->len);
    }

    sweep->ntaken = i;

    return NGX_SYNC_STORE_OK;
}


static void
ngx_sync_redis_sweep_visit(ngx_sync_redis_sweep_t *sweep)
{
    ngx_int_t  rc;

    sweep->op.handler = ngx_sync_redis_sweep_visited;

    rc = ngx_sync_redis_due_at(sweep->st, &sweep->op,
                               &sweep->taken[sweep->nvisited].place,
                               NGX_SYNC_REDIS_SWEEP_N, sweep,
                               ngx_sync_redis_sweep_visit_parse);

    if (rc == NGX_OK) {
        ngx_sync_redis_sweep_visited(&sweep->op);
    }
}


static void
ngx_sync_redis_sweep_visited(ngx_sync_op_t *op)
{
    ngx_sync_redis_sweep_t  *sweep;

    sweep = op->data;

    if (op->result != NGX_SYNC_STORE_OK) {
        ngx_sync_redis_sweep_failed(sweep);
        return;
    }

    if (sweep->due.unknown) {
        ngx_log_error(NGX_LOG_INFO, op->log, 0,
                      "sync store \"%V\": nobody knows how %ui keys ended, "
                      "their leases are over", &sweep->st->label,
                      sweep->due.unknown);
    }

    sweep->nvisited++;

    if (sweep->nvisited < sweep->ntaken) {
        ngx_sync_redis_sweep_visit(sweep);
        return;
    }

    /* they are given back, and there may be more */

    ngx_add_timer(&sweep->event, 1);
}


static ngx_sync_result_e
ngx_sync_redis_sweep_visit_parse(ngx_sync_op_t *op,
    ngx_sync_redis_waiter_t *w, ngx_sync_redis_reply_t *reply)
{
    ngx_sync_redis_sweep_t  *sweep;

    sweep = w->params;
    w->params = &sweep->due;

    if (ngx_sync_redis_due_parse(op, w, reply) != NGX_SYNC_STORE_OK) {
        return NGX_SYNC_STORE_DOWN;
    }

    sweep->taken[sweep->nvisited].next = reply->elts[4].integer;

    return NGX_SYNC_STORE_OK;
}


/* What was taken and not visited is somebody's when the lease is over. */

static void
ngx_sync_redis_sweep_failed(ngx_sync_redis_sweep_t *sweep)
{
    sweep->down = 1;

    ngx_add_timer(&sweep->event, NGX_SYNC_REDIS_SWEEP_DOWN
                                 + ngx_random() % NGX_SYNC_REDIS_SWEEP_EVERY);
}


/*
 * What is past its retention Redis frees by itself, and P whose lease is over
 * is U for whoever looks.  This visits, one place a call, where this worker
 * has left notes, and writes down what has become of them.
 */

ngx_int_t
ngx_sync_redis_due(ngx_sync_store_t *st, ngx_sync_op_t *op, ngx_sync_due_t *d)
{
    ngx_str_t                name;
    ngx_uint_t               i;
    ngx_sync_redis_place_t  *place;
    ngx_sync_redis_sweep_t  *sweep;

    sweep = &ngx_sync_redis_store(st)->sweep;

    d->unknown = 0;
    d->expired = 0;
    d->more = 0;

    for (i = 0; d->n && sweep->places && i < NGX_SYNC_REDIS_PLACES; i++) {
        sweep->asked = (sweep->asked + 1) % NGX_SYNC_REDIS_PLACES;

        place = &sweep->places[sweep->asked];

        if (place->len) {
            name.data = place->name;
            name.len = place->len;

            return ngx_sync_redis_due_at(st, op, &name, d->n, d,
                                         ngx_sync_redis_due_parse);
        }
    }

    return ngx_sync_redis_now(op, NGX_SYNC_STORE_OK);
}


static ngx_int_t
ngx_sync_redis_due_at(ngx_sync_store_t *st, ngx_sync_op_t *op,
    ngx_str_t *place, ngx_uint_t n, void *params,
    ngx_sync_redis_parse_pt parse)
{
    u_char                 *p;
    ngx_str_t               tag;
    ngx_sync_redis_args_t   a;

    ngx_sync_redis_args_init(&a);

    p = a.p;
    a.p = ngx_sprintf(p, "sync:{%V}due", place);
    ngx_sync_redis_add(&a, p, a.p - p);

    ngx_sync_redis_add_number(&a, ngx_min(n, NGX_SYNC_REDIS_DUE_MAX));

    p = a.p;
    a.p = ngx_sprintf(p, "sync:{%V}r:", place);
    ngx_sync_redis_add(&a, p, a.p - p);

    tag = ngx_sync_redis_tag(place->data, place->len);

    return ngx_sync_redis_run(st, op,
                              &ngx_sync_redis_scripts[NGX_SYNC_REDIS_DUE],
                              &tag, &a, 1, params, parse, 1);
}


static ngx_sync_result_e
ngx_sync_redis_due_parse(ngx_sync_op_t *op, ngx_sync_redis_waiter_t *w,
    ngx_sync_redis_reply_t *reply)
{
    ngx_sync_due_t  *d;

    d = w->params;

    if (reply->type != NGX_SYNC_REDIS_ARRAY || reply->n != 5) {
        return NGX_SYNC_STORE_DOWN;
    }

    d->unknown = reply->elts[1].integer;
    d->expired = reply->elts[2].integer;
    d->more = reply->elts[3].integer;

    return NGX_SYNC_STORE_OK;
}
