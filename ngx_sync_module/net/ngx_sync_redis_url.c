
/*
 * What sync_store says of a Redis.
 */


#include "ngx_sync_redis_url.h"
#include "ngx_sync_tls.h"


#define NGX_SYNC_REDIS_WAIT_MAX   16     /* replicas that can be waited for */


typedef struct {
    ngx_str_t                scheme;
    ngx_sync_redis_kind_e    kind;
    unsigned                 tls:1;
    unsigned                 unix_socket:1;
} ngx_sync_redis_scheme_t;


typedef struct {
    ngx_str_t                name;       /* with its "=" */
    char                  *(*set)(ngx_conf_t *cf, ngx_sync_redis_url_t *url,
                               ngx_str_t *value, size_t offset);
    size_t                   offset;
    unsigned                 tls:1;      /* means something only with TLS */
} ngx_sync_redis_param_t;


/* Files of TLS, until all parameters are read. */

typedef struct {
    ngx_sync_redis_url_t     url;        /* first: offsets are of this */
    ngx_str_t                ca;
    ngx_str_t                cert;
    ngx_str_t                key;
    ngx_str_t                verify;
    ngx_str_t                eviction;
    ngx_str_t                after_loss;
} ngx_sync_redis_reading_t;


static char *ngx_sync_redis_url_address(ngx_conf_t *cf,
    ngx_sync_redis_url_t *url, const ngx_sync_redis_scheme_t *scheme,
    ngx_str_t *text);
static char *ngx_sync_redis_url_places(ngx_conf_t *cf,
    ngx_sync_redis_url_t *url, ngx_str_t *hosts);
static char *ngx_sync_redis_url_unix(ngx_conf_t *cf,
    ngx_sync_redis_url_t *url, ngx_str_t *path);
static ngx_int_t ngx_sync_redis_is_name(ngx_str_t *host);
static char *ngx_sync_redis_set_text(ngx_conf_t *cf,
    ngx_sync_redis_url_t *url, ngx_str_t *value, size_t offset);
static char *ngx_sync_redis_set_secret(ngx_conf_t *cf,
    ngx_sync_redis_url_t *url, ngx_str_t *value, size_t offset);
static char *ngx_sync_redis_set_db(ngx_conf_t *cf, ngx_sync_redis_url_t *url,
    ngx_str_t *value, size_t offset);
static char *ngx_sync_redis_set_wait(ngx_conf_t *cf,
    ngx_sync_redis_url_t *url, ngx_str_t *value, size_t offset);
static char *ngx_sync_redis_set_quarantine(ngx_conf_t *cf,
    ngx_sync_redis_url_t *url, ngx_str_t *value, size_t offset);
static char *ngx_sync_redis_url_words(ngx_conf_t *cf,
    ngx_sync_redis_reading_t *rd);
static char *ngx_sync_redis_url_ssl(ngx_conf_t *cf,
    ngx_sync_redis_reading_t *rd);


static const ngx_sync_redis_scheme_t  ngx_sync_redis_schemes[] = {
    { ngx_string("redis:"),           NGX_SYNC_REDIS_SINGLE,   0, 0 },
    { ngx_string("rediss:"),          NGX_SYNC_REDIS_SINGLE,   1, 0 },
    { ngx_string("redis+unix:"),      NGX_SYNC_REDIS_SINGLE,   0, 1 },
    { ngx_string("redis+sentinel:"),  NGX_SYNC_REDIS_SENTINEL, 0, 0 },
    { ngx_string("rediss+sentinel:"), NGX_SYNC_REDIS_SENTINEL, 1, 0 },
    { ngx_string("redis+cluster:"),   NGX_SYNC_REDIS_CLUSTER,  0, 0 },
    { ngx_string("rediss+cluster:"),  NGX_SYNC_REDIS_CLUSTER,  1, 0 },
    { ngx_null_string, 0, 0, 0 }
};


#define ngx_sync_redis_at(f)  offsetof(ngx_sync_redis_url_t, f)
#define ngx_sync_reading(f)   offsetof(ngx_sync_redis_reading_t, f)

