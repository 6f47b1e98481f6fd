
/*
 * Values: what is taken, what is refused and where, merging and pointers.
 */


#include "tap.h"
#include "sync_value.h"


static sync_str_t text(const char *s);
static sync_value_t *value_of(const char *s);
static sync_str_t dump(const sync_value_t *value);
static void refused(const char *json, const char *what, long offset,
    const char *pointer);
static void test_errors(void);
static void test_depth(void);
static void test_readers(void);
static void test_order(void);
static void test_merge(void);
static void test_pointers(void);
static void test_pointer_text(void);
static void test_text(void);
static void test_strings(void);


static sync_arena_t  *arena;


int
main(void)
{
    arena = sync_arena_create(65536);

    test_errors();
    test_depth();
    test_readers();
    test_order();
    test_merge();
    test_pointers();
    test_pointer_text();
    test_text();
    test_strings();

    sync_arena_destroy(arena);

    return done_testing();
}


static sync_str_t
text(const char *s)
{
    return (sync_str_t) { strlen(s), (unsigned char *) (uintptr_t) s };
}


static sync_value_t *
value_of(const char *s)
{
    sync_value_t  *v;
    sync_error_t   err;

    if (sync_value_parse(&v, arena, text(s), 0, &err) != SYNC_OK) {
        diag("%s: %s", s, err.text);
    }

    return v;
}


static sync_str_t
dump(const sync_value_t *value)
{
    return sync_value_dump(value, arena);
}


static void
refused(const char *json, const char *what, long offset, const char *pointer)
{
    sync_rc_t      rc;
    sync_value_t  *v;
    sync_error_t   err;

    err.what = "none";
    err.pointer = sync_str_null;

    /* not terminated, so that the sanitizer sees a read too far */

    sync_str_t  s = { strlen(json), malloc(strlen(json) + 1) };

    memcpy(s.data, json, s.len);
    rc = sync_value_parse(&v, arena, s, 0, &err);
    free(s.data);

    if (!ok(rc == SYNC_NO && v == NULL && strcmp(err.what, what) == 0
            && (long) err.offset == offset
            && sync_str_is(err.pointer, pointer), "refused: %s", json))
    {
        diag("rc %d, %s, offset %ld, pointer \"%.*s\", %s", rc, err.what,
             (long) err.offset, (int) err.pointer.len,
             (char *) err.pointer.data, err.text);
    }
}


static void
test_errors(void)
{
    sync_value_t  *v;
    sync_error_t   err;

    refused("", "syntax", 0, "");
    refused("  ", "syntax", 2, "");
    refused("{", "syntax", 1, "");
    refused("{\"a\":1,}", "syntax", 7, "");
    refused("{\"a\":{\"b\":[1,2,}]}}", "syntax", 15, "/a/b/2");
    refused("{\"a\":1}x", "syntax", 7, "");
    refused("{\"a\":01}", "syntax", 5, "/a");
    refused("{\"a\":[true,nul]}", "syntax", 13, "/a/1");
    refused("{\"a\":\"x", "syntax", 7, "/a");
    refused("{\"a\":\"\\ud800\"}", "syntax", 12, "/a");
    refused("{\"a\":\"\\u0000\"}", "syntax", 12, "/a");
    refused("{\"a~b/c\":[{\"d\":?", "syntax", 15, "/a~0b~1c/0/d");
    refused("{\"\\u0061\":?}", "syntax", 10, "/a");
    refused("{\"a\":1,\"b\":2,\"a\":3}", "duplicate-member", 16, "/a");
    refused("{\"x\":[{\"k\":1,\"k\":2}]}", "duplicate-member", 16,
            "/x/0/k");
    refused("{\"a\":1,\"\\u0061\":3}", "duplicate-member", 15, "/a");
    refused("{\"a\":9223372036854775808}", "number-range", 23, "/a");
    refused("[1e999]", "number-range", 5, "/0");
    refused("{\"a\":\"\xff\"}", "utf8", 6, "/a");
    refused("\xef\xbb\xbf{}", "syntax", 0, "");
    refused("'a'", "syntax", 0, "");
    refused("{\"a\":1 // x\n}", "syntax", 7, "/a");

    sync_value_parse(&v, arena, text("{\n  \"secret\": hunter2\n}"), 0, &err);
    ok(strstr(err.text, "line 2") != NULL, "the line is named");
    ok(strstr(err.text, "hunter2") == NULL, "what is there is not");
    sync_value_parse(&v, arena, text("{\"pw\":\"hunter2\\q\"}"), 0, &err);
    ok(strstr(err.text, "hunter2") == NULL, "nor in a string: %s", err.text);

    is_int(sync_value_parse(&v, arena, text("nope"), 0, NULL), SYNC_NO,
           "no error asked for");

    is_int(sync_value_parse(&v, arena, text("9223372036854775808"),
                            SYNC_VALUE_DOUBLES, NULL), SYNC_OK,
           "a large integer as a real");
    is_int(sync_value_type(v), SYNC_VALUE_REAL, "it is a real");
    sync_value_free(v);

    is_int(sync_value_parse(&v, arena, text("\"a\\u0000b\""),
                            SYNC_VALUE_NUL, NULL), SYNC_OK, "U+0000");
    is_int(sync_value_str(v).len, 3, "counted");
    sync_value_free(v);
    is_int(sync_value_parse(&v, arena, text("{\"a\\u0000b\":1}"),
                            SYNC_VALUE_NUL, &err), SYNC_NO,
           "but not in a name");
}


