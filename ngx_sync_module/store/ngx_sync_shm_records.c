
/*
 * Records of idempotency.  A record is one block: what is known of the key,
 * the note of its owner and, where it is short, the kept answer; a long one is
 * the block's body.  So a claim already holds all that settling it as T takes.
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_sync_shm.h"


typedef struct {
    uint64_t             epoch;
    int64_t              created;      /* ms of the zones' clock */
    int64_t              changed;
    int64_t              until;
    int64_t              expires;
    uint64_t             max_bytes;    /* of the tenant, when it claimed */
    uint32_t             account;      /* block */
    uint32_t             state;
    uint32_t             note_len;
    uint32_t             len;          /* of the answer, where it is short */
    u_char               owner[NGX_SYNC_OWNER_LEN];
    u_char               print[NGX_SYNC_PRINT_LEN];
    u_char               data[8];      /* to the end: note, short answer */
} ngx_sync_shm_record_t;


typedef struct {
    uint64_t             bytes;        /* of notes and answers */
    uint32_t             keys;
} ngx_sync_shm_account_t;


typedef struct {
    ngx_sync_blocks_key_t   name;
    ngx_sync_blocks_key_t   previous;
    ngx_uint_t              n;
} ngx_sync_shm_names_t;


typedef ngx_sync_result_e (*ngx_sync_shm_hold_pt)(ngx_sync_blocks_t *b,
    ngx_sync_hold_t *h, ngx_sync_block_t *block, int64_t now,
    ngx_sync_shm_out_t *out);


static ngx_int_t ngx_sync_shm_hold(ngx_sync_store_t *st, ngx_sync_op_t *op,
    ngx_sync_hold_t *h, ngx_sync_shm_hold_pt run);
static ngx_sync_result_e ngx_sync_shm_claim_locked(ngx_sync_blocks_t *b,
    ngx_sync_claim_t *c, ngx_sync_shm_names_t *names,
    ngx_sync_blocks_key_t *tenant, int64_t now, ngx_sync_shm_out_t *out);
static ngx_sync_result_e ngx_sync_shm_claim_new(ngx_sync_blocks_t *b,
    ngx_sync_claim_t *c, ngx_sync_blocks_key_t *name,
    ngx_sync_blocks_key_t *tenant, int64_t now);
static ngx_sync_result_e ngx_sync_shm_extend_locked(ngx_sync_blocks_t *b,
    ngx_sync_hold_t *h, ngx_sync_block_t *block, int64_t now,
    ngx_sync_shm_out_t *out);
static ngx_sync_result_e ngx_sync_shm_settle_locked(ngx_sync_blocks_t *b,
    ngx_sync_hold_t *h, ngx_sync_block_t *block, int64_t now,
    ngx_sync_shm_out_t *out);
static ngx_sync_result_e ngx_sync_shm_release_locked(ngx_sync_blocks_t *b,
    ngx_sync_hold_t *h, ngx_sync_block_t *block, int64_t now,
    ngx_sync_shm_out_t *out);
static ngx_sync_result_e ngx_sync_shm_resolve_locked(ngx_sync_blocks_t *b,
    ngx_sync_hold_t *h, ngx_sync_block_t *block, int64_t now,
    ngx_sync_shm_out_t *out);
static ngx_sync_result_e ngx_sync_shm_settle_record(ngx_sync_blocks_t *b,
    ngx_sync_hold_t *h, ngx_sync_block_t *block, int64_t now);
static ngx_uint_t ngx_sync_shm_settle_body(ngx_sync_blocks_t *b,
    ngx_sync_block_t *block, ngx_str_t *answer, int64_t now, uint32_t *body);

static ngx_uint_t ngx_sync_shm_is_owner(ngx_sync_hold_t *h,
    ngx_sync_shm_record_t *r);
static void ngx_sync_shm_names(ngx_sync_blocks_t *b, ngx_sync_key_t *key,
    ngx_sync_shm_names_t *names);
static ngx_sync_block_t *ngx_sync_shm_record_find(ngx_sync_blocks_t *b,
    ngx_sync_shm_names_t *names, int64_t now);
