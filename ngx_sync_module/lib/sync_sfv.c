
/*
 * Structured field values (RFC 9651).
 */


#include "sync_sfv.h"
#include "sync_json.h"


#define SYNC_SFV_DIGITS  15          /* of an integer; 12 before a point */


typedef struct {
    const unsigned char  *start;
    const unsigned char  *pos;
    const unsigned char  *end;
    sync_arena_t         *arena;
    sync_error_t         *err;
} sync_sfv_t;


static sync_rc_t sync_sfv_bare(sync_sfv_t *s, sync_sfv_value_t *v);
static sync_rc_t sync_sfv_number(sync_sfv_t *s, sync_sfv_value_t *v);
static sync_rc_t sync_sfv_quoted(sync_sfv_t *s, sync_str_t *out);
static sync_rc_t sync_sfv_token(sync_sfv_t *s, sync_str_t *out);
static sync_rc_t sync_sfv_binary(sync_sfv_t *s, sync_str_t *out);
static sync_rc_t sync_sfv_display(sync_sfv_t *s, sync_str_t *out);
static sync_rc_t sync_sfv_params(sync_sfv_t *s, sync_sfv_item_t *item);
static sync_rc_t sync_sfv_key(sync_sfv_t *s, sync_str_t *key);
static int sync_sfv_sextet(unsigned char ch);
static int sync_sfv_hex(unsigned char ch);
static int sync_sfv_tchar(unsigned char ch);
static sync_str_t sync_sfv_trim(sync_str_t in);
static sync_rc_t sync_sfv_refuse(sync_sfv_t *s, const char *fault);


#define sync_sfv_at(s, ch)  ((s)->pos < (s)->end && *(s)->pos == (ch))
#define sync_sfv_digit(ch)  ((ch) >= '0' && (ch) <= '9')
#define sync_sfv_lower(ch)  ((ch) >= 'a' && (ch) <= 'z')
#define sync_sfv_alpha(ch)                                                    \
    (sync_sfv_lower(ch) || ((ch) >= 'A' && (ch) <= 'Z'))


sync_rc_t
sync_sfv_item(sync_str_t in, sync_arena_t *arena, sync_sfv_item_t *item,
    sync_error_t *err)
{
    sync_rc_t   rc;
    sync_sfv_t  s;

    s.start = in.data;
    s.pos = in.data;
    s.end = in.data + in.len;
    s.arena = arena;
    s.err = err;

    item->params = NULL;
    item->nparams = 0;

    while (sync_sfv_at(&s, ' ')) {
        s.pos++;
    }

    rc = sync_sfv_bare(&s, &item->value);

    if (rc == SYNC_OK) {
        rc = sync_sfv_params(&s, item);
    }

    if (rc != SYNC_OK) {
        return rc;
    }

    while (sync_sfv_at(&s, ' ')) {
        s.pos++;
    }

    if (s.pos != s.end) {
        return sync_sfv_refuse(&s, "the field goes on behind its item");
    }

    return SYNC_OK;
}


sync_rc_t
sync_sfv_string(sync_str_t in, sync_arena_t *arena, sync_str_t *string,
    sync_error_t *err)
{
    sync_rc_t        rc;
    sync_sfv_item_t  item;

    rc = sync_sfv_item(in, arena, &item, err);

    if (rc != SYNC_OK) {
        return rc;
    }

    if (item.value.type != SYNC_SFV_STRING) {
        return sync_refuse(err, "structured-field", 0,
                           "the field is no string: put it in quotes");
    }

    *string = item.value.text;

    return SYNC_OK;
}


