
/*
 * The tenant document: what it is called, what it matches, who vouches for its
 * clients; and the order in which the rest is read.
 */


#include "sync_doc_grammar.h"
#include "sync_share.h"
#include "sync_url.h"


#define SYNC_DOC_ROOM  4096              /* a first guess of a block's size */


static sync_rc_t sync_doc_set_head_name(sync_doc_compile_t *c,
    const sync_value_t *v, const sync_doc_member_t *m, void *rec);
static sync_rc_t sync_doc_set_accounts(sync_doc_compile_t *c,
    const sync_value_t *v, const sync_doc_member_t *m, void *rec);
static sync_rc_t sync_doc_account_item(sync_doc_compile_t *c, sync_str_t name,
    const sync_value_t *v, uint32_t i, void *data);
static sync_rc_t sync_doc_set_issuers(sync_doc_compile_t *c,
    const sync_value_t *v, const sync_doc_member_t *m, void *rec);
static sync_rc_t sync_doc_issuer_item(sync_doc_compile_t *c, sync_str_t name,
    const sync_value_t *v, uint32_t i, void *data);
static sync_rc_t sync_doc_set_issuer(sync_doc_compile_t *c,
    const sync_value_t *v, const sync_doc_member_t *m, void *rec);
static sync_rc_t sync_doc_set_jwks(sync_doc_compile_t *c,
    const sync_value_t *v, const sync_doc_member_t *m, void *rec);
static sync_rc_t sync_doc_jwks_keys(sync_doc_compile_t *c,
    const sync_value_t *v);
static sync_rc_t sync_doc_jwks_key(sync_doc_compile_t *c, sync_str_t name,
    const sync_value_t *v, uint32_t i, void *data);


static const sync_doc_word_t  sync_doc_ids_words[] = {
    { "plain",          0, 0 },
    { "prefixed",       1, 0 },
    { NULL,             0, 0 }
};

static const sync_doc_words_t  sync_doc_ids = { "ids", sync_doc_ids_words };


static const sync_doc_word_t  sync_doc_entity_words[] = {
    { "account",        SYNC_ENTITY_ACCOUNT, 0 },
    { "contact",        SYNC_ENTITY_CONTACT, 0 },
    { "product",        SYNC_ENTITY_PRODUCT, 0 },
    { "quote",          SYNC_ENTITY_QUOTE, 0 },
    { "sales_order",    SYNC_ENTITY_SALES_ORDER, 0 },
    { "invoice",        SYNC_ENTITY_INVOICE, 0 },
    { "payment",        SYNC_ENTITY_PAYMENT, 0 },
    { "subscription",   SYNC_ENTITY_SUBSCRIPTION, 0 },
    { "item",           0, 1 },
    { "price",          0, 1 },
    { "inventory",      0, 1 },
    { "shipment",       0, 1 },
    { "supplier",       0, 1 },
    { "case",           0, 1 },
    { NULL,             0, 0 }
};

const sync_doc_words_t  sync_doc_entities = {
    "entity", sync_doc_entity_words
};


/* Whose certificates a tenant is found by. */

static const sync_doc_word_t  sync_doc_holder_words[] = {
    { "clients",        1, 0 },
    { NULL,             0, 0 }
};

static const sync_doc_words_t  sync_doc_holders = {
    "value", sync_doc_holder_words
};


static const sync_doc_list_of_t  sync_doc_host_list = {
    sync_doc_set_host, NULL, 0, 0
};

static const sync_doc_list_of_t  sync_doc_text_list = {
    sync_doc_set_text, NULL, 1, SYNC_DOC_AUDIENCES
};

static const sync_doc_member_t  sync_doc_match_table[] = {

    { "hosts", SYNC_DOC_ARRAY, 0, sync_doc_set_list,
      offsetof(sync_doc_t, hosts), &sync_doc_host_list },

    { "accounts", SYNC_DOC_OBJECT, 0, sync_doc_set_accounts, 0, NULL },

    { "certificates", SYNC_DOC_STRING, 0, sync_doc_set_word,
      offsetof(sync_doc_t, match_certificates), &sync_doc_holders },

    sync_doc_last
};


