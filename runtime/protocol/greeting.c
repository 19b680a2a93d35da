#include "runtime/protocol/greeting.h"

#include "runtime/base/memory.h"
#include "runtime/protocol/held.h"
#include "runtime/protocol/life.h"

#include <stdio.h>
#include <string.h>

/* No protocol needs more to be told from the others. */
#define FIRST_BYTES_MAX 24

/* What a client says while it waits for its handshake is kept: its first message, which one record holds (RFC 8446,
 * section 5.1). Nothing may come behind it yet. */
#define HELLO_FIRST ((size_t)1 << 10)
#define HELLO_MAX (((size_t)16 << 10) + 5)

/* Who is refused is listened to for so long, to be told why in its own protocol; and so many of them at once
 * on a loop. A client that says nothing in this time, and those beyond, are told in vow's. */
#define REFUSAL_MS 1000
#define REFUSALS_MAX 256

/* Of a reason in HTTP/1.1, and of the whole answer. */
#define REASON_MAX 512
#define ANSWER_MAX (REASON_MAX + 256)

static const vow_protocol *const protocols[] = { &vow_protocol_native, &vow_protocol_grpc };

typedef struct greeting {
    vow_session base; /* first */
    vow_timer   timer;
    vow_tls_turn turn; /* for a handshake of TLS */
    vow_buffer  hello; /* what came while it waits for that, `first` included */
    uint64_t    latest_ns;
    vow_task    step;
    vow_status  why; /* it was lost, or is refused */
    uint8_t     first[FIRST_BYTES_MAX];
    size_t      size;
    bool        is_secure; /* the stream has TLS */
    bool        is_lost;
    bool        is_refused; /* rpc has closed it */
} greeting;

/* Life */

static greeting *greeting_of(vow_session *session)
{
    return (greeting *)session;
}

static vow_scheduler *greeting_scheduler(const greeting *greeting)
{
    return vow_scheduler_of(greeting->base.loop);
}

static void greeting_free(greeting *greeting)
{
    vow_loop *loop = greeting->base.loop;

    vow_timers_disarm(&vow_scheduler_of(loop)->timers, &greeting->timer);
    vow_tls_turn_give(&greeting->turn);
    vow_buffer_give(&greeting->base, &greeting->hello);
    vow_task_cancel(&greeting->step);
    vow_status_done(&greeting->why);
    if (greeting->is_refused) {
        loop->refusals--;
        vow_scheduler_release(vow_scheduler_of(loop));
    }
    vow_free(greeting);
    vow_loop_object_gone(loop);
}

/* `why` is given. Of a refused one nobody wants to know. */
static void greeting_lose(greeting *greeting, vow_status why)
{
    vow_stream *stream = greeting->base.stream;

    greeting->base.stream = NULL;
    if (stream)
        vow_stream_close(stream);
    vow_tls_turn_give(&greeting->turn);
    if (greeting->is_refused) {
        vow_status_done(&why);
        greeting_free(greeting);
        return;
    }
    vow_status_done(&greeting->why);
    greeting->why = why;
    greeting->is_lost = true;
    vow_scheduler_soon(greeting_scheduler(greeting), &greeting->step);
}

static void greeting_timed_out(vow_timer *timer)
{
    greeting *greeting = VOW_OWNER(timer, struct greeting, timer);

    greeting_lose(greeting,
                  vow_status_make(VOW_DEADLINE_EXCEEDED, "%s: no hello within %lld ms (hello_timeout_ms)",
                                  greeting->base.options.target,
                                  (long long)greeting->base.options.message_timeout_ms));
}

/* Recognising, and refusing */

static const vow_stream_events stream_events;

/* Reads on, unless what has come has still to be looked at, or rpc wants nothing to be read. */
static void greeting_listen(greeting *greeting)
{
    if (greeting->base.stream && !greeting->base.is_paused && !vow_task_queued(&greeting->step))
        vow_stream_resume(greeting->base.stream);
}

static vow_tls_context *greeting_tls(const greeting *greeting)
{
    return greeting->base.options.tls ? *greeting->base.options.tls : NULL;
}

/* Hands the stream on, with what was read of it. NULL: no memory; it is closed. */
static vow_stream *greeting_give_stream(greeting *greeting)
{
    vow_stream    *stream = greeting->base.stream;
    const uint8_t *read = greeting->hello.size ? greeting->hello.data : greeting->first;
    size_t         size = greeting->hello.size ? greeting->hello.size : greeting->size;

    greeting->base.stream = NULL;
    if (size > 0 && vow_stream_unread(stream, read, size) != VOW_OK) {
        vow_stream_close(stream);
        return NULL;
    }
    vow_stream_resume(stream);
    return stream;
}

