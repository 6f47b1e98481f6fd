
/*
 * The normal form of a URL: RFC 3986, section 6.
 */


#include "sync_uri.h"

#include <strings.h>


#define SYNC_URI_SIZE  8192


static sync_rc_t sync_uri_authority(unsigned char **dst, sync_str_t s,
    unsigned tls, sync_error_t *err);
static sync_rc_t sync_uri_host(unsigned char **dst, sync_str_t host,
    sync_error_t *err);
static sync_rc_t sync_uri_path(unsigned char **dst, sync_str_t s,
    sync_error_t *err);
static sync_rc_t sync_uri_escapes(unsigned char **dst, sync_str_t s,
    sync_error_t *err);
static unsigned char *sync_uri_dots(unsigned char *start,
    unsigned char *end);
static int sync_uri_hex(unsigned char c);
static int sync_uri_unreserved(unsigned c);
static sync_rc_t sync_uri_refuse(sync_error_t *err, const char *text);


sync_rc_t
sync_uri_normal(sync_str_t *normal, sync_arena_t *arena, sync_str_t uri,
    sync_error_t *err)
{
    size_t          i;
    unsigned        tls;
    sync_rc_t       rc;
    sync_str_t      part;
    unsigned char  *p;

    *normal = sync_str_null;

    if (uri.len > SYNC_URI_SIZE) {
        return sync_uri_refuse(err, "the URL is too long");
    }

    if (uri.len >= 8 && strncasecmp((char *) uri.data, "https://", 8) == 0) {
        tls = 1;

    } else if (uri.len >= 7
               && strncasecmp((char *) uri.data, "http://", 7) == 0)
    {
        tls = 0;

    } else {
        return sync_uri_refuse(err, "a URL begins with https:// or http://");
    }

    /* a port or a path that is not there adds a byte at most */

    normal->data = sync_alloc(arena, uri.len + 2);

    if (normal->data == NULL) {
        return SYNC_FAULT;
    }

    p = normal->data;

    memcpy(p, tls ? "https://" : "http://", tls ? 8 : 7);
    p += tls ? 8 : 7;

    uri.data += tls ? 8 : 7;
    uri.len -= tls ? 8 : 7;

    for (i = 0; i < uri.len; i++) {
        if (memchr("/?#", uri.data[i], 3) != NULL) {
            break;
        }
    }

    part.data = uri.data;
    part.len = i;

    rc = sync_uri_authority(&p, part, tls, err);

    if (rc != SYNC_OK) {
        return rc;
    }

    part.data = uri.data + i;

    for (part.len = 0; part.len < uri.len - i; part.len++) {
        if (part.data[part.len] == '?' || part.data[part.len] == '#') {
            break;
        }
    }

    rc = sync_uri_path(&p, part, err);

    if (rc != SYNC_OK) {
        return rc;
    }

    normal->len = (size_t) (p - normal->data);

    return SYNC_OK;
}


static sync_rc_t
sync_uri_authority(unsigned char **dst, sync_str_t s, unsigned tls,
    sync_error_t *err)
{
    size_t      i, digits;
    sync_rc_t   rc;
    sync_str_t  host, port;

    host = s;

    /* the last colon begins the port, but for those in brackets */

    for (i = s.len; i > 0; i--) {
        if (s.data[i - 1] == ':' || s.data[i - 1] == ']') {
            break;
        }
    }

    port = sync_str_null;

    if (i > 0 && s.data[i - 1] == ':') {
        host.len = i - 1;
        port.data = s.data + i;
        port.len = s.len - i;
    }

    rc = sync_uri_host(dst, host, err);

    if (rc != SYNC_OK) {
        return rc;
    }

    while (port.len > 1 && port.data[0] == '0') {
        port.data++;
        port.len--;
    }

    for (digits = 0; digits < port.len; digits++) {
        if (port.data[digits] < '0' || port.data[digits] > '9') {
            return sync_uri_refuse(err, "a port is a number");
        }
    }

    if (digits > 5) {
        return sync_uri_refuse(err, "a port is at most 65535");
    }

    if (port.len == 0 || sync_str_is(port, tls ? "443" : "80")) {
        return SYNC_OK;
    }

    *(*dst)++ = ':';
    memcpy(*dst, port.data, port.len);
    *dst += port.len;

    return SYNC_OK;
}


