#include "table.h"

#include "tables.h"
#include "tools/report/report.h"

#include <math.h>
#include <string.h>

#define LINE_SIZE 256
#define LARGE 10000 /* decimals of more than that say nothing */
#define NAME_WIDTH 16
#define SPREAD_WIDTH 5
#define PAYLOAD_LEAST 1024 /* of less, bytes a second say nothing that calls do not */

struct column {
    const char  *title;
    bench_figure figure;
    int          width;
    int          decimals;
    bool         has_spread; /* where there are rounds enough */
    int          spare;      /* the higher, the sooner it is left out where there is no room; 0: never */
};

static const struct column columns[] = {
    { "calls/s", BENCH_CALLS_PER_S, 10, 0, true, 0 },
    { "MB/s", BENCH_MB_PER_S, 7, 0, false, 1 },
    { "p50 us", BENCH_P50_US, 9, 1, false, 0 },
    { "p99 us", BENCH_P99_US, 9, 1, true, 0 },
    { "p99.9", BENCH_P999_US, 9, 0, false, 4 },
    { "client us", BENCH_CLIENT_US_PER_CALL, 10, 2, false, 3 },
    { "server us", BENCH_SERVER_US_PER_CALL, 10, 2, false, 2 },
    { "calls/fl", BENCH_CALLS_RATIO, 9, 3, true, 0 },
    { "cpu/fl", BENCH_CPU_RATIO, 7, 2, true, 0 },
};

#define COLUMN_COUNT (sizeof columns / sizeof *columns)

/* The columns of a workload's table. */
struct layout {
    bool has[COLUMN_COUNT];
    bool has_spread;
};

static int layout_width(const struct layout *layout)
{
    int width = NAME_WIDTH;

    for (size_t c = 0; c < COLUMN_COUNT; c++) {
        if (layout->has[c])
            width += columns[c].width + (layout->has_spread && columns[c].has_spread ? SPREAD_WIDTH : 0);
    }
    return width;
}

/* Leaves out what can be spared most. False: all that there is is needed. */
static bool layout_shrink(struct layout *layout)
{
    size_t spared = COLUMN_COUNT;

    for (size_t c = 0; c < COLUMN_COUNT; c++) {
        if (layout->has[c] && columns[c].spare > 0 &&
            (spared == COLUMN_COUNT || columns[c].spare > columns[spared].spare))
            spared = c;
    }
    if (spared == COLUMN_COUNT)
        return false;
    layout->has[spared] = false;
    return true;
}

/* A figure that no cell has takes no column. */
static struct layout layout_of(const bench_cell *cells, size_t count, size_t width)
{
    const bench_workload *workload = bench_workload_find(cells->workload);
    struct layout         layout = { .has_spread = false };

    for (size_t i = 0; i < count; i++) {
        layout.has_spread = layout.has_spread || cells[i].count > 1;
        for (size_t c = 0; c < COLUMN_COUNT; c++)
            layout.has[c] = layout.has[c] || !isnan(bench_cell_median(&cells[i], columns[c].figure));
    }
    for (size_t c = 0; c < COLUMN_COUNT && workload && workload->size < PAYLOAD_LEAST; c++)
        layout.has[c] = layout.has[c] && columns[c].figure != BENCH_MB_PER_S;
    while ((size_t)layout_width(&layout) > width && layout_shrink(&layout))
        continue;
    return layout;
}

/* How far the farther end of the median's interval is from it; "" where that is not known. */
static const char *spread(char text[REPORT_NUMBER_SIZE], const bench_cell *cell, bench_figure figure)
{
    bench_summary summary = bench_cell_summary(cell, figure);
    double        percent = 100 *
                     fmax(summary.interval.high - summary.median, summary.median - summary.interval.low) /
                     summary.median;

    if (isnan(summary.interval.low) || isnan(percent))
        snprintf(text, REPORT_NUMBER_SIZE, "%s", "");
    else if (percent > 99)
        snprintf(text, REPORT_NUMBER_SIZE, ">99%%");
    else
        snprintf(text, REPORT_NUMBER_SIZE, "±%.0f%%", percent);
    return text;
}

/* "±" is two bytes. */
static int spread_width(const char *text)
{
    return SPREAD_WIDTH + (strncmp(text, "±", strlen("±")) == 0);
}

static void facts_print(FILE *file, const bench_record *record)
{
    for (size_t i = 0; i < record->fact_count; i++)
        fprintf(file, "%-26s %s\n", record->facts[i].name, record->facts[i].text);
}

static void title_print(FILE *file, const bench_cell *cell, const struct layout *layout)
{
    const bench_workload *workload = bench_workload_find(cell->workload);
    char                  description[LINE_SIZE] = "";

    if (workload)
        bench_workload_describe(workload, description, sizeof description);
    fprintf(file, "\n%s: %s\n", cell->workload, description);
    if ((workload && bench_workload_is_weighed(workload)) || layout_width(layout) == NAME_WIDTH)
        return;
    fprintf(file, "%-*s", NAME_WIDTH, "");
    for (size_t c = 0; c < COLUMN_COUNT; c++) {
        if (!layout->has[c])
            continue;
        fprintf(file, "%*s", columns[c].width, columns[c].title);
        if (layout->has_spread && columns[c].has_spread)
            fprintf(file, "%*s", spread_width("±"), "±");
    }
    fputc('\n', file);
}

