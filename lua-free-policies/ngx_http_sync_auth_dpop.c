
/*
 * Tokens that are bound (RFC 7800) need the proof of what they are bound to:
 * of a key by DPoP (RFC 9449), of a certificate by TLS (RFC 8705).  A proof counts once: the store has seen its
 * id, for as long as it could be used again.
 *
 * A nonce is the keyed digest of a stretch of time, so that no node has to
 * remember which ones it gave away; a proof with the nonce of this stretch,
 * the last or the next (clocks of nodes differ) is fresh.
 */


#include "ngx_http_sync_auth.h"
#include "ngx_http_sync_edge.h"
#include "sync_crypto.h"
#include "sync_dpop.h"


#define NGX_HTTP_SYNC_DPOP_NONCE   18    /* bytes, 24 as text */
#define NGX_HTTP_SYNC_DPOP_NONCES  3     /* stretches of time that count */

#define ngx_http_sync_dpop_nonce_len                                          \
    sync_base64_room(NGX_HTTP_SYNC_DPOP_NONCE)


/*
 * What is asked of the store.  It is kept for the request: where an internal
 * redirect leads to another location, the proof is not taken for a replay of
 * itself.
 */

typedef struct {
    ngx_sync_store_t            *store;
    ngx_sync_op_t                op;
    ngx_sync_seen_t              seen;
    u_char                       key[sizeof("dpop:") - 1
                                     + SYNC_THUMBPRINT_LEN];
    ngx_str_t                    proof;      /* that was verified, */
    ngx_http_sync_auth_loc_conf_t  *conf;    /* and where */
    unsigned                     asked:1;
    unsigned                     told:1;     /* the nonce */
} ngx_http_sync_dpop_slot_t;


static ngx_int_t ngx_http_sync_bound_certificate(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);
static ngx_int_t ngx_http_sync_dpop_proof(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, ngx_str_t *token);
static ngx_int_t ngx_http_sync_dpop_verify(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, ngx_str_t *proof, ngx_str_t *token,
    sync_dpop_t *dpop);
static ngx_int_t ngx_http_sync_dpop_fresh(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, ngx_http_sync_dpop_slot_t *slot,
    sync_dpop_t *dpop);
static ngx_int_t ngx_http_sync_dpop_nonce(ngx_http_request_t *r,
    ngx_uint_t generation, int64_t stretch,
    u_char nonce[ngx_http_sync_dpop_nonce_len]);
static ngx_int_t ngx_http_sync_dpop_nonce_header(ngx_http_request_t *r,
    ngx_http_sync_dpop_slot_t *slot);
static ngx_int_t ngx_http_sync_dpop_ask(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, ngx_http_sync_dpop_slot_t *slot,
    sync_dpop_t *dpop);
static ngx_int_t ngx_http_sync_dpop_once(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, ngx_http_sync_dpop_slot_t *slot);
static void ngx_http_sync_dpop_name(ngx_http_sync_ctx_t *ctx,
    sync_dpop_t *dpop, u_char *key);
static ngx_int_t ngx_http_sync_dpop_unavailable(ngx_http_sync_ctx_t *ctx);
static ngx_int_t ngx_http_sync_dpop_refuse(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, const char *error, const char *text);


