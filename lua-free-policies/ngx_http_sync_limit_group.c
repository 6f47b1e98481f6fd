
/*
 * What a request takes of its limits: the keys of its buckets and places, what
 * it costs, the windows of its client's plan.
 */


#include "ngx_http_sync_limit.h"
#include "sync_crypto.h"


#define NGX_HTTP_SYNC_LIMIT_VALUE    64  /* longer values are digested */
#define NGX_HTTP_SYNC_LIMIT_LEASE    30000   /* of a plan's places */


static void ngx_http_sync_limit_leased(ngx_http_sync_limit_group_t *g);
static ngx_int_t ngx_http_sync_limit_variable(ngx_http_request_t *r,
    ngx_http_sync_limit_group_t *g);
static ngx_int_t ngx_http_sync_limit_plan(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, ngx_http_sync_limit_group_t *g,
    ngx_http_sync_limit_mark_t **marks);
static ngx_uint_t ngx_http_sync_limit_has_requests(const sync_doc_t *doc,
    uint32_t plan);
static ngx_int_t ngx_http_sync_limit_plan_line(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, ngx_http_sync_limit_group_t *g, uint32_t plan,
    const sync_doc_limit_t *line, ngx_http_sync_limit_line_t *about,
    u_char *digest);
static ngx_int_t ngx_http_sync_limit_room(ngx_http_request_t *r,
    ngx_http_sync_limit_group_t *g, ngx_uint_t n, ngx_uint_t places);
static ngx_uint_t ngx_http_sync_limit_window(const sync_gcra_t *gcra);
static ngx_int_t ngx_http_sync_limit_cost(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, ngx_http_sync_limit_group_t *g);
static void ngx_http_sync_limit_address(ngx_http_request_t *r,
    ngx_str_t *value);


ngx_int_t
ngx_http_sync_limit_group(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_limit_group_t *g, ngx_uint_t bytes,
    ngx_http_sync_limit_mark_t **marks)
{
    ngx_int_t                         rc;
    const ngx_http_sync_limit_t      *limit;
    ngx_http_sync_limit_main_conf_t  *lmcf;

    limit = g->limit;

    if (limit->key == NULL) {
        g->bytes = bytes != 0;
        rc = ngx_http_sync_limit_plan(r, ctx, g, marks);

    } else if (limit->bytes == bytes) {
        g->bytes = limit->bytes;
        rc = ngx_http_sync_limit_variable(r, g);

    } else {
        return NGX_DECLINED;
    }

    if (rc != NGX_OK) {
        return rc;
    }

    lmcf = ngx_http_get_module_main_conf(r, ngx_http_sync_limit_module);

    g->store = limit->mode == NGX_HTTP_SYNC_LIMIT_MODE_LOCAL ? lmcf->local
                                                             : lmcf->store;
    g->place_store = g->store;

    if (limit->mode == NGX_HTTP_SYNC_LIMIT_MODE_LEASED) {
        ngx_http_sync_limit_leased(g);
    }

    return ngx_http_sync_limit_cost(r, ctx, g);
}


/*
 * A plan that has a window too small for its lease to be strict is taken
 * exactly; a directive was refused at load.
 */

static void
ngx_http_sync_limit_leased(ngx_http_sync_limit_group_t *g)
{
    ngx_uint_t    i;
    sync_gcra_t   shrunk[NGX_SYNC_LIMITS_MAX];
    sync_gcra_t  *gcra;

    g->leased = 1;

    if (!g->limit->strict || g->limit->key != NULL) {
        return;
    }

    for (i = 0; i < g->take.n; i++) {
        shrunk[i] = *g->take.items[i].gcra;

        if (sync_gcra_strict(&shrunk[i], (int64_t) g->limit->lease * 1000)
            != SYNC_OK)
        {
            g->leased = 0;
            return;
        }
    }

    for (i = 0; i < g->take.n; i++) {

        /* made by plan_line(), for this request */

        gcra = (sync_gcra_t *) g->take.items[i].gcra;
        *gcra = shrunk[i];
    }
}


