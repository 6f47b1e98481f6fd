
/*
 * I-Regexp (RFC 9485): checked and translated to PCRE2.
 */


#include "sync_iregexp.h"
#include "sync_json.h"

#define PCRE2_CODE_UNIT_WIDTH  8
#include <pcre2.h>

#include <stdio.h>
#include <stdlib.h>


#define SYNC_IREGEXP_FRAMES  10000   /* nested backtracking points */
#define SYNC_IREGEXP_HEAP    4096    /* KiB for them */


struct sync_iregexp_s {
    pcre2_code              *code;
    pcre2_general_context   *memory;
    sync_arena_t            *arena;
};


typedef struct {
    const unsigned char     *start;
    const unsigned char     *pos;
    const unsigned char     *end;
    unsigned char           *out;
    sync_error_t            *err;
} sync_iregexp_reader_t;


static void *sync_iregexp_malloc(size_t size, void *data);
static void sync_iregexp_unalloc(void *p, void *data);
static sync_rc_t sync_iregexp_alternatives(sync_iregexp_reader_t *r,
    unsigned depth);
static sync_rc_t sync_iregexp_atom(sync_iregexp_reader_t *r, unsigned depth);
static sync_rc_t sync_iregexp_quantifier(sync_iregexp_reader_t *r);
static sync_rc_t sync_iregexp_count(sync_iregexp_reader_t *r);
static sync_rc_t sync_iregexp_class(sync_iregexp_reader_t *r);
static sync_rc_t sync_iregexp_class_char(sync_iregexp_reader_t *r);
static sync_rc_t sync_iregexp_escape(sync_iregexp_reader_t *r, int *category);
static sync_rc_t sync_iregexp_category(sync_iregexp_reader_t *r);
static sync_rc_t sync_iregexp_char(sync_iregexp_reader_t *r);
static sync_rc_t sync_iregexp_refuse(sync_iregexp_reader_t *r,
    const char *fault);


#define sync_iregexp_at(r, ch)                                                \
    ((r)->pos < (r)->end && *(r)->pos == (ch))

#define sync_iregexp_put(r, s)                                                \
    ((r)->out = (unsigned char *) memcpy((r)->out, (s), sizeof(s) - 1)        \
                + sizeof(s) - 1)


sync_rc_t
sync_iregexp_compile(sync_iregexp_t **re, sync_arena_t *arena,
    sync_str_t pattern, int whole, sync_error_t *err)
{
    uint32_t                options;
    sync_rc_t               rc;
    sync_iregexp_reader_t   r;

    /* one byte becomes at most nine: "." is [^\n\r] with its escapes */

    unsigned char           text[SYNC_IREGEXP_LEN * 9];

    if (pattern.len > SYNC_IREGEXP_LEN) {
        return sync_refuse(err, "regexp", 0,
                           "a regular expression has more than %d bytes",
                           SYNC_IREGEXP_LEN);
    }

    r.start = pattern.data;
    r.pos = pattern.data;
    r.end = pattern.data + pattern.len;
    r.out = text;
    r.err = err;

    rc = sync_iregexp_alternatives(&r, 0);

    if (rc != SYNC_OK) {
        return rc;
    }

    if (r.pos != r.end) {
        return sync_iregexp_refuse(&r, "a parenthesis was not opened");
    }

    options = PCRE2_NO_AUTO_CAPTURE;

    if (whole) {
        options |= PCRE2_ANCHORED | PCRE2_ENDANCHORED;
    }

    return sync_iregexp_build(re, arena,
                              (sync_str_t) { (size_t) (r.out - text), text },
                              options, err);
}


