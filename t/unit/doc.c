
/*
 * Tenant documents: what is compiled reads back, from wherever it was copied;
 * templates are followed and merged.
 */


#include "doc.h"
#include "sync_signature.h"
#include "sync_template.h"
#include "sync_zone.h"


typedef struct {
    const char  *path;
    const char  *text;
} file_t;


static sync_rc_t load_file(void *data, sync_arena_t *a, sync_str_t path,
    sync_str_t *text);
static sync_rc_t load(const char *text, sync_str_t *block, sync_error_t *err);

static void test_good(void);
static void test_tenant(const sync_doc_t *doc);
static void test_clients(const sync_doc_t *doc);
static void test_formats(void);
static void test_urls(void);
static void test_jwks(void);
static void test_connectors(const sync_doc_t *doc);
static void test_routes(const sync_doc_t *doc);
static void test_rules(const sync_doc_t *doc);
static void test_least(void);
static void test_extends(void);
static void test_text(void);
static void test_open(void);
static void test_many(void);
static void test_webhooks(void);
static void test_certificates(void);
static void test_docs(void);


static const file_t  files[] = {
    { "templates/order-to-cash.json",
      "{\"extends\":\"templates/base.json\",\"residency\":\"us\","
      "\"ids\":\"prefixed\",\"retention\":{\"idempotency\":\"48h\"}}" },
    { "templates/base.json",
      "{\"residency\":\"eu\",\"plans\":{\"gold\":{\"limits\":["
      "{\"rate\":\"50/s\"}]},\"tin\":{\"limits\":[{\"rate\":\"1/s\"}]}}}" },
    { "templates/a.json", "{\"extends\":\"templates/b.json\"}" },
    { "templates/b.json", "{\"extends\":\"templates/a.json\"}" },
    { "templates/self.json", "{\"extends\":\"templates/self.json\"}" },
    { "templates/list.json", "[]" },
    { "templates/bad.json", "{\"residency\": }" },
    { "templates/id.json", "{\"id\":\"t_1\"}" },
    { "templates/match.json", "{\"match\":{\"hosts\":[\"a.example\"]}}" },
    { "templates/typo.json", "{\"residence\":\"eu\"}" },
    { NULL, NULL }
};


static const sync_doc_options_t  options = {
    has_upstream, may_call, may_call, has_file, load_file, NULL, NULL, NULL
};


int
main(void)
{
    arena = sync_arena_create(1 << 20);

    test_good();
    test_formats();
    test_urls();
    test_jwks();
    test_least();
    test_extends();
    test_text();
    test_open();
    test_many();
    test_webhooks();
    test_certificates();
    test_docs();

    sync_arena_destroy(arena);

    return done_testing();
}


static sync_rc_t
load_file(void *data, sync_arena_t *a, sync_str_t path, sync_str_t *text)
{
    int            n;
    const file_t  *f;

    (void) data;

    /* templates/deep-N.json extends the next, for ever */

    if (sync_str_starts(path, "templates/deep-")) {
        n = atoi((char *) path.data + sizeof("templates/deep-") - 1);

        text->data = sync_alloc(a, 64);
        text->len = (size_t) snprintf((char *) text->data, 64,
                                "{\"extends\":\"templates/deep-%d.json\"}",
                                n + 1);
        return SYNC_OK;
    }

    for (f = files; f->path != NULL; f++) {
        if (sync_str_is(path, f->path)) {
            *text = sync_strdup(a, str(f->text));
            return SYNC_OK;
        }
    }

    return SYNC_NO;
}


static sync_rc_t
load(const char *text, sync_str_t *block, sync_error_t *err)
{
    memset(err, 0, sizeof(sync_error_t));

    return sync_doc_load(arena, str("acme"), str(text), &options, block, err);
}


static void
test_good(void)
{
    sync_str_t         block, moved;
    sync_error_t       err;
    sync_arena_t      *own;
    const sync_doc_t  *doc;

    own = sync_arena_create(0);
    memset(&err, 0, sizeof(err));

    if (!ok(sync_doc_load(own, str("acme"), str(good), &options, &block, &err)
            == SYNC_OK, "the good document is taken"))
    {
        diag("%.*s: %s", (int) err.pointer.len, err.pointer.data, err.text);
        exit(1);
    }

    ok(block.len < 8192, "compiled into %zu bytes", block.len);

    /* everything below is read from a copy, when the first is gone */

    moved.len = block.len;
    moved.data = malloc(block.len);
    memcpy(moved.data, block.data, block.len);

    sync_arena_destroy(own);

    doc = sync_doc_open(moved);

    if (ok(doc != NULL, "the copy opens")) {
        is_int(sync_doc_size(doc), moved.len, "of its size");

        test_tenant(doc);
        test_clients(doc);
        test_connectors(doc);
        test_routes(doc);
        test_rules(doc);
    }

    free(moved.data);
}


