
/*
 * The group of peers that connectors by URL go to:
 *
 *     upstream sync_connectors { sync_peers keepalive=8; }
 *
 * It has no servers.  The step "resolve" has found the addresses of the
 * request's connector before NGINX asks for a peer; here one of them is chosen,
 * and with it a connection that is kept.
 *
 * Nothing goes out where the certificate is not verified, by the name that the
 * document says.
 */


#include "ngx_http_sync_peers.h"


typedef struct {
    ngx_http_request_t            *request;
    ngx_http_sync_peers_conf_t    *conf;
    ngx_http_sync_peers_set_t     *set;      /* the step holds it */
    ngx_http_sync_peers_place_t   *place;    /* with a reference */
    ngx_http_sync_peers_addr_t    *addr;     /* while it is used, */
    ngx_uint_t                     n;        /* its number */
    uint32_t                       tried;    /* a bit each */
    unsigned                       fresh:1;  /* no kept connection any more */
} ngx_http_sync_peers_data_t;


static ngx_int_t ngx_http_sync_peers_init_upstream(ngx_conf_t *cf,
    ngx_http_upstream_srv_conf_t *us);
static ngx_int_t ngx_http_sync_peers_init_peer(ngx_http_request_t *r,
    ngx_http_upstream_srv_conf_t *us);
static void ngx_http_sync_peers_cleanup(void *data);
static ngx_int_t ngx_http_sync_peers_get(ngx_peer_connection_t *pc,
    void *data);
static ngx_int_t ngx_http_sync_peers_choose(ngx_http_sync_peers_data_t *pd);
static void ngx_http_sync_peers_free(ngx_peer_connection_t *pc, void *data,
    ngx_uint_t state);
static void ngx_http_sync_peers_failed(ngx_peer_connection_t *pc,
    ngx_http_sync_peers_data_t *pd);
static ngx_uint_t ngx_http_sync_peers_whole(ngx_peer_connection_t *pc,
    ngx_http_sync_peers_data_t *pd);
#if (NGX_HTTP_SSL)
static ngx_int_t ngx_http_sync_peers_key(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, u_char *key);
static ngx_int_t ngx_http_sync_peers_name(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);
static ngx_int_t ngx_http_sync_peers_tls_session(ngx_peer_connection_t *pc,
    void *data);
static void ngx_http_sync_peers_tls_save(ngx_peer_connection_t *pc,
    void *data);
