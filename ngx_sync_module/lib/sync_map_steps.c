
/*
 * Compiling what a rule does to its value, and when.
 */


#include "sync_map_rules.h"


static sync_rc_t sync_map_string(sync_map_compile_t *c,
    const sync_map_place_t *place, sync_map_rule_t *rule);
static sync_rc_t sync_map_type(sync_map_compile_t *c,
    const sync_map_place_t *place, sync_map_rule_t *rule);
static sync_rc_t sync_map_dates(sync_map_compile_t *c,
    const sync_map_place_t *place, sync_map_rule_t *rule,
    sync_map_shape_t *shape);
static sync_rc_t sync_map_offset(sync_map_compile_t *c,
    const sync_map_place_t *place, const char *name, int date, int *has,
    int16_t *offset);
static sync_rc_t sync_map_scale(sync_map_compile_t *c,
    const sync_map_place_t *place, sync_map_rule_t *rule,
    sync_map_shape_t *shape);
static sync_rc_t sync_map_form(sync_map_compile_t *c, uint32_t doc,
    uint32_t node, const char *name, sync_str_t *form);


/* in the order of sync_map_type_e, sync_round_e, sync_map_case_e */

static const char *const  sync_map_types[] = {
    "", "string", "number", "integer", "boolean", "decimal", "date",
    "date-time", "odata-date", "odata-date-time", "epoch", "epoch-ms", NULL
};

static const char *const  sync_map_rounds[] = {
    "exact", "half-up", "half-even", "half-down", "up", "down", "ceiling",
    "floor", NULL
};

static const char *const  sync_map_cases[] = { "", "upper", "lower", NULL };


sync_rc_t
sync_map_steps(sync_map_compile_t *c, const sync_map_place_t *place,
    sync_map_rule_t *rule)
{
    sync_rc_t  rc;

    rc = sync_map_string(c, place, rule);

    if (rc == SYNC_OK) {
        rc = sync_map_type(c, place, rule);
    }

    return rc == SYNC_OK ? sync_map_condition(c, place, &rule->when) : rc;
}


static sync_rc_t
sync_map_string(sync_map_compile_t *c, const sync_map_place_t *place,
    sync_map_rule_t *rule)
{
    int                 trim;
    int64_t             take;
    uint32_t            doc, node, at;
    sync_rc_t           rc;
    sync_map_string_t  *string;

    string = sync_calloc(c->arena, sizeof(sync_map_string_t));
    if (string == NULL) {
        return SYNC_FAULT;
    }

    trim = 0;
    string->take = SYNC_MAP_TAKE_ALL;

    rc = sync_map_flag(c, place, "trim", &trim);
    if (rc != SYNC_OK) {
        return rc;
    }

    string->trim = trim;

    sync_map_member(c, place, "case", &doc, &node);

    if (node != SYNC_JSON_NONE) {
        rc = sync_map_named(c, doc, node, sync_map_cases, "a case",
                            &string->letters);
        if (rc != SYNC_OK) {
            return rc;
        }
    }

    sync_map_member(c, place, "split", &doc, &at);

    if (at != SYNC_JSON_NONE) {
        if (c->docs[doc].json.nodes[at].type != SYNC_JSON_STRING
            || c->docs[doc].json.nodes[at].len == 0)
        {
            return sync_map_refuse(c, doc, at, "type", "\"split\" is the text "
                                   "that stands between the pieces");
        }

        string->split = sync_map_text(c, doc, at);
        if (string->split.data == NULL) {
            return SYNC_FAULT;
        }
    }

    sync_map_member(c, place, "take", &doc, &node);

    if (node != SYNC_JSON_NONE) {
        if (at == SYNC_JSON_NONE) {
            return sync_map_refuse(c, doc, node, "conflict", "\"take\" is for "
                                   "pieces of a \"split\"");
        }

        if (sync_json_int(&c->docs[doc].json, node, &take) != SYNC_OK
            || take < -1000 || take > 1000)
        {
            return sync_map_refuse(c, doc, node, "type", "\"take\" is the "
                                   "number of a piece: 0 is the first, -1 "
                                   "the last");
        }

        string->take = (int32_t) take;
    }

    if (string->trim || string->letters || string->split.len) {
        rule->string = string;
    }

    return SYNC_OK;
}


