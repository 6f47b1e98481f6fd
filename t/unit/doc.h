
/*
 * The surroundings of tenant documents in tests: a document that is good, an
 * nginx.conf with three upstreams, a library that has every file whose name
 * has no "gone".  Included once, as tap.h is.
 */


#ifndef SYNC_UNIT_DOC_H_INCLUDED_
#define SYNC_UNIT_DOC_H_INCLUDED_


#include "tap.h"
#include "sync_doc.h"


static sync_arena_t  *arena;


static const char  good[] =
"{ \"weight\": 3, \"tenant\": \"acme\", \"id\": \"t_7f3a\", \"residency\": \"eu\","
"  \"ids\": \"prefixed\","
"  \"match\": { \"hosts\": [\"ACME.sync.example\", \"acme.example\"],"
"             \"accounts\": { \"hubspot\": \"62515\" } },"
"  \"issuers\": [ { \"issuer\": \"https://acme.okta.example\","
"                 \"jwks\": \"jwks/acme.json\","
"                 \"audience\": [\"https://sync.example\", \"sync\"],"
"                 \"client_claim\": \"azp\" },"
"               { \"issuer\": \"https://login.example/acme\","
"                 \"jwks\": { \"keys\": [ { \"kty\": \"OKP\", \"crv\":"
"                   \"Ed25519\", \"kid\": \"1\", \"x\": \"AA\" } ] },"
"                 \"audience\": \"sync\", \"tenant_claim\": \"org\" } ],"
"  \"clients\": {"
"    \"shop\": { },"
"    \"0oa1crm\": { \"source\": \"salesforce\", \"plan\": \"gold\","
"      \"entities\": { \"sales_order\": [\"create\", \"read\", \"update\","
"                                    \"list\"] } },"
"    \"partner\": { \"api_keys\": [\"secret:partner-new\","
"                               \"secret:partner-old\"],"
"      \"source\": \"canonical\", \"plan\": \"silver\","
"      \"entities\": { \"sales_order\": [\"read\"],"
"                    \"invoice\": [\"delete\", \"replace\"] } } },"
"  \"plans\": { \"silver\": { \"time_zone\": \"Europe/Berlin\","
"               \"penalty\": { \"after\": 20, \"within\": \"1m\","
"                 \"for\": \"10m\" }, \"limits\": ["
"               { \"rate\": \"10/m\" }, { \"quota\": \"1000000/month\" },"
"               { \"quota\": \"5g/day\", \"unit\": \"content-bytes\" },"
"               { \"rate\": \"512k/s\", \"burst\": \"4m\","
"                 \"unit\": \"content-bytes\" }, { \"concurrency\": 7 } ] },"
"             \"gold\": { \"limits\": [ { \"rate\": \"50/s\", \"burst\": 100 },"
"                         { \"rate\": \"100000/day\" } ] } },"
"  \"sources\": {"
"    \"salesforce\": { \"format\": \"json\","
"      \"maps\": { \"sales_order\": \"maps/salesforce.json\" } } },"
"  \"connectors\": {"
"    \"s4\": { \"capacity\": 40, \"upstream\": \"s4_odata\", \"host\": \"S4.example:8443\","
"      \"path\": \"/sap/opu/odata/sap/API_SALES_ORDER_SRV\","
"      \"format\": \"odata-v2\","
"      \"headers\": { \"request\": [\"Accept-Language\"],"
"                   \"response\": [\"X-Request-Id\", \"sap-message\"] },"
"      \"credentials\": { \"basic\": { \"user\": \"secret:s4-user\","
"                                  \"password\": \"secret:s4-password\" } },"
"      \"idempotency\": { \"send\": \"header:RequestID\","
"        \"as\": \"uuid-hex\", \"on_unknown\": \"resend\","
"        \"max_run_time\": \"120s\", \"transient\": [400, 503, 599],"
"        \"rolls_back\": true },"
"      \"entities\": { \"sales_order\": { \"map\": \"maps/s4.json\","
"        \"create\": \"POST /A_SalesOrder\","
"        \"read\": \"GET /A_SalesOrder('{id}')?$expand=to_Item\","
"        \"update\": { \"request\": \"PATCH /A_SalesOrder('{id}')\","
"                    \"if_match\": \"required\" },"
"        \"list\": { \"request\": \"GET /A_SalesOrder\" } } } },"
"    \"netsuite\": { \"upstream\": \"netsuite\", \"tls_name\":"
"      \"ns.example\","
"      \"credentials\": { \"api_key\": { \"header\": \"Authorization\","
"                                    \"value\": \"secret:ns\" } },"
"      \"idempotency\": { \"send\": \"path\", \"on_unknown\": \"release\" },"
"      \"entities\": { \"invoice\": { \"delete\": \"DELETE /invoice/{id}\" },"
"        \"sales_order\": { \"map\": \"maps/netsuite.json\","
"        \"create\": \"PUT /salesOrder/eid:{idempotency_key}\","
"        \"replace\": \"PUT /salesOrder/eid:{/order_number}\","
"        \"read\": \"GET /salesOrder/{id}\" } } },"
"    \"ecc\": { \"upstream\": \"ecc\", \"entities\": {"
"      \"sales_order\": { \"create\": \"POST /orders\" } } } },"
"  \"routes\": ["
"    { \"entity\": \"sales_order\", \"when\": { \"/ship_to/region\":"
"      [\"eu\", \"uk\"], \"/currency\": \"EUR\" }, \"to\": \"s4\" },"
"    { \"entity\": \"sales_order\", \"when\": { \"/ship_to/region\":"
"      \"us\" }, \"to\": \"netsuite\" },"
"    { \"entity\": \"invoice\", \"to\": \"netsuite\" },"
"    { \"entity\": \"sales_order\", \"to\": \"ecc\" } ],"
"  \"schemas\": { \"sales_order\": 2 },"
"  \"ownership\": { \"sales_order\": { \"/total\": \"salesforce\","
"    \"/items/*/price\": [\"canonical\", \"salesforce\"] },"
"    \"invoice\": { \"/paid\": \"canonical\" } },"
"  \"mask\": [ { \"path\": \"/payment/iban\", \"unless_scope\":"
"    \"finance:read\", \"as\": \"last4\" },"
"    { \"path\": \"/x\", \"source\": \"salesforce\", \"entity\":"
"    \"invoice\" } ],"
"  \"retention\": { \"idempotency\": \"24h\" } }";


