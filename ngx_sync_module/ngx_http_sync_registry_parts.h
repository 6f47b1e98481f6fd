
/*
 * The inside of the registry, for ngx_http_sync_registry*.c alone.
 *
 * All of it is the process' own memory by malloc, so that each part can go by
 * itself: what the master has loaded the workers inherit and change for
 * themselves.  Only the owners of names are shared.
 */


#ifndef NGX_HTTP_SYNC_REGISTRY_PARTS_H_INCLUDED_
#define NGX_HTTP_SYNC_REGISTRY_PARTS_H_INCLUDED_


#include "ngx_http_sync_registry.h"
#include "sync_crypto.h"
#include "sync_schema.h"
#include "ngx_http_sync_egress.h"

#include <dirent.h>


#define NGX_HTTP_SYNC_DOCUMENT_MAX  (1024 * 1024)
#define NGX_HTTP_SYNC_LIBRARY_MAX   (4 * 1024 * 1024)
#define NGX_HTTP_SYNC_SECRET_FILE   (64 * 1024)


typedef struct ngx_http_sync_registry_s  ngx_http_sync_registry_t;


/* What tells one state of a file from another; all zero: it is not there. */

typedef struct {
    int64_t                     sec;
    int64_t                     nsec;
    int64_t                     size;
    uint64_t                    inode;
    uint64_t                    device;
} ngx_http_sync_stamp_t;


/* A hash table of nodes that lie inside what they find. */

typedef struct ngx_http_sync_node_s  ngx_http_sync_node_t;

struct ngx_http_sync_node_s {
    ngx_http_sync_node_t       *next;
    ngx_http_sync_node_t      **prev;    /* what points here */
    uint32_t                    hash;
    ngx_str_t                   key;     /* not copied */
    void                       *value;
};

typedef struct {
    ngx_http_sync_node_t      **buckets;
    ngx_uint_t                  size;    /* a power of two */
    ngx_uint_t                  count;
} ngx_http_sync_table_t;

ngx_int_t ngx_http_sync_table_init(ngx_http_sync_table_t *t, ngx_log_t *log);
void ngx_http_sync_table_done(ngx_http_sync_table_t *t);
/* The newest node of that key, or NULL. */
ngx_http_sync_node_t *ngx_http_sync_table_find(ngx_http_sync_table_t *t,
    ngx_str_t *key);
/* Never fails: where it cannot grow it gets slower. */
void ngx_http_sync_table_insert(ngx_http_sync_table_t *t,
    ngx_http_sync_node_t *node, ngx_log_t *log);
void ngx_http_sync_table_remove(ngx_http_sync_table_t *t,
    ngx_http_sync_node_t *node);


/* Compiled maps and key sets, shared by all tenants that name the file. */

typedef struct {
    ngx_uint_t                  refs;
    sync_arena_t               *arena;
    sync_map_t                 *map;
} ngx_http_sync_mapping_t;

typedef struct {
    ngx_uint_t                  refs;
    sync_jwks_t                *set;
} ngx_http_sync_keys_t;

typedef struct {
    ngx_uint_t                  refs;
    sync_arena_t               *arena;
    sync_schema_t              *schema;
    sync_schema_mark_t         *owners;  /* its "x-owner"s */
    uint32_t                    nowners;
} ngx_http_sync_schema_t;


/*
 * A file of the library.  version rises when its content does change; the
 * bases are the files that a map extends.
 */

typedef struct ngx_http_sync_file_s  ngx_http_sync_file_t;

typedef struct {
    ngx_http_sync_file_t       *file;
    uint64_t                    version;
} ngx_http_sync_dep_t;

typedef struct {
    ngx_http_sync_dep_t        *elts;
    ngx_uint_t                  nelts;
    ngx_uint_t                  nalloc;
} ngx_http_sync_deps_t;

struct ngx_http_sync_file_s {
    ngx_http_sync_node_t        node;    /* by its path below the library */
    ngx_uint_t                  refs;    /* of dependants */
    ngx_http_sync_stamp_t       stamp;
    uint64_t                    version;
    u_char                      digest[SYNC_SHA256_LEN];
    unsigned                    there:1; /* and can be read */

