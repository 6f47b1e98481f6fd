
/*
 * Sessions of connectors: what is asked before the first request, what of the
 * answer is kept, how later requests show it, and how the target says that it
 * is over.
 */


#include "sync_body.h"
#include "sync_doc_grammar.h"
#include "sync_path.h"
#include "sync_session.h"
#include "sync_template.h"


#define SYNC_DOC_SESSION_SECRETS  16     /* of a session, at most */
#define SYNC_DOC_SESSION_EXPIRED   4     /* ways to say that it is over */


/* A session while it is read. */

typedef struct {
    sync_doc_session_rec_t   rec;
    sync_doc_expired_rec_t   expired;    /* the one that is read */
    sync_doc_ref_t           secrets[SYNC_DOC_SESSION_SECRETS];
    uint32_t                 nsecrets;
    uint32_t                 ntake;      /* taken values so far */
    sync_doc_compile_t      *c;
    unsigned                 get:1;
} sync_doc_session_fill_t;


static sync_rc_t sync_doc_session_request(sync_doc_compile_t *c,
    const sync_value_t *v, const sync_doc_member_t *m, void *rec);
static sync_rc_t sync_doc_session_headers(sync_doc_compile_t *c,
    const sync_value_t *v, const sync_doc_member_t *m, void *rec);
static sync_rc_t sync_doc_session_header_item(sync_doc_compile_t *c,
    sync_str_t name, const sync_value_t *v, uint32_t i, void *data);
static sync_rc_t sync_doc_session_body(sync_doc_compile_t *c,
    const sync_value_t *v, const sync_doc_member_t *m, void *rec);
static sync_rc_t sync_doc_session_body_secrets(sync_doc_compile_t *c,
    const sync_json_t *body, sync_doc_session_fill_t *fill);
static sync_rc_t sync_doc_session_take(sync_doc_compile_t *c,
    const sync_value_t *v, const sync_doc_member_t *m, void *rec);
static sync_rc_t sync_doc_session_take_item(sync_doc_compile_t *c,
    sync_str_t name, const sync_value_t *v, uint32_t i, void *data);
static sync_rc_t sync_doc_session_path(sync_doc_compile_t *c, sync_str_t s,
    sync_doc_ref_t *ref);
static sync_rc_t sync_doc_session_send(sync_doc_compile_t *c,
    const sync_value_t *v, const sync_doc_member_t *m, void *rec);
static sync_rc_t sync_doc_session_send_item(sync_doc_compile_t *c,
    sync_str_t name, const sync_value_t *v, uint32_t i, void *data);
static sync_rc_t sync_doc_session_value(void *data, int secret,
    sync_str_t name, sync_str_t *value);
static sync_rc_t sync_doc_session_secret(sync_doc_compile_t *c,
    sync_doc_session_fill_t *fill, sync_str_t name);
static sync_rc_t sync_doc_session_expired(sync_doc_compile_t *c,
    const sync_value_t *v, const sync_doc_member_t *m, void *rec);
static sync_rc_t sync_doc_session_expired_item(sync_doc_compile_t *c,
    sync_str_t name, const sync_value_t *v, uint32_t i, void *data);
static sync_rc_t sync_doc_session_status(sync_doc_compile_t *c,
    const sync_value_t *v, const sync_doc_member_t *m, void *rec);
static sync_rc_t sync_doc_session_in_header(sync_doc_compile_t *c,
    const sync_value_t *v, const sync_doc_member_t *m, void *rec);
static sync_rc_t sync_doc_session_in_body(sync_doc_compile_t *c,
    const sync_value_t *v, const sync_doc_member_t *m, void *rec);
static sync_rc_t sync_doc_session_said(sync_doc_compile_t *c,
    const sync_value_t *v, sync_doc_item_pt item, void *rec);
static sync_rc_t sync_doc_session_said_header(sync_doc_compile_t *c,
    sync_str_t name, const sync_value_t *v, uint32_t i, void *data);
static sync_rc_t sync_doc_session_said_body(sync_doc_compile_t *c,
    sync_str_t name, const sync_value_t *v, uint32_t i, void *data);
