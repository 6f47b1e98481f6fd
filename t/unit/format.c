
/*
 * Formats by name and media type; what answers say, the envelope of JSON-RPC,
 * and bodies that a document says.
 */


#include "sync_format.h"
#include "sync_body.h"
#include "text.h"


#define S11  "http://schemas.xmlsoap.org/soap/envelope/"
#define S12  "http://www.w3.org/2003/05/soap-envelope"


/* In JSON "'" stands for a double quote.  code NULL: it is no error. */

typedef struct {
    sync_format_e  format;
    const char    *json;
    const char    *code;
    const char    *message;
    sync_answer_e  kind;
    const char    *root;
} answer_row_t;


static const answer_row_t  answers[] = {

    /* JSON and XML have no errors of their own */

    { SYNC_FORMAT_JSON, "{'error':{'code':1}}", NULL, NULL, 0,
      "{'error':{'code':1}}" },
    { SYNC_FORMAT_XML, "{'Fault':'x'}", NULL, NULL, 0, "{'Fault':'x'}" },

    /* SOAP 1.1 */

    { SYNC_FORMAT_SOAP_11, "{'R':'1'}", NULL, NULL, 0, "{'R':'1'}" },
    { SYNC_FORMAT_SOAP_11, "{'Fault':'1'}", NULL, NULL, 0, "{'Fault':'1'}" },
    { SYNC_FORMAT_SOAP_11, "{'Fault':{'@xmlns':'urn:x'}}", NULL, NULL, 0,
      "{'Fault':{'@xmlns':'urn:x'}}" },
    { SYNC_FORMAT_SOAP_11, "{'Fault':{'@xmlns':'" S11 "','@xmlns:in':'',"
      "'faultcode':'s:Client','faultstring':'no such customer'}}", "Client",
      "no such customer", SYNC_ANSWER_REFUSED, NULL },
    { SYNC_FORMAT_SOAP_11, "{'Fault':{'@xmlns':'" S11 "','faultcode':"
      "'Client.Auth','faultstring':{'@xml:lang':'en','#text':'no'}}}",
      "Client.Auth", "no", SYNC_ANSWER_REFUSED, NULL },
    { SYNC_FORMAT_SOAP_11, "{'Fault':{'@xmlns':'" S11 "','faultcode':"
      "'soap:Server','faultstring':'boom'}}", "Server", "boom",
      SYNC_ANSWER_BROKEN, NULL },
    { SYNC_FORMAT_SOAP_11, "{'Fault':{'@xmlns':'" S11 "','faultcode':"
      "'x:Clientele'}}", "Clientele", "", SYNC_ANSWER_BROKEN, NULL },
    { SYNC_FORMAT_SOAP_11, "{'Fault':{'@xmlns':'" S11 "','faultcode':"
      "'s:MustUnderstand'}}", "MustUnderstand", "", SYNC_ANSWER_REFUSED,
      NULL },

    /* SOAP 1.2 */

    { SYNC_FORMAT_SOAP_12, "{'Fault':{'@xmlns':'" S12 "','Code':{'Value':"
      "'e:Sender'},'Reason':{'Text':{'@xml:lang':'en','#text':'no'}}}}",
      "Sender", "no", SYNC_ANSWER_REFUSED, NULL },
    { SYNC_FORMAT_SOAP_12, "{'Fault':{'@xmlns':'" S12 "','Code':{'Value':"
      "'e:Sender','Subcode':{'Value':'m:NoCredit'}},'Reason':{'Text':["
      "{'@xml:lang':'en','#text':'no credit'},{'@xml:lang':'de','#text':"
      "'kein Kredit'}]}}}", "NoCredit", "no credit", SYNC_ANSWER_REFUSED,
      NULL },
    { SYNC_FORMAT_SOAP_12, "{'Fault':{'@xmlns':'" S12 "','Code':{'Value':"
      "'e:Receiver'},'Reason':{'Text':'boom'}}}", "Receiver", "boom",
      SYNC_ANSWER_BROKEN, NULL },
    { SYNC_FORMAT_SOAP_12, "{'Fault':{'@xmlns':'" S12 "'}}", "", "",
      SYNC_ANSWER_BROKEN, NULL },

    /* JSON-RPC, as it is specified, and as Odoo and Tryton speak it */

    { SYNC_FORMAT_JSON_RPC, "{'jsonrpc':'2.0','id':1,'result':{'a':0.10}}",
      NULL, NULL, 0, "{'a':0.10}" },
    { SYNC_FORMAT_JSON_RPC, "{'id':1,'result':null}", NULL, NULL, 0, "null" },
    { SYNC_FORMAT_JSON_RPC, "{'id':1,'result':[7],'error':null}", NULL, NULL,
      0, "[7]" },
    { SYNC_FORMAT_JSON_RPC, "{'id':1,'error':{'code':-32602,'message':"
      "'Invalid params'}}", "-32602", "Invalid params", SYNC_ANSWER_REFUSED,
      NULL },
    { SYNC_FORMAT_JSON_RPC, "{'id':1,'error':{'code':-32603,'message':'x'}}",
      "-32603", "x", SYNC_ANSWER_BROKEN, NULL },
    { SYNC_FORMAT_JSON_RPC, "{'id':1,'error':{'code':-32000,'message':'x'}}",
      "-32000", "x", SYNC_ANSWER_BROKEN, NULL },
    { SYNC_FORMAT_JSON_RPC, "{'id':1,'error':{'code':-32100,'message':'x'}}",
      "-32100", "x", SYNC_ANSWER_REFUSED, NULL },
    { SYNC_FORMAT_JSON_RPC, "{'id':1,'error':{'code':200,'message':"
      "'Odoo Server Error','data':{'name':'odoo.exceptions.ValidationError',"
      "'message':'Missing customer'}}}", "odoo.exceptions.ValidationError",
      "Missing customer", SYNC_ANSWER_REFUSED, NULL },
    { SYNC_FORMAT_JSON_RPC, "{'id':1,'error':['UserError',['No stock',''],"
      "null]}", "UserError", "No stock", SYNC_ANSWER_REFUSED, NULL },
    { SYNC_FORMAT_JSON_RPC, "{'id':1,'error':'no'}", "", "",
      SYNC_ANSWER_REFUSED, NULL },
    { SYNC_FORMAT_JSON_RPC, "{'id':1,'error':[]}", "", "",
      SYNC_ANSWER_REFUSED, NULL },
    { SYNC_FORMAT_JSON_RPC, "{'id':1}", "", "", SYNC_ANSWER_STRANGE, NULL },
    { SYNC_FORMAT_JSON_RPC, "[]", "", "", SYNC_ANSWER_STRANGE, NULL },

    /* OData */

    { SYNC_FORMAT_ODATA_V2, "{'d':{'a':1}}", NULL, NULL, 0, "{'d':{'a':1}}" },
    { SYNC_FORMAT_ODATA_V2, "{'error':{'code':'V1/042','message':{'lang':"
      "'en','value':'Customer is blocked'}}}", "V1/042",
      "Customer is blocked", SYNC_ANSWER_FAILED, NULL },
    { SYNC_FORMAT_ODATA_V4, "{'error':{'code':'0x80040217','message':"
      "'account Does Not Exist'}}", "0x80040217", "account Does Not Exist",
      SYNC_ANSWER_FAILED, NULL },
    { SYNC_FORMAT_ODATA_V4, "{'error':'x'}", NULL, NULL, 0, "{'error':'x'}" },
    { SYNC_FORMAT_ODATA_V4, "{'error':{}}", "", "", SYNC_ANSWER_FAILED,
      NULL },
};


