
/*
 * JSON as XML.  Namespaces are declared where they change, as the default;
 * what needs a prefix gets one of its own.
 */


#include "sync_xml.h"

#include <stdio.h>


static sync_rc_t sync_xml_member(sync_xml_out_t *out, uint32_t key,
    sync_str_t uri, sync_str_t scope);
static sync_rc_t sync_xml_element(sync_xml_out_t *out, sync_str_t name,
    uint32_t n, sync_str_t uri, sync_str_t scope);
static sync_rc_t sync_xml_object(sync_xml_out_t *out, sync_str_t name,
    uint32_t n, sync_str_t uri, sync_str_t scope);
static sync_rc_t sync_xml_start(sync_xml_out_t *out, sync_str_t name,
    uint32_t n, sync_str_t uri, sync_str_t scope);
static void sync_xml_close(sync_xml_out_t *out, sync_str_t name);
static sync_rc_t sync_xml_space(sync_xml_out_t *out, uint32_t n,
    const char *member, sync_str_t *uri);
static sync_rc_t sync_xml_attr(sync_xml_out_t *out, sync_str_t key,
    uint32_t n);
static sync_rc_t sync_xml_type(sync_xml_out_t *out, uint32_t n,
    sync_str_t value);
static sync_rc_t sync_xml_content(sync_xml_out_t *out, uint32_t n,
    sync_str_t uri, sync_str_t scope);
static sync_rc_t sync_xml_list(sync_xml_out_t *out, uint32_t n,
    sync_str_t uri, sync_str_t scope);
static sync_rc_t sync_xml_scalar(sync_xml_out_t *out, uint32_t n,
    int attribute);
static sync_rc_t sync_xml_put(sync_xml_out_t *out, uint32_t n, sync_str_t s,
    int attribute);
static sync_rc_t sync_xml_prefix(sync_xml_out_t *out, uint32_t n,
    sync_str_t uri, char prefix[16]);
static unsigned char *sync_xml_brace(sync_str_t s);
static int sync_xml_reserved(sync_str_t uri);
static int sync_xml_name_ok(sync_str_t s);
static int sync_xml_name_char(uint32_t c, int first);
static uint32_t sync_xml_char(const unsigned char *p, size_t n);
static sync_rc_t sync_xml_no(sync_xml_out_t *out, uint32_t n,
    const char *text);


