#include "statistics.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define DRAWS 2000
#define SEED UINT64_C(0x9e3779b97f4a7c15)
#define MEDIAN_CONFIDENCE 0.95
#define RATIO_CONFIDENCE 0.99
#define NORMAL_99 2.576

/* Student's t at 99 %, for 1, 2, … degrees of freedom; beyond the last, the last. */
static const double student_99[] = { 63.66, 9.92, 5.84, 4.60, 4.03, 3.71, 3.50, 3.36, 3.25, 3.17 };

static int compare_doubles(const void *left, const void *right)
{
    double a = *(const double *)left;
    double b = *(const double *)right;

    return (a > b) - (a < b);
}

static double median_in_place(double *values, size_t count)
{
    qsort(values, count, sizeof *values, compare_doubles);
    return (values[(count - 1) / 2] + values[count / 2]) / 2;
}

double bench_median(const double *values, size_t count)
{
    double sorted[BENCH_ROUNDS_MOST];

    if (count == 0)
        return NAN;
    memcpy(sorted, values, count * sizeof *values);
    return median_in_place(sorted, count);
}

/* Marsaglia's xorshift64*: the high bits of the product are good ones. */
static size_t draw(uint64_t *state, size_t count)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return (size_t)((*state * UINT64_C(0x2545f4914f6cdd1d)) >> 33) % count;
}

static double median_of_draw(const double *values, size_t count, uint64_t *state)
{
    double drawn[BENCH_ROUNDS_MOST];

    for (size_t i = 0; i < count; i++)
        drawn[i] = values[draw(state, count)];
    return median_in_place(drawn, count);
}

/* What is left of `values` when the same share is cut off at both ends. */
static bench_interval middle(double *values, size_t count, double share)
{
    size_t cut = (size_t)((1 - share) / 2 * (double)count);

    qsort(values, count, sizeof *values, compare_doubles);
    return (bench_interval){ .low = values[cut], .high = values[count - 1 - cut] };
}

bench_interval bench_median_interval(const double *values, size_t count)
{
    double   medians[DRAWS];
    uint64_t state = SEED;

    if (count < 2)
        return (bench_interval){ .low = NAN, .high = NAN };
    for (size_t i = 0; i < DRAWS; i++)
        medians[i] = median_of_draw(values, count, &state);
    return middle(medians, DRAWS, MEDIAN_CONFIDENCE);
}

/* Two or three rounds may be alike by chance, and draws of them then are, too: the interval is widened,
 * around the ratio itself, as Student's t is wider than the normal distribution. */
static bench_interval widen(bench_interval interval, double ratio, size_t count)
{
    size_t most = sizeof student_99 / sizeof *student_99;
    double times = student_99[count - 1 < most ? count - 2 : most - 1] / NORMAL_99;

    return (bench_interval){
        .low = ratio * pow(interval.low / ratio, times),
        .high = ratio * pow(interval.high / ratio, times),
    };
}

bench_interval bench_ratio_interval(const double *before, size_t before_count, const double *after,
                                    size_t after_count)
{
    double   ratios[DRAWS];
    uint64_t state = SEED;

    if (before_count < 2 || after_count < 2)
        return (bench_interval){ .low = NAN, .high = NAN };
    for (size_t i = 0; i < DRAWS; i++)
        ratios[i] = median_of_draw(after, after_count, &state) / median_of_draw(before, before_count, &state);
    return widen(middle(ratios, DRAWS, RATIO_CONFIDENCE),
                 bench_median(after, after_count) / bench_median(before, before_count),
                 before_count < after_count ? before_count : after_count);
}
