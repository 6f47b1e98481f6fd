
/*
 * Maps: steps, sections, envelopes, x-ext, inheritance, refusals, bounds, and
 * the maps that are shipped.
 */


#include "map.h"
#include "sync_fields.h"


static const map_row_t  rows[] = {

    /* as sent */

    { "{'from':'$.a','to':'/b'}", "{'a':9007199254740993}",
      "{'b':9007199254740993}", NULL, NULL, 0 },
    { "{'from':'$.a','to':'/b'}", "{'a':0.10}", "{'b':0.10}", NULL, NULL, 0 },
    { "{'from':'$.a','to':'/b'}", "{'a':123456789012345678901234567890.5}",
      "{'b':123456789012345678901234567890.5}", NULL, NULL, 0 },
    { "{'from':'$.a','to':'/b'}", "{'a':{'x':[1E400,-0.0]}}",
      "{'b':{'x':[1E400,-0.0]}}", NULL, NULL, 0 },
    { "{'from':'$.a','to':'/b'}", "{'a':'\\u00e9\\/\\n'}",
      "{'b':'\\u00e9\\/\\n'}", NULL, NULL, 0 },
    { "{'from':'$.a','to':'/b'}", "{'\\u0061':1}", "{'b':1}", NULL, NULL, 0 },
    { "{'from':'$.a','to':'/b'}", "{}", "{}", NULL, NULL, 0 },
    { "{'from':'$.a','to':'/b'}", "{'a':null}", "{'b':null}", NULL, NULL, 0 },
    { "{'from':'$','to':'/b'}", "{'a':1}", "{'b':{'a':1}}", NULL, NULL, 0 },
    { "{'from':'$.a.b.c','to':'/x/y/z'}", "{'a':{'b':{'c':1}}}",
      "{'x':{'y':{'z':1}}}", NULL, NULL, 0 },
    { "{'from':'$.a.b','to':'/x/y'}", "{'a':[1]}", "{}", NULL, NULL, 0 },
    { "{'from':'$[\\'a b\\'][\\\"c/d\\\"]','to':'/e~1f/g~0h'}",
      "{'a b':{'c/d':1}}", "{'e/f':{'g~h':1}}", NULL, NULL, 0 },
    { "{'from':'$.a','to':'/'}", "{'a':1}", "{'':1}", NULL, NULL, 0 },
    { "{'from':'$.a','to':'/\\u0022'}", "{'a':1}", "{'\\\"':1}",
      NULL, NULL, 0 },

    /* first with a value; a null only where nothing else is */

    { "{'from':['$.a','$.b'],'to':'/c'}", "{'b':2}", "{'c':2}", NULL, NULL, 0 },
    { "{'from':['$.a','$.b'],'to':'/c'}", "{'b':2,'a':1}", "{'c':1}",
      NULL, NULL, 0 },
    { "{'from':['$.a','$.b'],'to':'/c'}", "{'a':null,'b':2}", "{'c':2}",
      NULL, NULL, 0 },
    { "{'from':['$.a','$.b'],'to':'/c'}", "{'a':null}", "{'c':null}",
      NULL, NULL, 0 },

    /* queries beyond a chain of names */

    { "{'from':'$.a[1].b','to':'/c'}", "{'a':[0,{'b':0.10}]}",
      "{'c':0.10}", NULL, NULL, 0 },
    { "{'from':'$.a[1].b','to':'/c','required':true}", "{'a':[]}", NULL,
      "required", "/a", 0 },
    { "{'from':'$.a[*]','to':'/c','type':'string'}", "{'a':[1,'b',0.10]}",
      "{'c':['1','b','0.10']}", NULL, NULL, 0 },
    { "{'from':'$.a[*]','to':'/c'}", "{'a':[]}", "{'c':[]}", NULL, NULL, 0 },
    { "{'from':'$.a[*]','to':'/c'}", "{'a':{}}", NULL, "type", "/a", 0 },
    { "{'from':'$.a[*].b','to':'/c'}", "{'a':[{'b':null},{},{'b':2}]}",
      "{'c':[null,2]}", NULL, NULL, 0 },
    { "{'from':'$..b','to':'/c'}", "{'a':{'b':1},'b':2}", "{'c':[2,1]}",
      NULL, NULL, 0 },
    { "{'from':'$.a[?@.k==1].v','to':'/c'}",
      "{'a':[{'k':1,'v':'x'},{'k':2,'v':'y'}]}", "{'c':['x']}",
      NULL, NULL, 0 },

    /* the root may be a list, for those who ask so */

    { "{'from':'$[0].a','to':'/b'}", "[{'a':1}]", "{'b':1}", NULL, NULL, 0 },
    { "{'from':'$[0].a','to':'/b'}", "[]", "{}", NULL, NULL, 0 },
    { "{'from':'$[*].a','to':'/b'}", "[{'a':1},{'a':2}]", "{'b':[1,2]}",
      NULL, NULL, 0 },
    { "{'from':'$.a','to':'/b'}", "[{'a':1}]", NULL, "type", "", 0 },

    /* default, required */

    { "{'from':'$.a','to':'/b','default':0.10}", "{}", "{'b':0.10}",
      NULL, NULL, 0 },
    { "{'from':'$.a','to':'/b','default':'x'}", "{'a':null}", "{'b':'x'}",
      NULL, NULL, 0 },
    { "{'from':'$.a','to':'/b','default':'x'}", "{}", "{}", NULL, NULL, 1 },
    { "{'from':'$.a','to':'/b','default':'x'}", "{'a':null}", "{'b':null}",
      NULL, NULL, 1 },
    { "{'from':'$.a','to':'/b','required':true}", "{}", NULL, "required",
      "/a", 0 },
    { "{'from':'$.a','to':'/b','required':true}", "{'a':null}", NULL,
      "required", "/a", 0 },
    { "{'from':'$.a','to':'/b','required':true}", "{}", "{}", NULL, NULL, 1 },
    { "{'from':'$.a.b~c','to':'/b'}", "{}", NULL, "compile", NULL, 0 },
    { "{'from':'$.a[\\'b~/c\\']','to':'/b','required':true}", "{'a':{}}",
      NULL, "required", "/a/b~0~1c", 0 },
    { "{'from':'$.a','to':'/b','default':'x','required':true}", "{}",
      "{'b':'x'}", NULL, NULL, 0 },

    /* a null in place of an object clears all below, in an update */

    { "{'from':'$.a.b','to':'/c'}", "{'a':null}", "{'c':null}",
      NULL, NULL, 1 },
    { "{'from':'$.a.b','to':'/c'}", "{'a':null}", "{}", NULL, NULL, 0 },

    /* enum */

    { "{'from':'$.a','to':'/b','enum':{'x':'y','1':2,'true':null}}",
      "{'a':'x'}", "{'b':'y'}", NULL, NULL, 0 },
    { "{'from':'$.a','to':'/b','enum':{'x':'y','1':2,'true':null}}",
      "{'a':1}", "{'b':2}", NULL, NULL, 0 },
    { "{'from':'$.a','to':'/b','enum':{'x':'y','1':2,'true':null}}",
      "{'a':true}", "{'b':null}", NULL, NULL, 0 },
    { "{'from':'$.a','to':'/b','enum':{'x':'y'}}", "{'a':'\\u0078'}",
      "{'b':'y'}", NULL, NULL, 0 },
    { "{'from':'$.a','to':'/b','enum':{'x':'y'}}", "{'a':'X'}", NULL, "enum",
      "/a", 0 },
    { "{'from':'$.a','to':'/b','enum':{'x':'y'},'otherwise':'z'}",
      "{'a':'X'}", "{'b':'z'}", NULL, NULL, 0 },
    { "{'from':'$.a','to':'/b','enum':{'x':'y'}}", "{'a':null}", "{'b':null}",
      NULL, NULL, 0 },
    { "{'from':'$.a','to':'/b','enum':{'x':'y'}}", "{'a':['x']}", NULL,
      "type", "/a", 0 },
    { "{'from':'$.a','to':'/b','enum':[['x','y'],[1,true]]}", "{'a':1}",
      "{'b':true}", NULL, NULL, 0 },

    /* type */

    { "{'from':'$.a','to':'/b','type':'string'}", "{'a':0.10}",
      "{'b':'0.10'}", NULL, NULL, 0 },
    { "{'from':'$.a','to':'/b','type':'string'}", "{'a':true}",
      "{'b':'true'}", NULL, NULL, 0 },
    { "{'from':'$.a','to':'/b','type':'string'}", "{'a':'x\\\"y'}",
      "{'b':'x\\\"y'}", NULL, NULL, 0 },
    { "{'from':'$.a','to':'/b','type':'string'}", "{'a':{}}", NULL, "type",
      "/a", 0 },
    { "{'from':'$.a','to':'/b','type':'number'}", "{'a':'0.10'}",
      "{'b':0.10}", NULL, NULL, 0 },
    { "{'from':'$.a','to':'/b','type':'number'}",
      "{'a':'123456789012345678901234567890.5'}",
      "{'b':123456789012345678901234567890.5}", NULL, NULL, 0 },
    { "{'from':'$.a','to':'/b','type':'number'}", "{'a':-1e5}", "{'b':-1e5}",
      NULL, NULL, 0 },
    { "{'from':'$.a','to':'/b','type':'number'}", "{'a':'007'}", NULL, "type",
      "/a", 0 },
    { "{'from':'$.a','to':'/b','type':'number'}", "{'a':'1,5'}", NULL, "type",
      "/a", 0 },
    { "{'from':'$.a','to':'/b','type':'number'}", "{'a':''}", NULL, "type",
      "/a", 0 },
    { "{'from':'$.a','to':'/b','type':'number'}", "{'a':'1\\n'}", NULL, "type",
      "/a", 0 },
    { "{'from':'$.a','to':'/b','type':'number'}", "{'a':true}", NULL, "type",
      "/a", 0 },
    { "{'from':'$.a','to':'/b','type':'integer'}",
      "{'a':'9007199254740993'}", "{'b':9007199254740993}", NULL, NULL, 0 },
    { "{'from':'$.a','to':'/b','type':'integer'}", "{'a':1.0}", NULL, "type",
      "/a", 0 },
    { "{'from':'$.a','to':'/b','type':'boolean'}", "{'a':'false'}",
      "{'b':false}", NULL, NULL, 0 },
    { "{'from':'$.a','to':'/b','type':'boolean'}", "{'a':1}", NULL, "type",
      "/a", 0 },
    { "{'from':'$.a','to':'/b','type':'decimal'}", "{'a':0.10}",
      "{'b':'0.10'}", NULL, NULL, 0 },
    { "{'from':'$.a','to':'/b','type':'decimal'}", "{'a':'12.000'}",
      "{'b':'12.000'}", NULL, NULL, 0 },
    { "{'from':'$.a','to':'/b','type':'decimal'}", "{'a':'x'}", NULL, "type",
      "/a", 0 },
    { "{'from':'$.a','to':'/b','type':'decimal'}", "{'a':null}", "{'b':null}",
      NULL, NULL, 0 },

    /* dates */

    { "{'from':'$.a','to':'/b','type':'date'}", "{'a':'2026-11-21'}",
      "{'b':'2026-11-21'}", NULL, NULL, 0 },
    { "{'from':'$.a','to':'/b','type':'date'}",
      "{'a':'\\/Date(1795219200000)\\/'}", "{'b':'2026-11-21'}",
      NULL, NULL, 0 },
    { "{'from':'$.a','to':'/b','type':'date'}",
      "{'a':'2026-11-21T23:30:00-05:00'}", "{'b':'2026-11-21'}",
      NULL, NULL, 0 },
    { "{'from':'$.a','to':'/b','type':'date'}", "{'a':'21.11.2026'}", NULL,
      "date", "/a", 0 },
    { "{'from':'$.a','to':'/b','type':'date'}", "{'a':20261121}", NULL,
      "date", "/a", 0 },
    { "{'from':'$.a','to':'/b','type':'date-time'}",
      "{'a':'2026-11-21T10:00:00.123456+02:00'}",
      "{'b':'2026-11-21T10:00:00.123456+02:00'}", NULL, NULL, 0 },
    { "{'from':'$.a','to':'/b','type':'date-time'}",
      "{'a':'2026-11-21T10:00:00.000+0000'}",
      "{'b':'2026-11-21T10:00:00Z'}", NULL, NULL, 0 },
    { "{'from':'$.a','to':'/b','type':'date-time'}",
      "{'a':'/Date(1795255200500+0060)/'}",
      "{'b':'2026-11-21T11:00:00.500+01:00'}", NULL, NULL, 0 },
    { "{'from':'$.a','to':'/b','type':'date-time'}",
      "{'a':'2026-11-21T10:00:00'}", NULL, "date", "/a", 0 },
    { "{'from':'$.a','to':'/b','type':'date-time'}",
      "{'a':'2026-11-21'}", NULL, "date", "/a", 0 },
    { "{'from':'$.a','to':'/b','type':'odata-date'}",
      "{'a':'2026-11-21'}", "{'b':'/Date(1795219200000)/'}", NULL, NULL, 0 },
    { "{'from':'$.a','to':'/b','type':'odata-date'}",
      "{'a':'2026-11-21T00:00:00+02:00'}", "{'b':'/Date(1795219200000)/'}",
      NULL, NULL, 0 },
    { "{'from':'$.a','to':'/b','type':'odata-date-time'}",
      "{'a':'2026-11-21T02:00:00+02:00'}",
      "{'b':'/Date(1795219200000+0120)/'}", NULL, NULL, 0 },

    /* concat */

    { "{'concat':['$.a',' ','$.b'],'to':'/c'}",
      "{'a':'x\\n','b':0.10}", "{'c':'x\\n 0.10'}", NULL, NULL, 0 },
    { "{'concat':['$.a','$.b'],'join':'\\\"','to':'/c'}", "{'b':true}",
      "{'c':'true'}", NULL, NULL, 0 },
    { "{'concat':['$.a','$.b'],'join':'\\\"','to':'/c'}", "{'a':1,'b':2}",
      "{'c':'1\\\"2'}", NULL, NULL, 0 },
    { "{'concat':['$.a',{'text':'$.b'}],'to':'/c'}", "{'a':1}",
      "{'c':'1$.b'}", NULL, NULL, 0 },
    { "{'concat':['$.a','-','$.b'],'to':'/c'}", "{}", "{}", NULL, NULL, 0 },
    { "{'concat':['$.a','-'],'to':'/c','default':'d'}", "{}", "{'c':'d'}",
      NULL, NULL, 0 },
    { "{'concat':['$.x.a','-'],'to':'/c','required':true}", "{}", NULL,
      "required", "/x/a", 0 },
    { "{'concat':['$.a','$.b'],'to':'/c'}", "{'a':[]}", NULL, "type", "/a",
      0 },
    { "{'concat':['$.a','$.b'],'to':'/c'}", "{'a':'1'}", NULL, "incomplete",
      "/a", 1 },
    { "{'concat':['$.a','$.b'],'to':'/c'}", "{'a':'1','b':'2'}",
      "{'c':'12'}", NULL, NULL, 1 },
    { "{'concat':[{'env':'source'},'-','$.b'],'to':'/c'}", "{'b':2}",
      "{'c':'sf\\\"1-2'}", NULL, NULL, 0 },

    /* constant, env */

    { "{'constant':{'n':0.10},'to':'/c'}", "{}", "{'c':{'n':0.10}}",
      NULL, NULL, 0 },
    { "{'constant':1,'to':'/c'}", "{}", "{}", NULL, NULL, 1 },
    { "{'constant':1,'to':'/c','update':true}", "{}", "{'c':1}",
      NULL, NULL, 1 },
    { "{'env':'source','to':'/c'}", "{}", "{'c':'sf\\\"1'}", NULL, NULL, 0 },
    { "{'env':'connector','to':'/c'}", "{}", "{}", NULL, NULL, 0 },
    { "{'env':'connector','to':'/c','default':1}", "{}", "{'c':1}",
      NULL, NULL, 0 },
    { "{'env':'connector','to':'/c','required':true}", "{}", NULL,
      "required", "", 0 },
    { "{'from':'$.a','to':'/c','update':false}", "{'a':1}", "{}",
      NULL, NULL, 1 },

    /* each */

    { "{'from':'$.r[*]','to':'/i','each':[{'from':'$.a','to':'/b'}]}",
      "{'r':[{'a':1},{},{'a':null}]}", "{'i':[{'b':1},{},{'b':null}]}",
      NULL, NULL, 0 },
    { "{'from':'$.r','to':'/i','each':[{'from':'$.a','to':'/b'}]}",
      "{'r':[{'a':1}]}", "{'i':[{'b':1}]}", NULL, NULL, 0 },
    { "{'from':'$.r.s[*]','to':'/i/j','each':[{'from':'$.a','to':'/b'}]}",
      "{'r':{'s':[]}}", "{'i':{'j':[]}}", NULL, NULL, 0 },
    { "{'from':'$.r[*]','to':'/i','each':[{'from':'$.a','to':'/b'}]}",
      "{'r':[{'a':1},2]}", NULL, "type", "/r/1", 0 },
    { "{'from':'$.r[*]','to':'/i','each':[{'from':'$.a','to':'/b'}]}",
      "{'r':{'a':1}}", NULL, "type", "/r", 0 },
    { "{'from':'$.r[*]','to':'/i','each':[{'from':'$.a','to':'/b'}]}",
      "{'r':null}", "{'i':null}", NULL, NULL, 0 },
    { "{'from':'$.r[*]','to':'/i','each':"
      "[{'from':'$.a.c','to':'/b','required':true}]}",
      "{'r':[{'a':{'c':1}},{'a':{}}]}", NULL, "required", "/r/1/a/c", 0 },
    { "{'from':'$.r[*]','to':'/i','each':[{'from':'$','to':''}]}",
      "{'r':[1,0.10,'x']}", "{'i':[1,0.10,'x']}", NULL, NULL, 0 },
    { "{'from':'$.r[*]','to':'/i','each':[{'from':'$','to':'/v'}]}",
      "{'r':[1,{}]}", "{'i':[{'v':1},{'v':{}}]}", NULL, NULL, 0 },
    { "{'from':'$.g[*].r[*]','to':'/i','each':[{'from':'$.a','to':'/b'}]}",
      "{'g':[{'r':[{'a':1}]},{'r':[{'a':2}]}]}", "{'i':[{'b':1},{'b':2}]}",
      NULL, NULL, 0 },
    { "{'from':'$.r[*]','to':'/i','each':[{'from':'$.s[*]','to':'/j',"
      "'each':[{'from':'$.a','to':'/b','type':'number'}]}]}",
      "{'r':[{'s':[{'a':'1'}]},{'s':[{'a':'2'},{'a':'x'}]}]}", NULL,
      "type", "/r/1/s/1/a", 0 }
};


