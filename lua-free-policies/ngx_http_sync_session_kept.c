
/*
 * Sessions of this worker: a table by key, what each keeps, and the pause after
 * a login that failed.
 */


#include "ngx_http_sync_session.h"


#define NGX_HTTP_SYNC_SESSION_BUCKETS   1024
#define NGX_HTTP_SYNC_SESSION_MOST      4096     /* of a worker */
#define NGX_HTTP_SYNC_SESSION_CREDENTIALS   8    /* secrets of them */

/* How long nobody logs in after a failure: the first time, and at most; ms. */

#define NGX_HTTP_SYNC_SESSION_REFUSED   5000     /* then five times as long */
#define NGX_HTTP_SYNC_SESSION_REFUSED_MOST  (15 * 60 * 1000)
#define NGX_HTTP_SYNC_SESSION_BROKEN    1000     /* then twice as long */
#define NGX_HTTP_SYNC_SESSION_BROKEN_MOST   30000


static void ngx_http_sync_session_evict(void);
static void *ngx_http_sync_session_alloc(sync_arena_t *arena, size_t size);
static void ngx_http_sync_session_wipe(void *data);


/* Heads are zeroed until they are used. */

static ngx_queue_t  ngx_http_sync_sessions[NGX_HTTP_SYNC_SESSION_BUCKETS];
static ngx_queue_t  ngx_http_sync_sessions_lru;
static ngx_uint_t   ngx_http_sync_sessions_n;


ngx_int_t
ngx_http_sync_session_key(ngx_http_sync_ctx_t *ctx, u_char *key)
{
    size_t                  len;
    uint32_t                i;
    uint64_t                generation;
    ngx_str_t              *secret, name;
    ngx_log_t              *log;
    sync_str_t              names[NGX_HTTP_SYNC_SESSION_CREDENTIALS], s;
    sync_sha256_t           sha;
    sync_doc_session_t      session;
    sync_doc_credential_t   c;

    log = ctx->request->connection->log;

    if (sync_doc_session(ctx->tenant.doc, ctx->route.connector, &session)
        != SYNC_OK)
    {
        return NGX_ERROR;
    }

    ngx_memzero(&c, sizeof(sync_doc_credential_t));
    (void) sync_doc_credential(ctx->tenant.doc, ctx->route.connector, &c);

    generation = ngx_http_sync_tenant_generation(ctx->tenant.entry);

    names[0] = c.id;
    names[1] = c.secret;
    names[2] = c.token;
    names[3] = c.token_secret;
    names[4] = c.key;
    names[5] = c.key_certificate;
    names[6] = c.certificate;
    names[7] = c.certificate_key;

    sync_sha256_init(&sha);
    sync_sha256_update(&sha, &generation, sizeof(generation));
    sync_sha256_update(&sha, &ctx->route.connector,
                       sizeof(ctx->route.connector));
    sync_sha256_update(&sha, ctx->tenant.id.data, ctx->tenant.id.len);

    for (i = 0; i < NGX_HTTP_SYNC_SESSION_CREDENTIALS + session.secrets.n; i++)
    {
        s = i < NGX_HTTP_SYNC_SESSION_CREDENTIALS
            ? names[i]
            : sync_doc_item(ctx->tenant.doc, session.secrets,
                            i - NGX_HTTP_SYNC_SESSION_CREDENTIALS);

        if (s.len == 0) {
            continue;
        }

        name.data = s.data;
        name.len = s.len;

        secret = ngx_http_sync_tenant_secret(ctx->tenant.entry, &name, log);
        if (secret == NULL) {
            return NGX_DECLINED;
        }

        len = secret->len;
        sync_sha256_update(&sha, &len, sizeof(len));
        sync_sha256_update(&sha, secret->data, secret->len);
    }

    sync_sha256_final(&sha, key);
    sync_wipe(&sha, sizeof(sha));

    return NGX_OK;
}