static sync_rc_t
sync_uri_host(unsigned char **dst, sync_str_t host, sync_error_t *err)
{
    size_t         i;
    unsigned       literal;
    unsigned char  c, *p;

    if (host.len == 0) {
        return sync_uri_refuse(err, "a URL has a host");
    }

    p = *dst;
    literal = host.data[0] == '[';

    if (literal && host.data[host.len - 1] != ']') {
        return sync_uri_refuse(err, "a bracket of the host is not closed");
    }

    for (i = 0; i < host.len; i++) {
        c = host.data[i];

        if (c >= 'A' && c <= 'Z') {
            c |= 0x20;
        }

        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')
              || c == '-' || c == '.' || c == '_'
              || (literal && (c == ':' || (c == '[' && i == 0)
                              || (c == ']' && i == host.len - 1)))))
        {
            return sync_uri_refuse(err, "a host is a name or an address, and "
                                   "no user stands before it");
        }

        *p++ = c;
    }

    *dst = p;

    return SYNC_OK;
}


static sync_rc_t
sync_uri_path(unsigned char **dst, sync_str_t s, sync_error_t *err)
{
    sync_rc_t       rc;
    unsigned char  *start;

    start = *dst;

    if (s.len == 0) {
        *(*dst)++ = '/';
        return SYNC_OK;
    }

    rc = sync_uri_escapes(dst, s, err);

    if (rc == SYNC_OK) {
        *dst = sync_uri_dots(start, *dst);
    }

    return rc;
}


static sync_rc_t
sync_uri_escapes(unsigned char **dst, sync_str_t s, sync_error_t *err)
{
    int             high, low;
    size_t          i;
    unsigned char  *p;

    static const unsigned char  hex[] = "0123456789ABCDEF";

    p = *dst;

    for (i = 0; i < s.len; i++) {

        if (s.data[i] <= ' ' || s.data[i] == 0x7f) {
            return sync_uri_refuse(err, "a path has no white space and no "
                                   "control character");
        }

        if (s.data[i] != '%') {
            *p++ = s.data[i];
            continue;
        }

        if (s.len - i < 3) {
            return sync_uri_refuse(err, "two digits follow a percent sign");
        }

        high = sync_uri_hex(s.data[i + 1]);
        low = sync_uri_hex(s.data[i + 2]);

        if (high < 0 || low < 0) {
            return sync_uri_refuse(err, "two digits follow a percent sign");
        }

        i += 2;

        if (sync_uri_unreserved((unsigned) (high << 4 | low))) {
            *p++ = (unsigned char) (high << 4 | low);

        } else {
            *p++ = '%';
            *p++ = hex[high];
            *p++ = hex[low];
        }
    }

    *dst = p;

    return SYNC_OK;
}


/* RFC 3986, 5.2.4, in place; the path begins with a slash. */

static unsigned char *
sync_uri_dots(unsigned char *start, unsigned char *end)
{
    size_t          len;
    unsigned char  *p, *in, *slash;

    p = start;
    in = start;

    while (in < end) {

        /* at a slash: one segment and what ends it */

        slash = memchr(in + 1, '/', (size_t) (end - in - 1));
        len = (size_t) ((slash != NULL ? slash : end) - in);

        if (len == 2 && in[1] == '.') {
            if (slash == NULL) {
                *p++ = '/';
            }

        } else if (len == 3 && in[1] == '.' && in[2] == '.') {

            while (p > start && *--p != '/') { /* void */ }

            if (slash == NULL) {
                *p++ = '/';
            }

        } else {
            memmove(p, in, len);
            p += len;
        }

        in += len;
    }

    return p;
}


static int
sync_uri_hex(unsigned char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }

    c |= 0x20;

    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}


static int
sync_uri_unreserved(unsigned c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
           || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_'
           || c == '~';
}


static sync_rc_t
sync_uri_refuse(sync_error_t *err, const char *text)
{
    return sync_refuse(err, "uri", SYNC_NOWHERE, "%s", text);
}
