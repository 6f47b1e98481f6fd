
/*
 * The store in shared memory, as its parts see each other.  Every operation
 * answers at once.
 */


#ifndef NGX_SYNC_SHM_H_INCLUDED_
#define NGX_SYNC_SHM_H_INCLUDED_


#include "ngx_sync_store.h"
#include "ngx_sync_store_type.h"
#include "ngx_sync_shm_blocks.h"


#define NGX_SYNC_SHM_ZONES    3          /* limits, records, tokens */

#define NGX_SYNC_SHM_SLICE    64         /* entries swept in one lock */


/* Kinds of heads; part of the layout of the zones. */

enum {
    NGX_SYNC_SHM_BUCKET = 1,             /* limits: a rate */
    NGX_SYNC_SHM_GRANT,                  /* tokens that were leased */
    NGX_SYNC_SHM_COUNT,                  /* holders of a slot, */
    NGX_SYNC_SHM_HOLDER,                 /* and each of them */

    NGX_SYNC_SHM_RECORD,                 /* records: a claimed key */
    NGX_SYNC_SHM_ACCOUNT,                /* what a tenant uses */

    NGX_SYNC_SHM_SEEN,                   /* tokens */
    NGX_SYNC_SHM_CACHE
};


typedef struct {
    ngx_sync_blocks_t   *zones[NGX_SYNC_SHM_ZONES];    /* NULL: not in use */
} ngx_sync_shm_t;


/*
 * Bytes leave a zone under the lock and the pool gives memory outside of it.
 * What is short goes by way of the stack; for the rest the operation, which
 * has changed nothing then, is done again with enough room.
 */

typedef struct {
    u_char              *data;
    size_t               size;
    size_t               need;           /* over size: again */
    u_char               small[4096];
} ngx_sync_shm_out_t;


extern ngx_module_t                  ngx_http_sync_store_module;

extern const ngx_sync_store_type_t   ngx_sync_shm_type;
extern const ngx_sync_store_ops_t    ngx_sync_shm_ops;


/* The one of this configuration. */
ngx_sync_shm_t *ngx_sync_shm_conf(ngx_conf_t *cf);

ngx_int_t ngx_sync_shm_init_process(ngx_cycle_t *cycle, ngx_sync_shm_t *shm);
void ngx_sync_shm_state(ngx_sync_shm_t *shm, ngx_sync_zone_e kind,
    ngx_sync_zone_state_t *state);

#define ngx_sync_shm_zone(st, kind)                                           \
    (((ngx_sync_shm_t *) (st)->data)->zones[kind])

#define ngx_sync_shm_out_init(out)                                            \
    (out)->data = (out)->small;                                               \
    (out)->size = sizeof((out)->small);                                       \
    (out)->need = 0

/* NGX_OK: go on; NGX_AGAIN: do it again; NGX_ERROR: no memory. */
ngx_int_t ngx_sync_shm_out_again(ngx_sync_shm_out_t *out, ngx_pool_t *pool);

/* Moves a string that lies in out to the pool. */
ngx_int_t ngx_sync_shm_out_keep(ngx_sync_shm_out_t *out, ngx_pool_t *pool,
    ngx_str_t *s);

static ngx_inline ngx_int_t
ngx_sync_shm_answer(ngx_sync_op_t *op, ngx_sync_result_e result)
{
    op->cell = NULL;
    op->result = result;

    return NGX_OK;
}


/* ngx_sync_shm_limits.c */

void ngx_sync_shm_limits_due(ngx_sync_blocks_t *b, ngx_sync_block_t *block,
    int64_t now, void *data);
void ngx_sync_shm_limits_rebuilt(ngx_sync_blocks_t *b);

ngx_int_t ngx_sync_shm_limit_take(ngx_sync_store_t *st, ngx_sync_op_t *op,
    ngx_sync_limit_t *l);
ngx_int_t ngx_sync_shm_limit_refund(ngx_sync_store_t *st, ngx_sync_op_t *op,
    ngx_sync_limit_t *l);
ngx_int_t ngx_sync_shm_lease_take(ngx_sync_store_t *st, ngx_sync_op_t *op,
    ngx_sync_lease_t *l);
ngx_int_t ngx_sync_shm_lease_return(ngx_sync_store_t *st, ngx_sync_op_t *op,
    ngx_sync_lease_t *l);
ngx_int_t ngx_sync_shm_slot_acquire(ngx_sync_store_t *st, ngx_sync_op_t *op,
    ngx_sync_slot_t *s);
ngx_int_t ngx_sync_shm_slot_release(ngx_sync_store_t *st, ngx_sync_op_t *op,
    ngx_sync_slot_t *s);


/* ngx_sync_shm_records.c */

void ngx_sync_shm_records_due(ngx_sync_blocks_t *b, ngx_sync_block_t *block,
    int64_t now, void *data);
void ngx_sync_shm_records_rebuilt(ngx_sync_blocks_t *b);
void ngx_sync_shm_records_torn(ngx_sync_blocks_t *b, ngx_sync_block_t *block);

ngx_int_t ngx_sync_shm_claim(ngx_sync_store_t *st, ngx_sync_op_t *op,
    ngx_sync_claim_t *c);
ngx_int_t ngx_sync_shm_extend(ngx_sync_store_t *st, ngx_sync_op_t *op,
    ngx_sync_hold_t *h);
ngx_int_t ngx_sync_shm_settle(ngx_sync_store_t *st, ngx_sync_op_t *op,
    ngx_sync_hold_t *h);
ngx_int_t ngx_sync_shm_release(ngx_sync_store_t *st, ngx_sync_op_t *op,
    ngx_sync_hold_t *h);
ngx_int_t ngx_sync_shm_resolve_begin(ngx_sync_store_t *st, ngx_sync_op_t *op,
    ngx_sync_hold_t *h);
ngx_int_t ngx_sync_shm_resolve_end(ngx_sync_store_t *st, ngx_sync_op_t *op,
    ngx_sync_hold_t *h);
ngx_int_t ngx_sync_shm_look(ngx_sync_store_t *st, ngx_sync_op_t *op,
    ngx_sync_look_t *l);
ngx_int_t ngx_sync_shm_due(ngx_sync_store_t *st, ngx_sync_op_t *op,
    ngx_sync_due_t *d);


/* ngx_sync_shm_tokens.c */

void ngx_sync_shm_tokens_due(ngx_sync_blocks_t *b, ngx_sync_block_t *block,
    int64_t now, void *data);

void ngx_sync_shm_tokens_torn(ngx_sync_blocks_t *b, ngx_sync_block_t *block);

ngx_int_t ngx_sync_shm_seen(ngx_sync_store_t *st, ngx_sync_op_t *op,
    ngx_sync_seen_t *s);
ngx_int_t ngx_sync_shm_cache_get(ngx_sync_store_t *st, ngx_sync_op_t *op,
    ngx_sync_cache_t *c);
ngx_int_t ngx_sync_shm_cache_put(ngx_sync_store_t *st, ngx_sync_op_t *op,
    ngx_sync_cache_t *c);


#endif /* NGX_SYNC_SHM_H_INCLUDED_ */
