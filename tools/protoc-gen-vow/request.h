/*
 * What protoc asks for: a CodeGeneratorRequest on standard input.
 *
 * The idea: protobuf-c unpacks without a limit of depth, and one type of descriptor.proto nests, so
 * the bytes are walked along that nesting first.
 */
#ifndef VOW_GENERATOR_REQUEST_H
#define VOW_GENERATOR_REQUEST_H

#include "google/protobuf/compiler/plugin.pb-c.h"

#include <stdbool.h>
#include <stdio.h>

typedef Google__Protobuf__Compiler__CodeGeneratorRequest vow_request;

/* Gives NULL, or what is wrong. */
const char *vow_request_read(FILE *input, vow_request **read);

/* What stands before the colon in --vow_out=PARAMETERS:DIR. */
typedef struct vow_parameters {
    const char *messages; /* the program that makes .pb-c files; NULL: they are made by --c_out */
} vow_parameters;

/* Gives NULL, or what is wrong. */
const char *vow_parameters_read(const char *text, vow_parameters *parameters);

#endif
