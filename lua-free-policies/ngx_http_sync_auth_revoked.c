
/*
 * What no longer counts although it was signed and has not expired: tokens by
 * their jti, clients by their id.  Tenants say it in their documents, of all
 * that comes for them; sync_revoked says it of the tokens of sync_issuer, for
 * all tenants.  Both are asked on every request, also where the token is
 * found in a cache.
 */


#include "ngx_http_sync_auth.h"
#include "ngx_http_sync_live.h"


#define NGX_HTTP_SYNC_REVOKED_MAX  (16 * 1024 * 1024)    /* bytes */


typedef struct {
    sync_str_t            *items;        /* ascending; inside text */
    ngx_uint_t             n;
} ngx_http_sync_revoked_list_t;


/* What was read, by malloc; text has the strings of both lists. */

typedef struct {
    ngx_str_t                     text;
    ngx_http_sync_revoked_list_t  ids;
    ngx_http_sync_revoked_list_t  clients;
} ngx_http_sync_revoked_set_t;


struct ngx_http_sync_revoked_s {
    ngx_http_sync_live_t         live;
    ngx_http_sync_revoked_set_t  set;
};


static void ngx_http_sync_revoked_look(ngx_http_sync_revoked_t *rv,
    ngx_log_t *log);
static ngx_int_t ngx_http_sync_revoked_read(ngx_http_sync_revoked_t *rv,
    ngx_http_sync_revoked_set_t *set, ngx_uint_t level, ngx_log_t *log);
static ngx_uint_t ngx_http_sync_revoked_word(u_char *p, size_t len,
    const char *word, sync_str_t *value);
static void ngx_http_sync_revoked_free(ngx_http_sync_revoked_set_t *set);
static int ngx_libc_cdecl ngx_http_sync_revoked_order(const void *a,
    const void *b);
static ngx_uint_t ngx_http_sync_revoked_has(
    ngx_http_sync_revoked_list_t *list, sync_str_t s);
static void ngx_http_sync_revoked_cleanup(void *data);


ngx_uint_t
ngx_http_sync_auth_revoked(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_proven_t *proven)
{
    const sync_doc_t                *doc;
    ngx_http_sync_revoked_t         *rv;
    ngx_http_sync_auth_main_conf_t  *amcf;

    doc = ctx->tenant.doc;

    if (doc != NULL
        && (sync_doc_revoked_id(doc, proven->jwt.id)
            || sync_doc_revoked_client(doc, proven->jwt.client)))
    {
        return 1;
    }

    amcf = ngx_http_get_module_main_conf(r, ngx_http_sync_auth_module);
    rv = amcf->revoked;

    if (rv == NULL || !(proven->issuer & NGX_HTTP_SYNC_AUTH_PLATFORM)) {
        return 0;
    }

    ngx_http_sync_revoked_look(rv, r->connection->log);

    return ngx_http_sync_revoked_has(&rv->set.ids, proven->jwt.id)
           || ngx_http_sync_revoked_has(&rv->set.clients, proven->jwt.client);
}


/* A list that is broken or gone does not lift what the last one said. */

static void
ngx_http_sync_revoked_look(ngx_http_sync_revoked_t *rv, ngx_log_t *log)
{
    ngx_http_sync_revoked_set_t  set;

    ngx_memzero(&set, sizeof(set));

    if (ngx_http_sync_live_look(&rv->live, &set.text, NGX_LOG_ERR, log)
        != NGX_OK)
    {
        return;
    }

    if (ngx_http_sync_revoked_read(rv, &set, NGX_LOG_ERR, log) != NGX_OK) {
        ngx_http_sync_revoked_free(&set);
        return;
    }

    ngx_http_sync_revoked_free(&rv->set);
    rv->set = set;

    ngx_log_error(NGX_LOG_NOTICE, log, 0,
                  "auth: revoked are %ui tokens and %ui clients, \"%V\"",
                  set.ids.n, set.clients.n, &rv->live.path);
}


/* "jti VALUE" and "client VALUE", a line each; "#" begins a comment. */

