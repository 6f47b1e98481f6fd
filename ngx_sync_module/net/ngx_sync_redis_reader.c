
/*
 * The only file that names hiredis: its redisReader cuts the bytes of a server
 * into replies, which are built here, in a pool that lasts for one of them.
 */


#include "ngx_sync_redis.h"

/* after NGINX, which says first what of the system's headers it wants */

#include <hiredis/hiredis.h>


#define NGX_SYNC_REDIS_POOL       4096
#define NGX_SYNC_REDIS_REPLY_MAX  (64 * 1024 * 1024)


/* hiredis counts the elements of an array in int first, in size_t since 1.0 */

#if (HIREDIS_MAJOR >= 1)
typedef size_t  ngx_sync_redis_count_t;
#else
typedef int     ngx_sync_redis_count_t;
#endif


typedef struct {
    redisReader             *hiredis;
    ngx_pool_t              *pool;
    ngx_uint_t               used;       /* the pool holds a reply */
} ngx_sync_redis_reader_t;


static void *ngx_sync_redis_create_string(const redisReadTask *task,
    char *str, size_t len);
static void *ngx_sync_redis_create_array(const redisReadTask *task,
    ngx_sync_redis_count_t n);
static void *ngx_sync_redis_create_integer(const redisReadTask *task,
    long long value);
static void *ngx_sync_redis_create_nil(const redisReadTask *task);
static void ngx_sync_redis_free_object(void *object);
static ngx_sync_redis_reply_t *ngx_sync_redis_place_reply(
    const redisReadTask *task, ngx_sync_redis_reply_e type);

#if (HIREDIS_MAJOR >= 1)
static void *ngx_sync_redis_create_double(const redisReadTask *task,
    double value, char *str, size_t len);
static void *ngx_sync_redis_create_bool(const redisReadTask *task, int value);
#endif


static redisReplyObjectFunctions  ngx_sync_redis_objects = {
    .createString = ngx_sync_redis_create_string,
    .createArray = ngx_sync_redis_create_array,
    .createInteger = ngx_sync_redis_create_integer,
    .createNil = ngx_sync_redis_create_nil,

    /* of RESP3, which nobody has asked for: known, so that none is NULL */

#if (HIREDIS_MAJOR >= 1)
    .createDouble = ngx_sync_redis_create_double,
    .createBool = ngx_sync_redis_create_bool,
#endif

    .freeObject = ngx_sync_redis_free_object
};


void *
ngx_sync_redis_reader_create(ngx_log_t *log)
{
    ngx_pool_t               *pool;
    ngx_sync_redis_reader_t  *r;

    r = ngx_alloc(sizeof(ngx_sync_redis_reader_t), log);
    if (r == NULL) {
        return NULL;
    }

    pool = ngx_create_pool(NGX_SYNC_REDIS_POOL, log);
    if (pool == NULL) {
        ngx_free(r);
        return NULL;
    }

    r->hiredis = redisReaderCreateWithFunctions(&ngx_sync_redis_objects);
    if (r->hiredis == NULL) {
        ngx_destroy_pool(pool);
        ngx_free(r);
        return NULL;
    }

    r->hiredis->privdata = r;
    r->pool = pool;
    r->used = 0;

    return r;
}


void
ngx_sync_redis_reader_free(void *reader)
{
    ngx_sync_redis_reader_t  *r = reader;

    redisReaderFree(r->hiredis);
    ngx_destroy_pool(r->pool);
    ngx_free(r);
}


