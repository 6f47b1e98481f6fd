
/*
 * What sync_limit says: refusals as problems, and the fields RateLimit and
 * RateLimit-Policy of draft-ietf-httpapi-ratelimit-headers-11.
 *
 * The quota of a rate is its burst and its window the time in which an empty
 * bucket fills, so that what remains is never more than the quota.
 */


#include "ngx_http_sync_limit.h"
#include "sync_crypto.h"


#define NGX_HTTP_SYNC_LIMIT_PK  4        /* bytes of a hash */

/* A name in a field, and the number of a line behind it. */
#define NGX_HTTP_SYNC_LIMIT_LABEL  (NGX_HTTP_SYNC_LIMIT_NAME + NGX_INT32_LEN + 1)


static ngx_int_t ngx_http_sync_limit_shadow(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, ngx_str_t *name);
static ngx_int_t ngx_http_sync_limit_policy_field(ngx_http_request_t *r,
    ngx_http_sync_limit_group_t *g);
static u_char *ngx_http_sync_limit_policy(u_char *p,
    ngx_http_sync_limit_group_t *g, ngx_http_sync_limit_line_t *line,
    uint64_t quota, ngx_uint_t places);
static void ngx_http_sync_limit_label(ngx_http_sync_limit_group_t *g,
    ngx_http_sync_limit_line_t *line, u_char *buf, ngx_str_t *name);
static size_t ngx_http_sync_limit_pk(ngx_http_sync_limit_group_t *g,
    u_char *dst);
static uint64_t ngx_http_sync_limit_units(ngx_http_sync_limit_group_t *g,
    uint64_t n);
static ngx_uint_t ngx_http_sync_limit_seconds(int64_t us);


void
ngx_http_sync_limit_verdict(ngx_http_sync_limit_group_t *g, ngx_uint_t i,
    ngx_http_sync_limit_verdict_t *v)
{
    v->line = g->lines[i];
    v->quota = g->take.items[i].gcra->burst;
    v->answer = g->take.answers[i];
}


ngx_int_t
ngx_http_sync_limit_refuse(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_limit_group_t *g, ngx_http_sync_limit_verdict_t *v)
{
    u_char      buf[NGX_HTTP_SYNC_LIMIT_LABEL];
    ngx_int_t   rc;
    ngx_str_t   name;
    ngx_uint_t  wait;

    ngx_http_sync_limit_label(g, &v->line, buf, &name);

    name.data = ngx_pstrdup(r->pool, &name);
    if (name.data == NULL) {
        return NGX_ERROR;
    }

    if (g->limit->shadow) {
        return ngx_http_sync_limit_shadow(r, ctx, &name);
    }

    ctx->limit = name;

    if (v->answer.retry < 0) {
        return ngx_http_sync_problem(ctx,
                                     NGX_HTTP_REQUEST_ENTITY_TOO_LARGE,
                                     "cost-over-burst",
                                     "The request costs more than the limit "
                                     "ever allows",
                                     NGX_HTTP_SYNC_TECHNICAL,
                                     "limit \"%V\" allows at most %uL%s at "
                                     "once", &name,
                                     ngx_http_sync_limit_units(g, v->quota),
                                     g->bytes ? " bytes" : "");
    }

    if (ngx_http_sync_limit_policy_field(r, g) != NGX_OK
        || ngx_http_sync_limit_field(r, g, v, v->answer.retry) != NGX_OK)
    {
        return NGX_ERROR;
    }

    wait = ngx_http_sync_limit_seconds(v->answer.retry);

    rc = ngx_http_sync_problem(ctx, NGX_HTTP_TOO_MANY_REQUESTS,
                               "limit-exceeded", "Too many requests",
                               NGX_HTTP_SYNC_TECHNICAL,
                               "limit \"%V\" is used up, the next request is "
                               "due in %ui s", &name, wait);

    ctx->problem.retry_after = wait;

    return rc;
}


static ngx_int_t
ngx_http_sync_limit_shadow(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    ngx_str_t *name)
{
    u_char  *p;

    ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                  "limit: would refuse, \"%V\"", name);

    ngx_http_sync_trace(ctx, "limit", "%V: would refuse", name);

    p = ngx_pnalloc(r->pool, name->len + sizeof("shadow:") - 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ctx->limit.data = p;
    ctx->limit.len = ngx_sprintf(p, "shadow:%V", name) - p;

    return NGX_OK;
}


ngx_int_t
ngx_http_sync_limit_unavailable(ngx_http_sync_ctx_t *ctx, ngx_str_t *name)
{
    ngx_int_t  rc;

    ctx->limit = *name;

    rc = ngx_http_sync_problem(ctx, NGX_HTTP_SERVICE_UNAVAILABLE,
                               "limit-unavailable",
                               "The limit cannot be checked",
                               NGX_HTTP_SYNC_TECHNICAL,
                               "limit \"%V\" cannot be checked now", name);

    ctx->problem.retry_after = 1;

    return rc;
}


