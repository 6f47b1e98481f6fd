
/*
 * Key sets and signed tokens: the cookbook of RFC 7520 and 8037, and what
 * attackers send.
 */


#include "tap.h"
#include "sync_crypto.h"
#include "sync_jose_sign.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <time.h>


static sync_str_t text(const char *s);
static sync_str_t join(const char *fmt, ...)
    __attribute__((format(printf, 1, 2)));
static sync_str_t base64url(sync_str_t s);
static sync_str_t token_of(const char *header, const char *payload,
    const char *signature);
static sync_str_t signed_by(sync_str_t pem, const char *header,
    const char *payload);
static sync_jwks_t *keys_of(const char *json, unsigned flags);
static void parse_is(sync_str_t token, const char *what, const char *name);
static void verify_is(sync_str_t token, sync_jwks_t *set, const char *what,
    const char *name);
static void keys_are(const char *json, unsigned flags, const char *what,
    const char *pointer, const char *name);

static void make_keys(void);
static void test_algs(void);
static void test_cookbook(void);
static void test_cookbook_file(const char *file, const char *key_file,
    unsigned flags, unsigned compact);
static void test_curve25519(void);
static void test_round_trip(void);
static void test_parse(void);
static void test_confusion(void);
static void test_choice(void);
static void test_key_sets(void);
static void time_verify(sync_alg_e alg);


static sync_arena_t  *arena;
static sync_str_t     pems[SYNC_ALG_COUNT];
static sync_str_t     sets[SYNC_ALG_COUNT];

/* what the suite has given, so that a file that is gone is missed */

static struct {
    int  verified;
    int  detached;
    int  serialised;
} cookbook;


int
main(void)
{
    int  alg;

    arena = sync_arena_create(65536);

    make_keys();

    test_algs();
    test_cookbook();
    test_curve25519();
    test_round_trip();
    test_parse();
    test_confusion();
    test_choice();
    test_key_sets();

    is_int(ERR_peek_error(), 0, "nothing is left in OpenSSL's error queue");

    for (alg = SYNC_ALG_RS256; alg <= SYNC_ALG_EDDSA; alg += 3) {
        time_verify((sync_alg_e) alg);
    }

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


static sync_str_t
base64url(sync_str_t s)
{
    sync_str_t  t;

    t.data = sync_alloc(arena, sync_base64_room(s.len) + 1);
    t.len = sync_base64url_encode(t.data, s.data, s.len);
    t.data[t.len] = '\0';

    return t;
}


static sync_str_t
token_of(const char *header, const char *payload, const char *signature)
{
    return join("%s.%s.%s", base64url(text(header)).data,
                base64url(text(payload)).data, signature);
}


/* RS256, under a header of our own */

static sync_str_t
signed_by(sync_str_t pem, const char *header, const char *payload)
{
    BIO           *bio;
    size_t         len;
    EVP_PKEY      *pkey;
    EVP_MD_CTX    *ctx;
    sync_str_t     input;
    unsigned char  sig[512];

    input = join("%s.%s", base64url(text(header)).data,
                 base64url(text(payload)).data);

    bio = BIO_new_mem_buf(pem.data, (int) pem.len);
    pkey = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    ctx = EVP_MD_CTX_new();
    len = sizeof(sig);

    EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, pkey);
    EVP_DigestSign(ctx, sig, &len, input.data, input.len);

    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(pkey);
    BIO_free(bio);

    return join("%s.%s", input.data,
                base64url((sync_str_t) { len, sig }).data);
}


static sync_jwks_t *
keys_of(const char *json, unsigned flags)
{
    sync_jwks_t   *set;
    sync_error_t   err;

    if (sync_jwks_parse(&set, arena, text(json), flags, &err) != SYNC_OK) {
        diag("keys: %s", err.text);
        return NULL;
    }

    return set;
}


/* what NULL: well formed */

static void
parse_is(sync_str_t token, const char *what, const char *name)
{
    sync_rc_t     rc;
    sync_jws_t    jws;
    sync_error_t  err;

    err.what = "none";
    rc = sync_jws_parse(&jws, arena, token, &err);

    if (!ok(what ? (rc == SYNC_NO && strcmp(err.what, what) == 0)
                 : rc == SYNC_OK, "token: %s", name))
    {
        diag("rc %d, %s", rc, err.what);
    }
}


/* what NULL: verifies */

static void
verify_is(sync_str_t token, sync_jwks_t *set, const char *what,
    const char *name)
{
    sync_rc_t     rc;
    sync_jws_t    jws;
    sync_error_t  err;

    err.what = "none";
    rc = sync_jws_parse(&jws, arena, token, &err);

    if (rc == SYNC_OK) {
        rc = sync_jws_verify(&jws, set, &err);
    }

    if (!ok(what ? (rc == SYNC_NO && strcmp(err.what, what) == 0)
                 : rc == SYNC_OK, "%s: %s", name, what ? what : "verified"))
    {
        diag("rc %d, %s", rc, err.what);
    }
}


/* what NULL: taken, and pointer the number of keys */

static void
keys_are(const char *json, unsigned flags, const char *what,
    const char *pointer, const char *name)
{
    sync_rc_t      rc;
    sync_jwks_t   *set;
    sync_error_t   err;

    err.what = "none";
    err.pointer = sync_str_null;
    rc = sync_jwks_parse(&set, arena, text(json), flags, &err);

    if (what == NULL) {
        if (!ok(rc == SYNC_OK && sync_jwks_count(set)
                == (size_t) atoi(pointer), "keys: %s", name))
        {
            diag("rc %d, %s", rc, err.what);
        }

        sync_jwks_free(set);
        return;
    }

    if (!ok(rc == SYNC_NO && set == NULL && strcmp(err.what, what) == 0
            && sync_str_is(err.pointer, pointer), "keys: %s", name))
    {
        diag("rc %d, %s at %.*s", rc, err.what, (int) err.pointer.len,
             (char *) err.pointer.data);
    }
}


