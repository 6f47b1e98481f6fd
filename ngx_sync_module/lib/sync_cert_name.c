
/*
 * Names of certificates: RFC 8705, 2.1.2; RFC 5280, 4.2.1.6 and 7.
 */


#include "sync_cert.h"
#include "sync_crypto.h"
#include "sync_url.h"


#define SYNC_CERT_DN  "is not a subject as \"openssl x509 -noout -subject "   \
                      "-nameopt RFC2253\" writes it behind \"subject=\", "    \
                      "like \"CN=erp,O=Acme\""


static sync_rc_t sync_cert_sha256(sync_str_t text, sync_arena_t *arena,
    sync_str_t *name, sync_error_t *err);
static sync_rc_t sync_cert_name_add(sync_str_t *names, size_t *n,
    sync_cert_kind_e kind, sync_str_t value, sync_arena_t *arena);
static sync_str_t sync_cert_name_of(sync_cert_kind_e kind, sync_str_t value,
    sync_arena_t *arena);
static sync_rc_t sync_cert_value(sync_cert_kind_e kind, sync_str_t *value,
    sync_arena_t *arena);
static int sync_cert_dn_ok(sync_str_t s);
static size_t sync_cert_dn_type(sync_str_t s, size_t i);
static size_t sync_cert_dn_value(sync_str_t s, size_t i);
static int sync_cert_upper_hex(unsigned char c);
static int sync_cert_uri_ok(sync_str_t s);
static int sync_cert_visible(sync_str_t s);
static sync_rc_t sync_cert_lower(sync_str_t *s, size_t from,
    sync_arena_t *arena);


/* What each is called in a document, and what is said of one that is none. */

static const struct {
    const char  *name;
    const char  *wrong;
} sync_cert_kinds[SYNC_CERT_KINDS] = {

    { "sha256",
      "is not the SHA-256 of a certificate, as \"openssl x509 -noout "
      "-fingerprint -sha256\" writes it, or as base64url" },

    { "subject_dn", SYNC_CERT_DN },

    { "san_dns",
      "is not one host, like \"erp.example\": no wildcard, no last dot; other "
      "letters are written as \"xn--...\"" },

    { "san_uri",
      "is not a URI, like \"spiffe://acme.example/erp\"" },

    { "san_ip",
      "is not an address, like \"192.0.2.7\" or \"2001:db8::7\"" },

    { "san_email",
      "is not an address, like \"erp@acme.example\"" }
};


const char *
sync_cert_kind_name(sync_cert_kind_e kind)
{
    return sync_cert_kinds[kind].name;
}


sync_cert_kind_e
sync_cert_kind(sync_str_t name)
{
    unsigned  kind;

    for (kind = 0; kind < SYNC_CERT_KINDS; kind++) {
        if (sync_str_is(name, sync_cert_kinds[kind].name)) {
            break;
        }
    }

    return (sync_cert_kind_e) kind;
}


sync_rc_t
sync_cert_name_read(sync_cert_kind_e kind, sync_str_t text,
    sync_arena_t *arena, sync_str_t *name, sync_error_t *err)
{
    size_t         len;
    sync_rc_t      rc;
    sync_str_t     value;
    unsigned char  ip[16];

    if (kind == SYNC_CERT_SHA256) {
        return sync_cert_sha256(text, arena, name, err);
    }

    value = text;

    if (kind == SYNC_CERT_SAN_IP) {

        if (sync_url_host(text, ip, &len, NULL) != SYNC_OK || len == 0) {
            goto wrong;
        }

        value.data = ip;
        value.len = len;
    }

    if (kind == SYNC_CERT_SUBJECT_DN && !sync_cert_dn_ok(value)) {
        goto wrong;
    }

    rc = sync_cert_value(kind, &value, arena);

    if (rc == SYNC_NO) {
        goto wrong;
    }

    if (rc != SYNC_OK) {
        return rc;
    }

    *name = sync_cert_name_of(kind, value, arena);

    return name->data != NULL ? SYNC_OK : SYNC_FAULT;

wrong:

    return sync_refuse(err, "value", SYNC_NOWHERE, "%s",
                       sync_cert_kinds[kind].wrong);
}


