
/*
 * XML and SOAP: what is read, refused, written, and that it comes back as it
 * was.
 */


#include "sync_format.h"
#include "text.h"

#include <time.h>


#define XSI  "http://www.w3.org/2001/XMLSchema-instance"
#define S11  "http://schemas.xmlsoap.org/soap/envelope/"
#define S12  "http://www.w3.org/2003/05/soap-envelope"


/* In both columns "'" stands for a double quote. */

typedef struct {
    const char  *xml;
    const char  *json;
} xml_row_t;


static const xml_row_t  rows[] = {

    /* text, and none */

    { "<a>x</a>", "{'a':'x'}" },
    { "<a/>", "{'a':''}" },
    { "<a></a>", "{'a':''}" },
    { "<a>  </a>", "{'a':'  '}" },
    { "<a>\n  <b> x </b>\n</a>", "{'a':{'b':' x '}}" },
    { "<a>x<!-- y -->z<?p q?></a>", "{'a':'xz'}" },
    { "<a>x<!-- y -->z<b/>u<?p q?>v</a>", "{'a':{'#':['xz',{'b':''},'uv']}}" },
    { "<a xmlns='urn:x?y&amp;z&amp;#38;'>x</a>",
      "{'a':{'@xmlns':'urn:x?y&z&#38;','#text':'x'}}" },
    { "<a xmlns:p='u&#38;v' p:c='1'/>", "{'a':{'@{u&v}c':'1'}}" },
    { "<a xmlns:p='u}' xmlns:q='}' p:c='1' q:c='2'/>",
      "{'a':{'@{u}}c':'1','@{}}c':'2'}}" },
    { "<a>x<![CDATA[<y> & z]]></a>", "{'a':'x<y> & z'}" },
    { "<a>&lt;&gt;&amp;&quot;&#65;&#x42;</a>", "{'a':'<>&\\\"AB'}" },
    { "<a>0.10</a>", "{'a':'0.10'}" },
    { "<a>x\r\ny\rz</a>", "{'a':'x\\ny\\nz'}" },
    { "<a>x&#13;y</a>", "{'a':'x\\ry'}" },
    { "<a>\xe2\x82\xac</a>", "{'a':'\xe2\x82\xac'}" },
    { "<\xc3\xbc>x</\xc3\xbc>", "{'\xc3\xbc':'x'}" },
    { "\xef\xbb\xbf<a>x</a>", "{'a':'x'}" },
    { "<?xml version='1.0'?><a>x</a>", "{'a':'x'}" },
    { "<?xml version='1.0' encoding='utf-8' standalone='yes'?>\n<a>x</a>",
      "{'a':'x'}" },
    { "<?xml version='1.0' encoding = 'US-ASCII'?><a>x</a>", "{'a':'x'}" },
    { "<!-- c --><?p?><a>x</a><!-- d -->\n", "{'a':'x'}" },

    /* order, repetition */

    { "<a><c>1</c><b>2</b></a>", "{'a':{'c':'1','b':'2'}}" },
    { "<a><b>1</b><b>2</b></a>", "{'a':{'b':['1','2']}}" },
    { "<a><b/><b><c/></b><d/></a>", "{'a':{'b':['',{'c':''}],'d':''}}" },
    { "<a><b>1</b><c>2</c><b>3</b></a>",
      "{'a':{'#':[{'b':'1'},{'c':'2'},{'b':'3'}]}}" },
    { "<a><b>1</b>  <c>2</c>\n<b/></a>",
      "{'a':{'#':[{'b':'1'},{'c':'2'},{'b':''}]}}" },
    { "<a>x<b>1</b> <b>2</b>y</a>",
      "{'a':{'#':['x',{'b':'1'},' ',{'b':'2'},'y']}}" },
    { "<a i='1'>x<b/></a>", "{'a':{'@i':'1','#':['x',{'b':''}]}}" },
    { "<a><list>1</list></a>", "{'a':{'list':['1']}}" },
    { "<a><list>1</list><list/></a>", "{'a':{'list':['1','']}}" },
    { "<a><list><list>1</list></list></a>",
      "{'a':{'list':[{'list':['1']}]}}" },

    /* attributes */

    { "<a b='1' c=''/>", "{'a':{'@b':'1','@c':''}}" },
    { "<a b='1'>x</a>", "{'a':{'@b':'1','#text':'x'}}" },
    { "<a b='1'><c/></a>", "{'a':{'@b':'1','c':''}}" },
    { "<a b='x&#10;y&#9;z&#13;&lt;&quot;'/>",
      "{'a':{'@b':'x\\ny\\tz\\r<\\\"'}}" },
    { "<a b='x\ny'/>", "{'a':{'@b':'x y'}}" },
    { "<a b='x > y'/>", "{'a':{'@b':'x > y'}}" },
    { "<a xml:lang='de' xml:space='preserve'>x</a>",
      "{'a':{'@xml:lang':'de','@xml:space':'preserve','#text':'x'}}" },

    /* nil */

    { "<a xmlns:i='" XSI "'><b i:nil='true'/><c/></a>",
      "{'a':{'b':null,'c':''}}" },
    { "<a xmlns:i='" XSI "' i:nil='1'/>", "{'a':null}" },
    { "<a xmlns:i='" XSI "' i:nil='false'>x</a>",
      "{'a':{'@xsi:nil':'false','#text':'x'}}" },
    { "<a xmlns:i='" XSI "' i:nil='true' b='1'/>",
      "{'a':{'@xsi:nil':'true','@b':'1'}}" },
    { "<a xmlns:i='" XSI "'><b i:nil='true'/><b>1</b></a>",
      "{'a':{'b':[null,'1']}}" },
    { "<a xmlns:i='" XSI "' i:nil='true' i:schemaLocation='x y'/>",
      "{'a':{'@xsi:nil':'true','@xsi:schemaLocation':'x y'}}" },

    /* namespaces: what a prefix is called does not matter */

    { "<a xmlns='urn:x'><b>1</b></a>", "{'a':{'@xmlns':'urn:x','b':'1'}}" },
    { "<p:a xmlns:p='urn:x'><p:b>1</p:b></p:a>",
      "{'a':{'@xmlns':'urn:x','b':'1'}}" },
    { "<p:a xmlns:p='urn:x'><b>1</b></p:a>",
      "{'a':{'@xmlns':'urn:x','@xmlns:in':'','b':'1'}}" },
    { "<a><b xmlns='urn:x'>1</b></a>",
      "{'a':{'@xmlns:in':'urn:x','b':'1'}}" },
    { "<a xmlns='urn:x'><b>1</b><c xmlns='urn:y'>2</c></a>",
      "{'a':{'@xmlns':'urn:x','b':'1','c':{'@xmlns':'urn:y','#text':'2'}}}" },
    { "<a xmlns='urn:x'><b xmlns='urn:y'><c xmlns='urn:x'/></b></a>",
      "{'a':{'@xmlns':'urn:x','@xmlns:in':'urn:y',"
      "'b':{'@xmlns:in':'urn:x','c':''}}}" },
    { "<a xmlns='urn:x' xmlns:p='urn:y'><b>1</b><p:b>2</p:b></a>",
      "{'a':{'@xmlns':'urn:x','b':['1',{'@xmlns':'urn:y','#text':'2'}]}}" },
    { "<a xmlns='urn:x' xmlns:p='urn:y' p:b='1' c='2'/>",
      "{'a':{'@xmlns':'urn:x','@{urn:y}b':'1','@c':'2'}}" },
    { "<a xmlns:p='urn:y' xmlns:q='urn:z' p:b='1' q:b='2'/>",
      "{'a':{'@{urn:y}b':'1','@{urn:z}b':'2'}}" },
    { "<a xmlns='urn:x' xmlns:i='" XSI "'><b xmlns='' i:nil='true'/></a>",
      "{'a':{'@xmlns':'urn:x','@xmlns:in':'','b':null}}" },
    { "<o xmlns='urn:out' xmlns:sf='urn:sobject' xmlns:i='" XSI "'>"
      "<Id>1</Id><sObject i:type='sf:Opportunity'><sf:Id>006</sf:Id>"
      "<sf:Name>x</sf:Name></sObject></o>",
      "{'o':{'@xmlns':'urn:out','Id':'1','sObject':{"
      "'@xmlns:in':'urn:sobject','@xsi:type':'{urn:sobject}Opportunity',"
      "'Id':'006','Name':'x'}}}" },
    { "<a xmlns='urn:x' xmlns:i='" XSI "' i:type='T'/>",
      "{'a':{'@xmlns':'urn:x','@xsi:type':'{urn:x}T'}}" },
    { "<a xmlns:i='" XSI "' i:type='T'/>", "{'a':{'@xsi:type':'T'}}" },
    { "<a xml:xmlns='e'>x</a>", "{'a':{'@xml:xmlns':'e','#text':'x'}}" },
    { "<a xmlns:p='u' p:xmlns='1'/>", "{'a':{'@{u}xmlns':'1'}}" },
};


