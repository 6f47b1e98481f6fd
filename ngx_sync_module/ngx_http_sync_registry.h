
/*
 * The registry: all tenant documents of `sync_tenants`, compiled, with what
 * they refer to: maps, key sets and secrets.  Read at load, where nginx -t
 * sees what is broken, and kept up to date by every worker for itself: it
 * polls the files in slices and swaps what has changed.
 *
 * A tenant is one version of one document, with the maps, keys and secrets of
 * that version.  Whatever changes (the document, a template, a map, a key
 * set, a secret) gives a new version; requests in flight keep theirs.
 *
 * Nothing here suspends.  Secrets and key sets are read from disk when they
 * are asked for the first time.
 */


#ifndef NGX_HTTP_SYNC_REGISTRY_H_INCLUDED_
#define NGX_HTTP_SYNC_REGISTRY_H_INCLUDED_


#include "ngx_http_sync.h"
#include "sync_jose.h"
#include "sync_map.h"
#include "sync_schema.h"


/* Is there a `sync_tenants`?  While configuration is read, and after. */
ngx_uint_t ngx_http_sync_registry_used(ngx_conf_t *cf);


/* The folder of sync_tenants.  NGX_DECLINED: there is none. */
ngx_int_t ngx_http_sync_registry_dir(ngx_conf_t *cf, ngx_str_t *dir);


/*
 * Lookups.  *t is borrowed until the event loop turns: hold it to keep it.
 *
 *   NGX_OK        *t is the tenant, its document is good;
 *   NGX_DECLINED  there is no such tenant;
 *   NGX_ABORT     there is one, its document is broken and there is no good
 *                 copy of it: 503.
 *
 * host is in lower case, without port and last dot; name, id, account (by
 * "hubspot:62515") and certificate (a name of sync_cert.h) are compared octet
 * for octet.
 */

ngx_int_t ngx_http_sync_tenant_by_host(ngx_http_request_t *r, ngx_str_t *host,
    ngx_http_sync_tenant_t **t);
ngx_int_t ngx_http_sync_tenant_by_account(ngx_http_request_t *r,
    ngx_str_t *account, ngx_http_sync_tenant_t **t);
ngx_int_t ngx_http_sync_tenant_by_certificate(ngx_http_request_t *r,
    ngx_str_t *name, ngx_http_sync_tenant_t **t);
ngx_int_t ngx_http_sync_tenant_by_name(ngx_http_request_t *r, ngx_str_t *name,
    ngx_http_sync_tenant_t **t);
ngx_int_t ngx_http_sync_tenant_by_id(ngx_http_request_t *r, ngx_str_t *id,
    ngx_http_sync_tenant_t **t);

/*
 * The tenants that trust an issuer, one by one, i from 0, in no order.  NGX_OK
 * or NGX_DECLINED: no more.  *t is borrowed as above.
 */
ngx_int_t ngx_http_sync_tenant_by_issuer(ngx_http_request_t *r,
    ngx_str_t *issuer, ngx_uint_t i, ngx_http_sync_tenant_t **t);

/* Keeps t until the pool goes.  NGX_OK or NGX_ERROR. */
ngx_int_t ngx_http_sync_tenant_hold(ngx_pool_t *pool,
    ngx_http_sync_tenant_t *t);


/* What a tenant has; all of it lives as long as the tenant is held. */

const sync_doc_t *ngx_http_sync_tenant_doc(ngx_http_sync_tenant_t *t);

/*
 * A digest of the document and of all library files it was made of: the same
 * in all workers, and after a reload, as long as nothing changes.
 */
uint64_t ngx_http_sync_tenant_generation(ngx_http_sync_tenant_t *t);

/*
 * The content of sync_secrets/<tenant id>/<name>, without the end of its
 * line.  NULL: it cannot be read (logged once); fail closed.  Never
 * logged, never copied into anything that is; wiped when the version goes.
 */
ngx_str_t *ngx_http_sync_tenant_secret(ngx_http_sync_tenant_t *t,
    ngx_str_t *name, ngx_log_t *log);

/* The length of a secret without one LF or CR LF behind it, which an editor
   has left: it may be of any bytes, so that no more is taken away. */
size_t ngx_http_sync_secret_len(const u_char *p, size_t len);

/* The same of the request's tenant, data is the context: SYNC_OK or SYNC_NO. */
sync_rc_t ngx_http_sync_secret(void *data, sync_str_t name,
    sync_str_t *value);

/* The keys of issuer i of the document.  NULL: cannot be read (logged). */
sync_jwks_t *ngx_http_sync_tenant_keyset(ngx_http_sync_tenant_t *t, uint32_t i,
    ngx_log_t *log);

/*
 * A map of the document by its library path, as the document spells it.
 * NULL: the document does not name it.
 */
const sync_map_t *ngx_http_sync_tenant_map(ngx_http_sync_tenant_t *t,
    sync_str_t path);

/*
 * A schema of a source, by its library path as the document spells it; and the
 * canonical one of an entity.  NULL: there is none.
 */
const sync_schema_t *ngx_http_sync_tenant_schema(ngx_http_sync_tenant_t *t,
    sync_str_t path);
const sync_schema_t *ngx_http_sync_tenant_canonical(ngx_http_sync_tenant_t *t,
    sync_entity_e entity);

/* The "x-owner"s of the canonical schema; their number. */
uint32_t ngx_http_sync_tenant_owners(ngx_http_sync_tenant_t *t,
    sync_entity_e entity, const sync_schema_mark_t **owners);


/* For sync_status: what this worker knows. */

typedef struct {
    ngx_uint_t   tenants;                /* that answer */
    ngx_uint_t   broken;                 /* last document refused, whether or
                                            not a good copy answers */
    ngx_uint_t   down;                   /* broken, and no good copy: 503 */
    ngx_uint_t   loads;                  /* good documents taken, ever */
    ngx_uint_t   scans;                  /* of the folder, ever */
    ngx_uint_t   stale;                  /* set: the folder has vanished or
                                            was emptied */
} ngx_http_sync_registry_state_t;

/* NGX_DECLINED: no sync_tenants. */
ngx_int_t ngx_http_sync_registry_state(ngx_http_request_t *r,
    ngx_http_sync_registry_state_t *state);

/*
 * The broken documents one by one: begins with *i = 0.  NGX_OK: file and
 * error (place, what and cure) are borrowed; NGX_DECLINED: no more.
 */
ngx_int_t ngx_http_sync_registry_broken(ngx_http_request_t *r, ngx_uint_t *i,
    ngx_str_t *file, ngx_str_t *error);


/*
 * The tenant of a request, resolved by whoever asks first: the variables of
 * the core ask in any phase, the tenant's step in PREACCESS.  NGX_OK: filled
 * into ctx->tenant; NGX_DECLINED: no sync_tenant here; else the status that
 * the step will answer.  Set by the tenant policy.
 */
typedef ngx_int_t (*ngx_http_sync_tenant_resolve_pt)(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);

extern ngx_http_sync_tenant_resolve_pt  ngx_http_sync_tenant_resolve;


extern ngx_module_t  ngx_http_sync_registry_module;


#endif /* NGX_HTTP_SYNC_REGISTRY_H_INCLUDED_ */
