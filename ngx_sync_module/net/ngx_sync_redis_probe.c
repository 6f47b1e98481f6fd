
/*
 * What a server must be before commands go to it: a master, new enough, not
 * loading; and what its operator should know: eviction, persistence.
 */


#include "ngx_sync_redis_topology.h"


#define NGX_SYNC_REDIS_OLDEST  602       /* 6.2 */


static void ngx_sync_redis_probe_answer(ngx_sync_redis_cmd_t *cmd,
    ngx_sync_redis_reply_t *reply);
static void ngx_sync_redis_probe_policy(ngx_sync_redis_conn_t *conn,
    ngx_sync_redis_target_t *target, ngx_str_t *info);
static ngx_uint_t ngx_sync_redis_probe_version(ngx_str_t *info);
static void ngx_sync_redis_probe_field(ngx_str_t *info, const char *name,
    ngx_str_t *value);

#define ngx_sync_redis_says(value, word)                                      \
    ((value)->len == sizeof(word) - 1                                         \
     && ngx_strncmp((value)->data, word, sizeof(word) - 1) == 0)


void
ngx_sync_redis_probe(ngx_sync_redis_conn_t *conn)
{
    ngx_str_t              arg;
    ngx_sync_redis_cmd_t  *cmd;

    ngx_str_set(&arg, "INFO");

    cmd = ngx_sync_redis_command(conn->redis, &arg, 1, 0);

    if (cmd == NULL) {
        ngx_sync_redis_conn_fail(conn, "could not be asked: no memory");
        return;
    }

    cmd->handler = ngx_sync_redis_probe_answer;
    cmd->data = conn;
    cmd->greeting = 1;

    (void) ngx_sync_redis_conn_send(conn, cmd);
}


static void
ngx_sync_redis_probe_answer(ngx_sync_redis_cmd_t *cmd,
    ngx_sync_redis_reply_t *reply)
{
    ngx_str_t                 value;
    ngx_sync_redis_conn_t    *conn;
    ngx_sync_redis_target_t  *target;

    conn = cmd->data;
    target = (ngx_sync_redis_target_t *) conn->server;

    if (reply == NULL) {
        return;
    }

    if (reply->type == NGX_SYNC_REDIS_ERROR) {

        /* that AUTH was refused, the connection has said */

        if (ngx_sync_redis_is_error(reply, "NOAUTH")
            && conn->server->password.len == 0)
        {
            if (!target->told) {
                target->told = 1;

                ngx_log_error(NGX_LOG_ERR, conn->log, 0,
                              "sync store \"%V\": %V wants a password: %V",
                              &conn->redis->label, &conn->server->name,
                              &reply->str);
            }

            ngx_sync_redis_conn_fail(conn, "wants a password");
            return;
        }

        if (ngx_sync_redis_is_error(reply, "NOPERM") && !target->told) {
            target->told = 1;

            ngx_log_error(NGX_LOG_WARN, conn->log, 0,
                          "sync store \"%V\": this user may not ask %V for "
                          "INFO: version, role and eviction are not checked; "
                          "\"ACL SETUSER ... +info\" lets it",
                          &conn->redis->label, &conn->server->name);
        }

        return;
    }

    ngx_sync_redis_probe_field(&reply->str, "loading", &value);

    if (ngx_sync_redis_says(&value, "1")) {
        ngx_sync_redis_conn_fail(conn, "is loading its data");
        return;
    }

    ngx_sync_redis_probe_field(&reply->str, "role", &value);

    /* of a cluster any node has the map */

    if (value.len && !conn->redis->cluster
        && !ngx_sync_redis_says(&value, "master"))
    {
        ngx_sync_redis_conn_fail(conn, "is a replica, a master is needed");
        return;
    }

    if (ngx_sync_redis_probe_version(&reply->str) < NGX_SYNC_REDIS_OLDEST) {
        ngx_sync_redis_conn_fail(conn, "is older than Redis 6.2");
        return;
    }

    ngx_sync_redis_probe_policy(conn, target, &reply->str);
}


/* Said once for each server process, not at each connection to it. */

