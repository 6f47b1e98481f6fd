
/*
 * One store operation for a request.  Names, owners, prints and nonces are the
 * digests of what the query says, so that any text will do.
 */


#include "ngx_http_sync_test.h"


#define NGX_HTTP_SYNC_TEST_ROOM  8192


typedef struct {
    ngx_sync_store_t    *store;
    ngx_sync_op_t        op;
    ngx_uint_t           again;
    ngx_uint_t           what;

    union {
        ngx_sync_limit_t   limit;
        ngx_sync_lease_t   lease;
        ngx_sync_slot_t    slot;
        ngx_sync_claim_t   claim;
        ngx_sync_hold_t    hold;
        ngx_sync_look_t    look;
        ngx_sync_due_t     due;
        ngx_sync_seen_t    seen;
        ngx_sync_cache_t   cache;
    } u;

    sync_gcra_t            gcra[NGX_SYNC_LIMITS_MAX];
    ngx_sync_limit_item_t  items[NGX_SYNC_LIMITS_MAX];
    sync_gcra_answer_t     answers[NGX_SYNC_LIMITS_MAX];
} ngx_http_sync_test_ctx_t;


enum {
    OP_LIMIT_TAKE, OP_LIMIT_REFUND, OP_LEASE_TAKE, OP_LEASE_RETURN,
    OP_SLOT_ACQUIRE, OP_SLOT_RELEASE, OP_CLAIM, OP_EXTEND, OP_SETTLE,
    OP_RELEASE, OP_RESOLVE_BEGIN, OP_RESOLVE_END, OP_LOOK, OP_DUE, OP_SEEN,
    OP_CACHE_GET, OP_CACHE_PUT, OP_STATE, OP_LAST
};


static const char  *ngx_http_sync_test_op_names[] = {
    "limit_take", "limit_refund", "lease_take", "lease_return",
    "slot_acquire", "slot_release", "claim", "extend", "settle",
    "release", "resolve_begin", "resolve_end", "look", "due", "seen",
    "cache_get", "cache_put", "state"
};


static const char  *ngx_http_sync_test_results[] = {
    "OK", "NO", "BUSY", "DONE", "MISMATCH", "UNKNOWN", "QUEUED", "FENCED",
    "FULL", "DOWN"
};


static ngx_int_t ngx_http_sync_test_op_limit(ngx_http_request_t *r,
    ngx_http_sync_test_ctx_t *ctx);
static ngx_int_t ngx_http_sync_test_next(ngx_str_t *list, ngx_int_t last);
static void ngx_http_sync_test_op_args(ngx_http_request_t *r,
    ngx_http_sync_test_ctx_t *ctx);
static ngx_int_t ngx_http_sync_test_op_call(ngx_http_sync_test_ctx_t *ctx);
static ngx_int_t ngx_http_sync_test_op_repeat(ngx_http_request_t *r,
    ngx_http_sync_test_ctx_t *ctx, ngx_uint_t n);
static void ngx_http_sync_test_op_handler_done(ngx_sync_op_t *op);
static void ngx_http_sync_test_op_resume(ngx_http_request_t *r);
static void ngx_http_sync_test_op_cleanup(void *data);
static ngx_int_t ngx_http_sync_test_op_answer(ngx_http_request_t *r,
    ngx_http_sync_test_ctx_t *ctx);
static u_char *ngx_http_sync_test_op_entry(u_char *p, ngx_sync_entry_t *e);
static ngx_int_t ngx_http_sync_test_op_state(ngx_http_request_t *r);
static void ngx_http_sync_test_digest(ngx_str_t s, u_char *dst, size_t len);
static void ngx_http_sync_test_key(ngx_http_request_t *r, ngx_sync_key_t *key);
static ngx_str_t ngx_http_sync_test_text(ngx_http_request_t *r,
    const char *name);


