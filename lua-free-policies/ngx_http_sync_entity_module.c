
/*
 * sync_entity: what is asked for, and what is done to it.  Method and object
 * id give the operation; the tenant's document says whether this client may.
 */


#include "ngx_http_sync.h"


typedef struct {
    sync_entity_e              entity;   /* SYNC_ENTITIES: off */
    ngx_str_t                  at;       /* data NULL: no path */
    sync_op_e                  op;       /* SYNC_OPS: from the method */
    ngx_http_complex_value_t  *op_value; /* NULL: none */
    ngx_uint_t                 set;
} ngx_http_sync_entity_loc_conf_t;


static ngx_uint_t ngx_http_sync_entity_enabled(ngx_http_request_t *r);
static ngx_int_t ngx_http_sync_entity_run(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);
static void ngx_http_sync_entity_leave(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);
static ngx_int_t ngx_http_sync_entity_id(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, ngx_str_t *at, ngx_uint_t *object);
static u_char *ngx_http_sync_entity_match(ngx_str_t *path, ngx_str_t *at);
static ngx_int_t ngx_http_sync_entity_raw(ngx_http_request_t *r,
    ngx_str_t *at, ngx_str_t *id);
static ngx_int_t ngx_http_sync_entity_operation(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, ngx_http_sync_entity_loc_conf_t *elcf,
    ngx_uint_t object);
static ngx_int_t ngx_http_sync_entity_allowed(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);

static void *ngx_http_sync_entity_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_sync_entity_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);
static ngx_uint_t ngx_http_sync_entity_configured(ngx_http_conf_ctx_t *ctx);
static ngx_int_t ngx_http_sync_entity_check(ngx_conf_t *cf,
    ngx_http_conf_ctx_t *ctx);
