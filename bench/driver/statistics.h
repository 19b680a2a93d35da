/*
 * Medians of a few rounds, and how sure one can be of them.
 *
 * The idea is the bootstrap: were the rounds made again, they would be like those that there are. So as many
 * are drawn of them, with repetition, many times over, and what the medians of these draws spread over, but
 * for a share at both ends, is the interval. It asks for no distribution, which latencies don't have. The
 * draws come from a generator with a fixed seed: the same rounds always have the same interval.
 */
#ifndef BENCH_DRIVER_STATISTICS_H
#define BENCH_DRIVER_STATISTICS_H

#include <stddef.h>

#define BENCH_ROUNDS_MOST 100

typedef struct bench_interval {
    double low;
    double high;
} bench_interval;

/* Of at most BENCH_ROUNDS_MOST values, in any order; NAN of none. */
double bench_median(const double *values, size_t count);

/* In which the median lies with 95 %. Of fewer than 2 values it is not known: NAN. */
bench_interval bench_median_interval(const double *values, size_t count);

/* In which `after`'s median divided by `before`'s lies with 99 %: a report makes hundreds of such
 * comparisons, and with 95 % one in twenty would be a false alarm. NAN if one side has fewer than 2 values.
 */
bench_interval bench_ratio_interval(const double *before, size_t before_count, const double *after,
                                    size_t after_count);

#endif
