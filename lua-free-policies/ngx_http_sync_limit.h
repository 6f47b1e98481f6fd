
/*
 * What the files of sync_limit share.
 *
 *   _module.c   the module, what the directive leaves behind, checks at load
 *   _param.c    the directive and its parameters
 *   _run.c      the steps: groups in their order, given back where one refuses
 *   _group.c    what a request takes: keys, costs, windows of a plan
 *   _quota.c    what goes by the calendar
 *   _answer.c   what is said of it: 429, 413, 503, RateLimit
 *   _slot.c     concurrency: a place is held by a lease, and renewed
 *   _lease.c    tokens that are spent without asking
 *   _nodes.c    how many nodes there are
 *   _penalty.c  who asked in vain too often, and its directive
 */


#ifndef NGX_HTTP_SYNC_LIMIT_H_INCLUDED_
#define NGX_HTTP_SYNC_LIMIT_H_INCLUDED_


#include "ngx_http_sync.h"
#include "sync_rate.h"
#include "sync_zone.h"


#define NGX_HTTP_SYNC_LIMIT_ID     16
#define NGX_HTTP_SYNC_LIMIT_NAME   64    /* bytes of a name at most */
#define NGX_HTTP_SYNC_LIMIT_BLOCK  1024  /* what content-bytes counts in */
#define NGX_HTTP_SYNC_LIMIT_STATUSES  8  /* that a penalty counts */
#define NGX_HTTP_SYNC_LIMIT_NODES  1000  /* nodes at most */


typedef enum {
    NGX_HTTP_SYNC_LIMIT_RATE = 0,
    NGX_HTTP_SYNC_LIMIT_QUOTA,
    NGX_HTTP_SYNC_LIMIT_CONCURRENT
} ngx_http_sync_limit_kind_e;

typedef enum {
    NGX_HTTP_SYNC_LIMIT_MODE_LOCAL = 0,
    NGX_HTTP_SYNC_LIMIT_MODE_EXACT,
    NGX_HTTP_SYNC_LIMIT_MODE_LEASED
} ngx_http_sync_limit_mode_e;

typedef enum {
    NGX_HTTP_SYNC_LIMIT_LOCAL = 0,
    NGX_HTTP_SYNC_LIMIT_OPEN,
    NGX_HTTP_SYNC_LIMIT_CLOSED
} ngx_http_sync_limit_fail_e;


typedef struct {
    ngx_str_t                    name;   /* given, or the rate */
    ngx_str_t                    text;   /* what makes it the limit it is */
    ngx_http_complex_value_t    *key;    /* NULL: a plan */
    ngx_http_complex_value_t    *cost;   /* NULL: units */
    uint64_t                     units;
    ngx_http_sync_limit_kind_e   kind;
    ngx_http_sync_limit_mode_e   mode;
    ngx_http_sync_limit_fail_e   fail;
    ngx_uint_t                   nodes;  /* 0: not said */
    ngx_msec_t                   lease;
    ngx_uint_t                   places; /* of a concurrency */
    sync_gcra_t                  gcra;   /* of a rate */
    uint32_t                     quota;
    sync_zone_unit_e             unit;   /* by which a quota goes */
    const sync_zone_t           *zone;   /* NULL: UTC */
    u_char                       id[NGX_HTTP_SYNC_LIMIT_ID];
    unsigned                     named:1;
    unsigned                     known:1;    /* id is set */
    unsigned                     address:1;  /* the key is the client's
                                                address: IPv6 by /64 */
    unsigned                     client:1;   /* stage=client */
    unsigned                     bytes:1;    /* content-bytes */
    unsigned                     strict:1;
    unsigned                     shadow:1;
} ngx_http_sync_limit_t;


typedef struct {
    ngx_str_t                    name;
    ngx_http_complex_value_t    *key;
    ngx_http_sync_limit_mode_e   mode;   /* local or exact */
    uint32_t                     after;  /* so many answers */
    int64_t                      within; /* microseconds */
    int64_t                      block;
    ngx_uint_t                   on[NGX_HTTP_SYNC_LIMIT_STATUSES];
    ngx_uint_t                   n;
    u_char                       id[NGX_HTTP_SYNC_LIMIT_ID];
    ngx_uint_t                   address;
    ngx_uint_t                   client; /* by a key that the proof brings */
    ngx_uint_t                   shadow;
} ngx_http_sync_limit_penalty_t;

typedef struct ngx_http_sync_limit_mark_s  ngx_http_sync_limit_mark_t;


