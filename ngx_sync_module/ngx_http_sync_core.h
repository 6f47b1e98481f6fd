
/*
 * What the files of the core share among themselves.  Policies and filters do
 * not include it.
 */


#ifndef NGX_HTTP_SYNC_CORE_H_INCLUDED_
#define NGX_HTTP_SYNC_CORE_H_INCLUDED_


#include "ngx_http_sync.h"
#include "sync_crypto.h"


#define NGX_HTTP_SYNC_BUFFERED  0x08     /* of r->buffered; 1, 2, 4 are SSI,
                                            SUB and COPY */


typedef struct {
    ngx_http_sync_check_pt  check;
    ngx_http_conf_ctx_t     ctx;
} ngx_http_sync_check_t;


/* runner */

ngx_int_t ngx_http_sync_init_runner(ngx_conf_t *cf);

/*
 * Runs the steps of a stage from where they stand.  NGX_OK: all have run;
 * NGX_AGAIN, NGX_DONE, NGX_ERROR or a status as a step answered.
 */
ngx_int_t ngx_http_sync_run_stage(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, ngx_http_sync_stage_e stage);

/* Leaves out of a subrequest what is secret; NGX_OK or a status. */
ngx_int_t ngx_http_sync_conceal(ngx_http_request_t *r);

/*
 * Called where the request may stand in another location than before: after an
 * internal redirect what was held for the old one is settled or released.
 */
void ngx_http_sync_enter(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx);

/* The steps that may act where r is now; of the location, found once. */

#define ngx_http_sync_located(r, slcf)                                        \
    ((slcf)->judged ? (slcf)->steps : ngx_http_sync_judge(r, slcf))

uint32_t ngx_http_sync_judge(ngx_http_request_t *r,
    ngx_http_sync_loc_conf_t *slcf);

/* Is any step of the stage enabled where r is now? */
ngx_uint_t ngx_http_sync_stage_enabled(ngx_http_request_t *r,
    ngx_http_sync_stage_e stage);


/*
 * The exchange begins: its deadline, where there is one, runs from here on.
 * NGX_OK or a status.
 */
ngx_int_t ngx_http_sync_depart(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);

#define NGX_HTTP_SYNC_WORK  4000000      /* units of the work counter */


/* the rest of the core */

void ngx_http_sync_init_answer(ngx_conf_t *cf);
char *ngx_http_sync_wrap_peers(ngx_conf_t *cf);
ngx_int_t ngx_http_sync_peers_init(ngx_conf_t *cf,
    ngx_http_sync_main_conf_t *smcf);
extern const ngx_http_sync_step_t  ngx_http_sync_correlation_step;
ngx_int_t ngx_http_sync_add_variables(ngx_conf_t *cf);

/* The headers of an answer that a policy had a hand in. */
ngx_int_t ngx_http_sync_answer_headers(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);

ngx_uint_t ngx_http_sync_is_header(ngx_table_elt_t *h, ngx_str_t *name);

/* ngx_http_sync_add_header() that tells where; NULL: no memory. */
ngx_table_elt_t *ngx_http_sync_push_header(ngx_http_request_t *r,
    const ngx_str_t *name, const ngx_str_t *value);

/* Gives back what the request was charged. */
void ngx_http_sync_discharge(ngx_http_sync_ctx_t *ctx);

/* The answer was dismissed: what follows once it has ended. */
ngx_int_t ngx_http_sync_send_again(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);

/*
 * The request takes its own place again, where another one had it; and what
 * was sent aside is forgotten.
 */
void ngx_http_sync_aside_over(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);
void ngx_http_sync_aside_forget(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);

/*
 * Has a byte gone upstream on any try since the request was last sent again?
 * Also where no peer was wrapped.
 */
ngx_uint_t ngx_http_sync_was_sent(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);


/* checks: what NGINX' own settings must not say, in a location */

ngx_int_t ngx_http_sync_check_settings(ngx_conf_t *cf,
    ngx_http_conf_ctx_t *ctx);
ngx_module_t *ngx_http_sync_find_module(ngx_conf_t *cf, const char *name);


/* flight: the halves of ngx_http_sync_flight.h */

/* A bit for each of n keys, 32 at most, whose flight has ended. */
ngx_uint_t ngx_http_sync_flight_ended(u_char (*keys)[32], ngx_uint_t n);

/* Wakes who waits for it in this worker. */
void ngx_http_sync_flight_wake(u_char key[32]);

ngx_int_t ngx_http_sync_flight_init_process(ngx_cycle_t *cycle);

/* For sync_status.  NGX_DECLINED: not in use. */
ngx_int_t ngx_http_sync_flight_state(ngx_sync_zone_state_t *state);


/* metrics */

char *ngx_http_sync_status(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
ngx_int_t ngx_http_sync_init_metrics(ngx_conf_t *cf);
ngx_int_t ngx_http_sync_metrics_init_process(ngx_cycle_t *cycle);
void ngx_http_sync_count(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx);
size_t ngx_http_sync_charged(void);      /* bytes of this worker, now */


#endif /* NGX_HTTP_SYNC_CORE_H_INCLUDED_ */