static void
test_tenant(const sync_doc_t *doc)
{
    sync_doc_list_t    hosts;
    sync_doc_issuer_t  issuer;

    is_str(sync_doc_name(doc), "acme", "name");
    is_str(sync_doc_id(doc), "t_7f3a", "id");
    is_str(sync_doc_residency(doc), "eu", "residency");
    is_int(sync_doc_ids_prefixed(doc), 1, "ids are prefixed");
    is_int(sync_doc_retention(doc), 86400000, "retention");

    hosts = sync_doc_hosts(doc);

    is_int(hosts.n, 2, "hosts");
    is_str(sync_doc_item(doc, hosts, 0), "acme.sync.example", "in lower case");
    is_str(sync_doc_item(doc, hosts, 1), "acme.example", "and the other");
    is_str(sync_doc_item(doc, hosts, 2), "", "and no more");
    ok(sync_doc_has(doc, hosts, str("acme.example")), "is among them");
    ok(!sync_doc_has(doc, hosts, str("acme.exampl")), "is not");

    is_str(sync_doc_account(doc, str("hubspot")), "62515", "an account");
    is_str(sync_doc_account(doc, str("shopify")), "", "is not there");
    is_int(sync_doc_accounts(doc), 1, "accounts");
    is_str(sync_doc_account_at(doc, 0), "hubspot:62515", "as it is found");
    is_str(sync_doc_account_at(doc, 1), "", "no second");

    is_int(sync_doc_issuers(doc), 2, "issuers");
    ok(sync_doc_issuer(doc, str("https://acme.okta.example"), &issuer)
       == SYNC_OK, "by its identifier");
    is_int(issuer.kind, SYNC_JWKS_LIBRARY, "keys in the library");
    is_str(issuer.jwks, "jwks/acme.json", "at");
    is_int(issuer.audience.n, 2, "audiences");
    is_str(sync_doc_item(doc, issuer.audience, 1), "sync", "the second");
    is_str(issuer.client_claim, "azp", "client claim");
    is_str(issuer.tenant_claim, "", "no tenant claim");

    ok(sync_doc_issuer_at(doc, 1, &issuer) == SYNC_OK, "the second issuer");
    is_str(issuer.issuer, "https://login.example/acme", "is");
    is_int(issuer.kind, SYNC_JWKS_INLINE, "brings its keys");
    is_str(issuer.jwks, "{\"keys\":[{\"crv\":\"Ed25519\",\"kid\":\"1\","
           "\"kty\":\"OKP\",\"x\":\"AA\"}]}", "as JSON");
    is_int(issuer.audience.n, 1, "a string is a list of one");
    is_str(issuer.client_claim, "", "the default claims");
    is_str(issuer.tenant_claim, "org", "tenant claim");
    ok(sync_doc_issuer_at(doc, 2, &issuer) == SYNC_NO, "no third issuer");
    ok(sync_doc_issuer(doc, str("https://acme.okta.example/"), &issuer)
       == SYNC_NO, "a slash makes another issuer");
}


static void
test_clients(const sync_doc_t *doc)
{
    sync_doc_penalty_t  penalty;
    sync_doc_limit_t   limit;
    sync_doc_client_t  client;
    sync_doc_source_t  source;

    is_int(sync_doc_clients(doc), 3, "clients");

    ok(sync_doc_client(doc, str("0oa1crm"), &client) == SYNC_OK, "a client");
    is_str(client.id, "0oa1crm", "its id");
    is_int(client.operations[SYNC_ENTITY_SALES_ORDER],
           sync_op_bit(SYNC_OP_CREATE) | sync_op_bit(SYNC_OP_READ)
           | sync_op_bit(SYNC_OP_UPDATE) | sync_op_bit(SYNC_OP_LIST),
           "what it may do");
    is_int(client.operations[SYNC_ENTITY_INVOICE], 0, "and to nothing else");
    is_int(client.api_keys.n, 0, "no keys");

    ok(sync_doc_source_at(doc, client.source, &source) == SYNC_OK,
       "its source");
    is_str(source.name, "salesforce", "is");
    is_str(source.maps[SYNC_ENTITY_SALES_ORDER], "maps/salesforce.json",
           "with a map");
    is_str(source.maps[SYNC_ENTITY_QUOTE], "", "and no other");

    is_str(sync_doc_plan_name(doc, client.plan), "gold", "its plan");
    is_int(sync_doc_limits(doc, client.plan), 2, "limits");
    ok(sync_doc_limit_at(doc, client.plan, 0, &limit) == SYNC_OK, "a limit");
    is_int(limit.count, 50, "so many");
    is_int(limit.per_us, 1000000, "per second");
    is_int(limit.burst, 100, "burst");
    ok(sync_doc_limit_at(doc, client.plan, 1, &limit) == SYNC_OK, "another");
    is_int(limit.per_us, 86400000000, "per day");
    is_int(limit.burst, 100000, "burst by default");
    ok(sync_doc_limit_at(doc, client.plan, 2, &limit) == SYNC_NO, "no third");

    ok(sync_doc_client(doc, str("partner"), &client) == SYNC_OK, "a partner");
    is_str(sync_doc_plan_zone(doc, client.plan), "Europe/Berlin",
           "its plan's time zone");
    ok(sync_doc_plan_penalty(doc, client.plan, &penalty) == SYNC_OK
       && penalty.after == 20 && penalty.within_ms == 60000
       && penalty.block_ms == 600000, "its penalty");
    is_int(sync_doc_limits(doc, client.plan), 5, "limits");
    ok(sync_doc_limit_at(doc, client.plan, 1, &limit) == SYNC_OK
       && limit.kind == SYNC_LIMIT_QUOTA && limit.count == 1000000
       && limit.unit == SYNC_ZONE_MONTH && !limit.bytes, "a quota by month");
    ok(sync_doc_limit_at(doc, client.plan, 2, &limit) == SYNC_OK
       && limit.kind == SYNC_LIMIT_QUOTA && limit.count == 5 * 1024 * 1024
       && limit.unit == SYNC_ZONE_DAY && limit.bytes, "of bytes, by day");
    ok(sync_doc_limit_at(doc, client.plan, 3, &limit) == SYNC_OK
       && limit.kind == SYNC_LIMIT_RATE && limit.count == 512
       && limit.burst == 4096 && limit.bytes, "a rate of bytes");
    ok(sync_doc_limit_at(doc, client.plan, 4, &limit) == SYNC_OK
       && limit.kind == SYNC_LIMIT_CONCURRENCY && limit.count == 7,
       "so many at a time");
    is_int(client.source, SYNC_DOC_CANONICAL, "speaks canonical");
    is_str(sync_doc_plan_name(doc, client.plan), "silver", "its plan");
    is_int(client.api_keys.n, 2, "keys");
    is_str(sync_doc_item(doc, client.api_keys, 0), "partner-new", "new");
    is_str(sync_doc_item(doc, client.api_keys, 1), "partner-old", "old");
    is_int(client.operations[SYNC_ENTITY_INVOICE],
           sync_op_bit(SYNC_OP_DELETE) | sync_op_bit(SYNC_OP_REPLACE),
           "what it may do");

    ok(sync_doc_client(doc, str("shop"), &client) == SYNC_OK, "a bare client");
    is_int(client.source, SYNC_DOC_CANONICAL, "is canonical");
    is_int(client.plan, SYNC_DOC_NONE, "has no plan");
    is_int(sync_doc_limits(doc, client.plan), 0, "no limits");
    is_int(client.operations[SYNC_ENTITY_SALES_ORDER], 0, "may do nothing");

    ok(sync_doc_client(doc, str("sho"), &client) == SYNC_NO, "nobody");
    ok(sync_doc_client(doc, str("shops"), &client) == SYNC_NO, "nobody");
    ok(sync_doc_client(doc, str(""), &client) == SYNC_NO, "nobody");
    ok(sync_doc_client_at(doc, 3, &client) == SYNC_NO, "no fourth");

    is_int(sync_doc_sources(doc), 2, "sources");
    ok(sync_doc_source_at(doc, 0, &source) == SYNC_OK, "the first");
    is_str(source.name, "canonical", "is canonical");
    is_int(sync_doc_plans(doc), 2, "plans");
}


