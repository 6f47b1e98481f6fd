
/*
 * Maps between the words of one system and a canonical entity.  A map is a
 * JSON document (docs/maps.md has the grammar): rules that take values by
 * JSONPath (RFC 9535), pass them through a closed set of steps and put them
 * at a JSON Pointer (RFC 6901).  It is compiled once and then read-only: any
 * number of tenants and requests share it.
 *
 * A run reads a tape and writes text in the order of the target, with no tree
 * between.  A value is copied byte by byte unless its rule asks for a step;
 * no step turns a number into a double.
 */


#ifndef SYNC_MAP_H_INCLUDED_
#define SYNC_MAP_H_INCLUDED_


#include "sync_faults.h"


typedef struct sync_map_s  sync_map_t;


/*
 * For a source, WRITE maps its words to the canonical ones and READ the
 * canonical ones back; for a connector, WRITE maps the canonical words to its
 * own and READ its own back.
 */

typedef enum {
    SYNC_MAP_WRITE = 0,
    SYNC_MAP_READ,
    SYNC_MAP_SECTIONS
} sync_map_section_e;


/* What a request knows beside its payload; "env" of a rule names them. */

typedef enum {
    SYNC_MAP_ENV_TENANT = 0,         /* "tenant", the immutable id */
    SYNC_MAP_ENV_CLIENT,             /* "client" */
    SYNC_MAP_ENV_SOURCE,             /* "source" */
    SYNC_MAP_ENV_CONNECTOR,          /* "connector" */
    SYNC_MAP_ENV_ENTITY,             /* "entity" */
    SYNC_MAP_ENV_OPERATION,          /* "operation" */
    SYNC_MAP_ENV_OBJECT_ID,          /* "object_id" */
    SYNC_MAP_ENV_CORRELATION_ID,     /* "correlation_id" */
    SYNC_MAP_ENV_DOWNSTREAM_KEY,     /* "downstream_key" */
    SYNC_MAP_ENV_NOW,                /* "now", ISO 8601 in UTC */
    SYNC_MAP_ENV_N
} sync_map_env_e;


/*
 * Gives the text of a file that "extends" or "lookups" name.  It must live until
 * sync_map_compile() returns.  OK; NO: there is none, err says so; FAULT.
 */

typedef struct sync_map_loader_s  sync_map_loader_t;

struct sync_map_loader_s {
    sync_rc_t  (*load)(sync_map_loader_t *loader, sync_str_t name,
                       sync_arena_t *arena, sync_str_t *text,
                       sync_error_t *err);
    void        *data;
};


/*
 * Compiles a map.  Everything of it lies in the arena; text need not outlive
 * the call.  loader may be NULL: then "extends" is refused.
 *
 * OK: *map is it.  NO: err has a keyword ("syntax", "duplicate-member",
 * "unknown-member", "type", "value", "path", "pointer", "conflict", "missing",
 * "not-supported", "extends", "lookup"), the pointer into the document, and what would
 * be right; where the fault is in a map that was extended, the text begins
 * with its name.  FAULT: no memory.
 */
sync_rc_t sync_map_compile(sync_map_t **map, sync_arena_t *arena,
    sync_str_t text, sync_map_loader_t *loader, sync_error_t *err);

/* Whether the map has the section. */
int sync_map_has(const sync_map_t *map, sync_map_section_e section);

/* What its rules name by "env": 1 << SYNC_MAP_ENV_TENANT and so on. */
uint32_t sync_map_env(const sync_map_t *map, sync_map_section_e section);

/* The map's own "version" member; empty where it has none. */
sync_str_t sync_map_version(const sync_map_t *map);


/*
 * Who wants to know is told of each rule that wrote its target, in the order
 * of the output, an "each" behind what it holds.
 *
 *   rule  where the rule stands: a pointer (RFC 6901) into the map, behind the
 *         name of the map it extends and "#" where it stands there;
 *   to    its target, below that of the "each" around it;
 *   node  the value it was applied to: the root, or the element of an "each".
 */

typedef struct sync_map_trace_s  sync_map_trace_t;

struct sync_map_trace_s {
    void  (*wrote)(sync_map_trace_t *trace, sync_str_t rule, sync_str_t to,
                   const sync_json_t *json, uint32_t node);
    void   *data;
};


/*
 * How to run:
 *
 *   env     SYNC_MAP_ENV_N strings, an absent one has data NULL; or NULL;
 *   work    what is left of the request's work, charged one for each member
 *           passed and for each 64 bytes written; or NULL: unbounded;
 *   max     bytes of output allowed; 0: 16 MiB;
 *   trace   is told which rule wrote what; or NULL;
 *   update  map only what is present: null clears, "default" and "required"
 *           are skipped, and so are constants that do not say "update": true;
 *   bare    node is the payload itself, and no envelope is put around it.
 */

typedef struct {
    const sync_str_t  *env;
    uint64_t          *work;
    size_t             max;
    sync_map_trace_t  *trace;
    unsigned           update:1;
    unsigned           bare:1;       /* without the envelopes of the section */
} sync_map_run_t;


/*
 * Maps the value at node of a tape.
 *
 * OK: *out is JSON text in the arena.  NO: faults (initialised by the caller)
 * has the places, the keywords being "required", "enum", "type", "date",
 * "decimal", "incomplete", "envelope", "too-large" (over max) and
 * "too-much-work".
 * FAULT: no memory.  A section that the map has not is NO with
 * "not-supported".
 */
sync_rc_t sync_map_run(const sync_map_t *map, sync_map_section_e section,
    const sync_json_t *json, uint32_t node, const sync_map_run_t *run,
    sync_arena_t *arena, sync_str_t *out, sync_faults_t *faults);

/*
 * The "error" section: what an answer of a connector says is wrong.
 *
 *   BUSINESS   refused for good: the sender's fault
 *   TECHNICAL  the target's fault, nobody knows what it has done
 *   TRANSIENT  not done, may be sent again
 *   UNCLASSED  the map does not say; the status does
 */

typedef enum {
    SYNC_MAP_UNCLASSED = 0,
    SYNC_MAP_BUSINESS,
    SYNC_MAP_TECHNICAL,
    SYNC_MAP_TRANSIENT
} sync_map_class_e;

typedef struct {
    sync_map_class_e  class;
    sync_str_t        code;          /* the target's own, or empty */
    sync_str_t        message;
} sync_map_error_t;

int sync_map_has_error(const sync_map_t *map);

/*
 * failed: the status, or the format, says already that it is an error; else
 * the section's condition decides.  The map must have the section.  OK: *error
 * is filled, its texts in the arena; NO: it is no error; FAULT: no memory.
 */
sync_rc_t sync_map_error(const sync_map_t *map, const sync_json_t *json,
    int failed, sync_arena_t *arena, uint64_t *work, sync_map_error_t *error);

/* Whether s is a number as RFC 8259 writes it; *integer: -?digits. */
int sync_map_is_number(sync_str_t s, int *integer);


#endif /* SYNC_MAP_H_INCLUDED_ */
