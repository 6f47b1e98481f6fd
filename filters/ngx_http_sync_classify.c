
/*
 * Classify: what an answer means for the key that was claimed for it, and in
 * which words a failure of NGINX itself is told.
 */


#include "ngx_http_sync_formats.h"


static ngx_uint_t ngx_http_sync_classify_enabled(ngx_http_request_t *r);
static ngx_int_t ngx_http_sync_classify_run(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);
static ngx_http_sync_outcome_e ngx_http_sync_classify_status(
    ngx_http_sync_ctx_t *ctx, ngx_uint_t status);
static ngx_int_t ngx_http_sync_classify_words(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);
static ngx_int_t ngx_http_sync_classify_format(ngx_http_sync_ctx_t *ctx,
    ngx_int_t rc);
static ngx_int_t ngx_http_sync_classify_map(ngx_http_sync_ctx_t *ctx,
    const sync_map_t *map, ngx_int_t rc);
static ngx_http_sync_outcome_e ngx_http_sync_classify_broken(
    ngx_http_sync_ctx_t *ctx);


const ngx_http_sync_step_t  ngx_http_sync_classify_step = {
    "classify",
    NGX_HTTP_SYNC_STAGE_RESPONSE,
    NGX_HTTP_SYNC_STEP_CLASSIFY,
    ngx_http_sync_classify_enabled,
    1,
    ngx_http_sync_classify_run,
    NULL,
    NULL,
    NULL
};


static ngx_uint_t
ngx_http_sync_classify_enabled(ngx_http_request_t *r)
{
    ngx_http_sync_ctx_t  *ctx;

    ctx = ngx_http_sync_get_ctx(r);

    return ctx != NULL
           && (ctx->claim.state == NGX_HTTP_SYNC_CLAIM_HELD
               || ctx->route.connector != SYNC_DOC_NONE);
}


static ngx_int_t
ngx_http_sync_classify_run(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx)
{
    ngx_uint_t               status;
    ngx_http_sync_answer_t  *a;

    a = &ctx->answer;

    if (!a->own && a->received && a->received < NGX_HTTP_OK) {

        /* NGINX takes an interim answer for the last one */

        a->truncated = 1;
    }

    if (!a->own && !a->truncated && (a->received || r->upstream == NULL)) {
        a->outcome = ngx_http_sync_classify_status(ctx, a->received
                                                       ? a->received
                                                       : a->status);

        if (ngx_http_sync_classify_words(r, ctx) != NGX_OK) {
            return NGX_ERROR;
        }

        if (a->outcome == NGX_HTTP_SYNC_OUTCOME_UNKNOWN) {
            ctx->verdict = "outcome-unknown";
        }

        return NGX_OK;
    }

    if (!ctx->sent) {

        a->outcome = NGX_HTTP_SYNC_OUTCOME_NOT_SENT;

        if (r->upstream == NULL || a->status < NGX_HTTP_BAD_GATEWAY) {
            return NGX_OK;
        }

        ctx->verdict = "not-sent";

        if (ctx->expired || ctx->aside != NULL) {

            /* who asked aside has said what went wrong */

            return NGX_OK;
        }

        status = a->status == NGX_HTTP_SERVICE_UNAVAILABLE
                 ? NGX_HTTP_SERVICE_UNAVAILABLE : NGX_HTTP_BAD_GATEWAY;

        a->status = status;
        (void) ngx_http_sync_problem(ctx, status, "not-sent",
                                     "The upstream could not be reached",
                                     NGX_HTTP_SYNC_TECHNICAL,
                                     "nothing was sent; retry with the same "
                                     "key");
        return NGX_OK;
    }

    if (a->truncated && !a->own) {

        if (a->received >= 200 && a->received < 300) {

            /* it was done; only its words are lost */

            a->outcome = NGX_HTTP_SYNC_OUTCOME_SUCCESS;
            a->bodiless = 1;
            r->keepalive = 0;

            if (ctx->claim.state == NGX_HTTP_SYNC_CLAIM_HELD) {
                return NGX_OK;
            }
        }

        a->own = 1;
        a->bodiless = 0;
    }

    /* sent, and no whole answer came */

    if (a->outcome != NGX_HTTP_SYNC_OUTCOME_SUCCESS) {
        a->outcome = NGX_HTTP_SYNC_OUTCOME_UNKNOWN;
    }

    ctx->verdict = "outcome-unknown";

    if (ctx->claim.state == NGX_HTTP_SYNC_CLAIM_HELD) {
        a->status = NGX_HTTP_GATEWAY_TIME_OUT;
        (void) ngx_http_sync_problem(ctx, NGX_HTTP_GATEWAY_TIME_OUT,
                                     "outcome-unknown",
                                     "Nobody knows how this request ended",
                                     NGX_HTTP_SYNC_TECHNICAL,
                                     "it was sent and no whole answer came; "
                                     "retry with the same key to learn more");
        return NGX_OK;
    }

    if (a->truncated) {
        a->status = NGX_HTTP_BAD_GATEWAY;
        (void) ngx_http_sync_problem(ctx, NGX_HTTP_BAD_GATEWAY,
                                     "upstream-truncated",
                                     "The upstream broke off its answer",
                                     NGX_HTTP_SYNC_TECHNICAL, "");
    }

    return NGX_OK;
}


