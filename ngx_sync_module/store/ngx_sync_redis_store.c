
#include <ngx_config.h>
#include <ngx_core.h>

#include "sync_crypto.h"
#include "ngx_sync_redis_store.h"


static char *ngx_sync_redis_create(ngx_conf_t *cf, ngx_str_t *args,
    ngx_uint_t nargs, ngx_sync_store_t *st);
static ngx_int_t ngx_sync_redis_use(ngx_conf_t *cf, ngx_sync_store_t *st,
    ngx_sync_zone_e kind);
static ngx_int_t ngx_sync_redis_done(ngx_conf_t *cf, ngx_sync_store_t *st,
    ngx_resolver_t *resolver, ngx_msec_t resolver_timeout);
static ngx_int_t ngx_sync_redis_init_process(ngx_cycle_t *cycle,
    ngx_sync_store_t *st);
static void ngx_sync_redis_exit_process(ngx_cycle_t *cycle,
    ngx_sync_store_t *st);
static void ngx_sync_redis_answer(ngx_sync_redis_cmd_t *cmd,
    ngx_sync_redis_reply_t *reply);
static ngx_sync_result_e ngx_sync_redis_error(ngx_sync_redis_waiter_t *w,
    ngx_sync_redis_cmd_t *cmd, ngx_sync_redis_reply_t *reply);
static void ngx_sync_redis_store_cancel(ngx_sync_store_t *st,
    ngx_sync_op_t *op);

static ngx_int_t ngx_sync_redis_seen(ngx_sync_store_t *st, ngx_sync_op_t *op,
    ngx_sync_seen_t *s);
static ngx_sync_result_e ngx_sync_redis_seen_parse(ngx_sync_op_t *op,
    ngx_sync_redis_waiter_t *w, ngx_sync_redis_reply_t *reply);
static ngx_int_t ngx_sync_redis_cache_get(ngx_sync_store_t *st,
    ngx_sync_op_t *op, ngx_sync_cache_t *c);
static ngx_sync_result_e ngx_sync_redis_cache_parse(ngx_sync_op_t *op,
    ngx_sync_redis_waiter_t *w, ngx_sync_redis_reply_t *reply);
static ngx_int_t ngx_sync_redis_cache_put(ngx_sync_store_t *st,
    ngx_sync_op_t *op, ngx_sync_cache_t *c);
static ngx_str_t ngx_sync_redis_token_key(ngx_sync_redis_args_t *a,
    u_char kind, ngx_str_t *key);


static const ngx_sync_store_ops_t  ngx_sync_redis_ops = {
    ngx_string("redis"),

    ngx_sync_redis_limit_take,
    ngx_sync_redis_limit_refund,
    ngx_sync_redis_lease_take,
    ngx_sync_redis_lease_return,
    ngx_sync_redis_slot_acquire,
    ngx_sync_redis_slot_release,

    ngx_sync_redis_claim,
    ngx_sync_redis_extend,
    ngx_sync_redis_settle,
    ngx_sync_redis_release,
    ngx_sync_redis_resolve_begin,
    ngx_sync_redis_resolve_end,
    ngx_sync_redis_look_at,
    ngx_sync_redis_due,

    ngx_sync_redis_seen,
    ngx_sync_redis_cache_get,
    ngx_sync_redis_cache_put,

    ngx_sync_redis_store_cancel
};


/* What decides who executes, and who has: replicas are waited for, where the
   store is told to. */

#define ngx_sync_redis_is_durable(script)                                     \
    ((script) == &ngx_sync_redis_scripts[NGX_SYNC_REDIS_CLAIM]                \
     || (script) == &ngx_sync_redis_scripts[NGX_SYNC_REDIS_SETTLE]            \
     || (script) == &ngx_sync_redis_scripts[NGX_SYNC_REDIS_RELEASE]           \
     || (script) == &ngx_sync_redis_scripts[NGX_SYNC_REDIS_RESOLVE])


#define ngx_sync_redis_scheme(name)                                           \
    {                                                                         \
        ngx_string(name),                                                     \
        ngx_sync_redis_create,                                                \
        ngx_sync_redis_use,                                                   \
        ngx_sync_redis_done,                                                  \
        ngx_sync_redis_init_process,                                          \
        ngx_sync_redis_exit_process                                           \
    }

const ngx_sync_store_type_t  ngx_sync_redis_types[] = {
    ngx_sync_redis_scheme("redis"),
    ngx_sync_redis_scheme("rediss"),
    ngx_sync_redis_scheme("redis+unix"),
    ngx_sync_redis_scheme("redis+sentinel"),
    ngx_sync_redis_scheme("rediss+sentinel"),
    ngx_sync_redis_scheme("redis+cluster"),
    ngx_sync_redis_scheme("rediss+cluster"),
    { ngx_null_string, NULL, NULL, NULL, NULL, NULL }
};


