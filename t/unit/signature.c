
/*
 * Signatures of webhooks, by what their vendors publish: the tests of Standard
 * Webhooks and of HubSpot's libraries, GitHub's documentation; those of Stripe
 * and Shopify were computed by another implementation of HMAC.
 */


#include "tap.h"
#include "sync_signature.h"


#define MESSAGE    "msg_p5jXN8AQM9LWM0D4loKWxJek"
#define PAYLOAD    "{\"test\": 2432232314}"
#define SECRET     "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#define SIGNED     "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
#define PUBLIC     "whpk_ZlN4eg7dSSqi0moX9hQUk3orrOouK3QVQSlJa248c/g="
#define SIGNED_A                                                              \
    "v1a,tQ9V2XOqn7jL/DQenEFpqIugdBVtiMmER5mhSkXBNwM0mkATuDe6KYYUuxqtaiHeYGb" \
    "7KaaBRdM5WqyeFiL8Ag=="
#define OTHER      "v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc="
#define NOW        (INT64_C(1614265330) * 1000)

#define HUBSPOT    "yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy"
#define HUB_BODY   "{'example_field':'example_value'}"
#define HUB_URL    "https://www.example.com/webhook_uri"


/* One message.  A NULL header is not there. */

typedef struct {
    const char  *signature;
    const char  *timestamp;
    const char  *id;
    const char  *method;
    const char  *url;
    const char  *body;
    const char  *secret;
    int64_t      now;
} message_t;


static sync_arena_t             *arena;
static sync_signature_scheme_t   scheme;
static sync_error_t              err;


static sync_str_t
str(const char *s)
{
    return s ? (sync_str_t) { strlen(s), (unsigned char *) s } : sync_str_null;
}


/* "ok", "no", or what was wrong with headers or secret. */

static const char *
verify(const message_t *m)
{
    sync_rc_t                 rc;
    sync_signature_t          s;
    sync_signature_key_t      key;
    sync_signature_headers_t  headers;
    sync_signature_request_t  request;

    headers.signature = str(m->signature);
    headers.timestamp = str(m->timestamp);
    headers.id = str(m->id);

    rc = sync_signature_read(&s, &scheme, &headers, m->now, &err);

    if (rc != SYNC_OK) {
        return err.what;
    }

    rc = sync_signature_key(&key, scheme.profile, str(m->secret), &err);

    if (rc != SYNC_OK) {
        return err.what;
    }

    request.method = str(m->method);
    request.url = sync_signature_url(&scheme, str(m->url), arena);
    request.body = str(m->body);

    rc = sync_signature_verify(&s, &request, &key, arena);

    return rc == SYNC_OK ? "ok" : rc == SYNC_NO ? "no" : "fault";
}


#define is_verified(m, want, ...)  is_str(str(verify(m)), want, __VA_ARGS__)


