
/*
 * A client's certificate, as those hand it on who have seen it: NGINX' own
 * $ssl_client_raw_cert, or the header of a proxy.  It is never looked into;
 * what counts is that it is that one.
 */


#ifndef SYNC_CERT_H_INCLUDED_
#define SYNC_CERT_H_INCLUDED_


#include "sync_core.h"


#define SYNC_CERT_SIZE        16384  /* bytes of text at most */
#define SYNC_CERT_PRINT_LEN   43


/*
 * SHA-256 of the DER as base64url, as in x5t#S256 (RFC 8705, 3.1), of one of
 *
 *   :MIIB...:                         a byte sequence, RFC 9440
 *   -----BEGIN CERTIFICATE----- ...   PEM, with any white space
 *   -----BEGIN%20CERTIFICATE...       that, escaped as in a URL
 *
 * OK; NO: err->what is "certificate"; FAULT: no memory.
 */
sync_rc_t sync_cert_print(sync_str_t text, sync_arena_t *arena,
    unsigned char print[SYNC_CERT_PRINT_LEN], sync_error_t *err);

/*
 * What an operator writes for it: base64url, or hex with or without colons.
 * OK, in base64url; NO.
 */
sync_rc_t sync_cert_print_read(sync_str_t text,
    unsigned char print[SYNC_CERT_PRINT_LEN]);


#endif /* SYNC_CERT_H_INCLUDED_ */
