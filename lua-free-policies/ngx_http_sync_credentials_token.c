
/*
 * Tokens that are fetched for a connector: shared by all workers under a name
 * made of all that they were asked for with, so that another secret is another
 * token; renewed before their end, and once where a target says that one is
 * over.
 */


#include "ngx_http_sync_credentials.h"
#include "sync_body.h"


#define NGX_HTTP_SYNC_TOKEN_LEAD   12000    /* ms, more than a fetch takes */
#define NGX_HTTP_SYNC_TOKEN_FORCE  5000     /* ms between renewals that a
                                               target asks for */
#define NGX_HTTP_SYNC_TOKEN_LOST   1000     /* ms */


static ngx_int_t ngx_http_sync_token_make(ngx_http_sync_ctx_t *ctx,
    const sync_doc_credential_t *c, ngx_http_sync_token_t *token,
    ngx_http_sync_flight_t *flight);
static ngx_int_t ngx_http_sync_token_claims(ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_token_t *token);
static sync_rc_t ngx_http_sync_token_claim(void *data, sync_str_t name,
    sync_str_t *value);
static void ngx_http_sync_token_name(ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_token_t *token, ngx_http_sync_flight_t *flight);
static ngx_int_t ngx_http_sync_token_serve(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, ngx_http_sync_credentials_slot_t *slot,
    const ngx_http_sync_token_t *token, ngx_str_t *value);
static ngx_int_t ngx_http_sync_token_wait(ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_credentials_slot_t *slot);
static void ngx_http_sync_token_late(ngx_event_t *ev);
static ngx_int_t ngx_http_sync_token_refuse(ngx_http_sync_ctx_t *ctx,
    ngx_msec_t retry);
static ngx_uint_t ngx_http_sync_expired_enabled(ngx_http_request_t *r);
static ngx_int_t ngx_http_sync_expired_run(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);
static ngx_int_t ngx_http_sync_expired_renewed(ngx_http_request_t *r,
    ngx_http_sync_credentials_slot_t *slot);


const ngx_http_sync_step_t  ngx_http_sync_credentials_expired_step = {
    "credentials_expired",
    NGX_HTTP_SYNC_STAGE_RESPONSE,
    NGX_HTTP_SYNC_STEP_CREDENTIALS_EXPIRED,
    ngx_http_sync_expired_enabled,
    1,
    ngx_http_sync_expired_run,
    NULL,
    NULL,
    NULL
};


/* NGX_DECLINED: a secret cannot be used. */

ngx_int_t
ngx_http_sync_credentials_token(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, const sync_doc_credential_t *c)
{
    ngx_int_t                               rc;
    ngx_str_t                               value;
    ngx_http_sync_token_t                   token;
    ngx_http_sync_credentials_slot_t       *slot;
    ngx_http_sync_credentials_main_conf_t  *cmcf;

    ctx->route.verified = 1;

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_sync_credentials_module);
    slot = ngx_http_sync_credentials_slot(r, ctx);

    if (slot == NULL) {
        return NGX_ERROR;
    }

    ngx_http_sync_credentials_token_cancel(ctx);

    if (cmcf->fetch == NULL) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "credentials: nobody may be asked for a token, as "
                      "\"sync_egress\" lists nothing");
        return ngx_http_sync_token_refuse(ctx, 0);
    }

    if (slot->late) {
        return ngx_http_sync_token_refuse(ctx, 0);
    }

    rc = ngx_http_sync_token_make(ctx, c, &token, &slot->flight);

    if (rc != NGX_OK) {
        return rc;
    }

    switch (ngx_http_sync_flight_look(&slot->flight, 0, r->pool, &value)) {

    case NGX_HTTP_SYNC_FLIGHT_VALUE:

        if (slot->flight.refresh) {
            (void) ngx_http_sync_token_fetch(ctx, cmcf->fetch, &token,
                                             &slot->flight, 0);
        }

        rc = ngx_http_sync_token_serve(r, ctx, slot, &token, &value);
        break;

    case NGX_HTTP_SYNC_FLIGHT_LEAD:

        if (slot->led) {

            /* what it had asked for has given way already: once is enough */

            ngx_http_sync_flight_crash(&slot->flight, NGX_HTTP_SYNC_TOKEN_LOST);
            rc = ngx_http_sync_token_refuse(ctx, NGX_HTTP_SYNC_TOKEN_LOST);
            break;
        }

        slot->led = 1;

        rc = ngx_http_sync_token_fetch(ctx, cmcf->fetch, &token,
                                       &slot->flight, 1);

        rc = rc == NGX_OK ? ngx_http_sync_token_wait(ctx, slot)
                          : ngx_http_sync_token_refuse(ctx, 0);
        break;

    case NGX_HTTP_SYNC_FLIGHT_WAIT:
        rc = ngx_http_sync_token_wait(ctx, slot);
        break;

    case NGX_HTTP_SYNC_FLIGHT_FAILED:
        rc = ngx_http_sync_token_refuse(ctx, slot->flight.retry);
        break;

    default: /* NGX_HTTP_SYNC_FLIGHT_FULL */
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "credentials: no room for a token; a larger \"sync_zone "
                      "keys:SIZE\" has it");
        rc = ngx_http_sync_token_refuse(ctx, 0);
    }

    sync_wipe(token.seal, sizeof(token.seal));

    return rc;
}


