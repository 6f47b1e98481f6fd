
/*
 * Tenant documents for a fleet: signed in one place, put into Redis, brought
 * from there into the folder of each node.
 *
 * One worker of a node polls; what is new and rightly signed it writes into
 * the folder of sync_tenants, where all workers find it as they find any
 * document, with the same checks.  A node that cannot reach Redis goes on, and
 * starts, with the documents that it has.
 *
 *     sync:{fleet:NAME}log     tenants by the serial of their last change
 *     sync:{fleet:NAME}docs    tenant -> "JWS\nDOCUMENT"
 *
 * The signed text is "SERIAL TENANT SHA256", of a tenant that has gone
 * "SERIAL TENANT -".  A serial is a time in milliseconds; one that is not
 * beyond the last that was taken is old, whoever brings it again.
 */


#include "ngx_http_sync_registry.h"
#include "ngx_sync_redis.h"
#include "sync_crypto.h"


#define NGX_HTTP_SYNC_FLEET_INTERVAL  2000   /* ms */
#define NGX_HTTP_SYNC_FLEET_LEAST     10
#define NGX_HTTP_SYNC_FLEET_TIMEOUT   2000   /* ms, of a command */
#define NGX_HTTP_SYNC_FLEET_PAGE      64     /* documents at once */
#define NGX_HTTP_SYNC_FLEET_NAME      128    /* bytes of a tenant's name */
#define NGX_HTTP_SYNC_FLEET_KEYS      65536  /* bytes of the key set */
#define NGX_HTTP_SYNC_FLEET_DOCUMENT  (1024 * 1024)


typedef struct {
    ngx_str_t                name;
    uint64_t                 serial;
} ngx_http_sync_fleet_change_t;


typedef struct {
    ngx_sync_redis_t         redis;
    unsigned                 used:1;
    ngx_str_t                label;          /* name= */
    ngx_str_t                keys;           /* path of the key set */
    ngx_msec_t               interval;
    ngx_str_t                tag;
    ngx_str_t                log_key;
    ngx_str_t                docs_key;
    ngx_str_t                dir;
    sync_jwks_t             *set;

    ngx_event_t              event;
    uint64_t                 last;           /* serial that was taken */
    ngx_pool_t              *pool;           /* of a poll; NULL: none */
    ngx_array_t              changes;
    uint64_t                 refused[NGX_HTTP_SYNC_FLEET_PAGE];
                                             /* serials, in the last poll */
    ngx_uint_t               nrefused;
    unsigned                 down:1;
} ngx_http_sync_fleet_conf_t;


