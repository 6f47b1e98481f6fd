
/*
 * Tenant documents: what is broken is refused with place and cure, what is
 * not built yet says so, and no message tells a secret.
 */


#include "doc.h"
#include "sync_value.h"


/*
 * A broken document is a good one with a patch (RFC 7396) over it, so that
 * each shows its fault and nothing else.
 */

typedef struct {
    const char  *patch;
    const char  *pointer;
    const char  *what;
    const char  *message;
} broken_t;


static sync_rc_t load_template(void *data, sync_arena_t *a, sync_str_t path,
    sync_str_t *text);
static sync_str_t merged(sync_str_t target, const char *patch);
static sync_rc_t load(sync_str_t text, sync_str_t *block, sync_error_t *err);
static void test_table(const broken_t *table, int no_canary);
static void test_whole(void);


/* The document that INTERFACE shows, as later versions take it. */

static const char  whole[] =
"{ \"tenant\": \"acme\", \"id\": \"t_7f3a\","
"  \"extends\": \"templates/order-to-cash.json\", \"residency\": \"eu\","
"  \"ids\": \"prefixed\","
"  \"match\": { \"hosts\": [\"acme.sync.example\"],"
"             \"accounts\": { \"hubspot\": \"62515\" } },"
"  \"issuers\": [ { \"issuer\": \"https://acme.okta.example\","
"    \"jwks\": \"discover\", \"audience\": [\"https://sync.example\"],"
"    \"client_claim\": \"azp\" } ],"
"  \"clients\": {"
"    \"0oa1crm\": { \"source\": \"salesforce\", \"plan\": \"gold\","
"      \"entities\": { \"sales_order\": [\"create\", \"read\", \"update\","
"                                    \"list\"] } },"
"    \"partner\": { \"api_keys\": [\"secret:partner-new\","
"      \"secret:partner-old\"], \"source\": \"canonical\", \"plan\": \"gold\","
"      \"entities\": { \"sales_order\": [\"read\"] } },"
"    \"shop\": { \"signature\": \"shopify\", \"secrets\": ["
"      \"secret:shopify\"], \"source\": \"shopify\", \"plan\": \"gold\","
"      \"entities\": { \"sales_order\": [\"create\"] } } },"
"  \"plans\": { \"gold\": { \"limits\": [ { \"rate\": \"50/s\", \"burst\":"
"    100 }, { \"quota\": \"1000000/month\" } ] } },"
"  \"sources\": {"
"    \"salesforce\": { \"format\": \"json\", \"maps\": {"
"      \"sales_order\": \"maps/salesforce.json\" } },"
"    \"shopify\": { \"format\": \"json\","
"      \"key\": \"header:X-Shopify-Webhook-Id\", \"maps\": {"
"      \"sales_order\": \"maps/shopify.json\" } },"
"    \"sf-outbound\": { \"format\": \"soap-1.1\","
"      \"split\": \"$.notifications.Notification[*]\", \"max\": 100,"
"      \"key\": \"$.Id\", \"ack\": \"salesforce\", \"maps\": {"
"      \"sales_order\": \"maps/sf-outbound.json\" } } },"
"  \"connectors\": {"
"    \"s4\": { \"url\": \"https://my300.s4.example/sap/opu/odata/sap/"
"API_SALES_ORDER_SRV\", \"format\": \"odata-v2\","
"      \"credentials\": { \"basic\": { \"user\": \"secret:s4-user\","
"        \"password\": \"secret:s4-password\" } },"
"      \"session\": { \"request\": \"GET /\", \"headers\": {"
"        \"X-CSRF-Token\": \"Fetch\" }, \"take\": { \"token\":"
"        \"header:X-CSRF-Token\", \"cookies\": true }, \"send\": {"
"        \"X-CSRF-Token\": \"{token}\" }, \"expired\": { \"status\": 403,"
"        \"header\": { \"X-CSRF-Token\": \"Required\" } } },"
"      \"idempotency\": { \"send\": \"header:RequestID\", \"as\":"
"        \"uuid-hex\", \"on_unknown\": \"probe\", \"max_run_time\":"
"        \"120s\" },"
"      \"entities\": { \"sales_order\": { \"map\": \"maps/s4.json\","
"        \"create\": \"POST /A_SalesOrder\","
"        \"read\": \"GET /A_SalesOrder('{id}')?$expand=to_Item\","
"        \"update\": { \"request\": \"PATCH /A_SalesOrder('{id}')\","
"          \"if_match\": \"required\" },"
"        \"list\": { \"request\": \"GET /A_SalesOrder\", \"items\":"
"          \"$.d.results[*]\", \"next\": \"$.d.__next\", \"query\": {"
"          \"changed_since\": \"$filter=LastChangeDateTime ge"
" datetimeoffset'{}'\", \"limit\": \"$top={}\" } },"
"        \"find\": { \"request\": \"GET /A_SalesOrder?$filter="
"PurchaseOrderByCustomer eq '{/order_number}'\", \"hit\":"
"          \"$.d.results[0].SalesOrder\" } } } },"
"    \"netsuite\": { \"url\": \"https://12345.suitetalk.api.netsuite.com/"
"services/rest/record/v1\", \"format\": \"json\","
"      \"credentials\": { \"private_key_jwt\": { \"token_url\":"
"         \"https://12345.suitetalk.api.netsuite.com/services/rest/auth/"
"oauth2/v1/token\","
"        \"client_id\": \"secret:ns-id\", \"key\": \"secret:ns-key.pem\","
"        \"alg\": \"PS256\" } },"
"      \"idempotency\": { \"send\": \"path\", \"on_unknown\": \"resend\" },"
"      \"entities\": { \"sales_order\": { \"map\": \"maps/netsuite.json\","
"        \"create\": \"PUT /salesOrder/eid:{idempotency_key}\","
"        \"read\": \"GET /salesOrder/{id}\" } } },"
"    \"ecc\": { \"upstream\": \"ecc_soap\", \"format\": \"soap-1.1\","
"      \"entities\": { \"sales_order\": { \"map\": \"maps/ecc.json\","
"        \"create\": { \"request\": \"POST /orders\", \"action\":"
"        \"urn:CreateOrder\" } } } } },"
"  \"routes\": [ { \"entity\": \"sales_order\", \"when\": {"
"      \"/ship_to/region\": [\"eu\", \"uk\"] }, \"to\": \"s4\" },"
"    { \"entity\": \"sales_order\", \"when\": { \"/ship_to/region\":"
"      \"us\" }, \"to\": \"netsuite\" },"
"    { \"entity\": \"sales_order\", \"to\": \"ecc\" } ],"
"  \"mask\": [ { \"path\": \"/payment/iban\", \"unless_scope\":"
"    \"finance:read\", \"as\": \"last4\" } ],"
"  \"retention\": { \"idempotency\": \"24h\", \"webhooks\": \"96h\" } }";


/*
 * What of it this version refuses, in the order in which it does: each patch
 * takes the refused away, and the next is met.
 */

