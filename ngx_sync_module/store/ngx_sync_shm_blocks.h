
/*
 * A shared memory zone of fixed-size blocks that can be rebuilt.
 *
 * An entry is a head block and, where it needs more, a chain of body blocks.
 * Heads are found by a hash index and, in order of what is due, by a timer
 * wheel; cache entries stand in a list by use instead.  Index, wheel, list and
 * free blocks are only drawn from the heads: a worker that dies inside the
 * lock (the master then unlocks it) leaves the dirty mark behind, and whoever
 * comes next draws them anew.  What makes that work:
 *
 *   - a head counts from the moment its kind is written, which is last;
 *   - a head is changed between change() and done(): its former contents are
 *     kept in the zone and put back by the rebuild;
 *   - a body is written before its head names it and freed after its head
 *     names another.
 *
 * There are no pointers in the zone, so it survives a reload, and processes
 * may map it anywhere.  Times are milliseconds of ngx_sync_blocks_clock().
 */


#ifndef NGX_SYNC_SHM_BLOCKS_H_INCLUDED_
#define NGX_SYNC_SHM_BLOCKS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_SYNC_NO_BLOCK     ((uint32_t) -1)

#define NGX_SYNC_WHEEL_SLOTS  4096
#define NGX_SYNC_WHEEL_TICK   128      /* milliseconds */

/* due, for entries that are in no slot of the wheel */
#define NGX_SYNC_DUE_BY_USE   0        /* in the list by use */
#define NGX_SYNC_DUE_NEVER    -1       /* in none */

#define NGX_SYNC_LINK_LEN     8        /* of a body block: kind and next */


typedef struct {
    uint32_t                  kind;    /* 0: free, or part of a body */
    uint32_t                  next;    /* free block, in the index, in a body */
    uint32_t                  hash;
    uint32_t                  body;    /* first block of it */
    uint32_t                  len;     /* bytes in the body */
    uint32_t                  key_len;
    uint32_t                  slot;    /* of the wheel or list it is in */
    uint32_t                  left;    /* and its neighbours there */
    uint32_t                  right;
    uint32_t                  reserved;
    int64_t                   due;
} ngx_sync_block_t;


typedef struct {
    uint64_t                  magic;
    uint32_t                  version;
    uint32_t                  block_size;
    uint32_t                  key_size;
    uint32_t                  nblocks;
    uint32_t                  nbuckets;
    uint64_t                  size;
    uint64_t                  seed[2];

    volatile uint32_t         dirty;

    volatile uint32_t         undo_valid;
    uint32_t                  undo_block;

    uint32_t                  fresh;   /* blocks from here were never used */
    uint32_t                  free;    /* the others that are free */
    uint32_t                  nfree;   /* both */
    uint32_t                  entries;
    uint64_t                  epoch;   /* fencing: rises with each claim */
    int64_t                   cursor;  /* ticks up to here were swept */

    uint64_t                  refused;
    uint64_t                  rebuilt;

    int64_t                   sweep_until;     /* the lease of the sweeper */
    ngx_pid_t                 sweeper;
} ngx_sync_blocks_sh_t;


typedef struct ngx_sync_blocks_s  ngx_sync_blocks_t;

struct ngx_sync_blocks_s {
    ngx_sync_blocks_sh_t     *sh;
    ngx_slab_pool_t          *shpool;

    u_char                   *undo;
    uint32_t                 *slots;
    uint32_t                 *buckets;
    u_char                   *used;    /* a bit for each block, for rebuild */
    u_char                   *blocks;

    uint32_t                  block_size;
    uint32_t                  key_size;
    uint32_t                  mask;    /* of buckets */

    ngx_str_t                 name;

    /* an entry is due: drops it, or gives it another due */
    void                    (*due)(ngx_sync_blocks_t *b,
                                 ngx_sync_block_t *block, int64_t now,
                                 void *data);

    /* draws anew what the kind keeps beside its heads; may be NULL */
    void                    (*rebuilt)(ngx_sync_blocks_t *b);

    /* a head whose body is not what it says: it has been taken off, and kind
       0 takes off the head as well; may be NULL */
    void                    (*torn)(ngx_sync_blocks_t *b,
                                 ngx_sync_block_t *block);
};


/* A key, hashed outside of the lock.  One longer than key_size stands as its
   SHA-256. */

