#include "process.h"

#include "fail.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

uint64_t bench_process_cpu_ns(pid_t pid)
{
    clockid_t       clock;
    struct timespec time;
    int             problem = clock_getcpuclockid(pid, &clock);

    if (problem)
        bench_fail("cannot read the processor time of process %d: %s", (int)pid, strerror(problem));
    if (clock_gettime(clock, &time))
        bench_fail("cannot read the processor time of process %d: it has gone", (int)pid);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

uint64_t bench_process_anon_bytes(pid_t pid)
{
    char     path[64] = "/proc/self/status";
    char     line[256];
    uint64_t kib = 0;
    FILE    *file;

    if (pid)
        snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    file = fopen(path, "r");
    if (!file)
        bench_fail("cannot read %s: %m", path);
    while (!kib && fgets(line, sizeof line, file))
        sscanf(line, "RssAnon: %" SCNu64 " kB", &kib);
    fclose(file);
    if (!kib)
        bench_fail("%s tells no RssAnon: a Linux of 4.5 or later is needed", path);
    return kib << 10;
}
