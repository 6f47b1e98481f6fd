
/*
 * Idempotency: the key of a request, the name of its record, its print.
 *
 * A sender of webhooks knows nothing of Idempotency-Key: its source says where
 * its messages have their name.
 */


#include "ngx_http_sync_idempotency.h"
#include "ngx_http_sync_formats.h"
#include "sync_path.h"
#include "sync_print.h"


#define NGX_HTTP_SYNC_KEY_MAX  255


static ngx_int_t ngx_http_sync_idem_webhook(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, ngx_http_sync_idempotency_loc_conf_t *ilcf);
static ngx_int_t ngx_http_sync_idem_by_header(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, ngx_http_sync_idempotency_loc_conf_t *ilcf,
    ngx_str_t *name);
static ngx_int_t ngx_http_sync_idem_by_path(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, ngx_http_sync_idempotency_loc_conf_t *ilcf,
    sync_str_t text);
static ngx_int_t ngx_http_sync_idem_take(ngx_http_sync_ctx_t *ctx,
    ngx_str_t *where, ngx_str_t *key);
static ngx_int_t ngx_http_sync_idem_none(ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_idempotency_loc_conf_t *ilcf, ngx_str_t *where);


static ngx_str_t  ngx_http_sync_idempotency_key =
    ngx_string("idempotency-key");
static ngx_str_t  ngx_http_sync_webhook_id = ngx_string("webhook-id");
static ngx_str_t  ngx_http_sync_if_match = ngx_string("if-match");


ngx_int_t
ngx_http_sync_idem_key(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_idempotency_loc_conf_t *ilcf)
{
    ngx_int_t         found;
    sync_rc_t         rc;
    sync_str_t        in, key;
    ngx_uint_t        lines;
    sync_error_t      err;
    ngx_table_elt_t  *h;

    found = ngx_http_sync_idem_webhook(r, ctx, ilcf);

    if (found != NGX_DECLINED) {
        return found == NGX_DONE ? NGX_DECLINED : found;
    }

    h = ngx_http_sync_header_in(r, &ngx_http_sync_idempotency_key, &lines);

    if (h == NULL) {

        if (ilcf->mode == NGX_HTTP_SYNC_IDEMPOTENCY_ON) {
            return NGX_DECLINED;
        }

        return ngx_http_sync_problem(ctx, NGX_HTTP_BAD_REQUEST,
                                     "idempotency-key-missing",
                                     "Idempotency-Key is missing",
                                     NGX_HTTP_SYNC_BUSINESS,
                                     "this request needs an Idempotency-Key "
                                     "header that is its own, and that each "
                                     "retry repeats");
    }

    if (lines > 1) {
        return ngx_http_sync_problem(ctx, NGX_HTTP_BAD_REQUEST,
                                     "idempotency-key-malformed",
                                     "Idempotency-Key is malformed",
                                     NGX_HTTP_SYNC_BUSINESS,
                                     "%ui Idempotency-Key headers, one is "
                                     "right", lines);
    }

    in.data = h->value.data;
    in.len = h->value.len;

    rc = sync_sfv_idempotency_key(in, ilcf->syntax, &ctx->arena, &key, &err);

    if (rc == SYNC_FAULT) {
        return NGX_ERROR;
    }

    if (rc == SYNC_NO) {
        return ngx_http_sync_problem(ctx, NGX_HTTP_BAD_REQUEST,
                                     "idempotency-key-malformed",
                                     "Idempotency-Key is malformed",
                                     NGX_HTTP_SYNC_BUSINESS, "%s", err.text);
    }

    ctx->claim.key.data = key.data;
    ctx->claim.key.len = key.len;

    return NGX_OK;
}


/*
 * The key that a source has in its own messages; of Standard Webhooks, which
 * sign it, the id of the message.  NGX_OK; NGX_DECLINED: it is the client that
 * says it; NGX_AGAIN: the body comes; NGX_DONE: there is none, and none is
 * needed; a status.
 */

