/*
 * Header blocks of HTTP/2 that came: what begins a call, and what ends one of ours.
 */
#include "runtime/protocol/grpc/session.h"

#include "runtime/base/details.h"
#include "runtime/protocol/grpc/compress.h"

int vow_grpc_on_begin_headers(nghttp2_session *http, const nghttp2_frame *frame, void *user)
{
    vow_grpc      *grpc = user;
    vow_grpc_call *call;

    vow_grpc_fields_clear(&grpc->fields);
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;
    call = vow_grpc_is_alive(grpc) ? vow_grpc_call_new(grpc) : NULL;
    if (!call)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    call->id = frame->hd.stream_id;
    nghttp2_session_set_stream_user_data(http, call->id, call);
    return 0;
}

int vow_grpc_on_header(nghttp2_session *http, const nghttp2_frame *frame, const uint8_t *name,
                       size_t name_size, const uint8_t *value, size_t value_size, uint8_t flags, void *user)
{
    vow_grpc *grpc = user;

    (void)http;
    (void)frame;
    (void)flags;
    /* A few bytes can stand for thousands in the table. Beyond the limit the stream is reset, and nghttp2
     * goes on without telling: the table must stay in step. */
    if (!vow_grpc_fields_add(&grpc->fields, name, name_size, value, value_size))
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    return 0;
}

/* What is wrong with a request, before rpc is asked; OK: nothing. */
static vow_status request_check(const vow_grpc *grpc)
{
    const vow_grpc_fields *fields = &grpc->fields;

    if (fields->fault.code != VOW_OK)
        return vow_status_share(&fields->fault);
    if (!fields->takes_trailers)
        return vow_status_make(VOW_INTERNAL,
                               "the request lacks \"te: trailers\": a proxy on the way takes no trailers");
    if (fields->path[0] != '/' || !fields->path[1])
        return vow_status_make(VOW_UNIMPLEMENTED,
                               "\"%s\" is no path of a method: it is /package.Service/Method", fields->path);
    if (fields->is_unknown)
        return vow_status_make(VOW_UNIMPLEMENTED,
                               "messages have the encoding \"%s\"; known here are " VOW_GRPC_ENCODINGS,
                               fields->encoding);
    if (grpc->base.calls.count >= grpc->base.options.max_calls)
        return vow_status_make(VOW_RESOURCE_EXHAUSTED,
                               "the connection has %zu calls, its limit (max_calls_per_connection)",
                               grpc->base.calls.count);
    return VOW_STATUS_OK;
}

static uint64_t request_deadline(vow_grpc *grpc)
{
    uint64_t now = vow_scheduler_now_ns(vow_grpc_scheduler(grpc));
    uint64_t timeout = grpc->fields.timeout_ns;

    return timeout == 0 || timeout >= UINT64_MAX - 1 - now ? UINT64_MAX : now + timeout;
}

/* Asks rpc for a wire. NULL: refused, and `arrival` says why. */
static vow_wire *request_admit(vow_grpc *grpc, vow_arrival *arrival)
{
    vow_metadata *metadata;
    size_t        block_size = 0;
    vow_wire     *wire;

    if (vow_grpc_fields_metadata(&grpc->fields, &metadata, &block_size) != VOW_OK) {
        arrival->refusal = vow_status_no_memory();
        return NULL;
    }
    arrival->metadata = metadata;
    wire = grpc->base.events->began(grpc->base.owner, arrival);
    if (metadata)
        vow_held_give(&grpc->base, metadata, block_size);
    return wire;
}

static void request_came(vow_grpc_call *call)
{
    vow_grpc   *grpc = call->grpc;
    const char *method = grpc->fields.path + 1;
    vow_arrival arrival = { .method = method, .shape_is_unknown = true, .refusal = request_check(grpc) };
    vow_wire   *wire = NULL;

    if (!grpc->fields.is_post || !grpc->fields.is_grpc) {
        vow_status_done(&arrival.refusal);
        vow_grpc_tell_http(call, grpc->fields.is_post ? "415" : "405");
        return;
    }
    call->takes_gzip = grpc->fields.takes_gzip;
    call->has_gzip_in = grpc->fields.is_gzip;
    call->is_encoded = grpc->fields.is_unknown;
    if (arrival.refusal.code == VOW_OK) {
        arrival.deadline_ns = request_deadline(grpc);
        arrival.handler = grpc->base.events->resolve(grpc->base.owner, method);
        wire = request_admit(grpc, &arrival);
    }
    if (wire) {
        call->is_unary_in = !arrival.streams;
        vow_grpc_attach(call, wire, false);
        call->begun_ns = call->is_unary_in ? grpc->base.heard_ns : 0;
    } else {
        vow_grpc_tell_end(call, VOW_ENDING(.status = arrival.refusal));
    }
    vow_status_done(&arrival.refusal);
}

/* "HTTP to gRPC Status Code Mapping" of gRPC's documents. */
static vow_code code_of_http_status(unsigned status)
{
    switch (status) {
    case 400:
        return VOW_INTERNAL;
    case 401:
        return VOW_UNAUTHENTICATED;
    case 403:
        return VOW_PERMISSION_DENIED;
    case 404:
        return VOW_UNIMPLEMENTED;
    case 429:
    case 502:
    case 503:
    case 504:
        return VOW_UNAVAILABLE;
    default:
        return VOW_UNKNOWN;
    }
}

static vow_status status_of_fields(const vow_grpc_fields *fields)
{
    vow_status status;

    if (fields->status == VOW_OK)
        return VOW_STATUS_OK;
    status = vow_status_make((vow_code)fields->status, "%.*s", (int)fields->message.size,
                             fields->message.size ? (const char *)fields->message.data : "");
    vow_status_copy_details(&status, fields->details.data, fields->details.size);
    return status;
}

