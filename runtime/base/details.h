/*
 * Details of a failure: messages beside its code and text, for a program to read.
 *
 * The idea: they are kept as they travel, as one packed google.rpc.Status, in the text that the status
 * shares. So they go wherever the status goes, along chains of futures and of services, for the price of a
 * pointer. A message is unpacked when somebody asks for it, and lives as long as the text.
 *
 * The rule: details never keep a failure from being told. What is malformed, or too much, or finds no memory,
 * is left out.
 */
#ifndef VOW_BASE_DETAILS_H
#define VOW_BASE_DETAILS_H

#include "runtime/base/status.h"

#include <protobuf-c/protobuf-c.h>

/* Of the packed google.rpc.Status, code and message included. */
#define VOW_DETAILS_MAX ((size_t)8 << 10)

/* What the guard allows one of the messages. They are unpacked on the stack of whoever reads them. */
#define VOW_DETAIL_DEPTH_MAX 16
#define VOW_DETAIL_MEMORY_MAX ((size_t)256 << 10)

/* No delay is longer: google.protobuf.Duration's own bound. */
#define VOW_PUSH_BACK_MAX_MS ((int64_t)315576000000 * 1000)

/* Adds to a status that was made just now, and is not shared yet. `details` ends with NULL; NULL: none. A
 * vow_raw among them is a packed google.rpc.Status, of which the details are taken. What is left out is
 * reported. */
void vow_status_add_details(vow_status *status, const ProtobufCMessage *const details[]);

/* The same with a google.rpc.Status from a peer, copied. */
void vow_status_copy_details(vow_status *status, const void *packed, size_t size);

/* The same with a delay alone. */
void vow_status_set_push_back(vow_status *status, int64_t push_back_ms);

/* The packed google.rpc.Status, lent as long as the status; NULL: none. */
const uint8_t *vow_status_details(const vow_status *status, size_t *size);

/* The detail at `index` among those of this type, lent as long as the status. NULL: there is none, it is
 * malformed, or there is no memory. */
const ProtobufCMessage *vow_status_detail(const vow_status *status, const ProtobufCMessageDescriptor *type,
                                          size_t index);

/* How long to wait before the next attempt, as a RetryInfo or the protocol said; negative: nothing said. */
int64_t vow_status_push_back_ms(const vow_status *status);

void vow_details_free(vow_details *details);

#endif
