
/*
 * Whether the data of a Redis was lost, as its store asks it.
 */


#ifndef NGX_SYNC_REDIS_MARKS_H_INCLUDED_
#define NGX_SYNC_REDIS_MARKS_H_INCLUDED_


#include "ngx_sync_redis.h"


#define NGX_SYNC_REDIS_GEN_LEN  16       /* hex digits */


typedef struct {
    size_t                   len;        /* 0: nothing was seen so far */
    u_char                   generation[NGX_SYNC_REDIS_GEN_LEN];
    int64_t                  count;
    int64_t                  tick;
} ngx_sync_redis_mark_t;


/* One for each store; what changes belongs to a worker. */

typedef struct {
    ngx_sync_redis_t        *redis;
    ngx_log_t               *log;
    ngx_uint_t               n;
    ngx_sync_redis_mark_t    marks[NGX_SYNC_REDIS_MARKS];
    ngx_event_t              poll;
    ngx_msec_t               until;      /* ngx_current_msec, if lost */
    unsigned                 lost:1;     /* once */
    unsigned                 told:1;     /* that looking is not allowed */
} ngx_sync_redis_marks_t;


/* After ngx_sync_redis_conf(); in a worker before its topology begins, and
   when it ends. */
void ngx_sync_redis_marks_conf(ngx_sync_redis_marks_t *marks,
    ngx_sync_redis_t *redis);
void ngx_sync_redis_marks_init(ngx_sync_redis_marks_t *marks,
    ngx_cycle_t *cycle);
void ngx_sync_redis_marks_exit(ngx_sync_redis_marks_t *marks);

/* A claim must not be granted where its key is absent. */
#define ngx_sync_redis_marks_refuse(marks)                                    \
    ((marks)->redis->refuse_lost && ngx_sync_redis_marks_lost(marks))

/* Data was lost, and the quarantine is not over. */
ngx_uint_t ngx_sync_redis_marks_lost(ngx_sync_redis_marks_t *marks);


#endif /* NGX_SYNC_REDIS_MARKS_H_INCLUDED_ */
