#include "runtime/base/details.h"

#include "runtime/base/guard.h"
#include "runtime/base/memory.h"
#include "runtime/base/rule.h"
#include "runtime/base/wire.h"

#include <vow/error_details.pb-c.h>
#include <vow/method.h>
#include <vow/status.pb-c.h>

#include <assert.h>
#include <string.h>

#define TYPE_PREFIX "type.googleapis.com/"
#define TYPE_PREFIX_SIZE (sizeof TYPE_PREFIX - 1)

/* google.rpc.Status and google.protobuf.Any, by hand: an Any is packed straight from its message. */
enum { STATUS_CODE = 1, STATUS_MESSAGE = 2, STATUS_DETAILS = 3 };
enum { ANY_TYPE = 1, ANY_VALUE = 2 };

/* A detail that was unpacked. */
typedef struct unpacked {
    struct unpacked  *next;
    const uint8_t    *value; /* where it lies in the packed status */
    ProtobufCMessage *message;
} unpacked;

struct vow_details {
    int64_t   push_back_ms; /* that the protocol told; negative: nothing */
    unpacked *unpacked;
    size_t    size;
    uint8_t   packed[]; /* has passed the guard */
};

/* Memory */

static void *message_alloc(void *context, size_t size)
{
    (void)context;
    return vow_alloc(size);
}

static void message_free(void *context, void *memory)
{
    (void)context;
    vow_free(memory);
}

/* The guard has bounded what a message takes. */
static ProtobufCAllocator message_allocator = { message_alloc, message_free, NULL };

static vow_details *details_new(size_t size)
{
    vow_details *details = vow_alloc(sizeof *details + size);

    if (details)
        *details = (vow_details){ .push_back_ms = -1, .size = size };
    return details;
}

void vow_details_free(vow_details *details)
{
    unpacked *first;

    while (details && (first = details->unpacked)) {
        details->unpacked = first->next;
        protobuf_c_message_free_unpacked(first->message, &message_allocator);
        vow_free(first);
    }
    vow_free(details);
}

/* A text that stands in for one that found no memory is a constant, and has none. */
static void status_take_details(vow_status *status, vow_details *details)
{
    vow_text *text = status->text;

    if (!details || !text || text->handles == 0) {
        vow_details_free(details);
        return;
    }
    assert(text->handles == 1 && !text->details);
    text->details = details;
}

/* Writing */

static size_t varint_size(uint64_t value)
{
    size_t size = 1;

    for (; value >= 0x80; value >>= 7)
        size++;
    return size;
}

static uint8_t *write_varint(uint8_t *at, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        *at++ = (uint8_t)(value | 0x80);
    *at++ = (uint8_t)value;
    return at;
}

static size_t field_size(size_t size)
{
    return 1 + varint_size(size) + size;
}

static uint8_t *write_field(uint8_t *at, unsigned number, size_t size)
{
    return write_varint(write_varint(at, number << 3 | PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED), size);
}

static uint8_t *write_text(uint8_t *at, unsigned number, const char *text, size_t size)
{
    at = write_field(at, number, size);
    memcpy(at, text, size);
    return at + size;
}

static size_t any_size(const ProtobufCMessage *message)
{
    return field_size(TYPE_PREFIX_SIZE + strlen(message->descriptor->name)) +
           field_size(protobuf_c_message_get_packed_size(message));
}

static uint8_t *write_any(uint8_t *at, const ProtobufCMessage *message)
{
    const char *name = message->descriptor->name;

    at = write_field(at, STATUS_DETAILS, any_size(message));
    at = write_field(at, ANY_TYPE, TYPE_PREFIX_SIZE + strlen(name));
    memcpy(at, TYPE_PREFIX, TYPE_PREFIX_SIZE);
    at = memcpy(at + TYPE_PREFIX_SIZE, name, strlen(name));
    at = write_field(at + strlen(name), ANY_VALUE, protobuf_c_message_get_packed_size(message));
    return at + protobuf_c_message_pack(message, at);
}

