
/*
 * A fetch: its URL, the addresses of its host, its deadlines, its end.  What
 * goes over a connection: ngx_sync_fetch_conn.c.
 */


#include "ngx_sync_fetch_impl.h"

#include <malloc.h>


#define NGX_SYNC_FETCH_MAX      65536    /* bytes of an answer */
#define NGX_SYNC_FETCH_CONNECT_TIMEOUT  2000     /* ms */
#define NGX_SYNC_FETCH_READ_TIMEOUT     5000
#define NGX_SYNC_FETCH_TIMEOUT_ALL      10000


static void *ngx_sync_fetch_alloc(sync_arena_t *arena, size_t size);
static ngx_uint_t ngx_sync_fetch_plain(ngx_str_t *s, ngx_uint_t token);
static void ngx_sync_fetch_begin(ngx_event_t *ev);
static const char *ngx_sync_fetch_compose(ngx_sync_fetch_run_t *run);
static void ngx_sync_fetch_key(ngx_sync_fetch_run_t *run);
static void ngx_sync_fetch_resolve(ngx_sync_fetch_run_t *run);
static void ngx_sync_fetch_resolved(ngx_resolver_ctx_t *ctx);
static void ngx_sync_fetch_next(ngx_sync_fetch_run_t *run,
    ngx_sync_fetch_result_e result, const char *error);
static void ngx_sync_fetch_expired(ngx_event_t *ev);
static void ngx_sync_fetch_stop(ngx_sync_fetch_run_t *run);
static void ngx_sync_fetch_tell(ngx_event_t *ev);
static void ngx_sync_fetch_wipe(ngx_pool_t *pool);


/* Of this worker; next NULL: none was started yet. */
static ngx_queue_t  ngx_sync_fetch_all;


