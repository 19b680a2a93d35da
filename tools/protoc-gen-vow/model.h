/*
 * What is to be generated for one file, with every C name decided.
 *
 * The rule for names that would clash: services come first, then messages, each in the order of the
 * file, and who comes later gets one more underscore at the end of the common part of its names. Of
 * `rpc Get` and `rpc GetResult`, in this order, the second is get_result_, get_result__result and so
 * on, because get_result is the result of the first. So what is added at the end of a file never
 * renames the services before it.
 */
#ifndef VOW_GENERATOR_MODEL_H
#define VOW_GENERATOR_MODEL_H

#include "schema.h"
#include "symbols.h"

typedef struct vow_model_message {
    const char *type;       /* Weather__ReportRequest */
    const char *descriptor; /* weather__report_request__descriptor */
    const char *function;   /* weather_report_request */
} vow_model_message;

typedef struct vow_model_method {
    const vow_method_proto *proto;
    const vow_message      *request;
    const vow_message      *reply;
    const char             *path;     /* "weather.Station/GetReport" */
    const char             *function; /* weather_station_get_report */
    const char             *member;   /* of the service struct: get_report */
    const char             *rpc;      /* "rpc GetReport(ReportRequest) returns (Report)" */
    const char             *comment;  /* NULL: none */
    bool                    client_streams;
    bool                    server_streams;
    bool                    idempotent;
} vow_model_method;

typedef struct vow_model_service {
    const char       *full_name;
    const char       *function; /* weather_station */
    const char       *comment;  /* NULL: none */
    vow_model_method *methods;
    size_t            method_count;
} vow_model_service;

typedef struct vow_model {
    const vow_schema  *schema;
    const vow_file    *file;
    const bool        *reached; /* the files that a program with this one has, by index in the schema */
    const char        *stem;    /* "dir/weather" */
    vow_model_message *messages;
    size_t             message_count;
    vow_model_service *services;
    size_t             service_count;
    size_t             method_count; /* of all services */
    const char       **cpp_words; /* what protoc-c's headers call members and C++ does not allow */
    size_t             cpp_word_count;
} vow_model;

/* `taken` holds the names that protoc-c makes; `with_services`: it writes services of its own, too. Gives
 * NULL, or what is wrong. */
const char *vow_model_build(const vow_schema *schema, const vow_file *file, const bool *reached,
                            bool with_services, vow_symbols *taken, vow_model *model);

/* The C type and descriptor of a message, as protoc-c names them. */
const char *vow_message_type(const vow_message *message);
const char *vow_message_descriptor(const vow_message *message);

#endif
