
/*
 * Claims: what is read, what is checked, what a cache keeps.
 */


#include "tap.h"
#include "sync_jose.h"


#define NOW  1700000000
#define JKT  "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"
#define X5T  "A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0"
#define NOT  "A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v="


static sync_str_t text(const char *s);
static sync_str_t join(const char *fmt, ...)
    __attribute__((format(printf, 1, 2)));
static void test_claims(void);
static void claims_are(const char *json, const char *what,
    const char *pointer);
static void active_is(const char *answer, const char *what,
    const char *pointer);
static void test_active(void);
static void test_check(void);
static void check_is(const sync_jwt_t *jwt, const sync_jwt_policy_t *policy,
    const char *what, const char *name);
static void test_scope(void);
static void test_pack(void);


static sync_arena_t  *arena;


int
main(void)
{
    arena = sync_arena_create(65536);

    test_claims();
    test_active();
    test_check();
    test_scope();
    test_pack();

    sync_arena_destroy(arena);

    return done_testing();
}


static sync_str_t
text(const char *s)
{
    return (sync_str_t) { strlen(s), (unsigned char *) (uintptr_t) s };
}


static sync_str_t
join(const char *fmt, ...)
{
    va_list      args;
    sync_str_t   s;

    s.data = sync_alloc(arena, 40000);

    va_start(args, fmt);
    s.len = (size_t) vsnprintf((char *) s.data, 40000, fmt, args);
    va_end(args);

    return s;
}


static void
claims_are(const char *json, const char *what, const char *pointer)
{
    sync_rc_t     rc;
    sync_jws_t    jws;
    sync_jwt_t    jwt;
    sync_error_t  err;

    static const sync_jwt_names_t  names = {
        .client = sync_string("cid"),
        .tenant = sync_string("https://example/tenant"),
        .plan = sync_string("/sync/plan")
    };

    memset(&jws, 0, sizeof(jws));
    jws.payload = text(json);
    err.what = "none";
    err.pointer = sync_str_null;

    rc = sync_jwt_read(&jwt, arena, &jws, &names, &err);

    if (!ok(what ? (rc == SYNC_NO && strcmp(err.what, what) == 0
                    && sync_str_is(err.pointer, pointer))
                 : rc == SYNC_OK, "claims: %.60s", json))
    {
        diag("rc %d, %s at %.*s", rc, err.what, (int) err.pointer.len,
             (char *) err.pointer.data);
    }
}


