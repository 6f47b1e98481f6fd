
/*
 * Maps: texts, decimals, dates, lookups, conditions, errors.
 */


#include "map.h"


static const map_row_t  rows[] = {

    /* trim, case */

    { "{'from':'$.a','to':'/b','trim':true}", "{'a':' \\t\\u00a0x y\\n '}",
      "{'b':'x y'}", NULL, NULL, 0 },
    { "{'from':'$.a','to':'/b','trim':true}", "{'a':'  '}", "{'b':''}",
      NULL, NULL, 0 },
    { "{'from':'$.a','to':'/b','trim':true}", "{'a':'\\u0000x\\u0000'}",
      "{'b':'\\u0000x\\u0000'}", NULL, NULL, 0 },
    { "{'from':'$.a','to':'/b','trim':true}", "{'a':7.10}", "{'b':'7.10'}",
      NULL, NULL, 0 },
    { "{'from':'$.a','to':'/b','trim':true}", "{'a':[1]}", NULL, "type",
      "/a", 0 },
    { "{'from':'$.a','to':'/b','trim':true}", "{'a':null}", "{'b':null}",
      NULL, NULL, 0 },
    { "{'from':'$.a[*]','to':'/b','trim':true}", "{'a':[' x',null]}",
      "{'b':['x',null]}", NULL, NULL, 0 },
    { "{'from':'$.a','to':'/b','case':'upper'}",
      "{'a':'straße \\u00e9\xc3\xbf \xd0\xb6\xd1\x91 \xcf\x8e\xcf\x82 1'}",
      "{'b':'STRAßE \xc3\x89\xc5\xb8 \xd0\x96\xd0\x81 \xce\x8f\xce\xa3 1'}",
      NULL, NULL, 0 },
    { "{'from':'$.a','to':'/b','case':'lower'}",
      "{'a':'ÄÖ \xc5\xb8\xc5\x81\xc5\xa0 \xd0\x81\xd0\xaf \xce\x8c \xe2\x82\xac'}",
      "{'b':'äö \xc3\xbf\xc5\x82\xc5\xa1 \xd1\x91\xd1\x8f \xcf\x8c \xe2\x82\xac'}",
      NULL, NULL, 0 },
    { "{'from':'$.a','to':'/b','case':'upper','trim':true,"
      "'enum':{'EUR':'978'}}", "{'a':' eur '}", "{'b':'978'}", NULL, NULL, 0 },
    { "{'from':'$.a','to':'/b','trim':true,'type':'decimal'}",
      "{'a':' 0.10 '}", "{'b':'0.10'}", NULL, NULL, 0 },
    { "{'from':'$.a','to':'/b','trim':true,'type':'decimal'}",
      "{'a':' 0,10 '}", NULL, "type", "/a", 0 },

    /* split */

    { "{'from':'$.a','to':'/b','split':','}", "{'a':'x,,y'}",
      "{'b':['x','','y']}", NULL, NULL, 0 },
    { "{'from':'$.a','to':'/b','split':', ','type':'integer'}",
      "{'a':'1, 2'}", "{'b':[1,2]}", NULL, NULL, 0 },
    { "{'from':'$.a','to':'/b','split':';','trim':true}", "{'a':'x ; \\\"y\\\"'}",
      "{'b':['x','\\\"y\\\"']}", NULL, NULL, 0 },
    { "{'from':'$.a','to':'/b','split':','}", "{'a':''}", "{'b':['']}",
      NULL, NULL, 0 },
    { "{'from':'$.a','to':'/b','split':','}", "{}", "{}", NULL, NULL, 0 },
    { "{'from':'$.a','to':'/b','split':' ','take':0}", "{'a':'Ada Byron'}",
      "{'b':'Ada'}", NULL, NULL, 0 },
    { "{'from':'$.a','to':'/b','split':' ','take':-1}", "{'a':'Ada Byron'}",
      "{'b':'Byron'}", NULL, NULL, 0 },
    { "{'from':'$.a','to':'/b','split':' ','take':2}", "{'a':'Ada Byron'}",
      "{}", NULL, NULL, 0 },
    { "{'from':'$.a','to':'/b','split':' ','take':-3}", "{'a':'Ada Byron'}",
      "{}", NULL, NULL, 0 },
    { "{'from':'$.a','to':'/b','split':' ','take':2,'default':'-'}",
      "{'a':'Ada Byron'}", "{'b':'-'}", NULL, NULL, 0 },
    { "{'from':'$.a','to':'/b','split':' ','take':2,'required':true}",
      "{'a':'Ada Byron'}", NULL, "required", "/a", 0 },
    { "{'from':'$.a','to':'/b','split':' ','take':2,'default':'-'}",
      "{'a':'Ada Byron'}", "{}", NULL, NULL, 1 },
    { "{'from':'$.a[*]','to':'/b','split':'-','take':1}",
      "{'a':['x-1','y','z-3']}", "{'b':['1','3']}", NULL, NULL, 0 },
    { "{'from':'$.a','to':'/b/c','split':' ','take':1}", "{'a':'x'}", "{}",
      NULL, NULL, 0 },

    /* lookup */

    { "{'from':'$.a','to':'/b','lookup':{'x':{'n':0.10},'1':[2]}}",
      "{'a':'x'}", "{'b':{'n':0.10}}", NULL, NULL, 0 },
    { "{'from':'$.a','to':'/b','lookup':{'x':{'n':0.10},'1':[2]}}",
      "{'a':1}", "{'b':[2]}", NULL, NULL, 0 },
    { "{'from':'$.a','to':'/b','lookup':{'x':1}}", "{'a':'y'}", "{}",
      NULL, NULL, 0 },
    { "{'from':'$.a','to':'/b','lookup':{'x':1},'default':0}", "{'a':'y'}",
      "{'b':0}", NULL, NULL, 0 },
    { "{'from':'$.a','to':'/b','lookup':{'x':1},'otherwise':0}", "{'a':'y'}",
      "{'b':0}", NULL, NULL, 1 },
    { "{'from':'$.a','to':'/b','lookup':{'x':1},'required':true}",
      "{'a':'y'}", NULL, "required", "/a", 0 },
    { "{'from':'$.a[*]','to':'/b','lookup':{'x':1,'z':3}}",
      "{'a':['x','y','z']}", "{'b':[1,3]}", NULL, NULL, 0 },
    { "{'from':'$.a[*]','to':'/b','lookup':{'x':1},'default':0}",
      "{'a':['x','y']}", "{'b':[1,0]}", NULL, NULL, 0 },
    { "{'from':'$.a[*]','to':'/b','lookup':{'x':1},'required':true}",
      "{'a':['x','y']}", NULL, "required", "/a/1", 0 },
    { "{'from':'$.a','to':'/b','trim':true,'case':'upper','split':'|',"
      "'take':1,'lookup':{'X':1}}", "{'a':'q| x '}", "{'b':1}",
      NULL, NULL, 0 },
    { "{'from':'$.a','to':'/b','split':',','lookup':{'x':1}}", "{'a':'x,y'}",
      "{}", NULL, NULL, 0 },

    /* scale and rounding */

    { "{'from':'$.a','to':'/b','type':'decimal','scale':2}", "{'a':1.5}",
      "{'b':'1.50'}", NULL, NULL, 0 },
    { "{'from':'$.a','to':'/b','type':'number','scale':2}", "{'a':'1.500'}",
      "{'b':1.50}", NULL, NULL, 0 },
    { "{'from':'$.a','to':'/b','type':'decimal','scale':2}", "{'a':1.005}",
      NULL, "decimal", "/a", 0 },
    { "{'from':'$.a','to':'/b','type':'decimal','scale':2,'round':'half-up'}",
      "{'a':1.005}", "{'b':'1.01'}", NULL, NULL, 0 },
    { "{'from':'$.a','to':'/b','type':'decimal','scale':2,"
      "'round':'half-even'}", "{'a':'1.005'}", "{'b':'1.00'}", NULL, NULL, 0 },
    { "{'from':'$.a','to':'/b','type':'decimal','scale':2,"
      "'round':'half-even'}", "{'a':'-1.0150001'}", "{'b':'-1.02'}",
      NULL, NULL, 0 },
    { "{'from':'$.a','to':'/b','type':'decimal','scale':2,"
      "'round':'half-down'}", "{'a':1.005}", "{'b':'1.00'}", NULL, NULL, 0 },
    { "{'from':'$.a','to':'/b','type':'decimal','scale':0,'round':'up'}",
      "{'a':99.0001}", "{'b':'100'}", NULL, NULL, 0 },
    { "{'from':'$.a','to':'/b','type':'decimal','scale':1,'round':'down'}",
      "{'a':-0.09}", "{'b':'0.0'}", NULL, NULL, 0 },
    { "{'from':'$.a','to':'/b','type':'decimal','scale':0,'round':'ceiling'}",
      "{'a':-1.5}", "{'b':'-1'}", NULL, NULL, 0 },
    { "{'from':'$.a','to':'/b','type':'decimal','scale':0,'round':'floor'}",
      "{'a':-1.5}", "{'b':'-2'}", NULL, NULL, 0 },
    { "{'from':'$.a','to':'/b','type':'decimal','scale':2}", "{'a':1.25E2}",
      "{'b':'125.00'}", NULL, NULL, 0 },
    { "{'from':'$.a','to':'/b','type':'decimal','scale':2,'round':'half-up'}",
      "{'a':5E-3}", "{'b':'0.01'}", NULL, NULL, 0 },
    { "{'from':'$.a','to':'/b','type':'decimal','scale':2,'round':'half-up'}",
      "{'a':4E-3}", "{'b':'0.00'}", NULL, NULL, 0 },
    { "{'from':'$.a','to':'/b','type':'decimal','scale':2,'round':'half-up'}",
      "{'a':9E-4}", "{'b':'0.00'}", NULL, NULL, 0 },
    { "{'from':'$.a','to':'/b','type':'decimal','scale':2}",
      "{'a':123456789012345678901234567890.5}",
      "{'b':'123456789012345678901234567890.50'}", NULL, NULL, 0 },
    { "{'from':'$.a','to':'/b','type':'decimal','scale':2}", "{'a':1E1000}",
      NULL, "decimal", "/a", 0 },
    { "{'from':'$.a','to':'/b','type':'decimal','scale':2,'round':'down'}",
      "{'a':1E-6145}", NULL, "decimal", "/a", 0 },
    { "{'from':'$.a','to':'/b','type':'decimal','scale':2,'round':'down'}",
      "{'a':1E-99999999999999999999}", NULL, "decimal", "/a", 0 },
    { "{'from':'$.a','to':'/b','type':'decimal'}", "{'a':1E1000}",
      "{'b':'1E1000'}", NULL, NULL, 0 },

    /* dates */

    { "{'from':'$.a','to':'/b','type':'date-time','parse':'epoch'}",
      "{'a':1795219200}", "{'b':'2026-11-21T00:00:00Z'}", NULL, NULL, 0 },
    { "{'from':'$.a','to':'/b','type':'date-time','parse':'epoch'}",
      "{'a':'1795219200.5079'}", "{'b':'2026-11-21T00:00:00.507Z'}",
      NULL, NULL, 0 },
    { "{'from':'$.a','to':'/b','type':'date','parse':'epoch-ms'}",
      "{'a':-1}", "{'b':'1969-12-31'}", NULL, NULL, 0 },
    { "{'from':'$.a','to':'/b','type':'date','parse':'epoch'}",
      "{'a':1E9}", NULL, "date", "/a", 0 },
    { "{'from':'$.a','to':'/b','type':'date','parse':'epoch'}",
      "{'a':9007199254740993}", NULL, "date", "/a", 0 },
    { "{'from':'$.a','to':'/b','type':'date','parse':'epoch'}",
      "{'a':true}", NULL, "date", "/a", 0 },
    { "{'from':'$.a','to':'/b','type':'date'}", "{'a':1795219200}", NULL,
      "date", "/a", 0 },
    { "{'from':'$.a','to':'/b','type':'epoch'}",
      "{'a':'2026-11-21T01:00:00.9+01:00'}", "{'b':1795219200}",
      NULL, NULL, 0 },
    { "{'from':'$.a','to':'/b','type':'epoch'}", "{'a':'/Date(-1)/'}",
      "{'b':-1}", NULL, NULL, 0 },
    { "{'from':'$.a','to':'/b','type':'epoch-ms'}", "{'a':'2026-11-21'}",
      "{'b':1795219200000}", NULL, NULL, 0 },
    { "{'from':'$.a','to':'/b','type':'epoch'}",
      "{'a':'2026-11-21T00:00:00'}", NULL, "date", "/a", 0 },
    { "{'from':'$.a','to':'/b','type':'date','parse':'DD.MM.YYYY'}",
      "{'a':'21.11.2026'}", "{'b':'2026-11-21'}", NULL, NULL, 0 },
    { "{'from':'$.a','to':'/b','type':'date','parse':'MM/DD/YYYY'}",
      "{'a':'11\\/21\\/2026'}", "{'b':'2026-11-21'}", NULL, NULL, 0 },
    { "{'from':'$.a','to':'/b','type':'date','parse':'YYYYMMDD'}",
      "{'a':20261121}", "{'b':'2026-11-21'}", NULL, NULL, 0 },
    { "{'from':'$.a','to':'/b','type':'date','parse':'DD.MM.YYYY'}",
      "{'a':'31.02.2026'}", NULL, "date", "/a", 0 },
    { "{'from':'$.a','to':'/b','type':'date','parse':'DD.MM.YYYY'}",
      "{'a':'21.11.2026 '}", NULL, "date", "/a", 0 },
    { "{'from':'$.a','to':'/b','type':'date','parse':'DD-MMM-YYYY'}",
      "{'a':'21-Dec-2026'}", "{'b':'2026-12-21'}", NULL, NULL, 0 },
    { "{'from':'$.a','to':'/b','type':'date','parse':'DD-MMM-YYYY'}",
      "{'a':'21-Dez-2026'}", NULL, "date", "/a", 0 },
    { "{'from':'$.a','to':'/b','type':'date-time',"
      "'parse':'YYYYMMDDhhmmss','offset':'+01:00'}", "{'a':'20261121010203'}",
      "{'b':'2026-11-21T01:02:03+01:00'}", NULL, NULL, 0 },
    { "{'from':'$.a','to':'/b','type':'date-time',"
      "'parse':'YYYYMMDDhhmmss'}", "{'a':'20261121010203'}", NULL, "date",
      "/a", 0 },
    { "{'from':'$.a','to':'/b','type':'date-time',"
      "'parse':'YYYY-MM-DD hh:mm:ss.SSSZ'}",
      "{'a':'2026-11-21 01:02:03.040-0330'}",
      "{'b':'2026-11-21T01:02:03.040-03:30'}", NULL, NULL, 0 },
    { "{'from':'$.a','to':'/b','type':'date-time','at':'Z'}",
      "{'a':'2026-11-21T01:02:03+01:00'}", "{'b':'2026-11-21T00:02:03Z'}",
      NULL, NULL, 0 },
    { "{'from':'$.a','to':'/b','type':'date-time','offset':'+02:00'}",
      "{'a':'2026-11-21T01:02:03'}", "{'b':'2026-11-21T01:02:03+02:00'}",
      NULL, NULL, 0 },
    { "{'from':'$.a','to':'/b','format':'DD.MM.YYYY'}", "{'a':'2026-11-21'}",
      "{'b':'21.11.2026'}", NULL, NULL, 0 },
    { "{'from':'$.a','to':'/b','format':'YYYYMMDDThhmmss'}",
      "{'a':'2026-11-21T01:02:03.5+01:00'}", "{'b':'20261121T010203'}",
      NULL, NULL, 0 },
    { "{'from':'$.a','to':'/b','at':'+05:45',"
      "'format':'DD MMM YYYY hh:mm:ss.SSSZ'}", "{'a':'2026-01-21T20:00:00Z'}",
      "{'b':'22 Jan 2026 01:45:00.000+05:45'}", NULL, NULL, 0 },
    { "{'from':'$.a','to':'/b','format':'YYYY-MM-DD hhZ'}",
      "{'a':'2026-01-21T20:00:00'}", NULL, "date", "/a", 0 },
    { "{'from':'$.a','to':'/b','format':'YYYY\\'year \\\"\\'MMDD'}",
      "{'a':'2026-01-21'}", "{'b':'2026year \\\"0121'}", NULL, NULL, 0 },

    /* when */

    { "{'from':'$.a','to':'/b','when':'@.t == \\'x\\''}", "{'a':1,'t':'x'}",
      "{'b':1}", NULL, NULL, 0 },
    { "{'from':'$.a','to':'/b','when':'@.t == \\'x\\''}", "{'a':1}", "{}",
      NULL, NULL, 0 },
    { "{'constant':1,'to':'/b','when':'@.n > 9007199254740992'}",
      "{'n':9007199254740993}", "{'b':1}", NULL, NULL, 0 },
    { "{'from':'$.a','to':'/b','required':true,'when':'@.t'}", "{}", "{}",
      NULL, NULL, 0 },
    { "{'from':'$.a','to':'/b','required':true,'when':'@.t'}", "{'t':0}",
      NULL, "required", "/a", 0 },
    { "{'constant':1,'to':'/b','when':'@.t == 1'},"
      "{'constant':2,'to':'/b','when':'@.t == 2'},"
      "{'from':'$.t','to':'/b'}", "{'t':2}", "{'b':2}", NULL, NULL, 0 },
    { "{'constant':1,'to':'/b','when':'@.t == 1'},"
      "{'constant':2,'to':'/b','when':'@.t == 2'},"
      "{'from':'$.t','to':'/b'}", "{'t':7}", "{'b':7}", NULL, NULL, 0 },
    { "{'constant':1,'to':'/b','when':'@.t == 1'},"
      "{'from':'$.t','to':'/b'},{'from':'$.u','to':'/b'}", "{}", NULL,
      "compile", NULL, 0 },
    { "{'constant':1,'to':'/b','when':'@.t == 1'},"
      "{'from':'$.t','to':'/b/c'}", "{}", NULL, "compile", NULL, 0 },
    { "{'from':'$.r[*]','to':'/i','each':["
      "{'constant':'P','to':'/k','when':'@.sku'},"
      "{'constant':'T','to':'/k'}]}", "{'r':[{'sku':1},{}]}",
      "{'i':[{'k':'P'},{'k':'T'}]}", NULL, NULL, 0 }
};


