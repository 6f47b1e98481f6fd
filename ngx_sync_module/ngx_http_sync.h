
/*
 * The core: request context, steps and the runner's services.  Policies and
 * filters include this header and none of each other: they meet in the five
 * structures of the context, each written by one policy and read by all.
 */


#ifndef NGX_HTTP_SYNC_H_INCLUDED_
#define NGX_HTTP_SYNC_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "sync_core.h"
#include "sync_json.h"
#include "sync_doc.h"
#include "sync_seal.h"
#include "ngx_sync_store.h"


typedef struct ngx_http_sync_ctx_s     ngx_http_sync_ctx_t;
typedef struct ngx_http_sync_tenant_s  ngx_http_sync_tenant_t;  /* registry */


/*
 * All steps of the suite, in the order in which they run.  A step runs once
 * per request: a latch remembers it across internal redirects.
 */

typedef enum {
    /* PREACCESS */
    NGX_HTTP_SYNC_STEP_DEBUG = 0,        /* verifies X-Sync-Debug */
    NGX_HTTP_SYNC_STEP_CORRELATION,      /* where any other step acts */
    NGX_HTTP_SYNC_STEP_TENANT,
    NGX_HTTP_SYNC_STEP_LIMIT_EDGE,       /* by address or variable */

    /* ACCESS */
    NGX_HTTP_SYNC_STEP_AUTH,             /* proves identity, nothing else */

    /* PRECONTENT */
    NGX_HTTP_SYNC_STEP_TENANT_ELEMENT,   /* by what is proven */
    NGX_HTTP_SYNC_STEP_ADMIT,            /* the proof's tenant is this one */
    NGX_HTTP_SYNC_STEP_SCOPE,
    NGX_HTTP_SYNC_STEP_ENTITY,           /* operation, partner's contract */
    NGX_HTTP_SYNC_STEP_LIMIT,            /* by client or plan */
    NGX_HTTP_SYNC_STEP_DECODE,           /* a body that comes compressed */
    NGX_HTTP_SYNC_STEP_IDEMPOTENCY,      /* body, print, claim */
    NGX_HTTP_SYNC_STEP_VALIDATE_SOURCE,
    NGX_HTTP_SYNC_STEP_CANONICAL,        /* source to canonical */
    NGX_HTTP_SYNC_STEP_VALIDATE,         /* what is canonical */
    NGX_HTTP_SYNC_STEP_OWNERSHIP,
    NGX_HTTP_SYNC_STEP_ROUTE,            /* chooses the connector */
    NGX_HTTP_SYNC_STEP_SHARE,            /* a place among its requests */
    NGX_HTTP_SYNC_STEP_TARGET,           /* canonical to target, new body */
    NGX_HTTP_SYNC_STEP_MASK_ASK,         /* for an answer that can be masked */
    NGX_HTTP_SYNC_STEP_DRY_RUN,
    NGX_HTTP_SYNC_STEP_CREDENTIALS,      /* from here on also before a request */
    NGX_HTTP_SYNC_STEP_SESSION,          /* is sent again */
    NGX_HTTP_SYNC_STEP_RESOLVE,          /* the name of a connector by URL */
    NGX_HTTP_SYNC_STEP_SEND,             /* the note leaves before the bytes */

    /* response */
    NGX_HTTP_SYNC_STEP_CREDENTIALS_EXPIRED,  /* they may have it sent again */
    NGX_HTTP_SYNC_STEP_SESSION_EXPIRED,
    NGX_HTTP_SYNC_STEP_CLASSIFY,
    NGX_HTTP_SYNC_STEP_MAP_BACK,
    NGX_HTTP_SYNC_STEP_SETTLE,
    NGX_HTTP_SYNC_STEP_MASK,             /* what is kept is not masked */

    NGX_HTTP_SYNC_STEPS
} ngx_http_sync_step_e;

/* each has a bit of ctx->done */
_Static_assert(NGX_HTTP_SYNC_STEPS <= 32, "no bit is left for another step");


typedef enum {
    NGX_HTTP_SYNC_STAGE_PREACCESS = 0,
    NGX_HTTP_SYNC_STAGE_ACCESS,
    NGX_HTTP_SYNC_STAGE_PRECONTENT,
    NGX_HTTP_SYNC_STAGE_RESPONSE,
    NGX_HTTP_SYNC_STAGES
} ngx_http_sync_stage_e;


