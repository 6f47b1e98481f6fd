
/*
 * OAuth 1.0a (RFC 5849), as NetSuite's tokens want it.
 */


#include "sync_credentials.h"
#include "sync_crypto.h"

#include <stdio.h>
#include <stdlib.h>


#define SYNC_OAUTH1_BASE  (64 * 1024)    /* bytes of a base string, at most */


/* A member of the request, encoded as it is compared and signed. */

typedef struct {
    sync_str_t   name;
    sync_str_t   value;
} sync_oauth1_member_t;

typedef struct {
    sync_arena_t           *arena;
    sync_oauth1_member_t   *members;
    size_t                  n;
    unsigned                full:1;
    unsigned                fault:1;
} sync_oauth1_list_t;


/* What oauth_* members say, in the order of the header. */

typedef struct {
    const char  *name;
    sync_str_t   value;
} sync_oauth1_own_t;

#define SYNC_OAUTH1_OWN  6


static void sync_oauth1_own(const sync_oauth1_t *o,
    sync_oauth1_own_t own[SYNC_OAUTH1_OWN], char now[24]);
static sync_rc_t sync_oauth1_uri(const sync_oauth1_t *o, sync_arena_t *arena,
    sync_str_t *uri);
static void sync_oauth1_pairs(sync_oauth1_list_t *list, sync_str_t s);
static void sync_oauth1_member(sync_oauth1_list_t *list, sync_str_t name,
    sync_str_t value);
static sync_str_t sync_oauth1_encode(sync_oauth1_list_t *list, sync_str_t s);
static sync_str_t sync_oauth1_decode(sync_oauth1_list_t *list, sync_str_t s);
static int sync_oauth1_digit(unsigned char ch);
static int sync_oauth1_compare(const void *a, const void *b);
static int sync_oauth1_order(sync_str_t a, sync_str_t b);
static sync_rc_t sync_oauth1_sign(const sync_oauth1_t *o, sync_str_t base,
    sync_arena_t *arena, unsigned char *mac, size_t *len);


sync_rc_t
sync_oauth1_base(const sync_oauth1_t *o, sync_arena_t *arena, sync_str_t *base)
{
    char                 now[24];
    size_t               i;
    sync_rc_t            rc;
    sync_str_t           uri, members;
    sync_text_t          text;
    unsigned char       *query;
    sync_oauth1_own_t    own[SYNC_OAUTH1_OWN];
    sync_oauth1_list_t   list;

    memset(&list, 0, sizeof(list));

    list.arena = arena;
    list.members = sync_alloc(arena, SYNC_OAUTH1_MEMBERS
                                     * sizeof(sync_oauth1_member_t));

    if (list.members == NULL) {
        return SYNC_FAULT;
    }

    query = o->target.len ? memchr(o->target.data, '?', o->target.len) : NULL;

    if (query) {
        query++;
        sync_oauth1_pairs(&list, (sync_str_t) {
                              (size_t) (o->target.data + o->target.len - query),
                              query });
    }

    sync_oauth1_pairs(&list, o->form);
    sync_oauth1_own(o, own, now);

    for (i = 0; i < SYNC_OAUTH1_OWN; i++) {
        if (own[i].value.len) {
            sync_oauth1_member(&list,
                               (sync_str_t) { strlen(own[i].name),
                                              (unsigned char *) (uintptr_t)
                                              own[i].name },
                               own[i].value);
        }
    }

    if (list.fault || list.full) {
        return list.fault ? SYNC_FAULT : SYNC_NO;
    }

    qsort(list.members, list.n, sizeof(sync_oauth1_member_t),
          sync_oauth1_compare);

    sync_text_begin(&text, arena, 1024, SYNC_OAUTH1_BASE);

    for (i = 0; i < list.n; i++) {
        if (i) {
            sync_text_byte(&text, '&');
        }

        sync_text_add(&text, list.members[i].name);
        sync_text_byte(&text, '=');
        sync_text_add(&text, list.members[i].value);
    }

    rc = sync_text_end(&text, &members);

    if (rc == SYNC_OK) {
        rc = sync_oauth1_uri(o, arena, &uri);
    }

    if (rc != SYNC_OK) {
        return rc;
    }

    sync_text_begin(&text, arena, 2048, 4 * SYNC_OAUTH1_BASE);
    sync_text_add(&text, o->method);
    sync_text_byte(&text, '&');
    sync_percent_add(&text, uri);
    sync_text_byte(&text, '&');
    sync_percent_add(&text, members);

    return sync_text_end(&text, base);
}


