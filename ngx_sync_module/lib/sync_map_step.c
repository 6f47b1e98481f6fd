
/*
 * The steps of a map: what is done to one value on its way.
 */


#include "sync_map_rules.h"


static sync_rc_t sync_map_word(const sync_map_rule_t *rule,
    const sync_json_t *json, uint32_t n, sync_json_out_t *out,
    const char **what, const char **text);
static sync_rc_t sync_map_number(const sync_map_rule_t *rule, sync_str_t s,
    sync_arena_t *arena, sync_json_out_t *out, const char **what,
    const char **text);
static sync_rc_t sync_map_date(const sync_map_rule_t *rule,
    const sync_json_t *json, uint32_t n, sync_arena_t *arena,
    sync_json_out_t *out);
static sync_rc_t sync_map_date_read(const sync_map_shape_t *shape,
    const sync_json_t *json, uint32_t n, sync_arena_t *arena,
    sync_date_t *date);
static sync_rc_t sync_map_date_sent(const sync_map_rule_t *rule, sync_str_t s,
    const sync_date_t *date, sync_json_out_t *out);
static sync_rc_t sync_map_date_write(const sync_map_rule_t *rule,
    sync_date_t *date, sync_json_out_t *out);


static const char *const  sync_map_type_text[] = {
    NULL,
    "a string, a number or a boolean is expected",
    "a number is expected, or a string that holds one",
    "an integer is expected, or a string that holds one",
    "true or false is expected",
    "a decimal number is expected, as a string or as a number",
    "a date is expected: YYYY-MM-DD, a date-time, or /Date(ms)/",
    "a date-time with its offset is expected: "
        "YYYY-MM-DDThh:mm:ssZ, or /Date(ms)/",
    "a date is expected: YYYY-MM-DD, a date-time, or /Date(ms)/",
    "a date-time with its offset is expected: "
        "YYYY-MM-DDThh:mm:ssZ, or /Date(ms)/",
    "a date, or a date-time with its offset, is expected",
    "a date, or a date-time with its offset, is expected",
    "a date is expected, with its offset where that is written"
};


sync_rc_t
sync_map_step(const sync_map_rule_t *rule, const sync_json_t *json, uint32_t n,
    sync_arena_t *arena, sync_json_out_t *out, const char **what,
    const char **text)
{
    int                      string;
    sync_str_t               s;
    const sync_json_node_t  *node;

    node = &json->nodes[n];

    if (node->type == SYNC_JSON_NULL
        || (rule->table == NULL && rule->type == SYNC_MAP_AS_SENT))
    {
        sync_json_copy(out, json, n);
        return SYNC_OK;
    }

    *what = "type";

    if (node->type == SYNC_JSON_ARRAY || node->type == SYNC_JSON_OBJECT) {
        *text = "a single value is expected, not an array or an object";
        return SYNC_NO;
    }

    if (rule->table != NULL) {
        return sync_map_word(rule, json, n, out, what, text);
    }

    *text = sync_map_type_text[rule->type];

    string = node->type == SYNC_JSON_STRING;
    s = string || node->type == SYNC_JSON_NUMBER ? sync_json_slice(json, n)
                                                 : sync_json_raw(json, n);

    switch (rule->type) {

    case SYNC_MAP_STRING:
        sync_json_quote(out, s);
        return SYNC_OK;

    case SYNC_MAP_BOOLEAN:
        if (!sync_str_is(s, "true") && !sync_str_is(s, "false")) {
            return SYNC_NO;
        }

        sync_json_value(out, s);
        return SYNC_OK;

    case SYNC_MAP_NUMBER:
    case SYNC_MAP_INTEGER:
    case SYNC_MAP_DECIMAL:
        return sync_map_number(rule, s, arena, out, what, text);

    default:
        *what = "date";

        if (!string && (node->type != SYNC_JSON_NUMBER || rule->shape == NULL
                        || rule->shape->parse == SYNC_MAP_PARSE_ANY))
        {
            return SYNC_NO;
        }

        return sync_map_date(rule, json, n, arena, out);
    }
}