static const map_bad_t  bad[] = {
    { "{", "syntax", NULL, NULL },
    { "[]", "type", "", "object" },
    { "{'write':{'rules':[]},'write':{}}", "duplicate-member", "/write",
      NULL },
    { "{}", "missing", "", "\"write\" or \"read\"" },
    { "{'wriet':{}}", "unknown-member", "/wriet", "\"write\"" },
    { "{'version':1,'write':{'rules':[]}}", "type", "/version", NULL },
    { "{'enums':[]}", "type", "/enums", NULL },
    { "{'write':[]}", "type", "/write", "object" },
    { "{'write':{}}", "missing", "/write", "\"rules\"" },
    { "{'write':{'rules':{}}}", "type", "/write/rules", "list" },
    { "{'write':{'rule':[]}}", "unknown-member", "/write/rule", "\"rules\"" },
    { "{'write':{'rules':[1]}}", "type", "/write/rules/0", "object" },
    { "{'write':{'rules':[{'from':'$.a'}]}}", "missing", "/write/rules/0",
      "\"to\"" },
    { "{'write':{'rules':[{'to':'/a'}]}}", "missing", "/write/rules/0/to",
      "\"from\"" },
    { "{'write':{'rules':[{'form':'$.a','to':'/a'}]}}", "unknown-member",
      "/write/rules/0/form", "\"from\"" },
    { "{'write':{'rules':[{'from':'$.a','to':'a'}]}}", "pointer",
      "/write/rules/0/to", "\"/\"" },
    { "{'write':{'rules':[{'from':'$.a','to':'/a~'}]}}", "pointer",
      "/write/rules/0/to", "~0" },
    { "{'write':{'rules':[{'from':'$.a','to':'/a/0'}]}}", "pointer",
      "/write/rules/0/to", "each" },
    { "{'write':{'rules':[{'from':'$.a','to':1}]}}", "type",
      "/write/rules/0/to", NULL },
    { "{'write':{'rules':[{'from':'a','to':'/a'}]}}", "path",
      "/write/rules/0/from", "character 1" },
    { "{'write':{'rules':[{'from':'$.a[','to':'/a'}]}}", "path",
      "/write/rules/0/from", NULL },
    { "{'write':{'rules':[{'from':1,'to':'/a'}]}}", "type",
      "/write/rules/0/from", NULL },
    { "{'write':{'rules':[{'from':[],'to':'/a'}]}}", "missing",
      "/write/rules/0/from", NULL },
    { "{'write':{'rules':[{'from':['$.a',2],'to':'/a'}]}}", "type",
      "/write/rules/0/from/1", NULL },
    { "{'write':{'rules':[{'from':'$.a','constant':1,'to':'/a'}]}}",
      "conflict", "/write/rules/0/constant", "one of" },
    { "{'write':{'rules':[{'each':[],'to':'/a'}]}}", "conflict",
      "/write/rules/0/each", "\"from\"" },
    { "{'write':{'rules':[{'from':'$.a','to':'/a'},"
      "{'from':'$.b','to':'/a'}]}}", "conflict", "/write/rules/1/to",
      "same place" },
    { "{'write':{'rules':[{'from':'$.a','to':'/a'},"
      "{'from':'$.b','to':'/a/b'}]}}", "conflict", "/write/rules/1/to",
      NULL },
    { "{'write':{'rules':[{'from':'$.a','to':'/a/b'},"
      "{'from':'$.b','to':'/a'}]}}", "conflict", "/write/rules/1/to", NULL },
    { "{'write':{'rules':[{'from':'$.a','to':'/a','type':'dat'}]}}", "value",
      "/write/rules/0/type", "\"date\"" },
    { "{'write':{'rules':[{'from':'$.a','to':'/a','type':1}]}}", "type",
      "/write/rules/0/type", NULL },
    { "{'write':{'rules':[{'from':'$.a','to':'/a','type':'date',"
      "'enum':{'a':1}}]}}", "conflict", "/write/rules/0/type", NULL },
    { "{'write':{'rules':[{'from':'$.a','to':'/a','enum':'statuses'}]}}",
      "missing", "/write/rules/0/enum", "enums" },
    { "{'write':{'rules':[{'from':'$.a','to':'/a','enum':{}}]}}", "type",
      "/write/rules/0/enum", NULL },
    { "{'write':{'rules':[{'from':'$.a','to':'/a','enum':{'a':[]}}]}}",
      "type", "/write/rules/0/enum/a", NULL },
    { "{'write':{'rules':[{'from':'$.a','to':'/a','enum':[['a']]}]}}", "type",
      "/write/rules/0/enum/0", NULL },
    { "{'write':{'rules':[{'from':'$.a','to':'/a',"
      "'enum':[['a',1],['a',2]]}]}}", "conflict", NULL, "twice" },
    { "{'write':{'rules':[{'from':'$.a','to':'/a','otherwise':1}]}}",
      "conflict", "/write/rules/0/otherwise", "enum" },
    { "{'write':{'rules':[{'from':'$.a','to':'/a','required':1}]}}", "type",
      "/write/rules/0/required", "true or false" },
    { "{'write':{'rules':[{'constant':1,'to':'/a','required':true}]}}",
      "conflict", "/write/rules/0/required", "nothing" },
    { "{'write':{'rules':[{'from':'$.a','to':'/a','join':''}]}}", "conflict",
      "/write/rules/0/join", NULL },
    { "{'write':{'rules':[{'concat':['$.a'],'to':'/a','join':1}]}}", "type",
      "/write/rules/0/join", NULL },
    { "{'write':{'rules':[{'env':'sorce','to':'/a'}]}}", "value",
      "/write/rules/0/env", "\"source\"" },
    { "{'write':{'rules':[{'concat':[],'to':'/a'}]}}", "type",
      "/write/rules/0/concat", NULL },
    { "{'write':{'rules':[{'concat':[{}],'to':'/a'}]}}", "type",
      "/write/rules/0/concat/0", NULL },
    { "{'write':{'rules':[{'concat':[{'txt':''}],'to':'/a'}]}}",
      "unknown-member", "/write/rules/0/concat/0/txt", "\"text\"" },
    { "{'write':{'rules':[{'concat':['$.a[*]'],'to':'/a'}]}}", "path",
      "/write/rules/0/concat/0", "single" },
    { "{'write':{'rules':[{'concat':[1],'to':'/a'}]}}", "type",
      "/write/rules/0/concat/0", NULL },
    { "{'write':{'rules':[{'from':'$.a','to':'/a','each':["
      "{'from':'$.a','to':'/b','typ':'date'}]}]}}", "unknown-member",
      "/write/rules/0/each/0/typ", "\"type\"" },
    { "{'write':{'rules':[],'x-ext':{'colect':'a'}}}", "unknown-member",
      "/write/x-ext/colect", "\"collect\"" },
    { "{'write':{'rules':[],'x-ext':{'collect':'a','spread':'a'}}}",
      "conflict", "/write/x-ext/spread", NULL },
    { "{'write':{'rules':[],'x-ext':{'collect':1}}}", "type",
      "/write/x-ext/collect", NULL },
    { "{'write':{'rules':[],'x-ext':{'spread':1}}}", "type",
      "/write/x-ext/spread", NULL },
    { "{'write':{'rules':[{'from':'$.a','to':'/x-ext/b'}],"
      "'x-ext':{'collect':'a'}}}", "conflict", "/write/rules/0/to",
      "collect" },
    { "{'write':{'rules':[{'from':'$.a','to':''}],"
      "'x-ext':{'collect':'a'}}}", "conflict", "/write/rules/0/to", NULL },
    { "{'write':{'rules':[],'ignore':['a']}}", "path", "/write/ignore/0",
      NULL },
    { "{'write':{'rules':[],'ignore':{}}}", "type", "/write/ignore", NULL },
    { "{'write':{'rules':[],'without':['/a']}}", "missing",
      "/write/without/0", NULL },
    { "{'write':{'rules':[],'in':{'oen':'/d'}}}", "unknown-member",
      "/write/in/oen", "\"one\"" },
    { "{'write':{'rules':[],'out':{'one':'d'}}}", "pointer",
      "/write/out/one", NULL },
    { "{'extends':'maps/none.json'}", "extends", "/extends", "no such map" },
    { "{'extends':1}", "type", "/extends", NULL },
    { "{'extends':'loop.json'}", "extends", "/extends", "itself" },
    { "{'extends':'broken.json'}", "unknown-member", "/read/rules/0/ot",
      "broken.json" }
};


