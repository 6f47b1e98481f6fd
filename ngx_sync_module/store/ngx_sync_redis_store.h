
/*
 * The store in Redis, as its parts see each other.
 *
 * Names of keys; what stands between { and } decides the slot of a cluster:
 *
 *     sync:{TENANT:B}r:NAME      a record of idempotency; NAME in hex
 *     sync:{TENANT:B}due         names by the end of their lease: those that
 *                                say how to resolve them
 *     sync:{w}places             TENANT:B by the first time in its due
 *     sync:{TENANT}keys  bytes   the account of a tenant with caps; in a
 *                                cluster one for each {TENANT:B}
 *     sync:{l:G}l:KEY            a limit; G is the CRC-32 of its group
 *     sync:{l:G}g:NONCE          tokens that were leased from it
 *     sync:{l:G}s:KEY            slots by their holders; the key is the group
 *     sync:{m:I}                 a mark: were the data lost?
 *     sync:{t:KEY}  sync:{c:KEY} what was seen; what is cached
 */


#ifndef NGX_SYNC_REDIS_STORE_H_INCLUDED_
#define NGX_SYNC_REDIS_STORE_H_INCLUDED_


#include "ngx_sync_store.h"
#include "ngx_sync_store_type.h"
#include "ngx_sync_redis.h"
#include "ngx_sync_redis_marks.h"


#define NGX_SYNC_REDIS_BUCKETS    16     /* slots a tenant may spread over */


typedef enum {
    NGX_SYNC_REDIS_CLAIM = 0,
    NGX_SYNC_REDIS_EXTEND,
    NGX_SYNC_REDIS_SETTLE,
    NGX_SYNC_REDIS_RELEASE,
    NGX_SYNC_REDIS_RESOLVE,
    NGX_SYNC_REDIS_LOOK,
    NGX_SYNC_REDIS_DUE,
    NGX_SYNC_REDIS_SWEEP,
    NGX_SYNC_REDIS_LIMIT_TAKE,
    NGX_SYNC_REDIS_LIMIT_REFUND,
    NGX_SYNC_REDIS_LEASE_TAKE,
    NGX_SYNC_REDIS_LEASE_RETURN,
    NGX_SYNC_REDIS_SLOT_ACQUIRE,
    NGX_SYNC_REDIS_SLOT_RELEASE,
    NGX_SYNC_REDIS_SCRIPTS
} ngx_sync_redis_script_e;


/* Where notes were left: "TENANT:B". */

#define NGX_SYNC_REDIS_PLACE_MAX  144
#define NGX_SYNC_REDIS_TAKEN      16     /* places, in one turn */
#define NGX_SYNC_REDIS_TOLD       16

typedef struct {
    size_t                   len;        /* 0: none */
    ngx_msec_t               until;      /* ngx_current_msec: the first lease
                                            to end, if untold */
    unsigned                 untold:1;   /* Redis does not know of it */
    u_char                   name[NGX_SYNC_REDIS_PLACE_MAX];
} ngx_sync_redis_place_t;


/* A worker's turns to visit what is due. */

typedef struct {
    ngx_event_t              event;      /* the next turn */
    ngx_sync_op_t            op;
    ngx_sync_store_t        *st;

    ngx_sync_redis_place_t  *places;     /* by their hash, or NULL */
    ngx_uint_t               asked;      /* where due() goes on in them */

    ngx_uint_t               told[NGX_SYNC_REDIS_TOLD];
    ngx_uint_t               ntold;      /* of this turn */

    int64_t                  until;      /* of the taking; Redis' clock */
    ngx_uint_t               ntaken;
    ngx_uint_t               nvisited;
    ngx_sync_due_t           due;        /* at the one that is visited */

    struct {
        ngx_str_t            place;
        int64_t              next;
        u_char               name[NGX_SYNC_REDIS_PLACE_MAX];
    } taken[NGX_SYNC_REDIS_TAKEN];

    unsigned                 used:1;     /* the store keeps records */
    unsigned                 more:1;     /* are to be told */
    unsigned                 down:1;
} ngx_sync_redis_sweep_t;


typedef struct {
    ngx_sync_redis_t         redis;
    ngx_sync_redis_marks_t   marks;
    time_t                   logged;     /* an error, at most one a second */

    ngx_sync_redis_sweep_t   sweep;
} ngx_sync_redis_store_t;


/*
 * The arguments of one command.  Numbers and names stand in buf, whose size is
 * that of the longest: a group of limits.
 */

#define NGX_SYNC_REDIS_ARGS      (8 * NGX_SYNC_LIMITS_MAX)
#define NGX_SYNC_REDIS_KEY_MAX   128     /* one longer stands as its digest */

typedef struct {
    ngx_str_t                args[NGX_SYNC_REDIS_ARGS];
    ngx_uint_t               n;
    u_char                  *p;
    u_char                   buf[8192];
} ngx_sync_redis_args_t;


/* An operation that waits, in the cell of its command. */

typedef struct ngx_sync_redis_waiter_s  ngx_sync_redis_waiter_t;

typedef ngx_sync_result_e (*ngx_sync_redis_parse_pt)(ngx_sync_op_t *op,
    ngx_sync_redis_waiter_t *w, ngx_sync_redis_reply_t *reply);

struct ngx_sync_redis_waiter_s {
    ngx_sync_store_t         *st;
    ngx_sync_op_t            *op;
    void                     *params;
    ngx_sync_redis_parse_pt   parse;     /* no error; fills params */
    ngx_msec_t                start;
};


