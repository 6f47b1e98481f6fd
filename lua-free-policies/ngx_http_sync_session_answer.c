
/*
 * What a target says of a session: that it has begun, and what it is made of;
 * or that it is over.
 */


#include "ngx_http_sync_session.h"
#include "sync_path.h"


#define NGX_HTTP_SYNC_SESSION_VALUES    16       /* taken of an answer */


/* What is taken of a login's answer. */

typedef struct {
    ngx_http_sync_ctx_t           *ctx;
    sync_str_t                     names[NGX_HTTP_SYNC_SESSION_VALUES];
    sync_str_t                     values[NGX_HTTP_SYNC_SESSION_VALUES];
    ngx_uint_t                     n;
} ngx_http_sync_session_taken_t;


static ngx_uint_t ngx_http_sync_session_says(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, sync_doc_expired_t *e);
static ngx_int_t ngx_http_sync_session_take(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, ngx_http_sync_session_taken_t *taken,
    sync_session_cookies_t *cookies);
static ngx_int_t ngx_http_sync_session_take_path(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, sync_json_t *json, sync_str_t path,
    sync_str_t *value);
static ngx_int_t ngx_http_sync_session_keep(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, ngx_http_sync_session_t *s,
    ngx_http_sync_session_taken_t *taken, sync_session_cookies_t *cookies);
static sync_rc_t ngx_http_sync_session_value(void *data, int secret,
    sync_str_t name, sync_str_t *value);
static ngx_table_elt_t *ngx_http_sync_session_header(ngx_http_request_t *r,
    sync_str_t name, ngx_table_elt_t *after);


static ngx_uint_t  ngx_http_sync_session_serial;     /* of this worker */


ngx_uint_t
ngx_http_sync_session_over(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    ngx_uint_t body)
{
    uint32_t             i;
    sync_str_t           value;
    ngx_table_elt_t     *h;
    sync_doc_expired_t   e;

    if (r->upstream == NULL) {
        return 0;
    }

    for (i = 0;
         sync_doc_session_expired_at(ctx->tenant.doc, ctx->route.connector, i,
                                     &e)
         == SYNC_OK;
         i++)
    {
        if (e.status != ctx->answer.received) {
            continue;
        }

        if (e.header.len) {
            h = ngx_http_sync_session_header(r, e.header, NULL);

            if (h == NULL) {
                continue;
            }

            value.data = h->value.data;
            value.len = h->value.len;

            if (value.len != e.header_value.len
                || ngx_strncasecmp(value.data, e.header_value.data, value.len)
                   != 0)
            {
                continue;
            }
        }

        if (e.path.len && body && !ngx_http_sync_session_says(r, ctx, &e)) {
            continue;
        }

        return 1;
    }

    return 0;
}


static ngx_uint_t
ngx_http_sync_session_says(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    sync_doc_expired_t *e)
{
    sync_str_t           text, value;
    sync_json_t          json;
    sync_error_t         err;
    sync_json_limits_t   limits;

    if (ctx->answer.over || !ctx->answer.complete
        || ctx->answer.body.len == 0)
    {
        return 0;
    }

    ngx_memzero(&limits, sizeof(sync_json_limits_t));

    text.data = ctx->answer.body.data;
    text.len = ctx->answer.body.len;

    return sync_json_parse(&json, &ctx->arena, text, &limits, &err) == SYNC_OK
           && ngx_http_sync_session_take_path(r, ctx, &json, e->path, &value)
              == NGX_OK
           && sync_str_eq(value, e->path_value);
}