static const sync_doc_member_t  sync_doc_retention_table[] = {

    { "idempotency", SYNC_DOC_STRING, 0, sync_doc_set_duration,
      offsetof(sync_doc_t, retention), NULL },

    { "webhooks", SYNC_DOC_STRING, 0, sync_doc_set_webhooks,
      offsetof(sync_doc_t, webhooks), NULL },

    sync_doc_last
};


static const sync_doc_member_t  sync_doc_revoked_table[] = {

    { "jti", SYNC_DOC_ARRAY, 0, sync_doc_set_sorted,
      offsetof(sync_doc_t, revoked_ids), NULL },

    { "clients", SYNC_DOC_ARRAY, 0, sync_doc_set_sorted,
      offsetof(sync_doc_t, revoked_clients), NULL },

    sync_doc_last
};


static const int64_t  sync_doc_weights = SYNC_SHARE_WEIGHT;


static const sync_doc_member_t  sync_doc_table[] = {

    { "tenant", SYNC_DOC_STRING, SYNC_DOC_REQUIRED, sync_doc_set_head_name,
      offsetof(sync_doc_t, name), NULL },

    { "id", SYNC_DOC_STRING, SYNC_DOC_REQUIRED, sync_doc_set_name,
      offsetof(sync_doc_t, id), NULL },

    { "extends", SYNC_DOC_STRING, 0, NULL, 0, NULL },

    { "residency", SYNC_DOC_STRING, 0, sync_doc_set_name,
      offsetof(sync_doc_t, residency), NULL },

    { "weight", SYNC_DOC_INTEGER, 0, sync_doc_set_number,
      offsetof(sync_doc_t, weight), &sync_doc_weights },

    { "ids", SYNC_DOC_STRING, 0, sync_doc_set_word,
      offsetof(sync_doc_t, ids_prefixed), &sync_doc_ids },

    { "match", SYNC_DOC_OBJECT, 0, sync_doc_set_object, 0,
      sync_doc_match_table },

    { "issuers", SYNC_DOC_ARRAY, 0, sync_doc_set_issuers, 0, NULL },

    { "revoked", SYNC_DOC_OBJECT, 0, sync_doc_set_object, 0,
      sync_doc_revoked_table },

    { "plans", SYNC_DOC_OBJECT, 0, sync_doc_set_plans, 0, NULL },

    { "sources", SYNC_DOC_OBJECT, 0, sync_doc_set_sources, 0, NULL },

    { "clients", SYNC_DOC_OBJECT, 0, sync_doc_set_clients, 0, NULL },

    { "connectors", SYNC_DOC_OBJECT, 0, sync_doc_set_connectors, 0, NULL },

    { "routes", SYNC_DOC_ARRAY, 0, sync_doc_set_routes, 0, NULL },

    { "retention", SYNC_DOC_OBJECT, 0, sync_doc_set_object, 0,
      sync_doc_retention_table },

    { "schemas", SYNC_DOC_OBJECT, 0, sync_doc_set_schemas, 0, NULL },

    { "ownership", SYNC_DOC_OBJECT, 0, sync_doc_set_ownership, 0, NULL },

    { "mask", SYNC_DOC_ARRAY, 0, sync_doc_set_masks, 0, NULL },

    sync_doc_last
};


static const sync_doc_member_t  sync_doc_introspect_table[] = {

    { "url", SYNC_DOC_STRING, SYNC_DOC_REQUIRED, sync_doc_set_called,
      offsetof(sync_doc_issuer_rec_t, introspect_url), NULL },

    { "client_id", SYNC_DOC_STRING, SYNC_DOC_REQUIRED,
      sync_doc_set_text_or_secret,
      offsetof(sync_doc_issuer_rec_t, introspect_id), NULL },

    { "client_secret", SYNC_DOC_STRING, SYNC_DOC_REQUIRED,
      sync_doc_set_secret,
      offsetof(sync_doc_issuer_rec_t, introspect_secret), NULL },

    { "cache", SYNC_DOC_STRING, 0, sync_doc_set_duration,
      offsetof(sync_doc_issuer_rec_t, introspect_cache), NULL },

    sync_doc_last
};