typedef struct {
    ngx_array_t                 *limits; /* of ngx_http_sync_limit_t; NULL:
                                            off */
    ngx_array_t                 *penalties;  /* likewise */
    ngx_uint_t                   edge;   /* how many of each stage */
    ngx_uint_t                   client;
} ngx_http_sync_limit_loc_conf_t;


typedef struct {
    ngx_sync_store_t            *local;  /* of this node */
    ngx_sync_store_t            *store;  /* of all nodes; may be the same */
    ngx_array_t                  named;  /* of ngx_http_sync_limit_t */
} ngx_http_sync_limit_main_conf_t;


/* A place among so many, held until its request goes. */

typedef struct ngx_http_sync_limit_slot_s  ngx_http_sync_limit_slot_t;

struct ngx_http_sync_limit_slot_s {
    ngx_pool_t                  *pool;   /* it lives in: longer than r */
    ngx_pool_t                  *calls;  /* of op, emptied before each */
    ngx_sync_store_t            *store;
    ngx_sync_op_t                op;     /* acquires, and again */
    ngx_sync_op_t                release;
    ngx_sync_slot_t              slot;
    ngx_event_t                  event;  /* renews it, and ends it */
    ngx_http_sync_ctx_t         *ctx;    /* waits for the answer */
    ngx_http_sync_limit_slot_t  *next;   /* of the same request */
    ngx_sync_result_e            result;
    unsigned                     busy:1; /* an operation is under way */
    unsigned                     gone:1; /* and the request has left */
};


/* One line of what a request takes: a window of a plan, or the directive's. */

typedef struct {
    ngx_uint_t                   number; /* in the plan, from 1; 0: alone */
    ngx_uint_t                   window; /* seconds */
} ngx_http_sync_limit_line_t;

typedef struct {
    ngx_http_sync_limit_line_t   line;
    ngx_str_t                    key;
    ngx_uint_t                   limit;
    ngx_msec_t                   lease;
} ngx_http_sync_limit_place_t;


/* A group: one directive with its key, or the windows of a plan that count in
   the same unit. */

typedef struct ngx_http_sync_limit_group_s  ngx_http_sync_limit_group_t;

struct ngx_http_sync_limit_group_s {
    const ngx_http_sync_limit_t  *limit;
    ngx_str_t                     name;      /* the limit's or the plan's */
    ngx_sync_store_t             *store;     /* where it is taken */
    ngx_sync_limit_t              take;
    ngx_http_sync_limit_line_t   *lines;     /* of the items of take */
    ngx_http_sync_limit_place_t  *places;
    ngx_uint_t                    nplaces;
    ngx_uint_t                    place;     /* being acquired */
    ngx_sync_store_t             *place_store;
    ngx_http_sync_limit_group_t  *taken;     /* the one taken before */
    ngx_http_sync_limit_group_t  *asked;     /* the one asked before */
    unsigned                      bytes:1;   /* content-bytes */
    unsigned                      only:1;    /* the plan has no other line */
    unsigned                      leased:1;
};


/* A request that waits for tokens of a lease. */

typedef struct {
    ngx_queue_t                  queue;
    ngx_http_sync_ctx_t         *ctx;
    ngx_uint_t                   tries;
    unsigned                     waiting:1;
} ngx_http_sync_limit_waiter_t;


/* What a refusal or a field speaks of. */

typedef struct {
    ngx_http_sync_limit_line_t   line;
    uint64_t                     quota;
    sync_gcra_answer_t           answer;
} ngx_http_sync_limit_verdict_t;


/*
 * The group that limit is for this request, or its part: a plan is one group
 * of requests and one of content-bytes, each taken by one operation.
 * NGX_OK; NGX_DECLINED: nothing to count; a status; NGX_ERROR.
 */
ngx_int_t ngx_http_sync_limit_group(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, ngx_http_sync_limit_group_t *g,
    ngx_uint_t bytes, ngx_http_sync_limit_mark_t **marks);

/*
 * The part of a group that falls to one of so many nodes, to be taken from
 * the store of this one.  take: its items; else its places.  NGX_ERROR.
 */
ngx_int_t ngx_http_sync_limit_divide(ngx_http_request_t *r,
    ngx_http_sync_limit_group_t *g, ngx_uint_t nodes, ngx_uint_t take);


/* 429 or 413 with its fields; NGX_OK in the shadow; NGX_ERROR. */
ngx_int_t ngx_http_sync_limit_refuse(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, ngx_http_sync_limit_group_t *g,
    ngx_http_sync_limit_verdict_t *v);

/* 503: neither the store nor this node can tell. */
ngx_int_t ngx_http_sync_limit_unavailable(ngx_http_sync_ctx_t *ctx,
    ngx_str_t *name);

