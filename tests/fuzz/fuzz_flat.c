/*
 * Flat messages: whatever is unpacked in the short way, protobuf-c unpacks to the same.
 *
 * The first byte chooses the type.
 */
#include "tests/support/flat_check.h"

#include <stdio.h>
#include <stdlib.h>

#include "guard.pb-c.h"
#include "guard_proto2.pb-c.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const ProtobufCMessageDescriptor *types[] = { &guard__kinds__descriptor, &guard__order__descriptor,
                                                  &guard__sparse__descriptor, &guard__tree__descriptor,
                                                  &guard__maybe__descriptor };
    const char                       *wrong;
    bool                              plain;

    if (size == 0)
        return 0;
    wrong = flat_check(types[data[0] % (sizeof types / sizeof types[0])], data + 1, size - 1, &plain);
    if (wrong) {
        fprintf(stderr, "%s\n", wrong);
        abort();
    }
    return 0;
}
