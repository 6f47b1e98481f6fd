
/*
 * Digests against FIPS 180-4, RFC 4231, RFC 5869, RFC 4648; AES-256-GCM against
 * the test cases of its authors (McGrew and Viega, "The Galois/Counter Mode of
 * Operation", appendix B).
 */


#include "tap.h"

#include <sys/wait.h>
#include <unistd.h>
#include "sync_crypto.h"

#include <time.h>


static sync_str_t text(const char *s);
static sync_str_t bytes(const char *hex);
static int is_hex(const unsigned char *got, size_t len, const char *want,
    const char *name);
static void test_sha256(void);
static void test_hmac(void);
static void test_hkdf(void);
static void test_aead(void);
static void test_random(void);
static void test_base64(void);
static void time_sha256(void);


static sync_arena_t  *arena;


int
main(void)
{
    arena = sync_arena_create(4096);

    test_sha256();
    test_hmac();
    test_hkdf();
    test_aead();
    test_random();
    test_base64();
    time_sha256();

    sync_arena_destroy(arena);

    return done_testing();
}


static sync_str_t
text(const char *s)
{
    return (sync_str_t) { strlen(s), (unsigned char *) s };
}


static sync_str_t
bytes(const char *hex)
{
    size_t      i;
    unsigned    byte;
    sync_str_t  s;

    s.len = strlen(hex) / 2;
    s.data = sync_alloc(arena, s.len + 1);

    for (i = 0; i < s.len; i++) {
        sscanf(hex + 2 * i, "%2x", &byte);
        s.data[i] = (unsigned char) byte;
    }

    return s;
}


static int
is_hex(const unsigned char *got, size_t len, const char *want,
    const char *name)
{
    sync_str_t  s;

    s.data = sync_alloc(arena, 2 * len + 1);
    s.len = sync_hex_encode(s.data, got, len);

    return is_str(s, want, "%s", name);
}


static void
test_sha256(void)
{
    int             i, good;
    size_t          n;
    sync_sha256_t   ctx, half;
    unsigned char   digest[32], again[32], buf[1000];

    static const char  *two_blocks =
        "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";

    sync_sha256("", 0, digest);
    is_hex(digest, 32, "e3b0c44298fc1c149afbf4c8996fb924"
           "27ae41e4649b934ca495991b7852b855", "nothing");

    sync_sha256("abc", 3, digest);
    is_hex(digest, 32, "ba7816bf8f01cfea414140de5dae2223"
           "b00361a396177a9cb410ff61f20015ad", "abc");

    sync_sha256(two_blocks, 56, digest);
    is_hex(digest, 32, "248d6a61d20638b8e5c026930c3e6039"
           "a33ce45964ff2167f6ecedd419db06c1", "two blocks");

    memset(buf, 'a', sizeof(buf));
    sync_sha256_init(&ctx);

    for (i = 0; i < 1000; i++) {
        sync_sha256_update(&ctx, buf, sizeof(buf));
    }

    sync_sha256_final(&ctx, digest);
    is_hex(digest, 32, "cdc76e5c9914fb9281a1c7e284d73e67"
           "f1809a48a497200e046d39ccc7112cd0", "a million of a");

    for (n = 0, good = 1; n <= 56; n++) {
        sync_sha256_init(&ctx);
        sync_sha256_update(&ctx, two_blocks, n);
        half = ctx;
        sync_sha256_update(&ctx, two_blocks + n, 56 - n);
        sync_sha256_final(&ctx, digest);
        sync_sha256_update(&half, two_blocks + n, 56 - n);
        sync_sha256_final(&half, again);
        good &= (memcmp(digest, again, 32) == 0 && digest[0] == 0x24);
    }

    ok(good, "cut anywhere, and copied half-way");
}


static void
test_hmac(void)
{
    size_t         i;
    sync_str_t     key, data;
    sync_hmac_t    keyed, ctx;
    unsigned char  mac[32], big[131];

    static const struct {
        const char  *key;
        const char  *data;
        const char  *mac;
    } rows[] = {
        { "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "4869205468657265",
          "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7" },
        { "4a656665",
          "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
          "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843" },
        { "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
          "dddddddddddddddddddddddddddddddddddddddddddddddddd"
          "dddddddddddddddddddddddddddddddddddddddddddddddddd",
          "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe" },
        { "0102030405060708090a0b0c0d0e0f10111213141516171819",
          "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd"
          "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd",
          "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b" }
    };

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        key = bytes(rows[i].key);
        data = bytes(rows[i].data);
        sync_hmac(key.data, key.len, data.data, data.len, mac);
        is_hex(mac, 32, rows[i].mac, "RFC 4231");
    }

    memset(big, 0xaa, sizeof(big));
    sync_hmac_key(&keyed, big, sizeof(big));

    data = text("Test Using Larger Than Block-Size Key - Hash Key First");
    sync_hmac_init(&ctx, &keyed);
    sync_hmac_update(&ctx, data.data, data.len);
    sync_hmac_final(&ctx, mac);
    is_hex(mac, 32, "60e431591ee0b67f0d8a26aacbf5b77f"
           "8e0bc6213728c5140546040f0ee37f54", "RFC 4231, case 6");

    data = text("This is a test using a larger than block-size key and a "
                "larger than block-size data. The key needs to be hashed "
                "before being used by the HMAC algorithm.");
    sync_hmac_init(&ctx, &keyed);
    sync_hmac_update(&ctx, data.data, 20);
    sync_hmac_update(&ctx, data.data + 20, data.len - 20);
    sync_hmac_final(&ctx, mac);
    is_hex(mac, 32, "9b09ffa71b942fcb27635fbcd5b0e944"
           "bfdc63644f0713938a7f51535c3a35e2", "RFC 4231, case 7, same key");

    sync_hmac(NULL, 0, NULL, 0, mac);
    is_hex(mac, 32, "b613679a0814d9ec772f95d778c35fc5"
           "ff1697c493715653c6c712144292c5ad", "no key, no data");
}


