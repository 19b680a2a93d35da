#include "tools/vow-load/show.h"

#include "tools/report/report.h"
#include "tools/vow-load/buffer.h"

#include <vow/version.h>

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Of the percentile curve: so many points for each further nine. */
#define POINTS_PER_NINE 20
#define POINTS_MAX (7 * POINTS_PER_NINE)

static const report_axis time_axis = { .title = "seconds since measuring began", .unit = REPORT_NUMBERS };
static const report_axis latency_axis = { .title = "latency", .scale = REPORT_LOG, .unit = REPORT_SECONDS };
static const report_axis rate_axis = { .title = "calls a second", .unit = REPORT_NUMBERS, .from_zero = true };

static double seconds_of(uint64_t ns)
{
    return (double)ns / 1e9;
}

/* What was measured, as the terminal has it */

static void show_summary(report *report, const load_findings *findings)
{
    char  *text = NULL;
    size_t size;
    FILE  *file = open_memstream(&text, &size);
    char   plan[300];

    load_show_plan(plan, sizeof plan, findings->plan);
    report_paragraph(report, "%s of %s: %s.", findings->plan->method->name, findings->plan->target, plan);
    if (!file)
        return;
    load_show_text(file, findings);
    fclose(file);
    report_preformatted(report, text);
    free(text);
    if (*findings->verdict->warning)
        report_paragraph(report, "Warning: %s.", findings->verdict->warning);
}

/* Latency */

static void show_percentiles(report *report, const load_result *result)
{
    static double          shares[POINTS_MAX], latencies[POINTS_MAX];
    const stats_histogram *latency = &result->total->latency;
    size_t                 count = 0;

    /* As far as there is one call beyond: what lies behind is drawn from nothing. */
    for (size_t i = 0; i < POINTS_MAX && latency->count > 0; i++) {
        double beyond = pow(10, -(double)i / POINTS_PER_NINE);

        if (i > 0 && beyond * (double)latency->count < 1)
            break;
        shares[count] = 1 - beyond;
        latencies[count++] = seconds_of(stats_histogram_quantile(latency, 1 - beyond));
    }
    report_plot_show(
        report,
        &(report_plot){
            .title = "Latency by percentile: so many calls were answered within it",
            .x = { .title = "share of the calls", .scale = REPORT_NINES, .unit = REPORT_SHARES },
            .y = latency_axis,
            .series = &(report_series){ .name = "latency", .x = shares, .y = latencies, .count = count },
            .series_count = 1,
        });
}

/* Over time */

enum { AT, BEGUN, ANSWERED, FAILED, P50, P99, MOST, OUTSTANDING, COLUMNS };

static void show_history(report *report, const load_result *result)
{
    size_t                   count = result->moment_count;
    double                  *values = load_alloc(count * COLUMNS, sizeof *values);
    double                  *column[COLUMNS];
    report_series            series[COLUMNS];
    static const char *const names[COLUMNS] = { "",    "begun", "answered", "failed",
                                                "p50", "p99",   "max",      "outstanding" };

    for (size_t c = 0; c < COLUMNS; c++) {
        column[c] = values + c * count;
        series[c] = (report_series){ .name = names[c], .x = column[AT], .y = column[c], .count = count };
    }
    series[BEGUN].is_dashed = true;
    for (size_t i = 0; i < count; i++) {
        const load_moment *moment = &result->moments[i];

        column[AT][i] = moment->at;
        column[BEGUN][i] = moment->begun / moment->length;
        column[ANSWERED][i] = moment->answered / moment->length;
        column[FAILED][i] = moment->failed / moment->length;
        column[P50][i] = moment->p50;
        column[P99][i] = moment->p99;
        column[MOST][i] = moment->max;
        column[OUTSTANDING][i] = moment->outstanding;
    }
    report_plot_show(report, &(report_plot){ .title = "Calls a second over time",
                                             .x = time_axis,
                                             .y = rate_axis,
                                             .series = &series[BEGUN],
                                             .series_count = 3 });
    report_plot_show(report, &(report_plot){ .title = "Latency over time",
                                             .x = time_axis,
                                             .y = latency_axis,
                                             .series = &series[P50],
                                             .series_count = 3 });
    report_plot_show(report, &(report_plot){ .title = "Calls outstanding over time",
                                             .x = time_axis,
                                             .y = { .title = "calls", .from_zero = true },
                                             .series = &series[OUTSTANDING],
                                             .series_count = 1 });
    free(values);
}

/* By rate: the steps of a schedule, or of a search */

static void show_by_rate(report *report, const double *rates, const double *p50, const double *p99,
                         const double *answered, size_t count)
{
    const report_axis   wanted = { .title = "calls a second that were wanted", .unit = REPORT_NUMBERS };
    const report_series latencies[] = { { .name = "p50", .x = rates, .y = p50, .count = count },
                                        { .name = "p99", .x = rates, .y = p99, .count = count } };
    const report_series reached[] = {
        { .name = "answered", .x = rates, .y = answered, .count = count },
        { .name = "wanted", .x = rates, .y = rates, .count = count, .is_dashed = true }
    };

    report_plot_show(report, &(report_plot){ .title = "Latency by rate",
                                             .x = wanted,
                                             .y = latency_axis,
                                             .series = latencies,
                                             .series_count = 2 });
    report_plot_show(
        report,
        &(report_plot){
            .title = "Answers by rate", .x = wanted, .y = rate_axis, .series = reached, .series_count = 2 });
}

