
/*
 * Who is not let in learns why, and how he might be: the challenges of RFC
 * 6750, 3, and RFC 9449, 7.1, and the problems beside them.
 */


#include "ngx_http_sync_auth.h"
#include "sync_dpop.h"


#define NGX_HTTP_SYNC_AUTH_CHALLENGE  1024


static u_char *ngx_http_sync_auth_scheme(u_char *p, u_char *first,
    const char *scheme, ngx_http_sync_refusal_t *refusal,
    ngx_str_t *metadata);


/*
 * The scheme that was used says what is wrong with it; the others of this
 * place stand beside it as they do where nobody has shown anything.
 */

ngx_int_t
ngx_http_sync_auth_challenge(ngx_http_request_t *r,
    ngx_http_sync_refusal_t *refusal)
{
    u_char                         *p;
    ngx_str_t                       value, metadata;
    ngx_uint_t                      dpop, token;
    ngx_http_sync_auth_loc_conf_t  *alcf;

    alcf = ngx_http_get_module_loc_conf(r, ngx_http_sync_auth_module);

    token = alcf->proofs & NGX_HTTP_SYNC_AUTH_TOKEN;
    dpop = token && alcf->dpop != NGX_HTTP_SYNC_DPOP_OFF;

    if (ngx_http_sync_metadata_url(r, &metadata) != NGX_OK) {
        return NGX_ERROR;
    }

    value.data = ngx_pnalloc(r->pool, NGX_HTTP_SYNC_AUTH_CHALLENGE
                                      + 2 * metadata.len);
    if (value.data == NULL) {
        return NGX_ERROR;
    }

    p = value.data;

    if (token && alcf->dpop != NGX_HTTP_SYNC_DPOP_REQUIRED
        && refusal->scheme != NGX_HTTP_SYNC_SCHEME_DPOP)
    {
        p = ngx_http_sync_auth_scheme(p, value.data, "Bearer",
                                      refusal->scheme ? refusal : NULL,
                                      &metadata);
    }

    if (dpop) {
        p = ngx_http_sync_auth_scheme(p, value.data, "DPoP",
                                 refusal->scheme == NGX_HTTP_SYNC_SCHEME_DPOP
                                 || alcf->dpop == NGX_HTTP_SYNC_DPOP_REQUIRED
                                     ? refusal : NULL, &metadata);
        p = ngx_cpymem(p, ", algs=\"" SYNC_DPOP_ALGS "\"",
                       sizeof(", algs=\"" SYNC_DPOP_ALGS "\"") - 1);
    }

    if (refusal->scheme == NGX_HTTP_SYNC_SCHEME_NONE
        && alcf->proofs & NGX_HTTP_SYNC_AUTH_API_KEY)
    {
        p = ngx_http_sync_auth_scheme(p, value.data, "ApiKey", NULL, NULL);
    }

    if (refusal->scheme == NGX_HTTP_SYNC_SCHEME_NONE && alcf->signature) {
        p = ngx_http_sync_auth_scheme(p, value.data, "Signature", NULL, NULL);
    }

    if (refusal->scheme == NGX_HTTP_SYNC_SCHEME_NONE
        && alcf->proofs & NGX_HTTP_SYNC_AUTH_CERTIFICATE)
    {
        p = ngx_http_sync_auth_scheme(p, value.data, "Certificate", NULL, NULL);
    }

    value.len = p - value.data;

    return ngx_http_sync_challenge(r, &value);
}


static u_char *
ngx_http_sync_auth_scheme(u_char *p, u_char *first, const char *scheme,
    ngx_http_sync_refusal_t *refusal, ngx_str_t *metadata)
{
    if (p != first) {
        *p++ = ',';
        *p++ = ' ';
    }

    p = ngx_sprintf(p, "%s realm=\"sync\"", scheme);

    if (refusal != NULL && refusal->error != NULL) {
        p = ngx_sprintf(p, ", error=\"%s\"", refusal->error);
    }

    if (refusal != NULL && refusal->text != NULL) {
        p = ngx_sprintf(p, ", error_description=\"%s\"", refusal->text);
    }

    if (metadata != NULL && metadata->len) {
        p = ngx_sprintf(p, ", resource_metadata=\"%V\"", metadata);
    }

    return p;
}


ngx_int_t
ngx_http_sync_auth_refuse(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_refusal_t *refusal)
{
    if (ngx_http_sync_auth_challenge(r, refusal) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_sync_problem(ctx, NGX_HTTP_UNAUTHORIZED,
                                 refusal->problem, refusal->title,
                                 NGX_HTTP_SYNC_TECHNICAL, "%s",
                                 refusal->text != NULL
                                     ? refusal->text
                                     : "the token is not valid here");
}


ngx_int_t
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


ngx_int_t
ngx_http_sync_auth_missing(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx)
{
    ngx_http_sync_refusal_t         refusal;
    ngx_http_sync_auth_loc_conf_t  *alcf;

    alcf = ngx_http_get_module_loc_conf(r, ngx_http_sync_auth_module);

    ngx_memzero(&refusal, sizeof(ngx_http_sync_refusal_t));

    if (ngx_http_sync_auth_challenge(r, &refusal) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_sync_problem(ctx, NGX_HTTP_UNAUTHORIZED,
                                 "unauthenticated", "A proof is needed",
                                 NGX_HTTP_SYNC_TECHNICAL,
                                 "this request needs a proof of who sends "
                                 "it: %s",
                                 alcf->signature ? "a token, an API key or a "
                                                   "signature, as this place "
                                                   "takes them"
                                                 : "a token or an API key");
}


/* Of the reasons only those are told that an honest client can act upon. */

ngx_int_t
ngx_http_sync_auth_reject(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    const char *what)
{
    ngx_uint_t               i;
    ngx_http_sync_refusal_t  refusal;

    static const struct {
        const char  *what;
        const char  *text;
    } reasons[] = {
        { "expired", "the token has expired" },
        { "not-yet-valid", "the token is not valid yet" },
        { "revoked", "the token was revoked" },
        { "unproven", "the token is bound to a key and comes without proof" },
        { "unbound", "the token is not bound to a key" },
        { "no-certificate", "the token is bound to a certificate and comes "
                            "without it" },
        { "certificate", "the token is bound to another certificate" },
        { NULL, NULL }
    };

    ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                  "auth: token refused, %s, tenant \"%V\"", what,
                  &ctx->tenant.name);

    for (i = 0; reasons[i].what != NULL; i++) {
        if (ngx_strcmp(reasons[i].what, what) == 0) {
            break;
        }
    }

    refusal.scheme = ctx->principal.dpop ? NGX_HTTP_SYNC_SCHEME_DPOP
                                         : NGX_HTTP_SYNC_SCHEME_BEARER;
    refusal.error = "invalid_token";
    refusal.text = reasons[i].text;
    refusal.problem = "invalid-token";
    refusal.title = "The token is not valid";

    return ngx_http_sync_auth_refuse(r, ctx, &refusal);
}