static void ngx_sync_shm_record_unknown(ngx_sync_blocks_t *b,
    ngx_sync_block_t *block, int64_t now);
static void ngx_sync_shm_record_drop(ngx_sync_blocks_t *b,
    ngx_sync_block_t *block);
static void ngx_sync_shm_record_show(ngx_sync_blocks_t *b,
    ngx_sync_block_t *block, ngx_sync_entry_t *entry, ngx_sync_shm_out_t *out);
static ngx_int_t ngx_sync_shm_entry_keep(ngx_sync_shm_out_t *out,
    ngx_pool_t *pool, ngx_sync_entry_t *entry);


#define ngx_sync_shm_short(b)                                                 \
    ((b)->block_size - sizeof(ngx_sync_block_t) - (b)->key_size               \
     - offsetof(ngx_sync_shm_record_t, data))


void
ngx_sync_shm_records_due(ngx_sync_blocks_t *b, ngx_sync_block_t *block,
    int64_t now, void *data)
{
    ngx_sync_due_t         *d = data;
    ngx_sync_shm_record_t  *r;

    r = ngx_sync_block_data(b, block);

    if (r->expires <= now) {
        ngx_sync_shm_record_drop(b, block);

        if (d) {
            d->expired++;
        }

        return;
    }

    if (r->state == NGX_SYNC_STATE_PROGRESS && r->until <= now) {
        ngx_sync_shm_record_unknown(b, block, now);

        if (d) {
            d->unknown++;
        }

        return;
    }

    ngx_sync_blocks_due(b, block, r->state == NGX_SYNC_STATE_PROGRESS
                                  ? r->until : r->expires);
}


void
ngx_sync_shm_records_rebuilt(ngx_sync_blocks_t *b)
{
    uint32_t                 i;
    ngx_sync_block_t        *block;
    ngx_sync_shm_record_t   *r;
    ngx_sync_shm_account_t  *account;

    for (i = 0; i < b->sh->fresh; i++) {
        block = ngx_sync_block(b, i);

        if (block->kind == NGX_SYNC_SHM_ACCOUNT) {
            account = ngx_sync_block_data(b, block);
            account->keys = 0;
            account->bytes = 0;
        }
    }

    for (i = 0; i < b->sh->fresh; i++) {
        block = ngx_sync_block(b, i);

        if (block->kind == NGX_SYNC_SHM_RECORD) {
            r = ngx_sync_block_data(b, block);

            account = ngx_sync_block_data(b, ngx_sync_block(b, r->account));
            account->keys++;
            account->bytes += r->note_len + r->len + block->len;

            b->sh->epoch = ngx_max(b->sh->epoch, r->epoch);
        }
    }

    for (i = 0; i < b->sh->fresh; i++) {
        block = ngx_sync_block(b, i);

        if (block->kind == NGX_SYNC_SHM_ACCOUNT) {
            account = ngx_sync_block_data(b, block);

            if (account->keys == 0) {
                ngx_sync_blocks_drop(b, block);
            }
        }
    }
}


/* Its answer is gone, so nobody knows. */

void
ngx_sync_shm_records_torn(ngx_sync_blocks_t *b, ngx_sync_block_t *block)
{
    ngx_sync_shm_record_t  *r;

    if (block->kind == NGX_SYNC_SHM_RECORD) {
        r = ngx_sync_block_data(b, block);
        r->state = NGX_SYNC_STATE_UNKNOWN;
    }
}


