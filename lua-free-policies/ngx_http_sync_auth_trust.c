
/*
 * Whom a token is checked against: the tenant's own issuers, then those of the
 * platform; their keys; and the client that the tenant's document names.
 */


#include "ngx_http_sync_auth_jwks.h"


ngx_int_t
ngx_http_sync_auth_trust(ngx_http_request_t *r, ngx_http_sync_tenant_t *t,
    sync_str_t issuer, ngx_http_sync_trust_t *trust)
{
    uint32_t                         i, n;
    const sync_doc_t                *doc;
    sync_doc_issuer_t                di;
    ngx_http_sync_issuer_t          *platform;
    ngx_http_sync_auth_main_conf_t  *amcf;

    doc = t != NULL ? ngx_http_sync_tenant_doc(t) : NULL;
    n = doc != NULL ? sync_doc_issuers(doc) : 0;

    for (i = 0; i < n; i++) {
        if (sync_doc_issuer_at(doc, i, &di) == SYNC_OK
            && sync_str_eq(di.issuer, issuer))
        {
            return ngx_http_sync_auth_trust_at(r, t, i, trust);
        }
    }

    amcf = ngx_http_get_module_main_conf(r, ngx_http_sync_auth_module);
    platform = amcf->issuers.elts;

    for (i = 0; i < amcf->issuers.nelts; i++) {
        if (sync_str_eq(platform[i].issuer, issuer)) {
            return ngx_http_sync_auth_trust_at(r, t,
                                    i | NGX_HTTP_SYNC_AUTH_PLATFORM, trust);
        }
    }

    return NGX_DECLINED;
}


ngx_int_t
ngx_http_sync_auth_trust_at(ngx_http_request_t *r, ngx_http_sync_tenant_t *t,
    uint32_t index, ngx_http_sync_trust_t *trust)
{
    uint32_t                         i;
    sync_str_t                      *audience;
    const sync_doc_t                *doc;
    sync_doc_issuer_t                di;
    ngx_http_sync_issuer_t          *platform;
    ngx_http_sync_auth_main_conf_t  *amcf;

    trust->index = index;
    trust->tenant = t;
    trust->foreign = 0;
    trust->told = 0;

    if (index & NGX_HTTP_SYNC_AUTH_PLATFORM) {

        amcf = ngx_http_get_module_main_conf(r, ngx_http_sync_auth_module);
        index &= ~NGX_HTTP_SYNC_AUTH_PLATFORM;

        if (index >= amcf->issuers.nelts) {
            return NGX_DECLINED;
        }

        platform = (ngx_http_sync_issuer_t *) amcf->issuers.elts + index;

        trust->generation = amcf->generation;
        trust->issuer = platform->issuer;
        trust->url = platform->url;
        trust->fetched = platform->keys == NULL && !platform->keyless;
        trust->keyless = platform->keyless;
        trust->names = platform->names;
        trust->at_jwt = platform->at_jwt;
        trust->naudience = platform->audience.nelts;

        audience = platform->audience.elts;

        for (i = 0; i < platform->audience.nelts; i++) {
            trust->audience[i] = audience[i];
        }

        return NGX_OK;
    }

    doc = t != NULL ? ngx_http_sync_tenant_doc(t) : NULL;

    if (doc == NULL || sync_doc_issuer_at(doc, index, &di) != SYNC_OK) {
        return NGX_DECLINED;
    }

    trust->generation = ngx_http_sync_tenant_generation(t);
    trust->issuer = di.issuer;
    trust->url = di.kind == SYNC_JWKS_URL ? di.jwks : sync_str_null;
    trust->fetched = di.kind == SYNC_JWKS_URL || di.kind == SYNC_JWKS_DISCOVER;
    trust->keyless = di.kind == SYNC_JWKS_NONE;
    trust->names.client = di.client_claim;
    trust->names.tenant = di.tenant_claim;
    trust->names.scope = di.scope_claim;
    trust->names.plan = di.plan_claim;
    trust->at_jwt = 0;
    trust->naudience = ngx_min(di.audience.n, NGX_HTTP_SYNC_AUTH_AUDIENCES);

    for (i = 0; i < trust->naudience; i++) {
        trust->audience[i] = sync_doc_item(doc, di.audience, i);
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_sync_auth_keys(ngx_http_sync_ctx_t *ctx, ngx_http_sync_trust_t *trust,
    ngx_http_sync_auth_slot_t *slot, sync_jwks_t **keys, uint64_t *version)
{
    ngx_http_sync_issuer_t          *platform;
    ngx_http_sync_auth_main_conf_t  *amcf;

    if (trust->fetched) {
        return ngx_http_sync_jwks_get(ctx, trust, slot, keys, version);
    }

    *version = 0;

    if (trust->keyless) {
        return NGX_DECLINED;
    }

    if (trust->index & NGX_HTTP_SYNC_AUTH_PLATFORM) {
        amcf = ngx_http_get_module_main_conf(ctx->request,
                                             ngx_http_sync_auth_module);
        platform = amcf->issuers.elts;

        *keys = platform[trust->index & ~NGX_HTTP_SYNC_AUTH_PLATFORM].keys;

    } else {
        *keys = ngx_http_sync_tenant_keyset(trust->tenant, trust->index,
                                            ctx->request->connection->log);
    }

    return *keys != NULL ? NGX_OK : NGX_DECLINED;
}


uint32_t
ngx_http_sync_auth_client(const sync_doc_t *doc, sync_str_t id)
{
    int                cmp;
    uint32_t           low, high, middle;
    sync_doc_client_t  client;

    low = 0;
    high = sync_doc_clients(doc);

    while (low < high) {
        middle = low + (high - low) / 2;

        if (sync_doc_client_at(doc, middle, &client) != SYNC_OK) {
            break;
        }

        cmp = ngx_memcmp(id.data, client.id.data,
                         ngx_min(id.len, client.id.len));

        if (cmp == 0 && id.len == client.id.len) {
            return middle;
        }

        if (cmp < 0 || (cmp == 0 && id.len < client.id.len)) {
            high = middle;

        } else {
            low = middle + 1;
        }
    }

    return SYNC_DOC_NONE;
}
