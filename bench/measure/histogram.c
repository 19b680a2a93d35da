#include "histogram.h"

#include <math.h>

/* The middle of a bucket: its edges would be wrong to one side. */
static uint64_t bucket_value(size_t index)
{
    size_t octave = index >> BENCH_HISTOGRAM_PART_BITS;
    size_t shift = octave > 1 ? octave - 1 : 0;

    return ((uint64_t)(index - (shift << BENCH_HISTOGRAM_PART_BITS)) << shift) +
           ((UINT64_C(1) << shift) >> 1);
}

uint64_t bench_histogram_quantile(const bench_histogram *histogram, double share)
{
    uint64_t rank = (uint64_t)ceil(share * (double)histogram->count);
    uint64_t seen = 0;

    for (size_t i = 0; i < BENCH_HISTOGRAM_BUCKETS; i++) {
        seen += histogram->buckets[i];
        if (seen && seen >= rank)
            return bucket_value(i);
    }
    return 0;
}
