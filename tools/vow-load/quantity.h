/*
 * Numbers as a person writes them: 5000, 2.5k, 1M; 250us, 5ms, 1.5s, 2m.
 *
 * Each reader takes what it can from `*text` on and moves it behind that. False: there is no such thing, or
 * it is not above what the type holds; `*text` is as it was.
 */
#ifndef VOW_LOAD_QUANTITY_H
#define VOW_LOAD_QUANTITY_H

#include <stdbool.h>
#include <stdint.h>

/* Durations beyond this are refused: a day of nanoseconds. */
#define LOAD_DURATION_MAX_NS UINT64_C(86400000000000)

/* Digits, perhaps with a point, and k or M for thousands and millions. Neither signs nor exponents. */
bool load_read_number(const char **text, double *number);

/* A number and its unit: ns, us, µs, ms, s, m or h. A bare 0 needs none. */
bool load_read_duration(const char **text, uint64_t *ns);

/* The same, of a whole text. */
bool load_parse_number(const char *text, double *number);
bool load_parse_duration(const char *text, uint64_t *ns);

/* A whole number without a unit, up to `most`. */
bool load_parse_count(const char *text, uint64_t most, uint64_t *count);

#endif
