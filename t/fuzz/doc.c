
/* Tenant documents, and blocks that are none. */


#include "fuzz.h"
#include "sync_doc.h"


int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    uint32_t              i, e;
    unsigned              operations;
    sync_rc_t             rc;
    sync_str_t            text, block, map;
    sync_error_t          err;
    sync_arena_t          arena;
    const sync_doc_t     *doc;
    sync_doc_client_t     client;
    sync_doc_options_t    options;
    sync_doc_connector_t  connector;

    fuzz_begin(&arena);

    memset(&options, 0, sizeof(options));

    text = (sync_str_t) { size, (unsigned char *) (uintptr_t) data };

    rc = sync_doc_load(&arena, sync_str_lit("acme"), text, &options, &block,
                       &err);
    fuzz_check(rc != SYNC_FAULT);

    if (rc == SYNC_OK) {
        doc = sync_doc_open(block);

        fuzz_check(doc != NULL && sync_doc_size(doc) == block.len);
        fuzz_check(sync_str_is(sync_doc_name(doc), "acme"));

        for (i = 0; i < sync_doc_clients(doc); i++) {
            fuzz_check(sync_doc_client_at(doc, i, &client) == SYNC_OK);
        }

        for (i = 0; i < sync_doc_connectors(doc); i++) {
            fuzz_check(sync_doc_connector_at(doc, i, &connector) == SYNC_OK);

            for (e = 0; e < SYNC_ENTITIES; e++) {
                (void) sync_doc_connector_entity(doc, i, (sync_entity_e) e,
                                                 &map, &operations);
            }
        }

        for (e = 0; e < SYNC_ENTITIES; e++) {
            (void) sync_doc_route(doc, (sync_entity_e) e, NULL, 0);
        }
    }

    fuzz_end(&arena);

    return 0;
}