static void
test_standard(void)
{
    char       list[SYNC_SIGNATURE_HEADER + 64];
    size_t     i;
    message_t  m;

    static const message_t  good = {
        SIGNED, "1614265330", MESSAGE, NULL, NULL, PAYLOAD, SECRET, NOW
    };

    sync_signature_scheme(&scheme, SYNC_SIGNATURE_STANDARD);

    m = good;
    is_verified(&m, "ok", "standard: the vector of its libraries");

    m.secret = SECRET + 6;
    is_verified(&m, "ok", "standard: a secret without its prefix");

    m = good;
    m.body = "{\"test\": 2432232315}";
    is_verified(&m, "no", "standard: one byte of the body is another");

    m = good;
    m.body = NULL;
    is_verified(&m, "no", "standard: no body");

    m = good;
    m.id = MESSAGE "x";
    is_verified(&m, "no", "standard: another id");

    m = good;
    m.timestamp = "1614265331";
    is_verified(&m, "no", "standard: another timestamp");

    m = good;
    m.secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSx";
    is_verified(&m, "no", "standard: another secret");

    m = good;
    m.signature = OTHER " v2,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc= "
                  SIGNED " " OTHER;
    is_verified(&m, "ok", "standard: one of a list");

    m.signature = SIGNED "  " OTHER " ";
    is_verified(&m, "ok", "standard: with more spaces than are due");

    m.signature = OTHER " " OTHER;
    is_verified(&m, "no", "standard: none of a list");

    /* v1a */

    m = good;
    m.signature = SIGNED_A;
    m.secret = PUBLIC;
    is_verified(&m, "ok", "v1a: the vector of its libraries");

    m.signature = SIGNED " " SIGNED_A;
    is_verified(&m, "ok", "v1a: beside a v1");

    m.secret = SECRET;
    is_verified(&m, "ok", "v1a: the v1 beside it");

    m.signature = SIGNED_A;
    is_verified(&m, "no", "v1a: a secret does not verify it");

    m.secret = PUBLIC;
    m.signature = SIGNED;
    is_verified(&m, "no", "v1a: a public key does not verify a v1");

    m.signature = SIGNED_A;
    m.body = "{\"test\": 2432232315}";
    is_verified(&m, "no", "v1a: one byte of the body is another");

    m.body = PAYLOAD;
    m.secret = "whpk_ZlN4eg7dSSqi0moX9hQUk3orrOouK3QVQSlJa248c/k=";
    ok(strcmp(verify(&m), "ok") != 0, "v1a: another key");

    /* what was wrong */

    static const struct {
        message_t    m;
        const char  *want;
        const char  *name;
    } bent[] = {
        { { NULL, "1614265330", MESSAGE, 0, 0, PAYLOAD, SECRET, NOW },
          "missing", "no signature" },
        { { SIGNED, NULL, MESSAGE, 0, 0, PAYLOAD, SECRET, NOW },
          "missing", "no timestamp" },
        { { SIGNED, "1614265330", NULL, 0, 0, PAYLOAD, SECRET, NOW },
          "missing", "no id" },
        { { "", "1614265330", MESSAGE, 0, 0, PAYLOAD, SECRET, NOW },
          "malformed", "an empty signature" },
        { { "v1,", "1614265330", MESSAGE, 0, 0, PAYLOAD, SECRET, NOW },
          "malformed", "nothing behind v1" },
        { { "v1,g0hM", "1614265330", MESSAGE, 0, 0, PAYLOAD, SECRET, NOW },
          "malformed", "a part of a signature" },
        { { "v1,dawfeoifkpqwoekfpqoekf", "1614265330", MESSAGE, 0, 0,
            PAYLOAD, SECRET, NOW },
          "malformed", "an invalid signature" },
        { { "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", "1614265330",
            MESSAGE, 0, 0, PAYLOAD, SECRET, NOW },
          "malformed", "a signature without its version" },
        { { "V1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", "1614265330",
            MESSAGE, 0, 0, PAYLOAD, SECRET, NOW },
          "malformed", "a version in upper case" },
        { { "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OF=", "1614265330",
            MESSAGE, 0, 0, PAYLOAD, SECRET, NOW },
          "malformed", "unused bits that are set" },
        { { "v1,g0hM9SsE-OTPJTGt_tmIKtSyZlE3uFJELVlNIOLJ1OE=", "1614265330",
            MESSAGE, 0, 0, PAYLOAD, SECRET, NOW },
          "malformed", "the other alphabet" },
        { { SIGNED, "hello", MESSAGE, 0, 0, PAYLOAD, SECRET, NOW },
          "malformed", "a timestamp that is none" },
        { { SIGNED, "", MESSAGE, 0, 0, PAYLOAD, SECRET, NOW },
          "malformed", "an empty timestamp" },
        { { SIGNED, "+1614265330", MESSAGE, 0, 0, PAYLOAD, SECRET, NOW },
          "malformed", "a timestamp with a sign" },
        { { SIGNED, "1614265330 ", MESSAGE, 0, 0, PAYLOAD, SECRET, NOW },
          "malformed", "a timestamp with a space" },
        { { SIGNED, "9999999999999999999999", MESSAGE, 0, 0, PAYLOAD,
            SECRET, NOW },
          "malformed", "a timestamp out of all numbers" },
        { { SIGNED, "999999999999999", MESSAGE, 0, 0, PAYLOAD, SECRET, NOW },
          "late", "a timestamp far away" },
        { { SIGNED, "1614265330", "msg_p5.1", 0, 0, PAYLOAD, SECRET, NOW },
          "malformed", "an id with a dot" },
        { { SIGNED, "1614265330", "msg p5", 0, 0, PAYLOAD, SECRET, NOW },
          "malformed", "an id with a space" },
        { { SIGNED, "1614265330", "", 0, 0, PAYLOAD, SECRET, NOW },
          "malformed", "an empty id" },
        { { SIGNED, "1614265330", MESSAGE, 0, 0, PAYLOAD, "", NOW },
          "secret", "an empty secret" },
        { { SIGNED, "1614265330", MESSAGE, 0, 0, PAYLOAD, "whsec_", NOW },
          "secret", "a prefix for a secret" },
        { { SIGNED, "1614265330", MESSAGE, 0, 0, PAYLOAD, "whsec_x!", NOW },
          "secret", "a secret that is not base64" },
        { { SIGNED, "1614265330", MESSAGE, 0, 0, PAYLOAD,
            "whsk_VEVTVFNJR05JTkdLRVlET05PVFVTRVRISVNGT1JBTlk=", NOW },
          "secret", "the sender's own key" },
        { { SIGNED, "1614265330", MESSAGE, 0, 0, PAYLOAD, "whpk_TWZLUQ==",
            NOW },
          "secret", "a public key that is too short" }
    };

    for (i = 0; i < sizeof(bent) / sizeof(bent[0]); i++) {
        is_verified(&bent[i].m, bent[i].want, "standard: %s", bent[i].name);
    }

    m = good;
    m.signature = list;

    list[0] = '\0';

    for (i = 0; i < SYNC_SIGNATURE_LIST; i++) {
        strcat(list, i == SYNC_SIGNATURE_LIST - 1 ? SIGNED : OTHER " ");
    }

    is_verified(&m, "ok", "standard: the last of %d", SYNC_SIGNATURE_LIST);

    strcat(list, " " OTHER);
    is_verified(&m, "too-large", "standard: one too many");

    memset(list, 'v', SYNC_SIGNATURE_HEADER + 1);
    list[SYNC_SIGNATURE_HEADER + 1] = '\0';
    is_verified(&m, "too-large", "standard: a header that is too long");

    list[SYNC_SIGNATURE_ID + 1] = '\0';
    m = good;
    m.id = list;
    is_verified(&m, "malformed", "standard: an id that is too long");
}


