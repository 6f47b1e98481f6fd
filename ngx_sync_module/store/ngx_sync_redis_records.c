
/*
 * Records of idempotency: the scripts decide what changes, here it is told
 * what it means.  See ngx_sync_redis_scripts.c for the form of a record.
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "sync_crypto.h"
#include "ngx_sync_redis_store.h"


#define NGX_SYNC_REDIS_HEADER   138
#define NGX_SYNC_REDIS_NAME     64       /* in hex */

/* where they begin, and how wide the numbers are */

#define NGX_SYNC_REDIS_EPOCH    3, 16
#define NGX_SYNC_REDIS_CREATED  19, 13
#define NGX_SYNC_REDIS_CHANGED  32, 13
#define NGX_SYNC_REDIS_UNTIL    45, 13
#define NGX_SYNC_REDIS_EXPIRES  58, 13
#define NGX_SYNC_REDIS_NOTE     86, 4
#define NGX_SYNC_REDIS_OWNER    90
#define NGX_SYNC_REDIS_PRINT    106


/* What a script said: when, what, and mostly a record. */

typedef struct {
    int64_t                  now;
    int64_t                  said;
    u_char                  *owner;      /* NULL: it brought no record */
    u_char                  *print;
    ngx_sync_entry_t         entry;
} ngx_sync_redis_said_t;


static ngx_int_t ngx_sync_redis_hold(ngx_sync_store_t *st, ngx_sync_op_t *op,
    ngx_sync_hold_t *h, ngx_sync_redis_script_e script,
    ngx_sync_redis_args_t *a, ngx_str_t *tag, ngx_uint_t nkeys,
    ngx_sync_redis_parse_pt parse);
static ngx_sync_result_e ngx_sync_redis_claim_parse(ngx_sync_op_t *op,
    ngx_sync_redis_waiter_t *w, ngx_sync_redis_reply_t *reply);
static ngx_sync_result_e ngx_sync_redis_extend_parse(ngx_sync_op_t *op,
    ngx_sync_redis_waiter_t *w, ngx_sync_redis_reply_t *reply);
static ngx_sync_result_e ngx_sync_redis_settle_parse(ngx_sync_op_t *op,
    ngx_sync_redis_waiter_t *w, ngx_sync_redis_reply_t *reply);
static ngx_sync_result_e ngx_sync_redis_release_parse(ngx_sync_op_t *op,
    ngx_sync_redis_waiter_t *w, ngx_sync_redis_reply_t *reply);
static ngx_sync_result_e ngx_sync_redis_resolve_parse(ngx_sync_op_t *op,
    ngx_sync_redis_waiter_t *w, ngx_sync_redis_reply_t *reply);
static ngx_sync_result_e ngx_sync_redis_look_parse(ngx_sync_op_t *op,
    ngx_sync_redis_waiter_t *w, ngx_sync_redis_reply_t *reply);
static ngx_int_t ngx_sync_redis_said(ngx_sync_op_t *op,
    ngx_sync_redis_reply_t *reply, ngx_sync_redis_said_t *said);
static int64_t ngx_sync_redis_field(ngx_str_t *record, size_t at,
    size_t width);
static ngx_uint_t ngx_sync_redis_keys(ngx_sync_store_t *st,
    ngx_sync_key_t *key, ngx_sync_redis_args_t *a, ngx_str_t *tag);
static u_char *ngx_sync_redis_place(u_char *p, ngx_str_t *tenant);


ngx_int_t
ngx_sync_redis_claim(ngx_sync_store_t *st, ngx_sync_op_t *op,
    ngx_sync_claim_t *c)
{
    ngx_str_t                tag;
    uint64_t                 share;
    ngx_uint_t               nkeys;
    ngx_sync_redis_args_t    a;
    ngx_sync_redis_marks_t  *marks;

    ngx_memzero(&c->entry, sizeof(ngx_sync_entry_t));

    nkeys = ngx_sync_redis_keys(st, &c->key, &a, &tag);

    /* in a cluster each of a tenant's places has an account of its own */

    share = ngx_sync_redis_store(st)->redis.cluster ? NGX_SYNC_REDIS_BUCKETS
                                                    : 1;

    ngx_sync_redis_add(&a, c->owner, NGX_SYNC_OWNER_LEN);
    ngx_sync_redis_add(&a, c->print, NGX_SYNC_PRINT_LEN);
    ngx_sync_redis_add_number(&a, ngx_max(c->lease, 1));
    ngx_sync_redis_add_number(&a, ngx_max(c->retention, ngx_max(c->lease, 1)));
    ngx_sync_redis_add_number(&a, (c->max_keys + share - 1) / share);
    ngx_sync_redis_add_number(&a, (c->max_bytes + share - 1) / share);

    /* after a loss of data an absent key does not say that nothing was done */

    marks = &ngx_sync_redis_store(st)->marks;

    ngx_sync_redis_add_number(&a, ngx_sync_redis_marks_refuse(marks) ? 1 : 0);

    return ngx_sync_redis_run(st, op,
                              &ngx_sync_redis_scripts[NGX_SYNC_REDIS_CLAIM],
                              &tag, &a, nkeys, c, ngx_sync_redis_claim_parse,
                              1);
}


