/* What generated code calls of vow, in a form that tells what it was called with. */
#include <vow/vow.h>

#include <stdio.h>

vow_future *vow_call_unary(vow_channel *channel, const vow_method *method, const ProtobufCMessage *request,
                           const vow_call_options *options)
{
    (void)channel;
    (void)options;
    printf("%s is called with %s\n", method->name, request->descriptor->name);
    return (vow_future *)request;
}

vow_call *vow_call_start(vow_channel *channel, const vow_method *method, const vow_call_options *options)
{
    (void)channel;
    (void)options;
    printf("%s is begun\n", method->name);
    return (vow_call *)method;
}

bool vow_call_send(vow_call *call, const ProtobufCMessage *message)
{
    printf("%s is sent %s\n", vow_call_method(call)->name, message->descriptor->name);
    return true;
}

void vow_call_end(vow_call *call)
{
    printf("%s is ended\n", vow_call_method(call)->name);
}

/* Hands over one empty message. */
vow_future *vow_call_read_as(vow_call *call, vow_deliver_fn *deliver, vow_any_fn *on_message, void *arg)
{
    const vow_method                 *method = vow_call_method(call);
    const ProtobufCMessageDescriptor *type = method->server_streams ? method->reply : method->request;
    ProtobufCMessage                 *message = protobuf_c_message_unpack(type, NULL, 0, NULL);
    vow_future                       *given = deliver(call, message, on_message, arg);

    printf("%s is read\n", method->name);
    protobuf_c_message_free_unpacked(message, NULL);
    return given;
}

void *vow_future_value(const vow_future *future)
{
    return (void *)future;
}

void vow_call_reply(vow_call *call, const ProtobufCMessage *message)
{
    printf("%s is answered with %s\n", vow_call_method(call)->name, message->descriptor->name);
}

const vow_method *vow_call_method(const vow_call *call)
{
    return (const vow_method *)call;
}

/* Serves one call at once, from an empty request. */
void vow_server_handle(vow_server *server, const vow_handler *handler)
{
    ProtobufCMessage *request = NULL;

    (void)server;
    printf("%s %s%s\n", handler->method->name, handler->serve ? "is served" : "is unimplemented",
           handler->method->idempotent ? " and idempotent" : "");
    if (!handler->serve)
        return;
    if (!handler->method->client_streams)
        request = protobuf_c_message_unpack(handler->method->request, NULL, 0, NULL);
    handler->serve((vow_call *)handler->method, request, handler);
    if (request)
        protobuf_c_message_free_unpacked(request, NULL);
}
