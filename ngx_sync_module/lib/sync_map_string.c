
/*
 * Values as texts: split, trimmed, in upper or lower case.
 */


#include "sync_map_rules.h"


static uint32_t sync_map_split(sync_str_t s, sync_str_t by, sync_str_t *pieces,
    uint32_t room);
static sync_str_t sync_map_trim(sync_str_t s);
static sync_rc_t sync_map_letters(sync_str_t *s, sync_map_case_e letters,
    sync_arena_t *arena);
static uint32_t sync_map_upper(uint32_t ch);
static uint32_t sync_map_lower(uint32_t ch);
static sync_rc_t sync_map_tape(sync_str_t s, sync_arena_t *arena,
    sync_json_t *tape);


sync_rc_t
sync_map_strings(const sync_map_string_t *string, const sync_json_t *json,
    uint32_t n, sync_arena_t *arena, sync_json_t **tapes, uint32_t *count)
{
    uint32_t                 i, found;
    sync_rc_t                rc;
    sync_str_t               s, *pieces;
    const sync_json_node_t  *node;

    node = &json->nodes[n];

    if (node->type == SYNC_JSON_ARRAY || node->type == SYNC_JSON_OBJECT) {
        return SYNC_NO;
    }

    s = node->type == SYNC_JSON_STRING ? sync_json_unescape(json, n, arena)
                                       : sync_json_raw(json, n);
    if (s.data == NULL) {
        return SYNC_FAULT;
    }

    pieces = &s;
    found = 1;

    if (string->split.len) {
        found = sync_map_split(s, string->split, NULL, 0);

        pieces = sync_alloc(arena, found * sizeof(sync_str_t));
        if (pieces == NULL) {
            return SYNC_FAULT;
        }

        (void) sync_map_split(s, string->split, pieces, found);

        if (string->take != SYNC_MAP_TAKE_ALL) {
            i = (uint32_t) (string->take < 0 ? string->take + (int64_t) found
                                             : string->take);

            /* a piece before the first is beyond all, too */

            if (i >= found) {
                *count = 0;
                return SYNC_OK;
            }

            pieces += i;
            found = 1;
        }
    }

    *tapes = sync_alloc(arena, found * sizeof(sync_json_t));
    if (*tapes == NULL) {
        return SYNC_FAULT;
    }

    *count = found;

    for (i = 0; i < found; i++) {

        if (string->trim) {
            pieces[i] = sync_map_trim(pieces[i]);
        }

        rc = sync_map_letters(&pieces[i], string->letters, arena);

        if (rc == SYNC_OK) {
            rc = sync_map_tape(pieces[i], arena, &(*tapes)[i]);
        }

        if (rc != SYNC_OK) {
            return SYNC_FAULT;
        }
    }

    return SYNC_OK;
}


/* How many pieces there are; the first room of them are written. */

static uint32_t
sync_map_split(sync_str_t s, sync_str_t by, sync_str_t *pieces, uint32_t room)
{
    uint32_t              n;
    const unsigned char  *p, *start, *last;

    n = 0;
    start = s.data;
    last = s.data + s.len;

    for (p = start; (size_t) (last - p) >= by.len; /* void */ ) {

        if (memcmp(p, by.data, by.len) != 0) {
            p++;
            continue;
        }

        if (n < room) {
            pieces[n] = (sync_str_t) { (size_t) (p - start),
                                       (unsigned char *) start };
        }

        n++;
        p += by.len;
        start = p;
    }

    if (n < room) {
        pieces[n] = (sync_str_t) { (size_t) (last - start),
                                   (unsigned char *) start };
    }

    return n + 1;
}


/* Blanks, tabs, ends of lines, and the blank that does not break (U+00A0). */

static sync_str_t
sync_map_trim(sync_str_t s)
{
    for ( ;; ) {
        if (s.len && strchr(" \t\n\r\v\f", s.data[0]) && s.data[0]) {
            s.data++;
            s.len--;

        } else if (s.len >= 2 && memcmp(s.data, "\xc2\xa0", 2) == 0) {
            s.data += 2;
            s.len -= 2;

        } else {
            break;
        }
    }

    for ( ;; ) {
        if (s.len && strchr(" \t\n\r\v\f", s.data[s.len - 1])
            && s.data[s.len - 1])
        {
            s.len--;

        } else if (s.len >= 2
                   && memcmp(s.data + s.len - 2, "\xc2\xa0", 2) == 0)
        {
            s.len -= 2;

        } else {
            return s;
        }
    }
}


/*
 * Letters that UTF-8 writes with one or two bytes, Latin, Greek and Cyrillic,
 * where the other case has as many; all else stays.
 */

