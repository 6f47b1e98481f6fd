
/*
 * Request templates: compiled to bytes, rendered by position.
 *
 * The code is a head (mark, version, uses, length of the method, the method)
 * and pieces: a tag, two bytes of length, so many bytes.  A piece is literal
 * text as it goes on the wire, or a placeholder: its tag joins what is asked
 * for and where it stands, its bytes are its name.
 */


#include "sync_template.h"


#define SYNC_TEMPLATE_MARK     'T'
#define SYNC_TEMPLATE_VERSION  1
#define SYNC_TEMPLATE_HEAD     4
#define SYNC_TEMPLATE_PIECE    3         /* bytes before a piece's text */
#define SYNC_TEMPLATE_PLACES   8         /* placeholders in a template */

#define SYNC_TEMPLATE_KNOWN                                                   \
    "{id}, {idempotency_key} and {/pointer} into the canonical payload"


/* Where a placeholder stands; the lower half of a tag. */

enum {
    SYNC_PLACE_LITERAL = 0,
    SYNC_PLACE_PATH,
    SYNC_PLACE_QUOTED,                   /* an OData literal */
    SYNC_PLACE_VALUE,                    /* the whole value of a query member */
    SYNC_PLACE_BARE                      /* amid somebody's grammar */
};

#define sync_tag(use, place)  ((unsigned char) ((use) << 4 | (place)))
#define sync_tag_use(tag)     ((tag) >> 4)
#define sync_tag_place(tag)   ((tag) & 0x0f)


typedef struct {
    sync_str_t      text;
    size_t          i;                   /* where we read */
    unsigned char  *code;
    size_t          literal;             /* offset of the open literal's head,
                                            0: none is open */
    size_t          len;                 /* of code */
    size_t          member;              /* where this query member begins */
    size_t          value;               /* where its value begins, or 0 */
    size_t          segment;             /* bytes in this path segment */
    size_t          dots;                /* of which dots */
    unsigned        uses;
    unsigned        places;
    unsigned        parens;
    unsigned        quoted:1;
    unsigned        query:1;
    sync_error_t   *err;
} sync_template_parse_t;


static sync_rc_t sync_template_head(sync_template_parse_t *p);
static sync_rc_t sync_template_char(sync_template_parse_t *p);
static sync_rc_t sync_template_path_char(sync_template_parse_t *p,
    unsigned char ch);
static void sync_template_query_char(sync_template_parse_t *p,
    unsigned char ch);
static sync_rc_t sync_template_segment_end(sync_template_parse_t *p);
static sync_rc_t sync_template_escape(sync_template_parse_t *p);
static sync_rc_t sync_template_placeholder(sync_template_parse_t *p);
static unsigned sync_template_place(sync_template_parse_t *p, size_t after);
static int sync_template_pointer(sync_str_t name);
static void sync_template_literal(sync_template_parse_t *p, unsigned char ch);
static void sync_template_encode(sync_template_parse_t *p, unsigned char ch);
static void sync_template_close(sync_template_parse_t *p);

static sync_rc_t sync_template_value(unsigned use, sync_str_t name,
    const sync_template_values_t *values, sync_arena_t *arena,
    sync_str_t *value, sync_error_t *err);
static sync_rc_t sync_template_fits(unsigned place, sync_str_t name,
    sync_str_t value, sync_error_t *err);
static unsigned char *sync_template_write(unsigned char *p, unsigned place,
    sync_str_t value);
static unsigned char *sync_percent(unsigned char *p, unsigned char ch);
static int sync_unreserved(unsigned char ch);
static int sync_hex(unsigned char ch);
static int sync_utf8(sync_str_t s);


static const char  *sync_template_methods[] = {
    "GET", "POST", "PUT", "PATCH", "DELETE", "MERGE", NULL
};