/* A body, what it uses, and what is made of it; text NULL: what is refused. */

typedef struct {
    const char  *body;
    unsigned     uses;
    const char  *text;
    const char  *what;
} body_row_t;


static const body_row_t  bodies[] = {

    { "{'a':[1,0.10,true,null,'x']}", 0, "{'a':[1,0.10,true,null,'x']}",
      NULL },
    { "'{payload}'", SYNC_BODY_MAPPED, "{'m':0.10}", NULL },
    { "{'args':['db',2,['{payload}']]}", SYNC_BODY_MAPPED,
      "{'args':['db',2,[{'m':0.10}]]}", NULL },
    { "{'i':'{id}','n':'{id:number}'}", SYNC_BODY_ID, "{'i':'42','n':42}",
      NULL },
    { "['{idempotency_key}','secret:k']", SYNC_BODY_KEY|SYNC_BODY_SECRET,
      "['key-1','s\\\"1']", NULL },
    { "['{/order_number}','{/n/0}']", SYNC_BODY_PAYLOAD, "['7',1E400]", NULL },
    { "['x{id}','{id} ','{urn:x}T','{}','{','{ID}']", 0,
      "['x{id}','{id} ','{urn:x}T','{}','{','{ID}']", NULL },
    { "{'{id}':1}", 0, "{'{id}':1}", NULL },
    { "'{/gone}'", SYNC_BODY_PAYLOAD, NULL, "no-value" },
    { "'secret:none'", SYNC_BODY_SECRET, NULL, "no-secret" },
};


