/*
 * What a future says to whoever holds it, or to whom it is lent.
 */
#include "runtime/future/future.h"

#include "runtime/base/details.h"

#include <vow/details.h>

bool vow_future_settled(const vow_future *future)
{
    VOW_RULE_READABLE(future);
    return !vow_future_pending(future);
}

vow_code vow_future_code(const vow_future *future)
{
    VOW_RULE_READABLE(future);
    return vow_future_pending(future) ? VOW_UNKNOWN : future->status.code;
}

const char *vow_future_error(const vow_future *future)
{
    VOW_RULE_READABLE(future);
    return vow_future_pending(future) ? "UNKNOWN: not settled yet" : vow_status_text(&future->status);
}

const char *vow_future_message(const vow_future *future)
{
    VOW_RULE_READABLE(future);
    return vow_future_pending(future) ? "not settled yet" : vow_status_message(&future->status);
}

const ProtobufCMessage *vow_future_detail(const vow_future *failed, const ProtobufCMessageDescriptor *type,
                                          size_t index)
{
    VOW_RULE_READABLE(failed);
    return vow_future_pending(failed) ? NULL : vow_status_detail(&failed->status, type, index);
}

const void *vow_future_details(const vow_future *failed, size_t *size)
{
    VOW_RULE_READABLE(failed);
    *size = 0;
    return vow_future_pending(failed) ? NULL : vow_status_details(&failed->status, size);
}

int64_t vow_future_retry_delay_ms(const vow_future *failed)
{
    VOW_RULE_READABLE(failed);
    return vow_future_pending(failed) ? -1 : vow_status_push_back_ms(&failed->status);
}

void *vow_future_value(const vow_future *future)
{
    VOW_RULE_READABLE(future);
    return future->value;
}

vow_loop *vow_future_loop(const vow_future *future)
{
    VOW_RULE_READABLE(future);
    return (vow_loop *)future->scheduler;
}

/* One that has passed a combinator's outcome on still lends the combinator's parts. */
vow_future *vow_future_at(const vow_future *future, size_t index)
{
    VOW_RULE_READABLE(future);
    while (!future->class->part && future->shared)
        future = future->shared;
    return future->class->part ? future->class->part(future, index) : NULL;
}
