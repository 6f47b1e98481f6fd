
/*
 * A map while it runs: what sync_map_run.c and sync_map_ext.c share.
 */


#ifndef SYNC_MAP_RUN_H_INCLUDED_
#define SYNC_MAP_RUN_H_INCLUDED_


#include "sync_map_rules.h"


typedef struct {
    const sync_json_t       *json;
    const sync_map_run_t    *run;
    sync_arena_t            *arena;
    sync_faults_t           *faults;
    sync_json_out_t          out;
    uint64_t                 work;
    uint8_t                  update;
    uint8_t                  spent;  /* no work is left */
    uint8_t                  nomem;
} sync_map_ctx_t;


typedef struct {
    const sync_map_scope_t  *scope;
    uint32_t                 node;
    uint32_t                *slots;
    uint8_t                  unmapped;
} sync_map_frame_t;


/* The objects of x-ext that are spread into one object of the target. */

typedef struct {
    uint32_t                 nodes[SYNC_MAP_SPREAD_MAX];
    uint32_t                 count;
} sync_map_ext_t;


static inline void
sync_map_charge(sync_map_ctx_t *ctx, uint64_t work)
{
    if (ctx->work < work) {
        ctx->work = 0;
        ctx->spent = 1;
        return;
    }

    ctx->work -= work;
}


/* A key with its quotes and its colon; the empty one is the root's. */

static inline void
sync_map_key(sync_map_ctx_t *ctx, sync_str_t key)
{
    if (key.len) {
        sync_json_value(&ctx->out, key);
        ctx->out.comma = 0;
    }
}


static inline size_t
sync_map_mark(const sync_map_ctx_t *ctx, uint8_t *comma)
{
    *comma = ctx->out.comma;

    return (size_t) (ctx->out.pos - ctx->out.start);
}


/* Takes back what was written for an object that stayed empty. */

static inline void
sync_map_back(sync_map_ctx_t *ctx, size_t mark, uint8_t comma)
{
    ctx->out.pos = ctx->out.start + mark;
    ctx->out.comma = comma;
}


/* sync_map_ext.c */

/* Copies what no rule uses; whether there was anything. */
int sync_map_collect(sync_map_ctx_t *ctx, const sync_map_source_t *source,
    uint32_t node);
/* Which namespaces of "x-ext" the scope spreads. */
void sync_map_ext(sync_map_ctx_t *ctx, const sync_map_frame_t *frame,
    sync_map_ext_t *ext);
/*
 * Writes the members of x-ext that no rule of this object owns; of two
 * namespaces with the same member the first wins.
 */
int sync_map_spread(sync_map_ctx_t *ctx, const sync_map_target_t *target,
    const sync_map_ext_t *ext);


#endif /* SYNC_MAP_RUN_H_INCLUDED_ */
