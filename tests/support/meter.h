/*
 * A meter for protobuf-c: unpacks a message and keeps account of every block it asks for.
 *
 * The idea: what the guard foretells is held against what happens. The meter gives no more than
 * was foretold, so a guard that says too little is found even if the memory would have been there.
 */
#ifndef VOW_TESTS_METER_H
#define VOW_TESTS_METER_H

#include "runtime/base/guard.h"

#include <stdbool.h>

/* All sizes are rounded up to VOW_GUARD_ALIGNMENT, block by block. */
typedef struct meter {
    bool   unpacked;
    bool   overdrawn;   /* more was asked for than foretold */
    size_t kept_bytes;  /* what the message consists of */
    size_t asked_bytes; /* everything but lists of elements: blocks freed again, of 1, 2, 4, ... KiB */
    size_t freed_most;  /* of the blocks that were freed again, the most that was out at one time */
} meter;

/* Unpacks and frees a message. NULL for `need`: whatever protobuf-c asks for up to 1 GiB. */
meter meter_unpack(const ProtobufCMessageDescriptor *descriptor, const void *data, size_t size,
                   const vow_guard_need *need);

/* NULL, or what the guard has promised and this does not hold. */
const char *meter_fault(const meter *meter, const vow_guard_need *need);

#endif
