
/*
 * Who is asked about tokens, and by which credentials of ours.
 */


#include "ngx_http_sync_auth_introspect.h"
#include "ngx_http_sync_live.h"


#define NGX_HTTP_SYNC_INTROSPECT_CACHE   60      /* s, where nothing is said */
#define NGX_HTTP_SYNC_INTROSPECT_LONGEST 3600
#define NGX_HTTP_SYNC_INTROSPECT_SECRET  4096    /* bytes */


struct ngx_http_sync_introspect_s {
    ngx_str_t              url;
    ngx_str_t              id;
    ngx_int_t              cache;        /* NGX_CONF_UNSET: not said */
    ngx_http_sync_live_t   live;         /* path.len 0: it came by env: */
    ngx_str_t              text;         /* of malloc, as live gives it */
    ngx_str_t              secret;       /* in text, or in the pool */
};


static void ngx_http_sync_introspect_secret(ngx_http_sync_introspect_t *in,
    ngx_log_t *log);
static void ngx_http_sync_introspect_trim(ngx_str_t *s);
static ngx_int_t ngx_http_sync_introspect_document(ngx_http_request_t *r,
    ngx_http_sync_tenant_t *t, uint32_t index,
    ngx_http_sync_introspect_way_t *way);
static char *ngx_http_sync_introspect_source(ngx_conf_t *cf,
    ngx_http_sync_introspect_t *in, ngx_str_t *value);
static void ngx_http_sync_introspect_cleanup(void *data);


ngx_uint_t
ngx_http_sync_introspect_issuers(ngx_http_request_t *r,
    ngx_http_sync_tenant_t *t, uint32_t index[NGX_HTTP_SYNC_INTROSPECT_ASKED])
{
    uint32_t                         i, n, found;
    const sync_doc_t                *doc;
    sync_doc_issuer_t                di;
    ngx_http_sync_issuer_t          *platform;
    ngx_http_sync_auth_main_conf_t  *amcf;

    doc = t != NULL ? ngx_http_sync_tenant_doc(t) : NULL;
    n = doc != NULL ? sync_doc_issuers(doc) : 0;
    found = 0;

    for (i = 0; i < n && found < NGX_HTTP_SYNC_INTROSPECT_ASKED; i++) {
        if (sync_doc_issuer_at(doc, i, &di) == SYNC_OK
            && di.introspect_url.len)
        {
            index[found++] = i;
        }
    }

    amcf = ngx_http_get_module_main_conf(r, ngx_http_sync_auth_module);
    platform = amcf->issuers.elts;

    for (i = 0;
         i < amcf->issuers.nelts && found < NGX_HTTP_SYNC_INTROSPECT_ASKED;
         i++)
    {
        if (platform[i].introspect != NULL) {
            index[found++] = i | NGX_HTTP_SYNC_AUTH_PLATFORM;
        }
    }

    return found;
}


ngx_int_t
ngx_http_sync_introspect_way(ngx_http_request_t *r, ngx_http_sync_tenant_t *t,
    uint32_t index, ngx_http_sync_introspect_way_t *way)
{
    ngx_http_sync_issuer_t          *platform;
    ngx_http_sync_introspect_t      *in;
    ngx_http_sync_auth_main_conf_t  *amcf;

    if (!(index & NGX_HTTP_SYNC_AUTH_PLATFORM)) {
        return ngx_http_sync_introspect_document(r, t, index, way);
    }

    amcf = ngx_http_get_module_main_conf(r, ngx_http_sync_auth_module);
    platform = amcf->issuers.elts;

    index &= ~NGX_HTTP_SYNC_AUTH_PLATFORM;

    if (index >= amcf->issuers.nelts || platform[index].introspect == NULL) {
        return NGX_DECLINED;
    }

    in = platform[index].introspect;

    ngx_http_sync_introspect_secret(in, r->connection->log);

    way->url = in->url;
    way->id = in->id;
    way->secret = in->secret;
    way->cache = in->cache;
    way->trusted = 1;

    return NGX_OK;
}


