
/*
 * What the two files of "syncctl try" share: the request on its way.
 */


#ifndef SYNCCTL_TRY_H_INCLUDED_
#define SYNCCTL_TRY_H_INCLUDED_


#include "syncctl.h"


typedef struct {
    sync_str_t             method;
    sync_str_t             path;         /* as sent, no query */
    sync_str_t             host;
    sync_str_t             key;          /* Idempotency-Key, or empty */
    sync_str_t             body;

    const char            *client_name;
    const char            *entity_name;
    const char            *at;

    const sync_doc_t      *doc;
    sync_doc_client_t      client;
    sync_doc_source_t      source;
    sync_entity_e          entity;
    sync_op_e              op;
    sync_str_t             id;

    sync_json_t            payload;      /* canonical; nodes NULL: none */
    sync_str_t             canonical;
    sync_str_t             target;       /* body; data NULL: none */
    sync_str_t             type;         /* its Content-Type */
    sync_str_t             uri;
    sync_str_t             downstream;
    sync_doc_connector_t   connector;
    sync_doc_operation_t   operation;
} syncctl_try_t;


/* Source to canonical, judged. */
int syncctl_try_canonical(sync_arena_t *arena, syncctl_tenants_t *tenants,
    syncctl_try_t *t);

/* The connector, and the target of the request to it. */
int syncctl_try_route(sync_arena_t *arena, syncctl_try_t *t);

/* Canonical to target, in the connector's format. */
int syncctl_try_target(sync_arena_t *arena, syncctl_tenants_t *tenants,
    syncctl_try_t *t);

/* Tells what the gateway would refuse; SYNCCTL_NO. */
int syncctl_try_refused(const char *fmt, ...)
    __attribute__((format(printf, 1, 2)));


#endif /* SYNCCTL_TRY_H_INCLUDED_ */