static const broken_t  later[] = {
    { "{}",
      "/sources/sf-outbound/split", NULL, "\"split\"" },
    { "{\"sources\":{\"sf-outbound\":{\"split\":null}}}",
      "/sources/sf-outbound/max", NULL, "\"max\"" },
    { "{\"sources\":{\"sf-outbound\":{\"max\":null}}}",
      "/sources/sf-outbound/ack", NULL, "\"ack\"" },
    { "{\"sources\":{\"sf-outbound\":{\"ack\":null}}}",
      "/connectors/s4/idempotency/on_unknown", NULL, "on_unknown \"probe\"" },
    { "{\"connectors\":{\"s4\":{\"idempotency\":{\"on_unknown\":null}}}}",
      "/connectors/s4/entities/sales_order/find", NULL, "\"find\"" },
    { "{\"connectors\":{\"s4\":{\"entities\":{\"sales_order\":{\"find\":null"
      "}}}}}", "/connectors/s4/entities/sales_order/list/query", NULL,
      "\"query\"" },
    { NULL, NULL, NULL, NULL }
};


#define OAUTH1                                                                \
    "\"consumer_key\":\"secret:a\",\"consumer_secret\":\"secret:b\","        \
    "\"token\":\"secret:c\",\"token_secret\":\"secret:d\""
#define TOKEN                                                                 \
    "\"token_url\":\"https://as.example/t\",\"client_id\":\"secret:i\""
#define S4(members)  "{\"connectors\":{\"s4\":{" members "}}}"
#define URL(url)  S4("\"upstream\":null,\"host\":null,\"path\":null,"        \
                     "\"url\":\"" url "\"")
#define ORDER(members)  S4("\"entities\":{\"sales_order\":{" members "}}")
#define AT_S4     "/connectors/s4"
#define AT_ORDER  "/connectors/s4/entities/sales_order"


