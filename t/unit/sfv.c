
/*
 * Structured fields, against the tests of the HTTP working group.
 */


#include "tap.h"
#include "sync_json.h"
#include "sync_sfv.h"


static sync_arena_t  *arena;


static sync_str_t
str(const char *s)
{
    return (sync_str_t) { strlen(s), (unsigned char *) s };
}


/* A base32 text of the suite (RFC 4648, 6) against bytes. */

static int
is_base32(sync_str_t got, sync_str_t want)
{
    size_t         i, n;
    uint32_t       bits, have;
    const char    *at;
    unsigned char  byte;

    static const char  alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

    bits = have = 0;
    n = 0;

    for (i = 0; i < want.len && want.data[i] != '='; i++) {
        at = strchr(alphabet, want.data[i]);
        bits = bits << 5 | (uint32_t) (at - alphabet);
        have += 5;

        if (have >= 8) {
            have -= 8;
            byte = (unsigned char) (bits >> have);

            if (n >= got.len || got.data[n++] != byte) {
                return 0;
            }
        }
    }

    return n == got.len;
}


/* A decimal as the suite writes it, in thousandths. */

static int64_t
thousandths(sync_str_t s)
{
    int      behind;
    size_t   i;
    int64_t  n;

    n = 0;
    behind = -1;

    for (i = s.data[0] == '-'; i < s.len; i++) {

        if (s.data[i] == '.') {
            behind = 0;
            continue;
        }

        n = n * 10 + (s.data[i] - '0');
        behind += behind != -1;
    }

    for (behind = behind == -1 ? 0 : behind; behind < 3; behind++) {
        n *= 10;
    }

    return s.data[0] == '-' ? -n : n;
}


static int
is_value(const sync_sfv_value_t *v, const sync_json_t *j, uint32_t n)
{
    int64_t     number;
    uint32_t    value;
    sync_str_t  type;

    switch (j->nodes[n].type) {

    case SYNC_JSON_TRUE:
    case SYNC_JSON_FALSE:
        return v->type == SYNC_SFV_BOOLEAN
               && v->number == (j->nodes[n].type == SYNC_JSON_TRUE);

    case SYNC_JSON_STRING:
        return v->type == SYNC_SFV_STRING && v->text.data
               && sync_json_equals(j, n, v->text);

    case SYNC_JSON_NUMBER:

        if (j->nodes[n].flags & SYNC_JSON_INTEGER) {
            return v->type == SYNC_SFV_INTEGER
                   && sync_json_int(j, n, &number) == SYNC_OK
                   && v->number == number;
        }

        return v->type == SYNC_SFV_DECIMAL
               && v->number == thousandths(sync_json_slice(j, n));

    case SYNC_JSON_OBJECT:
        type = sync_json_slice(j, sync_json_member(j, n, str("__type")));
        value = sync_json_member(j, n, str("value"));

        if (sync_str_is(type, "token")) {
            return v->type == SYNC_SFV_TOKEN
                   && sync_json_equals(j, value, v->text);
        }

        if (sync_str_is(type, "binary")) {
            return v->type == SYNC_SFV_BYTES
                   && is_base32(v->text, sync_json_slice(j, value));
        }

        if (sync_str_is(type, "displaystring")) {
            return v->type == SYNC_SFV_DISPLAY
                   && sync_json_equals(j, value, v->text);
        }

        if (sync_str_is(type, "date")) {
            return v->type == SYNC_SFV_DATE
                   && sync_json_int(j, value, &number) == SYNC_OK
                   && v->number == number;
        }
    }

    return 0;
}


static int
is_item(const sync_sfv_item_t *item, const sync_json_t *j, uint32_t n)
{
    uint32_t  i, value, params, pair;

    value = sync_json_first(j, n);
    params = sync_json_after(j, n, value);

    if (!is_value(&item->value, j, value)
        || item->nparams != j->nodes[params].len)
    {
        return 0;
    }

    pair = sync_json_first(j, params);

    for (i = 0; i < item->nparams; i++) {
        value = sync_json_first(j, pair);

        if (!sync_json_equals(j, value, item->params[i].key)
            || !is_value(&item->params[i].value, j,
                         sync_json_after(j, pair, value)))
        {
            return 0;
        }

        pair = sync_json_after(j, params, pair);
    }

    return 1;
}


static sync_str_t
joined(const sync_json_t *j, uint32_t list)
{
    uint32_t        i;
    sync_str_t      s, line;
    unsigned char  *p;

    p = sync_alloc(arena, j->text.len);
    s.data = p;

    for (i = sync_json_first(j, list); i != SYNC_JSON_NONE;
         i = sync_json_after(j, list, i))
    {
        if (p != s.data) {
            *p++ = ',';
            *p++ = ' ';
        }

        line = sync_json_unescape(j, i, arena);
        memcpy(p, line.data, line.len);
        p += line.len;
    }

    s.len = (size_t) (p - s.data);

    return s;
}


