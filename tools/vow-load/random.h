/*
 * Random numbers that follow from a seed: splitmix64, one stream for each request.
 */
#ifndef VOW_LOAD_RANDOM_H
#define VOW_LOAD_RANDOM_H

#include <stdint.h>

typedef struct load_random {
    uint64_t state;
} load_random;

static inline uint64_t load_random_next(load_random *random)
{
    uint64_t value = random->state += UINT64_C(0x9e3779b97f4a7c15);

    value = (value ^ (value >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    value = (value ^ (value >> 27)) * UINT64_C(0x94d049bb133111eb);
    return value ^ (value >> 31);
}

/* Neighbouring seeds and numbers give streams that have nothing in common. */
static inline load_random load_random_of(uint64_t seed, uint64_t index)
{
    load_random random = { seed };

    random.state = load_random_next(&random) ^ index;
    random.state = load_random_next(&random);
    return random;
}

/* 0 … bound - 1. The bias of the multiplication is below 2^-32 for what is asked for here. */
static inline uint64_t load_random_below(load_random *random, uint64_t bound)
{
    return (uint64_t)(((unsigned __int128)load_random_next(random) * bound) >> 64);
}

#endif
