
/*
 * sync_keys: what an operator asks of a key at night.
 *
 *     GET    ?tenant=acme&key=K     where it was claimed, and how it stands
 *     DELETE ?tenant=acme&key=K     one whose outcome nobody knows is free
 *     GET    ?check                 do the stores do what claims need?
 *
 * Who asked under a key is part of its name, and an operator does not know it:
 * all clients that the document has, in all locations that claim keys, are
 * looked up; client=, issuer=, subject=, scope= say more.  Nothing of a
 * payload is ever shown.
 */


#include "ngx_http_sync_idempotency_keys.h"
#include "ngx_http_sync_registry.h"


#define NGX_HTTP_SYNC_KEYS_MAX     4096      /* names that one key may have */
#define NGX_HTTP_SYNC_KEYS_WINDOW  64        /* looked up at once */


static ngx_int_t ngx_http_sync_keys_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_sync_keys_start(ngx_http_request_t *r,
    ngx_http_sync_keys_ctx_t *ctx);
static ngx_int_t ngx_http_sync_keys_names(ngx_http_sync_keys_ctx_t *ctx,
    ngx_http_sync_idempotency_main_conf_t *imcf, const sync_doc_t *doc);
static ngx_int_t ngx_http_sync_keys_place(ngx_http_sync_keys_ctx_t *ctx,
    ngx_http_sync_idempotency_main_conf_t *imcf,
    ngx_http_sync_idem_place_t *place, const sync_doc_t *doc);
static ngx_int_t ngx_http_sync_keys_client(ngx_http_sync_keys_ctx_t *ctx,
    ngx_http_sync_idempotency_main_conf_t *imcf,
    ngx_http_sync_idem_parts_t *parts, const sync_doc_t *doc);
static ngx_int_t ngx_http_sync_keys_name(ngx_http_sync_keys_ctx_t *ctx,
    ngx_http_sync_idempotency_main_conf_t *imcf,
    ngx_http_sync_idem_parts_t *parts);
static ngx_int_t ngx_http_sync_keys_run(ngx_http_request_t *r,
    ngx_http_sync_keys_ctx_t *ctx);
static ngx_int_t ngx_http_sync_keys_look(ngx_http_sync_keys_ctx_t *ctx);
static ngx_int_t ngx_http_sync_keys_looked(ngx_http_request_t *r,
    ngx_http_sync_keys_ctx_t *ctx);
static void ngx_http_sync_keys_op(ngx_http_sync_keys_ctx_t *ctx,
    ngx_sync_op_t *op);
static void ngx_http_sync_keys_done(ngx_sync_op_t *op);
static void ngx_http_sync_keys_resume(ngx_http_request_t *r);
static void ngx_http_sync_keys_cleanup(void *data);
static ngx_int_t ngx_http_sync_keys_arg(ngx_http_request_t *r,
    const char *name, ngx_str_t *value);


static const struct {
    ngx_uint_t  bit;
    ngx_str_t   name;
} ngx_http_sync_keys_methods[] = {
    { NGX_HTTP_POST, ngx_string("POST") },
    { NGX_HTTP_PATCH, ngx_string("PATCH") },
    { NGX_HTTP_PUT, ngx_string("PUT") },
    { NGX_HTTP_DELETE, ngx_string("DELETE") }
};

#define NGX_HTTP_SYNC_KEYS_METHODS                                            \
    (sizeof(ngx_http_sync_keys_methods) / sizeof(ngx_http_sync_keys_methods[0]))


