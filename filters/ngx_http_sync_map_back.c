
/*
 * Map back: a connector's answer becomes canonical and then the words of the
 * client.  Of its headers only those on the list are let through.
 *
 * What cannot be mapped is 502; where a key is held, its outcome is recorded
 * as what it was: the connector has done its work.
 */


#include "ngx_http_sync.h"
#include "ngx_http_sync_words.h"


static ngx_uint_t ngx_http_sync_map_back_enabled(ngx_http_request_t *r);
static ngx_int_t ngx_http_sync_map_back_run(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);
static void ngx_http_sync_map_back_headers(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);
static ngx_uint_t ngx_http_sync_map_back_from_upstream(ngx_http_request_t *r,
    ngx_table_elt_t *h);
static ngx_uint_t ngx_http_sync_map_back_allowed(ngx_http_sync_ctx_t *ctx,
    ngx_table_elt_t *h);
static ngx_int_t ngx_http_sync_map_back_body(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, sync_str_t *text, sync_str_t *id);
static ngx_uint_t ngx_http_sync_map_back_json(ngx_http_request_t *r);
static ngx_int_t ngx_http_sync_map_back_ids(ngx_http_sync_ctx_t *ctx,
    const sync_json_t *json, sync_str_t *text);
static void ngx_http_sync_map_back_object(ngx_http_sync_ctx_t *ctx,
    const sync_json_t *json, uint32_t n, sync_json_out_t *out);
static ngx_int_t ngx_http_sync_map_back_location(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, sync_str_t *id);
static ngx_int_t ngx_http_sync_map_back_bad(ngx_http_sync_ctx_t *ctx,
    const char *name, const char *title, const char *detail);


const ngx_http_sync_step_t  ngx_http_sync_map_back_step = {
    "map_back",
    NGX_HTTP_SYNC_STAGE_RESPONSE,
    NGX_HTTP_SYNC_STEP_MAP_BACK,
    ngx_http_sync_map_back_enabled,
    ngx_http_sync_map_back_run,
    NULL,
    NULL,
    NULL
};


/*
 * Besides what the connector's list names.  Content-Encoding says how to read
 * a body that passes as it came.
 */

static ngx_str_t  ngx_http_sync_answer_list[] = {
    ngx_string("content-type"),
    ngx_string("content-language"),
    ngx_string("content-encoding"),
    ngx_string("etag"),
    ngx_string("last-modified"),
    ngx_string("retry-after"),
    ngx_null_string
};


static ngx_uint_t
ngx_http_sync_map_back_enabled(ngx_http_request_t *r)
{
    ngx_http_sync_ctx_t  *ctx;

    ctx = ngx_http_sync_get_ctx(r);

    return ctx != NULL && ctx->route.connector != SYNC_DOC_NONE;
}