/* What is refused, with which word, and a part of what is told. */

typedef struct {
    const char  *xml;
    const char  *what;
    const char  *text;
} xml_bad_t;


static const xml_bad_t  bad[] = {

    { "", "syntax", "line 1" },
    { "  ", "syntax", "line" },
    { "x", "syntax", "line 1" },
    { "<a>", "syntax", "line 1" },
    { "<a", "syntax", "line 1: a tag has no end" },
    { "<a>\n\n<b></a>", "syntax", "line 3" },
    { "<a/><b/>", "syntax", "line 1" },
    { "<a/>x", "syntax", "line 1" },
    { "<a>\x01</a>", "syntax", "line 1" },
    { "<a>&#0;</a>", "syntax", "line 1" },
    { "<a>&nbsp;</a>", "syntax", "line 1" },
    { "<a b='1' b='2'/>", "syntax", "line 1" },
    { "<a xmlns:p='u' xmlns:q='u' p:b='1' q:b='2'/>", "syntax", "line 1" },
    { "<a b='<'/>", "syntax", "line 1" },
    { "<a b=1/>", "syntax", "line 1" },
    { "<p:a/>", "syntax", "line 1" },
    { "<a p:b='1'/>", "syntax", "line 1" },
    { "<a><xml:b/></a>", "syntax", "line 1: an element has the prefix" },
    { "<a>]]></a>", "syntax", "line 1" },
    { "<a><!-- x", "syntax", "a comment has no end" },
    { "<a><![CDATA[x</a>", "syntax", "a CDATA section has no end" },
    { "<?xml version='1.0'", "syntax", "line 1" },
    { "<a>\xff</a>", "utf8", "line 1" },
    { "<a>\xed\xa0\x80</a>", "utf8", "line 1" },
    { "<?xml version='1.0' encoding='ISO-8859-1'?><a/>", "encoding", "UTF-8" },
    { "<?xml version='1.0' encoding='UTF-16'?><a/>", "encoding", "UTF-8" },
    { "<?xml version='1.0' encoding\n= 'utf-7'?><a/>", "encoding", "UTF-8" },

    { "<!DOCTYPE a><a/>", "doctype", "line 1" },
    { "<!DOCTYPE a [<!ENTITY e 'x'>]><a>&e;</a>", "doctype", "line 1" },
    { "<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>", "doctype", "line 1" },
    { "<?xml version='1.0'?>\n<!-- c -->\n<!DOCTYPE a><a/>", "doctype",
      "line 3" },
    { "<a><!DOCTYPE b></a>", "doctype", "line 1" },
    { "<!ENTITY e 'x'><a/>", "doctype", "line 1" },
    { "<a><!ELEMENT b></a>", "doctype", "line 1" },
};


