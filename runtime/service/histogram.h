/*
 * A histogram of durations: how many took how long, in a fixed number of buckets.
 *
 * The idea: log-linear, in decimal. Each decade from 1 µs to 10,000 s has 10 buckets from 1 to 2, 12 from 2
 * to 5 and 10 from 5 to 10. So a bucket is at most an eighth of the duration wide, all bounds are whole
 * nanoseconds, and the bounds that Prometheus is shown (1, 2.5 and 5 of each decade) are bounds of buckets:
 * what it counts is exact. A histogram is 2.5 KiB, whatever is put into it.
 *
 * A library such as HdrHistogram_c has finer buckets, in powers of two. Their bounds are none that a person
 * would write, it would be one more thing to install, and what is left to be done is this table and an
 * addition.
 *
 * One thread adds, any thread reads: all is atomic, and nothing waits.
 */
#ifndef VOW_SERVICE_HISTOGRAM_H
#define VOW_SERVICE_HISTOGRAM_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define VOW_HISTOGRAM_DECADES 10
#define VOW_HISTOGRAM_PER_DECADE 32
/* The first has what took no more than 1 µs, the last what took longer than 10,000 s. */
#define VOW_HISTOGRAM_BUCKETS (VOW_HISTOGRAM_DECADES * VOW_HISTOGRAM_PER_DECADE + 2)

typedef struct vow_histogram {
    _Atomic uint64_t counts[VOW_HISTOGRAM_BUCKETS];
    _Atomic double   seconds; /* of all together */
} vow_histogram;

/* One writer: so a load and a store will do, and cost no more than a plain addition. */
static inline void vow_counter_add(_Atomic uint64_t *counter, uint64_t count)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + count,
                          memory_order_release);
}

static inline uint64_t vow_counter_read(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit((_Atomic uint64_t *)counter, memory_order_acquire);
}

void vow_histogram_add(vow_histogram *histogram, uint64_t ns);
void vow_histogram_merge(vow_histogram *into, const vow_histogram *from);

uint64_t vow_histogram_count(const vow_histogram *histogram);
double   vow_histogram_seconds(const vow_histogram *histogram);
uint64_t vow_histogram_quantile_ns(const vow_histogram *histogram, double quantile);

/* The bucket that takes a duration, and the longest that a bucket takes: UINT64_MAX in the last one. */
size_t   vow_histogram_bucket(uint64_t ns);
uint64_t vow_histogram_bound_ns(size_t bucket);

#endif
