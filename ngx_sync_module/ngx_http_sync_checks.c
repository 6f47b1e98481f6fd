
/*
 * Settings of NGINX that our promises need.  A location whose settings would
 * break one silently is refused when the configuration is read, with the cure.
 *
 * The configurations of the modules that proxy are their own, but each begins
 * with that of the upstream module, which is public.  The modules are found by
 * name: NGINX may have been built without one.
 */


#include "ngx_http_sync_core.h"

#if (NGX_DEBUG_PALLOC)
#include <malloc.h>
#endif


typedef struct {
    const char  *name;
    const char  *prefix;                 /* of its directives */
} ngx_http_sync_proxying_t;


static ngx_http_upstream_conf_t *ngx_http_sync_proxied_by(ngx_conf_t *cf,
    ngx_http_conf_ctx_t *ctx, const ngx_http_sync_proxying_t **by);
static ngx_int_t ngx_http_sync_check_claims(ngx_conf_t *cf,
    ngx_http_conf_ctx_t *ctx, ngx_http_upstream_conf_t *u,
    const ngx_http_sync_proxying_t *by);
static void ngx_http_sync_check_connector(ngx_conf_t *cf,
    ngx_http_conf_ctx_t *ctx, ngx_http_upstream_conf_t *u);
static ngx_str_t *ngx_http_sync_proxy_header(ngx_http_upstream_conf_t *u,
    ngx_module_t *proxy, const char *name);
static void *ngx_http_sync_proxy_place(ngx_http_upstream_conf_t *u,
    ngx_module_t *proxy, const char *directive);
#if (NGX_HTTP_SSL)
static ngx_int_t ngx_http_sync_check_peers(ngx_conf_t *cf,
    ngx_http_conf_ctx_t *ctx, ngx_http_upstream_conf_t *u);
static ngx_uint_t ngx_http_sync_keeps(ngx_http_upstream_conf_t *u,
    ngx_module_t *proxy);
#endif
static void ngx_http_sync_check_bodies(ngx_conf_t *cf,
    ngx_http_conf_ctx_t *ctx, ngx_http_upstream_conf_t *u,
    const ngx_http_sync_proxying_t *by);

#if (NGX_HTTP_CACHE)
static ngx_int_t ngx_http_sync_check_cache(ngx_conf_t *cf,
    ngx_http_conf_ctx_t *ctx, ngx_http_upstream_conf_t *u,
    const ngx_http_sync_proxying_t *by);
static ngx_int_t ngx_http_sync_cache_key(ngx_conf_t *cf, ngx_module_t *module,
    ngx_http_upstream_conf_t *u, const char *directive, ngx_str_t *key);
static ngx_uint_t ngx_http_sync_has_variable(ngx_str_t *text,
    const char *name);
#endif


#define NGX_HTTP_SYNC_BODY_BUFFER   (64 * 1024)
#define NGX_HTTP_SYNC_SCRATCH       (64 * 1024)


static const ngx_http_sync_proxying_t  ngx_http_sync_proxying[] = {
    { "ngx_http_proxy_module", "proxy" },
    { "ngx_http_fastcgi_module", "fastcgi" },
    { "ngx_http_uwsgi_module", "uwsgi" },
    { "ngx_http_scgi_module", "scgi" },
    { "ngx_http_grpc_module", "grpc" }
};


