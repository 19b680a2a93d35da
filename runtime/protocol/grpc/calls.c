/*
 * Calls over HTTP/2: a call is a stream, its request headers begin it, its trailers end it.
 *
 * The idea: rpc's wire and nghttp2's stream end in any order. What ties them, vow_grpc_call, lives as long as
 * the stream; `wire` is NULL before rpc knows the call and once it has forgotten it.
 */
#include "runtime/protocol/grpc/session.h"

#include "runtime/base/details.h"
#include "runtime/protocol/grpc/compress.h"
#include "runtime/protocol/grpc/text.h"
#include "runtime/protocol/metadata.h"

#include <vow/version.h>

#include <assert.h>
#include <string.h>

#define NS_PER_US 1000u

/* Fields that a call has beside its metadata, at most. */
#define OWN_FIELDS 11

/* Bytes of a header block with its head, once the peer's table has most of it. */
#define FIELDS_ABOUT 16

/* Tables of fields */

/* `name` outlives the session. */
static nghttp2_nv field(const char *name, const char *value, size_t value_size, uint8_t flags)
{
    return (nghttp2_nv){ (uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name), value_size,
                         flags | NGHTTP2_NV_FLAG_NO_COPY_NAME };
}

/* And so does `value`. */
static nghttp2_nv field_text(const char *name, const char *value)
{
    return field(name, value, strlen(value), NGHTTP2_NV_FLAG_NO_COPY_VALUE);
}

/* The same, of literals, for a table that is there at compile time. */
#define FIELD_FIXED(name, value)                                                                             \
    {                                                                                                        \
        (uint8_t *)(name), (uint8_t *)(value), sizeof(name) - 1, sizeof(value) - 1,                          \
            NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE                                     \
    }

/* What changes with each call would push what does not out of the peer's table. */
static nghttp2_nv field_passing(const char *name, const char *value, size_t value_size)
{
    return field(name, value, value_size, NGHTTP2_NV_FLAG_NO_INDEX);
}

typedef struct field_table {
    vow_session *session;
    nghttp2_nv  *fields; /* a block; their texts lie behind them */
    size_t       block_size;
    size_t       count;
    char        *at; /* where the next text goes */
} field_table;

static size_t metadata_text_size(const vow_metadata *metadata)
{
    size_t size = 0;

    for (; metadata && metadata->name; metadata++)
        size += strlen(metadata->name) + vow_base64_room(vow_metadata_value_size(metadata));
    return size;
}

/* Room for OWN_FIELDS, `metadata` and `text_size` bytes more. False: no memory. */
static bool table_new(field_table *table, vow_session *session, const vow_metadata *metadata,
                      size_t text_size)
{
    size_t count = OWN_FIELDS + vow_metadata_count(metadata);

    *table = (field_table){ .session = session };
    table->block_size = count * sizeof *table->fields + metadata_text_size(metadata) + text_size;
    table->fields = vow_held_take(session, &table->block_size);
    table->at = table->fields ? (char *)(table->fields + count) : NULL;
    return table->fields != NULL;
}

static void table_free(field_table *table)
{
    vow_held_give(table->session, table->fields, table->block_size);
}

static void table_add(field_table *table, nghttp2_nv field)
{
    table->fields[table->count++] = field;
}

/* Adds what was checked when the user gave it. */
static void table_add_metadata(field_table *table, const vow_metadata *metadata)
{
    for (; metadata && metadata->name; metadata++) {
        size_t name_size = strlen(metadata->name);
        size_t size = vow_metadata_value_size(metadata);
        char  *name = table->at;

        memcpy(name, metadata->name, name_size);
        table->at += name_size;
        if (vow_metadata_name_is_binary(metadata->name, name_size))
            size = vow_base64_write(table->at, (const uint8_t *)metadata->value, size);
        else if (size)
            memcpy(table->at, metadata->value, size);
        table_add(table, (nghttp2_nv){ (uint8_t *)name, (uint8_t *)table->at, name_size, size,
                                       NGHTTP2_NV_FLAG_NONE });
        table->at += size;
    }
}

/* Life */