char *
ngx_http_sync_keys(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_core_loc_conf_t               *clcf;
    ngx_http_sync_loc_conf_t               *slcf;
    ngx_http_sync_idempotency_main_conf_t  *imcf;

    imcf = ngx_http_conf_get_module_main_conf(cf,
                                             ngx_http_sync_idempotency_module);
    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    slcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_sync_module);

    if (clcf->handler == ngx_http_sync_keys_handler) {
        return "is duplicate";
    }

    clcf->handler = ngx_http_sync_keys_handler;

    /* as with sync_status: what is inherited does not act here */

    slcf->status = 1;
    imcf->asked = 1;

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_sync_keys_handler(ngx_http_request_t *r)
{
    ngx_int_t                               rc;
    ngx_pool_cleanup_t                     *cln;
    ngx_http_sync_keys_ctx_t               *ctx;

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD|NGX_HTTP_DELETE))) {
        return NGX_HTTP_NOT_ALLOWED;
    }

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    ctx = ngx_pcalloc(r->pool, sizeof(ngx_http_sync_keys_ctx_t));
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->request = r;

    if (ngx_array_init(&ctx->names, r->pool, 16,
                       sizeof(ngx_http_sync_keys_name_t))
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    cln = ngx_pool_cleanup_add(r->pool, 0);
    if (cln == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    cln->handler = ngx_http_sync_keys_cleanup;
    cln->data = ctx;

    ngx_http_set_ctx(r, ctx, ngx_http_sync_idempotency_module);

    rc = ngx_http_sync_keys_start(r, ctx);
    if (rc != NGX_DECLINED) {
        return rc;
    }

    rc = ngx_http_sync_keys_run(r, ctx);

    if (rc == NGX_AGAIN) {
        r->main->count++;

        return NGX_DONE;
    }

    return rc;
}


/* Reads the query.  NGX_DECLINED: go on; else it was answered. */

static ngx_int_t
ngx_http_sync_keys_start(ngx_http_request_t *r, ngx_http_sync_keys_ctx_t *ctx)
{
    ngx_int_t                               rc;
    ngx_str_t                               tenant, check;
    sync_str_t                              id;
    const sync_doc_t                       *doc;
    ngx_http_sync_tenant_t                 *t;
    ngx_http_sync_idempotency_main_conf_t  *imcf;

    imcf = ngx_http_get_module_main_conf(r, ngx_http_sync_idempotency_module);

    if (ngx_http_arg(r, (u_char *) "check", 5, &check) == NGX_OK
        || (r->args.len == 5 && ngx_strncmp(r->args.data, "check", 5) == 0))
    {
        if (r->method == NGX_HTTP_DELETE) {
            return NGX_HTTP_NOT_ALLOWED;
        }

        ctx->state = NGX_HTTP_SYNC_KEYS_CHECK;

        return ngx_http_sync_keys_check_init(r, ctx, imcf->store) == NGX_OK
               ? NGX_DECLINED : NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ngx_http_sync_keys_arg(r, "tenant", &tenant) != NGX_OK
        || ngx_http_sync_keys_arg(r, "key", &ctx->given.key) != NGX_OK
        || ngx_http_sync_keys_arg(r, "client", &ctx->given.client) != NGX_OK
        || ngx_http_sync_keys_arg(r, "issuer", &ctx->given.issuer) != NGX_OK
        || ngx_http_sync_keys_arg(r, "subject", &ctx->given.subject) != NGX_OK
        || ngx_http_sync_keys_arg(r, "scope", &ctx->given.scope) != NGX_OK
        || ngx_http_sync_keys_arg(r, "record", &ctx->record) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ctx->given.key.len == 0) {
        return ngx_http_sync_keys_refuse(r, NGX_HTTP_BAD_REQUEST,
                                         "say key=, as the client sent it, "
                                         "without quotes");
    }

    doc = NULL;

    if (tenant.len) {
        rc = ngx_http_sync_tenant_by_name(r, &tenant, &t);

        if (rc == NGX_DECLINED) {
            rc = ngx_http_sync_tenant_by_id(r, &tenant, &t);
        }

        if (rc != NGX_OK || ngx_http_sync_tenant_hold(r->pool, t) != NGX_OK) {
            return ngx_http_sync_keys_refuse(r, NGX_HTTP_NOT_FOUND,
                                             rc == NGX_ABORT
                                             ? "the tenant's document is "
                                               "broken"
                                             : "there is no such tenant");
        }

        doc = ngx_http_sync_tenant_doc(t);

        id = sync_doc_id(doc);
        ctx->given.tenant.len = id.len;
        ctx->given.tenant.data = id.data;
    }

    ctx->store = ngx_http_sync_idem_store(imcf, doc);

    if (ctx->store == NULL) {
        return ngx_http_sync_keys_refuse(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                         "the tenant lives where no "
                                         "sync_store is named so");
    }

    rc = ngx_http_sync_keys_names(ctx, imcf, doc);

    if (rc == NGX_DECLINED) {
        return ngx_http_sync_keys_refuse(r, NGX_HTTP_BAD_REQUEST,
                                         "this key may have too many names; "
                                         "say client=");
    }

    return rc == NGX_OK ? NGX_DECLINED : NGX_HTTP_INTERNAL_SERVER_ERROR;
}


/* All names that the key may have.  NGX_DECLINED: too many. */

static ngx_int_t
ngx_http_sync_keys_names(ngx_http_sync_keys_ctx_t *ctx,
    ngx_http_sync_idempotency_main_conf_t *imcf, const sync_doc_t *doc)
{
    ngx_int_t                    rc;
    ngx_uint_t                   i;
    ngx_http_sync_idem_place_t  *place;

    place = imcf->places->elts;

    for (i = 0; i < imcf->places->nelts; i++) {
        rc = ngx_http_sync_keys_place(ctx, imcf, &place[i], doc);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_sync_keys_place(ngx_http_sync_keys_ctx_t *ctx,
    ngx_http_sync_idempotency_main_conf_t *imcf,
    ngx_http_sync_idem_place_t *place, const sync_doc_t *doc)
{
    uint32_t                     i, n;
    ngx_int_t                    rc;
    ngx_uint_t                   m;
    sync_doc_client_t            client;
    ngx_http_sync_idem_parts_t   parts;

    ngx_memzero(&parts, sizeof(parts));

    parts.tenant = ctx->given.tenant;
    parts.key = ctx->given.key;
    parts.server = place->server;
    parts.name = place->name;

    if (place->scope) {
        parts.scope = ctx->given.scope;
    }

    for (m = 0; m < NGX_HTTP_SYNC_KEYS_METHODS; m++) {

        if (!(place->methods & ngx_http_sync_keys_methods[m].bit)) {
            continue;
        }

        parts.method = ngx_http_sync_keys_methods[m].name;

        if (!place->auth) {
            rc = ngx_http_sync_keys_name(ctx, imcf, &parts);
            if (rc != NGX_OK) {
                return rc;
            }

            continue;
        }

        if (ctx->given.client.len) {
            parts.client = ctx->given.client;

            rc = ngx_http_sync_keys_client(ctx, imcf, &parts, doc);
            if (rc != NGX_OK) {
                return rc;
            }

            continue;
        }

        n = doc != NULL ? sync_doc_clients(doc) : 0;

        for (i = 0; i < n; i++) {
            if (sync_doc_client_at(doc, i, &client) != SYNC_OK) {
                continue;
            }

            parts.client.len = client.id.len;
            parts.client.data = client.id.data;

            rc = ngx_http_sync_keys_client(ctx, imcf, &parts, doc);
            if (rc != NGX_OK) {
                return rc;
            }
        }
    }

    return NGX_OK;
}


/* By a key or signature of the client's own, or by tokens of its issuers. */

static ngx_int_t
ngx_http_sync_keys_client(ngx_http_sync_keys_ctx_t *ctx,
    ngx_http_sync_idempotency_main_conf_t *imcf,
    ngx_http_sync_idem_parts_t *parts, const sync_doc_t *doc)
{
    uint32_t           i, n;
    ngx_int_t          rc;
    ngx_uint_t         k;
    ngx_str_t          none;
    sync_doc_issuer_t  issuer;

    ngx_str_null(&none);

    parts->issuer = none;
    parts->subject = none;

    if (ctx->given.issuer.len == 0 && ctx->given.subject.len == 0) {
        rc = ngx_http_sync_keys_name(ctx, imcf, parts);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    n = doc != NULL ? sync_doc_issuers(doc) : 0;

    for (i = 0; i <= n; i++) {

        if (i == n) {
            if (ctx->given.issuer.len == 0) {
                break;
            }

            parts->issuer = ctx->given.issuer;

        } else if (ctx->given.issuer.len
                   || sync_doc_issuer_at(doc, i, &issuer) != SYNC_OK)
        {
            continue;

        } else {
            parts->issuer.len = issuer.issuer.len;
            parts->issuer.data = issuer.issuer.data;
        }

        /* a machine's token names the client as its subject, or nobody */

        for (k = 0; k < 2; k++) {
            parts->subject = ctx->given.subject.len ? ctx->given.subject
                             : k == 0 ? parts->client : none;

            rc = ngx_http_sync_keys_name(ctx, imcf, parts);
            if (rc != NGX_OK) {
                return rc;
            }

            if (ctx->given.subject.len) {
                break;
            }
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_sync_keys_name(ngx_http_sync_keys_ctx_t *ctx,
    ngx_http_sync_idempotency_main_conf_t *imcf,
    ngx_http_sync_idem_parts_t *parts)
{
    ngx_http_sync_keys_name_t  *n;

    if (ctx->names.nelts == NGX_HTTP_SYNC_KEYS_MAX) {
        return NGX_DECLINED;
    }

    n = ngx_array_push(&ctx->names);
    if (n == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(n, sizeof(ngx_http_sync_keys_name_t));

    n->parts = *parts;
    ngx_http_sync_idem_digest(imcf, parts, &n->look.key);

    return NGX_OK;
}


/* NGX_AGAIN: something is under way. */

static ngx_int_t
ngx_http_sync_keys_run(ngx_http_request_t *r, ngx_http_sync_keys_ctx_t *ctx)
{
    for ( ;; ) {

        switch (ctx->state) {

        case NGX_HTTP_SYNC_KEYS_LOOK:

            if (ngx_http_sync_keys_look(ctx) == NGX_AGAIN) {
                return NGX_AGAIN;
            }

            if (ctx->next < ctx->names.nelts) {
                continue;
            }

            return ngx_http_sync_keys_looked(r, ctx);

        case NGX_HTTP_SYNC_KEYS_BEGIN:

            if (ctx->op.result == NGX_SYNC_STORE_DOWN) {
                return ngx_http_sync_keys_refuse(r,
                                              NGX_HTTP_SERVICE_UNAVAILABLE,
                                              "the store does not answer");
            }

            if (ctx->op.result != NGX_SYNC_STORE_OK) {
                return ngx_http_sync_keys_refuse(r, NGX_HTTP_CONFLICT,
                                              "somebody else resolves it, or "
                                              "has; look again");
            }

            ctx->hold.epoch = ctx->hold.entry.epoch;
            ctx->hold.outcome = NGX_SYNC_STATE_NONE;
            ctx->state = NGX_HTTP_SYNC_KEYS_END;

            ngx_http_sync_keys_op(ctx, &ctx->op);

            if (ctx->store->ops->resolve_end(ctx->store, &ctx->op, &ctx->hold)
                == NGX_AGAIN)
            {
                ctx->pending = 1;
                return NGX_AGAIN;
            }

            continue;

        case NGX_HTTP_SYNC_KEYS_END:

            if (ctx->op.result != NGX_SYNC_STORE_OK) {
                return ngx_http_sync_keys_refuse(r,
                                              NGX_HTTP_SERVICE_UNAVAILABLE,
                                              "the store does not answer; "
                                              "look again");
            }

            ngx_log_error(NGX_LOG_NOTICE, r->connection->log, 0,
                          "idempotency: an operator has released a key, "
                          "tenant \"%V\"", &ctx->given.tenant);

            return ngx_http_sync_keys_show(r, ctx, 1);

        default: /* NGX_HTTP_SYNC_KEYS_CHECK */

            if (ngx_http_sync_keys_check(ctx) == NGX_AGAIN) {
                return NGX_AGAIN;
            }

            return ngx_http_sync_keys_show_check(r, ctx);
        }
    }
}


/* A window of them at once: a network is far, and a script is short. */

static ngx_int_t
ngx_http_sync_keys_look(ngx_http_sync_keys_ctx_t *ctx)
{
    ngx_uint_t                  i;
    ngx_http_sync_keys_name_t  *n;

    n = ctx->names.elts;

    for (i = 0;
         i < NGX_HTTP_SYNC_KEYS_WINDOW && ctx->next < ctx->names.nelts;
         i++)
    {
        ngx_http_sync_keys_op(ctx, &n[ctx->next].op);

        if (ctx->store->ops->look(ctx->store, &n[ctx->next].op,
                                  &n[ctx->next].look)
            == NGX_AGAIN)
        {
            ctx->pending++;
        }

        ctx->next++;
    }

    return ctx->pending ? NGX_AGAIN : NGX_OK;
}


static ngx_int_t
ngx_http_sync_keys_looked(ngx_http_request_t *r, ngx_http_sync_keys_ctx_t *ctx)
{
    u_char                      hex[2 * NGX_SYNC_NAME_LEN];
    ngx_uint_t                  i;
    ngx_http_sync_keys_name_t  *n;

    n = ctx->names.elts;

    for (i = 0; i < ctx->names.nelts; i++) {

        if (n[i].op.result == NGX_SYNC_STORE_DOWN) {
            ctx->down++;
        }

        if (n[i].op.result != NGX_SYNC_STORE_OK) {
            continue;
        }

        if (ctx->record.len) {
            (void) sync_hex_encode(hex, n[i].look.key.name,
                                   NGX_SYNC_NAME_LEN);

            if (ctx->record.len > sizeof(hex)
                || ngx_strncmp(ctx->record.data, hex, ctx->record.len) != 0)
            {
                continue;
            }
        }

        if (ctx->nfound < NGX_HTTP_SYNC_KEYS_SHOWN) {
            ctx->found[ctx->nfound++] = &n[i];
        }
    }

    if (ctx->nfound == 0) {
        if (ctx->down) {
            return ngx_http_sync_keys_refuse(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                             "the store does not answer");
        }

        return ngx_http_sync_keys_refuse(r, NGX_HTTP_NOT_FOUND,
                                         "nobody holds this key: it was never "
                                         "claimed, was released, or its "
                                         "retention is over; where subjects "
                                         "or a scope name keys, say subject= "
                                         "or scope=");
    }

    if (r->method != NGX_HTTP_DELETE) {
        return ngx_http_sync_keys_show(r, ctx, 0);
    }

    if (ctx->nfound > 1) {
        return ngx_http_sync_keys_refuse(r, NGX_HTTP_CONFLICT,
                                         "several clients or locations have "
                                         "this key; say record=");
    }

    switch (ctx->found[0]->look.entry.state) {

    case NGX_SYNC_STATE_UNKNOWN:
        break;

    case NGX_SYNC_STATE_PROGRESS:
        return ngx_http_sync_keys_refuse(r, NGX_HTTP_CONFLICT,
                                         "it is in progress; its lease must "
                                         "be over first");

    default:
        return ngx_http_sync_keys_refuse(r, NGX_HTTP_CONFLICT,
                                         "it was executed and has its answer; "
                                         "only a key whose outcome nobody "
                                         "knows is released");
    }

    ctx->hold.key = ctx->found[0]->look.key;
    ctx->hold.lease = NGX_HTTP_SYNC_KEYS_LEASE;

    if (sync_random(ctx->hold.owner, NGX_SYNC_OWNER_LEN) != SYNC_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->state = NGX_HTTP_SYNC_KEYS_BEGIN;

    ngx_http_sync_keys_op(ctx, &ctx->op);

    if (ctx->store->ops->resolve_begin(ctx->store, &ctx->op, &ctx->hold)
        == NGX_AGAIN)
    {
        ctx->pending = 1;
        return NGX_AGAIN;
    }

    return ngx_http_sync_keys_run(r, ctx);
}


static void
ngx_http_sync_keys_op(ngx_http_sync_keys_ctx_t *ctx, ngx_sync_op_t *op)
{
    ngx_memzero(op, sizeof(ngx_sync_op_t));

    op->handler = ngx_http_sync_keys_done;
    op->data = ctx;
    op->log = ctx->request->connection->log;
    op->pool = ctx->request->pool;
}


static void
ngx_http_sync_keys_done(ngx_sync_op_t *op)
{
    ngx_http_sync_keys_answered(op->data);
}


void
ngx_http_sync_keys_answered(ngx_http_sync_keys_ctx_t *ctx)
{
    ngx_http_request_t  *r;

    r = ctx->request;

    if (--ctx->pending == 0) {
        r->write_event_handler = ngx_http_sync_keys_resume;
        ngx_post_event(r->connection->write, &ngx_posted_events);
    }
}


static void
ngx_http_sync_keys_resume(ngx_http_request_t *r)
{
    ngx_int_t                  rc;
    ngx_http_sync_keys_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_sync_idempotency_module);

    if (ctx->pending) {
        return;
    }

    rc = ngx_http_sync_keys_run(r, ctx);

    if (rc != NGX_AGAIN) {
        ngx_http_finalize_request(r, rc);
    }
}


static void
ngx_http_sync_keys_cleanup(void *data)
{
    ngx_http_sync_keys_ctx_t *ctx = data;

    ngx_uint_t                  i;
    ngx_http_sync_keys_name_t  *n;

    n = ctx->names.elts;

    for (i = 0; i < ctx->next; i++) {
        ngx_sync_store_cancel(ctx->store, &n[i].op);
    }

    ngx_sync_store_cancel(ctx->store, &ctx->op);

    ngx_http_sync_keys_check_cancel(ctx);
}


/* Unescaped; empty where it is absent. */

static ngx_int_t
ngx_http_sync_keys_arg(ngx_http_request_t *r, const char *name,
    ngx_str_t *value)
{
    u_char  *src, *dst;

    if (ngx_http_arg(r, (u_char *) name, ngx_strlen(name), value) != NGX_OK) {
        ngx_str_null(value);
        return NGX_OK;
    }

    dst = ngx_pnalloc(r->pool, value->len + 1);
    if (dst == NULL) {
        return NGX_ERROR;
    }

    src = value->data;
    value->data = dst;

    ngx_unescape_uri(&dst, &src, value->len, 0);

    value->len = dst - value->data;

    return NGX_OK;
}