static void *ngx_http_sync_fleet_create_conf(ngx_conf_t *cf);
static char *ngx_http_sync_fleet(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_sync_fleet_keys(ngx_conf_t *cf,
    ngx_http_sync_fleet_conf_t *fcf);
static ngx_int_t ngx_http_sync_fleet_key(ngx_conf_t *cf, ngx_str_t *key,
    ngx_str_t *label, const char *what);
static void ngx_http_sync_fleet_cleanup(void *data);
static ngx_int_t ngx_http_sync_fleet_postconfiguration(ngx_conf_t *cf);
static ngx_int_t ngx_http_sync_fleet_init_process(ngx_cycle_t *cycle);
static void ngx_http_sync_fleet_exit_process(ngx_cycle_t *cycle);

static void ngx_http_sync_fleet_poll(ngx_event_t *ev);
static ngx_int_t ngx_http_sync_fleet_send(ngx_http_sync_fleet_conf_t *fcf,
    ngx_str_t *args, ngx_uint_t n, ngx_sync_redis_handler_pt handler);
static void ngx_http_sync_fleet_changed(ngx_sync_redis_cmd_t *cmd,
    ngx_sync_redis_reply_t *reply);
static void ngx_http_sync_fleet_brought(ngx_sync_redis_cmd_t *cmd,
    ngx_sync_redis_reply_t *reply);
static ngx_int_t ngx_http_sync_fleet_take(ngx_http_sync_fleet_conf_t *fcf,
    ngx_http_sync_fleet_change_t *change, ngx_str_t *value, const char **why);
static ngx_int_t ngx_http_sync_fleet_verify(ngx_http_sync_fleet_conf_t *fcf,
    ngx_http_sync_fleet_change_t *change, ngx_str_t *value, ngx_str_t *doc,
    const char **why);
static ngx_int_t ngx_http_sync_fleet_write(ngx_http_sync_fleet_conf_t *fcf,
    ngx_str_t *file, ngx_str_t *text);
static void ngx_http_sync_fleet_rest(ngx_http_sync_fleet_conf_t *fcf,
    ngx_msec_t rest);
static void ngx_http_sync_fleet_recall(ngx_http_sync_fleet_conf_t *fcf);
static ngx_uint_t ngx_http_sync_fleet_name_ok(ngx_str_t *name);


static ngx_command_t  ngx_http_sync_fleet_commands[] = {

    { ngx_string("sync_fleet"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,
      ngx_http_sync_fleet,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_sync_fleet_module_ctx = {
    NULL,                                  /* preconfiguration */
    ngx_http_sync_fleet_postconfiguration, /* postconfiguration */

    ngx_http_sync_fleet_create_conf,       /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    NULL,                                  /* create location configuration */
    NULL                                   /* merge location configuration */
};


ngx_module_t  ngx_http_sync_fleet_module = {
    NGX_MODULE_V1,
    &ngx_http_sync_fleet_module_ctx,       /* module context */
    ngx_http_sync_fleet_commands,          /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    ngx_http_sync_fleet_init_process,      /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_http_sync_fleet_exit_process,      /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_str_t  ngx_http_sync_fleet_state = ngx_string(".fleet");


static void *
ngx_http_sync_fleet_create_conf(ngx_conf_t *cf)
{
    ngx_pool_cleanup_t          *cln;
    ngx_http_sync_fleet_conf_t  *fcf;

    fcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_sync_fleet_conf_t));
    if (fcf == NULL) {
        return NULL;
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        return NULL;
    }

    cln->handler = ngx_http_sync_fleet_cleanup;
    cln->data = fcf;

    fcf->interval = NGX_HTTP_SYNC_FLEET_INTERVAL;
    ngx_str_set(&fcf->label, "default");

    return fcf;
}


static void
ngx_http_sync_fleet_cleanup(void *data)
{
    ngx_http_sync_fleet_conf_t *fcf = data;

    if (fcf->event.timer_set) {
        ngx_del_timer(&fcf->event);
    }

    if (fcf->pool != NULL) {
        ngx_destroy_pool(fcf->pool);
        fcf->pool = NULL;
    }

    sync_jwks_free(fcf->set);
    fcf->set = NULL;
}


/* sync_fleet ADDRESS keys=PATH [name=NAME] [interval=TIME] ... */

static char *
ngx_http_sync_fleet(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_sync_fleet_conf_t *fcf = conf;

    char        *rc;
    ngx_int_t    time;
    ngx_str_t   *args, *value, s;
    ngx_uint_t   i, n;

    if (fcf->used) {
        return "is duplicate";
    }

    fcf->used = 1;

    value = cf->args->elts;

    args = ngx_palloc(cf->pool, cf->args->nelts * sizeof(ngx_str_t));
    if (args == NULL) {
        return NGX_CONF_ERROR;
    }

    args[0] = value[1];
    n = 1;

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "keys=", 5) == 0) {
            fcf->keys.data = value[i].data + 5;
            fcf->keys.len = value[i].len - 5;
            continue;
        }

        if (ngx_strncmp(value[i].data, "name=", 5) == 0) {
            fcf->label.data = value[i].data + 5;
            fcf->label.len = value[i].len - 5;

            if (!ngx_http_sync_fleet_name_ok(&fcf->label)) {
                return "takes a \"name=\" of letters, digits and \"_.-\"";
            }

            continue;
        }

        if (ngx_strncmp(value[i].data, "interval=", 9) == 0) {
            s.data = value[i].data + 9;
            s.len = value[i].len - 9;

            time = ngx_parse_time(&s, 0);

            if (time == NGX_ERROR || time < NGX_HTTP_SYNC_FLEET_LEAST) {
                return "takes an \"interval=\" of 10ms or more";
            }

            fcf->interval = time;
            continue;
        }

        args[n++] = value[i];
    }

    fcf->redis.label = fcf->label;
    fcf->redis.timeout = NGX_HTTP_SYNC_FLEET_TIMEOUT;

    rc = ngx_sync_redis_conf(cf, args, n, &fcf->redis);
    if (rc != NGX_CONF_OK) {
        return rc;
    }

    if (fcf->keys.len == 0) {
        return "needs \"keys=\", the public keys of those who may sign "
               "documents";
    }

    if (ngx_http_sync_fleet_key(cf, &fcf->log_key, &fcf->label, "log")
        != NGX_OK
        || ngx_http_sync_fleet_key(cf, &fcf->docs_key, &fcf->label, "docs")
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    fcf->tag.data = fcf->log_key.data + sizeof("sync:{") - 1;
    fcf->tag.len = sizeof("fleet:") - 1 + fcf->label.len;

    return ngx_http_sync_fleet_keys(cf, fcf);
}


static ngx_int_t
ngx_http_sync_fleet_key(ngx_conf_t *cf, ngx_str_t *key, ngx_str_t *label,
    const char *what)
{
    key->data = ngx_pnalloc(cf->pool, sizeof("sync:{fleet:}docs")
                                      + label->len);
    if (key->data == NULL) {
        return NGX_ERROR;
    }

    key->len = ngx_sprintf(key->data, "sync:{fleet:%V}%s", label, what)
               - key->data;

    return NGX_OK;
}


static char *
ngx_http_sync_fleet_keys(ngx_conf_t *cf, ngx_http_sync_fleet_conf_t *fcf)
{
    u_char        *text;
    ssize_t        n;
    ngx_fd_t       fd;
    sync_rc_t      rc;
    sync_error_t   err;
    sync_arena_t  *arena;

    if (ngx_conf_full_name(cf->cycle, &fcf->keys, 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    text = ngx_palloc(cf->temp_pool, NGX_HTTP_SYNC_FLEET_KEYS);
    arena = sync_arena_create(4096);

    if (text == NULL || arena == NULL) {
        sync_arena_destroy(arena);
        return NGX_CONF_ERROR;
    }

    fd = ngx_open_file(fcf->keys.data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);
    n = -1;

    if (fd != NGX_INVALID_FILE) {
        n = ngx_read_fd(fd, text, NGX_HTTP_SYNC_FLEET_KEYS);
        ngx_close_file(fd);
    }

    if (n < 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "\"sync_fleet\": \"%V\" cannot be read",
                           &fcf->keys);
        sync_arena_destroy(arena);
        return NGX_CONF_ERROR;
    }

    /* public keys alone: who can read this file must not be able to sign */

    rc = sync_jwks_parse(&fcf->set, arena, (sync_str_t) { n, text },
                         SYNC_JWKS_STRICT, &err);

    if (rc != SYNC_OK) {
        fcf->set = NULL;
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"sync_fleet\": the key set \"%V\": %s",
                           &fcf->keys,
                           rc == SYNC_NO ? err.text : "no memory");
    }

    sync_arena_destroy(arena);

    return rc == SYNC_OK ? NGX_CONF_OK : NGX_CONF_ERROR;
}


static ngx_int_t
ngx_http_sync_fleet_postconfiguration(ngx_conf_t *cf)
{
    ngx_http_core_loc_conf_t    *clcf;
    ngx_http_sync_fleet_conf_t  *fcf;

    fcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_sync_fleet_module);

    if (!fcf->used) {
        return NGX_OK;
    }

    if (ngx_http_sync_registry_dir(cf, &fcf->dir) != NGX_OK) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"sync_fleet\" needs \"sync_tenants\", the folder that "
                      "it fills");
        return NGX_ERROR;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    return ngx_sync_redis_conf_done(cf, &fcf->redis, clcf->resolver,
                                    clcf->resolver_timeout);
}


