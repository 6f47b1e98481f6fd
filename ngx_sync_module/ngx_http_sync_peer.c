
/*
 * The peer wrapper: around the balancer of every upstream group.  It knows
 * whether a request was sent, ends the tries of a claimed request once it was,
 * and lets nothing leave after the deadline.
 *
 * NGINX looks whether there are tries left before it throws an answer away that
 * proxy_next_upstream names by its status: while a claimed request is with a
 * peer it sees the last one, so that the answer goes to the client.
 */


#include "ngx_http_sync_core.h"


typedef struct {
    ngx_http_upstream_srv_conf_t       *us;
    ngx_http_upstream_init_peer_pt      init;
} ngx_http_sync_wrapped_t;


typedef struct {
    ngx_http_request_t                 *request;
    ngx_http_sync_ctx_t                *ctx;

    ngx_uint_t                          tries;   /* in truth; 0: pc says it */

    void                               *data;
    ngx_event_get_peer_pt               get;
    ngx_event_free_peer_pt              free;
    ngx_event_notify_peer_pt            notify;
#if (NGX_HTTP_SSL)
    ngx_event_set_peer_session_pt       set_session;
    ngx_event_save_peer_session_pt      save_session;
#endif
} ngx_http_sync_peer_t;


static ngx_int_t ngx_http_sync_init_peer(ngx_http_request_t *r,
    ngx_http_upstream_srv_conf_t *us);
static ngx_int_t ngx_http_sync_peer_trusted(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);
static ngx_int_t ngx_http_sync_get_peer(ngx_peer_connection_t *pc,
    void *data);
static void ngx_http_sync_free_peer(ngx_peer_connection_t *pc, void *data,
    ngx_uint_t state);
static void ngx_http_sync_notify_peer(ngx_peer_connection_t *pc, void *data,
    ngx_uint_t type);
#if (NGX_HTTP_SSL)
static ngx_int_t ngx_http_sync_set_session(ngx_peer_connection_t *pc,
    void *data);
static void ngx_http_sync_save_session(ngx_peer_connection_t *pc, void *data);
#endif


char *
ngx_http_sync_wrap_peers(ngx_conf_t *cf)
{
    ngx_uint_t                       i;
    ngx_http_sync_wrapped_t         *w;
    ngx_http_sync_main_conf_t       *smcf;
    ngx_http_upstream_srv_conf_t   **usp;
    ngx_http_upstream_main_conf_t   *umcf;

    smcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_sync_module);
    umcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_upstream_module);

    smcf->wrapped = ngx_array_create(cf->pool, 8,
                                     sizeof(ngx_http_sync_wrapped_t));
    if (smcf->wrapped == NULL) {
        return NGX_CONF_ERROR;
    }

    usp = umcf->upstreams.elts;

    for (i = 0; i < umcf->upstreams.nelts; i++) {

        if (usp[i]->peer.init == NULL) {
            continue;
        }

        w = ngx_array_push(smcf->wrapped);
        if (w == NULL) {
            return NGX_CONF_ERROR;
        }

        w->us = usp[i];
        w->init = usp[i]->peer.init;

        usp[i]->peer.init = ngx_http_sync_init_peer;
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_sync_init_peer(ngx_http_request_t *r,
    ngx_http_upstream_srv_conf_t *us)
{
    ngx_uint_t                  i;
    ngx_http_upstream_t        *u;
    ngx_http_sync_ctx_t        *ctx;
    ngx_http_sync_peer_t       *peer;
    ngx_http_sync_wrapped_t    *w;
    ngx_http_sync_main_conf_t  *smcf;

    smcf = ngx_http_get_module_main_conf(r, ngx_http_sync_module);
    w = smcf->wrapped->elts;

    for (i = 0; w[i].us != us; i++) { /* void */ }

    if (w[i].init(r, us) != NGX_OK) {
        return NGX_ERROR;
    }

    ctx = ngx_http_sync_get_ctx(r);

    if (ctx == NULL || r != r->main) {
        return NGX_OK;
    }

    if (ngx_http_sync_peer_trusted(r, ctx) != NGX_OK) {
        return NGX_ERROR;
    }

    peer = ngx_palloc(r->pool, sizeof(ngx_http_sync_peer_t));
    if (peer == NULL) {
        return NGX_ERROR;
    }

    u = r->upstream;

    peer->request = r;
    peer->ctx = ctx;
    peer->tries = 0;
    peer->data = u->peer.data;
    peer->get = u->peer.get;
    peer->free = u->peer.free;
    peer->notify = u->peer.notify;

    u->peer.data = peer;
    u->peer.get = ngx_http_sync_get_peer;
    u->peer.free = ngx_http_sync_free_peer;

    if (peer->notify != NULL) {
        u->peer.notify = ngx_http_sync_notify_peer;
    }

#if (NGX_HTTP_SSL)
    peer->set_session = u->peer.set_session;
    peer->save_session = u->peer.save_session;

    if (peer->set_session != NULL) {
        u->peer.set_session = ngx_http_sync_set_session;
    }

    if (peer->save_session != NULL) {
        u->peer.save_session = ngx_http_sync_save_session;
    }
#endif

    return NGX_OK;
}


/*
 * Before anything is connected to: credentials go to a peer whose TLS is
 * verified.  Without TLS go those alone that a document cannot have fetched or
 * sent elsewhere: the owner's upstream group and the owner's "http://".
 */

static ngx_int_t
ngx_http_sync_peer_trusted(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx)
{
#if (NGX_HTTP_SSL)

    if (!ctx->route.secret
        || (r->upstream->ssl && r->upstream->conf->ssl_verify)
        || (!r->upstream->ssl && !ctx->route.verified))
    {
        return NGX_OK;
    }

#else

    if (!ctx->route.verified) {
        return NGX_OK;
    }

#endif

    ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                  "credentials: not sent to upstream \"%V\", whose TLS is not "
                  "verified; \"proxy_pass https://...\" and \"include "
                  "sync/connector.conf\" verify it", &ctx->route.upstream);

    (void) ngx_http_sync_problem(ctx, NGX_HTTP_INTERNAL_SERVER_ERROR,
                                 "connector-unverified",
                                 "The connector cannot be asked safely",
                                 NGX_HTTP_SYNC_TECHNICAL,
                                 "nothing was sent; the operator's log says "
                                 "why");
    return NGX_ERROR;
}


