#include "summary.h"

#include <stdlib.h>

typedef double figure_fn(const bench_outcome *outcome, const bench_outcome *floor);

/* --- The figures of a round ------------------------------------------------------ */

static double calls_per_s(const bench_outcome *outcome, const bench_outcome *floor)
{
    (void)floor;
    return outcome->speed.calls_per_s;
}