/* One that is broken or gone leaves the last one in force. */

static void
ngx_http_sync_introspect_secret(ngx_http_sync_introspect_t *in,
    ngx_log_t *log)
{
    ngx_str_t  text, secret;

    if (in->live.path.len == 0
        || ngx_http_sync_live_look(&in->live, &text, NGX_LOG_ERR, log)
           != NGX_OK)
    {
        return;
    }

    secret = text;
    ngx_http_sync_introspect_trim(&secret);

    if (secret.len == 0) {
        ngx_log_error(NGX_LOG_ERR, log, 0, "auth: \"%V\" is empty",
                      &in->live.path);
        ngx_http_sync_live_free(&text);
        return;
    }

    ngx_http_sync_live_free(&in->text);

    in->text = text;
    in->secret = secret;
}


static void
ngx_http_sync_introspect_trim(ngx_str_t *s)
{
    while (s->len && (s->data[s->len - 1] == '\n'
                      || s->data[s->len - 1] == '\r'))
    {
        s->len--;
    }
}


static ngx_int_t
ngx_http_sync_introspect_document(ngx_http_request_t *r,
    ngx_http_sync_tenant_t *t, uint32_t index,
    ngx_http_sync_introspect_way_t *way)
{
    ngx_str_t          *secret, name;
    sync_doc_issuer_t   di;

    if (t == NULL
        || sync_doc_issuer_at(ngx_http_sync_tenant_doc(t), index, &di)
           != SYNC_OK
        || di.introspect_url.len == 0)
    {
        return NGX_DECLINED;
    }

    ngx_memzero(way, sizeof(ngx_http_sync_introspect_way_t));

    way->url.len = di.introspect_url.len;
    way->url.data = di.introspect_url.data;

    way->cache = di.introspect_cache
                 ? (ngx_int_t) ngx_min(di.introspect_cache / 1000,
                                       NGX_HTTP_SYNC_INTROSPECT_LONGEST)
                 : NGX_HTTP_SYNC_INTROSPECT_CACHE;

    name.len = di.introspect_id.len;
    name.data = di.introspect_id.data;

    if (sync_str_starts(di.introspect_id, "secret:")) {
        name.len -= sizeof("secret:") - 1;
        name.data += sizeof("secret:") - 1;

        secret = ngx_http_sync_tenant_secret(t, &name, r->connection->log);

        if (secret != NULL) {
            way->id = *secret;
        }

    } else {
        way->id = name;
    }

    name.len = di.introspect_secret.len;
    name.data = di.introspect_secret.data;

    secret = ngx_http_sync_tenant_secret(t, &name, r->connection->log);

    if (secret != NULL) {
        way->secret = *secret;
    }

    return NGX_OK;
}


/*
 * A parameter of sync_issuer: introspect=URL, client_id=ID,
 * client_secret=file:PATH|env:NAME, cache=TIME.  Not one of them:
 * NGX_HTTP_SYNC_INTROSPECT_OTHER.
 */

