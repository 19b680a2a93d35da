/*
 * A strict reader of Prometheus's text format for tests.
 *
 * Source: Prometheus, "Exposition formats", text-based format 0.0.4.
 */
#ifndef VOW_TESTS_EXPOSITION_H
#define VOW_TESTS_EXPOSITION_H

/*
 * What is wrong with the page; NULL: nothing. Beside the grammar of each line: each family has its HELP and
 * TYPE once and first, and its lines together; counters end in _total; no series occurs twice; buckets are in
 * order and cumulative, end with +Inf, and have _sum and _count beside them, the count that of the last.
 */
const char *exposition_fault(const char *page);

/* The value of a series as it stands there, x{y="z"}; -1: it is not there. */
double exposition_value(const char *page, const char *series);

#endif
