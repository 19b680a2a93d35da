/*
 * A clock for the generator: moments that are exact to some microseconds on a uv_loop_t.
 *
 * The idea: a timerfd that the loop polls. libuv's own timers know milliseconds only, which would be five
 * calls at once where one is due every 200 microseconds.
 */
#ifndef VOW_LOAD_PACER_H
#define VOW_LOAD_PACER_H

#include "tools/vow-load/problem.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

typedef struct load_pacer load_pacer;

/* So long before a moment a pacer that spins stops sleeping: a process takes about half of it to wake up. */
#define LOAD_SPIN_NS UINT64_C(100000)

/* Calls `wake` on the loop's thread; with `spins`, to the microsecond, for the processor time of
 * LOAD_SPIN_NS. Gives the pacer (load_pacer_close). NULL: `problem` says why. */
load_pacer *load_pacer_open(uv_loop_t *loop, bool spins, void (*wake)(void *arg), void *arg,
                            load_problem *problem);

/* Its memory is freed as the loop goes on. */
void load_pacer_close(load_pacer *pacer);

/* On uv_hrtime's clock. These two make a load_clock, with the pacer as `arg`. */
uint64_t load_pacer_now_ns(void *pacer);
void     load_pacer_wake_at(void *pacer, uint64_t moment_ns);

#endif
