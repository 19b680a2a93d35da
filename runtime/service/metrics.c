#include "runtime/service/metrics.h"

#include "runtime/service/line.h"
#include "runtime/service/memory.h"

#include <vow/metrics.h>

#include <string.h>

#define SERIES_DEFAULT 256
#define SERIES_MAX 65536
#define OTHER "other"

struct vow_metrics {
    vow_interceptor      interceptor;
    size_t               max_series;
    size_t               named;     /* series with a name of their own */
    size_t               made_up;   /* and of these, with one that a peer may have made up */
    vow_metrics_series  *others[2]; /* by side; made first, so that there is always one to count in */
    bool                 other_is_listed[2];
    size_t               mask;
    vow_metrics_series **table; /* by hash; the counting thread's */
    _Atomic size_t       count;
    vow_metrics_series  *list[]; /* the first `count` are there for all to read */
};

/* Series */

static vow_metrics_series *series_new(const char *method, bool is_served)
{
    size_t              size = strlen(method) + 1;
    vow_metrics_series *series = vow_service_alloc(sizeof *series + size);

    if (!series)
        return NULL;
    series->is_served = is_served;
    memcpy(series->method, method, size);
    return series;
}

static void metrics_list(vow_metrics *metrics, vow_metrics_series *series)
{
    size_t count = atomic_load_explicit(&metrics->count, memory_order_relaxed);

    metrics->list[count] = series;
    atomic_store_explicit(&metrics->count, count + 1, memory_order_release);
}

static vow_metrics_series *metrics_other(vow_metrics *metrics, bool is_served)
{
    if (!metrics->other_is_listed[is_served])
        metrics_list(metrics, metrics->others[is_served]);
    metrics->other_is_listed[is_served] = true;
    return metrics->others[is_served];
}

/* FNV-1a. Who finds names that share a place gains nothing: there are no more than max_series to look
 * through. */
static uint64_t name_hash(const char *method, bool is_served)
{
    uint64_t hash = 0xcbf29ce484222325u + is_served;

    for (; *method; method++)
        hash = (hash ^ (uint8_t)*method) * 0x100000001b3u;
    return hash;
}

static bool metrics_may_name(const vow_metrics *metrics, const char *method, bool is_made_up)
{
    return metrics->named < metrics->max_series &&
           (!is_made_up || metrics->made_up < metrics->max_series / 2) &&
           strnlen(method, VOW_METRICS_NAME_MAX + 1) <= VOW_METRICS_NAME_MAX && strcmp(method, OTHER) != 0 &&
           vow_text_is_plain(method);
}

/* The series of a method, made when it is first seen; else where the others are counted. */
static vow_metrics_series *metrics_series(vow_metrics *metrics, const char *method, bool is_served,
                                          bool is_made_up)
{
    uint64_t             hash = name_hash(method, is_served);
    vow_metrics_series **place = &metrics->table[hash & metrics->mask];
    vow_metrics_series  *series = *place;

    while (series &&
           (series->hash != hash || series->is_served != is_served || strcmp(series->method, method) != 0))
        series = series->next;
    if (series)
        return series;
    if (metrics_may_name(metrics, method, is_made_up))
        series = series_new(method, is_served);
    if (!series)
        return metrics_other(metrics, is_served);
    series->hash = hash;
    series->is_made_up = is_made_up;
    series->next = *place;
    *place = series;
    metrics->named++;
    metrics->made_up += is_made_up;
    metrics_list(metrics, series);
    return series;
}

/* A call */

typedef struct counted {
    vow_metrics_series *series;
} counted;

static vow_metrics_series *metrics_series_of_call(vow_metrics *metrics, const vow_call *call)
{
    const vow_method *method = vow_call_method(call);
    bool              is_served = vow_call_is_served(call);
    bool is_made_up = is_served && method->request == &vow_raw_descriptor && method->reply == method->request;

    return metrics_series(metrics, method->name, is_served, is_made_up);
}

static vow_future *metrics_begin(vow_call *call, void *arg)
{
    counted *counted = vow_call_slot(call, arg, sizeof *counted);

    if (!counted)
        return NULL; /* it is counted when it ends */
    counted->series = metrics_series_of_call(arg, call);
    vow_counter_add(&counted->series->started, 1);
    return NULL;
}

static void metrics_end(vow_call *call, const vow_call_result *result, void *arg)
{
    counted            *counted = vow_call_slot(call, arg, sizeof *counted);
    vow_metrics_series *series = counted ? counted->series : NULL;
    vow_code            code = (unsigned)result->code < VOW_CODES ? result->code : VOW_UNKNOWN;

    if (!series) {
        series = metrics_series_of_call(arg, call);
        vow_counter_add(&series->started, 1);
    }
    vow_counter_add(&series->sent_count, result->sent_count);
    vow_counter_add(&series->sent_bytes, result->sent_bytes);
    vow_counter_add(&series->received_count, result->received_count);
    vow_counter_add(&series->received_bytes, result->received_bytes);
    vow_histogram_add(&series->durations, result->duration_ns);
    vow_counter_add(&series->ended[code], 1);
}

/* Life */

static size_t table_size(size_t series)
{
    size_t size = 16;

    while (size < 2 * series)
        size *= 2;
    return size;
}

