
/* A URL in the first line, a proof behind it. */


#include "fuzz.h"
#include "sync_dpop.h"
#include "sync_uri.h"


int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    sync_str_t          text, line, again;
    sync_dpop_t         dpop;
    sync_error_t        err;
    sync_arena_t        arena;
    sync_dpop_policy_t  policy;

    fuzz_begin(&arena);

    text = (sync_str_t) { size, (unsigned char *) (uintptr_t) data };
    line = fuzz_line(&arena, &text);
    text = fuzz_rest(&arena, text);

    memset(&policy, 0, sizeof(policy));
    policy.method = sync_str_lit("GET");
    policy.token = sync_str_lit("Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO."
                                "gxU");
    policy.now = 1562262618;

    if (sync_uri_normal(&policy.url, &arena, line, &err) == SYNC_OK) {

        /* what is normal stays as it is */

        fuzz_check(sync_uri_normal(&again, &arena, policy.url, &err)
                   == SYNC_OK);
        fuzz_check(sync_str_eq(again, policy.url));
    }

    if (sync_dpop_verify(&dpop, &arena, text, &policy, &err) == SYNC_OK) {
        fuzz_check(dpop.jti.len > 0 && dpop.jti.len <= SYNC_DPOP_JTI);
    }

    fuzz_end(&arena);

    return 0;
}
