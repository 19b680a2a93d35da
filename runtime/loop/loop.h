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

typedef struct vow_network  vow_network;  /* the simulated network of a simulated loop; see runtime/transport */
typedef struct vow_acceptor vow_acceptor; /* what threads that share addresses accept with; see runtime/transport */

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

/* A function that runs elsewhere while the loop goes on. */
typedef struct vow_offload {
    void (*run)(struct vow_offload *job);               /* on a thread of the pool */
    void (*ran)(struct vow_offload *job, bool has_run); /* on the loop; false: it was recalled */
    void *carrier;                                      /* the kind's own */
} vow_offload;

/* What the two kinds of loop do differently, beyond what a scheduler needs. */
typedef struct vow_loop_kind {
    vow_scheduler_kind scheduler; /* first: the kind of a loop's scheduler is its loop's */
    vow_code (*post)(vow_loop *loop, void (*run)(void *arg), void *arg);
    vow_code (*offload)(vow_loop *loop, vow_offload *job); /* fails: no memory; `ran` will not be called */
    void (*recall)(vow_loop *loop, vow_offload *job);      /* does not run it if it has not begun; `ran` follows */
    void (*close)(vow_loop *loop);                         /* all has been told to end; frees the loop when it has */
} vow_loop_kind;

struct vow_loop {
    vow_scheduler scheduler; /* first: vow_scheduler_of depends on it */
    vow_list      closers;   /* servers, channels, listeners: in the order in which they were opened */
    size_t        objects;   /* of the layers above that are not freed yet and keep the loop's memory */
    size_t        refusals;  /* connections that are refused, and listened to for a while; see protocol/greeting.c */
    vow_anchor    missing;   /* { this loop, true } */
    vow_list      memory_listeners; /* of memory:// names; see runtime/transport */
    const void   *heard; /* the session that has heard something last; it may be gone */
    uint8_t      *read_block; /* VOW_READ_BLOCK bytes that all connections read into in turn; NULL: not yet */
    uint8_t      *cipher_block; /* VOW_CIPHER_BLOCK bytes, likewise: for transports that seal what they carry */
    void         *codec;     /* what compressed messages are read and written with, by all connections; NULL: not yet */
    void (*codec_free)(void *codec);
    vow_acceptor *acceptor;  /* NULL: listens by itself; else shares addresses with other threads' loops */
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

static inline const vow_loop_kind *vow_loop_kind_of(const vow_loop *loop)
{
    return (const vow_loop_kind *)loop->scheduler.kind;
}

/* Readies what both kinds have; `random` seeds the loop's. Fails: no memory. */
vow_code vow_loop_init(vow_loop *loop, const vow_loop_kind *kind, uint64_t random);
void     vow_loop_done(vow_loop *loop);

/* Is nothing left on a loop that closes: no object, no handle in the program's hands, no task? */
bool vow_loop_is_quiet(const vow_loop *loop);

#define VOW_READ_BLOCK ((size_t)128 << 10)

/* Gives the loop's read block, or NULL: no memory. What lies in it is gone when the next connection reads. */
uint8_t *vow_loop_read_block(vow_loop *loop);

#define VOW_CIPHER_BLOCK ((size_t)160 << 10)

/* The same for what is sealed, on its way in or out. */
uint8_t *vow_loop_cipher_block(vow_loop *loop);

/* The uv_loop_t below; not for a simulated loop. */
uv_loop_t *vow_loop_uv(const vow_loop *loop);

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
