
/*
 * sync_limit: how often a client, an address or whatever a variable names may
 * ask: by buckets (GCRA) and places, of this node or of all.
 */


#include "ngx_http_sync_limit.h"
#include "sync_crypto.h"


static ngx_int_t ngx_http_sync_limit_init_process(ngx_cycle_t *cycle);
static void *ngx_http_sync_limit_create_main_conf(ngx_conf_t *cf);
static void *ngx_http_sync_limit_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_sync_limit_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);
static ngx_int_t ngx_http_sync_limit_identify(ngx_conf_t *cf,
    ngx_array_t *limits, ngx_uint_t anywhere);
static ngx_int_t ngx_http_sync_limit_check(ngx_conf_t *cf,
    ngx_http_conf_ctx_t *ctx);


static ngx_command_t  ngx_http_sync_limit_commands[] = {

    { ngx_string("sync_limit"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_sync_limit,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("sync_penalty"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_sync_penalty,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_sync_limit_module_ctx = {
    NULL,                                  /* preconfiguration */
    NULL,                                  /* postconfiguration */

    ngx_http_sync_limit_create_main_conf,  /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_sync_limit_create_loc_conf,   /* create location configuration */
    ngx_http_sync_limit_merge_loc_conf     /* merge location configuration */
};


ngx_module_t  ngx_http_sync_limit_module = {
    NGX_MODULE_V1,
    &ngx_http_sync_limit_module_ctx,       /* module context */
    ngx_http_sync_limit_commands,          /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    ngx_http_sync_limit_init_process,      /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_int_t
ngx_http_sync_limit_init_process(ngx_cycle_t *cycle)
{
    ngx_http_sync_limit_lease_init();

    if (ngx_http_sync_limit_quota_init(cycle) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_sync_limit_nodes_init(cycle);
}


static void *
ngx_http_sync_limit_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_sync_limit_main_conf_t  *lmcf;

    lmcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_sync_limit_main_conf_t));
    if (lmcf == NULL) {
        return NULL;
    }

    if (ngx_array_init(&lmcf->named, cf->pool, 4,
                       sizeof(ngx_http_sync_limit_t))
        != NGX_OK)
    {
        return NULL;
    }

    return lmcf;
}


static void *
ngx_http_sync_limit_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_sync_limit_loc_conf_t  *llcf;

    llcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_sync_limit_loc_conf_t));
    if (llcf == NULL) {
        return NULL;
    }

    llcf->limits = NGX_CONF_UNSET_PTR;
    llcf->penalties = NGX_CONF_UNSET_PTR;

    return llcf;
}


