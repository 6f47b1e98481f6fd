
/*
 * Values: jansson behind a wrapper.  A sync_value_t is a json_t.
 *
 * jansson reports an error by line, column and position, and quotes what it
 * read.  A second, tolerant look at the text (sync_value_scan) finds the
 * pointer instead, and bounds the depth before jansson recurses.
 */


#include "sync_value.h"

#include <jansson.h>


/* A container that is open at some place of the text. */

typedef struct {
    unsigned     object:1;
    unsigned     name_next:1;        /* the next string is a name */
    unsigned     named:1;            /* name is set */
    size_t       index;              /* arrays: the element */
    sync_str_t   name;               /* objects: the member, as written */
} sync_value_frame_t;

typedef struct {
    size_t              depth;
    sync_value_frame_t  frames[SYNC_VALUE_DEPTH];
} sync_value_scan_t;

static size_t sync_value_scan(sync_value_scan_t *scan, sync_str_t text);
static size_t sync_value_scan_string(sync_value_scan_t *scan,
    sync_str_t text, size_t i);
static sync_rc_t sync_value_place(sync_value_scan_t *scan,
    sync_arena_t *arena, sync_str_t *pointer);
static sync_rc_t sync_value_error(sync_arena_t *arena, sync_str_t text,
    const json_error_t *e, sync_error_t *err);
static const char *sync_value_what(enum json_error_code code);
static json_t *sync_value_merged(const json_t *target, const json_t *patch);
static int sync_value_merge_into(json_t *result, const json_t *target,
    const json_t *patch);


#define sync_json_of(value)    ((const json_t *) (const void *) (value))
#define sync_value_of(json)    ((sync_value_t *) (void *) (json))
#define sync_value_of_c(json)  ((const sync_value_t *) (const void *) (json))

/* jansson takes no const where it iterates, and changes nothing */
#define sync_json_mutable(json)  ((json_t *) (uintptr_t) (json))


sync_rc_t
sync_value_parse(sync_value_t **value, sync_arena_t *arena, sync_str_t text,
    unsigned flags, sync_error_t *err)
{
    size_t             offset, options;
    json_t            *json;
    json_error_t       e;
    sync_value_scan_t  scan;

    *value = NULL;

    if (sync_str_starts(text, "\xef\xbb\xbf")) {
        return sync_refuse(err, "syntax", 0, "the text starts with a byte "
                           "order mark; save it without");
    }

    offset = sync_value_scan(&scan, text);

    if (offset != SYNC_NOWHERE) {
        return sync_refuse(err, "too-deep", offset, "nested more than %d "
                           "deep", SYNC_VALUE_DEPTH);
    }

    options = JSON_REJECT_DUPLICATES | JSON_DECODE_ANY;

    if (flags & SYNC_VALUE_NUL) {
        options |= JSON_ALLOW_NUL;
    }

    if (flags & SYNC_VALUE_DOUBLES) {
        options |= JSON_DECODE_INT_AS_REAL;
    }

    json = json_loadb(text.len ? (const char *) text.data : "", text.len,
                      options, &e);

    if (json == NULL) {
        return sync_value_error(arena, text, &e, err);
    }

    *value = sync_value_of(json);

    return SYNC_OK;
}


/*
 * Walks the text without judging it and leaves the containers that are open
 * at its end in scan.  Returns the offset of the first bracket that is too
 * deep, else SYNC_NOWHERE.
 */

static size_t
sync_value_scan(sync_value_scan_t *scan, sync_str_t text)
{
    size_t               i;
    unsigned char        c;
    sync_value_frame_t  *f;

    scan->depth = 0;

    for (i = 0; i < text.len; i++) {
        c = text.data[i];
        f = scan->depth ? &scan->frames[scan->depth - 1] : NULL;

        switch (c) {

        case '"':
            i = sync_value_scan_string(scan, text, i);
            break;

        case '{':
        case '[':
            if (scan->depth == SYNC_VALUE_DEPTH) {
                return i;
            }

            f = &scan->frames[scan->depth++];
            memset(f, 0, sizeof(sync_value_frame_t));
            f->object = (c == '{');
            f->name_next = f->object;
            break;

        case '}':
        case ']':
            if (f) {
                scan->depth--;
            }

            break;

        case ',':
            if (f) {
                f->index++;
                f->name_next = f->object;
                f->named = 0;
            }

            break;

        default:
            break;
        }
    }

    return SYNC_NOWHERE;
}


/* The offset of the closing quote of the string that opens at i. */

static size_t
sync_value_scan_string(sync_value_scan_t *scan, sync_str_t text, size_t i)
{
    size_t               start;
    sync_value_frame_t  *f;

    start = ++i;

    while (i < text.len && text.data[i] != '"') {
        i += (text.data[i] == '\\') ? 2 : 1;
    }

    if (i >= text.len || scan->depth == 0) {
        return i;
    }

    f = &scan->frames[scan->depth - 1];

    if (f->name_next) {
        f->name_next = 0;
        f->named = 1;
        f->name.data = text.data + start;
        f->name.len = i - start;
    }

    return i;
}


