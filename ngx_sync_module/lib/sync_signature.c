
/*
 * Signatures of webhooks; see sync_signature.h.
 *
 *   standard  github.com/standard-webhooks/standard-webhooks, spec 1.0.0
 *   stripe    docs.stripe.com/webhooks, "Verify webhook signatures manually"
 *   github    docs.github.com, "Validating webhook deliveries"
 *   shopify   shopify.dev, "Deliver webhooks through HTTPS"
 *   hubspot   developers.hubspot.com, "Validating requests", version 3
 */


#include "sync_signature.h"


#define SYNC_SIGNATURE_DIGITS  15        /* of a timestamp, at most */
#define SYNC_SIGNATURE_MS      12        /* as many digits count ms */


static sync_rc_t sync_signature_list(sync_signature_t *s, sync_str_t value,
    sync_error_t *err);
static sync_rc_t sync_signature_stripe(sync_signature_t *s, sync_str_t value,
    sync_error_t *err);
static sync_rc_t sync_signature_alone(sync_signature_t *s, sync_str_t value,
    sync_error_t *err);
static int sync_signature_add(sync_signature_t *s, sync_str_t text,
    sync_signature_encoding_e encoding, size_t want, unsigned asymmetric);
static sync_str_t sync_signature_item(sync_str_t *rest, unsigned char by);
static sync_rc_t sync_signature_time(const sync_signature_scheme_t *scheme,
    sync_str_t value, int64_t now, sync_error_t *err);
static sync_rc_t sync_signature_id(sync_str_t value, sync_error_t *err);
static sync_str_t sync_signature_part(const sync_signature_t *s,
    const sync_signature_request_t *request, const sync_signed_part_t *part);
static sync_rc_t sync_signature_ed25519(const sync_signature_t *s,
    const sync_str_t *pieces, size_t n, const sync_signature_key_t *key,
    sync_arena_t *arena);


static const char  *sync_signature_names[] = {
    "", "standard", "stripe", "github", "shopify", "hubspot", "generic"
};


static const struct {
    const char     *name;
    sync_signed_e   kind;
} sync_signed_names[] = {
    { "{body}",       SYNC_SIGNED_BODY },
    { "{timestamp}",  SYNC_SIGNED_TIMESTAMP },
    { "{id}",         SYNC_SIGNED_ID },
    { "{method}",     SYNC_SIGNED_METHOD },
    { "{url}",        SYNC_SIGNED_URL }
};

#define SYNC_SIGNED_NAMES                                                     \
    (sizeof(sync_signed_names) / sizeof(sync_signed_names[0]))


/* The profiles; what they sign is written as an operator would write it. */

static const struct {
    const char                  *header;
    const char                  *timestamp;
    const char                  *id;
    const char                  *prefix;
    sync_signature_encoding_e    encoding;
    const char                  *signs;
} sync_signature_profiles[] = {

    { "", "", "", "", SYNC_SIGNATURE_HEX, "{body}" },

    { "webhook-signature", "webhook-timestamp", "webhook-id", "",
      SYNC_SIGNATURE_BASE64, "{id}.{timestamp}.{body}" },

    { "stripe-signature", "", "", "",
      SYNC_SIGNATURE_HEX, "{timestamp}.{body}" },

    { "x-hub-signature-256", "", "", "sha256=",
      SYNC_SIGNATURE_HEX, "{body}" },

    { "x-shopify-hmac-sha256", "", "", "",
      SYNC_SIGNATURE_BASE64, "{body}" },

    { "x-hubspot-signature-v3", "x-hubspot-request-timestamp", "", "",
      SYNC_SIGNATURE_BASE64, "{method}{url}{body}{timestamp}" },

    { "", "", "", "", SYNC_SIGNATURE_HEX, "{body}" }
};


static sync_str_t
sync_signature_str(const char *s)
{
    return (sync_str_t) { strlen(s), (unsigned char *) (uintptr_t) s };
}


sync_signature_e
sync_signature_by_name(sync_str_t name)
{
    unsigned  i;

    for (i = SYNC_SIGNATURE_STANDARD; i < SYNC_SIGNATURES; i++) {
        if (sync_str_is(name, sync_signature_names[i])) {
            return (sync_signature_e) i;
        }
    }

    return SYNC_SIGNATURE_NONE;
}


const char *
sync_signature_name(sync_signature_e profile)
{
    return sync_signature_names[profile];
}


