#include "runtime/protocol/native/session.h"

#include "runtime/base/memory.h"

#include <string.h>

/* Sending */

static bool native_is_flushed(const vow_session *session)
{
    const vow_native *native = (const vow_native *)session;

    return vow_output_empty(&native->output) && !native->output.is_writing;
}

static void output_drained(vow_output *output)
{
    vow_native *native = vow_native_of(output->session);

    if ((native->life.paused & VOW_PAUSED_FOR_OUTPUT) && vow_native_is_alive(native) &&
        vow_output_pressing(output) <= native->base.options.max_queued_bytes / 64)
        vow_life_pause(&native->life, VOW_PAUSED_FOR_OUTPUT, false);
    vow_life_drained(&native->life);
}

void vow_native_check_output(vow_native *native)
{
    if (vow_output_pressing(&native->output) > native->base.options.max_queued_bytes)
        vow_life_pause(&native->life, VOW_PAUSED_FOR_OUTPUT, true);
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
                                        .stream_window = native->gauge.stream_window,
                                        .connection_window = native->gauge.connection_window };
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
static void native_say_why(vow_life *life, vow_code code, const char *text)
{
    vow_native *native = (vow_native *)life;
    /* Who is turned away may go elsewhere at once with the calls that were not heard. */
    vow_header header = { .kind = VOW_FRAME_GOAWAY,
                          .code = (uint32_t)code,
                          .has_last_call = code == VOW_UNAVAILABLE,
                          .last_call = native->last_peer_call,
                          .text = { (const uint8_t *)text, strlen(text) } };

    if (code == VOW_OK)
        return;
    vow_fit_trim(native, &header);
    session_say_preface(native);
    vow_output_frame(&native->output, &header, (vow_bytes){ NULL, 0 });
}

/* Losing */

static void native_stop(vow_life *life)
{
    vow_native *native = (vow_native *)life;

    vow_timers_disarm(&vow_native_scheduler(native)->timers, &native->input.timer);
}

static void native_lose_calls(vow_life *life, const vow_status *why)
{
    vow_calls_lose((vow_native *)life, why);
}

void vow_native_break(vow_native *native, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vow_life_refuse(&native->life, VOW_INTERNAL, "the peer broke vow's protocol: ", format, arguments);
    va_end(arguments);
}

void vow_native_refuse(vow_native *native, vow_code code, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vow_life_refuse(&native->life, code, "", format, arguments);
    va_end(arguments);
}

void vow_native_give_up(vow_native *native, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vow_life_refuse(&native->life, VOW_UNAVAILABLE, "the connection is stuck: ", format, arguments);
    va_end(arguments);
}

/* Hello and goaway */

void vow_native_greet(vow_native *native, vow_bytes payload)
{
    vow_hello hello;
    vow_error error;

    if (vow_hello_read(&hello, payload.data, payload.size, &error) != VOW_OK) {
        session_say_hello(native); /* a peer that speaks other versions wants to know ours */
        native_say_why(&native->life, error.code, error.message);
        vow_native_lose(native,
                        vow_status_make(error.code, "%s: %s", native->base.options.target, error.message));
        return;
    }
    session_say_hello(native);
    if (!vow_native_is_alive(native))
        return;
    vow_output_agree(&native->output,
                     hello.max_frame_size < native->max_frame_size ? hello.max_frame_size : native->max_frame_size,
                     hello.stream_window, hello.max_message_size);
    native->base.peer_max_message_size = hello.max_message_size;
    native->base.peer_max_calls = hello.max_calls;
    native->peer_stream_window = hello.stream_window;
    native->output.credit = hello.connection_window;
    memcpy(native->base.agent, hello.agent, sizeof hello.agent);
    vow_life_open(&native->life);
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
    if (native->life.state != VOW_LIFE_OPEN) {
        vow_native_break(native, "GOAWAY is not allowed before the hello, but with an error");
        return;
    }
    native->base.goes_away = true;
    if (header->has_last_call)
        session_hear_last_call(native, header->last_call);
    if (native->life.state == VOW_LIFE_OPEN)
        native->base.events->goaway(native->base.owner);
}