static ngx_int_t
ngx_http_sync_map_back_run(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx)
{
    ngx_int_t                rc;
    ngx_str_t                type;
    sync_str_t               text, id;
    ngx_table_elt_t         *location;
    ngx_http_sync_answer_t  *a;

    a = &ctx->answer;

    if (a->own || r->upstream == NULL || a->received == 0) {
        return NGX_DECLINED;
    }

    location = r->headers_out.location;

    ngx_http_sync_map_back_headers(r, ctx);

    id = (sync_str_t) sync_string("");
    text = sync_str_null;

    if (ctx->payload.normalize != NGX_HTTP_SYNC_NORMALIZE_OFF
        && a->status >= NGX_HTTP_OK && a->status < NGX_HTTP_SPECIAL_RESPONSE
        && !a->bodiless)
    {
        rc = ngx_http_sync_map_back_body(r, ctx, &text, &id);

        if (ctx->payload.normalize == NGX_HTTP_SYNC_NORMALIZE_SHADOW) {

            if (rc != NGX_OK && rc != NGX_DECLINED) {
                ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                              "map_back: shadow, would answer %i",
                              rc == NGX_ERROR
                              ? NGX_HTTP_INTERNAL_SERVER_ERROR : rc);
                ctx->problem.status = 0;
            }

            rc = NGX_DECLINED;
        }

        if (rc != NGX_OK && rc != NGX_DECLINED) {
            return rc;
        }

        if (rc == NGX_OK && r->header_only) {

            /* of HEAD nobody knows how long the mapped answer would be */

            ngx_http_clear_content_length(r);
            ngx_http_clear_accept_ranges(r);

        } else if (rc == NGX_OK) {
            a->body.data = text.data;
            a->body.len = text.len;
            a->replaced = 1;

            ngx_str_set(&type, "application/json");

            if (text.len == 0) {
                ngx_str_null(&type);
            }

            r->headers_out.content_type = type;
            r->headers_out.content_type_len = type.len;
            r->headers_out.content_type_lowcase = NULL;
            ngx_str_null(&r->headers_out.charset);

            ngx_http_sync_trace(ctx, "map_back", "%uz bytes", text.len);
        }
    }

    if (location == NULL || ctx->payload.operation != SYNC_OP_CREATE
        || id.len == 0)
    {
        return NGX_OK;
    }

    return ngx_http_sync_map_back_location(r, ctx, &id);
}


static void
ngx_http_sync_map_back_headers(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx)
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

        if (h[i].hash == 0
            || !ngx_http_sync_map_back_from_upstream(r, &h[i])
            || ngx_http_sync_map_back_allowed(ctx, &h[i]))
        {
            continue;
        }

        h[i].hash = 0;

        /* what NGINX' own filters would read again */

        if (&h[i] == r->headers_out.location) {
            r->headers_out.location = NULL;

        } else if (&h[i] == r->headers_out.refresh) {
            r->headers_out.refresh = NULL;

        } else if (&h[i] == r->headers_out.www_authenticate) {
            r->headers_out.www_authenticate = NULL;
        }
    }
}


/* What a policy or a module of NGINX has said is ours to say. */

static ngx_uint_t
ngx_http_sync_map_back_from_upstream(ngx_http_request_t *r, ngx_table_elt_t *h)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *from;

    part = &r->upstream->headers_in.headers.part;
    from = part->elts;

    for (i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {
            if (part->next == NULL) {
                return 0;
            }

            part = part->next;
            from = part->elts;
            i = 0;
        }

        /* NGINX copies the element, and not the name */

        if (from[i].key.data == h->key.data) {
            return 1;
        }
    }
}


