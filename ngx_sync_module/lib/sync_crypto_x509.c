
/*
 * The names of a certificate: RFC 5280, 4.1.2.6 and 4.2.1.6.
 *
 * Names are counted, never terminated: one with a NUL in it is as long as it
 * says, and not what stands before the NUL.
 */


#include "sync_crypto.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>


static sync_rc_t sync_x509_subject(sync_x509_t *out, sync_arena_t *arena,
    X509 *x509);
static sync_rc_t sync_x509_sans(sync_x509_t *out, sync_arena_t *arena,
    const GENERAL_NAMES *names);


sync_rc_t
sync_x509_read(sync_x509_t *out, sync_arena_t *arena, sync_str_t der)
{
    X509                 *x509;
    sync_rc_t             rc;
    GENERAL_NAMES        *names;
    const unsigned char  *p;

    memset(out, 0, sizeof(sync_x509_t));

    p = der.data;
    x509 = d2i_X509(NULL, &p, (long) der.len);

    if (x509 == NULL || p != der.data + der.len) {
        X509_free(x509);
        ERR_clear_error();
        return SYNC_NO;
    }

    rc = sync_x509_subject(out, arena, x509);

    if (rc == SYNC_OK) {

        /* NULL, too, where it is there more than once */

        names = X509_get_ext_d2i(x509, NID_subject_alt_name, NULL, NULL);

        if (names != NULL) {
            rc = sync_x509_sans(out, arena, names);
            GENERAL_NAMES_free(names);
        }
    }

    X509_free(x509);
    ERR_clear_error();

    return rc;
}


/* As NGINX has it in $ssl_client_s_dn. */

static sync_rc_t
sync_x509_subject(sync_x509_t *out, sync_arena_t *arena, X509 *x509)
{
    BIO        *bio;
    long        len;
    char       *text;
    sync_str_t  s;

    bio = BIO_new(BIO_s_mem());
    if (bio == NULL) {
        return SYNC_FAULT;
    }

    if (X509_NAME_print_ex(bio, X509_get_subject_name(x509), 0,
                           XN_FLAG_RFC2253)
        < 0)
    {
        BIO_free(bio);
        return SYNC_NO;
    }

    len = BIO_get_mem_data(bio, &text);

    s.data = (unsigned char *) text;
    s.len = len > 0 ? (size_t) len : 0;

    out->subject = sync_strdup(arena, s);

    BIO_free(bio);

    return out->subject.data != NULL ? SYNC_OK : SYNC_FAULT;
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
