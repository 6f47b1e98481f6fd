
/*
 * Tokens (RFC 6750, 7519, 9068; RFC 8725 for the care).  The tenant's own
 * issuers vouch first, then those of the platform.  A token that another
 * tenant's issuer has signed proves that tenant: the admit step refuses it,
 * and knows that it is foreign and not forged.
 */


#include "ngx_http_sync_auth_jwks.h"


#define NGX_HTTP_SYNC_AUTH_TTL       3600    /* seconds in the cache */
#define NGX_HTTP_SYNC_AUTH_FOREIGN   4       /* other tenants asked */
#define NGX_HTTP_SYNC_AUTH_RETRY     5       /* seconds */


static ngx_int_t ngx_http_sync_auth_known(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, ngx_http_sync_token_key_t *key,
    ngx_http_sync_trust_t *trust, ngx_http_sync_proven_t *proven);
static ngx_int_t ngx_http_sync_auth_verify(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, ngx_http_sync_token_key_t *key,
    ngx_http_sync_trust_t *trust, ngx_http_sync_proven_t *proven);
static ngx_uint_t ngx_http_sync_auth_b64token(ngx_str_t *token);
static ngx_int_t ngx_http_sync_auth_signed(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, sync_jws_t *jws, ngx_http_sync_trust_t *trust,
    uint64_t *version);
static ngx_int_t ngx_http_sync_auth_claims(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, sync_jws_t *jws, ngx_http_sync_trust_t *trust,
    ngx_http_sync_proven_t *proven);
static ngx_int_t ngx_http_sync_auth_parse(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, ngx_str_t *token, sync_jws_t *jws,
    sync_str_t *issuer, const char **what);
static ngx_int_t ngx_http_sync_auth_foreign(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, sync_jws_t *jws, sync_str_t issuer,
    ngx_http_sync_trust_t *trust, ngx_http_sync_proven_t *proven);
static void ngx_http_sync_auth_keep(ngx_http_request_t *r,
    ngx_http_sync_token_key_t *key, ngx_http_sync_proven_t *proven);
static sync_rc_t ngx_http_sync_auth_check(ngx_http_request_t *r,
    ngx_http_sync_trust_t *trust, sync_jwt_t *jwt, sync_error_t *err);
static ngx_uint_t ngx_http_sync_auth_typ(sync_str_t typ);
static ngx_int_t ngx_http_sync_auth_principal(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, ngx_http_sync_proven_t *proven);
static u_char *ngx_http_sync_auth_copy(u_char *p, ngx_str_t *dst,
    sync_str_t src);
static ngx_int_t ngx_http_sync_auth_gone(ngx_http_sync_ctx_t *ctx,
    ngx_uint_t retry);


/*
 * Is it known, or else whose is it, by which keys; is it in force; whom does
 * it name.  What is waited for on the way is begun again from the top when it
 * has come: what was found out by then is in one of the caches.
 */

ngx_int_t
ngx_http_sync_auth_token(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    ngx_str_t *token)
{
    ngx_int_t                        rc;
    ngx_uint_t                       known;
    sync_error_t                     err;
    ngx_http_sync_trust_t            trust;
    ngx_http_sync_proven_t           proven;
    ngx_http_sync_token_key_t        key;
    ngx_http_sync_auth_main_conf_t  *amcf;

    amcf = ngx_http_get_module_main_conf(r, ngx_http_sync_auth_module);

    key.tenant = ctx->tenant.id;
    key.generation = ctx->tenant.entry != NULL
                     ? ngx_http_sync_tenant_generation(ctx->tenant.entry) : 0;
    key.platform = amcf->generation;
    key.token = *token;
    key.hashed = 0;

    known = 1;
    rc = ngx_http_sync_auth_known(r, ctx, &key, &trust, &proven);

    if (rc == NGX_DECLINED) {
        known = 0;
        rc = ngx_http_sync_auth_verify(r, ctx, &key, &trust, &proven);
    }

    if (rc != NGX_OK) {
        return rc;
    }

    /* the cache holds claims: what they are worth is asked each time */

    trust.told = proven.until != 0;

    if (ngx_http_sync_auth_check(r, &trust, &proven.jwt, &err) != SYNC_OK) {
        return ngx_http_sync_auth_reject(r, ctx, err.what);
    }

    if (!known && !trust.foreign) {
        ngx_http_sync_auth_keep(r, &key, &proven);
    }

    return ngx_http_sync_auth_principal(r, ctx, &proven);
}


