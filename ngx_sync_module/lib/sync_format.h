
/*
 * Formats of payloads beside JSON.  A reader turns a text into JSON text, of
 * which sync_json_parse() makes the tape; a writer turns a tape into a text.
 * docs/formats.md says how each format looks as JSON.  What a reader has made
 * its writer writes as it was: values stay text, byte for byte.
 *
 * Readers answer
 *   OK     *json, in the arena;
 *   NO     not of that format, or out of bounds: err has a keyword, the
 *          offset into the text, and what would be right, with the line;
 *   FAULT  no memory.
 * Writers answer
 *   OK     *text, in the arena;
 *   NO     err->what is "format" (the value at err->pointer cannot stand in
 *          that format) or "too-large";
 *   FAULT  no memory.
 */


#ifndef SYNC_FORMAT_H_INCLUDED_
#define SYNC_FORMAT_H_INCLUDED_


#include "sync_json.h"


typedef enum {
    SYNC_FORMAT_JSON = 0,
    SYNC_FORMAT_FORM,
    SYNC_FORMAT_XML,
    SYNC_FORMAT_SOAP_11,
    SYNC_FORMAT_SOAP_12,
    SYNC_FORMAT_CSV,
    SYNC_FORMAT_ODATA_V2,
    SYNC_FORMAT_ODATA_V4,
    SYNC_FORMAT_JSON_RPC,
    SYNC_FORMATS
} sync_format_e;


/*
 * Bounds of a reader; a zero takes the default.
 *
 *   size   bytes of text: 16 MiB
 *   nodes  elements, attributes, fields: 1,000,000
 *   depth  elements around an element: 128
 *   work   what is left of the request's work, charged one for each node and
 *          for each 64 bytes read; or NULL: unbounded
 *   max    bytes of JSON: 16 MiB
 *   lists  names that are lists even where there is only one
 */

typedef struct {
    size_t             size;
    uint32_t           nodes;
    uint32_t           depth;
    uint64_t          *work;
    size_t             max;
    const sync_str_t  *lists;
    uint32_t           nlists;
} sync_format_limits_t;


/* application/x-www-form-urlencoded, as the WHATWG URL standard has it. */

sync_rc_t sync_form_read(sync_arena_t *arena, sync_str_t text,
    const sync_format_limits_t *limits, sync_str_t *json, sync_error_t *err);
sync_rc_t sync_form_write(const sync_json_t *json, uint32_t n,
    sync_arena_t *arena, size_t max, sync_str_t *text, sync_error_t *err);


/* text/csv with a header row, RFC 4180: an array of objects. */

sync_rc_t sync_csv_read(sync_arena_t *arena, sync_str_t text,
    const sync_format_limits_t *limits, sync_str_t *json, sync_error_t *err);
sync_rc_t sync_csv_write(const sync_json_t *json, uint32_t n,
    sync_arena_t *arena, size_t max, sync_str_t *text, sync_error_t *err);


/* XML 1.0 with namespaces: an object of one member, the root. */

sync_rc_t sync_xml_read(sync_arena_t *arena, sync_str_t text,
    const sync_format_limits_t *limits, sync_str_t *json, sync_error_t *err);
sync_rc_t sync_xml_write(const sync_json_t *json, uint32_t n,
    sync_arena_t *arena, size_t max, sync_str_t *text, sync_error_t *err);


/*
 * SOAP 1.1 and 1.2: an object of what stands in the Body, and, where there is
 * a Header, "#header".  A header that must be understood is refused, with
 * "must-understand": nobody here understands any.
 */

typedef enum {
    SYNC_SOAP_11 = 0,
    SYNC_SOAP_12
} sync_soap_e;

sync_rc_t sync_soap_read(sync_soap_e version, sync_arena_t *arena,
    sync_str_t text, const sync_format_limits_t *limits, sync_str_t *json,
    sync_error_t *err);
sync_rc_t sync_soap_write(sync_soap_e version, const sync_json_t *json,
    uint32_t n, sync_arena_t *arena, size_t max, sync_str_t *text,
    sync_error_t *err);


/* Reads and writes a format by its name; JSON-RPC and OData are JSON. */

