#include "tests/support/guard_checks.h"

#include "tests/support/meter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const vow_guard_limits defaults = { 0 };
static const char            *case_name = "";

void check_case(const char *name)
{
    case_name = name;
}

vow_guard_need check_passes_within(const ProtobufCMessageDescriptor *descriptor, const writer *message,
                                   const vow_guard_limits *limits)
{
    vow_guard_need need = { 0 };
    vow_error      error = { 0 };
    const char    *fault;
    meter          meter;

    if (vow_guard_scan(descriptor, message->data, message->size, limits, &need, &error) != VOW_OK)
        fail_msg("%s: refused: %s", case_name, error.message);
    meter = meter_unpack(descriptor, message->data, message->size, &need);
    fault = meter_fault(&meter, &need);
    if (fault)
        fail_msg("%s: %s", case_name, fault);
    if (!meter.unpacked)
        fail_msg("%s: protobuf-c refuses what has passed", case_name);
    return need;
}

vow_guard_need check_passes(const ProtobufCMessageDescriptor *descriptor, const writer *message)
{
    return check_passes_within(descriptor, message, &defaults);
}

void check_refused_within(const ProtobufCMessageDescriptor *descriptor, const writer *message,
                          const vow_guard_limits *limits, vow_code code, const char *text)
{
    vow_guard_need need = { .arena_bytes = 1, .scratch_bytes = 2 };
    vow_error      error = { 0 };

    if (vow_guard_scan(descriptor, message->data, message->size, limits, &need, &error) != code)
        fail_msg("%s: not refused with %s, but: %s", case_name, vow_code_name(code), error.message);
    assert_int_equal(error.code, code);
    if (strcmp(error.message, text) != 0)
        fail_msg("%s: refused with \"%s\" instead of \"%s\"", case_name, error.message, text);
    assert_int_equal(need.arena_bytes, 1); /* output is written on success only */
    assert_int_equal(need.scratch_bytes, 2);
}

void check_refused(const ProtobufCMessageDescriptor *descriptor, const writer *message, vow_code code,
                   const char *text)
{
    check_refused_within(descriptor, message, &defaults, code, text);
}

void check_foretold_exactly(const ProtobufCMessage *packed)
{
    writer         message = { 0 };
    vow_guard_need need;
    meter          meter;

    message.size = protobuf_c_message_get_packed_size(packed);
    message.data = malloc(message.size + 1);
    assert_non_null(message.data);
    protobuf_c_message_pack(packed, message.data);

    need = check_passes(packed->descriptor, &message);
    meter = meter_unpack(packed->descriptor, message.data, message.size, &need);
    assert_int_equal(meter.kept_bytes, need.arena_bytes);
    assert_int_equal(meter.freed_most, need.scratch_bytes);
    writer_done(&message);
}

bool protobuf_c_unpacks(const ProtobufCMessageDescriptor *descriptor, const writer *message)
{
    return meter_unpack(descriptor, message->data, message->size, NULL).unpacked;
}
