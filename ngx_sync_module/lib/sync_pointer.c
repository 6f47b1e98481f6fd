
/*
 * JSON Pointers (RFC 6901) over values.
 */


#include "sync_value.h"

#include <stdio.h>


static const sync_value_t *sync_pointer_step(const sync_value_t *value,
    sync_str_t token);
static const sync_value_t *sync_pointer_element(const sync_value_t *array,
    sync_str_t token);
static int sync_pointer_token_is(sync_str_t token, sync_str_t name);


const sync_value_t *
sync_value_resolve(const sync_value_t *value, sync_str_t pointer)
{
    size_t      i, end;
    sync_str_t  token;

    if (pointer.len && pointer.data[0] != '/') {
        return NULL;
    }

    for (i = 0; i < pointer.len && value != NULL; i = end) {

        i++;

        for (end = i; end < pointer.len && pointer.data[end] != '/'; end++) {
            /* void */
        }

        token.data = pointer.data + i;
        token.len = end - i;
        value = sync_pointer_step(value, token);
    }

    return value;
}


static const sync_value_t *
sync_pointer_step(const sync_value_t *value, sync_str_t token)
{
    sync_value_iter_t  it = { 0 };

    if (sync_value_type(value) == SYNC_VALUE_ARRAY) {
        return sync_pointer_element(value, token);
    }

    if (memchr(token.data, '~', token.len) == NULL) {
        return sync_value_member(value, token);
    }

    while (sync_value_next(value, &it)) {
        if (sync_pointer_token_is(token, it.name)) {
            return it.value;
        }
    }

    return NULL;
}


/* Section 4: digits without leading zeros; "-" is behind the last. */

static const sync_value_t *
sync_pointer_element(const sync_value_t *array, sync_str_t token)
{
    size_t  i, n;

    if (token.len == 0 || token.len > 9
        || (token.len > 1 && token.data[0] == '0'))
    {
        return NULL;
    }

    for (i = 0, n = 0; i < token.len; i++) {
        if (token.data[i] < '0' || token.data[i] > '9') {
            return NULL;
        }

        n = n * 10 + (token.data[i] - '0');
    }

    return sync_value_at(array, n);
}


/* A tilde that escapes nothing makes a token that is equal to no name. */

static int
sync_pointer_token_is(sync_str_t token, sync_str_t name)
{
    size_t         i, n;
    unsigned char  c;

    for (i = 0, n = 0; i < token.len; i++, n++) {
        c = token.data[i];

        if (c == '~') {
            if (++i == token.len
                || (token.data[i] != '0' && token.data[i] != '1'))
            {
                return 0;
            }

            c = (token.data[i] == '0') ? '~' : '/';
        }

        if (n == name.len || name.data[n] != c) {
            return 0;
        }
    }

    return n == name.len;
}


sync_str_t
sync_pointer_member(sync_arena_t *arena, sync_str_t base, sync_str_t name)
{
    size_t          i;
    sync_str_t      s;
    unsigned char  *p;

    s.len = base.len + 1 + name.len;

    for (i = 0; i < name.len; i++) {
        s.len += (name.data[i] == '~' || name.data[i] == '/');
    }

    s.data = sync_alloc(arena, s.len + 1);

    if (s.data == NULL) {
        return sync_str_null;
    }

    if (base.len) {
        memcpy(s.data, base.data, base.len);
    }

    p = s.data + base.len;
    *p++ = '/';

    for (i = 0; i < name.len; i++) {
        if (name.data[i] == '~' || name.data[i] == '/') {
            *p++ = '~';
            *p++ = (name.data[i] == '~') ? '0' : '1';

        } else {
            *p++ = name.data[i];
        }
    }

    *p = '\0';

    return s;
}


sync_str_t
sync_pointer_index(sync_arena_t *arena, sync_str_t base, size_t i)
{
    int   len;
    char  buf[24];

    len = snprintf(buf, sizeof(buf), "%zu", i);

    return sync_pointer_member(arena, base,
                               (sync_str_t) { (size_t) len,
                                              (unsigned char *) buf });
}