static void
test_window(void)
{
    size_t     i;
    message_t  m = { SIGNED, "1614265330", MESSAGE, NULL, NULL, PAYLOAD,
                     SECRET, NOW };

    static const struct {
        int64_t      at;
        int64_t      window;
        const char  *want;
    } cases[] = {
        { 300999,   300000, "ok" },          /* the same second, nearly over */
        { 301000,   300000, "late" },
        { -300000,  300000, "ok" },
        { -300001,  300000, "late" },
        { 0,        1000,   "ok" },
        { 1999,     1000,   "ok" },
        { 2000,     1000,   "late" },
        { -2000,    1000,   "late" }
    };

    sync_signature_scheme(&scheme, SYNC_SIGNATURE_STANDARD);

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        scheme.window = cases[i].window;
        m.now = NOW + cases[i].at;

        is_verified(&m, cases[i].want, "window: %lld ms away, %lld allowed",
                    (long long) cases[i].at, (long long) cases[i].window);
    }
}


static void
test_stripe(void)
{
    size_t  i;

    static const struct {
        const char  *header;
        const char  *body;
        const char  *secret;
        int64_t      at;
        const char  *want;
    } cases[] = {
#define S                                                                     \
    "9cd9b9866f890d44beea3cacd2e70f88c4a822eebc7b13495732174589be6cfc"
#define B  "{\"id\": \"evt_test\"}"
#define K  "whsec_test_secret"
        { "t=1492774577,v1=" S, B, K, 0, "ok" },
        { "t=1492774577, v1=" S, B, K, 0, "ok" },
        { "v1=" S ",t=1492774577", B, K, 0, "ok" },
        { "t=1492774577,v1=5257a869e7ecebeda32affa62cdca3fa51cad7e77a0e56ff536"
          "d0ce8e108d8bd,v1=" S ",v0=6ffbb59b2300aae63f272406069a9788598b792a9"
          "44a07aba816edb039989a39", B, K, 0, "ok" },
        { "t=1492774577,v0=" S, B, K, 0, "malformed" },
        { "v1=" S, B, K, 0, "malformed" },
        { "t=1492774577", B, K, 0, "malformed" },
        { "t=1492774577,t=1492774577,v1=" S, B, K, 0, "malformed" },
        { "t=,v1=" S, B, K, 0, "malformed" },
        { "t=x,v1=" S, B, K, 0, "malformed" },
        { "t=1492774577,v1=zz", B, K, 0, "malformed" },
        { "t=1492774578,v1=" S, B, K, 0, "no" },
        { "t=1492774577,v1=" S, "{\"id\": \"evt_tesT\"}", K, 0, "no" },
        { "t=1492774577,v1=" S, B, "test_secret", 0, "no" },
        { "t=1492774577,v1=" S, B, K, 301000, "late" },
        { "t=1492774577,v1=" S, B, K, -301000, "late" },
        { ",,,", B, K, 0, "malformed" }
#undef S
#undef B
#undef K
    };

    sync_signature_scheme(&scheme, SYNC_SIGNATURE_STRIPE);

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        message_t  m = { cases[i].header, NULL, NULL, "POST", NULL,
                         cases[i].body, cases[i].secret,
                         INT64_C(1492774577) * 1000 + cases[i].at };

        is_verified(&m, cases[i].want, "stripe: %zu, %s", i, cases[i].want);
    }
}


