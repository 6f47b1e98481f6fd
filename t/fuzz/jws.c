
/* A key set in the first line, a token behind it. */


#include "fuzz.h"
#include "sync_jose.h"


int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    size_t             len;
    sync_rc_t          rc;
    sync_str_t         text, line, packed;
    sync_jws_t         jws;
    sync_jwt_t         jwt, again;
    sync_jwks_t       *set;
    sync_error_t       err;
    sync_arena_t       arena;
    sync_jwt_policy_t  policy;

    static const sync_jwt_names_t  names = {
        .tenant = sync_string("tenant"), .scope = sync_string("/a/roles"),
        .plan = sync_string("plan")
    };

    fuzz_begin(&arena);

    text = (sync_str_t) { size, (unsigned char *) (uintptr_t) data };
    line = fuzz_line(&arena, &text);
    text = fuzz_rest(&arena, text);

    set = NULL;

    if (sync_jwks_parse(&set, &arena, line, SYNC_JWKS_OCT, &err) != SYNC_OK) {
        set = NULL;
    }

    if (sync_jws_parse(&jws, &arena, text, &err) == SYNC_OK) {

        fuzz_check(jws.alg != SYNC_ALG_NONE);

        if (set != NULL) {
            (void) sync_jws_verify(&jws, set, &err);
        }

        rc = sync_jwt_read(&jwt, &arena, &jws, &names, &err);

        if (rc == SYNC_OK) {
            memset(&policy, 0, sizeof(policy));
            policy.issuer = jwt.issuer;
            policy.now = 1700000000;

            (void) sync_jwt_check(&jwt, &policy, &err);

            len = sync_jwt_pack(&jwt, NULL, 0);
            packed.len = len;
            packed.data = fuzz_alloc(&arena, len);

            fuzz_check(sync_jwt_pack(&jwt, packed.data, len) == len);
            fuzz_check(sync_jwt_unpack(&again, &arena, packed) == SYNC_OK);
            fuzz_check(sync_str_eq(again.issuer, jwt.issuer));
            fuzz_check(again.expires == jwt.expires);
        }
    }

    (void) sync_jwt_active(&jwt, &arena, text, &names, 1700000000, &err);
    (void) sync_jwt_unpack(&again, &arena, text);

    sync_jwks_free(set);
    fuzz_end(&arena);

    return 0;
}
