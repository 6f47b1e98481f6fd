
/*
 * sync_issuer: who vouches for many tenants, and by which keys.
 */


#include "ngx_http_sync_auth.h"
#include "sync_crypto.h"


#define NGX_HTTP_SYNC_AUTH_JWKS  (256 * 1024)    /* bytes of a key set */


static char *ngx_http_sync_issuer_keys(ngx_conf_t *cf,
    ngx_http_sync_issuer_t *issuer, ngx_str_t *from, sync_sha256_t *sha);
static char *ngx_http_sync_issuer_file(ngx_conf_t *cf,
    ngx_http_sync_issuer_t *issuer, ngx_str_t *file, sync_sha256_t *sha);
static ngx_int_t ngx_http_sync_issuer_read(ngx_conf_t *cf, ngx_str_t *file,
    sync_str_t *text);
static void ngx_http_sync_issuer_cleanup(void *data);


/*
 * sync_issuer URL audience=AUD... jwks=discover|URL|FILE
 *             tenant_claim=NAME
 *             [client_claim=NAME] [scope_claim=NAME] [plan_claim=NAME]
 *             [typ=at+jwt] [introspect=URL client_id=ID
 *             client_secret=file:PATH|env:NAME [cache=TIME]]
 */

char *
ngx_http_sync_issuer(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_sync_auth_main_conf_t  *amcf = conf;

    char                    *rv;
    u_char                   digest[SYNC_SHA256_LEN];
    uint64_t                 part;
    ngx_str_t               *value, file;
    ngx_uint_t               i, k;
    sync_str_t              *audience, s;
    sync_sha256_t            sha;
    ngx_http_sync_issuer_t  *issuer, *other;

    value = cf->args->elts;
    other = amcf->issuers.elts;

    for (i = 0; i < amcf->issuers.nelts; i++) {
        if (other[i].issuer.len == value[1].len
            && ngx_strncmp(other[i].issuer.data, value[1].data, value[1].len)
               == 0)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "duplicate \"sync_issuer %V\"", &value[1]);
            return NGX_CONF_ERROR;
        }
    }

    if (ngx_strncmp(value[1].data, "https://", 8) != 0
        && ngx_strncmp(value[1].data, "http://", 7) != 0)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid \"sync_issuer %V\", the URL that stands "
                           "in \"iss\" is needed first", &value[1]);
        return NGX_CONF_ERROR;
    }

    issuer = ngx_array_push(&amcf->issuers);
    if (issuer == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(issuer, sizeof(ngx_http_sync_issuer_t));
    ngx_str_null(&file);

    issuer->issuer.len = value[1].len;
    issuer->issuer.data = value[1].data;

    if (ngx_array_init(&issuer->audience, cf->pool, 2, sizeof(sync_str_t))
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    sync_sha256_init(&sha);
    sync_sha256_update(&sha, &amcf->generation, sizeof(amcf->generation));

    for (i = 1; i < cf->args->nelts; i++) {

        sync_sha256_update(&sha, value[i].data, value[i].len);
        sync_sha256_update(&sha, "", 1);

        if (i == 1) {
            continue;
        }

        for (k = 0; k < value[i].len && value[i].data[k] != '='; k++) {
            /* void */
        }

        if (k + 1 >= value[i].len) {
            goto invalid;
        }

        s.data = value[i].data + k + 1;
        s.len = value[i].len - k - 1;

        if (ngx_strncmp(value[i].data, "audience=", 9) == 0) {

            if (issuer->audience.nelts == NGX_HTTP_SYNC_AUTH_AUDIENCES) {
                return "has too many audiences";
            }

            audience = ngx_array_push(&issuer->audience);
            if (audience == NULL) {
                return NGX_CONF_ERROR;
            }

            *audience = s;

        } else if (ngx_strncmp(value[i].data, "jwks=", 5) == 0) {

            if (file.len) {
                return "has \"jwks\" twice";
            }

            file.data = s.data;
            file.len = s.len;

        } else if (ngx_strncmp(value[i].data, "tenant_claim=", 13) == 0) {
            issuer->names.tenant = s;

        } else if (ngx_strncmp(value[i].data, "client_claim=", 13) == 0) {
            issuer->names.client = s;

        } else if (ngx_strncmp(value[i].data, "scope_claim=", 12) == 0) {
            issuer->names.scope = s;

        } else if (ngx_strncmp(value[i].data, "plan_claim=", 11) == 0) {
            issuer->names.plan = s;

        } else if (ngx_strcmp(value[i].data, "typ=at+jwt") == 0) {
            issuer->at_jwt = 1;

        } else {
            rv = ngx_http_sync_introspect_param(cf, issuer, &value[i]);

            if (rv == NGX_HTTP_SYNC_INTROSPECT_OTHER) {
                goto invalid;
            }

            if (rv != NGX_CONF_OK) {
                return rv;
            }
        }
    }

    if (issuer->introspect != NULL) {

        rv = ngx_http_sync_introspect_done(cf, issuer);

        if (rv != NGX_CONF_OK) {
            return rv;
        }

        issuer->keyless = file.len == 0;
    }

    /* who is asked about a token is told who asks, and answers for him */

    if (issuer->audience.nelts == 0 && !issuer->keyless) {
        return "needs \"audience=\": a token for somebody else must not pass";
    }

    if (issuer->names.tenant.len == 0) {
        return "needs \"tenant_claim=\": the claim that names the tenant";
    }

    if (file.len == 0 && !issuer->keyless) {
        return "needs \"jwks=\": \"discover\", or the https URL or file of "
               "the keys that sign its tokens; or \"introspect=\"";
    }

    if (file.len) {

        rv = ngx_http_sync_issuer_keys(cf, issuer, &file, &sha);

        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    sync_sha256_final(&sha, digest);
    ngx_memcpy(&part, digest, sizeof(part));
    amcf->generation = part;

    return NGX_CONF_OK;

invalid:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\" of \"sync_issuer\", known "
                       "are audience=, jwks=, tenant_claim=, client_claim=, "
                       "scope_claim=, plan_claim=, typ=at+jwt, introspect=, "
                       "client_id=, client_secret=, cache=", &value[i]);
    return NGX_CONF_ERROR;
}


static char *
ngx_http_sync_issuer_keys(ngx_conf_t *cf, ngx_http_sync_issuer_t *issuer,
    ngx_str_t *from, sync_sha256_t *sha)
{
    ngx_str_t  url;

    if (ngx_strcmp(from->data, "discover") == 0) {

        /* where its metadata stand is made of it (RFC 8414, 2 and 3) */

        url.len = issuer->issuer.len;
        url.data = issuer->issuer.data;

        if (ngx_strlchr(url.data, url.data + url.len, '?') != NULL) {
            return "has \"jwks=discover\" and a query in its URL";
        }

        return ngx_http_sync_fetch_url(cf, &url);
    }

    if (ngx_strncmp(from->data, "https:", 6) == 0
        || ngx_strncmp(from->data, "http:", 5) == 0)
    {
        issuer->url.len = from->len;
        issuer->url.data = from->data;

        return ngx_http_sync_fetch_url(cf, from);
    }

    return ngx_http_sync_issuer_file(cf, issuer, from, sha);
}


/* Read at load, by the master: a change of the file needs a reload. */

static char *
ngx_http_sync_issuer_file(ngx_conf_t *cf, ngx_http_sync_issuer_t *issuer,
    ngx_str_t *file, sync_sha256_t *sha)
{
    sync_rc_t            rc;
    sync_str_t           text;
    sync_arena_t        *arena;
    sync_error_t         err;
    ngx_pool_cleanup_t  *cln;

    if (ngx_conf_full_name(cf->cycle, file, 1) != NGX_OK
        || ngx_http_sync_issuer_read(cf, file, &text) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    arena = sync_arena_create(4096);

    if (cln == NULL || arena == NULL) {
        return NGX_CONF_ERROR;
    }

    rc = sync_jwks_parse(&issuer->keys, arena, text, SYNC_JWKS_OCT, &err);

    if (rc == SYNC_OK) {
        cln->handler = ngx_http_sync_issuer_cleanup;
        cln->data = issuer->keys;

        sync_sha256_update(sha, text.data, text.len);

    } else if (rc == SYNC_NO) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "key set \"%V\" at \"%*s\": %s", file,
                           err.pointer.len, err.pointer.data, err.text);
    }

    sync_wipe(text.data, text.len);
    sync_arena_destroy(arena);

    return rc == SYNC_OK ? NGX_CONF_OK : NGX_CONF_ERROR;
}


