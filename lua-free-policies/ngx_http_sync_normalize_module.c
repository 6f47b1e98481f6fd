
/*
 * Normalize: a request in the words of its client becomes a canonical payload
 * and that one in the words of the connector it is routed to.  Answers go the
 * way back in a response step.
 *
 * In shadow everything is computed and what would be refused is logged; the
 * request and its answer go as they came.
 */


#include "ngx_http_sync.h"
#include "ngx_http_sync_formats.h"
#include "ngx_http_sync_mode.h"
#include "sync_fields.h"


#define NGX_HTTP_SYNC_ANSWER_MAPPED  (4 * 1024 * 1024)   /* bytes, at most */


typedef struct {
    ngx_uint_t  mode;                    /* NGX_HTTP_SYNC_NORMALIZE_* */
} ngx_http_sync_normalize_loc_conf_t;


static ngx_uint_t ngx_http_sync_normalize_enabled(ngx_http_request_t *r);
static ngx_int_t ngx_http_sync_canonical_run(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);
static ngx_int_t ngx_http_sync_canonical_body(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);
static ngx_int_t ngx_http_sync_canonical_make(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);
static ngx_int_t ngx_http_sync_target_run(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);
static ngx_int_t ngx_http_sync_target_make(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, const sync_doc_operation_t *operation);
static ngx_uint_t ngx_http_sync_target_as_came(ngx_http_sync_ctx_t *ctx,
    const sync_doc_operation_t *operation);
static void ngx_http_sync_normalize_leave(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);

static ngx_int_t ngx_http_sync_normalize_encoding(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);
static ngx_uint_t ngx_http_sync_normalize_charset(ngx_str_t *type,
    ngx_str_t *charset);
static ngx_int_t ngx_http_sync_normalize_type(ngx_http_sync_ctx_t *ctx,
    const char *fmt, ngx_str_t *what);
static ngx_int_t ngx_http_sync_normalize_result(ngx_http_sync_ctx_t *ctx,
    ngx_int_t rc, sync_faults_t *faults, const char *what);
static ngx_int_t ngx_http_sync_normalize_misconfigured(
    ngx_http_sync_ctx_t *ctx);
static ngx_int_t ngx_http_sync_normalize_shadow(ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_step_e step, const char *name, ngx_int_t rc);

static void *ngx_http_sync_normalize_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_sync_normalize_merge_loc_conf(ngx_conf_t *cf,
    void *parent, void *child);
static ngx_uint_t ngx_http_sync_normalize_configured(
    ngx_http_conf_ctx_t *ctx);
static ngx_int_t ngx_http_sync_normalize_check(ngx_conf_t *cf,
    ngx_http_conf_ctx_t *ctx);


static const ngx_http_sync_step_t  ngx_http_sync_canonical_step = {
    "canonical",
    NGX_HTTP_SYNC_STAGE_PRECONTENT,
    NGX_HTTP_SYNC_STEP_CANONICAL,
    ngx_http_sync_normalize_enabled,
    0,
    ngx_http_sync_canonical_run,
    NULL,
    ngx_http_sync_normalize_leave,
    NULL
};


static const ngx_http_sync_step_t  ngx_http_sync_target_step = {
    "target",
    NGX_HTTP_SYNC_STAGE_PRECONTENT,
    NGX_HTTP_SYNC_STEP_TARGET,
    ngx_http_sync_normalize_enabled,
    0,
    ngx_http_sync_target_run,
    NULL,
    NULL,
    NULL
};


