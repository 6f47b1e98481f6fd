
/*
 * Host names: RFC 1123, and RFC 5890 to 5893 for other letters than ASCII's.
 *
 * Which characters a label may have is told by their Unicode categories as
 * PCRE2 knows them, where RFC 5892 goes by a table: the categories agree with
 * it but for characters that a normalization would change.  Joining types are
 * told by script.
 */


#include "sync_schema_impl.h"

#define PCRE2_CODE_UNIT_WIDTH  8
#include <pcre2.h>


#define SYNC_IDN_LABEL  63           /* characters, and bytes as an A-label */
#define SYNC_IDN_NAME   253


typedef struct {
    uint32_t        code[SYNC_IDN_LABEL];
    size_t          len;
    unsigned char   utf8[SYNC_IDN_LABEL * 4];
    size_t          bytes;
} sync_idn_label_t;


static int sync_idn_name(sync_str_t s, int idn);
static size_t sync_idn_dot(sync_str_t s, size_t i);
static int sync_idn_read(sync_idn_label_t *label, sync_str_t s, int idn,
    size_t *length);
static int sync_idn_ascii(sync_str_t s);
static int sync_idn_decode(sync_idn_label_t *label, sync_str_t s);
static size_t sync_idn_encode(const sync_idn_label_t *label,
    unsigned char *out, size_t room);
static uint32_t sync_idn_adapt(uint32_t delta, uint32_t n, int first);
static void sync_idn_utf8(sync_idn_label_t *label);
static int sync_idn_is(const char *pattern, sync_str_t s);


/*
 * A label: no mark at its front, no hyphen at either end, none at places 3 and
 * 4, and characters with a rule of their own only where it holds (RFC 5892,
 * appendix A).
 */

#define SYNC_IDN_JOINING                                                      \
    "\\p{sc:Arabic}\\p{sc:Syriac}\\p{sc:Mongolian}\\p{sc:Nko}"

#define SYNC_IDN_VIRAMA                                                       \
    "\\x{94d}\\x{9cd}\\x{a4d}\\x{acd}\\x{b4d}\\x{bcd}\\x{c4d}\\x{ccd}"        \
    "\\x{d4d}\\x{dca}\\x{e3a}\\x{f84}\\x{1039}\\x{103a}\\x{1714}\\x{1734}"    \
    "\\x{17d2}\\x{1a60}\\x{1b44}\\x{1baa}\\x{1bab}\\x{1bf2}\\x{1bf3}"         \
    "\\x{2d7f}\\x{a806}\\x{a8c4}\\x{a953}\\x{a9c0}\\x{aaf6}\\x{abed}"

static const char  sync_idn_label[] =
    "^(?!\\p{M})(?!-)(?!..--)(?!.*-$)"
    "(?!.*[\\x{660}-\\x{669}].*[\\x{6f0}-\\x{6f9}])"
    "(?!.*[\\x{6f0}-\\x{6f9}].*[\\x{660}-\\x{669}])"
    "(?!.*[\\x{640}\\x{7fa}\\x{302e}\\x{302f}\\x{3031}-\\x{3035}\\x{303b}"
    "\\x{1100}-\\x{11ff}\\x{a960}-\\x{a97f}\\x{d7b0}-\\x{d7ff}"
    "\\x{f900}-\\x{fdff}\\x{fe70}-\\x{ffef}\\x{1d400}-\\x{1d7ff}"
    "\\x{2f800}-\\x{2fa1f}])"
    "(?:[\\p{Ll}\\p{Lo}\\p{Lm}\\p{Mn}\\p{Mc}\\p{Nd}\\-"
    "\\x{6fd}\\x{6fe}\\x{f0b}\\x{3007}]"
    "|(?<=l)\\x{b7}(?=l)|\\x{375}(?=\\p{sc:Greek})"
    "|(?<=\\p{sc:Hebrew})[\\x{5f3}\\x{5f4}]"
    "|(?<=[" SYNC_IDN_VIRAMA "])[\\x{200c}\\x{200d}]"
    "|(?<=[" SYNC_IDN_JOINING "])\\x{200c}(?=[" SYNC_IDN_JOINING "])"
    "|\\x{30fb}(?:(?<=[\\p{sc:Hiragana}\\p{sc:Katakana}\\p{sc:Han}]"
    "\\x{30fb})|(?=.*[\\p{sc:Hiragana}\\p{sc:Katakana}\\p{sc:Han}])))+$";

