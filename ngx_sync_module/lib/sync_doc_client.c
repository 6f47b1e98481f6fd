
/*
 * Who calls: plans, sources, and the clients that join them.
 */


#include "sync_doc_grammar.h"
#include "sync_gcra.h"
#include "sync_rate.h"
#include "sync_zone.h"

#include <stdlib.h>


#define SYNC_DOC_LIMITS  8               /* in a plan */
#define SYNC_DOC_PLACES  1000000         /* of a concurrency */
#define SYNC_DOC_CLIENT  128             /* bytes of a client's id */


/* One line of a plan, before it is known what it counts in. */

typedef struct {
    sync_str_t              rate;
    sync_str_t              quota;
    const sync_value_t     *burst;
    int64_t                 concurrency;
    uint32_t                bytes;
} sync_doc_limit_fill_t;

typedef struct {
    sync_doc_client_rec_t   rec;
    sync_str_t              id;
} sync_doc_client_fill_t;

/* What a client may do to one entity. */

typedef struct {
    sync_doc_client_rec_t  *rec;
    uint32_t                entity;
} sync_doc_allowed_t;


static sync_rc_t sync_doc_plan_item(sync_doc_compile_t *c, sync_str_t name,
    const sync_value_t *v, uint32_t i, void *data);
static sync_rc_t sync_doc_set_limits(sync_doc_compile_t *c,
    const sync_value_t *v, const sync_doc_member_t *m, void *rec);
static sync_rc_t sync_doc_limit_item(sync_doc_compile_t *c, sync_str_t name,
    const sync_value_t *v, uint32_t i, void *data);
static sync_rc_t sync_doc_limit_rate(sync_doc_compile_t *c,
    sync_doc_limit_fill_t *fill, sync_doc_limit_t *limit);
static sync_rc_t sync_doc_limit_quota(sync_doc_compile_t *c,
    sync_doc_limit_fill_t *fill, sync_doc_limit_t *limit);
static sync_rc_t sync_doc_limit_burst(sync_doc_compile_t *c,
    sync_doc_limit_fill_t *fill, sync_doc_limit_t *limit);
static sync_rc_t sync_doc_set_rate(sync_doc_compile_t *c,
    const sync_value_t *v, const sync_doc_member_t *m, void *rec);
static sync_rc_t sync_doc_set_burst(sync_doc_compile_t *c,
    const sync_value_t *v, const sync_doc_member_t *m, void *rec);
static sync_rc_t sync_doc_set_quota(sync_doc_compile_t *c,
    const sync_value_t *v, const sync_doc_member_t *m, void *rec);
static sync_rc_t sync_doc_set_span(sync_doc_compile_t *c,
    const sync_value_t *v, const sync_doc_member_t *m, void *rec);
static sync_rc_t sync_doc_set_zone(sync_doc_compile_t *c,
    const sync_value_t *v, const sync_doc_member_t *m, void *rec);
static sync_rc_t sync_doc_set_concurrency(sync_doc_compile_t *c,
    const sync_value_t *v, const sync_doc_member_t *m, void *rec);

static sync_rc_t sync_doc_source_item(sync_doc_compile_t *c, sync_str_t name,
    const sync_value_t *v, uint32_t i, void *data);
static sync_rc_t sync_doc_set_media(sync_doc_compile_t *c,
    const sync_value_t *v, const sync_doc_member_t *m, void *rec);
static sync_rc_t sync_doc_set_maps(sync_doc_compile_t *c,
    const sync_value_t *v, const sync_doc_member_t *m, void *rec);

static sync_rc_t sync_doc_client_item(sync_doc_compile_t *c, sync_str_t name,
    const sync_value_t *v, uint32_t i, void *data);
static int sync_doc_client_order(const void *a, const void *b);
static int sync_doc_client_id_ok(sync_str_t s);
static sync_rc_t sync_doc_set_source(sync_doc_compile_t *c,
    const sync_value_t *v, const sync_doc_member_t *m, void *rec);
static sync_rc_t sync_doc_set_plan(sync_doc_compile_t *c,
    const sync_value_t *v, const sync_doc_member_t *m, void *rec);
static sync_rc_t sync_doc_set_allowed(sync_doc_compile_t *c,
    const sync_value_t *v, const sync_doc_member_t *m, void *rec);
static sync_rc_t sync_doc_allowed_item(sync_doc_compile_t *c, sync_str_t name,
    const sync_value_t *v, uint32_t i, void *data);
