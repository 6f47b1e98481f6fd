
/*
 * The store: where the state lives that outlasts a request.  One interface,
 * written whole; shared memory behind it on one node, Redis on any number.
 *
 * Every operation is asynchronous and has a deadline.  A call fills op->result
 * and returns NGX_OK when the answer is there at once (handler is not called),
 * or returns NGX_AGAIN and calls op->handler exactly once later, from the
 * event loop, never from within the call.  There is no other return value: a
 * store that cannot answer says so in the result (NGX_SYNC_STORE_DOWN).
 *
 * The caller owns op and the parameter structure; both, and every string in
 * them, must live until the answer or ngx_sync_store_cancel().  What an answer
 * brings (records, notes) is allocated from op->pool.
 *
 * One operation is one critical section or one script; all its keys share a
 * slot.  Times are wall-clock milliseconds of the store's own clock unless a
 * name says otherwise; lengths of time are milliseconds.
 */


#ifndef NGX_SYNC_STORE_H_INCLUDED_
#define NGX_SYNC_STORE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "sync_gcra.h"


#define NGX_SYNC_OWNER_LEN   16      /* 128 random bits per claim */
#define NGX_SYNC_NAME_LEN    32      /* HMAC-SHA256 of what names a key */
#define NGX_SYNC_PRINT_LEN   32      /* SHA-256 of what was asked */
#define NGX_SYNC_NOTE_MAX    512
#define NGX_SYNC_RECORD_MAX  (1024 * 1024)   /* what is longer is trimmed */
#define NGX_SYNC_TRIMMED_MAX 768     /* for this much there is always room */
#define NGX_SYNC_LIMITS_MAX  16      /* items of a group */


typedef struct ngx_sync_store_s  ngx_sync_store_t;
typedef struct ngx_sync_op_s     ngx_sync_op_t;

typedef void (*ngx_sync_op_handler_pt)(ngx_sync_op_t *op);


typedef enum {
    NGX_SYNC_STORE_OK = 0,       /* allowed, granted, first, found, done */
    NGX_SYNC_STORE_NO,           /* refused, seen again, none, not yours */
    NGX_SYNC_STORE_BUSY,         /* somebody else's lease is alive */
    NGX_SYNC_STORE_DONE,         /* a record answers: state C or T */
    NGX_SYNC_STORE_MISMATCH,     /* the key was used with another print */
    NGX_SYNC_STORE_UNKNOWN,      /* state U: nobody knows how it ended */
    NGX_SYNC_STORE_QUEUED,       /* state Q */
    NGX_SYNC_STORE_FENCED,       /* the claim is no longer this owner's */
    NGX_SYNC_STORE_FULL,         /* no room, or the tenant's cap is reached */
    NGX_SYNC_STORE_DOWN          /* no answer: it may or may not have run */
} ngx_sync_result_e;


/* States of a record of idempotency. */

typedef enum {
    NGX_SYNC_STATE_NONE = 0,
    NGX_SYNC_STATE_PROGRESS = 'P',
    NGX_SYNC_STATE_UNKNOWN  = 'U',
    NGX_SYNC_STATE_COMPLETE = 'C',
    NGX_SYNC_STATE_TRIMMED  = 'T',   /* complete, the body was not kept */
    NGX_SYNC_STATE_QUEUED   = 'Q'
} ngx_sync_state_e;


struct ngx_sync_op_s {
    ngx_sync_op_handler_pt   handler;    /* records and posts; frees nothing */
    void                    *data;       /* the caller's */
    ngx_log_t               *log;
    ngx_pool_t              *pool;
    ngx_msec_t               timeout;    /* 0: the store's own */

    ngx_sync_result_e        result;

    void                    *cell;       /* the store's; NULL: not waiting */
};


/* ---- limits ---- */

typedef struct {
    ngx_str_t                key;        /* at most 128 bytes */
    const sync_gcra_t       *gcra;
} ngx_sync_limit_item_t;


/*
 * A group is all or nothing: every item allows, or none is charged.  Result:
 * OK | NO | FULL | DOWN.  On NO, refused is the index of the item with the
 * longest wait.  answers[] are filled for each item on OK and NO.  The group
 * places keys, it does not name them: a key names one limit by itself.  An item
 * is a bucket, or where gcra->window is set a count until a window is over
 * (sync_gcra_count()); a group may have both.
 */

