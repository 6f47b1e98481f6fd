
/*
 * Who is not let in learns why, and how he might be: the challenges of RFC
 * 6750, 3, RFC 9449, 7.1, and RFC 9728, 5.1, and the problems beside them.
 * All challenges of all steps are written here.
 */


#include "ngx_http_sync_auth.h"
#include "sync_dpop.h"


#define NGX_HTTP_SYNC_AUTH_CHALLENGE  1024


/* Which schemes a challenge names: those of tokens, and the others. */

#define NGX_HTTP_SYNC_AUTH_SAY_BEARER       0x01
#define NGX_HTTP_SYNC_AUTH_SAY_DPOP         0x02
#define NGX_HTTP_SYNC_AUTH_SAY_API_KEY      0x04
#define NGX_HTTP_SYNC_AUTH_SAY_SIGNATURE    0x08
#define NGX_HTTP_SYNC_AUTH_SAY_CERTIFICATE  0x10

#define NGX_HTTP_SYNC_AUTH_SAY_TOKEN                                          \
    (NGX_HTTP_SYNC_AUTH_SAY_BEARER|NGX_HTTP_SYNC_AUTH_SAY_DPOP)


/* And what is wrong with the one that was used. */

typedef struct {
    ngx_uint_t                   schemes;
    ngx_uint_t                   wrong;      /* one of them; 0: none */
    const char                  *error;
    const char                  *text;
    ngx_str_t                   *scope;
} ngx_http_sync_auth_say_t;


static ngx_uint_t ngx_http_sync_auth_taken(
    ngx_http_sync_auth_loc_conf_t *alcf);
static ngx_uint_t ngx_http_sync_auth_came(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);
static ngx_int_t ngx_http_sync_auth_say(ngx_http_request_t *r,
    ngx_http_sync_auth_say_t *say);
static u_char *ngx_http_sync_auth_scheme(u_char *p,
    ngx_http_sync_auth_say_t *say, ngx_uint_t scheme, const char *name,
    ngx_str_t *metadata);


/*
 * 401: RFC 9110, 11.6.1, wants a challenge.  403: it needs none, and says
 * something of tokens to those who came with one alone.
 */

ngx_int_t
ngx_http_sync_challenge(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_challenge_e what, ngx_str_t *scope)
{
    ngx_http_sync_auth_say_t        say;
    ngx_http_sync_auth_loc_conf_t  *alcf;

    alcf = ngx_http_get_module_loc_conf(r, ngx_http_sync_auth_module);

    ngx_memzero(&say, sizeof(ngx_http_sync_auth_say_t));

    if (what == NGX_HTTP_SYNC_CHALLENGE_SCOPE) {

        if (ctx->principal.proof != NGX_HTTP_SYNC_PROOF_TOKEN) {
            return NGX_OK;
        }

        say.schemes = ngx_http_sync_auth_came(r, ctx);
        say.wrong = say.schemes;
        say.error = "insufficient_scope";
        say.scope = scope;

        return ngx_http_sync_auth_say(r, &say);
    }

    say.schemes = ngx_http_sync_auth_taken(alcf);

    if (what == NGX_HTTP_SYNC_CHALLENGE_TOKEN
        && say.schemes & NGX_HTTP_SYNC_AUTH_SAY_TOKEN)
    {
        say.schemes &= NGX_HTTP_SYNC_AUTH_SAY_TOKEN;
    }

    return ngx_http_sync_auth_say(r, &say);
}


static ngx_uint_t
ngx_http_sync_auth_taken(ngx_http_sync_auth_loc_conf_t *alcf)
{
    ngx_uint_t  schemes;

    schemes = 0;

    if (alcf->proofs & NGX_HTTP_SYNC_AUTH_TOKEN) {

        if (alcf->dpop != NGX_HTTP_SYNC_DPOP_REQUIRED) {
            schemes |= NGX_HTTP_SYNC_AUTH_SAY_BEARER;
        }

        if (alcf->dpop != NGX_HTTP_SYNC_DPOP_OFF) {
            schemes |= NGX_HTTP_SYNC_AUTH_SAY_DPOP;
        }
    }

    if (alcf->proofs & NGX_HTTP_SYNC_AUTH_API_KEY) {
        schemes |= NGX_HTTP_SYNC_AUTH_SAY_API_KEY;
    }

    if (alcf->signature != NULL) {
        schemes |= NGX_HTTP_SYNC_AUTH_SAY_SIGNATURE;
    }

    if (alcf->proofs & NGX_HTTP_SYNC_AUTH_CERTIFICATE) {
        schemes |= NGX_HTTP_SYNC_AUTH_SAY_CERTIFICATE;
    }

    return schemes;
}


/* The scheme of the token that came, or of the only one that could. */

static ngx_uint_t
ngx_http_sync_auth_came(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx)
{
    ngx_http_sync_auth_loc_conf_t  *alcf;

    alcf = ngx_http_get_module_loc_conf(r, ngx_http_sync_auth_module);

    return ctx->principal.dpop || alcf->dpop == NGX_HTTP_SYNC_DPOP_REQUIRED
           ? NGX_HTTP_SYNC_AUTH_SAY_DPOP : NGX_HTTP_SYNC_AUTH_SAY_BEARER;
}


/* Metadata speak of tokens, so the schemes of tokens name them. */

