
/*
 * Webhooks in a document: by whose signature a client is known, where a source
 * has the key of a message, how long such keys are kept.
 */


#include "sync_doc_grammar.h"
#include "sync_path.h"
#include "sync_signature.h"


/* Senders try for three days and some hours (Standard Webhooks). */

#define SYNC_DOC_WEBHOOKS  (UINT64_C(75) * 3600 * 1000)


sync_rc_t
sync_doc_set_signature(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec)
{
    static const sync_doc_word_t  words[] = {
        { "standard",   SYNC_SIGNATURE_STANDARD, 0 },
        { "stripe",     SYNC_SIGNATURE_STRIPE, 0 },
        { "github",     SYNC_SIGNATURE_GITHUB, 0 },
        { "shopify",    SYNC_SIGNATURE_SHOPIFY, 0 },
        { "hubspot",    SYNC_SIGNATURE_HUBSPOT, 0 },
        { "generic",    SYNC_SIGNATURE_GENERIC, 0 },
        { NULL,         0, 0 }
    };

    static const sync_doc_words_t  signatures = { "signature", words };

    sync_doc_client_rec_t  *client = rec;

    (void) m;

    return sync_doc_word(c, &signatures, sync_value_str(v), 0,
                         &client->signature);
}


/*
 * One signed message is compared with the secrets of all clients of its kind:
 * somebody who has none must not make that dear.
 */

sync_rc_t
sync_doc_check_secrets(sync_doc_compile_t *c,
    const sync_doc_client_rec_t *clients, size_t size, uint32_t n)
{
    uint32_t                      i, total[SYNC_SIGNATURES];
    const sync_doc_client_rec_t  *client;

    memset(total, 0, sizeof(total));

    for (i = 0; i < n; i++) {
        client = (const sync_doc_client_rec_t *) (const void *)
                     ((const unsigned char *) clients + i * size);

        total[client->signature] += client->secrets.n;

        if (total[client->signature] > SYNC_DOC_SECRETS) {
            return sync_doc_refuse(c, "value", "has more than %d secrets for "
                                   "signatures of one kind, \"%s\"",
                                   SYNC_DOC_SECRETS,
                                   sync_signature_name(client->signature));
        }
    }

    return SYNC_OK;
}


/* "header:X-Shopify-Webhook-Id", or a JSONPath to one value. */

sync_rc_t
sync_doc_set_key(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec)
{
    sync_rc_t               rc;
    sync_str_t              s;
    sync_path_t            *path;
    sync_error_t            err;
    sync_doc_source_rec_t  *source = rec;

    static const char  *names[] = {
        "authorization", "cookie", "proxy-authorization", NULL
    };

    static const sync_doc_headers_t  closed = {
        "is a secret, not the name of a message", names
    };

    (void) m;

    s = sync_value_str(v);

    if (sync_str_starts(s, "header:")) {
        s.data += sizeof("header:") - 1;
        s.len -= sizeof("header:") - 1;

        return sync_doc_header(c, s, &closed, &source->key_header);
    }

    if (s.len == 0 || s.data[0] != '$') {
        return sync_doc_refuse(c, "value", "is \"header:NAME\" or a JSONPath "
                               "like \"$.eventId\"");
    }

    rc = sync_path_compile(&path, c->arena, s, &err);

    if (rc == SYNC_NO) {
        return sync_doc_refuse(c, "value", "%s, at byte %zu", err.text,
                               err.offset);
    }

    if (rc != SYNC_OK) {
        return rc;
    }

    if (!sync_path_is_singular(path) || s.len == 1) {
        return sync_doc_refuse(c, "value", "is not a path to one value: names "
                               "and indexes only, like \"$.eventId\" or "
                               "\"$[0].id\"");
    }

    return sync_doc_string(c, s, &source->key_path);
}


sync_rc_t
sync_doc_set_webhooks(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec)
{
    sync_rc_t    rc;
    sync_doc_t  *head = rec;

    rc = sync_doc_set_duration(c, v, m, rec);

    if (rc == SYNC_OK && head->webhooks < SYNC_DOC_WEBHOOKS) {
        return sync_doc_refuse(c, "value", "is at least 75h: senders deliver "
                               "again for as long");
    }

    return rc;
}
