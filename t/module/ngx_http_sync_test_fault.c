
/*
 * A store that behaves as one on a network does: it answers later, too late,
 * or not at all.  Behind it stands the shared memory of this node.
 *
 *     sync_store test:;                 answers at once
 *     sync_store test:delay=20ms;       each answer takes 20 ms
 *
 * sync_test_fault sets what happens to the next n calls (without n: to all)
 * of one operation or of every one:
 *
 *     ?op=claim&fault=delay&ms=50       runs now, the answer comes after 50 ms
 *     ?op=settle&fault=lost             runs now, the answer never comes
 *     ?op=claim&fault=down              does not run, is answered DOWN
 *     ?op=claim&fault=full              does not run, is answered FULL
 *     ?fault=clear                      all is well again
 *
 * and answers, as it does without arguments, with what was counted.  An answer
 * that comes after its deadline meets a caller that was told DOWN, or that
 * cancelled: a claim that it grants is then released, by owner.
 */


#include "ngx_http_sync_test.h"


typedef ngx_int_t (*ngx_http_sync_test_call_pt)(ngx_sync_store_t *st,
    ngx_sync_op_t *op, void *args);


/* name, operation, type of its arguments, zone */

#define NGX_HTTP_SYNC_TEST_OPS(op)                                            \
    op(limit_take, ngx_sync_limit_t, LIMITS)                                  \
    op(limit_refund, ngx_sync_limit_t, LIMITS)                                \
    op(lease_take, ngx_sync_lease_t, LIMITS)                                  \
    op(lease_return, ngx_sync_lease_t, LIMITS)                                \
    op(slot_acquire, ngx_sync_slot_t, LIMITS)                                 \
    op(slot_release, ngx_sync_slot_t, LIMITS)                                 \
    op(claim, ngx_sync_claim_t, RECORDS)                                      \
    op(extend, ngx_sync_hold_t, RECORDS)                                      \
    op(settle, ngx_sync_hold_t, RECORDS)                                      \
    op(release, ngx_sync_hold_t, RECORDS)                                     \
    op(resolve_begin, ngx_sync_hold_t, RECORDS)                               \
    op(resolve_end, ngx_sync_hold_t, RECORDS)                                 \
    op(look, ngx_sync_look_t, RECORDS)                                        \
    op(due, ngx_sync_due_t, RECORDS)                                          \
    op(seen, ngx_sync_seen_t, TOKENS)                                         \
    op(cache_get, ngx_sync_cache_t, TOKENS)                                   \
    op(cache_put, ngx_sync_cache_t, TOKENS)


#define ngx_http_sync_test_op_enum(name, type, zone)                          \
    NGX_HTTP_SYNC_TEST_##name,

enum {
    NGX_HTTP_SYNC_TEST_OPS(ngx_http_sync_test_op_enum)
    NGX_HTTP_SYNC_TEST_N
};


typedef enum {
    NGX_HTTP_SYNC_TEST_WELL = 0,
    NGX_HTTP_SYNC_TEST_DELAY,
    NGX_HTTP_SYNC_TEST_LOST,
    NGX_HTTP_SYNC_TEST_DOWN,
    NGX_HTTP_SYNC_TEST_FULL
} ngx_http_sync_test_fault_e;


typedef struct {
    ngx_atomic_t                 fault;
    ngx_atomic_t                 ms;
    ngx_atomic_t                 left;       /* calls; -1: all */
    ngx_atomic_t                 calls;
    ngx_atomic_t                 timeouts;
    ngx_atomic_t                 cancelled;
} ngx_http_sync_test_faults_t;


typedef struct {
    ngx_http_sync_test_faults_t  ops[NGX_HTTP_SYNC_TEST_N];
    ngx_atomic_t                 released;   /* claims granted too late */
} ngx_http_sync_test_sh_t;


typedef struct {
    ngx_sync_store_t            *inner;
    ngx_msec_t                   delay;
} ngx_http_sync_test_conf_t;


typedef union {
    ngx_sync_limit_t             limit;
    ngx_sync_lease_t             lease;
    ngx_sync_slot_t              slot;
    ngx_sync_claim_t             claim;
    ngx_sync_hold_t              hold;
    ngx_sync_look_t              look;
    ngx_sync_due_t               due;
    ngx_sync_seen_t              seen;
    ngx_sync_cache_t             cache;
} ngx_http_sync_test_args_t;


/*
 * A call that waits.  It runs on arguments of its own: what the caller sees,
 * it sees with the answer.  The cell outlives the caller.
 */

