
/*
 * The directive sync_limit and its parameters.
 */


#include "ngx_http_sync_limit.h"


#define NGX_HTTP_SYNC_LIMIT_PLACES  1000000


/* What stands in the directive, before it is known what it makes. */

typedef struct {
    ngx_str_t                    rate;
    ngx_str_t                    burst;
    ngx_str_t                    key;
    ngx_str_t                    quota;
    ngx_str_t                    zone;
    ngx_str_t                    concurrency;
    ngx_str_t                    lease;
    ngx_uint_t                   plan;
    ngx_uint_t                   stage;      /* NGX_HTTP_SYNC_STEP_... or 0 */
    unsigned                     mode:1;     /* it was said */
    unsigned                     fail:1;
    unsigned                     unit:1;
} ngx_http_sync_limit_text_t;


static char *ngx_http_sync_limit_parameter(ngx_conf_t *cf,
    ngx_http_sync_limit_t *limit, ngx_http_sync_limit_text_t *text,
    ngx_str_t *arg);
static ngx_int_t ngx_http_sync_limit_word(ngx_str_t *s, const char **words);
static char *ngx_http_sync_limit_cost_parameter(ngx_conf_t *cf,
    ngx_http_sync_limit_t *limit, ngx_str_t *arg);
static char *ngx_http_sync_limit_finish(ngx_conf_t *cf,
    ngx_http_sync_limit_t *limit, ngx_http_sync_limit_text_t *text);
static char *ngx_http_sync_limit_finish_plan(ngx_conf_t *cf,
    ngx_http_sync_limit_t *limit, ngx_http_sync_limit_text_t *text);
static char *ngx_http_sync_limit_finish_rate(ngx_conf_t *cf,
    ngx_http_sync_limit_t *limit, ngx_http_sync_limit_text_t *text);
static char *ngx_http_sync_limit_finish_quota(ngx_conf_t *cf,
    ngx_http_sync_limit_t *limit, ngx_http_sync_limit_text_t *text);
static void *ngx_http_sync_limit_alloc(sync_arena_t *arena, size_t size);
static char *ngx_http_sync_limit_finish_leased(ngx_conf_t *cf,
    ngx_http_sync_limit_t *limit, ngx_http_sync_limit_text_t *text);
static char *ngx_http_sync_limit_finish_places(ngx_conf_t *cf,
    ngx_http_sync_limit_t *limit, ngx_http_sync_limit_text_t *text);
static char *ngx_http_sync_limit_finish_lease(ngx_conf_t *cf,
    ngx_http_sync_limit_t *limit, ngx_http_sync_limit_text_t *text,
    ngx_msec_t otherwise, ngx_msec_t least, ngx_msec_t most);
static char *ngx_http_sync_limit_finish_key(ngx_conf_t *cf,
    ngx_http_sync_limit_t *limit, ngx_http_sync_limit_text_t *text);
static ngx_http_complex_value_t *ngx_http_sync_limit_value(ngx_conf_t *cf,
    ngx_str_t *text);


/* By ngx_http_sync_limit_mode_e, ngx_http_sync_limit_fail_e. */

static const char  *ngx_http_sync_limit_modes[] = {
    "local", "exact", "leased", NULL
};
static const char  *ngx_http_sync_limit_fails[] = {
    "local", "open", "closed", NULL
};

static const char  *ngx_http_sync_limit_stages[] = { "edge", "client", NULL };
static const char  *ngx_http_sync_limit_units[] = {
    "requests", "content-bytes", NULL
};


/*
 * sync_limit off | [NAME] plan [PARAMETERS]
 *                | [NAME] rate=R burst=B key=$var [PARAMETERS]
 *                | [NAME] quota=Q [time_zone=Z] key=$var [PARAMETERS]
 *                | [NAME] concurrency=N key=$var [PARAMETERS]
 */