vow_grpc_call *vow_grpc_call_new(vow_grpc *grpc)
{
    size_t         block_size = sizeof(vow_grpc_call);
    vow_grpc_call *call = vow_held_take(&grpc->base, &block_size);

    if (!call)
        return NULL;
    *call = (vow_grpc_call){
        .grpc = grpc, .block_size = block_size, .begins_at = UINT64_MAX, .window = vow_grpc_first_window(grpc)
    };
    vow_list_append(&grpc->calls, &call->link);
    vow_link_init(&call->late);
    vow_grpc_messages_init(call);
    vow_grpc_watch_calls(grpc);
    return call;
}

static void trailers_free(vow_grpc_call *call)
{
    if (call->trailers.block_size)
        vow_held_give(&call->grpc->base, (nghttp2_nv *)(uintptr_t)call->trailers.fields, call->trailers.block_size);
    call->trailers = (vow_grpc_trailers){ NULL, 0, 0 };
}

static void call_free(vow_grpc_call *call)
{
    vow_session *session = &call->grpc->base;

    assert(!call->wire);
    if (call->grpc->came == call)
        call->grpc->came = NULL;
    vow_grpc_messages_done(call);
    trailers_free(call);
    vow_link_remove(&call->link);
    vow_link_remove(&call->late);
    vow_held_give(session, call, call->block_size);
}

void vow_grpc_attach(vow_grpc_call *call, vow_wire *wire, bool is_ours)
{
    call->wire = wire;
    wire->flow = call;
    wire->queued = call->queued;
    vow_life_add_call(&call->grpc->life, wire, (uint64_t)call->id, is_ours);
}

/* The session forgets the wire. */
static void call_detach(vow_grpc_call *call)
{
    vow_wire *wire = call->wire;

    vow_life_remove_call(&call->grpc->life, wire);
    wire->flow = NULL;
    call->wire = NULL;
    call->held = 0; /* what comes from now on is dropped, and holds up nobody */
    call->begun_ns = 0;
}

vow_grpc_call *vow_grpc_find(vow_grpc *grpc, int32_t id)
{
    return nghttp2_session_get_stream_user_data(grpc->http, id);
}

void vow_grpc_end(vow_grpc_call *call, const vow_ending *ending)
{
    vow_grpc *grpc = call->grpc;
    vow_wire *wire = call->wire;

    call_detach(call);
    vow_life_call_ended(&grpc->life, wire, ending);
}

void vow_grpc_reset(vow_grpc_call *call, uint32_t error)
{
    vow_grpc *grpc = call->grpc;

    if (call->is_reset || !vow_grpc_is_alive(grpc))
        return;
    call->is_reset = true;
    if (nghttp2_submit_rst_stream(grpc->http, NGHTTP2_FLAG_NONE, call->id, error) != 0)
        vow_grpc_lose(grpc, vow_status_no_memory());
    vow_grpc_flush_later(grpc);
}

/* On the server the caller is told with trailers; on the client the server with a reset. */
void vow_grpc_fail(vow_grpc_call *call, vow_status status)
{
    const vow_ending *ending = VOW_ENDING(.status = status, .at_once = true);

    if (call->grpc->base.options.is_server)
        vow_grpc_tell_end(call, ending);
    else
        vow_grpc_reset(call, NGHTTP2_CANCEL);
    if (call->wire)
        vow_grpc_end(call, ending);
    vow_status_done(&status);
}

static void ended_by_http2(vow_grpc_call *call, uint32_t error)
{
    bool        is_server = call->grpc->base.options.is_server;
    const char *what;
    vow_code    code = vow_grpc_code_of_http2(error, &what);
    vow_status  status;

    if (is_server)
        status = vow_status_cancelled();
    else
        status = vow_status_make(code, "%s: the server ended the call without a status, and HTTP/2 says %s",
                                 call->grpc->base.options.target, what);
    vow_grpc_end(call, VOW_ENDING(.status = status, .never_ran = error == NGHTTP2_REFUSED_STREAM));
    vow_status_done(&status);
}

void vow_grpc_closed(vow_grpc_call *call, uint32_t error)
{
    vow_grpc *grpc = call->grpc;
    bool      is_ghost;

    if (grpc->base.options.is_server && !call->has_told_end)
        vow_grpc_watch_cancel(grpc);
    if (call->wire && call->is_answered && error == NGHTTP2_NO_ERROR)
        vow_grpc_end(call, VOW_ENDING(.status = VOW_STATUS_OK));
    else if (call->wire)
        ended_by_http2(call, error);
    is_ghost = call->is_ghost;
    call_free(call);
    if (is_ghost)
        vow_life_ghost_ended(&grpc->life);
}

