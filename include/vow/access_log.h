/*
 * An access log: one line for each call, on a server or a channel, as text or as JSON.
 *
 * The idea: an interceptor that makes a line when a call ends, and hands it to a function of yours. vow
 * itself opens no file and prints nothing.
 *
 *     vow_access_log *log = vow_access_log_new(NULL, write_line, stdout);
 *     vow_server_intercept(server, vow_access_log_interceptor(log));
 *
 * A line is one line whatever a peer has sent: what is no plain text in a method's name or a message is
 * escaped, and what is too long is cut. No message's content and no metadata is logged but the trace's id.
 *
 * Text, where "-" stands for what is not there, and what holds a space, quote or backslash is quoted:
 *
 *     TIME SIDE METHOD PEER CODE DURATION received=COUNT/BYTES sent=COUNT/BYTES
 *         timeout=MS left=MS trace=ID "MESSAGE"
 *
 * JSON, where what is not there is left out:
 *
 *     {"time":"2026-03-01T12:00:00.250Z","side":"server","method":"weather.Station/GetReport",
 *      "peer":"tcp://10.0.0.7:52144","code":"NOT_FOUND","duration_ms":1.250,"received_count":1,"received_bytes":9,
 *      "sent_count":0,"sent_bytes":0,"timeout_ms":10000,"left_ms":9998,"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736",
 *      "message":"no city called Atlantis"}
 */
#ifndef VOW_ACCESS_LOG_H
#define VOW_ACCESS_LOG_H

#include <vow/interceptor.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Takes a line, lent: `size` bytes, the last of which ends the line; a NUL follows. */
typedef void vow_log_fn(const char *line, size_t size, void *arg);

typedef enum vow_log_format { VOW_LOG_TEXT, VOW_LOG_JSON } vow_log_format;

/** Zero is the default of every field. */
typedef struct vow_access_log_options {
    size_t         size;          /* of this struct; VOW_ACCESS_LOG fills it in */
    vow_log_format format;        /* VOW_LOG_TEXT */
    size_t         max_line_size; /* bytes of a line, its end included; 2 KiB, from 1 KiB to 8 KiB */
    int64_t (*now_ms)(void *arg); /* milliseconds since 1970 in UTC; the system's clock */
    void *now_arg;
} vow_access_log_options;

#define VOW_ACCESS_LOG(...) VOW_OPTIONS(vow_access_log_options, __VA_ARGS__)

typedef struct vow_access_log vow_access_log;

/**
 * A log whose lines go to `write`.
 *
 * `write` is called while the call ends: it should be quick, and put off what waits for a disk.
 *
 * Owns    gives the log (vow_access_log_free); copies `options` (NULL: all defaults).
 * Thread  any. One log may serve loops on many threads; `write` and `now_ms` are then called on each of them.
 * Fails   NULL: no memory.
 */
VOW_API vow_access_log *vow_access_log_new(const vow_access_log_options *options, vow_log_fn *write,
                                           void *arg) VOW_MUST_USE;

/** Owns: takes `log`, which no channel or server has any more. */
VOW_API void vow_access_log_free(vow_access_log *log);

/** For vow_server_intercept and vow_channel_intercept, lent as long as the log. The first in the chain sees
 * what all others have made of the call. NULL logs nothing. */
VOW_API const vow_interceptor *vow_access_log_interceptor(const vow_access_log *log);

#ifdef __cplusplus
}
#endif
#endif
