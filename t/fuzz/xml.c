
/* XML and SOAP: what was read is written as it was. */


#include "fuzz_format.h"


static sync_rc_t fuzz_soap_read(sync_arena_t *arena, sync_str_t text,
    const sync_format_limits_t *limits, sync_str_t *json, sync_error_t *err);
static sync_rc_t fuzz_soap_write(const sync_json_t *json, uint32_t n,
    sync_arena_t *arena, size_t max, sync_str_t *text, sync_error_t *err);


int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    sync_str_t    text;
    sync_arena_t  arena;

    fuzz_begin(&arena);

    text = (sync_str_t) { size, (unsigned char *) (uintptr_t) data };

    fuzz_format(&arena, text, sync_xml_read, sync_xml_write);
    fuzz_format(&arena, text, fuzz_soap_read, fuzz_soap_write);

    fuzz_end(&arena);

    return 0;
}


static sync_rc_t
fuzz_soap_read(sync_arena_t *arena, sync_str_t text,
    const sync_format_limits_t *limits, sync_str_t *json, sync_error_t *err)
{
    return sync_soap_read(SYNC_SOAP_11, arena, text, limits, json, err);
}


static sync_rc_t
fuzz_soap_write(const sync_json_t *json, uint32_t n, sync_arena_t *arena,
    size_t max, sync_str_t *text, sync_error_t *err)
{
    return sync_soap_write(SYNC_SOAP_11, json, n, arena, max, text, err);
}
