
/*
 * A compiled map, inside: what sync_map.c, sync_map_scope.c, sync_map_rule.c,
 * sync_map_steps.c and sync_map_table.c build and sync_map_run.c,
 * sync_map_step.c and sync_map_string.c read.
 *
 * A scope is what rules of one object share: the root, or the elements of an
 * "each".  Its sources stand in a trie by member names, so that one walk over
 * the object finds the values of all rules; its targets stand in a tree, so
 * that the output is written in order, once.
 */


#ifndef SYNC_MAP_RULES_H_INCLUDED_
#define SYNC_MAP_RULES_H_INCLUDED_


#include "sync_date.h"
#include "sync_decimal.h"
#include "sync_map.h"
#include "sync_path.h"


#define SYNC_MAP_NO_SLOT     ((uint32_t) -1)
#define SYNC_MAP_SPREAD_MAX  8       /* namespaces of x-ext in one payload */
#define SYNC_MAP_TREE_MAX    32      /* names in a path or a pointer */
#define SYNC_MAP_EACH_MAX    16      /* "each" within "each" */


/* Open addressing by name; a power of two of cells, at most half filled. */

typedef struct {
    sync_str_t             name;     /* data NULL: an empty cell */
    uint32_t               value;
} sync_map_cell_t;

typedef struct {
    sync_map_cell_t       *cells;    /* NULL: nothing in it */
    uint32_t               mask;
    uint32_t               used;
} sync_map_index_t;


/* The members of a source that rules use. */

typedef struct sync_map_source_s  sync_map_source_t;

struct sync_map_source_s {
    sync_map_index_t       index;    /* name to children[value] */
    sync_map_source_t    **children;
    uint32_t               count;
    uint32_t               slot;     /* where a rule wants the value */
    uint8_t                taken;    /* nothing in it is left unmapped */
    sync_str_t             name;
};


/* One place a value comes from. */

typedef struct {
    sync_path_t           *path;     /* NULL: a chain of names, see slot */
    uint32_t               slot;
    uint8_t                elements; /* the chain ends in [*] */
    uint8_t                many;     /* path may find several */
    sync_str_t             pointer;  /* below the scope, for faults */
} sync_map_from_t;


/* A table of words, read in one direction. */

typedef struct sync_map_table_s  sync_map_table_t;

struct sync_map_table_s {
    sync_map_index_t       index;
    sync_str_t            *to;       /* JSON text */
    sync_str_t             name;     /* of a lookup */
    sync_map_table_t      *next;     /* compiled before, while compiling */
};


typedef enum {
    SYNC_MAP_AS_SENT = 0,
    SYNC_MAP_STRING,
    SYNC_MAP_NUMBER,
    SYNC_MAP_INTEGER,
    SYNC_MAP_BOOLEAN,
    SYNC_MAP_DECIMAL,
    SYNC_MAP_DATE,
    SYNC_MAP_DATE_TIME,
    SYNC_MAP_ODATA_DATE,
    SYNC_MAP_ODATA_DATE_TIME,
    SYNC_MAP_EPOCH,
    SYNC_MAP_EPOCH_MS,
    SYNC_MAP_FORMAT                  /* a date in a form of its own */
} sync_map_type_e;


/* How dates are written that a rule reads. */

typedef enum {
    SYNC_MAP_PARSE_ANY = 0,          /* ISO 8601, OData */
    SYNC_MAP_PARSE_EPOCH,
    SYNC_MAP_PARSE_EPOCH_MS,
    SYNC_MAP_PARSE_FORM
} sync_map_parse_e;


typedef enum {
    SYNC_MAP_CASE_NONE = 0,
    SYNC_MAP_UPPER,
    SYNC_MAP_LOWER
} sync_map_case_e;


#define SYNC_MAP_TAKE_ALL  INT32_MIN


/* What is done to a value as a text, before a table or a type sees it. */

typedef struct {
    sync_str_t             split;    /* unescaped; len 0: not split */
    int32_t                take;     /* the piece, from the end if below 0 */
    uint8_t                letters;  /* sync_map_case_e */
    unsigned               trim:1;
} sync_map_string_t;


/* What else a type has to know. */

typedef struct {
    sync_str_t             form;     /* to read, where parse says FORM */
    sync_str_t             format;   /* to write */
    uint8_t                parse;    /* sync_map_parse_e */
    uint8_t                round;    /* sync_round_e */
    unsigned               local:1;  /* times without an offset are at */
    int16_t                offset;   /* this one, minutes */
    unsigned               moved:1;  /* times are written at */
    int16_t                at;       /* this offset */
    int16_t                scale;    /* below 0: as it is */
} sync_map_shape_t;


typedef enum {
    SYNC_MAP_FROM = 0,
    SYNC_MAP_EACH,
    SYNC_MAP_CONCAT,
    SYNC_MAP_CONSTANT,
    SYNC_MAP_ENV
} sync_map_kind_e;


typedef struct sync_map_scope_s  sync_map_scope_t;


typedef struct {
    sync_str_t             text;     /* of a string, escaped; data NULL: */
    int                    env;      /* sync_map_env_e; -1: from */
    sync_map_from_t        from;
} sync_map_part_t;


