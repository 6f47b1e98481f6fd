
/*
 * The steps of a map: what is done to one value on its way.
 */


#include "sync_map_rules.h"
#include "sync_date.h"


static sync_rc_t sync_map_word(const sync_map_rule_t *rule,
    const sync_json_t *json, uint32_t n, sync_json_out_t *out,
    const char **what, const char **text);
static sync_rc_t sync_map_date(const sync_map_rule_t *rule,
    const sync_json_t *json, uint32_t n, sync_json_out_t *out);


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
        "YYYY-MM-DDThh:mm:ssZ, or /Date(ms)/"
};


sync_rc_t
sync_map_step(const sync_map_rule_t *rule, const sync_json_t *json, uint32_t n,
    sync_json_out_t *out, const char **what, const char **text)
{
    int                      integer, string;
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
        if (!sync_map_is_number(s, &integer)
            || (rule->type == SYNC_MAP_INTEGER && !integer))
        {
            return SYNC_NO;
        }

        if (rule->type == SYNC_MAP_DECIMAL) {
            sync_json_quote(out, s);

        } else {
            sync_json_value(out, s);
        }

        return SYNC_OK;

    default:
        *what = "date";

        if (!string) {
            return SYNC_NO;
        }

        return sync_map_date(rule, json, n, out);
    }
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

    *what = "enum";
    *text = "the value is none of the words that the map knows";

    return SYNC_NO;
}


static sync_rc_t
sync_map_date(const sync_map_rule_t *rule, const sync_json_t *json, uint32_t n,
    sync_json_out_t *out)
{
    int                zone;
    sync_str_t         s, text;
    sync_date_t        date;
    unsigned char      buf[SYNC_DATE_LEN];
    sync_date_form_e   form;

    s = sync_json_slice(json, n);

    if (sync_date_parse(s, &date) != SYNC_OK) {
        return SYNC_NO;
    }

    zone = date.form != SYNC_DATE && date.form != SYNC_DATE_LOCAL;

    switch (rule->type) {

    case SYNC_MAP_DATE:
        form = SYNC_DATE;

        if (date.form == SYNC_DATE) {
            sync_json_quote(out, s);
            return SYNC_OK;
        }

        break;

    case SYNC_MAP_DATE_TIME:
        form = SYNC_DATE_TIME;

        /* a local time has no instant: none is invented */

        if (!zone) {
            return SYNC_NO;
        }

        if (date.form == SYNC_DATE_TIME && s.data[10] == 'T'
            && (s.data[s.len - 1] == 'Z' || s.data[s.len - 3] == ':'))
        {
            sync_json_quote(out, s);
            return SYNC_OK;
        }

        break;

    case SYNC_MAP_ODATA_DATE:
        form = SYNC_DATE_ODATA;

        if (date.form == SYNC_DATE_ODATA_OFFSET
            || date.form == SYNC_DATE_TIME)
        {
            /* Edm.DateTime is a time without a zone: the sender's own */

            date.ms += date.offset * 60000LL;
        }

        break;

    default:
        form = SYNC_DATE_ODATA_OFFSET;

        if (!zone) {
            return SYNC_NO;
        }
    }

    text.data = buf;
    text.len = sync_date_format(&date, form, buf);

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
