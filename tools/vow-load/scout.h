/*
 * What is done before a run: the schema is found, the requests are made ready, and one call tries the way.
 *
 * The idea: a target that refuses, a method that is not there, a template that makes no message are told in
 * one line now, not in a report of ten thousand calls that failed.
 */
#ifndef VOW_LOAD_SCOUT_H
#define VOW_LOAD_SCOUT_H

#include "tools/vow-load/options.h"
#include "tools/vow-load/plan.h"
#include "tools/vow-load/verdict.h"

typedef struct load_scout load_scout;

/* `plan` is lent until load_scout_close; its requests may be made meanwhile. NULL: no loop could be had. */
load_scout *load_scout_open(const load_plan *plan);
void        load_scout_close(load_scout *scout);

/*
 * Makes the requests that the options ask for, and tells `method` whether it streams, as far as there is a
 * schema. Other than LOAD_WELL: `problem` says what is wrong.
 *
 * Owns    gives *schema (load_schema_free, after the requests), which may be NULL.
 */
load_status load_scout_requests(load_scout *scout, const load_options *options, load_requests *requests,
                                vow_method *method, load_schema **schema, load_problem *problem);

/*
 * Makes one call. LOAD_NOTHING: it is no use to go on, and `problem` says why. LOAD_WELL: `*seconds` is how
 * long it took, with its connection, and `problem` is "" or how it failed all the same.
 */
load_status load_scout_call(load_scout *scout, double *seconds, load_problem *problem);

#endif
