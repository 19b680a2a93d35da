#include "tools/vow-load/search.h"

#include "tools/vow-load/buffer.h"

#include <math.h>
#include <stdlib.h>

static double quantile_of(const load_result *result, double share)
{
    const stats_histogram *latency = &result->total->latency;

    return latency->count ? (double)stats_histogram_quantile(latency, share) / 1e9 : NAN;
}

/* A rate is held by what is searched for, by every expectation, and by calls that all begin and all succeed.
 */
static void trial_judge(load_trial *trial, const load_plan *plan, const load_result *result,
                        const load_options *options)
{
    const load_measured measured = { result->total, result->rate, result->wanted_rate };
    load_verdict        verdict;
    const char         *why = "";

    load_verdict_of(&verdict, plan, result, options->expectations, options->expectation_count);
    trial->held = load_expectation_holds(&options->capacity, &measured, &trial->value);
    if (!trial->held)
        return;
    for (size_t i = options->expectation_count; i-- > 0;) {
        if (!verdict.holds[i])
            why = options->expectations[i].text;
    }
    if (*why)
        snprintf(trial->why, sizeof trial->why, "%.60s was missed", why);
    else if (trial->failed > 0)
        snprintf(trial->why, sizeof trial->why, "calls failed");
    else if (!verdict.rate_was_reached)
        snprintf(trial->why, sizeof trial->why, "the rate was not reached");
    trial->held = !*trial->why;
}

static load_trial trial_of(const load_plan *plan, const load_result *result, const load_options *options,
                           double rate)
{
    load_trial trial = {
        .rate = rate,
        .answered = result->rate,
        .p50 = quantile_of(result, 0.5),
        .p99 = quantile_of(result, 0.99),
        .failed = (double)load_tally_failed(result->total) + (double)result->total->unfinished,
    };

    trial_judge(&trial, plan, result, options);
    return trial;
}

/* Keeps the result that is to be shown in the end. */
static void search_keep(load_search *search, const load_plan *plan, load_result *result, bool held)
{
    if (search->result && search->capacity > 0 && !held) {
        load_result_free(result, plan);
        return;
    }
    if (search->result)
        load_result_free(search->result, &search->plan);
    search->plan = *plan;
    search->result = result;
}

load_search *load_search_run(const load_plan *plan, const load_options *options, load_watch_fn *watch,
                             void *arg)
{
    load_search  *search = load_alloc(1, sizeof *search);
    load_capacity capacity;
    load_plan     next = *plan;
    bool          is_broken_off = false;

    load_capacity_start(&capacity, plan->schedule.steps[0].rate);
    while (!capacity.is_over && !is_broken_off) {
        load_result *result;
        load_trial  *trial = &search->trials[search->trial_count];
        char         rate[32];
        load_problem problem;

        snprintf(rate, sizeof rate, "%.0f", capacity.rate);
        if (!load_schedule_open(&next.schedule, rate, options->length_ns, &problem))
            break;
        load_schedule_warm_up(&next.schedule, options->warm_up_ns);
        result = load_run(&next, watch, arg);
        next.first_request += result->begun;
        search->end = result->end;
        search->why = result->why;
        is_broken_off = result->end != LOAD_COMPLETE;
        if (!is_broken_off) {
            *trial = trial_of(&next, result, options, capacity.rate);
            search->trial_count++;
            load_show_trial(stdout, trial, &options->capacity);
            load_capacity_tried(&capacity, trial->held);
        }
        search->capacity = capacity.held;
        search_keep(search, &next, result, !is_broken_off && trial->held);
    }
    return search;
}

void load_search_free(load_search *search)
{
    if (!search)
        return;
    if (search->result)
        load_result_free(search->result, &search->plan);
    free(search);
}
