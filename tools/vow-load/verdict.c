#include "tools/vow-load/verdict.h"

#include "tools/report/report.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Of the most that may be outstanding: so many mean that calls waited for room. */
#define IS_FULL 0.95

static bool was_full(const load_plan *plan, const load_result *result)
{
    for (size_t i = 0; i < result->moment_count; i++) {
        if (result->moments[i].outstanding >= IS_FULL * (double)plan->outstanding)
            return true;
    }
    return false;
}

static void say_rate(load_verdict *verdict, const load_plan *plan, const load_result *result)
{
    char begun[REPORT_NUMBER_SIZE], wanted[REPORT_NUMBER_SIZE], most[REPORT_NUMBER_SIZE];

    report_number(begun, (double)result->total->begun / result->seconds, 0);
    report_number(wanted, result->wanted_rate, 0);
    if (was_full(plan, result))
        snprintf(
            verdict->words, sizeof verdict->words,
            "the rate was not reached: %s of %s calls a second began, since %s were outstanding, as many as "
            "--outstanding allows: answers come more slowly than calls are due.",
            begun, wanted, report_number(most, (double)plan->outstanding, 0));
    else
        snprintf(
            verdict->words, sizeof verdict->words,
            "the rate was not reached: this machine began %s of %s calls a second. These figures tell of the "
            "generator; give it more --threads, or a machine of its own.",
            begun, wanted);
}

/* One that spins is always busy; and that a rate was not reached is told in more than a warning. */
static void warn_of_generator(load_verdict *verdict, const load_plan *plan, const load_result *result)
{
    double share = result->cpu_share / (double)plan->threads;

    if (plan->spins || !verdict->rate_was_reached || !(share >= LOAD_BUSY))
        return;
    snprintf(verdict->warning, sizeof verdict->warning,
             "the generator was busy for %.0f %% of the time: the server may do more than these figures say; "
             "give the generator more --threads, or a machine of its own",
             fmin(share, 1) * 100);
}

/* Was every expectation held? Also whether one of them is about errors. */
static bool verdict_check(load_verdict *verdict, const load_measured *measured,
                          const load_expectation *expectations, size_t count, bool *is_about_errors)
{
    bool all = true;

    *is_about_errors = false;
    for (size_t i = 0; i < count; i++) {
        verdict->holds[i] = load_expectation_holds(&expectations[i], measured, &verdict->values[i]);
        all = all && verdict->holds[i];
        *is_about_errors = *is_about_errors || expectations[i].measure == LOAD_ERRORS ||
                           expectations[i].measure == LOAD_ERRORS_SHARE;
    }
    return all;
}

static load_status status_of_end(const load_result *result)
{
    switch (result->end) {
    case LOAD_NO_CONNECTION:
        return LOAD_NOTHING;
    case LOAD_NO_REQUEST:
        return LOAD_USAGE;
    case LOAD_SERVER_GONE:
        return LOAD_GONE;
    default:
        return result->total->begun > 0 ? LOAD_WELL : LOAD_NOTHING;
    }
}

void load_verdict_of(load_verdict *verdict, const load_plan *plan, const load_result *result,
                     const load_expectation *expectations, size_t count)
{
    const load_measured measured = { result->total, result->rate, result->wanted_rate };
    double              due = result->wanted_rate * result->seconds;
    bool                all_held, is_about_errors;

    memset(verdict, 0, sizeof *verdict);
    all_held = verdict_check(verdict, &measured, expectations, count, &is_about_errors);
    verdict->status = status_of_end(result);
    verdict->rate_was_reached = (double)result->total->begun >= LOAD_RATE_REACHED * due - 1;
    if (result->end != LOAD_COMPLETE)
        snprintf(verdict->words, sizeof verdict->words, "%.*s", (int)sizeof verdict->words - 1,
                 result->why.text);
    else if (!verdict->rate_was_reached)
        say_rate(verdict, plan, result);
    warn_of_generator(verdict, plan, result);
    if (verdict->status != LOAD_WELL)
        return;
    if (!verdict->rate_was_reached && result->end == LOAD_COMPLETE)
        verdict->status = LOAD_TOO_FAST;
    else if (!all_held || (!is_about_errors && load_tally_failed(result->total) > 0))
        verdict->status = LOAD_MISSED;
}