static inline sync_str_t
str(const char *s)
{
    return (sync_str_t) { strlen(s), (unsigned char *) (uintptr_t) s };
}


static inline sync_rc_t
has_upstream(void *data, sync_str_t name)
{
    (void) data;

    return sync_str_is(name, "s4_odata") || sync_str_is(name, "netsuite")
           || sync_str_is(name, "ecc") || sync_str_is(name, "odoo")
           || sync_str_is(name, "ecc_soap") || sync_str_is(name, "tryton")
           || sync_str_is(name, "b1")
           ? SYNC_OK : SYNC_NO;
}


/* All of these, and an address. */

static inline sync_rc_t
may_call(void *data, const sync_url_t *url, sync_error_t *err)
{
    (void) data;

    if (url->literal || sync_str_is(url->host, "my300.s4.example")
        || sync_str_is(url->host, "S4.example")
        || sync_str_is(url->host, "s4.example")
        || sync_str_is(url->host, "acme.my.salesforce.com")
        || sync_str_is(url->host, "12345.suitetalk.api.netsuite.com")
        || sync_str_is(url->host, "login.salesforce.com")
        || sync_str_is(url->host, "as.example"))
    {
        return SYNC_OK;
    }

    return sync_refuse(err, "value", SYNC_NOWHERE, "is not to be called");
}


static inline sync_rc_t
has_file(void *data, sync_str_t path)
{
    (void) data;

    return memmem(path.data, path.len, "gone", 4) ? SYNC_NO : SYNC_OK;
}


#endif /* SYNC_UNIT_DOC_H_INCLUDED_ */