    ngx_http_sync_mapping_t    *map;     /* NULL: not compiled, or broken */
    ngx_http_sync_deps_t        bases;
    uint64_t                    map_version;     /* 0: not tried */
    char                       *map_error;

    ngx_http_sync_schema_t     *schema;
    ngx_http_sync_deps_t        schemas; /* that it refers to */
    uint64_t                    schema_version;  /* 0: not tried */
    char                       *schema_error;

    ngx_http_sync_keys_t       *keys;
    uint64_t                    keys_version;    /* 0: not tried */
    uint64_t                    keys_good;   /* version that was judged so */
    char                       *keys_error;

    sync_value_t               *template;
    uint64_t                    template_version;
};


/* A secret, read once per version of its tenant. */

typedef struct ngx_http_sync_secret_file_s  ngx_http_sync_secret_file_t;

struct ngx_http_sync_secret_file_s {
    ngx_http_sync_secret_file_t  *next;
    ngx_http_sync_stamp_t         stamp;
    ngx_str_t                     name;
    ngx_str_t                     value; /* data NULL: cannot be read */
};


typedef struct {
    sync_str_t                  path;    /* a view into the document */
    ngx_http_sync_mapping_t    *mapping;
} ngx_http_sync_named_map_t;

typedef struct {
    sync_str_t                  path;    /* likewise */
    ngx_http_sync_schema_t     *schema;
} ngx_http_sync_named_schema_t;


struct ngx_http_sync_tenant_s {
    ngx_uint_t                    refs;
    ngx_http_sync_registry_t     *reg;
    const sync_doc_t             *doc;
    uint64_t                      generation;

    ngx_http_sync_named_map_t    *maps;
    ngx_uint_t                    nmaps;
    ngx_http_sync_named_schema_t *schemas;   /* of sources */
    ngx_uint_t                    nschemas;
    ngx_http_sync_schema_t       *canonical[SYNC_ENTITIES];  /* or NULL */
    ngx_http_sync_keys_t        **keys;  /* per issuer; NULL: not asked yet */
    ngx_http_sync_secret_file_t  *secrets;

    ngx_queue_t                   awake; /* has secrets: they are looked at */
    uint64_t                      looked;    /* number of that look */
};


/* A file of the folder of documents, and what became of it. */

typedef struct {
    ngx_http_sync_node_t        node;    /* by name: the file's, no ".json" */
    ngx_http_sync_stamp_t       stamp;
    u_char                      digest[SYNC_SHA256_LEN];
    ngx_http_sync_tenant_t     *tenant;  /* the good copy, or NULL */
    char                       *error;   /* of the newest, or NULL */
    ngx_http_sync_deps_t        deps;    /* of the newest, good or not */

    ngx_http_sync_node_t        id;
    ngx_http_sync_node_t       *hosts;
    ngx_uint_t                  nhosts;
    ngx_http_sync_node_t       *issuers;
    ngx_uint_t                  nissuers;

    uint32_t                    place;   /* in reg->seen */
    unsigned                    contested:1;     /* a name is another's */
} ngx_http_sync_slot_t;


/* The owners of hosts and ids, in shared memory. */

#define NGX_HTTP_SYNC_OWNER_NAME   16    /* bytes of a digest */
#define NGX_HTTP_SYNC_OWNER_BYTES  15

typedef struct {
    uint64_t                    generation;  /* of an id: of the newest good
                                                document of it */
    u_char                      name[NGX_HTTP_SYNC_OWNER_NAME];
    u_char                      owner[NGX_HTTP_SYNC_OWNER_BYTES];
    u_char                      state;
} ngx_http_sync_owner_t;

typedef struct {
    ngx_uint_t                  size;
    ngx_uint_t                  used;
    ngx_http_sync_owner_t       owners[1];
} ngx_http_sync_owners_t;


typedef enum {
    NGX_HTTP_SYNC_SCAN_REST = 0,
    NGX_HTTP_SYNC_SCAN_LIBRARY,
    NGX_HTTP_SYNC_SCAN_WATCH,
    NGX_HTTP_SYNC_SCAN_AWAKE,
    NGX_HTTP_SYNC_SCAN_FOLDER,
    NGX_HTTP_SYNC_SCAN_GONE
} ngx_http_sync_scan_e;

