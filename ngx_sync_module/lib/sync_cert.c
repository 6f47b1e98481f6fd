
/*
 * Certificates in the forms in which they are handed on: RFC 9440, 7468.
 */


#include "sync_cert.h"
#include "sync_crypto.h"


static sync_rc_t sync_cert_unescape(sync_str_t *text, sync_arena_t *arena,
    sync_error_t *err);
static sync_rc_t sync_cert_pem(sync_str_t *text, sync_arena_t *arena,
    sync_error_t *err);
static int sync_cert_whole(sync_str_t der);
static int sync_cert_hex(unsigned char c);
static sync_rc_t sync_cert_refuse(sync_error_t *err, const char *text);


sync_rc_t
sync_cert_der(sync_str_t text, sync_arena_t *arena, sync_str_t *der,
    sync_error_t *err)
{
    size_t     len;
    sync_rc_t  rc;

    if (text.len > SYNC_CERT_SIZE) {
        return sync_cert_refuse(err, "the certificate is too long");
    }

    if (text.len >= 2 && text.data[0] == ':'
        && text.data[text.len - 1] == ':')
    {
        text.data++;
        text.len -= 2;

    } else {
        rc = sync_cert_unescape(&text, arena, err);

        if (rc == SYNC_OK) {
            rc = sync_cert_pem(&text, arena, err);
        }

        if (rc != SYNC_OK) {
            return rc;
        }
    }

    der->data = sync_alloc(arena, text.len + 3);

    if (der->data == NULL) {
        return SYNC_FAULT;
    }

    if (sync_base64_decode(der->data, &len, text) != SYNC_OK) {
        return sync_cert_refuse(err, "the certificate is not base64");
    }

    der->len = len;

    if (!sync_cert_whole(*der)) {
        return sync_cert_refuse(err, "this is no certificate, or more than "
                                "one");
    }

    return SYNC_OK;
}


void
sync_cert_print(sync_str_t der, unsigned char print[SYNC_CERT_PRINT_LEN])
{
    unsigned char  digest[SYNC_SHA256_LEN];

    sync_sha256(der.data, der.len, digest);
    (void) sync_base64url_encode(print, digest, sizeof(digest));
}


/* In a header a line cannot end, so proxies escape PEM as a URL is escaped. */

static sync_rc_t
sync_cert_unescape(sync_str_t *text, sync_arena_t *arena, sync_error_t *err)
{
    int             high, low;
    size_t          i;
    unsigned char  *p, *start;

    if (text->len == 0 || memchr(text->data, '%', text->len) == NULL) {
        return SYNC_OK;
    }

    start = sync_alloc(arena, text->len);

    if (start == NULL) {
        return SYNC_FAULT;
    }

    for (i = 0, p = start; i < text->len; i++) {

        if (text->data[i] != '%') {
            *p++ = text->data[i];
            continue;
        }

        high = text->len - i > 2 ? sync_cert_hex(text->data[i + 1]) : -1;
        low = text->len - i > 2 ? sync_cert_hex(text->data[i + 2]) : -1;

        if (high < 0 || low < 0) {
            return sync_cert_refuse(err, "two digits follow a percent sign");
        }

        *p++ = (unsigned char) (high << 4 | low);
        i += 2;
    }

    text->data = start;
    text->len = (size_t) (p - start);

    return SYNC_OK;
}


/* What stands between the two lines, without white space: RFC 7468. */

static sync_rc_t
sync_cert_pem(sync_str_t *text, sync_arena_t *arena, sync_error_t *err)
{
    size_t          i, last;
    unsigned char  *p, *start;

    static const sync_str_t  begin = sync_string("-----BEGIN CERTIFICATE-----");
    static const sync_str_t  end = sync_string("-----END CERTIFICATE-----");

    last = text->len;

    while (last > 0 && memchr(" \t\r\n", text->data[last - 1], 4) != NULL) {
        last--;
    }

    if (last < begin.len + end.len
        || memcmp(text->data, begin.data, begin.len) != 0
        || memcmp(text->data + last - end.len, end.data, end.len) != 0)
    {
        return sync_cert_refuse(err, "a certificate is PEM, or a byte "
                                "sequence between colons");
    }

    start = sync_alloc(arena, text->len);

    if (start == NULL) {
        return SYNC_FAULT;
    }

    for (i = begin.len, p = start; i < last - end.len; i++) {
        if (memchr(" \t\r\n", text->data[i], 4) == NULL) {
            *p++ = text->data[i];
        }
    }

    text->data = start;
    text->len = (size_t) (p - start);

    return SYNC_OK;
}


/* One SEQUENCE, as long as the text: nothing is hidden behind it. */

static int
sync_cert_whole(sync_str_t der)
{
    size_t  len, n, i;

    if (der.len < 2 || der.data[0] != 0x30) {
        return 0;
    }

    if (der.data[1] < 0x80) {
        return der.len == 2u + der.data[1];
    }

    n = der.data[1] & 0x7f;

    if (n == 0 || n > 3 || der.len < 2 + n) {
        return 0;
    }

    for (i = 0, len = 0; i < n; i++) {
        len = len << 8 | der.data[2 + i];
    }

    return der.len == 2 + n + len;
}


static int
sync_cert_hex(unsigned char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }

    c |= 0x20;

    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}


static sync_rc_t
sync_cert_refuse(sync_error_t *err, const char *text)
{
    return sync_refuse(err, "certificate", SYNC_NOWHERE, "%s", text);
}
