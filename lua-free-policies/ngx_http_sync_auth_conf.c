
/*
 * Configuration of sync_auth: which proofs a location takes.
 */


#include "ngx_http_sync_auth_jwks.h"
#include "ngx_http_sync_edge.h"


#define NGX_HTTP_SYNC_DPOP_AGE  60       /* seconds */


static ngx_int_t ngx_http_sync_auth_fetches(ngx_conf_t *cf,
    ngx_http_sync_auth_main_conf_t *amcf);
static ngx_uint_t ngx_http_sync_auth_configured(ngx_http_conf_ctx_t *ctx);
static ngx_int_t ngx_http_sync_auth_check_conf(ngx_conf_t *cf,
    ngx_http_conf_ctx_t *ctx);
static ngx_int_t ngx_http_sync_auth_header(ngx_conf_t *cf, ngx_str_t *name,
    ngx_str_t *header);
static ngx_int_t ngx_http_sync_auth_dpop(ngx_conf_t *cf,
    ngx_http_sync_auth_loc_conf_t *alcf, ngx_str_t *value);
static ngx_int_t ngx_http_sync_auth_seconds(ngx_conf_t *cf, ngx_str_t *value,
    size_t name, time_t least, time_t most, time_t *seconds);


void *
ngx_http_sync_auth_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_sync_auth_main_conf_t  *amcf;

    amcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_sync_auth_main_conf_t));
    if (amcf == NULL) {
        return NULL;
    }

    if (ngx_array_init(&amcf->issuers, cf->pool, 2,
                       sizeof(ngx_http_sync_issuer_t))
        != NGX_OK
        || ngx_array_init(&amcf->metadata, cf->pool, 2,
                          sizeof(ngx_http_sync_metadata_t))
           != NGX_OK)
    {
        return NULL;
    }

    return amcf;
}


void *
ngx_http_sync_auth_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_sync_auth_loc_conf_t  *alcf;

    alcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_sync_auth_loc_conf_t));
    if (alcf == NULL) {
        return NULL;
    }

    alcf->proofs = NGX_CONF_UNSET_UINT;
    alcf->dpop_age = NGX_HTTP_SYNC_DPOP_AGE;

    return alcf;
}