/* The details among the elements of a status that has passed the guard; `at` NULL: their size alone. */
static size_t copy_anys(uint8_t *at, const uint8_t *packed, size_t size)
{
    const uint8_t   *end = packed + size;
    vow_wire_element element;
    size_t           copied = 0;

    for (; packed < end && !vow_wire_read(&element, packed, end); packed = element.end) {
        size_t element_size = (size_t)(element.end - packed);

        if (element.number != STATUS_DETAILS)
            continue;
        if (at)
            memcpy(at + copied, packed, element_size);
        copied += element_size;
    }
    return copied;
}

static vow_code status_scan(const void *packed, size_t size, vow_error *error)
{
    const vow_guard_limits limits = { .max_memory = VOW_DETAIL_MEMORY_MAX };
    vow_guard_need         need;

    if (size > VOW_DETAILS_MAX)
        return vow_error_set(error, VOW_RESOURCE_EXHAUSTED, "they have %zu bytes; %zu are allowed", size,
                             VOW_DETAILS_MAX);
    return vow_guard_scan(&vow__status__descriptor, packed, size, &limits, &need, error);
}

static const vow_raw *raw_of(const ProtobufCMessage *message)
{
    return message->descriptor == &vow_raw_descriptor ? (const vow_raw *)message : NULL;
}

/* The size of the whole status. Stops at the first detail that is too much: the sum stays small. */
static vow_code packed_size(const vow_status *status, const ProtobufCMessage *const details[], size_t *size,
                            vow_error *error)
{
    size_t sum = 1 + varint_size(status->code) + field_size(strlen(vow_status_message(status)));

    for (; *details; details++) {
        const vow_raw *raw = raw_of(*details);

        if (raw && status_scan(raw->data, raw->data_size, error) != VOW_OK)
            return error->code;
        sum += raw ? copy_anys(NULL, raw->data, raw->data_size) : field_size(any_size(*details));
        if (sum > VOW_DETAILS_MAX)
            return vow_error_set(error, VOW_RESOURCE_EXHAUSTED,
                                 "with %s they have %zu bytes, code and message included; %zu are allowed",
                                 (*details)->descriptor->name, sum, VOW_DETAILS_MAX);
    }
    *size = sum;
    return VOW_OK;
}

static vow_details *details_pack(const vow_status *status, const ProtobufCMessage *const messages[],
                                 size_t size)
{
    vow_details *details = details_new(size);
    const char  *text = vow_status_message(status);
    uint8_t     *at;

    if (!details)
        return NULL;
    at = write_varint(details->packed, STATUS_CODE << 3 | PROTOBUF_C_WIRE_TYPE_VARINT);
    at = write_varint(at, status->code);
    at = write_text(at, STATUS_MESSAGE, text, strlen(text));
    for (; *messages; messages++) {
        const vow_raw *raw = raw_of(*messages);

        at = raw ? at + copy_anys(at, raw->data, raw->data_size) : write_any(at, *messages);
    }
    assert(at == details->packed + size);
    return details;
}

void vow_status_add_details(vow_status *status, const ProtobufCMessage *const messages[])
{
    vow_error error;
    size_t    size = 0; /* GCC does not see that it is set where it is used */

    if (!messages || !messages[0])
        return;
    if (packed_size(status, messages, &size, &error) == VOW_OK)
        status_take_details(status, details_pack(status, messages, size));
    else
        vow_report("a failure goes without its details: %s (%.200s)", error.message, vow_status_text(status));
}

void vow_status_copy_details(vow_status *status, const void *packed, size_t size)
{
    vow_details *details;
    vow_error    error;

    if (size == 0 || status_scan(packed, size, &error) != VOW_OK)
        return;
    details = details_new(size);
    if (details)
        memcpy(details->packed, packed, size);
    status_take_details(status, details);
}

