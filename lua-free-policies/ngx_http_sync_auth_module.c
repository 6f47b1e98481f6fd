
/*
 * sync_auth, sync_issuer: who asks.  The auth step (ACCESS) proves identity and
 * nothing else; the admit step (PRECONTENT, which `satisfy` cannot skip) says
 * whether this identity belongs to the tenant of the request.
 */


#include "ngx_http_sync_auth.h"
#include "sync_crypto.h"


#define NGX_HTTP_SYNC_AUTH_JWKS  (256 * 1024)    /* bytes of a key set */


static ngx_uint_t ngx_http_sync_auth_enabled(ngx_http_request_t *r);
static ngx_int_t ngx_http_sync_auth_run(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);
static ngx_int_t ngx_http_sync_auth_bearer(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, ngx_str_t *token);
static ngx_int_t ngx_http_sync_auth_api_key(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, ngx_str_t *key);
static ngx_int_t ngx_http_sync_auth_malformed(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, const char *what);
static ngx_int_t ngx_http_sync_auth_missing(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);
static ngx_int_t ngx_http_sync_admit(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);
static void ngx_http_sync_auth_leave(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);

static void *ngx_http_sync_auth_create_main_conf(ngx_conf_t *cf);
static void *ngx_http_sync_auth_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_sync_auth_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);
static ngx_uint_t ngx_http_sync_auth_configured(ngx_http_conf_ctx_t *ctx);
static ngx_int_t ngx_http_sync_auth_check_conf(ngx_conf_t *cf,
    ngx_http_conf_ctx_t *ctx);
static void ngx_http_sync_auth_exit_process(ngx_cycle_t *cycle);

