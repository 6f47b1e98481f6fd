
/*
 * sync_scope, sync_require: what a proof must say beyond who it is.
 */


#include "ngx_http_sync.h"


#define NGX_HTTP_SYNC_SCOPE_TOLD  512    /* bytes of names in a challenge */


typedef struct {
    ngx_array_t                  names;  /* of ngx_str_t */
    ngx_uint_t                   methods;    /* 0: all */
    ngx_uint_t                   all;    /* every name, not any */
} ngx_http_sync_scope_rule_t;


typedef struct {
    ngx_str_t                    claim;  /* a name, or a JSON Pointer */
    ngx_http_complex_value_t     value;
} ngx_http_sync_require_t;


typedef struct {
    ngx_array_t                 *scopes;     /* of rules; NULL: off */
    ngx_array_t                 *requires;   /* NULL: off */
} ngx_http_sync_scope_loc_conf_t;


static ngx_uint_t ngx_http_sync_scope_enabled(ngx_http_request_t *r);
static ngx_int_t ngx_http_sync_scope_run(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);
static void ngx_http_sync_scope_leave(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);
static ngx_int_t ngx_http_sync_scope_unproven(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);
static ngx_int_t ngx_http_sync_scope_rule(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, ngx_http_sync_scope_rule_t *rule);
static ngx_uint_t ngx_http_sync_scope_has(ngx_str_t *scope, ngx_str_t *name);
static ngx_int_t ngx_http_sync_scope_require(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, sync_json_t *claims,
    ngx_http_sync_require_t *require);
static ngx_uint_t ngx_http_sync_scope_matches(const sync_json_t *claims,
    uint32_t n, ngx_str_t *value);

static void *ngx_http_sync_scope_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_sync_scope_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);
static ngx_int_t ngx_http_sync_scope_check(ngx_conf_t *cf,
    ngx_http_conf_ctx_t *ctx);