static const broken_t  broken[] = {

    /* the whole */
    { "[]", "", "type", "is an array and should be an object" },
    { "{\"tenant\":null}", "", "missing-member", "\"tenant\" is missing" },
    { "{\"id\":null}", "", "missing-member", "\"id\" is missing" },
    { "{\"tenant\":\"acne\"}", "/tenant", "value",
      "\"acne\" is not the name of the file, \"acme\"" },
    { "{\"id\":\"a/b\"}", "/id", "value", "is not a name: 1 to 64" },
    { "{\"id\":\"\"}", "/id", "value", "is not a name" },
    { "{\"id\":\".hidden\"}", "/id", "value", "no dot first" },
    { "{\"id\":\"t{x}\"}", "/id", "value", "is not a name" },
    { "{\"id\":17}", "/id", "type", "is an integer and should be a string" },
    { "{\"clinets\":{}}", "/clinets", "unknown-member",
      "unknown member \"clinets\", did you mean \"clients\"?" },
    { "{\"tennant\":\"acme\"}", "/tennant", "unknown-member",
      "did you mean \"tenant\"?" },
    { "{\"zzz\":1}", "/zzz", "unknown-member",
      "unknown member \"zzz\"; known are tenant, id" },
    { "{\"a/b~c\":1}", "/a~1b~0c", "unknown-member", "unknown member" },
    { "{\"ownership\":{\"order\":{}}}", "/ownership/order",
      "unknown-member", "unknown entity \"order\"" },
    { "{\"ownership\":{\"sales_order\":{\"total\":\"salesforce\"}}}",
      "/ownership/sales_order/total", "value",
      "is not the path of an attribute" },
    { "{\"ownership\":{\"sales_order\":{\"/total\":\"salesfroce\"}}}",
      "/ownership/sales_order/~1total", "reference",
      "did you mean \"salesforce\"?" },
    { "{\"ownership\":{\"sales_order\":{\"/total\":[]}}}",
      "/ownership/sales_order/~1total", "value", "is empty" },
    { "{\"mask\":[{\"as\":\"stars\"}]}", "/mask/0", "missing-member",
      "\"path\"" },
    { "{\"mask\":[{\"path\":\"iban\"}]}", "/mask/0/path", "value",
      "is not the path of an attribute" },
    { "{\"mask\":[{\"path\":\"/iban\",\"as\":\"star\"}]}", "/mask/0/as",
      "value", "did you mean \"stars\"?" },
    { "{\"mask\":[{\"path\":\"/iban\",\"source\":\"shop\"}]}",
      "/mask/0/source", "reference", "no source \"shop\"" },
    { "{\"schemas\":{\"sales_order\":0}}", "/schemas/sales_order", "value",
      "is not a version" },
    { "{\"schemas\":{\"sales_order\":\"1\"}}", "/schemas/sales_order",
      "value", "is not a version" },
    { "{\"residency\":\"e u\"}", "/residency", "value", "is not a name" },
    { "{\"ids\":\"prefix\"}", "/ids", "value", "did you mean \"prefixed\"?" },

    /* match */
    { "{\"match\":[]}", "/match", "type", "should be an object" },
    { "{\"match\":{\"host\":[]}}", "/match/host", "unknown-member",
      "did you mean \"hosts\"?" },
    { "{\"match\":{\"hosts\":\"a.example\"}}", "/match/hosts", "type",
      "is a string and should be an array" },
    { "{\"match\":{\"hosts\":[]}}", "/match/hosts", "value", "is empty" },
    { "{\"match\":{\"hosts\":[\"*.a.example\"]}}", "/match/hosts/0", "value",
      "no wildcard" },
    { "{\"match\":{\"hosts\":[\"a.example\",\"b.example:8443\"]}}",
      "/match/hosts/1", "value", "no port" },
    { "{\"match\":{\"hosts\":[\"a..example\"]}}", "/match/hosts/0", "value",
      "is not a host name" },
    { "{\"match\":{\"hosts\":[\"-a.example\"]}}", "/match/hosts/0", "value",
      "is not a host name" },
    { "{\"match\":{\"hosts\":[\"a.example.\"]}}", "/match/hosts/0", "value",
      "is not a host name" },
    { "{\"match\":{\"hosts\":[\"a.example\",\"A.EXAMPLE\"]}}",
      "/match/hosts/1", "value", "is there twice" },
    { "{\"match\":{\"hosts\":[7]}}", "/match/hosts/0", "type",
      "should be a string" },
    { "{\"match\":{\"accounts\":{\"hubspot\":62515}}}",
      "/match/accounts/hubspot", "type", "should be a string" },
    { "{\"match\":{\"accounts\":{\"hub spot\":\"6\"}}}",
      "/match/accounts/hub spot", "value", "is not the name of a system" },

    /* issuers */
    { "{\"issuers\":{}}", "/issuers", "type", "should be an array" },
    { "{\"issuers\":[{}]}", "/issuers/0", "missing-member",
      "\"issuer\" is missing" },
    { "{\"issuers\":[{\"issuer\":\"acme\",\"jwks\":\"jwks/acme.json\","
      "\"audience\":\"a\"}]}", "/issuers/0/issuer", "value", "https URL" },
    { "{\"issuers\":[{\"issuer\":\"https://a.example\",\"audience\":\"a\"}]}",
      "/issuers/0", "missing-member", "\"jwks\" is missing" },
    { "{\"issuers\":[{\"issuer\":\"https://a.example\","
      "\"jwks\":\"jwks/acme.json\"}]}", "/issuers/0", "missing-member",
      "\"audience\" is missing" },
    { "{\"issuers\":[{\"issuer\":\"https://a.example\",\"jwks\":"
      "\"jwks/acme.json\",\"audience\":[]}]}", "/issuers/0/audience", "value",
      "is empty" },
    { "{\"issuers\":[{\"issuer\":\"https://a.example\",\"jwks\":"
      "\"jwks/acme.json\",\"audience\":[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\","
      "\"7\",\"8\",\"9\",\"10\",\"11\",\"12\",\"13\",\"14\",\"15\",\"16\","
      "\"17\"]}]}", "/issuers/0/audience", "value",
      "has more than 16 entries" },
    { "{\"issuers\":[{\"issuer\":\"https://a.example\",\"jwks\":"
      "\"https://a.example:0/keys\",\"audience\":\"a\"}]}", "/issuers/0/jwks",
      "value", "is not the URL of a key set: " },
    { "{\"issuers\":[{\"issuer\":\"https://a.example\",\"jwks\":"
      "\"http://a.example/keys\",\"audience\":\"a\"}]}", "/issuers/0/jwks",
      "value", "is not the URL of a key set: " },
    { "{\"issuers\":[{\"issuer\":\"https://a.example?x\",\"jwks\":"
      "\"discover\",\"audience\":\"a\"}]}", "/issuers/0/issuer",
      "value", "is not a URL without query that can be asked" },
    { "{\"issuers\":[{\"issuer\":\"https://127.1/x\",\"jwks\":"
      "\"discover\",\"audience\":\"a\"}]}", "/issuers/0/issuer",
      "value", "is not a URL without query that can be asked" },
    { "{\"issuers\":[{\"issuer\":\"https://a.example\",\"jwks\":"
      "\"../keys.json\",\"audience\":\"a\"}]}", "/issuers/0/jwks", "value",
      "is not a path below the library" },
    { "{\"issuers\":[{\"issuer\":\"https://a.example\",\"jwks\":"
      "\"/etc/passwd\",\"audience\":\"a\"}]}", "/issuers/0/jwks", "value",
      "is not a path below the library" },
    { "{\"issuers\":[{\"issuer\":\"https://a.example\",\"jwks\":"
      "\"jwks/gone.json\",\"audience\":\"a\"}]}", "/issuers/0/jwks",
      "reference", "there is no file \"jwks/gone.json\" below the library" },
    { "{\"issuers\":[{\"issuer\":\"https://a.example\",\"jwks\":true,"
      "\"audience\":\"a\"}]}", "/issuers/0/jwks", "type", "the key set" },
    { "{\"issuers\":[{\"issuer\":\"https://a.example\",\"jwks\":{\"keys\":[]},"
      "\"audience\":\"a\"}]}", "/issuers/0/jwks", "value",
      "is not a key set" },
    { "{\"issuers\":[{\"issuer\":\"https://a.example\",\"jwks\":"
      "\"jwks/acme.json\",\"audience\":\"a\"},{\"issuer\":"
      "\"https://a.example\",\"jwks\":\"jwks/acme.json\",\"audience\":\"b\"}"
      "]}", "/issuers/1/issuer", "value", "is there twice" },
    { "{\"revoked\":[\"j\"]}", "/revoked", "type", "should be an object" },
    { "{\"revoked\":{\"jtis\":[\"j\"]}}", "/revoked/jtis", "unknown-member",
      "\"jti\"" },
    { "{\"revoked\":{\"jti\":\"j\"}}", "/revoked/jti", "type",
      "should be an array" },
    { "{\"revoked\":{\"jti\":[\"j\",7]}}", "/revoked/jti/1", "type",
      "should be a string" },
    { "{\"revoked\":{\"clients\":[\"\"]}}", "/revoked/clients/0", "value",
      "1 to 1024 bytes" },
    { "{\"issuers\":[{\"issuer\":\"https://a.example\",\"introspect\":"
      "true}]}",
      "/issuers/0/introspect", "type", "should be an object" },
    { "{\"issuers\":[{\"issuer\":\"https://a.example\",\"introspect\":"
      "{}}]}",
      "/issuers/0/introspect", "missing-member", "\"url\" is missing" },
    { "{\"issuers\":[{\"issuer\":\"https://a.example\",\"introspect\":"
      "{\"url\":\"http://a.example/i\",\"client_id\":\"a\",\"client_secret\":"
      "\"secret:s\"}}]}",
      "/issuers/0/introspect/url", "value", "https" },
    { "{\"issuers\":[{\"issuer\":\"https://a.example\",\"introspect\":"
      "{\"url\":\"https://a.example/i\",\"client_id\":\"a\"}}]}",
      "/issuers/0/introspect", "missing-member", "client_secret" },
    { "{\"issuers\":[{\"issuer\":\"https://a.example\",\"introspect\":"
      "{\"url\":\"https://a.example/i\",\"client_id\":\"a\",\"client_secret\":"
      "\"hush\"}}]}",
      "/issuers/0/introspect/client_secret", "secret", "secret:NAME" },
    { "{\"issuers\":[{\"issuer\":\"https://a.example\",\"introspect\":"
      "{\"url\":\"https://a.example/i\",\"client_id\":\"file:/x\","
      "\"client_secret\":\"secret:s\"}}]}",
      "/issuers/0/introspect/client_id", "secret", "nginx.conf" },
    { "{\"issuers\":[{\"issuer\":\"https://a.example\",\"introspect\":"
      "{\"url\":\"https://a.example/i\",\"client_id\":\"secret:../x\","
      "\"client_secret\":\"secret:s\"}}]}",
      "/issuers/0/introspect/client_id", "secret", "not " },
    { "{\"issuers\":[{\"issuer\":\"https://a.example\",\"introspect\":"
      "{\"url\":\"https://a.example/i\",\"client_id\":\"a\",\"client_secret\":"
      "\"secret:s\",\"cache\":\"0s\"}}]}",
      "/issuers/0/introspect/cache", "value", "no time" },
    { "{\"issuers\":[{\"issuer\":\"https://a.example\",\"introspect\":"
      "{\"url\":\"https://a.example/i\",\"client_id\":\"a\",\"client_secret\":"
      "\"secret:s\",\"ttl\":\"1s\"}}]}",
      "/issuers/0/introspect/ttl", "unknown-member", "url" },

    /* clients */
    { "{\"clients\":{\"a b\":{}}}", "/clients/a b", "value",
      "is not a client's id" },
    { "{\"clients\":{\"partner\":{\"source\":\"salesforse\"}}}",
      "/clients/partner/source", "reference",
      "there is no source \"salesforse\", did you mean \"salesforce\"?" },
    { "{\"clients\":{\"partner\":{\"plan\":\"platinum\"}}}",
      "/clients/partner/plan", "reference",
      "there is no plan \"platinum\"" },
    { "{\"clients\":{\"partner\":{\"plans\":\"gold\"}}}",
      "/clients/partner/plans", "unknown-member", "did you mean \"plan\"?" },
    { "{\"clients\":{\"partner\":{\"entities\":{\"order\":[\"read\"]}}}}",
      "/clients/partner/entities/order", "unknown-member",
      "unknown entity \"order\"; known are account" },
    { "{\"clients\":{\"partner\":{\"entities\":{\"sales_oder\":[\"read\"]}}}}",
      "/clients/partner/entities/sales_oder", "unknown-member",
      "did you mean \"sales_order\"?" },
    { "{\"clients\":{\"partner\":{\"entities\":{\"shipment\":[\"read\"]}}}}",
      "/clients/partner/entities/shipment", "not-supported",
      "entity \"shipment\" is not supported by this version" },
    { "{\"clients\":{\"partner\":{\"entities\":{\"quote\":[\"raed\"]}}}}",
      "/clients/partner/entities/quote/0", "value",
      "unknown operation \"raed\", did you mean \"read\"?" },
    { "{\"clients\":{\"partner\":{\"entities\":{\"quote\":[\"find\"]}}}}",
      "/clients/partner/entities/quote/0", "value",
      "unknown operation \"find\"" },
    { "{\"clients\":{\"partner\":{\"entities\":{\"quote\":\"read\"}}}}",
      "/clients/partner/entities/quote", "type", "should be an array" },
    { "{\"clients\":{\"0oa1crm\":{\"entities\":{\"quote\":[\"read\"]}}}}",
      "/clients/0oa1crm/entities/quote", "reference",
      "source \"salesforce\" has no map for this entity" },
    { "{\"clients\":{\"partner\":{\"api_keys\":\"secret:a\"}}}",
      "/clients/partner/api_keys", "type", "should be an array" },
    { "{\"clients\":{\"partner\":{\"certificates\":\"x\"}}}",
      "/clients/partner/certificates", "type", "should be an array" },
    { "{\"clients\":{\"partner\":{\"certificates\":[\"00:11\"]}}}",
      "/clients/partner/certificates/0", "value", "is not the SHA-256 of a" },
    { "{\"clients\":{\"partner\":{\"certificates\":[]}}}",
      "/clients/partner/certificates", "value", "is empty" },
    { "{\"clients\":{\"partner\":{\"certificates\":[7]}}}",
      "/clients/partner/certificates/0", "type", "like {\"san_dns\":" },
    { "{\"clients\":{\"partner\":{\"certificates\":[{}]}}}",
      "/clients/partner/certificates/0", "value", "one of subject_dn, san" },
    { "{\"clients\":{\"partner\":{\"certificates\":[{\"san_dns\":\"a.b\","
      "\"san_uri\":\"urn:a\"}]}}}",
      "/clients/partner/certificates/0", "value", "has one of subject_dn" },
    { "{\"clients\":{\"partner\":{\"certificates\":[{\"san_dn\":\"a.b\"}]}}}",
      "/clients/partner/certificates/0/san_dn", "unknown-member",
      "did you mean \"san_dns\"?" },
    { "{\"clients\":{\"partner\":{\"certificates\":[{\"sha256\":\"a\"}]}}}",
      "/clients/partner/certificates/0/sha256", "unknown-member",
      "known are subject_dn, san_dns, san_uri, san_ip, san_email" },
    { "{\"clients\":{\"partner\":{\"certificates\":[{\"san_dns\":7}]}}}",
      "/clients/partner/certificates/0/san_dns", "type", "be a string" },
    { "{\"clients\":{\"partner\":{\"certificates\":[{\"san_dns\":"
      "\"*.b.example\"}]}}}",
      "/clients/partner/certificates/0/san_dns", "value", "no wildcard" },
    { "{\"clients\":{\"partner\":{\"certificates\":[{\"subject_dn\":"
      "\"/CN=a\"}]}}}",
      "/clients/partner/certificates/0/subject_dn", "value",
      "-nameopt RFC2253" },
    { "{\"clients\":{\"partner\":{\"certificates\":[{\"san_dns\":\"a.b\"},"
      "{\"san_dns\":\"A.B\"}]}}}",
      "/clients/partner/certificates/1", "value", "is there twice" },
    { "{\"clients\":{\"partner\":{\"certificates\":[{\"san_dns\":\"a.b\"}]},"
      "\"p/2\":{\"certificates\":[{\"san_dns\":\"c.d\"},"
      "{\"san_dns\":\"A.B\"}]}}}",
      "/clients/partner/certificates/0", "value",
      "is a certificate of the client \"p/2\", too" },
    { "{\"match\":{\"certificates\":[\"a\"]}}", "/match/certificates", "type",
      "should be a string" },
    { "{\"match\":{\"certificates\":\"client\"}}", "/match/certificates",
      "value", "did you mean \"clients\"?" },
    { "{\"clients\":{\"partner\":{\"secrets\":[\"secret:a\"]}}}",
      "/clients/partner/secrets", "value", "go with \"signature\"" },
    { "{\"clients\":{\"partner\":{\"signature\":\"shopyfi\"}}}",
      "/clients/partner/signature", "value", "did you mean \"shopify\"?" },
    { "{\"clients\":{\"partner\":{\"signature\":\"none\"}}}",
      "/clients/partner/signature", "value", "known are standard, stripe" },
    { "{\"clients\":{\"a\":{\"signature\":\"github\",\"secrets\":["
      "\"secret:1\",\"secret:2\",\"secret:3\",\"secret:4\",\"secret:5\","
      "\"secret:6\",\"secret:7\",\"secret:8\"]},\"b\":{\"signature\":"
      "\"github\",\"secrets\":[\"secret:1\",\"secret:2\",\"secret:3\","
      "\"secret:4\",\"secret:5\",\"secret:6\",\"secret:7\",\"secret:8\","
      "\"secret:9\"]}}}", "/clients", "value", "more than 16 secrets" },
    { "{\"clients\":{\"a\":{\"signature\":\"github\",\"secrets\":["
      "\"secret:1\",\"secret:2\",\"secret:3\",\"secret:4\",\"secret:5\","
      "\"secret:6\",\"secret:7\",\"secret:8\"]},\"b\":{\"signature\":"
      "\"shopify\",\"secrets\":[\"secret:1\",\"secret:2\",\"secret:3\","
      "\"secret:4\",\"secret:5\",\"secret:6\",\"secret:7\",\"secret:8\","
      "\"secret:9\"]}}}", "", NULL, NULL },

    /* keys of webhooks */
    { "{\"sources\":{\"salesforce\":{\"key\":\"X-Id\"}}}",
      "/sources/salesforce/key", "value", "is \"header:NAME\" or a JSONPath" },
    { "{\"sources\":{\"salesforce\":{\"key\":\"header:\"}}}",
      "/sources/salesforce/key", "value", "" },
    { "{\"sources\":{\"salesforce\":{\"key\":\"header:X Id\"}}}",
      "/sources/salesforce/key", "value", "" },
    { "{\"sources\":{\"salesforce\":{\"key\":\"header:Cookie\"}}}",
      "/sources/salesforce/key", "value", "is a secret" },
    { "{\"sources\":{\"salesforce\":{\"key\":\"$\"}}}",
      "/sources/salesforce/key", "value", "not a path to one value" },
    { "{\"sources\":{\"salesforce\":{\"key\":\"$[*].id\"}}}",
      "/sources/salesforce/key", "value", "not a path to one value" },
    { "{\"sources\":{\"salesforce\":{\"key\":\"$.\"}}}",
      "/sources/salesforce/key", "value", "at byte" },
    { "{\"retention\":{\"webhooks\":\"74h\"}}", "/retention/webhooks",
      "value", "is at least 75h" },
    { "{\"retention\":{\"webhooks\":\"75h\"}}", "", NULL, NULL },

    /* plans */
    { "{\"plans\":{\"gold\":{}}}", "", NULL, NULL },
    { "{\"plans\":{\"gold\":{\"limits\":null}}}", "/plans/gold",
      "missing-member", "\"limits\" is missing" },
    { "{\"plans\":{\"gold\":{\"limits\":[{\"rate\":\"50\"}]}}}",
      "/plans/gold/limits/0/rate", "value", "" },
    { "{\"plans\":{\"gold\":{\"limits\":[{\"rate\":\"0/s\"}]}}}",
      "/plans/gold/limits/0/rate", "value", "from 1 to" },
    { "{\"plans\":{\"gold\":{\"limits\":[{\"rate\":\"9/month\"}]}}}",
      "/plans/gold/limits/0/rate", "value", "is a quota" },
    { "{\"plans\":{\"gold\":{\"limits\":[{\"rate\":\"4000000000/s\"}]}}}",
      "/plans/gold/limits/0", "value", "" },
    { "{\"plans\":{\"gold\":{\"limits\":[{\"rate\":\"1/s\",\"burst\":0}]}}}",
      "/plans/gold/limits/0/burst", "value", "a burst is from 1" },
    { "{\"plans\":{\"gold\":{\"limits\":[{\"rate\":\"1/s\",\"burst\":\"2\"}]}}"
      "}", "/plans/gold/limits/0/burst", "value", "a burst is from 1" },
    { "{\"plans\":{\"gold\":{\"limits\":[{\"burst\":2}]}}}",
      "/plans/gold/limits/0", "value", "needs one of rate" },
    { "{\"plans\":{\"gold\":{\"limits\":[{\"rate\":\"1/s\","
      "\"concurrency\":2}]}}}",
      "/plans/gold/limits/0", "value", "needs one of rate" },
    { "{\"plans\":{\"gold\":{\"limits\":[{\"quota\":\"9/h\"}]}}}",
      "/plans/gold/limits/0/quota", "value", "by day or month" },
    { "{\"plans\":{\"gold\":{\"limits\":[{\"quota\":\"x/day\"}]}}}",
      "/plans/gold/limits/0/quota", "value", "a rate is a number" },
    { "{\"plans\":{\"gold\":{\"limits\":[{\"quota\":\"9/day\",\"burst\":2}"
      "]}}}", "/plans/gold/limits/0", "value", "does not go with quota" },
    { "{\"plans\":{\"gold\":{\"time_zone\":\"Europe/Atlantis\","
      "\"limits\":[{\"quota\":\"9/day\"}]}}}", "/plans/gold/time_zone",
      "value", "is no time zone" },
    { "{\"plans\":{\"gold\":{\"limits\":[{\"concurrency\":0}]}}}",
      "/plans/gold/limits/0/concurrency", "value", "from 1 to 1000000" },
    { "{\"plans\":{\"gold\":{\"limits\":[{\"concurrency\":2,"
      "\"burst\":3}]}}}", "/plans/gold/limits/0", "value",
      "do not go with concurrency" },
    { "{\"plans\":{\"gold\":{\"limits\":[{\"rate\":\"5k/s\","
      "\"unit\":\"bytes\"}]}}}", "/plans/gold/limits/0/unit", "value",
      "unit" },
    { "{\"plans\":{\"gold\":{\"limits\":[{\"rate\":\"5k/s\","
      "\"unit\":\"content-bytes\",\"burst\":4}]}}}",
      "/plans/gold/limits/0/burst", "value", "is a size" },
    { "{\"plans\":{\"gold\":{\"limits\":[{\"rate\":\"5k/s\"}]}}}",
      "/plans/gold/limits/0/rate", "value", "a rate is a number" },

    { "{\"plans\":{\"gold\":{\"limits\":[],\"penalty\":{\"after\":5,"
      "\"within\":\"1m\"}}}}", "/plans/gold/penalty", "missing-member",
      "\"for\" is missing" },
    { "{\"plans\":{\"gold\":{\"limits\":[],\"penalty\":{\"after\":5,"
      "\"within\":\"1ms\",\"for\":\"1m\"}}}}", "/plans/gold/penalty/within",
      "value", "from 1s to 30d" },
    { "{\"plans\":{\"gold\":{\"limits\":[],\"penalty\":{\"after\":0,"
      "\"within\":\"1m\",\"for\":\"1m\"}}}}", "/plans/gold/penalty/after",
      "value", "is from 1 to 1000000" },
    { "{\"weight\":0}", "/weight", "value", "is from 1 to 1000" },
    { "{\"weight\":\"2\"}", "/weight", "type", "should be an integer" },
    { "{\"connectors\":{\"s4\":{\"capacity\":60001}}}",
      "/connectors/s4/capacity", "value", "is from 1 to 60000" },

    /* sources */
    { "{\"sources\":{\"canonical\":{\"maps\":{}}}}", "/sources/canonical",
      "value", "is always there" },
    { "{\"sources\":{\"x\":{}}}", "/sources/x", "missing-member",
      "\"maps\" is missing" },
    { "{\"sources\":{\"salesforce\":{\"format\":\"jsno\"}}}",
      "/sources/salesforce/format", "value",
      "unknown format \"jsno\", did you mean \"json\"?" },
    { "{\"sources\":{\"salesforce\":{\"format\":\"odata-v2\"}}}",
      "/sources/salesforce/format", "not-supported",
      "format \"odata-v2\" is not supported by this version" },
    { "{\"sources\":{\"salesforce\":{\"maps\":{\"sales_order\":"
      "\"maps/../../x\"}}}}", "/sources/salesforce/maps/sales_order", "value",
      "is not a path below the library" },
    { "{\"sources\":{\"salesforce\":{\"maps\":{\"sales_order\":"
      "\"maps/gone.json\"}}}}", "/sources/salesforce/maps/sales_order",
      "reference", "there is no file \"maps/gone.json\"" },
    { "{\"sources\":{\"salesforce\":{\"media_types\":[]}}}",
      "/sources/salesforce/media_types", "value", "is empty" },
    { "{\"sources\":{\"salesforce\":{\"media_types\":[\"json\"]}}}",
      "/sources/salesforce/media_types/0", "value", "is not a media type" },
    { "{\"sources\":{\"salesforce\":{\"media_types\":[\"a/b;c=d\"]}}}",
      "/sources/salesforce/media_types/0", "value", "without parameters" },
    { "{\"sources\":{\"salesforce\":{\"media_types\":[\"/b\"]}}}",
      "/sources/salesforce/media_types/0", "value", "is not a media type" },
    { "{\"sources\":{\"salesforce\":{\"schema\":\"gone\"}}}",
      "/sources/salesforce/schema", "reference", "there is no file" },
    { "{\"sources\":{\"salesforce\":{\"schema\":{\"sales_order\":1}}}}",
      "/sources/salesforce/schema/sales_order", "type", "string" },

    /* connectors */
    { "{\"connectors\":{\"s~4\":{}}}", "/connectors/s~04", "value",
      "is not the name of a connector" },
    { S4("\"upstream\":null"), AT_S4, "missing-member",
      "names neither \"upstream\"" },
    { S4("\"url\":\"https://s4.example\""), AT_S4 "/url", "value",
      "stands beside \"upstream\"" },
    { S4("\"upstream\":null,\"url\":\"https://s4.example\""), AT_S4 "/url",
      "value", "has a host and a path of its own" },
    { URL("http://s4.example"), AT_S4 "/url", "value", "https" },
    { URL("https://user@s4.example"), AT_S4 "/url", "value", "user" },
    { URL("https://s4.example/sap/"), AT_S4 "/url", "value", "none last" },
    { URL("https://s4.example?a=b"), AT_S4 "/url", "value", "" },
    { URL("https://s4.example/sap?a=b"), AT_S4 "/url", "value",
      "has a query" },
    { URL("https://s4.example/{id}"), AT_S4 "/url", "value", "no URL" },
    { URL("https://s4.example/a/../b"), AT_S4 "/url", "value", "\"..\"" },
    { URL("https://203.0.113.7"), AT_S4 "/url", "value",
      "\"tls_name\" says which name" },
    { URL("https://elsewhere.example"), AT_S4 "/url", "value",
      "is not to be called" },
    { S4("\"upstream\":\"nowhere\""), AT_S4 "/upstream", "reference",
      "there is no \"upstream nowhere\" in nginx.conf" },
    { S4("\"host\":\"s4.example:99999\""), AT_S4 "/host", "value",
      "from 1 to 65535" },
    { S4("\"tls_name\":\"s4.example:443\""), AT_S4 "/tls_name", "value",
      "no port" },
    { S4("\"path\":\"sap\""), AT_S4 "/path", "value", "is not a path" },
    { S4("\"path\":\"/sap/\""), AT_S4 "/path", "value", "none last" },
    { S4("\"path\":\"/sap/../x\""), AT_S4 "/path", "value", "\"..\"" },
    { S4("\"path\":\"/sap?x=1\""), AT_S4 "/path", "value", "has a query" },
    { S4("\"path\":\"/sap/{id}\""), AT_S4 "/path", "value", "placeholder" },
    { S4("\"path\":\"/a\\r\\nb\""), AT_S4 "/path", "value", "printable" },
    { S4("\"format\":\"odata-v5\""), AT_S4 "/format", "value",
      "unknown format \"odata-v5\", did you mean \"odata-v" },
    { S4("\"lists\":[]"), AT_S4 "/lists", "value", "is empty" },
    { S4("\"lists\":[1]"), AT_S4 "/lists/0", "type", "should be a string" },
    { S4("\"headers\":{\"request\":[\"Authorization\"]}"),
      AT_S4 "/headers/request/0", "value",
      "\"Authorization\" never passes between client and connector" },
    { S4("\"headers\":{\"response\":[\"X-Accel-Redirect\"]}"),
      AT_S4 "/headers/response/0", "value", "never passes" },
    { S4("\"headers\":{\"request\":[\"a b\"]}"), AT_S4 "/headers/request/0",
      "value", "is not the name of a header" },
    { S4("\"headers\":{\"request\":[\"x-a\",\"X-A\"]}"),
      AT_S4 "/headers/request/1", "value", "is there twice" },
    { S4("\"credentials\":{\"basic\":null}"), AT_S4 "/credentials", "value",
      "names none; it is exactly one of" },
    { S4("\"credentials\":{\"api_key\":{\"header\":\"X-K\",\"value\":"
         "\"secret:k\"}}"), AT_S4 "/credentials", "value", "names several" },
    { S4("\"credentials\":{\"basic\":{\"password\":null}}"),
      AT_S4 "/credentials/basic", "missing-member",
      "\"password\" is missing" },
    { S4("\"credentials\":{\"basic\":null,\"oauth1\":{}}"),
      AT_S4 "/credentials/oauth1", "missing-member",
      "\"consumer_key\" is missing" },
    { S4("\"credentials\":{\"basic\":null,\"oauth1\":{" OAUTH1
         ",\"realm\":\"a\\\"b\"}}"), AT_S4 "/credentials/oauth1/realm",
      "value", "is not printable ASCII without quotes" },
    { S4("\"credentials\":{\"basic\":null,\"oauth1\":{" OAUTH1
         ",\"method\":\"PLAINTEXT\"}}"), AT_S4 "/credentials/oauth1/method",
      "value", "PLAINTEXT" },
    { S4("\"credentials\":{\"basic\":null,\"wsse\":{\"user\":\"secret:u\","
         "\"password\":\"secret:p\"}}"), AT_S4 "/credentials/wsse", "value",
      "is a header of SOAP's envelope" },
    { S4("\"format\":\"xml\",\"credentials\":{\"basic\":null,\"body\":{"
         "\"pointer\":\"/a\",\"value\":\"secret:p\"}}"),
      AT_S4 "/credentials/body", "value", "points into JSON" },
    { S4("\"credentials\":{\"certificate\":{\"certificate\":\"secret:c\","
         "\"key\":\"secret:k\"}}"), AT_S4 "/credentials/certificate", "value",
      "needs \"url\"" },
    { S4("\"credentials\":{\"basic\":null,\"body\":{\"pointer\":\"a\","
         "\"value\":\"secret:p\"}}"), AT_S4 "/credentials/body/pointer",
      "value", "is not a JSON Pointer" },
    { S4("\"credentials\":{\"basic\":null,\"client_credentials\":{"
         "\"token_url\":\"http://as.example/t\",\"client_id\":\"secret:i\","
         "\"client_secret\":\"secret:s\"}}"),
      AT_S4 "/credentials/client_credentials/token_url", "value", "https" },
    { S4("\"credentials\":{\"basic\":null,\"client_credentials\":{"
         "\"token_url\":\"https://b.example/t\",\"client_id\":\"secret:i\","
         "\"client_secret\":\"secret:s\"}}"),
      AT_S4 "/credentials/client_credentials/token_url", "value",
      "is not to be called" },
    { S4("\"credentials\":{\"basic\":null,\"client_credentials\":{" TOKEN
         "}}"), AT_S4 "/credentials/client_credentials", "missing-member",
      "\"client_secret\" is missing" },
    { S4("\"credentials\":{\"basic\":null,\"client_credentials\":{" TOKEN
         ",\"auth\":\"certificate\"}}"),
      AT_S4 "/credentials/client_credentials/auth", "value",
      "needs a \"certificate\" beside it" },
    { S4("\"credentials\":{\"basic\":null,\"client_credentials\":{" TOKEN
         ",\"client_secret\":\"canary-1\"}}"),
      AT_S4 "/credentials/client_credentials/client_secret", "secret",
      "is not a reference" },
    { S4("\"credentials\":{\"basic\":null,\"private_key_jwt\":{" TOKEN
         ",\"key\":\"secret:k\",\"alg\":\"HS256\"}}"),
      AT_S4 "/credentials/private_key_jwt/alg", "value", "is not one of" },
    { S4("\"credentials\":{\"basic\":null,\"private_key_jwt\":{" TOKEN
         ",\"key\":\"secret:k\",\"claims\":{\"exp\":1}}}"),
      AT_S4 "/credentials/private_key_jwt/claims/exp", "value",
      "is made anew" },
    { S4("\"credentials\":{\"basic\":null,\"private_key_jwt\":{" TOKEN
         ",\"key\":\"secret:k\",\"claims\":{\"a\":\"{id}\"}}}"),
      AT_S4 "/credentials/private_key_jwt/claims", "template",
      "has a placeholder" },
    { S4("\"credentials\":{\"basic\":null,\"jwt_bearer\":{"
         "\"token_url\":\"https://as.example/t\",\"key\":\"secret:k\","
         "\"claims\":{\"sub\":\"me\"}}}"),
      AT_S4 "/credentials/jwt_bearer", "missing-member", "has no \"iss\"" },
    { S4("\"credentials\":{\"basic\":null,\"jwt_bearer\":{"
         "\"token_url\":\"https://as.example/t\",\"key\":\"secret:k\","
         "\"client_secret\":\"secret:s\",\"claims\":{\"iss\":\"me\"}}}"),
      AT_S4 "/credentials/jwt_bearer", "missing-member",
      "\"client_id\" is missing" },
    { S4("\"credentials\":{\"basic\":null,\"api_key\":{\"header\":\"Host\","
         "\"value\":\"secret:k\"}}"), AT_S4 "/credentials/api_key/header",
      "value", "\"Host\" is not a header for this" },
    { S4("\"idempotency\":{\"send\":\"RequestID\"}"),
      AT_S4 "/idempotency/send", "value", "should be \"header:NAME\"" },
    { S4("\"idempotency\":{\"send\":\"header:Content-Length\"}"),
      AT_S4 "/idempotency/send", "value", "is not a header for this" },
    { S4("\"idempotency\":{\"as\":\"uuidhex\"}"), AT_S4 "/idempotency/as",
      "value", "did you mean \"uuid-hex\"?" },
    { S4("\"idempotency\":{\"on_unknown\":\"retry\"}"),
      AT_S4 "/idempotency/on_unknown", "value",
      "known are hold, resend, release" },
    { S4("\"idempotency\":{\"send\":null,\"as\":null}"), AT_S4 "/idempotency",
      "value", "would create a second object" },
    { S4("\"idempotency\":{\"send\":null,\"on_unknown\":null}"),
      AT_S4 "/idempotency/as", "value", "does not send it" },
    { S4("\"idempotency\":{\"max_run_time\":\"120\"}"),
      AT_S4 "/idempotency/max_run_time", "value", "unit" },
    { S4("\"idempotency\":{\"transient\":[200]}"),
      AT_S4 "/idempotency/transient/0", "value",
      "is not a status from 400 to 599" },
    { S4("\"idempotency\":{\"rolls_back\":\"yes\"}"),
      AT_S4 "/idempotency/rolls_back", "type", "should be true or false" },
    { S4("\"idempotency\":{\"send\":\"path\"}"), AT_ORDER "/create", "value",
      "has no {idempotency_key}" },
    { S4("\"entities\":null"), AT_S4, "missing-member",
      "\"entities\" is missing" },
    { "{\"connectors\":{\"ecc\":{\"entities\":{\"sales_order\":null}}}}",
      "/connectors/ecc/entities", "value", "is empty" },
    { "{\"connectors\":{\"ecc\":{\"entities\":{\"sales_order\":{\"create\":"
      "null}}}}}", "/connectors/ecc/entities/sales_order", "missing-member",
      "names no operation" },
    { ORDER("\"creat\":\"POST /a\""), AT_ORDER "/creat", "unknown-member",
      "did you mean \"create\"?" },
    { ORDER("\"create\":7"), AT_ORDER "/create", "type",
      "should be a request" },
    { ORDER("\"create\":\"POST a\""), AT_ORDER "/create", "template",
      "does not begin with \"/\" one space behind the method, at byte 5" },
    { ORDER("\"create\":\"POST /a/{id}\""), AT_ORDER "/create", "template",
      "has no {id} yet" },
    { ORDER("\"create\":\"GET /a\""), AT_ORDER "/create", "value",
      "create changes something, and a GET does not" },
    { ORDER("\"create\":\"POST /a/{idempotency_key}\""), AT_ORDER "/create",
      "value", "does not say \"send\": \"path\"" },
    { ORDER("\"create\":{\"request\":\"POST /a\",\"if_match\":\"required\"}"),
      AT_ORDER "/create/if_match", "value", "belongs to replace" },
    { ORDER("\"read\":\"GET /a\""), AT_ORDER "/read", "template",
      "a read asks by {id}" },
    { ORDER("\"list\":{\"request\":\"GET /a\",\"items\":\"d.results\"}"),
      AT_ORDER "/list/items", "value", "at byte 0" },
    { ORDER("\"read\":{\"request\":\"GET /a/{id}\",\"next\":\"$.n\"}"),
      AT_ORDER "/read/next", "value", "belongs to list" },
    { ORDER("\"list\":{\"request\":\"POST /a\",\"body\":1,\"next\":\"$.n\"}"),
      AT_ORDER "/list/next", "value", "a list by GET" },
    { ORDER("\"read\":\"POST /a/{id}\""), AT_ORDER "/read", "value",
      "has a \"body\" that asks for it" },
    { ORDER("\"read\":{\"request\":\"POST /a\",\"body\":{\"a\":1}}"),
      AT_ORDER "/read", "template", "a read asks by {id}" },
    { ORDER("\"read\":{\"request\":\"POST /a\",\"body\":\"{payload}\"}"),
      AT_ORDER "/read/body", "template", "asks for a payload" },
    { ORDER("\"read\":{\"request\":\"GET /a/{id}\",\"body\":1}"),
      AT_ORDER "/read/body", "value", "a GET has none" },
    { ORDER("\"create\":{\"request\":\"POST /a\",\"body\":[\"{id}\"]}"),
      AT_ORDER "/create/body", "template", "asks for an {id}" },
    { ORDER("\"create\":{\"request\":\"POST /a\",\"body\":{\"b\":[1,"
      "\"{paylod}\"]}}"), AT_ORDER "/create/body", "template",
      "at \"/b/1\" is no placeholder" },
    { ORDER("\"create\":{\"request\":\"POST /a\",\"body\":"
      "\"secret:../x\"}"), AT_ORDER "/create/body", "secret",
      "is not a name" },
    { ORDER("\"create\":{\"request\":\"POST /a\",\"body\":"
      "\"{idempotency_key}\"}"), AT_ORDER "/create", "value",
      "does not say \"send\": \"path\"" },
    { ORDER("\"create\":{\"request\":\"POST /a\",\"action\":\"urn:x\"}"),
      AT_ORDER "/create/action", "value", "is for the formats soap-1.1" },
    { S4("\"format\":\"soap-1.1\",\"entities\":{\"sales_order\":{"
         "\"create\":{\"request\":\"POST /a\",\"action\":\"a\\r\\nb\"}}}"),
      AT_ORDER "/create/action", "value", "has a space, a quote" },
    { S4("\"format\":\"json-rpc\""), AT_ORDER "/create", "missing-member",
      "has no \"action\"" },
    { ORDER("\"read\":\"GET /a/{number}\""), AT_ORDER "/read", "template",
      "unknown placeholder \"{number}\"; known are {id}" },
    { ORDER("\"update\":\"PATCH /a\""), AT_ORDER "/update", "template",
      "is named by {id} or {/pointer}" },
    { ORDER("\"update\":{\"request\":\"PATCH /{id}\",\"if_match\":\"yes\"}"),
      AT_ORDER "/update/if_match", "value", "known are optional, required" },
    { ORDER("\"update\":{\"request\":null}"), AT_ORDER "/update",
      "missing-member", "\"request\" is missing" },
    { ORDER("\"list\":\"GET /a/{id}\""), AT_ORDER "/list", "template",
      "a list has no placeholders" },
    { ORDER("\"map\":\"maps/gone.json\""), AT_ORDER "/map", "reference",
      "there is no file" },

    /* routes */
    { "{\"routes\":{}}", "/routes", "type", "should be an array" },
    { "{\"routes\":[{\"to\":\"s4\"}]}", "/routes/0", "missing-member",
      "\"entity\" is missing" },
    { "{\"routes\":[{\"entity\":\"sales_order\"}]}", "/routes/0",
      "missing-member", "\"to\" is missing" },
    { "{\"routes\":[{\"entity\":\"sales_order\",\"to\":\"s5\"}]}",
      "/routes/0/to", "reference",
      "there is no connector \"s5\", did you mean \"s4\"?" },
    { "{\"routes\":[{\"entity\":\"invoice\",\"to\":\"s4\"}]}",
      "/routes/0/to", "reference",
      "connector \"s4\" has no entity \"invoice\"" },
    { "{\"routes\":[{\"entity\":\"sales_order\",\"to\":\"s4\",\"when\":{}}]}",
      "/routes/0/when", "value", "is empty" },
    { "{\"routes\":[{\"entity\":\"sales_order\",\"to\":\"s4\",\"when\":{"
      "\"region\":\"eu\"}}]}", "/routes/0/when/region", "value",
      "is not a JSON Pointer" },
    { "{\"routes\":[{\"entity\":\"sales_order\",\"to\":\"s4\",\"when\":{"
      "\"/region\":7}}]}", "/routes/0/when/~1region", "type",
      "a string or a list of strings" },
    { "{\"routes\":[{\"entity\":\"sales_order\",\"to\":\"s4\",\"when\":{"
      "\"/region\":[\"eu\",7]}}]}", "/routes/0/when/~1region/1", "type",
      "should be a string" },
    { "{\"routes\":[{\"entity\":\"sales_order\",\"to\":\"s4\"},{\"entity\":"
      "\"sales_order\",\"to\":\"ecc\"}]}", "/routes/1", "value",
      "is never reached: /routes/0 has no \"when\"" },

    /* retention */
    { "{\"retention\":{\"idempotency\":\"24\"}}", "/retention/idempotency",
      "value", "unit" },
    { "{\"retention\":{\"idempotency\":\"0s\"}}", "/retention/idempotency",
      "value", "is no time at all" },
    { "{\"retention\":{\"idempotency\":24}}", "/retention/idempotency",
      "type", "should be a string" },

    { NULL, NULL, NULL, NULL }
};


