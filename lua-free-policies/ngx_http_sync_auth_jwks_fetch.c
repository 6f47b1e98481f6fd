
/*
 * The way to a key set: where it is (OpenID Connect Discovery 1.0, section 4;
 * RFC 8414, section 3), and the set itself.  What an issuer says of itself
 * counts only if it says it under its own name.
 */


#include "ngx_http_sync_auth_jwks.h"
#include "sync_crypto.h"
#include "sync_url.h"


#define NGX_HTTP_SYNC_JWKS_CONNECT  2000     /* ms */
#define NGX_HTTP_SYNC_JWKS_READ     3000
#define NGX_HTTP_SYNC_JWKS_ALL      5000     /* of each of three */
#define NGX_HTTP_SYNC_JWKS_BUDGET   1000     /* ms after one was spent */

#define NGX_HTTP_SYNC_JWKS_OPENID   "/.well-known/openid-configuration"
#define NGX_HTTP_SYNC_JWKS_OAUTH    "/.well-known/oauth-authorization-server"


typedef enum {
    NGX_HTTP_SYNC_JWKS_AT_OPENID = 0,
    NGX_HTTP_SYNC_JWKS_AT_OAUTH,
    NGX_HTTP_SYNC_JWKS_AT_KEYS
} ngx_http_sync_jwks_step_e;


typedef struct {
    ngx_queue_t                  queue;
    ngx_pool_t                  *pool;
    ngx_http_sync_flight_t       flight;
    ngx_http_sync_jwks_place_t   place;
    ngx_http_sync_jwks_step_e    step;
    ngx_sync_fetch_t            *fetch;      /* under way */
    unsigned                     discovered:1;
} ngx_http_sync_jwks_way_t;


static ngx_int_t ngx_http_sync_jwks_ask(ngx_http_sync_jwks_way_t *way);
static ngx_int_t ngx_http_sync_jwks_metadata_url(ngx_http_sync_jwks_way_t *way,
    ngx_str_t *url);
static ngx_uint_t ngx_http_sync_jwks_at_home(ngx_http_sync_jwks_way_t *way);
static ngx_int_t ngx_http_sync_jwks_host_budget(sync_url_t *url,
    ngx_http_sync_jwks_place_t *place);
static void ngx_http_sync_jwks_answered(ngx_sync_fetch_t *fetch);
static void ngx_http_sync_jwks_metadata(ngx_http_sync_jwks_way_t *way);
static const char *ngx_http_sync_jwks_metadata_read(
    ngx_http_sync_jwks_way_t *way);
static void ngx_http_sync_jwks_keys(ngx_http_sync_jwks_way_t *way);
static ngx_msec_t ngx_http_sync_jwks_fresh(ngx_sync_fetch_t *fetch);
static void ngx_http_sync_jwks_fail(ngx_http_sync_jwks_way_t *way,
    const char *what);
static void ngx_http_sync_jwks_refuse(ngx_http_sync_jwks_way_t *way,
    const char *what);
static ngx_msec_t ngx_http_sync_jwks_told(ngx_http_sync_jwks_way_t *way,
    const char *what);
static void ngx_http_sync_jwks_done(ngx_http_sync_jwks_way_t *way);
static ngx_int_t ngx_http_sync_jwks_copy(ngx_pool_t *pool, ngx_str_t *dst,
    u_char *data, size_t len);


static ngx_queue_t  ngx_http_sync_jwks_ways;     /* of this worker */