vow_metrics *vow_metrics_new(const vow_metrics_options *given)
{
    vow_metrics_options options = { .max_series = 0 };
    vow_metrics        *metrics;
    size_t              max;

    if (given)
        memcpy(&options, given, given->size < sizeof options ? given->size : sizeof options);
    max = options.max_series == 0           ? SERIES_DEFAULT
          : options.max_series < SERIES_MAX ? options.max_series
                                            : SERIES_MAX;
    metrics = vow_service_alloc(sizeof *metrics + (max + 2) * sizeof metrics->list[0]);
    if (!metrics)
        return NULL;
    metrics->max_series = max;
    metrics->mask = table_size(max) - 1;
    metrics->table = vow_service_alloc((metrics->mask + 1) * sizeof metrics->table[0]);
    metrics->others[false] = series_new(OTHER, false);
    metrics->others[true] = series_new(OTHER, true);
    if (!metrics->table || !metrics->others[false] || !metrics->others[true]) {
        vow_metrics_free(metrics);
        return NULL;
    }
    metrics->interceptor = (vow_interceptor){
        .size = sizeof metrics->interceptor, .begin = metrics_begin, .end = metrics_end, .arg = metrics
    };
    return metrics;
}

void vow_metrics_free(vow_metrics *metrics)
{
    if (!metrics)
        return;
    for (size_t i = 0; i < metrics->count; i++) {
        if (metrics->list[i] != metrics->others[false] && metrics->list[i] != metrics->others[true])
            vow_service_free(metrics->list[i]);
    }
    vow_service_free(metrics->others[false]);
    vow_service_free(metrics->others[true]);
    vow_service_free(metrics->table);
    vow_service_free(metrics);
}

const vow_interceptor *vow_metrics_interceptor(const vow_metrics *metrics)
{
    static const vow_interceptor none = { .size = sizeof none };

    return metrics ? &metrics->interceptor : &none;
}

/* Adding up */

/* A call has ended after it was started: so what has ended is read first, and never more than has started. */
static void series_merge(vow_metrics_series *into, const vow_metrics_series *from)
{
    for (size_t i = 0; i < VOW_CODES; i++)
        vow_counter_add(&into->ended[i], vow_counter_read(&from->ended[i]));
    vow_counter_add(&into->sent_count, vow_counter_read(&from->sent_count));
    vow_counter_add(&into->sent_bytes, vow_counter_read(&from->sent_bytes));
    vow_counter_add(&into->received_count, vow_counter_read(&from->received_count));
    vow_counter_add(&into->received_bytes, vow_counter_read(&from->received_bytes));
    vow_histogram_merge(&into->durations, &from->durations);
    vow_counter_add(&into->started, vow_counter_read(&from->started));
}

vow_code vow_metrics_add(vow_metrics *into, const vow_metrics *from)
{
    const vow_metrics_series *series;
    vow_code                  code = VOW_OK;

    for (size_t i = 0; (series = vow_metrics_at(from, i)); i++) {
        bool                may_name = metrics_may_name(into, series->method, series->is_made_up);
        vow_metrics_series *sum = metrics_series(into, series->method, series->is_served, series->is_made_up);

        if (may_name && sum == into->others[series->is_served])
            code = VOW_RESOURCE_EXHAUSTED;
        series_merge(sum, series);
    }
    return code;
}

/* Reading */

const vow_metrics_series *vow_metrics_at(const vow_metrics *metrics, size_t index)
{
    if (index >= atomic_load_explicit((_Atomic size_t *)&metrics->count, memory_order_acquire))
        return NULL;
    return metrics->list[index];
}

const vow_metrics_series *vow_metrics_find(const vow_metrics *metrics, const char *method, bool is_served)
{
    const vow_metrics_series *series;

    for (size_t i = 0; (series = vow_metrics_at(metrics, i)); i++) {
        if (series->is_served == is_served && strcmp(series->method, method) == 0)
            return series;
    }
    return NULL;
}

const char *vow_metrics_method(const vow_metrics_series *series)
{
    return series->method;
}

bool vow_metrics_is_served(const vow_metrics_series *series)
{
    return series->is_served;
}

static uint64_t series_ended(const vow_metrics_series *series)
{
    uint64_t ended = 0;

    for (size_t i = 0; i < VOW_CODES; i++)
        ended += vow_counter_read(&series->ended[i]);
    return ended;
}

uint64_t vow_metrics_count(const vow_metrics_series *series, vow_metrics_counter counter)
{
    uint64_t ended = series && counter <= VOW_METRICS_IN_FLIGHT ? series_ended(series) : 0;

    if (!series)
        return 0;
    switch (counter) {
    case VOW_METRICS_STARTED:
        return vow_counter_read(&series->started);
    case VOW_METRICS_ENDED:
        return ended;
    case VOW_METRICS_IN_FLIGHT:
        return vow_counter_read(&series->started) - ended;
    case VOW_METRICS_SENT_COUNT:
        return vow_counter_read(&series->sent_count);
    case VOW_METRICS_SENT_BYTES:
        return vow_counter_read(&series->sent_bytes);
    case VOW_METRICS_RECEIVED_COUNT:
        return vow_counter_read(&series->received_count);
    case VOW_METRICS_RECEIVED_BYTES:
        return vow_counter_read(&series->received_bytes);
    }
    return 0;
}

uint64_t vow_metrics_ended(const vow_metrics_series *series, vow_code code)
{
    return series && (unsigned)code < VOW_CODES ? vow_counter_read(&series->ended[code]) : 0;
}

double vow_metrics_seconds(const vow_metrics_series *series)
{
    return series ? vow_histogram_seconds(&series->durations) : 0;
}

uint64_t vow_metrics_quantile_ns(const vow_metrics_series *series, double quantile)
{
    return series ? vow_histogram_quantile_ns(&series->durations, quantile) : 0;
}