static void show_steps(report *report, const load_findings *findings)
{
    const load_schedule *schedule = &findings->plan->schedule;
    double rates[LOAD_STEPS_MAX], p50[LOAD_STEPS_MAX], p99[LOAD_STEPS_MAX], answered[LOAD_STEPS_MAX];
    size_t count = 0;

    for (size_t s = schedule->has_warmup; s < schedule->step_count; s++) {
        const load_tally *tally = findings->result->steps[s];

        if (tally->latency.count == 0)
            continue;
        rates[count] = schedule->steps[s].rate;
        p50[count] = seconds_of(stats_histogram_quantile(&tally->latency, 0.5));
        p99[count] = seconds_of(stats_histogram_quantile(&tally->latency, 0.99));
        answered[count++] = load_result_step_rate(findings->result, s);
    }
    if (count > 1)
        show_by_rate(report, rates, p50, p99, answered, count);
}

static int trial_compare(const void *a, const void *b)
{
    double left = ((const load_trial *)a)->rate, right = ((const load_trial *)b)->rate;

    return (left > right) - (left < right);
}

/* A search jumps; the plot goes from the lowest rate to the highest. */
static void show_search(report *report, const load_findings *findings)
{
    load_trial trials[LOAD_TRIALS_MAX];
    double     rates[LOAD_TRIALS_MAX], p50[LOAD_TRIALS_MAX], p99[LOAD_TRIALS_MAX], answered[LOAD_TRIALS_MAX];
    size_t     count = findings->trial_count;

    if (count == 0)
        return;
    memcpy(trials, findings->trials, count * sizeof *trials);
    qsort(trials, count, sizeof *trials, trial_compare);
    for (size_t i = 0; i < count; i++) {
        rates[i] = trials[i].rate;
        p50[i] = trials[i].p50;
        p99[i] = trials[i].p99;
        answered[i] = trials[i].answered;
    }
    show_by_rate(report, rates, p50, p99, answered, count);
}

/* Tables */

static void show_errors(report *report, const load_tally *total)
{
    static const report_column columns[] = { { "code", false },
                                             { "calls", true },
                                             { "the first one", false } };
    const char                *cells[LOAD_CODES * 3];
    char                       counts[LOAD_CODES][REPORT_NUMBER_SIZE];
    size_t                     rows = 0;

    for (unsigned code = 0; code < LOAD_CODES; code++) {
        if (total->failed[code] == 0)
            continue;
        cells[rows * 3] = vow_code_name((vow_code)code);
        cells[rows * 3 + 1] = report_number(counts[rows], (double)total->failed[code], 0);
        cells[rows * 3 + 2] = total->example[code];
        rows++;
    }
    if (rows == 0)
        return;
    report_section(report, "Calls that failed");
    report_table_show(
        report, &(report_table){ .columns = columns, .column_count = 3, .cells = cells, .row_count = rows });
}

static void show_expectations(report *report, const load_findings *findings)
{
    static const report_column columns[] = { { "expected", false }, { "measured", true }, { "", false } };
    const char                *cells[LOAD_EXPECTATIONS_MAX * 3];
    char                       measured[LOAD_EXPECTATIONS_MAX][REPORT_NUMBER_SIZE];
    size_t                     rows = findings->options->expectation_count;

    if (rows == 0)
        return;
    for (size_t i = 0; i < rows; i++) {
        cells[i * 3] = findings->options->expectations[i].text;
        cells[i * 3 + 1] = load_expectation_words(&findings->options->expectations[i],
                                                  findings->verdict->values[i], measured[i]);
        cells[i * 3 + 2] = findings->verdict->holds[i] ? "held" : "missed";
    }
    report_section(report, "Expectations");
    report_table_show(
        report, &(report_table){ .columns = columns, .column_count = 3, .cells = cells, .row_count = rows });
}

/* The page */

static bool show_page(FILE *file, const load_findings *findings)
{
    report report;
    char   title[300];

    snprintf(title, sizeof title, "Load of %s", findings->plan->method->name);
    report_begin(&report, file, title);
    show_summary(&report, findings);
    show_expectations(&report, findings);
    if (findings->options->finds_capacity) {
        report_section(&report, "Search for the capacity");
        show_search(&report, findings);
    }
    report_section(&report, "Latency");
    show_percentiles(&report, findings->result);
    show_steps(&report, findings);
    report_section(&report, "Over time");
    show_history(&report, findings->result);
    show_errors(&report, findings->result->total);
    report_paragraph(&report, "vow-load %s", vow_version());
    return report_end(&report);
}

bool load_show_html(const char *path, const load_findings *findings, load_problem *problem)
{
    FILE *file = fopen(path, "w");
    bool  is_written = file && show_page(file, findings);

    if (file && fclose(file) != 0)
        is_written = false;
    return is_written || load_problem_set(problem, "cannot write %s: %s", path, strerror(errno));
}
