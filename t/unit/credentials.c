
/*
 * What signs and proves on the way out, by published examples: RFC 5849 1.2
 * and 3.4.1, RFC 3174, and the UsernameToken of the Atom API.
 */


#include "tap.h"
#include "sync_credentials.h"
#include "sync_crypto.h"
#include "sync_jose_sign.h"


static sync_arena_t  *arena;


static sync_str_t str(const char *s);
static int has(sync_str_t s, const char *needle);
static void hex_is(const unsigned char *bytes, size_t len, const char *want,
    const char *what);
static void test_sha1(void);
static void test_base(void);
static void test_oauth1(void);
static void test_netsuite(void);
static void test_wsse(void);
static void test_envelope(void);
static void test_assertion(void);
static void test_signed(void);
static void test_answer(void);
static void test_put(void);


int
main(void)
{
    arena = sync_arena_create(0);

    test_sha1();
    test_base();
    test_oauth1();
    test_netsuite();
    test_wsse();
    test_envelope();
    test_assertion();
    test_signed();
    test_answer();
    test_put();

    sync_arena_destroy(arena);

    return done_testing();
}


static sync_str_t
str(const char *s)
{
    return (sync_str_t) { strlen(s), (unsigned char *) (uintptr_t) s };
}


static int
has(sync_str_t s, const char *needle)
{
    return memmem(s.data, s.len, needle, strlen(needle)) != NULL;
}


static void
hex_is(const unsigned char *bytes, size_t len, const char *want,
    const char *what)
{
    sync_str_t     s;
    unsigned char  hex[2 * SYNC_SHA256_LEN];

    s.data = hex;
    s.len = sync_hex_encode(hex, bytes, len);

    is_str(s, want, "%s", what);
}


static void
test_sha1(void)
{
    sync_str_t     parts[2];
    unsigned char  digest[SYNC_SHA1_LEN];

    parts[0] = str("a");
    parts[1] = str("bc");

    sync_sha1(parts, 2, digest);
    hex_is(digest, sizeof(digest), "a9993e364706816aba3e25717850c26c9cd0d89d",
           "SHA-1 of parts, RFC 3174");
}


/* RFC 5849, 3.4.1.1 */

static void
test_base(void)
{
    sync_str_t     base;
    sync_oauth1_t  o;

    memset(&o, 0, sizeof(o));

    o.method = str("POST");
    o.scheme = str("http");
    o.authority = str("EXAMPLE.COM:80");
    o.target = str("/request?b5=%3D%253D&a3=a&c%40=&a2=r%20b");
    o.form = str("c2&a3=2+q");
    o.consumer_key = str("9djdj82h48djs9d2");
    o.token = str("kkk9d7dh3k39sjv7");
    o.nonce = str("7d8f3e4a");
    o.now = 137131201;
    o.sha1 = 1;

    ok(sync_oauth1_base(&o, arena, &base) == SYNC_OK, "a base string");
    is_str(base, "POST&http%3A%2F%2Fexample.com%2Frequest&a2%3Dr%2520b%26a3%3D2"
                 "%2520q%26a3%3Da%26b5%3D%253D%25253D%26c%2540%3D%26c2%3D%26oa"
                 "uth_consumer_key%3D9djdj82h48djs9d2%26oauth_nonce%3D7d8f3e4a"
                 "%26oauth_signature_method%3DHMAC-SHA1%26oauth_timestamp%3D13"
                 "7131201%26oauth_token%3Dkkk9d7dh3k39sjv7",
           "as RFC 5849 3.4.1.1 has it");

    /* 3.4.1.2 */

    o.scheme = str("https");
    o.authority = str("www.example.net:8080");
    o.target = str("/?q=1");
    o.form = sync_str_null;

    ok(sync_oauth1_base(&o, arena, &base) == SYNC_OK, "another");
    ok(has(base, "https%3A%2F%2Fwww.example.net%3A8080%2F&oauth_"),
       "a port that is not the scheme's stays");
    ok(has(base, "%26q%3D1"), "with the query among the members");

    o.authority = str("Host.example:443");
    o.target = str("");

    ok(sync_oauth1_base(&o, arena, &base) == SYNC_OK, "no path");
    ok(has(base, "POST&https%3A%2F%2Fhost.example%2F&oauth_"),
       "is the root, and the scheme's port is not said");
}


