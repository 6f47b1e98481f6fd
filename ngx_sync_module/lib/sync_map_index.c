
/*
 * Names to numbers: members of a source, members of a target, words of a
 * table.  Built once; a lookup is a hash of four bytes and, nearly always, one
 * comparison.
 */


#include "sync_map_rules.h"


static uint32_t sync_map_index_hash(sync_str_t name);
static sync_rc_t sync_map_index_grow(sync_map_index_t *index,
    sync_arena_t *arena);


sync_rc_t
sync_map_index_add(sync_map_index_t *index, sync_arena_t *arena,
    sync_str_t name, uint32_t value)
{
    uint32_t  i;

    if (sync_map_index_find(index, name) != SYNC_MAP_NO_SLOT) {
        return SYNC_NO;
    }

    if ((index->cells == NULL || 2 * (index->used + 1) > index->mask + 1)
        && sync_map_index_grow(index, arena) != SYNC_OK)
    {
        return SYNC_FAULT;
    }

    i = sync_map_index_hash(name) & index->mask;

    while (index->cells[i].name.data != NULL) {
        i = (i + 1) & index->mask;
    }

    index->cells[i].name = name;
    index->cells[i].value = value;
    index->used++;

    return SYNC_OK;
}


static sync_rc_t
sync_map_index_grow(sync_map_index_t *index, sync_arena_t *arena)
{
    uint32_t          i, k, size;
    sync_map_index_t  grown;

    size = index->cells == NULL ? 4 : 2 * (index->mask + 1);

    grown.mask = size - 1;
    grown.used = index->used;
    grown.cells = sync_calloc(arena, size * sizeof(sync_map_cell_t));

    if (grown.cells == NULL) {
        return SYNC_FAULT;
    }

    for (i = 0; index->cells != NULL && i <= index->mask; i++) {
        if (index->cells[i].name.data == NULL) {
            continue;
        }

        k = sync_map_index_hash(index->cells[i].name) & grown.mask;

        while (grown.cells[k].name.data != NULL) {
            k = (k + 1) & grown.mask;
        }

        grown.cells[k] = index->cells[i];
    }

    *index = grown;

    return SYNC_OK;
}


uint32_t
sync_map_index_find(const sync_map_index_t *index, sync_str_t name)
{
    uint32_t                i;
    const sync_map_cell_t  *cell;

    if (index->cells == NULL) {
        return SYNC_MAP_NO_SLOT;
    }

    i = sync_map_index_hash(name);

    for ( ;; ) {
        cell = &index->cells[i & index->mask];

        if (cell->name.data == NULL) {
            return SYNC_MAP_NO_SLOT;
        }

        if (sync_str_eq(cell->name, name)) {
            return cell->value;
        }

        i++;
    }
}


uint32_t
sync_map_index_node(const sync_map_index_t *index, const sync_json_t *json,
    uint32_t n)
{
    uint32_t                i;
    const sync_map_cell_t  *cell;

    if (index->cells == NULL) {
        return SYNC_MAP_NO_SLOT;
    }

    if (!(json->nodes[n].flags & SYNC_JSON_ESCAPED)) {
        return sync_map_index_find(index, sync_json_slice(json, n));
    }

    /* rare: the sender escaped a character of a name */

    for (i = 0; i <= index->mask; i++) {
        cell = &index->cells[i];

        if (cell->name.data != NULL && sync_json_equals(json, n, cell->name)) {
            return cell->value;
        }
    }

    return SYNC_MAP_NO_SLOT;
}


static uint32_t
sync_map_index_hash(sync_str_t name)
{
    uint32_t  h;

    if (name.len == 0) {
        return 0;
    }

    h = (uint32_t) name.len + ((uint32_t) name.data[0] << 8)
        + ((uint32_t) name.data[name.len / 2] << 16)
        + ((uint32_t) name.data[name.len - 1] << 24);

    /* the upper half of a product depends on all that went in */

    return (uint32_t) ((h * (uint64_t) 0x9e3779b97f4a7c15) >> 32);
}
