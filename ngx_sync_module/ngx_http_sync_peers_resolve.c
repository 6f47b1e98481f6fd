
/*
 * Names of peers by URL, resolved by NGINX' resolver before their connector is
 * asked.
 *
 * What a name was resolved to serves as long as the answer says.  One question
 * per name is under way in a worker, whoever waits for it.  While no server of
 * names answers, addresses that are due go on for "stale"; an answer that there
 * is no such name, or that it is where nobody may call, ends them at once.
 *
 * Each address is judged once, when it comes, and it is this copy that is
 * connected to.
 */


#include "ngx_http_sync_peers.h"


#define NGX_HTTP_SYNC_RESOLVE_NAMES    4096  /* kept */
#define NGX_HTTP_SYNC_RESOLVE_WAIT     5000  /* ms that a request waits */
#define NGX_HTTP_SYNC_RESOLVE_PATIENT  500   /* ms, where it has another way */
#define NGX_HTTP_SYNC_RESOLVE_AGAIN    1000  /* ms until the next question */
#define NGX_HTTP_SYNC_RESOLVE_LEAST    1     /* s that an answer serves */


typedef enum {
    NGX_HTTP_SYNC_RESOLVE_NOTHING = 0,       /* not asked yet */
    NGX_HTTP_SYNC_RESOLVE_GOOD,
    NGX_HTTP_SYNC_RESOLVE_NONE,              /* no such name */
    NGX_HTTP_SYNC_RESOLVE_FAILED,            /* no answer */
    NGX_HTTP_SYNC_RESOLVE_REFUSED            /* it may not be called */
} ngx_http_sync_resolve_e;


typedef struct {
    ngx_str_node_t                node;      /* "host:port", resolver */
    ngx_queue_t                   queue;     /* the last used first */
    ngx_queue_t                   waiting;   /* of ngx_http_sync_resolve_t */
    ngx_str_t                     host;
    in_port_t                     port;
    sync_egress_t                *egress;    /* what may be called */
    ngx_http_sync_resolve_e       last;      /* how the last question ended */
    ngx_msec_t                    again;     /* no question before */
    time_t                        valid;     /* of the set; s */
    ngx_http_sync_peers_set_t    *set;       /* or NULL */
    ngx_resolver_ctx_t           *asked;     /* while one is under way, */
    ngx_msec_t                    since;     /* so long */
    unsigned                      settled:1; /* there is nothing to ask */
} ngx_http_sync_resolve_name_t;


/* The slot of a request. */

typedef struct {
    ngx_http_sync_ctx_t          *ctx;
    ngx_queue_t                   queue;     /* of the name, while waiting */
    ngx_event_t                   event;
    ngx_http_sync_peers_set_t    *set;       /* with a reference */
    unsigned                      waiting:1;
} ngx_http_sync_resolve_t;


static ngx_uint_t ngx_http_sync_resolve_enabled(ngx_http_request_t *r);
static ngx_int_t ngx_http_sync_resolve_run(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);
static ngx_int_t ngx_http_sync_resolve_wait(ngx_http_request_t *r,
    ngx_http_sync_resolve_t *slot, ngx_http_sync_resolve_name_t *name,
    ngx_uint_t stale);
static ngx_int_t ngx_http_sync_resolve_problem(ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_resolve_name_t *name);
static void ngx_http_sync_resolve_timeout(ngx_event_t *ev);
static void ngx_http_sync_resolve_withdraw(ngx_http_sync_resolve_t *slot);
static void ngx_http_sync_resolve_cancel(ngx_http_sync_ctx_t *ctx);
static void ngx_http_sync_resolve_leave(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);
static ngx_http_sync_resolve_name_t *ngx_http_sync_resolve_name(
    ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    ngx_resolver_t *resolver, sync_egress_t *egress);
static void ngx_http_sync_resolve_first(ngx_http_sync_resolve_name_t *name);
static void ngx_http_sync_resolve_evict(void);
static void ngx_http_sync_resolve_forget(ngx_http_sync_resolve_name_t *name);
static void ngx_http_sync_resolve_ask(ngx_http_sync_resolve_name_t *name,
    ngx_http_core_loc_conf_t *clcf);