/* NGX_DECLINED: the key is empty, there is nothing to count by. */

static ngx_int_t
ngx_http_sync_limit_variable(ngx_http_request_t *r,
    ngx_http_sync_limit_group_t *g)
{
    u_char                       *p;
    uint32_t                      label;
    ngx_int_t                     rc;
    ngx_str_t                     key;
    ngx_uint_t                    places;
    sync_gcra_t                  *gcra;
    const ngx_http_sync_limit_t  *limit;

    limit = g->limit;

    rc = ngx_http_sync_limit_key(r, limit->key, limit->address, limit->id,
                                 &key);
    if (rc != NGX_OK) {
        return rc;
    }

    places = limit->kind == NGX_HTTP_SYNC_LIMIT_CONCURRENT;

    if (ngx_http_sync_limit_room(r, g, !places, places) != NGX_OK) {
        return NGX_ERROR;
    }

    g->name = limit->name;
    g->only = 1;
    g->take.group = key;

    if (places) {
        g->nplaces = 1;
        g->places[0].key = key;
        g->places[0].limit = limit->places;
        g->places[0].lease = limit->lease;

        return NGX_OK;
    }

    g->take.n = 1;

    if (limit->kind == NGX_HTTP_SYNC_LIMIT_QUOTA) {
        gcra = ngx_palloc(r->pool, sizeof(sync_gcra_t));
        if (gcra == NULL) {
            return NGX_ERROR;
        }

        ngx_http_sync_limit_quota(limit->quota, limit->unit, limit->zone,
                                  gcra, &label, &g->lines[0].window);

        p = ngx_pnalloc(r->pool, key.len + sizeof(label));
        if (p == NULL) {
            return NGX_ERROR;
        }

        g->take.items[0].key.data = p;
        g->take.items[0].key.len = key.len + sizeof(label);
        g->take.items[0].gcra = gcra;

        p = ngx_cpymem(p, key.data, key.len);
        ngx_memcpy(p, &label, sizeof(label));

        return NGX_OK;
    }

    g->take.items[0].key = key;
    g->take.items[0].gcra = &limit->gcra;
    g->lines[0].window = ngx_http_sync_limit_window(&limit->gcra);

    return NGX_OK;
}


ngx_int_t
ngx_http_sync_limit_key(ngx_http_request_t *r, ngx_http_complex_value_t *cv,
    ngx_uint_t address, const u_char *id, ngx_str_t *key)
{
    u_char     *p;
    ngx_str_t   value;

    if (address) {
        ngx_http_sync_limit_address(r, &value);

    } else if (ngx_http_complex_value(r, cv, &value) != NGX_OK) {
        return NGX_ERROR;
    }

    if (value.len == 0) {
        return NGX_DECLINED;
    }

    p = ngx_pnalloc(r->pool, NGX_HTTP_SYNC_LIMIT_ID + 1
                             + NGX_HTTP_SYNC_LIMIT_VALUE);
    if (p == NULL) {
        return NGX_ERROR;
    }

    key->data = p;

    p = ngx_cpymem(p, id, NGX_HTTP_SYNC_LIMIT_ID);

    if (value.len <= NGX_HTTP_SYNC_LIMIT_VALUE) {
        *p++ = 'v';
        p = ngx_cpymem(p, value.data, value.len);

    } else {
        *p++ = 'h';
        sync_sha256(value.data, value.len, p);
        p += SYNC_SHA256_LEN;
    }

    key->len = p - key->data;

    return NGX_OK;
}


/*
 * The lines of the client's plan that count in this unit; places are with the
 * requests.  Buckets belong to tenant and client, not to the location; a
 * window whose rate is changed by the document begins anew, the others stay as
 * they are.  NGX_DECLINED: no plan, or no such line.
 */

