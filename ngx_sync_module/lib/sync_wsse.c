
/*
 * The UsernameToken of WS-Security, profile 1.1 (OASIS), in an envelope.
 */


#include "sync_credentials.h"
#include "sync_crypto.h"
#include "sync_date.h"


#define SYNC_WSSE_NS                                                          \
    "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-"


static unsigned char *sync_wsse_root(sync_str_t envelope);
static int sync_wsse_escape(sync_text_t *text, sync_str_t s);


void
sync_wsse_digest(sync_str_t nonce, sync_str_t created, sync_str_t password,
    unsigned char dst[28])
{
    unsigned char     digest[SYNC_SHA1_LEN];
    const sync_str_t  parts[] = { nonce, created, password };

    sync_sha1(parts, 3, digest);
    (void) sync_base64_encode(dst, digest, sizeof(digest));
}


sync_rc_t
sync_wsse(const sync_wsse_t *w, sync_str_t envelope, sync_arena_t *arena,
    sync_str_t *out)
{
    int             headers;
    size_t          len;
    sync_date_t     now;
    sync_str_t      s, created, nonce;
    sync_text_t     text;
    unsigned char  *end, date[SYNC_DATE_LEN];
    unsigned char   digest[28], code[sync_base64_room(SYNC_WSSE_NONCE)];

    static const char  header[] = "<soap:Header>";

    end = sync_wsse_root(envelope);

    if (end == NULL) {
        return SYNC_NO;
    }

    len = (size_t) (envelope.data + envelope.len - end);

    headers = len >= sizeof(header) - 1
         && memcmp(end, header, sizeof(header) - 1) == 0;

    if (headers) {
        end += sizeof(header) - 1;
    }

    now.form = SYNC_DATE_TIME;
    now.ms = w->now * 1000;
    now.offset = 0;

    created.data = date;
    created.len = sync_date_format(&now, SYNC_DATE_TIME, date);
    nonce.data = code;
    nonce.len = sync_base64_encode(code, w->nonce, SYNC_WSSE_NONCE);

    /* one piece of memory, so that there is one to wipe */

    sync_text_begin(&text, arena, envelope.len + 6 * w->user.len
                                  + 6 * w->password.len + 1536, 0);

    sync_text_add(&text, (sync_str_t) { (size_t) (end - envelope.data),
                                        envelope.data });

    if (!headers) {
        sync_text_lit(&text, "<soap:Header>");
    }

    sync_text_lit(&text, "<wsse:Security xmlns:wsse=\"" SYNC_WSSE_NS
                         "wssecurity-secext-1.0.xsd\" xmlns:wsu=\""
                         SYNC_WSSE_NS "wssecurity-utility-1.0.xsd\" "
                         "soap:mustUnderstand=\"");
    s = w->soap12 ? sync_str_lit("true") : sync_str_lit("1");
    sync_text_add(&text, s);
    sync_text_lit(&text, "\"><wsse:UsernameToken><wsse:Username>");

    if (!sync_wsse_escape(&text, w->user)) {
        return SYNC_NO;
    }

    sync_text_lit(&text, "</wsse:Username><wsse:Password Type=\""
                         SYNC_WSSE_NS "username-token-profile-1.0#Password");

    if (w->text) {
        sync_text_lit(&text, "Text\">");

        if (!sync_wsse_escape(&text, w->password)) {
            sync_wipe(text.start, (size_t) (text.pos - text.start));
            return SYNC_NO;
        }

    } else {
        sync_wsse_digest((sync_str_t) { SYNC_WSSE_NONCE, (unsigned char *)
                                        (uintptr_t) w->nonce },
                         created, w->password, digest);

        sync_text_lit(&text, "Digest\">");
        sync_text_add(&text, (sync_str_t) { sizeof(digest), digest });
    }

    sync_text_lit(&text, "</wsse:Password><wsse:Nonce EncodingType=\""
                         SYNC_WSSE_NS "soap-message-security-1.0#Base64Binary"
                         "\">");
    sync_text_add(&text, nonce);
    sync_text_lit(&text, "</wsse:Nonce><wsu:Created>");
    sync_text_add(&text, created);
    sync_text_lit(&text, "</wsu:Created></wsse:UsernameToken>"
                         "</wsse:Security>");

    if (!headers) {
        sync_text_lit(&text, "</soap:Header>");
    }

    sync_text_add(&text, (sync_str_t) {
                      (size_t) (envelope.data + envelope.len - end), end });

    return sync_text_end(&text, out);
}


/* Behind the start tag of the root, which may stand behind a declaration. */

static unsigned char *
sync_wsse_root(sync_str_t envelope)
{
    unsigned char  *p, *last;

    static const char  root[] = "<soap:Envelope ";

    last = envelope.data + envelope.len;

    for (p = envelope.data; p < last; p++) {

        if (*p == '<' && (size_t) (last - p) >= sizeof(root) - 1
            && memcmp(p, root, sizeof(root) - 1) == 0)
        {
            p = memchr(p, '>', (size_t) (last - p));

            return p ? p + 1 : NULL;
        }
    }

    return NULL;
}


/* 0: a byte that XML 1.0 cannot say. */

static int
sync_wsse_escape(sync_text_t *text, sync_str_t s)
{
    size_t  i;

    for (i = 0; i < s.len; i++) {

        switch (s.data[i]) {

        case '&':
            sync_text_lit(text, "&amp;");
            break;

        case '<':
            sync_text_lit(text, "&lt;");
            break;

        case '>':
            sync_text_lit(text, "&gt;");
            break;

        default:

            if (s.data[i] < 0x20 || s.data[i] == 0x7f) {
                return 0;
            }

            sync_text_byte(text, s.data[i]);
        }
    }

    return 1;
}