char *
ngx_http_sync_limit(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_sync_limit_loc_conf_t  *llcf = conf;

    char                        *rv;
    ngx_str_t                   *value;
    ngx_uint_t                   i;
    ngx_http_sync_limit_t       *limit, *other;
    ngx_http_sync_limit_text_t   text;

    value = cf->args->elts;

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0) {

        if (llcf->limits != NGX_CONF_UNSET_PTR) {
            return "off and other limits stand at the same level";
        }

        llcf->limits = NULL;

        return NGX_CONF_OK;
    }

    if (llcf->limits == NULL) {
        return "off and other limits stand at the same level";
    }

    if (llcf->limits == NGX_CONF_UNSET_PTR) {
        llcf->limits = ngx_array_create(cf->pool, 2,
                                        sizeof(ngx_http_sync_limit_t));
        if (llcf->limits == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    limit = ngx_array_push(llcf->limits);
    if (limit == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(limit, sizeof(ngx_http_sync_limit_t));
    ngx_memzero(&text, sizeof(ngx_http_sync_limit_text_t));

    limit->units = 1;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_strcmp(value[i].data, "plan") == 0) {
            if (text.plan++) {
                return "has \"plan\" twice";
            }

            continue;
        }

        if (ngx_strcmp(value[i].data, "shadow") == 0) {
            limit->shadow = 1;
            continue;
        }

        if (ngx_strcmp(value[i].data, "strict") == 0) {
            limit->strict = 1;
            continue;
        }

        if (i == 1 && ngx_strchr(value[i].data, '=') == NULL) {
            rv = ngx_http_sync_limit_name_ok(cf, "sync_limit", &value[i]);

            limit->name = value[i];
            limit->named = 1;

        } else {
            rv = ngx_http_sync_limit_parameter(cf, limit, &text, &value[i]);
        }

        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    rv = ngx_http_sync_limit_finish(cf, limit, &text);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    other = llcf->limits->elts;

    for ( /* void */ ; other < limit; other++) {
        if (other->name.len == limit->name.len
            && ngx_strncmp(other->name.data, limit->name.data,
                           limit->name.len) == 0)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "two limits \"%V\" at the same level: give one "
                               "of them another name, as in "
                               "\"sync_limit NAME ...\"", &limit->name);
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


char *
ngx_http_sync_limit_name_ok(ngx_conf_t *cf, const char *directive,
    ngx_str_t *name)
{
    ngx_uint_t  i, bad;

    bad = name->len == 0 || name->len >= NGX_HTTP_SYNC_LIMIT_NAME;

    for (i = 0; i < name->len; i++) {
        if (name->data[i] < 0x21 || name->data[i] > 0x7e
            || name->data[i] == '"' || name->data[i] == '\\'
            || name->data[i] == '=')
        {
            bad = 1;
        }
    }

    if (bad) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid name \"%V\" of \"%s\", up to %d visible "
                           "ASCII characters without quotes are needed", name,
                           directive, NGX_HTTP_SYNC_LIMIT_NAME - 1);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


#define ngx_http_sync_limit_is(arg, lit)                                      \
    (ngx_strncmp((arg)->data, lit, sizeof(lit) - 1) == 0)


static char *
ngx_http_sync_limit_parameter(ngx_conf_t *cf, ngx_http_sync_limit_t *limit,
    ngx_http_sync_limit_text_t *text, ngx_str_t *arg)
{
    ngx_int_t    n;
    ngx_str_t    s;
    ngx_uint_t   i;

    struct {
        const char  *name;
        ngx_str_t   *text;
    } texts[] = {
        { "rate=", &text->rate },
        { "burst=", &text->burst },
        { "key=", &text->key },
        { "quota=", &text->quota },
        { "time_zone=", &text->zone },
        { "concurrency=", &text->concurrency },
        { "lease=", &text->lease },
        { NULL, NULL }
    };

    s.data = (u_char *) ngx_strchr(arg->data, '=');

    if (s.data == NULL) {
        goto unknown;
    }

    s.data++;
    s.len = arg->data + arg->len - s.data;

    for (i = 0; texts[i].name != NULL; i++) {

        if (ngx_strncmp(arg->data, texts[i].name, ngx_strlen(texts[i].name))
            != 0)
        {
            continue;
        }

        if (texts[i].text->data != NULL) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"sync_limit\" has \"%*s\" twice",
                               ngx_strlen(texts[i].name) - 1, texts[i].name);
            return NGX_CONF_ERROR;
        }

        *texts[i].text = s;

        return NGX_CONF_OK;
    }

    if (ngx_http_sync_limit_is(arg, "cost=")) {
        return ngx_http_sync_limit_cost_parameter(cf, limit, &s);
    }

    if (ngx_http_sync_limit_is(arg, "nodes=")) {

        n = ngx_atoi(s.data, s.len);

        if (limit->nodes || n <= 0 || n > NGX_HTTP_SYNC_LIMIT_NODES) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid \"%V\", one number from 1 to %d is "
                               "needed", arg, NGX_HTTP_SYNC_LIMIT_NODES);
            return NGX_CONF_ERROR;
        }

        limit->nodes = n;

        return NGX_CONF_OK;
    }

    if (ngx_http_sync_limit_is(arg, "mode=") && !text->mode) {

        n = ngx_http_sync_limit_word(&s, ngx_http_sync_limit_modes);

        if (n != NGX_ERROR) {
            limit->mode = n;
            text->mode = 1;
            return NGX_CONF_OK;
        }
    }

    if (ngx_http_sync_limit_is(arg, "fail=") && !text->fail) {

        n = ngx_http_sync_limit_word(&s, ngx_http_sync_limit_fails);

        if (n != NGX_ERROR) {
            limit->fail = n;
            text->fail = 1;
            return NGX_CONF_OK;
        }
    }

    if (ngx_http_sync_limit_is(arg, "unit=") && !text->unit) {

        n = ngx_http_sync_limit_word(&s, ngx_http_sync_limit_units);

        if (n != NGX_ERROR) {
            limit->bytes = n;
            text->unit = 1;
            return NGX_CONF_OK;
        }
    }

    if (ngx_http_sync_limit_is(arg, "stage=") && !text->stage) {

        n = ngx_http_sync_limit_word(&s, ngx_http_sync_limit_stages);

        if (n != NGX_ERROR) {
            text->stage = n ? NGX_HTTP_SYNC_STEP_LIMIT
                            : NGX_HTTP_SYNC_STEP_LIMIT_EDGE;
            return NGX_CONF_OK;
        }
    }