extern const ngx_sync_store_type_t   ngx_sync_redis_types[];
extern ngx_sync_redis_script_t       ngx_sync_redis_scripts[];


#define ngx_sync_redis_store(st)  ((ngx_sync_redis_store_t *) (st)->data)

#define ngx_sync_redis_args_init(a)                                           \
    (a)->n = 0;                                                               \
    (a)->p = (a)->buf

/* What add() is given is not copied. */
void ngx_sync_redis_add(ngx_sync_redis_args_t *a, u_char *data, size_t len);
void ngx_sync_redis_add_number(ngx_sync_redis_args_t *a, int64_t n);

#define ngx_sync_redis_add_literal(a, text)                                   \
    ngx_sync_redis_add(a, (u_char *) text, sizeof(text) - 1)

/* The part of a key that Redis takes for the slot. */
ngx_str_t ngx_sync_redis_tag(u_char *p, size_t len);

/*
 * Sends the call of a script, or a plain command where script is NULL.  again:
 * it may run twice.  Returns as the operations of a store do.
 */
ngx_int_t ngx_sync_redis_run(ngx_sync_store_t *st, ngx_sync_op_t *op,
    ngx_sync_redis_script_t *script, ngx_str_t *tag, ngx_sync_redis_args_t *a,
    ngx_uint_t nkeys, void *params, ngx_sync_redis_parse_pt parse,
    ngx_uint_t again);

/* Takes back what may have been done, or will be: nobody waits for it, and it
   waits for a server until its time is up. */
void ngx_sync_redis_undo(ngx_sync_store_t *st, ngx_sync_redis_script_t *script,
    ngx_str_t *tag, ngx_sync_redis_args_t *a, ngx_uint_t nkeys,
    ngx_msec_t timeout);

/* Any answer is OK; an integer is OK, or NO where it is 0. */
ngx_sync_result_e ngx_sync_redis_done_parse(ngx_sync_op_t *op,
    ngx_sync_redis_waiter_t *w, ngx_sync_redis_reply_t *reply);
ngx_sync_result_e ngx_sync_redis_yes_parse(ngx_sync_op_t *op,
    ngx_sync_redis_waiter_t *w, ngx_sync_redis_reply_t *reply);

static ngx_inline ngx_int_t
ngx_sync_redis_now(ngx_sync_op_t *op, ngx_sync_result_e result)
{
    op->cell = NULL;
    op->result = result;

    return NGX_OK;
}


/* ngx_sync_redis_records.c */

ngx_int_t ngx_sync_redis_claim(ngx_sync_store_t *st, ngx_sync_op_t *op,
    ngx_sync_claim_t *c);
ngx_int_t ngx_sync_redis_extend(ngx_sync_store_t *st, ngx_sync_op_t *op,
    ngx_sync_hold_t *h);
ngx_int_t ngx_sync_redis_settle(ngx_sync_store_t *st, ngx_sync_op_t *op,
    ngx_sync_hold_t *h);
ngx_int_t ngx_sync_redis_release(ngx_sync_store_t *st, ngx_sync_op_t *op,
    ngx_sync_hold_t *h);
ngx_int_t ngx_sync_redis_resolve_begin(ngx_sync_store_t *st,
    ngx_sync_op_t *op, ngx_sync_hold_t *h);
ngx_int_t ngx_sync_redis_resolve_end(ngx_sync_store_t *st, ngx_sync_op_t *op,
    ngx_sync_hold_t *h);
ngx_int_t ngx_sync_redis_look_at(ngx_sync_store_t *st, ngx_sync_op_t *op,
    ngx_sync_look_t *l);
/* The claim may have been granted, and nobody knows of it. */
void ngx_sync_redis_unclaim(ngx_sync_store_t *st, ngx_sync_claim_t *c);


/* ngx_sync_redis_sweep.c */

/* In a worker, when it begins and before its topology ends. */
void ngx_sync_redis_sweep_init(ngx_cycle_t *cycle, ngx_sync_store_t *st);
void ngx_sync_redis_sweep_exit(ngx_sync_store_t *st);

/* A note is left with a lease; a: the keys of its record. */
void ngx_sync_redis_noted(ngx_sync_store_t *st, ngx_sync_redis_args_t *a,
    ngx_msec_t lease, ngx_log_t *log);

ngx_int_t ngx_sync_redis_due(ngx_sync_store_t *st, ngx_sync_op_t *op,
    ngx_sync_due_t *d);


/* ngx_sync_redis_limits.c */

ngx_int_t ngx_sync_redis_limit_take(ngx_sync_store_t *st, ngx_sync_op_t *op,
    ngx_sync_limit_t *l);
ngx_int_t ngx_sync_redis_limit_refund(ngx_sync_store_t *st,
    ngx_sync_op_t *op, ngx_sync_limit_t *l);
ngx_int_t ngx_sync_redis_lease_take(ngx_sync_store_t *st, ngx_sync_op_t *op,
    ngx_sync_lease_t *l);
ngx_int_t ngx_sync_redis_lease_return(ngx_sync_store_t *st,
    ngx_sync_op_t *op, ngx_sync_lease_t *l);
ngx_int_t ngx_sync_redis_slot_acquire(ngx_sync_store_t *st,
    ngx_sync_op_t *op, ngx_sync_slot_t *s);
ngx_int_t ngx_sync_redis_slot_release(ngx_sync_store_t *st,
    ngx_sync_op_t *op, ngx_sync_slot_t *s);


#endif /* NGX_SYNC_REDIS_STORE_H_INCLUDED_ */
