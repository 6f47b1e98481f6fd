
/*
 * Tenant documents from text: the chain of templates, and its merge.
 */


#include "sync_doc_grammar.h"

#include <stdarg.h>
#include <stdio.h>


/* The document first, then the templates as they are extended. */

typedef struct {
    sync_arena_t              *arena;
    const sync_doc_options_t  *options;
    sync_error_t              *err;
    unsigned                   n;
    sync_value_t              *value[SYNC_DOC_EXTENDS + 1];
    sync_str_t                 path[SYNC_DOC_EXTENDS + 1];
} sync_doc_chain_t;


static sync_rc_t sync_doc_follow(sync_doc_chain_t *chain);
static sync_rc_t sync_doc_template(sync_doc_chain_t *chain, sync_str_t path);
static sync_rc_t sync_doc_merged(sync_doc_chain_t *chain,
    sync_value_t **merged);
static sync_rc_t sync_doc_extends(sync_doc_chain_t *chain, const char *what,
    const char *fmt, ...) __attribute__((format(printf, 3, 4)));


static const char  *sync_entity_names[] = {
    "account", "contact", "product", "quote", "sales_order", "invoice",
    "payment", "subscription"
};

static const char  *sync_op_names[] = {
    "create", "read", "replace", "update", "delete", "list", "find"
};


sync_rc_t
sync_doc_load(sync_arena_t *arena, sync_str_t name, sync_str_t text,
    const sync_doc_options_t *options, sync_str_t *block, sync_error_t *err)
{
    unsigned          i;
    sync_rc_t         rc;
    sync_value_t     *merged;
    sync_doc_chain_t  chain;

    memset(&chain, 0, sizeof(chain));

    chain.arena = arena;
    chain.options = options;
    chain.err = err;
    merged = NULL;

    rc = sync_value_parse(&chain.value[0], arena, text, 0, err);

    if (rc == SYNC_OK) {
        chain.n = 1;
        rc = sync_doc_follow(&chain);
    }

    if (rc == SYNC_OK) {
        rc = sync_doc_merged(&chain, &merged);
    }

    if (rc == SYNC_OK) {
        rc = sync_doc_compile(arena, name, merged, options, block, err);
    }

    sync_value_free(merged);

    for (i = 0; i < chain.n; i++) {
        sync_value_free(chain.value[i]);
    }

    return rc;
}


static sync_rc_t
sync_doc_follow(sync_doc_chain_t *chain)
{
    unsigned             i;
    sync_rc_t            rc;
    sync_str_t           path;
    sync_doc_shown_t     shown;
    const sync_value_t  *extends;

    for ( ;; ) {
        extends = sync_value_get(chain->value[chain->n - 1], "extends");

        /* null takes a member away, as everywhere in RFC 7396 */

        if (extends == NULL || sync_value_type(extends) == SYNC_VALUE_NULL) {
            return SYNC_OK;
        }

        if (sync_value_type(extends) != SYNC_VALUE_STRING) {
            return sync_doc_extends(chain, "type", "should be a string: the "
                                    "path of a template below the library");
        }

        path = sync_value_str(extends);

        if (!sync_doc_path_ok(path)) {
            return sync_doc_extends(chain, "value", "is not a path below the "
                                    "library: relative, of letters, digits "
                                    "and \"_.-/\", no part that begins with a "
                                    "dot");
        }

        for (i = 1; i < chain->n; i++) {
            if (sync_str_eq(chain->path[i], path)) {
                return sync_doc_extends(chain, "extends", "template \"%s\" "
                                        "extends itself by way of others",
                                        sync_doc_show(&shown, path));
            }
        }

        if (chain->n > SYNC_DOC_EXTENDS) {
            return sync_doc_extends(chain, "extends", "more than %d templates "
                                    "extend one another", SYNC_DOC_EXTENDS);
        }

        rc = sync_doc_template(chain, path);
        if (rc != SYNC_OK) {
            return rc;
        }
    }
}