ngx_int_t
ngx_http_sync_session_took(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_session_slot_t *slot)
{
    ngx_int_t                       rc;
    ngx_str_t                       name;
    ngx_http_sync_answer_t         *a;
    sync_session_cookies_t          cookies;
    ngx_http_sync_session_taken_t   taken;

    a = &ctx->answer;

    if (a->own || a->received == 0) {
        return ngx_http_sync_session_fail(ctx, slot, 0, "nobody answered");
    }

    if (a->received < 200 || a->received > 299) {
        return ngx_http_sync_session_fail(ctx, slot, a->received < 500,
                                          "the target refused it");
    }

    ngx_memzero(&taken, sizeof(ngx_http_sync_session_taken_t));
    ngx_memzero(&cookies, sizeof(sync_session_cookies_t));

    taken.ctx = ctx;

    rc = ngx_http_sync_session_take(r, ctx, &taken, &cookies);

    if (rc == NGX_OK) {
        rc = ngx_http_sync_session_keep(r, ctx, slot->session, &taken,
                                        &cookies);
    }

    if (a->body.len) {
        sync_wipe(a->body.data, a->body.len);
    }

    if (rc == NGX_DECLINED) {
        return ngx_http_sync_session_fail(ctx, slot, 1, "the answer has not "
                                          "what is taken of it");
    }

    if (rc != NGX_OK) {
        return NGX_ERROR;
    }

    slot->leading = 0;
    slot->session->leader = NULL;
    slot->session->failures = 0;

    name.data = ctx->route.c.name.data;
    name.len = ctx->route.c.name.len;

    ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                  "session: connector \"%V\" of tenant \"%V\" has a new one",
                  &name, &ctx->tenant.name);

    ngx_http_sync_session_wake(slot->session);

    return NGX_HTTP_SYNC_SEND_NOW;
}


/* NGX_DECLINED: something is not there. */

