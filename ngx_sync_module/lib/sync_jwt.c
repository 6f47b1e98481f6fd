
/*
 * Claims: RFC 7519, 9068, 8725; those that a server tells: RFC 7662.
 *
 * They are read into a tape: a token that nobody knows yet is as frequent as its
 * clients choose, and trees of jansson cost a third of its signature.
 */


#include "sync_jose.h"
#include "sync_crypto.h"
#include "sync_json.h"

#include <stdlib.h>

#include <strings.h>


#define SYNC_JWT_MAGIC    0x33544a53u        /* "SJT3" */
#define SYNC_JWT_LATEST   INT64_C(253402300799)      /* the year 9999 */
#define SYNC_JWT_STRINGS  11
#define SYNC_JWT_NUMBER   64         /* bytes of a time at most */
#define SYNC_JWT_DIGITS   11         /* of one before the year 5138 */


/* The head of a packed token; lengths, then bytes follow. */

typedef struct {
    uint32_t  magic;
    uint32_t  bound;
    uint32_t  naudience;
    uint32_t  size;                  /* of the whole */
    int64_t   expires;
    int64_t   not_before;
    int64_t   issued;
} sync_jwt_head_t;


static sync_rc_t sync_jwt_open(sync_jws_t *jws, sync_arena_t *arena,
    sync_error_t *err);
static sync_rc_t sync_jwt_parse(sync_json_t *claims, sync_arena_t *arena,
    sync_str_t text, sync_error_t *err);
static sync_rc_t sync_jwt_verdict(sync_arena_t *arena,
    const sync_json_t *answer, sync_error_t *err);
static sync_rc_t sync_jwt_claims(sync_jwt_t *jwt, sync_arena_t *arena,
    const sync_json_t *claims, const sync_jwt_names_t *names,
    sync_error_t *err);
static uint32_t sync_jwt_claim(const sync_json_t *claims, sync_str_t name);
static int sync_jwt_is_null(const sync_json_t *claims, uint32_t n);
static sync_rc_t sync_jwt_string(sync_str_t *dst, sync_arena_t *arena,
    const sync_json_t *claims, sync_str_t name, sync_error_t *err);
static sync_rc_t sync_jwt_time(int64_t *dst, sync_arena_t *arena,
    const sync_json_t *claims, sync_str_t name, sync_error_t *err);
static sync_rc_t sync_jwt_audience(sync_jwt_t *jwt, sync_arena_t *arena,
    const sync_json_t *claims, sync_error_t *err);
static sync_rc_t sync_jwt_scope(sync_jwt_t *jwt, sync_arena_t *arena,
    const sync_json_t *claims, sync_str_t name, sync_error_t *err);
static sync_rc_t sync_jwt_scope_list(sync_jwt_t *jwt, sync_arena_t *arena,
    const sync_json_t *claims, uint32_t list, sync_str_t name,
    sync_error_t *err);
static sync_rc_t sync_jwt_thumbprint(sync_str_t *dst, sync_arena_t *arena,
    const sync_json_t *claims, uint32_t cnf, sync_str_t name,
    sync_error_t *err);
static sync_rc_t sync_jwt_refuse(sync_arena_t *arena, sync_str_t name,
    sync_error_t *err, const char *text);
static int sync_jwt_for(const sync_jwt_t *jwt,
    const sync_jwt_policy_t *policy);
static int sync_jwt_is_access_token(sync_str_t typ);
static void sync_jwt_strings(sync_jwt_t *jwt,
    sync_str_t *strings[SYNC_JWT_STRINGS]);
static unsigned char *sync_jwt_put(unsigned char *p, sync_str_t s);
static sync_rc_t sync_jwt_take(sync_str_t *packed, sync_str_t *s);


static const sync_jwt_names_t  sync_jwt_registered;


sync_rc_t
sync_jwt_issuer(sync_str_t *issuer, sync_arena_t *arena, sync_jws_t *jws,
    sync_error_t *err)
{
    sync_rc_t  rc;

    *issuer = sync_str_null;

    rc = sync_jwt_open(jws, arena, err);

    if (rc != SYNC_OK) {
        return rc;
    }

    return sync_jwt_string(issuer, arena, jws->claims, sync_str_lit("iss"),
                           err);
}


