
/*
 * Operations: the request that a connector gets for one of an entity, and
 * where its answer has what was asked for.
 */


#include "sync_body.h"
#include "sync_doc_grammar.h"
#include "sync_path.h"
#include "sync_template.h"


/* One operation while it is read. */

typedef struct {
    sync_doc_operation_rec_t         rec;
    sync_op_e                        op;
    sync_format_e                    format;
    unsigned                         uses;   /* of the template */
    unsigned                         body;   /* of the body */
    unsigned                         post:1;
    unsigned                         get:1;
} sync_doc_op_fill_t;


static sync_rc_t sync_doc_set_request(sync_doc_compile_t *c,
    const sync_value_t *v, const sync_doc_member_t *m, void *rec);
static sync_rc_t sync_doc_set_action(sync_doc_compile_t *c,
    const sync_value_t *v, const sync_doc_member_t *m, void *rec);
static sync_rc_t sync_doc_set_body(sync_doc_compile_t *c,
    const sync_value_t *v, const sync_doc_member_t *m, void *rec);
static sync_rc_t sync_doc_body_secrets(sync_doc_compile_t *c,
    const sync_json_t *body);
static sync_rc_t sync_doc_set_query(sync_doc_compile_t *c,
    const sync_value_t *v, const sync_doc_member_t *m, void *rec);
static sync_rc_t sync_doc_operation_whole(sync_doc_compile_t *c,
    const sync_value_t *v, sync_doc_op_fill_t *fill);
static sync_rc_t sync_doc_operation_fits(sync_doc_compile_t *c,
    sync_doc_op_fill_t *fill);


static const sync_doc_word_t  sync_doc_if_match_words[] = {
    { "optional",       0, 0 },
    { "required",       1, 0 },
    { NULL,             0, 0 }
};

static const sync_doc_words_t  sync_doc_if_match = {
    "if_match", sync_doc_if_match_words
};


#define sync_doc_in(member)  offsetof(sync_doc_op_fill_t, rec.member)


static const sync_doc_member_t  sync_doc_operation_table[] = {

    { "request", SYNC_DOC_STRING, SYNC_DOC_REQUIRED, sync_doc_set_request, 0,
      NULL },

    { "if_match", SYNC_DOC_STRING, 0, sync_doc_set_word,
      sync_doc_in(if_match), &sync_doc_if_match },

    { "action", SYNC_DOC_STRING, 0, sync_doc_set_action,
      sync_doc_in(action), NULL },

    { "body", SYNC_DOC_ANY, 0, sync_doc_set_body,
      sync_doc_in(body), NULL },

    { "items", SYNC_DOC_STRING, 0, sync_doc_set_query,
      sync_doc_in(items), NULL },

    { "next", SYNC_DOC_STRING, 0, sync_doc_set_query,
      sync_doc_in(next), NULL },

    sync_doc_later("query"),
    sync_doc_later("hit"),

    sync_doc_last
};


/* What a template must and may ask for, by operation. */

typedef struct {
    unsigned     get:1;                  /* changes nothing: a GET, or what has
                                            a body that asks */
    unsigned     one_of;                 /* at least one of these */
    unsigned     may;
    const char  *why;
} sync_doc_op_rule_t;

static const sync_doc_op_rule_t  sync_doc_op_rules[] = {

    { 0, 0, SYNC_TEMPLATE_KEY|SYNC_TEMPLATE_PAYLOAD,
      "what is created has no {id} yet" },

    { 1, SYNC_TEMPLATE_ID, SYNC_TEMPLATE_ID,
      "a read asks by {id} and by nothing else" },

    { 0, SYNC_TEMPLATE_ID|SYNC_TEMPLATE_PAYLOAD,
      SYNC_TEMPLATE_ID|SYNC_TEMPLATE_KEY|SYNC_TEMPLATE_PAYLOAD,
      "what is replaced is named by {id} or {/pointer}" },

    { 0, SYNC_TEMPLATE_ID|SYNC_TEMPLATE_PAYLOAD,
      SYNC_TEMPLATE_ID|SYNC_TEMPLATE_KEY|SYNC_TEMPLATE_PAYLOAD,
      "what is updated is named by {id} or {/pointer}" },

    { 0, SYNC_TEMPLATE_ID, SYNC_TEMPLATE_ID,
      "what is deleted is named by {id} and by nothing else" },

    { 1, 0, 0, "a list has no placeholders" }
};


