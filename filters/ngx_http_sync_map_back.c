
/*
 * Map back: a connector's answer becomes canonical and then the words of the
 * client.
 *
 * What cannot be mapped is 502; where a key is held, its outcome is recorded
 * as what it was: the connector has done its work.
 */


#include "ngx_http_sync.h"
#include "ngx_http_sync_formats.h"
#include "ngx_http_sync_mode.h"
#include "ngx_http_sync_pages.h"
#include "sync_path.h"


static ngx_uint_t ngx_http_sync_map_back_enabled(ngx_http_request_t *r);
static ngx_int_t ngx_http_sync_map_back_run(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);
static ngx_int_t ngx_http_sync_map_back_body(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, sync_str_t *text);
static ngx_uint_t ngx_http_sync_map_back_head(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);
static ngx_uint_t ngx_http_sync_map_back_formats(ngx_http_sync_ctx_t *ctx);
static ngx_int_t ngx_http_sync_map_back_list(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, sync_doc_operation_t *list);
static ngx_int_t ngx_http_sync_map_back_next(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, sync_json_t *json, sync_str_t next);
static ngx_int_t ngx_http_sync_map_back_root(ngx_http_sync_ctx_t *ctx,
    sync_json_t *json, sync_faults_t *faults);
static ngx_int_t ngx_http_sync_map_back_source(ngx_http_sync_ctx_t *ctx,
    sync_str_t *text, sync_faults_t *faults);
static ngx_int_t ngx_http_sync_map_back_error(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);
static void ngx_http_sync_map_back_media(ngx_http_sync_ctx_t *ctx,
    ngx_str_t *type);
static void ngx_http_sync_map_back_type(ngx_http_request_t *r,
    ngx_str_t *type);
static ngx_int_t ngx_http_sync_map_back_ids(ngx_http_sync_ctx_t *ctx,
    const sync_json_t *json, sync_str_t *text);
static void ngx_http_sync_map_back_object(ngx_http_sync_ctx_t *ctx,
    const sync_json_t *json, uint32_t n, sync_json_out_t *out);
static ngx_int_t ngx_http_sync_map_back_bad(ngx_http_sync_ctx_t *ctx,
    const char *name, const char *title, const char *detail);


const ngx_http_sync_step_t  ngx_http_sync_map_back_step = {
    "map_back",
    NGX_HTTP_SYNC_STAGE_RESPONSE,
    NGX_HTTP_SYNC_STEP_MAP_BACK,
    ngx_http_sync_map_back_enabled,
    1,
    ngx_http_sync_map_back_run,
    NULL,
    NULL,
    NULL
};


static ngx_uint_t
ngx_http_sync_map_back_enabled(ngx_http_request_t *r)
{
    ngx_http_sync_ctx_t  *ctx;

    ctx = ngx_http_sync_get_ctx(r);

    return ctx != NULL && ctx->route.connector != SYNC_DOC_NONE
           && ctx->payload.normalize != NGX_HTTP_SYNC_OFF;
}


static ngx_int_t
ngx_http_sync_map_back_run(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx)
{
    ngx_int_t                rc;
    ngx_str_t                type;
    sync_str_t               text;
    ngx_http_sync_answer_t  *a;

    a = &ctx->answer;

    if (a->own || a->bodiless || r->upstream == NULL || a->received == 0) {
        return NGX_DECLINED;
    }

    if (a->failed && ctx->payload.normalize == NGX_HTTP_SYNC_ON) {
        return ngx_http_sync_map_back_error(r, ctx);
    }

    if (a->status < NGX_HTTP_OK || a->status >= NGX_HTTP_SPECIAL_RESPONSE) {
        return NGX_DECLINED;
    }

    rc = ngx_http_sync_map_back_body(r, ctx, &text);

    if (ctx->payload.normalize == NGX_HTTP_SYNC_SHADOW) {

        if (rc != NGX_OK && rc != NGX_DECLINED) {
            ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                          "map_back: shadow, would answer %i",
                          rc == NGX_ERROR ? NGX_HTTP_INTERNAL_SERVER_ERROR
                                          : rc);
            ctx->problem.status = 0;
        }

        return NGX_DECLINED;
    }

    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_http_sync_map_back_head(r, ctx)) {

        /* nobody knows how long the mapped answer would be */

        ngx_http_clear_content_length(r);
        ngx_http_clear_accept_ranges(r);

        return NGX_OK;
    }

    a->body.data = text.data;
    a->body.len = text.len;
    a->replaced = 1;

    ngx_http_sync_map_back_media(ctx, &type);

    if (text.len == 0) {
        ngx_str_null(&type);
    }

    ngx_http_sync_map_back_type(r, &type);

    ngx_http_sync_trace(ctx, "map_back", "%uz bytes", text.len);

    return NGX_OK;
}