#define map_of(rule)  "{'write':{'rules':[" rule "]}}"


static const map_bad_t  bad[] = {
    { map_of("{'from':'$.a','to':'/b','trim':1}"), "type",
      "/write/rules/0/trim", "true or false" },
    { map_of("{'from':'$.a','to':'/b','case':'title'}"), "value",
      "/write/rules/0/case", NULL },
    { map_of("{'from':'$.a','to':'/b','split':''}"), "type",
      "/write/rules/0/split", NULL },
    { map_of("{'from':'$.a','to':'/b','take':1}"), "conflict",
      "/write/rules/0/take", "split" },
    { map_of("{'from':'$.a','to':'/b','split':',','take':'1'}"), "type",
      "/write/rules/0/take", NULL },
    { map_of("{'constant':1,'to':'/b','trim':true}"), "conflict",
      "/write/rules/0/trim", "nothing" },
    { map_of("{'concat':['$.a'],'to':'/b','split':','}"), "conflict",
      "/write/rules/0/split", "nothing" },
    { map_of("{'from':'$.a','to':'/b','scale':2}"), "conflict",
      "/write/rules/0/scale", "decimal" },
    { map_of("{'from':'$.a','to':'/b','type':'decimal','scale':101}"),
      "value", "/write/rules/0/scale", NULL },
    { map_of("{'from':'$.a','to':'/b','type':'decimal','round':'up'}"),
      "conflict", "/write/rules/0/round", "scale" },
    { map_of("{'from':'$.a','to':'/b','type':'decimal','scale':1,"
             "'round':'half'}"), "value", "/write/rules/0/round", "half-" },
    { map_of("{'from':'$.a','to':'/b','parse':'epoch'}"), "conflict",
      "/write/rules/0/parse", "date" },
    { map_of("{'from':'$.a','to':'/b','offset':'Z'}"), "conflict",
      "/write/rules/0/offset", "date" },
    { map_of("{'from':'$.a','to':'/b','type':'date','offset':'1'}"), "value",
      "/write/rules/0/offset", "+01:00" },
    { map_of("{'from':'$.a','to':'/b','type':'date','at':'+15:00'}"),
      "value", "/write/rules/0/at", "+01:00" },
    { map_of("{'from':'$.a','to':'/b','type':'date','format':'YYYYMMDD'}"),
      "conflict", "/write/rules/0/format", NULL },
    { map_of("{'from':'$.a','to':'/b','format':'YYMMDD'}"), "value",
      "/write/rules/0/format", "YYYY" },
    { map_of("{'from':'$.a','to':'/b','format':'YYYY-MM'}"), "value",
      "/write/rules/0/format", "day" },
    { map_of("{'from':'$.a','to':'/b','format':'YYYY-MM-DD mm'}"), "value",
      "/write/rules/0/format", "hh" },
    { map_of("{'from':'$.a','to':'/b','format':'YYYY-MM-DD MM'}"), "value",
      "/write/rules/0/format", "once" },
    { map_of("{'from':'$.a','to':'/b','format':'YYYY-MM-DD \\'T'}"), "value",
      "/write/rules/0/format", NULL },
    { map_of("{'from':'$.a','to':'/b','type':'date','parse':1}"), "type",
      "/write/rules/0/parse", NULL },
    { map_of("{'from':'$.a','to':'/b','enum':{'a':1},'lookup':{'a':1}}"),
      "conflict", "/write/rules/0/lookup", NULL },
    { map_of("{'from':'$.a','to':'/b','lookup':{}}"), "type",
      "/write/rules/0/lookup", NULL },
    { map_of("{'from':'$.a','to':'/b','lookup':'plants'}"), "missing",
      "/write/rules/0/lookup", "lookups" },
    { map_of("{'from':'$.a','to':'/b','lookup':{'a':1},'type':'date'}"),
      "conflict", "/write/rules/0/type", NULL },
    { "{'lookups':1,'write':{'rules':[]}}", "type", "/lookups", NULL },
    { "{'lookups':{'p':'gone.json'},'write':{'rules':["
      "{'from':'$.a','to':'/b','lookup':'p'}]}}", "lookup", "/lookups/p",
      "no such map" },
    { "{'lookups':{'p':'torn.json'},'write':{'rules':["
      "{'from':'$.a','to':'/b','lookup':'p'}]}}", "lookup", "/lookups/p",
      "byte 5" },
    { "{'lookups':{'p':'list.json'},'write':{'rules':["
      "{'from':'$.a','to':'/b','lookup':'p'}]}}", "type", "", "list.json" },
    { map_of("{'from':'$.a','to':'/b','when':1}"), "type",
      "/write/rules/0/when", NULL },
    { map_of("{'from':'$.a','to':'/b','when':'@.a ='}"), "path",
      "/write/rules/0/when", "character" },
    { map_of("{'from':'$.a','to':'/b','when':'@.a][?@.b'}"), "path",
      "/write/rules/0/when", "one logical" },
    { map_of("{'from':'$.a','to':'/b','when':'@.a,0'}"), "path",
      "/write/rules/0/when", "one logical" },
    { map_of("{'from':'$.a','to':'/b','when':''}"), "path",
      "/write/rules/0/when", NULL }
};


