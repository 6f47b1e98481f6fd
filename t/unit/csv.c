
/*
 * CSV: what is read, refused, written, and that it comes back as it was.
 */


#include "sync_format.h"
#include "text.h"


typedef struct {
    const char  *csv;
    const char  *json;                   /* NULL: refused */
    const char  *what;
    size_t       offset;
    const char  *line;                   /* the text begins so */
} csv_row_t;


static const csv_row_t  rows[] = {

    { "a", "[]", NULL, 0, NULL },
    { "a\r\n", "[]", NULL, 0, NULL },
    { "a,b\r\n1,2\r\n", "[{\"a\":\"1\",\"b\":\"2\"}]", NULL, 0, NULL },
    { "a,b\n1,2\n", "[{\"a\":\"1\",\"b\":\"2\"}]", NULL, 0, NULL },
    { "a,b\n1,2", "[{\"a\":\"1\",\"b\":\"2\"}]", NULL, 0, NULL },
    { "a,b\r\n1,2\n3,4", "[{\"a\":\"1\",\"b\":\"2\"},"
      "{\"a\":\"3\",\"b\":\"4\"}]", NULL, 0, NULL },
    { "\xef\xbb\xbf" "a\n1", "[{\"a\":\"1\"}]", NULL, 0, NULL },
    { "\xef\xbb\xbf\xef\xbb\xbf" "a\n\xef\xbb\xbf",
      "[{\"\xef\xbb\xbf" "a\":\"\xef\xbb\xbf\"}]", NULL, 0, NULL },
    { "a,b\n,\n", "[{\"a\":\"\",\"b\":\"\"}]", NULL, 0, NULL },
    { "a,b\n\"\",\"\"", "[{\"a\":\"\",\"b\":\"\"}]", NULL, 0, NULL },
    { "a\n\nx\n", "[{\"a\":\"\"},{\"a\":\"x\"}]", NULL, 0, NULL },
    { "a,b\n\"1,2\",\"x\"\"y\"\n", "[{\"a\":\"1,2\",\"b\":\"x\\\"y\"}]",
      NULL, 0, NULL },
    { "a,b\n\"1\r\n2\",\"\n\"", "[{\"a\":\"1\\r\\n2\",\"b\":\"\\n\"}]",
      NULL, 0, NULL },
    { "\"a,b\",\"c\"\"\"\n1,2", "[{\"a,b\":\"1\",\"c\\\"\":\"2\"}]",
      NULL, 0, NULL },
    { "a\n\"\"\"\"", "[{\"a\":\"\\\"\"}]", NULL, 0, NULL },
    { "a,b\n 1 , 2\n", "[{\"a\":\" 1 \",\"b\":\" 2\"}]", NULL, 0, NULL },
    { "a\n0.10\n9007199254740993\n-1E400", "[{\"a\":\"0.10\"},"
      "{\"a\":\"9007199254740993\"},{\"a\":\"-1E400\"}]", NULL, 0, NULL },
    { "a;b\n1;2", "[{\"a;b\":\"1;2\"}]", NULL, 0, NULL },
    { "\xc3\xbc\n\xe2\x82\xac", "[{\"\xc3\xbc\":\"\xe2\x82\xac\"}]",
      NULL, 0, NULL },

    { "", NULL, "syntax", 0, "there is no header" },
    { "\xef\xbb\xbf", NULL, "syntax", 0, "there is no header" },
    { "\n1", NULL, "syntax", 0, "line 1" },
    { "a,\n1,2", NULL, "syntax", 0, "line 1" },
    { "a,b,a\n1,2,3", NULL, "duplicate-member", 0, "line 1" },
    { "a,\"a\"\n1,2", NULL, "duplicate-member", 0, "line 1" },
    { "a,b\n1", NULL, "fields", 4, "line 2 has fewer" },
    { "a,b\n1,2\n\n", NULL, "fields", 8, "line 3 has fewer" },
    { "a,b\n1,2,3", NULL, "fields", 4, "line 2 has more" },
    { "a,b\n1,2,", NULL, "fields", 4, "line 2 has more" },
    { "a\n\"x\ny\nz", NULL, "syntax", 2, "line 2: a quoted field" },
    { "a,b\n\"x\ny\",\"z\n1", NULL, "syntax", 10, "line 3: a quoted field" },
    { "a\nx\"y\"\n", NULL, "syntax", 3, "line 2: a quote stands" },
    { "a\n\"x\"y\n", NULL, "syntax", 5, "line 2: a quote stands" },
    { "a\n\"x\" \n", NULL, "syntax", 5, "line 2: a quote stands" },
    { "a\rb\n", NULL, "syntax", 1, "line 1: a carriage return" },
    { "a\n1\r", NULL, "syntax", 3, "line 2: a carriage return" },
    { "a\nx\xff", NULL, "utf8", 3, "line 2" },
};


/* A JSON value and the table it is written as; NULL: refused at pointer. */

typedef struct {
    const char  *json;
    const char  *csv;
    const char  *pointer;
} csv_out_t;


