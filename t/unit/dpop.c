
/*
 * Proofs of a client's own key (RFC 9449), thumbprints of keys (RFC 7638) and
 * the one form of a URL (RFC 3986, 6).
 */


#include "tap.h"
#include "sync_crypto.h"
#include "sync_dpop.h"
#include "sync_uri.h"


#define NOW    1562262618
#define TOKEN  "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"
#define URL    "https://resource.example.org/protectedresource"
#define ATH    "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo"

#define RFC_X  "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs"
#define RFC_Y  "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA"
#define EC     "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" RFC_X              \
               "\",\"y\":\"" RFC_Y "\""
#define JKT    "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"

#define CLAIMS                                                                \
    "{\"jti\":\"e1j3V_bKic8-LAEB\",\"htm\":\"GET\",\"htu\":\"" URL "\","      \
    "\"iat\":1562262618,\"ath\":\"" ATH "\"}"
#define HEADER  "{\"typ\":\"dpop+jwt\",\"alg\":\"ES256\",\"jwk\":{" EC "}}"


/* The proof of RFC 9449, 7.1. */

static const char  rfc_proof[] =
    "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6"
    "Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZF"
    "NGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2"
    "In19.eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM"
    "6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI"
    "2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVF"
    "FbyJ9.2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy"
    "1dqd-jfxSYoMxhAJpLjA";

/* And one that is for a token endpoint: no ath. */

static const char  rfc_first[] =
    "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6"
    "Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZF"
    "NGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2"
    "In19.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHB"
    "zOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8"
    "lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37x"
    "RZT3Lg";


static sync_str_t text(const char *s);
static sync_str_t part(sync_str_t to, const char *s);
static sync_str_t proof(const char *header, const char *claims);
static sync_dpop_policy_t policy(void);
static void proof_is(sync_str_t proof, const sync_dpop_policy_t *policy,
    const char *what, const char *name);
static void test_rfc(void);
static void test_header(void);
static void test_claims(void);
static void test_times(void);
static void test_thumbprint(void);
static void thumbprint_is(const char *jwk, const char *want,
    const char *name);
static void test_uri(void);
static void uri_is(const char *uri, const char *want);


static sync_arena_t  *arena;


int
main(void)
{
    arena = sync_arena_create(65536);

    test_rfc();
    test_header();
    test_claims();
    test_times();
    test_thumbprint();
    test_uri();

    sync_arena_destroy(arena);

    return done_testing();
}


static sync_str_t
text(const char *s)
{
    return (sync_str_t) { strlen(s), (unsigned char *) (uintptr_t) s };
}


static sync_str_t
part(sync_str_t to, const char *s)
{
    if (to.len) {
        to.data[to.len++] = '.';
    }

    to.len += sync_base64url_encode(to.data + to.len, s, strlen(s));

    return to;
}


/* Its signature is worth nothing: all else is looked at before. */

static sync_str_t
proof(const char *header, const char *claims)
{
    char        signature[65];
    sync_str_t  s;

    memset(signature, 's', 64);
    signature[64] = '\0';

    s.len = 0;
    s.data = sync_alloc(arena, 2 * (strlen(header) + strlen(claims)) + 200);

    return part(part(part(s, header), claims), signature);
}


static sync_dpop_policy_t
policy(void)
{
    sync_dpop_policy_t  p;

    p.method = text("GET");
    p.url = text(URL);
    p.token = text(TOKEN);
    p.now = NOW;
    p.age = 60;
    p.leeway = 5;

    return p;
}


static void
proof_is(sync_str_t proof, const sync_dpop_policy_t *policy, const char *what,
    const char *name)
{
    sync_rc_t     rc;
    sync_dpop_t   dpop;
    sync_error_t  err;

    err.what = "none";
    rc = sync_dpop_verify(&dpop, arena, proof, policy, &err);

    if (!ok(what ? rc == SYNC_NO && strcmp(err.what, what) == 0
                 : rc == SYNC_OK, "%s: %s", name, what ? what : "passes"))
    {
        diag("rc %d, %s", rc, err.what);
    }
}


