/*
 * The guard: what it lets pass, protobuf-c unpacks within the memory that was foretold.
 *
 * The first byte chooses the type.
 */
#include "runtime/base/guard.h"

#include <stdlib.h>

#include "guard.pb-c.h"

#define MEMORY_MAX ((size_t)1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Counts what is asked for in all, and what is out. */
typedef struct counter {
    size_t asked;
    size_t limit;
} counter;

static void *counter_alloc(void *data, size_t size)
{
    counter *counter = data;

    counter->asked += (size + VOW_GUARD_ALIGNMENT - 1) & ~(size_t)(VOW_GUARD_ALIGNMENT - 1);
    if (counter->asked > counter->limit)
        abort();
    return malloc(size);
}

static void counter_free(void *data, void *memory)
{
    (void)data;
    free(memory);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const ProtobufCMessageDescriptor *types[] = { &guard__kinds__descriptor, &guard__lists__descriptor,
                                                  &guard__tree__descriptor, &guard__box__descriptor,
                                                  &guard__sparse__descriptor };
    const vow_guard_limits limits = { .max_memory = MEMORY_MAX };
    const ProtobufCMessageDescriptor *type;
    vow_guard_need                    need;
    vow_error                         error = { VOW_OK, "" };
    counter                           counter = { 0 };
    ProtobufCAllocator                allocator = { counter_alloc, counter_free, &counter };
    ProtobufCMessage                 *message;

    if (size == 0)
        return 0;
    type = types[data[0] % (sizeof types / sizeof types[0])];
    if (vow_guard_scan(type, data + 1, size - 1, &limits, &need, &error) != VOW_OK) {
        if (!error.message[0])
            abort();
        return 0;
    }
    if (need.arena_bytes > MEMORY_MAX)
        abort();
    /* Temporary lists double: all of them together are less than twice the last, for each level. */
    counter.limit = need.arena_bytes + 2 * need.scratch_bytes * (VOW_GUARD_DEPTH_MAX + 1);
    message = protobuf_c_message_unpack(type, &allocator, size - 1, data + 1);
    if (message)
        protobuf_c_message_free_unpacked(message, &allocator);
    return 0;
}