static char *ngx_http_sync_entity(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_sync_entity_at(ngx_conf_t *cf,
    ngx_http_sync_entity_loc_conf_t *elcf, ngx_str_t *value);
static char *ngx_http_sync_entity_op(ngx_conf_t *cf,
    ngx_http_sync_entity_loc_conf_t *elcf, ngx_str_t *value);
static void ngx_http_sync_entity_known(u_char *text, size_t size,
    ngx_uint_t operations);


#define NGX_HTTP_SYNC_ENTITY_ID  1024    /* bytes of an object's id */


extern ngx_module_t  ngx_http_proxy_module;


static const ngx_http_sync_step_t  ngx_http_sync_entity_step = {
    "entity",
    NGX_HTTP_SYNC_STAGE_PRECONTENT,
    NGX_HTTP_SYNC_STEP_ENTITY,
    ngx_http_sync_entity_enabled,
    0,
    ngx_http_sync_entity_run,
    NULL,
    ngx_http_sync_entity_leave,
    NULL
};


static const struct {
    ngx_uint_t  method;
    ngx_uint_t  object;                  /* an id is there */
    sync_op_e   op;
} ngx_http_sync_entity_methods[] = {
    { NGX_HTTP_POST,   0, SYNC_OP_CREATE },
    { NGX_HTTP_GET,    0, SYNC_OP_LIST },
    { NGX_HTTP_HEAD,   0, SYNC_OP_LIST },
    { NGX_HTTP_GET,    1, SYNC_OP_READ },
    { NGX_HTTP_HEAD,   1, SYNC_OP_READ },
    { NGX_HTTP_PUT,    1, SYNC_OP_REPLACE },
    { NGX_HTTP_PATCH,  1, SYNC_OP_UPDATE },
    { NGX_HTTP_DELETE, 1, SYNC_OP_DELETE }
};

static ngx_str_t  ngx_http_sync_entity_allow = ngx_string("Allow");

static ngx_str_t  ngx_http_sync_entity_allows[] = {
    ngx_string("GET, HEAD, POST"),
    ngx_string("GET, HEAD, PUT, PATCH, DELETE")
};


static ngx_command_t  ngx_http_sync_entity_commands[] = {

    { ngx_string("sync_entity"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE123,
      ngx_http_sync_entity,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_sync_entity_module_ctx = {
    NULL,                                  /* preconfiguration */
    NULL,                                  /* postconfiguration */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_sync_entity_create_loc_conf,  /* create location configuration */
    ngx_http_sync_entity_merge_loc_conf    /* merge location configuration */
};


ngx_module_t  ngx_http_sync_entity_module = {
    NGX_MODULE_V1,
    &ngx_http_sync_entity_module_ctx,      /* module context */
    ngx_http_sync_entity_commands,         /* module directives */
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
ngx_http_sync_entity_enabled(ngx_http_request_t *r)
{
    ngx_http_sync_entity_loc_conf_t  *elcf;

    elcf = ngx_http_get_module_loc_conf(r, ngx_http_sync_entity_module);

    return elcf->entity != SYNC_ENTITIES;
}


static ngx_int_t
ngx_http_sync_entity_run(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx)
{
    ngx_int_t                         rc;
    ngx_uint_t                        object;
    ngx_http_sync_entity_loc_conf_t  *elcf;

    elcf = ngx_http_get_module_loc_conf(r, ngx_http_sync_entity_module);

    object = 0;
    ngx_str_null(&ctx->payload.id);
    ctx->payload.placed = elcf->at.data != NULL;

    if (ctx->payload.placed) {
        rc = ngx_http_sync_entity_id(r, ctx, &elcf->at, &object);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    rc = ngx_http_sync_entity_operation(r, ctx, elcf, object);
    if (rc != NGX_OK) {
        return rc;
    }

    ctx->payload.entity = elcf->entity;

    return ngx_http_sync_entity_allowed(r, ctx);
}


/* Another location has another contract, and the path is another one. */

static void
ngx_http_sync_entity_leave(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx)
{
    ctx->done &= ~(1u << NGX_HTTP_SYNC_STEP_ENTITY);
}


/*
 * What stands behind the prefix, one segment: the object's id.  It is taken
 * from the path as it was sent, so that "%2F" is of the value.
 */

static ngx_int_t
ngx_http_sync_entity_id(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    ngx_str_t *at, ngx_uint_t *object)
{
    u_char     *p, *last;
    ngx_str_t   id;

    p = ngx_http_sync_entity_match(&r->uri, at);
    last = r->uri.data + r->uri.len;

    if (p == last) {
        return NGX_OK;
    }

    if (p == NULL) {
        goto unknown;
    }

    *object = 1;

    id.data = p + 1;
    id.len = last - id.data;

    if (ngx_http_sync_entity_raw(r, at, &id) != NGX_OK
        && ngx_strlchr(id.data, last, '/') != NULL)
    {
        goto unknown;
    }

    if (id.len == 0 || id.len > NGX_HTTP_SYNC_ENTITY_ID
        || (id.len == 1 && id.data[0] == '.')
        || (id.len == 2 && id.data[0] == '.' && id.data[1] == '.'))
    {
        return ngx_http_sync_problem(ctx, NGX_HTTP_BAD_REQUEST,
                                     "invalid-object-id",
                                     "This cannot be the id of an object",
                                     NGX_HTTP_SYNC_BUSINESS,
                                     "an id has 1 to %d bytes, and is "
                                     "neither \".\" nor \"..\"",
                                     NGX_HTTP_SYNC_ENTITY_ID);
    }

    ctx->payload.id = id;

    return NGX_OK;

unknown:

    return ngx_http_sync_problem(ctx, NGX_HTTP_NOT_FOUND, "unknown-path",
                                 "There is nothing at this path",
                                 NGX_HTTP_SYNC_BUSINESS,
                                 "the collection is at %V, an object one "
                                 "segment below it", at);
}


/*
 * Behind the prefix in path: its end, or a slash.  NULL: it is another path.
 * A "*" in the prefix is any one segment.
 */

static u_char *
ngx_http_sync_entity_match(ngx_str_t *path, ngx_str_t *at)
{
    u_char  *p, *a, *last, *end;

    p = path->data;
    last = p + path->len;
    a = at->data;
    end = a + at->len;

    while (a < end) {

        if (*a == '*') {
            if (p == last || *p == '/') {
                return NULL;
            }

            while (p < last && *p != '/') {
                p++;
            }

            a++;
            continue;
        }

        if (p == last || *p != *a) {
            return NULL;
        }

        p++;
        a++;
    }

    return (p == last || *p == '/') ? p : NULL;
}


/*
 * The last segment as the client sent it, unescaped once, if what stands
 * before it is the prefix.  NGX_DECLINED: the path was another one, as after
 * a rewrite.
 */

static ngx_int_t
ngx_http_sync_entity_raw(ngx_http_request_t *r, ngx_str_t *at, ngx_str_t *id)
{
    u_char     *p, *last, *slash, *dst, *src;
    ngx_str_t   head;

    if (!r->valid_unparsed_uri) {
        return NGX_DECLINED;
    }

    last = r->unparsed_uri.data + r->unparsed_uri.len;
    slash = NULL;

    for (p = r->unparsed_uri.data; p < last; p++) {
        if (*p == '?' || *p == '#') {
            last = p;
            break;
        }

        if (*p == '/') {
            slash = p;
        }
    }

    if (slash == NULL) {
        return NGX_DECLINED;
    }

    head.len = slash - r->unparsed_uri.data;
    head.data = ngx_pnalloc(r->pool, last - r->unparsed_uri.data);
    if (head.data == NULL) {
        return NGX_DECLINED;
    }

    dst = head.data;
    src = r->unparsed_uri.data;
    ngx_unescape_uri(&dst, &src, head.len, 0);
    head.len = dst - head.data;

    if (ngx_http_sync_entity_match(&head, at) != head.data + head.len) {
        return NGX_DECLINED;
    }

    id->data = dst;
    src = slash + 1;
    ngx_unescape_uri(&dst, &src, last - src, 0);
    id->len = dst - id->data;

    return NGX_OK;
}


static ngx_int_t
ngx_http_sync_entity_operation(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, ngx_http_sync_entity_loc_conf_t *elcf,
    ngx_uint_t object)
{
    ngx_str_t   value;
    ngx_uint_t  i;

    if (elcf->op != SYNC_OPS) {
        ctx->payload.operation = elcf->op;
        return NGX_OK;
    }

    if (elcf->op_value != NULL) {
        if (ngx_http_complex_value(r, elcf->op_value, &value) != NGX_OK) {
            return NGX_ERROR;
        }

        ctx->payload.operation = sync_op_by_name(
                                   (sync_str_t) { value.len, value.data });

        if (ctx->payload.operation < SYNC_OP_FIND) {
            return NGX_OK;
        }

        ctx->payload.operation = SYNC_OPS;

        return ngx_http_sync_problem(ctx, NGX_HTTP_BAD_REQUEST,
                                     "unknown-operation",
                                     "There is no such operation",
                                     NGX_HTTP_SYNC_BUSINESS,
                                     "the operation that this request names "
                                     "is not known");
    }

    for (i = 0; i < sizeof(ngx_http_sync_entity_methods)
                    / sizeof(ngx_http_sync_entity_methods[0]); i++)
    {
        if (ngx_http_sync_entity_methods[i].method == r->method
            && ngx_http_sync_entity_methods[i].object == object)
        {
            ctx->payload.operation = ngx_http_sync_entity_methods[i].op;
            return NGX_OK;
        }
    }

    if (ngx_http_sync_add_header(r, &ngx_http_sync_entity_allow,
                                 &ngx_http_sync_entity_allows[object])
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_sync_problem(ctx, NGX_HTTP_NOT_ALLOWED,
                                 "method-not-allowed",
                                 "The method is not for this",
                                 NGX_HTTP_SYNC_BUSINESS,
                                 "%s takes %V",
                                 object ? "an object" : "the collection",
                                 &ngx_http_sync_entity_allows[object]);
}


/* The partner's contract. */

static ngx_int_t
ngx_http_sync_entity_allowed(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx)
{
    sync_str_t         entity, op;
    ngx_str_t          e, o;
    sync_doc_client_t  client;

    if (ctx->principal.proof == NGX_HTTP_SYNC_PROOF_NONE) {

        if (!ngx_http_sync_enabled(r, NGX_HTTP_SYNC_STEP_AUTH)) {
            return NGX_OK;
        }

        /* "optional": else a client could more by keeping its proof back */

        if (ngx_http_sync_challenge(r, ctx, NGX_HTTP_SYNC_CHALLENGE_PROOF,
                                    NULL)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        return ngx_http_sync_problem(ctx, NGX_HTTP_UNAUTHORIZED,
                                     "unauthenticated", "A proof is needed",
                                     NGX_HTTP_SYNC_TECHNICAL,
                                     "nobody was granted anything here, a "
                                     "client may be");
    }

    if (ctx->tenant.doc != NULL
        && ctx->principal.index != SYNC_DOC_NONE
        && sync_doc_client_at(ctx->tenant.doc, ctx->principal.index, &client)
           == SYNC_OK
        && client.operations[ctx->payload.entity]
           & sync_op_bit(ctx->payload.operation))
    {
        return NGX_OK;
    }

    entity = sync_entity_name(ctx->payload.entity);
    op = sync_op_name(ctx->payload.operation);

    e.len = entity.len;
    e.data = entity.data;
    o.len = op.len;
    o.data = op.data;

    return ngx_http_sync_problem(ctx, NGX_HTTP_FORBIDDEN, "not-allowed",
                                 "The client may not do this",
                                 NGX_HTTP_SYNC_BUSINESS,
                                 "\"%V\" of \"%V\" is not among what this "
                                 "client was granted", &o, &e);
}


static void *
ngx_http_sync_entity_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_sync_entity_loc_conf_t  *elcf;

    elcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_sync_entity_loc_conf_t));
    if (elcf == NULL) {
        return NULL;
    }

    elcf->entity = SYNC_ENTITIES;
    elcf->op = SYNC_OPS;

    return elcf;
}


static char *
ngx_http_sync_entity_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_sync_entity_loc_conf_t  *prev = parent;
    ngx_http_sync_entity_loc_conf_t  *conf = child;

    if (!conf->set) {
        *conf = *prev;
    }

    if (conf->entity == SYNC_ENTITIES) {
        return NGX_CONF_OK;
    }

    if (ngx_http_sync_use(cf, &ngx_http_sync_entity_step) != NGX_OK
        || ngx_http_sync_add_check(cf, ngx_http_sync_entity_check) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static ngx_uint_t
ngx_http_sync_entity_configured(ngx_http_conf_ctx_t *ctx)
{
    ngx_http_sync_entity_loc_conf_t  *elcf;

    elcf = ctx->loc_conf[ngx_http_sync_entity_module.ctx_index];

    return elcf->entity != SYNC_ENTITIES;
}


static ngx_int_t
ngx_http_sync_entity_check(ngx_conf_t *cf, ngx_http_conf_ctx_t *ctx)
{
    size_t                            len;
    ngx_http_core_loc_conf_t         *clcf;
    ngx_http_sync_loc_conf_t         *slcf;
    ngx_http_upstream_conf_t         *u;
    ngx_http_sync_entity_loc_conf_t  *elcf;

    if (!ngx_http_sync_configured(ctx, NGX_HTTP_SYNC_STEP_TENANT)) {
        ngx_http_sync_refuse(cf, ctx,
                             "sync_entity needs sync_tenant, whose document "
                             "says where an entity goes");
        return NGX_ERROR;
    }

    clcf = ctx->loc_conf[ngx_http_core_module.ctx_index];
    elcf = ctx->loc_conf[ngx_http_sync_entity_module.ctx_index];
    len = ngx_min(elcf->at.len, clcf->name.len);

    if (elcf->at.len && clcf->name.len && clcf->name.data[0] == '/'
#if (NGX_PCRE)
        && clcf->regex == NULL
#endif
        && ngx_strncmp(elcf->at.data, clcf->name.data, len) != 0)
    {
        slcf = ctx->loc_conf[ngx_http_sync_module.ctx_index];

        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "sync_entity finds no object below \"at=%V\" unless "
                      "something leads there, in location \"%V\", %V:%ui",
                      &elcf->at, &clcf->name, &slcf->file, slcf->line);
    }

    /*
     * The configuration of ngx_http_proxy_module is its own, but begins with
     * that of the upstream module, which is public: a proxy_pass without
     * variables has an upstream there, one with variables does not.
     */

    u = ctx->loc_conf[ngx_http_proxy_module.ctx_index];

    if (clcf->handler != NULL && u->upstream != NULL) {
        ngx_http_sync_refuse(cf, ctx,
                             "sync_entity chooses where a request goes, and "
                             "a fixed proxy_pass does, too; write "
                             "\"proxy_pass https://$sync_upstream"
                             "$sync_upstream_uri\"");
        return NGX_ERROR;
    }

    /*
     * A connector is named by a tenant's document: it may not lead NGINX to
     * another location, nor slow it down or change how it holds an answer.
     */

    u->ignore_headers |= NGX_HTTP_UPSTREAM_IGN_XA_REDIRECT
                         |NGX_HTTP_UPSTREAM_IGN_XA_EXPIRES
                         |NGX_HTTP_UPSTREAM_IGN_XA_LIMIT_RATE
                         |NGX_HTTP_UPSTREAM_IGN_XA_BUFFERING
                         |NGX_HTTP_UPSTREAM_IGN_XA_CHARSET;

    return NGX_OK;
}


/* sync_entity off | NAME [at=PREFIX] [operation=NAME|$variable] */

static char *
ngx_http_sync_entity(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_sync_entity_loc_conf_t  *elcf = conf;

    char        *rv;
    u_char       known[256];
    ngx_str_t   *value, s;
    ngx_uint_t   i;

    if (elcf->set) {
        return "is duplicate";
    }

    elcf->set = 1;

    value = cf->args->elts;

    ngx_http_sync_tell_configured(cf, NGX_HTTP_SYNC_STEP_ENTITY,
                                  ngx_http_sync_entity_configured);

    if (ngx_strcmp(value[1].data, "off") == 0) {
        if (cf->args->nelts > 2) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"sync_entity off\" takes no parameters");
            return NGX_CONF_ERROR;
        }

        return NGX_CONF_OK;
    }

    elcf->entity = sync_entity_by_name(
                             (sync_str_t) { value[1].len, value[1].data });

    if (elcf->entity == SYNC_ENTITIES) {
        ngx_http_sync_entity_known(known, sizeof(known), 0);
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"sync_entity\": unknown entity \"%V\"; known "
                           "are %s", &value[1], known);
        return NGX_CONF_ERROR;
    }

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "at=", 3) == 0) {
            s.len = value[i].len - 3;
            s.data = value[i].data + 3;
            rv = ngx_http_sync_entity_at(cf, elcf, &s);

        } else if (ngx_strncmp(value[i].data, "operation=", 10) == 0) {
            s.len = value[i].len - 10;
            s.data = value[i].data + 10;
            rv = ngx_http_sync_entity_op(cf, elcf, &s);

        } else {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"sync_entity\": unknown parameter \"%V\"; "
                               "\"at=PREFIX\" and \"operation=NAME\" are "
                               "known", &value[i]);
            return NGX_CONF_ERROR;
        }

        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    if (elcf->at.data == NULL && elcf->op == SYNC_OPS
        && elcf->op_value == NULL)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"sync_entity\" needs \"at=PREFIX\", the path "
                           "of the collection, or \"operation=NAME\"");
        return NGX_CONF_ERROR;
    }

    if (elcf->at.data == NULL
        && (elcf->op == SYNC_OP_READ || elcf->op == SYNC_OP_REPLACE
            || elcf->op == SYNC_OP_UPDATE || elcf->op == SYNC_OP_DELETE))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"sync_entity\": this operation needs an "
                           "object's id, and so \"at=PREFIX\", too");
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_sync_entity_at(ngx_conf_t *cf, ngx_http_sync_entity_loc_conf_t *elcf,
    ngx_str_t *value)
{
    u_char  *p, *last;

    if (elcf->at.data != NULL) {
        return "has \"at=\" twice";
    }

    last = value->data + value->len;

    if (value->len < 2 || value->data[0] != '/' || last[-1] == '/') {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"sync_entity\": \"at=%V\" is not a path with "
                           "a slash at its beginning and none at its end, as "
                           "\"at=/v1/orders\" is", value);
        return NGX_CONF_ERROR;
    }

    for (p = value->data; p < last; p++) {
        if (*p == '*'
            && (p[-1] != '/' || (p + 1 < last && p[1] != '/')))
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"sync_entity\": a \"*\" stands for a whole "
                               "segment, as in \"at=/t/*/orders\"");
            return NGX_CONF_ERROR;
        }
    }

    elcf->at = *value;

    return NGX_CONF_OK;
}