typedef struct {
    ngx_event_t                  event;
    ngx_sync_store_t            *inner;
    ngx_http_sync_test_faults_t *faults;

    ngx_sync_op_t               *op;         /* NULL: it has gone */
    void                        *args;
    size_t                       size;

    ngx_sync_op_t                call;
    ngx_http_sync_test_args_t    copy;
    ngx_msec_t                   late;       /* ms from deadline to answer */
    unsigned                     granted:1;
    u_char                       tenant[256];
} ngx_http_sync_test_cell_t;


static ngx_int_t ngx_http_sync_test_run(ngx_sync_store_t *st,
    ngx_sync_op_t *op, ngx_uint_t n, void *args, size_t size);
static void ngx_http_sync_test_event(ngx_event_t *ev);
static void ngx_http_sync_test_leave(ngx_http_sync_test_cell_t *cell);
static void ngx_http_sync_test_cancel(ngx_sync_store_t *st, ngx_sync_op_t *op);
static char *ngx_http_sync_test_create(ngx_conf_t *cf, ngx_str_t *args,
    ngx_uint_t nargs, ngx_sync_store_t *st);
static ngx_int_t ngx_http_sync_test_use(ngx_conf_t *cf, ngx_sync_store_t *st,
    ngx_sync_zone_e kind);
static ngx_int_t ngx_http_sync_test_init_zone(ngx_shm_zone_t *shm_zone,
    void *data);


#define ngx_http_sync_test_op_functions(name, type, zone)                     \
                                                                              \
static ngx_int_t                                                              \
ngx_http_sync_test_call_##name(ngx_sync_store_t *st, ngx_sync_op_t *op,       \
    void *args)                                                               \
{                                                                             \
    return st->ops->name(st, op, args);                                       \
}                                                                             \
                                                                              \
                                                                              \
static ngx_int_t                                                              \
ngx_http_sync_test_op_##name(ngx_sync_store_t *st, ngx_sync_op_t *op,         \
    type *args)                                                               \
{                                                                             \
    return ngx_http_sync_test_run(st, op, NGX_HTTP_SYNC_TEST_##name, args,    \
                                  sizeof(type));                              \
}

NGX_HTTP_SYNC_TEST_OPS(ngx_http_sync_test_op_functions)


#define ngx_http_sync_test_op_name(name, type, zone)  #name,
#define ngx_http_sync_test_op_call(name, type, zone)                          \
    ngx_http_sync_test_call_##name,
#define ngx_http_sync_test_op_slot(name, type, zone)                          \
    .name = ngx_http_sync_test_op_##name,

static const char  *ngx_http_sync_test_names[] = {
    NGX_HTTP_SYNC_TEST_OPS(ngx_http_sync_test_op_name)
};

static const ngx_http_sync_test_call_pt  ngx_http_sync_test_calls[] = {
    NGX_HTTP_SYNC_TEST_OPS(ngx_http_sync_test_op_call)
};

static const ngx_sync_store_ops_t  ngx_http_sync_test_ops = {
    .name = ngx_string("test"),
    NGX_HTTP_SYNC_TEST_OPS(ngx_http_sync_test_op_slot)
    .cancel = ngx_http_sync_test_cancel
};


const ngx_sync_store_type_t  ngx_http_sync_test_type = {
    ngx_string("test"),
    ngx_http_sync_test_create,
    ngx_http_sync_test_use,
    NULL,
    NULL,
    NULL
};


static ngx_http_sync_test_sh_t  *ngx_http_sync_test_sh;