static sync_rc_t sync_doc_session_whole(sync_doc_compile_t *c,
    sync_doc_session_fill_t *fill);


#define sync_doc_in(member)  offsetof(sync_doc_session_fill_t, member)


static const sync_doc_member_t  sync_doc_session_table[] = {

    { "request", SYNC_DOC_STRING, SYNC_DOC_REQUIRED, sync_doc_session_request,
      0, NULL },

    { "headers", SYNC_DOC_OBJECT, 0, sync_doc_session_headers, 0, NULL },

    { "body", SYNC_DOC_OBJECT, 0, sync_doc_session_body, 0, NULL },

    { "take", SYNC_DOC_OBJECT, SYNC_DOC_REQUIRED, sync_doc_session_take, 0,
      NULL },

    { "send", SYNC_DOC_OBJECT, 0, sync_doc_session_send, 0, NULL },

    { "expired", SYNC_DOC_ANY, SYNC_DOC_REQUIRED, sync_doc_session_expired, 0,
      NULL },

    { "max_age", SYNC_DOC_STRING, 0, sync_doc_set_duration,
      sync_doc_in(rec.max_age), NULL },

    sync_doc_last
};


static const sync_doc_member_t  sync_doc_expired_table[] = {

    { "status", SYNC_DOC_INTEGER, SYNC_DOC_REQUIRED, sync_doc_session_status,
      0, NULL },

    { "header", SYNC_DOC_OBJECT, 0, sync_doc_session_in_header, 0, NULL },

    { "body", SYNC_DOC_OBJECT, 0, sync_doc_session_in_body, 0, NULL },

    sync_doc_last
};


static const char  *sync_doc_session_no_headers[] = { NULL };

static const sync_doc_headers_t  sync_doc_session_any_header = {
    "", sync_doc_session_no_headers
};


sync_rc_t
sync_doc_set_session(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec)
{
    sync_rc_t                 rc;
    sync_doc_ref_t           *ref;
    sync_doc_session_fill_t   fill;

    ref = (sync_doc_ref_t *) (void *) ((unsigned char *) rec + m->offset);

    memset(&fill, 0, sizeof(fill));

    fill.c = c;

    rc = sync_doc_walk(c, v, sync_doc_session_table, &fill);

    if (rc == SYNC_OK) {
        rc = sync_doc_session_whole(c, &fill);
    }

    if (rc != SYNC_OK) {
        return rc;
    }

    rc = sync_doc_room(c, 1, sizeof(fill.rec), &ref->off);

    if (rc == SYNC_OK) {
        ref->n = 1;
        sync_doc_write(c, ref->off, 0, &fill.rec, sizeof(fill.rec));
    }

    return rc;
}


static sync_rc_t
sync_doc_session_request(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec)
{
    sync_rc_t                 rc;
    sync_str_t                code;
    sync_error_t              err;
    sync_doc_session_fill_t  *fill = rec;

    (void) m;

    rc = sync_template_compile(c->arena, sync_value_str(v), &code, &err);

    if (rc == SYNC_NO) {
        return sync_doc_refuse(c, "template", "%s, at byte %zu", err.text,
                               err.offset);
    }

    if (rc != SYNC_OK) {
        return rc;
    }

    if (sync_template_uses(code)) {
        return sync_doc_refuse(c, "template", "has a placeholder: a session is "
                               "not of one request");
    }

    fill->get = sync_str_is(sync_template_method(code), "GET");

    return sync_doc_string(c, code, &fill->rec.code);
}


static sync_rc_t
sync_doc_session_headers(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec)
{
    sync_doc_session_fill_t *fill = rec;

    (void) m;

    return sync_doc_records(c, v, &fill->rec.headers, sizeof(sync_doc_pair_t),
                            sync_doc_session_header_item, fill);
}


