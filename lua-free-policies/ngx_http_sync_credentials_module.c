
/*
 * Credentials: who we are to the connector that the route has chosen.  What a
 * document names is a secret of its tenant's folder; it comes into the request
 * after all that could show it, and goes where the document says, no further.
 *
 * It has no directive: it acts where sync_entity does.
 */


#include "ngx_http_sync_credentials.h"
#include "sync_jose_sign.h"


#define NGX_HTTP_SYNC_CREDENTIALS_PAIRS  64


static ngx_uint_t ngx_http_sync_credentials_enabled(ngx_http_request_t *r);
static ngx_int_t ngx_http_sync_credentials_run(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);
static ngx_int_t ngx_http_sync_credentials_kind(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, const sync_doc_credential_t *c);
static void ngx_http_sync_credentials_leave(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);
static ngx_int_t ngx_http_sync_credentials_basic(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, const sync_doc_credential_t *c);
static ngx_int_t ngx_http_sync_credentials_api_key(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, const sync_doc_credential_t *c);
static ngx_int_t ngx_http_sync_credentials_certificate(
    ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    const sync_doc_credential_t *c);
static ngx_uint_t ngx_http_sync_credentials_paired(sync_str_t certificate,
    sync_str_t key);
static ngx_int_t ngx_http_sync_credentials_pem(ngx_http_request_t *r,
    sync_str_t pem, ngx_str_t *value);
static void ngx_http_sync_credentials_wipe(void *data);
static void *ngx_http_sync_credentials_create_main_conf(ngx_conf_t *cf);
static char *ngx_http_sync_credentials_init_main_conf(ngx_conf_t *cf,
    void *conf);


static u_char  ngx_http_sync_credentials_pairs[NGX_HTTP_SYNC_CREDENTIALS_PAIRS]
                                              [SYNC_SHA256_LEN];


static const ngx_http_sync_step_t  ngx_http_sync_credentials_step = {
    "credentials",
    NGX_HTTP_SYNC_STAGE_PRECONTENT,
    NGX_HTTP_SYNC_STEP_CREDENTIALS,
    ngx_http_sync_credentials_enabled,
    0,
    ngx_http_sync_credentials_run,
    ngx_http_sync_credentials_token_cancel,
    ngx_http_sync_credentials_leave,
    NULL
};


static ngx_http_module_t  ngx_http_sync_credentials_module_ctx = {
    NULL,                                  /* preconfiguration */
    NULL,                                  /* postconfiguration */

    ngx_http_sync_credentials_create_main_conf,
                                           /* create main configuration */
    ngx_http_sync_credentials_init_main_conf,
                                           /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    NULL,                                  /* create location configuration */
    NULL                                   /* merge location configuration */
};