unknown:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\" of \"sync_limit\", known are "
                       "plan, rate=, burst=, quota=, time_zone=, "
                       "concurrency=, key=, cost=, "
                       "unit=requests|content-bytes, mode=local|exact|leased, "
                       "lease=, strict, fail=local|open|closed, nodes=, "
                       "stage=edge|client, shadow, each once", arg);
    return NGX_CONF_ERROR;
}


static ngx_int_t
ngx_http_sync_limit_word(ngx_str_t *s, const char **words)
{
    ngx_int_t  i;

    for (i = 0; words[i] != NULL; i++) {
        if (ngx_strcmp(s->data, words[i]) == 0) {
            return i;
        }
    }

    return NGX_ERROR;
}


static char *
ngx_http_sync_limit_cost_parameter(ngx_conf_t *cf,
    ngx_http_sync_limit_t *limit, ngx_str_t *arg)
{
    ngx_int_t  n;

    if (limit->cost != NULL || limit->units != 1) {
        return "has \"cost\" twice";
    }

    if (ngx_strchr(arg->data, '$') != NULL) {
        limit->cost = ngx_http_sync_limit_value(cf, arg);

        return limit->cost != NULL ? NGX_CONF_OK : NGX_CONF_ERROR;
    }

    n = ngx_atoi(arg->data, arg->len);

    if (n <= 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid \"cost=%V\", a number of at least 1 or a "
                           "variable is needed", arg);
        return NGX_CONF_ERROR;
    }

    limit->units = n;

    return NGX_CONF_OK;
}


static char *
ngx_http_sync_limit_finish(ngx_conf_t *cf, ngx_http_sync_limit_t *limit,
    ngx_http_sync_limit_text_t *text)
{
    char        *rv;
    ngx_uint_t   kinds;

    if (limit->bytes && (limit->cost != NULL || limit->units != 1)) {
        return "costs what the content is long where it has "
               "\"unit=content-bytes\": \"cost\" does not go with it";
    }

    if (text->plan) {
        limit->client = 1;

        if (!limit->named) {
            ngx_str_set(&limit->name, "plan");
        }

        return ngx_http_sync_limit_finish_plan(cf, limit, text);
    }

    kinds = (text->rate.len != 0) + (text->quota.len != 0)
            + (text->concurrency.len != 0);

    if (text->key.len == 0 || kinds == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"sync_limit\" needs \"plan\", or \"rate=\" and "
                           "\"key=\", or \"quota=\" or \"concurrency=\" and "
                           "\"key=\", as in \"sync_limit rate=100/s burst=200 "
                           "key=$binary_remote_addr\"");
        return NGX_CONF_ERROR;
    }

    if (kinds > 1) {
        return "has more than one of \"rate\", \"quota\" and "
               "\"concurrency\": make them two limits";
    }

    if (text->zone.len && text->quota.len == 0) {
        return "has a \"time_zone\", which is for \"quota\"";
    }

    rv = text->rate.len ? ngx_http_sync_limit_finish_rate(cf, limit, text)
         : text->quota.len ? ngx_http_sync_limit_finish_quota(cf, limit, text)
         : ngx_http_sync_limit_finish_places(cf, limit, text);

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    return ngx_http_sync_limit_finish_key(cf, limit, text);
}


