/*
 * The schema of a service, asked of the server itself.
 *
 * Source  gRPC, "GRPC Server Reflection Protocol"; version 1, or where a server has only that, v1alpha.
 */
#ifndef VOW_LOAD_REFLECTION_H
#define VOW_LOAD_REFLECTION_H

#include "tools/vow-load/problem.h"
#include "tools/vow-load/schema.h"

#include <vow/vow.h>

/* A server that never comes to an end of its files has something else in mind. */
#define LOAD_REFLECTION_FILES_MAX 1000
#define LOAD_REFLECTION_BYTES_MAX ((size_t)64 << 20) /* of all files */

/*
 * Waits for the answers (vow_wait), each as long as `timeout_ms`, or VOW_NO_TIMEOUT.
 *
 * Gives the schema (load_schema_free) with all files behind `service`; NULL: `problem` says what the server
 * answered.
 */
load_schema *load_reflection_ask(vow_channel *channel, const char *service, const vow_metadata *metadata,
                                 int64_t timeout_ms, load_problem *problem);

#endif