/* Other maps for "extends". */

static const map_file_t  files[] = {
    { "base.json",
      "{'enums':{'s':{'N':'new','D':'done'}},"
      "'write':{'x-ext':{'collect':'base'},'rules':["
        "{'from':'$.no','to':'/number','required':true},"
        "{'from':'$.st','to':'/status','enum':'s'},"
        "{'from':'$.cur','to':'/currency','default':'EUR'},"
        "{'from':'$.rows[*]','to':'/items','each':["
          "{'from':'$.art','to':'/sku'},{'from':'$.q','to':'/quantity'}]}]},"
      "'read':{'rules':[{'from':'$.number','to':'/no'}]}}" },
    { "middle.json",
      "{'extends':'base.json','enums':{'s':{'N':'open','D':'done'}}}" },
    { "loop.json", "{'extends':'pool.json'}" },
    { "pool.json", "{'extends':'loop.json'}" },
    { "broken.json", "{'read':{'rules':[{'from':'$.a','ot':'/b'}]}}" }
};


/* Takes the white space between tokens out. */

static sync_str_t
compact(sync_str_t s)
{
    int     string;
    size_t  i, k;
    char   *text;

    text = sync_alloc(arena, s.len + 1);

    for (string = 0, i = 0, k = 0; i < s.len; i++) {

        if (string && s.data[i] == '\\') {
            text[k++] = s.data[i++];

        } else if (s.data[i] == '"') {
            string = !string;

        } else if (!string && strchr(" \t\r\n", s.data[i]) != NULL) {
            continue;
        }

        text[k++] = s.data[i];
    }

    text[k] = '\0';

    return (sync_str_t) { k, (unsigned char *) text };
}