ngx_int_t
ngx_http_sync_check_settings(ngx_conf_t *cf, ngx_http_conf_ctx_t *ctx)
{
    ngx_int_t                        rc;
    const char                      *who;
    ngx_uint_t                       claims, maps, holds;
    ngx_http_upstream_conf_t        *u;
    const ngx_http_sync_proxying_t  *by;

    u = ngx_http_sync_proxied_by(cf, ctx, &by);
    if (u == NULL) {
        return NGX_OK;
    }

    rc = NGX_OK;

    claims = ngx_http_sync_configured(ctx, NGX_HTTP_SYNC_STEP_IDEMPOTENCY);
    maps = ngx_http_sync_configured(ctx, NGX_HTTP_SYNC_STEP_CANONICAL);

    who = claims ? "sync_idempotency" : maps ? "sync_normalize" : "sync_mask";

    holds = claims || maps
            || ngx_http_sync_configured(ctx, NGX_HTTP_SYNC_STEP_MASK);

    if (holds && ngx_strcmp(by->prefix, "grpc") == 0) {
        ngx_http_sync_refuse(cf, ctx, "%s needs an answer that is buffered, "
                             "also when the client leaves, and grpc_pass has "
                             "none: use proxy_pass, or \"%s off\"", who, who);
        return NGX_ERROR;
    }

    if (claims && ngx_http_sync_check_claims(cf, ctx, u, by) != NGX_OK) {
        rc = NGX_ERROR;
    }

    if (holds && !u->buffering) {
        ngx_http_sync_refuse(cf, ctx, "%s holds the whole answer, and "
                             "\"%s_buffering off\" lets it stream: write "
                             "\"%s_buffering on\"", who, by->prefix,
                             by->prefix);
        rc = NGX_ERROR;
    }

    if (claims || maps) {
        ngx_http_sync_check_bodies(cf, ctx, u, by);
    }

    if (ngx_strcmp(by->prefix, "proxy") == 0
        && ngx_http_sync_configured(ctx, NGX_HTTP_SYNC_STEP_ENTITY))
    {
        ngx_http_sync_check_connector(cf, ctx, u);

#if (NGX_HTTP_SSL)

        if (ngx_http_sync_check_peers(cf, ctx, u) != NGX_OK) {
            rc = NGX_ERROR;
        }

#endif
    }

#if (NGX_HTTP_CACHE)

    if (u->cache == 1 && ngx_http_sync_check_cache(cf, ctx, u, by) != NGX_OK) {
        rc = NGX_ERROR;
    }

#endif

    return rc;
}


/*
 * NULL: the location does not proxy.  An address with variables in it leaves
 * no trace outside the module: a content handler that is nobody else's is taken
 * for that of proxy_pass.
 */

static ngx_http_upstream_conf_t *
ngx_http_sync_proxied_by(ngx_conf_t *cf, ngx_http_conf_ctx_t *ctx,
    const ngx_http_sync_proxying_t **by)
{
    ngx_uint_t                 i;
    ngx_module_t              *module;
    ngx_http_core_loc_conf_t  *clcf;
    ngx_http_sync_loc_conf_t  *slcf;
    ngx_http_upstream_conf_t  *u, *proxy;

    clcf = ctx->loc_conf[ngx_http_core_module.ctx_index];
    slcf = ctx->loc_conf[ngx_http_sync_module.ctx_index];

    if (clcf->handler == NULL || slcf->status) {
        return NULL;
    }

    proxy = NULL;

    for (i = 0; i < sizeof(ngx_http_sync_proxying)
                    / sizeof(ngx_http_sync_proxying[0]); i++)
    {
        module = ngx_http_sync_find_module(cf, ngx_http_sync_proxying[i].name);
        if (module == NULL) {
            continue;
        }

        u = ctx->loc_conf[module->ctx_index];

        if (u->upstream != NULL) {
            *by = &ngx_http_sync_proxying[i];
            return u;
        }

        if (i == 0) {
            proxy = u;
        }
    }

    *by = &ngx_http_sync_proxying[0];

    return proxy;
}


ngx_module_t *
ngx_http_sync_find_module(ngx_conf_t *cf, const char *name)
{
    ngx_uint_t  i;

    for (i = 0; cf->cycle->modules[i]; i++) {
        if (ngx_strcmp(cf->cycle->modules[i]->name, name) == 0) {
            return cf->cycle->modules[i];
        }
    }

    return NULL;
}


/* What would let a claimed request be sent twice, or its answer be lost. */

static ngx_int_t
ngx_http_sync_check_claims(ngx_conf_t *cf, ngx_http_conf_ctx_t *ctx,
    ngx_http_upstream_conf_t *u, const ngx_http_sync_proxying_t *by)
{
    ngx_int_t  rc;

    rc = NGX_OK;

    if (!u->ignore_client_abort) {
        ngx_http_sync_refuse(cf, ctx, "sync_idempotency needs "
                             "\"%s_ignore_client_abort on\", or a client that "
                             "leaves takes the answer with it; \"include "
                             "sync/safe.conf\" says so", by->prefix);
        rc = NGX_ERROR;
    }

    if (u->next_upstream & NGX_HTTP_UPSTREAM_FT_NON_IDEMPOTENT) {
        ngx_http_sync_refuse(cf, ctx, "sync_idempotency needs "
                             "\"%s_next_upstream\" without "
                             "\"non_idempotent\": a claimed request is never "
                             "sent twice", by->prefix);
        rc = NGX_ERROR;
    }

    if (u->intercept_errors) {
        ngx_http_sync_refuse(cf, ctx, "sync_idempotency needs "
                             "\"%s_intercept_errors off\": it records what "
                             "the upstream said, not what an error_page "
                             "makes of it", by->prefix);
        rc = NGX_ERROR;
    }

#if (NGX_HTTP_CACHE)

    if (u->cache == 1 && (u->cache_methods & NGX_HTTP_POST)) {
        ngx_http_sync_refuse(cf, ctx, "sync_idempotency needs "
                             "\"%s_cache_methods\" without POST: a request "
                             "that a cache has answered was not executed",
                             by->prefix);
        rc = NGX_ERROR;
    }

#endif

    return rc;
}


