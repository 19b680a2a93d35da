#include "runtime/service/line.h"
#include "runtime/service/memory.h"

#include <vow/access_log.h>

#include <string.h>
#include <time.h>

#define LINE_SIZE_DEFAULT ((size_t)2 << 10)
#define LINE_SIZE_MIN ((size_t)1 << 10)
#define LINE_SIZE_MAX ((size_t)8 << 10)

/* What a peer can make long, as it is written; so that the message and the line's end have room in any line.
 */
#define METHOD_SIZE_MAX 320
#define PEER_SIZE_MAX 160

struct vow_access_log {
    vow_interceptor        interceptor;
    vow_access_log_options options;
    vow_log_fn            *write;
    void                  *arg;
};

#define TRACE_ID_SIZE 32

/* What is known when a call begins, and no more when it ends. */
typedef struct access {
    bool    has_begun;
    int64_t timeout_ms;
    char    trace_id[TRACE_ID_SIZE + 1]; /* "": none */
} access;

/* The trace */

/* Is `text` the pattern, in which x stands for a hexadecimal digit? What follows it does not matter. */
static bool text_matches(const char *text, const char *pattern)
{
    for (; *pattern; pattern++, text++) {
        if (*text == '\0' || (*pattern == 'x' ? !strchr("0123456789abcdef", *text) : *text != *pattern))
            return false;
    }
    return true;
}

/* Source: W3C, "Trace Context", section 3.2. A version after 00 may have more behind it, and ff is none. */
static void access_read_trace(access *access, const char *traceparent)
{
    static const char pattern[] = "xx-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx-xxxxxxxxxxxxxxxx-xx";
    static const char no_id[] = "00000000000000000000000000000000";
    char              after;

    if (!traceparent || !text_matches(traceparent, pattern) || text_matches(traceparent, "ff"))
        return;
    after = traceparent[sizeof pattern - 1];
    if (after && (after != '-' || text_matches(traceparent, "00")))
        return;
    if (!text_matches(traceparent + 3, no_id))
        memcpy(access->trace_id, traceparent + 3, TRACE_ID_SIZE);
}

static const char *metadata_find(const vow_metadata *metadata, const char *name)
{
    for (; metadata->name; metadata++) {
        if (strcmp(metadata->name, name) == 0)
            return metadata->value;
    }
    return NULL;
}

/* Time */

#define MS_PER_DAY 86400000
#define YEAR_9999_ENDS_MS 253402300799999

static int64_t system_now_ms(void *arg)
{
    struct timespec now;

    (void)arg;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0)
        return 0;
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/*
 * The date of a day that is so many days after 1970-01-01, in a calendar whose years begin in March: then the
 * day that some years have more is the last one. gmtime_r takes a lock for the time zone's sake, and all
 * threads would meet there.
 *
 * Source: Howard Hinnant, "chrono-compatible low-level date algorithms", civil_from_days.
 */
static void line_put_date(vow_line *line, uint64_t days)
{
    uint64_t since = days + 719468; /* 0000-03-01 */
    uint64_t day_of_era = since % 146097;
    uint64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    uint64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    uint64_t month = (5 * day_of_year + 2) / 153; /* 0 is March */
    bool     is_next_year = month >= 10;

    vow_line_put_digits(line, since / 146097 * 400 + year_of_era + is_next_year, 4);
    vow_line_put(line, "-");
    vow_line_put_digits(line, is_next_year ? month - 9 : month + 3, 2);
    vow_line_put(line, "-");
    vow_line_put_digits(line, day_of_year - (153 * month + 2) / 5 + 1, 2);
}