void vow_status_set_push_back(vow_status *status, int64_t push_back_ms)
{
    vow_text *text = status->text;

    if (text && !text->details)
        status_take_details(status, details_new(0));
    if (text && text->details)
        text->details->push_back_ms =
            push_back_ms < VOW_PUSH_BACK_MAX_MS ? push_back_ms : VOW_PUSH_BACK_MAX_MS;
}

/* Reading */

typedef struct any {
    const uint8_t *type;
    size_t         type_size;
    const uint8_t *value;
    size_t         value_size;
} any;

static any any_read(const uint8_t *at, const uint8_t *end)
{
    any              any = { .value = at };
    vow_wire_element element;

    for (; at < end && !vow_wire_read(&element, at, end); at = element.end) {
        size_t size = (size_t)(element.end - element.content);

        if (element.number == ANY_TYPE) {
            any.type = element.content;
            any.type_size = size;
        } else if (element.number == ANY_VALUE) {
            any.value = element.content;
            any.value_size = size;
        }
    }
    return any;
}

/* The type's name follows the last slash (google.protobuf.Any). */
static bool any_is(const any *any, const char *name)
{
    size_t         size = strlen(name);
    const uint8_t *end = any->type + any->type_size;

    return any->type_size > size && end[-(ptrdiff_t)size - 1] == '/' && memcmp(end - size, name, size) == 0;
}

static ProtobufCMessage *details_unpack(vow_details *details, const ProtobufCMessageDescriptor *type,
                                        const any *any)
{
    const vow_guard_limits limits = { .max_depth = VOW_DETAIL_DEPTH_MAX,
                                      .max_memory = VOW_DETAIL_MEMORY_MAX };
    vow_guard_need         need;
    unpacked              *one;

    for (one = details->unpacked; one; one = one->next) {
        if (one->value == any->value && one->message->descriptor == type)
            return one->message;
    }
    if (vow_guard_scan(type, any->value, any->value_size, &limits, &need, NULL) != VOW_OK)
        return NULL;
    one = vow_alloc(sizeof *one);
    if (!one)
        return NULL;
    one->message = protobuf_c_message_unpack(type, &message_allocator, any->value_size, any->value);
    if (!one->message) {
        vow_free(one);
        return NULL;
    }
    one->value = any->value;
    one->next = details->unpacked;
    details->unpacked = one;
    return one->message;
}

static vow_details *status_details(const vow_status *status)
{
    return status->text ? status->text->details : NULL;
}

const uint8_t *vow_status_details(const vow_status *status, size_t *size)
{
    vow_details *details = status_details(status);

    *size = details ? details->size : 0;
    return *size ? details->packed : NULL;
}

const ProtobufCMessage *vow_status_detail(const vow_status *status, const ProtobufCMessageDescriptor *type,
                                          size_t index)
{
    vow_details     *details = status_details(status);
    const uint8_t   *at = details ? details->packed : NULL;
    const uint8_t   *end = details ? at + details->size : NULL;
    vow_wire_element element;

    for (; at < end && !vow_wire_read(&element, at, end); at = element.end) {
        any any;

        if (element.number != STATUS_DETAILS)
            continue;
        any = any_read(element.content, element.end);
        if (any_is(&any, type->name) && index-- == 0)
            return details_unpack(details, type, &any);
    }
    return NULL;
}

int64_t vow_status_push_back_ms(const vow_status *status)
{
    vow_details          *details = status_details(status);
    const Vow__RetryInfo *info;
    const Vow__Duration  *delay;

    if (!details || details->push_back_ms >= 0)
        return details ? details->push_back_ms : -1;
    info = (const Vow__RetryInfo *)vow_status_detail(status, &vow__retry_info__descriptor, 0);
    delay = info ? info->retry_delay : NULL;
    if (!delay || delay->seconds < 0 || delay->nanos < 0 || delay->nanos > 999999999)
        return -1;
    if (delay->seconds >= VOW_PUSH_BACK_MAX_MS / 1000)
        return VOW_PUSH_BACK_MAX_MS;
    return delay->seconds * 1000 + (delay->nanos + 999999) / 1000000;
}
