
/*
 * A reader of HTTP/1.1 answers.
 */


#include "sync_http.h"


#define SYNC_HTTP_CHUNK_LINE  256        /* bytes: a size, its extensions */
#define SYNC_HTTP_BODY_FIRST  4096


static sync_rc_t sync_http_broken(sync_http_t *h, const char *error);
static sync_rc_t sync_http_large(sync_http_t *h, const char *error);
static sync_rc_t sync_http_line(sync_http_t *h, unsigned char c, size_t max,
    const char *error);
static sync_rc_t sync_http_head(sync_http_t *h);
static sync_rc_t sync_http_status(sync_http_t *h, sync_str_t line,
    int *minor);
static sync_rc_t sync_http_header(sync_http_t *h, sync_str_t line);
static sync_rc_t sync_http_framing(sync_http_t *h, int minor);
static sync_rc_t sync_http_length(sync_http_t *h, sync_str_t s);
static int sync_http_lists(sync_str_t list, const char *token);
static sync_rc_t sync_http_chunk(sync_http_t *h);
static sync_rc_t sync_http_body(sync_http_t *h, const unsigned char *data,
    size_t len);
static sync_rc_t sync_http_done(sync_http_t *h);


void
sync_http_begin(sync_http_t *h, sync_arena_t *arena, size_t max, int head)
{
    memset(h, 0, sizeof(sync_http_t));

    h->arena = arena;
    h->max = max;
    h->bodiless = head != 0;
}


sync_rc_t
sync_http_feed(sync_http_t *h, const unsigned char *data, size_t len)
{
    size_t     n;
    sync_rc_t  rc;

    if (len) {
        h->started = 1;
    }

    rc = SYNC_PENDING;

    while (len && rc == SYNC_PENDING) {

        switch (h->state) {

        case SYNC_HTTP_HEAD:
            rc = sync_http_line(h, *data, SYNC_HTTP_HEAD_MAX,
                                "its headers are too long");
            n = 1;

            if (rc == SYNC_OK) {
                rc = sync_http_head(h);
            }

            break;

        case SYNC_HTTP_LENGTH:
        case SYNC_HTTP_DATA:
            n = len < h->left ? len : h->left;
            rc = sync_http_body(h, data, n);
            h->left -= n;

            if (rc == SYNC_OK) {
                rc = SYNC_PENDING;

                if (h->left == 0 && h->state == SYNC_HTTP_LENGTH) {
                    rc = sync_http_done(h);

                } else if (h->left == 0) {
                    h->state = SYNC_HTTP_DATA_END;
                }
            }

            break;

        case SYNC_HTTP_CLOSE:
            n = len;
            rc = sync_http_body(h, data, n);
            rc = rc == SYNC_OK ? SYNC_PENDING : rc;
            break;

        case SYNC_HTTP_DATA_END:
            if (h->nline == 0 && *data != '\r') {
                return sync_http_broken(h, "a chunk is longer than it says");
            }

            /* fall through */

        case SYNC_HTTP_CHUNK:
            rc = sync_http_line(h, *data, SYNC_HTTP_CHUNK_LINE,
                                "a chunk's size is too long");
            n = 1;

            if (rc == SYNC_OK) {
                rc = sync_http_chunk(h);
            }

            break;

        case SYNC_HTTP_TRAILER:
            rc = sync_http_line(h, *data, SYNC_HTTP_HEAD_MAX,
                                "its trailers are too long");
            n = 1;

            if (rc == SYNC_OK) {
                rc = sync_http_done(h);
            }

            break;

        default:
            return sync_http_broken(h, "something follows it");
        }

        data += n;
        len -= n;
    }

    if (rc == SYNC_OK && len) {
        h->keep = 0;
    }

    return rc;
}


sync_rc_t
sync_http_end(sync_http_t *h, int clean)
{
    if (h->state == SYNC_HTTP_CLOSE && clean) {
        return sync_http_done(h);
    }

    return sync_http_broken(h, h->started ? "it is cut"
                                          : "the connection was closed");
}