sync_rc_t
sync_doc_read_operation(sync_doc_compile_t *c, const sync_value_t *v,
    sync_op_e op, const sync_doc_connector_rec_t *connector,
    sync_doc_operation_rec_t *rec, int *post)
{
    int                 key, path;
    sync_rc_t           rc;
    sync_doc_op_fill_t  fill;

    memset(&fill, 0, sizeof(fill));

    fill.op = op;
    fill.format = (sync_format_e) connector->format;

    if (sync_value_type(v) == SYNC_VALUE_OBJECT) {
        rc = sync_doc_walk(c, v, sync_doc_operation_table, &fill);

    } else if (sync_value_type(v) == SYNC_VALUE_STRING) {
        rc = sync_doc_set_request(c, v, NULL, &fill);

    } else {
        rc = sync_doc_refuse(c, "type", "should be a request like \"POST "
                             "/orders\" or an object with one");
    }

    if (rc == SYNC_OK) {
        rc = sync_doc_operation_whole(c, v, &fill);
    }

    if (rc != SYNC_OK) {
        return rc;
    }

    /* idempotency stands before entities in the table: send is known */

    path = (connector->send == SYNC_SEND_PATH);
    key = (fill.uses & SYNC_TEMPLATE_KEY) || (fill.body & SYNC_BODY_KEY);

    if (key && !path) {
        return sync_doc_refuse(c, "value", "has {idempotency_key}, but the "
                               "connector's idempotency does not say "
                               "\"send\": \"path\"");
    }

    if (op == SYNC_OP_CREATE && path && !key) {
        return sync_doc_refuse(c, "value", "has no {idempotency_key}, but the "
                               "connector's idempotency says \"send\": "
                               "\"path\"");
    }

    *post = fill.post;
    *rec = fill.rec;

    return SYNC_OK;
}


static sync_rc_t
sync_doc_set_request(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec)
{
    sync_rc_t            rc;
    sync_str_t           code, method;
    sync_error_t         err;
    sync_doc_op_fill_t  *fill = rec;

    (void) m;

    rc = sync_template_compile(c->arena, sync_value_str(v), &code, &err);

    if (rc == SYNC_NO) {
        return sync_doc_refuse(c, "template", "%s, at byte %zu", err.text,
                               err.offset);
    }

    if (rc != SYNC_OK) {
        return rc;
    }

    method = sync_template_method(code);

    fill->uses = sync_template_uses(code);
    fill->post = sync_str_is(method, "POST");
    fill->get = sync_str_is(method, "GET");

    return sync_doc_string(c, code, &fill->rec.code);
}


/* It becomes a header, or a string of JSON. */

static sync_rc_t
sync_doc_set_action(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec)
{
    size_t               i;
    sync_str_t           s;
    sync_doc_op_fill_t  *fill = rec;

    s = sync_value_str(v);

    if (fill->format != SYNC_FORMAT_SOAP_11
        && fill->format != SYNC_FORMAT_SOAP_12
        && fill->format != SYNC_FORMAT_JSON_RPC)
    {
        return sync_doc_refuse(c, "value", "is for the formats soap-1.1, "
                               "soap-1.2 and json-rpc");
    }

    for (i = 0; i < s.len; i++) {
        if (s.data[i] < 0x21 || s.data[i] > 0x7e || s.data[i] == '"'
            || s.data[i] == '\\')
        {
            return sync_doc_refuse(c, "value", "has a space, a quote, a "
                                   "backslash or what is not ASCII");
        }
    }

    return sync_doc_set_text(c, v, m, rec);
}


static sync_rc_t
sync_doc_set_body(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec)
{
    sync_rc_t            rc;
    sync_str_t           text;
    sync_json_t          body;
    sync_error_t         err;
    sync_json_out_t      out;
    sync_json_limits_t   limits;
    sync_doc_op_fill_t  *fill = rec;

    (void) m;

    memset(&limits, 0, sizeof(limits));

    sync_json_begin(&out, c->arena, 0, 0);
    sync_value_write(&out, v);

    rc = sync_json_end(&out, &text);

    if (rc == SYNC_OK) {
        rc = sync_json_parse(&body, c->arena, text, &limits, &err);
    }

    if (rc == SYNC_OK) {
        rc = sync_body_check(&body, c->arena, &fill->body, &err);
    }

    if (rc == SYNC_NO) {
        return sync_doc_refuse(c, "template", "at \"%.*s\" %s",
                               (int) err.pointer.len, err.pointer.data,
                               err.text);
    }

    if (rc == SYNC_OK) {
        rc = sync_doc_body_secrets(c, &body);
    }

    return rc == SYNC_OK ? sync_doc_string(c, text, &fill->rec.body) : rc;
}