sync_rc_t
sync_xml_write(const sync_json_t *json, uint32_t n, sync_arena_t *arena,
    size_t max, sync_str_t *text, sync_error_t *err)
{
    sync_rc_t       rc;
    sync_xml_out_t  out;

    memset(&out, 0, sizeof(sync_xml_out_t));

    out.json = json;
    out.arena = arena;
    out.err = err;

    out.skip = SYNC_JSON_NONE;

    if (json->nodes[n].type != SYNC_JSON_OBJECT || json->nodes[n].len != 1
        || json->nodes[n + 2].type == SYNC_JSON_ARRAY
        || sync_str_starts(sync_json_slice(json, n + 1), "#"))
    {
        return sync_xml_no(&out, n, "XML has one root: an object with one "
                           "member");
    }

    out.xsi = sync_xml_needs_xsi(json, n);

    sync_text_begin(&out.text, arena, 0, max);
    sync_text_lit(&out.text, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");

    rc = sync_xml_elements(&out, n, sync_str_lit(""));

    return rc == SYNC_OK ? sync_xml_end(&out, text) : rc;
}


sync_rc_t
sync_xml_end(sync_xml_out_t *out, sync_str_t *text)
{
    sync_rc_t  rc;

    rc = sync_text_end(&out->text, text);

    return rc == SYNC_NO ? sync_refuse(out->err, "too-large", SYNC_NOWHERE,
                                       "the XML is too long")
                         : rc;
}


int
sync_xml_needs_xsi(const sync_json_t *json, uint32_t n)
{
    uint32_t    i;
    sync_str_t  key;

    for (i = n; i < json->nodes[n].next; i++) {

        if (json->nodes[i].type == SYNC_JSON_NULL) {
            return 1;
        }

        if (json->nodes[i].type != SYNC_JSON_KEY) {
            continue;
        }

        key = sync_json_slice(json, i);

        if ((json->nodes[i].flags & SYNC_JSON_ESCAPED)
            || sync_str_starts(key, "@xsi:"))
        {
            return 1;
        }
    }

    return 0;
}


/* The caller has declared no default namespace around them. */

sync_rc_t
sync_xml_elements(sync_xml_out_t *out, uint32_t n, sync_str_t uri)
{
    uint32_t  i;

    for (i = sync_json_first(out->json, n); i != SYNC_JSON_NONE;
         i = sync_json_after(out->json, n, i))
    {
        if (sync_str_starts(sync_json_slice(out->json, i), "@")) {
            return sync_xml_no(out, i + 1, "an attribute belongs to an "
                               "element");
        }
    }

    return sync_xml_content(out, n, uri, sync_str_lit(""));
}


/*
 * The members of an object that are elements and text.  uri: the namespace
 * that elements are in unless they say otherwise; scope: the default one that
 * is declared.
 */

static sync_rc_t
sync_xml_content(sync_xml_out_t *out, uint32_t n, sync_str_t uri,
    sync_str_t scope)
{
    uint32_t    i;
    sync_rc_t   rc;
    sync_str_t  key;

    for (i = sync_json_first(out->json, n); i != SYNC_JSON_NONE;
         i = sync_json_after(out->json, n, i))
    {
        key = sync_json_slice(out->json, i);

        if (sync_str_starts(key, "@") || i == out->skip) {
            continue;
        }

        if (sync_str_is(key, "#text")) {
            rc = sync_xml_scalar(out, i + 1, 0);

        } else if (sync_str_is(key, "#")) {
            rc = sync_xml_list(out, i + 1, uri, scope);

        } else {
            rc = sync_xml_member(out, i, uri, scope);
        }

        if (rc != SYNC_OK) {
            return rc;
        }
    }

    return SYNC_OK;
}


/* One element, or those of an array. */

static sync_rc_t
sync_xml_member(sync_xml_out_t *out, uint32_t key, sync_str_t uri,
    sync_str_t scope)
{
    uint32_t    i, value;
    sync_rc_t   rc;
    sync_str_t  name;

    value = key + 1;

    name = sync_json_unescape(out->json, key, out->arena);
    if (name.data == NULL) {
        return SYNC_FAULT;
    }

    if (!sync_xml_name_ok(name)) {
        return sync_xml_no(out, value, "the name of the member is no name of "
                           "an element");
    }

    if (out->json->nodes[value].type != SYNC_JSON_ARRAY) {
        return sync_xml_element(out, name, value, uri, scope);
    }

    for (i = sync_json_first(out->json, value); i != SYNC_JSON_NONE;
         i = sync_json_after(out->json, value, i))
    {
        if (out->json->nodes[i].type == SYNC_JSON_ARRAY) {
            return sync_xml_no(out, i, "XML has no lists of lists");
        }

        rc = sync_xml_element(out, name, i, uri, scope);
        if (rc != SYNC_OK) {
            return rc;
        }
    }

    return SYNC_OK;
}


static sync_rc_t
sync_xml_list(sync_xml_out_t *out, uint32_t n, sync_str_t uri,
    sync_str_t scope)
{
    uint32_t   i;
    sync_rc_t  rc;

    if (out->json->nodes[n].type != SYNC_JSON_ARRAY) {
        return sync_xml_no(out, n, "\"#\" is a list of strings and objects");
    }

    for (i = sync_json_first(out->json, n); i != SYNC_JSON_NONE;
         i = sync_json_after(out->json, n, i))
    {
        if (out->json->nodes[i].type != SYNC_JSON_OBJECT) {
            rc = sync_xml_scalar(out, i, 0);

        } else if (out->json->nodes[i].len == 1) {
            rc = sync_xml_member(out, i + 1, uri, scope);

        } else {
            rc = sync_xml_no(out, i, "an object of \"#\" is one element");
        }

        if (rc != SYNC_OK) {
            return rc;
        }
    }

    return SYNC_OK;
}


static sync_rc_t
sync_xml_element(sync_xml_out_t *out, sync_str_t name, uint32_t n,
    sync_str_t uri, sync_str_t scope)
{
    sync_rc_t  rc;

    if (out->json->nodes[n].type == SYNC_JSON_OBJECT) {
        return sync_xml_object(out, name, n, uri, scope);
    }

    rc = sync_xml_start(out, name, n, uri, scope);
    if (rc != SYNC_OK) {
        return rc;
    }

    if (out->json->nodes[n].type == SYNC_JSON_NULL) {
        sync_text_lit(&out->text, " xsi:nil=\"true\"/>");
        return SYNC_OK;
    }

    sync_text_byte(&out->text, '>');

    rc = sync_xml_scalar(out, n, 0);

    sync_xml_close(out, name);

    return rc;
}


static sync_rc_t
sync_xml_object(sync_xml_out_t *out, sync_str_t name, uint32_t n,
    sync_str_t uri, sync_str_t scope)
{
    uint32_t    i;
    sync_rc_t   rc;
    sync_str_t  key, inner;

    rc = sync_xml_space(out, n, "@xmlns", &uri);

    inner = uri;

    if (rc == SYNC_OK) {
        rc = sync_xml_space(out, n, "@xmlns:in", &inner);
    }

    if (rc != SYNC_OK) {
        return rc;
    }

    rc = sync_xml_start(out, name, n, uri, scope);
    if (rc != SYNC_OK) {
        return rc;
    }

    for (i = sync_json_first(out->json, n); i != SYNC_JSON_NONE;
         i = sync_json_after(out->json, n, i))
    {
        key = sync_json_unescape(out->json, i, out->arena);
        if (key.data == NULL) {
            return SYNC_FAULT;
        }

        if (!sync_str_starts(key, "@") || sync_str_is(key, "@xmlns")
            || sync_str_is(key, "@xmlns:in"))
        {
            continue;
        }

        key.data++;
        key.len--;

        rc = sync_xml_attr(out, key, i + 1);
        if (rc != SYNC_OK) {
            return rc;
        }
    }

    sync_text_byte(&out->text, '>');

    rc = sync_xml_content(out, n, inner, uri);

    sync_xml_close(out, name);

    return rc;
}


/* A start tag but for its attributes and its end. */

static sync_rc_t
sync_xml_start(sync_xml_out_t *out, sync_str_t name, uint32_t n,
    sync_str_t uri, sync_str_t scope)
{
    sync_rc_t  rc;

    sync_text_byte(&out->text, '<');
    sync_text_add(&out->text, name);

    if (!sync_str_eq(uri, scope)) {
        sync_text_lit(&out->text, " xmlns=\"");

        rc = sync_xml_put(out, n, uri, 1);
        if (rc != SYNC_OK) {
            return rc;
        }

        sync_text_byte(&out->text, '"');
    }

    if (out->xsi) {
        out->xsi = 0;
        sync_text_lit(&out->text, " xmlns:xsi=\"" SYNC_XML_XSI "\"");
    }

    return SYNC_OK;
}


static void
sync_xml_close(sync_xml_out_t *out, sync_str_t name)
{
    sync_text_lit(&out->text, "</");
    sync_text_add(&out->text, name);
    sync_text_byte(&out->text, '>');
}


static sync_rc_t
sync_xml_space(sync_xml_out_t *out, uint32_t n, const char *member,
    sync_str_t *uri)
{
    uint32_t  value;

    value = sync_json_member(out->json, n,
                             (sync_str_t) { strlen(member),
                                            (unsigned char *) (uintptr_t)
                                            member });
    if (value == SYNC_JSON_NONE) {
        return SYNC_OK;
    }

    if (out->json->nodes[value].type != SYNC_JSON_STRING) {
        return sync_xml_no(out, value, "the name of a namespace is a string");
    }

    *uri = sync_json_unescape(out->json, value, out->arena);

    if (uri->data == NULL) {
        return SYNC_FAULT;
    }

    return sync_xml_reserved(*uri)
           ? sync_xml_no(out, value, "this namespace is XML's own")
           : SYNC_OK;
}


/* "name", "xsi:name", "xml:name", "{uri}name" */

static sync_rc_t
sync_xml_attr(sync_xml_out_t *out, sync_str_t key, uint32_t n)
{
    char            prefix[16];
    sync_rc_t       rc;
    sync_str_t      name, uri, value;
    unsigned char  *brace;

    name = key;
    prefix[0] = '\0';

    if (sync_str_starts(key, "xsi:")) {
        (void) strcpy(prefix, "xsi:");

    } else if (sync_str_starts(key, "xml:")) {
        (void) strcpy(prefix, "xml:");

    } else if (sync_str_starts(key, "{")) {
        brace = sync_xml_brace(key);

        if (brace == NULL || brace == key.data + 1) {
            return sync_xml_no(out, n, "an attribute of a namespace is "
                               "\"@{namespace}name\"");
        }

        uri.data = key.data + 1;
        uri.len = (size_t) (brace - uri.data);

        name.data = brace + 1;
        name.len = key.len - uri.len - 2;

        rc = sync_xml_prefix(out, n, uri, prefix);
        if (rc != SYNC_OK) {
            return rc;
        }
    }

    if (prefix[0] == 'x') {
        name.data += 4;
        name.len -= 4;
    }

    if (!sync_xml_name_ok(name) || sync_str_is(key, "xmlns")) {
        return sync_xml_no(out, n, "the name of the member is no name of an "
                           "attribute");
    }

    if (sync_str_is(key, "xsi:type")) {
        rc = sync_format_scalar(out->json, n, out->arena, &value);

        if (rc == SYNC_OK && sync_str_starts(value, "{")) {
            return sync_xml_type(out, n, value);
        }
    }

    sync_text_byte(&out->text, ' ');
    sync_text_add(&out->text, (sync_str_t) { strlen(prefix),
                                             (unsigned char *) prefix });
    sync_text_add(&out->text, name);
    sync_text_lit(&out->text, "=\"");

    rc = sync_xml_scalar(out, n, 1);

    sync_text_byte(&out->text, '"');

    return rc;
}


/* The value of xsi:type is a name of a namespace, too. */

static sync_rc_t
sync_xml_type(sync_xml_out_t *out, uint32_t n, sync_str_t value)
{
    char            prefix[16];
    sync_rc_t       rc;
    sync_str_t      uri;
    unsigned char  *brace;

    brace = sync_xml_brace(value);

    if (brace == NULL || brace == value.data + 1) {
        return sync_xml_no(out, n, "a type is \"{namespace}name\"");
    }

    uri.data = value.data + 1;
    uri.len = (size_t) (brace - uri.data);

    value.data = brace + 1;
    value.len -= uri.len + 2;

    if (!sync_xml_name_ok(value)) {
        return sync_xml_no(out, n, "a type is \"{namespace}name\"");
    }

    rc = sync_xml_prefix(out, n, uri, prefix);
    if (rc != SYNC_OK) {
        return rc;
    }

    sync_text_lit(&out->text, " xsi:type=\"");
    sync_text_add(&out->text, (sync_str_t) { strlen(prefix),
                                             (unsigned char *) prefix });
    sync_text_add(&out->text, value);
    sync_text_byte(&out->text, '"');

    return SYNC_OK;
}


/* Declares a prefix of our own; no other begins so. */

static sync_rc_t
sync_xml_prefix(sync_xml_out_t *out, uint32_t n, sync_str_t uri,
    char prefix[16])
{
    int        len;
    sync_rc_t  rc;

    if (sync_xml_reserved(uri)) {
        return sync_xml_no(out, n, "this namespace is XML's own");
    }

    len = snprintf(prefix, 16, "n%u", (unsigned) ++out->prefixes);

    sync_text_lit(&out->text, " xmlns:");
    sync_text_add(&out->text, (sync_str_t) { (size_t) len,
                                             (unsigned char *) prefix });
    sync_text_lit(&out->text, "=\"");

    rc = sync_xml_put(out, n, uri, 1);

    sync_text_byte(&out->text, '"');

    prefix[len] = ':';
    prefix[len + 1] = '\0';

    return rc;
}


static sync_rc_t
sync_xml_scalar(sync_xml_out_t *out, uint32_t n, int attribute)
{
    sync_rc_t   rc;
    sync_str_t  s;

    rc = sync_format_scalar(out->json, n, out->arena, &s);

    if (rc == SYNC_NO) {
        return sync_xml_no(out, n, "text is a string, a number or a boolean");
    }

    return rc == SYNC_OK ? sync_xml_put(out, n, s, attribute) : rc;
}


static sync_rc_t
sync_xml_put(sync_xml_out_t *out, uint32_t n, sync_str_t s, int attribute)
{
    size_t      i, from, len;
    uint32_t    c;
    sync_str_t  as;

    from = 0;

    for (i = 0; i < s.len; i += len) {

        len = sync_json_utf8(s.data + i, s.data + s.len);
        c = len ? sync_xml_char(s.data + i, len) : 0;

        if ((c < 0x20 && c != '\t' && c != '\n' && c != '\r')
            || c == 0xfffe || c == 0xffff)
        {
            return sync_xml_no(out, n, "it has a character that XML cannot "
                               "have");
        }

        switch (c) {

        case '&':
            as = sync_str_lit("&amp;");
            break;

        case '<':
            as = sync_str_lit("&lt;");
            break;

        case '>':
            as = sync_str_lit("&gt;");
            break;

        case '"':
            as = attribute ? sync_str_lit("&quot;") : sync_str_null;
            break;

        /* a parser would make line feeds and spaces of them */

        case '\r':
            as = sync_str_lit("&#13;");
            break;

        case '\n':
            as = attribute ? sync_str_lit("&#10;") : sync_str_null;
            break;

        case '\t':
            as = attribute ? sync_str_lit("&#9;") : sync_str_null;
            break;

        default:
            as = sync_str_null;
        }

        if (as.len) {
            sync_text_add(&out->text, (sync_str_t) { i - from,
                                                     s.data + from });
            sync_text_add(&out->text, as);
            from = i + len;
        }
    }

    sync_text_add(&out->text, (sync_str_t) { s.len - from, s.data + from });

    return SYNC_OK;
}


/* The brace before the name: the last, for a namespace may have some. */

static unsigned char *
sync_xml_brace(sync_str_t s)
{
    size_t  i;

    for (i = s.len; i > 0; i--) {
        if (s.data[i - 1] == '}') {
            return s.data + i - 1;
        }
    }

    return NULL;
}


/* "Namespaces in XML", 3: what no declaration may name. */

static int
sync_xml_reserved(sync_str_t uri)
{
    return sync_str_is(uri, SYNC_XML_XML) || sync_str_is(uri, SYNC_XML_XMLNS);
}


/* A name without a colon: NCName of "Namespaces in XML". */

static int
sync_xml_name_ok(sync_str_t s)
{
    size_t  i, len;

    for (i = 0; i < s.len; i += len) {

        len = sync_json_utf8(s.data + i, s.data + s.len);

        if (len == 0
            || !sync_xml_name_char(sync_xml_char(s.data + i, len), i == 0))
        {
            return 0;
        }
    }

    return s.len > 0;
}


/* XML 1.0, fifth edition, section 2.3: NameStartChar and NameChar. */

static int
sync_xml_name_char(uint32_t c, int first)
{
    size_t  i;

    static const struct {
        uint32_t  from;
        uint32_t  to;
        int       first;
    } ranges[] = {
        { 'a', 'z', 1 }, { 'A', 'Z', 1 }, { '_', '_', 1 },
        { '0', '9', 0 }, { '-', '.', 0 }, { 0xb7, 0xb7, 0 },
        { 0xc0, 0xd6, 1 }, { 0xd8, 0xf6, 1 }, { 0xf8, 0x2ff, 1 },
        { 0x300, 0x36f, 0 }, { 0x370, 0x37d, 1 }, { 0x37f, 0x1fff, 1 },
        { 0x200c, 0x200d, 1 }, { 0x203f, 0x2040, 0 }, { 0x2070, 0x218f, 1 },
        { 0x2c00, 0x2fef, 1 }, { 0x3001, 0xd7ff, 1 }, { 0xf900, 0xfdcf, 1 },
        { 0xfdf0, 0xfffd, 1 }, { 0x10000, 0xeffff, 1 }
    };

    for (i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
        if (c >= ranges[i].from && c <= ranges[i].to) {
            return ranges[i].first || !first;
        }
    }

    return 0;
}


/* The code point of a character of n bytes that is UTF-8. */

static uint32_t
sync_xml_char(const unsigned char *p, size_t n)
{
    size_t    i;
    uint32_t  c;

    static const unsigned char  mask[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };

    c = p[0] & mask[n];

    for (i = 1; i < n; i++) {
        c = c << 6 | (p[i] & 0x3f);
    }

    return c;
}


static sync_rc_t
sync_xml_no(sync_xml_out_t *out, uint32_t n, const char *text)
{
    return sync_format_refuse(out->json, n, out->arena, out->err, text);
}