static char *
ngx_http_sync_entity_op(ngx_conf_t *cf, ngx_http_sync_entity_loc_conf_t *elcf,
    ngx_str_t *value)
{
    u_char                             known[256];
    ngx_http_compile_complex_value_t   ccv;

    if (elcf->op != SYNC_OPS || elcf->op_value != NULL) {
        return "has \"operation=\" twice";
    }

    if (value->len && value->data[0] == '$') {
        elcf->op_value = ngx_palloc(cf->pool,
                                    sizeof(ngx_http_complex_value_t));
        if (elcf->op_value == NULL) {
            return NGX_CONF_ERROR;
        }

        ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));
        ccv.cf = cf;
        ccv.value = value;
        ccv.complex_value = elcf->op_value;

        return ngx_http_compile_complex_value(&ccv) == NGX_OK
               ? NGX_CONF_OK : NGX_CONF_ERROR;
    }

    elcf->op = sync_op_by_name((sync_str_t) { value->len, value->data });

    if (elcf->op >= SYNC_OP_FIND) {
        ngx_http_sync_entity_known(known, sizeof(known), 1);
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"sync_entity\": unknown operation \"%V\"; known "
                           "are %s, or a variable", value, known);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* All names there are, with a NUL behind. */

static void
ngx_http_sync_entity_known(u_char *text, size_t size, ngx_uint_t operations)
{
    u_char      *p, *last;
    ngx_str_t    name;
    sync_str_t   s;
    ngx_uint_t   i, n;

    p = text;
    last = text + size - 1;
    n = operations ? SYNC_OP_FIND : SYNC_ENTITIES;

    for (i = 0; i < n; i++) {
        s = operations ? sync_op_name(i) : sync_entity_name(i);
        name.len = s.len;
        name.data = s.data;

        p = ngx_slprintf(p, last, "%s%V", i ? ", " : "", &name);
    }

    *p = '\0';
}
