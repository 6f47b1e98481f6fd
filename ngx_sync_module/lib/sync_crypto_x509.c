
/*
 * The names of a certificate: RFC 5280, 4.1.2.6 and 4.2.1.6.
 *
 * Names are counted, never terminated: one with a NUL in it is as long as it
 * says, and not what stands before the NUL.
 */


#include "sync_crypto.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>


#define SYNC_DER_BOOLEAN     0x01
#define SYNC_DER_INTEGER     0x02
#define SYNC_DER_BIT_STRING  0x03
#define SYNC_DER_OCTETS      0x04
#define SYNC_DER_OID         0x06
#define SYNC_DER_SEQUENCE    0x30
#define SYNC_DER_CONTEXT(n)  (0xa0 | (n))


static sync_rc_t sync_x509_walk(sync_str_t der, sync_str_t *subject,
    sync_str_t *san);
static sync_rc_t sync_x509_extensions(sync_str_t list, sync_str_t *san);
static sync_rc_t sync_x509_subject(sync_x509_t *out, sync_arena_t *arena,
    sync_str_t der);
static sync_rc_t sync_x509_sans(sync_x509_t *out, sync_arena_t *arena,
    const GENERAL_NAMES *names);
static int sync_der_take(sync_str_t *in, unsigned tag, sync_str_t *content);
static int sync_der_is(sync_str_t in, unsigned tag);


/*
 * d2i_X509() would load the public key, too, which costs many times what is
 * needed here, for each request.
 */

sync_rc_t
sync_x509_read(sync_x509_t *out, sync_arena_t *arena, sync_str_t der)
{
    sync_rc_t             rc;
    sync_str_t            subject, san;
    GENERAL_NAMES        *names;
    const unsigned char  *p;

    memset(out, 0, sizeof(sync_x509_t));

    if (sync_x509_walk(der, &subject, &san) != SYNC_OK) {
        return SYNC_NO;
    }

    rc = sync_x509_subject(out, arena, subject);

    if (rc == SYNC_OK && san.data != NULL) {
        p = san.data;
        names = d2i_GENERAL_NAMES(NULL, &p, (long) san.len);

        if (names != NULL && p == san.data + san.len) {
            rc = sync_x509_sans(out, arena, names);
        }

        GENERAL_NAMES_free(names);
    }

    ERR_clear_error();

    return rc;
}


/* RFC 5280, 4.1: both as DER; san.data NULL: there is none, or two. */

static sync_rc_t
sync_x509_walk(sync_str_t der, sync_str_t *subject, sync_str_t *san)
{
    sync_str_t  s, tbs, list;

    *san = sync_str_null;

    if (!sync_der_take(&der, SYNC_DER_SEQUENCE, &s) || der.len
        || !sync_der_take(&s, SYNC_DER_SEQUENCE, &tbs)
        || !sync_der_take(&s, SYNC_DER_SEQUENCE, NULL)
        || !sync_der_take(&s, SYNC_DER_BIT_STRING, NULL) || s.len)
    {
        return SYNC_NO;
    }

    /* version, serial number, signature, issuer, validity */

    if ((sync_der_is(tbs, SYNC_DER_CONTEXT(0))
         && !sync_der_take(&tbs, SYNC_DER_CONTEXT(0), NULL))
        || !sync_der_take(&tbs, SYNC_DER_INTEGER, NULL)
        || !sync_der_take(&tbs, SYNC_DER_SEQUENCE, NULL)
        || !sync_der_take(&tbs, SYNC_DER_SEQUENCE, NULL)
        || !sync_der_take(&tbs, SYNC_DER_SEQUENCE, NULL))
    {
        return SYNC_NO;
    }

    *subject = tbs;

    if (!sync_der_take(&tbs, SYNC_DER_SEQUENCE, NULL)) {
        return SYNC_NO;
    }

    subject->len -= tbs.len;

    if (!sync_der_take(&tbs, SYNC_DER_SEQUENCE, NULL)) {
        return SYNC_NO;
    }

    /* the unique identifiers of version 2 are primitive */

    if ((sync_der_is(tbs, 0x81) && !sync_der_take(&tbs, 0x81, NULL))
        || (sync_der_is(tbs, 0x82) && !sync_der_take(&tbs, 0x82, NULL)))
    {
        return SYNC_NO;
    }

    if (tbs.len == 0) {
        return SYNC_OK;
    }

    if (!sync_der_take(&tbs, SYNC_DER_CONTEXT(3), &s) || tbs.len
        || !sync_der_take(&s, SYNC_DER_SEQUENCE, &list) || s.len)
    {
        return SYNC_NO;
    }

    return sync_x509_extensions(list, san);
}