static sync_rc_t
sync_doc_session_header_item(sync_doc_compile_t *c, sync_str_t name,
    const sync_value_t *v, uint32_t i, void *data)
{
    size_t                    k;
    sync_rc_t                 rc;
    sync_str_t                s;
    sync_doc_pair_t           pair;
    sync_doc_session_fill_t  *fill = data;

    rc = sync_doc_header(c, name, &sync_doc_own_headers, &pair.name);

    if (rc == SYNC_OK) {
        rc = sync_doc_kind(c, v, SYNC_DOC_STRING);
    }

    if (rc != SYNC_OK) {
        return rc;
    }

    s = sync_value_str(v);

    for (k = 0; k < s.len; k++) {
        if (s.data[k] < 0x20 || s.data[k] > 0x7e) {
            return sync_doc_refuse(c, "value", "has a byte that is not "
                                   "printable ASCII");
        }
    }

    if (s.len == 0 || s.len > SYNC_DOC_TEXT) {
        return sync_doc_refuse(c, "value", "has no bytes, or more than %d",
                               SYNC_DOC_TEXT);
    }

    rc = sync_doc_string(c, s, &pair.value);

    if (rc == SYNC_OK) {
        sync_doc_write(c, fill->rec.headers.off, i, &pair, sizeof(pair));
    }

    return rc;
}


static sync_rc_t
sync_doc_session_body(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec)
{
    unsigned                  uses;
    sync_rc_t                 rc;
    sync_str_t                text;
    sync_json_t               body;
    sync_error_t              err;
    sync_json_out_t           out;
    sync_json_limits_t        limits;
    sync_doc_session_fill_t  *fill = rec;

    (void) m;

    if (fill->get) {
        return sync_doc_refuse(c, "value", "a GET has none");
    }

    memset(&limits, 0, sizeof(limits));

    sync_json_begin(&out, c->arena, 0, 0);
    sync_value_write(&out, v);

    rc = sync_json_end(&out, &text);

    if (rc == SYNC_OK) {
        rc = sync_json_parse(&body, c->arena, text, &limits, &err);
    }

    if (rc == SYNC_OK) {
        rc = sync_body_check(&body, c->arena, &uses, &err);
    }

    if (rc == SYNC_NO) {
        return sync_doc_refuse(c, "template", "at \"%.*s\" %s",
                               (int) err.pointer.len, err.pointer.data,
                               err.text);
    }

    if (rc != SYNC_OK) {
        return rc;
    }

    if (uses & ~SYNC_BODY_SECRET) {
        return sync_doc_refuse(c, "template", "has a placeholder: a session is "
                               "not of one request; \"secret:NAME\" alone "
                               "stands for a value");
    }

    rc = sync_doc_session_body_secrets(c, &body, fill);

    return rc == SYNC_OK ? sync_doc_string(c, text, &fill->rec.body) : rc;
}


static sync_rc_t
sync_doc_session_body_secrets(sync_doc_compile_t *c, const sync_json_t *body,
    sync_doc_session_fill_t *fill)
{
    uint32_t    i;
    sync_rc_t   rc;
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

        rc = sync_doc_session_secret(c, fill, s);

        if (rc == SYNC_NO) {
            return sync_doc_refuse(c, "secret", "what follows \"secret:\" is "
                                   "not a name, or the %dth of them",
                                   SYNC_DOC_SESSION_SECRETS + 1);
        }

        if (rc != SYNC_OK) {
            return rc;
        }
    }

    return SYNC_OK;
}


static sync_rc_t
sync_doc_session_take(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec)
{
    sync_rc_t                 rc;
    sync_doc_session_fill_t  *fill = rec;

    (void) m;

    if (sync_value_count(v) == 0) {
        return sync_doc_refuse(c, "value", "is empty: what the session is made "
                               "of is said here");
    }

    rc = sync_doc_room(c, sync_value_count(v), sizeof(sync_doc_take_rec_t),
                       &fill->rec.take.off);

    if (rc == SYNC_OK) {
        rc = sync_doc_each(c, v, sync_doc_session_take_item, fill);
    }

    fill->rec.take.n = fill->ntake;

    return rc;
}


/* "cookies": true, or NAME: "header:X-Token", or NAME: "$.path" */