ngx_int_t
ngx_http_sync_jwks_fetch(ngx_http_sync_flight_t *flight,
    ngx_http_sync_jwks_place_t *place)
{
    ngx_pool_t                *pool;
    ngx_http_sync_jwks_way_t  *way;

    if (ngx_http_sync_jwks_ways.next == NULL) {
        ngx_queue_init(&ngx_http_sync_jwks_ways);
    }

    pool = ngx_create_pool(1024, ngx_cycle->log);

    if (pool == NULL) {
        goto failed;
    }

    way = ngx_pcalloc(pool, sizeof(ngx_http_sync_jwks_way_t));

    if (way == NULL
        || ngx_http_sync_jwks_copy(pool, &way->place.issuer,
                                   place->issuer.data, place->issuer.len)
           != NGX_OK
        || ngx_http_sync_jwks_copy(pool, &way->place.url, place->url.data,
                                   place->url.len)
           != NGX_OK)
    {
        ngx_destroy_pool(pool);
        goto failed;
    }

    way->pool = pool;
    way->flight = *flight;
    way->place.conf = place->conf;
    way->place.trusted = place->trusted;
    way->place.known = place->known;
    way->place.vital = place->vital;
    way->step = place->url.len ? NGX_HTTP_SYNC_JWKS_AT_KEYS
                               : NGX_HTTP_SYNC_JWKS_AT_OPENID;

    ngx_queue_insert_tail(&ngx_http_sync_jwks_ways, &way->queue);

    if (ngx_http_sync_jwks_ask(way) != NGX_OK) {
        flight->retry = NGX_HTTP_SYNC_JWKS_AGAIN;
        return NGX_DECLINED;
    }

    return NGX_OK;

failed:

    ngx_http_sync_flight_refuse(flight, NGX_HTTP_SYNC_JWKS_BUDGET);
    flight->retry = NGX_HTTP_SYNC_JWKS_BUDGET;

    return NGX_DECLINED;
}


/* The next question.  NGX_DECLINED: there is none, and the way has ended. */

static ngx_int_t
ngx_http_sync_jwks_ask(ngx_http_sync_jwks_way_t *way)
{
    ngx_str_t          value, text;
    sync_url_t         url;
    sync_error_t       err;
    ngx_sync_fetch_t  *fetch;

    text = way->place.url;

    if (way->step != NGX_HTTP_SYNC_JWKS_AT_KEYS
        && ngx_http_sync_jwks_metadata_url(way, &text) != NGX_OK)
    {
        ngx_http_sync_jwks_fail(way, "it cannot be asked by its name");
        return NGX_DECLINED;
    }

    if (sync_url_parse(&url, (sync_str_t) { text.len, text.data }, &err)
        != SYNC_OK)
    {
        ngx_http_sync_jwks_fail(way, "the URL of its keys is none");
        return NGX_DECLINED;
    }

    if (ngx_http_sync_jwks_host_budget(&url, &way->place) != NGX_OK) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "auth: the keys of issuer \"%V\" are not asked for, the "
                      "budget of host \"%*s\" is spent", &way->place.issuer,
                      url.host.len, url.host.data);

        ngx_http_sync_event(NGX_HTTP_SYNC_EVENT_KEYS_REFUSED);
        ngx_http_sync_flight_refuse(&way->flight, NGX_HTTP_SYNC_JWKS_BUDGET);
        ngx_http_sync_jwks_done(way);

        return NGX_DECLINED;
    }

    fetch = ngx_sync_fetch_create(way->place.conf, ngx_cycle->log);

    if (fetch == NULL) {
        ngx_http_sync_jwks_refuse(way, "no memory");
        return NGX_DECLINED;
    }

    way->fetch = fetch;

    ngx_str_set(&fetch->method, "GET");
    ngx_str_set(&value, "application/json");

    fetch->max = NGX_HTTP_SYNC_JWKS_SIZE;
    fetch->connect_timeout = NGX_HTTP_SYNC_JWKS_CONNECT;
    fetch->read_timeout = NGX_HTTP_SYNC_JWKS_READ;
    fetch->timeout = NGX_HTTP_SYNC_JWKS_ALL;
    fetch->trusted = way->place.trusted
                     && (way->step != NGX_HTTP_SYNC_JWKS_AT_KEYS
                         || ngx_http_sync_jwks_at_home(way));
    fetch->vital = way->place.vital;
    fetch->handler = ngx_http_sync_jwks_answered;
    fetch->data = way;

    if (ngx_http_sync_jwks_copy(fetch->pool, &fetch->url, text.data, text.len)
        != NGX_OK
        || ngx_sync_fetch_header(fetch, "Accept", &value) != NGX_OK)
    {
        ngx_http_sync_jwks_refuse(way, "no memory");
        return NGX_DECLINED;
    }

    ngx_sync_fetch_start(fetch);

    return NGX_OK;
}