int vow_grpc_on_stream_close(nghttp2_session *http, int32_t id, uint32_t error, void *user)
{
    vow_grpc      *grpc = user;
    vow_grpc_call *call = nghttp2_session_get_stream_user_data(http, id);

    if (!call)
        return 0;
    nghttp2_session_set_stream_user_data(http, id, NULL);
    if (grpc->is_within && (call->wire || call->is_ghost)) {
        call->is_closed = call->is_reset = true;
        call->closed_with = error;
        vow_scheduler_soon(vow_grpc_scheduler(grpc), &call->emptied);
    } else {
        vow_grpc_closed(call, error);
    }
    return 0;
}

static bool call_never_left(const vow_grpc_call *call)
{
    return call->wire->is_ours && call->begins_at >= call->grpc->left_bytes;
}

void vow_grpc_calls_lose(vow_grpc *grpc, const vow_status *why)
{
    for (vow_link *link = grpc->calls.head.next; link != &grpc->calls.head;) {
        vow_grpc_call *call = VOW_OWNER(link, vow_grpc_call, link);

        if (call->wire)
            vow_grpc_end(call, VOW_ENDING(.status = *why, .never_ran = call_never_left(call)));
        link = call->link.next;
    }
}

void vow_grpc_calls_detach(vow_grpc *grpc)
{
    for (vow_link *link = grpc->calls.head.next; link != &grpc->calls.head; link = link->next) {
        vow_grpc_call *call = VOW_OWNER(link, vow_grpc_call, link);

        if (call->wire)
            call_detach(call);
    }
}

void vow_grpc_calls_forget(vow_grpc *grpc)
{
    vow_link *link;

    vow_grpc_calls_detach(grpc);
    while ((link = vow_list_first(&grpc->calls)))
        call_free(VOW_OWNER(link, vow_grpc_call, link));
}

/* Beginning a call of ours */

static uint64_t time_left_ns(vow_grpc *grpc, uint64_t deadline_ns)
{
    uint64_t now = vow_scheduler_now_ns(vow_grpc_scheduler(grpc));

    return deadline_ns > now + NS_PER_US ? deadline_ns - now : NS_PER_US;
}

static vow_code begin_check(const vow_grpc *grpc, vow_status *status)
{
    const vow_session_options *options = &grpc->base.options;

    if (grpc->queued <= options->max_queued_bytes)
        return VOW_OK;
    *status = vow_status_make(VOW_RESOURCE_EXHAUSTED,
                              "%s: %zu bytes wait to be sent; %zu are allowed (max_queued_bytes)",
                              options->target, grpc->queued, options->max_queued_bytes);
    return VOW_RESOURCE_EXHAUSTED;
}

/* A program's calls mostly have the same time. What has come twice shall be in the peer's table; what changes with each
 * call is not. */
static nghttp2_nv field_timeout(vow_grpc *grpc, uint64_t left_ns)
{
    char   last[VOW_GRPC_TIMEOUT_ROOM];
    size_t size = strlen(grpc->timeout);

    memcpy(last, grpc->timeout, sizeof last);
    if (left_ns != grpc->timeout_ns)
        size = vow_grpc_timeout_write(grpc->timeout, left_ns);
    grpc->timeout_ns = left_ns;
    return strcmp(last, grpc->timeout) == 0
               ? field("grpc-timeout", grpc->timeout, size, NGHTTP2_NV_FLAG_NONE)
               : field_passing("grpc-timeout", grpc->timeout, size);
}

static void request_fields(field_table *table, vow_grpc *grpc, const vow_begin *begin, bool has_gzip)
{
    size_t name_size = strlen(begin->method->name);
    char  *path = table->at;

    path[0] = '/';
    memcpy(path + 1, begin->method->name, name_size);
    table->at += name_size + 1;
    table_add(table, field_text(":method", "POST"));
    table_add(table, field_text(":scheme", vow_stream_is_tls(grpc->base.stream) ? "https" : "http"));
    table_add(table, field(":path", path, name_size + 1, NGHTTP2_NV_FLAG_NONE));
    table_add(table, field_text(":authority", grpc->authority));
    table_add(table, field_text("te", "trailers"));
    table_add(table, field_text("content-type", "application/grpc"));
    table_add(table, field_text("grpc-accept-encoding", VOW_GRPC_ENCODINGS));
    if (has_gzip)
        table_add(table, field_text("grpc-encoding", "gzip"));
    table_add(table, field_text("user-agent", "vow/" VOW_VERSION_STRING));
    if (begin->deadline_ns != UINT64_MAX)
        table_add(table, field_timeout(grpc, time_left_ns(grpc, begin->deadline_ns)));
    table_add_metadata(table, begin->metadata);
}

