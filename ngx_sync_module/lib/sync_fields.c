
/*
 * Field lists of canonical entities.
 */


#include "sync_fields.h"
#include "sync_date.h"
#include "sync_map.h"


#define SYNC_FIELD_WORD  255         /* characters of an id, a name, a word */
#define SYNC_FIELD_TEXT  4000        /* of a remark */


typedef enum {
    SYNC_FIELD_STRING = 0,
    SYNC_FIELD_NOTE,
    SYNC_FIELD_DECIMAL,
    SYNC_FIELD_DATE,
    SYNC_FIELD_TIME,
    SYNC_FIELD_COUNTRY,
    SYNC_FIELD_CURRENCY,
    SYNC_FIELD_ENUM,
    SYNC_FIELD_OBJECT,
    SYNC_FIELD_LIST,
    SYNC_FIELD_EXT
} sync_field_type_e;


typedef struct sync_field_s  sync_field_t;

struct sync_field_s {
    sync_str_t           name;
    uint8_t              type;
    uint8_t              required;
    const void          *of;         /* words of an enum, fields of an object
                                        or of the elements of a list */
};


struct sync_fields_s {
    sync_str_t           name;
    sync_str_t           entity;
    sync_str_t           key;
    const sync_field_t  *fields;     /* ends with an empty name; at most 64 */
};


typedef struct {
    const sync_json_t   *json;
    sync_faults_t       *faults;
    uint64_t             work;
    uint8_t              update;
} sync_fields_ctx_t;


static void sync_fields_object(sync_fields_ctx_t *ctx,
    const sync_field_t *fields, uint32_t node);
static const sync_field_t *sync_fields_field(const sync_field_t *fields,
    const sync_field_t *next, const sync_json_t *json, uint32_t key);
static void sync_fields_list(sync_fields_ctx_t *ctx, const sync_field_t *field,
    uint32_t node);
static void sync_fields_string(sync_fields_ctx_t *ctx,
    const sync_field_t *field, uint32_t node);
static size_t sync_fields_length(sync_str_t s);
static int sync_fields_country(sync_str_t s);
static int sync_fields_currency(sync_str_t s);
static int sync_fields_date(sync_str_t s, sync_field_type_e type);
static void sync_fields_fault(sync_fields_ctx_t *ctx, uint32_t node,
    const char *what, const char *text);


