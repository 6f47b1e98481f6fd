
/*
 * Certificates of clients: by what each is known, and an index of all.
 */


#include "sync_doc_grammar.h"
#include "sync_cert.h"

#include <stdlib.h>


#define SYNC_DOC_CERTIFICATES  16        /* of a client */


typedef struct {
    sync_str_t                  name;
    sync_doc_certificate_rec_t  rec;
} sync_doc_certificate_sort_t;


static sync_rc_t sync_doc_certificate_item(sync_doc_compile_t *c,
    sync_str_t name, const sync_value_t *v, uint32_t i, void *data);
static sync_rc_t sync_doc_certificate_name(sync_doc_compile_t *c,
    sync_cert_kind_e kind, const sync_value_t *v, sync_str_t *name);
static sync_rc_t sync_doc_certificate_member(sync_doc_compile_t *c,
    const sync_value_t *v, sync_str_t *name);
static int sync_doc_certificate_order(const void *a, const void *b);
static sync_rc_t sync_doc_certificate_twice(sync_doc_compile_t *c,
    const sync_doc_client_rec_t *clients, size_t size,
    const sync_doc_certificate_rec_t *first,
    const sync_doc_certificate_rec_t *second);


/* "names" of RFC 8705, one to an object; the digest needs none. */

static const sync_doc_word_t  sync_doc_certificate_words[] = {
    { "subject_dn",     SYNC_CERT_SUBJECT_DN, 0 },
    { "san_dns",        SYNC_CERT_SAN_DNS, 0 },
    { "san_uri",        SYNC_CERT_SAN_URI, 0 },
    { "san_ip",         SYNC_CERT_SAN_IP, 0 },
    { "san_email",      SYNC_CERT_SAN_EMAIL, 0 },
    { NULL,             0, 0 }
};

static const sync_doc_words_t  sync_doc_certificate_kinds = {
    "member", sync_doc_certificate_words
};


sync_rc_t
sync_doc_set_certificates(sync_doc_compile_t *c, const sync_value_t *v,
    const sync_doc_member_t *m, void *rec)
{
    size_t           n;
    sync_rc_t        rc;
    sync_doc_ref_t  *ref;

    ref = (sync_doc_ref_t *) (void *) ((unsigned char *) rec + m->offset);
    n = sync_value_count(v);

    if (n == 0) {
        return sync_doc_refuse(c, "value", "is empty; leave it out or name at "
                               "least one");
    }

    if (n > SYNC_DOC_CERTIFICATES) {
        return sync_doc_refuse(c, "value", "has more than %d entries",
                               SYNC_DOC_CERTIFICATES);
    }

    rc = sync_doc_room(c, n, sizeof(sync_doc_ref_t), &ref->off);

    if (rc == SYNC_OK) {
        rc = sync_doc_each(c, v, sync_doc_certificate_item, ref);
    }

    ref->n = (uint32_t) n;

    return rc;
}


static sync_rc_t
sync_doc_certificate_item(sync_doc_compile_t *c, sync_str_t unused,
    const sync_value_t *v, uint32_t i, void *data)
{
    sync_rc_t        rc;
    sync_str_t       name;
    sync_doc_ref_t   ref, *list = data;

    (void) unused;

    switch (sync_value_type(v)) {

    case SYNC_VALUE_STRING:
        rc = sync_doc_certificate_name(c, SYNC_CERT_SHA256, v, &name);
        break;

    case SYNC_VALUE_OBJECT:
        rc = sync_doc_certificate_member(c, v, &name);
        break;

    default:
        rc = sync_doc_refuse(c, "type", "should be a string, the SHA-256 of a "
                             "certificate, or an object, like {\"san_dns\": "
                             "\"erp.example\"}");
    }

    if (rc == SYNC_OK) {
        rc = sync_doc_string(c, name, &ref);
    }

    if (rc == SYNC_OK) {
        sync_doc_write(c, list->off, i, &ref, sizeof(ref));
    }

    return rc;
}


static sync_rc_t
sync_doc_certificate_member(sync_doc_compile_t *c, const sync_value_t *v,
    sync_str_t *name)
{
    uint32_t           kind;
    sync_rc_t          rc;
    sync_doc_place_t   place;
    sync_value_iter_t  it = { 0 };

    /* two would be read as "both" by one and as "either" by another */

    if (sync_value_count(v) != 1) {
        return sync_doc_refuse(c, "value", "has one of subject_dn, san_dns, "
                               "san_uri, san_ip and san_email");
    }

    (void) sync_value_next(v, &it);

    memset(&place, 0, sizeof(place));
    place.up = c->place;
    place.name = it.name;
    c->place = &place;

    rc = sync_doc_word(c, &sync_doc_certificate_kinds, it.name, 1, &kind);

    if (rc == SYNC_OK) {
        rc = sync_doc_kind(c, it.value, SYNC_DOC_STRING);
    }

    if (rc == SYNC_OK) {
        rc = sync_doc_certificate_name(c, (sync_cert_kind_e) kind, it.value,
                                       name);
    }

    c->place = place.up;

    return rc;
}


