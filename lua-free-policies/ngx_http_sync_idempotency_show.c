
/*
 * sync_keys: its answers.
 */


#include "ngx_http_sync_idempotency_keys.h"
#include "ngx_http_sync_claim.h"


#define NGX_HTTP_SYNC_KEYS_ROOM  (3 * 4096)      /* of one record */


static u_char *ngx_http_sync_keys_show_name(u_char *p, u_char *last,
    ngx_http_sync_keys_name_t *n);
static u_char *ngx_http_sync_keys_show_store(u_char *p, u_char *last,
    ngx_http_sync_keys_check_t *check);
static u_char *ngx_http_sync_keys_text(u_char *p, u_char *last,
    const char *name, ngx_str_t *value);
static u_char *ngx_http_sync_keys_time(u_char *p, u_char *last,
    const char *name, int64_t ms);
static ngx_int_t ngx_http_sync_keys_send(ngx_http_request_t *r,
    ngx_uint_t status, u_char *data, size_t len);


static const char  *ngx_http_sync_keys_checks[] = {
    "claim", "extend", "settle", "look", "resolve", "free"
};


ngx_int_t
ngx_http_sync_keys_show(ngx_http_request_t *r, ngx_http_sync_keys_ctx_t *ctx,
    ngx_uint_t released)
{
    size_t       size;
    u_char      *p, *data, *last;
    ngx_uint_t   i;

    size = 1024 + 6 * ctx->given.key.len + 6 * ctx->store->label.len
           + ctx->nfound * NGX_HTTP_SYNC_KEYS_ROOM;

    data = ngx_pnalloc(r->pool, size);
    if (data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    last = data + size;

    p = ngx_slprintf(data, last, "{");
    p = ngx_http_sync_keys_text(p, last, "tenant", &ctx->given.tenant);
    p = ngx_http_sync_keys_text(p, last, "key", &ctx->given.key);
    p = ngx_http_sync_keys_text(p, last, "store", &ctx->store->label);
    p = ngx_slprintf(p, last, "\"looked\":%ui,\"unanswered\":%ui,%s"
                     "\"found\":[", ctx->names.nelts, ctx->down,
                     released ? "\"released\":true," : "");

    for (i = 0; i < ctx->nfound; i++) {
        p = ngx_slprintf(p, last, "%s{", i ? "," : "");
        p = ngx_http_sync_keys_show_name(p, last, ctx->found[i]);
        p = ngx_slprintf(p, last, "}");
    }

    p = ngx_slprintf(p, last, "]}\n");

    return ngx_http_sync_keys_send(r, NGX_HTTP_OK, data, p - data);
}


static u_char *
ngx_http_sync_keys_show_name(u_char *p, u_char *last,
    ngx_http_sync_keys_name_t *n)
{
    u_char             hex[2 * NGX_SYNC_NAME_LEN];
    ngx_str_t          connector, name;
    ngx_uint_t         rule, status;
    const char        *state;
    ngx_sync_entry_t  *e;

    static const char  *rules[] = { "hold", "resend", "release" };

    e = &n->look.entry;

    switch (e->state) {

    case NGX_SYNC_STATE_PROGRESS:
        state = "in-progress";
        break;

    case NGX_SYNC_STATE_UNKNOWN:
        state = "outcome-unknown";
        break;

    case NGX_SYNC_STATE_COMPLETE:
        state = "complete";
        break;

    case NGX_SYNC_STATE_TRIMMED:
        state = "complete, without its body";
        break;

    default:
        state = "queued";
        break;
    }

    (void) sync_hex_encode(hex, n->look.key.name, NGX_SYNC_NAME_LEN);

    name.data = hex;
    name.len = sizeof(hex);

    p = ngx_http_sync_keys_text(p, last, "record", &name);
    p = ngx_http_sync_keys_text(p, last, "method", &n->parts.method);
    p = ngx_http_sync_keys_text(p, last, "server", &n->parts.server);
    p = ngx_http_sync_keys_text(p, last, "location", &n->parts.name);
    p = ngx_http_sync_keys_text(p, last, "client", &n->parts.client);
    p = ngx_http_sync_keys_text(p, last, "issuer", &n->parts.issuer);
    p = ngx_http_sync_keys_text(p, last, "subject", &n->parts.subject);
    p = ngx_http_sync_keys_text(p, last, "scope", &n->parts.scope);

    if (ngx_http_sync_note_read(&e->note, &rule, &connector) == NGX_OK) {
        p = ngx_http_sync_keys_text(p, last, "connector", &connector);
        p = ngx_slprintf(p, last, "\"on_unknown\":\"%s\",", rules[rule]);
    }

    status = ngx_http_sync_record_status(&e->record);

    if (status) {
        p = ngx_slprintf(p, last, "\"status\":%ui,", status);
    }

    p = ngx_http_sync_keys_time(p, last, "claimed", e->created);
    p = ngx_http_sync_keys_time(p, last, "changed", e->changed);

    if (e->state == NGX_SYNC_STATE_PROGRESS) {
        p = ngx_http_sync_keys_time(p, last, "lease_ends", e->until);
    }

    p = ngx_http_sync_keys_time(p, last, "kept_until", e->expires);

    return ngx_slprintf(p, last, "\"epoch\":%uL,\"state\":\"%s\"", e->epoch,
                        state);
}


/* A member; none where there is no value. */

static u_char *
ngx_http_sync_keys_text(u_char *p, u_char *last, const char *name,
    ngx_str_t *value)
{
    size_t  len;

    if (value->len == 0) {
        return p;
    }

    len = value->len + ngx_escape_json(NULL, value->data, value->len);

    if ((size_t) (last - p) < len + ngx_strlen(name) + 8) {
        return p;
    }

    p = ngx_slprintf(p, last, "\"%s\":\"", name);
    p = (u_char *) ngx_escape_json(p, value->data, value->len);

    return ngx_slprintf(p, last, "\",");
}


static u_char *
ngx_http_sync_keys_time(u_char *p, u_char *last, const char *name, int64_t ms)
{
    ngx_tm_t  tm;

    ngx_gmtime((time_t) (ms / 1000), &tm);

    return ngx_slprintf(p, last,
                        "\"%s\":\"%4d-%02d-%02dT%02d:%02d:%02dZ\",", name,
                        tm.ngx_tm_year, tm.ngx_tm_mon, tm.ngx_tm_mday,
                        tm.ngx_tm_hour, tm.ngx_tm_min, tm.ngx_tm_sec);
}


/* One store as it is; several one by one, and whether all of them are well. */

ngx_int_t
ngx_http_sync_keys_show_check(ngx_http_request_t *r,
    ngx_http_sync_keys_ctx_t *ctx)
{
    size_t       size;
    u_char      *p, *data, *last;
    ngx_uint_t   i, well;

    size = 64;
    well = 1;

    for (i = 0; i < ctx->nchecks; i++) {
        size += 2048 + 6 * ctx->checks[i].store->label.len;
        well &= ctx->checks[i].failed == 0;
    }

    data = ngx_pnalloc(r->pool, size);
    if (data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    p = data;
    last = data + size;

    if (ctx->nchecks > 1) {
        p = ngx_slprintf(p, last, "{\"stores\":[");
    }

    for (i = 0; i < ctx->nchecks; i++) {
        p = ngx_slprintf(p, last, "%s", i ? "," : "");
        p = ngx_http_sync_keys_show_store(p, last, &ctx->checks[i]);
    }

    if (ctx->nchecks > 1) {
        p = ngx_slprintf(p, last, "],\"well\":%s}", well ? "true" : "false");
    }

    p = ngx_slprintf(p, last, "\n");

    return ngx_http_sync_keys_send(r, well ? NGX_HTTP_OK
                                           : NGX_HTTP_SERVICE_UNAVAILABLE,
                                   data, p - data);
}


static u_char *
ngx_http_sync_keys_show_store(u_char *p, u_char *last,
    ngx_http_sync_keys_check_t *check)
{
    ngx_str_t                 *label;
    ngx_uint_t                 i;
    ngx_sync_breaker_state_t   b;

    static const char  *results[] = {
        "ok", "no", "busy", "done", "mismatch", "unknown", "queued", "fenced",
        "full", "down"
    };

    label = &check->store->label;

    p = ngx_slprintf(p, last, "{");
    p = ngx_http_sync_keys_text(p, last, "store", label);

    for (i = 0;
         ngx_sync_store_breaker_state((ngx_cycle_t *) ngx_cycle, i, &b)
         == NGX_OK;
         i++)
    {
        if (b.label.len == label->len
            && ngx_memcmp(b.label.data, label->data, label->len) == 0)
        {
            p = ngx_slprintf(p, last, "\"breaker\":\"%s\",\"missed\":%ui,",
                             b.open ? "open" : "closed", b.missed);
        }
    }

    p = ngx_slprintf(p, last, "\"places\":%d,\"failed\":%ui,\"operations\":{",
                     NGX_HTTP_SYNC_PLACES, check->failed);

    for (i = 0; i < check->steps; i++) {
        p = ngx_slprintf(p, last, "%s\"%s\":{\"result\":\"%s\",\"us\":%uL}",
                         i ? "," : "", ngx_http_sync_keys_checks[i],
                         results[check->result[i]], check->took[i]);
    }

    return ngx_slprintf(p, last, "},\"well\":%s}",
                        check->failed ? "false" : "true");
}


ngx_int_t
ngx_http_sync_keys_refuse(ngx_http_request_t *r, ngx_uint_t status,
    const char *what)
{
    size_t   size;
    u_char  *p, *data;

    size = ngx_strlen(what) + sizeof("{\"error\":\"\"}\n");

    data = ngx_pnalloc(r->pool, size);
    if (data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    p = ngx_slprintf(data, data + size, "{\"error\":\"%s\"}\n", what);

    return ngx_http_sync_keys_send(r, status, data, p - data);
}


static ngx_int_t
ngx_http_sync_keys_send(ngx_http_request_t *r, ngx_uint_t status, u_char *data,
    size_t len)
{
    ngx_int_t     rc;
    ngx_buf_t    *b;
    ngx_chain_t   out;

    ngx_str_set(&r->headers_out.content_type, "application/json");
    r->headers_out.content_type_len = r->headers_out.content_type.len;

    r->headers_out.status = status;
    r->headers_out.content_length_n = len;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->pos = data;
    b->last = data + len;
    b->memory = 1;
    b->last_buf = 1;
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}
