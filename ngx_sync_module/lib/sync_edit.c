
/*
 * Places of a tape by patterns, and its text without them.
 */


#include "sync_edit.h"

#include <stdlib.h>


#define SYNC_EDIT_DEPTH  128
#define SYNC_EDIT_SHOWN  4           /* characters of the end, of ... */
#define SYNC_EDIT_LONG   8           /* ... this many at least */


typedef struct {
    sync_edit_t  *edit;
    sync_edit_e   how;
    uint64_t     *work;
} sync_edit_walk_t;


static sync_rc_t sync_edit_find(sync_edit_walk_t *w, uint32_t node,
    sync_str_t rest, unsigned depth);
static sync_rc_t sync_edit_note(sync_edit_walk_t *w, uint32_t node);
static sync_str_t sync_edit_token(sync_str_t *rest);
static int sync_edit_is(const sync_json_t *json, uint32_t key,
    sync_str_t token);
static uint32_t sync_edit_index(const sync_json_t *json, uint32_t node,
    sync_str_t token);
static int sync_edit_order(const void *a, const void *b);
static void sync_edit_value(sync_edit_t *edit, uint32_t node, uint32_t *next,
    unsigned depth, sync_json_out_t *out);
static void sync_edit_name(sync_json_out_t *out, sync_str_t escaped);
static void sync_edit_hide(sync_edit_t *edit, uint32_t node, sync_edit_e how,
    sync_json_out_t *out);


void
sync_edit_init(sync_edit_t *edit, const sync_json_t *json,
    sync_arena_t *arena)
{
    memset(edit, 0, sizeof(sync_edit_t));

    edit->json = json;
    edit->arena = arena;
}


sync_rc_t
sync_edit_add(sync_edit_t *edit, uint32_t node, sync_str_t pattern,
    sync_edit_e how, uint64_t *work)
{
    sync_edit_walk_t  w;

    w.edit = edit;
    w.how = how;
    w.work = work;

    return sync_edit_find(&w, node, pattern, 0);
}


static sync_rc_t
sync_edit_find(sync_edit_walk_t *w, uint32_t node, sync_str_t rest,
    unsigned depth)
{
    int                  all, object;
    uint32_t             i;
    sync_rc_t            rc;
    sync_str_t           token;
    const sync_json_t   *json;

    json = w->edit->json;

    if (rest.len == 0) {
        return sync_edit_note(w, node);
    }

    if (depth == SYNC_EDIT_DEPTH) {
        return SYNC_OK;
    }

    token = sync_edit_token(&rest);
    all = sync_str_is(token, "*");
    object = json->nodes[node].type == SYNC_JSON_OBJECT;

    if (!object && json->nodes[node].type != SYNC_JSON_ARRAY) {
        return SYNC_OK;
    }

    if (!object && !all) {
        i = sync_edit_index(json, node, token);

        return i == SYNC_JSON_NONE ? SYNC_OK
                                   : sync_edit_find(w, i, rest, depth + 1);
    }

    for (i = node + 1; i < json->nodes[node].next; i = json->nodes[i].next) {

        if (*w->work <= 1) {
            *w->work = 0;
            return SYNC_NO;
        }

        (*w->work)--;

        if (object && !all && !sync_edit_is(json, i, token)) {
            continue;
        }

        rc = sync_edit_find(w, object ? i + 1 : i, rest, depth + 1);
        if (rc != SYNC_OK) {
            return rc;
        }
    }

    return SYNC_OK;
}


static sync_rc_t
sync_edit_note(sync_edit_walk_t *w, uint32_t node)
{
    uint32_t            room;
    sync_edit_t        *e;
    sync_edit_place_t  *places;

    e = w->edit;

    if (e->count == SYNC_EDIT_MAX) {
        return SYNC_NO;
    }

    if (e->count == e->room) {
        room = e->room ? e->room * 2 : 8;

        places = sync_alloc(e->arena, room * sizeof(sync_edit_place_t));
        if (places == NULL) {
            return SYNC_FAULT;
        }

        if (e->count) {
            memcpy(places, e->places, e->count * sizeof(sync_edit_place_t));
        }

        e->places = places;
        e->room = room;
    }

    e->places[e->count].node = node;
    e->places[e->count].how = w->how;
    e->count++;

    return SYNC_OK;
}


/* The first token of a pointer, still escaped; rest begins behind it. */

static sync_str_t
sync_edit_token(sync_str_t *rest)
{
    size_t      i;
    sync_str_t  token;

    for (i = 1; i < rest->len && rest->data[i] != '/'; i++) { /* void */ }

    token = (sync_str_t) { i - 1, rest->data + 1 };

    rest->data += i;
    rest->len -= i;

    return token;
}


static int
sync_edit_is(const sync_json_t *json, uint32_t key, sync_str_t token)
{
    size_t         i, len;
    unsigned char  name[256];

    for (i = 0, len = 0; i < token.len && len < sizeof(name); i++, len++) {

        name[len] = token.data[i];

        if (token.data[i] == '~' && i + 1 < token.len) {
            name[len] = token.data[++i] == '1' ? '/' : '~';
        }
    }

    return i == token.len
           && sync_json_equals(json, key, (sync_str_t) { len, name });
}


