
/*
 * The inside of a compiled tenant document, for sync_doc*.c alone.
 *
 * A block is a head, then records and strings in the order they were made.
 * All offsets count from the head; records are aligned to 8, strings are not
 * and have no terminator.  A change of any structure here raises
 * SYNC_DOC_VERSION.
 */


#ifndef SYNC_DOC_BLOCK_H_INCLUDED_
#define SYNC_DOC_BLOCK_H_INCLUDED_


#include "sync_doc.h"


#define SYNC_DOC_MAGIC     0x636f4453u   /* "SDoc" */
#define SYNC_DOC_VERSION   9
#define SYNC_DOC_MAX       (4 * 1024 * 1024)

#define SYNC_DOC_STATUS_FIRST  400       /* of the transient statuses */
#define SYNC_DOC_STATUS_LAST   599


/* Strings count bytes, arrays of records count records. */

typedef struct {
    uint32_t  off;
    uint32_t  n;
} sync_doc_ref_t;


struct sync_doc_s {
    uint32_t        magic;
    uint32_t        version;
    uint32_t        size;
    uint32_t        ids_prefixed;
    uint64_t        retention;           /* ms */
    uint64_t        webhooks;            /* ms; 0: not said */
    uint32_t        weight;              /* 0: not said */
    uint32_t        match_certificates;

    sync_doc_ref_t  name;
    sync_doc_ref_t  id;
    sync_doc_ref_t  residency;

    sync_doc_ref_t  hosts;               /* sync_doc_ref_t each */
    sync_doc_ref_t  accounts;            /* sync_doc_account_rec_t */
    sync_doc_ref_t  issuers;
    sync_doc_ref_t  clients;             /* ascending by id */
    sync_doc_ref_t  certificates;        /* of clients, ascending by name */
    sync_doc_ref_t  plans;
    sync_doc_ref_t  sources;             /* [0] is canonical */
    sync_doc_ref_t  connectors;
    sync_doc_ref_t  routes;
    sync_doc_ref_t  owners;
    sync_doc_ref_t  masks;
    sync_doc_ref_t  revoked_ids;         /* sync_doc_ref_t each, ascending */
    sync_doc_ref_t  revoked_clients;
    uint32_t        schemas[SYNC_ENTITIES];  /* versions; 0: not said */
};


typedef struct {
    sync_doc_ref_t  name;
    sync_doc_ref_t  value;               /* an account's name; a condition's
                                            list of strings */
} sync_doc_pair_t;

typedef struct {
    sync_doc_pair_t pair;
    sync_doc_ref_t  both;                /* "hubspot:62515" */
} sync_doc_account_rec_t;

typedef struct {
    sync_doc_ref_t  issuer;
    sync_doc_ref_t  jwks;
    sync_doc_ref_t  audience;
    sync_doc_ref_t  client_claim;
    sync_doc_ref_t  tenant_claim;
    sync_doc_ref_t  scope_claim;
    sync_doc_ref_t  plan_claim;
    sync_doc_ref_t  introspect_url;
    sync_doc_ref_t  introspect_id;
    sync_doc_ref_t  introspect_secret;
    uint64_t        introspect_cache;    /* ms */
    uint32_t        kind;
    uint32_t        unused;
} sync_doc_issuer_rec_t;

typedef struct {
    sync_doc_ref_t  id;
    uint32_t        source;
    uint32_t        plan;
    sync_doc_ref_t  api_keys;
    sync_doc_ref_t  certificates;        /* names: sync_doc_ref_t each */
    sync_doc_ref_t  secrets;             /* of its signature */
    uint32_t        signature;           /* sync_signature_e */
    uint32_t        unused;
    uint8_t         operations[SYNC_ENTITIES];
} sync_doc_client_rec_t;

typedef struct {
    sync_doc_ref_t  name;
    uint32_t        client;
    uint32_t        item;                /* of its list */
} sync_doc_certificate_rec_t;

typedef struct {
    sync_doc_ref_t  name;
    sync_doc_ref_t  limits;              /* sync_doc_limit_t */
    sync_doc_ref_t  zone;                /* n 0: UTC */
    sync_doc_penalty_t  penalty;         /* after 0: none */
} sync_doc_plan_rec_t;

typedef struct {
    sync_doc_ref_t  name;
    uint32_t        format;
    uint32_t        unused;
    sync_doc_ref_t  media_types;
    sync_doc_ref_t  lists;
    sync_doc_ref_t  key_header;          /* one of them, or none */
    sync_doc_ref_t  key_path;
    sync_doc_ref_t  maps[SYNC_ENTITIES];
    sync_doc_ref_t  schemas[SYNC_ENTITIES];
} sync_doc_source_rec_t;

typedef struct {
    sync_doc_ref_t  code;                /* n 0: not known */
    sync_doc_ref_t  action;
    sync_doc_ref_t  body;
    sync_doc_ref_t  items;
    sync_doc_ref_t  next;
    uint32_t        if_match;
    uint32_t        unused;
} sync_doc_operation_rec_t;