static ngx_int_t
ngx_http_sync_fleet_init_process(ngx_cycle_t *cycle)
{
    ngx_http_sync_fleet_conf_t  *fcf;

    fcf = ngx_http_cycle_get_module_main_conf(cycle,
                                              ngx_http_sync_fleet_module);

    /* one worker brings them; when it dies, its successor has its number */

    if (fcf == NULL || !fcf->used
        || (ngx_process != NGX_PROCESS_SINGLE
            && (ngx_process != NGX_PROCESS_WORKER || ngx_worker != 0)))
    {
        return NGX_OK;
    }

    ngx_http_sync_fleet_recall(fcf);

    fcf->event.handler = ngx_http_sync_fleet_poll;
    fcf->event.data = fcf;
    fcf->event.log = cycle->log;
    fcf->event.cancelable = 1;

    ngx_add_timer(&fcf->event, 1);

    return fcf->redis.topology->init_process(&fcf->redis, cycle);
}


static void
ngx_http_sync_fleet_exit_process(ngx_cycle_t *cycle)
{
    ngx_http_sync_fleet_conf_t  *fcf;

    fcf = ngx_http_cycle_get_module_main_conf(cycle,
                                              ngx_http_sync_fleet_module);

    if (fcf != NULL && fcf->event.handler != NULL) {
        fcf->redis.topology->exit_process(&fcf->redis);
    }
}


