
/*
 * Answers of HTTP/1.1: whole, in pieces, cut, too large, ambiguous.
 */


#include "sync_http.h"
#include "tap.h"


#define MAX  1000                        /* bytes of a body */


typedef struct {
    const char  *text;
    int          status;
    const char  *body;
    int          keep;
} good_t;


static sync_http_t  h;


static void test_good(void);
static void test_bad(void);
static void test_large(void);
static void test_headers(void);

static sync_rc_t feed(sync_arena_t *arena, sync_str_t text, size_t piece,
    int head);
static sync_str_t str(const char *s);
static sync_str_t repeat(sync_arena_t *arena, const char *head, char c,
    size_t n, const char *tail);


#define CHUNKED  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


static const good_t  good[] = {
    { "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", 200, "{}", 1 },
    { "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", 200, "", 1 },
    { "HTTP/1.1 200 \r\ncontent-length:2  \r\n\r\nab", 200, "ab", 1 },
    { "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}", 200, "{}", 0 },
    { "HTTP/1.1 401 No\r\nConnection: x, Close\r\nContent-Length: 1\r\n\r\nx",
      401, "x", 0 },
    { "HTTP/1.1 200 OK\r\nConnection: closed, keep-alive\r\n"
      "Content-Length: 1\r\n\r\nx", 200, "x", 1 },
    { "HTTP/1.1 204 No Content\r\n\r\n", 204, "", 1 },
    { "HTTP/1.1 304 Not\r\nContent-Length: 5\r\n\r\n", 304, "", 1 },
    { "HTTP/1.1 302 Found\r\nLocation: https://b/\r\nContent-Length: 0"
      "\r\n\r\n", 302, "", 1 },
    { "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\n"
      "HTTP/1.1 201 Created\r\nContent-Length: 1\r\n\r\nx", 201, "x", 1 },
    { CHUNKED "1\r\na\r\n02;x=\"y\"\r\nbc\r\n0\r\n\r\n", 200, "abc", 1 },
    { CHUNKED "A\r\n0123456789\r\n0\r\nX: y\r\nZ: w\r\n\r\n", 200,
      "0123456789", 1 },
    { CHUNKED "0\r\n\r\n", 200, "", 1 },
    { "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n1\r\na\r\n0\r\n"
      "\r\n", 200, "a", 1 }
};


static const char  *bad[] = {
    "\r\n",
    "\n",
    "garbage\r\n\r\n",
    "HTTP/2 200 OK\r\n\r\n",
    "HTTP/1.2 200 OK\r\n\r\n",
    "http/1.1 200 OK\r\n\r\n",
    "HTTP/1.1  200 OK\r\n\r\n",
    "HTTP/1.1 20 OK\r\n\r\n",
    "HTTP/1.1 2000 OK\r\n\r\n",
    "HTTP/1.1 2x0 OK\r\n\r\n",
    "HTTP/1.1 600 OK\r\n\r\n",
    "HTTP/1.1 099 OK\r\n\r\n",
    "HTTP/1.1 101 Switching\r\n\r\n",
    "HTTP/1.1 200 OK\nContent-Length: 0\n\n",
    "HTTP/1.1 200 OK\rX\r\n\r\n",
    "HTTP/1.1 200 O\1K\r\n\r\n",
    "HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n",
    "HTTP/1.1 200 OK\r\n: a\r\n\r\n",
    "HTTP/1.1 200 OK\r\nX : a\r\n\r\n",
    "HTTP/1.1 200 OK\r\nX\r\n\r\n",
    "HTTP/1.1 200 OK\r\nX: a\x7f\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
    "HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\nx",
    "HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\nx",
    "HTTP/1.1 200 OK\r\nContent-Length: 0x1\r\n\r\nx",
    "HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\nx",
    "HTTP/1.1 200 OK\r\nContent-Length: 9999999999999999\r\n\r\nx",
    "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n"
        "\r\n1\r\nx\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"
        "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunke\r\n\r\n",
    "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    CHUNKED "\r\n",
    CHUNKED "x\r\n",
    CHUNKED "-1\r\n",
    CHUNKED "1 \r\na\r\n",
    CHUNKED "000000001\r\na\r\n0\r\n\r\n",
    CHUNKED "1\na\n0\n\n",
    CHUNKED "1\r\nab\r\n0\r\n\r\n",
    CHUNKED "1\r\na\n0\r\n\r\n",
    CHUNKED "0\r\nX: \1\r\n\r\n"
};


