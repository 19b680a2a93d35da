/*
 * What changed between two benchmarks, beyond the noise.
 *
 * The idea: a figure has changed if the interval of the ratio of its medians (statistics.h) does not reach 1,
 * and the medians are apart by a twentieth at least. What is compared is the ratio to the floor wherever
 * there is one, for the machine itself is not always equally fast. Of a workload that is about latency that
 * is p50 and p99, of the others calls a second; processor time of both; and bytes of what is weighed.
 */
#ifndef BENCH_DRIVER_COMPARE_H
#define BENCH_DRIVER_COMPARE_H

#include "record.h"

#include <stdio.h>

typedef struct bench_change {
    const bench_cell *cell; /* lent by the later record */
    bench_figure      figure;
    double            before, after; /* medians */
    bench_interval    ratio;         /* after to before */
    bool              is_worse;      /* else it is better */
    bool              is_ours;       /* of vow's, and not of what it is compared with */
    bool              is_confirmed;  /* of what is worse and ours: a second measuring found it, too */
} bench_change;

typedef struct bench_comparison {
    bench_change *changes;
    size_t        count;
    size_t        compared; /* figures */
    size_t        unknown;  /* figures of which one side has too few rounds */
} bench_comparison;

bench_comparison bench_compare(const bench_record *before, const bench_record *after);
void             bench_comparison_done(bench_comparison *comparison);

/* Is there anything of vow's that is worse? */
bool bench_comparison_is_worse(const bench_comparison *comparison);

/* Marks what is worse in `again` too, a comparison with what was measured once more; gives how many those
 * are. */
size_t bench_comparison_confirm(bench_comparison *comparison, const bench_comparison *again);

/* "calls_ratio of vow on unary-100: 0.751, was 0.642 (+17 %, surely between +12 % and +21 %)" */
void bench_change_describe(const bench_change *change, char *text, size_t size);

#endif
