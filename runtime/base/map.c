#include "runtime/base/map.h"

#include "runtime/base/memory.h"

#include <assert.h>

void vow_map_init(vow_map *map)
{
    *map = (vow_map){ .mask = VOW_MAP_FIRST_BUCKETS - 1 };
    map->buckets = map->first_buckets;
}

static void map_free_buckets(vow_map *map)
{
    if (map->buckets != map->first_buckets)
        vow_free(map->buckets);
}

void vow_map_done(vow_map *map)
{
    map_free_buckets(map);
    vow_map_init(map);
}

/* Each side of a connection hands out every other number: the lowest bit says nothing. */
static size_t map_place(const vow_map *map, uint64_t key)
{
    return (size_t)(key >> 1) & map->mask;
}

static void map_link(vow_map *map, vow_map_node *node)
{
    size_t place = map_place(map, node->key);

    node->next = map->buckets[place];
    map->buckets[place] = node;
    if (place < map->first)
        map->first = place;
}

static void map_grow(vow_map *map)
{
    size_t         old_count = map->mask + 1;
    vow_map_node **old = map->buckets;
    vow_map_node **buckets = vow_alloc_zeroed(2 * old_count * sizeof *buckets);

    if (!buckets)
        return;
    map->buckets = buckets;
    map->mask = 2 * old_count - 1;
    map->first = map->mask;
    for (size_t i = 0; i < old_count; i++) {
        while (old[i]) {
            vow_map_node *node = old[i];

            old[i] = node->next;
            map_link(map, node);
        }
    }
    if (old != map->first_buckets)
        vow_free(old);
}

void vow_map_insert(vow_map *map, vow_map_node *node)
{
    if (map->count > map->mask)
        map_grow(map);
    map_link(map, node);
    map->count++;
}

vow_map_node *vow_map_find(const vow_map *map, uint64_t key)
{
    vow_map_node *node = map->buckets[map_place(map, key)];

    while (node && node->key != key)
        node = node->next;
    return node;
}

void vow_map_remove(vow_map *map, vow_map_node *node)
{
    vow_map_node **place = &map->buckets[map_place(map, node->key)];

    while (*place != node) {
        assert(*place);
        place = &(*place)->next;
    }
    *place = node->next;
    map->count--;
}

vow_map_node *vow_map_any(vow_map *map)
{
    if (map->count == 0)
        return NULL;
    while (!map->buckets[map->first])
        map->first++;
    return map->buckets[map->first];
}
