/*
 * Metrics: what calls did, counted by method, for servers and channels; read from C or scraped by Prometheus.
 *
 * The idea: an interceptor that counts. One vow_metrics belongs to one loop, and any number of its channels
 * and servers may have it. Only that loop's thread counts, without locks; any thread may read. So a server
 * with a loop for each thread has a vow_metrics for each, and whoever is asked for numbers adds them up:
 *
 *     vow_metrics *sum = vow_metrics_new(NULL);
 *     for (size_t i = 0; i < threads; i++)
 *         vow_metrics_add(sum, of_thread[i]);
 *     vow_metrics_print(sum, write_text, response);
 *     vow_metrics_free(sum);
 *
 * The rule: a series is what is counted for one method on one side. There are at most max_series of them;
 * calls of methods beyond count under the name "other", one for each side. So do names that are not plain
 * text of at most 256 bytes. Names that a peer may have made up (calls of a handler without a method, whose
 * messages stay raw) take at most half of the series.
 */
#ifndef VOW_METRICS_H
#define VOW_METRICS_H

#include <vow/interceptor.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Zero is the default of every field. */
typedef struct vow_metrics_options {
    size_t size;       /* of this struct; VOW_METRICS fills it in */
    size_t max_series; /* that have a name of their own, at some 3 KiB each; 256, at most 65,536 */
} vow_metrics_options;

#define VOW_METRICS(...) VOW_OPTIONS(vow_metrics_options, __VA_ARGS__)

typedef struct vow_metrics vow_metrics;

/**
 * Owns    gives the metrics (vow_metrics_free); copies `options` (NULL: all defaults).
 * Fails   NULL: no memory.
 */
VOW_API vow_metrics *vow_metrics_new(const vow_metrics_options *options) VOW_MUST_USE;

/** Owns: takes `metrics`, which no channel, server or reader has any more. */
VOW_API void vow_metrics_free(vow_metrics *metrics);

/** For vow_server_intercept and vow_channel_intercept, lent as long as the metrics. NULL counts nothing. */
VOW_API const vow_interceptor *vow_metrics_interceptor(const vow_metrics *metrics);

/* Prometheus */

/** Takes text, lent: `size` bytes, then a NUL that does not count. */
typedef void vow_print_fn(const char *text, size_t size, void *arg);

/**
 * Prints everything, a line at a time: vow_server_calls_total{method="weather.Station/Ask",code="OK"} 17
 *
 * For server and channel each, by method: calls_started_total, calls_total by code, calls_in_flight,
 * sent_messages_total, sent_bytes_total, received_messages_total, received_bytes_total, and the histogram
 * call_duration_seconds. All but the first and the third are counted when a call ends.
 *
 * Thread  any; what the loop counts meanwhile may be in it or not.
 * Source  Prometheus, "Exposition formats", text format 0.0.4: send it as "text/plain; version=0.0.4".
 */
VOW_API void vow_metrics_print(const vow_metrics *metrics, vow_print_fn *print, void *arg);

/**
 * Adds what `from` has counted so far.
 *
 * Thread  that of `into`, which may be any for one that no channel or server has.
 * Fails   VOW_RESOURCE_EXHAUSTED: no memory for a series; its numbers are under "other".
 */
VOW_API vow_code vow_metrics_add(vow_metrics *into, const vow_metrics *from);

/* Reading; any thread */

typedef struct vow_metrics_series vow_metrics_series; /* lent as long as its metrics */

typedef enum vow_metrics_counter {
    VOW_METRICS_STARTED,   /* calls */
    VOW_METRICS_ENDED,     /* calls, with whatever code */
    VOW_METRICS_IN_FLIGHT, /* calls, now */
    VOW_METRICS_SENT_COUNT,
    VOW_METRICS_SENT_BYTES,
    VOW_METRICS_RECEIVED_COUNT,
    VOW_METRICS_RECEIVED_BYTES
} vow_metrics_counter;

/** The series at `index`, in the order in which they were first seen; NULL beyond the last. */
VOW_API const vow_metrics_series *vow_metrics_at(const vow_metrics *metrics, size_t index);

/** That of a method as served or as called, or of "other"; NULL: there was no such call. */
VOW_API const vow_metrics_series *vow_metrics_find(const vow_metrics *metrics, const char *method,
                                                   bool is_served);

/** "weather.Station/GetReport", or "other". */
VOW_API const char *vow_metrics_method(const vow_metrics_series *series);

/** Of a server's calls? False: of a channel's. */
VOW_API bool vow_metrics_is_served(const vow_metrics_series *series);

/** A NULL series has counted nothing. */
VOW_API uint64_t vow_metrics_count(const vow_metrics_series *series, vow_metrics_counter counter);

/** The calls that ended with `code`. */
VOW_API uint64_t vow_metrics_ended(const vow_metrics_series *series, vow_code code);

/** How long all calls that ended took together. */
VOW_API double vow_metrics_seconds(const vow_metrics_series *series);

/**
 * The duration that the part `quantile` (0 to 1) of all calls did not exceed: 0.5 the median.
 *
 * Estimated within a bucket of the histogram, which is at most an eighth of the duration wide from 1 µs to
 * 10,000 s; what took longer counts as 10,000 s. 0: no call has ended.
 */
VOW_API uint64_t vow_metrics_quantile_ns(const vow_metrics_series *series, double quantile);

#ifdef __cplusplus
}
#endif
#endif
