
/*
 * URLs, egress and addresses.  A host is a name or an address and nothing
 * between: what one parser reads as a name and another as an address is how
 * guards are passed.
 */


#include "sync_url.h"


#define SYNC_URL_PORT       443
#define SYNC_EGRESS_MIN_V4  8            /* bits: a wider network lists all */
#define SYNC_EGRESS_MIN_V6  7


typedef struct sync_egress_item_s  sync_egress_item_t;

struct sync_egress_item_s {
    sync_egress_item_t  *next;
    sync_str_t           name;           /* lower case, without "*" */
    uint16_t             port;
    unsigned char        ip[16];
    uint8_t              iplen;          /* 0: a name */
    uint8_t              bits;
    unsigned             below:1;        /* "*.name" */
};

struct sync_egress_s {
    sync_egress_item_t  *first;
};


typedef struct {
    unsigned char  ip[16];
    uint8_t        bits;
} sync_url_net_t;


static sync_rc_t sync_url_authority(sync_url_t *url, sync_str_t s,
    sync_error_t *err);
static sync_rc_t sync_url_target(sync_str_t s, sync_error_t *err);
static sync_rc_t sync_url_name(sync_str_t host, sync_error_t *err);
static int sync_url_numeric(sync_str_t host);
static sync_rc_t sync_url_port(sync_str_t s, uint16_t *port,
    sync_error_t *err);
static int sync_url_same(sync_str_t a, sync_str_t lower);
static int sync_url_v4(sync_str_t s, unsigned char *ip);
static int sync_url_v6(sync_str_t s, unsigned char *ip);

static sync_rc_t sync_egress_net(sync_egress_item_t *item, sync_str_t s,
    sync_error_t *err);
static int sync_egress_within(const unsigned char *ip,
    const unsigned char *net, unsigned bits);
static const sync_egress_item_t *sync_egress_lists(
    const sync_egress_t *egress, const unsigned char *ip, size_t len,
    unsigned port);
static int sync_egress_public(const unsigned char *ip, size_t len);


static const unsigned char  sync_url_mapped[12] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff
};

static const unsigned char  sync_url_nat64[12] = {
    0, 0x64, 0xff, 0x9b
};


/* The IANA special-purpose registry of RFC 6890, and RFC 5771, 1112. */

static const sync_url_net_t  sync_url_special_v4[] = {
    { { 0 }, 8 },                        /* this network */
    { { 10 }, 8 },                       /* private, RFC 1918 */
    { { 100, 64 }, 10 },                 /* carrier NAT, RFC 6598 */
    { { 127 }, 8 },                      /* loopback */
    { { 169, 254 }, 16 },                /* link-local: clouds' metadata */
    { { 172, 16 }, 12 },                 /* private */
    { { 192, 0, 0 }, 24 },               /* IETF protocols */
    { { 192, 0, 2 }, 24 },               /* documentation, RFC 5737 */
    { { 192, 88, 99 }, 24 },             /* 6to4 relays, RFC 7526 */
    { { 192, 168 }, 16 },                /* private */
    { { 198, 18 }, 15 },                 /* benchmarks, RFC 2544 */
    { { 198, 51, 100 }, 24 },            /* documentation */
    { { 203, 0, 113 }, 24 },             /* documentation */
    { { 224 }, 4 },                      /* multicast */
    { { 240 }, 4 }                       /* reserved, broadcast */
};


/* Of 2000::/3; all beyond it is not public unicast, RFC 4291, 2.4. */

static const sync_url_net_t  sync_url_special_v6[] = {
    { { 0x20, 0x01 }, 23 },              /* IETF protocols, Teredo, ORCHID */
    { { 0x20, 0x01, 0x0d, 0xb8 }, 32 },  /* documentation, RFC 3849 */
    { { 0x3f, 0xff }, 20 }               /* documentation, RFC 9637 */
};


