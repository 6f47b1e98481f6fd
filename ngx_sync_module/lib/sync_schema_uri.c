
/*
 * References resolved against their base (RFC 3986, 5.2), by text alone.
 */


#include "sync_schema_impl.h"


/* The parts of a URI reference; data NULL: absent.  No fragment. */

typedef struct {
    sync_str_t  scheme;
    sync_str_t  authority;
    sync_str_t  path;
    sync_str_t  query;
} sync_schema_uri_t;


static sync_schema_uri_t sync_schema_split(sync_str_t s);
static sync_str_t sync_schema_merge(sync_arena_t *arena,
    const sync_schema_uri_t *base, sync_str_t path);
static sync_str_t sync_schema_dots(sync_str_t path);
static unsigned char *sync_schema_put(unsigned char *p, sync_str_t s);
static int sync_schema_hex(unsigned char ch);


sync_str_t
sync_schema_uri(sync_arena_t *arena, sync_str_t base, sync_str_t reference)
{
    sync_str_t          uri, path, none;
    unsigned char      *p;
    sync_schema_uri_t   b, r;

    b = sync_schema_split(sync_schema_unfragment(base, &none));
    r = sync_schema_split(sync_schema_unfragment(reference, &none));

    path = sync_strdup(arena, r.path);
    if (path.data == NULL) {
        return sync_str_null;
    }

    if (r.scheme.data == NULL) {
        r.scheme = b.scheme;

        if (r.authority.data == NULL) {
            r.authority = b.authority;

            if (path.len == 0) {
                path = sync_strdup(arena, b.path);

                if (r.query.data == NULL) {
                    r.query = b.query;
                }

            } else if (path.data[0] != '/') {
                path = sync_schema_merge(arena, &b, path);
            }

            if (path.data == NULL) {
                return sync_str_null;
            }
        }
    }

    path = sync_schema_dots(path);

    uri.len = r.scheme.len + 1 + 2 + r.authority.len + path.len + 1
              + r.query.len;
    uri.data = sync_alloc(arena, uri.len);

    if (uri.data == NULL) {
        return sync_str_null;
    }

    p = uri.data;

    if (r.scheme.data) {
        p = sync_schema_put(p, r.scheme);
        *p++ = ':';
    }

    if (r.authority.data) {
        *p++ = '/';
        *p++ = '/';
        p = sync_schema_put(p, r.authority);
    }

    p = sync_schema_put(p, path);

    if (r.query.data) {
        *p++ = '?';
        p = sync_schema_put(p, r.query);
    }

    uri.len = (size_t) (p - uri.data);

    return uri;
}


static sync_schema_uri_t
sync_schema_split(sync_str_t s)
{
    size_t             i, n;
    sync_schema_uri_t  u;

    memset(&u, 0, sizeof(sync_schema_uri_t));

    for (i = 0; i < s.len; i++) {

        if (s.data[i] == ':' && i > 0) {
            u.scheme.data = s.data;
            u.scheme.len = i;
            i++;
            break;
        }

        if (s.data[i] == '/' || s.data[i] == '?' || s.data[i] == ':') {
            break;
        }
    }

    if (u.scheme.data == NULL) {
        i = 0;
    }

    if (s.len - i >= 2 && s.data[i] == '/' && s.data[i + 1] == '/') {

        for (n = i + 2; n < s.len && s.data[n] != '/' && s.data[n] != '?';
             n++)
        {
            /* void */
        }

        u.authority.data = s.data + i + 2;
        u.authority.len = n - i - 2;
        i = n;
    }

    for (n = i; n < s.len && s.data[n] != '?'; n++) { /* void */ }

    u.path.data = s.data + i;
    u.path.len = n - i;

    if (n < s.len) {
        u.query.data = s.data + n + 1;
        u.query.len = s.len - n - 1;
    }

    return u;
}


/* 5.2.3: the base's path up to its last slash, then the reference's. */

