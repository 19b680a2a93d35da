#include "runtime/protocol/grpc/session.h"

#include "runtime/base/memory.h"

#include <stdio.h>
#include <string.h>

/* What this side takes. */
#define SETTINGS_ENTRIES_MAX 32

/* Answers to PING and SETTINGS that the peer has not taken. */
#define ACKS_MAX 1000

/* Losing */

static void session_send_goaway(vow_grpc *grpc, uint32_t error, const char *text)
{
    nghttp2_submit_goaway(grpc->http, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(grpc->http),
                          error, (const uint8_t *)text, strlen(text));
    vow_grpc_flush_later(grpc);
}

void vow_grpc_refuse(vow_grpc *grpc, vow_code code, uint32_t error, const char *format, ...)
{
    vow_error wrong;
    va_list   arguments;

    if (!vow_grpc_is_alive(grpc))
        return;
    va_start(arguments, format);
    vsnprintf(wrong.message, sizeof wrong.message, format, arguments);
    va_end(arguments);
    session_send_goaway(grpc, error, wrong.message);
    vow_grpc_lose(grpc, vow_status_make(code, "%s: %s", grpc->base.options.target, wrong.message));
}

static const struct {
    vow_code    code;
    const char *name;
} http2_errors[] = {
    [NGHTTP2_NO_ERROR] = { VOW_INTERNAL, "NO_ERROR" },
    [NGHTTP2_PROTOCOL_ERROR] = { VOW_INTERNAL, "PROTOCOL_ERROR" },
    [NGHTTP2_INTERNAL_ERROR] = { VOW_INTERNAL, "INTERNAL_ERROR" },
    [NGHTTP2_FLOW_CONTROL_ERROR] = { VOW_INTERNAL, "FLOW_CONTROL_ERROR" },
    [NGHTTP2_SETTINGS_TIMEOUT] = { VOW_INTERNAL, "SETTINGS_TIMEOUT" },
    [NGHTTP2_STREAM_CLOSED] = { VOW_INTERNAL, "STREAM_CLOSED" },
    [NGHTTP2_FRAME_SIZE_ERROR] = { VOW_INTERNAL, "FRAME_SIZE_ERROR" },
    [NGHTTP2_REFUSED_STREAM] = { VOW_UNAVAILABLE, "REFUSED_STREAM" },
    [NGHTTP2_CANCEL] = { VOW_CANCELLED, "CANCEL" },
    [NGHTTP2_COMPRESSION_ERROR] = { VOW_INTERNAL, "COMPRESSION_ERROR" },
    [NGHTTP2_CONNECT_ERROR] = { VOW_INTERNAL, "CONNECT_ERROR" },
    [NGHTTP2_ENHANCE_YOUR_CALM] = { VOW_RESOURCE_EXHAUSTED, "ENHANCE_YOUR_CALM" },
    [NGHTTP2_INADEQUATE_SECURITY] = { VOW_PERMISSION_DENIED, "INADEQUATE_SECURITY" },
    [NGHTTP2_HTTP_1_1_REQUIRED] = { VOW_UNKNOWN, "HTTP_1_1_REQUIRED" },
};

vow_code vow_grpc_code_of_http2(uint32_t error, const char **what)
{
    bool is_known = error < sizeof http2_errors / sizeof http2_errors[0];

    *what = is_known ? http2_errors[error].name : "an unknown error";
    return is_known ? http2_errors[error].code : VOW_UNKNOWN;
}

void vow_grpc_http_failed(vow_grpc *grpc, int error)
{
    if (error == NGHTTP2_ERR_BAD_CLIENT_MAGIC)
        vow_grpc_lose(grpc, vow_status_make(VOW_UNAVAILABLE, "%s: the peer does not speak HTTP/2",
                                            grpc->base.options.target));
    else if (error == NGHTTP2_ERR_NOMEM || error == NGHTTP2_ERR_CALLBACK_FAILURE)
        vow_grpc_lose(grpc, vow_status_no_memory());
    else if (error == NGHTTP2_ERR_FLOODED)
        vow_grpc_refuse(grpc, VOW_RESOURCE_EXHAUSTED, NGHTTP2_ENHANCE_YOUR_CALM,
                        "%d frames came whose answers were not taken", ACKS_MAX);
    else
        vow_grpc_lose(grpc, vow_status_make(VOW_INTERNAL, "%s: the peer broke HTTP/2: %s",
                                            grpc->base.options.target, nghttp2_strerror(error)));
}

