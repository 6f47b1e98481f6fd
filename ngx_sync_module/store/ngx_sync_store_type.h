
/*
 * What a kind of store gives the sync_store directive.  Only stores include
 * this.
 */


#ifndef NGX_SYNC_STORE_TYPE_H_INCLUDED_
#define NGX_SYNC_STORE_TYPE_H_INCLUDED_


#include "ngx_sync_store.h"


/*
 * Takes sync_store as written: args[0] is the address, the others are what is
 * left of its parameters after those of every store (timeout=, name=).  Fills
 * ops and data of st, whose label and timeout are set.  NGX_CONF_ERROR after
 * having logged, or what is wrong.
 */

typedef struct {
    ngx_str_t              scheme;       /* "shm", what stands before a ":" */

    char                *(*create)(ngx_conf_t *cf, ngx_str_t *args,
                               ngx_uint_t nargs, ngx_sync_store_t *st);

    /* somebody needs this kind: NGX_OK, or NGX_ERROR after having logged */
    ngx_int_t            (*use)(ngx_conf_t *cf, ngx_sync_store_t *st,
                               ngx_sync_zone_e kind);

    /* the others may be NULL.  All of the configuration was read: NGX_OK, or
       NGX_ERROR after having logged */
    ngx_int_t            (*done)(ngx_conf_t *cf, ngx_sync_store_t *st,
                               ngx_resolver_t *resolver,
                               ngx_msec_t resolver_timeout);

    /* in a worker, its first and its last */
    ngx_int_t            (*init_process)(ngx_cycle_t *cycle,
                               ngx_sync_store_t *st);
    void                 (*exit_process)(ngx_cycle_t *cycle,
                               ngx_sync_store_t *st);
} ngx_sync_store_type_t;


/* For a store outside of this module; called from a preconfiguration. */
ngx_int_t ngx_sync_store_register_type(ngx_conf_t *cf,
    const ngx_sync_store_type_t *type);


#endif /* NGX_SYNC_STORE_TYPE_H_INCLUDED_ */
