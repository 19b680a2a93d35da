#include "tools/vow-load/capacity.h"

#include "tools/vow-load/schedule.h"

#include <math.h>

#define RATE_MIN 1.0

/* A rate that is easy to read: three digits. */
static double rate_round(double rate)
{
    double power = pow(10, floor(log10(rate)) - 2);

    return rate < 100 ? round(rate) : round(rate / power) * power;
}

void load_capacity_start(load_capacity *capacity, double rate)
{
    *capacity = (load_capacity){ .rate = rate };
}

static double capacity_next(const load_capacity *capacity)
{
    if (capacity->missed == 0)
        return fmin(capacity->held * 2, LOAD_RATE_MAX);
    if (capacity->held == 0)
        return fmax(rate_round(capacity->missed / 2), RATE_MIN);
    return rate_round(sqrt(capacity->held * capacity->missed));
}

void load_capacity_tried(load_capacity *capacity, bool held)
{
    double next;

    capacity->trials++;
    if (!held && !capacity->is_second_try && capacity->trials < LOAD_TRIALS_MAX) {
        capacity->is_second_try = true;
        return;
    }
    capacity->is_second_try = false;
    if (held)
        capacity->held = capacity->rate;
    else
        capacity->missed = capacity->rate;
    next = capacity_next(capacity);
    /* A rate that was tried already: rounding leaves none between, or it is the least or the most that there
     * is. */
    capacity->is_over = capacity->trials >= LOAD_TRIALS_MAX || next == capacity->held ||
                        next == capacity->missed ||
                        (capacity->held > 0 && capacity->missed > 0 &&
                         capacity->missed <= capacity->held * LOAD_CAPACITY_RATIO);
    capacity->rate = next;
}