int
main(void)
{
    test_good();
    test_bad();
    test_large();
    test_headers();

    return done_testing();
}


static void
test_good(void)
{
    size_t         i, piece, len;
    unsigned       n;
    sync_arena_t  *arena;

    for (i = 0; i < sizeof(good) / sizeof(good_t); i++) {

        len = strlen(good[i].text);
        n = 0;

        for (piece = 1; piece <= len; piece++) {
            arena = sync_arena_create(4096);

            n += feed(arena, str(good[i].text), piece, 0) == SYNC_OK
                 && (int) h.status == good[i].status
                 && sync_str_is(h.body, good[i].body)
                 && h.keep == (unsigned) good[i].keep;

            sync_arena_destroy(arena);
        }

        is_int(n, len, "answer %zu, in pieces of each size", i);

        /* each beginning of it is not all of it */

        n = 0;

        for (piece = 0; piece < len; piece++) {
            arena = sync_arena_create(4096);

            n += feed(arena, (sync_str_t) { piece,
                                            (unsigned char *) good[i].text },
                      len, 0)
                 == SYNC_PENDING
                 && sync_http_end(&h, 0) == SYNC_NO && h.error != NULL;

            sync_arena_destroy(arena);
        }

        is_int(n, len, "and cut anywhere it is cut");
    }

    arena = sync_arena_create(4096);

    is_int(feed(arena, str("HTTP/1.1 200 OK\r\n\r\nabc"), 1, 0), SYNC_PENDING,
           "no length");
    is_int(sync_http_end(&h, 1), SYNC_OK, "ends with a clean end");
    is_str(h.body, "abc", "its body");
    ok(!h.keep, "and is not kept");

    feed(arena, str("HTTP/1.1 200 OK\r\n\r\nabc"), 1, 0);
    is_int(sync_http_end(&h, 0), SYNC_NO, "and not with another");

    is_int(feed(arena, str("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"), 1,
                1), SYNC_OK, "an answer to HEAD");
    is_str(h.body, "", "has no body");

    is_int(feed(arena, str("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nab"),
                99, 0), SYNC_OK, "something behind the end");
    ok(!h.keep, "takes the connection away");
    is_int(sync_http_feed(&h, (unsigned char *) "x", 1), SYNC_NO,
           "nothing more is taken");

    sync_http_begin(&h, arena, MAX, 0);
    ok(!h.started, "nothing came");
    is_int(sync_http_end(&h, 1), SYNC_NO, "and it ends");
    ok(!h.started && strstr(h.error, "closed"), "which is told apart: %s",
       h.error);

    sync_arena_destroy(arena);
}


static void
test_bad(void)
{
    size_t         i, piece, len;
    unsigned       n;
    sync_arena_t  *arena;

    for (i = 0; i < sizeof(bad) / sizeof(char *); i++) {

        len = strlen(bad[i]);
        n = 0;

        for (piece = 1; piece <= len; piece++) {
            arena = sync_arena_create(4096);

            n += feed(arena, str(bad[i]), piece, 0) == SYNC_NO
                 && h.error != NULL && !h.large && !h.keep;

            sync_arena_destroy(arena);
        }

        is_int(n, len, "broken: %s", bad[i]);
    }
}