/* Source: ISO 8601, as RFC 3339 has it: 2026-03-01T12:00:00.250Z. */
static void line_put_time(vow_line *line, int64_t now_ms)
{
    uint64_t ms = now_ms < 0 ? 0 : now_ms > YEAR_9999_ENDS_MS ? YEAR_9999_ENDS_MS : (uint64_t)now_ms;

    line_put_date(line, ms / MS_PER_DAY);
    vow_line_put(line, "T");
    vow_line_put_digits(line, ms / 3600000 % 24, 2);
    vow_line_put(line, ":");
    vow_line_put_digits(line, ms / 60000 % 60, 2);
    vow_line_put(line, ":");
    vow_line_put_digits(line, ms / 1000 % 60, 2);
    vow_line_put(line, ".");
    vow_line_put_digits(line, ms % 1000, 3);
    vow_line_put(line, "Z");
}

static void line_put_ms(vow_line *line, uint64_t ns)
{
    vow_line_put_number(line, ns / 1000000);
    vow_line_put(line, ".");
    vow_line_put_digits(line, ns / 1000 % 1000, 3);
}

/* Text */

/* One word, quoted where it would be taken for another or for several. */
static void text_put_word(vow_line *line, const char *word, size_t max)
{
    bool must_quote = strcmp(word, "-") == 0;

    for (const char *at = word; *at; at++)
        must_quote = must_quote || *at <= ' ' || *at > '~' || *at == '"' || *at == '\\';
    vow_line_put(line, *word ? " " : " -");
    if (must_quote)
        vow_line_put(line, "\"");
    vow_line_escape(line, VOW_ESCAPE_TEXT, word, max, 0);
    if (must_quote)
        vow_line_put(line, "\"");
}

static void text_put_count(vow_line *line, const char *name, uint64_t count, uint64_t bytes)
{
    vow_line_put(line, name);
    vow_line_put_number(line, count);
    vow_line_put(line, "/");
    vow_line_put_number(line, bytes);
}

static void text_put_timeout(vow_line *line, const char *name, int64_t ms)
{
    vow_line_put(line, name);
    if (ms == INT64_MAX)
        vow_line_put(line, "-");
    else
        vow_line_put_number(line, (uint64_t)ms);
}

static void text_put(vow_line *line, const vow_call *call, const access *access,
                     const vow_call_result *result)
{
    vow_line_put(line, vow_call_is_served(call) ? " server" : " channel");
    text_put_word(line, vow_call_method(call)->name, METHOD_SIZE_MAX);
    text_put_word(line, vow_call_peer(call), PEER_SIZE_MAX);
    vow_line_put(line, " ");
    vow_line_put(line, vow_code_name(result->code));
    vow_line_put(line, " ");
    line_put_ms(line, result->duration_ns);
    vow_line_put(line, "ms");
    text_put_count(line, " received=", result->received_count, result->received_bytes);
    text_put_count(line, " sent=", result->sent_count, result->sent_bytes);
    text_put_timeout(line, " timeout=", access->timeout_ms);
    text_put_timeout(line, " left=", vow_call_time_left_ms(call));
    vow_line_put(line, " trace=");
    vow_line_put(line, access->trace_id[0] ? access->trace_id : "-");
    if (!result->message[0])
        return;
    vow_line_put(line, " \"");
    vow_line_escape(line, VOW_ESCAPE_TEXT, result->message, SIZE_MAX, 1);
    vow_line_put(line, "\"");
}

/* JSON */

static void json_put_text(vow_line *line, const char *name, const char *text, size_t max, size_t reserve)
{
    if (!*text)
        return;
    vow_line_put(line, ",\"");
    vow_line_put(line, name);
    vow_line_put(line, "\":\"");
    vow_line_escape(line, VOW_ESCAPE_JSON, text, max, reserve);
    vow_line_put(line, "\"");
}

static void json_put_number(vow_line *line, const char *name, uint64_t number)
{
    vow_line_put(line, ",\"");
    vow_line_put(line, name);
    vow_line_put(line, "\":");
    vow_line_put_number(line, number);
}