/*
 * What a response step that stands before classify may answer: upstream has
 * refused the request without executing it (its token or session is over), and
 * it is to be sent once more.  See ngx_http_sync_may_send_again().
 */
#define NGX_HTTP_SYNC_SEND_AGAIN  (-100)

/*
 * And when what was asked aside has been answered: now the request itself.
 * See ngx_http_sync_ask_aside().
 */
#define NGX_HTTP_SYNC_SEND_NOW  (-101)


/*
 * A step describes itself.
 *
 * run() answers
 *   NGX_OK          go on
 *   NGX_DECLINED    not applicable: go on, not counted
 *   NGX_AGAIN       suspended: it has started an operation whose completion
 *                   calls ngx_http_sync_wake(); run() is then entered again
 *   NGX_DONE        it has answered and finalized the request (a replay)
 *   a status        stop and answer it; describe it by ngx_http_sync_problem()
 *   NGX_ERROR       500
 * and keeps its progress in ctx->slots[step].  In the response stage a status
 * replaces the answer by a problem.
 *
 * enabled() looks at the configuration of the location alone and is asked once
 * for each; where per_request is set it also looks at the request, that of a
 * response step at status and headers of the answer, since one that it is
 * enabled for is held.
 * cancel() is called once when the
 * request goes (pool cleanup), also after an orderly end: it withdraws what
 * still waits and releases what is still held; r is not usable any more.
 * leave() is called before an internal redirect runs the phases of a new
 * location; NULL: nothing to do.  log() runs in the LOG phase.
 */

typedef struct {
    const char                *name;
    ngx_http_sync_stage_e      stage;
    ngx_http_sync_step_e       order;
    ngx_uint_t               (*enabled)(ngx_http_request_t *r);
    ngx_uint_t                 per_request;
    ngx_int_t                (*run)(ngx_http_request_t *r,
                                 ngx_http_sync_ctx_t *ctx);
    void                     (*cancel)(ngx_http_sync_ctx_t *ctx);
    void                     (*leave)(ngx_http_request_t *r,
                                 ngx_http_sync_ctx_t *ctx);
    void                     (*log)(ngx_http_request_t *r,
                                 ngx_http_sync_ctx_t *ctx);
} ngx_http_sync_step_t;


/*
 * Called by a policy at load time, from a directive, a merge handler or
 * postconfiguration, when it is used anywhere; again does no harm.  Only then
 * are handlers installed: the runner's table is made of the steps in use.
 */
ngx_int_t ngx_http_sync_use(ngx_conf_t *cf, const ngx_http_sync_step_t *step);

/* Whether the step is in use, and enabled for this request. */
ngx_uint_t ngx_http_sync_enabled(ngx_http_request_t *r,
    ngx_http_sync_step_e step);


/*
 * What one policy must know of another's configuration, at load: whether a
 * step is configured in a location.  A policy tells it once, from a directive
 * or a merge handler; one that has not told is not configured anywhere.
 */

typedef ngx_uint_t (*ngx_http_sync_configured_pt)(ngx_http_conf_ctx_t *ctx);

void ngx_http_sync_tell_configured(ngx_conf_t *cf, ngx_http_sync_step_e step,
    ngx_http_sync_configured_pt configured);
ngx_uint_t ngx_http_sync_configured(ngx_http_conf_ctx_t *ctx,
    ngx_http_sync_step_e step);


/* Response steps that several policies use; in filters/. */

extern const ngx_http_sync_step_t  ngx_http_sync_classify_step;
extern const ngx_http_sync_step_t  ngx_http_sync_map_back_step;
extern const ngx_http_sync_step_t  ngx_http_sync_settle_step;

/* Follows wherever a connector is chosen. */
extern const ngx_http_sync_step_t  ngx_http_sync_share_step;


/* ---- the five structures ---- */

/* Written by the tenant policy. */

typedef struct {
    ngx_http_sync_tenant_t  *entry;      /* held until the request goes */
    const sync_doc_t        *doc;        /* NULL: no tenant */
    ngx_str_t                id;
    ngx_str_t                name;
} ngx_http_sync_tenant_ctx_t;


/* Written by the auth policy. */

typedef enum {
    NGX_HTTP_SYNC_PROOF_NONE = 0,
    NGX_HTTP_SYNC_PROOF_TOKEN,
    NGX_HTTP_SYNC_PROOF_API_KEY,
    NGX_HTTP_SYNC_PROOF_SIGNATURE,       /* of the body */
    NGX_HTTP_SYNC_PROOF_CERTIFICATE
} ngx_http_sync_proof_e;