static sync_rc_t
sync_doc_body_secrets(sync_doc_compile_t *c, const sync_json_t *body)
{
    uint32_t    i;
    sync_str_t  s;

    for (i = 0; i < body->count; i++) {

        if (body->nodes[i].type != SYNC_JSON_STRING) {
            continue;
        }

        s = sync_json_unescape(body, i, c->arena);
        if (s.data == NULL) {
            return SYNC_FAULT;
        }

        if (!sync_str_starts(s, "secret:")) {
            continue;
        }

        s.data += sizeof("secret:") - 1;
        s.len -= sizeof("secret:") - 1;

        if (!sync_doc_name_ok(s)) {
            return sync_doc_refuse(c, "secret", "what follows \"secret:\" is "
                                   "not a name");
        }
    }

    return SYNC_OK;
}


static sync_rc_t
sync_doc_set_query(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec)
{
    sync_rc_t            rc;
    sync_path_t         *path;
    sync_error_t         err;
    sync_doc_op_fill_t  *fill = rec;

    if (fill->op != SYNC_OP_LIST) {
        return sync_doc_refuse(c, "value", "belongs to list");
    }

    rc = sync_path_compile(&path, c->arena, sync_value_str(v), &err);

    if (rc == SYNC_NO) {
        return sync_doc_refuse(c, "value", "%s, at byte %zu", err.text,
                               err.offset);
    }

    return rc == SYNC_OK ? sync_doc_set_text(c, v, m, rec) : rc;
}


/* What no member can tell alone. */

static sync_rc_t
sync_doc_operation_whole(sync_doc_compile_t *c, const sync_value_t *v,
    sync_doc_op_fill_t *fill)
{
    int  body;

    if (sync_value_type(v) == SYNC_VALUE_OBJECT
        && sync_value_get(v, "if_match") && fill->op != SYNC_OP_REPLACE
        && fill->op != SYNC_OP_UPDATE && fill->op != SYNC_OP_DELETE)
    {
        return sync_doc_refuse_at(c, "if_match", "value", "belongs to replace, "
                                  "update and delete");
    }

    body = (fill->rec.body.n != 0);

    if (body && fill->get) {
        return sync_doc_refuse_at(c, "body", "value", "a GET has none");
    }

    if (fill->rec.next.n && !fill->get) {
        return sync_doc_refuse_at(c, "next", "value", "is where a list by GET "
                                  "goes on");
    }

    if (fill->format == SYNC_FORMAT_JSON_RPC && fill->rec.action.n == 0) {
        return sync_doc_refuse(c, "missing-member", "has no \"action\": the "
                               "method of JSON-RPC that is called");
    }

    if (body && (fill->body & (SYNC_BODY_MAPPED|SYNC_BODY_PAYLOAD))
        && fill->op != SYNC_OP_CREATE && fill->op != SYNC_OP_REPLACE
        && fill->op != SYNC_OP_UPDATE)
    {
        return sync_doc_refuse_at(c, "body", "template", "asks for a payload, "
                                  "which this operation has not");
    }

    if (body && (fill->body & SYNC_BODY_ID)
        && (fill->op == SYNC_OP_CREATE || fill->op == SYNC_OP_LIST))
    {
        return sync_doc_refuse_at(c, "body", "template", "asks for an {id}, "
                                  "which this operation has not");
    }

    return sync_doc_operation_fits(c, fill);
}


static sync_rc_t
sync_doc_operation_fits(sync_doc_compile_t *c, sync_doc_op_fill_t *fill)
{
    unsigned                   uses;
    sync_str_t                 name;
    const sync_doc_op_rule_t  *rule;

    rule = &sync_doc_op_rules[fill->op];
    name = sync_op_name(fill->op);

    if (rule->get && !fill->get && fill->rec.body.n == 0) {
        return sync_doc_refuse(c, "value", "%.*s by another method than GET "
                               "has a \"body\" that asks for it",
                               (int) name.len, name.data);
    }

    if (!rule->get && fill->get) {
        return sync_doc_refuse(c, "value", "%.*s changes something, and a GET "
                               "does not", (int) name.len, name.data);
    }

    if (fill->uses & ~rule->may) {
        return sync_doc_refuse(c, "template", "%s", rule->why);
    }

    /* what is asked for may stand in the body as well */

    uses = fill->uses;
    uses |= fill->body & SYNC_BODY_ID ? SYNC_TEMPLATE_ID : 0;
    uses |= fill->body & (SYNC_BODY_PAYLOAD|SYNC_BODY_MAPPED)
            ? SYNC_TEMPLATE_PAYLOAD : 0;

    if (rule->one_of && !(uses & rule->one_of)) {
        return sync_doc_refuse(c, "template", "%s", rule->why);
    }

    return SYNC_OK;
}
