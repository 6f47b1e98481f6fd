
/*
 * Steps that have a request sent again.
 *
 *   sync_test_again credentials|session STATUS [body=TEXT] [wait=MS]
 *                   [fail=STATUS];
 *
 * An answer of that status (and, with body=, that text in it) is a refusal.
 * Upstream sees X-Credentials or X-Session: the number of the try.  Before the
 * second one the step waits so long, or answers a status of its own.
 */


#include "ngx_http_sync_test.h"
#include "ngx_http_sync.h"


typedef struct {
    ngx_http_sync_ctx_t  *ctx;
    ngx_event_t           timer;
    ngx_uint_t            tries;
    unsigned              waited:1;
} ngx_http_sync_test_again_t;


static ngx_uint_t ngx_http_sync_test_again_used(ngx_http_request_t *r,
    ngx_uint_t kind);
static ngx_uint_t ngx_http_sync_test_credentials_enabled(
    ngx_http_request_t *r);
static ngx_uint_t ngx_http_sync_test_session_enabled(ngx_http_request_t *r);
static ngx_uint_t ngx_http_sync_test_credentials_over(ngx_http_request_t *r);
static ngx_uint_t ngx_http_sync_test_session_over(ngx_http_request_t *r);
static ngx_int_t ngx_http_sync_test_credentials_run(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);
static ngx_int_t ngx_http_sync_test_session_run(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);
static ngx_int_t ngx_http_sync_test_credentials_look(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);
static ngx_int_t ngx_http_sync_test_session_look(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);
static void ngx_http_sync_test_credentials_cancel(ngx_http_sync_ctx_t *ctx);
static void ngx_http_sync_test_session_cancel(ngx_http_sync_ctx_t *ctx);


static const ngx_http_sync_step_t  ngx_http_sync_test_again_steps[] = {
    {
        "credentials",
        NGX_HTTP_SYNC_STAGE_PRECONTENT,
        NGX_HTTP_SYNC_STEP_CREDENTIALS,
        ngx_http_sync_test_credentials_enabled,
        1,
        ngx_http_sync_test_credentials_run,
        ngx_http_sync_test_credentials_cancel,
        NULL,
        NULL
    },
    {
        "session",
        NGX_HTTP_SYNC_STAGE_PRECONTENT,
        NGX_HTTP_SYNC_STEP_SESSION,
        ngx_http_sync_test_session_enabled,
        1,
        ngx_http_sync_test_session_run,
        ngx_http_sync_test_session_cancel,
        NULL,
        NULL
    },
    {
        "credentials_expired",
        NGX_HTTP_SYNC_STAGE_RESPONSE,
        NGX_HTTP_SYNC_STEP_CREDENTIALS_EXPIRED,
        ngx_http_sync_test_credentials_over,
        1,
        ngx_http_sync_test_credentials_look,
        NULL,
        NULL,
        NULL
    },
    {
        "session_expired",
        NGX_HTTP_SYNC_STAGE_RESPONSE,
        NGX_HTTP_SYNC_STEP_SESSION_EXPIRED,
        ngx_http_sync_test_session_over,
        1,
        ngx_http_sync_test_session_look,
        NULL,
        NULL,
        NULL
    }
};


static ngx_str_t  ngx_http_sync_test_again_headers[] = {
    ngx_string("X-Credentials"),
    ngx_string("X-Session")
};


static const ngx_http_sync_step_e  ngx_http_sync_test_again_slots[] = {
    NGX_HTTP_SYNC_STEP_CREDENTIALS,
    NGX_HTTP_SYNC_STEP_SESSION
};