static sync_rc_t
sync_doc_template(sync_doc_chain_t *chain, sync_str_t path)
{
    unsigned                   i;
    sync_rc_t                  rc;
    sync_str_t                 text;
    sync_value_t              *value;
    sync_error_t               inner;
    sync_doc_shown_t           shown;
    const sync_doc_options_t  *options;

    static const char  *own[] = { "tenant", "id", "match", NULL };

    options = chain->options;

    if (options->load == NULL) {
        return sync_doc_extends(chain, "extends", "there is no library to take "
                                "templates from; set sync_library");
    }

    value = NULL;

    if (options->kept != NULL) {
        value = sync_value_share(options->kept(options->data, path));
    }

    if (value == NULL) {
        rc = options->load(options->data, chain->arena, path, &text);

        if (rc == SYNC_NO) {
            return sync_doc_extends(chain, "extends", "there is no file \"%s\" "
                                    "below the library",
                                    sync_doc_show(&shown, path));
        }

        if (rc != SYNC_OK) {
            return rc;
        }

        memset(&inner, 0, sizeof(inner));

        rc = sync_value_parse(&value, chain->arena, text, 0, &inner);

        if (rc == SYNC_NO) {
            return sync_doc_extends(chain, "extends", "template \"%s\": %.180s",
                                    sync_doc_show(&shown, path), inner.text);
        }

        if (rc != SYNC_OK) {
            return rc;
        }

        if (options->keep != NULL) {
            options->keep(options->data, path, value);
        }
    }

    chain->value[chain->n] = value;
    chain->path[chain->n] = path;
    chain->n++;

    if (sync_value_type(value) != SYNC_VALUE_OBJECT) {
        return sync_doc_extends(chain, "extends", "template \"%s\" is not an "
                                "object", sync_doc_show(&shown, path));
    }

    /* an id that many tenants share would join their records */

    for (i = 0; own[i] != NULL; i++) {
        if (sync_value_get(value, own[i])) {
            return sync_doc_extends(chain, "extends", "template \"%s\" has "
                                    "\"%s\", which is a tenant's own",
                                    sync_doc_show(&shown, path), own[i]);
        }
    }

    return SYNC_OK;
}


/* From the farthest template to the document. */

static sync_rc_t
sync_doc_merged(sync_doc_chain_t *chain, sync_value_t **merged)
{
    unsigned       i;
    sync_value_t  *next;

    *merged = NULL;

    for (i = chain->n; i-- > 0; /* void */ ) {
        next = sync_value_merge(*merged, chain->value[i]);

        sync_value_free(*merged);
        *merged = next;

        if (next == NULL) {
            return SYNC_FAULT;
        }
    }

    return SYNC_OK;
}


static sync_rc_t
sync_doc_extends(sync_doc_chain_t *chain, const char *what, const char *fmt,
    ...)
{
    va_list  args;

    if (chain->err == NULL) {
        return SYNC_NO;
    }

    chain->err->what = what;
    chain->err->offset = SYNC_NOWHERE;
    chain->err->pointer = sync_str_lit("/extends");

    va_start(args, fmt);
    vsnprintf(chain->err->text, sizeof(chain->err->text), fmt, args);
    va_end(args);

    return SYNC_NO;
}


sync_entity_e
sync_entity_by_name(sync_str_t name)
{
    unsigned  i;

    for (i = 0; i < SYNC_ENTITIES; i++) {
        if (sync_str_is(name, sync_entity_names[i])) {
            break;
        }
    }

    return (sync_entity_e) i;
}


sync_str_t
sync_entity_name(sync_entity_e entity)
{
    const char  *name;

    name = (unsigned) entity < SYNC_ENTITIES ? sync_entity_names[entity] : "";

    return (sync_str_t) { strlen(name), (unsigned char *) (uintptr_t) name };
}


sync_op_e
sync_op_by_name(sync_str_t name)
{
    unsigned  i;

    for (i = 0; i < SYNC_OPS; i++) {
        if (sync_str_is(name, sync_op_names[i])) {
            break;
        }
    }

    return (sync_op_e) i;
}


sync_str_t
sync_op_name(sync_op_e op)
{
    const char  *name;

    name = (unsigned) op < SYNC_OPS ? sync_op_names[op] : "";

    return (sync_str_t) { strlen(name), (unsigned char *) (uintptr_t) name };
}


int
sync_op_writes(sync_op_e op)
{
    return op == SYNC_OP_CREATE || op == SYNC_OP_REPLACE
           || op == SYNC_OP_UPDATE;
}