static void
test_depth(void)
{
    int            i, n;
    char           buf[1000];
    sync_value_t  *v, *w;
    sync_error_t   err;

    for (n = SYNC_VALUE_DEPTH; n <= SYNC_VALUE_DEPTH + 1; n++) {
        for (i = 0; i < n; i++) {
            buf[i] = '[';
            buf[n + i] = ']';
        }

        buf[2 * n] = '\0';

        if (n == SYNC_VALUE_DEPTH) {
            v = value_of(buf);
            ok(v != NULL, "128 deep");
            w = sync_value_copy(v);
            is_str(dump(w), buf, "copied and written");
            sync_value_free(v);
            sync_value_free(w);

        } else {
            is_int(sync_value_parse(&v, arena, text(buf), 0, &err), SYNC_NO,
                   "129 deep");
            ok(strcmp(err.what, "too-deep") == 0, "too deep");
            is_int(err.offset, SYNC_VALUE_DEPTH, "at the last bracket");
        }
    }

    v = value_of("[\"[[[[{{{{\\\"[[[[\",\"}]\"]");
    is_int(sync_value_count(v), 2, "brackets in strings do not count");
    sync_value_free(v);

    memset(buf, ']', 999);
    buf[999] = '\0';
    refused(buf, "syntax", 0, "");
}