#if (NGX_HTTP_SSL)

/*
 * What connectors by URL need.  Where there are other groups, too, the location
 * may be for those alone: then it is the request that is refused.
 */

static ngx_int_t
ngx_http_sync_check_peers(ngx_conf_t *cf, ngx_http_conf_ctx_t *ctx,
    ngx_http_upstream_conf_t *u)
{
    ngx_uint_t                       i;
    ngx_http_core_loc_conf_t        *clcf;
    ngx_http_sync_loc_conf_t        *slcf;
    ngx_http_sync_main_conf_t       *smcf;
    ngx_http_upstream_srv_conf_t   **uscf;
    ngx_http_upstream_main_conf_t   *umcf;

    clcf = ctx->loc_conf[ngx_http_core_module.ctx_index];
    slcf = ctx->loc_conf[ngx_http_sync_module.ctx_index];
    smcf = ctx->main_conf[ngx_http_sync_module.ctx_index];
    umcf = ctx->main_conf[ngx_http_upstream_module.ctx_index];

    if (smcf->peers == NULL) {
        return NGX_OK;
    }

    if (!u->ssl_verify) {
        uscf = umcf->upstreams.elts;

        for (i = 0; i < umcf->upstreams.nelts; i++) {
            if (uscf[i] != smcf->peers
                && uscf[i]->flags & NGX_HTTP_UPSTREAM_CREATE)
            {
                break;
            }
        }

        if (i == umcf->upstreams.nelts) {
            ngx_http_sync_refuse(cf, ctx, "sync_peers needs "
                                 "\"proxy_ssl_verify on\": nothing is sent "
                                 "to a connector by URL that is not verified; "
                                 "\"include sync/connector.conf\" says so");
            return NGX_ERROR;
        }

        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "nothing is sent to connectors by URL without "
                      "\"proxy_ssl_verify on\", in location \"%V\", %V:%ui",
                      &clcf->name, &slcf->file, slcf->line);
    }

    if (!ngx_http_sync_keeps(u, smcf->proxy)) {
        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "sync_peers keeps no connection without "
                      "\"proxy_http_version 1.1\" and \"proxy_set_header "
                      "Connection \"\"\", which a proxy_set_header of the "
                      "location does not inherit, in location \"%V\", %V:%ui",
                      &clcf->name, &slcf->file, slcf->line);
    }

    return NGX_OK;
}


/*
 * Does a location ask its upstream to keep the connection?  Since 1.29.7 both
 * are defaults.
 */

static ngx_uint_t
ngx_http_sync_keeps(ngx_http_upstream_conf_t *u, ngx_module_t *proxy)
{
    ngx_str_t   *value;
    ngx_uint_t  *version;

    version = ngx_http_sync_proxy_place(u, proxy, "proxy_http_version");
    value = ngx_http_sync_proxy_header(u, proxy, "Connection");

    return (version == NULL || *version >= NGX_HTTP_VERSION_11)
           && (value != NULL ? value->len == 0 : nginx_version >= 1029007);
}

#endif


/*
 * What a document says of a connector goes out by variables, where the location
 * names them: without them nothing fails, and something else is sent.
 */