static ngx_sync_result_e
ngx_sync_redis_claim_parse(ngx_sync_op_t *op, ngx_sync_redis_waiter_t *w,
    ngx_sync_redis_reply_t *reply)
{
    ngx_sync_claim_t       *c;
    ngx_sync_redis_said_t   said;

    c = w->params;

    if (ngx_sync_redis_said(op, reply, &said) != NGX_OK) {
        return NGX_SYNC_STORE_DOWN;
    }

    if (said.said == 2) {
        return NGX_SYNC_STORE_FULL;
    }

    if (said.said == 3) {                /* in quarantine */
        return NGX_SYNC_STORE_DOWN;
    }

    if (said.owner == NULL) {
        return NGX_SYNC_STORE_DOWN;
    }

    if (ngx_memcmp(said.print, c->print, NGX_SYNC_PRINT_LEN) != 0) {
        c->entry.state = said.entry.state;
        return NGX_SYNC_STORE_MISMATCH;
    }

    c->entry = said.entry;

    switch (said.entry.state) {

    case NGX_SYNC_STATE_PROGRESS:

        if (ngx_memcmp(said.owner, c->owner, NGX_SYNC_OWNER_LEN) != 0) {
            return NGX_SYNC_STORE_BUSY;
        }

        /* it was asked before the loss was noticed, over whatever way */

        if (ngx_sync_redis_marks_refuse(&ngx_sync_redis_store(w->st)->marks)) {
            return NGX_SYNC_STORE_DOWN;
        }

        return NGX_SYNC_STORE_OK;

    case NGX_SYNC_STATE_UNKNOWN:
        return NGX_SYNC_STORE_UNKNOWN;

    case NGX_SYNC_STATE_QUEUED:
        return NGX_SYNC_STORE_QUEUED;

    default: /* C, T */
        return NGX_SYNC_STORE_DONE;
    }
}


void
ngx_sync_redis_unclaim(ngx_sync_store_t *st, ngx_sync_claim_t *c)
{
    ngx_str_t              tag;
    ngx_uint_t             nkeys;
    ngx_sync_redis_args_t  a;

    nkeys = ngx_sync_redis_keys(st, &c->key, &a, &tag);

    ngx_sync_redis_add(&a, c->owner, NGX_SYNC_OWNER_LEN);
    ngx_sync_redis_add_number(&a, 0);

    /*
     * On the claim's own connection it comes after it, on another one it comes
     * when that is lost.  A Redis that hung runs both when it goes on, however
     * late: the lease begins only then.
     */

    ngx_sync_redis_undo(st, &ngx_sync_redis_scripts[NGX_SYNC_REDIS_RELEASE],
                        &tag, &a, nkeys, ngx_max(c->lease, c->retention));
}


ngx_int_t
ngx_sync_redis_extend(ngx_sync_store_t *st, ngx_sync_op_t *op,
    ngx_sync_hold_t *h)
{
    ngx_str_t              tag;
    ngx_uint_t             nkeys;
    ngx_sync_redis_args_t  a;

    if (h->note.len > NGX_SYNC_NOTE_MAX) {
        return ngx_sync_redis_now(op, NGX_SYNC_STORE_FULL);
    }

    nkeys = ngx_sync_redis_keys(st, &h->key, &a, &tag);

    if (h->note.len) {
        ngx_sync_redis_noted(st, &a, h->lease, op->log);
    }

    ngx_sync_redis_add(&a, h->owner, NGX_SYNC_OWNER_LEN);
    ngx_sync_redis_add_number(&a, h->epoch);
    ngx_sync_redis_add_number(&a, ngx_max(h->lease, 1));
    ngx_sync_redis_add(&a, h->note.data, h->note.len);

    return ngx_sync_redis_hold(st, op, h, NGX_SYNC_REDIS_EXTEND, &a, &tag,
                               nkeys, ngx_sync_redis_extend_parse);
}