static sync_rc_t sync_doc_allowed_op(sync_doc_compile_t *c, sync_str_t name,
    const sync_value_t *v, uint32_t i, void *data);


/* A client does not speak OData; what wraps its JSON is a map's matter. */

static const sync_doc_word_t  sync_doc_source_format_words[] = {
    { "json",           SYNC_FORMAT_JSON, 0 },
    { "form",           SYNC_FORMAT_FORM, 0 },
    { "xml",            SYNC_FORMAT_XML, 0 },
    { "soap-1.1",       SYNC_FORMAT_SOAP_11, 0 },
    { "soap-1.2",       SYNC_FORMAT_SOAP_12, 0 },
    { "csv",            SYNC_FORMAT_CSV, 0 },
    { "json-rpc",       SYNC_FORMAT_JSON_RPC, 0 },
    { "odata-v2",       0, 1 },
    { "odata-v4",       0, 1 },
    { NULL,             0, 0 }
};

static const sync_doc_words_t  sync_doc_source_formats = {
    "format", sync_doc_source_format_words
};


/* What a client may be allowed: "find" is a connector's own. */

static const sync_doc_word_t  sync_doc_op_words[] = {
    { "create",         SYNC_OP_CREATE, 0 },
    { "read",           SYNC_OP_READ, 0 },
    { "replace",        SYNC_OP_REPLACE, 0 },
    { "update",         SYNC_OP_UPDATE, 0 },
    { "delete",         SYNC_OP_DELETE, 0 },
    { "list",           SYNC_OP_LIST, 0 },
    { NULL,             0, 0 }
};

static const sync_doc_words_t  sync_doc_ops = {
    "operation", sync_doc_op_words
};


const sync_doc_list_of_t  sync_doc_names_list = {
    sync_doc_set_text, NULL, 0, SYNC_DOC_NAMES
};

static const sync_doc_list_of_t  sync_doc_media_list = {
    sync_doc_set_media, NULL, 0, 16
};

static const sync_doc_list_of_t  sync_doc_secret_list = {
    sync_doc_set_secret, NULL, 0, 0
};


static const int64_t  sync_doc_strikes = 1000000;

static const sync_doc_member_t  sync_doc_penalty_table[] = {

    { "after", SYNC_DOC_INTEGER, SYNC_DOC_REQUIRED, sync_doc_set_number,
      offsetof(sync_doc_plan_rec_t, penalty.after), &sync_doc_strikes },

    { "within", SYNC_DOC_STRING, SYNC_DOC_REQUIRED, sync_doc_set_span,
      offsetof(sync_doc_plan_rec_t, penalty.within_ms), NULL },

    { "for", SYNC_DOC_STRING, SYNC_DOC_REQUIRED, sync_doc_set_span,
      offsetof(sync_doc_plan_rec_t, penalty.block_ms), NULL },

    sync_doc_last
};


static const sync_doc_member_t  sync_doc_plan_table[] = {

    { "time_zone", SYNC_DOC_STRING, 0, sync_doc_set_zone,
      offsetof(sync_doc_plan_rec_t, zone), NULL },

    { "limits", SYNC_DOC_ARRAY, SYNC_DOC_REQUIRED, sync_doc_set_limits,
      offsetof(sync_doc_plan_rec_t, limits), NULL },

    { "penalty", SYNC_DOC_OBJECT, 0, sync_doc_set_object, 0,
      sync_doc_penalty_table },

    sync_doc_last
};


static const sync_doc_word_t  sync_doc_limit_unit_words[] = {
    { "requests",       0, 0 },
    { "content-bytes",  1, 0 },
    { NULL,             0, 0 }
};

static const sync_doc_words_t  sync_doc_limit_units = {
    "unit", sync_doc_limit_unit_words
};


static const sync_doc_member_t  sync_doc_limit_table[] = {

    { "unit", SYNC_DOC_STRING, 0, sync_doc_set_word,
      offsetof(sync_doc_limit_fill_t, bytes), &sync_doc_limit_units },

    { "rate", SYNC_DOC_STRING, 0, sync_doc_set_rate, 0, NULL },
    { "burst", SYNC_DOC_ANY, 0, sync_doc_set_burst, 0, NULL },
    { "concurrency", SYNC_DOC_INTEGER, 0, sync_doc_set_concurrency, 0, NULL },

    { "quota", SYNC_DOC_STRING, 0, sync_doc_set_quota, 0, NULL },

    sync_doc_last
};