ngx_int_t
ngx_sync_shm_claim(ngx_sync_store_t *st, ngx_sync_op_t *op,
    ngx_sync_claim_t *c)
{
    ngx_int_t               rc;
    ngx_sync_blocks_t      *b;
    ngx_sync_result_e       result;
    ngx_sync_shm_out_t      out;
    ngx_sync_shm_names_t    names;
    ngx_sync_blocks_key_t   tenant;

    b = ngx_sync_shm_zone(st, NGX_SYNC_ZONE_RECORDS);

    if (b == NULL) {
        return ngx_sync_shm_answer(op, NGX_SYNC_STORE_DOWN);
    }

    ngx_sync_shm_names(b, &c->key, &names);
    ngx_sync_blocks_key(b, NGX_SYNC_SHM_ACCOUNT, &c->key.tenant, &tenant);

    ngx_sync_shm_out_init(&out);

    do {
        ngx_memzero(&c->entry, sizeof(ngx_sync_entry_t));

        ngx_sync_blocks_lock(b, op->log);

        result = ngx_sync_shm_claim_locked(b, c, &names, &tenant,
                                      ngx_sync_blocks_clock() / 1000, &out);
        ngx_sync_blocks_unlock(b);

        rc = ngx_sync_shm_out_again(&out, op->pool);

    } while (rc == NGX_AGAIN);

    if (rc != NGX_OK
        || ngx_sync_shm_entry_keep(&out, op->pool, &c->entry) != NGX_OK)
    {
        return ngx_sync_shm_answer(op, NGX_SYNC_STORE_DOWN);
    }

    return ngx_sync_shm_answer(op, result);
}


static ngx_sync_result_e
ngx_sync_shm_claim_locked(ngx_sync_blocks_t *b, ngx_sync_claim_t *c,
    ngx_sync_shm_names_t *names, ngx_sync_blocks_key_t *tenant, int64_t now,
    ngx_sync_shm_out_t *out)
{
    ngx_sync_block_t       *block;
    ngx_sync_result_e       result;
    ngx_sync_shm_record_t  *r;

    block = ngx_sync_shm_record_find(b, names, now);

    if (block == NULL) {
        result = ngx_sync_shm_claim_new(b, c, &names->name, tenant, now);

        if (result != NGX_SYNC_STORE_OK) {
            return result;
        }

        block = ngx_sync_blocks_find(b, NGX_SYNC_SHM_RECORD, &names->name);
        ngx_sync_shm_record_show(b, block, &c->entry, out);

        return NGX_SYNC_STORE_OK;
    }

    r = ngx_sync_block_data(b, block);

    if (ngx_memcmp(r->print, c->print, NGX_SYNC_PRINT_LEN) != 0) {
        c->entry.state = r->state;
        return NGX_SYNC_STORE_MISMATCH;
    }

    ngx_sync_shm_record_show(b, block, &c->entry, out);

    switch (r->state) {

    case NGX_SYNC_STATE_PROGRESS:

        if (ngx_memcmp(r->owner, c->owner, NGX_SYNC_OWNER_LEN) == 0) {
            return NGX_SYNC_STORE_OK;
        }

        return NGX_SYNC_STORE_BUSY;

    case NGX_SYNC_STATE_UNKNOWN:
        return NGX_SYNC_STORE_UNKNOWN;

    case NGX_SYNC_STATE_QUEUED:
        return NGX_SYNC_STORE_QUEUED;

    default: /* C, T */
        return NGX_SYNC_STORE_DONE;
    }
}