/* What has changed since the last serial? */

static void
ngx_http_sync_fleet_poll(ngx_event_t *ev)
{
    ngx_http_sync_fleet_conf_t *fcf = ev->data;

    u_char     since[NGX_INT64_LEN + 2], page[NGX_INT_T_LEN];
    ngx_str_t  args[8];

    if (ngx_exiting || ngx_quit || ngx_terminate) {
        return;
    }

    fcf->pool = ngx_create_pool(4096, ngx_cycle->log);

    if (fcf->pool == NULL) {
        ngx_http_sync_fleet_rest(fcf, fcf->interval);
        return;
    }

    ngx_str_set(&args[0], "ZRANGEBYSCORE");
    args[1] = fcf->log_key;
    args[2].data = since;
    args[2].len = ngx_sprintf(since, "(%uL", fcf->last) - since;
    ngx_str_set(&args[3], "+inf");
    ngx_str_set(&args[4], "WITHSCORES");
    ngx_str_set(&args[5], "LIMIT");
    ngx_str_set(&args[6], "0");
    args[7].data = page;
    args[7].len = ngx_sprintf(page, "%d", NGX_HTTP_SYNC_FLEET_PAGE) - page;

    if (ngx_http_sync_fleet_send(fcf, args, 8, ngx_http_sync_fleet_changed)
        != NGX_OK)
    {
        ngx_http_sync_fleet_rest(fcf, fcf->interval);
    }
}


static ngx_int_t
ngx_http_sync_fleet_send(ngx_http_sync_fleet_conf_t *fcf, ngx_str_t *args,
    ngx_uint_t n, ngx_sync_redis_handler_pt handler)
{
    ngx_sync_redis_cmd_t  *cmd;

    cmd = ngx_sync_redis_command(&fcf->redis, args, n, 0);
    if (cmd == NULL) {
        return NGX_ERROR;
    }

    cmd->handler = handler;
    cmd->data = fcf;
    cmd->again = 1;

    return ngx_sync_redis_send(&fcf->redis, &fcf->tag, cmd);
}


