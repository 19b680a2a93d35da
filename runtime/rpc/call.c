#include "runtime/rpc/intercept.h"
#include "runtime/rpc/stream.h"

#include "runtime/base/apart.h"
#include "runtime/protocol/metadata.h"

#include <assert.h>
#include <string.h>

#define NS_PER_MS 1000000u

const ProtobufCMessageDescriptor vow_raw_descriptor = {
    .magic = PROTOBUF_C__MESSAGE_DESCRIPTOR_MAGIC,
    .name = "vow.Raw",
    .short_name = "Raw",
    .c_name = "vow_raw",
    .package_name = "vow",
    .sizeof_message = sizeof(vow_raw),
};

static const vow_metadata no_metadata[] = { { NULL, NULL, 0 } };

struct vow_attachment {
    vow_attachment *next;
    void           *object;
    vow_release_fn *release;
};

/* Life */

vow_call *vow_call_new(vow_loop *loop, const vow_method *method, size_t max_memory, void (*fire)(vow_timer *timer))
{
    vow_scheduler *scheduler = vow_scheduler_of(loop);
    vow_call      *call = vow_pool_take(&scheduler->calls);

    if (!call)
        return NULL;
    call->future.class = NULL;
    call->wire = (vow_wire){ .session = NULL };
    call->streaming = NULL;
    call->interception = NULL;
    call->slots = NULL;
    call->attachments = NULL;
    call->loop = loop;
    call->method = method;
    call->deadline_ns = VOW_NO_DEADLINE;
    call->received = no_metadata;
    call->trailing = no_metadata;
    call->peer = "";
    call->state = VOW_CALL_WAITING;
    vow_arena_init(&call->arena, call->room, VOW_CALL_SIZE - offsetof(vow_call, room), &scheduler->blocks, max_memory);
    vow_timer_init(&call->timer, fire);
    vow_link_init(&call->link);
    vow_link_init(&call->sibling);
    vow_list_init(&call->children);
    vow_scheduler_hold(scheduler);
    return call;
}

/* What is released may let go of other calls, and so of what is attached to them. */
static void call_release_attachments(vow_call *call)
{
    vow_attachment *attachment;

    while ((attachment = call->attachments)) {
        call->attachments = attachment->next;
        attachment->release(attachment->object);
    }
}

bool vow_call_attach(vow_call *call, void *object, vow_release_fn *release)
{
    vow_attachment *attachment;

    VOW_RULE_THREAD(vow_call_any_scheduler(call));
    attachment = vow_call_is_missing(call) ? NULL : vow_arena_alloc(&call->arena, sizeof *attachment);
    if (!attachment) {
        release(object);
        return false;
    }
    *attachment = (vow_attachment){ call->attachments, object, release };
    call->attachments = attachment;
    return true;
}

void vow_call_free(vow_call *call)
{
    vow_scheduler *scheduler = vow_call_scheduler(call);
    vow_link      *child;

    assert(!call->wire.session && !vow_link_listed(&call->link) && !vow_timer_armed(&call->timer));
    call_release_attachments(call);
    vow_streaming_done(call);
    vow_intercept_done(call);
    vow_link_remove(&call->sibling);
    while ((child = vow_list_shift(&call->children)))
        (void)child; /* goes on without its parent */
    vow_arena_done(&call->arena);
    call->state = VOW_CALL_DEAD;
    vow_pool_give(&scheduler->calls, call);
    if (scheduler->is_closing)
        scheduler->kind->idle(scheduler);
}

void vow_call_set_deadline(vow_call *call, uint64_t deadline_ns)
{
    call->deadline_ns = deadline_ns;
    if (deadline_ns != VOW_NO_DEADLINE)
        vow_timers_arm(&vow_call_scheduler(call)->timers, &call->timer, deadline_ns);
}

void vow_call_cancel_children(vow_call *call)
{
    vow_link *link;

    /* Whose handle it is does not matter: a child is cancelled also where vow_call_answer has taken it. */
    while ((link = vow_list_shift(&call->children)))
        vow_future_cancel(&VOW_OWNER(link, vow_call, sibling)->future);
}

/* Messages */

static VOW_APART ProtobufCMessage *arena_keep_raw(vow_arena *arena, vow_packed *packed)
{
    vow_raw *raw = vow_arena_alloc(arena, sizeof *raw);
    uint8_t *copy;

    if (!raw)
        return NULL;
    *raw = (vow_raw)VOW_RAW_INIT(packed->data, packed->size);
    if (vow_packed_keep(packed, packed->size, arena))
        return &raw->base;
    copy = vow_arena_alloc(arena, packed->size ? packed->size : 1);
    if (!copy)
        return NULL;
    if (packed->size)
        memcpy(copy, packed->data, packed->size);
    raw->data = copy;
    return &raw->base;
}

static VOW_SELDOM vow_status unpack_failed(const vow_call *call, const char *what, const vow_error *error)
{
    vow_code code = error->code;

    if (vow_call_is_callers(call) && code == VOW_INVALID_ARGUMENT)
        code = VOW_INTERNAL; /* the caller has done nothing wrong: its peer has */
    return vow_status_make(code, "%s: the %s: %s", call->method->name, what, error->message);
}

