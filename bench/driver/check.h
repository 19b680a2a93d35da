/*
 * The benchmark held against what is known: a link that delays as it was told, and a server that stands still
 * for as long as it was made to.
 *
 * The idea: what the clients then say is known beforehand. The bare echo behind bench_proxy takes the delay
 * there and back. Stopped by a signal in mid-run, it lets all calls wait that become due until it goes on; in
 * the open loop these are counted from their intended moments, so that the 99th percentile is nearly the
 * whole time.
 *
 * What is measured on a machine that others use, too, can be late by chance: a check that fails is made
 * again.
 */
#ifndef BENCH_DRIVER_CHECK_H
#define BENCH_DRIVER_CHECK_H

#include "pair.h"

#include <stdbool.h>

/* Prints what was due and what came of it. False: something was off by more than a fifth, each time. */
bool bench_check_run(const bench_setting *setting);

#endif
