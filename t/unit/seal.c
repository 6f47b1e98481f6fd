
/*
 * Sealed texts: against a second implementation (HMAC and GCM of CryptX), and
 * moved, mixed and bent in each way that a store could.
 */


#include "tap.h"
#include "sync_seal.h"

#include <time.h>


#define ROOM  (2048 + SYNC_SEAL_ROOM)


static sync_str_t text(const char *s);
static sync_rc_t shut(const sync_seal_t *seal, const sync_seal_place_t *p,
    sync_str_t head, unsigned char *buf, size_t len);
static sync_rc_t opened(const sync_seal_t *seal, const sync_seal_place_t *p,
    const sync_seal_t *by, sync_str_t head, sync_str_t in, unsigned char *out);
static void test_known(void);
static void test_place(void);
static void test_parts(void);
static void test_rotation(void);
static void test_same_id(void);
static void time_seal(void);


static const unsigned char  one[32] = { 1 };
static const unsigned char  two[32] = { 2 };

static unsigned char        secret[32], name[32], print[32];
static sync_seal_place_t    place;


int
main(void)
{
    size_t  i;

    for (i = 0; i < sizeof(secret); i++) {
        secret[i] = (unsigned char) i;
    }

    memset(name, 0x11, sizeof(name));
    memset(print, 0x22, sizeof(print));

    place.tenant = text("t_7f3a");
    place.names[0] = name;
    place.print = print;

    test_known();
    test_place();
    test_parts();
    test_rotation();
    test_same_id();
    time_seal();

    return done_testing();
}


static sync_str_t
text(const char *s)
{
    return (sync_str_t) { strlen(s), (unsigned char *) s };
}


static sync_rc_t
shut(const sync_seal_t *seal, const sync_seal_place_t *p, sync_str_t head,
    unsigned char *buf, size_t len)
{
    sync_seal_key_t  key;

    if (sync_seal_key(seal, p->tenant, &key) != SYNC_OK) {
        return SYNC_FAULT;
    }

    return sync_seal_close(&key, p, 0, head, buf, len);
}


/* As part 0, under the id of a secret. */

static sync_rc_t
opened(const sync_seal_t *seal, const sync_seal_place_t *p,
    const sync_seal_t *by, sync_str_t head, sync_str_t in, unsigned char *out)
{
    return sync_seal_open(seal, p, sync_seal_id(by), 0, head, in, out);
}


static void
test_known(void)
{
    size_t         i;
    unsigned       byte;
    sync_seal_t    seal;
    unsigned char  in[64], out[64];

    static const char  hex[] =
        "404142434445464748494a4b4c4d4e4ffce343a191602f81d12e31bc"
        "051a355d498fcf7fafa0670e6fb49631d608bac026960fce";

    memset(&seal, 0, sizeof(seal));
    sync_seal_add(&seal, secret);

    is_int(sync_seal_id(&seal), 0xd0, "the id of a secret");

    for (i = 0; i < sizeof(hex) / 2; i++) {
        sscanf(hex + 2 * i, "%2x", &byte);
        in[i] = (unsigned char) byte;
    }

    is_int(opened(&seal, &place, &seal, text("head"),
                  (sync_str_t) { i, in }, out),
           SYNC_OK, "a text that another implementation has sealed");
    is_str(((sync_str_t) { i - SYNC_SEAL_ROOM, out }), "an answer of the ERP",
           "says what it said");
}


/* Opened at another place than it was sealed for. */

static void
test_place(void)
{
    size_t             i, n;
    unsigned           good;
    sync_str_t         in, head;
    sync_seal_t        seal;
    unsigned char      buf[64], twin[64], out[64], other[32];
    sync_seal_place_t  p;

    memset(&seal, 0, sizeof(seal));
    sync_seal_add(&seal, secret);

    head = text("head");
    n = sizeof("canary") - 1;
    memcpy(buf + SYNC_SEAL_SALT, "canary", n);
    memcpy(twin + SYNC_SEAL_SALT, "canary", n);

    is_int(shut(&seal, &place, head, buf, n), SYNC_OK, "sealed");
    shut(&seal, &place, head, twin, n);

    in.data = buf;
    in.len = n + SYNC_SEAL_ROOM;

    ok(memmem(buf, in.len, "canary", n) == NULL, "it cannot be read");
    ok(memcmp(buf + SYNC_SEAL_SALT, twin + SYNC_SEAL_SALT, n) != 0,
       "the same text never looks the same");

    is_int(opened(&seal, &place, &seal, head, in, out),
           SYNC_OK, "it opens");
    is_str(((sync_str_t) { n, out }), "canary", "and says what it said");

    for (good = 1, i = 0; i < in.len * 8; i++) {
        buf[i / 8] ^= 1 << i % 8;
        good &= opened(&seal, &place, &seal, head, in, out) == SYNC_NO;
        buf[i / 8] ^= 1 << i % 8;
    }

    ok(good, "a bit is flipped, in salt, text or tag");

#define refused(what)                                                        \
    is_int(opened(&seal, &p, &seal, head, in, out), SYNC_NO, what)

    memset(other, 0x33, sizeof(other));

    p = place;
    p.tenant = text("t_7f3b");
    refused("another tenant");

    p.tenant = text("");
    refused("no tenant");

    p = place;
    p.names[0] = other;
    refused("another key");

    p.names[0] = NULL;
    refused("no name under this secret");

    p = place;
    p.print = other;
    refused("another print");

    p = place;
    head = text("heae");
    refused("another head");

    /* the border between two pieces is part of what is bound */

    p.tenant = text("t_7f3");
    head = text("ahead");
    refused("a piece that ends elsewhere");

    p = place;
    head = text("head");
    in.len--;
    refused("cut");

    in.len = SYNC_SEAL_ROOM - 1;
    refused("shorter than a seal");
}


