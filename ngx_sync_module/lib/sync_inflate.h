
/*
 * gzip (RFC 1952), bounded.  zlib is named in sync_inflate.c alone.
 *
 * The length is found first, with no memory for what comes out; then it is
 * written into memory of exactly that length.
 */


#ifndef SYNC_INFLATE_H_INCLUDED_
#define SYNC_INFLATE_H_INCLUDED_


#include "sync_core.h"


/*
 * OK: *size is the length of what is inside.  NO: err->what is "syntax" (no
 * gzip, cut short, a wrong checksum, bytes behind the end), "too-large" (over
 * max bytes) or "ratio" (over ratio times the bytes that were read, once more
 * than 64 KiB came out).  FAULT: no memory.
 */
sync_rc_t sync_gunzip_size(sync_str_t text, size_t max, unsigned ratio,
    size_t *size, sync_error_t *err);

/* Writes size bytes, as sync_gunzip_size() has told.  OK, or FAULT. */
sync_rc_t sync_gunzip(sync_str_t text, unsigned char *out, size_t size);


#endif /* SYNC_INFLATE_H_INCLUDED_ */