static ngx_int_t
ngx_http_sync_token_make(ngx_http_sync_ctx_t *ctx,
    const sync_doc_credential_t *c, ngx_http_sync_token_t *token,
    ngx_http_sync_flight_t *flight)
{
    ngx_int_t  rc;

    token->c = c;
    token->claims = sync_str_null;

    if (ngx_http_sync_credentials_secret(ctx, c->id, &token->id) != NGX_OK
        || ngx_http_sync_credentials_secret(ctx, c->secret, &token->secret)
           != NGX_OK
        || ngx_http_sync_credentials_secret(ctx, c->key, &token->key) != NGX_OK
        || ngx_http_sync_credentials_secret(ctx, c->key_certificate,
                                            &token->key_certificate)
           != NGX_OK
        || ngx_http_sync_credentials_secret(ctx, c->certificate,
                                            &token->certificate)
           != NGX_OK
        || ngx_http_sync_credentials_secret(ctx, c->certificate_key,
                                            &token->certificate_key)
           != NGX_OK)
    {
        return NGX_DECLINED;
    }

    if (c->claims.len) {
        rc = ngx_http_sync_token_claims(ctx, token);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    ngx_http_sync_token_name(ctx, token, flight);

    return NGX_OK;
}


/* They were looked at when the document was loaded. */

static ngx_int_t
ngx_http_sync_token_claims(ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_token_t *token)
{
    sync_rc_t            rc;
    ngx_str_t            text;
    sync_json_t          json;
    sync_error_t         err;
    sync_json_limits_t   limits;
    sync_body_values_t   values;

    ngx_memzero(&limits, sizeof(sync_json_limits_t));
    ngx_memzero(&values, sizeof(sync_body_values_t));

    values.secret = ngx_http_sync_token_claim;
    values.data = ctx;

    if (sync_json_parse(&json, &ctx->arena, token->c->claims, &limits, &err)
        != SYNC_OK)
    {
        return NGX_ERROR;
    }

    rc = sync_body_render(&json, &values, &ctx->arena, 0, &token->claims,
                          &err);

    if (rc != SYNC_OK) {
        return rc == SYNC_NO ? NGX_DECLINED : NGX_ERROR;
    }

    text.data = token->claims.data;
    text.len = token->claims.len;

    return ngx_http_sync_credentials_wiped(ctx->request, &text);
}


static sync_rc_t
ngx_http_sync_token_claim(void *data, sync_str_t name, sync_str_t *value)
{
    ngx_http_sync_ctx_t *ctx = data;

    return ngx_http_sync_credentials_secret(ctx, name, value) == NGX_OK
           ? SYNC_OK : SYNC_NO;
}


/*
 * The flight's key and what seals its value: two digests of all that the token
 * is asked for with.  Who reads the zone learns neither secret nor token.
 */

static void
ngx_http_sync_token_name(ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_token_t *token, ngx_http_sync_flight_t *flight)
{
    size_t                         i;
    u_char                         digest[SYNC_SHA256_LEN];
    sync_sha256_t                  sha;
    const sync_doc_credential_t   *c = token->c;

    const sync_str_t  parts[] = {
        { ctx->tenant.id.len, ctx->tenant.id.data }, ctx->route.c.name, c->url,
        token->id, token->secret, token->key, token->key_certificate,
        token->certificate, token->certificate_key, token->claims, c->alg,
        c->kid, c->scope, c->audience, c->resource
    };

    sync_sha256_init(&sha);
    sync_sha256_update(&sha, "token", 5);
    sync_sha256_update(&sha, &c->kind, sizeof(c->kind));
    sync_sha256_update(&sha, &c->auth, sizeof(c->auth));

    for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        sync_sha256_update(&sha, &parts[i].len, sizeof(parts[i].len));
        sync_sha256_update(&sha, parts[i].data, parts[i].len);
    }

    sync_sha256_update(&sha, &c->lifetime_ms, sizeof(c->lifetime_ms));
    sync_sha256_final(&sha, digest);

    sync_sha256_init(&sha);
    sync_sha256_update(&sha, "name", 4);
    sync_sha256_update(&sha, digest, sizeof(digest));
    sync_sha256_final(&sha, flight->key);

    sync_sha256_init(&sha);
    sync_sha256_update(&sha, "seal", 4);
    sync_sha256_update(&sha, digest, sizeof(digest));
    sync_sha256_final(&sha, token->seal);

    sync_wipe(digest, sizeof(digest));

    flight->lead = NGX_HTTP_SYNC_TOKEN_LEAD;
}


