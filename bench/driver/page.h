/*
 * A record as a page with plots.
 */
#ifndef BENCH_DRIVER_PAGE_H
#define BENCH_DRIVER_PAGE_H

#include "compare.h"
#include "record.h"

#include <stdbool.h>
#include <stdio.h>

/* `comparison` with the record at `path` is NULL if there is none. False: the file could not be written. */
bool bench_page_write(FILE *file, const bench_record *record, const bench_comparison *comparison,
                      const char *path);

#endif