static void
test_readers(void)
{
    double               real;
    int64_t              n;
    unsigned             b;
    sync_value_t        *v;
    const sync_value_t  *m;

    v = value_of("{\"n\":null,\"t\":true,\"f\":false,\"i\":-5,\"r\":0.5,"
                 "\"s\":\"\",\"a\":[1,\"x\"],\"o\":{\"k\":\"v\"},\"\":7}");

    is_int(sync_value_type(NULL), SYNC_VALUE_NONE, "no value");
    is_int(sync_value_type(v), SYNC_VALUE_OBJECT, "object");
    is_int(sync_value_type(sync_value_get(v, "n")), SYNC_VALUE_NULL, "null");
    is_int(sync_value_type(sync_value_get(v, "t")), SYNC_VALUE_TRUE, "true");
    is_int(sync_value_type(sync_value_get(v, "f")), SYNC_VALUE_FALSE,
           "false");
    is_int(sync_value_type(sync_value_get(v, "a")), SYNC_VALUE_ARRAY,
           "array");
    ok(strcmp(sync_value_type_name(sync_value_get(v, "r")), "number") == 0,
       "the name of a type");
    ok(strcmp(sync_value_type_name(NULL), "nothing") == 0, "and of none");

    is_int(sync_value_count(v), 9, "members");
    is_int(sync_value_count(sync_value_get(v, "a")), 2, "elements");
    is_int(sync_value_count(sync_value_get(v, "s")), 0, "of a string");
    is_int(sync_value_count(NULL), 0, "of nothing");

    is_int(sync_value_int(sync_value_get(v, "i"), &n), SYNC_OK, "integer");
    is_int(n, -5, "its value");
    is_int(sync_value_int(sync_value_get(v, "r"), &n), SYNC_NO,
           "a real is none");
    is_int(sync_value_int(NULL, &n), SYNC_NO, "nor is nothing");
    is_int(sync_value_real(sync_value_get(v, "r"), &real), SYNC_OK, "real");
    ok(real == 0.5, "its value");
    is_int(sync_value_real(sync_value_get(v, "i"), &real), SYNC_OK,
           "an integer is a number");
    ok(real == -5, "its value");
    is_int(sync_value_real(sync_value_get(v, "s"), &real), SYNC_NO,
           "a string is none");
    is_int(sync_value_bool(sync_value_get(v, "t"), &b), SYNC_OK, "boolean");
    is_int(b, 1, "true");
    is_int(sync_value_bool(sync_value_get(v, "f"), &b), SYNC_OK, "boolean");
    is_int(b, 0, "false");
    is_int(sync_value_bool(sync_value_get(v, "n"), &b), SYNC_NO,
           "null is none");

    is_str(sync_value_str(sync_value_get(v, "s")), "", "an empty string");
    ok(sync_value_str(sync_value_get(v, "i")).data == NULL,
       "an integer is no string");
    m = sync_value_member(v, (sync_str_t) { 1, (unsigned char *) "oh" });
    is_str(sync_value_str(sync_value_get(m, "k")), "v", "a counted name");
    ok(sync_value_member(v, sync_str_null) != NULL, "the empty name");
    ok(sync_value_get(v, "zz") == NULL, "no such member");
    ok(sync_value_get(sync_value_get(v, "a"), "k") == NULL,
       "arrays have no members");
    ok(sync_value_at(v, 0) == NULL, "objects no elements");
    is_str(sync_value_str(sync_value_at(sync_value_get(v, "a"), 1)), "x",
           "an element");
    ok(sync_value_at(sync_value_get(v, "a"), 2) == NULL, "behind the last");

    sync_value_free(v);
    sync_value_free(NULL);
}


static void
test_order(void)
{
    char                order[64] = "";
    sync_value_t       *v;
    sync_value_iter_t   it = { 0 };

    v = value_of("{\"z\":1,\"a\":2,\"m\":3,\"\":4,\"b\":5}");

    while (sync_value_next(v, &it)) {
        strncat(order, (char *) it.name.data, it.name.len);
        strcat(order, ",");
    }

    is_str(text(order), "z,a,m,,b,", "members as they were written");
    is_str(dump(v), "{\"\":4,\"a\":2,\"b\":5,\"m\":3,\"z\":1}",
           "and sorted in a dump");
    sync_value_free(v);

    memset(&it, 0, sizeof(it));
    v = value_of("[1]");
    ok(!sync_value_next(v, &it), "an array has no members");
    ok(!sync_value_next(NULL, &it), "nor has nothing");
    sync_value_free(v);
}


/* RFC 7396, appendix A, and more */

