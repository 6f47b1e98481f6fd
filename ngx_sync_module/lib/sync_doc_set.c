
/*
 * Setters for the tables of tenant documents, and what they let pass.
 */


#include "sync_doc_grammar.h"
#include "sync_rate.h"
#include "sync_url.h"

#include <stdlib.h>


typedef struct {
    const sync_doc_list_of_t  *of;
    uint32_t                   off;
} sync_doc_list_fill_t;


static sync_rc_t sync_doc_list_item(sync_doc_compile_t *c, sync_str_t name,
    const sync_value_t *v, uint32_t i, void *data);
static sync_rc_t sync_doc_sorted_item(sync_doc_compile_t *c, sync_str_t name,
    const sync_value_t *v, uint32_t i, void *data);
static int sync_doc_sorted_order(const void *a, const void *b);
static sync_rc_t sync_doc_bounded(sync_doc_compile_t *c, sync_str_t s);
static int sync_doc_host_ok(sync_str_t s);
static int sync_doc_port_ok(sync_str_t s);
static int sync_doc_token_ok(sync_str_t s);
static sync_str_t sync_doc_lower(sync_doc_compile_t *c, sync_str_t s);


#define sync_doc_field(rec, m, type)                                          \
    ((type *) (void *) ((unsigned char *) (rec) + (m)->offset))


sync_rc_t
sync_doc_set_text(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec)
{
    sync_rc_t   rc;
    sync_str_t  s;

    s = sync_value_str(v);

    rc = sync_doc_bounded(c, s);
    if (rc != SYNC_OK) {
        return rc;
    }

    return sync_doc_string(c, s, sync_doc_field(rec, m, sync_doc_ref_t));
}


sync_rc_t
sync_doc_set_name(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec)
{
    sync_str_t  s;

    s = sync_value_str(v);

    if (!sync_doc_name_ok(s)) {
        return sync_doc_refuse(c, "value", "is not a name: 1 to %d of letters, "
                               "digits and \"_.-\", no dot first",
                               SYNC_DOC_NAME);
    }

    return sync_doc_string(c, s, sync_doc_field(rec, m, sync_doc_ref_t));
}


sync_rc_t
sync_doc_set_word(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec)
{
    return sync_doc_word(c, m->data, sync_value_str(v), 0,
                         sync_doc_field(rec, m, uint32_t));
}


sync_rc_t
sync_doc_set_flag(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec)
{
    (void) c;

    *sync_doc_field(rec, m, uint32_t) =
                                      sync_value_type(v) == SYNC_VALUE_TRUE;

    return SYNC_OK;
}


sync_rc_t
sync_doc_set_number(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec)
{
    int64_t         n, most;
    unsigned char  *field = rec;

    most = *(const int64_t *) m->data;
    n = 0;

    (void) sync_value_int(v, &n);

    if (n < 1 || n > most) {
        return sync_doc_refuse(c, "value", "is from 1 to %lld",
                               (long long) most);
    }

    *(uint32_t *) (void *) (field + m->offset) = (uint32_t) n;

    return SYNC_OK;
}


sync_rc_t
sync_doc_set_duration(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec)
{
    int64_t       ms;
    sync_error_t  err;

    if (sync_duration_parse(&ms, sync_value_str(v), &err) != SYNC_OK) {
        return sync_doc_refuse(c, "value", "%s", err.text);
    }

    if (ms == 0) {
        return sync_doc_refuse(c, "value", "is no time at all; leave it out "
                               "for the default");
    }

    *sync_doc_field(rec, m, uint64_t) = (uint64_t) ms;

    return SYNC_OK;
}


sync_rc_t
sync_doc_set_library(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec)
{
    sync_rc_t         rc;
    sync_str_t        s;
    sync_doc_shown_t  shown;

    s = sync_value_str(v);

    if (!sync_doc_path_ok(s)) {
        return sync_doc_refuse(c, "value", "is not a path below the library: "
                               "relative, of letters, digits and \"_.-/\", no "
                               "part that begins with a dot");
    }

    if (c->options->library) {
        rc = c->options->library(c->options->data, s);

        if (rc == SYNC_NO) {
            return sync_doc_refuse(c, "reference", "there is no file \"%s\" "
                                   "below the library",
                                   sync_doc_show(&shown, s));
        }

        if (rc != SYNC_OK) {
            return rc;
        }
    }

    return sync_doc_string(c, s, sync_doc_field(rec, m, sync_doc_ref_t));
}


/* No text of this one shows the value: it may be the secret itself. */