ngx_module_t  ngx_http_sync_credentials_module = {
    NGX_MODULE_V1,
    &ngx_http_sync_credentials_module_ctx, /* module context */
    NULL,                                  /* module directives */
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
ngx_http_sync_credentials_enabled(ngx_http_request_t *r)
{
    return ngx_http_sync_enabled(r, NGX_HTTP_SYNC_STEP_ENTITY);
}


/* Entered again before a request is sent again: what is signed is new then. */

static ngx_int_t
ngx_http_sync_credentials_run(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx)
{
    ngx_int_t               rc;
    sync_doc_credential_t   c;

    if (ctx->route.connector == SYNC_DOC_NONE
        || ctx->route.c.credentials == SYNC_CREDENTIALS_NONE
        || sync_doc_credential(ctx->tenant.doc, ctx->route.connector, &c)
           != SYNC_OK)
    {
        return NGX_DECLINED;
    }

    ctx->route.secret = 1;

    if (c.certificate.len) {
        ctx->route.verified = 1;

        rc = ngx_http_sync_credentials_certificate(r, ctx, &c);
        if (rc != NGX_OK) {
            return rc == NGX_DECLINED ? ngx_http_sync_credentials_refuse(ctx)
                                      : rc;
        }
    }

    rc = ngx_http_sync_credentials_kind(r, ctx, &c);

    return rc == NGX_DECLINED ? ngx_http_sync_credentials_refuse(ctx) : rc;
}


/* NGX_DECLINED: a secret cannot be used. */

static ngx_int_t
ngx_http_sync_credentials_kind(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, const sync_doc_credential_t *c)
{
    switch (c->kind) {

    case SYNC_CREDENTIALS_BASIC:
        return ngx_http_sync_credentials_basic(r, ctx, c);

    case SYNC_CREDENTIALS_API_KEY:
        return ngx_http_sync_credentials_api_key(r, ctx, c);

    case SYNC_CREDENTIALS_CLIENT:
    case SYNC_CREDENTIALS_KEY_JWT:
    case SYNC_CREDENTIALS_JWT_BEARER:
        return ngx_http_sync_credentials_token(r, ctx, c);

    case SYNC_CREDENTIALS_OAUTH1:
        return ngx_http_sync_credentials_oauth1(r, ctx, c);

    case SYNC_CREDENTIALS_BODY:
        return ngx_http_sync_credentials_body(r, ctx, c);

    case SYNC_CREDENTIALS_WSSE:
        return ngx_http_sync_credentials_wsse(r, ctx, c);

    default: /* SYNC_CREDENTIALS_CERTIFICATE */
        return NGX_OK;
    }
}


/*
 * Headers go with the route, and so does a body that was mapped; one that came
 * as it is is put back here.
 */

static void
ngx_http_sync_credentials_leave(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx)
{
    ngx_http_sync_credentials_slot_t  *slot;

    slot = ctx->slots[NGX_HTTP_SYNC_STEP_CREDENTIALS];
    ctx->done &= ~(1u << NGX_HTTP_SYNC_STEP_CREDENTIALS
                   | 1u << NGX_HTTP_SYNC_STEP_CREDENTIALS_EXPIRED);

    if (slot == NULL) {
        return;
    }

    ngx_http_sync_credentials_token_cancel(ctx);
    ctx->slots[NGX_HTTP_SYNC_STEP_CREDENTIALS] = NULL;

    if (slot->replaced && slot->body.data == ctx->payload.body.data) {
        (void) ngx_http_sync_replace_body(r, &ctx->payload.body, NULL);
    }
}


/* RFC 7617 */

static ngx_int_t
ngx_http_sync_credentials_basic(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, const sync_doc_credential_t *c)
{
    size_t       len;
    u_char      *plain, *code, *p;
    ngx_int_t    rc;
    sync_str_t   user, password, value;

    if (ngx_http_sync_credentials_secret(ctx, c->id, &user) != NGX_OK
        || ngx_http_sync_credentials_secret(ctx, c->secret, &password)
           != NGX_OK)
    {
        return NGX_DECLINED;
    }

    len = user.len + 1 + password.len;

    plain = ngx_pnalloc(r->pool, len + sync_base64_room(len));
    if (plain == NULL) {
        return NGX_ERROR;
    }

    code = plain + len;

    p = ngx_cpymem(plain, user.data, user.len);
    *p++ = ':';
    ngx_memcpy(p, password.data, password.len);

    value.data = code;
    value.len = sync_base64_encode(code, plain, len);

    rc = ngx_http_sync_credentials_set(r, ctx, "Basic", value);

    sync_wipe(plain, len + sync_base64_room(len));

    return rc;
}


static ngx_int_t
ngx_http_sync_credentials_api_key(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, const sync_doc_credential_t *c)
{
    ngx_str_t   name, header;
    sync_str_t  value;

    if (ngx_http_sync_credentials_secret(ctx, c->secret, &value) != NGX_OK
        || !ngx_http_sync_credentials_clean(value))
    {
        return NGX_DECLINED;
    }

    name.data = c->header.data;
    name.len = c->header.len;

    header.data = value.data;
    header.len = value.len;

    if (sync_str_is(c->header, "authorization")) {

        /* sync/connector.conf sends what its variable says, and no other */

        ctx->route.authorization = header;
    }

    return ngx_http_sync_set_secret_in(r, ctx, &name, &header);
}


/*
 * For proxy_ssl_certificate, which reads "data:" as a file's content, and logs
 * the whole of what it cannot read: it is given a pair that was looked at.
 */

static ngx_int_t
ngx_http_sync_credentials_certificate(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, const sync_doc_credential_t *c)
{
    ngx_int_t   rc;
    sync_str_t  certificate, key, name;

    if (ngx_http_sync_credentials_secret(ctx, c->certificate, &certificate)
        != NGX_OK
        || ngx_http_sync_credentials_secret(ctx, c->certificate_key, &key)
           != NGX_OK)
    {
        return NGX_DECLINED;
    }

    if (!ngx_http_sync_credentials_paired(certificate, key)) {
        name = ctx->route.c.name;

        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "credentials: the certificate of connector \"%*s\" of "
                      "tenant \"%V\" and its key are not a pair, as PEM",
                      name.len, name.data, &ctx->tenant.name);
        return NGX_DECLINED;
    }

    rc = ngx_http_sync_credentials_pem(r, certificate,
                                       &ctx->route.certificate);

    return rc == NGX_OK
           ? ngx_http_sync_credentials_pem(r, key, &ctx->route.certificate_key)
           : rc;
}


/* Reading keys is dear: a worker knows the pairs of late. */

static ngx_uint_t
ngx_http_sync_credentials_paired(sync_str_t certificate, sync_str_t key)
{
    u_char         *known, digest[SYNC_SHA256_LEN];
    sync_sha256_t   sha;

    sync_sha256_init(&sha);
    sync_sha256_update(&sha, &certificate.len, sizeof(certificate.len));
    sync_sha256_update(&sha, certificate.data, certificate.len);
    sync_sha256_update(&sha, key.data, key.len);
    sync_sha256_final(&sha, digest);

    known = ngx_http_sync_credentials_pairs[digest[0]
                                            % NGX_HTTP_SYNC_CREDENTIALS_PAIRS];

    if (ngx_memcmp(known, digest, sizeof(digest)) == 0) {
        return 1;
    }

    if (sync_pem_pair(certificate, key) != SYNC_OK) {
        return 0;
    }

    ngx_memcpy(known, digest, sizeof(digest));

    return 1;
}


