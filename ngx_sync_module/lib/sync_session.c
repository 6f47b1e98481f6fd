
/*
 * What a login gave, as later requests say it.
 */


#include "sync_session.h"
#include "sync_crypto.h"


/* A text while it is written; p NULL: it is only measured. */

typedef struct {
    sync_str_t               text;
    size_t                   at;
    sync_session_value_pt    value;
    void                    *data;
    unsigned char           *p;
    size_t                   len;
    size_t                   plain;      /* begin of what base64() encodes */
    unsigned                 encoding:1;
    sync_error_t            *err;
} sync_session_out_t;


static sync_rc_t sync_session_pass(sync_session_out_t *out);
static sync_rc_t sync_session_placeholder(sync_session_out_t *out);
static sync_rc_t sync_session_encode(sync_session_out_t *out);
static sync_rc_t sync_session_add(sync_session_out_t *out,
    const void *bytes, size_t len);
static sync_str_t sync_session_trim(const unsigned char *p,
    const unsigned char *last);
static int sync_session_gone(const unsigned char *p,
    const unsigned char *last);
static int sync_session_is(sync_str_t s, const char *word);


sync_rc_t
sync_session_text(sync_str_t text, sync_session_value_pt value, void *data,
    sync_arena_t *arena, sync_str_t *out, sync_error_t *err)
{
    sync_rc_t           rc;
    sync_session_out_t  o;

    memset(&o, 0, sizeof(o));

    o.text = text;
    o.value = value;
    o.data = data;
    o.err = err;

    rc = sync_session_pass(&o);
    if (rc != SYNC_OK) {
        return rc;
    }

    /* what is encoded is written plain first: never longer than encoded */

    out->data = sync_alloc(arena, o.len + 1);
    if (out->data == NULL) {
        return SYNC_FAULT;
    }

    o.p = out->data;
    o.at = 0;
    o.len = 0;

    rc = sync_session_pass(&o);

    out->len = o.len;

    return rc;
}


static sync_rc_t
sync_session_pass(sync_session_out_t *out)
{
    unsigned char  ch;
    sync_rc_t      rc;
    sync_str_t     left;

    while (out->at < out->text.len) {
        ch = out->text.data[out->at];

        left.data = out->text.data + out->at;
        left.len = out->text.len - out->at;

        if (ch == '{') {
            rc = sync_session_placeholder(out);

        } else if (ch == '}' || ch < 0x20 || ch > 0x7e) {
            return sync_refuse(out->err, "template", out->at,
                               "has a \"}\" alone, or what is not ASCII");

        } else if (sync_str_starts(left, "base64(")) {

            if (out->encoding) {
                return sync_refuse(out->err, "template", out->at,
                                   "has a \"base64(\" within another");
            }

            out->encoding = 1;
            out->plain = out->len;
            out->at += sizeof("base64(") - 1;
            continue;

        } else if (ch == ')' && out->encoding) {
            out->at++;
            rc = sync_session_encode(out);

        } else {
            out->at++;
            rc = sync_session_add(out, &ch, 1);
        }

        if (rc != SYNC_OK) {
            return rc;
        }
    }

    if (out->encoding) {
        return sync_refuse(out->err, "template", out->text.len,
                           "has a \"base64(\" without its \")\"");
    }

    return SYNC_OK;
}


static sync_rc_t
sync_session_placeholder(sync_session_out_t *out)
{
    int             secret;
    size_t          i;
    sync_rc_t       rc;
    sync_str_t      name, value;
    unsigned char  *end;

    name.data = out->text.data + out->at + 1;
    end = memchr(name.data, '}', out->text.len - out->at - 1);

    if (end == NULL) {
        return sync_refuse(out->err, "template", out->at,
                           "has a \"{\" without its \"}\"");
    }

    name.len = (size_t) (end - name.data);
    secret = sync_str_starts(name, "secret:");

    if (secret) {
        name.data += sizeof("secret:") - 1;
        name.len -= sizeof("secret:") - 1;
    }

    rc = out->value(out->data, secret, name, &value);

    if (rc == SYNC_NO) {
        return sync_refuse(out->err, "no-value", out->at,
                           secret ? "names a secret that cannot be used"
                                  : "asks for what \"take\" does not take");
    }

    if (rc != SYNC_OK) {
        return rc;
    }

    for (i = 0; i < value.len && !out->encoding; i++) {
        if (value.data[i] < 0x20 || value.data[i] == 0x7f) {
            return sync_refuse(out->err, "bad-value", out->at,
                               "asks for a value with a byte that no header "
                               "can have");
        }
    }

    out->at = (size_t) (end - out->text.data) + 1;

    return sync_session_add(out, value.data, value.len);
}


