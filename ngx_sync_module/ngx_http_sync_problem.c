
/*
 * Problem details (RFC 9457): the words of every refusal.
 */


#include "ngx_http_sync_core.h"


static const char *ngx_http_sync_title(ngx_uint_t status);


#define NGX_HTTP_SYNC_FAULTS  32         /* told in one problem */


ngx_int_t
ngx_http_sync_problem(ngx_http_sync_ctx_t *ctx, ngx_uint_t status,
    const char *name, const char *title, ngx_uint_t category,
    const char *fmt, ...)
{
    u_char   *p, text[NGX_MAX_ERROR_STR];
    va_list   args;

    va_start(args, fmt);
    p = ngx_vslprintf(text, text + sizeof(text), fmt, args);
    va_end(args);

    ctx->problem.status = status;
    ctx->problem.name = name;
    ctx->problem.title = title != NULL ? title : ngx_http_sync_title(status);
    ctx->problem.category = category;
    ctx->problem.faults = NULL;
    ctx->problem.target_code = sync_str_null;
    ctx->problem.target_message = sync_str_null;

    ctx->reason = name;

    ctx->problem.detail.len = p - text;
    ctx->problem.detail.data = ngx_pnalloc(ctx->request->pool, p - text);

    if (ctx->problem.detail.data == NULL) {
        ctx->problem.detail.len = 0;

    } else {
        ngx_memcpy(ctx->problem.detail.data, text, p - text);
    }

    return status;
}


ngx_int_t
ngx_http_sync_problem_fault(ngx_http_sync_ctx_t *ctx, sync_str_t pointer,
    const char *keyword, const char *reason)
{
    sync_str_t              s;
    ngx_http_sync_fault_t  *fault;

    if (ctx->problem.faults == NULL) {
        ctx->problem.faults = ngx_array_create(ctx->request->pool, 4,
                                               sizeof(ngx_http_sync_fault_t));
        if (ctx->problem.faults == NULL) {
            return NGX_ERROR;
        }
    }

    if (ctx->problem.faults->nelts == NGX_HTTP_SYNC_FAULTS) {
        return NGX_DECLINED;
    }

    fault = ngx_array_push(ctx->problem.faults);
    if (fault == NULL) {
        return NGX_ERROR;
    }

    s = sync_strdup(&ctx->arena, pointer);
    fault->pointer.len = s.data != NULL ? s.len : 0;
    fault->pointer.data = s.data;

    s.len = ngx_strlen(keyword);
    s.data = (u_char *) keyword;
    s = sync_strdup(&ctx->arena, s);
    fault->keyword.len = s.data != NULL ? s.len : 0;
    fault->keyword.data = s.data;

    s.len = ngx_strlen(reason);
    s.data = (u_char *) reason;
    s = sync_strdup(&ctx->arena, s);
    fault->reason.len = s.data != NULL ? s.len : 0;
    fault->reason.data = s.data;

    return NGX_OK;
}


#define ngx_http_sync_put(out, key, str)                                      \
    sync_json_key((out), sync_str_lit(key));                                  \
    sync_json_string((out), (str))