sync_rc_t
sync_url_parse(sync_url_t *url, sync_str_t text, sync_error_t *err)
{
    size_t      i;
    sync_rc_t   rc;
    sync_str_t  rest;

    static const char  scheme[] = "https://";

    memset(url, 0, sizeof(sync_url_t));

    if (text.len > SYNC_URL_MAX) {
        return sync_refuse(err, "too-long", SYNC_URL_MAX,
                           "a URL has at most %d bytes", SYNC_URL_MAX);
    }

    rest.data = text.data;
    rest.len = sizeof(scheme) - 1;

    if (text.len < rest.len
        || !sync_url_same(rest, (sync_str_t) { rest.len,
                                               (unsigned char *) scheme }))
    {
        return sync_refuse(err, "scheme", 0,
                           "a URL begins with \"https://\"");
    }

    rest.data = text.data + rest.len;
    rest.len = text.len - rest.len;

    for (i = 0; i < rest.len; i++) {
        if (rest.data[i] == '/' || rest.data[i] == '?'
            || rest.data[i] == '#')
        {
            break;
        }
    }

    rc = sync_url_authority(url, (sync_str_t) { i, rest.data }, err);

    if (rc != SYNC_OK) {
        return rc;
    }

    url->target.data = rest.data + i;
    url->target.len = rest.len - i;

    if (url->target.len == 0) {
        url->target = sync_str_lit("/");
        return SYNC_OK;
    }

    if (url->target.data[0] == '?') {
        return sync_refuse(err, "path", SYNC_NOWHERE,
                           "a query follows a path: \"https://host/?...\"");
    }

    return sync_url_target(url->target, err);
}


static sync_rc_t
sync_url_authority(sync_url_t *url, sync_str_t s, sync_error_t *err)
{
    size_t      i, iplen;
    sync_rc_t   rc;
    sync_str_t  port;

    url->authority = s;
    url->port = SYNC_URL_PORT;

    if (memchr(s.data, '@', s.len) != NULL) {
        return sync_refuse(err, "user", SYNC_NOWHERE,
                           "a URL carries no user and no password");
    }

    if (s.len && s.data[0] == '[') {

        for (i = 1; i < s.len && s.data[i] != ']'; i++) { /* void */ }

        if (i == s.len) {
            return sync_refuse(err, "host", SYNC_NOWHERE,
                               "an IPv6 address ends with \"]\"");
        }

        url->host.data = s.data + 1;
        url->host.len = i - 1;
        i++;

        if (!sync_url_v6(url->host, url->ip)) {
            return sync_refuse(err, "host", SYNC_NOWHERE,
                               "in brackets stands an IPv6 address without a "
                               "zone");
        }

        url->iplen = 16;

    } else {

        for (i = 0; i < s.len && s.data[i] != ':'; i++) { /* void */ }

        url->host.data = s.data;
        url->host.len = i;

        rc = sync_url_host(url->host, url->ip, &iplen, err);

        if (rc != SYNC_OK) {
            return rc;
        }

        url->iplen = (unsigned) iplen & 0x1f;
    }

    url->literal = url->iplen != 0;

    if (i == s.len) {
        return SYNC_OK;
    }

    if (s.data[i] != ':') {
        return sync_refuse(err, "host", SYNC_NOWHERE,
                           "behind \"]\" stands a port or nothing");
    }

    port.data = s.data + i + 1;
    port.len = s.len - i - 1;

    return sync_url_port(port, &url->port, err);
}


/* RFC 3986, 3.3 and 3.4: pchar, "/" and "?". */

static sync_rc_t
sync_url_target(sync_str_t s, sync_error_t *err)
{
    size_t         i;
    unsigned char  c;

    for (i = 0; i < s.len; i++) {
        c = s.data[i];

        if (c == '#') {
            return sync_refuse(err, "fragment", SYNC_NOWHERE,
                               "a URL that is called has no fragment (\"#\")");
        }

        if (c == '%') {
            if (s.len - i < 3
                || strchr("0123456789abcdefABCDEF", s.data[i + 1]) == NULL
                || strchr("0123456789abcdefABCDEF", s.data[i + 2]) == NULL
                || s.data[i + 1] == '\0' || s.data[i + 2] == '\0')
            {
                return sync_refuse(err, "percent", SYNC_NOWHERE,
                                   "behind \"%%\" stand two hexadecimal "
                                   "digits");
            }

            continue;
        }

        if (c <= 0x20 || c >= 0x7f || strchr("\"<>\\^`{|}[]", c) != NULL) {
            return sync_refuse(err, "byte", SYNC_NOWHERE,
                               "a byte that stands in no URL: write it as "
                               "\"%%XX\"");
        }
    }

    return SYNC_OK;
}