static void
test_jwks(void)
{
    const char         *text;
    sync_str_t          block;
    sync_error_t        err;
    const sync_doc_t   *doc;
    sync_doc_issuer_t   issuer;

    text =
        "{\"tenant\":\"acme\",\"id\":\"t_7f3a\",\"issuers\":["
        "{\"issuer\":\"https://a.example/x/\",\"jwks\":\"discover\","
        "\"audience\":\"a\"},{\"issuer\":\"https://b.example?q\","
        "\"jwks\":\"https://keys.example/b?v=1\",\"audience\":\"a\"}]}";

    if (!ok(load(text, &block, &err) == SYNC_OK, "keys from elsewhere")) {
        diag("%s", err.text);
        return;
    }

    doc = sync_doc_open(block);

    ok(sync_doc_issuer_at(doc, 0, &issuer) == SYNC_OK, "an issuer");
    is_int(issuer.kind, SYNC_JWKS_DISCOVER, "that is asked for its keys");
    is_str(issuer.jwks, "", "wherever they are");

    ok(sync_doc_issuer_at(doc, 1, &issuer) == SYNC_OK, "an issuer");
    is_int(issuer.kind, SYNC_JWKS_URL, "whose keys have a URL");
    is_str(issuer.jwks, "https://keys.example/b?v=1", "as written");
}


static void
test_urls(void)
{
    const char             *text;
    sync_str_t              block;
    sync_error_t            err;
    const sync_doc_t       *doc;
    sync_doc_connector_t    c;

    text =
        "{\"tenant\":\"acme\",\"id\":\"t_7f3a\",\"connectors\":{"
        "\"base\":{\"url\":\"https://S4.example:8443/sap/opu\","
        "\"entities\":{\"invoice\":{\"read\":\"GET /i/{id}\"}}},"
        "\"bare\":{\"url\":\"https://s4.example/\",\"tls_name\":\"X.example\","
        "\"entities\":{\"invoice\":{\"read\":\"GET /i/{id}\"}}},"
        "\"six\":{\"url\":\"https://[2001:db8::1]:444\","
        "\"tls_name\":\"six.example\","
        "\"entities\":{\"invoice\":{\"read\":\"GET /i/{id}\"}}}}}";

    if (!ok(load(text, &block, &err) == SYNC_OK, "URLs are taken")) {
        diag("%s", err.text);
        return;
    }

    doc = sync_doc_open(block);

    (void) sync_doc_connector(doc, str("base"), &c);
    is_str(c.upstream, "", "a URL: no group");
    is_str(c.address, "s4.example", "what is resolved, in lower case");
    is_int(c.port, 8443, "its port");
    is_str(c.host, "s4.example:8443", "its Host");
    is_str(c.tls_name, "s4.example", "its TLS name");
    is_str(c.path, "/sap/opu", "its path");

    (void) sync_doc_connector(doc, str("bare"), &c);
    is_int(c.port, 443, "the port of https");
    is_str(c.host, "s4.example", "and a Host without it");
    is_str(c.tls_name, "x.example", "a TLS name of its own");
    is_str(c.path, "", "and no path");

    (void) sync_doc_connector(doc, str("six"), &c);
    is_str(c.address, "2001:db8::1", "an address, without brackets");
    is_str(c.host, "[2001:db8::1]:444", "which its Host has");
    is_str(c.tls_name, "six.example", "and the name it has to have");
}