static ngx_http_sync_outcome_e
ngx_http_sync_classify_status(ngx_http_sync_ctx_t *ctx, ngx_uint_t status)
{
    if (ctx->route.connector != SYNC_DOC_NONE
        && sync_doc_transient(ctx->tenant.doc, ctx->route.connector, status))
    {
        return NGX_HTTP_SYNC_OUTCOME_TRANSIENT;
    }

    if (status < NGX_HTTP_BAD_REQUEST) {
        return NGX_HTTP_SYNC_OUTCOME_SUCCESS;
    }

    if (status >= NGX_HTTP_INTERNAL_SERVER_ERROR) {
        return ngx_http_sync_classify_broken(ctx);
    }

    switch (status) {

    case NGX_HTTP_UNAUTHORIZED:
    case NGX_HTTP_FORBIDDEN:
    case NGX_HTTP_REQUEST_TIME_OUT:
    case 423:
    case 425:
    case NGX_HTTP_TOO_MANY_REQUESTS:
        return NGX_HTTP_SYNC_OUTCOME_TRANSIENT;

    default:
        return NGX_HTTP_SYNC_OUTCOME_REFUSED;
    }
}


/*
 * SOAP and JSON-RPC say in their own words how it went, and the map of a
 * connector may know where others do, whatever the status says: a status that
 * is transient stays so.
 */