static void
make_keys(void)
{
    int           alg;
    sync_error_t  err;

    for (alg = SYNC_ALG_RS256; alg <= SYNC_ALG_EDDSA; alg++) {

        /* one RSA key for all that use RSA: generating them takes long */

        if (alg > SYNC_ALG_RS256 && alg <= SYNC_ALG_PS512) {
            pems[alg] = pems[SYNC_ALG_RS256];
            continue;
        }

        if (sync_jose_generate((sync_alg_e) alg, text("k1"), arena,
                               &pems[alg], &sets[alg], &err)
            != SYNC_OK)
        {
            diag("no key for %s", sync_alg_name((sync_alg_e) alg));
        }

        /* with a NUL behind it */

        sets[alg] = sync_strdup(arena, sets[alg]);
    }
}


static void
test_algs(void)
{
    int         alg, good;
    sync_str_t  pem, jwks;

    for (alg = 1, good = 1; alg < SYNC_ALG_COUNT; alg++) {
        good &= sync_alg_find(text(sync_alg_name((sync_alg_e) alg)))
                == (sync_alg_e) alg;
    }

    ok(good, "algs by name");
    is_int(sync_alg_find(text("none")), SYNC_ALG_NONE, "none is none");
    is_int(sync_alg_find(text("rs256")), SYNC_ALG_NONE, "case counts");
    is_int(sync_alg_find(text("ES256K")), SYNC_ALG_NONE, "ES256K");
    is_int(sync_alg_find(sync_str_null), SYNC_ALG_NONE, "nothing");
    is_int(sync_jose_generate(SYNC_ALG_HS256, text("k"), arena, &pem, &jwks,
                              NULL), SYNC_NO, "HS256 has no key pair");
}


static void
test_cookbook(void)
{
    sync_str_t  s;

    s = suite_file(arena, "jose/jws/4_1.rsa_v15_signature.json");

    if (s.data == NULL) {
        skip("the cookbook of RFC 7520 (jose/) is absent");
        return;
    }

    test_cookbook_file("4_1.rsa_v15_signature", "3_3.rsa_public_key", 0, 1);
    test_cookbook_file("4_2.rsa-pss_signature", "3_3.rsa_public_key", 0, 1);
    test_cookbook_file("4_3.ecdsa_signature", "3_1.ec_public_key", 0, 1);
    test_cookbook_file("4_4.hmac-sha2_integrity_protection",
                       "3_5.symmetric_key_mac_computation", SYNC_JWKS_OCT, 1);
    test_cookbook_file("4_5.signature_with_detached_content",
                       "3_5.symmetric_key_mac_computation", SYNC_JWKS_OCT, 0);
    test_cookbook_file("4_6.protecting_specific_header_fields",
                       "3_5.symmetric_key_mac_computation", SYNC_JWKS_OCT, 0);
    test_cookbook_file("4_7.protecting_content_only",
                       "3_5.symmetric_key_mac_computation", SYNC_JWKS_OCT, 0);
    test_cookbook_file("4_8.multiple_signatures", "3_3.rsa_public_key", 0, 0);

    is_int(cookbook.verified, 4, "of RFC 7520 all compact ones verify");
    is_int(cookbook.detached, 1, "the detached one is refused");
    is_int(cookbook.serialised, 15, "and so are those in JSON, general and "
           "flattened");

    s = suite_file(arena, "jose/jwk/3_4.rsa_private_key.json");
    keys_are((char *) join("{\"keys\":[%s]}", s.data).data, SYNC_JWKS_STRICT,
             "bad-key", "/keys/0/d", "the private RSA key of the cookbook");

    s = suite_file(arena, "jose/jwk/3_2.ec_private_key.json");
    keys_are((char *) join("{\"keys\":[%s]}", s.data).data, SYNC_JWKS_STRICT,
             "bad-key", "/keys/0/d", "the private EC key of the cookbook");

    s = suite_file(arena, "jose/jwk/3_6.symmetric_key_encryption.json");
    keys_are((char *) join("{\"keys\":[%s]}", s.data).data,
             SYNC_JWKS_STRICT | SYNC_JWKS_OCT, "no-keys", "",
             "a key for encryption");
}


