
/*
 * sync_tenant: whose request is it?  Read from the host, the path or a
 * header; by the certificate of one of its clients; or, once a signature is
 * verified, from an element of the body, by the tenant's account in the
 * sender's system.  The document of the tenant is held until the request goes.
 *
 * A host that nobody has and a tenant that is not there are one and the same
 * answer, so that nobody learns who is a customer.
 */


#include "ngx_http_sync_edge.h"
#include "ngx_http_sync_registry.h"
#include "sync_path.h"


#define NGX_HTTP_SYNC_TENANT_OFF     0
#define NGX_HTTP_SYNC_TENANT_HOST    1
#define NGX_HTTP_SYNC_TENANT_PATH    2
#define NGX_HTTP_SYNC_TENANT_HEADER  3
#define NGX_HTTP_SYNC_TENANT_ELEMENT 4
#define NGX_HTTP_SYNC_TENANT_CERTIFICATE 5

#define NGX_HTTP_SYNC_TENANT_ACCOUNT 256 /* bytes of an account, at most */


typedef struct {
    ngx_uint_t   from;
    ngx_str_t    name;                   /* prefix of the path, with its last
                                            slash; header, lower case; element
                                            as written */
    sync_path_t *path;                   /* of the element */
    sync_arena_t arena;                  /* of the path */
} ngx_http_sync_tenant_loc_conf_t;


/* What was found, and by which configuration. */

typedef struct {
    ngx_http_sync_tenant_loc_conf_t  *conf;
    ngx_int_t                         rc;
} ngx_http_sync_tenant_slot_t;


static ngx_uint_t ngx_http_sync_tenant_enabled(ngx_http_request_t *r);
static ngx_int_t ngx_http_sync_tenant_run(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);
static ngx_uint_t ngx_http_sync_tenant_element_enabled(ngx_http_request_t *r);
static ngx_int_t ngx_http_sync_tenant_element_run(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);
static void ngx_http_sync_tenant_leave(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);
static ngx_int_t ngx_http_sync_tenant_find(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);
static ngx_int_t ngx_http_sync_tenant_look(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, ngx_http_sync_tenant_loc_conf_t *tlcf,
    ngx_http_sync_tenant_t **t);
static ngx_int_t ngx_http_sync_tenant_by_shown(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, ngx_http_sync_tenant_t **t);
static ngx_int_t ngx_http_sync_tenant_by_element(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, ngx_http_sync_tenant_loc_conf_t *tlcf,
    ngx_http_sync_tenant_t **t);
static ngx_int_t ngx_http_sync_tenant_element(ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_tenant_loc_conf_t *tlcf, sync_str_t *account);

static void *ngx_http_sync_tenant_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_sync_tenant_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);
static ngx_uint_t ngx_http_sync_tenant_configured(ngx_http_conf_ctx_t *ctx);
static ngx_int_t ngx_http_sync_tenant_check(ngx_conf_t *cf,
    ngx_http_conf_ctx_t *ctx);
static ngx_uint_t ngx_http_sync_tenant_element_configured(
    ngx_http_conf_ctx_t *ctx);
