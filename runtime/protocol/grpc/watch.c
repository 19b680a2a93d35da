#include "runtime/protocol/grpc/session.h"

#include <string.h>

#define NS_PER_MS 1000000u

/* Frames that say nothing, and what some of them take. */
#define GLITCHES_MAX 1000
#define GLITCHES_PER_S 100
#define SETTINGS_COST 10

/* Bytes of a header block as it comes. A request's has metadata of 16 KiB, in Base 64, and the fields of the
 * call; an answer's has an error's text and details besides. */
#define REQUEST_BLOCK_MAX ((size_t)24 << 10)
#define ANSWER_BLOCK_MAX ((size_t)64 << 10)

/* So long a header block may take, or as long as any frame where that is less. */
#define BLOCK_MS 5000

/* A message may take its timeout, and a second for each of these many bytes. */
#define SLOWEST_BYTES_PER_S ((size_t)64 << 10)

/* Frames of so many bytes are read at a time where none of them ends a stream. */
#define PART_LEAST ((size_t)256)

/* So long nothing may be taken of more than max_queued_bytes that wait for the peer's credit. */
#define STALL_MS 20000

static uint64_t watch_now_ns(vow_grpc *grpc)
{
    return vow_scheduler_now_ns(vow_grpc_scheduler(grpc));
}

/* Frames */

static bool watch_charge(vow_grpc *grpc, unsigned cost, const char *what)
{
    if (vow_bucket_take(&grpc->watch.glitches, cost, watch_now_ns(grpc)))
        return true;
    vow_grpc_refuse(grpc, VOW_RESOURCE_EXHAUSTED, NGHTTP2_ENHANCE_YOUR_CALM,
                    "too many frames that say nothing (%s): %d at once and %d each second are allowed", what,
                    GLITCHES_MAX, GLITCHES_PER_S);
    return false;
}

static bool block_goes_on(vow_grpc *grpc, size_t size, uint8_t flags)
{
    vow_grpc_watch *watch = &grpc->watch;
    size_t          most = grpc->base.options.is_server ? REQUEST_BLOCK_MAX : ANSWER_BLOCK_MAX;

    watch->block_size += size;
    watch->in_block = !(flags & NGHTTP2_FLAG_END_HEADERS);
    if (watch->continuations <= VOW_HTTP2_CONTINUATIONS_MAX && watch->block_size <= most)
        return true;
    vow_grpc_refuse(grpc, VOW_RESOURCE_EXHAUSTED, NGHTTP2_ENHANCE_YOUR_CALM,
                    "a header block of %zu bytes in %u frames; %zu in %d are allowed", watch->block_size,
                    watch->continuations + 1, most, VOW_HTTP2_CONTINUATIONS_MAX + 1);
    return false;
}

/* Whose the frame is that came last. */
static int32_t watch_stream(const vow_grpc_watch *watch)
{
    const uint8_t *id = watch->head + 5;

    return (id[0] & 0x7f) << 24 | id[1] << 16 | id[2] << 8 | id[3];
}

/* nghttp2 reads a header block of a stream that has gone, for its table, and tells nobody. */
static bool block_is_for_nobody(vow_grpc *grpc)
{
    int32_t stream = watch_stream(&grpc->watch);

    return grpc->base.options.is_server && stream <= nghttp2_session_get_last_proc_stream_id(grpc->http) &&
           !vow_grpc_find(grpc, stream);
}

static bool block_begins(vow_grpc *grpc, size_t size, uint8_t flags)
{
    if (block_is_for_nobody(grpc) && !watch_charge(grpc, 1, "HEADERS of a stream that has ended"))
        return false;
    grpc->watch.continuations = 0;
    grpc->watch.block_size = 0;
    return block_goes_on(grpc, size, flags);
}

/* The head of a frame is complete. False: the session was ended. */
static bool watch_head(vow_grpc *grpc)
{
    const uint8_t *head = grpc->watch.head;
    size_t         size = (size_t)head[0] << 16 | (size_t)head[1] << 8 | head[2];
    uint8_t        flags = head[4];

    grpc->watch.left = size;
    grpc->watch.has_moved |= !grpc->watch.in_block;
    grpc->watch.ends_stream |= head[3] <= NGHTTP2_HEADERS && (flags & NGHTTP2_FLAG_END_STREAM);
    switch (head[3]) {
    case NGHTTP2_DATA:
        /* Padding is for secrets in compressed text; here it would only make an empty frame look longer. */
        if ((size == 0 || (flags & NGHTTP2_FLAG_PADDED)) && !(flags & NGHTTP2_FLAG_END_STREAM))
            return watch_charge(grpc, 1, "empty or padded DATA");
        return true;
    case NGHTTP2_HEADERS:
        return block_begins(grpc, size, flags);
    case NGHTTP2_CONTINUATION:
        grpc->watch.continuations++;
        return block_goes_on(grpc, size, flags);
    case NGHTTP2_SETTINGS:
        return (flags & NGHTTP2_FLAG_ACK) || watch_charge(grpc, SETTINGS_COST, "SETTINGS");
    case NGHTTP2_PRIORITY:
        return watch_charge(grpc, 1, "PRIORITY");
    case NGHTTP2_PING: /* has rules of its own */
    case NGHTTP2_RST_STREAM:
    case NGHTTP2_WINDOW_UPDATE:
        return true;
    default:
        return watch_charge(grpc, 1, "of a kind that is not known, or out of place");
    }
}

