
/*
 * $sync_* variables, for log_format and proxy_pass.  None is cacheable: each
 * says what is known when it is asked; empty before its step has run.
 */


#include "ngx_http_sync_core.h"
#include "ngx_http_sync_registry.h"


typedef enum {
    NGX_HTTP_SYNC_VAR_STR = 0,           /* an ngx_str_t at offset */
    NGX_HTTP_SYNC_VAR_SECRET,            /* one for the connector alone: empty
                                            in a subrequest */
    NGX_HTTP_SYNC_VAR_CHARS,             /* a const char * at offset */
    NGX_HTTP_SYNC_VAR_TENANT,            /* resolves the tenant first */
    NGX_HTTP_SYNC_VAR_ENTITY,
    NGX_HTTP_SYNC_VAR_OPERATION,
    NGX_HTTP_SYNC_VAR_CONNECTOR,
    NGX_HTTP_SYNC_VAR_METHOD,
    NGX_HTTP_SYNC_VAR_URI
} ngx_http_sync_variable_e;


typedef struct {
    ngx_str_t                 name;
    ngx_http_sync_variable_e  kind;
    size_t                    offset;
} ngx_http_sync_variable_t;


static ngx_int_t ngx_http_sync_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);


#define ngx_http_sync_field(f)  offsetof(ngx_http_sync_ctx_t, f)


static ngx_http_sync_variable_t  ngx_http_sync_variables[] = {

    { ngx_string("sync_tenant"), NGX_HTTP_SYNC_VAR_TENANT,
      ngx_http_sync_field(tenant.id) },

    { ngx_string("sync_tenant_name"), NGX_HTTP_SYNC_VAR_TENANT,
      ngx_http_sync_field(tenant.name) },

    { ngx_string("sync_client"), NGX_HTTP_SYNC_VAR_STR,
      ngx_http_sync_field(principal.client) },

    { ngx_string("sync_subject"), NGX_HTTP_SYNC_VAR_STR,
      ngx_http_sync_field(principal.subject) },

    { ngx_string("sync_issuer"), NGX_HTTP_SYNC_VAR_STR,
      ngx_http_sync_field(principal.issuer) },

    { ngx_string("sync_scope"), NGX_HTTP_SYNC_VAR_STR,
      ngx_http_sync_field(principal.scope) },

    { ngx_string("sync_entity"), NGX_HTTP_SYNC_VAR_ENTITY, 0 },

    { ngx_string("sync_operation"), NGX_HTTP_SYNC_VAR_OPERATION, 0 },

    { ngx_string("sync_object_id"), NGX_HTTP_SYNC_VAR_STR,
      ngx_http_sync_field(payload.id) },

    { ngx_string("sync_connector"), NGX_HTTP_SYNC_VAR_CONNECTOR, 0 },

    { ngx_string("sync_upstream"), NGX_HTTP_SYNC_VAR_STR,
      ngx_http_sync_field(route.upstream) },

    { ngx_string("sync_upstream_uri"), NGX_HTTP_SYNC_VAR_URI, 0 },

    { ngx_string("sync_upstream_host"), NGX_HTTP_SYNC_VAR_STR,
      ngx_http_sync_field(route.host) },

    { ngx_string("sync_upstream_tls_name"), NGX_HTTP_SYNC_VAR_STR,
      ngx_http_sync_field(route.tls_name) },

    { ngx_string("sync_upstream_method"), NGX_HTTP_SYNC_VAR_METHOD, 0 },

    { ngx_string("sync_upstream_authorization"), NGX_HTTP_SYNC_VAR_SECRET,
      ngx_http_sync_field(route.authorization) },

    { ngx_string("sync_upstream_certificate"), NGX_HTTP_SYNC_VAR_SECRET,
      ngx_http_sync_field(route.certificate) },

    { ngx_string("sync_upstream_certificate_key"), NGX_HTTP_SYNC_VAR_SECRET,
      ngx_http_sync_field(route.certificate_key) },

    { ngx_string("sync_upstream_cookie"), NGX_HTTP_SYNC_VAR_SECRET,
      ngx_http_sync_field(route.cookie) },

    { ngx_string("sync_correlation_id"), NGX_HTTP_SYNC_VAR_STR,
      ngx_http_sync_field(correlation) },

    { ngx_string("sync_trace_id"), NGX_HTTP_SYNC_VAR_STR,
      ngx_http_sync_field(trace_id) },

    { ngx_string("sync_verdict"), NGX_HTTP_SYNC_VAR_CHARS,
      ngx_http_sync_field(verdict) },

    { ngx_string("sync_reason"), NGX_HTTP_SYNC_VAR_CHARS,
      ngx_http_sync_field(reason) },

    { ngx_string("sync_idempotency_status"), NGX_HTTP_SYNC_VAR_STR,
      ngx_http_sync_field(claim.status) },

    { ngx_string("sync_limit"), NGX_HTTP_SYNC_VAR_STR,
      ngx_http_sync_field(limit) },

    { ngx_null_string, 0, 0 }
};


