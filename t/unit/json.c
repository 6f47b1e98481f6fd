
/*
 * The payload reader and writer, against RFC 8259, the JSONTestSuite and the
 * big list of naughty strings.
 */


#include "tap.h"
#include "sync_json.h"

#include <dirent.h>


static sync_arena_t  *arena;


/* The texts that the suite leaves to the parser: 'y' taken, 'n' refused. */

static const struct {
    const char  *name;
    char         decision;
} decisions[] = {

    /* numbers are text: none is too large */
    { "i_number_double_huge_neg_exp.json", 'y' },
    { "i_number_huge_exp.json", 'y' },
    { "i_number_neg_int_huge_exp.json", 'y' },
    { "i_number_pos_double_huge_exp.json", 'y' },
    { "i_number_real_neg_overflow.json", 'y' },
    { "i_number_real_pos_overflow.json", 'y' },
    { "i_number_real_underflow.json", 'y' },
    { "i_number_too_big_neg_int.json", 'y' },
    { "i_number_too_big_pos_int.json", 'y' },
    { "i_number_very_big_negative_int.json", 'y' },

    /* a lone surrogate has no UTF-8 */
    { "i_object_key_lone_2nd_surrogate.json", 'n' },
    { "i_string_1st_surrogate_but_2nd_missing.json", 'n' },
    { "i_string_1st_valid_surrogate_2nd_invalid.json", 'n' },
    { "i_string_incomplete_surrogate_and_escape_valid.json", 'n' },
    { "i_string_incomplete_surrogate_pair.json", 'n' },
    { "i_string_incomplete_surrogates_escape_valid.json", 'n' },
    { "i_string_invalid_lonely_surrogate.json", 'n' },
    { "i_string_invalid_surrogate.json", 'n' },
    { "i_string_inverted_surrogates_U+1D11E.json", 'n' },
    { "i_string_lone_second_surrogate.json", 'n' },

    /* UTF-8 and nothing else, without a mark */
    { "i_string_UTF-16LE_with_BOM.json", 'n' },
    { "i_string_UTF-8_invalid_sequence.json", 'n' },
    { "i_string_UTF8_surrogate_U+D800.json", 'n' },
    { "i_string_invalid_utf-8.json", 'n' },
    { "i_string_iso_latin_1.json", 'n' },
    { "i_string_lone_utf8_continuation_byte.json", 'n' },
    { "i_string_not_in_unicode_range.json", 'n' },
    { "i_string_overlong_sequence_2_bytes.json", 'n' },
    { "i_string_overlong_sequence_6_bytes.json", 'n' },
    { "i_string_overlong_sequence_6_bytes_null.json", 'n' },
    { "i_string_truncated-utf-8.json", 'n' },
    { "i_string_utf16BE_no_BOM.json", 'n' },
    { "i_string_utf16LE_no_BOM.json", 'n' },
    { "i_structure_UTF-8_BOM_empty_object.json", 'n' },

    /* 128 levels are the bound */
    { "i_structure_500_nested_arrays.json", 'n' }
};


static sync_str_t
str(const char *s)
{
    return (sync_str_t) { strlen(s), (unsigned char *) s };
}


/* Exactly as large as the text, so that a sanitizer sees one byte too many. */

static sync_rc_t
parse_exact(sync_json_t *json, sync_str_t text,
    const sync_json_limits_t *limits, sync_error_t *err)
{
    sync_rc_t       rc;
    sync_str_t      exact;

    exact.len = text.len;
    exact.data = malloc(text.len ? text.len : 1);

    if (text.len) {
        memcpy(exact.data, text.data, text.len);
    }

    rc = sync_json_parse(json, arena, exact, limits, err);

    free(exact.data);

    return rc;
}


static sync_json_t
parsed(const char *text)
{
    sync_json_t   json;
    sync_error_t  err;

    if (sync_json_parse(&json, arena, str(text), NULL, &err) != SYNC_OK) {
        diag("%s: %s", text, err.text);
        exit(1);
    }

    return json;
}


static void
refused(const char *text, const sync_json_limits_t *limits, const char *what,
    size_t offset, const char *pointer)
{
    sync_rc_t     rc;
    sync_json_t   json;
    sync_error_t  err;

    memset(&err, 0, sizeof(err));
    rc = parse_exact(&json, str(text), limits, &err);

    ok(rc == SYNC_NO && err.what && strcmp(err.what, what) == 0,
       "%.60s is refused as %s", text, what);

    if (rc != SYNC_NO) {
        return;
    }

    is_int(err.offset, offset, "its offset");

    if (pointer) {
        if (err.pointer.data == NULL) {
            err.pointer = sync_str_lit("");
        }

        is_str(err.pointer, pointer, "its pointer");
    }
}


