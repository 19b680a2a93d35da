/*
 * What a channel is connected to, and who waits for that to change.
 *
 * The idea: connectivity is not kept but read from the connections and the pause. What may have changed it
 * queues a task, which looks at the futures that wait; without any it costs a look at an empty list.
 *
 * Source  gRPC, "Connectivity Semantics and API", whose five states these are.
 */
#include "runtime/rpc/channel.h"

typedef struct watch {
    vow_future       future;  /* first */
    vow_link         place;   /* among the channel's */
    vow_channel     *channel; /* a reference; NULL: settled */
    vow_connectivity from;
    bool             wants_ready;
} watch;

_Static_assert(sizeof(watch) <= VOW_FUTURE_ROOM, "a watch fits the pool of futures");

/* The channel's state */

static bool connection_takes_calls(const vow_connection *connection)
{
    return connection->state == VOW_CONNECTION_READY && connection->session &&
           !connection->session->goes_away;
}

static bool channel_has_ready(const vow_channel *channel)
{
    for (const vow_link *link = channel->connections.head.next; link != &channel->connections.head;
         link = link->next) {
        if (connection_takes_calls(VOW_OWNER(link, vow_connection, link)))
            return true;
    }
    return false;
}

vow_connectivity vow_channel_connectivity(const vow_channel *channel)
{
    if (channel->anchor.is_missing || channel->is_closed)
        return VOW_CHANNEL_CLOSED;
    if (channel_has_ready(channel))
        return VOW_CHANNEL_READY;
    if (channel->connecting > 0)
        return VOW_CHANNEL_CONNECTING;
    if (channel->fault.code != VOW_OK || vow_timer_armed(&channel->backoff))
        return VOW_CHANNEL_FAILING;
    return VOW_CHANNEL_IDLE;
}

const char *vow_connectivity_name(vow_connectivity connectivity)
{
    static const char *const names[] = {
        [VOW_CHANNEL_IDLE] = "IDLE",     [VOW_CHANNEL_CONNECTING] = "CONNECTING",
        [VOW_CHANNEL_READY] = "READY",   [VOW_CHANNEL_FAILING] = "FAILING",
        [VOW_CHANNEL_CLOSED] = "CLOSED",
    };

    return connectivity <= VOW_CHANNEL_CLOSED ? names[connectivity] : "?";
}

/* Watching */

/* The future is still to be settled. Who calls this holds the channel. */
static void watch_end(watch *watch)
{
    vow_channel *channel = watch->channel;

    vow_link_remove(&watch->place);
    watch->channel = NULL;
    if (watch->wants_ready) {
        channel->awaited--;
        vow_scheduler_release(watch->future.scheduler);
    }
    vow_channel_drop(channel);
}

static void watch_cancel(vow_future *future)
{
    watch_end((watch *)future);
}

static const vow_future_class watch_class = {
    .name = "watch of a channel",
    .cancel = watch_cancel,
    .destroy = vow_future_give,
};

static vow_future *watch_new(vow_channel *channel, vow_connectivity from, bool wants_ready)
{
    vow_scheduler *scheduler = vow_scheduler_of(channel->anchor.loop);
    watch         *watch = vow_future_new(scheduler, &watch_class);

    if (!watch)
        return vow_future_no_memory(scheduler);
    watch->channel = channel;
    watch->from = from;
    watch->wants_ready = wants_ready;
    channel->references++;
    vow_link_init(&watch->place);
    vow_list_append(&channel->watches, &watch->place);
    if (wants_ready) {
        channel->awaited++;
        vow_scheduler_hold(scheduler);
    }
    return &watch->future;
}

static bool watch_is_due(const watch *watch)
{
    if (watch->wants_ready)
        return vow_channel_pick(watch->channel) != NULL;
    return vow_channel_connectivity(watch->channel) != watch->from;
}

static void watches_look(vow_task *task)
{
    vow_channel *channel = VOW_OWNER(task, vow_channel, tell);
    vow_list     looked_at;
    vow_link    *link;

    channel->references++;
    vow_list_init(&looked_at);
    vow_list_splice(&looked_at, &channel->watches);
    while ((link = vow_list_shift(&looked_at))) {
        watch *watch = VOW_OWNER(link, struct watch, place);

        vow_list_append(&channel->watches, link);
        if (!watch_is_due(watch))
            continue;
        watch_end(watch);
        vow_future_succeed(&watch->future, NULL, NULL);
    }
    vow_channel_drop(channel);
}

void vow_watches_init(vow_channel *channel)
{
    vow_list_init(&channel->watches);
    vow_task_init(&channel->tell, watches_look);
}

void vow_watches_tell(vow_channel *channel)
{
    if (!vow_list_empty(&channel->watches))
        vow_scheduler_soon(vow_scheduler_of(channel->anchor.loop), &channel->tell);
}

void vow_watches_end(vow_channel *channel)
{
    vow_link *link;

    while ((link = vow_list_first(&channel->watches))) {
        watch *watch = VOW_OWNER(link, struct watch, place);

        watch_end(watch); /* who closes the channel holds it */
        if (watch->wants_ready)
            vow_future_fail(&watch->future,
                            vow_status_make(VOW_CANCELLED, "%s: the channel was closed", channel->target));
        else
            vow_future_succeed(&watch->future, NULL, NULL);
    }
}

/* For programs */

vow_future *vow_channel_ready(vow_channel *channel)
{
    vow_loop      *loop = channel->anchor.loop;
    vow_scheduler *scheduler = vow_scheduler_of(loop);
    vow_future    *ready;

    VOW_RULE_THREAD(scheduler);
    if (channel->anchor.is_missing)
        return vow_future_no_memory(scheduler);
    if (channel->fault.code != VOW_OK)
        return VOW_MADE(vow_failure_of(scheduler, vow_status_share(&channel->fault)));
    if (vow_loop_closing(loop))
        return vow_failure(loop, VOW_CANCELLED, "%s: the channel was closed", channel->target);
    if (vow_channel_pick(channel))
        return VOW_MADE(vow_value(loop, NULL, NULL));
    ready = watch_new(channel, VOW_CHANNEL_IDLE, true);
    vow_channel_connect_more(channel);
    return VOW_MADE(ready);
}

vow_future *vow_channel_changed(vow_channel *channel, vow_connectivity from)
{
    vow_loop      *loop = channel->anchor.loop;
    vow_scheduler *scheduler = vow_scheduler_of(loop);

    VOW_RULE_THREAD(scheduler);
    if (channel->anchor.is_missing)
        return vow_future_no_memory(scheduler);
    if (vow_loop_closing(loop) || vow_channel_connectivity(channel) != from)
        return VOW_MADE(vow_value(loop, NULL, NULL));
    return VOW_MADE(watch_new(channel, from, false));
}