/* The canary is what no message may show. */

static const broken_t  secrets[] = {
    { "{\"clients\":{\"partner\":{\"api_keys\":[\"canary-1\"]}}}",
      "/clients/partner/api_keys/0", "secret", "write \"secret:NAME\"" },
    { "{\"clients\":{\"partner\":{\"api_keys\":[\"secret:../canary-1\"]}}}",
      "/clients/partner/api_keys/0", "secret", "no \"/\"" },
    { "{\"clients\":{\"partner\":{\"api_keys\":[\"secret:a/canary-1\"]}}}",
      "/clients/partner/api_keys/0", "secret", "no \"/\"" },
    { "{\"clients\":{\"partner\":{\"api_keys\":[\"secret:\"]}}}",
      "/clients/partner/api_keys/0", "secret", "is not a name" },
    { "{\"clients\":{\"partner\":{\"api_keys\":[\"env:canary-1\"]}}}",
      "/clients/partner/api_keys/0", "secret", "are for nginx.conf" },
    { S4("\"credentials\":{\"basic\":{\"password\":\"canary-1\"}}"),
      AT_S4 "/credentials/basic/password", "secret", "is not a reference" },
    { S4("\"credentials\":{\"basic\":{\"password\":\"file:/canary-1\"}}"),
      AT_S4 "/credentials/basic/password", "secret", "are for nginx.conf" },
    { S4("\"credentials\":{\"basic\":null,\"api_key\":{\"header\":\"X-K\","
         "\"value\":\"canary-1\"}}"), AT_S4 "/credentials/api_key/value",
      "secret", "is not a reference" },
    { "{\"issuers\":[{\"issuer\":\"https://a.example\",\"jwks\":{\"keys\":[{"
      "\"kty\":\"oct\",\"k\":\"canary-1\"}]},\"audience\":\"a\"}]}",
      "/issuers/0/jwks/keys/0", "secret", "public keys alone" },
    { "{\"issuers\":[{\"issuer\":\"https://a.example\",\"jwks\":{\"keys\":[{"
      "\"kty\":\"RSA\",\"d\":\"canary-1\"}]},\"audience\":\"a\"}]}",
      "/issuers/0/jwks/keys/0", "secret", "public keys alone" },
    { NULL, NULL, NULL, NULL }
};


