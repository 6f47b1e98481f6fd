
/*
 * Request templates: what is refused at load, and that no value says more in
 * a request than the template's author meant.
 */


#include "tap.h"
#include "sync_template.h"


typedef struct {
    const char  *text;
    const char  *message;
} broken_t;

typedef struct {
    const char  *text;
    const char  *id;
    const char  *target;             /* NULL: refused */
} render_t;


static sync_arena_t  *arena;


static void test_broken(void);
static void test_head(void);
static void test_hostile(void);
static void test_payload(void);
static void test_moved(void);


static sync_str_t
str(const char *s)
{
    return (sync_str_t) { strlen(s), (unsigned char *) (uintptr_t) s };
}


static const broken_t  broken[] = {
    { "", "does not begin with a method" },
    { "/orders", "does not begin with a method" },
    { "get /orders", "does not begin with a method" },
    { "TRACE /orders", "does not begin with a method" },
    { "GET", "does not begin with \"/\"" },
    { "GET ", "does not begin with \"/\"" },
    { "GET  /orders", "does not begin with \"/\"" },
    { "GET orders", "does not begin with \"/\"" },
    { "GET http://other.example/", "does not begin with \"/\"" },
    { "GET //other.example/", "empty path segment" },
    { "GET /a//b", "empty path segment" },
    { "GET /a/../b", "\".\" or \"..\"" },
    { "GET /a/..", "\".\" or \"..\"" },
    { "GET /a/./b", "\".\" or \"..\"" },
    { "GET /a/%2e%2E/b", "\".\" or \"..\"" },
    { "GET /a/.%2e?x=1", "\".\" or \"..\"" },
    { "GET /a\r\nHost: b", "not printable ASCII" },
    { "GET /a\tb", "not printable ASCII" },
    { "GET /b\xc3\xbc", "not printable ASCII" },
    { "GET /a b", "a space in the path" },
    { "GET /a#b", "a fragment" },
    { "GET /a%2", "two hexadecimal digits" },
    { "GET /a%zz", "two hexadecimal digits" },
    { "GET /a%0d%0a", "escaped control character" },
    { "GET /a<b", "has \"<\" in the path; write \"%3C\"" },
    { "GET /a\\b", "write \"%5C\"" },
    { "GET /a('b)", "a quote is not closed" },
    { "GET /a('b?c')", "the query begins inside of quotes" },
    { "GET /a?$filter=b eq 'c", "a quote is not closed" },
    { "GET /a/{id", "a \"{\" without its \"}\"" },
    { "GET /a/{id{id}}", "a \"{\" without its \"}\"" },
    { "GET /a/id}", "a \"}\" without its \"{\"" },
    { "GET /a/{}", "unknown placeholder \"{}\"; known are {id}, "
                   "{idempotency_key} and {/pointer}" },
    { "GET /a/{ID}", "unknown placeholder \"{ID}\"" },
    { "GET /a/{key}", "unknown placeholder \"{key}\"" },
    { "GET /a/{/}", "unknown placeholder" },
    { "GET /a/{/b~2}", "unknown placeholder" },
    { "GET /a?{id}=b", "in the name of a query member" },
    { "GET /a?b=c&{id}", "in the name of a query member" },
    { "GET /{id}{id}{id}{id}{id}{id}{id}{id}{id}", "more than 8" },
    { NULL, NULL }
};


#define LONG_50  "12345678901234567890123456789012345678901234567890"
#define LONG_300 LONG_50 LONG_50 LONG_50 LONG_50 LONG_50 LONG_50

#define SEGMENT  "GET /salesOrder/{id}"
#define QUOTED   "GET /A_SalesOrder('{id}')?$expand=to_Item"
#define NUMERIC  "GET /A_SalesOrder({id})"
#define FILTER   "GET /A_SalesOrder?$filter=PurchaseOrder eq '{id}'&$top=2"
#define BARE     "GET /A_SalesOrder?$filter=Number eq {id}"
#define VALUE    "GET /orders?number={id}&limit=1"
#define SOQL     "GET /query?q=SELECT Id FROM Order WHERE Name = '{id}'"
#define PREFIX   "PUT /salesOrder/eid:{id}"


