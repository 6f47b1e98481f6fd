
/*
 * JSONPath, against the compliance suite of RFC 9535, and what it does not
 * test: decimals, bounds, single queries.
 */


#include "tap.h"
#include "sync_iregexp.h"
#include "sync_path.h"


static sync_arena_t  *arena;


static sync_str_t
str(const char *s)
{
    return (sync_str_t) { strlen(s), (unsigned char *) s };
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


/* Whether two values are the same but for white space and escapes. */

static int
alike(const sync_json_t *j, uint32_t a, uint32_t b)
{
    uint32_t           i, n;
    sync_json_node_t  *x, *y;

    n = j->nodes[a].next - a;

    if (j->nodes[b].next - b != n) {
        return 0;
    }

    for (i = 0; i < n; i++) {
        x = &j->nodes[a + i];
        y = &j->nodes[b + i];

        if (x->type != y->type) {
            return 0;
        }

        if (x->type == SYNC_JSON_OBJECT || x->type == SYNC_JSON_ARRAY) {
            if (x->len != y->len) {
                return 0;
            }

        } else if (!sync_json_same(j, a + i, j, b + i)) {
            return 0;
        }
    }

    return 1;
}


/* The nodes by their values, and by their normalized paths. */

static int
is_result(const sync_json_t *j, uint32_t document, sync_path_nodes_t *found,
    uint32_t result, uint32_t paths)
{
    uint32_t      i, value, path;
    sync_str_t    text;
    sync_path_t  *p;

    if (j->nodes[result].len != found->count) {
        return 0;
    }

    value = result + 1;
    path = paths + 1;

    for (i = 0; i < found->count; i++) {
        text = sync_json_unescape(j, path, arena);

        if (!alike(j, value, found->nodes[i])
            || sync_path_compile(&p, arena, text, NULL) != SYNC_OK
            || !sync_path_is_singular(p)
            || sync_path_single(p, j, document, NULL) != found->nodes[i])
        {
            return 0;
        }

        value = j->nodes[value].next;
        path = j->nodes[path].next;
    }

    return 1;
}


static void
test_suite(void)
{
    int                 invalid, valid, bad, good;
    uint32_t            t, n, i, k, tests, document;
    uint64_t            work;
    sync_rc_t           rc;
    sync_str_t          text, selector;
    sync_path_t        *path;
    sync_json_t         j;
    sync_error_t        err;
    unsigned char      *exact;
    sync_path_nodes_t   found;

    text = suite_file(arena, "jsonpath/cts.json");

    if (text.data == NULL) {
        skip("the JSONPath compliance suite is absent");
        return;
    }

    if (sync_json_parse(&j, arena, text, NULL, &err) != SYNC_OK) {
        ok(0, "cts.json: %s", err.text);
        return;
    }

    invalid = valid = bad = 0;
    tests = sync_json_member(&j, 0, str("tests"));

    for (t = sync_json_first(&j, tests); t != SYNC_JSON_NONE;
         t = sync_json_after(&j, tests, t))
    {
        selector = sync_json_unescape(&j,
                       sync_json_member(&j, t, str("selector")), arena);

        exact = malloc(selector.len + !selector.len);
        memcpy(exact, selector.data, selector.len);
        rc = sync_path_compile(&path, arena,
                               (sync_str_t) { selector.len, exact }, &err);
        free(exact);

        if (sync_json_member(&j, t, str("invalid_selector"))
            != SYNC_JSON_NONE)
        {
            invalid++;
            good = rc == SYNC_NO && strcmp(err.what, "path") == 0
                   && err.offset <= selector.len;

        } else {
            valid++;
            good = rc == SYNC_OK;
            document = sync_json_member(&j, t, str("document"));
            work = 100000;

            if (good) {
                rc = sync_path_select(path, &j, document, arena, &work,
                                      &found, &err);
                good = rc == SYNC_OK;
            }

            if (good && sync_path_is_singular(path)) {
                n = sync_path_single(path, &j, document, NULL);
                good = found.count ? n == found.nodes[0]
                                   : n == SYNC_JSON_NONE;
            }

            n = sync_json_member(&j, t, str("result"));

            if (good && n != SYNC_JSON_NONE) {
                good = is_result(&j, document, &found, n,
                           sync_json_member(&j, t, str("result_paths")));

            } else if (good) {
                n = sync_json_member(&j, t, str("results"));
                k = sync_json_member(&j, t, str("results_paths"));
                good = 0;

                for (i = sync_json_first(&j, n), k = k + 1;
                     i != SYNC_JSON_NONE;
                     i = sync_json_after(&j, n, i), k = j.nodes[k].next)
                {
                    good |= is_result(&j, document, &found, i, k);
                }
            }
        }

        if (!good) {
            n = sync_json_member(&j, t, str("name"));
            diag("%.*s: %.*s: %s", (int) j.nodes[n].len,
                 text.data + j.nodes[n].off, (int) selector.len,
                 selector.data, rc == SYNC_NO ? err.text : "taken");
            bad++;
        }
    }

    ok(bad == 0, "the compliance suite: %d invalid, %d valid", invalid,
       valid);
    ok(invalid == 247 && valid == 456, "all of it was read");
}


static const char  order[] =
    "{\"id\":9007199254740993,\"items\":[{\"sku\":\"A\",\"n\":1.50},"
    "{\"s\\u006bu\":\"B\",\"n\":1.5},{\"sku\":\"C\",\"n\":15E-1},"
    "{\"sku\":\"D\",\"n\":1.4999999999999999999999999}],"
    "\"total\":123456789012345678901234567890.5,\"re\":[\"(\",\"a+\"]}";


static void
finds_in(const char *document, const char *text, const char *want)
{
    uint32_t           i;
    uint64_t           work;
    sync_str_t         raw, got;
    sync_json_t        j;
    sync_path_t       *path;
    sync_error_t       err;
    sync_json_out_t    out;
    sync_path_nodes_t  found;

    j = parsed(document);
    work = 100000;

    if (!ok(sync_path_compile(&path, arena, str(text), &err) == SYNC_OK
            && sync_path_select(path, &j, 0, arena, &work, &found, &err)
               == SYNC_OK, "%s", text))
    {
        diag("%s", err.text);
        return;
    }

    sync_json_begin(&out, arena, 0, 0);

    for (i = 0; i < found.count; i++) {
        raw = sync_json_raw(&j, found.nodes[i]);
        sync_json_value(&out, raw);
    }

    sync_json_end(&out, &got);
    is_str(got, want, "what it finds");
}


static void
finds(const char *text, const char *want)
{
    finds_in(order, text, want);
}


static void
test_values(void)
{
    static const char  pairs[] =
        "[{\"a\":[1],\"b\":[1,2]},{\"a\":[1,2],\"b\":[1]},"
        "{\"a\":{\"x\":1},\"b\":{\"x\":1,\"y\":2}},"
        "{\"a\":{\"x\":1,\"y\":2},\"b\":{\"x\":1}},"
        "{\"a\":{\"x\":1,\"y\":[2]},\"b\":{\"\\u0079\":[2.0],\"x\":1}},"
        "{\"a\":[],\"b\":{}},{\"a\":\"1\",\"b\":1}]";

    finds("$.id", "9007199254740993");
    finds("$['total']", "123456789012345678901234567890.5");
    finds("$.items[*].sku", "\"A\",\"B\",\"C\",\"D\"");
    finds("$.items[1].sku", "\"B\"");
    finds("$.items[-1]['sku']", "\"D\"");
    finds("$.items[::-2].sku", "\"D\",\"B\"");
    finds("$.nothing", "");

    /* decimals by value, beyond what a double tells apart */

    finds("$.items[?@.n==1.5].sku", "\"A\",\"B\",\"C\"");
    finds("$.items[?@.n<1.5].sku", "\"D\"");
    finds("$.items[?@.n<=0.15e1].sku", "\"A\",\"B\",\"C\",\"D\"");
    finds("$.items[?@.n>1.4999999999999999999999998].sku",
          "\"A\",\"B\",\"C\",\"D\"");
    finds("$[?@==9007199254740992]", "");
    finds("$[?@==9007199254740993.0]", "9007199254740993");
    finds("$[?@>9007199254740992 && @<9007199254740994]",
          "9007199254740993");
    finds("$[?@>1234567890123456789012345678.905e2]", "");
    finds("$[?@>=1234567890123456789012345678.905e2]",
          "123456789012345678901234567890.5");
    finds("$[?@>-1E400 && @<1E400]",
          "9007199254740993,123456789012345678901234567890.5");
    finds("$[?1E400<1E401 && -1E401<-1E400 && 1E-401<1E-400 && 0E9==-0.0"
          " && @<1e99999999999999999999999999]",
          "9007199254740993,123456789012345678901234567890.5");
    finds("$[?0.001==1e-3 && 100==1E2 && 0.0100<0.0101 && -1<0.1 && @>2]",
          "9007199254740993,123456789012345678901234567890.5");

    finds_in(pairs, "$[?@.a==@.b]",
             "{\"a\":{\"x\":1,\"y\":[2]},\"b\":{\"\\u0079\":[2.0],\"x\":1}}");

    finds("$..[?match(@.sku,'[A-B]')].sku", "\"A\",\"B\"");
    finds("$.re[?match('aaa',@)]", "\"a+\"");
    finds("$[?@.items]", "");
    finds("$..[?length(@)==1]", "\"A\",\"B\",\"C\",\"D\",\"(\"");
    finds("$[?count(@.*)>2]..sku", "\"A\",\"B\",\"C\",\"D\"");
}


static void
test_invalid(void)
{
    size_t         i;
    char           deep[6000], *p;
    sync_path_t   *path;
    sync_error_t   err;

    static const struct {
        const char  *text;
        size_t       offset;
    } cases[] = {
        { "", 0 }, { "a", 0 }, { "@.a", 0 }, { "$.", 2 }, { "$a", 1 },
        { "$.a b", 3 }, { "$[1", 3 }, { "$['a", 4 }, { "$[?@.a==]", 8 },
        { "$[01]", 4 }, { "$[-0]", 4 }, { "$[9007199254740992]", 18 },
        { "$[?@.*==1]", 8 }, { "$['\\q']", 4 }, { "$['\xff']", 3 },
        { "$[?match(@,'(')]", 14 }, { "$[?nope(@)]", 3 },
        { "$[?match(@,'a{2')]", 16 }, { "$[?!@.a==1]", 7 },
        { "$[?1==@.*]", 9 }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ok(sync_path_compile(&path, arena, str(cases[i].text), &err)
           == SYNC_NO && strcmp(err.what, "path") == 0,
           "%s is no path", cases[i].text);
        is_int(err.offset, cases[i].offset, "its place");
    }

    for (i = 31; i < 34; i++) {
        p = deep + sprintf(deep, "$[?");
        memset(p, '(', i);
        p += i;
        p += sprintf(p, "@.a");
        memset(p, ')', i);
        sprintf(p + i, "]");

        ok(sync_path_compile(&path, arena, str(deep), &err)
           == (i < 32 ? SYNC_OK : SYNC_NO), "%zu parentheses", i);
    }

    p = deep + sprintf(deep, "$[?(@.a)");

    for (i = 0; i < 40; i++) {
        p += sprintf(p, "||(@.a)");
    }

    sprintf(p, "]");
    ok(sync_path_compile(&path, arena, str(deep), &err) == SYNC_OK,
       "40 parentheses side by side");

    for (i = 128; i < 130; i++) {
        deep[0] = '$';

        for (p = deep + 1; p < deep + 1 + 2 * i; p += 2) {
            p[0] = '.';
            p[1] = 'a';
        }

        *p = '\0';

        ok(sync_path_compile(&path, arena, str(deep), &err)
           == (i == 128 ? SYNC_OK : SYNC_NO), "%zu segments", i);
    }

    memset(deep, ' ', 4097);
    deep[0] = '$';
    deep[4096] = 'a';
    deep[4095] = '.';
    deep[4097] = '\0';
    ok(sync_path_compile(&path, arena, str(deep), &err) == SYNC_NO,
       "4,097 bytes");
    ok(sync_path_compile(&path, arena, str(deep + 4097), NULL) == SYNC_NO,
       "no place for the error");
}


static void
test_single(void)
{
    uint64_t      work;
    sync_json_t   j;
    sync_path_t  *path, *wild;

    j = parsed(order);

    ok(sync_path_compile(&path, arena, str("$.items[3].sku"), NULL)
       == SYNC_OK && sync_path_is_singular(path), "a singular query");
    ok(sync_path_compile(&wild, arena, str("$.items[*]"), NULL) == SYNC_OK
       && !sync_path_is_singular(wild), "one that is not");

    is_str(sync_json_raw(&j, sync_path_single(path, &j, 0, NULL)), "\"D\"",
           "its node");
    is_int(sync_path_single(wild, &j, 0, NULL), SYNC_JSON_NONE, "no node");

    ok(sync_path_compile(&wild, arena, str("$"), NULL) == SYNC_OK
       && sync_path_single(wild, &j, 4, NULL) == 4, "$ is the node given");

    work = 100;
    (void) sync_path_single(path, &j, 0, &work);
    ok(work > 80 && work < 100, "work is charged");

    work = 3;
    is_int(sync_path_single(path, &j, 0, &work), SYNC_JSON_NONE,
           "work that runs out");
    is_int(work, 0, "leaves none");
}


/* Every amount of work below the one needed is refused, in every place. */

static void
test_work(void)
{
    size_t              i;
    uint64_t            need, given, work;
    sync_rc_t           rc;
    sync_json_t         j;
    sync_path_t        *path;
    sync_error_t        err;
    sync_path_nodes_t   found;

    static const char  *paths[] = {
        "$..*", "$.items[?@.sku=='A']", "$.items[::2].n", "$.items[3,2,1].n",
        "$.items[?match(@.sku,'[AB]+')]", "$.re[?search('xaay',@)]",
        "$[?count($..*)>3]", "$[?length(@)>0]", "$.items[?@==$.items[0]]",
        "$[?value($..re)==@]", "$[?!@.x || @.y && @.z]"
    };

    j = parsed(order);

    for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {

        if (sync_path_compile(&path, arena, str(paths[i]), NULL) != SYNC_OK) {
            ok(0, "%s", paths[i]);
            continue;
        }

        work = 1000000;
        rc = sync_path_select(path, &j, 0, arena, &work, &found, &err);
        need = 1000000 - work + 1;

        for (given = 0; given < need && rc == SYNC_OK; given++) {
            work = given;

            if (sync_path_select(path, &j, 0, arena, &work, &found, &err)
                != SYNC_NO || work != 0
                || strcmp(err.what, "too-much-work") != 0)
            {
                break;
            }
        }

        ok(given == need, "%s: refused below %d", paths[i], (int) need);
    }
}


static void
test_hostile(void)
{
    char               *text;
    uint64_t            work;
    sync_rc_t           rc;
    sync_json_t         j;
    sync_path_t        *path;
    sync_error_t        err;
    sync_path_nodes_t   found;

    /* a pattern that backtracks without end, and 2^n descents */

    text = malloc(100100);
    memset(text, 'a', 100100);
    memcpy(text, "[\"", 2);
    memcpy(text + 100000, "b\"]", 4);

    j = parsed(text);
    work = 10000000;

    rc = sync_path_compile(&path, arena, str("$[?match(@,'(a*)*c')]"), NULL);

    if (rc == SYNC_OK) {
        rc = sync_path_select(path, &j, 0, arena, &work, &found, &err);
    }

    ok(rc == SYNC_NO && strcmp(err.what, "too-much-work") == 0,
       "a pattern that does not end is stopped");

    /* what PCRE2 does inside counts as well */

    j = parsed("[\"aaaaaaaaaaaaaaba\"]");

    rc = sync_path_compile(&path, arena, str("$[?match(@,'(a*)*b')]"), NULL);

    if (rc == SYNC_OK) {
        work = 500;
        rc = sync_path_select(path, &j, 0, arena, &work, &found, &err);
    }

    ok(rc == SYNC_NO && work == 0, "a match that costs more than there is");

    work = 100000000;
    rc = sync_path_select(path, &j, 0, arena, &work, &found, &err);
    ok(rc == SYNC_OK && found.count == 0 && work < 100000000 - 5000,
       "and one that is paid");

    memset(text, '[', 60);
    memset(text + 60, ']', 60);
    text[120] = '\0';
    j = parsed(text);
    work = 1000000;

    rc = sync_path_compile(&path, arena,
                           str("$..*..*..*..*..*..*..*..*..*"), NULL);

    if (rc == SYNC_OK) {
        rc = sync_path_select(path, &j, 0, arena, &work, &found, &err);
    }

    ok(rc == SYNC_NO && work == 0, "descents that multiply are stopped");

    free(text);
}


static void
test_iregexp(void)
{
    int              matched;
    size_t           i;
    uint64_t         work;
    sync_iregexp_t  *re;

    static const struct {
        const char  *pattern;
        const char  *subject;
        int          whole;
        int          matched;        /* -1: no I-Regexp */
    } cases[] = {
        { "", "", 1, 1 }, { "", "a", 1, 0 }, { "", "a", 0, 1 },
        { "a|b", "b", 1, 1 }, { "ab|cd", "abd", 1, 0 },
        { "a|", "", 1, 1 }, { "(a|b)c", "bc", 1, 1 },
        { "a{2}", "aa", 1, 1 }, { "a{2}", "aaa", 1, 0 },
        { "a{2,}", "aaaa", 1, 1 }, { "a{1,2}", "aaa", 1, 0 },
        { ".", "\n", 1, 0 }, { ".", "\xf0\x9f\x98\x80", 1, 1 },
        { "[^a]", "\n", 1, 1 }, { "[a-c-]", "-", 1, 1 },
        { "[-a]", "-", 1, 1 }, { "[$^]", "^", 1, 1 },
        { "[()*+.?{|}]", "|", 1, 1 }, { "[\\[\\]]", "]", 1, 1 },
        { "[\\n-\\r]", "\r", 1, 1 }, { "\\p{Lu}\\p{Nd}", "A1", 1, 1 },
        { "[\\p{L}_]+", "a_\xc3\xa9", 1, 1 }, { "[^\\P{Lu}]", "A", 1, 1 },
        { "a", "a\n", 1, 0 }, { "a$", "a\n", 0, 0 }, { "^b", "ab", 0, 0 },
        { "#/<>=@_`~!\"%&',-:;", "#/<>=@_`~!\"%&',-:;", 1, 1 },
        { "\\$\\^", "$^", 1, 1 }, { "\xc3\xa9+", "\xc3\xa9\xc3\xa9", 1, 1 },

        { "(", "", 1, -1 }, { ")", "", 1, -1 }, { "a)", "", 1, -1 },
        { "[", "", 1, -1 }, { "[]", "", 1, -1 }, { "[^]", "", 1, -1 },
        { "[a", "", 1, -1 }, { "[a-", "", 1, -1 }, { "[b-a]", "", 1, -1 },
        { "[a--]", "", 1, -1 }, { "[[:alpha:]]", "", 1, -1 },
        { "[a-\\p{L}]", "", 1, -1 }, { "]", "", 1, -1 }, { "}", "", 1, -1 },
        { "*", "", 1, -1 }, { "a**", "", 1, -1 }, { "a+?", "", 1, -1 },
        { "a{", "", 1, -1 }, { "a{}", "", 1, -1 }, { "a{,2}", "", 1, -1 },
        { "a{2,1}", "", 1, -1 }, { "a{1", "", 1, -1 },
        { "a{999999}", "", 1, -1 }, { "a{99999}", "", 1, -1 },
        { "\\", "", 1, -1 }, { "\\d", "", 1, -1 }, { "\\w", "", 1, -1 },
        { "\\1", "", 1, -1 }, { "\\b", "", 1, -1 }, { "(?i)a", "", 1, -1 },
        { "(?=a)", "", 1, -1 }, { "\\p{Greek}", "", 1, -1 },
        { "\\p{Lx}", "", 1, -1 }, { "\\pL", "", 1, -1 },
        { "\\p{", "", 1, -1 }, { "\\Qa\\E", "", 1, -1 }, { "\xff", "", 1, -1 }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        matched = -1;
        work = 10000;

        if (sync_iregexp_compile(&re, NULL, str(cases[i].pattern),
                                 cases[i].whole, NULL) == SYNC_OK)
        {
            sync_iregexp_match(re, str(cases[i].subject), &work, &matched,
                               NULL);
            sync_iregexp_free(re);
        }

        is_int(matched, cases[i].matched, "/%s/ and \"%s\"",
               cases[i].pattern, cases[i].subject);
    }
}


int
main(void)
{
    arena = sync_arena_create(64 * 1024);

    test_suite();
    test_values();
    test_invalid();
    test_single();
    test_work();
    test_hostile();
    test_iregexp();

    sync_arena_destroy(arena);

    return done_testing();
}