static void ngx_http_sync_resolve_handler(ngx_resolver_ctx_t *asked);
static void ngx_http_sync_resolve_take(ngx_http_sync_resolve_name_t *name,
    ngx_resolver_addr_t *addrs, ngx_uint_t n);
static ngx_http_sync_peers_addr_t *ngx_http_sync_resolve_addr(
    ngx_http_sync_resolve_name_t *name, struct sockaddr *sockaddr,
    socklen_t socklen);
static size_t ngx_http_sync_resolve_ip(struct sockaddr *sockaddr,
    u_char ip[16]);
static void ngx_http_sync_resolve_drop(ngx_http_sync_peers_set_t *set);


static struct {
    ngx_rbtree_t       tree;
    ngx_rbtree_node_t  sentinel;
    ngx_queue_t        queue;
    ngx_uint_t         n;
} ngx_http_sync_names;


const ngx_http_sync_step_t  ngx_http_sync_resolve_step = {
    "resolve",
    NGX_HTTP_SYNC_STAGE_PRECONTENT,
    NGX_HTTP_SYNC_STEP_RESOLVE,
    ngx_http_sync_resolve_enabled,
    0,
    ngx_http_sync_resolve_run,
    ngx_http_sync_resolve_cancel,
    ngx_http_sync_resolve_leave,
    NULL
};


/* Wherever a connector is chosen. */

static ngx_uint_t
ngx_http_sync_resolve_enabled(ngx_http_request_t *r)
{
    return ngx_http_sync_enabled(r, NGX_HTTP_SYNC_STEP_ROUTE);
}


static ngx_int_t
ngx_http_sync_resolve_run(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx)
{
    ngx_uint_t                     fresh, stale;
    ngx_http_core_loc_conf_t      *clcf;
    ngx_http_sync_resolve_t       *slot;
    ngx_http_sync_main_conf_t     *smcf;
    ngx_http_sync_peers_conf_t    *conf;
    ngx_http_sync_resolve_name_t  *name;

    if (ctx->route.connector == SYNC_DOC_NONE || ctx->route.c.port == 0) {
        return NGX_DECLINED;
    }

    if (!ngx_http_sync_peers_verified(r)) {
        return ngx_http_sync_peers_unverified(r, ctx, "proxy_ssl_verify is "
                                              "off");
    }

    slot = ctx->slots[NGX_HTTP_SYNC_STEP_RESOLVE];

    if (slot == NULL) {
        slot = ngx_pcalloc(r->pool, sizeof(ngx_http_sync_resolve_t));
        if (slot == NULL) {
            return NGX_ERROR;
        }

        slot->ctx = ctx;

        slot->event.handler = ngx_http_sync_resolve_timeout;
        slot->event.data = slot;
        slot->event.log = r->connection->log;

        ctx->slots[NGX_HTTP_SYNC_STEP_RESOLVE] = slot;
    }

    ngx_http_sync_resolve_withdraw(slot);

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);
    smcf = ngx_http_get_module_main_conf(r, ngx_http_sync_module);

    conf = ngx_http_conf_upstream_srv_conf(smcf->peers,
                                           ngx_http_sync_peers_module);

    name = ngx_http_sync_resolve_name(r, ctx, clcf->resolver,
                                      conf->fetch->egress);
    if (name == NULL) {
        return NGX_ERROR;
    }

    fresh = name->set != NULL
            && (name->settled || name->valid >= ngx_time());

    if (!fresh && name->asked == NULL && !name->settled
        && (name->last == NGX_HTTP_SYNC_RESOLVE_NOTHING
            || (ngx_msec_int_t) (ngx_current_msec - name->again) >= 0))
    {
        ngx_http_sync_resolve_ask(name, clcf);

        fresh = name->set != NULL && name->valid >= ngx_time();
    }

    stale = name->set != NULL && name->valid + conf->stale >= ngx_time();

    if (!fresh && name->asked != NULL
        && ngx_http_sync_resolve_wait(r, slot, name, stale) == NGX_AGAIN)
    {
        return NGX_AGAIN;
    }

    if (!fresh && !stale) {
        return ngx_http_sync_resolve_problem(ctx, name);
    }

    slot->set = name->set;
    slot->set->refs++;

    return NGX_OK;
}


/*
 * Until the answer is there, or the question is old; not so long where stale
 * addresses will do, and then not again while nobody answers.
 */

