
/*
 * Certificates in the forms in which they are handed on, and the names by
 * which documents know them.
 */


#include "tap.h"
#include "sync_cert.h"


/* A SEQUENCE of three bytes, and its SHA-256. */

#define SMALL        "MAMCAQU="
#define JKT          "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"
#define X5T          "A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0"
#define SMALL_PRINT  "QXx3Y8TjIKa3R7PLDG0i-TdBspoytIWUuOtMFE_m1yk"


static void print_is(const char *text, int want, const char *name);
static void read_is(const char *text, const char *want, const char *name);
static void name_is(const char *kind, const char *text, const char *want);
static void names_are(sync_str_t der, const char *want, const char *name);
static sync_str_t subject(const char *type, int tag, const char *value);
static sync_str_t certificate(sync_str_t subject, sync_str_t extensions);
static sync_str_t sans(sync_str_t names);
static sync_str_t tlv(int tag, sync_str_t content);
static sync_str_t join(sync_str_t a, sync_str_t b);
static sync_str_t text(const char *s);


/* A literal with whatever bytes, as a value of DER. */
#define der(tag, lit)  tlv((tag), sync_str_lit(lit))

/* GeneralName, RFC 5280, 4.2.1.6 */
#define EMAIL  0x81
#define DNS    0x82
#define URI    0x86
#define IP     0x87


static sync_arena_t   *arena;
static unsigned char   print[SYNC_CERT_PRINT_LEN];


