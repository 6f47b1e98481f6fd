
/*
 * The names of a tenant: its id, its hosts, accounts, certificates and issuers,
 * in the tables of this process and, as far as they must be its own, among the
 * owners.
 *
 * Accounts ("hubspot:62515") and certificates ("san_dns=erp.example") stand
 * among the hosts: no host has a colon or an equals sign, and the name of no
 * system has one in front of its colon.
 */


#include "ngx_http_sync_registry_parts.h"
#include "sync_cert.h"
#include "sync_value.h"


/* Names of a document that is broken, as far as they can be read. */

typedef struct {
    sync_str_t    *names;
    ngx_uint_t     n;
    ngx_uint_t     most;
    sync_arena_t  *arena;
} ngx_http_sync_read_t;


static ngx_int_t ngx_http_sync_slot_names(ngx_http_sync_registry_t *reg,
    ngx_http_sync_slot_t *slot, const sync_doc_t *doc, char **error);
static ngx_int_t ngx_http_sync_slot_alone(ngx_http_sync_registry_t *reg,
    ngx_http_sync_slot_t *slot, ngx_str_t *id, char **error);
static ngx_int_t ngx_http_sync_slot_name(ngx_http_sync_registry_t *reg,
    ngx_http_sync_slot_t *slot, const sync_doc_t *doc, char kind,
    ngx_str_t *name, char **error);
static char *ngx_http_sync_slot_conflict(char kind, ngx_str_t *name,
    const sync_doc_t *doc, ngx_http_sync_slot_t *other);
static char ngx_http_sync_name_kind(char kind, ngx_str_t *name);
static sync_str_t ngx_http_sync_name_pointer(const sync_doc_t *doc, char kind,
    ngx_str_t *name, sync_arena_t *arena);
static uint32_t ngx_http_sync_names(const sync_doc_t *doc);
static void ngx_http_sync_name_at(const sync_doc_t *doc, uint32_t i,
    ngx_str_t *name);
static ngx_uint_t ngx_http_sync_has_name(const sync_doc_t *doc,
    ngx_str_t *name);
static ngx_uint_t ngx_http_sync_slot_read(ngx_http_sync_slot_t *slot,
    const sync_value_t *document, sync_arena_t *arena, ngx_log_t *log);
static void ngx_http_sync_read_match(ngx_http_sync_read_t *read,
    const sync_value_t *match);
static void ngx_http_sync_read_clients(ngx_http_sync_read_t *read,
    const sync_value_t *clients);
static void ngx_http_sync_read_certificate(ngx_http_sync_read_t *read,
    const sync_value_t *v);
static sync_str_t *ngx_http_sync_read_add(ngx_http_sync_read_t *read);