static void
ngx_sync_redis_probe_policy(ngx_sync_redis_conn_t *conn,
    ngx_sync_redis_target_t *target, ngx_str_t *info)
{
    ngx_str_t    policy, run_id, aof, version;
    ngx_uint_t   known;
    const char  *brand;

    ngx_sync_redis_probe_field(info, "maxmemory_policy", &policy);
    ngx_sync_redis_probe_field(info, "run_id", &run_id);
    ngx_sync_redis_probe_field(info, "aof_enabled", &aof);

    /* Valkey names as redis_version the Redis that it can stand in for */

    brand = "Valkey";
    ngx_sync_redis_probe_field(info, "valkey_version", &version);

    if (version.len == 0) {
        brand = "Redis";
        ngx_sync_redis_probe_field(info, "redis_version", &version);
    }

    known = run_id.len == NGX_SYNC_REDIS_RUN_ID
            && ngx_memcmp(target->run_id, run_id.data, run_id.len) == 0;

    if (run_id.len == NGX_SYNC_REDIS_RUN_ID) {
        ngx_memcpy(target->run_id, run_id.data, run_id.len);
    }

    if (policy.len && !ngx_sync_redis_says(&policy, "noeviction")) {

        if (target->topo->url.refuse_eviction) {

            if (!known) {
                ngx_log_error(NGX_LOG_ERR, conn->log, 0,
                              "sync store \"%V\": %V has maxmemory-policy "
                              "\"%V\" and could forget what was executed; it "
                              "is refused (eviction=refuse) until it has "
                              "\"noeviction\"", &conn->redis->label,
                              &conn->server->name, &policy);
            }

            ngx_sync_redis_conn_fail(conn, "evicts keys");
            return;
        }

        if (!known) {
            ngx_log_error(NGX_LOG_ERR, conn->log, 0,
                          "sync store \"%V\": %V has maxmemory-policy \"%V\" "
                          "and may forget what was executed, so that it is "
                          "executed again; set \"noeviction\"",
                          &conn->redis->label, &conn->server->name, &policy);
        }
    }

    if (!known) {
        ngx_log_error(NGX_LOG_NOTICE, conn->log, 0,
                      "sync store \"%V\": %V is %s %V%s",
                      &conn->redis->label, &conn->server->name, brand,
                      &version,
                      ngx_sync_redis_says(&aof, "1") ? ""
                      : "; it keeps no append-only file: what was executed "
                        "since its last snapshot is forgotten with it");
    }
}


/* 7.0.15 is 700; what names no version is taken for a new one */

static ngx_uint_t
ngx_sync_redis_probe_version(ngx_str_t *info)
{
    u_char     *dot, *end;
    ngx_int_t   major, minor;
    ngx_str_t   v;

    ngx_sync_redis_probe_field(info, "redis_version", &v);

    end = v.data + v.len;
    dot = ngx_strlchr(v.data, end, '.');

    if (dot == NULL) {
        return NGX_SYNC_REDIS_OLDEST;
    }

    major = ngx_atoi(v.data, dot - v.data);
    v.data = dot + 1;
    dot = ngx_strlchr(v.data, end, '.');
    minor = ngx_atoi(v.data, (dot ? dot : end) - v.data);

    if (major == NGX_ERROR || minor == NGX_ERROR) {
        return NGX_SYNC_REDIS_OLDEST;
    }

    return major * 100 + minor;
}


/* INFO is lines of name:value; len 0 where there is none */

static void
ngx_sync_redis_probe_field(ngx_str_t *info, const char *name,
    ngx_str_t *value)
{
    u_char  *p, *end;
    size_t   len;

    len = ngx_strlen(name);
    p = info->data;
    end = info->data + info->len;

    ngx_str_null(value);

    while (p < end) {

        if ((size_t) (end - p) > len && p[len] == ':'
            && ngx_strncmp(p, name, len) == 0)
        {
            p += len + 1;
            value->data = p;

            while (p < end && *p != '\r' && *p != '\n') {
                p++;
            }

            value->len = p - value->data;
            return;
        }

        p = ngx_strlchr(p, end, '\n');

        if (p == NULL) {
            return;
        }

        p++;
    }
}
