
/*
 * Has the data been lost?
 *
 * A mark is a key that is counted up all the time:
 *
 *     sync:{m:I}      GENERATION COUNT TICK LOST
 *
 * GENERATION is drawn when there is none; COUNT rises with each look, TICK is
 * the server's clock then; LOST, when a loss was noticed, or 0.  Each worker
 * remembers what it saw last.  A mark that is gone, is another or has fallen
 * back by more than a moment says that what was executed is forgotten as well,
 * and who notices writes that down for all others.  Another one whose LOST is
 * younger than what a worker saw is the work of a worker that was faster; with
 * an older one, or none, it is of other data, which may have lost some before.
 *
 * A server is looked at before commands go over a new connection to it, and
 * then every second: a restart or a failover has no window, FLUSHALL under
 * open connections has that one.  What is forgotten while no worker of any
 * node runs is not noticed.  One server has one mark; a cluster has sixteen,
 * so that each master should have some.
 */


#include "ngx_sync_redis_store.h"
#include "sync_crypto.h"


#define NGX_SYNC_REDIS_LOOK_TIME  1000   /* ms */
#define NGX_SYNC_REDIS_LOOK_WAIT  5000   /* ms, for an answer */

/* An append-only file may lack a second, a replica what was under way. */
#define NGX_SYNC_REDIS_MOMENT     2000   /* ms */


typedef enum {
    NGX_SYNC_REDIS_KEPT = 0,
    NGX_SYNC_REDIS_GONE,
    NGX_SYNC_REDIS_OTHER,
    NGX_SYNC_REDIS_BACK,
    NGX_SYNC_REDIS_BACK_A_LITTLE
} ngx_sync_redis_kept_e;


/* Of a look that is under way: in the cell of its command. */

typedef struct {
    ngx_sync_redis_marks_t    *marks;
    ngx_sync_redis_conn_t     *conn;     /* a new one; NULL: by the way */
    ngx_uint_t                 i;
} ngx_sync_redis_looking_t;


static ngx_sync_redis_cmd_t *ngx_sync_redis_marks_look(
    ngx_sync_redis_t *redis, ngx_sync_redis_conn_t *conn, ngx_uint_t i);
static void ngx_sync_redis_marks_seen(ngx_sync_redis_cmd_t *cmd,
    ngx_sync_redis_reply_t *reply);
static void ngx_sync_redis_marks_tell(ngx_sync_redis_marks_t *marks,
    ngx_sync_redis_kept_e kept, int64_t span);
static void ngx_sync_redis_marks_poll(ngx_event_t *ev);


/* generation, count and tick that are known, a new generation, moment ->
   generation, count, tick, lost, kept, span */

static const char  ngx_sync_lua_mark[] =
    "local t = redis.call('TIME')\n"
    "local now = math.floor((t[1] * 1000000 + t[2]) / 1000)\n"
    "local v = redis.call('GET', KEYS[1]) or ''\n"
    "local gen, count, tick, lost =\n"
    "    string.match(v, '^(%x+) (%d+) (%d+) (%d+)$')\n"
    "count, tick, lost = tonumber(count), tonumber(tick), tonumber(lost)\n"
    "local known, kept, span = ARGV[1], 0, 0\n"
    "if not gen then\n"
    "    gen, count, lost = ARGV[4], 0, 0\n"
    "    if known ~= '' then lost, kept = now, 1 end\n"
    "elseif known ~= '' and gen ~= known then\n"
    "    if lost <= tonumber(ARGV[3]) then lost, kept = now, 2 end\n"
    "elseif known ~= '' and count < tonumber(ARGV[2]) then\n"
    "    kept, span = 4, tonumber(ARGV[3]) - tick\n"
    "    if span > tonumber(ARGV[5]) then\n"
    "        gen, lost, kept = ARGV[4], now, 3\n"
    "    end\n"
    "end\n"
    "redis.call('SET', KEYS[1], string.format('%s %.0f %.0f %.0f',\n"
    "                                         gen, count + 1, now, lost))\n"
    "return { gen, count + 1, now, lost, kept, span }\n";


static ngx_sync_redis_script_t  ngx_sync_redis_mark_script = {
    ngx_string("mark"),
    { sizeof(ngx_sync_lua_mark) - 1, (u_char *) ngx_sync_lua_mark },
    { 0 }
};


