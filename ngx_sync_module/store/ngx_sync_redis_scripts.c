
/*
 * What runs inside Redis, each script as one step.
 *
 * All of them read the clock once and change nothing before they have read and
 * checked everything, so an error leaves things as they were.  Numbers leave
 * Lua by '%.0f': its own formatting keeps 14 digits.  Redis refuses a write
 * that needs memory where there is none, unless the script has already written
 * something that needs none: what must always succeed begins with such a one.
 *
 * A record is a string: a header of fixed width, the note, the answer.
 *
 *      1      1   version, '1'
 *      2      1   state
 *      3      1   '1': the tenant's account counts it
 *      4     16   epoch                           decimal, microseconds
 *     20     13   created, Unix milliseconds
 *     33     13   changed
 *     46     13   until, the end of the lease
 *     59     13   expires, the end of the retention
 *     72     15   the most bytes that its tenant may keep; 0: any
 *     87      4   length of the note
 *     91     16   owner                           as they are
 *    107     32   print
 *    139          the note, the answer
 *
 * P whose lease is over is U to all who look at it, and is written as such only
 * by who changes the record.  The epoch is the time of the claim, and always
 * above the former epoch of the record.
 */


#include "ngx_sync_redis_store.h"


#define NGX_SYNC_LUA_CLOCK                                                    \
    "local call, sub, num = redis.call, string.sub, tonumber\n"               \
    "local t = call('TIME')\n"                                                \
    "local us = t[1] * 1000000 + t[2]\n"                                      \
    "local now = math.floor(us / 1000)\n"


/*
 * The record that stands: KEYS[1], or KEYS[5], under the previous secret.  One
 * that is past its retention Redis does not show.  Digits are kept as they
 * come, to print them is dear: stamp are 16 of microseconds, ms 13.
 */

#define NGX_SYNC_LUA_RECORD                                                   \
    "local call, sub, num = redis.call, string.sub, tonumber\n"               \
    "local t = call('TIME')\n"                                                \
    "local stamp = t[1] .. string.format('%06d', t[2])\n"                     \
    "local ms = sub(stamp, 1, 13)\n"                                          \
    "local now = num(ms)\n"                                                   \
    "local key = KEYS[1]\n"                                                   \
    "local v = call('GET', key)\n"                                            \
    "if not v and KEYS[5] then\n"                                             \
    "    key = KEYS[5]\n"                                                     \
    "    v = call('GET', key)\n"                                              \
    "end\n"                                                                   \
    "if v and (#v < 138 or string.byte(v) ~= 49) then\n"                      \
    "    error('not a record of this version')\n"                             \
    "end\n"


/*
 * The account of a tenant: when each of its keys ends, and the bytes each
 * keeps, with their sum under ''.  What has ended is taken off by who comes
 * next.  Both take the name of the record; they stand where they are needed,
 * for most tenants have no caps.
 */

#define NGX_SYNC_LUA_FORGET                                                   \
    "local function forget(name)\n"                                           \
    "    local n = call('HGET', KEYS[4], name)\n"                             \
    "    call('ZREM', KEYS[3], name)\n"                                       \
    "    if n then\n"                                                         \
    "        call('HDEL', KEYS[4], name)\n"                                   \
    "        if n ~= '0' then call('HINCRBY', KEYS[4], '', '-' .. n) end\n"   \
    "    end\n"                                                               \
    "end\n"

#define NGX_SYNC_LUA_KEEP                                                     \
    "local function keep(name, bytes, expires)\n"                             \
    "    local n = call('HGET', KEYS[4], name) or 0\n"                        \
    "    call('ZADD', KEYS[3], string.format('%.0f', expires), name)\n"       \
    "    call('HSET', KEYS[4], name, string.format('%.0f', bytes))\n"         \
    "    call('HINCRBY', KEYS[4], '', string.format('%.0f', bytes - n))\n"    \
    "    local ttl = expires - now\n"                                         \
    "    for i = 3, 4 do\n"                                                   \
    "        if call('PTTL', KEYS[i]) < ttl then\n"                           \
    "            call('PEXPIRE', KEYS[i], ttl)\n"                             \
    "        end\n"                                                           \
    "    end\n"                                                               \
    "end\n"


