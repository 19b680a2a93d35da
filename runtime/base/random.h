/*
 * Random numbers for jitter and simulation: fast, seeded, not for secrets.
 *
 * The idea: one 64-bit state per loop (SplitMix64, Steele and others 2014), so that all chance in a
 * simulated run follows from one seed.
 */
#ifndef VOW_BASE_RANDOM_H
#define VOW_BASE_RANDOM_H

#include <stdint.h>

static inline uint64_t vow_random_next(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* 0 … bound-1; `bound` is not 0. */
static inline uint64_t vow_random_below(uint64_t *state, uint64_t bound)
{
    return (uint64_t)(((unsigned __int128)vow_random_next(state) * bound) >> 64);
}

/* `value` spread evenly over value ± percent. */
static inline uint64_t vow_random_jitter(uint64_t *state, uint64_t value, unsigned percent)
{
    uint64_t spread = value / 100 * percent;

    return value - spread + vow_random_below(state, 2 * spread + 1);
}

#endif