/* JSON that is written, where the reader would not have made it. */

typedef struct {
    const char  *json;
    const char  *xml;                    /* NULL: refused at pointer */
    const char  *pointer;
} xml_out_t;


static const xml_out_t  outs[] = {

    { "{'a':1.50}", "<a>1.50</a>", NULL },
    { "{'a':true}", "<a>true</a>", NULL },
    { "{'a':{}}", "<a></a>", NULL },
    { "{'a':{'b':[]}}", "<a></a>", NULL },
    { "{'a':{'b':[1]}}", "<a><b>1</b></a>", NULL },
    { "{'a':{'b':null}}", "<a xmlns:xsi='" XSI "'><b xsi:nil='true'/></a>",
      NULL },
    { "{'a':{'c':'1','@b':2}}", "<a b='2'><c>1</c></a>", NULL },
    { "{'a':{'@{urn:y}b':'1','@xsi:type':'{urn:y}T'}}",
      "<a xmlns:xsi='" XSI "' xmlns:n1='urn:y' n1:b='1' xmlns:n2='urn:y' "
      "xsi:type='n2:T'></a>", NULL },
    { "{'a':{'#text':'<&>'}}", "<a>&lt;&amp;&gt;</a>", NULL },
    { "{'a':']]>'}", "<a>]]&gt;</a>", NULL },
    { "{'a':'\\u000b'}", NULL, "/a" },
    { "{'a':'\\u0000'}", NULL, "/a" },
    { "{'a':'\\uffff'}", NULL, "/a" },
    { "{'a':{'@b':'\\u0001'}}", NULL, "/a/@b" },
    { "{'a b':1}", NULL, "/a b" },
    { "{'a:b':1}", NULL, "/a:b" },
    { "{'1a':1}", NULL, "/1a" },
    { "{'':1}", NULL, "/" },
    { "{'a><b':1}", NULL, "/a><b" },
    { "{'\\u00d7':1}", NULL, "/\xc3\x97" },
    { "{'a':{'@b c':1}}", NULL, "/a/@b c" },
    { "{'a':{'@p:b':1}}", NULL, "/a/@p:b" },
    { "{'a':{'@xmlns:p':'u'}}", NULL, "/a/@xmlns:p" },
    { "{'a':{'@xmlns':1}}", NULL, "/a/@xmlns" },
    { "{'a':{'@{}b':1}}", NULL, "/a/@{}b" },
    { "{'a':{'@{u':1}}", NULL, "/a/@{u" },
    { "{'a':{'@b':{}}}", NULL, "/a/@b" },
    { "{'a':{'@xsi:type':'{u}a b'}}", NULL, "/a/@xsi:type" },
    { "{'a':{'\\u0040b':1}}", NULL, "/a/@b" },
    { "{'a':[1,2]}", NULL, "" },
    { "{'a':{'@xmlns':'http://www.w3.org/XML/1998/namespace'}}", NULL,
      "/a/@xmlns" },
    { "{'a':{'@{http://www.w3.org/2000/xmlns/}b':'c'}}", NULL,
      "/a/@{http:~1~1www.w3.org~12000~1xmlns~1}b" },
    { "{'a':{'b':[[1]]}}", NULL, "/a/b/0" },
    { "{'a':{'#':'x'}}", NULL, "/a/#" },
    { "{'a':{'#':[{'b':1,'c':2}]}}", NULL, "/a/#/0" },
    { "{'a':{'#':[{'@b':1}]}}", NULL, "/a/#/0/@b" },
    { "{'a':{'#':[[1]]}}", NULL, "/a/#/0" },
    { "{'a':1,'b':2}", NULL, "" },
    { "{}", NULL, "" },
    { "{'@a':1}", NULL, "/@a" },
    { "{'#text':1}", NULL, "" },
    { "[1]", NULL, "" },
    { "'x'", NULL, "" },
};


