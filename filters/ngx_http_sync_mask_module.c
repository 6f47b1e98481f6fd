
/*
 * Mask: what of an answer its client may not see is hidden, by the tenant's
 * document and the scopes of today; on replays too, for what is kept is not
 * masked.  An answer that cannot be read is not shown at all.
 *
 * In shadow what would be hidden is counted and logged, and the answer goes
 * as it came.
 */


#include "ngx_http_sync.h"
#include "ngx_http_sync_mode.h"
#include "ngx_http_sync_words.h"
#include "sync_edit.h"



#define NGX_HTTP_SYNC_MASK_CAP     (4 * 1024 * 1024)


typedef struct {
    ngx_uint_t  mode;                    /* NGX_HTTP_SYNC_MASK_* */
} ngx_http_sync_mask_loc_conf_t;


static ngx_uint_t ngx_http_sync_mask_enabled(ngx_http_request_t *r);
static ngx_uint_t ngx_http_sync_mask_mode(ngx_http_request_t *r);
static ngx_uint_t ngx_http_sync_mask_applies(ngx_http_sync_ctx_t *ctx,
    const sync_doc_mask_t *mask);
static ngx_uint_t ngx_http_sync_mask_scope(ngx_str_t *scopes,
    sync_str_t scope);
static ngx_int_t ngx_http_sync_mask_ask_run(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);
static ngx_int_t ngx_http_sync_mask_run(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);
static ngx_int_t ngx_http_sync_mask_body(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, sync_str_t *text);
static ngx_uint_t ngx_http_sync_mask_json(ngx_http_request_t *r);
static sync_rc_t ngx_http_sync_mask_places(ngx_http_sync_ctx_t *ctx,
    sync_edit_t *edit);
static sync_rc_t ngx_http_sync_mask_objects(sync_edit_t *edit,
    const sync_doc_mask_t *mask, uint64_t *work);
static ngx_int_t ngx_http_sync_mask_closed(ngx_http_sync_ctx_t *ctx,
    const char *why);
static void ngx_http_sync_mask_leave(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);

static void *ngx_http_sync_mask_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_sync_mask_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);
static ngx_uint_t ngx_http_sync_mask_configured(ngx_http_conf_ctx_t *ctx);


static const ngx_http_sync_step_t  ngx_http_sync_mask_ask_step = {
    "mask_ask",
    NGX_HTTP_SYNC_STAGE_PRECONTENT,
    NGX_HTTP_SYNC_STEP_MASK_ASK,
    ngx_http_sync_mask_enabled,
    1,
    ngx_http_sync_mask_ask_run,
    NULL,
    ngx_http_sync_mask_leave,
    NULL
};


static const ngx_http_sync_step_t  ngx_http_sync_mask_step = {
    "mask",
    NGX_HTTP_SYNC_STAGE_RESPONSE,
    NGX_HTTP_SYNC_STEP_MASK,
    ngx_http_sync_mask_enabled,
    1,
    ngx_http_sync_mask_run,
    NULL,
    NULL,
    NULL
};


