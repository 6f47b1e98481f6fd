
/*
 * Shares of a connector: a document says how many requests may be under way at
 * a connector, and how much its tenant weighs among all who use the same one.
 *
 * Counted in shared memory, on this node.  Each worker counts its own places in
 * a row that bears its process id, so that those of a worker that died are
 * found and freed.  Who is due a place that is not free waits for it; who is
 * over its share is refused.
 */


#include "ngx_http_sync.h"
#include "sync_crypto.h"
#include "sync_share.h"


#define NGX_HTTP_SYNC_SHARE_ZONE     (1024 * 1024)
#define NGX_HTTP_SYNC_SHARE_MAGIC    0x736879306e633031ULL
#define NGX_HTTP_SYNC_SHARE_ROWS     64      /* workers, with those that
                                                leave after a reload */
#define NGX_HTTP_SYNC_SHARE_NAME     16      /* bytes of a digest */
#define NGX_HTTP_SYNC_SHARE_MOST     256     /* tenants of a connector that
                                                are weighed at a time */
#define NGX_HTTP_SYNC_SHARE_RECENT   1000    /* ms that a wish is remembered */
#define NGX_HTTP_SYNC_SHARE_POLL     10      /* ms */
#define NGX_HTTP_SYNC_SHARE_WAIT     2000    /* ms at most */
#define NGX_HTTP_SYNC_SHARE_NONE     ((uint32_t) -1)


/* A tenant at a connector. */

typedef struct {
    u_char                       name[NGX_HTTP_SYNC_SHARE_NAME];
    u_char                       at[NGX_HTTP_SYNC_SHARE_NAME];
    uint32_t                     next;       /* at the same connector */
    uint32_t                     used;
    uint32_t                     weight;
    uint32_t                     held;       /* the sum of the rows */
    uint32_t                     peak;       /* wanted at a time, in this */
    uint32_t                     before;     /* window and the one before */
    ngx_msec_t                   window;     /* its begin */
    uint16_t                     rows[NGX_HTTP_SYNC_SHARE_ROWS];
} ngx_http_sync_share_t;


typedef struct {
    uint64_t                     magic;
    uint32_t                     n;          /* of shares */
    uint32_t                     nbuckets;
    ngx_pid_t                    pids[NGX_HTTP_SYNC_SHARE_ROWS];
} ngx_http_sync_share_sh_t;


typedef struct {
    ngx_shm_zone_t              *zone;
    ngx_http_sync_share_sh_t    *sh;
    ngx_slab_pool_t             *shpool;
    uint32_t                    *buckets;    /* first share, by connector */
    ngx_http_sync_share_t       *shares;
} ngx_http_sync_share_main_conf_t;


/* The slot of a request. */

typedef struct {
    ngx_http_sync_share_main_conf_t  *conf;
    ngx_http_sync_ctx_t              *ctx;
    uint32_t                          share;     /* held, or NONE */
    ngx_msec_t                        since;
    ngx_event_t                       event;
    unsigned                          waited:1;
} ngx_http_sync_share_ctx_t;


static ngx_uint_t ngx_http_sync_share_enabled(ngx_http_request_t *r);
static ngx_int_t ngx_http_sync_share_run(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);
static sync_share_e ngx_http_sync_share_ask(ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_share_ctx_t *sctx, uint32_t capacity);
static uint32_t ngx_http_sync_share_find(
    ngx_http_sync_share_main_conf_t *conf, u_char *at, u_char *name);
static void ngx_http_sync_share_want(ngx_http_sync_share_t *s,
    uint32_t wanted);
static uint32_t ngx_http_sync_share_wanted(ngx_http_sync_share_t *s);
static void ngx_http_sync_share_poll(ngx_event_t *ev);
static void ngx_http_sync_share_cancel(ngx_http_sync_ctx_t *ctx);
static void ngx_http_sync_share_leave(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);
static void ngx_http_sync_share_give_back(ngx_http_sync_share_ctx_t *sctx);
static u_char *ngx_http_sync_share_status(ngx_http_request_t *r, u_char *p,
    u_char *last);
static void *ngx_http_sync_share_create_main_conf(ngx_conf_t *cf);
static ngx_int_t ngx_http_sync_share_postconfiguration(ngx_conf_t *cf);
static ngx_int_t ngx_http_sync_share_init_zone(ngx_shm_zone_t *zone,
    void *data);
static ngx_int_t ngx_http_sync_share_init_process(ngx_cycle_t *cycle);


static ngx_int_t  ngx_http_sync_share_row = NGX_ERROR;   /* of this worker */


