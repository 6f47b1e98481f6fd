
/*
 * JSON Schema, 2020-12 and draft-07: compiled once, evaluated over a tape.
 * Numbers are compared by their decimal value, never as doubles.
 *
 * The text of a schema is read into a tape too, so that its own numbers stay
 * as they were written.
 *
 * Keywords.  Each one of the dialect's vocabularies is carried out or is an
 * annotation ("title", "default", "contentMediaType", ...).  Any other name is
 * refused, with the nearest known one: a misspelt keyword would accept what it
 * was written to refuse.  Names that begin with "x-" are free; unknown=1 takes
 * every unknown name as an annotation, as the specification suggests.
 *
 * Regular expressions are those of ECMA-262 with the flag "u", carried out by
 * PCRE2 with bounds on matching, depth and memory.
 */


#ifndef SYNC_SCHEMA_H_INCLUDED_
#define SYNC_SCHEMA_H_INCLUDED_


#include "sync_faults.h"
#include "sync_json.h"


typedef struct sync_schema_s  sync_schema_t;


typedef enum {
    SYNC_SCHEMA_2020_12 = 0,
    SYNC_SCHEMA_DRAFT_07
} sync_schema_draft_e;


/*
 * Gives the text of another schema by its absolute URI, without fragment; the
 * meta-schemas of both drafts are built in and never asked for.  The text is
 * copied.  OK; NO: there is none (err may say why); FAULT.
 */
typedef sync_rc_t (*sync_schema_resolve_pt)(void *data, sync_str_t uri,
    sync_arena_t *arena, sync_str_t *text, sync_error_t *err);


/*
 * The path below a folder that stands for a URI: its own, without scheme, host
 * and first slash, a NUL behind it.  OK; NO: it has a query, or a segment that
 * is empty or begins with a dot, so that nothing leads out; FAULT.
 */
sync_rc_t sync_schema_file(sync_str_t uri, sync_arena_t *arena,
    sync_str_t *path);


typedef struct {
    sync_schema_draft_e      draft;      /* where "$schema" is absent */
    unsigned                 formats:1;  /* "format" is asserted */
    unsigned                 unknown:1;  /* unknown keywords are taken */
    sync_str_t               base;       /* URI of the text; may be empty */
    sync_schema_resolve_pt   resolve;    /* NULL: no other schemas */
    void                    *data;
} sync_schema_options_t;


#define SYNC_SCHEMA_DOCUMENTS  256       /* that one schema may reach */
#define SYNC_SCHEMA_NODES      65536     /* subschemas compiled */
#define SYNC_SCHEMA_DEPTH      512       /* subschemas in one another while a
                                            value is validated; values are as
                                            deep as their tape, 128 */


/*
 * Compiles a schema and all it refers to.  Everything lies in the arena, is
 * read-only afterwards and may be used by any number of evaluations.  options
 * may be NULL.
 *
 * OK; NO: not JSON, or no schema that can be carried out: err->what is "json",
 * "schema" or "reference", err->pointer the place, err->text what would be
 * right; FAULT.
 */
sync_rc_t sync_schema_compile(sync_schema_t **schema, sync_arena_t *arena,
    sync_str_t text, const sync_schema_options_t *options,
    sync_error_t *err);


/*
 * Validates node of a tape.  With faults (begun by sync_faults_init()) what
 * is wrong is listed: pointer, keyword and reason, and where the rule stands;
 * without, the first fault ends it.  What fails inside "anyOf", "oneOf",
 * "not", "if" and "contains" is not listed, the keyword itself is.
 *
 * *work pays for every subschema applied, every name looked up, every byte
 * compared and every step of a regular expression.  A value of N nodes costs
 * "uniqueItems" about N, whatever the values are.
 *
 * OK: valid.  NO: invalid, err->what "invalid"; or nobody knows, for *work ran
 * out or subschemas are in one another too deep (references that go round):
 * err->what "too-much-work" (*work is 0) or "too-deep".  FAULT: no memory.
 */
sync_rc_t sync_schema_validate(const sync_schema_t *schema,
    const sync_json_t *json, uint32_t node, sync_arena_t *arena,
    uint64_t *work, sync_faults_t *faults, sync_error_t *err);

/*
 * The same for a payload of an update (RFC 7396): what is absent stays as it
 * is, so nothing is required of an object, and null clears a member, unless it
 * is required.  Items of arrays are whole again.  "oneOf" is content with more
 * than one; "not" and "if" judge what is there.
 */
sync_rc_t sync_schema_validate_update(const sync_schema_t *schema,
    const sync_json_t *json, uint32_t node, sync_arena_t *arena,
    uint64_t *work, sync_faults_t *faults, sync_error_t *err);


/*
 * A keyword of one's own ("x-owner") wherever the subschema of an attribute
 * has it: the attribute as a pattern (sync_edit.h), and the keyword's value.
 * Found by way of "properties", "items", "$ref" and "allOf".
 */

#define SYNC_SCHEMA_MARKS  1024

typedef struct {
    sync_str_t          pattern;         /* in the arena */
    const sync_json_t  *json;            /* of the schema */
    uint32_t            value;
} sync_schema_mark_t;

/* OK and a list, maybe empty; NO: more than SYNC_SCHEMA_MARKS; FAULT. */
sync_rc_t sync_schema_marks(const sync_schema_t *schema, sync_str_t keyword,
    sync_arena_t *arena, sync_schema_mark_t **list, uint32_t *count);


#endif /* SYNC_SCHEMA_H_INCLUDED_ */