/* RFC 5849, 1.2 */

static void
test_oauth1(void)
{
    size_t         i;
    sync_str_t     value;
    sync_text_t    text;
    sync_oauth1_t  o;

    memset(&o, 0, sizeof(o));

    o.method = str("GET");
    o.scheme = str("http");
    o.authority = str("photos.example.net");
    o.target = str("/photos?file=vacation.jpg&size=original");
    o.consumer_key = str("dpf43f3p2l4k3l03");
    o.consumer_secret = str("kd94hf93k423kf44");
    o.token = str("nnch734d00sl2jdk");
    o.token_secret = str("pfkkdhi9sl3r4s00");
    o.realm = str("Photos");
    o.nonce = str("chapoH");
    o.now = 137131202;
    o.sha1 = 1;

    ok(sync_oauth1(&o, arena, &value) == SYNC_OK, "signed");
    is_str(value, "OAuth realm=\"Photos\", "
                  "oauth_consumer_key=\"dpf43f3p2l4k3l03\", "
                  "oauth_token=\"nnch734d00sl2jdk\", "
                  "oauth_signature_method=\"HMAC-SHA1\", "
                  "oauth_timestamp=\"137131202\", oauth_nonce=\"chapoH\", "
                  "oauth_signature=\"MdpQcU8iPSUjWoN%2FUDMsK2sui9I%3D\"",
           "as RFC 5849 1.2 has it");

    /* temporary credentials; signed by another implementation */

    o.method = str("POST");
    o.scheme = str("https");
    o.target = str("/initiate?oauth_callback="
                   "http%3A%2F%2Fprinter.example.com%2Fready");
    o.token = sync_str_null;
    o.token_secret = sync_str_null;
    o.nonce = str("wIjqoxSZ");
    o.now = 137131200;

    ok(sync_oauth1(&o, arena, &value) == SYNC_OK, "without a token");
    ok(has(value, "oauth_signature=\"%2FUvthHqLWsq3QBhDNNbCXRUcFvI%3D\""),
       "as others sign it");
    ok(!has(value, "oauth_token"), "and it is not said");

    /* token credentials; wherever the verifier stands, it is signed alike */

    o.target = str("/token?oauth_verifier=hfdp7dh39dks9884");
    o.token = str("hh5s93j4hdidpola");
    o.token_secret = str("hdhd0244k9j7ao03");
    o.nonce = str("walatlh");
    o.now = 137131201;

    ok(sync_oauth1(&o, arena, &value) == SYNC_OK, "with a verifier");
    ok(has(value, "oauth_signature=\"gKgrFCywp7rO0OXSjdot%2FIHF7IU%3D\""),
       "as RFC 5849 1.2 has it");

    o.target = str("/initiate?oauth_callback="
                   "http%3A%2F%2Fprinter.example.com%2Fready");
    o.token = sync_str_null;
    o.token_secret = sync_str_null;
    o.nonce = str("wIjqoxSZ");
    o.now = 137131200;

    o.sha1 = 0;
    o.version = 1;
    o.realm = sync_str_null;

    ok(sync_oauth1(&o, arena, &value) == SYNC_OK, "with SHA-256");
    ok(has(value, "OAuth oauth_consumer_key") && has(value, "\"HMAC-SHA256\"")
       && has(value, "oauth_version=\"1.0\""), "no realm, and a version");
    ok(has(value, "oauth_signature=\"PZQBoZbZPlBJogai81dzZlFHZPyXi3rJa%2FOADK"
                  "XnwA4%3D\""),
       "as others sign it");

    sync_text_begin(&text, arena, 0, 0);

    sync_text_byte(&text, '/');
    sync_text_byte(&text, '?');

    for (i = 0; i <= SYNC_OAUTH1_MEMBERS; i++) {
        sync_text_lit(&text, "a&");
    }

    (void) sync_text_end(&text, &o.target);
    ok(sync_oauth1(&o, arena, &value) == SYNC_NO, "too many members");
}