ngx_int_t
ngx_http_sync_limit_field(ngx_http_request_t *r,
    ngx_http_sync_limit_group_t *g, ngx_http_sync_limit_verdict_t *v,
    int64_t wait)
{
    static ngx_str_t  header = ngx_string("RateLimit");

    u_char     *p;
    ngx_str_t   name, value;

    value.data = ngx_pnalloc(r->pool,
                             NGX_HTTP_SYNC_LIMIT_LABEL + 2 * NGX_INT64_LEN
                             + sizeof("\"\";r=;t=;pk=::")
                             + sync_base64_room(NGX_HTTP_SYNC_LIMIT_PK));
    if (value.data == NULL) {
        return NGX_ERROR;
    }

    /* each answer has it: ngx_sprintf() would cost more than the decision */

    p = value.data;
    *p++ = '"';

    ngx_http_sync_limit_label(g, &v->line, p, &name);

    p += name.len;
    p = ngx_cpymem(p, "\";r=", sizeof("\";r=") - 1);
    p = sync_digits(p, ngx_http_sync_limit_units(g, v->answer.remaining));
    p = ngx_cpymem(p, ";t=", sizeof(";t=") - 1);
    p = sync_digits(p, ngx_http_sync_limit_seconds(wait));
    p = ngx_cpymem(p, ";pk=:", sizeof(";pk=:") - 1);
    p += ngx_http_sync_limit_pk(g, p);
    *p++ = ':';

    value.len = p - value.data;

    return ngx_http_sync_add_header(r, &header, &value);
}


static ngx_int_t
ngx_http_sync_limit_policy_field(ngx_http_request_t *r,
    ngx_http_sync_limit_group_t *g)
{
    static ngx_str_t  header = ngx_string("RateLimit-Policy");

    u_char      *p;
    ngx_str_t    value;
    ngx_uint_t   i;

    value.data = ngx_pnalloc(r->pool,
                             (g->take.n + g->nplaces)
                             * (NGX_HTTP_SYNC_LIMIT_LABEL + 2 * NGX_INT64_LEN
                                + sizeof("\"\";q=;w=;qu=\"concurrent-requests"
                                         "\";pk=::, ")
                                + sync_base64_room(NGX_HTTP_SYNC_LIMIT_PK)));
    if (value.data == NULL) {
        return NGX_ERROR;
    }

    p = value.data;

    for (i = 0; i < g->take.n; i++) {
        p = ngx_http_sync_limit_policy(p, g, &g->lines[i],
                                       g->take.items[i].gcra->burst, 0);
    }

    for (i = 0; i < g->nplaces; i++) {
        p = ngx_http_sync_limit_policy(p, g, &g->places[i].line,
                                       g->places[i].limit, 1);
    }

    /* the last comma */

    value.len = p - value.data - 2;

    return ngx_http_sync_add_header(r, &header, &value);
}


static u_char *
ngx_http_sync_limit_policy(u_char *p, ngx_http_sync_limit_group_t *g,
    ngx_http_sync_limit_line_t *line, uint64_t quota, ngx_uint_t places)
{
    u_char     buf[NGX_HTTP_SYNC_LIMIT_LABEL];
    ngx_str_t  name;

    ngx_http_sync_limit_label(g, line, buf, &name);

    p = ngx_sprintf(p, "\"%V\";q=%uL", &name,
                    ngx_http_sync_limit_units(g, quota));

    if (places) {
        p = ngx_sprintf(p, ";qu=\"concurrent-requests\"");

    } else {
        p = ngx_sprintf(p, ";w=%ui%s", line->window,
                        g->bytes ? ";qu=\"content-bytes\"" : "");
    }

    p = ngx_sprintf(p, ";pk=:");
    p += ngx_http_sync_limit_pk(g, p);

    return ngx_sprintf(p, ":, ");
}


/* The lines of a plan are numbered: "gold", or "gold.1", "gold.2". */

static void
ngx_http_sync_limit_label(ngx_http_sync_limit_group_t *g,
    ngx_http_sync_limit_line_t *line, u_char *buf, ngx_str_t *name)
{
    u_char     *p;
    size_t      n;
    ngx_str_t   s;

    /* a plan's name may hold what a structured field's string may not */

    s.len = ngx_min(g->name.len, NGX_HTTP_SYNC_LIMIT_NAME);
    p = buf;

    for (n = 0; n < s.len; n++) {
        if (g->name.data[n] < 0x20 || g->name.data[n] >= 0x7f
            || g->name.data[n] == '"' || g->name.data[n] == '\\')
        {
            *p++ = '?';

        } else {
            *p++ = g->name.data[n];
        }
    }

    if (line->number) {
        p = ngx_sprintf(p, ".%ui", line->number);
    }

    name->data = buf;
    name->len = p - buf;
}


/*
 * Tells a client which of its buckets an answer speaks of, not by what; it is
 * to know one from another, and nothing is decided by it.
 */

static size_t
ngx_http_sync_limit_pk(ngx_http_sync_limit_group_t *g, u_char *dst)
{
    u_char  hash[NGX_HTTP_SYNC_LIMIT_PK];

    sync_put32(hash, ngx_crc32_long(g->take.group.data, g->take.group.len));

    return sync_base64_encode(dst, hash, NGX_HTTP_SYNC_LIMIT_PK);
}


static uint64_t
ngx_http_sync_limit_units(ngx_http_sync_limit_group_t *g, uint64_t n)
{
    return g->bytes ? n * NGX_HTTP_SYNC_LIMIT_BLOCK : n;
}


static ngx_uint_t
ngx_http_sync_limit_seconds(int64_t us)
{
    return us <= 0 ? 0 : (us - 1) / 1000000 + 1;
}