static void figures_print(FILE *file, const bench_cell *cell, const struct layout *layout)
{
    for (size_t c = 0; c < COLUMN_COUNT; c++) {
        const struct column *column = &columns[c];
        double               figure = bench_cell_median(cell, column->figure);
        int                  decimals = figure < LARGE ? column->decimals : 0;
        char                 text[REPORT_NUMBER_SIZE];

        if (!layout->has[c])
            continue;
        fprintf(file, "%*s", column->width, report_number(text, figure, decimals));
        if (layout->has_spread && column->has_spread)
            fprintf(file, "%*s", spread_width(spread(text, cell, column->figure)), text);
    }
    fputc('\n', file);
}

static void bytes_print(FILE *file, const char *where, const bench_cell *cell, bench_figure figure)
{
    char text[REPORT_NUMBER_SIZE];

    fprintf(file, "%s %9s bytes", where, report_number(text, bench_cell_median(cell, figure), 0));
    if (*spread(text, cell, figure))
        fprintf(file, " %s", text);
}

static void weight_print(FILE *file, const bench_cell *cell, bench_kind kind)
{
    bench_figure figure = bench_kind_weight(kind);

    bytes_print(file, "client", cell, figure);
    bytes_print(file, ", server", cell, figure + 1);
    fputc('\n', file);
    if (*cell->raised)
        fprintf(file, "%-*s  raised: %s\n", NAME_WIDTH, "", cell->raised);
}

static void alone_print(FILE *file, const bench_cell *cell)
{
    if (!isnan(bench_cell_median(cell, BENCH_ALONE_P50_US)))
        fprintf(file, "%-*s  alone: p50 %.1f us, p99 %.1f us\n", NAME_WIDTH, "",
                bench_cell_median(cell, BENCH_ALONE_P50_US), bench_cell_median(cell, BENCH_ALONE_P99_US));
}

static void server_memory_print(FILE *file, const bench_cell *cell)
{
    double idle = bench_cell_median(cell, BENCH_SERVER_IDLE_BYTES);
    char   idle_kib[REPORT_NUMBER_SIZE], added_kib[REPORT_NUMBER_SIZE];

    if (isnan(idle))
        return;
    fprintf(file, "%-*s  server: %s KiB resident when idle, %s KiB of anonymous memory added\n", NAME_WIDTH,
            "", report_number(idle_kib, idle / 1024, 0),
            report_number(added_kib, bench_cell_median(cell, BENCH_SERVER_ADDED_BYTES) / 1024, 0));
}

static void cell_print(FILE *file, const bench_cell *cell, const struct layout *layout)
{
    const bench_workload *workload = bench_workload_find(cell->workload);

    fprintf(file, "%-*s", NAME_WIDTH, cell->peer);
    if (cell->count == 0) {
        fprintf(file, "  %s\n", cell->has_failed ? "failed" : "not measured");
        return;
    }
    if (workload && bench_workload_is_weighed(workload))
        weight_print(file, cell, workload->kind);
    else
        figures_print(file, cell, layout);
    alone_print(file, cell);
    server_memory_print(file, cell);
    if (cell->has_failed)
        fprintf(file, "%-*s  failed after %zu round%s\n", NAME_WIDTH, "", cell->count,
                cell->count == 1 ? "" : "s");
}

static void workload_print(FILE *file, const bench_cell *cells, size_t count, size_t width)
{
    struct layout layout = layout_of(cells, count, width);

    title_print(file, cells, &layout);
    for (size_t i = 0; i < count; i++)
        cell_print(file, &cells[i], &layout);
}

void bench_table_print(FILE *file, const bench_record *record, size_t width)
{
    size_t count, untold = 0;
    bool   has_spread = false;

    for (size_t i = 0; i < record->cell_count; i++)
        has_spread = has_spread || record->cells[i].count > 1;
    for (size_t first = 0; first < record->cell_count; first += count) {
        count = bench_record_row(record, first);
        if (bench_cells_tell(record->cells + first, count))
            workload_print(file, record->cells + first, count, width);
        else
            untold++;
    }
    if (untold)
        fprintf(file, "\n%zu further workload%s: not measured\n", untold, untold == 1 ? "" : "s");
    fprintf(file,
            "\nMedians of rounds of %g s%s.\n"
            "MB/s: 10^6 bytes of payload, one way. client us, server us: processor time a\n"
            "call; calls/fl, cpu/fl (both sides added): ratio to the floor, the bare program,\n"
            "in the same round. Of streams: messages instead of calls.\n\n",
            record->seconds, has_spread ? "; ±: the farther end of a median's 95% interval" : "");
    facts_print(file, record);
}

static void changes_print(FILE *file, const bench_comparison *comparison, const char *title, bool is_worse,
                          bool is_ours)
{
    char text[LINE_SIZE];
    bool any = false;

    for (size_t i = 0; i < comparison->count; i++) {
        const bench_change *change = &comparison->changes[i];

        if (change->is_worse != is_worse || change->is_ours != is_ours)
            continue;
        if (!any)
            fprintf(file, "%s:\n", title);
        any = true;
        bench_change_describe(change, text, sizeof text);
        fprintf(file, "  %s%s\n", text,
                is_worse && is_ours && !change->is_confirmed ? "; not so when measured again" : "");
    }
}

void bench_table_print_changes(FILE *file, const bench_comparison *comparison, const char *path)
{
    fprintf(file, "\nSince %s: %zu of %zu figures changed beyond the noise\n", path, comparison->count,
            comparison->compared);
    if (comparison->unknown)
        fprintf(file, "%zu have too few rounds to tell: 2 at least are needed in both\n",
                comparison->unknown);
    changes_print(file, comparison, "vow is worse", true, true);
    changes_print(file, comparison, "vow is better", false, true);
    changes_print(file, comparison, "Others are worse", true, false);
    changes_print(file, comparison, "Others are better", false, false);
}