static char *ngx_http_sync_scope(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_sync_scope_methods(ngx_conf_t *cf, ngx_str_t *arg,
    ngx_uint_t *methods);
static ngx_uint_t ngx_http_sync_scope_token(ngx_str_t *name);
static char *ngx_http_sync_require(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


static const ngx_http_sync_step_t  ngx_http_sync_scope_step = {
    "scope",
    NGX_HTTP_SYNC_STAGE_PRECONTENT,
    NGX_HTTP_SYNC_STEP_SCOPE,
    ngx_http_sync_scope_enabled,
    0,
    ngx_http_sync_scope_run,
    NULL,
    ngx_http_sync_scope_leave,
    NULL
};


static const struct {
    ngx_str_t   name;
    ngx_uint_t  bit;
} ngx_http_sync_scope_names[] = {
    { ngx_string("GET"), NGX_HTTP_GET|NGX_HTTP_HEAD },
    { ngx_string("HEAD"), NGX_HTTP_HEAD },
    { ngx_string("POST"), NGX_HTTP_POST },
    { ngx_string("PUT"), NGX_HTTP_PUT },
    { ngx_string("PATCH"), NGX_HTTP_PATCH },
    { ngx_string("DELETE"), NGX_HTTP_DELETE },
    { ngx_string("OPTIONS"), NGX_HTTP_OPTIONS },
    { ngx_null_string, 0 }
};


static ngx_command_t  ngx_http_sync_scope_commands[] = {

    { ngx_string("sync_scope"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_sync_scope,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("sync_require"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE12,
      ngx_http_sync_require,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_sync_scope_module_ctx = {
    NULL,                                  /* preconfiguration */
    NULL,                                  /* postconfiguration */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_sync_scope_create_loc_conf,   /* create location configuration */
    ngx_http_sync_scope_merge_loc_conf     /* merge location configuration */
};


ngx_module_t  ngx_http_sync_scope_module = {
    NGX_MODULE_V1,
    &ngx_http_sync_scope_module_ctx,       /* module context */
    ngx_http_sync_scope_commands,          /* module directives */
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
ngx_http_sync_scope_enabled(ngx_http_request_t *r)
{
    ngx_http_sync_scope_loc_conf_t  *slcf;

    slcf = ngx_http_get_module_loc_conf(r, ngx_http_sync_scope_module);

    return slcf->scopes != NULL || slcf->requires != NULL;
}


static ngx_int_t
ngx_http_sync_scope_run(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx)
{
    ngx_int_t                        rc;
    ngx_uint_t                       i;
    sync_str_t                       text;
    sync_json_t                      claims;
    ngx_http_sync_require_t         *require;
    ngx_http_sync_scope_rule_t      *rule;
    ngx_http_sync_scope_loc_conf_t  *slcf;

    slcf = ngx_http_get_module_loc_conf(r, ngx_http_sync_scope_module);

    if (slcf->scopes != NULL) {

        rule = slcf->scopes->elts;

        for (i = 0; i < slcf->scopes->nelts; i++) {

            if (rule[i].methods && !(rule[i].methods & r->method)) {
                continue;
            }

            rc = ngx_http_sync_scope_rule(r, ctx, &rule[i]);
            if (rc != NGX_OK) {
                return rc;
            }
        }
    }

    if (slcf->requires == NULL) {
        return NGX_OK;
    }

    if (ctx->principal.proof == NGX_HTTP_SYNC_PROOF_NONE) {
        return ngx_http_sync_scope_unproven(r, ctx);
    }

    /* a proof without claims, an API key, fulfils no requirement */

    text.len = ctx->principal.claims.len;
    text.data = ctx->principal.claims.data;

    if (text.len == 0) {
        text = sync_str_lit("{}");
    }

    if (sync_json_parse(&claims, &ctx->arena, text, NULL, NULL) != SYNC_OK) {
        return NGX_ERROR;
    }

    require = slcf->requires->elts;

    for (i = 0; i < slcf->requires->nelts; i++) {
        rc = ngx_http_sync_scope_require(r, ctx, &claims, &require[i]);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    return NGX_OK;
}


/* What this location has asked for is not what the next one does. */

static void
ngx_http_sync_scope_leave(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx)
{
    ctx->done &= ~(1u << NGX_HTTP_SYNC_STEP_SCOPE);
}


/* RFC 6750, 3.1: without any proof there is no error to tell of. */

static ngx_int_t
ngx_http_sync_scope_unproven(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx)
{
    if (ngx_http_sync_challenge(r, ctx, NGX_HTTP_SYNC_CHALLENGE_TOKEN, NULL)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_sync_problem(ctx, NGX_HTTP_UNAUTHORIZED,
                                 "unauthenticated", "A proof is needed",
                                 NGX_HTTP_SYNC_TECHNICAL,
                                 "this request needs a token");
}


static ngx_int_t
ngx_http_sync_scope_rule(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_scope_rule_t *rule)
{
    u_char      *p;
    ngx_str_t   *name, names;
    ngx_uint_t   i, found;

    if (ctx->principal.proof == NGX_HTTP_SYNC_PROOF_NONE) {
        return ngx_http_sync_scope_unproven(r, ctx);
    }

    name = rule->names.elts;
    found = 0;

    for (i = 0; i < rule->names.nelts; i++) {
        if (ngx_http_sync_scope_has(&ctx->principal.scope, &name[i])) {
            found++;
        }
    }

    if (rule->all ? found == rule->names.nelts : found != 0) {
        return NGX_OK;
    }

    names.data = ngx_pnalloc(r->pool, NGX_HTTP_SYNC_SCOPE_TOLD);
    if (names.data == NULL) {
        return NGX_ERROR;
    }

    p = names.data;

    for (i = 0; i < rule->names.nelts; i++) {

        if (p - names.data + name[i].len + 1 > NGX_HTTP_SYNC_SCOPE_TOLD) {
            break;
        }

        if (i) {
            *p++ = ' ';
        }

        p = ngx_cpymem(p, name[i].data, name[i].len);
    }

    names.len = p - names.data;

    if (ngx_http_sync_challenge(r, ctx, NGX_HTTP_SYNC_CHALLENGE_SCOPE, &names)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_sync_problem(ctx, NGX_HTTP_FORBIDDEN,
                                 "insufficient-scope",
                                 "The proof does not reach so far",
                                 NGX_HTTP_SYNC_TECHNICAL,
                                 "%s of these scopes needed: %V",
                                 rule->all ? "all" : "one", &names);
}


static ngx_uint_t
ngx_http_sync_scope_has(ngx_str_t *scope, ngx_str_t *name)
{
    u_char  *p, *end, *last;

    p = scope->data;
    last = scope->data + scope->len;

    while (p < last) {

        end = ngx_strlchr(p, last, ' ');
        if (end == NULL) {
            end = last;
        }

        if ((size_t) (end - p) == name->len
            && ngx_memcmp(p, name->data, name->len) == 0)
        {
            return 1;
        }

        p = end + 1;
    }

    return 0;
}


static ngx_int_t
ngx_http_sync_scope_require(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    sync_json_t *claims, ngx_http_sync_require_t *require)
{
    uint32_t    n, i;
    ngx_str_t   value;
    sync_str_t  name;

    if (ngx_http_complex_value(r, &require->value, &value) != NGX_OK) {
        return NGX_ERROR;
    }

    name.len = require->claim.len;
    name.data = require->claim.data;

    n = name.data[0] == '/' ? sync_json_at(claims, 0, name)
                            : sync_json_member(claims, 0, name);

    /* an empty value asks for nothing that a claim could give */

    if (n != SYNC_JSON_NONE && value.len != 0) {

        if (claims->nodes[n].type != SYNC_JSON_ARRAY) {
            if (ngx_http_sync_scope_matches(claims, n, &value)) {
                return NGX_OK;
            }

        } else {
            for (i = sync_json_first(claims, n);
                 i != SYNC_JSON_NONE;
                 i = sync_json_after(claims, n, i))
            {
                if (ngx_http_sync_scope_matches(claims, i, &value)) {
                    return NGX_OK;
                }
            }
        }
    }

    if (ngx_http_sync_challenge(r, ctx, NGX_HTTP_SYNC_CHALLENGE_SCOPE, NULL)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_sync_problem(ctx, NGX_HTTP_FORBIDDEN, "claim-required",
                                 "The proof does not say what it must",
                                 NGX_HTTP_SYNC_TECHNICAL,
                                 "claim \"%V\" has not the value needed",
                                 &require->claim);
}


/* Strings by content; numbers, true and false by their text. */

static ngx_uint_t
ngx_http_sync_scope_matches(const sync_json_t *claims, uint32_t n,
    ngx_str_t *value)
{
    sync_str_t  s;

    s.len = value->len;
    s.data = value->data;

    switch (claims->nodes[n].type) {

    case SYNC_JSON_STRING:
        return sync_json_equals(claims, n, s);

    case SYNC_JSON_NUMBER:
    case SYNC_JSON_TRUE:
    case SYNC_JSON_FALSE:
        return sync_str_eq(sync_json_raw(claims, n), s);

    default:
        return 0;
    }
}


static void *
ngx_http_sync_scope_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_sync_scope_loc_conf_t  *slcf;

    slcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_sync_scope_loc_conf_t));
    if (slcf == NULL) {
        return NULL;
    }

    slcf->scopes = NGX_CONF_UNSET_PTR;
    slcf->requires = NGX_CONF_UNSET_PTR;

    return slcf;
}


static char *
ngx_http_sync_scope_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_sync_scope_loc_conf_t  *prev = parent;
    ngx_http_sync_scope_loc_conf_t  *conf = child;

    ngx_conf_merge_ptr_value(conf->scopes, prev->scopes, NULL);
    ngx_conf_merge_ptr_value(conf->requires, prev->requires, NULL);

    if (conf->scopes == NULL && conf->requires == NULL) {
        return NGX_CONF_OK;
    }

    if (ngx_http_sync_use(cf, &ngx_http_sync_scope_step) != NGX_OK
        || ngx_http_sync_add_check(cf, ngx_http_sync_scope_check) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_sync_scope_check(ngx_conf_t *cf, ngx_http_conf_ctx_t *ctx)
{
    ngx_http_core_loc_conf_t        *clcf;
    ngx_http_sync_loc_conf_t        *slcf;
    ngx_http_sync_scope_loc_conf_t  *conf;

    clcf = ctx->loc_conf[ngx_http_core_module.ctx_index];
    slcf = ctx->loc_conf[ngx_http_sync_module.ctx_index];
    conf = ctx->loc_conf[ngx_http_sync_scope_module.ctx_index];

    /* a server passes it on to locations, which add the proof */

    if (clcf->name.len == 0 || slcf->status
        || ngx_http_sync_enabled_at(ctx, NGX_HTTP_SYNC_STEP_AUTH))
    {
        return NGX_OK;
    }

    ngx_http_sync_refuse(cf, ctx, "%s needs sync_auth, or %s off",
                         conf->scopes != NULL ? "sync_scope" : "sync_require",
                         conf->scopes != NULL ? "sync_scope"
                                              : "sync_require");
    return NGX_ERROR;
}


/* sync_scope off | NAME... [all] [for=METHODS] */

static char *
ngx_http_sync_scope(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_sync_scope_loc_conf_t  *slcf = conf;

    ngx_str_t                   *value, *name;
    ngx_uint_t                   i;
    ngx_http_sync_scope_rule_t  *rule;

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0) {

        if (slcf->scopes != NGX_CONF_UNSET_PTR || cf->args->nelts != 2) {
            return "off and scopes stand at the same level";
        }

        slcf->scopes = NULL;

        return NGX_CONF_OK;
    }

    if (slcf->scopes == NULL) {
        return "off and scopes stand at the same level";
    }

    if (slcf->scopes == NGX_CONF_UNSET_PTR) {
        slcf->scopes = ngx_array_create(cf->pool, 2,
                                        sizeof(ngx_http_sync_scope_rule_t));
        if (slcf->scopes == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    rule = ngx_array_push(slcf->scopes);
    if (rule == NULL) {
        return NGX_CONF_ERROR;
    }

    rule->methods = 0;
    rule->all = 0;

    if (ngx_array_init(&rule->names, cf->pool, 4, sizeof(ngx_str_t))
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_strcmp(value[i].data, "all") == 0) {
            rule->all = 1;
            continue;
        }

        if (ngx_strncmp(value[i].data, "for=", 4) == 0) {
            if (ngx_http_sync_scope_methods(cf, &value[i], &rule->methods)
                != NGX_CONF_OK)
            {
                return NGX_CONF_ERROR;
            }

            continue;
        }

        if (!ngx_http_sync_scope_token(&value[i])) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid scope \"%V\", a name of visible "
                               "ASCII characters without quotes is needed",
                               &value[i]);
            return NGX_CONF_ERROR;
        }

        name = ngx_array_push(&rule->names);
        if (name == NULL) {
            return NGX_CONF_ERROR;
        }

        *name = value[i];
    }

    if (rule->names.nelts == 0) {
        return "needs the name of a scope";
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_sync_scope_methods(ngx_conf_t *cf, ngx_str_t *arg,
    ngx_uint_t *methods)
{
    u_char      *p, *end, *last;
    ngx_uint_t   i;

    p = arg->data + sizeof("for=") - 1;
    last = arg->data + arg->len;

    for ( ;; ) {

        end = ngx_strlchr(p, last, ',');
        if (end == NULL) {
            end = last;
        }

        for (i = 0; ngx_http_sync_scope_names[i].name.len; i++) {
            if (ngx_http_sync_scope_names[i].name.len == (size_t) (end - p)
                && ngx_strncmp(ngx_http_sync_scope_names[i].name.data, p,
                               end - p) == 0)
            {
                break;
            }
        }

        if (ngx_http_sync_scope_names[i].name.len == 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid \"%V\" of \"sync_scope\", a list such "
                               "as \"for=POST,PATCH\" is needed", arg);
            return NGX_CONF_ERROR;
        }

        *methods |= ngx_http_sync_scope_names[i].bit;

        if (end == last) {
            return NGX_CONF_OK;
        }

        p = end + 1;
    }
}


/* scope-token of RFC 6749, appendix A.4. */

static ngx_uint_t
ngx_http_sync_scope_token(ngx_str_t *name)
{
    size_t  i;

    for (i = 0; i < name->len; i++) {
        if (name->data[i] < 0x21 || name->data[i] > 0x7e
            || name->data[i] == '"' || name->data[i] == '\\')
        {
            return 0;
        }
    }

    return name->len != 0;
}


/* sync_require off | CLAIM VALUE */

static char *
ngx_http_sync_require(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_sync_scope_loc_conf_t  *slcf = conf;

    ngx_str_t                         *value;
    ngx_http_sync_require_t           *require;
    ngx_http_compile_complex_value_t   ccv;

    value = cf->args->elts;

    if (cf->args->nelts == 2) {

        if (ngx_strcmp(value[1].data, "off") != 0) {
            return "needs a claim and its value, or off";
        }

        if (slcf->requires != NGX_CONF_UNSET_PTR) {
            return "off and claims stand at the same level";
        }

        slcf->requires = NULL;

        return NGX_CONF_OK;
    }

    if (slcf->requires == NULL) {
        return "off and claims stand at the same level";
    }

    if (value[1].len == 0 || value[2].len == 0) {
        return "needs a claim and its value, neither empty";
    }

    if (slcf->requires == NGX_CONF_UNSET_PTR) {
        slcf->requires = ngx_array_create(cf->pool, 2,
                                          sizeof(ngx_http_sync_require_t));
        if (slcf->requires == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    require = ngx_array_push(slcf->requires);
    if (require == NULL) {
        return NGX_CONF_ERROR;
    }

    require->claim = value[1];

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = &value[2];
    ccv.complex_value = &require->value;

    if (ngx_http_compile_complex_value(&ccv) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}