ngx_sync_fetch_t *
ngx_sync_fetch_create(ngx_sync_fetch_conf_t *conf, ngx_log_t *log)
{
    ngx_pool_t            *pool;
    ngx_sync_fetch_t      *f;
    ngx_sync_fetch_run_t  *run;

    pool = ngx_create_pool(4096, log);
    if (pool == NULL) {
        return NULL;
    }

    run = ngx_pcalloc(pool, sizeof(ngx_sync_fetch_run_t));
    if (run == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    f = &run->fetch;

    if (ngx_array_init(&f->send, pool, 8, sizeof(ngx_sync_fetch_header_t))
        != NGX_OK
        || ngx_array_init(&f->received, pool, 16,
                          sizeof(ngx_sync_fetch_header_t))
           != NGX_OK)
    {
        ngx_destroy_pool(pool);
        return NULL;
    }

    f->conf = conf;
    f->pool = pool;
    f->max = NGX_SYNC_FETCH_MAX;
    f->connect_timeout = NGX_SYNC_FETCH_CONNECT_TIMEOUT;
    f->read_timeout = NGX_SYNC_FETCH_READ_TIMEOUT;
    f->timeout = NGX_SYNC_FETCH_TIMEOUT_ALL;

    ngx_str_set(&f->method, "GET");

    run->arena.alloc = ngx_sync_fetch_alloc;
    run->arena.data = pool;

    run->event.data = run;
    run->event.log = log;

    run->deadline.handler = ngx_sync_fetch_expired;
    run->deadline.data = run;
    run->deadline.log = log;

    return f;
}


static void *
ngx_sync_fetch_alloc(sync_arena_t *arena, size_t size)
{
    return ngx_palloc(arena->data, size);
}


ngx_int_t
ngx_sync_fetch_header(ngx_sync_fetch_t *f, const char *name, ngx_str_t *value)
{
    ngx_str_t                 copy;
    ngx_sync_fetch_run_t     *run;
    ngx_sync_fetch_header_t  *h;

    run = (ngx_sync_fetch_run_t *) f;

    copy.len = value->len;
    copy.data = ngx_pnalloc(f->pool, value->len + 1);
    h = ngx_array_push(&f->send);

    if (copy.data == NULL || h == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(copy.data, value->data, value->len);

    h->name.data = (u_char *) name;
    h->name.len = ngx_strlen(name);
    h->value = copy;

    if (!ngx_sync_fetch_plain(&h->name, 1) || !ngx_sync_fetch_plain(&copy, 0)) {
        run->bad = 1;
    }

    return NGX_OK;
}


/* May this stand on a line of a request?  token: as a name or a method. */

static ngx_uint_t
ngx_sync_fetch_plain(ngx_str_t *s, ngx_uint_t token)
{
    u_char      ch;
    ngx_uint_t  i;

    for (i = 0; i < s->len; i++) {
        ch = s->data[i];

        if ((ch < 0x20 && ch != '\t') || ch == 0x7f) {
            return 0;
        }

        if (token && (ch == '\t' || ch == ' ' || ch == ':' || ch > 0x7e)) {
            return 0;
        }
    }

    return !token || s->len;
}


void
ngx_sync_fetch_start(ngx_sync_fetch_t *f)
{
    ngx_sync_fetch_run_t  *run;

    run = (ngx_sync_fetch_run_t *) f;

    if (ngx_sync_fetch_all.next == NULL) {
        ngx_queue_init(&ngx_sync_fetch_all);
    }

    ngx_queue_insert_tail(&ngx_sync_fetch_all, &run->queue);
    run->started = 1;

    /* a timer that is not cancelable keeps a worker that quits */

    run->deadline.cancelable = !f->vital;
    ngx_add_timer(&run->deadline, f->timeout);

    run->event.handler = ngx_sync_fetch_begin;
    ngx_post_event(&run->event, &ngx_posted_events);
}


static void
ngx_sync_fetch_begin(ngx_event_t *ev)
{
    const char            *error;
    sync_str_t             text;
    ngx_sync_fetch_t      *f;
    ngx_sync_fetch_run_t  *run;

    run = ev->data;
    f = &run->fetch;

    text.len = f->url.len;
    text.data = f->url.data;

    if (sync_url_parse(&run->url, text, NULL) != SYNC_OK) {
        ngx_sync_fetch_done(run, NGX_SYNC_FETCH_REFUSED,
                            "the URL is none that is called");
        return;
    }

    run->host.len = run->url.host.len;
    run->host.data = run->url.host.data;

    if (!f->trusted
        && sync_egress_name(f->conf->egress, &run->url) != SYNC_OK)
    {
        ngx_sync_fetch_done(run, NGX_SYNC_FETCH_REFUSED,
                            "sync_egress does not list its host and port");
        return;
    }

    if (run->bad || !ngx_sync_fetch_plain(&f->method, 1)) {
        ngx_sync_fetch_done(run, NGX_SYNC_FETCH_REFUSED,
                            "a header has bytes that stand in none");
        return;
    }

    error = ngx_sync_fetch_compose(run);

    if (error) {
        ngx_sync_fetch_done(run, NGX_SYNC_FETCH_CONNECT, error);
        return;
    }

    ngx_sync_fetch_key(run);

    if (ngx_sync_fetch_reuse(run) != NGX_OK) {
        ngx_sync_fetch_resolve(run);
    }
}


static const char *
ngx_sync_fetch_compose(ngx_sync_fetch_run_t *run)
{
    u_char                   *p;
    size_t                    len;
    ngx_uint_t                i, agent;
    ngx_sync_fetch_t         *f;
    ngx_sync_fetch_header_t  *h;

    f = &run->fetch;
    h = f->send.elts;
    agent = 0;

    len = f->method.len + run->url.target.len + run->url.authority.len
          + f->body.len + 256;

    for (i = 0; i < f->send.nelts; i++) {
        len += h[i].name.len + h[i].value.len + 4;

        if (h[i].name.len == 10
            && ngx_strncasecmp(h[i].name.data, (u_char *) "user-agent", 10)
               == 0)
        {
            agent = 1;
        }
    }

    run->out.data = ngx_pnalloc(f->pool, len);
    if (run->out.data == NULL) {
        return "no memory";
    }

    p = ngx_snprintf(run->out.data, len,
                     "%V %*s HTTP/1.1" CRLF
                     "Host: %*s" CRLF
                     "Accept-Encoding: identity" CRLF,
                     &f->method, run->url.target.len, run->url.target.data,
                     run->url.authority.len, run->url.authority.data);

    if (!agent) {
        p = ngx_cpymem(p, "User-Agent: nginx" CRLF,
                       sizeof("User-Agent: nginx" CRLF) - 1);
    }

    for (i = 0; i < f->send.nelts; i++) {
        p = ngx_sprintf(p, "%V: %V" CRLF, &h[i].name, &h[i].value);
    }

    if (f->body.data) {
        p = ngx_sprintf(p, "Content-Length: %uz" CRLF, f->body.len);
    }

    *p++ = CR;
    *p++ = LF;

    if (f->body.len) {
        p = ngx_cpymem(p, f->body.data, f->body.len);
    }

    run->out.len = p - run->out.data;

    return NULL;
}


/* Connections are shared by those who would make the same one. */

static void
ngx_sync_fetch_key(ngx_sync_fetch_run_t *run)
{
    u_char             host[SYNC_HOST_MAX];
    size_t             len;
    sync_sha256_t      sha;
    ngx_sync_fetch_t  *f;

    f = &run->fetch;

    ngx_strlow(host, run->host.data, run->host.len);

    sync_sha256_init(&sha);
    sync_sha256_update(&sha, host, run->host.len);
    sync_sha256_update(&sha, "", 1);
    sync_sha256_update(&sha, &run->url.port, sizeof(uint16_t));

    len = f->certificate.len;
    sync_sha256_update(&sha, &len, sizeof(size_t));
    sync_sha256_update(&sha, f->certificate.data, f->certificate.len);
    sync_sha256_update(&sha, f->certificate_key.data,
                       f->certificate_key.len);

    sync_sha256_final(&sha, run->key);
    sync_wipe(&sha, sizeof(sync_sha256_t));
}


static void
ngx_sync_fetch_resolve(ngx_sync_fetch_run_t *run)
{
    ngx_resolver_ctx_t   *ctx, temp;
    struct sockaddr_in   *sin;
#if (NGX_HAVE_INET6)
    struct sockaddr_in6  *sin6;
#endif
    ngx_sync_fetch_t     *f;

    f = &run->fetch;

    run->naddrs = 0;
    run->next = 0;

    if (run->url.iplen == 4) {
        sin = &run->addrs[0].sockaddr_in;

        ngx_memzero(sin, sizeof(struct sockaddr_in));
        sin->sin_family = AF_INET;
        sin->sin_port = htons(run->url.port);
        ngx_memcpy(&sin->sin_addr, run->url.ip, 4);

        run->socklens[0] = sizeof(struct sockaddr_in);
        run->naddrs = 1;

#if (NGX_HAVE_INET6)

    } else if (run->url.iplen == 16) {
        sin6 = &run->addrs[0].sockaddr_in6;

        ngx_memzero(sin6, sizeof(struct sockaddr_in6));
        sin6->sin6_family = AF_INET6;
        sin6->sin6_port = htons(run->url.port);
        ngx_memcpy(&sin6->sin6_addr, run->url.ip, 16);

        run->socklens[0] = sizeof(struct sockaddr_in6);
        run->naddrs = 1;

#endif

    } else {

        ngx_memzero(&temp, sizeof(ngx_resolver_ctx_t));
        temp.name = run->host;

        ctx = f->conf->resolver ? ngx_resolve_start(f->conf->resolver, &temp)
                                : NGX_NO_RESOLVER;

        if (ctx == NULL || ctx == NGX_NO_RESOLVER) {
            ngx_sync_fetch_done(run, NGX_SYNC_FETCH_RESOLVE,
                                "there is no resolver");
            return;
        }

        ctx->name = run->host;
        ctx->handler = ngx_sync_fetch_resolved;
        ctx->data = run;
        ctx->timeout = f->conf->resolver_timeout;
        ctx->cancelable = 1;             /* the deadline holds the worker */

        run->resolving = ctx;

        if (ngx_resolve_name(ctx) != NGX_OK) {
            run->resolving = NULL;
            ngx_sync_fetch_done(run, NGX_SYNC_FETCH_RESOLVE,
                                "its name cannot be asked for");
        }

        return;
    }

    ngx_sync_fetch_next(run, NGX_SYNC_FETCH_REFUSED, NULL);
}


/* May run within ngx_resolve_name(), where the name is cached. */

static void
ngx_sync_fetch_resolved(ngx_resolver_ctx_t *ctx)
{
    const char            *error;
    ngx_uint_t             i;
    ngx_sync_fetch_run_t  *run;

    run = ctx->data;
    error = NULL;

    if (ctx->state) {
        error = ngx_resolver_strerror(ctx->state);

    } else {

        /* what is checked and connected to is this copy */

        run->naddrs = ngx_min(ctx->naddrs, NGX_SYNC_FETCH_ADDRS);

        for (i = 0; i < run->naddrs; i++) {
            ngx_memcpy(&run->addrs[i], ctx->addrs[i].sockaddr,
                       ctx->addrs[i].socklen);
            ngx_inet_set_port((struct sockaddr *) &run->addrs[i],
                              run->url.port);
            run->socklens[i] = ctx->addrs[i].socklen;
        }

        if (run->naddrs == 0) {
            error = "its name has no address";
        }
    }

    run->resolving = NULL;
    ngx_resolve_name_done(ctx);

    if (error) {
        ngx_sync_fetch_done(run, NGX_SYNC_FETCH_RESOLVE, error);
        return;
    }

    ngx_sync_fetch_next(run, NGX_SYNC_FETCH_REFUSED, NULL);
}


/* result, error: of the last address, NULL before the first. */

static void
ngx_sync_fetch_next(ngx_sync_fetch_run_t *run, ngx_sync_fetch_result_e result,
    const char *error)
{
    ngx_uint_t  i;

    while (run->next < run->naddrs) {
        i = run->next++;

        if (!ngx_sync_fetch_allowed(run, (struct sockaddr *) &run->addrs[i])) {
            continue;
        }

        if (ngx_sync_fetch_connect(run, &run->addrs[i], run->socklens[i])
            == NGX_OK)
        {
            return;
        }

        result = NGX_SYNC_FETCH_CONNECT;
        error = "it could not be connected to";
    }

    ngx_sync_fetch_done(run, result,
                        error ? error : "its address is not public, and "
                                        "sync_egress does not list it");
}


ngx_uint_t
ngx_sync_fetch_allowed(ngx_sync_fetch_run_t *run, struct sockaddr *sockaddr)
{
    size_t                len;
    u_char               *ip;
    struct sockaddr_in   *sin;
#if (NGX_HAVE_INET6)
    struct sockaddr_in6  *sin6;
#endif

    switch (sockaddr->sa_family) {

    case AF_INET:
        sin = (struct sockaddr_in *) sockaddr;
        ip = (u_char *) &sin->sin_addr;
        len = 4;
        break;

#if (NGX_HAVE_INET6)
    case AF_INET6:
        sin6 = (struct sockaddr_in6 *) sockaddr;
        ip = (u_char *) &sin6->sin6_addr;
        len = 16;
        break;
#endif

    default:
        return 0;
    }

    return run->fetch.trusted
           || sync_egress_address(run->fetch.conf->egress, ip, len) == SYNC_OK;
}


void
ngx_sync_fetch_missed(ngx_sync_fetch_run_t *run,
    ngx_sync_fetch_result_e result, const char *error)
{
    ngx_sync_fetch_close(run->conn);
    ngx_sync_fetch_next(run, result, error);
}


void
ngx_sync_fetch_stale(ngx_sync_fetch_run_t *run)
{
    ngx_sync_fetch_close(run->conn);

    run->again = 1;

    ngx_sync_fetch_resolve(run);
}


static void
ngx_sync_fetch_expired(ngx_event_t *ev)
{
    ngx_sync_fetch_run_t  *run;

    run = ev->data;

    if (run->resolving) {
        ngx_sync_fetch_done(run, NGX_SYNC_FETCH_RESOLVE,
                            "no name server answers in time");
        return;
    }

    ngx_sync_fetch_done(run, NGX_SYNC_FETCH_TIMEOUT, "its time is over");
}


void
ngx_sync_fetch_done(ngx_sync_fetch_run_t *run, ngx_sync_fetch_result_e result,
    const char *error)
{
    if (run->done) {
        return;
    }

    run->done = 1;

    ngx_sync_fetch_stop(run);

    if (run->fetch.conf->ended) {
        run->fetch.conf->ended(result);
    }

    run->fetch.result = result;
    run->fetch.error = result == NGX_SYNC_FETCH_OK ? NULL : error;

    run->event.handler = ngx_sync_fetch_tell;
    ngx_post_event(&run->event, &ngx_posted_events);
}


static void
ngx_sync_fetch_stop(ngx_sync_fetch_run_t *run)
{
    if (run->resolving) {
        ngx_resolve_name_done(run->resolving);
        run->resolving = NULL;
    }

    if (run->conn) {
        ngx_sync_fetch_close(run->conn);
    }

    if (run->deadline.timer_set) {
        ngx_del_timer(&run->deadline);
    }
}


static void
ngx_sync_fetch_tell(ngx_event_t *ev)
{
    ngx_sync_fetch_run_t  *run;

    run = ev->data;

    ngx_queue_remove(&run->queue);
    run->started = 0;

    run->fetch.handler(&run->fetch);
}


ngx_str_t *
ngx_sync_fetch_received(ngx_sync_fetch_t *f, const char *name)
{
    size_t                    len;
    ngx_uint_t                i;
    ngx_sync_fetch_header_t  *h;

    len = ngx_strlen(name);
    h = f->received.elts;

    for (i = 0; i < f->received.nelts; i++) {
        if (h[i].name.len == len
            && ngx_memcmp(h[i].name.data, name, len) == 0)
        {
            return &h[i].value;
        }
    }

    return NULL;
}


const char *
ngx_sync_fetch_result(ngx_sync_fetch_result_e result)
{
    static const char  *names[] = {
        "ok", "refused", "resolve", "connect", "tls", "timeout", "broken",
        "too_large"
    };

    return names[result];
}


void
ngx_sync_fetch_free(ngx_sync_fetch_t *f)
{
    ngx_sync_fetch_run_t  *run;

    run = (ngx_sync_fetch_run_t *) f;

    if (run->started) {
        ngx_queue_remove(&run->queue);
        ngx_sync_fetch_stop(run);

        if (run->event.posted) {
            ngx_delete_posted_event(&run->event);
        }
    }

    ngx_sync_fetch_wipe(f->pool);
}


/* Destroys a pool of which any byte may be of a secret. */

static void
ngx_sync_fetch_wipe(ngx_pool_t *pool)
{
    u_char              *start;
    ngx_pool_t          *p;
    ngx_pool_large_t    *large;
    ngx_pool_cleanup_t  *c;

    for (c = pool->cleanup; c; c = c->next) {
        if (c->handler) {
            c->handler(c->data);
        }
    }

    pool->cleanup = NULL;

    for (large = pool->large; large; large = large->next) {
        if (large->alloc) {
            sync_wipe(large->alloc, malloc_usable_size(large->alloc));
            ngx_free(large->alloc);
        }
    }

    pool->large = NULL;

    for (p = pool; p; p = p->d.next) {
        start = (u_char *) p + (p == pool ? sizeof(ngx_pool_t)
                                          : sizeof(ngx_pool_data_t));

        if (p->d.last > start) {
            sync_wipe(start, p->d.last - start);
        }
    }

    ngx_destroy_pool(pool);
}


void
ngx_sync_fetch_exit(void)
{
    ngx_queue_t           *q;
    ngx_sync_fetch_run_t  *run;

    ngx_sync_fetch_close_idle();

    if (ngx_sync_fetch_all.next == NULL) {
        return;
    }

    /* who waits for them goes as well: nobody is told */

    for (q = ngx_queue_head(&ngx_sync_fetch_all);
         q != ngx_queue_sentinel(&ngx_sync_fetch_all);
         q = ngx_queue_next(q))
    {
        run = ngx_queue_data(q, ngx_sync_fetch_run_t, queue);
        ngx_sync_fetch_stop(run);
    }
}