typedef struct {
    ngx_event_t                 event;
    ngx_http_sync_scan_e        phase;
    uint32_t                    serial;  /* of the look at all documents */
    uint64_t                    turn;    /* number of the turn */
    ngx_uint_t                  place;   /* bucket of a table */
    ngx_uint_t                  found;   /* documents in this scan */
    DIR                        *dir;
    int                         watch;   /* inotify; -1: none */
    ngx_msec_t                  begun;
    ngx_msec_t                  due;     /* the next look at all */
    unsigned                    full:1;  /* a look at all is asked for */
    unsigned                    looking:1;   /* it is under way */
} ngx_http_sync_scan_t;


struct ngx_http_sync_registry_s {
    ngx_str_t                   tenants; /* folders, with a NUL behind */
    ngx_str_t                   library;
    ngx_str_t                   secrets;
    ngx_uint_t                  strict;
    ngx_msec_t                  interval;
    size_t                      zone_size;

    ngx_cycle_t                *cycle;   /* that it belongs to */
    ngx_http_upstream_main_conf_t  *upstreams;
    ngx_sync_fetch_conf_t          *fetch;   /* what sync_egress lists */

    ngx_http_sync_table_t       slots;
    ngx_http_sync_table_t       ids;
    ngx_http_sync_table_t       hosts;
    ngx_http_sync_table_t       issuers;
    ngx_http_sync_table_t       files;

    /*
     * By the place of a slot: the scan that has seen it last.  Apart from the
     * slots, so that the workers share what they have inherited.
     */
    uint32_t                   *seen;
    uint32_t                    nseen;
    uint32_t                    nplaces;
    uint32_t                    vacant;  /* first free place + 1; 0: none */
    ngx_queue_t                 awake;   /* tenants that have secrets */

    ngx_shm_zone_t             *zone;
    ngx_http_sync_owners_t     *owners;  /* NULL: not shared yet */
    ngx_slab_pool_t            *shpool;

    ngx_http_sync_scan_t        scan;
    ngx_uint_t                  loads;
    ngx_uint_t                  scans;
    unsigned                    loading:1;   /* at load, not in a worker */
    unsigned                    stale:1;
};


/* files: ngx_http_sync_registry_files.c */

/* NGX_OK, or NGX_DECLINED: not there (the stamp is zero then). */
ngx_int_t ngx_http_sync_stamp(const char *path, ngx_http_sync_stamp_t *stamp);

/*
 * Reads a regular file of at most max bytes into memory of malloc, a NUL
 * behind.  below: a folder in which the file must lie when all links are
 * followed, or NULL.  NGX_OK, or NGX_DECLINED with why, a static text.
 */
ngx_int_t ngx_http_sync_read(const char *path, const char *below, size_t max,
    ngx_str_t *text, ngx_http_sync_stamp_t *stamp, const char **why);

/* "folder/name" and a NUL, by malloc; NULL: no memory. */
char *ngx_http_sync_path(ngx_str_t *folder, ngx_str_t *name);

/* Like vsnprintf into memory of malloc; NULL: no memory. */
char *ngx_http_sync_text(const char *fmt, ...)
    __attribute__((format(printf, 1, 2)));

/*
 * Can the workers' user read this?  NGX_OK; NGX_DECLINED: it cannot.  For the
 * master at load, which may be root.
 */
ngx_int_t ngx_http_sync_readable(ngx_cycle_t *cycle, const char *path,
    ngx_uint_t folder);


/* library: ngx_http_sync_registry_library.c */

/* The file, known from now on; NULL: no memory. */
ngx_http_sync_file_t *ngx_http_sync_file(ngx_http_sync_registry_t *reg,
    sync_str_t path, ngx_log_t *log);

/* Looks at it again: version rises if its content changed. */
void ngx_http_sync_file_look(ngx_http_sync_registry_t *reg,
    ngx_http_sync_file_t *f, ngx_log_t *log);

/* NGX_OK; NGX_DECLINED, and the error is in f; NGX_ERROR: no memory. */
ngx_int_t ngx_http_sync_file_map(ngx_http_sync_registry_t *reg,
    ngx_http_sync_file_t *f, ngx_log_t *log);
