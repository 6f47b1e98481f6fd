
/* CSV, and forms: what was read is written as it was. */


#include "fuzz_format.h"


int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    sync_str_t    text;
    sync_arena_t  arena;

    fuzz_begin(&arena);

    text = (sync_str_t) { size, (unsigned char *) (uintptr_t) data };

    fuzz_format(&arena, text, sync_csv_read, sync_csv_write);
    fuzz_format(&arena, text, sync_form_read, sync_form_write);

    fuzz_end(&arena);

    return 0;
}
