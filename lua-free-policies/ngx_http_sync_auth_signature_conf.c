
/*
 * Parameters of sync_auth signature=PROFILE.
 */


#include "ngx_http_sync_auth_signature.h"
#include "ngx_http_sync_registry.h"


#define NGX_HTTP_SYNC_SIGNATURE_LONGEST  (24 * 3600 * 1000)  /* a window, ms */
#define NGX_HTTP_SYNC_SIGNATURE_KEYS     4       /* of the platform */


static ngx_int_t ngx_http_sync_signature_profile(ngx_conf_t *cf,
    ngx_http_sync_signature_conf_t **scf, ngx_str_t *name);
static ngx_int_t ngx_http_sync_signature_generic(ngx_conf_t *cf,
    ngx_http_sync_signature_conf_t *scf, ngx_str_t *name, ngx_str_t *value);
static ngx_int_t ngx_http_sync_signature_named(ngx_conf_t *cf,
    ngx_str_t *param, ngx_str_t *value, sync_str_t *header);
static ngx_int_t ngx_http_sync_signature_window(ngx_conf_t *cf,
    ngx_http_sync_signature_conf_t *scf, ngx_str_t *value);
static ngx_int_t ngx_http_sync_signature_key(ngx_conf_t *cf,
    ngx_http_sync_signature_conf_t *scf, ngx_str_t *value);
static ssize_t ngx_http_sync_signature_file(ngx_conf_t *cf, ngx_str_t *value,
    u_char *buf, size_t size);
static void ngx_http_sync_signature_wipe(void *data);


#define ngx_http_sync_is(s, lit)                                              \
    ((s)->len == sizeof(lit) - 1                                              \
     && ngx_strncmp((s)->data, lit, sizeof(lit) - 1) == 0)


static ngx_str_t  ngx_http_sync_signature_params[] = {
    ngx_string("header"),
    ngx_string("algorithm"),
    ngx_string("encoding"),
    ngx_string("prefix"),
    ngx_string("timestamp"),
    ngx_string("id"),
    ngx_string("signed"),
    ngx_string("window"),
    ngx_string("secret"),
    ngx_null_string
};


ngx_int_t
ngx_http_sync_signature_param(ngx_conf_t *cf,
    ngx_http_sync_signature_conf_t **scf, ngx_str_t *value)
{
    u_char     *p;
    ngx_str_t   name, arg, *known;

    p = ngx_strlchr(value->data, value->data + value->len, '=');
    if (p == NULL) {
        return NGX_DECLINED;
    }

    name.data = value->data;
    name.len = p - value->data;

    arg.data = p + 1;
    arg.len = value->data + value->len - arg.data;

    if (ngx_http_sync_is(&name, "signature")) {
        return ngx_http_sync_signature_profile(cf, scf, &arg);
    }

    for (known = ngx_http_sync_signature_params; known->len; known++) {
        if (known->len == name.len
            && ngx_strncmp(known->data, name.data, name.len) == 0)
        {
            break;
        }
    }

    if (known->len == 0) {
        return NGX_DECLINED;
    }

    if (*scf == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" of \"sync_auth\" stands behind "
                           "\"signature=PROFILE\", whose parameter it is",
                           value);
        return NGX_ERROR;
    }

    if (arg.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" of \"sync_auth\" has no value", value);
        return NGX_ERROR;
    }

    if (ngx_http_sync_is(&name, "window")) {
        return ngx_http_sync_signature_window(cf, *scf, &arg);
    }

    if (ngx_http_sync_is(&name, "secret")) {
        return ngx_http_sync_signature_key(cf, *scf, &arg);
    }

    return ngx_http_sync_signature_generic(cf, *scf, &name, &arg);
}


