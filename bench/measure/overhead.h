/*
 * What measuring itself takes, so that a report can say what part of its figures that is.
 */
#ifndef BENCH_MEASURE_OVERHEAD_H
#define BENCH_MEASURE_OVERHEAD_H

#ifdef __cplusplus
extern "C" {
#endif

typedef struct bench_overhead {
    double clock_ns; /* to tell the time, once for each read */
    double call_ns;  /* to begin and count a call: the load's loop without a peer */
    double
        late_p50_us; /* how late the open loop's timer is at 5,000 calls a second, with nothing else to do */
    double late_p99_us;
} bench_overhead;

/* Takes a quarter of a second. */
bench_overhead bench_overhead_measure(void);

#ifdef __cplusplus
}
#endif

#endif