sync_rc_t
sync_url_host(sync_str_t host, unsigned char ip[16], size_t *iplen,
    sync_error_t *err)
{
    *iplen = 0;

    if (sync_url_v4(host, ip)) {
        *iplen = 4;
        return SYNC_OK;
    }

    if (sync_url_v6(host, ip)) {
        *iplen = 16;
        return SYNC_OK;
    }

    if (sync_url_numeric(host)) {
        return sync_refuse(err, "host", SYNC_NOWHERE,
                           "an IPv4 address is four decimal numbers of 0 to "
                           "255, and no name ends in a number");
    }

    return sync_url_name(host, err);
}


static sync_rc_t
sync_url_name(sync_str_t host, sync_error_t *err)
{
    size_t         i, label;
    unsigned char  c, last;

    if (host.len == 0 || host.len > SYNC_HOST_MAX) {
        return sync_refuse(err, "host", SYNC_NOWHERE,
                           "a host has 1 to %d bytes", SYNC_HOST_MAX);
    }

    label = 0;
    last = '.';

    for (i = 0; i < host.len; i++) {
        c = host.data[i];

        if (c == '.') {
            if (label == 0 || last == '-') {
                break;
            }

            label = 0;
            last = c;
            continue;
        }

        if ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') {
            /* void */

        } else if (c >= '0' && c <= '9') {
            /* void */

        } else if (c == '-' && label) {
            /* void */

        } else {
            break;
        }

        if (++label > 63) {
            break;
        }

        last = c;
    }

    if (i < host.len || label == 0 || last == '-') {
        return sync_refuse(err, "host", SYNC_NOWHERE,
                           "a host is labels of letters, digits and \"-\" "
                           "with \".\" between them; others are written as "
                           "\"xn--...\"");
    }

    return SYNC_OK;
}


/*
 * Does the last label look like a number to somebody's inet_aton()?  Decimal,
 * octal or "0x...", also before a trailing dot.
 */

static int
sync_url_numeric(sync_str_t host)
{
    size_t  i, end;

    end = host.len;

    if (end && host.data[end - 1] == '.') {
        end--;
    }

    for (i = end; i > 0 && host.data[i - 1] != '.'; i--) { /* void */ }

    if (i == end) {
        return 0;
    }

    if (end - i >= 2 && host.data[i] == '0' && (host.data[i + 1] | 0x20) == 'x')
    {
        for (i += 2; i < end; i++) {
            if (!((host.data[i] >= '0' && host.data[i] <= '9')
                  || ((host.data[i] | 0x20) >= 'a'
                      && (host.data[i] | 0x20) <= 'f')))
            {
                return 0;
            }
        }

        return 1;
    }

    for (/* void */ ; i < end; i++) {
        if (host.data[i] < '0' || host.data[i] > '9') {
            return 0;
        }
    }

    return 1;
}


static sync_rc_t
sync_url_port(sync_str_t s, uint16_t *port, sync_error_t *err)
{
    size_t    i;
    uint32_t  n;

    n = 0;

    for (i = 0; i < s.len && i < 5; i++) {
        if (s.data[i] < '0' || s.data[i] > '9') {
            break;
        }

        n = n * 10 + (s.data[i] - '0');
    }

    if (s.len == 0 || i < s.len || n == 0 || n > 65535 || s.data[0] == '0') {
        return sync_refuse(err, "port", SYNC_NOWHERE,
                           "a port is a number of 1 to 65535");
    }

    *port = (uint16_t) n;

    return SYNC_OK;
}