static void
ngx_http_sync_fleet_changed(ngx_sync_redis_cmd_t *cmd,
    ngx_sync_redis_reply_t *reply)
{
    ngx_http_sync_fleet_conf_t *fcf = cmd->data;

    u_char                        *p;
    ngx_str_t                     *args, *score;
    ngx_uint_t                     i, n;
    ngx_http_sync_fleet_change_t  *change;

    if (reply == NULL || reply->type != NGX_SYNC_REDIS_ARRAY) {

        if (!fcf->down) {
            fcf->down = 1;
            ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                          "fleet: the Redis of \"sync_fleet\" does not answer; "
                          "the documents that are here stay");
        }

        ngx_http_sync_fleet_rest(fcf, fcf->interval);
        return;
    }

    if (fcf->down) {
        fcf->down = 0;
        ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                      "fleet: the Redis of \"sync_fleet\" answers again");
    }

    if (reply->n < 2) {
        fcf->nrefused = 0;
        ngx_http_sync_fleet_rest(fcf, fcf->interval);
        return;
    }

    n = reply->n / 2;
    args = ngx_palloc(fcf->pool, (n + 2) * sizeof(ngx_str_t));

    if (args == NULL
        || ngx_array_init(&fcf->changes, fcf->pool, n,
                          sizeof(ngx_http_sync_fleet_change_t))
           != NGX_OK)
    {
        ngx_http_sync_fleet_rest(fcf, fcf->interval);
        return;
    }

    ngx_str_set(&args[0], "HMGET");
    args[1] = fcf->docs_key;

    for (i = 0; i < n; i++) {
        change = ngx_array_push(&fcf->changes);
        score = &reply->elts[2 * i + 1].str;

        change->name.len = reply->elts[2 * i].str.len;
        change->name.data = ngx_pstrdup(fcf->pool, &reply->elts[2 * i].str);
        change->serial = 0;

        if (change->name.data == NULL) {
            ngx_http_sync_fleet_rest(fcf, fcf->interval);
            return;
        }

        for (p = score->data;
             p < score->data + ngx_min(score->len, 18)
             && *p >= '0' && *p <= '9';
             p++)
        {
            change->serial = change->serial * 10 + (*p - '0');
        }

        args[2 + i] = change->name;
    }

    if (ngx_http_sync_fleet_send(fcf, args, n + 2,
                                 ngx_http_sync_fleet_brought)
        != NGX_OK)
    {
        ngx_http_sync_fleet_rest(fcf, fcf->interval);
    }
}


static void
ngx_http_sync_fleet_brought(ngx_sync_redis_cmd_t *cmd,
    ngx_sync_redis_reply_t *reply)
{
    ngx_http_sync_fleet_conf_t *fcf = cmd->data;

    u_char                         serial[NGX_INT64_LEN + 1];
    uint64_t                       last, refused[NGX_HTTP_SYNC_FLEET_PAGE];
    ngx_int_t                      rc;
    ngx_str_t                      text;
    ngx_uint_t                     i, k, n, nrefused;
    const char                    *why;
    ngx_http_sync_fleet_change_t  *change;

    change = fcf->changes.elts;
    n = fcf->changes.nelts;

    if (reply == NULL || reply->type != NGX_SYNC_REDIS_ARRAY
        || reply->n != n || n > NGX_HTTP_SYNC_FLEET_PAGE)
    {
        ngx_http_sync_fleet_rest(fcf, fcf->interval);
        return;
    }

    last = fcf->last;
    nrefused = 0;

    for (i = 0; i < n; i++) {
        why = "it is not there";

        rc = ngx_http_sync_fleet_take(fcf, &change[i], &reply->elts[i].str,
                                      &why);

        if (rc == NGX_ERROR) {
            ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, ngx_errno,
                          "fleet: the document of tenant \"%V\" cannot be "
                          "written into \"%V\"", &change[i].name, &fcf->dir);
            break;
        }

        if (rc == NGX_OK) {
            fcf->last = change[i].serial;
            continue;
        }

        /*
         * never taken, and no reason to pass over what comes behind it; it is
         * met at each poll, and told at the first
         */

        refused[nrefused++] = change[i].serial;

        for (k = 0; k < fcf->nrefused; k++) {
            if (fcf->refused[k] == change[i].serial) {
                break;
            }
        }

        if (k == fcf->nrefused) {
            ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                          "fleet: a document of tenant \"%V\" is refused: %s",
                          &change[i].name, why);
        }
    }

    ngx_memcpy(fcf->refused, refused, nrefused * sizeof(uint64_t));
    fcf->nrefused = nrefused;

    if (fcf->last != last) {
        text.data = serial;
        text.len = ngx_sprintf(serial, "%uL\n", fcf->last) - serial;

        if (ngx_http_sync_fleet_write(fcf, &ngx_http_sync_fleet_state, &text)
            != NGX_OK)
        {
            ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, ngx_errno,
                          "fleet: \"%V/.fleet\" cannot be written", &fcf->dir);
        }
    }

    ngx_http_sync_fleet_rest(fcf, n == NGX_HTTP_SYNC_FLEET_PAGE
                                  && fcf->last != last ? 1 : fcf->interval);
}