static void
test_github(void)
{
    message_t  m;

    static const char  hex[] =
        "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";

    char       upper[sizeof(hex) + 8];
    size_t     i;

    static const message_t  good = {
        "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043"
        "e17", NULL, NULL, "POST", NULL, "Hello, World!",
        "It's a Secret to Everybody", NOW
    };

    sync_signature_scheme(&scheme, SYNC_SIGNATURE_GITHUB);

    m = good;
    is_verified(&m, "ok", "github: the vector of its documentation");

    m.body = "Hello, World?";
    is_verified(&m, "no", "github: one byte of the body is another");

    m = good;
    m.secret = "It's a Secret to everybody";
    is_verified(&m, "no", "github: another secret");

    m = good;
    m.signature = hex;
    is_verified(&m, "malformed", "github: no prefix");

    m.signature = "sha1=757107ea0eb2509fc211221cce984b8a37570b6d";
    is_verified(&m, "malformed", "github: the old algorithm");

    m.signature = "sha256=";
    is_verified(&m, "malformed", "github: a prefix alone");

    m.signature = "sha25";
    is_verified(&m, "malformed", "github: less than a prefix");

    strcpy(upper, "sha256=");

    for (i = 0; hex[i]; i++) {
        upper[7 + i] = hex[i] >= 'a' ? (char) (hex[i] - 32) : hex[i];
    }

    upper[7 + i] = '\0';
    m.signature = upper;
    is_verified(&m, "ok", "github: digits in upper case");
}


static void
test_shopify(void)
{
    message_t  m;

    static const message_t  good = {
        "QNyObTlKbMx2qDlPF/ZOZcBqg5OgPg+2oky3zldc0Gw=", NULL, NULL, "POST",
        NULL, "{\"id\":1234567890,\"email\":\"customer@example.com\","
        "\"total_price\":\"123.45\"}", "test-webhook-secret", NOW
    };

    sync_signature_scheme(&scheme, SYNC_SIGNATURE_SHOPIFY);

    m = good;
    is_verified(&m, "ok", "shopify: a body and its signature");

    m.body = "{\"id\":1234567891,\"email\":\"customer@example.com\","
             "\"total_price\":\"123.45\"}";
    is_verified(&m, "no", "shopify: one byte of the body is another");

    m = good;
    m.signature = "QNyObTlKbMx2qDlPF/ZOZcBqg5OgPg+2oky3zldc0Gw";
    is_verified(&m, "malformed", "shopify: no padding");

    m.signature = "QNyObTlKbMx2qDlPF ZOZcBqg5OgPg+2oky3zldc0Gw=";
    is_verified(&m, "malformed", "shopify: a space for a plus");

    m.signature = "40dc8e6d394a6ccc76a8394f17f64e65c06a8393a03e0fb6a24cb7ce57"
                  "5cd06c";
    is_verified(&m, "malformed", "shopify: the same in hex");
}