static sync_rc_t
sync_session_encode(sync_session_out_t *out)
{
    size_t         len, room;
    unsigned char  plain[SYNC_SESSION_TEXT];

    out->encoding = 0;

    len = out->len - out->plain;
    room = sync_base64_room(len);

    if (out->plain + room > SYNC_SESSION_TEXT) {
        return sync_refuse(out->err, "bad-value", out->at,
                           "makes more than %d bytes", SYNC_SESSION_TEXT);
    }

    if (out->p) {
        memcpy(plain, out->p + out->plain, len);
        (void) sync_base64_encode(out->p + out->plain, plain, len);
        sync_wipe(plain, len);
    }

    out->len = out->plain + room;

    return SYNC_OK;
}


static sync_rc_t
sync_session_add(sync_session_out_t *out, const void *bytes, size_t len)
{
    if (len > SYNC_SESSION_TEXT - out->len) {
        return sync_refuse(out->err, "bad-value", out->at,
                           "makes more than %d bytes", SYNC_SESSION_TEXT);
    }

    if (out->p && len) {
        memcpy(out->p + out->len, bytes, len);
    }

    out->len += len;

    return SYNC_OK;
}


/* RFC 6265, section 5.2. */

void
sync_session_set_cookie(sync_session_cookies_t *cookies, sync_str_t text)
{
    size_t                i;
    uint32_t              n;
    sync_str_t            name, value;
    const unsigned char  *p, *last, *end, *eq;

    p = text.data;
    last = p + text.len;

    if (text.len == 0) {
        return;
    }

    end = memchr(p, ';', text.len);
    end = end ? end : last;

    eq = memchr(p, '=', (size_t) (end - p));
    if (eq == NULL) {
        return;
    }

    name = sync_session_trim(p, eq);
    value = sync_session_trim(eq + 1, end);

    if (name.len == 0) {
        return;
    }

    for (i = 0; i < text.len && p + i < end; i++) {
        if ((p[i] < 0x20 && p[i] != '\t') || p[i] == 0x7f) {
            return;
        }
    }

    for (n = 0; n < cookies->n; n++) {
        if (sync_str_eq(cookies->list[n].name, name)) {
            break;
        }
    }

    if (sync_session_gone(end, last)) {

        if (n < cookies->n) {
            cookies->n--;
            memmove(&cookies->list[n], &cookies->list[n + 1],
                    (cookies->n - n) * sizeof(cookies->list[0]));
        }

        return;
    }

    if (n == SYNC_SESSION_COOKIES) {
        return;
    }

    cookies->list[n].name = name;
    cookies->list[n].value = value;

    if (n == cookies->n) {
        cookies->n++;
    }
}


static sync_str_t
sync_session_trim(const unsigned char *p, const unsigned char *last)
{
    while (p < last && (*p == ' ' || *p == '\t')) {
        p++;
    }

    while (last > p && (last[-1] == ' ' || last[-1] == '\t')) {
        last--;
    }

    return (sync_str_t) { (size_t) (last - p),
                          (unsigned char *) (uintptr_t) p };
}


/* The attributes: is it taken away by them? */

static int
sync_session_gone(const unsigned char *p, const unsigned char *last)
{
    int                   gone;
    size_t                i;
    sync_str_t            name, value;
    const unsigned char  *end, *eq;

    gone = 0;

    while (p < last) {
        p++;

        end = memchr(p, ';', (size_t) (last - p));
        end = end ? end : last;

        eq = memchr(p, '=', (size_t) (end - p));

        if (eq) {
            name = sync_session_trim(p, eq);
            value = sync_session_trim(eq + 1, end);

            if (sync_session_is(name, "max-age")) {

                /* it wins over Expires, which may have been there before */

                return value.len && (value.data[0] == '-'
                                     || value.data[0] == '0');
            }

            if (sync_session_is(name, "expires")) {
                for (i = 0; i + 4 <= value.len; i++) {
                    gone |= memcmp(value.data + i, "1970", 4) == 0;
                }
            }
        }

        p = end;
    }

    return gone;
}


static int
sync_session_is(sync_str_t s, const char *word)
{
    size_t  i;

    for (i = 0; i < s.len && word[i]; i++) {
        if ((s.data[i] | 0x20) != (unsigned char) word[i]) {
            return 0;
        }
    }

    return i == s.len && word[i] == '\0';
}


sync_rc_t
sync_session_cookie(const sync_session_cookies_t *cookies,
    sync_arena_t *arena, sync_str_t *out)
{
    size_t          len;
    uint32_t        n;
    unsigned char  *p;

    len = 0;

    for (n = 0; n < cookies->n; n++) {
        len += cookies->list[n].name.len + cookies->list[n].value.len + 3;
    }

    out->len = 0;
    out->data = sync_alloc(arena, len + 1);

    if (out->data == NULL) {
        return SYNC_FAULT;
    }

    p = out->data;

    for (n = 0; n < cookies->n; n++) {

        if (n) {
            *p++ = ';';
            *p++ = ' ';
        }

        memcpy(p, cookies->list[n].name.data, cookies->list[n].name.len);
        p += cookies->list[n].name.len;
        *p++ = '=';
        memcpy(p, cookies->list[n].value.data, cookies->list[n].value.len);
        p += cookies->list[n].value.len;
    }

    out->len = (size_t) (p - out->data);

    return SYNC_OK;
}
