
/*
 * Penalties: who was answered so often in vain is not let in for a while.
 *
 * Answers are counted in the store of the penalty's mode, when they have gone
 * out; whoever sees the count run over shuts its node's gate, in the shared
 * memory that is looked at by each request.  Another node shuts its own with
 * the next such answer, while the count stands.
 */


#include "ngx_http_sync_limit.h"
#include "sync_crypto.h"


#define NGX_HTTP_SYNC_LIMIT_MIN_S  1000      /* ms */


/* What an answer may be counted for, held in the slot of a stage. */

struct ngx_http_sync_limit_mark_s {
    const ngx_http_sync_limit_penalty_t  *penalty;
    ngx_str_t                             key;
    ngx_http_sync_limit_mark_t           *next;
};


/* A count that is under way; its request may be gone. */

typedef struct {
    ngx_pool_t                           *pool;
    ngx_sync_store_t                     *store;
    ngx_sync_store_t                     *local;
    ngx_http_sync_limit_penalty_t         penalty;
    ngx_str_t                             key;
    ngx_sync_op_t                         op;
    ngx_sync_limit_t                      take;
    ngx_sync_limit_item_t                 item;
    sync_gcra_answer_t                    answer;
    sync_gcra_t                           gcra;
    ngx_event_t                           end;
} ngx_http_sync_limit_strike_t;


static ngx_int_t ngx_http_sync_limit_gate(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, const ngx_http_sync_limit_penalty_t *p,
    ngx_str_t *key);
static void ngx_http_sync_limit_strike(
    ngx_http_sync_limit_main_conf_t *lmcf, ngx_http_sync_limit_mark_t *mark);
static void ngx_http_sync_limit_counted(ngx_sync_op_t *op);
static void ngx_http_sync_limit_struck(ngx_http_sync_limit_strike_t *s);
static void ngx_http_sync_limit_strike_end(ngx_event_t *ev);
static char *ngx_http_sync_limit_penalty_parameter(ngx_conf_t *cf,
    ngx_http_sync_limit_penalty_t *p, ngx_str_t *arg, ngx_str_t *key);
static char *ngx_http_sync_limit_penalty_on(ngx_conf_t *cf,
    ngx_http_sync_limit_penalty_t *p, ngx_str_t *s);


ngx_int_t
ngx_http_sync_limit_penalties(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    ngx_uint_t client, ngx_http_sync_limit_mark_t **marks)
{
    ngx_int_t                        rc;
    ngx_str_t                        key;
    ngx_uint_t                       i;
    ngx_http_sync_limit_mark_t      *mark;
    ngx_http_sync_limit_penalty_t   *p;
    ngx_http_sync_limit_loc_conf_t  *llcf;

    llcf = ngx_http_get_module_loc_conf(r, ngx_http_sync_limit_module);

    if (llcf->penalties == NULL) {
        return NGX_OK;
    }

    p = llcf->penalties->elts;

    for (i = 0; i < llcf->penalties->nelts; i++) {

        if (p[i].client != client) {
            continue;
        }

        rc = ngx_http_sync_limit_key(r, p[i].key, p[i].address, p[i].id, &key);

        if (rc == NGX_DECLINED) {
            continue;
        }

        if (rc != NGX_OK) {
            return rc;
        }

        rc = ngx_http_sync_limit_gate(r, ctx, &p[i], &key);
        if (rc != NGX_OK) {
            return rc;
        }

        mark = ngx_palloc(r->pool, sizeof(ngx_http_sync_limit_mark_t));
        if (mark == NULL) {
            return NGX_ERROR;
        }

        mark->penalty = &p[i];
        mark->key = key;
        mark->next = *marks;
        *marks = mark;
    }

    return NGX_OK;
}


/* The penalty of the client's plan: for what sync_limit refuses. */

