
/*
 * Asked aside: what a target must be asked before a request may leave goes
 * upstream in the request's place, so that the peers, TLS, deadlines and all
 * other settings of the location are those of the request.
 *
 * The request gives its place away when the content handler is entered, and
 * not before: what other modules do in PRECONTENT (a mirror) they do to the
 * request itself.
 */


#include "ngx_http_sync_core.h"


struct ngx_http_sync_asked_s {
    ngx_http_sync_aside_t     asked;
    ngx_http_handler_pt       handler;   /* of the location */

    /* what is the request's */

    ngx_http_headers_in_t     headers;
    ngx_http_request_body_t  *body;
    ngx_uint_t                method;
    ngx_str_t                 route_method;
    ngx_str_t                 route_uri;

    unsigned                  swapped:1;
};


static ngx_int_t ngx_http_sync_aside_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_sync_aside_swap(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);
static ngx_int_t ngx_http_sync_aside_headers(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);
static ngx_uint_t ngx_http_sync_aside_goes(ngx_http_sync_ctx_t *ctx,
    ngx_table_elt_t *h);


/* What speaks of the request's body, or of what it is to be done to. */

static ngx_str_t  ngx_http_sync_aside_own[] = {
    ngx_string("content-type"),
    ngx_string("content-length"),
    ngx_string("transfer-encoding"),
    ngx_string("expect"),
    ngx_string("if-match"),
    ngx_string("soapaction"),
    ngx_string("te"),
    ngx_null_string
};


ngx_int_t
ngx_http_sync_ask_aside(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_aside_t *aside)
{
    struct ngx_http_sync_asked_s  *a;

    a = ngx_pcalloc(r->pool, sizeof(struct ngx_http_sync_asked_s));
    if (a == NULL) {
        return NGX_ERROR;
    }

    a->asked = *aside;
    a->handler = r->content_handler;

    if (a->handler == NULL) {
        return NGX_ERROR;
    }

    ctx->aside = a;
    r->content_handler = ngx_http_sync_aside_handler;

    return NGX_OK;
}


static ngx_int_t
ngx_http_sync_aside_handler(ngx_http_request_t *r)
{
    ngx_http_sync_ctx_t  *ctx;

    ctx = ngx_http_sync_get_ctx(r);

    r->content_handler = ctx->aside->handler;

    if (ngx_http_sync_aside_swap(r, ctx) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return r->content_handler(r);
}


static ngx_int_t
ngx_http_sync_aside_swap(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx)
{
    ngx_uint_t                     i;
    ngx_keyval_t                  *header;
    struct ngx_http_sync_asked_s  *a;

    a = ctx->aside;

    a->headers = r->headers_in;
    a->body = r->request_body;
    a->method = r->method;
    a->route_method = ctx->route.method;
    a->route_uri = ctx->route.uri;
    a->swapped = 1;

    ctx->route.method = a->asked.method;
    ctx->route.uri = a->asked.uri;

    /*
     * It may be asked twice, over a connection that was closed meanwhile; and
     * no cache is for it.  On the wire stands the other method.
     */

    r->method = NGX_HTTP_OPTIONS;

    r->request_body = ngx_pcalloc(r->pool, sizeof(ngx_http_request_body_t));
    if (r->request_body == NULL) {
        return NGX_ERROR;
    }

    if (ngx_http_sync_aside_headers(r, ctx) != NGX_OK) {
        return NGX_ERROR;
    }

    r->headers_in.content_length_n = -1;
    r->headers_in.chunked = 0;

    header = a->asked.headers.elts;

    for (i = 0; i < a->asked.headers.nelts; i++) {
        if (ngx_http_sync_set_header_in(r, &header[i].key, &header[i].value)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    if (a->asked.body.data == NULL) {
        return NGX_OK;
    }

    return ngx_http_sync_replace_body(r, &a->asked.body,
                                      a->asked.type.len ? &a->asked.type
                                                        : NULL);
}


static ngx_int_t
ngx_http_sync_aside_headers(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx)
{
    ngx_uint_t        i;
    ngx_list_t        list;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h, *copy;

    if (ngx_list_init(&list, r->pool, 16, sizeof(ngx_table_elt_t)) != NGX_OK) {
        return NGX_ERROR;
    }

    for (part = &r->headers_in.headers.part; part != NULL; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (!ngx_http_sync_aside_goes(ctx, &h[i])) {
                continue;
            }

            copy = ngx_list_push(&list);
            if (copy == NULL) {
                return NGX_ERROR;
            }

            *copy = h[i];
        }
    }

    r->headers_in.headers = list;

    /* ngx_list_t knows its last part by a pointer into itself */

    if (r->headers_in.headers.last == &list.part) {
        r->headers_in.headers.last = &r->headers_in.headers.part;
    }

    /* where NGINX and its modules look for what is gone */

    r->headers_in.content_type = NULL;
    r->headers_in.content_length = NULL;
    r->headers_in.transfer_encoding = NULL;
    r->headers_in.expect = NULL;
    r->headers_in.te = NULL;
    r->headers_in.if_match = NULL;
    r->headers_in.if_none_match = NULL;
    r->headers_in.if_modified_since = NULL;
    r->headers_in.if_unmodified_since = NULL;
    r->headers_in.if_range = NULL;
    r->headers_in.range = NULL;

    return NGX_OK;
}


static ngx_uint_t
ngx_http_sync_aside_goes(ngx_http_sync_ctx_t *ctx, ngx_table_elt_t *h)
{
    ngx_str_t   *own;
    sync_str_t   name, key;

    if (h->hash == 0) {
        return 0;
    }

    for (own = ngx_http_sync_aside_own; own->len; own++) {
        if (ngx_http_sync_is_header(h, own)) {
            return 0;
        }
    }

    if (ctx->route.connector == SYNC_DOC_NONE) {
        return 1;
    }

    /* the client's, and the key of the request */

    name.data = h->lowcase_key;
    name.len = h->key.len;
    key = ctx->route.c.send_header;

    return !sync_doc_has(ctx->tenant.doc, ctx->route.c.request_headers, name)
           && !(key.len && sync_str_eq(key, name));
}


void
ngx_http_sync_aside_over(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx)
{
    struct ngx_http_sync_asked_s  *a;

    a = ctx->aside;

    if (a == NULL) {
        return;
    }

    if (r->content_handler == ngx_http_sync_aside_handler) {
        r->content_handler = a->handler;
    }

    if (!a->swapped) {
        return;
    }

    a->swapped = 0;

    r->headers_in = a->headers;
    r->request_body = a->body;
    r->method = a->method;

    ctx->route.method = a->route_method;
    ctx->route.uri = a->route_uri;
}


void
ngx_http_sync_aside_forget(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx)
{
    if (ctx->aside == NULL) {
        return;
    }

    ctx->aside = NULL;
    ctx->sent = 0;

    if (r->upstream_states != NULL) {
        ctx->tried = r->upstream_states->nelts;
    }

    if (r->upstream != NULL) {
        r->upstream->request_sent = 0;
    }
}