static void
test_formats(void)
{
    const char             *text;
    sync_str_t              block;
    sync_error_t            err;
    const sync_doc_t       *doc;
    sync_doc_source_t       source;
    sync_doc_connector_t    c;
    sync_doc_operation_t    op;

    text =
        "{\"tenant\":\"acme\",\"id\":\"t_7f3a\","
        "\"sources\":{\"x\":{\"format\":\"xml\",\"lists\":[\"Item\",\"Line\"],"
        "\"media_types\":[\"Application/X-Order+XML\"],"
        "\"maps\":{\"sales_order\":\"maps/x.json\"}}},"
        "\"connectors\":{\"soap\":{\"upstream\":\"ecc\","
        "\"format\":\"soap-1.2\",\"lists\":[\"Row\"],"
        "\"entities\":{\"sales_order\":{"
        "\"create\":{\"request\":\"POST /s\",\"action\":\"urn:Create\"},"
        "\"read\":{\"request\":\"POST /s\",\"action\":\"urn:Get\","
        "\"body\":{\"Get\":{\"@xmlns\":\"urn:x\",\"Id\":\"{id}\"}}},"
        "\"list\":{\"request\":\"POST /s\",\"body\":{\"All\":null},"
        "\"items\":\"$.AllResponse.Row[*]\"}}}},"
        "\"odata\":{\"upstream\":\"ecc\",\"format\":\"odata-v4\","
        "\"entities\":{\"sales_order\":{\"list\":{\"request\":\"GET /o\","
        "\"items\":\"$.value[*]\",\"next\":\"$['@odata.nextLink']\"}}}}}}";

    if (!ok(load(text, &block, &err) == SYNC_OK, "formats are taken")) {
        diag("%s", err.text);
        return;
    }

    doc = sync_doc_open(block);

    ok(sync_doc_source_at(doc, 1, &source) == SYNC_OK, "a source");
    is_int(source.format, SYNC_FORMAT_XML, "its format");
    is_int(source.lists.n, 2, "its lists");
    is_str(sync_doc_item(doc, source.lists, 1), "Line", "one of them");
    is_str(sync_doc_item(doc, source.media_types, 0), "application/x-order+xml",
           "a media type in lower case");

    ok(sync_doc_connector(doc, str("soap"), &c) == SYNC_OK, "a connector");
    is_int(c.format, SYNC_FORMAT_SOAP_12, "its format");
    is_str(sync_doc_item(doc, c.lists, 0), "Row", "its lists");

    (void) sync_doc_operation(doc, c.index, SYNC_ENTITY_SALES_ORDER,
                              SYNC_OP_CREATE, &op);
    is_str(op.action, "urn:Create", "an action");
    is_int(op.body.len, 0, "no body of its own");

    (void) sync_doc_operation(doc, c.index, SYNC_ENTITY_SALES_ORDER,
                              SYNC_OP_READ, &op);
    is_str(op.method, "POST", "a read by POST");
    is_str(op.body, "{\"Get\":{\"@xmlns\":\"urn:x\",\"Id\":\"{id}\"}}",
           "its body");

    (void) sync_doc_operation(doc, c.index, SYNC_ENTITY_SALES_ORDER,
                              SYNC_OP_LIST, &op);
    is_str(op.items, "$.AllResponse.Row[*]", "where the items of a list are");
    is_int(op.next.len, 0, "no next page");

    (void) sync_doc_connector(doc, str("odata"), &c);
    (void) sync_doc_operation(doc, c.index, SYNC_ENTITY_SALES_ORDER,
                              SYNC_OP_LIST, &op);
    is_str(op.next, "$['@odata.nextLink']", "where the next page is");
}


