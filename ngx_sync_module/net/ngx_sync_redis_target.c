
/*
 * Addresses of servers: literals, sockets of this machine, and names through
 * NGINX' resolver.
 */


#include "ngx_sync_redis_topology.h"


static void ngx_sync_redis_target_try(ngx_sync_redis_target_t *target,
    ngx_sync_redis_conn_t *conn);
static void ngx_sync_redis_target_resolved(ngx_resolver_ctx_t *ctx);


void
ngx_sync_redis_target_init(ngx_sync_redis_target_t *target,
    ngx_sync_redis_topo_t *topo, ngx_sync_redis_as_e as)
{
    ngx_sync_redis_url_t     *url;
    ngx_sync_redis_server_t  *server;

    url = &topo->url;
    server = &target->server;

    ngx_memzero(target, sizeof(ngx_sync_redis_target_t));

    ngx_queue_init(&target->answered);
    ngx_queue_init(&target->awaited);

    target->topo = topo;
    server->ssl = url->ssl;

    if (as == NGX_SYNC_REDIS_AS_WATCHER) {
        server->user = url->sentinel_user;
        target->secret = &url->sentinel_password;

    } else {
        server->user = url->user;
        target->secret = &url->password;
        server->db = url->db;
    }
}


ngx_int_t
ngx_sync_redis_target_place(ngx_sync_redis_target_t *target,
    ngx_sync_redis_place_t *place)
{
    ngx_sync_redis_server_t  *server;

    if (place->addr == NULL
        || place->addr->sockaddr->sa_family == AF_INET
#if (NGX_HAVE_INET6)
        || place->addr->sockaddr->sa_family == AF_INET6
#endif
       )
    {
        return ngx_sync_redis_target_set(target, &place->host, place->port);
    }

    server = &target->server;

    ngx_memcpy(&target->addrs[0], place->addr->sockaddr,
               place->addr->socklen);
    target->socklens[0] = place->addr->socklen;
    target->naddrs = 1;
    target->next = 0;
    target->literal = 1;

    server->name = place->text;
    server->host = place->host;

    return NGX_OK;
}


ngx_int_t
ngx_sync_redis_target_set(ngx_sync_redis_target_t *target, ngx_str_t *host,
    in_port_t port)
{
    u_char                   *p;
    size_t                    len;
    in_addr_t                 inaddr;
    ngx_sync_redis_server_t  *server;

    server = &target->server;

    if (host->len == 0 || host->len > NGX_SYNC_REDIS_HOST_MAX || port == 0) {
        return NGX_DECLINED;
    }

    ngx_sync_redis_target_cancel(target);

    p = ngx_cpymem(target->host, host->data, host->len);
    *p = '\0';

    server->host.data = target->host;
    server->host.len = host->len;
    server->port = port;

    len = host->len;

    p = ngx_sprintf(target->text, ngx_strlchr(target->host,
                                              target->host + len, ':')
                                  ? "[%V]:%ui" : "%V:%ui",
                    &server->host, (ngx_uint_t) port);

    server->name.data = target->text;
    server->name.len = p - target->text;

    server->ssl_name = target->topo->url.tls_name.len
                       ? target->topo->url.tls_name : server->host;
    server->no_verify = target->topo->url.no_verify;

    target->naddrs = 0;
    target->next = 0;
    target->literal = 0;

    ngx_memzero(&target->addrs[0], sizeof(ngx_sockaddr_t));

    inaddr = ngx_inet_addr(target->host, len);

    if (inaddr != INADDR_NONE) {
        target->addrs[0].sockaddr_in.sin_family = AF_INET;
        target->addrs[0].sockaddr_in.sin_addr.s_addr = inaddr;
        target->addrs[0].sockaddr_in.sin_port = htons(port);
        target->socklens[0] = sizeof(struct sockaddr_in);
        target->literal = 1;
        target->naddrs = 1;
        return NGX_OK;
    }

#if (NGX_HAVE_INET6)

    if (ngx_inet6_addr(target->host, len,
                       target->addrs[0].sockaddr_in6.sin6_addr.s6_addr)
        == NGX_OK)
    {
        target->addrs[0].sockaddr_in6.sin6_family = AF_INET6;
        target->addrs[0].sockaddr_in6.sin6_port = htons(port);
        target->socklens[0] = sizeof(struct sockaddr_in6);
        target->literal = 1;
        target->naddrs = 1;
    }

#endif

    return NGX_OK;
}