static ngx_sync_result_e
ngx_sync_shm_claim_new(ngx_sync_blocks_t *b, ngx_sync_claim_t *c,
    ngx_sync_blocks_key_t *name, ngx_sync_blocks_key_t *tenant, int64_t now)
{
    uint32_t                 n, capped;
    ngx_sync_block_t        *block, *ablock;
    ngx_sync_shm_record_t   *r;
    ngx_sync_shm_account_t  *account;

    /* the second time around what is over has made room */

    for (n = 0; n < 2; n++) {

        if (n) {
            (void) ngx_sync_blocks_sweep(b, now, NGX_SYNC_SHM_SLICE, NULL);
        }

        ablock = ngx_sync_blocks_find(b, NGX_SYNC_SHM_ACCOUNT, tenant);

        capped = 0;

        if (b->sh->nfree < (ablock ? 1 : 2)) {
            continue;
        }

        if (ablock) {
            capped = 1;
            account = ngx_sync_block_data(b, ablock);

            if (c->max_keys && account->keys >= c->max_keys) {
                continue;
            }

            if (c->max_bytes && account->bytes >= c->max_bytes) {
                continue;
            }
        }

        break;
    }

    if (n == 2) {

        if (!capped) {
            b->sh->refused++;
        }

        return NGX_SYNC_STORE_FULL;
    }

    if (ablock == NULL) {
        ablock = ngx_sync_blocks_new(b, tenant);
        ngx_sync_blocks_link(b, ablock, NGX_SYNC_SHM_ACCOUNT,
                             NGX_SYNC_DUE_NEVER);
    }

    account = ngx_sync_block_data(b, ablock);

    block = ngx_sync_blocks_new(b, name);

    r = ngx_sync_block_data(b, block);
    r->state = NGX_SYNC_STATE_PROGRESS;
    r->epoch = ++b->sh->epoch;
    r->created = now;
    r->changed = now;
    r->until = now + (int64_t) c->lease;
    r->expires = now + (int64_t) ngx_max(c->retention, c->lease);
    r->max_bytes = c->max_bytes;
    r->account = ngx_sync_block_index(b, ablock);

    ngx_memcpy(r->owner, c->owner, NGX_SYNC_OWNER_LEN);
    ngx_memcpy(r->print, c->print, NGX_SYNC_PRINT_LEN);

    ngx_sync_blocks_link(b, block, NGX_SYNC_SHM_RECORD, r->until);
    account->keys++;

    return NGX_SYNC_STORE_OK;
}


ngx_int_t
ngx_sync_shm_extend(ngx_sync_store_t *st, ngx_sync_op_t *op,
    ngx_sync_hold_t *h)
{
    return ngx_sync_shm_hold(st, op, h, ngx_sync_shm_extend_locked);
}


ngx_int_t
ngx_sync_shm_settle(ngx_sync_store_t *st, ngx_sync_op_t *op,
    ngx_sync_hold_t *h)
{
    return ngx_sync_shm_hold(st, op, h, ngx_sync_shm_settle_locked);
}


ngx_int_t
ngx_sync_shm_release(ngx_sync_store_t *st, ngx_sync_op_t *op,
    ngx_sync_hold_t *h)
{
    return ngx_sync_shm_hold(st, op, h, ngx_sync_shm_release_locked);
}


ngx_int_t
ngx_sync_shm_resolve_begin(ngx_sync_store_t *st, ngx_sync_op_t *op,
    ngx_sync_hold_t *h)
{
    return ngx_sync_shm_hold(st, op, h, ngx_sync_shm_resolve_locked);
}


ngx_int_t
ngx_sync_shm_resolve_end(ngx_sync_store_t *st, ngx_sync_op_t *op,
    ngx_sync_hold_t *h)
{
    return ngx_sync_shm_hold(st, op, h, h->outcome == NGX_SYNC_STATE_NONE
                                        ? ngx_sync_shm_release_locked
                                        : ngx_sync_shm_settle_locked);
}


static ngx_int_t
ngx_sync_shm_hold(ngx_sync_store_t *st, ngx_sync_op_t *op, ngx_sync_hold_t *h,
    ngx_sync_shm_hold_pt run)
{
    int64_t                now;
    ngx_int_t              rc;
    ngx_sync_block_t      *block;
    ngx_sync_blocks_t     *b;
    ngx_sync_result_e      result;
    ngx_sync_shm_out_t     out;
    ngx_sync_shm_names_t   names;

    b = ngx_sync_shm_zone(st, NGX_SYNC_ZONE_RECORDS);

    if (b == NULL) {
        return ngx_sync_shm_answer(op, NGX_SYNC_STORE_DOWN);
    }

    ngx_sync_shm_names(b, &h->key, &names);
    ngx_sync_shm_out_init(&out);

    do {
        ngx_memzero(&h->entry, sizeof(ngx_sync_entry_t));

        ngx_sync_blocks_lock(b, op->log);

        now = ngx_sync_blocks_clock() / 1000;
        block = ngx_sync_shm_record_find(b, &names, now);
        result = run(b, h, block, now, &out);

        ngx_sync_blocks_unlock(b);

        rc = ngx_sync_shm_out_again(&out, op->pool);

    } while (rc == NGX_AGAIN);

    if (rc != NGX_OK
        || ngx_sync_shm_entry_keep(&out, op->pool, &h->entry) != NGX_OK)
    {
        return ngx_sync_shm_answer(op, NGX_SYNC_STORE_DOWN);
    }

    return ngx_sync_shm_answer(op, result);
}