static void
test_hubspot(void)
{
    message_t  m;

    static const message_t  good = {
        "K36dawei4A+QBNolUOqo7s91KQDWQ5MXZ/QufNYuk/Y=", "1693657560000", NULL,
        "POST", HUB_URL, HUB_BODY, HUBSPOT, INT64_C(1693657560000)
    };

    sync_signature_scheme(&scheme, SYNC_SIGNATURE_HUBSPOT);

    m = good;
    is_verified(&m, "ok", "hubspot: the vector of its Python library");

    m.signature = "RnbPH7+UMKVkbV32P8bz450N4M56aPmcru1+D3kSDtw=";
    m.timestamp = "1700000300000";
    m.now = INT64_C(1700000300000);
    is_verified(&m, "ok", "hubspot: the vector of its Ruby library");

    m.now += 300000;
    is_verified(&m, "ok", "hubspot: five minutes later");

    m.now += 1;
    is_verified(&m, "late", "hubspot: a millisecond later still");

    m.now -= 600001;
    is_verified(&m, "ok", "hubspot: five minutes too early");

    m.now -= 1;
    is_verified(&m, "late", "hubspot: a millisecond earlier still");

    m = good;
    m.timestamp = "1693657560";
    is_verified(&m, "late", "hubspot: seconds are no milliseconds");

    m = good;
    m.method = "GET";
    is_verified(&m, "no", "hubspot: another method");

    m = good;
    m.url = "http://www.example.com/webhook_uri";
    is_verified(&m, "no", "hubspot: another scheme");

    m = good;
    m.url = "https://www.example.com/webhook_uri/";
    is_verified(&m, "no", "hubspot: another path");

    m = good;
    m.timestamp = "1693657560001";
    is_verified(&m, "no", "hubspot: another timestamp");

    /* the characters of its table, in both cases, and none besides */

    m = good;
    m.signature = "iO/PnRyKHzTPQ4zsb9zygkDyCRdh461zJRm4bc9UKCQ=";
    m.url = "https://www.example.com/a%3Ab?x=%20%281%29&y=%40";
    m.body = "{}";
    is_verified(&m, "ok", "hubspot: an encoded URL");

    m.url = "https://www.example.com/a%3ab?x=%20%281%29&y=%40";
    is_verified(&m, "ok", "hubspot: in lower case");

    is_str(sync_signature_url(&scheme,
                              str("%3A%2F%3F%40%21%24%27%28%29%2A%2C%3B"),
                              arena),
           ":/?@!$'()*,;", "hubspot: all of its table");

    is_str(sync_signature_url(&scheme, str("%20%26%3D%2B%25%3%%zz%3"), arena),
           "%20%26%3D%2B%25%3%%zz%3", "hubspot: and nothing else");

    sync_signature_scheme(&scheme, SYNC_SIGNATURE_GENERIC);

    is_str(sync_signature_url(&scheme, str("/%3A"), arena), "/%3A",
           "generic: the URL as it is");
}


