/*
 * The inside of the simulated network: cables, their two ends, listeners.
 *
 * The idea: a cable joins two streams and lives as long as either. Each end has one timer, armed for the
 * moment at which something happens to it next; whatever changes that moment calls vow_end_plan. All events
 * come from that timer, so none comes inside a call that goes down.
 *
 *     owner -- end (stream) == out pipe ==> end (stream) -- owner
 *                           <== out pipe ==
 *
 *     sim_network.c   the network, its counts and trace, what a test does to all cables
 *     sim_cable.c     how a cable is made, what strikes it, how it goes
 *     sim_connect.c   an end's first steps: the attempt, and being accepted
 *     sim_stream.c    an end that is open: sending, receiving, its close
 *     sim_listener.c  places, and who listens there
 *     sim_lookup.c    names, and hosts that answer nobody
 *     sim_pipe.c      the bytes under way in one direction
 */
#ifndef VOW_TRANSPORT_SIM_NETWORK_H
#define VOW_TRANSPORT_SIM_NETWORK_H

#include "runtime/transport/address.h"
#include "runtime/transport/sim_pipe.h"
#include "runtime/transport/simulated.h"

#define VOW_NEVER UINT64_MAX

static inline uint64_t vow_sooner(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static inline uint64_t vow_later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* The network */

struct vow_network {
    vow_loop          *loop; /* lent */
    uint64_t           random;
    uint64_t           trace;
    vow_network_faults faults;
    vow_network_counts counts;
    vow_list           cables; /* in the order in which they were made */
    vow_list           listeners;
    vow_list           names;     /* that a test has given, each with one address */
    vow_list           swallowed; /* hosts that no attempt ever reaches */
    vow_pool           rings; /* of pipes */
    unsigned           last_port;
    bool               is_cut;
    bool               is_refusing;
};

typedef enum vow_network_event {
    VOW_NETWORK_ATTEMPT,
    VOW_NETWORK_FAILED,
    VOW_NETWORK_OPENED,
    VOW_NETWORK_ACCEPTED,
    VOW_NETWORK_SENT,
    VOW_NETWORK_RECEIVED,
    VOW_NETWORK_CLOSED,
    VOW_NETWORK_STRUCK
} vow_network_event;

typedef struct vow_cable vow_cable;

/* Adds what happened to the trace. */
void vow_network_note(vow_network *network, vow_network_event event, const vow_cable *cable, uint64_t size);

uint64_t vow_network_now_ns(const vow_network *network);

/* 1 … 2^bits, every order of magnitude as likely as the others: most faults strike early, some late. */
uint64_t vow_network_random_magnitude(vow_network *network, unsigned bits);

/* A port that was never used before. */
unsigned vow_network_new_port(vow_network *network);

/* Places and listeners */

typedef struct vow_place {
    const char *scheme;             /* a literal */
    char        name[VOW_HOST_MAX]; /* host, path or name */
    unsigned    port;               /* tcp:// only */
} vow_place;

/* Fails: VOW_INVALID_ARGUMENT. */
vow_code vow_place_parse(const char *address, vow_place *place, vow_error *error);

/* Writes "tcp://127.0.0.1:7000". */
void vow_place_print(const vow_place *place, char *text, size_t size);

/* Is the name a number that needs no resolving? True for all but tcp://. */
bool vow_place_is_numeric(const vow_place *place);
bool vow_place_is_on_this_machine(const vow_place *place);

/* Who listens at `place`, or NULL. */
vow_listener *vow_network_listener_at(const vow_network *network, const vow_place *place);
void          vow_network_free_listeners(vow_network *network);

/* Do attempts to reach `host` never end? */
bool vow_network_swallows(const vow_network *network, const char *host);
void vow_network_forget_swallowed(vow_network *network);

vow_code    vow_simulated_listen(vow_loop *loop, const char *address, const vow_listener_options *options,
                                 vow_accept_fn *accept, void *owner, vow_listener **opened, vow_error *error);
void        vow_simulated_unlisten(vow_listener *listener);
int         vow_simulated_port(const vow_listener *listener);
const char *vow_simulated_address(const vow_listener *listener);

/* Ends */

typedef enum vow_end_state {
    VOW_END_UNBORN,     /* the server's, before the attempt succeeded */
    VOW_END_CONNECTING, /* the client's */
    VOW_END_ACCEPTING,  /* the server's, until the listener has it */
    VOW_END_OPEN,
    VOW_END_FINISHING, /* its owner has gone: what comes is discarded */
    VOW_END_GONE,
    VOW_END_STATES
} vow_end_state;

#define VOW_PEER_MAX (VOW_HOST_MAX + 24)

typedef struct vow_end {
    vow_stream    stream; /* first */
    vow_cable    *cable;  /* lent */
    vow_end_state state;
    bool          is_paused;
    bool          is_writing; /* `written` is owed */
    vow_timer     next;       /* armed for what happens to it next */
    uint64_t      due_ns;     /* of the attempt, of accepting, of giving up when finishing */
    uint64_t      reset_ns;   /* when it learns that the connection was reset; VOW_NEVER */
    uint64_t      send_ns;    /* when there may be room for more of what is lent; VOW_NEVER */
    vow_code      failure;    /* its own, of which it learns at once */
    vow_slice     lent[VOW_WRITE_SLICES];
    size_t        lent_count;
    vow_pipe      out;
    uint64_t      sender_busy_until_ns;
    size_t        discarded; /* while finishing */
    char          peer[VOW_PEER_MAX];
    char          peer_host[VOW_HOST_MAX];
} vow_end;

/* Arms the end's timer for what happens to it next. */
void vow_end_plan(vow_end *end);

/* Runs what is due; the cable is held meanwhile. */
void vow_end_fire(vow_timer *timer);

/* The end has gone, as a socket that is closed. The caller holds the cable. */
void vow_end_leave(vow_end *end);

/* The same, and tells its owner. Takes `why`. */
void vow_end_fail(vow_end *end, vow_status why);

/* Tells the owner what befell the end, a reset for instance; true: it has gone. */
bool vow_end_meets_failure(vow_end *end, uint64_t now_ns);

/* The first two states: when something happens next, and what is done about it. */
uint64_t vow_connecting_next_ns(const vow_end *end);
void     vow_connecting_step(vow_end *end);
uint64_t vow_accepting_next_ns(const vow_end *end);
void     vow_accepting_step(vow_end *end);

vow_stream *vow_simulated_connect(vow_loop *loop, const char *target, const vow_stream_events *events,
                                  void *owner, vow_error *error);

/* Cables */

typedef enum vow_strike_kind {
    VOW_STRIKE_RESET,
    VOW_STRIKE_BLACK_HOLE,
    VOW_STRIKE_STALL,
    VOW_STRIKES
} vow_strike_kind;

/* A fault that waits for its moment: a time, or an amount of bytes. */
typedef struct vow_strike {
    vow_timer  timer;
    vow_cable *cable;
    uint64_t   after_bytes; /* that were received at both ends together; VOW_NEVER */
} vow_strike;

struct vow_cable {
    vow_link     link;
    vow_network *network; /* lent */
    uint64_t     number;
    vow_end      ends[2]; /* the client's, the server's */
    vow_place    place;
    uint64_t     latency_ns;
    uint64_t     jitter_ns;
    uint64_t     bytes_per_second;
    uint64_t     carried;         /* bytes received at both ends */
    uint64_t     silent_until_ns; /* nothing arrives before; VOW_NEVER: a black hole */
    bool         is_refused;
    bool         is_one_byte;
    vow_strike   strikes[VOW_STRIKES];
    unsigned     holds;    /* functions on the stack that use it */
    char         target[]; /* as the client wrote it */
};

static inline vow_end *vow_end_other(const vow_end *end)
{
    vow_cable *cable = end->cable;

    return end == &cable->ends[0] ? &cable->ends[1] : &cable->ends[0];
}

/* A cable whose client's end is connecting; draws what it is like and what will strike it. NULL: no memory.
 */
vow_cable *vow_cable_new(vow_network *network, const char *target, const vow_place *place);

/* The attempt succeeded: the server's end is born, and what is to strike the cable gets ready. */
void vow_cable_join(vow_cable *cable);

static inline void vow_cable_hold(vow_cable *cable)
{
    cable->holds++;
}

/* Ends a hold, and frees a cable both of whose ends have gone. */
void vow_cable_release(vow_cable *cable);
void vow_cable_free(vow_cable *cable);

/* Counts what was received; true: that made a fault strike. */
bool vow_cable_carried(vow_cable *cable, size_t size);

/* How many bytes may be received before a fault strikes. */
uint64_t vow_cable_bytes_to_strike(const vow_cable *cable);

/* When `size` bytes that leave `from` now arrive. */
uint64_t vow_cable_arrival_ns(vow_cable *cable, vow_end *from, size_t size);

/* Both ends learn that the connection was reset. */
void vow_cable_reset(vow_cable *cable);

/* Nothing arrives before `until_ns`. */
void vow_cable_silence(vow_cable *cable, uint64_t until_ns);

#endif