/*
 * As its tokens are signed: members in the order of their encoded names, then
 * values, whatever is not unreserved encoded; signed by another implementation.
 */

static void
test_netsuite(void)
{
    sync_str_t     base, value;
    sync_oauth1_t  o;

    memset(&o, 0, sizeof(o));

    o.method = str("GET");
    o.scheme = str("https");
    o.authority = str("12345-SB1.suitetalk.api.netsuite.com:443");
    o.target = str("/services/rest/record/v1/salesOrder/eid:PO%2F7%20%C3%A9"
                   "?a-=1&a=2&q=memo%20IS%20%22x%2By%22&b=%2A!'()&B=~&a=10");
    o.consumer_key = str("ck");
    o.consumer_secret = str("c%s&");
    o.token = str("tk");
    o.token_secret = str("t/s+=");
    o.realm = str("12345_SB1");
    o.nonce = str("fjaLirsIcCGVZWzBX0pg");
    o.now = 1508242306;
    o.version = 1;

    ok(sync_oauth1_base(&o, arena, &base) == SYNC_OK, "of NetSuite");
    is_str(base, "GET&https%3A%2F%2F12345-sb1.suitetalk.api.netsuite.com%2F"
                 "services%2Frest%2Frecord%2Fv1%2FsalesOrder%2Feid%3APO%252F7"
                 "%2520%25C3%25A9&B%3D~%26a%3D10%26a%3D2%26a-%3D1%26b%3D%252A"
                 "%2521%2527%2528%2529%26oauth_consumer_key%3Dck%26oauth_nonce"
                 "%3DfjaLirsIcCGVZWzBX0pg%26oauth_signature_method%3DHMAC-SHA2"
                 "56%26oauth_timestamp%3D1508242306%26oauth_token%3Dtk%26oauth"
                 "_version%3D1.0%26q%3Dmemo%2520IS%2520%2522x%252By%2522",
           "no realm, no port, all in order");

    ok(sync_oauth1(&o, arena, &value) == SYNC_OK, "signed");
    ok(has(value, "OAuth realm=\"12345_SB1\", oauth_consumer_key"),
       "the account stands in the header alone");
    ok(has(value, "oauth_signature=\"NkqmA80OE7cqSBw%2FGXiTYf%2FzbOKJe4ai1GUi0"
                  "68E%2Fvs%3D\""),
       "with HMAC-SHA256 and both secrets encoded");
}


static void
test_wsse(void)
{
    sync_str_t     s;
    unsigned char  digest[28];

    sync_wsse_digest(str("d36e316282959a9ed4c89851497a717f"),
                     str("2003-12-15T14:43:07Z"), str("taadtaadpstcsm"),
                     digest);

    s.data = digest;
    s.len = sizeof(digest);

    is_str(s, "quR/EWLAV4xLf9Zqyw4pDmfV9OY=", "PasswordDigest");
}


