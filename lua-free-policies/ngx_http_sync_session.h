
/*
 * Sessions at connectors: what their files share.
 */


#ifndef NGX_HTTP_SYNC_SESSION_H_INCLUDED_
#define NGX_HTTP_SYNC_SESSION_H_INCLUDED_


#include "ngx_http_sync.h"
#include "ngx_http_sync_registry.h"
#include "sync_crypto.h"
#include "sync_session.h"


typedef struct ngx_http_sync_session_slot_s  ngx_http_sync_session_slot_t;


/* What a worker has of a connector of a version of a tenant. */

typedef struct {
    u_char                         key[SYNC_SHA256_LEN];
    ngx_queue_t                    bucket;
    ngx_queue_t                    lru;
    ngx_queue_t                    waiters;  /* slots */
    ngx_uint_t                     refs;     /* slots that point here */
    ngx_http_sync_session_slot_t  *leader;   /* logs in, or NULL */

    ngx_uint_t                     serial;   /* of what is kept; 0: nothing */
    ngx_msec_t                     born;
    u_char                        *kept;     /* secret: wiped before it goes */
    size_t                         size;
    ngx_str_t                      cookie;   /* in it, or empty */
    ngx_str_t                     *values;   /* in it, as the document sends */

    ngx_uint_t                     failures;
    ngx_msec_t                     pause;    /* no login before, if failures */
} ngx_http_sync_session_t;


struct ngx_http_sync_session_slot_s {
    ngx_http_sync_ctx_t           *ctx;
    ngx_http_sync_session_t       *session;
    ngx_queue_t                    queue;    /* of waiters */
    ngx_event_t                    timer;
    ngx_uint_t                     serial;   /* of what the request shows */
    ngx_str_t                      authorization;    /* the credentials' */
    u_char                        *shown;    /* ours, in its place */
    unsigned                       waiting:1;
    unsigned                       leading:1;
    unsigned                       late:1;
};


/* An arena for what is secret, wiped with the request. */

typedef struct {
    sync_arena_t                   arena;
    u_char                        *pos;
    u_char                        *end;
    u_char                        *start;
} ngx_http_sync_session_room_t;


/* kept: what this worker has */

/*
 * The key of a session: a connector, of a version of the document, and the
 * secrets that it is begun with.  NGX_OK, NGX_ERROR, or NGX_DECLINED: a secret
 * cannot be read.
 */
ngx_int_t ngx_http_sync_session_key(ngx_http_sync_ctx_t *ctx, u_char *key);

/* The one of that key, made where there is none.  NGX_OK or NGX_ERROR. */
ngx_int_t ngx_http_sync_session_find(u_char *key,
    ngx_http_sync_session_t **session);

/* What is kept is wiped; the session itself stays. */
void ngx_http_sync_session_drop(ngx_http_sync_session_t *s);

/* Those that wait are entered again, and look for themselves. */
void ngx_http_sync_session_wake(ngx_http_sync_session_t *s);

/*
 * The login failed, for this request, for those that wait, and for those that
 * come for a while.  refused: by the target.  The status to answer, or NGX_OK:
 * the deadline is over, which has words of its own.
 */
ngx_int_t ngx_http_sync_session_fail(ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_session_slot_t *slot, ngx_uint_t refused, const char *why);
ngx_int_t ngx_http_sync_session_problem(ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_session_t *s);

/* An arena of so many bytes; NULL: no memory. */
ngx_http_sync_session_room_t *ngx_http_sync_session_room(
    ngx_http_request_t *r, size_t size);

void ngx_http_sync_session_exit_process(ngx_cycle_t *cycle);


/* answer: what the target says */

/*
 * Does the answer say that the session is over?  body: it is here, and looked
 * into; else its head alone is looked at.
 */
ngx_uint_t ngx_http_sync_session_over(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, ngx_uint_t body);

/*
 * The answer to a login.  NGX_HTTP_SYNC_SEND_NOW: it is kept; else what
 * ngx_http_sync_session_fail() says, or NGX_ERROR.
 */
ngx_int_t ngx_http_sync_session_took(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, ngx_http_sync_session_slot_t *slot);


#endif /* NGX_HTTP_SYNC_SESSION_H_INCLUDED_ */
