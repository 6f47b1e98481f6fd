
/*
 * What the tape is worth: a 2 KB order from Salesforce's words to canonical
 * ones, by sync_map over the tape, and by the same map written by hand in C
 * over trees of jansson.  Both begin with the bytes that came and end with the
 * bytes that go; both refuse a member that stands twice, look up enums, check
 * dates, make decimals strings and keep what no rule has taken.
 *
 *     lib MAP ORDER [ROUNDS]
 *
 * Rounds of both alternate, so that what else the machine does meets both.
 * Exit code 1: it is less than 8 times as fast, or the results differ in more
 * than what a double has lost.
 */


#include "sync_map.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>


#define WANTED  8
#define RUNS    2000                     /* of a round */


enum { COPY, DATE, DATE_TIME, DECIMAL, ENUM };

typedef struct {
    const char  *from[4];                /* NULL behind the last */
    const char  *to[3];
    int          kind;
    int          required;
    const char  *table;                  /* of an enum */
    const char  *otherwise;              /* where nothing is there */
} rule_t;


static const rule_t  order_rules[] = {
    { { "OrderReferenceNumber" }, { "id" }, COPY, 0, NULL, NULL },
    { { "OrderNumber" }, { "order_number" }, COPY, 1, NULL, NULL },
    { { "EffectiveDate" }, { "order_date" }, DATE, 1, NULL, NULL },
    { { "Type" }, { "order_type" }, COPY, 0, NULL, NULL },
    { { "Status" }, { "status" }, ENUM, 0, "status", "submitted" },
    { { "CurrencyIsoCode" }, { "currency" }, COPY, 0, NULL, "EUR" },
    { { "PoNumber" }, { "customer_reference" }, COPY, 0, NULL, NULL },
    { { "EndDate" }, { "requested_date" }, DATE, 0, NULL, NULL },
    { { "Account", "AccountNumber" }, { "sold_to", "id" }, COPY, 1, NULL,
      NULL },
    { { "Account", "Name" }, { "sold_to", "name" }, COPY, 0, NULL, NULL },
    { { "Region__c" }, { "ship_to", "region" }, ENUM, 0, "region", NULL },
    { { "ShippingStreet" }, { "ship_to", "street" }, COPY, 0, NULL, NULL },
    { { "ShippingCity" }, { "ship_to", "city" }, COPY, 0, NULL, NULL },
    { { "ShippingPostalCode" }, { "ship_to", "postal_code" }, COPY, 0, NULL,
      NULL },
    { { "ShippingStateCode" }, { "ship_to", "state" }, COPY, 0, NULL, NULL },
    { { "ShippingCountryCode" }, { "ship_to", "country" }, COPY, 0, NULL,
      NULL },
    { { "Payment_Terms__c" }, { "payment", "terms" }, COPY, 0, NULL, NULL },
    { { "TotalAmount" }, { "total" }, DECIMAL, 0, NULL, NULL },
    { { "Description" }, { "notes" }, COPY, 0, NULL, NULL },
    { { "CreatedDate" }, { "created_at" }, DATE_TIME, 0, NULL, NULL },
    { { "LastModifiedDate" }, { "changed_at" }, DATE_TIME, 0, NULL, NULL },
    { { NULL }, { NULL }, COPY, 0, NULL, NULL }
};

static const rule_t  item_rules[] = {
    { { "OrderItemNumber" }, { "line_number" }, COPY, 0, NULL, NULL },
    { { "Product2", "ProductCode" }, { "sku" }, COPY, 1, NULL, NULL },
    { { "Description" }, { "description" }, COPY, 0, NULL, NULL },
    { { "Quantity" }, { "quantity" }, DECIMAL, 1, NULL, NULL },
    { { "QuantityUnit__c" }, { "unit" }, COPY, 0, NULL, "PC" },
    { { "UnitPrice" }, { "unit_price" }, DECIMAL, 0, NULL, NULL },
    { { "TotalPrice" }, { "net_amount" }, DECIMAL, 0, NULL, NULL },
    { { "ServiceDate" }, { "requested_date" }, DATE, 0, NULL, NULL },
    { { NULL }, { NULL }, COPY, 0, NULL, NULL }
};

/* what rules take of an order and of an item, and what is passed over */

