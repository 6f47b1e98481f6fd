
/*
 * In which format: bodies of clients and answers of connectors as tapes, and
 * texts for both.
 */


#ifndef NGX_HTTP_SYNC_FORMATS_H_INCLUDED_
#define NGX_HTTP_SYNC_FORMATS_H_INCLUDED_


#include "ngx_http_sync_words.h"


/*
 * The tape of the request's body, by the format of the client's source, in
 * ctx->payload.source.  NGX_OK, or a status with its problem: 415, 400.
 */
ngx_int_t ngx_http_sync_read_source(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);

/*
 * The tape of the answer, by the connector's format, once, in
 * ctx->answer.json, and what it says is wrong, in ctx->answer.error.  NGX_OK;
 * NGX_DECLINED: it is not of that format (logged); NGX_BUSY: over
 * sync_buffers; NGX_ERROR.
 */
ngx_int_t ngx_http_sync_read_answer(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);

/*
 * JSON text as the format says it.  NGX_OK, NGX_DECLINED (it cannot; faults
 * has the place), NGX_BUSY, NGX_ERROR.
 */
ngx_int_t ngx_http_sync_write_format(ngx_http_sync_ctx_t *ctx,
    sync_format_e format, sync_str_t *text, sync_faults_t *faults);

/*
 * The body of the connector's request for an operation: its template, its
 * envelope, its format.  text comes as JSON (data NULL: there is no payload)
 * and goes as what is sent (data NULL: no body).  NGX_OK, or a status with its
 * problem, or NGX_ERROR.
 */
ngx_int_t ngx_http_sync_write_target(ngx_http_sync_ctx_t *ctx,
    const sync_doc_operation_t *operation, sync_str_t *text);

/* Sets what the format wants of the request's headers; type: Content-Type. */
ngx_int_t ngx_http_sync_target_headers(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, const sync_doc_operation_t *operation,
    ngx_str_t *type);


#endif /* NGX_HTTP_SYNC_FORMATS_H_INCLUDED_ */
