
/*
 * gzip, by zlib.
 */


#include "sync_inflate.h"

#include <limits.h>

#include <zlib.h>


#define SYNC_INFLATE_CHUNK  16384        /* bytes counted and forgotten */
#define SYNC_INFLATE_SLACK  65536        /* below it no ratio is too high */
#define SYNC_INFLATE_GZIP   (16 + MAX_WBITS)


static sync_rc_t sync_inflate_open(z_stream *z, sync_str_t text);
static sync_rc_t sync_inflate_count(z_stream *z, size_t max, unsigned ratio,
    size_t *size, sync_error_t *err);


sync_rc_t
sync_gunzip_size(sync_str_t text, size_t max, unsigned ratio, size_t *size,
    sync_error_t *err)
{
    z_stream   z;
    sync_rc_t  rc;

    if (text.len > UINT_MAX) {
        return sync_refuse(err, "too-large", SYNC_NOWHERE,
                           "the gzip is too long");
    }

    if (sync_inflate_open(&z, text) != SYNC_OK) {
        return SYNC_FAULT;
    }

    rc = sync_inflate_count(&z, max, ratio, size, err);

    if (rc == SYNC_NO && err != NULL) {
        err->offset = text.len - z.avail_in;
    }

    (void) inflateEnd(&z);

    return rc;
}


static sync_rc_t
sync_inflate_open(z_stream *z, sync_str_t text)
{
    memset(z, 0, sizeof(z_stream));

    z->next_in = text.data;
    z->avail_in = (uInt) text.len;

    return inflateInit2(z, SYNC_INFLATE_GZIP) == Z_OK ? SYNC_OK : SYNC_FAULT;
}


/* A gzip has one member or several, one behind the other. */

static sync_rc_t
sync_inflate_count(z_stream *z, size_t max, unsigned ratio, size_t *size,
    sync_error_t *err)
{
    int            rc;
    size_t         total, taken;
    uInt           before;
    unsigned char  chunk[SYNC_INFLATE_CHUNK];

    total = 0;
    taken = 0;

    for ( ;; ) {
        before = z->avail_in;

        z->next_out = chunk;
        z->avail_out = sizeof(chunk);

        rc = inflate(z, Z_NO_FLUSH);

        taken += before - z->avail_in;
        total += sizeof(chunk) - z->avail_out;

        if (total > max) {
            return sync_refuse(err, "too-large", SYNC_NOWHERE,
                               "more than %zu bytes come out", max);
        }

        if (total > SYNC_INFLATE_SLACK && total / ratio > taken) {
            return sync_refuse(err, "ratio", SYNC_NOWHERE,
                               "more than %u times the bytes come out", ratio);
        }

        if (rc == Z_MEM_ERROR) {
            return SYNC_FAULT;
        }

        if (rc == Z_STREAM_END && z->avail_in == 0) {
            *size = total;
            return SYNC_OK;
        }

        if (rc == Z_STREAM_END && inflateReset(z) == Z_OK) {
            continue;
        }

        if (rc != Z_OK) {
            return sync_refuse(err, "syntax", SYNC_NOWHERE,
                               "this is not gzip, or not all of it");
        }
    }
}


sync_rc_t
sync_gunzip(sync_str_t text, unsigned char *out, size_t size)
{
    int        rc;
    z_stream   z;

    if (size > UINT_MAX || sync_inflate_open(&z, text) != SYNC_OK) {
        return SYNC_FAULT;
    }

    z.next_out = out;
    z.avail_out = (uInt) size;

    do {
        rc = inflate(&z, Z_FINISH);

    } while (rc == Z_STREAM_END && z.avail_in && inflateReset(&z) == Z_OK);

    (void) inflateEnd(&z);

    return rc == Z_STREAM_END && z.avail_out == 0 ? SYNC_OK : SYNC_FAULT;
}