static const ngx_sync_redis_param_t  ngx_sync_redis_params[] = {
    { ngx_string("user="), ngx_sync_redis_set_text,
      ngx_sync_redis_at(user), 0 },
    { ngx_string("password="), ngx_sync_redis_set_secret,
      ngx_sync_redis_at(password), 0 },
    { ngx_string("sentinel_user="), ngx_sync_redis_set_text,
      ngx_sync_redis_at(sentinel_user), 0 },
    { ngx_string("sentinel_password="), ngx_sync_redis_set_secret,
      ngx_sync_redis_at(sentinel_password), 0 },
    { ngx_string("db="), ngx_sync_redis_set_db, 0, 0 },
    { ngx_string("wait="), ngx_sync_redis_set_wait, 0, 0 },
    { ngx_string("quarantine="), ngx_sync_redis_set_quarantine, 0, 0 },
    { ngx_string("eviction="), ngx_sync_redis_set_text,
      ngx_sync_reading(eviction), 0 },
    { ngx_string("after_loss="), ngx_sync_redis_set_text,
      ngx_sync_reading(after_loss), 0 },
    { ngx_string("ca="), ngx_sync_redis_set_text, ngx_sync_reading(ca), 1 },
    { ngx_string("cert="), ngx_sync_redis_set_text,
      ngx_sync_reading(cert), 1 },
    { ngx_string("key="), ngx_sync_redis_set_text, ngx_sync_reading(key), 1 },
    { ngx_string("tls_name="), ngx_sync_redis_set_text,
      ngx_sync_redis_at(tls_name), 1 },
    { ngx_string("verify="), ngx_sync_redis_set_text,
      ngx_sync_reading(verify), 1 },
    { ngx_null_string, NULL, 0, 0 }
};


char *
ngx_sync_redis_url_read(ngx_conf_t *cf, ngx_str_t *args, ngx_uint_t nargs,
    ngx_sync_redis_url_t *url)
{
    char                           *rc;
    ngx_str_t                       value;
    ngx_uint_t                      i;
    ngx_sync_redis_reading_t        rd;
    const ngx_sync_redis_param_t   *param;
    const ngx_sync_redis_scheme_t  *scheme;

    ngx_memzero(&rd, sizeof(ngx_sync_redis_reading_t));

    rd.url.conf_file = cf->conf_file->file.name.data;
    rd.url.conf_line = cf->conf_file->line;

    for (scheme = ngx_sync_redis_schemes; scheme->scheme.len; scheme++) {
        if (args[0].len >= scheme->scheme.len
            && ngx_strncmp(args[0].data, scheme->scheme.data,
                           scheme->scheme.len) == 0)
        {
            break;
        }
    }

    if (scheme->scheme.len == 0) {
        return "names no Redis: \"redis://HOST:PORT\" does";
    }

    value.data = args[0].data + scheme->scheme.len;
    value.len = args[0].len - scheme->scheme.len;

    rc = ngx_sync_redis_url_address(cf, &rd.url, scheme, &value);
    if (rc != NGX_CONF_OK) {
        return rc;
    }

    for (i = 1; i < nargs; i++) {

        for (param = ngx_sync_redis_params; param->name.len; param++) {
            if (args[i].len >= param->name.len
                && ngx_strncmp(args[i].data, param->name.data,
                               param->name.len) == 0)
            {
                break;
            }
        }

        value.len = 0;

        while (value.len < args[i].len && args[i].data[value.len] != '=') {
            value.len++;
        }

        value.data = args[i].data;

        if (param->name.len == 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "store \"%*s\" does not know parameter "
                               "\"%V\"; timeout, name, user, password, db, "
                               "sentinel_user, sentinel_password, ca, cert, "
                               "key, tls_name, verify, eviction, after_loss, "
                               "quarantine and wait are known",
                               scheme->scheme.len - 1, scheme->scheme.data,
                               &value);
            return NGX_CONF_ERROR;
        }

        if (param->tls && !scheme->tls) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"%V=\" of sync_store means nothing without "
                               "TLS; write \"rediss\" for \"redis\" in the "
                               "address", &value);
            return NGX_CONF_ERROR;
        }

        if (ngx_strncmp(param->name.data, "sentinel_", 9) == 0
            && scheme->kind != NGX_SYNC_REDIS_SENTINEL)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"%V=\" of sync_store is for "
                               "\"redis+sentinel://\" alone", &value);
            return NGX_CONF_ERROR;
        }

        value.data = args[i].data + param->name.len;
        value.len = args[i].len - param->name.len;

        if (value.len == 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"%V\" of sync_store has no value",
                               &args[i]);
            return NGX_CONF_ERROR;
        }

        rc = param->set(cf, &rd.url, &value, param->offset);
        if (rc != NGX_CONF_OK) {
            return rc;
        }
    }

    if (ngx_sync_redis_url_words(cf, &rd) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    if (scheme->tls) {
        rc = ngx_sync_redis_url_ssl(cf, &rd);
        if (rc != NGX_CONF_OK) {
            return rc;
        }
    }

    *url = rd.url;

    return NGX_CONF_OK;
}


