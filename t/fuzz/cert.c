
/*
 * A certificate in a first byte's choice of forms, and names as they are
 * written.  What is read as a name is read again as the same one, and of a
 * certificate that OpenSSL reads whole the same is read as by OpenSSL.
 */


#include "fuzz.h"
#include "sync_cert.h"
#include "sync_crypto.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>


static void fuzz_names(sync_arena_t *arena, sync_str_t der);
static void fuzz_name(sync_arena_t *arena, sync_str_t name);
static void fuzz_openssl(sync_arena_t *arena, sync_str_t der);


int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    unsigned       choice;
    sync_str_t     text, der, name;
    sync_error_t   err;
    sync_arena_t   arena;
    unsigned char  print[SYNC_CERT_PRINT_LEN];

    if (size == 0) {
        return 0;
    }

    fuzz_begin(&arena);

    choice = data[0] % (SYNC_CERT_KINDS + 2);
    text = fuzz_rest(&arena, (sync_str_t) { size - 1, (unsigned char *)
                                            (uintptr_t) (data + 1) });

    if (choice == SYNC_CERT_KINDS) {
        fuzz_names(&arena, text);

    } else if (choice > SYNC_CERT_KINDS) {

        if (sync_cert_der(text, &arena, &der, &err) == SYNC_OK) {
            sync_cert_print(der, print);
            fuzz_names(&arena, der);
        }

    } else if (sync_cert_name_read((sync_cert_kind_e) choice, text, &arena,
                                   &name, &err)
               == SYNC_OK)
    {
        fuzz_name(&arena, name);
    }

    fuzz_end(&arena);

    return 0;
}


static void
fuzz_names(sync_arena_t *arena, sync_str_t der)
{
    size_t        i, n;
    sync_str_t    names[SYNC_CERT_NAMES];
    sync_error_t  err;

    fuzz_openssl(arena, der);

    if (sync_cert_names(der, arena, names, &n, &err) != SYNC_OK) {
        return;
    }

    fuzz_check(n <= SYNC_CERT_NAMES);

    for (i = 0; i < n; i++) {
        if (!sync_str_starts(names[i], "subject_dn=")) {
            fuzz_name(arena, names[i]);
        }
    }
}


static void
fuzz_name(sync_arena_t *arena, sync_str_t name)
{
    size_t            i;
    sync_str_t        kind, value, again;
    sync_error_t      err;
    sync_cert_kind_e  k;

    for (i = 0; i < name.len && name.data[i] != '='; i++) {
        fuzz_check(name.data[i] > 0x20 && name.data[i] < 0x7f);
    }

    kind = (sync_str_t) { i, name.data };
    value = (sync_str_t) { name.len - i - 1, name.data + i + 1 };

    for (i = 0; i < value.len; i++) {
        fuzz_check(value.data[i] >= 0x20 && value.data[i] < 0x7f);
    }

    k = sync_cert_kind(kind);
    fuzz_check(k < SYNC_CERT_KINDS);

    if (k == SYNC_CERT_SAN_IP) {
        fuzz_check(value.len == 8 || value.len == 32);
        return;
    }

    fuzz_check(sync_cert_name_read(k, value, arena, &again, &err) == SYNC_OK);
    fuzz_check(sync_str_eq(again, name));
}


static void
fuzz_openssl(sync_arena_t *arena, sync_str_t der)
{
    int                   i;
    BIO                  *bio;
    X509                 *x509;
    char                 *text;
    size_t                n, len;
    sync_x509_t           ours;
    GENERAL_NAMES        *names;
    const unsigned char  *p;

    p = der.data;
    x509 = d2i_X509(NULL, &p, (long) der.len);

    if (x509 != NULL && p == der.data + der.len
        && sync_x509_read(&ours, arena, der) == SYNC_OK)
    {
        bio = BIO_new(BIO_s_mem());
        (void) X509_NAME_print_ex(bio, X509_get_subject_name(x509), 0,
                                  XN_FLAG_RFC2253);
        len = (size_t) BIO_get_mem_data(bio, &text);

        fuzz_check(ours.subject.len == len
                   && (len == 0 || memcmp(ours.subject.data, text, len) == 0));

        BIO_free(bio);

        names = X509_get_ext_d2i(x509, NID_subject_alt_name, NULL, NULL);

        for (i = 0, n = 0; i < sk_GENERAL_NAME_num(names); i++) {
            switch (sk_GENERAL_NAME_value(names, i)->type) {

            case GEN_DNS:
            case GEN_URI:
            case GEN_EMAIL:
            case GEN_IPADD:
                n++;
            }
        }

        fuzz_check(ours.nsans == 0 || ours.nsans == n);

        GENERAL_NAMES_free(names);
    }

    X509_free(x509);
    ERR_clear_error();
}
