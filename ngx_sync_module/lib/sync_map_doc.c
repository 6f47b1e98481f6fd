
/*
 * The documents of a map while it is compiled.  They are read by the payload's
 * own reader and not as a tree of values: a default or a constant of 0.10 goes
 * into payloads as it was written.
 */


#include "sync_map_rules.h"

#include <stdarg.h>
#include <stdio.h>


#define SYNC_MAP_NAME_MAX  40        /* that a hint may be asked for */


static size_t sync_map_distance(sync_str_t a, const char *b);


sync_rc_t
sync_map_refuse(sync_map_compile_t *c, uint32_t doc, uint32_t node,
    const char *what, const char *fmt, ...)
{
    char         text[SYNC_ERROR_TEXT];
    va_list      args;
    sync_str_t   name;

    name = c->docs[doc].name;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);

    sync_refuse(c->err, what, SYNC_NOWHERE, "%.*s%s%s",
                (int) (name.len < 100 ? name.len : 100),
                name.len ? (char *) name.data : "", name.len ? ": " : "",
                text);

    if (c->err != NULL && node != SYNC_JSON_NONE) {
        c->err->offset = c->docs[doc].json.nodes[node].off;
        c->err->pointer = sync_json_pointer(&c->docs[doc].json, node,
                                            c->arena);

        if (c->err->pointer.data == NULL) {
            return SYNC_FAULT;
        }
    }

    return SYNC_NO;
}


sync_rc_t
sync_map_unknown(sync_map_compile_t *c, uint32_t doc, uint32_t node,
    sync_str_t name, const char *what, const char *const *names,
    const char *of)
{
    size_t       near, best;
    uint32_t     i;
    const char  *nearest;

    nearest = NULL;
    best = name.len / 2 + 2;

    for (i = 0; names[i] != NULL && name.len <= SYNC_MAP_NAME_MAX; i++) {
        near = *names[i] ? sync_map_distance(name, names[i]) : best;

        if (near < best) {
            best = near;
            nearest = names[i];
        }
    }

    if (nearest != NULL) {
        return sync_map_refuse(c, doc, node, what,
                               "\"%.*s\" is unknown in %s; did you mean "
                               "\"%s\"?", (int) name.len, name.data, of,
                               nearest);
    }

    return sync_map_refuse(c, doc, node, what, "\"%.*s\" is unknown in %s",
                           (int) (name.len < 64 ? name.len : 64), name.data,
                           of);
}


/* Levenshtein */

static size_t
sync_map_distance(sync_str_t a, const char *b)
{
    size_t  i, k, len, above, left, row[SYNC_MAP_NAME_MAX + 1];

    len = strlen(b);

    if (len > SYNC_MAP_NAME_MAX) {
        return len;
    }

    for (k = 0; k <= len; k++) {
        row[k] = k;
    }

    for (i = 1; i <= a.len; i++) {
        left = row[0]++;

        for (k = 1; k <= len; k++) {
            above = row[k];

            if (a.data[i - 1] != (unsigned char) b[k - 1]) {
                left++;
            }

            left = left < above + 1 ? left : above + 1;
            row[k] = left < row[k - 1] + 1 ? left : row[k - 1] + 1;
            left = above;
        }
    }

    return row[len];
}


sync_str_t
sync_map_text(sync_map_compile_t *c, uint32_t doc, uint32_t node)
{
    sync_str_t  s;

    s = sync_json_unescape(&c->docs[doc].json, node, c->scratch);

    return s.data == NULL ? s : sync_strdup(c->arena, s);
}


sync_str_t
sync_map_where(sync_map_compile_t *c, uint32_t doc, uint32_t node)
{
    sync_str_t  name, pointer, where;

    name = c->docs[doc].name;
    pointer = sync_json_pointer(&c->docs[doc].json, node, c->scratch);

    where.len = pointer.len + (name.len ? name.len + 1 : 0);
    where.data = pointer.data != NULL ? sync_alloc(c->arena, where.len + 1)
                                      : NULL;

    if (where.data == NULL) {
        return where;
    }

    if (name.len) {
        memcpy(where.data, name.data, name.len);
        where.data[name.len] = '#';
    }

    memcpy(where.data + where.len - pointer.len, pointer.data, pointer.len);

    return where;
}


sync_str_t
sync_map_raw(sync_map_compile_t *c, uint32_t doc, uint32_t node)
{
    return sync_strdup(c->arena, sync_json_raw(&c->docs[doc].json, node));
}