ngx_int_t
ngx_sync_redis_reader_feed(void *reader, u_char *data, size_t len)
{
    ngx_sync_redis_reader_t  *r = reader;

    if (r->hiredis->len - r->hiredis->pos + len > NGX_SYNC_REDIS_REPLY_MAX) {
        return NGX_ERROR;
    }

    if (redisReaderFeed(r->hiredis, (char *) data, len) != REDIS_OK) {
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_sync_redis_reader_next(void *reader, ngx_sync_redis_reply_t **reply)
{
    void                     *object;
    ngx_sync_redis_reader_t  *r = reader;

    /* not before all of it was used: a part may be there already */

    if (r->used) {
        ngx_reset_pool(r->pool);
        r->used = 0;
    }

    object = NULL;

    if (redisReaderGetReply(r->hiredis, &object) != REDIS_OK) {
        return NGX_ERROR;
    }

    if (object == NULL) {
        return NGX_AGAIN;
    }

    r->used = 1;
    *reply = object;

    return NGX_OK;
}


static void *
ngx_sync_redis_create_string(const redisReadTask *task, char *str, size_t len)
{
    u_char                   *p;
    ngx_sync_redis_reply_t   *reply;
    ngx_sync_redis_reader_t  *r;

    r = task->privdata;

    switch (task->type) {

    case REDIS_REPLY_ERROR:
        reply = ngx_sync_redis_place_reply(task, NGX_SYNC_REDIS_ERROR);
        break;

    case REDIS_REPLY_STATUS:
        reply = ngx_sync_redis_place_reply(task, NGX_SYNC_REDIS_STATUS);
        break;

    default:
        reply = ngx_sync_redis_place_reply(task, NGX_SYNC_REDIS_STRING);
        break;
    }

    p = ngx_pnalloc(r->pool, len + 1);

    if (reply == NULL || p == NULL) {
        return NULL;
    }

    ngx_memcpy(p, str, len);
    p[len] = '\0';

    reply->str.data = p;
    reply->str.len = len;

    return reply;
}


static void *
ngx_sync_redis_create_array(const redisReadTask *task,
    ngx_sync_redis_count_t n)
{
    ngx_sync_redis_reply_t   *reply;
    ngx_sync_redis_reader_t  *r;

    r = task->privdata;

    reply = ngx_sync_redis_place_reply(task, NGX_SYNC_REDIS_ARRAY);

    if (reply == NULL
        || (size_t) n > NGX_SYNC_REDIS_REPLY_MAX
                        / sizeof(ngx_sync_redis_reply_t))
    {
        return NULL;
    }

    if (n > 0) {
        reply->elts = ngx_pcalloc(r->pool, n * sizeof(ngx_sync_redis_reply_t));
        if (reply->elts == NULL) {
            return NULL;
        }
    }

    reply->n = n;

    return reply;
}


static void *
ngx_sync_redis_create_integer(const redisReadTask *task, long long value)
{
    ngx_sync_redis_reply_t  *reply;

    reply = ngx_sync_redis_place_reply(task, NGX_SYNC_REDIS_INTEGER);

    if (reply) {
        reply->integer = value;
    }

    return reply;
}


static void *
ngx_sync_redis_create_nil(const redisReadTask *task)
{
    return ngx_sync_redis_place_reply(task, NGX_SYNC_REDIS_NIL);
}


#if (HIREDIS_MAJOR >= 1)

static void *
ngx_sync_redis_create_double(const redisReadTask *task, double value,
    char *str, size_t len)
{
    return ngx_sync_redis_create_string(task, str, len);
}


static void *
ngx_sync_redis_create_bool(const redisReadTask *task, int value)
{
    return ngx_sync_redis_create_integer(task, value);
}

#endif


static void
ngx_sync_redis_free_object(void *object)
{
    /* it goes with the pool */
}


/* The reply itself, or an element of the array it stands in. */

static ngx_sync_redis_reply_t *
ngx_sync_redis_place_reply(const redisReadTask *task,
    ngx_sync_redis_reply_e type)
{
    ngx_sync_redis_reply_t   *reply, *parent;
    ngx_sync_redis_reader_t  *r;

    if (task->parent) {
        parent = task->parent->obj;
        reply = &parent->elts[task->idx];

    } else {
        r = task->privdata;

        reply = ngx_pcalloc(r->pool, sizeof(ngx_sync_redis_reply_t));
        if (reply == NULL) {
            return NULL;
        }
    }

    reply->type = type;

    return reply;
}
