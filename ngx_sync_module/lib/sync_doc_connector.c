
/*
 * Connectors: where a target is, how it is spoken to, and what may be asked of
 * it for which entity.
 */


#include "sync_doc_grammar.h"
#include "sync_share.h"
#include "sync_template.h"


/*
 * A connector while it is read: what its templates use is judged against its
 * idempotency, whichever of the two was read first.
 */

typedef struct {
    sync_doc_connector_rec_t  rec;
    sync_doc_entity_rec_t     entity;    /* the one that is read */
    unsigned                  as:1;      /* "as" was said */
    unsigned                  post:1;    /* some create is a POST */
} sync_doc_connector_fill_t;


static sync_rc_t sync_doc_connector_item(sync_doc_compile_t *c,
    sync_str_t name, const sync_value_t *v, uint32_t i, void *data);
static sync_rc_t sync_doc_connector_whole(sync_doc_compile_t *c,
    sync_doc_connector_fill_t *fill);
static sync_rc_t sync_doc_set_upstream(sync_doc_compile_t *c,
    const sync_value_t *v, const sync_doc_member_t *m, void *rec);
static sync_rc_t sync_doc_set_idempotency(sync_doc_compile_t *c,
    const sync_value_t *v, const sync_doc_member_t *m, void *rec);
static sync_rc_t sync_doc_set_send(sync_doc_compile_t *c,
    const sync_value_t *v, const sync_doc_member_t *m, void *rec);
static sync_rc_t sync_doc_set_as(sync_doc_compile_t *c,
    const sync_value_t *v, const sync_doc_member_t *m, void *rec);
static sync_rc_t sync_doc_set_transient(sync_doc_compile_t *c,
    const sync_value_t *v, const sync_doc_member_t *m, void *rec);
static sync_rc_t sync_doc_transient_item(sync_doc_compile_t *c,
    sync_str_t name, const sync_value_t *v, uint32_t i, void *data);
static sync_rc_t sync_doc_set_entities(sync_doc_compile_t *c,
    const sync_value_t *v, const sync_doc_member_t *m, void *rec);
static sync_rc_t sync_doc_entity_item(sync_doc_compile_t *c, sync_str_t name,
    const sync_value_t *v, uint32_t i, void *data);
static sync_rc_t sync_doc_set_operation(sync_doc_compile_t *c,
    const sync_value_t *v, const sync_doc_member_t *m, void *rec);


/*
 * Never from client to connector or back: what says who the client is, what
 * frames a message, what is ours, and what speaks of a body that we replace.
 */

static const char  *sync_doc_closed_headers[] = {
    "authorization", "proxy-", "cookie", "set-cookie", "host", "connection",
    "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "expect",
    "content-length", "content-encoding", "content-type", "content-digest",
    "content-md5", "digest", "repr-digest", "want-digest", "signature",
    "signature-input", "dpop", "x-api-key", "idempotency-key",
    "x-http-method", "x-http-method-override", "x-method-override",
    "x-accel-", "x-sync-", NULL
};

static const sync_doc_headers_t  sync_doc_passed_headers = {
    "never passes between client and connector", sync_doc_closed_headers
};


static const char  *sync_doc_framing_headers[] = {
    "proxy-", "cookie", "set-cookie", "host", "connection", "keep-alive",
    "te", "trailer", "transfer-encoding", "upgrade", "expect",
    "content-length", "content-encoding", "content-type", "x-accel-",
    "x-sync-", NULL
};

const sync_doc_headers_t  sync_doc_own_headers = {
    "is not a header for this", sync_doc_framing_headers
};


static const sync_doc_list_of_t  sync_doc_header_list = {
    sync_doc_set_header, &sync_doc_passed_headers, 0, 0
};


static const sync_doc_word_t  sync_doc_format_words[] = {
    { "json",           SYNC_FORMAT_JSON, 0 },
    { "form",           SYNC_FORMAT_FORM, 0 },
    { "xml",            SYNC_FORMAT_XML, 0 },
    { "soap-1.1",       SYNC_FORMAT_SOAP_11, 0 },
    { "soap-1.2",       SYNC_FORMAT_SOAP_12, 0 },
    { "csv",            SYNC_FORMAT_CSV, 0 },
    { "odata-v2",       SYNC_FORMAT_ODATA_V2, 0 },
    { "odata-v4",       SYNC_FORMAT_ODATA_V4, 0 },
    { "json-rpc",       SYNC_FORMAT_JSON_RPC, 0 },
    { NULL,             0, 0 }
};

static const sync_doc_words_t  sync_doc_formats = {
    "format", sync_doc_format_words
};