/* //[USER@]HOSTS[/REST], or the path of a socket */

static char *
ngx_sync_redis_url_address(ngx_conf_t *cf, ngx_sync_redis_url_t *url,
    const ngx_sync_redis_scheme_t *scheme, ngx_str_t *text)
{
    u_char     *p, *last, *end;
    ngx_str_t   hosts, rest;

    url->kind = scheme->kind;

    if (ngx_array_init(&url->places, cf->pool, 1,
                       sizeof(ngx_sync_redis_place_t))
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (scheme->unix_socket) {
        return ngx_sync_redis_url_unix(cf, url, text);
    }

    p = text->data;
    end = text->data + text->len;

    if (text->len < 2 || p[0] != '/' || p[1] != '/') {
        return "has no \"//\" after the scheme, as in \"redis://HOST:PORT\"";
    }

    p += 2;

    if (ngx_strlchr(p, end, '?') || ngx_strlchr(p, end, '#')) {
        return "takes its parameters after the address, separated by spaces, "
               "as in \"redis://HOST:PORT user=NAME\"";
    }

    /* USER@; the last @, since nothing behind it may hold one */

    for (last = end; last > p && last[-1] != '@'; last--) { /* void */ }

    if (last > p) {
        url->user.data = p;
        url->user.len = last - 1 - p;

        if (ngx_strlchr(p, last - 1, ':')) {
            return "holds a password; secrets do not stand in nginx.conf: "
                   "write \"redis://USER@HOST password=file:PATH\", or "
                   "\"password=env:NAME\"";
        }

        if (url->user.len == 0 || ngx_strlchr(p, last - 1, '%')) {
            return "has no plain user name before the \"@\"; write "
                   "\"user=NAME\" after the address";
        }

        p = last;
    }

    hosts.data = p;

    while (p < end && *p != '/') {
        p++;
    }

    hosts.len = p - hosts.data;

    rest.data = p < end ? p + 1 : end;
    rest.len = end - rest.data;

    if (ngx_sync_redis_url_places(cf, url, &hosts) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    if (url->kind == NGX_SYNC_REDIS_SENTINEL) {

        for (p = rest.data; p < end && *p != '/'; p++) { /* void */ }

        url->master.data = rest.data;
        url->master.len = p - rest.data;

        if (url->master.len == 0) {
            return "names no master, as in "
                   "\"redis+sentinel://HOST,HOST,HOST/MASTER\"";
        }

        rest.data = p < end ? p + 1 : end;
        rest.len = end - rest.data;
    }

    return rest.len ? ngx_sync_redis_set_db(cf, url, &rest, 0) : NGX_CONF_OK;
}


static char *
ngx_sync_redis_url_places(ngx_conf_t *cf, ngx_sync_redis_url_t *url,
    ngx_str_t *hosts)
{
    u_char                  *p, *end, *colon;
    ngx_int_t                port;
    ngx_str_t                host, text;
    ngx_sync_redis_place_t  *place;

    p = hosts->data;
    end = hosts->data + hosts->len;

    do {
        text.data = p;

        while (p < end && *p != ',') {
            p++;
        }

        text.len = p - text.data;
        host = text;

        port = url->kind == NGX_SYNC_REDIS_SENTINEL
               ? NGX_SYNC_REDIS_SENTINEL_PORT : NGX_SYNC_REDIS_PORT;

        /* the colons of [::1] are not the one before a port */

        colon = text.data + text.len;

        while (colon > text.data && colon[-1] != ':' && colon[-1] != ']') {
            colon--;
        }

        if (colon > text.data && colon[-1] == ':') {
            host.len = colon - 1 - text.data;
            port = ngx_atoi(colon, text.data + text.len - colon);
        }

        if (port < 1 || port > 65535) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid port in \"%V\" of sync_store, one "
                               "from 1 to 65535 is needed", &text);
            return NGX_CONF_ERROR;
        }

        if (url->places.nelts == NGX_SYNC_REDIS_PLACES_MAX) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "more than %d addresses in sync_store",
                               NGX_SYNC_REDIS_PLACES_MAX);
            return NGX_CONF_ERROR;
        }

        place = ngx_array_push(&url->places);
        if (place == NULL) {
            return NGX_CONF_ERROR;
        }

        switch (ngx_sync_redis_place(cf->pool, &host, port, place)) {

        case NGX_OK:
            break;

        case NGX_DECLINED:
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "no host in \"%V\" of sync_store: a name, "
                               "192.0.2.1 or [2001:db8::1] is needed", &text);
            return NGX_CONF_ERROR;

        default:
            return NGX_CONF_ERROR;
        }

        if (place->addr == NULL) {
            url->named = 1;
        }

    } while (p++ < end);

    if (url->places.nelts > 1 && url->kind == NGX_SYNC_REDIS_SINGLE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "one address is needed in \"redis://\" of "
                           "sync_store, \"%V\" has several; "
                           "\"redis+sentinel://\" and \"redis+cluster://\" "
                           "take a list", hosts);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_sync_redis_url_unix(ngx_conf_t *cf, ngx_sync_redis_url_t *url,
    ngx_str_t *path)
{
    ngx_url_t                u;
    ngx_sync_redis_place_t  *place;

    /* redis+unix:///PATH is the same */

    while (path->len > 1 && path->data[0] == '/' && path->data[1] == '/') {
        path->data++;
        path->len--;
    }

    if (path->len < 2 || path->data[0] != '/') {
        return "has no path, as in \"redis+unix:/run/redis/redis.sock\"";
    }

    place = ngx_array_push(&url->places);
    if (place == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(&u, sizeof(ngx_url_t));
    ngx_memzero(place, sizeof(ngx_sync_redis_place_t));

    u.url.len = sizeof("unix:") - 1 + path->len;
    u.url.data = ngx_pnalloc(cf->pool, u.url.len + 1);
    if (u.url.data == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_sprintf(u.url.data, "unix:%V%Z", path);
    u.no_resolve = 1;

    if (ngx_parse_url(cf->pool, &u) != NGX_OK || u.naddrs != 1) {
        return "names a path that is too long for a socket";
    }

    place->host = *path;
    place->text = u.url;
    place->addr = &u.addrs[0];
    url->unix_socket = 1;

    return NGX_CONF_OK;
}


ngx_int_t
ngx_sync_redis_place(ngx_pool_t *pool, ngx_str_t *host, in_port_t port,
    ngx_sync_redis_place_t *place)
{
    u_char       *p;
    ngx_int_t     rc;
    ngx_str_t     bare;
    ngx_uint_t    bracketed;
    ngx_addr_t    addr;

    ngx_memzero(place, sizeof(ngx_sync_redis_place_t));

    bare = *host;
    bracketed = bare.len > 2 && bare.data[0] == '['
                && bare.data[bare.len - 1] == ']';

    if (bracketed) {
        bare.data++;
        bare.len -= 2;
    }

    rc = bare.len ? ngx_parse_addr(pool, &addr, bare.data, bare.len)
                  : NGX_DECLINED;

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (rc == NGX_DECLINED
        && (bracketed || ngx_sync_redis_is_name(&bare) != NGX_OK))
    {
        return NGX_DECLINED;
    }

    /* one block: the host, and HOST:PORT for logs */

    p = ngx_pnalloc(pool, 2 * bare.len + 2 + sizeof(":65535"));
    if (p == NULL) {
        return NGX_ERROR;
    }

    place->host.data = p;
    place->host.len = bare.len;
    p = ngx_cpymem(p, bare.data, bare.len);

    place->text.data = p;
    p = ngx_sprintf(p, ngx_strlchr(bare.data, bare.data + bare.len, ':')
                       ? "[%V]:%ui" : "%V:%ui",
                    &bare, (ngx_uint_t) port);
    place->text.len = p - place->text.data;
    place->port = port;

    if (rc == NGX_DECLINED) {
        return NGX_OK;
    }

    ngx_inet_set_port(addr.sockaddr, port);

    place->addr = ngx_palloc(pool, sizeof(ngx_addr_t));
    if (place->addr == NULL) {
        return NGX_ERROR;
    }

    *place->addr = addr;
    place->addr->name = place->text;

    return NGX_OK;
}


static ngx_int_t
ngx_sync_redis_is_name(ngx_str_t *host)
{
    u_char       c;
    ngx_uint_t   i, letters;

    letters = 0;

    for (i = 0; i < host->len; i++) {
        c = host->data[i];

        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) {
            letters = 1;
            continue;
        }

        if (!((c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_')) {
            return NGX_DECLINED;
        }
    }

    /* 10.0.0.256 is a mistyped address, not a name */

    return letters && host->len <= 253 ? NGX_OK : NGX_DECLINED;
}


static char *
ngx_sync_redis_set_text(ngx_conf_t *cf, ngx_sync_redis_url_t *url,
    ngx_str_t *value, size_t offset)
{
    ngx_str_t  *s;

    s = (ngx_str_t *) ((u_char *) url + offset);

    if (s->len) {
        return "sets something twice";
    }

    *s = *value;

    return NGX_CONF_OK;
}


/* file:PATH | env:NAME, never the secret itself */

static char *
ngx_sync_redis_set_secret(ngx_conf_t *cf, ngx_sync_redis_url_t *url,
    ngx_str_t *value, size_t offset)
{
    char                     *env;
    ngx_int_t                 rc;
    ngx_sync_redis_secret_t  *secret;

    secret = (ngx_sync_redis_secret_t *) ((u_char *) url + offset);

    if (secret->text.len) {
        return "sets something twice";
    }

    if (ngx_strncmp(value->data, "file:", 5) == 0 && value->len > 5) {

        secret->file.data = value->data + 5;
        secret->file.len = value->len - 5;

        if (ngx_conf_full_name(cf->cycle, &secret->file, 1) != NGX_OK) {
            return NGX_CONF_ERROR;
        }

        rc = ngx_sync_redis_secret_read(cf->pool, secret);

        if (rc != NGX_OK) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf,
                               rc == NGX_ERROR ? ngx_errno : 0,
                               "the password of sync_store cannot be read "
                               "from \"%V\", a file of 1 to %d bytes",
                               &secret->file, NGX_SYNC_REDIS_SECRET_MAX);
            return NGX_CONF_ERROR;
        }

        return NGX_CONF_OK;
    }

    if (ngx_strncmp(value->data, "env:", 4) == 0 && value->len > 4) {

        env = getenv((char *) value->data + 4);

        if (env == NULL || *env == '\0') {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "the password of sync_store: no variable "
                               "\"%s\" in the environment", value->data + 4);
            return NGX_CONF_ERROR;
        }

        secret->text.len = ngx_strlen(env);
        secret->text.data = ngx_pnalloc(cf->pool, secret->text.len);
        if (secret->text.data == NULL) {
            return NGX_CONF_ERROR;
        }

        ngx_memcpy(secret->text.data, env, secret->text.len);

        return NGX_CONF_OK;
    }

    return "takes a password as \"password=file:PATH\" or "
           "\"password=env:NAME\", never the password itself";
}


