
/*
 * Elements as JSON.
 *
 * An element is a string, or null, or an object; its namespace is said only
 * where it is not the one that was to be expected there.
 */


#include "sync_xml.h"

#include <stdlib.h>


typedef struct {
    sync_arena_t  *arena;
    sync_str_t    *json;
} sync_xml_take_t;


static sync_rc_t sync_xml_take(void *data, const sync_xml_node_t *root,
    const sync_format_limits_t *limits, sync_error_t *err);
static sync_rc_t sync_xml_value(sync_json_out_t *out, sync_arena_t *arena,
    const sync_xml_node_t *node, sync_str_t expected,
    const sync_format_limits_t *limits);
static int sync_xml_nil(const sync_xml_node_t *node);
static void sync_xml_attribute(sync_json_out_t *out, sync_arena_t *arena,
    const sync_xml_attr_t *attr);
static sync_rc_t sync_xml_text(sync_arena_t *arena,
    const sync_xml_node_t *node, sync_str_t *text);
static sync_rc_t sync_xml_run(sync_arena_t *arena,
    const sync_xml_node_t **node, sync_str_t *text);
static sync_rc_t sync_xml_mixed(sync_json_out_t *out, sync_arena_t *arena,
    const sync_xml_node_t *node, sync_str_t uri,
    const sync_format_limits_t *limits);
static sync_rc_t sync_xml_scattered(sync_arena_t *arena,
    const sync_xml_node_t *node, int *scattered);
static const sync_xml_node_t *sync_xml_next(const sync_xml_node_t *node);
static int sync_xml_order(const void *a, const void *b);


sync_rc_t
sync_xml_read(sync_arena_t *arena, sync_str_t text,
    const sync_format_limits_t *limits, sync_str_t *json, sync_error_t *err)
{
    sync_xml_take_t  take;

    take.arena = arena;
    take.json = json;

    return sync_xml_tree(arena, text, limits, sync_xml_take, &take, err);
}


static sync_rc_t
sync_xml_take(void *data, const sync_xml_node_t *root,
    const sync_format_limits_t *limits, sync_error_t *err)
{
    sync_rc_t         rc;
    sync_json_out_t   out;
    sync_xml_take_t  *take = data;

    sync_json_begin(&out, take->arena, 0, limits->max);
    sync_json_open(&out, '{');

    rc = sync_xml_members(&out, take->arena, root->parent, sync_str_lit(""),
                          limits);
    if (rc != SYNC_OK) {
        return rc;
    }

    sync_json_close(&out, '}');

    return sync_format_json(&out, take->json, err);
}


int
sync_xml_is(const sync_xml_node_t *node, const char *name, const char *uri)
{
    return node != NULL && node->name.data != NULL
           && sync_str_is(node->name, name) && sync_str_is(node->uri, uri);
}


sync_rc_t
sync_xml_members(sync_json_out_t *out, sync_arena_t *arena,
    const sync_xml_node_t *node, sync_str_t uri,
    const sync_format_limits_t *limits)
{
    int                     scattered;
    sync_rc_t               rc;
    sync_str_t              name;
    const sync_xml_node_t  *n, *next;

    rc = sync_xml_scattered(arena, node, &scattered);

    if (rc != SYNC_OK) {
        return rc;
    }

    if (scattered || node->words) {
        return sync_xml_mixed(out, arena, node, uri, limits);
    }

    for (n = sync_xml_next(node->child); n; n = next) {

        name = n->name;
        next = sync_xml_next(n->next);

        sync_json_key(out, name);

        if (!(next && sync_str_eq(next->name, name))
            && !sync_format_listed(limits, name))
        {
            rc = sync_xml_value(out, arena, n, uri, limits);
            if (rc != SYNC_OK) {
                return rc;
            }

            continue;
        }

        sync_json_open(out, '[');

        for ( ;; ) {
            rc = sync_xml_value(out, arena, n, uri, limits);
            if (rc != SYNC_OK) {
                return rc;
            }

            n = sync_xml_next(n->next);

            if (n == NULL || !sync_str_eq(n->name, name)) {
                break;
            }
        }

        next = n;
        sync_json_close(out, ']');
    }

    return SYNC_OK;
}