sync_rc_t
sync_jwt_read(sync_jwt_t *jwt, sync_arena_t *arena, sync_jws_t *jws,
    const sync_jwt_names_t *names, sync_error_t *err)
{
    sync_rc_t  rc;

    memset(jwt, 0, sizeof(sync_jwt_t));

    jwt->typ = jws->typ;
    jwt->payload = jws->payload;

    rc = sync_jwt_open(jws, arena, err);

    if (rc != SYNC_OK) {
        return rc;
    }

    return sync_jwt_claims(jwt, arena, jws->claims,
                           names ? names : &sync_jwt_registered, err);
}


static sync_rc_t
sync_jwt_open(sync_jws_t *jws, sync_arena_t *arena, sync_error_t *err)
{
    sync_rc_t     rc;
    sync_json_t  *claims;

    if (jws->claims != NULL) {
        return SYNC_OK;
    }

    claims = sync_alloc(arena, sizeof(sync_json_t));

    if (claims == NULL) {
        return SYNC_FAULT;
    }

    rc = sync_jwt_parse(claims, arena, jws->payload, err);

    if (rc == SYNC_OK) {
        jws->claims = claims;
    }

    return rc;
}


sync_rc_t
sync_jwt_active(sync_jwt_t *jwt, sync_arena_t *arena, sync_str_t answer,
    const sync_jwt_names_t *names, int64_t now, sync_error_t *err)
{
    int64_t      seconds;
    sync_rc_t    rc;
    sync_json_t  claims;

    memset(jwt, 0, sizeof(sync_jwt_t));

    jwt->payload = sync_strdup(arena, answer);

    if (jwt->payload.data == NULL) {
        return SYNC_FAULT;
    }

    rc = sync_jwt_parse(&claims, arena, jwt->payload, err);

    if (rc == SYNC_OK) {
        rc = sync_jwt_verdict(arena, &claims, err);
    }

    if (rc == SYNC_OK) {
        rc = sync_jwt_claims(jwt, arena, &claims,
                             names ? names : &sync_jwt_registered, err);
    }

    if (rc == SYNC_OK && jwt->expires == SYNC_JWT_NO_TIME) {

        rc = sync_jwt_time(&seconds, arena, &claims,
                           sync_str_lit("expires_in"), err);

        if (rc == SYNC_OK && seconds != SYNC_JWT_NO_TIME) {
            jwt->expires = now + seconds;
        }
    }

    return rc;
}


static sync_rc_t
sync_jwt_parse(sync_json_t *claims, sync_arena_t *arena, sync_str_t text,
    sync_error_t *err)
{
    sync_rc_t  rc;

    rc = sync_json_parse(claims, arena, text, NULL, NULL);

    if (rc == SYNC_NO) {
        return sync_refuse(err, "malformed", SYNC_NOWHERE, "the claims are "
                           "not JSON, or have a member twice");
    }

    if (rc == SYNC_OK && claims->nodes[0].type != SYNC_JSON_OBJECT) {
        return sync_refuse(err, "malformed", SYNC_NOWHERE, "the claims are "
                           "not an object");
    }

    return rc;
}


/*
 * A server that can introspect access tokens can do so with refresh tokens,
 * too, and "active" is said of both: what tells them apart is not in RFC 7662,
 * but servers say it.
 */

