/*
 * What the kernel has counted for a process: its processor time and its memory.
 *
 * The idea: a client asks for its server's figures together with its own, at the two moments that
 * bound the measuring. Nothing of start, warm-up and end is in them, and the server need not know.
 *
 * `pid` 0 is the process that asks.
 */
#ifndef BENCH_MEASURE_PROCESS_H
#define BENCH_MEASURE_PROCESS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* User and system time of all threads, in nanoseconds: the scheduler's own count, not one of clock ticks. */
uint64_t bench_process_cpu_ns(pid_t pid);

/* Resident anonymous memory (RssAnon): heap and stacks, but no program text and no mapped files. */
uint64_t bench_process_anon_bytes(pid_t pid);

/* All resident memory (VmRSS), program text and libraries included. */
uint64_t bench_process_resident_bytes(pid_t pid);

/* Lets this process open as many files as the hard limit allows; fails if those are fewer than `count`. */
void bench_process_raise_files(size_t count);

#ifdef __cplusplus
}
#endif

#endif
