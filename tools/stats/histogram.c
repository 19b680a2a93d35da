#include "tools/stats/histogram.h"

#include <math.h>

void stats_histogram_merge(stats_histogram *histogram, const stats_histogram *other)
{
    if (other->count == 0)
        return;
    if (histogram->count == 0 || other->least < histogram->least)
        histogram->least = other->least;
    if (other->greatest > histogram->greatest)
        histogram->greatest = other->greatest;
    histogram->count += other->count;
    histogram->sum += other->sum;
    for (size_t i = 0; i < STATS_HISTOGRAM_BUCKETS; i++)
        histogram->buckets[i] += other->buckets[i];
}

/* The middle of a bucket: its edges would be wrong to one side. */
static uint64_t bucket_value(size_t index)
{
    size_t octave = index >> STATS_HISTOGRAM_PART_BITS;
    size_t shift = octave > 1 ? octave - 1 : 0;

    return ((uint64_t)(index - (shift << STATS_HISTOGRAM_PART_BITS)) << shift) +
           ((UINT64_C(1) << shift) >> 1);
}

/* How many values, counted from the least, make up `share`. The product may lie a hair above a whole number
 * that it ought to be, and must not be taken for the next one. */
static uint64_t rank_of(double share, uint64_t count)
{
    double rank = ceil(share * (double)count * (1 - 1e-12));

    if (rank < 1)
        return 1;
    return rank < (double)count ? (uint64_t)rank : count;
}

uint64_t stats_histogram_quantile(const stats_histogram *histogram, double share)
{
    uint64_t rank = rank_of(share, histogram->count);
    uint64_t seen = 0;

    if (histogram->count == 0)
        return 0;
    if (rank == histogram->count)
        return histogram->greatest;
    for (size_t i = 0; i < STATS_HISTOGRAM_BUCKETS; i++) {
        seen += histogram->buckets[i];
        if (seen >= rank) {
            uint64_t value = bucket_value(i);

            if (value < histogram->least)
                return histogram->least;
            return value < histogram->greatest ? value : histogram->greatest;
        }
    }
    return histogram->greatest;
}

double stats_histogram_mean(const stats_histogram *histogram)
{
    return histogram->count == 0 ? 0 : (double)histogram->sum / (double)histogram->count;
}