#define sync_field(name, type, required, of)                                  \
    { sync_string(name), SYNC_FIELD_ ## type, required, of }

#define sync_field_end                                                        \
    { { 0, NULL }, 0, 0, NULL }


/* ISO 3166-1 alpha-2, as of 2024 */

static const char  sync_fields_countries[] =
    "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI "
    "BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN "
    "CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK "
    "FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM "
    "HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN "
    "KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK "
    "ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP "
    "NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW "
    "SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF "
    "TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI "
    "VN VU WF WS YE YT ZA ZM ZW ";


static const char *const  sync_fields_status[] = {
    "draft", "submitted", "confirmed", "on_hold", "in_fulfillment", "shipped",
    "delivered", "invoiced", "closed", "rejected", "cancelled", NULL
};


static const sync_field_t  sync_fields_party[] = {
    sync_field("id", STRING, 0, NULL),
    sync_field("name", STRING, 0, NULL),
    sync_field("tax_id", STRING, 0, NULL),
    sync_field("street", STRING, 0, NULL),
    sync_field("city", STRING, 0, NULL),
    sync_field("postal_code", STRING, 0, NULL),
    sync_field("state", STRING, 0, NULL),
    sync_field("region", STRING, 0, NULL),
    sync_field("country", COUNTRY, 0, NULL),
    sync_field("email", STRING, 0, NULL),
    sync_field("phone", STRING, 0, NULL),
    sync_field("x-ext", EXT, 0, NULL),
    sync_field_end
};


static const sync_field_t  sync_fields_area[] = {
    sync_field("organization", STRING, 0, NULL),
    sync_field("channel", STRING, 0, NULL),
    sync_field("division", STRING, 0, NULL),
    sync_field("x-ext", EXT, 0, NULL),
    sync_field_end
};


static const sync_field_t  sync_fields_payment[] = {
    sync_field("terms", STRING, 0, NULL),
    sync_field("method", STRING, 0, NULL),
    sync_field("iban", STRING, 0, NULL),
    sync_field("reference", STRING, 0, NULL),
    sync_field("x-ext", EXT, 0, NULL),
    sync_field_end
};


static const sync_field_t  sync_fields_delivery[] = {
    sync_field("carrier", STRING, 0, NULL),
    sync_field("tracking_number", STRING, 0, NULL),
    sync_field("shipped_at", TIME, 0, NULL),
    sync_field("delivered_at", TIME, 0, NULL),
    sync_field("x-ext", EXT, 0, NULL),
    sync_field_end
};


static const sync_field_t  sync_fields_item[] = {
    sync_field("line_number", STRING, 0, NULL),
    sync_field("id", STRING, 0, NULL),
    sync_field("sku", STRING, 1, NULL),
    sync_field("product_id", STRING, 0, NULL),
    sync_field("description", NOTE, 0, NULL),
    sync_field("quantity", DECIMAL, 1, NULL),
    sync_field("unit", STRING, 0, NULL),
    sync_field("unit_price", DECIMAL, 0, NULL),
    sync_field("net_amount", DECIMAL, 0, NULL),
    sync_field("tax_amount", DECIMAL, 0, NULL),
    sync_field("requested_date", DATE, 0, NULL),
    sync_field("status", ENUM, 0, sync_fields_status),
    sync_field("x-ext", EXT, 0, NULL),
    sync_field_end
};


static const sync_field_t  sync_fields_sales_order_1[] = {
    sync_field("id", STRING, 0, NULL),
    sync_field("order_number", STRING, 1, NULL),
    sync_field("order_date", DATE, 1, NULL),
    sync_field("order_type", STRING, 0, NULL),
    sync_field("status", ENUM, 0, sync_fields_status),
    sync_field("currency", CURRENCY, 1, NULL),
    sync_field("customer_reference", STRING, 0, NULL),
    sync_field("requested_date", DATE, 0, NULL),
    sync_field("sales_area", OBJECT, 0, sync_fields_area),
    sync_field("sold_to", OBJECT, 1, sync_fields_party),
    sync_field("ship_to", OBJECT, 0, sync_fields_party),
    sync_field("bill_to", OBJECT, 0, sync_fields_party),
    sync_field("payment", OBJECT, 0, sync_fields_payment),
    sync_field("delivery", OBJECT, 0, sync_fields_delivery),
    sync_field("items", LIST, 1, sync_fields_item),
    sync_field("net_total", DECIMAL, 0, NULL),
    sync_field("tax_total", DECIMAL, 0, NULL),
    sync_field("total", DECIMAL, 0, NULL),
    sync_field("notes", NOTE, 0, NULL),
    sync_field("created_at", TIME, 0, NULL),
    sync_field("changed_at", TIME, 0, NULL),
    sync_field("x-ext", EXT, 0, NULL),
    sync_field_end
};


/* Of one entity the newest first. */

static const sync_fields_t  sync_fields_all[] = {
    { sync_string("sales_order/1"), sync_string("sales_order"),
      sync_string("/order_number"), sync_fields_sales_order_1 }
};


const sync_fields_t *
sync_fields_find(sync_str_t entity)
{
    size_t  i;

    for (i = 0; i < sizeof(sync_fields_all) / sizeof(sync_fields_all[0]); i++)
    {
        if (sync_str_eq(sync_fields_all[i].entity, entity)
            || sync_str_eq(sync_fields_all[i].name, entity))
        {
            return &sync_fields_all[i];
        }
    }

    return NULL;
}


sync_str_t
sync_fields_name(const sync_fields_t *fields)
{
    return fields->name;
}


sync_str_t
sync_fields_key(const sync_fields_t *fields)
{
    return fields->key;
}


sync_rc_t
sync_fields_check(const sync_fields_t *fields, const sync_json_t *json,
    uint32_t node, int update, uint64_t *work, sync_faults_t *faults)
{
    sync_fields_ctx_t  ctx;

    ctx.json = json;
    ctx.faults = faults;
    ctx.work = work != NULL ? *work : UINT64_MAX;
    ctx.update = update ? 1 : 0;

    if (json->nodes[node].type != SYNC_JSON_OBJECT) {
        sync_fields_fault(&ctx, node, "type", "an object is expected");

    } else if (fields != NULL) {
        sync_fields_object(&ctx, fields->fields, node);
    }

    if (work != NULL) {
        *work = ctx.work;
    }

    return sync_faults_result(faults);
}


static void
sync_fields_object(sync_fields_ctx_t *ctx, const sync_field_t *fields,
    uint32_t node)
{
    uint32_t             i, type;
    uint64_t             seen;
    sync_str_t           pointer;
    unsigned char        buf[66];
    const sync_json_t   *json;
    const sync_field_t  *field, *next;

    json = ctx->json;
    seen = 0;
    next = fields;

    for (i = sync_json_first(json, node); i != SYNC_JSON_NONE;
         i = sync_json_after(json, node, i))
    {
        if (ctx->work == 0) {
            sync_fields_fault(ctx, node, "too-much-work", "the payload needs "
                              "more work than one request has");
            return;
        }

        ctx->work--;

        field = sync_fields_field(fields, next, json, i);

        if (field == NULL) {
            sync_fields_fault(ctx, i + 1, "unknown-member", "the entity has no "
                              "such member; what a source sends beyond it "
                              "stands in x-ext");
            continue;
        }

        next = field + 1;
        type = json->nodes[i + 1].type;

        if (type == SYNC_JSON_NULL) {

            if (field->required && ctx->update) {
                sync_fields_fault(ctx, i + 1, "required", "the member is "
                                  "required and cannot be cleared");
                seen |= (uint64_t) 1 << (field - fields);
            }

            continue;
        }

        seen |= (uint64_t) 1 << (field - fields);

        switch (field->type) {

        case SYNC_FIELD_OBJECT:
        case SYNC_FIELD_EXT:
            if (type != SYNC_JSON_OBJECT) {
                sync_fields_fault(ctx, i + 1, "type", "an object is expected");

            } else if (field->of != NULL) {
                sync_fields_object(ctx, field->of, i + 1);
            }

            break;

        case SYNC_FIELD_LIST:
            sync_fields_list(ctx, field, i + 1);
            break;

        default:
            sync_fields_string(ctx, field, i + 1);
        }
    }

    if (ctx->update) {
        return;
    }

    for (field = fields; field->name.data != NULL; field++) {
        if (!field->required || seen & (uint64_t) 1 << (field - fields)) {
            continue;
        }

        buf[0] = '/';
        memcpy(buf + 1, field->name.data, field->name.len);
        pointer.data = buf;
        pointer.len = field->name.len + 1;

        sync_faults_add(ctx->faults, json, node, pointer, "required",
                        "the member is required");
    }
}


/* Members mostly come in the order of the list: the next one is tried first. */

static const sync_field_t *
sync_fields_field(const sync_field_t *fields, const sync_field_t *next,
    const sync_json_t *json, uint32_t key)
{
    const sync_field_t  *field;

    for (field = next; field->name.data != NULL; field++) {
        if (sync_json_equals(json, key, field->name)) {
            return field;
        }
    }

    for (field = fields; field < next; field++) {
        if (sync_json_equals(json, key, field->name)) {
            return field;
        }
    }

    return NULL;
}


static void
sync_fields_list(sync_fields_ctx_t *ctx, const sync_field_t *field,
    uint32_t node)
{
    uint32_t            i;
    const sync_json_t  *json;

    json = ctx->json;

    if (json->nodes[node].type != SYNC_JSON_ARRAY) {
        sync_fields_fault(ctx, node, "type", "an array is expected");
        return;
    }

    if (field->required && !ctx->update && json->nodes[node].len == 0) {
        sync_fields_fault(ctx, node, "empty", "at least one is expected");
        return;
    }

    for (i = sync_json_first(json, node); i != SYNC_JSON_NONE;
         i = sync_json_after(json, node, i))
    {
        if (json->nodes[i].type != SYNC_JSON_OBJECT) {
            sync_fields_fault(ctx, i, "type", "an object is expected");
            continue;
        }

        sync_fields_object(ctx, field->of, i);
    }
}


static void
sync_fields_string(sync_fields_ctx_t *ctx, const sync_field_t *field,
    uint32_t node)
{
    int                      integer;
    size_t                   max;
    sync_str_t               s;
    const char *const       *word;
    const sync_json_node_t  *value;

    value = &ctx->json->nodes[node];

    if (value->type != SYNC_JSON_STRING) {
        sync_fields_fault(ctx, node, "type", field->type == SYNC_FIELD_DECIMAL
                          ? "a decimal number is expected as a string"
                          : "a string is expected");
        return;
    }

    s = sync_json_slice(ctx->json, node);

    switch (field->type) {

    case SYNC_FIELD_DECIMAL:
        if (!sync_map_is_number(s, &integer)) {
            sync_fields_fault(ctx, node, "decimal", "a decimal number is "
                              "expected, as \"12.50\"");
        }

        return;

    case SYNC_FIELD_DATE:
        if (!sync_fields_date(s, SYNC_FIELD_DATE)) {
            sync_fields_fault(ctx, node, "date",
                              "a date is expected, as 2026-11-21");
        }

        return;

    case SYNC_FIELD_TIME:
        if (!sync_fields_date(s, SYNC_FIELD_TIME)) {
            sync_fields_fault(ctx, node, "date", "a date-time with its offset "
                              "is expected, as 2026-11-21T10:00:00Z");
        }

        return;

    case SYNC_FIELD_COUNTRY:
        if (!sync_fields_country(s)) {
            sync_fields_fault(ctx, node, "country", "a country of ISO 3166 in "
                              "two letters is expected, as DE");
        }

        return;

    case SYNC_FIELD_CURRENCY:
        if (!sync_fields_currency(s)) {
            sync_fields_fault(ctx, node, "currency", "a currency of ISO 4217 "
                              "in three letters is expected, as EUR");
        }

        return;

    case SYNC_FIELD_ENUM:
        for (word = field->of; *word != NULL; word++) {
            if (sync_str_is(s, *word)) {
                return;
            }
        }

        sync_fields_fault(ctx, node, "enum",
                          "the value is none of the words of this member");
        return;
    }

    if (s.len == 0 && field->required) {
        sync_fields_fault(ctx, node, "empty", "the value may not be empty");
    }

    max = field->type == SYNC_FIELD_NOTE ? SYNC_FIELD_TEXT : SYNC_FIELD_WORD;

    if (s.len > max && sync_fields_length(s) > max) {
        sync_fields_fault(ctx, node, "too-long", field->type == SYNC_FIELD_NOTE
                          ? "at most 4000 characters are expected"
                          : "at most 255 characters are expected");
    }
}


/* Characters of UTF-8; an escape counts as what it is written with. */

static size_t
sync_fields_length(sync_str_t s)
{
    size_t  i, n;

    for (n = 0, i = 0; i < s.len; i++) {
        n += (s.data[i] & 0xc0) != 0x80;
    }

    return n;
}


static int
sync_fields_country(sync_str_t s)
{
    const char  *p;

    if (s.len != 2) {
        return 0;
    }

    for (p = sync_fields_countries; *p; p += 3) {
        if (p[0] == s.data[0] && p[1] == s.data[1]) {
            return 1;
        }
    }

    return 0;
}


static int
sync_fields_currency(sync_str_t s)
{
    size_t  i;

    for (i = 0; i < s.len; i++) {
        if (s.data[i] < 'A' || s.data[i] > 'Z') {
            return 0;
        }
    }

    return s.len == 3;
}


static int
sync_fields_date(sync_str_t s, sync_field_type_e type)
{
    sync_date_t  date;

    if (sync_date_parse(s, &date) != SYNC_OK) {
        return 0;
    }

    if (type == SYNC_FIELD_DATE) {
        return date.form == SYNC_DATE;
    }

    /* RFC 3339: the offset has its colon */

    return date.form == SYNC_DATE_TIME
           && (s.data[s.len - 1] == 'Z' || s.data[s.len - 3] == ':');
}


static void
sync_fields_fault(sync_fields_ctx_t *ctx, uint32_t node, const char *what,
    const char *text)
{
    sync_faults_add(ctx->faults, ctx->json, node, sync_str_null, what, text);
}
