
/*
 * A token, asked for and told to all who wait: RFC 6749 4.4, RFC 7523 2.1 and
 * 2.2.  It belongs to no request, and what goes wrong is the operator's to
 * read, without a word of what was asked or answered.
 */


#include "ngx_http_sync_credentials.h"
#include "sync_jose_sign.h"


#define NGX_HTTP_SYNC_TOKEN_BODY     (64 * 1024)

#define NGX_HTTP_SYNC_TOKEN_GONE     5000   /* ms: nobody was reached */
#define NGX_HTTP_SYNC_TOKEN_REFUSED  30000  /* ms: it does not know us */
#define NGX_HTTP_SYNC_TOKEN_PAUSE    60000  /* ms at most that it may ask for */
#define NGX_HTTP_SYNC_TOKEN_SPENT    1000

#define NGX_HTTP_SYNC_TOKEN_MARGIN   30000  /* ms before its end, at most, a
                                               token serves no more */

/* Requests to one server, for all tenants; and for one tenant to all. */

#define NGX_HTTP_SYNC_TOKEN_HOST_RATE     600
#define NGX_HTTP_SYNC_TOKEN_HOST_BURST    200
#define NGX_HTTP_SYNC_TOKEN_TENANT_RATE   60
#define NGX_HTTP_SYNC_TOKEN_TENANT_BURST  30


/* In the pool of its fetch. */

typedef struct {
    ngx_http_sync_flight_t   flight;
    sync_arena_t             arena;
    u_char                   seal[SYNC_AEAD_KEY_LEN];
    int64_t                  unsaid;     /* ms */
    ngx_msec_t               began;
    ngx_str_t                tenant;     /* names, for logs */
    ngx_str_t                connector;
} ngx_http_sync_token_fetch_t;


static ngx_int_t ngx_http_sync_token_budget(ngx_http_sync_ctx_t *ctx,
    const ngx_http_sync_token_t *token);
static ngx_int_t ngx_http_sync_token_ask(ngx_sync_fetch_t *f,
    ngx_http_sync_token_fetch_t *tf, const ngx_http_sync_token_t *token);
static ngx_int_t ngx_http_sync_token_client(ngx_sync_fetch_t *f,
    ngx_http_sync_token_fetch_t *tf, const ngx_http_sync_token_t *token,
    sync_text_t *body);
static ngx_int_t ngx_http_sync_token_basic(ngx_sync_fetch_t *f,
    ngx_http_sync_token_fetch_t *tf, const ngx_http_sync_token_t *token);
static ngx_int_t ngx_http_sync_token_assertion(
    ngx_http_sync_token_fetch_t *tf, const ngx_http_sync_token_t *token,
    sync_str_t *assertion);
static void ngx_http_sync_token_done(ngx_sync_fetch_t *f);
static ngx_msec_t ngx_http_sync_token_failed(ngx_sync_fetch_t *f,
    ngx_http_sync_token_fetch_t *tf);
static ngx_msec_t ngx_http_sync_token_landed(ngx_sync_fetch_t *f,
    ngx_http_sync_token_fetch_t *tf);
static ngx_int_t ngx_http_sync_token_seal(ngx_sync_fetch_t *f,
    ngx_http_sync_token_fetch_t *tf, sync_str_t token, ngx_str_t *value);
static void *ngx_http_sync_token_alloc(sync_arena_t *arena, size_t size);
static ngx_int_t ngx_http_sync_token_dup(ngx_pool_t *pool, ngx_str_t *dst,
    u_char *data, size_t len);


