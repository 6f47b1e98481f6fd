
/*
 * Tenant documents: JSON text in, one pointer-free block out.
 *
 * A block holds no pointer, only offsets: it may be copied to any address
 * aligned to 8 (an arena, shared memory, a file of the same machine) and read
 * there at once.  Blocks are immutable; all that is read from one is a view
 * into it and lives as long as it does.
 *
 * The whole grammar of a document is known here.  A member whose feature this
 * version does not have is refused as such, never ignored.
 */


#ifndef SYNC_DOC_H_INCLUDED_
#define SYNC_DOC_H_INCLUDED_


#include "sync_format.h"
#include "sync_url.h"
#include "sync_value.h"


#define SYNC_DOC_EXTENDS  8              /* templates in a chain, at most */
#define SYNC_DOC_NONE     ((uint32_t) -1)
#define SYNC_DOC_AUDIENCES  16           /* of an issuer, at most */
#define SYNC_DOC_REVOKED  4096           /* tokens, or clients, at most */
#define SYNC_DOC_NAMES    64             /* that are lists, at most */
#define SYNC_DOC_SECRETS  16             /* of signatures of one kind */


/* Canonical entities and what is done to them. */

typedef enum {
    SYNC_ENTITY_ACCOUNT = 0,
    SYNC_ENTITY_CONTACT,
    SYNC_ENTITY_PRODUCT,
    SYNC_ENTITY_QUOTE,
    SYNC_ENTITY_SALES_ORDER,
    SYNC_ENTITY_INVOICE,
    SYNC_ENTITY_PAYMENT,
    SYNC_ENTITY_SUBSCRIPTION,
    SYNC_ENTITIES
} sync_entity_e;

typedef enum {
    SYNC_OP_CREATE = 0,
    SYNC_OP_READ,
    SYNC_OP_REPLACE,
    SYNC_OP_UPDATE,
    SYNC_OP_DELETE,
    SYNC_OP_LIST,
    SYNC_OP_FIND,                        /* a connector's own: probing */
    SYNC_OPS
} sync_op_e;

#define sync_op_bit(op)  (1u << (op))


/* "sales_order", "create"; SYNC_ENTITIES, SYNC_OPS where there is none. */
sync_entity_e sync_entity_by_name(sync_str_t name);
sync_str_t sync_entity_name(sync_entity_e entity);
sync_op_e sync_op_by_name(sync_str_t name);
sync_str_t sync_op_name(sync_op_e op);

/* Does it bring an object: create, replace, update? */
int sync_op_writes(sync_op_e op);


/* What compiling asks of its surroundings.  A NULL is not asked. */

typedef struct {
    /* Is there an upstream group of that name in nginx.conf?  OK or NO. */
    sync_rc_t     (*upstream)(void *data, sync_str_t name);

    /* May a connector be at that URL?  OK, or NO with err->text. */
    sync_rc_t     (*url)(void *data, const sync_url_t *url,
                         sync_error_t *err);

    /* May the gateway ask there for itself?  OK, or NO with err->text. */
    sync_rc_t     (*egress)(void *data, const sync_url_t *url,
                            sync_error_t *err);

    /*
     * Is there a file at that path below the library?  OK or NO.  Called for
     * every map and key set of a document: the caller learns from it on which
     * files the document depends.  The path was checked: relative, no "..".
     */
    sync_rc_t     (*library)(void *data, sync_str_t path);

    /* The text of a template below the library, into the arena. */
    sync_rc_t     (*load)(void *data, sync_arena_t *arena, sync_str_t path,
                          sync_str_t *text);

    /*
     * One template serves many documents: kept() gives the value of an earlier
     * one (borrowed; NULL: load it), keep() may share the one that was loaded.
     */
    const sync_value_t
                 *(*kept)(void *data, sync_str_t path);
    void          (*keep)(void *data, sync_str_t path,
                          const sync_value_t *value);
    void           *data;
} sync_doc_options_t;


typedef struct sync_doc_s  sync_doc_t;


