
/*
 * Validation under way.  For sync_schema_run.c and sync_schema_children.c.
 */


#ifndef SYNC_SCHEMA_RUN_H_INCLUDED_
#define SYNC_SCHEMA_RUN_H_INCLUDED_


#include "sync_schema_impl.h"


#define SYNC_SCHEMA_UNSEEN  ((size_t) -1)        /* nobody wants to know */


typedef struct sync_schema_frame_s  sync_schema_frame_t;

/* The dynamic scope, innermost first. */

struct sync_schema_frame_s {
    const sync_schema_frame_t  *up;
    const sync_schema_node_t   *node;
    const char                 *via;     /* the keyword that led here */
    uint32_t                    at;      /* the value */
    size_t                      seen;
};


typedef struct {
    const sync_json_t          *json;
    sync_arena_t               *arena;
    uint64_t                   *work;
    sync_faults_t              *faults;
    sync_error_t               *err;
    sync_rc_t                   rc;      /* not OK: it is over */
    unsigned                    quiet;   /* above 0: faults are not listed */
    unsigned                    depth;
    unsigned                    update;  /* what is absent stays as it is */

    uint64_t                   *bits;    /* a stack */
    size_t                      used;
    size_t                      room;
} sync_schema_run_t;


#define sync_schema_listing(run)  ((run)->faults && (run)->quiet == 0)


/* sync_schema_run.c; all answer 1 or 0, and 0 where the run is over */

/* A subschema on a value; via is the keyword that led to it. */
int sync_schema_eval(sync_schema_run_t *run,
    const sync_schema_node_t *node, uint32_t at,
    const sync_schema_frame_t *up, const char *via, size_t seen);
/* The same; what it finds wrong is not listed. */
int sync_schema_quietly(sync_schema_run_t *run,
    const sync_schema_node_t *node, uint32_t at,
    const sync_schema_frame_t *up, const char *via, size_t seen);
int sync_schema_whole(sync_schema_run_t *run,
    const sync_schema_node_t *node, uint32_t at,
    const sync_schema_frame_t *up, const char *via, size_t seen);
int sync_schema_matches(sync_schema_run_t *run, uint32_t at,
    const sync_iregexp_t *re);
void sync_schema_mark(sync_schema_run_t *run, size_t seen,
    uint32_t place);
/* 0, and the fault in the list where one is kept. */
int sync_schema_fault(sync_schema_run_t *run,
    const sync_schema_frame_t *f, const sync_schema_op_t *op, uint32_t at);
void sync_schema_list_fault(sync_schema_run_t *run,
    const sync_schema_frame_t *f, uint32_t at, sync_str_t below,
    const char *keyword, const char *text, uint32_t rule);
/* 0, and the run is over; the error is filled, or there is none. */
int sync_schema_stop(sync_schema_run_t *run, sync_rc_t rc);
/* 1 and the reason in the run: there is no more. */
int sync_schema_charge(sync_schema_run_t *run, uint64_t n);


/* sync_schema_children.c: keywords on members and items */

int sync_schema_distinct(sync_schema_run_t *run,
    const sync_schema_frame_t *f, const sync_schema_op_t *op);
int sync_schema_each(sync_schema_run_t *run,
    const sync_schema_frame_t *f, const sync_schema_op_t *op);
int sync_schema_some(sync_schema_run_t *run,
    const sync_schema_frame_t *f, const sync_schema_op_t *op);
int sync_schema_required(sync_schema_run_t *run,
    const sync_schema_frame_t *f, const sync_schema_op_t *op);
int sync_schema_object(sync_schema_run_t *run,
    const sync_schema_frame_t *f, const sync_schema_op_t *op);
int sync_schema_key_names(sync_schema_run_t *run,
    const sync_schema_frame_t *f, const sync_schema_op_t *op);
int sync_schema_dependents(sync_schema_run_t *run,
    const sync_schema_frame_t *f, const sync_schema_op_t *op);
int sync_schema_rest(sync_schema_run_t *run,
    const sync_schema_frame_t *f, const sync_schema_op_t *op);


#endif /* SYNC_SCHEMA_RUN_H_INCLUDED_ */
