
/*
 * The walk over a document by tables, its messages, and the block it fills.
 */


#include "sync_doc_grammar.h"

#include <stdarg.h>
#include <stdio.h>


static const sync_doc_member_t *sync_doc_member(const sync_doc_member_t *table,
    sync_str_t name);
static sync_rc_t sync_doc_unknown(sync_doc_compile_t *c,
    const sync_doc_member_t *table, sync_str_t name);
static unsigned sync_doc_distance(sync_str_t a, const char *b);
static sync_rc_t sync_doc_locate(sync_doc_compile_t *c);
static sync_rc_t sync_doc_pointer(sync_doc_compile_t *c,
    const sync_doc_place_t *place, sync_str_t *pointer);


static const char  *sync_doc_kinds[] = {
    "a value", "a string", "an object", "an array", "an integer",
    "true or false"
};


sync_rc_t
sync_doc_walk(sync_doc_compile_t *c, const sync_value_t *object,
    const sync_doc_member_t *table, void *rec)
{
    sync_rc_t                 rc;
    sync_doc_place_t          place;
    sync_value_iter_t         it = { 0 };
    const sync_value_t       *v;
    const sync_doc_member_t  *m;

    memset(&place, 0, sizeof(place));
    place.up = c->place;
    rc = SYNC_OK;

    /* what stands there, in its order */

    while (rc == SYNC_OK && sync_value_next(object, &it)) {
        m = sync_doc_member(table, it.name);
        place.name = it.name;
        c->place = &place;

        if (m == NULL) {
            rc = sync_doc_unknown(c, table, it.name);

        } else if (m->flags & SYNC_DOC_LATER) {
            rc = sync_doc_refuse(c, "not-supported", "\"%s\" is not supported "
                                 "by this version", m->name);

        } else {
            rc = sync_doc_kind(c, it.value, m->kind);
        }

        c->place = place.up;
    }

    /* what should stand there, in the order of the table */

    for (m = table; rc == SYNC_OK && m->name != NULL; m++) {
        v = sync_value_get(object, m->name);

        if (v == NULL) {
            if (m->flags & SYNC_DOC_REQUIRED) {
                rc = sync_doc_refuse(c, "missing-member",
                                     "\"%s\" is missing", m->name);
            }

            continue;
        }

        if (m->set == NULL) {
            continue;
        }

        place.name = (sync_str_t) { strlen(m->name),
                                    (unsigned char *) (uintptr_t) m->name };
        c->place = &place;

        rc = m->set(c, v, m, rec);

        c->place = place.up;
    }

    return rc;
}


sync_rc_t
sync_doc_each(sync_doc_compile_t *c, const sync_value_t *v,
    sync_doc_item_pt item, void *data)
{
    sync_rc_t          rc;
    sync_doc_place_t   place;
    sync_value_iter_t  it = { 0 };

    memset(&place, 0, sizeof(place));
    place.up = c->place;
    rc = SYNC_OK;

    if (sync_value_type(v) == SYNC_VALUE_OBJECT) {

        while (rc == SYNC_OK && sync_value_next(v, &it)) {
            place.name = it.name;
            c->place = &place;

            rc = item(c, it.name, it.value, (uint32_t) place.index++, data);

            c->place = place.up;
        }

        return rc;
    }

    for ( /* void */ ; rc == SYNC_OK && place.index < sync_value_count(v);
         place.index++)
    {
        c->place = &place;

        rc = item(c, sync_str_null, sync_value_at(v, place.index),
                  (uint32_t) place.index, data);

        c->place = place.up;
    }

    return rc;
}