/* SOAP: version, envelope, JSON; NULL: refused with what. */

typedef struct {
    sync_soap_e  version;
    const char  *xml;
    const char  *json;
    const char  *what;
} soap_row_t;


static const soap_row_t  soaps[] = {

    { SYNC_SOAP_11, "<s:Envelope xmlns:s='" S11 "'><s:Body><m:Op "
      "xmlns:m='urn:m'><id>1</id></m:Op></s:Body></s:Envelope>",
      "{'Op':{'@xmlns':'urn:m','@xmlns:in':'','id':'1'}}", NULL },
    { SYNC_SOAP_12, "<Envelope xmlns='" S12 "'><Header/><Body><Op "
      "xmlns='urn:m'><id>1</id></Op></Body></Envelope>",
      "{'Op':{'@xmlns':'urn:m','id':'1'}}", NULL },
    { SYNC_SOAP_11, "<s:Envelope xmlns:s='" S11 "'><s:Body/></s:Envelope>",
      "{}", NULL },
    { SYNC_SOAP_11, "<s:Envelope xmlns:s='" S11 "'><s:Header><h xmlns='urn:h'>"
      "1</h></s:Header><s:Body><Op/></s:Body></s:Envelope>",
      "{'#header':{'h':{'@xmlns':'urn:h','#text':'1'}},'Op':''}", NULL },
    { SYNC_SOAP_11, "<s:Envelope xmlns:s='" S11 "'><s:Body><a><list/></a>"
      "<b/></s:Body></s:Envelope>", "{'a':{'list':['']},'b':''}", NULL },
    { SYNC_SOAP_11, "<s:Envelope xmlns:s='" S11 "' xmlns:i='" XSI "'><s:Body>"
      "<a i:nil='true'/></s:Body></s:Envelope>", "{'a':null}", NULL },
    { SYNC_SOAP_11, "<s:Envelope xmlns:s='" S11 "'><s:Body><s:Fault>"
      "<faultcode>s:Client</faultcode><faultstring>no</faultstring>"
      "</s:Fault></s:Body></s:Envelope>",
      "{'Fault':{'@xmlns':'" S11 "','@xmlns:in':'','faultcode':'s:Client',"
      "'faultstring':'no'}}", NULL },
    { SYNC_SOAP_11, "<s:Envelope xmlns:s='" S11 "'><s:Header><h xmlns='urn:h' "
      "s:mustUnderstand='0'/></s:Header><s:Body/></s:Envelope>",
      "{'#header':{'h':{'@xmlns':'urn:h','@{" S11 "}mustUnderstand':'0'}}}",
      NULL },

    { SYNC_SOAP_11, "<s:Envelope xmlns:s='" S11 "'><s:Header><h xmlns='urn:h' "
      "s:mustUnderstand='1'/></s:Header><s:Body/></s:Envelope>", NULL,
      "must-understand" },
    { SYNC_SOAP_12, "<s:Envelope xmlns:s='" S12 "'><s:Header><g/><h "
      "s:mustUnderstand='true'/></s:Header><s:Body/></s:Envelope>", NULL,
      "must-understand" },
    { SYNC_SOAP_12, "<s:Envelope xmlns:s='" S11 "'><s:Body/></s:Envelope>",
      NULL, "envelope" },
    { SYNC_SOAP_11, "<s:Envelope xmlns:s='" S12 "'><s:Body/></s:Envelope>",
      NULL, "envelope" },
    { SYNC_SOAP_11, "<Envelope><Body/></Envelope>", NULL, "envelope" },
    { SYNC_SOAP_11, "<s:Envelope xmlns:s='" S11 "'/>", NULL, "envelope" },
    { SYNC_SOAP_11, "<s:Envelope xmlns:s='" S11 "'><Body/></s:Envelope>",
      NULL, "envelope" },
    { SYNC_SOAP_11, "<s:Body xmlns:s='" S11 "'/>", NULL, "envelope" },
    { SYNC_SOAP_11, "<!DOCTYPE x><s:Envelope xmlns:s='" S11 "'/>", NULL,
      "doctype" },
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
read_and_back(const sync_format_limits_t *limits)
{
    size_t        i;
    sync_rc_t     rc;
    sync_str_t    json, again, xml;
    sync_json_t   t;
    sync_error_t  err;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        rc = sync_xml_read(arena, str(rows[i].xml), limits, &json, &err);

        if (!ok(rc == SYNC_OK, "%s is read", rows[i].xml)) {
            diag("%s: %s", err.what, err.text);
            continue;
        }

        is_str(json, c_str(rows[i].json), "%s as JSON", rows[i].xml);

        rc = tape(&t, arena, json);
        ok(rc == SYNC_OK, "%s: its JSON is some", rows[i].xml);

        rc = sync_xml_write(&t, 0, arena, 0, &xml, &err);
        ok(rc == SYNC_OK, "%s is written", rows[i].xml);

        rc = sync_xml_read(arena, xml, limits, &again, &err);
        ok(rc == SYNC_OK && sync_str_eq(json, again), "%s comes back",
           rows[i].xml)
            || (tap_show("xml", xml), tap_show("again", again), 0);
    }
}