ngx_int_t
ngx_http_sync_token_fetch(ngx_http_sync_ctx_t *ctx,
    ngx_sync_fetch_conf_t *conf, const ngx_http_sync_token_t *token,
    const ngx_http_sync_flight_t *flight, ngx_uint_t vital)
{
    ngx_int_t                     rc;
    sync_str_t                    name;
    ngx_sync_fetch_t             *f;
    ngx_http_sync_flight_t        own;
    ngx_http_sync_token_fetch_t  *tf;

    own = *flight;

    if (ngx_http_sync_token_budget(ctx, token) != NGX_OK) {
        ngx_http_sync_flight_crash(&own, NGX_HTTP_SYNC_TOKEN_SPENT);
        return NGX_DECLINED;
    }

    f = ngx_sync_fetch_create(conf, ngx_cycle->log);

    if (f == NULL) {
        ngx_http_sync_flight_crash(&own, 0);
        return NGX_DECLINED;
    }

    rc = NGX_ERROR;
    name = ctx->route.c.name;

    tf = ngx_pcalloc(f->pool, sizeof(ngx_http_sync_token_fetch_t));

    if (tf != NULL
        && ngx_http_sync_token_dup(f->pool, &tf->tenant,
                                   ctx->tenant.name.data, ctx->tenant.name.len)
           == NGX_OK
        && ngx_http_sync_token_dup(f->pool, &tf->connector, name.data,
                                   name.len)
           == NGX_OK)
    {
        tf->flight = own;
        tf->arena.alloc = ngx_http_sync_token_alloc;
        tf->arena.data = f->pool;
        tf->began = ngx_current_msec;
        tf->unsaid = token->c->lifetime_ms ? (int64_t) token->c->lifetime_ms
                                           : SYNC_TOKEN_UNSAID;

        ngx_memcpy(tf->seal, token->seal, sizeof(tf->seal));

        rc = ngx_http_sync_token_ask(f, tf, token);
    }

    if (rc != NGX_OK) {
        ngx_sync_fetch_free(f);
        ngx_http_sync_flight_crash(&own, rc == NGX_DECLINED
                                         ? NGX_HTTP_SYNC_TOKEN_GONE : 0);
        return NGX_DECLINED;
    }

    f->handler = ngx_http_sync_token_done;
    f->data = tf;
    f->vital = vital;

    ngx_sync_fetch_start(f);

    return NGX_OK;
}


static ngx_int_t
ngx_http_sync_token_budget(ngx_http_sync_ctx_t *ctx,
    const ngx_http_sync_token_t *token)
{
    u_char         key[SYNC_SHA256_LEN];
    sync_url_t     url;
    sync_error_t   err;
    sync_sha256_t  sha;

    sync_sha256_init(&sha);
    sync_sha256_update(&sha, "token tenant ", 13);
    sync_sha256_update(&sha, ctx->tenant.id.data, ctx->tenant.id.len);
    sync_sha256_final(&sha, key);

    if (ngx_http_sync_flight_budget(key, NGX_HTTP_SYNC_TOKEN_TENANT_RATE,
                                    NGX_HTTP_SYNC_TOKEN_TENANT_BURST)
        != NGX_OK)
    {
        ngx_log_error(NGX_LOG_WARN, ctx->request->connection->log, 0,
                      "credentials: tenant \"%V\" has asked for more tokens "
                      "than %d a minute", &ctx->tenant.name,
                      NGX_HTTP_SYNC_TOKEN_TENANT_RATE);
        return NGX_DECLINED;
    }

    if (sync_url_parse(&url, token->c->url, &err) != SYNC_OK) {
        return NGX_DECLINED;
    }

    sync_sha256_init(&sha);
    sync_sha256_update(&sha, "token host ", 11);
    sync_sha256_update(&sha, url.authority.data, url.authority.len);
    sync_sha256_final(&sha, key);

    if (ngx_http_sync_flight_budget(key, NGX_HTTP_SYNC_TOKEN_HOST_RATE,
                                    NGX_HTTP_SYNC_TOKEN_HOST_BURST)
        != NGX_OK)
    {
        ngx_log_error(NGX_LOG_WARN, ctx->request->connection->log, 0,
                      "credentials: a token server was asked more often than "
                      "%d times a minute, by all tenants",
                      NGX_HTTP_SYNC_TOKEN_HOST_RATE);
        return NGX_DECLINED;
    }

    return NGX_OK;
}


/* NGX_DECLINED: it cannot be signed (logged). */

