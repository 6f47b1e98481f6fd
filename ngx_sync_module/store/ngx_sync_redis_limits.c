
/*
 * Limits: a script takes or does not, from the states before it the answers
 * are computed here, by the arithmetic of all stores.
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "sync_crypto.h"
#include "ngx_sync_redis_store.h"


static ngx_sync_result_e ngx_sync_redis_limit_parse(ngx_sync_op_t *op,
    ngx_sync_redis_waiter_t *w, ngx_sync_redis_reply_t *reply);
static ngx_int_t ngx_sync_redis_limit_state(ngx_str_t *word,
    sync_gcra_state_t *state);
static ngx_str_t ngx_sync_redis_limit_word(ngx_str_t *rest);
static int64_t ngx_sync_redis_limit_number(u_char *p, size_t len);
static ngx_sync_result_e ngx_sync_redis_lease_parse(ngx_sync_op_t *op,
    ngx_sync_redis_waiter_t *w, ngx_sync_redis_reply_t *reply);
static ngx_str_t ngx_sync_redis_limit_tag(u_char *buf, ngx_str_t *group);
static void ngx_sync_redis_limit_key(ngx_sync_redis_args_t *a, u_char kind,
    ngx_str_t *tag, ngx_str_t *key);
static void ngx_sync_redis_lease_keys(ngx_sync_redis_args_t *a,
    ngx_sync_lease_t *l, ngx_str_t *tag, u_char *buf);


#define NGX_SYNC_REDIS_TAG_LEN  (2 + 8)
#define NGX_SYNC_REDIS_TAT_LEN  16

/* The longest group fits into the buffer of the arguments. */

typedef char ngx_sync_redis_limits_fit[
    sizeof(((ngx_sync_redis_args_t *) 0)->buf)
    >= NGX_SYNC_LIMITS_MAX
       * (NGX_SYNC_REDIS_KEY_MAX + 32 + 6 * NGX_INT64_LEN) ? 1 : -1];


ngx_int_t
ngx_sync_redis_limit_take(ngx_sync_store_t *st, ngx_sync_op_t *op,
    ngx_sync_limit_t *l)
{
    u_char                 buf[NGX_SYNC_REDIS_TAG_LEN];
    int64_t                want;
    uint32_t               cost;
    ngx_str_t              tag;
    ngx_uint_t             i;
    const sync_gcra_t     *g;
    ngx_sync_redis_args_t  a;

    if (l->n == 0 || l->n > NGX_SYNC_LIMITS_MAX) {
        return ngx_sync_redis_now(op, NGX_SYNC_STORE_DOWN);
    }

    tag = ngx_sync_redis_limit_tag(buf, &l->group);
    ngx_sync_redis_args_init(&a);

    for (i = 0; i < l->n; i++) {
        ngx_sync_redis_limit_key(&a, 'l', &tag, &l->items[i].key);
    }

    cost = (uint32_t) ngx_min(l->cost, (uint64_t) UINT32_MAX);

    for (i = 0; i < l->n; i++) {
        g = l->items[i].gcra;

        ngx_sync_redis_add_number(&a, g->window);

        if (g->window) {
            ngx_sync_redis_add_number(&a, g->burst);
            ngx_sync_redis_add_number(&a, cost > g->burst ? -1
                                                          : (int64_t) cost);
            ngx_sync_redis_add_literal(&a, "0");
            ngx_sync_redis_add_literal(&a, "0");
            ngx_sync_redis_add_literal(&a, "0");
            continue;
        }

        ngx_sync_redis_add_number(&a, g->count);

        if (cost > g->burst) {
            ngx_sync_redis_add_literal(&a, "-1");
            ngx_sync_redis_add_literal(&a, "0");

        } else {
            want = cost * g->per;
            ngx_sync_redis_add_number(&a, want / g->count);
            ngx_sync_redis_add_number(&a, want % g->count);
        }

        ngx_sync_redis_add_number(&a, g->span / g->count);
        ngx_sync_redis_add_number(&a, g->span % g->count);
    }

    return ngx_sync_redis_run(st, op,
                         &ngx_sync_redis_scripts[NGX_SYNC_REDIS_LIMIT_TAKE],
                         &tag, &a, l->n, l, ngx_sync_redis_limit_parse, 0);
}


