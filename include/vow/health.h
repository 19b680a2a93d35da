/*
 * Health: tells clients and load balancers whether a server's services are to be called.
 *
 * The idea: a program says of each service whether it serves; the standard service grpc.health.v1.Health answers those
 * who ask or watch. A server that drains says NOT_SERVING by itself.
 *
 * Source  gRPC, "GRPC Health Checking Protocol".
 */
#ifndef VOW_HEALTH_H
#define VOW_HEALTH_H

#include <vow/server.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct vow_health vow_health;

/** A service's name has at most this many bytes, and one vow_health has at most so many services. */
#define VOW_HEALTH_NAME_MAX 200
#define VOW_HEALTH_SERVICES_MAX 100

/**
 * What is known of services; at first that the server as a whole, "", serves.
 *
 * Owns    gives the health (vow_health_free); one may serve several servers of its loop.
 * Fails   NULL: no memory.
 */
VOW_API vow_health *vow_health_new(vow_loop *loop) VOW_MUST_USE;

/** Watches end with VOW_UNAVAILABLE. Owns: takes `health`, whose servers have been closed. */
VOW_API void vow_health_free(vow_health *health);

/** Adds Check, List and Watch to `server`. `health` is lent until the server is closed. */
VOW_API void vow_health_serve(vow_health *health, vow_server *server);

/**
 * Says whether `service`, "package.Service", serves; "" is the server as a whole. Those who watch it are told.
 *
 * Thread  the loop's.
 * Fails   VOW_RESOURCE_EXHAUSTED: no memory, or more than VOW_HEALTH_SERVICES_MAX. VOW_INVALID_ARGUMENT: the name is
 *         longer than VOW_HEALTH_NAME_MAX.
 */
VOW_API vow_code vow_health_set(vow_health *health, const char *service, bool serves);

#ifdef __cplusplus
}
#endif
#endif