static void
test_tape(void)
{
    int64_t      v;
    uint32_t     i, n;
    sync_json_t  j;

    j = parsed(" { \"a\" : [ 1 , \"x\\u0041\" , [ ] ] , \"b\" : { } ,"
               "\"\" : null, \"n\": -0, \"big\": 12345678901234567890 } ");

    is_int(j.count, 14, "nodes");
    is_int(j.nodes[0].len, 5, "members of the root");
    is_int(j.nodes[0].next, 14, "behind the root");
    is_int(j.nodes[1].type, SYNC_JSON_KEY, "a key");
    is_int(j.nodes[1].next, 6, "behind a member");
    is_int(j.nodes[2].len, 3, "elements");
    is_int(j.nodes[2].next, 6, "behind an array");
    is_int(j.nodes[4].depth, 2, "depth");
    is_int(j.nodes[4].flags, SYNC_JSON_ESCAPED, "an escaped string");
    is_int(j.nodes[7].len, 0, "an empty object");
    is_str(sync_json_raw(&j, 0), "{ \"a\" : [ 1 , \"x\\u0041\" , [ ] ] , "
           "\"b\" : { } ,\"\" : null, \"n\": -0, \"big\": "
           "12345678901234567890 }", "raw root");
    is_str(sync_json_raw(&j, 2), "[ 1 , \"x\\u0041\" , [ ] ]", "raw array");
    is_str(sync_json_raw(&j, 4), "\"x\\u0041\"", "raw string");
    is_str(sync_json_raw(&j, 5), "[ ]", "raw empty array");
    is_str(sync_json_raw(&j, 7), "{ }", "raw empty object");
    is_str(sync_json_raw(&j, 9), "null", "raw null");
    is_str(sync_json_raw(&j, 1), "\"a\"", "raw key");
    is_str(sync_json_slice(&j, 13), "12345678901234567890", "number as text");

    for (n = 0, i = sync_json_first(&j, 0); i != SYNC_JSON_NONE;
         i = sync_json_after(&j, 0, i))
    {
        n++;
    }

    is_int(n, 5, "iteration over members");
    is_int(sync_json_first(&j, 7), SYNC_JSON_NONE, "no first member");

    is_int(sync_json_member(&j, 0, str("b")), 7, "a member by name");
    is_int(sync_json_member(&j, 0, str("")), 9, "the empty name");
    is_int(sync_json_member(&j, 0, str("c")), SYNC_JSON_NONE, "no member");
    is_int(sync_json_member(&j, 2, str("b")), SYNC_JSON_NONE, "no object");

    ok(sync_json_int(&j, 11, &v) == SYNC_OK && v == 0, "-0 is 0");
    ok(sync_json_int(&j, 13, &v) == SYNC_NO, "too large for an int64");
    ok(sync_json_int(&j, 4, &v) == SYNC_NO, "a string is no integer");

    j = parsed("[9223372036854775807,-9223372036854775808,"
               "9223372036854775808,-9223372036854775809,1.0,1e2]");

    ok(sync_json_int(&j, 1, &v) == SYNC_OK && v == INT64_MAX, "largest");
    ok(sync_json_int(&j, 2, &v) == SYNC_OK && v == INT64_MIN, "smallest");
    ok(sync_json_int(&j, 3, &v) == SYNC_NO, "one more");
    ok(sync_json_int(&j, 4, &v) == SYNC_NO, "one less");
    ok(sync_json_int(&j, 5, &v) == SYNC_NO, "1.0 is not written as integer");
    ok(sync_json_int(&j, 6, &v) == SYNC_NO, "1e2 is not written as integer");

    /* many shapes of what stands behind a container */

    j = parsed("[[[1],[\"]\"],[{\"}\":[{} ] } ] ],2]");
    is_str(sync_json_raw(&j, 1), "[[1],[\"]\"],[{\"}\":[{} ] } ] ]", "deep");
    is_str(sync_json_raw(&j, 2), "[1]", "number last");
    is_str(sync_json_raw(&j, 4), "[\"]\"]", "bracket in a string");
    is_str(sync_json_raw(&j, 6), "[{\"}\":[{} ] } ]", "empty object last");
    is_str(sync_json_raw(&j, 9), "[{} ]", "one around it");
}