void
sync_signature_scheme(sync_signature_scheme_t *scheme,
    sync_signature_e profile)
{
    memset(scheme, 0, sizeof(sync_signature_scheme_t));

    scheme->profile = profile;
    scheme->header = sync_signature_str(
                                  sync_signature_profiles[profile].header);
    scheme->timestamp = sync_signature_str(
                                  sync_signature_profiles[profile].timestamp);
    scheme->id = sync_signature_str(sync_signature_profiles[profile].id);
    scheme->prefix = sync_signature_str(
                                  sync_signature_profiles[profile].prefix);
    scheme->encoding = sync_signature_profiles[profile].encoding;
    scheme->digest = SYNC_DIGEST_SHA256;
    scheme->window = SYNC_SIGNATURE_WINDOW;

    (void) sync_signature_template(scheme,
                                   sync_signature_str(
                                      sync_signature_profiles[profile].signs),
                                   NULL);
}


sync_rc_t
sync_signature_template(sync_signature_scheme_t *scheme, sync_str_t text,
    sync_error_t *err)
{
    size_t               i, at, bodies;
    sync_signed_part_t  *part;

    scheme->nparts = 0;
    bodies = 0;
    part = NULL;

    for (at = 0; at < text.len; /* void */ ) {

        if (text.data[at] != '{') {

            if (part == NULL) {
                if (scheme->nparts == SYNC_SIGNATURE_PARTS) {
                    goto many;
                }

                part = &scheme->parts[scheme->nparts++];
                part->kind = SYNC_SIGNED_TEXT;
                part->text.data = text.data + at;
                part->text.len = 0;
            }

            part->text.len++;
            at++;
            continue;
        }

        for (i = 0; i < SYNC_SIGNED_NAMES; i++) {
            if (sync_str_starts((sync_str_t) { text.len - at, text.data + at },
                                sync_signed_names[i].name))
            {
                break;
            }
        }

        if (i == SYNC_SIGNED_NAMES) {
            return sync_refuse(err, "template", at, "what is signed is made "
                               "of {body}, {timestamp}, {id}, {method} and "
                               "{url}");
        }

        if (scheme->nparts == SYNC_SIGNATURE_PARTS) {
            goto many;
        }

        part = &scheme->parts[scheme->nparts++];
        part->kind = sync_signed_names[i].kind;
        part->text = sync_str_null;

        bodies += (part->kind == SYNC_SIGNED_BODY);
        at += strlen(sync_signed_names[i].name);
        part = NULL;
    }

    if (bodies != 1) {
        return sync_refuse(err, "template", 0, "{body} is signed once: what "
                           "is not signed could be anybody's");
    }

    return SYNC_OK;

many:

    return sync_refuse(err, "template", at, "what is signed has more than %d "
                       "parts", SYNC_SIGNATURE_PARTS);
}


int
sync_signature_signs(const sync_signature_scheme_t *scheme,
    sync_signed_e kind)
{
    size_t  i;

    for (i = 0; i < scheme->nparts; i++) {
        if (scheme->parts[i].kind == kind) {
            return 1;
        }
    }

    return 0;
}


sync_rc_t
sync_signature_read(sync_signature_t *s,
    const sync_signature_scheme_t *scheme,
    const sync_signature_headers_t *headers, int64_t now, sync_error_t *err)
{
    sync_rc_t   rc;
    sync_str_t  value;

    s->scheme = scheme;
    s->n = 0;
    s->timestamp = scheme->timestamp.len ? headers->timestamp : sync_str_null;
    s->id = scheme->id.len ? headers->id : sync_str_null;

    value = headers->signature;

    if (value.data == NULL || (scheme->timestamp.len && !s->timestamp.data)
        || (scheme->id.len && !s->id.data))
    {
        return sync_refuse(err, "missing", SYNC_NOWHERE, "a header of the "
                           "signature is missing");
    }

    if (value.len > SYNC_SIGNATURE_HEADER) {
        return sync_refuse(err, "too-large", SYNC_NOWHERE, "the signature has "
                           "more than %d bytes", SYNC_SIGNATURE_HEADER);
    }

    switch (scheme->profile) {

    case SYNC_SIGNATURE_STANDARD:
        rc = sync_signature_list(s, value, err);
        break;

    case SYNC_SIGNATURE_STRIPE:
        rc = sync_signature_stripe(s, value, err);
        break;

    default:
        rc = sync_signature_alone(s, value, err);
    }

    if (rc == SYNC_OK && s->timestamp.data) {
        rc = sync_signature_time(scheme, s->timestamp, now, err);
    }

    if (rc == SYNC_OK && s->id.data) {
        rc = sync_signature_id(s->id, err);
    }

    return rc;
}


