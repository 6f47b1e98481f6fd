
/*
 * Answers of HTTP, whole and in two pieces, which must come to the same; and
 * URLs, which must be made of what was read.
 */


#include "fuzz.h"
#include "sync_http.h"
#include "sync_url.h"


#define FUZZ_MAX  512                    /* bytes of a body */


static sync_rc_t fuzz_feed(sync_http_t *h, sync_arena_t *arena,
    const unsigned char *data, size_t size);


int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    size_t         at;
    sync_rc_t      whole, parts;
    sync_url_t     url;
    sync_str_t     text;
    sync_http_t    one, two;
    sync_arena_t   arena;

    fuzz_begin(&arena);

    sync_http_begin(&one, &arena, FUZZ_MAX, 0);
    whole = fuzz_feed(&one, &arena, data, size);

    fuzz_check(whole != SYNC_FAULT);
    fuzz_check(one.body.len <= FUZZ_MAX);
    fuzz_check(whole != SYNC_NO || one.error != NULL);
    fuzz_check(whole != SYNC_OK || (one.status >= 200 && one.body.data));

    at = size ? data[size - 1] % size : 0;

    sync_http_begin(&two, &arena, FUZZ_MAX, 0);
    parts = fuzz_feed(&two, &arena, data, at);

    if (parts == SYNC_PENDING) {
        parts = fuzz_feed(&two, &arena, data + at, size - at);
    }

    fuzz_check(whole == parts);

    if (whole == SYNC_OK) {
        fuzz_check(one.status == two.status && one.nheaders == two.nheaders);
        fuzz_check(sync_str_eq(one.body, two.body));
    }

    if (whole == SYNC_PENDING) {
        (void) sync_http_end(&one, 1);
        fuzz_check(sync_http_end(&two, 0) == SYNC_NO);
    }

    text = (sync_str_t) { size, (unsigned char *) (uintptr_t) data };

    if (sync_url_parse(&url, text, NULL) == SYNC_OK) {
        fuzz_check(url.port != 0 && url.host.len != 0);
        fuzz_check(url.literal == (url.iplen == 4 || url.iplen == 16));
        fuzz_check(url.authority.len >= url.host.len);
        fuzz_check(memchr(url.target.data, '\r', url.target.len) == NULL);
        fuzz_check(memchr(url.authority.data, '@', url.authority.len) == NULL);
    }

    fuzz_end(&arena);

    return 0;
}


static sync_rc_t
fuzz_feed(sync_http_t *h, sync_arena_t *arena, const unsigned char *data,
    size_t size)
{
    unsigned char  *copy;

    copy = fuzz_alloc(arena, size);

    if (size) {
        memcpy(copy, data, size);
    }

    return sync_http_feed(h, copy, size);
}