ngx_int_t
ngx_sync_redis_secret_read(ngx_pool_t *pool, ngx_sync_redis_secret_t *secret)
{
    u_char    *p, buf[NGX_SYNC_REDIS_SECRET_MAX + 1];
    ssize_t    n;
    ngx_fd_t   fd;

    fd = ngx_open_file(secret->file.data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);
    if (fd == NGX_INVALID_FILE) {
        return NGX_ERROR;
    }

    n = ngx_read_fd(fd, buf, sizeof(buf));

    if (n == -1) {
        ngx_close_file(fd);
        return NGX_ERROR;
    }

    ngx_close_file(fd);

    while (n && (buf[n - 1] == '\n' || buf[n - 1] == '\r')) {
        n--;
    }

    if (n == 0 || n > NGX_SYNC_REDIS_SECRET_MAX) {
        ngx_explicit_memzero(buf, sizeof(buf));
        return NGX_DECLINED;
    }

    if ((size_t) n == secret->text.len
        && ngx_memcmp(secret->text.data, buf, n) == 0)
    {
        ngx_explicit_memzero(buf, sizeof(buf));
        return NGX_OK;
    }

    p = ngx_pnalloc(pool, n);

    if (p != NULL) {
        ngx_memcpy(p, buf, n);

        secret->text.data = p;
        secret->text.len = n;
    }

    ngx_explicit_memzero(buf, sizeof(buf));

    return p ? NGX_OK : NGX_ERROR;
}


