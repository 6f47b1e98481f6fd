
/*
 * XML read by libxml2, whose only place this is.
 *
 * It is given bytes that sync_xml_guard() has passed, no file, no network, no
 * DTD; entities are the five of XML and characters by number.
 */


#include "sync_xml.h"

#include <limits.h>
#include <stdlib.h>

#include <libxml/xmlreader.h>


#if (LIBXML_VERSION >= 21200)
#define SYNC_XML_ERROR  const xmlError *
#else
#define SYNC_XML_ERROR  xmlErrorPtr
#endif

#define SYNC_XML_DECODES  21300          /* 2.13.0 */


typedef struct {
    xmlTextReaderPtr       reader;
    sync_arena_t          *arena;
    sync_str_t             text;
    sync_error_t          *err;
    size_t                 line;         /* of a fault, from 1; 0: none */
    sync_xml_node_t        top;          /* around the root */
    sync_xml_node_t       *at;           /* the element that is open */
} sync_xml_t;


static sync_rc_t sync_xml_walk(sync_xml_t *xml);
static sync_rc_t sync_xml_node(sync_xml_t *xml);
static sync_rc_t sync_xml_element(sync_xml_t *xml);
static sync_rc_t sync_xml_attributes(sync_xml_t *xml, sync_xml_node_t *node);
static sync_rc_t sync_xml_qname(sync_xml_t *xml, sync_str_t *value);
static sync_str_t sync_xml_uri(sync_xml_t *xml, const xmlChar *text);
static sync_rc_t sync_xml_words(sync_xml_t *xml);
static sync_xml_node_t *sync_xml_add(sync_xml_t *xml);
static sync_str_t sync_xml_str(const xmlChar *s);
static void sync_xml_hear(void *data, SYNC_XML_ERROR error);


sync_rc_t
sync_xml_tree(sync_arena_t *arena, sync_str_t text,
    const sync_format_limits_t *given, sync_xml_take_pt take, void *data,
    sync_error_t *err)
{
    size_t                 start;
    sync_rc_t              rc;
    sync_xml_t             xml;
    sync_format_limits_t   limits;

    rc = sync_format_begin(&limits, given, text, err);

    if (rc == SYNC_OK) {
        rc = sync_xml_guard(text, &limits, &start, err);
    }

    if (rc != SYNC_OK) {
        return rc;
    }

    if (text.len > INT_MAX) {
        return sync_refuse(err, "too-large", SYNC_NOWHERE,
                           "the text is too long");
    }

    memset(&xml, 0, sizeof(sync_xml_t));

    xml.arena = arena;
    xml.text = text;
    xml.err = err;
    xml.at = &xml.top;

    xml.reader = xmlReaderForMemory((const char *) text.data + start,
                                    (int) (text.len - start), NULL, "UTF-8",
                                    XML_PARSE_NONET);
    if (xml.reader == NULL) {
        return SYNC_FAULT;
    }

    xmlTextReaderSetStructuredErrorHandler(xml.reader, sync_xml_hear, &xml);

    rc = sync_xml_walk(&xml);

    if (rc == SYNC_OK) {
        rc = take(data, xml.top.child, &limits, err);
    }

    xmlFreeTextReader(xml.reader);

    return rc;
}


static sync_rc_t
sync_xml_walk(sync_xml_t *xml)
{
    int        n;
    sync_rc_t  rc;

    while ((n = xmlTextReaderRead(xml->reader)) == 1) {

        rc = sync_xml_node(xml);
        if (rc != SYNC_OK) {
            return rc;
        }
    }

    if (n == 0 && xml->line == 0 && xml->top.child != NULL) {
        return SYNC_OK;
    }

    return sync_refuse(xml->err, "syntax", SYNC_NOWHERE,
                       "line %zu: the XML is not well-formed",
                       xml->line ? xml->line : 1);
}


