/*
 * Metrics as Prometheus reads them.
 *
 * The idea: a table of families; each is printed whole, series by series, before the next begins, as the
 * format asks.
 *
 * Source: Prometheus, "Exposition formats", text-based format 0.0.4.
 */
#include "runtime/service/line.h"
#include "runtime/service/metrics.h"

#define LINE_SIZE 1024 /* a name of 256 bytes may be written as twice as many */

#define NS_PER_S 1000000000u

/* Where a family is printed to, and what of it is the same on every line. */
typedef struct page {
    const vow_metrics *metrics;
    size_t             count; /* series as of the beginning */
    bool               is_served;
    vow_print_fn      *print;
    void              *arg;
} page;

typedef struct family {
    const char         *name;
    const char         *type;
    const char         *help;
    vow_metrics_counter counter;
    void (*put)(const page *page, const struct family *family, const vow_metrics_series *series);
} family;

/* Lines */

static void page_end_line(const page *page, vow_line *line)
{
    vow_line_put(line, "\n");
    page->print(line->data, line->size, page->arg);
}

static void line_put_name(vow_line *line, const page *page, const family *family, const char *suffix)
{
    vow_line_put(line, page->is_served ? "vow_server_" : "vow_channel_");
    vow_line_put(line, family->name);
    vow_line_put(line, suffix);
}

/* Up to the method's label, whose braces stay open. */
static void line_begin(vow_line *line, char *data, const page *page, const family *family, const char *suffix,
                       const vow_metrics_series *series)
{
    vow_line_init(line, data, LINE_SIZE);
    line_put_name(line, page, family, suffix);
    vow_line_put(line, "{method=\"");
    vow_line_escape(line, VOW_ESCAPE_LABEL, series->method, SIZE_MAX, 0);
    vow_line_put(line, "\"");
}

static void line_put_seconds(vow_line *line, uint64_t seconds, uint64_t ns)
{
    size_t digits = 9;

    vow_line_put_number(line, seconds);
    if (ns == 0)
        return;
    for (; ns % 10 == 0; ns /= 10)
        digits--;
    vow_line_put(line, ".");
    vow_line_put_digits(line, ns, digits);
}

/* Kinds of families */

static void put_counter(const page *page, const family *family, const vow_metrics_series *series)
{
    char     data[LINE_SIZE];
    vow_line line;

    line_begin(&line, data, page, family, "", series);
    vow_line_put(&line, "} ");
    vow_line_put_number(&line, vow_metrics_count(series, family->counter));
    page_end_line(page, &line);
}

/* OK is always there, so that a rate has both its parts; other codes once they have occurred. */
static void put_codes(const page *page, const family *family, const vow_metrics_series *series)
{
    for (int code = 0; code < VOW_CODES; code++) {
        uint64_t ended = vow_metrics_ended(series, (vow_code)code);
        char     data[LINE_SIZE];
        vow_line line;

        if (ended == 0 && code != VOW_OK)
            continue;
        line_begin(&line, data, page, family, "", series);
        vow_line_put(&line, ",code=\"");
        vow_line_put(&line, vow_code_name((vow_code)code));
        vow_line_put(&line, "\"} ");
        vow_line_put_number(&line, ended);
        page_end_line(page, &line);
    }
}

/* The bounds that are shown: 1, 2.5 and 5 of each decade from 10 µs to 1,000 s. */
#define SHOWN_FIRST_NS ((uint64_t)10000)
#define SHOWN_LAST_NS (1000 * (uint64_t)NS_PER_S)

static uint64_t shown_after(uint64_t bound_ns)
{
    uint64_t leading = bound_ns;

    while (leading >= 100)
        leading /= 10;
    return leading == 10 ? bound_ns / 2 * 5 : bound_ns * 2;
}