sync_rc_t
sync_sfv_idempotency_key(sync_str_t in, sync_sfv_syntax_e syntax,
    sync_arena_t *arena, sync_str_t *key, sync_error_t *err)
{
    size_t      i;
    sync_rc_t   rc;
    sync_str_t  s;

    s = sync_sfv_trim(in);

    /*
     * Quotes and escapes take a key to at most twice its length and two; the
     * rest is for parameters, which nobody sends.
     */

    if (s.len > 4 * SYNC_SFV_KEY_LEN) {
        return sync_refuse(err, "idempotency-key", SYNC_NOWHERE,
                           "the key is too long: %d characters are allowed",
                           SYNC_SFV_KEY_LEN);
    }

    if (s.len && s.data[0] == '"') {
        rc = sync_sfv_string(s, arena, &s, err);

        if (rc == SYNC_NO && err != NULL) {
            err->what = "idempotency-key";
        }

        if (rc != SYNC_OK) {
            return rc;
        }

    } else if (syntax == SYNC_SFV_STRICT) {
        return sync_refuse(err, "idempotency-key", 0,
                           "the key is no structured field string: put it in "
                           "quotes");

    } else {

        for (i = 0; i < s.len; i++) {
            if (s.data[i] <= ' ' || s.data[i] > '~'
                || memchr("\",;\\", s.data[i], 4) != NULL)
            {
                return sync_refuse(err, "idempotency-key",
                                   (size_t) (s.data + i - in.data),
                                   "a key without quotes is visible ASCII "
                                   "without quotes, commas, semicolons and "
                                   "backslashes");
            }
        }
    }

    if (s.len == 0 || s.len > SYNC_SFV_KEY_LEN) {
        return sync_refuse(err, "idempotency-key", SYNC_NOWHERE,
                           "the key has %zu characters: 1 to %d are allowed",
                           s.len, SYNC_SFV_KEY_LEN);
    }

    *key = s;

    return SYNC_OK;
}


/* RFC 9651, 4.2.3.1 */

static sync_rc_t
sync_sfv_bare(sync_sfv_t *s, sync_sfv_value_t *v)
{
    unsigned char  ch;

    v->number = 0;
    v->text = sync_str_null;

    if (s->pos == s->end) {
        return sync_sfv_refuse(s, "a value is missing");
    }

    ch = *s->pos;

    if (ch == '-' || sync_sfv_digit(ch)) {
        return sync_sfv_number(s, v);
    }

    if (ch == '"') {
        v->type = SYNC_SFV_STRING;
        return sync_sfv_quoted(s, &v->text);
    }

    if (ch == '*' || sync_sfv_alpha(ch)) {
        v->type = SYNC_SFV_TOKEN;
        return sync_sfv_token(s, &v->text);
    }

    if (ch == ':') {
        v->type = SYNC_SFV_BYTES;
        return sync_sfv_binary(s, &v->text);
    }

    if (ch == '%') {
        v->type = SYNC_SFV_DISPLAY;
        return sync_sfv_display(s, &v->text);
    }

    if (ch == '?') {
        s->pos++;

        if (!sync_sfv_at(s, '0') && !sync_sfv_at(s, '1')) {
            return sync_sfv_refuse(s, "a boolean is ?0 or ?1");
        }

        v->type = SYNC_SFV_BOOLEAN;
        v->number = *s->pos++ - '0';

        return SYNC_OK;
    }

    if (ch == '@') {
        s->pos++;

        if (sync_sfv_number(s, v) != SYNC_OK) {
            return SYNC_NO;
        }

        if (v->type != SYNC_SFV_INTEGER) {
            return sync_sfv_refuse(s, "a date is an integer");
        }

        v->type = SYNC_SFV_DATE;

        return SYNC_OK;
    }

    return sync_sfv_refuse(s, "no value begins like this");
}


/* RFC 9651, 4.2.4; three digits behind the point: thousandths are exact. */

static sync_rc_t
sync_sfv_number(sync_sfv_t *s, sync_sfv_value_t *v)
{
    int      minus, digits, behind;
    int64_t  n;

    minus = sync_sfv_at(s, '-');
    s->pos += minus;

    n = 0;
    behind = -1;

    for (digits = 0; s->pos < s->end; s->pos++) {

        if (*s->pos == '.' && digits && behind == -1) {

            if (digits > SYNC_SFV_DIGITS - 3) {
                return sync_sfv_refuse(s, "a decimal has up to 12 digits "
                                       "before its point");
            }

            behind = 0;
            continue;
        }

        if (!sync_sfv_digit(*s->pos)) {
            break;
        }

        if (behind == -1 && ++digits > SYNC_SFV_DIGITS) {
            return sync_sfv_refuse(s, "an integer has up to 15 digits");
        }

        if (behind != -1 && ++behind > 3) {
            return sync_sfv_refuse(s, "a decimal has up to 3 digits behind "
                                   "its point");
        }

        n = n * 10 + (*s->pos - '0');
    }

    if (digits == 0 || behind == 0) {
        return sync_sfv_refuse(s, "a digit is missing");
    }

    v->type = behind == -1 ? SYNC_SFV_INTEGER : SYNC_SFV_DECIMAL;

    while (behind != -1 && behind < 3) {
        n *= 10;
        behind++;
    }

    v->number = minus ? -n : n;

    return SYNC_OK;
}