static ngx_sync_result_e
ngx_sync_redis_limit_parse(ngx_sync_op_t *op, ngx_sync_redis_waiter_t *w,
    ngx_sync_redis_reply_t *reply)
{
    int64_t             sec, us, now, retry, longest;
    uint32_t            cost;
    ngx_str_t           rest, word;
    ngx_uint_t          i, allowed, said;
    ngx_sync_limit_t   *l;
    sync_gcra_state_t   state, before;

    l = w->params;

    if (reply->type != NGX_SYNC_REDIS_STRING) {
        return NGX_SYNC_STORE_DOWN;
    }

    rest = reply->str;

    word = ngx_sync_redis_limit_word(&rest);
    allowed = word.len == 1 && word.data[0] == '1';

    word = ngx_sync_redis_limit_word(&rest);
    sec = ngx_sync_redis_limit_number(word.data, word.len);

    word = ngx_sync_redis_limit_word(&rest);
    us = ngx_sync_redis_limit_number(word.data, word.len);

    if (sec == NGX_ERROR || us == NGX_ERROR) {
        return NGX_SYNC_STORE_DOWN;
    }

    now = sec * 1000000 + us;

    cost = (uint32_t) ngx_min(l->cost, (uint64_t) UINT32_MAX);
    longest = 0;
    said = 1;

    for (i = 0; i < l->n; i++) {

        word = ngx_sync_redis_limit_word(&rest);

        if (ngx_sync_redis_limit_state(&word, &before) != NGX_OK) {
            return NGX_SYNC_STORE_DOWN;
        }

        state = before;

        if (sync_gcra_take(l->items[i].gcra, &state, now, cost,
                           &l->answers[i])
            == SYNC_OK)
        {
            if (!allowed) {

                /* nothing was charged: what it has, it has still */

                (void) sync_gcra_take(l->items[i].gcra, &before, now, 0,
                                      &l->answers[i]);
            }

            continue;
        }

        said = 0;
        retry = l->answers[i].retry;

        if (retry < 0) {

            /* never: no wait is longer */

            retry = INT64_MAX;
        }

        if (retry > longest) {
            longest = retry;
            l->refused = i;
        }
    }

    if (said != allowed) {
        ngx_log_error(NGX_LOG_ALERT, op->log, 0, "sync store: a limit was "
                      "%s by its script alone", allowed ? "allowed"
                                                        : "refused");
    }

    return allowed ? NGX_SYNC_STORE_OK : NGX_SYNC_STORE_NO;
}


/* TAT and part, or nothing: see the script. */

static ngx_int_t
ngx_sync_redis_limit_state(ngx_str_t *word, sync_gcra_state_t *state)
{
    int64_t  part;

    ngx_memzero(state, sizeof(sync_gcra_state_t));

    if (word->len == 1 && word->data[0] == '-') {
        return NGX_OK;
    }

    if (word->len <= NGX_SYNC_REDIS_TAT_LEN) {
        return NGX_ERROR;
    }

    state->tat = ngx_sync_redis_limit_number(word->data,
                                             NGX_SYNC_REDIS_TAT_LEN);

    part = ngx_sync_redis_limit_number(word->data + NGX_SYNC_REDIS_TAT_LEN,
                                       word->len - NGX_SYNC_REDIS_TAT_LEN);

    if (state->tat == NGX_ERROR || part == NGX_ERROR || part > UINT32_MAX) {
        return NGX_ERROR;
    }

    state->part = (uint32_t) part;

    return NGX_OK;
}


/* The next word of a reply, cut off what is left of it; empty: no more. */

static ngx_str_t
ngx_sync_redis_limit_word(ngx_str_t *rest)
{
    size_t     i;
    ngx_str_t  word;

    for (i = 0; i < rest->len && rest->data[i] != ' '; i++) {
        /* void */
    }

    word.data = rest->data;
    word.len = i;

    i += i < rest->len;

    rest->data += i;
    rest->len -= i;

    return word;
}


/* NGX_ERROR: no number of at most 18 digits. */

static int64_t
ngx_sync_redis_limit_number(u_char *p, size_t len)
{
    size_t   i;
    int64_t  n;

    if (len == 0 || len > 18) {
        return NGX_ERROR;
    }

    n = 0;

    for (i = 0; i < len; i++) {
        if (p[i] < '0' || p[i] > '9') {
            return NGX_ERROR;
        }

        n = n * 10 + (p[i] - '0');
    }

    return n;
}