static void
ngx_http_sync_check_connector(ngx_conf_t *cf, ngx_http_conf_ctx_t *ctx,
    ngx_http_upstream_conf_t *u)
{
    ngx_str_t                 *value;
    ngx_uint_t                 i;
    const char                *missing;
    ngx_module_t              *proxy;
    ngx_http_core_loc_conf_t  *clcf;
    ngx_http_sync_loc_conf_t  *slcf;
    ngx_http_complex_value_t **method;

    static const struct {
        const char  *header;
        const char  *value;
        const char  *line;
    } wanted[] = {
        { "Host", "$sync_upstream_host",
          "proxy_set_header Host $sync_upstream_host" },
        { "Authorization", "$sync_upstream_authorization",
          "proxy_set_header Authorization $sync_upstream_authorization" },
        { "Cookie", "$sync_upstream_cookie",
          "proxy_set_header Cookie $sync_upstream_cookie" }
    };

    proxy = ngx_http_sync_find_module(cf, "ngx_http_proxy_module");
    clcf = ctx->loc_conf[ngx_http_core_module.ctx_index];
    slcf = ctx->loc_conf[ngx_http_sync_module.ctx_index];
    missing = NULL;

    for (i = sizeof(wanted) / sizeof(wanted[0]); i; i--) {
        value = ngx_http_sync_proxy_header(u, proxy, wanted[i - 1].header);

        if (value == NULL
            || ngx_strcmp(value->data, wanted[i - 1].value) != 0)
        {
            missing = wanted[i - 1].line;
        }
    }

    method = ngx_http_sync_proxy_place(u, proxy, "proxy_method");

    if (method != NULL
        && (*method == NULL
            || ngx_strcmp((*method)->value.data, "$sync_upstream_method")
               != 0))
    {
        missing = "proxy_method $sync_upstream_method";
    }

    if (missing == NULL) {
        return;
    }

    ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                  "connectors are not asked as their documents say without "
                  "\"%s\", which \"include sync/connector.conf\" says and a "
                  "proxy_set_header of the location does not inherit, in "
                  "location \"%V\", %V:%ui",
                  missing, &clcf->name, &slcf->file, slcf->line);
}


/* What a location sends as that header, as it is written; NULL: nothing. */

static ngx_str_t *
ngx_http_sync_proxy_header(ngx_http_upstream_conf_t *u, ngx_module_t *proxy,
    const char *name)
{
    ngx_str_t      *value;
    ngx_uint_t      i;
    ngx_array_t   **headers;
    ngx_keyval_t   *h;

    value = NULL;
    headers = ngx_http_sync_proxy_place(u, proxy, "proxy_set_header");

    if (headers == NULL || *headers == NULL) {
        return NULL;
    }

    h = (*headers)->elts;

    for (i = 0; i < (*headers)->nelts; i++) {
        if (ngx_strcasecmp(h[i].key.data, (u_char *) name) == 0) {
            value = &h[i].value;
        }
    }

    return value;
}


/* Where in the module's own configuration a directive of its is kept. */

static void *
ngx_http_sync_proxy_place(ngx_http_upstream_conf_t *u, ngx_module_t *proxy,
    const char *directive)
{
    ngx_command_t  *cmd;

    for (cmd = proxy->commands; cmd->name.len; cmd++) {
        if (ngx_strcmp(cmd->name.data, directive) == 0) {
            return (u_char *) u + cmd->offset;
        }
    }

    return NULL;
}


static void
ngx_http_sync_check_bodies(ngx_conf_t *cf, ngx_http_conf_ctx_t *ctx,
    ngx_http_upstream_conf_t *u, const ngx_http_sync_proxying_t *by)
{
    ngx_http_core_loc_conf_t  *clcf;
    ngx_http_sync_loc_conf_t  *slcf;

    clcf = ctx->loc_conf[ngx_http_core_module.ctx_index];
    slcf = ctx->loc_conf[ngx_http_sync_module.ctx_index];

    if (!u->request_buffering) {
        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "\"%s_request_buffering off\" has no effect where a "
                      "policy reads the body, in location \"%V\", %V:%ui",
                      by->prefix, &clcf->name, &slcf->file, slcf->line);
    }

    if (clcf->client_body_buffer_size < NGX_HTTP_SYNC_BODY_BUFFER) {
        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "a policy reads the body, and one over "
                      "client_body_buffer_size, %uzk, goes through a file: "
                      "\"client_body_buffer_size 64k\" is many times faster, "
                      "in location \"%V\", %V:%ui",
                      clcf->client_body_buffer_size / 1024, &clcf->name,
                      &slcf->file, slcf->line);
    }
}


#if (NGX_HTTP_CACHE)

/* One client's answer is not another's. */