static ngx_int_t
ngx_http_sync_revoked_read(ngx_http_sync_revoked_t *rv,
    ngx_http_sync_revoked_set_t *set, ngx_uint_t level, ngx_log_t *log)
{
    u_char      *p, *last, *end, *next;
    ngx_uint_t   lines, line;
    sync_str_t   value;

    p = set->text.data;
    last = p + set->text.len;
    lines = 1;

    for (end = p; end < last; end++) {
        lines += (*end == '\n');
    }

    set->ids.items = malloc(lines * sizeof(sync_str_t));
    set->clients.items = malloc(lines * sizeof(sync_str_t));

    if (set->ids.items == NULL || set->clients.items == NULL) {
        return NGX_ERROR;
    }

    for (line = 1; p < last; line++, p = next) {

        end = ngx_strlchr(p, last, '\n');
        if (end == NULL) {
            end = last;
        }

        next = end + 1;

        while (end > p && (end[-1] == ' ' || end[-1] == '\t'
                           || end[-1] == '\r'))
        {
            end--;
        }

        while (p < end && (*p == ' ' || *p == '\t')) {
            p++;
        }

        if (p == end || *p == '#') {
            continue;
        }

        if (ngx_http_sync_revoked_word(p, end - p, "jti", &value)) {
            set->ids.items[set->ids.n++] = value;

        } else if (ngx_http_sync_revoked_word(p, end - p, "client", &value)) {
            set->clients.items[set->clients.n++] = value;

        } else {
            ngx_log_error(level, log, 0,
                          "sync_revoked: \"jti VALUE\" or \"client VALUE\" "
                          "is needed, in %V:%ui", &rv->live.path, line);
            return NGX_ERROR;
        }
    }

    qsort(set->ids.items, set->ids.n, sizeof(sync_str_t),
          ngx_http_sync_revoked_order);
    qsort(set->clients.items, set->clients.n, sizeof(sync_str_t),
          ngx_http_sync_revoked_order);

    return NGX_OK;
}


static ngx_uint_t
ngx_http_sync_revoked_word(u_char *p, size_t len, const char *word,
    sync_str_t *value)
{
    size_t  n;

    n = ngx_strlen(word);

    if (len <= n || ngx_memcmp(p, word, n) != 0
        || (p[n] != ' ' && p[n] != '\t'))
    {
        return 0;
    }

    while (n < len && (p[n] == ' ' || p[n] == '\t')) {
        n++;
    }

    value->data = p + n;
    value->len = len - n;

    return 1;
}


static void
ngx_http_sync_revoked_free(ngx_http_sync_revoked_set_t *set)
{
    free(set->ids.items);
    free(set->clients.items);
    ngx_http_sync_live_free(&set->text);

    ngx_memzero(set, sizeof(ngx_http_sync_revoked_set_t));
}


static int ngx_libc_cdecl
ngx_http_sync_revoked_order(const void *a, const void *b)
{
    const sync_str_t  *one = a;
    const sync_str_t  *two = b;

    return ngx_memn2cmp(one->data, two->data, one->len, two->len);
}


static ngx_uint_t
ngx_http_sync_revoked_has(ngx_http_sync_revoked_list_t *list, sync_str_t s)
{
    return s.len && list->n
           && bsearch(&s, list->items, list->n, sizeof(sync_str_t),
                      ngx_http_sync_revoked_order)
              != NULL;
}


/* sync_revoked FILE */

char *
ngx_http_sync_revoked(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_sync_auth_main_conf_t  *amcf = conf;

    ngx_str_t                    *value;
    ngx_pool_cleanup_t           *cln;
    ngx_http_sync_revoked_t      *rv;

    if (amcf->revoked != NULL) {
        return "is duplicate";
    }

    value = cf->args->elts;

    rv = ngx_pcalloc(cf->pool, sizeof(ngx_http_sync_revoked_t));
    cln = ngx_pool_cleanup_add(cf->pool, 0);

    if (rv == NULL || cln == NULL) {
        return NGX_CONF_ERROR;
    }

    cln->handler = ngx_http_sync_revoked_cleanup;
    cln->data = rv;

    if (ngx_http_sync_live_init(cf, &rv->live, "sync_revoked", &value[1],
                                NGX_HTTP_SYNC_REVOKED_MAX)
        != NGX_OK
        || ngx_http_sync_live_look(&rv->live, &rv->set.text, NGX_LOG_EMERG,
                                   cf->log)
           != NGX_OK
        || ngx_http_sync_revoked_read(rv, &rv->set, NGX_LOG_EMERG, cf->log)
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    amcf->revoked = rv;

    return NGX_CONF_OK;
}


static void
ngx_http_sync_revoked_cleanup(void *data)
{
    ngx_http_sync_revoked_t  *rv = data;

    ngx_http_sync_revoked_free(&rv->set);
}
