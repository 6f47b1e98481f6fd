
/*
 * The print: what must be the same request, and what must not.
 */


#include "tap.h"
#include "sync_print.h"


static sync_arena_t  *arena;


static sync_str_t
str(const char *s)
{
    return (sync_str_t) { strlen(s), (unsigned char *) s };
}


/* The payload as JSON where it is, by bytes where it is not. */

static void
print_of(const sync_print_request_t *r, sync_str_t payload,
    unsigned char print[SYNC_PRINT_LEN])
{
    sync_json_t         json;
    sync_print_t        p;
    sync_json_limits_t  limits;

    memset(&limits, 0, sizeof(limits));
    limits.depth = 1000;

    if (sync_print_begin(&p, r, arena) != SYNC_OK) {
        exit(1);
    }

    if (sync_json_parse(&json, arena, payload, &limits, NULL) == SYNC_OK) {

        if (sync_print_json(&p, &json, arena) != SYNC_OK) {
            exit(1);
        }

    } else {
        sync_print_bytes(&p, payload);
    }

    sync_print_end(&p, print);
}


/* The same but for a member. */

static int
same_but(const char *name, const char *a, const char *b)
{
    int                   i;
    sync_json_t           json;
    sync_print_t          p;
    unsigned char         x[2][SYNC_PRINT_LEN];
    sync_print_request_t  r;

    memset(&r, 0, sizeof(r));

    for (i = 0; i < 2; i++) {

        if (sync_json_parse(&json, arena, str(i ? b : a), NULL, NULL)
            != SYNC_OK
            || sync_print_begin(&p, &r, arena) != SYNC_OK)
        {
            exit(1);
        }

        p.skip = str(name);

        if (sync_print_json(&p, &json, arena) != SYNC_OK) {
            exit(1);
        }

        sync_print_end(&p, x[i]);
    }

    return memcmp(x[0], x[1], SYNC_PRINT_LEN) == 0;
}


static void
test_skip(void)
{
    ok(same_but("n", "{\"a\":1,\"n\":0}", "{\"n\":[3],\"a\":1}"),
       "a member of the object is left out");
    ok(same_but("n", "[{\"a\":1,\"n\":0},{\"n\":1}]", "[{\"a\":1},{}]"),
       "and of each in an array");
    ok(same_but("n", "{\"a\":1,\"\\u006e\":0}", "{\"a\":1}"),
       "by its unescaped name");
    ok(!same_but("n", "{\"a\":1,\"n\":0}", "{\"a\":2,\"n\":0}"),
       "others count");
    ok(!same_but("n", "{\"a\":{\"n\":0}}", "{\"a\":{\"n\":1}}"),
       "and so do those further down");
    ok(!same_but("n", "[[{\"n\":0}]]", "[[{\"n\":1}]]"),
       "also in an array");
    ok(!same_but("n", "{\"a\":1}", "[{\"a\":1}]"),
       "an array is no object");
}


static int
same(const char *a, const char *b)
{
    unsigned char         x[SYNC_PRINT_LEN], y[SYNC_PRINT_LEN];
    sync_print_request_t  r;

    memset(&r, 0, sizeof(r));

    print_of(&r, str(a), x);
    print_of(&r, str(b), y);

    return memcmp(x, y, SYNC_PRINT_LEN) == 0;
}


static void
test_layout(void)
{
    unsigned char         print[SYNC_PRINT_LEN], want[SYNC_PRINT_LEN];
    sync_print_header_t   header;
    sync_print_request_t  r;

    /* what version 1 hashes, byte by byte: records in stores depend on it */

    static const char  json[] =
        "sync-print\x01"
        "\x05/a%20" "\x03x=1"
        "\x10" "application/json"
        "\x01"
        "\x08if-match" "\x03\"A\""
        "j6\x03"
        "k\x01" "a3\x04" "0.10"
        "k\x01" "b5\x04" "012" "4\x01\n"
        "k\x01" "c6\0"
        "\0";

    static const char  bytes[] =
        "sync-print\x01"
        "\0\0\0\0"
        "b" "<a/>" "\x04";

    header.name = str("If-Match");
    header.value = str("\"A\"");

    r.path = str("/a%20");
    r.query = str("x=1");
    r.media_type = str("Application/JSON; charset=UTF-8");
    r.headers = &header;
    r.nheaders = 1;

    print_of(&r, str("{\"c\":{},\"b\":[null,false,true,\"\\n\"],\"a\":0.10}"),
             print);
    sync_sha256(json, sizeof(json) - 1, want);
    ok(memcmp(print, want, SYNC_PRINT_LEN) == 0, "the layout of version 1");

    memset(&r, 0, sizeof(r));
    print_of(&r, str("<a/>"), print);
    sync_sha256(bytes, sizeof(bytes) - 1, want);
    ok(memcmp(print, want, SYNC_PRINT_LEN) == 0, "the layout of bytes");
}