ngx_int_t
ngx_http_sync_limit_plan_penalty(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, ngx_http_sync_limit_group_t *g, uint32_t plan,
    ngx_http_sync_limit_mark_t **marks)
{
    u_char                         *id;
    ngx_int_t                       rc;
    sync_doc_penalty_t              doc;
    ngx_http_sync_limit_mark_t     *mark;
    ngx_http_sync_limit_penalty_t  *p;

    if (sync_doc_plan_penalty(ctx->tenant.doc, plan, &doc) != SYNC_OK) {
        return NGX_OK;
    }

    p = ngx_pcalloc(r->pool, sizeof(ngx_http_sync_limit_penalty_t)
                             + sizeof(ngx_http_sync_limit_mark_t));
    if (p == NULL) {
        return NGX_ERROR;
    }

    mark = (ngx_http_sync_limit_mark_t *) (p + 1);

    p->name = g->name;
    p->after = doc.after;
    p->within = doc.within_ms * 1000;
    p->block = doc.block_ms * 1000;
    p->mode = g->limit->mode;
    p->shadow = g->limit->shadow;
    p->on[0] = NGX_HTTP_TOO_MANY_REQUESTS;
    p->n = 1;

    /* the group's name is "p" and a digest of tenant and client */

    mark->key.len = g->take.group.len + 1;
    mark->key.data = ngx_pnalloc(r->pool, mark->key.len);
    if (mark->key.data == NULL) {
        return NGX_ERROR;
    }

    id = ngx_cpymem(mark->key.data, g->take.group.data, g->take.group.len);
    *id = 'x';

    rc = ngx_http_sync_limit_gate(r, ctx, p, &mark->key);
    if (rc != NGX_OK) {
        return rc;
    }

    mark->penalty = p;
    mark->next = *marks;
    *marks = mark;

    return NGX_OK;
}


/* A look into shared memory: NGX_OK, or 429. */

static ngx_int_t
ngx_http_sync_limit_gate(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    const ngx_http_sync_limit_penalty_t *p, ngx_str_t *key)
{
    ngx_int_t                         rc;
    ngx_uint_t                        wait;
    sync_gcra_t                       gcra;
    ngx_sync_op_t                     op;
    ngx_sync_limit_t                  take;
    sync_gcra_answer_t                answer;
    ngx_sync_limit_item_t             item;
    ngx_http_sync_limit_main_conf_t  *lmcf;

    lmcf = ngx_http_get_module_main_conf(r, ngx_http_sync_limit_module);

    ngx_memzero(&op, sizeof(ngx_sync_op_t));

    op.log = r->connection->log;
    op.pool = r->pool;

    (void) sync_gcra_count(&gcra, p->block, 1, NULL);

    item.key = *key;
    item.gcra = &gcra;

    take.group = *key;
    take.items = &item;
    take.n = 1;
    take.cost = 0;
    take.answers = &answer;

    (void) lmcf->local->ops->limit_take(lmcf->local, &op, &take);

    if (op.result != NGX_SYNC_STORE_OK || answer.remaining) {
        return NGX_OK;
    }

    if (p->shadow) {
        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                      "limit: would refuse, penalty \"%V\"", &p->name);
        return NGX_OK;
    }

    wait = (answer.reset + 999999) / 1000000;

    ctx->limit = p->name;

    rc = ngx_http_sync_problem(ctx, NGX_HTTP_TOO_MANY_REQUESTS, "penalty",
                               "Too many requests in vain",
                               NGX_HTTP_SYNC_TECHNICAL,
                               "penalty \"%V\" is over in %ui s", &p->name,
                               wait);

    ctx->problem.retry_after = wait;

    return rc;
}


/* The answer has gone out: is it one to be counted? */

void
ngx_http_sync_limit_marks(ngx_http_request_t *r,
    ngx_http_sync_limit_mark_t *mark)
{
    ngx_uint_t                            i;
    const ngx_http_sync_limit_penalty_t  *p;

    for ( /* void */ ; mark != NULL; mark = mark->next) {
        p = mark->penalty;

        for (i = 0; i < p->n; i++) {

            if (p->on[i] == r->headers_out.status) {
                ngx_http_sync_limit_strike(
                    ngx_http_get_module_main_conf(r,
                                                  ngx_http_sync_limit_module),
                    mark);
                break;
            }
        }
    }
}