static void
written(void)
{
    size_t        i;
    sync_rc_t     rc;
    sync_str_t    xml;
    sync_json_t   t;
    sync_error_t  err;
    const char   *head = "<?xml version='1.0' encoding='UTF-8'?>\n";

    for (i = 0; i < sizeof(outs) / sizeof(outs[0]); i++) {
        is_int(tape(&t, arena, str(outs[i].json)), SYNC_OK, "%s", outs[i].json);

        rc = sync_xml_write(&t, 0, arena, 0, &xml, &err);

        if (outs[i].xml) {
            is_int(rc, SYNC_OK, "%s is written", outs[i].json);

            if (rc == SYNC_OK) {
                xml.data += strlen(head);
                xml.len -= strlen(head);
                is_str(xml, c_str(outs[i].xml), "%s as XML", outs[i].json);
            }

            continue;
        }

        is_int(rc, SYNC_NO, "%s is no XML", outs[i].json);
        is_str(plain(err.what), "format", "says so");
        is_str(err.pointer, outs[i].pointer, "and where");
    }

    (void) tape(&t, arena, str("{'a':'12345'}"));
    is_int(sync_xml_write(&t, 0, arena, 50, &xml, &err), SYNC_NO,
           "over the bytes of XML");
    is_str(plain(err.what), "too-large", "says so");
    is_int(sync_xml_write(&t, 0, arena, 51, &xml, &err), SYNC_OK,
           "and up to them");
}