sync_rc_t
sync_template_compile(sync_arena_t *arena, sync_str_t text, sync_str_t *code,
    sync_error_t *err)
{
    sync_rc_t              rc;
    sync_template_parse_t  p;

    if (text.len > SYNC_TEMPLATE_TEXT) {
        return sync_refuse(err, "template", SYNC_TEMPLATE_TEXT,
                           "longer than %d bytes", SYNC_TEMPLATE_TEXT);
    }

    memset(&p, 0, sizeof(p));

    p.text = text;
    p.err = err;

    /* a byte of text gives at most three of code; a piece has a head, and
       pieces are one more than the placeholders on each side */

    p.code = sync_alloc(arena, SYNC_TEMPLATE_HEAD + 3 * text.len
                               + SYNC_TEMPLATE_PIECE
                                 * (2 * SYNC_TEMPLATE_PLACES + 1));
    if (p.code == NULL) {
        return SYNC_FAULT;
    }

    rc = sync_template_head(&p);

    while (rc == SYNC_OK && p.i < text.len) {
        rc = sync_template_char(&p);
    }

    if (rc == SYNC_OK && p.quoted) {
        rc = sync_refuse(err, "template", text.len, "a quote is not closed");
    }

    if (rc == SYNC_OK && !p.query) {
        rc = sync_template_segment_end(&p);
    }

    if (rc != SYNC_OK) {
        return rc;
    }

    sync_template_close(&p);

    p.code[2] = (unsigned char) p.uses;

    code->data = p.code;
    code->len = p.len;

    return SYNC_OK;
}


static sync_rc_t
sync_template_head(sync_template_parse_t *p)
{
    size_t       len;
    unsigned     i;
    sync_str_t   method;

    for (len = 0; len < p->text.len && p->text.data[len] != ' '; len++) {
        /* void */
    }

    method = (sync_str_t) { len, p->text.data };

    for (i = 0; sync_template_methods[i] != NULL; i++) {
        if (sync_str_is(method, sync_template_methods[i])) {
            break;
        }
    }

    if (sync_template_methods[i] == NULL) {
        return sync_refuse(p->err, "template", 0,
                           "does not begin with a method: GET, POST, PUT, "
                           "PATCH, DELETE or MERGE, a space, then a path");
    }

    p->i = len + 1;

    if (p->i >= p->text.len || p->text.data[p->i] != '/') {
        return sync_refuse(p->err, "template", p->i,
                           "the path does not begin with \"/\" one space "
                           "behind the method");
    }

    p->code[0] = SYNC_TEMPLATE_MARK;
    p->code[1] = SYNC_TEMPLATE_VERSION;
    p->code[3] = (unsigned char) len;

    memcpy(p->code + SYNC_TEMPLATE_HEAD, method.data, len);

    p->len = SYNC_TEMPLATE_HEAD + len;

    /* the slash that the target begins with opens the first segment */

    sync_template_literal(p, '/');
    p->i++;

    return SYNC_OK;
}


static sync_rc_t
sync_template_char(sync_template_parse_t *p)
{
    unsigned char  ch;

    ch = p->text.data[p->i];

    if (ch < 0x20 || ch > 0x7e) {
        return sync_refuse(p->err, "template", p->i,
                           "has a byte that is not printable ASCII; write it "
                           "percent-encoded");
    }

    switch (ch) {

    case '{':
        return sync_template_placeholder(p);

    case '}':
        return sync_refuse(p->err, "template", p->i,
                           "has a \"}\" without its \"{\"");

    case '#':
        return sync_refuse(p->err, "template", p->i,
                           "has a fragment, which is never sent; write "
                           "\"%%23\" for the character");

    case '%':
        return sync_template_escape(p);

    case '\'':
        p->quoted = !p->quoted;
        break;
    }

    if (!p->query) {
        if (sync_template_path_char(p, ch) != SYNC_OK) {
            return SYNC_NO;
        }

    } else {
        sync_template_query_char(p, ch);
    }

    p->i++;

    return SYNC_OK;
}