static ngx_command_t  ngx_http_sync_mask_commands[] = {

    { ngx_string("sync_mask"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_sync_set_mode,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_sync_mask_loc_conf_t, mode),
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_sync_mask_module_ctx = {
    NULL,                                  /* preconfiguration */
    NULL,                                  /* postconfiguration */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_sync_mask_create_loc_conf,    /* create location configuration */
    ngx_http_sync_mask_merge_loc_conf      /* merge location configuration */
};


ngx_module_t  ngx_http_sync_mask_module = {
    NGX_MODULE_V1,
    &ngx_http_sync_mask_module_ctx,        /* module context */
    ngx_http_sync_mask_commands,           /* module directives */
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


/* Where nothing is hidden from a client its answers stream as ever. */

static ngx_uint_t
ngx_http_sync_mask_enabled(ngx_http_request_t *r)
{
    uint32_t              i;
    sync_doc_mask_t       mask;
    ngx_http_sync_ctx_t  *ctx;

    if (ngx_http_sync_mask_mode(r) == NGX_HTTP_SYNC_OFF) {
        return 0;
    }

    ctx = ngx_http_sync_get_ctx(r);

    if (ctx == NULL || ctx->tenant.doc == NULL) {
        return 0;
    }

    for (i = 0; i < sync_doc_masks(ctx->tenant.doc); i++) {
        if (sync_doc_mask_at(ctx->tenant.doc, i, &mask) == SYNC_OK
            && ngx_http_sync_mask_applies(ctx, &mask))
        {
            return 1;
        }
    }

    return 0;
}


static ngx_uint_t
ngx_http_sync_mask_mode(ngx_http_request_t *r)
{
    ngx_http_sync_mask_loc_conf_t  *mlcf;

    mlcf = ngx_http_get_module_loc_conf(r, ngx_http_sync_mask_module);

    return mlcf->mode;
}


static ngx_uint_t
ngx_http_sync_mask_applies(ngx_http_sync_ctx_t *ctx,
    const sync_doc_mask_t *mask)
{
    if (mask->entity != SYNC_ENTITIES && mask->entity != ctx->payload.entity) {
        return 0;
    }

    if (mask->source.len
        && !sync_str_eq(mask->source, ngx_http_sync_source_name(ctx)))
    {
        return 0;
    }

    return mask->scope.len == 0
           || !ngx_http_sync_mask_scope(&ctx->principal.scope, mask->scope);
}


/* Is the name among those that are separated by spaces? */

static ngx_uint_t
ngx_http_sync_mask_scope(ngx_str_t *scopes, sync_str_t scope)
{
    u_char  *p, *last, *end;

    last = scopes->data + scopes->len;

    for (p = scopes->data; p < last; p = end + 1) {

        end = ngx_strlchr(p, last, ' ');
        if (end == NULL) {
            end = last;
        }

        if ((size_t) (end - p) == scope.len
            && ngx_memcmp(p, scope.data, scope.len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


/* An answer that is packed, or a part of one, could not be masked. */

static ngx_int_t
ngx_http_sync_mask_ask_run(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx)
{
    ngx_uint_t  i;

    static ngx_str_t  names[] = {
        ngx_string("Accept-Encoding"), ngx_string("Range"),
        ngx_string("If-Range")
    };

    if (ctx->answer.cap < NGX_HTTP_SYNC_MASK_CAP) {
        ctx->answer.cap = NGX_HTTP_SYNC_MASK_CAP;
    }

    if (ngx_http_sync_mask_mode(r) == NGX_HTTP_SYNC_SHADOW) {
        return NGX_OK;
    }

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (ngx_http_sync_set_header_in(r, &names[i], NULL) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_sync_mask_run(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx)
{
    ngx_int_t                rc;
    sync_str_t               text;
    ngx_http_sync_answer_t  *a;

    a = &ctx->answer;

    /* our own words, and those without any */

    if (a->own || a->bodiless || a->status == NGX_HTTP_NOT_MODIFIED) {
        return NGX_DECLINED;
    }

    if (r->method == NGX_HTTP_HEAD) {

        /* nobody knows how long the masked answer would be */

        if (ngx_http_sync_mask_mode(r) == NGX_HTTP_SYNC_ON) {
            ngx_http_clear_content_length(r);
            ngx_http_clear_accept_ranges(r);
        }

        return NGX_OK;
    }

    if (a->body.len == 0 && !a->over) {
        return NGX_DECLINED;
    }

    rc = ngx_http_sync_mask_body(r, ctx, &text);

    if (ngx_http_sync_mask_mode(r) == NGX_HTTP_SYNC_SHADOW) {

        if (rc != NGX_DECLINED) {
            ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                          "mask: shadow, would %s",
                          rc == NGX_OK ? "hide something"
                                       : "not show the answer");

            ctx->shadow |= 1u << NGX_HTTP_SYNC_STEP_MASK;
            ctx->problem.status = 0;
        }

        return NGX_DECLINED;
    }

    if (rc != NGX_OK) {
        return rc;
    }

    a->body.data = text.data;
    a->body.len = text.len;
    a->replaced = 1;

    ngx_http_sync_trace(ctx, "mask", "%uz bytes", text.len);

    return NGX_OK;
}


/* NGX_OK: *text; NGX_DECLINED: nothing is to be hidden; else a status. */

static ngx_int_t
ngx_http_sync_mask_body(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    sync_str_t *text)
{
    sync_rc_t      rc;
    sync_edit_t    edit;
    sync_json_t    json;
    sync_faults_t  faults;

    if (ctx->answer.over || ctx->answer.truncated) {
        return ngx_http_sync_mask_closed(ctx, "it is too large, or cut");
    }

    if (!ngx_http_sync_mask_json(r)) {
        return ngx_http_sync_mask_closed(ctx, "it is not JSON by media type");
    }

    sync_faults_init(&faults, &ctx->arena);

    switch (ngx_http_sync_words_parse(ctx,
                                      (sync_str_t) { ctx->answer.body.len,
                                                     ctx->answer.body.data },
                                      &json, &faults))
    {
    case NGX_OK:
        break;

    case NGX_DECLINED:
        return ngx_http_sync_mask_closed(ctx, "it is not JSON");

    case NGX_BUSY:
        return ngx_http_sync_mask_closed(ctx, "sync_buffers are in use");

    default:
        return NGX_ERROR;
    }

    sync_edit_init(&edit, &json, &ctx->arena);

    rc = ngx_http_sync_mask_places(ctx, &edit);

    if (rc == SYNC_NO) {
        return ngx_http_sync_mask_closed(ctx, "it has too many places to "
                                         "hide");
    }

    if (rc == SYNC_OK && edit.count == 0) {
        return NGX_DECLINED;
    }

    if (rc == SYNC_OK) {
        rc = sync_edit_write(&edit, 0, 0, text);
    }

    return rc == SYNC_OK ? NGX_OK : NGX_ERROR;
}


static ngx_uint_t
ngx_http_sync_mask_json(ngx_http_request_t *r)
{
    size_t            len;
    ngx_str_t        *type;
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    part = &r->headers_out.headers.part;

    for ( /* void */ ; part != NULL; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (h[i].hash && h[i].value.len
                && h[i].key.len == sizeof("Content-Encoding") - 1
                && ngx_strncasecmp(h[i].key.data,
                                   (u_char *) "Content-Encoding",
                                   h[i].key.len)
                   == 0)
            {
                return 0;
            }
        }
    }

    type = &r->headers_out.content_type;

    for (len = 0; len < type->len; len++) {
        if (type->data[len] == ';' || type->data[len] == ' ') {
            break;
        }
    }

    if (len == sizeof("application/json") - 1
        && ngx_strncasecmp(type->data, (u_char *) "application/json", len)
           == 0)
    {
        return 1;
    }

    return len > sizeof("+json") - 1
           && ngx_strncasecmp(type->data + len - (sizeof("+json") - 1),
                              (u_char *) "+json", sizeof("+json") - 1)
              == 0;
}


static sync_rc_t
ngx_http_sync_mask_places(ngx_http_sync_ctx_t *ctx, sync_edit_t *edit)
{
    uint32_t         i;
    sync_rc_t        rc;
    sync_doc_mask_t  mask;

    rc = SYNC_OK;

    for (i = 0; rc == SYNC_OK && i < sync_doc_masks(ctx->tenant.doc); i++) {

        if (sync_doc_mask_at(ctx->tenant.doc, i, &mask) == SYNC_OK
            && ngx_http_sync_mask_applies(ctx, &mask))
        {
            rc = ngx_http_sync_mask_objects(edit, &mask, &ctx->payload.work);
        }
    }

    return rc;
}


/* In the object, and in each of a list: the root, or its "records". */

static sync_rc_t
ngx_http_sync_mask_objects(sync_edit_t *edit, const sync_doc_mask_t *mask,
    uint64_t *work)
{
    uint32_t            i, list;
    sync_rc_t           rc;
    sync_edit_e         how;
    const sync_json_t  *json;

    json = edit->json;

    how = mask->as == SYNC_MASK_LAST4 ? SYNC_EDIT_LAST4
          : mask->as == SYNC_MASK_NULL ? SYNC_EDIT_NULL
          : mask->as == SYNC_MASK_REMOVE ? SYNC_EDIT_REMOVE : SYNC_EDIT_STARS;

    rc = sync_edit_add(edit, 0, mask->pattern, how, work);

    list = json->nodes[0].type == SYNC_JSON_ARRAY
           ? 0 : sync_json_member(json, 0, sync_str_lit("records"));

    if (rc != SYNC_OK || list == SYNC_JSON_NONE
        || json->nodes[list].type != SYNC_JSON_ARRAY)
    {
        return rc;
    }

    for (i = list + 1; rc == SYNC_OK && i < json->nodes[list].next;
         i = json->nodes[i].next)
    {
        rc = sync_edit_add(edit, i, mask->pattern, how, work);
    }

    return rc;
}


static ngx_int_t
ngx_http_sync_mask_closed(ngx_http_sync_ctx_t *ctx, const char *why)
{
    ngx_log_error(NGX_LOG_WARN, ctx->request->connection->log, 0,
                  "mask: the answer is not shown: %s", why);

    return ngx_http_sync_problem(ctx, NGX_HTTP_BAD_GATEWAY,
                                 "answer-not-shown",
                                 "The answer cannot be masked",
                                 NGX_HTTP_SYNC_TECHNICAL,
                                 "%s, and some of it is not for this client; "
                                 "the request itself was done", why);
}


/* An error_page leads elsewhere, where the answer is another. */

static void
ngx_http_sync_mask_leave(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx)
{
    ctx->done &= ~(1u << NGX_HTTP_SYNC_STEP_MASK_ASK);
}


static void *
ngx_http_sync_mask_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_sync_mask_loc_conf_t  *mlcf;

    mlcf = ngx_palloc(cf->pool, sizeof(ngx_http_sync_mask_loc_conf_t));
    if (mlcf == NULL) {
        return NULL;
    }

    mlcf->mode = NGX_CONF_UNSET_UINT;

    return mlcf;
}


static char *
ngx_http_sync_mask_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_sync_mask_loc_conf_t  *prev = parent;
    ngx_http_sync_mask_loc_conf_t  *conf = child;

    ngx_conf_merge_uint_value(conf->mode, prev->mode, NGX_HTTP_SYNC_OFF);

    if (conf->mode == NGX_HTTP_SYNC_OFF) {
        return NGX_CONF_OK;
    }

    ngx_http_sync_tell_configured(cf, NGX_HTTP_SYNC_STEP_MASK,
                                  ngx_http_sync_mask_configured);

    if (ngx_http_sync_use(cf, &ngx_http_sync_mask_ask_step) != NGX_OK
        || ngx_http_sync_use(cf, &ngx_http_sync_mask_step) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static ngx_uint_t
ngx_http_sync_mask_configured(ngx_http_conf_ctx_t *ctx)
{
    ngx_http_sync_mask_loc_conf_t  *mlcf;

    mlcf = ctx->loc_conf[ngx_http_sync_mask_module.ctx_index];

    return mlcf->mode != NGX_HTTP_SYNC_OFF;
}