void
ngx_sync_redis_marks_conf(ngx_sync_redis_marks_t *marks,
    ngx_sync_redis_t *redis)
{
    ngx_sync_redis_script_init(&ngx_sync_redis_mark_script);

    marks->redis = redis;
    marks->n = redis->cluster ? NGX_SYNC_REDIS_MARKS : 1;

    redis->look = ngx_sync_redis_marks_look;
    redis->marks = marks->n;
    redis->owner = marks;
}


void
ngx_sync_redis_marks_init(ngx_sync_redis_marks_t *marks, ngx_cycle_t *cycle)
{
    marks->log = cycle->log;

    marks->poll.handler = ngx_sync_redis_marks_poll;
    marks->poll.data = marks;
    marks->poll.log = cycle->log;
    marks->poll.cancelable = 1;

    ngx_add_timer(&marks->poll, NGX_SYNC_REDIS_LOOK_TIME);
}


void
ngx_sync_redis_marks_exit(ngx_sync_redis_marks_t *marks)
{
    if (marks->poll.timer_set) {
        ngx_del_timer(&marks->poll);
    }
}


ngx_uint_t
ngx_sync_redis_marks_lost(ngx_sync_redis_marks_t *marks)
{
    return marks->lost
           && (ngx_msec_int_t) (marks->until - ngx_current_msec) > 0;
}


static ngx_sync_redis_cmd_t *
ngx_sync_redis_marks_look(ngx_sync_redis_t *redis,
    ngx_sync_redis_conn_t *conn, ngx_uint_t i)
{
    u_char                     tag[NGX_SYNC_REDIS_MARK_TAG];
    u_char                     key[sizeof("sync:{}") + sizeof(tag)];
    u_char                     fresh[NGX_SYNC_REDIS_GEN_LEN / 2];
    u_char                     hex[NGX_SYNC_REDIS_GEN_LEN];
    ngx_str_t                  s;
    ngx_sync_redis_cmd_t      *cmd;
    ngx_sync_redis_args_t      a;
    ngx_sync_redis_mark_t     *mark;
    ngx_sync_redis_marks_t    *marks;
    ngx_sync_redis_looking_t  *looking;

    marks = redis->owner;
    mark = &marks->marks[i];

    if (sync_random(fresh, sizeof(fresh)) != SYNC_OK) {
        return NULL;
    }

    ngx_hex_dump(hex, fresh, sizeof(fresh));

    s.data = tag;
    s.len = ngx_sync_redis_mark_tag(tag, i) - tag;

    ngx_sync_redis_args_init(&a);

    ngx_sync_redis_add(&a, key, ngx_sprintf(key, "sync:{%V}", &s) - key);
    ngx_sync_redis_add(&a, mark->generation, mark->len);
    ngx_sync_redis_add_number(&a, mark->count);
    ngx_sync_redis_add_number(&a, mark->tick);
    ngx_sync_redis_add(&a, hex, sizeof(hex));
    ngx_sync_redis_add_number(&a, NGX_SYNC_REDIS_MOMENT);

    cmd = ngx_sync_redis_call(redis, &ngx_sync_redis_mark_script, a.args, 1,
                              a.n, sizeof(ngx_sync_redis_looking_t));
    if (cmd == NULL) {
        return NULL;
    }

    looking = cmd->extra;

    looking->marks = marks;
    looking->conn = conn;
    looking->i = i;

    cmd->handler = ngx_sync_redis_marks_seen;
    cmd->patient = 1;
    cmd->deadline = ngx_current_msec + NGX_SYNC_REDIS_LOOK_WAIT;

    return cmd;
}


