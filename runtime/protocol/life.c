#include "runtime/protocol/life.h"

#include "runtime/protocol/held.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* How long a session that was closed may take to send what it had queued. */
#define LAST_WORDS_MS 2000

/* For the bucket of cancels to have one more. */
#define LATE_CANCEL_MS (1000 / VOW_CANCELS_PER_S + 1)

static vow_life *life_of(vow_session *session)
{
    return (vow_life *)session;
}

static void life_disarm(vow_life *life, vow_timer *timer)
{
    vow_timers_disarm(&vow_life_scheduler(life)->timers, timer);
}

static void life_arm_ms(vow_life *life, vow_timer *timer, int64_t ms)
{
    vow_scheduler *scheduler = vow_life_scheduler(life);

    vow_timers_arm(&scheduler->timers, timer, vow_scheduler_after_ms(scheduler, ms));
}

/* Frees it, where nothing holds it any more. */
static void life_end(vow_life *life)
{
    vow_loop *loop = life->base.loop;

    if (life->state != VOW_LIFE_CLOSED || life->base.stream || life->busy)
        return;
    vow_task_cancel(&life->end);
    vow_task_cancel(&life->lost);
    vow_status_done(&life->why);
    vow_map_done(&life->base.calls);
    life->kind->free(life);
    vow_loop_object_gone(loop);
}

void vow_life_enter(vow_life *life)
{
    life->busy++;
}

void vow_life_leave(vow_life *life)
{
    life->busy--;
    life_end(life);
}

/* The stream is no longer ours. */
static void life_drop_stream(vow_life *life)
{
    life->base.stream = NULL;
    life_disarm(life, &life->timer);
    if (life->has_last_words)
        vow_scheduler_release(vow_life_scheduler(life));
    life->has_last_words = false;
    life_end(life);
}

/* Opening */

static void first_word_is_late(vow_timer *timer)
{
    vow_life *life = VOW_OWNER(timer, vow_life, timer);

    vow_life_lose(life, vow_status_make(VOW_DEADLINE_EXCEEDED, "%s: no %s within %lld ms (%s)",
                                        life->base.options.target, life->kind->first_word,
                                        (long long)life->base.options.message_timeout_ms,
                                        vow_life_timeout_name(life)));
}

static bool cancels_take(vow_life *life)
{
    return vow_bucket_take(&life->cancels, 1, vow_scheduler_now_ns(vow_life_scheduler(life)));
}

/* The first come are the first to go: who has waited longest costs most. */
static void cancels_are_late(vow_timer *timer)
{
    vow_life *life = VOW_OWNER(timer, vow_life, late_timer);
    vow_link *first = NULL;

    vow_life_enter(life);
    while (vow_life_is_alive(life) && (first = vow_list_first(&life->late)) && cancels_take(life)) {
        vow_link_remove(first);
        life->kind->cancel(life, first);
    }
    if (vow_life_is_alive(life) && first)
        life_arm_ms(life, timer, LATE_CANCEL_MS);
    vow_life_leave(life);
}

static void cancels_back(vow_timer *timer)
{
    vow_life_pause(VOW_OWNER(timer, vow_life, cancels_back), VOW_PAUSED_FOR_CANCELS, false);
}

static void life_lost(vow_task *task)
{
    vow_life *life = VOW_OWNER(task, vow_life, lost);

    vow_life_enter(life);
    life->kind->lose_calls(life, &life->why);
    if (life->state == VOW_LIFE_LOST)
        life->base.events->closed(life->base.owner, &life->why);
    vow_life_leave(life);
}

/* Everything that was queued has left: the stream may end. */
static void life_finish(vow_task *task)
{
    vow_life *life = VOW_OWNER(task, vow_life, end);

    if (life->base.stream && life->base.protocol->is_flushed(&life->base)) {
        vow_stream_finish(life->base.stream);
        life_drop_stream(life);
    }
}

void vow_session_init(vow_session *session, const vow_protocol *protocol, vow_stream *stream,
                      const vow_session_options *options, const vow_session_events *events, void *owner)
{
    session->protocol = protocol;
    session->events = events;
    session->owner = owner;
    session->loop = stream->loop;
    session->stream = stream;
    session->options = *options;
    session->peer_max_message_size = UINT64_MAX;
    vow_map_init(&session->calls);
    vow_loop_object_born(session->loop);
}