typedef struct {
    ngx_http_sync_proof_e    proof;
    ngx_str_t                issuer;     /* empty for an API key */
    ngx_str_t                client;     /* id in the document, or the claim */
    ngx_str_t                subject;
    ngx_str_t                scope;      /* space separated */
    ngx_str_t                tenant;     /* that the proof names, or empty */
    ngx_str_t                plan;       /* that the proof names; empty: the
                                            client's own counts */
    ngx_str_t                claims;     /* JSON text of the token's claims */
    ngx_str_t                profile;    /* of a signature: "shopify" */
    ngx_str_t                jkt;        /* to which key and certificate the */
    ngx_str_t                x5t;        /* token is bound, or empty */
    uint32_t                 index;      /* of the client in the document, or
                                            SYNC_DOC_NONE */
    unsigned                 platform:1; /* signed by a secret of nginx.conf:
                                            for whom, the tenant says */
    unsigned                 bound:1;    /* to any of them, or unknown ones */
    unsigned                 dpop:1;     /* the token came as DPoP */
} ngx_http_sync_principal_t;


/* Written by the entity and normalize policies and the body service. */

typedef struct {
    sync_entity_e            entity;     /* SYNC_ENTITIES: none */
    sync_op_e                operation;  /* SYNC_OPS: none */
    ngx_str_t                id;         /* object id, unescaped */

    ngx_str_t                body;       /* contiguous; decoded, where it came
                                            compressed */
    ngx_str_t                raw;        /* the same as it came */
    ngx_str_t                media_type; /* lower case, no parameters */
    sync_json_t              source;     /* its tape; text.data NULL: not
                                            parsed or not JSON */
    sync_json_t              canonical;  /* likewise */
    ngx_str_t                target;     /* what goes upstream; data NULL:
                                            the body as it came */
    uint64_t                 work;       /* left of the work counter */
    sync_format_e            format;     /* of the source */
    sync_str_t               rpc_id;     /* of a call by JSON-RPC, its raw text;
                                            data NULL: none */
    unsigned                 placed:1;   /* the path names objects */
    unsigned                 body_read:1;
    unsigned                 parsed:1;   /* source was tried */
    unsigned                 judged:1;   /* a schema judges what is canonical,
                                            the list of fields need not */
    unsigned                 normalize:2;    /* the location's: off, on or
                                                shadow; see _mode.h */
} ngx_http_sync_payload_t;


/* Written by the idempotency policy and its settle step. */

typedef enum {
    NGX_HTTP_SYNC_CLAIM_NONE = 0,        /* not asked for */
    NGX_HTTP_SYNC_CLAIM_HELD,            /* ours: must be settled or released */
    NGX_HTTP_SYNC_CLAIM_SETTLED,
    NGX_HTTP_SYNC_CLAIM_RELEASED,
    NGX_HTTP_SYNC_CLAIM_REPLAYED,
    NGX_HTTP_SYNC_CLAIM_REFUSED,
    NGX_HTTP_SYNC_CLAIM_BYPASSED         /* store down, fail=open */
} ngx_http_sync_claim_e;

typedef struct {
    ngx_http_sync_claim_e    state;
    ngx_str_t                status;     /* Idempotency-Status, or empty */
    ngx_str_t                key;        /* the client's, unquoted */
    ngx_sync_store_t        *store;
    ngx_sync_hold_t          hold;       /* key, owner, epoch */
    u_char                   print[NGX_SYNC_PRINT_LEN];
    ngx_str_t                connector;  /* where the first try of a key went,
                                            taken from its note; or empty: a
                                            retry stays there */
    ngx_uint_t               on_unknown; /* sync_doc_unknown_e; the route's,
                                            where there is one */
    ngx_msec_t               lease_end;  /* ngx_current_msec */
    size_t                   cap;        /* of a kept answer's body */
    ngx_array_t             *keep;       /* of ngx_str_t: headers to keep */
    unsigned                 resolving:1;    /* taken from U: settled by
                                                resolve_end() */
    unsigned                 webhook:1;  /* of a sender that knows no 409 */
} ngx_http_sync_claim_ctx_t;


/*
 * The key as connectors send it on: derived from the name of the record, so it
 * is the same for every try of one key, and random where there is no claim.
 */
