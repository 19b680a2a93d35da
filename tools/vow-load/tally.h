/*
 * What became of calls: how many began, how they ended, and how long it took.
 *
 * The rule: every call that begins is counted once as begun, and once as answered, failed or unfinished. So
 * the sums agree, however a run ends.
 *
 * A tally that is all zero is an empty one.
 */
#ifndef VOW_LOAD_TALLY_H
#define VOW_LOAD_TALLY_H

#include "tools/stats/histogram.h"

#include <stddef.h>
#include <stdint.h>

#define LOAD_CODES 17
#define LOAD_EXAMPLE_SIZE 300

typedef struct load_tally {
    uint64_t        begun;
    uint64_t        answered;
    uint64_t        failed[LOAD_CODES]; /* by vow_code; that of VOW_OK is unused */
    uint64_t        unfinished;         /* given up when the run was broken off */
    uint64_t        completed;          /* answered while this step was on, whenever they began */
    uint64_t        request_bytes, reply_bytes;
    uint64_t        replies; /* messages; as many as answered where the method does not stream */
    char            example[LOAD_CODES][LOAD_EXAMPLE_SIZE]; /* the first failure's words */
    stats_histogram latency;                                /* of those answered, in nanoseconds */
    stats_histogram lag;                                    /* from the moment a call is due until it began */
} load_tally;

uint64_t load_tally_failed(const load_tally *tally);

void load_tally_fail(load_tally *tally, unsigned code, const char *words);
void load_tally_merge(load_tally *tally, const load_tally *other);

#endif