static const render_t  renders[] = {
    { SEGMENT, "4711", "/salesOrder/4711" },
    { SEGMENT, "a-b.c_d~e", "/salesOrder/a-b.c_d~e" },
    { SEGMENT, "1') or ('1'='1",
      "/salesOrder/1%27%29%20or%20%28%271%27%3D%271" },
    { SEGMENT, "../x", "/salesOrder/..%2Fx" },
    { SEGMENT, "..", NULL },
    { SEGMENT, ".", NULL },
    { SEGMENT, "...", "/salesOrder/..." },
    { SEGMENT, "%2e%2e", "/salesOrder/%252e%252e" },
    { SEGMENT, "a/b", "/salesOrder/a%2Fb" },
    { SEGMENT, "a\\b", "/salesOrder/a%5Cb" },
    { SEGMENT, "a?b#c", "/salesOrder/a%3Fb%23c" },
    { SEGMENT, "a;b=c", "/salesOrder/a%3Bb%3Dc" },
    { SEGMENT, "", NULL },
    { SEGMENT, "a\r\nHost: b", NULL },
    { SEGMENT, "a\nb", NULL },
    { SEGMENT, "a\x7f", NULL },
    { SEGMENT, "M\xc3\xbcller", "/salesOrder/M%C3%BCller" },
    { SEGMENT, "\xf0\x9f\x93\xa6", "/salesOrder/%F0%9F%93%A6" },
    { SEGMENT, "\xc0\xae\xc0\xae", NULL },
    { SEGMENT, "\xe0\x80\xae", NULL },
    { SEGMENT, "\xed\xa0\x80", NULL },
    { SEGMENT, "\xf4\x90\x80\x80", NULL },
    { SEGMENT, "\xc2\x85", NULL },
    { SEGMENT, "a\xc3", NULL },
    { SEGMENT, "\x80", NULL },
    { SEGMENT, LONG_300, NULL },
    { SEGMENT, "{id}", "/salesOrder/%7Bid%7D" },

    { QUOTED, "4711", "/A_SalesOrder('4711')?$expand=to_Item" },
    { QUOTED, "1') or ('1'='1",
      "/A_SalesOrder('1%27%27%29%20or%20%28%27%271%27%27%3D%27%271')"
      "?$expand=to_Item" },
    { QUOTED, "'", "/A_SalesOrder('%27%27')?$expand=to_Item" },
    { QUOTED, "%27", "/A_SalesOrder('%2527')?$expand=to_Item" },
    { QUOTED, "../x", "/A_SalesOrder('..%2Fx')?$expand=to_Item" },
    { QUOTED, "", NULL },
    { QUOTED, "a\r\n", NULL },

    { NUMERIC, "4711", "/A_SalesOrder(4711)" },
    { NUMERIC, "1) or (1", NULL },
    { NUMERIC, "1,Other=2", NULL },
    { NUMERIC, "'1'", NULL },
    { NUMERIC, "%31", NULL },

    { FILTER, "PO 1",
      "/A_SalesOrder?$filter=PurchaseOrder%20eq%20'PO%201'&$top=2" },
    { FILTER, "x' or 1 eq 1 or 'y' eq 'y",
      "/A_SalesOrder?$filter=PurchaseOrder%20eq%20'x%27%27%20or%201%20eq%201"
      "%20or%20%27%27y%27%27%20eq%20%27%27y'&$top=2" },
    { FILTER, "x&$top=9",
      "/A_SalesOrder?$filter=PurchaseOrder%20eq%20'x%26%24top%3D9'&$top=2" },

    { BARE, "17", "/A_SalesOrder?$filter=Number%20eq%2017" },
    { BARE, "1 or 1 eq 1", NULL },
    { "GET /a?$filter={id}", "1 or 1 eq 1", NULL },

    { VALUE, "PO 1&limit=99", "/orders?number=PO%201%26limit%3D99&limit=1" },
    { VALUE, "a+b=c", "/orders?number=a%2Bb%3Dc&limit=1" },
    { VALUE, "'", "/orders?number=%27&limit=1" },
    { VALUE, "..", "/orders?number=..&limit=1" },

    { SOQL, "ORD-1",
      "/query?q=SELECT%20Id%20FROM%20Order%20WHERE%20Name%20="
      "%20'ORD-1'" },
    { SOQL, "x\\' OR Name != '", NULL },
    { SOQL, "x'", NULL },

    { PREFIX, "7", "/salesOrder/eid:7" },
    { PREFIX, "7/..", "/salesOrder/eid:7%2F.." },
    { "GET /a/.{id}", ".", NULL },
    { "GET /{id}/b", "a/../..", "/a%2F..%2F../b" },
    { "GET /", "", "/" },
    { "GET /a?b=[1] \"c\"", "", "/a?b=%5B1%5D%20%22c%22" },
    { "GET /a%20b", "", "/a%20b" },
    { "GET /a(%27{id}%27)", "'", "/a(%27%27%27%27)" },
    { NULL, NULL, NULL }
};