/* owner, print, lease, retention, max_keys, max_bytes, 1 in quarantine ->
   now, 1 granted | 0 found | 2 full | 3 absent in quarantine, record */

static const char  ngx_sync_lua_claim[] =
    NGX_SYNC_LUA_RECORD
    "if v then return { now, 0, v } end\n"
    "if ARGV[7] == '1' then return { now, 3 } end\n"
    "key = KEYS[1]\n"
    "local keys, bytes = num(ARGV[5]), num(ARGV[6])\n"
    "local expires, cap = now + num(ARGV[4]), '000000000000000'\n"
    "local capped = '0'\n"
    "if keys > 0 or bytes > 0 then\n"
    NGX_SYNC_LUA_FORGET
    "    capped, cap = '1', string.format('%015.0f', bytes)\n"
    "    local over = call('ZRANGEBYSCORE', KEYS[3], '-inf', ms,\n"
    "                      'LIMIT', 0, 64)\n"
    "    for i = 1, #over do forget(over[i]) end\n"
    "    if keys > 0 and call('ZCARD', KEYS[3]) >= keys then\n"
    "        return { now, 2 }\n"
    "    end\n"
    "    if bytes > 0 and num(call('HGET', KEYS[4], '') or 0) >= bytes then\n"
    "        return { now, 2 }\n"
    "    end\n"
    "end\n"
    "v = '1P' .. capped .. stamp .. ms .. ms\n"
    "    .. string.format('%013.0f%013.0f', now + num(ARGV[3]), expires)\n"
    "    .. cap .. '0000' .. ARGV[1] .. ARGV[2]\n"
    "call('SET', key, v, 'PX', ARGV[4])\n"
    "if capped == '1' then\n"
    NGX_SYNC_LUA_KEEP
    "    keep(sub(key, -64), 0, expires)\n"
    "end\n"
    "return { now, 1, v }\n";


/* owner, epoch, lease, note -> now, 1 done | 0 not its owner's */

static const char  ngx_sync_lua_extend[] =
    NGX_SYNC_LUA_RECORD
    "if not v or sub(v, 2, 2) ~= 'P' or num(sub(v, 46, 58)) <= now\n"
    "   or sub(v, 91, 106) ~= ARGV[1] or num(sub(v, 4, 19)) ~= num(ARGV[2])\n"
    "then\n"
    "    return { now, 0 }\n"
    "end\n"
    "local till, expires = now + num(ARGV[3]), num(sub(v, 59, 71))\n"
    "if expires < till then expires = till end\n"
    "local n, note = num(sub(v, 87, 90)), ARGV[4]\n"
    "local rest = sub(v, 139 + n)\n"
    "if note == '' then note = sub(v, 139, 138 + n) end\n"
    "local name = sub(key, -64)\n"
    "local ttl = expires - now\n"
    "till = string.format('%013.0f', till)\n"
    "call('PEXPIRE', key, ttl)\n"
    "call('SET', key, sub(v, 1, 45) .. till\n"
    "     .. string.format('%013.0f%s%04d', expires, sub(v, 72, 86), #note)\n"
    "     .. sub(v, 91, 138) .. note .. rest, 'PX', ttl)\n"
    "if note ~= '' then\n"
    "    call('ZADD', KEYS[2], till, name)\n"
    "    if call('PTTL', KEYS[2]) < ttl then\n"
    "        call('PEXPIRE', KEYS[2], ttl)\n"
    "    end\n"
    "end\n"
    "if sub(v, 3, 3) == '1' then\n"
    NGX_SYNC_LUA_KEEP
    "    keep(name, #note + #rest, expires)\n"
    "end\n"
    "return { now, 1 }\n";


/* owner, epoch, outcome, retention, record, trimmed, '1' where record is too
   long and was not sent -> now, 1 done | 0 not its owner's | 2 full,
   state that stands, or record */