const ngx_http_sync_step_t  ngx_http_sync_share_step = {
    "share",
    NGX_HTTP_SYNC_STAGE_PRECONTENT,
    NGX_HTTP_SYNC_STEP_SHARE,
    ngx_http_sync_share_enabled,
    0,
    ngx_http_sync_share_run,
    ngx_http_sync_share_cancel,
    ngx_http_sync_share_leave,
    NULL
};


static ngx_http_module_t  ngx_http_sync_share_module_ctx = {
    NULL,                                  /* preconfiguration */
    ngx_http_sync_share_postconfiguration, /* postconfiguration */

    ngx_http_sync_share_create_main_conf,  /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    NULL,                                  /* create location configuration */
    NULL                                   /* merge location configuration */
};


ngx_module_t  ngx_http_sync_share_module = {
    NGX_MODULE_V1,
    &ngx_http_sync_share_module_ctx,       /* module context */
    NULL,                                  /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    ngx_http_sync_share_init_process,      /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


/* Wherever a connector is chosen. */

static ngx_uint_t
ngx_http_sync_share_enabled(ngx_http_request_t *r)
{
    return ngx_http_sync_enabled(r, NGX_HTTP_SYNC_STEP_ROUTE);
}


static ngx_int_t
ngx_http_sync_share_run(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx)
{
    ngx_int_t                   rc;
    ngx_msec_t                  waited, left;
    sync_share_e                answer;
    ngx_http_sync_share_ctx_t  *sctx;

    if (ctx->route.connector == SYNC_DOC_NONE || ctx->route.c.capacity == 0
        || ngx_http_sync_share_row == NGX_ERROR)
    {
        return NGX_DECLINED;
    }

    sctx = ctx->slots[NGX_HTTP_SYNC_STEP_SHARE];

    if (sctx == NULL) {
        sctx = ngx_pcalloc(r->pool, sizeof(ngx_http_sync_share_ctx_t));
        if (sctx == NULL) {
            return NGX_ERROR;
        }

        sctx->conf = ngx_http_get_module_main_conf(r,
                                                   ngx_http_sync_share_module);
        sctx->ctx = ctx;
        sctx->share = NGX_HTTP_SYNC_SHARE_NONE;
        sctx->since = ngx_current_msec;

        sctx->event.handler = ngx_http_sync_share_poll;
        sctx->event.data = sctx;
        sctx->event.log = r->connection->log;

        ctx->slots[NGX_HTTP_SYNC_STEP_SHARE] = sctx;
    }

    answer = ngx_http_sync_share_ask(ctx, sctx, ctx->route.c.capacity);

    if (answer == SYNC_SHARE_YES) {
        ngx_http_sync_event(NGX_HTTP_SYNC_EVENT_SHARE_GRANTED);

        if (sctx->waited) {
            ngx_http_sync_event(NGX_HTTP_SYNC_EVENT_SHARE_WAITED);
        }

        return NGX_OK;
    }

    /* not until the deadline is over, of which the exchange is a part */

    waited = ngx_current_msec - sctx->since;
    left = ctx->budget ? ngx_http_sync_left(ctx) : NGX_HTTP_SYNC_SHARE_WAIT;

    if (answer == SYNC_SHARE_BUSY && waited < NGX_HTTP_SYNC_SHARE_WAIT
        && left > 5 * NGX_HTTP_SYNC_SHARE_POLL)
    {
        sctx->waited = 1;
        ngx_add_timer(&sctx->event, NGX_HTTP_SYNC_SHARE_POLL);
        return NGX_AGAIN;
    }

    ngx_http_sync_event(answer == SYNC_SHARE_BUSY
                        ? NGX_HTTP_SYNC_EVENT_SHARE_BUSY
                        : NGX_HTTP_SYNC_EVENT_SHARE_OVER);

    if (answer == SYNC_SHARE_BUSY) {
        rc = ngx_http_sync_problem(ctx, NGX_HTTP_SERVICE_UNAVAILABLE,
                                   "connector-busy",
                                   "The connector has no place free",
                                   NGX_HTTP_SYNC_TECHNICAL,
                                   "all %uD places of the connector are taken",
                                   ctx->route.c.capacity);

    } else {
        rc = ngx_http_sync_problem(ctx, NGX_HTTP_TOO_MANY_REQUESTS,
                                   "share-exceeded",
                                   "Too many requests at a time",
                                   NGX_HTTP_SYNC_TECHNICAL,
                                   "the tenant's share of the connector's %uD "
                                   "places is used up",
                                   ctx->route.c.capacity);
    }

    ctx->problem.retry_after = 1;

    return rc;
}


/* Takes the place where the answer is yes. */

static sync_share_e
ngx_http_sync_share_ask(ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_share_ctx_t *sctx, uint32_t capacity)
{
    u_char                            digest[2][SYNC_SHA256_LEN];
    uint32_t                          i, self;
    ngx_uint_t                        n, k;
    sync_str_t                        where;
    sync_share_e                      answer;
    sync_share_t                      view[NGX_HTTP_SYNC_SHARE_MOST];
    ngx_http_sync_share_t            *s;
    ngx_http_sync_share_main_conf_t  *conf;

    conf = sctx->conf;

    where = ctx->route.c.port ? ctx->route.c.host : ctx->route.c.upstream;

    sync_sha256(where.data, where.len, digest[0]);
    sync_sha256(ctx->tenant.id.data, ctx->tenant.id.len, digest[1]);

    ngx_shmtx_lock(&conf->shpool->mutex);

    self = ngx_http_sync_share_find(conf, digest[0], digest[1]);

    if (self == NGX_HTTP_SYNC_SHARE_NONE) {
        ngx_shmtx_unlock(&conf->shpool->mutex);

        ngx_http_sync_event(NGX_HTTP_SYNC_EVENT_SHARE_UNCOUNTED);

        ngx_log_error(NGX_LOG_WARN, ctx->request->connection->log, 0,
                      "share: zone \"sync_shares\" is full, a connector is "
                      "not shared");
        return SYNC_SHARE_YES;
    }

    s = &conf->shares[self];
    s->weight = sync_doc_weight(ctx->tenant.doc);

    ngx_http_sync_share_want(s, s->held + 1);

    n = 0;
    k = 0;

    for (i = conf->buckets[ngx_crc32_short(digest[0], NGX_HTTP_SYNC_SHARE_NAME)
                           % conf->sh->nbuckets];
         i != NGX_HTTP_SYNC_SHARE_NONE;
         i = s->next)
    {
        s = &conf->shares[i];

        if (ngx_memcmp(s->at, digest[0], NGX_HTTP_SYNC_SHARE_NAME) != 0) {
            continue;
        }

        if (n == NGX_HTTP_SYNC_SHARE_MOST) {

            if (i != self) {
                continue;
            }

            n--;
        }

        if (i == self) {
            k = n;
        }

        view[n].weight = s->weight;
        view[n].held = s->held;
        view[n].wanted = ngx_http_sync_share_wanted(s);
        n++;
    }

    answer = sync_share_ask(view, n, k, capacity);

    if (answer == SYNC_SHARE_YES) {
        s = &conf->shares[self];

        s->rows[ngx_http_sync_share_row]++;
        s->held++;

        sctx->share = self;
    }

    ngx_shmtx_unlock(&conf->shpool->mutex);

    return answer;
}


/* One that nobody holds or wants any more makes room.  Locked. */

static uint32_t
ngx_http_sync_share_find(ngx_http_sync_share_main_conf_t *conf, u_char *at,
    u_char *name)
{
    uint32_t                i, *last, *bucket;
    ngx_http_sync_share_t  *s;

    bucket = &conf->buckets[ngx_crc32_short(at, NGX_HTTP_SYNC_SHARE_NAME)
                            % conf->sh->nbuckets];

    for (last = bucket; *last != NGX_HTTP_SYNC_SHARE_NONE; /* void */ ) {
        s = &conf->shares[*last];

        if (ngx_memcmp(s->at, at, NGX_HTTP_SYNC_SHARE_NAME) == 0
            && ngx_memcmp(s->name, name, NGX_HTTP_SYNC_SHARE_NAME) == 0)
        {
            return *last;
        }

        if (s->held == 0 && ngx_http_sync_share_wanted(s) == 0) {
            *last = s->next;
            s->used = 0;
            continue;
        }

        last = &s->next;
    }

    for (i = 0; i < conf->sh->n; i++) {
        s = &conf->shares[i];

        if (s->used) {
            continue;
        }

        ngx_memzero(s, sizeof(ngx_http_sync_share_t));

        ngx_memcpy(s->at, at, NGX_HTTP_SYNC_SHARE_NAME);
        ngx_memcpy(s->name, name, NGX_HTTP_SYNC_SHARE_NAME);

        s->used = 1;
        s->window = ngx_current_msec;
        s->next = *bucket;
        *bucket = i;

        return i;
    }

    return NGX_HTTP_SYNC_SHARE_NONE;
}


/* The most at a time in this window and the one before.  Locked. */

static void
ngx_http_sync_share_want(ngx_http_sync_share_t *s, uint32_t wanted)
{
    ngx_msec_t  passed;

    passed = ngx_current_msec - s->window;

    if (passed >= NGX_HTTP_SYNC_SHARE_RECENT) {
        s->before = passed < 2 * NGX_HTTP_SYNC_SHARE_RECENT ? s->peak : 0;
        s->peak = 0;
        s->window = ngx_current_msec;
    }

    s->peak = ngx_max(s->peak, wanted);
}


static uint32_t
ngx_http_sync_share_wanted(ngx_http_sync_share_t *s)
{
    uint32_t    wanted;
    ngx_msec_t  passed;

    passed = ngx_current_msec - s->window;

    wanted = passed < NGX_HTTP_SYNC_SHARE_RECENT ? ngx_max(s->peak, s->before)
             : passed < 2 * NGX_HTTP_SYNC_SHARE_RECENT ? s->peak : 0;

    return ngx_max(wanted, s->held);
}


static void
ngx_http_sync_share_poll(ngx_event_t *ev)
{
    ngx_http_sync_share_ctx_t  *sctx;

    sctx = ev->data;

    ngx_http_sync_wake(sctx->ctx);
}


static void
ngx_http_sync_share_cancel(ngx_http_sync_ctx_t *ctx)
{
    ngx_http_sync_share_ctx_t  *sctx;

    sctx = ctx->slots[NGX_HTTP_SYNC_STEP_SHARE];

    if (sctx == NULL) {
        return;
    }

    if (sctx->event.timer_set) {
        ngx_del_timer(&sctx->event);
    }

    ngx_http_sync_share_give_back(sctx);
}


/* Another location may choose another connector. */

static void
ngx_http_sync_share_leave(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx)
{
    if (ctx->slots[NGX_HTTP_SYNC_STEP_SHARE] != NULL) {
        ngx_http_sync_share_cancel(ctx);

        ctx->slots[NGX_HTTP_SYNC_STEP_SHARE] = NULL;
        ctx->done &= ~(1u << NGX_HTTP_SYNC_STEP_SHARE);
    }
}


static void
ngx_http_sync_share_give_back(ngx_http_sync_share_ctx_t *sctx)
{
    ngx_http_sync_share_t            *s;
    ngx_http_sync_share_main_conf_t  *conf;

    if (sctx->share == NGX_HTTP_SYNC_SHARE_NONE) {
        return;
    }

    conf = sctx->conf;
    s = &conf->shares[sctx->share];

    ngx_shmtx_lock(&conf->shpool->mutex);

    if (s->rows[ngx_http_sync_share_row]) {
        s->rows[ngx_http_sync_share_row]--;
        s->held--;
    }

    ngx_shmtx_unlock(&conf->shpool->mutex);

    sctx->share = NGX_HTTP_SYNC_SHARE_NONE;
}


/* Read without the lock: a sum that is one off tells the same. */

static u_char *
ngx_http_sync_share_status(ngx_http_request_t *r, u_char *p, u_char *last)
{
    uint32_t                          i;
    ngx_uint_t                        held, used;
    ngx_http_sync_share_t            *s;
    ngx_http_sync_share_main_conf_t  *conf;

    conf = ngx_http_get_module_main_conf(r, ngx_http_sync_share_module);

    held = 0;
    used = 0;

    for (i = 0; i < conf->sh->n; i++) {
        s = &conf->shares[i];

        if (s->used) {
            used++;
            held += s->held;
        }
    }

    return ngx_slprintf(p, last,
                        "# HELP sync_shares_held Places at connectors that "
                        "are taken now.\n"
                        "# TYPE sync_shares_held gauge\n"
                        "sync_shares_held %ui\n"
                        "# HELP sync_shares_entries Tenants at connectors that "
                        "are counted.\n"
                        "# TYPE sync_shares_entries gauge\n"
                        "sync_shares_entries %ui\n"
                        "# HELP sync_shares_room How many can be.\n"
                        "# TYPE sync_shares_room gauge\n"
                        "sync_shares_room %uD\n", held, used, conf->sh->n);
}


static void *
ngx_http_sync_share_create_main_conf(ngx_conf_t *cf)
{
    return ngx_pcalloc(cf->pool, sizeof(ngx_http_sync_share_main_conf_t));
}


static ngx_int_t
ngx_http_sync_share_postconfiguration(ngx_conf_t *cf)
{
    ngx_str_t                         name;
    ngx_http_sync_main_conf_t        *smcf;
    ngx_http_sync_share_main_conf_t  *conf;

    smcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_sync_module);

    if (!(smcf->used & (1u << NGX_HTTP_SYNC_STEP_SHARE))) {
        return NGX_OK;
    }

    conf = ngx_http_conf_get_module_main_conf(cf, ngx_http_sync_share_module);

    ngx_str_set(&name, "sync_shares");

    conf->zone = ngx_shared_memory_add(cf, &name, NGX_HTTP_SYNC_SHARE_ZONE,
                                       &ngx_http_sync_share_module);
    if (conf->zone == NULL) {
        return NGX_ERROR;
    }

    conf->zone->init = ngx_http_sync_share_init_zone;
    conf->zone->data = conf;

    return ngx_http_sync_add_status(cf, ngx_http_sync_share_status);
}