static ngx_uint_t
ngx_http_sync_map_back_allowed(ngx_http_sync_ctx_t *ctx, ngx_table_elt_t *h)
{
    ngx_str_t             *name;
    uint32_t               i;
    sync_str_t             item;
    sync_doc_connector_t  *c;

    for (name = ngx_http_sync_answer_list; name->len; name++) {
        if (h->key.len == name->len
            && ngx_strncasecmp(h->key.data, name->data, name->len) == 0)
        {
            return 1;
        }
    }

    c = &ctx->route.c;

    for (i = 0; i < c->response_headers.n; i++) {
        item = sync_doc_item(ctx->tenant.doc, c->response_headers, i);

        if (h->key.len == item.len
            && ngx_strncasecmp(h->key.data, item.data, item.len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


/*
 * NGX_OK: text is the answer in the client's words, id the object's in the
 * canonical ones (or empty); NGX_DECLINED: the body is right as it came; a
 * status with its problem.
 */

static ngx_int_t
ngx_http_sync_map_back_body(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    sync_str_t *text, sync_str_t *id)
{
    uint32_t                 n;
    ngx_int_t                rc;
    ngx_uint_t               prefixed;
    sync_json_t              json;
    sync_faults_t            faults;
    const sync_map_t        *from, *to;
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

    if (from == NULL && to == NULL && !prefixed) {
        return NGX_DECLINED;
    }

    if (r->header_only) {
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

    if (!ngx_http_sync_map_back_json(r)) {
        return ngx_http_sync_map_back_bad(ctx, "bad-upstream-answer",
                                          "The upstream's answer is not right",
                                          "it is not JSON by media type");
    }

    sync_faults_init(&faults, &ctx->arena);

    text->data = a->body.data;
    text->len = a->body.len;

    rc = ngx_http_sync_words_parse(ctx, *text, &json, &faults);

    if (rc == NGX_OK && from != NULL) {
        rc = ngx_http_sync_map_words(ctx, from, SYNC_MAP_READ, &json, 0, text,
                                     &faults);
        if (rc == NGX_OK) {
            rc = ngx_http_sync_words_parse(ctx, *text, &json, &faults);
        }
    }

    if (rc == NGX_OK && prefixed) {
        rc = ngx_http_sync_map_back_ids(ctx, &json, text);

        if (rc == NGX_OK) {
            rc = ngx_http_sync_words_parse(ctx, *text, &json, &faults);
        }
    }

    if (rc == NGX_OK && json.nodes[0].type == SYNC_JSON_OBJECT) {
        n = sync_json_member(&json, 0, sync_str_lit("id"));

        if (n != SYNC_JSON_NONE && json.nodes[n].type == SYNC_JSON_STRING) {
            *id = sync_json_unescape(&json, n, &ctx->arena);
        }
    }

    if (rc == NGX_OK && to != NULL) {
        rc = ngx_http_sync_map_words(ctx, to, SYNC_MAP_READ, &json, 0, text,
                                     &faults);
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


static ngx_uint_t
ngx_http_sync_map_back_json(ngx_http_request_t *r)
{
    size_t      len;
    ngx_str_t  *type;

    type = &r->headers_out.content_type;

    if (r->headers_out.content_encoding != NULL
        && r->headers_out.content_encoding->hash
        && r->headers_out.content_encoding->value.len)
    {
        return 0;
    }

    for (len = 0; len < type->len; len++) {
        if (type->data[len] == ';' || type->data[len] == ' ') {
            break;
        }
    }

    if (len == sizeof("application/json") - 1
        && ngx_strncasecmp(type->data, (u_char *) "application/json", len)
           == 0)
    {
        return 1;
    }

    return len > sizeof("+json") - 1
           && ngx_strncasecmp(type->data + len - (sizeof("+json") - 1),
                              (u_char *) "+json", sizeof("+json") - 1)
              == 0;
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


/* Where the client finds what it has created: behind us, not behind them. */

static ngx_int_t
ngx_http_sync_map_back_location(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, sync_str_t *id)
{
    size_t            len;
    u_char           *p;
    uintptr_t         escape;
    ngx_table_elt_t  *h;

    for (len = 0; len < r->unparsed_uri.len; len++) {
        if (r->unparsed_uri.data[len] == '?') {
            break;
        }
    }

    while (len && r->unparsed_uri.data[len - 1] == '/') {
        len--;
    }

    if (len == 0 || r->unparsed_uri.data[0] != '/') {
        return NGX_OK;
    }

    escape = ngx_escape_uri(NULL, id->data, id->len, NGX_ESCAPE_URI_COMPONENT);

    h = ngx_list_push(&r->headers_out.headers);
    p = ngx_pnalloc(r->pool, len + 1 + id->len + 2 * escape);

    if (h == NULL || p == NULL) {
        if (h != NULL) {
            h->hash = 0;
        }

        return NGX_ERROR;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    h->hash = 1;
    ngx_str_set(&h->key, "Location");
    h->value.data = p;

    p = ngx_cpymem(p, r->unparsed_uri.data, len);
    *p++ = '/';
    p = (u_char *) ngx_escape_uri(p, id->data, id->len,
                                  NGX_ESCAPE_URI_COMPONENT);

    h->value.len = p - h->value.data;

    r->headers_out.location = h;

    return NGX_OK;
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
