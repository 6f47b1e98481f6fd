
/*
 * Formats of bodies and answers.
 */


#include "ngx_http_sync_formats.h"
#include "ngx_http_sync_registry.h"
#include "sync_body.h"


/* Names of problems, by format. */

static const char  *ngx_http_sync_format_problems[] = {
    "invalid-json", "invalid-form", "invalid-xml", "invalid-soap",
    "invalid-soap", "invalid-csv", "invalid-json", "invalid-json",
    "invalid-json-rpc"
};


static ngx_uint_t ngx_http_sync_format_takes(ngx_http_sync_ctx_t *ctx,
    sync_doc_source_t *source, ngx_str_t *type);
static ngx_int_t ngx_http_sync_read_format(ngx_http_sync_ctx_t *ctx,
    sync_format_e format, sync_doc_list_t lists, sync_str_t text,
    sync_json_t *json, sync_error_t *err);
static ngx_int_t ngx_http_sync_read_rpc(ngx_http_sync_ctx_t *ctx,
    sync_error_t *err);
static ngx_int_t ngx_http_sync_read_refuse(ngx_http_sync_ctx_t *ctx,
    sync_error_t *err);
static ngx_uint_t ngx_http_sync_answer_type(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);
static ngx_int_t ngx_http_sync_write_rpc(ngx_http_sync_ctx_t *ctx,
    const sync_doc_operation_t *operation, sync_str_t *text,
    sync_faults_t *faults);
static ngx_int_t ngx_http_sync_write_body(ngx_http_sync_ctx_t *ctx,
    const sync_doc_operation_t *operation, sync_str_t *text);
static sync_rc_t ngx_http_sync_body_secret(void *data, sync_str_t name,
    sync_str_t *value);
static ngx_int_t ngx_http_sync_write_refuse(ngx_http_sync_ctx_t *ctx,
    sync_error_t *err);
static ngx_int_t ngx_http_sync_write_busy(ngx_http_sync_ctx_t *ctx);


ngx_int_t
ngx_http_sync_read_source(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx)
{
    ngx_int_t           rc;
    ngx_str_t           right;
    sync_str_t          text;
    sync_error_t        err;
    sync_doc_source_t   source;

    if (ngx_http_sync_source(ctx, &source) != NGX_OK) {
        return NGX_ERROR;
    }

    ctx->payload.format = source.format;

    if (ctx->payload.body.len == 0) {
        text = sync_format_name(source.format);
        right.data = text.data;
        right.len = text.len;

        return ngx_http_sync_problem(ctx, NGX_HTTP_BAD_REQUEST,
                         ngx_http_sync_format_problems[source.format],
                         "The body cannot be read", NGX_HTTP_SYNC_BUSINESS,
                         "there is no body; one of format %V is right",
                         &right);
    }

    ngx_http_sync_media_type(r, &ctx->payload.media_type);

    if (!ngx_http_sync_format_takes(ctx, &source, &right)) {
        return ngx_http_sync_problem(ctx, NGX_HTTP_UNSUPPORTED_MEDIA_TYPE,
                                     "unsupported-media-type", NULL,
                                     NGX_HTTP_SYNC_BUSINESS,
                                     "the media type \"%V\" is not what this "
                                     "client speaks; %V is right",
                                     &ctx->payload.media_type, &right);
    }

    if (sync_format_is_json(source.format)) {
        rc = ngx_http_sync_parse_body(r, ctx);

        if (rc == NGX_OK && source.format == SYNC_FORMAT_JSON_RPC) {
            rc = ngx_http_sync_read_rpc(ctx, &err);

            return rc == NGX_DECLINED ? ngx_http_sync_read_refuse(ctx, &err)
                                      : rc;
        }

        if (rc != NGX_DECLINED) {
            return rc;
        }
    }

    text.data = ctx->payload.body.data;
    text.len = ctx->payload.body.len;

    rc = ngx_http_sync_read_format(ctx, source.format, source.lists, text,
                                   &ctx->payload.source, &err);

    if (rc == NGX_OK && source.format == SYNC_FORMAT_JSON_RPC) {
        rc = ngx_http_sync_read_rpc(ctx, &err);
    }

    if (rc == NGX_DECLINED) {
        return ngx_http_sync_read_refuse(ctx, &err);
    }

    return rc == NGX_BUSY ? ngx_http_sync_write_busy(ctx) : rc;
}