/* RFC 5893: one letter from right to left, and all labels obey the rule. */

static const char  sync_idn_right[] = "[\\p{bidi_class:r}\\p{bidi_class:al}"
    "\\p{bidi_class:an}]";

static const char  sync_idn_bidi[] =
    "^(?:[\\p{bidi_class:r}\\p{bidi_class:al}]"
    "(?!.*\\p{bidi_class:en}.*\\p{bidi_class:an})"
    "(?!.*\\p{bidi_class:an}.*\\p{bidi_class:en})"
    "(?:[^\\p{bidi_class:l}]*"
    "[\\p{bidi_class:r}\\p{bidi_class:al}\\p{bidi_class:en}"
    "\\p{bidi_class:an}])?\\p{bidi_class:nsm}*"
    "|\\p{bidi_class:l}"
    "(?:[^\\p{bidi_class:r}\\p{bidi_class:al}\\p{bidi_class:an}]*"
    "[\\p{bidi_class:l}\\p{bidi_class:en}])?\\p{bidi_class:nsm}*)$";


int
sync_format_hostname(sync_str_t s)
{
    return sync_idn_name(s, 0);
}


int
sync_format_idn_hostname(sync_str_t s)
{
    return sync_idn_name(s, 1);
}


static int
sync_idn_name(sync_str_t s, int idn)
{
    int               right, wrong;
    size_t            i, dot, first, total, length;
    sync_str_t        utf8;
    sync_idn_label_t  label;

    right = 0;
    wrong = 0;
    total = 0;

    for (first = 0, i = 0; i <= s.len; i++) {

        dot = i == s.len ? 1 : s.data[i] == '.' ? 1
              : idn ? sync_idn_dot(s, i) : 0;

        if (dot == 0) {
            continue;
        }

        if (!sync_idn_read(&label, (sync_str_t) { i - first,
                                                  s.data + first },
                           idn, &length))
        {
            return 0;
        }

        total += length + 1;
        utf8 = (sync_str_t) { label.bytes, label.utf8 };

        if (label.bytes != label.len || right == 0) {
            right |= label.bytes != label.len
                     && sync_idn_is(sync_idn_right, utf8);
        }

        wrong |= idn && !sync_idn_is(sync_idn_bidi, utf8);

        i += dot - 1;
        first = i + 1;
    }

    return total - 1 <= SYNC_IDN_NAME && !(right && wrong);
}


/* The ideographic, fullwidth and halfwidth full stops. */

static size_t
sync_idn_dot(sync_str_t s, size_t i)
{
    sync_str_t  rest;

    rest = (sync_str_t) { s.len - i, s.data + i };

    return sync_str_starts(rest, "\xe3\x80\x82")
           || sync_str_starts(rest, "\xef\xbc\x8e")
           || sync_str_starts(rest, "\xef\xbd\xa1") ? 3 : 0;
}


/* A label and its length as an A-label. */

