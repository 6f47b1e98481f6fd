
/*
 * Validate: a payload meets the schema of its source before it is mapped, and
 * the canonical schema of its entity after.
 *
 * In shadow what would be refused is counted and logged, and nothing else
 * happens.
 */


#include "ngx_http_sync_formats.h"
#include "ngx_http_sync_mode.h"
#include "ngx_http_sync_registry.h"


typedef struct {
    ngx_uint_t  mode;                    /* off, on or shadow */
} ngx_http_sync_validate_loc_conf_t;


static ngx_uint_t ngx_http_sync_validate_enabled(ngx_http_request_t *r);
static ngx_int_t ngx_http_sync_validate_source_run(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);
static ngx_int_t ngx_http_sync_validate_run(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);
static void ngx_http_sync_validate_leave(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);
static ngx_uint_t ngx_http_sync_validate_mode(ngx_http_request_t *r);
static ngx_int_t ngx_http_sync_validate_json(ngx_http_sync_ctx_t *ctx,
    const sync_schema_t *schema, const sync_json_t *json,
    const char *what);
static ngx_int_t ngx_http_sync_validate_answer(ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_step_e step, ngx_uint_t shadow, ngx_int_t rc);

static void *ngx_http_sync_validate_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_sync_validate_merge_loc_conf(ngx_conf_t *cf,
    void *parent, void *child);
static ngx_int_t ngx_http_sync_validate_check(ngx_conf_t *cf,
    ngx_http_conf_ctx_t *ctx);


static const ngx_http_sync_step_t  ngx_http_sync_validate_source_step = {
    "validate_source",
    NGX_HTTP_SYNC_STAGE_PRECONTENT,
    NGX_HTTP_SYNC_STEP_VALIDATE_SOURCE,
    ngx_http_sync_validate_enabled,
    0,
    ngx_http_sync_validate_source_run,
    NULL,
    ngx_http_sync_validate_leave,
    NULL
};


static const ngx_http_sync_step_t  ngx_http_sync_validate_step = {
    "validate",
    NGX_HTTP_SYNC_STAGE_PRECONTENT,
    NGX_HTTP_SYNC_STEP_VALIDATE,
    ngx_http_sync_validate_enabled,
    0,
    ngx_http_sync_validate_run,
    NULL,
    NULL,
    NULL
};


