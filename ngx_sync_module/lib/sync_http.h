
/*
 * Answers of HTTP/1.1 (RFC 9112), fed as they come, bounded in all that they
 * may be.  Where two readers could see different ends of an answer it is
 * broken: both lengths, several, folded lines, bare line feeds.
 */


#ifndef SYNC_HTTP_H_INCLUDED_
#define SYNC_HTTP_H_INCLUDED_


#include "sync_core.h"


#define SYNC_HTTP_HEAD_MAX     16384     /* bytes of status line and headers */
#define SYNC_HTTP_HEADERS_MAX  128
#define SYNC_HTTP_INTERIM_MAX  8         /* answers of 1xx before the last */


typedef enum {
    SYNC_HTTP_HEAD = 0,
    SYNC_HTTP_LENGTH,                    /* Content-Length */
    SYNC_HTTP_CLOSE,                     /* until the connection ends */
    SYNC_HTTP_CHUNK,                     /* the line of a chunk's size */
    SYNC_HTTP_DATA,                      /* of a chunk */
    SYNC_HTTP_DATA_END,                  /* CR LF behind it */
    SYNC_HTTP_TRAILER,
    SYNC_HTTP_DONE,
    SYNC_HTTP_BROKEN
} sync_http_state_e;

typedef struct {
    sync_str_t           name;           /* lower case */
    sync_str_t           value;
} sync_http_header_t;

typedef struct {
    sync_arena_t        *arena;
    size_t               max;            /* bytes of a body */
    sync_http_state_e    state;

    unsigned char       *line;           /* of what is read by lines */
    size_t               nline;
    size_t               left;           /* of body or chunk */
    size_t               size;           /* allocated for the body */
    unsigned             interim;
    unsigned             bodiless:1;     /* asked by HEAD */

    /* what came */
    unsigned             status;
    sync_http_header_t  *headers;
    size_t               nheaders;
    sync_str_t           body;           /* data never NULL when done */
    const char          *error;          /* static; of NO */
    unsigned             started:1;      /* a byte came */
    unsigned             keep:1;         /* the connection may serve again */
    unsigned             large:1;        /* NO: more than a bound allows */
} sync_http_t;


/* head: what was asked by HEAD has no body. */
void sync_http_begin(sync_http_t *h, sync_arena_t *arena, size_t max,
    int head);

/*
 * PENDING: there must be more; OK: it is whole (bytes behind it take keep
 * away); NO: h->error says why; FAULT.  Not called again after the last three.
 */
sync_rc_t sync_http_feed(sync_http_t *h, const unsigned char *data,
    size_t len);

/*
 * The connection has ended.  clean: its end was authentic (TLS close_notify),
 * without which an answer that ends so is cut, RFC 9112, 9.8.  OK or NO.
 */
sync_rc_t sync_http_end(sync_http_t *h, int clean);


#endif /* SYNC_HTTP_H_INCLUDED_ */