/* Frames are read up to one that ends a stream, or to the end of some of them. */
static bool watch_part_ends(const vow_grpc_watch *watch, size_t taken)
{
    return watch->left == 0 && watch->head_size == 0 && (watch->ends_stream || taken >= PART_LEAST);
}

size_t vow_grpc_watch_bytes(vow_grpc *grpc, const uint8_t *data, size_t size)
{
    vow_grpc_watch *watch = &grpc->watch;
    bool            is_server = grpc->base.options.is_server;
    size_t          taken = 0;

    watch->ends_stream = false;
    while (taken < size && !(is_server && watch_part_ends(watch, taken))) {
        size_t left = size - taken;
        size_t used;

        if (watch->left > 0) {
            used = left < watch->left ? left : watch->left;
            watch->left -= used;
        } else {
            used = VOW_HTTP2_HEAD - watch->head_size;
            used = left < used ? left : used;
            memcpy(watch->head + watch->head_size, data + taken, used);
            watch->head_size += used;
        }
        taken += used;
        if (watch->head_size == VOW_HTTP2_HEAD) {
            watch->head_size = 0;
            if (!watch_head(grpc))
                return 0;
        }
    }
    return taken;
}

struct vow_grpc_call *vow_grpc_watch_data(vow_grpc *grpc, size_t *left)
{
    const vow_grpc_watch *watch = &grpc->watch;
    bool                  is_data = watch->head[3] == NGHTTP2_DATA && !(watch->head[4] & NGHTTP2_FLAG_PADDED);

    *left = watch->left;
    return is_data && watch->left && !grpc->must_not_feed ? vow_grpc_find(grpc, watch_stream(watch)) : NULL;
}

/* Has a header block begun that must end sooner than other frames? */
static bool block_hurries(const vow_grpc *grpc)
{
    return grpc->watch.in_block && grpc->base.options.message_timeout_ms > BLOCK_MS;
}

static void frame_timed_out(vow_timer *timer)
{
    vow_grpc *grpc = VOW_OWNER(timer, vow_grpc, watch.frame_timer);

    if (block_hurries(grpc) && !grpc->life.paused) {
        vow_grpc_refuse(grpc, VOW_UNAVAILABLE, NGHTTP2_ENHANCE_YOUR_CALM,
                        "the connection is stuck: a header block had begun %d ms ago and has not ended",
                        BLOCK_MS);
        return;
    }
    if (!vow_life_waits_for_us(&grpc->life, timer))
        vow_grpc_refuse(grpc, VOW_UNAVAILABLE, NGHTTP2_ENHANCE_YOUR_CALM,
                        "the connection is stuck: a frame had begun %lld ms ago and has not ended (%s)",
                        (long long)grpc->base.options.message_timeout_ms, vow_life_timeout_name(&grpc->life));
}

void vow_grpc_watch_rest(vow_grpc *grpc)
{
    vow_grpc_watch *watch = &grpc->watch;
    vow_scheduler  *scheduler = vow_grpc_scheduler(grpc);
    bool            is_open = watch->head_size || watch->left || watch->in_block;

    if (!is_open || !vow_grpc_is_alive(grpc))
        vow_timers_disarm(&scheduler->timers, &watch->frame_timer);
    else if (watch->has_moved || !vow_timer_armed(&watch->frame_timer))
        vow_timers_arm(&scheduler->timers, &watch->frame_timer,
                       vow_scheduler_after_ms(scheduler, block_hurries(grpc)
                                                             ? BLOCK_MS
                                                             : grpc->base.options.message_timeout_ms));
    watch->has_moved = false;
}

/* Pings */