#define NGX_HTTP_SYNC_UUID_LEN  36

void ngx_http_sync_downstream_uuid(ngx_http_sync_ctx_t *ctx,
    u_char uuid[NGX_HTTP_SYNC_UUID_LEN]);




/* Written by the route and the credentials policy. */

typedef struct {
    uint32_t                 connector;  /* SYNC_DOC_NONE: none */
    sync_doc_connector_t     c;          /* views, valid with connector */
    ngx_str_t                upstream;
    ngx_str_t                uri;
    ngx_str_t                host;
    ngx_str_t                tls_name;
    ngx_str_t                method;
    ngx_str_t                authorization;  /* by the credentials policy, */
    ngx_str_t                certificate;    /* as are these: "data:PEM", or */
    ngx_str_t                certificate_key;    /* empty */
    ngx_str_t                cookie;     /* by the session policy */
    ngx_array_t             *hidden;     /* of ngx_str_t: headers with secrets */
    unsigned                 secret:1;   /* has credentials: not to a peer
                                            whose TLS is not verified, */
    unsigned                 verified:1; /* nor without TLS */
    unsigned                 in_body:1;  /* the body has some of them */
} ngx_http_sync_route_t;


/* ---- the answer, as the collector holds it ---- */

typedef enum {
    NGX_HTTP_SYNC_OUTCOME_NONE = 0,
    NGX_HTTP_SYNC_OUTCOME_NOT_SENT,      /* no byte went upstream */
    NGX_HTTP_SYNC_OUTCOME_SUCCESS,       /* 2xx, 3xx */
    NGX_HTTP_SYNC_OUTCOME_REFUSED,       /* for good: most 4xx */
    NGX_HTTP_SYNC_OUTCOME_TRANSIENT,     /* 401 403 408 423 425 429 ... */
    NGX_HTTP_SYNC_OUTCOME_UNKNOWN        /* 5xx, timeout, reset, cut */
} ngx_http_sync_outcome_e;

typedef struct {
    ngx_http_sync_outcome_e  outcome;    /* by the classify step */
    ngx_uint_t               status;     /* what goes out */
    ngx_uint_t               received;   /* what upstream said; 0: nothing */
    ngx_str_t                body;       /* collected; may be replaced */
    size_t                   cap;        /* collect at most this */
    sync_json_t              json;       /* its tape, by the connector's format;
                                            nodes NULL: not read */
    uint32_t                 root;       /* of the payload in it */
    sync_answer_error_t      error;      /* what the target says is wrong */
    unsigned                 failed:1;   /* error is filled */
    unsigned                 held:1;     /* the header filter has it */
    unsigned                 complete:1; /* all of it is here */
    unsigned                 truncated:1;    /* upstream broke off */
    unsigned                 over:1;     /* more than cap: the rest streams */
    unsigned                 own:1;      /* not from upstream: a problem */
    unsigned                 replaced:1; /* body is not what upstream sent */
    unsigned                 bodiless:1; /* send status and headers alone */
    unsigned                 direct:1;   /* ours, and no step applies */
    unsigned                 emitted:1;
    unsigned                 dropped:1;  /* what upstream still sends */
    unsigned                 dismissed:1;    /* all of it: it is sent again */
} ngx_http_sync_answer_t;


/* ---- problem details, RFC 9457 ---- */

#define NGX_HTTP_SYNC_TECHNICAL  0
#define NGX_HTTP_SYNC_BUSINESS   1

typedef struct {
    ngx_str_t                pointer;    /* RFC 6901, escaped for JSON when
                                            written */
    ngx_str_t                keyword;
    ngx_str_t                reason;     /* never a value */
} ngx_http_sync_fault_t;

typedef struct {
    ngx_uint_t               status;
    const char              *name;       /* urn:sync:problem:NAME; static */
    const char              *title;      /* static */
    ngx_str_t                detail;
    ngx_uint_t               category;
    ngx_uint_t               retry_after;    /* seconds; 0: none */
    ngx_array_t             *faults;     /* of ngx_http_sync_fault_t */
    sync_str_t               target_code;    /* what a target said, or empty */
    sync_str_t               target_message;
} ngx_http_sync_problem_t;


struct ngx_http_sync_ctx_s {
    ngx_http_request_t          *request;
    void                        *conf;   /* location the steps ran for */

