/*
 * Processes that the driver starts, pinned to a core each.
 *
 * The idea: no wait is without an end. Each has a limit in time, and a signal to the driver ends it too,
 * so that the driver always gets to stop what it has started; should it be killed itself, the kernel
 * stops its children.
 *
 * A program's failure brings down those that talk to it. So nothing is said of one by itself: a child keeps
 * what went wrong with it, and what it wrote to standard error, until who started it knows which of them to
 * blame.
 */
#ifndef BENCH_DRIVER_CHILD_H
#define BENCH_DRIVER_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define BENCH_PROBLEM_SIZE 512

typedef struct bench_child {
    const char *title;                       /* for messages: "vow's server"; lent */
    pid_t       pid;                         /* 0: not running */
    int         pidfd;                       /* readable once it has ended */
    int         output;                      /* its standard output */
    int         errors;                      /* a file of its standard error */
    char        problem[BENCH_PROBLEM_SIZE]; /* "ended with status 1: the server has gone"; "": all is well */
} bench_child;

/* From here on SIGINT, SIGTERM and SIGHUP only interrupt the waits below. */
void bench_signals_catch(void);

/* The signal that has come; 0: none. */
int bench_signal_caught(void);

/* Cores that may be used, at most `most`, into `cores`; gives their count. */
size_t bench_cores_find(int *cores, size_t most);

/* Starts `argv[0]`, a path, on `core` (-1: on any). False: it has a problem. So with the next three, which
 * have none to tell where a signal has ended the wait. */
bool bench_child_start(bench_child *child, const char *title, char *const argv[], int core);

/* Reads one line, without its end. False: there was none within `timeout_ms`. */
bool bench_child_read_line(bench_child *child, char *line, size_t size, int timeout_ms);

/* Waits for its end. False: it did not end well, or not within `timeout_ms`. */
bool bench_child_finish(bench_child *child, int timeout_ms);

/* Is it still there, after `patience_ms`? False: it has ended, which it should not have. */
bool bench_child_runs(bench_child *child, int patience_ms);

/* Gives it a problem, unless it has one, with what it says itself. Always false. */
bool bench_child_fail(bench_child *child, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Of children that each fail when the one before does, says the problem of the first that has one; the last
 * is the one that may have ended. The system may be still about to end the first, which is waited for. False:
 * none has a problem. */
bool bench_child_blame(bench_child *const children[], size_t count, int patience_ms);

/* Ends it, by force if need be, and passes on what it has written to standard error if it has no problem. One
 * that was started must be stopped, also if it has ended; on another one it does nothing. */
void bench_child_stop(bench_child *child);

#endif
