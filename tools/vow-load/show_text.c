#include "tools/vow-load/show.h"

#include "tools/report/report.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

const struct load_percentile load_percentiles[] = {
    { "p50", 0.5 },     { "p90", 0.9 },       { "p99", 0.99 },
    { "p99.9", 0.999 }, { "p99.99", 0.9999 }, { "p99.999", 0.99999 },
};
const size_t load_percentile_count = sizeof load_percentiles / sizeof *load_percentiles;

/* Widths count letters: "µ" is two bytes. */
static int padding(const char *text, int width)
{
    for (; *text; text++)
        width += ((unsigned char)*text & 0xc0) == 0x80;
    return width;
}

static void print_right(FILE *file, int width, const char *text)
{
    fprintf(file, "%*s", padding(text, width), text);
}

static void print_seconds(FILE *file, int width, double seconds)
{
    char text[REPORT_NUMBER_SIZE];

    print_right(file, width, report_seconds(text, seconds));
}

static const char *plural(size_t count)
{
    return count == 1 ? "" : "s";
}

/* The plan */

static double seconds_of(uint64_t ns)
{
    return (double)ns / 1e9;
}

static void plan_loop(char *text, size_t size, const load_plan *plan)
{
    const load_schedule *schedule = &plan->schedule;
    size_t               first = schedule->has_warmup, last = schedule->step_count - 1;
    char                 rate[REPORT_NUMBER_SIZE], to[REPORT_NUMBER_SIZE], length[REPORT_NUMBER_SIZE];
    char                 outstanding[REPORT_NUMBER_SIZE], count[REPORT_NUMBER_SIZE];

    report_number(rate, schedule->steps[first].rate, 0);
    report_number(to, schedule->steps[last].rate, 0);
    report_seconds(length, seconds_of(schedule->begins_ns[last + 1] - schedule->begins_ns[first]));
    report_number(outstanding, (double)plan->outstanding, 0);
    report_number(count, (double)schedule->count, 0);
    if (!schedule->is_open && schedule->count)
        snprintf(text, size, "closed loop, %s outstanding, %s calls", outstanding, count);
    else if (!schedule->is_open)
        snprintf(text, size, "closed loop, %s outstanding, for %s", outstanding, length);
    else if (first == last)
        snprintf(text, size, "open loop, %s calls/s for %s", rate, length);
    else
        snprintf(text, size, "open loop, %zu rates from %s to %s calls/s, %s in all", last - first + 1, rate,
                 to, length);
}

void load_show_plan(char *text, size_t size, const load_plan *plan)
{
    char loop[200], warm_up[REPORT_NUMBER_SIZE], connections[REPORT_NUMBER_SIZE];

    plan_loop(loop, sizeof loop, plan);
    report_seconds(warm_up, seconds_of(plan->schedule.has_warmup ? plan->schedule.begins_ns[1] : 0));
    report_number(connections, (double)plan->connections, 0);
    snprintf(text, size, "%s%s%s; %s connection%s, %zu thread%s", loop,
             plan->schedule.has_warmup ? ", warm-up " : "", plan->schedule.has_warmup ? warm_up : "",
             connections, plural(plan->connections), plan->threads, plural(plan->threads));
}

/* The result */

static void text_calls(FILE *file, const load_findings *findings)
{
    const load_result *result = findings->result;
    const load_tally  *total = result->total;
    char               begun[REPORT_NUMBER_SIZE], answered[REPORT_NUMBER_SIZE], failed[REPORT_NUMBER_SIZE];
    char               other[REPORT_NUMBER_SIZE];

    fprintf(file, "calls      %s begun: %s answered, %s failed",
            report_number(begun, (double)total->begun, 0),
            report_number(answered, (double)total->answered, 0),
            report_number(failed, (double)load_tally_failed(total), 0));
    if (total->unfinished)
        fprintf(file, ", %s unfinished", report_number(other, (double)total->unfinished, 0));
    if (result->missed)
        fprintf(file, "; %s more were due and never began", report_number(other, (double)result->missed, 0));
    fputs("\n", file);
    fprintf(file, "rate       %s answered a second",
            report_number(answered, result->rate, result->rate < 10 ? 2 : 0));
    if (result->wanted_rate > 0)
        fprintf(file, ", %s wanted", report_number(other, result->wanted_rate, 0));
    fprintf(file, ", over %s", report_seconds(other, result->seconds));
    if (total->replies > 0)
        fprintf(file, "; answers of %s",
                report_bytes(other, (double)total->reply_bytes / (double)total->replies));
    if (total->answered > 0 && findings->plan->method->server_streams)
        fprintf(file, ", %.1f for each call", (double)total->replies / (double)total->answered);
    fputs("\n", file);
}