static sync_rc_t
sync_jwt_verdict(sync_arena_t *arena, const sync_json_t *answer,
    sync_error_t *err)
{
    size_t      i;
    uint32_t    n;
    sync_str_t  use, typ;

    static const char  *others[] = { "Refresh", "Offline", "ID", "Logout" };

    n = sync_jwt_claim(answer, sync_str_lit("active"));

    if (n != SYNC_JSON_NONE && answer->nodes[n].type == SYNC_JSON_FALSE) {
        return sync_refuse(err, "inactive", SYNC_NOWHERE, "the token is not "
                           "active");
    }

    if (n == SYNC_JSON_NONE || answer->nodes[n].type != SYNC_JSON_TRUE) {
        return sync_jwt_refuse(arena, sync_str_lit("active"), err, "\"active\""
                               " is neither true nor false");
    }

    if (sync_json_text(&use, arena, answer,
                       sync_jwt_claim(answer, sync_str_lit("token_use")))
        == SYNC_FAULT
        || sync_json_text(&typ, arena, answer,
                          sync_jwt_claim(answer, sync_str_lit("typ")))
           == SYNC_FAULT)
    {
        return SYNC_FAULT;
    }

    if (use.data != NULL && !sync_str_is(use, "access_token")
        && !sync_str_is(use, "access"))
    {
        goto other;
    }

    for (i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        if (typ.len == strlen(others[i])
            && strncasecmp((char *) typ.data, others[i], typ.len) == 0)
        {
            goto other;
        }
    }

    return SYNC_OK;

other:

    return sync_refuse(err, "typ", SYNC_NOWHERE, "the token is active, but "
                       "not an access token");
}


static sync_rc_t
sync_jwt_claims(sync_jwt_t *jwt, sync_arena_t *arena,
    const sync_json_t *claims, const sync_jwt_names_t *names,
    sync_error_t *err)
{
    size_t     i;
    uint32_t   cnf;
    sync_rc_t  rc;

    const struct {
        sync_str_t   name;
        int64_t     *dst;
    } times[] = {
        { sync_string("exp"), &jwt->expires },
        { sync_string("nbf"), &jwt->not_before },
        { sync_string("iat"), &jwt->issued }
    };

    const struct {
        sync_str_t   name;
        sync_str_t  *dst;
    } strings[] = {
        { sync_string("iss"), &jwt->issuer },
        { sync_string("sub"), &jwt->subject },
        { sync_string("jti"), &jwt->id },
        { names->tenant,      &jwt->tenant },
        { names->plan,        &jwt->plan },
        { names->client.len ? names->client : sync_str_lit("client_id"),
          &jwt->client }
    };

    for (i = 0; i < sizeof(strings) / sizeof(strings[0]); i++) {
        rc = sync_jwt_string(strings[i].dst, arena, claims, strings[i].name,
                             err);

        if (rc != SYNC_OK) {
            return rc;
        }
    }

    if (jwt->client.data == NULL && names->client.len == 0) {
        rc = sync_jwt_string(&jwt->client, arena, claims, sync_str_lit("azp"),
                             err);

        if (rc != SYNC_OK) {
            return rc;
        }
    }

    for (i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        rc = sync_jwt_time(times[i].dst, arena, claims, times[i].name, err);

        if (rc != SYNC_OK) {
            return rc;
        }
    }

    rc = sync_jwt_audience(jwt, arena, claims, err);

    if (rc != SYNC_OK) {
        return rc;
    }

    /* whatever it holds: who bound the token meant to */

    cnf = sync_jwt_claim(claims, sync_str_lit("cnf"));
    jwt->bound = (cnf != SYNC_JSON_NONE);

    rc = sync_jwt_thumbprint(&jwt->jkt, arena, claims, cnf,
                             sync_str_lit("jkt"), err);

    if (rc == SYNC_OK) {
        rc = sync_jwt_thumbprint(&jwt->x5t, arena, claims, cnf,
                                 sync_str_lit("x5t#S256"), err);
    }

    if (rc != SYNC_OK) {
        return rc;
    }

    return sync_jwt_scope(jwt, arena, claims, names->scope, err);
}


/* The value of a claim, or SYNC_JSON_NONE. */

static uint32_t
sync_jwt_claim(const sync_json_t *claims, sync_str_t name)
{
    if (name.len && name.data[0] == '/') {
        return sync_json_at(claims, 0, name);
    }

    return sync_json_member(claims, 0, name);
}


/* A null claim is as good as none. */

static int
sync_jwt_is_null(const sync_json_t *claims, uint32_t n)
{
    return n == SYNC_JSON_NONE || claims->nodes[n].type == SYNC_JSON_NULL;
}


/* An empty name names nothing. */

