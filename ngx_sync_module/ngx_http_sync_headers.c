
/*
 * Reading and changing headers, in and out.  Only the list is walked: the
 * named fields of headers_in differ between versions of NGINX.
 */


#include "ngx_http_sync_core.h"


static ngx_table_elt_t *ngx_http_sync_push(ngx_list_t *headers,
    const ngx_str_t *name, const ngx_str_t *value);
static void ngx_http_sync_point_header_in(ngx_http_request_t *r,
    ngx_table_elt_t *h);
static void ngx_http_sync_drop_header_in(ngx_http_request_t *r,
    ngx_table_elt_t *h);
static ngx_int_t ngx_http_sync_trace_header(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);
static size_t ngx_http_sync_ascii(u_char *dst, ngx_str_t *s);


#define NGX_HTTP_SYNC_TRACE_MAX  4096    /* bytes of X-Sync-Trace */


ngx_table_elt_t *
ngx_http_sync_header_in(ngx_http_request_t *r, ngx_str_t *name,
    ngx_uint_t *lines)
{
    ngx_uint_t        i, n;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h, *found;

    n = 0;
    found = NULL;
    part = &r->headers_in.headers.part;
    h = part->elts;

    for (i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {
            if (part->next == NULL) {
                break;
            }

            part = part->next;
            h = part->elts;
            i = 0;
        }

        if (h[i].hash == 0 || !ngx_http_sync_is_header(&h[i], name)) {
            continue;
        }

        if (n++ == 0) {
            found = &h[i];
        }
    }

    if (lines != NULL) {
        *lines = n;
    }

    return found;
}


ngx_uint_t
ngx_http_sync_is_header(ngx_table_elt_t *h, ngx_str_t *name)
{
    /* most of one length differ in their first letters already */

    return h->key.len == name->len
           && name->len
           && ((h->key.data[0] ^ name->data[0]) & ~0x20) == 0
           && ngx_strncasecmp(h->key.data, name->data, name->len) == 0;
}


ngx_int_t
ngx_http_sync_set_header_in(ngx_http_request_t *r, ngx_str_t *name,
    ngx_str_t *value)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    part = &r->headers_in.headers.part;

    while (part != NULL) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (!ngx_http_sync_is_header(&h[i], name)) {
                continue;
            }

            if (value != NULL) {
                h[i].value = *value;
                value = NULL;
                ngx_http_sync_point_header_in(r, &h[i]);
                continue;
            }

            ngx_http_sync_drop_header_in(r, &h[i]);
        }

        part = part->next;
    }

    if (value == NULL) {
        return NGX_OK;
    }

    h = ngx_http_sync_push(&r->headers_in.headers, name, value);
    if (h == NULL) {
        return NGX_ERROR;
    }

    h->lowcase_key = ngx_pnalloc(r->pool, name->len);
    if (h->lowcase_key == NULL) {
        h->hash = 0;
        return NGX_ERROR;
    }

    h->hash = ngx_hash_strlow(h->lowcase_key, name->data, name->len);

    ngx_http_sync_point_header_in(r, h);

    return NGX_OK;
}


ngx_int_t
ngx_http_sync_set_secret_in(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    ngx_str_t *name, ngx_str_t *value)
{
    ngx_str_t  *hidden;

    if (ctx->route.hidden == NULL) {
        ctx->route.hidden = ngx_array_create(r->pool, 4, sizeof(ngx_str_t));
        if (ctx->route.hidden == NULL) {
            return NGX_ERROR;
        }
    }

    hidden = ngx_array_push(ctx->route.hidden);
    if (hidden == NULL) {
        return NGX_ERROR;
    }

    *hidden = *name;

    return ngx_http_sync_set_header_in(r, name, value);
}


/*
 * A subrequest has the headers and the body of its request, and after PRECONTENT
 * they are those for the connector: what is secret in them is not for whom it
 * asks.  Headers are left out; of a body nobody knows the original any more.
 */

