#include "runtime/protocol/native/session.h"

#include "runtime/base/memory.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* How long a session that was closed may take to send what it had queued. */
#define LAST_WORDS_MS 2000

/* Life */

static void session_end(vow_native *native)
{
    vow_loop *loop = native->base.loop;

    if (native->state != VOW_NATIVE_CLOSED || native->base.stream || native->busy)
        return;
    vow_task_cancel(&native->end);
    vow_task_cancel(&native->lost);
    vow_status_done(&native->why);
    vow_output_done(&native->output);
    vow_methods_done(&native->methods);
    vow_map_done(&native->base.calls);
    vow_map_done(&native->ghosts);
    vow_free(native);
    vow_loop_object_gone(loop);
}

static void session_enter(vow_native *native)
{
    native->busy++;
}

static void session_leave(vow_native *native)
{
    native->busy--;
    session_end(native);
}

/* The stream is no longer ours. */
static void session_drop_stream(vow_native *native)
{
    vow_scheduler *scheduler = vow_native_scheduler(native);

    native->base.stream = NULL;
    vow_timers_disarm(&scheduler->timers, &native->hello_timer);
    if (native->has_last_words)
        vow_scheduler_release(scheduler);
    native->has_last_words = false;
    session_end(native);
}

static bool native_is_flushed(const vow_session *session)
{
    const vow_native *native = (const vow_native *)session;

    return vow_output_empty(&native->output) && !native->output.is_writing;
}

/* Everything that was queued has left: the stream may end. */
static void session_finish(vow_task *task)
{
    vow_native *native = VOW_OWNER(task, vow_native, end);

    if (native->base.stream && native_is_flushed(&native->base)) {
        vow_stream_finish(native->base.stream);
        session_drop_stream(native);
    }
}

static void output_drained(vow_output *output)
{
    vow_native *native = vow_native_of(output->session);

    if (native->state == VOW_NATIVE_CLOSED)
        vow_scheduler_soon(vow_native_scheduler(native), &native->end);
    else if ((native->paused & VOW_PAUSED_FOR_OUTPUT) &&
             vow_output_pressing(output) <= native->base.options.max_queued_bytes / 64)
        vow_native_pause(native, VOW_PAUSED_FOR_OUTPUT, false);
    if (native->state == VOW_NATIVE_OPEN && native->sent_last && native_is_flushed(&native->base))
        native->base.events->flushed(native->base.owner);
}

void vow_native_pause(vow_native *native, unsigned reason, bool paused)
{
    unsigned before = native->paused;

    native->paused = paused ? before | reason : before & ~reason;
    native->base.is_paused = native->paused != 0;
    if (!native->paused) /* what it had no chance to say is not held against the peer */
        native->base.heard_ns = vow_scheduler_now_ns(vow_native_scheduler(native));
    if (!native->base.stream || !before == !native->paused)
        return;
    if (native->paused)
        vow_stream_pause(native->base.stream);
    else
        vow_stream_resume(native->base.stream);
}

/* Sending */

void vow_native_check_output(vow_native *native)
{
    if (vow_output_pressing(&native->output) > native->base.options.max_queued_bytes)
        vow_native_pause(native, VOW_PAUSED_FOR_OUTPUT, true);
}

void vow_native_send(vow_native *native, const vow_header *header)
{
    if (vow_native_is_alive(native) &&
        vow_output_frame(&native->output, header, (vow_bytes){ NULL, 0 }) != VOW_OK)
        vow_native_lose(native, vow_status_no_memory());
}

static void session_say_preface(vow_native *native)
{
    if (native->said_preface)
        return;
    native->said_preface = true;
    if (vow_output_raw(&native->output, vow_preface, VOW_PREFACE_SIZE) != VOW_OK)
        vow_native_lose(native, vow_status_no_memory());
}

static void session_say_hello(vow_native *native)
{
    const vow_session_options *options = &native->base.options;
    const vow_header           header = { .kind = VOW_FRAME_HELLO };
    uint8_t                    payload[VOW_HELLO_MAX];
    const vow_hello            ours = { .max_frame_size = native->max_frame_size,
                                        .max_message_size = options->max_message_size,
                                        .max_calls = options->max_calls,
                                        .stream_window = native->stream_window,
                                        .connection_window = native->connection_window };
    size_t                     size = vow_hello_write(payload, &ours);

    if (native->said_hello)
        return;
    native->said_hello = true;
    session_say_preface(native);
    if (vow_native_is_alive(native) &&
        vow_output_frame(&native->output, &header, (vow_bytes){ payload, size }) != VOW_OK)
        vow_native_lose(native, vow_status_no_memory());
}

/* The last frame of a connection that ends with an error. It may be the first as well: behind a hello, the peer would
 * begin the calls that it has waiting, and lose them. */