sync_rc_t
sync_iregexp_build(sync_iregexp_t **re, sync_arena_t *arena, sync_str_t text,
    uint32_t options, sync_error_t *err)
{
    int                     error;
    size_t                  at;
    sync_iregexp_t         *x;
    pcre2_compile_context  *cc;

    x = sync_iregexp_malloc(sizeof(sync_iregexp_t), arena);
    if (x == NULL) {
        return SYNC_FAULT;
    }

    x->arena = arena;
    x->code = NULL;
    x->memory = pcre2_general_context_create(sync_iregexp_malloc,
                                             sync_iregexp_unalloc, arena);
    cc = x->memory ? pcre2_compile_context_create(x->memory) : NULL;

    if (cc == NULL) {
        sync_iregexp_free(x);
        return SYNC_FAULT;
    }

    options |= PCRE2_UTF | PCRE2_NO_UTF_CHECK | PCRE2_NEVER_BACKSLASH_C
               | PCRE2_DOLLAR_ENDONLY;

    x->code = pcre2_compile(text.data, text.len, options, &error, &at, cc);

    pcre2_compile_context_free(cc);

    if (x->code == NULL) {
        sync_iregexp_free(x);

        return error == PCRE2_ERROR_HEAP_FAILED
               ? SYNC_FAULT
               : sync_refuse(err, "regexp", 0, "a regular expression is too "
                             "large, or has an empty range");
    }

    *re = x;

    return SYNC_OK;
}


void
sync_iregexp_free(sync_iregexp_t *re)
{
    pcre2_code_free(re->code);
    pcre2_general_context_free(re->memory);
    sync_iregexp_unalloc(re, re->arena);
}


sync_rc_t
sync_iregexp_match(const sync_iregexp_t *re, sync_str_t subject,
    uint64_t *work, int *matched, sync_error_t *err)
{
    int                   rc;
    uint64_t              limit;
    pcre2_match_data     *md;
    pcre2_match_context  *mc;

    /* by malloc: what a match takes is given back at once */

    md = pcre2_match_data_create(1, NULL);
    mc = pcre2_match_context_create(NULL);

    if (md == NULL || mc == NULL) {
        pcre2_match_data_free(md);
        pcre2_match_context_free(mc);
        return SYNC_FAULT;
    }

    pcre2_set_depth_limit(mc, SYNC_IREGEXP_FRAMES);
    pcre2_set_heap_limit(mc, SYNC_IREGEXP_HEAP);

    /*
     * PCRE2 does not tell how many steps it made, it only stops: so most
     * matches are paid a little, and who wants more begins anew and pays.
     */

    for (limit = 64 + subject.len; /* void */ ; limit *= 8) {

        if (limit >= *work || limit > UINT32_MAX) {
            *work = 0;
            rc = PCRE2_ERROR_MATCHLIMIT;
            break;
        }

        *work -= limit;
        pcre2_set_match_limit(mc, (uint32_t) limit);

        rc = pcre2_match(re->code, subject.data, subject.len, 0,
                         PCRE2_NO_UTF_CHECK, md, mc);

        if (rc != PCRE2_ERROR_MATCHLIMIT) {
            break;
        }
    }

    pcre2_match_data_free(md);
    pcre2_match_context_free(mc);

    if (rc >= 0 || rc == PCRE2_ERROR_NOMATCH) {
        *matched = rc >= 0;
        return SYNC_OK;
    }

    if (rc == PCRE2_ERROR_MATCHLIMIT || rc == PCRE2_ERROR_DEPTHLIMIT
        || rc == PCRE2_ERROR_HEAPLIMIT)
    {
        return sync_refuse(err, "too-much-work", SYNC_NOWHERE,
                           "a regular expression takes too long");
    }

    return SYNC_FAULT;
}


static void *
sync_iregexp_malloc(size_t size, void *data)
{
    return data ? sync_alloc((sync_arena_t *) data, size) : malloc(size);
}


static void
sync_iregexp_unalloc(void *p, void *data)
{
    if (data == NULL) {
        free(p);
    }
}


/* i-regexp = branch *( "|" branch ), branch = *piece; to the end or a ")" */