static void
test_envelope(void)
{
    sync_str_t   text;
    sync_wsse_t  w;

    static const char  bare[] = "<?xml version=\"1.0\"?>\n<soap:Envelope "
                                "xmlns:soap=\"u\"><soap:Body>x</soap:Body>"
                                "</soap:Envelope>";
    static const char  headed[] = "<soap:Envelope xmlns:soap=\"u\">"
                                  "<soap:Header><a>1</a></soap:Header>"
                                  "<soap:Body/></soap:Envelope>";

    memset(&w, 0, sizeof(w));

    w.user = str("a&<b>");
    w.password = str("s3cret");
    w.nonce = (const unsigned char *) "0123456789abcdef";
    w.now = 1071499387;

    ok(sync_wsse(&w, str(bare), arena, &text) == SYNC_OK, "in an envelope");
    ok(has(text, "<soap:Envelope xmlns:soap=\"u\"><soap:Header>"
                 "<wsse:Security xmlns:wsse=\""), "headers first");
    ok(has(text, "soap:mustUnderstand=\"1\""), "to be understood");
    ok(has(text, "<wsse:Username>a&amp;&lt;b&gt;</wsse:Username>"),
       "a user as XML has it");
    ok(has(text, "<wsu:Created>2003-12-15T14:43:07Z</wsu:Created>"),
       "the time");
    ok(has(text, "#Base64Binary\">MDEyMzQ1Njc4OWFiY2RlZg==</wsse:Nonce>"),
       "the nonce");
    ok(has(text, "#PasswordDigest\">") && !has(text, "s3cret"),
       "and a digest");
    ok(has(text, "</wsse:Security></soap:Header><soap:Body>x</soap:Body>"
                 "</soap:Envelope>"), "before the body");

    w.text = 1;
    w.soap12 = 1;

    ok(sync_wsse(&w, str(headed), arena, &text) == SYNC_OK, "where there are");
    ok(has(text, "<soap:Header><wsse:Security")
       && has(text, "</wsse:Security><a>1</a></soap:Header>"),
       "headers, among them");
    ok(has(text, "soap:mustUnderstand=\"true\""), "as SOAP 1.2 says it");
    ok(has(text, "#PasswordText\">s3cret</wsse:Password>"), "as text");

    ok(sync_wsse(&w, str("<a/>"), arena, &text) == SYNC_NO, "no envelope");
    w.user = str("a\x01");
    ok(sync_wsse(&w, str(bare), arena, &text) == SYNC_NO, "no user of XML's");
    w.user = str("a");
    w.password = str("\x02");
    ok(sync_wsse(&w, str(bare), arena, &text) == SYNC_NO, "no password");
}


static void
test_assertion(void)
{
    sync_str_t        payload;
    sync_error_t      err;
    sync_assertion_t  a;

    memset(&a, 0, sizeof(a));

    a.issuer = str("client");
    a.subject = str("client");
    a.audience = str("https://as.example/token");
    a.id = str("j1");
    a.now = 1000;

    ok(sync_assertion(&a, arena, &payload, &err) == SYNC_OK, "claims");
    is_str(payload, "{\"iss\":\"client\",\"sub\":\"client\",\"aud\":"
                    "\"https://as.example/token\",\"iat\":1000,\"exp\":1240,"
                    "\"jti\":\"j1\"}", "our own");

    a.claims = str("{\"sub\":\"me@acme.example\",\"scope\":[\"rest\"]}");

    ok(sync_assertion(&a, arena, &payload, &err) == SYNC_OK, "with others");
    is_str(payload, "{\"iss\":\"client\",\"aud\":\"https://as.example/token\","
                    "\"sub\":\"me@acme.example\",\"scope\":[\"rest\"],"
                    "\"iat\":1000,\"exp\":1240,\"jti\":\"j1\"}",
           "which come before ours");

    a.subject = sync_str_null;
    a.claims = str("{\"iss\":\"x\"}");

    ok(sync_assertion(&a, arena, &payload, &err) == SYNC_OK, "an issuer");
    ok(has(payload, "\"sub\":\"x\",\"iss\":\"x\""), "is its own subject");

    a.claims = str("[]");
    ok(sync_assertion(&a, arena, &payload, &err) == SYNC_NO, "no object");
}


