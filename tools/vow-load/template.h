/*
 * Templates: JSON in which {{counter}}, {{random 1 100}} and their like stand for something else in each
 * request.
 *
 * The idea: what request number n holds follows from the template, the seed and n alone. So the same seed
 * makes the same requests, whichever thread makes them and however fast.
 *
 *     {{counter}} {{counter START}} {{counter START STEP}}    counts the requests, from 0
 *     {{random LOW HIGH}}                                     a whole number, both ends included
 *     {{random_text COUNT}}                                   so many letters and digits
 *     {{random_bytes COUNT}}                                  so many bytes, as base64: for fields of bytes
 *     {{uuid}}                                                a random one (version 4)
 *     {{pick WORD WORD ...}}                                  one of the words
 *
 * The last four are text and stand in quotes; numbers stand in them or without. A "{{" that is meant as it is
 * can be written "\u007b{".
 */
#ifndef VOW_LOAD_TEMPLATE_H
#define VOW_LOAD_TEMPLATE_H

#include "tools/vow-load/buffer.h"
#include "tools/vow-load/problem.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOAD_PLACEHOLDERS_MAX 100
#define LOAD_RANDOM_TEXT_MAX ((size_t)1 << 20)

typedef struct load_template load_template;

/*
 * Gives the template (load_template_free); NULL: `problem` says what is wrong, with line and column, as far
 * as that can be said without knowing the message: placeholders, and the rules of JSON.
 */
load_template *load_template_parse(const char *text, load_problem *problem);
void           load_template_free(load_template *parsed);

/* Are all requests the same? */
bool load_template_is_constant(const load_template *parsed);

/* Puts the JSON of a request in place of what is in `json`. */
void load_template_expand(const load_template *parsed, uint64_t seed, uint64_t index, load_buffer *json);

/* Where a field's name stands in quotes, counted from 1. False: nowhere. */
bool load_template_find(const load_template *parsed, const char *name, size_t *line, size_t *column);

#endif