static ngx_int_t
ngx_http_sync_signature_profile(ngx_conf_t *cf,
    ngx_http_sync_signature_conf_t **scf, ngx_str_t *name)
{
    sync_signature_e                 profile;
    ngx_pool_cleanup_t              *cln;
    ngx_http_sync_signature_conf_t  *conf;

    if (*scf != NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"sync_auth\" has \"signature\" twice: a location "
                           "hears one kind of sender");
        return NGX_ERROR;
    }

    profile = sync_signature_by_name((sync_str_t) { name->len, name->data });

    if (profile == SYNC_SIGNATURE_NONE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "unknown \"signature=%V\" of \"sync_auth\", known "
                           "are standard, stripe, github, shopify, hubspot "
                           "and generic", name);
        return NGX_ERROR;
    }

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_sync_signature_conf_t));
    cln = ngx_pool_cleanup_add(cf->pool, 0);

    if (conf == NULL || cln == NULL
        || ngx_array_init(&conf->secrets, cf->pool,
                          NGX_HTTP_SYNC_SIGNATURE_KEYS,
                          sizeof(sync_signature_key_t))
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    cln->handler = ngx_http_sync_signature_wipe;
    cln->data = conf;

    sync_signature_scheme(&conf->scheme, profile);
    conf->profile = *name;
    *scf = conf;

    return NGX_OK;
}


static ngx_int_t
ngx_http_sync_signature_generic(ngx_conf_t *cf,
    ngx_http_sync_signature_conf_t *scf, ngx_str_t *name, ngx_str_t *value)
{
    sync_str_t                s;
    sync_error_t              err;
    sync_signature_scheme_t  *scheme;

    scheme = &scf->scheme;

    if (scheme->profile != SYNC_SIGNATURE_GENERIC) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V=\" of \"sync_auth\" belongs to "
                           "\"signature=generic\"; what \"%V\" signs is known",
                           name, &scf->profile);
        return NGX_ERROR;
    }

    s.len = value->len;
    s.data = value->data;

    if (ngx_http_sync_is(name, "header")) {
        return ngx_http_sync_signature_named(cf, name, value,
                                             &scheme->header);
    }

    if (ngx_http_sync_is(name, "timestamp")) {
        return ngx_http_sync_signature_named(cf, name, value,
                                             &scheme->timestamp);
    }

    if (ngx_http_sync_is(name, "id")) {
        return ngx_http_sync_signature_named(cf, name, value, &scheme->id);
    }

    if (ngx_http_sync_is(name, "prefix")) {
        scheme->prefix = s;
        return NGX_OK;
    }

    if (ngx_http_sync_is(name, "encoding")) {

        if (ngx_http_sync_is(value, "hex")) {
            scheme->encoding = SYNC_SIGNATURE_HEX;
            return NGX_OK;
        }

        if (ngx_http_sync_is(value, "base64")) {
            scheme->encoding = SYNC_SIGNATURE_BASE64;
            return NGX_OK;
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "unknown \"encoding=%V\" of \"sync_auth\", known "
                           "are hex and base64", value);
        return NGX_ERROR;
    }

    if (ngx_http_sync_is(name, "algorithm")) {

        if (ngx_http_sync_is(value, "sha256")) {
            scheme->digest = SYNC_DIGEST_SHA256;
            return NGX_OK;
        }

        if (ngx_http_sync_is(value, "sha512")) {
            scheme->digest = SYNC_DIGEST_SHA512;
            return NGX_OK;
        }

        if (ngx_http_sync_is(value, "sha1")) {
            scheme->digest = SYNC_DIGEST_SHA1;
            return NGX_OK;
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "unknown \"algorithm=%V\" of \"sync_auth\", known "
                           "are sha256, sha512 and sha1", value);
        return NGX_ERROR;
    }

    /* signed= */

    if (sync_signature_template(scheme, s, &err) != SYNC_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid \"signed=%V\" of \"sync_auth\": %s",
                           value, err.text);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_sync_signature_named(ngx_conf_t *cf, ngx_str_t *param,
    ngx_str_t *value, sync_str_t *header)
{
    size_t   i;
    u_char   c, *p;

    p = ngx_pnalloc(cf->pool, value->len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_strlow(p, value->data, value->len);

    for (i = 0; i < value->len; i++) {
        c = p[i];

        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-') {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid \"%V=%V\" of \"sync_auth\", the name "
                               "of a header is needed", param, value);
            return NGX_ERROR;
        }
    }

    header->len = value->len;
    header->data = p;

    return NGX_OK;
}


static ngx_int_t
ngx_http_sync_signature_window(ngx_conf_t *cf,
    ngx_http_sync_signature_conf_t *scf, ngx_str_t *value)
{
    ngx_int_t  ms;

    ms = ngx_parse_time(value, 0);

    if (ms == NGX_ERROR || ms < 1000
        || ms > NGX_HTTP_SYNC_SIGNATURE_LONGEST)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid \"window=%V\" of \"sync_auth\", a time "
                           "from 1s to 1d is right", value);
        return NGX_ERROR;
    }

    scf->scheme.window = ms;
    scf->window = 1;

    return NGX_OK;
}