static void
test_large(void)
{
    sync_str_t     s;
    sync_arena_t  *arena;

    arena = sync_arena_create(65536);

    is_int(feed(arena, str("HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n"),
                9, 0), SYNC_NO, "a length beyond the bound");
    ok(h.large, "is too large before a byte of it");

    is_int(feed(arena, str(CHUNKED "3e9\r\n"), 9, 0), SYNC_NO, "a chunk");
    ok(h.large, "is too");

    is_int(feed(arena, str(CHUNKED "1\r\na\r\n3e8\r\n"), 9, 0), SYNC_NO,
           "the sum of chunks");
    ok(h.large, "is too");

    s = repeat(arena, "HTTP/1.1 200 OK\r\n\r\n", 'x', MAX + 1, "");
    is_int(feed(arena, s, 100, 0), SYNC_NO, "without a length");
    ok(h.large, "is too");

    s.len--;
    is_int(feed(arena, s, 100, 0), SYNC_PENDING, "as large as may be");
    is_int(sync_http_end(&h, 1), SYNC_OK, "is whole");
    is_int(h.body.len, MAX, "all of it");

    s = repeat(arena, CHUNKED "3e8\r\n", 'x', MAX, "\r\n0\r\n\r\n");
    is_int(feed(arena, s, 77, 0), SYNC_OK, "in a chunk");
    is_int(h.body.len, MAX, "all of it");

    s = repeat(arena, "HTTP/1.1 200 OK\r\nX: ", 'x', SYNC_HTTP_HEAD_MAX,
               "\r\n\r\n");
    is_int(feed(arena, s, 4096, 0), SYNC_NO, "headers without end");
    ok(h.large, "are too large");

    s = repeat(arena, CHUNKED "1;", 'x', 300, "\r\na\r\n0\r\n\r\n");
    is_int(feed(arena, s, 4096, 0), SYNC_NO, "extensions without end");
    ok(h.large, "are too large");

    s = repeat(arena, CHUNKED "0\r\nX: ", 'x', SYNC_HTTP_HEAD_MAX,
               "\r\n\r\n");
    is_int(feed(arena, s, 4096, 0), SYNC_NO, "trailers without end");
    ok(h.large, "are too large");

    sync_arena_destroy(arena);
}


static void
test_headers(void)
{
    int             i;
    char            text[16384], *p;
    sync_arena_t   *arena;

    arena = sync_arena_create(65536);

    is_int(feed(arena, str("HTTP/1.1 200 OK\r\nX-A: \t b c\t\r\nx-a:\r\n"
                           "E:\xc3\xa4\r\nContent-Length: 0\r\n\r\n"), 5, 0),
           SYNC_OK, "headers");
    is_int(h.nheaders, 4, "all of them");
    is_str(h.headers[0].name, "x-a", "a name in lower case");
    is_str(h.headers[0].value, "b c", "a value without what is around it");
    is_str(h.headers[1].value, "", "an empty one");
    is_str(h.headers[2].value, "\xc3\xa4", "bytes beyond ASCII");

    p = text + sprintf(text, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n");

    for (i = 1; i < SYNC_HTTP_HEADERS_MAX; i++) {
        p += sprintf(p, "A: b\r\n");
    }

    sprintf(p, "\r\n");
    is_int(feed(arena, str(text), 999, 0), SYNC_OK, "as many as may be");

    sprintf(p, "A: b\r\n\r\n");
    is_int(feed(arena, str(text), 999, 0), SYNC_NO, "one more");
    ok(h.large, "is too many");

    p = text;

    for (i = 0; i < SYNC_HTTP_INTERIM_MAX; i++) {
        p += sprintf(p, "HTTP/1.1 100 Go\r\nX: y\r\n\r\n");
    }

    sprintf(p, "HTTP/1.1 204 No\r\n\r\n");
    is_int(feed(arena, str(text), 99, 0), SYNC_OK, "answers before the answer");
    is_int(h.status, 204, "its status");
    is_int(h.nheaders, 0, "and none of their headers");

    sprintf(p, "HTTP/1.1 100 Go\r\n\r\nHTTP/1.1 204 No\r\n\r\n");
    is_int(feed(arena, str(text), 99, 0), SYNC_NO, "without end");

    sync_arena_destroy(arena);
}


static sync_rc_t
feed(sync_arena_t *arena, sync_str_t text, size_t piece, int head)
{
    size_t          n;
    sync_rc_t       rc;
    unsigned char  *copy;

    sync_http_begin(&h, arena, MAX, head);

    rc = SYNC_PENDING;

    /* each piece by itself, so that reading past it is seen */

    while (text.len && rc == SYNC_PENDING) {
        n = text.len < piece ? text.len : piece;

        copy = malloc(n);
        memcpy(copy, text.data, n);
        rc = sync_http_feed(&h, copy, n);
        free(copy);

        text.data += n;
        text.len -= n;
    }

    return rc;
}


static sync_str_t
str(const char *s)
{
    return (sync_str_t) { strlen(s), (unsigned char *) s };
}


static sync_str_t
repeat(sync_arena_t *arena, const char *head, char c, size_t n,
    const char *tail)
{
    sync_str_t  s;

    s.len = strlen(head) + n + strlen(tail);
    s.data = sync_alloc(arena, s.len);

    memcpy(s.data, head, strlen(head));
    memset(s.data + strlen(head), c, n);
    memcpy(s.data + strlen(head) + n, tail, strlen(tail));

    return s;
}
