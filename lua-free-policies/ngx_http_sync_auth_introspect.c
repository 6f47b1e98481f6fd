
/*
 * What is a token worth that only its issuer can read?  RFC 7662: it is asked,
 * once for all workers of the node, and its answer serves for a while; what it
 * does not know is remembered for a moment.  An issuer that cannot be asked
 * says nothing about a token: 503, never 401.
 */


#include "ngx_http_sync_auth_introspect.h"
#include "sync_crypto.h"
#include "sync_url.h"


#define NGX_HTTP_SYNC_INTROSPECT_TIMEOUT  5000   /* ms, of one asking */
#define NGX_HTTP_SYNC_INTROSPECT_MAX      (64 * 1024)    /* bytes of an answer */
#define NGX_HTTP_SYNC_INTROSPECT_UNKNOWN  5000   /* ms: it said no */
#define NGX_HTTP_SYNC_INTROSPECT_GONE     1000   /* ms: it did not answer */
#define NGX_HTTP_SYNC_INTROSPECT_MOMENT   100    /* ms: for who waits now */

/* askings, per minute and at once: of an issuer, of a host of documents */

#define NGX_HTTP_SYNC_INTROSPECT_RATE     6000
#define NGX_HTTP_SYNC_INTROSPECT_BURST    200
#define NGX_HTTP_SYNC_INTROSPECT_HOST     12000

#define NGX_HTTP_SYNC_INTROSPECT_WHAT     24


/* One issuer of those that are asked, in the pool of the asking. */

typedef struct {
    uint32_t                       index;
    ngx_str_t                      url;
    ngx_str_t                      authorization;    /* data NULL: we have none */
    sync_jwt_names_t               names;
    int64_t                        cache;    /* seconds */
    unsigned                       trusted:1;
} ngx_http_sync_introspect_ask_t;


/* An asking outlives the request that has begun it. */

typedef struct {
    ngx_pool_t                    *pool;
    sync_arena_t                   arena;
    ngx_http_sync_flight_t         flight;
    ngx_sync_fetch_conf_t         *conf;
    ngx_str_t                      tenant;   /* name, for logs */
    ngx_str_t                      body;
    u_char                         seal[SYNC_AEAD_KEY_LEN];
    ngx_http_sync_introspect_ask_t asks[NGX_HTTP_SYNC_INTROSPECT_ASKED];
    ngx_uint_t                     nasks;
    ngx_uint_t                     at;
    const char                    *what;     /* the last verdict */
    unsigned                       gone:1;   /* one could not be asked */
} ngx_http_sync_introspect_job_t;


/*
 * What a flight carries, sealed under a digest of the token: this, then the
 * answer where the token is active.
 */

typedef struct {
    int64_t                        until;    /* Unix seconds */
    uint32_t                       issuer;
    u_char                         what[NGX_HTTP_SYNC_INTROSPECT_WHAT];
                                             /* empty: active */
} ngx_http_sync_introspect_head_t;


static ngx_int_t ngx_http_sync_introspect_look(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, ngx_http_sync_token_key_t *key,
    uint32_t *index, ngx_uint_t n, ngx_str_t *value, u_char *seal);
static ngx_int_t ngx_http_sync_introspect_judge(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, ngx_str_t *value, u_char *seal,
    ngx_http_sync_trust_t *trust, ngx_http_sync_proven_t *proven);
static void ngx_http_sync_introspect_key(ngx_http_sync_token_key_t *key,
    uint32_t *index, ngx_uint_t n, const char *use,
    u_char digest[SYNC_SHA256_LEN]);
static ngx_int_t ngx_http_sync_introspect_gone(ngx_http_sync_ctx_t *ctx,
    ngx_msec_t retry);

static ngx_int_t ngx_http_sync_introspect_start(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, ngx_http_sync_flight_t *flight,
    ngx_str_t *token, uint32_t *index, ngx_uint_t n, u_char *seal);
static ngx_int_t ngx_http_sync_introspect_prepare(ngx_http_request_t *r,
    ngx_http_sync_introspect_job_t *job, uint32_t index,
    ngx_http_sync_tenant_t *t);
static ngx_int_t ngx_http_sync_introspect_authorization(
    ngx_http_sync_introspect_job_t *job, ngx_http_sync_introspect_way_t *way,
    ngx_str_t *authorization);