static sync_arena_t  *arena;


static sync_str_t
str(const char *s)
{
    return quoted(arena, s);
}


static const char *
c_str(const char *s)
{
    return (const char *) str(s).data;
}


static void
read_tape(sync_json_t *json, const char *text)
{
    is_int(tape(json, arena, str(text)), SYNC_OK, "%s", text);
}


static void
test_answers(void)
{
    size_t                i;
    uint32_t              root;
    sync_rc_t             rc;
    sync_json_t           t;
    const answer_row_t   *a;
    sync_answer_error_t   error;

    for (i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        a = &answers[i];

        read_tape(&t, a->json);

        rc = sync_format_answer(a->format, &t, arena, &root, &error);

        if (a->code == NULL) {
            is_int(rc, SYNC_OK, "%s is no error", a->json);

            if (rc == SYNC_OK) {
                is_str(sync_json_raw(&t, root), c_str(a->root),
                       "%s: its payload", a->json);
            }

            continue;
        }

        is_int(rc, SYNC_NO, "%s is an error", a->json);
        is_str(error.code, a->code, "%s: its code", a->json);
        is_str(error.message, a->message, "%s: its message", a->json);
        is_int(error.kind, a->kind, "%s: its kind", a->json);
    }
}


static void
test_rpc(void)
{
    size_t               i;
    uint32_t             params, id;
    sync_str_t           text;
    sync_json_t          t;
    sync_error_t         err;
    static const char   *calls[] = {
        "[]", "{}", "{'jsonrpc':'2.0','id':1}",
        "{'jsonrpc':'1.0','method':'m','id':1}",
        "{'jsonrpc':2.0,'method':'m','id':1}",
        "{'jsonrpc':'2.0','method':1,'id':1}",
        "{'jsonrpc':'2.0','method':'m'}",
        "{'jsonrpc':'2.0','method':'m','id':null}",
        "{'jsonrpc':'2.0','method':'m','id':[1]}"
    };

    read_tape(&t, "{'a':0.10}");
    is_int(sync_rpc_request(arena, str("call"), &t, str("id-1"), 0, &text),
           SYNC_OK, "a call");
    is_str(text, c_str("{'jsonrpc':'2.0','method':'call','params':"
                       "{'a':0.10},'id':'id-1'}"), "as it is specified");

    is_int(sync_rpc_result(arena, str("[1]"), str("7"), 0, &text), SYNC_OK,
           "a result");
    is_str(text, c_str("{'jsonrpc':'2.0','result':[1],'id':7}"),
           "as it is specified");
    (void) sync_rpc_result(arena, str(""), str("'x'"), 0, &text);
    is_str(text, c_str("{'jsonrpc':'2.0','result':null,'id':'x'}"),
           "nothing is null");
    is_int(sync_rpc_request(arena, str("call"), &t, str("x"), 20, &text),
           SYNC_NO, "over the bytes");

    read_tape(&t, "[{'#0':0,'#1':{'#0':{'b':[{'#0':1}]}},'#2':null},{'#1':1},"
             "{'#0':1,'x':2},{},{'#0':1,'#2':2},{'#':1}]");
    (void) sync_rpc_request(arena, str("m"), &t, str("x"), 0, &text);
    is_str(text, c_str("{'jsonrpc':'2.0','method':'m','params':"
                       "[[0,[{'b':[[1]]}],null],{'#1':1},{'#0':1,'x':2},{},"
                       "{'#0':1,'#2':2},{'#':1}],'id':'x'}"),
           "positions become lists, and nothing else does");

    read_tape(&t, "{'jsonrpc':'2.0','method':'m','params':{'a':1},'id':'x'}");
    is_int(sync_rpc_parse(&t, &params, &id, &err), SYNC_OK, "a call is read");
    is_str(sync_json_raw(&t, params), c_str("{'a':1}"), "its parameters");
    is_str(sync_json_raw(&t, id), c_str("'x'"), "its id");

    read_tape(&t, "{'id':1.5,'method':'m','jsonrpc':'2.0'}");
    is_int(sync_rpc_parse(&t, &params, &id, &err), SYNC_OK,
           "a call without parameters");
    is_int(params, SYNC_JSON_NONE, "has none");

    for (i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        read_tape(&t, calls[i]);
        is_int(sync_rpc_parse(&t, &params, &id, &err), SYNC_NO,
               "%s is no call", calls[i]);
        ok(strcmp(err.what, "envelope") == 0, "says so");
    }
}