static void session_send_goaway(vow_native *native, vow_code code, const char *text)
{
    /* Who is turned away may go elsewhere at once with the calls that were not heard. */
    const vow_header header = { .kind = VOW_FRAME_GOAWAY,
                                .code = (uint32_t)code,
                                .has_last_call = code == VOW_UNAVAILABLE,
                                .last_call = native->last_peer_call,
                                .text = { (const uint8_t *)text, strlen(text) } };

    session_say_preface(native);
    vow_output_frame(&native->output, &header, (vow_bytes){ NULL, 0 });
}

/* Losing */

static void session_lost(vow_task *task)
{
    vow_native *native = VOW_OWNER(task, vow_native, lost);

    session_enter(native);
    vow_calls_lose(native, &native->why);
    if (native->state == VOW_NATIVE_LOST)
        native->base.events->closed(native->base.owner, &native->why);
    session_leave(native);
}

void vow_native_lose(vow_native *native, vow_status why)
{
    vow_scheduler *scheduler = vow_native_scheduler(native);

    if (!vow_native_is_alive(native)) {
        vow_status_done(&why);
        return;
    }
    native->state = VOW_NATIVE_LOST;
    native->why = why;
    native->base.goes_away = true;
    vow_timers_disarm(&scheduler->timers, &native->hello_timer);
    vow_timers_disarm(&scheduler->timers, &native->cancels_back);
    vow_timers_disarm(&scheduler->timers, &native->input.timer);
    vow_native_pause(native, VOW_PAUSED_BY_OWNER, true);
    vow_scheduler_soon(scheduler, &native->lost);
}

void vow_native_break(vow_native *native, const char *format, ...)
{
    vow_error wrong;
    va_list   arguments;

    if (!vow_native_is_alive(native))
        return;
    va_start(arguments, format);
    vsnprintf(wrong.message, sizeof wrong.message, format, arguments);
    va_end(arguments);
    session_send_goaway(native, VOW_INTERNAL, wrong.message);
    vow_native_lose(native, vow_status_make(VOW_INTERNAL, "%s: the peer broke vow's protocol: %s",
                                            native->base.options.target, wrong.message));
}

void vow_native_refuse(vow_native *native, vow_code code, const char *format, ...)
{
    vow_error wrong;
    va_list   arguments;

    if (!vow_native_is_alive(native))
        return;
    va_start(arguments, format);
    vsnprintf(wrong.message, sizeof wrong.message, format, arguments);
    va_end(arguments);
    session_send_goaway(native, code, wrong.message);
    vow_native_lose(native, vow_status_make(code, "%s: %s", native->base.options.target, wrong.message));
}

void vow_native_give_up(vow_native *native, const char *format, ...)
{
    vow_error late;
    va_list   arguments;

    if (!vow_native_is_alive(native))
        return;
    va_start(arguments, format);
    vsnprintf(late.message, sizeof late.message, format, arguments);
    va_end(arguments);
    session_send_goaway(native, VOW_UNAVAILABLE, late.message);
    vow_native_lose(native, vow_status_make(VOW_UNAVAILABLE, "%s: the connection is stuck: %s",
                                            native->base.options.target, late.message));
}

/* Hello and goaway */

static void hello_timed_out(vow_timer *timer)
{
    vow_native *native = VOW_OWNER(timer, vow_native, hello_timer);

    vow_native_lose(native, vow_status_make(VOW_DEADLINE_EXCEEDED, "%s: no hello within %lld ms (%s)",
                                            native->base.options.target,
                                            (long long)native->base.options.message_timeout_ms,
                                            vow_native_timeout_name(native)));
}

void vow_native_greet(vow_native *native, vow_bytes payload)
{
    vow_hello hello;
    vow_error error;

    if (vow_hello_read(&hello, payload.data, payload.size, &error) != VOW_OK) {
        session_say_hello(native); /* a peer that speaks other versions wants to know ours */
        session_send_goaway(native, error.code, error.message);
        vow_native_lose(native,
                        vow_status_make(error.code, "%s: %s", native->base.options.target, error.message));
        return;
    }
    vow_timers_disarm(&vow_native_scheduler(native)->timers, &native->hello_timer);
    session_say_hello(native);
    if (!vow_native_is_alive(native))
        return;
    native->output.max_frame_size =
        hello.max_frame_size < native->max_frame_size ? hello.max_frame_size : native->max_frame_size;
    native->peer_max_message_size = hello.max_message_size;
    native->base.peer_max_calls = hello.max_calls;
    native->peer_stream_window = hello.stream_window;
    native->output.credit = hello.connection_window;
    memcpy(native->base.agent, hello.agent, sizeof hello.agent);
    native->base.is_ready = true;
    native->state = VOW_NATIVE_OPEN;
    native->base.events->ready(native->base.owner);
}

