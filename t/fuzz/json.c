
/* The tape: its links, its pointers, and what its writer makes of it. */


#include "fuzz.h"
#include "sync_print.h"


static void fuzz_tape(sync_arena_t *arena, const sync_json_t *json);
static void fuzz_again(sync_arena_t *arena, const sync_json_t *json);


int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    unsigned char        print[SYNC_PRINT_LEN];
    sync_str_t           text;
    sync_json_t          json, strict;
    sync_error_t         err;
    sync_arena_t         arena;
    sync_print_t         pr;
    sync_json_limits_t   limits = { .duplicates = 1 };
    sync_print_request_t request;

    fuzz_begin(&arena);

    text = (sync_str_t) { size, (unsigned char *) (uintptr_t) data };

    if (sync_json_parse(&json, &arena, text, &limits, &err) == SYNC_OK) {
        fuzz_tape(&arena, &json);
        fuzz_again(&arena, &json);

        memset(&request, 0, sizeof(request));
        request.path = sync_str_lit("/");

        fuzz_check(sync_print_begin(&pr, &request, &arena) == SYNC_OK);
        fuzz_check(sync_print_json(&pr, &json, &arena) == SYNC_OK);
        sync_print_end(&pr, print);

        if (sync_json_parse(&strict, &arena, text, NULL, &err) == SYNC_OK) {
            fuzz_check(strict.count == json.count);
        }

    } else {
        fuzz_check(err.offset == SYNC_NOWHERE || err.offset <= size);
        fuzz_check(sync_json_parse(&strict, &arena, text, NULL, &err)
                   == SYNC_NO);
    }

    fuzz_end(&arena);

    return 0;
}


static void
fuzz_tape(sync_arena_t *arena, const sync_json_t *json)
{
    int64_t                  number;
    uint32_t                 i;
    sync_str_t               s;
    const sync_json_node_t  *node;

    fuzz_check(json->nodes[0].next == json->count);

    for (i = 0; i < json->count; i++) {
        node = &json->nodes[i];

        fuzz_check(node->next > i && node->next <= json->count);
        fuzz_check(node->off < json->text.len
                   || (node->off == json->text.len && node->len == 0));

        switch (node->type) {

        case SYNC_JSON_STRING:
        case SYNC_JSON_KEY:
            fuzz_check(node->len <= json->text.len - node->off);

            s = sync_json_unescape(json, i, arena);

            fuzz_check(sync_json_equals(json, i, s));
            fuzz_check(sync_json_chars(json, i) <= s.len);
            break;

        case SYNC_JSON_NUMBER:
            (void) sync_json_int(json, i, &number);
            break;

        default:
            break;
        }

        (void) sync_json_raw(json, i);
    }
}


/* Written and read again it is the same; a pointer leads where it came from. */

static void
fuzz_again(sync_arena_t *arena, const sync_json_t *json)
{
    uint32_t         i, n;
    sync_str_t       text, pointer;
    sync_json_t      again;
    sync_error_t     err;
    sync_json_out_t  out;

    sync_json_begin(&out, arena, 16, 0);
    sync_json_copy(&out, json, 0);
    fuzz_check(sync_json_end(&out, &text) == SYNC_OK);

    if (sync_json_parse(&again, arena, text, NULL, &err) != SYNC_OK) {

        /* a member twice, and then a pointer is not for one place alone */

        fuzz_check(strcmp(err.what, "duplicate-member") == 0);
        return;
    }

    fuzz_check(again.count == json->count);

    for (i = 0; i < again.count && i < 64; i++) {
        if (again.nodes[i].type == SYNC_JSON_KEY) {
            continue;
        }

        pointer = sync_json_pointer(&again, i, arena);
        n = sync_json_at(&again, 0, pointer);

        fuzz_check(n == i);
    }
}
