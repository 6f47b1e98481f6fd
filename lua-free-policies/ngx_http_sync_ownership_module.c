
/*
 * Ownership: which systems write an attribute of a canonical entity, by the
 * tenant's document ("ownership") and by the entity's schema ("x-owner").  A
 * write by any other source is refused, or goes on without the attribute, and
 * the client is told which.
 *
 * In shadow what would be refused or dropped is counted and logged, and
 * nothing else happens.
 */


#include "ngx_http_sync_formats.h"
#include "ngx_http_sync_mode.h"
#include "ngx_http_sync_registry.h"
#include "sync_edit.h"


#define NGX_HTTP_SYNC_OWNERSHIP_REFUSE  0
#define NGX_HTTP_SYNC_OWNERSHIP_DROP    1

#define NGX_HTTP_SYNC_OWNERSHIP_TOLD    1024     /* bytes of a header */


typedef struct {
    ngx_uint_t  mode;                    /* off, on or shadow */
    ngx_uint_t  wrong;                   /* likewise */
} ngx_http_sync_ownership_loc_conf_t;


static ngx_uint_t ngx_http_sync_ownership_enabled(ngx_http_request_t *r);
static ngx_int_t ngx_http_sync_ownership_run(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);
static void ngx_http_sync_ownership_leave(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);
static ngx_int_t ngx_http_sync_ownership_find(ngx_http_sync_ctx_t *ctx,
    sync_edit_t *edit);
static ngx_uint_t ngx_http_sync_ownership_marked(
    const sync_schema_mark_t *mark, sync_str_t source);
static ngx_uint_t ngx_http_sync_ownership_said(ngx_http_sync_ctx_t *ctx,
    sync_str_t pattern);
static ngx_int_t ngx_http_sync_ownership_faults(sync_edit_t *edit,
    sync_faults_t *faults);
static ngx_int_t ngx_http_sync_ownership_refuse(ngx_http_sync_ctx_t *ctx,
    sync_faults_t *faults);
static ngx_uint_t ngx_http_sync_ownership_droppable(
    ngx_http_sync_ctx_t *ctx);
static ngx_int_t ngx_http_sync_ownership_drop(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, sync_edit_t *edit, sync_faults_t *faults);
static ngx_int_t ngx_http_sync_ownership_tell(ngx_http_sync_ctx_t *ctx,
    sync_faults_t *faults);

static void *ngx_http_sync_ownership_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_sync_ownership_merge_loc_conf(ngx_conf_t *cf,
    void *parent, void *child);
static ngx_int_t ngx_http_sync_ownership_check(ngx_conf_t *cf,
    ngx_http_conf_ctx_t *ctx);