static const sync_doc_word_t  sync_doc_as_words[] = {
    { "uuid",           SYNC_AS_UUID, 0 },
    { "uuid-hex",       SYNC_AS_UUID_HEX, 0 },
    { "verbatim",       SYNC_AS_VERBATIM, 0 },
    { NULL,             0, 0 }
};

static const sync_doc_words_t  sync_doc_as = { "form", sync_doc_as_words };


static const sync_doc_word_t  sync_doc_unknown_words[] = {
    { "hold",           SYNC_UNKNOWN_HOLD, 0 },
    { "resend",         SYNC_UNKNOWN_RESEND, 0 },
    { "release",        SYNC_UNKNOWN_RELEASE, 0 },
    { "probe",          0, 1 },
    { NULL,             0, 0 }
};

static const sync_doc_words_t  sync_doc_unknowns = {
    "on_unknown", sync_doc_unknown_words
};


static const int64_t  sync_doc_capacity = SYNC_SHARE_CAPACITY;


#define sync_doc_in(member)  offsetof(sync_doc_connector_rec_t, member)


static const sync_doc_member_t  sync_doc_headers_table[] = {

    { "request", SYNC_DOC_ARRAY, 0, sync_doc_set_list,
      sync_doc_in(request_headers), &sync_doc_header_list },

    { "response", SYNC_DOC_ARRAY, 0, sync_doc_set_list,
      sync_doc_in(response_headers), &sync_doc_header_list },

    sync_doc_last
};


static const sync_doc_member_t  sync_doc_idempotency_table[] = {

    { "send", SYNC_DOC_STRING, 0, sync_doc_set_send,
      sync_doc_in(send_header), &sync_doc_own_headers },

    { "as", SYNC_DOC_STRING, 0, sync_doc_set_as,
      sync_doc_in(as), &sync_doc_as },

    { "on_unknown", SYNC_DOC_STRING, 0, sync_doc_set_word,
      sync_doc_in(on_unknown), &sync_doc_unknowns },

    { "max_run_time", SYNC_DOC_STRING, 0, sync_doc_set_duration,
      sync_doc_in(max_run), NULL },

    { "transient", SYNC_DOC_ARRAY, 0, sync_doc_set_transient, 0, NULL },

    { "rolls_back", SYNC_DOC_BOOLEAN, 0, sync_doc_set_flag,
      sync_doc_in(rolls_back), NULL },

    sync_doc_last
};


static const sync_doc_member_t  sync_doc_connector_table[] = {

    { "upstream", SYNC_DOC_STRING, 0, sync_doc_set_upstream,
      sync_doc_in(upstream), NULL },

    { "host", SYNC_DOC_STRING, 0, sync_doc_set_host,
      sync_doc_in(host), "port" },

    { "path", SYNC_DOC_STRING, 0, sync_doc_set_path,
      sync_doc_in(path), NULL },

    { "tls_name", SYNC_DOC_STRING, 0, sync_doc_set_host,
      sync_doc_in(tls_name), NULL },

    /* behind what it says itself, or needs */

    { "url", SYNC_DOC_STRING, 0, sync_doc_set_url, 0, NULL },

    { "format", SYNC_DOC_STRING, 0, sync_doc_set_word,
      sync_doc_in(format), &sync_doc_formats },

    { "lists", SYNC_DOC_ARRAY, 0, sync_doc_set_list,
      sync_doc_in(lists), &sync_doc_names_list },

    { "headers", SYNC_DOC_OBJECT, 0, sync_doc_set_object, 0,
      sync_doc_headers_table },

    { "credentials", SYNC_DOC_OBJECT, 0, sync_doc_set_credentials, 0, NULL },

    { "session", SYNC_DOC_OBJECT, 0, sync_doc_set_session,
      sync_doc_in(session), NULL },

    { "capacity", SYNC_DOC_INTEGER, 0, sync_doc_set_number,
      sync_doc_in(capacity), &sync_doc_capacity },

    { "idempotency", SYNC_DOC_OBJECT, 0, sync_doc_set_idempotency, 0, NULL },

    { "entities", SYNC_DOC_OBJECT, SYNC_DOC_REQUIRED, sync_doc_set_entities,
      sync_doc_in(entities), NULL },

    sync_doc_last
};


/* An operation's offset is the operation. */