static const csv_out_t  outs[] = {

    { "[]", "", NULL },
    { "{\"a\":1}", "a\r\n1\r\n", NULL },
    { "[{\"a\":1E400,\"b\":true},{\"a\":null,\"b\":\"\"}]",
      "a,b\r\n1E400,true\r\n,\r\n", NULL },
    { "[{\"a\":null},{\"a\":\"\"}]", "a\r\n\"\"\r\n\"\"\r\n", NULL },
    { "[{\"a\":\"x,y\",\"b\":\"\\\"\"},{\"b\":\"1\\n2\",\"a\":\" x\"}]",
      "a,b\r\n\"x,y\",\"\"\"\"\r\n\" x\",\"1\n2\"\r\n", NULL },
    { "[{\"a\":1,\"b\":2},{\"b\":3}]", "a,b\r\n1,2\r\n,3\r\n", NULL },

    { "[{\"a\":1},{\"a\":1,\"b\":2}]", NULL, "/1" },
    { "[{\"a\":1},{\"b\":2}]", NULL, "/1" },
    { "[{\"a\":1},2]", NULL, "/1" },
    { "[{\"a\":{}}]", NULL, "/0/a" },
    { "[{\"a\":1},{\"a\":[]}]", NULL, "/1/a" },
    { "[{}]", NULL, "/0" },
    { "[{\"\":1}]", NULL, "/0/" },
    { "7", NULL, "" },
};


static void
bounds(sync_arena_t *arena)
{
    uint64_t              work;
    sync_str_t            json;
    sync_error_t          err;
    sync_format_limits_t  limits;

    memset(&limits, 0, sizeof(limits));

    limits.size = 7;
    limits.nodes = 4;
    is_int(sync_csv_read(arena, plain("a,b\n1,2"), &limits, &json, &err),
           SYNC_OK, "up to the size and the number of fields");

    limits.size = 6;
    is_int(sync_csv_read(arena, plain("a,b\n1,2"), &limits, &json, &err),
           SYNC_NO, "over the size");
    is_str(plain(err.what), "too-large", "says so");

    limits.size = 0;
    limits.nodes = 3;
    is_int(sync_csv_read(arena, plain("a,b\n1,2"), &limits, &json, &err),
           SYNC_NO, "over the number of fields");
    is_str(plain(err.what), "too-many-nodes", "says so");

    limits.nodes = 0;
    limits.max = 10;
    is_int(sync_csv_read(arena, plain("a,b\n1,2"), &limits, &json, &err),
           SYNC_NO, "over the bytes of JSON");
    is_str(plain(err.what), "too-large", "says so");

    limits.max = 0;
    limits.work = &work;
    work = 4;
    is_int(sync_csv_read(arena, plain("a,b\n1,2"), &limits, &json, &err),
           SYNC_OK, "the work is enough");

    work = 3;
    is_int(sync_csv_read(arena, plain("a,b\n1,2"), &limits, &json, &err),
           SYNC_NO, "too much work");
    is_str(plain(err.what), "too-much-work", "says so");
}


int
main(void)
{
    size_t                 i;
    sync_rc_t              rc;
    sync_str_t             json, csv;
    sync_json_t            t;
    sync_error_t           err;
    sync_arena_t          *arena;
    sync_format_limits_t   limits;

    arena = sync_arena_create(0);

    memset(&limits, 0, sizeof(limits));

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        err.what = "";
        rc = sync_csv_read(arena, plain(rows[i].csv), &limits, &json, &err);

        if (rows[i].json == NULL) {
            ok(rc == SYNC_NO && strcmp(err.what, rows[i].what) == 0
               && err.offset == rows[i].offset
               && strncmp(err.text, rows[i].line, strlen(rows[i].line)) == 0,
               "%s is refused: %s at %zu, %s (%s at %zu, %s)", rows[i].csv,
               rows[i].what, rows[i].offset, rows[i].line, err.what,
               err.offset, err.text);
            continue;
        }

        if (!ok(rc == SYNC_OK, "%s is read", rows[i].csv)) {
            continue;
        }

        is_str(json, rows[i].json, "%s as JSON", rows[i].csv);

        /* a header alone has nobody to remember it */

        rc = tape(&t, arena, json);

        if (t.nodes[0].len == 0) {
            continue;
        }

        ok(rc == SYNC_OK
           && sync_csv_write(&t, 0, arena, 0, &csv, &err) == SYNC_OK
           && sync_csv_read(arena, csv, &limits, &json, &err) == SYNC_OK,
           "%s is written and read", rows[i].csv);
        is_str(json, rows[i].json, "%s comes back", rows[i].csv);
    }

    for (i = 0; i < sizeof(outs) / sizeof(outs[0]); i++) {
        (void) tape(&t, arena, plain(outs[i].json));
        rc = sync_csv_write(&t, 0, arena, 0, &csv, &err);

        if (outs[i].csv) {
            is_int(rc, SYNC_OK, "%s is written", outs[i].json);
            is_str(csv, outs[i].csv, "%s as a table", outs[i].json);
            continue;
        }

        is_int(rc, SYNC_NO, "%s is no table", outs[i].json);
        is_str(plain(err.what), "format", "says so");
        is_str(err.pointer, outs[i].pointer, "and where");
    }

    bounds(arena);

    sync_arena_destroy(arena);

    return done_testing();
}