static void
refused(const sync_format_limits_t *limits)
{
    size_t        i;
    sync_rc_t     rc;
    sync_str_t    json;
    sync_error_t  err;

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        memset(&err, 0, sizeof(err));
        err.what = "";

        rc = sync_xml_read(arena, str(bad[i].xml), limits, &json, &err);

        ok(rc == SYNC_NO && strcmp(err.what, bad[i].what) == 0
           && strstr(err.text, bad[i].text) != NULL,
           "%s is refused: %s, %s (%d %s, %s)", bad[i].xml, bad[i].what,
           bad[i].text, rc, err.what, err.text);
    }
}


static void
soap(const sync_format_limits_t *limits)
{
    size_t        i;
    sync_rc_t     rc;
    sync_str_t    json, again, xml;
    sync_json_t   t;
    sync_error_t  err;

    for (i = 0; i < sizeof(soaps) / sizeof(soaps[0]); i++) {
        err.what = "";
        rc = sync_soap_read(soaps[i].version, arena, str(soaps[i].xml),
                            limits, &json, &err);

        if (soaps[i].json == NULL) {
            ok(rc == SYNC_NO && strcmp(err.what, soaps[i].what) == 0,
               "%s is refused: %s (%s)", soaps[i].xml, soaps[i].what,
               err.what);
            continue;
        }

        if (!ok(rc == SYNC_OK, "%s is read", soaps[i].xml)) {
            diag("%s: %s", err.what, err.text);
            continue;
        }

        is_str(json, c_str(soaps[i].json), "%s as JSON", soaps[i].xml);

        (void) tape(&t, arena, json);
        rc = sync_soap_write(soaps[i].version, &t, 0, arena, 0, &xml, &err);
        is_int(rc, SYNC_OK, "%s is written", soaps[i].xml);

        rc = sync_soap_read(soaps[i].version, arena, xml, limits, &again,
                            &err);
        ok(rc == SYNC_OK && sync_str_eq(json, again), "%s comes back",
           soaps[i].xml)
            || (tap_show("xml", xml), 0);
    }

    (void) tape(&t, arena, str("{'@a':1}"));
    is_int(sync_soap_write(SYNC_SOAP_11, &t, 0, arena, 0, &xml, &err),
           SYNC_NO, "a Body has no attributes");
    (void) tape(&t, arena, str("{'a':{'#header':1}}"));
    is_int(sync_soap_write(SYNC_SOAP_11, &t, 0, arena, 0, &xml, &err),
           SYNC_NO, "a header stands at the top alone");
    is_str(err.pointer, "/a/#header", "says where");
    (void) tape(&t, arena, str("{'#header':1}"));
    is_int(sync_soap_write(SYNC_SOAP_11, &t, 0, arena, 0, &xml, &err),
           SYNC_NO, "a header is an object");
    is_str(err.pointer, "/#header", "says where");
    (void) tape(&t, arena, str("[]"));
    is_int(sync_soap_write(SYNC_SOAP_12, &t, 0, arena, 0, &xml, &err),
           SYNC_NO, "a message is an object");
}