static sync_rc_t
sync_template_path_char(sync_template_parse_t *p, unsigned char ch)
{
    switch (ch) {

    case '?':
        if (p->quoted) {
            return sync_refuse(p->err, "template", p->i,
                               "the query begins inside of quotes");
        }

        if (sync_template_segment_end(p) != SYNC_OK) {
            return SYNC_NO;
        }

        p->query = 1;
        p->member = p->i + 1;
        break;

    case '/':
        if (p->segment == 0) {
            return sync_refuse(p->err, "template", p->i,
                               "has an empty path segment");
        }

        if (sync_template_segment_end(p) != SYNC_OK) {
            return SYNC_NO;
        }

        p->segment = 0;
        p->dots = 0;
        p->parens = 0;

        sync_template_literal(p, ch);

        return SYNC_OK;

    case '(':
        p->parens += !p->quoted;
        break;

    case ')':
        if (!p->quoted && p->parens) {
            p->parens--;
        }

        break;

    case '.':
        p->dots++;
        break;

    case ' ':
        if (!p->quoted) {
            return sync_refuse(p->err, "template", p->i,
                               "has a space in the path");
        }

        p->segment++;
        sync_template_encode(p, ch);

        return SYNC_OK;

    case '"': case '<': case '>': case '[': case '\\': case ']': case '^':
    case '`': case '|':
        return sync_refuse(p->err, "template", p->i,
                           "has \"%c\" in the path; write \"%%%02X\"", ch, ch);
    }

    p->segment++;
    sync_template_literal(p, ch);

    return SYNC_OK;
}


static void
sync_template_query_char(sync_template_parse_t *p, unsigned char ch)
{
    switch (ch) {

    case '&':
        p->member = p->i + 1;
        p->value = 0;
        break;

    case '=':
        if (p->value == 0) {
            p->value = p->i + 1;
        }

        break;

    case ' ': case '"': case '<': case '>': case '[': case '\\': case ']':
    case '^': case '`': case '|':
        sync_template_encode(p, ch);
        return;
    }

    sync_template_literal(p, ch);
}


static sync_rc_t
sync_template_segment_end(sync_template_parse_t *p)
{
    if (p->segment == p->dots && (p->dots == 1 || p->dots == 2)) {
        return sync_refuse(p->err, "template", p->i,
                           "has a path segment \".\" or \"..\"");
    }

    return SYNC_OK;
}


/* An escape of the author's: kept as it stands. */

static sync_rc_t
sync_template_escape(sync_template_parse_t *p)
{
    int             high, low;
    unsigned        i;

    high = p->i + 2 < p->text.len ? sync_hex(p->text.data[p->i + 1]) : -1;
    low = high >= 0 ? sync_hex(p->text.data[p->i + 2]) : -1;

    if (low < 0) {
        return sync_refuse(p->err, "template", p->i,
                           "has a \"%%\" without two hexadecimal digits; write "
                           "\"%%25\" for the character");
    }

    if (high < 2 || (high == 7 && low == 15)) {
        return sync_refuse(p->err, "template", p->i,
                           "has an escaped control character");
    }

    if (high == 2 && low == 7) {
        p->quoted = !p->quoted;
    }

    p->dots += (high == 2 && low == 14);
    p->segment++;

    for (i = 0; i < 3; i++) {
        sync_template_literal(p, p->text.data[p->i + i]);
    }

    p->i += 3;

    return SYNC_OK;
}


