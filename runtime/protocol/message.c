#include "runtime/protocol/message.h"

#include "runtime/base/flat.h"

#include <string.h>

bool vow_message_is(const ProtobufCMessage *message, const ProtobufCMessageDescriptor *wanted)
{
    return message && (message->descriptor == wanted || message->descriptor == &vow_raw_descriptor);
}

const char *vow_message_type(const ProtobufCMessage *message)
{
    if (!message)
        return "null pointer";
    return message->descriptor ? message->descriptor->name : "message that its INIT macro has not begun";
}

size_t vow_message_size(const ProtobufCMessage *message)
{
    if (message->descriptor == &vow_raw_descriptor)
        return ((const vow_raw *)message)->data_size;
    return protobuf_c_message_get_packed_size(message);
}

void vow_message_pack(const ProtobufCMessage *message, uint8_t *at)
{
    const vow_raw *raw = (const vow_raw *)message;

    if (message->descriptor != &vow_raw_descriptor)
        protobuf_c_message_pack(message, at);
    else if (raw->data_size)
        memcpy(at, raw->data, raw->data_size);
}

uint8_t *vow_message_pack_short(const ProtobufCMessage *message, uint8_t *at, const uint8_t *end)
{
    const vow_raw *raw = (const vow_raw *)message;

    if (message->descriptor != &vow_raw_descriptor)
        return vow_flat_pack(message, at, end);
    if (raw->data_size > (size_t)(end - at))
        return NULL;
    if (raw->data_size)
        memcpy(at, raw->data, raw->data_size);
    return at + raw->data_size;
}
