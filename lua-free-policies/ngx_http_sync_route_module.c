
/*
 * Where to: the connector that a route of the tenant's document names, the
 * request in its words, and nothing of the client's that is not for it.
 *
 * It has no directive: it acts where sync_entity does.
 */


#include "ngx_http_sync_pages.h"
#include "ngx_http_sync_registry.h"
#include "sync_template.h"


typedef struct {
    uint32_t               connector;    /* that a prefix named */
    ngx_http_headers_in_t  headers;      /* the client's, whole */
    unsigned               prefixed:1;
    unsigned               kept:1;       /* headers are there */
} ngx_http_sync_route_slot_t;


static ngx_uint_t ngx_http_sync_route_enabled(ngx_http_request_t *r);
static ngx_int_t ngx_http_sync_route_run(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);
static void ngx_http_sync_route_leave(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);
static ngx_int_t ngx_http_sync_route_page(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, uint32_t *connector, ngx_str_t *page);
static ngx_int_t ngx_http_sync_route_choose(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, uint32_t *connector);
static ngx_int_t ngx_http_sync_route_prefixed(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, uint32_t *connector);
static ngx_int_t ngx_http_sync_route_payload(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, const sync_json_t **payload);
static ngx_int_t ngx_http_sync_route_key(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, ngx_str_t *key);
static ngx_int_t ngx_http_sync_route_target(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, sync_doc_operation_t *operation,
    ngx_str_t *key);
static ngx_int_t ngx_http_sync_route_headers(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);
static ngx_uint_t ngx_http_sync_route_passes(ngx_http_sync_ctx_t *ctx,
    ngx_table_elt_t *h);
static ngx_uint_t ngx_http_sync_route_clean(ngx_str_t *value);
static ngx_str_t ngx_http_sync_route_group(ngx_http_request_t *r);
static ngx_str_t ngx_http_sync_route_str(sync_str_t s);
static char *ngx_http_sync_route_init_main_conf(ngx_conf_t *cf, void *conf);


static const ngx_http_sync_step_t  ngx_http_sync_route_step = {
    "route",
    NGX_HTTP_SYNC_STAGE_PRECONTENT,
    NGX_HTTP_SYNC_STEP_ROUTE,
    ngx_http_sync_route_enabled,
    0,
    ngx_http_sync_route_run,
    NULL,
    ngx_http_sync_route_leave,
    NULL
};


/*
 * Request headers that reach a connector, besides those that its document
 * lists.  The second group never leaves NGINX: it makes them anew, and its own
 * modules look at them.
 */

static ngx_str_t  ngx_http_sync_route_pass[] = {
    ngx_string("accept"),
    ngx_string("content-type"),
    ngx_string("if-match"),
    ngx_string("traceparent"),
    ngx_string("tracestate"),
    ngx_string("x-correlation-id"),

    ngx_string("connection"),
    ngx_string("content-length"),
    ngx_string("expect"),
    ngx_string("host"),
    ngx_string("te"),
    ngx_string("transfer-encoding"),
    ngx_null_string
};

static ngx_str_t  ngx_http_sync_route_if_match = ngx_string("if-match");


static ngx_http_module_t  ngx_http_sync_route_module_ctx = {
    NULL,                                  /* preconfiguration */
    NULL,                                  /* postconfiguration */

    NULL,                                  /* create main configuration */
    ngx_http_sync_route_init_main_conf,    /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    NULL,                                  /* create location configuration */
    NULL                                   /* merge location configuration */
};