static const sync_doc_member_t  sync_doc_source_table[] = {

    { "format", SYNC_DOC_STRING, 0, sync_doc_set_word,
      offsetof(sync_doc_source_rec_t, format),
      &sync_doc_source_formats },

    { "media_types", SYNC_DOC_ARRAY, 0, sync_doc_set_list,
      offsetof(sync_doc_source_rec_t, media_types), &sync_doc_media_list },

    { "lists", SYNC_DOC_ARRAY, 0, sync_doc_set_list,
      offsetof(sync_doc_source_rec_t, lists), &sync_doc_names_list },

    { "maps", SYNC_DOC_OBJECT, SYNC_DOC_REQUIRED, sync_doc_set_maps, 0, NULL },

    { "schema", SYNC_DOC_ANY, 0, sync_doc_set_source_schema, 0, NULL },

    { "key", SYNC_DOC_STRING, 0, sync_doc_set_key, 0, NULL },

    sync_doc_later("split"),
    sync_doc_later("max"),
    sync_doc_later("ack"),

    sync_doc_last
};


static const sync_doc_member_t  sync_doc_client_table[] = {

    { "source", SYNC_DOC_STRING, 0, sync_doc_set_source, 0, NULL },
    { "plan", SYNC_DOC_STRING, 0, sync_doc_set_plan, 0, NULL },
    { "entities", SYNC_DOC_OBJECT, 0, sync_doc_set_allowed, 0, NULL },

    { "api_keys", SYNC_DOC_ARRAY, 0, sync_doc_set_list,
      offsetof(sync_doc_client_rec_t, api_keys), &sync_doc_secret_list },

    { "certificates", SYNC_DOC_ARRAY, 0, sync_doc_set_certificates,
      offsetof(sync_doc_client_rec_t, certificates), NULL },

    { "signature", SYNC_DOC_STRING, 0, sync_doc_set_signature, 0, NULL },

    { "secrets", SYNC_DOC_ARRAY, 0, sync_doc_set_list,
      offsetof(sync_doc_client_rec_t, secrets), &sync_doc_secret_list },

    sync_doc_last
};


sync_rc_t
sync_doc_set_plans(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec)
{
    sync_doc_t *head = rec;

    (void) m;

    return sync_doc_records(c, v, &head->plans, sizeof(sync_doc_plan_rec_t),
                            sync_doc_plan_item, head);
}


static sync_rc_t
sync_doc_plan_item(sync_doc_compile_t *c, sync_str_t name,
    const sync_value_t *v, uint32_t i, void *data)
{
    sync_rc_t             rc;
    sync_doc_t           *head = data;
    sync_doc_plan_rec_t   rec;

    memset(&rec, 0, sizeof(rec));

    rc = sync_doc_name_of(c, "plan", name, &rec.name);

    if (rc == SYNC_OK) {
        rc = sync_doc_kind(c, v, SYNC_DOC_OBJECT);
    }

    if (rc == SYNC_OK) {
        rc = sync_doc_walk(c, v, sync_doc_plan_table, &rec);
    }

    if (rc == SYNC_OK) {
        sync_doc_write(c, head->plans.off, i, &rec, sizeof(rec));
    }

    return rc;
}


static sync_rc_t
sync_doc_set_limits(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec)
{
    sync_doc_plan_rec_t *plan = rec;

    (void) m;

    if (sync_value_count(v) > SYNC_DOC_LIMITS) {
        return sync_doc_refuse(c, "value", "has more than %d limits",
                               SYNC_DOC_LIMITS);
    }

    return sync_doc_records(c, v, &plan->limits, sizeof(sync_doc_limit_t),
                            sync_doc_limit_item, plan);
}


