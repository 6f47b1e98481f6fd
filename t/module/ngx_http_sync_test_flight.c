
/*
 * What policies do with ngx_http_sync_flight.h, with a timer for a fetch:
 *
 *   op=look    key=, lead= (ms), have=; who leads fetches for fetch= ms and
 *              lands value= (@n: so many bytes) for fresh= and stale= ms, or
 *              crashes with fail= ms, refuses with refuse= ms; waits while
 *              somebody fetches, nowait=1: does not
 *   op=force   the same by min= ms
 *   op=drop    have=
 *   op=budget  key=, rate= (per minute), burst=
 *   op=state   of the zone
 *   op=die     dies inside the zone's lock, its marks half written
 *   op=find    text=: is it anywhere in the zone?
 *
 * The answer: first, what was said at once; result, what it came to.
 */


#include "ngx_http_sync_test.h"
#include "ngx_http_sync_core.h"
#include "ngx_http_sync_flight.h"
#include "ngx_sync_shm_blocks.h"


#define NGX_HTTP_SYNC_TEST_VALUE  (64 * 1024)


typedef struct {
    ngx_http_sync_flight_t        f;
    ngx_http_sync_flight_wait_t  *wait;
    ngx_http_sync_flight_e        first;
    ngx_uint_t                    again;
    ngx_uint_t                    refresh;
} ngx_http_sync_test_flight_t;


typedef struct {
    ngx_event_t                   event;
    void                         *unused[3];     /* as a connection begins */
    ngx_socket_t                  fd;
    ngx_http_sync_flight_t        f;
    ngx_msec_t                    fresh;
    ngx_msec_t                    stale;
    ngx_int_t                     fail;
    ngx_int_t                     refuse;
    ngx_str_t                     value;
    u_char                        data[NGX_HTTP_SYNC_TEST_VALUE];
} ngx_http_sync_test_fetch_t;


static ngx_int_t ngx_http_sync_test_flight_run(ngx_http_request_t *r,
    ngx_http_sync_test_flight_t *tf);
static void ngx_http_sync_test_flight_resume(ngx_http_request_t *r);
static ngx_int_t ngx_http_sync_test_flight_fetch(ngx_http_request_t *r,
    ngx_http_sync_flight_t *f);
static void ngx_http_sync_test_flight_fetched(ngx_event_t *ev);
static ngx_int_t ngx_http_sync_test_flight_answer(ngx_http_request_t *r,
    ngx_http_sync_test_flight_t *tf, ngx_uint_t result, ngx_str_t *value);
static ngx_int_t ngx_http_sync_test_flight_zone(ngx_http_request_t *r,
    ngx_str_t *op);
static uint64_t ngx_http_sync_test_flight_have(ngx_http_request_t *r);
static void ngx_http_sync_test_flight_cleanup(void *data);


static const char  *ngx_http_sync_test_flights[] = {
    "VALUE", "LEAD", "WAIT", "FAILED", "FULL"
};


#define is(s, lit)                                                            \
    ((s).len == sizeof(lit) - 1                                               \
     && ngx_strncmp((s).data, lit, sizeof(lit) - 1) == 0)


ngx_int_t
ngx_http_sync_test_flight_handler(ngx_http_request_t *r)
{
    ngx_int_t                     rc;
    ngx_str_t                     op, key;
    ngx_pool_cleanup_t           *cln;
    ngx_http_sync_test_flight_t  *tf;

    op = ngx_http_sync_test_arg(r, "op");

    if (is(op, "state") || is(op, "die") || is(op, "find")) {
        return ngx_http_sync_test_flight_zone(r, &op);
    }

    if (ngx_http_sync_create_ctx(r) == NULL) {
        return NGX_ERROR;
    }

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_sync_test_flight_t));
    if (cln == NULL) {
        return NGX_ERROR;
    }

    tf = cln->data;
    ngx_memzero(tf, sizeof(ngx_http_sync_test_flight_t));

    cln->handler = ngx_http_sync_test_flight_cleanup;
    ngx_http_set_ctx(r, tf, ngx_http_sync_test_module);

    key = ngx_http_sync_test_arg(r, "key");

    sync_sha256(key.data, key.len, tf->f.key);
    tf->f.lead = ngx_http_sync_test_int(r, "lead", 5000);

    if (is(op, "drop")) {
        ngx_http_sync_flight_drop(&tf->f, ngx_http_sync_test_flight_have(r));

        return ngx_http_sync_test_flight_answer(r, tf, 0, NULL);
    }

    if (is(op, "budget")) {
        rc = ngx_http_sync_flight_budget(tf->f.key,
                                       ngx_http_sync_test_int(r, "rate", 60),
                                       ngx_http_sync_test_int(r, "burst", 1));

        return ngx_http_sync_test_flight_answer(r, tf, rc == NGX_OK ? 0 : 3,
                                                NULL);
    }

    rc = ngx_http_sync_test_flight_run(r, tf);

    if (rc == NGX_AGAIN) {
        r->main->count++;
        return NGX_DONE;
    }

    return rc;
}


