#include "tests/support/streams.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const vow_method streams_count = { sizeof streams_count, "calls.Streams/Count", &calls__text__descriptor,
                                         &calls__text__descriptor, false, true, false, NULL };
const vow_method streams_join = { sizeof streams_join, "calls.Streams/Join", &calls__text__descriptor,
                                        &calls__text__descriptor, true, false, false, NULL };
const vow_method streams_mute = { sizeof streams_mute, "calls.Streams/Mute", &calls__text__descriptor,
                                  &calls__text__descriptor, true, true, false, NULL };
const vow_method streams_chat = { sizeof streams_chat, "calls.Streams/Chat", &calls__text__descriptor,
                                        &calls__text__descriptor, true, true, false, NULL };

const char *streams_text(const ProtobufCMessage *message)
{
    return ((const Calls__Text *)message)->text;
}

bool streams_send(vow_call *call, const char *text)
{
    Calls__Text message = CALLS__TEXT__INIT;

    message.text = (char *)(uintptr_t)text;
    return vow_call_send(call, &message.base);
}

struct counting {
    size_t next;
    size_t end;
};

static vow_future *count_more(vow_call *call, void *arg)
{
    struct counting *counting = arg;
    bool             has_room = true;
    char             text[32];

    while (has_room && counting->next < counting->end) {
        snprintf(text, sizeof text, "%zu", counting->next++);
        has_room = streams_send(call, text);
    }
    if (counting->next == counting->end)
        vow_call_end(call);
    return NULL;
}

/* Sends the numbers up to the one that it is given. */
static void serve_count(vow_call *call, const ProtobufCMessage *request, const vow_handler *handler)
{
    struct counting *counting = vow_call_alloc(call, sizeof *counting);

    (void)handler;
    if (!counting)
        return;
    counting->end = strtoul(streams_text(request), NULL, 10);
    vow_call_answer(call, vow_call_write(call, count_more, counting));
}

struct joining {
    vow_call *call;
    size_t    size;
    size_t    count;
};

static vow_future *join_one(vow_call *call, const ProtobufCMessage *message, void *arg)
{
    struct joining *joining = arg;

    (void)call;
    joining->size += strlen(streams_text(message));
    joining->count++;
    return NULL;
}

static vow_future *join_reply(vow_future *end, void *arg)
{
    struct joining *joining = arg;
    Calls__Text     reply = CALLS__TEXT__INIT;
    char            text[64];

    (void)end;
    snprintf(text, sizeof text, "%zu messages, %zu bytes", joining->count, joining->size);
    reply.text = text;
    vow_call_reply(joining->call, &reply.base);
    return NULL;
}

/* Says how much it was sent. */
static void serve_join(vow_call *call, const ProtobufCMessage *request, const vow_handler *handler)
{
    struct joining *joining = vow_call_alloc(call, sizeof *joining);

    (void)request;
    (void)handler;
    if (!joining)
        return;
    joining->call = call;
    vow_call_answer(call, vow_then(vow_call_read(call, join_one, joining), join_reply, joining));
}

static vow_future *chat_echo(vow_call *call, const ProtobufCMessage *message, void *arg)
{
    (void)arg;
    if (strcmp(streams_text(message), "fail") == 0)
        return vow_failure(vow_call_loop(call), VOW_ABORTED, "as you wish");
    streams_send(call, streams_text(message));
    return vow_call_when_room(call);
}

/* Sends back what it is sent, in order. */
static void serve_chat(vow_call *call, const ProtobufCMessage *request, const vow_handler *handler)
{
    (void)request;
    (void)handler;
    vow_call_answer(call, vow_call_read(call, chat_echo, NULL));
}

/* Reads nothing, and answers when its caller goes. */
static void serve_mute(vow_call *call, const ProtobufCMessage *request, const vow_handler *handler)
{
    (void)request;
    (void)handler;
    vow_call_answer(call, vow_call_when_closed(call));
}

void streams_serve(vow_server *server)
{
    const vow_handler handlers[] = {
        { sizeof(vow_handler), &streams_count, serve_count, NULL, NULL },
        { sizeof(vow_handler), &streams_join, serve_join, NULL, NULL },
        { sizeof(vow_handler), &streams_chat, serve_chat, NULL, NULL },
        { sizeof(vow_handler), &streams_mute, serve_mute, NULL, NULL },
    };

    for (size_t i = 0; i < sizeof handlers / sizeof handlers[0]; i++)
        vow_server_handle(server, &handlers[i]);
}

world *streams_world(world_kind kind)
{
    world *world = world_new(kind);

    streams_serve(world->server);
    return world;
}