static void
test_connectors(const sync_doc_t *doc)
{
    unsigned                 operations;
    sync_str_t               map, target;
    sync_doc_operation_t     op;
    sync_doc_connector_t     c;
    sync_doc_credential_t    cred;
    sync_template_values_t   values;

    is_int(sync_doc_connectors(doc), 3, "connectors");

    ok(sync_doc_connector(doc, str("s4"), &c) == SYNC_OK, "by name");
    is_int(c.index, 0, "its index");
    is_str(c.upstream, "s4_odata", "upstream");
    is_int(c.port, 0, "and no URL");
    is_str(c.host, "s4.example:8443", "host");
    is_str(c.tls_name, "s4.example", "TLS name: the host without port");
    is_str(c.path, "/sap/opu/odata/sap/API_SALES_ORDER_SRV", "path");
    is_int(c.format, SYNC_FORMAT_ODATA_V2, "format");
    is_int(c.request_headers.n, 1, "request headers");
    is_str(sync_doc_item(doc, c.request_headers, 0), "accept-language",
           "in lower case");
    ok(sync_doc_has(doc, c.response_headers, str("x-request-id")),
       "response headers");
    is_int(c.credentials, SYNC_CREDENTIALS_BASIC, "credentials");
    ok(sync_doc_credential(doc, c.index, &cred) == SYNC_OK, "which are");
    is_str(cred.id, "s4-user", "user");
    is_str(cred.secret, "s4-password", "password");
    is_int(c.send, SYNC_SEND_HEADER, "the key is sent");
    is_str(c.send_header, "requestid", "in");
    is_int(c.as, SYNC_AS_UUID_HEX, "as");
    is_int(c.on_unknown, SYNC_UNKNOWN_RESEND, "on unknown");
    is_int(c.max_run_ms, 120000, "longest run");
    is_int(c.rolls_back, 1, "rolls back");
    is_int(c.capacity, 40, "capacity");
    is_int(sync_doc_weight(doc), 3, "and the tenant's weight");
    ok(sync_doc_transient(doc, c.index, 400)
       && sync_doc_transient(doc, c.index, 503)
       && sync_doc_transient(doc, c.index, 599), "transient statuses");
    ok(!sync_doc_transient(doc, c.index, 401)
       && !sync_doc_transient(doc, c.index, 399)
       && !sync_doc_transient(doc, c.index, 600)
       && !sync_doc_transient(doc, 7, 503), "and no others");

    ok(sync_doc_connector_entity(doc, c.index, SYNC_ENTITY_SALES_ORDER, &map,
                                 &operations) == SYNC_OK, "an entity");
    is_str(map, "maps/s4.json", "its map");
    is_int(operations, sync_op_bit(SYNC_OP_CREATE) | sync_op_bit(SYNC_OP_READ)
                       | sync_op_bit(SYNC_OP_UPDATE)
                       | sync_op_bit(SYNC_OP_LIST), "its operations");
    ok(sync_doc_connector_entity(doc, c.index, SYNC_ENTITY_INVOICE, &map,
                                 &operations) == SYNC_NO, "no such entity");

    ok(sync_doc_operation(doc, c.index, SYNC_ENTITY_SALES_ORDER,
                          SYNC_OP_UPDATE, &op) == SYNC_OK, "an operation");
    is_str(op.method, "PATCH", "its method");
    is_int(op.if_match, 1, "If-Match is required");

    memset(&values, 0, sizeof(values));
    values.id = str("o'1");

    ok(sync_template_render(op.code, &values, arena, &target, NULL)
       == SYNC_OK, "its template renders from the block");
    is_str(target, "/A_SalesOrder('o%27%271')", "as it should be");

    ok(sync_doc_operation(doc, c.index, SYNC_ENTITY_SALES_ORDER,
                          SYNC_OP_READ, &op) == SYNC_OK, "another");
    is_int(op.if_match, 0, "If-Match is not required");
    ok(sync_doc_operation(doc, c.index, SYNC_ENTITY_SALES_ORDER,
                          SYNC_OP_DELETE, &op) == SYNC_NO, "no delete");

    ok(sync_doc_connector(doc, str("netsuite"), &c) == SYNC_OK, "another");
    is_str(c.host, "netsuite", "host: the upstream");
    is_str(c.tls_name, "ns.example", "TLS name");
    is_str(c.path, "", "no path");
    is_int(c.format, SYNC_FORMAT_JSON, "JSON");
    is_int(c.credentials, SYNC_CREDENTIALS_API_KEY, "credentials");
    ok(sync_doc_credential(doc, c.index, &cred) == SYNC_OK, "which are");
    is_str(cred.header, "authorization", "in");
    is_str(cred.secret, "ns", "from");
    is_int(c.send, SYNC_SEND_PATH, "the key is in the path");
    is_int(c.as, SYNC_AS_UUID, "as a UUID");
    is_int(c.on_unknown, SYNC_UNKNOWN_RELEASE, "on unknown");

    ok(sync_doc_connector(doc, str("ecc"), &c) == SYNC_OK, "a bare one");
    is_int(c.credentials, SYNC_CREDENTIALS_NONE, "no credentials");
    ok(sync_doc_credential(doc, c.index, &cred) == SYNC_NO, "none at all");
    is_int(c.send, SYNC_SEND_NONE, "the key is not sent");
    is_int(c.on_unknown, SYNC_UNKNOWN_HOLD, "an operator decides");
    is_int(c.rolls_back, 0, "nothing is said of a 5xx");
    ok(sync_doc_connector(doc, str("s5"), &c) == SYNC_NO, "no such connector");
}


static uint32_t
route(const sync_doc_t *doc, const char *payload)
{
    sync_json_t  json;

    if (sync_json_parse(&json, arena, str(payload), NULL, NULL) != SYNC_OK) {
        return SYNC_DOC_NONE - 1;
    }

    return sync_doc_route(doc, SYNC_ENTITY_SALES_ORDER, &json, 0);
}


static void
test_rules(const sync_doc_t *doc)
{
    sync_doc_mask_t    mask;
    sync_doc_owner_t   owner;
    sync_doc_source_t  source;

    is_int(sync_doc_schema_version(doc, SYNC_ENTITY_SALES_ORDER), 2,
           "the version of a schema");
    is_int(sync_doc_schema_version(doc, SYNC_ENTITY_INVOICE), 0,
           "which need not be said");

    is_int(sync_doc_owners(doc), 3, "owners");
    ok(sync_doc_owner_at(doc, 1, &owner) == SYNC_OK
       && owner.entity == SYNC_ENTITY_SALES_ORDER, "of an attribute");
    is_str(owner.pattern, "/items/*/price", "by its pattern");
    ok(sync_doc_has(doc, owner.owners, sync_str_lit("canonical"))
       && sync_doc_has(doc, owner.owners, sync_str_lit("salesforce")),
       "two of them");
    ok(sync_doc_owner_at(doc, 2, &owner) == SYNC_OK
       && owner.entity == SYNC_ENTITY_INVOICE, "of another entity");
    is_int(sync_doc_owner_at(doc, 3, &owner), SYNC_NO, "and no more");

    is_int(sync_doc_masks(doc), 2, "masks");
    ok(sync_doc_mask_at(doc, 0, &mask) == SYNC_OK
       && mask.as == SYNC_MASK_LAST4 && mask.entity == SYNC_ENTITIES
       && mask.source.len == 0, "of all entities and sources");
    is_str(mask.pattern, "/payment/iban", "a pattern");
    is_str(mask.scope, "finance:read", "a scope");
    ok(sync_doc_mask_at(doc, 1, &mask) == SYNC_OK
       && mask.as == SYNC_MASK_STARS && mask.entity == SYNC_ENTITY_INVOICE
       && mask.scope.len == 0, "of one entity");
    is_str(mask.source, "salesforce", "and one source");
    is_int(sync_doc_mask_at(doc, 2, &mask), SYNC_NO, "and no more");

    ok(sync_doc_source_at(doc, 1, &source) == SYNC_OK
       && source.schemas[SYNC_ENTITY_SALES_ORDER].len == 0,
       "a source without a schema");
}


