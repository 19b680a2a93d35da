#include "record.h"

#include "measure/fail.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void bench_record_done(bench_record *record)
{
    for (size_t i = 0; i < record->cell_count; i++)
        free(record->cells[i].rounds);
    free(record->cells);
    *record = (bench_record){ 0 };
}

void bench_record_tell(bench_record *record, const char *name, const char *format, ...)
{
    bench_fact *fact = &record->facts[record->fact_count];
    va_list     values;

    if (record->fact_count == BENCH_FACTS_MOST)
        return;
    record->fact_count++;
    snprintf(fact->name, sizeof fact->name, "%s", name);
    va_start(values, format);
    vsnprintf(fact->text, sizeof fact->text, format, values);
    va_end(values);
}

const char *bench_record_fact(const bench_record *record, const char *name)
{
    for (size_t i = 0; i < record->fact_count; i++) {
        if (strcmp(record->facts[i].name, name) == 0)
            return record->facts[i].text;
    }
    return "";
}

bench_cell *bench_record_add(bench_record *record, const char *workload, const char *peer)
{
    size_t      count = record->cell_count + 1;
    bench_cell *cells = realloc(record->cells, count * sizeof *cells);
    bench_cell *cell;

    if (!cells)
        bench_fail("no memory for %zu results", count);
    cell = &cells[record->cell_count];
    *cell = (bench_cell){ .count = 0 };
    snprintf(cell->workload, sizeof cell->workload, "%s", workload);
    snprintf(cell->peer, sizeof cell->peer, "%s", peer);
    record->cells = cells;
    record->cell_count = count;
    return cell;
}

bench_cell *bench_record_find(const bench_record *record, const char *workload, const char *peer)
{
    for (size_t i = 0; i < record->cell_count; i++) {
        bench_cell *cell = &record->cells[i];

        if (strcmp(cell->workload, workload) == 0 && strcmp(cell->peer, peer) == 0)
            return cell;
    }
    return NULL;
}

size_t bench_record_row(const bench_record *record, size_t first)
{
    size_t count = 0;

    while (first + count < record->cell_count &&
           strcmp(record->cells[first + count].workload, record->cells[first].workload) == 0)
        count++;
    return count;
}

bool bench_cells_tell(const bench_cell *cells, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (cells[i].count > 0 || cells[i].has_failed)
            return true;
    }
    return false;
}

bool bench_record_has_results(const bench_record *record)
{
    for (size_t i = 0; i < record->cell_count; i++) {
        if (record->cells[i].count > 0)
            return true;
    }
    return false;
}

void bench_cell_add(bench_cell *cell, const bench_results *results)
{
    bench_results *rounds;

    if (cell->count == BENCH_ROUNDS_MOST)
        return;
    rounds = realloc(cell->rounds, (cell->count + 1) * sizeof *rounds);
    if (!rounds)
        bench_fail("no memory for %zu rounds", cell->count + 1);
    rounds[cell->count++] = *results;
    cell->rounds = rounds;
}

size_t bench_cell_values(const bench_cell *cell, bench_figure figure, double values[BENCH_ROUNDS_MOST])
{
    size_t count = 0;

    for (size_t i = 0; i < cell->count && count < BENCH_ROUNDS_MOST; i++) {
        if (!isnan(cell->rounds[i].figures[figure]))
            values[count++] = cell->rounds[i].figures[figure];
    }
    return count;
}

bench_summary bench_cell_summary(const bench_cell *cell, bench_figure figure)
{
    double values[BENCH_ROUNDS_MOST];
    size_t count = bench_cell_values(cell, figure, values);

    return (bench_summary){
        .median = bench_median(values, count),
        .interval = bench_median_interval(values, count),
    };
}

double bench_cell_median(const bench_cell *cell, bench_figure figure)
{
    double values[BENCH_ROUNDS_MOST];

    return bench_median(values, bench_cell_values(cell, figure, values));
}
