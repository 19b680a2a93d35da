/*
 * A sender's load: messages in one direction, for as long as the clock says.
 *
 * The idea: the sender sends for a while, ends, and is told by the receiver how many messages came; they are
 * divided by the time from the first message to that answer, so that none counts which is still on its way.
 * The first such passage warms up, the second is measured.
 */
#ifndef BENCH_MEASURE_TRANSFER_H
#define BENCH_MEASURE_TRANSFER_H

#include "arguments.h"

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct bench_transfer {
    const bench_client_options *options; /* lent */
    uint64_t                    began_ns;
    uint64_t                    stop_ns;   /* no message is sent from then on */
    uint64_t                    client_ns; /* processor time when the passage began */
    uint64_t                    server_ns;
    bool                        is_warm;
} bench_transfer;

/* A passage begins: the first one, or the one that bench_transfer_ended has asked for. */
void bench_transfer_begin(bench_transfer *transfer, const bench_client_options *options, uint64_t now_ns);

static inline bool bench_transfer_goes_on(const bench_transfer *transfer, uint64_t now_ns)
{
    return now_ns < transfer->stop_ns;
}

/* All `sent` messages of a passage have come, says the receiver: `received`. True: another one follows;
 * false: that was the last, and the results have been printed. */
bool bench_transfer_ended(bench_transfer *transfer, uint64_t sent, uint64_t received, uint64_t now_ns);

#ifdef __cplusplus
}
#endif

#endif
