/*
 * The search for the highest rate at which expectations hold.
 *
 * The idea: double the rate until it is too much (or halve it until it is not), then halve the gap between
 * the highest rate that held and the lowest that did not, until that is a twentieth. A rate that misses is
 * tried once more before it counts as missed: a machine that did something else for a moment must not decide
 * a search. All of it is bounded.
 *
 * Pure: who searches asks for a rate, tries it, and says how it went.
 */
#ifndef VOW_LOAD_CAPACITY_H
#define VOW_LOAD_CAPACITY_H

#include <stdbool.h>
#include <stddef.h>

#define LOAD_TRIALS_MAX 40
#define LOAD_CAPACITY_RATIO 1.05 /* between the lowest that missed and the highest that held */

typedef struct load_capacity {
    double rate;   /* to be tried now */
    double held;   /* the highest that held; 0: none yet */
    double missed; /* the lowest that missed twice; 0: none yet */
    size_t trials; /* so far */
    bool   is_second_try;
    bool   is_over;
} load_capacity;

void load_capacity_start(load_capacity *capacity, double rate);

/* `rate` was tried. Sets the next one, or is_over. */
void load_capacity_tried(load_capacity *capacity, bool held);

#endif