typedef struct {
    u_char                   *data;
    uint32_t                  len;
    uint32_t                  hash;
    u_char                    digest[32];
} ngx_sync_blocks_key_t;


#define NGX_SYNC_BLOCKS_LAST  (NGX_SYNC_WHEEL_SLOTS + 2)

/* keeps the compiler from moving stores; what a killed process has stored is
   seen in any case */
#define ngx_sync_blocks_fence()  __atomic_signal_fence(__ATOMIC_SEQ_CST)

#define ngx_sync_block(b, i)                                                  \
    ((ngx_sync_block_t *) ((b)->blocks + (size_t) (i) * (b)->block_size))

#define ngx_sync_block_index(b, block)                                        \
    ((uint32_t) (((u_char *) (block) - (b)->blocks) / (b)->block_size))

#define ngx_sync_block_key(block)  ((u_char *) (block)                        \
                                    + sizeof(ngx_sync_block_t))

/* What a kind keeps in its head, behind the key. */
#define ngx_sync_block_data(b, block)                                         \
    ((void *) (ngx_sync_block_key(block) + (b)->key_size))


/* The clock of all zones: microseconds since boot, never set back. */
int64_t ngx_sync_blocks_clock(void);

/* A zone with fewer blocks than this is refused at load. */
#define NGX_SYNC_BLOCKS_MIN  64

/*
 * Adds the zone to the configuration; *b lives in cf->pool.  block_size is a
 * multiple of 64, key_size of 8.
 */
ngx_int_t ngx_sync_blocks_add_zone(ngx_conf_t *cf, ngx_sync_blocks_t *b,
    size_t size, void *tag);

void ngx_sync_blocks_key(ngx_sync_blocks_t *b, ngx_uint_t kind,
    ngx_str_t *name, ngx_sync_blocks_key_t *key);

void ngx_sync_blocks_lock(ngx_sync_blocks_t *b, ngx_log_t *log);
void ngx_sync_blocks_unlock(ngx_sync_blocks_t *b);


/* All of the following: the lock is held. */

ngx_sync_block_t *ngx_sync_blocks_find(ngx_sync_blocks_t *b, ngx_uint_t kind,
    ngx_sync_blocks_key_t *key);

/* A zeroed head that nobody finds before link(); NULL: no free block. */
ngx_sync_block_t *ngx_sync_blocks_new(ngx_sync_blocks_t *b,
    ngx_sync_blocks_key_t *key);
void ngx_sync_blocks_link(ngx_sync_blocks_t *b, ngx_sync_block_t *block,
    ngx_uint_t kind, int64_t due);
void ngx_sync_blocks_drop(ngx_sync_blocks_t *b, ngx_sync_block_t *block);

/* Keeps the head as it is until done(); one head at a time. */
void ngx_sync_blocks_change(ngx_sync_blocks_t *b, ngx_sync_block_t *block);
void ngx_sync_blocks_done(ngx_sync_blocks_t *b);

void ngx_sync_blocks_due(ngx_sync_blocks_t *b, ngx_sync_block_t *block,
    int64_t due);

/* To the front of the list by use; its last, NULL: it is empty. */
void ngx_sync_blocks_touch(ngx_sync_blocks_t *b, ngx_sync_block_t *block);
ngx_sync_block_t *ngx_sync_blocks_oldest(ngx_sync_blocks_t *b);

/* A body that holds data, first block; NGX_SYNC_NO_BLOCK: no room. */
uint32_t ngx_sync_blocks_write(ngx_sync_blocks_t *b, ngx_str_t *data);
u_char *ngx_sync_blocks_read(ngx_sync_blocks_t *b, ngx_sync_block_t *block,
    u_char *dst);
void ngx_sync_blocks_free(ngx_sync_blocks_t *b, uint32_t first);

/* Hands at most n entries to b->due(), with data; 1: there are more. */
ngx_uint_t ngx_sync_blocks_sweep(ngx_sync_blocks_t *b, int64_t now,
    ngx_uint_t n, void *data);

#define ngx_sync_blocks_need(b, bytes)                                        \
    (((bytes) + (b)->block_size - NGX_SYNC_LINK_LEN - 1)                      \
     / ((b)->block_size - NGX_SYNC_LINK_LEN))


#endif /* NGX_SYNC_SHM_BLOCKS_H_INCLUDED_ */