/* "v1,BASE64 v1a,BASE64": one for each secret while they change. */

static sync_rc_t
sync_signature_list(sync_signature_t *s, sync_str_t value, sync_error_t *err)
{
    sync_str_t  item;

    while (value.len) {
        item = sync_signature_item(&value, ' ');

        if (sync_str_starts(item, "v1,")) {
            item.data += 3;
            item.len -= 3;

            if (!sync_signature_add(s, item, SYNC_SIGNATURE_BASE64,
                                    SYNC_SHA256_LEN, 0))
            {
                goto many;
            }

        } else if (sync_str_starts(item, "v1a,")) {
            item.data += 4;
            item.len -= 4;

            if (!sync_signature_add(s, item, SYNC_SIGNATURE_BASE64,
                                    SYNC_ED25519_SIG_LEN, 1))
            {
                goto many;
            }
        }
    }

    if (s->n == 0) {
        return sync_refuse(err, "malformed", SYNC_NOWHERE, "the header has no "
                           "signature v1 or v1a");
    }

    return SYNC_OK;

many:

    return sync_refuse(err, "too-large", SYNC_NOWHERE, "the header has more "
                       "than %d signatures", SYNC_SIGNATURE_LIST);
}


/* "t=1492774577,v1=HEX,v0=HEX": v0 is for tests and never counts. */

static sync_rc_t
sync_signature_stripe(sync_signature_t *s, sync_str_t value,
    sync_error_t *err)
{
    sync_str_t  item;

    while (value.len) {
        item = sync_signature_item(&value, ',');

        if (sync_str_starts(item, "t=")) {

            if (s->timestamp.data != NULL) {
                return sync_refuse(err, "malformed", SYNC_NOWHERE,
                                   "the header has two timestamps");
            }

            s->timestamp.data = item.data + 2;
            s->timestamp.len = item.len - 2;

        } else if (sync_str_starts(item, "v1=")) {
            item.data += 3;
            item.len -= 3;

            if (!sync_signature_add(s, item, SYNC_SIGNATURE_HEX,
                                    SYNC_SHA256_LEN, 0))
            {
                return sync_refuse(err, "too-large", SYNC_NOWHERE,
                                   "the header has more than %d signatures",
                                   SYNC_SIGNATURE_LIST);
            }
        }
    }

    if (s->n == 0 || s->timestamp.data == NULL) {
        return sync_refuse(err, "malformed", SYNC_NOWHERE, "the header has no "
                           "t= or no v1=");
    }

    return SYNC_OK;
}


static sync_rc_t
sync_signature_alone(sync_signature_t *s, sync_str_t value,
    sync_error_t *err)
{
    const sync_str_t  *prefix;

    prefix = &s->scheme->prefix;

    if (value.len >= prefix->len
        && (prefix->len == 0
            || memcmp(value.data, prefix->data, prefix->len) == 0))
    {
        value.data += prefix->len;
        value.len -= prefix->len;

        (void) sync_signature_add(s, value, s->scheme->encoding,
                                  sync_digest_len(s->scheme->digest), 0);
    }

    if (s->n == 0) {
        return sync_refuse(err, "malformed", SYNC_NOWHERE, "the header is no "
                           "signature of this scheme");
    }

    return SYNC_OK;
}


/* What is bent, or has another length, is nobody's.  0: there is no room. */

static int
sync_signature_add(sync_signature_t *s, sync_str_t text,
    sync_signature_encoding_e encoding, size_t want, unsigned asymmetric)
{
    size_t                 len;
    sync_signature_one_t  *one;

    if (encoding == SYNC_SIGNATURE_HEX ? text.len != 2 * want
                                       : text.len != sync_base64_room(want))
    {
        return 1;
    }

    if (s->n == SYNC_SIGNATURE_LIST) {
        return 0;
    }

    one = &s->list[s->n];

    if (encoding == SYNC_SIGNATURE_HEX) {
        len = want;

        if (sync_hex_decode(one->bytes, text) != SYNC_OK) {
            return 1;
        }

    } else {
        unsigned char  bytes[sync_base64_bytes(sync_base64_room(SYNC_MAC_MAX))];

        if (sync_base64_decode(bytes, &len, text) != SYNC_OK || len != want) {
            return 1;
        }

        memcpy(one->bytes, bytes, len);
    }

    one->len = len;
    one->asymmetric = asymmetric;
    s->n++;

    return 1;
}