static sync_rc_t
sync_doc_limit_item(sync_doc_compile_t *c, sync_str_t name,
    const sync_value_t *v, uint32_t i, void *data)
{
    sync_rc_t               rc;
    sync_doc_limit_t        limit;
    sync_doc_plan_rec_t    *plan = data;
    sync_doc_limit_fill_t   fill;

    (void) name;

    memset(&fill, 0, sizeof(fill));

    rc = sync_doc_kind(c, v, SYNC_DOC_OBJECT);

    if (rc == SYNC_OK) {
        rc = sync_doc_walk(c, v, sync_doc_limit_table, &fill);
    }

    if (rc != SYNC_OK) {
        return rc;
    }

    memset(&limit, 0, sizeof(limit));
    limit.bytes = fill.bytes;

    if ((fill.rate.data != NULL) + (fill.quota.data != NULL)
        + (fill.concurrency != 0) != 1)
    {
        return sync_doc_refuse(c, "value", "needs one of rate, quota and "
                               "concurrency");
    }

    if (fill.rate.data != NULL) {
        rc = sync_doc_limit_rate(c, &fill, &limit);

    } else if (fill.quota.data != NULL) {
        rc = sync_doc_limit_quota(c, &fill, &limit);

    } else if (fill.burst != NULL || fill.bytes) {
        rc = sync_doc_refuse(c, "value", "burst and unit do not go with "
                             "concurrency");

    } else {
        limit.kind = SYNC_LIMIT_CONCURRENCY;
        limit.count = (uint64_t) fill.concurrency;
    }

    if (rc == SYNC_OK) {
        sync_doc_write(c, plan->limits.off, i, &limit, sizeof(limit));
    }

    return rc;
}


static sync_rc_t
sync_doc_limit_rate(sync_doc_compile_t *c, sync_doc_limit_fill_t *fill,
    sync_doc_limit_t *limit)
{
    sync_rc_t     rc;
    sync_gcra_t   gcra;
    sync_rate_t   rate;
    sync_error_t  err;

    rc = fill->bytes ? sync_rate_parse_bytes(&rate, fill->rate, &err)
                     : sync_rate_parse(&rate, fill->rate, &err);

    if (rc != SYNC_OK) {
        return sync_doc_refuse_at(c, "rate", "value", "%s", err.text);
    }

    if (rate.unit == SYNC_PER_MONTH) {
        return sync_doc_refuse_at(c, "rate", "value", "a rate is by second, "
                                  "minute, hour, day or week; what counts by "
                                  "the calendar is a quota");
    }

    limit->kind = SYNC_LIMIT_RATE;
    limit->count = rate.count;
    limit->per_us = (uint64_t) rate.per;
    limit->burst = rate.count;

    rc = sync_doc_limit_burst(c, fill, limit);

    if (rc != SYNC_OK) {
        return rc;
    }

    /* refused here, so that no request finds a limit that cannot be */

    rc = sync_gcra_init(&gcra, rate.count, rate.per, (uint32_t) limit->burst,
                        &err);

    return rc == SYNC_NO ? sync_doc_refuse(c, "value", "%s", err.text) : rc;
}


static sync_rc_t
sync_doc_limit_quota(sync_doc_compile_t *c, sync_doc_limit_fill_t *fill,
    sync_doc_limit_t *limit)
{
    sync_rc_t     rc;
    sync_rate_t   rate;
    sync_error_t  err;

    rc = fill->bytes ? sync_rate_parse_bytes(&rate, fill->quota, &err)
                     : sync_rate_parse(&rate, fill->quota, &err);

    if (rc != SYNC_OK) {
        return sync_doc_refuse_at(c, "quota", "value", "%s", err.text);
    }

    if (rate.unit != SYNC_PER_DAY && rate.unit != SYNC_PER_MONTH) {
        return sync_doc_refuse_at(c, "quota", "value", "a quota is by day or "
                                  "month, like 1000000/month; what comes back "
                                  "little by little is a rate");
    }

    if (fill->burst != NULL) {
        return sync_doc_refuse(c, "value", "burst does not go with quota");
    }

    limit->kind = SYNC_LIMIT_QUOTA;
    limit->count = rate.count;
    limit->burst = rate.count;
    limit->unit = rate.unit == SYNC_PER_DAY ? SYNC_ZONE_DAY : SYNC_ZONE_MONTH;

    return SYNC_OK;
}


static sync_rc_t
sync_doc_limit_burst(sync_doc_compile_t *c, sync_doc_limit_fill_t *fill,
    sync_doc_limit_t *limit)
{
    int64_t   burst;
    uint64_t  bytes;

    if (fill->burst == NULL) {
        return SYNC_OK;
    }

    if (fill->bytes) {

        if (sync_value_type(fill->burst) != SYNC_VALUE_STRING
            || sync_size_parse(&bytes, sync_value_str(fill->burst), NULL)
               != SYNC_OK
            || bytes == 0)
        {
            return sync_doc_refuse_at(c, "burst", "value", "a burst of "
                                      "content-bytes is a size, like \"4m\"");
        }

        limit->burst = (bytes - 1) / 1024 + 1;

        return SYNC_OK;
    }

    if (sync_value_int(fill->burst, &burst) != SYNC_OK || burst < 1
        || burst > UINT32_MAX)
    {
        return sync_doc_refuse_at(c, "burst", "value", "a burst is from 1 to "
                                  "%lu", (unsigned long) UINT32_MAX);
    }

    limit->burst = (uint64_t) burst;

    return SYNC_OK;
}