ngx_int_t
ngx_http_sync_slot_take(ngx_http_sync_registry_t *reg,
    ngx_http_sync_slot_t *slot, ngx_http_sync_tenant_t *t, ngx_log_t *log,
    char **error)
{
    uint32_t                 i, nhosts, nissuers;
    sync_str_t               s;
    sync_doc_issuer_t        issuer;
    ngx_http_sync_node_t    *hn, *in;
    ngx_http_sync_tenant_t  *old;

    if (slot->tenant != NULL
        && !sync_str_eq(sync_doc_id(slot->tenant->doc), sync_doc_id(t->doc)))
    {
        *error = ngx_http_sync_text("at \"/id\": a tenant's id never changes; "
                                    "a new tenant is a new file (value)");
        return NGX_DECLINED;
    }

    nhosts = ngx_http_sync_names(t->doc);
    nissuers = sync_doc_issuers(t->doc);

    hn = ngx_calloc((nhosts + 1) * sizeof(ngx_http_sync_node_t), log);
    in = ngx_calloc((nissuers + 1) * sizeof(ngx_http_sync_node_t), log);

    if (hn == NULL || in == NULL
        || ngx_http_sync_slot_names(reg, slot, t->doc, error) != NGX_OK)
    {
        free(hn);
        free(in);
        return NGX_DECLINED;
    }

    old = slot->tenant;

    ngx_http_sync_slot_forget(reg, slot);

    slot->tenant = t;
    slot->hosts = hn;
    slot->nhosts = nhosts;
    slot->issuers = in;
    slot->nissuers = nissuers;

    s = sync_doc_id(t->doc);
    slot->id.key.len = s.len;
    slot->id.key.data = s.data;
    slot->id.value = slot;
    ngx_http_sync_table_insert(&reg->ids, &slot->id, log);

    for (i = 0; i < nhosts; i++) {
        ngx_http_sync_name_at(t->doc, i, &hn[i].key);
        hn[i].value = slot;
        ngx_http_sync_table_insert(&reg->hosts, &hn[i], log);
    }

    for (i = 0; i < nissuers; i++) {
        ngx_memzero(&issuer, sizeof(issuer));
        (void) sync_doc_issuer_at(t->doc, i, &issuer);
        in[i].key.len = issuer.issuer.len;
        in[i].key.data = issuer.issuer.data;
        in[i].value = slot;
        ngx_http_sync_table_insert(&reg->issuers, &in[i], log);
    }

    if (reg->owners != NULL) {
        ngx_http_sync_owner_note(reg, &slot->id.key, t->generation);
    }

    if (old != NULL) {
        ngx_http_sync_slot_release(reg, slot, old->doc, t->doc);
        ngx_http_sync_tenant_drop(old);
    }

    return NGX_OK;
}


/* Claims the id, all hosts, accounts and certificates, or none of them. */

static ngx_int_t
ngx_http_sync_slot_names(ngx_http_sync_registry_t *reg,
    ngx_http_sync_slot_t *slot, const sync_doc_t *doc, char **error)
{
    uint32_t    i;
    ngx_str_t   name;
    sync_str_t  s;

    s = sync_doc_id(doc);
    name.len = s.len;
    name.data = s.data;

    if (ngx_http_sync_slot_alone(reg, slot, &name, error) != NGX_OK
        || ngx_http_sync_slot_name(reg, slot, doc, 'i', &name, error)
           != NGX_OK)
    {
        return NGX_DECLINED;
    }

    for (i = 0; i < ngx_http_sync_names(doc); i++) {
        ngx_http_sync_name_at(doc, i, &name);

        if (ngx_http_sync_slot_name(reg, slot, doc, 'h', &name, error)
            != NGX_OK)
        {
            ngx_http_sync_slot_release(reg, slot, doc,
                                       slot->tenant ? slot->tenant->doc
                                                    : NULL);
            return NGX_DECLINED;
        }
    }

    return NGX_OK;
}


/*
 * A proof may name a tenant by its name or by its id: no tenant's id may be
 * another one's name.  Who has both already keeps them.
 */

