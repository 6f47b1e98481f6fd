
/*
 * The key sets that this worker has parsed, and when it looks for others.
 */


#include "ngx_http_sync_auth_jwks.h"
#include "sync_crypto.h"


#define NGX_HTTP_SYNC_JWKS_SOURCES  1024     /* parsed by a worker, at most */
#define NGX_HTTP_SYNC_JWKS_CHAINS   256
#define NGX_HTTP_SYNC_JWKS_NEAR     1024     /* issuers found without a hash */
#define NGX_HTTP_SYNC_JWKS_LOOK     1000     /* ms between looks at the flight */
#define NGX_HTTP_SYNC_JWKS_KIDS     16       /* wanted ones, remembered */
#define NGX_HTTP_SYNC_JWKS_WAITS    4        /* of one request */
#define NGX_HTTP_SYNC_JWKS_RETRY    5        /* seconds, where none is known */


/* A kid that no set had: one that was fetched later knows. */

typedef struct {
    uint64_t                       hash;
    int64_t                        since;    /* Unix ms, when it was wanted */
} ngx_http_sync_jwks_kid_t;


/* Where keys come from, and what came last. */

typedef struct {
    ngx_queue_t                    queue;    /* by use */
    ngx_queue_t                    chain;    /* by key */
    u_char                         key[32];
    sync_jwks_t                   *set;      /* NULL: none */
    uint64_t                       version;
    int64_t                        fetched;  /* Unix ms */
    ngx_msec_t                     looked;
    ngx_http_sync_jwks_kid_t       kids[NGX_HTTP_SYNC_JWKS_KIDS];
    ngx_uint_t                     nkids;
} ngx_http_sync_source_t;


/* An issuer of a document, or of nginx.conf: whose source that is. */

typedef struct {
    uint64_t                       generation;
    uint32_t                       index;
    ngx_http_sync_source_t        *source;
} ngx_http_sync_near_t;


static ngx_http_sync_source_t *ngx_http_sync_jwks_source(
    ngx_http_sync_trust_t *trust);
static ngx_http_sync_source_t *ngx_http_sync_jwks_find(
    ngx_http_sync_trust_t *trust);
static void ngx_http_sync_jwks_key(ngx_http_sync_trust_t *trust,
    u_char key[32]);
static ngx_http_sync_flight_e ngx_http_sync_jwks_look(
    ngx_http_sync_ctx_t *ctx, ngx_http_sync_trust_t *trust,
    ngx_http_sync_source_t *src, ngx_http_sync_flight_t *f);
static ngx_int_t ngx_http_sync_jwks_take(ngx_http_sync_source_t *src,
    ngx_http_sync_flight_t *f, ngx_str_t *text);
static ngx_int_t ngx_http_sync_jwks_start(ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_trust_t *trust, ngx_http_sync_flight_t *f);
static ngx_int_t ngx_http_sync_jwks_wait(ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_flight_t *f, ngx_http_sync_auth_slot_t *slot);
static ngx_uint_t ngx_http_sync_jwks_in_vain(ngx_http_sync_source_t *src,
    sync_str_t kid, int64_t now);
static ngx_http_sync_jwks_kid_t *ngx_http_sync_jwks_kid(
    ngx_http_sync_source_t *src, sync_str_t kid, int64_t now);
static void ngx_http_sync_jwks_empty(ngx_http_sync_source_t *src);
static void ngx_http_sync_jwks_free(ngx_http_sync_source_t *src);


static ngx_queue_t           ngx_http_sync_jwks_used;
static ngx_queue_t           ngx_http_sync_jwks_chains[
                                                  NGX_HTTP_SYNC_JWKS_CHAINS];
static ngx_uint_t            ngx_http_sync_jwks_sources;
static ngx_http_sync_near_t  ngx_http_sync_jwks_near[NGX_HTTP_SYNC_JWKS_NEAR];


