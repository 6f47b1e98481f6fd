
/*
 * The grammar of tenant documents as tables, and the walk over a document
 * that reads them; for sync_doc*.c alone.
 */


#ifndef SYNC_DOC_GRAMMAR_H_INCLUDED_
#define SYNC_DOC_GRAMMAR_H_INCLUDED_


#include "sync_doc_block.h"
#include "sync_value.h"


#define SYNC_DOC_NAME  64                /* bytes of a name */
#define SYNC_DOC_TEXT  1024              /* bytes of any other string */


/* The way from the root to what is read, a frame per walk on the stack. */

typedef struct sync_doc_place_s  sync_doc_place_t;

struct sync_doc_place_s {
    const sync_doc_place_t  *up;
    sync_str_t               name;       /* data NULL: the index counts */
    size_t                   index;
};


typedef struct {
    sync_arena_t              *arena;
    sync_str_t                 name;     /* of the file */
    const sync_doc_options_t  *options;
    const sync_doc_place_t    *place;
    sync_doc_t                 head;     /* goes into the block at the end */
    unsigned char             *block;
    size_t                     size;     /* of the block so far */
    size_t                     room;
    sync_error_t              *err;
} sync_doc_compile_t;


typedef enum {
    SYNC_DOC_ANY = 0,
    SYNC_DOC_STRING,
    SYNC_DOC_OBJECT,
    SYNC_DOC_ARRAY,
    SYNC_DOC_INTEGER,
    SYNC_DOC_BOOLEAN
} sync_doc_kind_e;


#define SYNC_DOC_REQUIRED  0x01
#define SYNC_DOC_LATER     0x02          /* known, not in this version */


/*
 * A member of an object, as a directive is one of a configuration: set() gets
 * the record that the table is about and writes at offset.  Members are set
 * in the order of the table, so that what refers stands behind what it refers
 * to.
 */

typedef struct sync_doc_member_s  sync_doc_member_t;

typedef sync_rc_t (*sync_doc_set_pt)(sync_doc_compile_t *c,
    const sync_value_t *v, const sync_doc_member_t *m, void *rec);

struct sync_doc_member_s {
    const char       *name;
    sync_doc_kind_e   kind;
    unsigned          flags;
    sync_doc_set_pt   set;               /* NULL: read by somebody else */
    size_t            offset;
    const void       *data;
};

#define sync_doc_last   { NULL, SYNC_DOC_ANY, 0, NULL, 0, NULL }
#define sync_doc_later(name)                                                  \
    { name, SYNC_DOC_ANY, SYNC_DOC_LATER, NULL, 0, NULL }


/* A closed set of words. */

typedef struct {
    const char  *name;
    uint32_t     value;
    unsigned     later:1;                /* known, not in this version */
} sync_doc_word_t;

typedef struct {
    const char             *what;        /* "format": for messages */
    const sync_doc_word_t  *words;       /* the last has no name */
} sync_doc_words_t;


/* Reads an object by its table. */
sync_rc_t sync_doc_walk(sync_doc_compile_t *c, const sync_value_t *object,
    const sync_doc_member_t *table, void *rec);

/*
 * Calls item() for each member of an object, or each element of an array,
 * whose place is the current one then.
 */
typedef sync_rc_t (*sync_doc_item_pt)(sync_doc_compile_t *c, sync_str_t name,
    const sync_value_t *v, uint32_t i, void *data);

sync_rc_t sync_doc_each(sync_doc_compile_t *c, const sync_value_t *v,
    sync_doc_item_pt item, void *data);

/* The same with zeroed room in the block for a record of that size each, at
   *ref. */
sync_rc_t sync_doc_records(sync_doc_compile_t *c, const sync_value_t *v,
    sync_doc_ref_t *ref, size_t size, sync_doc_item_pt item, void *data);

/* Is v of that kind?  Else "type". */
sync_rc_t sync_doc_kind(sync_doc_compile_t *c, const sync_value_t *v,
    sync_doc_kind_e kind);

/* A word of a set, as a value of the set.  member: it is a member's name. */
sync_rc_t sync_doc_word(sync_doc_compile_t *c, const sync_doc_words_t *words,
    sync_str_t s, int member, uint32_t *value);