static void
test_generic(void)
{
    size_t     i;
    message_t  m = { NULL, "1700000000", NULL, "POST", NULL, "{\"a\":1}",
                     "key", INT64_C(1700000000000) };

    static const struct {
        const char  *text;
        const char  *why;
    } bent[] = {
        { "", "is signed once" },
        { "{timestamp}", "is signed once" },
        { "{body}{body}", "is signed once" },
        { "{body}.{nonce}", "is made of" },
        { "{body", "is made of" },
        { "{body}.1.{id}.2.{id}.3.{id}.4.{id}.5.{id}.6.{id}.7.{id}",
          "more than 12 parts" },
        { "{body}{id}{id}{id}{id}{id}{id}{id}{id}{id}{id}{id}{id}",
          "more than 12 parts" }
    };

    sync_signature_scheme(&scheme, SYNC_SIGNATURE_GENERIC);

    for (i = 0; i < sizeof(bent) / sizeof(bent[0]); i++) {
        ok(sync_signature_template(&scheme, str(bent[i].text), &err)
           == SYNC_NO && strstr(err.text, bent[i].why) != NULL,
           "template \"%s\": %s", bent[i].text, bent[i].why);
    }

    ok(sync_signature_template(&scheme, str("{timestamp}:{method}:{body}"),
                               &err)
       == SYNC_OK, "a template");
    ok(sync_signature_signs(&scheme, SYNC_SIGNED_METHOD)
       && !sync_signature_signs(&scheme, SYNC_SIGNED_URL), "what it signs");

    scheme.header = str("x-signature");
    scheme.timestamp = str("x-timestamp");
    scheme.digest = SYNC_DIGEST_SHA512;
    scheme.encoding = SYNC_SIGNATURE_BASE64;
    scheme.prefix = str("hmac ");

    m.signature = "hmac DNHkZiBLlhMLcuS9uovIjM96SGp++0pZeQ8BUyB5HkKw"
                  "fFR1OjBPAQ1tRm/zaw3mi4ZZs3uRB+tIYXqJlbIGwA==";
    is_verified(&m, "ok", "generic: SHA-512, base64, a prefix");

    m.method = "PUT";
    is_verified(&m, "no", "generic: another method");

    m.method = "POST";
    m.timestamp = "1700000000000";
    is_verified(&m, "no", "generic: as many digits count milliseconds");

    m.now += 300001;
    is_verified(&m, "late", "generic: and have their window");

    m.timestamp = NULL;
    is_verified(&m, "missing", "generic: no timestamp");

    sync_signature_scheme(&scheme, SYNC_SIGNATURE_GENERIC);

    scheme.digest = SYNC_DIGEST_SHA1;
    m.body = "body";
    m.signature = "70bbf6819d1037aa94ca7e7f537cbea25fe49283";
    is_verified(&m, "ok", "generic: SHA-1, hex");

    m.signature = "5d5d139563c95b5967b9bd9a8c9b233a9dedb4507279"
                  "4cd232dc1b74832607d0";
    is_verified(&m, "malformed", "generic: the length of another digest");

    scheme.digest = SYNC_DIGEST_SHA256;
    m.body = NULL;
    is_verified(&m, "ok", "generic: an empty body");
}


static void
test_names(void)
{
    unsigned  i;

    for (i = SYNC_SIGNATURE_STANDARD; i < SYNC_SIGNATURES; i++) {
        is_int(sync_signature_by_name(str(sync_signature_name(i))), i,
               "the name of \"%s\"", sync_signature_name(i));
    }

    is_int(sync_signature_by_name(str("")), SYNC_SIGNATURE_NONE, "no name");
    is_int(sync_signature_by_name(str("Shopify")), SYNC_SIGNATURE_NONE,
           "a name in another case");
}


static void
test_text(void)
{
    size_t         i, len;
    unsigned char  bytes[16];

    static const struct {
        const char  *text;
        int          len;                    /* -1: refused */
    } base64[] = {
        { "", 0 }, { "Zg==", 1 }, { "Zm8=", 2 }, { "Zm9v", 3 },
        { "Zm9vYg==", 4 }, { "Zg=", -1 }, { "Zg", -1 }, { "Z===", -1 },
        { "====", -1 }, { "Zh==", -1 }, { "Zm9=", -1 }, { "Zm 9", -1 },
        { "Zm9v\n", -1 }, { "Z-9_", -1 }, { "=Zm9", -1 }, { "+/+/", 3 }
    };

    static const struct {
        const char  *text;
        int          good;
    } hex[] = {
        { "", 1 }, { "00fF", 1 }, { "0", 0 }, { "0g", 0 }, { "0:", 0 },
        { "@0", 0 }, { "a`", 0 }, { " 0", 0 }
    };

    for (i = 0; i < sizeof(base64) / sizeof(base64[0]); i++) {
        len = 0;

        is_int(sync_base64_decode(bytes, &len, str(base64[i].text)) == SYNC_OK
               ? (int) len : -1, base64[i].len, "base64 \"%s\"",
               base64[i].text);
    }

    for (i = 0; i < sizeof(hex) / sizeof(hex[0]); i++) {
        is_int(sync_hex_decode(bytes, str(hex[i].text)) == SYNC_OK,
               hex[i].good, "hex \"%s\"", hex[i].text);
    }
}


int
main(void)
{
    arena = sync_arena_create(4096);

    test_names();
    test_text();
    test_standard();
    test_window();
    test_stripe();
    test_github();
    test_shopify();
    test_hubspot();
    test_generic();

    sync_arena_destroy(arena);

    return done_testing();
}