static ngx_sync_result_e
ngx_sync_redis_extend_parse(ngx_sync_op_t *op, ngx_sync_redis_waiter_t *w,
    ngx_sync_redis_reply_t *reply)
{
    ngx_sync_redis_said_t  said;

    if (ngx_sync_redis_said(op, reply, &said) != NGX_OK) {
        return NGX_SYNC_STORE_DOWN;
    }

    return said.said ? NGX_SYNC_STORE_OK : NGX_SYNC_STORE_FENCED;
}


ngx_int_t
ngx_sync_redis_settle(ngx_sync_store_t *st, ngx_sync_op_t *op,
    ngx_sync_hold_t *h)
{
    u_char                 outcome;
    ngx_str_t              tag;
    ngx_uint_t             nkeys, over;
    ngx_sync_redis_args_t  a;

    nkeys = ngx_sync_redis_keys(st, &h->key, &a, &tag);

    outcome = (u_char) h->outcome;
    over = h->record.len > NGX_SYNC_RECORD_MAX;

    ngx_sync_redis_add(&a, h->owner, NGX_SYNC_OWNER_LEN);
    ngx_sync_redis_add_number(&a, h->epoch);
    ngx_sync_redis_add(&a, &outcome, 1);
    ngx_sync_redis_add_number(&a, h->retention);
    ngx_sync_redis_add(&a, h->record.data, over ? 0 : h->record.len);
    ngx_sync_redis_add(&a, h->trimmed.data, h->trimmed.len);
    ngx_sync_redis_add_number(&a, over);

    return ngx_sync_redis_hold(st, op, h, NGX_SYNC_REDIS_SETTLE, &a, &tag,
                               nkeys, ngx_sync_redis_settle_parse);
}


static ngx_sync_result_e
ngx_sync_redis_settle_parse(ngx_sync_op_t *op, ngx_sync_redis_waiter_t *w,
    ngx_sync_redis_reply_t *reply)
{
    ngx_sync_hold_t        *h;
    ngx_sync_redis_said_t   said;

    h = w->params;

    if (ngx_sync_redis_said(op, reply, &said) != NGX_OK) {
        return NGX_SYNC_STORE_DOWN;
    }

    switch (said.said) {

    case 1:

        if (reply->n < 3 || reply->elts[2].str.len != 1) {
            return NGX_SYNC_STORE_DOWN;
        }

        h->kept = reply->elts[2].str.data[0];

        return NGX_SYNC_STORE_OK;

    case 2:
        return NGX_SYNC_STORE_FULL;

    default:
        h->entry = said.entry;
        return NGX_SYNC_STORE_FENCED;
    }
}


ngx_int_t
ngx_sync_redis_release(ngx_sync_store_t *st, ngx_sync_op_t *op,
    ngx_sync_hold_t *h)
{
    ngx_str_t              tag;
    ngx_uint_t             nkeys;
    ngx_sync_redis_args_t  a;

    nkeys = ngx_sync_redis_keys(st, &h->key, &a, &tag);

    ngx_sync_redis_add(&a, h->owner, NGX_SYNC_OWNER_LEN);
    ngx_sync_redis_add_number(&a, h->epoch);

    return ngx_sync_redis_hold(st, op, h, NGX_SYNC_REDIS_RELEASE, &a, &tag,
                               nkeys, ngx_sync_redis_release_parse);
}


static ngx_sync_result_e
ngx_sync_redis_release_parse(ngx_sync_op_t *op, ngx_sync_redis_waiter_t *w,
    ngx_sync_redis_reply_t *reply)
{
    ngx_sync_hold_t        *h;
    ngx_sync_redis_said_t   said;

    h = w->params;

    if (ngx_sync_redis_said(op, reply, &said) != NGX_OK) {
        return NGX_SYNC_STORE_DOWN;
    }

    if (said.said) {
        return NGX_SYNC_STORE_OK;
    }

    h->entry = said.entry;

    return NGX_SYNC_STORE_FENCED;
}


ngx_int_t
ngx_sync_redis_resolve_begin(ngx_sync_store_t *st, ngx_sync_op_t *op,
    ngx_sync_hold_t *h)
{
    ngx_str_t              tag;
    ngx_uint_t             nkeys;
    ngx_sync_redis_args_t  a;

    nkeys = ngx_sync_redis_keys(st, &h->key, &a, &tag);

    ngx_sync_redis_noted(st, &a, h->lease, op->log);

    ngx_sync_redis_add(&a, h->owner, NGX_SYNC_OWNER_LEN);
    ngx_sync_redis_add_number(&a, ngx_max(h->lease, 1));

    return ngx_sync_redis_hold(st, op, h, NGX_SYNC_REDIS_RESOLVE, &a, &tag,
                               nkeys, ngx_sync_redis_resolve_parse);
}