static void put_bucket(const page *page, const family *family, const vow_metrics_series *series,
                       uint64_t bound_ns, uint64_t count)
{
    char     data[LINE_SIZE];
    vow_line line;

    line_begin(&line, data, page, family, "_bucket", series);
    vow_line_put(&line, ",le=\"");
    if (bound_ns == UINT64_MAX)
        vow_line_put(&line, "+Inf");
    else
        line_put_seconds(&line, bound_ns / NS_PER_S, bound_ns % NS_PER_S);
    vow_line_put(&line, "\"} ");
    vow_line_put_number(&line, count);
    page_end_line(page, &line);
}

/* The count is that of all buckets, each read once: so it agrees with them, whatever is counted meanwhile. */
static void put_histogram(const page *page, const family *family, const vow_metrics_series *series)
{
    double   seconds = vow_histogram_seconds(&series->durations);
    uint64_t shown_ns = SHOWN_FIRST_NS;
    uint64_t count = 0;
    char     data[LINE_SIZE];
    vow_line line;

    for (size_t i = 0; i < VOW_HISTOGRAM_BUCKETS; i++) {
        count += vow_counter_read(&series->durations.counts[i]);
        if (vow_histogram_bound_ns(i) != shown_ns || shown_ns > SHOWN_LAST_NS)
            continue;
        put_bucket(page, family, series, shown_ns, count);
        shown_ns = shown_after(shown_ns);
    }
    put_bucket(page, family, series, UINT64_MAX, count);
    line_begin(&line, data, page, family, "_sum", series);
    vow_line_put(&line, "} ");
    line_put_seconds(&line, (uint64_t)seconds, (uint64_t)((seconds - (double)(uint64_t)seconds) * NS_PER_S));
    page_end_line(page, &line);
    line_begin(&line, data, page, family, "_count", series);
    vow_line_put(&line, "} ");
    vow_line_put_number(&line, count);
    page_end_line(page, &line);
}

/* The page */

static const family families[] = {
    { "calls_started_total", "counter", "Calls that began.", VOW_METRICS_STARTED, put_counter },
    { "calls_total", "counter", "Calls that ended, by how they ended.", VOW_METRICS_ENDED, put_codes },
    { "calls_in_flight", "gauge", "Calls that began and have not ended.", VOW_METRICS_IN_FLIGHT,
      put_counter },
    { "sent_messages_total", "counter", "Messages sent by calls that ended.", VOW_METRICS_SENT_COUNT,
      put_counter },
    { "sent_bytes_total", "counter", "Bytes of these messages.", VOW_METRICS_SENT_BYTES, put_counter },
    { "received_messages_total", "counter", "Messages received by calls that ended.",
      VOW_METRICS_RECEIVED_COUNT, put_counter },
    { "received_bytes_total", "counter", "Bytes of these messages.", VOW_METRICS_RECEIVED_BYTES,
      put_counter },
    { "call_duration_seconds", "histogram", "How long calls took.", VOW_METRICS_ENDED, put_histogram },
};

static void page_put_header(const page *page, const family *family, const char *kind, const char *text)
{
    char     data[LINE_SIZE];
    vow_line line;

    vow_line_init(&line, data, sizeof data);
    vow_line_put(&line, kind);
    line_put_name(&line, page, family, " ");
    vow_line_put(&line, text);
    page_end_line(page, &line);
}

static void page_put_family(const page *page, const family *family)
{
    bool has_begun = false;

    for (size_t i = 0; i < page->count; i++) {
        const vow_metrics_series *series = vow_metrics_at(page->metrics, i);

        if (series->is_served != page->is_served)
            continue;
        if (!has_begun) {
            page_put_header(page, family, "# HELP ", family->help);
            page_put_header(page, family, "# TYPE ", family->type);
        }
        has_begun = true;
        family->put(page, family, series);
    }
}

void vow_metrics_print(const vow_metrics *metrics, vow_print_fn *print, void *arg)
{
    page page = { .metrics = metrics, .print = print, .arg = arg };

    while (vow_metrics_at(metrics, page.count))
        page.count++;
    for (int side = 0; side < 2; side++) {
        page.is_served = side == 0;
        for (size_t i = 0; i < sizeof families / sizeof families[0]; i++)
            page_put_family(&page, &families[i]);
    }
}
