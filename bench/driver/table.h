/*
 * A record as text, for a terminal.
 */
#ifndef BENCH_DRIVER_TABLE_H
#define BENCH_DRIVER_TABLE_H

#include "compare.h"
#include "record.h"

#include <stdio.h>

/* All columns fit into so many; 80 are the least that are cared for. */
#define BENCH_TABLE_WIDE 116

/* Columns that `width` has no room for are left out, those that say least first. */
void bench_table_print(FILE *file, const bench_record *record, size_t width);

/* What changed since the earlier record, the one in `path`. */
void bench_table_print_changes(FILE *file, const bench_comparison *comparison, const char *path);

#endif
