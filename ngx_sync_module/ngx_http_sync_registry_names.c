
/*
 * The names of a tenant: its id, its hosts and its issuers, in the tables of
 * this process and, as far as they must be its own, among the owners.
 */


#include "ngx_http_sync_registry_parts.h"
#include "sync_value.h"


static ngx_int_t ngx_http_sync_slot_names(ngx_http_sync_registry_t *reg,
    ngx_http_sync_slot_t *slot, const sync_doc_t *doc, char **error);
static ngx_int_t ngx_http_sync_slot_alone(ngx_http_sync_registry_t *reg,
    ngx_http_sync_slot_t *slot, ngx_str_t *id, char **error);
static ngx_int_t ngx_http_sync_slot_name(ngx_http_sync_registry_t *reg,
    ngx_http_sync_slot_t *slot, char kind, ngx_str_t *name, char **error);


ngx_int_t
ngx_http_sync_slot_take(ngx_http_sync_registry_t *reg,
    ngx_http_sync_slot_t *slot, ngx_http_sync_tenant_t *t, ngx_log_t *log,
    char **error)
{
    uint32_t                 i, nhosts, nissuers;
    sync_str_t               s;
    sync_doc_list_t          hosts;
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

    hosts = sync_doc_hosts(t->doc);
    nhosts = hosts.n;
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
        s = sync_doc_item(t->doc, hosts, i);
        hn[i].key.len = s.len;
        hn[i].key.data = s.data;
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


/* Claims the id and all hosts, or none of them. */

static ngx_int_t
ngx_http_sync_slot_names(ngx_http_sync_registry_t *reg,
    ngx_http_sync_slot_t *slot, const sync_doc_t *doc, char **error)
{
    uint32_t         i;
    ngx_str_t        name;
    sync_str_t       s;
    sync_doc_list_t  hosts;

    s = sync_doc_id(doc);
    name.len = s.len;
    name.data = s.data;

    if (ngx_http_sync_slot_alone(reg, slot, &name, error) != NGX_OK
        || ngx_http_sync_slot_name(reg, slot, 'i', &name, error) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    hosts = sync_doc_hosts(doc);

    for (i = 0; i < hosts.n; i++) {
        s = sync_doc_item(doc, hosts, i);
        name.len = s.len;
        name.data = s.data;

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

    *error = ngx_http_sync_text("at \"%s\": %s \"%.*s\" belongs to %s%.*s "
                                "already; take it out of one of them "
                                "(conflict)",
                                kind == 'h' ? "/match/hosts" : "/id",
                                kind == 'h' ? "host" : "id",
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
    uint32_t         i;
    ngx_str_t        name;
    sync_str_t       s;
    sync_doc_list_t  hosts;

    if (reg->owners == NULL) {
        return;
    }

    s = sync_doc_id(gone);

    if (stays == NULL || !sync_str_eq(s, sync_doc_id(stays))) {
        name.len = s.len;
        name.data = s.data;
        ngx_http_sync_owner_release(reg, 'i', &name, &slot->node.key);
    }

    hosts = sync_doc_hosts(gone);

    for (i = 0; i < hosts.n; i++) {
        s = sync_doc_item(gone, hosts, i);

        if (stays == NULL
            || !sync_doc_has(stays, sync_doc_hosts(stays), s))
        {
            name.len = s.len;
            name.data = s.data;
            ngx_http_sync_owner_release(reg, 'h', &name, &slot->node.key);
        }
    }
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
    size_t                 i, n, size;
    u_char                *p;
    sync_str_t             s;
    sync_arena_t          *arena;
    sync_error_t           err;
    sync_value_t          *document;
    const sync_value_t    *hosts;
    ngx_http_sync_node_t  *node;

    ngx_http_sync_slot_forget(reg, slot);

    arena = sync_arena_create(0);
    if (arena == NULL) {
        return;
    }

    document = NULL;

    if (sync_value_parse(&document, arena,
                         (sync_str_t) { text->len, text->data }, 0, &err)
        != SYNC_OK)
    {
        goto done;
    }

    hosts = sync_value_get(sync_value_get(document, "match"), "hosts");

    n = sync_value_type(hosts) == SYNC_VALUE_ARRAY ? sync_value_count(hosts)
                                                   : 0;
    size = n * sizeof(ngx_http_sync_node_t);

    for (i = 0; i < n; i++) {
        size += sync_value_str(sync_value_at(hosts, i)).len;
    }

    if (n == 0) {
        goto done;
    }

    /* nodes and their keys in one piece */

    slot->hosts = ngx_calloc(size, log);
    if (slot->hosts == NULL) {
        goto done;
    }

    p = (u_char *) slot->hosts + n * sizeof(ngx_http_sync_node_t);

    for (i = 0; i < n; i++) {
        s = sync_value_str(sync_value_at(hosts, i));

        node = &slot->hosts[slot->nhosts];
        node->key.len = s.len;
        node->key.data = p;
        node->value = slot;

        ngx_strlow(p, s.data, s.len);
        p += s.len;

        if (s.len == 0
            || ngx_http_sync_table_find(&reg->hosts, &node->key) != NULL)
        {
            /* a tenant that works goes first */
            continue;
        }

        ngx_http_sync_table_insert(&reg->hosts, node, log);
        slot->nhosts++;
    }

done:

    sync_value_free(document);
    sync_arena_destroy(arena);
}
