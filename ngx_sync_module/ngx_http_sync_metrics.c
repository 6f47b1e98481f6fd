
/*
 * Counters, and sync_status, which shows them as Prometheus text (exposition
 * format 0.0.4): requests by tenant and verdict, times of the steps, how full
 * the store is, broken documents.
 *
 * The counters live in shared memory and survive a reload.  They are added to
 * without a lock; a new tenant's row is taken under the zone's mutex, whose
 * section writes one word last, so that a worker that dies inside leaves
 * either the row or nothing.
 */


#include "ngx_http_sync_core.h"
#include "ngx_http_sync_registry.h"


#define NGX_HTTP_SYNC_METRICS_MAGIC   0x53594e4d45545231ULL
#define NGX_HTTP_SYNC_METRICS_ROWS    1024       /* a power of two */
#define NGX_HTTP_SYNC_METRICS_PROBES  8
#define NGX_HTTP_SYNC_METRICS_ID      64
#define NGX_HTTP_SYNC_BUCKETS         8


typedef enum {
    NGX_HTTP_SYNC_VERDICT_PASS = 0,
    NGX_HTTP_SYNC_VERDICT_REFUSED,
    NGX_HTTP_SYNC_VERDICT_REPLAYED,
    NGX_HTTP_SYNC_VERDICT_IN_PROGRESS,
    NGX_HTTP_SYNC_VERDICT_UNKNOWN,
    NGX_HTTP_SYNC_VERDICT_NOT_SENT,
    NGX_HTTP_SYNC_VERDICT_BYPASSED,
    NGX_HTTP_SYNC_VERDICT_UNRECORDED,
    NGX_HTTP_SYNC_VERDICT_UNREADABLE,
    NGX_HTTP_SYNC_VERDICT_OTHER,
    NGX_HTTP_SYNC_VERDICTS
} ngx_http_sync_verdict_e;


typedef struct {
    ngx_atomic_t  used;                  /* written last */
    u_char        id[NGX_HTTP_SYNC_METRICS_ID];
    ngx_uint_t    len;
    ngx_atomic_t  requests[NGX_HTTP_SYNC_VERDICTS];
} ngx_http_sync_row_t;


typedef struct {
    ngx_atomic_t  count;
    ngx_atomic_t  sum;                   /* nanoseconds */
    ngx_atomic_t  buckets[NGX_HTTP_SYNC_BUCKETS];
} ngx_http_sync_timing_t;


typedef struct {
    uint64_t                magic;
    size_t                  size;
    ngx_http_sync_timing_t  steps[NGX_HTTP_SYNC_STEPS];
    ngx_atomic_t            shadow[NGX_HTTP_SYNC_STEPS];
    ngx_atomic_t            resent[NGX_HTTP_SYNC_STEPS];
    ngx_atomic_t            events[NGX_HTTP_SYNC_EVENTS];
    ngx_http_sync_row_t     other;       /* no tenant, or past the cap */
    ngx_http_sync_row_t     rows[NGX_HTTP_SYNC_METRICS_ROWS];
} ngx_http_sync_metrics_t;


static ngx_int_t ngx_http_sync_metrics_init_zone(ngx_shm_zone_t *zone,
    void *data);
static ngx_http_sync_row_t *ngx_http_sync_row(ngx_http_request_t *r,
    ngx_str_t *id);
static ngx_uint_t ngx_http_sync_verdict(const char *name);
static ngx_int_t ngx_http_sync_status_handler(ngx_http_request_t *r);
static u_char *ngx_http_sync_status_requests(u_char *p, u_char *last);
static u_char *ngx_http_sync_status_steps(ngx_http_request_t *r, u_char *p,
    u_char *last);
static u_char *ngx_http_sync_status_store(u_char *p, u_char *last);
static u_char *ngx_http_sync_status_breakers(u_char *p, u_char *last);
static u_char *ngx_http_sync_status_tenants(ngx_http_request_t *r, u_char *p,
    u_char *last);