/* NGX_OK; NGX_DECLINED: refused, *why; NGX_ERROR: it cannot be written. */

static ngx_int_t
ngx_http_sync_fleet_take(ngx_http_sync_fleet_conf_t *fcf,
    ngx_http_sync_fleet_change_t *change, ngx_str_t *value, const char **why)
{
    u_char     *p;
    ngx_int_t   rc;
    ngx_str_t   doc, file;

    rc = ngx_http_sync_fleet_verify(fcf, change, value, &doc, why);
    if (rc != NGX_OK) {
        return rc;
    }

    file.data = ngx_pnalloc(fcf->pool, fcf->dir.len + change->name.len
                                       + sizeof("/.json"));
    if (file.data == NULL) {
        return NGX_ERROR;
    }

    if (doc.data != NULL) {
        p = ngx_sprintf(file.data, "%V.json%Z", &change->name);
        file.len = p - file.data - 1;

        return ngx_http_sync_fleet_write(fcf, &file, &doc);
    }

    (void) ngx_sprintf(file.data, "%V/%V.json%Z", &fcf->dir, &change->name);

    return ngx_delete_file(file.data) != NGX_FILE_ERROR
           || ngx_errno == NGX_ENOENT ? NGX_OK : NGX_ERROR;
}


/* doc: data NULL, the tenant has gone. */

