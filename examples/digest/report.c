#include "report.h"

#include "walk.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define DRAW_EVERY_MS 100
#define SAMPLES 65536

struct report {
    pthread_mutex_t      lock; /* standard error, and the counts of faults */
    uv_timer_t           timer;
    uv_work_t            counting;
    char                *path;
    bool                 is_terminal;
    bool                 bar_is_drawn;
    bool                 output_failed;
    int                  output_error;
    size_t               files;
    size_t               faults;
    size_t               skipped;
    uint64_t             bytes;
    atomic_uint_fast64_t bytes_total; /* 0: not counted yet */
    atomic_bool          stopped;
    uint64_t             calls;
    uint64_t             started_ns;
    uint32_t samples_us[SAMPLES]; /* of the calls' latencies; an even choice of them when there are more */
};

/* The bar */

static int terminal_width(void)
{
    struct winsize size;

    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

static void bar_clear(struct report *report)
{
    if (report->bar_is_drawn)
        fputs("\r\033[K", stderr);
    report->bar_is_drawn = false;
}

static void bar_draw(struct report *report)
{
    uint64_t total = atomic_load(&report->bytes_total);
    char     text[96];
    int      width = terminal_width() - 1;
    int used = snprintf(text, sizeof text, " %zu files, %.1f MB", report->files, (double)report->bytes / 1e6);
    int room = width - used - 2;

    bar_clear(report);
    if (total > 0 && room >= 10) {
        double part = report->bytes < total ? (double)report->bytes / (double)total : 1;
        int    done = (int)(part * room);

        fprintf(stderr, "[%.*s%*s]", done,
                "##########################################################################"
                "##########################################################################"
                "######################################################################",
                room - (done < 216 ? done : 216), "");
    }
    fprintf(stderr, "%.*s", width, text);
    fflush(stderr);
    report->bar_is_drawn = true;
}

static void timer_fired(uv_timer_t *timer)
{
    struct report *report = timer->data;

    pthread_mutex_lock(&report->lock);
    bar_draw(report);
    pthread_mutex_unlock(&report->lock);
}

/* Counting */

static void ignore_note(const char *path, const char *what, bool is_fault, void *arg)
{
    (void)path;
    (void)what;
    (void)is_fault;
    (void)arg;
}

static void count_bytes(uv_work_t *work)
{
    struct report *report = work->data;
    struct walk   *walk = walk_open(report->path, ignore_note, NULL);
    uint64_t       total = 0;
    uint64_t       size;
    char          *path;
    int            file;

    while (walk && !atomic_load(&report->stopped) && (file = walk_next(walk, &path, &size)) >= 0) {
        total += size;
        close(file);
        free(path);
    }
    walk_close(walk);
    atomic_store(&report->bytes_total, total);
}

static void counted(uv_work_t *work, int status)
{
    (void)work;
    (void)status;
}

/* Life */

struct report *report_open(uv_loop_t *uv, const char *path)
{
    struct report *report = calloc(1, sizeof *report);

    if (!report)
        return NULL;
    report->path = strdup(path);
    report->is_terminal = isatty(STDERR_FILENO) != 0;
    report->started_ns = uv_hrtime();
    pthread_mutex_init(&report->lock, NULL);
    uv_timer_init(uv, &report->timer);
    report->timer.data = report;
    report->counting.data = report;
    if (report->is_terminal && report->path) {
        uv_timer_start(&report->timer, timer_fired, DRAW_EVERY_MS, DRAW_EVERY_MS);
        uv_queue_work(uv, &report->counting, count_bytes, counted);
    }
    return report;
}

void report_stop(struct report *report)
{
    atomic_store(&report->stopped, true);
    bar_clear(report);
    uv_close((uv_handle_t *)&report->timer, NULL);
}

static int compare_samples(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

static void print_latencies(struct report *report)
{
    size_t          count = report->calls < SAMPLES ? (size_t)report->calls : SAMPLES;
    const uint32_t *sorted = report->samples_us;

    if (count == 0)
        return;
    qsort(report->samples_us, count, sizeof report->samples_us[0], compare_samples);
    fprintf(stderr, "latency of a call: p50 %.3f ms, p90 %.3f ms, p99 %.3f ms, longest %.3f ms\n",
            sorted[count / 2] / 1e3, sorted[count * 9 / 10] / 1e3, sorted[count * 99 / 100] / 1e3,
            sorted[count - 1] / 1e3);
}

int report_close(struct report *report)
{
    double seconds = (double)(uv_hrtime() - report->started_ns) / 1e9;
    int    status;

    if (fflush(stdout) != 0 && !report->output_failed) {
        report->output_failed = true;
        report->output_error = errno;
    }
    fprintf(stderr, "%zu files, %.1f MB in %.2f s: %.0f calls/s, %.1f MB/s\n", report->files,
            (double)report->bytes / 1e6, seconds, (double)report->calls / seconds,
            (double)report->bytes / 1e6 / seconds);
    print_latencies(report);
    if (report->skipped)
        fprintf(stderr, "%zu skipped\n", report->skipped);
    if (report->faults)
        fprintf(stderr, "%zu failed\n", report->faults);
    if (report->output_failed)
        fprintf(stderr, "digest-client: cannot write the sums: %s\n", strerror(report->output_error));
    status = report->faults || report->output_failed;
    free(report->path);
    free(report);
    return status;
}

/* Telling */

/* As sha256sum does: a line whose name needed escapes begins with a backslash. */
static bool name_needs_escape(const char *path)
{
    return strpbrk(path, "\\\n\r") != NULL;
}

static void print_name(const char *path)
{
    for (; *path; path++) {
        if (*path == '\\')
            fputs("\\\\", stdout);
        else if (*path == '\n')
            fputs("\\n", stdout);
        else if (*path == '\r')
            fputs("\\r", stdout);
        else
            putchar(*path);
    }
}

void report_sum(struct report *report, const char *path, const uint8_t *sum, size_t size)
{
    if (name_needs_escape(path))
        putchar('\\');
    for (size_t i = 0; i < size; i++)
        printf("%02x", sum[i]);
    fputs("  ", stdout);
    print_name(path);
    if (putchar('\n') == EOF && !report->output_failed) {
        report->output_failed = true;
        report->output_error = errno;
    }
    report->files++;
}

void report_bytes(struct report *report, size_t size)
{
    report->bytes += size;
}

void report_latency(struct report *report, uint64_t ns)
{
    uint32_t us = ns / 1000 > UINT32_MAX ? UINT32_MAX : (uint32_t)(ns / 1000);
    uint64_t place = report->calls++;

    if (place >= SAMPLES)
        place = ((uint64_t)random() << 16 ^ (uint64_t)random()) % report->calls;
    if (place < SAMPLES)
        report->samples_us[place] = us;
}

static void print_line(struct report *report, const char *path, const char *what, size_t *counter)
{
    pthread_mutex_lock(&report->lock);
    bar_clear(report);
    fprintf(stderr, "digest-client: %s: %s\n", path, what);
    ++*counter;
    pthread_mutex_unlock(&report->lock);
}

void report_fault(struct report *report, const char *path, const char *why)
{
    print_line(report, path, why, &report->faults);
}

void report_skipped(struct report *report, const char *path, const char *what)
{
    print_line(report, path, what, &report->skipped);
}

void report_note(struct report *report, const char *text)
{
    pthread_mutex_lock(&report->lock);
    bar_clear(report);
    fprintf(stderr, "digest-client: %s\n", text);
    pthread_mutex_unlock(&report->lock);
}