/* Events of the stream */

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
    vow_native    *native = owner;
    vow_scheduler *scheduler = vow_native_scheduler(native);

    if (!vow_native_is_alive(native))
        return;
    vow_life_enter(&native->life);
    native->base.heard_ns = vow_scheduler_now_ns(scheduler);
    vow_input_read(native, size);
    /* What was read may have been refused, without a handler that answers. */
    if (native->base.options.is_server && vow_native_is_alive(native))
        vow_native_check_output(native);
    if (!native->output.is_writing)
        vow_scheduler_hasten(scheduler, &native->output.flush);
    vow_life_leave(&native->life);
}

static void stream_written(void *owner)
{
    vow_native *native = owner;

    vow_life_enter(&native->life);
    vow_output_written(&native->output);
    vow_life_leave(&native->life);
}

static const vow_stream_events stream_events = {
    .opened = vow_life_stream_opened,
    .room = stream_room,
    .read = stream_read,
    .written = stream_written,
    .closed = vow_life_stream_closed,
};

/* What rpc hands down */

static bool native_claims(const uint8_t *first, size_t size, bool *need_more)
{
    size_t compared = size < VOW_PREFACE_SIZE ? size : VOW_PREFACE_SIZE;
    bool   fits = memcmp(first, vow_preface, compared) == 0;

    *need_more = fits && size < VOW_PREFACE_SIZE;
    return fits && size >= VOW_PREFACE_SIZE;
}

static void native_forget_calls(vow_life *life)
{
    vow_native *native = (vow_native *)life;

    vow_calls_forget(native);
    vow_input_done(native);
}

static void native_free(vow_life *life)
{
    vow_native *native = (vow_native *)life;

    vow_output_done(&native->output);
    vow_methods_done(&native->methods);
    vow_map_done(&native->ghosts);
    vow_free(native);
}

static const vow_life_kind life_kind = {
    .first_word = "hello",
    .say_why = native_say_why,
    .stop = native_stop,
    .lose_calls = native_lose_calls,
    .forget_calls = native_forget_calls,
    .cancel = vow_calls_cancel_late,
    .free = native_free,
};

static vow_session *native_open(vow_stream *stream, const vow_session_options *options,
                                const vow_session_events *events, void *owner)
{
    vow_native *native = vow_alloc_zeroed(sizeof *native);

    if (!native) {
        vow_stream_close(stream);
        return NULL;
    }
    vow_session_init(&native->base, &vow_protocol_native, stream, options, events, owner);
    vow_life_init(&native->life, &life_kind);
    native->max_frame_size = vow_stream_is_local(stream) ? VOW_FRAME_MAX_LOCAL : VOW_FRAME_MAX;
    native->next_call = options->is_server ? 2 : 1;
    vow_map_init(&native->ghosts);
    vow_methods_init(&native->methods);
    vow_output_init(&native->output, &native->base, output_drained, vow_flow_emptied);
    vow_flow_init(native);
    vow_input_init(native);
    vow_life_begin(&native->life, &stream_events);
    if (!options->is_server)
        session_say_hello(native);
    return &native->base;
}

static void native_goaway(vow_session *session, int step)
{
    vow_native      *native = vow_native_of(session);
    const vow_header goaway = { .kind = VOW_FRAME_GOAWAY,
                                .has_last_call = step == 2,
                                .last_call = native->last_peer_call };

    if (native->life.state != VOW_LIFE_OPEN)
        return;
    native->life.sent_last |= step == 2;
    vow_native_send(native, &goaway);
}

const vow_protocol vow_protocol_native = {
    .name = "vow",
    .alpn = "vow/1",
    .service = "tcp",
    .claims = native_claims,
    .open = native_open,
    .begin = vow_calls_begin,
    .send = vow_flow_send,
    .send_metadata = vow_flow_send_metadata,
    .finish = vow_flow_finish,
    .taken = vow_flow_taken,
    .answer = vow_calls_answer,
    .cancel = vow_calls_cancel,
    .ping = vow_pings_send,
    .lose = vow_life_lose_session,
    .goaway = native_goaway,
    .is_flushed = native_is_flushed,
    .pause = vow_life_pause_session,
    .close = vow_life_close_session,
};