static void
test_claims(void)
{
    sync_jws_t    jws;
    sync_str_t    issuer;
    sync_jwt_t    jwt;
    sync_str_t    many;
    int           i;

    sync_jwt_names_t  names;

    claims_are("{}", NULL, NULL);
    claims_are("{\"x\":123456789012345678901234567890}", NULL, NULL);
    claims_are("{\"iss\":null,\"exp\":null,\"aud\":null}", NULL, NULL);
    claims_are("{\"aud\":[]}", NULL, NULL);
    claims_are("{\"cnf\":null}", NULL, NULL);
    claims_are("{\"cnf\":{\"kid\":\"x\"}}", NULL, NULL);
    claims_are("{\"cnf\":{\"jkt\":\"" JKT "\"}}", NULL, NULL);
    claims_are("{\"cnf\":{\"jkt\":7}}", "bad-claim", "/cnf");
    claims_are("{\"cnf\":{\"jkt\":\"" JKT "A\"}}", "bad-claim", "/cnf");
    claims_are("{\"cnf\":{\"jkt\":\"short\"}}", "bad-claim", "/cnf");
    claims_are("{\"cnf\":{\"x5t#S256\":\"" NOT "\"}}", "bad-claim",
               "/cnf");
    claims_are("", "malformed", "");
    claims_are("[]", "malformed", "");
    claims_are("{\"iss\":\"a\",\"iss\":\"b\"}", "malformed", "");
    claims_are("{\"iss\":\"a\\u0000b\"}", "bad-claim", "/iss");
    claims_are("{\"iss\":1}", "bad-claim", "/iss");
    claims_are("{\"iss\":[\"a\"]}", "bad-claim", "/iss");
    claims_are("{\"sub\":1}", "bad-claim", "/sub");
    claims_are("{\"jti\":{}}", "bad-claim", "/jti");
    claims_are("{\"cid\":true}", "bad-claim", "/cid");
    claims_are("{\"https://example/tenant\":1}", "bad-claim",
               "/https:~1~1example~1tenant");
    claims_are("{\"sync\":{\"plan\":1}}", "bad-claim", "/sync/plan");
    claims_are("{\"sync\":\"plan\"}", NULL, NULL);
    claims_are("{\"aud\":1}", "bad-claim", "/aud");
    claims_are("{\"aud\":[\"a\",1]}", "bad-claim", "/aud");
    claims_are("{\"aud\":{\"a\":1}}", "bad-claim", "/aud");
    claims_are("{\"aud\":[\"a\",\"b\\u0000\"]}", "bad-claim", "/aud");
    claims_are("{\"exp\":\"1700000000\"}", "bad-claim", "/exp");
    claims_are("{\"exp\":-1}", "bad-claim", "/exp");
    claims_are("{\"exp\":1e300}", "bad-claim", "/exp");
    claims_are("{\"exp\":253402300800}", "bad-claim", "/exp");
    claims_are("{\"exp\":253402300799}", NULL, NULL);
    claims_are("{\"nbf\":true}", "bad-claim", "/nbf");
    claims_are("{\"iat\":[]}", "bad-claim", "/iat");
    claims_are("{\"scope\":5}", "bad-claim", "/scope");
    claims_are("{\"scope\":[\"a b\"]}", "bad-claim", "/scope");
    claims_are("{\"scope\":[\"a\\u0020b\"]}", "bad-claim", "/scope");
    claims_are("{\"scope\":[]}", NULL, NULL);
    claims_are("{\"scp\":[\"a\",\"\"]}", "bad-claim", "/scp");
    claims_are("{\"scp\":[5]}", "bad-claim", "/scp");

    many = text("{\"aud\":[\"a\"");

    for (i = 1; i <= SYNC_JWT_AUDIENCES; i++) {
        if (i == SYNC_JWT_AUDIENCES) {
            claims_are((char *) join("%s]}", many.data).data, NULL, NULL);
        }

        many = join("%s,\"a\"", many.data);
    }

    claims_are((char *) join("%s]}", many.data).data, "bad-claim", "/aud");

    memset(&names, 0, sizeof(names));
    memset(&jws, 0, sizeof(jws));
    jws.typ = text("JWT");
    jws.payload = text("{\"iss\":\"https://i\",\"sub\":\"s\",\"azp\":\"c\","
                       "\"t\":\"acme\",\"jti\":\"\",\"aud\":\"one\","
                       "\"exp\":1700000000.9,\"iat\":1.7e9,"
                       "\"scp\":[\"r\",\"w\"],\"cnf\":null}");

    names.tenant = text("t");
    is_int(sync_jwt_read(&jwt, arena, &jws, &names, NULL), SYNC_OK, "claims");
    is_str(jwt.issuer, "https://i", "iss");
    is_str(jwt.subject, "s", "sub");
    is_str(jwt.client, "c", "azp where there is no client_id");
    is_str(jwt.tenant, "acme", "tenant");
    is_str(jwt.id, "", "an empty jti is there");
    is_str(jwt.scope, "r w", "scp as a list");
    is_str(jwt.typ, "JWT", "typ");
    is_int(jwt.naudience, 1, "one audience");
    is_str(jwt.audience[0], "one", "and it is one");
    is_int(jwt.expires, 1700000000, "exp, cut off");
    is_int(jwt.issued, 1700000000, "iat");
    ok(jwt.not_before == SYNC_JWT_NO_TIME, "no nbf");
    is_int(jwt.bound, 1, "cnf, whatever it holds");

    jws.claims = NULL;
    jws.payload = text("{\"client_id\":\"id\",\"azp\":\"c\","
                       "\"scope\":\"a b\",\"scp\":[\"x\"]}");
    sync_jwt_read(&jwt, arena, &jws, NULL, NULL);
    is_str(jwt.client, "id", "client_id before azp");
    is_str(jwt.scope, "a b", "scope before scp");
    ok(jwt.tenant.data == NULL, "no tenant claim");
    is_int(jwt.bound, 0, "not bound");

    names.client = text("azp");
    sync_jwt_read(&jwt, arena, &jws, &names, NULL);
    is_str(jwt.client, "c", "the claim that is named");
    names.client = text("appid");
    sync_jwt_read(&jwt, arena, &jws, &names, NULL);
    ok(jwt.client.data == NULL, "and no other");

    jws.claims = NULL;
    jws.payload = text("{\"cnf\":{\"jkt\":\"" JKT "\",\"x5t#S256\":\""
                       X5T "\"}}");
    is_int(sync_jwt_read(&jwt, arena, &jws, NULL, NULL), SYNC_OK,
           "bound twice");
    is_str(jwt.jkt, JKT, "to a key");
    is_str(jwt.x5t, X5T, "to a certificate");
    is_int(jwt.bound, 1, "bound");

    jws.claims = NULL;
    jws.payload = text("{\"scope\":\"a\",\"app\":{\"id/\":\"c\","
                       "\"roles\":[\"x\",\"y\"],\"plan\":\"gold\"},"
                       "\"ext\":[{\"t\":\"acme\"}]}");
    names.client = text("/app/id~1");
    names.scope = text("/app/roles");
    names.tenant = text("/ext/0/t");
    names.plan = text("/app/plan");
    sync_jwt_read(&jwt, arena, &jws, &names, NULL);
    is_str(jwt.client, "c", "the client by a pointer");
    is_str(jwt.scope, "x y", "the scope, a list");
    is_str(jwt.tenant, "acme", "the tenant");
    is_str(jwt.plan, "gold", "the plan");

    is_int(sync_jwt_issuer(&issuer, arena, &jws, NULL), SYNC_OK,
           "without an issuer");
    ok(issuer.data == NULL, "it says none");

    names.scope = text("/app/none");
    sync_jwt_read(&jwt, arena, &jws, &names, NULL);
    ok(jwt.scope.data == NULL, "no scope where the claim named is absent");

    jws.claims = NULL;
    jws.payload = text("{\"iss\":\"https:\\/\\/i\",\"exp\":\"never\"}");
    is_int(sync_jwt_issuer(&issuer, arena, &jws, NULL), SYNC_OK,
           "the issuer, whatever else it claims");
    is_str(issuer, "https://i", "it is this one");
    is_int(sync_jwt_read(&jwt, arena, &jws, NULL, NULL), SYNC_NO,
           "which is no good for claims");

    jws.claims = NULL;
    jws.payload = text("{\"iss\":7}");
    is_int(sync_jwt_issuer(&issuer, arena, &jws, NULL), SYNC_NO,
           "an issuer that is no string");
    jws.payload = text("[\"iss\"]");
    jws.claims = NULL;
    is_int(sync_jwt_issuer(&issuer, arena, &jws, NULL), SYNC_NO,
           "claims that are no object");
}