static void
test_cookbook_file(const char *file, const char *key_file, unsigned flags,
    unsigned compact)
{
    int                  i;
    sync_str_t           s, token, payload;
    sync_jws_t           jws;
    sync_jwks_t         *set;
    sync_error_t         err;
    sync_value_t        *v;
    sync_json_out_t      out;
    const sync_value_t  *output;

    static const char  *serialised[] = { "json", "json_flat" };

    s = suite_file(arena, (char *) join("jose/jws/%s.json", file).data);

    if (sync_value_parse(&v, arena, s, 0, &err) != SYNC_OK) {
        ok(0, "%s: %s", file, err.text);
        return;
    }

    s = suite_file(arena, (char *) join("jose/jwk/%s.json", key_file).data);
    set = keys_of((char *) join("{\"keys\":[%s]}", s.data).data, flags);

    output = sync_value_get(v, "output");
    token = sync_value_str(sync_value_get(output, "compact"));

    if (compact) {
        payload = sync_value_str(sync_value_resolve(v,
                                                    text("/input/payload")));

        verify_is(token, set, NULL, file);
        sync_jws_parse(&jws, arena, token, NULL);
        is_str(jws.payload, (char *) payload.data, "%s: payload", file);
        is_str(jws.kid, (char *) sync_value_str(sync_value_resolve(v,
               text("/signing/protected/kid"))).data, "%s: kid", file);

        token = sync_strdup(arena, token);
        token.data[token.len - 3] = token.data[token.len - 3] == 'A' ? 'B'
                                                                     : 'A';
        verify_is(token, set, "bad-signature", file);

        cookbook.verified++;

    } else if (token.data != NULL) {
        parse_is(token, "malformed", "detached content");
        cookbook.detached++;
    }

    for (i = 0; i < 2; i++) {
        if (sync_value_get(output, serialised[i]) == NULL) {
            continue;
        }

        sync_json_begin(&out, arena, 4096, 0);
        sync_value_write(&out, sync_value_get(output, serialised[i]));
        sync_json_end(&out, &token);
        parse_is(token, "malformed", file);
        cookbook.serialised++;
    }

    sync_jwks_free(set);
    sync_value_free(v);
}


/* RFC 8037, appendix A.4 */

static void
test_curve25519(void)
{
    int                   i;
    sync_str_t            s, token;
    sync_jws_t            jws;
    sync_jwks_t          *set;
    sync_value_t         *v;
    sync_json_out_t       out;

    static const char  *serialised[] = { "/output/json", "/output/json_flat" };

    s = suite_file(arena, "jose/curve25519/jws.json");

    if (s.data == NULL
        || sync_value_parse(&v, arena, s, 0, NULL) != SYNC_OK)
    {
        skip("the example of RFC 8037 (jose/) is absent");
        return;
    }

    s = sync_value_str(sync_value_resolve(v, text("/input/key/x")));
    token = sync_value_str(sync_value_resolve(v, text("/output/compact")));

    set = keys_of((char *) join("{\"keys\":[{\"kty\":\"OKP\",\"crv\":"
                                "\"Ed25519\",\"x\":\"%s\"}]}",
                                s.data).data, SYNC_JWKS_STRICT);

    verify_is(token, set, NULL, "Ed25519");
    sync_jws_parse(&jws, arena, token, NULL);
    is_str(jws.payload, "Example of Ed25519 signing", "Ed25519 payload");

    for (i = 0; i < 2; i++) {
        sync_json_begin(&out, arena, 4096, 0);
        sync_value_write(&out, sync_value_resolve(v, text(serialised[i])));
        sync_json_end(&out, &token);
        parse_is(token, "malformed", serialised[i]);
    }

    sync_jwks_free(set);
    sync_value_free(v);
}


static void
test_round_trip(void)
{
    int           alg, i;
    sync_str_t    token, jwks;
    const char   *name;
    sync_jwks_t  *set;

    for (alg = SYNC_ALG_RS256; alg <= SYNC_ALG_EDDSA; alg++) {
        name = sync_alg_name((sync_alg_e) alg);
        jwks = sets[alg];

        if (jwks.data == NULL) {

            /* the RSA key, free of its pin */

            jwks = sync_strdup(arena, sets[SYNC_ALG_RS256]);
            memcpy(strstr((char *) jwks.data, "RS256"), name, 5);
        }

        set = keys_of((char *) jwks.data, SYNC_JWKS_STRICT);

        if (!ok(set != NULL, "%s key", name)) {
            continue;
        }

        /* twice and more: the context is used again */

        for (i = 0; i < 20; i++) {
            sync_jose_sign(pems[alg], (sync_alg_e) alg, text("k1"),
                           text("at+jwt"), join("{\"n\":%d}", i), arena,
                           &token, NULL);

            if (i < 2 || i == 19) {
                verify_is(token, set, NULL, name);
            }

            token.data[token.len - 6] = token.data[token.len - 6] == 'x'
                                        ? 'y' : 'x';

            if (i < 2 || i == 19) {
                verify_is(token, set, "bad-signature", name);
            }
        }

        sync_jwks_free(set);
    }
}


