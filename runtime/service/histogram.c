#include "runtime/service/histogram.h"

#define FIRST_NS ((uint64_t)1000)
#define LAST_BUCKET (VOW_HISTOGRAM_BUCKETS - 1)

/* A decade in three parts, counted in hundredths of its beginning. */
static const struct part {
    uint64_t from;
    uint64_t step;
    size_t   first; /* bucket of the decade */
} parts[] = { { 100, 10, 0 }, { 200, 25, 10 }, { 500, 50, 22 } };

#define PARTS (sizeof parts / sizeof parts[0])

static const struct part *part_of(uint64_t hundredths)
{
    return hundredths < parts[1].from ? &parts[0] : hundredths < parts[2].from ? &parts[1] : &parts[2];
}

/* A bound belongs to the bucket below it, as Prometheus's "le" has it: hence one less. */
size_t vow_histogram_bucket(uint64_t ns)
{
    uint64_t           hundredth = FIRST_NS / 100;
    size_t             decade = 0;
    const struct part *part;

    if (ns <= FIRST_NS)
        return 0;
    ns--;
    while (decade < VOW_HISTOGRAM_DECADES && ns / hundredth >= 1000) {
        hundredth *= 10;
        decade++;
    }
    if (decade == VOW_HISTOGRAM_DECADES)
        return LAST_BUCKET;
    part = part_of(ns / hundredth);
    return 1 + decade * VOW_HISTOGRAM_PER_DECADE + part->first + (ns / hundredth - part->from) / part->step;
}

uint64_t vow_histogram_bound_ns(size_t bucket)
{
    uint64_t           hundredth = FIRST_NS / 100;
    size_t             place = (bucket - 1) % VOW_HISTOGRAM_PER_DECADE;
    const struct part *part;

    if (bucket == 0)
        return FIRST_NS;
    if (bucket >= LAST_BUCKET)
        return UINT64_MAX;
    for (size_t decade = (bucket - 1) / VOW_HISTOGRAM_PER_DECADE; decade > 0; decade--)
        hundredth *= 10;
    part = &parts[place < parts[1].first ? 0 : place < parts[2].first ? 1 : 2];
    return (part->from + (place - part->first + 1) * part->step) * hundredth;
}

static void histogram_add_seconds(vow_histogram *histogram, double seconds)
{
    atomic_store_explicit(&histogram->seconds, vow_histogram_seconds(histogram) + seconds,
                          memory_order_relaxed);
}

void vow_histogram_add(vow_histogram *histogram, uint64_t ns)
{
    vow_counter_add(&histogram->counts[vow_histogram_bucket(ns)], 1);
    histogram_add_seconds(histogram, (double)ns / 1e9);
}

void vow_histogram_merge(vow_histogram *into, const vow_histogram *from)
{
    for (size_t i = 0; i < VOW_HISTOGRAM_BUCKETS; i++)
        vow_counter_add(&into->counts[i], vow_counter_read(&from->counts[i]));
    histogram_add_seconds(into, vow_histogram_seconds(from));
}

uint64_t vow_histogram_count(const vow_histogram *histogram)
{
    uint64_t count = 0;

    for (size_t i = 0; i < VOW_HISTOGRAM_BUCKETS; i++)
        count += vow_counter_read(&histogram->counts[i]);
    return count;
}

/* In one double, as Prometheus has it: a counter in nanoseconds would be full after 21 days of 10,000
 * streams. */
double vow_histogram_seconds(const vow_histogram *histogram)
{
    return atomic_load_explicit((_Atomic double *)&histogram->seconds, memory_order_relaxed);
}

/* Within a bucket durations are taken to be spread evenly. */
static uint64_t bucket_interpolate(size_t bucket, double part)
{
    uint64_t from = bucket ? vow_histogram_bound_ns(bucket - 1) : 0;

    if (bucket == LAST_BUCKET)
        return from;
    return from + (uint64_t)((double)(vow_histogram_bound_ns(bucket) - from) * part);
}

uint64_t vow_histogram_quantile_ns(const vow_histogram *histogram, double quantile)
{
    double   rank = (double)vow_histogram_count(histogram) * (quantile > 1 ? 1 : quantile);
    double   below = 0;
    uint64_t longest = 0;

    if (!(rank > 0)) /* nor is it where the quantile is no number */
        rank = 0;
    for (size_t i = 0; i < VOW_HISTOGRAM_BUCKETS; i++) {
        double count = (double)vow_counter_read(&histogram->counts[i]);

        if (count > 0 && below + count >= rank)
            return bucket_interpolate(i, (rank - below) / count);
        if (count > 0)
            longest = bucket_interpolate(i, 1);
        below += count;
    }
    return longest; /* none has ended, or some that were counted are still on their way here */
}