typedef struct {
    ngx_str_t                group;      /* hash tag of the group's keys */
    ngx_sync_limit_item_t   *items;
    ngx_uint_t               n;
    uint64_t                 cost;

    ngx_uint_t               refused;
    sync_gcra_answer_t      *answers;    /* n of them, the caller's */
} ngx_sync_limit_t;


/*
 * A lease of tokens from one limit, to be spent locally.  until: monotonic
 * milliseconds of this node (ngx_current_msec), counted from before the call
 * was sent.  Never retried blindly: the nonce tells a repeated call.
 * Result: OK (tokens may be fewer than wanted) | NO | FULL | DOWN.
 */

typedef struct {
    ngx_str_t                group;      /* as where the key is taken from */
    ngx_str_t                key;
    const sync_gcra_t       *gcra;
    uint64_t                 wanted;
    ngx_msec_t               lease;
    u_char                   nonce[NGX_SYNC_OWNER_LEN];

    uint64_t                 tokens;
    ngx_msec_t               until;
} ngx_sync_lease_t;


/* A slot of a concurrency limit.  Result: OK | NO | FULL | DOWN. */

typedef struct {
    ngx_str_t                key;
    ngx_uint_t               limit;
    u_char                   owner[NGX_SYNC_OWNER_LEN];
    ngx_msec_t               lease;
} ngx_sync_slot_t;


/* ---- idempotency ---- */

/*
 * Names a record.  tenant is the immutable tenant id ("" without tenants): it
 * selects the slot, together with bucket (SHA-256 of the client's key mod 16),
 * and the account of the caps.  previous: the name under the previous
 * sync_secret; a claim looks under both.
 */

typedef struct {
    ngx_str_t                tenant;
    ngx_uint_t               bucket;
    u_char                   name[NGX_SYNC_NAME_LEN];
    u_char                   previous[NGX_SYNC_NAME_LEN];
    unsigned                 has_previous:1;
} ngx_sync_key_t;


/* What a store knows of a key. */

typedef struct {
    ngx_sync_state_e         state;
    uint64_t                 epoch;
    int64_t                  created;    /* Unix milliseconds */
    int64_t                  changed;
    int64_t                  until;      /* end of the lease */
    int64_t                  expires;    /* end of the retention */
    ngx_str_t                note;       /* opaque to the store */
    ngx_str_t                record;     /* opaque: the kept answer */
} ngx_sync_entry_t;


/*
 * claim -> OK: granted, entry.epoch is new, idempotent by owner: claiming again
 *              as the same owner answers OK with the same epoch;
 *          BUSY: entry.until tells how long, the print is the same;
 *          DONE: entry.record; UNKNOWN: entry.note; QUEUED; MISMATCH;
 *          FULL; DOWN.
 * A P whose lease is over becomes U in the same step.  A granted claim whose
 * answer comes after ngx_sync_store_cancel() or after the timeout is released
 * by the store itself, by owner.
 */

typedef struct {
    ngx_sync_key_t           key;
    u_char                   owner[NGX_SYNC_OWNER_LEN];
    u_char                   print[NGX_SYNC_PRINT_LEN];
    ngx_msec_t               lease;
    ngx_msec_t               retention;  /* at least the lease */
    ngx_uint_t               max_keys;   /* live keys of the tenant; 0: any */
    size_t                   max_bytes;  /* kept bytes of it; 0: any */

    ngx_sync_entry_t         entry;
} ngx_sync_claim_t;


/*
 * What the owner of a claim does with it.
 *
 * extend:  lease counts from now; a note, if there is one, replaces the note.
 *          The note says how to resolve the key should it become U (connector,
 *          map version, downstream key): it leaves before the first byte goes
 *          upstream.  OK | FENCED | FULL (the note did not fit) | DOWN
 * settle:  outcome is C, T, U or Q; the record is kept for retention (0: as
 *          claimed).  Where it does not fit, and for T, trimmed is kept (record
 *          if trimmed is empty) and C is T; kept tells which state stands.
 *          Idempotent by owner and epoch.
 *          OK | FENCED (entry: what stands instead, with its record; state
 *          NONE: nothing does) | FULL (Q that does not fit) | DOWN
 * release: the key is free again.  Idempotent by owner; an epoch of 0 is any.
 *          OK | FENCED | DOWN
 *
 * A claim that became U still takes its own settle and release, which know
 * better, until a resolver has begun; extend is FENCED.
 *
 * resolve_begin: one resolver at a time takes a U.  Uses key, owner (the
 *          resolver) and lease.  OK: the record is P again, owned by the
 *          resolver, epoch risen, note in entry; BUSY: somebody resolves;
 *          DONE; QUEUED; NO: no such key, or free again; DOWN.  Idempotent by
 *          resolver
 * resolve_end: settle by the resolver; outcome C, T, U (gave up) or NONE: the
 *          key is released.  OK | FENCED | DOWN
 */