static void
test_pointer(void)
{
    uint32_t     i, n;
    sync_json_t  j;

    /* RFC 6901, 5 */

    static const struct {
        const char  *pointer;
        const char  *raw;
    } cases[] = {
        { "/foo", "[\"bar\", \"baz\"]" },
        { "/foo/0", "\"bar\"" },
        { "/foo/1", "\"baz\"" },
        { "/", "0" },
        { "/a~1b", "1" },
        { "/c%d", "2" },
        { "/e^f", "3" },
        { "/g|h", "4" },
        { "/i\\j", "5" },
        { "/k\"l", "6" },
        { "/ ", "7" },
        { "/m~0n", "8" },
        { "/\xc3\xa9~1", "[[], {\"x\": 9}]" },
        { "/\xc3\xa9~1/1/x", "9" }
    };

    static const char  *none[] = {
        "foo", "/foo/2", "/foo/-", "/foo/00", "/foo/01", "/foo/1/", "/foo/a",
        "/foo/4294967296", "/a~b", "/m~2n", "/m~", "/fo", "/fooo", "//",
        "/foo/", "/foo/+1", "/foo/ 1"
    };

    j = parsed("{\"foo\": [\"bar\", \"baz\"], \"\": 0, \"a/b\": 1, "
               "\"c%d\": 2, \"e^f\": 3, \"g|h\": 4, \"i\\\\j\": 5, "
               "\"k\\\"l\": 6, \" \": 7, \"m~n\": 8, "
               "\"\\u00e9\\/\": [[], {\"x\": 9}]}");

    is_int(sync_json_at(&j, 0, str("")), 0, "the empty pointer is the node");
    is_str(sync_json_pointer(&j, 0, arena), "", "pointer to the root");

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        n = sync_json_at(&j, 0, str(cases[i].pointer));

        if (ok(n != SYNC_JSON_NONE, "%s is there", cases[i].pointer)) {
            is_str(sync_json_raw(&j, n), cases[i].raw, "its value");
            is_str(sync_json_pointer(&j, n, arena), cases[i].pointer, "back");
        }
    }

    for (i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        is_int(sync_json_at(&j, 0, str(none[i])), SYNC_JSON_NONE,
               "%s is not there", none[i]);
    }

    is_str(sync_json_pointer(&j, 1, arena), "/foo", "pointer to a key");
}


static void
test_strings(void)
{
    sync_str_t   s;
    sync_json_t  j, k;

    j = parsed("[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\","
               "\"\\u0041\\u00e9\\u20AC\\uD834\\udd1e\","
               "\"A\xc3\xa9\xe2\x82\xac\xf0\x9d\x84\x9e\","
               "\"\\u0000\", \"AB\", \"\", \"\xef\xbf\xbf\"]");

    is_str(sync_json_unescape(&j, 1, arena), "\"\\/\b\f\n\r\t", "escapes");
    is_str(sync_json_unescape(&j, 2, arena),
           "A\xc3\xa9\xe2\x82\xac\xf0\x9d\x84\x9e", "one to four bytes");
    is_int(sync_json_chars(&j, 2), 4, "characters, escaped");
    is_int(sync_json_chars(&j, 3), 4, "characters, plain");
    ok(sync_json_same(&j, 2, &j, 3), "escaped and plain are the same");
    ok(sync_json_same(&j, 3, &j, 2), "and the other way round");
    ok(sync_json_same(&j, 2, &j, 2), "and with itself");
    ok(!sync_json_same(&j, 2, &j, 1), "others are not");
    ok(sync_json_equals(&j, 2, sync_json_slice(&j, 3)), "equals, escaped");

    s = sync_json_unescape(&j, 4, arena);
    ok(s.len == 1 && s.data[0] == 0, "a NUL");
    ok(!sync_json_equals(&j, 4, str("")), "a NUL is not the empty string");
    ok(sync_json_equals(&j, 6, str("")), "the empty string");
    ok(sync_json_unescape(&j, 6, arena).data != NULL, "empty is no fault");

    ok(sync_json_compare(&j, 2, &j, 5) > 0, "order: A\xc3\xa9 above AB");
    ok(sync_json_compare(&j, 5, &j, 2) < 0, "order: and below");
    ok(sync_json_compare(&j, 6, &j, 4) < 0, "order: a prefix is below");
    ok(sync_json_compare(&j, 7, &j, 3) > 0, "order: by character");

    k = parsed("{\"\\u0061b\":1}");
    is_int(sync_json_member(&k, 0, str("ab")), 2, "an escaped name is found");
    is_int(sync_json_at(&k, 0, str("/ab")), 2, "and by a pointer");
    is_int(sync_json_member(&k, 0, str("\\u0061b")), SYNC_JSON_NONE,
           "but not by its escaped form");
}


