
/*
 * Sessions at connectors: a login (or a token against forged requests) that
 * a document declares is asked for before the first request, kept by this
 * worker, shown by all that follow, and renewed when the target refuses it.
 *
 * One request logs in, aside, in its own exchange; those that come meanwhile
 * wait for what it gets.  A login that fails is not tried again for a while,
 * which grows: a wrong password must not lock an account.
 *
 * It has no directive: it acts where sync_entity does.
 */


#include "ngx_http_sync_session.h"
#include "sync_body.h"
#include "sync_template.h"


#define NGX_HTTP_SYNC_SESSION_ROOM      32768    /* for a login's body */


static ngx_uint_t ngx_http_sync_session_enabled(ngx_http_request_t *r);
static ngx_uint_t ngx_http_sync_session_expired_enabled(
    ngx_http_request_t *r);
static ngx_int_t ngx_http_sync_session_run(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);
static ngx_int_t ngx_http_sync_session_slot(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, ngx_http_sync_session_slot_t **slot);
static ngx_int_t ngx_http_sync_session_show(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, ngx_http_sync_session_slot_t *slot);
static ngx_int_t ngx_http_sync_session_wait(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, ngx_http_sync_session_slot_t *slot);
static void ngx_http_sync_session_late(ngx_event_t *ev);
static ngx_int_t ngx_http_sync_session_ask(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, ngx_http_sync_session_slot_t *slot);
static ngx_int_t ngx_http_sync_session_request(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, sync_doc_session_t *s,
    ngx_http_sync_aside_t *aside);
static ngx_int_t ngx_http_sync_session_body(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, sync_doc_session_t *s, ngx_str_t *body);
static ngx_int_t ngx_http_sync_session_expired_run(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);
static void ngx_http_sync_session_release(
    ngx_http_sync_session_slot_t *slot);
static void ngx_http_sync_session_cancel(ngx_http_sync_ctx_t *ctx);
static void ngx_http_sync_session_leave(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);
static char *ngx_http_sync_session_init_main_conf(ngx_conf_t *cf, void *conf);


static const ngx_http_sync_step_t  ngx_http_sync_session_step = {
    "session",
    NGX_HTTP_SYNC_STAGE_PRECONTENT,
    NGX_HTTP_SYNC_STEP_SESSION,
    ngx_http_sync_session_enabled,
    0,
    ngx_http_sync_session_run,
    ngx_http_sync_session_cancel,
    ngx_http_sync_session_leave,
    NULL
};

static const ngx_http_sync_step_t  ngx_http_sync_session_expired_step = {
    "session_expired",
    NGX_HTTP_SYNC_STAGE_RESPONSE,
    NGX_HTTP_SYNC_STEP_SESSION_EXPIRED,
    ngx_http_sync_session_expired_enabled,
    1,
    ngx_http_sync_session_expired_run,
    NULL,
    NULL,
    NULL
};


static ngx_http_module_t  ngx_http_sync_session_module_ctx = {
    NULL,                                  /* preconfiguration */
    NULL,                                  /* postconfiguration */

    NULL,                                  /* create main configuration */
    ngx_http_sync_session_init_main_conf,  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    NULL,                                  /* create location configuration */
    NULL                                   /* merge location configuration */
};