/* right: the first of those that are taken. */

static ngx_uint_t
ngx_http_sync_format_takes(ngx_http_sync_ctx_t *ctx,
    sync_doc_source_t *source, ngx_str_t *right)
{
    size_t      len;
    sync_str_t  type, media;

    type.data = ctx->payload.media_type.data;
    type.len = ctx->payload.media_type.len;

    if (source->media_types.n) {
        media = sync_doc_item(ctx->tenant.doc, source->media_types, 0);
        right->data = media.data;
        right->len = media.len;

        return sync_doc_has(ctx->tenant.doc, source->media_types, type);
    }

    media = sync_format_media(source->format);

    for (len = 0; len < media.len && media.data[len] != ';'; len++) {
        /* void */
    }

    right->data = media.data;
    right->len = len;

    return sync_format_takes(source->format, type);
}


static ngx_int_t
ngx_http_sync_read_format(ngx_http_sync_ctx_t *ctx, sync_format_e format,
    sync_doc_list_t lists, sync_str_t text, sync_json_t *json,
    sync_error_t *err)
{
    uint32_t               i;
    sync_rc_t              rc;
    sync_str_t             names[SYNC_DOC_NAMES], read;
    sync_json_limits_t     bounds;
    sync_format_limits_t   limits;

    /* what is read, and the tape that is made of it */

    if (ngx_http_sync_charge(ctx, 2 * text.len) != NGX_OK) {
        return NGX_BUSY;
    }

    ngx_memzero(&limits, sizeof(sync_format_limits_t));
    ngx_memzero(&bounds, sizeof(sync_json_limits_t));

    for (i = 0; i < lists.n && i < SYNC_DOC_NAMES; i++) {
        names[i] = sync_doc_item(ctx->tenant.doc, lists, i);
    }

    limits.lists = names;
    limits.nlists = i;
    limits.work = &ctx->payload.work;

    rc = sync_format_read(format, &ctx->arena, text, &limits, &read, err);

    if (rc == SYNC_OK) {
        rc = sync_json_parse(json, &ctx->arena, read, &bounds, err);
    }

    if (rc == SYNC_OK) {
        return NGX_OK;
    }

    json->nodes = NULL;

    return rc == SYNC_NO ? NGX_DECLINED : NGX_ERROR;
}


/* The parameters of a call are the payload. */

static ngx_int_t
ngx_http_sync_read_rpc(ngx_http_sync_ctx_t *ctx, sync_error_t *err)
{
    uint32_t             params, id;
    sync_rc_t            rc;
    sync_str_t           text;
    sync_json_t         *json;
    sync_json_limits_t   limits;

    if (ctx->payload.rpc_id.data != NULL) {
        return NGX_OK;
    }

    json = &ctx->payload.source;

    rc = sync_rpc_parse(json, &params, &id, err);

    if (rc == SYNC_OK && params == SYNC_JSON_NONE) {
        rc = sync_refuse(err, "envelope", SYNC_NOWHERE,
                         "the call has no \"params\"");
    }

    if (rc != SYNC_OK) {
        return NGX_DECLINED;
    }

    ngx_memzero(&limits, sizeof(sync_json_limits_t));

    text = sync_json_raw(json, params);
    ctx->payload.rpc_id = sync_json_raw(json, id);

    rc = sync_json_parse(json, &ctx->arena, text, &limits, err);

    return rc == SYNC_OK ? NGX_OK : rc == SYNC_NO ? NGX_DECLINED : NGX_ERROR;
}


