/*
 * The facts of a benchmark: on which machine, with which versions, and when.
 *
 * The idea: figures without these can't be compared with any others. What can't be found out is left out.
 */
#ifndef BENCH_DRIVER_MACHINE_H
#define BENCH_DRIVER_MACHINE_H

#include "pair.h"
#include "record.h"
#include "rounds.h"

/* Adds them to `record`; of peers, those that take part. */
void bench_machine_tell(const bench_setting *setting, const bench_choice *choice, bench_record *record);

/* What measuring itself takes; a quarter of a second is spent on it. */
void bench_machine_tell_overhead(bench_record *record);

#endif