static sync_rc_t
sync_cert_sha256(sync_str_t text, sync_arena_t *arena, sync_str_t *name,
    sync_error_t *err)
{
    size_t         i, n, len;
    sync_str_t     hex;
    unsigned char  digits[SYNC_SHA256_LEN * 2], print[SYNC_CERT_PRINT_LEN];
    unsigned char  digest[sync_base64url_bytes(SYNC_CERT_PRINT_LEN)];

    if (text.len == SYNC_CERT_PRINT_LEN) {

        if (sync_base64url_decode(digest, &len, text) != SYNC_OK) {
            goto wrong;
        }

    } else {

        /* a colon, if at all, between two bytes */

        for (i = 0, n = 0; i < text.len && n < sizeof(digits); i++) {
            if (text.data[i] != ':' || n == 0 || n % 2) {
                digits[n++] = text.data[i];

            } else if (text.data[i - 1] == ':') {
                break;
            }
        }

        hex.data = digits;
        hex.len = n;

        if (i < text.len || n < sizeof(digits)
            || sync_hex_decode(digest, hex) != SYNC_OK)
        {
            goto wrong;
        }
    }

    (void) sync_base64url_encode(print, digest, SYNC_SHA256_LEN);

    *name = sync_cert_print_name(print, arena);

    return name->data != NULL ? SYNC_OK : SYNC_FAULT;

wrong:

    return sync_refuse(err, "value", SYNC_NOWHERE, "%s",
                       sync_cert_kinds[SYNC_CERT_SHA256].wrong);
}


sync_str_t
sync_cert_print_name(const unsigned char *print, sync_arena_t *arena)
{
    sync_str_t  value;

    value.len = SYNC_CERT_PRINT_LEN;
    value.data = (unsigned char *) (uintptr_t) print;

    return sync_cert_name_of(SYNC_CERT_SHA256, value, arena);
}


sync_rc_t
sync_cert_names(sync_str_t der, sync_arena_t *arena, sync_str_t *names,
    size_t *n, sync_error_t *err)
{
    size_t       i;
    sync_rc_t    rc;
    sync_x509_t  x509;

    static const sync_cert_kind_e  kinds[] = {
        SYNC_CERT_SAN_DNS, SYNC_CERT_SAN_URI, SYNC_CERT_SAN_EMAIL,
        SYNC_CERT_SAN_IP
    };

    *n = 0;

    rc = sync_x509_read(&x509, arena, der);

    if (rc == SYNC_NO) {
        return sync_refuse(err, "certificate", SYNC_NOWHERE,
                           "its names cannot be read");
    }

    if (rc == SYNC_OK && x509.nsans >= SYNC_CERT_NAMES) {
        return sync_refuse(err, "certificate", SYNC_NOWHERE,
                           "it has more than %d names", SYNC_CERT_NAMES);
    }

    if (rc == SYNC_OK && x509.subject.len) {
        rc = sync_cert_name_add(names, n, SYNC_CERT_SUBJECT_DN, x509.subject,
                                arena);
    }

    for (i = 0; rc == SYNC_OK && i < x509.nsans; i++) {
        rc = sync_cert_name_add(names, n, kinds[x509.sans[i].kind],
                                x509.sans[i].value, arena);
    }

    return rc;
}


/* What a certificate says there may be anything. */

static sync_rc_t
sync_cert_name_add(sync_str_t *names, size_t *n, sync_cert_kind_e kind,
    sync_str_t value, sync_arena_t *arena)
{
    sync_rc_t  rc;

    rc = sync_cert_value(kind, &value, arena);

    if (rc == SYNC_OK) {
        names[*n] = sync_cert_name_of(kind, value, arena);
        rc = names[*n].data != NULL ? SYNC_OK : SYNC_FAULT;
        *n += 1;
    }

    return rc == SYNC_FAULT ? rc : SYNC_OK;
}


static sync_str_t
sync_cert_name_of(sync_cert_kind_e kind, sync_str_t value,
    sync_arena_t *arena)
{
    size_t      len;
    sync_str_t  name;

    len = strlen(sync_cert_kinds[kind].name);

    name.len = len + 1 + value.len;
    name.data = sync_alloc(arena, name.len);

    if (name.data != NULL) {
        memcpy(name.data, sync_cert_kinds[kind].name, len);
        name.data[len] = '=';
        memcpy(name.data + len + 1, value.data, value.len);
    }

    return name;
}


/*
 * The one form in which a value is compared, of a document's as of a
 * certificate's.  NO: it is none of that kind.
 */