ngx_int_t
ngx_http_sync_add_variables(ngx_conf_t *cf)
{
    ngx_http_variable_t       *var;
    ngx_http_sync_variable_t  *v;

    for (v = ngx_http_sync_variables; v->name.len; v++) {

        var = ngx_http_add_variable(cf, &v->name, NGX_HTTP_VAR_NOCACHEABLE);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = ngx_http_sync_variable;
        var->data = (uintptr_t) v;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_sync_variable(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    uintptr_t data)
{
    ngx_http_sync_variable_t *var = (ngx_http_sync_variable_t *) data;

    sync_str_t            s;
    ngx_str_t             value;
    const char           *text;
    ngx_http_sync_ctx_t  *ctx;

    ngx_str_null(&value);

    ctx = ngx_http_sync_get_ctx(r);

    if (var->kind == NGX_HTTP_SYNC_VAR_TENANT && r == r->main
        && ngx_http_sync_tenant_resolve != NULL
        && (ctx == NULL || ctx->tenant.doc == NULL))
    {
        /* asked for before PREACCESS: a synchronous look-up */

        if (ctx == NULL) {
            ctx = ngx_http_sync_create_ctx(r);
            if (ctx == NULL) {
                return NGX_ERROR;
            }
        }

        /* a refusal is said in PREACCESS, where it is asked again */

        (void) ngx_http_sync_tenant_resolve(r, ctx);
        ctx->problem.status = 0;
        ctx->reason = "";
    }

    if (ctx == NULL) {

        /* a location without steps: what proxy_pass would do without us */

        if (var->kind == NGX_HTTP_SYNC_VAR_METHOD) {
            value = r->method_name;
            goto found;
        }

        if (var->kind == NGX_HTTP_SYNC_VAR_URI) {
            value = r->unparsed_uri;
            goto found;
        }

        v->not_found = 1;
        return NGX_OK;
    }

    switch (var->kind) {

    case NGX_HTTP_SYNC_VAR_STR:
    case NGX_HTTP_SYNC_VAR_TENANT:
        value = *(ngx_str_t *) ((u_char *) ctx + var->offset);
        break;

    case NGX_HTTP_SYNC_VAR_SECRET:
        if (r == r->main) {
            value = *(ngx_str_t *) ((u_char *) ctx + var->offset);
        }

        break;

    case NGX_HTTP_SYNC_VAR_CHARS:
        text = *(const char **) ((u_char *) ctx + var->offset);
        value.data = (u_char *) text;
        value.len = ngx_strlen(text);
        break;

    case NGX_HTTP_SYNC_VAR_ENTITY:
        if (ctx->payload.entity < SYNC_ENTITIES) {
            s = sync_entity_name(ctx->payload.entity);
            value.data = s.data;
            value.len = s.len;
        }

        break;

    case NGX_HTTP_SYNC_VAR_OPERATION:
        if (ctx->payload.operation < SYNC_OPS) {
            s = sync_op_name(ctx->payload.operation);
            value.data = s.data;
            value.len = s.len;
        }

        break;

    case NGX_HTTP_SYNC_VAR_CONNECTOR:
        if (ctx->route.connector != SYNC_DOC_NONE) {
            value.data = ctx->route.c.name.data;
            value.len = ctx->route.c.name.len;
        }

        break;

    case NGX_HTTP_SYNC_VAR_METHOD:
        value = ctx->route.method.len ? ctx->route.method : r->method_name;
        break;

    case NGX_HTTP_SYNC_VAR_URI:
        value = ctx->route.uri.len ? ctx->route.uri : r->unparsed_uri;
        break;
    }

found:

    v->data = value.data;
    v->len = value.len;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}
