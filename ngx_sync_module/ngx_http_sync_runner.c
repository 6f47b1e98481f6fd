
/*
 * The runner: the only code that touches NGINX' phases.  It enters the steps
 * of a stage in order, suspends and resumes them, keeps the deadline, and
 * finds the context again after an internal redirect.
 */


#include "ngx_http_sync_core.h"


static ngx_int_t ngx_http_sync_preaccess_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_sync_access_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_sync_precontent_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_sync_log_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_sync_phase(ngx_http_request_t *r,
    ngx_http_sync_stage_e stage);
static uint64_t ngx_http_sync_now(ngx_http_sync_ctx_t *ctx);
static ngx_int_t ngx_http_sync_stop(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, const ngx_http_sync_step_t *step, ngx_int_t rc);
static void ngx_http_sync_op_handler(ngx_sync_op_t *op);
static void ngx_http_sync_cleanup(void *data);
static void ngx_http_sync_deadline_handler(ngx_event_t *ev);
static ngx_msec_t ngx_http_sync_asked_budget(ngx_http_request_t *r,
    ngx_http_sync_loc_conf_t *slcf);


#define NGX_HTTP_SYNC_CUT_AGAIN  50      /* ms */

/*
 * A look at the clock after each step costs as much as three of the steps: one
 * request in so many is timed, the first of a worker among them.
 */

#define NGX_HTTP_SYNC_TIMED  8

/* The steps that let nothing through that they have not judged. */

#define NGX_HTTP_SYNC_PROOFS                                                  \
    (1u << NGX_HTTP_SYNC_STEP_TENANT | 1u << NGX_HTTP_SYNC_STEP_AUTH          \
     | 1u << NGX_HTTP_SYNC_STEP_TENANT_ELEMENT                                \
     | 1u << NGX_HTTP_SYNC_STEP_ADMIT | 1u << NGX_HTTP_SYNC_STEP_SCOPE        \
     | 1u << NGX_HTTP_SYNC_STEP_ENTITY                                        \
     | 1u << NGX_HTTP_SYNC_STEP_VALIDATE_SOURCE                               \
     | 1u << NGX_HTTP_SYNC_STEP_CANONICAL                                     \
     | 1u << NGX_HTTP_SYNC_STEP_VALIDATE | 1u << NGX_HTTP_SYNC_STEP_OWNERSHIP \
     | 1u << NGX_HTTP_SYNC_STEP_ROUTE | 1u << NGX_HTTP_SYNC_STEP_TARGET)


/* The first and the last step of each stage. */

static const struct {
    ngx_http_sync_step_e  first;
    ngx_http_sync_step_e  last;
} ngx_http_sync_stages[] = {
    { NGX_HTTP_SYNC_STEP_DEBUG,       NGX_HTTP_SYNC_STEP_LIMIT_EDGE },
    { NGX_HTTP_SYNC_STEP_AUTH,        NGX_HTTP_SYNC_STEP_AUTH },
    { NGX_HTTP_SYNC_STEP_TENANT_ELEMENT, NGX_HTTP_SYNC_STEP_SEND },
    { NGX_HTTP_SYNC_STEP_CREDENTIALS_EXPIRED, NGX_HTTP_SYNC_STEP_MASK }
};


#define ngx_http_sync_span(first, last)                                       \
    ((2u << (last)) - (1u << (first)))


static ngx_uint_t  ngx_http_sync_serial;     /* requests of this worker */


static const struct {
    ngx_http_phases      phase;
    ngx_http_handler_pt  handler;
} ngx_http_sync_phases[] = {
    { NGX_HTTP_PREACCESS_PHASE,  ngx_http_sync_preaccess_handler },
    { NGX_HTTP_ACCESS_PHASE,     ngx_http_sync_access_handler },
    { NGX_HTTP_PRECONTENT_PHASE, ngx_http_sync_precontent_handler },
    { NGX_HTTP_LOG_PHASE,        ngx_http_sync_log_handler }
};