static sync_rc_t
sync_value_place(sync_value_scan_t *scan, sync_arena_t *arena,
    sync_str_t *pointer)
{
    size_t               i;
    json_t              *name;
    sync_str_t           s;
    sync_value_frame_t  *f;

    *pointer = sync_str_null;

    for (i = 0; i < scan->depth; i++) {
        f = &scan->frames[i];

        if (!f->object) {
            *pointer = sync_pointer_index(arena, *pointer, f->index);

        } else if (f->named) {

            /* with its quotes, to have its escapes read */
            name = json_loadb((const char *) f->name.data - 1,
                              f->name.len + 2, JSON_DECODE_ANY, NULL);

            s = name ? sync_value_str(sync_value_of_c(name)) : f->name;
            *pointer = sync_pointer_member(arena, *pointer, s);
            json_decref(name);

        } else {
            return SYNC_OK;
        }

        if (pointer->data == NULL) {
            return SYNC_FAULT;
        }
    }

    return SYNC_OK;
}


static sync_rc_t
sync_value_error(sync_arena_t *arena, sync_str_t text, const json_error_t *e,
    sync_error_t *err)
{
    int                len;
    size_t             offset;
    const char        *what, *near;
    sync_str_t         seen;
    sync_value_scan_t  scan;

    what = sync_value_what(json_error_code(e));

    if (what == NULL) {
        return SYNC_FAULT;
    }

    if (err == NULL) {
        return SYNC_NO;
    }

    /* jansson stands behind the token that it did not like, or before the
       byte that it could not read */

    offset = e->position > 0 ? (size_t) e->position : 0;
    seen = text;

    if (json_error_code(e) != json_error_premature_end_of_input) {
        offset = offset < text.len ? offset : text.len;
        seen.len = offset;

        if (offset && json_error_code(e) != json_error_duplicate_key
            && json_error_code(e) != json_error_invalid_utf8)
        {
            seen.len = --offset;
        }

    } else {
        offset = text.len;
    }

    /* what follows "near" or is in quotes is input */

    near = strstr(e->text, " near ");

    if (near == NULL && json_error_code(e) == json_error_invalid_syntax
        && strncmp(e->text, "invalid Unicode", 15) == 0)
    {
        near = e->text + 15;
    }

    len = (int) (near ? (size_t) (near - e->text) : strlen(e->text));

    if (json_error_code(e) == json_error_duplicate_key) {
        sync_refuse(err, what, offset, "line %d, column %d: this member is "
                    "there twice", e->line, e->column);

    } else if (json_error_code(e) == json_error_invalid_utf8) {
        sync_refuse(err, what, offset, "line %d, column %d: this is not "
                    "UTF-8", e->line, e->column);

    } else if (json_error_code(e) == json_error_numeric_overflow) {
        sync_refuse(err, what, offset, "line %d, column %d: the number is "
                    "out of range; write it as a string", e->line, e->column);

    } else {
        sync_refuse(err, what, offset, "line %d, column %d: %.*s", e->line,
                    e->column, len, e->text);
    }

    sync_value_scan(&scan, seen);

    return sync_value_place(&scan, arena, &err->pointer) == SYNC_OK
           ? SYNC_NO : SYNC_FAULT;
}


/* NULL: not a fault of the text. */

static const char *
sync_value_what(enum json_error_code code)
{
    switch (code) {

    case json_error_invalid_utf8:
        return "utf8";

    case json_error_duplicate_key:
        return "duplicate-member";

    case json_error_numeric_overflow:
        return "number-range";

    case json_error_premature_end_of_input:
    case json_error_end_of_input_expected:
    case json_error_invalid_syntax:
    case json_error_null_character:
    case json_error_null_byte_in_key:
        return "syntax";

    default:
        return NULL;
    }
}


void
sync_value_free(sync_value_t *value)
{
    json_decref((json_t *) (void *) value);
}


/* What nobody changes may have many owners. */

sync_value_t *
sync_value_share(const sync_value_t *value)
{
    return sync_value_of(json_incref(sync_json_mutable(sync_json_of(value))));
}


sync_value_t *
sync_value_copy(const sync_value_t *value)
{
    return sync_value_of(json_deep_copy(sync_json_of(value)));
}


sync_value_t *
sync_value_merge(const sync_value_t *target, const sync_value_t *patch)
{
    return sync_value_of(sync_value_merged(sync_json_of(target),
                                           sync_json_of(patch)));
}


/* RFC 7396, section 2 */

static json_t *
sync_value_merged(const json_t *target, const json_t *patch)
{
    json_t  *result;

    if (!json_is_object(patch)) {
        return json_incref(sync_json_mutable(patch));
    }

    result = json_object();

    if (result == NULL) {
        return NULL;
    }

    if (sync_value_merge_into(result, json_is_object(target) ? target : NULL,
                              patch)
        != 0)
    {
        json_decref(result);
        return NULL;
    }

    return result;
}