/*
 * "https://host/path" has its metadata at "https://host/path/.well-known/..."
 * for OpenID, at "https://host/.well-known/.../path" for OAuth.
 */

static ngx_int_t
ngx_http_sync_jwks_metadata_url(ngx_http_sync_jwks_way_t *way, ngx_str_t *url)
{
    u_char        *p;
    ngx_str_t     *issuer;
    sync_str_t     path;
    sync_url_t     u;
    sync_error_t   err;

    issuer = &way->place.issuer;

    if (sync_url_parse(&u, (sync_str_t) { issuer->len, issuer->data }, &err)
        != SYNC_OK)
    {
        return NGX_ERROR;
    }

    path = u.target;

    if (path.len && path.data[path.len - 1] == '/') {
        path.len--;
    }

    p = ngx_pnalloc(way->pool, sizeof("https://") + u.authority.len + path.len
                               + sizeof(NGX_HTTP_SYNC_JWKS_OAUTH));
    if (p == NULL) {
        return NGX_ERROR;
    }

    url->data = p;

    if (way->step == NGX_HTTP_SYNC_JWKS_AT_OPENID) {
        p = ngx_sprintf(p, "https://%*s%*s" NGX_HTTP_SYNC_JWKS_OPENID,
                        u.authority.len, u.authority.data, path.len,
                        path.data);
    } else {
        p = ngx_sprintf(p, "https://%*s" NGX_HTTP_SYNC_JWKS_OAUTH "%*s",
                        u.authority.len, u.authority.data, path.len,
                        path.data);
    }

    url->len = p - url->data;

    return NGX_OK;
}


/*
 * nginx.conf names an issuer, or the URL of its keys: that is the owner's word.
 * Another host that the issuer names is the issuer's.
 */

static ngx_uint_t
ngx_http_sync_jwks_at_home(ngx_http_sync_jwks_way_t *way)
{
    sync_url_t    a, b;
    sync_error_t  err;

    if (!way->discovered) {
        return 1;
    }

    return sync_url_parse(&a, (sync_str_t) { way->place.url.len,
                                             way->place.url.data }, &err)
           == SYNC_OK
           && sync_url_parse(&b, (sync_str_t) { way->place.issuer.len,
                                                way->place.issuer.data },
                             &err)
              == SYNC_OK
           && a.port == b.port
           && a.host.len == b.host.len
           && ngx_strncasecmp(a.host.data, b.host.data, a.host.len) == 0;
}


/*
 * Documents must not starve the issuers of nginx.conf, nor sets that have
 * never come those that serve.
 */

static ngx_int_t
ngx_http_sync_jwks_host_budget(sync_url_t *url,
    ngx_http_sync_jwks_place_t *place)
{
    u_char         key[SYNC_SHA256_LEN], name[SYNC_HOST_MAX];
    size_t         len;
    sync_sha256_t  sha;

    len = ngx_min(url->host.len, sizeof(name));
    ngx_strlow(name, url->host.data, len);

    sync_sha256_init(&sha);

    if (place->trusted) {
        sync_sha256_update(&sha, "platform", sizeof("platform"));

    } else if (place->known) {
        sync_sha256_update(&sha, "known", sizeof("known"));
    }

    sync_sha256_update(&sha, "host", sizeof("host"));
    sync_sha256_update(&sha, name, len);
    sync_sha256_final(&sha, key);

    return ngx_http_sync_flight_budget(key, NGX_HTTP_SYNC_JWKS_HOST_RATE,
                                       NGX_HTTP_SYNC_JWKS_HOST_BURST);
}