static void
test_json(void)
{
    int   i;
    char  deep[2][600], *p;

    ok(same("{\"a\":1,\"b\":[true,null]}", " { \"b\" : [ true,\tnull ] ,\n"
            "\"a\":1}"), "order of members and white space");
    ok(same("{\"x\":{\"b\":1,\"a\":{\"d\":1,\"c\":2}}}",
            "{\"x\":{\"a\":{\"c\":2,\"d\":1},\"b\":1}}"), "nested, too");
    ok(same("[\"\\u0041\\/\\ud83d\\ude00\"]", "[\"A/\xf0\x9f\x98\x80\"]"),
       "strings unescaped");
    ok(same("{\"\\u0061\":1,\"b\":2}", "{\"b\":2,\"a\":1}"),
       "names unescaped");

    ok(!same("[1]", "[1.0]"), "numbers are text");
    ok(!same("[1e2]", "[1E2]"), "letter by letter");
    ok(!same("[9007199254740993]", "[9007199254740992]"), "above 2^53");
    ok(!same("[0.10]", "[0.1]"), "trailing zeros");
    ok(!same("[1,2]", "[2,1]"), "order of elements");
    ok(!same("[\"1\"]", "[1]"), "types");
    ok(!same("[\"a\",\"b\"]", "[\"ab\",\"\"]"), "where a string ends");
    ok(!same("{\"a\":\"b\"}", "[\"a\",\"b\"]"), "objects and arrays");
    ok(!same("[[],[]]", "[[[]]]"), "nesting");
    ok(!same("{\"a\":{\"b\":1}}", "{\"a\":{},\"b\":1}"), "nesting of objects");
    ok(!same("{\"a\":[],\"b\":{}}", "{\"a\":{},\"b\":[]}"), "empty containers");
    ok(!same("{}", ""), "an empty object and nothing");
    ok(!same("null", "false"), "literals");

    ok(!same("{\"a\":1", "{ \"a\":1"), "what does not parse, by its bytes");
    ok(same("{\"a\":1", "{\"a\":1"), "which may be the same");
    ok(!same("{\"a\":1,\"a\":2}", "{\"a\":2,\"a\":1}"), "duplicates as well");

    for (i = 0; i < 2; i++) {
        p = deep[i];
        memset(p, '[', 200);
        p += 200;
        p += sprintf(p, "%s", i ? "{\"a\":1,\"b\":2}" : "{\"b\":2,\"a\":1}");
        memset(p, ']', 200);
        p[200] = '\0';
    }

    ok(!same(deep[0], deep[1]), "deeper than 128 levels, by bytes");
    ok(same(deep[0], deep[0]), "which is no fault");
    memmove(deep[0], deep[0] + 100, strlen(deep[0] + 100) + 1);
    memmove(deep[1], deep[1] + 100, strlen(deep[1] + 100) + 1);
    deep[0][strlen(deep[0]) - 100] = '\0';
    deep[1][strlen(deep[1]) - 100] = '\0';
    ok(same(deep[0], deep[1]), "at 100 levels, by content");
}


static void
test_order(void)
{
    int            i, n, at;
    char          *a, *b, *p, *q;
    sync_json_t    json;
    sync_print_t   print;
    unsigned char  x[SYNC_PRINT_LEN], y[SYNC_PRINT_LEN];

    /* RFC 8785, 3.2.3: its members sorted, as version 1 lays them out */

    static const char  input[] =
        "{\"\\u20ac\":1,\"\\r\":2,\"\\ufb33\":3,\"1\":4,"
        "\"\\ud83d\\ude00\":5,\"\\u0080\":6,\"\\u00f6\":7}";

    static const char  sorted[] =
        "j6\x07"
        "k\x01\r" "3\x01" "2"
        "k\x01" "1" "3\x01" "4"
        "k\x02\xc2\x80" "3\x01" "6"
        "k\x02\xc3\xb6" "3\x01" "7"
        "k\x03\xe2\x82\xac" "3\x01" "1"
        "k\x04\xf0\x9f\x98\x80" "3\x01" "5"
        "k\x03\xef\xac\xb3" "3\x01" "3"
        "\0";

    sync_sha256_init(&print.sha);
    print.used = 0;
    print.bytes = 0;
    print.skip = sync_str_null;

    ok(sync_json_parse(&json, arena, str(input), NULL, NULL) == SYNC_OK
       && sync_print_json(&print, &json, arena) == SYNC_OK,
       "the example of RFC 8785");

    sync_print_end(&print, x);
    sync_sha256(sorted, sizeof(sorted) - 1, y);
    ok(memcmp(x, y, SYNC_PRINT_LEN) == 0, "is sorted as it sorts it");

    a = malloc(1024 * 1024);
    b = malloc(1024 * 1024);

    for (n = 1; n < 5000; n = n < 40 ? n + 1 : n * 3) {
        p = a;
        q = b;
        *p++ = '{';
        *q++ = '{';

        for (i = 0; i < n; i++) {
            /* another order of the same members: 7919 is a prime above n */
            at = (int) ((long) i * 7919 % n);
            p += sprintf(p, "\"n%d\":{\"x\":%d,\"y\":0},", i, i);
            q += sprintf(q, "\"n%d\":{\"y\":0,\"x\":%d},", at, at);
        }

        p[-1] = '}';
        q[-1] = '}';
        *p = *q = '\0';

        if (!same(a, b)) {
            break;
        }
    }

    ok(n >= 5000, "members in any order, up to thousands (%d)", n);

    free(a);
    free(b);
}