/* What they mean depends on the unit: they are read when all are known. */

static sync_rc_t
sync_doc_set_rate(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec)
{
    sync_doc_limit_fill_t  *fill = rec;

    (void) c;
    (void) m;

    fill->rate = sync_value_str(v);

    return SYNC_OK;
}


static sync_rc_t
sync_doc_set_quota(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec)
{
    sync_doc_limit_fill_t  *fill = rec;

    (void) c;
    (void) m;

    fill->quota = sync_value_str(v);

    return SYNC_OK;
}


/* A duration that a penalty may have. */

static sync_rc_t
sync_doc_set_span(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec)
{
    sync_rc_t       rc;
    uint64_t        ms;
    unsigned char  *field = rec;

    rc = sync_doc_set_duration(c, v, m, rec);

    if (rc != SYNC_OK) {
        return rc;
    }

    memcpy(&ms, field + m->offset, sizeof(ms));

    if (ms < 1000 || ms > (uint64_t) SYNC_DOC_PENALTY_MAX) {
        return sync_doc_refuse(c, "value", "is from 1s to 30d");
    }

    return SYNC_OK;
}


/* Read here to see that it is there; who counts by it reads it again. */

static sync_rc_t
sync_doc_set_zone(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec)
{
    sync_rc_t           rc;
    sync_error_t        err;
    sync_arena_t       *arena;
    const sync_zone_t  *zone;

    arena = sync_arena_create(4096);

    if (arena == NULL) {
        return SYNC_FAULT;
    }

    rc = sync_zone_load(arena, sync_value_str(v), &zone, &err);

    sync_arena_destroy(arena);

    if (rc == SYNC_NO) {
        return sync_doc_refuse(c, "value", "%s", err.text);
    }

    return rc == SYNC_OK ? sync_doc_set_text(c, v, m, rec) : rc;
}


static sync_rc_t
sync_doc_set_burst(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec)
{
    sync_doc_limit_fill_t  *fill = rec;

    (void) c;
    (void) m;

    fill->burst = v;

    return SYNC_OK;
}


static sync_rc_t
sync_doc_set_concurrency(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec)
{
    sync_doc_limit_fill_t  *fill = rec;

    (void) m;
    (void) sync_value_int(v, &fill->concurrency);

    if (fill->concurrency < 1 || fill->concurrency > SYNC_DOC_PLACES) {
        return sync_doc_refuse(c, "value", "a concurrency is from 1 to %d",
                               SYNC_DOC_PLACES);
    }

    return SYNC_OK;
}


sync_rc_t
sync_doc_canonical(sync_doc_compile_t *c, uint32_t n, sync_doc_ref_t *sources)
{
    sync_rc_t              rc;
    sync_doc_source_rec_t  rec;

    memset(&rec, 0, sizeof(rec));
    sources->n = n;

    rc = sync_doc_room(c, n, sizeof(rec), &sources->off);

    if (rc == SYNC_OK) {
        rc = sync_doc_string(c, sync_str_lit("canonical"), &rec.name);
    }

    if (rc == SYNC_OK) {
        sync_doc_write(c, sources->off, SYNC_DOC_CANONICAL, &rec, sizeof(rec));
    }

    return rc;
}


sync_rc_t
sync_doc_set_sources(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec)
{
    sync_rc_t    rc;
    sync_doc_t  *head = rec;

    (void) m;

    rc = sync_doc_canonical(c, (uint32_t) sync_value_count(v) + 1,
                            &head->sources);

    return rc == SYNC_OK ? sync_doc_each(c, v, sync_doc_source_item, head)
                         : rc;
}


