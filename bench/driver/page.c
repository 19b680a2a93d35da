#include "page.h"

#include "measure/fail.h"
#include "tables.h"
#include "tools/report/report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SERIES_MOST 24
#define POINTS_MOST 24
#define US 1e-6

/* A place on a plot's x axis, and the workload whose figure stands there. */
struct place {
    const char *workload;
    double      x;
};

/* A line for each peer, over places; several figures at the same places are several plots. */
struct sweep {
    const char  *title; /* after the figure's */
    report_axis  x;
    struct place places[POINTS_MOST]; /* up to one without a workload */
};

/* What is shown of a figure, in which unit. */
struct shown {
    const char  *title;
    bench_figure figure;
    double       factor; /* to the unit of the plot */
    report_axis  y;
};

static const struct shown calls = {
    "Calls a second", BENCH_CALLS_PER_S, 1, { .title = "calls a second", .scale = REPORT_LOG }
};
static const struct shown bytes = {
    "Payload a second", BENCH_MB_PER_S, 1e6, { .title = "bytes a second", .scale = REPORT_LOG }
};
static const struct shown cpu = {
    "Processor time a call",
    BENCH_CPU_US_PER_CALL,
    US,
    { .title = "both sides, a call", .scale = REPORT_LOG, .unit = REPORT_SECONDS }
};
static const struct shown p99 = {
    "p99", BENCH_P99_US, US, { .title = "p99", .scale = REPORT_LOG, .unit = REPORT_SECONDS }
};
static const struct shown calls_ratio = {
    "Calls a second, to the bare echo's", BENCH_CALLS_RATIO, 1, { .title = "ratio", .scale = REPORT_LOG }
};
static const struct shown cpu_ratio = {
    "Processor time a call, to the bare echo's", BENCH_CPU_RATIO, 1, { .title = "ratio", .scale = REPORT_LOG }
};

static const struct sweep outstanding = {
    "by calls outstanding",
    { .title = "calls outstanding", .scale = REPORT_LOG },
    { { "unary-1", 1 }, { "unary-10", 10 }, { "unary-100", 100 }, { "unary-1000", 1000 } },
};

static const struct sweep payload = {
    "by payload",
    { .title = "bytes of payload, each way", .scale = REPORT_LOG, .unit = REPORT_BYTES },
    { { "unary-100", 32 },
      { "bytes-1k", 1 << 10 },
      { "bytes-64k", 64 << 10 },
      { "bytes-1m", 1 << 20 },
      { "bytes-4m", 4 << 20 } },
};

static const struct sweep connections = {
    "by connections, a call on each",
    { .title = "connections", .scale = REPORT_LOG },
    { { "unary-1", 1 }, { "conns-100", 100 }, { "conns-1000", 1000 } },
};

/* Sections */

/* The page in the making. */
struct page {
    report              report;
    const bench_record *record;
    const char         *section; /* that comes before the next plot; NULL: it has come */
    const char         *note;    /* below its heading, or NULL */
};

/* A section in which nothing was measured does not appear. */
static void section_begin(struct page *page, const char *heading, const char *note)
{
    page->section = heading;
    page->note = note;
}

static void plot_show(struct page *page, const report_plot *plot)
{
    if (page->section)
        report_section(&page->report, page->section);
    if (page->section && page->note)
        report_paragraph(&page->report, "%s", page->note);
    page->section = NULL;
    report_plot_show(&page->report, plot);
}

/* Peers as series */

struct plotted {
    const bench_record *record;
    double              x[POINTS_MOST];
    double              y[SERIES_MOST][POINTS_MOST];
    double              low[SERIES_MOST][POINTS_MOST];
    double              high[SERIES_MOST][POINTS_MOST];
    report_series       series[SERIES_MOST];
    size_t              count; /* of series */
};