static const char  ngx_sync_lua_settle[] =
    NGX_SYNC_LUA_RECORD
    "if not v then return { now, 0 } end\n"
    "if sub(v, 91, 106) ~= ARGV[1] or num(sub(v, 4, 19)) ~= num(ARGV[2]) then\n"
    "    return { now, 0, v }\n"
    "end\n"
    "local was = sub(v, 2, 2)\n"
    "if was ~= 'P' and was ~= 'U' then return { now, 1, was } end\n"
    "local state, answer, trimmed = ARGV[3], ARGV[5], ARGV[6]\n"
    "if state == 'T' and trimmed ~= '' then answer = trimmed end\n"
    "local n, name = num(sub(v, 87, 90)), sub(key, -64)\n"
    "local capped, fits = sub(v, 3, 3) == '1', ARGV[7] ~= '1'\n"
    "if capped and fits then\n"
    "    local max = num(sub(v, 72, 86))\n"
    "    local sum = num(call('HGET', KEYS[4], '') or 0)\n"
    "    fits = max == 0 or sum - (#v - 138 - n) + #answer <= max\n"
    "end\n"
    "local ttl, expires = ARGV[4], sub(v, 59, 71)\n"
    "if ttl ~= '0' then\n"
    "    expires = string.format('%013.0f', now + num(ttl))\n"
    "else\n"
    "    ttl = math.max(num(expires) - now, 1)\n"
    "end\n"
    "local head = sub(v, 3, 32) .. ms .. sub(v, 46, 58) .. expires\n"
    "             .. sub(v, 72, 138 + n)\n"
    "local said = { err = 'OOM' }\n"
    "if fits then\n"
    "    said = redis.pcall('SET', key, '1' .. state .. head .. answer,\n"
    "                       'PX', ttl)\n"
    "end\n"
    "if said.err then\n"
    "    if not string.find(said.err, 'OOM', 1, true) then return said end\n"
    "    if state == 'Q' then return { now, 2 } end\n"
    "    if state == 'C' then state = 'T' end\n"
    "    answer = trimmed\n"
    "    call('PEXPIRE', key, ttl)\n"
    "    call('SET', key, '1' .. state .. head .. answer, 'PX', ttl)\n"
    "end\n"
    "if n > 0 then\n"
    "    if state == 'U' then\n"
    "        call('ZADD', KEYS[2], ms, name)\n"
    "    else\n"
    "        call('ZREM', KEYS[2], name)\n"
    "    end\n"
    "end\n"
    "if capped then\n"
    NGX_SYNC_LUA_KEEP
    "    keep(name, n + #answer, num(expires))\n"
    "end\n"
    "return { now, 1, state }\n";


/* owner, epoch or 0 -> now, 1 free | 0 not its owner's, record */

static const char  ngx_sync_lua_release[] =
    NGX_SYNC_LUA_RECORD
    "if not v then return { now, 1 } end\n"
    "local was, epoch = sub(v, 2, 2), num(ARGV[2])\n"
    "if was ~= 'P' and was ~= 'U' or sub(v, 91, 106) ~= ARGV[1]\n"
    "   or epoch ~= 0 and epoch ~= num(sub(v, 4, 19))\n"
    "then\n"
    "    return { now, 0, v }\n"
    "end\n"
    "call('DEL', key)\n"
    "if num(sub(v, 87, 90)) > 0 then call('ZREM', KEYS[2], sub(key, -64)) end\n"
    "if sub(v, 3, 3) == '1' then\n"
    NGX_SYNC_LUA_FORGET
    "    forget(sub(key, -64))\n"
    "end\n"
    "return { now, 1 }\n";


/* resolver, lease -> now, 1 begun | 0 found | 2 none, record */