static u_char *ngx_http_sync_status_events(u_char *p, u_char *last);


static const char  *ngx_http_sync_verdicts[] = {
    "pass", "refused", "replayed", "in-progress", "outcome-unknown",
    "not-sent", "bypassed", "executed-unrecorded", "unreadable",
    "other"
};


/* Upper bounds in nanoseconds, and as Prometheus writes them in seconds. */

static const struct {
    uint64_t     ns;
    const char  *le;
} ngx_http_sync_bounds[NGX_HTTP_SYNC_BUCKETS] = {
    { 1000, "0.000001" },
    { 5000, "0.000005" },
    { 10000, "0.00001" },
    { 50000, "0.00005" },
    { 100000, "0.0001" },
    { 1000000, "0.001" },
    { 10000000, "0.01" },
    { 100000000, "0.1" }
};


/* A line with a help begins a family. */

static const struct {
    const char  *family;
    const char  *help;
    const char  *label;
} ngx_http_sync_events[NGX_HTTP_SYNC_EVENTS] = {
    { "sync_limit_leases_total", "Leases of limits: tokens asked of the store, "
      "less or none there, store away, requests that waited, taken exactly.",
      "event=\"refill\"" },
    { "sync_limit_leases_total", NULL, "event=\"dry\"" },
    { "sync_limit_leases_total", NULL, "event=\"lost\"" },
    { "sync_limit_leases_total", NULL, "event=\"wait\"" },
    { "sync_limit_leases_total", NULL, "event=\"exact\"" },
    { "sync_shares_total", "Places at connectors: granted, of these after a "
      "wait, none free, over the share, not counted for lack of room.",
      "event=\"granted\"" },
    { "sync_shares_total", NULL, "event=\"waited\"" },
    { "sync_shares_total", NULL, "event=\"busy\"" },
    { "sync_shares_total", NULL, "event=\"over\"" },
    { "sync_shares_total", NULL, "event=\"uncounted\"" },
    { "sync_issuer_keys_total",
      "Key sets of issuers that were fetched, and why not; tokens by keys "
      "that are in none.",
      "result=\"fetched\"" },
    { "sync_issuer_keys_total", NULL, "result=\"failed\"" },
    { "sync_issuer_keys_total", NULL, "result=\"refused\"" },
    { "sync_issuer_keys_total", NULL, "result=\"unknown\"" },
    { "sync_introspections_total",
      "What issuers were asked about tokens, and why not.",
      "result=\"active\"" },
    { "sync_introspections_total", NULL, "result=\"inactive\"" },
    { "sync_introspections_total", NULL, "result=\"failed\"" },
    { "sync_introspections_total", NULL, "result=\"refused\"" },
    { "sync_fetches_total", "What the gateway asked for itself, by what came.",
      "result=\"ok\"" },
    { "sync_fetches_total", NULL, "result=\"refused\"" },
    { "sync_fetches_total", NULL, "result=\"resolve\"" },
    { "sync_fetches_total", NULL, "result=\"connect\"" },
    { "sync_fetches_total", NULL, "result=\"tls\"" },
    { "sync_fetches_total", NULL, "result=\"timeout\"" },
    { "sync_fetches_total", NULL, "result=\"broken\"" },
    { "sync_fetches_total", NULL, "result=\"too_large\"" }
};


static ngx_http_sync_metrics_t  *ngx_http_sync_metrics;  /* of this worker */


ngx_int_t
ngx_http_sync_init_metrics(ngx_conf_t *cf)
{
    size_t                      size;
    ngx_shm_zone_t             *zone;
    ngx_http_sync_main_conf_t  *smcf;

    static ngx_str_t  name = ngx_string("sync_metrics");

    size = sizeof(ngx_http_sync_metrics_t) + 8 * ngx_pagesize;
    size = ngx_align(size, ngx_pagesize);

    zone = ngx_shared_memory_add(cf, &name, size, &ngx_http_sync_module);
    if (zone == NULL) {
        return NGX_ERROR;
    }

    zone->init = ngx_http_sync_metrics_init_zone;

    smcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_sync_module);
    smcf->metrics = zone;

    return NGX_OK;
}


