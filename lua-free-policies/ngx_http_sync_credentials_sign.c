
/*
 * Credentials that are made for one request: a signature over it, or a secret
 * inside its body.  They are made anew where it is sent again.
 */


#include "ngx_http_sync_credentials.h"


#define NGX_HTTP_SYNC_OAUTH1_NONCE  16      /* bytes */


static ngx_int_t ngx_http_sync_credentials_payload(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, sync_str_t *text);
static ngx_int_t ngx_http_sync_credentials_replace(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, sync_str_t *text);


/*
 * What the target verifies is the URL that it knows: https, and the name that
 * the document gives it.
 */

ngx_int_t
ngx_http_sync_credentials_oauth1(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, const sync_doc_credential_t *c)
{
    u_char          random[NGX_HTTP_SYNC_OAUTH1_NONCE];
    u_char          nonce[2 * NGX_HTTP_SYNC_OAUTH1_NONCE];
    ngx_int_t       rc;
    sync_str_t      value;
    sync_oauth1_t   o;

    ngx_memzero(&o, sizeof(sync_oauth1_t));

    if (ngx_http_sync_credentials_secret(ctx, c->id, &o.consumer_key) != NGX_OK
        || ngx_http_sync_credentials_secret(ctx, c->secret, &o.consumer_secret)
           != NGX_OK
        || ngx_http_sync_credentials_secret(ctx, c->token, &o.token) != NGX_OK
        || ngx_http_sync_credentials_secret(ctx, c->token_secret,
                                            &o.token_secret)
           != NGX_OK)
    {
        return NGX_DECLINED;
    }

    if (ctx->route.c.format == SYNC_FORMAT_FORM) {
        rc = ngx_http_sync_credentials_payload(r, ctx, &o.form);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    if (sync_random(random, sizeof(random)) != SYNC_OK) {
        return NGX_ERROR;
    }

    o.method.data = ctx->route.method.data;
    o.method.len = ctx->route.method.len;
    o.scheme = sync_str_lit("https");
    o.authority.data = ctx->route.host.data;
    o.authority.len = ctx->route.host.len;
    o.target.data = ctx->route.uri.data;
    o.target.len = ctx->route.uri.len;
    o.realm = c->realm;
    o.nonce.data = nonce;
    o.nonce.len = sync_hex_encode(nonce, random, sizeof(random));
    o.now = ngx_time();
    o.sha1 = c->sha1;
    o.version = 1;

    switch (sync_oauth1(&o, &ctx->arena, &value)) {

    case SYNC_OK:
        ctx->route.authorization.data = value.data;
        ctx->route.authorization.len = value.len;

        return NGX_OK;

    case SYNC_NO:
        return ngx_http_sync_problem(ctx, 422, "bad-value",
                                     "A value cannot be sent on",
                                     NGX_HTTP_SYNC_BUSINESS,
                                     "the request has more members than can "
                                     "be signed");

    default:
        return NGX_ERROR;
    }
}


/* A request without a body has no place for it, and needs none. */

ngx_int_t
ngx_http_sync_credentials_body(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, const sync_doc_credential_t *c)
{
    ngx_int_t   rc;
    sync_rc_t   put;
    sync_str_t  text, secret;

    if (ngx_http_sync_credentials_secret(ctx, c->secret, &secret) != NGX_OK) {
        return NGX_DECLINED;
    }

    rc = ngx_http_sync_credentials_payload(r, ctx, &text);

    if (rc != NGX_OK || text.len == 0) {
        return rc;
    }

    put = sync_body_put(text, c->pointer, secret, &ctx->arena, &text);

    if (put == SYNC_NO) {
        return ngx_http_sync_problem(ctx, 422, "bad-value",
                                     "A value cannot be sent on",
                                     NGX_HTTP_SYNC_BUSINESS,
                                     "the body that the connector gets has no "
                                     "place for its credentials");
    }

    return put == SYNC_OK ? ngx_http_sync_credentials_replace(r, ctx, &text)
                          : NGX_ERROR;
}


ngx_int_t
ngx_http_sync_credentials_wsse(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, const sync_doc_credential_t *c)
{
    u_char       nonce[SYNC_WSSE_NONCE];
    ngx_int_t    rc;
    sync_rc_t    made;
    sync_str_t   text;
    sync_wsse_t  w;

    if (ngx_http_sync_credentials_secret(ctx, c->id, &w.user) != NGX_OK
        || ngx_http_sync_credentials_secret(ctx, c->secret, &w.password)
           != NGX_OK)
    {
        return NGX_DECLINED;
    }

    rc = ngx_http_sync_credentials_payload(r, ctx, &text);

    if (rc != NGX_OK || text.len == 0) {
        return rc;
    }

    if (sync_random(nonce, sizeof(nonce)) != SYNC_OK) {
        return NGX_ERROR;
    }

    w.nonce = nonce;
    w.now = ngx_time();
    w.text = c->text;
    w.soap12 = ctx->route.c.format == SYNC_FORMAT_SOAP_12;

    made = sync_wsse(&w, text, &ctx->arena, &text);

    if (made == SYNC_NO) {
        return ngx_http_sync_problem(ctx, NGX_HTTP_SERVICE_UNAVAILABLE,
                                     "connector-credentials",
                                     "The connector cannot be asked now",
                                     NGX_HTTP_SYNC_TECHNICAL,
                                     "a UsernameToken goes into an envelope "
                                     "of sync_normalize, of what XML can say");
    }

    return made == SYNC_OK ? ngx_http_sync_credentials_replace(r, ctx, &text)
                           : NGX_ERROR;
}


/* The body as it would go without a secret, also the second time. */

static ngx_int_t
ngx_http_sync_credentials_payload(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, sync_str_t *text)
{
    ngx_int_t   rc;
    ngx_str_t  *body;

    body = &ctx->payload.target;

    if (body->data == NULL) {
        rc = ngx_http_sync_read_body(r, ctx);
        if (rc != NGX_OK) {
            return rc;
        }

        body = &ctx->payload.body;
    }

    text->data = body->data;
    text->len = body->len;

    return NGX_OK;
}


/* Charged, wiped at the end, and in no place that is shown. */

static ngx_int_t
ngx_http_sync_credentials_replace(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, sync_str_t *text)
{
    ngx_str_t                          body;
    ngx_http_sync_credentials_slot_t  *slot;

    body.data = text->data;
    body.len = text->len;

    if (ngx_http_sync_credentials_wiped(r, &body) != NGX_OK) {
        return NGX_ERROR;
    }

    slot = ngx_http_sync_credentials_slot(r, ctx);
    if (slot == NULL) {
        return NGX_ERROR;
    }

    slot->body = ctx->payload.target.data != NULL ? ctx->payload.target
                                                  : ctx->payload.body;
    slot->replaced = 1;
    ctx->route.in_body = 1;

    if (ngx_http_sync_charge(ctx, text->len) != NGX_OK) {
        return ngx_http_sync_problem(ctx, NGX_HTTP_SERVICE_UNAVAILABLE,
                                     "buffers-exhausted",
                                     "No memory for the payload now",
                                     NGX_HTTP_SYNC_TECHNICAL,
                                     "sync_buffers of this worker are in use");
    }

    return ngx_http_sync_replace_body(r, &body, NULL);
}