sync_rc_t
sync_doc_set_secret(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec)
{
    sync_str_t  s;

    s = sync_value_str(v);

    if (sync_str_starts(s, "env:") || sync_str_starts(s, "file:")) {
        return sync_doc_refuse(c, "secret", "\"env:\" and \"file:\" are for "
                               "nginx.conf; a document says \"secret:NAME\", a "
                               "file in the tenant's folder of sync_secrets");
    }

    if (!sync_str_starts(s, "secret:")) {
        return sync_doc_refuse(c, "secret", "is not a reference; secrets do "
                               "not stand in documents: write \"secret:NAME\" "
                               "for a file in the tenant's folder of "
                               "sync_secrets");
    }

    s.data += sizeof("secret:") - 1;
    s.len -= sizeof("secret:") - 1;

    if (!sync_doc_name_ok(s)) {
        return sync_doc_refuse(c, "secret", "what follows \"secret:\" is not "
                               "a name: 1 to %d of letters, digits and "
                               "\"_.-\", no dot first, no \"/\"",
                               SYNC_DOC_NAME);
    }

    return sync_doc_string(c, s, sync_doc_field(rec, m, sync_doc_ref_t));
}


sync_rc_t
sync_doc_set_text_or_secret(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec)
{
    sync_rc_t          rc;
    sync_str_t         s;
    sync_doc_ref_t     name;
    sync_doc_member_t  scratch;

    s = sync_value_str(v);

    if (sync_str_starts(s, "secret:") || sync_str_starts(s, "env:")
        || sync_str_starts(s, "file:"))
    {
        memset(&scratch, 0, sizeof(scratch));

        rc = sync_doc_set_secret(c, v, &scratch, &name);
        if (rc != SYNC_OK) {
            return rc;
        }
    }

    return sync_doc_set_text(c, v, m, rec);
}


sync_rc_t
sync_doc_set_called(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec)
{
    sync_url_t    url;
    sync_error_t  err;

    if (sync_url_parse(&url, sync_value_str(v), &err) != SYNC_OK) {
        return sync_doc_refuse(c, "value", "%s", err.text);
    }

    return sync_doc_set_text(c, v, m, rec);
}


sync_rc_t
sync_doc_set_header(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec)
{
    return sync_doc_header(c, sync_value_str(v), m->data,
                           sync_doc_field(rec, m, sync_doc_ref_t));
}


sync_rc_t
sync_doc_header(sync_doc_compile_t *c, sync_str_t s,
    const sync_doc_headers_t *closed, sync_doc_ref_t *ref)
{
    sync_str_t         lower;
    const char       **name;
    sync_doc_shown_t   shown;

    if (!sync_doc_token_ok(s)) {
        return sync_doc_refuse(c, "value", "is not the name of a header");
    }

    lower = sync_doc_lower(c, s);

    if (lower.data == NULL) {
        return SYNC_FAULT;
    }

    for (name = closed->names; *name != NULL; name++) {

        /* one that ends with "-" stands for all that begin so */

        if ((*name)[strlen(*name) - 1] == '-'
            ? sync_str_starts(lower, *name) : sync_str_is(lower, *name))
        {
            return sync_doc_refuse(c, "value", "\"%s\" %s",
                                   sync_doc_show(&shown, s), closed->why);
        }
    }

    return sync_doc_string(c, lower, ref);
}


sync_rc_t
sync_doc_set_host(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec)
{
    sync_str_t      s, name, port;
    unsigned char  *colon;

    s = sync_doc_lower(c, sync_value_str(v));

    if (s.data == NULL) {
        return SYNC_FAULT;
    }

    name = s;
    colon = memchr(s.data, ':', s.len);

    if (colon && m->data) {
        name.len = (size_t) (colon - s.data);
        port = (sync_str_t) { s.len - name.len - 1, colon + 1 };

        if (!sync_doc_port_ok(port)) {
            return sync_doc_refuse(c, "value", "the port is not a number from "
                                   "1 to 65535");
        }
    }

    if (!sync_doc_host_ok(name)) {
        return sync_doc_refuse(c, "value", "is not a host name: labels of "
                               "letters, digits and \"-\", joined by dots, no "
                               "wildcard%s, at most 253 bytes",
                               m->data ? "" : ", no port");
    }

    return sync_doc_string(c, s, sync_doc_field(rec, m, sync_doc_ref_t));
}


sync_rc_t
sync_doc_set_object(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec)
{
    return sync_doc_walk(c, v, m->data, rec);
}