static void
active_is(const char *answer, const char *what, const char *pointer)
{
    sync_rc_t     rc;
    sync_jwt_t    jwt;
    sync_error_t  err;

    err.what = "none";
    err.pointer = sync_str_null;

    rc = sync_jwt_active(&jwt, arena, text(answer), NULL, NOW, &err);

    if (!ok(what ? (rc == SYNC_NO && strcmp(err.what, what) == 0
                    && sync_str_is(err.pointer, pointer))
                 : rc == SYNC_OK, "active: %.60s", answer))
    {
        diag("rc %d, %s at %.*s", rc, err.what, (int) err.pointer.len,
             (char *) err.pointer.data);
    }
}


/* RFC 7662, 2.2 */

static void
test_active(void)
{
    sync_jwt_t  jwt;

    active_is("{\"active\":true}", NULL, NULL);
    active_is("{\"active\":false}", "inactive", "");
    active_is("{\"active\":false,\"exp\":\"x\"}", "inactive", "");
    active_is("{\"active\":\"true\"}", "bad-claim", "/active");
    active_is("{\"active\":1}", "bad-claim", "/active");
    active_is("{\"active\":null}", "bad-claim", "/active");
    active_is("{\"active\":[true]}", "bad-claim", "/active");
    active_is("{}", "bad-claim", "/active");
    active_is("{\"Active\":true}", "bad-claim", "/active");
    active_is("{\"active\":true,\"active\":false}", "malformed", "");
    active_is("{\"active\":false,\"active\":true}", "malformed", "");
    active_is("true", "malformed", "");
    active_is("[{\"active\":true}]", "malformed", "");
    active_is("", "malformed", "");
    active_is("<html>", "malformed", "");
    active_is("{\"active\":true", "malformed", "");
    active_is("{\"active\":true,\"exp\":\"1800000000\"}", "bad-claim",
              "/exp");
    active_is("{\"active\":true,\"exp\":-1}", "bad-claim", "/exp");
    active_is("{\"active\":true,\"iat\":{}}", "bad-claim", "/iat");
    active_is("{\"active\":true,\"nbf\":false}", "bad-claim", "/nbf");
    active_is("{\"active\":true,\"sub\":7}", "bad-claim", "/sub");
    active_is("{\"active\":true,\"iss\":[]}", "bad-claim", "/iss");
    active_is("{\"active\":true,\"jti\":1}", "bad-claim", "/jti");
    active_is("{\"active\":true,\"client_id\":{}}", "bad-claim",
              "/client_id");
    active_is("{\"active\":true,\"scope\":7}", "bad-claim", "/scope");
    active_is("{\"active\":true,\"aud\":[\"a\",null]}", "bad-claim", "/aud");
    active_is("{\"active\":true,\"expires_in\":\"5\"}", "bad-claim",
              "/expires_in");
    active_is("{\"active\":true,\"exp\":1e999}", "bad-claim", "/exp");

    active_is("{\"active\":true,\"token_use\":\"access_token\"}", NULL, NULL);
    active_is("{\"active\":true,\"token_use\":\"access\"}", NULL, NULL);
    active_is("{\"active\":true,\"token_use\":\"refresh_token\"}", "typ", "");
    active_is("{\"active\":true,\"token_use\":\"id\"}", "typ", "");
    active_is("{\"active\":true,\"typ\":\"Bearer\"}", NULL, NULL);
    active_is("{\"active\":true,\"typ\":\"Refresh\"}", "typ", "");
    active_is("{\"active\":true,\"typ\":\"offline\"}", "typ", "");
    active_is("{\"active\":true,\"typ\":\"ID\"}", "typ", "");

    sync_jwt_active(&jwt, arena,
                    text("{\"active\":true,\"iss\":\"https://i\","
                         "\"sub\":\"s\",\"client_id\":\"c\","
                         "\"aud\":[\"one\",\"two\"],\"exp\":1700000100,"
                         "\"iat\":1700000000,\"nbf\":1699999999,"
                         "\"jti\":\"j\",\"scope\":\"a b\","
                         "\"token_type\":\"Bearer\",\"expires_in\":5,"
                         "\"cnf\":{\"jkt\":\"" JKT "\"}}"),
                    NULL, NOW, NULL);
    is_str(jwt.issuer, "https://i", "active: iss");
    is_str(jwt.subject, "s", "active: sub");
    is_str(jwt.client, "c", "active: client_id");
    is_str(jwt.id, "j", "active: jti");
    is_str(jwt.scope, "a b", "active: scope");
    is_int(jwt.naudience, 2, "active: aud, a list");
    is_int(jwt.expires, NOW + 100, "active: exp before expires_in");
    is_int(jwt.issued, NOW, "active: iat");
    is_int(jwt.not_before, NOW - 1, "active: nbf");
    is_int(jwt.bound, 1, "active: cnf");
    ok(sync_str_starts(jwt.payload, "{\"active\":true,\"iss\""),
       "active: the claims are the answer");
    ok(jwt.typ.data == NULL, "active: token_type is not typ");

    sync_jwt_active(&jwt, arena, text("{\"active\":true,\"aud\":\"one\"}"),
                    NULL, NOW, NULL);
    is_int(jwt.naudience, 1, "active: aud, a string");
    ok(jwt.expires == SYNC_JWT_NO_TIME, "active: no exp");
    ok(jwt.issuer.data == NULL, "active: no iss");

    sync_jwt_active(&jwt, arena,
                    text("{\"active\":true,\"expires_in\":0}"), NULL, NOW,
                    NULL);
    is_int(jwt.expires, NOW, "active: expires_in of 0 is now");
}