static sync_rc_t
sync_xml_value(sync_json_out_t *out, sync_arena_t *arena,
    const sync_xml_node_t *node, sync_str_t expected,
    const sync_format_limits_t *limits)
{
    int                     own;
    sync_rc_t               rc;
    sync_str_t              uri, text;
    const sync_xml_node_t  *first;
    const sync_xml_attr_t  *attr;

    own = !sync_str_eq(node->uri, expected);
    first = sync_xml_next(node->child);

    rc = sync_xml_text(arena, node, &text);
    if (rc != SYNC_OK) {
        return rc;
    }

    if (!own && node->attrs == NULL && first == NULL) {
        sync_json_string(out, text);
        return SYNC_OK;
    }

    if (!own && first == NULL && text.len == 0 && sync_xml_nil(node)) {
        sync_json_value(out, sync_str_lit("null"));
        return SYNC_OK;
    }

    sync_json_open(out, '{');

    if (own) {
        sync_json_key(out, sync_str_lit("@xmlns"));
        sync_json_string(out, node->uri);
    }

    uri = node->uri;

    if (first && !sync_str_eq(first->uri, uri)) {
        uri = first->uri;
        sync_json_key(out, sync_str_lit("@xmlns:in"));
        sync_json_string(out, uri);
    }

    for (attr = node->attrs; attr; attr = attr->next) {
        sync_xml_attribute(out, arena, attr);
    }

    if (first) {
        rc = sync_xml_members(out, arena, node, uri, limits);

    } else if (text.len) {
        sync_json_key(out, sync_str_lit("#text"));
        sync_json_string(out, text);
    }

    sync_json_close(out, '}');

    return rc;
}


/* Is xsi:nil all that is said of the element? */

static int
sync_xml_nil(const sync_xml_node_t *node)
{
    const sync_xml_attr_t  *attr;

    attr = node->attrs;

    return attr && attr->next == NULL && sync_str_is(attr->name, "nil")
           && sync_str_is(attr->uri, SYNC_XML_XSI)
           && (sync_str_is(attr->value, "true")
               || sync_str_is(attr->value, "1"));
}


/* "@name", "@xsi:name", "@xml:name", "@{uri}name" */

static void
sync_xml_attribute(sync_json_out_t *out, sync_arena_t *arena,
    const sync_xml_attr_t *attr)
{
    sync_rc_t    rc;
    sync_str_t   key;
    sync_text_t  text;

    sync_text_begin(&text, arena, attr->name.len + attr->uri.len + 8, 0);
    sync_text_byte(&text, '@');

    if (sync_str_is(attr->uri, SYNC_XML_XSI)) {
        sync_text_lit(&text, "xsi:");

    } else if (sync_str_is(attr->uri, SYNC_XML_XML)) {
        sync_text_lit(&text, "xml:");

    } else if (attr->uri.len) {
        sync_text_byte(&text, '{');
        sync_text_add(&text, attr->uri);
        sync_text_byte(&text, '}');
    }

    sync_text_add(&text, attr->name);

    rc = sync_text_end(&text, &key);

    if (rc != SYNC_OK) {
        out->fault |= rc == SYNC_FAULT;
        out->full |= rc == SYNC_NO;
        return;
    }

    sync_json_key(out, key);
    sync_json_string(out, attr->value);
}


/* All text of an element without elements, in one piece. */

static sync_rc_t
sync_xml_text(sync_arena_t *arena, const sync_xml_node_t *node,
    sync_str_t *text)
{
    const sync_xml_node_t  *n;

    *text = sync_str_lit("");

    if (node->elements || node->child == NULL) {
        return SYNC_OK;
    }

    n = node->child;

    return sync_xml_run(arena, &n, text);
}