static u_char *ngx_http_sync_introspect_form(u_char *p, ngx_str_t *s);
static ngx_int_t ngx_http_sync_introspect_copy(
    ngx_http_sync_introspect_job_t *job, ngx_str_t *dst, ngx_str_t *src);
static void *ngx_http_sync_introspect_alloc(sync_arena_t *arena, size_t size);
static void ngx_http_sync_introspect_next(
    ngx_http_sync_introspect_job_t *job);
static ngx_int_t ngx_http_sync_introspect_ask(
    ngx_http_sync_introspect_job_t *job, ngx_http_sync_introspect_ask_t *ask);
static ngx_int_t ngx_http_sync_introspect_allowed(
    ngx_http_sync_introspect_ask_t *ask);
static void ngx_http_sync_introspect_handler(ngx_sync_fetch_t *f);
static ngx_int_t ngx_http_sync_introspect_read(
    ngx_http_sync_introspect_job_t *job, ngx_http_sync_introspect_ask_t *ask,
    ngx_sync_fetch_t *f);
static void ngx_http_sync_introspect_land(ngx_http_sync_introspect_job_t *job,
    ngx_http_sync_introspect_head_t *head, ngx_str_t *answer, ngx_msec_t ttl);
static void ngx_http_sync_introspect_free(
    ngx_http_sync_introspect_job_t *job);


ngx_int_t
ngx_http_sync_auth_introspect(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_token_key_t *key, uint32_t only,
    ngx_http_sync_trust_t *trust, ngx_http_sync_proven_t *proven)
{
    u_char                           seal[SYNC_SHA256_LEN];
    uint32_t                         index[NGX_HTTP_SYNC_INTROSPECT_ASKED];
    ngx_int_t                        rc;
    ngx_str_t                        value;
    ngx_uint_t                       n;
    ngx_http_sync_auth_main_conf_t  *amcf;

    if (only != SYNC_DOC_NONE) {
        index[0] = only;
        n = 1;

    } else {
        n = ngx_http_sync_introspect_issuers(r, ctx->tenant.entry, index);

        if (n == 0) {
            return NGX_DECLINED;
        }
    }

    amcf = ngx_http_get_module_main_conf(r, ngx_http_sync_auth_module);

    if (amcf->fetch == NULL) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "auth: no issuer may be asked about tokens of tenant "
                      "\"%V\": there is no sync_egress", &ctx->tenant.name);
        return ngx_http_sync_introspect_gone(ctx, 1000);
    }

    rc = ngx_http_sync_introspect_look(r, ctx, key, index, n, &value, seal);

    if (rc == NGX_OK) {
        rc = ngx_http_sync_introspect_judge(r, ctx, &value, seal, trust,
                                            proven);
    }

    sync_wipe(seal, sizeof(seal));

    return rc;
}


/* NGX_OK: *value is what the issuers said; NGX_AGAIN; a status. */

static ngx_int_t
ngx_http_sync_introspect_look(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_token_key_t *key, uint32_t *index, ngx_uint_t n,
    ngx_str_t *value, u_char *seal)
{
    ngx_int_t                   rc;
    ngx_http_sync_flight_t      flight;
    ngx_http_sync_auth_slot_t  *slot;

    slot = ngx_http_sync_auth_slot(ctx);
    if (slot == NULL) {
        return NGX_ERROR;
    }

    if (slot->answer != NULL) {
        return NGX_AGAIN;
    }

    ngx_memzero(&flight, sizeof(flight));

    ngx_http_sync_introspect_key(key, index, n, "sync introspect name",
                                 flight.key);
    ngx_http_sync_introspect_key(key, index, n, "sync introspect seal", seal);

    flight.lead = n * NGX_HTTP_SYNC_INTROSPECT_TIMEOUT + 1000;

    switch (ngx_http_sync_flight_look(&flight, 0, r->pool, value)) {

    case NGX_HTTP_SYNC_FLIGHT_VALUE:

        if (flight.refresh) {

            /* it serves no longer than the issuer has said; asked then */

            ngx_http_sync_flight_crash(&flight, 0);
        }

        return NGX_OK;

    case NGX_HTTP_SYNC_FLIGHT_LEAD:

        if (ngx_http_sync_introspect_start(r, ctx, &flight, &key->token,
                                           index, n, seal)
            != NGX_OK)
        {
            ngx_http_sync_flight_crash(&flight, NGX_HTTP_SYNC_INTROSPECT_GONE);
            return ngx_http_sync_introspect_gone(ctx,
                                              NGX_HTTP_SYNC_INTROSPECT_GONE);
        }

        break;

    case NGX_HTTP_SYNC_FLIGHT_WAIT:
        break;

    case NGX_HTTP_SYNC_FLIGHT_FAILED:
        return ngx_http_sync_introspect_gone(ctx, flight.retry);

    default: /* NGX_HTTP_SYNC_FLIGHT_FULL */

        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "auth: no room to ask about a token, in the zone "
                      "\"keys\"; sync_zone keys:SIZE makes it larger");
        return ngx_http_sync_introspect_gone(ctx, 1000);
    }

    rc = ngx_http_sync_auth_wait(ctx, &flight, &slot->answer);

    return rc == NGX_DECLINED
           ? ngx_http_sync_introspect_gone(ctx, NGX_HTTP_SYNC_INTROSPECT_GONE)
           : rc;
}