static sync_rc_t
sync_doc_source_item(sync_doc_compile_t *c, sync_str_t name,
    const sync_value_t *v, uint32_t i, void *data)
{
    sync_rc_t               rc;
    sync_doc_t             *head = data;
    sync_doc_source_rec_t   rec;

    memset(&rec, 0, sizeof(rec));

    if (sync_str_is(name, "canonical")) {
        return sync_doc_refuse(c, "value", "\"canonical\" is always there and "
                               "has no maps; name this source otherwise");
    }

    rc = sync_doc_name_of(c, "source", name, &rec.name);

    if (rc == SYNC_OK) {
        rc = sync_doc_kind(c, v, SYNC_DOC_OBJECT);
    }

    if (rc == SYNC_OK) {
        rc = sync_doc_walk(c, v, sync_doc_source_table, &rec);
    }

    if (rc == SYNC_OK) {
        sync_doc_write(c, head->sources.off, i + 1, &rec, sizeof(rec));
    }

    return rc;
}


/* RFC 9110, section 8.3.1, without parameters; kept in lower case. */

static sync_rc_t
sync_doc_set_media(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec)
{
    size_t          i, slashes;
    sync_str_t      s;
    unsigned char   ch;

    s = sync_strdup(c->arena, sync_value_str(v));
    if (s.data == NULL) {
        return SYNC_FAULT;
    }

    slashes = 0;

    for (i = 0; i < s.len; i++) {
        ch = s.data[i];

        if (ch >= 'A' && ch <= 'Z') {
            s.data[i] = (unsigned char) (ch | 0x20);
            continue;
        }

        if (ch == '/') {
            slashes++;
            continue;
        }

        if (!((ch >= 'a' && ch <= 'z') || (ch >= '0' && ch <= '9')
              || (ch && strchr("!#$&^_.+-", ch))))
        {
            slashes = 0;
            break;
        }
    }

    if (slashes != 1 || s.data[0] == '/' || s.data[s.len - 1] == '/'
        || s.len > SYNC_DOC_TEXT)
    {
        return sync_doc_refuse(c, "value", "is not a media type like "
                               "\"application/json\", without parameters");
    }

    return sync_doc_string(c, s, (sync_doc_ref_t *)
                                 (void *) ((unsigned char *) rec
                                           + m->offset));
}


static sync_rc_t
sync_doc_set_maps(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec)
{
    sync_doc_source_rec_t  *source = rec;

    (void) m;

    return sync_doc_each(c, v, sync_doc_entity_path, source->maps);
}


/* Read into the arena first: they stand in the block by their ids' order. */

sync_rc_t
sync_doc_set_clients(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec)
{
    uint32_t                 i, n;
    sync_rc_t                rc;
    sync_doc_t              *head = rec;
    sync_doc_client_fill_t  *fill;

    (void) m;

    n = (uint32_t) sync_value_count(v);

    if (n == 0) {
        return SYNC_OK;
    }

    fill = sync_calloc(c->arena, n * sizeof(sync_doc_client_fill_t));
    if (fill == NULL) {
        return SYNC_FAULT;
    }

    rc = sync_doc_room(c, n, sizeof(sync_doc_client_rec_t),
                       &head->clients.off);

    if (rc == SYNC_OK) {
        rc = sync_doc_each(c, v, sync_doc_client_item, fill);
    }

    if (rc == SYNC_OK) {
        rc = sync_doc_check_secrets(c, &fill->rec,
                                    sizeof(sync_doc_client_fill_t), n);
    }

    if (rc != SYNC_OK) {
        return rc;
    }

    qsort(fill, n, sizeof(sync_doc_client_fill_t), sync_doc_client_order);

    for (i = 0; i < n; i++) {
        sync_doc_write(c, head->clients.off, i, &fill[i].rec,
                       sizeof(sync_doc_client_rec_t));
    }

    head->clients.n = n;

    return sync_doc_index_certificates(c, &fill->rec,
                                       sizeof(sync_doc_client_fill_t), n);
}


static sync_rc_t
sync_doc_client_item(sync_doc_compile_t *c, sync_str_t name,
    const sync_value_t *v, uint32_t i, void *data)
{
    sync_rc_t                rc;
    sync_doc_client_fill_t  *fill = data;

    fill += i;
    fill->id = name;
    fill->rec.source = SYNC_DOC_CANONICAL;
    fill->rec.plan = SYNC_DOC_NONE;

    if (!sync_doc_client_id_ok(name)) {
        return sync_doc_refuse(c, "value", "is not a client's id: 1 to %d of "
                               "letters, digits and \"_.:@/~-\"",
                               SYNC_DOC_CLIENT);
    }

    rc = sync_doc_string(c, name, &fill->rec.id);

    if (rc == SYNC_OK) {
        rc = sync_doc_kind(c, v, SYNC_DOC_OBJECT);
    }

    if (rc == SYNC_OK) {
        rc = sync_doc_walk(c, v, sync_doc_client_table, &fill->rec);
    }

    if (rc == SYNC_OK && fill->rec.secrets.n && fill->rec.signature == 0) {
        return sync_doc_refuse_at(c, "secrets", "value", "go with \"signature"
                                  "\", which says how they sign");
    }

    return rc;
}


