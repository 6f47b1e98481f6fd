
/*
 * Forms: what is read, refused, written, and that it comes back as it was.
 */


#include "sync_format.h"
#include "text.h"


typedef struct {
    const char  *form;
    const char  *json;                   /* NULL: refused */
    const char  *what;
    size_t       offset;
} form_row_t;


static const form_row_t  rows[] = {

    { "", "{}", NULL, 0 },
    { "&", "{}", NULL, 0 },
    { "a=1", "{\"a\":\"1\"}", NULL, 0 },
    { "a=1&b=2", "{\"a\":\"1\",\"b\":\"2\"}", NULL, 0 },
    { "&a=1&&b=2&", "{\"a\":\"1\",\"b\":\"2\"}", NULL, 0 },
    { "a", "{\"a\":\"\"}", NULL, 0 },
    { "a=", "{\"a\":\"\"}", NULL, 0 },
    { "=a", "{\"\":\"a\"}", NULL, 0 },
    { "a=b=c", "{\"a\":\"b=c\"}", NULL, 0 },
    { "a+b=c+d", "{\"a b\":\"c d\"}", NULL, 0 },
    { "a%20b=%2B%26%3D", "{\"a b\":\"+&=\"}", NULL, 0 },
    { "a=%c3%BC", "{\"a\":\"\xc3\xbc\"}", NULL, 0 },
    { "a=\xc3\xbc", "{\"a\":\"\xc3\xbc\"}", NULL, 0 },
    { "a=%00", "{\"a\":\"\\u0000\"}", NULL, 0 },
    { "a=%22%5c", "{\"a\":\"\\\"\\\\\"}", NULL, 0 },
    { "n=9007199254740993&m=0.10", "{\"n\":\"9007199254740993\","
      "\"m\":\"0.10\"}", NULL, 0 },
    { "i[0][sku]=R1", "{\"i[0][sku]\":\"R1\"}", NULL, 0 },
    { "tag=x&a=1&tag=y", "{\"tag\":[\"x\",\"y\"],\"a\":\"1\"}", NULL, 0 },
    { "tag=x", "{\"tag\":[\"x\"]}", NULL, 0 },
    { "t%61g=x&tag=", "{\"tag\":[\"x\",\"\"]}", NULL, 0 },

    { "a=1&b=2&a=3", NULL, "duplicate-member", 8 },
    { "a=1&%61=1", NULL, "duplicate-member", 4 },
    { "a=%", NULL, "syntax", 2 },
    { "a=%4", NULL, "syntax", 2 },
    { "a=%4&b=1", NULL, "syntax", 2 },
    { "a=%4g", NULL, "syntax", 2 },
    { "a=%g4", NULL, "syntax", 2 },
    { "a=1&b=%ff", NULL, "utf8", 6 },
    { "a=1&b=%c3", NULL, "utf8", 6 },
    { "a=1&%ed%a0%80=1", NULL, "utf8", 4 },
    { "a=\xff", NULL, "utf8", 2 },
};


/* A JSON value and the form it is written as; NULL: refused at pointer. */

typedef struct {
    const char  *json;
    const char  *form;
    const char  *pointer;
} form_out_t;


static const form_out_t  outs[] = {

    { "{}", "", NULL },
    { "{\"a\":\"1\",\"b\":2}", "a=1&b=2", NULL },
    { "{\"a\":1E400,\"b\":true,\"c\":false,\"d\":null}",
      "a=1E400&b=true&c=false&d=", NULL },
    { "{\"a b\":\"c+d&e=f%\"}", "a+b=c%2Bd%26e%3Df%25", NULL },
    { "{\"a\":\"\\u00fc~*-._/\"}", "a=%C3%BC%7E*-._%2F", NULL },
    { "{\"a\":[\"x\",1],\"b\":[]}", "a=x&a=1", NULL },
    { "{\"a\":{\"b\":1}}", NULL, "/a" },
    { "{\"a\":[1,[2]]}", NULL, "/a/1" },
    { "[1]", NULL, "" },
};