    ngx_http_sync_tenant_ctx_t   tenant;
    ngx_http_sync_principal_t    principal;
    ngx_http_sync_payload_t      payload;
    ngx_http_sync_claim_ctx_t    claim;
    ngx_http_sync_route_t        route;

    ngx_http_sync_answer_t       answer;
    ngx_http_sync_problem_t      problem;    /* status 0: none */

    ngx_str_t                    correlation;    /* by its step */
    ngx_str_t                    traceparent;
    ngx_str_t                    trace_id;
    ngx_str_t                    dropped;    /* X-Sync-Dropped, or empty */
    ngx_str_t                    limit;      /* name of the limit that refused */
    ngx_array_t                 *trace;      /* of ngx_str_t JSON values, when
                                                X-Sync-Debug asked for it */
    const char                  *verdict;    /* "pass", "refused", "replay" ... */
    const char                  *reason;     /* the problem's name */
    const char                  *verdict_read;   /* both again, when the body */
    const char                  *reason_read;    /* has been read */

    void                        *collector;  /* the answer's, its own */
    void                        *certificate;    /* the edge's, likewise */
    void                        *slots[NGX_HTTP_SYNC_STEPS];
    uint32_t                     done;       /* latches, a bit per step */
    uint32_t                     resent;     /* steps for which it was sent
                                                again, a bit each */
    ngx_uint_t                   tried;      /* upstream_states before that */
    ngx_event_t                 *resend;
    struct ngx_http_sync_asked_s  *aside;    /* what goes upstream is not the
                                                request itself */
    uint32_t                     shadow;     /* steps that would have refused
                                                or changed something */
    uint64_t                    *times;      /* of the steps, ns; NULL: the
                                                request is not timed */

    sync_arena_t                 arena;      /* r->pool as lib/ takes it */
    ngx_event_t                  deadline;
    ngx_msec_t                   started;    /* ngx_current_msec */
    ngx_msec_t                   budget;     /* ms for everything */
    size_t                       charged;    /* of the worker's buffers */

    unsigned                     waiting:1;  /* for ngx_http_sync_wake() */
    unsigned                     reading:1;  /* the body */
    unsigned                     parked:1;   /* and it comes later */
    unsigned                     body_charged:1;
    unsigned                     sent:1;     /* a byte may have gone upstream,
                                                since it was last sent again */
    unsigned                     resending:1;    /* in the steps before that */
    unsigned                     gone:1;     /* the client, meanwhile */
    unsigned                     expired:1;  /* the deadline is over */
    unsigned                     dry_run:1;
    unsigned                     counted:1;
    unsigned                     again:1;    /* refused where an error_page
                                                led to */
};


/* ---- services ---- */

/*
 * The context of the main request, found again after an internal redirect;
 * NULL: no step has run.  create: makes one (NULL: no memory).
 */
ngx_http_sync_ctx_t *ngx_http_sync_get_ctx(ngx_http_request_t *r);
ngx_http_sync_ctx_t *ngx_http_sync_create_ctx(ngx_http_request_t *r);

/*
 * From the handler of whatever a step waits for: posts the request's write
 * event; the step is entered again.  Never finalizes, never frees.
 */
void ngx_http_sync_wake(ngx_http_sync_ctx_t *ctx);

/*
 * Prepares op for a call to a store on behalf of the request: wake() as its
 * handler, the request's log and pool.  The step keeps op in its slot and
 * withdraws it in its cancel().
 */
void ngx_http_sync_op_init(ngx_http_sync_ctx_t *ctx, ngx_sync_op_t *op);

/*
 * The request's body, contiguous, in ctx->payload.body, once.  In ACCESS and
 * PRECONTENT.  NGX_OK, NGX_AGAIN (suspended; return it: the step is entered
 * again), a status (413, 503).  Charged to sync_buffers.
 */
ngx_int_t ngx_http_sync_read_body(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);

/*
 * The tape of the body, once.  NGX_OK: ctx->payload.source is filled;
 * NGX_DECLINED: there is no body or it is not JSON by media type; a status
 * with its problem (400 with the offset).
 */
ngx_int_t ngx_http_sync_parse_body(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);

/* The Content-Type's type and subtype, lower case; empty: none. */
void ngx_http_sync_media_type(ngx_http_request_t *r, ngx_str_t *type);

/* Replaces the body that proxy_pass sends; type: new Content-Type. */
ngx_int_t ngx_http_sync_replace_body(ngx_http_request_t *r, ngx_str_t *body,
    ngx_str_t *type);

