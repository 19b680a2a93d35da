#include "runtime/transport/sim_network.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* As a real stream lingers; see transport.h. */
#define LINGER_MS 1000
#define LINGER_BYTES ((size_t)1 << 20)

#define UNHURRIED_NS 50000u /* how long a socket with room in it may keep a writer waiting */
#define SEGMENT_BYTES ((size_t)16 << 10)

_Static_assert(VOW_PIPE_BYTES <= VOW_READ_BUDGET,
               "what can have arrived is within the budget of one iteration");

static vow_end *end_of(const vow_stream *stream)
{
    return (vow_end *)(uintptr_t)stream;
}

static vow_scheduler *end_scheduler(const vow_end *end)
{
    return vow_scheduler_of(end->stream.loop);
}

static uint64_t end_now_ns(const vow_end *end)
{
    return vow_network_now_ns(end->cable->network);
}

static void end_note(const vow_end *end, vow_network_event event, uint64_t size)
{
    vow_network_note(end->cable->network, event, end->cable, size);
}

static uint64_t end_random_below(const vow_end *end, uint64_t bound)
{
    return vow_random_below(&end->cable->network->random, bound);
}

/* The end of an end */

/* As a closed socket: what was sent arrives, unless there are bytes that nobody will read. */
static void end_part(vow_end *end, vow_end *other)
{
    vow_cable *cable = end->cable;
    uint64_t   now = end_now_ns(end);

    if (end->state == VOW_END_FINISHING || other->out.size == 0) {
        if (end->out.end_due_ns == VOW_PIPE_NEVER)
            vow_pipe_end(&end->out, vow_cable_arrival_ns(cable, end, 0));
    } else {
        other->reset_ns = vow_sooner(other->reset_ns, now + cable->latency_ns);
    }
    if (other->is_writing)
        other->send_ns = vow_sooner(other->send_ns, now + cable->latency_ns);
    vow_pipe_done(&other->out);
}

void vow_end_leave(vow_end *end)
{
    vow_end      *other = vow_end_other(end);
    vow_end_state was = end->state;

    assert(was != VOW_END_GONE && was != VOW_END_UNBORN);
    end_note(end, VOW_NETWORK_CLOSED, (uint64_t)was);
    if (other->state != VOW_END_GONE && other->state != VOW_END_UNBORN)
        end_part(end, other);
    end->state = VOW_END_GONE;
    end->stream.events = NULL;
    end->is_writing = false;
    end->lent_count = 0;
    if (was == VOW_END_FINISHING)
        vow_scheduler_release(end_scheduler(end));
    vow_end_plan(end);
    vow_end_plan(other);
}

void vow_end_fail(vow_end *end, vow_status why)
{
    const vow_stream_events *events = end->stream.events;
    void                    *owner = end->stream.owner;

    vow_stream_drop_unread(&end->stream);
    vow_end_leave(end);
    if (events)
        events->closed(owner, &why);
    vow_status_done(&why);
}

static const char *end_target(const vow_end *end)
{
    return end == &end->cable->ends[0] ? end->cable->target : end->peer;
}

/* A socket that is neither read nor written is not watched: its owner learns of nothing. */
static bool end_listens(const vow_end *end)
{
    return end->state != VOW_END_OPEN || !end->is_paused || end->is_writing;
}

static bool end_is_reset(const vow_end *end, uint64_t now)
{
    return vow_later(end->reset_ns, end->cable->silent_until_ns) <= now;
}

bool vow_end_meets_failure(vow_end *end, uint64_t now)
{
    if (end->failure != VOW_OK) {
        vow_end_fail(end, vow_status_make(end->failure, "%s: no memory to write from", end_target(end)));
        return true;
    }
    if (end_listens(end) && end_is_reset(end, now)) {
        vow_end_fail(end,
                     vow_status_make(VOW_UNAVAILABLE, "%s: the connection was lost: connection reset by peer",
                                     end_target(end)));
        return true;
    }
    return false;
}

/* Sending */