static ngx_int_t
ngx_http_sync_token_serve(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_credentials_slot_t *slot,
    const ngx_http_sync_token_t *token, ngx_str_t *value)
{
    ngx_int_t   rc;
    sync_str_t  bearer;

    rc = ngx_http_sync_token_open(r, token, &slot->flight, value, &bearer);

    if (rc == NGX_DECLINED) {
        ngx_http_sync_flight_drop(&slot->flight, slot->flight.version);
        return ngx_http_sync_token_refuse(ctx, NGX_HTTP_SYNC_TOKEN_LOST);
    }

    if (rc != NGX_OK) {
        return NGX_ERROR;
    }

    slot->version = slot->flight.version;
    slot->renewing = 0;
    slot->led = 0;

    rc = ngx_http_sync_credentials_set(r, ctx, "Bearer", bearer);

    sync_wipe(bearer.data, bearer.len);

    return rc;
}


/* Until the flight has ended, and not beyond the deadline of the request. */

static ngx_int_t
ngx_http_sync_token_wait(ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_credentials_slot_t *slot)
{
    ngx_msec_t  left;

    if (ngx_http_sync_flight_wait(ctx, &slot->flight, &slot->wait) != NGX_OK) {
        return NGX_ERROR;
    }

    slot->ctx = ctx;
    slot->timer.handler = ngx_http_sync_token_late;
    slot->timer.data = slot;
    slot->timer.log = ctx->request->connection->log;

    left = ngx_http_sync_left(ctx);

    ngx_add_timer(&slot->timer, left ? left : 1);

    return NGX_AGAIN;
}


static void
ngx_http_sync_token_late(ngx_event_t *ev)
{
    ngx_http_sync_credentials_slot_t *slot = ev->data;

    ngx_http_sync_flight_unwait(slot->wait);
    slot->wait = NULL;
    slot->late = 1;

    ngx_http_sync_wake(slot->ctx);
}


/* What is under way goes on without the request. */

void
ngx_http_sync_credentials_token_cancel(ngx_http_sync_ctx_t *ctx)
{
    ngx_http_sync_credentials_slot_t  *slot;

    slot = ctx->slots[NGX_HTTP_SYNC_STEP_CREDENTIALS];

    if (slot == NULL) {
        return;
    }

    ngx_http_sync_flight_unwait(slot->wait);
    slot->wait = NULL;

    if (slot->timer.timer_set) {
        ngx_del_timer(&slot->timer);
    }
}


