
/*
 * Which store there is, and how much shared memory each kind of state gets.
 * A zone exists only where somebody asked for it.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_sync_shm.h"
#include "ngx_sync_redis_store.h"
#include "ngx_sync_breaker.h"


#define NGX_SYNC_STORE_TIMEOUT  1000     /* ms */


typedef struct {
    ngx_sync_store_t               store;
    const ngx_sync_store_type_t   *type;
    ngx_flag_t                     breaker;
} ngx_sync_store_named_t;


typedef struct {
    ngx_array_t                    stores;     /* ngx_sync_store_named_t *;
                                                  none, hence shm; the first
                                                  one is the default */
    ngx_sync_store_t               local;
    ngx_sync_shm_t                 shm;
    ngx_array_t                    types;      /* registered from outside */
    ngx_array_t                    breakers;   /* of ngx_sync_breaker_t * */
    size_t                         sizes[NGX_SYNC_ZONE_KINDS];
} ngx_http_sync_store_main_conf_t;


typedef struct {
    ngx_str_t                      name;
    size_t                         size;
    size_t                         least;
} ngx_sync_zone_kind_t;


static char *ngx_sync_store_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static const ngx_sync_store_type_t *ngx_sync_store_find_type(ngx_conf_t *cf,
    ngx_http_sync_store_main_conf_t *smcf, ngx_str_t *address);
static char *ngx_sync_zone_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static void *ngx_sync_store_create_main_conf(ngx_conf_t *cf);
static ngx_int_t ngx_sync_store_postconfiguration(ngx_conf_t *cf);
static ngx_int_t ngx_sync_store_init_process(ngx_cycle_t *cycle);
static void ngx_sync_store_exit_process(ngx_cycle_t *cycle);


/* By ngx_sync_zone_e. */

static const ngx_sync_zone_kind_t  ngx_sync_zone_kinds[] = {
    { ngx_string("limits"),  10 * 1024 * 1024,  64 * 1024 },
    { ngx_string("records"), 32 * 1024 * 1024, 128 * 1024 },
    { ngx_string("tokens"),  10 * 1024 * 1024,  64 * 1024 },
    { ngx_string("keys"),     1 * 1024 * 1024,  64 * 1024 },
    { ngx_string("metrics"),  4 * 1024 * 1024,  64 * 1024 }
};


