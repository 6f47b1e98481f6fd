
/*
 * What libxml2 is given is bounded first.  Its time grows with the square of
 * the attributes of an element, of the namespaces in scope, and of the bytes
 * of a tag or comment; a DOCTYPE is never shown to it.
 *
 * This is no parser: what is not well-formed and passes here, libxml2 refuses.
 */


#include "sync_xml.h"


typedef struct {
    sync_str_t             text;
    size_t                 pos;
    sync_format_limits_t  *limits;
    sync_error_t          *err;
    uint32_t               depth;
    uint32_t               scope;        /* namespaces declared in it */
    uint16_t               declared[SYNC_XML_DEPTH + 1];
} sync_xml_guard_t;


static sync_rc_t sync_xml_guard_declaration(sync_xml_guard_t *g);
static int sync_xml_guard_word(const unsigned char *p, size_t len,
    const char *word);
static sync_rc_t sync_xml_guard_special(sync_xml_guard_t *g);
static sync_rc_t sync_xml_guard_until(sync_xml_guard_t *g, size_t from,
    const char *mark, size_t bound, const char *what);
static sync_rc_t sync_xml_guard_tag(sync_xml_guard_t *g);
static sync_rc_t sync_xml_guard_open(sync_xml_guard_t *g, size_t at,
    uint32_t attributes, uint32_t namespaces, int empty);
static sync_rc_t sync_xml_guard_refuse(sync_xml_guard_t *g, const char *what,
    size_t offset, const char *text);


sync_rc_t
sync_xml_guard(sync_str_t text, sync_format_limits_t *limits, size_t *start,
    sync_error_t *err)
{
    sync_rc_t          rc;
    unsigned char     *lt, *nul;
    sync_xml_guard_t   g;

    memset(&g, 0, sizeof(sync_xml_guard_t));

    g.text = text;
    g.limits = limits;
    g.err = err;

    if (sync_str_starts(text, "\xef\xbb\xbf")) {
        g.pos = 3;
    }

    *start = g.pos;

    /* libxml2 takes a NUL at the start for a sign of another encoding */

    nul = memchr(text.data, '\0', text.len);

    if (nul != NULL) {
        return sync_xml_guard_refuse(&g, "syntax", (size_t) (nul - text.data),
                                     "there is no NUL in XML");
    }

    rc = sync_xml_guard_declaration(&g);

    while (rc == SYNC_OK && g.pos < text.len) {

        lt = memchr(text.data + g.pos, '<', text.len - g.pos);

        if (lt == NULL) {
            break;
        }

        g.pos = (size_t) (lt - text.data);

        if (g.pos + 1 < text.len && (lt[1] == '!' || lt[1] == '?')) {
            rc = sync_xml_guard_special(&g);

        } else {
            rc = sync_xml_guard_tag(&g);
        }
    }

    return rc;
}


/* <?xml version="1.0" encoding="..."?> */

static sync_rc_t
sync_xml_guard_declaration(sync_xml_guard_t *g)
{
    size_t                i, len;
    unsigned char         quote;
    const unsigned char  *p;

    p = g->text.data + g->pos;
    len = g->text.len - g->pos;

    if (len < 6 || memcmp(p, "<?xml", 5) != 0 || p[5] > ' ') {
        return SYNC_OK;
    }

    for (i = 5; i < len && p[i] != '>'; i++) {

        if (len - i < 8 || memcmp(p + i, "encoding", 8) != 0) {
            continue;
        }

        for (i += 8; i < len && (p[i] <= ' ' || p[i] == '='); i++) {
            /* void */
        }

        if (i == len || (p[i] != '"' && p[i] != '\'')) {
            break;
        }

        quote = p[i++];
        p += i;

        for (len = 0; g->text.data + g->text.len - p > (ptrdiff_t) len
                      && p[len] != quote; len++)
        {
            /* void */
        }

        if (sync_xml_guard_word(p, len, "utf-8")
            || sync_xml_guard_word(p, len, "us-ascii"))
        {
            return SYNC_OK;
        }

        return sync_xml_guard_refuse(g, "encoding",
                                     (size_t) (p - g->text.data),
                                     "the encoding is not UTF-8");
    }

    return SYNC_OK;
}


static int
sync_xml_guard_word(const unsigned char *p, size_t len, const char *word)
{
    size_t         i;
    unsigned char  ch;

    if (len != strlen(word)) {
        return 0;
    }

    for (i = 0; i < len; i++) {
        ch = p[i];
        ch = (unsigned char) (ch >= 'A' && ch <= 'Z' ? ch | 0x20 : ch);

        if (ch != (unsigned char) word[i]) {
            return 0;
        }
    }

    return 1;
}