/* The values of a peer are in the next rows of y, low and high; it is no series if all are NAN. */
static void plotted_add(struct plotted *plotted, const bench_peer *peer, size_t points, bool has_interval)
{
    size_t index = plotted->count;
    bool   any = false;

    for (size_t i = 0; i < points; i++)
        any = any || !isnan(plotted->y[index][i]);
    if (!any)
        return;
    plotted->series[plotted->count++] = (report_series){
        .name = peer->name,
        .x = plotted->x,
        .y = plotted->y[index],
        .low = has_interval ? plotted->low[index] : NULL,
        .high = has_interval ? plotted->high[index] : NULL,
        .count = points,
        .is_dashed = peer == &bench_peers[BENCH_FLOOR],
    };
}

static void plotted_show(struct plotted *plotted, struct page *page, report_plot plot)
{
    plot.series = plotted->series;
    plot.series_count = plotted->count;
    if (plotted->count > 0)
        plot_show(page, &plot);
}

/* At how many places is there a value of any series? */
static size_t plotted_places(const struct plotted *plotted, size_t points)
{
    size_t count = 0;

    for (size_t i = 0; i < points; i++) {
        bool any = false;

        for (size_t s = 0; s < plotted->count; s++)
            any = any || !isnan(plotted->series[s].y[i]);
        count += any;
    }
    return count;
}

static struct plotted *plotted_new(const bench_record *record)
{
    struct plotted *plotted = bench_alloc(1, sizeof *plotted);

    plotted->record = record;
    return plotted;
}

/* Lines */

static void point_set(struct plotted *plotted, const bench_peer *peer, const char *workload, size_t point,
                      const struct shown *shown)
{
    const bench_cell *cell = bench_record_find(plotted->record, workload, peer->name);
    bench_summary     summary = { NAN, { NAN, NAN } };

    if (cell)
        summary = bench_cell_summary(cell, shown->figure);
    plotted->y[plotted->count][point] = summary.median * shown->factor;
    plotted->low[plotted->count][point] = summary.interval.low * shown->factor;
    plotted->high[plotted->count][point] = summary.interval.high * shown->factor;
}

/* Of a single place there is nothing to see along the axis: the table has it. */
static void sweep_show(struct page *page, const struct sweep *sweep, const struct shown *shown)
{
    struct plotted *plotted = plotted_new(page->record);
    char            title[128];
    size_t          points = 0;

    for (; points < POINTS_MOST && sweep->places[points].workload; points++)
        plotted->x[points] = sweep->places[points].x;
    for (size_t p = 0; p < bench_peer_count && plotted->count < SERIES_MOST; p++) {
        for (size_t i = 0; i < points; i++)
            point_set(plotted, &bench_peers[p], sweep->places[i].workload, i, shown);
        plotted_add(plotted, &bench_peers[p], points, true);
    }
    snprintf(title, sizeof title, "%s, %s", shown->title, sweep->title);
    if (plotted_places(plotted, points) > 1)
        plotted_show(plotted, page,
                     (report_plot){ .title = title, .form = REPORT_LINES, .x = sweep->x, .y = shown->y });
    free(plotted);
}

/* Latency: a curve over percentiles */

static const struct percentile {
    bench_figure figure;
    double       share;
} percentiles[] = {
    { BENCH_P50_US, 0.5 },    { BENCH_P90_US, 0.9 },      { BENCH_P99_US, 0.99 },
    { BENCH_P999_US, 0.999 }, { BENCH_P9999_US, 0.9999 },
};

#define PERCENTILE_COUNT (sizeof percentiles / sizeof *percentiles)