static sync_str_t
file(const char *name)
{
    FILE        *f;
    sync_str_t   s;

    s.len = 0;
    s.data = sync_calloc(arena, 65537);

    f = fopen(name, "rb");
    if (f != NULL) {
        s.len = fread(s.data, 1, 65536, f);
        fclose(f);
    }

    return s;
}


static void
test_sections(void)
{
    sync_str_t     out;
    sync_map_t    *map;
    sync_faults_t  faults;

    const char  *envelope =
        "{'version':'7','read':{'in':{'one':'/d','many':'/d/results'},"
        "'out':{'one':'/data','many':'/page/records'},"
        "'rules':[{'from':'$.a','to':'/b'}]}}";
    const char  *collect =
        "{'write':{'x-ext':{'collect':'crm'},'ignore':['$.z','$.m.z'],"
        "'rules':[{'from':'$.a','to':'/a'},{'from':'$.m.n','to':'/n'},"
        "{'from':'$.r[*]','to':'/r','each':[{'from':'$.a','to':'/a'}]}]}}";
    const char  *spread =
        "{'write':{'x-ext':{'spread':'*'},'rules':[{'from':'$.a','to':'/a'},"
        "{'from':'$.n','to':'/m/n'},"
        "{'from':'$.r[*]','to':'/r','each':[{'from':'$.a','to':'/a'}]}]}}";
    const char  *named =
        "{'write':{'x-ext':{'spread':['b','c']},"
        "'rules':[{'from':'$.a','to':'/a'}]}}";
    const char  *table =
        "{'enums':{'s':{'A':'new','B':'new','C':1}},"
        "'write':{'rules':[{'from':'$.a','to':'/a','enum':'s'}]},"
        "'read':{'rules':[{'from':'$.a','to':'/a','enum':'s'}]}}";

    map = compile(quoted(envelope));

    is_str(sync_map_version(map), "7", "the version of a map");
    ok(sync_map_has(map, SYNC_MAP_READ) && !sync_map_has(map, SYNC_MAP_WRITE),
       "a map has the sections it has");

    run(map, SYNC_MAP_WRITE, quoted("{}"), 0, &out, &faults);
    ok(faults.count == 1
       && strcmp(faults.list[0].what, "not-supported") == 0,
       "a section that is not there");

    gives(envelope, SYNC_MAP_READ, "{'d':{'a':1}}", 0, "{'data':{'b':1}}",
          "an envelope around one");
    gives(envelope, SYNC_MAP_READ, "{'d':{'results':[{'a':1},{'a':2}]}}", 0,
          "{'page':{'records':[{'b':1},{'b':2}]}}",
          "an envelope around many");
    gives(envelope, SYNC_MAP_READ, "{'d':{'results':[]}}", 0,
          "{'page':{'records':[]}}", "an envelope around none");

    run(map, SYNC_MAP_READ, quoted("{'a':1}"), 0, &out, &faults);
    ok(faults.count == 1 && strcmp(faults.list[0].what, "envelope") == 0
       && sync_str_is(faults.list[0].pointer, "/d"), "a missing envelope");

    run(compile(one_rule("{'from':'$.a','to':'/b'}")), SYNC_MAP_WRITE,
        quoted("[{'a':1}]"), 0, &out, &faults);
    ok(faults.count == 1 && strcmp(faults.list[0].what, "type") == 0,
       "an array where an object is expected");

    gives(collect, SYNC_MAP_WRITE,
          "{'a':1,'u':0.10,'z':1,'m':{'n':2,'o':3,'z':4},"
          "'r':[{'a':1},{'a':2,'\\u0075':{'v':[1E400]}}]}", 0,
          "{'a':1,'n':2,'r':[{'a':1},{'a':2,'x-ext':{'crm':"
          "{'\\u0075':{'v':[1E400]}}}}],"
          "'x-ext':{'crm':{'u':0.10,'m':{'o':3}}}}",
          "members without a rule are collected");
    gives(collect, SYNC_MAP_WRITE, "{'a':1,'z':1,'m':{'n':2,'z':4}}", 0,
          "{'a':1,'n':2}", "nothing to collect, no x-ext");
    gives(collect, SYNC_MAP_WRITE, "{'m':'text'}", 0,
          "{'x-ext':{'crm':{'m':'text'}}}",
          "a value where a rule expects an object is collected");

    gives(spread, SYNC_MAP_WRITE,
          "{'a':1,'n':2,'r':[{'a':1},{'a':2,'x-ext':{'crm':{'u':7}}}],"
          "'x-ext':{'crm':{'u':0.10,'m':{'o':3,'n':9},'a':5},"
          "'erp':{'u':8,'w':9007199254740993}}}", 0,
          "{'a':1,'m':{'n':2,'o':3},'r':[{'a':1},{'a':2,'u':7}],"
          "'u':0.10,'w':9007199254740993}",
          "x-ext is spread; a rule's own target wins, then the first");
    gives(spread, SYNC_MAP_WRITE, "{'x-ext':{'crm':{'m':{'o':3}}}}", 0,
          "{'m':{'o':3}}", "x-ext alone makes an object");
    gives(spread, SYNC_MAP_WRITE, "{'x-ext':null}", 0, "{}", "a null x-ext");
    gives(named, SYNC_MAP_WRITE,
          "{'a':1,'x-ext':{'a':{'k':1},'c':{'l':2},'b':{'l':3}}}", 0,
          "{'a':1,'l':3}", "x-ext of named sources, in the map's order");

    gives(table, SYNC_MAP_WRITE, "{'a':'B'}", 0, "{'a':'new'}",
          "write reads a table from left to right");
    gives(table, SYNC_MAP_READ, "{'a':'new'}", 0, "{'a':'A'}",
          "read reads it back, the first of several");
    gives(table, SYNC_MAP_READ, "{'a':1}", 0, "{'a':'C'}",
          "read gives a number's word");
}


