/*
 * A file that is written at the end of it all.
 *
 * The idea: it is opened before anything is measured, for it is better to hear then that it can't be written;
 * and emptied only when there is something to write, so that an earlier report stays until there is a later.
 */
#ifndef BENCH_DRIVER_OUTPUT_H
#define BENCH_DRIVER_OUTPUT_H

#include <stdbool.h>
#include <stdio.h>

typedef struct bench_output {
    const char *path;   /* lent */
    FILE       *file;   /* NULL: none was asked for, or it is closed */
    bool        is_new; /* there was none before */
} bench_output;

/* `path` NULL: none is asked for. One that can't be opened ends the program. */
void bench_output_open(bench_output *output, const char *path);

/* Empties it, to be written. */
bool bench_output_empty(const bench_output *output);

/* False: not all of it could be written, of which it says why. `is_written` is what the caller knows. */
bool bench_output_close(bench_output *output, bool is_written);

/* There is nothing to write: leaves no file where there was none. */
void bench_output_drop(bench_output *output);

#endif
