/*
 * What a benchmark found: for each peer on each workload the figures of every round, and the facts of the
 * machine they were found on.
 *
 * The idea: a run fills a record, and a JSON file is read into one (json.h), so that tables, pages and
 * comparisons look at records and need not know which of the two they have. Names are texts, for a file may
 * have been written by another version with other tables.
 */
#ifndef BENCH_DRIVER_RECORD_H
#define BENCH_DRIVER_RECORD_H

#include "measure/results.h"
#include "statistics.h"

#include <stdbool.h>
#include <stddef.h>

#define BENCH_NAME_SIZE 32
#define BENCH_RAISED_SIZE 128
#define BENCH_FACT_NAME_SIZE 48
#define BENCH_FACT_SIZE 256
#define BENCH_FACTS_MOST 64

/* A peer on a workload. */
typedef struct bench_cell {
    char workload[BENCH_NAME_SIZE];
    char peer[BENCH_NAME_SIZE];
    char raised[BENCH_RAISED_SIZE]; /* the limits that the server has raised, as it says; "": none */
    bool has_failed;                /* a run of it has, and it was not run again */
    bool is_slow;                   /* was not run again, as time was short and it takes long */
    bench_results *rounds;
    size_t         count; /* of rounds */
} bench_cell;

typedef struct bench_fact {
    char name[BENCH_FACT_NAME_SIZE];
    char text[BENCH_FACT_SIZE];
} bench_fact;

typedef struct bench_record {
    double      seconds; /* of measuring, in each run */
    bench_fact  facts[BENCH_FACTS_MOST];
    size_t      fact_count;
    bench_cell *cells; /* a workload's are side by side */
    size_t      cell_count;
} bench_record;

/* What a figure's rounds come to. All is NAN if no round has it. */
typedef struct bench_summary {
    double         median;
    bench_interval interval; /* of the median; NAN of a single round */
} bench_summary;

/* A record that is all zero is an empty one. Releases what it holds, not the record. */
void bench_record_done(bench_record *record);

/* Adds a fact; too many are left out, too long a text is cut. */
void bench_record_tell(bench_record *record, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* "": it has no such fact. */
const char *bench_record_fact(const bench_record *record, const char *name);

/* Adds a cell without rounds. It is lent until the next one is added. */
bench_cell *bench_record_add(bench_record *record, const char *workload, const char *peer);

/* NULL: there is none. */
bench_cell *bench_record_find(const bench_record *record, const char *workload, const char *peer);

/* Adds a round; beyond BENCH_ROUNDS_MOST it is left out. */
void bench_cell_add(bench_cell *cell, const bench_results *results);

/* The values of a figure in all rounds that have it, at most BENCH_ROUNDS_MOST; gives their count. */
size_t bench_cell_values(const bench_cell *cell, bench_figure figure, double values[BENCH_ROUNDS_MOST]);

bench_summary bench_cell_summary(const bench_cell *cell, bench_figure figure);

/* How many cells from number `first` on are of its workload. */
size_t bench_record_row(const bench_record *record, size_t first);

/* Is there anything to tell of these cells: a round, or a failure? */
bool bench_cells_tell(const bench_cell *cells, size_t count);

/* Has any run come to its end? */
bool bench_record_has_results(const bench_record *record);

/* The median alone; NAN if no round has it. */
double bench_cell_median(const bench_cell *cell, bench_figure figure);

#endif