static sync_rc_t
sync_jwt_string(sync_str_t *dst, sync_arena_t *arena,
    const sync_json_t *claims, sync_str_t name, sync_error_t *err)
{
    uint32_t   n;
    sync_rc_t  rc;

    *dst = sync_str_null;

    if (name.len == 0) {
        return SYNC_OK;
    }

    n = sync_jwt_claim(claims, name);

    if (sync_jwt_is_null(claims, n)) {
        return SYNC_OK;
    }

    rc = sync_json_text(dst, arena, claims, n);

    if (rc == SYNC_NO) {
        return sync_jwt_refuse(arena, name, err, "the claim is not a string");
    }

    return rc;
}


static sync_rc_t
sync_jwt_time(int64_t *dst, sync_arena_t *arena, const sync_json_t *claims,
    sync_str_t name, sync_error_t *err)
{
    char        number[SYNC_JWT_NUMBER];
    size_t      i;
    double      seconds;
    int64_t     whole;
    uint32_t    n;
    sync_str_t  s;

    *dst = SYNC_JWT_NO_TIME;

    n = sync_jwt_claim(claims, name);

    if (sync_jwt_is_null(claims, n)) {
        return SYNC_OK;
    }

    s = sync_json_slice(claims, n);

    /* most are whole ones of today */

    for (i = 0, whole = 0;
         i < s.len && s.len <= SYNC_JWT_DIGITS
         && s.data[i] >= '0' && s.data[i] <= '9';
         i++)
    {
        whole = whole * 10 + (s.data[i] - '0');
    }

    if (claims->nodes[n].type == SYNC_JSON_NUMBER && i == s.len) {
        *dst = whole;
        return SYNC_OK;
    }

    seconds = -1;

    if (claims->nodes[n].type == SYNC_JSON_NUMBER && s.len < sizeof(number)) {
        memcpy(number, s.data, s.len);
        number[s.len] = '\0';
        seconds = strtod(number, NULL);
    }

    if (!(seconds >= 0 && seconds <= (double) SYNC_JWT_LATEST)) {
        return sync_jwt_refuse(arena, name, err, "the claim is not a number "
                               "of seconds since 1970");
    }

    *dst = (int64_t) seconds;

    return SYNC_OK;
}


static sync_rc_t
sync_jwt_audience(sync_jwt_t *jwt, sync_arena_t *arena,
    const sync_json_t *claims, sync_error_t *err)
{
    size_t     i;
    uint32_t   n, item;
    sync_rc_t  rc;

    n = sync_jwt_claim(claims, sync_str_lit("aud"));

    if (sync_jwt_is_null(claims, n)) {
        return SYNC_OK;
    }

    jwt->naudience = 1;
    item = n;

    if (claims->nodes[n].type == SYNC_JSON_ARRAY) {
        jwt->naudience = claims->nodes[n].len;
        item = n + 1;
    }

    if (jwt->naudience > SYNC_JWT_AUDIENCES) {
        return sync_jwt_refuse(arena, sync_str_lit("aud"), err, "the claim "
                               "has too many members");
    }

    jwt->audience = sync_alloc(arena,
                               (jwt->naudience + 1) * sizeof(sync_str_t));

    if (jwt->audience == NULL) {
        return SYNC_FAULT;
    }

    for (i = 0; i < jwt->naudience; i++) {

        rc = sync_json_text(&jwt->audience[i], arena, claims, item);

        if (rc == SYNC_NO) {
            return sync_jwt_refuse(arena, sync_str_lit("aud"), err, "the "
                                   "claim is neither a string nor an array "
                                   "of strings");
        }

        if (rc != SYNC_OK) {
            return rc;
        }

        item = claims->nodes[item].next;
    }

    return SYNC_OK;
}


/* RFC 8693, 4.2, has "scope" with spaces; issuers have "scp", or a list. */

