#include "process.h"

#include "fail.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
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

/* A line of /proc/PID/status: `name` with its colon. */
static uint64_t process_status_bytes(pid_t pid, const char *name)
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
    while (!kib && fgets(line, sizeof line, file)) {
        if (strncmp(line, name, strlen(name)) == 0)
            sscanf(line + strlen(name), "%" SCNu64 " kB", &kib);
    }
    fclose(file);
    if (!kib)
        bench_fail("%s tells no %s a Linux of 4.5 or later is needed", path, name);
    return kib << 10;
}

uint64_t bench_process_anon_bytes(pid_t pid)
{
    return process_status_bytes(pid, "RssAnon:");
}

uint64_t bench_process_resident_bytes(pid_t pid)
{
    return process_status_bytes(pid, "VmRSS:");
}

void bench_process_raise_files(size_t count)
{
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) != 0)
        bench_fail("cannot read how many files may be open: %m");
    files.rlim_cur = files.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &files) != 0)
        bench_fail("cannot raise how many files may be open: %m");
    if (files.rlim_max != RLIM_INFINITY && files.rlim_max < count)
        bench_fail("%zu files are to be open at once, and the limit is %llu: raise it with ulimit -Hn", count,
                   (unsigned long long)files.rlim_max);
}
