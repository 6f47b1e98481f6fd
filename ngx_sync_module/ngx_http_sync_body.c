
/*
 * The request's body: read once, contiguous, parsed once, replaced.
 */


#include "ngx_http_sync_core.h"


static void ngx_http_sync_body_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_sync_gather(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);


static size_t  ngx_http_sync_in_use;     /* bytes, of this worker */


ngx_int_t
ngx_http_sync_charge(ngx_http_sync_ctx_t *ctx, size_t bytes)
{
    ngx_http_sync_main_conf_t  *smcf;

    smcf = ngx_http_get_module_main_conf(ctx->request, ngx_http_sync_module);

    if (bytes > smcf->buffers - ngx_http_sync_in_use) {
        ngx_log_error(NGX_LOG_WARN, ctx->request->connection->log, 0,
                      "runner: %uz bytes are over sync_buffers, %uz of %uz "
                      "are in use", bytes, ngx_http_sync_in_use,
                      smcf->buffers);
        return NGX_DECLINED;
    }

    ngx_http_sync_in_use += bytes;
    ctx->charged += bytes;

    return NGX_OK;
}


void
ngx_http_sync_discharge(ngx_http_sync_ctx_t *ctx)
{
    ngx_http_sync_in_use -= ctx->charged;
    ctx->charged = 0;
}


size_t
ngx_http_sync_charged(void)
{
    return ngx_http_sync_in_use;
}


ngx_int_t
ngx_http_sync_read_body(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx)
{
    off_t      size;
    ngx_int_t  rc;

    if (ctx->payload.body_read) {
        return NGX_OK;
    }

    if (r->request_body == NULL) {

        size = r->headers_in.content_length_n;

        /* twice: the body and its tape; a chunked body is charged later */

        if (size > 0) {
            if (ngx_http_sync_charge(ctx, 2 * size) != NGX_OK) {
                goto busy;
            }

            ctx->body_charged = 1;
        }

        ctx->reading = 1;

        rc = ngx_http_read_client_request_body(r, ngx_http_sync_body_handler);

        if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
            ctx->reading = 0;
            return rc;
        }

        /* the reference that reading took */

        ngx_http_finalize_request(r, NGX_DONE);

        if (ctx->reading) {
            ctx->parked = 1;

            /* what ends here, by a timeout or a client that leaves */

            ctx->verdict_read = ctx->verdict;
            ctx->reason_read = ctx->reason;
            ctx->verdict = "refused";
            ctx->reason = "http";

            return NGX_AGAIN;
        }
    }

    rc = ngx_http_sync_gather(r, ctx);

    if (rc == NGX_DECLINED) {
        goto busy;
    }

    return rc;

busy:

    return ngx_http_sync_problem(ctx, NGX_HTTP_SERVICE_UNAVAILABLE,
                                 "buffers-exhausted",
                                 "No memory for the body now",
                                 NGX_HTTP_SYNC_TECHNICAL,
                                 "sync_buffers of this worker are in use");
}


static void
ngx_http_sync_body_handler(ngx_http_request_t *r)
{
    ngx_http_sync_ctx_t  *ctx;

    ctx = ngx_http_sync_get_ctx(r);

    r->preserve_body = 1;
    r->write_event_handler = ngx_http_core_run_phases;

    ctx->reading = 0;

    if (ctx->parked) {
        ctx->parked = 0;
        ctx->verdict = ctx->verdict_read;
        ctx->reason = ctx->reason_read;

        ngx_http_core_run_phases(r);
    }

    /* else called from within ngx_http_sync_read_body(), which goes on */
}