/*
 * Compiles the text of the document of tenant `name` (its file name without
 * ".json"): parses, follows "extends", merges by RFC 7396, checks, compiles.
 *
 *   OK     *block, in the arena, aligned to 8; sync_doc_open() reads it.
 *   NO     the document is broken.  err->pointer is an RFC 6901 pointer into
 *          the merged document, err->text says what is wrong and what would
 *          be right (never a secret); err->what is one of
 *            syntax, utf8, duplicate-member, too-deep, number-range
 *                                  the text; err->offset counts in it
 *            extends               a template of the chain
 *            unknown-member, missing-member, type, value
 *            not-supported         known, but not in this version
 *            reference             names something that does not exist
 *            secret                a secret where a reference is due
 *            template              a request template
 *            too-large             more than a block may hold
 *   FAULT  no memory, or a callback's fault.
 */
sync_rc_t sync_doc_load(sync_arena_t *arena, sync_str_t name, sync_str_t text,
    const sync_doc_options_t *options, sync_str_t *block, sync_error_t *err);

/*
 * A block as a document: a cast after a look at magic, layout version and
 * size.  NULL: not a block of this version, or not aligned.
 */
const sync_doc_t *sync_doc_open(sync_str_t block);

/* Bytes of the block: what to copy. */
size_t sync_doc_size(const sync_doc_t *doc);


/*
 * Lists inside the structures below; items are read with sync_doc_item().
 * An index out of range gives an empty string.
 */

typedef struct {
    uint32_t  off;
    uint32_t  n;
} sync_doc_list_t;

sync_str_t sync_doc_item(const sync_doc_t *doc, sync_doc_list_t list,
    uint32_t i);
/* Is s among the items?  Octet for octet. */
int sync_doc_has(const sync_doc_t *doc, sync_doc_list_t list, sync_str_t s);


/* The tenant. */

sync_str_t sync_doc_name(const sync_doc_t *doc);         /* "acme" */
sync_str_t sync_doc_id(const sync_doc_t *doc);           /* "t_7f3a" */
sync_str_t sync_doc_residency(const sync_doc_t *doc);    /* or empty */
int sync_doc_ids_prefixed(const sync_doc_t *doc);
/* Its weight among those who share a connector, 1 by default. */
uint32_t sync_doc_weight(const sync_doc_t *doc);
/* Retention of idempotency records in milliseconds; 0: not said. */
uint64_t sync_doc_retention(const sync_doc_t *doc);

/* The same of keys of webhooks. */
uint64_t sync_doc_webhooks(const sync_doc_t *doc);

/* Hosts that the tenant is matched by, lower case, no port. */
sync_doc_list_t sync_doc_hosts(const sync_doc_t *doc);

/* The tenant's account in another system ("hubspot"), or empty. */
sync_str_t sync_doc_account(const sync_doc_t *doc, sync_str_t system);

/* All of them, as "hubspot:62515". */
uint32_t sync_doc_accounts(const sync_doc_t *doc);
sync_str_t sync_doc_account_at(const sync_doc_t *doc, uint32_t i);


/* Issuers of tokens, which vouch for this tenant alone. */

typedef enum {
    SYNC_JWKS_LIBRARY = 0,               /* a path below the library */
    SYNC_JWKS_INLINE,                    /* the key set's JSON text */
    SYNC_JWKS_URL,                       /* an https URL to fetch it from */
    SYNC_JWKS_DISCOVER,                  /* the issuer tells that URL; empty */
    SYNC_JWKS_NONE                       /* it is asked about each token */
} sync_doc_jwks_e;

typedef struct {
    sync_str_t        issuer;            /* compared octet for octet */
    sync_doc_jwks_e   kind;
    sync_str_t        jwks;
    sync_doc_list_t   audience;          /* 1 to 16; any of them; NONE: may be
                                            empty */
    sync_str_t        client_claim;      /* empty: "client_id", then "azp" */
    sync_str_t        tenant_claim;      /* empty: none; else its value must
                                            be the tenant's id or name */
    sync_str_t        scope_claim;       /* empty: "scope", then "scp" */
    sync_str_t        plan_claim;        /* empty: the client's plan counts */

    /* RFC 7662; url empty: it is not asked */
    sync_str_t        introspect_url;
    sync_str_t        introspect_id;     /* as written: "secret:NAME" is one */
    sync_str_t        introspect_secret; /* name of a secret */
    uint64_t          introspect_cache;  /* ms; 0: not said */
} sync_doc_issuer_t;