static void
test_refusals(void)
{
    sync_json_t         json;
    sync_error_t        err;
    sync_json_limits_t  l;

    refused("", NULL, "syntax", 0, "");
    refused("  ", NULL, "syntax", 2, "");
    refused("\xef\xbb\xbf{}", NULL, "syntax", 0, "");
    refused("{\"a\":[1,{\"b\":x}]}", NULL, "syntax", 13, "/a/1/b");
    refused("{\"a\":[1,2", NULL, "syntax", 9, "/a");
    refused("{\"a\" 1}", NULL, "syntax", 5, "/a");
    refused("[1] 2", NULL, "syntax", 4, "");
    refused("[\"a\tb\"]", NULL, "syntax", 3, "");
    refused("[\"\\x\"]", NULL, "syntax", 2, "");
    refused("{\"p\":\"\\ud800\"}", NULL, "syntax", 6, "/p");
    refused("{\"p\":\"\\udc00\\ud800\"}", NULL, "syntax", 6, "/p");
    refused("[\"\\ud800\\ud800\"]", NULL, "syntax", 2, "");
    refused("[\"\\ud800\\u\"]", NULL, "syntax", 2, "");
    refused("[\"\\udc00\\udc00\"]", NULL, "syntax", 2, "");
    refused("[\"0123456789abcdef0123456\t0123456789abcdef\"]", NULL, "syntax",
            25, "");
    refused("{\"p\":\"ab\xc0\x80\"}", NULL, "utf8", 8, "/p");
    refused("[\"\xed\xa0\x80\"]", NULL, "utf8", 2, "");
    refused("[\"\xe0\x9f\xbf\"]", NULL, "utf8", 2, "");
    refused("[\"\xf0\x8f\xbf\xbf\"]", NULL, "utf8", 2, "");
    refused("[\"\xf4\x90\x80\x80\"]", NULL, "utf8", 2, "");
    refused("[\"\xf5\x80\x80\x80\"]", NULL, "utf8", 2, "");
    refused("[\"\xe2\x82\"]", NULL, "utf8", 2, "");
    refused("[\"\xe2\x82", NULL, "utf8", 2, "");
    refused("[01]", NULL, "syntax", 2, "");
    refused("[1.]", NULL, "syntax", 3, "");
    refused("[-]", NULL, "syntax", 2, "");
    refused("[1e+]", NULL, "syntax", 4, "");
    refused("[+1]", NULL, "syntax", 1, "");
    refused("[NaN]", NULL, "syntax", 1, "");
    refused("[1,]", NULL, "syntax", 3, "");
    refused("{\"a\":1,}", NULL, "syntax", 7, "");
    refused("{a:1}", NULL, "syntax", 1, "");
    refused("nul", NULL, "syntax", 0, "");
    refused("nulll", NULL, "syntax", 4, "");
    refused("/**/1", NULL, "syntax", 0, "");

    refused("{\"a\":1,\"b\":[{\"c~\":1,\"d\":{},\"c~\":2}]}", NULL,
            "duplicate-member", 27, "/b/0/c~0");
    refused("{\"ab\":1,\"\\u0061b\":2}", NULL, "duplicate-member", 8, "/ab");
    refused("{\"\\u0061b\":1,\"ab\":2}", NULL, "duplicate-member", 13, "/ab");
    refused("{\"\\u0061\":1,\"\\u0061\":2}", NULL, "duplicate-member", 12,
            "/a");
    refused("{\"\":1,\"\":2}", NULL, "duplicate-member", 6, "/");

    memset(&l, 0, sizeof(l));
    l.duplicates = 1;
    ok(parse_exact(&json, str("{\"a\":1,\"a\":2}"), &l, NULL) == SYNC_OK,
       "duplicates are taken where wanted");

    memset(&l, 0, sizeof(l));
    l.size = 4;
    refused("[1,2]", &l, "too-large", SYNC_NOWHERE, "");
    ok(parse_exact(&json, str("[12]"), &l, NULL) == SYNC_OK, "size bound");

    memset(&l, 0, sizeof(l));
    l.nodes = 4;
    ok(parse_exact(&json, str("[1,2,3]"), &l, NULL) == SYNC_OK, "node bound");
    refused("[1,2,3,4]", &l, "too-many-nodes", 7, "");
    refused("{\"a\":[1,2]}", &l, "too-many-nodes", 8, "/a");
    refused("{\"a\":1,\"b\":2}", &l, "too-many-nodes", 11, "/b");
    refused("{\"a\":[1],\"b\":2}", &l, "too-many-nodes", 9, "");

    memset(&l, 0, sizeof(l));
    l.depth = 2;
    ok(parse_exact(&json, str("[[1],{}]"), &l, NULL) == SYNC_OK,
       "depth bound");
    refused("{\"x\":{\"y\":{}}}", &l, "too-deep", 10, "/x/y");
    refused("[[[]]]", &l, "too-deep", 2, "/0");

    ok(parse_exact(&json, str("\xef\xbb\xbf{}"), NULL, &err) == SYNC_NO
       && strstr(err.text, "byte order mark") != NULL,
       "a byte order mark is called by its name");

    ok(parse_exact(&json, str("[tru]"), NULL, NULL) == SYNC_NO,
       "no place for the error");
}