/*
 * Text up to the next element, in one piece: a comment in it parts nothing.
 * *node is the element, or NULL.
 */

static sync_rc_t
sync_xml_run(sync_arena_t *arena, const sync_xml_node_t **node,
    sync_str_t *text)
{
    size_t                  len;
    unsigned char          *p;
    const sync_xml_node_t  *n, *end;

    len = 0;

    for (n = *node; n && n->name.data == NULL; n = n->next) {
        len += n->text.len;
    }

    end = n;
    *text = (*node)->text;

    if ((*node)->next == end) {
        *node = end;
        return SYNC_OK;
    }

    p = sync_alloc(arena, len);
    if (p == NULL) {
        return SYNC_FAULT;
    }

    text->data = p;
    text->len = len;

    for (n = *node; n != end; n = n->next) {
        memcpy(p, n->text.data, n->text.len);
        p += n->text.len;
    }

    *node = end;

    return SYNC_OK;
}


/* "#": what has no order as members has one as a list. */

static sync_rc_t
sync_xml_mixed(sync_json_out_t *out, sync_arena_t *arena,
    const sync_xml_node_t *node, sync_str_t uri,
    const sync_format_limits_t *limits)
{
    sync_rc_t               rc;
    sync_str_t              text;
    const sync_xml_node_t  *n;

    sync_json_key(out, sync_str_lit("#"));
    sync_json_open(out, '[');

    n = node->child;

    while (n) {

        if (n->name.data == NULL) {
            rc = sync_xml_run(arena, &n, &text);
            if (rc != SYNC_OK) {
                return rc;
            }

            if (node->words) {
                sync_json_string(out, text);
            }

            continue;
        }

        sync_json_open(out, '{');
        sync_json_key(out, n->name);

        rc = sync_xml_value(out, arena, n, uri, limits);
        if (rc != SYNC_OK) {
            return rc;
        }

        sync_json_close(out, '}');
        n = n->next;
    }

    sync_json_close(out, ']');

    return SYNC_OK;
}


/* Does a name come again after another one has come? */

static sync_rc_t
sync_xml_scattered(sync_arena_t *arena, const sync_xml_node_t *node,
    int *scattered)
{
    uint32_t                i, runs;
    const sync_xml_node_t  *n, *last, **names;

    *scattered = 0;

    if (node->elements < 3) {
        return SYNC_OK;
    }

    names = sync_alloc(arena, node->elements * sizeof(sync_xml_node_t *));
    if (names == NULL) {
        return SYNC_FAULT;
    }

    runs = 0;
    last = NULL;

    for (n = sync_xml_next(node->child); n; n = sync_xml_next(n->next)) {

        if (last == NULL || !sync_str_eq(last->name, n->name)) {
            names[runs++] = n;
        }

        last = n;
    }

    qsort(names, runs, sizeof(sync_xml_node_t *), sync_xml_order);

    for (i = 1; i < runs; i++) {
        if (sync_str_eq(names[i - 1]->name, names[i]->name)) {
            *scattered = 1;
            break;
        }
    }

    return SYNC_OK;
}


/* The first element from node on, or NULL. */

static const sync_xml_node_t *
sync_xml_next(const sync_xml_node_t *node)
{
    while (node && node->name.data == NULL) {
        node = node->next;
    }

    return node;
}


static int
sync_xml_order(const void *a, const void *b)
{
    int                     cmp;
    size_t                  len;
    const sync_xml_node_t  *x = *(const sync_xml_node_t *const *) a;
    const sync_xml_node_t  *y = *(const sync_xml_node_t *const *) b;

    len = x->name.len < y->name.len ? x->name.len : y->name.len;
    cmp = memcmp(x->name.data, y->name.data, len);

    return cmp ? cmp : (x->name.len > y->name.len)
                       - (x->name.len < y->name.len);
}
