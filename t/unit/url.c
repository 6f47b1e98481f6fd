
/*
 * URLs that are called, names that may be, addresses that may not.
 */


#include "sync_url.h"
#include "tap.h"


typedef struct {
    const char  *text;
    const char  *host;
    int          port;
    const char  *authority;
    const char  *target;
    int          iplen;
} good_t;

typedef struct {
    const char  *text;
    const char  *what;
} bad_t;


static sync_arena_t  *arena;


static void test_good(void);
static void test_bad(void);
static void test_addresses(void);
static void test_egress(void);
static void test_items(void);

static sync_str_t str(const char *s);
static sync_rc_t address(const sync_egress_t *egress, const char *text);
static sync_rc_t name(const sync_egress_t *egress, const char *text);


static const good_t  good[] = {
    { "https://a.example", "a.example", 443, "a.example", "/", 0 },
    { "https://a.example/", "a.example", 443, "a.example", "/", 0 },
    { "HTTPS://A.Example:8443/x?y=%2F&z", "A.Example", 8443,
      "A.Example:8443", "/x?y=%2F&z", 0 },
    { "https://localhost/k", "localhost", 443, "localhost", "/k", 0 },
    { "https://1a.2b/", "1a.2b", 443, "1a.2b", "/", 0 },
    { "https://xn--bcher-kva.example/", "xn--bcher-kva.example", 443,
      "xn--bcher-kva.example", "/", 0 },
    { "https://0xg.0xfg/", "0xg.0xfg", 443, "0xg.0xfg", "/", 0 },
    { "https://192.0.2.1:1/", "192.0.2.1", 1, "192.0.2.1:1", "/", 4 },
    { "https://[2001:db8::1]:65535/a", "2001:db8::1", 65535,
      "[2001:db8::1]:65535", "/a", 16 },
    { "https://[::ffff:127.0.0.1]/", "::ffff:127.0.0.1", 443,
      "[::ffff:127.0.0.1]", "/", 16 },
    { "https://[::]/", "::", 443, "[::]", "/", 16 },
    { "https://a.example/~u/;p=1,2/$x!'()*+:@-._?/?", "a.example", 443,
      "a.example", "/~u/;p=1,2/$x!'()*+:@-._?/?", 0 }
};


static const bad_t  bad[] = {
    { "", "scheme" },
    { "https", "scheme" },
    { "https:/a", "scheme" },
    { "https:\x0f/a", "scheme" },
    { "http://a.example/", "scheme" },
    { "//a.example/", "scheme" },
    { " https://a.example/", "scheme" },
    { "ftp://a.example/", "scheme" },
    { "https://", "host" },
    { "https:///x", "host" },
    { "https://:443/", "host" },
    { "https://u@a.example/", "user" },
    { "https://u:p@a.example/", "user" },
    { "https://a.example@127.0.0.1/", "user" },
    { "https://a.example/#f", "fragment" },
    { "https://a.example#f", "fragment" },
    { "https://a.example?q", "path" },
    { "https://a example/", "host" },
    { "https://a.example /", "host" },
    { "https://a.example\\b/", "host" },
    { "https://a.example%2eb/", "host" },
    { "https://a_b.example/", "host" },
    { "https://\xc3\xa4.example/", "host" },
    { "https://a..example/", "host" },
    { "https://.example/", "host" },
    { "https://a.example./", "host" },
    { "https://-a.example/", "host" },
    { "https://a-.example/", "host" },
    { "https://a.example-/", "host" },
    { "https://127.0.0.1./", "host" },
    { "https://127.1/", "host" },
    { "https://127.0.1/", "host" },
    { "https://2130706433/", "host" },
    { "https://0/", "host" },
    { "https://0x7f.1/", "host" },
    { "https://0x7f000001/", "host" },
    { "https://0x/", "host" },
    { "https://0177.0.0.1/", "host" },
    { "https://01.2.3.4/", "host" },
    { "https://1.2.3.256/", "host" },
    { "https://1.2.3.4.5/", "host" },
    { "https://1.2.3.0x4/", "host" },
    { "https://a.example.1/", "host" },
    { "https://[fe80::1%25eth0]/", "host" },
    { "https://[fe80::1%eth0]/", "host" },
    { "https://[v1.a]/", "host" },
    { "https://[::1/", "host" },
    { "https://[]/", "host" },
    { "https://[127.0.0.1]/", "host" },
    { "https://[::1]a/", "host" },
    { "https://[1:2:3:4:5:6:7]/", "host" },
    { "https://[1:2:3:4:5:6:7:8:9]/", "host" },
    { "https://[1::2::3]/", "host" },
    { "https://[:::]/", "host" },
    { "https://[1:]/", "host" },
    { "https://[:1]/", "host" },
    { "https://[12345::]/", "host" },
    { "https://[::1.2.3]/", "host" },
    { "https://[1:2:3:4:5:6:7:1.2.3.4]/", "host" },
    { "https://::1/", "host" },
    { "https://a.example:/", "port" },
    { "https://a.example:0/", "port" },
    { "https://a.example:080/", "port" },
    { "https://a.example:65536/", "port" },
    { "https://a.example:99999999999/", "port" },
    { "https://a.example:+1/", "port" },
    { "https://a.example:1:2/", "port" },
    { "https://a.example/ x", "byte" },
    { "https://a.example/\r\nX: y", "byte" },
    { "https://a.example/\x7f", "byte" },
    { "https://a.example/\xc3\xa4", "byte" },
    { "https://a.example/<", "byte" },
    { "https://a.example/{x}", "byte" },
    { "https://a.example/%", "percent" },
    { "https://a.example/%4", "percent" },
    { "https://a.example/%g0", "percent" }
};