static char *
ngx_http_sync_limit_finish_plan(ngx_conf_t *cf, ngx_http_sync_limit_t *limit,
    ngx_http_sync_limit_text_t *text)
{
    if (text->rate.len || text->burst.len || text->key.len || text->stage
        || text->quota.len || text->zone.len || text->concurrency.len
        || text->unit)
    {
        return "plan takes its rates from the tenant's document: \"rate\", "
               "\"burst\", \"quota\", \"time_zone\", \"concurrency\", "
               "\"unit\", \"key\" and \"stage\" do not go with it";
    }

    return ngx_http_sync_limit_finish_leased(cf, limit, text);
}


static char *
ngx_http_sync_limit_finish_rate(ngx_conf_t *cf, ngx_http_sync_limit_t *limit,
    ngx_http_sync_limit_text_t *text)
{
    char          *rv;
    u_char        *p;
    int64_t        burst;
    ngx_str_t     *s;
    uint64_t       bytes;
    sync_rate_t    rate;
    sync_error_t   err;

    s = &text->rate;

    if ((limit->bytes
         ? sync_rate_parse_bytes(&rate, (sync_str_t) { s->len, s->data }, &err)
         : sync_rate_parse(&rate, (sync_str_t) { s->len, s->data }, &err))
        != SYNC_OK)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid \"rate=%V\": %s", s,
                           err.text);
        return NGX_CONF_ERROR;
    }

    burst = rate.count;
    s = &text->burst;

    if (s->data != NULL) {

        if (!limit->bytes) {
            burst = ngx_atoi(s->data, s->len);

        } else if (sync_size_parse(&bytes, (sync_str_t) { s->len, s->data },
                                   NULL)
                   == SYNC_OK)
        {
            burst = (bytes + NGX_HTTP_SYNC_LIMIT_BLOCK - 1)
                    / NGX_HTTP_SYNC_LIMIT_BLOCK;

        } else {
            burst = 0;
        }

        if (burst <= 0 || burst > UINT32_MAX) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid \"burst=%V\", %s is needed", s,
                               limit->bytes ? "a size such as 4m"
                                            : "a number of at least 1");
            return NGX_CONF_ERROR;
        }
    }

    if (sync_gcra_init(&limit->gcra, rate.count, rate.per, burst, &err)
        != SYNC_OK)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid \"sync_limit\": %s", err.text);
        return NGX_CONF_ERROR;
    }

    rv = ngx_http_sync_limit_finish_leased(cf, limit, text);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    if (limit->strict
        && sync_gcra_strict(&limit->gcra, (int64_t) limit->lease * 1000)
           != SYNC_OK)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"strict\" needs a \"burst\" above what \"rate\" "
                           "gives in a \"lease\": make the burst larger or the "
                           "lease, now %Mms, shorter", limit->lease);
        return NGX_CONF_ERROR;
    }

    if (limit->cost == NULL && limit->units > limit->gcra.burst) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"cost=%uL\" is over the burst of %uD: no request "
                           "would ever pass", limit->units,
                           limit->gcra.burst);
        return NGX_CONF_ERROR;
    }

    if (!limit->named) {
        limit->name = text->rate;
    }

    limit->text.data = ngx_pnalloc(cf->pool, text->rate.len + text->key.len
                                             + 2 * NGX_INT64_LEN
                                             + sizeof("leased    strict "
                                                      "bytes"));
    if (limit->text.data == NULL) {
        return NGX_CONF_ERROR;
    }

    p = ngx_sprintf(limit->text.data, "%s %M %V %L %V%s%s",
                    ngx_http_sync_limit_modes[limit->mode], limit->lease,
                    &text->rate, burst, &text->key,
                    limit->strict ? " strict" : "",
                    limit->bytes ? " bytes" : "");
    limit->text.len = p - limit->text.data;

    return NGX_CONF_OK;
}