uint32_t sync_doc_issuers(const sync_doc_t *doc);
sync_rc_t sync_doc_issuer_at(const sync_doc_t *doc, uint32_t i,
    sync_doc_issuer_t *issuer);
/* By its identifier; OK or NO. */
sync_rc_t sync_doc_issuer(const sync_doc_t *doc, sync_str_t iss,
    sync_doc_issuer_t *issuer);


/* What counts no more, although it is signed: by jti, and by client. */
int sync_doc_revoked_id(const sync_doc_t *doc, sync_str_t id);
int sync_doc_revoked_client(const sync_doc_t *doc, sync_str_t client);


/* Clients. */

typedef struct {
    sync_str_t       id;
    uint32_t         source;             /* index of a source */
    uint32_t         plan;               /* index of a plan, or SYNC_DOC_NONE */
    sync_doc_list_t  api_keys;           /* names of secrets: "partner-new" for
                                            "secret:partner-new" */
    uint32_t         signature;          /* sync_signature_e */
    sync_doc_list_t  secrets;            /* names of its secrets; none: the
                                            platform has it */
    uint8_t          operations[SYNC_ENTITIES];
                                         /* bits of sync_op_bit(); 0: none */
} sync_doc_client_t;

uint32_t sync_doc_clients(const sync_doc_t *doc);
sync_rc_t sync_doc_client_at(const sync_doc_t *doc, uint32_t i,
    sync_doc_client_t *client);
/* By id, a binary search; OK or NO. */
sync_rc_t sync_doc_client(const sync_doc_t *doc, sync_str_t id,
    sync_doc_client_t *client);

/*
 * Names of certificates (sync_cert.h): no two of a document are the same.  By
 * one, a binary search, the index of its client, or SYNC_DOC_NONE.
 */
uint32_t sync_doc_certificate(const sync_doc_t *doc, sync_str_t name);

/* All of them, ascending; item: which of the client's.  OK or NO. */

typedef struct {
    sync_str_t  name;
    uint32_t    client;
    uint32_t    item;
} sync_doc_certificate_t;

uint32_t sync_doc_certificates(const sync_doc_t *doc);
sync_rc_t sync_doc_certificate_at(const sync_doc_t *doc, uint32_t i,
    sync_doc_certificate_t *certificate);

/* Is the tenant found by them? */
int sync_doc_match_certificates(const sync_doc_t *doc);


/* Plans: all limits of a plan hold at once. */

typedef enum {
    SYNC_LIMIT_RATE = 0,
    SYNC_LIMIT_QUOTA,                    /* count per day or month, by unit */
    SYNC_LIMIT_CONCURRENCY               /* count at a time; of it alone */
} sync_doc_limit_e;

typedef struct {
    uint64_t  count;                     /* so many ... */
    uint64_t  per_us;                    /* ... per so many microseconds */
    uint64_t  burst;
    uint32_t  kind;                      /* sync_doc_limit_e */
    uint32_t  bytes;                     /* 1: count and burst are KiB of
                                            content */
    uint32_t  unit;                      /* sync_zone_unit_e of a quota */
    uint32_t  unused;
} sync_doc_limit_t;

uint32_t sync_doc_plans(const sync_doc_t *doc);
sync_str_t sync_doc_plan_name(const sync_doc_t *doc, uint32_t plan);
/* By name; SYNC_DOC_NONE: there is none. */
uint32_t sync_doc_plan(const sync_doc_t *doc, sync_str_t name);
/* Its penalty: who was refused so often is blocked.  OK or NO (none). */

#define SYNC_DOC_PENALTY_MAX  (INT64_C(30) * 24 * 3600 * 1000)     /* ms */

typedef struct {
    uint32_t  after;                     /* so many refusals ... */
    uint32_t  unused;
    uint64_t  within_ms;                 /* ... in so long: no more ... */
    uint64_t  block_ms;                  /* ... for so long */
} sync_doc_penalty_t;

sync_rc_t sync_doc_plan_penalty(const sync_doc_t *doc, uint32_t plan,
    sync_doc_penalty_t *penalty);