sync_rc_t
sync_doc_set_list(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec)
{
    uint32_t               n;
    sync_rc_t              rc;
    sync_doc_ref_t        *ref;
    sync_doc_list_fill_t   fill;

    fill.of = m->data;
    ref = sync_doc_field(rec, m, sync_doc_ref_t);

    if (fill.of->alone && sync_value_type(v) == SYNC_VALUE_STRING) {
        n = 1;

    } else {

        rc = sync_doc_kind(c, v, SYNC_DOC_ARRAY);
        if (rc != SYNC_OK) {
            return rc;
        }

        n = (uint32_t) sync_value_count(v);
    }

    if (n == 0) {
        return sync_doc_refuse(c, "value", "is empty; leave it out or name at "
                               "least one");
    }

    if (fill.of->most && n > fill.of->most) {
        return sync_doc_refuse(c, "value", "has more than %u entries",
                               (unsigned) fill.of->most);
    }

    rc = sync_doc_room(c, n, sizeof(sync_doc_ref_t), &fill.off);

    if (rc == SYNC_OK) {
        rc = sync_value_type(v) == SYNC_VALUE_STRING
             ? sync_doc_list_item(c, sync_str_null, v, 0, &fill)
             : sync_doc_each(c, v, sync_doc_list_item, &fill);
    }

    ref->off = fill.off;
    ref->n = n;

    return rc;
}


static sync_rc_t
sync_doc_list_item(sync_doc_compile_t *c, sync_str_t name,
    const sync_value_t *v, uint32_t i, void *data)
{
    uint32_t               k;
    sync_rc_t              rc;
    sync_doc_ref_t         ref, before;
    sync_doc_member_t      m;
    sync_doc_list_fill_t  *fill = data;

    (void) name;

    rc = sync_doc_kind(c, v, SYNC_DOC_STRING);
    if (rc != SYNC_OK) {
        return rc;
    }

    memset(&m, 0, sizeof(m));
    m.data = fill->of->data;

    rc = fill->of->set(c, v, &m, &ref);
    if (rc != SYNC_OK) {
        return rc;
    }

    for (k = 0; k < i; k++) {
        memcpy(&before, c->block + fill->off + k * sizeof(before),
               sizeof(before));

        if (sync_str_eq(sync_doc_now(c, before), sync_doc_now(c, ref))) {
            return sync_doc_refuse(c, "value", "is there twice");
        }
    }

    sync_doc_write(c, fill->off, i, &ref, sizeof(ref));

    return SYNC_OK;
}


/* Order and number are the compiler's to see to, so that a lookup is cheap. */

sync_rc_t
sync_doc_set_sorted(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec)
{
    size_t             i, n;
    sync_rc_t          rc;
    sync_str_t        *items;
    sync_doc_ref_t     list, ref;

    n = sync_value_count(v);

    if (n > SYNC_DOC_REVOKED) {
        return sync_doc_refuse(c, "value", "has more than %u entries",
                               (unsigned) SYNC_DOC_REVOKED);
    }

    items = sync_alloc(c->arena, (n + 1) * sizeof(sync_str_t));
    if (items == NULL) {
        return SYNC_FAULT;
    }

    rc = sync_doc_each(c, v, sync_doc_sorted_item, items);

    list = (sync_doc_ref_t) { 0, (uint32_t) n };

    if (rc == SYNC_OK) {
        qsort(items, n, sizeof(sync_str_t), sync_doc_sorted_order);
        rc = sync_doc_room(c, n, sizeof(sync_doc_ref_t), &list.off);
    }

    for (i = 0; rc == SYNC_OK && i < n; i++) {
        rc = sync_doc_string(c, items[i], &ref);

        if (rc == SYNC_OK) {
            sync_doc_write(c, list.off, i, &ref, sizeof(ref));
        }
    }

    *sync_doc_field(rec, m, sync_doc_ref_t) = list;

    return rc;
}


static sync_rc_t
sync_doc_sorted_item(sync_doc_compile_t *c, sync_str_t name,
    const sync_value_t *v, uint32_t i, void *data)
{
    sync_rc_t    rc;
    sync_str_t  *items = data;

    (void) name;

    rc = sync_doc_kind(c, v, SYNC_DOC_STRING);
    if (rc != SYNC_OK) {
        return rc;
    }

    items[i] = sync_value_str(v);

    if (items[i].len == 0 || items[i].len > SYNC_DOC_TEXT) {
        return sync_doc_refuse(c, "value", "is not a string of 1 to %d bytes",
                               SYNC_DOC_TEXT);
    }

    return SYNC_OK;
}


static int
sync_doc_sorted_order(const void *a, const void *b)
{
    return sync_doc_compare(*(const sync_str_t *) a, *(const sync_str_t *) b);
}


