
/*
 * What the two files of sync_limit share: the directive, and the steps.
 */


#ifndef NGX_HTTP_SYNC_LIMIT_H_INCLUDED_
#define NGX_HTTP_SYNC_LIMIT_H_INCLUDED_


#include "ngx_http_sync.h"


#define NGX_HTTP_SYNC_LIMIT_ID    16
#define NGX_HTTP_SYNC_LIMIT_NAME  64     /* bytes of a name at most */


typedef enum {
    NGX_HTTP_SYNC_LIMIT_LOCAL = 0,
    NGX_HTTP_SYNC_LIMIT_OPEN,
    NGX_HTTP_SYNC_LIMIT_CLOSED
} ngx_http_sync_limit_fail_e;


typedef struct {
    ngx_str_t                    name;   /* given, or the rate */
    ngx_str_t                    text;   /* key, rate and burst as written */
    ngx_http_complex_value_t    *key;    /* NULL: a plan */
    ngx_http_complex_value_t    *cost;   /* NULL: units */
    uint64_t                     units;
    sync_gcra_t                  gcra;   /* not of a plan */
    ngx_http_sync_limit_fail_e   fail;
    u_char                       id[NGX_HTTP_SYNC_LIMIT_ID];
    unsigned                     named:1;
    unsigned                     known:1;    /* id is set */
    unsigned                     address:1;  /* the key is the client's
                                                address: IPv6 by /64 */
    unsigned                     client:1;   /* stage=client */
    unsigned                     shadow:1;
} ngx_http_sync_limit_t;


typedef struct {
    ngx_array_t                 *limits; /* of ngx_http_sync_limit_t; NULL:
                                            off */
    ngx_uint_t                   edge;   /* how many of each stage */
    ngx_uint_t                   client;
} ngx_http_sync_limit_loc_conf_t;


typedef struct {
    ngx_sync_store_t            *store;
    ngx_array_t                  named;  /* of ngx_http_sync_limit_t */
} ngx_http_sync_limit_main_conf_t;


extern const ngx_http_sync_step_t  ngx_http_sync_limit_edge_step;
extern const ngx_http_sync_step_t  ngx_http_sync_limit_step;

extern ngx_module_t  ngx_http_sync_limit_module;


#endif /* NGX_HTTP_SYNC_LIMIT_H_INCLUDED_ */
