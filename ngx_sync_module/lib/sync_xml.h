
/*
 * XML as JSON and back; docs/formats.md has the convention.  For the files of
 * XML and SOAP: everybody else sees sync_format.h.
 *
 * libxml2 is named in sync_xml.c alone.
 */


#ifndef SYNC_XML_H_INCLUDED_
#define SYNC_XML_H_INCLUDED_


#include "sync_format.h"
#include "sync_text.h"


#define SYNC_XML_DEPTH       128         /* elements around an element */
#define SYNC_XML_ATTRIBUTES  256         /* of one element */
#define SYNC_XML_NAMESPACES  256         /* declared and in scope */
#define SYNC_XML_MARKUP      65536       /* bytes of a tag, of a comment */

#define SYNC_XML_XSI         "http://www.w3.org/2001/XMLSchema-instance"
#define SYNC_XML_XML         "http://www.w3.org/XML/1998/namespace"
#define SYNC_XML_XMLNS       "http://www.w3.org/2000/xmlns/"


typedef struct sync_xml_node_s  sync_xml_node_t;
typedef struct sync_xml_attr_s  sync_xml_attr_t;

struct sync_xml_attr_s {
    sync_str_t        name;              /* without a prefix */
    sync_str_t        uri;               /* of its namespace, or empty */
    sync_str_t        value;             /* of xsi:type: "{uri}name" */
    sync_xml_attr_t  *next;
};

/* An element, or, where name.data is NULL, a piece of text. */

struct sync_xml_node_s {
    sync_str_t        name;              /* without a prefix */
    sync_str_t        uri;               /* of its namespace, or empty */
    sync_str_t        text;
    sync_xml_attr_t  *attrs;
    sync_xml_node_t  *parent;
    sync_xml_node_t  *child;             /* the first one */
    sync_xml_node_t  *last;
    sync_xml_node_t  *next;
    uint32_t          elements;          /* among the children */
    unsigned          words:1;           /* a child is text that is not white
                                            space alone */
};


/*
 * Bounds what libxml2 is given, in one pass over the bytes: depth, nodes,
 * attributes, namespaces, the length of what it would hold in one piece; no
 * DOCTYPE; no encoding but UTF-8.  *start is behind a byte order mark.
 */
sync_rc_t sync_xml_guard(sync_str_t text, sync_format_limits_t *limits,
    size_t *start, sync_error_t *err);

/*
 * Reads a text and gives its root to take(); the tree is gone when it returns,
 * but for what it has put into the arena.  The result is take()'s.
 */
typedef sync_rc_t (*sync_xml_take_pt)(void *data, const sync_xml_node_t *root,
    const sync_format_limits_t *limits, sync_error_t *err);

sync_rc_t sync_xml_tree(sync_arena_t *arena, sync_str_t text,
    const sync_format_limits_t *limits, sync_xml_take_pt take, void *data,
    sync_error_t *err);

/*
 * The members that the child elements of a node become: an object is open.
 * uri: the namespace that they are expected in.  OK or FAULT.
 */
sync_rc_t sync_xml_members(sync_json_out_t *out, sync_arena_t *arena,
    const sync_xml_node_t *node, sync_str_t uri,
    const sync_format_limits_t *limits);

int sync_xml_is(const sync_xml_node_t *node, const char *name,
    const char *uri);


/* The writer. */

typedef struct {
    const sync_json_t  *json;
    sync_arena_t       *arena;
    sync_text_t         text;
    sync_error_t       *err;
    uint32_t            prefixes;        /* made so far */
    uint32_t            skip;            /* a key that is no element, or NONE */
    unsigned            xsi:1;           /* the next tag declares it */
} sync_xml_out_t;

/* The members of object n as elements; uri: the namespace they are in. */
sync_rc_t sync_xml_elements(sync_xml_out_t *out, uint32_t n, sync_str_t uri);

/* Whether a value needs the prefix xsi. */
int sync_xml_needs_xsi(const sync_json_t *json, uint32_t n);

/* Ends the text: "too-large" where it is over its bound. */
sync_rc_t sync_xml_end(sync_xml_out_t *out, sync_str_t *text);


#endif /* SYNC_XML_H_INCLUDED_ */