/* Ends the connection with a reason, in the protocol's own words. */
static void greeting_refuse_in(greeting *greeting, const vow_protocol *protocol, const vow_status *why)
{
    vow_stream  *stream = greeting_give_stream(greeting);
    vow_session *session = NULL;

    if (stream)
        session =
            protocol->open(stream, &greeting->base.options, greeting->base.events, greeting->base.owner);
    if (session)
        protocol->close(session, why);
}

static void greeting_hand_over(greeting *greeting, const vow_protocol *protocol)
{
    const vow_session_events *events = greeting->base.events;
    void                     *owner = greeting->base.owner;
    const vow_tls_context    *tls = greeting_tls(greeting);
    vow_stream               *stream;

    if (greeting->is_refused) {
        greeting_refuse_in(greeting, protocol, &greeting->why);
        greeting_free(greeting);
    } else if (tls && !greeting->is_secure && vow_tls_context_is_required(tls)) {
        vow_status why = vow_status_make(
            VOW_PERMISSION_DENIED, "this port takes TLS only (tls.is_required): call tls:// or grpcs://");

        greeting_refuse_in(greeting, protocol, &why);
        greeting_lose(greeting, why);
    } else if (!(stream = greeting_give_stream(greeting))) {
        greeting_lose(greeting, vow_status_no_memory());
    } else {
        greeting_free(greeting);
        events->recognised(owner, protocol, stream);
    }
}

/* Ends it with these bytes, and `why`, which is given. */
static void greeting_answer(greeting *greeting, const void *data, size_t size, vow_status why)
{
    const vow_slice slice = { data, size };
    vow_stream     *stream = greeting->base.stream;

    if (vow_stream_write(stream, &slice, 1)) {
        greeting->base.stream = NULL;
        vow_stream_finish(stream);
    }
    greeting_lose(greeting, why);
}

/* RFC 8446, section 6.2: no version of TLS is spoken here; or, of one that is refused, whom a handshake would
 * cost more than it gains: internal_error, which says nothing of the client. */
static void greeting_refuse_tls(greeting *greeting)
{
    const uint8_t alert[] = { 21, 3, 1, 0, 2, 2, greeting->is_refused ? 80 : 70 };

    greeting_answer(greeting, alert, sizeof alert,
                    vow_status_make(VOW_UNAVAILABLE, "%s: the peer speaks TLS, and this server does not",
                                    greeting->base.options.target));
}

/* TLS has no alert for "later"; RFC 8446, section 6.2. */
static void greeting_refuse_handshake(greeting *greeting)
{
    static const uint8_t alert[] = { 21, 3, 1, 0, 2, 2, 80 };

    greeting_answer(
        greeting, alert, sizeof alert,
        vow_status_make(VOW_RESOURCE_EXHAUSTED,
                        "%s: too many handshakes of TLS (tls.max_handshakes, tls.max_handshakes_per_second)",
                        greeting->base.options.target));
}

/* The bytes that were read are the handshake's. */
static void greeting_secure(greeting *greeting)
{
    vow_stream *stream;

    if (vow_tls_context_is_busy(greeting_tls(greeting))) {
        greeting_refuse_handshake(greeting);
        return;
    }
    stream = greeting_give_stream(greeting);
    if (stream)
        greeting->base.stream = vow_tls_accepted(greeting_tls(greeting), stream);
    if (!greeting->base.stream) {
        greeting_lose(greeting, vow_status_no_memory());
        return;
    }
    greeting->size = 0;
    vow_buffer_give(&greeting->base, &greeting->hello);
    greeting->is_secure = true;
    vow_stream_adopt(greeting->base.stream, &stream_events, greeting);
}

static void greeting_turn_came(vow_tls_turn *turn)
{
    greeting_secure(VOW_OWNER(turn, greeting, turn));
}

/* Reads on, so that a client that hangs up gives its turn back at once. */
static void greeting_await_turn(greeting *greeting)
{
    uint8_t *hello = vow_buffer_make_room(&greeting->base, &greeting->hello, greeting->size, HELLO_FIRST);

    if (!hello) {
        greeting_lose(greeting, vow_status_no_memory());
        return;
    }
    memcpy(hello, greeting->first, greeting->size);
    greeting->hello.size = greeting->size;
    greeting_listen(greeting);
}

