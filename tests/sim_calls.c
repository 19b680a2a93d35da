/*
 * The whole stack over many seeds of the simulated network.
 *
 *     sim_calls [--seed S] [--seeds N] [--verbose]
 *
 * Each seed is one storm (tests/support/storm.h). A seed that fails is printed with the command that runs it
 * again; also when the program is ended by an assertion or a sanitizer.
 */
#include "tests/support/storm.h"

#include <vow/status.h>

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SEEDS 1000
#define REPEATED_SEEDS 5 /* run twice, to see that a seed is one run */
#define PATIENCE_S 60    /* of real time, for one seed */

/* There where a sanitizer is. */
extern void __sanitizer_set_death_callback(void (*died)(void)) __attribute__((weak));

struct options {
    uint64_t seeds;
    uint64_t first;
    bool     verbose;
};

static struct {
    const char *program;
    uint64_t    seed;
} now;

static void seed_failed(uint64_t seed, const char *what)
{
    char line[600];
    int  length = snprintf(line, sizeof line,
                           "seed %" PRIu64 " failed: %s; run again: %s --seed %" PRIu64 " --verbose\n", seed,
                           what, now.program, seed);

    if (write(STDERR_FILENO, line, (size_t)length) < 0)
        _exit(2);
}

static void died(void)
{
    seed_failed(now.seed, "a sanitizer ended it");
}

static void killed(int number)
{
    seed_failed(now.seed, number == SIGALRM   ? "it does not end"
                          : number == SIGABRT ? "an assertion or a rule was broken"
                                              : "it read or wrote where it may not");
    signal(number, SIG_DFL);
    raise(number);
}

static void watch_for_death(void)
{
    signal(SIGABRT, killed);
    signal(SIGALRM, killed);
    if (__sanitizer_set_death_callback)
        __sanitizer_set_death_callback(died);
    else
        signal(SIGSEGV, killed);
}

static void ignore_report(const char *text, void *arg)
{
    (void)text;
    (void)arg;
}

/* Runs a seed, and gives whether all was well. */
static bool seed_run(const struct options *options, uint64_t seed, storm_totals *totals)
{
    storm_result first;
    storm_result again;
    storm_totals unused = { .served = 0 };

    now.seed = seed;
    alarm(PATIENCE_S);
    first = storm_run(seed, options->verbose, totals);
    if (*first.what) {
        seed_failed(seed, first.what);
        return false;
    }
    if (seed - options->first >= REPEATED_SEEDS)
        return true;
    again = storm_run(seed, false, &unused);
    if (again.trace != first.trace) {
        seed_failed(seed, "a second run of it went another way");
        return false;
    }
    return true;
}

/* One line; false: a fault that never struck proves nothing. */
static bool totals_print(const struct options *options, const storm_totals *totals)
{
    bool all_struck = true;

    printf("%" PRIu64 " seeds, %" PRIu64 " connections; faults that struck:", options->seeds,
           totals->connections);
    for (int i = 0; i < STORM_FAULTS; i++) {
        printf(" %s %" PRIu64, storm_fault_names[i], totals->struck[i]);
        all_struck = all_struck && totals->struck[i] > 0;
    }
    printf("; %" PRIu64 " handlers ran; calls ended:", totals->served);
    for (int i = 0; i < STORM_CODES; i++) {
        if (totals->ended[i])
            printf(" %s %" PRIu64, vow_code_name((vow_code)i), totals->ended[i]);
    }
    printf(" dropped %" PRIu64 "; %" PRIu64 " streams, %" PRIu64 " to their end, %" PRIu64 " messages came back\n",
           totals->dropped, totals->streams, totals->ended_well, totals->streamed);
    return all_struck;
}

static bool options_read(struct options *options, char **words)
{
    *options = (struct options){ .seeds = SEEDS, .first = 1 };
    for (; *words; words++) {
        if (strcmp(*words, "--verbose") == 0) {
            options->verbose = true;
        } else if (strcmp(*words, "--seeds") == 0 && words[1]) {
            options->seeds = strtoull(*++words, NULL, 10);
        } else if (strcmp(*words, "--seed") == 0 && words[1]) {
            options->first = strtoull(*++words, NULL, 10);
            options->seeds = 1;
        } else {
            return false;
        }
    }
    return true;
}

int main(int count, char **words)
{
    storm_totals   totals = { .served = 0 };
    struct options options;

    (void)count;
    now.program = words[0];
    if (!options_read(&options, words + 1)) {
        fprintf(stderr, "%s [--seed S] [--seeds N] [--verbose]\n", words[0]);
        return 2;
    }
    if (!options.verbose)
        vow_report_set(ignore_report, NULL);
    watch_for_death();
    for (uint64_t i = 0; i < options.seeds; i++) {
        if (!seed_run(&options, options.first + i, &totals))
            return 1;
    }
    if (!totals_print(&options, &totals) && options.seeds >= SEEDS) {
        fprintf(stderr, "a kind of fault never struck\n");
        return 1;
    }
    return 0;
}