static void
test_parse(void)
{
    size_t       i;
    sync_str_t   s;
    const char  *good;

    static const struct {
        const char  *header;
        const char  *what;
    } headers[] = {
        { "{\"alg\":\"RS256\"}", NULL },
        { "{\"alg\":\"RS256\",\"kid\":\"k1\",\"typ\":\"JWT\"}", NULL },
        { "{\"alg\":\"RS256\",\"x\":123456789012345678901}", NULL },
        { "{\"alg\":\"none\"}", "alg-not-allowed" },
        { "{\"alg\":\"None\"}", "alg-not-allowed" },
        { "{\"alg\":\"NONE\"}", "alg-not-allowed" },
        { "{\"alg\":\"\"}", "alg-not-allowed" },
        { "{\"alg\":\"rs256\"}", "alg-not-allowed" },
        { "{\"alg\":\"RS256 \"}", "alg-not-allowed" },
        { "{\"alg\":\"RSA-OAEP\"}", "alg-not-allowed" },
        { "{}", "malformed" },
        { "{\"alg\":null}", "malformed" },
        { "{\"alg\":[\"RS256\"]}", "malformed" },
        { "{\"alg\":\"RS256\",\"alg\":\"HS256\"}", "malformed" },
        { "{\"alg\":\"RS256\",\"kid\":\"a\",\"kid\":\"b\"}", "malformed" },
        { "{\"alg\":\"RS256\",\"\\u0061lg\":\"none\"}", "malformed" },
        { "{\"alg\":\"RS256\",\"kid\":1}", "malformed" },
        { "{\"alg\":\"RS256\",\"kid\":null}", "malformed" },
        { "{\"alg\":\"RS256\",\"kid\":\"a\\u0000\"}", "malformed" },
        { "{\"alg\":\"RS256\",\"typ\":{}}", "malformed" },
        { "{\"alg\":\"RS256\",\"crit\":[\"exp\"]}", "crit" },
        { "{\"alg\":\"RS256\",\"crit\":[]}", "crit" },
        { "{\"alg\":\"RS256\",\"crit\":null}", "crit" },
        { "{\"alg\":\"RS256\",\"b64\":false}", "crit" },
        { "[\"RS256\"]", "malformed" },
        { "\"RS256\"", "malformed" },
        { "{\"alg\":\"RS256\"} {}", "malformed" },
        { "{\"alg\":\"RS256\",}", "malformed" },
        { "{'alg':'RS256'}", "malformed" },
        { "{\"alg\":\"RS256\xff\"}", "malformed" },
        { "nonsense", "malformed" }
    };

    /* eyJhbGciOiJSUzI1NiJ9 is {"alg":"RS256"} */

    static const struct {
        const char  *token;
        const char  *what;
        const char  *name;
    } tokens[] = {
        { "eyJhbGciOiJSUzI1NiJ9.e30.AAAA", NULL, "well formed" },
        { "eyJhbGciOiJSUzI1NiJ9.e30.AAAA.", "malformed", "four parts" },
        { "eyJhbGciOiJSUzI1NiJ9.e30.AA.AA.AA", "encrypted", "five parts" },
        { "......", "encrypted", "dots" },
        { "..", "malformed", "two dots" },
        { "", "malformed", "nothing" },
        { "eyJhbGciOiJSUzI1NiJ9", "malformed", "one part" },
        { "eyJhbGciOiJSUzI1NiJ9.e30", "malformed", "two parts" },
        { "eyJhbGciOiJSUzI1NiJ9.e30.", "malformed", "no signature" },
        { "eyJhbGciOiJSUzI1NiJ9..AAAA", "malformed", "no payload" },
        { ".e30.AAAA", "malformed", "no header" },
        { "eyJhbGciOiJSUzI1NiJ9.e30=.AAAA", "malformed", "padded payload" },
        { "eyJhbGciOiJSUzI1NiJ9.e30.AA==", "malformed", "padded signature" },
        { "eyJhbGciOiJSUzI1NiJ9=.e30.AAAA", "malformed", "padded header" },
        { "eyJhbGciOiJSUzI1NiJ9.e31.AAAA", "malformed", "bits left over" },
        { "eyJhbGciOiJSUzI1NiJ9.e30.A", "malformed", "a lone digit" },
        { "eyJhbGciOiJSUzI1NiJ9.e30.A+/A", "malformed", "base64, not url" },
        { "eyJhbGciOiJSUzI1NiJ9 .e30.AAAA", "malformed", "white space" },
        { " eyJhbGciOiJSUzI1NiJ9.e30.AAAA", "malformed", "space before" },
        { "eyJhbGciOiJSUzI1NiJ9.e30.AAAA\n", "malformed", "line feed" },
        { "eyJhbGciOiJSUzI1NiJ9.e3\t0.AAAA", "malformed", "tab" },
        { "{\"payload\":\"e30\"}", "malformed", "JSON" }
    };

    for (i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        parse_is(token_of(headers[i].header, "{}", "AAAA"), headers[i].what,
                 headers[i].header);
    }

    for (i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++) {
        parse_is(text(tokens[i].token), tokens[i].what, tokens[i].name);
    }

    /* the bound */

    good = "eyJhbGciOiJSUzI1NiJ9.e30.";
    s.data = sync_alloc(arena, SYNC_JWS_SIZE + 8);
    memset(s.data, 'A', SYNC_JWS_SIZE + 8);
    memcpy(s.data, good, strlen(good));

    s.len = SYNC_JWS_SIZE - 1;
    parse_is(s, NULL, "as large as can be");
    s.len = SYNC_JWS_SIZE + 1;
    parse_is(s, "too-large", "and larger");

    /* every beginning of a good token */

    sync_jose_sign(pems[SYNC_ALG_ES256], SYNC_ALG_ES256, text("k1"),
                   text("JWT"), text("{\"iss\":\"me\"}"), arena, &s, NULL);

    {
        int            verified = 0;
        size_t         n;
        sync_str_t     cut;
        sync_jws_t     jws;
        sync_jwks_t   *set;
        sync_error_t   err;

        set = keys_of((char *) sets[SYNC_ALG_ES256].data, 0);

        for (n = 0; n <= s.len; n++) {
            cut.data = s.data;
            cut.len = n;

            if (sync_jws_parse(&jws, arena, cut, &err) == SYNC_OK
                && sync_jws_verify(&jws, set, &err) == SYNC_OK)
            {
                verified++;
            }
        }

        is_int(verified, 1, "of all beginnings of a token the whole alone "
               "verifies");

        sync_jwks_free(set);
    }
}


/* RFC 8725, 2.1: a key taken for what it is not */