/*
 * May the request be sent again for this response step, which has not looked
 * at the answer yet?  Once for a step, twice in all, within the deadline of
 * the exchange, and only where upstream has answered and the body is still
 * there: it is kept from here on.  Asked by the step's enabled().
 *
 * The answer is then dropped, of whatever size; the steps from CREDENTIALS to
 * SEND run anew and may wait, and so does the content handler of the location:
 * proxy_pass takes URL, headers and peer afresh.  What the first try was told
 * counts no more: the claim goes on as one of which nothing was sent.
 */
ngx_uint_t ngx_http_sync_may_send_again(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, ngx_http_sync_step_e step);

/*
 * What the target must be asked before the request may leave, such as a login.
 * It goes in the request's place: by the same handler to the same peers, with
 * the same settings and credentials.  Of the request's headers those go along
 * that do not speak of its body and do not come from the client.
 */

typedef struct {
    ngx_str_t                    method;
    ngx_str_t                    uri;
    ngx_str_t                    type;       /* of the body */
    ngx_str_t                    body;       /* data NULL: none */
    ngx_array_t                  headers;    /* of ngx_keyval_t */
} ngx_http_sync_aside_t;

/*
 * By a step before SEND, which then goes on.  What *aside points to must live
 * as long as the request.  The request's body was read.  NGX_OK or NGX_ERROR.
 *
 * The answer, or NGINX' own (ctx->answer.own), is held for a response step
 * before classify, which is enabled as long as ctx->aside is set.  It answers
 * NGX_HTTP_SYNC_SEND_NOW: the answer is dropped, and the steps from CREDENTIALS
 * on run anew; or a status: nothing was sent of the request then.
 */
ngx_int_t ngx_http_sync_ask_aside(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, ngx_http_sync_aside_t *aside);

/*
 * Charges bytes to the worker's buffer budget until the request goes.
 * NGX_OK or NGX_DECLINED (over it).
 */
ngx_int_t ngx_http_sync_charge(ngx_http_sync_ctx_t *ctx, size_t bytes);

/*
 * Describes the refusal and returns status: `return ngx_http_sync_problem(...)`.
 * fmt as of ngx_sprintf; the detail never has a value of the payload.
 */
ngx_int_t ngx_http_sync_problem(ngx_http_sync_ctx_t *ctx, ngx_uint_t status,
    const char *name, const char *title, ngx_uint_t category,
    const char *fmt, ...);

/* Adds a fault to the problem: pointer, keyword, reason are copied. */
ngx_int_t ngx_http_sync_problem_fault(ngx_http_sync_ctx_t *ctx,
    sync_str_t pointer, const char *keyword, const char *reason);

/* The JSON text of the problem, in the request's pool; data NULL: no memory. */
ngx_str_t ngx_http_sync_problem_text(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx);

/*
 * Sends an answer of our own and finalizes: `return ngx_http_sync_send(...)`
 * gives NGX_DONE.  No response step sees it; the body may be empty.
 */
ngx_int_t ngx_http_sync_send(ngx_http_request_t *r, ngx_uint_t status,
    ngx_str_t *type, ngx_str_t *body);

/*
 * The same of an answer that was kept, its headers set: masked as an answer of
 * today would be.  NGX_DONE, or the status of a mask that does not show it.
 */
ngx_int_t ngx_http_sync_send_kept(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, ngx_uint_t status, ngx_str_t *type,
    ngx_str_t *body);

/* Adds a response header; name and value are not copied.  NGX_OK or ERROR. */
ngx_int_t ngx_http_sync_add_header(ngx_http_request_t *r, ngx_str_t *name,
    ngx_str_t *value);

/*
 * WWW-Authenticate of a step that refuses, by the schemes of the location, the
 * one by which the token came, and the metadata of the resource.  It is the
 * auth policy's: who refuses says what is missing.  scope: the names of which
 * some are missing, or NULL.  NGX_OK, also where there is nothing to say, or
 * NGX_ERROR.
 */

typedef enum {
    NGX_HTTP_SYNC_CHALLENGE_PROOF = 0,   /* 401: any that is taken here */
    NGX_HTTP_SYNC_CHALLENGE_TOKEN,       /* 401: only a token would do */
    NGX_HTTP_SYNC_CHALLENGE_SCOPE        /* 403: a token that says more */
} ngx_http_sync_challenge_e;