static ngx_int_t
ngx_http_sync_metrics_init_zone(ngx_shm_zone_t *zone, void *data)
{
    ngx_slab_pool_t          *shpool;
    ngx_http_sync_metrics_t  *m;

    if (data != NULL) {
        zone->data = data;
        return NGX_OK;
    }

    shpool = (ngx_slab_pool_t *) zone->shm.addr;

    if (zone->shm.exists) {
        m = shpool->data;

        if (m == NULL || m->magic != NGX_HTTP_SYNC_METRICS_MAGIC
            || m->size != sizeof(ngx_http_sync_metrics_t))
        {
            ngx_log_error(NGX_LOG_EMERG, zone->shm.log, 0,
                          "zone \"sync_metrics\" is of another version: "
                          "restart instead of reload");
            return NGX_ERROR;
        }

        zone->data = m;
        return NGX_OK;
    }

    m = ngx_slab_calloc(shpool, sizeof(ngx_http_sync_metrics_t));
    if (m == NULL) {
        return NGX_ERROR;
    }

    m->size = sizeof(ngx_http_sync_metrics_t);
    m->magic = NGX_HTTP_SYNC_METRICS_MAGIC;

    shpool->data = m;
    zone->data = m;

    return NGX_OK;
}


ngx_int_t
ngx_http_sync_metrics_init_process(ngx_cycle_t *cycle)
{
    ngx_http_sync_main_conf_t  *smcf;

    ngx_http_sync_metrics = NULL;

    smcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_sync_module);

    if (smcf != NULL && smcf->metrics != NULL) {
        ngx_http_sync_metrics = smcf->metrics->data;
    }

    return NGX_OK;
}


void
ngx_http_sync_count(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx)
{
    ngx_uint_t               i, b;
    ngx_http_sync_row_t     *row;
    ngx_http_sync_timing_t  *t;

    if (ngx_http_sync_metrics == NULL) {
        return;
    }

    row = ngx_http_sync_row(r, &ctx->tenant.id);

    (void) ngx_atomic_fetch_add(
                       &row->requests[ngx_http_sync_verdict(ctx->verdict)], 1);

    for (i = 0; ctx->shadow >> i; i++) {
        if (ctx->shadow >> i & 1) {
            (void) ngx_atomic_fetch_add(&ngx_http_sync_metrics->shadow[i], 1);
        }
    }

    for (i = 0; ctx->resent >> i; i++) {
        if (ctx->resent >> i & 1) {
            (void) ngx_atomic_fetch_add(&ngx_http_sync_metrics->resent[i], 1);
        }
    }

    for (i = 0; ctx->times != NULL && i < NGX_HTTP_SYNC_STEPS; i++) {

        if (ctx->times[i] == 0) {
            continue;
        }

        t = &ngx_http_sync_metrics->steps[i];

        (void) ngx_atomic_fetch_add(&t->count, 1);
        (void) ngx_atomic_fetch_add(&t->sum, ctx->times[i]);

        for (b = 0; b < NGX_HTTP_SYNC_BUCKETS; b++) {
            if (ctx->times[i] <= ngx_http_sync_bounds[b].ns) {
                (void) ngx_atomic_fetch_add(&t->buckets[b], 1);
                break;
            }
        }
    }
}


void
ngx_http_sync_event(ngx_http_sync_event_e event)
{
    if (ngx_http_sync_metrics != NULL) {
        (void) ngx_atomic_fetch_add(&ngx_http_sync_metrics->events[event], 1);
    }
}


ngx_int_t
ngx_http_sync_add_status(ngx_conf_t *cf, ngx_http_sync_status_pt add)
{
    ngx_http_sync_status_pt    *shown;
    ngx_http_sync_main_conf_t  *smcf;

    smcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_sync_module);

    shown = ngx_array_push(&smcf->shown);
    if (shown == NULL) {
        return NGX_ERROR;
    }

    *shown = add;

    return NGX_OK;
}