static void
test_suite(const char *name, int want)
{
    int              count, bad;
    char             path[256];
    uint32_t         i, n;
    sync_rc_t        rc;
    sync_str_t       text, in;
    sync_json_t      j;
    sync_error_t     err;
    unsigned char   *exact;
    sync_sfv_item_t  item;

    snprintf(path, sizeof(path), "structured-fields/%s.json", name);
    text = suite_file(arena, path);

    if (text.data == NULL) {
        skip("structured-field-tests are absent: %s", name);
        return;
    }

    if (sync_json_parse(&j, arena, text, NULL, &err) != SYNC_OK) {
        ok(0, "%s: %s", name, err.text);
        return;
    }

    count = bad = 0;

    for (i = sync_json_first(&j, 0); i != SYNC_JSON_NONE;
         i = sync_json_after(&j, 0, i))
    {
        n = sync_json_member(&j, i, str("header_type"));

        if (!sync_json_equals(&j, n, str("item"))) {
            continue;
        }

        count++;
        in = joined(&j, sync_json_member(&j, i, str("raw")));

        /* exactly as large as the field: a byte too many would be seen */

        exact = malloc(in.len ? in.len : 1);
        memcpy(exact, in.data, in.len);

        rc = sync_sfv_item((sync_str_t) { in.len, exact }, arena, &item, &err);

        n = sync_json_member(&j, i, str("must_fail"));

        if (n != SYNC_JSON_NONE
            ? rc != SYNC_NO || err.offset > in.len
            : rc != SYNC_OK
              || !is_item(&item, &j,
                          sync_json_member(&j, i, str("expected"))))
        {
            n = sync_json_member(&j, i, str("name"));
            diag("%s: %.*s: %s", name, (int) j.nodes[n].len,
                 text.data + j.nodes[n].off,
                 rc == SYNC_OK ? "taken" : err.text);
            bad++;
        }

        free(exact);
    }

    ok(bad == 0, "%s: %d items", name, count);
    is_int(count, want, "%s: all were read", name);
}


static void
test_items(void)
{
    size_t           i;
    sync_rc_t        rc;
    sync_error_t     err;
    sync_sfv_item_t  item;

    static const char  *none[] = {
        "", "-", "-.1", "1.", "1.2345", "1234567890123.1",
        "1234567890123456", "1..2", "?", "?2", "?10", "\"", "\"\\",
        "\"a\\n\"", "a b", "a,b", ":YQ", ":Y*==:", ":Y:", ":YQ===:",
        ":YQ=a:", ":YWJj====:", "@1.5", "@", "@x", "%a", "%\"%e\"",
        "%\"%E2%82%AC\"", "%\"%ff\"", "%\"a", "1;", "1;A", "1;a=", "1; a;=",
        "(1)", "\t1"
    };

    static const struct {
        const char       *text;
        sync_sfv_type_e   type;
        int64_t           number;
        const char       *string;
    } some[] = {
        { "42", SYNC_SFV_INTEGER, 42, NULL },
        { "-999999999999999", SYNC_SFV_INTEGER, -999999999999999, NULL },
        { "-0.5", SYNC_SFV_DECIMAL, -500, NULL },
        { "999999999999.999", SYNC_SFV_DECIMAL, 999999999999999, NULL },
        { "?1", SYNC_SFV_BOOLEAN, 1, NULL },
        { "@-62135596800", SYNC_SFV_DATE, -62135596800, NULL },
        { "*a:/b", SYNC_SFV_TOKEN, 0, "*a:/b" },
        { "\"a\\\"b\\\\c\"", SYNC_SFV_STRING, 0, "a\"b\\c" },
        { ":aGVsbG8=:", SYNC_SFV_BYTES, 0, "hello" },
        { ":aGVsbG8:", SYNC_SFV_BYTES, 0, "hello" },
        { "::", SYNC_SFV_BYTES, 0, "" },
        { "%\"f%c3%bc%22\"", SYNC_SFV_DISPLAY, 0, "f\xc3\xbc\"" },
        { "  1;a;b=2;a=?0  ", SYNC_SFV_INTEGER, 1, NULL }
    };

    for (i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        rc = sync_sfv_item(str(none[i]), arena, &item, &err);
        ok(rc == SYNC_NO && strcmp(err.what, "structured-field") == 0,
           "[%s] is no item", none[i]);
    }

    for (i = 0; i < sizeof(some) / sizeof(some[0]); i++) {
        rc = sync_sfv_item(str(some[i].text), arena, &item, &err);

        if (ok(rc == SYNC_OK, "[%s] is an item", some[i].text)) {
            is_int(item.value.type, some[i].type, "its type");
            is_int(item.value.number, some[i].number, "its number");

            if (some[i].string) {
                is_str(item.value.text, some[i].string, "its text");
            }
        }
    }

    is_int(item.nparams, 2, "parameters are unique");
    is_str(item.params[0].key, "a", "the first one keeps its place");
    is_int(item.params[0].value.number, 0, "the last value counts");
    is_int(item.params[1].value.number, 2, "and the other has its own");
}


