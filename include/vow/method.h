/*
 * What generated stubs are made of: a method, described once and shared by both sides.
 *
 * The idea: a stub is a few inline lines around one `const vow_method`. Proxies and tools make
 * their own, with vow_raw_descriptor where a message shall stay as it came.
 */
#ifndef VOW_METHOD_H
#define VOW_METHOD_H

#include <vow/status.h>

#include <protobuf-c/protobuf-c.h>

#ifdef __cplusplus
extern "C" {
#endif

/** The .proto files behind a method: a packed google.protobuf.FileDescriptorSet, imports included. */
typedef struct vow_file_set {
    size_t         size; /* of this struct */
    const uint8_t *data;
    size_t         data_size;
} vow_file_set;

/** One method of a service. Generated; constant; shared by every channel and server. */
typedef struct vow_method {
    size_t                            size; /* of this struct */
    const char                       *name; /* "weather.Station/GetReport" */
    const ProtobufCMessageDescriptor *request;
    const ProtobufCMessageDescriptor *reply;
    bool                              client_streams;
    bool                              server_streams;
    bool                              idempotent; /* its idempotency_level says so, or that it has no side effects */
    const vow_file_set               *files;      /* NULL: not known */
} vow_method;

/**
 * Bytes that are packed already, for proxies and broadcasts: sent as they are wherever a message
 * is wanted. A vow_method whose request or reply is &vow_raw_descriptor receives it so.
 */
typedef struct vow_raw {
    ProtobufCMessage base; /* .descriptor = &vow_raw_descriptor */
    const void      *data;
    size_t           data_size;
} vow_raw;

#define VOW_RAW_INIT(data, data_size) { { &vow_raw_descriptor, 0, NULL }, (data), (data_size) }

VOW_API extern const ProtobufCMessageDescriptor vow_raw_descriptor;

#ifdef __cplusplus
}
#endif
#endif