static void json_put(vow_line *line, const vow_call *call, const access *access,
                     const vow_call_result *result)
{
    int64_t left_ms = vow_call_time_left_ms(call);

    json_put_text(line, "side", vow_call_is_served(call) ? "server" : "channel", SIZE_MAX, 0);
    json_put_text(line, "method", vow_call_method(call)->name, METHOD_SIZE_MAX, 0);
    json_put_text(line, "peer", vow_call_peer(call), PEER_SIZE_MAX, 0);
    json_put_text(line, "code", vow_code_name(result->code), SIZE_MAX, 0);
    vow_line_put(line, ",\"duration_ms\":");
    line_put_ms(line, result->duration_ns);
    json_put_number(line, "received_count", result->received_count);
    json_put_number(line, "received_bytes", result->received_bytes);
    json_put_number(line, "sent_count", result->sent_count);
    json_put_number(line, "sent_bytes", result->sent_bytes);
    if (access->timeout_ms != INT64_MAX)
        json_put_number(line, "timeout_ms", (uint64_t)access->timeout_ms);
    if (left_ms != INT64_MAX)
        json_put_number(line, "left_ms", (uint64_t)left_ms);
    json_put_text(line, "trace_id", access->trace_id, SIZE_MAX, 0);
    json_put_text(line, "message", result->message, SIZE_MAX, sizeof "\"}" - 1);
    vow_line_put(line, "}");
}

/* A call */

static vow_future *access_begin(vow_call *call, void *arg)
{
    access *access = vow_call_slot(call, arg, sizeof *access);

    if (!access)
        return NULL; /* the line then lacks these */
    access->has_begun = true;
    access->timeout_ms = vow_call_time_left_ms(call);
    access_read_trace(access, metadata_find(vow_call_is_served(call) ? vow_call_metadata(call)
                                                                     : vow_call_sent_metadata(call),
                                            "traceparent"));
    return NULL;
}

static void access_end(vow_call *call, const vow_call_result *result, void *arg)
{
    static const access   unknown = { .timeout_ms = INT64_MAX };
    const vow_access_log *log = arg;
    const access         *access = vow_call_slot(call, log, sizeof *access);
    char                  data[LINE_SIZE_MAX + 1];
    vow_line              line;

    if (!access || !access->has_begun)
        access = &unknown;
    /* One byte less, so that the line's end has room. On the stack, since `write` may end other calls. */
    vow_line_init(&line, data, log->options.max_line_size);
    if (log->options.format == VOW_LOG_JSON)
        vow_line_put(&line, "{\"time\":\"");
    line_put_time(&line, log->options.now_ms(log->options.now_arg));
    if (log->options.format == VOW_LOG_JSON) {
        vow_line_put(&line, "\"");
        json_put(&line, call, access, result);
    } else {
        text_put(&line, call, access, result);
    }
    data[line.size++] = '\n';
    data[line.size] = '\0';
    log->write(data, line.size, log->arg);
}

/* Life */

static size_t line_size_within_bounds(size_t size)
{
    if (size == 0)
        return LINE_SIZE_DEFAULT;
    return size < LINE_SIZE_MIN ? LINE_SIZE_MIN : size > LINE_SIZE_MAX ? LINE_SIZE_MAX : size;
}

vow_access_log *vow_access_log_new(const vow_access_log_options *options, vow_log_fn *write, void *arg)
{
    vow_access_log *log = vow_service_alloc(sizeof *log);

    if (!log)
        return NULL;
    *log = (vow_access_log){ .write = write, .arg = arg };
    if (options)
        memcpy(&log->options, options, options->size < sizeof *options ? options->size : sizeof *options);
    log->options.max_line_size = line_size_within_bounds(log->options.max_line_size);
    if (!log->options.now_ms)
        log->options.now_ms = system_now_ms;
    log->interceptor = (vow_interceptor){
        .size = sizeof log->interceptor, .begin = access_begin, .end = access_end, .arg = log
    };
    return log;
}

void vow_access_log_free(vow_access_log *log)
{
    vow_service_free(log);
}

const vow_interceptor *vow_access_log_interceptor(const vow_access_log *log)
{
    static const vow_interceptor none = { .size = sizeof none };

    return log ? &log->interceptor : &none;
}
