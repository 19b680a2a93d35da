#include "compare.h"

#include "measure/fail.h"
#include "tables.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LEAST_CHANGE 0.05

/* When a figure is looked at. */
enum about { LATENCY = 1, THROUGHPUT = 2, WEIGHT = 4 };

static const struct judged {
    bench_figure figure;
    bench_figure absolute; /* what is compared where there is no floor */
    unsigned     about;
    bool         more_is_better;
} judged[] = {
    { BENCH_CALLS_RATIO, BENCH_CALLS_PER_S, THROUGHPUT, true },
    { BENCH_CPU_RATIO, BENCH_CPU_US_PER_CALL, LATENCY | THROUGHPUT, false },
    { BENCH_P50_RATIO, BENCH_P50_US, LATENCY, false },
    { BENCH_P99_RATIO, BENCH_P99_US, LATENCY, false },
    { BENCH_BYTES_PER_CALL, BENCH_BYTES_PER_CALL, WEIGHT, false },
    { BENCH_SERVER_BYTES_PER_CALL, BENCH_SERVER_BYTES_PER_CALL, WEIGHT, false },
    { BENCH_BYTES_PER_STREAM, BENCH_BYTES_PER_STREAM, WEIGHT, false },
    { BENCH_SERVER_BYTES_PER_STREAM, BENCH_SERVER_BYTES_PER_STREAM, WEIGHT, false },
    { BENCH_BYTES_PER_CONNECTION, BENCH_BYTES_PER_CONNECTION, WEIGHT, false },
    { BENCH_SERVER_BYTES_PER_CONNECTION, BENCH_SERVER_BYTES_PER_CONNECTION, WEIGHT, false },
};

#define JUDGED_COUNT (sizeof judged / sizeof *judged)

/* 0: this version does not know the workload, and can't tell. */
static unsigned about(const bench_cell *cell)
{
    const bench_workload *workload = bench_workload_find(cell->workload);

    if (!workload)
        return 0;
    if (bench_workload_is_weighed(workload))
        return WEIGHT;
    return bench_workload_is_latency(workload) ? LATENCY : THROUGHPUT;
}

/* Whether a figure has changed; if so, `change` says how. */
static bool figure_has_changed(const bench_cell *before, const bench_cell *after, bench_figure figure,
                               bool more_is_better, bench_comparison *comparison, bench_change *change)
{
    double old[BENCH_ROUNDS_MOST], new[BENCH_ROUNDS_MOST];
    size_t old_count = bench_cell_values(before, figure, old);
    size_t new_count = bench_cell_values(after, figure, new);
    bool   is_more;

    if (old_count == 0 || new_count == 0)
        return false;
    *change = (bench_change){
        .cell = after,
        .figure = figure,
        .before = bench_median(old, old_count),
        .after = bench_median(new, new_count),
        .ratio = bench_ratio_interval(old, old_count, new, new_count),
        .is_ours = bench_peer_is_ours(bench_peer_find(after->peer)),
    };
    comparison->compared++;
    comparison->unknown += isnan(change->ratio.low) ? 1 : 0;
    is_more = change->ratio.low > 1 && change->after > change->before * (1 + LEAST_CHANGE);
    change->is_worse = is_more != more_is_better;
    return is_more || (change->ratio.high < 1 && change->after < change->before * (1 - LEAST_CHANGE));
}

static void compare_cell(const bench_cell *before, const bench_cell *after, bench_comparison *comparison)
{
    for (size_t i = 0; i < JUDGED_COUNT; i++) {
        bool has_floor = !isnan(bench_cell_median(before, judged[i].figure)) &&
                         !isnan(bench_cell_median(after, judged[i].figure));
        bench_figure figure = has_floor ? judged[i].figure : judged[i].absolute;
        bench_change change;

        if ((judged[i].about & about(after)) &&
            figure_has_changed(before, after, figure, judged[i].more_is_better, comparison, &change))
            comparison->changes[comparison->count++] = change;
    }
}

bench_comparison bench_compare(const bench_record *before, const bench_record *after)
{
    bench_comparison comparison = {
        .changes = bench_alloc(after->cell_count * JUDGED_COUNT + 1, sizeof(bench_change)),
    };

    for (size_t i = 0; i < after->cell_count; i++) {
        const bench_cell *cell = &after->cells[i];
        const bench_cell *earlier = bench_record_find(before, cell->workload, cell->peer);

        /* The floor is what the others are compared with. */
        if (earlier && strcmp(cell->peer, bench_peers[BENCH_FLOOR].name) != 0)
            compare_cell(earlier, cell, &comparison);
    }
    return comparison;
}

void bench_comparison_done(bench_comparison *comparison)
{
    free(comparison->changes);
    *comparison = (bench_comparison){ 0 };
}

static bool change_counts(const bench_change *change)
{
    return change->is_worse && change->is_ours;
}

bool bench_comparison_is_worse(const bench_comparison *comparison)
{
    for (size_t i = 0; i < comparison->count; i++) {
        if (change_counts(&comparison->changes[i]))
            return true;
    }
    return false;
}

static bool comparison_has(const bench_comparison *comparison, const bench_change *wanted)
{
    for (size_t i = 0; i < comparison->count; i++) {
        const bench_change *change = &comparison->changes[i];

        if (change->is_worse && change->figure == wanted->figure &&
            strcmp(change->cell->peer, wanted->cell->peer) == 0 &&
            strcmp(change->cell->workload, wanted->cell->workload) == 0)
            return true;
    }
    return false;
}

size_t bench_comparison_confirm(bench_comparison *comparison, const bench_comparison *again)
{
    size_t confirmed = 0;

    for (size_t i = 0; i < comparison->count; i++) {
        bench_change *change = &comparison->changes[i];

        change->is_confirmed = change_counts(change) && comparison_has(again, change);
        confirmed += change->is_confirmed;
    }
    return confirmed;
}

static double percent(double ratio)
{
    return (ratio - 1) * 100;
}

void bench_change_describe(const bench_change *change, char *text, size_t size)
{
    snprintf(text, size, "%s of %s on %s: %.4g, was %.4g (%+.0f %%, surely between %+.0f %% and %+.0f %%)",
             bench_figure_names[change->figure], change->cell->peer, change->cell->workload, change->after,
             change->before, percent(change->after / change->before), percent(change->ratio.low),
             percent(change->ratio.high));
}