/* RFC 9651, 4.2.5 */

static sync_rc_t
sync_sfv_quoted(sync_sfv_t *s, sync_str_t *out)
{
    int                   escaped;
    unsigned char        *d;
    const unsigned char  *p;

    escaped = 0;

    for (p = ++s->pos; s->pos < s->end && *s->pos != '"'; s->pos++) {

        if (*s->pos == '\\') {
            escaped = 1;
            s->pos++;

            if (!sync_sfv_at(s, '"') && !sync_sfv_at(s, '\\')) {
                return sync_sfv_refuse(s, "there is no such escape");
            }

        } else if (*s->pos < ' ' || *s->pos > '~') {
            return sync_sfv_refuse(s, "a string is printable ASCII");
        }
    }

    if (s->pos == s->end) {
        return sync_sfv_refuse(s, "a string is not closed");
    }

    out->data = (unsigned char *) p;
    out->len = (size_t) (s->pos - p);

    s->pos++;

    if (!escaped) {
        return SYNC_OK;
    }

    d = sync_alloc(s->arena, out->len);
    if (d == NULL) {
        return SYNC_FAULT;
    }

    out->data = d;

    for ( /* void */ ; p < s->pos - 1; p++) {
        p += *p == '\\';
        *d++ = *p;
    }

    out->len = (size_t) (d - out->data);

    return SYNC_OK;
}


/* RFC 9651, 4.2.6 */

static sync_rc_t
sync_sfv_token(sync_sfv_t *s, sync_str_t *out)
{
    out->data = (unsigned char *) s->pos;

    while (s->pos < s->end
           && (sync_sfv_tchar(*s->pos) || *s->pos == ':' || *s->pos == '/'))
    {
        s->pos++;
    }

    out->len = (size_t) (s->pos - out->data);

    return SYNC_OK;
}


/*
 * RFC 9651, 4.2.7.  Padding may be missing and pad bits may be set, as the
 * RFC suggests to receivers.
 */

static sync_rc_t
sync_sfv_binary(sync_sfv_t *s, sync_str_t *out)
{
    int                   sextet;
    size_t                n, pad;
    uint32_t              bits;
    unsigned char        *d;
    const unsigned char  *p;

    for (p = ++s->pos; s->pos < s->end && *s->pos != ':'; s->pos++) {
        /* void */
    }

    if (s->pos == s->end) {
        return sync_sfv_refuse(s, "a byte sequence is not closed");
    }

    d = sync_alloc(s->arena, (size_t) (s->pos - p) + 1);
    if (d == NULL) {
        return SYNC_FAULT;
    }

    out->data = d;
    bits = 0;

    for (n = 0; p < s->pos && *p != '='; p++, n++) {
        sextet = sync_sfv_sextet(*p);

        if (sextet == -1) {
            return sync_sfv_refuse(s, "a byte sequence is no base64");
        }

        bits = bits << 6 | (uint32_t) sextet;

        if (n % 4) {
            *d++ = (unsigned char) (bits >> (6 - 2 * (n % 4)));
        }
    }

    pad = (size_t) (s->pos - p);

    while (p < s->pos && *p == '=') {
        p++;
    }

    if (p != s->pos || n % 4 == 1 || (pad && (n + pad) % 4) || pad > 2) {
        return sync_sfv_refuse(s, "a byte sequence is no base64");
    }

    out->len = (size_t) (d - out->data);
    s->pos++;

    return SYNC_OK;
}


/* RFC 9651, 4.2.10 */

static sync_rc_t
sync_sfv_display(sync_sfv_t *s, sync_str_t *out)
{
    int                   high, low;
    size_t                n;
    unsigned char        *d;
    const unsigned char  *p;

    s->pos++;

    if (!sync_sfv_at(s, '"')) {
        return sync_sfv_refuse(s, "a display string begins with %\"");
    }

    s->pos++;

    d = sync_alloc(s->arena, (size_t) (s->end - s->pos) + 1);
    if (d == NULL) {
        return SYNC_FAULT;
    }

    out->data = d;

    while (s->pos < s->end && *s->pos != '"') {

        if (*s->pos < ' ' || *s->pos > '~') {
            return sync_sfv_refuse(s, "a display string is printable ASCII");
        }

        if (*s->pos != '%') {
            *d++ = *s->pos++;
            continue;
        }

        high = s->end - s->pos > 2 ? sync_sfv_hex(s->pos[1]) : -1;
        low = high != -1 ? sync_sfv_hex(s->pos[2]) : -1;

        if (low == -1) {
            return sync_sfv_refuse(s, "% needs two hexadecimal digits in "
                                   "lower case");
        }

        *d++ = (unsigned char) (high << 4 | low);
        s->pos += 3;
    }

    if (s->pos == s->end) {
        return sync_sfv_refuse(s, "a display string is not closed");
    }

    s->pos++;
    out->len = (size_t) (d - out->data);

    for (p = out->data; p < d; p += n) {
        n = sync_json_utf8(p, d);

        if (n == 0) {
            return sync_sfv_refuse(s, "a display string is not UTF-8");
        }
    }

    return SYNC_OK;
}