static const sync_doc_member_t  sync_doc_entity_table[] = {

    { "map", SYNC_DOC_STRING, 0, sync_doc_set_library,
      offsetof(sync_doc_connector_fill_t, entity.map), NULL },

    { "create", SYNC_DOC_ANY, 0, sync_doc_set_operation, SYNC_OP_CREATE,
      NULL },
    { "read", SYNC_DOC_ANY, 0, sync_doc_set_operation, SYNC_OP_READ, NULL },
    { "replace", SYNC_DOC_ANY, 0, sync_doc_set_operation, SYNC_OP_REPLACE,
      NULL },
    { "update", SYNC_DOC_ANY, 0, sync_doc_set_operation, SYNC_OP_UPDATE,
      NULL },
    { "delete", SYNC_DOC_ANY, 0, sync_doc_set_operation, SYNC_OP_DELETE,
      NULL },
    { "list", SYNC_DOC_ANY, 0, sync_doc_set_operation, SYNC_OP_LIST, NULL },

    sync_doc_later("find"),

    sync_doc_last
};


sync_rc_t
sync_doc_set_connectors(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec)
{
    sync_doc_t *head = rec;

    (void) m;

    return sync_doc_records(c, v, &head->connectors,
                            sizeof(sync_doc_connector_rec_t),
                            sync_doc_connector_item, head);
}


static sync_rc_t
sync_doc_connector_item(sync_doc_compile_t *c, sync_str_t name,
    const sync_value_t *v, uint32_t i, void *data)
{
    sync_rc_t                   rc;
    sync_doc_t                 *head = data;
    sync_doc_connector_fill_t   fill;

    memset(&fill, 0, sizeof(fill));

    rc = sync_doc_name_of(c, "connector", name, &fill.rec.name);

    if (rc == SYNC_OK) {
        rc = sync_doc_kind(c, v, SYNC_DOC_OBJECT);
    }

    if (rc == SYNC_OK) {
        rc = sync_doc_walk(c, v, sync_doc_connector_table, &fill);
    }

    if (rc == SYNC_OK) {
        rc = sync_doc_connector_whole(c, &fill);
    }

    if (rc == SYNC_OK) {
        sync_doc_write(c, head->connectors.off, i, &fill.rec,
                       sizeof(fill.rec));
    }

    return rc;
}


/* Defaults, and what no member can tell alone. */

static sync_rc_t
sync_doc_connector_whole(sync_doc_compile_t *c,
    sync_doc_connector_fill_t *fill)
{
    sync_str_t                 host;
    unsigned char             *colon;
    sync_doc_connector_rec_t  *rec = &fill->rec;

    if (rec->upstream.n == 0 && rec->port == 0) {
        return sync_doc_refuse(c, "missing-member", "names neither "
                               "\"upstream\", a group of nginx.conf, nor "
                               "\"url\": one of them says where it is");
    }

    if (rec->on_unknown == SYNC_UNKNOWN_RESEND && rec->send == SYNC_SEND_NONE
        && fill->post)
    {
        return sync_doc_refuse_at(c, "idempotency", "value", "\"resend\" would "
                                  "create a second object: the target cannot "
                                  "tell a POST from its repetition unless "
                                  "\"send\" says how the key goes along");
    }

    if (rec->session.n && rec->credentials == SYNC_CREDENTIALS_OAUTH1) {
        return sync_doc_refuse_at(c, "session", "value", "is begun by a "
                                  "request that \"oauth1\" does not sign");
    }

    if (rec->host.n == 0) {
        rec->host = rec->upstream;
    }

    if (rec->tls_name.n == 0) {
        host = sync_doc_now(c, rec->host);
        colon = memchr(host.data, ':', host.len);

        rec->tls_name = rec->host;

        if (colon) {
            rec->tls_name.n = (uint32_t) (colon - host.data);
        }
    }

    return SYNC_OK;
}


static sync_rc_t
sync_doc_set_upstream(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec)
{
    sync_rc_t         rc;
    sync_str_t        s;
    sync_doc_shown_t  shown;

    s = sync_value_str(v);

    rc = sync_doc_set_name(c, v, m, rec);

    if (rc != SYNC_OK || c->options->upstream == NULL) {
        return rc;
    }

    rc = c->options->upstream(c->options->data, s);

    if (rc == SYNC_NO) {
        return sync_doc_refuse(c, "reference", "there is no \"upstream %s\" in "
                               "nginx.conf", sync_doc_show(&shown, s));
    }

    return rc;
}


static sync_rc_t
sync_doc_set_idempotency(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec)
{
    sync_rc_t                   rc;
    sync_doc_connector_fill_t  *fill = rec;

    (void) m;

    rc = sync_doc_walk(c, v, sync_doc_idempotency_table, rec);

    if (rc == SYNC_OK && fill->as && fill->rec.send == SYNC_SEND_NONE) {
        return sync_doc_refuse_at(c, "as", "value", "says in which form a key "
                                  "is sent, but \"send\" does not send it");
    }

    return rc;
}


