
/*
 * Regular expressions of ECMA-262 with the flag "u", checked and translated
 * to PCRE2.  Where both mean the same the text goes through; where PCRE2
 * would mean something else it is rewritten; what ECMA-262 does not have is
 * refused.
 */


#include "sync_schema_impl.h"

#define PCRE2_CODE_UNIT_WIDTH  8
#include <pcre2.h>

#include <stdio.h>


#define SYNC_REGEXP_LEN    4096      /* longer patterns are refused */
#define SYNC_REGEXP_DEPTH  32        /* of parentheses */


typedef struct {
    const unsigned char  *start;
    const unsigned char  *pos;
    const unsigned char  *end;
    sync_json_out_t       out;       /* a growing buffer */
    unsigned              depth;
    sync_error_t         *err;
} sync_regexp_t;


static sync_rc_t sync_regexp_alternatives(sync_regexp_t *r);
static sync_rc_t sync_regexp_group(sync_regexp_t *r);
static sync_rc_t sync_regexp_name(sync_regexp_t *r);
static sync_rc_t sync_regexp_quantifier(sync_regexp_t *r);
static int sync_regexp_is_count(const sync_regexp_t *r);
static sync_rc_t sync_regexp_class(sync_regexp_t *r);
static sync_rc_t sync_regexp_escape(sync_regexp_t *r, int in_class);
static sync_rc_t sync_regexp_property(sync_regexp_t *r);
static sync_rc_t sync_regexp_hex(sync_regexp_t *r, unsigned digits,
    uint32_t *code);
static sync_rc_t sync_regexp_unicode(sync_regexp_t *r);
static void sync_regexp_code(sync_regexp_t *r, uint32_t code);
static sync_rc_t sync_regexp_char(sync_regexp_t *r);
static void sync_regexp_copy(sync_regexp_t *r, size_t len);
static void sync_regexp_put(sync_regexp_t *r, const char *s);
static sync_rc_t sync_regexp_refuse(sync_regexp_t *r, const char *fault);


#define sync_regexp_at(r, ch)                                                 \
    ((r)->pos < (r)->end && *(r)->pos == (ch))

/* White space of ECMA-262 and what is between it, as parts of a class. */

#define SYNC_REGEXP_SPACE                                                     \
    "\\x{9}-\\x{d}\\x{20}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}"        \
    "\\x{2029}\\x{202f}\\x{205f}\\x{3000}\\x{feff}"

#define SYNC_REGEXP_NO_SPACE                                                  \
    "\\x{0}-\\x{8}\\x{e}-\\x{1f}\\x{21}-\\x{9f}\\x{a1}-\\x{167f}"             \
    "\\x{1681}-\\x{1fff}\\x{200b}-\\x{2027}\\x{202a}-\\x{202e}"               \
    "\\x{2030}-\\x{205e}\\x{2060}-\\x{2fff}\\x{3001}-\\x{fefe}"               \
    "\\x{ff00}-\\x{10ffff}"


/* General categories by their long names, which PCRE2 does not have. */

static const struct {
    const char  *name;
    const char  *category;
} sync_regexp_categories[] = {
    { "Letter", "L" }, { "Uppercase_Letter", "Lu" },
    { "Lowercase_Letter", "Ll" }, { "Titlecase_Letter", "Lt" },
    { "Cased_Letter", "L&" }, { "LC", "L&" }, { "Modifier_Letter", "Lm" },
    { "Other_Letter", "Lo" }, { "Mark", "M" }, { "Combining_Mark", "M" },
    { "Nonspacing_Mark", "Mn" }, { "Spacing_Mark", "Mc" },
    { "Enclosing_Mark", "Me" }, { "Number", "N" }, { "Decimal_Number", "Nd" },
    { "digit", "Nd" }, { "Letter_Number", "Nl" }, { "Other_Number", "No" },
    { "Punctuation", "P" }, { "punct", "P" },
    { "Connector_Punctuation", "Pc" }, { "Dash_Punctuation", "Pd" },
    { "Open_Punctuation", "Ps" }, { "Close_Punctuation", "Pe" },
    { "Initial_Punctuation", "Pi" }, { "Final_Punctuation", "Pf" },
    { "Other_Punctuation", "Po" }, { "Symbol", "S" },
    { "Math_Symbol", "Sm" }, { "Currency_Symbol", "Sc" },
    { "Modifier_Symbol", "Sk" }, { "Other_Symbol", "So" },
    { "Separator", "Z" }, { "Space_Separator", "Zs" },
    { "Line_Separator", "Zl" }, { "Paragraph_Separator", "Zp" },
    { "Other", "C" }, { "Control", "Cc" }, { "cntrl", "Cc" },
    { "Format", "Cf" }, { "Surrogate", "Cs" }, { "Private_Use", "Co" },
    { "Unassigned", "Cn" }
};