static char *
ngx_http_sync_limit_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_sync_limit_loc_conf_t  *prev = parent;
    ngx_http_sync_limit_loc_conf_t  *conf = child;

    ngx_uint_t                        i, shared;
    ngx_http_sync_limit_t            *limit;
    ngx_http_sync_limit_penalty_t    *penalty;
    ngx_http_sync_limit_main_conf_t  *lmcf;

    /* only http{} is parent without having been merged itself */

    if (prev->limits != NGX_CONF_UNSET_PTR && prev->limits != NULL
        && ngx_http_sync_limit_identify(cf, prev->limits, 1) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (conf->limits != NGX_CONF_UNSET_PTR && conf->limits != NULL
        && ngx_http_sync_limit_identify(cf, conf->limits, 0) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    ngx_conf_merge_ptr_value(conf->limits, prev->limits, NULL);
    ngx_conf_merge_ptr_value(conf->penalties, prev->penalties, NULL);

    if (conf->limits == NULL && conf->penalties == NULL) {
        return NGX_CONF_OK;
    }

    shared = 0;

    for (i = 0; conf->limits && i < conf->limits->nelts; i++) {
        limit = (ngx_http_sync_limit_t *) conf->limits->elts + i;

        shared |= limit->mode != NGX_HTTP_SYNC_LIMIT_MODE_LOCAL;

        if (limit->client) {
            conf->client++;

        } else {
            conf->edge++;
        }
    }

    for (i = 0; conf->penalties && i < conf->penalties->nelts; i++) {
        penalty = (ngx_http_sync_limit_penalty_t *) conf->penalties->elts + i;

        shared |= penalty->mode != NGX_HTTP_SYNC_LIMIT_MODE_LOCAL;

        if (penalty->client) {
            conf->client++;

        } else {
            conf->edge++;
        }
    }

    lmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_sync_limit_module);

    lmcf->local = ngx_sync_store_local(cf, NGX_SYNC_ZONE_LIMITS);
    if (lmcf->local == NULL) {
        return NGX_CONF_ERROR;
    }

    if (shared && lmcf->store == NULL) {
        lmcf->store = ngx_sync_store_get(cf, NGX_SYNC_ZONE_LIMITS);
        if (lmcf->store == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    if ((conf->edge
         && ngx_http_sync_use(cf, &ngx_http_sync_limit_edge_step) != NGX_OK)
        || (conf->client
            && ngx_http_sync_use(cf, &ngx_http_sync_limit_step) != NGX_OK)
        || ngx_http_sync_add_check(cf, ngx_http_sync_limit_check) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/*
 * What names the buckets of a limit: its name, or where it is written, and
 * its numbers.  The same after a reload and in every worker; the lines of the
 * file do not count.
 */

static ngx_int_t
ngx_http_sync_limit_identify(ngx_conf_t *cf, ngx_array_t *limits,
    ngx_uint_t anywhere)
{
    u_char                            digest[SYNC_SHA256_LEN];
    ngx_uint_t                        i, k;
    sync_sha256_t                     sha;
    ngx_http_sync_limit_t            *limit, *named;
    ngx_http_core_srv_conf_t         *cscf;
    ngx_http_core_loc_conf_t         *clcf;
    ngx_http_sync_limit_main_conf_t  *lmcf;

    limit = limits->elts;

    for (i = 0; i < limits->nelts; i++) {

        if (limit[i].known || limit[i].key == NULL) {
            continue;
        }

        sync_sha256_init(&sha);

        if (limit[i].named) {
            sync_sha256_update(&sha, "name", 5);
            sync_sha256_update(&sha, limit[i].name.data, limit[i].name.len);

        } else if (anywhere) {
            sync_sha256_update(&sha, "http", 5);

        } else {
            cscf = ngx_http_conf_get_module_srv_conf(cf,
                                                     ngx_http_core_module);
            clcf = ngx_http_conf_get_module_loc_conf(cf,
                                                     ngx_http_core_module);

            sync_sha256_update(&sha, "place", 6);
            sync_sha256_update(&sha, cscf->server_name.data,
                               cscf->server_name.len);
            sync_sha256_update(&sha, "", 1);
            sync_sha256_update(&sha, clcf->name.data, clcf->name.len);
        }

        sync_sha256_update(&sha, "", 1);
        sync_sha256_update(&sha, limit[i].text.data, limit[i].text.len);
        sync_sha256_final(&sha, digest);

        ngx_memcpy(limit[i].id, digest, NGX_HTTP_SYNC_LIMIT_ID);
        limit[i].known = 1;

        if (!limit[i].named) {
            continue;
        }

        lmcf = ngx_http_conf_get_module_main_conf(cf,
                                                  ngx_http_sync_limit_module);
        named = lmcf->named.elts;

        for (k = 0; k < lmcf->named.nelts; k++) {

            if (named[k].name.len == limit[i].name.len
                && ngx_strncmp(named[k].name.data, limit[i].name.data,
                               limit[i].name.len) == 0
                && ngx_memcmp(named[k].id, limit[i].id,
                              NGX_HTTP_SYNC_LIMIT_ID) != 0)
            {
                ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                              "\"sync_limit %V\" stands twice with different "
                              "numbers, keys or modes: a name is one "
                              "limit, choose another name", &limit[i].name);
                return NGX_ERROR;
            }
        }

        named = ngx_array_push(&lmcf->named);
        if (named == NULL) {
            return NGX_ERROR;
        }

        *named = limit[i];
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_sync_limit_check(ngx_conf_t *cf, ngx_http_conf_ctx_t *ctx)
{
    ngx_uint_t                       i;
    ngx_http_sync_limit_t           *limit;
    ngx_http_core_loc_conf_t        *clcf;
    ngx_http_sync_loc_conf_t        *slcf;
    ngx_http_sync_limit_loc_conf_t  *llcf;

    clcf = ctx->loc_conf[ngx_http_core_module.ctx_index];
    slcf = ctx->loc_conf[ngx_http_sync_module.ctx_index];
    llcf = ctx->loc_conf[ngx_http_sync_limit_module.ctx_index];

    /* a server passes it on to locations, which add the proof */

    if (clcf->name.len == 0 || slcf->status || llcf->limits == NULL) {
        return NGX_OK;
    }

    limit = llcf->limits->elts;

    for (i = 0; i < llcf->limits->nelts; i++) {

        if (limit[i].key != NULL) {
            continue;
        }

        if (!ngx_http_sync_enabled_at(ctx, NGX_HTTP_SYNC_STEP_TENANT)) {
            ngx_http_sync_refuse(cf, ctx, "sync_limit plan needs sync_tenant, "
                                 "or sync_limit off");
            return NGX_ERROR;
        }

        if (!ngx_http_sync_enabled_at(ctx, NGX_HTTP_SYNC_STEP_AUTH)) {
            ngx_http_sync_refuse(cf, ctx, "sync_limit plan needs sync_auth, "
                                 "or sync_limit off");
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}
