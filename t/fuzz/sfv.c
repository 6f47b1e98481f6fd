
/* Structured fields, and the key that clients write in two ways. */


#include "fuzz.h"
#include "sync_sfv.h"


int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    sync_rc_t         rc;
    sync_str_t        in, string, strict, compat;
    sync_error_t      err;
    sync_arena_t      arena;
    sync_sfv_item_t   item;

    fuzz_begin(&arena);

    in = (sync_str_t) { size, (unsigned char *) (uintptr_t) data };

    rc = sync_sfv_item(in, &arena, &item, &err);

    fuzz_check(rc != SYNC_FAULT);
    fuzz_check(rc == SYNC_OK || err.offset <= size);

    rc = sync_sfv_string(in, &arena, &string, &err);

    if (rc == SYNC_OK) {
        fuzz_check(item.value.type == SYNC_SFV_STRING);
        fuzz_check(sync_str_eq(item.value.text, string));
    }

    if (sync_sfv_idempotency_key(in, SYNC_SFV_STRICT, &arena, &strict, &err)
        == SYNC_OK)
    {
        fuzz_check(rc == SYNC_OK && sync_str_eq(strict, string));
        fuzz_check(strict.len >= 1 && strict.len <= SYNC_SFV_KEY_LEN);
        fuzz_check(sync_sfv_idempotency_key(in, SYNC_SFV_COMPAT, &arena,
                                            &compat, &err) == SYNC_OK);
        fuzz_check(sync_str_eq(strict, compat));

    } else {
        (void) sync_sfv_idempotency_key(in, SYNC_SFV_COMPAT, &arena, &compat,
                                        &err);
    }

    fuzz_end(&arena);

    return 0;
}