static void
test_extends(void)
{
    sync_map_t    *map;
    sync_error_t   err;

    is_int(sync_map_compile(&map, arena, quoted("{'extends':'base.json'}"),
                            NULL, &err), SYNC_NO, "no loader, no extends");

    gives("{'extends':'base.json','write':{"
          "'without':['/currency'],'rules':["
          "{'from':'$.number','to':'/number','type':'string'},"
          "{'from':'$.rows[*]','to':'/items','each':["
          "{'from':'$.qty','to':'/quantity','type':'decimal'},"
          "{'from':'$.u','to':'/unit'}]},{'from':'$.n','to':'/notes'}]}}",
          SYNC_MAP_WRITE,
          "{'number':7,'st':'N','rows':[{'art':'x','qty':1,'u':'PC','y':0}],"
          "'n':1}", 0,
          "{'number':'7','status':'new','items':[{'sku':'x','quantity':'1',"
          "'unit':'PC','x-ext':{'base':{'y':0}}}],'notes':1}",
          "rules are replaced in place, dropped, merged and added");

    gives("{'extends':'base.json'}", SYNC_MAP_READ, "{'number':1}", 0,
          "{'no':1}", "a section is inherited");

    gives("{'extends':'middle.json'}", SYNC_MAP_WRITE,
          "{'no':1,'st':'N'}", 0,
          "{'number':1,'status':'open','currency':'EUR'}",
          "a table of the map between wins");
}