static ngx_int_t
ngx_http_sync_fleet_verify(ngx_http_sync_fleet_conf_t *fcf,
    ngx_http_sync_fleet_change_t *change, ngx_str_t *value, ngx_str_t *doc,
    const char **why)
{
    u_char        *p, digest[SYNC_SHA256_LEN];
    u_char         want[NGX_INT64_LEN + NGX_HTTP_SYNC_FLEET_NAME
                        + 2 * SYNC_SHA256_LEN + 3];
    sync_rc_t      rc;
    sync_str_t     token;
    sync_jws_t     jws;
    sync_error_t   err;
    sync_arena_t  *arena;

    if (!ngx_http_sync_fleet_name_ok(&change->name)) {
        *why = "this is not the name of a tenant";
        return NGX_DECLINED;
    }

    p = value->len ? ngx_strlchr(value->data, value->data + value->len, '\n')
                   : NULL;

    if (p == NULL) {
        return NGX_DECLINED;
    }

    token.data = value->data;
    token.len = p - value->data;

    doc->data = p + 1;
    doc->len = value->data + value->len - doc->data;

    if (doc->len > NGX_HTTP_SYNC_FLEET_DOCUMENT) {
        *why = "it is too large";
        return NGX_DECLINED;
    }

    /* what must have been signed */

    p = ngx_sprintf(want, "%uL %V ", change->serial, &change->name);

    if (doc->len) {
        sync_sha256(doc->data, doc->len, digest);
        p += sync_hex_encode(p, digest, sizeof(digest));

    } else {
        *p++ = '-';
        doc->data = NULL;
    }

    arena = sync_arena_create(4096);
    if (arena == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(&err, sizeof(err));

    rc = sync_jws_parse(&jws, arena, token, &err);

    if (rc == SYNC_OK) {
        rc = sync_jws_verify(&jws, fcf->set, &err);
    }

    if (rc == SYNC_OK
        && (jws.payload.len != (size_t) (p - want)
            || ngx_memcmp(jws.payload.data, want, jws.payload.len) != 0))
    {
        rc = SYNC_NO;
        *why = "another serial, tenant or document was signed";

    } else if (rc != SYNC_OK) {
        *why = "it is not signed by a key of \"keys=\"";
    }

    sync_arena_destroy(arena);

    return rc == SYNC_OK ? NGX_OK : rc == SYNC_NO ? NGX_DECLINED : NGX_ERROR;
}


/* By rename, as live files must be written. */

static ngx_int_t
ngx_http_sync_fleet_write(ngx_http_sync_fleet_conf_t *fcf, ngx_str_t *file,
    ngx_str_t *text)
{
    u_char    *path, *temp;
    ssize_t    n;
    ngx_fd_t   fd;

    path = ngx_pnalloc(fcf->pool, fcf->dir.len + file->len + 2);
    temp = ngx_pnalloc(fcf->pool, fcf->dir.len + sizeof("/.fleet.new"));

    if (path == NULL || temp == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_sprintf(path, "%V/%V%Z", &fcf->dir, file);
    (void) ngx_sprintf(temp, "%V/.fleet.new%Z", &fcf->dir);

    fd = ngx_open_file(temp, NGX_FILE_WRONLY, NGX_FILE_TRUNCATE, 0644);
    if (fd == NGX_INVALID_FILE) {
        return NGX_ERROR;
    }

    n = ngx_write_fd(fd, text->data, text->len);

    if (ngx_close_file(fd) == NGX_FILE_ERROR || n != (ssize_t) text->len) {
        (void) ngx_delete_file(temp);
        return NGX_ERROR;
    }

    return ngx_rename_file(temp, path) == NGX_FILE_ERROR ? NGX_ERROR : NGX_OK;
}


static void
ngx_http_sync_fleet_rest(ngx_http_sync_fleet_conf_t *fcf, ngx_msec_t rest)
{
    if (fcf->pool != NULL) {
        ngx_destroy_pool(fcf->pool);
        fcf->pool = NULL;
    }

    if (!ngx_exiting) {
        ngx_add_timer(&fcf->event, rest);
    }
}


/* The serial that this node has come to; 0: it begins. */

static void
ngx_http_sync_fleet_recall(ngx_http_sync_fleet_conf_t *fcf)
{
    u_char    path[NGX_MAX_PATH], text[NGX_INT64_LEN];
    ssize_t   i, n;
    ngx_fd_t  fd;

    fcf->last = 0;

    if (fcf->dir.len + sizeof("/.fleet") > sizeof(path)) {
        return;
    }

    (void) ngx_sprintf(path, "%V/.fleet%Z", &fcf->dir);

    fd = ngx_open_file(path, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);
    if (fd == NGX_INVALID_FILE) {
        return;
    }

    n = ngx_read_fd(fd, text, sizeof(text) - 2);
    ngx_close_file(fd);

    for (i = 0; i < n && text[i] >= '0' && text[i] <= '9'; i++) {
        fcf->last = fcf->last * 10 + (text[i] - '0');
    }
}


/* It becomes the name of a file. */

static ngx_uint_t
ngx_http_sync_fleet_name_ok(ngx_str_t *name)
{
    u_char      c;
    ngx_uint_t  i;

    if (name->len == 0 || name->len > NGX_HTTP_SYNC_FLEET_NAME
        || name->data[0] == '.')
    {
        return 0;
    }

    for (i = 0; i < name->len; i++) {
        c = name->data[i];

        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z')
              || (c >= 'A' && c <= 'Z') || c == '_' || c == '.' || c == '-'))
        {
            return 0;
        }
    }

    return 1;
}