static ngx_int_t
ngx_http_sync_auth_known(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_token_key_t *key, ngx_http_sync_trust_t *trust,
    ngx_http_sync_proven_t *proven)
{
    ngx_http_sync_auth_main_conf_t  *amcf;

    amcf = ngx_http_get_module_main_conf(r, ngx_http_sync_auth_module);

    if (ngx_http_sync_token_find(r, amcf->store, key, proven) != NGX_OK) {
        return NGX_DECLINED;
    }

    /* what its issuer has said of it serves for a while */

    if (proven->until && proven->until <= ngx_time()) {
        return NGX_DECLINED;
    }

    if (ngx_http_sync_auth_trust_at(r, ctx->tenant.entry, proven->issuer,
                                    trust)
        != NGX_OK)
    {
        return NGX_DECLINED;
    }

    /* a key that its issuer has withdrawn has proven nothing */

    if (trust->fetched && proven->until == 0
        && !ngx_http_sync_jwks_same(ctx, trust, proven->keys))
    {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


/* NGX_OK: proven by a key of its issuer.  Its claims are to be checked. */

static ngx_int_t
ngx_http_sync_auth_verify(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_token_key_t *key, ngx_http_sync_trust_t *trust,
    ngx_http_sync_proven_t *proven)
{
    ngx_int_t    parsed;
    sync_jws_t   jws;
    sync_str_t   issuer;
    const char  *what;

    proven->keys = 0;
    proven->until = 0;

    parsed = ngx_http_sync_auth_parse(r, ctx, &key->token, &jws, &issuer,
                                      &what);

    if (parsed == NGX_DECLINED) {

        /* it does not say whose it is: an issuer may know */

        parsed = ngx_http_sync_auth_introspect(r, ctx, key, SYNC_DOC_NONE,
                                               trust, proven);

        if (parsed == NGX_DECLINED) {
            return ngx_http_sync_auth_reject(r, ctx, what);
        }

    } else if (parsed != NGX_OK) {
        return parsed;

    } else if (ngx_http_sync_auth_trust(r, ctx->tenant.entry, issuer, trust)
               != NGX_OK)
    {
        return ngx_http_sync_auth_foreign(r, ctx, &jws, issuer, trust, proven);

    } else if (trust->keyless) {
        parsed = ngx_http_sync_auth_introspect(r, ctx, key, trust->index,
                                               trust, proven);

    } else {
        parsed = ngx_http_sync_auth_signed(r, ctx, &jws, trust,
                                           &proven->keys);

        if (parsed == NGX_OK) {
            parsed = ngx_http_sync_auth_claims(r, ctx, &jws, trust, proven);
        }
    }

    if (parsed != NGX_OK) {
        return parsed;
    }

    if (trust->names.tenant.len) {

        if (proven->jwt.tenant.len == 0) {
            return ngx_http_sync_auth_reject(r, ctx, "missing-claim");
        }

    } else {
        proven->jwt.tenant = sync_doc_id(ctx->tenant.doc);
    }

    proven->issuer = trust->index;
    proven->client = ctx->tenant.doc != NULL
                     ? ngx_http_sync_auth_client(ctx->tenant.doc,
                                                 proven->jwt.client)
                     : SYNC_DOC_NONE;

    return NGX_OK;
}


/*
 * NGX_OK: a key of the issuer has signed it, of the set with this version.
 * Keys that were fetched may be outdated: then others are asked for, once.
 */

static ngx_int_t
ngx_http_sync_auth_signed(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    sync_jws_t *jws, ngx_http_sync_trust_t *trust, uint64_t *version)
{
    sync_rc_t                   rc;
    ngx_int_t                   got;
    sync_str_t                  kid;
    sync_jwks_t                *keys;
    sync_error_t                err;
    ngx_http_sync_auth_slot_t  *slot;

    slot = ngx_http_sync_auth_slot(ctx);

    if (slot == NULL) {
        return NGX_ERROR;
    }

    do {
        got = ngx_http_sync_auth_keys(ctx, trust, slot, &keys, version);

        if (got == NGX_DECLINED) {
            return ngx_http_sync_auth_gone(ctx, slot->retry);
        }

        if (got != NGX_OK) {
            return got;
        }

        rc = sync_jws_verify(jws, keys, &err);

        if (rc == SYNC_OK) {
            return NGX_OK;
        }

        if (rc == SYNC_FAULT) {
            return NGX_ERROR;
        }

        kid = ngx_strcmp(err.what, "unknown-key") == 0 ? jws->kid
                                                       : sync_str_null;

        if (!trust->fetched
            || (kid.len == 0 && ngx_strcmp(err.what, "bad-signature") != 0))
        {
            return ngx_http_sync_auth_reject(r, ctx, err.what);
        }

        got = ngx_http_sync_jwks_wanting(ctx, trust, slot, kid);

    } while (got == NGX_OK);

    /*
     * A set that serves is good enough to say that its key did not sign: whose
     * kid is not in it, or who names none, may have a key that it lacks.
     */

    if (got == NGX_DECLINED
        || (got == NGX_BUSY && kid.len == 0 && jws->kid.len))
    {
        return ngx_http_sync_auth_reject(r, ctx, err.what);
    }

    return got == NGX_BUSY ? ngx_http_sync_auth_gone(ctx, slot->retry) : got;
}


static ngx_int_t
ngx_http_sync_auth_claims(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    sync_jws_t *jws, ngx_http_sync_trust_t *trust,
    ngx_http_sync_proven_t *proven)
{
    sync_rc_t     rc;
    sync_error_t  err;

    rc = sync_jwt_read(&proven->jwt, &ctx->arena, jws, &trust->names, &err);

    if (rc == SYNC_FAULT) {
        return NGX_ERROR;
    }

    return rc == SYNC_OK ? NGX_OK
                         : ngx_http_sync_auth_reject(r, ctx, err.what);
}


/*
 * Nothing is proven yet: the issuer is who it says it comes from.
 * NGX_DECLINED: it does not say, *what is why; it may be one that only its
 * issuer can read.
 */

static ngx_int_t
ngx_http_sync_auth_parse(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    ngx_str_t *token, sync_jws_t *jws, sync_str_t *issuer, const char **what)
{
    sync_rc_t     rc;
    sync_str_t    s;
    sync_error_t  err;

    s.len = token->len;
    s.data = token->data;

    rc = sync_jws_parse(jws, &ctx->arena, s, &err);

    if (rc == SYNC_OK) {
        rc = sync_jwt_issuer(issuer, &ctx->arena, jws, &err);
    }

    if (rc == SYNC_FAULT) {
        return NGX_ERROR;
    }

    if (rc == SYNC_NO) {

        *what = err.what;

        /* what can be taken apart is one, as what is in the cache has been */

        if (!ngx_http_sync_auth_b64token(token)) {
            return ngx_http_sync_auth_malformed(r, ctx,
                                                "what follows the scheme is no "
                                                "token", 1);
        }

        return ngx_strcmp(err.what, "malformed") == 0
               || ngx_strcmp(err.what, "encrypted") == 0
               ? NGX_DECLINED : ngx_http_sync_auth_reject(r, ctx, err.what);
    }

    if (issuer->len == 0) {
        *what = "missing-claim";
        return NGX_DECLINED;
    }

    return NGX_OK;
}


static void
ngx_http_sync_auth_keep(ngx_http_request_t *r, ngx_http_sync_token_key_t *key,
    ngx_http_sync_proven_t *proven)
{
    int64_t                          ttl;
    ngx_http_sync_auth_main_conf_t  *amcf;

    ttl = proven->jwt.expires + NGX_HTTP_SYNC_AUTH_LEEWAY - ngx_time();
    ttl = ngx_max(1, ngx_min(ttl, NGX_HTTP_SYNC_AUTH_TTL));

    if (proven->until) {
        ttl = ngx_min(ttl, proven->until - ngx_time());

        if (ttl <= 0) {
            return;
        }
    }

    amcf = ngx_http_get_module_main_conf(r, ngx_http_sync_auth_module);

    ngx_http_sync_token_keep(r, amcf->store, key, proven, ttl * 1000);
}


/* RFC 6750, 2.1; that what is in it is a JWT is for others to see. */

static ngx_uint_t
ngx_http_sync_auth_b64token(ngx_str_t *token)
{
    u_char  *p, *last;

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

    p = token->data;
    last = p + token->len;

    while (p < last && b64token[*p >> 5] & (1U << (*p & 0x1f))) {
        p++;
    }

    if (p != token->data) {
        while (p < last && *p == '=') {
            p++;
        }
    }

    return token->len && p == last;
}


static sync_rc_t
ngx_http_sync_auth_check(ngx_http_request_t *r, ngx_http_sync_trust_t *trust,
    sync_jwt_t *jwt, sync_error_t *err)
{
    sync_jwt_policy_t               policy;
    ngx_http_sync_auth_loc_conf_t  *alcf;

    if (!ngx_http_sync_auth_typ(jwt->typ)) {
        return sync_refuse(err, "typ", SYNC_NOWHERE, "not an access token");
    }

    alcf = ngx_http_get_module_loc_conf(r, ngx_http_sync_auth_module);

    policy.issuer = trust->issuer;
    policy.audience = trust->audience;
    policy.naudience = trust->naudience;
    policy.now = ngx_time();
    policy.leeway = NGX_HTTP_SYNC_AUTH_LEEWAY;
    policy.at_jwt = (trust->at_jwt || alcf->at_jwt) && !trust->told;
    policy.proven = 1;      /* see ngx_http_sync_auth_bound() */

    return sync_jwt_check(jwt, &policy, err);
}


/*
 * An issuer signs more than access tokens with the same keys: logout tokens,
 * security events.  What says that it is one of those is none of ours (RFC
 * 8725, 3.11 and 3.12).
 */

static ngx_uint_t
ngx_http_sync_auth_typ(sync_str_t typ)
{
    if (typ.len > 12
        && ngx_strncasecmp(typ.data, (u_char *) "application/", 12) == 0)
    {
        typ.data += 12;
        typ.len -= 12;
    }

    return typ.len == 0
           || (typ.len == 3
               && ngx_strncasecmp(typ.data, (u_char *) "JWT", 3) == 0)
           || (typ.len == 6
               && ngx_strncasecmp(typ.data, (u_char *) "at+jwt", 6) == 0);
}


/*
 * No issuer that counts here.  Where it is another tenant's and did sign the
 * token, the proof is good, of that other tenant; else the token is worth
 * nothing.  Only a verified token learns the difference.
 */

static ngx_int_t
ngx_http_sync_auth_foreign(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    sync_jws_t *jws, sync_str_t issuer, ngx_http_sync_trust_t *trust,
    ngx_http_sync_proven_t *proven)
{
    ngx_str_t                iss;
    ngx_uint_t               i;
    sync_jwks_t             *keys;
    sync_error_t             err;
    ngx_http_sync_tenant_t  *t;

    iss.len = issuer.len;
    iss.data = issuer.data;

    for (i = 0;
         ctx->tenant.doc != NULL && i < NGX_HTTP_SYNC_AUTH_FOREIGN;
         i++)
    {
        if (ngx_http_sync_tenant_by_issuer(r, &iss, i, &t) != NGX_OK) {
            break;
        }

        if (ngx_http_sync_auth_trust(r, t, issuer, trust) != NGX_OK
            || trust->index & NGX_HTTP_SYNC_AUTH_PLATFORM
            || ngx_http_sync_auth_keys(ctx, trust, NULL, &keys,
                                       &proven->keys)
               != NGX_OK
            || sync_jws_verify(jws, keys, &err) != SYNC_OK
            || sync_jwt_read(&proven->jwt, &ctx->arena, jws, &trust->names,
                             &err)
               != SYNC_OK
            || ngx_http_sync_auth_check(r, trust, &proven->jwt, &err)
               != SYNC_OK)
        {
            continue;
        }

        /* whatever it claims: here it is nobody's but that tenant's */

        trust->foreign = 1;

        proven->jwt.tenant = sync_doc_id(ngx_http_sync_tenant_doc(t));
        proven->issuer = trust->index;
        proven->client = SYNC_DOC_NONE;

        return NGX_OK;
    }

    return ngx_http_sync_auth_reject(r, ctx, "wrong-issuer");
}


static ngx_int_t
ngx_http_sync_auth_principal(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_proven_t *proven)
{
    u_char                     *p;
    sync_jwt_t                 *jwt;
    ngx_http_sync_principal_t  *pr;

    jwt = &proven->jwt;
    pr = &ctx->principal;

    if (ngx_http_sync_auth_revoked(r, ctx, proven)) {
        return ngx_http_sync_auth_reject(r, ctx, "revoked");
    }

    p = ngx_pnalloc(r->pool, jwt->issuer.len + jwt->client.len
                             + jwt->subject.len + jwt->scope.len
                             + jwt->tenant.len + jwt->plan.len
                             + jwt->payload.len + jwt->jkt.len
                             + jwt->x5t.len + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    p = ngx_http_sync_auth_copy(p, &pr->issuer, jwt->issuer);
    p = ngx_http_sync_auth_copy(p, &pr->client, jwt->client);
    p = ngx_http_sync_auth_copy(p, &pr->subject, jwt->subject);
    p = ngx_http_sync_auth_copy(p, &pr->scope, jwt->scope);
    p = ngx_http_sync_auth_copy(p, &pr->tenant, jwt->tenant);
    p = ngx_http_sync_auth_copy(p, &pr->plan, jwt->plan);
    p = ngx_http_sync_auth_copy(p, &pr->claims, jwt->payload);

    pr->index = proven->client;

    if (jwt->bound) {

        /* it proves nothing by itself */

        pr->bound = 1;
        p = ngx_http_sync_auth_copy(p, &pr->jkt, jwt->jkt);
        (void) ngx_http_sync_auth_copy(p, &pr->x5t, jwt->x5t);

        return NGX_OK;
    }

    pr->proof = NGX_HTTP_SYNC_PROOF_TOKEN;

    return NGX_OK;
}


static u_char *
ngx_http_sync_auth_copy(u_char *p, ngx_str_t *dst, sync_str_t src)
{
    dst->len = src.len;
    dst->data = p;

    return ngx_cpymem(p, src.data, src.len);
}


/* Nobody can say whether the token is good: that is no 401. */

static ngx_int_t
ngx_http_sync_auth_gone(ngx_http_sync_ctx_t *ctx, ngx_uint_t retry)
{
    ngx_int_t  rc;

    rc = ngx_http_sync_problem(ctx, NGX_HTTP_SERVICE_UNAVAILABLE,
                               "issuer-unavailable",
                               "The keys of the issuer are not at hand",
                               NGX_HTTP_SYNC_TECHNICAL,
                               "the token cannot be verified now");

    ctx->problem.retry_after = retry ? retry : NGX_HTTP_SYNC_AUTH_RETRY;

    return rc;
}