/* Frames that concern no call */

static void settings_came(vow_grpc *grpc)
{
    uint32_t most = nghttp2_session_get_remote_settings(grpc->http, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
    size_t   before = grpc->base.peer_max_calls;

    grpc->base.peer_max_calls = most;
    if (grpc->life.state == VOW_LIFE_PREFACE)
        vow_life_open(&grpc->life);
    else if (most > before)
        grpc->base.events->place(grpc->base.owner);
}

static void goaway_came(vow_grpc *grpc, const nghttp2_goaway *goaway)
{
    const char *what;
    vow_code    code = vow_grpc_code_of_http2(goaway->error_code, &what);

    grpc->base.goes_away = true;
    if (goaway->error_code != NGHTTP2_NO_ERROR)
        vow_grpc_lose(grpc, vow_status_make(code, "%s: the peer ended the connection with %s: %.*s",
                                            grpc->base.options.target, what, (int)goaway->opaque_data_len,
                                            (const char *)goaway->opaque_data));
    else if (vow_grpc_is_alive(grpc))
        grpc->base.events->goaway(grpc->base.owner);
}

/* What answers no ping of ours is left alone: it harms nobody. */
static void pong_came(vow_grpc *grpc, const uint8_t payload[8])
{
    uint64_t number;

    memcpy(&number, payload, sizeof number);
    if (number > 0 && number <= grpc->pings && !vow_grpc_gauge_pong(grpc, number))
        grpc->base.events->pong(grpc->base.owner, number);
}

static int on_frame(nghttp2_session *http, const nghttp2_frame *frame, void *user)
{
    vow_grpc      *grpc = user;
    vow_grpc_call *call;

    (void)http;
    if (!vow_grpc_is_alive(grpc))
        return 0;
    switch (frame->hd.type) {
    case NGHTTP2_SETTINGS:
        if (!(frame->hd.flags & NGHTTP2_FLAG_ACK))
            settings_came(grpc);
        break;
    case NGHTTP2_HEADERS:
        vow_grpc_headers_came(grpc, frame);
        break;
    case NGHTTP2_DATA:
        call = vow_grpc_find(grpc, frame->hd.stream_id);
        if (call && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
            vow_grpc_stream_ended(call);
        break;
    case NGHTTP2_PING:
        if (frame->hd.flags & NGHTTP2_FLAG_ACK)
            pong_came(grpc, frame->ping.opaque_data);
        else
            vow_grpc_watch_ping(grpc);
        break;
    case NGHTTP2_GOAWAY:
        goaway_came(grpc, &frame->goaway);
        break;
    default:
        break;
    }
    return 0;
}

/* A stream that was refused before it was one: calls tell of themselves when they end. */
static int on_invalid_frame(nghttp2_session *http, const nghttp2_frame *frame, int error, void *user)
{
    vow_grpc *grpc = user;

    (void)http;
    (void)error;
    if (grpc->base.options.is_server && !vow_grpc_find(grpc, frame->hd.stream_id))
        vow_grpc_watch_cancel(grpc);
    return 0;
}

/* Events of the stream */

static void stream_written(void *owner)
{
    vow_grpc *grpc = owner;

    grpc->is_writing = false;
    grpc->leaving.size = 0;
    vow_grpc_flush(grpc);
}

/* What was being written is not ours any more. */
static void stream_closed(void *owner, const vow_status *why)
{
    vow_grpc *grpc = owner;

    grpc->is_writing = false;
    vow_life_stream_closed(owner, why);
}

static const vow_stream_events stream_events = {
    .opened = vow_life_stream_opened,
    .room = vow_grpc_room,
    .read = vow_grpc_read,
    .written = stream_written,
    .closed = stream_closed,
};

/* Opening */

static void *http_alloc(size_t size, void *user)
{
    (void)user;
    return vow_alloc(size);
}

static void http_free(void *memory, void *user)
{
    (void)user;
    vow_free(memory);
}

static void *http_calloc(size_t count, size_t size, void *user)
{
    (void)user;
    return size && count > SIZE_MAX / size ? NULL : vow_alloc_zeroed(count * size);
}

static void *http_realloc(void *memory, size_t size, void *user)
{
    (void)user;
    return vow_resize(memory, size);
}

static int http_set_callbacks(nghttp2_session_callbacks **callbacks)
{
    int error = nghttp2_session_callbacks_new(callbacks);

    if (error)
        return error;
    nghttp2_session_callbacks_set_on_begin_headers_callback(*callbacks, vow_grpc_on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(*callbacks, vow_grpc_on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(*callbacks, on_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(*callbacks, vow_grpc_on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(*callbacks, vow_grpc_on_stream_close);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(*callbacks, on_invalid_frame);
    nghttp2_session_callbacks_set_before_frame_send_callback(*callbacks, vow_grpc_before_frame);
    nghttp2_session_callbacks_set_on_frame_send_callback(*callbacks, vow_grpc_on_frame_sent);
    nghttp2_session_callbacks_set_send_data_callback(*callbacks, vow_grpc_send_data);
    nghttp2_session_callbacks_set_data_source_read_length_callback(*callbacks, vow_grpc_frame_size);
    return 0;
}

/* Windows are opened by hand, as messages are taken. nghttp2's own limiter of resets knows no answers; what
 * costs is counted here. */
static int http_set_options(nghttp2_option **option)
{
    int error = nghttp2_option_new(option);

    if (error)
        return error;
    nghttp2_option_set_no_auto_window_update(*option, 1);
    nghttp2_option_set_no_closed_streams(*option, 1);
    nghttp2_option_set_max_settings(*option, SETTINGS_ENTRIES_MAX);
    nghttp2_option_set_max_outbound_ack(*option, ACKS_MAX);
    nghttp2_option_set_max_continuations(*option, VOW_HTTP2_CONTINUATIONS_MAX);
    nghttp2_option_set_stream_reset_rate_limit(*option, UINT32_MAX, UINT32_MAX);
    return 0;
}

static int http_say_hello(vow_grpc *grpc)
{
    const vow_session_options   *options = &grpc->base.options;
    const nghttp2_settings_entry settings[] = {
        { NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, options->is_server ? (uint32_t)options->max_calls : 0 },
        { NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, (uint32_t)vow_grpc_first_window(grpc) },
        { NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, (uint32_t)options->max_metadata_size },
        { NGHTTP2_SETTINGS_MAX_FRAME_SIZE,
          vow_stream_is_local(grpc->base.stream) ? VOW_GRPC_FRAME_LOCAL : VOW_GRPC_FRAME },
        { NGHTTP2_SETTINGS_ENABLE_PUSH, 0 },
    };
    size_t count = sizeof settings / sizeof settings[0] - options->is_server; /* ENABLE_PUSH is a client's */
    int    error = nghttp2_submit_settings(grpc->http, NGHTTP2_FLAG_NONE, settings, count);

    if (error)
        return error;
    return vow_grpc_tell_window(grpc);
}

static bool http_open(vow_grpc *grpc)
{
    nghttp2_mem                memory = { NULL, http_alloc, http_free, http_calloc, http_realloc };
    nghttp2_session_callbacks *callbacks = NULL;
    nghttp2_option            *option = NULL;
    int                        error = http_set_callbacks(&callbacks);

    if (!error)
        error = http_set_options(&option);
    if (!error && grpc->base.options.is_server)
        error = nghttp2_session_server_new3(&grpc->http, callbacks, grpc, option, &memory);
    else if (!error)
        error = nghttp2_session_client_new3(&grpc->http, callbacks, grpc, option, &memory);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_option_del(option);
    return !error && http_say_hello(grpc) == 0;
}

static void session_leaves(vow_task *task)
{
    vow_grpc *grpc = VOW_OWNER(task, vow_grpc, leave);

    vow_life_enter(&grpc->life);
    if (vow_grpc_is_alive(grpc))
        grpc->base.events->goaway(grpc->base.owner);
    vow_life_leave(&grpc->life);
}

void vow_grpc_ids_run_out(vow_grpc *grpc)
{
    grpc->base.goes_away = true;
    vow_scheduler_soon(vow_grpc_scheduler(grpc), &grpc->leave);
}

static uint32_t http2_error_of_code(vow_code code)
{
    switch (code) {
    case VOW_OK:
    case VOW_UNAVAILABLE:
    case VOW_CANCELLED:
        return NGHTTP2_NO_ERROR;
    case VOW_RESOURCE_EXHAUSTED:
        return NGHTTP2_ENHANCE_YOUR_CALM;
    case VOW_PERMISSION_DENIED: /* a port that takes TLS only */
        return NGHTTP2_INADEQUATE_SECURITY;
    default:
        return NGHTTP2_INTERNAL_ERROR;
    }
}

static void grpc_say_why(vow_life *life, vow_code code, const char *text)
{
    session_send_goaway((vow_grpc *)life, http2_error_of_code(code), text);
}

static void grpc_stop(vow_life *life)
{
    vow_grpc *grpc = (vow_grpc *)life;

    grpc->must_not_feed = true;
    vow_grpc_watch_stop(grpc);
}

static void grpc_lose_calls(vow_life *life, const vow_status *why)
{
    vow_grpc_calls_lose((vow_grpc *)life, why);
}

static void grpc_forget_calls(vow_life *life)
{
    vow_grpc *grpc = (vow_grpc *)life;

    vow_grpc_watch_stop(grpc);
    vow_grpc_calls_detach(grpc);
    vow_grpc_flush_later(grpc); /* what is left */
}

static void grpc_free(vow_life *life)
{
    vow_grpc *grpc = (vow_grpc *)life;

    vow_task_cancel(&grpc->flush);
    vow_task_cancel(&grpc->leave);
    vow_grpc_calls_forget(grpc);
    nghttp2_session_del(grpc->http);
    vow_grpc_fields_clear(&grpc->fields);
    vow_buffer_give(&grpc->base, &grpc->filling);
    vow_buffer_give(&grpc->base, &grpc->leaving);
    vow_free(grpc->authority);
    vow_free(grpc);
}

static const vow_life_kind life_kind = {
    .first_word = "SETTINGS",
    .say_why = grpc_say_why,
    .stop = grpc_stop,
    .lose_calls = grpc_lose_calls,
    .forget_calls = grpc_forget_calls,
    .cancel = vow_grpc_cancel_late,
    .free = grpc_free,
};

static vow_session *grpc_open(vow_stream *stream, const vow_session_options *options,
                              const vow_session_events *events, void *owner)
{
    vow_grpc *grpc = vow_alloc_zeroed(sizeof *grpc);

    if (!grpc) {
        vow_stream_close(stream);
        return NULL;
    }
    vow_session_init(&grpc->base, &vow_protocol_grpc, stream, options, events, owner);
    vow_life_init(&grpc->life, &life_kind);
    vow_list_init(&grpc->calls);
    vow_grpc_fields_init(&grpc->fields, &grpc->base);
    vow_task_init(&grpc->flush, vow_grpc_flush_task);
    grpc->flush_at = SIZE_MAX; /* until the first words have left */
    vow_task_init(&grpc->leave, session_leaves);
    vow_grpc_watch_init(grpc);
    vow_gauge_init(&grpc->gauge, vow_grpc_first_window(grpc), stream);
    grpc->base.options.authority = NULL; /* was lent */
    grpc->authority = options->is_server ? NULL : vow_text_copy(options->authority);
    if (!(options->is_server || grpc->authority) || !http_open(grpc)) {
        vow_life_abandon(&grpc->life);
        return NULL;
    }
    vow_life_begin(&grpc->life, &stream_events);
    vow_grpc_flush_later(grpc);
    return &grpc->base;
}

/* What rpc hands down */

static void ping_submit(vow_grpc *grpc, uint64_t number)
{
    uint8_t payload[8];

    memcpy(payload, &number, sizeof payload);
    if (nghttp2_submit_ping(grpc->http, NGHTTP2_FLAG_NONE, payload) != 0)
        vow_grpc_lose(grpc, vow_status_no_memory());
    vow_grpc_flush_later(grpc);
}

/* nghttp2 sends a PING before all else; but one that follows a goaway asks whether that has arrived. */
static uint64_t grpc_ping(vow_session *session)
{
    vow_grpc *grpc = vow_grpc_of(session);

    if (!vow_grpc_is_alive(grpc))
        return 0;
    grpc->pings++;
    if (grpc->goaway_waits)
        grpc->pings_waiting++;
    else
        ping_submit(grpc, grpc->pings);
    return vow_grpc_is_alive(grpc) ? grpc->pings : 0;
}

void vow_grpc_goaway_sent(vow_grpc *grpc, const nghttp2_goaway *goaway)
{
    const char *what;

    grpc->goaway_waits = false;
    for (; grpc->pings_waiting > 0 && vow_grpc_is_alive(grpc); grpc->pings_waiting--)
        ping_submit(grpc, grpc->pings - grpc->pings_waiting + 1);
    if (goaway->error_code == NGHTTP2_NO_ERROR || !vow_grpc_is_alive(grpc))
        return;
    /* It was nghttp2's own. What has not begun with SETTINGS may speak something else, or have been turned
     * away before the server knew what it speaks. */
    vow_grpc_code_of_http2(goaway->error_code, &what);
    vow_grpc_lose(grpc,
                  vow_status_make(grpc->base.is_ready ? VOW_INTERNAL : VOW_UNAVAILABLE,
                                  "%s: the peer broke HTTP/2: %s: %.*s", grpc->base.options.target, what,
                                  (int)goaway->opaque_data_len, (const char *)goaway->opaque_data));
}

static void grpc_goaway(vow_session *session, int step)
{
    vow_grpc *grpc = vow_grpc_of(session);
    int       error;

    if (!vow_grpc_is_alive(grpc))
        return;
    grpc->life.sent_last |= step == 2;
    grpc->goaway_waits = true;
    if (step == 1)
        error = nghttp2_submit_shutdown_notice(grpc->http);
    else
        error = nghttp2_submit_goaway(grpc->http, NGHTTP2_FLAG_NONE,
                                      nghttp2_session_get_last_proc_stream_id(grpc->http), NGHTTP2_NO_ERROR,
                                      NULL, 0);
    if (error)
        vow_grpc_lose(grpc, vow_status_no_memory());
    vow_grpc_flush_later(grpc);
}

static bool grpc_claims(const uint8_t *first, size_t size, bool *need_more)
{
    size_t compared = size < NGHTTP2_CLIENT_MAGIC_LEN ? size : NGHTTP2_CLIENT_MAGIC_LEN;
    bool   fits = memcmp(first, NGHTTP2_CLIENT_MAGIC, compared) == 0;

    *need_more = fits && size < NGHTTP2_CLIENT_MAGIC_LEN;
    return fits && size >= NGHTTP2_CLIENT_MAGIC_LEN;
}

const vow_protocol vow_protocol_grpc = {
    .name = "gRPC",
    .alpn = "h2",
    .service = "grpc",
    .claims = grpc_claims,
    .open = grpc_open,
    .begin = vow_grpc_begin,
    .send = vow_grpc_send,
    .send_metadata = vow_grpc_send_metadata,
    .finish = vow_grpc_finish,
    .taken = vow_grpc_taken,
    .answer = vow_grpc_answer,
    .cancel = vow_grpc_cancel,
    .ping = grpc_ping,
    .lose = vow_life_lose_session,
    .goaway = grpc_goaway,
    .is_flushed = vow_grpc_is_flushed,
    .pause = vow_life_pause_session,
    .close = vow_life_close_session,
};