static sync_rc_t
sync_xml_guard_special(sync_xml_guard_t *g)
{
    size_t                left;
    const unsigned char  *p;

    p = g->text.data + g->pos;
    left = g->text.len - g->pos;

    if (p[1] == '?') {
        return sync_xml_guard_until(g, 2, "?>", SYNC_XML_MARKUP,
                                    "a processing instruction");
    }

    if (left >= 4 && memcmp(p, "<!--", 4) == 0) {
        return sync_xml_guard_until(g, 4, "-->", SYNC_XML_MARKUP,
                                    "a comment");
    }

    if (left >= 9 && memcmp(p, "<![CDATA[", 9) == 0) {
        return sync_xml_guard_until(g, 9, "]]>", g->text.len,
                                    "a CDATA section");
    }

    return sync_xml_guard_refuse(g, "doctype", g->pos,
                                 "a document type is not taken");
}


static sync_rc_t
sync_xml_guard_until(sync_xml_guard_t *g, size_t from, const char *mark,
    size_t bound, const char *what)
{
    size_t                len, left, n;
    const unsigned char  *p, *end;

    p = g->text.data + g->pos + from;
    left = g->text.len - g->pos - from;
    len = left < bound ? left : bound;
    n = strlen(mark);

    for ( ;; ) {
        end = len < n ? NULL : memchr(p, mark[0], len - n + 1);

        if (end == NULL || memcmp(end, mark, n) == 0) {
            break;
        }

        len -= (size_t) (end + 1 - p);
        p = end + 1;
    }

    if (end == NULL) {
        return sync_refuse(g->err, left > bound ? "too-large" : "syntax",
                           g->pos, "line %zu: %s %s",
                           sync_format_line(g->text, g->pos), what,
                           left > bound ? "is too long" : "has no end");
    }

    g->pos = (size_t) (end - g->text.data) + n;

    return SYNC_OK;
}


static sync_rc_t
sync_xml_guard_tag(sync_xml_guard_t *g)
{
    int             between;
    size_t          i, at, end, name;
    uint32_t        attributes, namespaces;
    unsigned char   ch, *p, *quote;

    p = g->text.data;
    at = g->pos;
    end = g->text.len - at > SYNC_XML_MARKUP ? at + SYNC_XML_MARKUP
                                             : g->text.len;
    attributes = 0;
    namespaces = 0;
    between = 0;
    name = at;

    for (i = at + 1; i < end; i++) {
        ch = p[i];

        if (ch == '>') {
            break;
        }

        if (ch == '"' || ch == '\'') {
            quote = memchr(p + i + 1, ch, end - i - 1);

            if (quote == NULL) {
                i = end;
                break;
            }

            attributes++;
            namespaces += end - name > 5 && memcmp(p + name, "xmlns", 5) == 0;

            i = (size_t) (quote - p);
            between = 1;
            continue;
        }

        if (ch <= ' ') {
            between = 1;

        } else if (between && ch != '=') {
            between = 0;
            name = i;
        }
    }

    if (i >= end) {
        return end < g->text.len
               ? sync_xml_guard_refuse(g, "too-large", at,
                                       "a tag is too long")
               : sync_xml_guard_refuse(g, "syntax", at, "a tag has no end");
    }

    g->pos = i + 1;

    if (p[at + 1] != '/') {
        return sync_xml_guard_open(g, at, attributes, namespaces,
                                   p[i - 1] == '/');
    }

    if (g->depth) {
        g->scope -= g->declared[g->depth--];
    }

    return SYNC_OK;
}


static sync_rc_t
sync_xml_guard_open(sync_xml_guard_t *g, size_t at, uint32_t attributes,
    uint32_t namespaces, int empty)
{
    uint32_t   i;
    sync_rc_t  rc;

    if (g->depth == SYNC_XML_DEPTH || g->depth == g->limits->depth) {
        return sync_xml_guard_refuse(g, "too-deep", at,
                                     "too many elements stand around this "
                                     "one");
    }

    if (attributes > SYNC_XML_ATTRIBUTES) {
        return sync_xml_guard_refuse(g, "too-many-nodes", at,
                                     "an element has too many attributes");
    }

    if (g->scope + namespaces > SYNC_XML_NAMESPACES) {
        return sync_xml_guard_refuse(g, "too-many-nodes", at,
                                     "too many namespaces are declared");
    }

    /* an element, a text behind its tag, its attributes */

    for (i = 0; i < 2 + attributes; i++) {
        rc = sync_format_node(g->limits, at, g->err);
        if (rc != SYNC_OK) {
            return rc;
        }
    }

    if (!empty) {
        g->declared[++g->depth] = (uint16_t) namespaces;
        g->scope += namespaces;
    }

    return SYNC_OK;
}


static sync_rc_t
sync_xml_guard_refuse(sync_xml_guard_t *g, const char *what, size_t offset,
    const char *text)
{
    return sync_refuse(g->err, what, offset, "line %zu: %s",
                       sync_format_line(g->text, offset), text);
}
