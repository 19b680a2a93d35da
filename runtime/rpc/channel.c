#include "runtime/rpc/channel.h"

#include "runtime/base/memory.h"
#include "runtime/rpc/inherit.h"
#include "runtime/rpc/intercept.h"
#include "runtime/rpc/target.h"

#include <vow/testing.h>

#include <assert.h>
#include <string.h>

#define JITTER_PERCENT 20
#define CONNECTIONS_MAX 256

/* Life */

static vow_channel_options options_read(const vow_channel_options *given)
{
    vow_channel_options options = { .size = sizeof options };

    if (given)
        memcpy(&options, given, given->size < sizeof options ? given->size : sizeof options);
    if (options.connect_timeout_ms <= 0)
        options.connect_timeout_ms = 10000;
    if (options.call_timeout_ms == 0)
        options.call_timeout_ms = 10000;
    if (options.connections == 0)
        options.connections = 1;
    if (options.connections > CONNECTIONS_MAX)
        options.connections = CONNECTIONS_MAX;
    if (options.max_inflate_ratio == 0)
        options.max_inflate_ratio = 100;
    if (options.max_message_size == 0)
        options.max_message_size = (size_t)4 << 20;
    if (options.max_decoded_size == 0)
        options.max_decoded_size = (size_t)16 << 20;
    if (options.max_waiting_calls == 0)
        options.max_waiting_calls = 10000;
    if (options.backoff_min_ms <= 0)
        options.backoff_min_ms = 1000;
    if (options.backoff_max_ms <= 0)
        options.backoff_max_ms = 120000;
    if (options.backoff_max_ms < options.backoff_min_ms)
        options.backoff_max_ms = options.backoff_min_ms;
    if (options.max_queued_bytes == 0)
        options.max_queued_bytes = (size_t)64 << 20;
    if (options.stream_window == 0)
        options.stream_window = (size_t)64 << 10;
    options.keepalive_ms = vow_keepalive_interval(options.keepalive_ms, 0);
    if (options.keepalive_timeout_ms <= 0)
        options.keepalive_timeout_ms = 20000;
    return options;
}

static void channel_shut(vow_closer *closer);
static void channel_backoff_over(vow_timer *timer);

vow_status vow_channel_name_target(const vow_channel *channel, vow_status why)
{
    const char *message = vow_status_message(&why);
    size_t      size = strlen(channel->address);
    vow_status  named;

    if (strncmp(message, channel->address, size) != 0 || message[size] != ':' ||
        strcmp(channel->address, channel->target) == 0)
        return why;
    named = vow_status_make(why.code, "%s%s", channel->target, message + size);
    vow_status_done(&why);
    return named;
}

static vow_code channel_open_tls(vow_channel *channel, vow_error *error)
{
    const char *alpn[] = { channel->protocol->alpn, NULL };
    vow_error   inner;
    vow_code    code = vow_tls_context_new(false, channel->options.tls, alpn, &channel->tls, &inner);

    if (code == VOW_OK)
        return VOW_OK;
    return vow_error_set(error, code, "%.100s: %s", channel->target, inner.message);
}

static void channel_read_target(vow_channel *channel)
{
    vow_target target = { &vow_protocol_native, "", "", false };
    vow_error  error;
    vow_code   code = vow_inherit_copy_names(channel->options.inherited, &channel->options.inherited, &error);

    if (code == VOW_OK)
        code = vow_target_read(channel->target, &target, &error);
    channel->protocol = target.protocol;
    if (code == VOW_OK && target.is_secure)
        code = channel_open_tls(channel, &error);
    else if (code == VOW_OK)
        code = vow_target_check_no_tls(channel->target, channel->options.tls, &error);
    channel->options.tls = NULL; /* was lent */
    strcpy(channel->address, target.transport);
    strcat(channel->address, target.rest);
    if (code == VOW_OK)
        code = vow_dial_check(channel->address, &error);
    if (code != VOW_OK)
        channel->fault = vow_channel_name_target(channel, vow_status_of_error(&error));
}

vow_channel *vow_channel_open(vow_loop *loop, const char *target, const vow_channel_options *options)
{
    size_t       target_size = strlen(target) + 1;
    vow_channel *channel = vow_alloc_zeroed(sizeof *channel + 2 * target_size); /* an address is no longer */

    VOW_RULE_THREAD(vow_scheduler_of(loop));
    if (!channel)
        return (vow_channel *)&loop->missing;
    channel->anchor.loop = loop;
    channel->options = options_read(options);
    channel->target = memcpy(channel + 1, target, target_size);
    channel->references = 1;
    channel->pause_ms = (uint64_t)channel->options.backoff_min_ms;
    channel->address = channel->target + target_size;
    channel_read_target(channel);
    vow_list_init(&channel->connections);
    vow_list_init(&channel->waiting);
    vow_list_init(&channel->put_off);
    vow_list_init(&channel->chain);
    vow_watches_init(channel);
    vow_timer_init(&channel->backoff, channel_backoff_over);
    vow_loop_on_close(loop, &channel->closer, channel_shut);
    vow_loop_object_born(loop);
    return channel;
}