void
ngx_sync_redis_target_resolve(ngx_sync_redis_conn_t *conn)
{
    ngx_resolver_ctx_t       *ctx, temp;
    ngx_sync_redis_topo_t    *topo;
    ngx_sync_redis_target_t  *target;

    target = (ngx_sync_redis_target_t *) conn->server;
    topo = target->topo;

    /* passwords are changed under a worker that runs; where it may not read
       the file, what was read at load stays */

    if (target->secret->file.len) {
        (void) ngx_sync_redis_secret_read(ngx_cycle->pool, target->secret);
    }

    target->server.password = target->secret->text;

    if (target->literal) {
        target->next = 0;
    }

    if (target->next < target->naddrs) {
        ngx_sync_redis_target_try(target, conn);
        return;
    }

    if (topo->resolver == NULL || topo->resolver->connections.nelts == 0) {
        ngx_sync_redis_conn_fail(conn, "no resolver for this name");
        return;
    }

    if (target->ctx) {
        return;
    }

    ngx_memzero(&temp, sizeof(ngx_resolver_ctx_t));
    temp.name = target->server.host;

    ctx = ngx_resolve_start(topo->resolver, &temp);

    if (ctx == NULL || ctx == NGX_NO_RESOLVER) {
        ngx_sync_redis_conn_fail(conn, "no resolver for this name");
        return;
    }

    ctx->name = target->server.host;
    ctx->handler = ngx_sync_redis_target_resolved;
    ctx->data = target;
    ctx->timeout = topo->resolver_timeout;

    /* requests that wait hold the worker, this alone does not */
    ctx->cancelable = 1;

    target->ctx = ctx;
    target->conn = conn;

    if (ngx_resolve_name(ctx) != NGX_OK) {
        target->ctx = NULL;
        ngx_sync_redis_conn_fail(conn, "its name cannot be asked for");
    }
}


/* May run within ngx_resolve_name(), where the name is cached. */

static void
ngx_sync_redis_target_resolved(ngx_resolver_ctx_t *ctx)
{
    u_char                    why[128];
    ngx_uint_t                i, n;
    ngx_sync_redis_conn_t    *conn;
    ngx_sync_redis_target_t  *target;

    target = ctx->data;
    conn = target->conn;

    n = ctx->state ? 0 : ngx_min(ctx->naddrs, NGX_SYNC_REDIS_ADDRS_MAX);

    for (i = 0; i < n; i++) {
        ngx_memcpy(&target->addrs[i], ctx->addrs[i].sockaddr,
                   ctx->addrs[i].socklen);
        ngx_inet_set_port((struct sockaddr *) &target->addrs[i],
                          target->server.port);
        target->socklens[i] = ctx->addrs[i].socklen;
    }

    ngx_snprintf(why, sizeof(why), "could not be resolved (%i: %s)%Z",
                 ctx->state, ngx_resolver_strerror(ctx->state));
    why[sizeof(why) - 1] = '\0';

    target->next = 0;
    target->ctx = NULL;

    ngx_resolve_name_done(ctx);

    if (n) {
        target->naddrs = n;

    } else if (target->naddrs == 0) {
        ngx_sync_redis_conn_fail(conn, (char *) why);
        return;

    } else {
        ngx_log_error(NGX_LOG_WARN, conn->log, 0,
                      "sync store \"%V\": %V %s, trying its last addresses",
                      &conn->redis->label, &target->server.name, why);
    }

    ngx_sync_redis_target_try(target, conn);
}


static void
ngx_sync_redis_target_try(ngx_sync_redis_target_t *target,
    ngx_sync_redis_conn_t *conn)
{
    target->server.sockaddr = (struct sockaddr *)
                              &target->addrs[target->next];
    target->server.socklen = target->socklens[target->next];
    target->next++;

    ngx_sync_redis_conn_connect(conn);
}


void
ngx_sync_redis_target_good(ngx_sync_redis_target_t *target)
{
    target->next = target->naddrs;
}


void
ngx_sync_redis_target_ready(ngx_sync_redis_conn_t *conn)
{
    ngx_sync_redis_target_good((ngx_sync_redis_target_t *) conn->server);
}


void
ngx_sync_redis_target_cancel(ngx_sync_redis_target_t *target)
{
    if (target->ctx) {
        ngx_resolve_name_done(target->ctx);
        target->ctx = NULL;
    }
}