/* The next item of a list, without the spaces around it. */

static sync_str_t
sync_signature_item(sync_str_t *rest, unsigned char by)
{
    size_t          skip;
    sync_str_t      item;
    unsigned char  *end;

    item = *rest;
    end = memchr(item.data, by, item.len);

    if (end != NULL) {
        item.len = (size_t) (end - item.data);
    }

    skip = item.len + (end != NULL);
    rest->data += skip;
    rest->len -= skip;

    while (item.len && item.data[0] == ' ') {
        item.data++;
        item.len--;
    }

    while (item.len && item.data[item.len - 1] == ' ') {
        item.len--;
    }

    return item;
}


/*
 * Seconds, or milliseconds where there are so many digits that they can be
 * nothing else.  HubSpot counts milliseconds, and nobody else does.
 */

static sync_rc_t
sync_signature_time(const sync_signature_scheme_t *scheme, sync_str_t value,
    int64_t now, sync_error_t *err)
{
    size_t   i;
    int64_t  t;

    t = 0;

    for (i = 0; i < value.len && i < SYNC_SIGNATURE_DIGITS; i++) {

        if (value.data[i] < '0' || value.data[i] > '9') {
            break;
        }

        t = t * 10 + (value.data[i] - '0');
    }

    if (i == 0 || i != value.len) {
        return sync_refuse(err, "malformed", SYNC_NOWHERE, "the timestamp is "
                           "no number of seconds or milliseconds since 1970");
    }

    if (scheme->profile != SYNC_SIGNATURE_HUBSPOT
        && (scheme->profile != SYNC_SIGNATURE_GENERIC
            || value.len < SYNC_SIGNATURE_MS))
    {
        /* whole seconds are compared with whole seconds */

        if (t > INT64_MAX / 1000) {
            t = INT64_MAX / 1000;
        }

        t *= 1000;
        now -= now % 1000;
    }

    if (t < now - scheme->window || t > now + scheme->window) {
        return sync_refuse(err, "late", SYNC_NOWHERE, "the timestamp is "
                           "outside of the window");
    }

    return SYNC_OK;
}


/*
 * A dot in an id would let a part of what is signed move into the timestamp
 * (Standard Webhooks, "Signature scheme").
 */

static sync_rc_t
sync_signature_id(sync_str_t value, sync_error_t *err)
{
    size_t  i;

    for (i = 0; i < value.len; i++) {
        if (value.data[i] <= 0x20 || value.data[i] >= 0x7f
            || value.data[i] == '.')
        {
            break;
        }
    }

    if (i != value.len || i == 0 || i > SYNC_SIGNATURE_ID) {
        return sync_refuse(err, "malformed", SYNC_NOWHERE, "the id of the "
                           "message is empty, has a dot or a space, or more "
                           "than %d bytes", SYNC_SIGNATURE_ID);
    }

    return SYNC_OK;
}


sync_rc_t
sync_signature_key(sync_signature_key_t *key, sync_signature_e profile,
    sync_str_t secret, sync_error_t *err)
{
    key->asymmetric = 0;
    key->len = 0;

    if (secret.len == 0 || secret.len > SYNC_SIGNATURE_SECRET) {
        return sync_refuse(err, "secret", SYNC_NOWHERE, "a secret has 1 to %d "
                           "bytes", SYNC_SIGNATURE_SECRET);
    }

    if (profile != SYNC_SIGNATURE_STANDARD) {
        memcpy(key->bytes, secret.data, secret.len);
        key->len = secret.len;

        return SYNC_OK;
    }

    if (sync_str_starts(secret, "whsk_")) {
        return sync_refuse(err, "secret", SYNC_NOWHERE, "\"whsk_\" is the "
                           "sender's own key; \"whpk_\" is the one to verify "
                           "by");
    }

    if (sync_str_starts(secret, "whpk_")) {
        key->asymmetric = 1;
        secret.data += sizeof("whpk_") - 1;
        secret.len -= sizeof("whpk_") - 1;

    } else if (sync_str_starts(secret, "whsec_")) {
        secret.data += sizeof("whsec_") - 1;
        secret.len -= sizeof("whsec_") - 1;
    }

    if (sync_base64_decode(key->bytes, &key->len, secret) != SYNC_OK
        || key->len == 0
        || (key->asymmetric && key->len != SYNC_ED25519_KEY_LEN))
    {
        sync_wipe(key, sizeof(sync_signature_key_t));

        return sync_refuse(err, "secret", SYNC_NOWHERE, "a secret of Standard "
                           "Webhooks is \"whsec_\" and base64, or \"whpk_\" "
                           "and the base64 of 32 bytes");
    }

    return SYNC_OK;
}