static ngx_command_t  ngx_sync_store_commands[] = {

    { ngx_string("sync_store"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,
      ngx_sync_store_directive,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("sync_zone"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,
      ngx_sync_zone_directive,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_sync_store_module_ctx = {
    NULL,                                  /* preconfiguration */
    ngx_sync_store_postconfiguration,      /* postconfiguration */

    ngx_sync_store_create_main_conf,       /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    NULL,                                  /* create location configuration */
    NULL                                   /* merge location configuration */
};


ngx_module_t  ngx_http_sync_store_module = {
    NGX_MODULE_V1,
    &ngx_http_sync_store_module_ctx,       /* module context */
    ngx_sync_store_commands,               /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    ngx_sync_store_init_process,           /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_sync_store_exit_process,           /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


ngx_sync_store_t *
ngx_sync_store_get(ngx_conf_t *cf, ngx_sync_zone_e kind)
{
    ngx_uint_t                        i;
    ngx_sync_store_t                 *st, *next;
    ngx_sync_store_named_t          **named;
    ngx_http_sync_store_main_conf_t  *smcf;

    smcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_sync_store_module);

    if (smcf->stores.nelts == 0) {
        return ngx_sync_store_local(cf, kind);
    }

    named = smcf->stores.elts;
    next = NULL;

    for (i = smcf->stores.nelts; i > 0; i--) {
        st = &named[i - 1]->store;

        if (named[i - 1]->type->use(cf, st, kind) != NGX_OK) {
            return NULL;
        }

        if (named[i - 1]->type != &ngx_sync_shm_type
            && named[i - 1]->breaker)
        {
            st = ngx_sync_breaker_wrap(cf, &smcf->breakers, st, kind);
            if (st == NULL) {
                return NULL;
            }
        }

        st->next = next;
        next = st;
    }

    return next;
}


ngx_sync_store_t *
ngx_sync_store_at(ngx_sync_store_t *st, u_char *name, size_t len)
{
    if (len == 0 || st->next == NULL) {
        return st;
    }

    for ( /* void */ ; st; st = st->next) {
        if (st->label.len == len
            && ngx_strncmp(st->label.data, name, len) == 0)
        {
            break;
        }
    }

    return st;
}


ngx_sync_store_t *
ngx_sync_store_local(ngx_conf_t *cf, ngx_sync_zone_e kind)
{
    ngx_http_sync_store_main_conf_t  *smcf;

    smcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_sync_store_module);

    if (ngx_sync_shm_type.use(cf, &smcf->local, kind) != NGX_OK) {
        return NULL;
    }

    return &smcf->local;
}


size_t
ngx_sync_zone_size(ngx_conf_t *cf, ngx_sync_zone_e kind)
{
    ngx_http_sync_store_main_conf_t  *smcf;

    smcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_sync_store_module);

    return smcf->sizes[kind] ? smcf->sizes[kind]
                             : ngx_sync_zone_kinds[kind].size;
}


ngx_int_t
ngx_sync_store_zone_state(ngx_cycle_t *cycle, ngx_sync_zone_e kind,
    ngx_sync_zone_state_t *state)
{
    ngx_http_sync_store_main_conf_t  *smcf;

    smcf = ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_http_sync_store_module);

    if (smcf == NULL || kind >= NGX_SYNC_SHM_ZONES
        || smcf->shm.zones[kind] == NULL)
    {
        return NGX_DECLINED;
    }

    ngx_sync_shm_state(&smcf->shm, kind, state);

    return NGX_OK;
}


ngx_int_t
ngx_sync_store_breaker_state(ngx_cycle_t *cycle, ngx_uint_t n,
    ngx_sync_breaker_state_t *state)
{
    ngx_sync_breaker_t               **b;
    ngx_http_sync_store_main_conf_t   *smcf;

    smcf = ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_http_sync_store_module);

    if (smcf == NULL || n >= smcf->breakers.nelts) {
        return NGX_DECLINED;
    }

    b = smcf->breakers.elts;

    ngx_sync_breaker_state(b[n], state);

    return NGX_OK;
}


ngx_int_t
ngx_sync_store_register_type(ngx_conf_t *cf, const ngx_sync_store_type_t *type)
{
    const ngx_sync_store_type_t      **t;
    ngx_http_sync_store_main_conf_t   *smcf;

    smcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_sync_store_module);

    t = ngx_array_push(&smcf->types);
    if (t == NULL) {
        return NGX_ERROR;
    }

    *t = type;

    return NGX_OK;
}


ngx_sync_shm_t *
ngx_sync_shm_conf(ngx_conf_t *cf)
{
    ngx_http_sync_store_main_conf_t  *smcf;

    smcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_sync_store_module);

    return &smcf->shm;
}


/* sync_store ADDRESS [timeout=TIME] [name=LABEL] ... */

