
/*
 * Formats by their names, and what all readers and writers need.
 */


#include "sync_format.h"


#define SYNC_FORMAT_SIZE   (16 * 1024 * 1024)
#define SYNC_FORMAT_NODES  1000000
#define SYNC_FORMAT_DEPTH  128
#define SYNC_FORMAT_BYTES  64            /* of text, for one of work */


/*
 * sent: the media type with its parameters; types: what is taken, and what may
 * end so.
 */

typedef struct {
    const char  *name;
    const char  *sent;
    const char  *types[3];
    const char  *suffix;
} sync_format_word_t;


static const sync_format_word_t  sync_format_words[] = {

    { "json", "application/json",
      { "application/json" }, "+json" },

    { "form", "application/x-www-form-urlencoded",
      { "application/x-www-form-urlencoded" }, NULL },

    { "xml", "application/xml",
      { "application/xml", "text/xml" }, "+xml" },

    { "soap-1.1", "text/xml; charset=utf-8",
      { "text/xml" }, NULL },

    { "soap-1.2", "application/soap+xml; charset=utf-8",
      { "application/soap+xml" }, NULL },

    { "csv", "text/csv",
      { "text/csv" }, NULL },

    { "odata-v2", "application/json",
      { "application/json" }, "+json" },

    { "odata-v4", "application/json",
      { "application/json" }, "+json" },

    { "json-rpc", "application/json",
      { "application/json", "application/json-rpc",
        "application/jsonrequest" }, NULL }
};


static sync_str_t sync_format_str(const char *s);


sync_rc_t
sync_format_read(sync_format_e format, sync_arena_t *arena, sync_str_t text,
    const sync_format_limits_t *limits, sync_str_t *json, sync_error_t *err)
{
    switch (format) {

    case SYNC_FORMAT_FORM:
        return sync_form_read(arena, text, limits, json, err);

    case SYNC_FORMAT_XML:
        return sync_xml_read(arena, text, limits, json, err);

    case SYNC_FORMAT_SOAP_11:
        return sync_soap_read(SYNC_SOAP_11, arena, text, limits, json, err);

    case SYNC_FORMAT_SOAP_12:
        return sync_soap_read(SYNC_SOAP_12, arena, text, limits, json, err);

    case SYNC_FORMAT_CSV:
        return sync_csv_read(arena, text, limits, json, err);

    default:
        *json = text;
        return SYNC_OK;
    }
}


sync_rc_t
sync_format_write(sync_format_e format, const sync_json_t *json, uint32_t n,
    sync_arena_t *arena, size_t max, sync_str_t *text, sync_error_t *err)
{
    switch (format) {

    case SYNC_FORMAT_FORM:
        return sync_form_write(json, n, arena, max, text, err);

    case SYNC_FORMAT_XML:
        return sync_xml_write(json, n, arena, max, text, err);

    case SYNC_FORMAT_SOAP_11:
        return sync_soap_write(SYNC_SOAP_11, json, n, arena, max, text, err);

    case SYNC_FORMAT_SOAP_12:
        return sync_soap_write(SYNC_SOAP_12, json, n, arena, max, text, err);

    case SYNC_FORMAT_CSV:
        return sync_csv_write(json, n, arena, max, text, err);

    default:
        *text = sync_json_raw(json, n);
        return SYNC_OK;
    }
}


sync_format_e
sync_format_by_name(sync_str_t name)
{
    unsigned  i;

    for (i = 0; i < SYNC_FORMATS; i++) {
        if (sync_str_is(name, sync_format_words[i].name)) {
            break;
        }
    }

    return (sync_format_e) i;
}


sync_str_t
sync_format_name(sync_format_e format)
{
    return sync_format_str(sync_format_words[format].name);
}


sync_str_t
sync_format_media(sync_format_e format)
{
    return sync_format_str(sync_format_words[format].sent);
}


int
sync_format_takes(sync_format_e format, sync_str_t type)
{
    size_t                     i, len;
    const sync_format_word_t  *word;

    word = &sync_format_words[format];

    for (i = 0; i < sizeof(word->types) / sizeof(word->types[0]); i++) {
        if (word->types[i] && sync_str_is(type, word->types[i])) {
            return 1;
        }
    }

    if (word->suffix == NULL) {
        return 0;
    }

    len = strlen(word->suffix);

    return type.len > len
           && memcmp(type.data + type.len - len, word->suffix, len) == 0;
}


int
sync_format_is_json(sync_format_e format)
{
    return format == SYNC_FORMAT_JSON || format >= SYNC_FORMAT_ODATA_V2;
}