sync_rc_t
sync_schema_regexp(sync_iregexp_t **re, sync_arena_t *arena,
    sync_str_t pattern, sync_error_t *err)
{
    sync_rc_t      rc;
    sync_str_t     text;
    sync_regexp_t  r;

    if (pattern.len > SYNC_REGEXP_LEN) {
        return sync_refuse(err, "regexp", 0, "a regular expression has more "
                           "than %d bytes", SYNC_REGEXP_LEN);
    }

    r.start = pattern.data;
    r.pos = pattern.data;
    r.end = pattern.data + pattern.len;
    r.depth = 0;
    r.err = err;

    sync_json_begin(&r.out, arena, pattern.len * 2 + 64, 0);

    rc = sync_regexp_alternatives(&r);

    if (rc != SYNC_OK) {
        return rc;
    }

    if (r.pos != r.end) {
        return sync_regexp_refuse(&r, "a parenthesis was not opened");
    }

    rc = sync_json_end(&r.out, &text);

    if (rc != SYNC_OK) {
        return rc;
    }

    return sync_iregexp_build(re, arena, text, PCRE2_MATCH_UNSET_BACKREF,
                              err);
}


/* To the end or to a ")". */

static sync_rc_t
sync_regexp_alternatives(sync_regexp_t *r)
{
    sync_rc_t  rc;

    while (r->pos < r->end && *r->pos != ')') {

        switch (*r->pos) {

        case '|':
        case '^':
        case '$':
            sync_regexp_copy(r, 1);
            continue;

        case '*':
        case '+':
        case '?':
            return sync_regexp_refuse(r, "a quantifier has nothing to "
                                      "repeat");

        case '(':
            rc = sync_regexp_group(r);
            break;

        case '[':
            rc = sync_regexp_class(r);
            break;

        case '\\':
            rc = sync_regexp_escape(r, 0);
            break;

        case '.':
            r->pos++;
            sync_regexp_put(r, "[^\\n\\r\\x{2028}\\x{2029}]");
            rc = SYNC_OK;
            break;

        case '{':
        case '}':
        case ']':

            /* alone they are themselves, as browsers have it */

            if (*r->pos == '{' && sync_regexp_is_count(r)) {
                return sync_regexp_refuse(r, "a quantifier has nothing to "
                                          "repeat");
            }

            sync_regexp_put(r, "\\");
            sync_regexp_copy(r, 1);
            rc = SYNC_OK;
            break;

        default:
            rc = sync_regexp_char(r);
        }

        if (rc == SYNC_OK) {
            rc = sync_regexp_quantifier(r);
        }

        if (rc != SYNC_OK) {
            return rc;
        }
    }

    return SYNC_OK;
}


static sync_rc_t
sync_regexp_group(sync_regexp_t *r)
{
    size_t      i;
    sync_rc_t   rc;
    sync_str_t  rest;

    static const char  *kinds[] = { "(?:", "(?=", "(?!", "(?<=", "(?<!" };

    if (r->depth++ == SYNC_REGEXP_DEPTH) {
        return sync_regexp_refuse(r, "parentheses are nested too deep");
    }

    rest.data = (unsigned char *) (uintptr_t) r->pos;
    rest.len = (size_t) (r->end - r->pos);
    rc = SYNC_OK;

    if (sync_str_starts(rest, "(?")) {

        for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
            if (sync_str_starts(rest, kinds[i])) {
                break;
            }
        }

        if (i < sizeof(kinds) / sizeof(kinds[0])) {
            sync_regexp_copy(r, strlen(kinds[i]));

        } else if (sync_str_starts(rest, "(?<")) {
            sync_regexp_copy(r, 2);
            rc = sync_regexp_name(r);

        } else {
            return sync_regexp_refuse(r, "there is no such group");
        }

    } else {
        sync_regexp_copy(r, 1);

        if (sync_regexp_at(r, '*')) {
            return sync_regexp_refuse(r, "a quantifier has nothing to "
                                      "repeat");
        }
    }

    if (rc == SYNC_OK) {
        rc = sync_regexp_alternatives(r);
    }

    if (rc != SYNC_OK) {
        return rc;
    }

    if (!sync_regexp_at(r, ')')) {
        return sync_regexp_refuse(r, "a parenthesis is not closed");
    }

    sync_regexp_copy(r, 1);
    r->depth--;

    return SYNC_OK;
}