sync_rc_t
sync_signature_verify(const sync_signature_t *s,
    const sync_signature_request_t *request, const sync_signature_key_t *key,
    sync_arena_t *arena)
{
    int             found;
    size_t          i, n, len;
    sync_str_t      pieces[SYNC_SIGNATURE_PARTS], mac, one;
    unsigned char   bytes[SYNC_MAC_MAX];

    n = s->scheme->nparts;

    for (i = 0; i < n; i++) {
        pieces[i] = sync_signature_part(s, request, &s->scheme->parts[i]);
    }

    if (key->asymmetric) {
        return sync_signature_ed25519(s, pieces, n, key, arena);
    }

    if (sync_mac(s->scheme->digest,
                 (sync_str_t) { key->len, (unsigned char *) key->bytes },
                 pieces, n, bytes, &len)
        != SYNC_OK)
    {
        return SYNC_FAULT;
    }

    mac = (sync_str_t) { len, bytes };
    found = 0;

    for (i = 0; i < s->n; i++) {

        if (s->list[i].asymmetric) {
            continue;
        }

        one.data = (unsigned char *) s->list[i].bytes;
        one.len = s->list[i].len;

        found |= sync_secret_eq(mac, one);
    }

    sync_wipe(bytes, sizeof(bytes));

    return found ? SYNC_OK : SYNC_NO;
}


static sync_str_t
sync_signature_part(const sync_signature_t *s,
    const sync_signature_request_t *request, const sync_signed_part_t *part)
{
    switch (part->kind) {

    case SYNC_SIGNED_BODY:
        return request->body;

    case SYNC_SIGNED_TIMESTAMP:
        return s->timestamp;

    case SYNC_SIGNED_ID:
        return s->id;

    case SYNC_SIGNED_METHOD:
        return request->method;

    case SYNC_SIGNED_URL:
        return request->url;

    default: /* SYNC_SIGNED_TEXT */
        return part->text;
    }
}


static sync_rc_t
sync_signature_ed25519(const sync_signature_t *s, const sync_str_t *pieces,
    size_t n, const sync_signature_key_t *key, sync_arena_t *arena)
{
    size_t          i;
    sync_rc_t       rc;
    sync_str_t      message;
    unsigned char  *p;

    message = sync_str_null;

    for (i = 0; i < n; i++) {
        message.len += pieces[i].len;
    }

    rc = SYNC_NO;

    for (i = 0; i < s->n && rc == SYNC_NO; i++) {

        if (!s->list[i].asymmetric) {
            continue;
        }

        if (message.data == NULL) {

            /* it is hashed twice, so it must be in one piece */

            message.data = sync_alloc(arena, message.len + 1);
            if (message.data == NULL) {
                return SYNC_FAULT;
            }

            for (p = message.data; n; pieces++, n--) {
                if (pieces->len) {
                    memcpy(p, pieces->data, pieces->len);
                    p += pieces->len;
                }
            }
        }

        rc = sync_ed25519_verify(key->bytes, s->list[i].bytes, message);
    }

    return rc;
}


sync_str_t
sync_signature_url(const sync_signature_scheme_t *scheme, sync_str_t url,
    sync_arena_t *arena)
{
    size_t          i, k;
    sync_str_t      out, code;
    unsigned char   c, *p;

    static const char  decoded[] = ":/?@!$'()*,;";

    if (scheme->profile != SYNC_SIGNATURE_HUBSPOT) {
        return url;
    }

    p = sync_alloc(arena, url.len + 1);
    if (p == NULL) {
        return sync_str_null;
    }

    out.data = p;

    for (i = 0; i < url.len; i++) {

        if (url.data[i] == '%' && url.len - i > 2) {
            code = (sync_str_t) { 2, url.data + i + 1 };

            if (sync_hex_decode(&c, code) == SYNC_OK) {

                for (k = 0; decoded[k] && decoded[k] != (char) c; k++) {
                    /* void */
                }

                if (decoded[k]) {
                    *p++ = c;
                    i += 2;
                    continue;
                }
            }
        }

        *p++ = url.data[i];
    }

    out.len = (size_t) (p - out.data);

    return out;
}