/* Objects above and below the size that changes the search for duplicates. */

static void
test_duplicates(void)
{
    int           i, n, d, good;
    char         *p, *text;
    size_t        offset;
    sync_rc_t     rc;
    sync_json_t   j;
    sync_error_t  err;

    static const int  sizes[] = { 2, 23, 24, 25, 26, 31, 33, 64, 65, 3000 };

    text = malloc(1024 * 1024);

    for (n = 0; n < (int) (sizeof(sizes) / sizeof(sizes[0])); n++) {
        good = 1;

        for (d = 0; d < sizes[n]; d += sizes[n] > 100 ? 97 : 1) {
            p = text + sprintf(text, "[{\"other\":{}},{");
            offset = 0;

            for (i = 0; i < sizes[n]; i++) {
                p += sprintf(p, "\"name%d\":[%d],", i, i);
            }

            p[-1] = '}';
            p[0] = ']';
            p[1] = '\0';

            rc = sync_json_parse(&j, arena, str(text), NULL, &err);

            if (rc != SYNC_OK || j.nodes[4].len != (uint32_t) sizes[n]) {
                good = 0;
                diag("%d different: %s", sizes[n], err.text);
            }

            p--;
            *p++ = ',';
            offset = (size_t) (p - text);
            p += sprintf(p, "\"%sname%d\":{}%s}]", d % 3 ? "" : "\\u006e", d,
                         d % 2 ? ",\"tail\":{}" : "");

            if (d % 3 == 0) {
                /* \u006eame: the n of name went into the escape */
                memmove(text + offset + 7, text + offset + 8,
                        strlen(text + offset + 8) + 1);
            }

            rc = sync_json_parse(&j, arena, str(text), NULL, &err);

            if (rc != SYNC_NO || strcmp(err.what, "duplicate-member") != 0
                || err.offset != offset)
            {
                good = 0;
                diag("duplicate of %d of %d", d, sizes[n]);
            }
        }

        ok(good, "duplicates among %d members", sizes[n]);
    }

    /* the names of one large object are no business of the next */

    p = text + sprintf(text, "[");

    for (n = 0; n < 3; n++) {
        *p++ = '{';

        for (i = 0; i < 40; i++) {
            p += sprintf(p, "\"name%d\":0,", i);
        }

        p[-1] = '}';
        *p++ = ',';
    }

    p[-1] = ']';
    *p = '\0';

    ok(sync_json_parse(&j, arena, str(text), NULL, NULL) == SYNC_OK,
       "large objects with the same names");

    free(text);
}