#define error_of(error)  "{'write':{'rules':[]},'error':{" error "}}"


static const map_bad_t  bad_errors[] = {
    { error_of("'cod':'$.a'"), "unknown-member", "/error/cod", "\"code\"" },
    { error_of("'code':1"), "type", "/error/code", NULL },
    { error_of("'code':['$.a','b']"), "path", "/error/code/1", NULL },
    { error_of("'message':'$.a['"), "path", "/error/message", "character" },
    { error_of("'when':'@.a ='"), "path", "/error/when", NULL },
    { error_of("'business':['a']"), "missing", "/error/business", "code" },
    { error_of("'code':'$.a','business':'a'"), "type", "/error/business",
      "list" },
    { error_of("'code':'$.a','business':[true]"), "type",
      "/error/business/0", NULL },
    { error_of("'code':'$.a','business':['a'],'transient':['b','a']"),
      "conflict", "/error/transient/1", "twice" },
    { error_of("'code':'$.a','otherwise':'business'"), "conflict",
      "/error/otherwise", "when" },
    { error_of("'when':'@.a','otherwise':'bad'"), "value",
      "/error/otherwise", NULL },
    { "{'error':{}}", "missing", "", "write" },
    { "{'error':1,'write':{'rules':[]}}", "type", "/error", NULL }
};


