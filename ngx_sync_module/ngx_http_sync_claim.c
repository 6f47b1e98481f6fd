
/*
 * The kept answer of a key, its note, and the ends of a claim that outlive the
 * request: nothing that was claimed is left to its lease if we can help it.
 */


#include "ngx_http_sync_core.h"
#include "ngx_http_sync_claim.h"


#define NGX_HTTP_SYNC_RECORD_VERSION  2
#define NGX_HTTP_SYNC_NOTE_VERSION    1

#define NGX_HTTP_SYNC_DETACHED_MAX    1024   /* at once, per worker */
#define NGX_HTTP_SYNC_DETACHED_FIRST  50     /* ms until the second try */
#define NGX_HTTP_SYNC_DETACHED_LAST   2000
#define NGX_HTTP_SYNC_DETACHED_HURRY  400
#define NGX_HTTP_SYNC_DETACHED_LEAVE  10000  /* ms that a worker which quits
                                                waits for the store */


/*
 * version, flags, id of the secret, hints (bit 0: NGINX makes Location
 * absolute); then status, number of headers and length of the body, most
 * significant byte first.  This much an operator can read; what follows is
 * sealed: each header as two lengths and two strings; the body.
 */

#define NGX_HTTP_SYNC_RECORD_HEAD     12

#define NGX_HTTP_SYNC_RECORD_SEALED   0x01
#define NGX_HTTP_SYNC_RECORD_TRIMMED  0x02


typedef struct {
    ngx_sync_op_t      op;
    ngx_sync_hold_t    hold;
    ngx_sync_store_t  *store;
    ngx_pool_t        *pool;
    ngx_event_t        timer;
    ngx_msec_t         until;                /* ngx_current_msec */
    ngx_msec_t         delay;
    unsigned           beginning:1;          /* to resolve, or not yet */
    unsigned           resolving:1;
    unsigned           leaving:1;            /* the worker quits */
} ngx_http_sync_detached_t;


static ngx_int_t ngx_http_sync_record_part(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, sync_seal_key_t *key, ngx_uint_t trimmed,
    ngx_str_t *record);
static void ngx_http_sync_record_place(ngx_http_sync_ctx_t *ctx,
    sync_seal_place_t *place);
static ngx_uint_t ngx_http_sync_kept(ngx_http_sync_ctx_t *ctx,
    ngx_table_elt_t *h);
static u_char *ngx_http_sync_record_header(u_char *p, ngx_str_t *name,
    ngx_str_t *value);
static u_char *ngx_http_sync_put16(u_char *p, ngx_uint_t n);
static u_char *ngx_http_sync_put32(u_char *p, ngx_uint_t n);
static ngx_uint_t ngx_http_sync_get16(u_char *p);
static ngx_uint_t ngx_http_sync_get32(u_char *p);
static void ngx_http_sync_detached_start(ngx_http_sync_detached_t *d);
static void ngx_http_sync_detached_done(ngx_sync_op_t *op);
static void ngx_http_sync_detached_again(ngx_event_t *ev);
static ngx_int_t ngx_http_sync_dup(ngx_pool_t *pool, ngx_str_t *dst,
    ngx_str_t *src);


static ngx_str_t  ngx_http_sync_kept_headers[] = {
    ngx_string("content-encoding"),
    ngx_string("content-language"),
    ngx_string("location"),
    ngx_string("etag"),
    ngx_null_string
};


static ngx_str_t  ngx_http_sync_content_type = ngx_string("Content-Type");


static ngx_uint_t  ngx_http_sync_detached;