static sync_rc_t
secret(void *data, sync_str_t name, sync_str_t *value)
{
    (void) data;

    *value = sync_str_lit("s\"1");

    return sync_str_is(name, "k") ? SYNC_OK : SYNC_NO;
}


static void
test_bodies(void)
{
    size_t               i;
    unsigned             uses;
    sync_rc_t            rc;
    sync_str_t           text;
    sync_json_t          t, payload;
    sync_error_t         err;
    const body_row_t    *b;
    sync_body_values_t   values;
    static const char   *ids[] = {
        "", "0x1", "-1", "1.0", "007", "1 ", "1,2", "9999999999999999999"
    };

    memset(&values, 0, sizeof(values));

    read_tape(&payload, "{'order_number':'7','n':[1E400]}");

    values.id = str("42");
    values.idempotency_key = str("key-1");
    values.mapped = str("{'m':0.10}");
    values.payload = &payload;
    values.secret = secret;

    for (i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        b = &bodies[i];

        read_tape(&t, b->body);
        is_int(sync_body_check(&t, arena, &uses, &err), SYNC_OK,
               "%s is a body", b->body);
        is_int(uses, b->uses, "%s: what it uses", b->body);

        rc = sync_body_render(&t, &values, arena, 0, &text, &err);

        if (b->text) {
            is_int(rc, SYNC_OK, "%s is written", b->body);
            is_str(text, c_str(b->text), "%s: as it should be", b->body);

        } else {
            ok(rc == SYNC_NO && strcmp(err.what, b->what) == 0,
               "%s is refused: %s (%s)", b->body, b->what, err.what);
        }
    }


    read_tape(&t, "['{/gone}']");
    (void) sync_body_render(&t, &values, arena, 0, &text, &err);
    is_str(err.pointer, "/gone", "the pointer of what is not there");

    read_tape(&t, "{'a':['{id}','{ids}']}");
    is_int(sync_body_check(&t, arena, &uses, &err), SYNC_NO,
           "a placeholder that is none");
    is_str(err.pointer, "/a/1", "and where");

    read_tape(&t, "'{id:number}'");

    for (i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        values.id = str(ids[i]);
        rc = sync_body_render(&t, &values, arena, 0, &text, &err);
        ok(rc == SYNC_NO && strcmp(err.what, "bad-value") == 0,
           "\"%s\" is no number", ids[i]);
    }

    values.id = str("0");
    is_int(sync_body_render(&t, &values, arena, 0, &text, &err), SYNC_OK,
           "0 is one");

    values.mapped = sync_str_null;
    read_tape(&t, "'{payload}'");
    is_int(sync_body_render(&t, &values, arena, 0, &text, &err), SYNC_NO,
           "no payload");

    values.mapped = str("'12345'");
    is_int(sync_body_render(&t, &values, arena, 6, &text, &err), SYNC_NO,
           "over the bytes");
    ok(strcmp(err.what, "too-large") == 0, "says so");
}


static void
test_names(void)
{
    int            f;
    sync_str_t     name;
    sync_format_e  format;

    for (f = 0; f < SYNC_FORMATS; f++) {
        name = sync_format_name((sync_format_e) f);
        format = sync_format_by_name(name);
        is_int(format, f, "%.*s has its name", (int) name.len, name.data);
    }

    is_int(sync_format_by_name(str("yaml")), SYNC_FORMATS, "yaml is none");

    ok(sync_format_takes(SYNC_FORMAT_JSON, str("application/json"))
       && sync_format_takes(SYNC_FORMAT_JSON, str("application/x.y+json"))
       && !sync_format_takes(SYNC_FORMAT_JSON, str("+json"))
       && !sync_format_takes(SYNC_FORMAT_JSON, str("text/json"))
       && !sync_format_takes(SYNC_FORMAT_JSON, str("")), "JSON's types");
    ok(sync_format_takes(SYNC_FORMAT_XML, str("text/xml"))
       && sync_format_takes(SYNC_FORMAT_XML, str("application/x+xml"))
       && !sync_format_takes(SYNC_FORMAT_XML, str("text/html")),
       "XML's types");
    ok(sync_format_takes(SYNC_FORMAT_SOAP_11, str("text/xml"))
       && !sync_format_takes(SYNC_FORMAT_SOAP_11,
                             str("application/soap+xml"))
       && sync_format_takes(SYNC_FORMAT_SOAP_12, str("application/soap+xml"))
       && !sync_format_takes(SYNC_FORMAT_SOAP_12, str("text/xml")),
       "each SOAP has its own");
    ok(sync_format_takes(SYNC_FORMAT_CSV, str("text/csv"))
       && sync_format_takes(SYNC_FORMAT_FORM,
                            str("application/x-www-form-urlencoded"))
       && !sync_format_takes(SYNC_FORMAT_FORM, str("multipart/form-data")),
       "CSV's and forms'");

    ok(sync_format_is_json(SYNC_FORMAT_JSON)
       && sync_format_is_json(SYNC_FORMAT_ODATA_V2)
       && sync_format_is_json(SYNC_FORMAT_ODATA_V4)
       && sync_format_is_json(SYNC_FORMAT_JSON_RPC)
       && !sync_format_is_json(SYNC_FORMAT_CSV)
       && !sync_format_is_json(SYNC_FORMAT_FORM)
       && !sync_format_is_json(SYNC_FORMAT_SOAP_12), "which are JSON");
}