/* NO, with the pointer of the current place. */
sync_rc_t sync_doc_refuse(sync_doc_compile_t *c, const char *what,
    const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* The same, with the pointer of a member of the current place. */
sync_rc_t sync_doc_refuse_at(sync_doc_compile_t *c, const char *member,
    const char *what, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));


/* For messages: at most 40 bytes, what is not printable shown as "?". */

typedef struct {
    char  text[48];
} sync_doc_shown_t;

const char *sync_doc_show(sync_doc_shown_t *shown, sync_str_t s);

/*
 * Whether name is nearer to a known one than *distance, and near enough that
 * that may have been meant; *distance begins with SYNC_DOC_NEAR.
 */

#define SYNC_DOC_NEAR  24            /* longer names are near to none */

int sync_doc_near(sync_str_t name, const char *known, unsigned *distance);


/* The block: each may move it. */

/* Zeroed room for n records; *off is aligned. */
sync_rc_t sync_doc_room(sync_doc_compile_t *c, size_t n, size_t size,
    uint32_t *off);
/* Writes record i of an array that was given room. */
void sync_doc_write(sync_doc_compile_t *c, uint32_t off, size_t i,
    const void *rec, size_t size);
sync_rc_t sync_doc_string(sync_doc_compile_t *c, sync_str_t s,
    sync_doc_ref_t *ref);
/* What is in the block by now; until the next call that moves it. */
sync_str_t sync_doc_now(sync_doc_compile_t *c, sync_doc_ref_t ref);


/* Setters for tables. */

sync_rc_t sync_doc_set_text(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec);
sync_rc_t sync_doc_set_name(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec);
/* data: sync_doc_words_t */
sync_rc_t sync_doc_set_word(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec);
sync_rc_t sync_doc_set_flag(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec);
/* 1 and up, a uint32_t; data: int64_t, the most */
sync_rc_t sync_doc_set_number(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec);
sync_rc_t sync_doc_set_duration(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec);
/* A file below the library, asked for. */
sync_rc_t sync_doc_set_library(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec);
/* "secret:NAME", of which NAME is kept. */
sync_rc_t sync_doc_set_secret(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec);
/* A text, or "secret:NAME", kept as written. */
sync_rc_t sync_doc_set_text_or_secret(sync_doc_compile_t *c,
    const sync_value_t *v, const sync_doc_member_t *m, void *rec);
/* A URL that the gateway calls. */
sync_rc_t sync_doc_set_called(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec);
/* A header's name, lower case.  data: sync_doc_headers_t */
sync_rc_t sync_doc_set_header(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec);
/* An object whose members go into the same record.  data: its table */
sync_rc_t sync_doc_set_object(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec);
/* A list, at least one, no duplicates; data: sync_doc_list_of_t */
sync_rc_t sync_doc_set_list(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec);
/* A list of strings, sorted, at most SYNC_DOC_REVOKED */
sync_rc_t sync_doc_set_sorted(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec);


/* One string of a list, or alone: the setter of it, and that one's data. */

typedef struct {
    sync_doc_set_pt   set;
    const void       *data;
    unsigned          alone:1;           /* a string stands for a list of one */
    uint32_t          most;              /* 0: no bound of its own */
} sync_doc_list_of_t;

/* Names of headers that may not be named in a place. */

typedef struct {
    const char  *why;
    const char **names;
} sync_doc_headers_t;

/* What a connector's own settings may not overwrite. */
extern const sync_doc_headers_t  sync_doc_own_headers;


/* [A-Za-z0-9_.-]{1,64} and no dot first: names become file names. */
int sync_doc_name_ok(sync_str_t s);

/* A host name, lower case.  data not NULL: a port may follow. */
sync_rc_t sync_doc_set_host(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec);

/* The index of a name in a list of records that begin with one, or NO. */
sync_rc_t sync_doc_find(sync_doc_compile_t *c, sync_doc_ref_t list,
    size_t size, sync_str_t name, uint32_t *index);

/* "reference": there is no such name in that list; the nearest is shown. */
sync_rc_t sync_doc_no_such(sync_doc_compile_t *c, const char *what,
    sync_doc_ref_t list, size_t size, sync_str_t name);

/* A header's name that is part of a string. */
sync_rc_t sync_doc_header(sync_doc_compile_t *c, sync_str_t s,
    const sync_doc_headers_t *closed, sync_doc_ref_t *ref);