ngx_int_t
ngx_http_sync_record_write(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    ngx_str_t *trimmed, ngx_str_t *record)
{
    ngx_int_t                   rc;
    sync_str_t                  tenant;
    sync_seal_key_t             key;
    ngx_http_sync_main_conf_t  *smcf;

    smcf = ngx_http_get_module_main_conf(r, ngx_http_sync_module);

    tenant.data = ctx->claim.hold.key.tenant.data;
    tenant.len = ctx->claim.hold.key.tenant.len;

    if (sync_seal_key(&smcf->seal, tenant, &key) != SYNC_OK) {
        return NGX_ERROR;
    }

    rc = NGX_OK;

    if (record != NULL) {
        rc = ngx_http_sync_record_part(r, ctx, &key, 0, record);
    }

    if (rc == NGX_OK && record != NULL
        && record->len <= NGX_SYNC_TRIMMED_MAX)
    {
        /* there is always room for it: no need of a shorter one */

        *trimmed = *record;

    } else if (rc == NGX_OK) {
        rc = ngx_http_sync_record_part(r, ctx, &key, 1, trimmed);
    }

    sync_wipe(&key, sizeof(key));

    return rc;
}


static ngx_int_t
ngx_http_sync_record_part(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    sync_seal_key_t *key, ngx_uint_t trimmed, ngx_str_t *record)
{
    size_t                      len;
    u_char                     *p, *text;
    ngx_uint_t                  i, n, pass, status;
    ngx_list_part_t            *part;
    ngx_table_elt_t            *h;
    sync_seal_place_t           place;
    ngx_http_sync_main_conf_t  *smcf;

    smcf = ngx_http_get_module_main_conf(r, ngx_http_sync_module);

    /* an answer that could not be read: what the upstream said is kept */

    status = ctx->answer.own && ctx->answer.received ? ctx->answer.received
                                                     : ctx->answer.status;
    p = NULL;
    n = 0;
    len = NGX_HTTP_SYNC_RECORD_HEAD + SYNC_SEAL_ROOM;

    /* the first pass measures, the second writes */

    for (pass = 0; pass < 2; pass++) {

        if (pass == 1) {

            if (!trimmed) {
                len += ctx->answer.body.len;
            }

            record->data = ngx_pnalloc(r->pool, len);
            if (record->data == NULL) {
                return NGX_ERROR;
            }

            p = record->data;
            *p++ = NGX_HTTP_SYNC_RECORD_VERSION;
            *p++ = NGX_HTTP_SYNC_RECORD_SEALED
                   | (trimmed ? NGX_HTTP_SYNC_RECORD_TRIMMED : 0);
            *p++ = sync_seal_id(&smcf->seal);
            *p++ = r->headers_out.location != NULL
                   && r->headers_out.location->hash;
            p = ngx_http_sync_put16(p, status);
            p = ngx_http_sync_put16(p, n);
            p = ngx_http_sync_put32(p, trimmed ? 0 : ctx->answer.body.len);

            p += SYNC_SEAL_SALT;
        }

        if (r->headers_out.content_type.len
            && r->headers_out.content_type.len <= 0xffff)
        {
            if (pass == 0) {
                n++;
                len += 4 + ngx_http_sync_content_type.len
                       + r->headers_out.content_type.len;

            } else {
                p = ngx_http_sync_record_header(p, &ngx_http_sync_content_type,
                                                &r->headers_out.content_type);
            }
        }

        part = &r->headers_out.headers.part;
        h = part->elts;

        for (i = 0; /* void */ ; i++) {

            if (i >= part->nelts) {
                if (part->next == NULL) {
                    break;
                }

                part = part->next;
                h = part->elts;
                i = 0;
            }

            if (h[i].hash == 0 || !ngx_http_sync_kept(ctx, &h[i])) {
                continue;
            }

            if (pass == 0) {
                n++;
                len += 4 + h[i].key.len + h[i].value.len;

            } else {
                p = ngx_http_sync_record_header(p, &h[i].key, &h[i].value);
            }
        }
    }

    if (!trimmed && ctx->answer.body.len) {
        p = ngx_cpymem(p, ctx->answer.body.data, ctx->answer.body.len);
    }

    record->len = len;

    text = record->data + NGX_HTTP_SYNC_RECORD_HEAD;
    len = p - (text + SYNC_SEAL_SALT);

    ngx_http_sync_record_place(ctx, &place);

    if (sync_seal_close(key, &place, trimmed,
                        (sync_str_t) { NGX_HTTP_SYNC_RECORD_HEAD,
                                       record->data },
                        text, len)
        != SYNC_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
ngx_http_sync_record_place(ngx_http_sync_ctx_t *ctx, sync_seal_place_t *place)
{
    ngx_sync_key_t  *key;

    key = &ctx->claim.hold.key;

    place->tenant.data = key->tenant.data;
    place->tenant.len = key->tenant.len;
    place->names[0] = key->name;
    place->names[1] = key->has_previous ? key->previous : NULL;
    place->print = ctx->claim.print;
}


static ngx_uint_t
ngx_http_sync_kept(ngx_http_sync_ctx_t *ctx, ngx_table_elt_t *h)
{
    ngx_str_t   *name;
    ngx_uint_t   i;

    if (h->key.len > 0xffff || h->value.len > 0xffff) {
        return 0;
    }

    for (name = ngx_http_sync_kept_headers; name->len; name++) {
        if (h->key.len == name->len
            && ngx_strncasecmp(h->key.data, name->data, name->len) == 0)
        {
            return 1;
        }
    }

    if (ctx->claim.keep == NULL) {
        return 0;
    }

    name = ctx->claim.keep->elts;

    for (i = 0; i < ctx->claim.keep->nelts; i++) {
        if (h->key.len == name[i].len
            && ngx_strncasecmp(h->key.data, name[i].data, name[i].len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


static u_char *
ngx_http_sync_record_header(u_char *p, ngx_str_t *name, ngx_str_t *value)
{
    p = ngx_http_sync_put16(p, name->len);
    p = ngx_http_sync_put16(p, value->len);
    p = ngx_cpymem(p, name->data, name->len);

    return ngx_cpymem(p, value->data, value->len);
}


ngx_int_t
ngx_http_sync_record_read(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    ngx_str_t *record, ngx_uint_t *status, ngx_str_t *type, ngx_str_t *body)
{
    u_char                     *p, *last;
    sync_rc_t                   rc;
    ngx_str_t                   name, value;
    ngx_uint_t                  i, n;
    ngx_table_elt_t            *h;
    sync_seal_place_t           place;
    ngx_http_sync_main_conf_t  *smcf;

    static ngx_str_t  content_encoding = ngx_string("Content-Encoding");
    static ngx_str_t  etag = ngx_string("ETag");
    static ngx_str_t  location = ngx_string("Location");

    p = record->data;

    /* never one that is not sealed: whoever writes to a store may put it */

    if (record->len < NGX_HTTP_SYNC_RECORD_HEAD + SYNC_SEAL_ROOM
        || p[0] != NGX_HTTP_SYNC_RECORD_VERSION
        || (p[1] & ~NGX_HTTP_SYNC_RECORD_TRIMMED)
           != NGX_HTTP_SYNC_RECORD_SEALED)
    {
        return NGX_DECLINED;
    }

    *status = ngx_http_sync_get16(p + 4);
    n = ngx_http_sync_get16(p + 6);
    body->len = ngx_http_sync_get32(p + 8);

    ngx_str_null(type);

    smcf = ngx_http_get_module_main_conf(r, ngx_http_sync_module);

    ngx_http_sync_record_place(ctx, &place);

    p = ngx_pnalloc(r->pool, record->len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    rc = sync_seal_open(&smcf->seal, &place, record->data[2],
                        record->data[1] & NGX_HTTP_SYNC_RECORD_TRIMMED ? 1 : 0,
                        (sync_str_t) { NGX_HTTP_SYNC_RECORD_HEAD,
                                       record->data },
                        (sync_str_t) { record->len - NGX_HTTP_SYNC_RECORD_HEAD,
                                       record->data
                                       + NGX_HTTP_SYNC_RECORD_HEAD },
                        p);
    if (rc != SYNC_OK) {
        return rc == SYNC_NO ? NGX_DECLINED : NGX_ERROR;
    }

    last = p + record->len - NGX_HTTP_SYNC_RECORD_HEAD - SYNC_SEAL_ROOM;

    for (i = 0; i < n; i++) {

        if (last - p < 4) {
            return NGX_DECLINED;
        }

        name.len = ngx_http_sync_get16(p);
        value.len = ngx_http_sync_get16(p + 2);
        p += 4;

        if ((size_t) (last - p) < name.len + value.len) {
            return NGX_DECLINED;
        }

        name.data = p;
        value.data = p + name.len;
        p = value.data + value.len;

        if (name.len == ngx_http_sync_content_type.len
            && ngx_strncasecmp(name.data, ngx_http_sync_content_type.data,
                               name.len)
               == 0)
        {
            *type = value;
            continue;
        }

        h = ngx_http_sync_push_header(r, &name, &value);
        if (h == NULL) {
            return NGX_ERROR;
        }

        /* where NGINX' filters look for them */

        if (ngx_http_sync_is_header(h, &content_encoding)) {
            r->headers_out.content_encoding = h;

        } else if (ngx_http_sync_is_header(h, &etag)) {
            r->headers_out.etag = h;

        } else if (record->data[3] & 1
                   && ngx_http_sync_is_header(h, &location))
        {
            r->headers_out.location = h;
        }
    }

    if ((size_t) (last - p) != body->len) {
        return NGX_DECLINED;
    }

    body->data = p;

    return NGX_OK;
}


ngx_uint_t
ngx_http_sync_record_status(ngx_str_t *record)
{
    if (record->len < NGX_HTTP_SYNC_RECORD_HEAD
        || record->data[0] != NGX_HTTP_SYNC_RECORD_VERSION)
    {
        return 0;
    }

    return ngx_http_sync_get16(record->data + 4);
}


static u_char *
ngx_http_sync_put16(u_char *p, ngx_uint_t n)
{
    *p++ = (u_char) (n >> 8);
    *p++ = (u_char) n;

    return p;
}


static u_char *
ngx_http_sync_put32(u_char *p, ngx_uint_t n)
{
    p = ngx_http_sync_put16(p, n >> 16);

    return ngx_http_sync_put16(p, n & 0xffff);
}


static ngx_uint_t
ngx_http_sync_get16(u_char *p)
{
    return (ngx_uint_t) p[0] << 8 | p[1];
}


static ngx_uint_t
ngx_http_sync_get32(u_char *p)
{
    return ngx_http_sync_get16(p) << 16 | ngx_http_sync_get16(p + 2);
}


ngx_int_t
ngx_http_sync_note_write(ngx_http_sync_ctx_t *ctx, ngx_str_t *note)
{
    u_char     *p;
    ngx_str_t   name;

    ngx_str_null(&name);

    if (ctx->route.connector != SYNC_DOC_NONE) {
        name.data = ctx->route.c.name.data;
        name.len = ngx_min(ctx->route.c.name.len, 255);
    }

    p = ngx_pnalloc(ctx->request->pool, 3 + name.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    note->data = p;

    *p++ = NGX_HTTP_SYNC_NOTE_VERSION;
    *p++ = (u_char) ctx->claim.on_unknown;
    *p++ = (u_char) name.len;
    p = ngx_cpymem(p, name.data, name.len);

    note->len = p - note->data;

    return NGX_OK;
}


ngx_int_t
ngx_http_sync_note_read(ngx_str_t *note, ngx_uint_t *on_unknown,
    ngx_str_t *connector)
{
    if (note->len < 3 || note->data[0] != NGX_HTTP_SYNC_NOTE_VERSION
        || note->data[1] > SYNC_UNKNOWN_RELEASE
        || note->len != (size_t) 3 + note->data[2])
    {
        return NGX_DECLINED;
    }

    *on_unknown = note->data[1];
    connector->data = note->data + 3;
    connector->len = note->data[2];

    return NGX_OK;
}


void
ngx_http_sync_downstream_uuid(ngx_http_sync_ctx_t *ctx,
    u_char uuid[NGX_HTTP_SYNC_UUID_LEN])
{
    u_char      id[16], hex[32], *p;
    ngx_uint_t  i;

    if (ctx->claim.state == NGX_HTTP_SYNC_CLAIM_HELD) {
        ngx_memcpy(id, ctx->claim.hold.key.name, sizeof(id));

    } else if (sync_random(id, sizeof(id)) != SYNC_OK) {
        ngx_memzero(id, sizeof(id));
    }

    /* RFC 9562: version 8 is for what a vendor derives, variant 10 */

    id[6] = (id[6] & 0x0f) | 0x80;
    id[8] = (id[8] & 0x3f) | 0x80;

    (void) sync_hex_encode(hex, id, sizeof(id));

    p = uuid;

    for (i = 0; i < sizeof(hex); i++) {
        if (i == 8 || i == 12 || i == 16 || i == 20) {
            *p++ = '-';
        }

        *p++ = hex[i];
    }
}


void
ngx_http_sync_claim_drop(ngx_http_sync_ctx_t *ctx)
{
    ngx_str_t  none;

    if (ctx->claim.state != NGX_HTTP_SYNC_CLAIM_HELD) {
        return;
    }

    ngx_str_null(&none);

    if (ngx_http_sync_was_sent(ctx->request, ctx)) {
        ngx_http_sync_claim_detach(ctx, NGX_SYNC_STATE_UNKNOWN, &none, &none);
        ngx_str_set(&ctx->claim.status, "outcome-unknown");
        ctx->verdict = "outcome-unknown";
        return;
    }

    /* a resolver that sent nothing leaves the key as unknown as it was */

    ngx_http_sync_claim_detach(ctx, ctx->claim.resolving
                                    ? NGX_SYNC_STATE_UNKNOWN
                                    : NGX_SYNC_STATE_NONE,
                               &none, &none);
    ngx_str_set(&ctx->claim.status, "released");
}


void
ngx_http_sync_claim_detach(ngx_http_sync_ctx_t *ctx, ngx_sync_state_e outcome,
    ngx_str_t *record, ngx_str_t *trimmed)
{
    ngx_log_t                 *log;
    ngx_pool_t                *pool;
    ngx_http_sync_detached_t  *d;

    ctx->claim.state = outcome == NGX_SYNC_STATE_NONE
                       ? NGX_HTTP_SYNC_CLAIM_RELEASED
                       : NGX_HTTP_SYNC_CLAIM_SETTLED;

    log = ngx_cycle->log;

    if (ngx_http_sync_detached >= NGX_HTTP_SYNC_DETACHED_MAX) {
        ngx_log_error(NGX_LOG_ERR, log, 0,
                      "idempotency: too many claims wait for the store, one "
                      "is left to its lease");
        return;
    }

    pool = ngx_create_pool(1024, log);
    if (pool == NULL) {
        return;
    }

    d = ngx_pcalloc(pool, sizeof(ngx_http_sync_detached_t));
    if (d == NULL) {
        ngx_destroy_pool(pool);
        return;
    }

    d->pool = pool;
    d->store = ctx->claim.store;
    d->hold = ctx->claim.hold;
    d->hold.outcome = outcome;
    d->delay = NGX_HTTP_SYNC_DETACHED_FIRST;
    d->resolving = ctx->claim.resolving;
    d->beginning = ctx->claim.resolving && ctx->claim.hold.epoch == 0;
    d->until = ctx->claim.lease_end;

    if (outcome == NGX_SYNC_STATE_NONE || d->beginning) {

        /* that nothing was sent is worth knowing as long as the key stands,
           and takes no room; a store that hung may begin to resolve late */

        d->until = ngx_current_msec + ngx_max(d->hold.retention,
                                              d->hold.lease);
    }

    ngx_str_null(&d->hold.note);

    if (ngx_http_sync_dup(pool, &d->hold.key.tenant,
                          &ctx->claim.hold.key.tenant) != NGX_OK
        || ngx_http_sync_dup(pool, &d->hold.record, record) != NGX_OK
        || ngx_http_sync_dup(pool, &d->hold.trimmed, trimmed) != NGX_OK)
    {
        ngx_destroy_pool(pool);
        return;
    }

    d->timer.handler = ngx_http_sync_detached_again;
    d->timer.data = d;
    d->timer.log = log;

    /* a worker that quits knows what nobody else can tell: it stays for it */

    ngx_http_sync_detached++;

    ngx_http_sync_detached_start(d);
}


static void
ngx_http_sync_detached_start(ngx_http_sync_detached_t *d)
{
    ngx_int_t                    rc;
    const ngx_sync_store_ops_t  *ops;

    ngx_memzero(&d->op, sizeof(ngx_sync_op_t));

    d->op.handler = ngx_http_sync_detached_done;
    d->op.data = d;
    d->op.log = ngx_cycle->log;
    d->op.pool = d->pool;

    ops = d->store->ops;

    if (d->beginning) {

        /* the same resolver may ask again, and learns its epoch */

        rc = ops->resolve_begin(d->store, &d->op, &d->hold);

    } else if (d->resolving) {
        rc = ops->resolve_end(d->store, &d->op, &d->hold);

    } else if (d->hold.outcome == NGX_SYNC_STATE_NONE) {
        rc = ops->release(d->store, &d->op, &d->hold);

    } else {
        rc = ops->settle(d->store, &d->op, &d->hold);
    }

    if (rc == NGX_OK) {
        ngx_http_sync_detached_done(&d->op);
    }
}


static void
ngx_http_sync_detached_done(ngx_sync_op_t *op)
{
    ngx_http_sync_detached_t *d = op->data;

    ngx_msec_t  leave, most;

    most = ngx_exiting ? NGX_HTTP_SYNC_DETACHED_HURRY
                       : NGX_HTTP_SYNC_DETACHED_LAST;

    if (ngx_exiting && !d->leaving) {
        leave = ngx_current_msec + NGX_HTTP_SYNC_DETACHED_LEAVE;

        if ((ngx_msec_int_t) (d->until - leave) > 0) {
            d->until = leave;
        }

        d->leaving = 1;
        d->delay = NGX_HTTP_SYNC_DETACHED_FIRST;
    }

    if (op->result == NGX_SYNC_STORE_DOWN
        && (ngx_msec_int_t) (d->until - ngx_current_msec) > 0)
    {
        ngx_add_timer(&d->timer, d->delay);

        d->delay = ngx_min(d->delay * 2, most);
        return;
    }

    if (op->result == NGX_SYNC_STORE_OK && d->beginning) {
        d->beginning = 0;
        d->hold.epoch = d->hold.entry.epoch;
        ngx_http_sync_detached_start(d);
        return;
    }

    if (op->result == NGX_SYNC_STORE_DOWN) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "idempotency: the store did not take an outcome before "
                      "%s", d->leaving ? "its worker left"
                                       : "its time was over");
    }

    ngx_http_sync_detached--;
    ngx_destroy_pool(d->pool);
}


static void
ngx_http_sync_detached_again(ngx_event_t *ev)
{
    ngx_http_sync_detached_start(ev->data);
}


static ngx_int_t
ngx_http_sync_dup(ngx_pool_t *pool, ngx_str_t *dst, ngx_str_t *src)
{
    dst->len = src->len;
    dst->data = NULL;

    if (src->len == 0) {
        return NGX_OK;
    }

    dst->data = ngx_pstrdup(pool, src);

    return dst->data != NULL ? NGX_OK : NGX_ERROR;
}