ngx_module_t  ngx_http_sync_route_module = {
    NGX_MODULE_V1,
    &ngx_http_sync_route_module_ctx,       /* module context */
    NULL,                                  /* module directives */
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
ngx_http_sync_route_enabled(ngx_http_request_t *r)
{
    return ngx_http_sync_enabled(r, NGX_HTTP_SYNC_STEP_ENTITY);
}


static ngx_int_t
ngx_http_sync_route_run(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx)
{
    uint32_t               connector;
    ngx_int_t              rc;
    ngx_str_t              key, name, page;
    sync_doc_operation_t   operation;
    sync_doc_connector_t  *c;

    if (ctx->tenant.doc == NULL || ctx->payload.entity == SYNC_ENTITIES) {
        return NGX_DECLINED;
    }

    if (ctx->slots[NGX_HTTP_SYNC_STEP_ROUTE] == NULL) {
        ctx->slots[NGX_HTTP_SYNC_STEP_ROUTE] =
                     ngx_pcalloc(r->pool, sizeof(ngx_http_sync_route_slot_t));

        if (ctx->slots[NGX_HTTP_SYNC_STEP_ROUTE] == NULL) {
            return NGX_ERROR;
        }
    }

    /* an internal redirect: the route of another location is not this one's */

    ngx_memzero(&ctx->route, sizeof(ngx_http_sync_route_t));
    ctx->route.connector = SYNC_DOC_NONE;

    ngx_str_null(&page);
    connector = SYNC_DOC_NONE;

    rc = r->args.len ? ngx_http_sync_route_page(r, ctx, &connector, &page)
                     : ngx_http_sync_route_choose(r, ctx, &connector);
    if (rc != NGX_OK) {
        return rc;
    }

    c = &ctx->route.c;

    if (connector == SYNC_DOC_NONE
        || sync_doc_connector_at(ctx->tenant.doc, connector, c) != SYNC_OK)
    {
        return ngx_http_sync_problem(ctx, 422,
                                     "no-route", "No route takes this",
                                     NGX_HTTP_SYNC_BUSINESS,
                                     "no route of the tenant matches this "
                                     "payload");
    }

    name = ngx_http_sync_route_str(c->name);

    if (sync_doc_operation(ctx->tenant.doc, connector, ctx->payload.entity,
                           ctx->payload.operation, &operation)
        != SYNC_OK)
    {
        return ngx_http_sync_problem(ctx, 422,
                                     "no-operation",
                                     "The connector cannot do this",
                                     NGX_HTTP_SYNC_BUSINESS,
                                     "connector \"%V\" has no such operation",
                                     &name);
    }

    if (operation.if_match
        && ngx_http_sync_header_in(r, &ngx_http_sync_route_if_match, NULL)
           == NULL)
    {
        return ngx_http_sync_problem(ctx, 428, "if-match-required",
                                     "If-Match is missing",
                                     NGX_HTTP_SYNC_BUSINESS,
                                     "read the object and send its ETag as "
                                     "If-Match");
    }

    rc = ngx_http_sync_route_key(r, ctx, &key);
    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_http_sync_route_target(r, ctx, &operation, &key);
    if (rc != NGX_OK) {
        return rc;
    }

    if (page.len) {
        ctx->route.uri = page;
    }

    rc = ngx_http_sync_route_headers(r, ctx);
    if (rc != NGX_OK) {
        return rc;
    }

    if (c->send == SYNC_SEND_HEADER) {
        name = ngx_http_sync_route_str(c->send_header);

        if (ngx_http_sync_set_header_in(r, &name, &key) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    ctx->route.connector = connector;
    ctx->route.upstream = c->port ? ngx_http_sync_route_group(r)
                                  : ngx_http_sync_route_str(c->upstream);
    ctx->route.host = ngx_http_sync_route_str(c->host);
    ctx->route.tls_name = ngx_http_sync_route_str(c->tls_name);
    ctx->route.method = ngx_http_sync_route_str(operation.method);

    name = ngx_http_sync_route_str(c->name);
    ngx_http_sync_trace(ctx, "route", "%V: %V %V", &name, &ctx->route.method,
                        &ctx->route.uri);

    return NGX_OK;
}


/*
 * What was chosen stands for the log; the next location chooses anew, and its
 * proofs are asked for in what the client has sent.  Secrets are the connector's
 * alone: the next location may ask somebody else, without a route.
 */

static void
ngx_http_sync_route_leave(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx)
{
    ngx_http_sync_route_slot_t  *slot;

    slot = ctx->slots[NGX_HTTP_SYNC_STEP_ROUTE];

    if (slot == NULL) {
        return;
    }

    if (slot->kept) {
        r->headers_in = slot->headers;
    }

    ngx_str_null(&ctx->route.authorization);
    ngx_str_null(&ctx->route.certificate);
    ngx_str_null(&ctx->route.certificate_key);
    ngx_str_null(&ctx->route.cookie);

    ctx->route.hidden = NULL;
    ctx->route.secret = 0;
    ctx->route.verified = 0;
    ctx->route.in_body = 0;

    ctx->slots[NGX_HTTP_SYNC_STEP_ROUTE] = NULL;
    ctx->done &= ~(1u << NGX_HTTP_SYNC_STEP_ROUTE);
}


/* "next=" of a list is where a page before it has led; nothing else is known. */

static ngx_int_t
ngx_http_sync_route_page(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    uint32_t *connector, ngx_str_t *page)
{
    ngx_int_t              rc;
    ngx_str_t              token, name;
    sync_str_t             s;
    sync_doc_connector_t   c;

    if (ctx->payload.operation != SYNC_OP_LIST
        || ngx_strncmp(r->args.data, "next=", ngx_min(r->args.len, 5)) != 0
        || r->args.len < 6)
    {
        return ngx_http_sync_problem(ctx, NGX_HTTP_BAD_REQUEST,
                                     "unknown-query",
                                     "A query member is not known",
                                     NGX_HTTP_SYNC_BUSINESS,
                                     "this operation takes no query but the "
                                     "\"next\" of a list's Link");
    }

    token.data = r->args.data + 5;
    token.len = r->args.len - 5;

    rc = ngx_http_sync_page_open(ctx, &token, &name, page);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    s.data = name.data;
    s.len = name.len;

    if (rc != NGX_OK
        || sync_doc_connector(ctx->tenant.doc, s, &c) != SYNC_OK)
    {
        return ngx_http_sync_problem(ctx, NGX_HTTP_BAD_REQUEST, "bad-page",
                                     "This page is not known",
                                     NGX_HTTP_SYNC_BUSINESS,
                                     "\"next\" is not what a Link of this "
                                     "list has said to this client");
    }

    *connector = c.index;

    return NGX_OK;
}


static ngx_int_t
ngx_http_sync_route_choose(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    uint32_t *connector)
{
    ngx_int_t              rc;
    sync_str_t             name;
    const sync_json_t     *payload;
    sync_doc_connector_t   c;

    *connector = SYNC_DOC_NONE;

    if (ctx->payload.id.len && sync_doc_ids_prefixed(ctx->tenant.doc)) {
        rc = ngx_http_sync_route_prefixed(r, ctx, connector);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    if (ctx->claim.connector.len) {

        /* a retry stays where the first try of its key went */

        name.len = ctx->claim.connector.len;
        name.data = ctx->claim.connector.data;

        if (sync_doc_connector(ctx->tenant.doc, name, &c) != SYNC_OK) {
            return ngx_http_sync_problem(ctx, NGX_HTTP_SERVICE_UNAVAILABLE,
                                         "connector-gone",
                                         "The connector is gone",
                                         NGX_HTTP_SYNC_TECHNICAL,
                                         "the first try of this key went to "
                                         "a connector that the tenant has "
                                         "no more");
        }

        *connector = c.index;
    }

    if (*connector != SYNC_DOC_NONE) {
        return NGX_OK;
    }

    rc = ngx_http_sync_route_payload(r, ctx, &payload);
    if (rc != NGX_OK) {
        return rc;
    }

    *connector = sync_doc_route(ctx->tenant.doc, ctx->payload.entity, payload,
                                0);

    return NGX_OK;
}


/* "s4~4711" is the connector's 4711; from here on the id is that one. */

static ngx_int_t
ngx_http_sync_route_prefixed(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    uint32_t *connector)
{
    u_char                      *p, *last;
    sync_str_t                   name;
    sync_doc_connector_t         c;
    ngx_http_sync_route_slot_t  *slot;

    /* entered again after the body was read: the prefix is off already */

    slot = ctx->slots[NGX_HTTP_SYNC_STEP_ROUTE];

    if (slot->prefixed) {
        *connector = slot->connector;
        return NGX_OK;
    }

    last = ctx->payload.id.data + ctx->payload.id.len;
    p = ngx_strlchr(ctx->payload.id.data, last, '~');

    if (p != NULL && p + 1 < last) {
        name.data = ctx->payload.id.data;
        name.len = p - name.data;

        if (sync_doc_connector(ctx->tenant.doc, name, &c) == SYNC_OK) {
            slot->connector = c.index;
            slot->prefixed = 1;

            *connector = c.index;
            ctx->payload.id.data = p + 1;
            ctx->payload.id.len = last - p - 1;

            return NGX_OK;
        }
    }

    return ngx_http_sync_problem(ctx, NGX_HTTP_NOT_FOUND, "unknown-object",
                                 "There is no such object",
                                 NGX_HTTP_SYNC_BUSINESS,
                                 "ids of this tenant begin with the name of "
                                 "a connector and \"~\"");
}


/*
 * The canonical payload, or, where nothing is mapped, what came: its words
 * are canonical then.  NULL: there is none.
 */

static ngx_int_t
ngx_http_sync_route_payload(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    const sync_json_t **payload)
{
    ngx_int_t  rc;

    *payload = NULL;

    if (ctx->payload.canonical.nodes != NULL) {
        *payload = &ctx->payload.canonical;
        return NGX_OK;
    }

    switch (ctx->payload.operation) {

    case SYNC_OP_CREATE:
    case SYNC_OP_REPLACE:
    case SYNC_OP_UPDATE:
        break;

    default:
        return NGX_OK;
    }

    rc = ngx_http_sync_read_body(r, ctx);
    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_http_sync_parse_body(r, ctx);

    if (rc == NGX_OK) {
        *payload = &ctx->payload.source;
    }

    return rc == NGX_DECLINED ? NGX_OK : rc;
}


/* The key as the connector gets it. */

static ngx_int_t
ngx_http_sync_route_key(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    ngx_str_t *key)
{
    u_char      *p;
    ngx_uint_t   i, n;

    ngx_str_null(key);

    if (ctx->route.c.send == SYNC_SEND_NONE) {
        return NGX_OK;
    }

    if (ctx->route.c.as == SYNC_AS_VERBATIM
        && ctx->claim.state == NGX_HTTP_SYNC_CLAIM_HELD)
    {
        *key = ctx->claim.key;

        if (!ngx_http_sync_route_clean(key)) {
            return ngx_http_sync_problem(ctx, 422,
                                         "bad-value",
                                         "A value cannot be sent on",
                                         NGX_HTTP_SYNC_BUSINESS,
                                         "the Idempotency-Key has bytes that "
                                         "no header can have");
        }

        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, NGX_HTTP_SYNC_UUID_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_http_sync_downstream_uuid(ctx, p);

    key->data = p;
    key->len = NGX_HTTP_SYNC_UUID_LEN;

    if (ctx->route.c.as == SYNC_AS_UUID_HEX) {
        n = 0;

        for (i = 0; i < NGX_HTTP_SYNC_UUID_LEN; i++) {
            if (p[i] != '-') {
                p[n++] = p[i];
            }
        }

        key->len = n;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_sync_route_target(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    sync_doc_operation_t *operation, ngx_str_t *key)
{
    u_char                   *p;
    ngx_int_t                 status;
    sync_rc_t                 rc;
    sync_str_t                target;
    sync_error_t              err;
    const sync_json_t        *payload;
    sync_template_values_t    values;

    ngx_memzero(&values, sizeof(values));
    ngx_memzero(&err, sizeof(err));

    values.id.len = ctx->payload.id.len;
    values.id.data = ctx->payload.id.data;
    values.idempotency_key.len = key->len;
    values.idempotency_key.data = key->data;

    if (sync_template_uses(operation->code) & SYNC_TEMPLATE_PAYLOAD) {
        status = ngx_http_sync_route_payload(r, ctx, &payload);
        if (status != NGX_OK) {
            return status;
        }

        values.payload = payload;
    }

    rc = sync_template_render(operation->code, &values, &ctx->arena, &target,
                              &err);

    if (rc == SYNC_FAULT) {
        return NGX_ERROR;
    }

    if (rc == SYNC_NO) {

        /* the object's id is of the request's line, the rest of its payload */

        status = err.pointer.len ? 422
                                 : NGX_HTTP_BAD_REQUEST;

        (void) ngx_http_sync_problem(ctx, status, "bad-value",
                                     "A value cannot be sent on",
                                     NGX_HTTP_SYNC_BUSINESS,
                                     "a value cannot stand where the "
                                     "connector needs it: %s", err.text);

        if (err.pointer.len
            && ngx_http_sync_problem_fault(ctx, err.pointer, err.what,
                                           err.text)
               != NGX_OK)
        {
            return NGX_ERROR;
        }

        return status;
    }

    p = ngx_pnalloc(r->pool, ctx->route.c.path.len + target.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ctx->route.uri.data = p;
    ctx->route.uri.len = ctx->route.c.path.len + target.len;

    p = ngx_cpymem(p, ctx->route.c.path.data, ctx->route.c.path.len);
    ngx_memcpy(p, target.data, target.len);

    return NGX_OK;
}


/*
 * A new list with what may pass.  The old one stays where it is: logs see the
 * request as it came.
 */

static ngx_int_t
ngx_http_sync_route_headers(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx)
{
    ngx_uint_t                   i;
    ngx_list_t                   list;
    ngx_list_part_t             *part;
    ngx_table_elt_t             *h, *copy, **field;
    ngx_http_header_t           *hh;
    ngx_http_core_main_conf_t   *cmcf;
    ngx_http_sync_route_slot_t  *slot;

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_core_module);
    slot = ctx->slots[NGX_HTTP_SYNC_STEP_ROUTE];

    slot->headers = r->headers_in;
    slot->kept = 1;

    if (ngx_list_init(&list, r->pool, 16, sizeof(ngx_table_elt_t)) != NGX_OK) {
        return NGX_ERROR;
    }

    for (part = &r->headers_in.headers.part; part != NULL; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (!ngx_http_sync_route_passes(ctx, &h[i])) {
                continue;
            }

            copy = ngx_list_push(&list);
            if (copy == NULL) {
                return NGX_ERROR;
            }

            *copy = h[i];

            /* what changes a header by its named field means the new one */

            hh = ngx_hash_find(&cmcf->headers_in_hash, copy->hash,
                               copy->lowcase_key, copy->key.len);

            if (hh != NULL && hh->offset) {
                field = (ngx_table_elt_t **)
                                      ((char *) &r->headers_in + hh->offset);

                if (*field == &h[i]) {
                    *field = copy;
                }
            }
        }
    }

    r->headers_in.headers = list;

    /* ngx_list_t knows its last part by a pointer into itself */

    if (r->headers_in.headers.last == &list.part) {
        r->headers_in.headers.last = &r->headers_in.headers.part;
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_http_sync_route_passes(ngx_http_sync_ctx_t *ctx, ngx_table_elt_t *h)
{
    ngx_str_t   *pass;
    sync_str_t   name;

    for (pass = ngx_http_sync_route_pass; pass->len; pass++) {
        if (h->key.len == pass->len
            && ngx_strncasecmp(h->key.data, pass->data, pass->len) == 0)
        {
            return 1;
        }
    }

    name.len = h->key.len;
    name.data = h->lowcase_key;

    return sync_doc_has(ctx->tenant.doc, ctx->route.c.request_headers, name);
}


/* No byte that would end a header, or that none may have. */

static ngx_uint_t
ngx_http_sync_route_clean(ngx_str_t *value)
{
    size_t  i;

    for (i = 0; i < value->len; i++) {
        if ((value->data[i] < 0x20 && value->data[i] != '\t')
            || value->data[i] == 0x7f)
        {
            return 0;
        }
    }

    return 1;
}


/* Of connectors by URL: a document with one is refused where there is none. */

static ngx_str_t
ngx_http_sync_route_group(ngx_http_request_t *r)
{
    ngx_http_sync_main_conf_t  *smcf;

    smcf = ngx_http_get_module_main_conf(r, ngx_http_sync_module);

    return smcf->peers->host;
}


static ngx_str_t
ngx_http_sync_route_str(sync_str_t s)
{
    ngx_str_t  str;

    str.len = s.len;
    str.data = s.data;

    return str;
}


/* All directives are read: does a sync_entity stand anywhere? */

static char *
ngx_http_sync_route_init_main_conf(ngx_conf_t *cf, void *conf)
{
    ngx_http_sync_main_conf_t  *smcf;

    smcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_sync_module);

    if (smcf->configured[NGX_HTTP_SYNC_STEP_ENTITY] == NULL) {
        return NGX_CONF_OK;
    }

    return ngx_http_sync_use(cf, &ngx_http_sync_route_step) == NGX_OK
           && ngx_http_sync_use(cf, &ngx_http_sync_share_step) == NGX_OK
           ? NGX_CONF_OK : NGX_CONF_ERROR;
}
