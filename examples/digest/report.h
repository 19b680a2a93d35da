/*
 * What the client tells: sums on standard output; faults, progress and figures on standard error.
 *
 * The idea: one place that knows about terminals. The progress bar is drawn over one line, and taken
 * away before anything else is written.
 *
 * Faults and notes may come from any thread; all else from the loop's.
 */
#ifndef DIGEST_REPORT_H
#define DIGEST_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct report;

/* Gives a report (report_close). Counts what is below `path` in the thread pool, for the bar. */
struct report *report_open(uv_loop_t *uv, const char *path);

/* Takes its handles off the loop. */
void report_stop(struct report *report);

/* Prints the figures; gives the exit status: 0, or 1 when something failed. */
int report_close(struct report *report);

void report_sum(struct report *report, const char *path, const uint8_t *sum, size_t size);
void report_bytes(struct report *report, size_t size);
void report_latency(struct report *report, uint64_t ns);
void report_fault(struct report *report, const char *path, const char *why);
void report_skipped(struct report *report, const char *path, const char *what);
void report_note(struct report *report, const char *text);

#endif
