/* Details from a peer: what is kept passes on as it came, and each of them can be asked for. */
#include "runtime/base/details.h"

#include <vow/error_details.pb-c.h>
#include <vow/method.h>

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const ProtobufCMessageDescriptor *const types[] = {
    &vow__error_info__descriptor,   &vow__retry_info__descriptor,
    &vow__debug_info__descriptor,   &vow__quota_failure__descriptor,
    &vow__bad_request__descriptor,  &vow__precondition_failure__descriptor,
    &vow__request_info__descriptor, &vow__resource_info__descriptor,
    &vow__help__descriptor,         &vow__localized_message__descriptor,
};

/* Gives how many there are of all types. */
static size_t read_all(const vow_status *status)
{
    size_t count = 0;

    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        const ProtobufCMessage *message;

        for (size_t index = 0; (message = vow_status_detail(status, types[i], index)); index++) {
            if (message->descriptor != types[i] || message != vow_status_detail(status, types[i], index))
                abort();
            count++;
        }
    }
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    vow_status     status = vow_status_make(VOW_ABORTED, "a");
    vow_status     again = vow_status_make(VOW_ABORTED, "a");
    const uint8_t *packed;
    size_t         packed_size;
    vow_raw        raw;

    vow_status_copy_details(&status, data, size);
    packed = vow_status_details(&status, &packed_size);
    if (packed) {
        /* With the code and message of its own it may have become too much. */
        raw = (vow_raw)VOW_RAW_INIT(packed, packed_size);
        vow_status_add_details(&again, (const ProtobufCMessage *const[]){ &raw.base, NULL });
        if (read_all(&status) != read_all(&again) && packed_size + 8 <= VOW_DETAILS_MAX)
            abort();
        if (vow_status_push_back_ms(&status) > VOW_PUSH_BACK_MAX_MS)
            abort();
    }
    vow_status_done(&status);
    vow_status_done(&again);
    return 0;
}