static sync_rc_t
sync_map_type(sync_map_compile_t *c, const sync_map_place_t *place,
    sync_map_rule_t *rule)
{
    uint32_t           doc, node, at;
    sync_rc_t          rc;
    sync_map_shape_t  *shape;

    shape = sync_calloc(c->arena, sizeof(sync_map_shape_t));
    if (shape == NULL) {
        return SYNC_FAULT;
    }

    shape->scale = -1;

    sync_map_member(c, place, "type", &doc, &node);

    if (node != SYNC_JSON_NONE) {
        rc = sync_map_named(c, doc, node, sync_map_types, "a type",
                            &rule->type);
        if (rc != SYNC_OK) {
            return rc;
        }
    }

    sync_map_member(c, place, "format", &doc, &at);

    if (at != SYNC_JSON_NONE) {
        if (node != SYNC_JSON_NONE) {
            return sync_map_refuse(c, doc, at, "conflict", "a rule has "
                                   "\"type\" or \"format\", which is a date "
                                   "in a form of its own");
        }

        rc = sync_map_form(c, doc, at, "format", &shape->format);
        if (rc != SYNC_OK) {
            return rc;
        }

        rule->type = SYNC_MAP_FORMAT;
        node = at;
    }

    if (node != SYNC_JSON_NONE && rule->table != NULL) {
        return sync_map_refuse(c, doc, node, "conflict", "a rule has a table "
                               "or a type: the words of a table have their "
                               "type already");
    }

    rc = sync_map_dates(c, place, rule, shape);

    if (rc == SYNC_OK) {
        rc = sync_map_scale(c, place, rule, shape);
    }

    if (shape->format.len || shape->parse || shape->local || shape->moved
        || shape->scale >= 0)
    {
        rule->shape = shape;
    }

    return rc;
}


static sync_rc_t
sync_map_dates(sync_map_compile_t *c, const sync_map_place_t *place,
    sync_map_rule_t *rule, sync_map_shape_t *shape)
{
    int         date, has;
    uint32_t    doc, node;
    sync_rc_t   rc;
    sync_str_t  s;

    date = rule->type >= SYNC_MAP_DATE;

    sync_map_member(c, place, "parse", &doc, &node);

    if (node != SYNC_JSON_NONE) {
        if (!date) {
            return sync_map_refuse(c, doc, node, "conflict", "\"parse\" says "
                                   "how a date is written: add a \"type\" of "
                                   "a date, or a \"format\"");
        }

        rc = sync_map_form(c, doc, node, NULL, &s);
        if (rc != SYNC_OK) {
            return rc;
        }

        if (sync_str_is(s, "epoch")) {
            shape->parse = SYNC_MAP_PARSE_EPOCH;

        } else if (sync_str_is(s, "epoch-ms")) {
            shape->parse = SYNC_MAP_PARSE_EPOCH_MS;

        } else {
            rc = sync_map_form(c, doc, node, "parse", &shape->form);
            if (rc != SYNC_OK) {
                return rc;
            }

            shape->parse = SYNC_MAP_PARSE_FORM;
        }
    }

    rc = sync_map_offset(c, place, "offset", date, &has, &shape->offset);
    if (rc != SYNC_OK) {
        return rc;
    }

    shape->local = has;

    rc = sync_map_offset(c, place, "at", date, &has, &shape->at);
    shape->moved = has;

    return rc;
}


/* "+01:00": of times that have none, or at which times are written. */

