
/*
 * sync_auth, sync_issuer: who asks.  The auth step (ACCESS) proves identity and
 * nothing else; the admit step (PRECONTENT, which `satisfy` cannot skip) says
 * whether this identity belongs to the tenant of the request.
 */


#include "ngx_http_sync_auth_jwks.h"


static ngx_uint_t ngx_http_sync_auth_enabled(ngx_http_request_t *r);
static ngx_int_t ngx_http_sync_auth_run(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);
static ngx_int_t ngx_http_sync_auth_shown(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, ngx_str_t *token);
static ngx_int_t ngx_http_sync_auth_api_key(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, ngx_str_t *key);
static ngx_int_t ngx_http_sync_admit(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);
static ngx_int_t ngx_http_sync_auth_unknown(ngx_http_sync_ctx_t *ctx);
static void ngx_http_sync_auth_late(ngx_event_t *ev);
static void ngx_http_sync_auth_woken(ngx_http_sync_ctx_t *ctx);
static void ngx_http_sync_auth_cancel(ngx_http_sync_ctx_t *ctx);
static void ngx_http_sync_auth_leave(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);

static void ngx_http_sync_auth_exit_process(ngx_cycle_t *cycle);


const ngx_http_sync_step_t  ngx_http_sync_auth_step = {
    "auth",
    NGX_HTTP_SYNC_STAGE_ACCESS,
    NGX_HTTP_SYNC_STEP_AUTH,
    ngx_http_sync_auth_enabled,
    0,
    ngx_http_sync_auth_run,
    ngx_http_sync_auth_cancel,
    ngx_http_sync_auth_leave,
    NULL
};


const ngx_http_sync_step_t  ngx_http_sync_admit_step = {
    "admit",
    NGX_HTTP_SYNC_STAGE_PRECONTENT,
    NGX_HTTP_SYNC_STEP_ADMIT,
    ngx_http_sync_auth_enabled,
    0,
    ngx_http_sync_admit,
    ngx_http_sync_auth_bound_cancel,
    NULL,
    NULL
};


