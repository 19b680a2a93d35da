/*
 * A histogram of durations, exact to three significant digits, from the least to the 99.999th percentile and
 * beyond.
 *
 * The idea is Gil Tene's HdrHistogram: each power of two is cut into 1,024 equal parts, so that a bucket is
 * never wider than a thousandth of what it holds, and its index is a shift away from the value. Adding costs
 * a nanosecond or two and allocates nothing, at any rate and for any range. Least, greatest and mean are
 * exact.
 *
 * A histogram that is all zero is an empty one. Two that were filled by two threads are merged afterwards.
 *
 * (Debian 12 has the original for Java and Go, and none for C.)
 */
#ifndef TOOLS_STATS_HISTOGRAM_H
#define TOOLS_STATS_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define STATS_HISTOGRAM_PART_BITS 10
#define STATS_HISTOGRAM_VALUE_BITS 40 /* 18 minutes of nanoseconds; what is longer counts as that */
#define STATS_HISTOGRAM_BUCKETS                                                                              \
    ((STATS_HISTOGRAM_VALUE_BITS - STATS_HISTOGRAM_PART_BITS + 1) << STATS_HISTOGRAM_PART_BITS)

typedef struct stats_histogram {
    uint64_t count;
    uint64_t sum;
    uint64_t least; /* of none: 0 */
    uint64_t greatest;
    uint64_t buckets[STATS_HISTOGRAM_BUCKETS];
} stats_histogram;

static inline void stats_histogram_add(stats_histogram *histogram, uint64_t value)
{
    const uint64_t one = 1;
    unsigned       shift;

    if (value >> STATS_HISTOGRAM_VALUE_BITS)
        value = (one << STATS_HISTOGRAM_VALUE_BITS) - 1;
    /* Below 2^11 values are their own index; above, the shift leaves 1,024 to 2,047. */
    shift =
        63 - STATS_HISTOGRAM_PART_BITS - (unsigned)__builtin_clzll(value | one << STATS_HISTOGRAM_PART_BITS);
    histogram->buckets[((size_t)shift << STATS_HISTOGRAM_PART_BITS) + (value >> shift)]++;
    if (histogram->count == 0 || value < histogram->least)
        histogram->least = value;
    if (value > histogram->greatest)
        histogram->greatest = value;
    histogram->sum += value;
    histogram->count++;
}

/* Adds all that `other` counted to `histogram`. */
void stats_histogram_merge(stats_histogram *histogram, const stats_histogram *other);

/* The least value that `share` of all (0.99: the 99th percentile) do not exceed; 0 of none. */
uint64_t stats_histogram_quantile(const stats_histogram *histogram, double share);

/* 0 of none. */
double stats_histogram_mean(const stats_histogram *histogram);

#ifdef __cplusplus
}
#endif
#endif