static ngx_int_t
ngx_http_sync_token_ask(ngx_sync_fetch_t *f, ngx_http_sync_token_fetch_t *tf,
    const ngx_http_sync_token_t *token)
{
    ngx_int_t                     rc;
    ngx_str_t                     type, accept;
    sync_str_t                    text;
    sync_text_t                   body;
    const sync_doc_credential_t  *c;

    c = token->c;

    ngx_str_set(&f->method, "POST");
    ngx_str_set(&type, "application/x-www-form-urlencoded");
    ngx_str_set(&accept, "application/json");

    if (ngx_http_sync_token_dup(f->pool, &f->url, c->url.data, c->url.len)
        != NGX_OK
        || ngx_http_sync_token_dup(f->pool, &f->certificate,
                                   token->certificate.data,
                                   token->certificate.len)
           != NGX_OK
        || ngx_http_sync_token_dup(f->pool, &f->certificate_key,
                                   token->certificate_key.data,
                                   token->certificate_key.len)
           != NGX_OK
        || ngx_sync_fetch_header(f, "Content-Type", &type) != NGX_OK
        || ngx_sync_fetch_header(f, "Accept", &accept) != NGX_OK)
    {
        return NGX_ERROR;
    }

    sync_text_begin(&body, &tf->arena, 1024, NGX_HTTP_SYNC_TOKEN_BODY);

    rc = ngx_http_sync_token_client(f, tf, token, &body);
    if (rc != NGX_OK) {
        return rc;
    }

    if (c->scope.len) {
        sync_percent_member(&body, "scope", c->scope);
    }

    if (c->audience.len) {
        sync_percent_member(&body, "audience", c->audience);
    }

    if (c->resource.len) {
        sync_percent_member(&body, "resource", c->resource);
    }

    if (sync_text_end(&body, &text) != SYNC_OK) {
        return NGX_ERROR;
    }

    f->body.data = text.data;
    f->body.len = text.len;

    return NGX_OK;
}


static ngx_int_t
ngx_http_sync_token_client(ngx_sync_fetch_t *f,
    ngx_http_sync_token_fetch_t *tf, const ngx_http_sync_token_t *token,
    sync_text_t *body)
{
    ngx_int_t                     rc;
    sync_str_t                    assertion;
    const sync_doc_credential_t  *c;

    c = token->c;

    if (c->kind != SYNC_CREDENTIALS_CLIENT) {
        rc = ngx_http_sync_token_assertion(tf, token, &assertion);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    if (c->kind == SYNC_CREDENTIALS_JWT_BEARER) {
        sync_percent_member(body, "grant_type",
                            sync_str_lit("urn:ietf:params:oauth:grant-type:"
                                         "jwt-bearer"));
        sync_percent_member(body, "assertion", assertion);

    } else {
        sync_percent_member(body, "grant_type",
                            sync_str_lit("client_credentials"));
    }

    if (c->kind == SYNC_CREDENTIALS_KEY_JWT) {
        sync_percent_member(body, "client_assertion_type",
                            sync_str_lit("urn:ietf:params:oauth:"
                                         "client-assertion-type:jwt-bearer"));
        sync_percent_member(body, "client_assertion", assertion);
    }

    if (token->secret.len && c->auth == SYNC_CLIENT_BASIC) {
        return ngx_http_sync_token_basic(f, tf, token);
    }

    if (token->id.len) {
        sync_percent_member(body, "client_id", token->id);
    }

    if (token->secret.len) {
        sync_percent_member(body, "client_secret", token->secret);
    }

    return NGX_OK;
}


/* RFC 6749 2.3.1: both are encoded before they are joined. */

static ngx_int_t
ngx_http_sync_token_basic(ngx_sync_fetch_t *f,
    ngx_http_sync_token_fetch_t *tf, const ngx_http_sync_token_t *token)
{
    u_char       *p;
    ngx_str_t     value;
    sync_str_t    plain;
    sync_text_t   text;

    sync_text_begin(&text, &tf->arena, 3 * (token->id.len + token->secret.len)
                                       + 1, 0);
    sync_percent_add(&text, token->id);
    sync_text_byte(&text, ':');
    sync_percent_add(&text, token->secret);

    if (sync_text_end(&text, &plain) != SYNC_OK) {
        return NGX_ERROR;
    }

    p = ngx_pnalloc(f->pool, sizeof("Basic ") + sync_base64_room(plain.len));
    if (p == NULL) {
        return NGX_ERROR;
    }

    value.data = p;
    p = ngx_cpymem(p, "Basic ", sizeof("Basic ") - 1);
    p += sync_base64_encode(p, plain.data, plain.len);
    value.len = p - value.data;

    return ngx_sync_fetch_header(f, "Authorization", &value);
}


static ngx_int_t
ngx_http_sync_token_assertion(ngx_http_sync_token_fetch_t *tf,
    const ngx_http_sync_token_t *token, sync_str_t *assertion)
{
    u_char                        random[16], id[2 * sizeof(random)];
    sync_rc_t                     rc;
    sync_alg_e                    alg;
    sync_str_t                    payload;
    sync_error_t                  err;
    sync_assertion_t              a;
    const sync_doc_credential_t  *c;

    c = token->c;

    if (sync_random(random, sizeof(random)) != SYNC_OK) {
        return NGX_ERROR;
    }

    ngx_memzero(&a, sizeof(sync_assertion_t));

    a.issuer = token->id;
    a.subject = token->id;
    a.audience = c->url;
    a.claims = token->claims;
    a.id.data = id;
    a.id.len = sync_hex_encode(id, random, sizeof(random));
    a.now = ngx_time();

    rc = sync_assertion(&a, &tf->arena, &payload, &err);

    if (rc == SYNC_OK) {
        alg = c->alg.len ? sync_alg_find(c->alg) : SYNC_ALG_RS256;

        rc = sync_jose_sign_as(token->key, token->key_certificate, alg, c->kid,
                               sync_str_lit("JWT"), payload, &tf->arena,
                               assertion, &err);
    }

    if (rc == SYNC_NO) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "credentials: connector \"%V\" of tenant \"%V\" cannot "
                      "sign what it asks a token with: %s", &tf->connector,
                      &tf->tenant, err.text);
        return NGX_DECLINED;
    }

    return rc == SYNC_OK ? NGX_OK : NGX_ERROR;
}