static sync_rc_t
sync_template_placeholder(sync_template_parse_t *p)
{
    size_t          end;
    unsigned        use, place;
    sync_str_t      name;
    unsigned char  *piece;

    for (end = p->i + 1; end < p->text.len; end++) {
        if (p->text.data[end] == '}' || p->text.data[end] == '{') {
            break;
        }
    }

    if (end == p->text.len || p->text.data[end] == '{') {
        return sync_refuse(p->err, "template", p->i,
                           "has a \"{\" without its \"}\"");
    }

    name = (sync_str_t) { end - p->i - 1, p->text.data + p->i + 1 };

    if (sync_str_is(name, "id")) {
        use = SYNC_TEMPLATE_ID;

    } else if (sync_str_is(name, "idempotency_key")) {
        use = SYNC_TEMPLATE_KEY;

    } else if (sync_template_pointer(name)) {
        use = SYNC_TEMPLATE_PAYLOAD;

    } else {
        return sync_refuse(p->err, "template", p->i,
                           "has an unknown placeholder \"{%.*s}\"; known are "
                           SYNC_TEMPLATE_KNOWN,
                           (int) (name.len > 40 ? 40 : name.len), name.data);
    }

    if (p->query && p->value == 0) {
        return sync_refuse(p->err, "template", p->i,
                           "has a placeholder in the name of a query member; "
                           "it may stand behind the \"=\"");
    }

    if (++p->places > SYNC_TEMPLATE_PLACES) {
        return sync_refuse(p->err, "template", p->i,
                           "has more than %d placeholders",
                           SYNC_TEMPLATE_PLACES);
    }

    place = sync_template_place(p, end + 1);

    sync_template_close(p);

    piece = p->code + p->len;
    piece[0] = sync_tag(use, place);
    piece[1] = (unsigned char) (name.len & 0xff);
    piece[2] = (unsigned char) (name.len >> 8);

    memcpy(piece + SYNC_TEMPLATE_PIECE, name.data, name.len);

    p->len += SYNC_TEMPLATE_PIECE + name.len;
    p->uses |= use;
    p->segment++;
    p->i = end + 1;

    return SYNC_OK;
}


/*
 * OData's own system options begin with "$" ("%24"): there, and in a path, a
 * quote opens a literal whose inner quotes are doubled.  Of other grammars in
 * a query (SOQL escapes by backslash, others not at all) nothing is known.
 */

static unsigned
sync_template_place(sync_template_parse_t *p, size_t after)
{
    int  odata, whole;

    if (!p->query) {
        return p->quoted ? SYNC_PLACE_QUOTED
                         : p->parens ? SYNC_PLACE_BARE : SYNC_PLACE_PATH;
    }

    odata = p->text.data[p->member] == '$' || p->text.data[p->member] == '%';

    if (p->quoted) {
        return odata ? SYNC_PLACE_QUOTED : SYNC_PLACE_BARE;
    }

    whole = p->value == p->i
            && (after == p->text.len || p->text.data[after] == '&');

    return whole && !odata ? SYNC_PLACE_VALUE : SYNC_PLACE_BARE;
}


static int
sync_template_pointer(sync_str_t name)
{
    size_t  i;

    if (name.len < 2 || name.data[0] != '/') {
        return 0;
    }

    for (i = 0; i < name.len; i++) {
        if (name.data[i] < 0x20) {
            return 0;
        }

        if (name.data[i] == '~'
            && (i + 1 == name.len
                || (name.data[i + 1] != '0' && name.data[i + 1] != '1')))
        {
            return 0;
        }
    }

    return 1;
}


static void
sync_template_literal(sync_template_parse_t *p, unsigned char ch)
{
    if (p->literal == 0) {
        p->literal = p->len;
        p->len += SYNC_TEMPLATE_PIECE;
    }

    p->code[p->len++] = ch;
}


static void
sync_template_encode(sync_template_parse_t *p, unsigned char ch)
{
    unsigned       i;
    unsigned char  escape[3];

    (void) sync_percent(escape, ch);

    for (i = 0; i < sizeof(escape); i++) {
        sync_template_literal(p, escape[i]);
    }
}