typedef struct {
    ngx_sync_key_t           key;
    u_char                   owner[NGX_SYNC_OWNER_LEN];
    uint64_t                 epoch;
    ngx_msec_t               lease;
    ngx_msec_t               retention;
    ngx_str_t                note;
    ngx_sync_state_e         outcome;
    ngx_str_t                record;
    ngx_str_t                trimmed;

    ngx_sync_state_e         kept;
    ngx_sync_entry_t         entry;
} ngx_sync_hold_t;


/* look -> OK: entry (state, times, note, record) | NO | DOWN.  Changes
   nothing but P to U where the lease is over. */

typedef struct {
    ngx_sync_key_t           key;
    ngx_sync_entry_t         entry;
} ngx_sync_look_t;


/*
 * due -> OK: up to n records that need a hand are visited; P whose lease is
 * over becomes U here, records past their retention are freed.
 */

typedef struct {
    ngx_uint_t               n;

    ngx_uint_t               unknown;    /* P that became U */
    ngx_uint_t               expired;    /* freed */
    ngx_uint_t               more;       /* set: call again soon */
} ngx_sync_due_t;


/* ---- seen and cache ---- */

/* seen -> OK: first time | NO: again | FULL | DOWN */

typedef struct {
    ngx_str_t                key;
    ngx_msec_t               ttl;
} ngx_sync_seen_t;


/* cache_get -> OK: value in op->pool | NO.  cache_put -> OK | FULL | DOWN; may
   evict other cache entries, never anything else. */

typedef struct {
    ngx_str_t                key;        /* at most 64 bytes, compared whole */
    ngx_str_t                value;
    ngx_msec_t               ttl;
} ngx_sync_cache_t;


/* ---- the table a store fills ---- */

typedef struct {
    ngx_str_t                name;       /* "shm", "redis" */

    ngx_int_t              (*limit_take)(ngx_sync_store_t *st,
                                 ngx_sync_op_t *op, ngx_sync_limit_t *l);
    ngx_int_t              (*limit_refund)(ngx_sync_store_t *st,
                                 ngx_sync_op_t *op, ngx_sync_limit_t *l);
    ngx_int_t              (*lease_take)(ngx_sync_store_t *st,
                                 ngx_sync_op_t *op, ngx_sync_lease_t *l);
    ngx_int_t              (*lease_return)(ngx_sync_store_t *st,
                                 ngx_sync_op_t *op, ngx_sync_lease_t *l);
    ngx_int_t              (*slot_acquire)(ngx_sync_store_t *st,
                                 ngx_sync_op_t *op, ngx_sync_slot_t *s);
    ngx_int_t              (*slot_release)(ngx_sync_store_t *st,
                                 ngx_sync_op_t *op, ngx_sync_slot_t *s);

    ngx_int_t              (*claim)(ngx_sync_store_t *st,
                                 ngx_sync_op_t *op, ngx_sync_claim_t *c);
    ngx_int_t              (*extend)(ngx_sync_store_t *st,
                                 ngx_sync_op_t *op, ngx_sync_hold_t *h);
    ngx_int_t              (*settle)(ngx_sync_store_t *st,
                                 ngx_sync_op_t *op, ngx_sync_hold_t *h);
    ngx_int_t              (*release)(ngx_sync_store_t *st,
                                 ngx_sync_op_t *op, ngx_sync_hold_t *h);
    ngx_int_t              (*resolve_begin)(ngx_sync_store_t *st,
                                 ngx_sync_op_t *op, ngx_sync_hold_t *h);
    ngx_int_t              (*resolve_end)(ngx_sync_store_t *st,
                                 ngx_sync_op_t *op, ngx_sync_hold_t *h);
    ngx_int_t              (*look)(ngx_sync_store_t *st,
                                 ngx_sync_op_t *op, ngx_sync_look_t *l);
    ngx_int_t              (*due)(ngx_sync_store_t *st,
                                 ngx_sync_op_t *op, ngx_sync_due_t *d);

    ngx_int_t              (*seen)(ngx_sync_store_t *st,
                                 ngx_sync_op_t *op, ngx_sync_seen_t *s);
    ngx_int_t              (*cache_get)(ngx_sync_store_t *st,
                                 ngx_sync_op_t *op, ngx_sync_cache_t *c);
    ngx_int_t              (*cache_put)(ngx_sync_store_t *st,
                                 ngx_sync_op_t *op, ngx_sync_cache_t *c);

    /* Withdraws a waiting operation; the handler is not called any more. */
    void                   (*cancel)(ngx_sync_store_t *st, ngx_sync_op_t *op);
} ngx_sync_store_ops_t;