static vow_wire *find_call_after(vow_native *native, uint64_t last)
{
    const vow_map *calls = &native->base.calls;

    for (size_t i = 0; i <= calls->mask; i++) {
        for (vow_map_node *node = calls->buckets[i]; node; node = node->next) {
            vow_wire *wire = VOW_OWNER(node, vow_wire, node);

            if (wire->is_ours && node->key > last)
                return wire;
        }
    }
    return NULL;
}

/* The peer has served no call after `last`, and will serve none. */
static void session_end_unserved(vow_native *native, uint64_t last, const vow_status *why)
{
    vow_wire *wire;

    while ((wire = find_call_after(native, last)))
        vow_calls_end(native, wire, VOW_ENDING(.status = *why, .never_ran = true));
}

static void session_hear_error(vow_native *native, const vow_header *header)
{
    vow_code   code = header->code <= VOW_UNAUTHENTICATED ? (vow_code)header->code : VOW_UNKNOWN;
    vow_status said = vow_status_copy_text(code, (const char *)header->text.data, header->text.size);
    vow_status why = vow_status_make(code, "%s: the peer ended the connection: %s", native->base.options.target,
                                     vow_status_message(&said));

    vow_status_done(&said);
    native->base.goes_away = true;
    if (header->has_last_call)
        session_end_unserved(native, header->last_call, &why);
    vow_native_lose(native, why);
}

static void session_hear_last_call(vow_native *native, uint64_t last)
{
    vow_status why = vow_status_make(VOW_UNAVAILABLE, "%s: the server is stopping, and did not serve the call",
                                     native->base.options.target);

    session_end_unserved(native, last, &why);
    vow_status_done(&why);
}

void vow_native_hear_goaway(vow_native *native, const vow_header *header)
{
    if (header->code) {
        session_hear_error(native, header);
        return;
    }
    if (native->state != VOW_NATIVE_OPEN) {
        vow_native_break(native, "GOAWAY is not allowed before the hello, but with an error");
        return;
    }
    native->base.goes_away = true;
    if (header->has_last_call)
        session_hear_last_call(native, header->last_call);
    if (native->state == VOW_NATIVE_OPEN)
        native->base.events->goaway(native->base.owner);
}

/* Events of the stream */

static void stream_opened(void *owner)
{
    (void)owner; /* a session is made of a stream that is open */
}

static vow_room stream_room(void *owner)
{
    vow_native *native = owner;
    uint8_t    *block;

    if (vow_native_is_alive(native))
        return vow_input_room(native);
    block = vow_loop_read_block(native->base.loop);
    return (vow_room){ block, block ? VOW_READ_BLOCK : 0 };
}

static void stream_read(void *owner, size_t size)
{
    vow_native *native = owner;

    if (!vow_native_is_alive(native))
        return;
    session_enter(native);
    native->base.heard_ns = vow_scheduler_now_ns(vow_native_scheduler(native));
    vow_input_read(native, size);
    /* What was read may have been refused, without a handler that answers. */
    if (native->base.options.is_server && vow_native_is_alive(native))
        vow_native_check_output(native);
    session_leave(native);
}

static void stream_written(void *owner)
{
    vow_native *native = owner;

    session_enter(native);
    vow_output_written(&native->output);
    session_leave(native);
}

static void stream_closed(void *owner, const vow_status *why)
{
    vow_native *native = owner;

    native->base.stream = NULL;
    if (native->state == VOW_NATIVE_CLOSED)
        session_drop_stream(native);
    else if (why->code == VOW_OK && native->base.calls.count == 0)
        vow_native_lose(native, VOW_STATUS_OK);
    else if (why->code == VOW_OK)
        vow_native_lose(native, vow_status_make(VOW_UNAVAILABLE, "%s: the peer closed the connection",
                                                native->base.options.target));
    else
        vow_native_lose(native, vow_status_share(why));
}

static const vow_stream_events stream_events = {
    .opened = stream_opened,
    .room = stream_room,
    .read = stream_read,
    .written = stream_written,
    .closed = stream_closed,
};

/* What rpc hands down */

static bool native_claims(const uint8_t *first, size_t size, bool *need_more)
{
    size_t compared = size < VOW_PREFACE_SIZE ? size : VOW_PREFACE_SIZE;
    bool   fits = memcmp(first, vow_preface, compared) == 0;

    *need_more = fits && size < VOW_PREFACE_SIZE;
    return fits && size >= VOW_PREFACE_SIZE;
}