static char *ngx_http_sync_auth(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static ngx_int_t ngx_http_sync_auth_header(ngx_conf_t *cf, ngx_str_t *name,
    ngx_str_t *header);
static char *ngx_http_sync_issuer(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_sync_issuer_keys(ngx_conf_t *cf,
    ngx_http_sync_issuer_t *issuer, ngx_str_t *file, sync_sha256_t *sha);
static ngx_int_t ngx_http_sync_issuer_read(ngx_conf_t *cf, ngx_str_t *file,
    sync_str_t *text);
static void ngx_http_sync_issuer_cleanup(void *data);


static const ngx_http_sync_step_t  ngx_http_sync_auth_step = {
    "auth",
    NGX_HTTP_SYNC_STAGE_ACCESS,
    NGX_HTTP_SYNC_STEP_AUTH,
    ngx_http_sync_auth_enabled,
    ngx_http_sync_auth_run,
    NULL,
    ngx_http_sync_auth_leave,
    NULL
};


static const ngx_http_sync_step_t  ngx_http_sync_admit_step = {
    "admit",
    NGX_HTTP_SYNC_STAGE_PRECONTENT,
    NGX_HTTP_SYNC_STEP_ADMIT,
    ngx_http_sync_auth_enabled,
    ngx_http_sync_admit,
    NULL,
    NULL,
    NULL
};


static ngx_command_t  ngx_http_sync_auth_commands[] = {

    { ngx_string("sync_auth"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_sync_auth,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("sync_issuer"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,
      ngx_http_sync_issuer,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_sync_auth_module_ctx = {
    NULL,                                  /* preconfiguration */
    NULL,                                  /* postconfiguration */

    ngx_http_sync_auth_create_main_conf,   /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_sync_auth_create_loc_conf,    /* create location configuration */
    ngx_http_sync_auth_merge_loc_conf      /* merge location configuration */
};


ngx_module_t  ngx_http_sync_auth_module = {
    NGX_MODULE_V1,
    &ngx_http_sync_auth_module_ctx,        /* module context */
    ngx_http_sync_auth_commands,           /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_http_sync_auth_exit_process,       /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_uint_t
ngx_http_sync_auth_enabled(ngx_http_request_t *r)
{
    ngx_http_sync_auth_loc_conf_t  *alcf;

    alcf = ngx_http_get_module_loc_conf(r, ngx_http_sync_auth_module);

    return alcf->proofs;
}


static ngx_int_t
ngx_http_sync_auth_run(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx)
{
    ngx_int_t                       rc;
    ngx_str_t                       token;
    ngx_uint_t                      lines;
    ngx_table_elt_t                *key;
    ngx_http_sync_auth_loc_conf_t  *alcf;

    alcf = ngx_http_get_module_loc_conf(r, ngx_http_sync_auth_module);

    ngx_memzero(&ctx->principal, sizeof(ngx_http_sync_principal_t));
    ctx->principal.index = SYNC_DOC_NONE;

    key = NULL;
    ngx_str_null(&token);

    if (alcf->proofs & NGX_HTTP_SYNC_AUTH_API_KEY) {

        key = ngx_http_sync_header_in(r, &alcf->header, &lines);

        if (key != NULL && lines != 1) {
            return ngx_http_sync_auth_malformed(r, ctx, "two API keys");
        }
    }

    if (alcf->proofs & NGX_HTTP_SYNC_AUTH_TOKEN) {

        rc = ngx_http_sync_auth_bearer(r, ctx, &token);

        if (rc != NGX_OK && rc != NGX_DECLINED) {
            return rc;
        }

        if (rc == NGX_OK && key != NULL) {
            return ngx_http_sync_auth_malformed(r, ctx,
                                                "a token and an API key");
        }

        if (rc == NGX_OK) {
            return ngx_http_sync_auth_token(r, ctx, &token);
        }
    }

    if (key != NULL) {
        return ngx_http_sync_auth_api_key(r, ctx, &key->value);
    }

    if (alcf->proofs & NGX_HTTP_SYNC_AUTH_OPTIONAL) {
        return NGX_DECLINED;
    }

    return ngx_http_sync_auth_missing(r, ctx);
}


/*
 * RFC 6750, 2.1.  NGX_OK: there is a token; NGX_DECLINED: none (another scheme
 * may be meant for upstream); 400.
 */

static ngx_int_t
ngx_http_sync_auth_bearer(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    ngx_str_t *token)
{
    u_char           *p, *last;
    ngx_uint_t        lines;
    ngx_table_elt_t  *h;

    static ngx_str_t  name = ngx_string("authorization");

    static const uint32_t  b64token[] = {
        0x00000000,
                    /* ?>=< ;:98 7654 3210  /.-, +*)( '&%$ #"!  */
        0x03ffe800, /* 0000 0011 1111 1111  1110 1000 0000 0000 */

                    /* _^]\ [ZYX WVUT SRQP  ONML KJIH GFED CBA@ */
        0x87fffffe, /* 1000 0111 1111 1111  1111 1111 1111 1110 */

                    /*  ~}| {zyx wvut srqp  onml kjih gfed cba` */
        0x47fffffe, /* 0100 0111 1111 1111  1111 1111 1111 1110 */

        0x00000000,
        0x00000000,
        0x00000000,
        0x00000000
    };

    h = ngx_http_sync_header_in(r, &name, &lines);

    if (h == NULL) {
        return NGX_DECLINED;
    }

    if (lines != 1) {
        return ngx_http_sync_auth_malformed(r, ctx, "two Authorization lines");
    }

    p = h->value.data;
    last = p + h->value.len;

    if (h->value.len < sizeof("Bearer") - 1
        || ngx_strncasecmp(p, (u_char *) "Bearer", sizeof("Bearer") - 1) != 0
        || (h->value.len > sizeof("Bearer") - 1
            && p[sizeof("Bearer") - 1] != ' '))
    {
        return NGX_DECLINED;
    }

    p += sizeof("Bearer") - 1;

    while (p < last && *p == ' ') {
        p++;
    }

    token->data = p;
    token->len = last - p;

    /* b64token; that what is in it is a JWT is for others to see */

    while (p < last && b64token[*p >> 5] & (1U << (*p & 0x1f))) {
        p++;
    }

    if (p != token->data) {
        while (p < last && *p == '=') {
            p++;
        }
    }

    if (token->len == 0 || p != last) {
        return ngx_http_sync_auth_malformed(r, ctx,
                                            "what follows \"Bearer\" is no "
                                            "token");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_sync_auth_api_key(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    ngx_str_t *key)
{
    uint32_t            index;
    ngx_int_t           rc;
    sync_doc_client_t   client;

    static ngx_str_t  challenge = ngx_string("ApiKey realm=\"sync\"");

    rc = NGX_DECLINED;

    if (ctx->tenant.entry != NULL) {
        rc = ngx_http_sync_api_key_find(ctx->tenant.entry, key, &index,
                                        r->connection->log);
    }

    if (rc == NGX_OK
        && sync_doc_client_at(ctx->tenant.doc, index, &client) == SYNC_OK)
    {
        ctx->principal.proof = NGX_HTTP_SYNC_PROOF_API_KEY;
        ctx->principal.index = index;
        ctx->principal.client.len = client.id.len;
        ctx->principal.client.data = client.id.data;
        ctx->principal.tenant = ctx->tenant.id;

        return NGX_OK;
    }

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                  "auth: API key refused, tenant \"%V\"", &ctx->tenant.name);

    if (ngx_http_sync_challenge(r, &challenge) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_sync_problem(ctx, NGX_HTTP_UNAUTHORIZED,
                                 "invalid-api-key",
                                 "The API key is not valid",
                                 NGX_HTTP_SYNC_TECHNICAL,
                                 "the API key is not valid here");
}


static ngx_int_t
ngx_http_sync_auth_malformed(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    const char *what)
{
    static ngx_str_t  challenge =
        ngx_string("Bearer realm=\"sync\", error=\"invalid_request\"");

    if (ngx_http_sync_challenge(r, &challenge) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_sync_problem(ctx, NGX_HTTP_BAD_REQUEST,
                                 "invalid-credentials",
                                 "The credentials are malformed",
                                 NGX_HTTP_SYNC_TECHNICAL,
                                 "%s: one proof is needed", what);
}


static ngx_int_t
ngx_http_sync_auth_missing(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx)
{
    ngx_str_t                      *challenge;
    ngx_http_sync_auth_loc_conf_t  *alcf;

    static ngx_str_t  challenges[] = {
        ngx_null_string,
        ngx_string("Bearer realm=\"sync\""),
        ngx_string("ApiKey realm=\"sync\""),
        ngx_string("Bearer realm=\"sync\", ApiKey realm=\"sync\"")
    };

    alcf = ngx_http_get_module_loc_conf(r, ngx_http_sync_auth_module);

    challenge = &challenges[alcf->proofs & (NGX_HTTP_SYNC_AUTH_TOKEN
                                            |NGX_HTTP_SYNC_AUTH_API_KEY)];

    if (ngx_http_sync_challenge(r, challenge) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_sync_problem(ctx, NGX_HTTP_UNAUTHORIZED,
                                 "unauthenticated", "A proof is needed",
                                 NGX_HTTP_SYNC_TECHNICAL,
                                 "this request needs a token or an API key");
}


static ngx_int_t
ngx_http_sync_admit(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx)
{
    ngx_http_sync_principal_t   *pr;
    ngx_http_sync_tenant_ctx_t  *tenant;

    pr = &ctx->principal;
    tenant = &ctx->tenant;

    if (pr->proof == NGX_HTTP_SYNC_PROOF_NONE) {
        ngx_http_sync_auth_loc_conf_t  *alcf;

        alcf = ngx_http_get_module_loc_conf(r, ngx_http_sync_auth_module);

        if (alcf->proofs & NGX_HTTP_SYNC_AUTH_OPTIONAL) {
            return NGX_DECLINED;
        }

        /* ACCESS has not run: whatever has skipped it, nobody is proven */

        return ngx_http_sync_auth_missing(r, ctx);
    }

    if (tenant->doc == NULL) {
        return NGX_OK;
    }

    if (!(pr->tenant.len == tenant->id.len
          && ngx_memcmp(pr->tenant.data, tenant->id.data, tenant->id.len)
             == 0)
        && !(pr->tenant.len == tenant->name.len
             && ngx_memcmp(pr->tenant.data, tenant->name.data,
                           tenant->name.len)
                == 0))
    {
        return ngx_http_sync_problem(ctx, NGX_HTTP_FORBIDDEN,
                                     "foreign-tenant",
                                     "The proof is another tenant's",
                                     NGX_HTTP_SYNC_TECHNICAL,
                                     "the proof does not belong to this "
                                     "tenant");
    }

    if (pr->index == SYNC_DOC_NONE) {
        return ngx_http_sync_problem(ctx, NGX_HTTP_FORBIDDEN,
                                     "unknown-client",
                                     "The client is not known here",
                                     NGX_HTTP_SYNC_TECHNICAL,
                                     "the tenant's document does not name "
                                     "this client");
    }

    return NGX_OK;
}


/*
 * Another location may ask for another proof, or be another tenant's: what was
 * proven here is not carried there.
 */

static void
ngx_http_sync_auth_leave(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx)
{
    ctx->done &= ~(1u << NGX_HTTP_SYNC_STEP_AUTH
                   | 1u << NGX_HTTP_SYNC_STEP_ADMIT);
}


static void *
ngx_http_sync_auth_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_sync_auth_main_conf_t  *amcf;

    amcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_sync_auth_main_conf_t));
    if (amcf == NULL) {
        return NULL;
    }

    if (ngx_array_init(&amcf->issuers, cf->pool, 2,
                       sizeof(ngx_http_sync_issuer_t))
        != NGX_OK)
    {
        return NULL;
    }

    return amcf;
}


static void *
ngx_http_sync_auth_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_sync_auth_loc_conf_t  *alcf;

    alcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_sync_auth_loc_conf_t));
    if (alcf == NULL) {
        return NULL;
    }

    alcf->proofs = NGX_CONF_UNSET_UINT;

    return alcf;
}


static char *
ngx_http_sync_auth_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_sync_auth_loc_conf_t  *prev = parent;
    ngx_http_sync_auth_loc_conf_t  *conf = child;

    ngx_http_sync_auth_main_conf_t  *amcf;

    if (conf->proofs == NGX_CONF_UNSET_UINT
        && prev->proofs != NGX_CONF_UNSET_UINT)
    {
        *conf = *prev;
    }

    ngx_conf_init_uint_value(conf->proofs, 0);

    if (conf->proofs == 0) {
        return NGX_CONF_OK;
    }

    if (conf->proofs & NGX_HTTP_SYNC_AUTH_TOKEN) {
        amcf = ngx_http_conf_get_module_main_conf(cf,
                                                  ngx_http_sync_auth_module);

        amcf->store = ngx_sync_store_local(cf, NGX_SYNC_ZONE_TOKENS);
        if (amcf->store == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    ngx_http_sync_tell_configured(cf, NGX_HTTP_SYNC_STEP_AUTH,
                                  ngx_http_sync_auth_configured);

    if (ngx_http_sync_use(cf, &ngx_http_sync_auth_step) != NGX_OK
        || ngx_http_sync_use(cf, &ngx_http_sync_admit_step) != NGX_OK
        || ngx_http_sync_add_check(cf, ngx_http_sync_auth_check_conf)
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static ngx_uint_t
ngx_http_sync_auth_configured(ngx_http_conf_ctx_t *ctx)
{
    ngx_http_sync_auth_loc_conf_t  *alcf;

    alcf = ctx->loc_conf[ngx_http_sync_auth_module.ctx_index];

    return alcf->proofs != 0;
}


static ngx_int_t
ngx_http_sync_auth_check_conf(ngx_conf_t *cf, ngx_http_conf_ctx_t *ctx)
{
    ngx_http_core_loc_conf_t        *clcf;
    ngx_http_sync_loc_conf_t        *slcf;
    ngx_http_sync_auth_loc_conf_t   *alcf;
    ngx_http_sync_auth_main_conf_t  *amcf;

    clcf = ctx->loc_conf[ngx_http_core_module.ctx_index];
    slcf = ctx->loc_conf[ngx_http_sync_module.ctx_index];
    alcf = ctx->loc_conf[ngx_http_sync_auth_module.ctx_index];
    amcf = ctx->main_conf[ngx_http_sync_auth_module.ctx_index];

    /* a server passes it on to locations, which may add the tenant */

    if (clcf->name.len == 0 || slcf->status) {
        return NGX_OK;
    }

    if (clcf->satisfy == NGX_HTTP_SATISFY_ANY) {
        ngx_http_sync_refuse(cf, ctx, "sync_auth needs \"satisfy all\": "
                             "with \"any\" another module could let pass "
                             "whom nobody has proven");
        return NGX_ERROR;
    }

    if (ngx_http_sync_enabled_at(ctx, NGX_HTTP_SYNC_STEP_TENANT)) {
        return NGX_OK;
    }

    if (alcf->proofs & NGX_HTTP_SYNC_AUTH_API_KEY) {
        ngx_http_sync_refuse(cf, ctx, "sync_auth api_key needs sync_tenant: "
                             "the keys stand in the tenant's document");
        return NGX_ERROR;
    }

    if (amcf->issuers.nelts == 0) {
        ngx_http_sync_refuse(cf, ctx, "sync_auth token needs sync_tenant or "
                             "sync_issuer: nobody could have issued a token");
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
ngx_http_sync_auth_exit_process(ngx_cycle_t *cycle)
{
    ngx_http_sync_token_forget();
}


/* sync_auth off | [token] [api_key[=HEADER]] [optional] [typ=at+jwt] */

static char *
ngx_http_sync_auth(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_sync_auth_loc_conf_t  *alcf = conf;

    ngx_str_t   *value, name;
    ngx_uint_t   i, bit;

    if (alcf->proofs != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    alcf->proofs = 0;
    value = cf->args->elts;

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0) {
        return NGX_CONF_OK;
    }

    for (i = 1; i < cf->args->nelts; i++) {

        bit = 0;

        if (ngx_strcmp(value[i].data, "token") == 0) {
            bit = NGX_HTTP_SYNC_AUTH_TOKEN;

        } else if (ngx_strcmp(value[i].data, "api_key") == 0) {
            bit = NGX_HTTP_SYNC_AUTH_API_KEY;
            ngx_str_set(&alcf->header, "x-api-key");

        } else if (ngx_strncmp(value[i].data, "api_key=", 8) == 0) {
            bit = NGX_HTTP_SYNC_AUTH_API_KEY;
            name.data = value[i].data + 8;
            name.len = value[i].len - 8;

            if (ngx_http_sync_auth_header(cf, &name, &alcf->header)
                != NGX_OK)
            {
                return NGX_CONF_ERROR;
            }

        } else if (ngx_strcmp(value[i].data, "optional") == 0) {
            bit = NGX_HTTP_SYNC_AUTH_OPTIONAL;

        } else if (ngx_strcmp(value[i].data, "typ=at+jwt") == 0) {
            alcf->at_jwt = 1;
            continue;

        } else if (ngx_strcmp(value[i].data, "off") == 0) {
            return "has \"off\" beside a proof";

        } else if (ngx_strcmp(value[i].data, "certificate") == 0
                   || ngx_strncmp(value[i].data, "signature", 9) == 0)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"sync_auth %V\" is not supported by this "
                               "version, \"token\" and \"api_key\" are",
                               &value[i]);
            return NGX_CONF_ERROR;
        }

        if (bit == 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid \"%V\" of \"sync_auth\", known are "
                               "off, token, api_key, api_key=HEADER, "
                               "optional, typ=at+jwt", &value[i]);
            return NGX_CONF_ERROR;
        }

        if (alcf->proofs & bit) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"sync_auth\" has \"%V\" twice", &value[i]);
            return NGX_CONF_ERROR;
        }

        alcf->proofs |= bit;
    }

    if (!(alcf->proofs & (NGX_HTTP_SYNC_AUTH_TOKEN
                          |NGX_HTTP_SYNC_AUTH_API_KEY)))
    {
        return "needs \"token\" or \"api_key\": by themselves \"optional\" "
               "and \"typ\" prove nothing";
    }

    if (alcf->at_jwt && !(alcf->proofs & NGX_HTTP_SYNC_AUTH_TOKEN)) {
        return "has \"typ\" without \"token\"";
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_sync_auth_header(ngx_conf_t *cf, ngx_str_t *name, ngx_str_t *header)
{
    size_t  i;
    u_char  c;

    header->len = name->len;
    header->data = ngx_pnalloc(cf->pool, name->len + 1);
    if (header->data == NULL) {
        return NGX_ERROR;
    }

    ngx_strlow(header->data, name->data, name->len);

    for (i = 0; i < header->len; i++) {
        c = header->data[i];

        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-') {
            break;
        }
    }

    if (i != header->len || i == 0
        || (header->len == sizeof("authorization") - 1
            && ngx_strncmp(header->data, "authorization", header->len) == 0))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid \"api_key=%V\", the name of a header of "
                           "its own is needed, such as \"api_key=X-Api-Key\"",
                           name);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/*
 * sync_issuer URL audience=AUD... jwks=FILE tenant_claim=NAME
 *             [client_claim=NAME] [typ=at+jwt]
 */

static char *
ngx_http_sync_issuer(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_sync_auth_main_conf_t  *amcf = conf;

    u_char                   digest[SYNC_SHA256_LEN];
    uint64_t                 part;
    ngx_str_t               *value, file;
    ngx_uint_t               i, k;
    sync_str_t              *audience, s;
    sync_sha256_t            sha;
    ngx_http_sync_issuer_t  *issuer, *other;

    value = cf->args->elts;
    other = amcf->issuers.elts;

    for (i = 0; i < amcf->issuers.nelts; i++) {
        if (other[i].issuer.len == value[1].len
            && ngx_strncmp(other[i].issuer.data, value[1].data, value[1].len)
               == 0)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "duplicate \"sync_issuer %V\"", &value[1]);
            return NGX_CONF_ERROR;
        }
    }

    if (ngx_strncmp(value[1].data, "https://", 8) != 0
        && ngx_strncmp(value[1].data, "http://", 7) != 0)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid \"sync_issuer %V\", the URL that stands "
                           "in \"iss\" is needed first", &value[1]);
        return NGX_CONF_ERROR;
    }

    issuer = ngx_array_push(&amcf->issuers);
    if (issuer == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(issuer, sizeof(ngx_http_sync_issuer_t));
    ngx_str_null(&file);

    issuer->issuer.len = value[1].len;
    issuer->issuer.data = value[1].data;

    if (ngx_array_init(&issuer->audience, cf->pool, 2, sizeof(sync_str_t))
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    sync_sha256_init(&sha);
    sync_sha256_update(&sha, &amcf->generation, sizeof(amcf->generation));

    for (i = 1; i < cf->args->nelts; i++) {

        sync_sha256_update(&sha, value[i].data, value[i].len);
        sync_sha256_update(&sha, "", 1);

        if (i == 1) {
            continue;
        }

        for (k = 0; k < value[i].len && value[i].data[k] != '='; k++) {
            /* void */
        }

        if (k + 1 >= value[i].len) {
            goto invalid;
        }

        s.data = value[i].data + k + 1;
        s.len = value[i].len - k - 1;

        if (ngx_strncmp(value[i].data, "audience=", 9) == 0) {

            if (issuer->audience.nelts == NGX_HTTP_SYNC_AUTH_AUDIENCES) {
                return "has too many audiences";
            }

            audience = ngx_array_push(&issuer->audience);
            if (audience == NULL) {
                return NGX_CONF_ERROR;
            }

            *audience = s;

        } else if (ngx_strncmp(value[i].data, "jwks=", 5) == 0) {

            if (sync_str_is(s, "discover") || sync_str_starts(s, "http:")
                || sync_str_starts(s, "https:"))
            {
                ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                                   "\"%V\" is not supported by this version, "
                                   "\"jwks=FILE\" is", &value[i]);
                return NGX_CONF_ERROR;
            }

            if (file.len) {
                return "has \"jwks\" twice";
            }

            file.data = s.data;
            file.len = s.len;

        } else if (ngx_strncmp(value[i].data, "tenant_claim=", 13) == 0) {
            issuer->tenant_claim = s;

        } else if (ngx_strncmp(value[i].data, "client_claim=", 13) == 0) {
            issuer->client_claim = s;

        } else if (ngx_strcmp(value[i].data, "typ=at+jwt") == 0) {
            issuer->at_jwt = 1;

        } else if (ngx_strncmp(value[i].data, "introspect=", 11) == 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"introspect\" is not supported by this "
                               "version, \"jwks=FILE\" is");
            return NGX_CONF_ERROR;

        } else {
            goto invalid;
        }
    }

    if (issuer->audience.nelts == 0) {
        return "needs \"audience=\": a token for somebody else must not pass";
    }

    if (issuer->tenant_claim.len == 0) {
        return "needs \"tenant_claim=\": the claim that names the tenant";
    }

    if (file.len == 0) {
        return "needs \"jwks=FILE\": the keys that sign its tokens";
    }

    if (ngx_http_sync_issuer_keys(cf, issuer, &file, &sha) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    sync_sha256_final(&sha, digest);
    ngx_memcpy(&part, digest, sizeof(part));
    amcf->generation = part;

    return NGX_CONF_OK;

invalid:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\" of \"sync_issuer\", known "
                       "are audience=, jwks=, tenant_claim=, client_claim=, "
                       "typ=at+jwt", &value[i]);
    return NGX_CONF_ERROR;
}


/* Read at load, by the master: a change of the file needs a reload. */

static char *
ngx_http_sync_issuer_keys(ngx_conf_t *cf, ngx_http_sync_issuer_t *issuer,
    ngx_str_t *file, sync_sha256_t *sha)
{
    sync_rc_t            rc;
    sync_str_t           text;
    sync_arena_t        *arena;
    sync_error_t         err;
    ngx_pool_cleanup_t  *cln;

    if (ngx_conf_full_name(cf->cycle, file, 1) != NGX_OK
        || ngx_http_sync_issuer_read(cf, file, &text) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    arena = sync_arena_create(4096);

    if (cln == NULL || arena == NULL) {
        return NGX_CONF_ERROR;
    }

    rc = sync_jwks_parse(&issuer->keys, arena, text, SYNC_JWKS_OCT, &err);

    if (rc == SYNC_OK) {
        cln->handler = ngx_http_sync_issuer_cleanup;
        cln->data = issuer->keys;

        sync_sha256_update(sha, text.data, text.len);

    } else if (rc == SYNC_NO) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "key set \"%V\" at \"%*s\": %s", file,
                           err.pointer.len, err.pointer.data, err.text);
    }

    sync_wipe(text.data, text.len);
    sync_arena_destroy(arena);

    return rc == SYNC_OK ? NGX_CONF_OK : NGX_CONF_ERROR;
}


static ngx_int_t
ngx_http_sync_issuer_read(ngx_conf_t *cf, ngx_str_t *file, sync_str_t *text)
{
    ssize_t          n;
    ngx_file_t       f;
    ngx_file_info_t  fi;

    ngx_memzero(&f, sizeof(ngx_file_t));

    f.name = *file;
    f.log = cf->log;
    f.fd = ngx_open_file(file->data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);

    if (f.fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_open_file_n " \"%V\" failed", file);
        return NGX_ERROR;
    }

    n = NGX_ERROR;

    if (ngx_fd_info(f.fd, &fi) == NGX_FILE_ERROR
        || ngx_file_size(&fi) > NGX_HTTP_SYNC_AUTH_JWKS)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "key set \"%V\" is no file of at most %d bytes",
                           file, NGX_HTTP_SYNC_AUTH_JWKS);

    } else {
        text->len = ngx_file_size(&fi);
        text->data = ngx_pnalloc(cf->pool, text->len + 1);

        if (text->data != NULL) {
            n = ngx_read_file(&f, text->data, text->len, 0);
        }

        if (n != NGX_ERROR && (size_t) n != text->len) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "key set \"%V\" changed while it was read",
                               file);
            n = NGX_ERROR;
        }
    }

    (void) ngx_close_file(f.fd);

    return n == NGX_ERROR ? NGX_ERROR : NGX_OK;
}


static void
ngx_http_sync_issuer_cleanup(void *data)
{
    sync_jwks_free(data);
}