static sync_rc_t
sync_map_number(const sync_map_rule_t *rule, sync_str_t s,
    sync_arena_t *arena, sync_json_out_t *out, const char **what,
    const char **text)
{
    int        integer;
    sync_rc_t  rc;

    if (!sync_map_is_number(s, &integer)
        || (rule->type == SYNC_MAP_INTEGER && !integer))
    {
        return SYNC_NO;
    }

    if (rule->shape != NULL && rule->shape->scale >= 0) {
        *what = "decimal";

        rc = sync_decimal_round(s, (unsigned) rule->shape->scale,
                                rule->shape->round, arena, &s, text);
        if (rc != SYNC_OK) {
            return rc;
        }
    }

    if (rule->type == SYNC_MAP_DECIMAL) {
        sync_json_quote(out, s);

    } else {
        sync_json_value(out, s);
    }

    return SYNC_OK;
}


static sync_rc_t
sync_map_word(const sync_map_rule_t *rule, const sync_json_t *json, uint32_t n,
    sync_json_out_t *out, const char **what, const char **text)
{
    uint32_t  i;

    if (json->nodes[n].type == SYNC_JSON_STRING) {
        i = sync_map_index_node(&rule->table->index, json, n);

    } else {
        i = sync_map_index_find(&rule->table->index, sync_json_raw(json, n));
    }

    if (i != SYNC_MAP_NO_SLOT) {
        sync_json_value(out, rule->table->to[i]);
        return SYNC_OK;
    }

    if (rule->otherwise.data != NULL) {
        sync_json_value(out, rule->otherwise);
        return SYNC_OK;
    }

    *what = rule->lookup ? NULL : "enum";
    *text = "the value is none of the words that the map knows";

    return SYNC_NO;
}


static sync_rc_t
sync_map_date(const sync_map_rule_t *rule, const sync_json_t *json, uint32_t n,
    sync_arena_t *arena, sync_json_out_t *out)
{
    sync_rc_t                rc;
    sync_str_t               s;
    sync_date_t              date;
    const sync_map_shape_t  *shape;

    shape = rule->shape;

    if (shape == NULL) {
        s = sync_json_slice(json, n);

        if (sync_date_parse(s, &date) != SYNC_OK) {
            return SYNC_NO;
        }

        if (sync_map_date_sent(rule, s, &date, out) == SYNC_OK) {
            return SYNC_OK;
        }

        return sync_map_date_write(rule, &date, out);
    }

    rc = sync_map_date_read(shape, json, n, arena, &date);
    if (rc != SYNC_OK) {
        return rc;
    }

    if (date.form == SYNC_DATE_LOCAL && shape->local) {
        date.form = SYNC_DATE_TIME;
        date.offset = shape->offset;
        date.ms -= date.offset * 60000LL;
    }

    if (shape->moved && date.form != SYNC_DATE) {

        if (date.form == SYNC_DATE_LOCAL) {
            return SYNC_NO;
        }

        date.form = SYNC_DATE_TIME;
        date.offset = shape->at;
    }

    return sync_map_date_write(rule, &date, out);
}


static sync_rc_t
sync_map_date_read(const sync_map_shape_t *shape, const sync_json_t *json,
    uint32_t n, sync_arena_t *arena, sync_date_t *date)
{
    sync_str_t  s;

    s = sync_json_slice(json, n);

    switch (shape->parse) {

    case SYNC_MAP_PARSE_EPOCH:
    case SYNC_MAP_PARSE_EPOCH_MS:
        return sync_date_epoch(s, shape->parse == SYNC_MAP_PARSE_EPOCH_MS,
                               date);

    case SYNC_MAP_PARSE_FORM:
        if (json->nodes[n].flags & SYNC_JSON_ESCAPED) {
            s = sync_json_unescape(json, n, arena);

            if (s.data == NULL) {
                return SYNC_FAULT;
            }
        }

        return sync_date_read(shape->form, s, date);

    default:
        return sync_date_parse(s, date);
    }
}


