#include "table.h"

#include "tables.h"
#include "tools/report/report.h"

#include <math.h>
#include <string.h>

#define LINE_SIZE 256
#define LARGE 10000 /* decimals of more than that say nothing */

struct column {
    const char  *title;
    bench_figure figure;
    int          width;
    int          decimals;
};

/* The names take 16; all is at most 100. */
static const struct column columns[] = {
    { "calls/s", BENCH_CALLS_PER_S, 11, 0 },
    { "MB/s", BENCH_MB_PER_S, 7, 0 },
    { "p50 us", BENCH_P50_US, 9, 1 },
    { "p99 us", BENCH_P99_US, 9, 1 },
    { "p99.9", BENCH_P999_US, 9, 0 },
    { "client us", BENCH_CLIENT_US_PER_CALL, 10, 2 },
    { "server us", BENCH_SERVER_US_PER_CALL, 10, 2 },
    { "calls/fl", BENCH_CALLS_RATIO, 9, 3 },
    { "cpu/fl", BENCH_CPU_RATIO, 7, 2 },
};

#define COLUMN_COUNT (sizeof columns / sizeof *columns)

static void facts_print(FILE *file, const bench_record *record)
{
    for (size_t i = 0; i < record->fact_count; i++)
        fprintf(file, "%-26s %s\n", record->facts[i].name, record->facts[i].text);
}

static void title_print(FILE *file, const bench_cell *cell)
{
    const bench_workload *workload = bench_workload_find(cell->workload);
    char                  description[LINE_SIZE] = "";

    if (workload)
        bench_workload_describe(workload, description, sizeof description);
    fprintf(file, "\n%s: %s\n", cell->workload, description);
    if (workload && bench_workload_is_weighed(workload))
        return;
    fprintf(file, "%-16s", "");
    for (size_t i = 0; i < COLUMN_COUNT; i++)
        fprintf(file, "%*s", columns[i].width, columns[i].title);
    fputc('\n', file);
}

static void figures_print(FILE *file, const bench_cell *cell)
{
    for (size_t i = 0; i < COLUMN_COUNT; i++) {
        const struct column *column = &columns[i];
        double               figure = bench_cell_median(cell, column->figure);
        int                  decimals = figure < LARGE ? column->decimals : 0;
        char                 text[REPORT_NUMBER_SIZE];

        fprintf(file, "%*s", column->width, report_number(text, figure, decimals));
    }
    fputc('\n', file);
}

static void weight_print(FILE *file, const bench_cell *cell, bench_kind kind)
{
    bench_figure figure = bench_kind_weight(kind);
    char         client[REPORT_NUMBER_SIZE], server[REPORT_NUMBER_SIZE];

    fprintf(file, "%11s bytes at the client, %9s at the server\n",
            report_number(client, bench_cell_median(cell, figure), 0),
            report_number(server, bench_cell_median(cell, figure + 1), 0));
    if (*cell->raised)
        fprintf(file, "%-16s  raised: %s\n", "", cell->raised);
}

static void alone_print(FILE *file, const bench_cell *cell)
{
    if (!isnan(bench_cell_median(cell, BENCH_ALONE_P50_US)))
        fprintf(file, "%-16s  alone: p50 %.1f us, p99 %.1f us\n", "",
                bench_cell_median(cell, BENCH_ALONE_P50_US), bench_cell_median(cell, BENCH_ALONE_P99_US));
}

static void server_memory_print(FILE *file, const bench_cell *cell)
{
    double idle = bench_cell_median(cell, BENCH_SERVER_IDLE_BYTES);
    char   idle_kib[REPORT_NUMBER_SIZE], added_kib[REPORT_NUMBER_SIZE];

    if (isnan(idle))
        return;
    fprintf(file, "%-16s  server: %s KiB resident when idle, %s KiB of anonymous memory added\n", "",
            report_number(idle_kib, idle / 1024, 0),
            report_number(added_kib, bench_cell_median(cell, BENCH_SERVER_ADDED_BYTES) / 1024, 0));
}

static void cell_print(FILE *file, const bench_cell *cell)
{
    const bench_workload *workload = bench_workload_find(cell->workload);

    fprintf(file, "%-16s", cell->peer);
    if (cell->count == 0) {
        fprintf(file, "  %s\n", cell->has_failed ? "failed" : "not measured");
        return;
    }
    if (workload && bench_workload_is_weighed(workload))
        weight_print(file, cell, workload->kind);
    else
        figures_print(file, cell);
    alone_print(file, cell);
    server_memory_print(file, cell);
    if (cell->has_failed)
        fprintf(file, "%-16s  failed after %zu round%s\n", "", cell->count, cell->count == 1 ? "" : "s");
}

void bench_table_print(FILE *file, const bench_record *record)
{
    const char *workload = "";

    for (size_t i = 0; i < record->cell_count; i++) {
        const bench_cell *cell = &record->cells[i];

        if (strcmp(workload, cell->workload) != 0)
            title_print(file, cell);
        workload = cell->workload;
        cell_print(file, cell);
    }
    fprintf(
        file,
        "\nMedians of rounds of %g s. MB/s: 10^6 bytes of payload, one way. client us, server us: processor\n"
        "time a call; calls/fl, cpu/fl (both sides added): ratio to the floor, the bare program, in the "
        "same\n"
        "round. Of streams: messages instead of calls.\n\n",
        record->seconds);
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
