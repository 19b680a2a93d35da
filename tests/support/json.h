/*
 * A strict reader of JSON for tests: one line that is one object of texts and numbers.
 *
 * Source: RFC 8259.
 */
#ifndef VOW_TESTS_JSON_H
#define VOW_TESTS_JSON_H

/* What is wrong with the line, whose end is a "\n"; NULL: nothing. */
const char *json_fault(const char *line);

/* The value under `name`, a text without its escapes; NULL: there is none. Lives until the fourth next call.
 */
const char *json_get(const char *line, const char *name);

#endif
