/* Durations are in seconds, as everywhere in JSON that others read; what was not measured is null. */
#include "tools/vow-load/show.h"

#include <vow/version.h>

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <string.h>

static json_t *real_of(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *count_of(uint64_t count)
{
    return json_integer((json_int_t)count);
}

static json_t *latency_of(const stats_histogram *latency)
{
    json_t *json = json_object();

    if (latency->count == 0)
        return json;
    json_object_set_new(json, "min", real_of((double)latency->least / 1e9));
    json_object_set_new(json, "mean", real_of(stats_histogram_mean(latency) / 1e9));
    for (size_t i = 0; i < load_percentile_count; i++)
        json_object_set_new(
            json, load_percentiles[i].name,
            real_of((double)stats_histogram_quantile(latency, load_percentiles[i].share) / 1e9));
    json_object_set_new(json, "max", real_of((double)latency->greatest / 1e9));
    return json;
}

static json_t *calls_of(const load_tally *tally)
{
    json_t *json = json_object();

    json_object_set_new(json, "begun", count_of(tally->begun));
    json_object_set_new(json, "answered", count_of(tally->answered));
    json_object_set_new(json, "failed", count_of(load_tally_failed(tally)));
    json_object_set_new(json, "unfinished", count_of(tally->unfinished));
    json_object_set_new(json, "request_bytes", count_of(tally->request_bytes));
    json_object_set_new(json, "replies", count_of(tally->replies));
    json_object_set_new(json, "reply_bytes", count_of(tally->reply_bytes));
    return json;
}

static json_t *errors_of(const load_tally *tally)
{
    json_t *json = json_object();

    for (unsigned code = 0; code < LOAD_CODES; code++) {
        json_t *entry;

        if (tally->failed[code] == 0)
            continue;
        entry = json_object();
        json_object_set_new(entry, "count", count_of(tally->failed[code]));
        /* A server's words need not be UTF-8, which JSON is; then there is no example. */
        json_object_set_new(entry, "example", json_string(tally->example[code]));
        json_object_set_new(json, vow_code_name((vow_code)code), entry);
    }
    return json;
}

static json_t *plan_of(const load_findings *findings)
{
    const load_plan *plan = findings->plan;
    json_t          *json = json_object();
    char             words[300];

    load_show_plan(words, sizeof words, plan);
    json_object_set_new(json, "words", json_string(words));
    json_object_set_new(json, "loop", json_string(plan->schedule.is_open ? "open" : "closed"));
    json_object_set_new(json, "outstanding", count_of(plan->outstanding));
    json_object_set_new(json, "connections", count_of(plan->connections));
    json_object_set_new(json, "threads", count_of(plan->threads));
    json_object_set_new(json, "seed", count_of(findings->options->seed));
    json_object_set_new(json, "timeout_ms", json_integer(plan->timeout_ms));
    return json;
}

static json_t *steps_of(const load_findings *findings)
{
    const load_schedule *schedule = &findings->plan->schedule;
    json_t              *json = json_array();

    for (size_t s = schedule->has_warmup; s < schedule->step_count; s++) {
        json_t *step = calls_of(findings->result->steps[s]);

        json_object_set_new(step, "wanted_rate", real_of(schedule->is_open ? schedule->steps[s].rate : NAN));
        json_object_set_new(step, "rate", real_of(load_result_step_rate(findings->result, s)));
        json_object_set_new(step, "seconds", real_of(findings->result->step_seconds[s]));
        json_object_set_new(step, "latency", latency_of(&findings->result->steps[s]->latency));
        json_object_set_new(step, "errors", errors_of(findings->result->steps[s]));
        json_array_append_new(json, step);
    }
    return json;
}

static json_t *moments_of(const load_result *result)
{
    json_t *json = json_array();

    for (size_t i = 0; i < result->moment_count; i++) {
        const load_moment *moment = &result->moments[i];
        json_t            *entry = json_object();

        json_object_set_new(entry, "at", real_of(moment->at));
        json_object_set_new(entry, "seconds", real_of(moment->length));
        json_object_set_new(entry, "begun", real_of(moment->begun));
        json_object_set_new(entry, "answered", real_of(moment->answered));
        json_object_set_new(entry, "failed", real_of(moment->failed));
        json_object_set_new(entry, "p50", real_of(moment->p50));
        json_object_set_new(entry, "p99", real_of(moment->p99));
        json_object_set_new(entry, "max", real_of(moment->max));
        json_object_set_new(entry, "outstanding", real_of(moment->outstanding));
        json_array_append_new(json, entry);
    }
    return json;
}

static json_t *expectations_of(const load_findings *findings)
{
    json_t *json = json_array();

    for (size_t i = 0; i < findings->options->expectation_count; i++) {
        json_t *entry = json_object();

        json_object_set_new(entry, "expected", json_string(findings->options->expectations[i].text));
        json_object_set_new(entry, "held", json_boolean(findings->verdict->holds[i]));
        json_object_set_new(entry, "measured", real_of(findings->verdict->values[i]));
        json_array_append_new(json, entry);
    }
    return json;
}

static json_t *capacity_of(const load_findings *findings)
{
    json_t *json = json_object(), *trials = json_array();

    json_object_set_new(json, "expected", json_string(findings->options->capacity.text));
    json_object_set_new(json, "rate", real_of(findings->capacity > 0 ? findings->capacity : NAN));
    for (size_t i = 0; i < findings->trial_count; i++) {
        const load_trial *trial = &findings->trials[i];
        json_t           *entry = json_object();

        json_object_set_new(entry, "wanted_rate", real_of(trial->rate));
        json_object_set_new(entry, "rate", real_of(trial->answered));
        json_object_set_new(entry, "measured", real_of(trial->value));
        json_object_set_new(entry, "p50", real_of(trial->p50));
        json_object_set_new(entry, "p99", real_of(trial->p99));
        json_object_set_new(entry, "failed", real_of(trial->failed));
        json_object_set_new(entry, "held", json_boolean(trial->held));
        if (*trial->why)
            json_object_set_new(entry, "why", json_string(trial->why));
        json_array_append_new(trials, entry);
    }
    json_object_set_new(json, "trials", trials);
    return json;
}

static json_t *generator_of(const load_findings *findings)
{
    json_t *json = json_object();

    if (findings->plan->schedule.is_open)
        json_object_set_new(json, "lag", latency_of(&findings->result->total->lag));
    json_object_set_new(json, "cpu_per_call", real_of(findings->result->cpu_per_call));
    json_object_set_new(json, "cpu_share", real_of(findings->result->cpu_share));
    json_object_set_new(json, "first_call", real_of(findings->first_call_s));
    return json;
}

static json_t *findings_json(const load_findings *findings)
{
    const load_result *result = findings->result;
    json_t            *json = json_object();

    json_object_set_new(json, "vow_load", json_string(vow_version()));
    json_object_set_new(json, "target", json_string(findings->plan->target));
    json_object_set_new(json, "method", json_string(findings->plan->method->name));
    json_object_set_new(json, "status", json_integer(findings->verdict->status));
    json_object_set_new(json, "words", json_string(findings->verdict->words));
    json_object_set_new(json, "warning", json_string(findings->verdict->warning));
    json_object_set_new(json, "plan", plan_of(findings));
    json_object_set_new(json, "seconds", real_of(result->seconds));
    json_object_set_new(json, "calls", calls_of(result->total));
    json_object_set_new(json, "missed", count_of(result->missed));
    json_object_set_new(json, "rate", real_of(result->rate));
    json_object_set_new(json, "wanted_rate",
                        real_of(findings->plan->schedule.is_open ? result->wanted_rate : NAN));
    json_object_set_new(json, "latency", latency_of(&result->total->latency));
    json_object_set_new(json, "errors", errors_of(result->total));
    json_object_set_new(json, "expectations", expectations_of(findings));
    json_object_set_new(json, "generator", generator_of(findings));
    json_object_set_new(json, "steps", steps_of(findings));
    json_object_set_new(json, "history", moments_of(result));
    if (findings->options->finds_capacity)
        json_object_set_new(json, "capacity", capacity_of(findings));
    return json;
}

bool load_show_json(const char *path, const load_findings *findings, load_problem *problem)
{
    json_t *json = findings_json(findings);
    FILE   *file = fopen(path, "w");
    bool    is_written = file && json_dumpf(json, file, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) == 0;

    json_decref(json);
    is_written = is_written && fputc('\n', file) != EOF;
    if (file && fclose(file) != 0)
        is_written = false;
    return is_written || load_problem_set(problem, "cannot write %s: %s", path, strerror(errno));
}