ngx_int_t ngx_http_sync_challenge(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, ngx_http_sync_challenge_e what,
    ngx_str_t *scope);

/*
 * Sets that header, in place of any other, where NGINX looks for it; value is
 * not copied.
 */
ngx_int_t ngx_http_sync_authenticate(ngx_http_request_t *r,
    const ngx_str_t *value);

/* Removes a response header that upstream or a module has set. */
void ngx_http_sync_remove_header(ngx_http_request_t *r, ngx_str_t *name);

/*
 * A request header by its lower-case name: the first, and how many lines
 * there are.  NULL: none.
 */
ngx_table_elt_t *ngx_http_sync_header_in(ngx_http_request_t *r,
    ngx_str_t *name, ngx_uint_t *lines);

/*
 * Sets, replaces (all lines) or with value NULL removes a request header as
 * it will be proxied.  NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_http_sync_set_header_in(ngx_http_request_t *r, ngx_str_t *name,
    ngx_str_t *value);

/* The same for one whose value is a secret of the connector. */
ngx_int_t ngx_http_sync_set_secret_in(ngx_http_request_t *r,
    ngx_http_sync_ctx_t *ctx, ngx_str_t *name, ngx_str_t *value);

/*
 * A header that every request gets, and that NGINX itself does not read: what
 * a name costs is paid once.  The name is spelt in both ways; hash begins as 0.
 */

typedef struct {
    ngx_str_t    name;
    u_char      *lowcase;
    ngx_uint_t   hash;
} ngx_http_sync_field_t;

/* set_header_in() of such a one, where lines of that name have been counted. */
ngx_int_t ngx_http_sync_set_field_in(ngx_http_request_t *r,
    ngx_http_sync_field_t *field, ngx_str_t *value, ngx_uint_t lines);

/*
 * From the send step on the deadline cuts the exchange by a timer; before it,
 * the runner looks between the steps.
 */
void ngx_http_sync_arm_deadline(ngx_http_sync_ctx_t *ctx);

/* Removes all request headers whose names begin so; prefix in lower case. */
void ngx_http_sync_strip_headers_in(ngx_http_request_t *r, ngx_str_t *prefix);

/* What is left of the deadline in ms; 0: over. */
ngx_msec_t ngx_http_sync_left(ngx_http_sync_ctx_t *ctx);

/* Adds {"step":..., "text":...} to the trace, if there is one. */
void ngx_http_sync_trace(ngx_http_sync_ctx_t *ctx, const char *step,
    const char *fmt, ...);


/* ---- what sync_status tells beside requests ---- */

/* Counted by all workers together; each is a line of a family. */

typedef enum {
    NGX_HTTP_SYNC_EVENT_LEASE_REFILL = 0,    /* asked of the store */
    NGX_HTTP_SYNC_EVENT_LEASE_DRY,       /* it had less, or nothing */
    NGX_HTTP_SYNC_EVENT_LEASE_LOST,      /* it was down or full */
    NGX_HTTP_SYNC_EVENT_LEASE_WAIT,      /* a request waited for it */
    NGX_HTTP_SYNC_EVENT_LEASE_EXACT,     /* a worker leases no more: taken
                                            exactly */
    NGX_HTTP_SYNC_EVENT_SHARE_GRANTED,
    NGX_HTTP_SYNC_EVENT_SHARE_WAITED,    /* some of them after a wait */
    NGX_HTTP_SYNC_EVENT_SHARE_BUSY,      /* due a place, and none was free */
    NGX_HTTP_SYNC_EVENT_SHARE_OVER,      /* over its share */
    NGX_HTTP_SYNC_EVENT_SHARE_UNCOUNTED, /* no room to count it */
    NGX_HTTP_SYNC_EVENT_KEYS_FETCHED,    /* of issuers */
    NGX_HTTP_SYNC_EVENT_KEYS_FAILED,
    NGX_HTTP_SYNC_EVENT_KEYS_REFUSED,    /* a budget was spent */
    NGX_HTTP_SYNC_EVENT_KEYS_UNKNOWN,    /* a token by a key that is in none */
    NGX_HTTP_SYNC_EVENT_ASKED_ACTIVE,    /* of tokens, by introspection */
    NGX_HTTP_SYNC_EVENT_ASKED_INACTIVE,
    NGX_HTTP_SYNC_EVENT_ASKED_FAILED,
    NGX_HTTP_SYNC_EVENT_ASKED_REFUSED,   /* a budget was spent */
    NGX_HTTP_SYNC_EVENT_FETCH,           /* and ngx_sync_fetch_result_e */
    NGX_HTTP_SYNC_EVENTS = NGX_HTTP_SYNC_EVENT_FETCH + 8
} ngx_http_sync_event_e;