static void
test_bounds(void)
{
    char            text[8192];
    size_t          i, len;
    uint64_t        work;
    sync_rc_t       rc;
    sync_str_t      out;
    sync_map_t     *map;
    sync_json_t     json;
    sync_error_t    err;
    sync_faults_t   faults;
    sync_map_run_t  how;

    map = compile(one_rule("{'from':'$.r[*]','to':'/i','each':"
                           "[{'from':'$.a','to':'/b','required':true}]}"));

    len = (size_t) snprintf(text, sizeof(text), "{'r':[{}");

    for (i = 1; i < 50; i++) {
        len += (size_t) snprintf(text + len, sizeof(text) - len, ",{}");
    }

    snprintf(text + len, sizeof(text) - len, "]}");

    run(map, SYNC_MAP_WRITE, quoted(text), 0, &out, &faults);
    is_int(faults.count, SYNC_FAULTS_MAX, "the list of faults is bounded");
    is_int(faults.more, 50 - SYNC_FAULTS_MAX, "and counts the rest");

    memset(&how, 0, sizeof(sync_map_run_t));
    sync_json_parse(&json, arena, quoted(text), NULL, NULL);

    work = 20;
    how.work = &work;
    sync_faults_init(&faults, arena);

    rc = sync_map_run(map, SYNC_MAP_WRITE, &json, 0, &how, arena, &out,
                      &faults);
    ok(rc == SYNC_NO && work == 0
       && strcmp(faults.list[faults.count - 1].what, "too-much-work") == 0,
       "work is bounded");

    map = compile(one_rule("{'from':'$.r','to':'/i'}"));

    work = 1000;
    how.max = 64;
    sync_faults_init(&faults, arena);

    rc = sync_map_run(map, SYNC_MAP_WRITE, &json, 0, &how, arena, &out,
                      &faults);
    ok(rc == SYNC_NO && strcmp(faults.list[0].what, "too-large") == 0,
       "output is bounded");
    ok(work < 1000 && work > 900, "work is charged");

    /* "each" in "each" */

    len = 0;
    text[0] = '\0';

    for (i = 0; i < 17; i++) {
        len += (size_t) snprintf(text + len, sizeof(text) - len,
                                 "{'from':'$.a','to':'/a','each':[");
    }

    for (i = 0; i < 17; i++) {
        len += (size_t) snprintf(text + len, sizeof(text) - len, "]}");
    }

    is_int(sync_map_compile(&map, arena, one_rule(text), NULL, &err), SYNC_NO,
           "each within each is bounded");
}