static const char  order_taken[] =
    "{\"OrderReferenceNumber\":1,\"OrderNumber\":1,\"EffectiveDate\":1,"
    "\"Type\":1,\"Status\":1,\"CurrencyIsoCode\":1,\"PoNumber\":1,"
    "\"EndDate\":1,\"Account\":{\"AccountNumber\":1,\"Name\":1,"
    "\"attributes\":1},\"Region__c\":1,\"ShippingStreet\":1,"
    "\"ShippingCity\":1,\"ShippingPostalCode\":1,\"ShippingStateCode\":1,"
    "\"ShippingCountryCode\":1,\"Payment_Terms__c\":1,"
    "\"OrderItems\":{\"records\":1,\"totalSize\":1,\"done\":1},"
    "\"TotalAmount\":1,\"Description\":1,"
    "\"CreatedDate\":1,\"LastModifiedDate\":1,\"attributes\":1}";

static const char  item_taken[] =
    "{\"OrderItemNumber\":1,\"Product2\":{\"ProductCode\":1,"
    "\"attributes\":1},\"Description\":1,\"Quantity\":1,"
    "\"QuantityUnit__c\":1,\"UnitPrice\":1,\"TotalPrice\":1,"
    "\"ServiceDate\":1,\"attributes\":1}";


static double round_of(int trees);
static int by_tape(sync_str_t *out, sync_arena_t **arena);
static char *by_trees(void);
static int tree_rules(const rule_t *rules, json_t *in, json_t *out);
static json_t *tree_value(const rule_t *rule, json_t *v);
static int tree_date(const char *s, int time);
static int tree_put(json_t *out, const char *const *to, json_t *v);
static int tree_ext(json_t *taken, json_t *in, json_t *out);
static json_t *tree_rest(json_t *taken, json_t *in);
static int alike(json_t *a, json_t *b);
static int is_near(double x, double y);
static sync_str_t slurp(const char *path);
static int by_size(const void *a, const void *b);


static sync_map_t  *map;
static sync_str_t   order;
static json_t      *enums, *order_set, *item_set;


int
main(int argc, char **argv)
{
    int            i, rounds;
    char          *tree, *at;
    double         tape_us[101], tree_us[101], ratio[101];
    json_t        *a, *b;
    sync_str_t     text, tape;
    sync_error_t   err;
    sync_arena_t  *arena, *own;

    if (argc < 3) {
        fputs("usage: lib MAP ORDER [ROUNDS]\n", stderr);
        return 2;
    }

    rounds = argc > 3 ? atoi(argv[3]) : 21;
    rounds = rounds < 1 ? 1 : rounds > 101 ? 101 : rounds;

    arena = sync_arena_create(65536);
    text = slurp(argv[1]);
    order = slurp(argv[2]);

    /* a number that jansson refuses, for it is no double */

    at = memmem(order.data, order.len, "1E400", 5);

    if (at != NULL) {
        memcpy(at, "1E300", 5);
    }

    if (sync_map_compile(&map, arena, text, NULL, &err) != SYNC_OK) {
        fprintf(stderr, "%s: %s\n", argv[1], err.text);
        return 2;
    }

    a = json_loadb((char *) text.data, text.len, 0, NULL);
    enums = json_incref(json_object_get(a, "enums"));
    json_decref(a);

    order_set = json_loads(order_taken, 0, NULL);
    item_set = json_loads(item_taken, 0, NULL);

    if (by_tape(&tape, &own) != 0 || (tree = by_trees()) == NULL) {
        fputs("the order cannot be mapped\n", stderr);
        return 2;
    }

    a = json_loadb((char *) tape.data, tape.len, 0, NULL);
    b = json_loads(tree, 0, NULL);

    if (!alike(a, b)) {
        printf("not ok, the results differ\n%.*s\n%s\n", (int) tape.len,
               (char *) tape.data, tree);
        return 1;
    }

    json_decref(a);
    json_decref(b);
    free(tree);
    sync_arena_destroy(own);

    (void) round_of(0);
    (void) round_of(1);

    for (i = 0; i < rounds; i++) {
        tape_us[i] = round_of(0);
        tree_us[i] = round_of(1);
        ratio[i] = tree_us[i] / tape_us[i];
    }

    qsort(tape_us, (size_t) rounds, sizeof(double), by_size);
    qsort(tree_us, (size_t) rounds, sizeof(double), by_size);
    qsort(ratio, (size_t) rounds, sizeof(double), by_size);

    printf("an order of %zu bytes, us of CPU, the median of %d rounds\n\n"
           "sync_map over the tape   %6.2f\n"
           "jansson, written by hand %6.2f\n"
           "times as fast            %6.1f, at least %d is wanted\n",
           order.len, rounds, tape_us[rounds / 2], tree_us[rounds / 2],
           ratio[rounds / 2], WANTED);

    json_decref(enums);
    json_decref(order_set);
    json_decref(item_set);
    free(text.data);
    free(order.data);
    sync_arena_destroy(arena);

    return ratio[rounds / 2] >= WANTED ? 0 : 1;
}


