/*
 * A histogram of durations, exact to three significant digits.
 *
 * The idea is Gil Tene's HdrHistogram: each power of two is cut into 1,024 equal parts, so that a bucket
 * is never wider than a thousandth of what it holds, and its index is a shift away from the value. Adding
 * costs a nanosecond and allocates nothing, at any rate and for any range.
 *
 * (Debian 12 has the original for Java and Go, and none for C.)
 */
#ifndef BENCH_MEASURE_HISTOGRAM_H
#define BENCH_MEASURE_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

#define BENCH_HISTOGRAM_PART_BITS  10
#define BENCH_HISTOGRAM_VALUE_BITS 40 /* 18 minutes of nanoseconds; what is longer counts as that */
#define BENCH_HISTOGRAM_BUCKETS \
    ((BENCH_HISTOGRAM_VALUE_BITS - BENCH_HISTOGRAM_PART_BITS + 1) << BENCH_HISTOGRAM_PART_BITS)

typedef struct bench_histogram {
    uint64_t count;
    uint32_t buckets[BENCH_HISTOGRAM_BUCKETS];
} bench_histogram;

static inline void bench_histogram_add(bench_histogram *histogram, uint64_t value)
{
    const uint64_t one = 1;
    unsigned       shift;

    if (value >> BENCH_HISTOGRAM_VALUE_BITS)
        value = (one << BENCH_HISTOGRAM_VALUE_BITS) - 1;
    /* Below 2^11 values are their own index; above, the shift leaves 1,024 to 2,047. */
    shift =
        63 - BENCH_HISTOGRAM_PART_BITS - (unsigned)__builtin_clzll(value | one << BENCH_HISTOGRAM_PART_BITS);
    histogram->buckets[((size_t)shift << BENCH_HISTOGRAM_PART_BITS) + (value >> shift)]++;
    histogram->count++;
}

/* The least value that `share` of all (0.99: the 99th percentile) do not exceed; 0 of none. */
uint64_t bench_histogram_quantile(const bench_histogram *histogram, double share);

#endif