static const sync_doc_options_t  options = {
    has_upstream, may_call, may_call, has_file, load_template, NULL, NULL, NULL
};


int
main(void)
{
    arena = sync_arena_create(1 << 20);

    test_table(broken, 0);
    test_table(secrets, 1);
    test_whole();

    sync_arena_destroy(arena);

    return done_testing();
}


static sync_rc_t
load_template(void *data, sync_arena_t *a, sync_str_t path, sync_str_t *text)
{
    (void) data;
    (void) a;
    (void) path;

    *text = sync_str_lit("{\"residency\":\"eu\"}");

    return SYNC_OK;
}


static sync_rc_t
load(sync_str_t text, sync_str_t *block, sync_error_t *err)
{
    memset(err, 0, sizeof(sync_error_t));

    return sync_doc_load(arena, str("acme"), text, &options, block, err);
}


static sync_str_t
merged(sync_str_t target, const char *patch)
{
    sync_str_t       text;
    sync_error_t     err;
    sync_value_t    *base, *over, *both;
    sync_json_out_t  out;

    if (sync_value_parse(&base, arena, target, 0, &err) != SYNC_OK
        || sync_value_parse(&over, arena, str(patch), 0, &err) != SYNC_OK)
    {
        diag("the test's own JSON: %s: %s", err.text, patch);
        exit(1);
    }

    /* order matters to what is met first: sync_value_write() keeps it */

    both = sync_value_merge(base, over);

    /* what it shares with them it keeps */

    sync_value_free(base);
    sync_value_free(over);

    sync_json_begin(&out, arena, 4096, 0);
    sync_value_write(&out, both);
    (void) sync_json_end(&out, &text);

    sync_value_free(both);

    return text;
}