/* RateLimit on an answer that passed. */
ngx_int_t ngx_http_sync_limit_field(ngx_http_request_t *r,
    ngx_http_sync_limit_group_t *g, ngx_http_sync_limit_verdict_t *v,
    int64_t wait);

void ngx_http_sync_limit_verdict(ngx_http_sync_limit_group_t *g, ngx_uint_t i,
    ngx_http_sync_limit_verdict_t *v);


/*
 * Asks for a place.  NULL: no memory.  Where slot->busy is set, the context is
 * woken with the answer; slot->result tells.  Whatever it is, the slot is
 * left by slot_leave(), which gives the place back.
 */
ngx_http_sync_limit_slot_t *ngx_http_sync_limit_slot_acquire(
    ngx_http_sync_ctx_t *ctx, ngx_sync_store_t *store,
    ngx_http_sync_limit_place_t *place);
void ngx_http_sync_limit_slot_leave(ngx_http_sync_limit_slot_t *slot);


/*
 * The count of a quota in the day or month that it is now: a bucket of its own
 * in each, named by the label.  *window: its length in seconds.
 */
void ngx_http_sync_limit_quota(uint32_t quota, sync_zone_unit_e unit,
    const sync_zone_t *zone, sync_gcra_t *gcra, uint32_t *label,
    ngx_uint_t *window);

/* A zone by its name, read once in each worker.  NULL: UTC, or none such, which
   the log says. */
const sync_zone_t *ngx_http_sync_limit_zone(ngx_log_t *log,
    sync_str_t name);
ngx_int_t ngx_http_sync_limit_quota_init(ngx_cycle_t *cycle);


/*
 * Spends what the group takes from what this worker has leased.  NGX_OK:
 * *result and the answers are set; NGX_AGAIN: the waiter's context is woken,
 * ask again; NGX_DECLINED: this worker leases as much as it may, take exactly.
 * cancel() before the waiter goes.
 */
ngx_int_t ngx_http_sync_limit_lease_take(ngx_http_sync_limit_group_t *g,
    ngx_http_sync_limit_waiter_t *w, ngx_sync_result_e *result);
void ngx_http_sync_limit_lease_cancel(ngx_http_sync_limit_waiter_t *w);
void ngx_http_sync_limit_lease_refund(ngx_http_sync_limit_group_t *g);
void ngx_http_sync_limit_lease_init(void);


/*
 * Among how many nodes a limit is divided that this one must keep alone: the
 * larger of nodes= and what was last seen; 0: neither is known.
 */
ngx_uint_t ngx_http_sync_limit_nodes(const ngx_http_sync_limit_t *limit);
ngx_int_t ngx_http_sync_limit_nodes_init(ngx_cycle_t *cycle);


/*
 * Is anyone of the request under a penalty?  NGX_OK: no, and *marks has what
 * its answer may be counted for; a status; NGX_ERROR.  marks() counts it, once
 * the answer has gone out.
 */
ngx_int_t ngx_http_sync_limit_penalties(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, ngx_uint_t client,
    ngx_http_sync_limit_mark_t **marks);
ngx_int_t ngx_http_sync_limit_plan_penalty(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, ngx_http_sync_limit_group_t *g, uint32_t plan,
    ngx_http_sync_limit_mark_t **marks);
void ngx_http_sync_limit_marks(ngx_http_request_t *r,
    ngx_http_sync_limit_mark_t *mark);


/* id and the value of a key, in r->pool; NGX_DECLINED: it is empty. */
ngx_int_t ngx_http_sync_limit_key(ngx_http_request_t *r,
    ngx_http_complex_value_t *cv, ngx_uint_t address, const u_char *id,
    ngx_str_t *key);


/* The directives, and what they share. */
char *ngx_http_sync_limit(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_sync_penalty(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_sync_limit_name_ok(ngx_conf_t *cf, const char *directive,
    ngx_str_t *name);
char *ngx_http_sync_limit_key_value(ngx_conf_t *cf, ngx_str_t *key,
    ngx_http_complex_value_t **cv, ngx_uint_t *address);
/* Is it a key that comes with the proof? */
ngx_uint_t ngx_http_sync_limit_late(ngx_str_t *key);


extern const ngx_http_sync_step_t  ngx_http_sync_limit_edge_step;
extern const ngx_http_sync_step_t  ngx_http_sync_limit_step;

extern ngx_module_t  ngx_http_sync_limit_module;


#endif /* NGX_HTTP_SYNC_LIMIT_H_INCLUDED_ */
