#include "tools/vow-load/schedule.h"

#include "tools/vow-load/quantity.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Reading */

/* FROM..TO/BY; of a single rate all three are set as well. */
struct range {
    double   from, to, by;
    uint64_t length_ns;
};

static bool range_check(const struct range *range, load_problem *problem)
{
    if (range->from <= 0 || range->to <= 0)
        return load_problem_set(problem, "a rate of 0 calls none; it must be above that");
    if (range->from > LOAD_RATE_MAX || range->to > LOAD_RATE_MAX)
        return load_problem_set(problem, "a rate is at most %.0fM calls a second", LOAD_RATE_MAX / 1e6);
    if (range->by <= 0)
        return load_problem_set(problem, "steps of 0 lead nowhere");
    if (range->length_ns == 0)
        return load_problem_set(problem, "a step of no length calls none");
    return true;
}

/* Reads one part of a list, up to a comma or the end. */
static bool range_read(const char **text, struct range *range, load_problem *problem)
{
    if (!load_read_number(text, &range->from))
        return load_problem_set(problem, "a rate was expected at \"%s\"", *text);
    range->to = range->from;
    range->by = range->from > 0 ? range->from : 1;
    if (strncmp(*text, "..", 2) == 0) {
        *text += 2;
        if (!load_read_number(text, &range->to))
            return load_problem_set(problem, "the last rate was expected at \"%s\"", *text);
        if (**text != '/')
            return load_problem_set(problem, "\"/\" and the size of a step were expected at \"%s\"", *text);
        ++*text;
        if (!load_read_number(text, &range->by))
            return load_problem_set(problem, "the size of a step was expected at \"%s\"", *text);
    }
    if (**text == ':') {
        ++*text;
        if (!load_read_duration(text, &range->length_ns))
            return load_problem_set(problem, "a duration, such as 5s, was expected at \"%s\"", *text);
    }
    return range_check(range, problem);
}

/* Upward or downward; the last rate is one of the steps, also where `by` does not divide the way to it. */
static bool schedule_add_range(load_schedule *schedule, const struct range *range, load_problem *problem)
{
    double way = fabs(range->to - range->from);
    double count = floor(way / range->by + 1e-9) + 1;
    bool   has_rest = way - (count - 1) * range->by > 1e-9 * range->by;

    if ((double)schedule->step_count + count + has_rest > LOAD_STEPS_MAX)
        return load_problem_set(problem, "more than %d steps", LOAD_STEPS_MAX);
    for (double i = 0; i < count; i++) {
        double change = i * range->by;

        schedule->steps[schedule->step_count++] = (load_step){
            .rate = range->from < range->to ? range->from + change : range->from - change,
            .length_ns = range->length_ns,
        };
    }
    if (has_rest)
        schedule->steps[schedule->step_count++] = (load_step){ range->to, range->length_ns };
    return true;
}

/* Sums */

static void schedule_sum(load_schedule *schedule)
{
    for (size_t i = 0; i < schedule->step_count; i++) {
        const load_step *step = &schedule->steps[i];

        schedule->begins_ns[i + 1] = schedule->begins_ns[i] + step->length_ns;
        schedule->calls[i + 1] = schedule->calls[i] + step->rate * ((double)step->length_ns / 1e9);
        /* Measuring begins with a whole call, so that a count of them comes out. */
        if (i == 0 && schedule->has_warmup)
            schedule->calls[1] = floor(schedule->calls[1] + 1e-6);
    }
}

bool load_schedule_open(load_schedule *schedule, const char *rates, uint64_t length_ns, load_problem *problem)
{
    load_schedule read = { .is_open = true };
    load_problem  why;

    for (const char *at = rates;; at++) {
        struct range range = { .length_ns = length_ns };

        if (!range_read(&at, &range, &why) || !schedule_add_range(&read, &range, &why))
            return load_problem_set(problem, "the rate \"%s\": %s", rates, why.text);
        if (!*at)
            break;
        if (*at != ',')
            return load_problem_set(problem, "the rate \"%s\": it should have ended at \"%s\"", rates, at);
    }
    schedule_sum(&read);
    *schedule = read;
    return true;
}

void load_schedule_closed(load_schedule *schedule, uint64_t length_ns)
{
    *schedule = (load_schedule){ .step_count = 1, .steps = { { 0, length_ns } } };
    schedule_sum(schedule);
}

void load_schedule_warm_up(load_schedule *schedule, uint64_t warm_up_ns)
{
    if (warm_up_ns == 0)
        return;
    memmove(&schedule->steps[1], &schedule->steps[0], schedule->step_count * sizeof schedule->steps[0]);
    schedule->steps[0].length_ns = warm_up_ns;
    schedule->has_warmup = true;
    schedule->step_count++;
    schedule_sum(schedule);
}

void load_schedule_limit(load_schedule *schedule, uint64_t count)
{
    schedule->count = count;
    if (schedule->is_open)
        schedule->steps[0].length_ns = (uint64_t)ceil((double)count / schedule->steps[0].rate * 1e9);
    schedule_sum(schedule);
}

uint64_t load_schedule_length_ns(const load_schedule *schedule)
{
    return schedule->begins_ns[schedule->step_count];
}

/* Half a call is none, and one that the sum is a hair short of is one. */
static uint64_t whole_calls(double calls)
{
    return (uint64_t)floor(calls + 1e-6);
}

uint64_t load_schedule_calls(const load_schedule *schedule)
{
    return whole_calls(schedule->calls[schedule->step_count]);
}

/* Asking */

bool load_schedule_due(const load_schedule *schedule, uint64_t index, uint64_t *due_ns, size_t *step)
{
    size_t at = *step;

    if (index >= load_schedule_calls(schedule))
        return false;
    while (at + 1 < schedule->step_count && (double)index >= schedule->calls[at + 1] - 1e-6)
        at++;
    *due_ns = schedule->begins_ns[at] +
              (uint64_t)(fmax((double)index - schedule->calls[at], 0) / schedule->steps[at].rate * 1e9 + 0.5);
    *step = at;
    return true;
}

size_t load_schedule_step_at(const load_schedule *schedule, uint64_t moment_ns, size_t step)
{
    while (step < schedule->step_count && moment_ns >= schedule->begins_ns[step + 1])
        step++;
    return step;
}