ngx_int_t
ngx_http_sync_jwks_get(ngx_http_sync_ctx_t *ctx, ngx_http_sync_trust_t *trust,
    ngx_http_sync_auth_slot_t *slot, sync_jwks_t **keys, uint64_t *version)
{
    ngx_http_sync_source_t  *src;
    ngx_http_sync_flight_t   f;
    ngx_http_sync_flight_e   rc;

    src = ngx_http_sync_jwks_source(trust);

    if (src == NULL) {
        return NGX_ERROR;
    }

    f.lead = slot != NULL ? NGX_HTTP_SYNC_JWKS_LEAD : 0;

    if (slot != NULL && slot->asked) {
        src->looked = ngx_current_msec - NGX_HTTP_SYNC_JWKS_LOOK;
    }

    rc = ngx_http_sync_jwks_look(ctx, trust, src, &f);

    if (rc == NGX_HTTP_SYNC_FLIGHT_VALUE) {
        *keys = src->set;
        *version = src->version;

        return NGX_OK;
    }

    if (slot == NULL) {
        return NGX_DECLINED;
    }

    if (rc == NGX_HTTP_SYNC_FLIGHT_LEAD || rc == NGX_HTTP_SYNC_FLIGHT_WAIT) {
        return ngx_http_sync_jwks_wait(ctx, &f, slot);
    }

    slot->retry = (f.retry + 999) / 1000;

    return NGX_DECLINED;
}


ngx_uint_t
ngx_http_sync_jwks_same(ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_trust_t *trust, uint64_t version)
{
    ngx_http_sync_source_t  *src;
    ngx_http_sync_flight_t   f;

    src = ngx_http_sync_jwks_source(trust);

    if (src == NULL) {
        return 0;
    }

    f.lead = NGX_HTTP_SYNC_JWKS_LEAD;

    return ngx_http_sync_jwks_look(ctx, trust, src, &f)
           == NGX_HTTP_SYNC_FLIGHT_VALUE
           && src->version == version;
}


ngx_int_t
ngx_http_sync_jwks_wanting(ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_trust_t *trust, ngx_http_sync_auth_slot_t *slot,
    sync_str_t kid)
{
    int64_t                  now;
    ngx_int_t                rc;
    ngx_time_t              *tp;
    ngx_http_sync_source_t  *src;
    ngx_http_sync_flight_t   f;

    src = ngx_http_sync_jwks_source(trust);

    if (src == NULL) {
        return NGX_ERROR;
    }

    slot->retry = NGX_HTTP_SYNC_JWKS_RETRY;

    if (slot->asked) {

        /* they were asked for once, and that is what came of it */

        if (src->fetched < slot->asked) {
            return NGX_BUSY;
        }

        if (kid.len) {
            (void) ngx_http_sync_jwks_kid(src, kid, slot->asked);
        }

        return NGX_DECLINED;
    }

    tp = ngx_timeofday();
    now = (int64_t) tp->sec * 1000 + tp->msec;

    ngx_memcpy(f.key, src->key, sizeof(f.key));

    if (kid.len) {

        /* what other workers have fetched tells this one, too */

        f.lead = 0;

        if (ngx_http_sync_flight_force(&f, src->version,
                                       NGX_HTTP_SYNC_JWKS_APART)
            == NGX_HTTP_SYNC_FLIGHT_VALUE)
        {
            src->looked = ngx_current_msec - NGX_HTTP_SYNC_JWKS_LOOK;
            return NGX_OK;
        }

        if (f.version == src->version) {
            src->fetched = f.fetched;
        }

        if (ngx_http_sync_jwks_in_vain(src, kid, now)) {
            ngx_http_sync_event(NGX_HTTP_SYNC_EVENT_KEYS_UNKNOWN);
            return NGX_DECLINED;
        }
    }

    f.lead = NGX_HTTP_SYNC_JWKS_LEAD;
    slot->asked = now;

    switch (ngx_http_sync_flight_force(&f, src->version,
                                       NGX_HTTP_SYNC_JWKS_APART))
    {
    case NGX_HTTP_SYNC_FLIGHT_VALUE:
        slot->asked = 0;
        src->looked = ngx_current_msec - NGX_HTTP_SYNC_JWKS_LOOK;
        return NGX_OK;

    case NGX_HTTP_SYNC_FLIGHT_LEAD:

        if (ngx_http_sync_flight_budget(src->key,
                                        NGX_HTTP_SYNC_JWKS_ISSUER_RATE,
                                        NGX_HTTP_SYNC_JWKS_ISSUER_BURST)
            != NGX_OK)
        {
            ngx_http_sync_event(NGX_HTTP_SYNC_EVENT_KEYS_REFUSED);
            ngx_http_sync_flight_crash(&f, 0);

            slot->retry = 60 / NGX_HTTP_SYNC_JWKS_ISSUER_RATE;
            return NGX_BUSY;
        }

        if (ngx_http_sync_jwks_start(ctx, trust, &f) != NGX_OK) {
            return NGX_BUSY;
        }

        /* fall through */

    case NGX_HTTP_SYNC_FLIGHT_WAIT:
        rc = ngx_http_sync_jwks_wait(ctx, &f, slot);

        return rc == NGX_DECLINED ? NGX_BUSY : rc;

    case NGX_HTTP_SYNC_FLIGHT_FAILED:

        /* nor does a set tell of a kid that was wanted after it came */

        if (f.failing || kid.len) {
            slot->retry = (f.retry + 999) / 1000;
            return NGX_BUSY;
        }

        return NGX_DECLINED;

    default: /* NGX_HTTP_SYNC_FLIGHT_FULL */
        return NGX_BUSY;
    }
}