char *
ngx_http_sync_test_again(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_sync_test_loc_conf_t  *tlcf = conf;

    ngx_str_t                        *value;
    ngx_uint_t                        i, kind;
    ngx_http_sync_test_again_conf_t  *again;

    value = cf->args->elts;

    kind = (ngx_strcmp(value[1].data, "session") == 0);
    again = &tlcf->again[kind];

    again->status = ngx_atoi(value[2].data, value[2].len);

    for (i = 3; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "body=", 5) == 0) {
            again->body.data = value[i].data + 5;
            again->body.len = value[i].len - 5;

        } else if (ngx_strncmp(value[i].data, "wait=", 5) == 0) {
            again->wait = ngx_atoi(value[i].data + 5, value[i].len - 5);

        } else if (ngx_strncmp(value[i].data, "fail=", 5) == 0) {
            again->fail = ngx_atoi(value[i].data + 5, value[i].len - 5);

        } else {
            return "has an unknown parameter";
        }
    }

    if (ngx_http_sync_use(cf, &ngx_http_sync_test_again_steps[kind]) != NGX_OK
        || ngx_http_sync_use(cf, &ngx_http_sync_test_again_steps[kind + 2])
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static ngx_uint_t
ngx_http_sync_test_again_used(ngx_http_request_t *r, ngx_uint_t kind)
{
    ngx_http_sync_test_loc_conf_t  *tlcf;

    tlcf = ngx_http_get_module_loc_conf(r, ngx_http_sync_test_module);

    return tlcf->again[kind].status != 0;
}


static ngx_uint_t
ngx_http_sync_test_credentials_enabled(ngx_http_request_t *r)
{
    return ngx_http_sync_test_again_used(r, 0);
}


static ngx_uint_t
ngx_http_sync_test_session_enabled(ngx_http_request_t *r)
{
    return ngx_http_sync_test_again_used(r, 1);
}


static ngx_uint_t
ngx_http_sync_test_over(ngx_http_request_t *r, ngx_uint_t kind,
    ngx_http_sync_step_e step)
{
    ngx_http_sync_ctx_t            *ctx;
    ngx_http_sync_test_loc_conf_t  *tlcf;

    tlcf = ngx_http_get_module_loc_conf(r, ngx_http_sync_test_module);
    ctx = ngx_http_sync_get_ctx(r);

    return ctx != NULL && tlcf->again[kind].status
           && ctx->answer.received == tlcf->again[kind].status
           && ngx_http_sync_may_send_again(r, ctx, step);
}


static ngx_uint_t
ngx_http_sync_test_credentials_over(ngx_http_request_t *r)
{
    return ngx_http_sync_test_over(r, 0,
                                   NGX_HTTP_SYNC_STEP_CREDENTIALS_EXPIRED);
}


static ngx_uint_t
ngx_http_sync_test_session_over(ngx_http_request_t *r)
{
    return ngx_http_sync_test_over(r, 1, NGX_HTTP_SYNC_STEP_SESSION_EXPIRED);
}


static void
ngx_http_sync_test_again_timer(ngx_event_t *ev)
{
    ngx_http_sync_test_again_t *slot = ev->data;

    slot->waited = 1;
    ngx_http_sync_wake(slot->ctx);
}


static ngx_int_t
ngx_http_sync_test_again_run(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    ngx_uint_t kind)
{
    u_char                           *p;
    ngx_str_t                         value;
    ngx_http_sync_test_again_t       *slot;
    ngx_http_sync_test_loc_conf_t    *tlcf;
    ngx_http_sync_test_again_conf_t  *again;

    tlcf = ngx_http_get_module_loc_conf(r, ngx_http_sync_test_module);
    again = &tlcf->again[kind];
    slot = ctx->slots[ngx_http_sync_test_again_slots[kind]];

    if (slot == NULL) {
        slot = ngx_pcalloc(r->pool, sizeof(ngx_http_sync_test_again_t));
        if (slot == NULL) {
            return NGX_ERROR;
        }

        slot->ctx = ctx;
        slot->timer.handler = ngx_http_sync_test_again_timer;
        slot->timer.data = slot;
        slot->timer.log = ngx_cycle->log;

        ctx->slots[ngx_http_sync_test_again_slots[kind]] = slot;

    } else if (again->wait && !slot->waited) {
        if (!slot->timer.timer_set) {
            ngx_add_timer(&slot->timer, again->wait);
        }

        return NGX_AGAIN;

    } else if (again->fail) {
        return ngx_http_sync_problem(ctx, again->fail, "test-failed", NULL,
                                     NGX_HTTP_SYNC_TECHNICAL, "");
    }

    slot->waited = 0;

    p = ngx_pnalloc(r->pool, NGX_INT_T_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    value.data = p;
    value.len = ngx_sprintf(p, "%ui", ++slot->tries) - p;

    return ngx_http_sync_set_header_in(r,
                                       &ngx_http_sync_test_again_headers[kind],
                                       &value);
}


static ngx_int_t
ngx_http_sync_test_credentials_run(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx)
{
    return ngx_http_sync_test_again_run(r, ctx, 0);
}


static ngx_int_t
ngx_http_sync_test_session_run(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx)
{
    return ngx_http_sync_test_again_run(r, ctx, 1);
}


static ngx_int_t
ngx_http_sync_test_again_look(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    ngx_uint_t kind)
{
    u_char                         *p, *last;
    ngx_str_t                      *body;
    ngx_http_sync_test_loc_conf_t  *tlcf;

    tlcf = ngx_http_get_module_loc_conf(r, ngx_http_sync_test_module);
    body = &tlcf->again[kind].body;

    if (body->len == 0) {
        return NGX_HTTP_SYNC_SEND_AGAIN;
    }

    p = ctx->answer.body.data;
    last = p + ctx->answer.body.len;

    return p != NULL && !ctx->answer.over && body->len <= (size_t) (last - p)
           && ngx_strlcasestrn(p, last, body->data, body->len - 1) != NULL
           ? NGX_HTTP_SYNC_SEND_AGAIN : NGX_OK;
}


static ngx_int_t
ngx_http_sync_test_credentials_look(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx)
{
    return ngx_http_sync_test_again_look(r, ctx, 0);
}


static ngx_int_t
ngx_http_sync_test_session_look(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx)
{
    return ngx_http_sync_test_again_look(r, ctx, 1);
}


static void
ngx_http_sync_test_again_cancel(ngx_http_sync_ctx_t *ctx, ngx_uint_t kind)
{
    ngx_http_sync_test_again_t  *slot;

    slot = ctx->slots[ngx_http_sync_test_again_slots[kind]];

    if (slot != NULL && slot->timer.timer_set) {
        ngx_del_timer(&slot->timer);
    }
}


static void
ngx_http_sync_test_credentials_cancel(ngx_http_sync_ctx_t *ctx)
{
    ngx_http_sync_test_again_cancel(ctx, 0);
}


static void
ngx_http_sync_test_session_cancel(ngx_http_sync_ctx_t *ctx)
{
    ngx_http_sync_test_again_cancel(ctx, 1);
}
