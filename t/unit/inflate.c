
/*
 * gzip: what is taken, refused, and how much comes out.
 */


#include "sync_inflate.h"
#include "tap.h"

#include <zlib.h>


static sync_arena_t  *arena;


/* One gzip member of n bytes of a kind, or of a text. */

static sync_str_t
packed(const char *text, size_t n)
{
    z_stream    z;
    sync_str_t  s;

    memset(&z, 0, sizeof(z));

    (void) deflateInit2(&z, 9, Z_DEFLATED, 16 + MAX_WBITS, 8,
                        Z_DEFAULT_STRATEGY);

    s.len = n + 1024;
    s.data = sync_alloc(arena, s.len);

    z.next_in = (unsigned char *) (uintptr_t) text;
    z.avail_in = (uInt) n;
    z.next_out = s.data;
    z.avail_out = (uInt) s.len;

    (void) deflate(&z, Z_FINISH);
    s.len -= z.avail_out;
    (void) deflateEnd(&z);

    return s;
}


static sync_str_t
joined(sync_str_t a, sync_str_t b)
{
    sync_str_t  s;

    s.len = a.len + b.len;
    s.data = sync_alloc(arena, s.len);

    memcpy(s.data, a.data, a.len);
    memcpy(s.data + a.len, b.data, b.len);

    return s;
}


static void
taken(sync_str_t gzip, sync_str_t want, const char *name)
{
    size_t          size;
    sync_str_t      got;
    sync_error_t    err;

    if (!ok(sync_gunzip_size(gzip, 1 << 24, 1032, &size, &err) == SYNC_OK,
            "%s is taken", name))
    {
        return;
    }

    is_int(size, want.len, "%s: its length", name);

    got.len = size;
    got.data = sync_alloc(arena, size + 1);

    ok(sync_gunzip(gzip, got.data, size) == SYNC_OK && sync_str_eq(got, want),
       "%s: what is inside", name);
}


static void
refused(sync_str_t gzip, size_t max, unsigned ratio, const char *what,
    const char *name)
{
    size_t        size;
    sync_error_t  err;

    err.what = "-";

    ok(sync_gunzip_size(gzip, max, ratio, &size, &err) == SYNC_NO
       && strcmp(err.what, what) == 0 && err.offset <= gzip.len,
       "%s is refused: %s (%s)", name, what, err.what);
}


int
main(void)
{
    size_t       i, size;
    char        *zeros;
    sync_str_t   a, b, hello, broken;

    arena = sync_arena_create(0);

    zeros = sync_calloc(arena, 8 << 20);

    hello = sync_str_lit("{\"hello\":\"world\"}");
    a = packed((char *) hello.data, hello.len);

    taken(a, hello, "a text");
    taken(packed("", 0), sync_str_lit(""), "nothing");
    taken(joined(a, packed("x", 1)), sync_str_lit("{\"hello\":\"world\"}x"),
          "two members");

    b = packed(zeros, 8 << 20);
    taken(b, (sync_str_t) { 8 << 20, (unsigned char *) zeros }, "8 MB");

    refused(b, (8 << 20) - 1, 1032, "too-large", "a byte over the bound");
    is_int(sync_gunzip_size(b, 8 << 20, 1032, &size, NULL), SYNC_OK,
           "and up to it");
    refused(b, 1 << 24, 100, "ratio", "a bomb");
    refused(packed(zeros, 70000), 1 << 24, 100, "ratio", "a small one");
    is_int(sync_gunzip_size(packed(zeros, 65536), 1 << 24, 1, &size, NULL),
           SYNC_OK, "below 64 KiB no ratio counts");

    /* many members that are bombs together */

    b = packed(zeros, 65000);

    for (i = 0; i < 6; i++) {
        b = joined(b, b);
    }

    refused(b, 1 << 24, 100, "ratio", "a bomb of 64 members");
    refused(b, 1 << 20, 1032, "too-large", "their sum over the bound");

    refused(sync_str_lit(""), 1 << 24, 100, "syntax", "no byte");
    refused(hello, 1 << 24, 100, "syntax", "what is no gzip");
    refused(joined(a, hello), 1 << 24, 100, "syntax", "bytes behind the end");

    for (i = 1; i < a.len; i++) {
        refused((sync_str_t) { i, a.data }, 1 << 24, 100, "syntax",
                "what is cut short");
    }

    broken = joined(a, sync_str_lit(""));
    broken.data[broken.len - 8] ^= 1;
    refused(broken, 1 << 24, 100, "syntax", "a wrong checksum");

    broken.data[broken.len - 8] ^= 1;
    broken.data[broken.len - 1] ^= 1;
    refused(broken, 1 << 24, 100, "syntax", "a wrong length");

    is_int(sync_gunzip(a, sync_alloc(arena, hello.len), hello.len - 1),
           SYNC_FAULT, "no byte is written behind the memory");

    sync_arena_destroy(arena);

    return done_testing();
}