static ngx_int_t
ngx_http_sync_issuer_read(ngx_conf_t *cf, ngx_str_t *file, sync_str_t *text)
{
    ssize_t          n;
    ngx_file_t       f;
    ngx_file_info_t  fi;

    ngx_memzero(&f, sizeof(ngx_file_t));

    f.name = *file;
    f.log = cf->log;
    f.fd = ngx_open_file(file->data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);

    if (f.fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_open_file_n " \"%V\" failed", file);
        return NGX_ERROR;
    }

    n = NGX_ERROR;

    if (ngx_fd_info(f.fd, &fi) == NGX_FILE_ERROR
        || ngx_file_size(&fi) > NGX_HTTP_SYNC_AUTH_JWKS)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "key set \"%V\" is no file of at most %d bytes",
                           file, NGX_HTTP_SYNC_AUTH_JWKS);

    } else {
        text->len = ngx_file_size(&fi);
        text->data = ngx_pnalloc(cf->pool, text->len + 1);

        if (text->data != NULL) {
            n = ngx_read_file(&f, text->data, text->len, 0);
        }

        if (n != NGX_ERROR && (size_t) n != text->len) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "key set \"%V\" changed while it was read",
                               file);
            n = NGX_ERROR;
        }
    }

    (void) ngx_close_file(f.fd);

    return n == NGX_ERROR ? NGX_ERROR : NGX_OK;
}


static void
ngx_http_sync_issuer_cleanup(void *data)
{
    sync_jwks_free(data);
}