/* The source of trust; most are found by two comparisons. */

static ngx_http_sync_source_t *
ngx_http_sync_jwks_source(ngx_http_sync_trust_t *trust)
{
    ngx_http_sync_near_t    *near;
    ngx_http_sync_source_t  *src;

    near = &ngx_http_sync_jwks_near[(trust->generation
                                     + (trust->index
                                        & ~NGX_HTTP_SYNC_AUTH_PLATFORM))
                                    % NGX_HTTP_SYNC_JWKS_NEAR];

    if (near->source != NULL
        && near->generation == trust->generation
        && near->index == trust->index)
    {
        return near->source;
    }

    src = ngx_http_sync_jwks_find(trust);

    if (src != NULL) {
        near->generation = trust->generation;
        near->index = trust->index;
        near->source = src;
    }

    return src;
}


static ngx_http_sync_source_t *
ngx_http_sync_jwks_find(ngx_http_sync_trust_t *trust)
{
    u_char                   key[32];
    ngx_uint_t               i;
    ngx_queue_t             *chain, *q;
    ngx_http_sync_source_t  *src;

    if (ngx_http_sync_jwks_used.next == NULL) {
        ngx_queue_init(&ngx_http_sync_jwks_used);

        for (i = 0; i < NGX_HTTP_SYNC_JWKS_CHAINS; i++) {
            ngx_queue_init(&ngx_http_sync_jwks_chains[i]);
        }
    }

    ngx_http_sync_jwks_key(trust, key);

    chain = &ngx_http_sync_jwks_chains[key[0]];

    for (q = ngx_queue_head(chain);
         q != ngx_queue_sentinel(chain);
         q = ngx_queue_next(q))
    {
        src = ngx_queue_data(q, ngx_http_sync_source_t, chain);

        if (ngx_memcmp(src->key, key, sizeof(key)) == 0) {
            ngx_queue_remove(&src->queue);
            ngx_queue_insert_head(&ngx_http_sync_jwks_used, &src->queue);

            return src;
        }
    }

    if (ngx_http_sync_jwks_sources == NGX_HTTP_SYNC_JWKS_SOURCES) {
        q = ngx_queue_last(&ngx_http_sync_jwks_used);
        ngx_http_sync_jwks_free(ngx_queue_data(q, ngx_http_sync_source_t,
                                               queue));
    }

    src = ngx_calloc(sizeof(ngx_http_sync_source_t), ngx_cycle->log);
    if (src == NULL) {
        return NULL;
    }

    ngx_memcpy(src->key, key, sizeof(key));
    src->looked = ngx_current_msec - NGX_HTTP_SYNC_JWKS_LOOK;

    ngx_queue_insert_head(&ngx_http_sync_jwks_used, &src->queue);
    ngx_queue_insert_head(chain, &src->chain);
    ngx_http_sync_jwks_sources++;

    return src;
}


/*
 * Issuer and URL are all that a set depends on: tenants with the same issuer
 * share it.  What nginx.conf says may go where documents may not, and is
 * another one.
 */

static void
ngx_http_sync_jwks_key(ngx_http_sync_trust_t *trust, u_char key[32])
{
    uint64_t       head[2];
    sync_sha256_t  sha;

    head[0] = trust->issuer.len;
    head[1] = (trust->index & NGX_HTTP_SYNC_AUTH_PLATFORM) != 0;

    sync_sha256_init(&sha);
    sync_sha256_update(&sha, "jwks", sizeof("jwks"));
    sync_sha256_update(&sha, head, sizeof(head));
    sync_sha256_update(&sha, trust->issuer.data, trust->issuer.len);
    sync_sha256_update(&sha, trust->url.data, trust->url.len);
    sync_sha256_final(&sha, key);
}


/* VALUE: src->set serves.  LEAD: a fetch was started. */

