/*
 * Messages on their way out: the user's, or bytes that are packed already (vow_raw), which pass for any type.
 */
#ifndef VOW_PROTOCOL_MESSAGE_H
#define VOW_PROTOCOL_MESSAGE_H

#include <vow/method.h>

/* Is it one of type `wanted`, or packed already? False also for what is no message at all. */
bool vow_message_is(const ProtobufCMessage *message, const ProtobufCMessageDescriptor *wanted);

/* What it is instead, for a failure's text: "…, and was given a %s". */
const char *vow_message_type(const ProtobufCMessage *message);

/* The packed size. */
size_t vow_message_size(const ProtobufCMessage *message);

/* Packs into room for that. */
void vow_message_pack(const ProtobufCMessage *message, uint8_t *at);

/* Packs what is simple and short, without asking for its size first. Gives its end; NULL: it is neither, or might not
 * end before `end`. */
uint8_t *vow_message_pack_short(const ProtobufCMessage *message, uint8_t *at, const uint8_t *end);

#endif