static ngx_command_t  ngx_http_sync_auth_commands[] = {

    { ngx_string("sync_auth"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_sync_auth,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("sync_issuer"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,
      ngx_http_sync_issuer,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("sync_metadata"),
      NGX_HTTP_LOC_CONF|NGX_CONF_ANY,
      ngx_http_sync_metadata,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("sync_revoked"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_sync_revoked,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_sync_auth_module_ctx = {
    NULL,                                  /* preconfiguration */
    NULL,                                  /* postconfiguration */

    ngx_http_sync_auth_create_main_conf,   /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_sync_auth_create_loc_conf,    /* create location configuration */
    ngx_http_sync_auth_merge_loc_conf      /* merge location configuration */
};


ngx_module_t  ngx_http_sync_auth_module = {
    NGX_MODULE_V1,
    &ngx_http_sync_auth_module_ctx,        /* module context */
    ngx_http_sync_auth_commands,           /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_http_sync_auth_exit_process,       /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_uint_t
ngx_http_sync_auth_enabled(ngx_http_request_t *r)
{
    ngx_http_sync_auth_loc_conf_t  *alcf;

    alcf = ngx_http_get_module_loc_conf(r, ngx_http_sync_auth_module);

    return alcf->proofs;
}


static ngx_int_t
ngx_http_sync_auth_run(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx)
{
    ngx_int_t                       rc;
    ngx_str_t                       token;
    ngx_uint_t                      lines, given;
    ngx_table_elt_t                *key;
    ngx_http_sync_auth_loc_conf_t  *alcf;

    alcf = ngx_http_get_module_loc_conf(r, ngx_http_sync_auth_module);

    ngx_http_sync_auth_woken(ctx);

    ngx_memzero(&ctx->principal, sizeof(ngx_http_sync_principal_t));
    ctx->principal.index = SYNC_DOC_NONE;

    key = NULL;
    ngx_str_null(&token);

    given = alcf->signature != NULL
            && ngx_http_sync_signature_given(r, alcf->signature);

    if (alcf->proofs & NGX_HTTP_SYNC_AUTH_API_KEY) {

        key = ngx_http_sync_header_in(r, &alcf->header, &lines);

        if (key != NULL && lines != 1) {
            return ngx_http_sync_auth_malformed(r, ctx, "two API keys", 0);
        }

        if (key != NULL && given) {
            return ngx_http_sync_auth_malformed(r, ctx, "a signature and an "
                                                "API key", 0);
        }
    }

    if (alcf->proofs & NGX_HTTP_SYNC_AUTH_TOKEN) {

        rc = ngx_http_sync_auth_shown(r, ctx, &token);

        if (rc != NGX_OK && rc != NGX_DECLINED) {
            return rc;
        }

        if (rc == NGX_OK && key != NULL) {
            return ngx_http_sync_auth_malformed(r, ctx,
                                                "a token and an API key", 1);
        }

        if (rc == NGX_OK && given) {
            return ngx_http_sync_auth_malformed(r, ctx,
                                                "a token and a signature", 1);
        }

        if (rc == NGX_OK) {
            rc = ngx_http_sync_auth_token(r, ctx, &token);

            return rc == NGX_OK ? ngx_http_sync_auth_bound(r, ctx, &token)
                                : rc;
        }
    }

    if (key != NULL) {
        return ngx_http_sync_auth_api_key(r, ctx, &key->value);
    }

    if (given || alcf->proofs == NGX_HTTP_SYNC_AUTH_SIGNATURE) {
        return ngx_http_sync_auth_signature(r, ctx, alcf->signature);
    }

    /* a connection has it for all its requests, so any other proof is meant */

    if (alcf->proofs & NGX_HTTP_SYNC_AUTH_CERTIFICATE) {
        rc = ngx_http_sync_auth_certificate(r, ctx);

        if (rc != NGX_DECLINED) {
            return rc;
        }
    }

    if (alcf->proofs & NGX_HTTP_SYNC_AUTH_OPTIONAL) {
        return NGX_DECLINED;
    }

    return ngx_http_sync_auth_missing(r, ctx);
}


/*
 * RFC 6750, 2.1, and RFC 9449, 7.1.  NGX_OK: there is a token; NGX_DECLINED:
 * none (another scheme may be meant for upstream); 400, 401.
 */

static ngx_int_t
ngx_http_sync_auth_shown(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    ngx_str_t *token)
{
    size_t                          n;
    u_char                         *p, *last;
    ngx_uint_t                      lines, dpop;
    ngx_table_elt_t                *h;
    ngx_http_sync_auth_loc_conf_t  *alcf;

    static ngx_str_t  name = ngx_string("authorization");

    h = ngx_http_sync_header_in(r, &name, &lines);

    if (h == NULL) {
        return NGX_DECLINED;
    }

    if (lines != 1) {
        return ngx_http_sync_auth_malformed(r, ctx, "two Authorization lines",
                                            1);
    }

    p = h->value.data;
    last = p + h->value.len;

    for (n = 0; n < h->value.len && p[n] != ' '; n++) { /* void */ }

    dpop = n == 4 && ngx_strncasecmp(p, (u_char *) "DPoP", 4) == 0;

    if (!dpop
        && (n != 6 || ngx_strncasecmp(p, (u_char *) "Bearer", 6) != 0))
    {
        return NGX_DECLINED;
    }

    alcf = ngx_http_get_module_loc_conf(r, ngx_http_sync_auth_module);

    if (dpop && alcf->dpop == NGX_HTTP_SYNC_DPOP_OFF) {
        return NGX_DECLINED;
    }

    if (!dpop && alcf->dpop == NGX_HTTP_SYNC_DPOP_REQUIRED) {
        ctx->principal.dpop = 1;
        return ngx_http_sync_auth_reject(r, ctx, "unbound");
    }

    ctx->principal.dpop = dpop;

    p += n;

    while (p < last && *p == ' ') {
        p++;
    }

    token->data = p;
    token->len = last - p;

    return NGX_OK;
}


static ngx_int_t
ngx_http_sync_auth_api_key(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    ngx_str_t *key)
{
    uint32_t                 index;
    ngx_int_t                rc;
    sync_doc_client_t        client;
    ngx_http_sync_refusal_t  refusal;

    rc = NGX_DECLINED;

    if (ctx->tenant.entry != NULL) {
        rc = ngx_http_sync_api_key_find(ctx->tenant.entry, key, &index,
                                        r->connection->log);
    }

    if (rc == NGX_OK
        && sync_doc_client_at(ctx->tenant.doc, index, &client) == SYNC_OK)
    {
        ctx->principal.proof = NGX_HTTP_SYNC_PROOF_API_KEY;
        ctx->principal.index = index;
        ctx->principal.client.len = client.id.len;
        ctx->principal.client.data = client.id.data;
        ctx->principal.tenant = ctx->tenant.id;

        return NGX_OK;
    }

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                  "auth: API key refused, tenant \"%V\"", &ctx->tenant.name);

    refusal.scheme = NGX_HTTP_SYNC_SCHEME_API_KEY;
    refusal.error = NULL;
    refusal.text = "the API key is not valid here";
    refusal.problem = "invalid-api-key";
    refusal.title = "The API key is not valid";

    return ngx_http_sync_auth_refuse(r, ctx, &refusal);
}


static ngx_int_t
ngx_http_sync_admit(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx)
{
    sync_str_t                   plan, client;
    ngx_http_sync_principal_t   *pr;
    ngx_http_sync_tenant_ctx_t  *tenant;

    pr = &ctx->principal;
    tenant = &ctx->tenant;

    if (pr->proof == NGX_HTTP_SYNC_PROOF_NONE) {
        ngx_http_sync_auth_loc_conf_t  *alcf;

        alcf = ngx_http_get_module_loc_conf(r, ngx_http_sync_auth_module);

        if (alcf->proofs & NGX_HTTP_SYNC_AUTH_OPTIONAL) {
            return NGX_DECLINED;
        }

        /* ACCESS has not run: whatever has skipped it, nobody is proven */

        return ngx_http_sync_auth_missing(r, ctx);
    }

    if (tenant->doc == NULL) {
        return NGX_OK;
    }

    if (pr->platform && ngx_http_sync_signature_admit(ctx) != NGX_OK) {
        return ngx_http_sync_auth_unknown(ctx);
    }

    if (!(pr->tenant.len == tenant->id.len
          && ngx_memcmp(pr->tenant.data, tenant->id.data, tenant->id.len)
             == 0)
        && !(pr->tenant.len == tenant->name.len
             && ngx_memcmp(pr->tenant.data, tenant->name.data,
                           tenant->name.len)
                == 0))
    {
        return ngx_http_sync_problem(ctx, NGX_HTTP_FORBIDDEN,
                                     "foreign-tenant",
                                     "The proof is another tenant's",
                                     NGX_HTTP_SYNC_TECHNICAL,
                                     "the proof does not belong to this "
                                     "tenant");
    }

    if (pr->index == SYNC_DOC_NONE) {
        return ngx_http_sync_auth_unknown(ctx);
    }

    client.len = pr->client.len;
    client.data = pr->client.data;

    if (sync_doc_revoked_client(tenant->doc, client)) {
        return ngx_http_sync_problem(ctx, NGX_HTTP_FORBIDDEN,
                                     "client-revoked",
                                     "The client is not let in any more",
                                     NGX_HTTP_SYNC_TECHNICAL,
                                     "the tenant's document has revoked this "
                                     "client");
    }

    /* else who names a plan of his own making would have no limit at all */

    plan.len = pr->plan.len;
    plan.data = pr->plan.data;

    if (plan.len && sync_doc_plan(tenant->doc, plan) == SYNC_DOC_NONE) {
        return ngx_http_sync_problem(ctx, NGX_HTTP_FORBIDDEN,
                                     "unknown-plan",
                                     "The plan is not known here",
                                     NGX_HTTP_SYNC_TECHNICAL,
                                     "the tenant's document has no plan of "
                                     "the name that the token gives");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_sync_auth_unknown(ngx_http_sync_ctx_t *ctx)
{
    return ngx_http_sync_problem(ctx, NGX_HTTP_FORBIDDEN, "unknown-client",
                                 "The client is not known here",
                                 NGX_HTTP_SYNC_TECHNICAL,
                                 "the tenant's document does not name this "
                                 "client");
}


ngx_http_sync_auth_slot_t *
ngx_http_sync_auth_slot(ngx_http_sync_ctx_t *ctx)
{
    void  **slot;

    slot = &ctx->slots[NGX_HTTP_SYNC_STEP_AUTH];

    if (*slot == NULL) {
        *slot = ngx_pcalloc(ctx->request->pool,
                            sizeof(ngx_http_sync_auth_slot_t));
    }

    return *slot;
}


/* A leader that died is replaced when its time is over, not when ours is. */

ngx_int_t
ngx_http_sync_auth_wait(ngx_http_sync_ctx_t *ctx, ngx_http_sync_flight_t *f,
    ngx_http_sync_flight_wait_t **wait)
{
    ngx_msec_t                  left;
    ngx_http_sync_auth_slot_t  *slot;

    slot = ctx->slots[NGX_HTTP_SYNC_STEP_AUTH];
    left = ngx_http_sync_left(ctx);

    if (slot->late || left == 0) {
        return NGX_DECLINED;
    }

    if (ngx_http_sync_flight_wait(ctx, f, wait) != NGX_OK) {
        return NGX_ERROR;
    }

    slot->timer.handler = ngx_http_sync_auth_late;
    slot->timer.data = ctx;
    slot->timer.log = ctx->request->connection->log;

    ngx_add_timer(&slot->timer, left);

    return NGX_AGAIN;
}


static void
ngx_http_sync_auth_late(ngx_event_t *ev)
{
    ngx_http_sync_ctx_t *ctx = ev->data;

    ngx_http_sync_auth_slot_t  *slot;

    slot = ctx->slots[NGX_HTTP_SYNC_STEP_AUTH];
    slot->late = 1;

    ngx_http_sync_flight_unwait(slot->keys);
    ngx_http_sync_flight_unwait(slot->answer);

    ngx_http_sync_wake(ctx);
}


static void
ngx_http_sync_auth_woken(ngx_http_sync_ctx_t *ctx)
{
    ngx_http_sync_auth_slot_t  *slot;

    slot = ctx->slots[NGX_HTTP_SYNC_STEP_AUTH];

    if (slot != NULL && slot->timer.timer_set) {
        ngx_del_timer(&slot->timer);
    }
}


/* Withdraws what the proof waits for. */

static void
ngx_http_sync_auth_cancel(ngx_http_sync_ctx_t *ctx)
{
    ngx_http_sync_auth_slot_t  *slot;

    slot = ctx->slots[NGX_HTTP_SYNC_STEP_AUTH];

    if (slot == NULL) {
        return;
    }

    ngx_http_sync_auth_woken(ctx);
    ngx_http_sync_flight_unwait(slot->keys);
    ngx_http_sync_flight_unwait(slot->answer);

    ngx_memzero(slot, sizeof(ngx_http_sync_auth_slot_t));
}


/*
 * Another location may ask for another proof, or be another tenant's: what was
 * proven here is not carried there.
 */

static void
ngx_http_sync_auth_leave(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx)
{
    ngx_http_sync_auth_cancel(ctx);
    ctx->principal.platform = 0;

    ctx->done &= ~(1u << NGX_HTTP_SYNC_STEP_AUTH
                   | 1u << NGX_HTTP_SYNC_STEP_ADMIT);
}


static void
ngx_http_sync_auth_exit_process(ngx_cycle_t *cycle)
{
    ngx_http_sync_jwks_exit();
    ngx_http_sync_token_forget();
}