static void
test_hkdf(void)
{
    size_t         i;
    sync_str_t     ikm, salt, info;
    unsigned char  okm[82], large[255 * 32 + 1];
    unsigned char  a[80], b[80], c[80];

    is_int(sync_hkdf(bytes("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b"),
                     bytes("000102030405060708090a0b0c"),
                     bytes("f0f1f2f3f4f5f6f7f8f9"), okm, 42),
           SYNC_OK, "derive");
    is_hex(okm, 42, "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db0"
           "2d56ecc4c5bf34007208d5b887185865", "RFC 5869, case 1");

    for (i = 0; i < 80; i++) {
        a[i] = (unsigned char) i;
        b[i] = (unsigned char) (0x60 + i);
        c[i] = (unsigned char) (0xb0 + i);
    }

    ikm = (sync_str_t) { 80, a };
    salt = (sync_str_t) { 80, b };
    info = (sync_str_t) { 80, c };
    sync_hkdf(ikm, salt, info, okm, 82);
    is_hex(okm, 82, "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c"
           "19afa97c59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9"
           "aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87", "RFC 5869, case 2");

    sync_hkdf(bytes("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b"),
              sync_str_null, sync_str_null, okm, 42);
    is_hex(okm, 42, "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec345"
           "4e5f3c738d2d9d201395faa4b61a96c8", "RFC 5869, case 3");

    is_int(sync_hkdf(ikm, salt, info, large, 255 * 32), SYNC_OK, "the most");
    is_int(sync_hkdf(ikm, salt, info, large, 255 * 32 + 1), SYNC_NO,
           "and one more");
}


/* A child does not repeat what its parent will draw. */

static void
forked_random(void)
{
    int            fd[2];
    pid_t          pid;
    ssize_t        n;
    unsigned char  mine[16], its[16];

    if (pipe(fd) != 0) {
        ok(0, "pipe");
        return;
    }

    pid = fork();

    if (pid == 0) {
        n = sync_random(its, sizeof(its)) == SYNC_OK
            ? write(fd[1], its, sizeof(its)) : 0;
        _exit(n != (ssize_t) sizeof(its));
    }

    (void) sync_random(mine, sizeof(mine));
    n = read(fd[0], its, sizeof(its));

    ok(pid > 0 && n == (ssize_t) sizeof(its)
       && memcmp(mine, its, sizeof(mine)) != 0, "a child draws its own");

    (void) waitpid(pid, NULL, 0);
    close(fd[0]);
    close(fd[1]);
}


static void
test_aead(void)
{
    size_t         i;
    unsigned       good;
    sync_str_t     aad[2], in;
    unsigned char  key[32], nonce[12], buf[128], out[128];

    memset(key, 0, sizeof(key));
    memset(nonce, 0, sizeof(nonce));
    memset(buf, 0, sizeof(buf));

    is_int(sync_aead_seal(key, nonce, NULL, 0, buf, 0), SYNC_OK, "case 13");
    is_hex(buf, 16, "530f8afbc74536b9a963b4f1c4cb738b", "case 13: tag");

    memset(buf, 0, sizeof(buf));
    sync_aead_seal(key, nonce, NULL, 0, buf, 16);
    is_hex(buf, 32, "cea7403d4d606b6e074ec5d3baf39d18"
           "d0d1c8a799996bf0265b98b5d48ab919", "case 14");

    memcpy(key, bytes("feffe9928665731c6d6a8f9467308308"
                      "feffe9928665731c6d6a8f9467308308").data, 32);
    memcpy(nonce, bytes("cafebabefacedbaddecaf888").data, 12);
    in = bytes("d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a"
               "318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba63"
               "7b39");
    memcpy(buf, in.data, 60);

    /* in two pieces, which are one text */

    aad[0] = bytes("feedface");
    aad[1] = bytes("deadbeeffeedfacedeadbeefabaddad2");

    sync_aead_seal(key, nonce, aad, 2, buf, 60);
    is_hex(buf, 76, "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd"
           "2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
           "76fc6ece0f4e1768cddf8853bb2d551b", "case 16");

    in.data = buf;
    in.len = 76;

    is_int(sync_aead_open(key, nonce, aad, 2, in, out), SYNC_OK, "opens");
    is_hex(out, 60, "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d"
           "8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
           "what was sealed");

    for (good = 1, i = 0; i < 76 * 8; i++) {
        buf[i / 8] ^= 1 << i % 8;
        memset(out, 'x', sizeof(out));
        good &= sync_aead_open(key, nonce, aad, 2, in, out) == SYNC_NO
                && out[0] == 0 && memcmp(out, out + 1, 59) == 0;
        buf[i / 8] ^= 1 << i % 8;
    }

    ok(good, "a bit is flipped, anywhere: refused, and nothing comes out");

    aad[0].len--;
    is_int(sync_aead_open(key, nonce, aad, 2, in, out), SYNC_NO, "less data");
    in.len = 15;
    is_int(sync_aead_open(key, nonce, aad, 2, in, out), SYNC_NO, "no tag");
}


