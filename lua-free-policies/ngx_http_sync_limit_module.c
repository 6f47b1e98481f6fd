
/*
 * sync_limit: how often a client, an address or whatever a variable names may
 * ask.  Buckets are GCRA cells in the store of this node.
 */


#include "ngx_http_sync_limit.h"
#include "sync_crypto.h"
#include "sync_rate.h"


static void *ngx_http_sync_limit_create_main_conf(ngx_conf_t *cf);
static void *ngx_http_sync_limit_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_sync_limit_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);
static ngx_int_t ngx_http_sync_limit_identify(ngx_conf_t *cf,
    ngx_array_t *limits, ngx_uint_t anywhere);
static ngx_int_t ngx_http_sync_limit_check(ngx_conf_t *cf,
    ngx_http_conf_ctx_t *ctx);
static char *ngx_http_sync_limit(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_sync_limit_parameter(ngx_conf_t *cf,
    ngx_http_sync_limit_t *limit, ngx_str_t *arg, uint64_t *burst,
    sync_rate_t *rate, ngx_str_t *key, ngx_uint_t *stage);
static char *ngx_http_sync_limit_cost_parameter(ngx_conf_t *cf,
    ngx_http_sync_limit_t *limit, ngx_str_t *arg);
static char *ngx_http_sync_limit_finish(ngx_conf_t *cf,
    ngx_http_sync_limit_t *limit, uint64_t burst, sync_rate_t *rate,
    ngx_str_t *key, ngx_uint_t stage);
static ngx_uint_t ngx_http_sync_limit_late(ngx_str_t *key);
static ngx_http_complex_value_t *ngx_http_sync_limit_value(ngx_conf_t *cf,
    ngx_str_t *text);


static ngx_command_t  ngx_http_sync_limit_commands[] = {

    { ngx_string("sync_limit"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_sync_limit,
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
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


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

    return llcf;
}


static char *
ngx_http_sync_limit_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_sync_limit_loc_conf_t  *prev = parent;
    ngx_http_sync_limit_loc_conf_t  *conf = child;

    ngx_uint_t                        i;
    ngx_http_sync_limit_t            *limit;
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

    if (conf->limits == NULL) {
        return NGX_CONF_OK;
    }

    limit = conf->limits->elts;

    for (i = 0; i < conf->limits->nelts; i++) {
        if (limit[i].client) {
            conf->client++;

        } else {
            conf->edge++;
        }
    }

    lmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_sync_limit_module);

    lmcf->store = ngx_sync_store_local(cf, NGX_SYNC_ZONE_LIMITS);
    if (lmcf->store == NULL) {
        return NGX_CONF_ERROR;
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
                              "\"rate\", \"burst\" or \"key\": a name is one "
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

    if (clcf->name.len == 0 || slcf->status) {
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


/*
 * sync_limit off | [NAME] plan [PARAMETERS]
 *                | [NAME] rate=R burst=B key=$var [PARAMETERS]
 */

static char *
ngx_http_sync_limit(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_sync_limit_loc_conf_t  *llcf = conf;

    char                   *rv;
    uint64_t                burst;
    ngx_str_t              *value, key;
    ngx_uint_t              i, k, plan, stage;
    sync_rate_t             rate;
    ngx_http_sync_limit_t  *limit, *other;

    value = cf->args->elts;

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0) {

        if (llcf->limits != NGX_CONF_UNSET_PTR) {
            return "off and other limits stand at the same level";
        }

        llcf->limits = NULL;

        return NGX_CONF_OK;
    }

    if (llcf->limits == NULL) {
        return "off and other limits stand at the same level";
    }

    if (llcf->limits == NGX_CONF_UNSET_PTR) {
        llcf->limits = ngx_array_create(cf->pool, 2,
                                        sizeof(ngx_http_sync_limit_t));
        if (llcf->limits == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    limit = ngx_array_push(llcf->limits);
    if (limit == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(limit, sizeof(ngx_http_sync_limit_t));
    ngx_memzero(&rate, sizeof(sync_rate_t));
    ngx_str_null(&key);

    limit->units = 1;
    burst = 0;
    plan = 0;
    stage = 0;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_strcmp(value[i].data, "plan") == 0) {
            if (plan++) {
                return "has \"plan\" twice";
            }

            continue;
        }

        if (ngx_strcmp(value[i].data, "shadow") == 0) {
            limit->shadow = 1;
            continue;
        }

        if (i == 1 && ngx_strchr(value[i].data, '=') == NULL) {

            for (k = 0; k < value[i].len; k++) {
                if (value[i].data[k] < 0x21 || value[i].data[k] > 0x7e
                    || value[i].data[k] == '"' || value[i].data[k] == '\\')
                {
                    k = NGX_HTTP_SYNC_LIMIT_NAME;
                    break;
                }
            }

            if (k > NGX_HTTP_SYNC_LIMIT_NAME - 1 || k == 0) {
                ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                                   "invalid name \"%V\" of \"sync_limit\", up "
                                   "to %d visible ASCII characters without "
                                   "quotes are needed", &value[i],
                                   NGX_HTTP_SYNC_LIMIT_NAME - 1);
                return NGX_CONF_ERROR;
            }

            limit->name = value[i];
            limit->named = 1;
            continue;
        }

        rv = ngx_http_sync_limit_parameter(cf, limit, &value[i], &burst,
                                           &rate, &key, &stage);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    if (plan) {
        if (rate.count || burst || key.len || stage) {
            return "plan takes its rates from the tenant's document: "
                   "\"rate\", \"burst\", \"key\" and \"stage\" do not go "
                   "with it";
        }

        limit->client = 1;

        if (!limit->named) {
            ngx_str_set(&limit->name, "plan");
        }

    } else {
        rv = ngx_http_sync_limit_finish(cf, limit, burst, &rate, &key, stage);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    other = llcf->limits->elts;

    for ( /* void */ ; other < limit; other++) {
        if (other->name.len == limit->name.len
            && ngx_strncmp(other->name.data, limit->name.data,
                           limit->name.len) == 0)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "two limits \"%V\" at the same level: give one "
                               "of them another name, as in "
                               "\"sync_limit NAME ...\"", &limit->name);
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


#define ngx_http_sync_limit_is(arg, lit)                                      \
    (ngx_strncmp((arg)->data, lit, sizeof(lit) - 1) == 0)


static char *
ngx_http_sync_limit_parameter(ngx_conf_t *cf, ngx_http_sync_limit_t *limit,
    ngx_str_t *arg, uint64_t *burst, sync_rate_t *rate, ngx_str_t *key,
    ngx_uint_t *stage)
{
    ngx_int_t     n;
    ngx_str_t     s;
    sync_error_t  err;

    s.data = (u_char *) ngx_strchr(arg->data, '=');

    if (s.data == NULL) {
        goto unknown;
    }

    s.data++;
    s.len = arg->data + arg->len - s.data;

    if (ngx_http_sync_limit_is(arg, "rate=")) {

        if (rate->count) {
            return "has \"rate\" twice";
        }

        if (sync_rate_parse(rate, (sync_str_t) { s.len, s.data }, &err)
            != SYNC_OK)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid \"%V\": %s",
                               arg, err.text);
            return NGX_CONF_ERROR;
        }

        return NGX_CONF_OK;
    }

    if (ngx_http_sync_limit_is(arg, "burst=")) {

        n = ngx_atoi(s.data, s.len);

        if (*burst || n <= 0 || n > (ngx_int_t) UINT32_MAX) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid \"%V\", one number of at least 1 is "
                               "needed", arg);
            return NGX_CONF_ERROR;
        }

        *burst = n;

        return NGX_CONF_OK;
    }

    if (ngx_http_sync_limit_is(arg, "key=")) {

        if (key->len || s.len == 0) {
            return "needs one \"key\" with a variable in it, such as "
                   "\"key=$binary_remote_addr\"";
        }

        *key = s;

        return NGX_CONF_OK;
    }

    if (ngx_http_sync_limit_is(arg, "cost=")) {
        return ngx_http_sync_limit_cost_parameter(cf, limit, &s);
    }

    if (ngx_http_sync_limit_is(arg, "mode=")) {

        if (ngx_strcmp(s.data, "local") == 0) {
            return NGX_CONF_OK;
        }

        if (ngx_strcmp(s.data, "exact") == 0
            || ngx_strcmp(s.data, "leased") == 0)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"%V\" is not supported by this version, "
                               "\"mode=local\" is", arg);
            return NGX_CONF_ERROR;
        }
    }

    if (ngx_http_sync_limit_is(arg, "fail=")) {

        if (ngx_strcmp(s.data, "local") == 0) {
            limit->fail = NGX_HTTP_SYNC_LIMIT_LOCAL;
            return NGX_CONF_OK;
        }

        if (ngx_strcmp(s.data, "open") == 0) {
            limit->fail = NGX_HTTP_SYNC_LIMIT_OPEN;
            return NGX_CONF_OK;
        }

        if (ngx_strcmp(s.data, "closed") == 0) {
            limit->fail = NGX_HTTP_SYNC_LIMIT_CLOSED;
            return NGX_CONF_OK;
        }
    }

    if (ngx_http_sync_limit_is(arg, "stage=")) {

        if (ngx_strcmp(s.data, "edge") == 0) {
            *stage = NGX_HTTP_SYNC_STEP_LIMIT_EDGE;
            return NGX_CONF_OK;
        }

        if (ngx_strcmp(s.data, "client") == 0) {
            *stage = NGX_HTTP_SYNC_STEP_LIMIT;
            return NGX_CONF_OK;
        }
    }

unknown:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\" of \"sync_limit\", known are "
                       "plan, rate=, burst=, key=, cost=, mode=local, "
                       "fail=local|open|closed, stage=edge|client, shadow",
                       arg);
    return NGX_CONF_ERROR;
}