/* The row of a tenant; past the cap all share one. */

static ngx_http_sync_row_t *
ngx_http_sync_row(ngx_http_request_t *r, ngx_str_t *id)
{
    uint32_t                    hash;
    ngx_uint_t                  i, locked;
    ngx_slab_pool_t            *shpool;
    ngx_http_sync_row_t        *row, *found;
    ngx_http_sync_main_conf_t  *smcf;

    if (id->len == 0 || id->len > NGX_HTTP_SYNC_METRICS_ID) {
        return &ngx_http_sync_metrics->other;
    }

    hash = ngx_crc32_long(id->data, id->len);
    smcf = ngx_http_get_module_main_conf(r, ngx_http_sync_module);
    shpool = (ngx_slab_pool_t *) smcf->metrics->shm.addr;

    found = &ngx_http_sync_metrics->other;

    for (locked = 0; locked < 2; locked++) {

        if (locked) {
            ngx_shmtx_lock(&shpool->mutex);
        }

        for (i = 0; i < NGX_HTTP_SYNC_METRICS_PROBES; i++) {
            row = &ngx_http_sync_metrics->rows[(hash + i)
                                         & (NGX_HTTP_SYNC_METRICS_ROWS - 1)];

            if (row->used) {

                if (row->len == id->len
                    && ngx_memcmp(row->id, id->data, id->len) == 0)
                {
                    found = row;
                    break;
                }

                continue;
            }

            if (locked) {
                ngx_memcpy(row->id, id->data, id->len);
                row->len = id->len;
                ngx_memory_barrier();
                row->used = 1;
                found = row;
            }

            break;
        }

        if (locked) {
            ngx_shmtx_unlock(&shpool->mutex);
            break;
        }

        if (found != &ngx_http_sync_metrics->other
            || i == NGX_HTTP_SYNC_METRICS_PROBES)
        {
            break;
        }
    }

    return found;
}


static ngx_uint_t
ngx_http_sync_verdict(const char *name)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_HTTP_SYNC_VERDICT_OTHER; i++) {
        if (ngx_strcmp(ngx_http_sync_verdicts[i], name) == 0) {
            break;
        }
    }

    return i;
}