ngx_module_t  ngx_http_sync_session_module = {
    NGX_MODULE_V1,
    &ngx_http_sync_session_module_ctx,     /* module context */
    NULL,                                  /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_http_sync_session_exit_process,    /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


/* Wherever a connector is chosen. */

static ngx_uint_t
ngx_http_sync_session_enabled(ngx_http_request_t *r)
{
    return ngx_http_sync_enabled(r, NGX_HTTP_SYNC_STEP_ROUTE);
}


/* Asked for every answer: those that say nothing of a session stream. */

static ngx_uint_t
ngx_http_sync_session_expired_enabled(ngx_http_request_t *r)
{
    ngx_http_sync_ctx_t           *ctx;
    ngx_http_sync_session_slot_t  *slot;

    ctx = ngx_http_sync_get_ctx(r);

    if (ctx == NULL) {
        return 0;
    }

    slot = ctx->slots[NGX_HTTP_SYNC_STEP_SESSION];

    if (slot == NULL) {
        return 0;
    }

    if (ctx->aside != NULL) {
        return slot->leading;
    }

    return slot->serial != 0
           && ngx_http_sync_session_over(r, ctx, 0)
           && ngx_http_sync_may_send_again(r, ctx,
                                        NGX_HTTP_SYNC_STEP_SESSION_EXPIRED);
}


static ngx_int_t
ngx_http_sync_session_run(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx)
{
    ngx_int_t                      rc;
    ngx_http_sync_session_t       *s;
    sync_doc_session_t             session;
    ngx_http_sync_session_slot_t  *slot;

    if (ctx->route.connector == SYNC_DOC_NONE || !ctx->route.c.session) {
        return NGX_DECLINED;
    }

    rc = ngx_http_sync_session_slot(r, ctx, &slot);
    if (rc != NGX_OK) {
        return rc;
    }

    s = slot->session;

    /* it, too, is not for a peer whose TLS is not verified */

    ctx->route.secret = 1;

    if (slot->waiting) {
        slot->waiting = 0;
        ngx_queue_remove(&slot->queue);
    }

    if (slot->timer.timer_set) {
        ngx_del_timer(&slot->timer);
    }

    /* what an earlier try showed of a session is not for this one */

    if (slot->shown != NULL
        && ctx->route.authorization.data == slot->shown)
    {
        ctx->route.authorization = slot->authorization;
    }

    slot->authorization = ctx->route.authorization;
    slot->shown = NULL;
    slot->serial = 0;
    ngx_str_null(&ctx->route.cookie);

    if (sync_doc_session(ctx->tenant.doc, ctx->route.connector, &session)
        != SYNC_OK)
    {
        return NGX_ERROR;
    }

    if (s->serial && session.max_age_ms
        && ngx_current_msec - s->born >= session.max_age_ms)
    {
        ngx_http_sync_session_drop(s);
    }

    if (s->serial) {
        return ngx_http_sync_session_show(r, ctx, slot);
    }

    if (s->leader != NULL && s->leader != slot) {

        if (!slot->late) {
            return ngx_http_sync_session_wait(r, ctx, slot);
        }

        return ngx_http_sync_problem(ctx, NGX_HTTP_GATEWAY_TIME_OUT,
                                     "deadline-exceeded",
                                     "The deadline is over",
                                     NGX_HTTP_SYNC_TECHNICAL,
                                     "nothing was sent upstream");
    }

    if (s->leader == NULL && s->failures
        && (ngx_msec_int_t) (s->pause - ngx_current_msec) > 0)
    {
        return ngx_http_sync_session_problem(ctx, s);
    }

    return ngx_http_sync_session_ask(r, ctx, slot);
}


static ngx_int_t
ngx_http_sync_session_slot(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_session_slot_t **slot)
{
    u_char                         key[SYNC_SHA256_LEN];
    ngx_http_sync_session_slot_t  *sl;

    *slot = ctx->slots[NGX_HTTP_SYNC_STEP_SESSION];

    if (*slot != NULL) {
        return NGX_OK;
    }

    sl = ngx_pcalloc(r->pool, sizeof(ngx_http_sync_session_slot_t));
    if (sl == NULL) {
        return NGX_ERROR;
    }

    if (ngx_http_sync_session_key(ctx, key) != NGX_OK) {
        return ngx_http_sync_problem(ctx, NGX_HTTP_SERVICE_UNAVAILABLE,
                                     "connector-credentials",
                                     "The connector cannot be asked now",
                                     NGX_HTTP_SYNC_TECHNICAL,
                                     "a secret of the connector cannot be "
                                     "used; the operator's log says which");
    }

    if (ngx_http_sync_session_find(key, &sl->session) != NGX_OK) {
        return NGX_ERROR;
    }

    sl->ctx = ctx;
    sl->session->refs++;

    sl->timer.handler = ngx_http_sync_session_late;
    sl->timer.data = sl;
    sl->timer.log = r->connection->log;

    ctx->slots[NGX_HTTP_SYNC_STEP_SESSION] = sl;
    *slot = sl;

    return NGX_OK;
}


/* A copy: the session may go before the request does. */

static ngx_int_t
ngx_http_sync_session_show(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_session_slot_t *slot)
{
    uint32_t                       i;
    ngx_str_t                      header, value;
    sync_str_t                     name, text;
    ngx_http_sync_session_t       *s;
    ngx_http_sync_session_room_t  *room;

    s = slot->session;

    room = ngx_http_sync_session_room(r, s->size);
    if (room == NULL) {
        return NGX_ERROR;
    }

    for (i = 0;
         sync_doc_session_send_at(ctx->tenant.doc, ctx->route.connector, i,
                                  &name, &text)
         == SYNC_OK;
         i++)
    {
        value.len = s->values[i].len;
        value.data = sync_alloc(&room->arena, value.len);

        if (value.data == NULL) {
            return NGX_ERROR;
        }

        ngx_memcpy(value.data, s->values[i].data, value.len);

        if (sync_str_is(name, "authorization")) {
            ctx->route.authorization = value;
            slot->shown = value.data;
            continue;
        }

        header.data = name.data;
        header.len = name.len;

        if (ngx_http_sync_set_secret_in(r, ctx, &header, &value) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (s->cookie.len) {
        value.len = s->cookie.len;
        value.data = sync_alloc(&room->arena, value.len);

        if (value.data == NULL) {
            return NGX_ERROR;
        }

        ngx_memcpy(value.data, s->cookie.data, value.len);
        ctx->route.cookie = value;
    }

    slot->serial = s->serial;

    return NGX_OK;
}


static ngx_int_t
ngx_http_sync_session_wait(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_session_slot_t *slot)
{
    ngx_msec_t                 left;
    ngx_http_sync_loc_conf_t  *slcf;

    slcf = ngx_http_get_module_loc_conf(r, ngx_http_sync_module);

    /* a deadline that nobody asked for is that of the exchange alone */

    left = slcf->deadline_set || ctx->resend != NULL
           ? ngx_http_sync_left(ctx) : slcf->deadline;

    slot->waiting = 1;
    ngx_queue_insert_tail(&slot->session->waiters, &slot->queue);

    ngx_add_timer(&slot->timer, left ? left : 1);

    return NGX_AGAIN;
}


static void
ngx_http_sync_session_late(ngx_event_t *ev)
{
    ngx_http_sync_session_slot_t *slot = ev->data;

    slot->late = 1;
    ngx_http_sync_wake(slot->ctx);
}


/* This request logs in. */

static ngx_int_t
ngx_http_sync_session_ask(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_session_slot_t *slot)
{
    uint32_t                 i;
    ngx_int_t                rc;
    ngx_str_t                header;
    sync_str_t               name, text;
    sync_doc_session_t       session;
    ngx_http_sync_aside_t   *aside;

    /* its own body waits meanwhile, read as a whole */

    rc = ngx_http_sync_read_body(r, ctx);
    if (rc != NGX_OK) {
        return rc;
    }

    aside = ngx_pcalloc(r->pool, sizeof(ngx_http_sync_aside_t));
    if (aside == NULL) {
        return NGX_ERROR;
    }

    (void) sync_doc_session(ctx->tenant.doc, ctx->route.connector, &session);

    rc = ngx_http_sync_session_request(r, ctx, &session, aside);
    if (rc != NGX_OK) {
        return rc;
    }

    for (i = 0;
         sync_doc_session_send_at(ctx->tenant.doc, ctx->route.connector, i,
                                  &name, &text)
         == SYNC_OK;
         i++)
    {
        header.data = name.data;
        header.len = name.len;

        if (!sync_str_is(name, "authorization")
            && ngx_http_sync_set_header_in(r, &header, NULL) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    if (ngx_http_sync_ask_aside(r, ctx, aside) != NGX_OK) {
        return NGX_ERROR;
    }

    slot->leading = 1;
    slot->session->leader = slot;

    ngx_http_sync_trace(ctx, "session", "logs in");

    return NGX_OK;
}


static ngx_int_t
ngx_http_sync_session_request(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    sync_doc_session_t *s, ngx_http_sync_aside_t *aside)
{
    u_char                  *p;
    uint32_t                 i;
    sync_str_t               target, name, value;
    sync_error_t             err;
    ngx_keyval_t            *header;
    sync_template_values_t   values;

    ngx_memzero(&values, sizeof(values));

    if (sync_template_render(s->code, &values, &ctx->arena, &target, &err)
        != SYNC_OK)
    {
        return NGX_ERROR;
    }

    p = ngx_pnalloc(r->pool, ctx->route.c.path.len + target.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    aside->uri.data = p;
    aside->uri.len = ctx->route.c.path.len + target.len;

    p = ngx_cpymem(p, ctx->route.c.path.data, ctx->route.c.path.len);
    ngx_memcpy(p, target.data, target.len);

    aside->method.data = s->method.data;
    aside->method.len = s->method.len;

    if (ngx_array_init(&aside->headers, r->pool, s->headers + 1,
                       sizeof(ngx_keyval_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (i = 0;
         sync_doc_session_header_at(ctx->tenant.doc, ctx->route.connector, i,
                                    &name, &value)
         == SYNC_OK;
         i++)
    {
        header = ngx_array_push(&aside->headers);
        if (header == NULL) {
            return NGX_ERROR;
        }

        header->key.data = name.data;
        header->key.len = name.len;
        header->value.data = value.data;
        header->value.len = value.len;
    }

    if (s->body.len) {
        ngx_str_set(&aside->type, "application/json");
        return ngx_http_sync_session_body(r, ctx, s, &aside->body);
    }

    if (!sync_str_is(s->method, "GET")) {
        ngx_str_set(&aside->body, "");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_sync_session_body(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    sync_doc_session_t *s, ngx_str_t *body)
{
    sync_rc_t                      rc;
    sync_str_t                     text;
    sync_json_t                    json;
    sync_error_t                   err;
    sync_json_limits_t             limits;
    sync_body_values_t             values;
    ngx_http_sync_session_room_t  *room;

    ngx_memzero(&limits, sizeof(sync_json_limits_t));
    ngx_memzero(&values, sizeof(sync_body_values_t));

    room = ngx_http_sync_session_room(r, NGX_HTTP_SYNC_SESSION_ROOM);

    if (room == NULL
        || sync_json_parse(&json, &ctx->arena, s->body, &limits, &err)
           != SYNC_OK)
    {
        return NGX_ERROR;
    }

    values.secret = ngx_http_sync_secret;
    values.data = ctx;

    rc = sync_body_render(&json, &values, &room->arena,
                          NGX_HTTP_SYNC_SESSION_ROOM, &text, &err);

    if (rc == SYNC_NO) {
        return ngx_http_sync_problem(ctx, NGX_HTTP_SERVICE_UNAVAILABLE,
                                     "connector-credentials",
                                     "The connector cannot be asked now",
                                     NGX_HTTP_SYNC_TECHNICAL, "%s", err.text);
    }

    if (rc != SYNC_OK) {
        return NGX_ERROR;
    }

    body->data = text.data;
    body->len = text.len;

    return NGX_OK;
}


static ngx_int_t
ngx_http_sync_session_expired_run(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx)
{
    ngx_str_t                      name;
    ngx_http_sync_session_t       *s;
    ngx_http_sync_session_slot_t  *slot;

    slot = ctx->slots[NGX_HTTP_SYNC_STEP_SESSION];
    s = slot->session;

    if (ctx->aside != NULL) {
        return ngx_http_sync_session_took(r, ctx, slot);
    }

    if (!ngx_http_sync_session_over(r, ctx, 1)) {
        return NGX_OK;
    }

    /* another request may have renewed it already */

    if (s->serial == slot->serial) {
        ngx_http_sync_session_drop(s);
    }

    slot->serial = 0;

    name.data = ctx->route.c.name.data;
    name.len = ctx->route.c.name.len;

    ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                  "session: that of connector \"%V\" of tenant \"%V\" is over, "
                  "the request is sent again", &name, &ctx->tenant.name);

    return NGX_HTTP_SYNC_SEND_AGAIN;
}


static void
ngx_http_sync_session_release(ngx_http_sync_session_slot_t *slot)
{
    ngx_http_sync_session_t  *s;

    s = slot->session;

    if (slot->waiting) {
        ngx_queue_remove(&slot->queue);
    }

    if (slot->timer.timer_set) {
        ngx_del_timer(&slot->timer);
    }

    s->refs--;

    if (slot->leading) {

        /* it has gone in the middle: another one tries */

        s->leader = NULL;
        ngx_http_sync_session_wake(s);
    }
}


static void
ngx_http_sync_session_cancel(ngx_http_sync_ctx_t *ctx)
{
    ngx_http_sync_session_slot_t  *slot;

    slot = ctx->slots[NGX_HTTP_SYNC_STEP_SESSION];

    if (slot != NULL) {
        ctx->slots[NGX_HTTP_SYNC_STEP_SESSION] = NULL;
        ngx_http_sync_session_release(slot);
    }
}


/*
 * An error_page leads elsewhere, and with it NGINX' own answer to a login that
 * nobody has seen.
 */

static void
ngx_http_sync_session_leave(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx)
{
    ngx_http_sync_session_slot_t  *slot;

    slot = ctx->slots[NGX_HTTP_SYNC_STEP_SESSION];

    if (slot != NULL && slot->leading) {
        (void) ngx_http_sync_session_fail(ctx, slot, 0, "nobody answered");
        ctx->problem.status = 0;
    }

    ngx_http_sync_session_cancel(ctx);

    ngx_str_null(&ctx->route.cookie);

    ctx->done &= ~(1u << NGX_HTTP_SYNC_STEP_SESSION
                   | 1u << NGX_HTTP_SYNC_STEP_SESSION_EXPIRED);
}


/* All directives are read: does a sync_entity stand anywhere? */

static char *
ngx_http_sync_session_init_main_conf(ngx_conf_t *cf, void *conf)
{
    ngx_http_sync_main_conf_t  *smcf;

    smcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_sync_module);

    if (smcf->configured[NGX_HTTP_SYNC_STEP_ENTITY] == NULL) {
        return NGX_CONF_OK;
    }

    return ngx_http_sync_use(cf, &ngx_http_sync_session_step) == NGX_OK
           && ngx_http_sync_use(cf, &ngx_http_sync_session_expired_step)
              == NGX_OK
           ? NGX_CONF_OK : NGX_CONF_ERROR;
}