static ngx_int_t
ngx_http_sync_test_run(ngx_sync_store_t *st, ngx_sync_op_t *op, ngx_uint_t n,
    void *args, size_t size)
{
    ngx_int_t                      rc;
    ngx_str_t                     *tenant;
    ngx_msec_t                     wait, timeout;
    ngx_uint_t                     fault;
    ngx_http_sync_test_conf_t     *conf;
    ngx_http_sync_test_cell_t     *cell;
    ngx_http_sync_test_faults_t   *f;

    conf = st->data;
    f = &ngx_http_sync_test_sh->ops[n];

    (void) ngx_atomic_fetch_add(&f->calls, 1);

    fault = f->fault;
    wait = conf->delay;

    if (fault != NGX_HTTP_SYNC_TEST_WELL && (ngx_atomic_int_t) f->left != -1) {

        if ((ngx_atomic_int_t) ngx_atomic_fetch_add(&f->left, -1) <= 0) {
            f->fault = NGX_HTTP_SYNC_TEST_WELL;
            fault = NGX_HTTP_SYNC_TEST_WELL;
        }
    }

    if (fault == NGX_HTTP_SYNC_TEST_DELAY) {
        wait = f->ms;
    }

    if (wait == 0 && fault == NGX_HTTP_SYNC_TEST_WELL) {
        return ngx_http_sync_test_calls[n](conf->inner, op, args);
    }

    if (wait == 0 && fault >= NGX_HTTP_SYNC_TEST_DOWN) {
        op->cell = NULL;
        op->result = fault == NGX_HTTP_SYNC_TEST_DOWN ? NGX_SYNC_STORE_DOWN
                                                      : NGX_SYNC_STORE_FULL;
        return NGX_OK;
    }

    cell = ngx_calloc(sizeof(ngx_http_sync_test_cell_t), op->log);
    if (cell == NULL) {
        op->cell = NULL;
        op->result = NGX_SYNC_STORE_DOWN;
        return NGX_OK;
    }

    cell->inner = conf->inner;
    cell->faults = f;
    cell->op = op;
    cell->args = args;
    cell->size = size;

    cell->call.log = ngx_cycle->log;
    cell->call.pool = op->pool;
    ngx_memcpy(&cell->copy, args, size);

    if (fault == NGX_HTTP_SYNC_TEST_DOWN) {
        cell->call.result = NGX_SYNC_STORE_DOWN;

    } else if (fault == NGX_HTTP_SYNC_TEST_FULL) {
        cell->call.result = NGX_SYNC_STORE_FULL;

    } else {
        rc = ngx_http_sync_test_calls[n](cell->inner, &cell->call,
                                         &cell->copy);
        if (rc != NGX_OK) {
            ngx_log_error(NGX_LOG_ALERT, op->log, 0,
                          "shared memory is expected to answer at once");
        }
    }

    if (n == NGX_HTTP_SYNC_TEST_claim
        && cell->call.result == NGX_SYNC_STORE_OK)
    {
        /* enough of it to release it when the caller has gone */

        cell->granted = 1;

        tenant = &cell->copy.claim.key.tenant;
        tenant->len = ngx_min(tenant->len, sizeof(cell->tenant));

        if (tenant->len) {
            ngx_memcpy(cell->tenant, tenant->data, tenant->len);
        }
    }

    timeout = op->timeout ? op->timeout : st->timeout;

    if (fault == NGX_HTTP_SYNC_TEST_LOST) {
        cell->late = 1;
        wait = timeout;

    } else if (wait > timeout) {
        cell->late = wait - timeout;
        wait = timeout;
    }

    op->cell = cell;

    /* not cancelable: a worker that quits waits for its requests */

    cell->event.handler = ngx_http_sync_test_event;
    cell->event.data = cell;
    cell->event.log = ngx_cycle->log;

    ngx_add_timer(&cell->event, wait);

    return NGX_AGAIN;
}


static void
ngx_http_sync_test_event(ngx_event_t *ev)
{
    ngx_sync_op_t              *op;
    ngx_http_sync_test_cell_t  *cell;

    cell = ev->data;
    op = cell->op;

    if (op == NULL) {
        ngx_http_sync_test_leave(cell);
        return;
    }

    if (op->cell != cell) {
        ngx_log_error(NGX_LOG_ALERT, ev->log, 0,
                      "an operation was used again while it waited");
    }

    op->cell = NULL;
    cell->op = NULL;

    if (cell->late) {
        (void) ngx_atomic_fetch_add(&cell->faults->timeouts, 1);

        ngx_add_timer(&cell->event, cell->late);

        op->result = NGX_SYNC_STORE_DOWN;

    } else {
        ngx_memcpy(cell->args, &cell->copy, cell->size);
        op->result = cell->call.result;

        ngx_free(cell);
    }

    op->handler(op);
}


/* The answer comes and nobody is there. */

static void
ngx_http_sync_test_leave(ngx_http_sync_test_cell_t *cell)
{
    ngx_sync_op_t    op;
    ngx_sync_hold_t  hold;

    if (cell->granted) {
        ngx_memzero(&op, sizeof(ngx_sync_op_t));
        ngx_memzero(&hold, sizeof(ngx_sync_hold_t));

        op.log = ngx_cycle->log;
        op.pool = ngx_create_pool(512, op.log);

        hold.key = cell->copy.claim.key;
        hold.key.tenant.data = cell->tenant;
        ngx_memcpy(hold.owner, cell->copy.claim.owner, NGX_SYNC_OWNER_LEN);

        if (op.pool) {
            (void) cell->inner->ops->release(cell->inner, &op, &hold);
            ngx_destroy_pool(op.pool);
        }

        (void) ngx_atomic_fetch_add(&ngx_http_sync_test_sh->released, 1);
    }

    ngx_free(cell);
}