static sync_rc_t
sync_jwt_scope(sync_jwt_t *jwt, sync_arena_t *arena,
    const sync_json_t *claims, sync_str_t name, sync_error_t *err)
{
    uint32_t  n;

    if (name.len) {
        n = sync_jwt_claim(claims, name);

    } else {
        name = sync_str_lit("scope");
        n = sync_jwt_claim(claims, name);

        if (n == SYNC_JSON_NONE) {
            name = sync_str_lit("scp");
            n = sync_jwt_claim(claims, name);
        }
    }

    if (n != SYNC_JSON_NONE && claims->nodes[n].type == SYNC_JSON_ARRAY) {
        return sync_jwt_scope_list(jwt, arena, claims, n, name, err);
    }

    return sync_jwt_string(&jwt->scope, arena, claims, name, err);
}


static sync_rc_t
sync_jwt_scope_list(sync_jwt_t *jwt, sync_arena_t *arena,
    const sync_json_t *claims, uint32_t list, sync_str_t name,
    sync_error_t *err)
{
    uint32_t        i;
    sync_rc_t       rc;
    sync_str_t      s;
    unsigned char  *p;

    /* unescaped they are not longer, and quotes and comma are as a space */

    p = sync_alloc(arena, sync_json_raw(claims, list).len);

    if (p == NULL) {
        return SYNC_FAULT;
    }

    jwt->scope.data = p;

    for (i = sync_json_first(claims, list);
         i != SYNC_JSON_NONE;
         i = sync_json_after(claims, list, i))
    {
        rc = sync_json_text(&s, arena, claims, i);

        if (rc == SYNC_FAULT) {
            return rc;
        }

        if (s.len == 0 || memchr(s.data, ' ', s.len) != NULL) {
            return sync_jwt_refuse(arena, name, err, "the claim has a member "
                                   "that is not the name of a scope");
        }

        if (p != jwt->scope.data) {
            *p++ = ' ';
        }

        memcpy(p, s.data, s.len);
        p += s.len;
    }

    jwt->scope.len = (size_t) (p - jwt->scope.data);

    return SYNC_OK;
}


/* RFC 9449, 6.1 and RFC 8705, 3.1: a SHA-256 as base64url. */

static sync_rc_t
sync_jwt_thumbprint(sync_str_t *dst, sync_arena_t *arena,
    const sync_json_t *claims, uint32_t cnf, sync_str_t name,
    sync_error_t *err)
{
    size_t         len;
    uint32_t       n;
    sync_rc_t      rc;
    unsigned char  digest[sync_base64url_bytes(SYNC_THUMBPRINT_LEN)];

    *dst = sync_str_null;

    if (cnf == SYNC_JSON_NONE || claims->nodes[cnf].type != SYNC_JSON_OBJECT) {
        return SYNC_OK;
    }

    n = sync_json_member(claims, cnf, name);

    if (n == SYNC_JSON_NONE) {
        return SYNC_OK;
    }

    rc = sync_json_text(dst, arena, claims, n);

    if (rc == SYNC_FAULT) {
        return rc;
    }

    if (dst->len != SYNC_THUMBPRINT_LEN
        || sync_base64url_decode(digest, &len, *dst) != SYNC_OK)
    {
        return sync_jwt_refuse(arena, sync_str_lit("cnf"), err, "a member of "
                               "the claim is not the SHA-256 of a key or "
                               "certificate");
    }

    return SYNC_OK;
}


static sync_rc_t
sync_jwt_refuse(sync_arena_t *arena, sync_str_t name, sync_error_t *err,
    const char *text)
{
    if (err == NULL) {
        return SYNC_NO;
    }

    sync_refuse(err, "bad-claim", SYNC_NOWHERE, "%s", text);

    err->pointer = name.data[0] == '/'
                   ? sync_strdup(arena, name)
                   : sync_pointer_member(arena, sync_str_null, name);

    return err->pointer.data == NULL ? SYNC_FAULT : SYNC_NO;
}


