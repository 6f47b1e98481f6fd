
/*
 * Assertions, the answers of token endpoints, and a secret inside a body.
 */


#include "sync_credentials.h"
#include "sync_json.h"
#include "sync_value.h"

#include <strings.h>


#define SYNC_TOKEN_ERROR  64


static sync_rc_t sync_token_member(const sync_value_t *root,
    sync_token_answer_t *answer, sync_arena_t *arena, sync_error_t *err);
static int64_t sync_token_lifetime(const sync_value_t *v, int64_t unsaid);
static int64_t sync_token_seconds(sync_str_t s);
static sync_rc_t sync_body_splice(const sync_json_t *json, size_t off,
    size_t skip, int comma, sync_str_t name, sync_str_t value,
    sync_arena_t *arena, sync_str_t *out);
static sync_str_t sync_body_token(sync_str_t token, sync_arena_t *arena);


void
sync_percent_add(sync_text_t *text, sync_str_t s)
{
    size_t                i;
    unsigned char         ch;
    static const char     hex[] = "0123456789ABCDEF";

    for (i = 0; i < s.len; i++) {
        ch = s.data[i];

        if ((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z')
            || (ch >= '0' && ch <= '9')
            || ch == '-' || ch == '.' || ch == '_' || ch == '~')
        {
            sync_text_byte(text, ch);
            continue;
        }

        sync_text_byte(text, '%');
        sync_text_byte(text, (unsigned char) hex[ch >> 4]);
        sync_text_byte(text, (unsigned char) hex[ch & 0x0f]);
    }
}


void
sync_percent_member(sync_text_t *text, const char *name, sync_str_t value)
{
    if (text->pos != text->start) {
        sync_text_byte(text, '&');
    }

    sync_text_add(text, (sync_str_t) { strlen(name),
                                       (unsigned char *) (uintptr_t) name });
    sync_text_byte(text, '=');
    sync_percent_add(text, value);
}


sync_rc_t
sync_assertion(const sync_assertion_t *a, sync_arena_t *arena,
    sync_str_t *payload, sync_error_t *err)
{
    size_t               i;
    uint32_t             n;
    sync_rc_t            rc;
    sync_str_t           text;
    sync_json_t          json;
    sync_json_out_t      out;
    sync_json_limits_t   limits;

    const struct {
        const char  *name;
        sync_str_t   value;
    } own[] = {
        { "iss", a->issuer },
        { "sub", a->subject },
        { "aud", a->audience }
    };

    memset(&limits, 0, sizeof(limits));

    text = a->claims.len ? a->claims : sync_str_lit("{}");

    rc = sync_json_parse(&json, arena, text, &limits, err);
    if (rc != SYNC_OK) {
        return rc;
    }

    if (json.nodes[0].type != SYNC_JSON_OBJECT) {
        return sync_refuse(err, "not-an-object", SYNC_NOWHERE,
                           "claims are an object");
    }

    sync_json_begin(&out, arena, text.len + 512, 0);
    sync_json_open(&out, '{');

    for (i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
        text = (sync_str_t) { strlen(own[i].name),
                              (unsigned char *) (uintptr_t) own[i].name };

        if (own[i].value.len
            && sync_json_member(&json, 0, text) == SYNC_JSON_NONE)
        {
            sync_json_key(&out, text);
            sync_json_string(&out, own[i].value);
        }
    }

    n = sync_json_member(&json, 0, sync_str_lit("iss"));

    if (a->subject.len == 0 && n != SYNC_JSON_NONE
        && sync_json_member(&json, 0, sync_str_lit("sub")) == SYNC_JSON_NONE)
    {
        sync_json_key(&out, sync_str_lit("sub"));
        sync_json_copy(&out, &json, n);
    }

    for (n = sync_json_first(&json, 0); n != SYNC_JSON_NONE;
         n = sync_json_after(&json, 0, n))
    {
        sync_json_key(&out, sync_json_unescape(&json, n, arena));
        sync_json_copy(&out, &json, n + 1);
    }

    sync_json_key(&out, sync_str_lit("iat"));
    sync_json_integer(&out, a->now);
    sync_json_key(&out, sync_str_lit("exp"));
    sync_json_integer(&out, a->now + SYNC_ASSERTION_LIFETIME);
    sync_json_key(&out, sync_str_lit("jti"));
    sync_json_string(&out, a->id);
    sync_json_close(&out, '}');

    return sync_json_end(&out, payload);
}


sync_rc_t
sync_token_answer(sync_str_t text, int64_t unsaid, sync_arena_t *arena,
    sync_token_answer_t *answer, sync_error_t *err)
{
    sync_rc_t      rc;
    sync_value_t  *root;

    rc = sync_value_parse(&root, arena, text, SYNC_VALUE_DOUBLES, err);
    if (rc != SYNC_OK) {
        return rc;
    }

    if (sync_value_type(root) != SYNC_VALUE_OBJECT) {
        rc = sync_refuse(err, "not-an-object", SYNC_NOWHERE,
                         "the answer is not a JSON object");

    } else {
        rc = sync_token_member(root, answer, arena, err);
        answer->lifetime = sync_token_lifetime(sync_value_get(root,
                                                              "expires_in"),
                                               unsaid);
    }

    sync_value_free(root);

    return rc;
}


static sync_rc_t
sync_token_member(const sync_value_t *root, sync_token_answer_t *answer,
    sync_arena_t *arena, sync_error_t *err)
{
    size_t      i;
    sync_str_t  token, type;

    token = sync_value_str(sync_value_get(root, "access_token"));
    type = sync_value_str(sync_value_get(root, "token_type"));

    /* RFC 6749 7.1: a type that is not understood is not used */

    if (type.len != sizeof("bearer") - 1
        || strncasecmp((char *) type.data, "bearer", type.len) != 0)
    {
        return sync_refuse(err, "token-type", SYNC_NOWHERE,
                           "\"token_type\" is not \"Bearer\"");
    }

    if (token.len > SYNC_TOKEN_SIZE) {
        return sync_refuse(err, "too-large", SYNC_NOWHERE, "the token is "
                           "longer than %d bytes", SYNC_TOKEN_SIZE);
    }

    for (i = 0; i < token.len; i++) {
        if (token.data[i] < 0x21 || token.data[i] > 0x7e) {
            break;
        }
    }

    if (token.len == 0 || i < token.len) {
        return sync_refuse(err, "no-token", SYNC_NOWHERE, "\"access_token\" "
                           "is missing, or not what a header may have");
    }

    answer->token = sync_strdup(arena, token);

    return answer->token.data ? SYNC_OK : SYNC_FAULT;
}


/* 0 and less: it is of use for nobody but those who wait for it. */

static int64_t
sync_token_lifetime(const sync_value_t *v, int64_t unsaid)
{
    double   seconds;
    int64_t  n;

    n = -1;

    if (sync_value_type(v) == SYNC_VALUE_STRING) {
        n = sync_token_seconds(sync_value_str(v));

    } else if (sync_value_real(v, &seconds) == SYNC_OK) {
        n = seconds < 0 ? 0
            : seconds > (double) SYNC_TOKEN_LONGEST ? SYNC_TOKEN_LONGEST
            : (int64_t) seconds;
    }

    if (n < 0) {
        n = unsaid;

    } else {
        n = n > SYNC_TOKEN_LONGEST / 1000 ? SYNC_TOKEN_LONGEST : n * 1000;
    }

    return n < SYNC_TOKEN_SHORTEST ? SYNC_TOKEN_SHORTEST
           : n > SYNC_TOKEN_LONGEST ? SYNC_TOKEN_LONGEST : n;
}


/* -1: not a number; of a negative one 0. */

static int64_t
sync_token_seconds(sync_str_t s)
{
    int      negative;
    size_t   i;
    int64_t  n;

    negative = s.len && s.data[0] == '-';
    n = 0;

    if (s.len == (size_t) negative) {
        return -1;
    }

    for (i = (size_t) negative; i < s.len; i++) {
        if (s.data[i] < '0' || s.data[i] > '9') {
            return -1;
        }

        if (n < SYNC_TOKEN_LONGEST) {
            n = n * 10 + (s.data[i] - '0');
        }
    }

    return negative ? 0 : n;
}


sync_str_t
sync_token_error(sync_str_t text, sync_arena_t *arena)
{
    size_t         i;
    sync_str_t     s;
    sync_error_t   err;
    sync_value_t  *root;

    if (sync_value_parse(&root, arena, text, SYNC_VALUE_DOUBLES, &err)
        != SYNC_OK)
    {
        return sync_str_null;
    }

    s = sync_value_str(sync_value_get(root, "error"));

    for (i = 0; i < s.len; i++) {
        if (!((s.data[i] >= 'a' && s.data[i] <= 'z')
              || (s.data[i] >= 'A' && s.data[i] <= 'Z')
              || (s.data[i] >= '0' && s.data[i] <= '9')
              || s.data[i] == '_' || s.data[i] == '-' || s.data[i] == '.'))
        {
            break;
        }
    }

    s = i == s.len && s.len && s.len <= SYNC_TOKEN_ERROR
        ? sync_strdup(arena, s) : sync_str_null;

    sync_value_free(root);

    return s;
}


sync_rc_t
sync_body_put(sync_str_t text, sync_str_t pointer, sync_str_t value,
    sync_arena_t *arena, sync_str_t *out)
{
    int                  comma;
    size_t               i, cut, off;
    uint32_t             n, parent, count;
    sync_rc_t            rc;
    sync_str_t           raw, name, up;
    sync_json_t          json;
    sync_error_t         err;
    sync_json_limits_t   limits;

    memset(&limits, 0, sizeof(limits));

    rc = sync_json_parse(&json, arena, text, &limits, &err);
    if (rc != SYNC_OK) {
        return rc;
    }

    n = sync_json_at(&json, 0, pointer);

    if (n != SYNC_JSON_NONE) {
        raw = sync_json_raw(&json, n);

        return sync_body_splice(&json, (size_t) (raw.data - json.text.data),
                                raw.len, 0, sync_str_null, value, arena, out);
    }

    for (cut = pointer.len; cut && pointer.data[cut - 1] != '/'; cut--) {
        /* void */
    }

    if (cut == 0) {
        return SYNC_NO;
    }

    up = (sync_str_t) { cut - 1, pointer.data };
    name = (sync_str_t) { pointer.len - cut, pointer.data + cut };

    parent = sync_json_at(&json, 0, up);

    if (parent == SYNC_JSON_NONE) {
        return SYNC_NO;
    }

    raw = sync_json_raw(&json, parent);
    off = (size_t) (raw.data - json.text.data) + raw.len - 1;
    comma = sync_json_first(&json, parent) != SYNC_JSON_NONE;

    switch (json.nodes[parent].type) {

    case SYNC_JSON_OBJECT:
        name = sync_body_token(name, arena);

        return name.data ? sync_body_splice(&json, off, 0, comma, name, value,
                                            arena, out)
                         : SYNC_FAULT;

    case SYNC_JSON_ARRAY:
        count = 0;

        for (n = sync_json_first(&json, parent); n != SYNC_JSON_NONE;
             n = sync_json_after(&json, parent, n))
        {
            count++;
        }

        if (sync_str_is(name, "-")) {
            return sync_body_splice(&json, off, 0, comma, sync_str_null,
                                    value, arena, out);
        }

        for (i = 0, n = 0; i < name.len && i < 9; i++) {
            if (name.data[i] < '0' || name.data[i] > '9') {
                return SYNC_NO;
            }

            n = n * 10 + (uint32_t) (name.data[i] - '0');
        }

        return i && i == name.len && n == count
               ? sync_body_splice(&json, off, 0, comma, sync_str_null, value,
                                  arena, out)
               : SYNC_NO;

    default:
        return SYNC_NO;
    }
}


static sync_rc_t
sync_body_splice(const sync_json_t *json, size_t off, size_t skip, int comma,
    sync_str_t name, sync_str_t value, sync_arena_t *arena, sync_str_t *out)
{
    sync_rc_t        rc;
    sync_str_t       s;
    sync_text_t      text;
    sync_json_out_t  quoted;

    /* one piece of memory each, so that there is one to wipe */

    sync_json_begin(&quoted, arena, 6 * value.len + 16, 0);
    sync_json_string(&quoted, value);

    rc = sync_json_end(&quoted, &s);
    if (rc != SYNC_OK) {
        return rc;
    }

    sync_text_begin(&text, arena, json->text.len + 6 * name.len + s.len + 8,
                    0);

    sync_text_add(&text, (sync_str_t) { off, json->text.data });

    if (comma) {
        sync_text_byte(&text, ',');
    }

    if (name.data) {
        sync_text_add(&text, name);
        sync_text_byte(&text, ':');
    }

    sync_text_add(&text, s);
    sync_text_add(&text, (sync_str_t) { json->text.len - off - skip,
                                        json->text.data + off + skip });
    sync_wipe(s.data, s.len);

    return sync_text_end(&text, out);
}


/* A reference token (RFC 6901 4) as a name in quotes. */

static sync_str_t
sync_body_token(sync_str_t token, sync_arena_t *arena)
{
    size_t            i;
    sync_str_t        name;
    unsigned char    *p;
    sync_json_out_t   out;

    p = sync_alloc(arena, token.len + 1);

    if (p == NULL) {
        return sync_str_null;
    }

    name.data = p;

    for (i = 0; i < token.len; i++) {
        if (token.data[i] == '~' && i + 1 < token.len) {
            *p++ = token.data[++i] == '1' ? '/' : '~';

        } else {
            *p++ = token.data[i];
        }
    }

    name.len = (size_t) (p - name.data);

    sync_json_begin(&out, arena, 6 * name.len + 16, 0);
    sync_json_string(&out, name);

    return sync_json_end(&out, &name) == SYNC_OK ? name : sync_str_null;
}