static void
test_random(void)
{
    unsigned char  a[32], b[32];

    memset(a, 0, sizeof(a));
    memset(b, 0, sizeof(b));

    is_int(sync_random(a, sizeof(a)), SYNC_OK, "random");
    is_int(sync_random(b, sizeof(b)), SYNC_OK, "random again");
    ok(memcmp(a, b, sizeof(a)) != 0, "not the same");
    is_int(sync_random(a, (size_t) 1 << 40), SYNC_FAULT, "too many");

    forked_random();

    ok(sync_secret_eq(text("secret"), text("secret")), "equal");
    ok(!sync_secret_eq(text("secret"), text("secreT")), "not equal");
    ok(!sync_secret_eq(text("secret"), text("secrets")), "longer");
    ok(sync_secret_eq(sync_str_null, text("")), "empty");
}


static void
test_base64(void)
{
    int            n, good;
    size_t         i, len;
    sync_str_t     s, t;
    unsigned char  dst[64], src[48], enc[64];

    static const char  *plain[] = {
        "", "", "f", "Zg", "fo", "Zm8", "foo", "Zm9v", "foob", "Zm9vYg",
        "fooba", "Zm9vYmE", "foobar", "Zm9vYmFy", "\xfb\xff\xfe", "-__-"
    };

    static const char  *bad[] = {
        "A", "Z", "Zm9vA", "Zm9vY", "Zg==", "Zm8=", "Zm9v=", "=",
        "Zm9v\n", " Zm9v", "Zm 9v", "Zm9v\t", "+/+/", "Zh", "Zm9",
        "Zm9vYmF$", "Zm9vYmF\xc3"
    };

    for (i = 0; i < sizeof(plain) / sizeof(char *); i += 2) {
        s = text(plain[i]);
        t.data = dst;
        t.len = sync_base64url_encode(dst, s.data, s.len);
        is_str(t, plain[i + 1], "base64url of \"%s\"", plain[i + 1]);

        is_int(sync_base64url_decode(dst, &len, text(plain[i + 1])), SYNC_OK,
               "reads");
        t.len = len;
        is_str(t, plain[i], "and back");
    }

    for (i = 0; i < sizeof(bad) / sizeof(char *); i++) {
        is_int(sync_base64url_decode(dst, &len, text(bad[i])), SYNC_NO,
               "refused: %zu", i);
    }

    is_int(sync_base64url_decode(dst, &len, (sync_str_t) { 4, (unsigned char *)
           "Zm\0v" }), SYNC_NO, "refused: NUL");

    for (n = 0, good = 1; n < 1000; n++) {
        len = (size_t) n % sizeof(src);
        sync_random(src, len);
        t.data = enc;
        t.len = sync_base64url_encode(enc, src, len);
        good &= (t.len <= sync_base64_room(len)
                 && sync_base64url_decode(dst, &i, t) == SYNC_OK
                 && i == len && i <= sync_base64url_bytes(t.len)
                 && memcmp(dst, src, len) == 0);
    }

    ok(good, "a thousand round trips");

    t.data = dst;
    t.len = sync_base64_encode(dst, "Aladdin:open sesame", 19);
    is_str(t, "QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "two pads");
    t.len = sync_base64_encode(dst, "fooba", 5);
    is_str(t, "Zm9vYmE=", "one pad");
    t.len = sync_base64_encode(dst, "\xfb\xff\xfe", 3);
    is_str(t, "+//+", "no pad, the other alphabet");
    t.len = sync_base64_encode(dst, "", 0);
    is_int(t.len, 0, "nothing of nothing");
}


static void
time_sha256(void)
{
    int              i;
    struct timespec  a, b;
    unsigned char    digest[32], buf[2048];

    memset(buf, 'x', sizeof(buf));
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);

    for (i = 0; i < 5000; i++) {
        sync_sha256(buf, sizeof(buf), digest);
    }

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
    diag("sha256 of 2 KB: %.2f us",
         ((double) (b.tv_sec - a.tv_sec) * 1e9
          + (double) (b.tv_nsec - a.tv_nsec)) / 5e6);
}