/* The time zone of its quotas; empty: UTC. */
sync_str_t sync_doc_plan_zone(const sync_doc_t *doc, uint32_t plan);
/* Limits of a plan: their number, and each.  OK or NO (no such). */
uint32_t sync_doc_limits(const sync_doc_t *doc, uint32_t plan);
sync_rc_t sync_doc_limit_at(const sync_doc_t *doc, uint32_t plan, uint32_t i,
    sync_doc_limit_t *limit);


/* Sources: in which words a client speaks.  Index 0 is always "canonical". */

#define SYNC_DOC_CANONICAL  0

typedef struct {
    sync_str_t         name;
    sync_format_e      format;
    sync_doc_list_t    media_types;      /* lower case; none: the format's */
    sync_doc_list_t    lists;            /* names that are always lists */
    sync_str_t         key_header;       /* of the idempotency key, lower */
    sync_str_t         key_path;         /* case; or a JSONPath; or empty */
    sync_str_t         maps[SYNC_ENTITIES];  /* library paths, or empty: its
                                                words are canonical */
    sync_str_t         schemas[SYNC_ENTITIES];   /* library paths, or empty */
} sync_doc_source_t;

uint32_t sync_doc_sources(const sync_doc_t *doc);
sync_rc_t sync_doc_source_at(const sync_doc_t *doc, uint32_t i,
    sync_doc_source_t *source);


/* Connectors. */

typedef enum {
    SYNC_CREDENTIALS_NONE = 0,
    SYNC_CREDENTIALS_BASIC,              /* id, secret */
    SYNC_CREDENTIALS_API_KEY,            /* header: secret */
    SYNC_CREDENTIALS_CLIENT,             /* client_credentials */
    SYNC_CREDENTIALS_KEY_JWT,            /* private_key_jwt */
    SYNC_CREDENTIALS_JWT_BEARER,
    SYNC_CREDENTIALS_OAUTH1,
    SYNC_CREDENTIALS_BODY,               /* secret at pointer */
    SYNC_CREDENTIALS_WSSE,
    SYNC_CREDENTIALS_CERTIFICATE         /* alone */
} sync_doc_credentials_e;

/* Is a token fetched for it? */

#define sync_doc_credentials_token(kind)                                      \
    ((kind) >= SYNC_CREDENTIALS_CLIENT && (kind) <= SYNC_CREDENTIALS_JWT_BEARER)

typedef enum {
    SYNC_CLIENT_BASIC = 0,               /* RFC 6749, 2.3.1 */
    SYNC_CLIENT_POST,
    SYNC_CLIENT_CERTIFICATE              /* RFC 8705, 2 */
} sync_doc_client_auth_e;

/* id, secret, token, token_secret, key and certificates name secrets. */

typedef struct {
    sync_doc_credentials_e   kind;
    sync_str_t               id;         /* user, client_id, consumer_key */
    sync_str_t               secret;     /* password, value, client_secret,
                                            consumer_secret */
    sync_str_t               token;
    sync_str_t               token_secret;
    sync_str_t               key;        /* PEM, signs assertions */
    sync_str_t               key_certificate;    /* PEM, its thumbprint goes
                                                    along; or empty */
    sync_str_t               alg;        /* registered name */
    sync_str_t               kid;
    sync_str_t               claims;     /* JSON for sync_body_render(), or
                                            empty */
    sync_str_t               url;        /* of the token endpoint */
    sync_str_t               scope;
    sync_str_t               audience;
    sync_str_t               resource;
    sync_str_t               realm;
    sync_str_t               header;     /* lower case */
    sync_str_t               pointer;
    sync_str_t               certificate;        /* of the connection, PEM, */
    sync_str_t               certificate_key;    /* or empty */
    sync_doc_client_auth_e   auth;
    uint64_t                 lifetime_ms;    /* of a token that does not say;
                                                0: not said */
    unsigned                 sha1:1;     /* oauth1: HMAC-SHA1 */
    unsigned                 text:1;     /* wsse: PasswordText */
} sync_doc_credential_t;

typedef enum {
    SYNC_SEND_NONE = 0,
    SYNC_SEND_HEADER,                    /* in send_header */
    SYNC_SEND_PATH                       /* by {idempotency_key} */
} sync_doc_send_e;

