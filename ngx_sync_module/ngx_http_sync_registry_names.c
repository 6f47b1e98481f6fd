
/*
 * The names of a tenant: its id, its hosts, accounts and issuers, in the tables
 * of this process and, as far as they must be its own, among the owners.
 *
 * An account ("hubspot:62515") stands among the hosts: no host has a colon.
 */


#include "ngx_http_sync_registry_parts.h"
#include "sync_value.h"


static ngx_int_t ngx_http_sync_slot_names(ngx_http_sync_registry_t *reg,
    ngx_http_sync_slot_t *slot, const sync_doc_t *doc, char **error);
static ngx_int_t ngx_http_sync_slot_alone(ngx_http_sync_registry_t *reg,
    ngx_http_sync_slot_t *slot, ngx_str_t *id, char **error);
static ngx_int_t ngx_http_sync_slot_name(ngx_http_sync_registry_t *reg,
    ngx_http_sync_slot_t *slot, char kind, ngx_str_t *name, char **error);
static uint32_t ngx_http_sync_names(const sync_doc_t *doc);
static void ngx_http_sync_name_at(const sync_doc_t *doc, uint32_t i,
    ngx_str_t *name);
static ngx_uint_t ngx_http_sync_has_name(const sync_doc_t *doc,
    ngx_str_t *name);
static ngx_uint_t ngx_http_sync_slot_read(ngx_http_sync_slot_t *slot,
    const sync_value_t *match, ngx_log_t *log);


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


/* Claims the id, all hosts and accounts, or none of them. */

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
        || ngx_http_sync_slot_name(reg, slot, 'i', &name, error) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    for (i = 0; i < ngx_http_sync_names(doc); i++) {
        ngx_http_sync_name_at(doc, i, &name);

        if (ngx_http_sync_slot_name(reg, slot, 'h', &name, error) != NGX_OK) {
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
    ngx_http_sync_slot_t *slot, char kind, ngx_str_t *name, char **error)
{
    ngx_int_t              rc;
    ngx_str_t             *owner;
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

    owner = (other != NULL && other != slot) ? &other->node.key : NULL;

    if (ngx_strlchr(name->data, name->data + name->len, ':') != NULL) {
        kind = 'a';
    }

    *error = ngx_http_sync_text("at \"%s\": %s \"%.*s\" belongs to %s%.*s "
                                "already; take it out of one of them "
                                "(conflict)",
                                kind == 'h' ? "/match/hosts"
                                : kind == 'a' ? "/match/accounts" : "/id",
                                kind == 'h' ? "host"
                                : kind == 'a' ? "account" : "id",
                                (int) name->len, name->data,
                                owner ? "the tenant " : "another tenant",
                                owner ? (int) owner->len : 0,
                                owner ? owner->data : (u_char *) "");

    return NGX_DECLINED;
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


/* Hosts and accounts, one behind the other. */

static uint32_t
ngx_http_sync_names(const sync_doc_t *doc)
{
    return sync_doc_hosts(doc).n + sync_doc_accounts(doc);
}


static void
ngx_http_sync_name_at(const sync_doc_t *doc, uint32_t i, ngx_str_t *name)
{
    sync_str_t       s;
    sync_doc_list_t  hosts;

    hosts = sync_doc_hosts(doc);

    s = i < hosts.n ? sync_doc_item(doc, hosts, i)
                    : sync_doc_account_at(doc, i - hosts.n);

    name->len = s.len;
    name->data = s.data;
}


static ngx_uint_t
ngx_http_sync_has_name(const sync_doc_t *doc, ngx_str_t *name)
{
    uint32_t   i;
    ngx_str_t  other;

    for (i = 0; i < ngx_http_sync_names(doc); i++) {
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
        n = ngx_http_sync_slot_read(slot, sync_value_get(document, "match"),
                                    log);

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
ngx_http_sync_slot_read(ngx_http_sync_slot_t *slot, const sync_value_t *match,
    ngx_log_t *log)
{
    size_t                 i, n, count, size;
    u_char                *p;
    sync_str_t             s;
    sync_value_iter_t      it;
    const sync_value_t    *hosts, *accounts;
    ngx_http_sync_node_t  *node;

    hosts = sync_value_get(match, "hosts");
    accounts = sync_value_get(match, "accounts");

    n = sync_value_type(hosts) == SYNC_VALUE_ARRAY ? sync_value_count(hosts)
                                                   : 0;
    count = n;
    size = 0;

    for (i = 0; i < n; i++) {
        size += sync_value_str(sync_value_at(hosts, i)).len;
    }

    if (sync_value_type(accounts) == SYNC_VALUE_OBJECT) {
        ngx_memzero(&it, sizeof(it));

        while (sync_value_next(accounts, &it)) {
            size += it.name.len + 1 + sync_value_str(it.value).len;
            count++;
        }
    }

    if (count == 0) {
        return 0;
    }

    slot->hosts = ngx_calloc(count * sizeof(ngx_http_sync_node_t) + size, log);
    if (slot->hosts == NULL) {
        return 0;
    }

    node = slot->hosts;
    p = (u_char *) (node + count);

    for (i = 0; i < n; i++, node++) {
        s = sync_value_str(sync_value_at(hosts, i));

        node->key.len = s.len;
        node->key.data = p;
        node->value = slot;

        ngx_strlow(p, s.data, s.len);
        p += s.len;
    }

    if (count > n) {
        ngx_memzero(&it, sizeof(it));

        while (sync_value_next(accounts, &it)) {
            s = sync_value_str(it.value);

            node->key.data = p;
            node->value = slot;

            p = ngx_cpymem(p, it.name.data, it.name.len);
            *p++ = ':';
            p = ngx_cpymem(p, s.data, s.len);

            node->key.len = p - node->key.data;
            node++;
        }
    }

    return count;
}
