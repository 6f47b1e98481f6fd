
/*
 * HTTP/1.1 over TLS on NGINX' events, for what the gateway asks for itself: key
 * sets, introspection, tokens, sessions, probes.  Verification is on and cannot
 * be turned off; redirects are answers like any other (3xx, not followed);
 * connections are kept and shared only under the same host, port and
 * certificate of ours, and only with an address that the fetch may go to.
 *
 * A fetch belongs to one worker.  It suspends nobody: handler is called once,
 * from the event loop, never from within start(), and not after free().
 */


#ifndef NGX_SYNC_FETCH_H_INCLUDED_
#define NGX_SYNC_FETCH_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_event_connect.h>

#include "sync_url.h"


typedef struct ngx_sync_fetch_s  ngx_sync_fetch_t;

typedef void (*ngx_sync_fetch_handler_pt)(ngx_sync_fetch_t *f);


typedef enum {
    NGX_SYNC_FETCH_OK = 0,               /* an answer, whatever its status */
    NGX_SYNC_FETCH_REFUSED,              /* URL, address or header is not
                                            allowed: nothing was asked */
    NGX_SYNC_FETCH_RESOLVE,              /* the name has no address */
    NGX_SYNC_FETCH_CONNECT,              /* nobody listens, or it ended before a
                                            byte was sent; also: no memory */
    NGX_SYNC_FETCH_TLS,                  /* handshake or verification */
    NGX_SYNC_FETCH_TIMEOUT,
    NGX_SYNC_FETCH_BROKEN,               /* reset or cut after sending, or no
                                            HTTP */
    NGX_SYNC_FETCH_TOO_LARGE
} ngx_sync_fetch_result_e;


/* Of the whole process; made at load by the core (sync_egress,
   sync_trusted_certificate, resolver of http). */

typedef struct {
    ngx_resolver_t              *resolver;   /* NULL: names are not resolved */
    ngx_msec_t                   resolver_timeout;
    ngx_ssl_t                   *ssl;        /* verifies; trusted CAs */
    sync_egress_t               *egress;     /* NULL: nothing is listed */
    void                       (*ended)(ngx_sync_fetch_result_e result);
                                             /* counts them; or NULL */
} ngx_sync_fetch_conf_t;

typedef struct {
    ngx_str_t                    name;       /* lower case in answers */
    ngx_str_t                    value;
} ngx_sync_fetch_header_t;


struct ngx_sync_fetch_s {
    ngx_sync_fetch_conf_t       *conf;
    ngx_pool_t                  *pool;       /* gone with free() */

    /* what is asked: set after create(), copied by nobody: lives in pool */
    ngx_str_t                    method;     /* "GET" */
    ngx_str_t                    url;
    ngx_array_t                  send;       /* ngx_sync_fetch_header_t */
    ngx_str_t                    body;       /* with a Content-Length, if data
                                                is not NULL */
    ngx_str_t                    certificate;    /* PEM chain of ours */
    ngx_str_t                    certificate_key;    /* and its key, or empty */
    size_t                       max;        /* bytes of an answer's body;
                                                default 64K */
    ngx_msec_t                   connect_timeout;    /* of TCP and TLS, for each
                                                address; default 2 s */
    ngx_msec_t                   read_timeout;       /* between reads (and
                                                writes); default 5 s */
    ngx_msec_t                   timeout;            /* of all; default 10 s */
    unsigned                     trusted:1;  /* the URL stands in nginx.conf:
                                                names and addresses are the
                                                owner's word */
    unsigned                     vital:1;    /* a request waits for it: keeps a
                                                quitting worker alive */
    unsigned                     repeat:1;   /* may be asked twice as a GET may:
                                                where a kept connection turns
                                                out to be closed */

    ngx_sync_fetch_handler_pt    handler;
    void                        *data;

    /* what came */
    ngx_sync_fetch_result_e      result;
    const char                  *error;      /* static text for logs, never a
                                                secret; NULL on OK */
    ngx_uint_t                   status;
    ngx_array_t                  received;   /* ngx_sync_fetch_header_t */
    ngx_str_t                    answer;     /* data never NULL on OK */
    unsigned                     sent:1;     /* a byte of the request may have
                                                left */
};

/* NULL: no memory.  log: of the cycle, a fetch outlives requests. */
ngx_sync_fetch_t *ngx_sync_fetch_create(ngx_sync_fetch_conf_t *conf,
    ngx_log_t *log);

/*
 * Copies value.  Host, Content-Length, Connection and Accept-Encoding are set
 * by the fetch.  NGX_OK or NGX_ERROR (no memory); a value that cannot stand
 * in a header is REFUSED by start().
 */
ngx_int_t ngx_sync_fetch_header(ngx_sync_fetch_t *f, const char *name,
    ngx_str_t *value);

/* From here on the handler will be called once. */
void ngx_sync_fetch_start(ngx_sync_fetch_t *f);

/* First header of that (lower-case) name in the answer, or NULL. */
ngx_str_t *ngx_sync_fetch_received(ngx_sync_fetch_t *f, const char *name);

/* "ok", "refused", "resolve" ... for logs and counters. */
const char *ngx_sync_fetch_result(ngx_sync_fetch_result_e result);

/* Withdraws it, whatever its state (wipes and frees pool); also how it is freed
   after its handler.  May be called in the handler. */
void ngx_sync_fetch_free(ngx_sync_fetch_t *f);

/* At exit_process: closes idle connections and those under way. */
void ngx_sync_fetch_exit(void);


#endif /* NGX_SYNC_FETCH_H_INCLUDED_ */