sync_rc_t sync_format_read(sync_format_e format, sync_arena_t *arena,
    sync_str_t text, const sync_format_limits_t *limits, sync_str_t *json,
    sync_error_t *err);
sync_rc_t sync_format_write(sync_format_e format, const sync_json_t *json,
    uint32_t n, sync_arena_t *arena, size_t max, sync_str_t *text,
    sync_error_t *err);

/* "soap-1.1"; SYNC_FORMATS: there is none of that name. */
sync_format_e sync_format_by_name(sync_str_t name);
sync_str_t sync_format_name(sync_format_e format);

/* The media type that a format is sent as, with its parameters. */
sync_str_t sync_format_media(sync_format_e format);
/* May a text of that type, lower case and without parameters, be of it? */
int sync_format_takes(sync_format_e format, sync_str_t type);
/* Is a text of that format JSON as it stands? */
int sync_format_is_json(sync_format_e format);


/*
 * What an answer says, wherever its format says it: a Fault of SOAP, an
 * "error" of JSON-RPC, the error document of OData.
 */

typedef enum {
    SYNC_ANSWER_FAILED = 0,              /* the status of HTTP knows more */
    SYNC_ANSWER_REFUSED,                 /* for good: the sender's fault */
    SYNC_ANSWER_BROKEN,                  /* the receiver's fault */
    SYNC_ANSWER_STRANGE                  /* not an answer of that format */
} sync_answer_e;

typedef struct {
    sync_answer_e  kind;
    sync_str_t     code;                 /* the target's own, or empty */
    sync_str_t     message;
} sync_answer_error_t;

/*
 * OK: *root is the payload of the answer; NO: it is an error, *error is
 * filled; FAULT: no memory.  json is what sync_format_read() made.
 */
sync_rc_t sync_format_answer(sync_format_e format, const sync_json_t *json,
    sync_arena_t *arena, uint32_t *root, sync_answer_error_t *error);


/*
 * JSON-RPC 2.0.  In params an object whose members are "#0", "#1" and so on,
 * up to "#9", becomes a list: maps have no other way to positions.
 */
sync_rc_t sync_rpc_request(sync_arena_t *arena, sync_str_t method,
    const sync_json_t *params, sync_str_t id, size_t max, sync_str_t *text);
/* result is JSON text, id the raw text that the request had. */
sync_rc_t sync_rpc_result(sync_arena_t *arena, sync_str_t result,
    sync_str_t id, size_t max, sync_str_t *text);
/*
 * The parts of a request; *params is SYNC_JSON_NONE where there are none.
 * NO: it is none, err says why.
 */
sync_rc_t sync_rpc_parse(const sync_json_t *json, uint32_t *params,
    uint32_t *id, sync_error_t *err);


/* For readers and writers. */

/* The limits with defaults filled in; charges the text, or NO. */
sync_rc_t sync_format_begin(sync_format_limits_t *limits,
    const sync_format_limits_t *given, sync_str_t text, sync_error_t *err);
/* Charges one node; NO: too many, or too much work. */
sync_rc_t sync_format_node(sync_format_limits_t *limits, size_t offset,
    sync_error_t *err);
/* Is the name one of the lists? */
int sync_format_listed(const sync_format_limits_t *limits, sync_str_t name);
/* What sync_json_end() of a reader gives. */
sync_rc_t sync_format_json(sync_json_out_t *out, sync_str_t *json,
    sync_error_t *err);
/* The offset of the first byte that is no UTF-8, or SYNC_NOWHERE. */
size_t sync_format_utf8(sync_str_t text);
/* The line of an offset, from 1. */
size_t sync_format_line(sync_str_t text, size_t offset);
/* NO, "format", with the pointer to a node. */
sync_rc_t sync_format_refuse(const sync_json_t *json, uint32_t n,
    sync_arena_t *arena, sync_error_t *err, const char *text);
/*
 * The text of a string, number or boolean; a null is empty.  NO: it is an
 * array or object; FAULT: no memory.
 */
sync_rc_t sync_format_scalar(const sync_json_t *json, uint32_t n,
    sync_arena_t *arena, sync_str_t *text);


#endif /* SYNC_FORMAT_H_INCLUDED_ */