static void
ngx_http_sync_jwks_answered(ngx_sync_fetch_t *fetch)
{
    ngx_http_sync_jwks_way_t  *way;

    way = fetch->data;

    if (fetch->result == NGX_SYNC_FETCH_REFUSED) {
        ngx_http_sync_jwks_refuse(way, fetch->error);
        return;
    }

    if (fetch->result != NGX_SYNC_FETCH_OK) {
        ngx_http_sync_jwks_fail(way, fetch->error);
        return;
    }

    if (fetch->status != NGX_HTTP_OK) {

        if (way->step == NGX_HTTP_SYNC_JWKS_AT_OPENID) {
            way->step = NGX_HTTP_SYNC_JWKS_AT_OAUTH;

            ngx_sync_fetch_free(fetch);
            way->fetch = NULL;

            (void) ngx_http_sync_jwks_ask(way);
            return;
        }

        ngx_http_sync_jwks_fail(way, "the answer has another status than 200");
        return;
    }

    if (way->step == NGX_HTTP_SYNC_JWKS_AT_KEYS) {
        ngx_http_sync_jwks_keys(way);

    } else {
        ngx_http_sync_jwks_metadata(way);
    }
}


static void
ngx_http_sync_jwks_metadata(ngx_http_sync_jwks_way_t *way)
{
    const char  *wrong;

    wrong = ngx_http_sync_jwks_metadata_read(way);

    if (wrong != NULL) {
        ngx_http_sync_jwks_fail(way, wrong);
        return;
    }

    ngx_sync_fetch_free(way->fetch);
    way->fetch = NULL;

    way->step = NGX_HTTP_SYNC_JWKS_AT_KEYS;
    way->discovered = 1;

    (void) ngx_http_sync_jwks_ask(way);
}


/* RFC 8414, 3.3: the issuer must be the one that was asked, octet for octet. */

static const char *
ngx_http_sync_jwks_metadata_read(ngx_http_sync_jwks_way_t *way)
{
    sync_rc_t      rc;
    sync_str_t     issuer, uri;
    const char    *wrong;
    sync_arena_t  *arena;
    sync_value_t  *value;
    sync_error_t   err;

    arena = sync_arena_create(0);

    if (arena == NULL) {
        return "no memory";
    }

    rc = sync_value_parse(&value, arena,
                          (sync_str_t) { way->fetch->answer.len,
                                         way->fetch->answer.data },
                          SYNC_VALUE_DOUBLES, &err);

    sync_arena_destroy(arena);

    if (rc != SYNC_OK) {
        return "its metadata are not JSON";
    }

    issuer = sync_value_str(sync_value_get(value, "issuer"));
    uri = sync_value_str(sync_value_get(value, "jwks_uri"));
    wrong = NULL;

    if (issuer.len != way->place.issuer.len
        || ngx_memcmp(issuer.data, way->place.issuer.data, issuer.len) != 0)
    {
        wrong = "its metadata are of another issuer";

    } else if (uri.len == 0) {
        wrong = "its metadata have no \"jwks_uri\"";

    } else if (ngx_http_sync_jwks_copy(way->pool, &way->place.url, uri.data,
                                       uri.len)
               != NGX_OK)
    {
        wrong = "no memory";
    }

    sync_value_free(value);

    return wrong;
}


static void
ngx_http_sync_jwks_keys(ngx_http_sync_jwks_way_t *way)
{
    sync_rc_t      rc;
    ngx_str_t     *text;
    ngx_int_t      landed;
    sync_jwks_t   *set;
    sync_error_t   err;
    sync_arena_t  *arena;

    arena = sync_arena_create(0);

    if (arena == NULL) {
        ngx_http_sync_jwks_refuse(way, "no memory");
        return;
    }

    text = &way->fetch->answer;

    rc = sync_jwks_parse(&set, arena, (sync_str_t) { text->len, text->data },
                         0, &err);

    sync_arena_destroy(arena);

    if (rc == SYNC_NO) {
        ngx_http_sync_jwks_fail(way, "there is no key set with a key that can "
                                "be used");
        return;
    }

    if (rc != SYNC_OK) {
        ngx_http_sync_jwks_refuse(way, "no memory");
        return;
    }

    sync_jwks_free(set);

    landed = ngx_http_sync_flight_land(&way->flight, text,
                                       ngx_http_sync_jwks_fresh(way->fetch),
                                       NGX_HTTP_SYNC_JWKS_STALE);

    if (landed == NGX_ERROR) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "auth: no room for the %uz bytes of keys of issuer "
                      "\"%V\", \"sync_zone keys:\" is too small", text->len,
                      &way->place.issuer);
    }

    ngx_http_sync_event(NGX_HTTP_SYNC_EVENT_KEYS_FETCHED);

    ngx_http_sync_jwks_done(way);
}