/* Hands the request to nghttp2. False: no memory, or no stream ids are left. */
static bool request_submit(vow_grpc_call *call, const vow_begin *begin)
{
    vow_grpc             *grpc = call->grpc;
    nghttp2_data_provider provider = vow_grpc_provider(call);
    field_table           table;

    if (!table_new(&table, &grpc->base, begin->metadata,
                   strlen(begin->method->name) + 1))
        return false;
    request_fields(&table, grpc, begin, call->has_gzip_out);
    grpc->collected += FIELDS_ABOUT;
    call->id = nghttp2_submit_request(grpc->http, NULL, table.fields, table.count, &provider, call);
    table_free(&table);
    return call->id > 0;
}

vow_code vow_grpc_begin(vow_session *session, vow_wire *wire, const vow_begin *begin, vow_status *status)
{
    vow_grpc      *grpc = vow_grpc_of(session);
    vow_grpc_call *call;
    size_t         size = 0;

    if (begin_check(grpc, status) != VOW_OK)
        return VOW_RESOURCE_EXHAUSTED;
    call = vow_grpc_call_new(grpc);
    *status = vow_status_no_memory();
    if (!call)
        return VOW_RESOURCE_EXHAUSTED;
    call->is_unary_in = !begin->method->server_streams;
    call->ends_out = begin->message != NULL;
    call->has_gzip_out = wire->may_compress;
    if (begin->message)
        size = vow_grpc_reserve(call, begin->message);
    if (size == SIZE_MAX || !request_submit(call, begin)) {
        call_free(call);
        return VOW_RESOURCE_EXHAUSTED;
    }
    vow_grpc_attach(call, wire, true);
    if (begin->message)
        vow_grpc_pack(call, wire, begin->message, size);
    if (nghttp2_session_get_next_stream_id(grpc->http) > INT32_MAX - 2u)
        vow_grpc_ids_run_out(grpc);
    vow_grpc_resume(call);
    vow_grpc_flush_much(grpc);
    return VOW_OK;
}

/* A call that must not be cancelled yet runs on, keeps its place, and is not listened to. */
static bool cancel_leaves_ghost(vow_grpc_call *call)
{
    vow_grpc *grpc = call->grpc;

    if (vow_life_may_cancel(&grpc->life) || call->queued)
        return false;
    call->is_ghost = true;
    grpc->base.our_calls++;
    vow_life_cancel_later(&grpc->life, &call->late);
    return true;
}

void vow_grpc_cancel_late(vow_life *life, vow_link *late)
{
    (void)life;
    vow_grpc_reset(VOW_OWNER(late, vow_grpc_call, late), NGHTTP2_CANCEL);
}

/* Answering */

static void trailer_fields(field_table *table, const vow_ending *ending)
{
    static const char *const codes[] = { "0", "1",  "2",  "3",  "4",  "5",  "6",  "7", "8",
                                         "9", "10", "11", "12", "13", "14", "15", "16" };
    const char              *message = vow_status_message(&ending->status);
    size_t                   size = vow_grpc_percent_write(table->at, message, strlen(message));
    size_t                   details_size;
    const uint8_t           *details = vow_status_details(&ending->status, &details_size);

    table_add(table, field_text("grpc-status", codes[ending->status.code]));
    if (size)
        table_add(table, field_passing("grpc-message", table->at, size));
    table->at += size;
    if (details) {
        size = vow_base64_write(table->at, details, details_size);
        table_add(table, field_passing("grpc-status-details-bin", table->at, size));
        table->at += size;
    }
    table_add_metadata(table, ending->trailing);
}

static void response_fields(field_table *table)
{
    table_add(table, field_text(":status", "200"));
    table_add(table, field_text("content-type", "application/grpc"));
}

static bool ending_table_new(field_table *table, vow_grpc *grpc, const vow_ending *ending)
{
    size_t details_size = 0;

    vow_status_details(&ending->status, &details_size);
    return table_new(table, &grpc->base, ending->trailing,
                     strlen(vow_status_message(&ending->status)) * 3 + vow_base64_room(details_size));
}

