
/*
 * Equality of values, and a hash that equal values share.
 */


#include "sync_decimal.h"
#include "sync_json.h"


#define SYNC_JSON_EQUAL_DEPTH  128   /* a deeper value takes all work */


static int sync_json_alike(const sync_json_t *a, uint32_t n,
    const sync_json_t *b, uint32_t m, unsigned depth, uint64_t *work);
static int sync_json_objects(const sync_json_t *a, uint32_t n,
    const sync_json_t *b, uint32_t m, unsigned depth, uint64_t *work);
static int sync_json_paid(uint64_t *work, uint64_t n);
static sync_rc_t sync_json_hash_members(const sync_json_t *json, uint32_t n,
    sync_arena_t *arena, uint64_t *hash);
static sync_rc_t sync_json_hash_number(sync_str_t number, uint64_t *hash);
static sync_rc_t sync_json_hash_words(uint64_t a, uint64_t b,
    uint64_t *hash);


int
sync_json_equal(const sync_json_t *a, uint32_t n, const sync_json_t *b,
    uint32_t m, uint64_t *work)
{
    return sync_json_alike(a, n, b, m, 0, work);
}


static int
sync_json_alike(const sync_json_t *a, uint32_t n, const sync_json_t *b,
    uint32_t m, unsigned depth, uint64_t *work)
{
    uint32_t                 i, k;
    const sync_json_node_t  *x, *y;

    x = &a->nodes[n];
    y = &b->nodes[m];

    if (x->type != y->type) {
        return 0;
    }

    if (depth == SYNC_JSON_EQUAL_DEPTH) {
        *work = 0;
        return 0;
    }

    switch (x->type) {

    case SYNC_JSON_NUMBER:
        return sync_json_paid(work, (uint64_t) x->len + y->len)
               && sync_decimal_compare(sync_json_slice(a, n),
                                       sync_json_slice(b, m)) == 0;

    case SYNC_JSON_STRING:
        return sync_json_paid(work, 1 + x->len / 8)
               && sync_json_same(a, n, b, m);

    case SYNC_JSON_ARRAY:

        if (x->len != y->len || !sync_json_paid(work, 1)) {
            return 0;
        }

        for (i = n + 1, k = m + 1; i < x->next;
             i = a->nodes[i].next, k = b->nodes[k].next)
        {
            if (!sync_json_alike(a, i, b, k, depth + 1, work)) {
                return 0;
            }
        }

        return 1;

    case SYNC_JSON_OBJECT:
        return x->len == y->len
               && sync_json_objects(a, n, b, m, depth, work);
    }

    return 1;
}


static int
sync_json_objects(const sync_json_t *a, uint32_t n, const sync_json_t *b,
    uint32_t m, unsigned depth, uint64_t *work)
{
    uint32_t  i, k;

    for (i = n + 1; i < a->nodes[n].next; i = a->nodes[i].next) {

        for (k = m + 1; k < b->nodes[m].next; k = b->nodes[k].next) {

            if (!sync_json_paid(work, 1)) {
                return 0;
            }

            if (sync_json_same(a, i, b, k)) {
                break;
            }
        }

        if (k == b->nodes[m].next
            || !sync_json_alike(a, i + 1, b, k + 1, depth + 1, work))
        {
            return 0;
        }
    }

    return 1;
}


static int
sync_json_paid(uint64_t *work, uint64_t n)
{
    if (*work > n) {
        *work -= n;
        return 1;
    }

    *work = 0;

    return 0;
}


sync_rc_t
sync_json_hash_value(const sync_json_t *json, uint32_t n, sync_arena_t *arena,
    uint64_t *hash)
{
    uint32_t    i;
    uint64_t    sum, one;
    sync_rc_t   rc;
    sync_str_t  s;

    switch (json->nodes[n].type) {

    case SYNC_JSON_NUMBER:
        return sync_json_hash_number(sync_json_slice(json, n), hash);

    case SYNC_JSON_STRING:
    case SYNC_JSON_KEY:
        s = sync_json_unescape(json, n, arena);

        return s.data ? sync_json_hash(s, hash) : SYNC_FAULT;

    case SYNC_JSON_ARRAY:
        sum = SYNC_JSON_ARRAY;

        for (i = n + 1; i < json->nodes[n].next; i = json->nodes[i].next) {

            rc = sync_json_hash_value(json, i, arena, &one);

            if (rc == SYNC_OK) {
                rc = sync_json_hash_words(sum, one, &sum);
            }

            if (rc != SYNC_OK) {
                return rc;
            }
        }

        return sync_json_hash_words(sum, SYNC_JSON_ARRAY, hash);

    case SYNC_JSON_OBJECT:
        return sync_json_hash_members(json, n, arena, hash);
    }

    return sync_json_hash_words(json->nodes[n].type, 0, hash);
}


/* The order of members does not count: their hashes are added. */

static sync_rc_t
sync_json_hash_members(const sync_json_t *json, uint32_t n,
    sync_arena_t *arena, uint64_t *hash)
{
    uint32_t   i;
    uint64_t   sum, name, value;
    sync_rc_t  rc;

    sum = 0;

    for (i = n + 1; i < json->nodes[n].next; i = json->nodes[i].next) {

        rc = sync_json_hash_value(json, i, arena, &name);

        if (rc == SYNC_OK) {
            rc = sync_json_hash_value(json, i + 1, arena, &value);
        }

        if (rc == SYNC_OK) {
            rc = sync_json_hash_words(name, value, &value);
        }

        if (rc != SYNC_OK) {
            return rc;
        }

        sum += value;
    }

    return sync_json_hash_words(sum, SYNC_JSON_OBJECT, hash);
}


static sync_rc_t
sync_json_hash_number(sync_str_t number, uint64_t *hash)
{
    uint64_t        sum;
    sync_decimal_t  d;

    d = sync_decimal(number);

    for (sum = 0; d.pos < d.end; d.pos++) {
        if (*d.pos != '.') {
            sum = sum * 0x9e3779b97f4a7c15 + *d.pos;
        }
    }

    return sync_json_hash_words(sum, (uint64_t) d.top * 4
                                     + (uint64_t) (d.sign + 1), hash);
}


static sync_rc_t
sync_json_hash_words(uint64_t a, uint64_t b, uint64_t *hash)
{
    uint64_t  words[2] = { a, b };

    return sync_json_hash((sync_str_t) { sizeof(words),
                                         (unsigned char *) words }, hash);
}