static ngx_int_t
ngx_http_sync_token_refuse(ngx_http_sync_ctx_t *ctx, ngx_msec_t retry)
{
    ctx->problem.retry_after = retry > 1000 ? (retry + 999) / 1000 : 1;

    return ngx_http_sync_problem(ctx, NGX_HTTP_SERVICE_UNAVAILABLE,
                                 "credentials-unavailable",
                                 "The connector cannot be asked now",
                                 NGX_HTTP_SYNC_TECHNICAL,
                                 "there is no token for it; nothing was sent");
}


/* A target that knows the token no more: 401, and it has executed nothing. */

static ngx_uint_t
ngx_http_sync_expired_enabled(ngx_http_request_t *r)
{
    ngx_http_sync_ctx_t               *ctx;
    ngx_http_sync_credentials_slot_t  *slot;

    ctx = ngx_http_sync_get_ctx(r);

    if (ctx == NULL || ctx->answer.received != NGX_HTTP_UNAUTHORIZED) {
        return 0;
    }

    slot = ctx->slots[NGX_HTTP_SYNC_STEP_CREDENTIALS];

    return slot != NULL && slot->version
           && ngx_http_sync_may_send_again(r, ctx,
                                      NGX_HTTP_SYNC_STEP_CREDENTIALS_EXPIRED);
}


/* Where there is no new token the 401 goes on as what it is. */

static ngx_int_t
ngx_http_sync_expired_run(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx)
{
    ngx_http_sync_flight_e                  found;
    sync_doc_credential_t                   c;
    ngx_http_sync_token_t                   token;
    ngx_http_sync_credentials_slot_t       *slot;
    ngx_http_sync_credentials_main_conf_t  *cmcf;

    slot = ctx->slots[NGX_HTTP_SYNC_STEP_CREDENTIALS];

    ngx_http_sync_credentials_token_cancel(ctx);

    if (slot->renewing) {
        return ngx_http_sync_expired_renewed(r, slot);
    }

    slot->renewing = 1;

    if (sync_doc_credential(ctx->tenant.doc, ctx->route.connector, &c)
        != SYNC_OK
        || ngx_http_sync_token_make(ctx, &c, &token, &slot->flight) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_sync_credentials_module);

    found = ngx_http_sync_flight_force(&slot->flight, slot->version,
                                       NGX_HTTP_SYNC_TOKEN_FORCE);

    if (found == NGX_HTTP_SYNC_FLIGHT_LEAD
        && ngx_http_sync_token_fetch(ctx, cmcf->fetch, &token, &slot->flight,
                                     1)
           == NGX_OK)
    {
        found = NGX_HTTP_SYNC_FLIGHT_WAIT;
    }

    sync_wipe(token.seal, sizeof(token.seal));

    if (found == NGX_HTTP_SYNC_FLIGHT_VALUE) {
        return NGX_HTTP_SYNC_SEND_AGAIN;
    }

    return found == NGX_HTTP_SYNC_FLIGHT_WAIT
           && ngx_http_sync_token_wait(ctx, slot) == NGX_AGAIN
           ? NGX_AGAIN : NGX_DECLINED;
}


/* The fetch has ended; whether with a token, a look says. */

static ngx_int_t
ngx_http_sync_expired_renewed(ngx_http_request_t *r,
    ngx_http_sync_credentials_slot_t *slot)
{
    ngx_str_t               value;
    ngx_http_sync_flight_e  found;

    if (slot->late) {
        return NGX_DECLINED;
    }

    found = ngx_http_sync_flight_look(&slot->flight, slot->version, r->pool,
                                      &value);

    if (found == NGX_HTTP_SYNC_FLIGHT_LEAD || slot->flight.refresh) {

        /* nobody asks here; who needs a token next does */

        ngx_http_sync_flight_crash(&slot->flight, 0);
    }

    return found == NGX_HTTP_SYNC_FLIGHT_VALUE
           && slot->flight.version != slot->version
           ? NGX_HTTP_SYNC_SEND_AGAIN : NGX_DECLINED;
}
