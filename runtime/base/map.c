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

static void map_link(vow_map *map, vow_map_node *node)
{
    vow_map_node **bucket = &map->buckets[node->key & map->mask];

    node->next = *bucket;
    *bucket = node;
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
    vow_map_node *node = map->buckets[key & map->mask];

    while (node && node->key != key)
        node = node->next;
    return node;
}

void vow_map_remove(vow_map *map, vow_map_node *node)
{
    vow_map_node **place = &map->buckets[node->key & map->mask];

    while (*place != node) {
        assert(*place);
        place = &(*place)->next;
    }
    *place = node->next;
    map->count--;
}

vow_map_node *vow_map_any(const vow_map *map)
{
    for (size_t i = 0; map->count && i <= map->mask; i++) {
        if (map->buckets[i])
            return map->buckets[i];
    }
    return NULL;
}