ngx_str_t
ngx_http_sync_problem_text(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx)
{
    u_char                    buf[128];
    ngx_str_t                 text;
    ngx_uint_t                i;
    sync_str_t                s;
    sync_json_out_t           out;
    ngx_http_sync_fault_t    *fault;
    ngx_http_sync_problem_t  *pr;

    pr = &ctx->problem;

    sync_json_begin(&out, &ctx->arena, 512, 0);
    sync_json_open(&out, '{');

    s.data = buf;
    s.len = ngx_snprintf(buf, sizeof(buf), "urn:sync:problem:%s", pr->name)
            - buf;
    ngx_http_sync_put(&out, "type", s);

    s.data = (u_char *) pr->title;
    s.len = ngx_strlen(pr->title);
    ngx_http_sync_put(&out, "title", s);

    sync_json_key(&out, sync_str_lit("status"));
    sync_json_integer(&out, pr->status);

    if (pr->detail.len) {
        s.data = pr->detail.data;
        s.len = pr->detail.len;
        ngx_http_sync_put(&out, "detail", s);
    }

    if (ctx->correlation.len) {
        s.data = ctx->correlation.data;
        s.len = ctx->correlation.len;
        ngx_http_sync_put(&out, "instance", s);
    }

    if (pr->category == NGX_HTTP_SYNC_BUSINESS) {
        ngx_http_sync_put(&out, "category", sync_str_lit("business"));

    } else {
        ngx_http_sync_put(&out, "category", sync_str_lit("technical"));
    }

    if (pr->target_code.len) {
        ngx_http_sync_put(&out, "target_code", pr->target_code);
    }

    if (pr->target_message.len) {
        ngx_http_sync_put(&out, "target_message", pr->target_message);
    }

    if (pr->faults != NULL) {
        sync_json_key(&out, sync_str_lit("errors"));
        sync_json_open(&out, '[');

        fault = pr->faults->elts;

        for (i = 0; i < pr->faults->nelts; i++) {
            sync_json_open(&out, '{');

            s.data = fault[i].pointer.data;
            s.len = fault[i].pointer.len;
            ngx_http_sync_put(&out, "pointer", s);

            s.data = fault[i].keyword.data;
            s.len = fault[i].keyword.len;
            ngx_http_sync_put(&out, "keyword", s);

            s.data = fault[i].reason.data;
            s.len = fault[i].reason.len;
            ngx_http_sync_put(&out, "detail", s);

            sync_json_close(&out, '}');
        }

        sync_json_close(&out, ']');
    }

    sync_json_close(&out, '}');

    ngx_str_null(&text);

    if (sync_json_end(&out, &s) == SYNC_OK) {
        text.data = s.data;
        text.len = s.len;
    }

    return text;
}


static const char *
ngx_http_sync_title(ngx_uint_t status)
{
    switch (status) {

    case NGX_HTTP_BAD_REQUEST:
        return "Bad request";

    case NGX_HTTP_UNAUTHORIZED:
        return "Proof of identity needed";

    case NGX_HTTP_FORBIDDEN:
        return "Not allowed";

    case NGX_HTTP_NOT_FOUND:
        return "Not found";

    case NGX_HTTP_NOT_ALLOWED:
        return "Method not allowed";

    case NGX_HTTP_REQUEST_TIME_OUT:
        return "The request took too long to arrive";

    case NGX_HTTP_CONFLICT:
        return "Conflict";

    case NGX_HTTP_REQUEST_ENTITY_TOO_LARGE:
        return "Too large";

    case NGX_HTTP_UNSUPPORTED_MEDIA_TYPE:
        return "Media type not supported";

    case 422:
        return "The request cannot be processed";

    case NGX_HTTP_TOO_MANY_REQUESTS:
        return "Too many requests";

    case NGX_HTTP_INTERNAL_SERVER_ERROR:
        return "Internal error of the gateway";

    case NGX_HTTP_BAD_GATEWAY:
        return "The upstream could not be reached";

    case NGX_HTTP_SERVICE_UNAVAILABLE:
        return "Not available now";

    case NGX_HTTP_GATEWAY_TIME_OUT:
        return "The upstream did not answer in time";

    default:
        return status < 500 ? "Refused" : "Failed";
    }
}


void
ngx_http_sync_trace(ngx_http_sync_ctx_t *ctx, const char *step,
    const char *fmt, ...)
{
    u_char           *p, text[NGX_MAX_ERROR_STR];
    va_list           args;
    sync_str_t        s;
    ngx_str_t        *entry;
    sync_json_out_t   out;

    if (ctx->trace == NULL) {
        return;
    }

    va_start(args, fmt);
    p = ngx_vslprintf(text, text + sizeof(text), fmt, args);
    va_end(args);

    sync_json_begin(&out, &ctx->arena, 128, 0);
    sync_json_open(&out, '{');

    s.data = (u_char *) step;
    s.len = ngx_strlen(step);
    ngx_http_sync_put(&out, "step", s);

    s.data = text;
    s.len = p - text;
    ngx_http_sync_put(&out, "text", s);

    sync_json_close(&out, '}');

    if (sync_json_end(&out, &s) != SYNC_OK) {
        return;
    }

    entry = ngx_array_push(ctx->trace);
    if (entry != NULL) {
        entry->data = s.data;
        entry->len = s.len;
    }
}