static ngx_int_t
ngx_http_sync_classify_words(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx)
{
    ngx_int_t                rc;
    ngx_uint_t               hides;
    const sync_map_t        *map;
    ngx_http_sync_answer_t  *a;

    a = &ctx->answer;

    if (ctx->route.connector == SYNC_DOC_NONE || r->upstream == NULL
        || a->body.len == 0 || a->over)
    {
        return NGX_OK;
    }

    if (ngx_http_sync_connector_map(ctx, &map) != NGX_OK
        || !sync_map_has_error(map))
    {
        map = NULL;
    }

    hides = 0;

    switch (ctx->route.c.format) {

    case SYNC_FORMAT_SOAP_11:
    case SYNC_FORMAT_SOAP_12:
    case SYNC_FORMAT_JSON_RPC:
        hides = 1;
        break;

    case SYNC_FORMAT_ODATA_V2:
    case SYNC_FORMAT_ODATA_V4:

        if (map == NULL && a->received < NGX_HTTP_BAD_REQUEST) {
            return NGX_OK;
        }

        break;

    default:

        if (map == NULL) {
            return NGX_OK;
        }
    }

    rc = ngx_http_sync_read_answer(r, ctx);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (hides && a->outcome != NGX_HTTP_SYNC_OUTCOME_TRANSIENT
        && ngx_http_sync_classify_format(ctx, rc) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return map != NULL ? ngx_http_sync_classify_map(ctx, map, rc) : NGX_OK;
}


static ngx_int_t
ngx_http_sync_classify_format(ngx_http_sync_ctx_t *ctx, ngx_int_t rc)
{
    ngx_http_sync_answer_t  *a;

    a = &ctx->answer;

    if (rc != NGX_OK) {

        /* a page of a proxy, say: nobody knows what was done */

        if (a->outcome == NGX_HTTP_SYNC_OUTCOME_SUCCESS) {
            a->outcome = NGX_HTTP_SYNC_OUTCOME_UNKNOWN;
        }

        return NGX_OK;
    }

    if (!a->failed) {
        return NGX_OK;
    }

    switch (a->error.kind) {

    case SYNC_ANSWER_REFUSED:
        a->outcome = NGX_HTTP_SYNC_OUTCOME_REFUSED;
        break;

    case SYNC_ANSWER_BROKEN:
        a->outcome = ngx_http_sync_classify_broken(ctx);
        break;

    default:
        a->outcome = NGX_HTTP_SYNC_OUTCOME_UNKNOWN;
    }

    return NGX_OK;
}


/* The "error" section of the connector's map. */

static ngx_int_t
ngx_http_sync_classify_map(ngx_http_sync_ctx_t *ctx, const sync_map_t *map,
    ngx_int_t rc)
{
    sync_rc_t                said;
    ngx_uint_t               refused;
    sync_map_error_t         error;
    ngx_http_sync_answer_t  *a;

    a = &ctx->answer;
    refused = (a->received >= NGX_HTTP_BAD_REQUEST);

    if (rc != NGX_OK) {

        /* an error in words that nobody expects is told without them */

        if (refused && !a->failed) {
            a->failed = 1;
            ngx_memzero(&a->error, sizeof(sync_answer_error_t));
        }

        return NGX_OK;
    }

    said = sync_map_error(map, &a->json, a->failed || refused, &ctx->arena,
                          &ctx->payload.work, &error);

    if (said != SYNC_OK) {

        if (said != SYNC_NO) {
            return NGX_ERROR;
        }

        if (ctx->payload.work == 0) {

            /* whether it is an error was not found out */

            a->outcome = NGX_HTTP_SYNC_OUTCOME_UNKNOWN;
        }

        return NGX_OK;
    }

    if (!a->failed) {
        a->failed = 1;
        ngx_memzero(&a->error, sizeof(sync_answer_error_t));
    }

    if (error.code.len) {
        a->error.code = error.code;
    }

    if (error.message.len) {
        a->error.message = error.message;
    }

    if (a->outcome == NGX_HTTP_SYNC_OUTCOME_TRANSIENT && refused) {
        return NGX_OK;
    }

    switch (error.class) {

    case SYNC_MAP_BUSINESS:
        a->outcome = NGX_HTTP_SYNC_OUTCOME_REFUSED;

        /* a refusal keeps the status that the target chose for it */

        a->error.kind = refused
                        && a->received < NGX_HTTP_INTERNAL_SERVER_ERROR
                        ? SYNC_ANSWER_FAILED : SYNC_ANSWER_REFUSED;
        break;

    case SYNC_MAP_TECHNICAL:
        a->outcome = ngx_http_sync_classify_broken(ctx);
        a->error.kind = SYNC_ANSWER_BROKEN;
        break;

    case SYNC_MAP_TRANSIENT:
        a->outcome = NGX_HTTP_SYNC_OUTCOME_TRANSIENT;
        a->error.kind = SYNC_ANSWER_BROKEN;
        break;

    default: /* SYNC_MAP_UNCLASSED */
        break;
    }

    return NGX_OK;
}


/* A fault of the target: it has left something behind, unless it says not. */

static ngx_http_sync_outcome_e
ngx_http_sync_classify_broken(ngx_http_sync_ctx_t *ctx)
{
    if (ctx->route.connector != SYNC_DOC_NONE && ctx->route.c.rolls_back) {
        return NGX_HTTP_SYNC_OUTCOME_TRANSIENT;
    }

    return NGX_HTTP_SYNC_OUTCOME_UNKNOWN;
}