static int
sync_idn_read(sync_idn_label_t *label, sync_str_t s, int idn, size_t *length)
{
    size_t         i, n;
    unsigned char  text[SYNC_IDN_LABEL];

    if (s.len == 0 || s.len > sizeof(label->utf8)) {
        return 0;
    }

    label->len = 0;

    for (i = 0; i < s.len; i += n) {

        n = sync_json_utf8(s.data + i, s.data + s.len);

        if (n == 0 || label->len == SYNC_IDN_LABEL) {
            return 0;
        }

        label->code[label->len++] = n == 1 ? s.data[i]
            : n == 2 ? (s.data[i] & 0x1fu) << 6 | (s.data[i + 1] & 0x3fu)
            : n == 3 ? (s.data[i] & 0x0fu) << 12
                       | (s.data[i + 1] & 0x3fu) << 6
                       | (s.data[i + 2] & 0x3fu)
            : (s.data[i] & 0x07u) << 18 | (s.data[i + 1] & 0x3fu) << 12
              | (s.data[i + 2] & 0x3fu) << 6 | (s.data[i + 3] & 0x3fu);
    }

    memcpy(label->utf8, s.data, s.len);
    label->bytes = s.len;

    if (label->len == s.len) {

        *length = s.len;

        if (!sync_idn_ascii(s)) {
            return 0;
        }

        return s.len < 4 || (s.data[0] | 0x20) != 'x'
               || (s.data[1] | 0x20) != 'n' || s.data[2] != '-'
               || s.data[3] != '-' || sync_idn_decode(label, s);
    }

    n = sync_idn_encode(label, text, sizeof(text) - 4);
    *length = n + 4;

    return idn && n > 0
           && sync_idn_is(sync_idn_label, (sync_str_t) { label->bytes,
                                                         label->utf8 });
}


static int
sync_idn_ascii(sync_str_t s)
{
    size_t  i;

    if (s.len > SYNC_IDN_LABEL || s.data[0] == '-'
        || s.data[s.len - 1] == '-')
    {
        return 0;
    }

    for (i = 0; i < s.len; i++) {
        if (!sync_is_alpha(s.data[i]) && !sync_is_digit(s.data[i])
            && s.data[i] != '-')
        {
            return 0;
        }
    }

    return 1;
}


/* RFC 3492, 6.2; what comes of it must be a label that is encoded so. */

static int
sync_idn_decode(sync_idn_label_t *label, sync_str_t s)
{
    size_t         i, n;
    uint32_t       code, at, old, weight, k, t, digit, bias;
    unsigned char  back[SYNC_IDN_LABEL];

    s.data += 4;
    s.len -= 4;

    for (n = s.len; n > 0 && s.data[n - 1] != '-'; n--) { /* void */ }

    label->len = 0;

    for (i = 0; i + 1 < n; i++) {
        label->code[label->len++] = s.data[i];
    }

    code = 128;
    bias = 72;
    at = 0;

    for (i = n; i < s.len; at++) {

        old = at;
        weight = 1;

        for (k = 36; /* void */ ; k += 36) {

            if (i == s.len) {
                return 0;
            }

            digit = sync_is_digit(s.data[i])
                    ? s.data[i] - '0' + 26u : (s.data[i] | 0x20u) - 'a';
            i++;

            if (digit > 35 || digit > (UINT32_MAX - at) / weight) {
                return 0;
            }

            at += digit * weight;
            t = k <= bias ? 1 : k >= bias + 26 ? 26 : k - bias;

            if (digit < t) {
                break;
            }

            if (weight > UINT32_MAX / (36 - t)) {
                return 0;
            }

            weight *= 36 - t;
        }

        n = label->len + 1;
        bias = sync_idn_adapt(at - old, (uint32_t) n, old == 0);

        if (at / n > 0x10ffff - code || n > SYNC_IDN_LABEL) {
            return 0;
        }

        code += at / (uint32_t) n;
        at %= (uint32_t) n;

        if (code >= 0xd800 && code <= 0xdfff) {
            return 0;
        }

        memmove(label->code + at + 1, label->code + at,
                (label->len - at) * sizeof(uint32_t));
        label->code[at] = code;
        label->len++;
    }

    sync_idn_utf8(label);

    n = sync_idn_encode(label, back, sizeof(back));

    if (label->bytes == label->len || n != s.len) {
        return 0;
    }

    for (i = 0; i < n; i++) {
        if ((back[i] | 0x20) != (s.data[i] | 0x20)) {
            return 0;
        }
    }

    return sync_idn_is(sync_idn_label, (sync_str_t) { label->bytes,
                                                      label->utf8 });
}