static ngx_int_t
ngx_http_sync_share_init_zone(ngx_shm_zone_t *zone, void *data)
{
    ngx_http_sync_share_main_conf_t  *old = data;

    size_t                            room;
    uint32_t                          i, n;
    ngx_http_sync_share_main_conf_t  *conf;

    conf = zone->data;
    conf->shpool = (ngx_slab_pool_t *) zone->shm.addr;

    if (old != NULL) {
        conf->sh = old->sh;

    } else if (zone->shm.exists) {
        conf->sh = conf->shpool->data;

        if (conf->sh == NULL || conf->sh->magic != NGX_HTTP_SYNC_SHARE_MAGIC) {
            ngx_log_error(NGX_LOG_EMERG, zone->shm.log, 0,
                          "zone \"sync_shares\" is of another version: "
                          "restart instead of reload");
            return NGX_ERROR;
        }

    } else {
        room = NGX_HTTP_SYNC_SHARE_ZONE - 16 * ngx_pagesize
               - sizeof(ngx_http_sync_share_sh_t);
        n = room / (sizeof(ngx_http_sync_share_t) + sizeof(uint32_t));

        conf->sh = ngx_slab_calloc(conf->shpool,
                                   sizeof(ngx_http_sync_share_sh_t)
                                   + n * (sizeof(ngx_http_sync_share_t)
                                          + sizeof(uint32_t)));
        if (conf->sh == NULL) {
            return NGX_ERROR;
        }

        conf->sh->n = n;
        conf->sh->nbuckets = n;
        conf->sh->magic = NGX_HTTP_SYNC_SHARE_MAGIC;
        conf->shpool->data = conf->sh;
    }

    conf->shares = (ngx_http_sync_share_t *) (conf->sh + 1);
    conf->buckets = (uint32_t *) (conf->shares + conf->sh->n);

    if (old == NULL && !zone->shm.exists) {
        for (i = 0; i < conf->sh->nbuckets; i++) {
            conf->buckets[i] = NGX_HTTP_SYNC_SHARE_NONE;
        }
    }

    return NGX_OK;
}