static void
test_merge(void)
{
    size_t         i;
    sync_value_t  *target, *patch, *result;

    static const char  *rows[][3] = {
        { "{\"a\":\"b\"}", "{\"a\":\"c\"}", "{\"a\":\"c\"}" },
        { "{\"a\":\"b\"}", "{\"b\":\"c\"}", "{\"a\":\"b\",\"b\":\"c\"}" },
        { "{\"a\":\"b\"}", "{\"a\":null}", "{}" },
        { "{\"a\":\"b\",\"b\":\"c\"}", "{\"a\":null}", "{\"b\":\"c\"}" },
        { "{\"a\":[\"b\"]}", "{\"a\":\"c\"}", "{\"a\":\"c\"}" },
        { "{\"a\":\"c\"}", "{\"a\":[\"b\"]}", "{\"a\":[\"b\"]}" },
        { "{\"a\":{\"b\":\"c\"}}", "{\"a\":{\"b\":\"d\",\"c\":null}}",
          "{\"a\":{\"b\":\"d\"}}" },
        { "{\"a\":[{\"b\":\"c\"}]}", "{\"a\":[1]}", "{\"a\":[1]}" },
        { "[\"a\",\"b\"]", "[\"c\",\"d\"]", "[\"c\",\"d\"]" },
        { "{\"a\":\"b\"}", "[\"c\"]", "[\"c\"]" },
        { "{\"a\":\"foo\"}", "null", "null" },
        { "{\"a\":\"foo\"}", "\"bar\"", "\"bar\"" },
        { "{\"e\":null}", "{\"a\":1}", "{\"a\":1,\"e\":null}" },
        { "[1,2]", "{\"a\":\"b\",\"c\":null}", "{\"a\":\"b\"}" },
        { "{}", "{\"a\":{\"bb\":{\"ccc\":null}}}", "{\"a\":{\"bb\":{}}}" },
        { NULL, "{\"a\":{\"b\":null,\"c\":1}}", "{\"a\":{\"c\":1}}" },
        { "{\"a\":1}", "{\"a\":{\"b\":null}}", "{\"a\":{}}" },
        { "{\"\":1,\"x\":2}", "{\"\":null}", "{\"x\":2}" }
    };

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        target = rows[i][0] ? value_of(rows[i][0]) : NULL;
        patch = value_of(rows[i][1]);
        result = sync_value_merge(target, patch);

        is_str(dump(result), rows[i][2], "merge %zu", i);

        if (target) {
            is_str(dump(target), rows[i][0], "its target is as it was");
        }

        /* nothing is shared: the sanitizer would say so */

        sync_value_free(target);
        sync_value_free(patch);
        is_str(dump(result), rows[i][2], "it stands alone");
        sync_value_free(result);
    }

    target = value_of("{\"z\":1,\"y\":{\"b\":1,\"a\":2},\"x\":3}");
    patch = value_of("{\"n\":9,\"x\":4,\"y\":{\"c\":3,\"a\":5}}");
    result = sync_value_merge(target, patch);
    {
        sync_str_t       s;
        sync_json_out_t  out;

        sync_json_begin(&out, arena, 100, 0);
        sync_value_write(&out, result);
        sync_json_end(&out, &s);
        is_str(s, "{\"z\":1,\"y\":{\"b\":1,\"a\":5,\"c\":3},\"x\":4,\"n\":9}",
               "the order of the target, then of the patch");
    }
    sync_value_free(target);
    sync_value_free(patch);
    sync_value_free(result);
}


/* RFC 6901, section 5, and what is none */

static void
test_pointers(void)
{
    size_t               i;
    sync_value_t        *v;
    const sync_value_t  *at;

    static const char  *rows[][2] = {
        { "/foo", "[\"bar\",\"baz\"]" },
        { "/foo/0", "\"bar\"" },
        { "/", "0" },
        { "/a~1b", "1" },
        { "/c%d", "2" },
        { "/e^f", "3" },
        { "/g|h", "4" },
        { "/i\\j", "5" },
        { "/k\"l", "6" },
        { "/ ", "7" },
        { "/m~0n", "8" },
        { "/~01", "9" },
        { "/o//x", "10" },
        { "foo", NULL },
        { "/foo/", NULL },
        { "/foo/-", NULL },
        { "/foo/2", NULL },
        { "/foo/00", NULL },
        { "/foo/01", NULL },
        { "/foo/+1", NULL },
        { "/foo/1e0", NULL },
        { "/foo/99999999999999999999", NULL },
        { "/foo/0/0", NULL },
        { "/nothing", NULL },
        { "/m~n", NULL },
        { "/m~", NULL },
        { "/m~2n", NULL },
        { "/~1", NULL },
        { "/a/b", NULL }
    };

    v = value_of("{\"foo\":[\"bar\",\"baz\"],\"\":0,\"a/b\":1,\"c%d\":2,"
                 "\"e^f\":3,\"g|h\":4,\"i\\\\j\":5,\"k\\\"l\":6,\" \":7,"
                 "\"m~n\":8,\"~1\":9,\"o\":{\"\":{\"x\":10}}}");

    ok(sync_value_resolve(v, sync_str_null) == v, "the empty pointer");
    ok(sync_value_resolve(NULL, text("/a")) == NULL, "of nothing");

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        at = sync_value_resolve(v, text(rows[i][0]));

        if (rows[i][1] == NULL) {
            ok(at == NULL, "nothing at %s", rows[i][0]);

        } else {
            is_str(dump(at), rows[i][1], "at %s", rows[i][0]);
        }
    }

    sync_value_free(v);
}