static void
test_signed(void)
{
    sync_str_t     pem, jwks, token, header;
    sync_jws_t     jws;
    sync_jwks_t   *set;
    sync_error_t   err;
    unsigned char  text[512];

    /* self-signed, of no use to anybody */

    static const char  certificate[] =
        "-----BEGIN CERTIFICATE-----\n"
        "MIIBGTCBwKADAgECAgEBMAoGCCqGSM49BAMCMAwxCjAIBgNVBAMMAXQwHhcNMjYx\n"
        "-----END CERTIFICATE-----\n";

    sync_jose_generate(SYNC_ALG_PS256, str("k"), arena, &pem, &jwks, &err);

    ok(sync_jose_sign_as(pem, sync_str_null, SYNC_ALG_PS256, str("k"),
                         str("JWT"), str("{}"), arena, &token, &err)
       == SYNC_OK, "signed");
    ok(sync_jwks_parse(&set, arena, jwks, SYNC_JWKS_STRICT, &err) == SYNC_OK
       && sync_jws_parse(&jws, arena, token, &err) == SYNC_OK
       && sync_jws_verify(&jws, set, &err) == SYNC_OK, "and verified");
    sync_jwks_free(set);

    header.data = text;
    (void) sync_base64url_decode(text, &header.len,
                                 (sync_str_t) {
                                     (size_t) ((unsigned char *)
                                               memchr(token.data, '.',
                                                      token.len)
                                               - token.data), token.data });
    is_str(header, "{\"alg\":\"PS256\",\"kid\":\"k\",\"typ\":\"JWT\"}",
           "its header");

    ok(sync_jose_sign_as(pem, str(certificate), SYNC_ALG_PS256, str("k"),
                         str("JWT"), str("{}"), arena, &token, &err)
       == SYNC_NO, "a broken certificate");
    is_str(str(err.what), "bad-certificate", "is said to be one");
    ok(sync_jose_sign_as(pem, sync_str_null, SYNC_ALG_ES256, str("k"),
                         str("JWT"), str("{}"), arena, &token, &err)
       == SYNC_NO, "the key of another alg");
}


static void
test_answer(void)
{
    size_t               i;
    sync_rc_t            rc;
    sync_error_t         err;
    sync_token_answer_t  a;

    static const struct {
        const char  *text;
        const char  *what;               /* NULL: good */
        int64_t      lifetime;
    } cases[] = {
        { "\"expires_in\":3600", NULL, 3600000 },
        { "\"expires_in\":3599.9", NULL, 3599000 },
        { "\"expires_in\":\"3600\"", NULL, 3600000 },
        { "\"x\":1", NULL, 77000 },
        { "\"expires_in\":null", NULL, 77000 },
        { "\"expires_in\":\"soon\"", NULL, 77000 },
        { "\"expires_in\":\"\"", NULL, 77000 },
        { "\"expires_in\":[1]", NULL, 77000 },
        { "\"expires_in\":0", NULL, SYNC_TOKEN_SHORTEST },
        { "\"expires_in\":\"0\"", NULL, SYNC_TOKEN_SHORTEST },
        { "\"expires_in\":-1", NULL, SYNC_TOKEN_SHORTEST },
        { "\"expires_in\":\"-5\"", NULL, SYNC_TOKEN_SHORTEST },
        { "\"expires_in\":0.2", NULL, SYNC_TOKEN_SHORTEST },
        { "\"expires_in\":9223372036854775808", NULL, SYNC_TOKEN_LONGEST },
        { "\"expires_in\":1e300", NULL, SYNC_TOKEN_LONGEST },
        { "\"expires_in\":\"99999999999999999999999\"", NULL,
          SYNC_TOKEN_LONGEST },
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char  text[256];

        (void) snprintf(text, sizeof(text), "{\"access_token\":\"t.-_~+/=\","
                        "\"token_type\":\"bearer\",%s}", cases[i].text);

        rc = sync_token_answer(str(text), 77000, arena, &a, &err);

        ok(rc == SYNC_OK, "%s", cases[i].text);
        is_int(a.lifetime, cases[i].lifetime, "lives so long");
        is_str(a.token, "t.-_~+/=", "the token");
    }

    static const struct {
        const char  *text;
        const char  *what;
    } bad[] = {
        { "<html>", "syntax" },
        { "[]", "not-an-object" },
        { "{\"access_token\":\"t\"}", "token-type" },
        { "{\"access_token\":\"t\",\"token_type\":\"mac\"}", "token-type" },
        { "{\"access_token\":\"t\",\"token_type\":1}", "token-type" },
        { "{\"token_type\":\"Bearer\"}", "no-token" },
        { "{\"access_token\":\"\",\"token_type\":\"Bearer\"}", "no-token" },
        { "{\"access_token\":7,\"token_type\":\"Bearer\"}", "no-token" },
        { "{\"access_token\":\"a\\r\\nX: y\",\"token_type\":\"Bearer\"}",
          "no-token" },
        { "{\"access_token\":\"a b\",\"token_type\":\"Bearer\"}", "no-token" },
    };

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ok(sync_token_answer(str(bad[i].text), 77000, arena, &a, &err)
           == SYNC_NO, "%s", bad[i].text);
        is_str(str(err.what), bad[i].what, "why");
    }

    is_str(sync_token_error(str("{\"error\":\"invalid_client\","
                                "\"error_description\":\"of s3cret\"}"),
                            arena), "invalid_client", "an error's code");
    ok(sync_token_error(str("{\"error\":\"a b\"}"), arena).len == 0,
       "one that is none");
    ok(sync_token_error(str("{\"error\":{\"code\":1}}"), arena).len == 0,
       "an object");
    ok(sync_token_error(str("no"), arena).len == 0,
       "nor JSON");
}