/* Slow links carry small segments, so that their bytes arrive bit by bit. */
static size_t end_segment_bytes(const vow_end *end)
{
    uint64_t in_ten_ms = end->cable->bytes_per_second / 100 + 1;
    size_t   most = in_ten_ms < SEGMENT_BYTES ? (size_t)in_ten_ms : SEGMENT_BYTES;

    return 1 + (size_t)end_random_below(end, most);
}

static void end_drop_lent(vow_end *end, size_t size)
{
    vow_slice *first = &end->lent[0];

    first->data += size;
    first->size -= size;
    if (first->size > 0)
        return;
    end->lent_count--;
    memmove(first, first + 1, end->lent_count * sizeof *first);
}

/* What is sent to an end that has gone comes back as a reset; true: nobody keeps the bytes. Where nothing
 * arrives there is no reset either, and they stay in the pipe. */
static bool end_sends_in_vain(vow_end *end)
{
    uint64_t now = end_now_ns(end);

    if (vow_end_other(end)->state != VOW_END_GONE)
        return false;
    end->reset_ns = vow_sooner(end->reset_ns, now + 2 * end->cable->latency_ns);
    return end->cable->silent_until_ns <= now;
}

/* Moves up to `most` bytes of what is lent into the pipe. */
static void end_send(vow_end *end, size_t most)
{
    vow_end *other = vow_end_other(end);

    end->send_ns = VOW_NEVER;
    if (end_sends_in_vain(end)) {
        end->lent_count = 0;
        return;
    }
    while (end->lent_count > 0 && most > 0 && vow_pipe_room(&end->out) > 0) {
        size_t size = vow_sooner(vow_sooner(end->lent[0].size, most),
                                 vow_sooner(vow_pipe_room(&end->out), end_segment_bytes(end)));

        if (!vow_pipe_put(&end->out, end->lent[0].data, size, vow_cable_arrival_ns(end->cable, end, size))) {
            end->failure = VOW_RESOURCE_EXHAUSTED;
            return;
        }
        end_note(end, VOW_NETWORK_SENT, size);
        end_drop_lent(end, size);
        most -= size;
    }
    if (end->lent_count > 0 && vow_pipe_room(&end->out) > 0)
        end->send_ns = end_now_ns(end) + end_random_below(end, UNHURRIED_NS);
    vow_end_plan(other);
}

/* Mostly all that there is room for; at times less, as sockets do. */
static size_t end_eagerness(const vow_end *end)
{
    uint64_t draw = end_random_below(end, 8);
    size_t   some = (size_t)end_random_below(end, VOW_PIPE_BYTES);

    return draw == 0 ? some >> end_random_below(end, 16) : SIZE_MAX;
}

static bool simulated_write(vow_stream *stream, const vow_slice *slices, size_t count)
{
    vow_end *end = end_of(stream);

    assert(end->state == VOW_END_OPEN && !end->is_writing);
    assert(count > 0 && count <= VOW_WRITE_SLICES);
    memcpy(end->lent, slices, count * sizeof *slices);
    end->lent_count = count;
    if (!end_is_reset(end, end_now_ns(end))) /* else it is lent until `closed` */
        end_send(end, end_eagerness(end));
    end->is_writing = end->lent_count > 0;
    vow_end_plan(end);
    return !end->is_writing;
}

static size_t simulated_try_write(vow_stream *stream, const vow_slice *slices, size_t count)
{
    vow_end *end = end_of(stream);
    size_t   size = 0;

    for (size_t i = 0; i < count; i++)
        size += slices[i].size;
    if (end_is_reset(end, end_now_ns(end)))
        return 0;
    if (simulated_write(stream, slices, count))
        return size;
    for (size_t i = 0; i < end->lent_count; i++)
        size -= end->lent[i].size;
    end->lent_count = 0;
    end->is_writing = false;
    end->send_ns = VOW_NEVER;
    vow_end_plan(end);
    return size;
}

static void end_go_on_sending(vow_end *end, uint64_t now)
{
    if (!end->is_writing)
        return;
    if (end->lent_count > 0 && end->send_ns <= now)
        end_send(end, end_eagerness(end));
    if (end->lent_count > 0)
        return;
    end->is_writing = false;
    end->stream.events->written(end->stream.owner);
}