#endif
static void *ngx_http_sync_peers_create_conf(ngx_conf_t *cf);
static char *ngx_http_sync_peers(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_sync_peers_value(ngx_conf_t *cf, ngx_str_t *value,
    ngx_http_sync_peers_conf_t *pcf);
static void ngx_http_sync_peers_exit_process(ngx_cycle_t *cycle);


static ngx_command_t  ngx_http_sync_peers_commands[] = {

    { ngx_string("sync_peers"),
      NGX_HTTP_UPS_CONF|NGX_CONF_ANY,
      ngx_http_sync_peers,
      NGX_HTTP_SRV_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_sync_peers_module_ctx = {
    NULL,                                  /* preconfiguration */
    NULL,                                  /* postconfiguration */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    ngx_http_sync_peers_create_conf,       /* create server configuration */
    NULL,                                  /* merge server configuration */

    NULL,                                  /* create location configuration */
    NULL                                   /* merge location configuration */
};


ngx_module_t  ngx_http_sync_peers_module = {
    NGX_MODULE_V1,
    &ngx_http_sync_peers_module_ctx,       /* module context */
    ngx_http_sync_peers_commands,          /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_http_sync_peers_exit_process,      /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


/* The parameters, with what is said of them when they are wrong. */

static const struct {
    ngx_str_t    name;
    size_t       offset;
    ngx_uint_t   time;                   /* 1: ms, 2: s */
    ngx_int_t    least;
    const char  *what;
} ngx_http_sync_peers_params[] = {

    { ngx_string("keepalive="),
      offsetof(ngx_http_sync_peers_conf_t, keepalive), 0, 0, "a number" },

    { ngx_string("total="),
      offsetof(ngx_http_sync_peers_conf_t, total), 0, 1,
      "a number above 0" },

    { ngx_string("requests="),
      offsetof(ngx_http_sync_peers_conf_t, requests), 0, 1,
      "a number above 0" },

    { ngx_string("timeout="),
      offsetof(ngx_http_sync_peers_conf_t, timeout), 1, 1,
      "a time above 0, as \"60s\"" },

    { ngx_string("time="),
      offsetof(ngx_http_sync_peers_conf_t, time), 1, 1,
      "a time above 0, as \"1h\"" },

    { ngx_string("max_fails="),
      offsetof(ngx_http_sync_peers_conf_t, max_fails), 0, 0, "a number" },

    { ngx_string("fail_timeout="),
      offsetof(ngx_http_sync_peers_conf_t, fail_timeout), 1, 1,
      "a time above 0, as \"10s\"" },

    { ngx_string("stale="),
      offsetof(ngx_http_sync_peers_conf_t, stale), 2, 0,
      "a time, as \"1h\"" },

    { ngx_null_string, 0, 0, 0, NULL }
};


static ngx_int_t
ngx_http_sync_peers_init_upstream(ngx_conf_t *cf,
    ngx_http_upstream_srv_conf_t *us)
{
    us->peer.init = ngx_http_sync_peers_init_peer;

    return NGX_OK;
}


/*
 * Called before the peers of all groups are wrapped: since 1.29.7 NGINX has
 * wrapped them by a keepalive of its own, which knows addresses alone.
 */

ngx_int_t
ngx_http_sync_peers_init(ngx_conf_t *cf, ngx_http_sync_main_conf_t *smcf)
{
    const char                    *what;
    ngx_http_upstream_srv_conf_t  *us;
    ngx_http_sync_peers_conf_t    *pcf;

    us = smcf->peers;

    if (us == NULL) {
        return NGX_OK;
    }

    what = NULL;

    if (us->peer.init_upstream != ngx_http_sync_peers_init_upstream) {
        what = "no other method and no \"keepalive\" beside it";

    } else if (us->servers->nelts != 1) {
        what = "no \"server\": documents say where connectors are";

#if (NGX_HTTP_UPSTREAM_ZONE)
    } else if (us->shm_zone != NULL) {
        what = "no \"zone\": each worker knows its own peers";
#endif
    }

    if (what != NULL) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"sync_peers\" takes %s, in upstream \"%V\", %s:%ui",
                      what, &us->host, us->file_name, us->line);
        return NGX_ERROR;
    }

    us->peer.init = ngx_http_sync_peers_init_peer;

    pcf = ngx_http_conf_upstream_srv_conf(us, ngx_http_sync_peers_module);

    pcf->fetch = ngx_http_sync_fetch_conf(cf);

    return pcf->fetch != NULL ? NGX_OK : NGX_ERROR;
}


ngx_uint_t
ngx_http_sync_peers_verified(ngx_http_request_t *r)
{
#if (NGX_HTTP_SSL)
    ngx_http_upstream_conf_t   *u;
    ngx_http_sync_main_conf_t  *smcf;

    smcf = ngx_http_get_module_main_conf(r, ngx_http_sync_module);

    if (smcf->proxy == NULL) {
        return 0;
    }

    u = r->loc_conf[smcf->proxy->ctx_index];

    return u->ssl_verify == 1;
#else
    return 0;
#endif
}


ngx_int_t
ngx_http_sync_peers_unverified(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, const char *why)
{
    ngx_str_t  name;

    name.len = ctx->route.c.name.len;
    name.data = ctx->route.c.name.data;

    ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                  "peers: nothing is sent to connector \"%V\" by URL, because "
                  "%s here; \"include sync/connector.conf\" and \"proxy_pass "
                  "https://$sync_upstream$sync_upstream_uri\" say what is "
                  "needed", &name, why);

    return ngx_http_sync_problem(ctx, NGX_HTTP_INTERNAL_SERVER_ERROR,
                                 "connector-unverified",
                                 "The connector would not be verified",
                                 NGX_HTTP_SYNC_TECHNICAL,
                                 "nothing is sent where the certificate of "
                                 "the connector is not verified");
}


static ngx_int_t
ngx_http_sync_peers_init_peer(ngx_http_request_t *r,
    ngx_http_upstream_srv_conf_t *us)
{
    u_char                       key[NGX_HTTP_SYNC_PEERS_KEY];
    ngx_pool_cleanup_t          *cln;
    ngx_http_upstream_t         *u;
    ngx_http_sync_ctx_t         *ctx;
    ngx_http_sync_peers_set_t   *set;
    ngx_http_sync_peers_data_t  *pd;

    ctx = ngx_http_sync_get_ctx(r);
    set = ctx != NULL && r == r->main ? ngx_http_sync_peers_set(ctx) : NULL;

    if (set == NULL) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "peers: upstream \"%V\" is for connectors by URL alone",
                      &us->host);
        return NGX_ERROR;
    }

    u = r->upstream;