static void
ngx_sync_redis_marks_seen(ngx_sync_redis_cmd_t *cmd,
    ngx_sync_redis_reply_t *reply)
{
    ngx_msec_t                 left;
    ngx_uint_t                 was;
    ngx_sync_redis_mark_t     *mark;
    ngx_sync_redis_reply_t    *v;
    ngx_sync_redis_marks_t    *marks;
    ngx_sync_redis_looking_t  *looking;

    looking = cmd->extra;
    marks = looking->marks;
    mark = &marks->marks[looking->i];

    if (reply == NULL) {
        return;
    }

    if (reply->type != NGX_SYNC_REDIS_ARRAY || reply->n != 6
        || reply->elts[0].str.len > NGX_SYNC_REDIS_GEN_LEN)
    {
        /* a slot that moves, a server that is full: seen another time */

        if (ngx_sync_redis_is_error(reply, "NOPERM") && !marks->told) {
            marks->told = 1;

            ngx_log_error(NGX_LOG_ERR, marks->log, 0,
                          "sync store \"%V\": this user may not look at "
                          "\"sync:{m:%ui}\", a loss of data is not noticed: "
                          "%V", &marks->redis->label, looking->i,
                          &reply->str);
        }

        return;
    }

    v = reply->elts;

    mark->len = v[0].str.len;
    ngx_memcpy(mark->generation, v[0].str.data, mark->len);
    mark->count = v[1].integer;
    mark->tick = v[2].integer;

    if (v[4].integer != NGX_SYNC_REDIS_KEPT) {
        ngx_sync_redis_marks_tell(marks, v[4].integer, v[5].integer);
    }

    if (v[3].integer == 0
        || v[2].integer - v[3].integer >= (int64_t) marks->redis->quarantine)
    {
        return;
    }

    /* the server's clock gives the length, our own counts it */

    left = marks->redis->quarantine
           - (ngx_msec_t) ngx_max(v[2].integer - v[3].integer, 0);

    was = ngx_sync_redis_marks_lost(marks);

    if (!was
        || (ngx_msec_int_t) (ngx_current_msec + left - marks->until) > 0)
    {
        marks->until = ngx_current_msec + left;
    }

    marks->lost = 1;

    if (!was && marks->redis->refuse_lost) {
        ngx_log_error(NGX_LOG_ERR, marks->log, 0,
                      "sync store \"%V\": data was lost: for %Ms nothing is "
                      "executed under a key that is not known "
                      "(after_loss=refuse)", &marks->redis->label,
                      left / 1000);

        if (looking->conn) {
            ngx_sync_redis_conn_disappoint(looking->conn);
        }
    }
}


static void
ngx_sync_redis_marks_tell(ngx_sync_redis_marks_t *marks,
    ngx_sync_redis_kept_e kept, int64_t span)
{
    if (kept == NGX_SYNC_REDIS_BACK_A_LITTLE) {
        ngx_log_error(NGX_LOG_WARN, marks->log, 0,
                      "sync store \"%V\": what was written in the last "
                      "%L ms before a restart or a failover may be forgotten",
                      &marks->redis->label, span);
        return;
    }

    if (kept == NGX_SYNC_REDIS_BACK) {
        ngx_log_error(NGX_LOG_ERR, marks->log, 0,
                      "sync store \"%V\": data was lost: it is back at a "
                      "state of %L ms before",
                      &marks->redis->label, span);
        return;
    }

    ngx_log_error(NGX_LOG_ERR, marks->log, 0,
                  "sync store \"%V\": data was lost: its mark is %s",
                  &marks->redis->label,
                  kept == NGX_SYNC_REDIS_GONE ? "gone" : "another");
}


static void
ngx_sync_redis_marks_poll(ngx_event_t *ev)
{
    u_char                   tag[NGX_SYNC_REDIS_MARK_TAG];
    ngx_str_t                s;
    ngx_uint_t               i;
    ngx_sync_redis_t        *redis;
    ngx_sync_redis_cmd_t    *cmd;
    ngx_sync_redis_marks_t  *marks;

    marks = ev->data;
    redis = marks->redis;

    if (ngx_exiting) {
        return;
    }

    ngx_add_timer(ev, NGX_SYNC_REDIS_LOOK_TIME);

    for (i = 0; i < marks->n; i++) {

        cmd = ngx_sync_redis_marks_look(redis, NULL, i);
        if (cmd == NULL) {
            return;
        }

        /* none is kept for a server that is down: a new connection looks */

        cmd->patient = 0;
        cmd->deadline = ngx_current_msec + redis->timeout;

        s.data = tag;
        s.len = ngx_sync_redis_mark_tag(tag, i) - tag;

        (void) ngx_sync_redis_send(redis, &s, cmd);
    }
}