static void
sync_template_close(sync_template_parse_t *p)
{
    size_t  len;

    if (p->literal == 0) {
        return;
    }

    len = p->len - p->literal - SYNC_TEMPLATE_PIECE;

    p->code[p->literal] = sync_tag(0, SYNC_PLACE_LITERAL);
    p->code[p->literal + 1] = (unsigned char) (len & 0xff);
    p->code[p->literal + 2] = (unsigned char) (len >> 8);

    p->literal = 0;
}


sync_str_t
sync_template_method(sync_str_t code)
{
    return (sync_str_t) { code.data[3], code.data + SYNC_TEMPLATE_HEAD };
}


unsigned
sync_template_uses(sync_str_t code)
{
    return code.data[2];
}


sync_rc_t
sync_template_render(sync_str_t code, const sync_template_values_t *values,
    sync_arena_t *arena, sync_str_t *target, sync_error_t *err)
{
    size_t          len, room;
    unsigned        n, use, place;
    sync_rc_t       rc;
    sync_str_t      name, value[SYNC_TEMPLATE_PLACES];
    unsigned char  *p, *first, *last, *out;

    first = code.data + SYNC_TEMPLATE_HEAD + code.data[3];
    last = code.data + code.len;
    room = 0;
    n = 0;

    for (p = first; p < last; p += SYNC_TEMPLATE_PIECE + len) {
        len = p[1] | (size_t) p[2] << 8;
        place = sync_tag_place(p[0]);

        if (place == SYNC_PLACE_LITERAL) {
            room += len;
            continue;
        }

        use = sync_tag_use(p[0]);
        name = (sync_str_t) { len, p + SYNC_TEMPLATE_PIECE };

        rc = sync_template_value(use, name, values, arena, &value[n], err);

        if (rc == SYNC_OK) {
            rc = sync_template_fits(place, name, value[n], err);
        }

        if (rc != SYNC_OK) {
            if (rc == SYNC_NO && err && use == SYNC_TEMPLATE_PAYLOAD) {
                err->pointer = name;
            }

            return rc;
        }

        /* a doubled and encoded quote is the longest a byte may become */

        room += value[n++].len * 6;
    }

    out = sync_alloc(arena, room);
    if (out == NULL) {
        return SYNC_FAULT;
    }

    target->data = out;
    n = 0;

    for (p = first; p < last; p += SYNC_TEMPLATE_PIECE + len) {
        len = p[1] | (size_t) p[2] << 8;
        place = sync_tag_place(p[0]);

        if (place == SYNC_PLACE_LITERAL) {
            memcpy(out, p + SYNC_TEMPLATE_PIECE, len);
            out += len;

        } else {
            out = sync_template_write(out, place, value[n++]);
        }
    }

    target->len = (size_t) (out - target->data);

    return SYNC_OK;
}


static sync_rc_t
sync_template_value(unsigned use, sync_str_t name,
    const sync_template_values_t *values, sync_arena_t *arena,
    sync_str_t *value, sync_error_t *err)
{
    uint32_t            node;
    const sync_json_t  *json;

    if (use == SYNC_TEMPLATE_ID) {
        *value = values->id;
        return SYNC_OK;
    }

    if (use == SYNC_TEMPLATE_KEY) {
        *value = values->idempotency_key;
        return SYNC_OK;
    }

    json = values->payload;
    node = json ? sync_json_at(json, values->node, name) : SYNC_JSON_NONE;

    if (node != SYNC_JSON_NONE) {

        if (json->nodes[node].type == SYNC_JSON_NUMBER) {
            *value = sync_json_slice(json, node);
            return SYNC_OK;
        }

        if (json->nodes[node].type == SYNC_JSON_STRING) {
            *value = sync_json_unescape(json, node, arena);
            return value->data ? SYNC_OK : SYNC_FAULT;
        }
    }

    return sync_refuse(err, "no-value", SYNC_NOWHERE,
                       "the request to the connector needs a string or number "
                       "at {%.*s}", (int) (name.len > 100 ? 100 : name.len),
                       name.data);
}