static sync_rc_t
sync_cert_value(sync_cert_kind_e kind, sync_str_t *value, sync_arena_t *arena)
{
    size_t          i, len;
    sync_str_t      host;
    unsigned char  *hex, ip[16];

    switch (kind) {

    case SYNC_CERT_SAN_DNS:

        if (sync_url_host(*value, ip, &len, NULL) != SYNC_OK || len) {
            return SYNC_NO;
        }

        return sync_cert_lower(value, 0, arena);

    case SYNC_CERT_SAN_EMAIL:

        /* RFC 5280, 7.5: before the last "@" the case counts */

        for (i = value->len; i > 0 && value->data[i - 1] != '@'; i--) {
            /* void */
        }

        host.data = value->data + i;
        host.len = value->len - i;

        if (i < 2 || !sync_cert_visible(*value)
            || sync_url_host(host, ip, &len, NULL) != SYNC_OK || len)
        {
            return SYNC_NO;
        }

        return sync_cert_lower(value, i, arena);

    case SYNC_CERT_SAN_IP:

        if (value->len != 4 && value->len != 16) {
            return SYNC_NO;
        }

        hex = sync_alloc(arena, value->len * 2);
        if (hex == NULL) {
            return SYNC_FAULT;
        }

        value->len = sync_hex_encode(hex, value->data, value->len);
        value->data = hex;

        return SYNC_OK;

    case SYNC_CERT_SAN_URI:

        return sync_cert_uri_ok(*value) ? SYNC_OK : SYNC_NO;

    default: /* SYNC_CERT_SUBJECT_DN: OpenSSL escapes what has to be */

        return SYNC_OK;
    }
}


/*
 * Is it RFC 4514 in the very form in which OpenSSL writes it?  One that is not
 * would never be found.
 */

static int
sync_cert_dn_ok(sync_str_t s)
{
    size_t  i;

    i = 0;

    for ( ;; ) {
        i = sync_cert_dn_type(s, i);

        if (i == 0) {
            return 0;
        }

        i = sync_cert_dn_value(s, i);

        if (i == 0) {
            return 0;
        }

        if (i == s.len) {
            return 1;
        }

        i++;                             /* "," or "+" */
    }
}


/* Behind "CN=", or 0. */

static size_t
sync_cert_dn_type(sync_str_t s, size_t i)
{
    size_t         start;
    unsigned char  c;

    for (start = i; i < s.len && s.data[i] != '='; i++) {
        c = s.data[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
              || (c >= '0' && c <= '9') || c == '.' || c == '-'))
        {
            return 0;
        }
    }

    return i > start && i < s.len ? i + 1 : 0;
}


/* At the end, or at what separates it from the next; 0: it is none. */

static size_t
sync_cert_dn_value(sync_str_t s, size_t i)
{
    size_t         start;
    unsigned char  c;

    if (i < s.len && s.data[i] == '#') {

        /* the DER of what has no text */

        for (i++; i < s.len && sync_cert_upper_hex(s.data[i]); i++) {
            /* void */
        }

        return i == s.len || s.data[i] == ',' || s.data[i] == '+' ? i : 0;
    }

    for (start = i; i < s.len; i++) {
        c = s.data[i];

        if (c == ',' || c == '+') {
            break;
        }

        if (c == '\\') {

            if (i + 1 < s.len && s.data[i + 1] != '\0'
                && strchr(",+\"\\<>;# ", s.data[i + 1]) != NULL)
            {
                i++;

            } else if (i + 2 < s.len && sync_cert_upper_hex(s.data[i + 1])
                       && sync_cert_upper_hex(s.data[i + 2]))
            {
                i += 2;

            } else {
                return 0;
            }

            continue;
        }

        if (c < 0x20 || c > 0x7e || strchr("\"<>;", c) != NULL) {
            return 0;
        }

        if (c == ' '
            && (i == start || i + 1 == s.len || s.data[i + 1] == ','
                || s.data[i + 1] == '+'))
        {
            return 0;
        }
    }

    return i;
}


static int
sync_cert_upper_hex(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F');
}


/* RFC 3986, 3.1, and no byte that stands in no URI. */

static int
sync_cert_uri_ok(sync_str_t s)
{
    size_t         i;
    unsigned char  c;

    for (i = 0; i < s.len && s.data[i] != ':'; i++) {
        c = s.data[i];

        if (!((c | 0x20) >= 'a' && (c | 0x20) <= 'z')
            && !(i && ((c >= '0' && c <= '9') || c == '+' || c == '-'
                       || c == '.')))
        {
            return 0;
        }
    }

    return i > 0 && i + 1 < s.len && sync_cert_visible(s);
}


static int
sync_cert_visible(sync_str_t s)
{
    size_t  i;

    for (i = 0; i < s.len; i++) {
        if (s.data[i] <= 0x20 || s.data[i] >= 0x7f) {
            return 0;
        }
    }

    return 1;
}


static sync_rc_t
sync_cert_lower(sync_str_t *s, size_t from, sync_arena_t *arena)
{
    size_t  i;

    *s = sync_strdup(arena, *s);

    if (s->data == NULL) {
        return SYNC_FAULT;
    }

    for (i = from; i < s->len; i++) {
        if (s->data[i] >= 'A' && s->data[i] <= 'Z') {
            s->data[i] |= 0x20;
        }
    }

    return SYNC_OK;
}