/* The whole answer is one block of headers. */
static bool submit_trailers_only(vow_grpc_call *call, const vow_ending *ending)
{
    vow_grpc   *grpc = call->grpc;
    field_table table;
    int         error;

    if (!ending_table_new(&table, grpc, ending))
        return false;
    response_fields(&table);
    if (call->is_encoded)
        table_add(&table, field_text("grpc-accept-encoding", VOW_GRPC_ENCODINGS));
    trailer_fields(&table, ending);
    error = nghttp2_submit_response(grpc->http, call->id, table.fields, table.count, NULL);
    table_free(&table);
    return error == 0;
}

static bool submit_response(vow_grpc_call *call, const nghttp2_nv *fields, size_t count)
{
    nghttp2_data_provider provider = vow_grpc_provider(call);

    call->grpc->collected += FIELDS_ABOUT;
    return nghttp2_submit_response(call->grpc->http, call->id, fields, count, &provider) == 0;
}

bool vow_grpc_submit_headers(vow_grpc_call *call, const vow_metadata *metadata)
{
    static const nghttp2_nv plain[] = { FIELD_FIXED(":status", "200"),
                                        FIELD_FIXED("content-type", "application/grpc") };
    field_table             table;

    if (call->has_headers_out)
        return true;
    call->has_gzip_out = call->takes_gzip && call->wire && call->wire->may_compress;
    if (!call->has_gzip_out && !metadata) {
        call->has_headers_out = submit_response(call, plain, 2);
        return call->has_headers_out;
    }
    if (!table_new(&table, &call->grpc->base, metadata, 0))
        return false;
    response_fields(&table);
    if (call->has_gzip_out)
        table_add(&table, field_text("grpc-encoding", "gzip"));
    table_add_metadata(&table, metadata);
    call->has_headers_out = submit_response(call, table.fields, table.count);
    table_free(&table);
    return call->has_headers_out;
}

vow_code vow_grpc_send_metadata(vow_wire *wire, const vow_metadata *metadata, vow_status *status)
{
    vow_grpc_call *call = wire->flow;

    (void)status;
    if (call->is_reset || !vow_grpc_is_alive(call->grpc))
        return VOW_OK;
    if (!vow_grpc_submit_headers(call, metadata))
        vow_grpc_lose(call->grpc, vow_status_no_memory());
    vow_grpc_flush_later(call->grpc);
    return VOW_OK;
}

/* Trailers that wait for nothing: neither for credit nor for the rest of a message. */
static bool submit_trailers(vow_grpc_call *call, const vow_ending *ending)
{
    field_table table;
    int         error;

    if (!ending_table_new(&table, call->grpc, ending))
        return false;
    trailer_fields(&table, ending);
    error = nghttp2_submit_trailer(call->grpc->http, call->id, table.fields, table.count);
    table_free(&table);
    return error == 0;
}

/* Trailers follow the last message; nghttp2 asks for them when that leaves. */
static bool keep_trailers(vow_grpc_call *call, const vow_ending *ending)
{
    static const nghttp2_nv ok[] = { FIELD_FIXED("grpc-status", "0") };
    field_table             table;

    if (ending->status.code == VOW_OK && !ending->trailing) {
        call->trailers = (vow_grpc_trailers){ ok, 1, 0 };
    } else {
        if (!ending_table_new(&table, call->grpc, ending))
            return false;
        trailer_fields(&table, ending);
        call->trailers = (vow_grpc_trailers){ table.fields, table.count, table.block_size };
    }
    call->ends_out = true;
    vow_grpc_resume(call);
    return true;
}

void vow_grpc_tell_http(vow_grpc_call *call, const char *http_status)
{
    nghttp2_nv fields[] = { field_text(":status", http_status) };

    if (nghttp2_submit_response(call->grpc->http, call->id, fields, 1, NULL) != 0)
        vow_grpc_lose(call->grpc, vow_status_no_memory());
    call->ends_out = true;
    vow_grpc_flush_later(call->grpc);
}