ngx_int_t
ngx_http_sync_test_op_handler(ngx_http_request_t *r)
{
    ngx_int_t                       rc;
    ngx_str_t                       what;
    ngx_uint_t                      i, kind, repeat;
    ngx_pool_cleanup_t             *cln;
    ngx_http_sync_test_ctx_t       *ctx;
    ngx_http_sync_test_loc_conf_t  *tlcf;

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    what = ngx_http_sync_test_arg(r, "op");

    for (i = 0; i < OP_LAST; i++) {
        if (what.len == ngx_strlen(ngx_http_sync_test_op_names[i])
            && ngx_strncmp(what.data, ngx_http_sync_test_op_names[i], what.len)
               == 0)
        {
            break;
        }
    }

    if (i == OP_LAST) {
        return NGX_HTTP_NOT_FOUND;
    }

    if (i == OP_STATE) {
        return ngx_http_sync_test_op_state(r);
    }

    ctx = ngx_pcalloc(r->pool, sizeof(ngx_http_sync_test_ctx_t));
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    cln = ngx_pool_cleanup_add(r->pool, 0);
    if (cln == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    cln->handler = ngx_http_sync_test_op_cleanup;
    cln->data = ctx;

    ngx_http_set_ctx(r, ctx, ngx_http_sync_test_module);

    kind = i < OP_CLAIM ? NGX_SYNC_ZONE_LIMITS
                        : i < OP_SEEN ? NGX_SYNC_ZONE_RECORDS
                                      : NGX_SYNC_ZONE_TOKENS;

    tlcf = ngx_http_get_module_loc_conf(r, ngx_http_sync_test_module);

    ctx->what = i;
    ctx->store = tlcf->stores[kind];
    ctx->op.handler = ngx_http_sync_test_op_handler_done;
    ctx->op.data = r;
    ctx->op.log = r->connection->log;
    ctx->op.pool = r->pool;
    ctx->op.timeout = ngx_http_sync_test_int(r, "timeout", 0);

    if (i <= OP_LEASE_RETURN
        && ngx_http_sync_test_op_limit(r, ctx) != NGX_OK)
    {
        return NGX_HTTP_BAD_REQUEST;
    }

    ngx_http_sync_test_op_args(r, ctx);

    repeat = ngx_http_sync_test_int(r, "repeat", 0);

    if (repeat) {
        return ngx_http_sync_test_op_repeat(r, ctx, repeat);
    }

    if (ngx_http_sync_test_op_call(ctx) == NGX_OK) {
        return ngx_http_sync_test_op_answer(r, ctx);
    }

    ctx->again = 1;

    r->main->count++;
    r->read_event_handler = ngx_http_test_reading;
    r->write_event_handler = ngx_http_request_empty_handler;

    return NGX_DONE;
}


/* key=a,b burst=5,10 count=1 per=1000, or window=0,5000 for counts: lists go in
   step, the last is kept */

static ngx_int_t
ngx_http_sync_test_op_limit(ngx_http_request_t *r,
    ngx_http_sync_test_ctx_t *ctx)
{
    u_char      *p, *last, *comma;
    ngx_int_t    burst, window;
    ngx_str_t    keys, bursts, windows;
    ngx_uint_t   n;

    keys = ngx_http_sync_test_arg(r, "key");
    bursts = ngx_http_sync_test_arg(r, "burst");
    windows = ngx_http_sync_test_arg(r, "window");
    burst = 1;
    window = 0;

    p = keys.data;
    last = p + keys.len;

    for (n = 0; n < NGX_SYNC_LIMITS_MAX && p <= last; n++) {

        comma = ngx_strlchr(p, last, ',');
        if (comma == NULL) {
            comma = last;
        }

        ctx->items[n].key.data = p;
        ctx->items[n].key.len = comma - p;
        ctx->items[n].gcra = &ctx->gcra[n];
        p = comma + 1;

        burst = ngx_http_sync_test_next(&bursts, burst);
        window = ngx_http_sync_test_next(&windows, window);

        if ((window ? sync_gcra_count(&ctx->gcra[n], (int64_t) window * 1000,
                                      burst, NULL)
                    : sync_gcra_init(&ctx->gcra[n],
                           ngx_http_sync_test_int(r, "count", 1),
                           (int64_t) ngx_http_sync_test_int(r, "per", 1000)
                           * 1000,
                           burst, NULL))
            != SYNC_OK)
        {
            return NGX_ERROR;
        }
    }

    if (ctx->what <= OP_LIMIT_REFUND) {
        ctx->u.limit.items = ctx->items;
        ctx->u.limit.n = n;
        ctx->u.limit.answers = ctx->answers;
        ctx->u.limit.cost = ngx_http_sync_test_int(r, "cost", 1);
    }

    return NGX_OK;
}


/* The next number of a list; the last one counts on. */

static ngx_int_t
ngx_http_sync_test_next(ngx_str_t *list, ngx_int_t last)
{
    u_char     *comma;
    ngx_int_t   n;

    if (list->len == 0) {
        return last;
    }

    comma = ngx_strlchr(list->data, list->data + list->len, ',');
    if (comma == NULL) {
        comma = list->data + list->len;
    }

    n = ngx_atoi(list->data, comma - list->data);

    list->len -= comma - list->data;
    list->data = comma;

    if (list->len) {
        list->data++;
        list->len--;
    }

    return n;
}


static void
ngx_http_sync_test_op_args(ngx_http_request_t *r,
    ngx_http_sync_test_ctx_t *ctx)
{
    ngx_str_t          s;
    ngx_sync_hold_t   *h;
    ngx_sync_slot_t   *slot;
    ngx_sync_lease_t  *lease;
    ngx_sync_claim_t  *c;

    switch (ctx->what) {

    case OP_LIMIT_TAKE:
    case OP_LIMIT_REFUND:
        break;

    case OP_LEASE_TAKE:
    case OP_LEASE_RETURN:
        lease = &ctx->u.lease;

        lease->key = ngx_http_sync_test_arg(r, "key");
        lease->gcra = &ctx->gcra[0];
        lease->wanted = ngx_http_sync_test_int(r, "wanted", 1);
        lease->tokens = ngx_http_sync_test_int(r, "tokens", 0);
        lease->lease = ngx_http_sync_test_int(r, "lease", 60000);
        ngx_http_sync_test_digest(ngx_http_sync_test_arg(r, "nonce"),
                                  lease->nonce, NGX_SYNC_OWNER_LEN);
        break;

    case OP_SLOT_ACQUIRE:
    case OP_SLOT_RELEASE:
        slot = &ctx->u.slot;

        slot->key = ngx_http_sync_test_arg(r, "key");
        slot->limit = ngx_http_sync_test_int(r, "limit", 1);
        slot->lease = ngx_http_sync_test_int(r, "lease", 60000);
        ngx_http_sync_test_digest(ngx_http_sync_test_arg(r, "owner"),
                                  slot->owner, NGX_SYNC_OWNER_LEN);
        break;

    case OP_CLAIM:
        c = &ctx->u.claim;

        ngx_http_sync_test_key(r, &c->key);
        ngx_http_sync_test_digest(ngx_http_sync_test_arg(r, "owner"), c->owner,
                                  NGX_SYNC_OWNER_LEN);
        ngx_http_sync_test_digest(ngx_http_sync_test_arg(r, "print"), c->print,
                                  NGX_SYNC_PRINT_LEN);

        c->lease = ngx_http_sync_test_int(r, "lease", 60000);
        c->retention = ngx_http_sync_test_int(r, "retention", 3600000);
        c->max_keys = ngx_http_sync_test_int(r, "max_keys", 0);
        c->max_bytes = ngx_http_sync_test_int(r, "max_bytes", 0);
        break;

    case OP_EXTEND:
    case OP_SETTLE:
    case OP_RELEASE:
    case OP_RESOLVE_BEGIN:
    case OP_RESOLVE_END:
        h = &ctx->u.hold;

        ngx_http_sync_test_key(r, &h->key);
        ngx_http_sync_test_digest(ngx_http_sync_test_arg(r, "owner"), h->owner,
                                  NGX_SYNC_OWNER_LEN);

        h->epoch = ngx_http_sync_test_int(r, "epoch", 0);
        h->lease = ngx_http_sync_test_int(r, "lease", 60000);
        h->retention = ngx_http_sync_test_int(r, "retention", 3600000);
        h->note = ngx_http_sync_test_text(r, "note");
        h->record = ngx_http_sync_test_text(r, "record");
        h->trimmed = ngx_http_sync_test_text(r, "trimmed");

        s = ngx_http_sync_test_arg(r, "outcome");
        h->outcome = s.len ? s.data[0] : NGX_SYNC_STATE_NONE;
        break;

    case OP_LOOK:
        ngx_http_sync_test_key(r, &ctx->u.look.key);
        break;

    case OP_DUE:
        ctx->u.due.n = ngx_http_sync_test_int(r, "n", 100);
        break;

    case OP_SEEN:
        ctx->u.seen.key = ngx_http_sync_test_arg(r, "key");
        ctx->u.seen.ttl = ngx_http_sync_test_int(r, "ttl", 60000);
        break;

    default: /* OP_CACHE_GET, OP_CACHE_PUT */
        ctx->u.cache.key = ngx_http_sync_test_arg(r, "key");
        ctx->u.cache.value = ngx_http_sync_test_text(r, "value");
        ctx->u.cache.ttl = ngx_http_sync_test_int(r, "ttl", 60000);
        break;
    }
}


static ngx_int_t
ngx_http_sync_test_op_call(ngx_http_sync_test_ctx_t *ctx)
{
    ngx_sync_op_t               *op;
    ngx_sync_store_t            *st;
    const ngx_sync_store_ops_t  *ops;

    op = &ctx->op;
    st = ctx->store;
    ops = st->ops;

    switch (ctx->what) {

    case OP_LIMIT_TAKE:
        return ops->limit_take(st, op, &ctx->u.limit);

    case OP_LIMIT_REFUND:
        return ops->limit_refund(st, op, &ctx->u.limit);

    case OP_LEASE_TAKE:
        return ops->lease_take(st, op, &ctx->u.lease);

    case OP_LEASE_RETURN:
        return ops->lease_return(st, op, &ctx->u.lease);

    case OP_SLOT_ACQUIRE:
        return ops->slot_acquire(st, op, &ctx->u.slot);

    case OP_SLOT_RELEASE:
        return ops->slot_release(st, op, &ctx->u.slot);

    case OP_CLAIM:
        return ops->claim(st, op, &ctx->u.claim);

    case OP_EXTEND:
        return ops->extend(st, op, &ctx->u.hold);

    case OP_SETTLE:
        return ops->settle(st, op, &ctx->u.hold);

    case OP_RELEASE:
        return ops->release(st, op, &ctx->u.hold);

    case OP_RESOLVE_BEGIN:
        return ops->resolve_begin(st, op, &ctx->u.hold);

    case OP_RESOLVE_END:
        return ops->resolve_end(st, op, &ctx->u.hold);

    case OP_LOOK:
        return ops->look(st, op, &ctx->u.look);

    case OP_DUE:
        return ops->due(st, op, &ctx->u.due);

    case OP_SEEN:
        return ops->seen(st, op, &ctx->u.seen);

    case OP_CACHE_GET:
        return ops->cache_get(st, op, &ctx->u.cache);

    default: /* OP_CACHE_PUT */
        return ops->cache_put(st, op, &ctx->u.cache);
    }
}


/*
 * The same n times over, each time with another key: fills a zone, and says
 * how long one takes.  For stores that answer at once.
 */

static ngx_int_t
ngx_http_sync_test_op_repeat(ngx_http_request_t *r,
    ngx_http_sync_test_ctx_t *ctx, ngx_uint_t n)
{
    int64_t     start, ns;
    u_char      name[64], *p;
    ngx_str_t   key;
    ngx_buf_t  *b;
    ngx_uint_t  i, k, counts[NGX_SYNC_STORE_DOWN + 1];

    ngx_memzero(counts, sizeof(counts));

    key = ngx_http_sync_test_arg(r, "key");
    key.len = ngx_min(key.len, 32);
    p = ngx_cpymem(name, key.data, key.len);

    key.data = name;

    start = ngx_sync_blocks_clock();

    for (i = 0; i < n; i++) {
        key.len = ngx_sprintf(p, "%ui", i) - name;

        if (ctx->what == OP_CLAIM) {
            ngx_memzero(ctx->u.claim.key.name, NGX_SYNC_NAME_LEN);
            ngx_memcpy(ctx->u.claim.key.name, key.data,
                       ngx_min(key.len, NGX_SYNC_NAME_LEN));

        } else if (ctx->what == OP_SEEN) {
            ctx->u.seen.key = key;

        } else if (ctx->what == OP_CACHE_PUT) {
            ctx->u.cache.key = key;

        } else if (ctx->what == OP_LIMIT_TAKE) {
            for (k = 0; k < ctx->u.limit.n; k++) {
                ctx->items[k].key = key;
            }
        }

        if (ngx_http_sync_test_op_call(ctx) != NGX_OK) {
            return NGX_HTTP_BAD_REQUEST;
        }

        counts[ctx->op.result]++;
    }

    ns = (ngx_sync_blocks_clock() - start) * 1000 / (int64_t) n;

    b = ngx_create_temp_buf(r->pool, NGX_HTTP_SYNC_TEST_ROOM);
    if (b == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    b->last = ngx_sprintf(b->last, "{\"ns\":%L", ns);

    for (i = 0; i <= NGX_SYNC_STORE_DOWN; i++) {
        b->last = ngx_sprintf(b->last, ",\"%s\":%ui",
                              ngx_http_sync_test_results[i], counts[i]);
    }

    *b->last++ = '}';

    return ngx_http_sync_test_send(r, b);
}


static void
ngx_http_sync_test_op_handler_done(ngx_sync_op_t *op)
{
    ngx_http_request_t  *r;

    r = op->data;

    r->write_event_handler = ngx_http_sync_test_op_resume;
    ngx_post_event(r->connection->write, &ngx_posted_events);
}


static void
ngx_http_sync_test_op_resume(ngx_http_request_t *r)
{
    ngx_http_sync_test_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_sync_test_module);

    r->read_event_handler = ngx_http_block_reading;

    ngx_http_finalize_request(r, ngx_http_sync_test_op_answer(r, ctx));
}


static void
ngx_http_sync_test_op_cleanup(void *data)
{
    ngx_http_sync_test_ctx_t  *ctx = data;

    if (ctx->store) {
        ngx_sync_store_cancel(ctx->store, &ctx->op);
    }
}


static ngx_int_t
ngx_http_sync_test_op_answer(ngx_http_request_t *r,
    ngx_http_sync_test_ctx_t *ctx)
{
    u_char      *p;
    ngx_buf_t   *b;
    ngx_uint_t   i;

    b = ngx_create_temp_buf(r->pool, NGX_HTTP_SYNC_TEST_ROOM);
    if (b == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    p = ngx_sprintf(b->last, "{\"result\":\"%s\",\"again\":%ui,\"pid\":%P",
                    ngx_http_sync_test_results[ctx->op.result], ctx->again,
                    ngx_pid);

    switch (ctx->what) {

    case OP_LIMIT_TAKE:
        p = ngx_sprintf(p, ",\"refused\":%ui,\"answers\":[",
                        ctx->u.limit.refused);

        for (i = 0; i < ctx->u.limit.n; i++) {
            p = ngx_sprintf(p, "%s{\"remaining\":%uD,\"reset\":%L,"
                            "\"retry\":%L}", i ? "," : "",
                            ctx->answers[i].remaining, ctx->answers[i].reset,
                            ctx->answers[i].retry);
        }

        *p++ = ']';
        break;

    case OP_LEASE_TAKE:
        p = ngx_sprintf(p, ",\"tokens\":%uL,\"lasts\":%M",
                        ctx->u.lease.tokens,
                        ctx->u.lease.tokens
                        ? ctx->u.lease.until - ngx_current_msec : 0);
        break;

    case OP_CLAIM:
        p = ngx_http_sync_test_op_entry(p, &ctx->u.claim.entry);
        break;

    case OP_SETTLE:
    case OP_RESOLVE_END:
        if (ctx->u.hold.kept) {
            p = ngx_sprintf(p, ",\"kept\":\"%c\"", ctx->u.hold.kept);
        }

        /* fall through */

    case OP_EXTEND:
    case OP_RELEASE:
    case OP_RESOLVE_BEGIN:
        p = ngx_http_sync_test_op_entry(p, &ctx->u.hold.entry);
        break;

    case OP_LOOK:
        p = ngx_http_sync_test_op_entry(p, &ctx->u.look.entry);
        break;

    case OP_DUE:
        p = ngx_sprintf(p, ",\"unknown\":%ui,\"expired\":%ui,\"more\":%ui",
                        ctx->u.due.unknown, ctx->u.due.expired,
                        ctx->u.due.more);
        break;

    case OP_CACHE_GET:
        if (ctx->op.result == NGX_SYNC_STORE_OK) {
            p = ngx_sprintf(p, ",\"len\":%uz,\"value\":\"%*s\"",
                            ctx->u.cache.value.len,
                            ngx_min(ctx->u.cache.value.len, 1024),
                            ctx->u.cache.value.data);
        }

        break;

    default:
        break;
    }

    *p++ = '}';
    b->last = p;

    return ngx_http_sync_test_send(r, b);
}


static u_char *
ngx_http_sync_test_op_entry(u_char *p, ngx_sync_entry_t *e)
{
    size_t  i;

    if (e->state == NGX_SYNC_STATE_NONE) {
        return p;
    }

    p = ngx_sprintf(p, ",\"state\":\"%c\",\"epoch\":%uL,\"created\":%L,"
                    "\"changed\":%L,\"until\":%L,\"expires\":%L,"
                    "\"note\":\"%V\",\"len\":%uz,\"record\":\"%*s\"",
                    e->state, e->epoch, e->created, e->changed, e->until,
                    e->expires, &e->note, e->record.len,
                    ngx_min(e->record.len, 1024), e->record.data);

    /* what text() makes of a length */

    for (i = 0; i < e->record.len; i++) {
        if (e->record.data[i] != 'a' + i % 23) {
            break;
        }
    }

    return ngx_sprintf(p, ",\"whole\":%d", i == e->record.len);
}


static ngx_int_t
ngx_http_sync_test_op_state(ngx_http_request_t *r)
{
    ngx_buf_t              *b;
    ngx_uint_t              kind;
    ngx_sync_zone_state_t   state;

    b = ngx_create_temp_buf(r->pool, NGX_HTTP_SYNC_TEST_ROOM);
    if (b == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    *b->last++ = '{';

    for (kind = 0; kind < NGX_SYNC_ZONE_KINDS; kind++) {

        if (ngx_sync_store_zone_state((ngx_cycle_t *) ngx_cycle, kind, &state)
            != NGX_OK)
        {
            continue;
        }

        b->last = ngx_sprintf(b->last, "%s\"%V\":{\"size\":%uz,\"free\":%uz,"
                              "\"entries\":%ui,\"refused\":%ui,"
                              "\"rebuilt\":%ui}", kind ? "," : "",
                              &state.name, state.size, state.free,
                              state.entries, state.refused, state.rebuilt);
    }

    *b->last++ = '}';

    return ngx_http_sync_test_send(r, b);
}


static void
ngx_http_sync_test_digest(ngx_str_t s, u_char *dst, size_t len)
{
    u_char  digest[SYNC_SHA256_LEN];

    sync_sha256(s.data, s.len, digest);
    ngx_memcpy(dst, digest, len);
}


static void
ngx_http_sync_test_key(ngx_http_request_t *r, ngx_sync_key_t *key)
{
    ngx_str_t  previous;

    key->tenant = ngx_http_sync_test_arg(r, "tenant");

    ngx_http_sync_test_digest(ngx_http_sync_test_arg(r, "key"), key->name,
                              NGX_SYNC_NAME_LEN);

    previous = ngx_http_sync_test_arg(r, "previous");

    if (previous.len) {
        key->has_previous = 1;
        ngx_http_sync_test_digest(previous, key->previous, NGX_SYNC_NAME_LEN);
    }
}


/* record=text, or record=@10000 for so many bytes. */

static ngx_str_t
ngx_http_sync_test_text(ngx_http_request_t *r, const char *name)
{
    size_t     i;
    ngx_str_t  s;
    ngx_int_t  n;

    s = ngx_http_sync_test_arg(r, name);

    if (s.len < 2 || s.data[0] != '@') {
        return s;
    }

    n = ngx_atoi(s.data + 1, s.len - 1);

    s.len = 0;
    s.data = n > 0 ? ngx_pnalloc(r->pool, n) : NULL;

    if (s.data) {
        s.len = n;

        for (i = 0; i < s.len; i++) {
            s.data[i] = 'a' + i % 23;
        }
    }

    return s;
}
