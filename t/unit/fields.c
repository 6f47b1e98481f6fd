
/*
 * Field lists: what a sales_order/1 must look like.
 */


#include "sync_fields.h"
#include "tap.h"


#define HEAD                                                                  \
    "\"order_number\":\"1\",\"order_date\":\"2026-11-21\","                   \
    "\"currency\":\"EUR\",\"sold_to\":{\"id\":\"42\"}"
#define ITEMS  "\"items\":[{\"sku\":\"R1\",\"quantity\":\"1\"}]"
#define FULL   HEAD "," ITEMS


/* A payload and its one fault; what NULL: none. */

typedef struct {
    const char  *payload;
    const char  *what;
    const char  *pointer;
    int          update;
} fields_row_t;


static const fields_row_t  rows[] = {
    { "{" FULL "}", NULL, NULL, 0 },
    { "[]", "type", "", 0 },
    { "{" FULL ",\"foo\":1}", "unknown-member", "/foo", 0 },
    { "{" FULL ",\"x-ext\":{\"any\":[1e999]}}", NULL, NULL, 0 },
    { "{" FULL ",\"x-ext\":[]}", "type", "/x-ext", 0 },
    { "{" HEAD "}", "required", "/items", 0 },
    { "{" HEAD ",\"items\":null}", "required", "/items", 0 },
    { "{" HEAD ",\"items\":[]}", "empty", "/items", 0 },
    { "{" HEAD ",\"items\":{}}", "type", "/items", 0 },
    { "{" HEAD ",\"items\":[{\"sku\":\"R1\",\"quantity\":\"1\"},7]}", "type",
      "/items/1", 0 },
    { "{" HEAD ",\"items\":[{\"sku\":\"R1\"}]}", "required",
      "/items/0/quantity", 0 },
    { "{" HEAD ",\"items\":[{\"sku\":\"\",\"quantity\":\"1\"}]}", "empty",
      "/items/0/sku", 0 },
    { "{" HEAD ",\"items\":[{\"sku\":\"R1\",\"quantity\":\"1\","
      "\"a~/b\":1}]}", "unknown-member", "/items/0/a~0~1b", 0 },
    { "{" HEAD ",\"items\":[{\"quantity\":\"1\",\"\\u0073ku\":\"R1\"}]}",
      NULL, NULL, 0 },
    { "{" HEAD ",\"items\":[{\"sku\":\"R1\",\"quantity\":1}]}", "type",
      "/items/0/quantity", 0 },
    { "{" HEAD ",\"items\":[{\"sku\":\"R1\",\"quantity\":\"1,5\"}]}",
      "decimal", "/items/0/quantity", 0 },
    { "{" HEAD ",\"items\":[{\"sku\":\"R1\",\"quantity\":\"01\"}]}",
      "decimal", "/items/0/quantity", 0 },
    { "{" FULL ",\"total\":\"123456789012345678901234567890.50\"}", NULL,
      NULL, 0 },
    { "{" FULL ",\"total\":\"-0.10\"}", NULL, NULL, 0 },
    { "{" FULL ",\"total\":\"1E2\"}", NULL, NULL, 0 },
    { "{" FULL ",\"total\":\"\"}", "decimal", "/total", 0 },
    { "{" FULL ",\"total\":\"+1\"}", "decimal", "/total", 0 },
    { "{" FULL ",\"status\":\"shipped\"}", NULL, NULL, 0 },
    { "{" FULL ",\"status\":\"Shipped\"}", "enum", "/status", 0 },
    { "{" FULL ",\"notes\":null}", NULL, NULL, 0 },
    { "{" FULL ",\"notes\":\"\"}", NULL, NULL, 0 },
    { "{" FULL ",\"id\":4711}", "type", "/id", 0 },
    { "{" FULL ",\"ship_to\":{\"country\":\"DE\",\"region\":\"eu\"}}", NULL,
      NULL, 0 },
    { "{" FULL ",\"ship_to\":{\"country\":\"UK\"}}", "country",
      "/ship_to/country", 0 },
    { "{" FULL ",\"ship_to\":{\"country\":\"E A\"}}", "country",
      "/ship_to/country", 0 },
    { "{" FULL ",\"ship_to\":{\"country\":\" A\"}}", "country",
      "/ship_to/country", 0 },
    { "{" FULL ",\"ship_to\":{\"region\":7}}", "type", "/ship_to/region", 0 },
    { "{" FULL ",\"ship_to\":{\"x-ext\":{\"a\":1}}}", NULL, NULL, 0 },
    { "{" FULL ",\"ship_to\":\"Rome\"}", "type", "/ship_to", 0 },
    { "{" FULL ",\"requested_date\":\"2026-02-30\"}", "date",
      "/requested_date", 0 },
    { "{" FULL ",\"requested_date\":\"2026-11-21T10:00:00Z\"}", "date",
      "/requested_date", 0 },
    { "{" FULL ",\"changed_at\":\"2026-11-21T10:00:00.5+01:00\"}", NULL,
      NULL, 0 },
    { "{" FULL ",\"changed_at\":\"2026-11-21T10:00:00+0100\"}", "date",
      "/changed_at", 0 },
    { "{" FULL ",\"changed_at\":\"/Date(0)/\"}", "date", "/changed_at", 0 },
    { "{\"order_number\":\"1\",\"order_date\":\"2026-11-21\","
      "\"currency\":\"Euro\",\"sold_to\":{}," ITEMS "}", "currency",
      "/currency", 0 },
    { "{\"order_number\":\"1\",\"order_date\":\"2026-11-21\","
      "\"currency\":\"eur\",\"sold_to\":{}," ITEMS "}", "currency",
      "/currency", 0 },

    /* updates */

    { "{}", NULL, NULL, 1 },
    { "{\"status\":\"shipped\"}", NULL, NULL, 1 },
    { "{\"status\":null,\"notes\":null}", NULL, NULL, 1 },
    { "{\"order_number\":null}", "required", "/order_number", 1 },
    { "{\"items\":[{\"sku\":\"R1\"}]}", NULL, NULL, 1 },
    { "{\"foo\":1}", "unknown-member", "/foo", 1 },
    { "{\"currency\":\"E\"}", "currency", "/currency", 1 }
};