static sync_rc_t
sync_http_broken(sync_http_t *h, const char *error)
{
    h->state = SYNC_HTTP_BROKEN;
    h->error = error;
    h->keep = 0;

    return SYNC_NO;
}


static sync_rc_t
sync_http_large(sync_http_t *h, const char *error)
{
    h->large = 1;

    return sync_http_broken(h, error);
}


/*
 * Collects what is read by lines.  OK: a head (or trailer) ends with an empty
 * line, a chunk's with the first CR LF; nline is then without that end.
 */

static sync_rc_t
sync_http_line(sync_http_t *h, unsigned char c, size_t max, const char *error)
{
    unsigned char  *line;

    if (h->line == NULL) {
        h->line = sync_alloc(h->arena, SYNC_HTTP_HEAD_MAX);
        if (h->line == NULL) {
            return SYNC_FAULT;
        }
    }

    line = h->line;

    /* what could be read as the end of a line is, or it is broken */

    if (h->nline && line[h->nline - 1] == '\r') {
        if (c != '\n') {
            return sync_http_broken(h, "a CR stands alone");
        }

        line[h->nline++] = c;

        if (h->state == SYNC_HTTP_CHUNK || h->state == SYNC_HTTP_DATA_END) {
            h->nline -= 2;
            return SYNC_OK;
        }

        /* the first line of a trailer may be the empty one */

        if (h->nline == 2
            || (h->nline >= 4 && line[h->nline - 4] == '\r'))
        {
            h->nline -= 2;
            return SYNC_OK;
        }

        return SYNC_PENDING;
    }

    if ((c < 0x20 && c != '\r' && c != '\t') || c == 0x7f) {
        return sync_http_broken(h, c == '\n' ? "a LF stands alone"
                                             : "a control byte");
    }

    /* one place is for the LF */

    if (h->nline + 2 > max) {
        return sync_http_large(h, error);
    }

    line[h->nline++] = c;

    return SYNC_PENDING;
}


static sync_rc_t
sync_http_head(sync_http_t *h)
{
    int             minor;
    size_t          n;
    sync_rc_t       rc;
    sync_str_t      line;
    unsigned char  *p, *last;

    p = h->line;
    last = h->line + h->nline;
    h->nline = 0;
    minor = 0;

    for (n = 0; p < last; n++) {
        line.data = p;

        while (*p != '\r') {             /* each line ends with CR LF */
            p++;
        }

        line.len = (size_t) (p - line.data);
        p += 2;

        rc = n ? sync_http_header(h, line)
               : sync_http_status(h, line, &minor);

        if (rc != SYNC_OK) {
            return rc;
        }
    }

    if (n == 0) {
        return sync_http_broken(h, "an empty line where a status should be");
    }

    if (h->status == 101) {
        return sync_http_broken(h, "it switches the protocol");
    }

    if (h->status < 200) {

        if (++h->interim > SYNC_HTTP_INTERIM_MAX) {
            return sync_http_broken(h, "too many answers of 1xx");
        }

        h->nheaders = 0;
        h->status = 0;

        return SYNC_PENDING;
    }

    return sync_http_framing(h, minor);
}


/* HTTP/1.1 SP 3DIGIT [ SP reason ] */

static sync_rc_t
sync_http_status(sync_http_t *h, sync_str_t line, int *minor)
{
    size_t          i;
    unsigned char  *p;

    p = line.data;

    if (line.len < 12
        || !sync_str_starts(line, "HTTP/1.")
        || (p[7] != '0' && p[7] != '1')
        || p[8] != ' '
        || (line.len > 12 && p[12] != ' '))
    {
        return sync_http_broken(h, "its status line is not of HTTP/1.1");
    }

    *minor = p[7] - '0';

    for (i = 9; i < 12; i++) {
        if (p[i] < '0' || p[i] > '9') {
            return sync_http_broken(h, "its status is no number");
        }

        h->status = h->status * 10 + (unsigned) (p[i] - '0');
    }

    if (h->status < 100 || h->status > 599) {
        return sync_http_broken(h, "its status is beyond 100 to 599");
    }

    return SYNC_OK;
}