ProtobufCMessage *vow_call_unpack(vow_call *call, vow_arena *arena, const ProtobufCMessageDescriptor *descriptor,
                                  vow_packed *packed, const char *what, vow_status *status)
{
    vow_error         error; /* is filled on failure alone: clearing its text would cost what a short message does */
    ProtobufCMessage *message;

    if (descriptor != &vow_raw_descriptor)
        message = vow_unpack(arena, descriptor, packed, &error);
    else if (!(message = arena_keep_raw(arena, packed)))
        vow_error_set(&error, VOW_RESOURCE_EXHAUSTED, "no memory");
    if (message)
        return call->interception ? vow_intercept_receive(call, arena, message, packed->size, status) : message;
    *status = unpack_failed(call, what, &error);
    return NULL;
}

/* Metadata */

static char *arena_copy(vow_arena *arena, const char *bytes, size_t size)
{
    char *copy = vow_arena_alloc(arena, size + 1);

    if (!copy)
        return NULL;
    memcpy(copy, bytes, size);
    copy[size] = '\0';
    return copy;
}

static bool metadata_copy_entry(vow_arena *arena, vow_metadata *copy, const vow_metadata *entry)
{
    size_t size = vow_metadata_value_size(entry);

    copy->name = arena_copy(arena, entry->name, strlen(entry->name));
    copy->value = arena_copy(arena, entry->value ? entry->value : "", size);
    copy->value_size = size;
    return copy->name && copy->value;
}

const vow_metadata *vow_call_join_metadata(vow_call *call, const vow_metadata *first, const vow_metadata *second,
                                           bool *failed)
{
    size_t        before = vow_metadata_count(first);
    size_t        count = before + vow_metadata_count(second);
    vow_metadata *joined;

    *failed = false;
    if (count == before)
        return first;
    joined = vow_arena_alloc(&call->arena, (count + 1) * sizeof *joined);
    *failed = !joined;
    for (size_t i = 0; i < count && !*failed; i++) {
        if (i < before)
            joined[i] = first[i];
        else
            *failed = !metadata_copy_entry(&call->arena, &joined[i], &second[i - before]);
    }
    if (*failed)
        return first;
    joined[count] = (vow_metadata){ NULL, NULL, 0 };
    return joined;
}

const vow_metadata *vow_call_copy_metadata(vow_call *call, const vow_metadata *metadata, bool *failed)
{
    return vow_call_join_metadata(call, NULL, metadata, failed);
}

vow_status vow_call_no_room_for_metadata(const vow_call *call)
{
    return vow_status_make(VOW_RESOURCE_EXHAUSTED,
                           "%s: no memory for the peer's metadata, or more than max_decoded_size (%zu bytes)",
                           call->method->name, call->arena.cap);
}

void vow_call_hear_metadata(vow_wire *wire, const vow_metadata *metadata)
{
    vow_call           *call = vow_call_of_wire(wire);
    bool                failed;
    const vow_metadata *copy = vow_call_copy_metadata(call, metadata, &failed);

    if (copy)
        call->received = copy;
    if (failed)
        vow_call_end_with(call, vow_call_no_room_for_metadata(call));
    else if (call->streaming)
        vow_streaming_heard_metadata(call->streaming);
}

void vow_call_compress(vow_call *call, bool compress)
{
    VOW_RULE_THREAD(vow_call_any_scheduler(call));
    if (vow_call_is_missing(call))
        return;
    call->wire.compresses = compress;
    call->wire.may_compress |= compress;
}

bool vow_call_was_compressed(const vow_call *call)
{
    return call->was_compressed;
}

const vow_metadata *vow_call_metadata(const vow_call *call)
{
    return vow_call_is_missing(call) ? no_metadata : call->received;
}

const vow_metadata *vow_call_trailing_metadata(const vow_call *call)
{
    return vow_call_is_missing(call) ? no_metadata : call->trailing;
}

const vow_metadata *vow_metadata_find(const vow_metadata *list, const char *name)
{
    for (; list && list->name; list++) {
        if (strcmp(list->name, name) == 0)
            return list;
    }
    return NULL;
}

const char *vow_call_metadata_get(const vow_call *call, const char *name)
{
    const vow_metadata *entry = vow_metadata_find(vow_call_metadata(call), name);

    return entry ? entry->value : NULL;
}

/* Asking */

/* Of the call that is given when there is no memory for any other. */
static const vow_method no_method = {
    .size = sizeof no_method,
    .name = "",
    .request = &vow_raw_descriptor,
    .reply = &vow_raw_descriptor,
};

vow_loop *vow_call_loop(const vow_call *call)
{
    return vow_call_is_missing(call) ? (vow_loop *)call->future.scheduler : call->loop;
}

const vow_method *vow_call_method(const vow_call *call)
{
    return vow_call_is_missing(call) ? &no_method : call->method;
}

const char *vow_call_peer(const vow_call *call)
{
    return vow_call_is_missing(call) ? "" : call->peer;
}

bool vow_call_is_served(const vow_call *call)
{
    return !vow_call_is_callers(call);
}

int64_t vow_call_time_left_ms(const vow_call *call)
{
    uint64_t now = vow_scheduler_now_ns(vow_call_any_scheduler(call));

    if (vow_call_is_missing(call) || call->deadline_ns == VOW_NO_DEADLINE)
        return INT64_MAX;
    return call->deadline_ns <= now ? 0 : (int64_t)((call->deadline_ns - now) / NS_PER_MS);
}