static void
test_routes(const sync_doc_t *doc)
{
    sync_str_t        pointer;
    sync_doc_list_t   values;
    sync_doc_route_t  r;

    is_int(route(doc, "{\"ship_to\":{\"region\":\"eu\"},\"currency\":"
                      "\"\\u0045UR\"}"), 0, "both conditions hold: s4");
    is_int(route(doc, "{\"ship_to\":{\"region\":\"uk\"},\"currency\":"
                      "\"EUR\"}"), 0, "the other value too");
    is_int(route(doc, "{\"ship_to\":{\"region\":\"eu\"}}"), 2,
           "one does not: ecc");
    is_int(route(doc, "{\"ship_to\":{\"region\":\"us\"}}"), 1, "netsuite");
    is_int(route(doc, "{\"ship_to\":{\"region\":[\"us\"]}}"), 2,
           "a list is no string");
    is_int(route(doc, "{}"), 2, "what is left: ecc");
    is_int(sync_doc_route(doc, SYNC_ENTITY_SALES_ORDER, NULL, 0), 2,
           "without a payload: the one without conditions");
    is_int(sync_doc_route(doc, SYNC_ENTITY_INVOICE, NULL, 0), 1,
           "another entity");
    is_int(sync_doc_route(doc, SYNC_ENTITY_QUOTE, NULL, 0), SYNC_DOC_NONE,
           "no route");

    is_int(sync_doc_routes(doc), 4, "routes");
    ok(sync_doc_route_at(doc, 0, &r) == SYNC_OK, "the first");
    is_int(r.conditions, 2, "has conditions");
    ok(sync_doc_condition_at(doc, 0, 0, &pointer, &values) == SYNC_OK, "one");
    is_str(pointer, "/ship_to/region", "where");
    is_str(sync_doc_item(doc, values, 1), "uk", "what");
    ok(sync_doc_condition_at(doc, 0, 2, &pointer, &values) == SYNC_NO,
       "no third");
    ok(sync_doc_route_at(doc, 4, &r) == SYNC_NO, "no fifth route");
}


static void
test_least(void)
{
    sync_str_t           block;
    sync_error_t         err;
    const sync_doc_t    *doc;
    sync_doc_options_t   none;

    ok(load("{\"tenant\":\"acme\",\"id\":\"t_1\"}", &block, &err) == SYNC_OK,
       "two members are a document");

    doc = sync_doc_open(block);

    is_str(sync_doc_residency(doc), "", "no residency");
    is_int(sync_doc_ids_prefixed(doc), 0, "plain ids");
    is_int(sync_doc_hosts(doc).n, 0, "no hosts");
    is_int(sync_doc_retention(doc), 0, "no retention");
    is_int(sync_doc_sources(doc), 1, "one source");
    is_int(sync_doc_clients(doc), 0, "no clients");

    memset(&none, 0, sizeof(none));

    ok(sync_doc_load(arena, str("acme"), str(good), &none, &block, &err)
       == SYNC_OK, "what cannot be asked is not checked");
    ok(sync_doc_load(arena, str("acme"), str("{}"), &none, &block, NULL)
       == SYNC_NO, "errors are not a must");
}


static void
extends_is(const char *text, const char *pointer, const char *what,
    const char *message)
{
    sync_rc_t     rc;
    sync_str_t    block;
    sync_error_t  err;

    rc = load(text, &block, &err);

    if (!ok(rc == SYNC_NO && err.what && strcmp(err.what, what) == 0
            && strstr(err.text, message), "%s", message))
    {
        diag("rc %d, %s: %s", rc, err.what ? err.what : "-", err.text);
    }

    is_str(err.pointer, pointer, "points at \"%s\"", pointer);
}


#define EXTENDS(path)                                                         \
    "{\"tenant\":\"acme\",\"id\":\"t_1\",\"extends\":\"" path "\"}"


static void
test_extends(void)
{
    sync_str_t           block;
    sync_error_t         err;
    const sync_doc_t    *doc;
    sync_doc_options_t   none;

    ok(load("{\"tenant\":\"acme\",\"id\":\"t_1\","
            "\"extends\":\"templates/order-to-cash.json\",\"ids\":null,"
            "\"plans\":{\"tin\":null}}", &block, &err) == SYNC_OK,
       "a document with two templates");

    doc = sync_doc_open(block);

    is_str(sync_doc_residency(doc), "us", "the nearer template wins");
    is_int(sync_doc_retention(doc), 172800000, "what it adds is there");
    is_int(sync_doc_ids_prefixed(doc), 0, "null takes away");
    is_int(sync_doc_plans(doc), 1, "at any depth");
    is_str(sync_doc_plan_name(doc, 0), "gold", "and leaves the rest");

    ok(load("{\"tenant\":\"acme\",\"id\":\"t_1\",\"extends\":null}", &block,
            &err) == SYNC_OK, "null extends nothing");

    extends_is("{\"extends\":7}", "/extends", "type", "should be a string");
    extends_is(EXTENDS("/etc/passwd"), "/extends", "value", "is not a path");
    extends_is(EXTENDS("../acme.json"), "/extends", "value", "is not a path");
    extends_is(EXTENDS("a/../../b.json"), "/extends", "value",
               "is not a path");
    extends_is(EXTENDS("a/.hidden"), "/extends", "value", "is not a path");
    extends_is(EXTENDS(""), "/extends", "value", "is not a path");
    extends_is(EXTENDS("templates/none.json"), "/extends", "extends",
               "there is no file \"templates/none.json\" below the library");
    extends_is(EXTENDS("templates/self.json"), "/extends", "extends",
               "template \"templates/self.json\" extends itself");
    extends_is(EXTENDS("templates/a.json"), "/extends", "extends",
               "extends itself");
    extends_is(EXTENDS("templates/deep-1.json"), "/extends", "extends",
               "more than 8 templates");
    extends_is(EXTENDS("templates/list.json"), "/extends", "extends",
               "is not an object");
    extends_is(EXTENDS("templates/bad.json"), "/extends", "extends",
               "template \"templates/bad.json\": line 1");
    extends_is(EXTENDS("templates/id.json"), "/extends", "extends",
               "has \"id\", which is a tenant's own");
    extends_is(EXTENDS("templates/match.json"), "/extends", "extends",
               "has \"match\", which is a tenant's own");
    extends_is(EXTENDS("templates/typo.json"), "/residence",
               "unknown-member", "did you mean \"residency\"?");

    memset(&none, 0, sizeof(none));
    memset(&err, 0, sizeof(err));

    ok(sync_doc_load(arena, str("acme"),
                     str(EXTENDS("templates/base.json")), &none, &block, &err)
       == SYNC_NO && strstr(err.text, "set sync_library"), "no library");
}