static ngx_int_t
ngx_http_sync_introspect_judge(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    ngx_str_t *value, u_char *seal, ngx_http_sync_trust_t *trust,
    ngx_http_sync_proven_t *proven)
{
    u_char                           *p;
    sync_rc_t                         rc;
    sync_str_t                        sealed, answer;
    sync_error_t                      err;
    ngx_http_sync_introspect_head_t   head;

    if (value->len < SYNC_AEAD_NONCE_LEN + SYNC_AEAD_TAG_LEN + sizeof(head)) {
        return NGX_ERROR;
    }

    sealed.data = value->data + SYNC_AEAD_NONCE_LEN;
    sealed.len = value->len - SYNC_AEAD_NONCE_LEN;

    p = ngx_pnalloc(r->pool, sealed.len);
    if (p == NULL
        || sync_aead_open(seal, value->data, NULL, 0, sealed, p) != SYNC_OK)
    {
        return NGX_ERROR;
    }

    ngx_memcpy(&head, p, sizeof(head));

    if (head.what[0] != '\0') {
        p = ngx_pnalloc(r->pool, sizeof(head.what));
        if (p == NULL) {
            return NGX_ERROR;
        }

        ngx_cpystrn(p, head.what, sizeof(head.what));

        return ngx_http_sync_auth_reject(r, ctx, (char *) p);
    }

    answer.data = p + sizeof(head);
    answer.len = sealed.len - SYNC_AEAD_TAG_LEN - sizeof(head);

    if (ngx_http_sync_auth_trust_at(r, ctx->tenant.entry, head.issuer, trust)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    rc = sync_jwt_active(&proven->jwt, &ctx->arena, answer, &trust->names,
                         ngx_time(), &err);

    if (rc != SYNC_OK) {
        return NGX_ERROR;
    }

    /* who was asked is who vouches, and for as long as the answer serves */

    if (proven->jwt.issuer.len == 0) {
        proven->jwt.issuer = trust->issuer;
    }

    if (proven->jwt.expires == SYNC_JWT_NO_TIME) {
        proven->jwt.expires = head.until;
    }

    proven->until = head.until;

    return NGX_OK;
}


/* Whatever can change the answer, and nobody else's token. */

static void
ngx_http_sync_introspect_key(ngx_http_sync_token_key_t *key, uint32_t *index,
    ngx_uint_t n, const char *use, u_char digest[SYNC_SHA256_LEN])
{
    sync_sha256_t  sha;

    sync_sha256_init(&sha);
    sync_sha256_update(&sha, use, ngx_strlen(use) + 1);
    sync_sha256_update(&sha, &key->tenant.len, sizeof(key->tenant.len));
    sync_sha256_update(&sha, key->tenant.data, key->tenant.len);
    sync_sha256_update(&sha, &key->generation, sizeof(key->generation));
    sync_sha256_update(&sha, &key->platform, sizeof(key->platform));
    sync_sha256_update(&sha, index, n * sizeof(uint32_t));
    sync_sha256_update(&sha, "", 1);
    sync_sha256_update(&sha, key->token.data, key->token.len);
    sync_sha256_final(&sha, digest);
}


/* Nobody can say whether the token is good: that is no 401. */

static ngx_int_t
ngx_http_sync_introspect_gone(ngx_http_sync_ctx_t *ctx, ngx_msec_t retry)
{
    ngx_int_t  rc;

    rc = ngx_http_sync_problem(ctx, NGX_HTTP_SERVICE_UNAVAILABLE,
                               "issuer-unavailable",
                               "The issuer cannot be asked",
                               NGX_HTTP_SYNC_TECHNICAL,
                               "the token cannot be verified now");

    ctx->problem.retry_after = ngx_max(1, (retry + 999) / 1000);

    return rc;
}


static ngx_int_t
ngx_http_sync_introspect_start(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_flight_t *flight, ngx_str_t *token, uint32_t *index,
    ngx_uint_t n, u_char *seal)
{
    u_char                          *p;
    ngx_uint_t                       i;
    ngx_pool_t                      *pool;
    ngx_http_sync_introspect_job_t  *job;
    ngx_http_sync_auth_main_conf_t  *amcf;

    static const char  hint[] = "&token_type_hint=access_token";

    pool = ngx_create_pool(2048, ngx_cycle->log);
    if (pool == NULL) {
        return NGX_ERROR;
    }

    job = ngx_pcalloc(pool, sizeof(ngx_http_sync_introspect_job_t));
    if (job == NULL) {
        ngx_destroy_pool(pool);
        return NGX_ERROR;
    }

    amcf = ngx_http_get_module_main_conf(r, ngx_http_sync_auth_module);

    job->pool = pool;
    job->arena.alloc = ngx_http_sync_introspect_alloc;
    job->arena.data = pool;
    job->flight = *flight;
    job->conf = amcf->fetch;
    job->what = "inactive";

    ngx_memcpy(job->seal, seal, sizeof(job->seal));

    job->body.data = ngx_pnalloc(pool, sizeof("token=") + 3 * token->len
                                       + sizeof(hint));
    if (job->body.data == NULL) {
        goto failed;
    }

    p = ngx_cpymem(job->body.data, "token=", sizeof("token=") - 1);
    p = ngx_http_sync_introspect_form(p, token);
    p = ngx_cpymem(p, hint, sizeof(hint) - 1);
    job->body.len = p - job->body.data;

    if (ngx_http_sync_introspect_copy(job, &job->tenant, &ctx->tenant.name)
        != NGX_OK)
    {
        goto failed;
    }

    for (i = 0; i < n; i++) {
        if (ngx_http_sync_introspect_prepare(r, job, index[i],
                                             ctx->tenant.entry)
            != NGX_OK)
        {
            goto failed;
        }
    }

    ngx_http_sync_introspect_next(job);

    return NGX_OK;

failed:

    ngx_http_sync_introspect_free(job);

    return NGX_ERROR;
}


/* What is needed of an issuer, which may be gone when its turn comes. */

static ngx_int_t
ngx_http_sync_introspect_prepare(ngx_http_request_t *r,
    ngx_http_sync_introspect_job_t *job, uint32_t index,
    ngx_http_sync_tenant_t *t)
{
    ngx_uint_t                       i;
    sync_str_t                      *names[4];
    ngx_http_sync_trust_t            trust;
    ngx_http_sync_introspect_ask_t  *ask;
    ngx_http_sync_introspect_way_t   way;

    if (ngx_http_sync_auth_trust_at(r, t, index, &trust) != NGX_OK
        || ngx_http_sync_introspect_way(r, t, index, &way) != NGX_OK)
    {
        return NGX_OK;
    }

    ask = &job->asks[job->nasks++];

    ask->index = index;
    ask->cache = way.cache;
    ask->trusted = way.trusted;
    ask->names = trust.names;

    names[0] = &ask->names.client;
    names[1] = &ask->names.tenant;
    names[2] = &ask->names.scope;
    names[3] = &ask->names.plan;

    for (i = 0; i < 4; i++) {
        *names[i] = sync_strdup(&job->arena, *names[i]);

        if (names[i]->data == NULL) {
            return NGX_ERROR;
        }
    }

    if (ngx_http_sync_introspect_copy(job, &ask->url, &way.url) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_sync_introspect_authorization(job, &way,
                                                  &ask->authorization);
}


/* RFC 6749, 2.3.1: both are form-encoded before they become Basic. */

static ngx_int_t
ngx_http_sync_introspect_authorization(ngx_http_sync_introspect_job_t *job,
    ngx_http_sync_introspect_way_t *way, ngx_str_t *authorization)
{
    u_char  *p, *last;
    size_t   room;

    if (way->id.data == NULL || way->secret.data == NULL) {
        return NGX_OK;
    }

    room = 3 * (way->id.len + way->secret.len) + 1;

    p = ngx_pnalloc(job->pool, room);
    authorization->data = ngx_pnalloc(job->pool, sizeof("Basic ")
                                                 + sync_base64_room(room));
    if (p == NULL || authorization->data == NULL) {
        return NGX_ERROR;
    }

    last = ngx_http_sync_introspect_form(p, &way->id);
    *last++ = ':';
    last = ngx_http_sync_introspect_form(last, &way->secret);

    ngx_memcpy(authorization->data, "Basic ", 6);

    authorization->len = 6 + sync_base64_encode(authorization->data + 6, p,
                                                last - p);

    sync_wipe(p, room);

    return NGX_OK;
}


/* application/x-www-form-urlencoded; at most three bytes for one */

static u_char *
ngx_http_sync_introspect_form(u_char *p, ngx_str_t *s)
{
    u_char  c;
    size_t  i;

    static const u_char  hex[] = "0123456789ABCDEF";

    for (i = 0; i < s->len; i++) {
        c = s->data[i];

        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
            || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_')
        {
            *p++ = c;

        } else {
            *p++ = '%';
            *p++ = hex[c >> 4];
            *p++ = hex[c & 0x0f];
        }
    }

    return p;
}


static ngx_int_t
ngx_http_sync_introspect_copy(ngx_http_sync_introspect_job_t *job,
    ngx_str_t *dst, ngx_str_t *src)
{
    dst->len = src->len;
    dst->data = ngx_pnalloc(job->pool, src->len + 1);

    if (dst->data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(dst->data, src->data, src->len);

    return NGX_OK;
}


static void *
ngx_http_sync_introspect_alloc(sync_arena_t *arena, size_t size)
{
    return ngx_palloc(arena->data, size);
}


/*
 * Asks the next issuer that can be asked.  When all have been: it is not
 * active, unless one has not answered; then nobody knows.
 */

static void
ngx_http_sync_introspect_next(ngx_http_sync_introspect_job_t *job)
{
    ngx_http_sync_introspect_head_t  head;

    while (job->at < job->nasks) {

        if (ngx_http_sync_introspect_ask(job, &job->asks[job->at]) == NGX_OK) {
            return;
        }

        job->gone = 1;
        job->at++;
    }

    if (job->gone || job->nasks == 0) {
        ngx_http_sync_flight_crash(&job->flight,
                                   NGX_HTTP_SYNC_INTROSPECT_GONE);

    } else {
        ngx_memzero(&head, sizeof(head));
        ngx_cpystrn(head.what, (u_char *) job->what, sizeof(head.what));

        ngx_http_sync_introspect_land(job, &head, NULL,
                                      NGX_HTTP_SYNC_INTROSPECT_UNKNOWN);
    }

    ngx_http_sync_introspect_free(job);
}


static ngx_int_t
ngx_http_sync_introspect_ask(ngx_http_sync_introspect_job_t *job,
    ngx_http_sync_introspect_ask_t *ask)
{
    ngx_sync_fetch_t  *f;

    static ngx_str_t  type =
        ngx_string("application/x-www-form-urlencoded");
    static ngx_str_t  accept = ngx_string("application/json");

    if (ask->authorization.data == NULL) {
        return NGX_DECLINED;
    }

    if (ngx_http_sync_introspect_allowed(ask) != NGX_OK) {
        ngx_http_sync_event(NGX_HTTP_SYNC_EVENT_ASKED_REFUSED);
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "auth: \"%V\" is asked about too many tokens, tenant "
                      "\"%V\"", &ask->url, &job->tenant);
        return NGX_DECLINED;
    }

    f = ngx_sync_fetch_create(job->conf, ngx_cycle->log);
    if (f == NULL) {
        return NGX_DECLINED;
    }

    ngx_str_set(&f->method, "POST");

    f->url = ask->url;
    f->body = job->body;
    f->max = NGX_HTTP_SYNC_INTROSPECT_MAX;
    f->timeout = NGX_HTTP_SYNC_INTROSPECT_TIMEOUT;
    f->trusted = ask->trusted;
    f->vital = 1;
    f->repeat = 1;
    f->handler = ngx_http_sync_introspect_handler;
    f->data = job;

    if (ngx_sync_fetch_header(f, "Authorization", &ask->authorization)
        != NGX_OK
        || ngx_sync_fetch_header(f, "Content-Type", &type) != NGX_OK
        || ngx_sync_fetch_header(f, "Accept", &accept) != NGX_OK)
    {
        ngx_sync_fetch_free(f);
        return NGX_DECLINED;
    }

    ngx_sync_fetch_start(f);

    return NGX_OK;
}


/*
 * A flood of tokens that nobody knows must not become one at the issuer; nor
 * may many tenants aim at one host.
 */

static ngx_int_t
ngx_http_sync_introspect_allowed(ngx_http_sync_introspect_ask_t *ask)
{
    u_char         key[SYNC_SHA256_LEN];
    sync_url_t     url;
    sync_error_t   err;
    sync_sha256_t  sha;

    if (sync_url_parse(&url, (sync_str_t) { ask->url.len, ask->url.data },
                       &err)
        != SYNC_OK)
    {
        return NGX_DECLINED;
    }

    sync_sha256_init(&sha);
    sync_sha256_update(&sha, "sync introspect url", 20);
    sync_sha256_update(&sha, ask->url.data, ask->url.len);
    sync_sha256_final(&sha, key);

    if (ngx_http_sync_flight_budget(key, NGX_HTTP_SYNC_INTROSPECT_RATE,
                                    NGX_HTTP_SYNC_INTROSPECT_BURST)
        != NGX_OK)
    {
        return NGX_DECLINED;
    }

    if (ask->trusted) {
        return NGX_OK;
    }

    sync_sha256_init(&sha);
    sync_sha256_update(&sha, "sync introspect host", 21);
    sync_sha256_update(&sha, url.host.data, url.host.len);
    sync_sha256_final(&sha, key);

    return ngx_http_sync_flight_budget(key, NGX_HTTP_SYNC_INTROSPECT_HOST,
                                       2 * NGX_HTTP_SYNC_INTROSPECT_BURST);
}


static void
ngx_http_sync_introspect_handler(ngx_sync_fetch_t *f)
{
    ngx_int_t                        rc;
    ngx_http_sync_introspect_ask_t  *ask;
    ngx_http_sync_introspect_job_t  *job;

    job = f->data;
    ask = &job->asks[job->at];

    rc = ngx_http_sync_introspect_read(job, ask, f);

    ngx_sync_fetch_free(f);

    if (rc == NGX_OK) {
        ngx_http_sync_event(NGX_HTTP_SYNC_EVENT_ASKED_ACTIVE);
        ngx_http_sync_introspect_free(job);
        return;
    }

    if (rc == NGX_ERROR) {
        ngx_http_sync_event(NGX_HTTP_SYNC_EVENT_ASKED_FAILED);
        job->gone = 1;

    } else {
        ngx_http_sync_event(NGX_HTTP_SYNC_EVENT_ASKED_INACTIVE);
    }

    job->at++;

    ngx_http_sync_introspect_next(job);
}


/*
 * NGX_OK: it is active, which has landed; NGX_DECLINED: it is not; NGX_ERROR:
 * the issuer did not say.
 */

static ngx_int_t
ngx_http_sync_introspect_read(ngx_http_sync_introspect_job_t *job,
    ngx_http_sync_introspect_ask_t *ask, ngx_sync_fetch_t *f)
{
    int64_t                          now;
    sync_rc_t                        rc;
    sync_jwt_t                       jwt;
    sync_error_t                     err;
    ngx_http_sync_introspect_head_t  head;

    if (f->result != NGX_SYNC_FETCH_OK) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "auth: \"%V\" cannot be asked about a token, %s: %s, "
                      "tenant \"%V\"", &ask->url,
                      ngx_sync_fetch_result(f->result), f->error,
                      &job->tenant);
        return NGX_ERROR;
    }

    if (f->status == NGX_HTTP_UNAUTHORIZED || f->status == NGX_HTTP_FORBIDDEN) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "auth: \"%V\" does not take our client_id and "
                      "client_secret, status %ui, tenant \"%V\"", &ask->url,
                      f->status, &job->tenant);
        return NGX_ERROR;
    }

    if (f->status != NGX_HTTP_OK) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "auth: \"%V\" does not answer about a token, status "
                      "%ui, tenant \"%V\"", &ask->url, f->status,
                      &job->tenant);
        return NGX_ERROR;
    }

    now = ngx_time();
    ngx_memzero(&head, sizeof(head));

    rc = sync_jwt_active(&jwt, &job->arena,
                         (sync_str_t) { f->answer.len, f->answer.data },
                         &ask->names, now, &err);

    if (rc == SYNC_NO
        && (ngx_strcmp(err.what, "inactive") == 0
            || ngx_strcmp(err.what, "typ") == 0))
    {
        job->what = err.what;
        return NGX_DECLINED;
    }

    if (rc != SYNC_OK) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "auth: what \"%V\" answers about a token is not that of "
                      "RFC 7662, %s, tenant \"%V\"", &ask->url,
                      rc == SYNC_NO ? err.what : "no memory", &job->tenant);
        return NGX_ERROR;
    }

    head.issuer = ask->index;
    head.until = now + ask->cache;

    if (jwt.expires != SYNC_JWT_NO_TIME && jwt.expires < head.until) {
        head.until = jwt.expires;
    }

    if (jwt.expires != SYNC_JWT_NO_TIME && jwt.expires <= now) {

        /* active, and over: for who waits now, and for nobody later */

        ngx_cpystrn(head.what, (u_char *) "expired", sizeof(head.what));
    }

    ngx_http_sync_introspect_land(job, &head, &f->answer,
                                  head.until > now
                                  ? (ngx_msec_t) (head.until - now) * 1000
                                  : NGX_HTTP_SYNC_INTROSPECT_MOMENT);

    return NGX_OK;
}


