
/*
 * What the two halves of a connection ask of each other.
 */


#ifndef NGX_SYNC_REDIS_CONN_H_INCLUDED_
#define NGX_SYNC_REDIS_CONN_H_INCLUDED_


#include "ngx_sync_redis.h"


/* Once it failed so often in a row, which takes a tenth of a second, it is
   down: what is not patient is refused. */
#define NGX_SYNC_REDIS_DOWN        4

/* Without a word for so long it is not given up yet, whatever the timeout. */
#define NGX_SYNC_REDIS_SILENT_MIN  1000      /* ms */


/* ngx_sync_redis_conn.c: TCP stands; all greetings are answered; a command is
   told later that there is no answer. */

void ngx_sync_redis_conn_connected(ngx_sync_redis_conn_t *conn);
void ngx_sync_redis_conn_ready(ngx_sync_redis_conn_t *conn);
void ngx_sync_redis_conn_lose(ngx_sync_redis_conn_t *conn,
    ngx_sync_redis_cmd_t *cmd);


/* ngx_sync_redis_queue.c: a command is no longer the connection's; it is to be
   sent; events of the socket; the timer of all deadlines. */

void ngx_sync_redis_conn_leave(ngx_sync_redis_conn_t *conn,
    ngx_sync_redis_cmd_t *cmd);
void ngx_sync_redis_conn_queue(ngx_sync_redis_conn_t *conn,
    ngx_sync_redis_cmd_t *cmd);
void ngx_sync_redis_conn_write(ngx_event_t *wev);
void ngx_sync_redis_conn_read(ngx_event_t *rev);
void ngx_sync_redis_conn_deadline(ngx_event_t *ev);


#endif /* NGX_SYNC_REDIS_CONN_H_INCLUDED_ */