static void
test_confusion(void)
{
    size_t         i;
    BIO           *bio;
    EVP_PKEY      *pkey;
    sync_str_t     input, mac, evil_pem, evil_set, token, n, pem;
    sync_jws_t     jws;
    sync_jwks_t   *rsa, *ec, *oct, *evil;
    unsigned char  buf[32];

    rsa = keys_of((char *) sets[SYNC_ALG_RS256].data, 0);
    ec = keys_of((char *) sets[SYNC_ALG_ES256].data, 0);
    oct = keys_of("{\"keys\":[{\"kty\":\"oct\",\"kid\":\"k1\",\"k\":"
                  "\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\"}]}",
                  SYNC_JWKS_OCT);

    /* HS256 with what everybody knows of the RSA key as the secret */

    bio = BIO_new_mem_buf(pems[SYNC_ALG_RS256].data,
                          (int) pems[SYNC_ALG_RS256].len);
    pkey = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    BIO_free(bio);

    bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PUBKEY(bio, pkey);
    pem.len = (size_t) BIO_get_mem_data(bio, (char **) &pem.data);

    n = text(strstr((char *) sets[SYNC_ALG_RS256].data, "\"n\":\"") + 5);
    n.len = (size_t) (strchr((char *) n.data, '"') - (char *) n.data);

    const sync_str_t  secrets[] = { pem, n, sets[SYNC_ALG_RS256] };

    for (i = 0; i < 3; i++) {
        input = join("%s.%s",
                     base64url(text("{\"alg\":\"HS256\",\"kid\":\"k1\"}"))
                     .data, base64url(text("{}")).data);
        sync_hmac(secrets[i].data, secrets[i].len, input.data, input.len,
                  buf);
        mac.data = buf;
        mac.len = 32;

        verify_is(join("%s.%s", input.data, base64url(mac).data), rsa,
                  "alg-not-allowed", "HS256 with the public RSA key");
    }

    BIO_free(bio);
    EVP_PKEY_free(pkey);

    /* the right secret, the right signature: HS256 as it should be */

    for (i = 0; i < 32; i++) {
        buf[i] = (unsigned char) i;
    }

    sync_hmac(buf, 32, input.data, input.len, buf);
    verify_is(join("%s.%s", input.data, base64url(mac).data), oct, NULL,
              "HS256");
    mac.len = 31;
    verify_is(join("%s.%s", input.data, base64url(mac).data), oct,
              "bad-signature", "HS256, a byte short");
    mac.len = 1;
    verify_is(join("%s.%s", input.data, base64url(mac).data), oct,
              "bad-signature", "HS256, one byte");

    verify_is(token_of("{\"alg\":\"HS512\",\"kid\":\"k1\"}", "{}", "AAAA"),
              oct, "alg-not-allowed", "HS512 with a secret of 32 bytes");
    verify_is(token_of("{\"alg\":\"RS256\",\"kid\":\"k1\"}", "{}", "AAAA"),
              oct, "alg-not-allowed", "RS256 with a secret");
    verify_is(token_of("{\"alg\":\"RS256\",\"kid\":\"k1\"}", "{}", "AAAA"),
              ec, "alg-not-allowed", "RS256 with an EC key");
    verify_is(token_of("{\"alg\":\"ES384\",\"kid\":\"k1\"}", "{}", "AAAA"),
              ec, "alg-not-allowed", "ES384 with a key on P-256");
    verify_is(token_of("{\"alg\":\"EdDSA\",\"kid\":\"k1\"}", "{}", "AAAA"),
              ec, "alg-not-allowed", "EdDSA with a key on P-256");
    verify_is(token_of("{\"alg\":\"PS256\",\"kid\":\"k1\"}", "{}", "AAAA"),
              rsa, "alg-not-allowed", "PS256 with a key for RS256");
    verify_is(token_of("{\"alg\":\"RS512\",\"kid\":\"k1\"}", "{}", "AAAA"),
              rsa, "alg-not-allowed", "RS512 with a key for RS256");

    /* signatures that are none */

    verify_is(token_of("{\"alg\":\"ES256\",\"kid\":\"k1\"}", "{}", "AAAA"),
              ec, "bad-signature", "ES256, three bytes");

    sync_jose_sign(pems[SYNC_ALG_ES256], SYNC_ALG_ES256, text("k1"),
                   sync_str_null, text("{}"), arena, &token, NULL);
    sync_jws_parse(&jws, arena, token, NULL);

    verify_is(join("%.*s.%s", (int) jws.input.len, jws.input.data,
                   base64url(jws.signature).data), ec, NULL,
              "ES256 as signed");

    input = (sync_str_t) { 66, sync_calloc(arena, 66) };
    memcpy(input.data + 1, jws.signature.data, 32);
    memcpy(input.data + 34, jws.signature.data + 32, 32);
    verify_is(join("%.*s.%s", (int) jws.input.len, jws.input.data,
                   base64url(input).data), ec, "bad-signature",
              "ES256, the same numbers with a leading zero each");

    input = (sync_str_t) { 4000, sync_calloc(arena, 4000) };
    memset(input.data, 1, 4000);
    verify_is(join("%.*s.%s", (int) jws.input.len, jws.input.data,
                   base64url(input).data), ec, "bad-signature",
              "ES256, far too long");

    input = (sync_str_t) { 64, sync_calloc(arena, 64) };
    verify_is(token_of("{\"alg\":\"ES256\",\"kid\":\"k1\"}", "{}",
                       (char *) base64url(input).data), ec,
              "bad-signature", "ES256, all zero (CVE-2022-21449)");
    memset(input.data, 0xff, 64);
    verify_is(token_of("{\"alg\":\"ES256\",\"kid\":\"k1\"}", "{}",
                       (char *) base64url(input).data), ec,
              "bad-signature", "ES256, all ones");
    input = (sync_str_t) { 256, sync_calloc(arena, 256) };
    verify_is(token_of("{\"alg\":\"RS256\",\"kid\":\"k1\"}", "{}",
                       (char *) base64url(input).data), rsa,
              "bad-signature", "RS256, all zero");
    memset(input.data, 0xff, 256);
    verify_is(token_of("{\"alg\":\"RS256\",\"kid\":\"k1\"}", "{}",
                       (char *) base64url(input).data), rsa,
              "bad-signature", "RS256, above the modulus");

    /* a key of the attacker's own, named in the header in every way */

    sync_jose_generate(SYNC_ALG_RS256, text("k1"), arena, &evil_pem,
                       &evil_set, NULL);
    evil = keys_of((char *) evil_set.data, 0);
    n = text((char *) evil_set.data + strlen("{\"keys\":["));
    n.len = evil_set.len - strlen("{\"keys\":[") - 2;

    token = signed_by(evil_pem, (char *) join("{\"alg\":\"RS256\",\"kid\":"
                      "\"k1\",\"jwk\":%.*s,\"jku\":\"https://evil.example/\","
                      "\"x5u\":\"https://evil.example/\",\"x5c\":[\"AAAA\"]}",
                      (int) n.len, n.data).data, "{}");
    verify_is(token, evil, NULL, "the attacker's own key set");
    verify_is(token, rsa, "bad-signature", "a key embedded in the header");

    sync_jwks_free(rsa);
    sync_jwks_free(ec);
    sync_jwks_free(oct);
    sync_jwks_free(evil);
}