static void
ngx_http_sync_introspect_land(ngx_http_sync_introspect_job_t *job,
    ngx_http_sync_introspect_head_t *head, ngx_str_t *answer, ngx_msec_t ttl)
{
    u_char     *text;
    size_t      len;
    ngx_str_t   value;

    len = sizeof(*head) + (answer != NULL ? answer->len : 0);

    value.len = SYNC_AEAD_NONCE_LEN + len + SYNC_AEAD_TAG_LEN;
    value.data = ngx_pnalloc(job->pool, value.len);

    if (value.data == NULL
        || sync_random(value.data, SYNC_AEAD_NONCE_LEN) != SYNC_OK)
    {
        goto failed;
    }

    text = value.data + SYNC_AEAD_NONCE_LEN;

    ngx_memcpy(text, head, sizeof(*head));

    if (answer != NULL) {
        ngx_memcpy(text + sizeof(*head), answer->data, answer->len);
    }

    if (sync_aead_seal(job->seal, value.data, NULL, 0, text, len) != SYNC_OK) {
        goto failed;
    }

    if (ngx_http_sync_flight_land(&job->flight, &value, ttl, ttl)
        == NGX_ERROR)
    {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "auth: no room for what an issuer said of a token, in "
                      "the zone \"keys\"; sync_zone keys:SIZE makes it "
                      "larger");
    }

    return;

failed:

    ngx_http_sync_flight_crash(&job->flight, NGX_HTTP_SYNC_INTROSPECT_GONE);
}


static void
ngx_http_sync_introspect_free(ngx_http_sync_introspect_job_t *job)
{
    ngx_uint_t                       i;
    ngx_http_sync_introspect_ask_t  *ask;

    for (i = 0; i < job->nasks; i++) {
        ask = &job->asks[i];

        if (ask->authorization.data != NULL) {
            sync_wipe(ask->authorization.data, ask->authorization.len);
        }
    }

    if (job->body.data != NULL) {
        sync_wipe(job->body.data, job->body.len);
    }

    sync_wipe(job->seal, sizeof(job->seal));

    ngx_destroy_pool(job->pool);
}
