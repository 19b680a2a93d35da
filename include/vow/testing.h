/*
 * What a program on vow is tested with: a clock, a network and a server that do as they are told.
 *
 * The idea: the code under test is the code that runs in production. Its loop has a clock that a test moves
 * (vow_loop_simulated and vow_loop_advance, in <vow/loop.h>) and a network that fails when a test says so;
 * the services that it asks are scripts. All but the network works on a loop of uv_loop_t as well.
 *
 * Not part of <vow/vow.h>: a program that is not a test has no use for it.
 */
#ifndef VOW_TESTING_H
#define VOW_TESTING_H

#include <vow/channel.h>
#include <vow/server.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A server in this process */

/**
 * Opens a channel to `server`, which is on the same loop, over memory: no port, no file, no name to choose.
 *
 * Owns    gives the channel (vow_channel_close). Borrows `server`.
 * Fails   never: without memory it gives a channel whose calls fail.
 */
VOW_API vow_channel *vow_channel_open_to(vow_loop *loop, vow_server *server,
                                         const vow_channel_options *options) VOW_MUST_USE;

/* A server with a script */

typedef struct vow_script vow_script;

/** What becomes of one call of a method. Zero is the default of every field: an empty reply, at once, one
 * time. */
typedef struct vow_script_step {
    size_t                  size;     /* of this struct; VOW_STEP fills it in */
    const ProtobufCMessage *request;  /* what it must be asked, or first sent; else it fails; copied */
    int64_t                 delay_ms; /* before anything is answered */
    const ProtobufCMessage *reply;    /* copied */
    const ProtobufCMessage *const
                 *replies;  /* of a method that streams them, after `reply`; see VOW_MESSAGES */
    int64_t       pause_ms; /* after each of these */
    vow_code      code;     /* fails with it, after what is streamed; VOW_OK: succeeds */
    const char   *message;  /* the failure's; copied */
    bool          stalls;   /* does not end after what is streamed, and reads nothing of a stream */
    bool          at_once;  /* answers a stream before its end; what comes is read all the same */
    vow_serve_fn *serve;    /* answers instead: all fields before this but `request` say nothing */
    void         *arg;      /* for `serve`, in handler->arg; lent */
    size_t        times;    /* calls that it is for; 0: one; VOW_ALWAYS */
} vow_script_step;

#define VOW_STEP(...) VOW_OPTIONS(vow_script_step, __VA_ARGS__)

#ifndef __cplusplus
#define VOW_MESSAGES(...) ((const ProtobufCMessage *const[]){ __VA_ARGS__, NULL })
#endif

#define VOW_ALWAYS SIZE_MAX

/**
 * Opens a server that answers each method by its list of steps, one for each call, in order.
 *
 * A call that no step is left for, or that asks for something else than its step wants, is a surprise: it
 * fails with VOW_FAILED_PRECONDITION or VOW_INVALID_ARGUMENT, which says so.
 *
 * Owns    gives the script (vow_script_close, before the loop is closed).
 * Fails   NULL: no memory.
 */
VOW_API vow_script *vow_script_open(vow_loop *loop) VOW_MUST_USE;

/** Closes its server, too. Owns: takes `script`. */
VOW_API void vow_script_close(vow_script *script);

/** Its server, lent: to listen on an address, to drain; see vow_channel_open_to(). */
VOW_API vow_server *vow_script_server(vow_script *script);

/**
 * Adds a step for the next call of `method`, after those that were added before. Copies `step` (NULL: all
 * defaults); `method` is lent until the script is closed.
 *
 * Fails   never by itself: a reply of another type, or one for want of memory, is how the call will fail.
 */
VOW_API void vow_script_add(vow_script *script, const vow_method *method, const vow_script_step *step);

/** How many calls of `method` have come. */
VOW_API size_t vow_script_count(const vow_script *script, const vow_method *method);

/**
 * The message at `index` of all that came for `method`, the first of its first call being at 0; of its
 * request type. Lent until the script is closed. NULL: no more have come, or no memory. The first 10,000 of a
 * method are kept.
 */
VOW_API const ProtobufCMessage *vow_script_asked(vow_script *script, const vow_method *method, size_t index);

/** Calls that were a surprise. */
VOW_API size_t vow_script_surprises(const vow_script *script);

