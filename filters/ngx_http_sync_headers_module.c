
/*
 * What a connector's answer shows to a client: headers by a list, and a
 * Location that names our own object and not the connector's.
 *
 * It has no directive: it acts where a route has chosen a connector.  It runs
 * before the core's collector, so that also a kept answer has these headers.
 */


#include "ngx_http_sync.h"
#include "sync_template.h"


static ngx_int_t ngx_http_sync_headers_filter(ngx_http_request_t *r);
static ngx_uint_t ngx_http_sync_headers_received(ngx_http_request_t *r,
    ngx_table_elt_t *h);
static ngx_uint_t ngx_http_sync_headers_pass(ngx_http_sync_ctx_t *ctx,
    ngx_table_elt_t *h);
static ngx_uint_t ngx_http_sync_headers_is_location(ngx_table_elt_t *h);
static ngx_int_t ngx_http_sync_headers_location(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, ngx_table_elt_t *h);
static ngx_int_t ngx_http_sync_headers_id(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, ngx_str_t *location, ngx_str_t *id);
static ngx_int_t ngx_http_sync_headers_init(ngx_conf_t *cf);


/* Stands for an id where the pattern of a connector's paths is wanted. */

#define NGX_HTTP_SYNC_HEADERS_ID  "0sync0object0id0"


static ngx_str_t  ngx_http_sync_headers_passed[] = {
    ngx_string("cache-control"),
    ngx_string("content-disposition"),
    ngx_string("content-encoding"),
    ngx_string("content-language"),
    ngx_string("etag"),
    ngx_string("expires"),
    ngx_string("last-modified"),
    ngx_string("retry-after"),
    ngx_string("vary"),
    ngx_null_string
};


static ngx_http_module_t  ngx_http_sync_headers_module_ctx = {
    NULL,                                  /* preconfiguration */
    ngx_http_sync_headers_init,            /* postconfiguration */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    NULL,                                  /* create location configuration */
    NULL                                   /* merge location configuration */
};


ngx_module_t  ngx_http_sync_headers_module = {
    NGX_MODULE_V1,
    &ngx_http_sync_headers_module_ctx,     /* module context */
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


static ngx_http_output_header_filter_pt  ngx_http_next_header_filter;


static ngx_int_t
ngx_http_sync_headers_filter(ngx_http_request_t *r)
{
    ngx_uint_t            i;
    ngx_list_part_t      *part;
    ngx_table_elt_t      *h;
    ngx_http_sync_ctx_t  *ctx;

    if (r != r->main || r->upstream == NULL) {
        return ngx_http_next_header_filter(r);
    }

    ctx = ngx_http_sync_get_ctx(r);

    if (ctx == NULL || ctx->route.connector == SYNC_DOC_NONE) {
        return ngx_http_next_header_filter(r);
    }

    for (part = &r->headers_out.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (h[i].hash == 0
                || !ngx_http_sync_headers_received(r, &h[i])
                || ngx_http_sync_headers_pass(ctx, &h[i]))
            {
                continue;
            }

            /* not in its named field: NGINX would make it absolute */

            if (&h[i] == r->headers_out.location) {
                r->headers_out.location = NULL;
            }

            if (ngx_http_sync_headers_location(r, ctx, &h[i]) != NGX_OK) {
                h[i].hash = 0;
            }
        }
    }

    return ngx_http_next_header_filter(r);
}


/*
 * Did the connector send it?  NGINX copies what it passes on from upstream
 * element by element: the name stays the same memory.
 */

static ngx_uint_t
ngx_http_sync_headers_received(ngx_http_request_t *r, ngx_table_elt_t *h)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *u;

    for (part = &r->upstream->headers_in.headers.part; part;
         part = part->next)
    {
        u = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (u[i].key.data == h->key.data) {
                return 1;
            }
        }
    }

    return 0;
}


static ngx_uint_t
ngx_http_sync_headers_pass(ngx_http_sync_ctx_t *ctx, ngx_table_elt_t *h)
{
    u_char       lower[64];
    ngx_str_t   *pass;
    sync_str_t   name;

    if (h->key.len > sizeof(lower)) {
        return 0;
    }

    ngx_strlow(lower, h->key.data, h->key.len);

    name.len = h->key.len;
    name.data = lower;

    if (ngx_http_sync_headers_is_location(h)) {
        /* never as it came, whatever the document lists */
        return 0;
    }

    for (pass = ngx_http_sync_headers_passed; pass->len; pass++) {
        if (pass->len == name.len
            && ngx_memcmp(lower, pass->data, name.len) == 0)
        {
            return 1;
        }
    }

    return sync_doc_has(ctx->tenant.doc, ctx->route.c.response_headers, name);
}


static ngx_uint_t
ngx_http_sync_headers_is_location(ngx_table_elt_t *h)
{
    return h->key.len == sizeof("Location") - 1
           && ngx_strncasecmp(h->key.data, (u_char *) "Location", h->key.len)
              == 0;
}


/*
 * The object that was created, below the path that the client has asked, if that
 * is where objects are: a webhook's is not.
 */