static void
ngx_http_sync_test_cancel(ngx_sync_store_t *st, ngx_sync_op_t *op)
{
    ngx_http_sync_test_cell_t  *cell;

    cell = op->cell;

    op->cell = NULL;
    cell->op = NULL;

    (void) ngx_atomic_fetch_add(&cell->faults->cancelled, 1);
}


static char *
ngx_http_sync_test_create(ngx_conf_t *cf, ngx_str_t *args, ngx_uint_t nargs,
    ngx_sync_store_t *st)
{
    ngx_int_t                   delay;
    ngx_str_t                   s;
    ngx_http_sync_test_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_sync_test_conf_t));
    if (conf == NULL) {
        return NGX_CONF_ERROR;
    }

    if (args[0].len > sizeof("test:delay=") - 1) {
        s.data = args[0].data + sizeof("test:delay=") - 1;
        s.len = args[0].len - (sizeof("test:delay=") - 1);

        delay = ngx_parse_time(&s, 0);
        if (delay == NGX_ERROR) {
            return "takes \"test:\" or \"test:delay=TIME\"";
        }

        conf->delay = delay;
    }

    st->ops = &ngx_http_sync_test_ops;
    st->data = conf;

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_sync_test_use(ngx_conf_t *cf, ngx_sync_store_t *st,
    ngx_sync_zone_e kind)
{
    ngx_http_sync_test_conf_t  *conf;

    conf = st->data;
    conf->inner = ngx_sync_store_local(cf, kind);

    return conf->inner ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_http_sync_test_fault_init(ngx_conf_t *cf)
{
    ngx_str_t        name;
    ngx_shm_zone_t  *shm_zone;

    ngx_str_set(&name, "sync_test");

    shm_zone = ngx_shared_memory_add(cf, &name, 8 * ngx_pagesize,
                                     &ngx_http_sync_test_module);
    if (shm_zone == NULL) {
        return NGX_ERROR;
    }

    shm_zone->init = ngx_http_sync_test_init_zone;
    shm_zone->data = &ngx_http_sync_test_sh;

    return NGX_OK;
}


static ngx_int_t
ngx_http_sync_test_init_zone(ngx_shm_zone_t *shm_zone, void *data)
{
    ngx_slab_pool_t  *shpool;

    shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;

    if (data == NULL) {
        shpool->data = ngx_slab_calloc(shpool,
                                       sizeof(ngx_http_sync_test_sh_t));
        if (shpool->data == NULL) {
            return NGX_ERROR;
        }
    }

    ngx_http_sync_test_sh = shpool->data;

    return NGX_OK;
}


ngx_int_t
ngx_http_sync_test_fault_handler(ngx_http_request_t *r)
{
    ngx_buf_t                    *b;
    ngx_str_t                     op, fault;
    ngx_uint_t                    i, what;
    ngx_http_sync_test_faults_t  *f;

    static const char            *faults[] = {
        "clear", "delay", "lost", "down", "full", NULL
    };

    if (ngx_http_discard_request_body(r) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    op = ngx_http_sync_test_arg(r, "op");
    fault = ngx_http_sync_test_arg(r, "fault");

    for (what = 0; faults[what]; what++) {
        if (fault.len == ngx_strlen(faults[what])
            && ngx_strncmp(fault.data, faults[what], fault.len) == 0)
        {
            break;
        }
    }

    if (fault.len && faults[what] == NULL) {
        return NGX_HTTP_BAD_REQUEST;
    }

    b = ngx_create_temp_buf(r->pool, 4096);
    if (b == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    b->last = ngx_sprintf(b->last, "{\"released\":%uA",
                          ngx_http_sync_test_sh->released);

    for (i = 0; i < NGX_HTTP_SYNC_TEST_N; i++) {
        f = &ngx_http_sync_test_sh->ops[i];

        if (fault.len
            && (op.len == 0
                || (op.len == ngx_strlen(ngx_http_sync_test_names[i])
                    && ngx_strncmp(op.data, ngx_http_sync_test_names[i],
                                   op.len)
                       == 0)))
        {
            f->ms = ngx_http_sync_test_int(r, "ms", 0);
            f->left = ngx_http_sync_test_int(r, "n", -1);
            f->fault = what;
        }

        b->last = ngx_sprintf(b->last,
                              ",\"%s\":{\"calls\":%uA,\"timeouts\":%uA,"
                              "\"cancelled\":%uA,\"fault\":\"%s\"}",
                              ngx_http_sync_test_names[i], f->calls,
                              f->timeouts, f->cancelled, faults[f->fault]);
    }

    *b->last++ = '}';

    return ngx_http_sync_test_send(r, b);
}