static sync_rc_t
sync_iregexp_alternatives(sync_iregexp_reader_t *r, unsigned depth)
{
    sync_rc_t  rc;

    if (depth > SYNC_IREGEXP_DEPTH) {
        return sync_iregexp_refuse(r, "parentheses are nested too deep");
    }

    while (r->pos < r->end && *r->pos != ')') {

        if (*r->pos == '|') {
            *r->out++ = *r->pos++;
            continue;
        }

        if (*r->pos == '^' || *r->pos == '$') {
            *r->out++ = *r->pos++;
            continue;
        }

        rc = sync_iregexp_atom(r, depth);

        if (rc == SYNC_OK) {
            rc = sync_iregexp_quantifier(r);
        }

        if (rc != SYNC_OK) {
            return rc;
        }
    }

    return SYNC_OK;
}


static sync_rc_t
sync_iregexp_atom(sync_iregexp_reader_t *r, unsigned depth)
{
    int        category;
    sync_rc_t  rc;

    switch (*r->pos) {

    case '(':
        r->pos++;
        sync_iregexp_put(r, "(?:");

        rc = sync_iregexp_alternatives(r, depth + 1);
        if (rc != SYNC_OK) {
            return rc;
        }

        if (!sync_iregexp_at(r, ')')) {
            return sync_iregexp_refuse(r, "a parenthesis is not closed");
        }

        *r->out++ = *r->pos++;

        return SYNC_OK;

    case '[':
        return sync_iregexp_class(r);

    case '\\':
        return sync_iregexp_escape(r, &category);

    case '.':
        r->pos++;
        sync_iregexp_put(r, "[^\\n\\r]");
        return SYNC_OK;

    case '*':
    case '+':
    case '?':
    case '{':
    case '}':
    case ']':
        return sync_iregexp_refuse(r, "a character stands where it must be "
                                   "escaped");
    }

    return sync_iregexp_char(r);
}


static sync_rc_t
sync_iregexp_quantifier(sync_iregexp_reader_t *r)
{
    sync_rc_t  rc;

    if (sync_iregexp_at(r, '*') || sync_iregexp_at(r, '+')
        || sync_iregexp_at(r, '?'))
    {
        *r->out++ = *r->pos++;
        return SYNC_OK;
    }

    if (!sync_iregexp_at(r, '{')) {
        return SYNC_OK;
    }

    *r->out++ = *r->pos++;

    rc = sync_iregexp_count(r);

    if (rc == SYNC_OK && sync_iregexp_at(r, ',')) {
        *r->out++ = *r->pos++;

        if (!sync_iregexp_at(r, '}')) {
            rc = sync_iregexp_count(r);
        }
    }

    if (rc != SYNC_OK) {
        return rc;
    }

    if (!sync_iregexp_at(r, '}')) {
        return sync_iregexp_refuse(r, "a quantifier is not closed");
    }

    *r->out++ = *r->pos++;

    return SYNC_OK;
}


static sync_rc_t
sync_iregexp_count(sync_iregexp_reader_t *r)
{
    const unsigned char  *p;

    for (p = r->pos; r->pos < r->end && *r->pos >= '0' && *r->pos <= '9'; ) {
        *r->out++ = *r->pos++;
    }

    if (r->pos == p || r->pos - p > 5) {
        return sync_iregexp_refuse(r, "a quantifier has one to five digits");
    }

    return SYNC_OK;
}


/* "[" [ "^" ] ( "-" / CCE1 ) *CCE1 [ "-" ] "]" */

