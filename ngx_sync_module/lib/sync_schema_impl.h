
/*
 * What the compiler of schemas leaves for their evaluation.  For
 * sync_schema*.c alone.
 */


#ifndef SYNC_SCHEMA_IMPL_H_INCLUDED_
#define SYNC_SCHEMA_IMPL_H_INCLUDED_


#include "sync_decimal.h"
#include "sync_iregexp.h"
#include "sync_schema.h"


typedef struct sync_schema_doc_s       sync_schema_doc_t;
typedef struct sync_schema_resource_s  sync_schema_resource_t;
typedef struct sync_schema_anchor_s    sync_schema_anchor_t;
typedef struct sync_schema_node_s      sync_schema_node_t;
typedef struct sync_schema_op_s        sync_schema_op_t;
typedef struct sync_schema_load_s      sync_schema_load_t;


/* Vocabularies, a bit each; a keyword belongs to one or more. */

#define SYNC_VOCAB_CORE         0x01
#define SYNC_VOCAB_APPLICATOR   0x02
#define SYNC_VOCAB_UNEVALUATED  0x04
#define SYNC_VOCAB_VALIDATION   0x08
#define SYNC_VOCAB_META         0x10
#define SYNC_VOCAB_FORMAT       0x20     /* annotation */
#define SYNC_VOCAB_ASSERT       0x40     /* format, asserted */
#define SYNC_VOCAB_CONTENT      0x80
#define SYNC_VOCAB_ALL          0xbf     /* of 2020-12: format not asserted */


typedef struct {
    sync_schema_draft_e      draft;
    unsigned                 vocab;
} sync_schema_dialect_t;


/* A text with its tape. */

struct sync_schema_doc_s {
    sync_str_t               uri;        /* it was got by */
    sync_json_t              json;
    sync_schema_resource_t **resources;  /* by node: of a subschema that was
                                            indexed, else NULL */
    sync_schema_node_t     **nodes;      /* by node: compiled, or NULL */
    sync_schema_doc_t       *next;
};


/* A schema with a URI of its own, at "$id" or the root of a text. */

struct sync_schema_resource_s {
    sync_str_t               uri;        /* without fragment */
    sync_schema_doc_t       *doc;
    uint32_t                 at;
    sync_schema_dialect_t    dialect;
    sync_schema_anchor_t    *anchors;
    sync_schema_resource_t  *next;
};


struct sync_schema_anchor_s {
    sync_str_t               name;
    uint32_t                 at;
    unsigned                 dynamic:1;
    sync_schema_node_t      *node;       /* of a dynamic one */
    sync_schema_anchor_t    *next;
};


/* A subschema. */

struct sync_schema_node_s {
    sync_schema_resource_t  *resource;
    uint32_t                 at;
    int8_t                   constant;   /* true 1, false 0, else -1 */
    unsigned                 collects:1; /* has an "unevaluated..." keyword */
    uint32_t                 nops;
    sync_schema_op_t        *ops;
    sync_schema_node_t      *next;       /* to be compiled */
};


typedef enum {
    SYNC_SCHEMA_REF = 0,
    SYNC_SCHEMA_DYNAMIC_REF,
    SYNC_SCHEMA_TYPE,
    SYNC_SCHEMA_CONST,
    SYNC_SCHEMA_ENUM,
    SYNC_SCHEMA_MULTIPLE_OF,
    SYNC_SCHEMA_MAXIMUM,
    SYNC_SCHEMA_EXCLUSIVE_MAXIMUM,
    SYNC_SCHEMA_MINIMUM,
    SYNC_SCHEMA_EXCLUSIVE_MINIMUM,
    SYNC_SCHEMA_MAX_LENGTH,
    SYNC_SCHEMA_MIN_LENGTH,
    SYNC_SCHEMA_PATTERN,
    SYNC_SCHEMA_FORMAT,
    SYNC_SCHEMA_MAX_ITEMS,
    SYNC_SCHEMA_MIN_ITEMS,
    SYNC_SCHEMA_UNIQUE_ITEMS,
    SYNC_SCHEMA_ITEMS,
    SYNC_SCHEMA_CONTAINS,
    SYNC_SCHEMA_MAX_PROPERTIES,
    SYNC_SCHEMA_MIN_PROPERTIES,
    SYNC_SCHEMA_REQUIRED,
    SYNC_SCHEMA_MEMBERS,
    SYNC_SCHEMA_PROPERTY_NAMES,
    SYNC_SCHEMA_DEPENDENT,
    SYNC_SCHEMA_ALL_OF,
    SYNC_SCHEMA_ANY_OF,
    SYNC_SCHEMA_ONE_OF,
    SYNC_SCHEMA_NOT,
    SYNC_SCHEMA_IF,

    /* after all others: they look at what those have evaluated */

    SYNC_SCHEMA_UNEVALUATED_ITEMS,
    SYNC_SCHEMA_UNEVALUATED_PROPERTIES
} sync_schema_op_e;