#if (NGX_HTTP_SSL)

    if (!u->ssl || !u->conf->ssl_verify) {
        (void) ngx_http_sync_peers_unverified(r, ctx, u->ssl
                                              ? "proxy_ssl_verify is off"
                                              : "proxy_pass says http://");
        return NGX_ERROR;
    }

    if (ngx_http_sync_peers_name(r, ctx) != NGX_OK
        || ngx_http_sync_peers_key(r, ctx, key) != NGX_OK)
    {
        return NGX_ERROR;
    }

#else

    (void) ngx_http_sync_peers_unverified(r, ctx, "NGINX has no TLS");
    return NGX_ERROR;

#endif

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_sync_peers_data_t));
    if (cln == NULL) {
        return NGX_ERROR;
    }

    pd = cln->data;
    ngx_memzero(pd, sizeof(ngx_http_sync_peers_data_t));

    pd->place = ngx_http_sync_peers_place(key);
    if (pd->place == NULL) {
        return NGX_ERROR;
    }

    cln->handler = ngx_http_sync_peers_cleanup;

    pd->request = r;
    pd->set = set;
    pd->conf = ngx_http_conf_upstream_srv_conf(us, ngx_http_sync_peers_module);

    u->peer.data = pd;
    u->peer.get = ngx_http_sync_peers_get;
    u->peer.free = ngx_http_sync_peers_free;
    u->peer.notify = NULL;
    u->peer.tries = set->n;

#if (NGX_HTTP_SSL)
    u->peer.set_session = ngx_http_sync_peers_tls_session;
    u->peer.save_session = ngx_http_sync_peers_tls_save;
#endif

    return NGX_OK;
}


static void
ngx_http_sync_peers_cleanup(void *data)
{
    ngx_http_sync_peers_data_t *pd = data;

    ngx_http_sync_peers_leave(pd->place);
}


static ngx_int_t
ngx_http_sync_peers_get(ngx_peer_connection_t *pc, void *data)
{
    ngx_http_sync_peers_data_t *pd = data;

    ngx_connection_t  *c;

    pc->cached = 0;
    pc->connection = NULL;

    if (ngx_http_sync_peers_choose(pd) != NGX_OK) {
        return NGX_BUSY;
    }

    pd->addr->active++;

    pc->sockaddr = &pd->addr->sockaddr.sockaddr;
    pc->socklen = pd->addr->socklen;
    pc->name = &pd->addr->name;

    c = pd->fresh ? NULL
                  : ngx_http_sync_peers_take(pd->place, pd->addr, pc->log);

    if (c == NULL) {
        return NGX_OK;
    }

    pc->connection = c;
    pc->cached = 1;

    return NGX_DONE;
}


/*
 * The address with the fewest requests, of those that do not pause after a
 * failure; then the one with an idle connection.  If all pause, none does.
 */

static ngx_int_t
ngx_http_sync_peers_choose(ngx_http_sync_peers_data_t *pd)
{
    ngx_uint_t                   i, n, pauses, idle, best_idle;
    ngx_uint_t                   best_pauses;
    ngx_http_sync_peers_addr_t  *addr, *best;

    best = NULL;
    best_pauses = 0;
    best_idle = 0;

    for (i = 0; i < pd->set->n; i++) {
        n = (pd->conf->turn + i) % pd->set->n;
        addr = pd->set->addrs[n];

        if (pd->tried & 1u << n) {
            continue;
        }

        pauses = pd->conf->max_fails && addr->fails >= pd->conf->max_fails
                 && ngx_current_msec - addr->failed < pd->conf->fail_timeout;

        idle = !pd->fresh && ngx_http_sync_peers_idle(pd->place, addr);

        if (best == NULL || pauses < best_pauses
            || (pauses == best_pauses
                && (addr->active < best->active
                    || (addr->active == best->active && idle > best_idle))))
        {
            best = addr;
            best_pauses = pauses;
            best_idle = idle;
            pd->n = n;
        }
    }

    pd->addr = best;
    pd->conf->turn++;

    return best != NULL ? NGX_OK : NGX_DECLINED;
}