static const char  ngx_sync_lua_resolve[] =
    NGX_SYNC_LUA_RECORD
    "if not v then return { now, 2 } end\n"
    "local was = sub(v, 2, 2)\n"
    "if was ~= 'U' and (was ~= 'P' or num(sub(v, 46, 58)) > now) then\n"
    "    return { now, 0, v }\n"
    "end\n"
    "local epoch, till = num(sub(v, 4, 19)) + 1, now + num(ARGV[2])\n"
    "local expires, name = num(sub(v, 59, 71)), sub(key, -64)\n"
    "epoch = math.max(epoch, num(stamp))\n"
    "expires = math.max(expires, till)\n"
    "v = '1P' .. sub(v, 3, 3) .. string.format('%016.0f', epoch)\n"
    "    .. sub(v, 20, 32) .. ms\n"
    "    .. string.format('%013.0f%013.0f', till, expires)\n"
    "    .. sub(v, 72, 90) .. ARGV[1] .. sub(v, 107)\n"
    "call('PEXPIRE', key, expires - now)\n"
    "call('SET', key, v, 'PX', expires - now)\n"
    "if num(sub(v, 87, 90)) > 0 then\n"
    "    call('ZADD', KEYS[2], string.format('%.0f', till), name)\n"
    "end\n"
    "if sub(v, 3, 3) == '1' then\n"
    NGX_SYNC_LUA_KEEP
    "    keep(name, #v - 138, expires)\n"
    "end\n"
    "return { now, 1, v }\n";


/* -> now, 1 found | 0 none, record */

static const char  ngx_sync_lua_look[] =
    NGX_SYNC_LUA_RECORD
    "if not v then return { now, 0 } end\n"
    "return { now, 1, v }\n";


/* KEYS: due, any record.  n, what stands before a name in a key -> now, that
   became U, that are gone, 1: there are more, when the next one is; 0: none */

static const char  ngx_sync_lua_due[] =
    NGX_SYNC_LUA_CLOCK
    "local n, unknown, gone = tonumber(ARGV[1]), 0, 0\n"
    "local names = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf',\n"
    "                         string.format('%.0f', now), 'LIMIT', 0, n)\n"
    "for i = 1, #names do\n"
    "    local key = ARGV[2] .. names[i]\n"
    "    local v = redis.call('GETRANGE', key, 0, 70)\n"
    "    redis.call('ZREM', KEYS[1], names[i])\n"
    "    if v == '' then\n"
    "        gone = gone + 1\n"
    "    elseif string.sub(v, 2, 2) == 'P' then\n"
    "        local till = tonumber(string.sub(v, 46, 58))\n"
    "        if till > now then\n"
    "            redis.call('ZADD', KEYS[1], string.format('%.0f', till),\n"
    "                       names[i])\n"
    "        else\n"
    "            redis.call('SETRANGE', key, 1, 'U')\n"
    "            redis.call('SETRANGE', key, 32,\n"
    "                       string.format('%013.0f', till))\n"
    "            unknown = unknown + 1\n"
    "        end\n"
    "    end\n"
    "end\n"
    "local next = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')\n"
    "return { now, unknown, gone, #names == n and 1 or 0,\n"
    "         tonumber(next[2] or 0) }\n";


/*
 * The places where something will be due, by when that is; who takes some has
 * them for a lease.  n, lease, and pairs: v and end of the taking, for a place
 * that was visited and has its next at v (0: has none), or v and 0, for one
 * where something is due in v -> end of this taking, places.
 *
 * What is told of a place always moves it, so that who visits it meanwhile,
 * and saw nothing yet, does not take it off.
 */

