#include "runtime/rpc/server.h"

#include "runtime/base/memory.h"
#include "runtime/rpc/intercept.h"
#include "runtime/rpc/target.h"

#include <assert.h>
#include <string.h>

#define KEEPALIVE_MS (2 * 60 * 60 * 1000)
#define MIN_PING_INTERVAL_MS (5 * 60 * 1000)
#define MAX_AGE_GRACE_MS (30 * 1000)

/* Life */

static void size_default(size_t *value, size_t fallback)
{
    if (*value == 0)
        *value = fallback;
}

static vow_server_options options_read(const vow_server_options *given)
{
    vow_server_options options = { .size = sizeof options };

    if (given)
        memcpy(&options, given, given->size < sizeof options ? given->size : sizeof options);
    size_default(&options.max_message_size, (size_t)4 << 20);
    size_default(&options.max_inflate_ratio, 100);
    size_default(&options.max_decoded_size, (size_t)16 << 20);
    size_default(&options.max_connections, 10000);
    size_default(&options.max_connections_per_peer, 256);
    size_default(&options.max_calls, 1000);
    size_default(&options.max_calls_per_connection, 1000);
    size_default(&options.max_memory, (size_t)512 << 20);
    if (options.hello_timeout_ms <= 0)
        options.hello_timeout_ms = 10000;
    if (options.stream_window == 0)
        options.stream_window = (size_t)64 << 10;
    options.keepalive_ms = vow_keepalive_interval(options.keepalive_ms, KEEPALIVE_MS);
    if (options.keepalive_timeout_ms <= 0)
        options.keepalive_timeout_ms = 20000;
    if (options.max_age_grace_ms == 0)
        options.max_age_grace_ms = MAX_AGE_GRACE_MS;
    if (options.min_ping_interval_ms == 0)
        options.min_ping_interval_ms = MIN_PING_INTERVAL_MS;
    return options;
}

/* What is spoken behind TLS, in the order of liking. */
static vow_code server_read_tls(const vow_tls_options *options, vow_tls_context **made, vow_error *error)
{
    const char *const alpn[] = { vow_protocol_native.alpn, vow_protocol_grpc.alpn, NULL };

    return vow_tls_context_new(true, options, alpn, made, error);
}

static void server_open_tls(vow_server *server)
{
    vow_error error;

    if (server->options.tls && server_read_tls(server->options.tls, &server->tls, &error) != VOW_OK)
        server->fault = vow_status_of_error(&error);
    server->options.tls = NULL; /* was lent */
}

vow_code vow_server_reload_tls(vow_server *server, const vow_tls_options *options, vow_error *error)
{
    vow_tls_context *made = NULL;
    vow_code         code;

    if (server->anchor.is_missing)
        return vow_error_set(error, VOW_RESOURCE_EXHAUSTED, "there was no memory for the server");
    VOW_RULE_THREAD(vow_scheduler_of(server->anchor.loop));
    if (!options && !server->tls)
        return vow_error_set(error, VOW_FAILED_PRECONDITION,
                             "the server was opened without TLS: there is nothing to reload");
    code = options ? server_read_tls(options, &made, error) : vow_tls_context_again(server->tls, &made, error);
    if (code != VOW_OK)
        return code;
    vow_tls_context_drop(server->tls);
    server->tls = made;
    return VOW_OK;
}

static void server_shut(vow_closer *closer);

vow_server *vow_server_open(vow_loop *loop, const vow_server_options *options)
{
    vow_server *server = vow_alloc_zeroed(sizeof *server);

    VOW_RULE_THREAD(vow_scheduler_of(loop));
    if (!server)
        return (vow_server *)&loop->missing;
    server->anchor.loop = loop;
    server->options = options_read(options);
    server_open_tls(server);
    server->account.limit = server->options.max_memory;
    server->references = 1;
    vow_map_init(&server->entries);
    vow_list_init(&server->chain);
    vow_list_init(&server->listeners);
    vow_list_init(&server->peers);
    vow_list_init(&server->calls);
    vow_loop_on_close(loop, &server->closer, server_shut);
    vow_loop_object_born(loop);
    return server;
}

static void server_free_entries(vow_server *server)
{
    vow_map_node *node;

    while ((node = vow_map_any(&server->entries))) {
        vow_map_remove(&server->entries, node);
        vow_free(VOW_OWNER(node, vow_entry, node));
    }
    vow_map_done(&server->entries);
    vow_free(server->fallback);
}

void vow_server_drop(vow_server *server)
{
    vow_loop *loop = server->anchor.loop;

    assert(server->references > 0);
    if (--server->references > 0)
        return;
    server_free_entries(server);
    vow_chain_done(&server->chain);
    vow_tls_context_drop(server->tls);
    vow_status_done(&server->fault);
    vow_free(server);
    vow_loop_object_gone(loop);
}

static void listener_close(vow_server_listener *listener)
{
    vow_server *server = listener->server;
    vow_link   *link;

    for (link = server->peers.head.next; link != &server->peers.head; link = link->next) {
        vow_peer *peer = VOW_OWNER(link, vow_peer, link);

        if (peer->listener == listener)
            peer->listener = NULL;
    }
    vow_listener_close(listener->listener);
    vow_link_remove(&listener->link);
    vow_free(listener);
}

void vow_server_stop_listening(vow_server *server)
{
    vow_link *link;

    while ((link = vow_list_first(&server->listeners)))
        listener_close(VOW_OWNER(link, vow_server_listener, link));
}