static sync_rc_t
sync_map_letters(sync_str_t *s, sync_map_case_e letters, sync_arena_t *arena)
{
    size_t          i;
    uint32_t        ch;
    unsigned char  *p;

    if (letters == SYNC_MAP_CASE_NONE) {
        return SYNC_OK;
    }

    p = sync_alloc(arena, s->len + 1);
    if (p == NULL) {
        return SYNC_FAULT;
    }

    for (i = 0; i < s->len; i++) {
        ch = s->data[i];

        if ((ch & 0xe0) == 0xc0 && i + 1 < s->len) {
            ch = (ch & 0x1f) << 6 | (s->data[i + 1] & 0x3f);
            ch = letters == SYNC_MAP_UPPER ? sync_map_upper(ch)
                                           : sync_map_lower(ch);
            p[i++] = (unsigned char) (0xc0 | ch >> 6);
            p[i] = (unsigned char) (0x80 | (ch & 0x3f));
            continue;
        }

        if (ch < 0x80) {
            ch = letters == SYNC_MAP_UPPER ? sync_map_upper(ch)
                                           : sync_map_lower(ch);
        }

        p[i] = (unsigned char) ch;
    }

    s->data = p;

    return SYNC_OK;
}


static uint32_t
sync_map_upper(uint32_t ch)
{
    if (ch < 0x80) {
        return ch >= 'a' && ch <= 'z' ? ch - 32 : ch;
    }

    switch (ch) {

    case 0xdf:                       /* sharp s has no single capital here */
    case 0xf7:                       /* the sign of division */
    case 0x131:                      /* i without its dot: I has one byte */
    case 0x138:
    case 0x149:
    case 0x17f:
    case 0x390:
    case 0x3b0:
        return ch;

    case 0xff:
        return 0x178;

    case 0x3ac:
        return 0x386;

    case 0x3c2:
        return 0x3a3;

    case 0x3cc:
        return 0x38c;

    case 0x3cd:
    case 0x3ce:
        return ch - 63;
    }

    if ((ch >= 0xe0 && ch <= 0xfe) || (ch >= 0x3b1 && ch <= 0x3cb)
        || (ch >= 0x430 && ch <= 0x44f))
    {
        return ch - 32;
    }

    if (ch >= 0x3ad && ch <= 0x3af) {
        return ch - 37;
    }

    if (ch >= 0x450 && ch <= 0x45f) {
        return ch - 80;
    }

    /* pairs, the capital first: at even places, or at odd ones */

    if ((ch >= 0x100 && ch <= 0x137) || (ch >= 0x14a && ch <= 0x177)) {
        return ch & ~1u;
    }

    if ((ch >= 0x139 && ch <= 0x148) || (ch >= 0x179 && ch <= 0x17e)) {
        return ch & 1 ? ch : ch - 1;
    }

    return ch;
}


static uint32_t
sync_map_lower(uint32_t ch)
{
    if (ch < 0x80) {
        return ch >= 'A' && ch <= 'Z' ? ch + 32 : ch;
    }

    switch (ch) {

    case 0xd7:                       /* the sign of multiplication */
    case 0x130:                      /* I with a dot: i has one byte */
    case 0x138:
    case 0x149:
    case 0x17f:
    case 0x3a2:
        return ch;

    case 0x178:
        return 0xff;

    case 0x386:
        return 0x3ac;

    case 0x38c:
        return 0x3cc;

    case 0x38e:
    case 0x38f:
        return ch + 63;
    }

    if ((ch >= 0xc0 && ch <= 0xde) || (ch >= 0x391 && ch <= 0x3ab)
        || (ch >= 0x410 && ch <= 0x42f))
    {
        return ch + 32;
    }

    if (ch >= 0x388 && ch <= 0x38a) {
        return ch + 37;
    }

    if (ch >= 0x400 && ch <= 0x40f) {
        return ch + 80;
    }

    if ((ch >= 0x100 && ch <= 0x137) || (ch >= 0x14a && ch <= 0x177)) {
        return ch | 1;
    }

    if ((ch >= 0x139 && ch <= 0x148) || (ch >= 0x179 && ch <= 0x17e)) {
        return ch & 1 ? ch + 1 : ch;
    }

    return ch;
}


/* A tape of one string, as if it had been sent. */

static sync_rc_t
sync_map_tape(sync_str_t s, sync_arena_t *arena, sync_json_t *tape)
{
    sync_json_out_t  out;

    sync_json_begin(&out, arena, s.len + 2, 0);
    sync_json_string(&out, s);

    if (sync_json_end(&out, &tape->text) != SYNC_OK) {
        return SYNC_FAULT;
    }

    tape->count = 1;
    tape->nodes = sync_calloc(arena, sizeof(sync_json_node_t));

    if (tape->nodes == NULL) {
        return SYNC_FAULT;
    }

    tape->nodes[0].type = SYNC_JSON_STRING;
    tape->nodes[0].off = 1;
    tape->nodes[0].len = (uint32_t) tape->text.len - 2;
    tape->nodes[0].next = 1;
    tape->nodes[0].flags = memchr(tape->text.data, '\\', tape->text.len)
                           ? SYNC_JSON_ESCAPED : 0;

    return SYNC_OK;
}
