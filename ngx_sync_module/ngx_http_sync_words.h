
/*
 * In whose words: the maps of a request's client and connector, and runs of
 * them within the request's bounds.  For the policy that maps requests and the
 * filter that maps answers.
 */


#ifndef NGX_HTTP_SYNC_WORDS_H_INCLUDED_
#define NGX_HTTP_SYNC_WORDS_H_INCLUDED_


#include "ngx_http_sync.h"
#include "sync_map.h"


/*
 * The map of the client's source, or of the chosen connector, for the entity
 * of the request.  NGX_OK; NGX_DECLINED: none, the words are canonical;
 * NGX_ERROR: the document names one that this worker does not have.
 */
ngx_int_t ngx_http_sync_source_map(ngx_http_sync_ctx_t *ctx,
    const sync_map_t **map);
ngx_int_t ngx_http_sync_connector_map(ngx_http_sync_ctx_t *ctx,
    const sync_map_t **map);

/* The client's source; the canonical one where there is no client. */
ngx_int_t ngx_http_sync_source(ngx_http_sync_ctx_t *ctx,
    sync_doc_source_t *source);

/* Its name. */
sync_str_t ngx_http_sync_source_name(ngx_http_sync_ctx_t *ctx);

/* The key as the connector wants it; empty where it has none.  OK or ERROR. */
ngx_int_t ngx_http_sync_words_key(ngx_http_sync_ctx_t *ctx, sync_str_t *key);

/*
 * Runs a section over the root of json, charged to the work of the request
 * and to sync_buffers.  NGX_OK: *text, in the request's pool; NGX_DECLINED:
 * faults (initialised by the caller) says where; NGX_BUSY: over sync_buffers;
 * NGX_ERROR: no memory.
 */
ngx_int_t ngx_http_sync_map_words(ngx_http_sync_ctx_t *ctx,
    const sync_map_t *map, sync_map_section_e section, const sync_json_t *json,
    ngx_uint_t update, sync_str_t *text, sync_faults_t *faults);

/*
 * The same over the nodes that a JSONPath finds, in front of all envelopes:
 * {"records": [...]}.  map NULL: they stand there as they are.
 */
ngx_int_t ngx_http_sync_map_items(ngx_http_sync_ctx_t *ctx,
    const sync_map_t *map, const sync_json_t *json, sync_str_t items,
    sync_str_t *text, sync_faults_t *faults);

/* The tape of a text; codes as above, the fault is a single one. */
ngx_int_t ngx_http_sync_words_parse(ngx_http_sync_ctx_t *ctx, sync_str_t text,
    sync_json_t *json, sync_faults_t *faults);

/* Where the first fault is, for a log: pointer and keyword, never a value. */
void ngx_http_sync_log_faults(ngx_http_sync_ctx_t *ctx, ngx_uint_t level,
    const char *step, const char *what, sync_faults_t *faults);


#endif /* NGX_HTTP_SYNC_WORDS_H_INCLUDED_ */
