
/*
 * Correlation: one id that names the exchange in every log, answer and system
 * behind us.  X-Correlation-ID, or a new one; W3C Trace Context is continued.
 * What a client sends as X-Sync-* is not for us to trust: it is removed.
 */


#include "ngx_http_sync_edge.h"
#include "sync_crypto.h"


static ngx_uint_t ngx_http_sync_correlation_enabled(ngx_http_request_t *r);
static ngx_int_t ngx_http_sync_correlation_run(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);
static ngx_uint_t ngx_http_sync_correlation_ok(ngx_str_t *id);
static ngx_uint_t ngx_http_sync_traceparent_ok(ngx_str_t *value);


#define NGX_HTTP_SYNC_CORRELATION_MAX  128
#define NGX_HTTP_SYNC_TRACEPARENT_LEN  55
#define NGX_HTTP_SYNC_TRACE_ID         3         /* where it begins */


const ngx_http_sync_step_t  ngx_http_sync_correlation_step = {
    "correlation",
    NGX_HTTP_SYNC_STAGE_PREACCESS,
    NGX_HTTP_SYNC_STEP_CORRELATION,
    ngx_http_sync_correlation_enabled,
    0,
    ngx_http_sync_correlation_run,
    NULL,
    NULL,
    NULL
};


static ngx_http_sync_field_t  ngx_http_sync_x_correlation_id = {
    ngx_string("X-Correlation-ID"), (u_char *) "x-correlation-id", 0
};
static ngx_str_t  ngx_http_sync_x_sync = ngx_string("x-sync-");
static ngx_http_sync_field_t  ngx_http_sync_traceparent = {
    ngx_string("traceparent"), (u_char *) "traceparent", 0
};


static ngx_uint_t
ngx_http_sync_correlation_enabled(ngx_http_request_t *r)
{
    return 1;
}


static ngx_int_t
ngx_http_sync_correlation_run(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx)
{
    u_char           *p, random[24];
    ngx_str_t         value;
    ngx_uint_t        lines;
    ngx_table_elt_t  *h;

    h = ngx_http_sync_header_in(r, &ngx_http_sync_x_correlation_id.name,
                                &lines);

    if (sync_random(random, sizeof(random)) != SYNC_OK) {
        return NGX_ERROR;
    }

    if (h != NULL && lines == 1 && ngx_http_sync_correlation_ok(&h->value)) {
        ctx->correlation = h->value;

    } else {
        p = ngx_pnalloc(r->pool, 32);
        if (p == NULL) {
            return NGX_ERROR;
        }

        ctx->correlation.data = p;
        ctx->correlation.len = sync_hex_encode(p, random, 16);

        if (ngx_http_sync_set_field_in(r, &ngx_http_sync_x_correlation_id,
                                       &ctx->correlation, lines)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    ngx_http_sync_strip_headers_in(r, &ngx_http_sync_x_sync);

    if (ngx_http_sync_edge_strip(r) != NGX_OK) {
        return NGX_ERROR;
    }

    /* Trace Context, 3.2: continue a valid trace as a new parent */

    h = ngx_http_sync_header_in(r, &ngx_http_sync_traceparent.name, &lines);

    p = ngx_pnalloc(r->pool, NGX_HTTP_SYNC_TRACEPARENT_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    value.data = p;
    value.len = NGX_HTTP_SYNC_TRACEPARENT_LEN;

    if (h != NULL && lines == 1 && ngx_http_sync_traceparent_ok(&h->value)) {
        ngx_memcpy(p, h->value.data, value.len);
        p[0] = '0';
        p[1] = '0';

    } else {
        ngx_memcpy(p, "00-", 3);
        (void) sync_hex_encode(p + 3, random, 16);
        ngx_memcpy(p + 35, "-0000000000000000-00", 20);
    }

    (void) sync_hex_encode(p + 36, random + 16, 8);

    ctx->traceparent = value;
    ctx->trace_id.data = p + NGX_HTTP_SYNC_TRACE_ID;
    ctx->trace_id.len = 32;

    return ngx_http_sync_set_field_in(r, &ngx_http_sync_traceparent, &value,
                                      lines);
}


static ngx_uint_t
ngx_http_sync_correlation_ok(ngx_str_t *id)
{
    u_char  ch;
    size_t  i;

    if (id->len == 0 || id->len > NGX_HTTP_SYNC_CORRELATION_MAX) {
        return 0;
    }

    for (i = 0; i < id->len; i++) {
        ch = id->data[i];

        if (!((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z')
              || (ch >= '0' && ch <= '9')
              || ch == '.' || ch == '_' || ch == '-'))
        {
            return 0;
        }
    }

    return 1;
}


/* version "-" trace-id "-" parent-id "-" flags, lower-case hex, not all zero */

static ngx_uint_t
ngx_http_sync_traceparent_ok(ngx_str_t *value)
{
    u_char      ch;
    size_t      i;
    ngx_uint_t  trace, parent;

    if (value->len < NGX_HTTP_SYNC_TRACEPARENT_LEN
        || (value->len > NGX_HTTP_SYNC_TRACEPARENT_LEN
            && (value->data[NGX_HTTP_SYNC_TRACEPARENT_LEN] != '-'
                || ngx_strncmp(value->data, "00", 2) == 0))
        || ngx_strncmp(value->data, "ff", 2) == 0)
    {
        return 0;
    }

    trace = 0;
    parent = 0;

    for (i = 0; i < NGX_HTTP_SYNC_TRACEPARENT_LEN; i++) {
        ch = value->data[i];

        if (i == 2 || i == 35 || i == 52) {
            if (ch != '-') {
                return 0;
            }

            continue;
        }

        if (!((ch >= '0' && ch <= '9') || (ch >= 'a' && ch <= 'f'))) {
            return 0;
        }

        if (ch != '0') {
            trace |= (i >= 3 && i < 35);
            parent |= (i >= 36 && i < 52);
        }
    }

    return trace && parent;
}