static ngx_int_t
ngx_http_sync_read_refuse(ngx_http_sync_ctx_t *ctx, sync_error_t *err)
{
    ngx_int_t    rc;
    const char  *name;

    ctx->payload.source.nodes = NULL;

    name = ngx_http_sync_format_problems[ctx->payload.format];

    if (err->offset != SYNC_NOWHERE) {
        rc = ngx_http_sync_problem(ctx, NGX_HTTP_BAD_REQUEST, name,
                                   "The body cannot be read",
                                   NGX_HTTP_SYNC_BUSINESS,
                                   "at byte %uz: %s", err->offset, err->text);

    } else {
        rc = ngx_http_sync_problem(ctx, NGX_HTTP_BAD_REQUEST, name,
                                   "The body cannot be read",
                                   NGX_HTTP_SYNC_BUSINESS, "%s", err->text);
    }

    (void) ngx_http_sync_problem_fault(ctx, err->pointer, err->what,
                                       err->text);

    return rc;
}


ngx_int_t
ngx_http_sync_read_answer(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx)
{
    ngx_int_t                rc;
    sync_rc_t                said;
    sync_str_t               text;
    sync_error_t             err;
    ngx_http_sync_answer_t  *a;

    a = &ctx->answer;

    if (a->json.nodes != NULL) {
        return NGX_OK;
    }

    if (!ngx_http_sync_answer_type(r, ctx)) {
        ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                      "map_back: the media type of the upstream's answer is "
                      "not of its connector's format");
        return NGX_DECLINED;
    }

    text.data = a->body.data;
    text.len = a->body.len;

    rc = ngx_http_sync_read_format(ctx, ctx->route.c.format,
                                   ctx->route.c.lists, text, &a->json, &err);

    if (rc == NGX_DECLINED) {
        ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                      "map_back: the upstream's answer cannot be read, %s: %s",
                      err.what, err.text);
    }

    if (rc != NGX_OK) {
        return rc;
    }

    said = sync_format_answer(ctx->route.c.format, &a->json, &ctx->arena,
                              &a->root, &a->error);

    if (said == SYNC_FAULT) {
        return NGX_ERROR;
    }

    a->failed = (said == SYNC_NO);

    return NGX_OK;
}


/* As it came, and of a media type of the format. */

static ngx_uint_t
ngx_http_sync_answer_type(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx)
{
    size_t       len;
    u_char      *p;
    ngx_str_t   *type;
    sync_str_t   s;

    type = &r->headers_out.content_type;

    if (r->headers_out.content_encoding != NULL
        && r->headers_out.content_encoding->hash
        && r->headers_out.content_encoding->value.len)
    {
        return 0;
    }

    /* RFC 7303: what HTTP says of the charset counts, not what XML says */

    if (!sync_format_is_json(ctx->route.c.format)
        && r->headers_out.charset.len
        && (r->headers_out.charset.len != sizeof("utf-8") - 1
            || ngx_strncasecmp(r->headers_out.charset.data,
                               (u_char *) "utf-8", sizeof("utf-8") - 1)
               != 0))
    {
        return 0;
    }

    for (len = 0; len < type->len; len++) {
        if (type->data[len] == ';' || type->data[len] == ' ') {
            break;
        }
    }

    p = ngx_pnalloc(r->pool, len + 1);
    if (p == NULL) {
        return 0;
    }

    ngx_strlow(p, type->data, len);

    s.data = p;
    s.len = len;

    return sync_format_takes(ctx->route.c.format, s);
}


ngx_int_t
ngx_http_sync_write_format(ngx_http_sync_ctx_t *ctx, sync_format_e format,
    sync_str_t *text, sync_faults_t *faults)
{
    ngx_int_t     rc;
    sync_rc_t     said;
    sync_json_t   json;
    sync_error_t  err;

    if (sync_format_is_json(format)) {
        return NGX_OK;
    }

    rc = ngx_http_sync_words_parse(ctx, *text, &json, faults);
    if (rc != NGX_OK) {
        return rc;
    }

    said = sync_format_write(format, &json, 0, &ctx->arena, 0, text, &err);

    if (said == SYNC_NO) {
        faults->count = 1;
        faults->list[0].pointer = err.pointer;
        faults->list[0].what = err.what;
        faults->list[0].text = "the format cannot say it";

        return NGX_DECLINED;
    }

    if (said != SYNC_OK) {
        return NGX_ERROR;
    }

    return ngx_http_sync_charge(ctx, text->len) == NGX_OK ? NGX_OK : NGX_BUSY;
}