static const struct {
    const char        *error;        /* the section */
    const char        *in;
    int                failed;
    sync_rc_t          rc;
    sync_map_class_e   class;
    const char        *code;
    const char        *message;
} errors[] = {
    { "'code':'$.c'", "{'c':1}", 0, SYNC_NO, 0, NULL, NULL },
    { "'code':'$.c'", "{'c':1}", 1, SYNC_OK, SYNC_MAP_UNCLASSED, "1", "" },
    { "", "[]", 1, SYNC_OK, SYNC_MAP_UNCLASSED, "", "" },
    { "'when':'@.c'", "{'c':null}", 0, SYNC_OK, SYNC_MAP_TECHNICAL, "", "" },
    { "'when':'@.c','otherwise':'business'", "{'c':1}", 0, SYNC_OK,
      SYNC_MAP_BUSINESS, "", "" },
    { "'when':'@.c','otherwise':'business'", "{'c':1}", 1, SYNC_OK,
      SYNC_MAP_UNCLASSED, "", "" },
    { "'when':'@.c'", "{}", 0, SYNC_NO, 0, NULL, NULL },
    { "'when':'@.c','code':'$.c','transient':[9007199254740993]",
      "{'c':9007199254740993}", 0, SYNC_OK, SYNC_MAP_TRANSIENT,
      "9007199254740993", "" },
    { "'code':['$.a','$..b'],'message':'$.m','technical':['x']",
      "{'a':'','q':[{'b':{}},{'b':'\\u0078'}],'m':'t'}", 1, SYNC_OK,
      SYNC_MAP_TECHNICAL, "x", "t" },
    { "'code':'$.a'",
      "{'a':'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
      "\xc3\xbc'}", 1, SYNC_OK, SYNC_MAP_UNCLASSED,
      "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "" }
};


static const map_file_t  files[] = {
    { "plants.json", "{'EU':{'plant':'1710'},'US':{'plant':'1010'}}" },
    { "torn.json", "{'a':" },
    { "list.json", "['a']" },
    { "base.json", "{'lookups':{'p':'plants.json'},'write':{'rules':["
      "{'constant':1,'to':'/k','when':'@.k == 1'},"
      "{'constant':2,'to':'/k'},"
      "{'from':'$.r','to':'/p','lookup':'p'}]}}" }
};


static void
test_lookups(void)
{
    gives("{'lookups':{'p':'plants.json'},'write':{'rules':["
          "{'from':'$.a','to':'/a','lookup':'p'},"
          "{'from':'$.b','to':'/b','lookup':'p','default':null}]}}",
          SYNC_MAP_WRITE, "{'a':'EU','b':'DE'}", 0,
          "{'a':{'plant':'1710'},'b':null}", "a lookup of a file");

    gives("{'lookups':{'p':{'a':1}},'read':{'rules':["
          "{'from':'$.a','to':'/a','lookup':'p'}]}}",
          SYNC_MAP_READ, "{'a':'a'}", 0, "{'a':1}",
          "a lookup is read from left to right in both directions");

    gives("{'extends':'base.json','write':{'rules':[]}}", SYNC_MAP_WRITE,
          "{'k':1,'r':'US'}", 0, "{'k':1,'p':{'plant':'1010'}}",
          "lookups and alternatives are inherited");

    gives("{'extends':'base.json','lookups':{'p':{'US':7}},"
          "'write':{'rules':[{'from':'$.q','to':'/k','when':'@.q'},"
          "{'constant':0,'to':'/k'}]}}", SYNC_MAP_WRITE,
          "{'k':1,'r':'US'}", 0, "{'k':0,'p':7}",
          "alternatives of an extended map are replaced together");
}


static void
test_errors(void)
{
    char              text[512];
    size_t            i;
    sync_rc_t         rc;
    uint64_t          work;
    sync_map_t       *map;
    sync_json_t       json;
    sync_map_error_t  error;

    for (i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        snprintf(text, sizeof(text), error_of("%s"), errors[i].error);

        map = compile(quoted(text));
        work = 1000;

        ok(map != NULL && sync_map_has_error(map)
           && sync_json_parse(&json, arena, quoted(errors[i].in), NULL, NULL)
              == SYNC_OK, "an error section: %s", errors[i].error);

        rc = sync_map_error(map, &json, errors[i].failed, arena, &work,
                            &error);

        is_int(rc, errors[i].rc, "%s of %s", errors[i].error, errors[i].in);

        if (rc != SYNC_OK) {
            continue;
        }

        is_int(error.class, errors[i].class, "its class");
        is_str(error.code, errors[i].code, "its code");
        is_str(error.message, errors[i].message, "its message");
    }

    map = compile(quoted(error_of("'when':'@..c'")));
    work = 3;

    sync_json_parse(&json, arena, quoted("{'a':[1,2,3,4,5,6]}"), NULL, NULL);
    is_int(sync_map_error(map, &json, 0, arena, &work, &error), SYNC_NO,
           "a condition that takes too much work");
    is_int(work, 0, "says so");

    ok(!sync_map_has_error(compile(one_rule("{'constant':1,'to':'/a'}"))),
       "a map without the section");
}


static void
test_bounds(void)
{
    size_t          i;
    uint64_t        work;
    sync_str_t      out, in;
    sync_map_t     *map;
    sync_json_t     json;
    sync_faults_t   faults;
    sync_map_run_t  how;

    map = compile(one_rule("{'from':'$.a','to':'/b','split':','}"));

    in.len = 100008;
    in.data = sync_alloc(arena, in.len);

    memcpy(in.data, "{\"a\":\"", 6);
    memset(in.data + 6, ',', in.len - 8);
    memcpy(in.data + in.len - 2, "\"}", 2);

    ok(sync_json_parse(&json, arena, in, NULL, NULL) == SYNC_OK, "commas");

    for (i = 0; i < 2; i++) {
        memset(&how, 0, sizeof(sync_map_run_t));
        work = i ? 10000 : 10000000;
        how.work = &work;
        sync_faults_init(&faults, arena);

        is_int(sync_map_run(map, SYNC_MAP_WRITE, &json, 0, &how, arena, &out,
                            &faults), i ? SYNC_NO : SYNC_OK,
               "100,000 pieces %s", i ? "are work" : "with work enough");
    }

    ok(faults.count
       && strcmp(faults.list[faults.count - 1].what, "too-much-work") == 0,
       "and that is said");
}


int
main(void)
{
    arena = sync_arena_create(65536);

    library = files;
    library_size = sizeof(files) / sizeof(files[0]);

    test_rows(rows, sizeof(rows) / sizeof(rows[0]));
    test_bad(bad, sizeof(bad) / sizeof(bad[0]));
    test_bad(bad_errors, sizeof(bad_errors) / sizeof(bad_errors[0]));
    test_lookups();
    test_errors();
    test_bounds();

    sync_arena_destroy(arena);

    return done_testing();
}