static sync_rc_t
sync_doc_certificate_name(sync_doc_compile_t *c, sync_cert_kind_e kind,
    const sync_value_t *v, sync_str_t *name)
{
    sync_rc_t     rc;
    sync_str_t    s;
    sync_error_t  err;

    s = sync_value_str(v);

    if (s.len > SYNC_DOC_TEXT) {
        return sync_doc_refuse(c, "value", "is longer than %d bytes",
                               SYNC_DOC_TEXT);
    }

    rc = sync_cert_name_read(kind, s, c->arena, name, &err);

    return rc == SYNC_NO ? sync_doc_refuse(c, "value", "%s", err.text) : rc;
}


/* A certificate of two clients would be nobody's. */

sync_rc_t
sync_doc_index_certificates(sync_doc_compile_t *c,
    const sync_doc_client_rec_t *clients, size_t size, uint32_t n)
{
    size_t                        total;
    uint32_t                      i, k;
    sync_rc_t                     rc;
    sync_doc_ref_t               *index;
    const sync_doc_client_rec_t  *client;
    sync_doc_certificate_sort_t  *list, *p;

    total = 0;

    for (i = 0; i < n; i++) {
        client = (const void *) ((const unsigned char *) clients + i * size);
        total += client->certificates.n;
    }

    if (total == 0) {
        return SYNC_OK;
    }

    index = &c->head.certificates;

    rc = sync_doc_room(c, total, sizeof(sync_doc_certificate_rec_t),
                       &index->off);
    if (rc != SYNC_OK) {
        return rc;
    }

    list = sync_calloc(c->arena, total * sizeof(sync_doc_certificate_sort_t));
    if (list == NULL) {
        return SYNC_FAULT;
    }

    for (i = 0, p = list; i < n; i++) {
        client = (const void *) ((const unsigned char *) clients + i * size);

        for (k = 0; k < client->certificates.n; k++, p++) {
            memcpy(&p->rec.name, c->block + client->certificates.off
                                 + k * sizeof(sync_doc_ref_t),
                   sizeof(sync_doc_ref_t));

            p->name = sync_doc_now(c, p->rec.name);
            p->rec.client = i;
            p->rec.item = k;
        }
    }

    qsort(list, total, sizeof(sync_doc_certificate_sort_t),
          sync_doc_certificate_order);

    for (i = 0; i < total; i++) {

        if (i && sync_str_eq(list[i].name, list[i - 1].name)) {
            return sync_doc_certificate_twice(c, clients, size,
                                              &list[i - 1].rec, &list[i].rec);
        }

        sync_doc_write(c, index->off, i, &list[i].rec,
                       sizeof(sync_doc_certificate_rec_t));
    }

    index->n = (uint32_t) total;

    return SYNC_OK;
}


static int
sync_doc_certificate_order(const void *a, const void *b)
{
    int                                 cmp;
    const sync_doc_certificate_sort_t  *one = a, *two = b;

    cmp = sync_doc_compare(one->name, two->name);

    if (cmp == 0) {
        cmp = (one->rec.client > two->rec.client)
              - (one->rec.client < two->rec.client);
    }

    return cmp ? cmp : (one->rec.item > two->rec.item)
                       - (one->rec.item < two->rec.item);
}


static sync_rc_t
sync_doc_certificate_twice(sync_doc_compile_t *c,
    const sync_doc_client_rec_t *clients, size_t size,
    const sync_doc_certificate_rec_t *first,
    const sync_doc_certificate_rec_t *second)
{
    sync_rc_t                     rc;
    sync_doc_place_t              client, list, item;
    sync_doc_shown_t              shown;
    const sync_doc_client_rec_t  *one, *two;

    one = (const void *) ((const unsigned char *) clients
                          + first->client * size);
    two = (const void *) ((const unsigned char *) clients
                          + second->client * size);

    memset(&client, 0, sizeof(client));
    client.up = c->place;
    client.name = sync_doc_now(c, two->id);

    memset(&list, 0, sizeof(list));
    list.up = &client;
    list.name = sync_str_lit("certificates");

    memset(&item, 0, sizeof(item));
    item.up = &list;
    item.index = second->item;

    c->place = &item;

    rc = one == two
         ? sync_doc_refuse(c, "value", "is there twice")
         : sync_doc_refuse(c, "value", "is a certificate of the client \"%s\", "
                           "too; it is one client's",
                           sync_doc_show(&shown, sync_doc_now(c, one->id)));

    c->place = client.up;

    return rc;
}