void ngx_http_sync_event(ngx_http_sync_event_e event);

/* At load: a policy adds lines of its own; returns the new p. */

typedef u_char *(*ngx_http_sync_status_pt)(ngx_http_request_t *r, u_char *p,
    u_char *last);

ngx_int_t ngx_http_sync_add_status(ngx_conf_t *cf, ngx_http_sync_status_pt add);

/* The value of a label, escaped. */
u_char *ngx_http_sync_label(u_char *p, u_char *last, ngx_str_t *s);


/* ---- configuration that more than one file reads ---- */

#define NGX_HTTP_SYNC_SECRETS  2         /* current and previous */

typedef struct {
    const ngx_http_sync_step_t  *steps[NGX_HTTP_SYNC_STEPS];
    uint32_t                     used;       /* steps, a bit each */
    uint32_t                     asked;      /* those with per_request, */
    uint32_t                     cancels;    /* cancel() */
    uint32_t                     logs;       /* and log() */
    ngx_http_sync_configured_pt  configured[NGX_HTTP_SYNC_STEPS];
    ngx_array_t                 *secrets;    /* of ngx_str_t; NULL: none */
    sync_seal_t                  seal;       /* of what stores keep */
    size_t                       buffers;    /* bytes per worker */
    ngx_array_t                  checks;
    ngx_uint_t                   status;     /* sync_status stands somewhere */
    ngx_array_t                 *wrapped;    /* balancers inside our own */
    ngx_http_upstream_srv_conf_t  *peers;    /* with sync_peers, or NULL */
    ngx_module_t                *proxy;      /* that of proxy_pass, or NULL */
    ngx_shm_zone_t              *metrics;
    struct ngx_sync_blocks_s    *flight;     /* NULL: nothing is fetched */
    ngx_array_t                  shown;      /* of ngx_http_sync_status_pt */
} ngx_http_sync_main_conf_t;

typedef struct {
    ngx_msec_t                   deadline;
    ngx_str_t                    deadline_header;    /* ms left, both ways */
    ngx_uint_t                   deadline_set;       /* it stands here */
    ngx_str_t                    file;       /* where the block begins, */
    ngx_uint_t                   line;       /* for messages at load */
    ngx_uint_t                   status;     /* sync_status answers here */
    uint32_t                     steps;      /* that may act here, and */
    unsigned                     judged:1;   /* whether that is known yet */
} ngx_http_sync_loc_conf_t;

/*
 * A use of sync_secret: HKDF-SHA-256 with info = label.  generation 0 is the
 * current, 1 the previous one.  NGX_OK, NGX_DECLINED (no such generation),
 * NGX_ERROR.  Any time after configuration was read.
 */
ngx_int_t ngx_http_sync_derive(ngx_http_sync_main_conf_t *smcf,
    ngx_uint_t generation, const char *label, u_char *out, size_t len);


/*
 * A check of a location, at load, once all is merged and all upstreams and
 * modules are known.  Called for each location (and server) in which the
 * adding directive stands or is inherited: register it in the merge handler.
 * It logs by ngx_conf_log_error-like NGX_LOG_EMERG with what, cure, location,
 * file and line, and returns NGX_ERROR to refuse.
 */

typedef ngx_int_t (*ngx_http_sync_check_pt)(ngx_conf_t *cf,
    ngx_http_conf_ctx_t *ctx);

ngx_int_t ngx_http_sync_add_check(ngx_conf_t *cf, ngx_http_sync_check_pt check);

/*
 * Does a step act in the location of a check?  For what needs another policy
 * beside it.
 */
ngx_uint_t ngx_http_sync_enabled_at(ngx_http_conf_ctx_t *ctx,
    ngx_http_sync_step_e step);

/* Logs 'TEXT, in location "X", FILE:LINE' at EMERG. */
void ngx_http_sync_refuse(ngx_conf_t *cf, ngx_http_conf_ctx_t *ctx,
    const char *fmt, ...);


extern ngx_module_t  ngx_http_sync_module;


#endif /* NGX_HTTP_SYNC_H_INCLUDED_ */