static char *
ngx_sync_redis_set_db(ngx_conf_t *cf, ngx_sync_redis_url_t *url,
    ngx_str_t *value, size_t offset)
{
    ngx_int_t  db;

    db = ngx_atoi(value->data, value->len);

    if (db == NGX_ERROR || db > 65535) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid database \"%V\" in sync_store, a number "
                           "is needed", value);
        return NGX_CONF_ERROR;
    }

    if (db && url->kind == NGX_SYNC_REDIS_CLUSTER) {
        return "names a database, but a cluster has only number 0";
    }

    if (db && url->db) {
        return "sets something twice";
    }

    url->db = db;

    return NGX_CONF_OK;
}


/* N/TIMEOUT */

static char *
ngx_sync_redis_set_wait(ngx_conf_t *cf, ngx_sync_redis_url_t *url,
    ngx_str_t *value, size_t offset)
{
    u_char     *slash;
    ngx_int_t   n, time;
    ngx_str_t   s;

    n = time = NGX_ERROR;
    slash = ngx_strlchr(value->data, value->data + value->len, '/');

    if (slash) {
        n = ngx_atoi(value->data, slash - value->data);

        s.data = slash + 1;
        s.len = value->data + value->len - s.data;
        time = ngx_parse_time(&s, 0);
    }

    if (n < 1 || n > NGX_SYNC_REDIS_WAIT_MAX || time < 1) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid \"wait=%V\" of sync_store, replicas and "
                           "a time such as \"wait=1/300ms\" are needed",
                           value);
        return NGX_CONF_ERROR;
    }

    if (url->wait) {
        return "sets something twice";
    }

    url->wait = n;
    url->wait_time = time;

    return NGX_CONF_OK;
}


