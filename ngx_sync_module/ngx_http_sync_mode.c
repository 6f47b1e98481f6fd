
/*
 * What the policies over payloads share.
 */


#include "ngx_http_sync_formats.h"
#include "ngx_http_sync_mode.h"
#include "ngx_http_sync_words.h"


char *
ngx_http_sync_set_mode(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t   *value;
    ngx_uint_t  *mode, i;

    static const char  *modes[] = { "off", "on", "shadow" };

    mode = (ngx_uint_t *) ((u_char *) conf + cmd->offset);

    if (*mode != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    for (i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        if (ngx_strcmp(value[1].data, modes[i]) == 0) {
            *mode = i;
            return NGX_CONF_OK;
        }
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"%V\": \"%V\" is not one of \"off\", \"on\" and "
                       "\"shadow\"", &cmd->name, &value[1]);

    return NGX_CONF_ERROR;
}


ngx_int_t
ngx_http_sync_needs_entity(ngx_conf_t *cf, ngx_http_conf_ctx_t *ctx,
    const char *directive)
{
    ngx_http_core_loc_conf_t  *clcf;
    ngx_http_sync_loc_conf_t  *slcf;

    clcf = ctx->loc_conf[ngx_http_core_module.ctx_index];
    slcf = ctx->loc_conf[ngx_http_sync_module.ctx_index];

    /* at the server it stands for its locations; sync_status needs none */

    if (clcf->name.len == 0 || slcf->status
        || ngx_http_sync_configured(ctx, NGX_HTTP_SYNC_STEP_ENTITY))
    {
        return NGX_OK;
    }

    ngx_http_sync_refuse(cf, ctx, "%s needs sync_entity", directive);

    return NGX_ERROR;
}


ngx_uint_t
ngx_http_sync_writes(ngx_http_sync_ctx_t *ctx)
{
    return ctx->tenant.entry != NULL && ctx->payload.entity != SYNC_ENTITIES
           && sync_op_writes(ctx->payload.operation);
}


ngx_int_t
ngx_http_sync_canonical(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    const sync_json_t **json)
{
    ngx_int_t          rc;
    sync_doc_source_t  source;

    *json = &ctx->payload.canonical;

    if (ctx->payload.canonical.nodes != NULL) {
        return NGX_OK;
    }

    if (ctx->payload.normalize != NGX_HTTP_SYNC_OFF) {
        return NGX_DECLINED;
    }

    if (ngx_http_sync_source(ctx, &source) != NGX_OK) {
        return NGX_ERROR;
    }

    if (source.maps[ctx->payload.entity].len) {
        return NGX_DECLINED;
    }

    *json = &ctx->payload.source;

    rc = ngx_http_sync_read_body(r, ctx);

    return rc == NGX_OK ? ngx_http_sync_read_source(r, ctx) : rc;
}


ngx_int_t
ngx_http_sync_refuse_payload(ngx_http_sync_ctx_t *ctx, const char *step,
    const char *what, sync_faults_t *faults)
{
    ngx_int_t  rc;

    ngx_http_sync_log_faults(ctx, NGX_LOG_INFO, step, what, faults);

    rc = ngx_http_sync_problem(ctx, 422, "invalid-payload",
                               "The payload cannot be processed",
                               NGX_HTTP_SYNC_BUSINESS, "%s", what);

    return ngx_http_sync_problem_faults(ctx, faults) == NGX_OK ? rc : NGX_ERROR;
}


ngx_int_t
ngx_http_sync_problem_faults(ngx_http_sync_ctx_t *ctx, sync_faults_t *faults)
{
    uint32_t  i;

    for (i = 0; i < faults->count; i++) {
        if (ngx_http_sync_problem_fault(ctx, faults->list[i].pointer,
                                        faults->list[i].what,
                                        faults->list[i].text)
            == NGX_ERROR)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_sync_shadowed(ngx_http_sync_ctx_t *ctx, ngx_http_sync_step_e step,
    const char *name, ngx_int_t rc)
{
    ngx_log_error(NGX_LOG_INFO, ctx->request->connection->log, 0,
                  "%s: shadow, would answer %i %s", name,
                  rc == NGX_ERROR ? NGX_HTTP_INTERNAL_SERVER_ERROR : rc,
                  rc == NGX_ERROR ? "internal" : ctx->problem.name);

    ngx_http_sync_trace(ctx, name, "shadow: would refuse");

    ctx->shadow |= 1u << step;
    ctx->problem.status = 0;

    return NGX_OK;
}