/* Microseconds of CPU for one order. */

static double
round_of(int trees)
{
    int              i;
    char            *text;
    sync_str_t       out;
    sync_arena_t    *arena;
    struct timespec  from, to;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);

    for (i = 0; i < RUNS; i++) {

        if (trees) {
            text = by_trees();
            free(text);

        } else {
            (void) by_tape(&out, &arena);
            sync_arena_destroy(arena);
        }
    }

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);

    return ((double) (to.tv_sec - from.tv_sec) * 1e9
            + (double) (to.tv_nsec - from.tv_nsec)) / 1e3 / RUNS;
}


/* As a request does it: memory of its own, a tape, a run. */

static int
by_tape(sync_str_t *out, sync_arena_t **arena)
{
    sync_rc_t       rc;
    sync_json_t     json;
    sync_error_t    err;
    sync_faults_t   faults;
    sync_map_run_t  run = { 0 };

    *arena = sync_arena_create(16384);

    if (*arena == NULL) {
        return 1;
    }

    rc = sync_json_parse(&json, *arena, order, NULL, &err);

    if (rc == SYNC_OK) {
        sync_faults_init(&faults, *arena);

        rc = sync_map_run(map, SYNC_MAP_WRITE, &json, 0, &run, *arena, out,
                          &faults);
    }

    return rc != SYNC_OK;
}


static char *
by_trees(void)
{
    int      ok;
    char    *text;
    size_t   i;
    json_t  *in, *out, *records, *items, *record, *item;

    in = json_loadb((char *) order.data, order.len, JSON_REJECT_DUPLICATES,
                    NULL);
    if (in == NULL) {
        return NULL;
    }

    out = json_object();
    ok = tree_rules(order_rules, in, out);

    records = json_object_get(json_object_get(in, "OrderItems"), "records");
    ok &= json_is_array(records);

    items = json_array();

    json_array_foreach(records, i, record) {
        item = json_object();
        ok &= tree_rules(item_rules, record, item);
        ok &= tree_ext(item_set, record, item);
        json_array_append_new(items, item);
    }

    json_object_set_new(out, "items", items);
    ok &= tree_ext(order_set, in, out);

    text = ok ? json_dumps(out, JSON_COMPACT) : NULL;

    json_decref(in);
    json_decref(out);

    return text;
}


static int
tree_rules(const rule_t *rules, json_t *in, json_t *out)
{
    size_t         i;
    json_t        *v;
    const rule_t  *rule;

    for (rule = rules; rule->from[0] != NULL; rule++) {
        v = in;

        for (i = 0; v != NULL && rule->from[i] != NULL; i++) {
            v = json_object_get(v, rule->from[i]);
        }

        if (v == NULL || json_is_null(v)) {
            if (rule->required) {
                return 0;
            }

            if (rule->otherwise != NULL) {
                v = json_string(rule->otherwise);

            } else if (v == NULL) {
                continue;

            } else {
                json_incref(v);
            }

            if (!tree_put(out, rule->to, v)) {
                return 0;
            }

            continue;
        }

        if (!tree_put(out, rule->to, tree_value(rule, v))) {
            return 0;
        }
    }

    return 1;
}


/* A new reference, or NULL: it is not what the rule asks for. */

static json_t *
tree_value(const rule_t *rule, json_t *v)
{
    char  text[64];

    switch (rule->kind) {

    case ENUM:
        return json_incref(json_object_get(json_object_get(enums,
                                                           rule->table),
                                           json_string_value(v)));

    case DATE:
        return tree_date(json_string_value(v), 0) ? json_incref(v) : NULL;

    case DATE_TIME:
        if (!tree_date(json_string_value(v), 1)) {
            return NULL;
        }

        /* this order's times are in UTC */

        snprintf(text, sizeof(text), "%.19sZ", json_string_value(v));

        return json_string(text);

    case DECIMAL:
        if (json_is_integer(v)) {
            snprintf(text, sizeof(text), "%" JSON_INTEGER_FORMAT,
                     json_integer_value(v));

        } else if (json_is_real(v)) {
            snprintf(text, sizeof(text), "%.15g", json_real_value(v));

        } else {
            return json_incref(v);
        }

        return json_string(text);

    default:
        return json_incref(v);
    }
}