ngx_int_t
ngx_http_sync_conceal(ngx_http_request_t *r)
{
    ngx_str_t            *hidden;
    ngx_uint_t            i, k;
    ngx_list_t           *headers;
    ngx_list_part_t       first, *part;
    ngx_table_elt_t      *h, *copy;
    ngx_http_sync_ctx_t  *ctx;

    ctx = ngx_http_sync_get_ctx(r);

    if (ctx == NULL) {
        return NGX_OK;
    }

    if (ctx->route.in_body) {
        ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                      "runner: the body for connector \"%*s\" has credentials "
                      "in it, a subrequest may not take it along, \"%V\"",
                      ctx->route.c.name.len, ctx->route.c.name.data, &r->uri);
        return NGX_HTTP_FORBIDDEN;
    }

    if (ctx->route.hidden == NULL) {
        return NGX_OK;
    }

    hidden = ctx->route.hidden->elts;
    headers = &r->headers_in.headers;
    first = headers->part;

    if (ngx_list_init(headers, r->pool, 16, sizeof(ngx_table_elt_t))
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    for (part = &first; part != NULL; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            for (k = 0; k < ctx->route.hidden->nelts; k++) {
                if (ngx_http_sync_is_header(&h[i], &hidden[k])) {
                    break;
                }
            }

            if (k < ctx->route.hidden->nelts) {
                continue;
            }

            copy = ngx_list_push(headers);
            if (copy == NULL) {
                return NGX_HTTP_INTERNAL_SERVER_ERROR;
            }

            *copy = h[i];
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_sync_set_field_in(ngx_http_request_t *r,
    ngx_http_sync_field_t *field, ngx_str_t *value, ngx_uint_t lines)
{
    ngx_table_elt_t  *h;

    if (lines) {
        return ngx_http_sync_set_header_in(r, &field->name, value);
    }

    if (field->hash == 0) {
        field->hash = ngx_hash_key(field->lowcase, field->name.len);
    }

    h = ngx_http_sync_push(&r->headers_in.headers, &field->name, value);
    if (h == NULL) {
        return NGX_ERROR;
    }

    h->lowcase_key = field->lowcase;
    h->hash = field->hash;

    return NGX_OK;
}


static ngx_table_elt_t *
ngx_http_sync_push(ngx_list_t *headers, const ngx_str_t *name,
    const ngx_str_t *value)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(headers);
    if (h == NULL) {
        return NULL;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    h->hash = 1;
    h->key = *name;
    h->value = *value;

    return h;
}


/* Keeps the named fields that NGINX and its modules read in step. */

static void
ngx_http_sync_point_header_in(ngx_http_request_t *r, ngx_table_elt_t *h)
{
    size_t             i;
    ngx_table_elt_t  **field;

    static const struct {
        ngx_str_t  name;
        size_t     offset;
    } fields[] = {
        { ngx_string("content-type"),
          offsetof(ngx_http_headers_in_t, content_type) },
        { ngx_string("content-length"),
          offsetof(ngx_http_headers_in_t, content_length) },
        { ngx_string("transfer-encoding"),
          offsetof(ngx_http_headers_in_t, transfer_encoding) },
        { ngx_string("authorization"),
          offsetof(ngx_http_headers_in_t, authorization) },
        { ngx_string("if-match"),
          offsetof(ngx_http_headers_in_t, if_match) },
        { ngx_string("if-none-match"),
          offsetof(ngx_http_headers_in_t, if_none_match) },
        { ngx_string("if-modified-since"),
          offsetof(ngx_http_headers_in_t, if_modified_since) },
        { ngx_string("if-unmodified-since"),
          offsetof(ngx_http_headers_in_t, if_unmodified_since) },
        { ngx_string("user-agent"),
          offsetof(ngx_http_headers_in_t, user_agent) },
        { ngx_string("referer"),
          offsetof(ngx_http_headers_in_t, referer) },
        { ngx_string("range"),
          offsetof(ngx_http_headers_in_t, range) },
        { ngx_string("if-range"),
          offsetof(ngx_http_headers_in_t, if_range) },
        { ngx_string("te"),
          offsetof(ngx_http_headers_in_t, te) },
        { ngx_string("expect"),
          offsetof(ngx_http_headers_in_t, expect) },
        { ngx_string("upgrade"),
          offsetof(ngx_http_headers_in_t, upgrade) },
        { ngx_string("connection"),
          offsetof(ngx_http_headers_in_t, connection) },
        { ngx_string("host"),
          offsetof(ngx_http_headers_in_t, host) }
    };

    for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {

        if (fields[i].name.len != h->key.len
            || ngx_strncasecmp(fields[i].name.data, h->key.data, h->key.len)
               != 0)
        {
            continue;
        }

        field = (ngx_table_elt_t **)
                          ((u_char *) &r->headers_in + fields[i].offset);
        *field = h->hash ? h : NULL;

        return;
    }
}


ngx_int_t
ngx_http_sync_add_header(ngx_http_request_t *r, ngx_str_t *name,
    ngx_str_t *value)
{
    return ngx_http_sync_push_header(r, name, value) != NULL ? NGX_OK
                                                             : NGX_ERROR;
}


ngx_table_elt_t *
ngx_http_sync_push_header(ngx_http_request_t *r, const ngx_str_t *name,
    const ngx_str_t *value)
{
    return ngx_http_sync_push(&r->headers_out.headers, name, value);
}


ngx_int_t
ngx_http_sync_authenticate(ngx_http_request_t *r, const ngx_str_t *value)
{
    ngx_table_elt_t  *h;

    static ngx_str_t  name = ngx_string("WWW-Authenticate");

    /* of the location whose error_page has led here */

    ngx_http_sync_remove_header(r, &name);

    h = ngx_http_sync_push_header(r, &name, value);
    if (h == NULL) {
        return NGX_ERROR;
    }

    r->headers_out.www_authenticate = h;

    return NGX_OK;
}


void
ngx_http_sync_strip_headers_in(ngx_http_request_t *r, ngx_str_t *prefix)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    for (part = &r->headers_in.headers.part; part != NULL; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (h[i].key.len >= prefix->len
                && ((h[i].key.data[0] ^ prefix->data[0]) & ~0x20) == 0
                && ngx_strncasecmp(h[i].key.data, prefix->data, prefix->len)
                   == 0)
            {
                ngx_http_sync_drop_header_in(r, &h[i]);
            }
        }
    }
}