sync_rc_t
sync_doc_kind(sync_doc_compile_t *c, const sync_value_t *v,
    sync_doc_kind_e kind)
{
    int  good;

    switch (sync_value_type(v)) {

    case SYNC_VALUE_STRING:
        good = (kind == SYNC_DOC_STRING);
        break;

    case SYNC_VALUE_OBJECT:
        good = (kind == SYNC_DOC_OBJECT);
        break;

    case SYNC_VALUE_ARRAY:
        good = (kind == SYNC_DOC_ARRAY);
        break;

    case SYNC_VALUE_INTEGER:
        good = (kind == SYNC_DOC_INTEGER);
        break;

    case SYNC_VALUE_TRUE:
    case SYNC_VALUE_FALSE:
        good = (kind == SYNC_DOC_BOOLEAN);
        break;

    default:
        good = 0;
        break;
    }

    if (good || kind == SYNC_DOC_ANY) {
        return SYNC_OK;
    }

    return sync_doc_refuse(c, "type", "is %s %s and should be %s",
                           strchr("aio", *sync_value_type_name(v)) ? "an"
                                                                   : "a",
                           sync_value_type_name(v), sync_doc_kinds[kind]);
}


sync_rc_t
sync_doc_word(sync_doc_compile_t *c, const sync_doc_words_t *words,
    sync_str_t s, int member, uint32_t *value)
{
    size_t                  len;
    unsigned                distance;
    char                    list[160];
    const char             *near;
    sync_doc_shown_t        shown;
    const sync_doc_word_t  *w;

    for (w = words->words; w->name != NULL; w++) {

        if (!sync_str_is(s, w->name)) {
            continue;
        }

        if (w->later) {
            return sync_doc_refuse(c, "not-supported", "%s \"%s\" is not "
                                   "supported by this version", words->what,
                                   w->name);
        }

        *value = w->value;

        return SYNC_OK;
    }

    near = NULL;
    distance = SYNC_DOC_NEAR;
    len = 0;
    list[0] = '\0';

    for (w = words->words; w->name != NULL; w++) {

        if (sync_doc_near(s, w->name, &distance)) {
            near = w->name;
        }

        if (!w->later && len < sizeof(list)) {
            len += (size_t) snprintf(list + len, sizeof(list) - len, "%s%s",
                                     len ? ", " : "", w->name);
        }
    }

    if (near) {
        return sync_doc_refuse(c, member ? "unknown-member" : "value",
                               "unknown %s \"%s\", did you mean \"%s\"?",
                               words->what, sync_doc_show(&shown, s), near);
    }

    return sync_doc_refuse(c, member ? "unknown-member" : "value",
                           "unknown %s \"%s\"; known are %s", words->what,
                           sync_doc_show(&shown, s), list);
}


static const sync_doc_member_t *
sync_doc_member(const sync_doc_member_t *table, sync_str_t name)
{
    const sync_doc_member_t  *m;

    for (m = table; m->name != NULL; m++) {
        if (sync_str_is(name, m->name)) {
            return m;
        }
    }

    return NULL;
}


static sync_rc_t
sync_doc_unknown(sync_doc_compile_t *c, const sync_doc_member_t *table,
    sync_str_t name)
{
    size_t                    len;
    unsigned                  distance;
    char                      list[160];
    const char               *near;
    sync_doc_shown_t          shown;
    const sync_doc_member_t  *m;

    near = NULL;
    distance = SYNC_DOC_NEAR;
    len = 0;
    list[0] = '\0';

    for (m = table; m->name != NULL; m++) {
        if (sync_doc_near(name, m->name, &distance)) {
            near = m->name;
        }

        if (!(m->flags & SYNC_DOC_LATER) && len < sizeof(list)) {
            len += (size_t) snprintf(list + len, sizeof(list) - len, "%s%s",
                                     len ? ", " : "", m->name);
        }
    }

    if (near) {
        return sync_doc_refuse(c, "unknown-member", "unknown member \"%s\", "
                               "did you mean \"%s\"?",
                               sync_doc_show(&shown, name), near);
    }

    return sync_doc_refuse(c, "unknown-member",
                           "unknown member \"%s\"; known are %s",
                           sync_doc_show(&shown, name), list);
}


int
sync_doc_near(sync_str_t name, const char *known, unsigned *distance)
{
    size_t    len;
    unsigned  d;

    len = strlen(known);

    if (name.len > SYNC_DOC_NEAR || len > SYNC_DOC_NEAR) {
        return 0;
    }

    d = sync_doc_distance(name, known);

    if (d >= *distance || d > (len < 6 ? 1 : 1 + len / 4)) {
        return 0;
    }

    *distance = d;

    return 1;
}


