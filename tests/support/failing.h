/*
 * An allocator that fails when it is told to, and counts what is out.
 *
 * The idea: a test runs the same program again and again, each time failing a later allocation, until
 * one run asks for none that fails. So every path that an allocation can fail on is taken.
 */
#ifndef VOW_TESTS_FAILING_H
#define VOW_TESTS_FAILING_H

#include <stdbool.h>
#include <stddef.h>

/* Installs the allocator. `nth` counts from 0; `from_then_on`: all after it fail as well. */
void failing_install(size_t nth, bool from_then_on);

/* From now on as failing_install, and what was allocated before still counts. */
void failing_fail_at(size_t nth, bool from_then_on);

/* Allocations succeed again. */
void failing_stop(void);

/* All fail from now on; the counts go on. */
void failing_all_from_now(void);

/* Has an allocation been made to fail since failing_install? */
bool failing_has_failed(void);

/* How many were asked for since failing_install. */
size_t failing_asked(void);

/* Blocks that were allocated and not freed. */
size_t failing_outstanding(void);

/* Back to the C library's. */
void failing_remove(void);

/* Installs the allocator with the `nth` that fails, and says whether that many were asked for. */
typedef bool failing_life(size_t nth, bool from_then_on);

/* Lives once for each allocation, until a life asks for none that fails. False: that took fewer than `least` lives,
 * or did not come about. */
bool failing_each(failing_life *live, bool from_then_on, size_t least);

#endif