/* "<name>", of letters, digits and "_". */

static sync_rc_t
sync_regexp_name(sync_regexp_t *r)
{
    unsigned char         ch;
    const unsigned char  *first;

    if (!sync_regexp_at(r, '<')) {
        return sync_regexp_refuse(r, "a group has no name");
    }

    sync_regexp_copy(r, 1);

    for (first = r->pos; r->pos < r->end; /* void */ ) {

        ch = *r->pos;

        if (ch != '_' && (ch < '0' || ch > '9' || r->pos == first)
            && ((ch | 0x20) < 'a' || (ch | 0x20) > 'z'))
        {
            break;
        }

        sync_regexp_copy(r, 1);
    }

    if (r->pos == first || r->pos - first > 32 || !sync_regexp_at(r, '>')) {
        return sync_regexp_refuse(r, "the name of a group has up to 32 "
                                  "letters, digits and \"_\"");
    }

    sync_regexp_copy(r, 1);

    return SYNC_OK;
}


static sync_rc_t
sync_regexp_quantifier(sync_regexp_t *r)
{
    if (sync_regexp_at(r, '*') || sync_regexp_at(r, '+')
        || sync_regexp_at(r, '?'))
    {
        sync_regexp_copy(r, 1);

    } else if (sync_regexp_at(r, '{') && sync_regexp_is_count(r)) {

        while (*r->pos != '}') {
            sync_regexp_copy(r, 1);
        }

        sync_regexp_copy(r, 1);

    } else {
        return SYNC_OK;
    }

    if (sync_regexp_at(r, '?')) {
        sync_regexp_copy(r, 1);
    }

    /* what PCRE2 would take as possessive */

    if (sync_regexp_at(r, '+')) {
        return sync_regexp_refuse(r, "a quantifier has nothing to repeat");
    }

    return SYNC_OK;
}


/* "{2}", "{2,}", "{2,4}" */

static int
sync_regexp_is_count(const sync_regexp_t *r)
{
    unsigned              digits, commas;
    const unsigned char  *p;

    digits = 0;
    commas = 0;

    for (p = r->pos + 1; p < r->end && *p != '}'; p++) {

        if (*p >= '0' && *p <= '9') {
            digits++;

        } else if (*p == ',' && digits > 0 && commas == 0) {
            commas++;

        } else {
            return 0;
        }
    }

    return p < r->end && digits > 0;
}


static sync_rc_t
sync_regexp_class(sync_regexp_t *r)
{
    int        not;
    sync_rc_t  rc;

    r->pos++;
    not = sync_regexp_at(r, '^');
    r->pos += not;

    if (sync_regexp_at(r, ']')) {
        r->pos++;
        sync_regexp_put(r, not ? "[\\x{0}-\\x{10ffff}]" : "(?!)");
        return SYNC_OK;
    }

    sync_regexp_put(r, not ? "[^" : "[");

    while (!sync_regexp_at(r, ']')) {

        if (r->pos == r->end) {
            return sync_regexp_refuse(r, "a class is not closed");
        }

        if (*r->pos == '\\') {
            rc = sync_regexp_escape(r, 1);

        } else {

            /* "[" and "[:" are themselves */

            if (*r->pos == '[' || *r->pos == '^') {
                sync_regexp_put(r, "\\");
            }

            rc = sync_regexp_char(r);
        }

        if (rc != SYNC_OK) {
            return rc;
        }
    }

    sync_regexp_copy(r, 1);

    return SYNC_OK;
}