static ngx_int_t
ngx_http_sync_gather(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx)
{
    off_t         size;
    u_char       *p;
    ssize_t       n;
    ngx_str_t    *body;
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    ctx->payload.body_read = 1;
    body = &ctx->payload.body;

    if (r->request_body == NULL || r->request_body->bufs == NULL) {
        return NGX_OK;
    }

    size = 0;

    for (cl = r->request_body->bufs; cl; cl = cl->next) {
        size += ngx_buf_size(cl->buf);
    }

    if (size == 0) {
        return NGX_OK;
    }

    /* NGINX counts a chunked body in content_length_n while it comes */

    if (!ctx->body_charged
        && ngx_http_sync_charge(ctx, 2 * size) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    cl = r->request_body->bufs;

    if (cl->next == NULL && ngx_buf_in_memory(cl->buf)) {
        body->data = cl->buf->pos;
        body->len = size;
        ctx->payload.raw = *body;
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, size);
    if (p == NULL) {
        return NGX_ERROR;
    }

    body->data = p;
    body->len = size;
    ctx->payload.raw = *body;

    for ( /* void */ ; cl; cl = cl->next) {
        b = cl->buf;

        if (ngx_buf_in_memory(b)) {
            p = ngx_cpymem(p, b->pos, b->last - b->pos);
            continue;
        }

        if (!b->in_file) {
            continue;
        }

        size = b->file_last - b->file_pos;

        n = ngx_read_file(b->file, p, size, b->file_pos);

        if (n != size) {
            ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                          "body: read %z of %O bytes of \"%V\"", n, size,
                          &b->file->name);
            return NGX_ERROR;
        }

        p += n;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_sync_parse_body(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx)
{
    sync_str_t          text;
    sync_rc_t           rc;
    ngx_str_t          *type;
    sync_error_t        err;
    sync_json_limits_t  limits;

    if (ctx->payload.parsed && ctx->payload.source.nodes != NULL) {
        return NGX_OK;
    }

    /* who asks again for what was refused is refused in the same words */

    ctx->payload.parsed = 1;
    type = &ctx->payload.media_type;

    ngx_http_sync_media_type(r, type);

    if (ctx->payload.body.len == 0
        || !((type->len == sizeof("application/json") - 1
              && ngx_memcmp(type->data, "application/json", type->len) == 0)
             || (type->len > sizeof("+json") - 1
                 && ngx_memcmp(type->data + type->len - 5, "+json", 5) == 0)))
    {
        return NGX_DECLINED;
    }

    ngx_memzero(&limits, sizeof(sync_json_limits_t));

    text.data = ctx->payload.body.data;
    text.len = ctx->payload.body.len;

    rc = sync_json_parse(&ctx->payload.source, &ctx->arena, text, &limits,
                         &err);

    if (rc == SYNC_OK) {
        return NGX_OK;
    }

    ctx->payload.source.nodes = NULL;

    if (rc == SYNC_FAULT) {
        return NGX_ERROR;
    }

    (void) ngx_http_sync_problem(ctx, NGX_HTTP_BAD_REQUEST, "invalid-json",
                                 "The body is not JSON",
                                 NGX_HTTP_SYNC_BUSINESS,
                                 "at byte %uz: %s", err.offset, err.text);

    (void) ngx_http_sync_problem_fault(ctx, err.pointer, err.what, err.text);

    return NGX_HTTP_BAD_REQUEST;
}


void
ngx_http_sync_media_type(ngx_http_request_t *r, ngx_str_t *type)
{
    size_t      len;
    u_char     *p;
    ngx_str_t  *value;

    ngx_str_null(type);

    if (r->headers_in.content_type == NULL) {
        return;
    }

    value = &r->headers_in.content_type->value;

    for (len = 0; len < value->len; len++) {
        if (value->data[len] == ';') {
            break;
        }
    }

    while (len && (value->data[len - 1] == ' ' || value->data[len - 1] == '\t'))
    {
        len--;
    }

    p = ngx_pnalloc(r->pool, len);
    if (p == NULL) {
        return;
    }

    ngx_strlow(p, value->data, len);

    type->data = p;
    type->len = len;
}


ngx_int_t
ngx_http_sync_replace_body(ngx_http_request_t *r, ngx_str_t *body,
    ngx_str_t *type)
{
    u_char                   *p;
    ngx_buf_t                *b;
    ngx_str_t                 length;
    ngx_chain_t              *cl;

    static ngx_str_t  content_length = ngx_string("Content-Length");
    static ngx_str_t  content_type = ngx_string("Content-Type");
    static ngx_str_t  transfer_encoding = ngx_string("Transfer-Encoding");

    if (r->request_body == NULL) {
        r->request_body = ngx_pcalloc(r->pool,
                                      sizeof(ngx_http_request_body_t));
        if (r->request_body == NULL) {
            return NGX_ERROR;
        }
    }

    b = ngx_calloc_buf(r->pool);
    cl = ngx_alloc_chain_link(r->pool);
    p = ngx_pnalloc(r->pool, NGX_SIZE_T_LEN);

    if (b == NULL || cl == NULL || p == NULL) {
        return NGX_ERROR;
    }

    b->start = body->data;
    b->pos = body->data;
    b->last = body->data + body->len;
    b->end = b->last;
    b->temporary = 1;
    b->last_buf = 1;

    cl->buf = b;
    cl->next = NULL;

    /* the old buffers and the file stay the pool's */

    r->request_body->bufs = body->len ? cl : NULL;
    r->request_body->buf = b;
    r->request_body->temp_file = NULL;

    r->headers_in.content_length_n = body->len;
    r->headers_in.chunked = 0;

    length.data = p;
    length.len = ngx_sprintf(p, "%uz", body->len) - p;

    if (ngx_http_sync_set_header_in(r, &transfer_encoding, NULL) != NGX_OK
        || ngx_http_sync_set_header_in(r, &content_length, &length) != NGX_OK
        || (type != NULL
            && ngx_http_sync_set_header_in(r, &content_type, type) != NGX_OK))
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}