static ngx_int_t
ngx_http_sync_headers_location(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, ngx_table_elt_t *h)
{
    size_t      len;
    u_char     *p, *last;
    ngx_str_t   id, path, prefix;

    if (!ngx_http_sync_headers_is_location(h)
        || ctx->payload.operation != SYNC_OP_CREATE
        || !ctx->payload.placed
        || ngx_http_sync_headers_id(r, ctx, &h->value, &id) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    path.data = r->unparsed_uri.data;
    last = path.data + r->unparsed_uri.len;

    for (p = path.data; p < last && *p != '?' && *p != '#'; p++) { /* void */ }

    while (p > path.data && p[-1] == '/') {
        p--;
    }

    path.len = p - path.data;

    if (path.len == 0 || path.data[0] != '/') {
        return NGX_DECLINED;
    }

    ngx_str_null(&prefix);

    if (sync_doc_ids_prefixed(ctx->tenant.doc)) {
        prefix.len = ctx->route.c.name.len;
        prefix.data = ctx->route.c.name.data;
    }

    len = path.len + 1 + prefix.len + 1 + 3 * id.len;

    p = ngx_pnalloc(r->pool, len);
    if (p == NULL) {
        return NGX_DECLINED;
    }

    h->value.data = p;

    p = ngx_cpymem(p, path.data, path.len);
    *p++ = '/';

    if (prefix.len) {
        p = ngx_cpymem(p, prefix.data, prefix.len);
        *p++ = '~';
    }

    p = (u_char *) ngx_escape_uri(p, id.data, id.len,
                                  NGX_ESCAPE_URI_COMPONENT);

    h->value.len = p - h->value.data;

    return NGX_OK;
}


/*
 * Reads the id out of a connector's Location: its path must be that of the
 * connector's own "read".  NGX_OK, or NGX_DECLINED: it is something else.
 */

static ngx_int_t
ngx_http_sync_headers_id(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    ngx_str_t *location, ngx_str_t *id)
{
    size_t                  n;
    u_char                 *p, *q, *last, *mark;
    ngx_str_t               head, tail, loc;
    ngx_uint_t              quoted;
    sync_str_t              target;
    sync_error_t            err;
    sync_doc_operation_t    read;
    sync_template_values_t  values;

    if (sync_doc_operation(ctx->tenant.doc, ctx->route.connector,
                           ctx->payload.entity, SYNC_OP_READ, &read)
        != SYNC_OK
        || sync_template_uses(read.code) != SYNC_TEMPLATE_ID)
    {
        return NGX_DECLINED;
    }

    ngx_memzero(&values, sizeof(values));
    values.id = sync_str_lit(NGX_HTTP_SYNC_HEADERS_ID);

    if (sync_template_render(read.code, &values, &ctx->arena, &target, &err)
        != SYNC_OK)
    {
        return NGX_DECLINED;
    }

    p = target.data;
    last = p + target.len;

    q = ngx_strlchr(p, last, '?');
    if (q != NULL) {
        last = q;
    }

    mark = ngx_strnstr(p, NGX_HTTP_SYNC_HEADERS_ID, last - p);
    if (mark == NULL) {
        return NGX_DECLINED;
    }

    head.data = p;
    head.len = mark - p;
    tail.data = mark + sizeof(NGX_HTTP_SYNC_HEADERS_ID) - 1;
    tail.len = last - tail.data;

    /* the path alone of "https://host/path?query" */

    loc = *location;
    q = ngx_strnstr(loc.data, "://", loc.len);

    if (q != NULL) {
        p = ngx_strlchr(q + 3, loc.data + loc.len, '/');
        if (p == NULL) {
            return NGX_DECLINED;
        }

        loc.len -= p - loc.data;
        loc.data = p;
    }

    for (n = 0; n < loc.len; n++) {
        if (loc.data[n] == '?' || loc.data[n] == '#') {
            loc.len = n;
        }
    }

    n = ctx->route.c.path.len;

    if (loc.len <= n + head.len + tail.len
        || ngx_memcmp(loc.data, ctx->route.c.path.data, n) != 0
        || ngx_memcmp(loc.data + n, head.data, head.len) != 0
        || ngx_memcmp(loc.data + loc.len - tail.len, tail.data, tail.len) != 0)
    {
        return NGX_DECLINED;
    }

    loc.data += n + head.len;
    loc.len -= n + head.len + tail.len;

    if (ngx_strlchr(loc.data, loc.data + loc.len, '/') != NULL) {
        return NGX_DECLINED;
    }

    id->data = ngx_pnalloc(r->pool, loc.len);
    if (id->data == NULL) {
        return NGX_DECLINED;
    }

    p = id->data;
    q = loc.data;
    ngx_unescape_uri(&p, &q, loc.len, 0);
    id->len = p - id->data;

    /* OData writes a quote of a literal twice */

    quoted = head.len && head.data[head.len - 1] == '\'';

    if (quoted) {
        n = 0;

        for (p = id->data; p < id->data + id->len; p++) {
            id->data[n++] = *p;

            if (*p == '\'') {
                p++;
            }
        }

        id->len = n;
    }

    return id->len ? NGX_OK : NGX_DECLINED;
}


static ngx_int_t
ngx_http_sync_headers_init(ngx_conf_t *cf)
{
    ngx_http_sync_main_conf_t  *smcf;

    smcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_sync_module);

    if (smcf->steps[NGX_HTTP_SYNC_STEP_ROUTE] == NULL) {
        return NGX_OK;
    }

    ngx_http_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_http_sync_headers_filter;

    return NGX_OK;
}