sync_rc_t
sync_doc_name_of(sync_doc_compile_t *c, const char *what, sync_str_t name,
    sync_doc_ref_t *ref)
{
    if (!sync_doc_name_ok(name)) {
        return sync_doc_refuse(c, "value", "is not the name of a %s: 1 to %d "
                               "of letters, digits and \"_.-\", no dot first",
                               what, SYNC_DOC_NAME);
    }

    return sync_doc_string(c, name, ref);
}


int
sync_doc_pointer_ok(sync_str_t s)
{
    size_t  i;

    if (s.len < 2 || s.len > SYNC_DOC_TEXT || s.data[0] != '/') {
        return 0;
    }

    for (i = 0; i < s.len; i++) {
        if (s.data[i] == '~'
            && (i + 1 == s.len
                || (s.data[i + 1] != '0' && s.data[i + 1] != '1')))
        {
            return 0;
        }
    }

    return 1;
}


/* Strings that are shown in logs or sent in headers. */

static sync_rc_t
sync_doc_bounded(sync_doc_compile_t *c, sync_str_t s)
{
    size_t  i;

    if (s.len == 0) {
        return sync_doc_refuse(c, "value", "is empty");
    }

    if (s.len > SYNC_DOC_TEXT) {
        return sync_doc_refuse(c, "value", "is longer than %d bytes",
                               SYNC_DOC_TEXT);
    }

    for (i = 0; i < s.len; i++) {
        if (s.data[i] < 0x20 || s.data[i] == 0x7f) {
            return sync_doc_refuse(c, "value", "has a control character");
        }
    }

    return SYNC_OK;
}


int
sync_doc_name_ok(sync_str_t s)
{
    return s.len <= SYNC_DOC_NAME && memchr(s.data, '/', s.len) == NULL
           && sync_doc_path_ok(s);
}


int
sync_doc_path_ok(sync_str_t path)
{
    size_t         i;
    unsigned char  ch, before;

    if (path.len == 0 || path.len > SYNC_DOC_TEXT
        || path.data[path.len - 1] == '/')
    {
        return 0;
    }

    before = '/';

    for (i = 0; i < path.len; i++) {
        ch = path.data[i];

        if (before == '/' && (ch == '/' || ch == '.')) {
            return 0;
        }

        if (!((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z')
              || (ch >= '0' && ch <= '9')
              || ch == '_' || ch == '.' || ch == '-' || ch == '/'))
        {
            return 0;
        }

        before = ch;
    }

    return 1;
}


/* RFC 1123, section 2.1; IPv4 addresses look the same */

static int
sync_doc_host_ok(sync_str_t s)
{
    size_t         i, label;
    unsigned char  ch;

    if (s.len == 0 || s.len > 253) {
        return 0;
    }

    label = 0;

    for (i = 0; i < s.len; i++) {
        ch = s.data[i];

        if (ch == '.') {
            if (label == 0 || s.data[i - 1] == '-') {
                return 0;
            }

            label = 0;
            continue;
        }

        if (!((ch >= 'a' && ch <= 'z') || (ch >= '0' && ch <= '9')
              || (ch == '-' && label)))
        {
            return 0;
        }

        if (++label > 63) {
            return 0;
        }
    }

    return label && s.data[s.len - 1] != '-';
}


static int
sync_doc_port_ok(sync_str_t s)
{
    size_t    i;
    unsigned  port;

    port = 0;

    if (s.len > 5) {
        return 0;
    }

    for (i = 0; i < s.len; i++) {
        if (s.data[i] < '0' || s.data[i] > '9') {
            return 0;
        }

        port = port * 10 + (s.data[i] - '0');
    }

    return port > 0 && port < 65536;
}


/* RFC 9110, section 5.6.2 */

static int
sync_doc_token_ok(sync_str_t s)
{
    size_t         i;
    unsigned char  ch;

    for (i = 0; i < s.len; i++) {
        ch = s.data[i];

        if (!((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z')
              || (ch >= '0' && ch <= '9')
              || (ch && strchr("!#$%&'*+-.^_`|~", ch))))
        {
            return 0;
        }
    }

    return s.len > 0 && s.len <= SYNC_DOC_NAME;
}


static sync_str_t
sync_doc_lower(sync_doc_compile_t *c, sync_str_t s)
{
    size_t      i;
    sync_str_t  lower;

    lower = sync_strdup(c->arena, s);

    for (i = 0; lower.data && i < s.len; i++) {
        if (lower.data[i] >= 'A' && lower.data[i] <= 'Z') {
            lower.data[i] |= 0x20;
        }
    }

    return lower;
}