static void
test_request(void)
{
    int                   i, k, bad;
    unsigned char         prints[16][SYNC_PRINT_LEN];
    sync_print_t          p;
    sync_print_header_t   h[2];
    sync_print_request_t  r;

    h[0].name = str("If-Match");
    h[0].value = str("x");
    h[1].name = str("X-Mode");
    h[1].value = str("dry");

    memset(&r, 0, sizeof(r));
    r.path = str("/a");
    r.query = str("b");
    r.headers = h;
    i = 0;

    print_of(&r, str("x"), prints[i++]);
    r.path = str("/ab");
    r.query = str("");
    print_of(&r, str("x"), prints[i++]);
    r.path = str("/a");
    r.query = str("B");
    print_of(&r, str("x"), prints[i++]);
    r.query = str("b");
    r.media_type = str("text/plain");
    print_of(&r, str("x"), prints[i++]);
    r.media_type = str("text/plain; charset=latin1");
    print_of(&r, str("x"), prints[i++]);
    r.nheaders = 1;
    print_of(&r, str("x"), prints[i++]);
    r.nheaders = 2;
    print_of(&r, str("x"), prints[i++]);
    h[1].value = str("Dry");
    print_of(&r, str("x"), prints[i++]);
    print_of(&r, str("y"), prints[i++]);
    print_of(&r, str(""), prints[i++]);

    for (bad = 0; --i > 0; ) {
        for (k = 0; k < i; k++) {
            bad += memcmp(prints[i], prints[k], SYNC_PRINT_LEN) == 0;
        }
    }

    ok(bad == 0, "every part of a request counts");

    h[1].name = str("x-mode");
    print_of(&r, str("y"), prints[0]);
    ok(memcmp(prints[0], prints[8], SYNC_PRINT_LEN) == 0,
       "names of headers in any case");

    sync_print_begin(&p, &r, arena);
    sync_print_bytes(&p, str("some bytes in "));
    sync_print_bytes(&p, str(""));
    sync_print_bytes(&p, str("pieces"));
    sync_print_end(&p, prints[0]);
    print_of(&r, str("some bytes in pieces"), prints[1]);
    ok(memcmp(prints[0], prints[1], SYNC_PRINT_LEN) == 0, "in pieces");
}


static void
test_long(void)
{
    size_t                len;
    unsigned char        *text, whole[SYNC_PRINT_LEN], parts[SYNC_PRINT_LEN];
    sync_str_t            s;
    sync_print_t          p;
    sync_print_request_t  r;

    text = malloc(10000);
    memset(text, 'x', 10000);
    memset(&r, 0, sizeof(r));

    for (len = 1; len < 10000; len += 333) {
        sync_print_begin(&p, &r, arena);
        sync_print_bytes(&p, (sync_str_t) { 10000, text });
        sync_print_end(&p, whole);

        sync_print_begin(&p, &r, arena);

        for (s.data = text; s.data < text + 10000; s.data += s.len) {
            s.len = (size_t) (text + 10000 - s.data);
            s.len = s.len < len ? s.len : len;
            sync_print_bytes(&p, s);
        }

        sync_print_end(&p, parts);

        if (memcmp(whole, parts, SYNC_PRINT_LEN) != 0) {
            break;
        }
    }

    ok(len >= 10000, "over the edges of the buffer");
    free(text);
}


static void
test_media_type(void)
{
    size_t  i;

    static const struct {
        const char  *type;
        const char  *normal;
    } cases[] = {
        { "", "" },
        { "application/json", "application/json" },
        { " Application/JSON ; Charset=\"UTF-8\" ", "application/json" },
        { "application/json;charset=utf-8", "application/json" },
        { "application/json;;", "application/json" },
        { "text/xml; charset=ISO-8859-1", "text/xml;charset=iso-8859-1" },
        { "text/xml; charset=\"ISO-8859-1\"", "text/xml;charset=iso-8859-1" },
        { "multipart/form-data; Boundary=\"A; b=\\\"c\" ; charset=utf-8",
          "multipart/form-data;boundary=\"A; b=\\\"c\"" },
        { "a/b; profile=\"x", "a/b;profile=\"x" },
        { "a/b; profile=\"x\\", "a/b;profile=\"x\\" },
        { "a/b; flag", "a/b;flag" },
        { "a/b; flag=", "a/b;flag=" },
        { ";;=;charset", ";charset" },
        { "application/vnd.API+json; V=\"A\"", "application/vnd.api+json;v="
                                               "\"A\"" }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        is_str(sync_print_media_type(str(cases[i].type), arena),
               cases[i].normal, "media type \"%s\"", cases[i].type);
    }
}


int
main(void)
{
    arena = sync_arena_create(64 * 1024);

    test_layout();
    test_skip();
    test_json();
    test_order();
    test_request();
    test_long();
    test_media_type();

    sync_arena_destroy(arena);

    return done_testing();
}
