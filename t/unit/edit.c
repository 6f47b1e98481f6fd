
/*
 * Values left out or hidden when a tape is written again.
 */


#include "tap.h"
#include "sync_edit.h"


static sync_arena_t  *arena;


static sync_str_t
str(const char *s)
{
    return (sync_str_t) { strlen(s), (unsigned char *) (uintptr_t) s };
}


typedef struct {
    const char   *text;
    const char   *want;
    struct {
        const char   *pattern;
        sync_edit_e   how;
    } rules[3];
} case_t;


static void
test_edits(void)
{
    size_t          i, k;
    uint64_t        work;
    sync_str_t      text;
    sync_json_t     json;
    sync_edit_t     edit;
    sync_error_t    err;
    const case_t   *c;

    static const case_t  cases[] = {
        { "{\"a\":1}", "{\"a\":1}", { { "/b", SYNC_EDIT_REMOVE } } },
        { "{\"a\": 1, \"b\": 1E+02}", "{\"b\":1E+02}",
          { { "/a", SYNC_EDIT_REMOVE } } },
        { "{\"a\":1}", "{}", { { "/a", SYNC_EDIT_REMOVE } } },
        { "{\"\\u0061\\/\":{\"b\":1,\"c\":2}}", "{\"\\u0061\\/\":{\"c\":2}}",
          { { "/a~1/b", SYNC_EDIT_REMOVE } } },
        { "{\"a/b\":1,\"~\":2,\"*\":3}", "{}",
          { { "/a~1b", SYNC_EDIT_REMOVE }, { "/~0", SYNC_EDIT_REMOVE },
            { "/*", SYNC_EDIT_REMOVE } } },
        { "[1,2,3]", "[1,3]", { { "/1", SYNC_EDIT_REMOVE } } },
        { "[1,2,3]", "[1,2,3]", { { "/3", SYNC_EDIT_REMOVE },
                                  { "/x", SYNC_EDIT_REMOVE },
                                  { "/-1", SYNC_EDIT_REMOVE } } },
        { "[{\"a\":1,\"b\":[]},{\"a\":2},7]", "[{\"b\":[]},{},7]",
          { { "/*/a", SYNC_EDIT_REMOVE } } },
        { "{\"x\":{\"a\":1},\"y\":{\"a\":2,\"b\":3}}",
          "{\"x\":{},\"y\":{\"b\":3}}", { { "/*/a", SYNC_EDIT_REMOVE } } },
        { "{\"a\":{\"b\":1},\"c\":2}", "{\"a\":null,\"c\":2}",
          { { "/a/b", SYNC_EDIT_STARS }, { "/a", SYNC_EDIT_NULL } } },
        { "{\"a\":1,\"b\":2}", "{\"a\":\"***\",\"b\":null}",
          { { "/b", SYNC_EDIT_NULL }, { "/a", SYNC_EDIT_STARS },
            { "/b", SYNC_EDIT_STARS } } },
        { "{\"a\":[1,{\"b\":2}]}", "{\"a\":\"***\"}",
          { { "/a", SYNC_EDIT_LAST4 } } },
        { "{\"a\":\"12345678\"}", "{\"a\":\"***5678\"}",
          { { "/a", SYNC_EDIT_LAST4 } } },
        { "{\"a\":\"1234567\"}", "{\"a\":\"***\"}",
          { { "/a", SYNC_EDIT_LAST4 } } },
        { "{\"a\":\"1234\\u00e4\xc3\xb6\\\"8\"}",
          "{\"a\":\"***\xc3\xa4\xc3\xb6\\\"8\"}",
          { { "/a", SYNC_EDIT_LAST4 } } },
        { "{\"a\":\"\\u00e4\\u00e4\\u00e4\\u00e4\"}", "{\"a\":\"***\"}",
          { { "/a", SYNC_EDIT_LAST4 } } },
        { "{\"a\":1234567890123456789012}", "{\"a\":\"***9012\"}",
          { { "/a", SYNC_EDIT_LAST4 } } },
        { "{\"a\":null,\"b\":true}", "{\"a\":null,\"b\":\"***\"}",
          { { "/a", SYNC_EDIT_STARS }, { "/b", SYNC_EDIT_LAST4 } } },
        { "7", "7", { { "/a", SYNC_EDIT_REMOVE } } }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        c = &cases[i];
        work = 1000;

        if (sync_json_parse(&json, arena, str(c->text), NULL, &err)
            != SYNC_OK)
        {
            diag("%s: %s", c->text, err.text);
            exit(1);
        }

        sync_edit_init(&edit, &json, arena);

        for (k = 0; k < 3 && c->rules[k].pattern; k++) {
            if (sync_edit_add(&edit, 0, str(c->rules[k].pattern),
                              c->rules[k].how, &work)
                != SYNC_OK)
            {
                diag("%s", c->rules[k].pattern);
            }
        }

        text = sync_str_null;
        (void) sync_edit_write(&edit, 0, 0, &text);

        is_str(text, c->want, "%s of %s", c->rules[0].pattern, c->text);
    }
}


static void
test_bounds(void)
{
    char          text[20000];
    size_t        i;
    uint64_t      work;
    sync_str_t    out;
    sync_json_t   json;
    sync_edit_t   edit;

    text[0] = '[';

    for (i = 0; i < 5000; i++) {
        memcpy(text + 1 + i * 2, "1,", 2);
    }

    memcpy(text + 10000, "]", 2);

    (void) sync_json_parse(&json, arena, str(text), NULL, NULL);

    sync_edit_init(&edit, &json, arena);
    work = 1000;

    is_int(sync_edit_add(&edit, 0, str("/*"), SYNC_EDIT_NULL, &work),
           SYNC_NO, "more work than is allowed");
    is_int(work, 0, "none is left");

    sync_edit_init(&edit, &json, arena);
    work = 100000;

    is_int(sync_edit_add(&edit, 0, str("/*"), SYNC_EDIT_NULL, &work),
           SYNC_NO, "more places than are allowed");
    ok(work > 0, "which is something else");

    sync_edit_init(&edit, &json, arena);

    is_int(sync_edit_write(&edit, 0, 100, &out), SYNC_NO,
           "a text over its bound");

    memset(text, '[', 128);
    memset(text + 128, ']', 128);
    text[256] = '\0';

    (void) sync_json_parse(&json, arena, str(text), NULL, NULL);
    sync_edit_init(&edit, &json, arena);

    for (i = 0; i < 127; i++) {
        memcpy(text + 512 + i * 2, "/*", 3);
    }

    work = 1000;
    is_int(sync_edit_add(&edit, 0, str(text + 512), SYNC_EDIT_STARS, &work),
           SYNC_OK, "a pattern as deep as a tape");
    is_int(edit.count, 1, "has its place");
    is_int(sync_edit_write(&edit, 0, 0, &out), SYNC_OK, "and is written");
    is_int(out.len, 127 * 2 + 5, "all of it");
}


int
main(void)
{
    arena = sync_arena_create(64 * 1024);

    test_edits();
    test_bounds();

    sync_arena_destroy(arena);

    return done_testing();
}
