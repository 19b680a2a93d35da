/*
 * Messages on their way out: the user's, or bytes that are packed already.
 */
#ifndef VOW_PROTOCOL_MESSAGE_H
#define VOW_PROTOCOL_MESSAGE_H

#include <vow/method.h>

/* The packed size. */
size_t vow_message_size(const ProtobufCMessage *message);

/* Packs into room for that. */
void vow_message_pack(const ProtobufCMessage *message, uint8_t *at);

#endif
