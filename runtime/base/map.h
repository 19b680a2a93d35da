/*
 * A map from 64-bit ids to the objects that carry them.
 *
 * The idea: the node lies inside its owner, and ids are handed out in sequence, so that their low
 * bits, but for the lowest, are a perfect hash. Inserting cannot fail: when there is no memory for a larger table, the
 * chains grow longer.
 */
#ifndef VOW_BASE_MAP_H
#define VOW_BASE_MAP_H

#include <stddef.h>
#include <stdint.h>

#define VOW_MAP_FIRST_BUCKETS 8

typedef struct vow_map_node {
    struct vow_map_node *next;
    uint64_t             key;
} vow_map_node;

typedef struct vow_map {
    vow_map_node **buckets;
    size_t         mask; /* buckets - 1 */
    size_t         count;
    size_t         first; /* no bucket before this one has a node */
    vow_map_node  *first_buckets[VOW_MAP_FIRST_BUCKETS];
} vow_map;

/* The map must stay where it is. */
void vow_map_init(vow_map *map);
void vow_map_done(vow_map *map); /* the nodes are their owners' */

/* `node->key` is set, and not in the map. */
void vow_map_insert(vow_map *map, vow_map_node *node);

/* Gives the node under `key`, or NULL. */
vow_map_node *vow_map_find(const vow_map *map, uint64_t key);

/* `node` is in the map. */
void vow_map_remove(vow_map *map, vow_map_node *node);

/* Any node, or NULL when the map is empty: for emptying it. */
vow_map_node *vow_map_any(vow_map *map);

#endif
