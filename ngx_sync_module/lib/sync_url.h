
/*
 * URLs that the gateway itself calls (RFC 3986, the part of it that https
 * needs), names that may be called, and addresses that may not.
 */


#ifndef SYNC_URL_H_INCLUDED_
#define SYNC_URL_H_INCLUDED_


#include "sync_core.h"


#define SYNC_URL_MAX   4096              /* bytes */
#define SYNC_HOST_MAX  253


/* Strings are inside the text that was parsed. */

typedef struct {
    sync_str_t      host;            /* name or address, without brackets */
    uint16_t        port;
    sync_str_t      authority;       /* host and port as written: for Host */
    sync_str_t      target;          /* path and query; "/" where there is
                                        neither; data is then static */
    unsigned char   ip[16];          /* of a literal, network order */
    unsigned        iplen:5;         /* 4, 16; 0: host is a name */
    unsigned        literal:1;       /* host is an address */
} sync_url_t;

/*
 * https alone; no user, no fragment, no white space or control bytes, a host
 * of letters, digits, "-", "." (or an address), a port of 1 to 65535.  What a
 * resolver might take for an address and we would not ("127.1", "0x7f.1",
 * "2130706433") is no name.  NO: err->text says what is wrong and what would
 * be right; it repeats nothing of the text.
 */
sync_rc_t sync_url_parse(sync_url_t *url, sync_str_t text, sync_error_t *err);

/*
 * A host alone: *iplen 0: a name, else ip has the 4 or 16 bytes of an address,
 * which is written without brackets.  OK, or NO as above.
 */
sync_rc_t sync_url_host(sync_str_t host, unsigned char ip[16], size_t *iplen,
    sync_error_t *err);

/*
 * What sync_egress lists: "erp.example", "*.erp.example" (one label or more,
 * never the bare domain), and networks ("10.1.0.0/16", "fd00::/8", one
 * address) that may be called although they are not public; each with ":PORT"
 * ("[fd00::/8]:8443"), else 443.  In the arena.
 */
typedef struct sync_egress_s  sync_egress_t;

/* *egress NULL: the first.  OK, NO (err says why) or FAULT. */
sync_rc_t sync_egress_add(sync_egress_t **egress, sync_arena_t *arena,
    sync_str_t item, sync_error_t *err);

/*
 * May this URL be called, by its name (or the address it is written with) and
 * port?  OK or NO.  egress NULL: none is listed.
 */
sync_rc_t sync_egress_name(const sync_egress_t *egress, const sync_url_t *url);

/* Is a name listed, which needs a resolver? */
int sync_egress_named(const sync_egress_t *egress);

/*
 * May this address be connected to?  ip: 4 or 16 bytes in network order.
 * NO for everything that is not public unicast (RFC 6890, 4291, also within
 * ::ffff:0:0/96, 64:ff9b::/96, 2002::/16), unless a network lists it.
 */
sync_rc_t sync_egress_address(const sync_egress_t *egress,
    const unsigned char *ip, size_t len);


#endif /* SYNC_URL_H_INCLUDED_ */