sync_rc_t
sync_oauth1(const sync_oauth1_t *o, sync_arena_t *arena,
    sync_str_t *authorization)
{
    char                now[24];
    size_t              i, len;
    sync_rc_t           rc;
    sync_str_t          base, signature;
    sync_text_t         text;
    unsigned char       mac[SYNC_MAC_MAX];
    unsigned char       code[sync_base64_room(SYNC_MAC_MAX)];
    sync_oauth1_own_t   own[SYNC_OAUTH1_OWN];

    rc = sync_oauth1_base(o, arena, &base);

    if (rc == SYNC_OK) {
        rc = sync_oauth1_sign(o, base, arena, mac, &len);
    }

    if (rc != SYNC_OK) {
        return rc;
    }

    signature.data = code;
    signature.len = sync_base64_encode(code, mac, len);

    sync_text_begin(&text, arena, 1024, SYNC_OAUTH1_BASE);
    sync_text_lit(&text, "OAuth ");

    if (o->realm.len) {
        sync_text_lit(&text, "realm=\"");
        sync_text_add(&text, o->realm);
        sync_text_lit(&text, "\", ");
    }

    sync_oauth1_own(o, own, now);

    for (i = 0; i < SYNC_OAUTH1_OWN; i++) {
        if (own[i].value.len == 0) {
            continue;
        }

        sync_text_add(&text, (sync_str_t) { strlen(own[i].name),
                                            (unsigned char *) (uintptr_t)
                                            own[i].name });
        sync_text_lit(&text, "=\"");
        sync_percent_add(&text, own[i].value);
        sync_text_lit(&text, "\", ");
    }

    sync_text_lit(&text, "oauth_signature=\"");
    sync_percent_add(&text, signature);
    sync_text_byte(&text, '"');

    return sync_text_end(&text, authorization);
}


static void
sync_oauth1_own(const sync_oauth1_t *o, sync_oauth1_own_t own[SYNC_OAUTH1_OWN],
    char now[24])
{
    int  len;

    len = snprintf(now, 24, "%lld", (long long) o->now);

    own[0].name = "oauth_consumer_key";
    own[0].value = o->consumer_key;
    own[1].name = "oauth_token";
    own[1].value = o->token;
    own[2].name = "oauth_signature_method";
    own[2].value = o->sha1 ? sync_str_lit("HMAC-SHA1")
                           : sync_str_lit("HMAC-SHA256");
    own[3].name = "oauth_timestamp";
    own[3].value = (sync_str_t) { (size_t) len, (unsigned char *) now };
    own[4].name = "oauth_nonce";
    own[4].value = o->nonce;
    own[5].name = "oauth_version";
    own[5].value = o->version ? sync_str_lit("1.0") : sync_str_null;
}


/* RFC 5849, 3.4.1.2: the port of the scheme is not said. */

static sync_rc_t
sync_oauth1_uri(const sync_oauth1_t *o, sync_arena_t *arena, sync_str_t *uri)
{
    size_t          i;
    sync_str_t      host, path, port;
    sync_text_t     text;
    unsigned char  *query;

    port = sync_str_is(o->scheme, "https") ? sync_str_lit(":443")
                                           : sync_str_lit(":80");
    host = o->authority;

    if (host.len > port.len
        && memcmp(host.data + host.len - port.len, port.data, port.len) == 0)
    {
        host.len -= port.len;
    }

    path = o->target;
    query = path.len ? memchr(path.data, '?', path.len) : NULL;

    if (query) {
        path.len = (size_t) (query - path.data);
    }

    sync_text_begin(&text, arena, 512, SYNC_OAUTH1_BASE);
    sync_text_add(&text, o->scheme);
    sync_text_lit(&text, "://");

    for (i = 0; i < host.len; i++) {
        sync_text_byte(&text, host.data[i] >= 'A' && host.data[i] <= 'Z'
                              ? host.data[i] | 0x20 : host.data[i]);
    }

    if (path.len == 0) {
        sync_text_byte(&text, '/');
    }

    sync_text_add(&text, path);

    return sync_text_end(&text, uri);
}


/* RFC 5849, 3.4.1.3.1: a query and a form are decoded alike. */