static ngx_int_t
ngx_http_sync_idem_webhook(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_idempotency_loc_conf_t *ilcf)
{
    ngx_str_t           name;
    sync_doc_source_t   source;

    if (ngx_http_sync_source(ctx, &source) != NGX_OK) {
        return NGX_ERROR;
    }

    ctx->claim.webhook =
        ctx->principal.proof == NGX_HTTP_SYNC_PROOF_SIGNATURE
        || source.key_header.len || source.key_path.len;

    if (source.key_header.len) {
        name.len = source.key_header.len;
        name.data = source.key_header.data;

        return ngx_http_sync_idem_by_header(r, ctx, ilcf, &name);
    }

    if (source.key_path.len) {
        return ngx_http_sync_idem_by_path(r, ctx, ilcf, source.key_path);
    }

    if (ctx->principal.profile.len == sizeof("standard") - 1
        && ngx_memcmp(ctx->principal.profile.data, "standard",
                      sizeof("standard") - 1)
           == 0)
    {
        return ngx_http_sync_idem_by_header(r, ctx, ilcf,
                                            &ngx_http_sync_webhook_id);
    }

    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_sync_idem_by_header(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_idempotency_loc_conf_t *ilcf, ngx_str_t *name)
{
    ngx_uint_t        lines;
    ngx_table_elt_t  *h;

    h = ngx_http_sync_header_in(r, name, &lines);

    if (h == NULL) {
        return ngx_http_sync_idem_none(ctx, ilcf, name);
    }

    if (lines > 1) {
        return ngx_http_sync_problem(ctx, NGX_HTTP_BAD_REQUEST,
                                     "idempotency-key-malformed",
                                     "The key of the message is malformed",
                                     NGX_HTTP_SYNC_BUSINESS,
                                     "%ui headers \"%V\", one is right",
                                     lines, name);
    }

    return ngx_http_sync_idem_take(ctx, name, &h->value);
}


static ngx_int_t
ngx_http_sync_idem_by_path(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_idempotency_loc_conf_t *ilcf, sync_str_t text)
{
    uint32_t       node;
    ngx_int_t      rc;
    ngx_str_t      where, key;
    sync_str_t     s;
    sync_path_t   *path;
    sync_error_t   err;
    sync_json_t   *json;

    rc = ngx_http_sync_read_body(r, ctx);

    if (rc == NGX_OK) {
        rc = ngx_http_sync_read_source(r, ctx);
    }

    if (rc != NGX_OK) {
        return rc;
    }

    /* it was compiled before, with the document */

    if (sync_path_compile(&path, &ctx->arena, text, &err) != SYNC_OK) {
        return NGX_ERROR;
    }

    json = &ctx->payload.source;
    where.len = text.len;
    where.data = text.data;

    node = sync_path_single(path, json, 0, &ctx->payload.work);

    if (node == SYNC_JSON_NONE) {
        return ngx_http_sync_idem_none(ctx, ilcf, &where);
    }

    switch (json->nodes[node].type) {

    case SYNC_JSON_STRING:
        s = sync_json_unescape(json, node, &ctx->arena);
        break;

    case SYNC_JSON_NUMBER:
        s = sync_json_slice(json, node);
        break;

    default:
        ngx_str_null(&key);
        return ngx_http_sync_idem_take(ctx, &where, &key);
    }

    if (s.data == NULL) {
        return NGX_ERROR;
    }

    key.len = s.len;
    key.data = s.data;

    return ngx_http_sync_idem_take(ctx, &where, &key);
}


/* It may become a header of a connector's request. */

static ngx_int_t
ngx_http_sync_idem_take(ngx_http_sync_ctx_t *ctx, ngx_str_t *where,
    ngx_str_t *key)
{
    size_t  i;

    for (i = 0; i < key->len; i++) {
        if (key->data[i] <= 0x20 || key->data[i] >= 0x7f) {
            break;
        }
    }

    if (i != key->len || i == 0 || i > NGX_HTTP_SYNC_KEY_MAX) {
        return ngx_http_sync_problem(ctx, NGX_HTTP_BAD_REQUEST,
                                     "idempotency-key-malformed",
                                     "The key of the message is malformed",
                                     NGX_HTTP_SYNC_BUSINESS,
                                     "what stands at \"%V\" is no key: 1 to "
                                     "%d visible characters, a string or a "
                                     "number", where, NGX_HTTP_SYNC_KEY_MAX);
    }

    ctx->claim.key = *key;

    return NGX_OK;
}


static ngx_int_t
ngx_http_sync_idem_none(ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_idempotency_loc_conf_t *ilcf, ngx_str_t *where)
{
    if (ilcf->mode == NGX_HTTP_SYNC_IDEMPOTENCY_ON) {
        return NGX_DONE;
    }

    return ngx_http_sync_problem(ctx, NGX_HTTP_BAD_REQUEST,
                                 "idempotency-key-missing",
                                 "The message has no key",
                                 NGX_HTTP_SYNC_BUSINESS,
                                 "there is nothing at \"%V\", where the key "
                                 "of a message of this source stands", where);
}


/* Who asks for what under which key: nothing but the key is the payload's. */

ngx_int_t
ngx_http_sync_idem_name(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_idempotency_loc_conf_t *ilcf, ngx_sync_key_t *key)
{
    ngx_http_core_loc_conf_t               *clcf;
    ngx_http_core_srv_conf_t               *cscf;
    ngx_http_sync_idem_parts_t              parts;
    ngx_http_sync_idempotency_main_conf_t  *imcf;

    imcf = ngx_http_get_module_main_conf(r, ngx_http_sync_idempotency_module);
    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    ngx_str_null(&parts.scope);

    if (ilcf->scope != NULL) {

        if (ngx_http_complex_value(r, ilcf->scope, &parts.scope)
            != NGX_OK) {
            return NGX_ERROR;
        }

        if (parts.scope.len == 0) {
            return ngx_http_sync_problem(ctx, NGX_HTTP_BAD_REQUEST,
                                         "idempotency-scope-missing",
                                         "The scope of the key is empty",
                                         NGX_HTTP_SYNC_TECHNICAL,
                                         "scope= of sync_idempotency gave "
                                         "nothing for this request");
        }
    }

    parts.tenant = ctx->tenant.id;
    parts.issuer = ctx->principal.issuer;
    parts.client = ctx->principal.client;
    parts.subject = ctx->principal.subject;
    parts.method = r->method_name;
    parts.name = ilcf->name.len ? ilcf->name : clcf->name;

    ngx_str_null(&parts.server);

    if (parts.tenant.len == 0 && ilcf->name.len == 0) {
        cscf = ngx_http_get_module_srv_conf(r, ngx_http_core_module);
        parts.server = cscf->server_name;
    }

    parts.key = ctx->claim.key;

    ngx_http_sync_idem_digest(imcf, &parts, key);

    return NGX_OK;
}


ngx_int_t
ngx_http_sync_idem_print(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_idempotency_loc_conf_t *ilcf, u_char *print)
{
    size_t                     len;
    u_char                    *p;
    ngx_int_t                  rc;
    sync_print_t               pr;
    ngx_table_elt_t           *h;
    sync_print_header_t        header;
    sync_print_request_t       request;
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    ngx_memzero(&request, sizeof(sync_print_request_t));

    /* the raw path, behind what the location says by its name */

    request.path.data = r->unparsed_uri.data;
    request.path.len = r->unparsed_uri.len;

    p = ngx_strlchr(r->unparsed_uri.data,
                    r->unparsed_uri.data + r->unparsed_uri.len, '?');
    if (p != NULL) {
        request.path.len = p - r->unparsed_uri.data;
        request.query.data = p + 1;
        request.query.len = r->unparsed_uri.data + r->unparsed_uri.len - p - 1;
    }

    len = clcf->name.len;

    if (
#if (NGX_PCRE)
        clcf->regex == NULL &&
#endif
        request.path.len >= len
        && ngx_memcmp(request.path.data, clcf->name.data, len) == 0)
    {
        request.path.data += len;
        request.path.len -= len;
    }

    if (r->headers_in.content_type != NULL) {
        request.media_type.data = r->headers_in.content_type->value.data;
        request.media_type.len = r->headers_in.content_type->value.len;
    }

    h = ngx_http_sync_header_in(r, &ngx_http_sync_if_match, NULL);

    if (h != NULL) {
        header.name.data = ngx_http_sync_if_match.data;
        header.name.len = ngx_http_sync_if_match.len;
        header.value.data = h->value.data;
        header.value.len = h->value.len;

        request.headers = &header;
        request.nheaders = 1;
    }

    if (sync_print_begin(&pr, &request, &ctx->arena) != SYNC_OK) {
        return NGX_ERROR;
    }

    rc = ngx_http_sync_parse_body(r, ctx);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (rc == NGX_OK) {

        /* the same event again: how often it was tried is no part of it */

        if (ctx->claim.webhook && ctx->principal.profile.len == 7
            && ngx_memcmp(ctx->principal.profile.data, "hubspot", 7) == 0)
        {
            pr.skip = sync_str_lit("attemptNumber");
        }

        if (sync_print_json(&pr, &ctx->payload.source, &ctx->arena)
            != SYNC_OK)
        {
            return NGX_ERROR;
        }

    } else if (ctx->payload.body.len) {

        /*
         * not JSON, or not what it says: by its bytes; a policy that needs
         * the tape refuses it after the claim
         */

        ctx->problem.status = 0;
        ctx->reason = "";

        sync_print_bytes(&pr, (sync_str_t) { ctx->payload.body.len,
                                             ctx->payload.body.data });
    }

    sync_print_end(&pr, print);

    return NGX_OK;
}
