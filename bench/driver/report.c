#include "report.h"

#include <stdbool.h>

struct column {
    const char  *title;
    bench_figure figure;
    int          width;
    int          decimals;
};

static const struct column columns[] = {
    { "calls/s", BENCH_CALLS_PER_S, 12, 0 },
    { "MB/s", BENCH_MB_PER_S, 9, 1 },
    { "p50 us", BENCH_P50_US, 9, 1 },
    { "p99 us", BENCH_P99_US, 9, 1 },
    { "client us", BENCH_CLIENT_US_PER_CALL, 11, 3 },
    { "server us", BENCH_SERVER_US_PER_CALL, 11, 3 },
    { "calls/floor", BENCH_CALLS_RATIO, 13, 3 },
    { "cpu/floor", BENCH_CPU_RATIO, 11, 2 },
};

#define COLUMN_COUNT (sizeof columns / sizeof *columns)

static void title_print(FILE *file)
{
    fprintf(file, "%-11s %-7s", "workload", "peer");
    for (size_t i = 0; i < COLUMN_COUNT; i++)
        fprintf(file, "%*s", columns[i].width, columns[i].title);
    fputc('\n', file);
}

/* "1,007,399": figures of seven digits are compared at a glance. */
static void number_group(char *text, size_t size, double number)
{
    char   digits[64];
    size_t count = (size_t)snprintf(digits, sizeof digits, "%.0f", number);
    size_t used = 0;

    for (size_t i = 0; i < count && used + 2 < size; i++) {
        if (i > 0 && (count - i) % 3 == 0)
            text[used++] = ',';
        text[used++] = digits[i];
    }
    text[used] = '\0';
}

static void figures_print(FILE *file, const bench_results *results)
{
    for (size_t i = 0; i < COLUMN_COUNT; i++) {
        const struct column *column = &columns[i];
        char                 text[64];

        if (column->decimals == 0)
            number_group(text, sizeof text, results->figures[column->figure]);
        else
            snprintf(text, sizeof text, "%.*f", column->decimals, results->figures[column->figure]);
        fprintf(file, "%*s", column->width, text);
    }
    fputc('\n', file);
}

static void memory_print(FILE *file, const bench_results *results, const char *raised)
{
    fprintf(file, "%.0f bytes for each call in flight at the client, %.0f at the server",
            results->figures[BENCH_BYTES_PER_CALL], results->figures[BENCH_SERVER_BYTES_PER_CALL]);
    if (*raised)
        fprintf(file, " (raised: %s)", raised);
    fputc('\n', file);
}

static void setting_print(FILE *file, const bench_setting *setting, const bench_choice *choice)
{
    fprintf(
        file,
        "\nMedians of %zu round%s of %g s. MB/s: 10^6 bytes of payload, one way.\n"
        "client us, server us: processor time a call; calls/floor, cpu/floor (both sides added): ratio to "
        "the\nbare echo of the same round.\n",
        choice->rounds, choice->rounds == 1 ? "" : "s", setting->seconds);
    if (setting->client_core >= 0)
        fprintf(file, "The server ran on core %d, the client on core %d.\n", setting->server_core,
                setting->client_core);
    else
        fprintf(file, "There is no core for each side here: they shared one, and waited for each other.\n");
}

void bench_report_table(FILE *file, const bench_setting *setting, const bench_choice *choice,
                        const bench_rounds *rounds)
{
    title_print(file);
    for (size_t w = 0; w < bench_workload_count; w++) {
        for (size_t p = 0; p < bench_peer_count; p++) {
            const bench_workload *workload = &bench_workloads[w];
            const bench_peer     *peer = &bench_peers[p];
            bench_results         results;

            if (!bench_choice_has(choice, peer, workload))
                continue;
            results = bench_rounds_median(rounds, peer, workload);
            fprintf(file, "%-11s %-7s", workload->name, peer->name);
            if (workload->weighed)
                memory_print(file, &results, bench_rounds_raised(rounds, peer, workload));
            else
                figures_print(file, &results);
        }
    }
    setting_print(file, setting, choice);
}

void bench_report_json(FILE *file, const bench_choice *choice, const bench_rounds *rounds)
{
    for (size_t w = 0; w < bench_workload_count; w++) {
        for (size_t p = 0; p < bench_peer_count; p++) {
            const bench_workload *workload = &bench_workloads[w];
            const bench_peer     *peer = &bench_peers[p];
            bench_results         results;

            if (!bench_choice_has(choice, peer, workload))
                continue;
            results = bench_rounds_median(rounds, peer, workload);
            fprintf(file, "{\"peer\": \"%s\", \"workload\": \"%s\"", peer->name, workload->name);
            bench_results_write(file, &results, ", \"", "\": ");
            fputs("}\n", file);
        }
    }
}