static void server_shut(vow_closer *closer)
{
    vow_server *server = VOW_OWNER(closer, vow_server, closer);
    vow_status  why = vow_status_make(VOW_UNAVAILABLE, "the server was closed");
    vow_link   *link;

    server->is_closed = true;
    vow_drain_abandon(server);
    vow_server_stop_listening(server);
    vow_server_abandon_calls(server, &why);
    while ((link = vow_list_first(&server->peers)))
        vow_peer_close(VOW_OWNER(link, vow_peer, link), &why);
    vow_status_done(&why);
    vow_server_drop(server);
}

vow_server *vow_server_of_closer(vow_closer *closer)
{
    return closer->close == server_shut ? VOW_OWNER(closer, vow_server, closer) : NULL;
}

void vow_server_abandon_calls(vow_server *server, const vow_status *why)
{
    vow_list  calls;
    vow_link *link;

    vow_list_init(&calls);
    vow_list_splice(&calls, &server->calls);
    while ((link = vow_list_shift(&calls))) {
        vow_list_append(&server->calls, link);
        vow_handling_abandon(VOW_OWNER(link, vow_call, link), why);
    }
}

void vow_server_close(vow_server *server)
{
    if (!server || server->anchor.is_missing)
        return;
    VOW_RULE_THREAD(vow_scheduler_of(server->anchor.loop));
    VOW_RULE(!server->is_closed, "a server is closed once; vow_loop_close closes those that are open on it");
    vow_closer_remove(&server->closer);
    server_shut(&server->closer);
}

/* Handlers */

/* FNV-1a: the names are the program's own, nobody chooses them to collide. */
static uint64_t name_hash(const char *name)
{
    uint64_t hash = 0xcbf29ce484222325u;

    for (; *name; name++)
        hash = (hash ^ (uint8_t)*name) * 0x100000001b3u;
    return hash;
}

static vow_entry *server_find_entry(const vow_server *server, const char *method)
{
    uint64_t      hash = name_hash(method);
    vow_map_node *node = vow_map_find(&server->entries, hash);

    for (; node; node = node->next) {
        vow_entry *entry = VOW_OWNER(node, vow_entry, node);

        if (node->key == hash && strcmp(entry->handler.method->name, method) == 0)
            return entry;
    }
    return NULL;
}

const vow_entry *vow_server_find(const vow_server *server, const char *method)
{
    const vow_entry *entry = server_find_entry(server, method);

    return entry ? entry : server->fallback;
}

static vow_entry *server_add_entry(vow_server *server, const vow_method *method)
{
    vow_entry *entry = vow_alloc_zeroed(sizeof *entry);

    if (!entry) {
        vow_status_done(&server->fault);
        server->fault = vow_status_make(VOW_RESOURCE_EXHAUSTED, "there was no memory for the handler of %s",
                                        method ? method->name : "all other methods");
        return NULL;
    }
    if (!method) {
        server->fallback = entry;
        return entry;
    }
    entry->node.key = name_hash(method->name);
    vow_map_insert(&server->entries, &entry->node);
    return entry;
}

void vow_server_handle(vow_server *server, const vow_handler *handler)
{
    vow_entry *entry;

    if (server->anchor.is_missing)
        return;
    VOW_RULE_THREAD(vow_scheduler_of(server->anchor.loop));
    entry = handler->method ? server_find_entry(server, handler->method->name) : server->fallback;
    if (!entry)
        entry = server_add_entry(server, handler->method);
    if (!entry)
        return;
    memset(&entry->handler, 0, sizeof entry->handler);
    memcpy(&entry->handler, handler, handler->size < sizeof *handler ? handler->size : sizeof *handler);
}

void vow_server_each_handler(const vow_server *server, void (*each)(const vow_handler *handler, void *arg), void *arg)
{
    const vow_map *entries = &server->entries;

    if (server->anchor.is_missing)
        return;
    for (size_t i = 0; i <= entries->mask; i++) {
        for (vow_map_node *node = entries->buckets[i]; node; node = node->next)
            each(&VOW_OWNER(node, vow_entry, node)->handler, arg);
    }
    if (server->fallback)
        each(&server->fallback->handler, arg);
}

/* Listening */

static vow_code server_may_listen(const vow_server *server, const char *address, vow_error *error)
{
    if (server->anchor.is_missing)
        return vow_error_set(error, VOW_RESOURCE_EXHAUSTED, "cannot listen on %s: there was no memory for the server",
                             address);
    if (server->fault.code != VOW_OK)
        return vow_error_set(error, server->fault.code, "cannot listen on %s: %s", address,
                             vow_status_message(&server->fault));
    if (server->is_closed || server->drain)
        return vow_error_set(error, VOW_FAILED_PRECONDITION, "cannot listen on %s: the server is stopping", address);
    return vow_target_check_address(address, error);
}

vow_code vow_server_listen(vow_server *server, const char *address, vow_error *error)
{
    vow_listener_options options = { .unix_mode = server->anchor.is_missing ? 0 : server->options.unix_mode };
    vow_server_listener *listener;
    vow_code             code = server_may_listen(server, address, error);

    if (code != VOW_OK)
        return code;
    VOW_RULE_THREAD(vow_scheduler_of(server->anchor.loop));
    listener = vow_alloc_zeroed(sizeof *listener);
    if (!listener)
        return vow_error_set(error, VOW_RESOURCE_EXHAUSTED, "cannot listen on %s: no memory", address);
    listener->server = server;
    code = vow_listener_open(server->anchor.loop, address, &options, vow_peer_accept, listener, &listener->listener,
                             error);
    if (code != VOW_OK) {
        vow_free(listener);
        return code;
    }
    vow_list_append(&server->listeners, &listener->link);
    if (vow_listener_port(listener->listener))
        server->port = vow_listener_port(listener->listener);
    return VOW_OK;
}

int vow_server_port(const vow_server *server)
{
    return server->anchor.is_missing ? 0 : server->port;
}