static sync_rc_t
sync_doc_session_take_item(sync_doc_compile_t *c, sync_str_t name,
    const sync_value_t *v, uint32_t i, void *data)
{
    unsigned                  flag;
    sync_rc_t                 rc;
    sync_str_t                s;
    sync_doc_take_rec_t       take;
    sync_doc_session_fill_t  *fill = data;

    (void) i;

    if (sync_str_is(name, "cookies")) {

        if (sync_value_bool(v, &flag) != SYNC_OK) {
            return sync_doc_refuse(c, "type", "should be true or false");
        }

        fill->rec.cookies = flag;

        return SYNC_OK;
    }

    memset(&take, 0, sizeof(take));

    rc = sync_doc_name_of(c, "value", name, &take.name);

    if (rc == SYNC_OK) {
        rc = sync_doc_kind(c, v, SYNC_DOC_STRING);
    }

    if (rc != SYNC_OK) {
        return rc;
    }

    s = sync_value_str(v);

    if (sync_str_starts(s, "header:")) {
        s.data += sizeof("header:") - 1;
        s.len -= sizeof("header:") - 1;

        rc = sync_doc_header(c, s, &sync_doc_session_any_header, &take.header);

    } else if (sync_str_starts(s, "$")) {
        rc = sync_doc_session_path(c, s, &take.path);

    } else {
        return sync_doc_refuse(c, "value", "should be \"header:NAME\" or a "
                               "JSONPath like \"$.result\"");
    }

    if (rc == SYNC_OK) {
        sync_doc_write(c, fill->rec.take.off, fill->ntake++, &take,
                       sizeof(take));
    }

    return rc;
}


static sync_rc_t
sync_doc_session_path(sync_doc_compile_t *c, sync_str_t s, sync_doc_ref_t *ref)
{
    sync_rc_t     rc;
    sync_path_t  *path;
    sync_error_t  err;

    rc = sync_path_compile(&path, c->arena, s, &err);

    if (rc == SYNC_NO) {
        return sync_doc_refuse(c, "value", "%s, at byte %zu", err.text,
                               err.offset);
    }

    if (rc != SYNC_OK) {
        return rc;
    }

    if (!sync_path_is_singular(path)) {
        return sync_doc_refuse(c, "value", "may find several values; names and "
                               "indexes alone find one");
    }

    return sync_doc_string(c, s, ref);
}


static sync_rc_t
sync_doc_session_send(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec)
{
    sync_doc_session_fill_t *fill = rec;

    (void) m;

    return sync_doc_records(c, v, &fill->rec.send, sizeof(sync_doc_pair_t),
                            sync_doc_session_send_item, fill);
}


static sync_rc_t
sync_doc_session_send_item(sync_doc_compile_t *c, sync_str_t name,
    const sync_value_t *v, uint32_t i, void *data)
{
    sync_rc_t                 rc;
    sync_str_t                s, out;
    sync_error_t              err;
    sync_doc_pair_t           pair;
    sync_doc_session_fill_t  *fill = data;

    rc = sync_doc_header(c, name, &sync_doc_own_headers, &pair.name);

    if (rc == SYNC_OK) {
        rc = sync_doc_kind(c, v, SYNC_DOC_STRING);
    }

    if (rc != SYNC_OK) {
        return rc;
    }

    s = sync_value_str(v);

    if (s.len == 0 || s.len > SYNC_DOC_TEXT) {
        return sync_doc_refuse(c, "value", "has no bytes, or more than %d",
                               SYNC_DOC_TEXT);
    }

    rc = sync_session_text(s, sync_doc_session_value, fill, c->arena, &out,
                           &err);

    if (rc == SYNC_NO) {
        return sync_doc_refuse(c, "template", "%s, at byte %zu", err.text,
                               err.offset);
    }

    if (rc == SYNC_OK) {
        rc = sync_doc_string(c, s, &pair.value);
    }

    if (rc == SYNC_OK) {
        sync_doc_write(c, fill->rec.send.off, i, &pair, sizeof(pair));
    }

    return rc;
}


/* Called by sync_session_text(): is there such a value? */