/* RFC 9651, 4.2.3.2 */

static sync_rc_t
sync_sfv_params(sync_sfv_t *s, sync_sfv_item_t *item)
{
    uint32_t           i;
    sync_rc_t          rc;
    sync_str_t         key;
    sync_sfv_value_t   value;

    while (sync_sfv_at(s, ';')) {
        s->pos++;

        while (sync_sfv_at(s, ' ')) {
            s->pos++;
        }

        rc = sync_sfv_key(s, &key);
        if (rc != SYNC_OK) {
            return rc;
        }

        value.type = SYNC_SFV_BOOLEAN;
        value.number = 1;
        value.text = sync_str_null;

        if (sync_sfv_at(s, '=')) {
            s->pos++;

            rc = sync_sfv_bare(s, &value);
            if (rc != SYNC_OK) {
                return rc;
            }
        }

        for (i = 0; i < item->nparams; i++) {
            if (sync_str_eq(item->params[i].key, key)) {
                break;
            }
        }

        if (i == SYNC_SFV_PARAMS) {
            return sync_sfv_refuse(s, "the item has too many parameters");
        }

        if (item->params == NULL) {
            item->params = sync_alloc(s->arena, SYNC_SFV_PARAMS
                                                * sizeof(sync_sfv_param_t));
            if (item->params == NULL) {
                return SYNC_FAULT;
            }
        }

        item->params[i].key = key;
        item->params[i].value = value;

        if (i == item->nparams) {
            item->nparams++;
        }
    }

    return SYNC_OK;
}


/* RFC 9651, 4.2.3.3 */

static sync_rc_t
sync_sfv_key(sync_sfv_t *s, sync_str_t *key)
{
    key->data = (unsigned char *) s->pos;

    if (s->pos == s->end || !(sync_sfv_lower(*s->pos) || *s->pos == '*')) {
        return sync_sfv_refuse(s, "a key begins with a lower case letter or "
                               "an asterisk");
    }

    while (s->pos < s->end
           && (sync_sfv_lower(*s->pos) || sync_sfv_digit(*s->pos)
               || (*s->pos && strchr("_-.*", *s->pos) != NULL)))
    {
        s->pos++;
    }

    key->len = (size_t) (s->pos - key->data);

    return SYNC_OK;
}


static int
sync_sfv_sextet(unsigned char ch)
{
    if (ch >= 'A' && ch <= 'Z') {
        return ch - 'A';
    }

    if (sync_sfv_lower(ch)) {
        return ch - 'a' + 26;
    }

    if (sync_sfv_digit(ch)) {
        return ch - '0' + 52;
    }

    return ch == '+' ? 62 : ch == '/' ? 63 : -1;
}


static int
sync_sfv_hex(unsigned char ch)
{
    if (sync_sfv_digit(ch)) {
        return ch - '0';
    }

    return ch >= 'a' && ch <= 'f' ? ch - 'a' + 10 : -1;
}


static int
sync_sfv_tchar(unsigned char ch)
{
    return sync_sfv_alpha(ch) || sync_sfv_digit(ch)
           || (ch && strchr("!#$%&'*+-.^_`|~", ch) != NULL);
}


static sync_str_t
sync_sfv_trim(sync_str_t in)
{
    while (in.len && in.data[0] == ' ') {
        in.data++;
        in.len--;
    }

    while (in.len && in.data[in.len - 1] == ' ') {
        in.len--;
    }

    return in;
}


static sync_rc_t
sync_sfv_refuse(sync_sfv_t *s, const char *fault)
{
    return sync_refuse(s->err, "structured-field",
                       (size_t) (s->pos - s->start),
                       "this is no structured field (RFC 9651): %s", fault);
}