/* Both sides of each border. */

static const char  *not_public[] = {
    "0.0.0.0", "0.255.255.255", "10.0.0.0", "10.255.255.255", "100.64.0.0",
    "100.127.255.255", "127.0.0.1", "127.255.255.254", "169.254.0.0",
    "169.254.169.254", "172.16.0.0", "172.31.255.255", "192.0.0.1",
    "192.0.2.1", "192.88.99.1", "192.168.0.0", "192.168.255.255",
    "198.18.0.0", "198.19.255.255", "198.51.100.7", "203.0.113.7",
    "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",

    "[::]", "[::1]", "[::127.0.0.1]", "[::8.8.8.8]", "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]", "[::ffff:a00:1]", "[::ffff:0:127.0.0.1]",
    "[64:ff9b::127.0.0.1]", "[64:ff9b::169.254.169.254]",
    "[64:ff9b:1::8.8.8.8]", "[64:ff9b::1:8.8.8.8]", "[2002:7f00:1::]",
    "[2002:a9fe:a9fe::1]", "[2002:c0a8:1::1]", "[100::1]", "[2001::1]",
    "[2001:0:4136:e378:8000:63bf:3fff:fdd2]", "[2001:10::1]", "[2001:20::1]",
    "[2001:1ff:ffff::]", "[2001:db8::1]", "[3fff::1]", "[3fff:fff::1]",
    "[4000::1]", "[5f00::1]", "[fc00::1]", "[fd00::1]", "[fe80::1]",
    "[febf::1]", "[fec0::1]", "[ff02::1]", "[ff0e::1]", "[1fff::1]"
};

static const char  *public[] = {
    "1.0.0.0", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0",
    "126.255.255.255", "128.0.0.1", "169.253.255.255", "169.255.0.0",
    "172.15.255.255", "172.32.0.0", "192.0.1.1", "192.0.3.1", "192.88.98.1",
    "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0",
    "198.51.99.1", "203.0.112.1", "223.255.255.255", "8.8.8.8",

    "[::ffff:8.8.8.8]", "[64:ff9b::8.8.8.8]", "[2002:808:808::1]",
    "[2000::1]", "[2001:200::1]", "[2001:db7::1]", "[2001:db9::1]",
    "[2a00:1450:4001:812::200e]", "[3ffe::1]", "[3fff:1000::1]"
};


int
main(void)
{
    arena = sync_arena_create(4096);

    test_good();
    test_bad();
    test_addresses();
    test_egress();
    test_items();

    sync_arena_destroy(arena);

    return done_testing();
}


static void
test_good(void)
{
    size_t      i;
    sync_url_t  url;

    for (i = 0; i < sizeof(good) / sizeof(good_t); i++) {

        is_int(sync_url_parse(&url, str(good[i].text), NULL), SYNC_OK, "%s",
               good[i].text);
        is_str(url.host, good[i].host, "its host");
        is_int(url.port, good[i].port, "its port");
        is_str(url.authority, good[i].authority, "its authority");
        is_str(url.target, good[i].target, "its target");
        is_int(url.iplen, good[i].iplen, "bytes of its address");
        is_int(url.literal, good[i].iplen != 0, "a literal or not");
    }

    sync_url_parse(&url, str("https://[1:2::ff00:1.2.3.4]/"), NULL);

    ok(memcmp(url.ip, "\0\1\0\2\0\0\0\0\0\0\377\0\1\2\3\4", 16) == 0,
       "an address with a gap and four numbers");
}