char *
ngx_http_sync_status(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_sync_loc_conf_t  *slcf = conf;

    ngx_http_core_loc_conf_t   *clcf;
    ngx_http_sync_main_conf_t  *smcf;

    if (slcf->status) {
        return "is duplicate";
    }

    smcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_sync_module);
    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    clcf->handler = ngx_http_sync_status_handler;

    slcf->status = 1;
    smcf->status = 1;

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_sync_status_handler(ngx_http_request_t *r)
{
    u_char       *p, *last;
    size_t        size;
    ngx_buf_t    *b;
    ngx_int_t     rc;
    ngx_str_t     body;
    ngx_uint_t    i, rows;
    ngx_chain_t   out;

    ngx_http_sync_status_pt    *shown;
    ngx_http_sync_main_conf_t  *smcf;

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return NGX_HTTP_NOT_ALLOWED;
    }

    if (ngx_http_sync_metrics == NULL) {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    rows = 1;

    for (i = 0; i < NGX_HTTP_SYNC_METRICS_ROWS; i++) {
        rows += ngx_http_sync_metrics->rows[i].used != 0;
    }

    size = 24576 + rows * NGX_HTTP_SYNC_VERDICTS * 256
           + NGX_HTTP_SYNC_STEPS * (NGX_HTTP_SYNC_BUCKETS + 4) * 160;

    body.data = ngx_pnalloc(r->pool, size);
    if (body.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    p = body.data;
    last = body.data + size;

    p = ngx_http_sync_status_requests(p, last);
    p = ngx_http_sync_status_steps(r, p, last);
    p = ngx_http_sync_status_store(p, last);
    p = ngx_http_sync_status_breakers(p, last);
    p = ngx_http_sync_status_events(p, last);

    smcf = ngx_http_get_module_main_conf(r, ngx_http_sync_module);
    shown = smcf->shown.elts;

    for (i = 0; i < smcf->shown.nelts; i++) {
        p = shown[i](r, p, last);
    }

    p = ngx_http_sync_status_tenants(r, p, last);

    p = ngx_slprintf(p, last,
                     "# HELP sync_buffers_bytes Memory that bodies and held "
                     "answers take in this worker.\n"
                     "# TYPE sync_buffers_bytes gauge\n"
                     "sync_buffers_bytes %uz\n", ngx_http_sync_charged());

    body.len = p - body.data;

    ngx_str_set(&r->headers_out.content_type, "text/plain; version=0.0.4");
    r->headers_out.content_type_len = sizeof("text/plain") - 1;

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = body.len;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    b->pos = body.data;
    b->last = p;
    b->memory = 1;
    b->last_buf = 1;
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}


static u_char *
ngx_http_sync_status_requests(u_char *p, u_char *last)
{
    ngx_str_t             id;
    ngx_uint_t            i, v;
    ngx_http_sync_row_t  *row;

    static ngx_str_t  other = ngx_string("");

    p = ngx_slprintf(p, last,
                     "# HELP sync_requests_total Requests that a policy acted "
                     "on, by tenant and verdict.\n"
                     "# TYPE sync_requests_total counter\n");

    for (i = 0; i <= NGX_HTTP_SYNC_METRICS_ROWS; i++) {

        if (i == 0) {
            row = &ngx_http_sync_metrics->other;
            id = other;

        } else {
            row = &ngx_http_sync_metrics->rows[i - 1];

            if (!row->used) {
                continue;
            }

            id.data = row->id;
            id.len = row->len;
        }

        for (v = 0; v < NGX_HTTP_SYNC_VERDICTS; v++) {

            if (row->requests[v] == 0) {
                continue;
            }

            p = ngx_slprintf(p, last, "sync_requests_total{tenant=\"");
            p = ngx_http_sync_label(p, last, &id);
            p = ngx_slprintf(p, last, "\",verdict=\"%s\"} %uA\n",
                             ngx_http_sync_verdicts[v], row->requests[v]);
        }
    }

    return p;
}


static u_char *
ngx_http_sync_status_steps(ngx_http_request_t *r, u_char *p, u_char *last)
{
    uint64_t                     sum;
    ngx_uint_t                   i, b;
    ngx_atomic_uint_t            n;
    ngx_http_sync_timing_t      *t;
    ngx_http_sync_main_conf_t   *smcf;
    const ngx_http_sync_step_t  *step;

    smcf = ngx_http_get_module_main_conf(r, ngx_http_sync_module);

    p = ngx_slprintf(p, last,
                     "# HELP sync_step_seconds Time that the steps took of "
                     "the worker, waiting left out, in one request of "
                     "eight.\n"
                     "# TYPE sync_step_seconds histogram\n");

    for (i = 0; i < NGX_HTTP_SYNC_STEPS; i++) {
        step = smcf->steps[i];
        t = &ngx_http_sync_metrics->steps[i];

        if (step == NULL || t->count == 0) {
            continue;
        }

        n = 0;

        for (b = 0; b < NGX_HTTP_SYNC_BUCKETS; b++) {
            n += t->buckets[b];

            p = ngx_slprintf(p, last,
                             "sync_step_seconds_bucket{step=\"%s\",le=\"%s\"} "
                             "%uA\n",
                             step->name, ngx_http_sync_bounds[b].le, n);
        }

        sum = t->sum;

        p = ngx_slprintf(p, last,
                         "sync_step_seconds_bucket{step=\"%s\",le=\"+Inf\"} "
                         "%uA\n"
                         "sync_step_seconds_sum{step=\"%s\"} %uL.%09uL\n"
                         "sync_step_seconds_count{step=\"%s\"} %uA\n",
                         step->name, t->count, step->name, sum / 1000000000,
                         sum % 1000000000, step->name, t->count);
    }

    p = ngx_slprintf(p, last,
                     "# HELP sync_shadow_total Requests that a step in shadow "
                     "would have refused or changed.\n"
                     "# TYPE sync_shadow_total counter\n");

    for (i = 0; i < NGX_HTTP_SYNC_STEPS; i++) {
        step = smcf->steps[i];
        n = ngx_http_sync_metrics->shadow[i];

        if (step != NULL && n) {
            p = ngx_slprintf(p, last, "sync_shadow_total{step=\"%s\"} %uA\n",
                             step->name, n);
        }
    }

    p = ngx_slprintf(p, last,
                     "# HELP sync_sent_again_total Requests that were sent "
                     "once more, because a step found a token or a session "
                     "over.\n"
                     "# TYPE sync_sent_again_total counter\n");

    for (i = 0; i < NGX_HTTP_SYNC_STEPS; i++) {
        step = smcf->steps[i];
        n = ngx_http_sync_metrics->resent[i];

        if (step != NULL && n) {
            p = ngx_slprintf(p, last,
                             "sync_sent_again_total{step=\"%s\"} %uA\n",
                             step->name, n);
        }
    }

    return p;
}


static u_char *
ngx_http_sync_status_store(u_char *p, u_char *last)
{
    ngx_uint_t              k, m;
    ngx_sync_zone_state_t   z[NGX_SYNC_ZONE_KINDS];
    ngx_uint_t              used[NGX_SYNC_ZONE_KINDS];

    static const struct {
        const char  *name;
        const char  *type;
        const char  *help;
    } metrics[] = {
        { "size_bytes", "gauge", "Size of the zone." },
        { "free_bytes", "gauge", "Free in the zone." },
        { "entries", "gauge", "Entries in the zone." },
        { "refused_total", "counter", "Refused for lack of room." },
        { "rebuilt_total", "counter", "Rebuilt after a worker died inside." }
    };

    for (k = 0; k < NGX_SYNC_ZONE_KINDS; k++) {
        used[k] = (k == NGX_SYNC_ZONE_KEYS
                   ? ngx_http_sync_flight_state(&z[k])
                   : ngx_sync_store_zone_state((ngx_cycle_t *) ngx_cycle, k,
                                               &z[k]))
                  == NGX_OK;
    }

    for (m = 0; m < sizeof(metrics) / sizeof(metrics[0]); m++) {

        p = ngx_slprintf(p, last,
                         "# HELP sync_store_%s %s\n# TYPE sync_store_%s %s\n",
                         metrics[m].name, metrics[m].help, metrics[m].name,
                         metrics[m].type);

        for (k = 0; k < NGX_SYNC_ZONE_KINDS; k++) {

            if (!used[k]) {
                continue;
            }

            p = ngx_slprintf(p, last, "sync_store_%s{zone=\"%V\"} %uL\n",
                             metrics[m].name, &z[k].name,
                             (uint64_t) (m == 0 ? z[k].size
                                         : m == 1 ? z[k].free
                                         : m == 2 ? z[k].entries
                                         : m == 3 ? z[k].refused
                                                  : z[k].rebuilt));
        }
    }

    return p;
}


static u_char *
ngx_http_sync_status_breakers(u_char *p, u_char *last)
{
    ngx_uint_t                m, n;
    ngx_sync_breaker_state_t  b;

    static const struct {
        const char  *name;
        const char  *type;
        const char  *help;
    } metrics[] = {
        { "open", "gauge", "Nobody waits for the store." },
        { "opened_total", "counter", "So often that began." },
        { "refused_total", "counter", "Operations it did not see meanwhile." },
        { "missed_total", "counter", "Deadlines missed by the store." }
    };

    if (ngx_sync_store_breaker_state((ngx_cycle_t *) ngx_cycle, 0, &b)
        != NGX_OK)
    {
        return p;
    }

    for (m = 0; m < sizeof(metrics) / sizeof(metrics[0]); m++) {

        p = ngx_slprintf(p, last,
                         "# HELP sync_store_breaker_%s %s\n"
                         "# TYPE sync_store_breaker_%s %s\n",
                         metrics[m].name, metrics[m].help, metrics[m].name,
                         metrics[m].type);

        for (n = 0; /* void */ ; n++) {

            if (ngx_sync_store_breaker_state((ngx_cycle_t *) ngx_cycle, n, &b)
                != NGX_OK)
            {
                break;
            }

            p = ngx_slprintf(p, last, "sync_store_breaker_%s{store=\"",
                             metrics[m].name);
            p = ngx_http_sync_label(p, last, &b.label);
            p = ngx_slprintf(p, last, "\"} %ui\n",
                             m == 0 ? b.open : m == 1 ? b.opened
                                    : m == 2 ? b.refused : b.missed);
        }
    }

    return p;
}


/* A family of which nothing has happened is left out. */

static u_char *
ngx_http_sync_status_events(u_char *p, u_char *last)
{
    ngx_uint_t         i, k;
    ngx_atomic_uint_t  n;

    for (i = 0; i < NGX_HTTP_SYNC_EVENTS; i = k) {

        n = 0;
        k = i;

        do {
            n += ngx_http_sync_metrics->events[k++];
        } while (k < NGX_HTTP_SYNC_EVENTS
                 && ngx_http_sync_events[k].help == NULL);

        if (n == 0) {
            continue;
        }

        p = ngx_slprintf(p, last, "# HELP %s %s\n# TYPE %s counter\n",
                         ngx_http_sync_events[i].family,
                         ngx_http_sync_events[i].help,
                         ngx_http_sync_events[i].family);

        for ( /* void */ ; i < k; i++) {
            p = ngx_slprintf(p, last, "%s{%s} %uA\n",
                             ngx_http_sync_events[i].family,
                             ngx_http_sync_events[i].label,
                             ngx_http_sync_metrics->events[i]);
        }
    }

    return p;
}


static u_char *
ngx_http_sync_status_tenants(ngx_http_request_t *r, u_char *p, u_char *last)
{
    ngx_str_t                       file, error;
    ngx_uint_t                      i;
    ngx_http_sync_registry_state_t  state;

    if (ngx_http_sync_registry_state(r, &state) != NGX_OK) {
        return p;
    }

    p = ngx_slprintf(p, last,
                     "# HELP sync_tenants Documents that answer.\n"
                     "# TYPE sync_tenants gauge\n"
                     "sync_tenants %ui\n"
                     "# HELP sync_tenants_broken Documents whose last version "
                     "was refused.\n"
                     "# TYPE sync_tenants_broken gauge\n"
                     "sync_tenants_broken %ui\n"
                     "# HELP sync_tenants_down Broken ones without a good "
                     "copy: their tenants get 503.\n"
                     "# TYPE sync_tenants_down gauge\n"
                     "sync_tenants_down %ui\n"
                     "# HELP sync_tenants_stale The folder has vanished or was "
                     "emptied.\n"
                     "# TYPE sync_tenants_stale gauge\n"
                     "sync_tenants_stale %ui\n",
                     state.tenants, state.broken, state.down, state.stale);

    i = 0;

    while (last - p > 2048
           && ngx_http_sync_registry_broken(r, &i, &file, &error) == NGX_OK)
    {
        p = ngx_slprintf(p, last, "# broken: %V: %V\n", &file, &error);
    }

    return p;
}


/* A label's value: backslash, quote and line feed escaped. */

u_char *
ngx_http_sync_label(u_char *p, u_char *last, ngx_str_t *s)
{
    size_t  i;

    for (i = 0; i < s->len && last - p > 2; i++) {

        if (s->data[i] == '\\' || s->data[i] == '"') {
            *p++ = '\\';
            *p++ = s->data[i];

        } else if (s->data[i] == '\n') {
            *p++ = '\\';
            *p++ = 'n';

        } else {
            *p++ = s->data[i];
        }
    }

    return p;
}