static sync_rc_t
sync_doc_session_value(void *data, int secret, sync_str_t name,
    sync_str_t *value)
{
    uint32_t                  i;
    sync_str_t                s;
    sync_doc_ref_t            ref;
    sync_doc_take_rec_t       take;
    sync_doc_session_fill_t  *fill = data;

    value->data = name.data;
    value->len = 0;

    if (secret) {
        return sync_doc_session_secret(fill->c, fill, name);
    }

    for (i = 0; i < fill->ntake; i++) {
        ref.off = fill->rec.take.off + i * (uint32_t) sizeof(take);
        ref.n = sizeof(take);

        s = sync_doc_now(fill->c, ref);
        memcpy(&take, s.data, sizeof(take));

        if (sync_str_eq(sync_doc_now(fill->c, take.name), name)) {
            return SYNC_OK;
        }
    }

    return SYNC_NO;
}


/* NO: not a name, or too many. */

static sync_rc_t
sync_doc_session_secret(sync_doc_compile_t *c, sync_doc_session_fill_t *fill,
    sync_str_t name)
{
    uint32_t   i;
    sync_rc_t  rc;

    if (!sync_doc_name_ok(name)) {
        return SYNC_NO;
    }

    for (i = 0; i < fill->nsecrets; i++) {
        if (sync_str_eq(sync_doc_now(c, fill->secrets[i]), name)) {
            return SYNC_OK;
        }
    }

    if (fill->nsecrets == SYNC_DOC_SESSION_SECRETS) {
        return SYNC_NO;
    }

    rc = sync_doc_string(c, name, &fill->secrets[fill->nsecrets]);

    if (rc == SYNC_OK) {
        fill->nsecrets++;
    }

    return rc;
}


/* One way to say it, or several, any of which is meant. */

static sync_rc_t
sync_doc_session_expired(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec)
{
    size_t                    n;
    sync_rc_t                 rc;
    sync_doc_session_fill_t  *fill = rec;

    (void) m;

    n = 1;

    if (sync_value_type(v) == SYNC_VALUE_ARRAY) {
        n = sync_value_count(v);

        if (n == 0 || n > SYNC_DOC_SESSION_EXPIRED) {
            return sync_doc_refuse(c, "value", "has %zu ways to say it; 1 to "
                                   "%d are right", n,
                                   SYNC_DOC_SESSION_EXPIRED);
        }
    }

    fill->rec.expired.n = (uint32_t) n;

    rc = sync_doc_room(c, n, sizeof(sync_doc_expired_rec_t),
                       &fill->rec.expired.off);

    if (rc != SYNC_OK) {
        return rc;
    }

    return sync_value_type(v) == SYNC_VALUE_ARRAY
           ? sync_doc_each(c, v, sync_doc_session_expired_item, fill)
           : sync_doc_session_expired_item(c, sync_str_null, v, 0, fill);
}


static sync_rc_t
sync_doc_session_expired_item(sync_doc_compile_t *c, sync_str_t name,
    const sync_value_t *v, uint32_t i, void *data)
{
    sync_rc_t                 rc;
    sync_doc_session_fill_t  *fill = data;

    (void) name;

    memset(&fill->expired, 0, sizeof(fill->expired));

    rc = sync_doc_kind(c, v, SYNC_DOC_OBJECT);

    if (rc == SYNC_OK) {
        rc = sync_doc_walk(c, v, sync_doc_expired_table, fill);
    }

    if (rc != SYNC_OK) {
        return rc;
    }

    if (fill->expired.status < 400 && fill->expired.header.n == 0
        && fill->expired.path.n == 0)
    {
        return sync_doc_refuse(c, "missing-member", "is what a target says "
                               "that has done the work; \"header\" or "
                               "\"body\" tells a refusal from it");
    }

    sync_doc_write(c, fill->rec.expired.off, i, &fill->expired,
                   sizeof(fill->expired));

    return SYNC_OK;
}


