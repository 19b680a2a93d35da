#include "tests/support/meter.h"

#include <stdint.h>
#include <stdlib.h>

#define BYTES_MAX ((size_t)1 << 30)

/* Lies before each block. */
typedef struct block {
    size_t index;
    size_t padding; /* what follows is aligned as malloc's */
} block;

typedef struct record {
    size_t size;
    bool   freed;
} record;

typedef struct account {
    meter   *meter;
    size_t   most; /* of live_bytes that was foretold */
    size_t   live_bytes;
    record  *records; /* one for each block, in order */
    size_t   count;
    size_t   room;
    int64_t *events; /* the block's index when it is taken, its complement when it is freed */
    size_t   event_count;
    size_t   event_room;
} account;

static void *enlarged(void *array, size_t *room, size_t each)
{
    *room = *room ? 2 * *room : 64;
    array = realloc(array, *room * each);
    if (!array)
        abort();
    return array;
}

static void account_note(account *account, int64_t event)
{
    if (account->event_count == account->event_room)
        account->events = enlarged(account->events, &account->event_room, sizeof *account->events);
    account->events[account->event_count++] = event;
}

static void *account_take(void *arg, size_t size)
{
    account *account = arg;
    size_t   rounded = (size + VOW_GUARD_ALIGNMENT - 1) / VOW_GUARD_ALIGNMENT * VOW_GUARD_ALIGNMENT;
    block   *block;

    if (rounded > account->most - account->live_bytes) {
        account->meter->overdrawn = true;
        return NULL;
    }
    block = malloc(sizeof *block + size); /* not rounded: a sanitizer sees the first byte beyond */
    if (!block)
        abort();
    block->index = account->count;
    if (account->count == account->room)
        account->records = enlarged(account->records, &account->room, sizeof *account->records);
    account->records[account->count++] = (record){ .size = rounded };
    account->live_bytes += rounded;
    account_note(account, (int64_t)block->index);
    return block + 1;
}

static void account_free(void *arg, void *memory)
{
    account *account = arg;
    block   *block = (struct block *)memory - 1;

    account->records[block->index].freed = true;
    account->live_bytes -= account->records[block->index].size;
    account_note(account, ~(int64_t)block->index);
    free(block);
}

static bool looks_like_list(size_t size)
{
    return size >= 1024 && (size & (size - 1)) == 0;
}

static void account_sum(account *account)
{
    meter *meter = account->meter;
    size_t freed = 0;

    meter->kept_bytes = account->live_bytes;
    for (size_t i = 0; i < account->count; i++) {
        if (!account->records[i].freed || !looks_like_list(account->records[i].size))
            meter->asked_bytes += account->records[i].size;
    }
    for (size_t i = 0; i < account->event_count; i++) {
        int64_t event = account->events[i];
        record *record = &account->records[event < 0 ? ~event : event];

        if (event < 0)
            freed -= record->size;
        else if (record->freed)
            freed += record->size;
        if (freed > meter->freed_most)
            meter->freed_most = freed;
    }
}

meter meter_unpack(const ProtobufCMessageDescriptor *descriptor, const void *data, size_t size,
                   const vow_guard_need *need)
{
    meter              meter = { 0 };
    account            account = { .meter = &meter };
    ProtobufCAllocator allocator = { account_take, account_free, &account };
    ProtobufCMessage  *message;

    account.most = need ? need->arena_bytes + need->scratch_bytes : BYTES_MAX;
    message = protobuf_c_message_unpack(descriptor, &allocator, size, data);
    meter.unpacked = message != NULL;
    account_sum(&account);
    protobuf_c_message_free_unpacked(message, &allocator);
    free(account.records);
    free(account.events);
    return meter;
}

const char *meter_fault(const meter *meter, const vow_guard_need *need)
{
    if (meter->overdrawn)
        return "protobuf-c asked for more at one time than was foretold";
    if (meter->kept_bytes > need->arena_bytes)
        return "the message is larger than was foretold";
    if (meter->asked_bytes > need->arena_bytes)
        return "more was asked for, beside lists of elements, than was foretold";
    return NULL;
}