/*
 * NGX_OK: text is the answer in the client's words; NGX_DECLINED: the body is
 * right as it came; a status with its problem.
 */

static ngx_int_t
ngx_http_sync_map_back_body(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    sync_str_t *text)
{
    ngx_int_t                rc;
    ngx_uint_t               prefixed, pages, items;
    sync_json_t              json;
    sync_faults_t            faults;
    const sync_map_t        *from, *to;
    sync_doc_operation_t     list;
    ngx_http_sync_answer_t  *a;

    a = &ctx->answer;
    from = NULL;
    to = NULL;
    prefixed = sync_doc_ids_prefixed(ctx->tenant.doc);

    if (ngx_http_sync_connector_map(ctx, &from) == NGX_ERROR
        || ngx_http_sync_source_map(ctx, &to) == NGX_ERROR)
    {
        return ngx_http_sync_map_back_bad(ctx, "tenant-misconfigured",
                                          "The tenant is not set up right",
                                          "a map is missing");
    }

    if (to != NULL && !sync_map_has(to, SYNC_MAP_READ)) {
        to = NULL;
    }

    pages = ngx_http_sync_map_back_list(r, ctx, &list) == NGX_OK;

    if (!ngx_http_sync_map_back_formats(ctx) && from == NULL && to == NULL
        && !prefixed && !pages)
    {
        return NGX_DECLINED;
    }

    if (ngx_http_sync_map_back_head(r, ctx)) {
        return NGX_OK;
    }

    if (a->over) {
        return ngx_http_sync_map_back_bad(ctx, "answer-too-large",
                                          "The upstream's answer is too large",
                                          "it cannot be held to be mapped");
    }

    if (a->body.len == 0) {
        return NGX_DECLINED;
    }

    if (from != NULL && !sync_map_has(from, SYNC_MAP_READ)) {

        /* nothing is known about its answers, so nothing of them is told */

        *text = sync_str_lit("");
        return NGX_OK;
    }

    rc = ngx_http_sync_read_answer(r, ctx);

    if (rc == NGX_DECLINED) {
        return ngx_http_sync_map_back_bad(ctx, "bad-upstream-answer",
                                          "The upstream's answer is not right",
                                          "it is not of the connector's "
                                          "format");
    }

    sync_faults_init(&faults, &ctx->arena);

    if (rc == NGX_OK) {
        rc = ngx_http_sync_map_back_root(ctx, &json, &faults);
    }

    *text = json.text;

    if (rc == NGX_OK && list.next.len) {
        rc = ngx_http_sync_map_back_next(r, ctx, &json, list.next);
    }

    items = list.items.len != 0;

    if (rc == NGX_OK && (from != NULL || items)) {
        rc = items ? ngx_http_sync_map_items(ctx, from, &json, list.items,
                                             text, &faults)
                   : ngx_http_sync_map_words(ctx, from, SYNC_MAP_READ, &json,
                                             0, text, &faults);
        if (rc == NGX_OK && (prefixed || to != NULL)) {
            rc = ngx_http_sync_words_parse(ctx, *text, &json, &faults);
        }
    }

    if (rc == NGX_OK && prefixed) {
        rc = ngx_http_sync_map_back_ids(ctx, &json, text);

        if (rc == NGX_OK && to != NULL) {
            rc = ngx_http_sync_words_parse(ctx, *text, &json, &faults);
        }
    }

    if (rc == NGX_OK && to != NULL) {
        rc = ngx_http_sync_map_words(ctx, to, SYNC_MAP_READ, &json, 0, text,
                                     &faults);
    }

    if (rc == NGX_OK) {
        rc = ngx_http_sync_map_back_source(ctx, text, &faults);
    }

    switch (rc) {

    case NGX_OK:
        return NGX_OK;

    case NGX_DECLINED:
        ngx_http_sync_log_faults(ctx, NGX_LOG_WARN, "map_back",
                                 "the upstream's answer cannot be mapped",
                                 &faults);

        return ngx_http_sync_map_back_bad(ctx, "bad-upstream-answer",
                                          "The upstream's answer is not right",
                                          "it cannot be mapped");

    case NGX_BUSY:
        return ngx_http_sync_map_back_bad(ctx, "answer-too-large",
                                          "The upstream's answer is too large",
                                          "sync_buffers of this worker are in "
                                          "use");

    default:
        return NGX_ERROR;
    }
}