static sync_rc_t
sync_regexp_escape(sync_regexp_t *r, int in_class)
{
    uint32_t       code;
    sync_rc_t      rc;
    unsigned char  ch;

    if (r->pos + 1 == r->end) {
        return sync_regexp_refuse(r, "a backslash ends it");
    }

    ch = r->pos[1];

    switch (ch) {

    case 'd':
    case 'D':
    case 'w':
    case 'W':
    case 't':
    case 'n':
    case 'r':
    case 'f':

        /* the same, and of ASCII alone */

        sync_regexp_copy(r, 2);
        return SYNC_OK;

    case 's':
    case 'S':
        r->pos += 2;
        sync_regexp_put(r, in_class ? "" : "[");
        sync_regexp_put(r, ch == 's' ? SYNC_REGEXP_SPACE
                                     : SYNC_REGEXP_NO_SPACE);
        sync_regexp_put(r, in_class ? "" : "]");
        return SYNC_OK;

    case 'v':
        r->pos += 2;
        sync_regexp_code(r, 0x0b);
        return SYNC_OK;

    case 'b':
    case 'B':
        if (!in_class) {
            sync_regexp_copy(r, 2);
            return SYNC_OK;
        }

        if (ch == 'b') {
            r->pos += 2;
            sync_regexp_code(r, 0x08);
            return SYNC_OK;
        }

        break;

    case 'c':
        if (r->end - r->pos > 2 && (r->pos[2] | 0x20) >= 'a'
            && (r->pos[2] | 0x20) <= 'z')
        {
            sync_regexp_code(r, r->pos[2] & 0x1f);
            r->pos += 3;
            return SYNC_OK;
        }

        break;

    case 'x':
        r->pos += 2;
        rc = sync_regexp_hex(r, 2, &code);

        if (rc == SYNC_OK) {
            sync_regexp_code(r, code);
        }

        return rc;

    case 'u':
        r->pos += 2;
        return sync_regexp_unicode(r);

    case 'p':
    case 'P':
        return sync_regexp_property(r);

    case 'k':
        if (!in_class) {
            sync_regexp_copy(r, 2);
            return sync_regexp_name(r);
        }

        break;

    case '0':
        r->pos += 2;

        if (r->pos < r->end && *r->pos >= '0' && *r->pos <= '9') {
            return sync_regexp_refuse(r, "there are no octal escapes");
        }

        sync_regexp_code(r, 0);
        return SYNC_OK;

    case '-':
        if (!in_class) {
            break;
        }

        sync_regexp_copy(r, 2);
        return SYNC_OK;

    case '^': case '$': case '\\': case '.': case '*': case '+': case '?':
    case '(': case ')': case '[': case ']': case '{': case '}': case '|':
    case '/':
        sync_regexp_copy(r, 2);
        return SYNC_OK;
    }

    if (ch >= '1' && ch <= '9' && !in_class) {

        r->pos++;
        sync_regexp_put(r, "\\g{");

        while (r->pos < r->end && *r->pos >= '0' && *r->pos <= '9') {
            sync_regexp_copy(r, 1);
        }

        sync_regexp_put(r, "}");

        return SYNC_OK;
    }

    return sync_regexp_refuse(r, "there is no such escape");
}


/* \p{L}, \p{Letter}, \p{gc=Lu}, \p{Script=Greek}, \p{Alphabetic} */

static sync_rc_t
sync_regexp_property(sync_regexp_t *r)
{
    size_t      i, eq;
    sync_str_t  name;

    sync_regexp_copy(r, 2);

    if (!sync_regexp_at(r, '{')) {
        return sync_regexp_refuse(r, "\\p wants a name in braces");
    }

    name.data = (unsigned char *) (uintptr_t) ++r->pos;

    while (r->pos < r->end && *r->pos != '}') {

        if (*r->pos != '_' && *r->pos != '=' && (*r->pos < '0' || *r->pos > '9')
            && ((*r->pos | 0x20) < 'a' || (*r->pos | 0x20) > 'z'))
        {
            return sync_regexp_refuse(r, "\\p wants a name in braces");
        }

        r->pos++;
    }

    name.len = (size_t) (r->pos - name.data);

    if (r->pos == r->end || name.len == 0 || name.len > 48) {
        return sync_regexp_refuse(r, "\\p wants a name in braces");
    }

    r->pos++;

    for (eq = 0; eq < name.len && name.data[eq] != '='; eq++) { /* void */ }

    if (eq < name.len) {

        if ((eq == 2 && memcmp(name.data, "gc", 2) == 0)
            || (eq == 16 && memcmp(name.data, "General_Category", 16) == 0))
        {
            name.data += eq + 1;
            name.len -= eq + 1;
        }
    }

    sync_regexp_put(r, "{");

    for (i = 0; i < sizeof(sync_regexp_categories)
                    / sizeof(sync_regexp_categories[0]);
         i++)
    {
        if (sync_str_is(name, sync_regexp_categories[i].name)) {
            sync_regexp_put(r, sync_regexp_categories[i].category);
            sync_regexp_put(r, "}");
            return SYNC_OK;
        }
    }

    sync_json_value(&r->out, name);
    r->out.comma = 0;
    sync_regexp_put(r, "}");

    return SYNC_OK;
}


