
/*
 * A client's certificate, as those hand it on who have seen it: NGINX' own
 * $ssl_client_raw_cert, or the header of a proxy.
 *
 * Its digest says that it is that one, whoever has issued it.  What it calls
 * its holder is worth something where its chain was verified, which who calls
 * must know: nothing is verified here.
 */


#ifndef SYNC_CERT_H_INCLUDED_
#define SYNC_CERT_H_INCLUDED_


#include "sync_core.h"


#define SYNC_CERT_SIZE        16384  /* bytes of text at most */
#define SYNC_CERT_PRINT_LEN   43
#define SYNC_CERT_NAMES       256    /* of a certificate at most */


/*
 * The DER, in the arena, of one of
 *
 *   :MIIB...:                         a byte sequence, RFC 9440
 *   -----BEGIN CERTIFICATE----- ...   PEM, with any white space
 *   -----BEGIN%20CERTIFICATE...       that, escaped as in a URL
 *
 * OK; NO: err->what is "certificate"; FAULT: no memory.
 */
sync_rc_t sync_cert_der(sync_str_t text, sync_arena_t *arena, sync_str_t *der,
    sync_error_t *err);

/* SHA-256 as base64url, as in x5t#S256: RFC 8705, 3.1. */
void sync_cert_print(sync_str_t der, unsigned char print[SYNC_CERT_PRINT_LEN]);


/*
 * Names: what a document may know a certificate by.  Each is one text, its
 * kind in front, and compared octet for octet:
 *
 *   sha256=BASE64URL           the certificate itself
 *   subject_dn=CN=erp,O=Acme   RFC 4514, as $ssl_client_s_dn has it
 *   san_dns=erp.example        lower case, no wildcard
 *   san_uri=spiffe://a/b
 *   san_ip=c0000201            4 or 16 bytes in hex
 *   san_email=Ann@erp.example  the domain in lower case
 *
 * The kinds have the words of RFC 8705, 2.1.2, without "tls_client_auth_".
 */

typedef enum {
    SYNC_CERT_SHA256 = 0,
    SYNC_CERT_SUBJECT_DN,
    SYNC_CERT_SAN_DNS,
    SYNC_CERT_SAN_URI,
    SYNC_CERT_SAN_IP,
    SYNC_CERT_SAN_EMAIL,
    SYNC_CERT_KINDS
} sync_cert_kind_e;

/* "san_dns"; by it: SYNC_CERT_KINDS where there is none. */
const char *sync_cert_kind_name(sync_cert_kind_e kind);
sync_cert_kind_e sync_cert_kind(sync_str_t name);

/*
 * The name that an operator has written, in the arena.  The digest is
 * base64url, or hex with or without colons.  OK; NO: err->what is "value",
 * err->text says what would be right; FAULT.
 */
sync_rc_t sync_cert_name_read(sync_cert_kind_e kind, sync_str_t text,
    sync_arena_t *arena, sync_str_t *name, sync_error_t *err);

/*
 * The names of a certificate except its digest: the subject and what of its
 * alternative names can be one.  What cannot (wildcards, control bytes, other
 * kinds) is left out.  names has room for SYNC_CERT_NAMES, *n says how many
 * there are.  OK; NO: this is no certificate, or it has more than that;
 * FAULT.
 */
sync_rc_t sync_cert_names(sync_str_t der, sync_arena_t *arena,
    sync_str_t *names, size_t *n, sync_error_t *err);

/* The name of a digest, in the arena; data NULL: no memory. */
sync_str_t sync_cert_print_name(const unsigned char *print,
    sync_arena_t *arena);


#endif /* SYNC_CERT_H_INCLUDED_ */