static const sync_doc_member_t  sync_doc_issuer_table[] = {

    { "issuer", SYNC_DOC_STRING, SYNC_DOC_REQUIRED, sync_doc_set_issuer,
      offsetof(sync_doc_issuer_rec_t, issuer), NULL },

    { "jwks", SYNC_DOC_ANY, 0, sync_doc_set_jwks,
      offsetof(sync_doc_issuer_rec_t, jwks), NULL },

    { "audience", SYNC_DOC_ANY, 0, sync_doc_set_list,
      offsetof(sync_doc_issuer_rec_t, audience), &sync_doc_text_list },

    { "client_claim", SYNC_DOC_STRING, 0, sync_doc_set_text,
      offsetof(sync_doc_issuer_rec_t, client_claim), NULL },

    { "tenant_claim", SYNC_DOC_STRING, 0, sync_doc_set_text,
      offsetof(sync_doc_issuer_rec_t, tenant_claim), NULL },

    { "scope_claim", SYNC_DOC_STRING, 0, sync_doc_set_text,
      offsetof(sync_doc_issuer_rec_t, scope_claim), NULL },

    { "plan_claim", SYNC_DOC_STRING, 0, sync_doc_set_text,
      offsetof(sync_doc_issuer_rec_t, plan_claim), NULL },

    { "introspect", SYNC_DOC_OBJECT, 0, sync_doc_set_object, 0,
      sync_doc_introspect_table },

    sync_doc_last
};


sync_rc_t
sync_doc_compile(sync_arena_t *arena, sync_str_t name,
    const sync_value_t *document, const sync_doc_options_t *options,
    sync_str_t *block, sync_error_t *err)
{
    uint32_t            off;
    sync_rc_t           rc;
    sync_doc_compile_t  c;

    memset(&c, 0, sizeof(c));

    c.arena = arena;
    c.name = name;
    c.options = options;
    c.err = err;

    c.room = SYNC_DOC_ROOM;
    c.block = sync_alloc(arena, c.room);

    if (c.block == NULL) {
        return SYNC_FAULT;
    }

    rc = sync_doc_kind(&c, document, SYNC_DOC_OBJECT);

    if (rc == SYNC_OK) {
        rc = sync_doc_room(&c, 1, sizeof(sync_doc_t), &off);
    }

    if (rc == SYNC_OK) {
        rc = sync_doc_canonical(&c, 1, &c.head.sources);
    }

    if (rc == SYNC_OK) {
        rc = sync_doc_walk(&c, document, sync_doc_table, &c.head);
    }

    if (rc != SYNC_OK) {
        return rc;
    }

    c.head.magic = SYNC_DOC_MAGIC;
    c.head.version = SYNC_DOC_VERSION;
    c.head.size = (uint32_t) c.size;

    sync_doc_write(&c, off, 0, &c.head, sizeof(c.head));

    block->data = c.block;
    block->len = c.size;

    return SYNC_OK;
}


static sync_rc_t
sync_doc_set_head_name(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec)
{
    sync_doc_shown_t  shown, file;

    if (!sync_str_eq(sync_value_str(v), c->name)) {
        return sync_doc_refuse(c, "value", "\"%s\" is not the name of the "
                               "file, \"%s\"",
                               sync_doc_show(&shown, sync_value_str(v)),
                               sync_doc_show(&file, c->name));
    }

    return sync_doc_set_name(c, v, m, rec);
}


static sync_rc_t
sync_doc_set_accounts(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec)
{
    sync_doc_t *head = rec;

    (void) m;

    return sync_doc_records(c, v, &head->accounts,
                            sizeof(sync_doc_account_rec_t),
                            sync_doc_account_item, head);
}


