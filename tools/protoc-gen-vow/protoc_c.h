/*
 * protoc-gen-c, run by protoc-gen-vow: --vow_out=messages:DIR makes the .pb-c files too.
 *
 * The idea: protobuf-c understands more than protoc lets it. protoc-gen-c does not say that it knows
 * proto3's `optional`, so protoc refuses to run it on such files; run from here it makes of each such
 * field a oneof of one, which is what protobuf itself does. And it needs no service to make messages
 * of a file: without them, no method has a name that protoc-c cannot write.
 *
 * Source: protobuf, docs/implementing_proto3_presence.md.
 */
#ifndef VOW_GENERATOR_PROTOC_C_H
#define VOW_GENERATOR_PROTOC_C_H

#include "request.h"

typedef Google__Protobuf__Compiler__CodeGeneratorResponse vow_response;

/* Runs `program` on `request`, from which this takes the services out. Gives NULL, or what is wrong. */
const char *vow_protoc_c_run(const char *program, vow_request *request, vow_response **response);

#endif