static char *
ngx_http_sync_limit_finish_quota(ngx_conf_t *cf, ngx_http_sync_limit_t *limit,
    ngx_http_sync_limit_text_t *text)
{
    char          *rv;
    u_char        *p;
    ngx_str_t     *s;
    sync_rate_t    rate;
    sync_error_t   err;
    sync_arena_t   arena;

    s = &text->quota;

    if ((limit->bytes
         ? sync_rate_parse_bytes(&rate, (sync_str_t) { s->len, s->data }, &err)
         : sync_rate_parse(&rate, (sync_str_t) { s->len, s->data }, &err))
        != SYNC_OK)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid \"quota=%V\": %s", s,
                           err.text);
        return NGX_CONF_ERROR;
    }

    if (rate.unit != SYNC_PER_DAY && rate.unit != SYNC_PER_MONTH) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid \"quota=%V\": a quota is by day or month, "
                           "like 1000000/month; what comes back little by "
                           "little is a \"rate\"", s);
        return NGX_CONF_ERROR;
    }

    if (text->burst.len) {
        return "has a \"quota\", with which \"burst\" does not go";
    }

    if (limit->strict) {
        return "has a \"quota\", which is never more than it says: \"strict\" "
               "does not go with it";
    }

    rv = ngx_http_sync_limit_finish_leased(cf, limit, text);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    limit->kind = NGX_HTTP_SYNC_LIMIT_QUOTA;
    limit->quota = rate.count;
    limit->unit = rate.unit == SYNC_PER_DAY ? SYNC_ZONE_DAY : SYNC_ZONE_MONTH;

    if (limit->cost == NULL && limit->units > limit->quota) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"cost=%uL\" is over the quota of %uD: no request "
                           "would ever pass", limit->units, limit->quota);
        return NGX_CONF_ERROR;
    }

    if (text->zone.len) {
        arena.alloc = ngx_http_sync_limit_alloc;
        arena.data = cf->pool;

        if (sync_zone_load(&arena, (sync_str_t) { text->zone.len,
                                                  text->zone.data },
                           &limit->zone, &err)
            != SYNC_OK)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"time_zone=%V\" %s", &text->zone, err.text);
            return NGX_CONF_ERROR;
        }
    }

    if (!limit->named) {
        limit->name = text->quota;
    }

    limit->text.data = ngx_pnalloc(cf->pool, s->len + text->zone.len
                                             + text->key.len
                                             + sizeof("leased    bytes"));
    if (limit->text.data == NULL) {
        return NGX_CONF_ERROR;
    }

    p = ngx_sprintf(limit->text.data, "%s %V %V %V%s",
                    ngx_http_sync_limit_modes[limit->mode], s, &text->zone,
                    &text->key, limit->bytes ? " bytes" : "");
    limit->text.len = p - limit->text.data;

    return NGX_CONF_OK;
}


static void *
ngx_http_sync_limit_alloc(sync_arena_t *arena, size_t size)
{
    return ngx_palloc(arena->data, size);
}


/* What is leased, for how long. */

static char *
ngx_http_sync_limit_finish_leased(ngx_conf_t *cf,
    ngx_http_sync_limit_t *limit, ngx_http_sync_limit_text_t *text)
{
    if (limit->mode == NGX_HTTP_SYNC_LIMIT_MODE_LEASED) {
        return ngx_http_sync_limit_finish_lease(cf, limit, text, 1000, 100,
                                                60000);
    }

    if (text->lease.len || limit->strict) {
        return "has a \"lease\" or is \"strict\", which is for "
               "\"mode=leased\"";
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_sync_limit_finish_places(ngx_conf_t *cf,
    ngx_http_sync_limit_t *limit, ngx_http_sync_limit_text_t *text)
{
    char       *rv;
    u_char     *p;
    ngx_int_t   n;

    n = ngx_atoi(text->concurrency.data, text->concurrency.len);

    if (n <= 0 || n > NGX_HTTP_SYNC_LIMIT_PLACES) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid \"concurrency=%V\", a number from 1 to %d "
                           "is needed", &text->concurrency,
                           NGX_HTTP_SYNC_LIMIT_PLACES);
        return NGX_CONF_ERROR;
    }

    if (limit->mode == NGX_HTTP_SYNC_LIMIT_MODE_LEASED || limit->strict) {
        return "has a \"concurrency\", which is counted \"mode=local\" or "
               "\"mode=exact\"";
    }

    if (text->burst.len || text->unit || limit->cost || limit->units != 1) {
        return "counts requests at a time: \"burst\", \"unit\" and \"cost\" "
               "do not go with \"concurrency\"";
    }

    rv = ngx_http_sync_limit_finish_lease(cf, limit, text, 30000, 1000,
                                          3600000);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    limit->kind = NGX_HTTP_SYNC_LIMIT_CONCURRENT;
    limit->places = n;

    limit->text.data = ngx_pnalloc(cf->pool, text->key.len + NGX_INT64_LEN
                                         + sizeof("local concurrency= "));
    if (limit->text.data == NULL) {
        return NGX_CONF_ERROR;
    }

    p = ngx_sprintf(limit->text.data, "concurrency=%i", n);

    if (!limit->named) {
        limit->name.data = limit->text.data;
        limit->name.len = p - limit->text.data;
    }

    p = ngx_sprintf(p, " %s %V", ngx_http_sync_limit_modes[limit->mode],
                    &text->key);
    limit->text.len = p - limit->text.data;

    return NGX_CONF_OK;
}