/*
 * The edits between two names (Damerau-Levenshtein, adjacent swaps count
 * one): of at most SYNC_DOC_NEAR bytes each.
 */

static unsigned
sync_doc_distance(sync_str_t a, const char *b)
{
    size_t    i, j, len;
    unsigned  best, row[3][SYNC_DOC_NEAR + 1], *up, *up2, *cur, *spare;

    len = strlen(b);

    up2 = row[0];
    up = row[1];
    cur = row[2];

    for (j = 0; j <= len; j++) {
        up[j] = (unsigned) j;
    }

    for (i = 1; i <= a.len; i++) {
        cur[0] = (unsigned) i;

        for (j = 1; j <= len; j++) {
            best = up[j - 1]
                   + (a.data[i - 1] != (unsigned char) b[j - 1]);

            if (up[j] + 1 < best) {
                best = up[j] + 1;
            }

            if (cur[j - 1] + 1 < best) {
                best = cur[j - 1] + 1;
            }

            if (i > 1 && j > 1
                && a.data[i - 1] == (unsigned char) b[j - 2]
                && a.data[i - 2] == (unsigned char) b[j - 1]
                && up2[j - 2] + 1 < best)
            {
                best = up2[j - 2] + 1;
            }

            cur[j] = best;
        }

        spare = up2;
        up2 = up;
        up = cur;
        cur = spare;
    }

    return up[len];
}


sync_rc_t
sync_doc_refuse(sync_doc_compile_t *c, const char *what, const char *fmt, ...)
{
    va_list  args;

    if (c->err == NULL) {
        return SYNC_NO;
    }

    c->err->what = what;
    c->err->offset = SYNC_NOWHERE;

    va_start(args, fmt);
    vsnprintf(c->err->text, sizeof(c->err->text), fmt, args);
    va_end(args);

    return sync_doc_locate(c);
}


sync_rc_t
sync_doc_refuse_at(sync_doc_compile_t *c, const char *member, const char *what,
    const char *fmt, ...)
{
    va_list           args;
    sync_rc_t         rc;
    sync_doc_place_t  place;

    if (c->err == NULL) {
        return SYNC_NO;
    }

    c->err->what = what;
    c->err->offset = SYNC_NOWHERE;

    va_start(args, fmt);
    vsnprintf(c->err->text, sizeof(c->err->text), fmt, args);
    va_end(args);

    memset(&place, 0, sizeof(place));
    place.up = c->place;
    place.name.len = strlen(member);
    place.name.data = (unsigned char *) (uintptr_t) member;

    c->place = &place;
    rc = sync_doc_locate(c);
    c->place = place.up;

    return rc;
}


static sync_rc_t
sync_doc_locate(sync_doc_compile_t *c)
{
    sync_rc_t  rc;

    rc = sync_doc_pointer(c, c->place, &c->err->pointer);

    return rc == SYNC_OK ? SYNC_NO : rc;
}


static sync_rc_t
sync_doc_pointer(sync_doc_compile_t *c, const sync_doc_place_t *place,
    sync_str_t *pointer)
{
    if (place == NULL) {
        *pointer = sync_str_lit("");
        return SYNC_OK;
    }

    if (sync_doc_pointer(c, place->up, pointer) != SYNC_OK) {
        return SYNC_FAULT;
    }

    *pointer = place->name.data
               ? sync_pointer_member(c->arena, *pointer, place->name)
               : sync_pointer_index(c->arena, *pointer, place->index);

    return pointer->data ? SYNC_OK : SYNC_FAULT;
}


const char *
sync_doc_show(sync_doc_shown_t *shown, sync_str_t s)
{
    size_t  i;

    for (i = 0; i < s.len && i < 40; i++) {
        shown->text[i] = s.data[i] >= 0x20 && s.data[i] < 0x7f
                         ? (char) s.data[i] : '?';
    }

    memcpy(shown->text + i, i < s.len ? "..." : "", i < s.len ? 4 : 1);

    return shown->text;
}


