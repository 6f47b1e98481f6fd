
/*
 * Where a connector is: the path that its requests begin with, and the URL of
 * one that no group of nginx.conf names.
 */


#include "sync_doc_grammar.h"
#include "sync_template.h"


static sync_rc_t sync_doc_base(sync_doc_compile_t *c, sync_str_t s,
    sync_doc_ref_t *ref);
static sync_rc_t sync_doc_lower(sync_doc_compile_t *c, sync_str_t s,
    sync_doc_ref_t *ref);


sync_rc_t
sync_doc_set_path(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec)
{
    return sync_doc_base(c, sync_value_str(v),
                         (sync_doc_ref_t *) (void *) ((unsigned char *) rec
                                                      + m->offset));
}


static sync_rc_t
sync_doc_base(sync_doc_compile_t *c, sync_str_t s, sync_doc_ref_t *ref)
{
    size_t        i;
    sync_rc_t     rc;
    sync_str_t    code, text;
    sync_error_t  err;

    if (s.len < 2 || s.data[0] != '/' || s.data[s.len - 1] == '/'
        || s.len > SYNC_DOC_TEXT)
    {
        return sync_doc_refuse(c, "value", "is not a path like \"/base\": with "
                               "a \"/\" first and none last");
    }

    for (i = 0; i < s.len; i++) {
        if (s.data[i] == '?' || s.data[i] == '{' || s.data[i] == '\'') {
            return sync_doc_refuse(c, "value", "has a query, a quote or a "
                                   "placeholder, which belong to the requests "
                                   "of entities");
        }
    }

    /* what else a path may be, templates know */

    text.len = s.len + sizeof("GET ") - 1;
    text.data = sync_alloc(c->arena, text.len);

    if (text.data == NULL) {
        return SYNC_FAULT;
    }

    memcpy(text.data, "GET ", sizeof("GET ") - 1);
    memcpy(text.data + sizeof("GET ") - 1, s.data, s.len);

    rc = sync_template_compile(c->arena, text, &code, &err);

    if (rc == SYNC_NO) {
        return sync_doc_refuse(c, "value", "%s", err.text);
    }

    return rc == SYNC_OK ? sync_doc_string(c, s, ref) : rc;
}


/* What other members say of a group, a URL says itself. */

sync_rc_t
sync_doc_set_url(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec)
{
    sync_rc_t                  rc;
    sync_url_t                 url;
    sync_error_t               err;
    sync_doc_connector_rec_t  *connector = rec;

    (void) m;

    if (connector->upstream.n) {
        return sync_doc_refuse(c, "value", "stands beside \"upstream\": a "
                               "connector has one of the two");
    }

    if (connector->host.n || connector->path.n) {
        return sync_doc_refuse(c, "value", "has a host and a path of its own: "
                               "\"host\" and \"path\" are for \"upstream\"");
    }

    rc = sync_url_parse(&url, sync_value_str(v), &err);

    if (rc == SYNC_OK && c->options->url != NULL) {
        rc = c->options->url(c->options->data, &url, &err);
    }

    if (rc == SYNC_NO) {
        return sync_doc_refuse(c, "value", "%s", err.text);
    }

    if (rc == SYNC_OK && url.literal && connector->tls_name.n == 0) {
        return sync_doc_refuse(c, "value", "is an address, against which no "
                               "certificate is verified: \"tls_name\" says "
                               "which name it has to have");
    }

    if (rc == SYNC_OK) {
        rc = sync_doc_lower(c, url.authority, &connector->host);
    }

    if (rc == SYNC_OK) {
        rc = sync_doc_lower(c, url.host, &connector->address);
    }

    if (rc == SYNC_OK && connector->tls_name.n == 0) {
        connector->tls_name = connector->address;
    }

    if (rc == SYNC_OK && !sync_str_is(url.target, "/")) {
        rc = sync_doc_base(c, url.target, &connector->path);
    }

    connector->port = url.port;

    return rc;
}


static sync_rc_t
sync_doc_lower(sync_doc_compile_t *c, sync_str_t s, sync_doc_ref_t *ref)
{
    size_t      i;
    sync_str_t  lower;

    lower = sync_strdup(c->arena, s);

    if (lower.data == NULL) {
        return SYNC_FAULT;
    }

    for (i = 0; i < lower.len; i++) {
        if (lower.data[i] >= 'A' && lower.data[i] <= 'Z') {
            lower.data[i] |= 0x20;
        }
    }

    return sync_doc_string(c, lower, ref);
}