static sync_str_t
sync_format_str(const char *s)
{
    return (sync_str_t) { strlen(s), (unsigned char *) (uintptr_t) s };
}


sync_rc_t
sync_format_begin(sync_format_limits_t *limits,
    const sync_format_limits_t *given, sync_str_t text, sync_error_t *err)
{
    size_t    at;
    uint64_t  work;

    *limits = *given;

    limits->size = limits->size ? limits->size : SYNC_FORMAT_SIZE;
    limits->nodes = limits->nodes ? limits->nodes : SYNC_FORMAT_NODES;
    limits->depth = limits->depth ? limits->depth : SYNC_FORMAT_DEPTH;

    if (text.len > limits->size) {
        return sync_refuse(err, "too-large", SYNC_NOWHERE,
                           "the text is longer than %zu bytes", limits->size);
    }

    if (limits->work != NULL) {
        work = text.len / SYNC_FORMAT_BYTES;

        if (work > *limits->work) {
            *limits->work = 0;
            return sync_refuse(err, "too-much-work", SYNC_NOWHERE,
                               "the text is too much work");
        }

        *limits->work -= work;
    }

    at = sync_format_utf8(text);

    if (at != SYNC_NOWHERE) {
        return sync_refuse(err, "utf8", at, "line %zu is not UTF-8",
                           sync_format_line(text, at));
    }

    return SYNC_OK;
}


sync_rc_t
sync_format_node(sync_format_limits_t *limits, size_t offset,
    sync_error_t *err)
{
    if (limits->nodes == 0) {
        return sync_refuse(err, "too-many-nodes", offset,
                           "there are too many values");
    }

    limits->nodes--;

    if (limits->work == NULL) {
        return SYNC_OK;
    }

    if (*limits->work == 0) {
        return sync_refuse(err, "too-much-work", offset,
                           "the text is too much work");
    }

    *limits->work -= 1;

    return SYNC_OK;
}


int
sync_format_listed(const sync_format_limits_t *limits, sync_str_t name)
{
    uint32_t  i;

    for (i = 0; i < limits->nlists; i++) {
        if (sync_str_eq(limits->lists[i], name)) {
            return 1;
        }
    }

    return 0;
}


sync_rc_t
sync_format_json(sync_json_out_t *out, sync_str_t *json, sync_error_t *err)
{
    sync_rc_t  rc;

    rc = sync_json_end(out, json);

    if (rc == SYNC_NO) {
        return sync_refuse(err, "too-large", SYNC_NOWHERE,
                           "as JSON it is longer than %zu bytes", out->max);
    }

    return rc;
}


size_t
sync_format_utf8(sync_str_t text)
{
    size_t                n;
    const unsigned char  *p, *end;

    p = text.data;
    end = p + text.len;

    while (p < end) {

        if (*p < 0x80) {
            p++;
            continue;
        }

        n = sync_json_utf8(p, end);

        if (n == 0) {
            return (size_t) (p - text.data);
        }

        p += n;
    }

    return SYNC_NOWHERE;
}


size_t
sync_format_line(sync_str_t text, size_t offset)
{
    size_t  i, line;

    line = 1;

    for (i = 0; i < offset && i < text.len; i++) {
        line += text.data[i] == '\n';
    }

    return line;
}


sync_rc_t
sync_format_refuse(const sync_json_t *json, uint32_t n, sync_arena_t *arena,
    sync_error_t *err, const char *text)
{
    if (err != NULL) {
        (void) sync_refuse(err, "format", SYNC_NOWHERE, "%s", text);

        err->pointer = sync_json_pointer(json, n, arena);

        if (err->pointer.data == NULL) {
            return SYNC_FAULT;
        }
    }

    return SYNC_NO;
}


sync_rc_t
sync_format_scalar(const sync_json_t *json, uint32_t n, sync_arena_t *arena,
    sync_str_t *text)
{
    switch (json->nodes[n].type) {

    case SYNC_JSON_NULL:
        *text = sync_str_lit("");
        return SYNC_OK;

    case SYNC_JSON_FALSE:
    case SYNC_JSON_TRUE:
    case SYNC_JSON_NUMBER:
        *text = sync_json_raw(json, n);
        return SYNC_OK;

    case SYNC_JSON_STRING:
        *text = sync_json_unescape(json, n, arena);
        return text->data != NULL ? SYNC_OK : SYNC_FAULT;

    default:
        return SYNC_NO;
    }
}