static ngx_int_t
ngx_http_sync_resolve_wait(ngx_http_request_t *r,
    ngx_http_sync_resolve_t *slot, ngx_http_sync_resolve_name_t *name,
    ngx_uint_t stale)
{
    ngx_msec_t                 most, passed;
    ngx_http_sync_loc_conf_t  *slcf;

    if (stale && name->last == NGX_HTTP_SYNC_RESOLVE_FAILED) {
        return NGX_DECLINED;
    }

    most = stale ? NGX_HTTP_SYNC_RESOLVE_PATIENT : NGX_HTTP_SYNC_RESOLVE_WAIT;
    passed = ngx_current_msec - name->since;

    if (passed >= most) {
        return NGX_DECLINED;
    }

    most -= passed;

    slcf = ngx_http_get_module_loc_conf(r, ngx_http_sync_module);

    if (slcf->deadline_set) {
        most = ngx_min(most, ngx_http_sync_left(slot->ctx) + 1);
    }

    ngx_queue_insert_tail(&name->waiting, &slot->queue);
    slot->waiting = 1;

    ngx_add_timer(&slot->event, most);

    return NGX_AGAIN;
}


static ngx_int_t
ngx_http_sync_resolve_problem(ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_resolve_name_t *name)
{
    ngx_int_t  rc;

    if (name->last == NGX_HTTP_SYNC_RESOLVE_REFUSED) {
        return ngx_http_sync_problem(ctx, NGX_HTTP_BAD_GATEWAY,
                                     "connector-forbidden",
                                     "The connector is where nobody may call",
                                     NGX_HTTP_SYNC_TECHNICAL,
                                     "no address of the connector may be "
                                     "connected to; the operator's log says "
                                     "which it has");
    }

    rc = ngx_http_sync_problem(ctx, NGX_HTTP_SERVICE_UNAVAILABLE,
                               "connector-unresolved",
                               "The connector cannot be found",
                               NGX_HTTP_SYNC_TECHNICAL,
                               name->last == NGX_HTTP_SYNC_RESOLVE_NONE
                               ? "its name has no address"
                               : "its name could not be resolved in time");

    ctx->problem.retry_after = 1;

    return rc;
}


static void
ngx_http_sync_resolve_timeout(ngx_event_t *ev)
{
    ngx_http_sync_resolve_t  *slot;

    slot = ev->data;

    ngx_http_sync_resolve_withdraw(slot);
    ngx_http_sync_wake(slot->ctx);
}


static void
ngx_http_sync_resolve_withdraw(ngx_http_sync_resolve_t *slot)
{
    if (slot->event.timer_set) {
        ngx_del_timer(&slot->event);
    }

    if (slot->waiting) {
        ngx_queue_remove(&slot->queue);
        slot->waiting = 0;
    }
}


static void
ngx_http_sync_resolve_cancel(ngx_http_sync_ctx_t *ctx)
{
    ngx_http_sync_resolve_t  *slot;

    slot = ctx->slots[NGX_HTTP_SYNC_STEP_RESOLVE];

    if (slot == NULL) {
        return;
    }

    ngx_http_sync_resolve_withdraw(slot);

    if (slot->set != NULL) {
        ngx_http_sync_resolve_drop(slot->set);
        slot->set = NULL;
    }

    ctx->slots[NGX_HTTP_SYNC_STEP_RESOLVE] = NULL;
}


/* Another location chooses its connector anew. */

static void
ngx_http_sync_resolve_leave(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx)
{
    ngx_http_sync_resolve_cancel(ctx);

    ctx->done &= ~(1u << NGX_HTTP_SYNC_STEP_RESOLVE);
}


ngx_http_sync_peers_set_t *
ngx_http_sync_peers_set(ngx_http_sync_ctx_t *ctx)
{
    ngx_http_sync_resolve_t  *slot;

    slot = ctx->slots[NGX_HTTP_SYNC_STEP_RESOLVE];

    return slot != NULL ? slot->set : NULL;
}


/* Finds or makes it; NULL: no memory. */