void vow_life_init(vow_life *life, const vow_life_kind *kind)
{
    bool is_server = life->base.options.is_server;

    life->kind = kind;
    vow_bucket_init(&life->cancels, is_server ? VOW_CANCELS_MAX : VOW_CANCELS_SENT_MAX,
                    is_server ? VOW_CANCELS_PER_S : VOW_CANCELS_SENT_PER_S,
                    vow_scheduler_now_ns(vow_life_scheduler(life)));
    vow_timer_init(&life->cancels_back, cancels_back);
    vow_list_init(&life->late);
    vow_timer_init(&life->late_timer, cancels_are_late);
    vow_timer_init(&life->timer, first_word_is_late);
    vow_task_init(&life->lost, life_lost);
    vow_task_init(&life->end, life_finish);
}

void vow_life_begin(vow_life *life, const vow_stream_events *events)
{
    vow_stream_adopt(life->base.stream, events, life);
    life_arm_ms(life, &life->timer, life->base.options.message_timeout_ms);
}

void vow_life_abandon(vow_life *life)
{
    vow_stream_close(life->base.stream);
    life->base.stream = NULL;
    life->state = VOW_LIFE_CLOSED;
    life_end(life);
}

void vow_life_open(vow_life *life)
{
    life_disarm(life, &life->timer);
    life->state = VOW_LIFE_OPEN;
    life->base.is_ready = true;
    life->base.events->ready(life->base.owner);
}

void vow_life_stream_opened(void *owner)
{
    (void)owner; /* a session is made of a stream that is open */
}

/* Reading */

void vow_life_pause(vow_life *life, unsigned reason, bool paused)
{
    unsigned before = life->paused;

    life->paused = paused ? before | reason : before & ~reason;
    life->base.is_paused = life->paused != 0;
    if (!life->paused) /* what it had no chance to say is not held against the peer */
        life->base.heard_ns = vow_scheduler_now_ns(vow_life_scheduler(life));
    if (!life->base.stream || !before == !life->paused)
        return;
    if (life->paused)
        vow_stream_pause(life->base.stream);
    else
        vow_stream_resume(life->base.stream);
}

void vow_life_pause_session(vow_session *session, bool paused)
{
    if (vow_life_is_alive(life_of(session)))
        vow_life_pause(life_of(session), VOW_PAUSED_BY_OWNER, paused);
}

bool vow_life_waits_for_us(vow_life *life, vow_timer *timer)
{
    if (life->paused)
        life_arm_ms(life, timer, life->base.options.message_timeout_ms);
    return life->paused != 0;
}

/* Calls */

void vow_life_add_call(vow_life *life, vow_wire *wire, uint64_t id, bool is_ours)
{
    wire->node.key = id;
    wire->session = &life->base;
    wire->is_ours = is_ours;
    life->base.our_calls += is_ours;
    vow_map_insert(&life->base.calls, &wire->node);
}

void vow_life_remove_call(vow_life *life, vow_wire *wire)
{
    vow_map_remove(&life->base.calls, &wire->node);
    life->base.our_calls -= wire->is_ours;
    wire->session = NULL;
}

void vow_life_call_ended(vow_life *life, vow_wire *wire, const vow_ending *ending)
{
    bool is_ours = wire->is_ours;

    life->base.events->ended(wire, ending);
    if (is_ours && life->state == VOW_LIFE_OPEN && !life->base.goes_away)
        life->base.events->place(life->base.owner);
}

void vow_life_ghost_ended(vow_life *life)
{
    life->base.our_calls--;
    if (life->state == VOW_LIFE_OPEN) /* also of a session that goes away: it may have been the last */
        life->base.events->place(life->base.owner);
}

/* Cancels */

bool vow_life_may_cancel(vow_life *life)
{
    return cancels_take(life);
}

void vow_life_cancel_later(vow_life *life, vow_link *late)
{
    vow_list_append(&life->late, late);
    if (!vow_timer_armed(&life->late_timer))
        life_arm_ms(life, &life->late_timer, LATE_CANCEL_MS);
}

void vow_life_answered(vow_life *life)
{
    vow_bucket_give(&life->cancels, VOW_CANCELS_PER_ANSWER);
}

bool vow_life_cancelled(vow_life *life)
{
    if (!vow_life_is_alive(life) || cancels_take(life) ||
        (life->paused & VOW_PAUSED_FOR_CANCELS)) /* what had been read already */
        return true;
    if (vow_bucket_stop(&life->cancels, vow_scheduler_now_ns(vow_life_scheduler(life))))
        return false;
    life_arm_ms(life, &life->cancels_back, VOW_CANCELS_STOP_MS);
    vow_life_pause(life, VOW_PAUSED_FOR_CANCELS, true);
    return true;
}