ngx_int_t
ngx_http_sync_session_find(u_char *key, ngx_http_sync_session_t **session)
{
    ngx_queue_t              *q, *bucket;
    ngx_http_sync_session_t  *s;

    bucket = &ngx_http_sync_sessions[(key[0] | (ngx_uint_t) key[1] << 8)
                                     % NGX_HTTP_SYNC_SESSION_BUCKETS];

    if (bucket->next == NULL) {
        ngx_queue_init(bucket);
    }

    if (ngx_http_sync_sessions_lru.next == NULL) {
        ngx_queue_init(&ngx_http_sync_sessions_lru);
    }

    for (q = ngx_queue_head(bucket);
         q != ngx_queue_sentinel(bucket);
         q = ngx_queue_next(q))
    {
        s = ngx_queue_data(q, ngx_http_sync_session_t, bucket);

        if (ngx_memcmp(s->key, key, SYNC_SHA256_LEN) == 0) {
            ngx_queue_remove(&s->lru);
            ngx_queue_insert_head(&ngx_http_sync_sessions_lru, &s->lru);

            *session = s;
            return NGX_OK;
        }
    }

    if (ngx_http_sync_sessions_n >= NGX_HTTP_SYNC_SESSION_MOST) {
        ngx_http_sync_session_evict();
    }

    s = ngx_calloc(sizeof(ngx_http_sync_session_t), ngx_cycle->log);
    if (s == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(s->key, key, SYNC_SHA256_LEN);
    ngx_queue_init(&s->waiters);

    ngx_queue_insert_head(bucket, &s->bucket);
    ngx_queue_insert_head(&ngx_http_sync_sessions_lru, &s->lru);

    ngx_http_sync_sessions_n++;

    *session = s;

    return NGX_OK;
}


/* The one that was used the longest ago: mostly of an older document. */

static void
ngx_http_sync_session_evict(void)
{
    ngx_queue_t              *q;
    ngx_http_sync_session_t  *s;

    for (q = ngx_queue_last(&ngx_http_sync_sessions_lru);
         q != ngx_queue_sentinel(&ngx_http_sync_sessions_lru);
         q = ngx_queue_prev(q))
    {
        s = ngx_queue_data(q, ngx_http_sync_session_t, lru);

        if (s->refs) {
            continue;
        }

        ngx_http_sync_session_drop(s);

        ngx_queue_remove(&s->bucket);
        ngx_queue_remove(&s->lru);
        ngx_free(s);

        ngx_http_sync_sessions_n--;

        return;
    }
}


void
ngx_http_sync_session_drop(ngx_http_sync_session_t *s)
{
    if (s->kept != NULL) {
        sync_wipe(s->kept, s->size);
        ngx_free(s->kept);
    }

    s->kept = NULL;
    s->values = NULL;
    s->size = 0;
    s->serial = 0;
    ngx_str_null(&s->cookie);
}


void
ngx_http_sync_session_wake(ngx_http_sync_session_t *s)
{
    ngx_queue_t                   *q;
    ngx_http_sync_session_slot_t  *slot;

    while (!ngx_queue_empty(&s->waiters)) {
        q = ngx_queue_head(&s->waiters);
        slot = ngx_queue_data(q, ngx_http_sync_session_slot_t, queue);

        ngx_queue_remove(q);
        slot->waiting = 0;

        ngx_http_sync_wake(slot->ctx);
    }
}


ngx_int_t
ngx_http_sync_session_fail(ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_session_slot_t *slot, ngx_uint_t refused, const char *why)
{
    ngx_str_t                 name;
    ngx_uint_t                i, level;
    ngx_msec_t                pause, most;
    ngx_http_sync_session_t  *s;

    s = slot->session;

    slot->leading = 0;
    s->leader = NULL;

    ngx_http_sync_session_wake(s);

    if (ctx->expired) {

        /* not the target's fault, perhaps: a client may ask for little time */

        return NGX_OK;
    }

    pause = refused ? NGX_HTTP_SYNC_SESSION_REFUSED
                    : NGX_HTTP_SYNC_SESSION_BROKEN;
    most = refused ? NGX_HTTP_SYNC_SESSION_REFUSED_MOST
                   : NGX_HTTP_SYNC_SESSION_BROKEN_MOST;

    for (i = 0; i < s->failures && pause < most; i++) {
        pause *= refused ? 5 : 2;
    }

    pause = ngx_min(pause, most);

    s->failures++;
    s->pause = ngx_current_msec + pause;

    name.data = ctx->route.c.name.data;
    name.len = ctx->route.c.name.len;

    level = refused ? NGX_LOG_ERR : NGX_LOG_WARN;

    ngx_log_error(level, ctx->request->connection->log, 0,
                  "session: the login at connector \"%V\" of tenant \"%V\" "
                  "failed with %ui, %s; no other for %M ms",
                  &name, &ctx->tenant.name, ctx->answer.received, why, pause);

    return ngx_http_sync_session_problem(ctx, s);
}


ngx_int_t
ngx_http_sync_session_problem(ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_session_t *s)
{
    ngx_msec_int_t  left;

    left = (ngx_msec_int_t) (s->pause - ngx_current_msec);

    ctx->verdict = "not-sent";
    ctx->problem.retry_after = left > 0 ? (left + 999) / 1000 : 1;

    return ngx_http_sync_problem(ctx, NGX_HTTP_SERVICE_UNAVAILABLE,
                                 "session-failed",
                                 "The login at the connector failed",
                                 NGX_HTTP_SYNC_TECHNICAL,
                                 "nothing was sent; the operator's log says "
                                 "why");
}


ngx_http_sync_session_room_t *
ngx_http_sync_session_room(ngx_http_request_t *r, size_t size)
{
    ngx_pool_cleanup_t            *cln;
    ngx_http_sync_session_room_t  *room;

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_sync_session_room_t));
    if (cln == NULL) {
        return NULL;
    }

    room = cln->data;

    room->start = ngx_palloc(r->pool, size + 1);
    if (room->start == NULL) {
        return NULL;
    }

    room->arena.alloc = ngx_http_sync_session_alloc;
    room->arena.data = room;
    room->pos = room->start;
    room->end = room->start + size;

    cln->handler = ngx_http_sync_session_wipe;

    return room;
}


static void *
ngx_http_sync_session_alloc(sync_arena_t *arena, size_t size)
{
    ngx_http_sync_session_room_t *room = arena->data;

    u_char  *p;

    p = ngx_align_ptr(room->pos, sizeof(void *));

    if (p > room->end || size > (size_t) (room->end - p)) {
        return NULL;
    }

    room->pos = p + size;

    return p;
}


static void
ngx_http_sync_session_wipe(void *data)
{
    ngx_http_sync_session_room_t *room = data;

    sync_wipe(room->start, room->end - room->start);
}


void
ngx_http_sync_session_exit_process(ngx_cycle_t *cycle)
{
    ngx_queue_t              *q;
    ngx_http_sync_session_t  *s;

    if (ngx_http_sync_sessions_lru.next == NULL) {
        return;
    }

    while (!ngx_queue_empty(&ngx_http_sync_sessions_lru)) {
        q = ngx_queue_head(&ngx_http_sync_sessions_lru);
        s = ngx_queue_data(q, ngx_http_sync_session_t, lru);

        ngx_queue_remove(q);
        ngx_http_sync_session_drop(s);
        ngx_free(s);
    }
}
