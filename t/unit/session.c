
/*
 * Sessions: their grammar, the headers made of a login, its cookies.
 */


#include "doc.h"
#include "sync_session.h"


typedef struct {
    const char  *text;
    const char  *want;                   /* NULL: refused */
    const char  *what;
} text_t;


typedef struct {
    const char  *session;
    const char  *pointer;
    const char  *what;
    const char  *text;
} broken_t;


static const text_t  texts[] = {
    { "{token}", "abc", NULL },
    { "Session {token}!", "Session abc!", NULL },
    { "Session base64({secret:user}:{id}:{token})",
      "Session YWRtaW46NzphYmM=", NULL },
    { "base64()", "", NULL },
    { "base64({id})base64({id})-)", "Nw==Nw==-)", NULL },
    { "base64({lines})", "YQpi", NULL },
    { "{long}", NULL, "bad-value" },
    { "base64({most})", NULL, "bad-value" },
    { "{lines}", NULL, "bad-value" },
    { "{nothing}", NULL, "no-value" },
    { "{secret:nothing}", NULL, "no-value" },
    { "{token", NULL, "template" },
    { "token}", NULL, "template" },
    { "base64({token}", NULL, "template" },
    { "base64(base64({token}))", NULL, "template" },
    { "a\nb", NULL, "template" },
    { "\xc3\xa4", NULL, "template" },
    { NULL, NULL, NULL }
};


static const struct {
    const char  *set;
    const char  *cookie;                 /* by now */
} cookies[] = {
    { "a=1; Path=/; HttpOnly", "a=1" },
    { "B1SESSION=x-y; HttpOnly;", "a=1; B1SESSION=x-y" },
    { " c = 3 ", "a=1; B1SESSION=x-y; c=3" },
    { "a=2", "a=2; B1SESSION=x-y; c=3" },
    { "nothing", "a=2; B1SESSION=x-y; c=3" },
    { "=4", "a=2; B1SESSION=x-y; c=3" },
    { "", "a=2; B1SESSION=x-y; c=3" },
    { ";", "a=2; B1SESSION=x-y; c=3" },
    { "d=1\r\nX: y", "a=2; B1SESSION=x-y; c=3" },
    { "a=; max-age=0", "B1SESSION=x-y; c=3" },
    { "e=5; Max-Age=3600", "B1SESSION=x-y; c=3; e=5" },
    { "c=deleted; expires=Thu, 01-Jan-1970 00:00:00 GMT; path=/",
      "B1SESSION=x-y; e=5" },
    { "f=6; expires=Thu, 01-Jan-1970 00:00:00 GMT; Max-Age=60",
      "B1SESSION=x-y; e=5; f=6" },
    { "e=; MAX-AGE = -1", "B1SESSION=x-y; f=6" },
    { "f==6=", "B1SESSION=x-y; f==6=" },
    { NULL, NULL }
};


#define SAP  "\"request\":\"GET /\",\"headers\":{\"X-CSRF-Token\":"           \
             "\"Fetch\"},\"take\":{\"token\":\"header:X-CSRF-Token\","        \
             "\"cookies\":true},\"send\":{\"X-CSRF-Token\":\"{token}\"}"
#define OVER  "\"expired\":{\"status\":403,\"header\":{\"X-CSRF-Token\":"     \
              "\"Required\"}}"
#define LOGIN  "\"request\":\"POST /Login\",\"take\":{\"cookies\":true}"
#define AT  "/connectors/s4/session"


