/*
 * A flat message beside what protobuf-c makes of the same bytes, and of the same message.
 */
#ifndef VOW_TESTS_FLAT_CHECK_H
#define VOW_TESTS_FLAT_CHECK_H

#include <protobuf-c/protobuf-c.h>

#include <stdbool.h>

/* Unpacks it both ways, and packs what protobuf-c unpacks. NULL: they agree, or it is not plain, which `plain` tells;
 * else what is wrong. */
const char *flat_check(const ProtobufCMessageDescriptor *type, const uint8_t *data, size_t size, bool *plain);

#endif
