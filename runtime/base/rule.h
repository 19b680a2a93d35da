/*
 * Rules that a user can break unseen, and reports to the operator.
 *
 * The idea: a debug build stops at the first broken rule with a sentence that names the function
 * and the rule; a release build answers as well as it can. Asserts are for vow's own mistakes.
 */
#ifndef VOW_BASE_RULE_H
#define VOW_BASE_RULE_H

#include <vow/status.h>

/* Sends one line to the function that the program has set. */
void vow_report(const char *format, ...) VOW_PRINTF(1, 2);

/* Reports the broken rule; a debug build aborts. */
void vow_rule_broken(const char *function, const char *rule);

/* The same for an object whose maker is known: `made_by` is a code address there, or NULL. */
void vow_rule_broken_by(const char *function, const char *rule, const void *made_by);

/* A code address for a person, "send_summary+0x1c (./app)", cut at `size`; gives `text`. */
const char *vow_place_name(const void *address, char *text, size_t size);

#ifdef VOW_DEBUG
#define VOW_RULE(kept, rule) ((kept) ? (void)0 : vow_rule_broken(__func__, (rule)))
#else
#define VOW_RULE(kept, rule) ((void)0)
#endif

#endif