static void
test_writer(void)
{
    size_t           i;
    sync_str_t       text;
    sync_json_t      j;
    sync_json_out_t  out;

    static const char  numbers[] =
        "[9007199254740993,0.10,123456789012345678901234567890.5,1E400,-0,"
        "-0.0,1e-400,0E+00]";

    j = parsed(numbers);
    sync_json_begin(&out, arena, 1, 0);
    sync_json_open(&out, '[');

    for (i = 1; i < j.count; i++) {
        sync_json_copy(&out, &j, (uint32_t) i);
    }

    sync_json_close(&out, ']');
    ok(sync_json_end(&out, &text) == SYNC_OK, "numbers are written");
    is_str(text, numbers, "verbatim");

    sync_json_begin(&out, arena, 0, 0);
    sync_json_open(&out, '{');
    sync_json_key(&out, str("a\"b"));
    sync_json_open(&out, '[');
    sync_json_string(&out, str("x\\y\x01\x1f\x7f\b\f\n\r\t/\xc3\xa9"));
    sync_json_string(&out, (sync_str_t) { 1, (unsigned char *) "" });
    sync_json_integer(&out, INT64_MIN);
    sync_json_integer(&out, 0);
    sync_json_open(&out, '{');
    sync_json_close(&out, '}');
    sync_json_value(&out, str("null"));
    sync_json_close(&out, ']');
    sync_json_key(&out, str(""));
    sync_json_copy(&out, &j, 0);
    sync_json_key(&out, str("z"));
    sync_json_integer(&out, INT64_MAX);
    sync_json_close(&out, '}');
    ok(sync_json_end(&out, &text) == SYNC_OK, "a document is written");
    is_str(text, "{\"a\\\"b\":[\"x\\\\y\\u0001\\u001f\x7f\\b\\f\\n\\r\\t/"
           "\xc3\xa9\",\"\\u0000\",-9223372036854775808,0,{},null],\"\":"
           "[9007199254740993,0.10,123456789012345678901234567890.5,1E400,-0,"
           "-0.0,1e-400,0E+00],\"z\":9223372036854775807}",
           "with its commas and escapes");

    sync_json_begin(&out, arena, 0, 0);
    sync_json_string(&out, str("a\x80z\xc3 \xed\xa0\x80\xf0\x9d\x84"));
    ok(sync_json_end(&out, &text) == SYNC_OK
       && sync_json_parse(&j, arena, text, NULL, NULL) == SYNC_OK,
       "what is not UTF-8 is still written as JSON");
    is_str(text, "\"a\xef\xbf\xbdz\xef\xbf\xbd \xef\xbf\xbd\xef\xbf\xbd"
           "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"",
           "by replacement characters");

    sync_json_begin(&out, arena, 0, 7);
    sync_json_string(&out, str("12345"));
    ok(sync_json_end(&out, &text) == SYNC_OK, "up to the bound");
    is_int(text.len, 7, "of seven bytes");

    sync_json_begin(&out, arena, 0, 7);
    sync_json_string(&out, str("1234\n"));
    ok(sync_json_end(&out, &text) == SYNC_NO, "one byte over the bound");

    sync_json_begin(&out, arena, 4, 7);
    sync_json_open(&out, '[');
    sync_json_value(&out, str("1234"));
    sync_json_value(&out, str("56"));
    ok(sync_json_end(&out, &text) == SYNC_NO, "growing keeps to the bound");

    sync_json_begin(&out, arena, 100, 3);
    sync_json_open(&out, '[');
    sync_json_value(&out, str("12345"));
    sync_json_close(&out, ']');
    ok(sync_json_end(&out, &text) == SYNC_NO, "over the bound sticks");
}


static void *
no_memory(sync_arena_t *a, size_t size)
{
    int  *left = a->data;

    return (*left)-- > 0 ? sync_alloc(arena, size) : NULL;
}


static void
test_faults(void)
{
    int              i, left;
    char             text[2000], *p;
    sync_rc_t        rc;
    sync_str_t       s;
    sync_json_t      j;
    sync_arena_t     poor;
    sync_json_out_t  out;

    poor.alloc = no_memory;
    poor.data = &left;

    for (p = text, *p++ = '{', i = 0; i < 100; i++) {
        p += sprintf(p, "\"\\u0061%d\":[],", i);
    }

    p[-1] = '}';
    i = 0;

    do {
        left = i++;
        rc = sync_json_parse(&j, &poor, str(text), NULL, NULL);
    } while (rc == SYNC_FAULT && i < 200);

    ok(rc == SYNC_OK && i > 3, "each failed allocation is a fault");

    left = 0;
    sync_json_begin(&out, &poor, 1, 0);
    sync_json_string(&out, str("x"));
    ok(sync_json_end(&out, &s) == SYNC_FAULT, "a writer without memory");

    left = 1;
    sync_json_begin(&out, &poor, 1, 0);
    sync_json_string(&out, str("x"));
    ok(sync_json_end(&out, &s) == SYNC_FAULT, "a writer that cannot grow");
}