/* A HEAD that went on as one; as a GET its answer is mapped and measured. */

static ngx_uint_t
ngx_http_sync_map_back_head(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx)
{
    return r->method == NGX_HTTP_HEAD && ctx->answer.body.len == 0
           && !ctx->answer.over;
}


/* Notes the client's format.  Is that of a side another than plain JSON? */

static ngx_uint_t
ngx_http_sync_map_back_formats(ngx_http_sync_ctx_t *ctx)
{
    sync_doc_source_t  source;

    if (ngx_http_sync_source(ctx, &source) == NGX_OK) {
        ctx->payload.format = source.format;
    }

    return ctx->payload.format == SYNC_FORMAT_XML
           || ctx->payload.format == SYNC_FORMAT_SOAP_11
           || ctx->payload.format == SYNC_FORMAT_SOAP_12
           || ctx->payload.format == SYNC_FORMAT_JSON_RPC
           || ctx->route.c.format == SYNC_FORMAT_JSON_RPC
           || !sync_format_is_json(ctx->route.c.format);
}


/* NGX_OK: a list, of which the document says where its items or pages are. */

static ngx_int_t
ngx_http_sync_map_back_list(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    sync_doc_operation_t *list)
{
    ngx_memzero(list, sizeof(sync_doc_operation_t));

    if (ctx->payload.operation != SYNC_OP_LIST
        || sync_doc_operation(ctx->tenant.doc, ctx->route.connector,
                              ctx->payload.entity, SYNC_OP_LIST, list)
           != SYNC_OK)
    {
        return NGX_DECLINED;
    }

    return list->items.len || list->next.len ? NGX_OK : NGX_DECLINED;
}


/* Where there is more: Link, RFC 8288. */