void vow_grpc_tell_end(vow_grpc_call *call, const vow_ending *ending)
{
    vow_grpc *grpc = call->grpc;
    bool      is_told;

    if (call->is_reset || call->ends_out || !vow_grpc_is_alive(grpc))
        return;
    if (ending->at_once)
        vow_grpc_drop_queued(call);
    /* Metadata of the beginning has a block of its own: in one, nobody could tell it from that of the end. */
    is_told = call->has_headers_out || call->queued || ending->metadata
                  ? vow_grpc_submit_headers(call, ending->metadata) &&
                        (ending->at_once ? submit_trailers(call, ending) : keep_trailers(call, ending))
                  : submit_trailers_only(call, ending);
    call->ends_out = true;
    if (!is_told)
        vow_grpc_lose(grpc, vow_status_no_memory());
    vow_grpc_flush_later(grpc);
}

/* A message of `size` bytes, and how the call ends. Its headers and trailers are there before it is packed, so that all
 * of it leaves at once. */
static void answer_with(vow_grpc_call *call, const ProtobufCMessage *message, size_t size, const vow_ending *ending)
{
    if (call->is_reset || call->ends_out || !vow_grpc_is_alive(call->grpc))
        return;
    if (vow_grpc_submit_headers(call, ending->metadata) && keep_trailers(call, ending))
        vow_grpc_pack(call, call->wire, message, size);
    else
        vow_grpc_lose(call->grpc, vow_status_no_memory());
}

void vow_grpc_answer(vow_wire *wire, const ProtobufCMessage *message, const vow_ending *ending)
{
    vow_grpc_call *call = wire->flow;
    vow_grpc      *grpc = call->grpc;
    size_t         size = message ? vow_grpc_reserve(call, message) : 0;

    vow_life_answered(&grpc->life);
    if (size == SIZE_MAX)
        vow_grpc_tell_end(call, VOW_ENDING(.status = vow_status_no_memory()));
    else if (message)
        answer_with(call, message, size, ending);
    else
        vow_grpc_tell_end(call, ending);
    if (!message && call->queued && !ending->at_once && vow_grpc_is_alive(grpc))
        call->is_answered = true;
    else
        call_detach(call);
    vow_grpc_flush_much(grpc);
}

/* What still waits of an answer will not leave: the caller is told so, and not how the call was answered. */
static void answer_cut(vow_grpc_call *call)
{
    vow_ending ending = { .at_once = true };

    if (call->queued == 0 || !call->trailers.fields)
        return;
    ending.status = vow_status_make(VOW_UNAVAILABLE, "the server gave up before the whole answer had left");
    trailers_free(call);
    call->ends_out = false;
    vow_grpc_tell_end(call, &ending);
    vow_status_done(&ending.status);
}

void vow_grpc_cancel(vow_wire *wire)
{
    vow_grpc_call *call = wire->flow;
    bool           is_ours = wire->is_ours;

    call_detach(call);
    if (!is_ours)
        answer_cut(call);
    else if (!vow_grpc_is_alive(call->grpc) || !cancel_leaves_ghost(call))
        vow_grpc_reset(call, NGHTTP2_CANCEL);
}

/* What leaves */

int vow_grpc_before_frame(nghttp2_session *http, const nghttp2_frame *frame, void *user)
{
    vow_grpc      *grpc = user;
    vow_grpc_call *call = NULL;

    if (frame->hd.type == NGHTTP2_HEADERS) {
        grpc->watch.has_sent_of_calls = true;
        call = nghttp2_session_get_stream_user_data(http, frame->hd.stream_id);
    }
    if (call && call->begins_at == UINT64_MAX)
        call->begins_at = grpc->made_bytes;
    if (call && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
        call->has_told_end = true;
    return 0;
}

/* The caller's stream goes on behind an answer: it is told that nobody listens any more (RFC 9113,
 * section 8.1). */
int vow_grpc_on_frame_sent(nghttp2_session *http, const nghttp2_frame *frame, void *user)
{
    vow_grpc      *grpc = user;
    vow_grpc_call *call;

    if (frame->hd.type == NGHTTP2_GOAWAY)
        vow_grpc_goaway_sent(grpc, &frame->goaway);
    if (!grpc->base.options.is_server || frame->hd.type != NGHTTP2_HEADERS ||
        !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
        return 0;
    call = nghttp2_session_get_stream_user_data(http, frame->hd.stream_id);
    if (call && !call->has_ended_in)
        vow_grpc_reset(call, NGHTTP2_NO_ERROR);
    return 0;
}