static sync_rc_t
sync_map_offset(sync_map_compile_t *c, const sync_map_place_t *place,
    const char *name, int date, int *has, int16_t *offset)
{
    uint32_t       doc, node;
    sync_str_t     s, iso;
    sync_date_t    parsed;
    unsigned char  buf[sizeof("2026-01-01T00:00:00") + 6];

    *has = 0;

    sync_map_member(c, place, name, &doc, &node);

    if (node == SYNC_JSON_NONE) {
        return SYNC_OK;
    }

    if (!date) {
        return sync_map_refuse(c, doc, node, "conflict", "\"%s\" is an offset "
                               "of times: add a \"type\" of a date, or a "
                               "\"format\"", name);
    }

    s = sync_json_slice(&c->docs[doc].json, node);

    memcpy(buf, "2026-01-01T00:00:00", 19);
    iso.data = buf;
    iso.len = 19;

    if (c->docs[doc].json.nodes[node].type == SYNC_JSON_STRING
        && s.len && s.len <= 6)
    {
        memcpy(buf + 19, s.data, s.len);
        iso.len += s.len;
    }

    if (sync_date_parse(iso, &parsed) != SYNC_OK
        || parsed.form != SYNC_DATE_TIME)
    {
        return sync_map_refuse(c, doc, node, "value",
                               "\"%s\" is as \"+01:00\" or \"Z\"", name);
    }

    *has = 1;
    *offset = parsed.offset;

    return SYNC_OK;
}


static sync_rc_t
sync_map_scale(sync_map_compile_t *c, const sync_map_place_t *place,
    sync_map_rule_t *rule, sync_map_shape_t *shape)
{
    int64_t   scale;
    uint32_t  doc, node, at;

    sync_map_member(c, place, "scale", &doc, &node);

    if (node != SYNC_JSON_NONE) {
        if (rule->type != SYNC_MAP_DECIMAL && rule->type != SYNC_MAP_NUMBER) {
            return sync_map_refuse(c, doc, node, "conflict", "\"scale\" needs "
                                   "the \"type\" decimal or number");
        }

        if (sync_json_int(&c->docs[doc].json, node, &scale) != SYNC_OK
            || scale < 0 || scale > 100)
        {
            return sync_map_refuse(c, doc, node, "value", "\"scale\" is a "
                                   "number of digits behind the point, 0 to "
                                   "100");
        }

        shape->scale = (int16_t) scale;
    }

    sync_map_member(c, place, "round", &doc, &at);

    if (at == SYNC_JSON_NONE) {
        return SYNC_OK;
    }

    if (node == SYNC_JSON_NONE) {
        return sync_map_refuse(c, doc, at, "conflict",
                               "\"round\" needs a \"scale\"");
    }

    return sync_map_named(c, doc, at, sync_map_rounds, "a way to round",
                          &shape->round);
}


/* A string; with a name it is the form of a date. */

static sync_rc_t
sync_map_form(sync_map_compile_t *c, uint32_t doc, uint32_t node,
    const char *name, sync_str_t *form)
{
    const char  *text;

    if (c->docs[doc].json.nodes[node].type != SYNC_JSON_STRING) {
        return sync_map_refuse(c, doc, node, "type", "the form of a date is "
                               "a string, as \"DD.MM.YYYY\"");
    }

    *form = sync_map_text(c, doc, node);

    if (form->data == NULL) {
        return SYNC_FAULT;
    }

    if (name != NULL && sync_date_pattern(*form, &text) != SYNC_OK) {
        return sync_map_refuse(c, doc, node, "value", "\"%s\": %s", name,
                               text);
    }

    return SYNC_OK;
}


sync_rc_t
sync_map_condition(sync_map_compile_t *c, const sync_map_place_t *place,
    sync_path_t **test)
{
    uint32_t      doc, node;
    sync_rc_t     rc;
    sync_str_t    text;
    sync_error_t  err;

    sync_map_member(c, place, "when", &doc, &node);

    if (node == SYNC_JSON_NONE) {
        return SYNC_OK;
    }

    if (c->docs[doc].json.nodes[node].type != SYNC_JSON_STRING) {
        return sync_map_refuse(c, doc, node, "type", "\"when\" is a condition "
                               "as a filter has it: \"@.type == 'B'\"");
    }

    text = sync_map_text(c, doc, node);
    if (text.data == NULL) {
        return SYNC_FAULT;
    }

    rc = sync_path_compile_test(test, c->arena, text, &err);

    return rc != SYNC_NO ? rc
           : sync_map_refuse(c, doc, node, "path", "not a condition at "
                             "character %zu: %s", err.offset + 1, err.text);
}