/*
 * proxy_pass sends whatever stands in the list, NGINX points at its elements
 * and reads the first one of a part that has become empty: so nothing moves.
 * What goes becomes a header of this hop, which no proxy sends on.
 */

static void
ngx_http_sync_drop_header_in(ngx_http_request_t *r, ngx_table_elt_t *h)
{
    h->hash = 0;
    ngx_http_sync_point_header_in(r, h);

    ngx_str_set(&h->key, "Keep-Alive");
    h->lowcase_key = (u_char *) "keep-alive";
    h->hash = ngx_hash_key(h->lowcase_key, h->key.len);
    ngx_str_set(&h->value, "");
}


ngx_int_t
ngx_http_sync_answer_headers(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    static ngx_str_t  x_correlation_id = ngx_string("X-Correlation-ID");
    static ngx_str_t  idempotency_status = ngx_string("Idempotency-Status");
    static ngx_str_t  x_sync_dropped = ngx_string("X-Sync-Dropped");

    part = &r->headers_out.headers.part;
    h = part->elts;

    /* what upstream sends as X-Sync-* is not for clients */

    for (i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {
            if (part->next == NULL) {
                break;
            }

            part = part->next;
            h = part->elts;
            i = 0;
        }

        if ((h[i].key.len >= sizeof("X-Sync-") - 1
             && ngx_strncasecmp(h[i].key.data, (u_char *) "X-Sync-",
                                sizeof("X-Sync-") - 1)
                == 0)
            || ngx_http_sync_is_header(&h[i], &x_correlation_id)
            || ngx_http_sync_is_header(&h[i], &idempotency_status))
        {
            h[i].hash = 0;
        }
    }

    if (ctx->correlation.len
        && ngx_http_sync_add_header(r, &x_correlation_id, &ctx->correlation)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ctx->dropped.len
        && ngx_http_sync_add_header(r, &x_sync_dropped, &ctx->dropped)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ctx->claim.status.len
        && ngx_http_sync_add_header(r, &idempotency_status,
                                    &ctx->claim.status)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ctx->trace != NULL ? ngx_http_sync_trace_header(r, ctx) : NGX_OK;
}


/*
 * The trace as a header: a JSON array of ASCII.  What does not fit is cut by
 * whole entries, and said so.
 */

static ngx_int_t
ngx_http_sync_trace_header(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx)
{
    u_char      *p, *last;
    size_t       n;
    ngx_str_t    value, *entry;
    ngx_uint_t   i;

    static ngx_str_t  x_sync_trace = ngx_string("X-Sync-Trace");

    p = ngx_pnalloc(r->pool, NGX_HTTP_SYNC_TRACE_MAX);
    if (p == NULL) {
        return NGX_ERROR;
    }

    value.data = p;
    last = p + NGX_HTTP_SYNC_TRACE_MAX - sizeof(",\"cut\"]");

    *p++ = '[';
    entry = ctx->trace->elts;

    for (i = 0; i < ctx->trace->nelts; i++) {

        n = ngx_http_sync_ascii(NULL, &entry[i]);

        if ((size_t) (last - p) < n + 1) {
            p = ngx_cpymem(p, i ? ",\"cut\"" : "\"cut\"", i ? 6 : 5);
            break;
        }

        if (i) {
            *p++ = ',';
        }

        p += ngx_http_sync_ascii(p, &entry[i]);
    }

    *p++ = ']';
    value.len = p - value.data;

    return ngx_http_sync_add_header(r, &x_sync_trace, &value);
}


/* JSON text with all above ASCII as \u escapes; dst NULL: the length alone. */

static size_t
ngx_http_sync_ascii(u_char *dst, ngx_str_t *s)
{
    size_t     n;
    u_char    *p, *last, buf[12], *end;
    uint32_t   ch;

    n = 0;
    p = s->data;
    last = p + s->len;

    while (p < last) {

        if (*p < 0x7f) {
            buf[0] = *p++;
            end = buf + 1;

        } else {
            ch = *p == 0x7f ? *p++ : ngx_utf8_decode(&p, last - p);

            if (ch > 0x10ffff) {
                p = ch == 0xfffffffe ? last : p;
                ch = 0xfffd;
            }

            if (ch < 0x10000) {
                end = ngx_sprintf(buf, "\\u%04xD", ch);

            } else {
                ch -= 0x10000;
                end = ngx_sprintf(buf, "\\u%04xD\\u%04xD",
                                  0xd800 + (ch >> 10),
                                  0xdc00 + (ch & 0x3ff));
            }
        }

        if (dst != NULL) {
            ngx_memcpy(dst + n, buf, end - buf);
        }

        n += end - buf;
    }

    return n;
}


void
ngx_http_sync_remove_header(ngx_http_request_t *r, ngx_str_t *name)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    part = &r->headers_out.headers.part;
    h = part->elts;

    for (i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {
            if (part->next == NULL) {
                break;
            }

            part = part->next;
            h = part->elts;
            i = 0;
        }

        if (ngx_http_sync_is_header(&h[i], name)) {
            h[i].hash = 0;
        }
    }
}
