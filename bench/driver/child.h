/*
 * Processes that the driver starts, pinned to a core each.
 *
 * The idea: no wait is without an end. Each has a limit in time, and a signal to the driver ends it too,
 * so that the driver always gets to stop what it has started; should it be killed itself, the kernel
 * stops its children.
 */
#ifndef BENCH_DRIVER_CHILD_H
#define BENCH_DRIVER_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

typedef struct bench_child {
    const char *title;  /* for messages: "vow's server"; lent */
    pid_t       pid;    /* 0: not running */
    int         pidfd;  /* readable once it has ended */
    int         output; /* its standard output */
} bench_child;

/* From here on SIGINT, SIGTERM and SIGHUP only interrupt the waits below. */
void bench_signals_catch(void);

/* The signal that has come; 0: none. */
int bench_signal_caught(void);

/* Cores that may be used, at most `most`, into `cores`; gives their count. */
size_t bench_cores_find(int *cores, size_t most);

/* Starts `argv[0]`, a path, on `core` (-1: on any). False: it can't be, and why has been said. */
bool bench_child_start(bench_child *child, const char *title, char *const argv[], int core);

/* Reads one line, without its end. False: there was none within `timeout_ms`, and why has been said. */
bool bench_child_read_line(bench_child *child, char *line, size_t size, int timeout_ms);

/* Waits for its end. False: it did not end well, or not within `timeout_ms`, and that has been said. */
bool bench_child_finish(bench_child *child, int timeout_ms);

/* Is it still there, after `patience_ms`? False: it has ended, which it should not have, and how has been
 * said. */
bool bench_child_runs(bench_child *child, int patience_ms);

/* Ends it, by force if need be. On one that is not running: does nothing. */
void bench_child_stop(bench_child *child);

#endif
