/*
 * A record as text, for a terminal of 100 columns.
 */
#ifndef BENCH_DRIVER_TABLE_H
#define BENCH_DRIVER_TABLE_H

#include "compare.h"
#include "record.h"

#include <stdio.h>

void bench_table_print(FILE *file, const bench_record *record);

/* What changed since the earlier record, the one in `path`. */
void bench_table_print_changes(FILE *file, const bench_comparison *comparison, const char *path);

#endif