static sync_rc_t
sync_doc_account_item(sync_doc_compile_t *c, sync_str_t name,
    const sync_value_t *v, uint32_t i, void *data)
{
    sync_rc_t                rc;
    sync_str_t               value, both;
    sync_doc_t              *head = data;
    sync_doc_member_t        m;
    sync_doc_account_rec_t   account;

    rc = sync_doc_kind(c, v, SYNC_DOC_STRING);

    if (rc == SYNC_OK) {
        rc = sync_doc_name_of(c, "system", name, &account.pair.name);
    }

    if (rc == SYNC_OK) {
        memset(&m, 0, sizeof(m));
        m.offset = offsetof(sync_doc_account_rec_t, pair.value);

        rc = sync_doc_set_text(c, v, &m, &account);
    }

    if (rc != SYNC_OK) {
        return rc;
    }

    /* by which a tenant is found: no name of a system has a colon */

    value = sync_value_str(v);
    both.len = name.len + 1 + value.len;
    both.data = sync_alloc(c->arena, both.len);

    if (both.data == NULL) {
        return SYNC_FAULT;
    }

    memcpy(both.data, name.data, name.len);
    both.data[name.len] = ':';
    memcpy(both.data + name.len + 1, value.data, value.len);

    rc = sync_doc_string(c, both, &account.both);

    if (rc == SYNC_OK) {
        sync_doc_write(c, head->accounts.off, i, &account, sizeof(account));
    }

    return rc;
}


static sync_rc_t
sync_doc_set_issuers(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec)
{
    sync_doc_t *head = rec;

    (void) m;

    return sync_doc_records(c, v, &head->issuers, sizeof(sync_doc_issuer_rec_t),
                            sync_doc_issuer_item, head);
}


static sync_rc_t
sync_doc_issuer_item(sync_doc_compile_t *c, sync_str_t name,
    const sync_value_t *v, uint32_t i, void *data)
{
    uint32_t                before;
    sync_rc_t               rc;
    sync_url_t              url;
    sync_doc_t             *head = data;
    sync_error_t            err;
    sync_doc_ref_t          list;
    sync_doc_issuer_rec_t   rec;

    (void) name;

    memset(&rec, 0, sizeof(rec));

    rc = sync_doc_kind(c, v, SYNC_DOC_OBJECT);

    if (rc == SYNC_OK) {
        rc = sync_doc_walk(c, v, sync_doc_issuer_table, &rec);
    }

    if (rc != SYNC_OK) {
        return rc;
    }

    /* where its metadata stand is made of it (RFC 8414, 2 and 3) */

    if (rec.kind == SYNC_JWKS_DISCOVER
        && (sync_url_parse(&url, sync_doc_now(c, rec.issuer), &err) != SYNC_OK
            || memchr(url.target.data, '?', url.target.len) != NULL))
    {
        return sync_doc_refuse_at(c, "issuer", "value", "is not a URL without "
                                  "query that can be asked for its keys; "
                                  "\"jwks\" may say where they are");
    }

    /* what is asked about each token needs no keys, and knows for whom it is */

    if (sync_value_get(v, "jwks") == NULL) {

        if (rec.introspect_url.n == 0) {
            return sync_doc_refuse(c, "missing-member", "\"jwks\" is missing, "
                                   "or \"introspect\"");
        }

        rec.kind = SYNC_JWKS_NONE;
    }

    if (rec.audience.n == 0 && rec.kind != SYNC_JWKS_NONE) {
        return sync_doc_refuse(c, "missing-member", "\"audience\" is "
                               "missing");
    }

    list = (sync_doc_ref_t) { head->issuers.off, i };

    if (sync_doc_find(c, list, sizeof(rec), sync_doc_now(c, rec.issuer),
                      &before)
        == SYNC_OK)
    {
        return sync_doc_refuse_at(c, "issuer", "value", "is there twice; an "
                                  "issuer stands in one entry, with all "
                                  "audiences");
    }

    sync_doc_write(c, head->issuers.off, i, &rec, sizeof(rec));

    return SYNC_OK;
}