static void
test_pointer_text(void)
{
    sync_str_t  p;

    p = sync_pointer_member(arena, sync_str_null, text("a/b~c"));
    is_str(p, "/a~1b~0c", "a name, escaped");
    p = sync_pointer_index(arena, p, 12);
    is_str(p, "/a~1b~0c/12", "an index");
    p = sync_pointer_member(arena, p, sync_str_null);
    is_str(p, "/a~1b~0c/12/", "the empty name");
    ok(p.data[p.len] == '\0', "terminated");
}


static void
test_text(void)
{
    size_t         i;
    sync_value_t  *v;

    static const char  *rows[][2] = {
        { "0.1", "0.1" },
        { "0.10", "0.1" },
        { "1.0", "1.0" },
        { "100000.0", "100000.0" },
        { "1e22", "1e+22" },
        { "1e-7", "1e-07" },
        { "0.30000000000000004", "0.30000000000000004" },
        { "3.141592653589793", "3.141592653589793" },
        { "-0.0", "-0.0" },
        { "5e-324", "4.94065645841247e-324" },
        { "1.7976931348623157e308", "1.7976931348623157e+308" },
        { "9223372036854775807", "9223372036854775807" },
        { "-9223372036854775808", "-9223372036854775808" },
        { " [ ] ", "[]" },
        { "{ }", "{}" },
        { "[null,true,false,{\"a\":[]}]", "[null,true,false,{\"a\":[]}]" },
        { "{\"b\":{\"d\":1,\"c\":2},\"a\":[{\"f\":1,\"e\":2}]}",
          "{\"a\":[{\"e\":2,\"f\":1}],\"b\":{\"c\":2,\"d\":1}}" },
        { "{\"ab\":1,\"a\":2,\"b\":3}", "{\"a\":2,\"ab\":1,\"b\":3}" },
        { "\"\\u00e4\\/\\\"\\\\\"", "\"\xc3\xa4/\\\"\\\\\"" }
    };

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        v = value_of(rows[i][0]);
        is_str(dump(v), rows[i][1], "%s", rows[i][0]);
        sync_value_free(v);
    }

    is_str(dump(NULL), "null", "nothing is null");
}


/* The big list of naughty strings comes back as it went in. */

static void
test_strings(void)
{
    int            same;
    size_t         i;
    sync_str_t     s, one, two;
    sync_value_t  *v, *w;

    s = suite_file(arena, "strings/blns.json");

    if (s.data == NULL) {
        skip("the big list of naughty strings (strings/) is absent");
        return;
    }

    is_int(sync_value_parse(&v, arena, s, SYNC_VALUE_NUL, NULL), SYNC_OK,
           "naughty strings");
    is_int(sync_value_parse(&w, arena, dump(v), SYNC_VALUE_NUL, NULL),
           SYNC_OK, "written and read again");

    same = sync_value_count(v) > 500;

    for (i = 0; i < sync_value_count(v); i++) {
        one = sync_value_str(sync_value_at(v, i));
        two = sync_value_str(sync_value_at(w, i));
        same &= sync_str_eq(one, two);
    }

    ok(same, "all the same");

    sync_value_free(v);
    sync_value_free(w);
}