ngx_int_t
ngx_sync_redis_limit_refund(ngx_sync_store_t *st, ngx_sync_op_t *op,
    ngx_sync_limit_t *l)
{
    u_char                 buf[NGX_SYNC_REDIS_TAG_LEN];
    int64_t                want;
    uint32_t               cost;
    ngx_str_t              tag;
    ngx_uint_t             i;
    const sync_gcra_t     *g;
    ngx_sync_redis_args_t  a;

    if (l->n == 0 || l->n > NGX_SYNC_LIMITS_MAX) {
        return ngx_sync_redis_now(op, NGX_SYNC_STORE_DOWN);
    }

    tag = ngx_sync_redis_limit_tag(buf, &l->group);
    ngx_sync_redis_args_init(&a);

    for (i = 0; i < l->n; i++) {
        ngx_sync_redis_limit_key(&a, 'l', &tag, &l->items[i].key);
    }

    for (i = 0; i < l->n; i++) {
        g = l->items[i].gcra;
        cost = (uint32_t) ngx_min(l->cost, (uint64_t) UINT32_MAX);
        cost = ngx_min(cost, g->burst);

        ngx_sync_redis_add_number(&a, g->window);
        ngx_sync_redis_add_number(&a, g->count);

        if (g->window) {
            ngx_sync_redis_add_number(&a, cost);
            ngx_sync_redis_add_literal(&a, "0");
            continue;
        }

        want = cost * g->per;
        ngx_sync_redis_add_number(&a, want / g->count);
        ngx_sync_redis_add_number(&a, want % g->count);
    }

    return ngx_sync_redis_run(st, op,
                       &ngx_sync_redis_scripts[NGX_SYNC_REDIS_LIMIT_REFUND],
                       &tag, &a, l->n, l, ngx_sync_redis_done_parse, 0);
}


ngx_int_t
ngx_sync_redis_lease_take(ngx_sync_store_t *st, ngx_sync_op_t *op,
    ngx_sync_lease_t *l)
{
    u_char                 buf[NGX_SYNC_REDIS_TAG_LEN];
    ngx_str_t              tag;
    const sync_gcra_t     *g;
    ngx_sync_redis_args_t  a;

    l->tokens = 0;
    g = l->gcra;

    ngx_sync_redis_lease_keys(&a, l, &tag, buf);

    ngx_sync_redis_add_number(&a, g->span / g->count);
    ngx_sync_redis_add_number(&a, g->span % g->count);
    ngx_sync_redis_add_number(&a, ngx_min(l->wanted, g->burst));
    ngx_sync_redis_add_number(&a, ngx_max(l->lease, 1));

    /* the nonce tells a call that is made twice */

    return ngx_sync_redis_run(st, op,
                         &ngx_sync_redis_scripts[NGX_SYNC_REDIS_LEASE_TAKE],
                         &tag, &a, 2, l, ngx_sync_redis_lease_parse, 1);
}


static ngx_sync_result_e
ngx_sync_redis_lease_parse(ngx_sync_op_t *op, ngx_sync_redis_waiter_t *w,
    ngx_sync_redis_reply_t *reply)
{
    ngx_sync_lease_t  *l;

    l = w->params;

    if (reply->type != NGX_SYNC_REDIS_ARRAY || reply->n < 1) {
        return NGX_SYNC_STORE_DOWN;
    }

    if (reply->elts[0].integer == 0) {
        return NGX_SYNC_STORE_NO;
    }

    if (reply->n < 3) {
        return NGX_SYNC_STORE_DOWN;
    }

    l->tokens = reply->elts[1].integer;
    l->until = w->start + (ngx_msec_t) reply->elts[2].integer;

    return NGX_SYNC_STORE_OK;
}


ngx_int_t
ngx_sync_redis_lease_return(ngx_sync_store_t *st, ngx_sync_op_t *op,
    ngx_sync_lease_t *l)
{
    u_char                 buf[NGX_SYNC_REDIS_TAG_LEN];
    ngx_str_t              tag;
    ngx_sync_redis_args_t  a;

    ngx_sync_redis_lease_keys(&a, l, &tag, buf);
    ngx_sync_redis_add_number(&a, ngx_min(l->tokens, (uint64_t) UINT32_MAX));

    return ngx_sync_redis_run(st, op,
                       &ngx_sync_redis_scripts[NGX_SYNC_REDIS_LEASE_RETURN],
                       &tag, &a, 2, l, ngx_sync_redis_yes_parse, 1);
}