/* Four decimal numbers without leading zeros, which some read as octal. */

static int
sync_url_v4(sync_str_t s, unsigned char *ip)
{
    size_t    i, digits, n;
    uint32_t  value;

    n = 0;
    digits = 0;
    value = 0;

    for (i = 0; i <= s.len; i++) {

        if (i == s.len || s.data[i] == '.') {
            if (digits == 0 || n == 4) {
                return 0;
            }

            ip[n++] = (unsigned char) value;
            digits = 0;
            value = 0;
            continue;
        }

        if (s.data[i] < '0' || s.data[i] > '9' || (digits && value == 0)) {
            return 0;
        }

        value = value * 10 + (s.data[i] - '0');
        digits++;

        if (value > 255) {
            return 0;
        }
    }

    return n == 4;
}


/* RFC 4291, 2.2: all three forms, no zone. */

static int
sync_url_v6(sync_str_t s, unsigned char *ip)
{
    size_t         i, n, gap, digits, start;
    uint32_t       value;
    unsigned char  c;

    n = 0;                               /* bytes */
    gap = 17;                            /* none */
    i = 0;

    memset(ip, 0, 16);

    if (s.len >= 2 && s.data[0] == ':' && s.data[1] == ':') {
        gap = 0;
        i = 2;
    }

    while (i < s.len) {
        start = i;
        value = 0;

        for (digits = 0; i < s.len; i++, digits++) {
            c = s.data[i];

            if (c >= '0' && c <= '9') {
                value = value << 4 | (uint32_t) (c - '0');

            } else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f') {
                value = value << 4 | (uint32_t) ((c | 0x20) - 'a' + 10);

            } else {
                break;
            }

            if (digits == 4) {
                return 0;
            }
        }

        if (i < s.len && s.data[i] == '.') {
            if (n > 12
                || !sync_url_v4((sync_str_t) { s.len - start,
                                               s.data + start }, ip + n))
            {
                return 0;
            }

            n += 4;
            i = s.len;
            break;
        }

        if (digits == 0 || n > 14) {
            return 0;
        }

        ip[n++] = (unsigned char) (value >> 8);
        ip[n++] = (unsigned char) value;

        if (i == s.len) {
            break;
        }

        if (s.data[i++] != ':' || i == s.len) {
            return 0;
        }

        if (s.data[i] == ':') {
            if (gap != 17) {
                return 0;
            }

            gap = n;
            i++;
        }
    }

    if (gap == 17) {
        return n == 16;
    }

    if (n == 16) {
        return 0;                        /* "::" is one group at least */
    }

    memmove(ip + 16 - (n - gap), ip + gap, n - gap);
    memset(ip + gap, 0, 16 - n);

    return 1;
}