typedef struct sync_map_rule_s  sync_map_rule_t;

struct sync_map_rule_s {
    uint8_t                kind;
    uint8_t                type;
    uint8_t                env;
    unsigned               required:1;
    unsigned               update:1; /* applies to updates as well */
    unsigned               lookup:1; /* a word that the table does not know
                                        is no value */

    sync_map_from_t       *from;     /* the first that is there */
    uint32_t               nfrom;

    sync_map_part_t       *parts;    /* of a concat */
    uint32_t               nparts;
    sync_str_t             join;     /* escaped */

    sync_str_t             constant; /* JSON text, as the next two */
    sync_str_t             missing;  /* "default"; data NULL: none */
    sync_str_t             otherwise;
    sync_map_table_t      *table;
    sync_map_string_t     *string;   /* NULL: the value as it is */
    sync_map_shape_t      *shape;    /* NULL: as the type alone says */
    sync_map_scope_t      *each;

    sync_path_t           *when;     /* NULL: always */
    sync_map_rule_t       *next;     /* of the same place: the first whose
                                        condition holds is taken */

    sync_str_t             to;       /* as the map says it, for a trace, */
    sync_str_t             place;    /* and where the rule stands */
};


typedef struct sync_map_target_s  sync_map_target_t;

struct sync_map_target_s {
    sync_str_t             key;      /* "name": as it is written */
    sync_str_t             name;
    sync_map_rule_t       *rule;     /* NULL: an object of children */
    uint32_t               quiet;    /* the slot without whose value nothing
                                        is written, or SYNC_MAP_NO_SLOT */
    sync_map_target_t    **children;
    uint32_t               count;
    sync_map_index_t       index;    /* name to children[value] */
};


struct sync_map_scope_s {
    sync_map_source_t      source;
    sync_map_target_t      target;
    uint32_t               nslots;
    uint8_t                any;      /* takes "$", "$[0]": no object */

    sync_str_t             collect;  /* key of the namespace; data NULL: no */
    sync_str_t            *spread;   /* namespaces to write, in order */
    uint32_t               nspread;
    uint32_t               spread_slot;      /* "x-ext" of the input */
    uint8_t                spread_all;
};


/*
 * An envelope.  Of the input: pointers.  Of the output: the texts before one
 * object and before the array of several, and how much is to be closed after.
 */

typedef struct {
    sync_str_t             one;
    sync_str_t             many;     /* data NULL: not declared */
    sync_str_t             one_open;
    uint32_t               one_depth;        /* objects that one_open opens */
    sync_str_t             many_open;
    uint32_t               many_depth;
} sync_map_envelope_t;


typedef struct {
    sync_map_envelope_t    in;
    sync_map_envelope_t    out;
    sync_map_scope_t       scope;
    uint32_t               env;      /* sync_map_env_e that rules name, bits */
} sync_map_section_t;


typedef struct sync_map_failure_s  sync_map_failure_t;


struct sync_map_s {
    sync_str_t             version;
    sync_map_section_t    *sections[SYNC_MAP_SECTIONS];
    sync_map_failure_t    *failure;  /* "error"; NULL: not declared */
};


/* sync_map_index.c */

/* OK, or NO where the name is there already, or FAULT. */
sync_rc_t sync_map_index_add(sync_map_index_t *index, sync_arena_t *arena,
    sync_str_t name, uint32_t value);
/* The value, or SYNC_MAP_NO_SLOT. */
uint32_t sync_map_index_find(const sync_map_index_t *index, sync_str_t name);
/* The same by a string or key of a tape, its escapes understood. */
uint32_t sync_map_index_node(const sync_map_index_t *index,
    const sync_json_t *json, uint32_t n);

/*
 * A map while it is compiled: the chain of documents, docs[0] extends nothing
 * and the last is the map itself; and the place where something stands in each
 * of them (SYNC_JSON_NONE: that document does not have it).
 */

#define SYNC_MAP_CHAIN_MAX  8

typedef struct {
    sync_json_t            json;
    sync_str_t             name;     /* empty: the map itself */
} sync_map_doc_t;

typedef struct {
    uint32_t               at[SYNC_MAP_CHAIN_MAX];
} sync_map_place_t;

typedef struct {
    sync_arena_t          *arena;    /* of the map */
    sync_arena_t          *scratch;  /* of the compilation */
    sync_map_doc_t         docs[SYNC_MAP_CHAIN_MAX + 1];     /* the last: a
                                                                lookup's file */
    uint32_t               ndocs;
    sync_map_section_e     section;
    uint32_t               env;      /* named in it so far, bits */
    sync_map_loader_t     *loader;   /* NULL: no other file can be read */
    sync_map_table_t      *lookups;  /* that were compiled */
    sync_error_t          *err;
} sync_map_compile_t;


/* sync_map_doc.c */

/* Refuses what stands at a node of a document. */
sync_rc_t sync_map_refuse(sync_map_compile_t *c, uint32_t doc, uint32_t node,
    const char *what, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));

