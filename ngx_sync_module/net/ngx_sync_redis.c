
/*
 * Commands as cells of bytes.
 */


#include "ngx_sync_redis.h"
#include "sync_core.h"

#include <ngx_sha1.h>


#define ngx_sync_redis_align(n)   (((n) + 15) & ~ (size_t) 15)

/* "$" or "*", a length, CRLF; an argument has another CRLF behind it */

#define NGX_SYNC_REDIS_HEAD       (1 + NGX_SIZE_T_LEN + 2)
#define NGX_SYNC_REDIS_ARG        (NGX_SYNC_REDIS_HEAD + 2)


static ngx_sync_redis_cmd_t *ngx_sync_redis_cell(ngx_sync_redis_t *redis,
    size_t size, size_t extra);
static u_char *ngx_sync_redis_count(u_char *p, u_char type, size_t n);
static u_char *ngx_sync_redis_arg(u_char *p, u_char *data, size_t len);


ngx_sync_redis_cmd_t *
ngx_sync_redis_command(ngx_sync_redis_t *redis, ngx_str_t *args, ngx_uint_t n,
    size_t extra)
{
    size_t                 size;
    u_char                *p;
    ngx_uint_t             i;
    ngx_sync_redis_cmd_t  *cmd;

    size = NGX_SYNC_REDIS_HEAD;

    for (i = 0; i < n; i++) {
        size += NGX_SYNC_REDIS_ARG + args[i].len;
    }

    cmd = ngx_sync_redis_cell(redis, size, extra);
    if (cmd == NULL) {
        return NULL;
    }

    p = ngx_sync_redis_count(cmd->bytes, '*', n);

    for (i = 0; i < n; i++) {
        p = ngx_sync_redis_arg(p, args[i].data, args[i].len);
    }

    cmd->len = p - cmd->bytes;

    return cmd;
}


ngx_sync_redis_cmd_t *
ngx_sync_redis_call(ngx_sync_redis_t *redis, ngx_sync_redis_script_t *script,
    ngx_str_t *args, ngx_uint_t nkeys, ngx_uint_t n, size_t extra)
{
    size_t                 size;
    u_char                *p, count[SYNC_DIGITS];
    ngx_uint_t             i;
    ngx_sync_redis_cmd_t  *cmd;

    size = NGX_SYNC_REDIS_HEAD + NGX_SYNC_REDIS_CALL_LEN
           + NGX_SYNC_REDIS_ARG + NGX_SIZE_T_LEN;

    for (i = 0; i < n; i++) {
        size += NGX_SYNC_REDIS_ARG + args[i].len;
    }

    cmd = ngx_sync_redis_cell(redis, size, extra);
    if (cmd == NULL) {
        return NULL;
    }

    p = ngx_sync_redis_count(cmd->bytes, '*', 3 + n);
    p = ngx_cpymem(p, script->call, NGX_SYNC_REDIS_CALL_LEN);

    cmd->script = script;
    cmd->rest = p - cmd->bytes;

    p = ngx_sync_redis_arg(p, count, sync_digits(count, nkeys) - count);

    for (i = 0; i < n; i++) {
        p = ngx_sync_redis_arg(p, args[i].data, args[i].len);
    }

    cmd->nargs = n;
    cmd->len = p - cmd->bytes;

    return cmd;
}


ngx_int_t
ngx_sync_redis_whole(ngx_sync_redis_cmd_t *cmd)
{
    size_t                    len;
    u_char                   *p, *bytes;
    ngx_sync_redis_script_t  *script;

    script = cmd->script;

    if (script == NULL || cmd->own) {
        return NGX_ERROR;
    }

    len = cmd->len - cmd->rest;

    bytes = ngx_alloc(NGX_SYNC_REDIS_HEAD
                      + NGX_SYNC_REDIS_ARG + sizeof("EVAL") - 1
                      + NGX_SYNC_REDIS_ARG + script->source.len + len,
                      ngx_cycle->log);
    if (bytes == NULL) {
        return NGX_ERROR;
    }

    p = ngx_sync_redis_count(bytes, '*', 3 + cmd->nargs);
    p = ngx_sync_redis_arg(p, (u_char *) "EVAL", sizeof("EVAL") - 1);
    p = ngx_sync_redis_arg(p, script->source.data, script->source.len);
    p = ngx_cpymem(p, cmd->bytes + cmd->rest, len);

    cmd->bytes = bytes;
    cmd->len = p - bytes;
    cmd->own = 1;

    return NGX_OK;
}


void
ngx_sync_redis_script_init(ngx_sync_redis_script_t *script)
{
    u_char     *p, digest[20];
    ngx_sha1_t  sha1;

    ngx_sha1_init(&sha1);
    ngx_sha1_update(&sha1, script->source.data, script->source.len);
    ngx_sha1_final(digest, &sha1);

    p = ngx_sync_redis_arg(script->call, (u_char *) "EVALSHA",
                           sizeof("EVALSHA") - 1);
    p = ngx_sync_redis_count(p, '$', 2 * sizeof(digest));
    p = ngx_hex_dump(p, digest, sizeof(digest));

    *p++ = CR;
    *p++ = LF;
}


/* The cell, what the caller keeps in it, and the bytes, in one piece. */

static ngx_sync_redis_cmd_t *
ngx_sync_redis_cell(ngx_sync_redis_t *redis, size_t size, size_t extra)
{
    u_char                *p;
    ngx_sync_redis_cmd_t  *cmd;

    extra = ngx_sync_redis_align(extra);

    p = ngx_alloc(ngx_sync_redis_align(sizeof(ngx_sync_redis_cmd_t)) + extra
                  + size, ngx_cycle->log);
    if (p == NULL) {
        return NULL;
    }

    ngx_memzero(p, ngx_sync_redis_align(sizeof(ngx_sync_redis_cmd_t))
                   + extra);

    cmd = (ngx_sync_redis_cmd_t *) p;
    p += ngx_sync_redis_align(sizeof(ngx_sync_redis_cmd_t));

    cmd->redis = redis;
    cmd->deadline = ngx_current_msec + redis->timeout;
    cmd->extra = p;
    cmd->bytes = p + extra;

    return cmd;
}


static u_char *
ngx_sync_redis_count(u_char *p, u_char type, size_t n)
{
    *p++ = type;

    p = sync_digits(p, n);

    *p++ = CR;
    *p++ = LF;

    return p;
}


static u_char *
ngx_sync_redis_arg(u_char *p, u_char *data, size_t len)
{
    p = ngx_sync_redis_count(p, '$', len);

    if (len) {
        p = ngx_cpymem(p, data, len);
    }

    *p++ = CR;
    *p++ = LF;

    return p;
}


void
ngx_sync_redis_free(ngx_sync_redis_cmd_t *cmd)
{
    /* AUTH has a password in it */

    if (cmd->greeting) {
        ngx_explicit_memzero(cmd->bytes, cmd->len);
    }

    if (cmd->own) {
        ngx_free(cmd->bytes);
    }

    ngx_free(cmd);
}


ngx_int_t
ngx_sync_redis_send(ngx_sync_redis_t *redis, ngx_str_t *tag,
    ngx_sync_redis_cmd_t *cmd)
{
    return redis->topology->send(redis, tag, cmd);
}