sync_rc_t
sync_egress_add(sync_egress_t **egress, sync_arena_t *arena, sync_str_t s,
    sync_error_t *err)
{
    size_t               i, n;
    sync_rc_t            rc;
    sync_str_t           host, port;
    sync_egress_item_t  *item;

    item = sync_calloc(arena, sizeof(sync_egress_item_t));
    if (item == NULL) {
        return SYNC_FAULT;
    }

    item->port = SYNC_URL_PORT;

    host = s;
    port = sync_str_null;
    n = 0;

    for (i = 0; i < s.len; i++) {
        n += s.data[i] == ':';
    }

    if (s.len && s.data[0] == '[') {

        for (i = 1; i < s.len && s.data[i] != ']'; i++) { /* void */ }

        host.data = s.data + 1;
        host.len = i - 1;

        if (i == s.len || (i + 1 < s.len && s.data[i + 1] != ':')
            || memchr(host.data, ':', host.len) == NULL)
        {
            return sync_refuse(err, "network", SYNC_NOWHERE,
                               "brackets hold an IPv6 address or network: "
                               "\"[fd00::/8]:8443\"");
        }

        if (i + 1 < s.len) {
            port.data = s.data + i + 2;
            port.len = s.len - i - 2;
        }

    } else if (n == 1) {
        i = (size_t) ((unsigned char *) memchr(s.data, ':', s.len) - s.data);

        host.len = i;
        port.data = s.data + i + 1;
        port.len = s.len - i - 1;
    }

    if (port.data != NULL) {
        rc = sync_url_port(port, &item->port, err);

        if (rc != SYNC_OK) {
            return rc;
        }
    }

    if (n > 1 || memchr(host.data, '/', host.len) != NULL
        || sync_url_numeric(host))
    {
        rc = sync_egress_net(item, host, err);

        if (rc != SYNC_OK) {
            return rc;
        }

    } else {

        if (sync_str_starts(host, "*.")) {
            item->below = 1;
            host.data += 2;
            host.len -= 2;
        }

        rc = sync_url_name(host, err);

        if (rc != SYNC_OK) {
            return rc;
        }

        item->name = sync_strdup(arena, host);

        if (item->name.data == NULL) {
            return SYNC_FAULT;
        }

        for (i = 0; i < item->name.len; i++) {
            if (item->name.data[i] >= 'A' && item->name.data[i] <= 'Z') {
                item->name.data[i] |= 0x20;
            }
        }
    }

    if (*egress == NULL) {
        *egress = sync_calloc(arena, sizeof(sync_egress_t));

        if (*egress == NULL) {
            return SYNC_FAULT;
        }
    }

    item->next = (*egress)->first;
    (*egress)->first = item;

    return SYNC_OK;
}


static sync_rc_t
sync_egress_net(sync_egress_item_t *item, sync_str_t s, sync_error_t *err)
{
    size_t          i, len;
    uint32_t        bits, max;
    sync_str_t      ip;
    unsigned char   probe[16];

    for (len = 0; len < s.len && s.data[len] != '/'; len++) { /* void */ }

    ip.data = s.data;
    ip.len = len;

    if (sync_url_v4(ip, item->ip)) {
        item->iplen = 4;

    } else if (sync_url_v6(ip, item->ip)) {
        item->iplen = 16;

    } else {
        return sync_refuse(err, "network", SYNC_NOWHERE,
                           "a network is written like \"10.1.0.0/16\" or "
                           "\"fd00::/8\"");
    }

    max = item->iplen * 8u;
    bits = max;

    if (len < s.len) {
        bits = 0;

        for (i = len + 1; i < s.len && i < len + 4; i++) {
            if (s.data[i] < '0' || s.data[i] > '9') {
                break;
            }

            bits = bits * 10 + (s.data[i] - '0');
        }

        if (i < s.len || i == len + 1 || bits > max) {
            return sync_refuse(err, "network", SYNC_NOWHERE,
                               "behind \"/\" stand the bits of a network, %u "
                               "at most", max);
        }

        if (bits < (max == 32 ? SYNC_EGRESS_MIN_V4 : SYNC_EGRESS_MIN_V6)) {
            return sync_refuse(err, "network", SYNC_NOWHERE,
                               "a network of %u bits is nearly everything: "
                               "list those that are meant", bits);
        }
    }

    item->bits = (uint8_t) bits;

    /* the same address within IPv6 is compared as what it is */

    if (item->iplen == 16 && bits >= 96
        && memcmp(item->ip, sync_url_mapped, 12) == 0)
    {
        return sync_refuse(err, "network", SYNC_NOWHERE,
                           "an IPv4 network is written as such");
    }

    memset(probe, 0, sizeof(probe));

    for (i = 0; i < bits / 8; i++) {
        probe[i] = item->ip[i];
    }

    if (bits % 8) {
        probe[i] = item->ip[i] & (unsigned char) (0xff00 >> bits % 8);
    }

    if (memcmp(probe, item->ip, item->iplen) != 0) {
        return sync_refuse(err, "network", SYNC_NOWHERE,
                           "a network of %u bits has zeros behind them", bits);
    }

    return SYNC_OK;
}