static void
ngx_http_sync_token_done(ngx_sync_fetch_t *f)
{
    ngx_msec_t                    negative;
    ngx_http_sync_token_fetch_t  *tf;

    tf = f->data;

    negative = f->result == NGX_SYNC_FETCH_OK && f->status == NGX_HTTP_OK
               ? ngx_http_sync_token_landed(f, tf)
               : ngx_http_sync_token_failed(f, tf);

    if (negative) {
        ngx_http_sync_flight_crash(&tf->flight, negative);
    }

    ngx_sync_fetch_free(f);
}


/* How long nobody tries again. */

static ngx_msec_t
ngx_http_sync_token_failed(ngx_sync_fetch_t *f,
    ngx_http_sync_token_fetch_t *tf)
{
    ngx_int_t    n;
    ngx_str_t   *after, said;
    sync_str_t   error;

    if (f->result != NGX_SYNC_FETCH_OK) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "credentials: no token for connector \"%V\" of tenant "
                      "\"%V\": %s, %s", &tf->connector, &tf->tenant,
                      ngx_sync_fetch_result(f->result), f->error);

        return f->result == NGX_SYNC_FETCH_REFUSED
               ? NGX_HTTP_SYNC_TOKEN_REFUSED : NGX_HTTP_SYNC_TOKEN_GONE;
    }

    error = sync_token_error((sync_str_t) { f->answer.len, f->answer.data },
                             &tf->arena);
    said.data = error.data;
    said.len = error.len;

    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                  "credentials: no token for connector \"%V\" of tenant "
                  "\"%V\": it was answered %ui \"%V\"", &tf->connector,
                  &tf->tenant, f->status, &said);

    after = ngx_sync_fetch_received(f, "retry-after");
    n = after ? ngx_atoi(after->data, after->len) : NGX_ERROR;

    if (n > 0) {
        return n > NGX_HTTP_SYNC_TOKEN_PAUSE / 1000 ? NGX_HTTP_SYNC_TOKEN_PAUSE
                                                    : n * 1000;
    }

    return f->status >= NGX_HTTP_BAD_REQUEST
           && f->status < NGX_HTTP_INTERNAL_SERVER_ERROR
           ? NGX_HTTP_SYNC_TOKEN_REFUSED : NGX_HTTP_SYNC_TOKEN_GONE;
}


/* 0: it has landed, and its lifetime has run since it was asked for. */