static char *
ngx_sync_redis_set_quarantine(ngx_conf_t *cf, ngx_sync_redis_url_t *url,
    ngx_str_t *value, size_t offset)
{
    ngx_int_t  time;

    if (url->quarantine) {
        return "sets something twice";
    }

    time = ngx_parse_time(value, 0);

    if (time == NGX_ERROR || time == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid \"quarantine=%V\" of sync_store, a time "
                           "such as \"quarantine=24h\" is needed", value);
        return NGX_CONF_ERROR;
    }

    url->quarantine = time;

    return NGX_CONF_OK;
}


/* Parameters that take one of a few words. */

static char *
ngx_sync_redis_url_words(ngx_conf_t *cf, ngx_sync_redis_reading_t *rd)
{
    ngx_uint_t             i, k;
    ngx_sync_redis_url_t  *url;

    static const struct {
        char               *name;
        size_t              offset;
        const char         *words[4];    /* the first is the default */
    } choices[] = {
        { "eviction",   ngx_sync_reading(eviction),
          { "warn", "refuse", NULL, NULL } },
        { "after_loss", ngx_sync_reading(after_loss),
          { "refuse", "probe", "execute", NULL } },
        { "verify",     ngx_sync_reading(verify),
          { "on", "off", NULL, NULL } }
    };

    ngx_str_t   *s;
    ngx_uint_t   chosen[3];

    url = &rd->url;

    for (i = 0; i < 3; i++) {
        s = (ngx_str_t *) ((u_char *) rd + choices[i].offset);
        chosen[i] = 0;

        if (s->len == 0) {
            continue;
        }

        for (k = 0; choices[i].words[k]; k++) {
            if (ngx_strcmp(s->data, choices[i].words[k]) == 0) {
                break;
            }
        }

        if (choices[i].words[k] == NULL) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"%s=%V\" of sync_store: \"%s\", \"%s\"%s%s%s "
                               "are known", choices[i].name, s,
                               choices[i].words[0], choices[i].words[1],
                               choices[i].words[2] ? ", \"" : "",
                               choices[i].words[2] ? choices[i].words[2] : "",
                               choices[i].words[2] ? "\"" : "");
            return NGX_CONF_ERROR;
        }

        chosen[i] = k;
    }

    if (chosen[1] == NGX_SYNC_REDIS_LOSS_PROBE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "after_loss=probe is not supported by this "
                           "version; \"refuse\" and \"execute\" are");
        return NGX_CONF_ERROR;
    }

    url->refuse_eviction = chosen[0];
    url->after_loss = chosen[1];
    url->no_verify = chosen[2];

    if (url->user.len && url->password.text.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "sync_store has a user and no password; add "
                           "\"password=file:PATH\" or \"password=env:NAME\"");
        return NGX_CONF_ERROR;
    }

    if (url->sentinel_user.len && url->sentinel_password.text.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "sync_store has a sentinel_user and no "
                           "\"sentinel_password=\"");
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_sync_redis_url_ssl(ngx_conf_t *cf, ngx_sync_redis_reading_t *rd)
{
    ngx_ssl_t              *ssl;
    ngx_sync_redis_url_t   *url;

    url = &rd->url;

    if ((rd->cert.len == 0) != (rd->key.len == 0)) {
        return "needs \"cert=\" and \"key=\" together";
    }

    if (url->no_verify) {

        if (rd->ca.len || url->tls_name.len) {
            return "has \"verify=off\", with which \"ca=\" and \"tls_name=\" "
                   "mean nothing";
        }

        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "\"verify=off\" of sync_store: whoever answers at "
                           "that address can decide what was executed");
    }

    ssl = ngx_sync_tls_create(cf);
    if (ssl == NULL) {
        return NGX_CONF_ERROR;
    }

    if (rd->cert.len
        && ngx_ssl_certificate(cf, ssl, &rd->cert, &rd->key, NULL) != NGX_OK)
    {
        return "cannot use its \"cert=\" or \"key=\"";
    }

    if (rd->ca.len) {
        if (ngx_ssl_trusted_certificate(cf, ssl, &rd->ca,
                                        NGX_SYNC_TLS_DEPTH)
            != NGX_OK)
        {
            return "cannot use its \"ca=\"";
        }

    } else if (!url->no_verify
               && SSL_CTX_set_default_verify_paths(ssl->ctx) != 1)
    {
        ngx_ssl_error(NGX_LOG_EMERG, cf->log, 0,
                      "SSL_CTX_set_default_verify_paths() failed");
        return "finds no certificates of this system to trust; add "
               "\"ca=FILE\"";
    }

    url->ssl = ssl;

    return NGX_CONF_OK;
}


ngx_int_t
ngx_sync_redis_url_check(ngx_conf_t *cf, ngx_sync_redis_url_t *url,
    ngx_resolver_t *resolver)
{
    ngx_uint_t               i;
    ngx_sync_redis_place_t  *place;

    /* where http has no resolver, its dummy has no connections */

    if (!url->named || (resolver && resolver->connections.nelts)) {
        return NGX_OK;
    }

    place = url->places.elts;

    for (i = 0; i < url->places.nelts; i++) {

        if (place[i].addr == NULL) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "sync_store needs a resolver for the name \"%V\"; "
                          "add \"resolver ADDRESS;\" to http, or write an "
                          "address, in %s:%ui", &place[i].host,
                          url->conf_file, url->conf_line);
            break;
        }
    }

    return NGX_ERROR;
}