static sync_str_t
sync_schema_merge(sync_arena_t *arena, const sync_schema_uri_t *base,
    sync_str_t path)
{
    size_t      keep;
    sync_str_t  merged;

    if (base->authority.data && base->path.len == 0) {
        keep = 0;

    } else {
        for (keep = base->path.len;
             keep > 0 && base->path.data[keep - 1] != '/';
             keep--)
        {
            /* void */
        }
    }

    merged.len = keep + 1 + path.len;
    merged.data = sync_alloc(arena, merged.len);

    if (merged.data == NULL) {
        return sync_str_null;
    }

    if (keep == 0 && base->authority.data) {
        merged.data[0] = '/';
        keep = 1;

    } else {
        memcpy(merged.data, base->path.data, keep);
    }

    memcpy(merged.data + keep, path.data, path.len);
    merged.len = keep + path.len;

    return merged;
}


/* 5.2.4, in place: "." goes, ".." takes the segment before it along. */

static sync_str_t
sync_schema_dots(sync_str_t path)
{
    size_t          i, n, len;
    unsigned char  *out;

    out = path.data;
    len = 0;

    for (i = 0; i < path.len; i = n) {

        for (n = i; n < path.len && path.data[n] != '/'; n++) { /* void */ }

        if (n - i == 1 && path.data[i] == '.') {
            n += n < path.len;
            continue;
        }

        if (n - i == 2 && path.data[i] == '.' && path.data[i + 1] == '.') {
            n += n < path.len;

            if (len > 1 || (len == 1 && out[0] != '/')) {
                for (len--; len > 0 && out[len - 1] != '/'; len--) {
                    /* void */
                }
            }

            continue;
        }

        n += n < path.len;
        memmove(out + len, path.data + i, n - i);
        len += n - i;
    }

    path.len = len;

    return path;
}


static unsigned char *
sync_schema_put(unsigned char *p, sync_str_t s)
{
    if (s.len) {
        memcpy(p, s.data, s.len);
    }

    return p + s.len;
}


sync_str_t
sync_schema_unfragment(sync_str_t uri, sync_str_t *fragment)
{
    size_t  i;

    *fragment = sync_str_null;

    for (i = 0; i < uri.len; i++) {
        if (uri.data[i] == '#') {
            fragment->data = uri.data + i + 1;
            fragment->len = uri.len - i - 1;
            uri.len = i;
            break;
        }
    }

    return uri;
}


sync_str_t
sync_schema_unpercent(sync_arena_t *arena, sync_str_t s)
{
    int         high, low;
    size_t      i;
    sync_str_t  out;

    out.len = 0;
    out.data = sync_alloc(arena, s.len + 1);

    if (out.data == NULL) {
        return out;
    }

    for (i = 0; i < s.len; i++) {

        if (s.data[i] != '%') {
            out.data[out.len++] = s.data[i];
            continue;
        }

        high = i + 2 < s.len ? sync_schema_hex(s.data[i + 1]) : -1;
        low = i + 2 < s.len ? sync_schema_hex(s.data[i + 2]) : -1;

        if (high < 0 || low < 0) {
            return sync_str_null;
        }

        out.data[out.len++] = (unsigned char) (high << 4 | low);
        i += 2;
    }

    return out;
}


static int
sync_schema_hex(unsigned char ch)
{
    if (ch >= '0' && ch <= '9') {
        return ch - '0';
    }

    ch |= 0x20;

    return ch >= 'a' && ch <= 'f' ? ch - 'a' + 10 : -1;
}


sync_rc_t
sync_schema_file(sync_str_t uri, sync_arena_t *arena, sync_str_t *path)
{
    size_t             i, first;
    sync_str_t         none, segment;
    sync_schema_uri_t  u;

    u = sync_schema_split(sync_schema_unfragment(uri, &none));

    while (u.path.len && u.path.data[0] == '/') {
        u.path.data++;
        u.path.len--;
    }

    if (u.path.len == 0 || u.query.data) {
        return SYNC_NO;
    }

    for (i = 0, first = 0; i <= u.path.len; i++) {

        if (i < u.path.len && u.path.data[i] != '/') {

            if (u.path.data[i] < 0x20 || u.path.data[i] == '\\') {
                return SYNC_NO;
            }

            continue;
        }

        segment = (sync_str_t) { i - first, u.path.data + first };
        first = i + 1;

        if (segment.len == 0 || segment.data[0] == '.') {
            return SYNC_NO;
        }
    }

    *path = sync_strdup(arena, u.path);

    return path->data ? SYNC_OK : SYNC_FAULT;
}