static sync_rc_t
sync_xml_node(sync_xml_t *xml)
{
    switch (xmlTextReaderNodeType(xml->reader)) {

    case XML_READER_TYPE_ELEMENT:
        return sync_xml_element(xml);

    case XML_READER_TYPE_END_ELEMENT:
        xml->at = xml->at->parent;
        return SYNC_OK;

    case XML_READER_TYPE_TEXT:
    case XML_READER_TYPE_CDATA:
    case XML_READER_TYPE_WHITESPACE:
    case XML_READER_TYPE_SIGNIFICANT_WHITESPACE:
        return sync_xml_words(xml);

    case XML_READER_TYPE_COMMENT:
    case XML_READER_TYPE_PROCESSING_INSTRUCTION:
        return SYNC_OK;

    default:
        return sync_refuse(xml->err, "syntax", SYNC_NOWHERE,
                           "line %d: this is neither an element nor text",
                           xmlTextReaderGetParserLineNumber(xml->reader));
    }
}


static sync_rc_t
sync_xml_element(sync_xml_t *xml)
{
    sync_rc_t         rc;
    sync_xml_node_t  *node;

    node = sync_xml_add(xml);
    if (node == NULL) {
        return SYNC_FAULT;
    }

    /* names and namespaces lie in the reader's dictionary, as long as it */

    node->name = sync_xml_str(xmlTextReaderConstLocalName(xml->reader));
    node->uri = sync_xml_uri(xml, xmlTextReaderConstNamespaceUri(xml->reader));

    if (node->uri.data == NULL) {
        return SYNC_FAULT;
    }

    if (sync_str_is(node->uri, SYNC_XML_XML)) {
        return sync_refuse(xml->err, "syntax", SYNC_NOWHERE,
                           "line %d: an element has the prefix \"xml\", "
                           "which is for attributes",
                           xmlTextReaderGetParserLineNumber(xml->reader));
    }

    node->parent->elements++;

    rc = sync_xml_attributes(xml, node);

    if (rc == SYNC_OK && !xmlTextReaderIsEmptyElement(xml->reader)) {
        xml->at = node;
    }

    return rc;
}


static sync_rc_t
sync_xml_attributes(sync_xml_t *xml, sync_xml_node_t *node)
{
    int                n;
    sync_rc_t          rc;
    sync_xml_attr_t   *attr, **last;

    last = &node->attrs;

    for (n = xmlTextReaderMoveToFirstAttribute(xml->reader); n == 1;
         n = xmlTextReaderMoveToNextAttribute(xml->reader))
    {
        if (xmlTextReaderIsNamespaceDecl(xml->reader) == 1) {
            continue;
        }

        attr = sync_calloc(xml->arena, sizeof(sync_xml_attr_t));
        if (attr == NULL) {
            return SYNC_FAULT;
        }

        attr->name = sync_xml_str(xmlTextReaderConstLocalName(xml->reader));
        attr->uri = sync_xml_uri(xml,
                                 xmlTextReaderConstNamespaceUri(xml->reader));

        attr->value = sync_strdup(xml->arena,
                         sync_xml_str(xmlTextReaderConstValue(xml->reader)));

        if (attr->uri.data == NULL || attr->value.data == NULL) {
            return SYNC_FAULT;
        }

        if (sync_str_is(attr->uri, SYNC_XML_XSI)
            && sync_str_is(attr->name, "type"))
        {
            rc = sync_xml_qname(xml, &attr->value);
            if (rc != SYNC_OK) {
                return rc;
            }
        }

        *last = attr;
        last = &attr->next;
    }

    (void) xmlTextReaderMoveToElement(xml->reader);

    return n < 0 ? SYNC_FAULT : SYNC_OK;
}


/*
 * A name with a prefix as a value: the prefix is the sender's choice, and so
 * its namespace stands in its place.  value ends with a NUL that is not of it.
 */

