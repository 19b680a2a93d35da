#include "h2load.h"

#include "measure/fail.h"
#include "measure/process.h"

#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARGUMENTS_MOST 24
#define OUTPUT_SIZE (64 << 10) /* h2load writes some 2 KiB, and a line more for each tenth of a run */
#define LOOK_MS 10             /* between two looks at the server's memory */

/* The child's half; never returns. */
static void job_exec(const h2load_job *job, int output)
{
    char        clients[24], streams[24], amount[24];
    const char *argv[ARGUMENTS_MOST];
    size_t      count = 0;

    snprintf(clients, sizeof clients, "-c%zu", job->connections);
    snprintf(streams, sizeof streams, "-m%zu", job->streams);
    if (job->requests)
        snprintf(amount, sizeof amount, "-n%" PRIu64, job->requests);
    else
        snprintf(amount, sizeof amount, "-D%ums", job->duration_ms);
    argv[count++] = "h2load";
    argv[count++] = clients;
    argv[count++] = streams;
    argv[count++] = amount;
    if (job->body_path) {
        argv[count++] = "-d";
        argv[count++] = job->body_path;
        argv[count++] = "-H";
        argv[count++] = "content-type: application/grpc";
        argv[count++] = "-H";
        argv[count++] = "te: trailers";
    }
    argv[count++] = job->uri;
    argv[count] = NULL;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (dup2(output, STDOUT_FILENO) < 0)
        bench_fail("cannot give h2load an output: %m");
    execvp("h2load", (char **)argv);
    bench_fail("cannot run h2load: %m (Debian's package is nghttp2-client)");
}

static pid_t job_start(const h2load_job *job, int *output)
{
    int   ends[2];
    pid_t child;

    if (pipe(ends) != 0)
        bench_fail("cannot make a pipe: %m");
    child = fork();
    if (child < 0)
        bench_fail("cannot make a process: %m");
    if (child == 0) {
        close(ends[0]);
        job_exec(job, ends[1]);
    }
    close(ends[1]);
    *output = ends[0];
    return child;
}

/* Until h2load has closed it. */
static void job_watch(const h2load_job *job, int output, char text[OUTPUT_SIZE], h2load_report *report)
{
    struct pollfd readable = { .fd = output, .events = POLLIN };
    size_t        size = 0;

    for (;;) {
        uint64_t anon_bytes = bench_process_anon_bytes(job->server_pid);
        ssize_t  got;

        if (anon_bytes > report->server_anon_bytes)
            report->server_anon_bytes = anon_bytes;
        if (poll(&readable, 1, LOOK_MS) == 0)
            continue;
        got = read(output, text + size, OUTPUT_SIZE - 1 - size);
        if (got < 0)
            bench_fail("cannot read what h2load says: %m");
        if (got == 0)
            break;
        size += (size_t)got;
    }
    text[size] = '\0';
    close(output);
}

/* The number that stands before `word` on the line that begins with `line`. */
static double number_before(const char *text, const char *line, const char *word)
{
    const char *at = strstr(text, line);
    const char *end = at ? strstr(at, word) : NULL;
    double      number;

    while (end && end > at && end[-1] != ',' && end[-1] != ':')
        end--;
    if (!end || sscanf(end, "%lf", &number) != 1)
        bench_fail("h2load does not say \"%s ...%s\", but:\n%s", line, word, text);
    return number;
}

static void report_read(h2load_report *report, const char *text, bool must_be_all)
{
    double failed = number_before(text, "requests:", " failed");

    report->requests_per_s = number_before(text, "finished in", " req/s");
    report->succeeded = (uint64_t)number_before(text, "status codes:", " 2xx");
    if (report->succeeded == 0 || failed > 0 ||
        (must_be_all && (double)report->succeeded != number_before(text, "requests:", " total")))
        bench_fail("h2load got no good answer to some of its requests:\n%s", text);
}

static uint64_t time_ns(struct timeval time)
{
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_usec * 1000;
}

h2load_report h2load_run(const h2load_job *job)
{
    static char   text[OUTPUT_SIZE];
    h2load_report report = { .server_ns = bench_process_cpu_ns(job->server_pid) };
    struct rusage usage;
    int           output, status;
    pid_t         child = job_start(job, &output);

    job_watch(job, output, text, &report);
    if (wait4(child, &status, 0, &usage) != child || status != 0)
        bench_fail("h2load failed:\n%s", text);
    report.client_ns = time_ns(usage.ru_utime) + time_ns(usage.ru_stime);
    report.server_ns = bench_process_cpu_ns(job->server_pid) - report.server_ns;
    report_read(&report, text, job->requests != 0);
    return report;
}