/* RFC 3492, 6.3; 0: no room. */

static size_t
sync_idn_encode(const sync_idn_label_t *label, unsigned char *out,
    size_t room)
{
    size_t    i, used, done, basic;
    uint32_t  code, next, delta, bias, k, q, t, digit;

    for (i = 0, used = 0; i < label->len; i++) {
        if (label->code[i] < 128) {

            if (used == room) {
                return 0;
            }

            out[used++] = (unsigned char) label->code[i];
        }
    }

    basic = used;
    done = used;

    if (basic) {

        if (used == room) {
            return 0;
        }

        out[used++] = '-';
    }

    code = 128;
    bias = 72;
    delta = 0;

    while (done < label->len) {

        for (i = 0, next = UINT32_MAX; i < label->len; i++) {
            if (label->code[i] >= code && label->code[i] < next) {
                next = label->code[i];
            }
        }

        /* 64 characters below 2^21: no overflow */

        delta += (next - code) * (uint32_t) (done + 1);
        code = next;

        for (i = 0; i < label->len; i++) {

            if (label->code[i] < code) {
                delta++;
            }

            if (label->code[i] != code) {
                continue;
            }

            for (q = delta, k = 36; /* void */ ; k += 36) {

                t = k <= bias ? 1 : k >= bias + 26 ? 26 : k - bias;
                digit = q < t ? q : t + (q - t) % (36 - t);

                if (used == room) {
                    return 0;
                }

                out[used++] = (unsigned char) (digit < 26 ? 'a' + digit
                                                          : '0' + digit - 26);
                if (q < t) {
                    break;
                }

                q = (q - t) / (36 - t);
            }

            bias = sync_idn_adapt(delta, (uint32_t) done + 1, done == basic);
            delta = 0;
            done++;
        }

        delta++;
        code++;
    }

    return used;
}


static uint32_t
sync_idn_adapt(uint32_t delta, uint32_t n, int first)
{
    uint32_t  k;

    delta = first ? delta / 700 : delta / 2;
    delta += delta / n;

    for (k = 0; delta > 455; k += 36) {
        delta /= 35;
    }

    return k + 36 * delta / (delta + 38);
}


static void
sync_idn_utf8(sync_idn_label_t *label)
{
    size_t          i;
    uint32_t        ch;
    unsigned char  *p;

    for (i = 0, p = label->utf8; i < label->len; i++) {
        ch = label->code[i];

        if (ch < 0x80) {
            *p++ = (unsigned char) ch;
            continue;
        }

        if (ch < 0x800) {
            *p++ = (unsigned char) (0xc0 | ch >> 6);

        } else {

            if (ch < 0x10000) {
                *p++ = (unsigned char) (0xe0 | ch >> 12);

            } else {
                *p++ = (unsigned char) (0xf0 | ch >> 18);
                *p++ = (unsigned char) (0x80 | (ch >> 12 & 0x3f));
            }

            *p++ = (unsigned char) (0x80 | (ch >> 6 & 0x3f));
        }

        *p++ = (unsigned char) (0x80 | (ch & 0x3f));
    }

    label->bytes = (size_t) (p - label->utf8);
}


static int
sync_idn_is(const char *pattern, sync_str_t s)
{
    int              matched;
    uint64_t         work;
    sync_arena_t    *arena;
    sync_iregexp_t  *re;

    arena = sync_arena_create(4096);
    if (arena == NULL) {
        return 0;
    }

    work = 1000000;
    matched = 0;

    if (sync_iregexp_build(&re, arena, (sync_str_t) { strlen(pattern),
                           (unsigned char *) (uintptr_t) pattern }, 0, NULL)
        != SYNC_OK
        || sync_iregexp_match(re, s, &work, &matched, NULL) != SYNC_OK)
    {
        matched = 0;
    }

    sync_arena_destroy(arena);

    return matched;
}