static const char  ngx_sync_lua_sweep[] =
    NGX_SYNC_LUA_CLOCK
    "local call, num, key = redis.call, tonumber, KEYS[1]\n"
    "local function put(place, at)\n"
    "    call('ZADD', key, string.format('%.0f', at), place)\n"
    "end\n"
    "for i = 3, #ARGV, 3 do\n"
    "    local place, v, taken = ARGV[i], num(ARGV[i + 1]), num(ARGV[i + 2])\n"
    "    local at = num(call('ZSCORE', key, place) or 0)\n"
    "    if taken == 0 then\n"
    "        if at == 0 then at = now + v else at = at - 1 end\n"
    "        put(place, math.min(at, now + v))\n"
    "    elseif at == taken then\n"
    "        if v == 0 then call('ZREM', key, place) else put(place, v) end\n"
    "    end\n"
    "end\n"
    "local places = call('ZRANGEBYSCORE', key, '-inf',\n"
    "                    string.format('%.0f', now), 'LIMIT', 0, ARGV[1])\n"
    "local till = now + num(ARGV[2])\n"
    "for i = 1, #places do put(places[i], till) end\n"
    "if #ARGV > 2 or #places > 0 then\n"
    "    local last = call('ZRANGE', key, -1, -1, 'WITHSCORES')[2]\n"
    "    if last then\n"
    "        call('PEXPIREAT', key,\n"
    "             string.format('%.0f', math.max(now, num(last)) + 86400000))\n"
    "    end\n"
    "end\n"
    "return { till, places }\n";


/*
 * Limits.  A state is 16 digits of microseconds and a number: the TAT and its
 * part, or the end of a window and what was taken, as sync_gcra has them.  A
 * difference of times is microseconds and count-ths of one, so that no product
 * is needed and nothing leaves the 53 bits of a number.
 */

#define NGX_SYNC_LUA_LIMIT                                                    \
    NGX_SYNC_LUA_CLOCK                                                        \
    "local floor, format = math.floor, string.format\n"                       \
    "local function put(key, tat, part)\n"                                    \
    "    call('SET', key, format('%016.0f%.0f', tat, part),\n"                \
    "         'PX', floor((tat - us) / 1000) + 1)\n"                          \
    "end\n"

/* What sync_gcra_take() begins with: tat and part of v. */

#define NGX_SYNC_LUA_STATE                                                    \
    "local tat, part = us, 0\n"                                               \
    "if v then tat, part = num(sub(v, 1, 16)), num(sub(v, 17)) end\n"         \
    "if window > 0 then\n"                                                    \
    "    if tat <= us then tat, part = us + window, 0 end\n"                  \
    "    if tat - us > window then tat = us + window end\n"                   \
    "    if part > count then part = count end\n"                             \
    "else\n"                                                                  \
    "    if part >= count then\n"                                             \
    "        tat, part = tat + floor(part / count), part % count\n"           \
    "    end\n"                                                               \
    "    if tat < us then tat, part = us, 0 end\n"                            \
    "    if tat - us > span then tat, part = us + span, spart end\n"          \
    "end\n"


/* for each key: window, count, wanted, its part, span, its part; a count has
   its burst for count; wanted -1 is never there -> 1 allowed | 0, seconds,
   microseconds, the states before or "-", as words of one string: to cut it is
   cheaper for both than an array */

static const char  ngx_sync_lua_limit_take[] =
    NGX_SYNC_LUA_LIMIT
    "local out, tats, parts = { 1, t[1], t[2] }, {}, {}\n"
    "for i = 1, #KEYS do\n"
    "    local a = i * 6\n"
    "    local window, count = num(ARGV[a - 5]), num(ARGV[a - 4])\n"
    "    local want, wpart = num(ARGV[a - 3]), num(ARGV[a - 2])\n"
    "    local span, spart = num(ARGV[a - 1]), num(ARGV[a])\n"
    "    local v = call('GET', KEYS[i])\n"
    NGX_SYNC_LUA_STATE
    "    if window > 0 then\n"
    "        part = part + want\n"
    "        if want < 0 or part > count then out[1] = 0 end\n"
    "    else\n"
    "        tat, part = tat + want, part + wpart\n"
    "        if part >= count then tat, part = tat + 1, part - count end\n"
    "        local ahead = tat - us\n"
    "        if want < 0 or ahead > span or ahead == span and part > spart\n"
    "        then\n"
    "            out[1] = 0\n"
    "        end\n"
    "    end\n"
    "    out[i + 3] = v or '-'\n"
    "    if want > 0 or wpart > 0 then tats[i], parts[i] = tat, part end\n"
    "end\n"
    "if out[1] == 1 then\n"
    "    for i = 1, #KEYS do\n"
    "        if tats[i] then put(KEYS[i], tats[i], parts[i]) end\n"
    "    end\n"
    "end\n"
    "return table.concat(out, ' ')\n";