ngx_int_t ngx_http_sync_file_keys(ngx_http_sync_registry_t *reg,
    ngx_http_sync_file_t *f, ngx_log_t *log);

/* Judged, and not kept unless somebody uses it.  As file_keys. */
ngx_int_t ngx_http_sync_file_keys_judge(ngx_http_sync_registry_t *reg,
    ngx_http_sync_file_t *f, ngx_log_t *log);

/* The template of this version of the file, if it was kept; else NULL. */
const sync_value_t *ngx_http_sync_file_template(ngx_http_sync_file_t *f);
void ngx_http_sync_file_keep(ngx_http_sync_file_t *f,
    const sync_value_t *template);

/*
 * The content of a library file, by malloc.  Only who judges by it whether
 * the file has changed notes the stamp: a reader in between would hide the
 * change from the next scan; where it cannot be read the file is not there,
 * and each scan tries it.  NGX_OK, or NGX_DECLINED with an error by malloc
 * (NULL: no memory).
 */
ngx_int_t ngx_http_sync_file_text(ngx_http_sync_registry_t *reg,
    ngx_http_sync_file_t *f, ngx_str_t *text, ngx_http_sync_stamp_t *stamp,
    char **error);

void ngx_http_sync_file_free(ngx_http_sync_registry_t *reg,
    ngx_http_sync_file_t *f);

/* NGX_OK or NGX_ERROR (no memory). */
ngx_int_t ngx_http_sync_deps_add(ngx_http_sync_deps_t *deps,
    ngx_http_sync_file_t *f);
void ngx_http_sync_deps_clear(ngx_http_sync_deps_t *deps);
ngx_uint_t ngx_http_sync_deps_changed(ngx_http_sync_deps_t *deps);

void ngx_http_sync_schema_drop(ngx_http_sync_schema_t *s);
void ngx_http_sync_mapping_drop(ngx_http_sync_mapping_t *m);
void ngx_http_sync_keys_drop(ngx_http_sync_keys_t *k);


/* schemas: ngx_http_sync_registry_schema.c */

/*
 * All schemas of a tenant, and the files they were made of into deps.  NGX_OK;
 * NGX_DECLINED: *error, by malloc, NULL: no memory.
 */
ngx_int_t ngx_http_sync_tenant_schemas(ngx_http_sync_registry_t *reg,
    ngx_http_sync_tenant_t *t, ngx_http_sync_deps_t *deps, ngx_log_t *log,
    char **error);

/* The same ones for a copy of the tenant.  NGX_OK or NGX_ERROR. */
ngx_int_t ngx_http_sync_schemas_inherit(ngx_http_sync_tenant_t *t,
    ngx_http_sync_tenant_t *from, ngx_log_t *log);

void ngx_http_sync_schemas_drop(ngx_http_sync_tenant_t *t);


/* documents: ngx_http_sync_registry_load.c */

/*
 * Reads the slot's document and swaps it in.  NGX_OK; NGX_DECLINED: refused,
 * the error is logged and kept, and so is the copy before; NGX_ERROR: no
 * memory, nothing has changed.
 */
ngx_int_t ngx_http_sync_slot_load(ngx_http_sync_registry_t *reg,
    ngx_http_sync_slot_t *slot, ngx_log_t *log);

/* Has the document, or anything it was made of, changed? */
ngx_uint_t ngx_http_sync_slot_changed(ngx_http_sync_registry_t *reg,
    ngx_http_sync_slot_t *slot);

ngx_http_sync_slot_t *ngx_http_sync_slot_create(ngx_http_sync_registry_t *reg,
    ngx_str_t *name, ngx_log_t *log);
void ngx_http_sync_slot_free(ngx_http_sync_registry_t *reg,
    ngx_http_sync_slot_t *slot);

/* Keeps the error, by malloc, and says it once. */
void ngx_http_sync_slot_refuse(ngx_http_sync_registry_t *reg,
    ngx_http_sync_slot_t *slot, char *error, ngx_log_t *log);

void ngx_http_sync_tenant_drop(ngx_http_sync_tenant_t *t);

/* secrets: ngx_http_sync_registry.c.  Could one be read that could not? */
ngx_uint_t ngx_http_sync_secret_readable(ngx_http_sync_tenant_t *t,
    ngx_http_sync_secret_file_t *s);