int
main(void)
{
    arena = sync_arena_create(16384);

    test_broken();
    test_head();
    test_hostile();
    test_payload();
    test_moved();

    sync_arena_destroy(arena);

    return done_testing();
}


static void
test_broken(void)
{
    char             text[SYNC_TEMPLATE_TEXT + 2];
    sync_str_t       code;
    sync_error_t     err;
    const broken_t  *b;

    for (b = broken; b->text != NULL; b++) {
        memset(&err, 0, sizeof(err));

        if (!ok(sync_template_compile(arena, str(b->text), &code, &err)
                == SYNC_NO && strstr(err.text, b->message)
                && strcmp(err.what, "template") == 0,
                "refused: \"%s\": %s", b->text, b->message))
        {
            diag("said: %s", err.text);
        }
    }

    memset(text, 'a', sizeof(text));
    memcpy(text, "GET /", 5);
    text[sizeof(text) - 1] = '\0';

    ok(sync_template_compile(arena, str(text), &code, &err) == SYNC_NO
       && strstr(err.text, "longer than 2048"), "refused: too long");

    text[sizeof(text) - 2] = '\0';

    ok(sync_template_compile(arena, str(text), &code, NULL) == SYNC_OK,
       "as long as may be");
}


static void
test_head(void)
{
    sync_str_t  code;

    ok(sync_template_compile(arena, str("PUT /o/eid:{idempotency_key}"), &code,
                             NULL) == SYNC_OK, "compiles");
    is_str(sync_template_method(code), "PUT", "its method");
    is_int(sync_template_uses(code), SYNC_TEMPLATE_KEY, "asks for the key");

    ok(sync_template_compile(arena, str("MERGE /o('{id}')?a={/b/c}"), &code,
                             NULL) == SYNC_OK, "compiles");
    is_str(sync_template_method(code), "MERGE", "its method");
    is_int(sync_template_uses(code), SYNC_TEMPLATE_ID|SYNC_TEMPLATE_PAYLOAD,
           "asks for id and payload");
}