static ngx_http_sync_flight_e
ngx_http_sync_jwks_look(ngx_http_sync_ctx_t *ctx, ngx_http_sync_trust_t *trust,
    ngx_http_sync_source_t *src, ngx_http_sync_flight_t *f)
{
    ngx_str_t                        text;
    ngx_http_sync_flight_e           rc;
    ngx_http_sync_auth_main_conf_t  *amcf;

    amcf = ngx_http_get_module_main_conf(ctx->request,
                                         ngx_http_sync_auth_module);

    if (amcf->fetch == NULL) {
        ngx_log_error(NGX_LOG_ERR, ctx->request->connection->log, 0,
                      "auth: the keys of issuer \"%*s\" cannot be fetched, "
                      "\"sync_egress\" lists nothing", trust->issuer.len,
                      trust->issuer.data);
        f->retry = 0;

        return NGX_HTTP_SYNC_FLIGHT_FAILED;
    }

    if (src->set != NULL
        && ngx_current_msec - src->looked < NGX_HTTP_SYNC_JWKS_LOOK)
    {
        return NGX_HTTP_SYNC_FLIGHT_VALUE;
    }

    ngx_memcpy(f->key, src->key, sizeof(f->key));

    rc = ngx_http_sync_flight_look(f, src->version, ctx->request->pool, &text);

    if (rc == NGX_HTTP_SYNC_FLIGHT_VALUE) {

        if (f->refresh) {
            (void) ngx_http_sync_jwks_start(ctx, trust, f);
        }

        if (f->version != src->version
            && ngx_http_sync_jwks_take(src, f, &text) != NGX_OK)
        {
            f->retry = 0;
            return NGX_HTTP_SYNC_FLIGHT_FAILED;
        }

        src->fetched = f->fetched;
        src->looked = ngx_current_msec;

        return rc;
    }

    if (rc == NGX_HTTP_SYNC_FLIGHT_LEAD
        && ngx_http_sync_jwks_start(ctx, trust, f) != NGX_OK)
    {
        return NGX_HTTP_SYNC_FLIGHT_FAILED;
    }

    /* what waits for another one is there again if it turns out the same */

    if (rc == NGX_HTTP_SYNC_FLIGHT_FAILED) {
        ngx_http_sync_jwks_empty(src);
    }

    if (rc == NGX_HTTP_SYNC_FLIGHT_FULL) {
        ngx_log_error(NGX_LOG_ERR, ctx->request->connection->log, 0,
                      "auth: no room for the keys of issuer \"%*s\", "
                      "\"sync_zone keys:\" is too small",
                      trust->issuer.len, trust->issuer.data);
    }

    return rc;
}


static ngx_int_t
ngx_http_sync_jwks_take(ngx_http_sync_source_t *src, ngx_http_sync_flight_t *f,
    ngx_str_t *text)
{
    sync_rc_t      rc;
    sync_jwks_t   *set;
    sync_error_t   err;
    sync_arena_t  *arena;

    arena = sync_arena_create(0);

    if (arena == NULL) {
        return NGX_ERROR;
    }

    rc = sync_jwks_parse(&set, arena, (sync_str_t) { text->len, text->data },
                         0, &err);

    sync_arena_destroy(arena);

    if (rc != SYNC_OK) {
        return NGX_ERROR;
    }

    ngx_http_sync_jwks_empty(src);

    src->set = set;
    src->version = f->version;

    return NGX_OK;
}


static ngx_int_t
ngx_http_sync_jwks_start(ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_trust_t *trust, ngx_http_sync_flight_t *f)
{
    ngx_http_sync_jwks_place_t       place;
    ngx_http_sync_auth_main_conf_t  *amcf;

    amcf = ngx_http_get_module_main_conf(ctx->request,
                                         ngx_http_sync_auth_module);

    place.conf = amcf->fetch;
    place.issuer.len = trust->issuer.len;
    place.issuer.data = trust->issuer.data;
    place.url.len = trust->url.len;
    place.url.data = trust->url.data;
    place.trusted = (trust->index & NGX_HTTP_SYNC_AUTH_PLATFORM) != 0;
    place.known = f->version != 0;
    place.vital = !f->refresh;

    return ngx_http_sync_jwks_fetch(f, &place);
}


static ngx_int_t
ngx_http_sync_jwks_wait(ngx_http_sync_ctx_t *ctx, ngx_http_sync_flight_t *f,
    ngx_http_sync_auth_slot_t *slot)
{
    slot->retry = NGX_HTTP_SYNC_JWKS_RETRY;

    if (slot->waits++ == NGX_HTTP_SYNC_JWKS_WAITS) {

        /* leaders come and go */

        return NGX_DECLINED;
    }

    return ngx_http_sync_auth_wait(ctx, f, &slot->keys);
}


/*
 * Was the set fetched since the kid was first wanted, and not long ago?  Then
 * it is none of this issuer's, until it is asked again.
 */