/* Which keys are tried, and how many. */

static void
test_choice(void)
{
    int           i;
    sync_str_t    rsa, ec, token, other, p, nameless;
    sync_jwks_t  *set;

    static const char  *kids[] = {
        "K1", "k1 ", "k", "k11", "*", "%", "../../../dev/null",
        "/proc/self/environ", "' OR '1'='1", "k1' UNION SELECT 'x", "$(id)",
        "https://evil.example/jwks.json", "0"
    };

    rsa = text((char *) sets[SYNC_ALG_RS256].data + 9);
    rsa.len = sets[SYNC_ALG_RS256].len - 11;
    ec = text((char *) sets[SYNC_ALG_ES256].data + 9);
    ec.len = sets[SYNC_ALG_ES256].len - 11;

    sync_jose_sign(pems[SYNC_ALG_ES256], SYNC_ALG_ES256, text("k1"),
                   sync_str_null, text("{}"), arena, &token, NULL);

    set = keys_of((char *) join("{\"keys\":[%.*s,%.*s]}", (int) rsa.len,
                                rsa.data, (int) ec.len, ec.data).data, 0);
    verify_is(token, set, NULL, "two types under one kid");

    sync_jose_sign(pems[SYNC_ALG_ES256], SYNC_ALG_ES256, text("k2"),
                   sync_str_null, text("{}"), arena, &other, NULL);
    verify_is(other, set, "unknown-key", "a kid that no key has");

    /* a kid is a name to compare and nothing else */

    for (i = 0; i < (int) (sizeof(kids) / sizeof(kids[0])); i++) {
        sync_jose_sign(pems[SYNC_ALG_ES256], SYNC_ALG_ES256, text(kids[i]),
                       sync_str_null, text("{}"), arena, &other, NULL);
        verify_is(other, set, "unknown-key", kids[i]);
    }

    sync_jose_sign(pems[SYNC_ALG_ES256], SYNC_ALG_ES256, sync_str_null,
                   sync_str_null, text("{}"), arena, &other, NULL);
    verify_is(other, set, NULL, "no kid: all keys that fit");
    verify_is(token_of("{\"alg\":\"ES384\"}", "{}", "AAAA"), set,
              "alg-not-allowed", "no kid and no key that fits");
    sync_jwks_free(set);

    /* {"kid":"k1", is as long as {"xxx":"k1", */

    nameless = sync_strdup(arena, ec);
    memcpy(strstr((char *) nameless.data, "\"kid\""), "\"xxx\"", 5);

    set = keys_of((char *) join("{\"keys\":[%.*s,%s]}", (int) rsa.len,
                                rsa.data, nameless.data).data, 0);
    verify_is(other, set, NULL, "neither has a kid");
    verify_is(token, set, "alg-not-allowed", "a kid goes to its own key");
    sync_jwks_free(set);

    set = keys_of((char *) join("{\"keys\":[%s]}", nameless.data).data, 0);
    verify_is(token, set, NULL, "a kid, and the only key has none");
    verify_is(token_of("{\"alg\":\"ES256\",\"kid\":\"k9\"}", "{}",
              (char *) base64url((sync_str_t) { 64, rsa.data }).data), set,
              "unknown-key", "a kid, and it did not sign");
    sync_jwks_free(set);

    /* the right key is the last of many */

    for (i = SYNC_JWS_TRIES - 1; i <= SYNC_JWS_TRIES; i++) {
        int         n;
        sync_str_t  pem, one;

        p = text("{\"keys\":[");

        for (n = 0; n < i; n++) {
            sync_jose_generate(SYNC_ALG_ES256, sync_str_null, arena, &pem,
                               &one, NULL);
            p = join("%.*s%.*s,", (int) p.len, p.data, (int) one.len - 11,
                     one.data + 9);
        }

        set = keys_of((char *) join("%.*s%s]}", (int) p.len, p.data,
                                    nameless.data).data, 0);
        verify_is(other, set, i < SYNC_JWS_TRIES ? NULL : "bad-signature",
                  i < SYNC_JWS_TRIES ? "the eighth key" : "the ninth");
        sync_jwks_free(set);
    }
}