static void
test_hostile(void)
{
    sync_rc_t                rc;
    sync_str_t               code, target;
    sync_error_t             err;
    const render_t          *r;
    sync_template_values_t   values;

    for (r = renders; r->text != NULL; r++) {
        memset(&err, 0, sizeof(err));
        memset(&values, 0, sizeof(values));

        values.id = str(r->id);

        if (!ok(sync_template_compile(arena, str(r->text), &code, &err)
                == SYNC_OK, "compiles: %s", r->text))
        {
            diag("said: %s", err.text);
            continue;
        }

        rc = sync_template_render(code, &values, arena, &target, &err);

        if (r->target == NULL) {
            ok(rc == SYNC_NO && strcmp(err.what, "bad-value") == 0
               && strstr(err.text, "{id}")
               && (r->id[0] == '\0' || strlen(r->id) < 5
                   || strstr(err.text, r->id) == NULL),
               "refused, and not shown: %.40s in %s", r->id, r->text);
            continue;
        }

        if (ok(rc == SYNC_OK, "renders: %.40s in %s", r->id, r->text)) {
            is_str(target, r->target, "as it should be");
        }
    }

    /* no byte of a URI is missing from what is let through */

    memset(&values, 0, sizeof(values));
    values.id = (sync_str_t) { 1, (unsigned char *) "\0" };

    (void) sync_template_compile(arena, str(SEGMENT), &code, NULL);

    ok(sync_template_render(code, &values, arena, &target, &err) == SYNC_NO,
       "a NUL is refused");
}


static void
test_payload(void)
{
    sync_str_t               code, target;
    sync_json_t              json;
    sync_error_t             err;
    sync_template_values_t   values;

    memset(&values, 0, sizeof(values));

    ok(sync_json_parse(&json, arena,
                       str("{\"order\":{\"number\":\"PO \\u0027 1\","
                           "\"a/b\":9007199254740993,\"none\":null,"
                           "\"list\":[]}}"), NULL, &err) == SYNC_OK,
       "a payload");

    values.payload = &json;

    (void) sync_template_compile(arena,
                     str("GET /A?$filter=P eq '{/order/number}'"), &code,
                     NULL);
    ok(sync_template_render(code, &values, arena, &target, &err) == SYNC_OK,
       "a string of the payload");
    is_str(target, "/A?$filter=P%20eq%20'PO%20%27%27%201'",
           "unescaped, doubled, encoded");

    (void) sync_template_compile(arena, str("PATCH /A/{/order/a~1b}"), &code,
                                 NULL);
    ok(sync_template_render(code, &values, arena, &target, &err) == SYNC_OK,
       "a number of the payload");
    is_str(target, "/A/9007199254740993", "digit for digit");

    (void) sync_template_compile(arena, str("PATCH /A/{/order/gone}"), &code,
                                 NULL);
    ok(sync_template_render(code, &values, arena, &target, &err) == SYNC_NO,
       "an absent member");
    ok(strcmp(err.what, "no-value") == 0, "is no value");
    is_str(err.pointer, "/order/gone", "and where");

    (void) sync_template_compile(arena, str("PATCH /A/{/order/none}"), &code,
                                 NULL);
    ok(sync_template_render(code, &values, arena, &target, &err) == SYNC_NO,
       "null is no value");

    (void) sync_template_compile(arena, str("PATCH /A/{/order/list}"), &code,
                                 NULL);
    ok(sync_template_render(code, &values, arena, &target, &err) == SYNC_NO,
       "a list is no value");

    values.payload = NULL;

    ok(sync_template_render(code, &values, arena, &target, &err) == SYNC_NO
       && strcmp(err.what, "no-value") == 0, "and without a payload");
}


static void
test_moved(void)
{
    sync_str_t               code, moved, target;
    sync_arena_t            *first;
    sync_template_values_t   values;

    memset(&values, 0, sizeof(values));

    values.id = str("4711");
    values.idempotency_key = str("k-1");

    first = sync_arena_create(0);

    (void) sync_template_compile(first, str("PUT /a/{id}/{idempotency_key}"),
                                 &code, NULL);
    moved = sync_strdup(arena, code);
    sync_arena_destroy(first);

    ok(sync_template_render(moved, &values, arena, &target, NULL) == SYNC_OK,
       "renders from elsewhere");
    is_str(target, "/a/4711/k-1", "as before");
}