static sync_rc_t
sync_http_header(sync_http_t *h, sync_str_t line)
{
    size_t               i;
    sync_str_t           value;
    unsigned char        c;
    sync_http_header_t  *header;

    for (i = 0; i < line.len && line.data[i] != ':'; i++) {
        c = line.data[i];

        if (c <= 0x20 || c >= 0x7f
            || strchr("\"(),/:;<=>?@[\\]{}", c) != NULL)
        {
            return sync_http_broken(h, "a header's name has other bytes than "
                                       "names have");
        }
    }

    if (i == 0 || i == line.len) {
        return sync_http_broken(h, "a header without a name");
    }

    if (h->nheaders == SYNC_HTTP_HEADERS_MAX) {
        return sync_http_large(h, "it has too many headers");
    }

    if (h->headers == NULL) {
        h->headers = sync_alloc(h->arena, SYNC_HTTP_HEADERS_MAX
                                          * sizeof(sync_http_header_t));
        if (h->headers == NULL) {
            return SYNC_FAULT;
        }
    }

    value.data = line.data + i + 1;
    value.len = line.len - i - 1;

    while (value.len && (value.data[0] == ' ' || value.data[0] == '\t')) {
        value.data++;
        value.len--;
    }

    while (value.len && (value.data[value.len - 1] == ' '
                         || value.data[value.len - 1] == '\t'))
    {
        value.len--;
    }

    header = &h->headers[h->nheaders];

    header->name = sync_strdup(h->arena, (sync_str_t) { i, line.data });
    header->value = sync_strdup(h->arena, value);

    if (header->name.data == NULL || header->value.data == NULL) {
        return SYNC_FAULT;
    }

    for (i = 0; i < header->name.len; i++) {
        if (header->name.data[i] >= 'A' && header->name.data[i] <= 'Z') {
            header->name.data[i] |= 0x20;
        }
    }

    h->nheaders++;

    return SYNC_OK;
}


/* RFC 9112, 6.3 */

static sync_rc_t
sync_http_framing(sync_http_t *h, int minor)
{
    size_t                     i, lengths, codings;
    sync_rc_t                  rc;
    const sync_http_header_t  *header, *length, *coding;

    length = NULL;
    coding = NULL;
    lengths = 0;
    codings = 0;

    h->keep = minor == 1;

    for (i = 0; i < h->nheaders; i++) {
        header = &h->headers[i];

        if (sync_str_is(header->name, "content-length")) {
            length = header;
            lengths++;

        } else if (sync_str_is(header->name, "transfer-encoding")) {
            coding = header;
            codings++;

        } else if (sync_str_is(header->name, "connection")
                   && sync_http_lists(header->value, "close"))
        {
            h->keep = 0;
        }
    }

    if (lengths + codings > 1) {
        return sync_http_broken(h, "it has more than one length");
    }

    if (coding && (minor == 0
                   || coding->value.len != 7
                   || !sync_http_lists(coding->value, "chunked")))
    {
        return sync_http_broken(h, "its transfer coding is not \"chunked\"");
    }

    if (length) {
        rc = sync_http_length(h, length->value);

        if (rc != SYNC_OK) {
            return rc;
        }
    }

    if (h->bodiless || h->status == 204 || h->status == 304) {
        return sync_http_done(h);
    }

    if (coding) {
        h->state = SYNC_HTTP_CHUNK;
        return SYNC_PENDING;
    }

    if (length == NULL) {
        h->state = SYNC_HTTP_CLOSE;
        h->keep = 0;
        return SYNC_PENDING;
    }

    if (h->left > h->max) {
        return sync_http_large(h, "it is too large");
    }

    if (h->left == 0) {
        return sync_http_done(h);
    }

    h->state = SYNC_HTTP_LENGTH;

    return SYNC_PENDING;
}