/* n times a text, between two others. */

static sync_str_t
many(const char *before, const char *text, size_t n, const char *after)
{
    size_t          len;
    sync_str_t      s;
    unsigned char  *p;

    len = strlen(text);

    s.len = strlen(before) + n * len + strlen(after);
    s.data = p = sync_alloc(arena, s.len);

    memcpy(p, before, strlen(before));
    p += strlen(before);

    while (n--) {
        memcpy(p, text, len);
        p += len;
    }

    memcpy(p, after, strlen(after));

    return s;
}


/* Refused with what, or taken where that is NULL, and soon. */

static void
hostile(sync_str_t xml, const sync_format_limits_t *limits, const char *what,
    const char *name)
{
    double           seconds;
    sync_rc_t        rc;
    sync_str_t       json;
    sync_error_t     err;
    struct timespec  a, b;

    err.what = "";

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
    rc = sync_xml_read(arena, xml, limits, &json, &err);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);

    seconds = (double) (b.tv_sec - a.tv_sec)
              + (double) (b.tv_nsec - a.tv_nsec) / 1e9;

    if (what) {
        ok(rc == SYNC_NO && strcmp(err.what, what) == 0,
           "%s: refused, %s (%s)", name, what, err.what);

    } else {
        is_int(rc, SYNC_OK, "%s: taken", name);
    }

    ok(seconds < 10.0, "%s: %.2f seconds", name, seconds);
}