static void
golden(const char *name, const char *in, sync_map_section_e section,
    int update, const char *want)
{
    char            path[256];
    sync_str_t      text, out;
    sync_map_t     *map;
    sync_json_t     json;
    sync_faults_t   faults;

    snprintf(path, sizeof(path), "conf.example/library/maps/%s.json", name);
    map = compile(file(path));

    snprintf(path, sizeof(path), "t/unit/golden/%s.json", in);
    text = file(path);

    if (run(map, section, text, update, &out, &faults) != SYNC_OK) {
        ok(0, "%s maps %s", name, in);

        if (faults.count) {
            diag("%s at %.*s", faults.list[0].what,
                 (int) faults.list[0].pointer.len,
                 (char *) faults.list[0].pointer.data);
        }

        return;
    }

    snprintf(path, sizeof(path), "t/unit/golden/%s.json", want);

    is_str(compact(out), (char *) compact(file(path)).data,
           "%s: %s gives %s", name, in, want);

    if (strstr(want, "canonical") == NULL) {
        return;
    }

    sync_json_parse(&json, arena, out, NULL, NULL);
    sync_faults_init(&faults, arena);

    is_int(sync_fields_check(sync_fields_find(sync_str_lit("sales_order")),
                             &json, 0, update, NULL, &faults), SYNC_OK,
           "%s is a sales_order/1", want);
}


