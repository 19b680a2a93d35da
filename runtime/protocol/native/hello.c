#include "runtime/protocol/native/hello.h"

#include "runtime/base/guard.h"

#include <vow/version.h>

#include <assert.h>
#include <string.h>

#include "vow/wire.pb-c.h"

const uint8_t vow_preface[VOW_PREFACE_SIZE] = { 0x8d, 'v', 'o', 'w', '\r', '\n', 0x1a, '\n' };

#define DEFAULT_MAX_CALLS 1000

/* A hello is small: it is unpacked on the stack. */
#define SCRATCH_SIZE 4096

typedef struct scratch {
    _Alignas(16) uint8_t bytes[SCRATCH_SIZE];
    size_t               used;
} scratch;

static void *scratch_alloc(void *data, size_t size)
{
    scratch *scratch = data;
    void    *piece = scratch->bytes + scratch->used;

    size = (size + 15) & ~(size_t)15;
    if (size > SCRATCH_SIZE - scratch->used)
        return NULL;
    scratch->used += size;
    return piece;
}

static void scratch_free(void *data, void *piece)
{
    (void)data;
    (void)piece;
}

size_t vow_hello_write(uint8_t payload[VOW_HELLO_MAX], const vow_hello *ours)
{
    Vow__Wire__Hello hello = VOW__WIRE__HELLO__INIT;

    hello.min_version = VOW_PROTOCOL_VERSION;
    hello.max_version = VOW_PROTOCOL_VERSION;
    hello.has_max_frame_size = 1;
    hello.max_frame_size = (uint32_t)ours->max_frame_size;
    hello.has_max_message_size = 1;
    hello.max_message_size = ours->max_message_size;
    hello.has_max_calls = 1;
    hello.max_calls = ours->max_calls;
    hello.has_stream_window = 1;
    hello.stream_window = ours->stream_window;
    hello.has_connection_window = 1;
    hello.connection_window = ours->connection_window;
    hello.agent = (char *)(uintptr_t)("vow/" VOW_VERSION_STRING);
    assert(vow__wire__hello__get_packed_size(&hello) <= VOW_HELLO_MAX);
    return vow__wire__hello__pack(&hello, payload);
}

/* For logs, and so without control characters. Cut between two characters. */
static void agent_copy(char agent[VOW_AGENT_MAX], const char *theirs)
{
    size_t size = strnlen(theirs ? theirs : "", VOW_AGENT_MAX);

    if (size == VOW_AGENT_MAX) {
        size--;
        while (size > 0 && ((uint8_t)theirs[size] & 0xc0) == 0x80)
            size--;
    }
    for (size_t i = 0; i < size; i++)
        agent[i] = (uint8_t)theirs[i] < 0x20 || theirs[i] == 0x7f ? ' ' : theirs[i];
    agent[size] = '\0';
}

static vow_code hello_agree(vow_hello *agreed, const Vow__Wire__Hello *theirs, vow_error *error)
{
    if (theirs->min_version > VOW_PROTOCOL_VERSION || theirs->max_version < VOW_PROTOCOL_VERSION)
        return vow_error_set(error, VOW_FAILED_PRECONDITION,
                             "it speaks versions %u to %u of vow's protocol, and this side speaks version %d",
                             theirs->min_version, theirs->max_version, VOW_PROTOCOL_VERSION);
    agreed->version = VOW_PROTOCOL_VERSION;
    agent_copy(agreed->agent, theirs->agent);
    agreed->max_frame_size = theirs->has_max_frame_size ? theirs->max_frame_size : VOW_FRAME_MAX;
    if (agreed->max_frame_size < VOW_FRAME_LEAST)
        return vow_error_set(error, VOW_INTERNAL, "its hello takes frames of %zu bytes; %zu are the least",
                             agreed->max_frame_size, VOW_FRAME_LEAST);
    if (agreed->max_frame_size > VOW_FRAME_MAX_LOCAL)
        agreed->max_frame_size = VOW_FRAME_MAX_LOCAL;
    agreed->max_message_size = theirs->has_max_message_size ? theirs->max_message_size : UINT64_MAX;
    agreed->max_calls = theirs->has_max_calls ? (size_t)theirs->max_calls : DEFAULT_MAX_CALLS;
    agreed->stream_window = theirs->has_stream_window ? theirs->stream_window : VOW_STREAM_WINDOW;
    agreed->connection_window = theirs->has_connection_window ? theirs->connection_window : VOW_CONNECTION_WINDOW;
    if (agreed->stream_window < VOW_WINDOW_LEAST || agreed->connection_window < VOW_WINDOW_LEAST)
        return vow_error_set(error, VOW_INTERNAL, "its hello gives streams a window of less than %llu bytes",
                             (unsigned long long)VOW_WINDOW_LEAST);
    return VOW_OK;
}

vow_code vow_hello_read(vow_hello *hello, const uint8_t *payload, size_t size, vow_error *error)
{
    const vow_guard_limits limits = { .max_memory = SCRATCH_SIZE / 2 };
    scratch                memory = { .used = 0 };
    ProtobufCAllocator     allocator = { scratch_alloc, scratch_free, &memory };
    vow_guard_need         need;
    vow_error              wrong;
    Vow__Wire__Hello      *theirs = NULL;

    if (size > VOW_HELLO_MAX)
        return vow_error_set(error, VOW_INTERNAL, "its hello has %zu bytes; %d are allowed", size, VOW_HELLO_MAX);
    if (vow_guard_scan(&vow__wire__hello__descriptor, payload, size, &limits, &need, &wrong) != VOW_OK)
        return vow_error_set(error, VOW_INTERNAL, "its hello is malformed: %s", wrong.message);
    theirs = vow__wire__hello__unpack(&allocator, size, payload);
    if (!theirs)
        return vow_error_set(error, VOW_INTERNAL, "its hello is malformed");
    return hello_agree(hello, theirs, error);
}