static void native_init(vow_native *native, vow_stream *stream, const vow_session_options *options,
                        const vow_session_events *events, void *owner)
{
    native->base.protocol = &vow_protocol_native;
    native->base.events = events;
    native->base.owner = owner;
    native->base.loop = stream->loop;
    native->base.stream = stream;
    native->base.options = *options;
    native->max_frame_size = vow_stream_is_local(stream) ? VOW_FRAME_MAX_LOCAL : VOW_FRAME_MAX;
    native->peer_max_message_size = UINT64_MAX;
    native->next_call = options->is_server ? 2 : 1;
    vow_bucket_init(&native->cancels, VOW_CANCELS_MAX, VOW_CANCELS_PER_S,
                    vow_scheduler_now_ns(vow_scheduler_of(stream->loop)));
    vow_map_init(&native->base.calls);
    vow_map_init(&native->ghosts);
    vow_methods_init(&native->methods);
    vow_output_init(&native->output, &native->base, output_drained, vow_flow_emptied);
    vow_flow_init(native);
    vow_input_init(native);
    vow_timer_init(&native->hello_timer, hello_timed_out);
    vow_timer_init(&native->cancels_back, NULL);
    vow_task_init(&native->lost, session_lost);
    vow_task_init(&native->end, session_finish);
    vow_loop_object_born(native->base.loop);
}

static vow_session *native_open(vow_stream *stream, const vow_session_options *options,
                                const vow_session_events *events, void *owner)
{
    vow_native    *native = vow_alloc_zeroed(sizeof *native);
    vow_scheduler *scheduler = vow_scheduler_of(stream->loop);

    if (!native) {
        vow_stream_close(stream);
        return NULL;
    }
    native_init(native, stream, options, events, owner);
    vow_stream_adopt(stream, &stream_events, native);
    vow_timers_arm(&scheduler->timers, &native->hello_timer,
                   vow_scheduler_after_ms(scheduler, options->message_timeout_ms));
    if (!options->is_server)
        session_say_hello(native);
    return &native->base;
}

static void native_lose(vow_session *session, const vow_status *why)
{
    vow_native *native = vow_native_of(session);

    if (!vow_native_is_alive(native))
        return;
    session_send_goaway(native, why->code, vow_status_message(why));
    vow_native_lose(native, vow_status_share(why));
}

static void native_goaway(vow_session *session, int step)
{
    vow_native      *native = vow_native_of(session);
    const vow_header goaway = { .kind = VOW_FRAME_GOAWAY,
                                .has_last_call = step == 2,
                                .last_call = native->last_peer_call };

    if (native->state != VOW_NATIVE_OPEN)
        return;
    native->sent_last |= step == 2;
    vow_native_send(native, &goaway);
}

static void native_pause(vow_session *session, bool paused)
{
    vow_native *native = vow_native_of(session);

    if (vow_native_is_alive(native))
        vow_native_pause(native, VOW_PAUSED_BY_OWNER, paused);
}

static void last_words_over(vow_timer *timer)
{
    vow_native *native = VOW_OWNER(timer, vow_native, hello_timer);

    vow_stream_close(native->base.stream);
    session_drop_stream(native);
}

/* What was queued still leaves, within a time. Both ends may be doing so: what comes meanwhile is read and
 * dropped, or neither would ever be rid of its own. */
static void session_say_last_words(vow_native *native)
{
    vow_scheduler *scheduler = vow_native_scheduler(native);

    vow_scheduler_hold(scheduler);
    native->has_last_words = true;
    vow_native_pause(native, ~0u, false);
    vow_timer_init(&native->hello_timer, last_words_over);
    vow_timers_arm(&scheduler->timers, &native->hello_timer,
                   vow_scheduler_after_ms(scheduler, LAST_WORDS_MS));
    vow_scheduler_soon(scheduler, &native->end);
}

static void native_close(vow_session *session, const vow_status *why)
{
    vow_native *native = vow_native_of(session);

    assert(native->state != VOW_NATIVE_CLOSED);
    if (why && native->base.stream && vow_native_is_alive(native))
        session_send_goaway(native, why->code, vow_status_message(why));
    vow_timers_disarm(&vow_native_scheduler(native)->timers, &native->hello_timer);
    vow_timers_disarm(&vow_native_scheduler(native)->timers, &native->cancels_back);
    vow_task_cancel(&native->lost);
    native->state = VOW_NATIVE_CLOSED;
    vow_calls_forget(native);
    vow_input_done(native);
    vow_held_leave_account(&native->base);
    if (native->base.stream)
        session_say_last_words(native);
    session_end(native);
}

const vow_protocol vow_protocol_native = {
    .name = "vow",
    .alpn = "vow/1",
    .service = "tcp",
    .claims = native_claims,
    .open = native_open,
    .begin = vow_calls_begin,
    .send = vow_flow_send,
    .finish = vow_flow_finish,
    .taken = vow_flow_taken,
    .answer = vow_calls_answer,
    .cancel = vow_calls_cancel,
    .ping = vow_pings_send,
    .lose = native_lose,
    .goaway = native_goaway,
    .is_flushed = native_is_flushed,
    .pause = native_pause,
    .close = native_close,
};
