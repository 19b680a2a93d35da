/*
 * What tests of the guard say of a message.
 *
 * The idea: nothing passes without being unpacked by protobuf-c in the memory it was foretold, and a
 * refusal is its whole text. Each check fails the test that it is called from.
 */
#ifndef VOW_TESTS_GUARD_CHECKS_H
#define VOW_TESTS_GUARD_CHECKS_H

#include "runtime/base/guard.h"
#include "tests/support/message_writer.h"

#include <stdbool.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* Names the case that the checks from here on are for; failures print it. */
void check_case(const char *name);

/* Under default limits, and under those of `limits`. */
vow_guard_need check_passes(const ProtobufCMessageDescriptor *descriptor, const writer *message);
vow_guard_need check_passes_within(const ProtobufCMessageDescriptor *descriptor, const writer *message,
                                   const vow_guard_limits *limits);

void check_refused(const ProtobufCMessageDescriptor *descriptor, const writer *message, vow_code code,
                   const char *text);
void check_refused_within(const ProtobufCMessageDescriptor *descriptor, const writer *message,
                          const vow_guard_limits *limits, vow_code code, const char *text);

/* `packed` takes exactly what was foretold, which holds for all that protobuf-c has packed itself. */
void check_foretold_exactly(const ProtobufCMessage *packed);

bool protobuf_c_unpacks(const ProtobufCMessageDescriptor *descriptor, const writer *message);

#endif