static ngx_sync_result_e
ngx_sync_shm_extend_locked(ngx_sync_blocks_t *b, ngx_sync_hold_t *h,
    ngx_sync_block_t *block, int64_t now, ngx_sync_shm_out_t *out)
{
    ngx_sync_shm_record_t   *r;
    ngx_sync_shm_account_t  *account;

    if (block == NULL) {
        return NGX_SYNC_STORE_FENCED;
    }

    r = ngx_sync_block_data(b, block);

    if (r->state != NGX_SYNC_STATE_PROGRESS || !ngx_sync_shm_is_owner(h, r)) {
        return NGX_SYNC_STORE_FENCED;
    }

    if (h->note.len > NGX_SYNC_NOTE_MAX
        || h->note.len + r->len > ngx_sync_shm_short(b))
    {
        return NGX_SYNC_STORE_FULL;
    }

    ngx_sync_blocks_change(b, block);

    r->until = now + (int64_t) h->lease;
    r->expires = ngx_max(r->expires, r->until);

    account = ngx_sync_block_data(b, ngx_sync_block(b, r->account));

    if (h->note.len) {
        account->bytes += h->note.len;
        account->bytes -= r->note_len;

        ngx_memmove(r->data + h->note.len, r->data + r->note_len, r->len);
        ngx_memcpy(r->data, h->note.data, h->note.len);
        r->note_len = h->note.len;
    }

    ngx_sync_blocks_due(b, block, r->until);

    ngx_sync_blocks_done(b);

    return NGX_SYNC_STORE_OK;
}


static ngx_sync_result_e
ngx_sync_shm_settle_locked(ngx_sync_blocks_t *b, ngx_sync_hold_t *h,
    ngx_sync_block_t *block, int64_t now, ngx_sync_shm_out_t *out)
{
    ngx_sync_shm_record_t  *r;

    if (block == NULL) {
        return NGX_SYNC_STORE_FENCED;
    }

    r = ngx_sync_block_data(b, block);

    if (!ngx_sync_shm_is_owner(h, r)) {
        ngx_sync_shm_record_show(b, block, &h->entry, out);
        return NGX_SYNC_STORE_FENCED;
    }

    if (r->state == NGX_SYNC_STATE_PROGRESS
        || r->state == NGX_SYNC_STATE_UNKNOWN)
    {
        return ngx_sync_shm_settle_record(b, h, block, now);
    }

    /* said again */

    h->kept = r->state;

    return NGX_SYNC_STORE_OK;
}