static void
test_table(const broken_t *table, int no_canary)
{
    sync_rc_t        rc;
    sync_str_t       block, text;
    sync_error_t     err;
    const broken_t  *b;

    for (b = table; b->patch != NULL; b++) {
        text = merged(str(good), b->patch);

        rc = load(text, &block, &err);

        if (b->what == NULL) {
            ok(rc == SYNC_OK, "changes nothing: %.60s", b->patch);
            continue;
        }

        if (!ok(rc == SYNC_NO && err.what && strcmp(err.what, b->what) == 0
                && strstr(err.text, b->message), "%s: %s: %s", b->pointer,
                b->what, b->message))
        {
            diag("rc %d, %s: %s", rc, err.what ? err.what : "-", err.text);
        }

        is_str(err.pointer, b->pointer, "points at \"%s\"", b->pointer);

        if (no_canary) {
            ok(strstr(err.text, "canary") == NULL, "and does not tell it");
        }
    }
}


static void
test_whole(void)
{
    sync_rc_t        rc;
    sync_str_t       text, block;
    sync_error_t     err;
    const broken_t  *b;

    text = str(whole);

    for (b = later; b->patch != NULL; b++) {
        text = merged(text, b->patch);

        rc = load(text, &block, &err);

        if (!ok(rc == SYNC_NO && err.what
                && strcmp(err.what, "not-supported") == 0
                && strstr(err.text, b->message)
                && strstr(err.text, "not supported by this version"),
                "later: %s", b->message))
        {
            diag("rc %d: %s", rc, err.text);
        }

        is_str(err.pointer, b->pointer, "points at \"%s\"", b->pointer);
    }

    text = merged(text, "{\"connectors\":{\"s4\":{\"entities\":{"
                  "\"sales_order\":{\"list\":{\"query\":null}}}},"
                  "\"ecc\":{\"upstream\":\"ecc\"}}}");

    if (!ok(load(text, &block, &err) == SYNC_OK,
            "and what is left is taken"))
    {
        diag("%.*s: %s", (int) err.pointer.len, err.pointer.data, err.text);
    }

    ok(block.len < 8192, "with its template in %zu bytes", block.len);
}