static void
test_golden(void)
{
    char        path[256], member[64];
    size_t      i, k;
    sync_str_t  text;

    static const char *const  carried[] = {
        "9007199254740993", "0.10", "123456789012345678901234567890.5"
    };
    static const char *const  ends[] = {
        "s4-order", "salesforce-answer", "salesforce-upsert"
    };

    golden("salesforce", "salesforce-order", SYNC_MAP_WRITE, 0,
           "order-canonical");
    golden("s4", "order-canonical", SYNC_MAP_WRITE, 0, "s4-order");
    golden("s4", "s4-answer", SYNC_MAP_READ, 0, "s4-answer-canonical");
    golden("salesforce", "s4-answer-canonical", SYNC_MAP_READ, 0,
           "salesforce-answer");
    golden("erp-status", "erp-status", SYNC_MAP_WRITE, 1,
           "erp-status-canonical");
    golden("salesforce-upsert", "erp-status-canonical", SYNC_MAP_WRITE, 1,
           "salesforce-upsert");

    for (i = 0; i < 3; i++) {
        snprintf(path, sizeof(path), "t/unit/golden/%s.json", ends[i]);
        text = compact(file(path));

        for (k = 0; k < 3; k++) {
            snprintf(member, sizeof(member), ":%s", carried[k]);

            ok(strstr((char *) text.data, member) != NULL,
               "%s arrives in %s as sent", carried[k], ends[i]);
        }
    }
}


/* Every example of docs/maps.md: a map, a payload, what it gives. */

static sync_str_t
fenced(const char **p, char *label, size_t size)
{
    size_t       n;
    sync_str_t   s;
    const char  *start, *end;

    s = sync_str_null;

    start = strstr(*p, "```json ");
    if (start == NULL) {
        return s;
    }

    start += 8;
    n = strcspn(start, "\n");
    snprintf(label, size, "%.*s", (int) n, start);
    start += n + 1;

    end = strstr(start, "```");
    if (end == NULL) {
        return s;
    }

    s.data = (unsigned char *) start;
    s.len = end - start;
    *p = end + 3;

    return s;
}


/* What an error section makes of an answer with status 200. */

static sync_rc_t
docs_error(const sync_map_t *map, sync_str_t answer, sync_str_t *out)
{
    sync_rc_t         rc;
    uint64_t          work;
    sync_json_t       json;
    sync_json_out_t   text;
    sync_map_error_t  error;

    static const char *const  classes[] = {
        "", "business", "technical", "transient"
    };

    work = 1000;

    if (map == NULL || !sync_map_has_error(map)
        || sync_json_parse(&json, arena, answer, NULL, NULL) != SYNC_OK)
    {
        return SYNC_FAULT;
    }

    rc = sync_map_error(map, &json, 0, arena, &work, &error);
    if (rc != SYNC_OK) {
        return rc;
    }

    sync_json_begin(&text, arena, 0, 0);
    sync_json_open(&text, '{');
    sync_json_key(&text, sync_str_lit("class"));
    sync_json_string(&text, (sync_str_t) { strlen(classes[error.class]),
                                (unsigned char *) classes[error.class] });
    sync_json_key(&text, sync_str_lit("code"));
    sync_json_string(&text, error.code);
    sync_json_key(&text, sync_str_lit("message"));
    sync_json_string(&text, error.message);
    sync_json_close(&text, '}');

    return sync_json_end(&text, out);
}


static void
test_docs(void)
{
    int             update;
    char            label[64];
    size_t          n;
    sync_rc_t       rc;
    sync_str_t      text, out;
    const char     *p;
    sync_map_t     *map;
    sync_faults_t   faults;
    unsigned        section;

    text = file("docs/maps.md");
    p = (char *) text.data;

    map = NULL;
    n = 0;
    rc = SYNC_FAULT;
    out = sync_str_null;

    for ( ;; ) {
        text = fenced(&p, label, sizeof(label));

        if (text.data == NULL) {
            break;
        }

        if (strcmp(label, "map") == 0) {
            map = compile(text);
            ok(map != NULL, "docs: map %zu compiles", ++n);
            continue;
        }

        if (strcmp(label, "error") == 0) {
            rc = docs_error(map, text, &out);
            continue;
        }

        if (strncmp(label, "gives", 5) != 0) {
            section = strncmp(label, "read", 4) == 0 ? SYNC_MAP_READ
                                                     : SYNC_MAP_WRITE;
            update = strstr(label, "update") != NULL;
            rc = run(map, section, text, update, &out, &faults);
            continue;
        }

        is_str(rc == SYNC_OK ? compact(out) : sync_str_null,
               (char *) compact(text).data, "docs: what map %zu gives", n);
    }

    ok(n >= 6, "docs: %zu maps were tried", n);
}


int
main(void)
{
    arena = sync_arena_create(65536);

    library = files;
    library_size = sizeof(files) / sizeof(files[0]);

    test_rows(rows, sizeof(rows) / sizeof(rows[0]));
    test_bad(bad, sizeof(bad) / sizeof(bad[0]));
    test_sections();
    test_extends();
    test_bounds();
    test_golden();
    test_docs();

    sync_arena_destroy(arena);

    return done_testing();
}