/* A member's name that becomes a record's. */
sync_rc_t sync_doc_name_of(sync_doc_compile_t *c, const char *what,
    sync_str_t name, sync_doc_ref_t *ref);

/* RFC 6901, not the root. */
int sync_doc_pointer_ok(sync_str_t s);


/* Parts of the document with a file of their own; rec is the head. */

sync_rc_t sync_doc_set_plans(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec);
sync_rc_t sync_doc_set_sources(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec);
sync_rc_t sync_doc_set_clients(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec);
sync_rc_t sync_doc_set_connectors(sync_doc_compile_t *c,
    const sync_value_t *v, const sync_doc_member_t *m, void *rec);
sync_rc_t sync_doc_set_routes(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec);

/* rec is sync_doc_connector_rec_t, whose format is known. */
sync_rc_t sync_doc_set_credentials(sync_doc_compile_t *c,
    const sync_value_t *v, const sync_doc_member_t *m, void *rec);

/*
 * One operation of a connector, whose format and idempotency are known.
 * *post: its method is POST.
 */
sync_rc_t sync_doc_read_operation(sync_doc_compile_t *c,
    const sync_value_t *v, sync_op_e op,
    const sync_doc_connector_rec_t *connector, sync_doc_operation_rec_t *rec,
    int *post);

/* Where a connector is, in sync_doc_url.c: rec begins with its record. */
sync_rc_t sync_doc_set_path(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec);
sync_rc_t sync_doc_set_url(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec);

/* The session of a connector: a reference to its record at the offset. */
sync_rc_t sync_doc_set_session(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec);

/*
 * In sync_doc_certificate.c: the names of a list; and those of all n clients,
 * which stand size bytes apart in the order of their ids, in one index.
 */
sync_rc_t sync_doc_set_certificates(sync_doc_compile_t *c,
    const sync_value_t *v, const sync_doc_member_t *m, void *rec);
sync_rc_t sync_doc_index_certificates(sync_doc_compile_t *c,
    const sync_doc_client_rec_t *clients, size_t size, uint32_t n);

/* In sync_doc_rules.c. */
sync_rc_t sync_doc_set_schemas(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec);
sync_rc_t sync_doc_set_ownership(sync_doc_compile_t *c,
    const sync_value_t *v, const sync_doc_member_t *m, void *rec);
sync_rc_t sync_doc_set_masks(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec);
/* A path below the library for an entity: data are SYNC_ENTITIES of
   sync_doc_ref_t. */
sync_rc_t sync_doc_entity_path(sync_doc_compile_t *c, sync_str_t name,
    const sync_value_t *v, uint32_t i, void *data);

/* The schema of a source: rec is sync_doc_source_rec_t. */
sync_rc_t sync_doc_set_source_schema(sync_doc_compile_t *c,
    const sync_value_t *v, const sync_doc_member_t *m, void *rec);

/* In sync_doc_webhook.c. */
sync_rc_t sync_doc_set_signature(sync_doc_compile_t *c,
    const sync_value_t *v, const sync_doc_member_t *m, void *rec);
sync_rc_t sync_doc_set_key(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec);
sync_rc_t sync_doc_set_webhooks(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec);
/* The secrets of n clients together, which stand size bytes apart. */
sync_rc_t sync_doc_check_secrets(sync_doc_compile_t *c,
    const sync_doc_client_rec_t *clients, size_t size, uint32_t n);

/* Room for n sources, the first written: canonical. */
sync_rc_t sync_doc_canonical(sync_doc_compile_t *c, uint32_t n,
    sync_doc_ref_t *sources);

/* The compiler behind sync_doc_load(), in sync_doc_compile.c. */
sync_rc_t sync_doc_compile(sync_arena_t *arena, sync_str_t name,
    const sync_value_t *document, const sync_doc_options_t *options,
    sync_str_t *block, sync_error_t *err);

extern const sync_doc_words_t  sync_doc_entities;

/* What a connector's own settings may not overwrite. */
extern const sync_doc_headers_t  sync_doc_own_headers;

/* Names of a payload: of elements, of a form's members. */
extern const sync_doc_list_of_t  sync_doc_names_list;


#endif /* SYNC_DOC_GRAMMAR_H_INCLUDED_ */