static ngx_int_t
ngx_http_sync_signature_key(ngx_conf_t *cf,
    ngx_http_sync_signature_conf_t *scf, ngx_str_t *value)
{
    char                  *env;
    u_char                 buf[SYNC_SIGNATURE_SECRET + 2];
    ssize_t                n;
    sync_rc_t              rc;
    sync_error_t           err;
    sync_signature_key_t  *key;

    if (scf->secrets.nelts == NGX_HTTP_SYNC_SIGNATURE_KEYS) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"sync_auth\" has more than %d secrets",
                           NGX_HTTP_SYNC_SIGNATURE_KEYS);
        return NGX_ERROR;
    }

    if (ngx_strncmp(value->data, "file:", 5) == 0) {
        n = ngx_http_sync_signature_file(cf, value, buf, sizeof(buf));

        if (n == NGX_ERROR) {
            return NGX_ERROR;
        }

    } else if (ngx_strncmp(value->data, "env:", 4) == 0) {
        env = getenv((char *) value->data + 4);

        if (env == NULL) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"sync_auth\": no variable \"%s\" in the "
                               "environment", value->data + 4);
            return NGX_ERROR;
        }

        n = ngx_min(ngx_strlen(env), sizeof(buf));
        ngx_memcpy(buf, env, n);

    } else {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"secret=\" of \"sync_auth\" takes \"file:PATH\" "
                           "or \"env:NAME\", never the secret itself");
        return NGX_ERROR;
    }

    key = ngx_array_push(&scf->secrets);
    if (key == NULL) {
        return NGX_ERROR;
    }

    rc = sync_signature_key(key, scf->scheme.profile,
                            (sync_str_t) { n, buf }, &err);

    sync_wipe(buf, sizeof(buf));

    if (rc != SYNC_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" of \"sync_auth\": %s", value, err.text);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ssize_t
ngx_http_sync_signature_file(ngx_conf_t *cf, ngx_str_t *value, u_char *buf,
    size_t size)
{
    ssize_t    n;
    ngx_fd_t   fd;
    ngx_str_t  name;

    name.data = value->data + 5;
    name.len = value->len - 5;

    if (ngx_conf_full_name(cf->cycle, &name, 1) != NGX_OK) {
        return NGX_ERROR;
    }

    fd = ngx_open_file(name.data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "\"sync_auth\": " ngx_open_file_n " \"%V\" failed",
                           &name);
        return NGX_ERROR;
    }

    n = ngx_read_fd(fd, buf, size);

    if (n == -1) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "\"sync_auth\": reading \"%V\" failed", &name);
    }

    ngx_close_file(fd);

    if (n == -1) {
        return NGX_ERROR;
    }

    return ngx_http_sync_secret_len(buf, n);
}


char *
ngx_http_sync_signature_complete(ngx_http_sync_signature_conf_t *scf)
{
    sync_signature_scheme_t  *scheme;

    scheme = &scf->scheme;

    if (scheme->header.len == 0) {
        return "needs \"header=\" with \"signature=generic\": where the "
               "signature stands";
    }

    /* Stripe has its timestamp within the signature's header */

    if (scheme->profile == SYNC_SIGNATURE_GENERIC) {

        if ((scheme->timestamp.len != 0)
            != (sync_signature_signs(scheme, SYNC_SIGNED_TIMESTAMP) != 0))
        {
            return "needs \"timestamp=\" with a header and {timestamp} in "
                   "\"signed=\", both or neither: what is not signed could be "
                   "anybody's";
        }

        if ((scheme->id.len != 0)
            != (sync_signature_signs(scheme, SYNC_SIGNED_ID) != 0))
        {
            return "needs \"id=\" with a header and {id} in \"signed=\", both "
                   "or neither: what is not signed could be anybody's";
        }
    }

    if (scf->window && !sync_signature_signs(scheme, SYNC_SIGNED_TIMESTAMP)) {
        return "has \"window=\" for a signature without a timestamp";
    }

    return NGX_CONF_OK;
}


static void
ngx_http_sync_signature_wipe(void *data)
{
    ngx_http_sync_signature_conf_t *scf = data;

    sync_wipe(scf->secrets.elts,
              scf->secrets.nelts * sizeof(sync_signature_key_t));
}