sync_rc_t
sync_jwt_check(const sync_jwt_t *jwt, const sync_jwt_policy_t *policy,
    sync_error_t *err)
{
    int64_t  early, late;

    late = policy->now - policy->leeway;
    early = policy->now + policy->leeway;

    if (policy->at_jwt && !sync_jwt_is_access_token(jwt->typ)) {
        return sync_refuse(err, "typ", SYNC_NOWHERE, "the \"typ\" of the "
                           "token must be at+jwt");
    }

    if (jwt->issuer.len == 0) {
        return sync_refuse(err, "missing-claim", SYNC_NOWHERE, "the token "
                           "has no \"iss\"");
    }

    if (!sync_str_eq(jwt->issuer, policy->issuer)) {
        return sync_refuse(err, "wrong-issuer", SYNC_NOWHERE, "the \"iss\" "
                           "of the token is another");
    }

    if (policy->naudience) {
        if (jwt->naudience == 0) {
            return sync_refuse(err, "missing-claim", SYNC_NOWHERE, "the "
                               "token has no \"aud\"");
        }

        if (!sync_jwt_for(jwt, policy)) {
            return sync_refuse(err, "wrong-audience", SYNC_NOWHERE, "the "
                               "token is meant for another audience");
        }
    }

    if (jwt->expires == SYNC_JWT_NO_TIME) {
        return sync_refuse(err, "missing-claim", SYNC_NOWHERE, "the token "
                           "has no \"exp\"");
    }

    if (jwt->expires <= late) {
        return sync_refuse(err, "expired", SYNC_NOWHERE, "the token has "
                           "expired");
    }

    if ((jwt->not_before != SYNC_JWT_NO_TIME && jwt->not_before > early)
        || (jwt->issued != SYNC_JWT_NO_TIME && jwt->issued > early))
    {
        return sync_refuse(err, "not-yet-valid", SYNC_NOWHERE, "the token is "
                           "not valid yet: \"nbf\" or \"iat\" is in the "
                           "future");
    }

    if (jwt->bound && !policy->proven) {
        return sync_refuse(err, "unproven", SYNC_NOWHERE, "the token is "
                           "bound to a key (\"cnf\"), and the proof of it is "
                           "missing");
    }

    return SYNC_OK;
}


static int
sync_jwt_for(const sync_jwt_t *jwt, const sync_jwt_policy_t *policy)
{
    size_t  i, n;

    for (i = 0; i < jwt->naudience; i++) {
        for (n = 0; n < policy->naudience; n++) {
            if (sync_str_eq(jwt->audience[i], policy->audience[n])) {
                return 1;
            }
        }
    }

    return 0;
}


/* RFC 9068, 2.1; a media type, so the case does not matter */

static int
sync_jwt_is_access_token(sync_str_t typ)
{
    static const char  prefix[] = "application/";

    if (typ.len > sizeof(prefix) - 1
        && strncasecmp((char *) typ.data, prefix, sizeof(prefix) - 1) == 0)
    {
        typ.data += sizeof(prefix) - 1;
        typ.len -= sizeof(prefix) - 1;
    }

    return typ.len == 6 && strncasecmp((char *) typ.data, "at+jwt", 6) == 0;
}


int
sync_jwt_has_scope(const sync_jwt_t *jwt, sync_str_t name)
{
    unsigned char  *p, *end, *space;

    p = jwt->scope.data;
    end = p + jwt->scope.len;

    while (p < end && name.len) {
        space = memchr(p, ' ', (size_t) (end - p));

        if (space == NULL) {
            space = end;
        }

        if (sync_str_eq((sync_str_t) { (size_t) (space - p), p }, name)) {
            return 1;
        }

        p = space + 1;
    }

    return 0;
}


size_t
sync_jwt_pack(const sync_jwt_t *jwt, unsigned char *dst, size_t room)
{
    size_t            i, size;
    sync_jwt_t        copy;
    sync_str_t       *strings[SYNC_JWT_STRINGS];
    unsigned char    *p;
    sync_jwt_head_t   head;

    copy = *jwt;
    sync_jwt_strings(&copy, strings);

    size = sizeof(sync_jwt_head_t)
           + sizeof(uint32_t) * (SYNC_JWT_STRINGS + jwt->naudience);

    for (i = 0; i < SYNC_JWT_STRINGS; i++) {
        size += strings[i]->len;
    }

    for (i = 0; i < jwt->naudience; i++) {
        size += jwt->audience[i].len;
    }

    if (size > room) {
        return size;
    }

    memset(&head, 0, sizeof(head));

    head.magic = SYNC_JWT_MAGIC;
    head.bound = jwt->bound;
    head.naudience = (uint32_t) jwt->naudience;
    head.size = (uint32_t) size;
    head.expires = jwt->expires;
    head.not_before = jwt->not_before;
    head.issued = jwt->issued;

    memcpy(dst, &head, sizeof(head));
    p = dst + sizeof(head);

    for (i = 0; i < SYNC_JWT_STRINGS; i++) {
        p = sync_jwt_put(p, *strings[i]);
    }

    for (i = 0; i < jwt->naudience; i++) {
        p = sync_jwt_put(p, jwt->audience[i]);
    }

    return size;
}


