
/* Thumbprints of certificates, in the forms in which they are handed on. */


#include "tap.h"
#include "sync_cert.h"


/* A SEQUENCE of three bytes, and its SHA-256. */

#define SMALL        "MAMCAQU="
#define JKT          "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"
#define X5T          "A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0"
#define SMALL_PRINT  "QXx3Y8TjIKa3R7PLDG0i-TdBspoytIWUuOtMFE_m1yk"


static void print_is(const char *text, int want, const char *name);
static void read_is(const char *text, const char *want, const char *name);
static sync_str_t text(const char *s);


static sync_arena_t   *arena;
static unsigned char   print[SYNC_CERT_PRINT_LEN];


int
main(void)
{
    char  large[SYNC_CERT_SIZE + 2];

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

    sync_arena_destroy(arena);

    return done_testing();
}


static sync_str_t
text(const char *s)
{
    return (sync_str_t) { strlen(s), (unsigned char *) (uintptr_t) s };
}


static void
print_is(const char *s, int want, const char *name)
{
    sync_rc_t     rc;
    sync_str_t    got;
    sync_error_t  err;

    memset(print, 0, sizeof(print));
    rc = sync_cert_print(text(s), arena, print, &err);

    if (want) {
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
    sync_rc_t   rc;
    sync_str_t  got;

    rc = sync_cert_print_read(text(s), print);

    if (want == NULL) {
        is_int(rc, SYNC_NO, "no thumbprint: %s", name);
        return;
    }

    got.len = rc == SYNC_OK ? sizeof(print) : 0;
    got.data = print;
    is_str(got, want, "thumbprint: %s", name);
}