static void latency_show(struct page *page, const char *workload)
{
    struct plotted *plotted = plotted_new(page->record);
    char            title[192];
    size_t          used = (size_t)snprintf(title, sizeof title, "%s: ", workload);

    bench_workload_describe(bench_workload_find(workload), title + used, sizeof title - used);
    for (size_t i = 0; i < PERCENTILE_COUNT; i++)
        plotted->x[i] = percentiles[i].share;
    for (size_t p = 0; p < bench_peer_count && plotted->count < SERIES_MOST; p++) {
        for (size_t i = 0; i < PERCENTILE_COUNT; i++) {
            struct shown shown = { .figure = percentiles[i].figure, .factor = US };

            point_set(plotted, &bench_peers[p], workload, i, &shown);
        }
        plotted_add(plotted, &bench_peers[p], PERCENTILE_COUNT, true);
    }
    plotted_show(plotted, page,
                 (report_plot){ .title = title,
                                .form = REPORT_LINES,
                                .x = { .title = "percentile", .scale = REPORT_NINES, .unit = REPORT_SHARES },
                                .y = { .title = "latency", .scale = REPORT_LOG, .unit = REPORT_SECONDS } });
    free(plotted);
}

/* Bars: a group for each peer */

/* Figures of one workload side by side. */
struct bars {
    const char  *title;
    const char  *workload;
    report_axis  y;
    double       factor;
    bench_figure figures[2]; /* the second may be the first again: then there is one bar */
    const char  *names[2];
};

static const struct bars memory_bars[] = {
    { "Memory for a call in flight",
      "memory",
      { .title = "bytes", .scale = REPORT_LOG, .unit = REPORT_BYTES },
      1,
      { BENCH_BYTES_PER_CALL, BENCH_SERVER_BYTES_PER_CALL },
      { "client", "server" } },
    { "Memory for an idle connection",
      "idle-conns",
      { .title = "bytes", .scale = REPORT_LOG, .unit = REPORT_BYTES },
      1,
      { BENCH_BYTES_PER_CONNECTION, BENCH_SERVER_BYTES_PER_CONNECTION },
      { "client", "server" } },
};

static const struct bars other_bars[] = {
    { "p99 at an equal rate, 5,000 calls a second",
      "rate-5000",
      { .title = "p99", .scale = REPORT_LOG, .unit = REPORT_SECONDS },
      US,
      { BENCH_P50_US, BENCH_P99_US },
      { "p50", "p99" } },
    { "Messages of 64 bytes one way",
      "stream-64",
      { .title = "messages a second", .scale = REPORT_LOG },
      1,
      { BENCH_CALLS_PER_S, BENCH_CALLS_PER_S },
      { "messages a second" } },
    { "Messages of 256 KiB one way",
      "stream-bulk",
      { .title = "bytes a second", .scale = REPORT_LINEAR, .from_zero = true },
      1e6,
      { BENCH_MB_PER_S, BENCH_MB_PER_S },
      { "bytes a second" } },
    { "Messages there and back on one stream",
      "talk-100",
      { .title = "messages a second", .scale = REPORT_LOG },
      1,
      { BENCH_CALLS_PER_S, BENCH_CALLS_PER_S },
      { "messages a second" } },
    { "8 dependent calls over a link of 5 ms",
      "chain-8",
      { .title = "for all 8", .scale = REPORT_LINEAR, .unit = REPORT_SECONDS, .from_zero = true },
      US,
      { BENCH_P50_US, BENCH_P99_US },
      { "p50", "p99" } },
    { "Requests under h2load",
      "h2load-100",
      { .title = "requests a second", .scale = REPORT_LOG },
      1,
      { BENCH_CALLS_PER_S, BENCH_CALLS_PER_S },
      { "requests a second" } },
};

