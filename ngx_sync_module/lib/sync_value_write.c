
/*
 * Values as text.
 */


#include "sync_value.h"

#include <stdio.h>
#include <stdlib.h>


static void sync_value_write_any(sync_json_out_t *out,
    const sync_value_t *value, unsigned sorted);
static void sync_value_write_sorted(sync_json_out_t *out,
    const sync_value_t *object);
static int sync_value_member_cmp(const void *one, const void *two);
static void sync_value_write_real(sync_json_out_t *out, double real);


void
sync_value_write(sync_json_out_t *out, const sync_value_t *value)
{
    sync_value_write_any(out, value, 0);
}


sync_str_t
sync_value_dump(const sync_value_t *value, sync_arena_t *arena)
{
    sync_str_t       text;
    sync_json_out_t  out;

    sync_json_begin(&out, arena, 256, SIZE_MAX / 4);
    sync_value_write_any(&out, value, 1);

    if (sync_json_end(&out, &text) != SYNC_OK) {
        return sync_str_null;
    }

    return text;
}


static void
sync_value_write_any(sync_json_out_t *out, const sync_value_t *value,
    unsigned sorted)
{
    size_t             i;
    double             real;
    int64_t            n;
    sync_value_iter_t  it = { 0 };

    switch (sync_value_type(value)) {

    case SYNC_VALUE_OBJECT:
        sync_json_open(out, '{');

        if (sorted) {
            sync_value_write_sorted(out, value);

        } else {
            while (sync_value_next(value, &it)) {
                sync_json_key(out, it.name);
                sync_value_write_any(out, it.value, 0);
            }
        }

        sync_json_close(out, '}');
        break;

    case SYNC_VALUE_ARRAY:
        sync_json_open(out, '[');

        for (i = 0; i < sync_value_count(value); i++) {
            sync_value_write_any(out, sync_value_at(value, i), sorted);
        }

        sync_json_close(out, ']');
        break;

    case SYNC_VALUE_STRING:
        sync_json_string(out, sync_value_str(value));
        break;

    case SYNC_VALUE_INTEGER:
        n = 0;
        sync_value_int(value, &n);
        sync_json_integer(out, n);
        break;

    case SYNC_VALUE_REAL:
        real = 0;
        sync_value_real(value, &real);
        sync_value_write_real(out, real);
        break;

    case SYNC_VALUE_TRUE:
        sync_json_value(out, sync_str_lit("true"));
        break;

    case SYNC_VALUE_FALSE:
        sync_json_value(out, sync_str_lit("false"));
        break;

    default:
        sync_json_value(out, sync_str_lit("null"));
        break;
    }
}


static void
sync_value_write_sorted(sync_json_out_t *out, const sync_value_t *object)
{
    size_t              i, n;
    sync_value_iter_t   it = { 0 }, *members;

    n = sync_value_count(object);
    members = sync_alloc(out->arena, (n + 1) * sizeof(sync_value_iter_t));

    if (members == NULL) {
        out->fault = 1;
        return;
    }

    for (i = 0; i < n && sync_value_next(object, &it); i++) {
        members[i] = it;
    }

    qsort(members, n, sizeof(sync_value_iter_t), sync_value_member_cmp);

    for (i = 0; i < n; i++) {
        sync_json_key(out, members[i].name);
        sync_value_write_any(out, members[i].value, 1);
    }
}


static int
sync_value_member_cmp(const void *one, const void *two)
{
    int                       rc;
    size_t                    len;
    const sync_value_iter_t  *a, *b;

    a = one;
    b = two;
    len = a->name.len < b->name.len ? a->name.len : b->name.len;
    rc = memcmp(a->name.data, b->name.data, len);

    if (rc == 0) {
        rc = (a->name.len > b->name.len) - (a->name.len < b->name.len);
    }

    return rc;
}


/* 15 digits are enough for most, 17 for all. */

static void
sync_value_write_real(sync_json_out_t *out, double real)
{
    int   precision, len;
    char  buf[40];

    precision = 15;

    do {
        len = snprintf(buf, sizeof(buf) - 2, "%.*g", precision, real);
    } while (strtod(buf, NULL) != real && ++precision <= 17);

    if (strpbrk(buf, ".e") == NULL) {

        /* it was no integer and shall not read as one */

        buf[len++] = '.';
        buf[len++] = '0';
    }

    sync_json_value(out, (sync_str_t) { (size_t) len,
                                        (unsigned char *) buf });
}