typedef enum {
    SYNC_AS_UUID = 0,                    /* 8-4-4-4-12, derived from the key */
    SYNC_AS_UUID_HEX,                    /* the same, 32 digits */
    SYNC_AS_VERBATIM                     /* the client's key as it came */
} sync_doc_as_e;

typedef enum {
    SYNC_UNKNOWN_HOLD = 0,
    SYNC_UNKNOWN_RESEND,
    SYNC_UNKNOWN_RELEASE
} sync_doc_unknown_e;

/* By a group of nginx.conf or by URL: the one's name is empty, or the
   other's port is 0. */

typedef struct {
    sync_str_t               name;
    sync_str_t               upstream;
    sync_str_t               host;       /* default: upstream; of the URL */
    sync_str_t               path;       /* "/base", or empty; no last "/" */
    sync_str_t               tls_name;   /* default: host without its port */
    sync_str_t               address;    /* of the URL: a name, lower case, or
                                            an address without brackets */
    uint32_t                 port;       /* of the URL */
    sync_format_e            format;
    sync_doc_list_t          lists;      /* names that are always lists */

    /* Headers let through besides our own, lower case. */
    sync_doc_list_t          request_headers;
    sync_doc_list_t          response_headers;

    sync_doc_credentials_e   credentials;    /* sync_doc_credential() */

    sync_doc_send_e          send;
    sync_str_t               send_header;
    sync_doc_as_e            as;
    sync_doc_unknown_e       on_unknown;
    uint64_t                 max_run_ms; /* 0: not said */
    unsigned                 rolls_back:1;   /* a 5xx left nothing behind */
    unsigned                 session:1;  /* sync_doc_session() */
    uint32_t                 capacity;   /* requests at a time, of all tenants;
                                            0: not said */

    uint32_t                 index;      /* of this connector */
} sync_doc_connector_t;

typedef struct {
    sync_str_t  method;                  /* upper case */
    sync_str_t  code;                    /* for sync_template_render() */
    sync_str_t  action;                  /* of SOAP; the method of JSON-RPC */
    sync_str_t  body;                    /* JSON for sync_body_render(), or
                                            empty: what the map makes */
    sync_str_t  items;                   /* JSONPaths into a list's answer, or */
    sync_str_t  next;                    /* empty */
    unsigned    if_match:1;              /* If-Match is required */
} sync_doc_operation_t;

uint32_t sync_doc_connectors(const sync_doc_t *doc);
sync_rc_t sync_doc_connector_at(const sync_doc_t *doc, uint32_t i,
    sync_doc_connector_t *connector);
/* By name; OK or NO. */
sync_rc_t sync_doc_connector(const sync_doc_t *doc, sync_str_t name,
    sync_doc_connector_t *connector);
/* What it says who we are.  OK or NO: nothing. */
sync_rc_t sync_doc_credential(const sync_doc_t *doc, uint32_t connector,
    sync_doc_credential_t *credential);
/* Does this connector call that status transient? */
int sync_doc_transient(const sync_doc_t *doc, uint32_t connector,
    unsigned status);

/*
 * What a connector does for an entity.  OK or NO (does not know the entity).
 * map: library path, or empty (its words are canonical); operations: bits.
 */
sync_rc_t sync_doc_connector_entity(const sync_doc_t *doc, uint32_t connector,
    sync_entity_e entity, sync_str_t *map, unsigned *operations);
sync_rc_t sync_doc_operation(const sync_doc_t *doc, uint32_t connector,
    sync_entity_e entity, sync_op_e op, sync_doc_operation_t *operation);


/*
 * The session of a connector: the request that begins it, what is taken of the
 * answer (in a later one the headers show it), and what says that it is over.
 */

typedef struct {
    sync_str_t       code;               /* for sync_template_render() */
    sync_str_t       method;
    sync_str_t       body;               /* JSON for sync_body_render(), or
                                            empty */
    uint64_t         max_age_ms;         /* 0: until it is refused */
    uint32_t         headers;            /* their numbers */
    uint32_t         taken;
    uint32_t         sent;
    uint32_t         expired;
    unsigned         cookies:1;          /* are kept and sent */
    sync_doc_list_t  secrets;            /* names: all that it uses */
} sync_doc_session_t;

