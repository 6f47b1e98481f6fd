
/*
 * The test-only module.
 *
 *   sync_test_store [local];   runs the store operation that the query names
 *                              and answers in JSON (ngx_http_sync_test_op.c)
 *   sync_store test:...;       shared memory behind faults, and
 *   sync_test_fault;           what sets them (ngx_http_sync_test_fault.c)
 *   sync_test_fetch;           fetches what the query says and shows what came
 *                              (ngx_http_sync_test_fetch.c)
 *   sync_test_crash;           dies by SIGKILL inside a zone's lock
 *                              (ngx_http_sync_test_crash.c)
 *   sync_test_again ...;       steps that have a request sent again
 *                              (ngx_http_sync_test_again.c)
 *   sync_test_flight;          what is fetched and shared by all workers
 *                              (ngx_http_sync_test_flight.c)
 */


#ifndef NGX_HTTP_SYNC_TEST_H_INCLUDED_
#define NGX_HTTP_SYNC_TEST_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "sync_crypto.h"
#include "ngx_http_sync_egress.h"
#include "ngx_sync_shm.h"


typedef struct {
    ngx_uint_t          status;        /* of a refusal; 0: off */
    ngx_str_t           body;          /* that must be in it */
    ngx_msec_t          wait;
    ngx_uint_t          fail;          /* status, instead of another try */
} ngx_http_sync_test_again_conf_t;

typedef struct {
    ngx_sync_store_t   *stores[NGX_SYNC_SHM_ZONES];
    ngx_uint_t          local;
    ngx_flag_t          run;
    ngx_uint_t          flight;
    ngx_sync_shm_t     *shm;           /* for the crashes */
    ngx_http_sync_test_again_conf_t  again[2];   /* credentials, session */
    ngx_sync_fetch_conf_t  *fetch;
} ngx_http_sync_test_loc_conf_t;


extern ngx_module_t                  ngx_http_sync_test_module;
extern const ngx_sync_store_type_t   ngx_http_sync_test_type;


ngx_int_t ngx_http_sync_test_op_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_sync_test_fault_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_sync_test_crash_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_sync_test_flight_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_sync_test_fetch_handler(ngx_http_request_t *r);

char *ngx_http_sync_test_again(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
ngx_int_t ngx_http_sync_test_fault_init(ngx_conf_t *cf);

/* An argument of the query; empty where it is absent. */
ngx_str_t ngx_http_sync_test_arg(ngx_http_request_t *r, const char *name);
ngx_int_t ngx_http_sync_test_int(ngx_http_request_t *r, const char *name,
    ngx_int_t otherwise);

ngx_int_t ngx_http_sync_test_send(ngx_http_request_t *r, ngx_buf_t *b);


#endif /* NGX_HTTP_SYNC_TEST_H_INCLUDED_ */