static ngx_sync_result_e
ngx_sync_shm_settle_record(ngx_sync_blocks_t *b, ngx_sync_hold_t *h,
    ngx_sync_block_t *block, int64_t now)
{
    size_t                   note_len;
    uint32_t                 body, former;
    ngx_str_t               *answer;
    ngx_sync_state_e         state;
    ngx_sync_shm_record_t   *r;
    ngx_sync_shm_account_t  *account;

    r = ngx_sync_block_data(b, block);

    state = h->outcome;
    note_len = r->note_len;
    answer = &h->record;

    if (state == NGX_SYNC_STATE_TRIMMED && h->trimmed.len) {
        answer = &h->trimmed;
    }

    if (!ngx_sync_shm_settle_body(b, block, answer, now, &body)) {

        if (state == NGX_SYNC_STATE_QUEUED) {
            return NGX_SYNC_STORE_FULL;
        }

        if (state == NGX_SYNC_STATE_COMPLETE) {
            state = NGX_SYNC_STATE_TRIMMED;
        }

        answer = &h->trimmed;

        if (note_len + answer->len > ngx_sync_shm_short(b)
            && !ngx_sync_shm_settle_body(b, block, answer, now, &body)
            && state == NGX_SYNC_STATE_TRIMMED)
        {
            /* how to resolve it is of no more use */

            note_len = 0;
        }
    }

    account = ngx_sync_block_data(b, ngx_sync_block(b, r->account));
    account->bytes -= r->note_len + r->len + block->len;

    ngx_sync_blocks_change(b, block);

    former = block->body;

    block->body = body;
    block->len = 0;

    r->note_len = note_len;
    r->len = 0;

    if (body != NGX_SYNC_NO_BLOCK) {
        block->len = answer->len;

    } else if (note_len + answer->len <= ngx_sync_shm_short(b)) {
        ngx_memcpy(r->data + note_len, answer->data, answer->len);
        r->len = answer->len;
    }

    r->state = state;
    r->changed = now;

    if (h->retention) {
        r->expires = now + (int64_t) h->retention;
    }

    ngx_sync_blocks_due(b, block, r->expires);

    ngx_sync_blocks_done(b);

    account->bytes += r->note_len + r->len + block->len;

    ngx_sync_blocks_free(b, former);

    h->kept = state;

    return NGX_SYNC_STORE_OK;
}


/* Whether the answer fits; *body: what it was written to, if it is long. */

static ngx_uint_t
ngx_sync_shm_settle_body(ngx_sync_blocks_t *b, ngx_sync_block_t *block,
    ngx_str_t *answer, int64_t now, uint32_t *body)
{
    size_t                   bytes;
    ngx_sync_shm_record_t   *r;
    ngx_sync_shm_account_t  *account;

    *body = NGX_SYNC_NO_BLOCK;

    if (answer->len > NGX_SYNC_RECORD_MAX) {
        return 0;
    }

    r = ngx_sync_block_data(b, block);

    if (r->max_bytes) {
        account = ngx_sync_block_data(b, ngx_sync_block(b, r->account));

        bytes = account->bytes - r->len - block->len + answer->len;

        if (bytes > r->max_bytes) {
            return 0;
        }
    }

    if (r->note_len + answer->len <= ngx_sync_shm_short(b)) {
        return 1;
    }

    *body = ngx_sync_blocks_write(b, answer);

    return *body != NGX_SYNC_NO_BLOCK;
}


static ngx_sync_result_e
ngx_sync_shm_release_locked(ngx_sync_blocks_t *b, ngx_sync_hold_t *h,
    ngx_sync_block_t *block, int64_t now, ngx_sync_shm_out_t *out)
{
    ngx_sync_shm_record_t  *r;

    if (block == NULL) {
        return NGX_SYNC_STORE_OK;
    }

    r = ngx_sync_block_data(b, block);

    if ((r->state == NGX_SYNC_STATE_PROGRESS
         || r->state == NGX_SYNC_STATE_UNKNOWN)
        && ngx_memcmp(r->owner, h->owner, NGX_SYNC_OWNER_LEN) == 0
        && (h->epoch == 0 || h->epoch == r->epoch))
    {
        ngx_sync_shm_record_drop(b, block);
        return NGX_SYNC_STORE_OK;
    }

    ngx_sync_shm_record_show(b, block, &h->entry, out);

    return NGX_SYNC_STORE_FENCED;
}