static void
bounds(void)
{
    uint64_t              work;
    sync_str_t            json, xml;
    sync_error_t          err;
    sync_format_limits_t  limits;

    memset(&limits, 0, sizeof(limits));

    hostile(many("", "<a>", 128, ""), &limits, "syntax", "128 levels");
    hostile(many("", "<a>", 129, ""), &limits, "too-deep", "129 levels");
    hostile(many("<a>", "<b></b>", 200, "</a>"), &limits, NULL,
            "200 elements that were closed");

    hostile(many("<a", " b='1'", 257, "/>"), &limits, "too-many-nodes",
            "257 attributes");
    hostile(many("<a", " b = '1'", 1000000, "/>"), &limits, "too-large",
            "a million attributes");
    hostile(many("<a", " xmlns:a = '1'", 257, "/>"), &limits,
            "too-many-nodes", "257 namespaces");
    hostile(many("<a xmlns:p='1' xmlns:q='1' xmlns:r='1'>",
                 "<b xmlns:s='1' xmlns:t='2'>", 127, ""), &limits,
            "too-many-nodes", "257 namespaces in scope");
    hostile(many("<a>", "<b xmlns:s='1'></b>", 300, "</a>"), &limits, NULL,
            "300 namespaces, one in scope");

    hostile(many("<a b='", "x", 100000, "'/>"), &limits, "too-large",
            "an attribute of 100 KB");
    hostile(many("<a><!--", "x", 100000, "--></a>"), &limits, "too-large",
            "a comment of 100 KB");
    hostile(many("<a><?p ", "x", 100000, "?></a>"), &limits, "too-large",
            "an instruction of 100 KB");
    hostile(many("<a>", "x", 8000000, "</a>"), &limits, NULL,
            "a text of 8 MB");
    hostile(many("<a><![CDATA[", "x", 8000000, "]]></a>"), &limits, NULL,
            "a CDATA section of 8 MB");
    hostile(many("<a>", "&amp;", 1000000, "</a>"), &limits, NULL,
            "a million references");
    hostile(many("<a>", "<b/>", 499000, "</a>"), &limits, NULL,
            "499,000 elements");
    hostile(many("<a>", "<b/><c/>", 200000, "</a>"), &limits, NULL,
            "400,000 elements, two by two");
    hostile(many("<a>", "<b/>", 500000, "</a>"), &limits, "too-many-nodes",
            "500,001 elements");

    /* UCS-4, as libxml2 sees it, which then says what is wrong on stderr */

    xml = (sync_str_t) { 8, (unsigned char *) "\0\0<\0<a/>" };
    is_int(sync_xml_read(arena, xml, &limits, &json, &err), SYNC_NO,
           "a NUL is refused");
    is_str(plain(err.text), "line 1: there is no NUL in XML",
           "before libxml2 has it");

    xml = str("<a>123</a>");

    limits.size = xml.len;
    is_int(sync_xml_read(arena, xml, &limits, &json, &err), SYNC_OK,
           "up to the size");
    limits.size--;
    is_int(sync_xml_read(arena, xml, &limits, &json, &err), SYNC_NO,
           "over the size");
    is_str(plain(err.what), "too-large", "says so");

    limits.size = 0;
    limits.max = 10;
    is_int(sync_xml_read(arena, xml, &limits, &json, &err), SYNC_NO,
           "over the bytes of JSON");
    is_str(plain(err.what), "too-large", "says so");

    limits.max = 11;
    is_int(sync_xml_read(arena, xml, &limits, &json, &err), SYNC_OK,
           "up to them");

    limits.depth = 2;
    is_int(sync_xml_read(arena, str("<a><b/></a>"), &limits, &json, &err),
           SYNC_NO, "over the bytes, within the depth");
    limits.max = 0;
    is_int(sync_xml_read(arena, str("<a><b/></a>"), &limits, &json, &err),
           SYNC_OK, "up to the depth");
    is_int(sync_xml_read(arena, str("<a><b><c/></b></a>"), &limits, &json,
                         &err), SYNC_NO, "over the depth");
    is_str(plain(err.what), "too-deep", "says so");

    limits.work = &work;
    work = 2;
    is_int(sync_xml_read(arena, xml, &limits, &json, &err), SYNC_OK,
           "the work is enough");
    is_int(work, 0, "and is spent");

    work = 1;
    is_int(sync_xml_read(arena, xml, &limits, &json, &err), SYNC_NO,
           "too much work");
    is_str(plain(err.what), "too-much-work", "says so");
}


int
main(void)
{
    sync_format_limits_t   limits;
    static sync_str_t      lists[] = { sync_string("list") };

    arena = sync_arena_create(0);

    memset(&limits, 0, sizeof(limits));
    limits.lists = lists;
    limits.nlists = 1;

    read_and_back(&limits);
    written();
    refused(&limits);
    soap(&limits);
    bounds();

    sync_arena_destroy(arena);

    return done_testing();
}