static sync_rc_t
sync_template_fits(unsigned place, sync_str_t name, sync_str_t value,
    sync_error_t *err)
{
    size_t       i;
    const char  *wrong;

    wrong = NULL;

    if (value.len == 0) {
        wrong = "is empty";

    } else if (value.len > SYNC_TEMPLATE_VALUE) {
        wrong = "is too long";

    } else if (!sync_utf8(value)) {
        wrong = "has a control character or broken UTF-8";

    } else if (place == SYNC_PLACE_BARE) {

        for (i = 0; i < value.len; i++) {
            if (!sync_unreserved(value.data[i])) {
                wrong = "may have letters, digits and -._~ alone";
                break;
            }
        }

    } else if (place == SYNC_PLACE_PATH
               && (sync_str_is(value, ".") || sync_str_is(value, "..")))
    {
        wrong = "cannot be \".\" or \"..\"";
    }

    if (wrong == NULL) {
        return SYNC_OK;
    }

    return sync_refuse(err, "bad-value", SYNC_NOWHERE,
                       "the value for {%.*s} of the request to the connector "
                       "%s", (int) (name.len > 100 ? 100 : name.len),
                       name.data, wrong);
}


static unsigned char *
sync_template_write(unsigned char *p, unsigned place, sync_str_t value)
{
    size_t         i;
    unsigned char  ch;

    for (i = 0; i < value.len; i++) {
        ch = value.data[i];

        if (sync_unreserved(ch)) {
            *p++ = ch;
            continue;
        }

        if (ch == '\'' && place == SYNC_PLACE_QUOTED) {
            p = sync_percent(p, ch);
        }

        p = sync_percent(p, ch);
    }

    return p;
}


static unsigned char *
sync_percent(unsigned char *p, unsigned char ch)
{
    static const char  hex[] = "0123456789ABCDEF";

    *p++ = '%';
    *p++ = (unsigned char) hex[ch >> 4];
    *p++ = (unsigned char) hex[ch & 0x0f];

    return p;
}


/* RFC 3986, section 2.3 */

static int
sync_unreserved(unsigned char ch)
{
    return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z')
           || (ch >= '0' && ch <= '9')
           || ch == '-' || ch == '.' || ch == '_' || ch == '~';
}


static int
sync_hex(unsigned char ch)
{
    if (ch >= '0' && ch <= '9') {
        return ch - '0';
    }

    ch |= 0x20;

    return ch >= 'a' && ch <= 'f' ? ch - 'a' + 10 : -1;
}


/*
 * RFC 3629, and no control characters (C0, DEL and C1).  Overlong forms
 * matter: a lax decoder behind us would read 0xC0 0xAE as a dot.
 */

static int
sync_utf8(sync_str_t s)
{
    size_t    i, more;
    uint32_t  cp, least;

    for (i = 0; i < s.len; i += more + 1) {
        cp = s.data[i];

        if (cp < 0x80) {
            more = 0;
            least = 0x20;

        } else if (cp >= 0xc2 && cp < 0xe0) {
            more = 1;
            least = 0xa0;
            cp &= 0x1f;

        } else if (cp >= 0xe0 && cp < 0xf0) {
            more = 2;
            least = 0x800;
            cp &= 0x0f;

        } else if (cp >= 0xf0 && cp < 0xf5) {
            more = 3;
            least = 0x10000;
            cp &= 0x07;

        } else {
            return 0;
        }

        if (more > s.len - i - 1) {
            return 0;
        }

        for (size_t k = 1; k <= more; k++) {
            if ((s.data[i + k] & 0xc0) != 0x80) {
                return 0;
            }

            cp = cp << 6 | (s.data[i + k] & 0x3f);
        }

        if (cp < least || cp == 0x7f || (cp >= 0xd800 && cp < 0xe000)
            || cp > 0x10ffff)
        {
            return 0;
        }
    }

    return 1;
}