static char *
ngx_sync_store_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_sync_store_main_conf_t  *smcf = conf;

    ngx_str_t                     *args, *value, s;
    ngx_int_t                      timeout;
    ngx_uint_t                     i, n;
    ngx_sync_store_named_t        *named, **other;
    const ngx_sync_store_type_t   *type;

    value = cf->args->elts;

    type = ngx_sync_store_find_type(cf, smcf, &value[1]);
    if (type == NULL) {
        return NGX_CONF_ERROR;
    }

    args = ngx_palloc(cf->pool, cf->args->nelts * sizeof(ngx_str_t));
    if (args == NULL) {
        return NGX_CONF_ERROR;
    }

    named = ngx_pcalloc(cf->pool, sizeof(ngx_sync_store_named_t));
    if (named == NULL) {
        return NGX_CONF_ERROR;
    }

    named->type = type;
    named->breaker = 1;
    named->store.label = smcf->local.label;
    named->store.timeout = NGX_SYNC_STORE_TIMEOUT;

    args[0] = value[1];
    n = 1;

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "timeout=", 8) == 0) {
            s.data = value[i].data + 8;
            s.len = value[i].len - 8;

            timeout = ngx_parse_time(&s, 0);

            if (timeout == NGX_ERROR || timeout == 0) {
                ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                                   "invalid \"%V\", a time such as "
                                   "\"timeout=500ms\" is needed", &value[i]);
                return NGX_CONF_ERROR;
            }

            named->store.timeout = timeout;
            continue;
        }

        if (ngx_strncmp(value[i].data, "name=", 5) == 0
            && value[i].len > 5)
        {
            named->store.label.data = value[i].data + 5;
            named->store.label.len = value[i].len - 5;
            continue;
        }

        if (ngx_strncmp(value[i].data, "breaker=", 8) == 0) {

            if (type == &ngx_sync_shm_type) {
                return "shm answers at once, it takes no \"breaker=\"";
            }

            if (ngx_strcmp(value[i].data + 8, "off") == 0) {
                named->breaker = 0;

            } else if (ngx_strcmp(value[i].data + 8, "on") != 0) {
                ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                                   "invalid \"%V\", \"on\" and \"off\" are "
                                   "known", &value[i]);
                return NGX_CONF_ERROR;
            }

            continue;
        }

        args[n++] = value[i];
    }

    other = smcf->stores.elts;

    for (i = 0; i < smcf->stores.nelts; i++) {

        s = other[i]->store.label;

        if (type == &ngx_sync_shm_type
            || (s.len == named->store.label.len
                && ngx_strncmp(s.data, named->store.label.data, s.len) == 0))
        {
            return "is duplicate; a second store needs a \"name=\" of its "
                   "own, and cannot be shm";
        }
    }

    other = ngx_array_push(&smcf->stores);
    if (other == NULL) {
        return NGX_CONF_ERROR;
    }

    *other = named;

    return type->create(cf, args, n, &named->store);
}


static const ngx_sync_store_type_t *
ngx_sync_store_find_type(ngx_conf_t *cf,
    ngx_http_sync_store_main_conf_t *smcf, ngx_str_t *address)
{
    ngx_str_t                      scheme;
    ngx_uint_t                     i;
    const ngx_sync_store_type_t  **type;

    /* an address may hold a password: only its scheme is ever shown */

    scheme.data = address->data;

    for (scheme.len = 0; scheme.len < address->len; scheme.len++) {
        if (address->data[scheme.len] == ':') {
            break;
        }
    }

#define ngx_sync_is_scheme(s)                                                 \
    ((s)->len == scheme.len                                                   \
     && ngx_strncmp((s)->data, scheme.data, scheme.len) == 0)

    if (ngx_sync_is_scheme(&ngx_sync_shm_type.scheme)) {
        return &ngx_sync_shm_type;
    }

    for (i = 0; ngx_sync_redis_types[i].scheme.len; i++) {
        if (ngx_sync_is_scheme(&ngx_sync_redis_types[i].scheme)) {
            return &ngx_sync_redis_types[i];
        }
    }

    type = smcf->types.elts;

    for (i = 0; i < smcf->types.nelts; i++) {
        if (ngx_sync_is_scheme(&type[i]->scheme)) {
            return type[i];
        }
    }

#undef ngx_sync_is_scheme

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "unknown store \"%V\": \"shm\", \"redis\", "
                       "\"rediss\", \"redis+unix\", \"redis+sentinel\", "
                       "\"rediss+sentinel\", \"redis+cluster\" and "
                       "\"rediss+cluster\" are known", &scheme);

    return NULL;
}


/* sync_zone KIND:SIZE ... */