static void
test_key_sets(void)
{
    int             i;
    sync_str_t      rsa, ec, n, many;
    sync_jwks_t    *set;
    sync_error_t    err;
    unsigned char   zeros[1100];

    rsa = text((char *) sets[SYNC_ALG_RS256].data + 9);
    rsa.len = sets[SYNC_ALG_RS256].len - 11;
    ec = text((char *) sets[SYNC_ALG_ES256].data + 9);
    ec.len = sets[SYNC_ALG_ES256].len - 11;

    keys_are("", 0, "syntax", "", "nothing");
    keys_are("{\"keys\":[", 0, "syntax", "/keys/0", "cut off");
    keys_are("{}", 0, "not-a-key-set", "", "an object");
    keys_are("[]", 0, "not-a-key-set", "", "an array");
    keys_are("{\"keys\":{}}", 0, "not-a-key-set", "", "keys: object");
    keys_are("{\"keys\":[],\"keys\":[]}", 0, "duplicate-member", "/keys",
             "keys twice");
    keys_are("{\"keys\":[]}", 0, "no-keys", "", "no keys");
    keys_are("{\"keys\":[5]}", SYNC_JWKS_STRICT, "bad-key", "/keys/0/kty",
             "not an object");
    keys_are("{\"keys\":[{\"kty\":\"AKP\"}]}", SYNC_JWKS_STRICT, "bad-key",
             "/keys/0/kty", "unknown type");
    keys_are("{\"keys\":[{\"kty\":\"AKP\"}]}", 0, "no-keys",
             "/keys/0/kty", "unknown type alone");
    keys_are("{\"keys\":[{\"kty\":\"RSA\"}]}", SYNC_JWKS_STRICT, "bad-key",
             "/keys/0/n", "RSA without n");
    keys_are("{\"keys\":[{\"kty\":\"EC\",\"crv\":\"secp256k1\"}]}",
             SYNC_JWKS_STRICT, "bad-key", "/keys/0/crv", "another curve");
    keys_are("{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"X25519\","
             "\"x\":\"AAAA\"}]}", SYNC_JWKS_STRICT, "bad-key",
             "/keys/0/crv", "a curve for agreement");
    keys_are("{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\","
             "\"x\":\"AAAA\"}]}", SYNC_JWKS_STRICT, "bad-key",
             "/keys/0/x", "a short Ed25519 key");
    keys_are("{\"keys\":[{\"kty\":\"oct\",\"k\":"
             "\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\"}]}",
             SYNC_JWKS_STRICT, "bad-key", "/keys/0/kty",
             "oct, not from a file");
    keys_are("{\"keys\":[{\"kty\":\"oct\",\"k\":"
             "\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg\"}]}",
             SYNC_JWKS_STRICT | SYNC_JWKS_OCT, "bad-key", "/keys/0/k",
             "oct of 31 bytes");
    keys_are("{\"keys\":[{\"kty\":\"oct\",\"alg\":\"HS512\",\"k\":"
             "\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\"}]}",
             SYNC_JWKS_STRICT | SYNC_JWKS_OCT, "bad-key", "/keys/0/alg",
             "oct too short for its alg");
    keys_are("{\"keys\":[{\"kty\":\"oct\",\"k\":"
             "\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\"}]}",
             SYNC_JWKS_STRICT | SYNC_JWKS_OCT, "bad-key", "/keys/0/k",
             "oct padded");

    /* RSA: 1,024 bits; even; a small exponent; larger than we read */

    memset(zeros, 0xc1, sizeof(zeros));

    n = (sync_str_t) { 128, zeros };
    keys_are((char *) join("{\"keys\":[{\"kty\":\"RSA\",\"e\":\"AQAB\","
                           "\"n\":\"%s\"}]}", base64url(n).data).data,
             SYNC_JWKS_STRICT, "bad-key", "/keys/0/n", "RSA of 1,024 bits");
    n.len = 255;
    keys_are((char *) join("{\"keys\":[{\"kty\":\"RSA\",\"e\":\"AQAB\","
                           "\"n\":\"%s\"}]}", base64url(n).data).data,
             SYNC_JWKS_STRICT, "bad-key", "/keys/0/n", "RSA of 2,040 bits");
    n.len = 1024;
    keys_are((char *) join("{\"keys\":[{\"kty\":\"RSA\",\"e\":\"AQAB\","
                           "\"n\":\"%s\"}]}", base64url(n).data).data,
             SYNC_JWKS_STRICT, NULL, "1", "RSA of 8,192 bits");
    n.len = 1025;
    keys_are((char *) join("{\"keys\":[{\"kty\":\"RSA\",\"e\":\"AQAB\","
                           "\"n\":\"%s\"}]}", base64url(n).data).data,
             SYNC_JWKS_STRICT, "bad-key", "/keys/0/n", "RSA of 8,200 bits");
    n.len = 256;
    keys_are((char *) join("{\"keys\":[{\"kty\":\"RSA\",\"e\":\"AQ\","
                           "\"n\":\"%s\"}]}", base64url(n).data).data,
             SYNC_JWKS_STRICT, "bad-key", "/keys/0/e", "an exponent of 1");
    keys_are((char *) join("{\"keys\":[{\"kty\":\"RSA\",\"e\":\"AQAA\","
                           "\"n\":\"%s\"}]}", base64url(n).data).data,
             SYNC_JWKS_STRICT, "bad-key", "/keys/0/e", "an even exponent");
    keys_are((char *) join("{\"keys\":[{\"kty\":\"RSA\",\"e\":"
                           "\"AQAAAAAB\",\"n\":\"%s\"}]}",
                           base64url(n).data).data,
             SYNC_JWKS_STRICT, "bad-key", "/keys/0/e", "a long exponent");
    zeros[255] = 0xc0;
    keys_are((char *) join("{\"keys\":[{\"kty\":\"RSA\",\"e\":\"AQAB\","
                           "\"n\":\"%s\"}]}", base64url(n).data).data,
             SYNC_JWKS_STRICT, "bad-key", "/keys/0/n", "an even modulus");

    /* EC: a point off its curve, and one of another curve */

    n = sync_strdup(arena, ec);
    {
        char  *y = strstr((char *) n.data, "\"y\":\"") + 5;

        y[3] = y[3] == 'A' ? 'B' : 'A';
    }
    keys_are((char *) join("{\"keys\":[%s]}", n.data).data,
             SYNC_JWKS_STRICT, "bad-key", "/keys/0/x", "a point off P-256");

    n = sync_strdup(arena, ec);
    memcpy(strstr((char *) n.data, "P-256"), "P-384", 5);
    memcpy(strstr((char *) n.data, "ES256"), "ES384", 5);
    keys_are((char *) join("{\"keys\":[%s]}", n.data).data,
             SYNC_JWKS_STRICT, "bad-key", "/keys/0/x",
             "coordinates of another length");

    n = sync_strdup(arena, ec);
    memcpy(strstr((char *) n.data, "ES256"), "ES384", 5);
    keys_are((char *) join("{\"keys\":[%s]}", n.data).data,
             SYNC_JWKS_STRICT, "bad-key", "/keys/0/alg",
             "an alg of another curve");

    n = sync_strdup(arena, rsa);
    memcpy(strstr((char *) n.data, "RS256"), "ES256", 5);
    keys_are((char *) join("{\"keys\":[%s]}", n.data).data,
             SYNC_JWKS_STRICT, "bad-key", "/keys/0/alg",
             "an alg of another type");

    /* what is passed over */

    n = sync_strdup(arena, rsa);
    memcpy(strstr((char *) n.data, "\"sig\""), "\"enc\"", 5);
    keys_are((char *) join("{\"keys\":[%s]}", n.data).data,
             SYNC_JWKS_STRICT, "no-keys", "", "use enc alone");
    keys_are((char *) join("{\"keys\":[%s,%.*s]}", n.data, (int) ec.len,
                           ec.data).data,
             SYNC_JWKS_STRICT, NULL, "1", "use enc beside another");
    keys_are((char *) join("{\"keys\":[{\"key_ops\":[\"sign\"],%.*s]}",
                           (int) ec.len - 1, ec.data + 1).data,
             SYNC_JWKS_STRICT, "no-keys", "", "key_ops without verify");
    keys_are((char *) join("{\"keys\":[{\"key_ops\":[\"sign\",\"verify\"],"
                           "%.*s]}", (int) ec.len - 1, ec.data + 1).data,
             SYNC_JWKS_STRICT, NULL, "1", "key_ops with verify");
    keys_are((char *) join("{\"keys\":[{\"kty\":\"RSA\",\"alg\":"
                           "\"RSA-OAEP\"},%.*s]}", (int) ec.len, ec.data)
             .data, SYNC_JWKS_STRICT, NULL, "1", "alg for encryption");
    keys_are((char *) join("{\"keys\":[{\"kid\":5,%.*s]}",
                           (int) ec.len - 12, ec.data + 12).data,
             SYNC_JWKS_STRICT, "bad-key", "/keys/0/kid", "kid: number");

    set = NULL;
    is_int(sync_jwks_parse(&set, arena,
                           join("{\"keys\":[{\"kty\":\"AKP\"},%.*s,"
                                "{\"kty\":\"RSA\",\"n\":\"AQ\",\"e\":"
                                "\"AQAB\"}]}", (int) ec.len, ec.data), 0,
                           &err), SYNC_OK, "a mixed set");
    is_int(sync_jwks_count(set), 1, "one taken");
    is_int(sync_jwks_skipped(set), 2, "two passed over");
    sync_jwks_free(set);

    for (i = SYNC_JWKS_KEYS; i <= SYNC_JWKS_KEYS + 1; i++) {
        int  k;

        many = text("{\"keys\":[");

        for (k = 0; k < i; k++) {
            many = join("%.*s%s%.*s", (int) many.len, many.data,
                        k ? "," : "", (int) ec.len, ec.data);
        }

        many = join("%.*s]}", (int) many.len, many.data);
        keys_are((char *) many.data, 0,
                 i > SYNC_JWKS_KEYS ? "too-many-keys" : NULL,
                 i > SYNC_JWKS_KEYS ? "" : "64", "many");
    }

    sync_jwks_free(NULL);
}


static void
time_verify(sync_alg_e alg)
{
    int               i;
    sync_str_t        token, jwks;
    sync_jws_t        jws;
    sync_jwks_t      *set;
    struct timespec   a, b;

    if (alg == SYNC_ALG_PS256) {
        return;
    }

    jwks = sets[alg];
    set = keys_of((char *) jwks.data, 0);
    sync_jose_sign(pems[alg], alg, text("k1"), text("at+jwt"),
                   text("{\"iss\":\"https://issuer.example\"}"), arena,
                   &token, NULL);
    sync_jws_parse(&jws, arena, token, NULL);

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);

    for (i = 0; i < 300; i++) {
        sync_jws_verify(&jws, set, NULL);
    }

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
    diag("%s: %.1f us a signature", sync_alg_name(alg),
         ((double) (b.tv_sec - a.tv_sec) * 1e9
          + (double) (b.tv_nsec - a.tv_nsec)) / 3e5);

    sync_jwks_free(set);
}