static void text_latency(FILE *file, const load_findings *findings)
{
    const stats_histogram *latency = &findings->result->total->latency;

    if (latency->count == 0)
        return;
    fprintf(file, "latency    %s\n           ",
            findings->plan->schedule.is_open ? "from the moment that a call was due"
                                             : "from the moment that a call began");
    print_right(file, 10, "mean");
    for (size_t i = 0; i < load_percentile_count; i++)
        print_right(file, 10, load_percentiles[i].name);
    print_right(file, 10, "max");
    fputs("\n           ", file);
    print_seconds(file, 10, stats_histogram_mean(latency) / 1e9);
    for (size_t i = 0; i < load_percentile_count; i++)
        print_seconds(file, 10, seconds_of(stats_histogram_quantile(latency, load_percentiles[i].share)));
    print_seconds(file, 10, seconds_of(latency->greatest));
    fputs("\n", file);
}

static void text_steps(FILE *file, const load_findings *findings)
{
    const load_schedule *schedule = &findings->plan->schedule;
    size_t               first = schedule->has_warmup;
    char                 text[REPORT_NUMBER_SIZE];

    if (schedule->step_count - first < 2)
        return;
    fprintf(file, "steps      %10s%12s%10s%10s%10s%10s\n", "wanted/s", "answered/s", "p50", "p99", "max",
            "failed");
    for (size_t s = first; s < schedule->step_count; s++) {
        const load_tally *tally = findings->result->steps[s];

        if (tally->begun == 0)
            continue;
        fprintf(file, "           %10s", report_number(text, schedule->steps[s].rate, 0));
        fprintf(file, "%12s", report_number(text, load_result_step_rate(findings->result, s), 0));
        print_seconds(file, 10, seconds_of(stats_histogram_quantile(&tally->latency, 0.5)));
        print_seconds(file, 10, seconds_of(stats_histogram_quantile(&tally->latency, 0.99)));
        print_seconds(file, 10, seconds_of(tally->latency.greatest));
        fprintf(file, "%10s\n", report_number(text, (double)load_tally_failed(tally), 0));
    }
}

static void text_generator(FILE *file, const load_findings *findings)
{
    const load_result *result = findings->result;
    char               p50[REPORT_NUMBER_SIZE], p99[REPORT_NUMBER_SIZE], cpu[REPORT_NUMBER_SIZE];
    const char        *before = "generator  ";
    bool               has_lag = findings->plan->schedule.is_open && result->total->lag.count > 0;
    bool               has_cpu = !isnan(result->cpu_per_call);
    bool               has_first = !isnan(findings->first_call_s);

    if (!has_lag && !has_cpu && !has_first)
        return;
    if (has_lag) {
        fprintf(file, "%scalls began %s (p99 %s) after they were due", before,
                report_seconds(p50, seconds_of(stats_histogram_quantile(&result->total->lag, 0.5))),
                report_seconds(p99, seconds_of(stats_histogram_quantile(&result->total->lag, 0.99))));
        before = "; ";
    }
    if (has_cpu) {
        fprintf(file, "%s%s of processor time a call, %.0f %% of a core", before,
                report_seconds(cpu, result->cpu_per_call), result->cpu_share * 100);
        before = "; ";
    }
    if (has_first)
        fprintf(file, "%sthe first call, with its connection, took %s", before,
                report_seconds(cpu, findings->first_call_s));
    fputs("\n", file);
}