static sync_rc_t
sync_x509_extensions(sync_str_t list, sync_str_t *san)
{
    unsigned    n;
    sync_str_t  extension, oid, value;

    n = 0;

    while (list.len) {

        if (!sync_der_take(&list, SYNC_DER_SEQUENCE, &extension)
            || !sync_der_take(&extension, SYNC_DER_OID, &oid)
            || (sync_der_is(extension, SYNC_DER_BOOLEAN)
                && !sync_der_take(&extension, SYNC_DER_BOOLEAN, NULL))
            || !sync_der_take(&extension, SYNC_DER_OCTETS, &value)
            || extension.len)
        {
            return SYNC_NO;
        }

        /* 2.5.29.17 */

        if (oid.len == 3 && memcmp(oid.data, "\x55\x1d\x11", 3) == 0) {
            *san = n++ == 0 ? value : sync_str_null;
        }
    }

    return SYNC_OK;
}


/* As NGINX has it in $ssl_client_s_dn. */

static sync_rc_t
sync_x509_subject(sync_x509_t *out, sync_arena_t *arena, sync_str_t der)
{
    BIO                  *bio;
    long                  len;
    char                 *text;
    sync_rc_t             rc;
    X509_NAME            *name;
    sync_str_t            s;
    const unsigned char  *p;

    p = der.data;
    name = d2i_X509_NAME(NULL, &p, (long) der.len);
    bio = BIO_new(BIO_s_mem());
    rc = SYNC_NO;

    if (bio == NULL) {
        rc = SYNC_FAULT;

    } else if (name != NULL && p == der.data + der.len
               && X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253) >= 0)
    {
        len = BIO_get_mem_data(bio, &text);

        s.data = (unsigned char *) text;
        s.len = len > 0 ? (size_t) len : 0;

        out->subject = sync_strdup(arena, s);
        rc = out->subject.data != NULL ? SYNC_OK : SYNC_FAULT;
    }

    BIO_free(bio);
    X509_NAME_free(name);

    return rc;
}


static sync_rc_t
sync_x509_sans(sync_x509_t *out, sync_arena_t *arena,
    const GENERAL_NAMES *names)
{
    int                  i, n;
    sync_str_t           s;
    ASN1_STRING         *value;
    const GENERAL_NAME  *name;
    sync_x509_san_e      kind;

    n = sk_GENERAL_NAME_num(names);

    out->sans = sync_alloc(arena, ((size_t) n + 1) * sizeof(sync_x509_san_t));
    if (out->sans == NULL) {
        return SYNC_FAULT;
    }

    for (i = 0; i < n; i++) {
        name = sk_GENERAL_NAME_value(names, i);

        switch (name->type) {

        case GEN_DNS:
            kind = SYNC_X509_DNS;
            value = name->d.dNSName;
            break;

        case GEN_URI:
            kind = SYNC_X509_URI;
            value = name->d.uniformResourceIdentifier;
            break;

        case GEN_EMAIL:
            kind = SYNC_X509_EMAIL;
            value = name->d.rfc822Name;
            break;

        case GEN_IPADD:
            kind = SYNC_X509_IP;
            value = name->d.iPAddress;
            break;

        default:
            continue;
        }

        s.data = (unsigned char *) (uintptr_t) ASN1_STRING_get0_data(value);
        s.len = (size_t) ASN1_STRING_length(value);

        s = sync_strdup(arena, s);

        if (s.data == NULL) {
            return SYNC_FAULT;
        }

        out->sans[out->nsans].kind = kind;
        out->sans[out->nsans++].value = s;
    }

    return SYNC_OK;
}


/*
 * One value of the tag, of a definite length; content may be NULL.  0: that is
 * not what comes next.
 */

static int
sync_der_take(sync_str_t *in, unsigned tag, sync_str_t *content)
{
    size_t  i, n, len;

    if (in->len < 2 || in->data[0] != tag) {
        return 0;
    }

    len = in->data[1];
    i = 2;

    if (len & 0x80) {
        n = len & 0x7f;

        if (n == 0 || n > 3 || in->len < 2 + n) {
            return 0;
        }

        for (len = 0; i < 2 + n; i++) {
            len = len << 8 | in->data[i];
        }
    }

    if (in->len - i < len) {
        return 0;
    }

    if (content != NULL) {
        content->data = in->data + i;
        content->len = len;
    }

    in->data += i + len;
    in->len -= i + len;

    return 1;
}


static int
sync_der_is(sync_str_t in, unsigned tag)
{
    return in.len && in.data[0] == tag;
}