static sync_rc_t
sync_iregexp_class(sync_iregexp_reader_t *r)
{
    int                   category;
    sync_rc_t             rc;
    const unsigned char  *first;

    *r->out++ = *r->pos++;

    if (sync_iregexp_at(r, '^')) {
        *r->out++ = *r->pos++;
    }

    for (first = r->pos; !sync_iregexp_at(r, ']') || r->pos == first; ) {

        if (r->pos == r->end) {
            return sync_iregexp_refuse(r, "a class is not closed");
        }

        if (*r->pos == '-') {

            if (r->pos != first
                && !(r->end - r->pos > 1 && r->pos[1] == ']'))
            {
                return sync_iregexp_refuse(r, "\"-\" stands for itself only "
                                           "first or last in a class");
            }

            r->pos++;
            sync_iregexp_put(r, "\\-");
            continue;
        }

        category = 0;
        rc = *r->pos == '\\' ? sync_iregexp_escape(r, &category)
                             : sync_iregexp_class_char(r);

        if (rc != SYNC_OK) {
            return rc;
        }

        if (category || !sync_iregexp_at(r, '-')
            || (r->end - r->pos > 1 && r->pos[1] == ']'))
        {
            continue;
        }

        *r->out++ = *r->pos++;

        if (r->pos == r->end) {
            return sync_iregexp_refuse(r, "a class is not closed");
        }

        rc = *r->pos == '\\' ? sync_iregexp_escape(r, &category)
                             : sync_iregexp_class_char(r);

        if (rc == SYNC_OK && category) {
            rc = sync_iregexp_refuse(r, "a range ends in a category");
        }

        if (rc != SYNC_OK) {
            return rc;
        }
    }

    *r->out++ = *r->pos++;

    return SYNC_OK;
}


static sync_rc_t
sync_iregexp_class_char(sync_iregexp_reader_t *r)
{
    if (*r->pos == '[' || *r->pos == ']' || *r->pos == '-') {
        return sync_iregexp_refuse(r, "a character stands in a class where "
                                   "it must be escaped");
    }

    return sync_iregexp_char(r);
}


static sync_rc_t
sync_iregexp_escape(sync_iregexp_reader_t *r, int *category)
{
    unsigned char  ch;

    ch = r->end - r->pos > 1 ? r->pos[1] : '\0';
    *category = ch == 'p' || ch == 'P';

    if (*category) {
        return sync_iregexp_category(r);
    }

    if (ch == '\0' || strchr("()*+-.?[\\]^nrt{|}$", ch) == NULL) {
        return sync_iregexp_refuse(r, "there is no such escape");
    }

    *r->out++ = '\\';
    *r->out++ = ch;
    r->pos += 2;

    return SYNC_OK;
}


/* \p{Lu}, \P{N} */

static sync_rc_t
sync_iregexp_category(sync_iregexp_reader_t *r)
{
    int                   i;
    size_t                len;
    const unsigned char  *p;

    static const char  *const majors = "LMNPZSC";
    static const char  *const minors[] = {
        "lmotu", "cen", "dlo", "cdefios", "lps", "ckmo", "cfno"
    };

    p = r->pos + 2;
    len = (size_t) (r->end - p);

    if (len >= 3 && p[0] == '{' && p[1] && strchr(majors, p[1]) != NULL) {
        i = (int) (strchr(majors, p[1]) - majors);

        if (p[2] == '}') {
            len = 3;

        } else if (len >= 4 && p[3] == '}' && p[2]
                   && strchr(minors[i], p[2]) != NULL)
        {
            len = 4;

        } else {
            len = 0;
        }

        if (len) {
            len += 2;
            memcpy(r->out, r->pos, len);
            r->out += len;
            r->pos += len;
            return SYNC_OK;
        }
    }

    return sync_iregexp_refuse(r, "there is no such category");
}


/* A character for itself: what PCRE2 might take otherwise is escaped. */

static sync_rc_t
sync_iregexp_char(sync_iregexp_reader_t *r)
{
    size_t  len;

    len = sync_json_utf8(r->pos, r->end);

    if (len == 0) {
        return sync_iregexp_refuse(r, "this is not UTF-8");
    }

    if (*r->pos && strchr("!\"#$%&',-/:;<=>@^_`~", *r->pos) != NULL) {
        *r->out++ = '\\';
    }

    memcpy(r->out, r->pos, len);
    r->out += len;
    r->pos += len;

    return SYNC_OK;
}


static sync_rc_t
sync_iregexp_refuse(sync_iregexp_reader_t *r, const char *fault)
{
    return sync_refuse(r->err, "regexp", (size_t) (r->pos - r->start),
                       "this is no regular expression of RFC 9485: %s",
                       fault);
}