static void bars_show(struct page *page, const struct bars *bars)
{
    const char   *labels[SERIES_MOST];
    double        values[2][SERIES_MOST];
    report_series series[2];
    size_t        series_count = bars->figures[0] == bars->figures[1] ? 1 : 2;
    size_t        count = 0;

    for (size_t p = 0; p < bench_peer_count && count < SERIES_MOST; p++) {
        const bench_cell *cell = bench_record_find(page->record, bars->workload, bench_peers[p].name);

        if (!cell || cell->count == 0)
            continue;
        for (size_t s = 0; s < series_count; s++)
            values[s][count] = bench_cell_median(cell, bars->figures[s]) * bars->factor;
        labels[count++] = bench_peers[p].name;
    }
    for (size_t s = 0; s < series_count; s++)
        series[s] = (report_series){ .name = bars->names[s], .y = values[s], .count = count };
    if (count > 0)
        plot_show(page, &(report_plot){ .title = bars->title,
                                        .form = REPORT_BARS,
                                        .y = bars->y,
                                        .series = series,
                                        .series_count = series_count,
                                        .labels = labels,
                                        .label_count = count });
}

/* Tables */

static const struct {
    report_column column;
    bench_figure  figure;
    int           decimals;
} table_figures[] = {
    { { "calls/s", true }, BENCH_CALLS_PER_S, 0 },
    { { "MB/s", true }, BENCH_MB_PER_S, 1 },
    { { "p50 µs", true }, BENCH_P50_US, 1 },
    { { "p90 µs", true }, BENCH_P90_US, 1 },
    { { "p99 µs", true }, BENCH_P99_US, 1 },
    { { "p99.9 µs", true }, BENCH_P999_US, 1 },
    { { "max µs", true }, BENCH_MAX_US, 1 },
    { { "client µs", true }, BENCH_CLIENT_US_PER_CALL, 2 },
    { { "server µs", true }, BENCH_SERVER_US_PER_CALL, 2 },
    { { "calls/floor", true }, BENCH_CALLS_RATIO, 3 },
    { { "cpu/floor", true }, BENCH_CPU_RATIO, 2 },
};

static const struct {
    report_column column;
    size_t        offset; /* to the figure of the client */
} weight_figures[] = {
    { { "bytes at the client", true }, 0 },
    { { "bytes at the server", true }, 1 },
};

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))
#define COLUMNS_MOST (1 + COUNT_OF(table_figures))

/* The texts of a table, row by row. */
struct texts {
    char        texts[SERIES_MOST * COLUMNS_MOST][REPORT_NUMBER_SIZE];
    const char *cells[SERIES_MOST * COLUMNS_MOST];
    size_t      count;
};

static char *texts_next(struct texts *texts)
{
    texts->cells[texts->count] = texts->texts[texts->count];
    return texts->texts[texts->count++];
}

static void texts_add_row(struct texts *texts, const bench_cell *cell, bench_figure weight)
{
    snprintf(texts_next(texts), REPORT_NUMBER_SIZE, "%s%s", cell->peer, cell->has_failed ? " (failed)" : "");
    if (weight) {
        for (size_t i = 0; i < COUNT_OF(weight_figures); i++)
            report_number(texts_next(texts),
                          bench_cell_median(cell, weight + (bench_figure)weight_figures[i].offset), 0);
        return;
    }
    for (size_t i = 0; i < COUNT_OF(table_figures); i++)
        report_number(texts_next(texts), bench_cell_median(cell, table_figures[i].figure),
                      table_figures[i].decimals);
}

static void table_show(report *report, const bench_cell *cells, size_t count)
{
    const bench_workload *workload = bench_workload_find(cells->workload);
    bench_figure          weight = workload ? bench_kind_weight(workload->kind) : 0;
    report_column         columns[COLUMNS_MOST] = { { "", false } };
    size_t                column_count = 1;
    struct texts         *texts = bench_alloc(1, sizeof *texts);
    char                  title[192];
    size_t                rows = count < SERIES_MOST ? count : SERIES_MOST;

    for (size_t i = 0; i < COUNT_OF(weight_figures) && weight; i++)
        columns[column_count++] = weight_figures[i].column;
    for (size_t i = 0; i < COUNT_OF(table_figures) && !weight; i++)
        columns[column_count++] = table_figures[i].column;
    for (size_t i = 0; i < rows; i++)
        texts_add_row(texts, &cells[i], weight);
    snprintf(title, sizeof title, "%s: ", cells->workload);
    if (workload)
        bench_workload_describe(workload, title + strlen(title), sizeof title - strlen(title));
    report_table_show(report, &(report_table){ title, columns, column_count, texts->cells, rows });
    free(texts);
}