static char *ngx_http_sync_ownership(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


static const ngx_http_sync_step_t  ngx_http_sync_ownership_step = {
    "ownership",
    NGX_HTTP_SYNC_STAGE_PRECONTENT,
    NGX_HTTP_SYNC_STEP_OWNERSHIP,
    ngx_http_sync_ownership_enabled,
    0,
    ngx_http_sync_ownership_run,
    NULL,
    ngx_http_sync_ownership_leave,
    NULL
};


static ngx_command_t  ngx_http_sync_ownership_commands[] = {

    { ngx_string("sync_ownership"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE12,
      ngx_http_sync_ownership,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_sync_ownership_loc_conf_t, mode),
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_sync_ownership_module_ctx = {
    NULL,                                  /* preconfiguration */
    NULL,                                  /* postconfiguration */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_sync_ownership_create_loc_conf,
                                           /* create location configuration */
    ngx_http_sync_ownership_merge_loc_conf /* merge location configuration */
};


ngx_module_t  ngx_http_sync_ownership_module = {
    NGX_MODULE_V1,
    &ngx_http_sync_ownership_module_ctx,   /* module context */
    ngx_http_sync_ownership_commands,      /* module directives */
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
ngx_http_sync_ownership_enabled(ngx_http_request_t *r)
{
    ngx_http_sync_ownership_loc_conf_t  *olcf;

    olcf = ngx_http_get_module_loc_conf(r, ngx_http_sync_ownership_module);

    return olcf->mode != NGX_HTTP_SYNC_OFF;
}


static ngx_int_t
ngx_http_sync_ownership_run(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx)
{
    ngx_int_t                            rc;
    sync_edit_t                          edit;
    sync_faults_t                        faults;
    const sync_json_t                   *json;
    ngx_http_sync_ownership_loc_conf_t  *olcf;

    if (!ngx_http_sync_writes(ctx)) {
        return NGX_DECLINED;
    }

    olcf = ngx_http_get_module_loc_conf(r, ngx_http_sync_ownership_module);

    rc = ngx_http_sync_canonical(r, ctx, &json);

    if (rc != NGX_OK) {
        return rc;
    }

    sync_edit_init(&edit, json, &ctx->arena);
    sync_faults_init(&faults, &ctx->arena);

    rc = ngx_http_sync_ownership_find(ctx, &edit);

    if (rc == NGX_OK && edit.count == 0) {
        return NGX_OK;
    }

    if (rc == NGX_OK) {
        rc = ngx_http_sync_ownership_faults(&edit, &faults);
    }

    if (rc != NGX_OK && rc != NGX_DECLINED) {
        return rc;
    }

    if (rc == NGX_DECLINED) {

        /* nobody knows what else is not theirs */

        rc = ngx_http_sync_problem(ctx, 422, "invalid-payload",
                                   "The payload cannot be processed",
                                   NGX_HTTP_SYNC_BUSINESS,
                                   "it takes more work than a request may "
                                   "cost");

    } else if (olcf->wrong == NGX_HTTP_SYNC_OWNERSHIP_REFUSE
               || !ngx_http_sync_ownership_droppable(ctx))
    {
        rc = ngx_http_sync_ownership_refuse(ctx, &faults);

    } else if (olcf->mode == NGX_HTTP_SYNC_ON
               && ctx->payload.normalize != NGX_HTTP_SYNC_SHADOW)
    {
        return ngx_http_sync_ownership_drop(r, ctx, &edit, &faults);
    }

    if (olcf->mode == NGX_HTTP_SYNC_ON
        && ctx->payload.normalize != NGX_HTTP_SYNC_SHADOW)
    {
        return rc;
    }

    /* $sync_reason keeps what it would have been, the verdict stays */

    ngx_http_sync_log_faults(ctx, NGX_LOG_INFO, "ownership: shadow",
                             "attributes that are another system's",
                             &faults);

    ngx_http_sync_trace(ctx, "ownership", "shadow: would %s",
                        olcf->wrong == NGX_HTTP_SYNC_OWNERSHIP_REFUSE
                        ? "refuse" : "drop");

    ctx->shadow |= 1u << NGX_HTTP_SYNC_STEP_OWNERSHIP;
    ctx->problem.status = 0;

    return NGX_OK;
}


/*
 * The places that the source does not own.  The document's word for a pattern
 * stands before the schema's.  NGX_DECLINED: too much.
 */

static ngx_int_t
ngx_http_sync_ownership_find(ngx_http_sync_ctx_t *ctx, sync_edit_t *edit)
{
    uint32_t                   i, n;
    sync_rc_t                  rc;
    sync_str_t                 source;
    sync_doc_owner_t           owner;
    const sync_schema_mark_t  *marks;

    source = ngx_http_sync_source_name(ctx);
    rc = SYNC_OK;

    for (i = 0; rc == SYNC_OK && i < sync_doc_owners(ctx->tenant.doc); i++) {

        if (sync_doc_owner_at(ctx->tenant.doc, i, &owner) != SYNC_OK
            || owner.entity != ctx->payload.entity
            || sync_doc_has(ctx->tenant.doc, owner.owners, source))
        {
            continue;
        }

        rc = sync_edit_add(edit, 0, owner.pattern, SYNC_EDIT_REMOVE,
                           &ctx->payload.work);
    }

    marks = NULL;
    n = ngx_http_sync_tenant_owners(ctx->tenant.entry, ctx->payload.entity,
                                    &marks);

    for (i = 0; rc == SYNC_OK && i < n; i++) {

        if (!ngx_http_sync_ownership_marked(&marks[i], source)
            && !ngx_http_sync_ownership_said(ctx, marks[i].pattern))
        {
            rc = sync_edit_add(edit, 0, marks[i].pattern, SYNC_EDIT_REMOVE,
                               &ctx->payload.work);
        }
    }

    return rc == SYNC_OK ? NGX_OK : rc == SYNC_NO ? NGX_DECLINED : NGX_ERROR;
}


/* "x-owner": "sap", or a list */

static ngx_uint_t
ngx_http_sync_ownership_marked(const sync_schema_mark_t *mark,
    sync_str_t source)
{
    uint32_t  i;

    if (mark->json->nodes[mark->value].type == SYNC_JSON_STRING) {
        return sync_json_equals(mark->json, mark->value, source);
    }

    if (mark->json->nodes[mark->value].type != SYNC_JSON_ARRAY) {
        return 0;
    }

    for (i = sync_json_first(mark->json, mark->value); i != SYNC_JSON_NONE;
         i = sync_json_after(mark->json, mark->value, i))
    {
        if (mark->json->nodes[i].type == SYNC_JSON_STRING
            && sync_json_equals(mark->json, i, source))
        {
            return 1;
        }
    }

    return 0;
}


static ngx_uint_t
ngx_http_sync_ownership_said(ngx_http_sync_ctx_t *ctx, sync_str_t pattern)
{
    uint32_t          i;
    sync_doc_owner_t  owner;

    for (i = 0; i < sync_doc_owners(ctx->tenant.doc); i++) {
        if (sync_doc_owner_at(ctx->tenant.doc, i, &owner) == SYNC_OK
            && owner.entity == ctx->payload.entity
            && sync_str_eq(owner.pattern, pattern))
        {
            return 1;
        }
    }

    return 0;
}


static ngx_int_t
ngx_http_sync_ownership_faults(sync_edit_t *edit, sync_faults_t *faults)
{
    uint32_t  i;

    sync_edit_sort(edit);

    for (i = 0; i < edit->count; i++) {

        if (faults->count == SYNC_FAULTS_MAX) {
            break;
        }

        sync_faults_add(faults, edit->json, edit->places[i].node,
                        sync_str_lit(""), "owner",
                        "is written by another system");
    }

    return sync_faults_result(faults) == SYNC_FAULT ? NGX_ERROR : NGX_OK;
}


static ngx_int_t
ngx_http_sync_ownership_refuse(ngx_http_sync_ctx_t *ctx,
    sync_faults_t *faults)
{
    ngx_int_t  rc;

    ngx_http_sync_log_faults(ctx, NGX_LOG_INFO, "ownership",
                             "attributes that are another system's", faults);

    rc = ngx_http_sync_problem(ctx, NGX_HTTP_FORBIDDEN, "not-the-owner",
                               "An attribute is another system's",
                               NGX_HTTP_SYNC_BUSINESS,
                               "leave them out, or let their owner write them");

    return ngx_http_sync_problem_faults(ctx, faults) == NGX_OK ? rc : NGX_ERROR;
}


/* What is not mapped is written again as JSON, and so must have come so. */

static ngx_uint_t
ngx_http_sync_ownership_droppable(ngx_http_sync_ctx_t *ctx)
{
    sync_doc_source_t  source;

    return ctx->payload.canonical.nodes != NULL
           || (ngx_http_sync_source(ctx, &source) == NGX_OK
               && source.format == SYNC_FORMAT_JSON);
}


/* What is left goes on, and the client learns what was not. */

static ngx_int_t
ngx_http_sync_ownership_drop(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    sync_edit_t *edit, sync_faults_t *faults)
{
    sync_rc_t      rc;
    ngx_str_t      body, type;
    sync_str_t     text;
    sync_json_t    json;
    sync_faults_t  none;

    ngx_http_sync_log_faults(ctx, NGX_LOG_INFO, "ownership",
                             "dropped attributes that are another system's",
                             faults);
    ngx_http_sync_trace(ctx, "ownership", "dropped %uD", edit->count);

    if (ngx_http_sync_ownership_tell(ctx, faults) != NGX_OK) {
        return NGX_ERROR;
    }

    rc = sync_edit_write(edit, 0, 0, &text);

    if (rc != SYNC_OK) {
        return NGX_ERROR;
    }

    if (ctx->payload.canonical.nodes == NULL) {

        body.data = text.data;
        body.len = text.len;
        ngx_str_set(&type, "application/json");

        return ngx_http_sync_replace_body(r, &body, &type);
    }

    sync_faults_init(&none, &ctx->arena);

    switch (ngx_http_sync_words_parse(ctx, text, &json, &none)) {

    case NGX_OK:
        ctx->payload.canonical = json;
        return NGX_OK;

    case NGX_BUSY:
        return ngx_http_sync_problem(ctx, NGX_HTTP_SERVICE_UNAVAILABLE,
                                     "buffers-exhausted",
                                     "No memory for the payload now",
                                     NGX_HTTP_SYNC_TECHNICAL,
                                     "sync_buffers of this worker are in use");
    }

    return NGX_ERROR;
}


/* X-Sync-Dropped: /total, /items/0/price */

static ngx_int_t
ngx_http_sync_ownership_tell(ngx_http_sync_ctx_t *ctx, sync_faults_t *faults)
{
    u_char      *p, *last, ch;
    size_t       n;
    uint32_t     i;
    sync_str_t   s;

    static u_char  hex[] = "0123456789ABCDEF";

    p = ngx_pnalloc(ctx->request->pool, NGX_HTTP_SYNC_OWNERSHIP_TOLD);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ctx->dropped.data = p;
    last = p + NGX_HTTP_SYNC_OWNERSHIP_TOLD;

    for (i = 0; i < faults->count; i++) {
        s = faults->list[i].pointer;

        if ((size_t) (last - p) < s.len * 3 + sizeof(", ...")) {
            p = ngx_cpymem(p, ", ...", 5);
            break;
        }

        if (i) {
            *p++ = ',';
            *p++ = ' ';
        }

        for (n = 0; n < s.len; n++) {
            ch = s.data[n];

            if (ch > 0x20 && ch < 0x7f && ch != ',' && ch != '%') {
                *p++ = ch;
                continue;
            }

            *p++ = '%';
            *p++ = hex[ch >> 4];
            *p++ = hex[ch & 0xf];
        }
    }

    ctx->dropped.len = p - ctx->dropped.data;

    return NGX_OK;
}


/* An error_page leads elsewhere, where others may be the owners. */

static void
ngx_http_sync_ownership_leave(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx)
{
    ctx->done &= ~(1u << NGX_HTTP_SYNC_STEP_OWNERSHIP);
    ngx_str_null(&ctx->dropped);
}


static void *
ngx_http_sync_ownership_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_sync_ownership_loc_conf_t  *olcf;

    olcf = ngx_palloc(cf->pool, sizeof(ngx_http_sync_ownership_loc_conf_t));
    if (olcf == NULL) {
        return NULL;
    }

    olcf->mode = NGX_CONF_UNSET_UINT;
    olcf->wrong = NGX_CONF_UNSET_UINT;

    return olcf;
}


static char *
ngx_http_sync_ownership_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child)
{
    ngx_http_sync_ownership_loc_conf_t  *prev = parent;
    ngx_http_sync_ownership_loc_conf_t  *conf = child;

    if (conf->mode == NGX_CONF_UNSET_UINT) {
        conf->wrong = prev->wrong;
    }

    ngx_conf_merge_uint_value(conf->mode, prev->mode,
                              NGX_HTTP_SYNC_OFF);

    if (conf->wrong == NGX_CONF_UNSET_UINT) {
        conf->wrong = NGX_HTTP_SYNC_OWNERSHIP_REFUSE;
    }

    if (conf->mode == NGX_HTTP_SYNC_OFF) {
        return NGX_CONF_OK;
    }

    if (ngx_http_sync_use(cf, &ngx_http_sync_ownership_step) != NGX_OK
        || ngx_http_sync_add_check(cf, ngx_http_sync_ownership_check)
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_sync_ownership_check(ngx_conf_t *cf, ngx_http_conf_ctx_t *ctx)
{
    ngx_http_sync_ownership_loc_conf_t  *olcf;

    olcf = ctx->loc_conf[ngx_http_sync_ownership_module.ctx_index];

    if (olcf->mode == NGX_HTTP_SYNC_OFF) {
        return NGX_OK;
    }

    return ngx_http_sync_needs_entity(cf, ctx, "sync_ownership");
}


static char *
ngx_http_sync_ownership(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_sync_ownership_loc_conf_t  *olcf = conf;

    char       *rv;
    ngx_str_t  *value;

    rv = ngx_http_sync_set_mode(cf, cmd, conf);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    value = cf->args->elts;

    if (cf->args->nelts == 2) {
        return NGX_CONF_OK;
    }

    if (ngx_strcmp(value[2].data, "wrong=refuse") == 0) {
        olcf->wrong = NGX_HTTP_SYNC_OWNERSHIP_REFUSE;

    } else if (ngx_strcmp(value[2].data, "wrong=drop") == 0) {
        olcf->wrong = NGX_HTTP_SYNC_OWNERSHIP_DROP;

    } else {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "unknown parameter \"%V\" in sync_ownership, it "
                           "must be \"wrong=refuse\" or \"wrong=drop\"",
                           &value[2]);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}
