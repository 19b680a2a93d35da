/*
 * A client's time on libuv's default loop: the stamp that all share which one read brought, and the moments
 * at which calls of an open loop are due.
 *
 * The idea: the clock is the benchmark's own, not the one of the library that is measured, and is not looked
 * at for each answer of many that came together. load.h says what a client does with both.
 */
#ifndef BENCH_MEASURE_CLOCK_H
#define BENCH_MEASURE_CLOCK_H

#include "load.h"

#include <stdint.h>
#include <uv.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct bench_stamp {
    uv_prepare_t before_poll;
    uint64_t     now_ns;
    const void  *heard;                 /* what was heard then; NULL: nothing in this iteration */
    size_t       answers, answers_most; /* that have this stamp */
} bench_stamp;

/* At most `answers_most` answers in a row have one stamp; SIZE_MAX: all of an iteration. It does not keep the
 * loop running. */
void bench_stamp_start(bench_stamp *stamp, size_t answers_most);
void bench_stamp_stop(bench_stamp *stamp);

/* The stamp of an answer that came over `heard`, a connection, where each is called back about by itself.
 * NULL: of now. */
static inline uint64_t bench_stamp_heard_ns(bench_stamp *stamp, const void *heard)
{
    if (!heard || stamp->heard != heard || ++stamp->answers >= stamp->answers_most) {
        stamp->now_ns = uv_hrtime();
        stamp->heard = heard;
        stamp->answers = 0;
    }
    return stamp->now_ns;
}

/* The stamp of all that is done in an iteration. */
static inline uint64_t bench_stamp_now_ns(bench_stamp *stamp)
{
    return bench_stamp_heard_ns(stamp, stamp);
}

typedef void bench_due_fn(void *arg);

typedef struct bench_moments {
    uv_poll_t     timer;
    int           descriptor; /* -1: the closed loop, which has no such moments */
    bench_due_fn *due;
    void         *arg;
} bench_moments;

/* After bench_load_begin. Calls `due` when calls are due; in the closed loop never. They keep the loop
 * running. */
void bench_moments_start(bench_moments *moments, const bench_load *load, bench_due_fn *due, void *arg);
void bench_moments_stop(bench_moments *moments);

#ifdef __cplusplus
}
#endif

#endif