static char *
ngx_sync_redis_create(ngx_conf_t *cf, ngx_str_t *args, ngx_uint_t nargs,
    ngx_sync_store_t *st)
{
    char                    *rc;
    ngx_uint_t               i;
    ngx_sync_redis_store_t  *rs;

    rs = ngx_pcalloc(cf->pool, sizeof(ngx_sync_redis_store_t));
    if (rs == NULL) {
        return NGX_CONF_ERROR;
    }

    for (i = 0; i < NGX_SYNC_REDIS_SCRIPTS; i++) {
        ngx_sync_redis_script_init(&ngx_sync_redis_scripts[i]);
    }

    rs->redis.label = st->label;
    rs->redis.timeout = st->timeout;

    st->ops = &ngx_sync_redis_ops;
    st->data = rs;

    rc = ngx_sync_redis_conf(cf, args, nargs, &rs->redis);

    if (rc == NGX_CONF_OK) {
        ngx_sync_redis_marks_conf(&rs->marks, &rs->redis);
    }

    return rc;
}


static ngx_int_t
ngx_sync_redis_use(ngx_conf_t *cf, ngx_sync_store_t *st, ngx_sync_zone_e kind)
{
    /* one database holds every kind */

    if (kind == NGX_SYNC_ZONE_RECORDS) {
        ngx_sync_redis_store(st)->sweep.used = 1;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_sync_redis_done(ngx_conf_t *cf, ngx_sync_store_t *st,
    ngx_resolver_t *resolver, ngx_msec_t resolver_timeout)
{
    return ngx_sync_redis_conf_done(cf, &ngx_sync_redis_store(st)->redis,
                                    resolver, resolver_timeout);
}


static ngx_int_t
ngx_sync_redis_init_process(ngx_cycle_t *cycle, ngx_sync_store_t *st)
{
    ngx_sync_redis_store_t  *rs;

    rs = st->data;

    ngx_sync_redis_marks_init(&rs->marks, cycle);
    ngx_sync_redis_sweep_init(cycle, st);

    return rs->redis.topology->init_process(&rs->redis, cycle);
}


static void
ngx_sync_redis_exit_process(ngx_cycle_t *cycle, ngx_sync_store_t *st)
{
    ngx_sync_redis_store_t  *rs;

    rs = st->data;

    ngx_sync_redis_marks_exit(&rs->marks);
    ngx_sync_redis_sweep_exit(st);

    rs->redis.topology->exit_process(&rs->redis);
}


void
ngx_sync_redis_add(ngx_sync_redis_args_t *a, u_char *data, size_t len)
{
    a->args[a->n].data = data;
    a->args[a->n].len = len;
    a->n++;
}


void
ngx_sync_redis_add_number(ngx_sync_redis_args_t *a, int64_t n)
{
    u_char  *p;

    p = a->p;
    a->p = sync_digits_signed(p, n);

    ngx_sync_redis_add(a, p, a->p - p);
}


/* Redis looks for the first "}": a name may have one as well. */

ngx_str_t
ngx_sync_redis_tag(u_char *p, size_t len)
{
    u_char     *end;
    ngx_str_t   tag;

    end = ngx_strlchr(p, p + len, '}');

    tag.data = p;
    tag.len = end ? (size_t) (end - p) : len;

    return tag;
}


ngx_int_t
ngx_sync_redis_run(ngx_sync_store_t *st, ngx_sync_op_t *op,
    ngx_sync_redis_script_t *script, ngx_str_t *tag, ngx_sync_redis_args_t *a,
    ngx_uint_t nkeys, void *params, ngx_sync_redis_parse_pt parse,
    ngx_uint_t again)
{
    ngx_sync_redis_t         *redis;
    ngx_sync_redis_cmd_t     *cmd;
    ngx_sync_redis_waiter_t  *w;

    redis = &ngx_sync_redis_store(st)->redis;

    if (script) {
        cmd = ngx_sync_redis_call(redis, script, a->args, nkeys, a->n,
                                  sizeof(ngx_sync_redis_waiter_t));
    } else {
        cmd = ngx_sync_redis_command(redis, a->args, a->n,
                                     sizeof(ngx_sync_redis_waiter_t));
    }

    if (cmd == NULL) {
        return ngx_sync_redis_now(op, NGX_SYNC_STORE_DOWN);
    }

    w = cmd->extra;

    w->st = st;
    w->op = op;
    w->params = params;
    w->parse = parse;
    w->start = ngx_current_msec;

    cmd->handler = ngx_sync_redis_answer;
    cmd->again = again;
    cmd->durable = ngx_sync_redis_is_durable(script);
    cmd->deadline = ngx_current_msec + (op->timeout ? op->timeout
                                                    : st->timeout);
    op->cell = cmd;

    if (ngx_sync_redis_send(redis, tag, cmd) != NGX_OK) {
        return ngx_sync_redis_now(op, NGX_SYNC_STORE_DOWN);
    }

    return NGX_AGAIN;
}


void
ngx_sync_redis_undo(ngx_sync_store_t *st, ngx_sync_redis_script_t *script,
    ngx_str_t *tag, ngx_sync_redis_args_t *a, ngx_uint_t nkeys,
    ngx_msec_t timeout)
{
    ngx_sync_redis_t      *redis;
    ngx_sync_redis_cmd_t  *cmd;

    redis = &ngx_sync_redis_store(st)->redis;

    cmd = ngx_sync_redis_call(redis, script, a->args, nkeys, a->n, 0);
    if (cmd == NULL) {
        return;
    }

    /* whole: who reads it late has nobody to say NOSCRIPT to */

    if (ngx_sync_redis_whole(cmd) != NGX_OK) {
        ngx_sync_redis_free(cmd);
        return;
    }

    cmd->again = 1;
    cmd->patient = 1;
    cmd->undo = 1;
    cmd->durable = ngx_sync_redis_is_durable(script);
    cmd->deadline = ngx_current_msec + timeout;

    (void) ngx_sync_redis_send(redis, tag, cmd);
}


static void
ngx_sync_redis_answer(ngx_sync_redis_cmd_t *cmd, ngx_sync_redis_reply_t *reply)
{
    ngx_sync_op_t            *op;
    ngx_sync_redis_waiter_t  *w;

    w = cmd->extra;
    op = w->op;

    op->cell = NULL;

    if (reply == NULL) {
        op->result = NGX_SYNC_STORE_DOWN;

    } else if (reply->type == NGX_SYNC_REDIS_ERROR) {
        op->result = ngx_sync_redis_error(w, cmd, reply);

    } else {
        op->result = w->parse(op, w, reply);
    }

    if (op->result == NGX_SYNC_STORE_DOWN
        && cmd->script == &ngx_sync_redis_scripts[NGX_SYNC_REDIS_CLAIM]
        && (cmd->tried || cmd->sent))
    {
        /* of one that left in part the rest will, if nothing is lost */

        ngx_sync_redis_unclaim(w->st, w->params);
    }

    op->handler(op);
}


/* Words of Redis: they tell no value, and a name at most in its digest. */

static ngx_sync_result_e
ngx_sync_redis_error(ngx_sync_redis_waiter_t *w, ngx_sync_redis_cmd_t *cmd,
    ngx_sync_redis_reply_t *reply)
{
    ngx_sync_redis_store_t  *rs;

    /* 6.2 has it in the middle of its words */

    if (ngx_strstr(reply->str.data, "OOM ") != NULL) {
        return NGX_SYNC_STORE_FULL;
    }

    rs = w->st->data;

    if (rs->logged != ngx_time()) {
        rs->logged = ngx_time();

        ngx_log_error(NGX_LOG_ERR, w->op->log, 0,
                      "sync store \"%V\": %s was refused: %V", &w->st->label,
                      cmd->script ? (char *) cmd->script->name.data
                                  : "a command",
                      &reply->str);
    }

    return NGX_SYNC_STORE_DOWN;
}


static void
ngx_sync_redis_store_cancel(ngx_sync_store_t *st, ngx_sync_op_t *op)
{
    ngx_uint_t                claim;
    ngx_sync_claim_t         *c;
    ngx_sync_redis_cmd_t     *cmd;
    ngx_sync_redis_waiter_t  *w;

    cmd = op->cell;
    op->cell = NULL;

    w = cmd->extra;
    c = w->params;
    claim = cmd->script == &ngx_sync_redis_scripts[NGX_SYNC_REDIS_CLAIM];

    if (ngx_sync_redis_cancel(cmd) != NGX_OK && claim) {
        ngx_sync_redis_unclaim(st, c);
    }
}


/* The one command that sets a key where there is none is a step by itself. */

static ngx_int_t
ngx_sync_redis_seen(ngx_sync_store_t *st, ngx_sync_op_t *op,
    ngx_sync_seen_t *s)
{
    ngx_str_t              key;
    ngx_sync_redis_args_t  a;

    ngx_sync_redis_args_init(&a);

    ngx_sync_redis_add_literal(&a, "SET");
    key = ngx_sync_redis_token_key(&a, 't', &s->key);
    ngx_sync_redis_add_literal(&a, "1");
    ngx_sync_redis_add_literal(&a, "NX");
    ngx_sync_redis_add_literal(&a, "PX");
    ngx_sync_redis_add_number(&a, ngx_max(s->ttl, 1));

    /* asked again it would say that it was seen */

    return ngx_sync_redis_run(st, op, NULL, &key, &a, 0, s,
                              ngx_sync_redis_seen_parse, 0);
}


static ngx_sync_result_e
ngx_sync_redis_seen_parse(ngx_sync_op_t *op, ngx_sync_redis_waiter_t *w,
    ngx_sync_redis_reply_t *reply)
{
    return reply->type == NGX_SYNC_REDIS_NIL ? NGX_SYNC_STORE_NO
                                             : NGX_SYNC_STORE_OK;
}


static ngx_int_t
ngx_sync_redis_cache_get(ngx_sync_store_t *st, ngx_sync_op_t *op,
    ngx_sync_cache_t *c)
{
    ngx_str_t              key;
    ngx_sync_redis_args_t  a;

    ngx_sync_redis_args_init(&a);

    ngx_sync_redis_add_literal(&a, "GET");
    key = ngx_sync_redis_token_key(&a, 'c', &c->key);

    return ngx_sync_redis_run(st, op, NULL, &key, &a, 0, c,
                              ngx_sync_redis_cache_parse, 1);
}


static ngx_sync_result_e
ngx_sync_redis_cache_parse(ngx_sync_op_t *op, ngx_sync_redis_waiter_t *w,
    ngx_sync_redis_reply_t *reply)
{
    ngx_sync_cache_t  *c;

    c = w->params;

    if (reply->type != NGX_SYNC_REDIS_STRING) {
        return NGX_SYNC_STORE_NO;
    }

    c->value.len = reply->str.len;
    c->value.data = ngx_pnalloc(op->pool, reply->str.len + 1);

    if (c->value.data == NULL) {
        return NGX_SYNC_STORE_DOWN;
    }

    ngx_memcpy(c->value.data, reply->str.data, reply->str.len);

    return NGX_SYNC_STORE_OK;
}


static ngx_int_t
ngx_sync_redis_cache_put(ngx_sync_store_t *st, ngx_sync_op_t *op,
    ngx_sync_cache_t *c)
{
    ngx_str_t              key;
    ngx_sync_redis_args_t  a;

    ngx_sync_redis_args_init(&a);

    ngx_sync_redis_add_literal(&a, "SET");
    key = ngx_sync_redis_token_key(&a, 'c', &c->key);
    ngx_sync_redis_add(&a, c->value.data, c->value.len);
    ngx_sync_redis_add_literal(&a, "PX");
    ngx_sync_redis_add_number(&a, ngx_max(c->ttl, 1));

    return ngx_sync_redis_run(st, op, NULL, &key, &a, 0, c,
                              ngx_sync_redis_done_parse, 1);
}


ngx_sync_result_e
ngx_sync_redis_done_parse(ngx_sync_op_t *op, ngx_sync_redis_waiter_t *w,
    ngx_sync_redis_reply_t *reply)
{
    return NGX_SYNC_STORE_OK;
}


ngx_sync_result_e
ngx_sync_redis_yes_parse(ngx_sync_op_t *op, ngx_sync_redis_waiter_t *w,
    ngx_sync_redis_reply_t *reply)
{
    if (reply->type != NGX_SYNC_REDIS_INTEGER) {
        return NGX_SYNC_STORE_DOWN;
    }

    return reply->integer ? NGX_SYNC_STORE_OK : NGX_SYNC_STORE_NO;
}


/* sync:{t:KEY}; each one is a slot by itself, its tag is returned. */

static ngx_str_t
ngx_sync_redis_token_key(ngx_sync_redis_args_t *a, u_char kind,
    ngx_str_t *key)
{
    u_char  *p, *tag, digest[SYNC_SHA256_LEN];

    p = a->p;

    a->p = ngx_cpymem(a->p, "sync:{", 6);

    tag = a->p;
    *a->p++ = kind;
    *a->p++ = ':';

    if (key->len > NGX_SYNC_REDIS_KEY_MAX) {

        /* longer than any that stands for itself */

        sync_sha256(key->data, key->len, digest);

        *a->p++ = '#';
        a->p = ngx_hex_dump(a->p, digest, SYNC_SHA256_LEN);
        a->p = ngx_hex_dump(a->p, digest, SYNC_SHA256_LEN);

    } else {
        a->p = ngx_cpymem(a->p, key->data, key->len);
    }

    *a->p++ = '}';

    ngx_sync_redis_add(a, p, a->p - p);

    return ngx_sync_redis_tag(tag, a->p - tag);
}