static ngx_http_sync_resolve_name_t *
ngx_http_sync_resolve_name(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    ngx_resolver_t *resolver, sync_egress_t *egress)
{
    u_char                        *p;
    size_t                         room;
    uint32_t                       hash;
    ngx_str_t                      key, host;
    ngx_http_sync_resolve_name_t  *name;

    if (ngx_http_sync_names.tree.root == NULL) {
        ngx_rbtree_init(&ngx_http_sync_names.tree,
                        &ngx_http_sync_names.sentinel,
                        ngx_str_rbtree_insert_value);
        ngx_queue_init(&ngx_http_sync_names.queue);
    }

    host.len = ctx->route.c.address.len;
    host.data = ctx->route.c.address.data;

    room = host.len + NGX_INT32_LEN + 2 * sizeof(void *) + 2;

    key.data = ngx_pnalloc(r->pool, room);
    if (key.data == NULL) {
        return NULL;
    }

    key.len = ngx_snprintf(key.data, room, "%V %uD %p", &host,
                           ctx->route.c.port, resolver)
              - key.data;

    hash = ngx_crc32_short(key.data, key.len);

    name = (ngx_http_sync_resolve_name_t *)
               ngx_str_rbtree_lookup(&ngx_http_sync_names.tree, &key, hash);

    if (name != NULL) {
        ngx_queue_remove(&name->queue);
        ngx_queue_insert_head(&ngx_http_sync_names.queue, &name->queue);

        return name;
    }

    if (ngx_http_sync_names.n >= NGX_HTTP_SYNC_RESOLVE_NAMES) {
        ngx_http_sync_resolve_evict();
    }

    name = ngx_calloc(sizeof(ngx_http_sync_resolve_name_t) + key.len,
                      ngx_cycle->log);
    if (name == NULL) {
        return NULL;
    }

    p = (u_char *) (name + 1);
    ngx_memcpy(p, key.data, key.len);

    name->node.node.key = hash;
    name->node.str.len = key.len;
    name->node.str.data = p;
    name->host.len = host.len;
    name->host.data = p;
    name->port = (in_port_t) ctx->route.c.port;
    name->egress = egress;

    ngx_queue_init(&name->waiting);

    ngx_rbtree_insert(&ngx_http_sync_names.tree, &name->node.node);
    ngx_queue_insert_head(&ngx_http_sync_names.queue, &name->queue);
    ngx_http_sync_names.n++;

    ngx_http_sync_resolve_first(name);

    return name;
}


/* What needs no question: an address, and a name that may not be called. */

static void
ngx_http_sync_resolve_first(ngx_http_sync_resolve_name_t *name)
{
    ngx_addr_t           addr;
    sync_url_t           url;
    ngx_pool_t          *pool;
    ngx_resolver_addr_t  one;

    ngx_memzero(&url, sizeof(sync_url_t));

    url.host.len = name->host.len;
    url.host.data = name->host.data;
    url.port = name->port;

    pool = ngx_create_pool(NGX_MIN_POOL_SIZE, ngx_cycle->log);
    if (pool == NULL) {
        return;
    }

    if (ngx_parse_addr(pool, &addr, name->host.data, name->host.len)
        == NGX_OK)
    {
        name->settled = 1;

        url.literal = 1;
        url.iplen = ngx_http_sync_resolve_ip(addr.sockaddr, url.ip);

        ngx_memzero(&one, sizeof(ngx_resolver_addr_t));
        one.sockaddr = addr.sockaddr;
        one.socklen = addr.socklen;
    }

    /* the document was refused, if it was read with these settings */

    if (sync_egress_name(name->egress, &url) != SYNC_OK) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "resolve: \"%V\" is not within sync_egress",
                      &name->host);

        name->settled = 1;
        name->last = NGX_HTTP_SYNC_RESOLVE_REFUSED;

    } else if (url.literal) {
        ngx_http_sync_resolve_take(name, &one, 1);
    }

    ngx_destroy_pool(pool);
}


/* The one that nobody has asked for longest. */

static void
ngx_http_sync_resolve_evict(void)
{
    ngx_queue_t                   *q;
    ngx_http_sync_resolve_name_t  *name;

    for (q = ngx_queue_last(&ngx_http_sync_names.queue);
         q != ngx_queue_sentinel(&ngx_http_sync_names.queue);
         q = ngx_queue_prev(q))
    {
        name = ngx_queue_data(q, ngx_http_sync_resolve_name_t, queue);

        if (name->asked == NULL && ngx_queue_empty(&name->waiting)) {
            ngx_http_sync_resolve_forget(name);
            return;
        }
    }
}