static sync_rc_t
sync_doc_session_status(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec)
{
    int64_t                   status;
    sync_doc_session_fill_t  *fill = rec;

    (void) m;
    (void) sync_value_int(v, &status);

    if (status < 200 || status > SYNC_DOC_STATUS_LAST) {
        return sync_doc_refuse(c, "value", "is not a status from 200 to %d",
                               SYNC_DOC_STATUS_LAST);
    }

    fill->expired.status = (uint32_t) status;

    return SYNC_OK;
}


static sync_rc_t
sync_doc_session_in_header(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec)
{
    (void) m;

    return sync_doc_session_said(c, v, sync_doc_session_said_header, rec);
}


static sync_rc_t
sync_doc_session_in_body(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec)
{
    (void) m;

    return sync_doc_session_said(c, v, sync_doc_session_said_body, rec);
}


static sync_rc_t
sync_doc_session_said(sync_doc_compile_t *c, const sync_value_t *v,
    sync_doc_item_pt item, void *rec)
{
    if (sync_value_count(v) != 1) {
        return sync_doc_refuse(c, "value", "has %zu members; one is right",
                               sync_value_count(v));
    }

    return sync_doc_each(c, v, item, rec);
}


static sync_rc_t
sync_doc_session_said_header(sync_doc_compile_t *c, sync_str_t name,
    const sync_value_t *v, uint32_t i, void *data)
{
    sync_rc_t                 rc;
    sync_doc_member_t         m;
    sync_doc_session_fill_t  *fill = data;

    (void) i;

    memset(&m, 0, sizeof(m));

    rc = sync_doc_header(c, name, &sync_doc_session_any_header,
                         &fill->expired.header);

    if (rc == SYNC_OK) {
        rc = sync_doc_kind(c, v, SYNC_DOC_STRING);
    }

    return rc == SYNC_OK
           ? sync_doc_set_text(c, v, &m, &fill->expired.header_value) : rc;
}


/* A value is compared as text: 301 and "301" are one. */

static sync_rc_t
sync_doc_session_said_body(sync_doc_compile_t *c, sync_str_t name,
    const sync_value_t *v, uint32_t i, void *data)
{
    sync_rc_t                 rc;
    sync_str_t                s;
    sync_doc_session_fill_t  *fill = data;

    (void) i;

    rc = sync_doc_session_path(c, name, &fill->expired.path);
    if (rc != SYNC_OK) {
        return rc;
    }

    switch (sync_value_type(v)) {

    case SYNC_VALUE_STRING:
        s = sync_value_str(v);
        break;

    case SYNC_VALUE_INTEGER:
    case SYNC_VALUE_TRUE:
    case SYNC_VALUE_FALSE:
        s = sync_value_dump(v, c->arena);

        if (s.data == NULL) {
            return SYNC_FAULT;
        }

        break;

    default:
        return sync_doc_refuse(c, "type", "should be a string, an integer or "
                               "a boolean");
    }

    if (s.len == 0 || s.len > SYNC_DOC_TEXT) {
        return sync_doc_refuse(c, "value", "has no bytes, or more than %d",
                               SYNC_DOC_TEXT);
    }

    return sync_doc_string(c, s, &fill->expired.path_value);
}


/* What no member can tell alone, and the list of secrets. */

static sync_rc_t
sync_doc_session_whole(sync_doc_compile_t *c, sync_doc_session_fill_t *fill)
{
    uint32_t   i;
    sync_rc_t  rc;

    if (fill->rec.send.n == 0 && !fill->rec.cookies) {
        return sync_doc_refuse(c, "missing-member", "sends nothing: \"send\" "
                               "says in which headers, or \"take\" takes "
                               "\"cookies\"");
    }

    fill->rec.secrets.n = fill->nsecrets;

    rc = sync_doc_room(c, fill->nsecrets, sizeof(sync_doc_ref_t),
                       &fill->rec.secrets.off);

    for (i = 0; rc == SYNC_OK && i < fill->nsecrets; i++) {
        sync_doc_write(c, fill->rec.secrets.off, i, &fill->secrets[i],
                       sizeof(sync_doc_ref_t));
    }

    return rc;
}


/* Reading. */

