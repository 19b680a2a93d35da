/*
 * The search for the capacity, run by run.
 */
#ifndef VOW_LOAD_SEARCH_H
#define VOW_LOAD_SEARCH_H

#include "tools/vow-load/show.h"

typedef struct load_search {
    load_trial   trials[LOAD_TRIALS_MAX];
    size_t       trial_count;
    double       capacity; /* 0: none held */
    load_end     end;      /* of the run that broke the search off; LOAD_COMPLETE: none did */
    load_problem why;
    load_plan    plan;   /* of `result`; shares all but the schedule with the plan that was given */
    load_result *result; /* of the highest rate that held; else of the last that was tried */
} load_search;

/* Says each rate on standard output. `watch` as in load_run. Gives the search (load_search_free). */
load_search *load_search_run(const load_plan *plan, const load_options *options, load_watch_fn *watch,
                             void *arg);
void         load_search_free(load_search *search);

#endif