sync_rc_t
sync_jwt_unpack(sync_jwt_t *jwt, sync_arena_t *arena, sync_str_t packed)
{
    size_t            i;
    sync_str_t       *strings[SYNC_JWT_STRINGS];
    sync_jwt_head_t   head;

    memset(jwt, 0, sizeof(sync_jwt_t));

    if (packed.len < sizeof(head)) {
        return SYNC_NO;
    }

    memcpy(&head, packed.data, sizeof(head));

    if (head.magic != SYNC_JWT_MAGIC || head.size != packed.len
        || head.naudience > SYNC_JWT_AUDIENCES)
    {
        return SYNC_NO;
    }

    packed.data += sizeof(head);
    packed.len -= sizeof(head);

    sync_jwt_strings(jwt, strings);

    for (i = 0; i < SYNC_JWT_STRINGS; i++) {
        if (sync_jwt_take(&packed, strings[i]) != SYNC_OK) {
            return SYNC_NO;
        }
    }

    if (head.naudience) {
        jwt->audience = sync_alloc(arena,
                                   head.naudience * sizeof(sync_str_t));

        if (jwt->audience == NULL) {
            return SYNC_FAULT;
        }
    }

    for (i = 0; i < head.naudience; i++) {
        if (sync_jwt_take(&packed, &jwt->audience[i]) != SYNC_OK) {
            return SYNC_NO;
        }
    }

    jwt->naudience = head.naudience;
    jwt->expires = head.expires;
    jwt->not_before = head.not_before;
    jwt->issued = head.issued;
    jwt->bound = (head.bound != 0);

    return packed.len == 0 ? SYNC_OK : SYNC_NO;
}


/* The order of the strings in a packed token. */

static void
sync_jwt_strings(sync_jwt_t *jwt, sync_str_t *strings[SYNC_JWT_STRINGS])
{
    strings[0] = &jwt->issuer;
    strings[1] = &jwt->subject;
    strings[2] = &jwt->client;
    strings[3] = &jwt->tenant;
    strings[4] = &jwt->id;
    strings[5] = &jwt->scope;
    strings[6] = &jwt->typ;
    strings[7] = &jwt->payload;
    strings[8] = &jwt->plan;
    strings[9] = &jwt->jkt;
    strings[10] = &jwt->x5t;
}


/* Lengths are one up, so that an absent string is told from an empty one. */

static unsigned char *
sync_jwt_put(unsigned char *p, sync_str_t s)
{
    uint32_t  len;

    len = s.data == NULL ? 0 : (uint32_t) s.len + 1;

    memcpy(p, &len, sizeof(len));
    p += sizeof(len);

    if (s.len) {
        memcpy(p, s.data, s.len);
    }

    return p + s.len;
}


static sync_rc_t
sync_jwt_take(sync_str_t *packed, sync_str_t *s)
{
    uint32_t  len;

    *s = sync_str_null;

    if (packed->len < sizeof(len)) {
        return SYNC_NO;
    }

    memcpy(&len, packed->data, sizeof(len));
    packed->data += sizeof(len);
    packed->len -= sizeof(len);

    if (len == 0) {
        return SYNC_OK;
    }

    len--;

    if (len > packed->len) {
        return SYNC_NO;
    }

    s->data = packed->data;
    s->len = len;

    packed->data += len;
    packed->len -= len;

    return SYNC_OK;
}