static const broken_t  broken[] = {
    { "{}", AT, "missing-member", "\"request\" is missing" },
    { "{\"request\":\"GET\"}", AT "/request", "template", "at byte" },
    { "{\"request\":\"GET /{id}\"}", AT "/request", "template",
      "a session is not of one request" },
    { "{\"request\":\"GET /\",\"body\":{}}", AT "/body", "value",
      "a GET has none" },
    { "{\"request\":\"POST /\",\"body\":{\"a\":\"{id}\"}}", AT "/body",
      "template", "a session is not of one request" },
    { "{\"request\":\"POST /\",\"body\":{\"a\":\"{nothing}\"}}", AT "/body",
      "template", "" },
    { "{\"request\":\"POST /\",\"body\":{\"a\":\"secret:a/b\"}}", AT "/body",
      "secret", "not a name" },
    { "{\"request\":\"GET /\",\"headers\":{\"Host\":\"x\"}}",
      AT "/headers/Host", "value", "is not a header for this" },
    { "{\"request\":\"GET /\",\"headers\":{\"Cookie\":\"x\"}}",
      AT "/headers/Cookie", "value", "is not a header for this" },
    { "{\"request\":\"GET /\",\"headers\":{\"X-A\":\"a\\nb\"}}",
      AT "/headers/X-A", "value", "printable ASCII" },
    { "{\"request\":\"GET /\",\"headers\":{\"X-A\":\"\"}}",
      AT "/headers/X-A", "value", "no bytes" },
    { "{\"request\":\"GET /\"}", AT, "missing-member",
      "\"take\" is missing" },
    { "{\"request\":\"GET /\",\"take\":{}}", AT "/take", "value",
      "is empty" },
    { "{\"request\":\"GET /\",\"take\":{\"cookies\":1}}", AT "/take/cookies",
      "type", "true or false" },
    { "{\"request\":\"GET /\",\"take\":{\"a b\":\"$.a\"}}", AT "/take/a b",
      "value", "" },
    { "{\"request\":\"GET /\",\"take\":{\"a\":\"X-Token\"}}", AT "/take/a",
      "value", "should be \"header:NAME\" or a JSONPath" },
    { "{\"request\":\"GET /\",\"take\":{\"a\":\"header:a b\"}}", AT "/take/a",
      "value", "is not the name of a header" },
    { "{\"request\":\"GET /\",\"take\":{\"a\":\"$..b\"}}", AT "/take/a",
      "value", "may find several values" },
    { "{\"request\":\"GET /\",\"take\":{\"a\":\"$[\"}}", AT "/take/a",
      "value", "at byte" },
    { "{\"request\":\"GET /\",\"take\":{\"a\":\"$.a\"},\"send\":{\"Cookie\":"
      "\"{a}\"}," OVER "}", AT "/send/Cookie", "value",
      "is not a header for this" },
    { "{\"request\":\"GET /\",\"take\":{\"a\":\"$.a\"},\"send\":{\"X-A\":"
      "\"{b}\"}," OVER "}", AT "/send/X-A", "template",
      "what \"take\" does not take" },
    { "{\"request\":\"GET /\",\"take\":{\"a\":\"$.a\"},\"send\":{\"X-A\":"
      "\"{secret:a/b}\"}," OVER "}", AT "/send/X-A", "template",
      "a secret that cannot be used" },
    { "{\"request\":\"GET /\",\"take\":{\"a\":\"$.a\"}," OVER "}", AT,
      "missing-member", "sends nothing" },
    { "{" SAP "}", AT, "missing-member", "\"expired\" is missing" },
    { "{" SAP ",\"expired\":{}}", AT "/expired", "missing-member",
      "\"status\" is missing" },
    { "{" SAP ",\"expired\":[]}", AT "/expired", "value",
      "has 0 ways to say it" },
    { "{" SAP ",\"expired\":[403]}", AT "/expired/0", "type", "" },
    { "{" SAP ",\"expired\":{\"status\":200}}", AT "/expired",
      "missing-member", "that has done the work" },
    { "{" SAP ",\"expired\":{\"status\":100}}", AT "/expired/status",
      "value", "from 200 to 599" },
    { "{" SAP ",\"expired\":{\"status\":403,\"header\":{}}}",
      AT "/expired/header", "value", "has 0 members" },
    { "{" SAP ",\"expired\":{\"status\":403,\"header\":{\"X-A\":1}}}",
      AT "/expired/header/X-A", "type", "" },
    { "{" SAP ",\"expired\":{\"status\":403,\"body\":{\"$.a\":1.5}}}",
      AT "/expired/body/$.a", "type", "a string, an integer or a boolean" },
    { "{" SAP ",\"expired\":{\"status\":403,\"body\":{\"$[*]\":1}}}",
      AT "/expired/body/$[*]", "value", "may find several values" },
    { "{" SAP "," OVER ",\"max_age\":\"0s\"}", AT "/max_age", "value",
      "no time at all" },
    { "{" SAP "," OVER ",\"maxage\":\"1m\"}", AT "/maxage",
      "unknown-member", "did you mean \"max_age\"?" },
    { NULL, NULL, NULL, NULL }
};


