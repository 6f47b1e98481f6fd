
/*
 * What an answer says: SOAP and JSON-RPC hide errors in a 200, OData has a
 * document for them.
 */


#include "sync_format.h"


static sync_rc_t sync_answer_soap(const sync_json_t *json,
    sync_arena_t *arena, sync_answer_error_t *error);
static uint32_t sync_answer_fault(const sync_json_t *json);
static sync_rc_t sync_answer_soap_11(const sync_json_t *json, uint32_t fault,
    sync_arena_t *arena, sync_answer_error_t *error);
static sync_rc_t sync_answer_soap_12(const sync_json_t *json, uint32_t fault,
    sync_arena_t *arena, sync_answer_error_t *error);
static void sync_answer_local(sync_str_t *code);
static sync_rc_t sync_answer_rpc(const sync_json_t *json, sync_arena_t *arena,
    uint32_t *root, sync_answer_error_t *error);
static sync_rc_t sync_answer_rpc_error(const sync_json_t *json, uint32_t n,
    sync_arena_t *arena, sync_answer_error_t *error);
static sync_answer_e sync_answer_rpc_kind(const sync_json_t *json,
    uint32_t code);
static sync_rc_t sync_answer_odata(const sync_json_t *json,
    sync_arena_t *arena, sync_answer_error_t *error);
static uint32_t sync_answer_get(const sync_json_t *json, uint32_t n,
    const char *name);
static sync_rc_t sync_answer_text(const sync_json_t *json, uint32_t n,
    sync_arena_t *arena, sync_str_t *text);


sync_rc_t
sync_format_answer(sync_format_e format, const sync_json_t *json,
    sync_arena_t *arena, uint32_t *root, sync_answer_error_t *error)
{
    memset(error, 0, sizeof(sync_answer_error_t));

    error->code = sync_str_lit("");
    error->message = sync_str_lit("");

    *root = 0;

    switch (format) {

    case SYNC_FORMAT_SOAP_11:
    case SYNC_FORMAT_SOAP_12:
        return sync_answer_soap(json, arena, error);

    case SYNC_FORMAT_JSON_RPC:
        return sync_answer_rpc(json, arena, root, error);

    case SYNC_FORMAT_ODATA_V2:
    case SYNC_FORMAT_ODATA_V4:
        return sync_answer_odata(json, arena, error);

    default:
        return SYNC_OK;
    }
}


static sync_rc_t
sync_answer_soap(const sync_json_t *json, sync_arena_t *arena,
    sync_answer_error_t *error)
{
    uint32_t   fault;
    sync_rc_t  rc;

    fault = sync_answer_fault(json);

    if (fault == SYNC_JSON_NONE) {
        return SYNC_OK;
    }

    error->kind = SYNC_ANSWER_BROKEN;

    rc = sync_answer_get(json, fault, "faultcode") != SYNC_JSON_NONE
         ? sync_answer_soap_11(json, fault, arena, error)
         : sync_answer_soap_12(json, fault, arena, error);

    return rc == SYNC_OK ? SYNC_NO : rc;
}


/* The Fault of a Body; what stands in it has passed the reader of SOAP. */

static uint32_t
sync_answer_fault(const sync_json_t *json)
{
    uint32_t    fault, uri;
    sync_str_t  s;

    fault = sync_answer_get(json, 0, "Fault");
    uri = sync_answer_get(json, fault, "@xmlns");

    if (uri == SYNC_JSON_NONE || json->nodes[uri].type != SYNC_JSON_STRING) {
        return SYNC_JSON_NONE;
    }

    s = sync_json_slice(json, uri);

    return sync_str_is(s, "http://schemas.xmlsoap.org/soap/envelope/")
           || sync_str_is(s, "http://www.w3.org/2003/05/soap-envelope")
           ? fault : SYNC_JSON_NONE;
}


/* SOAP 1.1, section 4.4 */

