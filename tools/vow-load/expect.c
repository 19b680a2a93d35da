#include "tools/vow-load/expect.h"

#include "tools/report/report.h"
#include "tools/vow-load/quantity.h"

#include <ctype.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Reading */

struct named_measure {
    const char  *name;
    load_measure measure;
    load_measure of_share; /* where the bound has a %; the same: it may have none */
};

static const struct named_measure measures[] = {
    { "mean", LOAD_MEAN, LOAD_MEAN },       { "min", LOAD_MIN, LOAD_MIN },
    { "max", LOAD_MAX, LOAD_MAX },          { "errors", LOAD_ERRORS, LOAD_ERRORS_SHARE },
    { "rate", LOAD_RATE, LOAD_RATE_SHARE }, { "calls", LOAD_CALLS, LOAD_CALLS },
};

/* The longer sign first. */
static const struct {
    const char   *sign;
    load_relation relation;
} relations[] = {
    { "<=", LOAD_AT_MOST }, { ">=", LOAD_AT_LEAST }, { "==", LOAD_EQUAL },
    { "<", LOAD_BELOW },    { ">", LOAD_ABOVE },     { "=", LOAD_EQUAL },
};

static void skip_blanks(const char **text)
{
    while (isspace((unsigned char)**text))
        ++*text;
}

static bool is_latency(load_measure measure)
{
    return measure == LOAD_QUANTILE || measure == LOAD_MEAN || measure == LOAD_MIN || measure == LOAD_MAX;
}

/* Gives the entry of the table; of a percentile, one that stands for all. NULL: `problem` says why. */
static const struct named_measure *measure_read(const char **text, load_expectation *expectation,
                                                load_problem *problem)
{
    static const struct named_measure quantile = { "p", LOAD_QUANTILE, LOAD_QUANTILE };
    size_t                            length = strcspn(*text, "<>= \t");

    for (size_t i = 0; i < sizeof measures / sizeof *measures; i++) {
        if (strlen(measures[i].name) == length && strncmp(*text, measures[i].name, length) == 0) {
            *text += length;
            return &measures[i];
        }
    }
    if (**text == 'p') {
        const char *at = *text + 1;
        double      per_cent;

        if (load_read_number(&at, &per_cent) && at == *text + length && per_cent > 0 && per_cent < 100) {
            expectation->share = per_cent / 100;
            *text = at;
            return &quantile;
        }
    }
    load_problem_set(
        problem,
        "\"%.*s\" is nothing that is measured: p50 … p99.999, mean, min, max, errors, rate and calls are",
        (int)length, *text);
    return NULL;
}

static bool relation_read(const char **text, load_expectation *expectation, load_problem *problem)
{
    for (size_t i = 0; i < sizeof relations / sizeof *relations; i++) {
        size_t length = strlen(relations[i].sign);

        if (strncmp(*text, relations[i].sign, length) == 0) {
            *text += length;
            expectation->relation = relations[i].relation;
            return true;
        }
    }
    return load_problem_set(problem, "one of < <= > >= = was expected at \"%s\"", *text);
}

static bool bound_read(const char **text, const struct named_measure *named, load_expectation *expectation,
                       load_problem *problem)
{
    uint64_t ns;

    if (is_latency(named->measure)) {
        if (!load_read_duration(text, &ns))
            return load_problem_set(problem, "a duration with its unit, such as 5ms, was expected at \"%s\"",
                                    *text);
        expectation->bound = (double)ns / 1e9;
        return true;
    }
    if (!load_read_number(text, &expectation->bound))
        return load_problem_set(problem, "a number was expected at \"%s\"", *text);
    skip_blanks(text);
    if (**text == '%' && named->of_share != named->measure) {
        ++*text;
        expectation->measure = named->of_share;
        expectation->bound /= 100;
    }
    return true;
}

static bool expectation_read(load_expectation *expectation, const char *text, load_problem *problem)
{
    const struct named_measure *named;

    skip_blanks(&text);
    named = measure_read(&text, expectation, problem);
    if (!named)
        return false;
    expectation->measure = named->measure;
    skip_blanks(&text);
    if (!relation_read(&text, expectation, problem))
        return false;
    skip_blanks(&text);
    if (!bound_read(&text, named, expectation, problem))
        return false;
    skip_blanks(&text);
    return !*text || load_problem_set(problem, "it should have ended at \"%s\"", text);
}

bool load_expectation_parse(load_expectation *expectation, const char *text, load_problem *problem)
{
    load_expectation read = { .text = text };
    load_problem     why;

    if (!expectation_read(&read, text, &why))
        return load_problem_set(problem, "the expectation \"%s\": %s", text, why.text);
    *expectation = read;
    return true;
}

/* Holding */

static double measured_value(const load_expectation *expectation, const load_measured *measured)
{
    const load_tally *tally = measured->tally;
    double            failed = (double)load_tally_failed(tally);

    if (is_latency(expectation->measure) && tally->latency.count == 0)
        return NAN;
    switch (expectation->measure) {
    case LOAD_QUANTILE:
        return (double)stats_histogram_quantile(&tally->latency, expectation->share) / 1e9;
    case LOAD_MEAN:
        return stats_histogram_mean(&tally->latency) / 1e9;
    case LOAD_MIN:
        return (double)tally->latency.least / 1e9;
    case LOAD_MAX:
        return (double)tally->latency.greatest / 1e9;
    case LOAD_ERRORS:
        return failed;
    case LOAD_ERRORS_SHARE:
        return failed > 0 ? failed / (failed + (double)tally->answered) : 0;
    case LOAD_RATE:
        return measured->rate;
    case LOAD_RATE_SHARE:
        return measured->wanted_rate > 0 ? measured->rate / measured->wanted_rate : NAN;
    case LOAD_CALLS:
        return (double)tally->answered;
    }
    return NAN;
}

bool load_expectation_holds(const load_expectation *expectation, const load_measured *measured, double *value)
{
    *value = measured_value(expectation, measured);
    switch (expectation->relation) {
    case LOAD_BELOW:
        return *value < expectation->bound;
    case LOAD_AT_MOST:
        return *value <= expectation->bound;
    case LOAD_ABOVE:
        return *value > expectation->bound;
    case LOAD_AT_LEAST:
        return *value >= expectation->bound;
    case LOAD_EQUAL:
        return *value == expectation->bound;
    }
    return false;
}

char *load_expectation_words(const load_expectation *expectation, double value, char text[32])
{
    if (isnan(value))
        snprintf(text, 32, "not measured");
    else if (is_latency(expectation->measure))
        report_seconds(text, value);
    else if (expectation->measure == LOAD_ERRORS_SHARE || expectation->measure == LOAD_RATE_SHARE)
        snprintf(text, 32, "%.3g %%", value * 100);
    else
        report_number(text, value, 0);
    return text;
}