static void
key(const char *in, sync_sfv_syntax_e syntax, const char *want)
{
    sync_rc_t     rc;
    sync_str_t    s;
    sync_error_t  err;

    rc = sync_sfv_idempotency_key(str(in), syntax, arena, &s, &err);

    if (want == NULL) {
        ok(rc == SYNC_NO && strcmp(err.what, "idempotency-key") == 0,
           "[%.40s] is no key", in);
        return;
    }

    if (ok(rc == SYNC_OK, "[%.40s] is a key", in)) {
        is_str(s, want, "the one expected");
    }
}


static void
test_keys(void)
{
    char        text[2000];
    sync_str_t  s;

    static const char  uuid[] = "8e03978e-40d5-43dd-bc93-6894a57f9324";

    key("\"8e03978e-40d5-43dd-bc93-6894a57f9324\"", SYNC_SFV_STRICT, uuid);
    key("\"8e03978e-40d5-43dd-bc93-6894a57f9324\"", SYNC_SFV_COMPAT, uuid);
    key("8e03978e-40d5-43dd-bc93-6894a57f9324", SYNC_SFV_COMPAT, uuid);
    key("8e03978e-40d5-43dd-bc93-6894a57f9324", SYNC_SFV_STRICT, NULL);
    key(" \"a b\" ", SYNC_SFV_COMPAT, "a b");
    key("\"a\\\"\\\\b\"", SYNC_SFV_COMPAT, "a\"\\b");
    key("\"a\";p=1", SYNC_SFV_STRICT, "a");
    key("order:4711/1=+{}~!", SYNC_SFV_COMPAT, "order:4711/1=+{}~!");
    key(" x ", SYNC_SFV_COMPAT, "x");
    key("42", SYNC_SFV_COMPAT, "42");
    key("42", SYNC_SFV_STRICT, NULL);
    key("?1", SYNC_SFV_STRICT, NULL);

    key("", SYNC_SFV_COMPAT, NULL);
    key("  ", SYNC_SFV_COMPAT, NULL);
    key("\"\"", SYNC_SFV_COMPAT, NULL);
    key("\"\"", SYNC_SFV_STRICT, NULL);
    key("a b", SYNC_SFV_COMPAT, NULL);
    key("a,b", SYNC_SFV_COMPAT, NULL);
    key("a;b", SYNC_SFV_COMPAT, NULL);
    key("a\"b", SYNC_SFV_COMPAT, NULL);
    key("a\\b", SYNC_SFV_COMPAT, NULL);
    key("a\tb", SYNC_SFV_COMPAT, NULL);
    key("\xc3\xa9", SYNC_SFV_COMPAT, NULL);
    key("\"\xc3\xa9\"", SYNC_SFV_COMPAT, NULL);
    key("\"a", SYNC_SFV_COMPAT, NULL);
    key("\"a\" x", SYNC_SFV_COMPAT, NULL);
    key("\"a\", \"b\"", SYNC_SFV_COMPAT, NULL);

    ok(sync_sfv_string(str("token"), arena, &s, NULL) == SYNC_NO,
       "a token is no string");
    ok(sync_sfv_string(str("\"\"; a=1"), arena, &s, NULL) == SYNC_OK
       && s.len == 0, "an empty string is one");

    memset(text, 'k', sizeof(text));
    text[255] = '\0';
    key(text, SYNC_SFV_COMPAT, text);
    text[255] = 'k';
    text[256] = '\0';
    key(text, SYNC_SFV_COMPAT, NULL);
    text[256] = 'k';
    text[1999] = '\0';
    key(text, SYNC_SFV_COMPAT, NULL);
    text[0] = '"';
    text[256] = '"';
    text[257] = '\0';
    text[1] = 'k';
    ok(sync_sfv_idempotency_key(str(text), SYNC_SFV_STRICT, arena, &s, NULL)
       == SYNC_OK && s.len == 255, "255 characters in quotes");
    text[257] = '"';
    text[256] = 'k';
    text[258] = '\0';
    key(text, SYNC_SFV_STRICT, NULL);
}


int
main(void)
{
    arena = sync_arena_create(64 * 1024);

    test_items();
    test_keys();
    test_suite("item", 5);
    test_suite("string", 14);
    test_suite("string-generated", 256);

    sync_arena_destroy(arena);

    return done_testing();
}
