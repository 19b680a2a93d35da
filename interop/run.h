/*
 * What the cases of the client have in common.
 *
 * The idea: a case is a function that goes straight on, waits for each answer, and gives false after it has
 * said what was wrong. Every call has a timeout, so every case ends.
 *
 * Source  gRPC, "Interoperability Test Case Descriptions", Client.
 */
#ifndef VOW_INTEROP_RUN_H
#define VOW_INTEROP_RUN_H

#include "grpc/testing/test.vow.h"

#include <stdbool.h>

/* Of each call that sets none of its own. */
#define INTEROP_TIMEOUT_MS 30000

/* The sizes that gRPC's cases have. */
#define INTEROP_LARGE_REQUEST 271828
#define INTEROP_LARGE_RESPONSE 314159

typedef struct interop_settings {
    const char *host;
    int         port;
    const char *host_override;
    const char *test_case;
    const char *protocol; /* "grpc" or "native" */
    bool        use_tls;
    const char *ca_file;
    int         soak_iterations;
    int         soak_max_failures;
    int         soak_latency_ms;
    int         soak_timeout_s;
} interop_settings;

typedef struct interop_run {
    const interop_settings *settings;
    vow_loop               *loop;
    vow_channel            *channel;
    char                    why[600]; /* what was wrong */
} interop_run;

typedef bool interop_case(interop_run *run);

vow_channel *interop_open(const interop_run *run);

/* Says what was wrong; gives false. */
bool interop_fail(interop_run *run, const char *format, ...) VOW_PRINTF(2, 3);

/* Has `future` ended with `code`? `what` is named where it has not. Borrows it. */
bool interop_expect(interop_run *run, vow_future *future, vow_code code, const char *what);

/* The same, and its message. */
bool interop_expect_message(interop_run *run, vow_future *future, vow_code code, const char *message);

/* Is the body a response's, of `size` zeros? */
bool interop_expect_body(interop_run *run, const Grpc__Testing__Payload *payload, size_t size);

bool interop_expect_compressed(interop_run *run, const vow_call *call, bool expected);

/* Did the call of custom_metadata bring back what was sent? */
bool interop_expect_metadata(interop_run *run, const vow_call *call);

/* A payload of so many zeros. */
Grpc__Testing__Payload interop_payload(size_t size);

/* What custom_metadata sends. */
extern const vow_metadata interop_metadata[];

/* One UnaryCall of the large sizes on `channel`; `options` may be NULL. Waits for it. */
bool interop_large_unary(interop_run *run, vow_channel *channel, const vow_call_options *options);

/* cases.c */
interop_case interop_empty_unary;
interop_case interop_case_large_unary;
interop_case interop_client_compressed_unary;
interop_case interop_server_compressed_unary;
interop_case interop_custom_metadata;
interop_case interop_status_code_and_message;
interop_case interop_special_status_message;
interop_case interop_unimplemented_method;
interop_case interop_unimplemented_service;

/* streams.c */
interop_case interop_client_streaming;
interop_case interop_client_compressed_streaming;
interop_case interop_server_streaming;
interop_case interop_server_compressed_streaming;
interop_case interop_ping_pong;
interop_case interop_empty_stream;
interop_case interop_cancel_after_begin;
interop_case interop_cancel_after_first_response;
interop_case interop_timeout_on_sleeping_server;

/* streams.c, for cases with a part that streams */
bool interop_stream_metadata(interop_run *run);
bool interop_stream_status(interop_run *run, int code, const char *message);

/* soak.c */
interop_case interop_rpc_soak;
interop_case interop_channel_soak;

#endif