typedef struct {
    sync_doc_ref_t  name;
    sync_doc_ref_t  header;              /* one of the two has bytes */
    sync_doc_ref_t  path;
} sync_doc_take_rec_t;

typedef struct {
    uint32_t        status;
    uint32_t        unused;
    sync_doc_ref_t  header;              /* n 0: none is asked for */
    sync_doc_ref_t  header_value;
    sync_doc_ref_t  path;                /* likewise */
    sync_doc_ref_t  path_value;
} sync_doc_expired_rec_t;

typedef struct {
    sync_doc_ref_t  code;
    sync_doc_ref_t  body;
    sync_doc_ref_t  headers;             /* sync_doc_pair_t */
    sync_doc_ref_t  take;                /* sync_doc_take_rec_t */
    sync_doc_ref_t  send;                /* sync_doc_pair_t */
    sync_doc_ref_t  expired;             /* sync_doc_expired_rec_t */
    sync_doc_ref_t  secrets;             /* sync_doc_ref_t each */
    uint64_t        max_age;             /* ms */
    uint32_t        cookies;
    uint32_t        unused;
} sync_doc_session_rec_t;

typedef struct {
    sync_doc_ref_t            map;
    uint32_t                  entity;
    uint32_t                  unused;
    sync_doc_operation_rec_t  ops[SYNC_OPS];
} sync_doc_entity_rec_t;

typedef struct {
    sync_doc_ref_t  id;
    sync_doc_ref_t  secret;
    sync_doc_ref_t  token;
    sync_doc_ref_t  token_secret;
    sync_doc_ref_t  key;
    sync_doc_ref_t  key_certificate;
    sync_doc_ref_t  alg;
    sync_doc_ref_t  kid;
    sync_doc_ref_t  claims;
    sync_doc_ref_t  url;
    sync_doc_ref_t  scope;
    sync_doc_ref_t  audience;
    sync_doc_ref_t  resource;
    sync_doc_ref_t  realm;
    sync_doc_ref_t  header;
    sync_doc_ref_t  pointer;
    sync_doc_ref_t  certificate;
    sync_doc_ref_t  certificate_key;
    uint64_t        lifetime;            /* ms */
    uint32_t        auth;
    uint32_t        method;              /* of a signature or a digest */
} sync_doc_credential_rec_t;

typedef struct {
    sync_doc_ref_t  name;
    sync_doc_ref_t  upstream;
    sync_doc_ref_t  host;
    sync_doc_ref_t  path;
    sync_doc_ref_t  tls_name;
    sync_doc_ref_t  address;
    sync_doc_ref_t  request_headers;
    sync_doc_ref_t  response_headers;
    sync_doc_ref_t  lists;
    sync_doc_ref_t  credential;          /* sync_doc_credential_rec_t: one */
    sync_doc_ref_t  send_header;
    sync_doc_ref_t  session;             /* sync_doc_session_rec_t; n 0: none */
    sync_doc_ref_t  entities;            /* sync_doc_entity_rec_t */
    uint64_t        max_run;             /* ms */
    uint32_t        format;
    uint32_t        credentials;
    uint32_t        send;
    uint32_t        as;
    uint32_t        on_unknown;
    uint32_t        rolls_back;
    uint32_t        capacity;
    uint32_t        port;                /* 0: by upstream */
    uint32_t        transient[8];        /* a bit for each status */
} sync_doc_connector_rec_t;

typedef struct {
    uint32_t        entity;
    uint32_t        connector;
    sync_doc_ref_t  conditions;          /* sync_doc_pair_t */
} sync_doc_route_rec_t;

typedef struct {
    sync_doc_ref_t  pattern;
    sync_doc_ref_t  owners;              /* sync_doc_ref_t each */
    uint32_t        entity;
    uint32_t        unused;
} sync_doc_owner_rec_t;

typedef struct {
    sync_doc_ref_t  pattern;
    sync_doc_ref_t  scope;
    sync_doc_ref_t  source;
    uint32_t        entity;              /* SYNC_ENTITIES: any */
    uint32_t        as;
} sync_doc_mask_rec_t;


static inline const void *
sync_doc_ptr(const sync_doc_t *doc, uint32_t off)
{
    return (const unsigned char *) doc + off;
}


static inline sync_str_t
sync_doc_view(const sync_doc_t *doc, sync_doc_ref_t ref)
{
    return (sync_str_t) { ref.n, (unsigned char *) (uintptr_t)
                                 sync_doc_ptr(doc, ref.off) };
}


/* The order of clients: by octets, the shorter first. */

static inline int
sync_doc_compare(sync_str_t a, sync_str_t b)
{
    int     cmp;
    size_t  len;

    len = a.len < b.len ? a.len : b.len;
    cmp = len ? memcmp(a.data, b.data, len) : 0;

    return cmp ? cmp : (a.len > b.len) - (a.len < b.len);
}


#endif /* SYNC_DOC_BLOCK_H_INCLUDED_ */