static ngx_int_t
ngx_http_sync_map_back_next(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    sync_json_t *json, sync_str_t next)
{
    u_char             *p;
    ngx_int_t           rc;
    sync_rc_t           said;
    ngx_str_t           token, value;
    sync_str_t          uri;
    sync_path_t        *path;
    sync_error_t        err;
    sync_path_nodes_t   found;

    static ngx_str_t  link = ngx_string("Link");

    said = sync_path_compile(&path, &ctx->arena, next, &err);

    if (said == SYNC_OK) {
        said = sync_path_select(path, json, 0, &ctx->arena,
                                &ctx->payload.work, &found, &err);
    }

    if (said == SYNC_FAULT) {
        return NGX_ERROR;
    }

    if (said == SYNC_NO || found.count == 0
        || json->nodes[found.nodes[0]].type != SYNC_JSON_STRING)
    {
        return NGX_OK;
    }

    uri = sync_json_unescape(json, found.nodes[0], &ctx->arena);
    if (uri.data == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_http_sync_page_seal(ctx, uri, &token);

    if (rc != NGX_OK) {
        return rc == NGX_DECLINED ? NGX_OK : rc;
    }

    p = ngx_pnalloc(r->pool, sizeof("<?next=>; rel=\"next\"") + token.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    value.data = p;
    value.len = ngx_sprintf(p, "<?next=%V>; rel=\"next\"", &token) - p;

    return ngx_http_sync_add_header(r, &link, &value);
}


/* What was answered, without the envelope of JSON-RPC. */

static ngx_int_t
ngx_http_sync_map_back_root(ngx_http_sync_ctx_t *ctx, sync_json_t *json,
    sync_faults_t *faults)
{
    *json = ctx->answer.json;

    if (ctx->answer.root == 0) {
        return NGX_OK;
    }

    return ngx_http_sync_words_parse(ctx,
                                     sync_json_raw(&ctx->answer.json,
                                                   ctx->answer.root),
                                     json, faults);
}


/* A form and a table are answered with JSON: they have no answers. */

static ngx_int_t
ngx_http_sync_map_back_source(ngx_http_sync_ctx_t *ctx, sync_str_t *text,
    sync_faults_t *faults)
{
    switch (ctx->payload.format) {

    case SYNC_FORMAT_XML:
    case SYNC_FORMAT_SOAP_11:
    case SYNC_FORMAT_SOAP_12:
        return ngx_http_sync_write_format(ctx, ctx->payload.format, text,
                                          faults);

    case SYNC_FORMAT_JSON_RPC:

        if (ctx->payload.rpc_id.data == NULL) {
            return NGX_OK;
        }

        return sync_rpc_result(&ctx->arena, *text, ctx->payload.rpc_id, 0,
                               text)
               == SYNC_OK ? NGX_OK : NGX_ERROR;

    default:
        return NGX_OK;
    }
}


static void
ngx_http_sync_map_back_media(ngx_http_sync_ctx_t *ctx, ngx_str_t *type)
{
    sync_str_t     media;
    sync_format_e  format;

    format = ctx->payload.format;

    if (format == SYNC_FORMAT_FORM || format == SYNC_FORMAT_CSV) {
        format = SYNC_FORMAT_JSON;
    }

    media = sync_format_media(format);

    type->data = media.data;
    type->len = media.len;
}


static void
ngx_http_sync_map_back_type(ngx_http_request_t *r, ngx_str_t *type)
{
    r->headers_out.content_type = *type;
    r->headers_out.content_type_len = type->len;
    r->headers_out.content_type_lowcase = NULL;
    ngx_str_null(&r->headers_out.charset);
}


/*
 * The target says in its own words what is wrong: they become a problem, which
 * is recorded as the answer that it is.
 */

static ngx_int_t
ngx_http_sync_map_back_error(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx)
{
    ngx_str_t                type;
    ngx_uint_t               status;
    ngx_http_sync_answer_t  *a;

    a = &ctx->answer;

    /* the status of OData is its own, that of SOAP says nothing */

    if (a->received >= NGX_HTTP_BAD_REQUEST
        && a->error.kind == SYNC_ANSWER_FAILED)
    {
        status = a->received;

    } else {
        switch (a->outcome) {

        case NGX_HTTP_SYNC_OUTCOME_REFUSED:
            status = 422;
            break;

        case NGX_HTTP_SYNC_OUTCOME_TRANSIENT:
            status = NGX_HTTP_SERVICE_UNAVAILABLE;
            break;

        default:
            status = NGX_HTTP_BAD_GATEWAY;
        }
    }

    if (a->outcome == NGX_HTTP_SYNC_OUTCOME_REFUSED) {
        (void) ngx_http_sync_problem(ctx, status, "upstream-refused",
                                     "The upstream has refused this",
                                     NGX_HTTP_SYNC_BUSINESS, "");

    } else {
        (void) ngx_http_sync_problem(ctx, status, "upstream-failed",
                                     "The upstream has failed",
                                     NGX_HTTP_SYNC_TECHNICAL, "");
    }

    ctx->problem.target_code = a->error.code;
    ctx->problem.target_message = a->error.message;

    a->body = ngx_http_sync_problem_text(r, ctx);
    if (a->body.data == NULL) {
        return NGX_ERROR;
    }

    ctx->problem.status = 0;

    a->status = status;
    a->replaced = 1;

    ngx_str_set(&type, "application/problem+json");
    ngx_http_sync_map_back_type(r, &type);

    ngx_http_sync_trace(ctx, "map_back", "an error of the target, %ui",
                        status);

    return NGX_OK;
}


/* The canonical object, or those of the list at /records, with their ids. */

static ngx_int_t
ngx_http_sync_map_back_ids(ngx_http_sync_ctx_t *ctx, const sync_json_t *json,
    sync_str_t *text)
{
    uint32_t         i, n, records;
    sync_rc_t        rc;
    sync_str_t       name;
    sync_json_out_t  out;

    sync_json_begin(&out, &ctx->arena, text->len + 64, 0);

    records = SYNC_JSON_NONE;

    if (json->nodes[0].type == SYNC_JSON_OBJECT) {
        records = sync_json_member(json, 0, sync_str_lit("records"));
    }

    if (records == SYNC_JSON_NONE
        || json->nodes[records].type != SYNC_JSON_ARRAY)
    {
        ngx_http_sync_map_back_object(ctx, json, 0, &out);

    } else {
        sync_json_open(&out, '{');

        for (i = sync_json_first(json, 0); i != SYNC_JSON_NONE;
             i = sync_json_after(json, 0, i))
        {
            name = sync_json_unescape(json, i, &ctx->arena);
            if (name.data == NULL) {
                return NGX_ERROR;
            }

            sync_json_key(&out, name);

            if (i + 1 != records) {
                sync_json_copy(&out, json, i + 1);
                continue;
            }

            sync_json_open(&out, '[');

            for (n = sync_json_first(json, records); n != SYNC_JSON_NONE;
                 n = sync_json_after(json, records, n))
            {
                ngx_http_sync_map_back_object(ctx, json, n, &out);
            }

            sync_json_close(&out, ']');
        }

        sync_json_close(&out, '}');
    }

    rc = sync_json_end(&out, text);

    if (rc != SYNC_OK) {
        return rc == SYNC_NO ? NGX_BUSY : NGX_ERROR;
    }

    return ngx_http_sync_charge(ctx, text->len) == NGX_OK ? NGX_OK : NGX_BUSY;
}


static void
ngx_http_sync_map_back_object(ngx_http_sync_ctx_t *ctx,
    const sync_json_t *json, uint32_t n, sync_json_out_t *out)
{
    u_char     *p;
    uint32_t    i;
    sync_str_t  name, id, value;

    if (json->nodes[n].type != SYNC_JSON_OBJECT) {
        sync_json_copy(out, json, n);
        return;
    }

    sync_json_open(out, '{');

    for (i = sync_json_first(json, n); i != SYNC_JSON_NONE;
         i = sync_json_after(json, n, i))
    {
        name = sync_json_unescape(json, i, &ctx->arena);
        if (name.data == NULL) {
            out->fault = 1;
            return;
        }

        sync_json_key(out, name);

        if (!sync_str_is(name, "id")
            || json->nodes[i + 1].type != SYNC_JSON_STRING)
        {
            sync_json_copy(out, json, i + 1);
            continue;
        }

        id = sync_json_unescape(json, i + 1, &ctx->arena);
        p = sync_alloc(&ctx->arena, ctx->route.c.name.len + 1 + id.len);

        if (id.data == NULL || p == NULL) {
            out->fault = 1;
            return;
        }

        value.data = p;
        p = ngx_cpymem(p, ctx->route.c.name.data, ctx->route.c.name.len);
        *p++ = '~';
        p = ngx_cpymem(p, id.data, id.len);
        value.len = p - value.data;

        sync_json_string(out, value);
    }

    sync_json_close(out, '}');
}


static ngx_int_t
ngx_http_sync_map_back_bad(ngx_http_sync_ctx_t *ctx, const char *name,
    const char *title, const char *detail)
{
    return ngx_http_sync_problem(ctx, NGX_HTTP_BAD_GATEWAY, name, title,
                                 NGX_HTTP_SYNC_TECHNICAL,
                                 "%s%s", detail,
                                 ctx->claim.state
                                 == NGX_HTTP_SYNC_CLAIM_HELD
                                 ? "; the upstream has done its work, a retry "
                                   "with the same key tells its status"
                                 : "");
}