/* "none", "path" or "header:NAME" */

static sync_rc_t
sync_doc_set_send(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec)
{
    sync_rc_t                   rc;
    sync_str_t                  s;
    sync_doc_connector_rec_t   *connector = rec;

    s = sync_value_str(v);

    if (sync_str_is(s, "none")) {
        connector->send = SYNC_SEND_NONE;
        return SYNC_OK;
    }

    if (sync_str_is(s, "path")) {
        connector->send = SYNC_SEND_PATH;
        return SYNC_OK;
    }

    if (!sync_str_starts(s, "header:")) {
        return sync_doc_refuse(c, "value", "should be \"header:NAME\", "
                               "\"path\" or \"none\"");
    }

    s.data += sizeof("header:") - 1;
    s.len -= sizeof("header:") - 1;

    rc = sync_doc_header(c, s, m->data, &connector->send_header);

    connector->send = SYNC_SEND_HEADER;

    return rc;
}


static sync_rc_t
sync_doc_set_as(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec)
{
    sync_doc_connector_fill_t  *fill = rec;

    fill->as = 1;

    return sync_doc_set_word(c, v, m, rec);
}


static sync_rc_t
sync_doc_set_transient(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec)
{
    (void) m;

    return sync_doc_each(c, v, sync_doc_transient_item, rec);
}


static sync_rc_t
sync_doc_transient_item(sync_doc_compile_t *c, sync_str_t name,
    const sync_value_t *v, uint32_t i, void *data)
{
    int64_t                    status;
    sync_rc_t                  rc;
    sync_doc_connector_rec_t  *rec = data;

    (void) name;
    (void) i;

    rc = sync_doc_kind(c, v, SYNC_DOC_INTEGER);
    if (rc != SYNC_OK) {
        return rc;
    }

    (void) sync_value_int(v, &status);

    if (status < SYNC_DOC_STATUS_FIRST || status > SYNC_DOC_STATUS_LAST) {
        return sync_doc_refuse(c, "value", "is not a status from %d to %d",
                               SYNC_DOC_STATUS_FIRST, SYNC_DOC_STATUS_LAST);
    }

    status -= SYNC_DOC_STATUS_FIRST;
    rec->transient[status / 32] |= 1u << (status % 32);

    return SYNC_OK;
}


static sync_rc_t
sync_doc_set_entities(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec)
{
    sync_doc_connector_fill_t *fill = rec;

    (void) m;

    if (sync_value_count(v) == 0) {
        return sync_doc_refuse(c, "value", "is empty: a connector without "
                               "entities is for nothing");
    }

    return sync_doc_records(c, v, &fill->rec.entities,
                            sizeof(sync_doc_entity_rec_t),
                            sync_doc_entity_item, fill);
}


static sync_rc_t
sync_doc_entity_item(sync_doc_compile_t *c, sync_str_t name,
    const sync_value_t *v, uint32_t i, void *data)
{
    unsigned                    op, known;
    sync_rc_t                   rc;
    sync_doc_connector_fill_t  *fill = data;

    memset(&fill->entity, 0, sizeof(fill->entity));

    rc = sync_doc_word(c, &sync_doc_entities, name, 1, &fill->entity.entity);

    if (rc == SYNC_OK) {
        rc = sync_doc_kind(c, v, SYNC_DOC_OBJECT);
    }

    if (rc == SYNC_OK) {
        rc = sync_doc_walk(c, v, sync_doc_entity_table, fill);
    }

    if (rc != SYNC_OK) {
        return rc;
    }

    known = 0;

    for (op = 0; op < SYNC_OPS; op++) {
        known += fill->entity.ops[op].code.n != 0;
    }

    if (known == 0) {
        return sync_doc_refuse(c, "missing-member", "names no operation; at "
                               "least one of create, read, replace, update, "
                               "delete and list");
    }

    sync_doc_write(c, fill->rec.entities.off, i, &fill->entity,
                   sizeof(fill->entity));

    return SYNC_OK;
}


static sync_rc_t
sync_doc_set_operation(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec)
{
    int                         post;
    sync_rc_t                   rc;
    sync_doc_connector_fill_t  *fill = rec;

    rc = sync_doc_read_operation(c, v, (sync_op_e) m->offset, &fill->rec,
                                 &fill->entity.ops[m->offset], &post);

    if (rc == SYNC_OK && m->offset == SYNC_OP_CREATE && post) {
        fill->post = 1;
    }

    return rc;
}