static ngx_command_t  ngx_http_sync_normalize_commands[] = {

    { ngx_string("sync_normalize"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_sync_set_mode,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_sync_normalize_loc_conf_t, mode),
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_sync_normalize_module_ctx = {
    NULL,                                  /* preconfiguration */
    NULL,                                  /* postconfiguration */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_sync_normalize_create_loc_conf,
                                           /* create location configuration */
    ngx_http_sync_normalize_merge_loc_conf /* merge location configuration */
};


ngx_module_t  ngx_http_sync_normalize_module = {
    NGX_MODULE_V1,
    &ngx_http_sync_normalize_module_ctx,   /* module context */
    ngx_http_sync_normalize_commands,      /* module directives */
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
ngx_http_sync_normalize_enabled(ngx_http_request_t *r)
{
    ngx_http_sync_normalize_loc_conf_t  *nlcf;

    nlcf = ngx_http_get_module_loc_conf(r, ngx_http_sync_normalize_module);

    return nlcf->mode != NGX_HTTP_SYNC_OFF;
}


static ngx_int_t
ngx_http_sync_canonical_run(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx)
{
    ngx_int_t                            rc;
    ngx_http_sync_normalize_loc_conf_t  *nlcf;

    nlcf = ngx_http_get_module_loc_conf(r, ngx_http_sync_normalize_module);

    ctx->payload.normalize = nlcf->mode;

    if (!sync_op_writes(ctx->payload.operation)) {
        return NGX_DECLINED;
    }

    /* a body that cannot be read is refused in shadow, too */

    rc = ngx_http_sync_read_body(r, ctx);
    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_http_sync_canonical_body(r, ctx);

    if (rc == NGX_OK) {
        rc = ngx_http_sync_canonical_make(r, ctx);
    }

    if (rc != NGX_OK) {
        ctx->payload.canonical.nodes = NULL;
    }

    return ngx_http_sync_normalize_shadow(ctx, NGX_HTTP_SYNC_STEP_CANONICAL,
                                          "canonical", rc);
}


/* What came is of the client's format, in UTF-8, as it stands. */

static ngx_int_t
ngx_http_sync_canonical_body(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx)
{
    ngx_int_t  rc;

    if (ctx->payload.body.len) {
        rc = ngx_http_sync_normalize_encoding(r, ctx);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    return ngx_http_sync_read_source(r, ctx);
}


/* Source to canonical, judged. */

static ngx_int_t
ngx_http_sync_canonical_make(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx)
{
    sync_rc_t             rc;
    ngx_int_t             n;
    ngx_uint_t            update;
    sync_str_t            text;
    sync_faults_t         faults;
    const sync_map_t     *map;
    const sync_fields_t  *fields;

    update = (ctx->payload.operation == SYNC_OP_UPDATE);

    sync_faults_init(&faults, &ctx->arena);

    n = ngx_http_sync_source_map(ctx, &map);

    if (n == NGX_ERROR) {
        return ngx_http_sync_normalize_misconfigured(ctx);
    }

    if (n == NGX_DECLINED) {
        ctx->payload.canonical = ctx->payload.source;

    } else {
        n = ngx_http_sync_map_words(ctx, map, SYNC_MAP_WRITE,
                                    &ctx->payload.source, update, &text,
                                    &faults);
        if (n != NGX_OK) {
            return ngx_http_sync_normalize_result(ctx, n, &faults,
                                                  "the payload cannot be "
                                                  "mapped");
        }

        n = ngx_http_sync_words_parse(ctx, text, &ctx->payload.canonical,
                                      &faults);
        if (n != NGX_OK) {
            return ngx_http_sync_normalize_result(ctx, n, &faults,
                                                  "the canonical payload is "
                                                  "out of bounds");
        }
    }

    fields = ctx->payload.entity == SYNC_ENTITIES || ctx->payload.judged
             ? NULL
             : sync_fields_find(sync_entity_name(ctx->payload.entity));

    rc = sync_fields_check(fields, &ctx->payload.canonical, 0, update,
                           &ctx->payload.work, &faults);

    if (rc == SYNC_OK) {
        ngx_http_sync_trace(ctx, "canonical", "%uz bytes from %s words",
                            ctx->payload.canonical.text.len,
                            ctx->payload.canonical.nodes
                            == ctx->payload.source.nodes ? "canonical"
                                                         : "a client's");
        return NGX_OK;
    }

    return ngx_http_sync_normalize_result(ctx, rc == SYNC_NO ? NGX_DECLINED
                                                             : NGX_ERROR,
                                          &faults,
                                          "the canonical payload is not "
                                          "valid");
}


static ngx_int_t
ngx_http_sync_target_run(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx)
{
    ngx_int_t             rc;
    ngx_str_t             type;
    sync_doc_operation_t  operation;

    if (ctx->route.connector != SYNC_DOC_NONE
        && ctx->payload.normalize == NGX_HTTP_SYNC_ON
        && ctx->answer.cap < NGX_HTTP_SYNC_ANSWER_MAPPED)
    {
        ctx->answer.cap = NGX_HTTP_SYNC_ANSWER_MAPPED;
    }

    ngx_memzero(&operation, sizeof(sync_doc_operation_t));

    if (ctx->route.connector != SYNC_DOC_NONE
        && sync_doc_operation(ctx->tenant.doc, ctx->route.connector,
                              ctx->payload.entity, ctx->payload.operation,
                              &operation)
           != SYNC_OK)
    {
        return NGX_ERROR;
    }

    /* a read, a delete: what the connector is asked may need words, too */

    if (ctx->payload.canonical.nodes == NULL && operation.body.len == 0) {
        return NGX_DECLINED;
    }

    rc = ngx_http_sync_target_make(r, ctx, &operation);

    if (rc != NGX_OK) {
        ngx_str_null(&ctx->payload.target);
        return ngx_http_sync_normalize_shadow(ctx, NGX_HTTP_SYNC_STEP_TARGET,
                                              "target", rc);
    }

    if (ctx->payload.normalize == NGX_HTTP_SYNC_SHADOW) {
        ngx_str_null(&ctx->payload.target);
        return NGX_OK;
    }

    if (ctx->payload.target.data == NULL) {
        return NGX_OK;
    }

    if (ctx->route.connector == SYNC_DOC_NONE) {
        ngx_str_set(&type, "application/json");

    } else if (ngx_http_sync_target_headers(r, ctx, &operation, &type)
               != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_sync_replace_body(r, &ctx->payload.target, &type);
}


/* Canonical to target; without a map what is canonical goes. */

static ngx_int_t
ngx_http_sync_target_make(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    const sync_doc_operation_t *operation)
{
    ngx_int_t          rc;
    sync_str_t         text;
    sync_faults_t      faults;
    const sync_map_t  *map;

    sync_faults_init(&faults, &ctx->arena);

    text = sync_str_null;

    rc = ngx_http_sync_connector_map(ctx, &map);

    if (rc == NGX_ERROR) {
        return ngx_http_sync_normalize_misconfigured(ctx);
    }

    if (ctx->payload.canonical.nodes == NULL) {

        /* no payload, and a body that asks without one */

    } else if (rc == NGX_DECLINED) {

        if (ngx_http_sync_target_as_came(ctx, operation)) {
            return NGX_OK;
        }

        text = ctx->payload.canonical.text;

    } else {
        rc = ngx_http_sync_map_words(ctx, map, SYNC_MAP_WRITE,
                                     &ctx->payload.canonical,
                                     ctx->payload.operation == SYNC_OP_UPDATE,
                                     &text, &faults);
        if (rc != NGX_OK) {
            return ngx_http_sync_normalize_result(ctx, rc, &faults,
                                                  "the canonical payload "
                                                  "cannot be mapped for the "
                                                  "connector");
        }
    }

    if (ctx->route.connector != SYNC_DOC_NONE) {
        rc = ngx_http_sync_write_target(ctx, operation, &text);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    ctx->payload.target.data = text.data;
    ctx->payload.target.len = text.len;

    ngx_http_sync_trace(ctx, "target", "%uz bytes", text.len);

    return NGX_OK;
}


/* The words are canonical on both sides, and JSON. */

static ngx_uint_t
ngx_http_sync_target_as_came(ngx_http_sync_ctx_t *ctx,
    const sync_doc_operation_t *operation)
{
    return ctx->payload.canonical.nodes == ctx->payload.source.nodes
           && ctx->payload.format == SYNC_FORMAT_JSON
           && (ctx->route.connector == SYNC_DOC_NONE
               || (operation->body.len == 0
                   && ctx->route.c.format != SYNC_FORMAT_JSON_RPC
                   && sync_format_is_json(ctx->route.c.format)));
}


/*
 * An error_page leads elsewhere: what was made here is not for there, where the
 * body is what came, until it is mapped again.
 */

static void
ngx_http_sync_normalize_leave(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx)
{
    ctx->payload.normalize = NGX_HTTP_SYNC_OFF;
    ctx->payload.canonical.nodes = NULL;

    ctx->done &= ~(1u << NGX_HTTP_SYNC_STEP_CANONICAL
                   | 1u << NGX_HTTP_SYNC_STEP_TARGET);

    if (ctx->payload.target.data != NULL) {
        ngx_str_null(&ctx->payload.target);

        (void) ngx_http_sync_replace_body(r, &ctx->payload.body,
                                          &ctx->payload.media_type);
    }
}


static ngx_int_t
ngx_http_sync_normalize_encoding(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx)
{
    ngx_str_t         charset;
    ngx_uint_t        lines;
    ngx_table_elt_t  *h;

    static ngx_str_t  content_encoding = ngx_string("content-encoding");
    static ngx_str_t  content_type = ngx_string("content-type");

    h = ngx_http_sync_header_in(r, &content_encoding, &lines);

    if (h != NULL
        && (lines > 1
            || h->value.len != sizeof("identity") - 1
            || ngx_strncasecmp(h->value.data, (u_char *) "identity",
                               sizeof("identity") - 1)
               != 0))
    {
        return ngx_http_sync_normalize_type(ctx,
                                            "Content-Encoding \"%V\" is not "
                                            "supported, the body must come "
                                            "as it is", &h->value);
    }

    h = ngx_http_sync_header_in(r, &content_type, &lines);

    if (h == NULL) {
        return NGX_OK;
    }

    if (lines > 1) {
        return ngx_http_sync_normalize_type(ctx,
                                            "Content-Type \"%V\" is not "
                                            "the only one", &h->value);
    }

    if (ngx_http_sync_normalize_charset(&h->value, &charset)) {
        return NGX_OK;
    }

    return ngx_http_sync_normalize_type(ctx,
                                        "charset \"%V\" is not supported, "
                                        "utf-8 is", &charset);
}


/* Is the charset of a Content-Type UTF-8, or none? */

static ngx_uint_t
ngx_http_sync_normalize_charset(ngx_str_t *type, ngx_str_t *charset)
{
    u_char  *p, *last, *end;

    last = type->data + type->len;

    for (p = type->data; p < last; p = end + 1) {

        end = ngx_strlchr(p, last, ';');
        if (end == NULL) {
            end = last;
        }

        while (p < end && (*p == ' ' || *p == '\t')) {
            p++;
        }

        if (end - p <= (ssize_t) sizeof("charset=") - 1
            || ngx_strncasecmp(p, (u_char *) "charset=",
                               sizeof("charset=") - 1)
               != 0)
        {
            continue;
        }

        p += sizeof("charset=") - 1;

        charset->data = p;
        charset->len = end - p;

        while (charset->len
               && (charset->data[charset->len - 1] == ' '
                   || charset->data[charset->len - 1] == '\t'))
        {
            charset->len--;
        }

        if (charset->len >= 2 && charset->data[0] == '"'
            && charset->data[charset->len - 1] == '"')
        {
            charset->data++;
            charset->len -= 2;
        }

        if (charset->len != sizeof("utf-8") - 1
            || ngx_strncasecmp(charset->data, (u_char *) "utf-8",
                               sizeof("utf-8") - 1)
               != 0)
        {
            return 0;
        }
    }

    return 1;
}


static ngx_int_t
ngx_http_sync_normalize_type(ngx_http_sync_ctx_t *ctx, const char *fmt,
    ngx_str_t *what)
{
    return ngx_http_sync_problem(ctx, NGX_HTTP_UNSUPPORTED_MEDIA_TYPE,
                                 "unsupported-media-type", NULL,
                                 NGX_HTTP_SYNC_BUSINESS, fmt, what);
}


/* The refusal for what a run answered. */

static ngx_int_t
ngx_http_sync_normalize_result(ngx_http_sync_ctx_t *ctx, ngx_int_t rc,
    sync_faults_t *faults, const char *what)
{
    if (rc == NGX_BUSY) {
        return ngx_http_sync_problem(ctx, NGX_HTTP_SERVICE_UNAVAILABLE,
                                     "buffers-exhausted",
                                     "No memory for the payload now",
                                     NGX_HTTP_SYNC_TECHNICAL,
                                     "sync_buffers of this worker are in use");
    }

    if (rc != NGX_DECLINED) {
        return NGX_ERROR;
    }

    return ngx_http_sync_refuse_payload(ctx, "normalize", what, faults);
}


static ngx_int_t
ngx_http_sync_normalize_misconfigured(ngx_http_sync_ctx_t *ctx)
{
    ngx_log_error(NGX_LOG_ERR, ctx->request->connection->log, 0,
                  "normalize: a map of tenant \"%V\" is missing",
                  &ctx->tenant.name);

    return ngx_http_sync_problem(ctx, NGX_HTTP_SERVICE_UNAVAILABLE,
                                 "tenant-misconfigured",
                                 "The tenant is not set up right",
                                 NGX_HTTP_SYNC_TECHNICAL, "");
}


static ngx_int_t
ngx_http_sync_normalize_shadow(ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_step_e step, const char *name, ngx_int_t rc)
{
    if (rc == NGX_OK || ctx->payload.normalize != NGX_HTTP_SYNC_SHADOW) {
        return rc;
    }

    return ngx_http_sync_shadowed(ctx, step, name, rc);
}


static void *
ngx_http_sync_normalize_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_sync_normalize_loc_conf_t  *nlcf;

    nlcf = ngx_palloc(cf->pool, sizeof(ngx_http_sync_normalize_loc_conf_t));
    if (nlcf == NULL) {
        return NULL;
    }

    nlcf->mode = NGX_CONF_UNSET_UINT;

    return nlcf;
}


static char *
ngx_http_sync_normalize_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child)
{
    ngx_http_sync_normalize_loc_conf_t  *prev = parent;
    ngx_http_sync_normalize_loc_conf_t  *conf = child;

    ngx_conf_merge_uint_value(conf->mode, prev->mode,
                              NGX_HTTP_SYNC_OFF);

    if (conf->mode == NGX_HTTP_SYNC_OFF) {
        return NGX_CONF_OK;
    }

    ngx_http_sync_tell_configured(cf, NGX_HTTP_SYNC_STEP_CANONICAL,
                                  ngx_http_sync_normalize_configured);

    if (ngx_http_sync_use(cf, &ngx_http_sync_canonical_step) != NGX_OK
        || ngx_http_sync_use(cf, &ngx_http_sync_target_step) != NGX_OK
        || ngx_http_sync_use(cf, &ngx_http_sync_classify_step) != NGX_OK
        || ngx_http_sync_use(cf, &ngx_http_sync_map_back_step) != NGX_OK
        || ngx_http_sync_add_check(cf, ngx_http_sync_normalize_check)
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static ngx_uint_t
ngx_http_sync_normalize_configured(ngx_http_conf_ctx_t *ctx)
{
    ngx_http_sync_normalize_loc_conf_t  *nlcf;

    nlcf = ctx->loc_conf[ngx_http_sync_normalize_module.ctx_index];

    return nlcf->mode != NGX_HTTP_SYNC_OFF;
}


static ngx_int_t
ngx_http_sync_normalize_check(ngx_conf_t *cf, ngx_http_conf_ctx_t *ctx)
{
    if (!ngx_http_sync_normalize_configured(ctx)) {
        return NGX_OK;
    }

    return ngx_http_sync_needs_entity(cf, ctx, "sync_normalize");
}
