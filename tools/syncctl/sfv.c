
/*
 * syncctl sfv: what a structured field (RFC 9651) says, in the JSON notation
 * of the structured-field-tests, but for byte sequences, which are base64 here
 * as they are in the field.
 */


#include "syncctl.h"
#include "sync_crypto.h"
#include "sync_sfv.h"


static int syncctl_sfv_run(sync_arena_t *arena, int argc, char **argv);
static int syncctl_sfv_item(sync_arena_t *arena, const sync_sfv_item_t *item);
static int syncctl_sfv_string(sync_arena_t *arena, sync_str_t s);
static void syncctl_sfv_value(sync_arena_t *arena, sync_json_out_t *out,
    const sync_sfv_value_t *value);
static void syncctl_sfv_typed(sync_json_out_t *out, const char *type,
    sync_str_t raw);
static sync_str_t syncctl_sfv_quoted(sync_arena_t *arena, sync_str_t s);
static int syncctl_sfv_end(sync_json_out_t *out);


const syncctl_command_t  syncctl_sfv = {
    "sfv",
    "item|string VALUE",
    "Prints what the value of a structured header field (RFC 9651) says, as "
    "JSON; \"-\" reads it from the standard input.",
    syncctl_sfv_run
};


static int
syncctl_sfv_run(sync_arena_t *arena, int argc, char **argv)
{
    int              item;
    sync_rc_t        rc;
    sync_str_t       in, string;
    sync_error_t     err;
    sync_sfv_item_t  found;

    if (argc != 2) {
        return syncctl_misused("\"item\" or \"string\" and a value are asked "
                               "for");
    }

    item = strcmp(argv[0], "item") == 0;

    if (!item && strcmp(argv[0], "string") != 0) {
        return syncctl_misused("\"%s\" is neither \"item\" nor \"string\"",
                               argv[0]);
    }

    if (strcmp(argv[1], "-") != 0) {
        in = syncctl_str(argv[1]);

    } else if (syncctl_read(arena, "-", &in) != SYNCCTL_YES) {
        return SYNCCTL_WRONG;
    }

    rc = item ? sync_sfv_item(in, arena, &found, &err)
              : sync_sfv_string(in, arena, &string, &err);

    if (rc == SYNC_FAULT) {
        return syncctl_no_memory();
    }

    if (rc == SYNC_NO) {
        syncctl_tell(stderr, "the value", &err);
        return SYNCCTL_NO;
    }

    return item ? syncctl_sfv_item(arena, &found)
                : syncctl_sfv_string(arena, string);
}


/* [value, [[key, value], ...]] */

static int
syncctl_sfv_item(sync_arena_t *arena, const sync_sfv_item_t *item)
{
    uint32_t         i;
    sync_json_out_t  out;

    sync_json_begin(&out, arena, 256, 0);
    sync_json_open(&out, '[');
    syncctl_sfv_value(arena, &out, &item->value);
    sync_json_open(&out, '[');

    for (i = 0; i < item->nparams; i++) {
        sync_json_open(&out, '[');
        sync_json_string(&out, item->params[i].key);
        syncctl_sfv_value(arena, &out, &item->params[i].value);
        sync_json_close(&out, ']');
    }

    sync_json_close(&out, ']');
    sync_json_close(&out, ']');

    return syncctl_sfv_end(&out);
}


static int
syncctl_sfv_string(sync_arena_t *arena, sync_str_t s)
{
    sync_json_out_t  out;

    sync_json_begin(&out, arena, 256, 0);
    sync_json_string(&out, s);

    return syncctl_sfv_end(&out);
}


static void
syncctl_sfv_value(sync_arena_t *arena, sync_json_out_t *out,
    const sync_sfv_value_t *value)
{
    char        text[32];
    size_t      len;
    int64_t     n;
    sync_str_t  s;

    switch (value->type) {

    case SYNC_SFV_INTEGER:
        sync_json_integer(out, value->number);
        return;

    case SYNC_SFV_DECIMAL:

        /* thousandths; RFC 9651, 4.1.5: one digit at least, no more zeros */

        n = value->number < 0 ? -value->number : value->number;

        len = (size_t) snprintf(text, sizeof(text), "%s%lld.%03d",
                                value->number < 0 ? "-" : "",
                                (long long) (n / 1000), (int) (n % 1000));

        while (text[len - 1] == '0' && text[len - 2] != '.') {
            len--;
        }

        sync_json_value(out, (sync_str_t) { len, (unsigned char *) text });
        return;

    case SYNC_SFV_STRING:
        sync_json_string(out, value->text);
        return;

    case SYNC_SFV_BOOLEAN:
        sync_json_value(out, value->number ? sync_str_lit("true")
                                           : sync_str_lit("false"));
        return;

    case SYNC_SFV_DATE:
        s.len = (size_t) snprintf(text, sizeof(text), "%lld",
                                  (long long) value->number);
        s.data = (unsigned char *) text;
        syncctl_sfv_typed(out, "date", s);
        return;

    case SYNC_SFV_TOKEN:
        syncctl_sfv_typed(out, "token",
                          syncctl_sfv_quoted(arena, value->text));
        return;

    case SYNC_SFV_DISPLAY:
        syncctl_sfv_typed(out, "displaystring",
                          syncctl_sfv_quoted(arena, value->text));
        return;

    default: /* SYNC_SFV_BYTES */
        s.data = sync_alloc(arena, sync_base64_room(value->text.len) + 1);

        if (s.data == NULL) {
            out->fault = 1;
            return;
        }

        s.len = sync_base64_encode(s.data, value->text.data, value->text.len);
        syncctl_sfv_typed(out, "binary", syncctl_sfv_quoted(arena, s));
        return;
    }
}


static void
syncctl_sfv_typed(sync_json_out_t *out, const char *type, sync_str_t raw)
{
    if (raw.data == NULL) {
        out->fault = 1;
        return;
    }

    sync_json_open(out, '{');
    sync_json_key(out, sync_str_lit("__type"));
    sync_json_string(out, syncctl_str(type));
    sync_json_key(out, sync_str_lit("value"));
    sync_json_value(out, raw);
    sync_json_close(out, '}');
}


/* As a JSON string; data NULL: no memory. */

static sync_str_t
syncctl_sfv_quoted(sync_arena_t *arena, sync_str_t s)
{
    sync_str_t       text;
    sync_json_out_t  out;

    sync_json_begin(&out, arena, s.len + 8, 0);
    sync_json_string(&out, s);

    return sync_json_end(&out, &text) == SYNC_OK ? text : sync_str_null;
}


static int
syncctl_sfv_end(sync_json_out_t *out)
{
    sync_str_t  text;

    if (sync_json_end(out, &text) != SYNC_OK) {
        return syncctl_no_memory();
    }

    syncctl_print(text);

    return SYNCCTL_YES;
}