typedef struct {
    sync_str_t       name;
    sync_str_t       header;             /* lower case; or */
    sync_str_t       path;               /* a singular JSONPath */
} sync_doc_take_t;

/* All that is said must hold; what is empty is not asked for. */

typedef struct {
    unsigned         status;
    sync_str_t       header;             /* lower case */
    sync_str_t       header_value;       /* whatever its case */
    sync_str_t       path;               /* a singular JSONPath */
    sync_str_t       path_value;         /* of a scalar, as text */
} sync_doc_expired_t;

/* OK or NO (there is none). */
sync_rc_t sync_doc_session(const sync_doc_t *doc, uint32_t connector,
    sync_doc_session_t *session);
sync_rc_t sync_doc_session_header_at(const sync_doc_t *doc,
    uint32_t connector, uint32_t i, sync_str_t *name, sync_str_t *value);
/* text is for sync_session_text(). */
sync_rc_t sync_doc_session_send_at(const sync_doc_t *doc, uint32_t connector,
    uint32_t i, sync_str_t *name, sync_str_t *text);
sync_rc_t sync_doc_session_take_at(const sync_doc_t *doc, uint32_t connector,
    uint32_t i, sync_doc_take_t *take);
sync_rc_t sync_doc_session_expired_at(const sync_doc_t *doc,
    uint32_t connector, uint32_t i, sync_doc_expired_t *expired);


/*
 * Routes: the connector of the first route that matches, or SYNC_DOC_NONE.
 * payload is the canonical payload from node on; NULL: there is none (a read),
 * then routes with conditions are passed over.  A condition holds where the
 * pointer gives a string that is one of its values.
 */
uint32_t sync_doc_route(const sync_doc_t *doc, sync_entity_e entity,
    const sync_json_t *payload, uint32_t node);

/* Routes one by one, for tools and the debug trace. */

typedef struct {
    sync_entity_e    entity;
    uint32_t         connector;
    uint32_t         conditions;
} sync_doc_route_t;

uint32_t sync_doc_routes(const sync_doc_t *doc);
sync_rc_t sync_doc_route_at(const sync_doc_t *doc, uint32_t i,
    sync_doc_route_t *route);
sync_rc_t sync_doc_condition_at(const sync_doc_t *doc, uint32_t route,
    uint32_t i, sync_str_t *pointer, sync_doc_list_t *values);


/* The version of an entity's canonical schema; 0: the document says none. */
uint32_t sync_doc_schema_version(const sync_doc_t *doc, sync_entity_e entity);


/*
 * Patterns are RFC 6901 pointers in which "*" stands for every item of an
 * array and every member of an object (sync_edit.h).
 */

/* Which sources write an attribute of a canonical entity. */

typedef struct {
    sync_entity_e      entity;
    sync_str_t         pattern;
    sync_doc_list_t    owners;           /* names of sources */
} sync_doc_owner_t;

uint32_t sync_doc_owners(const sync_doc_t *doc);
sync_rc_t sync_doc_owner_at(const sync_doc_t *doc, uint32_t i,
    sync_doc_owner_t *owner);


/* What is hidden in an answer, in the words it goes out in. */

typedef enum {
    SYNC_MASK_STARS = 0,                 /* "***" */
    SYNC_MASK_LAST4,                     /* "***3456", of eight or more */
    SYNC_MASK_NULL,
    SYNC_MASK_REMOVE
} sync_doc_mask_e;

typedef struct {
    sync_str_t         pattern;
    sync_str_t         scope;            /* who has it sees all; or empty */
    sync_str_t         source;           /* of the client; empty: any */
    sync_entity_e      entity;           /* SYNC_ENTITIES: any */
    sync_doc_mask_e    as;
} sync_doc_mask_t;

uint32_t sync_doc_masks(const sync_doc_t *doc);
sync_rc_t sync_doc_mask_at(const sync_doc_t *doc, uint32_t i,
    sync_doc_mask_t *mask);


/*
 * Is this a path that may stand below a library or secrets folder: relative,
 * of [A-Za-z0-9_.-/], no empty part, none that begins with a dot?
 */
int sync_doc_path_ok(sync_str_t path);


#endif /* SYNC_DOC_H_INCLUDED_ */
