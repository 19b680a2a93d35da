/*
 * Loops: a uv_loop_t of the application's with vow's run queue, clock and pools on it.
 *
 * The idea: vow brings no thread and no loop. It adds handles to yours, and uv_run drives both.
 * Callbacks never run inside the function that caused them: they come from the run queue, which
 * is drained whenever a connection has been read, and before the loop sleeps again.
 *
 * A loop and all that belongs to it is touched on one thread, the one that attached it. Two
 * functions say otherwise: vow_loop_post here, vow_work in <vow/future.h>.
 */
#ifndef VOW_LOOP_H
#define VOW_LOOP_H

#include <vow/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* libuv's own name for it. A repeated typedef is legal in C11, and <uv.h> does not compile as
 * plain C11 without POSIX. */
typedef struct uv_loop_s uv_loop_t;

typedef struct vow_loop vow_loop;

/**
 * Attaches to the application's loop, which uv_run drives from then on.
 *
 * Idle connections do not keep uv_run alive: it returns when no call, timer, listener or job is
 * left. Attaching ignores SIGPIPE for the process where its disposition is still the default: a
 * peer that vanishes would otherwise end the program.
 *
 * Owns    gives the loop (vow_loop_close). `uv` must outlive it.
 * Thread  the one that will run `uv`.
 * Fails   NULL: out of memory or file descriptors.
 */
VOW_API vow_loop *vow_loop_attach(uv_loop_t *uv) VOW_MUST_USE;

/**
 * A loop with a clock and a network of its own and no uv_loop_t, for tests.
 *
 * Time passes only in vow_loop_advance and vow_wait, and then as fast as the processor allows.
 * tcp:// and unix:// targets lead over a simulated network inside the loop; vow_work and
 * vow_loop_post take simulated time. Everything that is left to chance follows from `seed`.
 *
 * Owns    gives the loop (vow_loop_close, which runs what is left and frees it).
 * Fails   NULL: out of memory.
 */
VOW_API vow_loop *vow_loop_simulated(uint64_t seed) VOW_MUST_USE;

/** Lets `ms` milliseconds pass on a simulated loop, and runs all that becomes due. */
VOW_API void vow_loop_advance(vow_loop *loop, int64_t ms);

/** Monotonic time in nanoseconds, as of the loop's present iteration. */
VOW_API uint64_t vow_loop_now_ns(const vow_loop *loop);

/**
 * Closes what is open on the loop (servers, channels) and cancels what is pending.
 *
 * The last callbacks follow as uv_run goes on; handles that the program still holds are dropped
 * as ever. The loop is freed when nothing is left of either.
 *
 * Owns    takes `loop`. Callbacks may call it.
 */
VOW_API void vow_loop_close(vow_loop *loop);

/**
 * Runs `run(arg)` on the loop's thread, exactly once.
 *
 * Wakes the loop. A loop that has nothing else to do does not wait for other threads' posts: vow_loop_hold keeps it
 * going until they have come. The order of posts from one thread is kept.
 *
 * Thread  any, until vow_loop_close is called.
 * Fails   VOW_RESOURCE_EXHAUSTED: no memory; `run` will not be called.
 */
VOW_API vow_code vow_loop_post(vow_loop *loop, void (*run)(void *arg), void *arg);

/** A bare promise does not keep uv_run going; this does, for one that another thread will resolve. */
VOW_API void vow_loop_hold(vow_loop *loop);

/** Ends one vow_loop_hold. */
VOW_API void vow_loop_release(vow_loop *loop);

#ifdef __cplusplus
}
#endif
#endif