int
main(void)
{
    char                  text[4600];
    size_t                i;
    uint64_t              work;
    sync_rc_t             rc;
    sync_str_t            s;
    sync_json_t           json;
    sync_arena_t         *arena;
    sync_faults_t         faults;
    const sync_fields_t  *order;

    arena = sync_arena_create(65536);
    order = sync_fields_find(sync_str_lit("sales_order"));

    ok(order != NULL
       && order == sync_fields_find(sync_str_lit("sales_order/1")),
       "sales_order is found");
    ok(sync_fields_find(sync_str_lit("account")) == NULL
       && sync_fields_find(sync_str_lit("sales_order/2")) == NULL,
       "no list for other entities and versions");

    if (order == NULL) {
        return done_testing();
    }

    is_str(sync_fields_name(order), "sales_order/1", "its name");
    is_str(sync_fields_key(order), "/order_number", "its business key");

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        s.data = (unsigned char *) rows[i].payload;
        s.len = strlen(rows[i].payload);

        sync_faults_init(&faults, arena);

        if (sync_json_parse(&json, arena, s, NULL, NULL) != SYNC_OK) {
            ok(0, "%s is JSON", rows[i].payload);
            continue;
        }

        rc = sync_fields_check(order, &json, 0, rows[i].update, NULL,
                               &faults);

        if (rows[i].what == NULL) {
            is_int(rc, SYNC_OK, "%s", rows[i].payload);
            continue;
        }

        ok(rc == SYNC_NO && faults.count == 1
           && strcmp(faults.list[0].what, rows[i].what) == 0
           && sync_str_is(faults.list[0].pointer, rows[i].pointer),
           "%s: %s at %s", rows[i].payload, rows[i].what, rows[i].pointer);
    }

    /* all that is missing, at once */

    sync_json_parse(&json, arena, sync_str_lit("{}"), NULL, NULL);
    sync_faults_init(&faults, arena);

    is_int(sync_fields_check(order, &json, 0, 0, NULL, &faults), SYNC_NO,
           "an empty order is refused");
    is_int(faults.count, 5, "with everything that is missing");

    sync_faults_init(&faults, arena);

    is_int(sync_fields_check(NULL, &json, 0, 0, NULL, &faults), SYNC_OK,
           "without a list any object will do");

    sync_json_parse(&json, arena, sync_str_lit("[]"), NULL, NULL);

    is_int(sync_fields_check(NULL, &json, 0, 0, NULL, &faults), SYNC_NO,
           "but nothing else");

    /* 255 characters, however many bytes */

    for (i = 0; i < 2; i++) {
        size_t  k, len;

        len = (size_t) snprintf(text, sizeof(text), "{\"id\":\"");

        for (k = 0; k < 255 + i; k++) {
            len += (size_t) snprintf(text + len, sizeof(text) - len,
                                     "\xc3\xa9");
        }

        len += (size_t) snprintf(text + len, sizeof(text) - len, "\"}");

        s.data = (unsigned char *) text;
        s.len = len;

        sync_json_parse(&json, arena, s, NULL, NULL);
        sync_faults_init(&faults, arena);

        rc = sync_fields_check(order, &json, 0, 1, NULL, &faults);
        ok(i ? rc == SYNC_NO && strcmp(faults.list[0].what, "too-long") == 0
             : rc == SYNC_OK, "%zu characters", 255 + i);
    }

    work = 2;
    sync_json_parse(&json, arena, sync_str_lit("{" FULL "}"), NULL, NULL);
    sync_faults_init(&faults, arena);

    rc = sync_fields_check(order, &json, 0, 0, &work, &faults);
    ok(rc == SYNC_NO && work == 0
       && strcmp(faults.list[0].what, "too-much-work") == 0,
       "work is bounded");

    sync_arena_destroy(arena);

    return done_testing();
}