sync_str_t
sync_map_escaped(sync_map_compile_t *c, sync_str_t s)
{
    sync_str_t       text;
    sync_json_out_t  out;

    sync_json_begin(&out, c->scratch, s.len + 16, 0);
    sync_json_string(&out, s);

    if (sync_json_end(&out, &text) != SYNC_OK) {
        return sync_str_null;
    }

    text.data++;
    text.len -= 2;

    return sync_strdup(c->arena, text);
}


sync_str_t
sync_map_quoted_key(sync_map_compile_t *c, sync_str_t name)
{
    sync_str_t       text;
    sync_json_out_t  out;

    sync_json_begin(&out, c->scratch, name.len + 16, 0);
    sync_json_key(&out, name);

    if (sync_json_end(&out, &text) != SYNC_OK) {
        return sync_str_null;
    }

    return sync_strdup(c->arena, text);
}


sync_rc_t
sync_map_members(sync_map_compile_t *c, uint32_t doc, uint32_t node,
    const char *const *names, const char *of)
{
    uint32_t            i, k;
    sync_str_t          name;
    const sync_json_t  *json;

    json = &c->docs[doc].json;

    if (json->nodes[node].type != SYNC_JSON_OBJECT) {
        return sync_map_refuse(c, doc, node, "type", "%s is an object", of);
    }

    for (i = sync_json_first(json, node); i != SYNC_JSON_NONE;
         i = sync_json_after(json, node, i))
    {
        name = sync_json_unescape(json, i, c->scratch);
        if (name.data == NULL) {
            return SYNC_FAULT;
        }

        for (k = 0; names[k] != NULL; k++) {
            if (sync_str_is(name, names[k])) {
                break;
            }
        }

        if (names[k] == NULL) {
            return sync_map_unknown(c, doc, i + 1, name, "unknown-member",
                                    names, of);
        }
    }

    return SYNC_OK;
}


void
sync_map_member(sync_map_compile_t *c, const sync_map_place_t *place,
    const char *name, uint32_t *doc, uint32_t *node)
{
    uint32_t          i;
    sync_map_place_t  below;

    sync_map_below(c, place, name, &below);

    *doc = 0;
    *node = SYNC_JSON_NONE;

    for (i = c->ndocs; i-- > 0; ) {
        if (below.at[i] != SYNC_JSON_NONE) {
            *doc = i;
            *node = below.at[i];
            return;
        }
    }
}


void
sync_map_below(sync_map_compile_t *c, const sync_map_place_t *place,
    const char *name, sync_map_place_t *below)
{
    uint32_t            i;
    sync_str_t          s;
    const sync_json_t  *json;

    s.data = (unsigned char *) name;
    s.len = strlen(name);

    for (i = 0; i < c->ndocs; i++) {
        json = &c->docs[i].json;
        below->at[i] = SYNC_JSON_NONE;

        if (place->at[i] != SYNC_JSON_NONE
            && json->nodes[place->at[i]].type == SYNC_JSON_OBJECT)
        {
            below->at[i] = sync_json_member(json, place->at[i], s);
        }
    }
}


sync_rc_t
sync_map_pointer(sync_map_compile_t *c, uint32_t doc, uint32_t node,
    sync_str_t *names, uint32_t *count)
{
    sync_str_t      text;
    unsigned char  *p, *last, *to;

    *count = 0;

    if (c->docs[doc].json.nodes[node].type != SYNC_JSON_STRING) {
        return sync_map_refuse(c, doc, node, "type", "a JSON Pointer is a "
                               "string, as \"/order_number\"");
    }

    text = sync_map_text(c, doc, node);
    if (text.data == NULL) {
        return SYNC_FAULT;
    }

    p = text.data;
    last = p + text.len;

    while (p < last) {

        if (*p != '/') {
            return sync_map_refuse(c, doc, node, "pointer",
                                   "a JSON Pointer begins with \"/\"");
        }

        if (*count == SYNC_MAP_TREE_MAX) {
            return sync_map_refuse(c, doc, node, "pointer", "at most %d names "
                                   "in a pointer", SYNC_MAP_TREE_MAX);
        }

        names[*count].data = to = ++p;

        for ( /* void */ ; p < last && *p != '/'; p++) {
            if (*p != '~') {
                *to++ = *p;
                continue;
            }

            p++;

            if (p == last || (*p != '0' && *p != '1')) {
                return sync_map_refuse(c, doc, node, "pointer", "in a JSON "
                                       "Pointer \"~\" is written \"~0\" and "
                                       "\"/\" in a name \"~1\"");
            }

            *to++ = *p == '0' ? '~' : '/';
        }

        names[*count].len = to - names[*count].data;
        (*count)++;
    }

    return SYNC_OK;
}