static ngx_uint_t
ngx_http_sync_jwks_in_vain(ngx_http_sync_source_t *src, sync_str_t kid,
    int64_t now)
{
    ngx_http_sync_jwks_kid_t  *k;

    k = ngx_http_sync_jwks_kid(src, kid, now);

    if (src->fetched >= k->since && now >= src->fetched
        && now - src->fetched < NGX_HTTP_SYNC_JWKS_UNKNOWN)
    {
        return 1;
    }

    /* clocks go back, too */

    if (src->fetched >= k->since || k->since > now) {
        k->since = now;
    }

    return 0;
}


/* What is remembered of it; now: since when, if that is nothing yet. */

static ngx_http_sync_jwks_kid_t *
ngx_http_sync_jwks_kid(ngx_http_sync_source_t *src, sync_str_t kid,
    int64_t now)
{
    u_char                     digest[SYNC_SHA256_LEN];
    uint64_t                   hash;
    ngx_uint_t                 i;
    ngx_http_sync_jwks_kid_t  *k;

    sync_sha256(kid.data, kid.len, digest);
    ngx_memcpy(&hash, digest, sizeof(hash));

    for (i = 0; i < NGX_HTTP_SYNC_JWKS_KIDS; i++) {
        k = &src->kids[i];

        if (k->since && k->hash == hash) {
            return k;
        }
    }

    k = &src->kids[src->nkids++ % NGX_HTTP_SYNC_JWKS_KIDS];
    k->hash = hash;
    k->since = now;

    return k;
}


static void
ngx_http_sync_jwks_empty(ngx_http_sync_source_t *src)
{
    if (src->set != NULL) {
        sync_jwks_free(src->set);
    }

    src->set = NULL;
    src->version = 0;
}


static void
ngx_http_sync_jwks_free(ngx_http_sync_source_t *src)
{
    ngx_http_sync_jwks_empty(src);

    ngx_queue_remove(&src->queue);
    ngx_queue_remove(&src->chain);
    ngx_http_sync_jwks_sources--;

    ngx_free(src);

    ngx_memzero(ngx_http_sync_jwks_near, sizeof(ngx_http_sync_jwks_near));
}


u_char *
ngx_http_sync_jwks_show(ngx_http_request_t *r, u_char *p, u_char *last)
{
    int64_t                          now;
    ngx_str_t                        name;
    ngx_uint_t                       i;
    ngx_time_t                      *tp;
    ngx_http_sync_trust_t            trust;
    ngx_http_sync_flight_t           f;
    ngx_http_sync_issuer_t          *issuer;
    ngx_http_sync_auth_main_conf_t  *amcf;

    amcf = ngx_http_get_module_main_conf(r, ngx_http_sync_auth_module);
    issuer = amcf->issuers.elts;

    tp = ngx_timeofday();
    now = (int64_t) tp->sec * 1000 + tp->msec;

    p = ngx_slprintf(p, last,
                     "# HELP sync_issuer_keys_age_seconds Since the keys of a "
                     "sync_issuer were fetched.\n"
                     "# TYPE sync_issuer_keys_age_seconds gauge\n");

    for (i = 0; i < amcf->issuers.nelts; i++) {

        if (issuer[i].keys != NULL || issuer[i].keyless
            || ngx_http_sync_auth_trust_at(r, NULL,
                                           i | NGX_HTTP_SYNC_AUTH_PLATFORM,
                                           &trust)
               != NGX_OK)
        {
            continue;
        }

        ngx_http_sync_jwks_key(&trust, f.key);
        f.lead = 0;

        /* whoever has none is told of any */

        if (ngx_http_sync_flight_force(&f, 0, 0)
            != NGX_HTTP_SYNC_FLIGHT_VALUE)
        {
            continue;
        }

        name.len = issuer[i].issuer.len;
        name.data = issuer[i].issuer.data;

        p = ngx_slprintf(p, last,
                         "sync_issuer_keys_age_seconds{issuer=\"");
        p = ngx_http_sync_label(p, last, &name);
        p = ngx_slprintf(p, last, "\"} %L\n", (now - f.fetched) / 1000);
    }

    return p;
}


void
ngx_http_sync_jwks_exit(void)
{
    ngx_queue_t  *q;

    ngx_http_sync_jwks_fetch_exit();

    while (ngx_http_sync_jwks_sources) {
        q = ngx_queue_head(&ngx_http_sync_jwks_used);
        ngx_http_sync_jwks_free(ngx_queue_data(q, ngx_http_sync_source_t,
                                               queue));
    }
}