/* Refuses a name that is none of names, with the nearest one. */
sync_rc_t sync_map_unknown(sync_map_compile_t *c, uint32_t doc, uint32_t node,
    sync_str_t name, const char *what, const char *const *names,
    const char *of);

/* The unescaped content of a string in the map's arena; data NULL: fault. */
sync_str_t sync_map_text(sync_map_compile_t *c, uint32_t doc, uint32_t node);
/* A whole value as JSON text in the map's arena. */
sync_str_t sync_map_raw(sync_map_compile_t *c, uint32_t doc, uint32_t node);
/* A string as it stands between quotes, escaped; in the map's arena. */
sync_str_t sync_map_escaped(sync_map_compile_t *c, sync_str_t s);
/* A member's name with its quotes and its colon; in the map's arena. */
sync_str_t sync_map_quoted_key(sync_map_compile_t *c, sync_str_t name);

/* Checks that a value is an object whose members are all among the names. */
sync_rc_t sync_map_members(sync_map_compile_t *c, uint32_t doc, uint32_t node,
    const char *const *names, const char *of);

/*
 * The innermost document where the place has the member; *doc and *node are
 * it, *node is SYNC_JSON_NONE where there is none.
 */
void sync_map_member(sync_map_compile_t *c, const sync_map_place_t *place,
    const char *name, uint32_t *doc, uint32_t *node);

/*
 * Where a node stands, in the map's arena: its pointer, behind the name of its
 * document and "#" where that is one that is extended.  data NULL: fault.
 */
sync_str_t sync_map_where(sync_map_compile_t *c, uint32_t doc, uint32_t node);

/* The place of a member, in each document. */
void sync_map_below(sync_map_compile_t *c, const sync_map_place_t *place,
    const char *name, sync_map_place_t *below);

/* Splits a pointer into names; at most SYNC_MAP_TREE_MAX. */
sync_rc_t sync_map_pointer(sync_map_compile_t *c, uint32_t doc, uint32_t node,
    sync_str_t *names, uint32_t *count);

/* sync_map_rule.c */

sync_rc_t sync_map_rule(sync_map_compile_t *c, const sync_map_place_t *place,
    sync_map_scope_t *scope, uint32_t depth, sync_map_rule_t **rule);

/* A slot for a member of the scope's object, which is then taken. */
sync_rc_t sync_map_take(sync_map_compile_t *c, sync_map_scope_t *scope,
    sync_str_t name, uint32_t *slot);

/* Marks what a path names as taken, with no rule of its own. */
sync_rc_t sync_map_ignore(sync_map_compile_t *c, uint32_t doc, uint32_t node,
    sync_map_scope_t *scope);

/* sync_map_scope.c */

/* "rules", "x-ext", "ignore" and "without"; parent may be NULL. */
sync_rc_t sync_map_scope(sync_map_compile_t *c, const sync_map_place_t *place,
    const sync_map_scope_t *parent, uint32_t depth, sync_map_scope_t *scope);

/* sync_map_rule.c, for those that follow */

/* The index of a string among names, "" left out; *value is set. */
sync_rc_t sync_map_named(sync_map_compile_t *c, uint32_t doc, uint32_t node,
    const char *const *names, const char *of, uint8_t *value);
/* A member that is true or false; where there is none *value stays. */
sync_rc_t sync_map_flag(sync_map_compile_t *c, const sync_map_place_t *place,
    const char *name, int *value);

/* sync_map_table.c */

/* "enum" and "lookup" of a rule, and "otherwise". */
sync_rc_t sync_map_tables(sync_map_compile_t *c,
    const sync_map_place_t *place, sync_map_rule_t *rule);

/* sync_map_steps.c */

/* "trim", "case", "split", "type" and what goes with them, and "when". */
sync_rc_t sync_map_steps(sync_map_compile_t *c, const sync_map_place_t *place,
    sync_map_rule_t *rule);

/* "when" of a place; where there is none *test stays. */
sync_rc_t sync_map_condition(sync_map_compile_t *c,
    const sync_map_place_t *place, sync_path_t **test);

/* sync_map_error.c */

/* The section "error"; where there is none *failure stays. */
sync_rc_t sync_map_failure(sync_map_compile_t *c,
    const sync_map_place_t *place, sync_map_failure_t **failure);

/* sync_map_string.c */

/*
 * A value that a rule changes as a text: into a tape of one string each, in
 * the arena.  OK: *tapes are count of them, none where the piece to take is
 * not there; NO: the value is no single one; FAULT.
 */
sync_rc_t sync_map_strings(const sync_map_string_t *string,
    const sync_json_t *json, uint32_t n, sync_arena_t *arena,
    sync_json_t **tapes, uint32_t *count);

/* sync_map_step.c */

/*
 * Writes a scalar or structured value as the rule asks.  OK, or NO with the
 * keyword and the text of the fault; *what NULL: there is no value after all;
 * or FAULT.
 */
sync_rc_t sync_map_step(const sync_map_rule_t *rule, const sync_json_t *json,
    uint32_t n, sync_arena_t *arena, sync_json_out_t *out, const char **what,
    const char **text);


#endif /* SYNC_MAP_RULES_H_INCLUDED_ */
