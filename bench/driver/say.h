/*
 * What the driver says on standard error: lines that stay, and one that shows how far it is.
 *
 * The rule: whatever goes wrong is one line that stays, said once, with what the program that failed has said
 * itself.
 */
#ifndef BENCH_DRIVER_SAY_H
#define BENCH_DRIVER_SAY_H

/* "bench: " and a line, in place of the progress. */
void bench_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* On a terminal only, in place of the progress so far; a narrow one cuts it. */
void bench_say_progress(const char *format, ...) __attribute__((format(printf, 1, 2)));
void bench_say_no_progress(void);

#endif