static void
ngx_http_sync_peers_free(ngx_peer_connection_t *pc, void *data,
    ngx_uint_t state)
{
    ngx_http_sync_peers_data_t *pd = data;

    if (pd->addr == NULL) {
        return;
    }

    if (state & NGX_PEER_FAILED) {
        ngx_http_sync_peers_failed(pc, pd);

    } else {
        pd->tried |= 1u << pd->n;
        pd->addr->fails = 0;

        if (ngx_http_sync_peers_whole(pc, pd)
            && ngx_http_sync_peers_keep(pd->place, pd->conf, pd->addr,
                                        pc->connection)
               == NGX_OK)
        {
            pc->connection = NULL;
        }
    }

    pd->addr->active--;
    pd->addr = NULL;

    if (pc->tries) {
        pc->tries--;
    }
}


static void
ngx_http_sync_peers_failed(ngx_peer_connection_t *pc,
    ngx_http_sync_peers_data_t *pd)
{
    ngx_connection_t  *c;

    c = pc->connection;

    if (pc->cached && c != NULL && !c->read->timedout && !c->write->timedout
        && pd->request->upstream->state->bytes_received == 0)
    {
        /*
         * Kept too long: the peer had closed it.  NGINX gives the try back,
         * where the request may be sent again, and it gets a new connection.
         */

        pd->fresh = 1;
        return;
    }

    pd->tried |= 1u << pd->n;

    pd->addr->fails++;
    pd->addr->failed = ngx_current_msec;

    if (pd->addr->fails == pd->conf->max_fails && pd->set->n > 1) {
        ngx_log_error(NGX_LOG_WARN, pc->log, 0,
                      "peers: %V pauses after a failure", &pd->addr->name);
    }

#if (NGX_HTTP_SSL)

    /* what could not be verified is not resumed either */

    ngx_http_sync_peers_drop_session(pd->place);

#endif
}


/* The answer is read to its end, and so is the request sent. */

static ngx_uint_t
ngx_http_sync_peers_whole(ngx_peer_connection_t *pc,
    ngx_http_sync_peers_data_t *pd)
{
    ngx_connection_t     *c;
    ngx_http_upstream_t  *u;

    c = pc->connection;
    u = pd->request->upstream;

    return c != NULL
           && !c->read->eof && !c->read->error && !c->read->timedout
           && !c->write->error && !c->write->timedout
           && u->keepalive && u->request_body_sent
           && c->requests < pd->conf->requests
           && ngx_current_msec - c->start_time <= pd->conf->time
           && !ngx_terminate && !ngx_exiting;
}


#if (NGX_HTTP_SSL)

/*
 * The certificate must have the name that the document says, whatever the
 * location says; without proxy_ssl_name, NGINX would take that of the group.
 */

static ngx_int_t
ngx_http_sync_peers_name(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx)
{
    ngx_str_t             name;
    ngx_http_upstream_t  *u;

    u = r->upstream;

    if (u->conf->ssl_name == NULL) {
        u->ssl_name = ctx->route.tls_name;
        return NGX_OK;
    }

    if (ngx_http_complex_value(r, u->conf->ssl_name, &name) != NGX_OK) {
        return NGX_ERROR;
    }

    if (name.len == ctx->route.tls_name.len
        && ngx_strncasecmp(name.data, ctx->route.tls_name.data, name.len) == 0)
    {
        return NGX_OK;
    }

    (void) ngx_http_sync_peers_unverified(r, ctx, "proxy_ssl_name is not "
                                          "$sync_upstream_tls_name");
    return NGX_ERROR;
}


/* What two requests have in common that may share a connection. */