ngx_int_t
ngx_http_sync_auth_bound(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    ngx_str_t *token)
{
    ngx_int_t                   rc;
    ngx_http_sync_principal_t  *pr;

    pr = &ctx->principal;

    if (!pr->bound) {
        return pr->dpop ? ngx_http_sync_auth_reject(r, ctx, "unbound")
                        : NGX_OK;
    }

    /* to what we know nothing of, or as Bearer where it is to a key */

    if ((pr->jkt.len == 0 && pr->x5t.len == 0)
        || (pr->jkt.len != 0 && !pr->dpop))
    {
        return ngx_http_sync_auth_reject(r, ctx, "unproven");
    }

    if (pr->jkt.len == 0 && pr->dpop) {
        return ngx_http_sync_auth_reject(r, ctx, "unbound");
    }

    if (pr->x5t.len) {
        rc = ngx_http_sync_bound_certificate(r, ctx);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    if (pr->jkt.len) {
        rc = ngx_http_sync_dpop_proof(r, ctx, token);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    pr->proof = NGX_HTTP_SYNC_PROOF_TOKEN;

    return NGX_OK;
}


static ngx_int_t
ngx_http_sync_bound_certificate(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx)
{
    u_char      print[SYNC_CERT_PRINT_LEN];
    ngx_int_t   rc;
    ngx_str_t  *x5t;

    rc = ngx_http_sync_client_certificate(r, print);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (rc == NGX_DECLINED) {
        return ngx_http_sync_auth_reject(r, ctx, "no-certificate");
    }

    x5t = &ctx->principal.x5t;

    if (rc == NGX_ABORT || x5t->len != sizeof(print)
        || ngx_memcmp(x5t->data, print, sizeof(print)) != 0)
    {
        return ngx_http_sync_auth_reject(r, ctx, "certificate");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_sync_dpop_proof(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    ngx_str_t *token)
{
    ngx_int_t                       rc;
    ngx_uint_t                      lines;
    sync_dpop_t                     dpop;
    ngx_table_elt_t                *h;
    ngx_http_sync_dpop_slot_t      *slot;
    ngx_http_sync_auth_loc_conf_t  *alcf;

    static ngx_str_t  name = ngx_string("dpop");

    alcf = ngx_http_get_module_loc_conf(r, ngx_http_sync_auth_module);
    slot = ctx->slots[NGX_HTTP_SYNC_STEP_ADMIT];

    if (slot == NULL) {
        slot = ngx_pcalloc(r->pool, sizeof(ngx_http_sync_dpop_slot_t));
        if (slot == NULL) {
            return NGX_ERROR;
        }

        ctx->slots[NGX_HTTP_SYNC_STEP_ADMIT] = slot;
    }

    h = ngx_http_sync_header_in(r, &name, &lines);

    if (h == NULL) {
        return ngx_http_sync_dpop_refuse(r, ctx, "invalid_dpop_proof",
                                         "the proof is missing");
    }

    if (lines != 1) {
        return ngx_http_sync_dpop_refuse(r, ctx, "invalid_dpop_proof",
                                         "there is more than one proof");
    }

    /* the store was asked, and the step is entered again */

    if (slot->asked && slot->conf == alcf
        && slot->proof.data == h->value.data)
    {
        return ngx_http_sync_dpop_once(r, ctx, slot);
    }

    rc = ngx_http_sync_dpop_verify(r, ctx, &h->value, token, &dpop);

    if (rc == NGX_OK) {
        rc = ngx_http_sync_dpop_fresh(r, ctx, slot, &dpop);
    }

    if (rc != NGX_OK) {
        return rc;
    }

    slot->conf = alcf;
    slot->proof = h->value;

    return ngx_http_sync_dpop_ask(r, ctx, slot, &dpop);
}


static ngx_int_t
ngx_http_sync_dpop_verify(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    ngx_str_t *proof, ngx_str_t *token, sync_dpop_t *dpop)
{
    ngx_int_t                       rc;
    sync_rc_t                       said;
    ngx_str_t                       url;
    ngx_uint_t                      i;
    sync_str_t                      text;
    sync_error_t                    err;
    sync_dpop_policy_t              policy;
    ngx_http_sync_auth_loc_conf_t  *alcf;

    static const struct {
        const char  *what;
        const char  *text;
    } reasons[] = {
        { "htm", "the proof is for another method" },
        { "htu", "the proof is for another URL" },
        { "ath", "the proof is for another token" },
        { "iat", "the proof is too old or from the future" },
        { NULL, "the proof is not valid" }
    };

    alcf = ngx_http_get_module_loc_conf(r, ngx_http_sync_auth_module);

    rc = ngx_http_sync_public_url(r, NULL, &url);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (rc == NGX_DECLINED) {
        return ngx_http_sync_dpop_refuse(r, ctx, "invalid_dpop_proof",
                                         "the proof is for another URL");
    }

    policy.method.len = r->method_name.len;
    policy.method.data = r->method_name.data;
    policy.url.len = url.len;
    policy.url.data = url.data;
    policy.token.len = token->len;
    policy.token.data = token->data;
    policy.now = ngx_time();
    policy.age = alcf->dpop_age;
    policy.leeway = NGX_HTTP_SYNC_AUTH_LEEWAY;

    text.len = proof->len;
    text.data = proof->data;

    said = sync_dpop_verify(dpop, &ctx->arena, text, &policy, &err);

    if (said == SYNC_FAULT) {
        return NGX_ERROR;
    }

    if (said == SYNC_NO) {
        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                      "auth: proof of a key refused, %s", err.what);

        for (i = 0; reasons[i].what != NULL; i++) {
            if (ngx_strcmp(reasons[i].what, err.what) == 0) {
                break;
            }
        }

        return ngx_http_sync_dpop_refuse(r, ctx, "invalid_dpop_proof",
                                         reasons[i].text);
    }

    if (ctx->principal.jkt.len != SYNC_THUMBPRINT_LEN
        || ngx_memcmp(ctx->principal.jkt.data, dpop->jkt, SYNC_THUMBPRINT_LEN)
           != 0)
    {
        return ngx_http_sync_dpop_refuse(r, ctx, "invalid_dpop_proof",
                                         "the proof is by another key than "
                                         "that of the token");
    }

    return NGX_OK;
}


/* RFC 9449, 9: whoever has another nonce than the current one is told it. */

static ngx_int_t
ngx_http_sync_dpop_fresh(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_dpop_slot_t *slot, sync_dpop_t *dpop)
{
    u_char                          nonce[ngx_http_sync_dpop_nonce_len];
    ngx_int_t                       rc;
    ngx_uint_t                      i, generation;
    sync_str_t                      want;
    ngx_http_sync_auth_loc_conf_t  *alcf;

    /* of this stretch first: it is the common case */

    static const int  stretches[NGX_HTTP_SYNC_DPOP_NONCES] = { 0, -1, 1 };

    alcf = ngx_http_get_module_loc_conf(r, ngx_http_sync_auth_module);

    if (alcf->dpop_nonce == 0) {
        return NGX_OK;
    }

    want.len = sizeof(nonce);
    want.data = nonce;

    for (generation = 0; generation < NGX_HTTP_SYNC_SECRETS; generation++) {

        for (i = 0; i < NGX_HTTP_SYNC_DPOP_NONCES; i++) {

            rc = ngx_http_sync_dpop_nonce(r, generation, ngx_time()
                                                         / alcf->dpop_nonce
                                                         + stretches[i],
                                          nonce);
            if (rc == NGX_ERROR) {
                return NGX_ERROR;
            }

            if (rc == NGX_DECLINED) {
                break;
            }

            if (!sync_secret_eq(want, dpop->nonce)) {
                continue;
            }

            return generation == 0 && i == 0
                   ? NGX_OK : ngx_http_sync_dpop_nonce_header(r, slot);
        }
    }

    if (ngx_http_sync_dpop_nonce_header(r, slot) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_sync_dpop_refuse(r, ctx, "use_dpop_nonce",
                                     "the proof needs the nonce that is "
                                     "given here");
}


/* NGX_DECLINED: there is no such generation of the secret. */

static ngx_int_t
ngx_http_sync_dpop_nonce(ngx_http_request_t *r, ngx_uint_t generation,
    int64_t stretch, u_char nonce[ngx_http_sync_dpop_nonce_len])
{
    u_char                          key[SYNC_SHA256_LEN];
    u_char                          mac[SYNC_SHA256_LEN];
    int64_t                         what[2];
    ngx_int_t                       rc;
    ngx_http_sync_main_conf_t      *smcf;
    ngx_http_sync_auth_loc_conf_t  *alcf;

    smcf = ngx_http_get_module_main_conf(r, ngx_http_sync_module);
    alcf = ngx_http_get_module_loc_conf(r, ngx_http_sync_auth_module);

    rc = ngx_http_sync_derive(smcf, generation, "dpop-nonce", key,
                              sizeof(key));
    if (rc != NGX_OK) {
        return rc;
    }

    what[0] = stretch;
    what[1] = alcf->dpop_nonce;

    sync_hmac(key, sizeof(key), what, sizeof(what), mac);
    sync_wipe(key, sizeof(key));

    (void) sync_base64url_encode(nonce, mac, NGX_HTTP_SYNC_DPOP_NONCE);

    return NGX_OK;
}


static ngx_int_t
ngx_http_sync_dpop_nonce_header(ngx_http_request_t *r,
    ngx_http_sync_dpop_slot_t *slot)
{
    ngx_str_t                       value;
    ngx_http_sync_auth_loc_conf_t  *alcf;

    static ngx_str_t  name = ngx_string("DPoP-Nonce");
    static ngx_str_t  cache = ngx_string("Cache-Control");
    static ngx_str_t  no_store = ngx_string("no-store");

    alcf = ngx_http_get_module_loc_conf(r, ngx_http_sync_auth_module);

    if (slot->told) {
        return NGX_OK;
    }

    slot->told = 1;

    value.len = ngx_http_sync_dpop_nonce_len;
    value.data = ngx_pnalloc(r->pool, value.len);

    if (value.data == NULL
        || ngx_http_sync_dpop_nonce(r, 0, ngx_time() / alcf->dpop_nonce,
                                    value.data)
           != NGX_OK
        || ngx_http_sync_add_header(r, &name, &value) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_sync_add_header(r, &cache, &no_store);
}


static ngx_int_t
ngx_http_sync_dpop_ask(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_dpop_slot_t *slot, sync_dpop_t *dpop)
{
    u_char                           key[sizeof(slot->key)];
    ngx_http_sync_auth_main_conf_t  *amcf;

    ngx_http_sync_dpop_name(ctx, dpop, key);

    if (slot->asked && ngx_memcmp(slot->key, key, sizeof(key)) == 0) {
        return ngx_http_sync_dpop_once(r, ctx, slot);
    }

    amcf = ngx_http_get_module_main_conf(r, ngx_http_sync_auth_module);

    ngx_memcpy(slot->key, key, sizeof(key));

    slot->asked = 1;
    slot->store = amcf->seen;
    slot->seen.key.len = sizeof(slot->key);
    slot->seen.key.data = slot->key;

    /* as long as it would pass, and a second for its fraction */

    slot->seen.ttl = 1000 * (dpop->issued + slot->conf->dpop_age
                             + NGX_HTTP_SYNC_AUTH_LEEWAY + 1 - ngx_time());

    ngx_http_sync_op_init(ctx, &slot->op);

    if (slot->store->ops->seen(slot->store, &slot->op, &slot->seen)
        == NGX_AGAIN)
    {
        return NGX_AGAIN;
    }

    return ngx_http_sync_dpop_once(r, ctx, slot);
}


static ngx_int_t
ngx_http_sync_dpop_once(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_dpop_slot_t *slot)
{
    if (slot->op.cell != NULL) {
        return NGX_AGAIN;
    }

    if (slot->op.result == NGX_SYNC_STORE_OK) {
        return NGX_OK;
    }

    if (slot->op.result == NGX_SYNC_STORE_NO) {
        return ngx_http_sync_dpop_refuse(r, ctx, "invalid_dpop_proof",
                                         "the proof was used before");
    }

    slot->asked = 0;

    return ngx_http_sync_dpop_unavailable(ctx);
}


/* Of this tenant and this key: the ids of others are none of its business. */

static void
ngx_http_sync_dpop_name(ngx_http_sync_ctx_t *ctx, sync_dpop_t *dpop,
    u_char *key)
{
    u_char         digest[SYNC_SHA256_LEN];
    uint64_t       len;
    sync_sha256_t  sha;

    len = ctx->tenant.id.len;

    sync_sha256_init(&sha);
    sync_sha256_update(&sha, &len, sizeof(len));
    sync_sha256_update(&sha, ctx->tenant.id.data, ctx->tenant.id.len);
    sync_sha256_update(&sha, dpop->jkt, SYNC_THUMBPRINT_LEN);
    sync_sha256_update(&sha, dpop->jti.data, dpop->jti.len);
    sync_sha256_final(&sha, digest);

    key = ngx_cpymem(key, "dpop:", sizeof("dpop:") - 1);
    (void) sync_base64url_encode(key, digest, sizeof(digest));
}


/* Nobody knows whether it came before: that is no 401. */

static ngx_int_t
ngx_http_sync_dpop_unavailable(ngx_http_sync_ctx_t *ctx)
{
    ngx_int_t  rc;

    rc = ngx_http_sync_problem(ctx, NGX_HTTP_SERVICE_UNAVAILABLE,
                               "store-unavailable",
                               "The store does not answer",
                               NGX_HTTP_SYNC_TECHNICAL,
                               "nobody knows whether this proof was used "
                               "before; repeat the request with a new one");

    ctx->problem.retry_after = 1;

    return rc;
}


static ngx_int_t
ngx_http_sync_dpop_refuse(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    const char *error, const char *text)
{
    ngx_http_sync_refusal_t  refusal;

    ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                  "auth: %s, tenant \"%V\"", text, &ctx->tenant.name);

    refusal.scheme = NGX_HTTP_SYNC_SCHEME_DPOP;
    refusal.error = error;
    refusal.text = text;
    refusal.problem = "invalid-proof";
    refusal.title = "The proof of the key is not valid";

    return ngx_http_sync_auth_refuse(r, ctx, &refusal);
}


void
ngx_http_sync_auth_bound_cancel(ngx_http_sync_ctx_t *ctx)
{
    ngx_http_sync_dpop_slot_t  *slot;

    slot = ctx->slots[NGX_HTTP_SYNC_STEP_ADMIT];

    if (slot != NULL && slot->store != NULL) {
        ngx_sync_store_cancel(slot->store, &slot->op);
    }
}