/* Names with what belongs to them, looked up by a hash. */

typedef struct {
    sync_str_t               name;
    uint32_t                 at;         /* the KEY in the schema's tape */
    sync_schema_node_t      *node;
    sync_str_t              *names;      /* dependents that are required */
    uint32_t                 count;
} sync_schema_name_t;

typedef struct {
    sync_schema_name_t      *list;
    uint32_t                 count;
    uint32_t                 mask;
    uint32_t                *slots;      /* index + 1, 0: free */
} sync_schema_names_t;


typedef struct {
    sync_iregexp_t          *regexp;
    sync_schema_node_t      *node;
} sync_schema_pattern_t;


/* "properties", "patternProperties", "additionalProperties" in one pass. */

typedef struct {
    sync_schema_names_t      names;
    sync_schema_pattern_t   *patterns;
    uint32_t                 npatterns;
    sync_schema_node_t      *others;
} sync_schema_members_t;


typedef struct {
    sync_schema_node_t     **list;
    uint32_t                 count;
    sync_schema_node_t      *rest;       /* items: behind the list */
} sync_schema_list_t;


/* A format, and what a look at a string costs beside its bytes. */

typedef struct {
    const char              *name;
    int                    (*check)(sync_str_t s);
    uint32_t                 cost;
} sync_schema_format_t;


struct sync_schema_op_s {
    uint8_t                  kind;
    uint32_t                 at;         /* the KEY of the keyword */
    const char              *keyword;
    const char              *text;       /* what would be right */

    union {
        unsigned                 types;  /* bits by sync_json_type_e, and
                                            SYNC_SCHEMA_INTEGER */
        uint64_t                 n;
        sync_str_t               number;
        sync_decimal_divisor_t   divisor;
        uint32_t                 value;  /* const: the node */
        sync_iregexp_t          *regexp;
        const sync_schema_format_t *format;
        sync_schema_node_t      *node;
        sync_schema_list_t       list;
        sync_schema_names_t      names;
        sync_schema_members_t   *members;

        struct {
            uint32_t                *values;
            uint64_t                *hashes;
            uint32_t                 count;
        } one_of;

        struct {
            sync_schema_node_t      *node;
            uint64_t                 min;
            uint64_t                 max;
            unsigned                 marks:1;  /* as evaluated: 2020-12 */
            uint32_t                 min_at;   /* KEYs, or SYNC_JSON_NONE */
            uint32_t                 max_at;
        } contains;

        struct {
            sync_schema_node_t      *test;
            sync_schema_node_t      *then;
            sync_schema_node_t      *other;
        } branch;

        struct {
            sync_schema_node_t      *node;
            sync_str_t               anchor;   /* of a dynamic one */
        } ref;
    } u;
};

#define SYNC_SCHEMA_INTEGER  0x100


struct sync_schema_s {
    sync_schema_node_t      *root;
    unsigned                 collects:1;   /* some subschema does */
};


struct sync_schema_load_s {
    sync_schema_t                *schema;
    sync_arena_t                 *arena;
    const sync_schema_options_t  *options;
    sync_error_t                 *err;
    sync_schema_doc_t            *docs;
    uint32_t                      ndocs;
    uint32_t                      nnodes;
    uint32_t                      depth;     /* texts that read one another */
    sync_schema_resource_t       *resources;
    sync_schema_node_t           *queue;     /* to be compiled */
};


/* sync_schema.c: texts, resources, references */

/* The node of a subschema at a place of a text; compiled later. */
sync_rc_t sync_schema_node(sync_schema_load_t *load,
    sync_schema_resource_t *resource, uint32_t at, sync_schema_node_t **node);