static void
ngx_http_sync_limit_strike(ngx_http_sync_limit_main_conf_t *lmcf,
    ngx_http_sync_limit_mark_t *mark)
{
    u_char                        *last;
    ngx_pool_t                    *pool;
    ngx_http_sync_limit_strike_t  *s;

    pool = ngx_create_pool(1024, ngx_cycle->log);
    if (pool == NULL) {
        return;
    }

    s = ngx_pcalloc(pool, sizeof(ngx_http_sync_limit_strike_t));
    if (s == NULL) {
        goto failed;
    }

    s->pool = pool;
    s->local = lmcf->local;
    s->penalty = *mark->penalty;
    s->store = s->penalty.mode == NGX_HTTP_SYNC_LIMIT_MODE_LOCAL
               ? lmcf->local : lmcf->store;

    s->penalty.name.data = ngx_pstrdup(pool, &s->penalty.name);
    s->key.len = mark->key.len;
    s->key.data = ngx_pnalloc(pool, mark->key.len + 1);

    if (s->penalty.name.data == NULL || s->key.data == NULL) {
        goto failed;
    }

    /* the count has a name of its own beside the gate's */

    last = ngx_cpymem(s->key.data, mark->key.data, mark->key.len);
    *last = 'n';

    (void) sync_gcra_count(&s->gcra, s->penalty.within, s->penalty.after,
                           NULL);

    s->item.key = s->key;
    s->item.key.len++;
    s->item.gcra = &s->gcra;

    s->take.group = s->item.key;
    s->take.items = &s->item;
    s->take.n = 1;
    s->take.cost = 1;
    s->take.answers = &s->answer;

    s->op.handler = ngx_http_sync_limit_counted;
    s->op.data = s;
    s->op.log = ngx_cycle->log;
    s->op.pool = pool;

    if (s->store->ops->limit_take(s->store, &s->op, &s->take) == NGX_OK) {
        ngx_http_sync_limit_struck(s);
        ngx_destroy_pool(pool);
    }

    return;

failed:

    ngx_destroy_pool(pool);
}


static void
ngx_http_sync_limit_counted(ngx_sync_op_t *op)
{
    ngx_http_sync_limit_strike_t  *s;

    s = op->data;

    ngx_http_sync_limit_struck(s);

    s->end.handler = ngx_http_sync_limit_strike_end;
    s->end.data = s;
    s->end.log = ngx_cycle->log;

    ngx_post_event(&s->end, &ngx_posted_events);
}


/* Shared memory answers at once. */

static void
ngx_http_sync_limit_struck(ngx_http_sync_limit_strike_t *s)
{
    ngx_sync_op_t       op;
    ngx_sync_result_e   result;

    ngx_memzero(&op, sizeof(ngx_sync_op_t));

    op.log = ngx_cycle->log;
    op.pool = s->pool;

    result = s->op.result;

    if (result != NGX_SYNC_STORE_OK && result != NGX_SYNC_STORE_NO
        && s->store != s->local)
    {
        /* the store is away: this node counts what it sees */

        (void) s->local->ops->limit_take(s->local, &op, &s->take);
        result = op.result;
    }

    if (result != NGX_SYNC_STORE_NO
        && (result != NGX_SYNC_STORE_OK || s->answer.remaining))
    {
        return;
    }

    (void) sync_gcra_count(&s->gcra, s->penalty.block, 1, NULL);

    s->item.key = s->key;
    s->take.group = s->key;

    (void) s->local->ops->limit_take(s->local, &op, &s->take);

    if (op.result == NGX_SYNC_STORE_OK) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "limit: penalty \"%V\" begins, for %L s",
                      &s->penalty.name, s->penalty.block / 1000000);
    }
}


static void
ngx_http_sync_limit_strike_end(ngx_event_t *ev)
{
    ngx_http_sync_limit_strike_t  *s;

    s = ev->data;

    ngx_destroy_pool(s->pool);
}


/* sync_penalty off | NAME after=N within=TIME for=TIME [on=STATUS,...]
                      key=$var [mode=local|exact] [shadow] */

