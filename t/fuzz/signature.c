
/*
 * The headers of a signature: a profile, an id, a timestamp and the signature,
 * a line each; the rest is a body, a secret, a template and a URL.
 */


#include "fuzz.h"
#include "sync_signature.h"


int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    size_t                     i;
    sync_rc_t                  rc;
    sync_str_t                 text, line, url;
    sync_error_t               err;
    sync_arena_t               arena;
    sync_signature_t           s;
    sync_signature_key_t       key;
    sync_signature_scheme_t    scheme;
    sync_signature_headers_t   headers;
    sync_signature_request_t   request;

    fuzz_begin(&arena);

    text = (sync_str_t) { size, (unsigned char *) (uintptr_t) data };

    line = fuzz_line(&arena, &text);
    sync_signature_scheme(&scheme, sync_signature_by_name(line));

    if (scheme.profile == SYNC_SIGNATURE_NONE) {
        sync_signature_scheme(&scheme, SYNC_SIGNATURE_GENERIC);
        scheme.digest = SYNC_DIGEST_SHA512;
        scheme.timestamp = sync_str_lit("t");
        scheme.prefix = sync_str_lit("v=");
    }

    headers.id = fuzz_line(&arena, &text);
    headers.timestamp = fuzz_line(&arena, &text);
    headers.signature = fuzz_line(&arena, &text);
    text = fuzz_rest(&arena, text);

    if (scheme.profile == SYNC_SIGNATURE_GENERIC
        && sync_signature_template(&scheme, text, &err) == SYNC_OK)
    {
        fuzz_check(scheme.nparts <= SYNC_SIGNATURE_PARTS);
        fuzz_check(sync_signature_signs(&scheme, SYNC_SIGNED_BODY));
    }

    url = sync_signature_url(&scheme, text, &arena);
    fuzz_check(url.data != NULL && url.len <= text.len);

    rc = sync_signature_read(&s, &scheme, &headers, INT64_C(1614265330000),
                             &err);

    if (rc == SYNC_OK) {
        fuzz_check(s.n > 0 && s.n <= SYNC_SIGNATURE_LIST);

        for (i = 0; i < s.n; i++) {
            fuzz_check(s.list[i].len > 0 && s.list[i].len <= SYNC_MAC_MAX);
        }

        request.method = sync_str_lit("POST");
        request.url = url;
        request.body = text;

        if (sync_signature_key(&key, scheme.profile, text, &err) == SYNC_OK) {
            fuzz_check(key.len > 0 && key.len <= sizeof(key.bytes));
            fuzz_check(sync_signature_verify(&s, &request, &key, &arena)
                       != SYNC_FAULT || key.asymmetric);
        }

    } else {
        fuzz_check(rc == SYNC_NO && err.what != NULL);
    }

    fuzz_end(&arena);

    return 0;
}
