/*
 * Reflection: tells tools which services a server has, and what their messages look like.
 *
 * The idea: generated services carry the .proto files that they were made from. The standard services
 * grpc.reflection.v1.ServerReflection and its predecessor v1alpha answer from those, so that a tool such as grpcurl
 * lists, describes and calls what is served without a .proto file of its own.
 *
 * Source  gRPC, "GRPC Server Reflection Protocol".
 */
#ifndef VOW_REFLECTION_H
#define VOW_REFLECTION_H

#include <vow/server.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Adds both versions of the service to `server`. They tell of all handlers, whenever these were added. */
VOW_API void vow_reflection_serve(vow_server *server);

#ifdef __cplusplus
}
#endif
#endif