static ngx_int_t
ngx_http_sync_get_peer(ngx_peer_connection_t *pc, void *data)
{
    ngx_http_sync_peer_t  *peer = data;

    ngx_int_t  rc;

    if (peer->ctx->expired) {
        return NGX_BUSY;
    }

    rc = peer->get(pc, peer->data);

    if ((rc == NGX_OK || rc == NGX_DONE) && pc->tries > 1
        && peer->ctx->claim.state == NGX_HTTP_SYNC_CLAIM_HELD)
    {
        peer->tries = pc->tries;
        pc->tries = 1;
    }

    return rc;
}


static void
ngx_http_sync_free_peer(ngx_peer_connection_t *pc, void *data,
    ngx_uint_t state)
{
    ngx_http_sync_peer_t  *peer = data;

    ngx_uint_t  sent;

    /* request_sent is of this try alone, and flips before the first write */

    sent = peer->request->upstream->request_sent;

    /* a login that was sent is not the request */

    if (sent && peer->ctx->aside != NULL) {
        sent = 0;
    }

    if (sent) {
        peer->ctx->sent = 1;
    }

    if (peer->tries) {
        pc->tries = peer->tries;
        peer->tries = 0;
    }

    peer->free(pc, peer->data, state);

    if (peer->ctx->expired
        || (sent && peer->ctx->claim.state == NGX_HTTP_SYNC_CLAIM_HELD))
    {
        /* a stale keepalive connection would add a try */

        pc->tries = 0;
        pc->cached = 0;
    }
}


static void
ngx_http_sync_notify_peer(ngx_peer_connection_t *pc, void *data,
    ngx_uint_t type)
{
    ngx_http_sync_peer_t  *peer = data;

    peer->notify(pc, peer->data, type);
}


#if (NGX_HTTP_SSL)

static ngx_int_t
ngx_http_sync_set_session(ngx_peer_connection_t *pc, void *data)
{
    ngx_http_sync_peer_t  *peer = data;

    return peer->set_session(pc, peer->data);
}


static void
ngx_http_sync_save_session(ngx_peer_connection_t *pc, void *data)
{
    ngx_http_sync_peer_t  *peer = data;

    peer->save_session(pc, peer->data);
}

#endif


ngx_uint_t
ngx_http_sync_was_sent(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx)
{
    ngx_uint_t                  i;
    ngx_http_upstream_state_t  *state;

    if (ctx->aside != NULL) {
        return 0;
    }

    if (ctx->sent || (r->upstream != NULL && r->upstream->request_sent)) {
        return 1;
    }

    /* a peer that is no group of the configuration has no wrapper */

    if (r->upstream_states == NULL) {
        return 0;
    }

    state = r->upstream_states->elts;

    for (i = ctx->tried; i < r->upstream_states->nelts; i++) {
        if (state[i].bytes_sent > 0) {
            return 1;
        }
    }

    return 0;
}