static sync_rc_t
value_of(void *data, int secret, sync_str_t name, sync_str_t *value)
{
    static char  most[SYNC_SESSION_TEXT + 1];

    (void) data;

    memset(most, 'm', sizeof(most));

    if (secret) {
        *value = str("admin");
        return sync_str_is(name, "user") ? SYNC_OK : SYNC_NO;
    }

    if (sync_str_is(name, "token")) {
        *value = str("abc");

    } else if (sync_str_is(name, "id")) {
        *value = str("7");

    } else if (sync_str_is(name, "lines")) {
        *value = str("a\nb");

    } else if (sync_str_is(name, "most")) {
        *value = (sync_str_t) { SYNC_SESSION_TEXT, (unsigned char *) most };

    } else if (sync_str_is(name, "long")) {
        *value = (sync_str_t) { sizeof(most), (unsigned char *) most };

    } else {
        return SYNC_NO;
    }

    return SYNC_OK;
}


static void
test_texts(void)
{
    sync_rc_t      rc;
    sync_str_t     out;
    sync_error_t   err;
    const text_t  *t;

    for (t = texts; t->text != NULL; t++) {

        rc = sync_session_text(str(t->text), value_of, NULL, arena, &out,
                               &err);

        if (t->want) {
            ok(rc == SYNC_OK, "taken: %s", t->text);
            is_str(out, t->want, "says %s", t->want);
            continue;
        }

        ok(rc == SYNC_NO && strcmp(err.what, t->what) == 0,
           "refused, %s: %s", t->what, t->text);
    }
}


static void
test_cookies(void)
{
    char                     name[8];
    size_t                   i;
    sync_str_t               out;
    sync_session_cookies_t   jar;

    memset(&jar, 0, sizeof(jar));

    ok(sync_session_cookie(&jar, arena, &out) == SYNC_OK && out.len == 0,
       "no cookies");

    for (i = 0; cookies[i].set != NULL; i++) {
        sync_session_set_cookie(&jar, str(cookies[i].set));

        ok(sync_session_cookie(&jar, arena, &out) == SYNC_OK, "written");
        is_str(out, cookies[i].cookie, "after %s", cookies[i].set);
    }

    for (i = 0; i < 100; i++) {
        snprintf(name, sizeof(name), "n%u=1", (unsigned) i % 1000);
        sync_session_set_cookie(&jar, sync_strdup(arena, str(name)));
    }

    is_int(jar.n, SYNC_SESSION_COOKIES, "and no more than so many");
}


/* The good document, and a session of its first connector; NULL: none. */

static sync_rc_t
load_with(const char *session, const sync_doc_t **doc, sync_error_t *err)
{
    char                 text[16384];
    sync_rc_t            rc;
    sync_str_t           block;
    const char          *p;
    sync_doc_options_t   options;

    static const char  at[] = "\"s4\": { ";

    memset(&options, 0, sizeof(options));

    options.upstream = has_upstream;
    options.library = has_file;

    p = strstr(good, at) + sizeof(at) - 1;

    snprintf(text, sizeof(text), "%.*s%s%s%s%s", (int) (p - good), good,
             session ? "\"session\": " : "", session ? session : "",
             session ? ", " : "", p);

    rc = sync_doc_load(arena, str("acme"), str(text), &options, &block, err);

    *doc = rc == SYNC_OK ? sync_doc_open(block) : NULL;

    return rc;
}