static void
test_text(void)
{
    sync_str_t    block;
    sync_error_t  err;

    ok(load("{\"tenant\":\"acme\",}", &block, &err) == SYNC_NO
       && strcmp(err.what, "syntax") == 0 && err.offset != SYNC_NOWHERE,
       "not JSON");
    ok(load("", &block, &err) == SYNC_NO && strcmp(err.what, "syntax") == 0,
       "nothing");
    ok(load("{\"tenant\":\"acme\",\"tenant\":\"acme\"}", &block, &err)
       == SYNC_NO && strcmp(err.what, "duplicate-member") == 0, "a duplicate");
    is_str(err.pointer, "/tenant", "and which");
    ok(load("\"acme\"", &block, &err) == SYNC_NO
       && strcmp(err.what, "type") == 0, "a string");
    is_str(err.pointer, "", "is the root");
}


static void
test_open(void)
{
    sync_str_t      block, copy;
    sync_error_t    err;

    (void) load("{\"tenant\":\"acme\",\"id\":\"t_1\"}", &block, &err);

    copy.len = block.len;
    copy.data = sync_alloc(arena, block.len + 8);
    memcpy(copy.data, block.data, block.len);

    ok(sync_doc_open(copy) != NULL, "a block");

    copy.len--;
    ok(sync_doc_open(copy) == NULL, "cut short");
    copy.len++;

    copy.data[0] ^= 1;
    ok(sync_doc_open(copy) == NULL, "another magic");
    copy.data[0] ^= 1;

    copy.data[4] ^= 0x40;
    ok(sync_doc_open(copy) == NULL, "another version");
    copy.data[4] ^= 0x40;

    memmove(copy.data + 4, copy.data, block.len);
    copy.data += 4;
    ok(sync_doc_open(copy) == NULL, "not aligned");

    ok(sync_doc_open(sync_str_null) == NULL, "nothing");
    is_int(sync_entity_by_name(str("payment")), SYNC_ENTITY_PAYMENT, "entity");
    is_int(sync_entity_by_name(str("order")), SYNC_ENTITIES, "no entity");
    is_str(sync_entity_name(SYNC_ENTITIES), "", "no name");
    is_int(sync_op_by_name(str("find")), SYNC_OP_FIND, "operation");
    is_int(sync_op_by_name(str("")), SYNC_OPS, "no operation");
    is_str(sync_op_name(SYNC_OP_LIST), "list", "its name");
}


/* Past the first guess of the block's size, and in no order. */

static void
test_many(void)
{
    int                 i, bad;
    char               *p, *text, id[32];
    sync_str_t          block;
    sync_error_t        err;
    const sync_doc_t   *doc;
    sync_doc_client_t   client;

    text = sync_alloc(arena, 2000 * 64);
    p = text;

    p += sprintf(p, "{\"tenant\":\"acme\",\"id\":\"t_1\",\"clients\":{");

    for (i = 0; i < 1000; i++) {
        p += sprintf(p, "%s\"c%d\":{\"entities\":{\"quote\":[\"%s\"]}}",
                     i ? "," : "", i * 7919 % 1000, i % 2 ? "read" : "list");
    }

    sprintf(p, "}}");

    ok(load(text, &block, &err) == SYNC_OK, "1,000 clients");

    doc = sync_doc_open(block);
    bad = doc == NULL;

    for (i = 0; doc && i < 1000; i++) {
        sprintf(id, "c%d", i * 7919 % 1000);

        if (sync_doc_client(doc, str(id), &client) != SYNC_OK
            || !sync_str_is(client.id, id)
            || client.operations[SYNC_ENTITY_QUOTE]
               != sync_op_bit(i % 2 ? SYNC_OP_READ : SYNC_OP_LIST))
        {
            bad++;
        }
    }

    is_int(bad, 0, "all of them found");
    ok(sync_doc_client(doc, str("c1000"), &client) == SYNC_NO, "one is not");
}


/* Every document of docs/tenants.md is taken. */