static ngx_sync_result_e
ngx_sync_shm_resolve_locked(ngx_sync_blocks_t *b, ngx_sync_hold_t *h,
    ngx_sync_block_t *block, int64_t now, ngx_sync_shm_out_t *out)
{
    ngx_sync_result_e       result;
    ngx_sync_shm_record_t  *r;

    if (block == NULL) {
        return NGX_SYNC_STORE_NO;
    }

    r = ngx_sync_block_data(b, block);

    switch (r->state) {

    case NGX_SYNC_STATE_PROGRESS:

        result = ngx_memcmp(r->owner, h->owner, NGX_SYNC_OWNER_LEN) == 0
                 ? NGX_SYNC_STORE_OK : NGX_SYNC_STORE_BUSY;
        break;

    case NGX_SYNC_STATE_UNKNOWN:

        ngx_sync_blocks_change(b, block);

        ngx_memcpy(r->owner, h->owner, NGX_SYNC_OWNER_LEN);

        r->epoch = ++b->sh->epoch;
        r->state = NGX_SYNC_STATE_PROGRESS;
        r->changed = now;
        r->until = now + (int64_t) h->lease;
        r->expires = ngx_max(r->expires, r->until);

        ngx_sync_blocks_due(b, block, r->until);

        ngx_sync_blocks_done(b);

        result = NGX_SYNC_STORE_OK;
        break;

    case NGX_SYNC_STATE_QUEUED:
        result = NGX_SYNC_STORE_QUEUED;
        break;

    default: /* C, T */
        result = NGX_SYNC_STORE_DONE;
        break;
    }

    ngx_sync_shm_record_show(b, block, &h->entry, out);

    if (result == NGX_SYNC_STORE_OK) {
        h->epoch = r->epoch;
    }

    return result;
}


ngx_int_t
ngx_sync_shm_look(ngx_sync_store_t *st, ngx_sync_op_t *op, ngx_sync_look_t *l)
{
    ngx_int_t              rc;
    ngx_sync_block_t      *block;
    ngx_sync_blocks_t     *b;
    ngx_sync_shm_out_t     out;
    ngx_sync_shm_names_t   names;

    b = ngx_sync_shm_zone(st, NGX_SYNC_ZONE_RECORDS);

    if (b == NULL) {
        return ngx_sync_shm_answer(op, NGX_SYNC_STORE_DOWN);
    }

    ngx_sync_shm_names(b, &l->key, &names);
    ngx_sync_shm_out_init(&out);

    do {
        ngx_memzero(&l->entry, sizeof(ngx_sync_entry_t));

        ngx_sync_blocks_lock(b, op->log);

        block = ngx_sync_shm_record_find(b, &names,
                                         ngx_sync_blocks_clock() / 1000);
        if (block) {
            ngx_sync_shm_record_show(b, block, &l->entry, &out);
        }

        ngx_sync_blocks_unlock(b);

        rc = ngx_sync_shm_out_again(&out, op->pool);

    } while (rc == NGX_AGAIN);

    if (rc != NGX_OK
        || ngx_sync_shm_entry_keep(&out, op->pool, &l->entry) != NGX_OK)
    {
        return ngx_sync_shm_answer(op, NGX_SYNC_STORE_DOWN);
    }

    return ngx_sync_shm_answer(op, block ? NGX_SYNC_STORE_OK
                                         : NGX_SYNC_STORE_NO);
}


ngx_int_t
ngx_sync_shm_due(ngx_sync_store_t *st, ngx_sync_op_t *op, ngx_sync_due_t *d)
{
    ngx_sync_blocks_t  *b;

    b = ngx_sync_shm_zone(st, NGX_SYNC_ZONE_RECORDS);

    if (b == NULL) {
        return ngx_sync_shm_answer(op, NGX_SYNC_STORE_DOWN);
    }

    d->unknown = 0;
    d->expired = 0;

    ngx_sync_blocks_lock(b, op->log);

    d->more = ngx_sync_blocks_sweep(b, ngx_sync_blocks_clock() / 1000, d->n,
                                    d);
    ngx_sync_blocks_unlock(b);

    return ngx_sync_shm_answer(op, NGX_SYNC_STORE_OK);
}


static ngx_uint_t
ngx_sync_shm_is_owner(ngx_sync_hold_t *h, ngx_sync_shm_record_t *r)
{
    return r->epoch == h->epoch
           && ngx_memcmp(r->owner, h->owner, NGX_SYNC_OWNER_LEN) == 0;
}


static void
ngx_sync_shm_names(ngx_sync_blocks_t *b, ngx_sync_key_t *key,
    ngx_sync_shm_names_t *names)
{
    ngx_str_t  name;

    name.data = key->name;
    name.len = NGX_SYNC_NAME_LEN;

    ngx_sync_blocks_key(b, NGX_SYNC_SHM_RECORD, &name, &names->name);
    names->n = 1;

    if (key->has_previous) {
        name.data = key->previous;

        ngx_sync_blocks_key(b, NGX_SYNC_SHM_RECORD, &name, &names->previous);
        names->n = 2;
    }
}