static sync_rc_t
sync_xml_qname(sync_xml_t *xml, sync_str_t *value)
{
    xmlChar        *uri;
    sync_str_t      in;
    unsigned char  *p, *colon;

    colon = memchr(value->data, ':', value->len);

    if (colon != NULL) {
        *colon = '\0';
    }

    uri = xmlTextReaderLookupNamespace(xml->reader,
                                       colon != NULL ? value->data : NULL);
    if (colon != NULL) {
        *colon = ':';
    }

    if (uri == NULL) {
        return SYNC_OK;
    }

    if (colon != NULL) {
        value->len -= (size_t) (colon + 1 - value->data);
        value->data = colon + 1;
    }

    in = sync_xml_uri(xml, uri);
    p = in.data == NULL ? NULL
                        : sync_alloc(xml->arena, value->len + in.len + 2);

    if (p != NULL) {
        p[0] = '{';
        memcpy(p + 1, in.data, in.len);
        p[in.len + 1] = '}';
        memcpy(p + in.len + 2, value->data, value->len);

        value->data = p;
        value->len += in.len + 2;
    }

    xmlFree(uri);

    return p != NULL ? SYNC_OK : SYNC_FAULT;
}


/*
 * The name of a namespace.  libxml2 before 2.13 leaves an ampersand in it as
 * "&#38;", and nothing else; which one it is, is known when it runs.  data
 * NULL: no memory.
 */

static sync_str_t
sync_xml_uri(sync_xml_t *xml, const xmlChar *text)
{
    size_t          i, n;
    sync_str_t      uri;
    unsigned char  *p;

    uri = sync_xml_str(text);

    if (uri.len == 0 || memchr(uri.data, '&', uri.len) == NULL
        || strtol(xmlParserVersion, NULL, 10) >= SYNC_XML_DECODES)
    {
        return uri;
    }

    p = sync_alloc(xml->arena, uri.len);
    n = 0;

    for (i = 0; p != NULL && i < uri.len; i++) {
        p[n++] = uri.data[i];

        if (uri.len - i >= 5 && memcmp(uri.data + i, "&#38;", 5) == 0) {
            i += 4;
        }
    }

    return (sync_str_t) { n, p };
}


static sync_rc_t
sync_xml_words(sync_xml_t *xml)
{
    size_t            i;
    sync_str_t        text;
    sync_xml_node_t  *node;

    text = sync_xml_str(xmlTextReaderConstValue(xml->reader));

    if (text.len == 0) {
        return SYNC_OK;
    }

    node = sync_xml_add(xml);
    if (node == NULL) {
        return SYNC_FAULT;
    }

    node->text = sync_strdup(xml->arena, text);
    if (node->text.data == NULL) {
        return SYNC_FAULT;
    }

    for (i = 0; i < text.len; i++) {
        if (text.data[i] != ' ' && text.data[i] != '\t'
            && text.data[i] != '\n' && text.data[i] != '\r')
        {
            node->parent->words = 1;
            break;
        }
    }

    return SYNC_OK;
}


static sync_xml_node_t *
sync_xml_add(sync_xml_t *xml)
{
    sync_xml_node_t  *node;

    node = sync_calloc(xml->arena, sizeof(sync_xml_node_t));
    if (node == NULL) {
        return NULL;
    }

    node->parent = xml->at;

    if (xml->at->last != NULL) {
        xml->at->last->next = node;

    } else {
        xml->at->child = node;
    }

    xml->at->last = node;

    return node;
}


static sync_str_t
sync_xml_str(const xmlChar *s)
{
    if (s == NULL) {
        return sync_str_lit("");
    }

    return (sync_str_t) { strlen((const char *) s),
                          (unsigned char *) (uintptr_t) s };
}


/* What libxml2 says has words of the payload: its line alone is kept. */

static void
sync_xml_hear(void *data, SYNC_XML_ERROR error)
{
    sync_xml_t  *xml = data;

    /* the name of a namespace is compared, not followed: any text will do */

    if (error->code == XML_WAR_NS_URI) {
        return;
    }

    if (error->level > XML_ERR_WARNING && xml->line == 0) {
        xml->line = error->line > 0 ? (size_t) error->line : 1;
    }
}