static uint32_t
sync_edit_index(const sync_json_t *json, uint32_t node, sync_str_t token)
{
    size_t    i;
    uint32_t  n, at;

    for (i = 0, n = 0; i < token.len && i < 9; i++) {

        if (token.data[i] < '0' || token.data[i] > '9') {
            return SYNC_JSON_NONE;
        }

        n = n * 10 + (uint32_t) (token.data[i] - '0');
    }

    if (token.len == 0 || i < token.len || n >= json->nodes[node].len) {
        return SYNC_JSON_NONE;
    }

    for (at = node + 1; n > 0; n--) {
        at = json->nodes[at].next;
    }

    return at;
}


void
sync_edit_sort(sync_edit_t *edit)
{
    uint32_t  i, n;

    for (i = 1; i < edit->count; i++) {
        if (edit->places[i].node <= edit->places[i - 1].node) {
            break;
        }
    }

    if (i >= edit->count) {
        return;
    }

    /* equal ones stay in their order: each has its number */

    for (i = 0; i < edit->count; i++) {
        edit->places[i].number = i;
    }

    qsort(edit->places, edit->count, sizeof(sync_edit_place_t),
          sync_edit_order);

    for (i = 0, n = 0; i < edit->count; i++) {
        if (n == 0 || edit->places[n - 1].node != edit->places[i].node) {
            edit->places[n++] = edit->places[i];
        }
    }

    edit->count = n;
}


static int
sync_edit_order(const void *a, const void *b)
{
    const sync_edit_place_t  *x = a, *y = b;

    if (x->node != y->node) {
        return x->node < y->node ? -1 : 1;
    }

    return x->number < y->number ? -1 : 1;
}


sync_rc_t
sync_edit_write(sync_edit_t *edit, uint32_t node, size_t max,
    sync_str_t *text)
{
    uint32_t         next;
    sync_json_out_t  out;

    sync_edit_sort(edit);

    next = 0;

    sync_json_begin(&out, edit->arena,
                    sync_json_raw(edit->json, node).len + 16, max);

    sync_edit_value(edit, node, &next, 0, &out);

    return sync_json_end(&out, text);
}


/* What has no place inside goes out in one piece. */

static void
sync_edit_value(sync_edit_t *edit, uint32_t node, uint32_t *next,
    unsigned depth, sync_json_out_t *out)
{
    int                  object;
    uint32_t             i, value;
    const sync_json_t   *json;

    json = edit->json;

    while (*next < edit->count && edit->places[*next].node < node) {
        (*next)++;
    }

    if (*next == edit->count
        || edit->places[*next].node >= json->nodes[node].next)
    {
        sync_json_copy(out, json, node);
        return;
    }

    if (edit->places[*next].node == node || depth == SYNC_EDIT_DEPTH) {
        sync_edit_hide(edit, node, edit->places[*next].how, out);
        return;
    }

    object = json->nodes[node].type == SYNC_JSON_OBJECT;

    sync_json_open(out, object ? '{' : '[');

    for (i = node + 1; i < json->nodes[node].next; i = json->nodes[i].next) {

        value = object ? i + 1 : i;

        while (*next < edit->count && edit->places[*next].node < value) {
            (*next)++;
        }

        if (*next < edit->count && edit->places[*next].node == value
            && edit->places[*next].how == SYNC_EDIT_REMOVE)
        {
            continue;
        }

        if (object) {
            sync_edit_name(out, sync_json_slice(json, i));
        }

        sync_edit_value(edit, value, next, depth + 1, out);
    }

    sync_json_close(out, object ? '}' : ']');
}


/* As it stood, escapes and all. */

static void
sync_edit_name(sync_json_out_t *out, sync_str_t escaped)
{
    sync_json_quote(out, escaped);
    out->comma = 0;

    sync_json_value(out, sync_str_lit(":"));
    out->comma = 0;
}


static void
sync_edit_hide(sync_edit_t *edit, uint32_t node, sync_edit_e how,
    sync_json_out_t *out)
{
    size_t                   i, n, cut;
    sync_str_t               s;
    unsigned char            text[3 + SYNC_EDIT_SHOWN * 4];
    const sync_json_node_t  *v;

    v = &edit->json->nodes[node];

    if (how == SYNC_EDIT_NULL || how == SYNC_EDIT_REMOVE
        || v->type == SYNC_JSON_NULL)
    {
        sync_json_value(out, sync_str_lit("null"));
        return;
    }

    s.len = 3;
    s.data = text;
    memcpy(text, "***", 3);

    if (how == SYNC_EDIT_LAST4
        && (v->type == SYNC_JSON_STRING || v->type == SYNC_JSON_NUMBER))
    {
        s = sync_json_unescape(edit->json, node, edit->arena);

        if (s.data == NULL) {
            out->fault = 1;
            return;
        }

        for (i = s.len, n = 0, cut = 0; i > 0 && n < SYNC_EDIT_LONG; i--) {

            if ((s.data[i - 1] & 0xc0) == 0x80) {
                continue;
            }

            if (++n == SYNC_EDIT_SHOWN) {
                cut = i - 1;
            }
        }

        if (n < SYNC_EDIT_LONG) {
            cut = s.len;
        }

        s.data += cut;
        s.len -= cut;

        memcpy(text + 3, s.data, s.len);

        s.data = text;
        s.len += 3;
    }

    sync_json_string(out, s);
}