int
main(void)
{
    char        large[SYNC_CERT_SIZE + 2];
    size_t      i;
    sync_str_t  nobody, all, many;

    arena = sync_arena_create(65536);

    print_is(":" SMALL ":", 1, "a byte sequence");
    print_is("-----BEGIN CERTIFICATE-----\n" SMALL "\n"
             "-----END CERTIFICATE-----\n", 1, "PEM");
    print_is("-----BEGIN CERTIFICATE-----\r\n\tMAMC\r\n\tAQU=\r\n"
             "-----END CERTIFICATE-----", 1, "PEM with tabs");
    print_is("-----BEGIN%20CERTIFICATE-----%0AMAMCAQU%3d%0A"
             "-----END%20CERTIFICATE-----%0a", 1, "PEM, escaped");

    print_is("", 0, "nothing");
    print_is(":", 0, "a colon");
    print_is("::", 0, "an empty one");
    print_is(SMALL, 0, "no colons");
    print_is(":" SMALL, 0, "one colon");
    print_is(":MAMCAQU:", 0, "no padding");
    print_is(":MAMC AQU=:", 0, "white space");
    print_is(":MAMCAQUA:", 0, "more than it says");
    print_is(":MAMCAQ==:", 0, "less than it says");
    print_is(":BAMCAQU=:", 0, "no SEQUENCE");
    print_is(":MIA=:", 0, "no definite length");
    print_is(":MIEF:", 0, "a length without an end");
    print_is("-----BEGIN CERTIFICATE-----\n" SMALL "\n", 0, "no end");
    print_is("-----BEGIN CERTIFICATE-----", 0, "a beginning alone");
    print_is("-----BEGIN CERTIFICATE-----\n" SMALL "\n"
             "-----END CERTIFICATE-----\n-----BEGIN CERTIFICATE-----\n"
             SMALL "\n-----END CERTIFICATE-----\n", 0, "two");
    print_is("-----BEGIN PUBLIC KEY-----\n" SMALL "\n"
             "-----END PUBLIC KEY-----\n", 0, "something else");
    print_is("-----BEGIN%2", 0, "half an escape");
    print_is("%zz", 0, "no escape");

    memset(large, 'A', sizeof(large));
    large[0] = ':';
    large[sizeof(large) - 2] = ':';
    large[sizeof(large) - 1] = '\0';
    print_is(large, 0, "more than its bound");

    read_is(JKT, JKT, "base64url");
    read_is("0380ed2f626650c840b2f263e6d2b29fae12ab39ae5db32b25ad27efad72e6fd",
            X5T, "hex");
    read_is("03:80:ED:2F:62:66:50:C8:40:B2:F2:63:E6:D2:B2:9F:"
            "AE:12:AB:39:AE:5D:B3:2B:25:AD:27:EF:AD:72:E6:FD", X5T,
            "hex as OpenSSL writes it");
    read_is("", NULL, "nothing");
    read_is("0380", NULL, "too short");
    read_is("0380ed2f626650c840b2f263e6d2b29fae12ab39ae5db32b25ad27efad72e6"
            "fd00", NULL, "too long");
    read_is("0380ed2f626650c840b2f263e6d2b29fae12ab39ae5db32b25ad27efad72e6"
            "fg", NULL, "no hex");
    read_is("0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4=", NULL,
            "padding");

    /* what an operator writes */

    name_is("subject_dn", "CN=erp,O=Acme", "subject_dn=CN=erp,O=Acme");
    name_is("subject_dn", "CN=a b\\, c+UID=7,1.2.3=#0C0161,O=M\\C3\\BCller",
            "subject_dn=CN=a b\\, c+UID=7,1.2.3=#0C0161,O=M\\C3\\BCller");
    name_is("subject_dn", "CN=", "subject_dn=CN=");
    name_is("subject_dn", "", NULL);
    name_is("subject_dn", "erp", NULL);
    name_is("subject_dn", "/CN=erp/O=Acme", NULL);
    name_is("subject_dn", "CN=erp, O=Acme", NULL);
    name_is("subject_dn", "CN = erp,O = Acme", NULL);
    name_is("subject_dn", "CN=erp,", NULL);
    name_is("subject_dn", "CN=erp,=x", NULL);
    name_is("subject_dn", "CN= erp", NULL);
    name_is("subject_dn", "CN=erp ,O=a", NULL);
    name_is("subject_dn", "CN=m\xc3\xbcller", NULL);
    name_is("subject_dn", "CN=m\\c3\\bcller", NULL);
    name_is("subject_dn", "CN=a\\", NULL);
    name_is("subject_dn", "CN=a\\q", NULL);
    name_is("subject_dn", "CN=\"a\"", NULL);
    name_is("subject_dn", "CN=#x", NULL);

    name_is("san_dns", "ERP.Example", "san_dns=erp.example");
    name_is("san_dns", "xn--bcher-kva.example",
            "san_dns=xn--bcher-kva.example");
    name_is("san_dns", "b\xc3\xbc" "cher.example", NULL);
    name_is("san_dns", "*.erp.example", NULL);
    name_is("san_dns", "erp.example.", NULL);
    name_is("san_dns", "192.0.2.7", NULL);
    name_is("san_dns", "", NULL);

    name_is("san_uri", "spiffe://acme/ERP", "san_uri=spiffe://acme/ERP");
    name_is("san_uri", "urn:uuid:7", "san_uri=urn:uuid:7");
    name_is("san_uri", "//acme/erp", NULL);
    name_is("san_uri", "urn:", NULL);
    name_is("san_uri", "7:a", NULL);
    name_is("san_uri", "urn:a b", NULL);

    name_is("san_email", "Ann@ERP.Example", "san_email=Ann@erp.example");
    name_is("san_email", "ann", NULL);
    name_is("san_email", "@erp.example", NULL);
    name_is("san_email", "ann@", NULL);
    name_is("san_email", "a nn@erp.example", NULL);
    name_is("san_email", "ann@192.0.2.7", NULL);

    name_is("san_ip", "192.0.2.7", "san_ip=c0000207");
    name_is("san_ip", "2001:db8::7",
            "san_ip=20010db8000000000000000000000007");
    name_is("san_ip", "2001:DB8:0:0::7",
            "san_ip=20010db8000000000000000000000007");
    name_is("san_ip", "192.0.2.0/24", NULL);
    name_is("san_ip", "[2001:db8::7]", NULL);
    name_is("san_ip", "erp.example", NULL);
    name_is("san_ip", "", NULL);

    is_int(sync_cert_kind(text("san_dir")), SYNC_CERT_KINDS, "no such kind");

    /* what a certificate says */

    nobody = tlv(0x30, sync_str_null);

    names_are(certificate(subject("\x03", 0x0c, "erp"), sync_str_null),
              "subject_dn=CN=erp", "a subject alone");
    names_are(certificate(nobody, sync_str_null), "", "none at all");
    names_are(certificate(subject("\x03", 0x0c, "M\xc3\xbcller, Ost"),
                          sync_str_null),
              "subject_dn=CN=M\\C3\\BCller\\, Ost", "a subject in UTF-8");
    names_are(certificate(subject("\x03", 0x14, "M\xfcller"), sync_str_null),
              "subject_dn=CN=M\\C3\\BCller", "the same in Latin 1");
    names_are(certificate(tlv(0x30, tlv(0x31, tlv(0x30,
                          join(der(0x06, "\x55\x04\x03"),
                               der(0x0c, "erp\0.evil"))))), sync_str_null),
              "subject_dn=CN=erp\\00.evil", "a NUL in a subject");

    all = join(der(DNS, "ERP.Example"), der(DNS, "b.example"));
    all = join(all, der(URI, "spiffe://acme/ERP"));
    all = join(all, der(EMAIL, "Ann@ERP.Example"));
    all = join(all, der(IP, "\xc0\x00\x02\x07"));
    all = join(all, der(IP, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07"));

    names_are(certificate(nobody, sans(all)),
              "san_dns=erp.example san_dns=b.example "
              "san_uri=spiffe://acme/ERP san_email=Ann@erp.example "
              "san_ip=c0000207 san_ip=20010db8000000000000000000000007",
              "all that count");

    names_are(certificate(nobody, sans(der(DNS, "erp.example\0.evil"))), "",
              "a NUL in a host");
    names_are(certificate(nobody, sans(der(DNS, "erp.example\0"))), "",
              "a NUL behind it");
    names_are(certificate(nobody, sans(der(URI, "urn:a\0b"))), "",
              "a NUL in a URI");
    names_are(certificate(nobody, sans(der(EMAIL, "a@b.example\0c"))), "",
              "a NUL in an address");
    names_are(certificate(nobody, sans(der(DNS, "*.erp.example"))), "",
              "a wildcard");
    names_are(certificate(nobody, sans(der(DNS, "b\xc3\xbc" "cher.example"))),
              "", "letters that are no host's");
    names_are(certificate(nobody, sans(der(DNS, ""))), "", "an empty one");
    names_are(certificate(nobody, sans(der(IP, "\xc0\x00\x02\x07\x07"))), "",
              "five bytes of address");
    names_are(certificate(nobody,
                          sans(join(tlv(0xa4, subject("\x03", 0x0c, "erp")),
                                    join(der(0x88, "\x2a\x03"),
                                         der(DNS, "erp.example"))))),
              "san_dns=erp.example", "beside other kinds");
    names_are(certificate(nobody, join(sans(der(DNS, "a.example")),
                                       sans(der(DNS, "b.example")))),
              "", "the extension twice");
    names_are(certificate(nobody, sans(sync_str_lit("\x82\x09x"))), "",
              "a broken extension");
    names_are(certificate(nobody,
                          tlv(0x30, join(der(0x06, "\x55\x1d\x11"),
                                         join(der(0x01, "\xff"),
                                              tlv(0x04, tlv(0x30,
                                                  der(DNS, "a.example"))))))),
              "san_dns=a.example", "a critical one");
    names_are(certificate(nobody,
                          join(tlv(0x30, join(der(0x06, "\x55\x1d\x12"),
                                              tlv(0x04, tlv(0x30,
                                                  der(DNS, "ca.example"))))),
                               sans(der(DNS, "a.example")))),
              "san_dns=a.example", "beside those of the issuer");
    names_are(certificate(nobody, join(sans(der(DNS, "a.example")),
                                       sync_str_lit("\x30\x80\0\0"))),
              NULL, "a length that is not definite");
    names_are(certificate(nobody, join(sans(der(DNS, "a.example")),
                                       sync_str_lit("\x30\x09x"))),
              NULL, "an extension that is cut");
    names_are(certificate(join(nobody, nobody), sync_str_null), NULL,
              "two subjects");

    many = sync_str_null;

    for (i = 0; i < SYNC_CERT_NAMES - 1; i++) {
        many = join(many, der(DNS, "a.example"));
    }

    names_are(certificate(nobody, sans(join(many, der(DNS, "b.example")))),
              NULL, "more than there may be");

    names_are(tlv(0x30, sync_str_lit("\x02\x01\x05")), NULL,
              "no certificate");
    names_are(join(certificate(nobody, sync_str_null), text("x")), NULL,
              "a byte behind it");

    sync_arena_destroy(arena);

    return done_testing();
}


static void
print_is(const char *s, int want, const char *name)
{
    sync_rc_t     rc;
    sync_str_t    got, der;
    sync_error_t  err;

    rc = sync_cert_der(text(s), arena, &der, &err);

    if (want) {
        memset(print, 0, sizeof(print));

        if (rc == SYNC_OK) {
            sync_cert_print(der, print);
        }

        got.len = sizeof(print);
        got.data = print;
        is_str(got, SMALL_PRINT, "certificate: %s", name);

    } else {
        ok(rc == SYNC_NO && strcmp(err.what, "certificate") == 0,
           "no certificate: %s", name);
    }
}


static void
read_is(const char *s, const char *want, const char *name)
{
    sync_rc_t     rc;
    sync_str_t    got;
    sync_error_t  err;

    rc = sync_cert_name_read(SYNC_CERT_SHA256, text(s), arena, &got, &err);

    if (want == NULL) {
        is_int(rc, SYNC_NO, "no thumbprint: %s", name);
        return;
    }

    ok(rc == SYNC_OK && got.len == 50 && memcmp(got.data, "sha256=", 7) == 0
       && memcmp(got.data + 7, want, 43) == 0, "thumbprint: %s", name);
}


static void
name_is(const char *kind, const char *s, const char *want)
{
    sync_rc_t         rc;
    sync_str_t        got;
    sync_error_t      err;
    sync_cert_kind_e  k;

    k = sync_cert_kind(text(kind));
    rc = sync_cert_name_read(k, text(s), arena, &got, &err);

    if (want == NULL) {
        ok(rc == SYNC_NO && strcmp(err.what, "value") == 0
           && strstr(err.text, "like \"") != NULL, "no %s: %s", kind, s);
        return;
    }

    is_str(rc == SYNC_OK ? got : sync_str_null, want, "%s: %s", kind, s);
}


/* want: all of them, spaces between; NULL: it is refused. */

static void
names_are(sync_str_t der, const char *want, const char *name)
{
    size_t        i, n;
    sync_rc_t     rc;
    sync_str_t    got, names[SYNC_CERT_NAMES];
    sync_error_t  err;

    rc = sync_cert_names(der, arena, names, &n, &err);

    if (want == NULL) {
        ok(rc == SYNC_NO && strcmp(err.what, "certificate") == 0,
           "no names: %s", name);
        return;
    }

    got = sync_str_lit("");

    for (i = 0; rc == SYNC_OK && i < n; i++) {
        got = join(got, i ? text(" ") : sync_str_null);
        got = join(got, names[i]);
    }

    if (rc != SYNC_OK) {
        got = sync_str_lit("refused");
    }

    is_str(got, want, "names: %s", name);
}


/* One attribute of X.520: its last number, and a string of that type. */

static sync_str_t
subject(const char *type, int tag, const char *value)
{
    sync_str_t  oid;

    oid = tlv(0x06, join(sync_str_lit("\x55\x04"), text(type)));

    return tlv(0x30, tlv(0x31, tlv(0x30, join(oid, tlv(tag, text(value))))));
}


/* RFC 5280, 4.1; Ed25519 with a key and a signature that are none. */

static sync_str_t
certificate(sync_str_t name, sync_str_t extensions)
{
    unsigned char  zero[65];
    sync_str_t     alg, bits, tbs, time;

    memset(zero, 0, sizeof(zero));

    alg = tlv(0x30, der(0x06, "\x2b\x65\x70"));
    time = der(0x17, "260101000000Z");

    tbs = join(tlv(0xa0, der(0x02, "\x02")), der(0x02, "\x01"));
    tbs = join(tbs, alg);
    tbs = join(tbs, subject("\x03", 0x0c, "CA"));
    tbs = join(tbs, tlv(0x30, join(time, time)));
    tbs = join(tbs, name);

    bits = (sync_str_t) { 33, zero };
    tbs = join(tbs, tlv(0x30, join(alg, tlv(0x03, bits))));

    if (extensions.len) {
        tbs = join(tbs, tlv(0xa3, tlv(0x30, extensions)));
    }

    bits.len = 65;

    return tlv(0x30, join(tlv(0x30, tbs), join(alg, tlv(0x03, bits))));
}


static sync_str_t
sans(sync_str_t names)
{
    return tlv(0x30, join(der(0x06, "\x55\x1d\x11"),
                          tlv(0x04, tlv(0x30, names))));
}


static sync_str_t
tlv(int tag, sync_str_t content)
{
    sync_str_t     head;
    unsigned char  bytes[4];

    bytes[0] = (unsigned char) tag;
    bytes[1] = (unsigned char) content.len;

    head.data = bytes;
    head.len = 2;

    if (content.len >= 128) {
        bytes[1] = 0x82;
        bytes[2] = (unsigned char) (content.len >> 8);
        bytes[3] = (unsigned char) content.len;
        head.len = 4;

        if (content.len < 256) {
            bytes[1] = 0x81;
            bytes[2] = (unsigned char) content.len;
            head.len = 3;
        }
    }

    return join(head, content);
}


static sync_str_t
join(sync_str_t a, sync_str_t b)
{
    sync_str_t  s;

    s.len = a.len + b.len;
    s.data = sync_alloc(arena, s.len + 1);

    if (a.len) {
        memcpy(s.data, a.data, a.len);
    }

    if (b.len) {
        memcpy(s.data + a.len, b.data, b.len);
    }

    return s;
}


static sync_str_t
text(const char *s)
{
    return (sync_str_t) { strlen(s), (unsigned char *) (uintptr_t) s };
}