static void
test_parts(void)
{
    sync_str_t       in, head;
    sync_seal_t      seal;
    unsigned char    a[64], b[64], out[64];
    sync_seal_key_t  key;

    memset(&seal, 0, sizeof(seal));
    sync_seal_add(&seal, secret);

    head = text("head");
    memcpy(a + SYNC_SEAL_SALT, "canary", 6);
    memcpy(b + SYNC_SEAL_SALT, "canary", 6);

    sync_seal_key(&seal, place.tenant, &key);
    sync_seal_close(&key, &place, 0, head, a, 6);
    sync_seal_close(&key, &place, 1, head, b, 6);

    ok(memcmp(a, b, SYNC_SEAL_SALT) == 0, "two parts share their salt");
    ok(memcmp(a + SYNC_SEAL_SALT, b + SYNC_SEAL_SALT, 6) != 0,
       "and nothing else");

    in.data = b;
    in.len = 6 + SYNC_SEAL_ROOM;

    is_int(sync_seal_open(&seal, &place, sync_seal_id(&seal), 1, head, in,
                          out),
           SYNC_OK, "a part opens as what it is");
    is_int(opened(&seal, &place, &seal, head, in, out),
           SYNC_NO, "and not as the other one");
}


static void
test_rotation(void)
{
    sync_str_t         in, head;
    sync_seal_t        before, during, after;
    unsigned char      buf[64], out[64], under_two[32];
    sync_seal_place_t  p;

    memset(&before, 0, sizeof(before));
    memset(&during, 0, sizeof(during));
    memset(&after, 0, sizeof(after));

    sync_seal_add(&before, one);

    sync_seal_add(&during, two);
    sync_seal_add(&during, one);

    sync_seal_add(&after, two);

    head = text("head");
    memcpy(buf + SYNC_SEAL_SALT, "old", 3);
    shut(&before, &place, head, buf, 3);

    in.data = buf;
    in.len = 3 + SYNC_SEAL_ROOM;

    /* the new secret gives the key another name */

    memset(under_two, 0x44, sizeof(under_two));

    p = place;
    p.names[0] = under_two;
    p.names[1] = name;

    is_int(opened(&during, &p, &before, head, in, out),
           SYNC_OK, "sealed under the previous secret");
    is_str(((sync_str_t) { 3, out }), "old", "it opens");

    is_int(opened(&during, &p, &during, head, in, out),
           SYNC_NO, "not under the wrong generation");
    is_int(opened(&after, &p, &before, head, in, out),
           SYNC_NO, "not when the secret is gone");

    memcpy(buf + SYNC_SEAL_SALT, "new", 3);
    shut(&during, &p, head, buf, 3);

    is_int(opened(&after, &p, &after, head, in, out),
           SYNC_OK, "what is new is sealed under the current one");
}


/* One of 256 pairs of secrets has one id between them. */

static void
test_same_id(void)
{
    unsigned           i;
    sync_str_t         in, head;
    sync_seal_t        old, both;
    unsigned char      other[32], buf[64], out[64];
    sync_seal_place_t  p;

    memset(&old, 0, sizeof(old));
    memset(other, 0, sizeof(other));
    sync_seal_add(&old, one);

    for (i = 0; i < 100000; i++) {
        memcpy(other, &i, sizeof(i));
        other[31] = 0x55;

        memset(&both, 0, sizeof(both));
        sync_seal_add(&both, other);

        if (sync_seal_id(&both) == sync_seal_id(&old)) {
            break;
        }
    }

    sync_seal_add(&both, one);

    head = text("");
    memcpy(buf + SYNC_SEAL_SALT, "old", 3);
    shut(&old, &place, head, buf, 3);

    in.data = buf;
    in.len = 3 + SYNC_SEAL_ROOM;

    p = place;
    p.names[1] = name;

    is_int(both.ids[0], both.ids[1], "two secrets, one id");
    is_int(opened(&both, &p, &old, head, in, out),
           SYNC_OK, "both are tried");
    is_str(((sync_str_t) { 3, out }), "old", "and the right one opens");
}


static void
time_seal(void)
{
    int              i;
    sync_str_t       head;
    sync_seal_t      seal;
    unsigned char    buf[ROOM];
    struct timespec  a, b;

    memset(&seal, 0, sizeof(seal));
    memset(buf, 'x', sizeof(buf));
    sync_seal_add(&seal, secret);
    head = text("123456789012");

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);

    for (i = 0; i < 5000; i++) {
        shut(&seal, &place, head, buf, 2048);
    }

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
    diag("a seal of 2 KB: %.2f us",
         ((double) (b.tv_sec - a.tv_sec) * 1e9
          + (double) (b.tv_nsec - a.tv_nsec)) / 5e6);
}