static void
check_is(const sync_jwt_t *jwt, const sync_jwt_policy_t *policy,
    const char *what, const char *name)
{
    sync_rc_t     rc;
    sync_error_t  err;

    err.what = "none";
    rc = sync_jwt_check(jwt, policy, &err);

    if (!ok(what ? (rc == SYNC_NO && strcmp(err.what, what) == 0)
                 : rc == SYNC_OK, "check: %s", name))
    {
        diag("rc %d, %s", rc, err.what);
    }
}


static void
test_check(void)
{
    size_t             i;
    sync_str_t         ours[2], aud[3];
    sync_jwt_t         good, jwt;
    sync_jwt_policy_t  p;

    static const struct {
        const char  *typ;
        const char  *what;
    } types[] = {
        { "at+jwt", NULL },
        { "AT+JWT", NULL },
        { "application/at+jwt", NULL },
        { "Application/At+Jwt", NULL },
        { "JWT", "typ" },
        { "", "typ" },
        { "application/", "typ" },
        { "application/application/at+jwt", "typ" },
        { "at+jwt2", "typ" },
        { "dpop+jwt", "typ" },
        { "logout+jwt", "typ" }
    };

    ours[0] = text("https://a");
    ours[1] = text("https://b");
    aud[0] = text("x");
    aud[1] = text("https://b");
    aud[2] = text("https://b/");

    memset(&good, 0, sizeof(good));
    good.issuer = text("https://i");
    good.audience = aud;
    good.naudience = 2;
    good.expires = NOW + 10;
    good.not_before = NOW;
    good.issued = NOW;

    memset(&p, 0, sizeof(p));
    p.issuer = text("https://i");
    p.audience = ours;
    p.naudience = 2;
    p.now = NOW;

    check_is(&good, &p, NULL, "good");

    jwt = good;
    jwt.issuer = text("https://i/");
    check_is(&jwt, &p, "wrong-issuer", "iss with a slash more");
    jwt.issuer = text("https://I");
    check_is(&jwt, &p, "wrong-issuer", "iss in another case");
    jwt.issuer = sync_str_null;
    check_is(&jwt, &p, "missing-claim", "no iss");
    p.issuer = sync_str_null;
    check_is(&jwt, &p, "missing-claim", "no iss, and none asked for");
    p.issuer = text("https://i");

    jwt = good;
    jwt.naudience = 1;
    check_is(&jwt, &p, "wrong-audience", "for another");
    jwt.audience = aud + 2;
    check_is(&jwt, &p, "wrong-audience", "almost for us");
    jwt.naudience = 0;
    check_is(&jwt, &p, "missing-claim", "for nobody");
    p.naudience = 0;
    check_is(&jwt, &p, NULL, "audience not checked");
    p.naudience = 2;

    jwt = good;
    jwt.expires = SYNC_JWT_NO_TIME;
    check_is(&jwt, &p, "missing-claim", "no exp");
    jwt.expires = NOW;
    check_is(&jwt, &p, "expired", "expires now");
    jwt.expires = NOW + 1;
    check_is(&jwt, &p, NULL, "expires in a second");
    p.leeway = 60;
    jwt.expires = NOW - 59;
    check_is(&jwt, &p, NULL, "expired within the leeway");
    jwt.expires = NOW - 60;
    check_is(&jwt, &p, "expired", "expired beyond it");
    p.leeway = 0;

    jwt = good;
    jwt.not_before = NOW + 1;
    check_is(&jwt, &p, "not-yet-valid", "nbf in a second");
    p.leeway = 1;
    check_is(&jwt, &p, NULL, "nbf within the leeway");
    p.leeway = 0;
    jwt.not_before = SYNC_JWT_NO_TIME;
    check_is(&jwt, &p, NULL, "no nbf");
    jwt.issued = NOW + 1;
    check_is(&jwt, &p, "not-yet-valid", "iat in a second");
    jwt.issued = SYNC_JWT_NO_TIME;
    check_is(&jwt, &p, NULL, "no iat");

    jwt = good;
    p.at_jwt = 1;
    check_is(&jwt, &p, "typ", "no typ where at+jwt is asked for");

    for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        jwt.typ = text(types[i].typ);
        check_is(&jwt, &p, types[i].what, types[i].typ);
    }

    p.at_jwt = 0;
    check_is(&jwt, &p, NULL, "any typ where it is not");

    jwt.bound = 1;
    check_is(&jwt, &p, "unproven", "cnf without its proof");
    p.proven = 1;
    check_is(&jwt, &p, NULL, "cnf with it");
}