/* Receiving */

static vow_pipe *end_in(const vow_end *end)
{
    return &vow_end_other(end)->out;
}

static size_t end_cut(const vow_end *end, size_t size)
{
    uint64_t to_strike = vow_cable_bytes_to_strike(end->cable);

    if (end->cable->is_one_byte)
        return 1;
    if (end_random_below(end, 4) == 0)
        size = 1 + (size_t)end_random_below(end, size);
    return vow_sooner(size, to_strike);
}

/* Takes `size` bytes to where they belong; true: a fault struck. */
static bool end_take(vow_end *end, uint8_t *data, size_t size)
{
    vow_end *other = vow_end_other(end);

    vow_pipe_take(end_in(end), data, size);
    end_note(end, VOW_NETWORK_RECEIVED, size);
    if (other->is_writing && other->lent_count > 0)
        other->send_ns = vow_sooner(other->send_ns, end_now_ns(end) + end->cable->latency_ns);
    vow_end_plan(other);
    return vow_cable_carried(end->cable, size);
}

static bool end_may_read(const vow_end *end)
{
    return end->state == VOW_END_OPEN && !end->is_paused && end_in(end)->arrived > 0;
}

/* Hands one segment to the owner; true: there may be another at once. */
static bool end_read(vow_end *end)
{
    vow_room room = end->stream.events->room(end->stream.owner);
    size_t   size;
    bool     struck;

    if (!end_may_read(end))
        return false;
    if (room.size == 0) {
        vow_end_fail(end,
                     vow_status_make(VOW_RESOURCE_EXHAUSTED, "%s: no memory to read into", end_target(end)));
        return false;
    }
    size = end_cut(end, vow_sooner(room.size, end_in(end)->arrived));
    struck = end_take(end, room.data, size);
    end->stream.events->read(end->stream.owner, size);
    return !struck && end_may_read(end) && end_random_below(end, 2) == 0;
}

static void end_receive(vow_end *end, uint64_t now)
{
    if (end->cable->silent_until_ns <= now)
        vow_pipe_arrive(end_in(end), now);
    while (end_may_read(end)) {
        if (!end_read(end))
            return;
    }
    if (end->state == VOW_END_OPEN && !end->is_paused && end->cable->silent_until_ns <= now &&
        vow_pipe_has_ended(end_in(end), now))
        vow_end_fail(end, VOW_STATUS_OK);
}

static void open_step(vow_end *end)
{
    uint64_t now = end_now_ns(end);

    if (!end->stream.events || vow_end_meets_failure(end, now))
        return;
    end_go_on_sending(end, now);
    if (end->state == VOW_END_OPEN)
        end_receive(end, now);
}

/* Finishing */

static void finishing_step(vow_end *end)
{
    vow_pipe *in = end_in(end);
    uint64_t  now = end_now_ns(end);
    size_t    arrived;

    if (end->cable->silent_until_ns <= now)
        vow_pipe_arrive(in, now);
    arrived = in->arrived;
    if (arrived > 0) {
        end->discarded += arrived;
        end_take(end, NULL, arrived);
    }
    if (end->due_ns <= now || end->discarded > LINGER_BYTES || end_is_reset(end, now) ||
        (end->cable->silent_until_ns <= now && vow_pipe_has_ended(in, now)))
        vow_end_leave(end);
}

/* The plan: what happens to an end next */

static uint64_t arrival_next_ns(const vow_end *end, uint64_t now)
{
    uint64_t next = vow_pipe_next_ns(end_in(end), now);

    return end_in(end)->arrived > 0 ? now : vow_later(next, end->cable->silent_until_ns);
}

static uint64_t open_next_ns(const vow_end *end)
{
    uint64_t now = end_now_ns(end);
    uint64_t next = VOW_NEVER;

    if (!end->stream.events)
        return VOW_NEVER;
    if (end->failure != VOW_OK || (end->is_writing && end->lent_count == 0))
        return now;
    if (end->is_writing)
        next = end->send_ns;
    if (!end->is_paused)
        next = vow_sooner(next, arrival_next_ns(end, now));
    if (end_listens(end))
        next = vow_sooner(next, vow_later(end->reset_ns, end->cable->silent_until_ns));
    return next;
}

