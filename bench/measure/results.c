#include "results.h"

#include "fail.h"

#include <math.h>
#include <string.h>

const char *const bench_figure_names[BENCH_FIGURES] = {
    [BENCH_CALLS_PER_S] = "calls_per_s",
    [BENCH_MB_PER_S] = "mb_per_s",
    [BENCH_P50_US] = "p50_us",
    [BENCH_P90_US] = "p90_us",
    [BENCH_P99_US] = "p99_us",
    [BENCH_P999_US] = "p999_us",
    [BENCH_P9999_US] = "p9999_us",
    [BENCH_MAX_US] = "max_us",
    [BENCH_RATE_PER_S] = "rate_per_s",
    [BENCH_CLIENT_US_PER_CALL] = "client_us_per_call",
    [BENCH_SERVER_US_PER_CALL] = "server_us_per_call",
    [BENCH_CPU_US_PER_CALL] = "cpu_us_per_call",
    [BENCH_CALLS_RATIO] = "calls_ratio",
    [BENCH_CPU_RATIO] = "cpu_ratio",
    [BENCH_P50_RATIO] = "p50_ratio",
    [BENCH_P99_RATIO] = "p99_ratio",
    [BENCH_BYTES_PER_CALL] = "bytes_per_call",
    [BENCH_SERVER_BYTES_PER_CALL] = "server_bytes_per_call",
    [BENCH_BYTES_PER_STREAM] = "bytes_per_stream",
    [BENCH_SERVER_BYTES_PER_STREAM] = "server_bytes_per_stream",
    [BENCH_BYTES_PER_CONNECTION] = "bytes_per_connection",
    [BENCH_SERVER_BYTES_PER_CONNECTION] = "server_bytes_per_connection",
    [BENCH_ALONE_P50_US] = "alone_p50_us",
    [BENCH_ALONE_P99_US] = "alone_p99_us",
    [BENCH_SERVER_IDLE_BYTES] = "server_idle_bytes",
    [BENCH_SERVER_ADDED_BYTES] = "server_added_bytes",
};

bench_results bench_results_unknown(void)
{
    bench_results results;

    for (size_t i = 0; i < BENCH_FIGURES; i++)
        results.figures[i] = NAN;
    return results;
}

void bench_results_write(FILE *file, const bench_results *results, const char *before, const char *between)
{
    for (size_t i = 0; i < BENCH_FIGURES; i++) {
        if (!isnan(results->figures[i]))
            fprintf(file, "%s%s%s%.10g", before, bench_figure_names[i], between, results->figures[i]);
    }
}

void bench_results_print(const bench_results *results)
{
    bench_results_write(stdout, results, " ", "=");
    putchar('\n');
    if (fflush(stdout) != 0)
        bench_fail("cannot print the results: %m");
}

static bool name_is(const char *name, size_t size, const char *other)
{
    return strlen(other) == size && memcmp(name, other, size) == 0;
}

bool bench_results_parse(const char *line, bench_results *results)
{
    bench_results found = bench_results_unknown();
    bool          any = false;
    int           name_start, name_end, value_end;
    double        value;

    while (sscanf(line, " %n%*[a-z0-9_]%n=%lf%n", &name_start, &name_end, &value, &value_end) == 1) {
        for (size_t i = 0; i < BENCH_FIGURES; i++) {
            if (name_is(line + name_start, (size_t)(name_end - name_start), bench_figure_names[i])) {
                found.figures[i] = value;
                any = true;
            }
        }
        line += value_end;
    }
    if (!any || *line)
        return false;
    *results = found;
    return true;
}