static ngx_command_t  ngx_http_sync_validate_commands[] = {

    { ngx_string("sync_validate"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_sync_set_mode,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_sync_validate_loc_conf_t, mode),
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_sync_validate_module_ctx = {
    NULL,                                  /* preconfiguration */
    NULL,                                  /* postconfiguration */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_sync_validate_create_loc_conf,
                                           /* create location configuration */
    ngx_http_sync_validate_merge_loc_conf  /* merge location configuration */
};


ngx_module_t  ngx_http_sync_validate_module = {
    NGX_MODULE_V1,
    &ngx_http_sync_validate_module_ctx,    /* module context */
    ngx_http_sync_validate_commands,       /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_uint_t
ngx_http_sync_validate_enabled(ngx_http_request_t *r)
{
    return ngx_http_sync_validate_mode(r) != NGX_HTTP_SYNC_OFF;
}


static ngx_int_t
ngx_http_sync_validate_source_run(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx)
{
    ngx_int_t             rc;
    ngx_uint_t            shadow;
    sync_doc_source_t     source;
    const sync_schema_t  *schema;

    if (!ngx_http_sync_writes(ctx)) {
        return NGX_DECLINED;
    }

    shadow = (ngx_http_sync_validate_mode(r) == NGX_HTTP_SYNC_SHADOW);

    ctx->payload.judged =
        !shadow && ngx_http_sync_tenant_canonical(ctx->tenant.entry,
                                                  ctx->payload.entity)
                   != NULL;

    if (ngx_http_sync_source(ctx, &source) != NGX_OK) {
        return NGX_ERROR;
    }

    if (source.schemas[ctx->payload.entity].len == 0) {
        return NGX_DECLINED;
    }

    schema = ngx_http_sync_tenant_schema(ctx->tenant.entry,
                                         source.schemas[ctx->payload.entity]);
    if (schema == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_http_sync_read_body(r, ctx);
    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_http_sync_read_source(r, ctx);

    if (rc == NGX_OK) {
        rc = ngx_http_sync_validate_json(ctx, schema, &ctx->payload.source,
                                         "the payload does not meet the "
                                         "schema of its source");
    }

    return ngx_http_sync_validate_answer(ctx,
                                         NGX_HTTP_SYNC_STEP_VALIDATE_SOURCE,
                                         shadow, rc);
}


static ngx_int_t
ngx_http_sync_validate_run(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx)
{
    ngx_int_t             rc;
    ngx_uint_t            shadow;
    const sync_json_t    *json;
    const sync_schema_t  *schema;

    if (!ngx_http_sync_writes(ctx)) {
        return NGX_DECLINED;
    }

    schema = ngx_http_sync_tenant_canonical(ctx->tenant.entry,
                                            ctx->payload.entity);
    if (schema == NULL) {
        return NGX_DECLINED;
    }

    /* what was only mapped in shadow refuses nothing */

    shadow = (ngx_http_sync_validate_mode(r) == NGX_HTTP_SYNC_SHADOW
              || ctx->payload.normalize == NGX_HTTP_SYNC_SHADOW);

    rc = ngx_http_sync_canonical(r, ctx, &json);

    if (rc == NGX_DECLINED || rc == NGX_AGAIN) {
        return rc;
    }

    if (rc == NGX_OK) {
        rc = ngx_http_sync_validate_json(ctx, schema, json,
                                         "the canonical payload does not "
                                         "meet its schema");
    }

    return ngx_http_sync_validate_answer(ctx, NGX_HTTP_SYNC_STEP_VALIDATE,
                                         shadow, rc);
}


static ngx_int_t
ngx_http_sync_validate_json(ngx_http_sync_ctx_t *ctx,
    const sync_schema_t *schema, const sync_json_t *json, const char *what)
{
    sync_rc_t      src;
    sync_error_t   err;
    sync_faults_t  faults;

    sync_faults_init(&faults, &ctx->arena);

    if (ctx->payload.operation == SYNC_OP_UPDATE) {
        src = sync_schema_validate_update(schema, json, 0, &ctx->arena,
                                          &ctx->payload.work, &faults, &err);

    } else {
        src = sync_schema_validate(schema, json, 0, &ctx->arena,
                                   &ctx->payload.work, &faults, &err);
    }

    if (src == SYNC_OK) {
        ngx_http_sync_trace(ctx, "validate", "valid");
        return NGX_OK;
    }

    if (src != SYNC_NO) {
        return NGX_ERROR;
    }

    if (ngx_strcmp(err.what, "invalid") != 0) {

        /* nobody knows: what is too much to judge is not let through */

        faults.count = 0;
        sync_faults_add(&faults, json, 0, sync_str_lit(""), err.what,
                        "it takes more work than a request may cost");
    }

    return ngx_http_sync_refuse_payload(ctx, "validate", what, &faults);
}


static ngx_int_t
ngx_http_sync_validate_answer(ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_step_e step, ngx_uint_t shadow, ngx_int_t rc)
{
    if (rc == NGX_OK || rc == NGX_AGAIN || !shadow) {
        return rc;
    }

    return ngx_http_sync_shadowed(ctx, step, "validate", rc);
}


/* An error_page leads elsewhere, where it may be judged by something else. */

static void
ngx_http_sync_validate_leave(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx)
{
    ctx->payload.judged = 0;

    ctx->done &= ~(1u << NGX_HTTP_SYNC_STEP_VALIDATE_SOURCE
                   | 1u << NGX_HTTP_SYNC_STEP_VALIDATE);
}


static ngx_uint_t
ngx_http_sync_validate_mode(ngx_http_request_t *r)
{
    ngx_http_sync_validate_loc_conf_t  *vlcf;

    vlcf = ngx_http_get_module_loc_conf(r, ngx_http_sync_validate_module);

    return vlcf->mode;
}


static void *
ngx_http_sync_validate_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_sync_validate_loc_conf_t  *vlcf;

    vlcf = ngx_palloc(cf->pool, sizeof(ngx_http_sync_validate_loc_conf_t));
    if (vlcf == NULL) {
        return NULL;
    }

    vlcf->mode = NGX_CONF_UNSET_UINT;

    return vlcf;
}


static char *
ngx_http_sync_validate_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child)
{
    ngx_http_sync_validate_loc_conf_t  *prev = parent;
    ngx_http_sync_validate_loc_conf_t  *conf = child;

    ngx_conf_merge_uint_value(conf->mode, prev->mode,
                              NGX_HTTP_SYNC_OFF);

    if (conf->mode == NGX_HTTP_SYNC_OFF) {
        return NGX_CONF_OK;
    }

    if (ngx_http_sync_use(cf, &ngx_http_sync_validate_source_step) != NGX_OK
        || ngx_http_sync_use(cf, &ngx_http_sync_validate_step) != NGX_OK
        || ngx_http_sync_add_check(cf, ngx_http_sync_validate_check)
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_sync_validate_check(ngx_conf_t *cf, ngx_http_conf_ctx_t *ctx)
{
    ngx_http_sync_validate_loc_conf_t  *vlcf;

    vlcf = ctx->loc_conf[ngx_http_sync_validate_module.ctx_index];

    if (vlcf->mode == NGX_HTTP_SYNC_OFF) {
        return NGX_OK;
    }

    return ngx_http_sync_needs_entity(cf, ctx, "sync_validate");
}