static uint64_t finishing_next_ns(const vow_end *end)
{
    uint64_t next = vow_later(end->reset_ns, end->cable->silent_until_ns);

    return vow_sooner(end->due_ns, vow_sooner(next, arrival_next_ns(end, end_now_ns(end))));
}

static const struct {
    uint64_t (*next_ns)(const vow_end *end);
    void (*step)(vow_end *end);
} states[VOW_END_STATES] = {
    [VOW_END_CONNECTING] = { vow_connecting_next_ns, vow_connecting_step },
    [VOW_END_ACCEPTING] = { vow_accepting_next_ns, vow_accepting_step },
    [VOW_END_OPEN] = { open_next_ns, open_step },
    [VOW_END_FINISHING] = { finishing_next_ns, finishing_step },
};

void vow_end_plan(vow_end *end)
{
    vow_timers *timers = &end_scheduler(end)->timers;
    uint64_t    next = states[end->state].next_ns ? states[end->state].next_ns(end) : VOW_NEVER;

    if (next == VOW_NEVER)
        vow_timers_disarm(timers, &end->next);
    else
        vow_timers_arm(timers, &end->next, next);
}

void vow_end_fire(vow_timer *timer)
{
    vow_end   *end = VOW_OWNER(timer, vow_end, next);
    vow_cable *cable = end->cable;

    vow_cable_hold(cable);
    states[end->state].step(end);
    vow_end_plan(end);
    vow_cable_release(cable);
}

/* The table */

static void simulated_adopt(vow_stream *stream)
{
    vow_end_plan(end_of(stream));
}

static void simulated_pause(vow_stream *stream)
{
    end_of(stream)->is_paused = true;
    vow_end_plan(end_of(stream));
}

static void simulated_resume(vow_stream *stream)
{
    end_of(stream)->is_paused = false;
    vow_end_plan(end_of(stream));
}

static void simulated_close(vow_stream *stream)
{
    vow_end   *end = end_of(stream);
    vow_cable *cable = end->cable;

    vow_cable_hold(cable);
    vow_end_leave(end);
    vow_cable_release(cable);
}

static void simulated_finish(vow_stream *stream)
{
    vow_end *end = end_of(stream);

    if (end->state != VOW_END_OPEN || end->failure != VOW_OK) {
        simulated_close(stream);
        return;
    }
    assert(!end->is_writing);
    end->state = VOW_END_FINISHING;
    end->stream.events = NULL;
    end->is_paused = false;
    end->due_ns = vow_scheduler_after_ms(end_scheduler(end), LINGER_MS);
    vow_scheduler_hold(end_scheduler(end)); /* the loop shall not end before the last bytes have arrived */
    vow_pipe_end(&end->out, vow_cable_arrival_ns(end->cable, end, 0));
    vow_end_plan(end);
    vow_end_plan(vow_end_other(end));
}

static const char *simulated_peer(const vow_stream *stream)
{
    return end_of(stream)->peer;
}

static const char *simulated_peer_host(const vow_stream *stream)
{
    return end_of(stream)->peer_host;
}

static void simulated_local(const vow_stream *stream, char *text, size_t size)
{
    snprintf(text, size, "%s", vow_end_other(end_of(stream))->peer);
}

static bool simulated_is_local(const vow_stream *stream)
{
    return vow_place_is_on_this_machine(&end_of(stream)->cable->place);
}

const vow_transport vow_transport_simulated = {
    .scheme = "simulated",
    .connect = vow_simulated_connect,
    .adopt = simulated_adopt,
    .write = simulated_write,
    .try_write = simulated_try_write,
    .pause = simulated_pause,
    .resume = simulated_resume,
    .close = simulated_close,
    .finish = simulated_finish,
    .peer = simulated_peer,
    .peer_host = simulated_peer_host,
    .local = simulated_local,
    .is_local = simulated_is_local,
    .listen = vow_simulated_listen,
    .unlisten = vow_simulated_unlisten,
    .port = vow_simulated_port,
    .address = vow_simulated_address,
};