static ngx_int_t
ngx_http_sync_check_cache(ngx_conf_t *cf, ngx_http_conf_ctx_t *ctx,
    ngx_http_upstream_conf_t *u, const ngx_http_sync_proxying_t *by)
{
    u_char         directive[sizeof("fastcgi_cache_key")];
    ngx_str_t      key;
    ngx_int_t      rc;
    ngx_uint_t     tenant, client;
    ngx_module_t  *module;

    tenant = ngx_http_sync_configured(ctx, NGX_HTTP_SYNC_STEP_TENANT);
    client = ngx_http_sync_configured(ctx, NGX_HTTP_SYNC_STEP_AUTH);

    if (!tenant && !client) {
        return NGX_OK;
    }

    module = ngx_http_sync_find_module(cf, by->name);

    *ngx_sprintf(directive, "%s_cache_key", by->prefix) = '\0';

    rc = ngx_http_sync_cache_key(cf, module, u, (char *) directive, &key);
    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    rc = NGX_OK;

    if (tenant && !ngx_http_sync_has_variable(&key, "sync_tenant")) {
        ngx_http_sync_refuse(cf, ctx, "%s_cache beside sync_tenant needs "
                             "$sync_tenant in its key, as in \"%s "
                             "$sync_tenant:$sync_client:$request_uri\": one "
                             "tenant would get what another was answered",
                             by->prefix, directive);
        rc = NGX_ERROR;
    }

    if (client && !ngx_http_sync_has_variable(&key, "sync_client")) {
        ngx_http_sync_refuse(cf, ctx, "%s_cache beside sync_auth needs "
                             "$sync_client in its key, as in \"%s "
                             "$sync_tenant:$sync_client:$request_uri\": one "
                             "client would get what another was answered",
                             by->prefix, directive);
        rc = NGX_ERROR;
    }

    return rc;
}


/*
 * The key's place in the module's configuration differs from version to
 * version: the directive itself is told a key for a configuration nobody uses,
 * and shows where it puts it.  An empty key: none is set.
 */

static ngx_int_t
ngx_http_sync_cache_key(ngx_conf_t *cf, ngx_module_t *module,
    ngx_http_upstream_conf_t *u, const char *directive, ngx_str_t *key)
{
    u_char             *conf;
    size_t              offset, size;
    ngx_str_t          *value;
    ngx_conf_t          scratch;
    ngx_pool_t         *pool;
    ngx_array_t         args;
    ngx_command_t      *cmd;
    ngx_http_module_t  *http;

    ngx_str_null(key);

    for (cmd = module->commands; cmd->name.len; cmd++) {
        if (ngx_strcmp(cmd->name.data, directive) == 0) {
            break;
        }
    }

    if (cmd->name.len == 0) {
        return NGX_OK;
    }

    pool = ngx_create_pool(NGX_HTTP_SYNC_SCRATCH, cf->log);
    if (pool == NULL) {
        return NGX_ERROR;
    }

    http = module->ctx;
    scratch = *cf;
    scratch.pool = pool;

    if (ngx_array_init(&args, pool, 2, sizeof(ngx_str_t)) != NGX_OK) {
        goto failed;
    }

    value = ngx_array_push_n(&args, 2);

    value[0] = cmd->name;
    ngx_str_set(&value[1], "key");
    scratch.args = &args;

    conf = http->create_loc_conf(&scratch);

    if (conf == NULL) {
        goto failed;
    }

#if (NGX_DEBUG_PALLOC)

    /* there is a piece of the heap for each allocation */

    size = malloc_usable_size(conf);

#else

    size = conf > (u_char *) pool && conf < pool->d.last
           ? pool->d.last - conf : 0;

#endif

    if (cmd->set(&scratch, cmd, conf) != NGX_CONF_OK) {
        goto failed;
    }

    for (offset = 0; offset + sizeof(ngx_str_t) <= size;
         offset += sizeof(void *))
    {
        if (ngx_memcmp(conf + offset, &value[1], sizeof(ngx_str_t)) == 0) {
            *key = *(ngx_str_t *) ((u_char *) u + offset);
            break;
        }
    }

    ngx_destroy_pool(pool);

    return NGX_OK;

failed:

    ngx_destroy_pool(pool);

    return NGX_ERROR;
}


/* $name or ${name}, and not $name_of_another */

static ngx_uint_t
ngx_http_sync_has_variable(ngx_str_t *text, const char *name)
{
    u_char  *p, *last;
    size_t   len;

    len = ngx_strlen(name);
    last = text->data + text->len;

    for (p = text->data; p < last; p++) {

        if (*p != '$') {
            continue;
        }

        if (p + 1 < last && p[1] == '{') {
            p++;
        }

        if ((size_t) (last - p - 1) < len
            || ngx_strncmp(p + 1, name, len) != 0)
        {
            continue;
        }

        if ((size_t) (last - p - 1) == len
            || !((p[len + 1] >= 'a' && p[len + 1] <= 'z')
                 || (p[len + 1] >= 'A' && p[len + 1] <= 'Z')
                 || (p[len + 1] >= '0' && p[len + 1] <= '9')
                 || p[len + 1] == '_'))
        {
            return 1;
        }
    }

    return 0;
}

#endif