/*
 * A worker takes a row that no living process has.  What the one before held
 * is free, and all sums are drawn anew: it may have died within the lock.
 */

static ngx_int_t
ngx_http_sync_share_init_process(ngx_cycle_t *cycle)
{
    ngx_int_t                         row;
    ngx_uint_t                        i, k;
    ngx_http_sync_share_t            *s;
    ngx_http_sync_share_main_conf_t  *conf;

    ngx_http_sync_share_row = NGX_ERROR;

    conf = ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_http_sync_share_module);

    if (conf == NULL || conf->sh == NULL
        || (ngx_process != NGX_PROCESS_WORKER
            && ngx_process != NGX_PROCESS_SINGLE))
    {
        return NGX_OK;
    }

    row = NGX_ERROR;

    ngx_shmtx_lock(&conf->shpool->mutex);

    for (i = 0; i < NGX_HTTP_SYNC_SHARE_ROWS; i++) {

        if (conf->sh->pids[i] != 0
            && (kill(conf->sh->pids[i], 0) == 0 || ngx_errno != ESRCH)
            && conf->sh->pids[i] != ngx_pid)
        {
            continue;
        }

        conf->sh->pids[i] = 0;

        for (k = 0; k < conf->sh->n; k++) {
            conf->shares[k].rows[i] = 0;
        }

        if (row == NGX_ERROR) {
            row = i;
            conf->sh->pids[i] = ngx_pid;
        }
    }

    for (k = 0; k < conf->sh->n; k++) {
        s = &conf->shares[k];
        s->held = 0;

        for (i = 0; i < NGX_HTTP_SYNC_SHARE_ROWS; i++) {
            s->held += s->rows[i];
        }
    }

    ngx_shmtx_unlock(&conf->shpool->mutex);

    ngx_http_sync_share_row = row;

    if (row == NGX_ERROR) {
        ngx_log_error(NGX_LOG_WARN, cycle->log, 0,
                      "share: more than %d workers, this one does not share "
                      "connectors", NGX_HTTP_SYNC_SHARE_ROWS);
    }

    return NGX_OK;
}
