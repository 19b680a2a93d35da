/*
 * The .proto files of a request: what they declare, and how to find it.
 *
 * The idea: protoc hands over every file with all that it imports, in an order where imports come
 * first. Messages are listed once, nested ones after their parent, and found by their full name.
 */
#ifndef VOW_GENERATOR_SCHEMA_H
#define VOW_GENERATOR_SCHEMA_H

#include "names.h"
#include "request.h"

#include "google/protobuf/descriptor.pb-c.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef Google__Protobuf__FileDescriptorProto    vow_file_proto;
typedef Google__Protobuf__DescriptorProto        vow_message_proto;
typedef Google__Protobuf__FieldDescriptorProto   vow_field_proto;
typedef Google__Protobuf__ServiceDescriptorProto vow_service_proto;
typedef Google__Protobuf__MethodDescriptorProto  vow_method_proto;

typedef struct vow_file {
    const vow_file_proto *proto;
    vow_package           package;
    bool                  proto3;
    bool                  no_generate;          /* (pb_c_file).no_generate: protoc-c writes nothing */
    bool                  use_oneof_field_name; /* (pb_c_file).use_oneof_field_name */
} vow_file;

/* Where something stands in a file: SourceCodeInfo.Location.path. */
typedef struct vow_path {
    const int32_t *steps;
    size_t         count;
} vow_path;

typedef struct vow_message {
    const vow_message_proto *proto;
    const vow_file          *file;
    const char              *full_name; /* "weather.Report" */
    const char              *base;      /* the member of the C struct that is its ProtobufCMessage */
    vow_path                 path;
} vow_message;

typedef struct vow_schema {
    vow_file           *files; /* in the request's order */
    size_t              file_count;
    vow_message        *messages;
    size_t              message_count;
    const vow_message **by_name; /* sorted */
} vow_schema;

/* Gives NULL, or what is wrong. The request is lent to the schema. */
const char *vow_schema_read(const vow_request *request, vow_schema *schema);

/* NULL: there is none. */
const vow_file *vow_schema_file(const vow_schema *schema, const char *name);

/* `type` as fields and methods have it, with a dot in front. NULL: there is none. */
const vow_message *vow_schema_message(const vow_schema *schema, const char *type);

/* The options of protoc-c. They and descriptor.proto, which they import, would be 8 KiB in every program that
 * sets one of them; and who asks for the files at run time has no use for them. */
#define VOW_PROTOC_C_OPTIONS "protobuf-c/protobuf-c.proto"

/* Marks `file` and all it imports, protoc-c's options aside, by index in schema->files. Gives NULL, or what
 * is wrong. */
const char *vow_schema_reach(const vow_schema *schema, const vow_file *file, bool **reached);

/* "Report" in the package weather gives weather.Report. */
const char *vow_full_name(const char *scope, const char *name);

vow_path vow_path_add(vow_path path, int32_t field, size_t index);

/* "dir/weather.proto:12", for messages to people. */
const char *vow_file_place(const vow_file *file, vow_path path);

/* The comment before what stands at `path`, else the one after it; NULL: there is none. */
const char *vow_file_comment(const vow_file *file, vow_path path);

/* The field numbers that paths are made of. */
enum {
    VOW_PATH_FILE_MESSAGE = 4,
    VOW_PATH_FILE_ENUM = 5,
    VOW_PATH_FILE_SERVICE = 6,
    VOW_PATH_MESSAGE_FIELD = 2,
    VOW_PATH_MESSAGE_NESTED = 3,
    VOW_PATH_MESSAGE_ENUM = 4,
    VOW_PATH_MESSAGE_ONEOF = 8,
    VOW_PATH_SERVICE_METHOD = 2
};

#endif