static ngx_sync_result_e
ngx_sync_redis_resolve_parse(ngx_sync_op_t *op, ngx_sync_redis_waiter_t *w,
    ngx_sync_redis_reply_t *reply)
{
    ngx_sync_hold_t        *h;
    ngx_sync_redis_said_t   said;

    h = w->params;

    if (ngx_sync_redis_said(op, reply, &said) != NGX_OK) {
        return NGX_SYNC_STORE_DOWN;
    }

    if (said.said == 2) {
        return NGX_SYNC_STORE_NO;
    }

    if (said.owner == NULL) {
        return NGX_SYNC_STORE_DOWN;
    }

    h->entry = said.entry;

    switch (said.entry.state) {

    case NGX_SYNC_STATE_PROGRESS:

        if (ngx_memcmp(said.owner, h->owner, NGX_SYNC_OWNER_LEN) != 0) {
            return NGX_SYNC_STORE_BUSY;
        }

        h->epoch = said.entry.epoch;

        return NGX_SYNC_STORE_OK;

    case NGX_SYNC_STATE_QUEUED:
        return NGX_SYNC_STORE_QUEUED;

    default: /* C, T */
        return NGX_SYNC_STORE_DONE;
    }
}


ngx_int_t
ngx_sync_redis_resolve_end(ngx_sync_store_t *st, ngx_sync_op_t *op,
    ngx_sync_hold_t *h)
{
    if (h->outcome == NGX_SYNC_STATE_NONE) {
        return ngx_sync_redis_release(st, op, h);
    }

    return ngx_sync_redis_settle(st, op, h);
}


static ngx_int_t
ngx_sync_redis_hold(ngx_sync_store_t *st, ngx_sync_op_t *op,
    ngx_sync_hold_t *h, ngx_sync_redis_script_e script,
    ngx_sync_redis_args_t *a, ngx_str_t *tag, ngx_uint_t nkeys,
    ngx_sync_redis_parse_pt parse)
{
    ngx_memzero(&h->entry, sizeof(ngx_sync_entry_t));

    /* all of them may be said twice by who says them */

    return ngx_sync_redis_run(st, op, &ngx_sync_redis_scripts[script], tag, a,
                              nkeys, h, parse, 1);
}


ngx_int_t
ngx_sync_redis_look_at(ngx_sync_store_t *st, ngx_sync_op_t *op,
    ngx_sync_look_t *l)
{
    ngx_str_t              tag;
    ngx_uint_t             nkeys;
    ngx_sync_redis_args_t  a;

    ngx_memzero(&l->entry, sizeof(ngx_sync_entry_t));

    nkeys = ngx_sync_redis_keys(st, &l->key, &a, &tag);

    return ngx_sync_redis_run(st, op,
                              &ngx_sync_redis_scripts[NGX_SYNC_REDIS_LOOK],
                              &tag, &a, nkeys, l, ngx_sync_redis_look_parse,
                              1);
}


static ngx_sync_result_e
ngx_sync_redis_look_parse(ngx_sync_op_t *op, ngx_sync_redis_waiter_t *w,
    ngx_sync_redis_reply_t *reply)
{
    ngx_sync_look_t        *l;
    ngx_sync_redis_said_t   said;

    l = w->params;

    if (ngx_sync_redis_said(op, reply, &said) != NGX_OK) {
        return NGX_SYNC_STORE_DOWN;
    }

    l->entry = said.entry;

    return said.owner ? NGX_SYNC_STORE_OK : NGX_SYNC_STORE_NO;
}


/* The record is copied to the pool of the operation; P is U past its lease. */