static ngx_int_t
ngx_http_sync_auth_say(ngx_http_request_t *r, ngx_http_sync_auth_say_t *say)
{
    u_char     *p;
    ngx_str_t   value, metadata;

    ngx_str_null(&metadata);

    if (say->schemes & NGX_HTTP_SYNC_AUTH_SAY_TOKEN
        && ngx_http_sync_metadata_url(r, &metadata) != NGX_OK)
    {
        return NGX_ERROR;
    }

    value.data = ngx_pnalloc(r->pool, NGX_HTTP_SYNC_AUTH_CHALLENGE
                                      + 2 * metadata.len
                                      + (say->scope != NULL ? say->scope->len
                                                            : 0));
    if (value.data == NULL) {
        return NGX_ERROR;
    }

    value.len = 0;
    p = value.data;

    p = ngx_http_sync_auth_scheme(p, say, NGX_HTTP_SYNC_AUTH_SAY_BEARER,
                                  "Bearer", &metadata);
    p = ngx_http_sync_auth_scheme(p, say, NGX_HTTP_SYNC_AUTH_SAY_DPOP,
                                  "DPoP", &metadata);
    p = ngx_http_sync_auth_scheme(p, say, NGX_HTTP_SYNC_AUTH_SAY_API_KEY,
                                  "ApiKey", NULL);
    p = ngx_http_sync_auth_scheme(p, say, NGX_HTTP_SYNC_AUTH_SAY_SIGNATURE,
                                  "Signature", NULL);
    p = ngx_http_sync_auth_scheme(p, say, NGX_HTTP_SYNC_AUTH_SAY_CERTIFICATE,
                                  "Certificate", NULL);

    if (p == value.data) {
        return NGX_OK;
    }

    /* each one has left what stands between it and the next */

    value.len = p - value.data - (sizeof(", ") - 1);

    return ngx_http_sync_authenticate(r, &value);
}


static u_char *
ngx_http_sync_auth_scheme(u_char *p, ngx_http_sync_auth_say_t *say,
    ngx_uint_t scheme, const char *name, ngx_str_t *metadata)
{
    if (!(say->schemes & scheme)) {
        return p;
    }

    p = ngx_sprintf(p, "%s realm=\"sync\"", name);

    if (say->wrong == scheme) {

        if (say->error != NULL) {
            p = ngx_sprintf(p, ", error=\"%s\"", say->error);
        }

        if (say->text != NULL) {
            p = ngx_sprintf(p, ", error_description=\"%s\"", say->text);
        }

        if (say->scope != NULL) {
            p = ngx_sprintf(p, ", scope=\"%V\"", say->scope);
        }
    }

    if (metadata != NULL && metadata->len) {
        p = ngx_sprintf(p, ", resource_metadata=\"%V\"", metadata);
    }

    if (scheme == NGX_HTTP_SYNC_AUTH_SAY_DPOP) {
        p = ngx_cpymem(p, ", algs=\"" SYNC_DPOP_ALGS "\"",
                       sizeof(", algs=\"" SYNC_DPOP_ALGS "\"") - 1);
    }

    *p++ = ',';
    *p++ = ' ';

    return p;
}


/*
 * Beside a token that was refused stand all schemes of tokens: one that is
 * bound to a key and came as Bearer learns how it would pass.  After another
 * proof that one alone, after nothing (or a certificate, which a connection
 * has for whatever it sends) all that is taken.
 */

ngx_int_t
ngx_http_sync_auth_refuse(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_refusal_t *refusal)
{
    ngx_http_sync_auth_say_t        say;
    ngx_http_sync_auth_loc_conf_t  *alcf;

    alcf = ngx_http_get_module_loc_conf(r, ngx_http_sync_auth_module);

    ngx_memzero(&say, sizeof(ngx_http_sync_auth_say_t));

    say.schemes = ngx_http_sync_auth_taken(alcf);
    say.error = refusal->error;
    say.text = refusal->text;

    switch (refusal->scheme) {

    case NGX_HTTP_SYNC_SCHEME_BEARER:
        say.schemes &= NGX_HTTP_SYNC_AUTH_SAY_TOKEN;
        say.wrong = ngx_http_sync_auth_came(r, ctx);
        break;

    case NGX_HTTP_SYNC_SCHEME_DPOP:
        say.schemes = NGX_HTTP_SYNC_AUTH_SAY_DPOP;
        say.wrong = say.schemes;
        break;

    case NGX_HTTP_SYNC_SCHEME_API_KEY:
        say.schemes = NGX_HTTP_SYNC_AUTH_SAY_API_KEY;
        break;

    case NGX_HTTP_SYNC_SCHEME_SIGNATURE:
        say.schemes = NGX_HTTP_SYNC_AUTH_SAY_SIGNATURE;
        break;

    default: /* NGX_HTTP_SYNC_SCHEME_NONE */
        break;
    }

    if (ngx_http_sync_auth_say(r, &say) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_sync_problem(ctx, NGX_HTTP_UNAUTHORIZED,
                                 refusal->problem, refusal->title,
                                 NGX_HTTP_SYNC_TECHNICAL, "%s",
                                 refusal->text != NULL
                                     ? refusal->text
                                     : "the token is not valid here");
}


/* RFC 6750, 3.1: invalid_request; where no token came it says nothing. */

ngx_int_t
ngx_http_sync_auth_malformed(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    const char *what, ngx_uint_t token)
{
    ngx_http_sync_auth_say_t  say;

    ngx_memzero(&say, sizeof(ngx_http_sync_auth_say_t));

    if (token) {
        say.schemes = ngx_http_sync_auth_came(r, ctx);
        say.wrong = say.schemes;
        say.error = "invalid_request";
    }

    if (ngx_http_sync_auth_say(r, &say) != NGX_OK) {
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
    if (ngx_http_sync_challenge(r, ctx, NGX_HTTP_SYNC_CHALLENGE_PROOF, NULL)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_sync_problem(ctx, NGX_HTTP_UNAUTHORIZED,
                                 "unauthenticated", "A proof is needed",
                                 NGX_HTTP_SYNC_TECHNICAL,
                                 "this request needs a proof of who sends "
                                 "it, one of those that WWW-Authenticate "
                                 "names");
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
