#include "json.h"

#include <jansson.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>

#define FORMAT "vow-bench"
#define DIGITS 10

/* Writing */

/* JSON has no NAN. */
static json_t *json_of_number(double number)
{
    return isfinite(number) ? json_real(number) : json_null();
}

static json_t *json_of_figure(const bench_cell *cell, bench_figure figure)
{
    bench_summary summary = bench_cell_summary(cell, figure);
    json_t       *rounds = json_array();

    for (size_t i = 0; i < cell->count; i++)
        json_array_append_new(rounds, json_of_number(cell->rounds[i].figures[figure]));
    return json_pack("{so so so so}", "median", json_of_number(summary.median), "low",
                     json_of_number(summary.interval.low), "high", json_of_number(summary.interval.high),
                     "rounds", rounds);
}

static json_t *json_of_cell(const bench_cell *cell)
{
    json_t *figures = json_object();

    for (bench_figure figure = 0; figure < BENCH_FIGURES; figure++) {
        if (!isnan(bench_cell_median(cell, figure)))
            json_object_set_new(figures, bench_figure_names[figure], json_of_figure(cell, figure));
    }
    return json_pack("{ss ss ss sb so}", "workload", cell->workload, "peer", cell->peer, "raised",
                     cell->raised, "failed", (int)cell->has_failed, "figures", figures);
}

bool bench_json_write(FILE *file, const bench_record *record)
{
    json_t *facts = json_object();
    json_t *results = json_array();
    json_t *root;
    bool    written;

    for (size_t i = 0; i < record->fact_count; i++)
        json_object_set_new(facts, record->facts[i].name, json_string(record->facts[i].text));
    for (size_t i = 0; i < record->cell_count; i++)
        json_array_append_new(results, json_of_cell(&record->cells[i]));
    root = json_pack("{ss si sf so so}", "format", FORMAT, "version", BENCH_JSON_VERSION, "seconds",
                     record->seconds, "facts", facts, "results", results);
    written = root && json_dumpf(root, file, JSON_INDENT(1) | JSON_REAL_PRECISION(DIGITS)) == 0 &&
              fputc('\n', file) != EOF;
    json_decref(root);
    return written;
}

/* Reading */

struct reader {
    char  *problem;
    size_t size;
};

static bool reader_fail(const struct reader *reader, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static bool reader_fail(const struct reader *reader, const char *format, ...)
{
    va_list values;

    va_start(values, format);
    vsnprintf(reader->problem, reader->size, format, values);
    va_end(values);
    return false;
}

/* -1: this version has no such figure. */
static int figure_find(const char *name)
{
    for (int i = 0; i < BENCH_FIGURES; i++) {
        if (strcmp(bench_figure_names[i], name) == 0)
            return i;
    }
    return -1;
}

/* A figure of this version's, whose rounds are as many as the cell's; the first one says how many those are.
 */
static bool read_figure(const struct reader *reader, bench_cell *cell, int figure, const json_t *json)
{
    const json_t *rounds = json_object_get(json, "rounds");
    size_t        count = json_array_size(rounds);

    if (!json_is_array(rounds) || count > BENCH_ROUNDS_MOST || (cell->count && count != cell->count))
        return reader_fail(reader, "%s of %s on %s has no rounds, or not as many as others",
                           bench_figure_names[figure], cell->peer, cell->workload);
    while (cell->count < count) {
        bench_results unknown = bench_results_unknown();

        bench_cell_add(cell, &unknown);
    }
    for (size_t i = 0; i < count; i++) {
        const json_t *value = json_array_get(rounds, i);

        if (!json_is_number(value) && !json_is_null(value))
            return reader_fail(reader, "%s of %s on %s has a round that is no number",
                               bench_figure_names[figure], cell->peer, cell->workload);
        if (json_is_number(value))
            cell->rounds[i].figures[figure] = json_number_value(value);
    }
    return true;
}

static bool read_cell(const struct reader *reader, bench_record *record, json_t *json)
{
    const char *workload, *peer, *raised = "", *name;
    int         failed = 0;
    json_t     *figures, *value;
    bench_cell *cell;

    if (json_unpack(json, "{ss ss s?s s?b so}", "workload", &workload, "peer", &peer, "raised", &raised,
                    "failed", &failed, "figures", &figures) != 0 ||
        !json_is_object(figures))
        return reader_fail(reader, "one of its results lacks workload, peer or figures");
    cell = bench_record_add(record, workload, peer);
    snprintf(cell->raised, sizeof cell->raised, "%s", raised);
    cell->has_failed = failed;
    json_object_foreach(figures, name, value)
    {
        int figure = figure_find(name);

        if (figure >= 0 && !read_figure(reader, cell, figure, value))
            return false;
    }
    return true;
}

static bool read_root(const struct reader *reader, bench_record *record, json_t *root)
{
    const char *format, *name;
    int         version;
    json_t     *facts, *results, *value;
    size_t      i;

    if (json_unpack(root, "{ss si}", "format", &format, "version", &version) != 0 ||
        strcmp(format, FORMAT) != 0)
        return reader_fail(reader, "it is not the JSON of a benchmark");
    if (version != BENCH_JSON_VERSION)
        return reader_fail(reader, "it has version %d of the format, this program reads version %d", version,
                           BENCH_JSON_VERSION);
    if (json_unpack(root, "{sF so so}", "seconds", &record->seconds, "facts", &facts, "results", &results) !=
            0 ||
        !json_is_object(facts) || !json_is_array(results))
        return reader_fail(reader, "it lacks seconds, facts or results");
    json_object_foreach(facts, name, value)
        bench_record_tell(record, name, "%s", json_is_string(value) ? json_string_value(value) : "");
    json_array_foreach(results, i, value)
    {
        if (!read_cell(reader, record, value))
            return false;
    }
    return true;
}

bool bench_json_read(const char *path, bench_record *record, char *problem, size_t size)
{
    struct reader reader = { problem, size };
    json_error_t  error;
    json_t       *root = json_load_file(path, 0, &error);
    bool          read;

    /* jansson names the file itself when it can't be opened. */
    if (!root && error.line < 0)
        return reader_fail(&reader, "%s", error.text);
    if (!root)
        return reader_fail(&reader, "line %d: %s", error.line, error.text);
    read = read_root(&reader, record, root);
    json_decref(root);
    return read;
}
