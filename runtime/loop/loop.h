/*
 * Loops: a scheduler on a uv_loop_t, or on a simulated clock.
 *
 * The idea: all above this layer sees one face, vow_scheduler and the functions here; only the
 * transports below ask which kind it is. What lives on a loop and must end with it registers a closer.
 *
 * The rule: everything is on the loop's thread but vow_loop_post.
 */
#ifndef VOW_LOOP_LOOP_H
#define VOW_LOOP_LOOP_H

#include "runtime/future/scheduler.h"

#include <vow/loop.h>

typedef struct vow_network vow_network; /* the simulated network of a simulated loop; see runtime/transport */

/* What channels and servers begin with. A loop holds one for when there is no memory for a real one: functions
 * that get it fail as the loop's own no-memory future does. */
typedef struct vow_anchor {
    struct vow_loop *loop;
    bool             is_missing;
} vow_anchor;

/* What is told when the loop closes. It is taken out of the list before it is called. */
typedef struct vow_closer {
    vow_link link;
    void (*close)(struct vow_closer *closer);
} vow_closer;

struct vow_loop {
    vow_scheduler scheduler; /* first: vow_scheduler_of depends on it */
    vow_list      closers;   /* servers, channels, listeners: in the order in which they were opened */
    size_t        objects;   /* of the layers above that are not freed yet and keep the loop's memory */
    vow_anchor    missing;   /* { this loop, true } */
    vow_network  *network;   /* NULL: the real one */
    void (*network_free)(vow_network *network);
};

static inline vow_loop *vow_loop_of(vow_scheduler *scheduler)
{
    return (vow_loop *)scheduler;
}

static inline bool vow_loop_is_simulated(const vow_loop *loop)
{
    return loop->network != NULL;
}

void vow_loop_on_close(vow_loop *loop, vow_closer *closer, void (*close)(vow_closer *closer));

static inline void vow_closer_remove(vow_closer *closer)
{
    vow_link_remove(&closer->link);
}

/* Counts an object that lives on the loop: the loop is not freed before the last has gone. */
static inline void vow_loop_object_born(vow_loop *loop)
{
    loop->objects++;
}

void vow_loop_object_gone(vow_loop *loop);

/* Is vow_loop_close done with this loop? Nothing new begins then. */
static inline bool vow_loop_closing(const vow_loop *loop)
{
    return loop->scheduler.is_closing;
}

#endif