static ngx_int_t
ngx_http_sync_credentials_pem(ngx_http_request_t *r, sync_str_t pem,
    ngx_str_t *value)
{
    u_char  *p;

    value->len = sizeof("data:") - 1 + pem.len;
    value->data = ngx_pnalloc(r->pool, value->len);

    if (value->data == NULL) {
        value->len = 0;
        return NGX_ERROR;
    }

    p = ngx_cpymem(value->data, "data:", sizeof("data:") - 1);
    ngx_memcpy(p, pem.data, pem.len);

    return ngx_http_sync_credentials_wiped(r, value);
}


ngx_int_t
ngx_http_sync_credentials_secret(ngx_http_sync_ctx_t *ctx, sync_str_t name,
    sync_str_t *secret)
{
    if (name.len == 0) {
        *secret = sync_str_null;
        return NGX_OK;
    }

    return ngx_http_sync_secret(ctx, name, secret) == SYNC_OK
           ? NGX_OK : NGX_DECLINED;
}


ngx_http_sync_credentials_slot_t *
ngx_http_sync_credentials_slot(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx)
{
    ngx_http_sync_credentials_slot_t  *slot;

    slot = ctx->slots[NGX_HTTP_SYNC_STEP_CREDENTIALS];

    if (slot == NULL) {
        slot = ngx_pcalloc(r->pool, sizeof(ngx_http_sync_credentials_slot_t));
        ctx->slots[NGX_HTTP_SYNC_STEP_CREDENTIALS] = slot;
    }

    return slot;
}


ngx_int_t
ngx_http_sync_credentials_refuse(ngx_http_sync_ctx_t *ctx)
{
    return ngx_http_sync_problem(ctx, NGX_HTTP_SERVICE_UNAVAILABLE,
                                 "connector-credentials",
                                 "The connector cannot be asked now",
                                 NGX_HTTP_SYNC_TECHNICAL,
                                 "a secret of the connector cannot be used; "
                                 "the operator's log says which");
}


ngx_int_t
ngx_http_sync_credentials_set(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    const char *scheme, sync_str_t value)
{
    size_t      len;
    u_char     *p;
    ngx_str_t  *authorization;

    authorization = &ctx->route.authorization;
    len = ngx_strlen(scheme);

    p = ngx_pnalloc(r->pool, len + 1 + value.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    authorization->data = p;
    authorization->len = len + 1 + value.len;

    p = ngx_cpymem(p, scheme, len);
    *p++ = ' ';
    ngx_memcpy(p, value.data, value.len);

    return ngx_http_sync_credentials_wiped(r, authorization);
}


/* Of a copy: what s names may be another thing by then. */

ngx_int_t
ngx_http_sync_credentials_wiped(ngx_http_request_t *r, ngx_str_t *s)
{
    ngx_pool_cleanup_t  *cln;

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_str_t));

    if (cln == NULL) {
        sync_wipe(s->data, s->len);
        return NGX_ERROR;
    }

    cln->handler = ngx_http_sync_credentials_wipe;
    *(ngx_str_t *) cln->data = *s;

    return NGX_OK;
}


static void
ngx_http_sync_credentials_wipe(void *data)
{
    ngx_str_t *s = data;

    sync_wipe(s->data, s->len);
}


ngx_uint_t
ngx_http_sync_credentials_clean(sync_str_t value)
{
    size_t  i;

    for (i = 0; i < value.len; i++) {
        if ((value.data[i] < 0x20 && value.data[i] != '\t')
            || value.data[i] == 0x7f)
        {
            return 0;
        }
    }

    return 1;
}


static void *
ngx_http_sync_credentials_create_main_conf(ngx_conf_t *cf)
{
    return ngx_pcalloc(cf->pool, sizeof(ngx_http_sync_credentials_main_conf_t));
}


/*
 * All directives are read: does a sync_entity stand anywhere, and may documents
 * have anybody asked?
 */

static char *
ngx_http_sync_credentials_init_main_conf(ngx_conf_t *cf, void *conf)
{
    ngx_http_sync_credentials_main_conf_t *cmcf = conf;

    ngx_http_sync_main_conf_t  *smcf;

    smcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_sync_module);

    if (smcf->configured[NGX_HTTP_SYNC_STEP_ENTITY] == NULL) {
        return NGX_CONF_OK;
    }

    if (ngx_http_sync_use(cf, &ngx_http_sync_credentials_step) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (!ngx_http_sync_egress_listed(cf)) {
        return NGX_CONF_OK;
    }

    cmcf->fetch = ngx_http_sync_fetch_conf(cf);

    return cmcf->fetch != NULL && ngx_http_sync_flight_use(cf) == NGX_OK
           && ngx_http_sync_use(cf, &ngx_http_sync_credentials_expired_step)
              == NGX_OK
           ? NGX_CONF_OK : NGX_CONF_ERROR;
}