static int
sync_doc_client_order(const void *a, const void *b)
{
    return sync_doc_compare(((const sync_doc_client_fill_t *) a)->id,
                            ((const sync_doc_client_fill_t *) b)->id);
}


/* Ids are the issuers' to choose: longer, and of more, than our own names. */

static int
sync_doc_client_id_ok(sync_str_t s)
{
    size_t         i;
    unsigned char  ch;

    for (i = 0; i < s.len; i++) {
        ch = s.data[i];

        if (!((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z')
              || (ch >= '0' && ch <= '9') || (ch && strchr("_.:@/~-", ch))))
        {
            return 0;
        }
    }

    return s.len > 0 && s.len <= SYNC_DOC_CLIENT;
}


static sync_rc_t
sync_doc_set_source(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec)
{
    sync_str_t              s;
    sync_doc_client_rec_t  *client = rec;

    (void) m;

    s = sync_value_str(v);

    if (sync_doc_find(c, c->head.sources, sizeof(sync_doc_source_rec_t), s,
                      &client->source)
        != SYNC_OK)
    {
        return sync_doc_no_such(c, "source", c->head.sources,
                                sizeof(sync_doc_source_rec_t), s);
    }

    return SYNC_OK;
}


static sync_rc_t
sync_doc_set_plan(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec)
{
    sync_str_t              s;
    sync_doc_client_rec_t  *client = rec;

    (void) m;

    s = sync_value_str(v);

    if (sync_doc_find(c, c->head.plans, sizeof(sync_doc_plan_rec_t), s,
                      &client->plan)
        != SYNC_OK)
    {
        return sync_doc_no_such(c, "plan", c->head.plans,
                                sizeof(sync_doc_plan_rec_t), s);
    }

    return SYNC_OK;
}


static sync_rc_t
sync_doc_set_allowed(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec)
{
    (void) m;

    return sync_doc_each(c, v, sync_doc_allowed_item, rec);
}


static sync_rc_t
sync_doc_allowed_item(sync_doc_compile_t *c, sync_str_t name,
    const sync_value_t *v, uint32_t i, void *data)
{
    sync_rc_t               rc;
    sync_doc_shown_t        shown;
    sync_doc_allowed_t      allowed;
    sync_doc_source_rec_t   source;

    (void) i;

    allowed.rec = data;

    rc = sync_doc_word(c, &sync_doc_entities, name, 1, &allowed.entity);

    if (rc == SYNC_OK) {
        rc = sync_doc_kind(c, v, SYNC_DOC_ARRAY);
    }

    if (rc != SYNC_OK) {
        return rc;
    }

    memcpy(&source, c->block + c->head.sources.off
                    + allowed.rec->source * sizeof(source), sizeof(source));

    if (allowed.rec->source != SYNC_DOC_CANONICAL
        && source.maps[allowed.entity].n == 0)
    {
        return sync_doc_refuse(c, "reference", "source \"%s\" has no map for "
                               "this entity",
                               sync_doc_show(&shown,
                                             sync_doc_now(c, source.name)));
    }

    return sync_doc_each(c, v, sync_doc_allowed_op, &allowed);
}


static sync_rc_t
sync_doc_allowed_op(sync_doc_compile_t *c, sync_str_t name,
    const sync_value_t *v, uint32_t i, void *data)
{
    uint32_t             op;
    sync_rc_t            rc;
    sync_doc_allowed_t  *allowed = data;

    (void) name;
    (void) i;

    rc = sync_doc_kind(c, v, SYNC_DOC_STRING);

    if (rc == SYNC_OK) {
        rc = sync_doc_word(c, &sync_doc_ops, sync_value_str(v), 0, &op);
    }

    if (rc == SYNC_OK) {
        allowed->rec->operations[allowed->entity] |=
                                                (uint8_t) sync_op_bit(op);
    }

    return rc;
}