char *
ngx_http_sync_penalty(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_sync_limit_loc_conf_t  *llcf = conf;

    char                           *rv;
    u_char                          digest[SYNC_SHA256_LEN];
    ngx_str_t                      *value, key;
    ngx_uint_t                      i;
    sync_sha256_t                   sha;
    ngx_http_sync_limit_penalty_t  *p;

    value = cf->args->elts;

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0) {

        if (llcf->penalties != NGX_CONF_UNSET_PTR) {
            return "off and other penalties stand at the same level";
        }

        llcf->penalties = NULL;

        return NGX_CONF_OK;
    }

    if (llcf->penalties == NULL) {
        return "off and other penalties stand at the same level";
    }

    if (llcf->penalties == NGX_CONF_UNSET_PTR) {
        llcf->penalties = ngx_array_create(cf->pool, 2,
                                       sizeof(ngx_http_sync_limit_penalty_t));
        if (llcf->penalties == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    p = ngx_array_push(llcf->penalties);
    if (p == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(p, sizeof(ngx_http_sync_limit_penalty_t));
    ngx_str_null(&key);

    rv = ngx_http_sync_limit_name_ok(cf, "sync_penalty", &value[1]);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    p->name = value[1];

    for (i = 2; i < cf->args->nelts; i++) {
        rv = ngx_http_sync_limit_penalty_parameter(cf, p, &value[i], &key);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    if (p->after == 0 || p->within == 0 || p->block == 0 || key.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"sync_penalty\" needs \"after=\", \"within=\", "
                           "\"for=\" and \"key=\", as in \"sync_penalty guess "
                           "after=10 within=5m for=15m on=401 "
                           "key=$binary_remote_addr\"");
        return NGX_CONF_ERROR;
    }

    if (p->n == 0) {
        p->on[p->n++] = NGX_HTTP_UNAUTHORIZED;
    }

    rv = ngx_http_sync_limit_key_value(cf, &key, &p->key, &p->address);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    p->client = ngx_http_sync_limit_late(&key);

    /* a name is one penalty, as long as its key is the same */

    sync_sha256_init(&sha);
    sync_sha256_update(&sha, "penalty", 8);
    sync_sha256_update(&sha, p->name.data, p->name.len);
    sync_sha256_update(&sha, "", 1);
    sync_sha256_update(&sha, key.data, key.len);
    sync_sha256_final(&sha, digest);

    ngx_memcpy(p->id, digest, NGX_HTTP_SYNC_LIMIT_ID);

    return NGX_CONF_OK;
}


static char *
ngx_http_sync_limit_penalty_parameter(ngx_conf_t *cf,
    ngx_http_sync_limit_penalty_t *p, ngx_str_t *arg, ngx_str_t *key)
{
    int64_t     *time;
    ngx_int_t    n;
    ngx_str_t    s;

    if (ngx_strcmp(arg->data, "shadow") == 0) {
        p->shadow = 1;
        return NGX_CONF_OK;
    }

    s.data = (u_char *) ngx_strchr(arg->data, '=');

    if (s.data == NULL) {
        goto unknown;
    }

    s.data++;
    s.len = arg->data + arg->len - s.data;

    if (ngx_strncmp(arg->data, "key=", 4) == 0) {
        *key = s;
        return NGX_CONF_OK;
    }

    if (ngx_strncmp(arg->data, "on=", 3) == 0) {
        return ngx_http_sync_limit_penalty_on(cf, p, &s);
    }

    if (ngx_strcmp(arg->data, "mode=local") == 0) {
        p->mode = NGX_HTTP_SYNC_LIMIT_MODE_LOCAL;
        return NGX_CONF_OK;
    }

    if (ngx_strcmp(arg->data, "mode=exact") == 0) {
        p->mode = NGX_HTTP_SYNC_LIMIT_MODE_EXACT;
        return NGX_CONF_OK;
    }

    if (ngx_strncmp(arg->data, "after=", 6) == 0) {
        n = ngx_atoi(s.data, s.len);

        if (n <= 0 || n > 1000000) {
            goto invalid;
        }

        p->after = n;
        return NGX_CONF_OK;
    }

    if (ngx_strncmp(arg->data, "within=", 7) == 0) {
        time = &p->within;

    } else if (ngx_strncmp(arg->data, "for=", 4) == 0) {
        time = &p->block;

    } else {
        goto unknown;
    }

    n = ngx_parse_time(&s, 0);

    if (n < NGX_HTTP_SYNC_LIMIT_MIN_S
        || n > (ngx_int_t) SYNC_DOC_PENALTY_MAX)
    {
        goto invalid;
    }

    *time = (int64_t) n * 1000;

    return NGX_CONF_OK;

invalid:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid \"%V\" of \"sync_penalty\": a number up to "
                       "1000000, or a time from 1s to 30d, is needed", arg);
    return NGX_CONF_ERROR;

unknown:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\" of \"sync_penalty\", known "
                       "are after=, within=, for=, on=, key=, "
                       "mode=local|exact, shadow", arg);
    return NGX_CONF_ERROR;
}


static char *
ngx_http_sync_limit_penalty_on(ngx_conf_t *cf,
    ngx_http_sync_limit_penalty_t *p, ngx_str_t *s)
{
    u_char     *at, *last, *comma;
    ngx_int_t   n;

    last = s->data + s->len;

    for (at = s->data; at <= last; at = comma + 1) {

        comma = ngx_strlchr(at, last, ',');
        if (comma == NULL) {
            comma = last;
        }

        n = ngx_atoi(at, comma - at);

        if (n < 400 || n > 499 || p->n == NGX_HTTP_SYNC_LIMIT_STATUSES) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid \"on=%V\" of \"sync_penalty\", up to "
                               "%d statuses from 400 to 499 are needed", s,
                               NGX_HTTP_SYNC_LIMIT_STATUSES);
            return NGX_CONF_ERROR;
        }

        p->on[p->n++] = n;
    }

    return NGX_CONF_OK;
}
