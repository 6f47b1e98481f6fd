
/*
 * What the idempotency policy and the response steps share of a claim: the
 * kept answer, the note, and ends that outlive their request.
 */


#ifndef NGX_HTTP_SYNC_CLAIM_H_INCLUDED_
#define NGX_HTTP_SYNC_CLAIM_H_INCLUDED_


#include "ngx_http_sync.h"


/*
 * The kept answer: status, kept headers, body, in a versioned form, sealed for
 * this key and print.  trimmed is the form without the body, or record itself
 * where that is as short; record may be NULL.  NGX_OK or NGX_ERROR (no memory).
 */
ngx_int_t ngx_http_sync_record_write(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, ngx_str_t *trimmed, ngx_str_t *record);

/*
 * Opens a kept answer and puts it into headers_out: status, type and headers;
 * body is memory of the request.  NGX_OK; NGX_DECLINED: not a record of this
 * version, or not sealed for this key and print by a secret we have; nothing
 * of it was used.  NGX_ERROR.
 */
ngx_int_t ngx_http_sync_record_read(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, ngx_str_t *record, ngx_uint_t *status,
    ngx_str_t *type, ngx_str_t *body);


/* The status of a kept answer, which stands in the clear; 0: there is none. */
ngx_uint_t ngx_http_sync_record_status(ngx_str_t *record);


/* The note: how a U is to be resolved, and where the first try went. */

ngx_int_t ngx_http_sync_note_write(ngx_http_sync_ctx_t *ctx, ngx_str_t *note);
/* NGX_OK, or NGX_DECLINED: no note, so nobody may do anything but hold. */
ngx_int_t ngx_http_sync_note_read(ngx_str_t *note, ngx_uint_t *on_unknown,
    ngx_str_t *connector);


/*
 * Ends a held claim without its request: outcome NONE releases it.  Memory is
 * its own; tried again with backoff until the lease is over.  Marks the claim.
 * An epoch of 0 is that of a resolver which does not know whether it has begun.
 */
void ngx_http_sync_claim_detach(ngx_http_sync_ctx_t *ctx,
    ngx_sync_state_e outcome, ngx_str_t *record, ngx_str_t *trimmed);

/* Lets go of a held claim: released if nothing was sent, else U. */
void ngx_http_sync_claim_drop(ngx_http_sync_ctx_t *ctx);


#endif /* NGX_HTTP_SYNC_CLAIM_H_INCLUDED_ */