static ngx_int_t
ngx_http_sync_peers_key(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    u_char *key)
{
    uint32_t              i, len;
    ngx_str_t             part[4];
    sync_sha256_t         hash;
    ngx_http_upstream_t  *u;

    u = r->upstream;

    ngx_memzero(part, sizeof(part));

    part[0].len = ctx->route.c.address.len;
    part[0].data = ctx->route.c.address.data;
    part[1] = ctx->route.tls_name;

    if (u->conf->ssl_certificate != NULL
        && ngx_http_complex_value(r, u->conf->ssl_certificate, &part[2])
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (u->conf->ssl_certificate_key != NULL
        && ngx_http_complex_value(r, u->conf->ssl_certificate_key, &part[3])
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    sync_sha256_init(&hash);

    for (i = 0; i < 4; i++) {
        len = (uint32_t) part[i].len;

        sync_sha256_update(&hash, &len, sizeof(len));
        sync_sha256_update(&hash, part[i].data, part[i].len);
    }

    sync_sha256_update(&hash, &ctx->route.c.port, sizeof(ctx->route.c.port));

    /* settings of TLS, as of all that a location says of its upstream */

    sync_sha256_update(&hash, &u->conf, sizeof(u->conf));

    if (u->peer.local != NULL) {
        sync_sha256_update(&hash, u->peer.local->sockaddr,
                           u->peer.local->socklen);
    }

    sync_sha256_final(&hash, key);

    return NGX_OK;
}


static ngx_int_t
ngx_http_sync_peers_tls_session(ngx_peer_connection_t *pc, void *data)
{
    ngx_http_sync_peers_data_t *pd = data;

    return ngx_http_sync_peers_set_session(pd->place, pc->connection);
}


/* Also long after the handshake, as TLS 1.3 has it. */

static void
ngx_http_sync_peers_tls_save(ngx_peer_connection_t *pc, void *data)
{
    ngx_http_sync_peers_data_t *pd = data;

    ngx_http_sync_peers_save_session(pd->place, pc->connection);
}

#endif


static void *
ngx_http_sync_peers_create_conf(ngx_conf_t *cf)
{
    ngx_http_sync_peers_conf_t  *pcf;

    pcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_sync_peers_conf_t));
    if (pcf == NULL) {
        return NULL;
    }

    pcf->keepalive = 8;
    pcf->total = 512;
    pcf->requests = 1000;
    pcf->timeout = 60000;
    pcf->time = 3600000;
    pcf->max_fails = 1;
    pcf->fail_timeout = 10000;
    pcf->stale = 3600;

    return pcf;
}


static char *
ngx_http_sync_peers(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_sync_peers_conf_t *pcf = conf;

    char                          *rv;
    ngx_str_t                     *value;
    ngx_uint_t                     i;
    ngx_http_upstream_server_t    *server;
    ngx_http_sync_main_conf_t     *smcf;
    ngx_http_upstream_srv_conf_t  *us;

    us = ngx_http_conf_get_module_srv_conf(cf, ngx_http_upstream_module);
    smcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_sync_module);

    if (smcf->peers == us) {
        return "is duplicate";
    }

    if (smcf->peers != NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"sync_peers\" stands in upstream \"%V\" already, "
                           "which all connectors by URL use",
                           &smcf->peers->host);
        return NGX_CONF_ERROR;
    }

    if (us->peer.init_upstream != NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"sync_peers\" takes no other method and no "
                           "\"keepalive\" beside it");
        return NGX_CONF_ERROR;
    }

    smcf->peers = us;

    us->peer.init_upstream = ngx_http_sync_peers_init_upstream;
    us->flags = NGX_HTTP_UPSTREAM_CREATE;

    /* NGINX wants a server in each group */

    server = ngx_array_push(us->servers);
    if (server == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(server, sizeof(ngx_http_upstream_server_t));

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {
        rv = ngx_http_sync_peers_value(cf, &value[i], pcf);

        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    return ngx_http_sync_use(cf, &ngx_http_sync_resolve_step) == NGX_OK
           ? NGX_CONF_OK : NGX_CONF_ERROR;
}


static char *
ngx_http_sync_peers_value(ngx_conf_t *cf, ngx_str_t *value,
    ngx_http_sync_peers_conf_t *pcf)
{
    size_t       len;
    ngx_int_t    n;
    ngx_str_t    s;
    ngx_uint_t   i;

    for (i = 0; ngx_http_sync_peers_params[i].name.len; i++) {
        len = ngx_http_sync_peers_params[i].name.len;

        if (value->len < len
            || ngx_strncmp(value->data,
                           ngx_http_sync_peers_params[i].name.data, len)
               != 0)
        {
            continue;
        }

        s.len = value->len - len;
        s.data = value->data + len;

        n = ngx_http_sync_peers_params[i].time
            ? ngx_parse_time(&s, ngx_http_sync_peers_params[i].time == 2)
            : ngx_atoi(s.data, s.len);

        if (n < ngx_http_sync_peers_params[i].least) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"sync_peers\": \"%V\" is not %s", value,
                               ngx_http_sync_peers_params[i].what);
            return NGX_CONF_ERROR;
        }

        *(ngx_int_t *) ((u_char *) pcf + ngx_http_sync_peers_params[i].offset)
                                                                           = n;
        return NGX_CONF_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"sync_peers\": unknown parameter \"%V\"; known are "
                       "keepalive=, total=, requests=, timeout=, time=, "
                       "max_fails=, fail_timeout= and stale=", value);

    return NGX_CONF_ERROR;
}


static void
ngx_http_sync_peers_exit_process(ngx_cycle_t *cycle)
{
    ngx_http_sync_peers_resolve_exit();
    ngx_http_sync_peers_pool_exit();
}