sync_rc_t
sync_egress_name(const sync_egress_t *egress, const sync_url_t *url)
{
    size_t               skip;
    sync_str_t           host;
    sync_egress_item_t  *item;

    if (egress == NULL) {
        return SYNC_NO;
    }

    if (url->literal) {
        return sync_egress_lists(egress, url->ip, url->iplen, url->port)
               ? SYNC_OK : SYNC_NO;
    }

    for (item = egress->first; item != NULL; item = item->next) {

        if (item->iplen || item->port != url->port
            || item->name.len > url->host.len)
        {
            continue;
        }

        host = url->host;
        skip = host.len - item->name.len;

        if (item->below ? (skip < 2 || host.data[skip - 1] != '.') : skip) {
            continue;
        }

        host.data += skip;
        host.len -= skip;

        if (sync_url_same(host, item->name)) {
            return SYNC_OK;
        }
    }

    return SYNC_NO;
}


int
sync_egress_named(const sync_egress_t *egress)
{
    sync_egress_item_t  *item;

    if (egress == NULL) {
        return 0;
    }

    for (item = egress->first; item != NULL; item = item->next) {
        if (item->iplen == 0) {
            return 1;
        }
    }

    return 0;
}


static int
sync_url_same(sync_str_t a, sync_str_t lower)
{
    size_t         i;
    unsigned char  c;

    for (i = 0; i < a.len; i++) {
        c = a.data[i];

        if (c >= 'A' && c <= 'Z') {
            c |= 0x20;
        }

        if (c != lower.data[i]) {
            return 0;
        }
    }

    return a.len == lower.len;
}


sync_rc_t
sync_egress_address(const sync_egress_t *egress, const unsigned char *ip,
    size_t len)
{
    if (sync_egress_public(ip, len)
        || sync_egress_lists(egress, ip, len, 0) != NULL)
    {
        return SYNC_OK;
    }

    return SYNC_NO;
}


/* The network that lists an address; port 0: whatever its port. */

static const sync_egress_item_t *
sync_egress_lists(const sync_egress_t *egress, const unsigned char *ip,
    size_t len, unsigned port)
{
    sync_egress_item_t  *item;

    if (egress == NULL) {
        return NULL;
    }

    if (len == 16 && memcmp(ip, sync_url_mapped, 12) == 0) {
        ip += 12;
        len = 4;
    }

    for (item = egress->first; item != NULL; item = item->next) {
        if (item->iplen == len
            && (port == 0 || item->port == port)
            && sync_egress_within(ip, item->ip, item->bits))
        {
            return item;
        }
    }

    return NULL;
}


static int
sync_egress_within(const unsigned char *ip, const unsigned char *net,
    unsigned bits)
{
    unsigned char  mask;

    if (memcmp(ip, net, bits / 8) != 0) {
        return 0;
    }

    if (bits % 8 == 0) {
        return 1;
    }

    mask = (unsigned char) (0xff00 >> bits % 8);

    return ((ip[bits / 8] ^ net[bits / 8]) & mask) == 0;
}


static int
sync_egress_public(const unsigned char *ip, size_t len)
{
    size_t                 i, n;
    const sync_url_net_t  *net;

    if (len == 4) {
        net = sync_url_special_v4;
        n = sizeof(sync_url_special_v4) / sizeof(sync_url_net_t);

    } else if (len == 16) {

        if (memcmp(ip, sync_url_mapped, 12) == 0
            || memcmp(ip, sync_url_nat64, 12) == 0)
        {
            return sync_egress_public(ip + 12, 4);
        }

        if (ip[0] == 0x20 && ip[1] == 0x02) {
            return sync_egress_public(ip + 2, 4);
        }

        if ((ip[0] & 0xe0) != 0x20) {
            return 0;
        }

        net = sync_url_special_v6;
        n = sizeof(sync_url_special_v6) / sizeof(sync_url_net_t);

    } else {
        return 0;
    }

    for (i = 0; i < n; i++) {
        if (sync_egress_within(ip, net[i].ip, net[i].bits)) {
            return 0;
        }
    }

    return 1;
}