static char *ngx_http_sync_tenant(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_sync_tenant_set_element(ngx_conf_t *cf,
    ngx_http_sync_tenant_loc_conf_t *tlcf, ngx_str_t *value);
static void *ngx_http_sync_tenant_alloc(sync_arena_t *arena, size_t size);


static const ngx_http_sync_step_t  ngx_http_sync_tenant_step = {
    "tenant",
    NGX_HTTP_SYNC_STAGE_PREACCESS,
    NGX_HTTP_SYNC_STEP_TENANT,
    ngx_http_sync_tenant_enabled,
    0,
    ngx_http_sync_tenant_run,
    NULL,
    ngx_http_sync_tenant_leave,
    NULL
};


static const ngx_http_sync_step_t  ngx_http_sync_tenant_element_step = {
    "tenant_element",
    NGX_HTTP_SYNC_STAGE_PRECONTENT,
    NGX_HTTP_SYNC_STEP_TENANT_ELEMENT,
    ngx_http_sync_tenant_element_enabled,
    0,
    ngx_http_sync_tenant_element_run,
    NULL,
    NULL,
    NULL
};


static ngx_command_t  ngx_http_sync_tenant_commands[] = {

    { ngx_string("sync_tenant"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_sync_tenant,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_sync_tenant_module_ctx = {
    NULL,                                  /* preconfiguration */
    NULL,                                  /* postconfiguration */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_sync_tenant_create_loc_conf,  /* create location configuration */
    ngx_http_sync_tenant_merge_loc_conf    /* merge location configuration */
};


ngx_module_t  ngx_http_sync_tenant_module = {
    NGX_MODULE_V1,
    &ngx_http_sync_tenant_module_ctx,      /* module context */
    ngx_http_sync_tenant_commands,         /* module directives */
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
ngx_http_sync_tenant_enabled(ngx_http_request_t *r)
{
    ngx_http_sync_tenant_loc_conf_t  *tlcf;

    tlcf = ngx_http_get_module_loc_conf(r, ngx_http_sync_tenant_module);

    return tlcf->from != NGX_HTTP_SYNC_TENANT_OFF;
}


static ngx_uint_t
ngx_http_sync_tenant_element_enabled(ngx_http_request_t *r)
{
    ngx_http_sync_tenant_loc_conf_t  *tlcf;

    tlcf = ngx_http_get_module_loc_conf(r, ngx_http_sync_tenant_module);

    return tlcf->from == NGX_HTTP_SYNC_TENANT_ELEMENT;
}


static ngx_int_t
ngx_http_sync_tenant_run(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx)
{
    ngx_int_t                         rc;
    ngx_http_sync_tenant_loc_conf_t  *tlcf;

    rc = ngx_http_sync_tenant_find(r, ctx);

    switch (rc) {

    case NGX_OK:
        ngx_http_sync_trace(ctx, "tenant", "%V", &ctx->tenant.name);
        return NGX_OK;

    case NGX_HTTP_NOT_FOUND:
        return ngx_http_sync_problem(ctx, rc, "unknown-tenant",
                                     "There is no such tenant",
                                     NGX_HTTP_SYNC_BUSINESS,
                                     "nothing is known under this name");

    case NGX_HTTP_SERVICE_UNAVAILABLE:
        return ngx_http_sync_problem(ctx, rc, "tenant-misconfigured",
                                     "The tenant's document is broken",
                                     NGX_HTTP_SYNC_TECHNICAL,
                                     "the document of this tenant cannot be "
                                     "used; the operator's log says why");

    case NGX_HTTP_BAD_REQUEST:

        if (ctx->problem.status == NGX_HTTP_BAD_REQUEST) {

            /* the body that should name it cannot be read */

            return rc;
        }

        tlcf = ngx_http_get_module_loc_conf(r, ngx_http_sync_tenant_module);

        return ngx_http_sync_problem(ctx, rc, "tenant-ambiguous",
                                     "More than one tenant is named",
                                     NGX_HTTP_SYNC_BUSINESS,
                                     tlcf->from
                                     == NGX_HTTP_SYNC_TENANT_CERTIFICATE
                                     ? "the certificate has the names of two "
                                       "tenants"
                                     : "the header that names the tenant came "
                                       "more than once");

    case 422:
        return ngx_http_sync_problem(ctx, rc, "tenant-ambiguous",
                                     "More than one tenant is named",
                                     NGX_HTTP_SYNC_BUSINESS,
                                     "the elements of the body name different "
                                     "tenants");

    default:
        return rc;
    }
}


/* The body is read and proven by now; what it names is judged as any name. */

static ngx_int_t
ngx_http_sync_tenant_element_run(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx)
{
    ngx_int_t                         rc;
    ngx_http_sync_tenant_loc_conf_t  *tlcf;

    rc = ngx_http_sync_tenant_run(r, ctx);

    if (rc == NGX_DECLINED) {
        tlcf = ngx_http_get_module_loc_conf(r, ngx_http_sync_tenant_module);

        return ngx_http_sync_problem(ctx, NGX_HTTP_BAD_REQUEST,
                                     "tenant-missing",
                                     "The body names no tenant",
                                     NGX_HTTP_SYNC_BUSINESS,
                                     "no account stands at \"%V\" of the "
                                     "body", &tlcf->name);
    }

    return rc;
}


/* The next location may read it from elsewhere. */

static void
ngx_http_sync_tenant_leave(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx)
{
    ctx->done &= ~(1u << NGX_HTTP_SYNC_STEP_TENANT
                   | 1u << NGX_HTTP_SYNC_STEP_TENANT_ELEMENT);
}


/* Without a problem: variables ask, too. */

static ngx_int_t
ngx_http_sync_tenant_find(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx)
{
    sync_str_t                        s;
    ngx_http_sync_tenant_t           *t;
    ngx_http_sync_tenant_slot_t      *slot;
    ngx_http_sync_tenant_loc_conf_t  *tlcf;

    tlcf = ngx_http_get_module_loc_conf(r, ngx_http_sync_tenant_module);

    if (tlcf->from == NGX_HTTP_SYNC_TENANT_OFF) {
        return NGX_DECLINED;
    }

    slot = ctx->slots[NGX_HTTP_SYNC_STEP_TENANT];

    if (slot == NULL) {
        slot = ngx_pcalloc(r->pool, sizeof(ngx_http_sync_tenant_slot_t));
        if (slot == NULL) {
            return NGX_ERROR;
        }

        ctx->slots[NGX_HTTP_SYNC_STEP_TENANT] = slot;
    }

    /* a location may read it from elsewhere than what asked before it */

    if (slot->conf == tlcf) {
        return slot->rc;
    }

    ngx_memzero(&ctx->tenant, sizeof(ctx->tenant));

    if (tlcf->from == NGX_HTTP_SYNC_TENANT_ELEMENT
        && !ctx->principal.platform)
    {
        /* what nobody has signed names nobody */

        slot->conf = NULL;
        return NGX_DECLINED;
    }

    slot->conf = tlcf;
    slot->rc = ngx_http_sync_tenant_look(r, ctx, tlcf, &t);

    if (slot->rc != NGX_OK) {
        return slot->rc;
    }

    if (ngx_http_sync_tenant_hold(r->pool, t) != NGX_OK) {
        slot->rc = NGX_ERROR;
        return NGX_ERROR;
    }

    ctx->tenant.entry = t;
    ctx->tenant.doc = ngx_http_sync_tenant_doc(t);

    s = sync_doc_id(ctx->tenant.doc);
    ctx->tenant.id.len = s.len;
    ctx->tenant.id.data = s.data;

    s = sync_doc_name(ctx->tenant.doc);
    ctx->tenant.name.len = s.len;
    ctx->tenant.name.data = s.data;

    return NGX_OK;
}


static ngx_int_t
ngx_http_sync_tenant_look(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_tenant_loc_conf_t *tlcf, ngx_http_sync_tenant_t **t)
{
    u_char           *p, *last;
    ngx_int_t         rc;
    ngx_str_t         name;
    ngx_uint_t        lines;
    ngx_table_elt_t  *h;

    switch (tlcf->from) {

    case NGX_HTTP_SYNC_TENANT_HOST:

        /* lower case, without port and last dot: NGINX has seen to it */

        rc = ngx_http_sync_tenant_by_host(r, &r->headers_in.server, t);
        break;

    case NGX_HTTP_SYNC_TENANT_PATH:

        if (r->uri.len <= tlcf->name.len
            || ngx_memcmp(r->uri.data, tlcf->name.data, tlcf->name.len) != 0)
        {
            return NGX_HTTP_NOT_FOUND;
        }

        last = r->uri.data + r->uri.len;
        name.data = r->uri.data + tlcf->name.len;

        for (p = name.data; p < last && *p != '/'; p++) { /* void */ }

        name.len = p - name.data;

        rc = ngx_http_sync_tenant_by_name(r, &name, t);
        break;

    case NGX_HTTP_SYNC_TENANT_CERTIFICATE:

        rc = ngx_http_sync_tenant_by_shown(r, ctx, t);

        if (rc == NGX_ERROR || rc == NGX_HTTP_BAD_REQUEST) {
            return rc;
        }

        break;

    case NGX_HTTP_SYNC_TENANT_ELEMENT:

        rc = ngx_http_sync_tenant_by_element(r, ctx, tlcf, t);

        if (rc != NGX_OK && rc != NGX_DECLINED && rc != NGX_ABORT) {
            return rc == NGX_DONE ? NGX_DECLINED : rc;
        }

        break;

    default: /* NGX_HTTP_SYNC_TENANT_HEADER */

        h = ngx_http_sync_header_in(r, &tlcf->name, &lines);

        if (h == NULL) {
            return NGX_HTTP_NOT_FOUND;
        }

        if (lines > 1) {
            return NGX_HTTP_BAD_REQUEST;
        }

        rc = ngx_http_sync_tenant_by_name(r, &h->value, t);
    }

    switch (rc) {

    case NGX_OK:
        return NGX_OK;

    case NGX_ABORT:
        return NGX_HTTP_SERVICE_UNAVAILABLE;

    default:
        return NGX_HTTP_NOT_FOUND;
    }
}


/*
 * By the certificate that was shown, its digest first, as sync_auth does: the
 * client that it finds there is one of this tenant's.  As the lookups; 400: it
 * has the names of two.
 */

static ngx_int_t
ngx_http_sync_tenant_by_shown(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_tenant_t **t)
{
    u_char                   print[SYNC_CERT_PRINT_LEN];
    ngx_int_t                rc, found;
    ngx_str_t                name;
    ngx_uint_t               i, n;
    sync_str_t               s;
    const sync_str_t        *names;
    ngx_http_sync_tenant_t  *other;

    rc = ngx_http_sync_client_certificate(r, print);

    if (rc != NGX_OK) {

        /* none, or one that is none: nobody is named */

        return rc == NGX_ERROR ? rc : NGX_DECLINED;
    }

    s = sync_cert_print_name(print, &ctx->arena);

    if (s.data == NULL) {
        return NGX_ERROR;
    }

    name.len = s.len;
    name.data = s.data;

    found = ngx_http_sync_tenant_by_certificate(r, &name, t);

    if (found != NGX_DECLINED) {
        return found;
    }

    rc = ngx_http_sync_client_names(r, &names, &n);

    if (rc != NGX_OK) {
        return NGX_ERROR;
    }

    for (i = 0; i < n; i++) {
        name.len = names[i].len;
        name.data = names[i].data;

        rc = ngx_http_sync_tenant_by_certificate(r, &name, &other);

        if (rc == NGX_DECLINED) {
            continue;
        }

        if (rc != NGX_OK) {

            /* once it is mended, it is that tenant's, or nobody's */

            return rc;
        }

        if (found == NGX_OK && other != *t) {
            ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                          "tenant: a certificate has the names of two "
                          "tenants and neither is served");
            return NGX_HTTP_BAD_REQUEST;
        }

        found = NGX_OK;
        *t = other;
    }

    return found;
}


/*
 * By the account that all elements of the body name, in the system that has
 * signed it.  As the lookups; NGX_DONE: it names none; a status.
 */

static ngx_int_t
ngx_http_sync_tenant_by_element(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, ngx_http_sync_tenant_loc_conf_t *tlcf,
    ngx_http_sync_tenant_t **t)
{
    u_char      *p;
    ngx_int_t    rc;
    ngx_str_t    name, *system;
    sync_str_t   account;

    rc = ngx_http_sync_read_body(r, ctx);

    if (rc == NGX_OK) {
        rc = ngx_http_sync_parse_body(r, ctx);
    }

    if (rc == NGX_DECLINED) {
        return NGX_DONE;
    }

    if (rc == NGX_OK) {
        rc = ngx_http_sync_tenant_element(ctx, tlcf, &account);
    }

    if (rc != NGX_OK) {
        return rc;
    }

    system = &ctx->principal.profile;

    p = ngx_pnalloc(r->pool, system->len + 1 + account.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    name.data = p;

    p = ngx_cpymem(p, system->data, system->len);
    *p++ = ':';
    p = ngx_cpymem(p, account.data, account.len);

    name.len = p - name.data;

    return ngx_http_sync_tenant_by_account(r, &name, t);
}


/* NGX_OK; NGX_DONE: it is not there; 422: they differ. */

static ngx_int_t
ngx_http_sync_tenant_element(ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_tenant_loc_conf_t *tlcf, sync_str_t *account)
{
    uint32_t      i, end, node;
    sync_str_t    s;
    sync_json_t  *json;

    json = &ctx->payload.source;
    *account = sync_str_null;

    /* the root, or each element of a root that is an array */

    i = json->nodes[0].type == SYNC_JSON_ARRAY ? 1 : 0;
    end = json->nodes[0].next;

    for ( /* void */ ; i < end; i = json->nodes[i].next) {

        node = sync_path_single(tlcf->path, json, i, &ctx->payload.work);

        if (node == SYNC_JSON_NONE) {
            return NGX_DONE;
        }

        switch (json->nodes[node].type) {

        case SYNC_JSON_STRING:
            s = sync_json_unescape(json, node, &ctx->arena);
            break;

        case SYNC_JSON_NUMBER:
            s = sync_json_slice(json, node);
            break;

        default:
            return NGX_DONE;
        }

        if (s.data == NULL) {
            return NGX_ERROR;
        }

        if (s.len == 0 || s.len > NGX_HTTP_SYNC_TENANT_ACCOUNT) {
            return NGX_DONE;
        }

        if (account->data != NULL && !sync_str_eq(*account, s)) {
            return 422;
        }

        *account = s;
    }

    return account->data != NULL ? NGX_OK : NGX_DONE;
}


static void *
ngx_http_sync_tenant_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_sync_tenant_loc_conf_t  *tlcf;

    tlcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_sync_tenant_loc_conf_t));
    if (tlcf == NULL) {
        return NULL;
    }

    tlcf->from = NGX_CONF_UNSET_UINT;

    return tlcf;
}


static char *
ngx_http_sync_tenant_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_sync_tenant_loc_conf_t  *prev = parent;
    ngx_http_sync_tenant_loc_conf_t  *conf = child;

    if (conf->from == NGX_CONF_UNSET_UINT) {
        conf->name = prev->name;
        conf->path = prev->path;
    }

    ngx_conf_merge_uint_value(conf->from, prev->from,
                              NGX_HTTP_SYNC_TENANT_OFF);

    if (conf->from == NGX_HTTP_SYNC_TENANT_OFF) {
        return NGX_CONF_OK;
    }

    if (conf->from == NGX_HTTP_SYNC_TENANT_ELEMENT
        && ngx_http_sync_use(cf, &ngx_http_sync_tenant_element_step) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (ngx_http_sync_use(cf, &ngx_http_sync_tenant_step) != NGX_OK
        || ngx_http_sync_add_check(cf, ngx_http_sync_tenant_check) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static ngx_uint_t
ngx_http_sync_tenant_configured(ngx_http_conf_ctx_t *ctx)
{
    ngx_http_sync_tenant_loc_conf_t  *tlcf;

    tlcf = ctx->loc_conf[ngx_http_sync_tenant_module.ctx_index];

    return tlcf->from != NGX_HTTP_SYNC_TENANT_OFF;
}


static ngx_uint_t
ngx_http_sync_tenant_element_configured(ngx_http_conf_ctx_t *ctx)
{
    ngx_http_sync_tenant_loc_conf_t  *tlcf;

    tlcf = ctx->loc_conf[ngx_http_sync_tenant_module.ctx_index];

    return tlcf->from == NGX_HTTP_SYNC_TENANT_ELEMENT;
}


static ngx_int_t
ngx_http_sync_tenant_check(ngx_conf_t *cf, ngx_http_conf_ctx_t *ctx)
{
    ngx_http_core_loc_conf_t         *clcf;
    ngx_http_sync_loc_conf_t         *slcf;
    ngx_http_sync_tenant_loc_conf_t  *tlcf;

    clcf = ctx->loc_conf[ngx_http_core_module.ctx_index];
    slcf = ctx->loc_conf[ngx_http_sync_module.ctx_index];
    tlcf = ctx->loc_conf[ngx_http_sync_tenant_module.ctx_index];

    /* that the proof is a signature, sync_auth says */

    if (tlcf->from == NGX_HTTP_SYNC_TENANT_ELEMENT && clcf->name.len
        && !slcf->status
        && !ngx_http_sync_configured(ctx, NGX_HTTP_SYNC_STEP_AUTH))
    {
        ngx_http_sync_refuse(cf, ctx, "sync_tenant element= needs sync_auth "
                             "with \"signature=\" and \"secret=\": what "
                             "nobody has signed names nobody");
        return NGX_ERROR;
    }

    if (tlcf->from == NGX_HTTP_SYNC_TENANT_CERTIFICATE && clcf->name.len
        && !slcf->status && !ngx_http_sync_client_certificate_at(ctx))
    {
        ngx_http_sync_refuse(cf, ctx, "sync_tenant certificate needs "
                             "sync_client_certificate, by which it is shown");
        return NGX_ERROR;
    }

    if (!ngx_http_sync_registry_used(cf)) {
        ngx_http_sync_refuse(cf, ctx,
                             "sync_tenant needs sync_tenants with the folder "
                             "of the documents");
        return NGX_ERROR;
    }

    return NGX_OK;
}


/*
 * sync_tenant off | host | path=PREFIX | header=NAME | certificate
 *     | element=JSONPATH
 */

static char *
ngx_http_sync_tenant(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_sync_tenant_loc_conf_t  *tlcf = conf;

    u_char     *p;
    ngx_str_t  *value, *name;

    if (tlcf->from != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    if (cf->cmd_type & (NGX_HTTP_LIF_CONF|NGX_HTTP_LMT_CONF)) {
        return "is not allowed here";
    }

    value = cf->args->elts;
    name = &tlcf->name;

    ngx_http_sync_tenant_resolve = ngx_http_sync_tenant_find;
    ngx_http_sync_tell_configured(cf, NGX_HTTP_SYNC_STEP_TENANT,
                                  ngx_http_sync_tenant_configured);
    ngx_http_sync_tell_configured(cf, NGX_HTTP_SYNC_STEP_TENANT_ELEMENT,
                                  ngx_http_sync_tenant_element_configured);

    if (ngx_strcmp(value[1].data, "off") == 0) {
        tlcf->from = NGX_HTTP_SYNC_TENANT_OFF;
        return NGX_CONF_OK;
    }

    if (ngx_strcmp(value[1].data, "host") == 0) {
        tlcf->from = NGX_HTTP_SYNC_TENANT_HOST;
        return NGX_CONF_OK;
    }

    if (ngx_strncmp(value[1].data, "path=", 5) == 0) {
        name->len = value[1].len - 5;
        name->data = value[1].data + 5;

        if (name->len == 0 || name->data[0] != '/'
            || name->data[name->len - 1] != '/')
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"sync_tenant\": the tenant's name follows "
                               "a prefix that begins and ends with a slash, "
                               "as \"path=/t/\", and not \"%V\"", &value[1]);
            return NGX_CONF_ERROR;
        }

        tlcf->from = NGX_HTTP_SYNC_TENANT_PATH;
        return NGX_CONF_OK;
    }

    if (ngx_strncmp(value[1].data, "header=", 7) == 0) {
        name->len = value[1].len - 7;
        name->data = value[1].data + 7;

        ngx_strlow(name->data, name->data, name->len);

        for (p = name->data; p < name->data + name->len; p++) {
            if (!((*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9')
                  || *p == '-' || *p == '_'))
            {
                break;
            }
        }

        if (name->len == 0 || p < name->data + name->len) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"sync_tenant\": \"%V\" does not name a "
                               "header, as \"header=X-Tenant\" does",
                               &value[1]);
            return NGX_CONF_ERROR;
        }

        tlcf->from = NGX_HTTP_SYNC_TENANT_HEADER;
        return NGX_CONF_OK;
    }

    if (ngx_strncmp(value[1].data, "element=", 8) == 0) {
        return ngx_http_sync_tenant_set_element(cf, tlcf, &value[1]);
    }

    if (ngx_strcmp(value[1].data, "certificate") == 0) {
        tlcf->from = NGX_HTTP_SYNC_TENANT_CERTIFICATE;
        return NGX_CONF_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"sync_tenant\": unknown \"%V\"; \"host\", "
                       "\"path=/t/\", \"header=X-Tenant\", "
                       "\"certificate\", \"element=$.portalId\" and \"off\" "
                       "are known",
                       &value[1]);
    return NGX_CONF_ERROR;
}


static char *
ngx_http_sync_tenant_set_element(ngx_conf_t *cf,
    ngx_http_sync_tenant_loc_conf_t *tlcf, ngx_str_t *value)
{
    sync_rc_t      rc;
    sync_error_t   err;

    tlcf->name.data = value->data + 8;
    tlcf->name.len = value->len - 8;

    tlcf->arena.alloc = ngx_http_sync_tenant_alloc;
    tlcf->arena.data = cf->pool;

    rc = sync_path_compile(&tlcf->path, &tlcf->arena,
                           (sync_str_t) { tlcf->name.len, tlcf->name.data },
                           &err);

    if (rc == SYNC_NO) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"sync_tenant\": \"%V\": %s, at byte %uz",
                           value, err.text, err.offset);
        return NGX_CONF_ERROR;
    }

    if (rc != SYNC_OK) {
        return NGX_CONF_ERROR;
    }

    if (!sync_path_is_singular(tlcf->path)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"sync_tenant\": \"%V\" is not a path to one "
                           "value of each element, as \"element=$.portalId\" "
                           "is", value);
        return NGX_CONF_ERROR;
    }

    tlcf->from = NGX_HTTP_SYNC_TENANT_ELEMENT;

    return NGX_CONF_OK;
}


static void *
ngx_http_sync_tenant_alloc(sync_arena_t *arena, size_t size)
{
    return ngx_palloc(arena->data, size);
}