/** Has it been played to its end: every step was used, as often as it was for, and no call was a surprise? */
VOW_API bool vow_script_played(const vow_script *script);

/* Faults of a channel, on any transport */

/**
 * Cuts the connections of a channel, as a network would: its calls on them fail with VOW_UNAVAILABLE, their
 * handlers are cancelled, and the next call connects again.
 */
VOW_API void vow_channel_cut(vow_channel *channel);

typedef struct vow_faults vow_faults;

/** Which calls are struck, and how. Zero is the default of every field. */
typedef struct vow_fault {
    size_t            size;         /* of this struct; VOW_FAULT fills it in */
    const vow_method *method;       /* NULL: of any */
    size_t            skip;         /* calls that pass unharmed at first */
    size_t            times;        /* then so many are struck, at most; 0: all */
    unsigned          of_thousand;  /* the chance of each; 0: it is struck for certain */
    int64_t           delay_ms;     /* before the call leaves; its deadline runs */
    bool              loses_answer; /* the call is served, and fails all the same once it is answered */
    bool              cuts;         /* the channel's connections are cut once the call has left */
    vow_code code;       /* fails with it, before it leaves or as its answer is lost; VOW_OK: VOW_UNAVAILABLE
                            where an answer is lost, else it does not fail */
    const char *message; /* the failure's; copied */
} vow_fault;

#define VOW_FAULT(...) VOW_OPTIONS(vow_fault, __VA_ARGS__)

/**
 * Puts a list of faults behind the interceptors that `channel` has; what is left to chance follows from
 * `seed`.
 *
 * Owns    gives the list (vow_faults_free, after the channel is closed).
 * Fails   NULL: no memory.
 */
VOW_API vow_faults *vow_faults_new(vow_channel *channel, uint64_t seed) VOW_MUST_USE;

VOW_API void vow_faults_free(vow_faults *faults);

/** Adds a fault. Of several that fit a call the first one added strikes. Copies `fault`. Fails: no memory. */
VOW_API vow_code vow_faults_add(vow_faults *faults, const vow_fault *fault);

/** No more calls are struck, until the next vow_faults_add. */
VOW_API void vow_faults_clear(vow_faults *faults);

/** Calls that were struck so far. */
VOW_API size_t vow_faults_count(const vow_faults *faults);

/* The network of a simulated loop */

typedef struct vow_network vow_network;

/** Lent by the loop. NULL: the loop is not a simulated one. */
VOW_API vow_network *vow_network_of(vow_loop *loop);

/** How often a fault strikes, in connections out of a thousand; it is drawn when a connection is made. */
typedef struct vow_network_faults {
    size_t   size;       /* of this struct; VOW_NETWORK_FAULTS fills it in */
    unsigned refused;    /* nobody seems to listen */
    unsigned hung;       /* the attempt never ends */
    unsigned reset;      /* after some bytes or some time, both ends are told */
    unsigned black_hole; /* after some bytes or some time nothing arrives any more, and nobody is told */
    unsigned stall;      /* the same, for some milliseconds */
    unsigned slow;       /* 16 KiB a second */
    unsigned one_byte;   /* each byte is read by itself */

    /* Of every connection; 0: drawn for each. */
    uint64_t latency_us; /* one way */
    uint64_t jitter_us;  /* at most this much is added to the latency */
    uint64_t bytes_per_second;
} vow_network_faults;

#define VOW_NETWORK_FAULTS(...) VOW_OPTIONS(vow_network_faults, __VA_ARGS__)

/** Applies to connections that are made from now on, in place of what was set before. NULL: none. */
VOW_API void vow_network_set_faults(vow_network *network, const vow_network_faults *faults);

/** All connections, attempts included, are reset now: both ends are told when time passes. */
VOW_API void vow_network_reset(vow_network *network);

/** Nothing arrives any more on any connection, present or future, and nobody is told, until vow_network_heal.
 */
VOW_API void vow_network_cut(vow_network *network);

/** Attempts are refused from now on, as if nobody listened, until vow_network_heal. */
VOW_API void vow_network_refuse(vow_network *network);

/** Ends cut and refuse, black holes and stalls; what was kept back arrives, as TCP would send it again. */
VOW_API void vow_network_heal(vow_network *network);

#ifdef __cplusplus
}
#endif
#endif