void vow_channel_drop(vow_channel *channel)
{
    vow_loop *loop = channel->anchor.loop;

    assert(channel->references > 0);
    if (--channel->references > 0)
        return;
    vow_task_cancel(&channel->tell);
    vow_timers_disarm(&vow_scheduler_of(loop)->timers, &channel->backoff);
    vow_status_done(&channel->fault);
    vow_status_done(&channel->last_failure);
    vow_chain_done(&channel->chain);
    vow_tls_context_drop(channel->tls);
    vow_free((void *)(uintptr_t)channel->options.inherited);
    vow_free(channel);
    vow_loop_object_gone(loop);
}

static void channel_cancel(vow_channel *channel, vow_call *call)
{
    vow_caller_fail(call, vow_status_make(VOW_CANCELLED, "%s: the channel was closed", channel->target));
}

/* The last call of a connection that leaves takes the session with it. */
static void channel_cancel_calls(vow_channel *channel, const vow_connection *connection)
{
    vow_map_node *node;

    while (connection->session && (node = vow_map_any(&connection->session->calls)))
        channel_cancel(channel, vow_call_of_wire(VOW_OWNER(node, vow_wire, node)));
}

static void channel_shut(vow_closer *closer)
{
    vow_channel *channel = VOW_OWNER(closer, vow_channel, closer);
    vow_link    *link;

    channel->is_closed = true;
    while ((link = vow_list_first(&channel->waiting)) || (link = vow_list_first(&channel->put_off)))
        channel_cancel(channel, VOW_OWNER(link, vow_call, link));
    while ((link = vow_list_first(&channel->connections))) {
        vow_connection *connection = VOW_OWNER(link, vow_connection, link);

        connection->references++;
        channel_cancel_calls(channel, connection);
        if (vow_link_listed(&connection->link)) /* a leaving one has gone with its last call */
            vow_connection_close(connection);
        vow_connection_drop(connection);
    }
    vow_watches_end(channel);
    vow_channel_drop(channel);
}

void vow_channel_close(vow_channel *channel)
{
    if (!channel || channel->anchor.is_missing)
        return;
    VOW_RULE_THREAD(vow_scheduler_of(channel->anchor.loop));
    VOW_RULE(!channel->is_closed, "a channel is closed once; vow_loop_close closes those that are open on it");
    vow_closer_remove(&channel->closer);
    channel_shut(&channel->closer);
}

/* The first connection that has been made, or NULL. */
static vow_connection *channel_first_made(const vow_channel *channel)
{
    for (vow_link *link = channel->connections.head.next; link != &channel->connections.head; link = link->next) {
        vow_connection *connection = VOW_OWNER(link, vow_connection, link);

        if (connection->state != VOW_CONNECTION_CONNECTING)
            return connection;
    }
    return NULL;
}

static void connection_cut(vow_channel *channel, vow_connection *connection)
{
    vow_map_node *node;

    connection->references++;
    while (connection->session && (node = vow_map_any(&connection->session->calls)))
        vow_caller_fail(vow_call_of_wire(VOW_OWNER(node, vow_wire, node)),
                        vow_status_make(VOW_UNAVAILABLE, "%s: the connection was cut (vow_channel_cut)",
                                        channel->target));
    if (vow_link_listed(&connection->link)) /* a leaving one has gone with its last call */
        vow_connection_close(connection);
    vow_connection_drop(connection);
}

void vow_channel_cut(vow_channel *channel)
{
    vow_connection *connection;

    if (channel->anchor.is_missing)
        return;
    VOW_RULE_THREAD(vow_scheduler_of(channel->anchor.loop));
    channel->references++;
    while ((connection = channel_first_made(channel)))
        connection_cut(channel, connection);
    vow_channel_serve_waiting(channel);
    vow_channel_drop(channel);
}

vow_loop *vow_channel_loop(const vow_channel *channel)
{
    return channel->anchor.loop;
}

/* Choosing a connection */

static bool connection_has_place(const vow_connection *connection)
{
    const vow_session *session = connection->session;

    return connection->state == VOW_CONNECTION_READY && session && !session->goes_away &&
           session->our_calls < session->peer_max_calls;
}

vow_connection *vow_channel_pick(const vow_channel *channel)
{
    vow_connection *best = NULL;

    for (vow_link *link = channel->connections.head.next; link != &channel->connections.head; link = link->next) {
        vow_connection *connection = VOW_OWNER(link, vow_connection, link);

        if (connection_has_place(connection) &&
            (!best || connection->session->our_calls < best->session->our_calls))
            best = connection;
    }
    return best;
}

static bool channel_backs_off(const vow_channel *channel)
{
    return vow_timer_armed(&channel->backoff);
}

void vow_channel_connect_more(vow_channel *channel)
{
    if (channel->connecting == 0 && channel->usable < channel->options.connections && !channel_backs_off(channel) &&
        !channel->is_closed)
        vow_connection_open(channel);
}