static void
test_suite(void)
{
    int             y, n, i, bad;
    DIR            *dir;
    char            path[4096], wanted;
    size_t          k;
    sync_rc_t       rc;
    sync_str_t      text;
    sync_json_t     j;
    sync_error_t    err;
    struct dirent  *e;
    sync_json_limits_t  limits;

    suite_path(path, sizeof(path), "json-parsing/test_parsing");

    dir = opendir(path);
    if (dir == NULL) {
        skip("JSONTestSuite is absent");
        return;
    }

    y = n = i = bad = 0;

    while ((e = readdir(dir)) != NULL) {
        wanted = e->d_name[0];

        if (strchr("yni", wanted) == NULL || e->d_name[1] != '_') {
            continue;
        }

        snprintf(path, sizeof(path), "json-parsing/test_parsing/%s",
                 e->d_name);
        text = suite_file(arena, path);

        memset(&limits, 0, sizeof(limits));

        if (wanted == 'i') {
            i++;

            for (k = 0; k < sizeof(decisions) / sizeof(decisions[0]); k++) {
                if (strcmp(decisions[k].name, e->d_name) == 0) {
                    wanted = decisions[k].decision;
                }
            }

        } else if (wanted == 'y') {
            y++;
            /* RFC 8259 says names should be unique, the suite has two twins */
            limits.duplicates = strstr(e->d_name, "duplicated_key") != NULL;

        } else {
            n++;
        }

        rc = parse_exact(&j, text, &limits, &err);

        if (text.data == NULL || rc != (wanted == 'y' ? SYNC_OK : SYNC_NO)) {
            bad++;
            diag("%s: %s", e->d_name, rc == SYNC_OK ? "taken" : err.text);
        }

        if (limits.duplicates) {
            limits.duplicates = 0;

            if (parse_exact(&j, text, &limits, &err) != SYNC_NO) {
                bad++;
                diag("%s: taken with its duplicates", e->d_name);
            }
        }
    }

    closedir(dir);

    ok(bad == 0, "JSONTestSuite: %d taken, %d refused, %d decided", y, n, i);
    ok(y == 95 && n == 188 && i == 35, "all of the suite was read");
}


static void
test_naughty(void)
{
    int              count, bad;
    uint32_t         i;
    sync_str_t       text, s, copy;
    sync_json_t      j, k;
    sync_json_out_t  out;

    text = suite_file(arena, "strings/blns.json");

    if (text.data == NULL) {
        skip("the list of naughty strings is absent");
        return;
    }

    if (!ok(sync_json_parse(&j, arena, text, NULL, NULL) == SYNC_OK,
            "the list of naughty strings is read"))
    {
        return;
    }

    /* as they stand, and unescaped and written anew */

    sync_json_begin(&out, arena, 0, 0);
    sync_json_copy(&out, &j, 0);
    sync_json_end(&out, &copy);
    ok(sync_str_eq(sync_json_raw(&j, 0), copy), "and copied byte for byte");

    sync_json_begin(&out, arena, 0, 0);
    sync_json_open(&out, '[');

    for (i = 1; i < j.count; i++) {
        sync_json_string(&out, sync_json_unescape(&j, i, arena));
    }

    sync_json_close(&out, ']');

    ok(sync_json_end(&out, &copy) == SYNC_OK
       && sync_json_parse(&k, arena, copy, NULL, NULL) == SYNC_OK
       && k.count == j.count, "and written");

    count = bad = 0;

    for (i = 1; i < j.count; i++) {
        count++;
        s = sync_json_unescape(&j, i, arena);

        if (!sync_str_eq(s, sync_json_unescape(&k, i, arena))
            || !sync_json_same(&j, i, &k, i))
        {
            bad++;
            diag("string %u", (unsigned) i);
        }
    }

    ok(bad == 0 && count == 515, "%d naughty strings come back", count);
}


int
main(void)
{
    arena = sync_arena_create(64 * 1024);

    test_tape();
    test_pointer();
    test_strings();
    test_refusals();
    test_duplicates();
    test_writer();
    test_faults();
    test_suite();
    test_naughty();

    sync_arena_destroy(arena);

    return done_testing();
}