/* What is written already as it should be passes with its digits as sent. */

static sync_rc_t
sync_map_date_sent(const sync_map_rule_t *rule, sync_str_t s,
    const sync_date_t *date, sync_json_out_t *out)
{
    if ((rule->type == SYNC_MAP_DATE && date->form == SYNC_DATE)
        || (rule->type == SYNC_MAP_DATE_TIME && date->form == SYNC_DATE_TIME
            && s.data[10] == 'T'
            && (s.data[s.len - 1] == 'Z' || s.data[s.len - 3] == ':')))
    {
        sync_json_quote(out, s);
        return SYNC_OK;
    }

    return SYNC_NO;
}


static sync_rc_t
sync_map_date_write(const sync_map_rule_t *rule, sync_date_t *date,
    sync_json_out_t *out)
{
    int            zone;
    int64_t        ms;
    sync_str_t     text;
    unsigned char  buf[2 * SYNC_DATE_PATTERN];

    zone = date->form != SYNC_DATE && date->form != SYNC_DATE_LOCAL;
    text.data = buf;

    switch (rule->type) {

    case SYNC_MAP_DATE:
        text.len = sync_date_format(date, SYNC_DATE, buf);
        break;

    case SYNC_MAP_ODATA_DATE:
        if (date->form == SYNC_DATE_ODATA_OFFSET
            || date->form == SYNC_DATE_TIME)
        {
            /* Edm.DateTime is a time without a zone: the sender's own */

            date->ms += date->offset * 60000LL;
        }

        text.len = sync_date_format(date, SYNC_DATE_ODATA, buf);
        break;

    case SYNC_MAP_FORMAT:
        if (!zone && sync_date_zoned(rule->shape->format)) {
            return SYNC_NO;
        }

        text.len = sync_date_write(rule->shape->format, date, buf);

        /* what stands between quotes may need an escape */

        sync_json_string(out, text);
        return SYNC_OK;

    case SYNC_MAP_EPOCH:
    case SYNC_MAP_EPOCH_MS:
        if (date->form == SYNC_DATE_LOCAL) {
            return SYNC_NO;
        }

        ms = date->ms;

        if (rule->type == SYNC_MAP_EPOCH) {
            ms = ms / 1000 - (ms % 1000 < 0);
        }

        sync_json_integer(out, ms);
        return SYNC_OK;

    default:

        /* a local time has no instant: none is invented */

        if (!zone) {
            return SYNC_NO;
        }

        text.len = sync_date_format(date, rule->type == SYNC_MAP_DATE_TIME
                                          ? SYNC_DATE_TIME
                                          : SYNC_DATE_ODATA_OFFSET, buf);
    }

    sync_json_quote(out, text);

    return SYNC_OK;
}


int
sync_map_is_number(sync_str_t s, int *integer)
{
    const unsigned char  *p, *last, *start;

    p = s.data;
    last = p + s.len;
    *integer = 1;

    if (p < last && *p == '-') {
        p++;
    }

    start = p;

    while (p < last && *p >= '0' && *p <= '9') {
        p++;
    }

    if (p == start || (*start == '0' && p - start > 1)) {
        return 0;
    }

    if (p < last && *p == '.') {
        *integer = 0;
        start = ++p;

        while (p < last && *p >= '0' && *p <= '9') {
            p++;
        }

        if (p == start) {
            return 0;
        }
    }

    if (p < last && (*p == 'e' || *p == 'E')) {
        *integer = 0;
        p++;

        if (p < last && (*p == '+' || *p == '-')) {
            p++;
        }

        start = p;

        while (p < last && *p >= '0' && *p <= '9') {
            p++;
        }

        if (p == start) {
            return 0;
        }
    }

    return p == last;
}
