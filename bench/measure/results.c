#include "results.h"

#include <stdio.h>

void bench_results_print(const bench_results *results)
{
    printf("calls_per_s=%.1f mb_per_s=%.3f p50_us=%.2f p99_us=%.2f client_us_per_call=%.4f "
           "server_us_per_call=%.4f\n",
           results->calls_per_s, results->mb_per_s, results->p50_us, results->p99_us,
           results->client_us_per_call, results->server_us_per_call);
}

bool bench_results_parse(const char *line, bench_results *results)
{
    bench_results found;
    int           fields = sscanf(line,
                                  "calls_per_s=%lf mb_per_s=%lf p50_us=%lf p99_us=%lf client_us_per_call=%lf "
                                            "server_us_per_call=%lf",
                                  &found.calls_per_s, &found.mb_per_s, &found.p50_us, &found.p99_us,
                                  &found.client_us_per_call, &found.server_us_per_call);

    if (fields != 6)
        return false;
    *results = found;
    return true;
}

void bench_memory_results_print(const bench_memory_results *results)
{
    printf("bytes_per_call=%.1f server_bytes_per_call=%.1f\n", results->bytes_per_call,
           results->server_bytes_per_call);
}

bool bench_memory_results_parse(const char *line, bench_memory_results *results)
{
    bench_memory_results found;

    if (sscanf(line, "bytes_per_call=%lf server_bytes_per_call=%lf", &found.bytes_per_call,
               &found.server_bytes_per_call) != 2)
        return false;
    *results = found;
    return true;
}