ngx_int_t
ngx_http_sync_write_target(ngx_http_sync_ctx_t *ctx,
    const sync_doc_operation_t *operation, sync_str_t *text)
{
    ngx_int_t      rc;
    sync_faults_t  faults;

    if (operation->body.len) {
        rc = ngx_http_sync_write_body(ctx, operation, text);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    if (text->data == NULL) {
        return NGX_OK;
    }

    sync_faults_init(&faults, &ctx->arena);

    rc = ctx->route.c.format == SYNC_FORMAT_JSON_RPC
         ? ngx_http_sync_write_rpc(ctx, operation, text, &faults)
         : ngx_http_sync_write_format(ctx, ctx->route.c.format, text,
                                      &faults);

    if (rc == NGX_DECLINED) {
        ngx_http_sync_log_faults(ctx, NGX_LOG_INFO, "normalize",
                                 "the connector's format cannot say it",
                                 &faults);

        (void) ngx_http_sync_problem(ctx, 422, "invalid-payload",
                                     "The payload cannot be processed",
                                     NGX_HTTP_SYNC_BUSINESS,
                                     "the connector's format cannot say it");
        (void) ngx_http_sync_problem_fault(ctx, faults.list[0].pointer,
                                           faults.list[0].what,
                                           faults.list[0].text);
        return 422;
    }

    return rc == NGX_BUSY ? ngx_http_sync_write_busy(ctx) : rc;
}


static ngx_int_t
ngx_http_sync_write_rpc(ngx_http_sync_ctx_t *ctx,
    const sync_doc_operation_t *operation, sync_str_t *text,
    sync_faults_t *faults)
{
    ngx_int_t    rc;
    sync_str_t   id;
    sync_json_t  params;

    rc = ngx_http_sync_words_parse(ctx, *text, &params, faults);
    if (rc != NGX_OK) {
        return rc;
    }

    id.data = ctx->correlation.data;
    id.len = ctx->correlation.len;

    if (sync_rpc_request(&ctx->arena, operation->action, &params, id, 0, text)
        != SYNC_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_sync_charge(ctx, text->len) == NGX_OK ? NGX_OK : NGX_BUSY;
}


/* The template was looked at when the document was loaded. */

static ngx_int_t
ngx_http_sync_write_body(ngx_http_sync_ctx_t *ctx,
    const sync_doc_operation_t *operation, sync_str_t *text)
{
    sync_rc_t            rc;
    sync_json_t          body;
    sync_error_t         err;
    sync_json_limits_t   limits;
    sync_body_values_t   values;

    ngx_memzero(&limits, sizeof(sync_json_limits_t));
    ngx_memzero(&values, sizeof(sync_body_values_t));

    if (sync_json_parse(&body, &ctx->arena, operation->body, &limits, &err)
        != SYNC_OK
        || ngx_http_sync_words_key(ctx, &values.idempotency_key) != NGX_OK)
    {
        return NGX_ERROR;
    }

    values.id.data = ctx->payload.id.data;
    values.id.len = ctx->payload.id.len;
    values.mapped = *text;
    values.secret = ngx_http_sync_body_secret;
    values.data = ctx;

    if (ctx->payload.canonical.nodes != NULL) {
        values.payload = &ctx->payload.canonical;
    }

    rc = sync_body_render(&body, &values, &ctx->arena, 0, text, &err);

    if (rc == SYNC_NO) {
        return ngx_http_sync_write_refuse(ctx, &err);
    }

    if (rc != SYNC_OK) {
        return NGX_ERROR;
    }

    return ngx_http_sync_charge(ctx, text->len) == NGX_OK
           ? NGX_OK : ngx_http_sync_write_busy(ctx);
}


static sync_rc_t
ngx_http_sync_body_secret(void *data, sync_str_t name, sync_str_t *value)
{
    ngx_http_sync_ctx_t *ctx = data;

    if (ctx->dry_run) {

        /* what is made is shown and not sent */

        *value = sync_str_lit("***");
        return SYNC_OK;
    }

    ctx->route.in_body = 1;

    return ngx_http_sync_secret(ctx, name, value);
}


static ngx_int_t
ngx_http_sync_write_refuse(ngx_http_sync_ctx_t *ctx, sync_error_t *err)
{
    ngx_int_t  rc;

    if (ngx_strcmp(err->what, "no-secret") == 0) {
        return ngx_http_sync_problem(ctx, NGX_HTTP_SERVICE_UNAVAILABLE,
                                     "tenant-misconfigured",
                                     "The tenant is not set up right",
                                     NGX_HTTP_SYNC_TECHNICAL, "%s", err->text);
    }

    /* the object's id is of the request's line, the rest of its payload */

    rc = ngx_http_sync_problem(ctx, err->pointer.len ? 422
                                                     : NGX_HTTP_BAD_REQUEST,
                               "bad-value", "A value cannot be sent on",
                               NGX_HTTP_SYNC_BUSINESS, "%s", err->text);

    if (err->pointer.len
        && ngx_http_sync_problem_fault(ctx, err->pointer, err->what,
                                       err->text)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return rc;
}


static ngx_int_t
ngx_http_sync_write_busy(ngx_http_sync_ctx_t *ctx)
{
    return ngx_http_sync_problem(ctx, NGX_HTTP_SERVICE_UNAVAILABLE,
                                 "buffers-exhausted",
                                 "No memory for the payload now",
                                 NGX_HTTP_SYNC_TECHNICAL,
                                 "sync_buffers of this worker are in use");
}


ngx_int_t
ngx_http_sync_target_headers(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    const sync_doc_operation_t *operation, ngx_str_t *type)
{
    size_t         len;
    u_char        *p;
    ngx_str_t      action, accept;
    sync_str_t     media;
    sync_format_e  format;

    static ngx_str_t  soap_action = ngx_string("SOAPAction");
    static ngx_str_t  accept_name = ngx_string("Accept");

    format = ctx->route.c.format;

    media = sync_format_media(format);
    type->data = media.data;
    type->len = media.len;

    if (sync_format_is_json(format)) {
        return NGX_OK;
    }

    /* the client's, which asks for its own format, is not for the target */

    for (len = 0; len < media.len && media.data[len] != ';'; len++) {
        /* void */
    }

    accept.data = media.data;
    accept.len = len;

    if (ngx_http_sync_set_header_in(r, &accept_name, &accept) != NGX_OK) {
        return NGX_ERROR;
    }

    if (format != SYNC_FORMAT_SOAP_11 && format != SYNC_FORMAT_SOAP_12) {
        return NGX_OK;
    }

    len = operation->action.len;

    p = ngx_pnalloc(r->pool, media.len + sizeof("; action=\"\"") + len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    /* SOAP 1.1, section 6.1.1: a header, even where it says nothing */

    if (format == SYNC_FORMAT_SOAP_11) {
        action.data = p;
        *p++ = '"';
        p = ngx_cpymem(p, operation->action.data, len);
        *p++ = '"';
        action.len = p - action.data;

        return ngx_http_sync_set_header_in(r, &soap_action, &action);
    }

    /* SOAP 1.2 part 2, section 6.5.3: a parameter of the media type */

    if (len) {
        type->data = p;
        p = ngx_cpymem(p, media.data, media.len);
        p = ngx_cpymem(p, "; action=\"", sizeof("; action=\"") - 1);
        p = ngx_cpymem(p, operation->action.data, len);
        *p++ = '"';
        type->len = p - type->data;
    }

    return NGX_OK;
}
