/*
 * Futures: a value that is not here yet, and what combines them.
 *
 * The idea: a future is settled once, with a value or with an error status, and whoever holds a
 * handle may wait for that in a callback. Cancellation runs the other way: the last handle of a
 * pending future takes the work behind it along, up to the handler on the server.
 *
 * The one rule of ownership: a function that takes a future and gives a future, and vow_done, take
 * the handle over. vow_future_ref, vow_future_at and vow_keep borrow. In a callback the future is
 * lent for the length of the call.
 *
 *   - vow_done and vow_finally callbacks run exactly once, whatever happens: on a value, a failure,
 *     a cancellation, a loop that is closed. They cannot fail for want of memory.
 *   - vow_then, vow_recover and vow_either can be withdrawn: once the last handle of what they gave
 *     is dropped, or it is cancelled, their function is not called any more. So an owner drops what
 *     it waits for and may free itself on the next line.
 *   - `arg` is lent. Where it has to be freed, vow_attach it to the result.
 *
 * All of it on the loop's thread; only vow_work's function runs elsewhere.
 */
#ifndef VOW_FUTURE_H
#define VOW_FUTURE_H

#include <vow/loop.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct vow_future  vow_future;  /* the consumer's end */
typedef struct vow_promise vow_promise; /* the producer's end */

/** `settled` is lent for the length of the call. */
typedef void vow_done_fn(vow_future *settled, void *arg);

/**
 * Gives what the result becomes. NULL: success with no value. To pass `settled` on:
 * `return vow_future_ref(settled);`. What is given takes the result's place, so a chain that feeds
 * itself keeps its memory and its cancellation short.
 */
typedef vow_future *vow_then_fn(vow_future *settled, void *arg);

/* Waiting */

/** Calls `done` once `future` has settled. Owns: takes `future`. */
VOW_API void vow_done(vow_future *future, vow_done_fn *done, void *arg);

/** On a value, calls `on_value` and becomes what that gives; a failure passes through. */
VOW_API vow_future *vow_then(vow_future *future, vow_then_fn *on_value, void *arg) VOW_MUST_USE;

/** On a failure, calls `on_error` and becomes what that gives; a value passes through. */
VOW_API vow_future *vow_recover(vow_future *future, vow_then_fn *on_error, void *arg) VOW_MUST_USE;

/** On a value or a failure, calls `on_settled` and becomes what that gives. */
VOW_API vow_future *vow_either(vow_future *future, vow_then_fn *on_settled, void *arg) VOW_MUST_USE;

/**
 * Calls `always` once `future` has settled, then settles as it did.
 *
 * `always` runs exactly once, also after the result was dropped or cancelled, which cancels `future`.
 */
VOW_API vow_future *vow_finally(vow_future *future, vow_done_fn *always, void *arg) VOW_MUST_USE;

/**
 * For scripts and tests: runs the loop until `future` has settled, and returns its code.
 *
 * Owns    borrows `future`.
 * Fails   VOW_FAILED_PRECONDITION inside a callback (libuv's loop is not re-entrant), and when the
 *         loop has nothing left to do that could settle it.
 */
VOW_API vow_code vow_wait(vow_future *future);

/* Handles */

/** One more handle. Fails: out of memory gives a future that has failed. */
VOW_API vow_future *vow_future_ref(vow_future *future) VOW_MUST_USE;

/** Drops a handle; the last one of a pending future that nobody waits for cancels its work. */
VOW_API void vow_drop(vow_future *future);

/** Drops a handle, and lets the work go on. */
VOW_API void vow_detach(vow_future *future);

/** Settles a pending future as VOW_CANCELLED at once, and cancels its work. Borrows the handle. */
VOW_API void vow_cancel(vow_future *future);

/* Reading; what these return lives as long as the handle */

VOW_API bool vow_future_settled(const vow_future *future);

/** The code; VOW_UNKNOWN while it is pending. */
VOW_API vow_code vow_future_code(const vow_future *future);

/** For a log: "NOT_FOUND: no city called Atlantis"; "OK" on success, "UNKNOWN: not settled yet" before. Control
 *  characters are escaped ("\n"): who wrote the message cannot write lines into the log. */
VOW_API const char *vow_future_error(const vow_future *future);

/** To wrap or to compare: "no city called Atlantis"; "" on success. As it was sent: nothing is escaped. */
VOW_API const char *vow_future_message(const vow_future *future);

/** The value; NULL when there is none, while it is pending, and on failure. */
VOW_API void *vow_future_value(const vow_future *future);

/** The part at `index` of an all, all_settled, any or quorum, settled or not, lent; NULL beyond the last. */
VOW_API vow_future *vow_future_at(const vow_future *future, size_t index);

VOW_API vow_loop *vow_future_loop(const vow_future *future);

/* Producing */

/** A future that has its value. Owns: takes `value`, which `release` (may be NULL) frees with the last handle. */
VOW_API vow_future *vow_value(vow_loop *loop, void *value, vow_release_fn *release) VOW_MUST_USE;

/** A future that has failed. `code` VOW_OK is taken for VOW_UNKNOWN. */
VOW_API vow_future *vow_failure(vow_loop *loop, vow_code code, const char *format, ...)
    VOW_MUST_USE VOW_PRINTF(3, 4);

/** A future whose value lies inside that of `source`, which it shares. Fails: `source` has not succeeded. */
VOW_API vow_future *vow_keep(vow_future *source, const void *value) VOW_MUST_USE;

/**
 * Releases `object` once the last handle is gone and all work behind `future` has ended: functions
 * returned, threads of the pool done, promises resolved or rejected.
 *
 * Owns    takes `future` and `object`, gives the future.
 */