static ngx_int_t
ngx_http_sync_test_flight_run(ngx_http_request_t *r,
    ngx_http_sync_test_flight_t *tf)
{
    uint64_t                have;
    ngx_str_t               op, value;
    ngx_http_sync_ctx_t    *ctx;
    ngx_http_sync_flight_e  rc;

    op = ngx_http_sync_test_arg(r, "op");
    have = ngx_http_sync_test_flight_have(r);
    ngx_str_null(&value);

    if (is(op, "force") && !tf->again) {
        rc = ngx_http_sync_flight_force(&tf->f, have,
                                    ngx_http_sync_test_int(r, "min", 1000));
    } else {
        rc = ngx_http_sync_flight_look(&tf->f, have, r->pool, &value);
    }

    if (!tf->again) {
        tf->first = rc;
        tf->refresh = tf->f.refresh;
    }

    tf->again = 1;

    if (rc == NGX_HTTP_SYNC_FLIGHT_LEAD || tf->f.refresh) {
        if (ngx_http_sync_test_flight_fetch(r, &tf->f) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if ((rc == NGX_HTTP_SYNC_FLIGHT_LEAD || rc == NGX_HTTP_SYNC_FLIGHT_WAIT)
        && !ngx_http_sync_test_int(r, "nowait", 0))
    {
        ctx = ngx_http_sync_get_ctx(r);

        if (ngx_http_sync_flight_wait(ctx, &tf->f, &tf->wait) != NGX_OK) {
            return NGX_ERROR;
        }

        ctx->waiting = 1;
        r->read_event_handler = ngx_http_test_reading;
        r->write_event_handler = ngx_http_sync_test_flight_resume;

        return NGX_AGAIN;
    }

    return ngx_http_sync_test_flight_answer(r, tf, rc, &value);
}


static void
ngx_http_sync_test_flight_resume(ngx_http_request_t *r)
{
    ngx_int_t                     rc;
    ngx_http_sync_test_flight_t  *tf;

    if (ngx_http_sync_get_ctx(r)->waiting) {
        return;
    }

    tf = ngx_http_get_module_ctx(r, ngx_http_sync_test_module);

    rc = ngx_http_sync_test_flight_run(r, tf);

    if (rc != NGX_AGAIN) {
        ngx_http_finalize_request(r, rc);
    }
}


static ngx_int_t
ngx_http_sync_test_flight_fetch(ngx_http_request_t *r,
    ngx_http_sync_flight_t *f)
{
    ngx_str_t                    value;
    ngx_http_sync_test_fetch_t  *fetch;

    fetch = ngx_calloc(sizeof(ngx_http_sync_test_fetch_t), ngx_cycle->log);
    if (fetch == NULL) {
        return NGX_ERROR;
    }

    fetch->f = *f;
    fetch->fresh = ngx_http_sync_test_int(r, "fresh", 60000);
    fetch->stale = ngx_http_sync_test_int(r, "stale", 60000);
    fetch->fail = ngx_http_sync_test_int(r, "fail", -1);
    fetch->refuse = ngx_http_sync_test_int(r, "refuse", -1);

    value = ngx_http_sync_test_arg(r, "value");

    fetch->value.data = fetch->data;
    fetch->value.len = ngx_min(value.len, sizeof(fetch->data));

    if (value.len > 1 && value.data[0] == '@') {
        fetch->value.len = ngx_min((size_t) ngx_atoi(value.data + 1,
                                                     value.len - 1),
                                   sizeof(fetch->data));
        ngx_memset(fetch->data, 'v', fetch->value.len);

    } else if (value.len) {
        ngx_memcpy(fetch->data, value.data, fetch->value.len);
    }

    fetch->fd = (ngx_socket_t) -1;
    fetch->event.handler = ngx_http_sync_test_flight_fetched;
    fetch->event.data = fetch;
    fetch->event.log = ngx_cycle->log;

    ngx_add_timer(&fetch->event, ngx_http_sync_test_int(r, "fetch", 50));

    return NGX_OK;
}


static void
ngx_http_sync_test_flight_fetched(ngx_event_t *ev)
{
    ngx_int_t                    rc;
    ngx_http_sync_test_fetch_t  *fetch;

    fetch = ev->data;

    if (fetch->refuse != -1) {
        ngx_http_sync_flight_refuse(&fetch->f, fetch->refuse);

    } else if (fetch->fail != -1) {
        ngx_http_sync_flight_crash(&fetch->f, fetch->fail);

    } else {
        rc = ngx_http_sync_flight_land(&fetch->f, &fetch->value, fetch->fresh,
                                       fetch->stale);

        ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0, "test: landed, %i",
                      rc);
    }

    ngx_free(fetch);
}


static ngx_int_t
ngx_http_sync_test_flight_answer(ngx_http_request_t *r,
    ngx_http_sync_test_flight_t *tf, ngx_uint_t result, ngx_str_t *value)
{
    size_t      size;
    ngx_buf_t  *b;

    size = value != NULL ? value->len : 0;

    b = ngx_create_temp_buf(r->pool, 512 + size);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->last = ngx_sprintf(b->last,
                          "{\"pid\":%P,\"first\":\"%s\",\"result\":\"%s\","
                          "\"version\":\"%uL\",\"fetched\":%L,"
                          "\"retry\":%M,\"refresh\":%ui,\"failing\":%d",
                          ngx_pid, ngx_http_sync_test_flights[tf->first],
                          ngx_http_sync_test_flights[result],
                          tf->f.version, tf->f.fetched, tf->f.retry,
                          tf->refresh, tf->f.failing);

    if (value != NULL && value->data != NULL) {
        b->last = ngx_sprintf(b->last, ",\"value\":\"%V\"", value);
    }

    *b->last++ = '}';

    return ngx_http_sync_test_send(r, b);
}


static ngx_int_t
ngx_http_sync_test_flight_zone(ngx_http_request_t *r, ngx_str_t *op)
{
    u_char                     *p, *last;
    uint32_t                    i;
    ngx_str_t                   text;
    ngx_buf_t                  *b;
    ngx_uint_t                  found;
    ngx_sync_block_t           *block;
    ngx_sync_blocks_t          *zone;
    ngx_sync_zone_state_t       state;
    ngx_http_sync_main_conf_t  *smcf;

    smcf = ngx_http_get_module_main_conf(r, ngx_http_sync_module);
    zone = smcf->flight;

    if (is(*op, "die")) {
        ngx_sync_blocks_lock(zone, r->connection->log);

        for (i = 0; i < zone->sh->fresh; i++) {
            block = ngx_sync_block(zone, i);

            if (block->kind) {
                ngx_sync_blocks_change(zone, block);
                ngx_memset(&block->next, 0xa5, zone->block_size
                           - offsetof(ngx_sync_block_t, next));
                break;
            }
        }

        ngx_memset(zone->buckets, 0xa5, zone->sh->nbuckets * 2);
        (void) kill(ngx_pid, SIGKILL);
    }

    b = ngx_create_temp_buf(r->pool, 256);
    if (b == NULL) {
        return NGX_ERROR;
    }

    if (is(*op, "find")) {
        text = ngx_http_sync_test_arg(r, "text");
        found = 0;

        p = (u_char *) zone->shpool;
        last = p + zone->sh->size - text.len;

        for ( /* void */ ; text.len && p < last; p++) {
            if (*p == text.data[0] && ngx_memcmp(p, text.data, text.len) == 0) {
                found++;
            }
        }

        b->last = ngx_sprintf(b->last, "{\"found\":%ui}", found);

        return ngx_http_sync_test_send(r, b);
    }

    if (ngx_http_sync_flight_state(&state) != NGX_OK) {
        return NGX_HTTP_NOT_FOUND;
    }

    b->last = ngx_sprintf(b->last,
                          "{\"size\":%uz,\"free\":%uz,\"entries\":%ui,"
                          "\"refused\":%ui,\"rebuilt\":%ui}",
                          state.size, state.free, state.entries,
                          state.refused, state.rebuilt);

    return ngx_http_sync_test_send(r, b);
}


static uint64_t
ngx_http_sync_test_flight_have(ngx_http_request_t *r)
{
    size_t     i;
    uint64_t   have;
    ngx_str_t  value;

    value = ngx_http_sync_test_arg(r, "have");
    have = 0;

    for (i = 0; i < value.len; i++) {
        have = have * 10 + (value.data[i] - '0');
    }

    return have;
}


static void
ngx_http_sync_test_flight_cleanup(void *data)
{
    ngx_http_sync_test_flight_t *tf = data;

    ngx_http_sync_flight_unwait(tf->wait);
}
