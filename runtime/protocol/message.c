#include "runtime/protocol/message.h"

#include <string.h>

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