/* Cache-Control: max-age (RFC 9111, 5.2.2.1), within bounds; ms. */

static ngx_msec_t
ngx_http_sync_jwks_fresh(ngx_sync_fetch_t *fetch)
{
    u_char     *p, *last;
    ngx_int_t   age;
    ngx_str_t  *value;

    value = ngx_sync_fetch_received(fetch, "cache-control");

    if (value == NULL) {
        return NGX_HTTP_SYNC_JWKS_FRESH;
    }

    last = value->data + value->len;

    if (ngx_strlcasestrn(value->data, last, (u_char *) "no-store", 8 - 1)
        || ngx_strlcasestrn(value->data, last, (u_char *) "no-cache", 8 - 1))
    {
        return NGX_HTTP_SYNC_JWKS_FRESHEST;
    }

    p = ngx_strlcasestrn(value->data, last, (u_char *) "max-age=", 8 - 1);

    if (p == NULL) {
        return NGX_HTTP_SYNC_JWKS_FRESH;
    }

    p += sizeof("max-age=") - 1;
    age = 0;

    for ( /* void */ ; p < last && *p >= '0' && *p <= '9'; p++) {
        age = age * 10 + (*p - '0');
        age = ngx_min(age, NGX_HTTP_SYNC_JWKS_STALEST / 1000);
    }

    return ngx_max(age * 1000, NGX_HTTP_SYNC_JWKS_FRESHEST);
}


static void
ngx_http_sync_jwks_fail(ngx_http_sync_jwks_way_t *way, const char *what)
{
    ngx_http_sync_flight_crash(&way->flight,
                               ngx_http_sync_jwks_told(way, what));
    ngx_http_sync_jwks_done(way);
}


/* What the issuer did not cause does not make old keys serve longer. */

static void
ngx_http_sync_jwks_refuse(ngx_http_sync_jwks_way_t *way, const char *what)
{
    ngx_http_sync_flight_refuse(&way->flight,
                                ngx_http_sync_jwks_told(way, what));
    ngx_http_sync_jwks_done(way);
}


/* ms until it is tried again */

static ngx_msec_t
ngx_http_sync_jwks_told(ngx_http_sync_jwks_way_t *way, const char *what)
{
    ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                  "auth: the keys of issuer \"%V\" cannot be fetched: %s",
                  &way->place.issuer, what);

    ngx_http_sync_event(NGX_HTTP_SYNC_EVENT_KEYS_FAILED);

    return NGX_HTTP_SYNC_JWKS_AGAIN
           + ngx_random() % NGX_HTTP_SYNC_JWKS_AGAIN / 2;
}


static void
ngx_http_sync_jwks_done(ngx_http_sync_jwks_way_t *way)
{
    if (way->fetch != NULL) {
        ngx_sync_fetch_free(way->fetch);
    }

    ngx_queue_remove(&way->queue);
    ngx_destroy_pool(way->pool);
}


static ngx_int_t
ngx_http_sync_jwks_copy(ngx_pool_t *pool, ngx_str_t *dst, u_char *data,
    size_t len)
{
    dst->len = len;
    dst->data = ngx_pnalloc(pool, len + 1);

    if (dst->data == NULL) {
        return NGX_ERROR;
    }

    if (len) {
        ngx_memcpy(dst->data, data, len);
    }

    return NGX_OK;
}


/* Others fetch what this worker does not wait for. */

void
ngx_http_sync_jwks_fetch_exit(void)
{
    ngx_queue_t               *q;
    ngx_http_sync_jwks_way_t  *way;

    if (ngx_http_sync_jwks_ways.next == NULL) {
        return;
    }

    while (!ngx_queue_empty(&ngx_http_sync_jwks_ways)) {
        q = ngx_queue_head(&ngx_http_sync_jwks_ways);
        way = ngx_queue_data(q, ngx_http_sync_jwks_way_t, queue);

        ngx_http_sync_flight_crash(&way->flight, 0);
        ngx_http_sync_jwks_done(way);
    }
}