static void
test_scope(void)
{
    sync_jwt_t  jwt;

    memset(&jwt, 0, sizeof(jwt));
    ok(!sync_jwt_has_scope(&jwt, text("a")), "no scope at all");

    jwt.scope = text("orders:read  orders:write x");
    ok(sync_jwt_has_scope(&jwt, text("orders:read")), "the first");
    ok(sync_jwt_has_scope(&jwt, text("orders:write")), "the second");
    ok(sync_jwt_has_scope(&jwt, text("x")), "the last");
    ok(!sync_jwt_has_scope(&jwt, text("orders")), "not a part");
    ok(!sync_jwt_has_scope(&jwt, text("read")), "nor an end");
    ok(!sync_jwt_has_scope(&jwt, text("Orders:read")), "case counts");
    ok(!sync_jwt_has_scope(&jwt, text("")), "nothing is no scope");
    ok(!sync_jwt_has_scope(&jwt, text("orders:write x")), "nor are two");
}


static void
test_pack(void)
{
    size_t          n, size, bad;
    sync_str_t      packed, aud[2];
    sync_jwt_t      jwt, back;
    unsigned char   buf[512], *p;

    memset(&jwt, 0, sizeof(jwt));
    aud[0] = text("one");
    aud[1] = text("");
    jwt.issuer = text("https://i");
    jwt.subject = text("");
    jwt.scope = text("a b");
    jwt.payload = text("{\"iss\":\"https://i\"}");
    jwt.audience = aud;
    jwt.naudience = 2;
    jwt.expires = NOW;
    jwt.not_before = SYNC_JWT_NO_TIME;
    jwt.issued = 5;
    jwt.bound = 1;
    jwt.plan = text("gold");
    jwt.x5t = text(X5T);

    memset(buf, 0xee, sizeof(buf));
    size = sync_jwt_pack(&jwt, buf, 0);
    is_int(buf[0], 0xee, "no room: nothing written");
    is_int(sync_jwt_pack(&jwt, buf, size), size, "packed");
    is_int(buf[size], 0xee, "and not a byte more");

    /* memory of its own, so that the sanitizer sees a read too far */

    for (n = 0, bad = 0; n < size; n++) {
        p = malloc(n ? n : 1);
        memcpy(p, buf, n);
        packed = (sync_str_t) { n, p };
        bad += (sync_jwt_unpack(&back, arena, packed) != SYNC_NO);
        free(p);
    }

    is_int(bad, 0, "no beginning of it unpacks");

    p = malloc(size);

    for (n = 0; n < size; n++) {
        memcpy(p, buf, size);
        p[n] ^= 0x81;
        sync_jwt_unpack(&back, arena, (sync_str_t) { size, p });
    }

    free(p);
    ok(1, "nor does a broken one read beyond its end");

    packed = (sync_str_t) { size, buf };
    is_int(sync_jwt_unpack(&back, arena, packed), SYNC_OK, "unpacked");
    is_str(back.issuer, "https://i", "issuer");
    is_str(back.subject, "", "an empty subject");
    ok(back.client.data == NULL && back.id.data == NULL, "absent ones");
    is_str(back.scope, "a b", "scope");
    is_str(back.plan, "gold", "plan");
    is_str(back.payload, (char *) jwt.payload.data, "payload");
    is_int(back.naudience, 2, "two audiences");
    is_str(back.audience[0], "one", "the first");
    is_str(back.audience[1], "", "the second");
    is_int(back.expires, NOW, "exp");
    ok(back.not_before == SYNC_JWT_NO_TIME, "no nbf");
    is_int(back.issued, 5, "iat");
    is_int(back.bound, 1, "bound");
    is_str(back.x5t, X5T, "to a certificate");
    ok(back.jkt.data == NULL, "and no key");
}
