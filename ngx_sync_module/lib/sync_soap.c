
/*
 * SOAP 1.1 and 1.2 (W3C): the envelope comes off and on again.
 */


#include "sync_xml.h"


typedef struct {
    sync_arena_t  *arena;
    sync_soap_e    version;
    sync_str_t    *json;
} sync_soap_take_t;


static sync_rc_t sync_soap_take(void *data, const sync_xml_node_t *root,
    const sync_format_limits_t *limits, sync_error_t *err);
static sync_rc_t sync_soap_header(const sync_xml_node_t *header,
    sync_soap_e version, sync_error_t *err);
static const sync_xml_node_t *sync_soap_element(const sync_xml_node_t *node);
static sync_rc_t sync_soap_part(sync_xml_out_t *out, uint32_t n,
    const char *name);


static const char  *sync_soap_uri[] = {
    "http://schemas.xmlsoap.org/soap/envelope/",
    "http://www.w3.org/2003/05/soap-envelope"
};


sync_rc_t
sync_soap_read(sync_soap_e version, sync_arena_t *arena, sync_str_t text,
    const sync_format_limits_t *limits, sync_str_t *json, sync_error_t *err)
{
    sync_soap_take_t  take;

    take.arena = arena;
    take.version = version;
    take.json = json;

    return sync_xml_tree(arena, text, limits, sync_soap_take, &take, err);
}


static sync_rc_t
sync_soap_take(void *data, const sync_xml_node_t *root,
    const sync_format_limits_t *limits, sync_error_t *err)
{
    sync_rc_t               rc;
    const char             *uri;
    sync_json_out_t         out;
    sync_soap_take_t       *take = data;
    const sync_xml_node_t  *header, *body;

    uri = sync_soap_uri[take->version];

    while (root && root->name.data == NULL) {
        root = root->next;
    }

    if (!sync_xml_is(root, "Envelope", uri)) {
        return sync_refuse(err, "envelope", SYNC_NOWHERE,
                           "the root is not the Envelope of SOAP %s",
                           take->version == SYNC_SOAP_11 ? "1.1" : "1.2");
    }

    header = NULL;
    body = sync_soap_element(root->child);

    if (sync_xml_is(body, "Header", uri)) {
        header = body;
        body = sync_soap_element(header->next);
    }

    if (!sync_xml_is(body, "Body", uri)) {
        return sync_refuse(err, "envelope", SYNC_NOWHERE,
                           "the Envelope has no Body");
    }

    sync_json_begin(&out, take->arena, 0, limits->max);
    sync_json_open(&out, '{');

    if (header && header->elements) {
        rc = sync_soap_header(header, take->version, err);
        if (rc != SYNC_OK) {
            return rc;
        }

        sync_json_key(&out, sync_str_lit("#header"));
        sync_json_open(&out, '{');

        rc = sync_xml_members(&out, take->arena, header, sync_str_lit(""),
                              limits);
        if (rc != SYNC_OK) {
            return rc;
        }

        sync_json_close(&out, '}');
    }

    rc = sync_xml_members(&out, take->arena, body, sync_str_lit(""), limits);
    if (rc != SYNC_OK) {
        return rc;
    }

    sync_json_close(&out, '}');

    return sync_format_json(&out, take->json, err);
}


/* SOAP 1.1 section 4.2.3, SOAP 1.2 section 5.2.3 */

static sync_rc_t
sync_soap_header(const sync_xml_node_t *header, sync_soap_e version,
    sync_error_t *err)
{
    const sync_xml_node_t  *block;
    const sync_xml_attr_t  *attr;

    for (block = sync_soap_element(header->child); block;
         block = sync_soap_element(block->next))
    {
        for (attr = block->attrs; attr; attr = attr->next) {

            if (sync_str_is(attr->uri, sync_soap_uri[version])
                && sync_str_is(attr->name, "mustUnderstand")
                && (sync_str_is(attr->value, "1")
                    || sync_str_is(attr->value, "true")))
            {
                return sync_refuse(err, "must-understand", SYNC_NOWHERE,
                                   "a header must be understood, and none "
                                   "is");
            }
        }
    }

    return SYNC_OK;
}


static const sync_xml_node_t *
sync_soap_element(const sync_xml_node_t *node)
{
    while (node && node->name.data == NULL) {
        node = node->next;
    }

    return node;
}


sync_rc_t
sync_soap_write(sync_soap_e version, const sync_json_t *json, uint32_t n,
    sync_arena_t *arena, size_t max, sync_str_t *text, sync_error_t *err)
{
    uint32_t        header;
    sync_rc_t       rc;
    sync_xml_out_t  out;

    memset(&out, 0, sizeof(sync_xml_out_t));

    out.json = json;
    out.arena = arena;
    out.err = err;

    out.skip = SYNC_JSON_NONE;
    header = SYNC_JSON_NONE;

    if (json->nodes[n].type == SYNC_JSON_OBJECT) {
        header = sync_json_member(json, n, sync_str_lit("#header"));
    }

    if (json->nodes[n].type != SYNC_JSON_OBJECT
        || (header != SYNC_JSON_NONE
            && json->nodes[header].type != SYNC_JSON_OBJECT))
    {
        return sync_format_refuse(json, header != SYNC_JSON_NONE ? header : n,
                                  arena, err,
                                  "the parts of a SOAP message are objects");
    }

    sync_text_begin(&out.text, arena, 0, max);

    sync_text_lit(&out.text, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                             "<soap:Envelope xmlns:soap=\"");
    sync_text_add(&out.text, (sync_str_t) { strlen(sync_soap_uri[version]),
                                            (unsigned char *) (uintptr_t)
                                            sync_soap_uri[version] });
    sync_text_byte(&out.text, '"');

    if (sync_xml_needs_xsi(json, n)) {
        sync_text_lit(&out.text, " xmlns:xsi=\"" SYNC_XML_XSI "\"");
    }

    sync_text_byte(&out.text, '>');

    if (header != SYNC_JSON_NONE) {
        rc = sync_soap_part(&out, header, "Header");
        if (rc != SYNC_OK) {
            return rc;
        }

        out.skip = header - 1;
    }

    rc = sync_soap_part(&out, n, "Body");
    if (rc != SYNC_OK) {
        return rc;
    }

    sync_text_lit(&out.text, "</soap:Envelope>");

    return sync_xml_end(&out, text);
}


static sync_rc_t
sync_soap_part(sync_xml_out_t *out, uint32_t n, const char *name)
{
    sync_rc_t   rc;
    sync_str_t  s;

    s.len = strlen(name);
    s.data = (unsigned char *) (uintptr_t) name;

    sync_text_lit(&out->text, "<soap:");
    sync_text_add(&out->text, s);
    sync_text_byte(&out->text, '>');

    rc = sync_xml_elements(out, n, sync_str_lit(""));

    sync_text_lit(&out->text, "</soap:");
    sync_text_add(&out->text, s);
    sync_text_byte(&out->text, '>');

    return rc;
}