static sync_rc_t
sync_http_length(sync_http_t *h, sync_str_t s)
{
    size_t  i;

    h->left = 0;

    for (i = 0; i < s.len && i < 15; i++) {
        if (s.data[i] < '0' || s.data[i] > '9') {
            break;
        }

        h->left = h->left * 10 + (size_t) (s.data[i] - '0');
    }

    if (s.len == 0 || i < s.len) {
        return sync_http_broken(h, "its Content-Length is no number");
    }

    return SYNC_OK;
}


/* Is token, in lower case, in a list of tokens? */

static int
sync_http_lists(sync_str_t list, const char *token)
{
    size_t         i, len, start;
    unsigned char  c;

    len = strlen(token);
    i = 0;

    while (i < list.len) {

        while (i < list.len && (list.data[i] == ' ' || list.data[i] == '\t'
                                || list.data[i] == ','))
        {
            i++;
        }

        for (start = i; i < list.len; i++) {
            c = list.data[i];

            if (c == ' ' || c == '\t' || c == ',') {
                break;
            }

            if (c >= 'A' && c <= 'Z') {
                c |= 0x20;
            }

            if (i - start >= len || c != (unsigned char) token[i - start]) {
                start = list.len;        /* another one */
            }
        }

        if (start < list.len && i - start == len) {
            return 1;
        }
    }

    return 0;
}


/* A line of a chunk, without its end. */

static sync_rc_t
sync_http_chunk(sync_http_t *h)
{
    size_t         i, n;
    unsigned char  c;

    n = h->nline;
    h->nline = 0;

    if (h->state == SYNC_HTTP_DATA_END) {
        h->state = SYNC_HTTP_CHUNK;
        return SYNC_PENDING;
    }

    h->left = 0;

    for (i = 0; i < n && i < 8; i++) {
        c = h->line[i];

        if (c >= '0' && c <= '9') {
            h->left = h->left << 4 | (size_t) (c - '0');

        } else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f') {
            h->left = h->left << 4 | (size_t) ((c | 0x20) - 'a' + 10);

        } else {
            break;
        }
    }

    if (i == 0 || (i < n && h->line[i] != ';')) {
        return sync_http_broken(h, "a chunk's size is no number");
    }

    if (h->left == 0) {
        h->state = SYNC_HTTP_TRAILER;
        return SYNC_PENDING;
    }

    if (h->left > h->max - h->body.len) {
        return sync_http_large(h, "it is too large");
    }

    h->state = SYNC_HTTP_DATA;

    return SYNC_PENDING;
}


static sync_rc_t
sync_http_body(sync_http_t *h, const unsigned char *data, size_t len)
{
    size_t          size;
    unsigned char  *p;

    if (len > h->max - h->body.len) {
        return sync_http_large(h, "it is too large");
    }

    if (len > h->size - h->body.len) {

        size = h->size ? h->size * 2 : SYNC_HTTP_BODY_FIRST;

        if (h->state == SYNC_HTTP_LENGTH) {
            size = h->left;              /* all of it, once */
        }

        if (size < h->body.len + len) {
            size = h->body.len + len;
        }

        if (size > h->max) {
            size = h->max;
        }

        p = sync_alloc(h->arena, size);
        if (p == NULL) {
            return SYNC_FAULT;
        }

        if (h->body.len) {
            memcpy(p, h->body.data, h->body.len);
        }

        h->body.data = p;
        h->size = size;
    }

    memcpy(h->body.data + h->body.len, data, len);
    h->body.len += len;

    return SYNC_OK;
}


static sync_rc_t
sync_http_done(sync_http_t *h)
{
    h->state = SYNC_HTTP_DONE;

    if (h->body.data == NULL) {
        h->body = sync_str_lit("");
    }

    return SYNC_OK;
}