static void greeting_take_turn(greeting *greeting)
{
    vow_tls_turn_time time = VOW_TLS_TURN_TOO_LATE;

    if (greeting->hello.size < HELLO_MAX)
        time = vow_tls_turn_take(&greeting->turn, greeting_tls(greeting), greeting_scheduler(greeting),
                                 greeting->latest_ns);
    if (time == VOW_TLS_TURN_NOW)
        greeting_secure(greeting);
    else if (time == VOW_TLS_TURN_LATER)
        greeting_await_turn(greeting);
    else
        greeting_refuse_handshake(greeting);
}

/* RFC 7301: what was agreed on needs no guessing. */
static void greeting_hear_alpn(greeting *greeting)
{
    const char *alpn = vow_stream_alpn(greeting->base.stream);

    for (size_t i = 0; alpn && i < sizeof protocols / sizeof protocols[0]; i++) {
        if (protocols[i]->alpn && strcmp(protocols[i]->alpn, alpn) == 0) {
            greeting_hand_over(greeting, protocols[i]);
            return;
        }
    }
    greeting_listen(greeting);
}

static bool is_http1(const greeting *greeting)
{
    static const char *const methods[] = { "GET ",     "HEAD ",  "POST ",  "PUT ",    "DELETE ",
                                           "OPTIONS ", "PATCH ", "TRACE ", "CONNECT " };

    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        size_t size = strlen(methods[i]);

        if (greeting->size >= size && memcmp(greeting->first, methods[i], size) == 0)
            return true;
    }
    return false;
}

static void greeting_refuse_http1(greeting *greeting)
{
    bool        is_refused = greeting->is_refused;
    const char *text = is_refused ? vow_status_message(&greeting->why)
                                  : "This port speaks gRPC (HTTP/2 with prior knowledge) and vow/1.";
    size_t      size = strlen(text);
    char        answer[ANSWER_MAX];

    if (size > REASON_MAX)
        size = REASON_MAX;
    snprintf(answer, sizeof answer,
             "HTTP/1.1 %s\r\n"
             "Connection: close\r\n"
             "Content-Type: text/plain; charset=utf-8\r\n"
             "Content-Length: %zu\r\n"
             "\r\n"
             "%.*s\n",
             is_refused ? "503 Service Unavailable" : "426 Upgrade Required\r\nUpgrade: h2c", size + 1,
             (int)size, text);
    greeting_answer(
        greeting, answer, strlen(answer),
        vow_status_make(VOW_UNAVAILABLE, "%s: the peer speaks HTTP/1.1", greeting->base.options.target));
}

/* What began so can't be any of the protocols: the native one says in its own words what it has seen. */
static void greeting_look(greeting *greeting)
{
    bool any_needs_more = false;

    for (size_t i = 0; i < sizeof protocols / sizeof protocols[0]; i++) {
        bool needs_more = false;

        if (protocols[i]->claims(greeting->first, greeting->size, &needs_more)) {
            greeting_hand_over(greeting, protocols[i]);
            return;
        }
        any_needs_more |= needs_more;
    }
    if (any_needs_more)
        greeting_listen(greeting);
    else if (is_http1(greeting))
        greeting_refuse_http1(greeting);
    else
        greeting_hand_over(greeting, &vow_protocol_native);
}

/* The stream must not change hands inside its own event. */
static void greeting_step(vow_task *task)
{
    greeting *greeting = VOW_OWNER(task, struct greeting, step);

    if (greeting->is_lost)
        greeting->base.events->closed(greeting->base.owner, &greeting->why);
    else if (greeting->is_secure && greeting->size == 0)
        greeting_hear_alpn(greeting);
    else if (greeting->is_secure || greeting->first[0] != VOW_TLS_FIRST_BYTE)
        greeting_look(greeting);
    else if (greeting_tls(greeting))
        greeting_take_turn(greeting);
    else
        greeting_refuse_tls(greeting);
}

/* Events of the stream */

static void stream_opened(void *owner)
{
    greeting *greeting = owner; /* the handshake of TLS is done */

    vow_stream_pause(greeting->base.stream);
    vow_scheduler_soon(greeting_scheduler(greeting), &greeting->step);
}

static vow_room stream_room(void *owner)
{
    greeting *greeting = owner;
    uint8_t  *hello;

    if (!greeting->turn.context)
        return (vow_room){ greeting->first + greeting->size, FIRST_BYTES_MAX - greeting->size };
    hello = vow_buffer_make_room(&greeting->base, &greeting->hello, 1, HELLO_FIRST);
    return (vow_room){ hello, hello ? greeting->hello.block_size - greeting->hello.size : 0 };
}

static void stream_read(void *owner, size_t size)
{
    greeting *greeting = owner;

    if (greeting->turn.context) {
        greeting->hello.size += size;
        if (greeting->hello.size < HELLO_MAX)
            return;
        vow_tls_turn_give(&greeting->turn);
    } else {
        greeting->size += size;
    }
    vow_stream_pause(greeting->base.stream);
    vow_scheduler_soon(greeting_scheduler(greeting), &greeting->step);
}