static sync_rc_t
sync_answer_soap_11(const sync_json_t *json, uint32_t fault,
    sync_arena_t *arena, sync_answer_error_t *error)
{
    sync_rc_t  rc;

    rc = sync_answer_text(json, sync_answer_get(json, fault, "faultcode"),
                          arena, &error->code);

    if (rc == SYNC_OK) {
        rc = sync_answer_text(json,
                              sync_answer_get(json, fault, "faultstring"),
                              arena, &error->message);
    }

    sync_answer_local(&error->code);

    if (sync_str_is(error->code, "Client")
        || sync_str_starts(error->code, "Client.")
        || sync_str_is(error->code, "VersionMismatch")
        || sync_str_is(error->code, "MustUnderstand"))
    {
        error->kind = SYNC_ANSWER_REFUSED;
    }

    return rc;
}


/* SOAP 1.2 part 1, section 5.4: the subcode is the target's own */

static sync_rc_t
sync_answer_soap_12(const sync_json_t *json, uint32_t fault,
    sync_arena_t *arena, sync_answer_error_t *error)
{
    uint32_t    code, text;
    sync_rc_t   rc;
    sync_str_t  sub;

    code = sync_answer_get(json, fault, "Code");

    rc = sync_answer_text(json, sync_answer_get(json, code, "Value"), arena,
                          &error->code);
    if (rc != SYNC_OK) {
        return rc;
    }

    sync_answer_local(&error->code);

    if (sync_str_is(error->code, "Sender")
        || sync_str_is(error->code, "VersionMismatch")
        || sync_str_is(error->code, "MustUnderstand")
        || sync_str_is(error->code, "DataEncodingUnknown"))
    {
        error->kind = SYNC_ANSWER_REFUSED;
    }

    sub = sync_str_lit("");

    rc = sync_answer_text(json,
                          sync_answer_get(json,
                                          sync_answer_get(json, code,
                                                          "Subcode"),
                                          "Value"),
                          arena, &sub);
    if (rc != SYNC_OK) {
        return rc;
    }

    if (sub.len) {
        sync_answer_local(&sub);
        error->code = sub;
    }

    text = sync_answer_get(json, sync_answer_get(json, fault, "Reason"),
                           "Text");

    /* one text for each language: the first */

    if (text != SYNC_JSON_NONE && json->nodes[text].type == SYNC_JSON_ARRAY) {
        text = sync_json_first(json, text);
    }

    return sync_answer_text(json, text, arena, &error->message);
}


/* Codes are names with a prefix, which is the sender's choice. */

static void
sync_answer_local(sync_str_t *code)
{
    unsigned char  *colon;

    colon = memchr(code->data, ':', code->len);

    if (colon != NULL) {
        code->len -= (size_t) (colon + 1 - code->data);
        code->data = colon + 1;
    }
}


/* JSON-RPC 2.0, section 5 */

static sync_rc_t
sync_answer_rpc(const sync_json_t *json, sync_arena_t *arena, uint32_t *root,
    sync_answer_error_t *error)
{
    uint32_t   n;
    sync_rc_t  rc;

    n = sync_answer_get(json, 0, "error");

    if (n != SYNC_JSON_NONE && json->nodes[n].type != SYNC_JSON_NULL) {
        rc = sync_answer_rpc_error(json, n, arena, error);
        return rc == SYNC_OK ? SYNC_NO : rc;
    }

    *root = sync_answer_get(json, 0, "result");

    if (*root != SYNC_JSON_NONE) {
        return SYNC_OK;
    }

    error->kind = SYNC_ANSWER_STRANGE;

    return SYNC_NO;
}


/*
 * {"code": 200, "message": "...", "data": {"name": ..., "message": ...}} as
 * Odoo says it, ["UserError", ["...", "..."], ...] as Tryton does.
 */