static void
test_rfc(void)
{
    char                other[sizeof(rfc_proof)];
    sync_str_t          jkt;
    sync_dpop_t         dpop;
    sync_error_t        err;
    sync_dpop_policy_t  p;

    p = policy();

    is_int(sync_dpop_verify(&dpop, arena, text(rfc_proof), &p, &err),
           SYNC_OK, "RFC 9449, 7.1");

    jkt.len = SYNC_THUMBPRINT_LEN;
    jkt.data = dpop.jkt;
    is_str(jkt, JKT, "its key");
    is_str(dpop.jti, "e1j3V_bKic8-LAEB", "its id");
    is_int(dpop.issued, NOW, "its time");
    ok(dpop.nonce.data == NULL, "no nonce");

    memcpy(other, rfc_proof, sizeof(other));
    other[sizeof(other) - 20] ^= 1;
    proof_is(text(other), &p, "bad-signature", "one bit of the signature");

    p.method = text("POST");
    p.url = text("https://server.example.com/token");
    proof_is(text(rfc_first), &p, "ath", "RFC 9449, for a token endpoint");
}


static void
test_header(void)
{
    char                large[SYNC_DPOP_SIZE + 2];
    sync_dpop_policy_t  p;

    p = policy();

    memset(large, 'a', sizeof(large));
    large[sizeof(large) - 1] = '\0';

    proof_is(text(large), &p, "too-large", "more than its bound");
    proof_is(text(""), &p, "malformed", "nothing");
    proof_is(text("a.b"), &p, "malformed", "two parts");
    proof_is(text("a.b.c.d.e"), &p, "encrypted", "five parts");

    proof_is(proof(HEADER, CLAIMS), &p, "bad-signature", "all but signed");
    proof_is(proof("{\"alg\":\"ES256\",\"jwk\":{" EC "}}", CLAIMS), &p,
             "typ", "no typ");
    proof_is(proof("{\"typ\":\"JWT\",\"alg\":\"ES256\",\"jwk\":{" EC "}}",
                   CLAIMS), &p, "typ", "another typ");
    proof_is(proof("{\"typ\":\"dpop+jwt\",\"alg\":\"none\",\"jwk\":{" EC "}}",
                   CLAIMS), &p, "alg-not-allowed", "alg none");
    proof_is(proof("{\"typ\":\"dpop+jwt\",\"alg\":\"HS256\",\"jwk\":{\"kty\":"
                   "\"oct\",\"k\":\"" RFC_X "\"}}", CLAIMS), &p,
             "alg-not-allowed", "a shared secret");
    proof_is(proof("{\"typ\":\"dpop+jwt\",\"alg\":\"ES256\",\"jwk\":{\"kty\":"
                   "\"oct\",\"k\":\"" RFC_X "\"}}", CLAIMS), &p,
             "bad-key", "a shared secret as ES256");
    proof_is(proof("{\"typ\":\"dpop+jwt\",\"alg\":\"RS256\",\"jwk\":{" EC "}}",
                   CLAIMS), &p, "alg-not-allowed", "another kind of key");
    proof_is(proof("{\"typ\":\"dpop+jwt\",\"alg\":\"ES256\"}", CLAIMS), &p,
             "bad-key", "no key");
    proof_is(proof("{\"typ\":\"dpop+jwt\",\"alg\":\"ES256\",\"jwk\":[]}",
                   CLAIMS), &p, "bad-key", "a key that is no object");
    proof_is(proof("{\"typ\":\"dpop+jwt\",\"alg\":\"ES256\",\"jwk\":{" EC
                   ",\"d\":\"" RFC_X "\"}}", CLAIMS), &p,
             "bad-key", "a private key");
    proof_is(proof("{\"typ\":\"dpop+jwt\",\"alg\":\"ES256\",\"jwk\":{" EC
                   ",\"use\":\"enc\"}}", CLAIMS), &p,
             "bad-key", "a key for encryption");
    proof_is(proof("{\"typ\":\"dpop+jwt\",\"alg\":\"RS256\",\"jwk\":{\"kty\":"
                   "\"RSA\",\"e\":\"AQAB\",\"n\":\"" RFC_X "\"}}", CLAIMS),
             &p, "bad-key", "a short RSA key");
    proof_is(proof("{\"typ\":\"dpop+jwt\",\"alg\":\"ES256\",\"crit\":[\"x\"],"
                   "\"jwk\":{" EC "}}", CLAIMS), &p,
             "crit", "an extension");
}