static void
test_webhooks(void)
{
    sync_str_t          block;
    sync_error_t        err;
    const sync_doc_t   *doc;
    sync_doc_client_t   client;
    sync_doc_source_t   source;

    if (!ok(load("{\"tenant\":\"acme\",\"id\":\"t_1\",\"sources\":{"
                 "\"shopify\":{\"key\":\"header:X-Shopify-Webhook-Id\","
                 "\"maps\":{}},"
                 "\"crm\":{\"key\":\"$[0].eventId\",\"maps\":{}}},"
                 "\"clients\":{"
                 "\"shop\":{\"signature\":\"shopify\",\"secrets\":["
                 "\"secret:new\",\"secret:old\"],\"source\":\"shopify\"},"
                 "\"hub\":{\"signature\":\"hubspot\",\"source\":\"crm\"}},"
                 "\"retention\":{\"webhooks\":\"96h\"}}", &block, &err)
            == SYNC_OK, "a document with webhooks"))
    {
        diag("%.*s: %s", (int) err.pointer.len, err.pointer.data, err.text);
        return;
    }

    doc = sync_doc_open(block);

    is_int(sync_doc_webhooks(doc), INT64_C(96) * 3600 * 1000,
           "how long their keys are kept");
    is_int(sync_doc_retention(doc), 0, "and nothing is said of others");

    ok(sync_doc_client(doc, str("shop"), &client) == SYNC_OK, "the shop");
    is_int(client.signature, SYNC_SIGNATURE_SHOPIFY, "its signature");
    is_int(client.secrets.n, 2, "its secrets");
    is_str(sync_doc_item(doc, client.secrets, 1), "old", "the second");

    ok(sync_doc_source_at(doc, client.source, &source) == SYNC_OK,
       "its source");
    is_str(source.key_header, "x-shopify-webhook-id", "a key by a header");
    is_str(source.key_path, "", "and by no path");

    ok(sync_doc_client(doc, str("hub"), &client) == SYNC_OK, "the other");
    is_int(client.signature, SYNC_SIGNATURE_HUBSPOT, "its signature");
    is_int(client.secrets.n, 0, "its secret is the platform's");

    ok(sync_doc_source_at(doc, client.source, &source) == SYNC_OK,
       "its source");
    is_str(source.key_header, "", "a key by no header");
    is_str(source.key_path, "$[0].eventId", "and by a path");
}


static void
test_certificates(void)
{
    uint32_t                i;
    sync_rc_t               rc;
    sync_str_t              block, before;
    sync_error_t            err;
    const sync_doc_t       *doc;
    sync_doc_client_t       client;
    sync_doc_certificate_t  one;

    rc = load("{\"tenant\":\"acme\",\"id\":\"t_1\","
              "\"match\":{\"certificates\":\"clients\"},\"clients\":{"
              "\"z\":{\"certificates\":[{\"san_dns\":\"B.example\"},"
              "\"0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I\"]},"
              "\"b\":{},\"a/1\":{\"certificates\":["
              "{\"subject_dn\":\"CN=erp,O=Acme\"},"
              "{\"san_dns\":\"c.example\"}]}}}", &block, &err);

    if (!ok(rc == SYNC_OK, "certificates: taken")) {
        diag("%s", err.text);
        return;
    }

    doc = sync_doc_open(block);

    ok(sync_doc_match_certificates(doc), "certificates: they say whose it is");
    is_int(sync_doc_certificates(doc), 4, "certificates: of all clients");

    before = sync_str_null;

    for (i = 0; i < sync_doc_certificates(doc); i++) {
        ok(sync_doc_certificate_at(doc, i, &one) == SYNC_OK
           && sync_doc_certificate(doc, one.name) == one.client
           && (before.data == NULL || memcmp(before.data, one.name.data, 8) < 0
               || memcmp(before.data + 8, one.name.data + 8, 2) < 0),
           "certificates: %u is found, and stands in order", i);
        before = one.name;
    }

    is_int(sync_doc_certificate_at(doc, 4, &one), SYNC_NO,
           "certificates: there is no fifth");
    is_int(sync_doc_certificate(doc, str("san_dns=d.example")), SYNC_DOC_NONE,
           "certificates: nobody's");
    is_int(sync_doc_certificate(doc, str("san_dns=c.exampl")), SYNC_DOC_NONE,
           "certificates: half a name");

    i = sync_doc_certificate(doc, str("san_dns=b.example"));
    ok(sync_doc_client_at(doc, i, &client) == SYNC_OK,
       "certificates: a client's");
    is_str(client.id, "z", "certificates: its id");

    rc = load("{\"tenant\":\"acme\",\"id\":\"t_1\"}", &block, &err);
    doc = rc == SYNC_OK ? sync_doc_open(block) : NULL;

    ok(doc != NULL && sync_doc_certificates(doc) == 0
       && sync_doc_certificate(doc, str("san_dns=b.example")) == SYNC_DOC_NONE
       && !sync_doc_match_certificates(doc), "certificates: none at all");
}


static void
test_docs(void)
{
    FILE          *f;
    size_t         len;
    unsigned       n;
    sync_rc_t      rc;
    sync_str_t     block, document;
    sync_error_t   err;
    char          *text, *p, *end;

    f = fopen("docs/tenants.md", "rb");

    if (f == NULL) {
        skip("docs/tenants.md: run from the top of the project");
        return;
    }

    text = sync_alloc(arena, 256 * 1024);
    len = fread(text, 1, 256 * 1024 - 1, f);
    text[len] = '\0';

    fclose(f);

    n = 0;

    for (p = text; (p = strstr(p, "```json\n")) != NULL; p = end) {
        p += sizeof("```json\n") - 1;

        end = strstr(p, "```");
        if (end == NULL) {
            break;
        }

        document = (sync_str_t) { (size_t) (end - p), (unsigned char *) p };
        memset(&err, 0, sizeof(err));

        rc = sync_doc_load(arena, str("acme"), document, &options, &block,
                           &err);

        if (!ok(rc == SYNC_OK, "docs: document %u is taken", ++n)) {
            diag("%.*s: %s", (int) err.pointer.len, err.pointer.data,
                 err.text);
        }

        end += 3;
    }

    ok(n >= 2, "docs: %u documents were tried", n);
}