static char *
ngx_http_sync_limit_cost_parameter(ngx_conf_t *cf,
    ngx_http_sync_limit_t *limit, ngx_str_t *arg)
{
    ngx_int_t  n;

    if (limit->cost != NULL || limit->units != 1) {
        return "has \"cost\" twice";
    }

    if (ngx_strchr(arg->data, '$') != NULL) {
        limit->cost = ngx_http_sync_limit_value(cf, arg);

        return limit->cost != NULL ? NGX_CONF_OK : NGX_CONF_ERROR;
    }

    n = ngx_atoi(arg->data, arg->len);

    if (n <= 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid \"cost=%V\", a number of at least 1 or a "
                           "variable is needed", arg);
        return NGX_CONF_ERROR;
    }

    limit->units = n;

    return NGX_CONF_OK;
}


static char *
ngx_http_sync_limit_finish(ngx_conf_t *cf, ngx_http_sync_limit_t *limit,
    uint64_t burst, sync_rate_t *rate, ngx_str_t *key, ngx_uint_t stage)
{
    u_char        *p;
    ngx_str_t      unit;
    sync_error_t   err;

    static ngx_str_t  units[] = {
        ngx_string("s"), ngx_string("m"), ngx_string("h"),
        ngx_string("d"), ngx_string("w"), ngx_string("month")
    };

    if (rate->count == 0 || key->len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"sync_limit\" needs \"plan\", or \"rate=\" and "
                           "\"key=\", as in \"sync_limit rate=100/s burst=200 "
                           "key=$binary_remote_addr\"");
        return NGX_CONF_ERROR;
    }

    if (burst == 0) {
        burst = rate->count;
    }

    if (sync_gcra_init(&limit->gcra, rate->count, rate->per, burst, &err)
        != SYNC_OK)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid \"sync_limit\": %s", err.text);
        return NGX_CONF_ERROR;
    }

    if (limit->cost == NULL && limit->units > burst) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"cost=%uL\" is over the burst of %uL: no request "
                           "would ever pass", limit->units, burst);
        return NGX_CONF_ERROR;
    }

    if (ngx_strchr(key->data, '$') == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"key=%V\" has no variable in it, such as "
                           "\"key=$binary_remote_addr\"", key);
        return NGX_CONF_ERROR;
    }

    limit->key = ngx_http_sync_limit_value(cf, key);
    if (limit->key == NULL) {
        return NGX_CONF_ERROR;
    }

    limit->address = ngx_strcmp(key->data, "$binary_remote_addr") == 0
                     || ngx_strcmp(key->data, "$remote_addr") == 0;

    if (ngx_http_sync_limit_late(key)) {

        if (stage == NGX_HTTP_SYNC_STEP_LIMIT_EDGE) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"key=%V\" is not known yet at the edge, "
                               "\"stage=client\" is needed", key);
            return NGX_CONF_ERROR;
        }

        limit->client = 1;
    }

    if (stage == NGX_HTTP_SYNC_STEP_LIMIT) {
        limit->client = 1;
    }

    unit = units[rate->unit];

    limit->text.data = ngx_pnalloc(cf->pool, key->len + unit.len
                                             + 2 * NGX_INT64_LEN + 3);
    if (limit->text.data == NULL) {
        return NGX_CONF_ERROR;
    }

    p = ngx_sprintf(limit->text.data, "%uD/%V", rate->count, &unit);

    if (!limit->named) {
        limit->name.data = limit->text.data;
        limit->name.len = p - limit->text.data;
    }

    p = ngx_sprintf(p, " %uL %V", burst, key);
    limit->text.len = p - limit->text.data;

    return NGX_CONF_OK;
}


/* Variables of ours that are known once the proof is, not before. */

static ngx_uint_t
ngx_http_sync_limit_late(ngx_str_t *key)
{
    u_char      *p;
    ngx_uint_t   i;

    static const char  *early[] = { "tenant", "correlation", "trace", NULL };

    for (p = key->data; (p = (u_char *) ngx_strstr(p, "sync_")) != NULL; ) {

        p += sizeof("sync_") - 1;

        for (i = 0; early[i] != NULL; i++) {
            if (ngx_strncmp(p, early[i], ngx_strlen(early[i])) == 0) {
                break;
            }
        }

        if (early[i] == NULL) {
            return 1;
        }
    }

    return 0;
}


static ngx_http_complex_value_t *
ngx_http_sync_limit_value(ngx_conf_t *cf, ngx_str_t *text)
{
    ngx_http_complex_value_t          *cv;
    ngx_http_compile_complex_value_t   ccv;

    cv = ngx_palloc(cf->pool, sizeof(ngx_http_complex_value_t));
    if (cv == NULL) {
        return NULL;
    }

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = text;
    ccv.complex_value = cv;

    if (ngx_http_compile_complex_value(&ccv) != NGX_OK) {
        return NULL;
    }

    return cv;
}