static const sync_doc_session_rec_t *
sync_doc_session_rec(const sync_doc_t *doc, uint32_t connector)
{
    const sync_doc_connector_rec_t  *rec;

    if (connector >= doc->connectors.n) {
        return NULL;
    }

    rec = (const sync_doc_connector_rec_t *)
                             sync_doc_ptr(doc, doc->connectors.off)
          + connector;

    return rec->session.n ? sync_doc_ptr(doc, rec->session.off) : NULL;
}


sync_rc_t
sync_doc_session(const sync_doc_t *doc, uint32_t connector,
    sync_doc_session_t *session)
{
    const sync_doc_session_rec_t  *rec;

    rec = sync_doc_session_rec(doc, connector);

    if (rec == NULL) {
        return SYNC_NO;
    }

    session->code = sync_doc_view(doc, rec->code);
    session->method = sync_template_method(session->code);
    session->body = sync_doc_view(doc, rec->body);
    session->max_age_ms = rec->max_age;
    session->headers = rec->headers.n;
    session->taken = rec->take.n;
    session->sent = rec->send.n;
    session->expired = rec->expired.n;
    session->cookies = rec->cookies != 0;
    session->secrets.off = rec->secrets.off;
    session->secrets.n = rec->secrets.n;

    return SYNC_OK;
}


static sync_rc_t
sync_doc_session_pair(const sync_doc_t *doc, sync_doc_ref_t list, uint32_t i,
    sync_str_t *name, sync_str_t *value)
{
    const sync_doc_pair_t  *pair;

    if (i >= list.n) {
        return SYNC_NO;
    }

    pair = (const sync_doc_pair_t *) sync_doc_ptr(doc, list.off) + i;

    *name = sync_doc_view(doc, pair->name);
    *value = sync_doc_view(doc, pair->value);

    return SYNC_OK;
}


sync_rc_t
sync_doc_session_header_at(const sync_doc_t *doc, uint32_t connector,
    uint32_t i, sync_str_t *name, sync_str_t *value)
{
    const sync_doc_session_rec_t  *rec;

    rec = sync_doc_session_rec(doc, connector);

    return rec ? sync_doc_session_pair(doc, rec->headers, i, name, value)
               : SYNC_NO;
}


sync_rc_t
sync_doc_session_send_at(const sync_doc_t *doc, uint32_t connector,
    uint32_t i, sync_str_t *name, sync_str_t *text)
{
    const sync_doc_session_rec_t  *rec;

    rec = sync_doc_session_rec(doc, connector);

    return rec ? sync_doc_session_pair(doc, rec->send, i, name, text)
               : SYNC_NO;
}


sync_rc_t
sync_doc_session_take_at(const sync_doc_t *doc, uint32_t connector,
    uint32_t i, sync_doc_take_t *take)
{
    const sync_doc_take_rec_t     *t;
    const sync_doc_session_rec_t  *rec;

    rec = sync_doc_session_rec(doc, connector);

    if (rec == NULL || i >= rec->take.n) {
        return SYNC_NO;
    }

    t = (const sync_doc_take_rec_t *) sync_doc_ptr(doc, rec->take.off) + i;

    take->name = sync_doc_view(doc, t->name);
    take->header = sync_doc_view(doc, t->header);
    take->path = sync_doc_view(doc, t->path);

    return SYNC_OK;
}


sync_rc_t
sync_doc_session_expired_at(const sync_doc_t *doc, uint32_t connector,
    uint32_t i, sync_doc_expired_t *expired)
{
    const sync_doc_expired_rec_t  *e;
    const sync_doc_session_rec_t  *rec;

    rec = sync_doc_session_rec(doc, connector);

    if (rec == NULL || i >= rec->expired.n) {
        return SYNC_NO;
    }

    e = (const sync_doc_expired_rec_t *) sync_doc_ptr(doc, rec->expired.off)
        + i;

    expired->status = e->status;
    expired->header = sync_doc_view(doc, e->header);
    expired->header_value = sync_doc_view(doc, e->header_value);
    expired->path = sync_doc_view(doc, e->path);
    expired->path_value = sync_doc_view(doc, e->path_value);

    return SYNC_OK;
}