static int
sync_value_merge_into(json_t *result, const json_t *target,
    const json_t *patch)
{
    json_t             *change, *merged;
    sync_value_iter_t   it = { 0 };
    const json_t       *was;

    while (sync_value_next(sync_value_of_c(target), &it)) {
        was = sync_json_of(it.value);
        change = json_object_getn(patch, (const char *) it.name.data,
                                  it.name.len);

        if (json_is_null(change)) {
            continue;
        }

        merged = change ? sync_value_merged(was, change)
                        : json_incref(sync_json_mutable(was));

        /* sets steal the value, also where they fail; NULL fails */

        if (json_object_setn_new_nocheck(result, (const char *) it.name.data,
                                         it.name.len, merged)
            != 0)
        {
            return -1;
        }
    }

    memset(&it, 0, sizeof(it));

    while (sync_value_next(sync_value_of_c(patch), &it)) {
        if (sync_value_type(it.value) == SYNC_VALUE_NULL
            || json_object_getn(target, (const char *) it.name.data,
                                it.name.len))
        {
            continue;
        }

        merged = sync_value_merged(NULL, sync_json_of(it.value));

        if (json_object_setn_new_nocheck(result, (const char *) it.name.data,
                                         it.name.len, merged)
            != 0)
        {
            return -1;
        }
    }

    return 0;
}


sync_value_type_e
sync_value_type(const sync_value_t *value)
{
    if (value == NULL) {
        return SYNC_VALUE_NONE;
    }

    switch (json_typeof(sync_json_of(value))) {

    case JSON_OBJECT:
        return SYNC_VALUE_OBJECT;

    case JSON_ARRAY:
        return SYNC_VALUE_ARRAY;

    case JSON_STRING:
        return SYNC_VALUE_STRING;

    case JSON_INTEGER:
        return SYNC_VALUE_INTEGER;

    case JSON_REAL:
        return SYNC_VALUE_REAL;

    case JSON_TRUE:
        return SYNC_VALUE_TRUE;

    case JSON_FALSE:
        return SYNC_VALUE_FALSE;

    default:
        return SYNC_VALUE_NULL;
    }
}


const char *
sync_value_type_name(const sync_value_t *value)
{
    static const char  *names[] = {
        "nothing", "null", "boolean", "boolean", "integer", "number",
        "string", "array", "object"
    };

    return names[sync_value_type(value)];
}


size_t
sync_value_count(const sync_value_t *value)
{
    if (sync_value_type(value) == SYNC_VALUE_OBJECT) {
        return json_object_size(sync_json_of(value));
    }

    return json_array_size(sync_json_of(value));
}


const sync_value_t *
sync_value_get(const sync_value_t *value, const char *name)
{
    return sync_value_of_c(json_object_get(sync_json_of(value), name));
}


const sync_value_t *
sync_value_member(const sync_value_t *value, sync_str_t name)
{
    return sync_value_of_c(json_object_getn(sync_json_of(value),
                               name.len ? (const char *) name.data : "",
                               name.len));
}


const sync_value_t *
sync_value_at(const sync_value_t *value, size_t i)
{
    return sync_value_of_c(json_array_get(sync_json_of(value), i));
}


sync_str_t
sync_value_str(const sync_value_t *value)
{
    sync_str_t     s;
    const json_t  *json;

    json = sync_json_of(value);

    if (!json_is_string(json)) {
        return sync_str_null;
    }

    s.data = (unsigned char *) (uintptr_t) json_string_value(json);
    s.len = json_string_length(json);

    return s;
}


sync_rc_t
sync_value_int(const sync_value_t *value, int64_t *n)
{
    if (!json_is_integer(sync_json_of(value))) {
        return SYNC_NO;
    }

    *n = json_integer_value(sync_json_of(value));

    return SYNC_OK;
}


sync_rc_t
sync_value_real(const sync_value_t *value, double *n)
{
    if (!json_is_number(sync_json_of(value))) {
        return SYNC_NO;
    }

    *n = json_number_value(sync_json_of(value));

    return SYNC_OK;
}


sync_rc_t
sync_value_bool(const sync_value_t *value, unsigned *b)
{
    if (!json_is_boolean(sync_json_of(value))) {
        return SYNC_NO;
    }

    *b = json_is_true(sync_json_of(value));

    return SYNC_OK;
}


int
sync_value_next(const sync_value_t *object, sync_value_iter_t *it)
{
    json_t  *json;

    if (sync_value_type(object) != SYNC_VALUE_OBJECT) {
        return 0;
    }

    json = sync_json_mutable(sync_json_of(object));

    it->place = it->place ? json_object_iter_next(json, it->place)
                          : json_object_iter(json);

    if (it->place == NULL) {
        return 0;
    }

    it->name.data = (unsigned char *) (uintptr_t)
                    json_object_iter_key(it->place);
    it->name.len = json_object_iter_key_len(it->place);
    it->value = sync_value_of_c(json_object_iter_value(it->place));

    return 1;
}