void vow_grpc_watch_ping(vow_grpc *grpc)
{
    bool is_free = grpc->watch.has_sent_of_calls;

    grpc->watch.has_sent_of_calls = false;
    if (grpc->base.options.min_ping_interval_ms > 0 &&
        !vow_strikes_ping(&grpc->watch.strikes, &grpc->base, is_free))
        vow_grpc_refuse(grpc, VOW_RESOURCE_EXHAUSTED, NGHTTP2_ENHANCE_YOUR_CALM, "too_many_pings");
}

/* Cancels */

void vow_grpc_watch_cancel(vow_grpc *grpc)
{
    if (!vow_life_cancelled(&grpc->life))
        vow_grpc_refuse(grpc, VOW_RESOURCE_EXHAUSTED, NGHTTP2_ENHANCE_YOUR_CALM,
                        "too many calls were cancelled, for the third time in %d s: calm down",
                        VOW_STOPS_WITHIN_S);
}

/* Calls */

static uint64_t message_time_ns(const vow_grpc_call *call)
{
    uint64_t size = call->prefix_size == VOW_GRPC_PREFIX ? call->message_size : 0;

    return ((uint64_t)call->grpc->base.options.message_timeout_ms + size * 1000 / SLOWEST_BYTES_PER_S) *
           NS_PER_MS;
}

/* A message must come in time, unless this side keeps it back. */
static void call_look(vow_grpc_call *call, uint64_t now)
{
    vow_grpc *grpc = call->grpc;

    if (!call->wire || call->is_answered || !call->begun_ns)
        return;
    if (call->held || grpc->life.paused)
        call->begun_ns = now;
    else if (now - call->begun_ns >= message_time_ns(call))
        vow_grpc_fail(call,
                      vow_status_make(VOW_UNAVAILABLE,
                                      "%zu bytes of a message of %zu have come in the time for all of it "
                                      "(%s, and a second for each %zu KiB)",
                                      call->message.size, call->message_size,
                                      vow_life_timeout_name(&grpc->life), SLOWEST_BYTES_PER_S >> 10));
}

static void stall_look(vow_grpc *grpc, uint64_t now)
{
    size_t most = grpc->base.options.max_queued_bytes;

    if (grpc->queued <= most)
        grpc->watch.moved_ns = now;
    else if (now - grpc->watch.moved_ns >= (uint64_t)STALL_MS * NS_PER_MS)
        vow_grpc_refuse(grpc, VOW_UNAVAILABLE, NGHTTP2_ENHANCE_YOUR_CALM,
                        "the peer has taken nothing of %zu bytes for %d ms; %zu may wait (max_queued_bytes)",
                        grpc->queued, STALL_MS, most);
}

static void sweep(vow_timer *timer)
{
    vow_grpc *grpc = VOW_OWNER(timer, vow_grpc, watch.sweep_timer);
    uint64_t  now = watch_now_ns(grpc);

    vow_life_enter(&grpc->life);
    for (vow_link *link = grpc->calls.head.next; link != &grpc->calls.head && vow_grpc_is_alive(grpc);
         link = link->next) /* calls go only inside nghttp2 */
        call_look(VOW_OWNER(link, vow_grpc_call, link), now);
    stall_look(grpc, now);
    vow_grpc_watch_calls(grpc);
    vow_life_leave(&grpc->life);
}

void vow_grpc_watch_calls(vow_grpc *grpc)
{
    vow_scheduler *scheduler = vow_grpc_scheduler(grpc);
    vow_timer     *timer = &grpc->watch.sweep_timer;

    if (vow_grpc_is_alive(grpc) && !vow_timer_armed(timer) && vow_list_first(&grpc->calls))
        vow_timers_arm(&scheduler->timers, timer,
                       vow_scheduler_after_ms(scheduler, grpc->base.options.message_timeout_ms / 4 + 1));
}

/* Life */

void vow_grpc_watch_init(vow_grpc *grpc)
{
    vow_grpc_watch *watch = &grpc->watch;
    uint64_t        now = watch_now_ns(grpc);

    *watch = (vow_grpc_watch){ .left = grpc->base.options.is_server ? NGHTTP2_CLIENT_MAGIC_LEN : 0 };
    vow_bucket_init(&watch->glitches, GLITCHES_MAX, GLITCHES_PER_S, now);
    vow_timer_init(&watch->frame_timer, frame_timed_out);
    vow_timer_init(&watch->sweep_timer, sweep);
    watch->moved_ns = now;
}

void vow_grpc_watch_stop(vow_grpc *grpc)
{
    vow_timers *timers = &vow_grpc_scheduler(grpc)->timers;

    vow_timers_disarm(timers, &grpc->watch.frame_timer);
    vow_timers_disarm(timers, &grpc->watch.sweep_timer);
}