static void
ngx_http_sync_resolve_forget(ngx_http_sync_resolve_name_t *name)
{
    ngx_queue_remove(&name->queue);
    ngx_rbtree_delete(&ngx_http_sync_names.tree, &name->node.node);
    ngx_http_sync_names.n--;

    if (name->asked != NULL) {
        ngx_resolve_name_done(name->asked);
    }

    if (name->set != NULL) {
        ngx_http_sync_resolve_drop(name->set);
    }

    ngx_free(name);
}


/* The handler may be called from within, if the resolver knows. */

static void
ngx_http_sync_resolve_ask(ngx_http_sync_resolve_name_t *name,
    ngx_http_core_loc_conf_t *clcf)
{
    ngx_resolver_ctx_t  *asked;

    name->again = ngx_current_msec + NGX_HTTP_SYNC_RESOLVE_AGAIN;

    asked = ngx_resolve_start(clcf->resolver, NULL);

    if (asked == NGX_NO_RESOLVER) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "resolve: no \"resolver\" in nginx.conf to find \"%V\"",
                      &name->host);

        asked = NULL;
    }

    if (asked == NULL) {
        name->last = NGX_HTTP_SYNC_RESOLVE_FAILED;
        return;
    }

    asked->name = name->host;
    asked->handler = ngx_http_sync_resolve_handler;
    asked->data = name;
    asked->timeout = clcf->resolver_timeout;

    /* who waits has a timer that keeps a worker; this one need not */

    asked->cancelable = 1;

    name->asked = asked;
    name->since = ngx_current_msec;

    if (ngx_resolve_name(asked) != NGX_OK) {
        name->asked = NULL;
        name->last = NGX_HTTP_SYNC_RESOLVE_FAILED;
    }
}


static void
ngx_http_sync_resolve_handler(ngx_resolver_ctx_t *asked)
{
    ngx_queue_t                   *q;
    ngx_http_sync_resolve_t       *slot;
    ngx_http_sync_resolve_name_t  *name;

    name = asked->data;

    if (asked->state == NGX_OK) {
        name->valid = ngx_max(asked->valid,
                              ngx_time() + NGX_HTTP_SYNC_RESOLVE_LEAST);

        ngx_http_sync_resolve_take(name, asked->addrs, asked->naddrs);

    } else {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "resolve: \"%V\" could not be resolved (%i: %s)",
                      &name->host, asked->state,
                      ngx_resolver_strerror(asked->state));

        name->last = NGX_HTTP_SYNC_RESOLVE_FAILED;

        if (asked->state == NGX_RESOLVE_NXDOMAIN) {
            name->last = NGX_HTTP_SYNC_RESOLVE_NONE;

            if (name->set != NULL) {
                ngx_http_sync_resolve_drop(name->set);
                name->set = NULL;
            }
        }
    }

    name->again = ngx_current_msec + NGX_HTTP_SYNC_RESOLVE_AGAIN;
    name->asked = NULL;

    ngx_resolve_name_done(asked);

    while (!ngx_queue_empty(&name->waiting)) {
        q = ngx_queue_head(&name->waiting);
        slot = ngx_queue_data(q, ngx_http_sync_resolve_t, queue);

        ngx_http_sync_resolve_withdraw(slot);
        ngx_http_sync_wake(slot->ctx);
    }
}


/* The addresses that may be connected to; without one the name is refused. */

