
/*
 * What the policies over payloads share: off, on or shadow, the entity that each
 * of them needs, its canonical object, and the refusal of a payload.
 */


#ifndef NGX_HTTP_SYNC_MODE_H_INCLUDED_
#define NGX_HTTP_SYNC_MODE_H_INCLUDED_


#include "ngx_http_sync.h"
#include "sync_faults.h"


#define NGX_HTTP_SYNC_OFF     0
#define NGX_HTTP_SYNC_ON      1
#define NGX_HTTP_SYNC_SHADOW  2          /* looks, tells, and does nothing */


/* Of a directive: its first argument is the mode, an ngx_uint_t at offset. */
char *ngx_http_sync_set_mode(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/*
 * In a check of configuration, where the policy acts: NGX_ERROR, and refused,
 * where there is no sync_entity beside it.  directive: "sync_validate".
 */
ngx_int_t ngx_http_sync_needs_entity(ngx_conf_t *cf, ngx_http_conf_ctx_t *ctx,
    const char *directive);

/* Does the request bring an object of an entity: create, replace, update? */
ngx_uint_t ngx_http_sync_writes(ngx_http_sync_ctx_t *ctx);

/*
 * The canonical object of the request: mapped, or the body itself, read where
 * its source has no map for the entity and so speaks canonically.  NGX_OK;
 * NGX_DECLINED: its words are others, and nothing was mapped; NGX_AGAIN: the
 * step is entered again when the body is there; else refused, or NGX_ERROR.
 */
ngx_int_t ngx_http_sync_canonical(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, const sync_json_t **json);

/*
 * 422 with all faults, logged as the step's; what: which part of the request is
 * wrong.  NGX_ERROR: no memory.
 */
ngx_int_t ngx_http_sync_refuse_payload(ngx_http_sync_ctx_t *ctx,
    const char *step, const char *what, sync_faults_t *faults);

/* Adds them all to the problem.  NGX_OK; NGX_ERROR: no memory. */
ngx_int_t ngx_http_sync_problem_faults(ngx_http_sync_ctx_t *ctx,
    sync_faults_t *faults);

/*
 * Of a step in shadow: logs and counts what rc would have been, and goes on.
 * $sync_reason keeps it, the verdict does not.
 */
ngx_int_t ngx_http_sync_shadowed(ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_step_e step, const char *name, ngx_int_t rc);


#endif /* NGX_HTTP_SYNC_MODE_H_INCLUDED_ */