static ngx_int_t
ngx_sync_redis_said(ngx_sync_op_t *op, ngx_sync_redis_reply_t *reply,
    ngx_sync_redis_said_t *said)
{
    size_t             len, note;
    u_char            *p;
    ngx_str_t         *record;
    ngx_sync_entry_t  *e;

    ngx_memzero(said, sizeof(ngx_sync_redis_said_t));

    if (reply->type != NGX_SYNC_REDIS_ARRAY
        || reply->n < 2
        || reply->elts[0].type != NGX_SYNC_REDIS_INTEGER
        || reply->elts[1].type != NGX_SYNC_REDIS_INTEGER)
    {
        return NGX_ERROR;
    }

    said->now = reply->elts[0].integer;
    said->said = reply->elts[1].integer;

    if (reply->n < 3 || reply->elts[2].str.len < NGX_SYNC_REDIS_HEADER) {
        return NGX_OK;
    }

    record = &reply->elts[2].str;
    e = &said->entry;

    said->owner = record->data + NGX_SYNC_REDIS_OWNER;
    said->print = record->data + NGX_SYNC_REDIS_PRINT;

    e->state = record->data[1];
    e->epoch = ngx_sync_redis_field(record, NGX_SYNC_REDIS_EPOCH);
    e->created = ngx_sync_redis_field(record, NGX_SYNC_REDIS_CREATED);
    e->changed = ngx_sync_redis_field(record, NGX_SYNC_REDIS_CHANGED);
    e->until = ngx_sync_redis_field(record, NGX_SYNC_REDIS_UNTIL);
    e->expires = ngx_sync_redis_field(record, NGX_SYNC_REDIS_EXPIRES);

    if (e->state == NGX_SYNC_STATE_PROGRESS && e->until <= said->now) {
        e->state = NGX_SYNC_STATE_UNKNOWN;
        e->changed = e->until;
    }

    len = record->len - NGX_SYNC_REDIS_HEADER;
    note = ngx_sync_redis_field(record, NGX_SYNC_REDIS_NOTE);

    if (note > len) {
        return NGX_ERROR;
    }

    if (len == 0) {
        return NGX_OK;
    }

    p = ngx_pnalloc(op->pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(p, record->data + NGX_SYNC_REDIS_HEADER, len);

    e->note.data = p;
    e->note.len = note;
    e->record.data = p + note;
    e->record.len = len - note;

    return NGX_OK;
}


static int64_t
ngx_sync_redis_field(ngx_str_t *record, size_t at, size_t width)
{
    u_char   *p, *last;
    int64_t   n;

    n = 0;
    p = record->data + at;
    last = p + width;

    while (p < last) {
        n = n * 10 + (*p++ - '0');
    }

    return n;
}


/* KEYS of a record's scripts; tag: the part of them that decides the slot. */

static ngx_uint_t
ngx_sync_redis_keys(ngx_sync_store_t *st, ngx_sync_key_t *key,
    ngx_sync_redis_args_t *a, ngx_str_t *tag)
{
    size_t       len, account;
    u_char      *p, *start;
    ngx_uint_t   cluster;

    cluster = ngx_sync_redis_store(st)->redis.cluster;

    ngx_sync_redis_args_init(a);

    start = a->p;

    p = ngx_cpymem(start, "sync:{", 6);
    p = ngx_sync_redis_place(p, &key->tenant);
    account = p - start;

    p = ngx_sprintf(p, ":%ui}", key->bucket % NGX_SYNC_REDIS_BUCKETS);
    len = p - start;

    *tag = ngx_sync_redis_tag(start + 6, len - 7);

    *p++ = 'r';
    *p++ = ':';
    p = ngx_hex_dump(p, key->name, NGX_SYNC_NAME_LEN);
    ngx_sync_redis_add(a, start, p - start);

    a->p = ngx_cpymem(p, start, len);
    a->p = ngx_cpymem(a->p, "due", 3);
    ngx_sync_redis_add(a, p, a->p - p);

    /* on one server a tenant has one account, whatever it spreads over */

    p = a->p;
    a->p = ngx_cpymem(p, start, cluster ? len - 1 : account);
    a->p = ngx_cpymem(a->p, "}keys", 5);
    ngx_sync_redis_add(a, p, a->p - p);

    p = a->p;
    a->p = ngx_cpymem(p, start, cluster ? len - 1 : account);
    a->p = ngx_cpymem(a->p, "}bytes", 6);
    ngx_sync_redis_add(a, p, a->p - p);

    if (key->has_previous) {
        p = a->p;
        a->p = ngx_cpymem(p, start, len);
        *a->p++ = 'r';
        *a->p++ = ':';
        a->p = ngx_hex_dump(a->p, key->previous, NGX_SYNC_NAME_LEN);
        ngx_sync_redis_add(a, p, a->p - p);
    }

    return a->n;
}


static u_char *
ngx_sync_redis_place(u_char *p, ngx_str_t *tenant)
{
    u_char  digest[SYNC_SHA256_LEN];

    if (tenant->len <= NGX_SYNC_REDIS_KEY_MAX) {
        return ngx_cpymem(p, tenant->data, tenant->len);
    }

    sync_sha256(tenant->data, tenant->len, digest);

    *p++ = '#';

    return ngx_hex_dump(p, digest, SYNC_SHA256_LEN);
}