static ngx_int_t
ngx_http_sync_slot_alone(ngx_http_sync_registry_t *reg,
    ngx_http_sync_slot_t *slot, ngx_str_t *id, char **error)
{
    ngx_str_t             *name;
    ngx_http_sync_node_t  *n;

    if (slot->tenant != NULL) {
        return NGX_OK;
    }

    n = ngx_http_sync_table_find(&reg->slots, id);

    if (n != NULL && n->value != slot) {
        slot->contested = 1;
        *error = ngx_http_sync_text("at \"/id\": id \"%.*s\" is the name of "
                                    "another tenant; choose another id "
                                    "(conflict)", (int) id->len, id->data);
        return NGX_DECLINED;
    }

    name = &slot->node.key;
    n = ngx_http_sync_table_find(&reg->ids, name);

    if (n != NULL && n->value != slot) {
        slot->contested = 1;
        *error = ngx_http_sync_text("at \"/tenant\": name \"%.*s\" is the id "
                                    "of another tenant; choose another name "
                                    "(conflict)", (int) name->len, name->data);
        return NGX_DECLINED;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_sync_slot_name(ngx_http_sync_registry_t *reg,
    ngx_http_sync_slot_t *slot, const sync_doc_t *doc, char kind,
    ngx_str_t *name, char **error)
{
    ngx_int_t              rc;
    ngx_http_sync_node_t  *n;
    ngx_http_sync_slot_t  *other;

    n = ngx_http_sync_table_find(kind == 'h' ? &reg->hosts : &reg->ids, name);
    other = n != NULL ? n->value : NULL;

    if (reg->owners != NULL) {
        rc = ngx_http_sync_owner_claim(reg, kind, name, &slot->node.key);

    } else {
        rc = (other == NULL || other == slot) ? NGX_OK : NGX_DECLINED;
    }

    if (rc == NGX_OK) {
        return NGX_OK;
    }

    slot->contested = 1;

    if (rc == NGX_ERROR) {
        *error = ngx_http_sync_text("the zone of names is full; raise "
                                    "\"zone=\" of \"sync_tenants\"");
        return NGX_DECLINED;
    }

    *error = ngx_http_sync_slot_conflict(ngx_http_sync_name_kind(kind, name),
                                         name, doc,
                                         other != slot ? other : NULL);

    return NGX_DECLINED;
}


/* other: who has it, NULL: this process does not know. */

static char *
ngx_http_sync_slot_conflict(char kind, ngx_str_t *name, const sync_doc_t *doc,
    ngx_http_sync_slot_t *other)
{
    char          *text;
    ngx_str_t     *owner;
    sync_str_t     mine, theirs;
    sync_arena_t  *arena;

    arena = sync_arena_create(0);
    if (arena == NULL) {
        return NULL;
    }

    mine = ngx_http_sync_name_pointer(doc, kind, name, arena);
    theirs = sync_str_null;
    owner = other != NULL ? &other->node.key : NULL;

    if (kind == 'c' && other != NULL && other->tenant != NULL) {
        theirs = ngx_http_sync_name_pointer(other->tenant->doc, kind, name,
                                            arena);
    }

    text = ngx_http_sync_text("at \"%.*s\": %s \"%.*s\" belongs to %s%.*s "
                              "already%s%.*s%s%.*s%s; take it out of one of "
                              "them (conflict)",
                              (int) mine.len, (char *) mine.data,
                              kind == 'h' ? "host" : kind == 'a' ? "account"
                              : kind == 'c' ? "certificate" : "id",
                              (int) name->len, name->data,
                              owner ? "the tenant " : "another tenant",
                              owner ? (int) owner->len : 0,
                              owner ? owner->data : (u_char *) "",
                              theirs.len ? ", \"" : "",
                              theirs.len ? (int) owner->len : 0,
                              theirs.len ? owner->data : (u_char *) "",
                              theirs.len ? ".json\" at \"" : "",
                              (int) theirs.len,
                              theirs.len ? (char *) theirs.data : "",
                              theirs.len ? "\"" : "");

    sync_arena_destroy(arena);

    return text;
}


static char
ngx_http_sync_name_kind(char kind, ngx_str_t *name)
{
    size_t  i;

    for (i = 0; kind == 'h' && i < name->len; i++) {

        if (name->data[i] == '=') {
            return 'c';
        }

        if (name->data[i] == ':') {
            return 'a';
        }
    }

    return kind;
}


/* Where a document has a name: as far as one would search for it. */

static sync_str_t
ngx_http_sync_name_pointer(const sync_doc_t *doc, char kind, ngx_str_t *name,
    sync_arena_t *arena)
{
    uint32_t                i;
    sync_str_t              pointer;
    sync_doc_client_t       client;
    sync_doc_certificate_t  c;

    switch (kind) {

    case 'h':
        return sync_str_lit("/match/hosts");

    case 'a':
        return sync_str_lit("/match/accounts");

    case 'i':
        return sync_str_lit("/id");

    default:
        break;
    }

    pointer = sync_str_lit("/clients");

    for (i = 0; sync_doc_certificate_at(doc, i, &c) == SYNC_OK; i++) {

        if (c.name.len != name->len
            || ngx_memcmp(c.name.data, name->data, name->len) != 0
            || sync_doc_client_at(doc, c.client, &client) != SYNC_OK)
        {
            continue;
        }

        pointer = sync_pointer_member(arena, pointer, client.id);
        pointer = sync_pointer_member(arena, pointer,
                                      sync_str_lit("certificates"));
        pointer = sync_pointer_index(arena, pointer, c.item);
        break;
    }

    return pointer;
}


ngx_int_t
ngx_http_sync_slot_claim(ngx_http_sync_registry_t *reg,
    ngx_http_sync_slot_t *slot, ngx_log_t *log)
{
    char                    *error;
    ngx_http_sync_tenant_t  *t;

    if (slot->tenant == NULL) {
        return NGX_OK;
    }

    error = NULL;
    t = slot->tenant;

    if (ngx_http_sync_slot_names(reg, slot, t->doc, &error) == NGX_OK) {
        ngx_http_sync_owner_note(reg, &slot->id.key, t->generation);
        return NGX_OK;
    }

    if (error == NULL) {
        return NGX_ERROR;
    }

    ngx_http_sync_slot_release(reg, slot, t->doc, NULL);
    ngx_http_sync_slot_forget(reg, slot);
    ngx_http_sync_tenant_drop(t);

    ngx_http_sync_slot_refuse(reg, slot, error, log);

    return NGX_DECLINED;
}


void
ngx_http_sync_slot_release(ngx_http_sync_registry_t *reg,
    ngx_http_sync_slot_t *slot, const sync_doc_t *gone,
    const sync_doc_t *stays)
{
    uint32_t    i;
    ngx_str_t   name;
    sync_str_t  s;

    if (reg->owners == NULL) {
        return;
    }

    s = sync_doc_id(gone);

    if (stays == NULL || !sync_str_eq(s, sync_doc_id(stays))) {
        name.len = s.len;
        name.data = s.data;
        ngx_http_sync_owner_release(reg, 'i', &name, &slot->node.key);
    }

    for (i = 0; i < ngx_http_sync_names(gone); i++) {
        ngx_http_sync_name_at(gone, i, &name);

        if (stays == NULL || !ngx_http_sync_has_name(stays, &name)) {
            ngx_http_sync_owner_release(reg, 'h', &name, &slot->node.key);
        }
    }
}


/* Hosts, accounts and certificates, one behind the other. */

static uint32_t
ngx_http_sync_names(const sync_doc_t *doc)
{
    return sync_doc_hosts(doc).n + sync_doc_accounts(doc)
           + (sync_doc_match_certificates(doc) ? sync_doc_certificates(doc)
                                               : 0);
}


static void
ngx_http_sync_name_at(const sync_doc_t *doc, uint32_t i, ngx_str_t *name)
{
    uint32_t                accounts;
    sync_str_t              s;
    sync_doc_list_t         hosts;
    sync_doc_certificate_t  certificate;

    hosts = sync_doc_hosts(doc);
    accounts = sync_doc_accounts(doc);

    if (i < hosts.n) {
        s = sync_doc_item(doc, hosts, i);

    } else if (i - hosts.n < accounts) {
        s = sync_doc_account_at(doc, i - hosts.n);

    } else {
        certificate.name = sync_str_null;
        (void) sync_doc_certificate_at(doc, i - hosts.n - accounts,
                                       &certificate);
        s = certificate.name;
    }

    name->len = s.len;
    name->data = s.data;
}


/* Certificates are many: they are searched as the document has them. */

static ngx_uint_t
ngx_http_sync_has_name(const sync_doc_t *doc, ngx_str_t *name)
{
    uint32_t    i;
    ngx_str_t   other;
    sync_str_t  s;

    if (ngx_http_sync_name_kind('h', name) == 'c') {
        s.len = name->len;
        s.data = name->data;

        return sync_doc_match_certificates(doc)
               && sync_doc_certificate(doc, s) != SYNC_DOC_NONE;
    }

    for (i = 0; i < sync_doc_hosts(doc).n + sync_doc_accounts(doc); i++) {
        ngx_http_sync_name_at(doc, i, &other);

        if (other.len == name->len
            && ngx_memcmp(other.data, name->data, name->len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


void
ngx_http_sync_slot_forget(ngx_http_sync_registry_t *reg,
    ngx_http_sync_slot_t *slot)
{
    ngx_uint_t  i;

    if (slot->tenant != NULL) {
        ngx_http_sync_table_remove(&reg->ids, &slot->id);
    }

    for (i = 0; i < slot->nhosts; i++) {
        ngx_http_sync_table_remove(&reg->hosts, &slot->hosts[i]);
    }

    for (i = 0; i < slot->nissuers; i++) {
        ngx_http_sync_table_remove(&reg->issuers, &slot->issuers[i]);
    }

    free(slot->hosts);
    free(slot->issuers);

    slot->hosts = NULL;
    slot->nhosts = 0;
    slot->issuers = NULL;
    slot->nissuers = 0;
    slot->tenant = NULL;
}


void
ngx_http_sync_slot_down(ngx_http_sync_registry_t *reg,
    ngx_http_sync_slot_t *slot, ngx_str_t *text, ngx_log_t *log)
{
    ngx_uint_t             i, n;
    sync_arena_t          *arena;
    sync_error_t           err;
    sync_value_t          *document;
    ngx_http_sync_node_t  *node;

    ngx_http_sync_slot_forget(reg, slot);

    arena = sync_arena_create(0);
    if (arena == NULL) {
        return;
    }

    document = NULL;

    if (sync_value_parse(&document, arena,
                         (sync_str_t) { text->len, text->data }, 0, &err)
        == SYNC_OK)
    {
        n = ngx_http_sync_slot_read(slot, document, arena, log);

        for (i = 0; i < n; i++) {
            node = &slot->hosts[i];

            if (node->key.len == 0
                || ngx_http_sync_table_find(&reg->hosts, &node->key) != NULL)
            {
                /* a tenant that works goes first */
                continue;
            }

            /* those that are in the table stand together */

            slot->hosts[slot->nhosts] = *node;
            ngx_http_sync_table_insert(&reg->hosts,
                                       &slot->hosts[slot->nhosts++], log);
        }
    }

    sync_value_free(document);
    sync_arena_destroy(arena);
}


/* Nodes and their keys, in one piece; their number. */

static ngx_uint_t
ngx_http_sync_slot_read(ngx_http_sync_slot_t *slot,
    const sync_value_t *document, sync_arena_t *arena, ngx_log_t *log)
{
    size_t                 size;
    u_char                *p;
    ngx_uint_t             i;
    const sync_value_t    *match;
    ngx_http_sync_node_t  *node;
    ngx_http_sync_read_t   read;

    ngx_memzero(&read, sizeof(read));
    read.arena = arena;

    match = sync_value_get(document, "match");

    ngx_http_sync_read_match(&read, match);

    if (sync_str_is(sync_value_str(sync_value_get(match, "certificates")),
                    "clients"))
    {
        ngx_http_sync_read_clients(&read, sync_value_get(document, "clients"));
    }

    if (read.n == 0) {
        return 0;
    }

    size = 0;

    for (i = 0; i < read.n; i++) {
        size += read.names[i].len;
    }

    slot->hosts = ngx_calloc(read.n * sizeof(ngx_http_sync_node_t) + size,
                             log);
    if (slot->hosts == NULL) {
        return 0;
    }

    node = slot->hosts;
    p = (u_char *) (node + read.n);

    for (i = 0; i < read.n; i++) {
        node[i].key.len = read.names[i].len;
        node[i].key.data = p;
        node[i].value = slot;

        p = ngx_cpymem(p, read.names[i].data, read.names[i].len);
    }

    return read.n;
}


static void
ngx_http_sync_read_match(ngx_http_sync_read_t *read, const sync_value_t *match)
{
    size_t               i;
    u_char              *p;
    sync_str_t           s, *name;
    sync_value_iter_t    it;
    const sync_value_t  *hosts, *accounts;

    hosts = sync_value_get(match, "hosts");
    accounts = sync_value_get(match, "accounts");

    if (sync_value_type(hosts) == SYNC_VALUE_ARRAY) {

        for (i = 0; i < sync_value_count(hosts); i++) {
            s = sync_strdup(read->arena, sync_value_str(sync_value_at(hosts,
                                                                      i)));
            name = ngx_http_sync_read_add(read);

            if (name != NULL && s.data != NULL) {
                ngx_strlow(s.data, s.data, s.len);
                *name = s;
            }
        }
    }

    if (sync_value_type(accounts) != SYNC_VALUE_OBJECT) {
        return;
    }

    ngx_memzero(&it, sizeof(it));

    while (sync_value_next(accounts, &it)) {
        s = sync_value_str(it.value);

        p = sync_alloc(read->arena, it.name.len + 1 + s.len);
        name = ngx_http_sync_read_add(read);

        if (name != NULL && p != NULL) {
            name->data = p;

            p = ngx_cpymem(p, it.name.data, it.name.len);
            *p++ = ':';
            p = ngx_cpymem(p, s.data, s.len);

            name->len = p - name->data;
        }
    }
}


static void
ngx_http_sync_read_clients(ngx_http_sync_read_t *read,
    const sync_value_t *clients)
{
    size_t               i;
    sync_value_iter_t    it;
    const sync_value_t  *list;

    if (sync_value_type(clients) != SYNC_VALUE_OBJECT) {
        return;
    }

    ngx_memzero(&it, sizeof(it));

    while (sync_value_next(clients, &it)) {
        list = sync_value_get(it.value, "certificates");

        if (sync_value_type(list) != SYNC_VALUE_ARRAY) {
            continue;
        }

        for (i = 0; i < sync_value_count(list); i++) {
            ngx_http_sync_read_certificate(read, sync_value_at(list, i));
        }
    }
}


static void
ngx_http_sync_read_certificate(ngx_http_sync_read_t *read,
    const sync_value_t *v)
{
    sync_str_t          s, *name;
    sync_cert_kind_e    kind;
    sync_value_iter_t   it;

    kind = SYNC_CERT_SHA256;

    if (sync_value_type(v) == SYNC_VALUE_OBJECT) {
        ngx_memzero(&it, sizeof(it));

        if (!sync_value_next(v, &it)) {
            return;
        }

        kind = sync_cert_kind(it.name);
        v = it.value;
    }

    if (kind == SYNC_CERT_KINDS || sync_value_type(v) != SYNC_VALUE_STRING
        || sync_cert_name_read(kind, sync_value_str(v), read->arena, &s, NULL)
           != SYNC_OK)
    {
        return;
    }

    name = ngx_http_sync_read_add(read);

    if (name != NULL) {
        *name = s;
    }
}


/* An empty one.  NULL: no memory, and it is left out. */

static sync_str_t *
ngx_http_sync_read_add(ngx_http_sync_read_t *read)
{
    ngx_uint_t   most;
    sync_str_t  *names;

    if (read->n == read->most) {
        most = read->most ? read->most * 2 : 8;

        names = sync_alloc(read->arena, most * sizeof(sync_str_t));
        if (names == NULL) {
            return NULL;
        }

        if (read->n) {
            ngx_memcpy(names, read->names, read->n * sizeof(sync_str_t));
        }

        read->names = names;
        read->most = most;
    }

    names = &read->names[read->n++];
    *names = sync_str_null;

    return names;
}