/* The queue */

static void channel_queue(vow_channel *channel, vow_list *queue, vow_call *call)
{
    vow_list_append(queue, &call->link);
    channel->waiting_count++;
    call->side.caller.is_waiting = true;
}

void vow_channel_unqueue(vow_channel *channel, vow_call *call)
{
    vow_link_remove(&call->link);
    channel->waiting_count--;
    call->side.caller.is_waiting = false;
}

/* May one more call wait? Else it has failed. */
static bool channel_may_queue(vow_channel *channel, vow_call *call)
{
    if (channel->waiting_count < channel->options.max_waiting_calls)
        return true;
    vow_caller_fail(call, vow_status_make(VOW_RESOURCE_EXHAUSTED,
                                          "%s: %zu calls wait for a place already (max_waiting_calls)",
                                          channel->target, channel->waiting_count));
    return false;
}

void vow_channel_put_off(vow_channel *channel, vow_call *call)
{
    if (channel_may_queue(channel, call))
        channel_queue(channel, &channel->put_off, call);
}

/* The failure of an attempt to connect, for a call that does not wait for the next one. */
static void channel_fail_unready(vow_channel *channel, vow_call *call)
{
    vow_caller_fail(call, vow_status_share(&channel->last_failure));
}

void vow_channel_place(vow_channel *channel, vow_call *call, const vow_begin *begin)
{
    vow_connection *connection = vow_list_empty(&channel->waiting) ? vow_channel_pick(channel) : NULL;

    if (connection) {
        bool is_busy = connection->session->our_calls > 0;

        if (vow_caller_begin(call, connection, begin) && is_busy)
            vow_channel_connect_more(channel);
        return;
    }
    if (channel_backs_off(channel) && channel->usable == 0 && !call->side.caller.waits_for_ready) {
        channel_fail_unready(channel, call);
        return;
    }
    if (!channel_may_queue(channel, call) || !vow_caller_keep(call, begin))
        return;
    channel_queue(channel, &channel->waiting, call);
    vow_channel_connect_more(channel);
}

void vow_channel_serve_waiting(vow_channel *channel)
{
    vow_link       *link;
    vow_connection *connection;

    channel->references++; /* an interceptor of a call that fails may close the channel */
    while ((link = vow_list_first(&channel->waiting)) && (connection = vow_channel_pick(channel))) {
        vow_call *call = VOW_OWNER(link, vow_call, link);

        vow_channel_unqueue(channel, call);
        vow_caller_begin_queued(call, connection);
    }
    if (!vow_list_empty(&channel->waiting) || channel->awaited > 0)
        vow_channel_connect_more(channel);
    vow_watches_tell(channel);
    vow_channel_drop(channel);
}

/* Connections come and go */

void vow_channel_connected(vow_channel *channel)
{
    vow_timers_disarm(&vow_scheduler_of(channel->anchor.loop)->timers, &channel->backoff);
    vow_status_done(&channel->last_failure);
    channel->pause_ms = (uint64_t)channel->options.backoff_min_ms;
    vow_channel_serve_waiting(channel);
}

static void channel_back_off(vow_channel *channel)
{
    vow_scheduler *scheduler = vow_scheduler_of(channel->anchor.loop);
    uint64_t       pause_us = vow_random_jitter(&scheduler->random, channel->pause_ms * 1000, JITTER_PERCENT);
    uint64_t       longest = (uint64_t)channel->options.backoff_max_ms;

    vow_watches_tell(channel);
    vow_timers_arm(&scheduler->timers, &channel->backoff, vow_scheduler_now_ns(scheduler) + pause_us * 1000);
    channel->pause_ms = channel->pause_ms * 8 / 5 < longest ? channel->pause_ms * 8 / 5 : longest;
}

/* The pause is over: those that wait get the next attempt; without them the next call does. */
static void channel_backoff_over(vow_timer *timer)
{
    vow_channel *channel = VOW_OWNER(timer, vow_channel, backoff);

    if (!vow_list_empty(&channel->waiting) || channel->awaited > 0)
        vow_channel_connect_more(channel);
    vow_watches_tell(channel);
}

void vow_channel_connect_failed(vow_channel *channel, const vow_status *why)
{
    vow_list  failing;
    vow_link *link;

    vow_status_done(&channel->last_failure);
    channel->last_failure = vow_status_share(why);
    if (channel->is_closed)
        return;
    channel_back_off(channel);
    if (channel->usable > 0)
        return; /* other connections will serve those that wait */
    vow_list_init(&failing);
    vow_list_splice(&failing, &channel->waiting);
    channel->references++; /* an interceptor of a call that fails may close the channel */
    while ((link = vow_list_shift(&failing))) {
        vow_call *call = VOW_OWNER(link, vow_call, link);

        vow_list_append(&channel->waiting, link);
        if (channel->is_closed)
            channel_cancel(channel, call);
        else if (!call->side.caller.waits_for_ready)
            channel_fail_unready(channel, call);
    }
    vow_channel_drop(channel);
}