/* The same, by a reference from within a resource; *anchor: a dynamic one. */
sync_rc_t sync_schema_find(sync_schema_load_t *load,
    sync_schema_resource_t *from, uint32_t at, sync_schema_node_t **node,
    sync_str_t *anchor);
/* The resource of a URI that stands at a place, read where it must be. */
sync_rc_t sync_schema_resource(sync_schema_load_t *load,
    sync_schema_resource_t *from, uint32_t at, sync_str_t uri,
    sync_schema_resource_t **resource);
/* Refuses, at a node of a text. */
sync_rc_t sync_schema_refuse(sync_schema_load_t *load,
    const sync_schema_doc_t *doc, uint32_t at, const char *what,
    const char *fmt, ...) __attribute__((format(printf, 5, 6)));


/* sync_schema_dialect.c: which keywords there are */

typedef enum {
    SYNC_KEYWORD_PLAIN = 0,
    SYNC_KEYWORD_SCHEMA,         /* its value is a schema */
    SYNC_KEYWORD_LIST,           /* an array of schemas */
    SYNC_KEYWORD_MAP,            /* an object whose values are schemas */
    SYNC_KEYWORD_ITEMS,          /* a schema or an array of them */
    SYNC_KEYWORD_DEPENDENCIES    /* an object of schemas and arrays */
} sync_keyword_e;

typedef struct {
    const char              *name;
    uint8_t                  vocab;      /* 2020-12; 0: not in it */
    uint8_t                  draft_07;
    uint8_t                  holds;      /* sync_keyword_e */
} sync_keyword_t;

/* A keyword of the dialect, or NULL. */
const sync_keyword_t *sync_schema_keyword(const sync_schema_dialect_t *dialect,
    sync_str_t name);
/* What a "$schema" says. */
sync_rc_t sync_schema_dialect(sync_schema_load_t *load,
    sync_schema_resource_t *from, uint32_t at,
    sync_schema_dialect_t *dialect);
/* Whether a name may stand in a schema; refuses it else. */
sync_rc_t sync_schema_known(sync_schema_load_t *load,
    sync_schema_resource_t *resource, uint32_t key);
/* The text of a built-in meta-schema; data NULL: it is none. */
sync_str_t sync_schema_meta(sync_str_t uri);


/* sync_schema_compile.c: a subschema into its operations */

sync_rc_t sync_schema_ops(sync_schema_load_t *load, sync_schema_node_t *node);
/* The entry of a member's name, or NULL. */
sync_schema_name_t *sync_schema_name(const sync_schema_names_t *names,
    const sync_json_t *json, uint32_t key);


/* sync_schema_uri.c: RFC 3986, 5.2; both without fragment, in the arena */

sync_str_t sync_schema_uri(sync_arena_t *arena, sync_str_t base,
    sync_str_t reference);
/* Splits at "#"; fragment.data NULL: there is none. */
sync_str_t sync_schema_unfragment(sync_str_t uri, sync_str_t *fragment);
/* Undoes percent-encoding; data NULL: it is broken, or no memory. */
sync_str_t sync_schema_unpercent(sync_arena_t *arena, sync_str_t s);


/* sync_schema_regexp.c: ECMA-262 with "u", unanchored */

sync_rc_t sync_schema_regexp(sync_iregexp_t **re, sync_arena_t *arena,
    sync_str_t pattern, sync_error_t *err);


/* sync_schema_format*.c: NULL: there is no such format; else 1 or 0 */

const sync_schema_format_t *sync_schema_format(sync_str_t name);

int sync_format_ipv4(sync_str_t s);
int sync_format_ipv6(sync_str_t s);
int sync_format_hostname(sync_str_t s);
int sync_format_idn_hostname(sync_str_t s);
int sync_format_uri(sync_str_t s);
int sync_format_uri_reference(sync_str_t s);
int sync_format_iri(sync_str_t s);
int sync_format_iri_reference(sync_str_t s);
int sync_format_uri_template(sync_str_t s);

#define sync_is_digit(ch)  ((ch) >= '0' && (ch) <= '9')
#define sync_is_alpha(ch)  (((ch) | 0x20) >= 'a' && ((ch) | 0x20) <= 'z')
#define sync_is_hex(ch)                                                       \
    (sync_is_digit(ch) || (((ch) | 0x20) >= 'a' && ((ch) | 0x20) <= 'f'))


#endif /* SYNC_SCHEMA_IMPL_H_INCLUDED_ */