/* Losing */

static void life_stop_timers(vow_life *life)
{
    life_disarm(life, &life->timer);
    life_disarm(life, &life->cancels_back);
    life_disarm(life, &life->late_timer);
}

void vow_life_lose(vow_life *life, vow_status why)
{
    if (!vow_life_is_alive(life)) {
        vow_status_done(&why);
        return;
    }
    life->state = VOW_LIFE_LOST;
    life->why = why;
    life->base.goes_away = true;
    life_stop_timers(life);
    life->kind->stop(life);
    vow_life_pause(life, VOW_PAUSED_BY_OWNER, true);
    vow_scheduler_soon(vow_life_scheduler(life), &life->lost);
}

void vow_life_refuse(vow_life *life, vow_code code, const char *prefix, const char *format, va_list arguments)
{
    vow_error said;

    if (!vow_life_is_alive(life))
        return;
    vsnprintf(said.message, sizeof said.message, format, arguments);
    life->kind->say_why(life, code, said.message);
    vow_life_lose(life, vow_status_make(code, "%s: %s%s", life->base.options.target, prefix, said.message));
}

void vow_life_lose_session(vow_session *session, const vow_status *why)
{
    vow_life *life = life_of(session);

    if (!vow_life_is_alive(life))
        return;
    life->kind->say_why(life, why->code, vow_status_message(why));
    vow_life_lose(life, vow_status_share(why));
}

/* What a transport says begins with the address that it was given. Gives a status. */
static vow_status life_name_target(const vow_life *life, const vow_status *why)
{
    const char *address = life->base.options.address;
    const char *message = vow_status_message(why);
    size_t      size = address ? strlen(address) : 0;

    if (!address || strncmp(message, address, size) != 0 || message[size] != ':')
        return vow_status_share(why);
    return vow_status_make(why->code, "%s%s", life->base.options.target, message + size);
}

void vow_life_stream_closed(void *owner, const vow_status *why)
{
    vow_life *life = owner;

    life->base.stream = NULL;
    if (life->state == VOW_LIFE_CLOSED)
        life_drop_stream(life);
    else if (why->code == VOW_OK && life->base.calls.count == 0)
        vow_life_lose(life, VOW_STATUS_OK);
    else if (why->code == VOW_OK)
        vow_life_lose(life, vow_status_make(VOW_UNAVAILABLE, "%s: the peer closed the connection",
                                            life->base.options.target));
    else
        vow_life_lose(life, life_name_target(life, why));
}

/* Closing */

void vow_life_drained(vow_life *life)
{
    if (life->state == VOW_LIFE_CLOSED)
        vow_scheduler_soon(vow_life_scheduler(life), &life->end);
    else if (life->state == VOW_LIFE_OPEN && life->sent_last && life->base.protocol->is_flushed(&life->base))
        life->base.events->flushed(life->base.owner);
}

static void last_words_over(vow_timer *timer)
{
    vow_life *life = VOW_OWNER(timer, vow_life, timer);

    vow_stream_close(life->base.stream);
    life_drop_stream(life);
}

/* What was queued still leaves, within a time. Both ends may be doing so: what comes meanwhile is read and
 * dropped, or neither would ever be rid of its own. */
static void life_say_last_words(vow_life *life)
{
    vow_scheduler *scheduler = vow_life_scheduler(life);

    vow_scheduler_hold(scheduler);
    life->has_last_words = true;
    vow_life_pause(life, ~0u, false);
    vow_timer_init(&life->timer, last_words_over);
    life_arm_ms(life, &life->timer, LAST_WORDS_MS);
    vow_scheduler_soon(scheduler, &life->end);
}

void vow_life_close_session(vow_session *session, const vow_status *why)
{
    vow_life *life = life_of(session);

    assert(life->state != VOW_LIFE_CLOSED);
    if (session->stream && vow_life_is_alive(life))
        life->kind->say_why(life, why ? why->code : VOW_OK, why ? vow_status_message(why) : "");
    life_stop_timers(life);
    vow_task_cancel(&life->lost);
    life->state = VOW_LIFE_CLOSED;
    life->kind->forget_calls(life);
    vow_held_leave_account(session);
    if (session->stream)
        life_say_last_words(life);
    life_end(life);
}
