/*
 * What went wrong, in words for the person who runs vow-load.
 *
 * A function that can fail takes one, fills it on failure only, and gives false: `return
 * load_problem_set(…)`.
 */
#ifndef VOW_LOAD_PROBLEM_H
#define VOW_LOAD_PROBLEM_H

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct load_problem {
    char text[1000]; /* what does not fit is cut; control characters are "?" */
} load_problem;

/* Gives false. */
bool load_problem_set(load_problem *problem, const char *format, ...) __attribute__((format(printf, 2, 3)));

#ifdef __cplusplus
}
#endif
#endif
