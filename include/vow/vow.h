/*
 * vow: an asynchronous, futures-based RPC runtime on the application's own libuv loop.
 *
 * This header is all of it. A program needs one more for each .proto file, which protoc-gen-vow
 * makes. From simple to special:
 *
 *     <vow/status.h>        codes and errors
 *     <vow/loop.h>          a loop on your uv_loop_t
 *     <vow/future.h>        values that are not here yet, and what combines them
 *     <vow/channel.h>       calling a service
 *     <vow/server.h>        serving one, on one loop or on a loop per thread
 *     <vow/tls.h>           certificates, and whom to trust
 *     <vow/call.h>          one call, as its handler and its caller see it
 *     <vow/stream.h>        calls of many messages, in either direction or both
 *     <vow/interceptor.h>   what runs around every call of a channel or a server
 *     <vow/details.h>       what a failure can say beside its code and message
 *     <vow/method.h>        what generated stubs are made of
 *     <vow/access_log.h>    a line for each call
 *     <vow/metrics.h>       what calls did, counted, for C and for Prometheus
 *     <vow/bearer.h>        tokens that say who calls
 *     <vow/health.h>        which services are well, for those who balance and restart
 *     <vow/reflection.h>    what a server serves, for those who have no .proto file
 *
 * Tests have one of their own, which is not included here: <vow/testing.h>.
 *
 * Rules that hold everywhere:
 *   - A function that takes a future and returns a future takes the handle over; so do vow_done,
 *     vow_drop, vow_detach and vow_call_answer. vow_future_ref gives one more handle. All else borrows.
 *   - A callback never runs inside the function that caused it.
 *   - Out of memory is a failed future with VOW_RESOURCE_EXHAUSTED, never NULL: functions that give
 *     a future, channel or server never give NULL.
 *   - Releasing NULL does nothing.
 */
#ifndef VOW_H
#define VOW_H

#include <vow/access_log.h>
#include <vow/bearer.h>
#include <vow/call.h>
#include <vow/channel.h>
#include <vow/details.h>
#include <vow/future.h>
#include <vow/health.h>
#include <vow/interceptor.h>
#include <vow/loop.h>
#include <vow/method.h>
#include <vow/metrics.h>
#include <vow/reflection.h>
#include <vow/server.h>
#include <vow/status.h>
#include <vow/stream.h>
#include <vow/tls.h>
#include <vow/version.h>

#endif
