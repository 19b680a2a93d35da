/*
 * A storm: hundreds of calls of every kind on a simulated network that misbehaves, from one seed.
 *
 * The idea: nothing is expected of one call but what holds for each: it settles once and in time, with its own
 * bytes or with a code that its fate allows, its handler runs at most once, and nothing is left in the end.
 */
#ifndef VOW_TESTS_STORM_H
#define VOW_TESTS_STORM_H

#include <stdbool.h>
#include <stdint.h>

typedef enum storm_fault {
    STORM_REFUSED,
    STORM_HUNG,
    STORM_RESET,
    STORM_BLACK_HOLE,
    STORM_STALL,
    STORM_SLOW,
    STORM_ONE_BYTE,
    STORM_FAULTS
} storm_fault;

extern const char *const storm_fault_names[STORM_FAULTS];

#define STORM_CODES 17

/* Of one storm, or of many. */
typedef struct storm_totals {
    uint64_t struck[STORM_FAULTS]; /* how often each fault did */
    uint64_t ended[STORM_CODES];   /* calls, by their code */
    uint64_t dropped;              /* calls that nobody waited for to the end */
    uint64_t served;               /* handlers that ran */
    uint64_t streams;              /* that were begun */
    uint64_t ended_well;           /* of these */
    uint64_t streamed;             /* messages that came back */
    uint64_t connections;
} storm_totals;

typedef struct storm_result {
    char     what[300]; /* went wrong first; "": nothing */
    uint64_t trace;     /* a hash of all that happened */
} storm_result;

/* Of every third seed the channels speak gRPC. Adds what happened to `totals`. `verbose`: tells it on standard
 * error as it happens. */
storm_result storm_run(uint64_t seed, bool verbose, storm_totals *totals);

#endif