/* A block of a page, without the fence; the end of it, or NULL. */

static char *
block(char *p, const char *fence, sync_str_t *text)
{
    char  *end;

    p = strstr(p, fence);

    if (p == NULL || (end = strstr(p + 3, "\n```\n")) == NULL) {
        return NULL;
    }

    text->data = (unsigned char *) strchr(p, '\n') + 1;
    text->len = (size_t) ((unsigned char *) end - text->data);

    return end;
}


/* JSON without its white space. */

static sync_str_t
squeezed(sync_str_t text)
{
    sync_json_t         t;
    sync_error_t        err;
    sync_json_limits_t  limits;
    sync_body_values_t  values;

    memset(&limits, 0, sizeof(limits));
    memset(&values, 0, sizeof(values));

    ok(sync_json_parse(&t, arena, text, &limits, &err) == SYNC_OK
       && sync_body_render(&t, &values, arena, 0, &text, &err) == SYNC_OK,
       "an example is JSON");

    return text;
}


static int
test_pair(sync_format_e format, sync_str_t text, sync_str_t want)
{
    int                    good;
    sync_str_t             json, name;
    sync_json_t            t;
    sync_error_t           err;
    sync_json_limits_t     bounds;
    sync_format_limits_t   limits;
    static sync_str_t      lists[] = { sync_string("Sku") };

    memset(&bounds, 0, sizeof(bounds));
    memset(&limits, 0, sizeof(limits));

    if (memcmp(want.data - 6, "lists\n", 6) == 0) {
        limits.lists = lists;
        limits.nlists = 1;
    }

    name = sync_format_name(format);
    want = squeezed(want);

    good = ok(sync_format_read(format, arena, text, &limits, &json, &err)
              == SYNC_OK && sync_str_eq(json, want),
              "%.*s as the page says", (int) name.len, name.data);

    if (!good) {
        tap_show("page", want);
        return 0;
    }

    (void) sync_json_parse(&t, arena, json, &bounds, &err);

    return ok(sync_format_write(format, &t, 0, arena, 0, &text, &err)
              == SYNC_OK
              && sync_format_read(format, arena, text, &limits, &json, &err)
                 == SYNC_OK
              && sync_str_eq(json, want), "and it comes back");
}


/* Each pair of docs/formats.md: read, written, read. */

static void
test_docs(void)
{
    int          pairs;
    char        *page, *p, *next;
    FILE        *f;
    size_t       i, len;
    sync_str_t   text, want;

    static const struct {
        const char    *fence;
        sync_format_e  format;
    } kinds[] = {
        { "```xml\n", SYNC_FORMAT_XML },
        { "```soap\n", SYNC_FORMAT_SOAP_11 },
        { "```csv\n", SYNC_FORMAT_CSV },
        { "```form\n", SYNC_FORMAT_FORM }
    };

    f = fopen("docs/formats.md", "rb");

    if (f == NULL) {
        skip("docs/formats.md: run from the top of the project");
        return;
    }

    page = sync_alloc(arena, 64 * 1024);
    len = fread(page, 1, 64 * 1024 - 1, f);
    page[len] = '\0';

    fclose(f);

    pairs = 0;

    for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {

        for (p = page; (p = block(p, kinds[i].fence, &text)) != NULL;
             p = next)
        {
            next = block(p, "```json read", &want);

            if (!ok(next != NULL, "an example has its JSON")) {
                return;
            }

            pairs += test_pair(kinds[i].format, text, want);
        }
    }

    is_int(pairs, 6, "pairs of docs/formats.md");
}


int
main(void)
{
    arena = sync_arena_create(0);

    test_names();
    test_answers();
    test_rpc();
    test_bodies();
    test_docs();

    sync_arena_destroy(arena);

    return done_testing();
}
