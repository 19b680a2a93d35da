#include "report.h"

#include <math.h>
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
    fprintf(file, "%-12s %-7s", "workload", "peer");
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
        double               figure = results->figures[column->figure];
        char                 text[64];

        if (isnan(figure))
            snprintf(text, sizeof text, "-");
        else if (column->decimals == 0)
            number_group(text, sizeof text, figure);
        else
            snprintf(text, sizeof text, "%.*f", column->decimals, figure);
        fprintf(file, "%*s", column->width, text);
    }
    fputc('\n', file);
}

static void weight_print(FILE *file, const bench_workload *workload, const bench_results *results,
                         const char *raised)
{
    static const char *const what[BENCH_KINDS] = {
        [BENCH_CALLS] = "call in flight",
        [BENCH_CONNECTIONS] = "idle connection",
        [BENCH_IDLE] = "stream that is idle",
        [BENCH_STALLED] = "stream that is not read",
    };
    bench_figure figure = workload->kind == BENCH_CALLS         ? BENCH_BYTES_PER_CALL
                          : workload->kind == BENCH_CONNECTIONS ? BENCH_BYTES_PER_CONNECTION
                                                                : BENCH_BYTES_PER_STREAM;

    fprintf(file, "%.0f bytes for each %s at the client, %.0f at the server", results->figures[figure],
            what[workload->kind], results->figures[figure + 1]);
    if (*raised)
        fprintf(file, " (raised: %s)", raised);
    fputc('\n', file);
}

static void beside_print(FILE *file, const bench_results *results)
{
    fprintf(file,
            "a small call takes %.1f us (p99 %.1f) alone, %.1f us (p99 %.1f) beside a stream of %.1f MB/s\n",
            results->figures[BENCH_ALONE_P50_US], results->figures[BENCH_ALONE_P99_US],
            results->figures[BENCH_P50_US], results->figures[BENCH_P99_US], results->figures[BENCH_MB_PER_S]);
}

static void setting_print(FILE *file, const bench_setting *setting, const bench_choice *choice)
{
    fprintf(
        file,
        "\nMedians of %zu round%s of %g s. MB/s: 10^6 bytes of payload, one way.\n"
        "client us, server us: processor time a call; calls/floor, cpu/floor (both sides added): ratio to "
        "the\nbare program of the same round. Of streams: messages instead of calls.\n",
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
            fprintf(file, "%-12s %-7s", workload->name, peer->name);
            if (bench_workload_is_weighed(workload))
                weight_print(file, workload, &results, bench_rounds_raised(rounds, peer, workload));
            else if (workload->kind == BENCH_BESIDE)
                beside_print(file, &results);
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