VOW_API vow_future *vow_attach(vow_future *future, void *object, vow_release_fn *release) VOW_MUST_USE;

/**
 * A future, and the promise that settles it.
 *
 * The promise is the producer's until it resolves or rejects it, which it does once, also after a
 * cancellation and when nobody waits any more.
 *
 * Fails   out of memory: the future has failed, and *promise is NULL, which all functions accept.
 */
VOW_API vow_future *vow_promise_new(vow_loop *loop, vow_promise **promise) VOW_MUST_USE;

/** Is anybody still waiting? False once the future was cancelled. */
VOW_API bool vow_promise_wanted(const vow_promise *promise);

/** Calls `cancelled` when the future is cancelled before the promise was resolved or rejected. */
VOW_API void vow_promise_on_cancel(vow_promise *promise, void (*cancelled)(void *arg), void *arg);

/** Owns: takes `promise` and `value`, which `release` (may be NULL) frees with the last handle. */
VOW_API void vow_resolve(vow_promise *promise, void *value, vow_release_fn *release);

/** Owns: takes `promise`. `code` VOW_OK is taken for VOW_UNKNOWN. */
VOW_API void vow_reject(vow_promise *promise, vow_code code, const char *format, ...) VOW_PRINTF(3, 4);

/**
 * Runs `run(job)` in libuv's thread pool. `job` is the argument, then the value.
 *
 * A cancellation keeps a job that has not begun from running; one that runs is left alone.
 *
 * Owns    takes `job`, which `release` (may be NULL) frees once, on the loop, whether it ran or not.
 * Fails   as `run` does: with the code it returns and what it put into `error`.
 */
VOW_API vow_future *vow_work(vow_loop *loop, vow_code (*run)(void *job, vow_error *error), void *job,
                             vow_release_fn *release) VOW_MUST_USE;

/*
 * Combining. Those that stop early cancel the rest, and do not wait until its work has ended. All take the
 * handles in `futures`, not the array.
 */

#define VOW_FUTURES(...) /* count and array in one, for C; in C++ pass an array */ \
    (sizeof((vow_future *[]){ __VA_ARGS__ }) / sizeof(vow_future *)), ((vow_future *[]){ __VA_ARGS__ })

/** Every one succeeded, or the first failure. Empty: succeeds. */
VOW_API vow_future *vow_all(vow_loop *loop, size_t count, vow_future *futures[]) VOW_MUST_USE;

/** Every one has settled, failed or not. Always succeeds. */
VOW_API vow_future *vow_all_settled(vow_loop *loop, size_t count, vow_future *futures[]) VOW_MUST_USE;

/** The first success; or, when all have failed, the last failure. Empty: VOW_INVALID_ARGUMENT. */
VOW_API vow_future *vow_any(vow_loop *loop, size_t count, vow_future *futures[]) VOW_MUST_USE;

/** The first that settles. Empty: VOW_INVALID_ARGUMENT. */
VOW_API vow_future *vow_race(vow_loop *loop, size_t count, vow_future *futures[]) VOW_MUST_USE;

/** `needed` successes; fails as soon as they can't be reached any more. */
VOW_API vow_future *vow_quorum(vow_loop *loop, size_t needed, size_t count, vow_future *futures[])
    VOW_MUST_USE;

/** Calls `each` for every one as it settles, in that order; succeeds after the last. */
VOW_API vow_future *vow_as_completed(vow_loop *loop, size_t count, vow_future *futures[], vow_done_fn *each,
                                     void *arg) VOW_MUST_USE;

/** Starts job or attempt `index`. NULL: there was nothing to do, as a success. */
typedef vow_future *vow_start_fn(size_t index, void *arg);

/**
 * Runs jobs 0 … count-1, at most `at_once` (0: all) at a time.
 *
 * The first failure ends it and cancels the rest (a job may vow_recover). Results are not kept.
 */
VOW_API vow_future *vow_each(vow_loop *loop, size_t count, size_t at_once, vow_start_fn *start, void *arg)
    VOW_MUST_USE;

/**
 * Starts again, up to `attempts` times in all, what failed with UNAVAILABLE, RESOURCE_EXHAUSTED or
 * ABORTED. The pause before it is `pause_ms`, doubles each time up to 2 minutes, and is spread by ±20 %.
 * A failure that says when to come back (vow_future_retry_delay_ms) makes the pause at least that long; one that asks
 * for more than 2 minutes is not retried.
 * No attempts: VOW_INVALID_ARGUMENT.
 */
VOW_API vow_future *vow_retry(vow_loop *loop, size_t attempts, int64_t pause_ms, vow_start_fn *start,
                              void *arg) VOW_MUST_USE;

/**
 * Settles as `future` does; after `timeout_ms`, cancels it and the work behind it.
 *
 * Units   milliseconds on the loop's clock from this call on; 0 has passed already, unless `future` has settled.
 * Fails   VOW_DEADLINE_EXCEEDED when time ran out; else as `future` does.
 * See     vow_shield() to let the work go on; VOW_CALL(.timeout_ms) for one call.
 */
VOW_API vow_future *vow_timeout(vow_future *future, int64_t timeout_ms) VOW_MUST_USE;

/** Settles as `future` does; cancelling or dropping the result leaves `future` running. */
VOW_API vow_future *vow_shield(vow_future *future) VOW_MUST_USE;

/** Succeeds with no value `ms` milliseconds from now; keeps uv_run going until then. */
VOW_API vow_future *vow_sleep(vow_loop *loop, int64_t ms) VOW_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