static int
tree_date(const char *s, int time)
{
    int  i, y, m, d;

    static const char  form[] = "dddd-dd-ddTdd:dd:dd";

    if (s == NULL) {
        return 0;
    }

    for (i = 0; i < (time ? 19 : 10); i++) {
        if (form[i] == 'd' ? s[i] < '0' || s[i] > '9' : s[i] != form[i]) {
            return 0;
        }
    }

    if (!time && s[10] != '\0') {
        return 0;
    }

    y = (s[0] - '0') * 1000 + (s[1] - '0') * 100 + (s[2] - '0') * 10
        + s[3] - '0';
    m = (s[5] - '0') * 10 + s[6] - '0';
    d = (s[8] - '0') * 10 + s[9] - '0';

    return y > 0 && m >= 1 && m <= 12 && d >= 1 && d <= 31;
}


static int
tree_put(json_t *out, const char *const *to, json_t *v)
{
    json_t  *below;

    if (v == NULL) {
        return 0;
    }

    if (to[1] == NULL) {
        return json_object_set_new(out, to[0], v) == 0;
    }

    below = json_object_get(out, to[0]);

    if (below == NULL) {
        below = json_object();
        json_object_set_new(out, to[0], below);
    }

    return json_object_set_new(below, to[1], v) == 0;
}


static int
tree_ext(json_t *taken, json_t *in, json_t *out)
{
    json_t  *rest, *ext;

    rest = tree_rest(taken, in);

    if (json_object_size(rest) == 0) {
        json_decref(rest);
        return 1;
    }

    ext = json_object();
    json_object_set_new(ext, "salesforce", rest);

    return json_object_set_new(out, "x-ext", ext) == 0;
}


static json_t *
tree_rest(json_t *taken, json_t *in)
{
    json_t      *v, *t, *rest, *below;
    const char  *key;

    rest = json_object();

    json_object_foreach(in, key, v) {
        t = json_object_get(taken, key);

        if (t == NULL) {
            json_object_set(rest, key, v);

        } else if (json_is_object(t) && json_is_object(v)) {
            below = tree_rest(t, v);

            if (json_object_size(below)) {
                json_object_set_new(rest, key, below);

            } else {
                json_decref(below);
            }
        }
    }

    return rest;
}


/* The same, but for the digits of a number that a double has not kept. */

static int
alike(json_t *a, json_t *b)
{
    size_t       i;
    double       x;
    json_t      *v;
    const char  *key;

    if (json_is_object(a) && json_is_object(b)) {
        json_object_foreach(a, key, v) {
            if (!alike(v, json_object_get(b, key))) {
                return 0;
            }
        }

        return json_object_size(a) == json_object_size(b);
    }

    if (json_is_array(a) && json_is_array(b)) {
        json_array_foreach(a, i, v) {
            if (!alike(v, json_array_get(b, i))) {
                return 0;
            }
        }

        return json_array_size(a) == json_array_size(b);
    }

    if (json_is_string(a) && json_is_string(b)) {
        x = strtod(json_string_value(a), NULL);

        return json_equal(a, b)
               || (x != 0 && is_near(x, strtod(json_string_value(b), NULL)));
    }

    if (json_is_number(a) && json_is_number(b)) {
        return is_near(json_number_value(a), json_number_value(b));
    }

    return json_equal(a, b);
}


static int
is_near(double x, double y)
{
    return fabs(x - y) <= fabs(x) * 1e-12;
}


static sync_str_t
slurp(const char *path)
{
    FILE        *f;
    sync_str_t   s;

    s.data = malloc(65536);
    s.len = 0;
    f = fopen(path, "rb");

    if (f == NULL || s.data == NULL) {
        perror(path);
        exit(2);
    }

    s.len = fread(s.data, 1, 65536, f);
    fclose(f);

    return s;
}


static int
by_size(const void *a, const void *b)
{
    double  x = *(const double *) a, y = *(const double *) b;

    return (x > y) - (x < y);
}