static void stream_written(void *owner)
{
    (void)owner;
}

static void stream_closed(void *owner, const vow_status *why)
{
    greeting *greeting = owner;

    greeting->base.stream = NULL;
    greeting_lose(greeting, vow_status_share(why));
}

static const vow_stream_events stream_events = {
    .opened = stream_opened,
    .room = stream_room,
    .read = stream_read,
    .written = stream_written,
    .closed = stream_closed,
};

/* What rpc hands down; there are no calls yet */

static uint64_t greeting_ping(vow_session *session)
{
    (void)session;
    return 0;
}

static void greeting_goaway(vow_session *session, int step)
{
    (void)session;
    (void)step;
}

static void greeting_end(vow_session *session, const vow_status *why)
{
    greeting_lose(greeting_of(session), vow_status_share(why));
}

static bool greeting_is_flushed(const vow_session *session)
{
    (void)session;
    return true;
}

static void greeting_pause(vow_session *session, bool paused)
{
    session->is_paused = paused;
    if (session->stream && paused)
        vow_stream_pause(session->stream);
    greeting_listen(greeting_of(session));
}

/* Refusing */

static void refusal_is_late(vow_timer *timer)
{
    greeting *greeting = VOW_OWNER(timer, struct greeting, timer);

    if (greeting->is_secure) /* in the middle of its handshake, perhaps */
        vow_stream_close(greeting->base.stream);
    else
        greeting_refuse_in(greeting, &vow_protocol_native, &greeting->why);
    greeting_free(greeting);
}

/* What it speaks is still not known: goes on listening, for a while, without rpc. */
static void greeting_refuse(greeting *greeting, const vow_status *why)
{
    vow_scheduler *scheduler = greeting_scheduler(greeting);

    greeting->is_refused = true;
    greeting->base.loop->refusals++;
    vow_scheduler_hold(scheduler);
    greeting->why = vow_status_share(why);
    greeting->base.owner = NULL;
    greeting->base.options.target = "a connection that is refused";
    vow_buffer_give(&greeting->base, &greeting->hello);
    greeting->base.options.account = NULL;
    greeting->base.options.tls = NULL; /* which the server may take with it */
    greeting->base.is_paused = false;
    vow_timers_disarm(&scheduler->timers, &greeting->timer);
    vow_timer_init(&greeting->timer, refusal_is_late);
    vow_timers_arm(&scheduler->timers, &greeting->timer, vow_scheduler_after_ms(scheduler, REFUSAL_MS));
    vow_tls_turn_give(&greeting->turn); /* there is no TLS any more */
    if (greeting->size > 0) { /* which may say already what it speaks */
        vow_stream_pause(greeting->base.stream);
        vow_scheduler_soon(scheduler, &greeting->step);
    } else {
        greeting_listen(greeting);
    }
}

static void greeting_close(vow_session *session, const vow_status *why)
{
    greeting *greeting = greeting_of(session);

    if (session->stream && why && session->loop->refusals < REFUSALS_MAX) {
        greeting_refuse(greeting, why);
        return;
    }
    if (session->stream && why)
        greeting_refuse_in(greeting, &vow_protocol_native, why);
    else if (session->stream)
        vow_stream_close(session->stream);
    greeting_free(greeting);
}

static const vow_protocol protocol_greeting = {
    .name = "greeting",
    .ping = greeting_ping,
    .lose = greeting_end,
    .goaway = greeting_goaway,
    .is_flushed = greeting_is_flushed,
    .pause = greeting_pause,
    .close = greeting_close,
};

vow_session *vow_greeting_open(vow_stream *stream, const vow_session_options *options,
                               const vow_session_events *events, void *owner)
{
    greeting      *greeting = vow_alloc_zeroed(sizeof *greeting);
    vow_scheduler *scheduler = vow_scheduler_of(stream->loop);

    if (!greeting) {
        vow_stream_close(stream);
        return NULL;
    }
    vow_session_init(&greeting->base, &protocol_greeting, stream, options, events, owner);
    vow_task_init(&greeting->step, greeting_step);
    vow_timer_init(&greeting->timer, greeting_timed_out);
    greeting->turn.came = greeting_turn_came;
    greeting->latest_ns = vow_scheduler_after_ms(scheduler, options->message_timeout_ms);
    vow_timers_arm(&scheduler->timers, &greeting->timer, greeting->latest_ns);
    vow_stream_adopt(stream, &stream_events, greeting);
    return &greeting->base;
}
