/*
 * How many calls, each made when the one before was answered, count as one: 1, or as the build says for a
 * program that is made of the same source and called "chain".
 */
#ifndef BENCH_MEASURE_CHAIN_H
#define BENCH_MEASURE_CHAIN_H

#ifndef BENCH_CHAIN_CALLS
#define BENCH_CHAIN_CALLS 1
#endif

#endif