static void
test_put(void)
{
    size_t      i;
    sync_rc_t   rc;
    sync_str_t  text;

    static const struct {
        const char  *text;
        const char  *pointer;
        const char  *want;               /* NULL: no such place */
    } cases[] = {
        { "{\"a\":1}", "/key", "{\"a\":1,\"key\":\"s\\\"1\"}" },
        { "{}", "/key", "{\"key\":\"s\\\"1\"}" },
        { "{ }", "/a~1b~0\"", "{ \"a/b~\\\"\":\"s\\\"1\"}" },
        { "{\"key\":[1,2],\"b\":2}", "/key", "{\"key\":\"s\\\"1\",\"b\":2}" },
        { "{\"p\":{\"args\":[\"db\",2,null,\"m\"]}}", "/p/args/2",
          "{\"p\":{\"args\":[\"db\",2,\"s\\\"1\",\"m\"]}}" },
        { "{\"k\":\"old\"}", "/k", "{\"k\":\"s\\\"1\"}" },
        { "{\"p\":[1]}", "/p/1", "{\"p\":[1,\"s\\\"1\"]}" },
        { "{\"p\":[]}", "/p/-", "{\"p\":[\"s\\\"1\"]}" },
        { "{\"p\":[1]}", "/p/2", NULL },
        { "{\"p\":[1]}", "/p/x", NULL },
        { "{\"p\":[1]}", "/p/", NULL },
        { "{\"p\":1}", "/p/a", NULL },
        { "{\"p\":1}", "/q/a", NULL },
        { "[]", "/0", "[\"s\\\"1\"]" },
        { "no", "/a", NULL },
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        rc = sync_body_put(str(cases[i].text), str(cases[i].pointer),
                           str("s\"1"), arena, &text);

        if (cases[i].want) {
            ok(rc == SYNC_OK, "%s in %s", cases[i].pointer, cases[i].text);
            is_str(text, cases[i].want, "is");

        } else {
            ok(rc == SYNC_NO, "no %s in %s", cases[i].pointer, cases[i].text);
        }
    }
}