static sync_rc_t
sync_answer_rpc_error(const sync_json_t *json, uint32_t n,
    sync_arena_t *arena, sync_answer_error_t *error)
{
    uint32_t   code, message, data;
    sync_rc_t  rc;

    error->kind = SYNC_ANSWER_REFUSED;

    if (json->nodes[n].type == SYNC_JSON_ARRAY) {
        code = sync_json_first(json, n);
        message = code == SYNC_JSON_NONE ? code : sync_json_after(json, n,
                                                                  code);
        if (message != SYNC_JSON_NONE
            && json->nodes[message].type == SYNC_JSON_ARRAY)
        {
            message = sync_json_first(json, message);
        }

    } else {
        code = sync_answer_get(json, n, "code");
        message = sync_answer_get(json, n, "message");

        if (code != SYNC_JSON_NONE) {
            error->kind = sync_answer_rpc_kind(json, code);
        }

        data = sync_answer_get(json, n, "data");

        if (sync_answer_get(json, data, "name") != SYNC_JSON_NONE
            && sync_answer_get(json, data, "message") != SYNC_JSON_NONE)
        {
            code = sync_answer_get(json, data, "name");
            message = sync_answer_get(json, data, "message");
        }
    }

    rc = sync_answer_text(json, code, arena, &error->code);

    return rc == SYNC_OK ? sync_answer_text(json, message, arena,
                                            &error->message)
                         : rc;
}


/* Section 5.1: which of the codes say that nothing was done? */

static sync_answer_e
sync_answer_rpc_kind(const sync_json_t *json, uint32_t code)
{
    int64_t  value;

    if (sync_json_int(json, code, &value) != SYNC_OK) {
        return SYNC_ANSWER_REFUSED;
    }

    if (value == -32603 || (value <= -32000 && value >= -32099)) {
        return SYNC_ANSWER_BROKEN;
    }

    return SYNC_ANSWER_REFUSED;
}


/*
 * {"error": {"code": ..., "message": ...}}; of v2 the message has a language
 * and a value.
 */

static sync_rc_t
sync_answer_odata(const sync_json_t *json, sync_arena_t *arena,
    sync_answer_error_t *error)
{
    uint32_t   n, value;
    sync_rc_t  rc;

    n = sync_answer_get(json, 0, "error");

    if (n == SYNC_JSON_NONE || json->nodes[n].type != SYNC_JSON_OBJECT) {
        return SYNC_OK;
    }

    rc = sync_answer_text(json, sync_answer_get(json, n, "code"), arena,
                          &error->code);
    if (rc != SYNC_OK) {
        return rc;
    }

    n = sync_answer_get(json, n, "message");
    value = sync_answer_get(json, n, "value");

    rc = sync_answer_text(json, value != SYNC_JSON_NONE ? value : n, arena,
                          &error->message);

    return rc == SYNC_OK ? SYNC_NO : rc;
}


/* A member by its name; NONE of what is no object. */

static uint32_t
sync_answer_get(const sync_json_t *json, uint32_t n, const char *name)
{
    if (n == SYNC_JSON_NONE || json->nodes[n].type != SYNC_JSON_OBJECT) {
        return SYNC_JSON_NONE;
    }

    return sync_json_member(json, n, (sync_str_t) { strlen(name),
                                                    (unsigned char *)
                                                    (uintptr_t) name });
}


/* The text of a scalar, or of an element with attributes; else it stays. */

static sync_rc_t
sync_answer_text(const sync_json_t *json, uint32_t n, sync_arena_t *arena,
    sync_str_t *text)
{
    sync_rc_t  rc;

    if (n != SYNC_JSON_NONE && json->nodes[n].type == SYNC_JSON_OBJECT) {
        n = sync_answer_get(json, n, "#text");
    }

    if (n == SYNC_JSON_NONE) {
        return SYNC_OK;
    }

    rc = sync_format_scalar(json, n, arena, text);

    return rc == SYNC_NO ? SYNC_OK : rc;
}