static void tables_show(report *report, const bench_record *record)
{
    size_t count;

    report_section(report, "All figures");
    for (size_t first = 0; first < record->cell_count; first += count) {
        count = bench_record_row(record, first);
        if (bench_cells_tell(record->cells + first, count))
            table_show(report, record->cells + first, count);
    }
}

static void facts_show(report *report, const bench_record *record)
{
    static const report_column columns[] = { { "", false }, { "", false } };
    const char                *cells[BENCH_FACTS_MOST * 2];

    for (size_t i = 0; i < record->fact_count; i++) {
        cells[i * 2] = record->facts[i].name;
        cells[i * 2 + 1] = record->facts[i].text;
    }
    report_table_show(report, &(report_table){ NULL, columns, 2, cells, record->fact_count });
}

static void changes_show(report *report, const bench_comparison *comparison, const char *path)
{
    char text[256];

    report_section(report, "What changed");
    report_paragraph(report, "Since %s, %zu of %zu figures changed beyond the noise.", path,
                     comparison->count, comparison->compared);
    for (size_t i = 0; i < comparison->count; i++) {
        const bench_change *change = &comparison->changes[i];
        bool                counts = change->is_worse && change->is_ours;

        bench_change_describe(change, text, sizeof text);
        report_paragraph(report, "%s: %s%s", change->is_worse ? "Worse" : "Better", text,
                         counts && !change->is_confirmed ? "; not so when measured again" : "");
    }
}

/* The page */

static void plots_show(struct page *page)
{
    section_begin(page, "Latency",
                  "In the open loop, calls begin at intended moments, and their latency is counted from "
                  "these; in the closed loop a call begins when another was answered.");
    latency_show(page, "unary-1");
    latency_show(page, "unary-100");
    latency_show(page, "rate-5000");
    latency_show(page, "rate-half");

    section_begin(page, "Calls outstanding", NULL);
    sweep_show(page, &outstanding, &calls);
    sweep_show(page, &outstanding, &cpu);
    sweep_show(page, &outstanding, &calls_ratio);
    sweep_show(page, &outstanding, &cpu_ratio);
    sweep_show(page, &outstanding, &p99);

    section_begin(page, "Payload", "100 calls outstanding up to 1 KiB, 4 above.");
    sweep_show(page, &payload, &bytes);
    sweep_show(page, &payload, &cpu);
    sweep_show(page, &payload, &calls_ratio);
    sweep_show(page, &payload, &cpu_ratio);

    section_begin(page, "Connections", NULL);
    sweep_show(page, &connections, &calls);
    sweep_show(page, &connections, &cpu);
    sweep_show(page, &connections, &calls_ratio);

    section_begin(page, "Equal rates, streams, chains and HTTP/2", NULL);
    for (size_t i = 0; i < COUNT_OF(other_bars); i++)
        bars_show(page, &other_bars[i]);

    section_begin(page, "Memory", NULL);
    for (size_t i = 0; i < COUNT_OF(memory_bars); i++)
        bars_show(page, &memory_bars[i]);
}

bool bench_page_write(FILE *file, const bench_record *record, const bench_comparison *comparison,
                      const char *path)
{
    struct page page = { .record = record };
    report     *report = &page.report;

    report_begin(report, file, "vow beside others");
    report_paragraph(
        report,
        "Medians of rounds of %g s; whiskers are 95 %% intervals of the median. The floor is a bare "
        "libuv echo. Processor time is that of both sides, user and system.",
        record->seconds);
    facts_show(report, record);
    if (comparison)
        changes_show(report, comparison, path);
    plots_show(&page);
    tables_show(report, record);
    return report_end(report);
}