static ngx_int_t
ngx_http_sync_limit_plan(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_limit_group_t *g, ngx_http_sync_limit_mark_t **marks)
{
    u_char                      *digest;
    uint32_t                     i, n;
    sync_str_t                   name;
    sync_sha256_t                sha;
    const sync_doc_t            *doc;
    sync_doc_limit_t             line;
    sync_doc_client_t            client;
    ngx_http_sync_limit_line_t   about;

    doc = ctx->tenant.doc;

    if (doc == NULL
        || sync_doc_client_at(doc, ctx->principal.index, &client) != SYNC_OK)
    {
        return NGX_DECLINED;
    }

    if (ctx->principal.plan.len) {

        /* that there is such a plan was said when the client was let in */

        name.len = ctx->principal.plan.len;
        name.data = ctx->principal.plan.data;

        client.plan = sync_doc_plan(doc, name);
    }

    if (client.plan == SYNC_DOC_NONE) {
        return NGX_DECLINED;
    }

    n = sync_doc_limits(doc, client.plan);
    digest = NULL;

    for (i = 0; i < n; i++) {

        if (sync_doc_limit_at(doc, client.plan, i, &line) != SYNC_OK
            || line.bytes != g->bytes)
        {
            continue;
        }

        if (digest == NULL) {

            if (ngx_http_sync_limit_room(r, g, n, n) != NGX_OK) {
                return NGX_ERROR;
            }

            g->take.group.len = 1 + SYNC_SHA256_LEN;
            g->take.group.data = ngx_pnalloc(r->pool, g->take.group.len);
            if (g->take.group.data == NULL) {
                return NGX_ERROR;
            }

            g->take.group.data[0] = 'p';
            digest = g->take.group.data + 1;

            sync_sha256_init(&sha);
            sync_sha256_update(&sha, ctx->tenant.id.data, ctx->tenant.id.len);
            sync_sha256_update(&sha, "", 1);
            sync_sha256_update(&sha, client.id.data, client.id.len);
            sync_sha256_final(&sha, digest);
        }

        about.number = n > 1 ? i + 1 : 0;
        about.window = 0;

        if (ngx_http_sync_limit_plan_line(r, ctx, g, client.plan, &line,
                                          &about, digest)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    if (digest == NULL) {
        return NGX_DECLINED;
    }

    g->only = n == 1;

    if (g->limit->named) {
        g->name = g->limit->name;

    } else {
        name = sync_doc_plan_name(doc, client.plan);

        g->name.len = name.len;
        g->name.data = name.data;
    }

    /* looked at once, by the part that every request has */

    if (!g->bytes || !ngx_http_sync_limit_has_requests(doc, client.plan)) {
        return ngx_http_sync_limit_plan_penalty(r, ctx, g, client.plan,
                                                marks);
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_http_sync_limit_has_requests(const sync_doc_t *doc, uint32_t plan)
{
    uint32_t          i, n;
    sync_doc_limit_t  line;

    n = sync_doc_limits(doc, plan);

    for (i = 0; i < n; i++) {
        if (sync_doc_limit_at(doc, plan, i, &line) == SYNC_OK && !line.bytes) {
            return 1;
        }
    }

    return 0;
}


static ngx_int_t
ngx_http_sync_limit_plan_line(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_limit_group_t *g, uint32_t plan,
    const sync_doc_limit_t *line, ngx_http_sync_limit_line_t *about,
    u_char *digest)
{
    u_char                       *p;
    uint32_t                      label;
    ngx_str_t                     key;
    sync_gcra_t                  *gcra;
    sync_error_t                  err;
    ngx_http_sync_limit_place_t  *place;

    p = ngx_pnalloc(r->pool, 1 + SYNC_SHA256_LEN + 2 * sizeof(uint64_t));
    gcra = ngx_palloc(r->pool, sizeof(sync_gcra_t));

    if (p == NULL || gcra == NULL) {
        return NGX_ERROR;
    }

    key.data = p;

    *p++ = line->kind == SYNC_LIMIT_CONCURRENCY ? 'c' : line->bytes ? 'b'
                                                                    : 'p';
    p = ngx_cpymem(p, digest, SYNC_SHA256_LEN);

    if (line->kind == SYNC_LIMIT_CONCURRENCY) {
        key.len = p - key.data;

        place = &g->places[g->nplaces++];

        place->line = *about;
        place->key = key;
        place->limit = line->count;
        place->lease = NGX_HTTP_SYNC_LIMIT_LEASE;

        return NGX_OK;
    }

    if (line->kind == SYNC_LIMIT_QUOTA) {

        if (line->count == 0 || line->count > UINT32_MAX) {
            goto bounds;
        }

        ngx_http_sync_limit_quota(line->count, line->unit,
                          ngx_http_sync_limit_zone(r->connection->log,
                              sync_doc_plan_zone(ctx->tenant.doc, plan)),
                          gcra, &label, &about->window);

        /* of a plan each day and each month have one, whatever the number */

        *p++ = line->unit == SYNC_ZONE_DAY ? 'd' : 'm';
        p = ngx_cpymem(p, &label, sizeof(label));
        key.len = p - key.data;

        goto done;
    }

    p = ngx_cpymem(p, &line->count, sizeof(uint64_t));
    p = ngx_cpymem(p, &line->per_us, sizeof(uint64_t));
    key.len = p - key.data;

    if (line->count > UINT32_MAX || line->burst > UINT32_MAX
        || sync_gcra_init(gcra, line->count, line->per_us, line->burst, &err)
           != SYNC_OK)
    {
        goto bounds;
    }

    about->window = ngx_http_sync_limit_window(gcra);

done:

    g->lines[g->take.n] = *about;
    g->take.items[g->take.n].gcra = gcra;
    g->take.items[g->take.n].key = key;
    g->take.n++;

    return NGX_OK;

bounds:

    ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                  "limit: a line of a plan is out of bounds, tenant \"%V\"",
                  &ctx->tenant.name);

    return NGX_ERROR;
}


static ngx_int_t
ngx_http_sync_limit_room(ngx_http_request_t *r, ngx_http_sync_limit_group_t *g,
    ngx_uint_t n, ngx_uint_t places)
{
    n = ngx_min(n, NGX_SYNC_LIMITS_MAX);

    g->take.items = ngx_palloc(r->pool,
                               n * (sizeof(ngx_sync_limit_item_t)
                                    + sizeof(sync_gcra_answer_t)
                                    + sizeof(ngx_http_sync_limit_line_t)));
    if (g->take.items == NULL) {
        return NGX_ERROR;
    }

    g->take.answers = (sync_gcra_answer_t *) &g->take.items[n];
    g->lines = (ngx_http_sync_limit_line_t *) &g->take.answers[n];

    ngx_memzero(g->lines, n * sizeof(ngx_http_sync_limit_line_t));

    if (places == 0) {
        return NGX_OK;
    }

    g->places = ngx_pcalloc(r->pool,
                            places * sizeof(ngx_http_sync_limit_place_t));

    return g->places != NULL ? NGX_OK : NGX_ERROR;
}


/* The seconds in which an empty bucket fills. */

static ngx_uint_t
ngx_http_sync_limit_window(const sync_gcra_t *gcra)
{
    return (gcra->span / gcra->count + 999999) / 1000000;
}


/*
 * A cost below one, or one that is no number, is one; a cost of many digits is
 * over any burst.  Content of which nobody knows how long it will be cannot
 * be paid for ahead.
 */

static ngx_int_t
ngx_http_sync_limit_cost(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_limit_group_t *g)
{
    size_t                        i;
    uint64_t                      n;
    ngx_str_t                     value;
    const ngx_http_sync_limit_t  *limit;

    limit = g->limit;

    if (g->bytes) {

        if (r->headers_in.content_length_n > 0) {
            g->take.cost = (r->headers_in.content_length_n - 1)
                           / NGX_HTTP_SYNC_LIMIT_BLOCK + 1;
            return NGX_OK;
        }

        /* NGINX says so of HTTP/2, too */

        if (r->headers_in.chunked) {
            return ngx_http_sync_problem(ctx, NGX_HTTP_LENGTH_REQUIRED,
                                         "length-required",
                                         "The content has no length",
                                         NGX_HTTP_SYNC_TECHNICAL,
                                         "limit \"%V\" counts content: "
                                         "Content-Length is needed",
                                         &g->name);
        }

        return NGX_DECLINED;
    }

    g->take.cost = limit->units;

    if (limit->cost == NULL) {
        return NGX_OK;
    }

    if (ngx_http_complex_value(r, limit->cost, &value) != NGX_OK) {
        return NGX_ERROR;
    }

    n = 0;

    for (i = 0; i < value.len; i++) {

        if (value.data[i] < '0' || value.data[i] > '9') {
            n = 0;
            break;
        }

        if (n <= UINT32_MAX) {
            n = n * 10 + (value.data[i] - '0');
        }
    }

    g->take.cost = ngx_max(n, 1);

    return NGX_OK;
}


/* Of IPv6 the network that one subscriber is given, /64. */

static void
ngx_http_sync_limit_address(ngx_http_request_t *r, ngx_str_t *value)
{
    struct sockaddr_in   *sin;
#if (NGX_HAVE_INET6)
    struct sockaddr_in6  *sin6;
#endif

    switch (r->connection->sockaddr->sa_family) {

#if (NGX_HAVE_INET6)
    case AF_INET6:
        sin6 = (struct sockaddr_in6 *) r->connection->sockaddr;

        if (IN6_IS_ADDR_V4MAPPED(&sin6->sin6_addr)) {
            value->len = 4;
            value->data = &sin6->sin6_addr.s6_addr[12];

        } else {
            value->len = 8;
            value->data = sin6->sin6_addr.s6_addr;
        }

        break;
#endif

    case AF_INET:
        sin = (struct sockaddr_in *) r->connection->sockaddr;
        value->len = 4;
        value->data = (u_char *) &sin->sin_addr;
        break;

    default: /* AF_UNIX: all of them are one */
        ngx_str_set(value, "unix:");
        break;
    }
}


/* At least one of each: who is let in nowhere would be told a lie. */

ngx_int_t
ngx_http_sync_limit_divide(ngx_http_request_t *r,
    ngx_http_sync_limit_group_t *g, ngx_uint_t nodes, ngx_uint_t take)
{
    uint32_t                          burst;
    ngx_uint_t                        i;
    sync_gcra_t                      *part;
    const sync_gcra_t                *gcra;
    ngx_http_sync_limit_main_conf_t  *lmcf;

    lmcf = ngx_http_get_module_main_conf(r, ngx_http_sync_limit_module);

    if (!take) {
        g->place_store = lmcf->local;

        for (i = g->place; i < g->nplaces; i++) {
            g->places[i].limit = ngx_max(g->places[i].limit / nodes, 1);
        }

        return NGX_OK;
    }

    g->store = lmcf->local;
    g->leased = 0;

    part = ngx_palloc(r->pool, g->take.n * sizeof(sync_gcra_t));
    if (part == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < g->take.n; i++) {
        gcra = g->take.items[i].gcra;
        burst = ngx_max(gcra->burst / nodes, 1);

        /* slower than any limit may be: one at a time, and the rest later */

        if ((gcra->window
             ? sync_gcra_count(&part[i], gcra->window, burst, NULL)
             : sync_gcra_init(&part[i], gcra->count, gcra->per * nodes, burst,
                              NULL))
            != SYNC_OK)
        {
            part[i] = *gcra;
            part[i].burst = 1;
            part[i].span = gcra->per;
        }

        g->take.items[i].gcra = &part[i];
    }

    return NGX_OK;
}