static void
bounds(sync_arena_t *arena)
{
    size_t                 i;
    uint64_t               work;
    sync_str_t             json, text;
    sync_error_t           err;
    unsigned char         *p;
    sync_format_limits_t   limits;

    memset(&limits, 0, sizeof(limits));

    limits.size = 6;
    is_int(sync_form_read(arena, plain("a=1&b=2"), &limits, &json, &err),
           SYNC_NO, "over the size");
    is_str(plain(err.what), "too-large", "says so");

    limits.size = 7;
    limits.nodes = 2;
    is_int(sync_form_read(arena, plain("a=1&b=2"), &limits, &json, &err),
           SYNC_OK, "up to the size and the number of names");

    limits.nodes = 1;
    is_int(sync_form_read(arena, plain("a=1&b=2"), &limits, &json, &err),
           SYNC_NO, "over the number of names");
    is_str(plain(err.what), "too-many-nodes", "says so");

    limits.nodes = 0;
    limits.max = 16;
    is_int(sync_form_read(arena, plain("a=1&b=2"), &limits, &json, &err),
           SYNC_NO, "over the bytes of JSON");
    is_str(plain(err.what), "too-large", "says so");

    limits.max = 0;
    limits.work = &work;
    work = 2;
    is_int(sync_form_read(arena, plain("a=1&b=2"), &limits, &json, &err),
           SYNC_OK, "the work is enough");
    is_int(work, 0, "and is spent");

    work = 1;
    is_int(sync_form_read(arena, plain("a=1&b=2"), &limits, &json, &err),
           SYNC_NO, "too much work");
    is_str(plain(err.what), "too-much-work", "says so");

    /* many names in an order that a bad sort would be slow on */

    limits.work = NULL;
    limits.size = 0;
    text.len = 8 * 200000;
    text.data = p = sync_alloc(arena, text.len + 1);

    for (i = 0; i < 200000; i++) {
        snprintf((char *) p, 9, "%06zu=&", i % 2 ? i : 200000 - i);
        p += 8;
    }

    is_int(sync_form_read(arena, text, &limits, &json, &err), SYNC_OK,
           "200,000 names");
}


int
main(void)
{
    size_t                 i;
    sync_rc_t              rc;
    sync_str_t             json, form;
    sync_json_t            t;
    sync_error_t           err;
    sync_arena_t          *arena;
    sync_format_limits_t   limits;
    static sync_str_t      lists[] = { sync_string("tag") };

    arena = sync_arena_create(0);

    memset(&limits, 0, sizeof(limits));
    limits.lists = lists;
    limits.nlists = 1;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        err.what = "";
        rc = sync_form_read(arena, plain(rows[i].form), &limits, &json, &err);

        if (rows[i].json == NULL) {
            ok(rc == SYNC_NO && strcmp(err.what, rows[i].what) == 0
               && err.offset == rows[i].offset,
               "%s is refused: %s at %zu (%s at %zu)", rows[i].form,
               rows[i].what, rows[i].offset, err.what, err.offset);
            continue;
        }

        if (!ok(rc == SYNC_OK, "%s is read", rows[i].form)) {
            continue;
        }

        is_str(json, rows[i].json, "%s as JSON", rows[i].form);

        /* there and back again */

        rc = tape(&t, arena, json);
        ok(rc == SYNC_OK
           && sync_form_write(&t, 0, arena, 0, &form, &err) == SYNC_OK
           && sync_form_read(arena, form, &limits, &json, &err) == SYNC_OK,
           "%s is written and read", rows[i].form);
        is_str(json, rows[i].json, "%s comes back", rows[i].form);
    }

    for (i = 0; i < sizeof(outs) / sizeof(outs[0]); i++) {
        (void) tape(&t, arena, plain(outs[i].json));
        rc = sync_form_write(&t, 0, arena, 0, &form, &err);

        if (outs[i].form) {
            is_int(rc, SYNC_OK, "%s is written", outs[i].json);
            is_str(form, outs[i].form, "%s as a form", outs[i].json);
            continue;
        }

        is_int(rc, SYNC_NO, "%s is no form", outs[i].json);
        is_str(plain(err.what), "format", "says so");
        is_str(err.pointer, outs[i].pointer, "and where");
    }

    (void) tape(&t, arena, plain("{\"a\":\"12345\"}"));
    is_int(sync_form_write(&t, 0, arena, 6, &form, &err), SYNC_NO,
           "over the bytes of a form");
    is_str(plain(err.what), "too-large", "says so");

    bounds(arena);

    sync_arena_destroy(arena);

    return done_testing();
}