char *
ngx_http_sync_introspect_param(ngx_conf_t *cf, ngx_http_sync_issuer_t *issuer,
    ngx_str_t *param)
{
    ngx_str_t                    value, *to;
    ngx_uint_t                   i;
    ngx_pool_cleanup_t          *cln;
    ngx_http_sync_introspect_t  *in;

    static const char  *names[] = {
        "introspect=", "client_id=", "client_secret=", "cache="
    };

    for (i = 0; i < 4; i++) {
        if (ngx_strncmp(param->data, names[i], ngx_strlen(names[i])) == 0) {
            break;
        }
    }

    if (i == 4) {
        return NGX_HTTP_SYNC_INTROSPECT_OTHER;
    }

    value.data = param->data + ngx_strlen(names[i]);
    value.len = param->len - ngx_strlen(names[i]);

    in = issuer->introspect;

    if (in == NULL) {
        in = ngx_pcalloc(cf->pool, sizeof(ngx_http_sync_introspect_t));
        cln = ngx_pool_cleanup_add(cf->pool, 0);

        if (in == NULL || cln == NULL) {
            return NGX_CONF_ERROR;
        }

        in->cache = NGX_CONF_UNSET;
        issuer->introspect = in;

        cln->handler = ngx_http_sync_introspect_cleanup;
        cln->data = in;
    }

    if (i == 3) {

        if (in->cache != NGX_CONF_UNSET) {
            return "has \"cache\" twice";
        }

        in->cache = ngx_parse_time(&value, 1);

        if (in->cache == NGX_ERROR
            || in->cache > NGX_HTTP_SYNC_INTROSPECT_LONGEST)
        {
            return "needs a time of at most an hour in \"cache=\", like "
                   "\"cache=60s\"";
        }

        return NGX_CONF_OK;
    }

    if (i == 2) {

        if (in->secret.len) {
            return "has \"client_secret\" twice";
        }

        return ngx_http_sync_introspect_source(cf, in, &value);
    }

    to = i == 0 ? &in->url : &in->id;

    if (to->len) {
        return i == 0 ? "has \"introspect\" twice"
                      : "has \"client_id\" twice";
    }

    *to = value;

    return NGX_CONF_OK;
}


static char *
ngx_http_sync_introspect_source(ngx_conf_t *cf, ngx_http_sync_introspect_t *in,
    ngx_str_t *value)
{
    char       *env;
    ngx_str_t   path;

    if (ngx_strncmp(value->data, "env:", 4) == 0 && value->len > 4) {

        env = getenv((char *) value->data + 4);

        if (env == NULL || *env == '\0') {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "no variable \"%s\" in the environment for "
                               "\"client_secret\"", value->data + 4);
            return NGX_CONF_ERROR;
        }

        path.len = ngx_strlen(env);
        path.data = (u_char *) env;

        in->secret.len = path.len;
        in->secret.data = ngx_pstrdup(cf->pool, &path);

        return in->secret.data != NULL ? NGX_CONF_OK : NGX_CONF_ERROR;
    }

    if (ngx_strncmp(value->data, "file:", 5) != 0 || value->len == 5) {
        return "takes \"client_secret=file:PATH\" or "
               "\"client_secret=env:NAME\", never the secret itself";
    }

    path.data = value->data + 5;
    path.len = value->len - 5;

    if (ngx_http_sync_live_init(cf, &in->live, "client_secret", &path,
                                NGX_HTTP_SYNC_INTROSPECT_SECRET)
        != NGX_OK
        || ngx_http_sync_live_look(&in->live, &in->text, NGX_LOG_EMERG,
                                   cf->log)
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    in->secret = in->text;
    ngx_http_sync_introspect_trim(&in->secret);

    if (in->secret.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"client_secret\": \"%V\" is empty",
                           &in->live.path);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* Once all parameters are read. */

char *
ngx_http_sync_introspect_done(ngx_conf_t *cf, ngx_http_sync_issuer_t *issuer)
{
    ngx_http_sync_introspect_t  *in;

    in = issuer->introspect;

    if (in->url.len == 0) {
        return "has \"client_id\", \"client_secret\" or \"cache\" without "
               "\"introspect=URL\"";
    }

    if (in->id.len == 0 || in->secret.len == 0) {
        return "needs \"client_id=\" and \"client_secret=\" with "
               "\"introspect\": who asks about tokens says who it is";
    }

    if (in->cache == NGX_CONF_UNSET) {
        in->cache = NGX_HTTP_SYNC_INTROSPECT_CACHE;
    }

    return ngx_http_sync_fetch_url(cf, &in->url);
}


static void
ngx_http_sync_introspect_cleanup(void *data)
{
    ngx_http_sync_introspect_t  *in = data;

    if (in->live.path.len) {
        ngx_http_sync_live_free(&in->text);

    } else if (in->secret.len) {
        sync_wipe(in->secret.data, in->secret.len);
    }
}