static char *
ngx_http_sync_limit_finish_lease(ngx_conf_t *cf, ngx_http_sync_limit_t *limit,
    ngx_http_sync_limit_text_t *text, ngx_msec_t otherwise, ngx_msec_t least,
    ngx_msec_t most)
{
    ngx_int_t  ms;

    limit->lease = otherwise;

    if (text->lease.data == NULL) {
        return NGX_CONF_OK;
    }

    ms = ngx_parse_time(&text->lease, 0);

    if (ms == NGX_ERROR || (ngx_msec_t) ms < least || (ngx_msec_t) ms > most) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid \"lease=%V\", a time from %Mms to %Ms is "
                           "needed", &text->lease, least, most / 1000);
        return NGX_CONF_ERROR;
    }

    limit->lease = ms;

    return NGX_CONF_OK;
}


static char *
ngx_http_sync_limit_finish_key(ngx_conf_t *cf, ngx_http_sync_limit_t *limit,
    ngx_http_sync_limit_text_t *text)
{
    char        *rv;
    ngx_str_t   *key;
    ngx_uint_t   address;

    key = &text->key;

    rv = ngx_http_sync_limit_key_value(cf, key, &limit->key, &address);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    limit->address = address;

    if (ngx_http_sync_limit_late(key)) {

        if (text->stage == NGX_HTTP_SYNC_STEP_LIMIT_EDGE) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"key=%V\" is not known yet at the edge, "
                               "\"stage=client\" is needed", key);
            return NGX_CONF_ERROR;
        }

        limit->client = 1;
    }

    if (text->stage == NGX_HTTP_SYNC_STEP_LIMIT) {
        limit->client = 1;
    }

    return NGX_CONF_OK;
}


char *
ngx_http_sync_limit_key_value(ngx_conf_t *cf, ngx_str_t *key,
    ngx_http_complex_value_t **cv, ngx_uint_t *address)
{
    if (ngx_strchr(key->data, '$') == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"key=%V\" has no variable in it, such as "
                           "\"key=$binary_remote_addr\"", key);
        return NGX_CONF_ERROR;
    }

    *cv = ngx_http_sync_limit_value(cf, key);
    if (*cv == NULL) {
        return NGX_CONF_ERROR;
    }

    *address = ngx_strcmp(key->data, "$binary_remote_addr") == 0
               || ngx_strcmp(key->data, "$remote_addr") == 0;

    return NGX_CONF_OK;
}


/* Variables of ours that are known once the proof is, not before. */

ngx_uint_t
ngx_http_sync_limit_late(ngx_str_t *key)
{
    u_char      *p;
    ngx_uint_t   i;

    static const char  *early[] = { "tenant", "correlation", "trace", NULL };

    for (p = key->data; (p = (u_char *) ngx_strstr(p, "sync_")) != NULL; ) {

        p += sizeof("sync_") - 1;

        for (i = 0; early[i] != NULL; i++) {
            if (ngx_strncmp(p, early[i], ngx_strlen(early[i])) == 0) {
                break;
            }
        }

        if (early[i] == NULL) {
            return 1;
        }
    }

    return 0;
}


static ngx_http_complex_value_t *
ngx_http_sync_limit_value(ngx_conf_t *cf, ngx_str_t *text)
{
    ngx_http_complex_value_t          *cv;
    ngx_http_compile_complex_value_t   ccv;

    cv = ngx_palloc(cf->pool, sizeof(ngx_http_complex_value_t));
    if (cv == NULL) {
        return NULL;
    }

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = text;
    ccv.complex_value = cv;

    if (ngx_http_compile_complex_value(&ccv) != NGX_OK) {
        return NULL;
    }

    return cv;
}