sync_rc_t
sync_doc_records(sync_doc_compile_t *c, const sync_value_t *v,
    sync_doc_ref_t *ref, size_t size, sync_doc_item_pt item, void *data)
{
    sync_rc_t  rc;

    ref->n = (uint32_t) sync_value_count(v);

    rc = sync_doc_room(c, ref->n, size, &ref->off);

    return rc == SYNC_OK ? sync_doc_each(c, v, item, data) : rc;
}


sync_rc_t
sync_doc_room(sync_doc_compile_t *c, size_t n, size_t size, uint32_t *off)
{
    size_t          start, need, room;
    unsigned char  *block;

    start = (c->size + 7) & ~(size_t) 7;

    if (size && n > SYNC_DOC_MAX / size) {
        return sync_doc_refuse(c, "too-large", "has too many entries");
    }

    need = start + n * size;

    if (need > SYNC_DOC_MAX) {
        return sync_doc_refuse(c, "too-large", "the document is larger than "
                               "%d bytes once compiled", SYNC_DOC_MAX);
    }

    if (need > c->room) {
        room = need > 2 * c->room ? need : 2 * c->room;

        block = sync_alloc(c->arena, room);
        if (block == NULL) {
            return SYNC_FAULT;
        }

        if (c->size) {
            memcpy(block, c->block, c->size);
        }

        c->block = block;
        c->room = room;
    }

    memset(c->block + c->size, 0, need - c->size);

    c->size = need;
    *off = (uint32_t) start;

    return SYNC_OK;
}


void
sync_doc_write(sync_doc_compile_t *c, uint32_t off, size_t i, const void *rec,
    size_t size)
{
    memcpy(c->block + off + i * size, rec, size);
}


sync_rc_t
sync_doc_string(sync_doc_compile_t *c, sync_str_t s, sync_doc_ref_t *ref)
{
    sync_rc_t  rc;

    rc = sync_doc_room(c, s.len, 1, &ref->off);
    if (rc != SYNC_OK) {
        return rc;
    }

    if (s.len) {
        memcpy(c->block + ref->off, s.data, s.len);
    }

    ref->n = (uint32_t) s.len;

    return SYNC_OK;
}


sync_str_t
sync_doc_now(sync_doc_compile_t *c, sync_doc_ref_t ref)
{
    return (sync_str_t) { ref.n, c->block + ref.off };
}


/* All such records begin with their name. */

sync_rc_t
sync_doc_find(sync_doc_compile_t *c, sync_doc_ref_t list, size_t size,
    sync_str_t name, uint32_t *index)
{
    uint32_t        i;
    sync_doc_ref_t  ref;

    for (i = 0; i < list.n; i++) {
        memcpy(&ref, c->block + list.off + i * size, sizeof(ref));

        if (sync_str_eq(sync_doc_now(c, ref), name)) {
            *index = i;
            return SYNC_OK;
        }
    }

    return SYNC_NO;
}


sync_rc_t
sync_doc_no_such(sync_doc_compile_t *c, const char *what, sync_doc_ref_t list,
    size_t size, sync_str_t name)
{
    uint32_t          i;
    unsigned          distance;
    char              known[SYNC_DOC_NAME + 1];
    sync_str_t        s;
    sync_doc_ref_t    ref;
    sync_doc_shown_t  shown, near;

    near.text[0] = '\0';
    distance = SYNC_DOC_NEAR;

    for (i = 0; i < list.n; i++) {
        memcpy(&ref, c->block + list.off + i * size, sizeof(ref));

        s = sync_doc_now(c, ref);
        memcpy(known, s.data, s.len);
        known[s.len] = '\0';

        if (sync_doc_near(name, known, &distance)) {
            sync_doc_show(&near, s);
        }
    }

    return sync_doc_refuse(c, "reference", "there is no %s \"%s\"%s%s%s", what,
                           sync_doc_show(&shown, name),
                           near.text[0] ? ", did you mean \"" : "",
                           near.text, near.text[0] ? "\"?" : "");
}