static ngx_int_t
ngx_http_sync_session_take(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_session_taken_t *taken, sync_session_cookies_t *cookies)
{
    uint32_t             i;
    ngx_int_t            rc;
    sync_str_t           text;
    sync_json_t          json;
    sync_error_t         err;
    sync_doc_take_t      take;
    ngx_table_elt_t     *h;
    sync_doc_session_t   session;
    sync_json_limits_t   limits;

    (void) sync_doc_session(ctx->tenant.doc, ctx->route.connector, &session);

    json.nodes = NULL;

    for (i = 0;
         sync_doc_session_take_at(ctx->tenant.doc, ctx->route.connector, i,
                                  &take)
         == SYNC_OK;
         i++)
    {
        if (taken->n == NGX_HTTP_SYNC_SESSION_VALUES) {
            return NGX_DECLINED;
        }

        taken->names[taken->n] = take.name;

        if (take.header.len) {
            h = ngx_http_sync_session_header(r, take.header, NULL);

            if (h == NULL || h->value.len == 0) {
                return NGX_DECLINED;
            }

            taken->values[taken->n].data = h->value.data;
            taken->values[taken->n++].len = h->value.len;
            continue;
        }

        if (ctx->answer.over || ctx->answer.truncated
            || ctx->answer.body.len == 0)
        {
            return NGX_DECLINED;
        }

        if (json.nodes == NULL) {
            ngx_memzero(&limits, sizeof(sync_json_limits_t));

            text.data = ctx->answer.body.data;
            text.len = ctx->answer.body.len;

            if (sync_json_parse(&json, &ctx->arena, text, &limits, &err)
                != SYNC_OK)
            {
                return NGX_DECLINED;
            }
        }

        rc = ngx_http_sync_session_take_path(r, ctx, &json, take.path,
                                             &taken->values[taken->n++]);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    if (!session.cookies) {
        return NGX_OK;
    }

    for (h = ngx_http_sync_session_header(r, sync_str_lit("set-cookie"), NULL);
         h != NULL;
         h = ngx_http_sync_session_header(r, sync_str_lit("set-cookie"), h))
    {
        text.data = h->value.data;
        text.len = h->value.len;

        sync_session_set_cookie(cookies, text);
    }

    /* where nothing else is taken, they are the session */

    return taken->n == 0 && cookies->n == 0 ? NGX_DECLINED : NGX_OK;
}


/* A string, a number or true; nothing else can be what a login gave. */

static ngx_int_t
ngx_http_sync_session_take_path(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, sync_json_t *json, sync_str_t path,
    sync_str_t *value)
{
    uint32_t                       n;
    sync_path_t                   *query;
    sync_error_t                   err;
    ngx_http_sync_session_room_t  *room;

    if (sync_path_compile(&query, &ctx->arena, path, &err) != SYNC_OK) {
        return NGX_ERROR;
    }

    n = sync_path_single(query, json, 0, &ctx->payload.work);

    if (n == SYNC_JSON_NONE) {
        return NGX_DECLINED;
    }

    switch (json->nodes[n].type) {

    case SYNC_JSON_STRING:

        room = ngx_http_sync_session_room(r, json->nodes[n].len + 16);
        if (room == NULL) {
            return NGX_ERROR;
        }

        *value = sync_json_unescape(json, n, &room->arena);

        if (value->data == NULL) {
            return NGX_ERROR;
        }

        break;

    case SYNC_JSON_NUMBER:
    case SYNC_JSON_TRUE:
        *value = sync_json_raw(json, n);
        break;

    default:
        return NGX_DECLINED;
    }

    return value->len ? NGX_OK : NGX_DECLINED;
}


/* As later requests show it. */

static ngx_int_t
ngx_http_sync_session_keep(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_session_t *s, ngx_http_sync_session_taken_t *taken,
    sync_session_cookies_t *cookies)
{
    size_t                         size;
    u_char                        *p;
    uint32_t                       i, n;
    sync_rc_t                      rc;
    sync_str_t                    *values, name, text, cookie;
    sync_error_t                   err;
    ngx_http_sync_session_room_t  *room;

    for (n = 0;
         sync_doc_session_send_at(ctx->tenant.doc, ctx->route.connector, n,
                                  &name, &text)
         == SYNC_OK;
         n++)
    {
        /* void */
    }

    room = ngx_http_sync_session_room(r, (n + 2) * (SYNC_SESSION_TEXT + 32));
    if (room == NULL) {
        return NGX_ERROR;
    }

    values = ngx_palloc(r->pool, (n + 1) * sizeof(sync_str_t));
    if (values == NULL) {
        return NGX_ERROR;
    }

    size = n * sizeof(ngx_str_t);

    for (i = 0; i < n; i++) {
        (void) sync_doc_session_send_at(ctx->tenant.doc, ctx->route.connector,
                                        i, &name, &text);

        rc = sync_session_text(text, ngx_http_sync_session_value, taken,
                               &room->arena, &values[i], &err);

        if (rc != SYNC_OK) {
            return rc == SYNC_NO ? NGX_DECLINED : NGX_ERROR;
        }

        size += values[i].len + sizeof(void *);
    }

    if (sync_session_cookie(cookies, &room->arena, &cookie) != SYNC_OK) {

        /* more than a header has */

        return NGX_DECLINED;
    }

    size += cookie.len;

    p = ngx_alloc(size + 1, ngx_cycle->log);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_http_sync_session_drop(s);

    s->kept = p;
    s->size = size;
    s->values = (ngx_str_t *) p;

    p += n * sizeof(ngx_str_t);

    for (i = 0; i < n; i++) {
        s->values[i].data = p;
        s->values[i].len = values[i].len;
        p = ngx_cpymem(p, values[i].data, values[i].len);
    }

    s->cookie.data = p;
    s->cookie.len = cookie.len;
    ngx_memcpy(p, cookie.data, cookie.len);

    s->serial = ++ngx_http_sync_session_serial;
    s->born = ngx_current_msec;

    return NGX_OK;
}


/* Called by sync_session_text(). */

static sync_rc_t
ngx_http_sync_session_value(void *data, int secret, sync_str_t name,
    sync_str_t *value)
{
    ngx_http_sync_session_taken_t *taken = data;

    ngx_uint_t  i;

    if (secret) {
        return ngx_http_sync_secret(taken->ctx, name, value);
    }

    for (i = 0; i < taken->n; i++) {
        if (sync_str_eq(taken->names[i], name)) {
            *value = taken->values[i];
            return SYNC_OK;
        }
    }

    return SYNC_NO;
}


/*
 * The next line of that (lower-case) name that upstream has sent, whether or
 * not NGINX hides it from clients.
 */

static ngx_table_elt_t *
ngx_http_sync_session_header(ngx_http_request_t *r, sync_str_t name,
    ngx_table_elt_t *after)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    for (part = &r->upstream->headers_in.headers.part;
         part != NULL;
         part = part->next)
    {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (after != NULL) {
                after = after == &h[i] ? NULL : after;
                continue;
            }

            if (h[i].hash != 0 && h[i].key.len == name.len
                && ngx_strncasecmp(h[i].key.data, name.data, name.len) == 0)
            {
                return &h[i];
            }
        }
    }

    return NULL;
}