/* names: ngx_http_sync_registry_names.c */

/*
 * Swaps a compiled tenant in, if its names are free: t is the slot's then.
 * NGX_OK; NGX_DECLINED: *error, by malloc, NULL: no memory.
 */
ngx_int_t ngx_http_sync_slot_take(ngx_http_sync_registry_t *reg,
    ngx_http_sync_slot_t *slot, ngx_http_sync_tenant_t *t, ngx_log_t *log,
    char **error);

/* Claims the names of a slot once they are shared; as slot_load. */
ngx_int_t ngx_http_sync_slot_claim(ngx_http_sync_registry_t *reg,
    ngx_http_sync_slot_t *slot, ngx_log_t *log);

/* Names of one version that the other does not have are free again. */
void ngx_http_sync_slot_release(ngx_http_sync_registry_t *reg,
    ngx_http_sync_slot_t *slot, const sync_doc_t *gone,
    const sync_doc_t *stays);

/* Takes all names of a slot out of the tables of this process. */
void ngx_http_sync_slot_forget(ngx_http_sync_registry_t *reg,
    ngx_http_sync_slot_t *slot);

/*
 * A document that never was good: its hosts, as far as they can be read, are
 * answered 503 and not 404.  It owns none of them.
 */
void ngx_http_sync_slot_down(ngx_http_sync_registry_t *reg,
    ngx_http_sync_slot_t *slot, ngx_str_t *text, ngx_log_t *log);


/* owners: ngx_http_sync_registry_owners.c */

ngx_int_t ngx_http_sync_owners_add(ngx_conf_t *cf,
    ngx_http_sync_registry_t *reg);

/* NGX_OK: it is the owner's; NGX_DECLINED: another's; NGX_ERROR: full. */
ngx_int_t ngx_http_sync_owner_claim(ngx_http_sync_registry_t *reg, char kind,
    ngx_str_t *name, ngx_str_t *owner);
void ngx_http_sync_owner_release(ngx_http_sync_registry_t *reg, char kind,
    ngx_str_t *name, ngx_str_t *owner);

/* What all workers know of the newest good document of an id; 0: nothing. */
void ngx_http_sync_owner_note(ngx_http_sync_registry_t *reg, ngx_str_t *id,
    uint64_t generation);
uint64_t ngx_http_sync_owner_noted(ngx_http_sync_registry_t *reg,
    ngx_str_t *id);


/* scans: ngx_http_sync_registry_scan.c */

/* The folder at load.  NGX_OK, or NGX_ERROR: refused, and logged. */
ngx_int_t ngx_http_sync_scan_load(ngx_conf_t *cf,
    ngx_http_sync_registry_t *reg);

/* "acme.json", and its name is "acme".  NGX_DECLINED: not a document. */
ngx_int_t ngx_http_sync_scan_is_document(const char *file, ngx_str_t *name);

/* Loads it where it has changed.  What that has cost of the budget. */
ngx_int_t ngx_http_sync_scan_document(ngx_http_sync_registry_t *reg,
    ngx_str_t *name, ngx_log_t *log);

/* Starts polling, in a worker. */
void ngx_http_sync_scan_start(ngx_http_sync_registry_t *reg,
    ngx_cycle_t *cycle);
void ngx_http_sync_scan_stop(ngx_http_sync_registry_t *reg);

/* watch: ngx_http_sync_registry_watch.c */

void ngx_http_sync_watch_start(ngx_http_sync_registry_t *reg, ngx_log_t *log);
void ngx_http_sync_watch_stop(ngx_http_sync_registry_t *reg);
/* Loads what was written.  What is left of the budget; above 0: all is read. */
ngx_int_t ngx_http_sync_watch_read(ngx_http_sync_registry_t *reg,
    ngx_int_t budget, ngx_log_t *log);


/* The registry of the configuration that runs; NULL: there is none. */
extern ngx_http_sync_registry_t  *ngx_http_sync_registry_live;

/* Says what the workers will not be able to read.  The number of it. */
ngx_uint_t ngx_http_sync_scan_readable(ngx_http_sync_registry_t *reg,
    ngx_cycle_t *cycle);


#endif /* NGX_HTTP_SYNC_REGISTRY_PARTS_H_INCLUDED_ */