static void
sync_oauth1_pairs(sync_oauth1_list_t *list, sync_str_t s)
{
    sync_str_t      pair, name, value;
    unsigned char  *p, *last, *end, *equal;

    if (s.len == 0) {
        return;
    }

    last = s.data + s.len;

    for (p = s.data; p < last; p = end + 1) {
        end = memchr(p, '&', (size_t) (last - p));

        if (end == NULL) {
            end = last;
        }

        pair = (sync_str_t) { (size_t) (end - p), p };

        if (pair.len == 0) {
            continue;
        }

        equal = memchr(p, '=', pair.len);

        if (equal == NULL) {
            equal = end;
        }

        name = (sync_str_t) { (size_t) (equal - p), p };
        value = equal < end
                ? (sync_str_t) { (size_t) (end - equal - 1), equal + 1 }
                : (sync_str_t) { 0, end };

        sync_oauth1_member(list, sync_oauth1_decode(list, name),
                           sync_oauth1_decode(list, value));
    }
}


static void
sync_oauth1_member(sync_oauth1_list_t *list, sync_str_t name, sync_str_t value)
{
    if (list->n == SYNC_OAUTH1_MEMBERS) {
        list->full = 1;
        return;
    }

    list->members[list->n].name = sync_oauth1_encode(list, name);
    list->members[list->n].value = sync_oauth1_encode(list, value);
    list->n++;
}


static sync_str_t
sync_oauth1_encode(sync_oauth1_list_t *list, sync_str_t s)
{
    sync_str_t   encoded;
    sync_text_t  text;

    sync_text_begin(&text, list->arena, 3 * s.len + 1, 0);
    sync_percent_add(&text, s);

    if (sync_text_end(&text, &encoded) != SYNC_OK) {
        list->fault = 1;
        return sync_str_null;
    }

    return encoded;
}


static sync_str_t
sync_oauth1_decode(sync_oauth1_list_t *list, sync_str_t s)
{
    int             high, low;
    size_t          i;
    unsigned char  *p;
    sync_str_t      decoded;

    p = sync_alloc(list->arena, s.len + 1);

    if (p == NULL) {
        list->fault = 1;
        return sync_str_null;
    }

    decoded.data = p;

    for (i = 0; i < s.len; i++) {

        if (s.data[i] == '+') {
            *p++ = ' ';
            continue;
        }

        if (s.data[i] == '%' && i + 2 < s.len) {
            high = sync_oauth1_digit(s.data[i + 1]);
            low = sync_oauth1_digit(s.data[i + 2]);

            if (high >= 0 && low >= 0) {
                *p++ = (unsigned char) (high << 4 | low);
                i += 2;
                continue;
            }
        }

        *p++ = s.data[i];
    }

    decoded.len = (size_t) (p - decoded.data);

    return decoded;
}


static int
sync_oauth1_digit(unsigned char ch)
{
    if (ch >= '0' && ch <= '9') {
        return ch - '0';
    }

    ch |= 0x20;

    return ch >= 'a' && ch <= 'f' ? ch - 'a' + 10 : -1;
}


static int
sync_oauth1_compare(const void *a, const void *b)
{
    int                          order;
    const sync_oauth1_member_t  *x = a, *y = b;

    order = sync_oauth1_order(x->name, y->name);

    return order ? order : sync_oauth1_order(x->value, y->value);
}


static int
sync_oauth1_order(sync_str_t a, sync_str_t b)
{
    int     order;
    size_t  len;

    len = a.len < b.len ? a.len : b.len;
    order = len ? memcmp(a.data, b.data, len) : 0;

    return order ? order : (a.len > b.len) - (a.len < b.len);
}


/* RFC 5849, 3.4.2, and the same with SHA-256. */

static sync_rc_t
sync_oauth1_sign(const sync_oauth1_t *o, sync_str_t base, sync_arena_t *arena,
    unsigned char *mac, size_t *len)
{
    sync_rc_t    rc;
    sync_str_t   key;
    sync_text_t  text;

    sync_text_begin(&text, arena, 3 * (o->consumer_secret.len
                                       + o->token_secret.len) + 2, 0);
    sync_percent_add(&text, o->consumer_secret);
    sync_text_byte(&text, '&');
    sync_percent_add(&text, o->token_secret);

    rc = sync_text_end(&text, &key);
    if (rc != SYNC_OK) {
        return rc;
    }

    rc = sync_mac(o->sha1 ? SYNC_DIGEST_SHA1 : SYNC_DIGEST_SHA256, key, &base,
                  1, mac, len);

    sync_wipe(key.data, key.len);

    return rc;
}