static sync_rc_t
sync_doc_set_issuer(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec)
{
    sync_str_t  s;

    s = sync_value_str(v);

    if (!sync_str_starts(s, "https://") || s.len == sizeof("https://") - 1
        || memchr(s.data, ' ', s.len) != NULL)
    {
        return sync_doc_refuse(c, "value", "is not the https URL that stands "
                               "as \"iss\" in the issuer's tokens");
    }

    return sync_doc_set_text(c, v, m, rec);
}


static sync_rc_t
sync_doc_set_jwks(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec)
{
    sync_rc_t               rc;
    sync_url_t              url;
    sync_str_t              s;
    sync_error_t            err;
    sync_doc_issuer_rec_t  *issuer = rec;

    if (sync_value_type(v) == SYNC_VALUE_OBJECT) {

        rc = sync_doc_jwks_keys(c, v);
        if (rc != SYNC_OK) {
            return rc;
        }

        s = sync_value_dump(v, c->arena);
        if (s.data == NULL) {
            return SYNC_FAULT;
        }

        issuer->kind = SYNC_JWKS_INLINE;

        return sync_doc_string(c, s, &issuer->jwks);
    }

    if (sync_value_type(v) != SYNC_VALUE_STRING) {
        return sync_doc_refuse(c, "type", "should be \"discover\", an https "
                               "URL, a path below the library or the key set "
                               "itself");
    }

    s = sync_value_str(v);

    if (sync_str_is(s, "discover")) {
        issuer->kind = SYNC_JWKS_DISCOVER;

        return SYNC_OK;
    }

    if (sync_str_starts(s, "https:") || sync_str_starts(s, "http:")) {

        if (sync_url_parse(&url, s, &err) != SYNC_OK) {
            return sync_doc_refuse(c, "value", "is not the URL of a key set: "
                                   "%s", err.text);
        }

        issuer->kind = SYNC_JWKS_URL;

        return sync_doc_set_text(c, v, m, rec);
    }

    issuer->kind = SYNC_JWKS_LIBRARY;

    return sync_doc_set_library(c, v, m, rec);
}


/*
 * Documents are written by who does not own the edge, and are read by many:
 * what signs must not stand in one.  The key set's own rules are checked by
 * who loads it.
 */

static sync_rc_t
sync_doc_jwks_keys(sync_doc_compile_t *c, const sync_value_t *v)
{
    sync_rc_t            rc;
    sync_doc_place_t     place;
    const sync_value_t  *keys;

    keys = sync_value_get(v, "keys");

    if (sync_value_type(keys) != SYNC_VALUE_ARRAY
        || sync_value_count(keys) == 0)
    {
        return sync_doc_refuse(c, "value", "is not a key set: an object with "
                               "a list \"keys\" of at least one key "
                               "(RFC 7517)");
    }

    memset(&place, 0, sizeof(place));
    place.up = c->place;
    place.name = sync_str_lit("keys");

    c->place = &place;
    rc = sync_doc_each(c, keys, sync_doc_jwks_key, NULL);
    c->place = place.up;

    return rc;
}


static sync_rc_t
sync_doc_jwks_key(sync_doc_compile_t *c, sync_str_t name,
    const sync_value_t *v, uint32_t i, void *data)
{
    sync_rc_t  rc;

    (void) name;
    (void) i;
    (void) data;

    rc = sync_doc_kind(c, v, SYNC_DOC_OBJECT);
    if (rc != SYNC_OK) {
        return rc;
    }

    if (sync_value_get(v, "d") || sync_value_get(v, "k")) {
        return sync_doc_refuse(c, "secret", "is a private or symmetric key; a "
                               "document holds public keys alone");
    }

    return SYNC_OK;
}