static sync_rc_t
sync_regexp_hex(sync_regexp_t *r, unsigned digits, uint32_t *code)
{
    unsigned char  ch;

    for (*code = 0; digits > 0; digits--, r->pos++) {

        ch = r->pos < r->end ? *r->pos : 0;

        if (ch >= '0' && ch <= '9') {
            *code = *code << 4 | (uint32_t) (ch - '0');

        } else if ((ch | 0x20) >= 'a' && (ch | 0x20) <= 'f') {
            *code = *code << 4 | (uint32_t) ((ch | 0x20) - 'a' + 10);

        } else {
            return sync_regexp_refuse(r, "a hexadecimal digit is missing");
        }
    }

    return SYNC_OK;
}


/* \u0041, \uD83D\uDE00, \u{1F600}; behind the "u" */

static sync_rc_t
sync_regexp_unicode(sync_regexp_t *r)
{
    uint32_t              code, low;
    sync_rc_t             rc;
    const unsigned char  *p;

    if (sync_regexp_at(r, '{')) {
        p = ++r->pos;

        while (r->pos < r->end && *r->pos != '}') {
            r->pos++;
        }

        if (r->pos == r->end || r->pos == p || r->pos - p > 6) {
            return sync_regexp_refuse(r, "\\u{ } has one to six digits");
        }

        low = (uint32_t) (r->pos - p);
        r->pos = p;
        rc = sync_regexp_hex(r, low, &code);

        if (rc != SYNC_OK) {
            return rc;
        }

        r->pos++;

    } else {
        rc = sync_regexp_hex(r, 4, &code);

        if (rc != SYNC_OK) {
            return rc;
        }

        if (code >= 0xd800 && code <= 0xdbff && r->end - r->pos >= 6
            && r->pos[0] == '\\' && r->pos[1] == 'u')
        {
            r->pos += 2;
            rc = sync_regexp_hex(r, 4, &low);

            if (rc != SYNC_OK) {
                return rc;
            }

            if (low < 0xdc00 || low > 0xdfff) {
                return sync_regexp_refuse(r, "a surrogate is alone");
            }

            code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        }
    }

    if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) {
        return sync_regexp_refuse(r, "there is no such character");
    }

    sync_regexp_code(r, code);

    return SYNC_OK;
}


static void
sync_regexp_code(sync_regexp_t *r, uint32_t code)
{
    char  text[16];

    snprintf(text, sizeof(text), "\\x{%x}", (unsigned) code);
    sync_regexp_put(r, text);
}


static sync_rc_t
sync_regexp_char(sync_regexp_t *r)
{
    size_t  len;

    len = sync_json_utf8(r->pos, r->end);

    if (len == 0) {
        return sync_regexp_refuse(r, "it is not UTF-8");
    }

    sync_regexp_copy(r, len);

    return SYNC_OK;
}


static void
sync_regexp_copy(sync_regexp_t *r, size_t len)
{
    sync_json_value(&r->out, (sync_str_t) { len,
                                   (unsigned char *) (uintptr_t) r->pos });
    r->out.comma = 0;
    r->pos += len;
}


static void
sync_regexp_put(sync_regexp_t *r, const char *s)
{
    sync_json_value(&r->out, (sync_str_t) { strlen(s),
                                   (unsigned char *) (uintptr_t) s });
    r->out.comma = 0;
}


static sync_rc_t
sync_regexp_refuse(sync_regexp_t *r, const char *fault)
{
    return sync_refuse(r->err, "regexp", (size_t) (r->pos - r->start),
                       "a regular expression: %s", fault);
}