static void
test_grammar(void)
{
    sync_rc_t             rc;
    sync_str_t            name, value;
    sync_error_t          err;
    sync_doc_take_t       take;
    const broken_t       *b;
    const sync_doc_t     *doc;
    sync_doc_session_t    s;
    sync_doc_expired_t    e;
    sync_doc_connector_t  c;

    for (b = broken; b->session != NULL; b++) {
        rc = load_with(b->session, &doc, &err);

        if (!ok(rc == SYNC_NO && strcmp(err.what, b->what) == 0
                && strstr(err.text, b->text),
                "refused, %s: %s", b->what, b->session))
        {
            diag("rc %d, %s: %s", rc, rc ? err.what : "-",
                 rc ? err.text : "-");
        }

        if (rc == SYNC_NO) {
            is_str(err.pointer, b->pointer, "points at %s", b->pointer);
        }
    }

    ok(load_with(NULL, &doc, &err) == SYNC_OK, "none");
    ok(sync_doc_session(doc, 0, &s) == SYNC_NO, "is none");
    ok(sync_doc_session(doc, 99, &s) == SYNC_NO, "nor there");

    /* SAP */

    rc = load_with("{" SAP "," OVER ",\"max_age\":\"25m\"}", &doc, &err);

    if (!ok(rc == SYNC_OK, "CSRF tokens")) {
        diag("%s", err.text);
        return;
    }

    ok(sync_doc_connector(doc, str("s4"), &c) == SYNC_OK && c.session,
       "the connector has it");
    ok(sync_doc_session(doc, c.index, &s) == SYNC_OK, "a session");
    is_str(s.method, "GET", "its method");
    is_int(s.body.len, 0, "no body");
    is_int(s.max_age_ms, 25 * 60 * 1000, "its age");
    is_int(s.cookies, 1, "cookies are kept");
    is_int(s.secrets.n, 0, "no secrets");
    is_int(s.headers + s.taken + s.sent + s.expired, 4, "one of each");
    ok(sync_doc_session_header_at(doc, c.index, 0, &name, &value) == SYNC_OK,
       "a header");
    is_str(name, "x-csrf-token", "its name");
    is_str(value, "Fetch", "its value");
    ok(sync_doc_session_header_at(doc, c.index, 1, &name, &value) == SYNC_NO,
       "no other");
    ok(sync_doc_session_take_at(doc, c.index, 0, &take) == SYNC_OK, "taken");
    is_str(take.name, "token", "as");
    is_str(take.header, "x-csrf-token", "from");
    is_int(take.path.len, 0, "and from nowhere else");
    ok(sync_doc_session_send_at(doc, c.index, 0, &name, &value) == SYNC_OK,
       "sent");
    is_str(name, "x-csrf-token", "as");
    is_str(value, "{token}", "saying");
    ok(sync_doc_session_expired_at(doc, c.index, 0, &e) == SYNC_OK, "over");
    is_int(e.status, 403, "by status");
    is_str(e.header, "x-csrf-token", "and header");
    is_str(e.header_value, "Required", "that says");
    is_int(e.path.len, 0, "and nothing else");

    /* Tryton */

    rc = load_with("{\"request\":\"POST /\",\"body\":{\"id\":0,\"method\":"
                   "\"common.db.login\",\"params\":[\"secret:user\","
                   "{\"password\":\"secret:password\"}]},"
                   "\"take\":{\"id\":\"$.result[0]\",\"key\":\"$.result[1]\"},"
                   "\"send\":{\"Authorization\":\"Session base64("
                   "{secret:user}:{id}:{key})\"},"
                   "\"expired\":{\"status\":401}}", &doc, &err);

    if (!ok(rc == SYNC_OK, "a login by JSON-RPC")) {
        diag("%s", err.text);
        return;
    }

    ok(sync_doc_session(doc, c.index, &s) == SYNC_OK, "a session");
    is_str(s.method, "POST", "its method");
    ok(strstr((char *) sync_strdup(arena, s.body).data,
              "\"secret:password\"") != NULL, "its body");
    is_int(s.secrets.n, 2, "its secrets");
    is_str(sync_doc_item(doc, s.secrets, 0), "user", "the first");
    is_str(sync_doc_item(doc, s.secrets, 1), "password", "the second");
    is_int(s.taken, 2, "two values");
    ok(sync_doc_session_take_at(doc, c.index, 1, &take) == SYNC_OK, "taken");
    is_str(take.path, "$.result[1]", "from");

    /* Odoo, Business One: cookies alone, and more ways to say it */

    rc = load_with("{" LOGIN ",\"expired\":[{\"status\":401},"
                   "{\"status\":200,\"body\":{\"$.error.code\":100}},"
                   "{\"status\":200,\"body\":{\"$.over\":true}}]}", &doc,
                   &err);

    if (!ok(rc == SYNC_OK, "cookies alone")) {
        diag("%s", err.text);
        return;
    }

    ok(sync_doc_session(doc, c.index, &s) == SYNC_OK, "a session");
    is_int(s.taken + s.sent, 0, "no values");
    is_int(s.expired, 3, "ways to say it");
    ok(sync_doc_session_expired_at(doc, c.index, 1, &e) == SYNC_OK, "over");
    is_str(e.path, "$.error.code", "by the body");
    is_str(e.path_value, "100", "that says");
    ok(sync_doc_session_expired_at(doc, c.index, 2, &e) == SYNC_OK, "or");
    is_str(e.path_value, "true", "so");
    ok(sync_doc_session_expired_at(doc, c.index, 3, &e) == SYNC_NO,
       "no other");
}


int
main(void)
{
    arena = sync_arena_create(65536);

    test_texts();
    test_cookies();
    test_grammar();

    sync_arena_destroy(arena);

    return done_testing();
}