/* What an answer says of its end, in one way or another. */
static vow_status response_status(const vow_grpc *grpc)
{
    const vow_grpc_fields *fields = &grpc->fields;
    const char            *target = grpc->base.options.target;

    if (fields->has_status)
        return status_of_fields(fields);
    if (fields->http_status && fields->http_status != 200)
        return vow_status_make(code_of_http_status(fields->http_status),
                               "%s: the server answered with HTTP status %u", target, fields->http_status);
    if (fields->http_status && !fields->is_grpc)
        return vow_status_make(VOW_UNKNOWN,
                               "%s: the server answered with content of type \"%s\", not application/grpc",
                               target, fields->content_type);
    return vow_status_make(VOW_INTERNAL, "%s: the server ended the call without a grpc-status", target);
}

/* The answer's last block of fields. */
static void trailers_came(vow_grpc_call *call)
{
    vow_grpc     *grpc = call->grpc;
    vow_status    status = response_status(grpc);
    vow_metadata *metadata = NULL;
    size_t        block_size = 0;

    if (grpc->fields.fault.code == VOW_OK) /* else, or without memory, the status counts more */
        vow_grpc_fields_metadata(&grpc->fields, &metadata, &block_size);
    if (!vow_grpc_call_is_whole(call) && status.code == VOW_OK)
        status = vow_status_make(VOW_INTERNAL, "%s: the server ended the call in the middle of a message",
                                 grpc->base.options.target);
    if (call->wire)
        vow_grpc_end(call, VOW_ENDING(.status = status, .trailing = metadata));
    if (metadata)
        vow_held_give(&grpc->base, metadata, block_size);
    vow_status_done(&status);
    if (nghttp2_session_get_stream_local_close(grpc->http, call->id) == 0)
        vow_grpc_reset(call, NGHTTP2_NO_ERROR); /* nobody listens to the rest of ours */
}

static void response_came(vow_grpc_call *call)
{
    vow_grpc     *grpc = call->grpc;
    vow_metadata *metadata = NULL;
    size_t        block_size = 0;

    if (grpc->fields.http_status / 100 == 1)
        return;
    call->has_headers_in = true;
    if (grpc->fields.http_status != 200 || !grpc->fields.is_grpc) {
        vow_grpc_fail(call, response_status(grpc));
        return;
    }
    call->has_gzip_in = grpc->fields.is_gzip;
    if (grpc->fields.is_unknown) {
        vow_grpc_fail(call, vow_status_make(VOW_INTERNAL,
                                            "%s: the answer's messages have the encoding \"%s\"; known here "
                                            "are " VOW_GRPC_ENCODINGS,
                                            grpc->base.options.target, grpc->fields.encoding));
        return;
    }
    if (grpc->fields.fault.code != VOW_OK) {
        vow_grpc_fail(call,
                      vow_status_make(VOW_INTERNAL, "%s: the answer's headers: %s", grpc->base.options.target,
                                      vow_status_message(&grpc->fields.fault)));
        return;
    }
    if (vow_grpc_fields_metadata(&grpc->fields, &metadata, &block_size) != VOW_OK) {
        vow_grpc_fail(call, vow_status_no_memory());
        return;
    }
    if (call->wire)
        grpc->base.events->metadata(call->wire, metadata);
    if (metadata)
        vow_held_give(&grpc->base, metadata, block_size);
}

void vow_grpc_headers_came(vow_grpc *grpc, const nghttp2_frame *frame)
{
    vow_grpc_call *call = vow_grpc_find(grpc, frame->hd.stream_id);
    bool           ends = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;

    if (!call)
        return;
    if (frame->headers.cat == NGHTTP2_HCAT_REQUEST)
        request_came(call);
    else if (!grpc->base.options.is_server && ends && call->wire)
        trailers_came(call);
    else if (!grpc->base.options.is_server && !call->has_headers_in && call->wire)
        response_came(call);
    if (ends && grpc->base.options.is_server)
        vow_grpc_stream_ended(call);
}

/* The caller has sent all. */
static void request_ended(vow_grpc_call *call)
{
    if (!vow_grpc_call_is_whole(call)) {
        vow_grpc_fail(
            call, vow_status_make(VOW_INTERNAL, "the caller ended its stream in the middle of a message"));
    } else if (!call->is_unary_in) {
        call->wire->has_ended = true;
        call->grpc->base.events->finished(call->wire);
    } else if (!vow_grpc_deliver_last(call)) { /* else it may be gone, answered */
        vow_grpc_fail(call, vow_status_make(VOW_INTERNAL, "the caller ended its stream without a message"));
    }
}

void vow_grpc_serve(vow_grpc *grpc)
{
    vow_grpc_call *call = grpc->came;

    grpc->came = NULL;
    if (call && call->wire && !call->is_answered && vow_grpc_is_alive(grpc))
        request_ended(call);
}

void vow_grpc_stream_ended(vow_grpc_call *call)
{
    vow_grpc *grpc = call->grpc;

    call->has_ended_in = true;
    if (!call->wire || call->is_answered)
        return;
    if (!grpc->base.options.is_server) {
        vow_grpc_fail(call,
                      vow_status_make(VOW_INTERNAL, "%s: the server ended the call without a grpc-status",
                                      grpc->base.options.target));
        return;
    }
    call->begun_ns = 0;
    if (grpc->came) /* the one before came in more frames than was to be seen */
        request_ended(call);
    else
        grpc->came = call;
}