static void
test_claims(void)
{
    char                long_id[600];
    sync_dpop_policy_t  p;

    p = policy();

    proof_is(proof(HEADER, "[]"), &p, "bad-claim", "claims that are a list");
    proof_is(proof(HEADER, "{"), &p, "syntax", "claims that are no JSON");
    proof_is(proof(HEADER, "{\"jti\":\"a\",\"jti\":\"b\"}"), &p,
             "duplicate-member", "a claim that comes twice");
    proof_is(proof(HEADER, "{\"htm\":\"GET\",\"htu\":\"" URL "\",\"iat\":"
                   "1562262618,\"ath\":\"" ATH "\"}"), &p, "bad-claim",
             "no jti");
    proof_is(proof(HEADER, "{\"jti\":7,\"htm\":\"GET\",\"htu\":\"" URL
                   "\",\"iat\":1562262618,\"ath\":\"" ATH "\"}"), &p,
             "bad-claim", "a jti that is a number");

    strcpy(long_id, "{\"jti\":\"");
    memset(long_id + 8, 'x', 257);
    strcpy(long_id + 265, "\",\"htm\":\"GET\",\"htu\":\"" URL "\",\"iat\":"
           "1562262618,\"ath\":\"" ATH "\"}");
    proof_is(proof(HEADER, long_id), &p, "bad-claim", "a jti without end");

    proof_is(proof(HEADER, "{\"jti\":\"a\",\"nonce\":7,\"htm\":\"GET\","
                   "\"htu\":\"" URL "\",\"iat\":1562262618,\"ath\":\"" ATH
                   "\"}"), &p, "bad-claim", "a nonce that is a number");
    proof_is(proof(HEADER, "{\"jti\":\"a\",\"htu\":\"" URL "\",\"iat\":"
                   "1562262618,\"ath\":\"" ATH "\"}"), &p, "htm", "no htm");
    proof_is(proof(HEADER, "{\"jti\":\"a\",\"htm\":\"GET\",\"iat\":"
                   "1562262618,\"ath\":\"" ATH "\"}"), &p, "htu", "no htu");
    proof_is(proof(HEADER, "{\"jti\":\"a\",\"htm\":\"get\",\"htu\":\"" URL
                   "\",\"iat\":1562262618,\"ath\":\"" ATH "\"}"), &p, "htm",
             "methods have a case");
    proof_is(proof(HEADER, "{\"jti\":\"a\",\"htm\":\"GET\",\"htu\":\""
                   "/protectedresource\",\"iat\":1562262618,\"ath\":\"" ATH
                   "\"}"), &p, "htu", "a URL that is not absolute");
    proof_is(proof(HEADER, "{\"jti\":\"a\",\"htm\":\"GET\",\"htu\":\""
                   "HTTPS://Resource.Example.org:443/x/../%70rotected"
                   "resource?q=1#f\",\"iat\":1562262618,\"ath\":\"" ATH
                   "\"}"), &p, "bad-signature", "the same URL otherwise");

    p.method = text("POST");
    proof_is(text(rfc_proof), &p, "htm", "another method");

    p = policy();
    p.url = text("https://resource.example.org/other");
    proof_is(text(rfc_proof), &p, "htu", "another URL");

    p = policy();
    p.token = text("other");
    proof_is(text(rfc_proof), &p, "ath", "another token");
}


static void
test_times(void)
{
    sync_dpop_policy_t  p;

    p = policy();

    p.now = NOW + 65;
    proof_is(text(rfc_proof), &p, NULL, "as old as it may be");
    p.now = NOW + 66;
    proof_is(text(rfc_proof), &p, "iat", "older");
    p.now = NOW - 5;
    proof_is(text(rfc_proof), &p, NULL, "of a clock that is ahead");
    p.now = NOW - 6;
    proof_is(text(rfc_proof), &p, "iat", "of the future");

    p = policy();
    proof_is(proof(HEADER, "{\"jti\":\"a\",\"htm\":\"GET\",\"htu\":\"" URL
                   "\",\"ath\":\"" ATH "\"}"), &p, "bad-claim", "no iat");
    proof_is(proof(HEADER, "{\"jti\":\"a\",\"htm\":\"GET\",\"htu\":\"" URL
                   "\",\"iat\":\"1562262618\",\"ath\":\"" ATH "\"}"), &p,
             "bad-claim", "iat as text");
    proof_is(proof(HEADER, "{\"jti\":\"a\",\"htm\":\"GET\",\"htu\":\"" URL
                   "\",\"iat\":1e300,\"ath\":\"" ATH "\"}"), &p,
             "bad-claim", "iat beyond all times");
    proof_is(proof(HEADER, "{\"jti\":\"a\",\"htm\":\"GET\",\"htu\":\"" URL
                   "\",\"iat\":1562262618.7,\"ath\":\"" ATH "\"}"), &p,
             "bad-signature", "iat with a fraction");
}