static void
test_bad(void)
{
    size_t        i;
    sync_url_t    url;
    sync_str_t    text;
    sync_error_t  err;

    for (i = 0; i < sizeof(bad) / sizeof(bad_t); i++) {

        memset(&err, 0, sizeof(err));

        is_int(sync_url_parse(&url, str(bad[i].text), &err), SYNC_NO,
               "refused: %s", bad[i].text);
        ok(err.what && strcmp(err.what, bad[i].what) == 0, "by its %s, not %s",
           bad[i].what, err.what ? err.what : "nothing");
        ok(err.text[0] != '\0', "and it is said what would be right");
    }

    text.len = SYNC_URL_MAX + 1;
    text.data = sync_alloc(arena, text.len);
    memset(text.data, 'a', text.len);
    memcpy(text.data, "https://a.example/", 18);

    is_int(sync_url_parse(&url, text, &err), SYNC_NO, "too long");
    text.len--;
    is_int(sync_url_parse(&url, text, &err), SYNC_OK, "as long as may be");

    text.len = 8 + 64;
    memset(text.data + 8, 'a', 64);
    is_int(sync_url_parse(&url, text, &err), SYNC_NO, "a label of 64");
    text.len--;
    is_int(sync_url_parse(&url, text, &err), SYNC_OK, "a label of 63");

    text.len = 8 + 255;

    for (i = 8; i < text.len; i++) {
        text.data[i] = i % 2 ? '.' : 'a';
    }

    is_int(sync_url_parse(&url, text, &err), SYNC_NO, "a host of 255");
    text.len -= 2;
    is_int(sync_url_parse(&url, text, &err), SYNC_OK, "a host of 253");

    text = str("https://a.example/a\0b");
    text.len += 2;
    is_int(sync_url_parse(&url, text, &err), SYNC_NO, "NUL");

    text = str("https://a.example/%4\0");
    text.len++;
    is_int(sync_url_parse(&url, text, &err), SYNC_NO, "NUL behind percent");
}


static void
test_addresses(void)
{
    size_t          i;
    unsigned char   ip[16];
    sync_egress_t  *egress;

    egress = NULL;
    sync_egress_add(&egress, arena, str("erp.example"), NULL);

    for (i = 0; i < sizeof(not_public) / sizeof(char *); i++) {
        is_int(address(NULL, not_public[i]), SYNC_NO, "not public: %s",
               not_public[i]);
        is_int(address(egress, not_public[i]), SYNC_NO, "nor where a name is "
               "listed");
    }

    for (i = 0; i < sizeof(public) / sizeof(char *); i++) {
        is_int(address(NULL, public[i]), SYNC_OK, "public: %s", public[i]);
    }

    memset(ip, 8, sizeof(ip));
    is_int(sync_egress_address(NULL, ip, 5), SYNC_NO, "no address at all");
    is_int(sync_egress_address(NULL, ip, 0), SYNC_NO, "nothing");
}


static void
test_egress(void)
{
    size_t          i;
    sync_egress_t  *egress;

    static const char  *items[] = {
        "erp.example", "*.ERP.example:8443", "*.s4.example", "10.1.0.0/16",
        "172.16.0.0/13:8443", "127.0.0.1:9443", "fd00::/8", "[fe80::/10]:81",
        "[fc00::5]"
    };

    egress = NULL;

    is_int(name(egress, "https://erp.example/"), SYNC_NO, "nothing is listed");
    ok(!sync_egress_named(egress), "nor a name");

    for (i = 0; i < sizeof(items) / sizeof(char *); i++) {
        is_int(sync_egress_add(&egress, arena, str(items[i]), NULL), SYNC_OK,
               "%s", items[i]);
    }

    ok(sync_egress_named(egress), "names are listed");

    is_int(name(egress, "https://erp.example/"), SYNC_OK, "the name");
    is_int(name(egress, "https://ERP.EXAMPLE/"), SYNC_OK, "in any case");
    is_int(name(egress, "https://erp.example:444/"), SYNC_NO, "another port");
    is_int(name(egress, "https://xerp.example/"), SYNC_NO, "a longer name");
    is_int(name(egress, "https://erp.example.evil/"), SYNC_NO, "another end");
    is_int(name(egress, "https://rp.example/"), SYNC_NO, "a shorter name");
    is_int(name(egress, "https://a.erp.example/"), SYNC_NO, "below, 443");
    is_int(name(egress, "https://a.erp.example:8443/"), SYNC_OK, "below, 8443");
    is_int(name(egress, "https://erp.example:8443/"), SYNC_NO,
           "the bare domain is not below itself");
    is_int(name(egress, "https://a.b.s4.example/"), SYNC_OK, "two below");
    is_int(name(egress, "https://as4.example/"), SYNC_NO, "no dot");
    is_int(name(egress, "https://s4.example/"), SYNC_NO, "the bare domain");

    is_int(name(egress, "https://10.1.2.3/"), SYNC_OK, "an address, listed");
    is_int(name(egress, "https://10.1.2.3:22/"), SYNC_NO, "at 443 alone");
    is_int(name(egress, "https://10.2.2.3/"), SYNC_NO, "beyond the network");
    is_int(name(egress, "https://8.8.8.8/"), SYNC_NO,
           "a public address that is not listed");
    is_int(name(egress, "https://[::ffff:10.1.2.3]/"), SYNC_OK,
           "within IPv6 it is the same");
    is_int(name(egress, "https://172.23.255.255:8443/"), SYNC_OK, "/13");
    is_int(name(egress, "https://172.24.0.0:8443/"), SYNC_NO, "beyond /13");
    is_int(name(egress, "https://[fd12::1]/"), SYNC_OK, "IPv6");
    is_int(name(egress, "https://[fe81::1]:81/"), SYNC_OK, "with a port");
    is_int(name(egress, "https://[fe81::1]/"), SYNC_NO, "and no other");

    is_int(address(egress, "10.1.255.255"), SYNC_OK, "a listed network");
    is_int(address(egress, "10.0.255.255"), SYNC_NO, "and not the one before");
    is_int(address(egress, "10.2.0.0"), SYNC_NO, "nor the one behind");
    is_int(address(egress, "[::ffff:10.1.0.1]"), SYNC_OK, "within IPv6");
    is_int(address(egress, "[64:ff9b::10.1.0.1]"), SYNC_NO,
           "behind a translator it is another");
    is_int(address(egress, "127.0.0.1"), SYNC_OK, "one address");
    is_int(address(egress, "127.0.0.2"), SYNC_NO, "and not the next");
    is_int(address(egress, "[fc00::5]"), SYNC_OK, "one of IPv6");
    is_int(address(egress, "[fc00::6]"), SYNC_NO, "and not the next");
    is_int(address(egress, "169.254.169.254"), SYNC_NO, "metadata");
    is_int(address(egress, "8.8.8.8"), SYNC_OK, "public ones need no list");
}