static void
ngx_http_sync_resolve_take(ngx_http_sync_resolve_name_t *name,
    ngx_resolver_addr_t *addrs, ngx_uint_t n)
{
    u_char                       ip[16], text[NGX_SOCKADDR_STRLEN];
    size_t                       len, iplen;
    ngx_uint_t                   i;
    ngx_http_sync_peers_set_t   *set, *old;
    ngx_http_sync_peers_addr_t  *addr;

    set = ngx_calloc(sizeof(ngx_http_sync_peers_set_t), ngx_cycle->log);
    if (set == NULL) {
        name->last = NGX_HTTP_SYNC_RESOLVE_FAILED;
        return;
    }

    set->refs = 1;

    for (i = 0; i < n && set->n < NGX_HTTP_SYNC_PEERS_ADDRS; i++) {

        iplen = ngx_http_sync_resolve_ip(addrs[i].sockaddr, ip);

        if (iplen == 0
            || sync_egress_address(name->egress, ip, iplen) != SYNC_OK)
        {
            len = ngx_sock_ntop(addrs[i].sockaddr, addrs[i].socklen, text,
                                NGX_SOCKADDR_STRLEN, 0);

            ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                          "resolve: \"%V\" is at %*s, which is not public: "
                          "nobody may call it, unless sync_egress lists it",
                          &name->host, len, text);
            continue;
        }

        addr = ngx_http_sync_resolve_addr(name, addrs[i].sockaddr,
                                          addrs[i].socklen);
        if (addr == NULL) {
            continue;
        }

        addr->refs++;
        set->addrs[set->n++] = addr;
    }

    old = name->set;
    name->set = NULL;

    if (set->n) {
        name->set = set;
        name->last = NGX_HTTP_SYNC_RESOLVE_GOOD;

    } else {
        ngx_http_sync_resolve_drop(set);
        name->last = NGX_HTTP_SYNC_RESOLVE_REFUSED;
    }

    if (old != NULL) {
        ngx_http_sync_resolve_drop(old);
    }
}


/* The one that is known already, with what is known of it, or a new one. */

static ngx_http_sync_peers_addr_t *
ngx_http_sync_resolve_addr(ngx_http_sync_resolve_name_t *name,
    struct sockaddr *sockaddr, socklen_t socklen)
{
    ngx_uint_t                   i;
    ngx_sockaddr_t               at;
    ngx_http_sync_peers_addr_t  *addr;

    ngx_memzero(&at, sizeof(ngx_sockaddr_t));
    ngx_memcpy(&at, sockaddr, socklen);

    ngx_inet_set_port(&at.sockaddr, name->port);

    for (i = 0; name->set != NULL && i < name->set->n; i++) {
        addr = name->set->addrs[i];

        if (addr->socklen == socklen
            && ngx_memcmp(&addr->sockaddr, &at, socklen) == 0)
        {
            return addr;
        }
    }

    addr = ngx_calloc(sizeof(ngx_http_sync_peers_addr_t), ngx_cycle->log);
    if (addr == NULL) {
        return NULL;
    }

    addr->sockaddr = at;
    addr->socklen = socklen;
    addr->name.data = addr->text;
    addr->name.len = ngx_sock_ntop(&addr->sockaddr.sockaddr, socklen,
                                   addr->text, NGX_SOCKADDR_STRLEN, 1);

    return addr;
}


/* Its bytes in network order, and their number; 0: neither of the two. */

static size_t
ngx_http_sync_resolve_ip(struct sockaddr *sockaddr, u_char ip[16])
{
    struct sockaddr_in   *sin;
#if (NGX_HAVE_INET6)
    struct sockaddr_in6  *sin6;
#endif

    switch (sockaddr->sa_family) {

    case AF_INET:
        sin = (struct sockaddr_in *) sockaddr;
        ngx_memcpy(ip, &sin->sin_addr, 4);
        return 4;

#if (NGX_HAVE_INET6)
    case AF_INET6:
        sin6 = (struct sockaddr_in6 *) sockaddr;
        ngx_memcpy(ip, &sin6->sin6_addr, 16);
        return 16;
#endif

    default:
        return 0;
    }
}


static void
ngx_http_sync_resolve_drop(ngx_http_sync_peers_set_t *set)
{
    ngx_uint_t  i;

    if (--set->refs) {
        return;
    }

    for (i = 0; i < set->n; i++) {
        if (--set->addrs[i]->refs == 0) {
            ngx_free(set->addrs[i]);
        }
    }

    ngx_free(set);
}


void
ngx_http_sync_peers_resolve_exit(void)
{
    ngx_queue_t  *q;

    if (ngx_http_sync_names.tree.root == NULL) {
        return;
    }

    while (!ngx_queue_empty(&ngx_http_sync_names.queue)) {
        q = ngx_queue_head(&ngx_http_sync_names.queue);

        ngx_http_sync_resolve_forget(ngx_queue_data(q,
                                                 ngx_http_sync_resolve_name_t,
                                                 queue));
    }
}