static char *
ngx_sync_zone_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_sync_store_main_conf_t  *smcf = conf;

    u_char                      *p;
    ssize_t                      size;
    ngx_str_t                   *value, s;
    ngx_uint_t                   i, k;
    const ngx_sync_zone_kind_t  *kind;

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        p = (u_char *) ngx_strchr(value[i].data, ':');

        if (p == NULL) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid zone \"%V\", KIND:SIZE such as "
                               "\"records:64m\" is needed", &value[i]);
            return NGX_CONF_ERROR;
        }

        s.data = value[i].data;
        s.len = p - value[i].data;

        for (k = 0; k < NGX_SYNC_ZONE_KINDS; k++) {
            kind = &ngx_sync_zone_kinds[k];

            if (kind->name.len == s.len
                && ngx_strncmp(kind->name.data, s.data, s.len) == 0)
            {
                break;
            }
        }

        if (k == NGX_SYNC_ZONE_KINDS) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "unknown kind of zone \"%V\": \"limits\", "
                               "\"records\", \"tokens\", \"keys\" and "
                               "\"metrics\" are known", &s);
            return NGX_CONF_ERROR;
        }

        if (smcf->sizes[k]) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "zone \"%V\" is set twice", &s);
            return NGX_CONF_ERROR;
        }

        s.data = p + 1;
        s.len = value[i].data + value[i].len - s.data;

        size = ngx_parse_size(&s);

        if (size == NGX_ERROR) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid size in zone \"%V\", one such as "
                               "\"64m\" is needed", &value[i]);
            return NGX_CONF_ERROR;
        }

        if ((size_t) size < kind->least) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "zone \"%V\" is too small, at least %uzk are "
                               "needed", &value[i], kind->least / 1024);
            return NGX_CONF_ERROR;
        }

        smcf->sizes[k] = size;
    }

    return NGX_CONF_OK;
}


static void *
ngx_sync_store_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_sync_store_main_conf_t  *smcf;

    smcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_sync_store_main_conf_t));
    if (smcf == NULL) {
        return NULL;
    }

    if (ngx_array_init(&smcf->stores, cf->pool, 1,
                       sizeof(ngx_sync_store_named_t *))
        != NGX_OK
        || ngx_array_init(&smcf->types, cf->pool, 1,
                       sizeof(ngx_sync_store_type_t *))
        != NGX_OK
        || ngx_array_init(&smcf->breakers, cf->pool, 1,
                          sizeof(ngx_sync_breaker_t *))
           != NGX_OK)
    {
        return NULL;
    }

    ngx_str_set(&smcf->local.label, "default");
    smcf->local.timeout = NGX_SYNC_STORE_TIMEOUT;
    smcf->local.ops = &ngx_sync_shm_ops;
    smcf->local.data = &smcf->shm;


    return smcf;
}


static ngx_int_t
ngx_sync_store_postconfiguration(ngx_conf_t *cf)
{
    ngx_uint_t                         i;
    ngx_sync_store_named_t           **named;
    ngx_http_core_loc_conf_t          *clcf;
    ngx_http_sync_store_main_conf_t   *smcf;

    smcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_sync_store_module);
    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    named = smcf->stores.elts;

    for (i = 0; i < smcf->stores.nelts; i++) {

        if (named[i]->type->done
            && named[i]->type->done(cf, &named[i]->store, clcf->resolver,
                                    clcf->resolver_timeout)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_sync_store_init_process(ngx_cycle_t *cycle)
{
    ngx_uint_t                         i;
    ngx_sync_store_named_t           **named;
    ngx_http_sync_store_main_conf_t   *smcf;

    if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    smcf = ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_http_sync_store_module);
    if (smcf == NULL) {
        return NGX_OK;
    }

    ngx_sync_breaker_init_process(cycle, &smcf->breakers);

    named = smcf->stores.elts;

    for (i = 0; i < smcf->stores.nelts; i++) {

        if (named[i]->type->init_process
            && named[i]->type->init_process(cycle, &named[i]->store)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return ngx_sync_shm_init_process(cycle, &smcf->shm);
}


static void
ngx_sync_store_exit_process(ngx_cycle_t *cycle)
{
    ngx_uint_t                         i;
    ngx_sync_store_named_t           **named;
    ngx_http_sync_store_main_conf_t   *smcf;

    if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE)
    {
        return;
    }

    smcf = ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_http_sync_store_module);

    if (smcf == NULL) {
        return;
    }

    ngx_sync_breaker_exit_process(&smcf->breakers);

    named = smcf->stores.elts;

    for (i = 0; i < smcf->stores.nelts; i++) {
        if (named[i]->type->exit_process) {
            named[i]->type->exit_process(cycle, &named[i]->store);
        }
    }
}