static void
test_items(void)
{
    size_t          i;
    sync_error_t    err;
    sync_egress_t  *egress;

    static const bad_t  items[] = {
        { "", "host" }, { "*", "host" }, { "*.", "host" },
        { "a.*.example", "host" }, { "*example", "host" },
        { "https://a.example", "port" }, { "a.example:", "port" },
        { "a.example:https", "port" }, { "a.example:*", "port" },
        { "a.example/x", "network" }, { "127.1", "network" },
        { "0x7f.1", "network" }, { "10.0.0.0/", "network" },
        { "10.0.0.0/33", "network" }, { "10.0.0.0/1x", "network" },
        { "10.0.0.0/0000000008", "network" },
        { "10.1.2.3/16", "network" }, { "10.64.0.0/9", "network" },
        { "0.0.0.0/0", "network" }, { "::/0", "network" },
        { "0.0.0.0/7", "network" }, { "fd00::1/8", "network" },
        { "fd00::/129", "network" }, { "::ffff:10.0.0.0/104", "network" },
        { "[fd00::/8", "network" }, { "[fd00::/8]x", "network" },
        { "[fd00::/8]:0", "port" }, { "[10.0.0.0/8]", "network" },
        { "[a.example]", "network" }, { "[]", "network" },
        { "fe80::1%eth0", "network" }
    };

    egress = NULL;

    for (i = 0; i < sizeof(items) / sizeof(bad_t); i++) {

        memset(&err, 0, sizeof(err));

        is_int(sync_egress_add(&egress, arena, str(items[i].text), &err),
               SYNC_NO, "not to be listed: %s", items[i].text);
        ok(err.what && strcmp(err.what, items[i].what) == 0,
           "by its %s, not %s", items[i].what, err.what ? err.what : "nothing");
    }

    ok(egress == NULL, "and nothing was");
}


static sync_rc_t
address(const sync_egress_t *egress, const char *text)
{
    char        buf[128];
    sync_url_t  url;

    snprintf(buf, sizeof(buf), "https://%s/", text);

    if (sync_url_parse(&url, str(buf), NULL) != SYNC_OK || !url.literal) {
        diag("not read: %s", text);
        return SYNC_FAULT;
    }

    return sync_egress_address(egress, url.ip, url.iplen);
}


static sync_rc_t
name(const sync_egress_t *egress, const char *text)
{
    sync_url_t  url;

    if (sync_url_parse(&url, str(text), NULL) != SYNC_OK) {
        diag("not read: %s", text);
        return SYNC_FAULT;
    }

    return sync_egress_name(egress, &url);
}


static sync_str_t
str(const char *s)
{
    return (sync_str_t) { strlen(s), (unsigned char *) s };
}