static ngx_msec_t
ngx_http_sync_token_landed(ngx_sync_fetch_t *f,
    ngx_http_sync_token_fetch_t *tf)
{
    int64_t               life, margin;
    sync_rc_t             rc;
    ngx_str_t             value;
    sync_error_t          err;
    sync_token_answer_t   answer;

    rc = sync_token_answer((sync_str_t) { f->answer.len, f->answer.data },
                           tf->unsaid, &tf->arena, &answer, &err);

    if (rc != SYNC_OK) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "credentials: no token for connector \"%V\" of tenant "
                      "\"%V\": %s", &tf->connector, &tf->tenant,
                      rc == SYNC_NO ? err.text : "no memory");
        return NGX_HTTP_SYNC_TOKEN_GONE;
    }

    life = answer.lifetime - (int64_t) (ngx_current_msec - tf->began);
    life = ngx_max(life, SYNC_TOKEN_SHORTEST);

    margin = ngx_min(life / 10, NGX_HTTP_SYNC_TOKEN_MARGIN);

    if (ngx_http_sync_token_seal(f, tf, answer.token, &value) != NGX_OK) {
        return NGX_HTTP_SYNC_TOKEN_GONE;
    }

    /* what does not fit or comes too late has ended the flight all the same */

    if (ngx_http_sync_flight_land(&tf->flight, &value,
                                  (ngx_msec_t) (life - margin),
                                  (ngx_msec_t) (life - margin / 2))
        == NGX_ERROR)
    {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "credentials: no room for the token of connector \"%V\" "
                      "of tenant \"%V\", %uz bytes; a larger \"sync_zone "
                      "keys:SIZE\" has it", &tf->connector, &tf->tenant,
                      value.len);
        return 0;
    }

    ngx_log_error(NGX_LOG_INFO, ngx_cycle->log, 0,
                  "credentials: a token for connector \"%V\" of tenant \"%V\", "
                  "for %L s", &tf->connector, &tf->tenant, life / 1000);

    return 0;
}


/* nonce, then the token and its tag; bound to the flight */

static ngx_int_t
ngx_http_sync_token_seal(ngx_sync_fetch_t *f, ngx_http_sync_token_fetch_t *tf,
    sync_str_t token, ngx_str_t *value)
{
    u_char      *p;
    sync_str_t   aad;

    value->len = SYNC_AEAD_NONCE_LEN + token.len + SYNC_AEAD_TAG_LEN;
    value->data = ngx_pnalloc(f->pool, value->len);

    if (value->data == NULL
        || sync_random(value->data, SYNC_AEAD_NONCE_LEN) != SYNC_OK)
    {
        return NGX_ERROR;
    }

    p = value->data + SYNC_AEAD_NONCE_LEN;
    ngx_memcpy(p, token.data, token.len);

    aad.data = tf->flight.key;
    aad.len = sizeof(tf->flight.key);

    return sync_aead_seal(tf->seal, value->data, &aad, 1, p, token.len)
           == SYNC_OK ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_http_sync_token_open(ngx_http_request_t *r,
    const ngx_http_sync_token_t *token, const ngx_http_sync_flight_t *flight,
    ngx_str_t *value, sync_str_t *bearer)
{
    u_char      *p;
    sync_str_t   aad, sealed;

    if (value->len <= SYNC_AEAD_NONCE_LEN + SYNC_AEAD_TAG_LEN) {
        return NGX_DECLINED;
    }

    sealed.data = value->data + SYNC_AEAD_NONCE_LEN;
    sealed.len = value->len - SYNC_AEAD_NONCE_LEN;

    p = ngx_pnalloc(r->pool, sealed.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    aad.data = (u_char *) flight->key;
    aad.len = sizeof(flight->key);

    if (sync_aead_open(token->seal, value->data, &aad, 1, sealed, p)
        != SYNC_OK)
    {
        return NGX_DECLINED;
    }

    bearer->data = p;
    bearer->len = sealed.len - SYNC_AEAD_TAG_LEN;

    return NGX_OK;
}


static void *
ngx_http_sync_token_alloc(sync_arena_t *arena, size_t size)
{
    return ngx_palloc(arena->data, size);
}


/* What is empty stays without data. */

static ngx_int_t
ngx_http_sync_token_dup(ngx_pool_t *pool, ngx_str_t *dst, u_char *data,
    size_t len)
{
    ngx_str_null(dst);

    if (len == 0) {
        return NGX_OK;
    }

    dst->data = ngx_pnalloc(pool, len);

    if (dst->data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(dst->data, data, len);
    dst->len = len;

    return NGX_OK;
}