/* The record as it stands now: not past its retention, P only in its lease. */

static ngx_sync_block_t *
ngx_sync_shm_record_find(ngx_sync_blocks_t *b, ngx_sync_shm_names_t *names,
    int64_t now)
{
    ngx_sync_block_t       *block;
    ngx_sync_shm_record_t  *r;

    block = ngx_sync_blocks_find(b, NGX_SYNC_SHM_RECORD, &names->name);

    if (block == NULL && names->n == 2) {
        block = ngx_sync_blocks_find(b, NGX_SYNC_SHM_RECORD,
                                     &names->previous);
    }

    if (block == NULL) {
        return NULL;
    }

    r = ngx_sync_block_data(b, block);

    if (r->expires <= now) {
        ngx_sync_shm_record_drop(b, block);
        return NULL;
    }

    if (r->state == NGX_SYNC_STATE_PROGRESS && r->until <= now) {
        ngx_sync_shm_record_unknown(b, block, now);
    }

    return block;
}


static void
ngx_sync_shm_record_unknown(ngx_sync_blocks_t *b, ngx_sync_block_t *block,
    int64_t now)
{
    ngx_sync_shm_record_t  *r;

    r = ngx_sync_block_data(b, block);

    ngx_sync_blocks_change(b, block);

    r->state = NGX_SYNC_STATE_UNKNOWN;
    r->changed = now;

    ngx_sync_blocks_due(b, block, r->expires);

    ngx_sync_blocks_done(b);
}


static void
ngx_sync_shm_record_drop(ngx_sync_blocks_t *b, ngx_sync_block_t *block)
{
    ngx_sync_block_t        *ablock;
    ngx_sync_shm_record_t   *r;
    ngx_sync_shm_account_t  *account;

    r = ngx_sync_block_data(b, block);

    ablock = ngx_sync_block(b, r->account);
    account = ngx_sync_block_data(b, ablock);

    account->bytes -= r->note_len + r->len + block->len;
    account->keys--;

    ngx_sync_blocks_drop(b, block);

    if (account->keys == 0) {
        ngx_sync_blocks_drop(b, ablock);
    }
}


/* Inside, times are of a clock that is never set; outside, of the wall. */

static void
ngx_sync_shm_record_show(ngx_sync_blocks_t *b, ngx_sync_block_t *block,
    ngx_sync_entry_t *entry, ngx_sync_shm_out_t *out)
{
    int64_t                 wall;
    struct timespec         ts;
    ngx_sync_shm_record_t  *r;

    r = ngx_sync_block_data(b, block);

    (void) clock_gettime(CLOCK_REALTIME, &ts);

    wall = (int64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000
           - ngx_sync_blocks_clock() / 1000;

    entry->state = r->state;
    entry->epoch = r->epoch;
    entry->created = wall + r->created;
    entry->changed = wall + r->changed;
    entry->until = wall + r->until;
    entry->expires = wall + r->expires;

    out->need = r->note_len + r->len + block->len;

    if (out->need > out->size) {
        return;
    }

    entry->note.data = out->data;
    entry->note.len = r->note_len;
    ngx_memcpy(entry->note.data, r->data, r->note_len);

    entry->record.data = out->data + r->note_len;

    if (r->len) {
        entry->record.len = r->len;
        ngx_memcpy(entry->record.data, r->data + r->note_len, r->len);

    } else {
        entry->record.len = block->len;
        (void) ngx_sync_blocks_read(b, block, entry->record.data);
    }
}


static ngx_int_t
ngx_sync_shm_entry_keep(ngx_sync_shm_out_t *out, ngx_pool_t *pool,
    ngx_sync_entry_t *entry)
{
    if (ngx_sync_shm_out_keep(out, pool, &entry->note) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_sync_shm_out_keep(out, pool, &entry->record);
}