ngx_int_t
ngx_sync_redis_slot_acquire(ngx_sync_store_t *st, ngx_sync_op_t *op,
    ngx_sync_slot_t *s)
{
    u_char                 buf[NGX_SYNC_REDIS_TAG_LEN];
    ngx_str_t              tag;
    ngx_sync_redis_args_t  a;

    tag = ngx_sync_redis_limit_tag(buf, &s->key);

    ngx_sync_redis_args_init(&a);
    ngx_sync_redis_limit_key(&a, 's', &tag, &s->key);
    ngx_sync_redis_add(&a, s->owner, NGX_SYNC_OWNER_LEN);
    ngx_sync_redis_add_number(&a, s->limit);
    ngx_sync_redis_add_number(&a, ngx_max(s->lease, 1));

    return ngx_sync_redis_run(st, op,
                       &ngx_sync_redis_scripts[NGX_SYNC_REDIS_SLOT_ACQUIRE],
                       &tag, &a, 1, s, ngx_sync_redis_yes_parse, 1);
}


ngx_int_t
ngx_sync_redis_slot_release(ngx_sync_store_t *st, ngx_sync_op_t *op,
    ngx_sync_slot_t *s)
{
    u_char                 buf[NGX_SYNC_REDIS_TAG_LEN];
    ngx_str_t              tag;
    ngx_sync_redis_args_t  a;

    tag = ngx_sync_redis_limit_tag(buf, &s->key);

    ngx_sync_redis_args_init(&a);
    ngx_sync_redis_limit_key(&a, 's', &tag, &s->key);
    ngx_sync_redis_add(&a, s->owner, NGX_SYNC_OWNER_LEN);

    return ngx_sync_redis_run(st, op,
                       &ngx_sync_redis_scripts[NGX_SYNC_REDIS_SLOT_RELEASE],
                       &tag, &a, 1, s, ngx_sync_redis_yes_parse, 1);
}


/* A group places its keys, its digest is enough for that. */

static ngx_str_t
ngx_sync_redis_limit_tag(u_char *buf, ngx_str_t *group)
{
    u_char     digest[4];
    ngx_str_t  tag;

    sync_put32(digest, ngx_crc32_long(group->data, group->len));

    buf[0] = 'l';
    buf[1] = ':';

    tag.data = buf;
    tag.len = 2 + sync_hex_encode(buf + 2, digest, sizeof(digest));

    return tag;
}


static void
ngx_sync_redis_limit_key(ngx_sync_redis_args_t *a, u_char kind,
    ngx_str_t *tag, ngx_str_t *key)
{
    u_char  *p, digest[SYNC_SHA256_LEN];

    p = a->p;

    a->p = ngx_cpymem(a->p, "sync:{", 6);
    a->p = ngx_cpymem(a->p, tag->data, tag->len);
    *a->p++ = '}';
    *a->p++ = kind;
    *a->p++ = ':';

    if (key->len > NGX_SYNC_REDIS_KEY_MAX) {
        sync_sha256(key->data, key->len, digest);

        *a->p++ = '#';
        a->p = ngx_hex_dump(a->p, digest, SYNC_SHA256_LEN);

    } else {
        a->p = ngx_cpymem(a->p, key->data, key->len);
    }

    ngx_sync_redis_add(a, p, a->p - p);
}


/* KEYS: the bucket, the grant.  And what a token is worth. */

static void
ngx_sync_redis_lease_keys(ngx_sync_redis_args_t *a, ngx_sync_lease_t *l,
    ngx_str_t *tag, u_char *buf)
{
    u_char              hex[2 * NGX_SYNC_OWNER_LEN];
    ngx_str_t           nonce;
    const sync_gcra_t  *g;

    *tag = ngx_sync_redis_limit_tag(buf, &l->group);

    nonce.data = hex;
    nonce.len = ngx_hex_dump(hex, l->nonce, NGX_SYNC_OWNER_LEN) - hex;

    ngx_sync_redis_args_init(a);
    ngx_sync_redis_limit_key(a, 'l', tag, &l->key);
    ngx_sync_redis_limit_key(a, 'g', tag, &nonce);

    g = l->gcra;

    ngx_sync_redis_add_number(a, g->window);
    ngx_sync_redis_add_number(a, g->window ? g->burst : g->count);
    ngx_sync_redis_add_number(a, g->per / g->count);
    ngx_sync_redis_add_number(a, g->per % g->count);
}