char *
ngx_http_sync_auth_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_sync_auth_loc_conf_t  *prev = parent;
    ngx_http_sync_auth_loc_conf_t  *conf = child;

    ngx_array_t                     *scopes;
    ngx_http_sync_auth_main_conf_t  *amcf;

    if (conf->proofs == NGX_CONF_UNSET_UINT
        && prev->proofs != NGX_CONF_UNSET_UINT)
    {
        scopes = conf->scopes;
        *conf = *prev;
        conf->scopes = scopes;
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

        if (ngx_http_sync_auth_fetches(cf, amcf) != NGX_OK) {
            return NGX_CONF_ERROR;
        }
    }

    if (conf->dpop != NGX_HTTP_SYNC_DPOP_OFF) {
        amcf = ngx_http_conf_get_module_main_conf(cf,
                                                  ngx_http_sync_auth_module);

        amcf->seen = ngx_sync_store_get(cf, NGX_SYNC_ZONE_TOKENS);
        if (amcf->seen == NULL) {
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


/* Keys come from elsewhere where an issuer says so, or documents may. */

static ngx_int_t
ngx_http_sync_auth_fetches(ngx_conf_t *cf,
    ngx_http_sync_auth_main_conf_t *amcf)
{
    ngx_uint_t               i;
    ngx_http_sync_issuer_t  *issuer;

    if (amcf->fetch != NULL) {
        return NGX_OK;
    }

    issuer = amcf->issuers.elts;

    for (i = 0; i < amcf->issuers.nelts; i++) {
        if (issuer[i].keys == NULL || issuer[i].introspect != NULL) {
            break;
        }
    }

    if (i == amcf->issuers.nelts
        && !ngx_http_sync_egress_listed(cf))
    {
        return NGX_OK;
    }

    amcf->fetch = ngx_http_sync_fetch_conf(cf);

    if (amcf->fetch == NULL || ngx_http_sync_flight_use(cf) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_sync_add_status(cf, ngx_http_sync_jwks_show);
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
    ngx_http_sync_main_conf_t       *smcf;
    ngx_http_sync_auth_loc_conf_t   *alcf;
    ngx_http_sync_auth_main_conf_t  *amcf;

    clcf = ctx->loc_conf[ngx_http_core_module.ctx_index];
    slcf = ctx->loc_conf[ngx_http_sync_module.ctx_index];
    alcf = ctx->loc_conf[ngx_http_sync_auth_module.ctx_index];
    amcf = ctx->main_conf[ngx_http_sync_auth_module.ctx_index];

    alcf->public_url = ngx_http_sync_public_url_at(ctx);

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

    if (ngx_http_sync_configured(ctx, NGX_HTTP_SYNC_STEP_TENANT_ELEMENT)
        && (alcf->proofs != NGX_HTTP_SYNC_AUTH_SIGNATURE
            || alcf->signature->secrets.nelts == 0))
    {
        ngx_http_sync_refuse(cf, ctx, "sync_tenant element= needs sync_auth "
                             "with \"signature=\" and \"secret=\" alone: "
                             "before the body is proven no tenant is known");
        return NGX_ERROR;
    }

    if (alcf->dpop != NGX_HTTP_SYNC_DPOP_OFF
        && !ngx_http_sync_public_url_at(ctx))
    {
        ngx_http_sync_refuse(cf, ctx, "sync_auth dpop needs sync_public_url: "
                             "a proof names the URL that the client knows");
        return NGX_ERROR;
    }

    if (alcf->proofs & NGX_HTTP_SYNC_AUTH_CERTIFICATE
        && (!ngx_http_sync_client_certificate_at(ctx)
            || !ngx_http_sync_enabled_at(ctx, NGX_HTTP_SYNC_STEP_TENANT)))
    {
        ngx_http_sync_refuse(cf, ctx, "sync_auth certificate needs "
                             "sync_client_certificate, by which it is shown, "
                             "and sync_tenant, whose document names it");
        return NGX_ERROR;
    }

    smcf = ctx->main_conf[ngx_http_sync_module.ctx_index];

    if (alcf->dpop_nonce && smcf->secrets == NULL) {
        ngx_http_sync_refuse(cf, ctx, "sync_auth dpop_nonce needs "
                             "sync_secret: nonces are derived from it");
        return NGX_ERROR;
    }

    if (ngx_http_sync_enabled_at(ctx, NGX_HTTP_SYNC_STEP_TENANT)) {
        return NGX_OK;
    }

    if (alcf->signature && alcf->signature->secrets.nelts == 0) {
        ngx_http_sync_refuse(cf, ctx, "sync_auth signature needs sync_tenant, "
                             "whose document has the secrets, or \"secret=\"");
        return NGX_ERROR;
    }

    if (alcf->proofs & NGX_HTTP_SYNC_AUTH_API_KEY) {
        ngx_http_sync_refuse(cf, ctx, "sync_auth api_key needs sync_tenant: "
                             "the keys stand in the tenant's document");
        return NGX_ERROR;
    }

    if ((alcf->proofs & NGX_HTTP_SYNC_AUTH_TOKEN)
        && amcf->issuers.nelts == 0)
    {
        ngx_http_sync_refuse(cf, ctx, "sync_auth token needs sync_tenant or "
                             "sync_issuer: nobody could have issued a token");
        return NGX_ERROR;
    }

    return NGX_OK;
}


/*
 * sync_auth off | [token] [api_key[=HEADER]] [certificate] [optional]
 *                 [typ=at+jwt]
 *                 [dpop=on|required] [dpop_age=TIME] [dpop_nonce=TIME]
 *                 [signature=PROFILE ...]
 */

char *
ngx_http_sync_auth(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_sync_auth_loc_conf_t  *alcf = conf;

    ngx_int_t    rc;
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

        } else if (ngx_strncmp(value[i].data, "dpop", 4) == 0) {

            if (ngx_http_sync_auth_dpop(cf, alcf, &value[i]) != NGX_OK) {
                return NGX_CONF_ERROR;
            }

            continue;

        } else if (ngx_strcmp(value[i].data, "off") == 0) {
            return "has \"off\" beside a proof";

        } else if (ngx_strcmp(value[i].data, "certificate") == 0) {
            bit = NGX_HTTP_SYNC_AUTH_CERTIFICATE;

        } else {
            rc = ngx_http_sync_signature_param(cf, &alcf->signature,
                                               &value[i]);

            if (rc == NGX_ERROR) {
                return NGX_CONF_ERROR;
            }

            if (rc == NGX_OK) {
                alcf->proofs |= NGX_HTTP_SYNC_AUTH_SIGNATURE;
                continue;
            }
        }

        if (bit == 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid \"%V\" of \"sync_auth\", known are "
                               "off, token, api_key, api_key=HEADER, certificate, "
                               "signature=PROFILE, optional, typ=at+jwt, "
                               "dpop=on, dpop=required, dpop_age=TIME, "
                               "dpop_nonce=TIME", &value[i]);
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
                          |NGX_HTTP_SYNC_AUTH_API_KEY
                          |NGX_HTTP_SYNC_AUTH_SIGNATURE
                          |NGX_HTTP_SYNC_AUTH_CERTIFICATE)))
    {
        return "needs \"token\", \"api_key\", \"certificate\" or "
               "\"signature=\": by themselves \"optional\" and \"typ\" "
               "prove nothing";
    }

    if (alcf->at_jwt && !(alcf->proofs & NGX_HTTP_SYNC_AUTH_TOKEN)) {
        return "has \"typ\" without \"token\"";
    }

    if (alcf->dpop != NGX_HTTP_SYNC_DPOP_OFF
        && !(alcf->proofs & NGX_HTTP_SYNC_AUTH_TOKEN))
    {
        return "has \"dpop\" without \"token\"";
    }

    if (alcf->dpop == NGX_HTTP_SYNC_DPOP_OFF
        && (alcf->dpop_nonce || alcf->dpop_age != NGX_HTTP_SYNC_DPOP_AGE))
    {
        return "has \"dpop_age\" or \"dpop_nonce\" without \"dpop\"";
    }

    if (alcf->signature) {
        return ngx_http_sync_signature_complete(alcf->signature);
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


static ngx_int_t
ngx_http_sync_auth_dpop(ngx_conf_t *cf, ngx_http_sync_auth_loc_conf_t *alcf,
    ngx_str_t *value)
{
    if (ngx_strcmp(value->data, "dpop=on") == 0) {
        alcf->dpop = NGX_HTTP_SYNC_DPOP_ON;
        return NGX_OK;
    }

    if (ngx_strcmp(value->data, "dpop=required") == 0) {
        alcf->dpop = NGX_HTTP_SYNC_DPOP_REQUIRED;
        return NGX_OK;
    }

    if (ngx_strncmp(value->data, "dpop_age=", 9) == 0) {
        return ngx_http_sync_auth_seconds(cf, value, 9, 1, 3600,
                                          &alcf->dpop_age);
    }

    if (ngx_strncmp(value->data, "dpop_nonce=", 11) == 0) {
        return ngx_http_sync_auth_seconds(cf, value, 11, 1, 86400,
                                          &alcf->dpop_nonce);
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid \"%V\" of \"sync_auth\", \"dpop=on\", "
                       "\"dpop=required\", \"dpop_age=60s\" and "
                       "\"dpop_nonce=60s\" are known", value);
    return NGX_ERROR;
}


static ngx_int_t
ngx_http_sync_auth_seconds(ngx_conf_t *cf, ngx_str_t *value, size_t name,
    time_t least, time_t most, time_t *seconds)
{
    ngx_str_t  s;

    s.data = value->data + name;
    s.len = value->len - name;

    *seconds = ngx_parse_time(&s, 1);

    if (*seconds == (time_t) NGX_ERROR || *seconds < least || *seconds > most)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid \"%V\" of \"sync_auth\", a time from "
                           "%T s to %T s is needed", value, least, most);
        return NGX_ERROR;
    }

    return NGX_OK;
}