ngx_int_t
ngx_http_sync_init_runner(ngx_conf_t *cf)
{
    ngx_uint_t                  i;
    ngx_http_handler_pt        *h;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    for (i = 0; i < sizeof(ngx_http_sync_phases)
                    / sizeof(ngx_http_sync_phases[0]); i++)
    {
        h = ngx_array_push(
                      &cmcf->phases[ngx_http_sync_phases[i].phase].handlers);
        if (h == NULL) {
            return NGX_ERROR;
        }

        *h = ngx_http_sync_phases[i].handler;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_sync_preaccess_handler(ngx_http_request_t *r)
{
    ngx_int_t  rc;

    if (r != r->main) {

        /* ACCESS is skipped in subrequests: a proof would not be asked for */

        if (ngx_http_sync_enabled(r, NGX_HTTP_SYNC_STEP_AUTH)) {
            ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                          "runner: a subrequest may not enter a location "
                          "with sync_auth, \"%V\"", &r->uri);
            return NGX_HTTP_FORBIDDEN;
        }

        rc = ngx_http_sync_conceal(r);

        return rc == NGX_OK ? NGX_DECLINED : rc;
    }

    return ngx_http_sync_phase(r, NGX_HTTP_SYNC_STAGE_PREACCESS);
}


static ngx_int_t
ngx_http_sync_access_handler(ngx_http_request_t *r)
{
    return ngx_http_sync_phase(r, NGX_HTTP_SYNC_STAGE_ACCESS);
}


static ngx_int_t
ngx_http_sync_precontent_handler(ngx_http_request_t *r)
{
    return ngx_http_sync_phase(r, NGX_HTTP_SYNC_STAGE_PRECONTENT);
}


ngx_uint_t
ngx_http_sync_stage_enabled(ngx_http_request_t *r, ngx_http_sync_stage_e stage)
{
    uint32_t                    steps;
    ngx_uint_t                  last;
    ngx_http_sync_loc_conf_t   *slcf;
    ngx_http_sync_main_conf_t  *smcf;

    slcf = ngx_http_get_module_loc_conf(r, ngx_http_sync_module);

    if (slcf->status) {
        return 0;
    }

    if (slcf->deadline_set && stage == NGX_HTTP_SYNC_STAGE_PREACCESS) {
        return 1;
    }

    /* correlation comes first, so that PREACCESS looks at all that follows */

    last = stage == NGX_HTTP_SYNC_STAGE_PREACCESS
           ? NGX_HTTP_SYNC_STEP_SEND : ngx_http_sync_stages[stage].last;

    steps = ngx_http_sync_located(r, slcf)
            & ngx_http_sync_span(ngx_http_sync_stages[stage].first, last)
            & ~(1u << NGX_HTTP_SYNC_STEP_CORRELATION);

    smcf = ngx_http_get_module_main_conf(r, ngx_http_sync_module);

    if (steps & ~smcf->asked) {
        return 1;
    }

    for ( /* void */ ; steps; steps &= steps - 1) {
        if (smcf->steps[__builtin_ctz(steps)]->enabled(r)) {
            return 1;
        }
    }

    return 0;
}


static ngx_int_t
ngx_http_sync_phase(ngx_http_request_t *r, ngx_http_sync_stage_e stage)
{
    ngx_int_t             rc;
    ngx_http_sync_ctx_t  *ctx;

    if (r != r->main) {
        return NGX_DECLINED;
    }

    ctx = ngx_http_sync_get_ctx(r);

    if (ctx != NULL && ctx->waiting) {

        /* a stray write event: what is waited for has not come yet */

        return NGX_AGAIN;
    }

    if (!ngx_http_sync_stage_enabled(r, stage)) {

        if (ctx != NULL && stage == NGX_HTTP_SYNC_STAGE_PREACCESS) {
            ngx_http_sync_enter(r, ctx);
        }

        if (ctx != NULL && stage == NGX_HTTP_SYNC_STAGE_PRECONTENT) {

            /* no step is left, but the deadline is for those before, too */

            rc = ngx_http_sync_depart(r, ctx);

            return rc == NGX_OK ? NGX_DECLINED : rc;
        }

        return NGX_DECLINED;
    }

    if (ctx == NULL) {
        ctx = ngx_http_sync_create_ctx(r);
        if (ctx == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    ngx_http_sync_enter(r, ctx);

    rc = ngx_http_sync_run_stage(r, ctx, stage);

    if (rc == NGX_DONE) {

        /* a step has answered, and r may be gone */

        return NGX_DONE;
    }

    if (rc == NGX_AGAIN) {
        if (!ctx->reading) {
            r->read_event_handler = ngx_http_test_reading;
            r->write_event_handler = ngx_http_core_run_phases;

            return NGX_AGAIN;
        }

        /* the body is read by its own handlers, and holds a reference */

        return NGX_DONE;
    }

    if (r->read_event_handler == ngx_http_test_reading) {
        r->read_event_handler = ngx_http_block_reading;
    }

    if (rc == NGX_OK && stage == NGX_HTTP_SYNC_STAGE_PRECONTENT) {
        rc = ngx_http_sync_depart(r, ctx);
    }

    if (rc == NGX_OK) {

        /*
         * NGX_OK in ACCESS says that a proof was given; elsewhere it would
         * skip the handlers of other modules in the same phase
         */

        if (stage == NGX_HTTP_SYNC_STAGE_ACCESS
            && ctx->principal.proof != NGX_HTTP_SYNC_PROOF_NONE)
        {
            return NGX_OK;
        }

        return NGX_DECLINED;
    }

    return rc;
}


/* Nanoseconds of the monotonic clock; of a request that is not timed, 0. */

static uint64_t
ngx_http_sync_now(ngx_http_sync_ctx_t *ctx)
{
    struct timespec  ts;

    if (ctx->times == NULL) {
        return 0;
    }

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000000000 + ts.tv_nsec;
}


/*
 * The exchange begins: from here on a timer cuts it at the deadline, where one
 * was asked for or is needed because a lease must outlive it.
 */

ngx_int_t
ngx_http_sync_depart(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx)
{
    u_char                    *p;
    ngx_str_t                  value;
    ngx_http_sync_loc_conf_t  *slcf;

    slcf = ngx_http_get_module_loc_conf(r, ngx_http_sync_module);

    if (!slcf->deadline_set
        && ctx->claim.state != NGX_HTTP_SYNC_CLAIM_HELD
        && ctx->route.connector == SYNC_DOC_NONE)
    {
        return NGX_OK;
    }

    if (!slcf->deadline_set && ctx->resend == NULL) {

        /* nobody asked: the default is for the exchange, not for the upload */

        ctx->started = ngx_current_msec;
    }

    ngx_http_sync_arm_deadline(ctx);

    if (slcf->deadline_header.len == 0) {
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, NGX_INT64_LEN);
    if (p == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    value.data = p;
    value.len = ngx_sprintf(p, "%M", ngx_http_sync_left(ctx)) - p;

    if (ngx_http_sync_set_header_in(r, &slcf->deadline_header, &value)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_sync_run_stage(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    ngx_http_sync_stage_e stage)
{
    uint32_t                     steps;
    uint64_t                     start, now;
    ngx_int_t                    rc;
    ngx_uint_t                   i;
    ngx_http_sync_loc_conf_t    *slcf;
    ngx_http_sync_main_conf_t   *smcf;
    const ngx_http_sync_step_t  *step;

    slcf = ngx_http_get_module_loc_conf(r, ngx_http_sync_module);
    smcf = ngx_http_get_module_main_conf(r, ngx_http_sync_module);

    steps = ngx_http_sync_located(r, slcf)
            & ngx_http_sync_span(ngx_http_sync_stages[stage].first,
                                 ngx_http_sync_stages[stage].last);

    start = ngx_http_sync_now(ctx);

    for ( /* void */ ; steps; steps &= steps - 1) {
        i = __builtin_ctz(steps);
        step = smcf->steps[i];

        if (ctx->done & (1u << i)) {
            continue;
        }

        if (step->per_request && !step->enabled(r)) {
            continue;
        }

        if (stage == NGX_HTTP_SYNC_STAGE_PRECONTENT
            && (ctx->resending ? ctx->expired
                               : slcf->deadline_set
                                 && ngx_http_sync_left(ctx) == 0))
        {
            rc = ngx_http_sync_problem(ctx, NGX_HTTP_GATEWAY_TIME_OUT,
                                       "deadline-exceeded",
                                       "The deadline is over",
                                       NGX_HTTP_SYNC_TECHNICAL,
                                       ctx->resent
                                       ? "it was not executed"
                                       : "nothing was sent upstream");
            return ngx_http_sync_stop(r, ctx, step, rc);
        }

        rc = step->run(r, ctx);

        if (rc == NGX_DONE) {

            /* r may be gone */

            return NGX_DONE;
        }

        if (ctx->times != NULL) {

            /* one look at the clock: the end of a step begins the next one */

            now = ngx_http_sync_now(ctx);
            ctx->times[i] += now - start;
            start = now;
        }

        if (rc == NGX_AGAIN) {
            ctx->waiting = !ctx->reading;
            return NGX_AGAIN;
        }

        if (rc == NGX_HTTP_SYNC_SEND_AGAIN) {
            ctx->resent |= 1u << i;
            ngx_http_sync_trace(ctx, step->name, "sent again");

            return rc;
        }

        if (rc == NGX_HTTP_SYNC_SEND_NOW) {
            return rc;
        }

        ctx->done |= 1u << i;

        if (rc == NGX_OK || rc == NGX_DECLINED) {
            continue;
        }

        return ngx_http_sync_stop(r, ctx, step, rc);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_sync_stop(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx,
    const ngx_http_sync_step_t *step, ngx_int_t rc)
{
    ngx_uint_t  level;

    /* error_page may lead back to this location: refused is not done */

    ctx->done &= ~(1u << step->order & NGX_HTTP_SYNC_PROOFS);
    ctx->again = r->error_page;

    if (rc == NGX_ERROR) {
        rc = NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ctx->problem.status != (ngx_uint_t) rc) {
        ctx->problem.status = 0;

        if (rc >= NGX_HTTP_INTERNAL_SERVER_ERROR) {
            (void) ngx_http_sync_problem(ctx, rc, "internal", NULL,
                                         NGX_HTTP_SYNC_TECHNICAL,
                                         "step %s failed", step->name);

        } else {

            /* a body that NGINX has not taken, the same with a length or not */

            (void) ngx_http_sync_problem(ctx, rc, "http", NULL,
                                         NGX_HTTP_SYNC_TECHNICAL, "");
        }
    }

    if (ngx_strcmp(ctx->verdict, "pass") == 0) {
        ctx->verdict = "refused";
    }

    level = rc >= NGX_HTTP_INTERNAL_SERVER_ERROR ? NGX_LOG_WARN
                                                 : NGX_LOG_INFO;

    ngx_log_error(level, r->connection->log, 0, "%s: refused with %i %s",
                  step->name, rc, ctx->problem.name);

    ngx_http_sync_trace(ctx, step->name, "refused with %i", rc);

    return rc;
}


void
ngx_http_sync_enter(ngx_http_request_t *r, ngx_http_sync_ctx_t *ctx)
{
    ngx_uint_t                   i;
    ngx_http_sync_loc_conf_t    *slcf;
    ngx_http_sync_main_conf_t   *smcf;
    const ngx_http_sync_step_t  *step;

    if (ctx->conf == r->loc_conf) {
        return;
    }

    if (ctx->conf != NULL) {
        ngx_http_sync_aside_over(r, ctx);

        smcf = ngx_http_get_module_main_conf(r, ngx_http_sync_module);

        for (i = 0; i < NGX_HTTP_SYNC_STEPS; i++) {
            step = smcf->steps[i];

            if (step != NULL && step->leave != NULL) {
                step->leave(r, ctx);
            }
        }

        ngx_http_sync_aside_forget(r, ctx);
    }

    ctx->conf = r->loc_conf;
    ctx->again = 0;

    /* a body that could not be read is what led here, by error_page */

    ctx->reading = 0;
    ctx->parked = 0;

    if (ctx->deadline.timer_set || ctx->expired) {
        return;
    }

    slcf = ngx_http_get_module_loc_conf(r, ngx_http_sync_module);

    ctx->budget = ngx_http_sync_asked_budget(r, slcf);
}


/* The configured deadline, or a shorter one that the client asks for. */

static ngx_msec_t
ngx_http_sync_asked_budget(ngx_http_request_t *r,
    ngx_http_sync_loc_conf_t *slcf)
{
    ngx_int_t         asked;
    ngx_uint_t        lines;
    ngx_table_elt_t  *h;

    if (slcf->deadline_header.len == 0) {
        return slcf->deadline;
    }

    h = ngx_http_sync_header_in(r, &slcf->deadline_header, &lines);
    if (h == NULL || lines != 1) {
        return slcf->deadline;
    }

    asked = ngx_atoi(h->value.data, h->value.len);

    if (asked <= 0 || (ngx_msec_t) asked > slcf->deadline) {
        return slcf->deadline;
    }

    return asked;
}


ngx_http_sync_ctx_t *
ngx_http_sync_get_ctx(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t   *cln;
    ngx_http_sync_ctx_t  *ctx;

    r = r->main;

    ctx = ngx_http_get_module_ctx(r, ngx_http_sync_module);

    if (ctx != NULL || !(r->internal || r->filter_finalize)) {
        return ctx;
    }

    /* an internal redirect or a special response has zeroed the contexts */

    for (cln = r->pool->cleanup; cln; cln = cln->next) {
        if (cln->handler == ngx_http_sync_cleanup) {
            ctx = cln->data;
            ngx_http_set_ctx(r, ctx, ngx_http_sync_module);
            return ctx;
        }
    }

    return NULL;
}


static void *
ngx_http_sync_pool_alloc(sync_arena_t *arena, size_t size)
{
    return ngx_palloc(arena->data, size);
}


ngx_http_sync_ctx_t *
ngx_http_sync_create_ctx(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t   *cln;
    ngx_http_sync_ctx_t  *ctx;

    ctx = ngx_pcalloc(r->pool, sizeof(ngx_http_sync_ctx_t));
    if (ctx == NULL) {
        return NULL;
    }

    cln = ngx_pool_cleanup_add(r->pool, 0);
    if (cln == NULL) {
        return NULL;
    }

    cln->handler = ngx_http_sync_cleanup;
    cln->data = ctx;

    ctx->request = r;
    ctx->arena.alloc = ngx_http_sync_pool_alloc;
    ctx->arena.data = r->pool;
    ctx->principal.index = SYNC_DOC_NONE;
    ctx->payload.entity = SYNC_ENTITIES;
    ctx->payload.operation = SYNC_OPS;
    ctx->payload.work = NGX_HTTP_SYNC_WORK;
    ctx->route.connector = SYNC_DOC_NONE;
    ctx->started = ngx_current_msec;
    ctx->verdict = "pass";
    ctx->reason = "";

    if (ngx_http_sync_serial++ % NGX_HTTP_SYNC_TIMED == 0) {
        ctx->times = ngx_pcalloc(r->pool,
                                 NGX_HTTP_SYNC_STEPS * sizeof(uint64_t));
        if (ctx->times == NULL) {
            return NULL;
        }
    }

    ngx_http_set_ctx(r, ctx, ngx_http_sync_module);

    return ctx;
}


static void
ngx_http_sync_cleanup(void *data)
{
    ngx_http_sync_ctx_t *ctx = data;

    uint32_t                    cancels;
    ngx_uint_t                  i;
    ngx_http_sync_main_conf_t  *smcf;

    smcf = ngx_http_get_module_main_conf(ctx->request, ngx_http_sync_module);

    if (ctx->deadline.timer_set) {
        ngx_del_timer(&ctx->deadline);
    }

    if (ctx->resend != NULL && ctx->resend->posted) {
        ngx_delete_posted_event(ctx->resend);
    }

    /* the last step first: what it has under way it settles itself */

    for (cancels = smcf->cancels; cancels; cancels &= ~(1u << i)) {
        i = 31 - __builtin_clz(cancels);

        smcf->steps[i]->cancel(ctx);
    }

    ngx_http_sync_discharge(ctx);
}


void
ngx_http_sync_wake(ngx_http_sync_ctx_t *ctx)
{
    ngx_connection_t  *c;

    ctx->waiting = 0;

    c = ctx->request->connection;

    ngx_post_event(c->write, &ngx_posted_events);
}


void
ngx_http_sync_op_init(ngx_http_sync_ctx_t *ctx, ngx_sync_op_t *op)
{
    ngx_memzero(op, sizeof(ngx_sync_op_t));

    op->handler = ngx_http_sync_op_handler;
    op->data = ctx;
    op->log = ctx->request->connection->log;
    op->pool = ctx->request->pool;
}


static void
ngx_http_sync_op_handler(ngx_sync_op_t *op)
{
    ngx_http_sync_wake(op->data);
}


void
ngx_http_sync_arm_deadline(ngx_http_sync_ctx_t *ctx)
{
    ngx_msec_t  left;

    if (ctx->deadline.timer_set || ctx->budget == 0) {
        return;
    }

    ctx->deadline.handler = ngx_http_sync_deadline_handler;
    ctx->deadline.data = ctx;
    ctx->deadline.log = ctx->request->connection->log;

    left = ngx_http_sync_left(ctx);

    ngx_add_timer(&ctx->deadline, left ? left : 1);
}


ngx_msec_t
ngx_http_sync_left(ngx_http_sync_ctx_t *ctx)
{
    ngx_msec_t  passed;

    passed = ngx_current_msec - ctx->started;

    return passed >= ctx->budget ? 0 : ctx->budget - passed;
}


/*
 * The exchange is cut where NGINX itself would cut it: as if the upstream had
 * timed out.  Our peer wrapper then ends the tries.
 */

static void
ngx_http_sync_deadline_handler(ngx_event_t *ev)
{
    ngx_connection_t     *c, *pc;
    ngx_http_request_t   *r;
    ngx_http_sync_ctx_t  *ctx;

    ctx = ev->data;
    r = ctx->request;
    c = r->connection;

    ctx->expired = 1;

    ngx_http_set_log_request(c->log, r);

    ngx_log_error(NGX_LOG_WARN, c->log, 0,
                  "runner: deadline of %M ms is over", ctx->budget);

    if (r->upstream == NULL || r->upstream->cleanup == NULL) {

        if (ctx->resending && ctx->waiting) {
            ngx_http_sync_wake(ctx);
        }

        return;
    }

    pc = r->upstream->peer.connection;

    if (pc == NULL) {

        /* a name is being resolved, which has a timeout of its own */

        ngx_add_timer(ev, NGX_HTTP_SYNC_CUT_AGAIN);
        return;
    }

    pc->read->timedout = 1;
    pc->write->timedout = 1;

    ngx_post_event(r->upstream->request_sent ? pc->read : pc->write,
                   &ngx_posted_events);
}


static ngx_int_t
ngx_http_sync_log_handler(ngx_http_request_t *r)
{
    uint32_t                    logs;
    ngx_http_sync_ctx_t        *ctx;
    ngx_http_sync_main_conf_t  *smcf;

    if (r != r->main) {
        return NGX_OK;
    }

    ctx = ngx_http_sync_get_ctx(r);

    if (ctx == NULL || ctx->counted) {
        return NGX_OK;
    }

    ctx->counted = 1;

    smcf = ngx_http_get_module_main_conf(r, ngx_http_sync_module);

    for (logs = smcf->logs; logs; logs &= logs - 1) {
        smcf->steps[__builtin_ctz(logs)]->log(r, ctx);
    }

    ngx_http_sync_count(r, ctx);

    return NGX_OK;
}