struct ngx_sync_store_s {
    const ngx_sync_store_ops_t  *ops;
    void                        *data;       /* the store's own */
    ngx_str_t                    label;      /* name=, "default" */
    ngx_msec_t                   timeout;    /* deadline of an operation */
    ngx_sync_store_t            *next;       /* of the named ones, or NULL */
};


/* A call reads st->ops->claim(st, op, &claim). */

#define ngx_sync_store_cancel(st, op)                                         \
    do {                                                                      \
        if ((op)->cell != NULL) {                                             \
            (st)->ops->cancel(st, op);                                        \
        }                                                                     \
    } while (0)


/*
 * The configured stores.  get: what sync_store names, or shared memory; local:
 * always the shared memory of this node.  Called at load time, from a merge
 * handler or postconfiguration; the zone of that kind is then created.
 * NULL: failed, and logged.
 */

typedef enum {
    NGX_SYNC_ZONE_LIMITS = 0,
    NGX_SYNC_ZONE_RECORDS,
    NGX_SYNC_ZONE_TOKENS,            /* seen and cache */
    NGX_SYNC_ZONE_KEYS,              /* from here on not the store's: only */
    NGX_SYNC_ZONE_METRICS,           /* their sizes are set by sync_zone */
    NGX_SYNC_ZONE_KINDS
} ngx_sync_zone_e;

ngx_sync_store_t *ngx_sync_store_get(ngx_conf_t *cf, ngx_sync_zone_e kind);
ngx_sync_store_t *ngx_sync_store_local(ngx_conf_t *cf, ngx_sync_zone_e kind);

/*
 * Of the stores that get() returned, the one of this name=; get()'s own where
 * the name is empty or there is only one.  NULL: there is none of that name.
 */
ngx_sync_store_t *ngx_sync_store_at(ngx_sync_store_t *st, u_char *name,
    size_t len);

/* What sync_zone says, or the default: bytes.  Called when get() may be. */
size_t ngx_sync_zone_size(ngx_conf_t *cf, ngx_sync_zone_e kind);


/* How full a zone is, for sync_status.  NGX_DECLINED: not in use. */

typedef struct {
    ngx_str_t                name;
    size_t                   size;       /* bytes */
    size_t                   free;       /* bytes */
    ngx_uint_t               entries;
    ngx_uint_t               refused;    /* for lack of room, ever */
    ngx_uint_t               rebuilt;    /* after a worker died inside, ever */
} ngx_sync_zone_state_t;

ngx_int_t ngx_sync_store_zone_state(ngx_cycle_t *cycle, ngx_sync_zone_e kind,
    ngx_sync_zone_state_t *state);


/* The breaker of store number n, for sync_status.  NGX_DECLINED: no such. */

typedef struct {
    ngx_str_t                label;      /* of the store */
    ngx_uint_t               open;
    ngx_uint_t               opened;     /* ever */
    ngx_uint_t               refused;    /* operations, while it was open */
    ngx_uint_t               missed;     /* deadlines */
} ngx_sync_breaker_state_t;

ngx_int_t ngx_sync_store_breaker_state(ngx_cycle_t *cycle, ngx_uint_t n,
    ngx_sync_breaker_state_t *state);


#endif /* NGX_SYNC_STORE_H_INCLUDED_ */