/* for each key: window, count, given back, its part -> 1 */

static const char  ngx_sync_lua_limit_refund[] =
    NGX_SYNC_LUA_LIMIT
    "local tats, parts = {}, {}\n"
    "for i = 1, #KEYS do\n"
    "    local a = i * 4\n"
    "    local window, count = num(ARGV[a - 3]), num(ARGV[a - 2])\n"
    "    local want, wpart = num(ARGV[a - 1]), num(ARGV[a])\n"
    "    local v = call('GET', KEYS[i])\n"
    "    if v then\n"
    "        local tat, part = num(sub(v, 1, 16)), num(sub(v, 17))\n"
    "        if window > 0 then\n"
    "            part = part > want and part - want or 0\n"
    "        else\n"
    "            tat, part = tat - want, part - wpart\n"
    "            if part < 0 then tat, part = tat - 1, part + count end\n"
    "        end\n"
    "        tats[i], parts[i] = tat, part\n"
    "    end\n"
    "end\n"
    "for i = 1, #KEYS do\n"
    "    if tats[i] and tats[i] >= us then\n"
    "        call('PEXPIRE', KEYS[i], 1)\n"
    "        put(KEYS[i], tats[i], parts[i])\n"
    "    elseif tats[i] then\n"
    "        call('DEL', KEYS[i])\n"
    "    end\n"
    "end\n"
    "return 1\n";


/*
 * worth() is what n tokens are worth: n times per, which is q microseconds and
 * r count-ths of one.  n and r have up to 32 bits: multiplied in two halves.
 */

#define NGX_SYNC_LUA_TOKENS                                                   \
    NGX_SYNC_LUA_LIMIT                                                        \
    "local function worth(n, q, r, count)\n"                                  \
    "    local high, low = floor(n / 65536), n % 65536\n"                     \
    "    local a = high * r\n"                                                \
    "    local b = a % count * 65536 + low * r\n"                             \
    "    return n * q + floor(a / count) * 65536 + floor(b / count),\n"       \
    "           b % count\n"                                                  \
    "end\n"


/* KEYS: bucket, grant.  window, count, per: q and r, span, its part, wanted,
   lease -> 1 granted | 0, tokens, milliseconds that are left */

static const char  ngx_sync_lua_lease_take[] =
    NGX_SYNC_LUA_TOKENS
    "local g = call('GET', KEYS[2])\n"
    "if g then\n"
    "    local till = num(sub(g, 1, 16))\n"
    "    if till <= now then return { 0 } end\n"
    "    return { 1, num(sub(g, 17)), till - now }\n"
    "end\n"
    "local window, count = num(ARGV[1]), num(ARGV[2])\n"
    "local q, r = num(ARGV[3]), num(ARGV[4])\n"
    "local span, spart = num(ARGV[5]), num(ARGV[6])\n"
    "local n, lease = num(ARGV[7]), num(ARGV[8])\n"
    "local v = call('GET', KEYS[1])\n"
    NGX_SYNC_LUA_STATE
    "if window > 0 then\n"
    "    if n > count - part then n = count - part end\n"
    "    part = part + n\n"
    "else\n"
    "    local function fits(n)\n"
    "        local a, b = worth(n, q, r, count)\n"
    "        a, b = tat + a, part + b\n"
    "        if b >= count then a, b = a + 1, b - count end\n"
    "        local ahead = a - us\n"
    "        return ahead < span or ahead == span and b <= spart, a, b\n"
    "    end\n"
    "    local free = (span - (tat - us) + (spart - part) / count)\n"
    "                 / (q + r / count)\n"
    "    if n > free + 1 then n = floor(free) + 1 end\n"
    "    while n > 0 and not fits(n) do n = n - 1 end\n"
    "    if n > 0 then\n"
    "        local ok\n"
    "        ok, tat, part = fits(n)\n"
    "    end\n"
    "end\n"
    "if n < 1 then return { 0 } end\n"
    "put(KEYS[1], tat, part)\n"
    "call('SET', KEYS[2], format('%016.0f%.0f', now + lease, n), 'PX', lease)\n"
    "return { 1, n, lease }\n";


