
/*
 * Request templates of connectors: "GET /A_SalesOrder('{id}')?$expand=to_Item".
 *
 * A template is compiled once into bytes without pointers, which may be copied
 * anywhere, and rendered per request into a request target that cannot say
 * more than its author meant, whatever the values are.
 *
 * Placeholders: {id} (the object's id), {idempotency_key} (the downstream
 * key), {/json/pointer} (a string or number of the canonical payload).
 *
 * Where a placeholder stands decides how its value is written:
 *
 *   /orders/{id}                path: all but the unreserved characters of
 *                               RFC 3986 percent-encoded; "." and ".." refused
 *   /Orders('{id}')             OData literal: quotes doubled (OData v2 URI
 *   ?$filter=A eq '{id}'        conventions; ABNF of OData v4), then encoded
 *   ?q={id}                     a whole query value: encoded
 *   /Orders({id})               where the target decodes first and parses its
 *   ?$filter=A eq {id}          own grammar after, encoding protects nothing:
 *   ?q=A:{id}  ?q=A='{id}'      unreserved characters alone, all else refused
 *
 * An empty value, control bytes, broken UTF-8 and more than
 * SYNC_TEMPLATE_VALUE bytes are refused in every place.
 */


#ifndef SYNC_TEMPLATE_H_INCLUDED_
#define SYNC_TEMPLATE_H_INCLUDED_


#include "sync_json.h"


#define SYNC_TEMPLATE_TEXT   2048        /* bytes of a template's text */
#define SYNC_TEMPLATE_VALUE   256        /* bytes of a value */


/* What a template asks for. */

#define SYNC_TEMPLATE_ID       0x01
#define SYNC_TEMPLATE_KEY      0x02
#define SYNC_TEMPLATE_PAYLOAD  0x04


typedef struct {
    sync_str_t          id;
    sync_str_t          idempotency_key;
    const sync_json_t  *payload;         /* canonical; NULL: there is none */
    uint32_t            node;            /* its root in the tape */
} sync_template_values_t;


/*
 * Compiles "METHOD /target".  OK: *code, in the arena.  NO: err->what is
 * "template", err->text says what is wrong, err->offset where in text.
 * FAULT: no memory.
 */
sync_rc_t sync_template_compile(sync_arena_t *arena, sync_str_t text,
    sync_str_t *code, sync_error_t *err);

/*
 * OK: *target, in the arena, begins with a slash and has no byte that is not
 * of a URI.  NO: a value cannot stand in its place; err->what is "bad-value"
 * (or "no-value": the payload has none), err->pointer names the pointer of a
 * payload's value, err->text the placeholder, never the value.
 * FAULT: no memory.
 */
sync_rc_t sync_template_render(sync_str_t code,
    const sync_template_values_t *values, sync_arena_t *arena,
    sync_str_t *target, sync_error_t *err);

/* "GET", "POST", "PUT", "PATCH", "DELETE" or "MERGE"; a view into code. */
sync_str_t sync_template_method(sync_str_t code);

/* Bits of SYNC_TEMPLATE_*. */
unsigned sync_template_uses(sync_str_t code);


#endif /* SYNC_TEMPLATE_H_INCLUDED_ */