static void text_errors(FILE *file, const load_findings *findings)
{
    const load_tally *total = findings->result->total;
    const char       *before = "errors     ";
    char              text[REPORT_NUMBER_SIZE];

    for (unsigned code = 0; code < LOAD_CODES; code++) {
        if (total->failed[code] == 0)
            continue;
        fprintf(file, "%s%s times %s\n", before, report_number(text, (double)total->failed[code], 0),
                total->example[code]);
        before = "           ";
    }
}

static void text_expectations(FILE *file, const load_findings *findings)
{
    const char *before = "expected   ";
    char        text[REPORT_NUMBER_SIZE];

    for (size_t i = 0; i < findings->options->expectation_count; i++) {
        const load_expectation *expectation = &findings->options->expectations[i];

        fprintf(file, "%s%-16s %s: %s\n", before, expectation->text,
                findings->verdict->holds[i] ? "held" : "MISSED",
                load_expectation_words(expectation, findings->verdict->values[i], text));
        before = "           ";
    }
}

static void text_capacity(FILE *file, const load_findings *findings)
{
    char text[REPORT_NUMBER_SIZE];

    if (!findings->options->finds_capacity)
        return;
    if (findings->capacity > 0)
        fprintf(file,
                "\ncapacity   %s calls a second: the highest rate tried at which %s held. Its figures:\n\n",
                report_number(text, findings->capacity, 0), findings->options->capacity.text);
    else
        fprintf(file, "\ncapacity   none: %s held at no rate that was tried. The figures of the last:\n\n",
                findings->options->capacity.text);
}

void load_show_text(FILE *file, const load_findings *findings)
{
    text_capacity(file, findings);
    text_calls(file, findings);
    text_latency(file, findings);
    text_steps(file, findings);
    text_generator(file, findings);
    text_errors(file, findings);
    text_expectations(file, findings);
    if (*findings->verdict->words)
        fprintf(file, "\n%s\n", findings->verdict->words);
    fflush(file);
}

/* Lines while it runs */

void load_show_moment(FILE *file, const load_moment *moment)
{
    char answered[REPORT_NUMBER_SIZE], p50[REPORT_NUMBER_SIZE], p99[REPORT_NUMBER_SIZE],
        failed[REPORT_NUMBER_SIZE];
    char outstanding[REPORT_NUMBER_SIZE];
    char when[REPORT_NUMBER_SIZE] = "warm-up";

    if (moment->length <= 0)
        return;
    if (moment->at > moment->length / 2)
        snprintf(when, sizeof when, "%.1f s", moment->at);
    /* A narrow terminal cuts the line (?7l): what went on below would stay there. */
    fprintf(file, "\r\033[K\033[?7l%8s  %s/s answered  p50 %s  p99 %s  %s outstanding", when,
            report_number(answered, moment->answered / moment->length, 0), report_seconds(p50, moment->p50),
            report_seconds(p99, moment->p99), report_number(outstanding, moment->outstanding, 0));
    if (moment->failed > 0)
        fprintf(file, "  %s/s failed", report_number(failed, moment->failed / moment->length, 0));
    fputs("\033[?7h", file);
    fflush(file);
}

void load_show_trial(FILE *file, const load_trial *trial, const load_expectation *expectation)
{
    char rate[REPORT_NUMBER_SIZE], answered[REPORT_NUMBER_SIZE], words[REPORT_NUMBER_SIZE],
        failed[REPORT_NUMBER_SIZE];

    fprintf(file, "%12s/s  %-6s  %s: %s, %s answered a second", report_number(rate, trial->rate, 0),
            trial->held ? "held" : "missed", expectation->text,
            load_expectation_words(expectation, trial->value, words),
            report_number(answered, trial->answered, 0));
    if (trial->failed > 0)
        fprintf(file, ", %s failed", report_number(failed, trial->failed, 0));
    if (*trial->why)
        fprintf(file, "; %s", trial->why);
    fputc('\n', file);
    fflush(file);
}