/* KEYS: bucket, grant.  window, count, per: q and r, tokens ->
   1 | 0 too late, or no such lease */

static const char  ngx_sync_lua_lease_return[] =
    NGX_SYNC_LUA_TOKENS
    "local g = call('GET', KEYS[2])\n"
    "if not g then return 0 end\n"
    "local till, n = num(sub(g, 1, 16)), num(sub(g, 17))\n"
    "local window, count = num(ARGV[1]), num(ARGV[2])\n"
    "local v = call('GET', KEYS[1])\n"
    "local tat, part\n"
    "if v then tat, part = num(sub(v, 1, 16)), num(sub(v, 17)) end\n"
    "call('DEL', KEYS[2])\n"
    "if till <= now then return 0 end\n"
    "if n > num(ARGV[5]) then n = num(ARGV[5]) end\n"
    "if not v then return 1 end\n"
    "if window > 0 then\n"
    "    part = part > n and part - n or 0\n"
    "else\n"
    "    local a, b = worth(n, num(ARGV[3]), num(ARGV[4]), count)\n"
    "    tat, part = tat - a, part - b\n"
    "    if part < 0 then tat, part = tat - 1, part + count end\n"
    "end\n"
    "if tat >= us then put(KEYS[1], tat, part) else call('DEL', KEYS[1]) end\n"
    "return 1\n";


/* owner, limit, lease -> 1 | 0 */

static const char  ngx_sync_lua_slot_acquire[] =
    NGX_SYNC_LUA_CLOCK
    "local at, lease = string.format('%.0f', now), tonumber(ARGV[3])\n"
    "local mine = redis.call('ZSCORE', KEYS[1], ARGV[1])\n"
    "if not mine or tonumber(mine) <= now then\n"
    "    local n = redis.call('ZCOUNT', KEYS[1], '(' .. at, '+inf')\n"
    "    if n >= tonumber(ARGV[2]) then return 0 end\n"
    "end\n"
    "redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', at)\n"
    "redis.call('ZADD', KEYS[1], string.format('%.0f', now + lease), ARGV[1])\n"
    "if redis.call('PTTL', KEYS[1]) < lease then\n"
    "    redis.call('PEXPIRE', KEYS[1], lease)\n"
    "end\n"
    "return 1\n";


/* owner -> 1 | 0 */

static const char  ngx_sync_lua_slot_release[] =
    NGX_SYNC_LUA_CLOCK
    "local mine = redis.call('ZSCORE', KEYS[1], ARGV[1])\n"
    "if not mine then return 0 end\n"
    "redis.call('ZREM', KEYS[1], ARGV[1])\n"
    "return tonumber(mine) > now and 1 or 0\n";


/* By ngx_sync_redis_script_e. */

#define ngx_sync_lua(name)                                                    \
    { ngx_string(#name),                                                      \
      { sizeof(ngx_sync_lua_ ## name) - 1,                                    \
        (u_char *) ngx_sync_lua_ ## name }, { 0 } }

ngx_sync_redis_script_t  ngx_sync_redis_scripts[] = {
    ngx_sync_lua(claim),
    ngx_sync_lua(extend),
    ngx_sync_lua(settle),
    ngx_sync_lua(release),
    ngx_sync_lua(resolve),
    ngx_sync_lua(look),
    ngx_sync_lua(due),
    ngx_sync_lua(sweep),
    ngx_sync_lua(limit_take),
    ngx_sync_lua(limit_refund),
    ngx_sync_lua(lease_take),
    ngx_sync_lua(lease_return),
    ngx_sync_lua(slot_acquire),
    ngx_sync_lua(slot_release)
};