static void
test_thumbprint(void)
{
    thumbprint_is("{" EC "}", JKT, "EC, of RFC 9449");
    thumbprint_is("{\"use\":\"sig\",\"kid\":\"1\"," EC "}", JKT,
                  "other members do not count");

    thumbprint_is("{\"kty\":\"RSA\",\"n\":\"0vx7agoebGcQSuuPiLJXZptN9nndrQmbX"
                  "Eps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJEC"
                  "PebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7"
                  "_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb"
                  "9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4v"
                  "MQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur"
                  "-kEgU8awapJzKnqDKgw\",\"e\":\"AQAB\",\"alg\":\"RS256\","
                  "\"kid\":\"2011-04-29\"}",
                  "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs",
                  "RSA, of RFC 7638");

    thumbprint_is("{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS"
                  "_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}",
                  "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",
                  "OKP, of RFC 8037");

    thumbprint_is("{\"kty\":\"oct\",\"k\":\"AA\"}", NULL, "a secret");
    thumbprint_is("{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\"}", NULL,
                  "half a point");
    thumbprint_is("{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"A\\\"A\"}",
                  NULL, "what is not base64url");
    thumbprint_is("[]", NULL, "no object");
}


static void
thumbprint_is(const char *jwk, const char *want, const char *name)
{
    sync_rc_t      rc;
    sync_str_t     s;
    sync_value_t  *value;
    unsigned char  print[SYNC_THUMBPRINT_LEN];

    value = NULL;
    (void) sync_value_parse(&value, arena, text(jwk), 0, NULL);

    rc = sync_jwk_thumbprint(value, arena, print);

    if (want == NULL) {
        is_int(rc, SYNC_NO, "thumbprint: %s", name);

    } else {
        s.len = rc == SYNC_OK ? sizeof(print) : 0;
        s.data = print;
        is_str(s, want, "thumbprint: %s", name);
    }

    sync_value_free(value);
}


static void
test_uri(void)
{
    uri_is("https://a.example", "https://a.example/");
    uri_is("HTTPS://A.Example/B", "https://a.example/B");
    uri_is("http://a.example:80/", "http://a.example/");
    uri_is("https://a.example:443/", "https://a.example/");
    uri_is("https://a.example:0443/", "https://a.example/");
    uri_is("https://a.example:/", "https://a.example/");
    uri_is("http://a.example:443/", "http://a.example:443/");
    uri_is("https://a.example:8443/b", "https://a.example:8443/b");
    uri_is("https://[2001:DB8::1]:8443/b", "https://[2001:db8::1]:8443/b");
    uri_is("https://[2001:DB8::1]", "https://[2001:db8::1]/");
    uri_is("https://a.example?q", "https://a.example/");
    uri_is("https://a.example#f", "https://a.example/");
    uri_is("https://a.example/b?q=/../#f", "https://a.example/b");
    uri_is("https://a.example/b#f?q", "https://a.example/b");
    uri_is("https://a.example/%7eb/%c3%a4%2f", "https://a.example/~b/%C3%A4%2F");
    uri_is("https://a.example/a/./b/../c", "https://a.example/a/c");
    uri_is("https://a.example/a/%2e%2E/c", "https://a.example/c");
    uri_is("https://a.example/../../c", "https://a.example/c");
    uri_is("https://a.example/a/..", "https://a.example/");
    uri_is("https://a.example/a/.", "https://a.example/a/");
    uri_is("https://a.example//a//..", "https://a.example//a/");
    uri_is("https://a.example/...", "https://a.example/...");
    uri_is("https://a.example/|", "https://a.example/|");

    uri_is("", NULL);
    uri_is("/a", NULL);
    uri_is("ftp://a.example/", NULL);
    uri_is("https:a.example", NULL);
    uri_is("https:///a", NULL);
    uri_is("https://user@a.example/", NULL);
    uri_is("https://a.example:x/", NULL);
    uri_is("https://a.example:123456/", NULL);
    uri_is("https://a b/", NULL);
    uri_is("https://[::1/", NULL);
    uri_is("https://a]b/", NULL);
    uri_is("https://a.example/%", NULL);
    uri_is("https://a.example/%4", NULL);
    uri_is("https://a.example/%4g", NULL);
    uri_is("https://a.example/a b", NULL);
    uri_is("https://a.example/a\x7f", NULL);
}


static void
uri_is(const char *uri, const char *want)
{
    sync_rc_t     rc;
    sync_str_t    s;
    sync_error_t  err;

    rc = sync_uri_normal(&s, arena, text(uri), &err);

    if (want == NULL) {
        ok(rc == SYNC_NO && strcmp(err.what, "uri") == 0, "no URL: %s", uri);

    } else {
        is_str(s, want, "%s", uri);
    }
}
